"""Selection models: the pooled effect if studies were published by their p-value.

Vevea and Hedges's step function: within an interval of p-values every study has the same chance
of being published, relative to the first interval; effect, tau2 and these chances are estimated
together by maximum likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, ndtr, ndtri

from headway.messages import join
from headway.meta.distributions import check_level, find_critical, find_p_value
from headway.meta.notes import Noted
from headway.meta.pooling import pool, print_p
from headway.meta.small_study import FEW_STUDIES, read_studies

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

ALTERNATIVES: dict[str, str] = {
    "greater": "one-sided, large effects are published",
    "less": "one-sided, small (negative) effects are published",
    "two.sided": "two-sided",
}
# The likelihood can rise for ever with a chance; as in metafor it ends at 100 times the first.
MAX_CHANCE = 100.0
# Lower bound of a log chance, only for the search: every interval holds a study, so that the
# likelihood falls without end as its chance goes to 0.
LOWEST = -60.0
# A gradient that would move its parameter by this many standard errors is not a maximum's.
STILL = 1e-5
NOTE_EDGE = "note.selection_edge"
NOTE_ZERO = "note.selection_zero"
NOTE_FLAT = "note.selection_flat"
NOTE_SMALL = "note.selection_small"
NOTE_LOST = "note.selection_lost"


@dataclass(frozen=True, slots=True, repr=False)
class SelectionFit(Noted):
    """A random-effects model with selection by p-value.

    Attributes
    ----------
    k : int
        Studies.
    estimate, se, ci_low, ci_high, statistic, p_value : float
        Effect adjusted for selection, in the unit of ``yi``; Wald-type.
    tau2, se_tau2 : float
        Between-study variance; `se_tau2` is NaN where tau2 is 0.
    steps : tuple of float
        Upper ends of the p-value intervals; the last is 1.
    counts : ndarray of int, shape (intervals,)
        Studies per interval.
    delta, se_delta : ndarray, shape (intervals,)
        Chance of publication relative to the first interval, which is 1 by definition.
    log_likelihood, log_likelihood_unselected : float
        With selection, and of the same model without it.
    lrt, lrt_df, lrt_p_value : float
        Likelihood-ratio test of no selection.
    alternative, level, remark
    """

    k: int
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    statistic: float
    p_value: float
    tau2: float
    se_tau2: float
    steps: tuple[float, ...]
    counts: NDArray[np.int64]
    delta: Array
    se_delta: Array
    log_likelihood: float
    log_likelihood_unselected: float
    lrt: float
    lrt_df: int
    lrt_p_value: float
    alternative: str
    level: float
    remark: str

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per p-value interval."""
        import pandas as pd

        frame = pd.DataFrame({"p_up_to": self.steps, "k": self.counts, "delta": self.delta})
        frame["se_delta"] = self.se_delta
        names = ("estimate", "se", "ci_low", "ci_high", "p_value", "tau2", "log_likelihood")
        for name in (*names, "lrt", "lrt_df", "lrt_p_value", "alternative", "level", "note"):
            frame[name] = getattr(self, name)
        return frame

    def __repr__(self) -> str:
        return (
            f"SelectionFit({len(self.steps)} intervals, {self.alternative}, k={self.k}: "
            f"{self.estimate:.4g} [{self.ci_low:.4g}, {self.ci_high:.4g}], tau2={self.tau2:.4g}, "
            f"selection {print_p(self.lrt_p_value)})"
        )


# ── likelihood ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Problem:
    """Scaled data, and the stretches of the effect axis that make up each p-value interval.

    ``low`` and ``high`` bound each stretch in standard errors; ``belongs`` is the interval it is
    part of: two-sided intervals but the last have two stretches.
    """

    y: Array
    v: Array
    low: Array
    high: Array
    belongs: Array
    counts: Array


def _cut(steps: tuple[float, ...], alternative: str) -> tuple[Array, Array, Array]:
    """Return bounds of the stretches, and which interval (row) each stretch (column) is part of."""
    sides = 2 if alternative == "two.sided" else 1
    edges = [np.inf, *(-float(ndtri(step / sides)) for step in steps[:-1])]
    intervals = len(steps)
    last = 0.0 if sides == 2 else -np.inf
    upper = list(zip([*edges[1:], last], edges, range(intervals), strict=True))
    stretches = upper + [(-high, -low, j) for low, high, j in upper] if sides == 2 else upper
    belongs = np.zeros((intervals, len(stretches)))
    for column, (_, _, j) in enumerate(stretches):
        belongs[j, column] = 1
    return (
        np.array([low for low, _, _ in stretches]),
        np.array([high for _, high, _ in stretches]),
        belongs,
    )


def _height_and_slope(
    problem: _Problem, mu: float, tau2: float, theta: Array
) -> tuple[float, Array]:
    """Return the log-likelihood and its gradient in mu, tau2 and the log chances ``theta``.

    `theta` leaves out the first interval.
    """
    y, v = problem.y, problem.v
    variance = v + tau2
    s = np.sqrt(variance)
    se = np.sqrt(v)
    with np.errstate(invalid="ignore"):
        low = (problem.low[:, None] * se - mu) / s
        high = (problem.high[:, None] * se - mu) / s
    # From the tail the stretch lies in, so that small probabilities keep their digits.
    flip = low > 0
    a, b = np.where(flip, -high, low), np.where(flip, -low, high)
    chance = ndtr(b) - ndtr(a)
    root = np.sqrt(2 * np.pi)
    density_low, density_high = np.exp(-(low**2) / 2) / root, np.exp(-(high**2) / 2) / root
    weighted_low = np.where(np.isinf(low), 0.0, low) * density_low
    weighted_high = np.where(np.isinf(high), 0.0, high) * density_high
    delta = np.exp(np.concatenate([[0.0], theta]))
    share = delta @ problem.belongs
    seen = np.maximum(share @ chance, np.finfo(float).tiny)
    by_mu = share @ (density_low - density_high) / s
    by_tau2 = share @ (weighted_low - weighted_high) / (2 * variance)
    off = (y - mu) / variance
    height = (problem.counts[1:] * theta).sum() - np.log(seen).sum()
    height -= (np.log(2 * np.pi * variance) / 2 + off * (y - mu) / 2).sum()
    parts = (problem.belongs[1:] @ chance) * delta[1:, None]
    gradient = np.concatenate(
        [
            [(off - by_mu / seen).sum()],
            [((off**2 - 1 / variance) / 2 - by_tau2 / seen).sum()],
            problem.counts[1:] - (parts / seen).sum(axis=1),
        ]
    )
    return float(height), gradient


def _climb(problem: _Problem, start: Array, ceiling: float) -> tuple[float, Array]:
    """Return what bounded quasi-Newton steps reach from a start: (log-likelihood, place)."""
    from scipy.optimize import minimize

    def fall(x: Array) -> tuple[float, Array]:
        height, slope = _height_and_slope(problem, x[0], x[1], x[2:])
        return -height, -slope

    bounds = [(None, None), (0.0, None)] + [(LOWEST, np.log(ceiling))] * (start.size - 2)
    options = {"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-9, "maxls": 50}
    found = minimize(fall, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    x = np.asarray(found.x, dtype=np.float64)
    return _height_and_slope(problem, x[0], x[1], x[2:])[0], x


def _polish(problem: _Problem, x: Array, ceiling: float) -> tuple[float, Array, float]:
    """Return height and place of a maximum down to rounding, from a point next to it.

    The third number is how far a gradient is left, in standard errors of its parameter.

    Newton steps on the gradient, for heights are equal long before places are; parameters at a
    bound the likelihood rises towards are held there.
    """
    chances = x.size - 2
    low = np.array([-np.inf, 0.0, *[LOWEST] * chances])
    high = np.array([np.inf, np.inf, *[np.log(ceiling)] * chances])

    def measure(x: Array, scale: Array) -> tuple[float, Array, NDArray[np.bool_], float]:
        height, slope = _height_and_slope(problem, x[0], x[1], x[2:])
        free = ~(((x <= low) & (slope <= 0)) | ((x >= high) & (slope >= 0)))
        return height, slope, free, float(np.abs(slope[free] / scale[free]).max(initial=0.0))

    off = np.inf
    for _ in range(30):
        curve = -_find_curvature(problem, x)
        scale = np.sqrt(np.maximum(np.abs(np.diag(curve)), np.finfo(float).tiny))
        height, slope, free, off = measure(x, scale)
        if off == 0:
            break
        unit = scale[free]
        standard = curve[np.ix_(free, free)] / np.outer(unit, unit)
        if np.linalg.eigvalsh(standard).min() <= 1e-12:
            break  # flat: there is no place to be polished
        candidate = x.copy()
        candidate[free] += np.linalg.solve(standard, slope[free] / unit) / unit
        candidate = np.clip(candidate, low, high)
        better = measure(candidate, scale)
        if not (better[3] < off and better[0] > height - 1e-9 * (1 + abs(height))):
            break
        x, off = candidate, better[3]
    return _height_and_slope(problem, x[0], x[1], x[2:])[0], x, off


def _find_curvature(problem: _Problem, x: Array) -> Array:
    """Return the matrix of second derivatives in mu, tau2 and the log chances."""
    size = np.ones(x.size)
    size[0] = np.sqrt(x[1] + problem.v.min())
    size[1] = x[1] + problem.v.min()
    columns = []
    for i in range(x.size):
        slopes = []
        # Fourth-order differences of the analytic gradient. Below tau2 = 0 the formulas go on.
        for factor in (1, -1, 2, -2):
            moved = x.copy()
            moved[i] += factor * 1e-3 * size[i]
            slopes.append(_height_and_slope(problem, moved[0], moved[1], moved[2:])[1])
        near, far = slopes[0] - slopes[1], slopes[2] - slopes[3]
        columns.append((8 * near - far) / (12 * 1e-3 * size[i]))
    matrix = np.array(columns)
    return (matrix + matrix.T) / 2


def _find_errors(problem: _Problem, x: Array, ceiling: float) -> tuple[Array, bool]:
    """Return the standard errors of (mu, tau2, theta…), NaN where held at a bound."""
    errors = np.full(x.size, np.nan)
    free = np.ones(x.size, dtype=np.bool_)
    free[1] = x[1] > 0
    free[2:] = x[2:] < np.log(ceiling) - 1e-9
    curve = -_find_curvature(problem, x)[np.ix_(free, free)]
    scale = np.sqrt(np.abs(np.diag(curve)))
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        return errors, False
    standard = curve / np.outer(scale, scale)
    if np.linalg.eigvalsh(standard).min() <= 1e-9:
        return errors, False
    errors[free] = np.sqrt(np.diag(np.linalg.inv(standard))) / scale
    return errors, True


# ── the fit ───────────────────────────────────────────────────────────────────────────────────


def _read_steps(steps: float | Sequence[float]) -> tuple[float, ...]:
    try:
        ends = [float(step) for step in np.ravel(np.asarray(steps, dtype=np.float64))]
    except (TypeError, ValueError):
        raise ValueError("steps must be numbers") from None
    if not ends or not all(0 < end <= 1 for end in ends):
        raise ValueError("steps must be p-values above 0 and at most 1, for example 0.025")
    if sorted(set(ends)) != ends:
        raise ValueError("steps must increase")
    if ends[-1] != 1:
        ends.append(1.0)
    if len(ends) < 2:
        raise ValueError("steps must cut the p-values into at least two intervals")
    return tuple(ends)


def select_by_steps(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    steps: float | Sequence[float] = 0.025,
    alternative: str | None = None,
    max_chance: float = MAX_CHANCE,
    level: float = 0.95,
) -> SelectionFit:
    """Fit a random-effects model with a step function for the chance of publication.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        Effects and sampling variances; k ≥ 3 and at least as many as parameters (effect, tau2, a
        chance for every interval but the first).
    steps : float or sequence of float
        Where the p-value is cut, increasing; the last interval ends at 1.
    alternative : {"greater", "less", "two.sided"}, optional
        Which p-values selection goes by. Without it one-sided, in the direction of the
        ML estimate without selection.
    max_chance : float
        Upper limit of the chance of publication relative to the first interval, > 1.
    level : float
        Coverage.

    Returns
    -------
    SelectionFit
        Its `note` says where a parameter ended at a bound or the likelihood is flat.

    Raises
    ------
    ValueError
        An interval without studies (its chance cannot be estimated: choose other steps), too few
        studies, impossible input, or a search that ends without a maximum.

    Notes
    -----
    Vevea and Hedges (1995), equations 4 to 8. The likelihood may have several maxima: the search
    starts from up to 48 points with its analytic gradient, in units of the data. A sensitivity
    analysis; with few studies it is fragile (Hedges and Vevea 2005).
    """
    check_level(level)
    ends = _read_steps(steps)
    if not (np.isfinite(max_chance) and max_chance > 1):
        raise ValueError("max_chance must be finite and above 1")
    y, v = read_studies(yi, vi, "a selection model")
    k, intervals = y.size, len(ends)
    if k < intervals + 1:
        raise ValueError(
            f"{intervals} intervals need at least {intervals + 1} studies, not {k}: use fewer steps"
        )
    if alternative is None:
        alternative = "less" if pool(y, v, method="ML", test="z").estimate < 0 else "greater"
    if alternative not in ALTERNATIVES:
        raise ValueError(f"alternative must be one of {list(ALTERNATIVES)}, not {alternative!r}")
    # A power of 4, as in `prepare_batch`: scaling is exact.
    half = int(np.frexp(1 / np.mean(1 / v))[1]) // 2
    sign = -1.0 if alternative == "less" else 1.0
    scaled_y, scaled_v = sign * np.ldexp(y, -half), np.ldexp(v, -2 * half)

    z = scaled_y / np.sqrt(scaled_v)
    p = 2 * ndtr(-np.abs(z)) if alternative == "two.sided" else ndtr(-z)
    counts = np.bincount(np.searchsorted(ends[:-1], p, side="left"), minlength=intervals)
    empty = [str(j) for j in np.flatnonzero(counts == 0)]
    if empty:
        raise ValueError(
            f"no study has its p-value in interval {', '.join(empty)} (counted from 0): its chance "
            "of publication cannot be estimated, choose other steps"
        )
    problem = _Problem(scaled_y, scaled_v, *_cut(ends, alternative), counts.astype(np.float64))
    unselected = pool(scaled_y, scaled_v, method="ML", test="z")
    height, x, off = _search(problem, unselected.estimate, unselected.tau2, max_chance)
    errors, fine = _find_errors(problem, x, max_chance)
    # Where the likelihood is flat the place is arbitrary, and the note says so.
    if not np.isfinite(height) or (fine and off > STILL):
        raise ValueError("the selection model did not converge: no maximum of the likelihood found")
    delta = np.exp(np.concatenate([[0.0], x[2:]]))
    edge = bool((x[2:] >= np.log(max_chance) - 1e-9).any())
    notes = [
        NOTE_EDGE if edge else "",
        "" if fine else NOTE_FLAT,
        NOTE_ZERO if fine and x[1] == 0 else "",
        NOTE_LOST if (counts < 5).any() else "",
        NOTE_SMALL if k < FEW_STUDIES else "",
    ]
    unit = np.ldexp(1.0, half)
    offset = -k * half * np.log(2.0)
    plain = float(unselected.log_likelihood) + offset
    whole = height + offset
    lrt = max(0.0, 2 * (whole - plain))
    estimate, se = sign * float(x[0]) * unit, float(errors[0]) * unit
    normal = np.array(np.nan)
    reach = float(find_critical(level, normal)) * se
    return SelectionFit(
        k=k,
        estimate=estimate,
        se=se,
        ci_low=estimate - reach,
        ci_high=estimate + reach,
        statistic=estimate / se,
        p_value=float(find_p_value(np.array(estimate / se), normal)),
        tau2=float(x[1]) * unit**2,
        se_tau2=float(errors[1]) * unit**2,
        steps=ends,
        counts=counts.astype(np.int64),
        delta=delta,
        # The error of a chance from that of its log, as the likelihood is quadratic in neither.
        se_delta=np.concatenate([[np.nan], delta[1:] * errors[2:]]),
        log_likelihood=whole,
        log_likelihood_unselected=plain,
        lrt=lrt,
        lrt_df=intervals - 1,
        lrt_p_value=float(chdtrc(intervals - 1, lrt)),
        alternative=alternative,
        level=level,
        remark=join(notes),
    )


def _search(
    problem: _Problem, estimate: float | Array, tau2: float | Array, ceiling: float
) -> tuple[float, Array, float]:
    """Return the highest of the maxima found from a grid of starts, polished."""
    spread = float(np.var(problem.y))
    between = sorted({0.0, float(tau2), 0.25 * spread, 2 * spread})
    middle = float(estimate)
    reach = float(np.sqrt(float(tau2) + problem.v.min()))
    best, place = -np.inf, np.zeros(2 + problem.counts.size - 1)
    chances = (0.1, 1.0, 10.0)
    centres = sorted({middle, 0.0, middle + 2 * reach, middle - 2 * reach})
    for mu, t, chance in product(centres, between, chances):
        start = np.full(place.size, np.log(min(chance, ceiling)))
        start[:2] = mu, t
        height, x = _climb(problem, start, ceiling)
        if np.isfinite(height) and height > best + 1e-12:
            best, place = height, x
    return _polish(problem, place, ceiling) if np.isfinite(best) else (best, place, np.inf)
