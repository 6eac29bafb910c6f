"""The summary at the end of a run counts what the ledgers compared, here and in workers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import Account
from tests.golden import ledger as ledgers
from tests.golden.ledger import INSIDE, Ledger


@pytest.fixture(autouse=True)
def tally(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Keep the ledgers of these tests out of the account of the run."""
    own: list[dict[str, Any]] = []
    monkeypatch.setattr(ledgers, "TALLY", own)
    monkeypatch.setenv("HEADWAY_LEDGER", "/dev/null")
    return own


def compare(ours: list[float], *, close: bool = True) -> Ledger:
    ledger = Ledger("numbers", {"a": [1.0, 2.0, 3.0], "b": 4.0}, INSIDE)
    ledger.exclude("b", "input")
    ledger.compare("a", ("a",), ours, rtol=1e-9)
    if close:
        ledger.close()
    return ledger


def test_nothing_is_said_where_nothing_was_compared() -> None:
    assert Account().write() == []


def test_numbers_that_agree_and_numbers_left_out_are_counted() -> None:
    compare([1.0, 2.0, 3.0])
    assert Account().write() == [
        "in the repository: 3 numbers compared, 3 agree; 1 left out with a reason",
        "in HEADWAY_SHARED: not in this run",
    ]


def test_numbers_that_do_not_agree_are_counted_one_by_one() -> None:
    with pytest.raises(AssertionError, match="off by"):
        compare([1.0, 2.1, 3.1])
    (line, _) = Account().write()
    assert line.startswith("in the repository: 3 numbers compared, 1 agree")


def test_a_section_that_was_not_finished_is_named() -> None:
    compare([1.0, 2.0, 3.0], close=False)
    assert "NOT FINISHED: inside: numbers" in Account().write()[0]


def test_counts_of_workers_are_added() -> None:
    account = Account()
    for number in (1, 2):
        done = compare([1.0, 2.0, 3.0])
        assert done.tally["compared"] == 3, number
        own = list(ledgers.TALLY)
        session = SimpleNamespace(config=SimpleNamespace(workeroutput={}))
        account.pytest_sessionfinish(session)  # type: ignore[arg-type]
        account.pytest_testnodedown(SimpleNamespace(workeroutput=session.config.workeroutput))
        assert session.config.workeroutput["account"] == own
        ledgers.TALLY.clear()
    account.pytest_testnodedown(SimpleNamespace())  # a worker that crashed
    assert account.write()[0].startswith("in the repository: 6 numbers compared, 6 agree; 2 left")
