"""Intervals against scipy and statsmodels; responders by hand."""

from __future__ import annotations

import math
import re
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from headway.messages import LANGUAGES, Message, speaking
from headway.outcomes.change import change, cohort
from headway.outcomes.change.change import (
    bca_interval,
    repeat_of_started,
    skewed_interval,
    summarise_change,
    summarise_responders,
    t_interval,
    wilson,
)
from headway.outcomes.change.windows import Comparison
from headway.report.clinic.tables import name_level
from tests.unit.clinic_builder import DIARY, analyse, diary_text, write_clinic


@given(st.integers(1, 500), st.data())
def test_wilson_is_that_of_statsmodels(n: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, n))
    low, high = wilson(count, n)
    expected = proportion_confint(count, n, method="wilson")
    assert np.allclose([low, high], expected, rtol=1e-9, atol=1e-12)


def test_the_t_interval_is_that_of_scipy() -> None:
    x = np.random.default_rng(1).normal(-2, 5, 31)
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    assert np.allclose(t_interval(x), expected, rtol=1e-12)
    assert np.isnan(t_interval(x[:1])).all()


@pytest.mark.parametrize("n", [5, 40, 75])
def test_the_bootstrap_interval_is_that_of_scipy_with_the_same_draws(n: int) -> None:
    x = np.random.default_rng(n).gamma(2, 3, n)
    expected = stats.bootstrap(
        (np.sort(x),), np.mean, n_resamples=999, method="BCa", rng=np.random.default_rng(7)
    ).confidence_interval
    found = bca_interval(x, replicates=999, seed=7)
    assert np.allclose(found, [expected.low, expected.high], rtol=1e-9)
    assert found == bca_interval(x[::-1], replicates=999, seed=7)


def test_the_bootstrap_of_a_large_clinic_needs_little_memory() -> None:
    """A quadratic jackknife of 100 000 people would need 80 GB."""
    x = np.random.default_rng(3).normal(-2, 5, 100_000)
    low, high = bca_interval(x, replicates=200, seed=1)
    half = 1.96 * x.std() / np.sqrt(x.size)
    assert abs((low + high) / 2 - x.mean()) < half
    assert 0.7 < (high - low) / (2 * half) < 1.3


def test_no_spread_and_one_person_have_no_bootstrap_interval() -> None:
    assert np.isnan(bca_interval(np.ones(9), replicates=200, seed=1)).all()
    assert np.isnan(bca_interval(np.array([1.0]), replicates=200, seed=1)).all()


@pytest.mark.parametrize(("n", "given"), [(24, False), (27, False), (28, True), (60, True)])
def test_few_people_have_no_bootstrap_interval_of_change(n: int, given: bool) -> None:
    draw = np.random.default_rng(n)
    pre = 20 + draw.normal(0, 3, n)
    found = {s.id: s for s in summarise_change(pre, pre - draw.exponential(4, n), unit="days")}
    bca, t = found["change_mean_bca"], found["change_mean"]
    assert np.isfinite([bca.ci_low, bca.ci_high]).all() == given and bool(bca.interval) == given
    assert (bca.note == Message("remark.few_for_bootstrap", least=28)) != given
    # t stands in every case, and before it.
    assert np.isfinite(t.ci_low) and list(found).index("change_mean") < list(found).index(bca.id)


def test_the_interval_for_skewed_values() -> None:
    # By hand (Hall 1992): n = 4, values 0 0 0 4: mean 1, s 2, se 1, skewness G1 2, a = 2 / 6;
    # t(3) = 3.18245. The cubic's inverse at y: (cbrt(1 + 3 a (y - a / 2)) - 1) / a.
    far = 3 * (np.cbrt(1 + 3.182446 - 1 / 6) - 1)
    near = 3 * (np.cbrt(1 - 3.182446 - 1 / 6) - 1)
    low, high = skewed_interval([0, 0, 0, 4])
    assert low == pytest.approx(min(1 - far, 1 - 3.182446), abs=1e-5)
    assert high == pytest.approx(1 - near, abs=1e-5) and high > 1 + 3.182446
    mirrored = skewed_interval([0, 0, 0, -4])
    assert mirrored == pytest.approx((-high, -low))
    assert np.isnan(skewed_interval([3, 3, 3])).all() and np.isnan(skewed_interval([3])).all()


def test_responders_by_hand() -> None:
    pre = np.array([10.0, 10, 10, 10, 10, 20, 0])
    post = np.array([7.0, 7.1, 5, 2.5, 13, 26, 4])
    found = {s.id: s for s in summarise_responders(pre, post)}
    # The person with 0 before has no relative change.
    assert {s.n for s in found.values()} == {6}
    counts = {k: s.count for k, s in found.items()}
    assert counts == {
        "responders_30": 3,
        "responders_50": 2,
        "responders_75": 1,
        "worsened_30": 2,
    }
    assert found["worsened_30"].note == Message("remark.zero_before", n=1)


def test_shares_of_all_who_started_count_the_lost_as_not_known() -> None:
    pre = np.array([10.0, 10, 10, 10, 10, 20, 0])
    post = np.array([7.0, 7.1, 5, 2.5, 13, 26, 4])
    found = {s.id: s for s in repeat_of_started(summarise_responders(pre, post), 12)}
    shares = {k: (s.count, s.n, s.estimate) for k, s in found.items()}
    assert shares == {
        "responders_30_of_started": (3, 12, 25),
        "responders_50_of_started": (2, 12, pytest.approx(200 / 12)),
        "responders_75_of_started": (1, 12, pytest.approx(100 / 12)),
        "worsened_30_of_started": (2, 12, pytest.approx(200 / 12)),
    }
    half = found["responders_50_of_started"]
    low, high = proportion_confint(2, 12, method="wilson")
    assert (half.ci_low, half.ci_high) == pytest.approx((100 * low, 100 * high))
    # Where nobody was analysed nobody is known to have improved or not.
    assert repeat_of_started(summarise_responders(np.array([]), np.array([])), 12) == []


def test_both_denominators_stand_in_the_cohort_and_in_each_group(tmp_path: Path) -> None:
    """8 of 10 start with a complete diary before; 6 have one after, 4 of them halved; 2 come once.

    Of the technique `manual` 3 of 5 are analysed, of `acupuncture` 3 of 5.
    """
    rows, visits = [], ["code,day,how"]
    for p in range(10):
        visits.append(f"P{p},0,{'manual' if p < 5 else 'acupuncture'}")
        kept = p % 5
        if kept < 4:
            rows += [(f"P{p}", d, int(d % 2 == 0)) for d in range(-28, 0)]
        if kept < 3:
            every = 8 if kept < 2 else 2
            rows += [(f"P{p}", d, int(d % every == 0)) for d in range(56, 84)]
    columns = {"patient_id": "code", "day": "day"}
    folder = write_clinic(
        tmp_path / "c",
        {"diary.csv": diary_text(rows), "visits.csv": "\n".join(visits) + "\n"},
        {
            "diary": DIARY,
            "sessions": {"path": "visits.csv", "columns": {**columns, "technique": "how"}},
        },
    )
    result = analyse(folder)
    for group, counts in {"all": (4, 6, 10), "technique: manual": (2, 3, 5)}.items():
        own = result["cohort"]
        own = own[(own["group"] == group) & (own["outcome"] == "frequency")]
        own = own[own["comparison"] == result["cohort"]["comparison"][0]].set_index("statistic")
        of_analysed, of_started = own.loc["responders_50"], own.loc["responders_50_of_started"]
        assert (of_analysed["count"], of_analysed["n"]) == counts[:2]
        assert (of_started["count"], of_started["n"], of_started["of"]) == (
            counts[0],
            *counts[2:] * 2,
        )
        assert of_started["estimate"] == pytest.approx(100 * counts[0] / counts[2])


def test_fifteen_days_in_one_window_are_called_that_and_no_diagnosis(tmp_path: Path) -> None:
    rows = [
        (f"P{p}", d, int((d + 28) % 28 < (15 if p < 3 else 14)))
        for p in range(5)
        for d in [*range(-28, 0), *range(56, 84)]
    ]
    folder = write_clinic(tmp_path / "c", {"diary.csv": diary_text(rows)}, {"diary": DIARY})
    cohort = analyse(folder)["cohort"]
    own = cohort[cohort["group"].str.startswith("baseline: ")]
    n = own[own["statistic"] == "change_mean"].set_index("group")["n"].to_dict()
    assert n == {"baseline: at least 15 of 28 days": 3, "baseline: fewer than 15 of 28 days": 2}
    for language in LANGUAGES:
        with speaking(language):
            for label in {g.removeprefix("baseline: ") for g in n}:
                said = name_level(label)
                assert {"15", "28"} <= set(re.findall(r"\d+", said))
                assert not re.search("chron|crónic|episod|episód", said, re.I)


def test_change_is_after_minus_before_and_needs_two_people() -> None:
    found = {
        s.id: s
        for s in summarise_change(
            np.array([10.0, 12]), np.array([7.0, 11]), unit="d", replicates=200, seed=1
        )
    }
    assert found["change_mean"].estimate == -2
    one = {
        s.id: s
        for s in summarise_change(
            np.array([10.0]), np.array([7.0]), unit="d", replicates=200, seed=1
        )
    }
    assert one["change_mean"].estimate == -3
    assert np.isnan(one["change_mean"].ci_low)
    none = {
        s.id: s
        for s in summarise_change(np.array([]), np.array([]), unit="d", replicates=200, seed=1)
    }
    assert np.isnan(none["change_mean"].estimate)
    assert none["change_mean"].n == 0


def test_limits_from_moments_are_those_of_endless_resampling() -> None:
    """Skewed changes of 4000 people: within the Monte Carlo error of 40 000 resamples.

    That error of a 2.5 % quantile is sqrt(p (1 - p) / 40 000) / density = 0.013 standard errors of
    the mean, and as much again for the bias correction.
    """
    rng = np.random.default_rng(8)
    x = np.round(rng.gamma(0.4, 6, 4000)) - 4
    se = x.std(ddof=0) / np.sqrt(len(x))
    drawn = change.bca_interval(x, replicates=40_000, seed=2)
    found = change.bca_from_moments(rng.permutation(x))
    assert np.allclose(found, drawn, rtol=0, atol=4 * 0.02 * se)
    # To the left and the right of the mean by different lengths, as for a skewed mean.
    assert (found[1] - x.mean()) / (x.mean() - found[0]) > 1.02
    mirrored = change.bca_from_moments(-x)
    assert np.allclose(mirrored, (-found[1], -found[0]), rtol=1e-12)
    even = np.tile([-1.0, 1.0], 3000)
    assert np.allclose(
        change.bca_from_moments(even), np.array([-1, 1]) * 1.959963984540054 / np.sqrt(6000)
    )
    assert np.isnan(change.bca_from_moments(np.zeros(30))).all()


def test_limits_from_moments_by_hand() -> None:
    """Of a hundred changes ten are -10 and ninety 0: mean -1, SD 3, skewness -8 / 3."""
    normal = NormalDist()
    a = -8 / 3 / 10 / 6
    bias = normal.inv_cdf(0.5 + a / math.sqrt(2 * math.pi))
    for level in (0.95, 0.8):
        limits = []
        for share in ((1 - level) / 2, (1 + level) / 2):
            tail = bias + normal.inv_cdf(share)
            z = bias + tail / (1 - a * tail)
            limits.append(-1 + 3 / 10 * (z + a * (z * z - 1)))
        found = change.bca_from_moments(np.repeat([-10.0, 0.0], [10, 90]), level=level)
        assert np.allclose(found, limits, rtol=1e-12)


def test_many_people_have_limits_from_moments_and_it_is_said() -> None:
    rng = np.random.default_rng(9)
    pre = rng.integers(0, 29, change.MOMENTS_FROM).astype(float)
    post = np.clip(pre - rng.integers(-3, 8, len(pre)), 0, 28)
    for n, method in ((len(pre), "interval.bca_moments"), (len(pre) - 1, "interval.bca")):
        found = change.summarise_change(pre[:n], post[:n], unit="days_per_28", replicates=200)
        (bca,) = [s for s in found if s.id == "change_mean_bca"]
        assert bca.interval.startswith(method)


@pytest.mark.parametrize("least", [1.7, -1.7, 3.4])
def test_nobody_falls_beside_the_bins_by_a_binary_fraction(least: float) -> None:
    """17 x 0.1 is a hair above 1.7, which must stand in the bin that begins there."""
    comparison = Comparison("primary", "", "baseline", "post", "given", True, False)
    bins = cohort._histogram(least + np.array([0.0, 0.3, 0.7]), "headache_score", comparison)
    assert sum(b["n"] for b in bins) == 3
    assert bins[0]["n"] == 1 and bins[0]["bin_low"] == pytest.approx(least)
