"""Verdicts: computed from what is printed, its precision and the recomputation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway import config
from headway.ingest import trials
from headway.messages import say
from headway.reviews.analyse import analyse_review
from headway.reviews.integrity import arms as integrity_arms
from headway.reviews.integrity import contrasts as integrity_contrasts
from headway.reviews.reproduce import judge_number
from tests.unit.review_builder import ARMS, REVIEW, write_review


@pytest.mark.parametrize(
    ("published", "recomputed", "verdict", "rounds"),
    [
        ("-0.43", -0.427, "reproduced", "yes"),
        ("-0.43", -0.4394, "reproduced", "no"),
        ("-0.43", -0.4405, "not reproduced", "no"),
        ("0.3", 0.30, "reproduced", "yes"),
        ("0.30", 0.315, "not reproduced", "no"),
        ("0.3", 0.315, "reproduced", "yes"),
        ("5.7", 5.7, "reproduced", "yes"),
        ("3.9", 4.310485, "not reproduced", "no"),
        ("22", 22.9, "reproduced", "no"),
        ("22", 23.1, "not reproduced", "no"),
        ("0.30", 0.305, "reproduced", "yes"),  # a half: up or to even, programs differ
        ("-0.01", 0.0, "reproduced", "no"),
    ],
)
def test_a_verdict_by_hand(published: str, recomputed: float, verdict: str, rounds: str) -> None:
    found = judge_number(published, recomputed)
    assert (found["verdict"], found["rounds_identically"]) == (verdict, rounds)


@given(st.integers(-(10**6), 10**6), st.integers(0, 4))
def test_one_unit_is_reproduced_and_a_hair_more_is_not(digits: int, decimals: int) -> None:
    unit = 10.0**-decimals
    published = f"{digits * unit:.{decimals}f}"
    value = float(published)
    assert judge_number(published, value + unit)["verdict"] == "reproduced"
    assert judge_number(published, value - unit)["verdict"] == "reproduced"
    assert judge_number(published, value + 1.001 * unit)["verdict"] == "not reproduced"
    assert judge_number(published, value)["rounds_identically"] == "yes"


def judge(folder: Path) -> pd.DataFrame:
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    return analyse_review(read.arms, read.contrasts, read.published, review)["reproduction"]


def quantity(**changes: object) -> dict[str, object]:
    return {
        "id": "q",
        "label": "q",
        "estimate": "-2.00",
        "recompute": {"comparison": "main"},
        **changes,
    }


def test_the_sign_the_paper_prints_is_the_one_compared(tmp_path: Path) -> None:
    entry = quantity(estimate="2.00", positive_means="control_minus_treatment")
    found = judge(write_review(tmp_path / "r", published=[entry]))
    assert found["recomputed"].tolist() == [2.0]
    assert found["verdict"].tolist() == ["reproduced"]


def test_limits_change_places_with_the_sign(tmp_path: Path) -> None:
    model = {"method": "EE", "test": "z"}
    se = 1 / np.sqrt(1 / (16 / 20 + 25 / 21) + 1 / (16 / 30 + 16 / 30))
    low, high = 2 - 1.959964 * se, 2 + 1.959964 * se
    entry = quantity(
        estimate="2.000",
        ci=[f"{low:.3f}", f"{high:.3f}"],
        model=model,
        positive_means="control_minus_treatment",
    )
    found = judge(write_review(tmp_path / "r", published=[entry]))
    assert found["part"].tolist() == ["estimate", "ci_low", "ci_high"]
    assert found["verdict"].eq("reproduced").all()


def test_the_unit_the_paper_prints_is_the_one_compared(tmp_path: Path) -> None:
    entry = quantity(estimate="-2.17", unit="days_per_month")  # 2 x 30.4375 / 28 = 2.174
    assert judge(write_review(tmp_path / "r", published=[entry]))["verdict"].tolist() == [
        "reproduced"
    ]


def test_a_pooled_number_of_more_trials_than_are_here_is_not_recomputable(tmp_path: Path) -> None:
    entry = quantity(k=3, not_public="one trial is only in a figure")
    found = judge(write_review(tmp_path / "r", published=[entry])).iloc[0]
    assert found["verdict"] == "not recomputable"
    assert say(found["explanation"]) == "2 of 3 trials are here: one trial is only in a figure"
    assert np.isnan(found["recomputed"])


def test_a_wider_tolerance_is_declared_with_its_reason(tmp_path: Path) -> None:
    tolerance = {"units": 3, "reason": "read from a figure"}
    near = judge(
        write_review(tmp_path / "a", published=[quantity(estimate="-2.03")], tolerance=tolerance)
    )
    far = judge(
        write_review(tmp_path / "b", published=[quantity(estimate="-2.04")], tolerance=tolerance)
    )
    assert near["verdict"].tolist() == ["reproduced"]
    assert far["verdict"].tolist() == ["not reproduced"]
    assert "read from a figure" in far["explanation"].iloc[0]


def test_two_arms_of_one_trial_are_held_against_a_printed_difference(tmp_path: Path) -> None:
    target = {
        "trial": "B 2002",
        "outcome": "frequency",
        "timepoint": "3 months",
        "treatment_arm": "massage",
        "control_arm": "care",
    }
    entry = quantity(estimate="2", positive_means="control_minus_treatment", recompute=target)
    found = judge(write_review(tmp_path / "r", published=[entry])).iloc[0]
    assert (found["verdict"], found["recomputed"]) == ("reproduced", 2)
    gone = quantity(recompute={**target, "trial": "Z 1900"}, not_public="no arms")
    assert judge(write_review(tmp_path / "s", published=[gone]))["explanation"].tolist() == [
        "no arms"
    ]


POOLED = """\
outcome,unit,subgroup,timepoint,k,effect,ci_low,ci_high,positive_means,status,source
frequency,days_per_28,TTH,after,4,-3.5,-4.91,-2.09,treatment_minus_control,retrieved,abstract
"""


def test_printed_precision_is_that_of_the_most_precise_part(tmp_path: Path) -> None:
    """-3.5 beside limits with two decimals is a spreadsheet's -3.50."""
    entry = {
        "id": "q",
        "label": "q",
        "from_pooled": {"outcome": "frequency", "subgroup": "TTH"},
        "recompute": {"comparison": "main"},
    }
    folder = write_review(
        tmp_path / "r",
        {"arms.csv": ARMS, "p.csv": POOLED},
        published=[entry],
        mapped={"arms": {"path": "arms.csv"}, "pooled": {"path": "p.csv"}},
    )
    found = judge(folder)
    assert found["published"].tolist() == ["-3.50", "-4.91", "-2.09"]
    assert say(found["explanation"].iloc[0]).startswith("2 of 4 trials are here")


ARM = {
    "trial": "X",
    "arm": "m",
    "outcome": "frequency",
    "timepoint": "t",
    "kind": "final",
    "unit": "hours",
    "file": "arms.csv",
    "line": 2,
}


def arm(**numbers: float) -> pd.DataFrame:
    columns = {"n": 15.0, "mean": 454.8, "sd": 100.0, "range_low": np.nan, "range_high": np.nan}
    return pd.DataFrame([{**ARM, **columns, **numbers}])


def test_an_sd_beyond_its_range_is_impossible() -> None:
    """Moshkani Farahani 2014: 15 values from 102 to 493 with mean 454.8 and SD 263.6."""
    found = list(integrity_arms.check_ranges(arm(sd=263.627, range_low=102, range_high=493)))
    assert [f["severity"] for f in found] == ["impossible"]
    assert not list(integrity_arms.check_ranges(arm(sd=100, range_low=102, range_high=493)))


def test_the_largest_possible_sd_is_reached_by_values_on_the_limits() -> None:
    values = np.array([0.0] * 5 + [10.0] * 10)
    numbers = {"n": 15.0, "mean": values.mean(), "range_low": 0.0, "range_high": 10.0}
    sd = values.std(ddof=1)
    assert not list(integrity_arms.check_ranges(arm(sd=sd, **numbers)))
    assert list(integrity_arms.check_ranges(arm(sd=sd * 1.001, **numbers)))


@given(st.lists(st.integers(0, 28), min_size=2, max_size=40))
def test_no_real_sample_is_ever_called_impossible(days: list[int]) -> None:
    x = np.array(days, dtype=float)
    numbers = {
        "n": float(x.size),
        "mean": x.mean(),
        "sd": x.std(ddof=1),
        "range_low": x.min(),
        "range_high": x.max(),
    }
    assert not list(integrity_arms.check_ranges(arm(**numbers)))


def contrast(value: float, low: float, high: float) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "trial": "X",
                "outcome": "frequency",
                "treatment_arm": "m",
                "control_arm": "c",
                "timepoint": "t",
                "effect_type": "difference",
                "unit": "days_per_28",
                "printed_effect": value,
                "printed_ci_low": low,
                "printed_ci_high": high,
                "effect_decimals": None,
                "ci_low_decimals": None,
                "ci_high_decimals": None,
                "file": "c.csv",
                "line": 2,
            }
        ]
    )


NONE = pd.DataFrame(
    columns=[
        "subgroup",
        "outcome",
        "timepoint",
        "measure",
        "effect",
        "ci_low",
        "ci_high",
        "file",
        "line",
    ]
)


@pytest.mark.parametrize(
    ("value", "low", "high", "severity"),
    [
        (3.54, -5.76, 8.94, ["doubt"]),  # De Hertogh 2009; the centre is 1.59
        (-1.06, -1.77, -0.5, ["doubt"]),  # Li 2012
        (-0.8036, -1.66, -0.44, ["doubt"]),  # Mesa-Jimenez 2015
        (9.0, 1.0, 3.0, ["impossible"]),
        (5.7, 3.9, 7.5, []),  # Melchart 2005
        (8.8, 0.11, 17.4, []),  # Berggreen 2012: the centre is 8.755
        (22, 8, 38, []),  # Vickers 2004: within rounding
        (2, 2, 3, []),  # Satpute 2024: printed without decimals
        (-1.92, -3.03, -0.8, []),  # Falsiroli Maistrello 2018
    ],
)
def test_printed_intervals_of_real_papers(
    value: float, low: float, high: float, severity: list[str]
) -> None:
    found = list(integrity_contrasts.check_centres(contrast(value, low, high), NONE))
    assert [f["severity"] for f in found] == severity


@given(st.floats(-20, 20), st.floats(0.01, 10), st.integers(0, 3))
def test_rounding_alone_never_raises_a_doubt(mean: float, se: float, decimals: int) -> None:
    value, low, high = (round(x, decimals) for x in (mean, mean - 1.96 * se, mean + 1.96 * se))
    assert not list(integrity_contrasts.check_centres(contrast(value, low, high), NONE))


def test_reviews_use_the_builder_as_it_is_declared() -> None:
    assert not config.check_document(REVIEW, "review", "review.yaml")
