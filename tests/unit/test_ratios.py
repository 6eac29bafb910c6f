"""Hazard ratios and other ratios: typed as printed, pooled as logarithms, shown as ratios."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import config
from headway.effects import escalc
from headway.figures.review.draw import draw_review
from headway.ingest import trials
from headway.messages import say
from headway.report.review import page
from headway.reviews.analyse import analyse_review
from headway.reviews.preview import preview_review
from tests.unit.pages_builder import READY
from tests.unit.review_builder import write_review

HEADER = (
    "trial,year,treatment_arm,control_arm,technique,comparator,outcome,unit,timepoint,time_days,"
    "effect_type,effect,ci_low,ci_high,se,n_total,positive_means,status,source\n"
)
# Ratio and limits as three papers print them, and what a spreadsheet leaves of 0.60 and 0.50.
PRINTED = [("0.75", "0.6", "0.94"), ("0.5", "0.3", "0.83"), ("0.9", "0.7", "1.16")]
Z = 1.959963984540054


def write_rows(
    rows: list[tuple[str, str, str]],
    unit: str = "ratio",
    sign: str = "treatment_minus_control",
    kind: str = "hazard ratio",
) -> str:
    return HEADER + "".join(
        f"T{i} 2010,2010,new,old,manual,sham,relapse,{unit},a year,365,{kind},{y},{low},{high},,"
        f"40,{sign},retrieved,T1\n"
        for i, (y, low, high) in enumerate(rows)
    )


def build(folder: Path, text: str, unit: str = "ratio", measure: str = "RATIO", **k: Any) -> Path:
    comparison = {
        "id": "relapse",
        "label": "New v old",
        "outcome": "relapse",
        "estimand": "between_arm",
        "measure": measure,
    }
    return write_review(
        folder,
        {"contrasts.csv": text},
        {"contrasts": {"path": "contrasts.csv"}},
        outcomes={"relapse": {"label": "relapse", "unit": unit}},
        comparisons=[comparison | k],
        model={"method": "DL", "test": "z"},
    )


def analyse(folder: Path) -> tuple[Any, dict[str, pd.DataFrame], Any]:
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    return review, analyse_review(read.arms, read.contrasts, read.published, review), read


def test_a_ratio_is_logged_once_and_shown_as_a_ratio(tmp_path: Path) -> None:
    review, tables, read = analyse(build(tmp_path / "r", write_rows(PRINTED)))
    effects = tables["effects"]
    for i, row in enumerate(PRINTED):
        y, low, high = map(float, row)
        assert effects["yi"].iloc[i] == pytest.approx(math.log(y))
        # Normal on the log scale, however few people: no t.
        se = (math.log(high) - math.log(low)) / (2 * Z)
        assert effects["vi"].iloc[i] == pytest.approx(se**2)
    row = tables["pooled"][tables["pooled"]["declared"]].iloc[0]
    assert math.exp(row["estimate"]) == pytest.approx(0.75, abs=0.06)
    every = {**tables, "arms": read.arms, "contrasts": read.contrasts, "published": read.published}
    every["risk_of_bias"] = read.risk_of_bias
    html, _ = page.build(review, READY, every, [])
    shown = f"{math.exp(row['estimate']):.2f}"
    assert f"{shown} ratio" in html
    assert shown in draw_review(every, review)["forest_relapse"].alt
    assert not len(tables["integrity"])


def test_the_other_way_round_turns_over(tmp_path: Path) -> None:
    text = write_rows(PRINTED[:1], sign="control_minus_treatment")
    effects = analyse(build(tmp_path / "r", text))[1]["effects"]
    assert effects["yi"].item() == pytest.approx(-math.log(0.75))


def test_logarithms_and_ratios_of_one_outcome_meet(tmp_path: Path) -> None:
    logs = [tuple(f"{math.log(float(x)):.4f}" for x in row) for row in PRINTED[1:]]
    text = write_rows(PRINTED[:1]) + write_rows(logs, "log_ratio", kind="log HR").replace(  # type: ignore[arg-type]
        HEADER, ""
    ).replace("T0", "T8").replace("T1 2010", "T9 2010")
    effects = analyse(build(tmp_path / "r", text))[1]["effects"]
    assert effects["pooled"].all()
    assert np.allclose(effects["yi"], [math.log(float(y)) for y, *_ in PRINTED], atol=1e-3)


@pytest.mark.parametrize("kind", ["hazard ratio", "Hazard-Ratio", "razón de riesgos", "HR"])
def test_ratios_declared_as_logarithms_are_not_pooled(tmp_path: Path, kind: str) -> None:
    text = write_rows(PRINTED, "log_ratio", kind=kind)
    folder = build(tmp_path / "r", text, unit="log_ratio", measure="MD")
    _, tables, _ = analyse(folder)
    assert not tables["effects"]["pooled"].any()
    assert tables["effects"]["why_not"].str.contains("ratio_as_log").all()
    assert not len(tables["pooled"])
    doubts = tables["integrity"]
    assert len(doubts) == 3 and set(doubts["check"]) == {"scale"}
    told = preview_review(folder, config.load_review(folder)).answers[0]["why"]
    assert "unit: ratio" in say(told)


def test_logarithms_that_are_logarithms_are_pooled(tmp_path: Path) -> None:
    logs = [("-0.29", "-0.51", "-0.06"), ("0.69", "0.10", "1.28"), ("0.22", "0.05", "0.39")]
    folder = build(tmp_path / "r", write_rows(logs, "log_ratio"), "log_ratio", "MD")
    effects = analyse(folder)[1]["effects"]
    assert effects["pooled"].all()
    assert effects["yi"].tolist() == [-0.29, 0.69, 0.22]


@pytest.mark.parametrize(
    ("row", "column"),
    [(("0", "0.6", "0.9"), "effect"), (("0.8", "-0.1", "0.9"), "ci_low")],
)
def test_what_no_ratio_can_be_is_refused_by_line(
    tmp_path: Path, row: tuple[str, str, str], column: str
) -> None:
    folder = build(tmp_path / "r", write_rows([PRINTED[0], row]))
    found = preview_review(folder, config.load_review(folder)).problems
    assert [(p.column, p.line, p.rule) for p in found] == [(column, 3, "ratio_not_above_0")]


def test_differences_of_ratios_are_refused(tmp_path: Path) -> None:
    folder = build(tmp_path / "r", write_rows(PRINTED), measure="MD")
    found = preview_review(folder, config.load_review(folder)).problems
    assert [p.rule for p in found] == ["ratio_by_differences"]


def test_the_door_takes_printed_ratios() -> None:
    yi, vi = escalc("RATIO", ratio=[0.75, 2.0], ci_low=[0.6, 1.0], ci_high=[0.94, 4.0])
    np.testing.assert_allclose(yi, np.log([0.75, 2.0]))
    np.testing.assert_allclose(vi[1], (math.log(4) / (2 * Z)) ** 2)
    with pytest.raises(ValueError, match="ci_low must be above 0"):
        escalc("RATIO", ratio=0.75, ci_low=0.0, ci_high=0.94)
