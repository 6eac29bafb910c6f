"""Laws of Bayesian pooling whatever the data: unit, origin, order, masks, batches, more spread."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from headway.meta import bayes

reproducibly = settings(max_examples=25, deadline=None, derandomize=True)
RTOL = 1e-6
PLACES = ("mean", "median", "low", "high", "short_low", "short_high")


@st.composite
def studies(draw: st.DrawFn, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Effects and variances over some orders of magnitude, from a seed."""
    k = draw(st.integers(least, 10))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    v = np.exp(rng.normal(0, draw(st.sampled_from([0.0, 0.5, 2.0])), k))
    spread = draw(st.sampled_from([0.0, 1.0, 5.0]))
    return rng.normal(0.5, 1.0, k) * np.sqrt(v + spread**2), v


def scale_prior(name: str, c: float) -> Any:
    """A prior of tau in a unit that is 1/c of the old one."""
    return {
        "half-normal": bayes.HalfNormal(c * 0.8),
        "half-Cauchy": bayes.HalfCauchy(c * 0.8),
        "uniform": bayes.Uniform(c * 3.0),
        "log-normal": bayes.LogNormal(-1.0 + 2 * np.log(c), 1.5),
        "log-t": bayes.LogT(-2.0 + 2 * np.log(c), 2.0),
        "fixed": bayes.Fixed(c * 0.7),
    }[name]


PRIORS = ("half-normal", "half-Cauchy", "uniform", "log-normal", "log-t", "fixed")


def assert_same(a: bayes.Posterior, b: bayes.Posterior, c: float = 1.0, shift: float = 0.0) -> None:
    """Assert that `b` is `a` in another unit, and from another origin."""
    for quantity in ("mu", "new", "tau", "trials"):
        one, two = getattr(a, quantity), getattr(b, quantity)
        width = np.asarray(one.high) - np.asarray(one.low) + (a.mu.high - a.mu.low)
        origin = 0.0 if quantity == "tau" else shift
        for name in PLACES:
            ours, theirs = np.asarray(getattr(one, name)), np.asarray(getattr(two, name))
            there = np.isfinite(ours)
            assert (there == np.isfinite(theirs)).all(), (quantity, name)
            gap = np.abs((theirs[there] - origin) / c - ours[there])
            limit = (RTOL * width + 1e-9 * abs(shift / c))[there]
            assert (gap <= limit).all(), (quantity, name)


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("proper", [True, False])
@given(data=studies(), exponent=st.floats(-6, 6), shift=st.floats(-10, 10))
@reproducibly
def test_unit_and_origin_do_not_matter(
    prior: str, proper: bool, data: Any, exponent: float, shift: float
) -> None:
    y, v = data
    c = 10**exponent
    mu = bayes.Normal(0.2, 1.5) if proper else None
    moved = bayes.Normal(c * (0.2 + shift), c * 1.5) if proper else None
    a = bayes.pool_bayes(y, v, tau=scale_prior(prior, 1.0), mu=mu)
    b = bayes.pool_bayes(c * (y + shift), c**2 * v, tau=scale_prior(prior, c), mu=moved)
    assert_same(a, b, c, c * shift)
    if proper:
        log_marginal = b.log_marginal + y.size * np.log(c)
        assert log_marginal == pytest.approx(a.log_marginal, abs=1e-7)
        assert b.bayes_factor("mu", at=c * shift).log_bf10 == pytest.approx(
            a.bayes_factor("mu").log_bf10, abs=1e-6
        )


@pytest.mark.parametrize("prior", PRIORS)
@given(data=studies(least=2), seed=st.integers(0, 1000))
@reproducibly
def test_order_and_studies_left_out_by_a_mask_do_not_matter(
    prior: str, data: Any, seed: int
) -> None:
    y, v = data
    rng = np.random.default_rng(seed)
    order = rng.permutation(y.size)
    held = rng.random(y.size) < 0.6
    held[0] = True
    tau = scale_prior(prior, 1.0)
    a = bayes.pool_bayes(y, v, tau=tau)
    b = bayes.pool_bayes(y[order], v[order], tau=tau)
    assert b.trials.median == pytest.approx(a.trials.median[order], rel=RTOL, abs=RTOL)
    assert b.mu.low == pytest.approx(a.mu.low, rel=RTOL, abs=RTOL)
    assert b.tau.high == pytest.approx(a.tau.high, rel=RTOL)
    some = bayes.pool_bayes(y[held], v[held], tau=tau)
    both = bayes.pool_bayes(
        np.stack([y, np.where(held, y, np.nan)]),
        np.stack([v, v]),
        mask=np.stack([np.ones_like(held), held]),
        tau=tau,
    )
    for name in PLACES:
        for quantity in ("mu", "new", "tau"):
            found = getattr(getattr(both, quantity), name)
            for at, single in enumerate((a, some)):
                value = getattr(getattr(single, quantity), name)
                assert found[at] == pytest.approx(value, rel=RTOL, abs=RTOL, nan_ok=True)
    assert both.trials.median[1][held] == pytest.approx(some.trials.median, rel=RTOL, abs=RTOL)


@given(data=studies(least=2))
@reproducibly
def test_trials_shrink_towards_mu_and_a_new_one_is_less_certain(data: Any) -> None:
    y, v = data
    fit = bayes.pool_bayes(y, v, tau=bayes.HalfNormal(1.0))
    assert fit.new.high - fit.new.low > fit.mu.high - fit.mu.low
    known = bayes.pool_bayes(y, v, tau=bayes.Fixed(1.0))
    assert (known.trials.sd <= np.sqrt(v) * (1 + RTOL)).all()
    assert (fit.trials.mean >= min(y.min(), fit.mu.mean) - RTOL).all()
    assert (fit.trials.mean <= max(y.max(), fit.mu.mean) + RTOL).all()
    for s in (fit.mu, fit.new, fit.tau):
        assert s.short_high - s.short_low <= (s.high - s.low) * (1 + RTOL)


@given(data=studies(least=2), factor=st.floats(1.5, 5))
@reproducibly
def test_a_wider_prior_of_tau_means_more_of_it(data: Any, factor: float) -> None:
    y, v = data
    narrow = bayes.pool_bayes(y, v, tau=bayes.HalfNormal(0.5))
    wide = bayes.pool_bayes(y, v, tau=bayes.HalfNormal(0.5 * factor))
    for name in ("low", "median", "high"):
        assert getattr(wide.tau, name) > getattr(narrow.tau, name), name
