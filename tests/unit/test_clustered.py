"""Shares and medians of sessions against R survey, statsmodels, closed forms and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from headway.messages import Message
from headway.outcomes.care import clustered

# The same 20 sessions of 8 patients as in the R session below (R 4.2, survey 4.1-1):
# des <- svydesign(ids = ~pat, data = d, weights = ~1)
# svyciprop(~y, des, method = "logit")
# svycontrast(svyby(~y, ~g, des, svymean, covmat = TRUE), c(-1, 1))
PATIENT = np.array([1, 1, 1, 2, 2, 3, 3, 3, 3, 4, 5, 5, 5, 5, 5, 6, 6, 7, 8, 8])
Y = np.array([1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0])
GROUP = np.array([1, 1, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0])
R_SHARE_CI = (0.195347840689790, 0.733858269053493)
R_DIFFERENCE, R_DIFFERENCE_SE = -0.1, 0.228285535490722


def draw(rng: np.random.Generator, k: int, p: float, icc: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw sessions of k patients with shares from a beta of mean p."""
    m = rng.integers(1, 13, k)
    own = rng.beta(p * (1 - icc) / icc, (1 - p) * (1 - icc) / icc, k)
    patient = np.repeat(np.arange(k), m)
    return (rng.random(len(patient)) < own[patient]).astype(float), patient


def test_a_share_is_that_of_r_survey() -> None:
    found = clustered.share(Y, PATIENT)
    assert found.estimate == 0.45
    # R iterates its logistic regression to 1e-10; the limits agree to 9 digits.
    assert found.ci_low == pytest.approx(R_SHARE_CI[0], abs=1e-9)
    assert found.ci_high == pytest.approx(R_SHARE_CI[1], abs=1e-9)
    assert (found.n, found.count, found.patients) == (20, 9.0, 8)


def test_a_difference_is_that_of_r_survey_with_fewer_degrees_of_freedom() -> None:
    one, two = GROUP == 1, GROUP == 0
    found = clustered.difference(Y[one], PATIENT[one], Y[two], PATIENT[two])
    assert found.estimate == pytest.approx(R_DIFFERENCE, abs=1e-12)
    df = min(len(set(PATIENT[one])), len(set(PATIENT[two]))) - 1
    half = stats.t.ppf(0.975, df) * R_DIFFERENCE_SE
    assert found.ci_high - found.estimate == pytest.approx(half, abs=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_share_is_a_gee_with_an_independence_correlation(seed: int) -> None:
    import statsmodels.api as sm

    y, patient = draw(np.random.default_rng(seed), 25, 0.3, 0.2)
    k = len(np.unique(patient))
    fit = sm.GEE(y, np.ones((len(y), 1)), groups=patient, family=sm.families.Binomial()).fit()
    half = stats.t.ppf(0.975, k - 1) * fit.bse[0] * np.sqrt(k / (k - 1))
    logits = fit.params[0] + np.array([-half, half])
    found = clustered.share(y, patient)
    # statsmodels stops at a change of 1e-6.
    assert np.allclose([found.ci_low, found.ci_high], 1 / (1 + np.exp(-logits)), atol=1e-6)


def test_one_session_each_is_the_binomial_variance() -> None:
    y = np.array([1.0] * 6 + [0.0] * 14)
    found = clustered.share(y, np.arange(20))
    se = np.sqrt(0.3 * 0.7 / 19) / (0.3 * 0.7)
    half = stats.t.ppf(0.975, 19) * se
    logit = np.log(0.3 / 0.7)
    assert found.ci_low == pytest.approx(1 / (1 + np.exp(-(logit - half))), abs=1e-12)


def test_intervals_cover_and_one_that_ignores_patients_does_not() -> None:
    rng = np.random.default_rng(20260101)
    truth, k, runs = 0.2, 40, 700
    robust = naive = 0
    for _ in range(runs):
        y, patient = draw(rng, k, truth, 0.3)
        found = clustered.share(y, patient)
        robust += found.ci_low <= truth <= found.ci_high
        low, high = stats.binomtest(int(y.sum()), len(y)).proportion_ci(method="wilson")
        naive += low <= truth <= high
    # Monte Carlo error of 95 % in 700 runs: 0.8 points; 3 of them on either side.
    assert 0.925 <= robust / runs <= 0.975
    assert naive / runs < 0.85


def test_a_difference_covers_where_patients_have_both() -> None:
    rng = np.random.default_rng(7)
    runs, hits = 700, 0
    for _ in range(runs):
        y, patient = draw(rng, 40, 0.4, 0.2)
        first = rng.random(len(y)) < 0.5
        # The first kind of session adds 0.2 to everyone's share.
        y = np.maximum(y, (rng.random(len(y)) < 1 / 3) & first)
        found = clustered.difference(y[first], patient[first], y[~first], patient[~first])
        hits += found.ci_low <= 0.2 <= found.ci_high
    assert 0.925 <= hits / runs <= 0.98  # degrees of freedom of the smaller side: wider


def test_a_median_over_sessions_covers() -> None:
    rng = np.random.default_rng(11)
    runs, hits = 500, 0
    for _ in range(runs):
        m = rng.integers(1, 9, 30)
        patient = np.repeat(np.arange(30), m)
        days = rng.normal(0, 1, 30)[patient] + rng.normal(0, 1, len(patient))
        found = clustered.median(days, patient)
        hits += found.ci_low <= 0.0 <= found.ci_high
    # Monte Carlo error 1 point; test inversion over 30 patients.
    assert 0.915 <= hits / runs <= 0.985


def test_a_median_of_days_keeps_to_days() -> None:
    days = np.array([1.0] * 40 + [2.0] * 15 + [3.0] * 5)
    found = clustered.median(days, np.arange(60))
    assert (found.estimate, found.ci_low, found.ci_high) == (1.0, 1.0, 1.0)
    few = clustered.median([1.0, 2.0, 3.0], [1, 1, 2])
    assert few.estimate == 2.0 and np.isnan(few.ci_low) and few.note


def test_rule_of_three() -> None:
    n = np.array([1, 10, 100, 3000])
    high = clustered.rule_of_three(n)
    assert np.allclose((1 - high) ** n, 0.05, rtol=1e-12)  # its definition
    assert high[-1] == pytest.approx(3 / 3000, rel=0.002)  # Hanley & Lippman-Hand's 3/n
    assert np.isnan(clustered.rule_of_three(0))


def test_zero_events_count_patients_since_their_sessions_may_be_alike() -> None:
    found = clustered.share(np.zeros(12), np.repeat(np.arange(4), 3))
    assert (found.estimate, found.ci_low) == (0.0, 0.0)
    assert found.ci_high == pytest.approx(1 - 0.05**0.25, abs=1e-12)
    everything = clustered.share(np.ones(12), np.repeat(np.arange(4), 3))
    assert (everything.ci_low, everything.ci_high) == (pytest.approx(0.05**0.25), 1.0)
    # All sessions of a patient alike and the truth at the limit: nothing is seen in 5 %.
    rng = np.random.default_rng(3)
    seen = (rng.random((20_000, 4)) < found.ci_high).any(axis=1)
    assert 1 - seen.mean() == pytest.approx(0.05, abs=0.005)  # 3 Monte Carlo errors


@pytest.mark.parametrize(
    ("n", "ranks"),
    [(6, (1, 6)), (8, (1, 8)), (9, (2, 8)), (10, (2, 9)), (20, (6, 15)), (50, (18, 33))],
)
def test_order_statistics_are_those_of_the_tables(n: int, ranks: tuple[int, int]) -> None:
    # Ranks as printed in tables of confidence limits of the median (Conover 1999, section 3.2).
    found = clustered.order_median(np.arange(1, n + 1))
    assert (found.ci_low, found.ci_high) == ranks
    cover = 1 - 2 * stats.binom.cdf(ranks[0] - 1, n, 0.5)
    assert cover >= 0.95 > 1 - 2 * stats.binom.cdf(ranks[0], n, 0.5)


def test_what_has_no_interval_says_so() -> None:
    nothing = clustered.share([], [])
    assert nothing.n == 0 and np.isnan(nothing.estimate)
    one = clustered.share([1, 0, 1], [5, 5, 5])
    assert (
        one.estimate == pytest.approx(2 / 3)
        and np.isnan(one.ci_low)
        and one.note == "estimate.one_patient"
    )
    alike = clustered.share([1, 0, 1, 0], [1, 1, 2, 2])
    assert np.isnan(alike.ci_low) and alike.note == "estimate.same_share"
    alone = clustered.difference([1, 0], [1, 1], [1, 0], [2, 3])
    assert alone.estimate == 0.0 and np.isnan(alone.ci_low)
    assert np.isnan(clustered.difference([], [], [1], [1]).estimate)
    five = clustered.order_median(range(5))
    assert five.estimate == 2.0 and np.isnan(five.ci_low)
    assert clustered.order_median([]).n == 0
    assert clustered.share([1, 0, 0], [1, 2, 2]).note == Message("estimate.few_patients", least=10)
