"""Every problem, remedy and failure of the catalogue is provoked by a small file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from headway import errors
from headway.errors import UserError
from headway.messages import LANGUAGES, Message, entries, read, say, speaking
from tests.unit.provoking import CASES
from tools import messages_doc

FAMILIES = ("problem", "failure", "remedy")
HERE = Path(__file__)
SAID: dict[str, list[str]] = yaml.safe_load(
    HERE.with_name("provoked.yaml").read_text(encoding="utf-8")
)
# Problems of files that come with the program, and one that counts others with their remedy.
SELF_EXPLAINED = frozenset(
    {
        "problem.and_more_rows",
        *(f"problem.{name}" for name in ("alias_taken", "range_reversed", "grades")),
        *(f"problem.{name}" for name in ("threshold_twice", "rating_threshold", "rating_source")),
        *(f"problem.{name}" for name in ("only_ratings", "no_message", "claim_twice")),
        *(f"problem.{name}" for name in ("rating_steps", "threshold_wide")),
        *(f"problem.{name}" for name in ("claim_range", "site_twice", "muscle_region")),
        "problem.no_start_at_all",  # its remedy is put beside it afterwards
    }
)


def list_ids(value: object) -> Iterator[str]:
    """List the ids of a message and of those within it."""
    if isinstance(value, Message):
        yield value.id
        for part in value.values.values():
            yield from list_ids(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from list_ids(part)
    elif isinstance(value, str):
        for message in read(value) or ():
            yield from list_ids(message)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Collect the ids of every problem and every error that is made; each must be sayable."""
    ids: set[str] = set()
    make_problem, make_error = errors.Problem.__init__, UserError.__init__

    def hear(*parts: str) -> None:
        for part in filter(None, parts):
            ids.update(list_ids(part))
            for language in LANGUAGES:
                with speaking(language):
                    assert say(part), part

    def problem(self: errors.Problem, *given: Any, **more: Any) -> None:
        make_problem(self, *given, **more)
        hear(self.message, self.remedy)
        assert is_complete(self), "a problem without a remedy"

    def error(self: UserError, message: str, *given: Any, **more: Any) -> None:
        make_error(self, message, *given, **more)
        hear(message)

    def is_complete(problem: errors.Problem) -> bool:
        """Whether a problem says what to do, or says by itself what is allowed."""
        id = next(list_ids(problem.message), "")
        return bool(problem.remedy) or id.startswith("problem.key_") or id in SELF_EXPLAINED

    monkeypatch.setattr(errors.Problem, "__init__", problem)
    monkeypatch.setattr(UserError, "__init__", error)
    return ids


@pytest.mark.parametrize("name", CASES)
def test_a_small_file_says_what_is_wrong(name: str, heard: set[str], tmp_path: Path) -> None:
    with suppress(UserError):
        CASES[name](tmp_path)
    assert heard >= set(SAID[name])


def test_every_message_of_what_is_wrong_is_provoked() -> None:
    ids = {id for id in entries() if id.partition(".")[0] in FAMILIES}
    provoked = {id for said in SAID.values() for id in said}
    assert set(SAID) == set(CASES)
    assert provoked - ids == set(), "no message of the catalogue"
    assert ids - provoked == set(), "provoke it: a case in provoking.py and provoked.yaml"


def test_the_page_of_messages_is_that_of_the_catalogue(repo_root: Path) -> None:
    page = (repo_root / "docs" / "messages.md").read_text(encoding="utf-8")
    assert page == messages_doc.write(), "run: python tools/messages_doc.py"
    assert all(f"`{id}`" in page for id in entries() if id.partition(".")[0] in FAMILIES)
