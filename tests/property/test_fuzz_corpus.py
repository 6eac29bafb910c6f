"""Files that a fuzzer found, and those that it started from: read, or refused by a UserError."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT
from tests.fuzz_targets import CORPUS, TARGETS, list_corpus

FILES = [(kind, p.relative_to(ROOT).as_posix()) for kind in TARGETS for p in list_corpus(kind)]


def test_every_kind_of_file_has_a_corpus_and_all_of_it_is_small() -> None:
    assert {kind for kind, _ in FILES} == TARGETS.keys()
    own = [p for p in CORPUS.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in own) < 500_000


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_a_file_is_read_or_refused(kind: str, name: str) -> None:
    TARGETS[kind]((ROOT / name).read_bytes())
