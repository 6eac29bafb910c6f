"""Interval-censored times: the estimate, its bounds and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as t_distribution

from headway.outcomes.care.turnbull import Turnbull, estimate_free, fit_turnbull, restrict_mean

INF = float("inf")


def masses(fit: Turnbull) -> list[float]:
    return [round(float(m), 6) + 0.0 for m in fit.mass]


@pytest.mark.parametrize(
    ("intervals", "wanted"),
    [
        # a in the first of two cells and c in the second: a / (a + c), whoever may be in either.
        ([(0, 1)] * 3 + [(0, 2)] * 5 + [(1, 2)], [3 / 4, 1 / 4, 0]),
        ([(0, 1)] * 3 + [(0, 2)] * 5 + [(1, 2)] + [(2, INF)] * 3, [9 / 16, 3 / 16, 1 / 4]),
        # All overlap in one cell, which takes everything.
        ([(0, 2), (1, 3), (1, 2)], [0, 1, 0, 0]),
        ([(0, 2), (1, 3)], [0, 1, 0, 0]),
        # Six intervals whose (1/2, 0, 1/2) is self-consistent too, and less likely: 1/64 against
        # (1/3)^2 (2/3)^4. By symmetry a, 1 - 2a, a; 2 log a + 4 log(1 - a) is greatest at a = 1/3.
        ([(0, 1), (1, 3), (1, 3), (0, 2), (0, 2), (2, 3)], [1 / 3, 1 / 3, 1 / 3, 0]),
        # Right-censored alone: 1 of 4 has it, one leaves, 1 of 2 has it.
        ([(0, 1), (1, INF), (1, 2), (2, INF)], [1 / 4, 3 / 8, 3 / 8]),
        # Who was never seen again says nothing.
        ([(0, 1), (1, INF), (0, INF), (0, INF)], [1 / 2, 1 / 2]),
    ],
)
def test_estimates_worked_by_hand(
    intervals: list[tuple[float, float]], wanted: list[float]
) -> None:
    left, right = zip(*intervals, strict=True)
    fit = fit_turnbull(left, right)
    assert masses(fit) == pytest.approx(wanted, abs=1e-6)
    # The same people as weights.
    kinds = sorted(set(intervals))
    few = fit_turnbull(*zip(*kinds, strict=True), weights=[intervals.count(k) for k in kinds])
    assert masses(few) == pytest.approx(wanted, abs=1e-6)


def test_right_censored_data_give_the_kaplan_meier_curve_of_statsmodels() -> None:
    from statsmodels.duration.survfunc import SurvfuncRight

    rng = np.random.default_rng(1)
    for n, hazard in ((8, 0.3), (60, 0.1), (400, 0.05)):
        relapse, end = rng.geometric(hazard, n), rng.integers(1, 13, n)
        seen = relapse <= end
        fit = fit_turnbull(np.where(seen, relapse - 1, end), np.where(seen, relapse, INF))
        known = SurvfuncRight(np.minimum(relapse, end), seen)
        ours = [estimate_free(fit, time).estimate for time in known.surv_times]
        assert np.allclose(ours, known.surv_prob, atol=1e-12)
        at = np.searchsorted(fit.edges, known.surv_times) - 1
        assert fit.events[at] == pytest.approx(known.n_events)


# Times made up, and the answer of R 4.2, survival 3.5-3, just after 1, 2, ... 8:
# survfit(Surv(left + 0.1, right, type = "interval2") ~ 1). R stops at changes of 5e-5.
LEFT = [0, 3, 2, 0, 5, 1, 2, 0, 8, 4, 1, 0, 2, 6, 3, 0]
RIGHT = [2, 5, INF, 1, 7, 4, 3, 3, INF, INF, 2, 4, 5, 8, INF, INF]
R_SAYS = [0.87413, 0.70922, 0.52277, 0.34258, 0.34254, 0.34254, 0.11418, 0.11418]


def test_estimate_is_that_of_r() -> None:
    fit = fit_turnbull(LEFT, RIGHT, grid=range(9))
    for time, known in enumerate(R_SAYS, start=1):
        found = estimate_free(fit, time)
        if found.highest - found.lowest < 1e-9:
            assert found.estimate == pytest.approx(known, abs=2e-4)


INTERVALS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 5), st.booleans()), min_size=1, max_size=25
)


@given(INTERVALS)
def test_no_other_distribution_is_more_likely(given_: list[tuple[int, int, bool]]) -> None:
    """No slope of the log-likelihood exceeds n, and it is n where there is mass (Gentleman and
    Geyer 1994). Bounds hold the estimate, and so do limits."""
    left = np.array([a for a, _, _ in given_], float)
    right = np.array([INF if censored else a + b for a, b, censored in given_], float)
    fit = fit_turnbull(left, right, grid=range(12))
    assert fit.mass.sum() == pytest.approx(1) and (fit.mass > -1e-12).all()
    if len(fit.weights):
        slope = (fit.weights / (fit.covers @ fit.mass)) @ fit.covers
        people = fit.weights.sum()
        assert slope.max() <= people * (1 + 1e-6)
        assert slope[fit.mass > 1e-3] == pytest.approx(people, rel=1e-4)
    for horizon in (1.0, 2.5, 4.0):
        if not fit.is_known(horizon):
            with pytest.raises(ValueError, match="not known"):
                restrict_mean(fit, horizon)
            continue
        mean, free = restrict_mean(fit, horizon), estimate_free(fit, horizon)
        for found, most in ((mean, horizon), (free, 1.0)):
            assert -1e-9 <= found.lowest <= found.estimate + 1e-9
            assert found.estimate <= found.highest + 1e-9 and found.highest <= most + 1e-9
            if not np.isnan(found.ci_low):
                assert -1e-9 <= found.ci_low <= found.estimate <= found.ci_high <= most + 1e-9


def test_a_mean_lies_midway_and_its_bounds_at_either_end() -> None:
    """11 of 12 relapse within one window of 28 days: (11 x 14 + 28) / 12, from 28/12 to 28."""
    fit = fit_turnbull([0] * 11 + [28], [28] * 11 + [INF])
    mean = restrict_mean(fit, 28)
    assert mean.estimate == pytest.approx((11 * 14 + 28) / 12)
    assert (mean.lowest, mean.highest) == pytest.approx((28 / 12, 28))
    assert mean.ci_low < mean.estimate < mean.ci_high
    # A window without a record widens the interval: 14 at the earliest, 42 midway, 70 at most.
    wide = fit_turnbull([14, 84], [70, INF], grid=[14, 28, 42, 56, 70, 84])
    mean = restrict_mean(wide, 84)
    assert mean.estimate == pytest.approx((42 + 84) / 2)
    assert (mean.lowest, mean.highest) == pytest.approx(((14 + 84) / 2, (70 + 84) / 2))
    free = estimate_free(wide, 28)
    assert (free.lowest, free.estimate, free.highest) == pytest.approx((0.5, 0.875, 1))
    # A horizon within a cell: half of the event's cell, cut off there.
    half = restrict_mean(fit_turnbull([0, 2], [2, INF]), 1)
    assert half.estimate == pytest.approx(0.5 * (0.5 * 0.5 + 0.5 * 1) + 0.5 * 1)


def test_limits_of_a_share_are_those_of_the_likelihood_ratio() -> None:
    """One window: x of n. -2 log of the ratio at either limit is the squared quantile of t."""
    for x, n in ((3, 20), (19, 40), (0, 12), (12, 12)):
        fit = fit_turnbull([0] * x + [1] * (n - x), [1] * x + [INF] * (n - x), grid=[1])
        found = estimate_free(fit, 1)
        room = t_distribution.ppf(0.975, n - 1) ** 2
        best = 1 - x / n
        for limit in (found.ci_low, found.ci_high):
            if limit in (0.0, 1.0) or abs(limit - best) < 1e-6:
                assert best in (0, 1)
                continue
            ratio = sum(
                2 * count * np.log(own / other)
                for count, own, other in ((n - x, best, limit), (x, 1 - best, 1 - limit))
                if count
            )
            assert ratio == pytest.approx(room, rel=1e-3)
    # Nobody relapsed: (1 - p)^n is the likelihood.
    none = estimate_free(fit_turnbull([1] * 12, [INF] * 12), 1)
    room = t_distribution.ppf(0.975, 11) ** 2
    assert none.ci_low == pytest.approx(np.exp(-room / 24), abs=1e-5) and none.ci_high == 1


def test_nothing_is_said_of_what_was_not_seen() -> None:
    nobody = fit_turnbull([0, 0], [INF, INF])
    assert not nobody.is_known(1) and nobody.is_known(0)
    everyone = fit_turnbull([0, 0], [1, 1])
    assert everyone.is_known(5)  # nobody is left, then or later
    assert restrict_mean(everyone, 5).estimate == 0.5
    alone = restrict_mean(fit_turnbull([0], [1]), 1)
    assert alone.estimate == 0.5 and np.isnan(alone.ci_low)
    for left, right in (([1], [1]), ([2], [1]), ([-1], [1])):
        with pytest.raises(ValueError, match="interval"):
            fit_turnbull(left, right)
    with pytest.raises(ValueError, match="horizon"):
        restrict_mean(everyone, 0)


def look(rng: np.random.Generator, time: np.ndarray, windows: int, gap: float) -> tuple[list, list]:
    """Look at people at the end of each window, but for missed ones, until they leave."""
    number = np.arange(1, windows + 1)
    seen = rng.random((len(time), windows)) >= gap
    seen &= number <= rng.integers(1, windows + 4, len(time))[:, None]
    happened = number >= time[:, None]
    left = np.where(seen & ~happened, number, 0).max(axis=1)
    right = np.where(seen & happened, number, 99).min(axis=1)
    return left.tolist(), np.where(right == 99, INF, right).tolist()


@pytest.mark.parametrize("n", [20, 40, 100])
def test_intervals_of_the_mean_cover_the_truth(n: int) -> None:
    """Exponential times, looks at the end of windows, a fifth of them missed: 93 to 97 %."""
    rng = np.random.default_rng(n)
    scale, horizon, runs = 5.0, 3.0, 400
    truth = scale * (1 - np.exp(-horizon / scale))
    share = np.exp(-horizon / scale)
    hits = np.zeros(2)
    for _ in range(runs):
        left, right = look(rng, rng.exponential(scale, n), 6, 0.2)
        fit = fit_turnbull(left, right, grid=range(7))
        mean, free = restrict_mean(fit, horizon), estimate_free(fit, horizon)
        hits += [
            mean.ci_low <= truth <= mean.ci_high,
            free.ci_low <= share <= free.ci_high,
        ]
    # Two Monte Carlo standard errors (1.1 points) beyond 93 to 97.
    assert (hits / runs > 0.93 - 0.022).all() and (hits / runs < 0.97 + 0.022).all()
