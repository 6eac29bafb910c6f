"""A clinic's change beside published arms: who may stand there, and the numbers between them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from headway import config, tables
from headway.config.clinic import Benchmark
from headway.figures.clinic.benchmark import draw_benchmark
from headway.ingest.trials import read_review
from headway.messages import say
from headway.outcomes.change.windows import Comparison
from headway.outcomes.expectation import benchmark
from tests.conftest import ROOT

TRIALS = ROOT / "data" / "raw" / "trials"
RULE = config.name_clinic("c")
PRE = np.array([20.0, 16, 12, 18, 9, 22, 14, 17])
POST = np.array([15.0, 15, 9, 19, 4, 20, 10, 14])


def make_own(**changes: Any) -> benchmark.ClinicChange:
    values: dict[str, Any] = {
        "outcome": "frequency",
        "pre": PRE,
        "post": POST,
        "of": 10,
        "time_days": 69.5,
        "timepoint": "weeks 9 to 12",
        "condition": "migraine",
        "technique": "manual",
    }
    return benchmark.ClinicChange(**values | changes)


def make_arm(**changes: Any) -> dict[str, Any]:
    row = {
        "trial": "A 2001",
        "condition": "tension-type headache",
        "arm": "waiting",
        "role": "control",
        "comparator": "waiting_list",
        "outcome": "frequency",
        "unit": "days_per_28",
        "unit_printed": "days_per_28",
        "timepoint": "3 months",
        "time_days": 84.0,
        "kind": "change",
        "n": 40.0,
        "mean": -1.0,
        "sd": 4.0,
        "baseline_mean": 16.0,
        "sd_from": "printed",
        "status": "retrieved",
        "source": "table 1",
        "file": "arms.csv",
        "line": 2,
    }
    return row | changes


def make_arms(*rows: dict[str, Any]) -> pd.DataFrame:
    return tables.conform("arms", pd.DataFrame([make_arm(**r) for r in rows]))


def build(arms: pd.DataFrame, rule: Any = None, **own: Any) -> pd.DataFrame:
    return benchmark.build_benchmark(make_own(**own), arms, rule or RULE)


def pick(found: pd.DataFrame, block: str) -> pd.Series:
    rows = found[found["block"] == block]
    assert len(rows) == 1
    return rows.iloc[0]


def test_change_and_difference_are_those_of_a_welch_test() -> None:
    theirs = np.random.default_rng(3).normal(-1, 4, 40)
    row = {"mean": theirs.mean(), "sd": theirs.std(ddof=1)}
    found = build(make_arms(row))
    ours, arm = pick(found, "clinic"), pick(found, "arm")
    change = POST - PRE
    known = stats.ttest_1samp(change, 0).confidence_interval(0.95)
    assert (ours["ci_low"], ours["ci_high"]) == pytest.approx((known.low, known.high))
    known = stats.ttest_1samp(theirs, 0).confidence_interval(0.95)
    assert (arm["ci_low"], arm["ci_high"]) == pytest.approx((known.low, known.high))
    both = stats.ttest_ind(change, theirs, equal_var=False).confidence_interval(0.95)
    assert arm["difference"] == pytest.approx(change.mean() - theirs.mean())
    assert (arm["difference_low"], arm["difference_high"]) == pytest.approx((both.low, both.high))
    assert ours["n"] == 8 and ours["of"] == 10
    # R metafor 3.8.1, escalc("ROMC", m1i = mean of POST, m2i = mean of PRE, ..., ni = 8), and the
    # correction of the log ratio that it leaves out (Lajeunesse 2015).
    bias = (POST.var(ddof=1) / POST.mean() ** 2 - PRE.var(ddof=1) / PRE.mean() ** 2) / (2 * 8)
    half = stats.norm.ppf(0.975) * math.sqrt(0.00414837)
    yi = -0.18859117 + bias
    romc = (yi, yi - half, yi + half)
    assert tuple(ours[["romc", "romc_low", "romc_high"]]) == pytest.approx(romc, abs=1e-6)


@pytest.mark.parametrize(
    ("arm", "own", "reason"),
    [
        ({"unit": "score_0_28"}, {}, "unit: points on a 0-28 scale, not headache days per 28 days"),
        ({"unit": "attacks_per_28"}, {}, "unit: attacks per 28 days"),
        ({"unit": "unknown"}, {}, "unit: not stated in the source"),
        ({"condition": "fibromyalgia"}, {}, "condition: fibromyalgia, not migraine"),
        ({"condition": None}, {}, "condition: not stated"),
        ({}, {"condition": "sciatica"}, "condition: tension-type headache, not sciatica"),
        ({"time_days": 365.0, "timepoint": "12 months"}, {}, "time: 12 months, more than 42 days"),
        ({"time_days": math.nan}, {}, "time: not stated in days"),
        (
            {},
            {"time_days": math.nan},
            "time: the clinic's window after treatment has no fixed time",
        ),
        ({"status": "recalled"}, {}, "recalled"),
        ({"mean": math.nan, "printed_mean": 1.0}, {}, "what a positive change means"),
        ({"kind": "final", "mean": 14.0, "baseline_n": 50.0}, {}, "comes from 50 people, the"),
        ({"kind": "final", "mean": 14.0, "baseline_mean": math.nan}, {}, "no mean before"),
        ({"kind": "baseline"}, {}, "no value after"),
        ({}, {"doi": "10.1/x"}, ""),
        ({"doi": "10.1/X"}, {"doi": "10.1/x"}, "the clinic's own trial"),
    ],
)
def test_what_does_not_match_is_refused_and_says_why(
    arm: dict[str, Any], own: dict[str, Any], reason: str
) -> None:
    found = build(make_arms(arm), **own)
    rows = found[found["block"] != "clinic"]
    assert len(rows) == 1
    assert rows.iloc[0]["block"] == ("not_used" if reason else "arm")
    if reason:
        assert reason in say(rows.iloc[0]["why_not"])
        assert math.isnan(rows.iloc[0]["difference"])
        draw_benchmark(found)  # an empty half is drawn too


def test_an_outcome_without_a_common_scale_has_no_benchmark() -> None:
    found = build(make_arms({"outcome": "headache_score"}), outcome="headache_score")
    assert "shares no scale" in say(pick(found, "clinic")["why_not"])
    assert "No published arm can be shown alongside" in say(benchmark.explain_benchmark(found)[0])
    assert not (found["block"] == "arm").any()


def test_own_trial_is_left_out_by_name() -> None:
    rule = replace(RULE, benchmark=Benchmark(own_trial=("a 2001",)))
    assert pick(build(make_arms({}), rule), "not_used")["why_not"] == "unlike.own_trial"


def test_other_conditions_than_headache_meet_their_like() -> None:
    arm = {"condition": "Sciatica", "outcome": "intensity", "unit": "vas_0_100", "mean": -20.0,
           "baseline_mean": 60.0, "sd": 25.0, "unit_printed": "vas_0_100"}  # fmt: skip
    found = build(make_arms(arm), outcome="intensity", condition="sciatica", pre=PRE / 3)
    row = pick(found, "arm")
    # 100 mm are 10 points.
    assert (row["change"], row["baseline"]) == pytest.approx((-2.0, 6.0))
    assert row["se"] == pytest.approx(2.5 / math.sqrt(40))
    # 5 of 28 days are 1.8 of 10 points; the clinic's mean before is 16 / 3.
    assert row["like_baseline"] == "yes"
    arm["baseline_mean"] = 75.0
    far = build(make_arms(arm), outcome="intensity", condition="sciatica", pre=PRE / 3)
    assert pick(far, "arm")["like_baseline"] == "no"


def test_the_nearest_time_of_an_arm_is_taken_and_a_change_before_a_final() -> None:
    found = build(
        make_arms(
            {"timepoint": "wk 5", "time_days": 35.0, "mean": -9.0},
            {"timepoint": "wk 12", "time_days": 84.0, "kind": "final", "mean": 13.0, "sd": 6.0},
            {"timepoint": "wk 12", "time_days": 84.0, "mean": -2.5},
        )
    )
    row = pick(found, "arm")
    assert (row["timepoint"], row["change"]) == ("wk 12", -2.5)
    # The nearest whose people are not the same gives way to the next that can be used.
    unlike = {"timepoint": "wk 10", "time_days": 70.0, "kind": "final", "mean": 12.0}
    found = build(make_arms(unlike | {"baseline_n": 60.0}, {"mean": -2.5}))
    assert pick(found, "arm")["change"] == -2.5


def test_a_missing_sd_is_recovered_by_r_from_data_or_not_drawn_with_an_interval() -> None:
    bare = {"arm": "bare", "kind": "final", "mean": 14.0, "sd": 6.0, "baseline_sd": 7.0,
            "baseline_n": 40.0}  # fmt: skip
    row = pick(build(make_arms(bare)), "arm")
    assert row["change"] == -2.0 and math.isnan(row["ci_low"])
    assert "the standard deviation of the change" in say(row["why_not"])
    # SDs 7, 6 and 4.6 imply r = (49 + 36 - 21.16) / 84 = 0.76.
    full = {"arm": "full", "sd": 4.6, "baseline_sd": 7.0}
    after = {"arm": "full", "kind": "final", "mean": 15.0, "sd": 6.0}
    found = build(make_arms(bare, full, after)).set_index("arm")
    assert found.loc["bare", "se"] == pytest.approx(4.6 / math.sqrt(40))
    assert "r = 0.76" in say(found.loc["bare", "sd_from"])
    assert found.loc["full", "sd_from"] == "printed"


def test_baselines_beyond_the_declared_distance_come_last_and_are_not_pooled() -> None:
    rows = [{"trial": f"T{i}", "arm": "w", "mean": -1.0 - i / 2} for i in range(6)]
    rows[0]["baseline_mean"] = 21.1  # the clinic's is 16, and 5 days are allowed
    rows[1]["baseline_mean"] = 21.0
    rows[2]["baseline_mean"] = math.nan
    found = build(make_arms(*rows))
    arms = found[found["block"] == "arm"]
    assert list(arms["trial"]) == ["T1", "T3", "T4", "T5", "T2", "T0"]
    assert list(arms["like_baseline"]) == ["yes"] * 4 + ["not_printed", "no"]
    assert not (found["block"] == "pooled").any()  # four like baselines are no five


def test_five_trials_are_pooled_as_metafor_pools_them() -> None:
    mean, sd, n = [-1.0, -2.5, -0.5, -3.0, -1.8], [4.0, 5, 3, 6, 4.5], [40.0, 60, 30, 80, 50]
    rows = [
        {"trial": f"T{i}", "arm": "w", "mean": m, "sd": s, "n": k}
        for i, (m, s, k) in enumerate(zip(mean, sd, n, strict=True))
    ]
    found = build(make_arms(*rows))
    pooled = pick(found, "pooled")
    # R metafor 3.8.1: rma(c(-1, -2.5, -.5, -3, -1.8), c(.4, 25/60, .3, .45, .405), test="adhoc")
    known = {
        "change": -1.72193140,
        "se": 0.46658577,
        "ci_low": -3.01738119,
        "ci_high": -0.42648161,
        "pi_low": -4.37676662,
        "pi_high": 0.93290383,
    }
    for name, value in known.items():
        assert pooled[name] == pytest.approx(value, abs=1e-6), name
    assert pooled["k"] == 5 and pooled["n"] == 260
    # A trial's second arm of the kind is no sixth trial, and does not make four into five.
    fewer = [*rows[:4], rows[3] | {"arm": "w2"}]
    assert not (build(make_arms(*fewer))["block"] == "pooled").any()
    drawing = draw_benchmark(found, expected=(-3.0, -0.5), stamp="SYNTHETIC")
    assert "Pooled: waiting list or no treatment" in drawing.alt
    assert "−3.0 to −0.5" in drawing.alt
    assert "prediction interval −4.38 to 0.93" in drawing.alt
    assert "pooled" in drawing.caption


def test_one_arm_in_two_reviews_stands_once_and_the_one_read_counts(tmp_path: Path) -> None:
    for folder, status, mean in (("a", "recalled", -9.0), ("b", "retrieved", -1.0)):
        frame = make_arms({"status": status, "mean": mean})
        tables.write_csv(frame, tmp_path / folder / "arms.csv")
    tables.write_csv(tables.empty("arms"), tmp_path / "c" / "arms.csv")
    arms = benchmark.gather_arms(tmp_path.glob("*/arms.csv"))
    assert len(arms) == 1
    assert pick(build(arms), "arm")["change"] == -1.0
    assert len(benchmark.gather_arms([tmp_path / "c" / "arms.csv"])) == 0


def test_time_comes_from_the_declared_window() -> None:
    clinic = config.load_clinic(ROOT / "data" / "raw" / "clinics" / "demo")
    change = pd.DataFrame(
        {"patient_id": ["a"], "comparison": ["primary"], "outcome": ["frequency"], "pre": [9.0],
         "post": [8.0], "change": [-1.0]}
    )  # fmt: skip

    def time_of(post: str, source: str = "diary") -> float:
        comparison = Comparison("primary", "", "baseline", post, source, True, True)
        own = benchmark.describe_clinic(
            change, comparison, clinic, outcome="frequency", of=3, techniques=["dry_needling"]
        )
        assert say(own.technique) == "dry needling"
        return own.time_days

    assert time_of("post") == 69.5
    assert time_of("post", "visit") == 70
    for floating in ("post_course", "all_after"):
        assert math.isnan(time_of(floating))
    assert math.isnan(time_of("last_visit", "visit"))


def test_the_shipped_arms_give_a_benchmark_at_three_months(tmp_path: Path) -> None:
    """Vickers' usual care: -1.84 (SD 5.03), n 153, at three months (computed in CLINIC.md)."""
    folder = TRIALS / "acupuncture_headache"
    arms = read_review(folder, config.load_review(folder)).arms
    found = build(arms).set_index(["block", "trial", "arm"])
    row = found.loc[("arm", "Vickers 2004", "usual care")]
    assert round(row["change"], 2) == -1.84
    assert row["se"] == pytest.approx(5.03 / math.sqrt(153), abs=0.001)
    assert row["like_baseline"] == "yes"
    # 8.1 and 7.5 days a month, SD 6.8 and 6.3, of 1569 people; a month has 30.4375 days.
    jena = found.loc[("arm", "Jena 2008", "routine care")]
    assert jena["change"] == pytest.approx(-0.6 * 28 / 30.4375)
    assert jena["like_baseline"] == "no"
    # None of the recalled arms (Melchart, Linde, Diener) is drawn.
    assert {t for b, t, _ in found.index if b == "arm"} == {"Vickers 2004", "Jena 2008"}
    # With the trial left out, neither it nor an SD recovered from it is left.
    rest = build(arms, doi="10.1136/bmj.38029.421863.EB")
    drawn = rest[rest["block"] == "arm"]
    assert set(drawn["trial"]) == {"Jena 2008"}
    assert drawn["ci_low"].isna().all()


def test_what_is_said_beside_it_counts_what_is_drawn_and_what_is_listed() -> None:
    rows = [
        *(("clinic", "", "yes"), ("pooled", "sham", "yes")),
        *(("arm", "sham", "yes"), ("arm", "sham", "no"), ("arm", "waiting_list", "yes")),
        *[("not_used", "usual_care", "no")] * 4,
    ]
    frame = pd.DataFrame(rows, columns=["block", "kind", "like_baseline"]).assign(why_not=None)
    said = {one.id: one.values for one in benchmark.explain_benchmark(frame)}
    assert said["beside.stand"] == {"n": 3, "like": 2}
    assert said["beside.listed"] == {"n": 4}
    assert len(said["beside.none_with"]["kinds"]) == 1  # usual care
    assert [one.id for one in benchmark.explain_benchmark(frame[frame["block"] == "clinic"])] == [
        "beside.none_found"
    ]


def test_a_ratio_of_means_needs_means_above_0() -> None:
    # With the correction of small samples (Lajeunesse 2015).
    corrected = math.log(0.8) + (9 / 64 - 16 / 100) / 30 / 2
    assert benchmark._romc(30, 8, 3, 10, 4, 0.5)[0] == pytest.approx(corrected)
    for one, other in ((0.0, 10.0), (8.0, 0.0), (-1.0, 10.0), (8.0, -1.0)):
        assert np.isnan(benchmark._romc(30, one, 3, other, 4, 0.5)).all()
    no_sd = benchmark._romc(30, 8, math.nan, 10, 4, 0.5)
    assert no_sd[0] == pytest.approx(math.log(0.8)) and np.isnan(no_sd[1:]).all()
