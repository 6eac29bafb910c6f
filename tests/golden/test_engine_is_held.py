"""Every measure, estimator, test and model of the engine has something that holds it."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from tests.golden import engine
from tests.golden.ledger import README
from tests.golden.test_oracle_complete import read_rows


def test_nothing_of_the_engine_is_without_an_answer() -> None:
    parts = list(engine.list_parts())
    assert not [(p.kind, p.name) for p in parts if not p.holders]
    # Most of it by answers of R that travel with the repository.
    inside = [p for p in parts if p.holders[0].startswith("inside: ")]
    assert len(inside) > len(parts) / 2


def test_what_holds_is_there_and_knows_what_it_holds() -> None:
    rows = read_rows()
    for part in engine.list_parts():
        for holder in part.holders:
            if holder.startswith("inside: "):
                assert rows[holder][0] > 0, part
            else:
                text = (ROOT / holder).read_text(encoding="utf-8")
                assert re.search(rf"\b{part.name}\b", text), part


def test_names_that_are_no_longer_there_are_not_kept() -> None:
    for table in (engine.SECTIONS, engine.TESTED):
        for module, holders in table.items():
            named = {name for names in holders.values() for name in names.split()} - {"*"}
            assert named <= set(engine.list_functions(module)), module
    known = {f"{p.kind} {p.name}" for p in engine.list_parts()}
    assert set(engine.CODES) <= known


def test_the_table_is_the_one_that_is_shown() -> None:
    assert engine.write_table() in README.read_text(encoding="utf-8"), (
        "run: python -m tests.golden.write_readme"
    )
