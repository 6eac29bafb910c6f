"""What enters a comparison, what does not, and the reason beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import config
from headway.ingest import trials
from headway.messages import Message, say
from headway.reviews.analyse import analyse_review
from headway.reviews.effects_table import build_effects
from tests.unit.review_builder import ARMS, ARMS_HEADER, CONTRASTS, REVIEW, write_review

MAIN = REVIEW["comparisons"][0]


def analyse(folder: Path) -> dict[str, pd.DataFrame]:
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    return analyse_review(read.arms, read.contrasts, read.published, review)


def row(
    trial: str,
    arm: str,
    role: str,
    kind: str = "final",
    day: str = "84",
    n: str = "20",
    mean: str = "8",
    sd: str = "4",
    status: str = "retrieved",
    unit: str = "days_per_28",
    sign: str = "",
    comparator: str = "usual_care",
) -> str:
    technique, control = ("manual", "") if role == "treatment" else ("", comparator)
    return (
        f"{trial},2001,{arm},{role},{technique},{control},frequency,{unit},day {day},{day},"
        f"{kind},{n},{mean},{sd},{sign},{status},T\n"
    )


def test_mean_differences_by_hand(tmp_path: Path) -> None:
    folder = write_review(
        tmp_path / "r",
        {"arms.csv": ARMS, "c.csv": CONTRASTS},
        mapped={"arms": {"path": "arms.csv"}, "contrasts": {"path": "c.csv"}},
    )
    found = analyse(folder)["effects"].set_index("trial")
    assert found["pooled"].all()
    assert found.loc["A 2001", "yi"] == -2
    assert np.isclose(found.loc["A 2001", "vi"], 4**2 / 20 + 5**2 / 21, rtol=1e-14)
    assert found.loc["B 2002", "yi"] == -2  # decreases of 3 and 1: changes of -3 and -1
    assert found.loc["C 2003", "basis"] == "contrast"
    assert np.isclose(found.loc["C 2003", "yi"], -2 * 28 / 30.4375, rtol=1e-12)
    assert np.isclose(found["weight"].sum(), 100)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (row("X", "m", "treatment", n="") + row("X", "c", "control"), "no number of people"),
        (row("X", "m", "treatment", sd="") + row("X", "c", "control"), "no standard deviation"),
        (row("X", "m", "treatment", status="recalled") + row("X", "c", "control"), "recalled"),
        (
            row("X", "m", "treatment", unit="attacks_per_28") + row("X", "c", "control"),
            "attacks per 28 days cannot be converted to headache days",
        ),
        (
            row("X", "m", "treatment", unit="unknown") + row("X", "c", "control"),
            "not stated in the source",
        ),
        (
            row("X", "m", "treatment", kind="change", sign="unstated")
            + row("X", "c", "control", kind="change", sign="better"),
            "positive change means",
        ),
    ],
)
def test_each_row_that_is_not_pooled_says_why(tmp_path: Path, lines: str, reason: str) -> None:
    found = analyse(write_review(tmp_path / "r", {"arms.csv": ARMS_HEADER + lines}))
    assert len(found["effects"]) == 1
    assert not found["effects"]["pooled"].iloc[0]
    assert reason in say(found["effects"]["why_not"].iloc[0])
    assert len(found["pooled"]) == 0


@pytest.mark.parametrize(
    ("settings", "pooled"),
    [
        ({"target_day": 84}, "day 80"),
        ({"target_day": 300}, "day 365"),
        ({"timepoints": {"X": "day 28"}}, "day 28"),
    ],
)
def test_one_timepoint_per_trial(tmp_path: Path, settings: dict[str, Any], pooled: str) -> None:
    lines = "".join(
        row("X", arm, role, day=day)
        for day in ("28", "80", "365")
        for arm, role in (("m", "treatment"), ("c", "control"))
    )
    folder = write_review(
        tmp_path / "r", {"arms.csv": ARMS_HEADER + lines}, comparisons=[{**MAIN, **settings}]
    )
    found = analyse(folder)["effects"]
    assert found.loc[found["pooled"], "timepoint"].tolist() == [f"{pooled}, final"]
    assert found.loc[~found["pooled"], "why_not"].str.startswith("why_not.other_timepoint").all()


def test_several_treatment_arms_are_combined_and_a_chosen_one_is_not(tmp_path: Path) -> None:
    lines = (
        row("X", "m1", "treatment", mean="8")
        + row("X", "m2", "treatment", mean="6")
        + row("X", "c", "control", mean="10")
    )
    both = analyse(write_review(tmp_path / "a", {"arms.csv": ARMS_HEADER + lines}))["effects"]
    assert both["n1"].tolist() == [40]
    assert both["yi"].tolist() == [-3]
    # Two samples of 20 with SD 4, their means 2 apart: (19*16*2 + 20*1*2) / 39.
    assert np.isclose(both["sd1"].iloc[0], np.sqrt((19 * 16 * 2 + 40) / 39), rtol=1e-12)
    chosen = analyse(
        write_review(
            tmp_path / "b",
            {"arms.csv": ARMS_HEADER + lines},
            comparisons=[{**MAIN, "choose": {"X": "m2"}}],
        )
    )["effects"]
    assert chosen.loc[chosen["pooled"], "yi"].tolist() == [-4]
    left = chosen[~chosen["pooled"]]
    assert left["arms"].tolist() == ["m1"]
    assert say(left["why_not"].iloc[0]) == "review.yaml chooses 'm2' for this trial"


def test_arms_and_a_contrast_of_one_trial_are_not_counted_twice(tmp_path: Path) -> None:
    contrast = CONTRASTS.replace("C 2003,2003", "A 2001,2001")
    folder = write_review(
        tmp_path / "r",
        {"arms.csv": ARMS, "c.csv": contrast},
        mapped={"arms": {"path": "arms.csv"}, "contrasts": {"path": "c.csv"}},
    )
    found = analyse(folder)
    assert found["effects"].query("trial == 'A 2001' and pooled")["basis"].tolist() == ["arms"]
    assert found["pooled"]["k"].eq(2).all()


def test_change_and_final_scores_are_not_mixed_when_standardised(tmp_path: Path) -> None:
    folder = write_review(tmp_path / "r", comparisons=[{**MAIN, "measure": "SMD"}])
    found = analyse(folder)["effects"].set_index("trial")
    assert found["pooled"].to_dict() == {"A 2001": True, "B 2002": False}
    said = say(found.loc["B 2002", "why_not"])
    assert said == "the comparison does not use rows of this kind: change"


def test_comparators_are_kept_apart(tmp_path: Path) -> None:
    lines = (
        row("X", "m", "treatment")
        + row("X", "c", "control")
        + row("X", "s", "control", comparator="sham", mean="9")
    )
    comparisons = [{**MAIN, "id": kind, "comparators": [kind]} for kind in ("usual_care", "sham")]
    folder = write_review(
        tmp_path / "r", {"arms.csv": ARMS_HEADER + lines}, comparisons=comparisons
    )
    found = analyse(folder)["effects"].set_index("comparison")["yi"]
    assert found.to_dict() == {"usual_care": 0, "sham": -1}


def test_a_trial_left_out_is_shown_with_its_reason(tmp_path: Path) -> None:
    folder = write_review(
        tmp_path / "r", comparisons=[{**MAIN, "leave_out": {"A 2001": "same patients as B"}}]
    )
    found = analyse(folder)["effects"].set_index("trial")
    assert found.loc["A 2001", "why_not"] == "same patients as B"
    assert not np.isnan(found.loc["A 2001", "yi"])


WITHIN = {**MAIN, "id": "within", "estimand": "within_arm", "measure": "MC", "subgroup_by": "arm"}


def test_changes_within_arms_never_meet_differences_between_arms(tmp_path: Path) -> None:
    folder = write_review(tmp_path / "r", comparisons=[MAIN, WITHIN])
    found = analyse(folder)["pooled"]
    assert set(found["estimand"]) == {"between_arm", "within_arm"}
    within = found[found["comparison"] == "within"]
    assert set(within["subgroup"]) == {"manual", "usual care"}  # no overall of treated + untreated


def test_change_within_an_arm_by_hand_and_with_an_assumed_r(tmp_path: Path) -> None:
    header = ARMS_HEADER.replace(",sd,", ",sd,baseline_n,baseline_mean,baseline_sd,")
    lines = (
        "X,2001,m,treatment,manual,,frequency,days_per_28,t,84,final,20,8,4,20,12,5,,retrieved,T\n"
        "Y,2001,m,treatment,manual,,frequency,days_per_28,t,84,final,20,8,4,25,12,5,,retrieved,T\n"
    )
    folder = write_review(
        tmp_path / "r",
        {"arms.csv": header + lines},
        comparisons=[WITHIN],
        assumed_r={"value": 0.6, "sensitivity": [0.2]},
    )
    found = analyse(folder)
    x, y = found["effects"].set_index("trial").loc[["X", "Y"]].to_dict("records")
    assert x["yi"] == -4
    assert np.isclose(x["vi"], (4**2 + 5**2 - 2 * 0.6 * 4 * 5) / 20, rtol=1e-12)
    assert x["r_from"] == "origin.assumed"
    assert "from 25 people, the mean after from 20" in say(y["why_not"])
    other = found["pooled"].query(
        "assumption == @low", local_dict={"low": Message("assumption.r", r=0.2)}
    )
    assert np.isclose(other["se"].iloc[0] ** 2, (41 - 0.2 * 40) / 20, rtol=1e-12)


def test_row_order_does_not_matter(tmp_path: Path) -> None:
    lines = ARMS.splitlines(keepends=True)
    turned = lines[0] + "".join(reversed(lines[1:]))
    one = analyse(write_review(tmp_path / "a"))["pooled"].drop(columns="note")
    two = analyse(write_review(tmp_path / "b", {"arms.csv": turned}))["pooled"].drop(columns="note")
    pd.testing.assert_frame_equal(one, two, rtol=1e-12)


def test_no_rows_give_empty_tables(tmp_path: Path) -> None:
    spec = {"arms": {"path": "arms.csv", "may_be_empty": True}}
    found = analyse(write_review(tmp_path / "r", {"arms.csv": ARMS_HEADER}, mapped=spec))
    assert all(len(table) == 0 for table in found.values())
    review = config.load_review(tmp_path / "r")
    read = trials.read_review(tmp_path / "r", review)
    assert build_effects(read.arms, read.contrasts, review).columns.tolist()[0] == "comparison"
