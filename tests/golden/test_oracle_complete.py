"""The grid is complete: every section of the stored answers has its row in the account."""

from __future__ import annotations

import re
from pathlib import Path

from tests.golden.ledger import README, read_answers, walk

# What no test compares, and why.
INPUTS = {"meta": "versions and settings", "conversions": "empty in oracle.json"}


def read_rows() -> dict[str, tuple[int, int]]:
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \|$", README.read_text(), flags=re.MULTILINE)
    return {name: (int(compared), int(excluded)) for name, compared, excluded in rows}


def test_every_number_of_every_section_is_accounted_for(shared: Path) -> None:
    answers, rows = read_answers(shared), read_rows()
    assert set(answers) - set(INPUTS) <= set(rows)
    assert not answers["conversions"]
    total = 0
    for section, content in answers.items():
        if section in INPUTS:
            continue
        numbers = sum(1 for _ in walk(content))
        assert sum(rows[section]) == numbers, section
        total += numbers
    parts = sum(1 for e in answers["random_effects"].values() for _ in walk(e.get("bias", {})))
    assert sum(rows["bias"]) == parts
    # 254 000 numbers; those of small-study effects are in the account of their own section.
    compared = sum(rows[name][0] for name in (*(set(answers) - set(INPUTS)), "bias"))
    assert total == 253_743
    assert compared == 237_843


def test_what_version_5_1_adds_is_accounted_for(shared: Path) -> None:
    answers, rows = read_answers(shared, "oracle_metafor_5.1.json"), read_rows()
    names = {"escalc": "escalc (5.1)", "ipd": "ipd (5.1)"}
    names |= {name: name for name in ("profile_likelihood", "random_effects_new")}
    # Conversions of medians and quartiles belong to the recovery of printed numbers.
    assert set(answers) == {*names, "meta", "conversions"}
    for section, name in names.items():
        assert sum(rows[name]) == sum(1 for _ in walk(answers[section])), section
