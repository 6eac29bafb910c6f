"""Recovered numbers against simulated people, closed forms and the units' own arithmetic."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from headway.effects import recover
from headway.effects.recover_quantiles import Weights
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


# ---- worked examples and simulations -------------------------------------------------------------


def test_the_handbook_s_worked_example_of_a_p_value() -> None:
    # Handbook 6.5.2.3: MD 3.8, p 0.008, 25 and 22 people: t 2.78, SE 1.37, SD 4.69.
    se = recover.se_from_p(3.8, 0.008, 47)
    assert round(3.8 / float(se), 2) == 2.78
    assert round(float(se), 2) == 1.37
    assert abs(float(recover.sd_from_p(3.8, 0.008, 25, 22)) - 4.69) < 0.01


def test_the_handbook_s_worked_example_of_a_change() -> None:
    # Handbook 6.5.2.8: SDs of 4.0 before, 4.4 after and 3.2 of the change give r = 0.71.
    r = float(recover.find_r(4.0, 4.4, 3.2))
    assert round(r, 2) == 0.71
    assert np.isclose(recover.sd_change(4.0, 4.4, r), 3.2, rtol=1e-12)


def test_the_handbook_s_interval_of_a_mean() -> None:
    # Handbook 6.5.2.2: an interval of 30.0 to 34.2 with 25 people: SD = sqrt(25) x 4.2 / 4.128.
    assert abs(float(recover.sd_from_ci(30.0, 34.2, 25)) - 5 * 4.2 / 4.128) < 0.001


@pytest.mark.parametrize("n", [5, 15, 50, 400])
def test_quantiles_give_back_the_mean_and_sd_of_normal_people(n: int) -> None:
    # 20 000 samples: the estimators are unbiased to the error of the simulation and their own
    # approximations (Wan 2014 reports relative errors below 2 % from n = 5 on).
    rng = np.random.default_rng(n)
    people = rng.normal(50.0, 10.0, (20_000, n))
    a, q1, m, q3, b = np.percentile(people, [0, 25, 50, 75, 100], axis=1)
    means = {
        "range": recover.mean_from_range(a, m, b, n),
        "quartiles": recover.mean_from_quartiles(q1, m, q3, n),
        "five": recover.mean_from_five(a, q1, m, q3, b, n),
    }
    for name, found in means.items():
        assert abs(found.mean() - 50.0) < 0.2, name
        # Closer to the sample's own mean than its median is.
        own = people.mean(axis=1)
        assert ((found - own) ** 2).mean() <= ((m - own) ** 2).mean() * 1.01, name
    assert abs(recover.sd_from_range(a, b, n).mean() / 10 - 1) < 0.03
    assert abs(recover.sd_from_five(a, q1, m, q3, b, n).mean() / 10 - 1) < 0.25


def test_quartiles_of_large_samples_give_the_sd() -> None:
    z = stats.norm.ppf([0.25, 0.75])
    assert np.isclose(recover.sd_from_iqr(z[0], z[1], 1e9), 1.0, rtol=1e-6)
    assert abs(float(recover.sd_from_iqr(z[0], z[1])) - 1.0) < 0.001  # 1.35 for 1.349


@pytest.mark.parametrize("printed", ["range", "quartiles", "both"])
@pytest.mark.parametrize("n", [25, 101, 401])
def test_normal_people_are_called_skewed_in_one_of_twenty(printed: str, n: int) -> None:
    rng = np.random.default_rng(n)
    gap = np.full(20_000, np.nan)

    def reject(people: np.ndarray) -> float:
        a, q1, m, q3, b = np.percentile(people, [0, 25, 50, 75, 100], axis=1)
        if printed == "range":
            q1 = q3 = gap
        if printed == "quartiles":
            a = b = gap
        statistic, critical = recover.skewness(a, q1, m, q3, b, np.full(20_000, float(n)))
        return float((statistic > critical).mean())

    # Shi 2023 fits the limits by simulation: the level is near 5 %, not exactly it.
    assert 0.03 < reject(rng.normal(size=(20_000, n))) < 0.07
    if n >= 101:
        assert reject(rng.lognormal(0, 1, (20_000, n))) > 0.6


def test_skewness_is_that_of_the_paper_by_hand() -> None:
    # Shi 2023, three scenarios, n = 100: critical values 1.01 / ln(109) + 2.43 / 101,
    # 2.66 / 10 - 5.92 / 10 000 and 3 / 10 - 40 / 1 000 000; the range counts 2.65 ln(60) / 10 times
    # beside the quartiles.
    nan = float("nan")
    limits, weight = (0.2393493450700043, 0.265408, 0.29996), 1.0850013089888566
    for printed, expected in (
        ((2, nan, 14, nan, 46), (20 / 44, limits[0])),
        ((nan, 10, 14, 20, nan), (2 / 10, limits[1])),
        ((2, 10, 14, 20, 46), (weight * 20 / 44, limits[2])),
        ((4, 10, 14, 20, 25), (2 / 10, limits[2])),  # the larger one is the quartiles'
    ):
        np.testing.assert_allclose(recover.skewness(*printed, 100), expected, rtol=1e-12)


def test_nothing_printed_is_not_skewed() -> None:
    statistic, critical = recover.skewness(*[np.nan] * 5, 20)
    assert np.isnan(statistic)
    assert np.isnan(critical)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.047", (0.047, "=")),
        ("<0.001", (0.001, "<")),
        ("< .001", (0.001, "<")),
        ("p = 0.03", (0.03, "=")),
        ("P<0,05", (0.05, "<")),
        ("\u2264 0.01", (0.01, "<")),
        ("> 0.2", (0.2, ">")),
        ("n.s.", (0.05, ">")),
        ("1", (1.0, "=")),
    ],
)
def test_printed_p_values_are_read(text: str, expected: tuple[float, str]) -> None:
    assert recover.p_bounds(text) == expected


@pytest.mark.parametrize("text", ["", "abc", "1.5", "-0.2", "0.03*", "5"])
def test_what_is_no_p_value_is_not_read_as_one(text: str) -> None:
    assert np.isnan(recover.p_bounds(text)[0])


# ---- round trips ---------------------------------------------------------------------------------

SIZE = st.integers(3, 500)
SPREAD = st.floats(0.01, 1e4)
SHIFT = st.floats(0.05, 1e3) | st.floats(-1e3, -0.05)


@given(SPREAD, SIZE, SIZE, SHIFT)
def test_the_sd_of_two_arms_comes_back_from_every_statistic(
    sd: float, n1: int, n2: int, difference: float
) -> None:
    se = sd * np.sqrt(1 / n1 + 1 / n2)
    t = difference / se
    for found in (
        recover.sd_from_se_of_difference(se, n1, n2),
        recover.sd_from_t(difference, t, n1, n2),
        recover.sd_from_f(difference, t**2, n1, n2),
    ):
        assert np.isclose(found, sd, rtol=1e-10)
    p = 2 * stats.t(n1 + n2 - 2).sf(abs(t))
    if 1e-12 < p < 0.99:  # the tails and the centre of t lose digits
        assert np.isclose(recover.sd_from_p(difference, p, n1, n2), sd, rtol=1e-5)


@given(SPREAD, SIZE, SHIFT)
def test_the_sd_of_a_change_comes_back(sd: float, n: int, change: float) -> None:
    t = change / (sd / np.sqrt(n))
    assert np.isclose(recover.sd_change_from_t(change, t, n), sd, rtol=1e-10)
    assert np.isclose(recover.sd_change_from_f(change, t**2, n), sd, rtol=1e-10)
    p = 2 * stats.t(n - 1).sf(abs(t))
    if 1e-12 < p < 0.99:
        assert np.isclose(recover.sd_change_from_p(change, p, n), sd, rtol=1e-5)


@given(SPREAD, SPREAD, st.floats(-0.999, 0.999))
def test_r_comes_back_from_the_sd_that_it_made(pre: float, post: float, r: float) -> None:
    made = recover.sd_change(pre, post, r)
    # Where one SD dwarfs the other the change hardly knows r.
    size = max(pre, post) / min(pre, post)
    assert abs(float(recover.find_r(pre, post, made)) - r) < 1e-11 * size


@given(st.floats(-100, 100), st.floats(0.1, 50), SIZE)
def test_quantiles_scale_and_shift_with_their_unit(shift: float, scale: float, n: int) -> None:
    five = np.array([1.0, 3.0, 4.0, 6.0, 11.0])
    moved = shift + scale * five
    mean = float(recover.mean_from_five(*five, n))
    sd = float(recover.sd_from_five(*five, n))
    assert np.isclose(recover.mean_from_five(*moved, n), shift + scale * mean, rtol=1e-9, atol=1e-9)
    assert np.isclose(recover.sd_from_five(*moved, n), scale * sd, rtol=1e-9)
    ends = (moved[0], moved[2], moved[4])
    inner = (moved[1], moved[2], moved[3])
    assert min(ends) <= recover.mean_from_range(*ends, n) <= max(ends)
    assert min(inner) <= recover.mean_from_quartiles(*inner, n) <= max(inner)


@given(st.integers(2, 300), st.floats(-50, 50), st.floats(0.1, 20), st.integers(1, 5))
def test_a_split_control_arm_counts_nobody_twice(
    n: int, mean: float, sd: float, parts: int
) -> None:
    share, same_mean, same_sd = recover.split_control(n, mean, sd, parts)
    assert np.isclose(float(share) * parts, n)
    assert float(same_mean) == mean
    assert float(same_sd) == sd


def test_a_control_arm_is_shared_by_someone() -> None:
    with pytest.raises(ValueError, match="at least one"):
        recover.split_control(10, 1.0, 1.0, 0)


@pytest.mark.parametrize(
    "found",
    [
        recover.se_from_t(3.0, 0.0),
        recover.se_from_f(3.0, -1.0),
        recover.se_from_p(3.0, 1.0, 40),
        recover.se_from_p(3.0, 0.0, 40),
        recover.sd_from_range(1.0, 5.0, 1),
        recover.sd_from_five(1, 2, np.nan, 4, 5, 20),
        recover.sd_change(2.0, 3.0, 1.2),
        recover.sd_from_se_of_difference(1.0, 0, 10),
    ],
)
def test_what_cannot_be_found_is_missing(found: np.ndarray) -> None:
    assert np.isnan(found)


def test_a_design_effect_is_the_variance_of_a_mean_of_alike_people() -> None:
    # Variance of the mean of 5 people who are correlated by 0.3, over that of 5 strangers.
    together = np.full((5, 5), 0.3) + 0.7 * np.eye(5)
    assert recover.design_effect(5, 0.3) == pytest.approx(together.mean() / (1 / 5))
    assert recover.design_effect([1, 21], [0.9, 0.05]) == pytest.approx([1.0, 2.0])
    for size, icc in ((0.5, 0.1), (5, -0.1), (5, 1.1)):
        with pytest.raises(ValueError, match="clusters hold"):
            recover.design_effect(size, icc)


@pytest.mark.parametrize("weights", ["luo", "wan"])
def test_nobody_has_no_mean(weights: Weights) -> None:
    with warnings.catch_warnings(action="error"):
        means = [
            recover.mean_from_range(-1, 0, 4, [0, -3, 20], weights=weights),
            recover.mean_from_quartiles(-1, 0, 4, [0, -3, 20], weights=weights),
            recover.mean_from_five(-2, -1, 0, 4, 9, [0, -3, 20], weights=weights),
        ]
    assert [np.isfinite(mean).tolist() for mean in means] == [[False, False, True]] * 3
    assert not any(np.isinf(mean).any() for mean in means)
