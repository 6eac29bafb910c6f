"""Files that a fuzzer found, and those that it started from: read, or refused by a UserError."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz_targets import CORPUS, TARGETS

FILES = sorted(p.relative_to(CORPUS).as_posix() for p in CORPUS.rglob("*") if p.is_file())


def test_every_kind_of_file_has_a_corpus_and_all_of_it_is_small() -> None:
    assert {Path(name).parts[0] for name in FILES} == TARGETS.keys()
    assert sum((CORPUS / name).stat().st_size for name in FILES) < 500_000


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_or_refused(name: str) -> None:
    TARGETS[Path(name).parts[0]]((CORPUS / name).read_bytes())
