"""Numbers that allow no effect, no estimate or no test: a reason where they stand, never an end."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import config, tables
from headway.errors import InputError
from headway.figures.review.draw import draw_review, save_review
from headway.ingest import trials
from headway.messages import say, speaking
from headway.report.review import page
from headway.reviews.analyse import analyse_review
from headway.reviews.preview import preview_review
from tests.unit.review_builder import ARMS_HEADER, REVIEW, write_review

MAIN: dict[str, Any] = REVIEW["comparisons"][0]
DL = {"method": "DL", "test": "z"}


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def arm(trial: str, treated: bool, n: Any, mean: Any, sd: Any) -> str:
    what = "massage,treatment,manual," if treated else "sham,control,,sham"
    text = io.StringIO()
    csv.writer(text, lineterminator="", quoting=csv.QUOTE_ALL).writerow([trial])
    return (
        f"{text.getvalue()},2001,{what},frequency,days_per_28,end,84,final,{n},{mean},{sd},,"
        "retrieved,T\n"
    )


def pair(trial: str, sd1: Any = 3, sd2: Any = 3, *, means: tuple[Any, Any] = (6, 8)) -> str:
    return arm(trial, True, 20, means[0], sd1) + arm(trial, False, 21, means[1], sd2)


def analyse(folder: Path) -> dict[str, pd.DataFrame]:
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    return analyse_review(read.arms, read.contrasts, read.published, review)


def build_page(folder: Path, out: Path) -> str:
    """Take a review to its page as the workflow does: through the files of its tables."""
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    made = analyse_review(read.arms, read.contrasts, read.published, review)
    made |= {n: getattr(read, n) for n in ("arms", "contrasts", "published", "risk_of_bias")}
    again = {}
    for name, table in made.items():
        tables.write_csv(table, out / f"{name}.csv")
        again[name] = tables.read_csv(name, out / f"{name}.csv")
    saved = save_review(draw_review(again, review), out / "figures")
    status = {"name": folder.name, "state": "ready", "problems": []}
    return page.build(review, status, again, saved)[0]


def write(folder: Path, rows: str, **changes: Any) -> Path:
    return write_review(folder, {"arms.csv": ARMS_HEADER + rows}, model=DL, **changes)


@pytest.mark.parametrize(("measure", "reason"), [("MD", "no_spread"), ("SMD", "no_effect")])
def test_a_trial_without_spread_is_shown_with_its_reason(
    tmp_path: Path, measure: str, reason: str
) -> None:
    rows = pair("A 2001") + pair("B 2002") + pair("C 2003", 0, 0, means=(0, 0))
    folder = write(tmp_path / "r", rows, comparisons=[{**MAIN, "measure": measure}])
    found = analyse(folder)
    effects = found["effects"].set_index("trial")
    assert effects["pooled"].to_dict() == {"A 2001": True, "B 2002": True, "C 2003": False}
    assert effects.loc["C 2003", "why_not"].startswith(f"why_not.{reason}")
    assert np.isnan(effects.loc["C 2003", "vi"])
    assert found["pooled"]["k"].eq(2).all()
    said = {}
    for language in ("en", "es", "de"):
        with speaking(language):
            said[language] = say(effects.loc["C 2003", "why_not"])
    assert len(set(said.values())) == 3
    (answer,) = preview_review(folder, config.load_review(folder)).answers
    assert answer["answered"] and answer["n"] == 2
    assert "C 2003" in say(answer["why"]) and said["en"] in say(answer["why"])
    assert "C 2003" in build_page(folder, tmp_path / "out")


def test_no_spread_in_one_arm_is_no_hindrance(tmp_path: Path) -> None:
    (row,) = analyse(write(tmp_path / "r", pair("A", 3, 0)))["effects"].to_dict("records")
    assert row["pooled"] and np.isclose(row["vi"], 9 / 20, rtol=1e-12)


@pytest.mark.parametrize(
    ("rows", "check"),
    [
        ("".join(pair(f"T{i} 2001", means=(i, 8)) for i in range(10)), "one_size"),
        # Equal effects: the line through them is exact and has no test.
        ("".join(pair(f"T{i} 2001", 2 + i, 3) for i in range(10)), "exact_line"),
    ],
)
def test_a_check_of_small_studies_that_cannot_be_says_why(
    tmp_path: Path, rows: str, check: str
) -> None:
    folder = write(tmp_path / "r", rows)
    found = analyse(folder)
    assert found["pooled"].query("declared")["k"].tolist() == [10]
    egger = found["small_studies"].set_index("check").loc["egger"]
    assert np.isnan(egger["p_value"]) and check in egger["note"]
    html = build_page(folder, tmp_path / "out")
    assert "no test for asymmetry" in html and ">nan<" not in html.lower()


@pytest.mark.parametrize("column", ["n", "mean", "sd"])
@pytest.mark.parametrize("text", ["1e308", "-1e308", "inf", "1e999", "nan"])
def test_a_number_without_bounds_is_refused_by_its_line(
    tmp_path: Path, column: str, text: str
) -> None:
    given = {"n": 20, "mean": 6, "sd": 3} | {column: text}
    rows = pair("A") + arm("B", True, given["n"], given["mean"], given["sd"])
    folder = write(tmp_path / "r", rows + arm("B", False, 20, 8, 3))
    with pytest.raises(InputError) as caught:
        trials.read_review(folder, config.load_review(folder))
    assert {(p.line, p.column) for p in caught.value.problems} == {(4, column)}
    assert all(p.remedy for p in caught.value.problems)
    assert text not in str(caught.value)


def test_a_comparison_that_cannot_be_pooled_ends_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headway.reviews import analyse as module

    real = module.pool

    def fail(yi: Any, vi: Any, **options: Any) -> Any:
        if len(yi) == 3:
            raise np.linalg.LinAlgError("singular")
        return real(yi, vi, **options)

    monkeypatch.setattr(module, "pool", fail)
    rows = pair("A 2001") + pair("B 2002") + pair("C 2003")
    left = {**MAIN, "id": "two", "leave_out": {"C 2003": "no"}}
    found = analyse(write(tmp_path / "r", rows, comparisons=[MAIN, left]))["pooled"]
    one, two = (found[found["comparison"] == name] for name in ("main", "two"))
    assert one["estimate"].isna().all() and one["k"].eq(3).all()
    assert "cannot be computed from these numbers" in say(one["note"].iloc[0])
    assert np.allclose(two["estimate"], -2)


def test_a_figure_that_cannot_be_drawn_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headway.figures.review import draw

    def fail(*_: Any, **__: Any) -> Any:
        raise ValueError("no room for 12.5")

    monkeypatch.setattr(draw, "draw_forest", fail)
    html = build_page(write(tmp_path / "r", pair("A 2001") + pair("B 2002")), tmp_path / "out")
    assert "cannot be drawn" in html and "12.5" not in html


NAMES = [
    "Fee $\\frac$ $x$",
    "R_1^{x} \\alpha",
    "<b>& \"quoted\" 'single'",
    "\u05d0\u05d1 2001",
    "\U0001f600 2001",
    "long " * 60,
    "two\nlines",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_drawn_and_written_as_it_is_typed(tmp_path: Path, name: str) -> None:
    label = {**MAIN, "label": f"{name.strip()} v sham"}
    folder = write(tmp_path / "r", pair(name) + pair("B") + pair("C"), comparisons=[label])
    html = build_page(folder, tmp_path / "out")
    plain = " ".join(name.split())
    import html as escaping

    assert plain in " ".join(escaping.unescape(html).split())
    assert "<b>&" not in html


def test_a_finding_that_nobody_graded_is_written(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "r",
        pair("A 2001") + pair("B 2002"),
        findings=[{"comparison": "main", "meaningful": {"value": 1, "source": "T"}}],
    )
    assert "not graded" in build_page(folder, tmp_path / "out")
