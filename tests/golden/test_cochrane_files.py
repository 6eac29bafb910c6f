"""Every total that RevMan stored, through import, effects and verdicts; every row of a sheet.

`made_up_1.rm5` stands here: made-up numbers with Peto, O - E, swapped events, levels of 90 and
99 %, a study twice and what is not estimable. The files of published reviews may not be carried
and stand below `data/cochrane` of the shared folder.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from headway import config
from headway.ingest import trials
from headway.ingest.adapters.folder import write_folder
from headway.ingest.adapters.forms import read_file
from headway.ingest.adapters.rm5 import read_rm5
from headway.reviews.effects_table import build_effects
from headway.reviews.library import judge_source
from headway.reviews.reproduce import judge_review

HERE = Path(__file__).parent
PARTS = ("estimate", "lower limit", "upper limit")
# Stored totals that a reader of the file sees, and rows of the file.
FILES = {
    "cd000023.rm5": (43, 217),
    "cd000023_pub4.rm5": (43, 217),
    "cd003188.rm5": (71, 136),
    "cd004976.rm5": (19, 56),
    "cd007868_a.rm5": (12, 140),
    "cd008521.rm5": (6, 30),
    "cd008625_a.rm5": (125, 586),
    "cd010590.rm5": (72, 138),
    "cd013437.rm5": (11, 22),
    "cd013656.rm5": (87, 172),
    "fleiss1993.rm5": (1, 12),
    "made_up_1.rm5": (12, 63),
}
SHEETS = {
    "cd000143-data-rows.csv": 80,
    "cd001797-data-rows.csv": 44,
    "cd007569-data-rows.csv": 26,
    "cd012335-data-rows.csv": 41,
    "cd012397-data-rows.csv": 25,
    "cd014861-data-rows.csv": 42,
    "cd015698-data-rows.csv": 29,
}


def mark(names: Iterable[str]) -> list[Any]:
    """Mark what does not travel with the repository."""
    outside = pytest.mark.outside
    return [n if (HERE / n).is_file() else pytest.param(n, marks=outside) for n in names]


def find(name: str, request: pytest.FixtureRequest) -> Path:
    if (HERE / name).is_file():
        return HERE / name
    folder: Path = request.getfixturevalue("shared") / "data" / "cochrane"
    if not (folder / name).is_file():
        pytest.skip(f"{name} is not in the shared folder: its totals are not tested")
    return folder / name


@pytest.mark.parametrize("name", mark(FILES))
def test_every_stored_total_comes_back(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path = find(name, request)
    rows = read_file(path)
    assert (rows.rows_kept, rows.rows_reported) == (FILES[name][1], 0)
    assert [d for d in rows.doubts if d["rule"] != "control"] == []
    write_folder(rows, tmp_path / "review", source=name)
    review = config.load_review(tmp_path / "review")
    read = trials.read_review(tmp_path / "review", review)
    effects = build_effects(read.arms, read.contrasts, review)
    found = judge_review(review, read.arms, read.published, effects)
    mine = found.set_index(["analysis", "part"])
    stored = [(a.code_of(s.subgroup), s) for a in read_rm5(path) for s in a.stored]
    assert len(stored) == FILES[name][0] and len(found) == 3 * len(stored)
    for code, total in stored:
        for part, text in zip(PARTS, total.shown, strict=True):
            row = mine.loc[(code, part)]
            if total.estimable:
                want = float(text)
                assert abs(row["recomputed"] - want) <= 1e-5 * max(1, abs(want)), (code, part)
                assert row["verdict"] == "reproduced"
            else:
                assert math.isnan(row["recomputed"]) and row["verdict"] == "not estimable"


@pytest.mark.parametrize("name", mark(FILES))
def test_the_library_gives_the_same_verdicts(name: str, request: pytest.FixtureRequest) -> None:
    table, account = judge_source(find(name, request), name)
    assert account["totals"] == FILES[name][0] and account["rows"] == FILES[name][1]
    assert account["reproduced"] + account["not_estimable"] == account["totals"]
    assert account["rows_agree"] == account["rows_shown"]
    assert set(table["verdict"]) <= {"reproduced", "not estimable"}


@pytest.mark.parametrize("name", mark(SHEETS))
def test_every_row_of_a_sheet_has_the_effect_that_it_shows(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    rows = read_file(find(name, request))
    assert (rows.rows_kept, rows.rows_reported) == (SHEETS[name], 0)
    assert [d for d in rows.doubts if d["rule"] != "control"] == []
    assert all(s["rows_agree"] == s["rows_shown"] for s in rows.summary)
    write_folder(rows, tmp_path / "review", source=name)
    review = config.load_review(tmp_path / "review")
    read = trials.read_review(tmp_path / "review", review)
    effects = build_effects(read.arms, read.contrasts, review)
    assert len(effects) == SHEETS[name]
    shown = sum(s["rows_shown"] for s in rows.summary)
    assert int(effects["pooled"].sum()) == shown
