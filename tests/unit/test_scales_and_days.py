"""Scales of their own in standardised measures, declared days, and how many trials were pooled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headway import config
from headway.effects import escalc
from headway.ingest import trials
from headway.messages import say
from headway.reviews.analyse import analyse_review
from tests.unit.review_builder import ARMS_HEADER, write_review


def row(
    trial: str,
    role: str,
    mean: float,
    *,
    unit: str = "nrs_0_10",
    day: str = "84",
    kind: str = "final",
    sign: str = "",
    sd: float = 2,
) -> str:
    kinds = "manual," if role == "treatment" else ",sham"
    return (
        f"{trial},2010,{role},{role},{kinds},intensity,{unit},day {day},{day},{kind},30,{mean},"
        f"{sd},{sign},retrieved,T1\n"
    )


def pair(trial: str, one: float, two: float, **k: Any) -> str:
    return row(trial, "treatment", one, **k) + row(trial, "control", two, **k)


def analyse(
    folder: Path, text: str, measure: str = "SMD", published: Any = (), **settings: Any
) -> dict[str, pd.DataFrame]:
    comparison = {
        "id": "pain",
        "label": "Treatment v sham",
        "outcome": "intensity",
        "estimand": "between_arm",
        "measure": measure,
        **settings,
    }
    write_review(
        folder,
        {"arms.csv": ARMS_HEADER + text},
        outcomes={"intensity": {"label": "pain", "unit": "nrs_0_10"}},
        comparisons=[comparison],
        published=list(published),
    )
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    return analyse_review(read.arms, read.contrasts, read.published, review)


# ── scales ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("unit", ["score", "points", "hit6_36_78", "unknown", "hours"])
@pytest.mark.parametrize("measure", ["SMD", "SMDH", "SMD1", "ROM"])
def test_a_measure_without_a_unit_takes_any_scale(tmp_path: Path, unit: str, measure: str) -> None:
    text = pair("A", 4, 5) + pair("B", 40, 52, unit=unit, sd=11)
    effects = analyse(tmp_path / "r", text, measure)["effects"].set_index("trial")
    sides = {"n1": 30, "mean1": 40, "sd1": 11, "n2": 30, "mean2": 52, "sd2": 11}
    assert effects["pooled"].all()
    assert effects.loc["B", "yi"] == pytest.approx(float(escalc(measure, **sides).yi))
    assert "own_scale" in effects.loc["B", "note"]
    assert pd.isna(effects.loc["A", "note"])


def test_a_mean_difference_does_not(tmp_path: Path) -> None:
    text = pair("A", 4, 5) + pair("B", 40, 52, unit="score", sd=11)
    effects = analyse(tmp_path / "r", text, "MD")["effects"].set_index("trial")
    assert not effects.loc["B", "pooled"]
    assert "cannot be converted to" in say(effects.loc["B", "why_not"])


def test_a_scale_that_runs_the_other_way_is_turned_where_it_says_so(tmp_path: Path) -> None:
    better = {"unit": "score", "sign": "better", "sd": 11}
    text = pair("A", 4, 5) + pair("B", 52, 40, **better) + pair("C", 4, 5, sign="worse")
    effects = analyse(tmp_path / "r", text)["effects"].set_index("trial")
    assert effects["pooled"].all()
    assert (effects["yi"] < 0).all()
    assert effects.loc["B", "mean1"] == -52
    assert "scale_turned" in effects.loc["B", "note"]
    assert effects.loc["A", "yi"] == effects.loc["C", "yi"]


def test_arms_of_one_trial_are_on_one_scale(tmp_path: Path) -> None:
    text = pair("A", 4, 5) + row("B", "treatment", 40, unit="score") + row("B", "control", 5)
    text += row("C", "treatment", 4, sign="better") + row("C", "control", 5, sign="worse")
    effects = analyse(tmp_path / "r", text)["effects"].set_index("trial")
    assert effects["pooled"].tolist() == [True, False, False]
    assert "different scales" in say(effects.loc["B", "why_not"])
    assert "better in one" in say(effects.loc["C", "why_not"])


def test_changes_are_kept_apart_from_final_scores_and_shown(tmp_path: Path) -> None:
    text = pair("A", 4, 5) + pair("B", -2, -1, kind="change", sign="worse")
    effects = analyse(tmp_path / "r", text)["effects"].set_index("trial")
    assert effects["pooled"].tolist() == [True, False]
    assert "kind" in say(effects.loc["B", "why_not"])


# ── days ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("settings", "pooled"),
    [
        ({"target_day": 42}, ["A", "B"]),  # 21 days each side
        ({"target_day": 42, "within_days": 10}, ["A"]),
        ({"target_day": 42, "within_days": 400}, ["A", "B", "C"]),
        ({"target_day": 10, "within_days": 0}, []),
        ({"target_day": 20}, []),  # 14 days each side, at least
        ({}, ["A", "B", "C"]),
        ({"target_day": 42, "timepoints": {"C": "day 365"}}, ["A", "B", "C"]),
    ],
)
def test_a_result_far_from_the_declared_day_is_shown_and_not_pooled(
    tmp_path: Path, settings: dict[str, Any], pooled: list[str]
) -> None:
    text = pair("A", 4, 5, day="42") + pair("B", 3, 5, day="63") + pair("C", 3, 6, day="365")
    effects = analyse(tmp_path / "r", text, "MD", **settings)["effects"]
    assert len(effects) == 3
    assert effects.loc[effects["pooled"], "trial"].tolist() == pooled
    for why in effects.loc[~effects["pooled"], "why_not"]:
        assert "from day" in say(why)


def test_a_nearer_result_of_unknown_day_is_not_beaten_by_a_far_one(tmp_path: Path) -> None:
    text = pair("A", 4, 5, day="365")
    text += pair("A", 3, 5, day="0").replace("day 0,0,", "end,,")
    effects = analyse(tmp_path / "r", text, "MD", target_day=42)["effects"]
    used = effects[effects["pooled"]].iloc[0]
    assert used["timepoint"].startswith("end")
    assert "day_unknown" in used["note"]


# ── how many trials ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("k", "verdict"), [(2, "reproduced"), (1, "not reproduced")])
def test_the_number_of_trials_is_held_against_the_sources(
    tmp_path: Path, k: int, verdict: str
) -> None:
    entry = {
        "id": "q",
        "label": "q",
        "estimate": "-1.5",
        "k": k,
        "recompute": {"comparison": "pain"},
    }
    text = pair("A", 4, 5) + pair("B", 3, 5)
    found = analyse(tmp_path / "r", text, "MD", [entry])["reproduction"].set_index("part")
    assert found.loc["estimate", "verdict"] == "reproduced"
    assert (found.loc["k", "published"], found.loc["k", "recomputed"]) == (str(k), 2)
    assert found.loc["k", "verdict"] == verdict
    if k == 1:
        assert "pooled 1 trial" in say(found.loc["k", "explanation"])
