"""The labelled corpus of the gate: the shares that are wanted, and the page that prints them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import gate as scorer


@pytest.fixture(scope="module")
def scored() -> tuple[list[scorer.Surface], dict[str, set[str]]]:
    surfaces = scorer.read_surfaces()
    return surfaces, scorer.judge(surfaces)


@pytest.mark.parametrize("part", scorer.WANTED)
def test_as_much_is_found_as_is_wanted(
    scored: tuple[list[scorer.Surface], dict[str, set[str]]], part: str
) -> None:
    surfaces, found = scored
    members = [s["id"] for s in surfaces if scorer.part_of(s) == part]
    share = sum(bool(found[i]) for i in members) / len(members)
    assert len(members) >= 20
    assert share <= scorer.WANTED[part] if part == "harmless" else share >= scorer.WANTED[part]


def test_the_page_prints_what_the_scorer_finds(
    scored: tuple[list[scorer.Surface], dict[str, set[str]]], repo_root: Path
) -> None:
    page = (repo_root / "docs/gate.md").read_text(encoding="utf-8")
    tables = scorer.write_tables(*scored)
    assert scorer.update_page(page, tables) == page, "run: python benchmarks/gate.py"
    assert "no certificate" in page
