"""Trends over doses within trials: covariances, lines, splines, published numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import meta

# Alcohol (g/day) and breast cancer: Rohan and McMichael (1988), the case-control study that
# Greenland and Longnecker (1992) take as their example; adjusted odds ratios with 95 % limits.
DOSE = [2.0, 6.0, 11.0]
CASES, PEOPLE = [165, 74, 90, 122], [337, 167, 186, 212]
ODDS, LOW, HIGH = [0.80, 1.16, 1.57], [0.51, 0.73, 0.99], [1.27, 1.85, 2.51]
KNOTS = (1.0, 5.0, 10.0)


def test_the_example_of_greenland_and_longnecker() -> None:
    """A slope of 0.0454 (SE 0.0207); per gram 1.046477 (1.004941 to 1.089729).

    As printed by the reference pages of the R package dosresmeta (2.1.1).
    """
    y = np.log(ODDS)
    v = (np.log(HIGH) - np.log(LOW)) ** 2 / (2 * 1.959963985) ** 2
    cover = meta.greenland_longnecker(y, v, CASES, PEOPLE, "odds")
    fit = meta.dose_response(y, cover, DOSE, [0] * 3, ["a"] * 3, method="EE", test="z")
    assert np.exp(fit.estimate[0]) == pytest.approx(1.046477, abs=2e-6)
    assert np.exp(fit.ci_low[0]) == pytest.approx(1.004941, abs=2e-6)
    assert np.exp(fit.ci_high[0]) == pytest.approx(1.089729, abs=2e-6)
    assert (round(fit.estimate[0], 4), round(fit.se[0], 4)) == (0.0454, 0.0207)


@pytest.mark.parametrize("kind", ["odds", "risk", "rate"])
def test_crude_ratios_have_their_exact_covariance(kind: str) -> None:
    a, n = np.array([20.0, 30, 45]), np.array([100.0, 110, 130])
    part = {"odds": a / (n - a), "risk": a / n, "rate": a / n}[kind]
    own = {"odds": 1 / a + 1 / (n - a), "risk": 1 / a - 1 / n, "rate": 1 / a}[kind]
    y, v = np.log(part[1:] / part[0]), own[1:] + own[0]
    found = meta.greenland_longnecker(y, v, a, n, kind)
    assert found == pytest.approx(meta.share_control(v, [own[0]] * 2, ["c"] * 2), rel=1e-9)


def make(k: int, curve: Any, *, noise: float = 0.0, seed: int = 1) -> dict[str, Any]:
    """Make trials of three doses against none: each shares its reference arm."""
    rng = np.random.default_rng(seed)
    doses = np.array([(i % 3 + 1, i % 3 + 5, i % 3 + 11) for i in range(k)], float)
    v = np.array([(4 / n, 3 / n, 5 / n) for n in rng.integers(20, 90, k)])
    reference = np.repeat(v.min(axis=1) / 2, 3)
    trials = np.repeat(np.arange(k), 3)
    cover = meta.share_control(v.ravel(), reference, trials)
    y = np.array([curve(d) for d in doses.ravel()])
    y = y + noise * np.linalg.cholesky(cover) @ rng.normal(size=y.size)
    return {"yi": y, "v": cover, "doses": doses.ravel(), "reference": np.zeros(y.size),
            "trials": trials}  # fmt: skip


def test_a_line_without_noise_comes_back() -> None:
    fit = meta.dose_response(**make(5, lambda d: -0.3 * d))
    assert fit.estimate[0] == pytest.approx(-0.3)
    assert fit.covariance[0, 0] == pytest.approx(0, abs=1e-12)
    assert fit.slopes == pytest.approx(np.full((5, 1), -0.3))
    fitted, low, high = fit.predict([0, 10], reference=5)
    assert fitted == pytest.approx([1.5, -1.5])
    assert (low < fitted).all() and (fitted < high).all()
    assert fit.predict(10, reference=5)[0] == pytest.approx([-1.5])


def test_a_common_line_is_generalised_least_squares() -> None:
    data = make(6, lambda d: 0.1 * d, noise=1)
    fit = meta.dose_response(**data, method="EE", test="z")
    x, weight = data["doses"][:, None], np.linalg.inv(data["v"])
    bread = np.linalg.inv(x.T @ weight @ x)
    assert fit.estimate == pytest.approx(bread @ x.T @ weight @ data["yi"])
    assert fit.vcov == pytest.approx(bread)


def test_a_line_is_pooled_as_slopes_are() -> None:
    fit = meta.dose_response(**make(8, lambda d: 0.1 * d, noise=3))
    own = make(8, lambda d: 0.1 * d, noise=3)
    spread = []
    for i in range(8):
        rows = own["trials"] == i
        x = own["doses"][rows]
        spread.append(1 / (x @ np.linalg.inv(own["v"][np.ix_(rows, rows)]) @ x))
    want = meta.pool(fit.slopes[:, 0], spread)
    assert fit.estimate[0] == pytest.approx(float(want.estimate))
    assert fit.ci_low[0] == pytest.approx(float(want.ci_low))
    assert fit.q == pytest.approx(float(want.q))
    assert np.isnan(fit.p_nonlinear)


def test_a_spline_without_noise_comes_back_and_is_straight_outside() -> None:
    def curve(d: float) -> float:
        return float((meta.spread_dose([d], KNOTS) @ [0.2, -0.5])[0])

    fit = meta.dose_response(**make(7, curve), knots=KNOTS, method="EE")
    assert fit.estimate == pytest.approx([0.2, -0.5])
    assert fit.p_nonlinear < 1e-6
    beyond, *_ = fit.predict([12.0, 13.0, 14.0])
    assert np.diff(beyond, 2) == pytest.approx([0], abs=1e-9)
    below, *_ = fit.predict([-2.0, -1.0, 0.0, 1.0])
    assert below == pytest.approx([-0.4, -0.2, 0, 0.2])


def test_a_random_spline_is_the_multivariate_model_of_the_slopes() -> None:
    fit = meta.dose_response(**make(12, lambda d: 0.2 * d - 0.01 * d**2, noise=2), knots=KNOTS)
    assert fit.covariance.shape == (2, 2)
    assert np.linalg.eigvalsh(fit.covariance).min() >= -1e-9
    assert fit.df == 22
    assert (fit.ci_low < fit.estimate).all() and (fit.estimate < fit.ci_high).all()
    assert "restricted cubic spline" in fit.methods_text("headache days")
    assert "12 trials" in fit.methods_text()


@settings(max_examples=15, deadline=None)
@given(unit=st.floats(1e-3, 1e3), scale=st.floats(1e-2, 1e2))
def test_units_of_dose_and_outcome_move_the_slope_alone(unit: float, scale: float) -> None:
    data = make(6, lambda d: 0.1 * d, noise=2)
    one = meta.dose_response(**data)
    moved = data | {"doses": unit * data["doses"], "yi": scale * data["yi"]}
    two = meta.dose_response(**moved | {"v": scale**2 * data["v"]})
    assert two.estimate[0] * unit / scale == pytest.approx(one.estimate[0], rel=1e-6)
    assert two.p_value[0] == pytest.approx(one.p_value[0], rel=1e-5)


def test_a_trial_of_too_few_doses_is_left_out_by_name() -> None:
    data = make(5, lambda d: 0.1 * d, noise=1)
    kept = np.r_[0:13]  # of the last trial one dose
    short = {name: value[kept] for name, value in data.items() if name != "v"}
    short["v"] = data["v"][np.ix_(kept, kept)]
    fit = meta.dose_response(**short, knots=KNOTS, method="EE")
    assert (fit.k, fit.left_out) == (4, (4,))
    assert meta.dose_response(**short).left_out == ()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"knots": (1.0, 2.0)}, "three or more"),
        ({"knots": (3.0, 2.0, 1.0)}, "rising"),
        ({"doses": [1.0] * 3}, "doses hold|broadcast|shape"),
        ({"doses": [np.nan] * 15}, "finite"),
    ],
)
def test_what_cannot_be(change: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        meta.dose_response(**make(5, lambda d: d) | change)


def test_counts_that_cannot_be() -> None:
    for cases, people, kind in (
        ([0, 1], [5, 5], "risk"), ([6, 1], [5, 5], "odds"), ([1, 1], [5, 5], "hazard"),
        ([1], [5], "risk"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"cases|kind"):
            meta.greenland_longnecker([0.1], [1.0], cases, people, kind)
