"""The grid is complete: every section of the stored answers has its row in the account."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.golden.ledger import INSIDE, README, read_answers, walk

# What no ledger holds, and why: conversions are compared in test_recover_oracle.py.
APART = {"meta", "conversions"}
NEW_NAMES = {"escalc": "escalc (5.1)", "ipd": "ipd (5.1)"}


def read_rows() -> dict[str, tuple[int, int]]:
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \|$", README.read_text(), flags=re.MULTILINE)
    return {name: (int(compared), int(excluded)) for name, compared, excluded in rows}


@pytest.mark.parametrize("file", ["oracle.json", "oracle_metafor_5.1.json"])
def test_every_number_of_every_section_is_accounted_for(source: Path, file: str) -> None:
    answers, rows = read_answers(source, file), read_rows()
    names = NEW_NAMES if file != "oracle.json" else {}
    before = "inside: " if source == INSIDE else ""
    sections = set(answers) - APART
    assert sections >= {"escalc", "ipd"}
    for section in sections:
        numbers = sum(1 for _ in walk(answers[section]))
        assert sum(rows[before + names.get(section, section)]) == numbers, section
    effects = answers.get("random_effects", {})
    parts = sum(1 for e in effects.values() for _ in walk(e.get("bias", {})))
    if effects:
        assert sum(rows[f"{before}bias"]) == parts


def test_the_grid_outside_has_a_quarter_of_a_million_numbers(shared: Path) -> None:
    answers, rows = read_answers(shared), read_rows()
    assert not answers["conversions"]
    sections = set(answers) - APART
    # Those of small-study effects are in the account of their own section.
    assert sum(1 for name in sections for _ in walk(answers[name])) == 253_743
    assert sum(rows[name][0] for name in (*sections, "bias")) == 237_843


def test_the_repository_carries_enough_to_judge() -> None:
    """What a reader of a clone sees agree."""
    compared = sum(n for name, (n, _) in read_rows().items() if name.startswith("inside: "))
    assert compared > 60_000
