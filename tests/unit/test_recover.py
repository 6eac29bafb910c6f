"""Recovered numbers against simulated people, closed forms and the units' own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from headway.effects import recover
from headway.effects.units import UNITS, convert


@pytest.mark.parametrize("n", [2, 5, 12, 59, 60, 400])
def test_an_sd_comes_back_from_the_interval_that_it_made(n: int) -> None:
    sample = np.random.default_rng(n).normal(3, 2, n)
    sd = sample.std(ddof=1)
    law = stats.t(n - 1) if n < 60 else stats.norm()
    half = law.ppf(0.975) * sd / np.sqrt(n)
    found = recover.sd_from_ci(sample.mean() - half, sample.mean() + half, n)
    assert np.isclose(found, sd, rtol=1e-12)
    assert np.isclose(recover.sd_from_se(sd / np.sqrt(n), n), sd, rtol=1e-14)


def test_one_person_has_no_spread() -> None:
    assert np.isnan(recover.sd_from_ci(1.0, 2.0, 1))
    assert np.isnan(recover.sd_from_ci(1.0, 2.0, np.nan))


@pytest.mark.parametrize(
    ("n", "law"), [(39, stats.t(37)), (60, stats.norm()), (np.nan, stats.norm())]
)
def test_the_error_of_a_difference_comes_from_its_interval(n: float, law: object) -> None:
    # Handbook 6.5.2.3: t with n1 + n2 - 2 df in small samples, else normal.
    expected = 8 / 2 / law.ppf(0.975)  # type: ignore[attr-defined]
    assert np.isclose(recover.se_of_difference(-1.0, 7.0, n), expected, rtol=1e-12)


def test_combined_arms_are_the_arms_of_all_their_people() -> None:
    rng = np.random.default_rng(3)
    groups = [rng.normal(m, s, n) for m, s, n in ((5, 2, 11), (7, 3, 30), (1, 1, 4))]
    n, mean, sd = recover.combine_arms(
        [len(g) for g in groups], [g.mean() for g in groups], [g.std(ddof=1) for g in groups]
    )
    people = np.concatenate(groups)
    assert n == 45
    assert np.isclose(mean, people.mean(), rtol=1e-13)
    assert np.isclose(sd, people.std(ddof=1), rtol=1e-13)


def test_r_comes_back_from_three_standard_deviations() -> None:
    rng = np.random.default_rng(4)
    pre = rng.normal(size=50)
    post = 0.6 * pre + rng.normal(size=50)
    r = recover.find_r(pre.std(ddof=1), post.std(ddof=1), (post - pre).std(ddof=1))
    assert np.isclose(r, np.corrcoef(pre, post)[0, 1], rtol=1e-12)


def test_three_standard_deviations_that_do_not_fit_give_no_r() -> None:
    assert np.isnan(recover.find_r(1.0, 1.0, 3.0))
    assert np.isnan(recover.find_r(1.0, np.nan, 1.0))


@given(
    st.sampled_from(sorted(UNITS)),
    st.sampled_from(sorted(UNITS)),
    st.floats(-1e3, 1e3, allow_nan=False),
)
def test_a_conversion_and_its_way_back_are_one(a: str, b: str, value: float) -> None:
    there, back = convert(a, b), convert(b, a)
    assert (there is None) == (back is None)
    if there is not None and back is not None:
        assert np.isclose(value * there * back, value, rtol=1e-12)


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (22, "days_per_year", "days_per_28", 22 * 28 / 365.25),
        (30.4375, "days_per_month", "days_per_28", 28),
        (7, "days_per_week", "days_per_28", 28),
        (50, "vas_0_100", "nrs_0_10", 5),
        (5, "nrs_0_10", "vas_0_100", 50),
        (90, "minutes", "hours", 1.5),
        (120, "minutes_per_week", "hours_per_week", 2),
        (2, "hours_per_day", "hours_per_week", 14),
        (2, "attacks_per_week", "attacks_per_28", 8),
    ],
)
def test_units_by_hand(value: float, unit: str, to: str, expected: float) -> None:
    factor = convert(unit, to)
    assert factor is not None
    assert np.isclose(value * factor, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("attacks_per_28", "days_per_28"),
        ("score_0_28", "days_per_28"),
        ("moderate_days_per_28", "days_per_28"),
        ("unknown", "days_per_28"),
        ("unknown", "unknown"),
        ("hours", "hours_per_week"),
        ("score_0_20", "nrs_0_10"),
        ("hit6_36_78", "score"),
    ],
)
def test_what_is_not_the_same_kind_is_not_converted(a: str, b: str) -> None:
    assert convert(a, b) is None
