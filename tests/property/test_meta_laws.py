"""Laws pooling must keep whatever the data: units, order, masks, batches, the highest maximum."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from headway import meta

METHODS = [method for method in meta.METHODS if method != "GENQ"]
NUMBERS = ("estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high")
FREE = ("p_value", "i2", "h2", "q", "q_p_value", "df")
# What the laws promise. Rounding of the data alone gives about 1e-13.
LAW_RTOL = 1e-9

reproducibly = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def studies(draw: st.DrawFn, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Effects and variances over three orders of magnitude, from a seed: no accidental ties."""
    k = draw(st.integers(least, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    v = np.exp(rng.normal(0, draw(st.sampled_from([0.0, 0.5, 2.0])), k))
    spread = draw(st.sampled_from([0.1, 1.0, 3.0]))
    y = rng.normal(draw(st.sampled_from([0.0, 5.0])), spread, k) * np.sqrt(v + spread**2)
    return y, v


def assert_same(a: meta.Fit, b: meta.Fit, c: float = 1.0) -> None:
    """Assert that fit `b` is fit `a` in another unit."""
    size = a.ci_high - a.ci_low
    for name in NUMBERS:
        ours, theirs = getattr(a, name), getattr(b, name) / c
        if np.isnan(ours):
            assert np.isnan(theirs), name
        else:
            assert theirs == pytest.approx(ours, rel=LAW_RTOL, abs=LAW_RTOL * size), name
    floor = LAW_RTOL * a.se**2
    assert b.tau2 / c**2 == pytest.approx(a.tau2, rel=LAW_RTOL, abs=floor)
    for name in FREE:
        expected = pytest.approx(getattr(a, name), rel=1e-7, abs=LAW_RTOL, nan_ok=True)
        assert getattr(b, name) == expected, name
    assert b.k == a.k
    assert b.note == a.note


@pytest.mark.parametrize("method", METHODS)
@given(data=studies(), exponent=st.floats(-6, 6), test=st.sampled_from(["z", "knha", "adhoc"]))
@reproducibly
def test_results_do_not_depend_on_the_unit(
    method: str, data: Any, exponent: float, test: str
) -> None:
    y, v = data
    c = 10**exponent
    a = meta.pool(y, v, method=method, test=test)
    assert_same(a, meta.pool(c * y, c**2 * v, method=method, test=test), c)


@given(data=studies(), exponent=st.floats(-6, 6))
@reproducibly
def test_q_profile_does_not_depend_on_the_unit(data: Any, exponent: float) -> None:
    y, v = data
    c = 10**exponent
    a, b = meta.confint_tau2(y, v), meta.confint_tau2(c * y, c**2 * v)
    for name in ("tau2_low", "tau2_high"):
        expected = pytest.approx(getattr(a, name), rel=LAW_RTOL, abs=LAW_RTOL * v.min())
        assert getattr(b, name) / c**2 == expected
    assert b.i2_high == pytest.approx(a.i2_high, rel=LAW_RTOL, abs=LAW_RTOL)
    assert a.tau2_low <= a.tau2_high


@pytest.mark.parametrize("method", METHODS)
@given(data=studies(least=5), exponent=st.floats(-6, 6), moderator=st.floats(-4, 4))
@reproducibly
def test_regressions_do_not_depend_on_units(
    method: str, data: Any, exponent: float, moderator: float
) -> None:
    y, v = data
    c, m = 10**exponent, 10**moderator
    x = np.cos(np.arange(y.size))  # any moderator will do
    a = meta.regress(y, v, {"x": x}, method=method)
    b = meta.regress(c * y, c**2 * v, {"x": m * x}, method=method)
    width = a.ci_high - a.ci_low
    back = np.array([c, c / m])
    assert (np.abs(b.estimate / back - a.estimate) <= LAW_RTOL * width).all()
    assert b.se / back == pytest.approx(a.se, rel=LAW_RTOL)
    assert b.tau2 / c**2 == pytest.approx(a.tau2, rel=LAW_RTOL, abs=LAW_RTOL * v.min())
    for name in ("qm", "qe", "i2", "p_value"):
        expected = pytest.approx(getattr(a, name), rel=1e-7, abs=LAW_RTOL)
        assert getattr(b, name) == expected, name


@given(data=studies(), exponent=st.floats(-6, 6), method=st.sampled_from(["ML", "REML"]))
@reproducibly
def test_profile_likelihood_does_not_depend_on_the_unit(
    data: Any, exponent: float, method: str
) -> None:
    y, v = data
    c = 10**exponent
    options: dict[str, Any] = {"method": method, "interval": "profile likelihood"}
    a, b = meta.confint_tau2(y, v, **options), meta.confint_tau2(c * y, c**2 * v, **options)
    for name in ("tau2_low", "tau2_high"):
        # The limits are roots of a difference of likelihoods, good to some 1e-12 of it.
        expected = pytest.approx(getattr(a, name), rel=1e-8, abs=1e-8 * v.min())
        assert getattr(b, name) / c**2 == expected
    assert a.tau2_low <= a.tau2 <= a.tau2_high


@pytest.mark.parametrize("method", METHODS)
@given(data=studies(), seed=st.integers(0, 1000))
@reproducibly
def test_results_do_not_depend_on_the_order(method: str, data: Any, seed: int) -> None:
    y, v = data
    order = np.random.default_rng(seed).permutation(y.size)
    a = meta.pool(y, v, method=method)
    b = meta.pool(y[order], v[order], method=method)
    assert_same(a, b)
    assert b.weights == pytest.approx(a.weights[order], rel=LAW_RTOL)


@pytest.mark.parametrize("method", METHODS)
@given(data=studies(least=3), seed=st.integers(0, 1000), filler=st.sampled_from([np.nan, 0, 1e300]))
@reproducibly
def test_a_masked_study_is_as_good_as_gone(
    method: str, data: Any, seed: int, filler: float
) -> None:
    y, v = data
    held = np.random.default_rng(seed).random(y.size) < 0.6
    held[0] = True
    a = meta.pool(y[held], v[held], method=method)
    y, v = np.where(held, y, filler), np.where(held, v, filler)
    b = meta.pool(y, v, method=method, mask=held)
    assert_same(a, b)
    assert (b.weights[~held] == 0).all()
    assert b.weights[held] == pytest.approx(a.weights, rel=LAW_RTOL)


@pytest.mark.parametrize("method", METHODS)
@given(sets=st.lists(studies(), min_size=1, max_size=6), test=st.sampled_from(["z", "t", "adhoc"]))
@reproducibly
def test_a_batch_is_its_sets(method: str, sets: Any, test: str) -> None:
    widest = max(y.size for y, _ in sets)
    y, v = np.full((len(sets), widest), np.nan), np.full((len(sets), widest), -1.0)
    for i, (own_y, own_v) in enumerate(sets):
        y[i, : own_y.size], v[i, : own_v.size] = own_y, own_v
    batch = meta.pool(y, v, method=method, test=test, mask=v > 0)
    for i, (own_y, own_v) in enumerate(sets):
        alone = meta.pool(own_y, own_v, method=method, test=test)
        for name in (*NUMBERS, *FREE, "tau2"):
            ours, theirs = getattr(batch, name)[i], getattr(alone, name)
            assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-13, nan_ok=True), name


def test_company_in_a_large_batch_changes_nothing() -> None:
    # More sets than one block holds, so that blocks and their borders are exercised.
    rng = np.random.default_rng(11)
    y, v = rng.normal(0, 1, (30_000, 6)), np.exp(rng.normal(-1, 1, (30_000, 6)))
    batch = meta.pool(y, v, test="knha")
    for i in (0, 1, 21_844, 21_845, 21_846, 29_999):
        alone = meta.pool(y[i], v[i], test="knha")
        for name in (*NUMBERS, "tau2"):
            assert getattr(batch, name)[i] == pytest.approx(getattr(alone, name), rel=1e-12)


def compute_height(y: np.ndarray, v: np.ndarray, tau2: np.ndarray, restricted: bool) -> np.ndarray:
    """Return twice the profile log-likelihood for sets (rows) at one tau2 each."""
    w = 1 / (v + tau2[:, None])
    mu = (w * y).sum(1) / w.sum(1)
    height = np.log(w).sum(1) - (w * (y - mu[:, None]) ** 2).sum(1)
    return height - np.log(w.sum(1)) if restricted else height


@pytest.mark.parametrize("method", ["ML", "REML"])
@pytest.mark.parametrize("spread", [1.0, 3.0, 6.0])
def test_no_tau2_has_a_higher_likelihood(method: str, spread: float) -> None:
    # Variances over up to ten orders of magnitude, effects unrelated to them: about one set in
    # twenty has several maxima. A fine grid must never beat the answer.
    rng = np.random.default_rng(5)
    restricted = method == "REML"
    several = 0
    for k in (2, 3, 5, 8, 12):
        v = np.exp(rng.normal(0, spread, (400, k)))
        y = rng.normal(0, 1, (400, k)) * np.exp(rng.normal(0, spread / 1.5, (400, k)))
        found = meta.pool(y, v, method=method).tau2
        ours = compute_height(y, v, found, restricted)
        top = np.log1p(1e3 * (y.var(axis=1, ddof=1) + v.max(axis=1)) / v.min(axis=1))
        scan = np.array(
            [
                compute_height(y, v, v.min(axis=1) * np.expm1(u * top), restricted)
                for u in np.linspace(0, 1, 500)
            ]
        )
        assert (scan.max(axis=0) <= ours + 1e-9).all()
        padded = np.pad(scan, ((1, 1), (0, 0)), constant_values=-np.inf)
        peaks = (padded[1:-1] > padded[:-2]) & (padded[1:-1] > padded[2:])
        several += int((peaks.sum(axis=0) > 1).sum())
    if spread > 1:
        assert several > 20
