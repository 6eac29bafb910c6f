"""Cluster and crossover trials: what the Handbook does with them, and what waits without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from headway import config
from headway.config.review import Comparison
from headway.effects.recover import design_effect
from headway.effects.single_arm import exact_limits
from headway.errors import InputError
from headway.ingest import trials
from headway.messages import say
from headway.reviews.analyse import analyse_review
from headway.reviews.dependent import cover_shared
from headway.reviews.effects_table import build_effects
from tests.unit.review_builder import REVIEW, write_review

MAIN = REVIEW["comparisons"][0]
HEADER = (
    "trial,year,arm,role,technique,comparator,outcome,unit,timepoint,time_days,kind,n,mean,sd,"
    "events,positive_means,status,source,design,clusters,cluster_size,icc,period_r\n"
)
CONTRASTS = (
    "trial,year,treatment_arm,control_arm,technique,comparator,outcome,unit,timepoint,time_days,"
    "effect_type,effect,ci_low,ci_high,n_total,positive_means,status,source,design,clusters,"
    "cluster_size,icc\n"
)


def arm(role: str, numbers: str, design: str, trial: str = "A 2001") -> str:
    """Write a row: `numbers` are n, mean, sd, events; `design` the five columns of the design."""
    technique, comparator = ("manual", "") if role == "treatment" else ("", "usual_care")
    n, mean, sd, events = numbers.split()
    kind = "events" if events != "-" else "final"
    cells = [trial, "2001", role, role, technique, comparator, "frequency", "days_per_28"]
    cells += ["day 84", "84", kind, n, *("" if x == "-" else x for x in (mean, sd, events))]
    return ",".join([*cells, "", "retrieved", "T", design]) + "\n"


def build(
    tmp_path: Path,
    arms: str = "",
    contrasts: str = "",
    measure: str = "MD",
    settings: dict[str, Any] | None = None,
) -> pd.DataFrame:
    files = {"arms.csv": HEADER + arms, "c.csv": CONTRASTS + contrasts}
    mapped = {
        "arms": {"path": "arms.csv", "may_be_empty": True},
        "contrasts": {"path": "c.csv", "may_be_empty": True},
    }
    changes = {"comparisons": [{**MAIN, "measure": measure}], **(settings or {})}
    folder = write_review(tmp_path / "r", files, mapped=mapped, **changes)
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    return build_effects(read.arms, read.contrasts, review)


@given(size=st.floats(1, 500), icc=st.floats(0, 1))
def test_a_design_effect_lies_between_one_and_the_size_of_a_cluster(
    size: float, icc: float
) -> None:
    found = float(design_effect(size, icc))
    assert 1 <= found <= size * (1 + 1e-12)
    assert found == pytest.approx(1 + (size - 1) * icc)


def test_numbers_that_are_no_clusters() -> None:
    for size, icc in ((0.5, 0.1), (5, -0.1), (5, 1.1)):
        with pytest.raises(ValueError, match="clusters"):
            design_effect(size, icc)


def test_counts_of_clusters_are_divided_by_the_design_effect(tmp_path: Path) -> None:
    """Clusters of 20 with an ICC of 0.1: 1 + 19 x 0.1 = 2.9 (Handbook 23.1.4)."""
    rows = arm("treatment", "58 - - 29", "cluster,,20,0.1,")
    rows += arm("control", "87 - - 29", "cluster,,20,0.1,")
    row = build(tmp_path, rows, measure="OR").iloc[0]
    assert (row["n1"], row["events1"], row["n2"], row["events2"]) == pytest.approx((20, 10, 30, 10))
    assert row["yi"] == pytest.approx(np.log((29 / 29) / (29 / 58)))
    assert row["vi"] == pytest.approx(1 / 10 + 1 / 10 + 1 / 10 + 1 / 20)
    assert "design effect 2.90" in say(row["recovered"])
    assert row["pooled"]


def test_means_of_clusters_keep_mean_and_sd(tmp_path: Path) -> None:
    """Six clusters of 60 people hold ten each."""
    rows = arm("treatment", "60 5 3 -", "cluster,6,,0.05,")
    rows += arm("control", "60 7 4 -", "cluster,6,,0.05,")
    row = build(tmp_path, rows).iloc[0]
    factor = 1 + 9 * 0.05
    assert row["yi"] == -2
    assert row["vi"] == pytest.approx(factor * (9 / 60 + 16 / 60))
    assert row["n1"] == pytest.approx(60 / factor)


@pytest.mark.parametrize("measure", ["MD", "OR"])
def test_clusters_without_an_icc_wait_for_one(tmp_path: Path, measure: str) -> None:
    numbers = "60 - - 20" if measure == "OR" else "60 5 3 -"
    rows = arm("treatment", numbers, "cluster,6,,,") + arm("control", numbers, "cluster,6,,,")
    row = build(tmp_path, rows, measure=measure).iloc[0]
    assert not row["pooled"]
    assert "assumed_icc" in say(row["why_not"])
    row = build(tmp_path / "assumed", rows, measure=measure, settings={"assumed_icc": 0.05}).iloc[0]
    assert row["pooled"]
    assert "design effect 1.45 of the assumed ICC" in say(row["recovered"])
    adjusted = rows.replace("cluster,", "cluster_adjusted,")
    row = build(tmp_path / "adjusted", adjusted, measure=measure).iloc[0]
    assert row["pooled"]
    assert row["n1"] == 60
    assert pd.isna(row["recovered"])


def test_a_printed_difference_of_clusters_gets_a_wider_interval(tmp_path: Path) -> None:
    head = "A 2001,2001,m,c,manual,usual_care,frequency,days_per_28,day 84,84,difference,"
    numbers = "-2,-3.96,-0.04,120,treatment_minus_control,retrieved,T,"
    row = build(tmp_path, contrasts=f"{head}{numbers}cluster,12,,0.1\n").iloc[0]
    assert row["vi"] == pytest.approx(1 + 9 * 0.1, rel=1e-3)
    row = build(tmp_path / "b", contrasts=f"{head}{numbers}cluster,,,\n").iloc[0]
    assert not row["pooled"]
    row = build(tmp_path / "c", contrasts=f"{head}{numbers}cluster_adjusted,,,\n").iloc[0]
    assert row["vi"] == pytest.approx(1, rel=1e-3)


def test_a_crossover_trial_is_compared_within_people(tmp_path: Path) -> None:
    """Handbook 23.2.7: the variance of a paired difference, and of a standardised one."""
    rows = arm("treatment", "25 5 3 -", "crossover,,,,0.6") + arm(
        "control", "25 7 4 -", "crossover,,,,0.6"
    )
    row = build(tmp_path, rows).iloc[0]
    assert (row["yi"], row["basis"], row["r"]) == (-2, "periods", 0.6)
    assert row["vi"] == pytest.approx((9 + 16 - 2 * 0.6 * 12) / 25)
    assert row["n1"] == 25
    assert pd.isna(row["n2"])  # the same people
    assert "within people with a correlation of 0.60" in say(row["note"])
    row = build(tmp_path / "smd", rows, measure="SMD").iloc[0]
    d = -2 / np.sqrt(12.5)
    assert row["yi"] == pytest.approx(d * (1 - 3 / (4 * 48 / 1.36 - 1)), rel=1e-4)
    assert row["vi"] == pytest.approx(2 * 0.4 / 25 + row["yi"] ** 2 * 1.36 / 100, rel=1e-9)
    row = build(tmp_path / "rom", rows, measure="ROM").iloc[0]
    cv1, cv2 = 3 / 5, 4 / 7
    assert row["vi"] == pytest.approx((cv1**2 + cv2**2 - 1.2 * cv1 * cv2) / 25)
    spread = build(tmp_path / "vr", rows, measure="VR").iloc[0]
    assert spread["yi"] == pytest.approx(np.log(3 / 4))  # treatment over control
    assert spread["vi"] == pytest.approx((1 - 0.6**2) / 24)
    relative = build(tmp_path / "cvr", rows, measure="CVR").iloc[0]
    assert relative["yi"] == pytest.approx(np.log(cv1 / cv2) - (cv1**2 - cv2**2) / 50)
    assert relative["vi"] == pytest.approx(spread["vi"] + row["vi"])


@pytest.mark.parametrize(
    ("first", "second", "numbers", "measure", "why"),
    [
        ("crossover,,,,", "crossover,,,,", ("25 5 3 -", "25 7 4 -"), "MD", "assumed_period_r"),
        ("crossover,,,,0.5", ",,,,", ("25 5 3 -", "25 7 4 -"), "MD", "another is not"),
        ("crossover,,,,0.5", "crossover,,,,", ("25 5 3 -", "24 7 4 -"), "MD", "one n are needed"),
        ("crossover,,,,0.5", "crossover,,,,", ("25 - - 9", "25 - - 4"), "OR", "paired effect"),
    ],
)
def test_crossover_trials_that_wait(
    tmp_path: Path, first: str, second: str, numbers: tuple[str, str], measure: str, why: str
) -> None:
    rows = arm("treatment", numbers[0], first) + arm("control", numbers[1], second)
    row = build(tmp_path, rows, measure=measure).iloc[0]
    assert not row["pooled"]
    assert why in say(row["why_not"])


def test_an_assumed_correlation_of_periods_is_named(tmp_path: Path) -> None:
    rows = arm("treatment", "25 5 3 -", "crossover,,,,") + arm(
        "control", "25 7 4 -", "crossover,,,,"
    )
    row = build(tmp_path, rows, settings={"assumed_period_r": 0.4}).iloc[0]
    assert row["vi"] == pytest.approx((25 - 0.8 * 12) / 25)
    assert say(row["r_from"]) == "assumed for crossover trials"


@pytest.mark.parametrize(
    ("design", "rule"),
    [
        ("quasi,,,,", "unknown_word"),
        ("cluster,0,,0.1,", "out_of_range"),
        ("cluster,,0.5,0.1,", "out_of_range"),
        ("cluster,,5,1.2,", "out_of_range"),
        ("cluster,,5,-0.2,", "out_of_range"),
        ("crossover,,,,1.5", "out_of_range"),
    ],
)
def test_numbers_of_a_design_that_cannot_be(tmp_path: Path, design: str, rule: str) -> None:
    rows = arm("treatment", "60 5 3 -", design) + arm("control", "60 7 4 -", ",,,,")
    folder = write_review(
        tmp_path / "r", {"arms.csv": HEADER + rows}, mapped={"arms": {"path": "arms.csv"}}
    )
    review = config.load_review(folder)
    with pytest.raises(InputError) as refused:
        trials.read_review(folder, review)
    assert {problem.rule for problem in refused.value.problems} == {rule}


def test_arms_that_share_a_control_are_pooled_with_their_covariance(tmp_path: Path) -> None:
    """Three trials, one of three arms: generalised least squares at the estimated tau2."""
    rows = arm("treatment", "20 5 3 -", ",,,,").replace("treatment,treatment", "a,treatment")
    rows += arm("treatment", "30 6 4 -", ",,,,").replace("treatment,treatment", "b,treatment")
    rows += arm("control", "25 8 5 -", ",,,,")
    for trial, mean in (("B 2002", 4), ("C 2003", 9), ("D 2004", 2)):
        rows += arm("treatment", f"40 {mean} 3 -", ",,,,", trial)
        rows += arm("control", "40 8 3 -", ",,,,", trial)
    comparison = {**MAIN, "several_arms": "covariance"}
    folder = write_review(
        tmp_path / "r",
        {"arms.csv": HEADER + rows},
        mapped={"arms": {"path": "arms.csv"}},
        comparisons=[comparison],
    )
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    found = analyse_review(read.arms, read.contrasts, read.published, review)
    effects = found["effects"]
    assert effects["yi"].tolist() == [-3, -2, -4, 1, -6]
    assert effects["n2"].tolist()[:2] == [25, 25]  # all of the control arm, twice
    row = found["pooled"].iloc[0]
    assert len(found["pooled"]) == 1
    v = np.diag([9 / 20 + 1, 16 / 30 + 1, *[9 / 20] * 3])
    v[0, 1] = v[1, 0] = 1
    g = np.eye(5)
    g[0, 1] = g[1, 0] = 0.5
    w = np.linalg.inv(v + row["tau2"] * g)
    y = effects["yi"].to_numpy()
    mean = w.sum(axis=0) @ y / w.sum()
    assert row["tau2"] > 1
    assert row["estimate"] == pytest.approx(mean)
    rest = y - mean
    assert row["se"] == pytest.approx(np.sqrt(max(1, rest @ w @ rest / 4) / w.sum()))
    # The score of the restricted likelihood vanishes there.
    p = w - np.outer(w.sum(axis=1), w.sum(axis=0)) / w.sum()
    assert y @ p @ g @ p @ y == pytest.approx(np.trace(p @ g), rel=1e-6)
    assert effects["weight"].to_numpy() == pytest.approx(100 * w.sum(axis=0) / w.sum())
    assert (row["k"], row["n_total"]) == (4, 20 + 30 + 25 + 3 * 80)
    assert row["weighting"] == "covariance"


@pytest.mark.parametrize(
    ("measure", "covariance"),
    [("OR", 1 / 6 + 1 / 19), ("RR", 1 / 6 - 1 / 25), ("RD", 6 * 19 / 25**3)],
)
def test_what_a_shared_control_brings_is_its_own_variance(
    tmp_path: Path, measure: str, covariance: float
) -> None:
    rows = arm("treatment", "20 - - 5", ",,,,").replace("treatment,treatment", "a,treatment")
    rows += arm("treatment", "30 - - 9", ",,,,").replace("treatment,treatment", "b,treatment")
    rows += arm("control", "25 - - 6", ",,,,")
    comparison = {**MAIN, "measure": measure, "several_arms": "covariance"}
    effects = build(tmp_path, rows, settings={"comparisons": [comparison]}, measure=measure)
    made = Comparison(**{**MAIN, "measure": measure, "several_arms": "covariance"})
    assert cover_shared(effects, made)[0, 1] == pytest.approx(covariance)


def test_standardised_differences_share_their_control_as_gleser_and_olkin_say() -> None:
    rows = pd.DataFrame(
        {"trial": ["A", "A", "B"], "n1": [20, 30, 40], "n2": [25, 25, 40]}
        | {"yi": [-0.5, -0.3, -1.0], "vi": [0.09, 0.08, 0.06]}
    )
    made = Comparison(**{**MAIN, "measure": "SMD", "several_arms": "covariance"})
    # 1 / 25 + (-0.5)(-0.3) / (2 (20 + 30 + 25))
    expected = np.diag([0.09, 0.08, 0.06])
    expected[0, 1] = expected[1, 0] = 0.04 + 0.15 / 150
    assert cover_shared(rows, made) == pytest.approx(expected)


def test_exact_limits_are_clopper_and_pearsons() -> None:
    """Where the tails of the binomial distribution are 2.5 % each."""
    for events, n in ((0, 10), (3, 40), (17, 20), (9, 9)):
        low, high = exact_limits(events, n)
        assert low == 0 if events == 0 else binom.sf(events - 1, n, low) == pytest.approx(0.025)
        assert high == 1 if events == n else binom.cdf(events, n, high) == pytest.approx(0.025)
    assert exact_limits(0, 10)[1] == pytest.approx(1 - 0.025 ** (1 / 10))


@pytest.mark.parametrize("measure", ["PLO", "PFT"])
def test_proportions_show_their_exact_limits(tmp_path: Path, measure: str) -> None:
    rows = "".join(arm("treatment", f"40 - - {x}", ",,,,", f"{x} 2001") for x in (3, 9, 12))
    comparison = {**MAIN, "measure": measure, "estimand": "single_arm"}
    folder = write_review(
        tmp_path / "r",
        {"arms.csv": HEADER + rows},
        mapped={"arms": {"path": "arms.csv"}},
        comparisons=[comparison],
    )
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    found = analyse_review(read.arms, read.contrasts, read.published, review)
    assert "1.6 % to 20.4 %" in say(found["effects"]["note"].iloc[0])
    told = say(found["pooled"]["note"].iloc[0]) if measure == "PFT" else ""
    assert ("double arcsine" in told) == (measure == "PFT")
