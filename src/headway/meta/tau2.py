"""Estimators of the between-study variance tau2, for many sets of studies at once.

Closed forms: DL, HE, HS, HSk, SJ. Roots of a monotone function: PM and EB (the generalised Q equals
its degrees of freedom), PMM (its median), and the limits of the Q-profile interval. Maxima of a
likelihood: ML and REML.

Two things are done differently from the usual Fisher scoring. **No step size is absolute**: all
work is in units of the set's own variances, so results do not change with the unit of the outcome.
**The maximum is the global one**: the restricted likelihood can have several maxima (mean
differences of dat.gibson2002: one at 0, the higher one at 9.68), so the score is scanned over the
whole range in which it can vanish, each sign change is refined in its bracket, and likelihoods
decide.

A new estimator is one function of a :class:`~headway.meta.batch.Batch`, entered in ``METHODS``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.meta.batch import Batch
from headway.meta.distributions import find_chi2_quantile

Array = NDArray[np.float64]
Estimator = Callable[[Batch], Array]
_Curve = Callable[[Array, NDArray[Any]], tuple[Array, Array]]

# Spacing of the scan, in log(smallest variance + tau2). The score is built of terms that change on
# a scale of 1 there (each 1/(v + tau2) is a logistic curve), so a third of it resolves them, and
# cells whose curvature could hide a pair of roots are scanned again at an eighth of the spacing.
SCAN_STEP = 0.35
RESCAN_PARTS = 8
# Numbers in flight per block: 2 MB of weights stay in a processor's second-level cache.
BLOCK_SIZE = 1 << 17
# Newton steps are quadratic: one of this relative length leaves an error near its square.
STEP_TOLERANCE = 1e-9
MAX_STEPS = 200


# ── sums over studies ─────────────────────────────────────────────────────────────────────────


def weigh(batch: Batch, tau2: Array) -> tuple[Array, Array, Array]:
    """Return the weights 1/(v + tau2), their sum and the weighted mean."""
    w = 1 / (batch.v + tau2)
    w1 = w.sum(axis=0)
    return w, w1, (w * batch.y).sum(axis=0) / w1


def compute_q(batch: Batch, tau2: Array) -> Array:
    """Return the generalised Q statistic, the weighted sum of squares about the weighted mean."""
    w, _, mu = weigh(batch, tau2)
    return np.asarray((w * (batch.y - mu) ** 2).sum(axis=0))


def _known_v(batch: Batch) -> Array:
    """Return the variances with 0 for studies a set does not hold."""
    return np.where(batch.held, batch.v, 0.0)


def _sum_squares(batch: Batch) -> Array:
    """Return the unweighted sum of squares about the unweighted mean."""
    mean = batch.y.sum(axis=0) / batch.k
    return np.asarray((np.where(batch.held, batch.y - mean, 0.0) ** 2).sum(axis=0))


# ── closed forms ──────────────────────────────────────────────────────────────────────────────


def estimate_none(batch: Batch) -> Array:
    """Return 0: the common-effect model assumes it."""
    return np.zeros(batch.k.shape)


def estimate_dl(batch: Batch) -> Array:
    """DerSimonian and Laird (1986), equation 8: Q equated to its expectation."""
    w, w1, mu = weigh(batch, np.zeros(batch.k.shape))
    q = (w * (batch.y - mu) ** 2).sum(axis=0)
    return np.asarray(np.maximum((q - (batch.k - 1)) / (w1 - (w * w).sum(axis=0) / w1), 0))


def estimate_he(batch: Batch) -> Array:
    """Hedges and Olkin (1985): variance of the effects minus their mean sampling variance."""
    spread = _sum_squares(batch) / (batch.k - 1)
    return np.asarray(np.maximum(spread - _known_v(batch).sum(axis=0) / batch.k, 0))


def estimate_hs(batch: Batch) -> Array:
    """Schmidt and Hunter (2015): (Q − k) over the sum of the weights."""
    zero = np.zeros(batch.k.shape)
    return np.asarray(np.maximum((compute_q(batch, zero) - batch.k) / (1 / batch.v).sum(axis=0), 0))


def estimate_hsk(batch: Batch) -> Array:
    """HS with the small-sample factor k/(k − 1) on Q (Brannick et al. 2019)."""
    q = compute_q(batch, np.zeros(batch.k.shape))
    excess = q * batch.k / (batch.k - 1) - batch.k
    return np.asarray(np.maximum(excess / (1 / batch.v).sum(axis=0), 0))


def estimate_sj(batch: Batch) -> Array:
    """Sidik and Jonkman (2005), started at the variance of the effects with divisor k."""
    start = _sum_squares(batch) / batch.k
    # 1/(v/start + 1) = start/(v + start): the weights at tau2 = start, which vanish with it.
    q = compute_q(batch, start)
    return np.asarray(start * q / (batch.k - 1))


def compute_genq(batch: Batch, weights: Array) -> Array:
    """DerSimonian and Kacker (2007), equation 6: the method of moments with given weights."""
    total = weights.sum(axis=0)
    mu = (weights * batch.y).sum(axis=0) / total
    q = (weights * (batch.y - mu) ** 2).sum(axis=0)
    v = _known_v(batch)
    expected = (weights * v).sum(axis=0) - (weights**2 * v).sum(axis=0) / total
    return np.asarray(np.maximum((q - expected) / (total - (weights**2).sum(axis=0) / total), 0))


# ── roots in brackets ─────────────────────────────────────────────────────────────────────────


def _find_roots(curve: _Curve, low: Array, high: Array, start: Array, scale: Array) -> Array:
    """Solve curve(t) = 0 for many columns, each falling from + to − between `low` and `high`.

    Newton steps where they stay inside the bracket, bisection where they do not: it cannot fail
    and cannot leave the bracket. `curve` takes t and the columns it is for, and returns value and
    slope; a step is compared with t + `scale`.
    """
    root = start.copy()
    low, high = low.copy(), high.copy()
    active = np.arange(root.size)
    for step in range(MAX_STEPS):
        t = root[active]
        value, slope = curve(t, active)
        above = value > 0
        low[active] = lo = np.where(above, t, low[active])
        high[active] = hi = np.where(above, high[active], t)
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = t - value / slope
        inside = (newton >= lo) & (newton <= hi) & (slope < 0)
        # A Newton iteration that creeps along one side is cut short by an occasional bisection.
        inside &= step % 8 != 7
        following = np.where(inside, newton, (lo + hi) / 2)
        root[active] = following
        span = STEP_TOLERANCE * (t + scale[active])
        active = active[np.abs(following - t) > span]
        if active.size == 0:
            break
    return root


def solve_q(batch: Batch, target: Array) -> Array:
    """Return the tau2 at which the generalised Q equals `target`; 0 where Q is below it at 0.

    Q falls monotonically with tau2, so the root is unique. Its reciprocal is close to a straight
    line (exactly one for equal variances), so Newton is applied to that.
    """
    tau2 = np.zeros(batch.k.shape)
    todo = compute_q(batch, tau2) > target
    if not todo.any():
        return tau2
    part, goal = batch.select(todo), target[todo]
    smallest = part.v.min(axis=0)

    def fall(t: Array, columns: NDArray[Any]) -> tuple[Array, Array]:
        y, v = part.y[:, columns], part.v[:, columns]
        w = 1 / (v + t)
        terms = w * (y - (w * y).sum(axis=0) / w.sum(axis=0)) ** 2
        q = terms.sum(axis=0)
        return 1 / goal[columns] - 1 / q, -(w * terms).sum(axis=0) / q**2

    # Q(t) <= SS / (smallest v + t), hence the root is below SS / target - smallest v.
    high = 1.01 * _sum_squares(part) / goal
    low = np.zeros(high.shape)
    tau2[todo] = _find_roots(fall, low, high, low, smallest)
    return tau2


def estimate_pm(batch: Batch) -> Array:
    """Paule and Mandel (1982); the empirical Bayes estimator solves the same equation."""
    return solve_q(batch, (batch.k - 1).astype(np.float64))


def estimate_pmm(batch: Batch) -> Array:
    """Paule and Mandel's equation with the median of chi-squared (Viechtbauer 2021)."""
    return solve_q(batch, find_chi2_quantile(0.5, (batch.k - 1).astype(np.float64)))


# ── likelihoods ───────────────────────────────────────────────────────────────────────────────


def _score(y: Array, v: Array, t: Array, restricted: bool) -> Array:
    """Return twice the derivative of the profile log-likelihood in tau2."""
    w = 1 / (v + t)
    w1 = w.sum(axis=0)
    r = y - (w * y).sum(axis=0) / w1
    r *= w
    score = (r * r).sum(axis=0) - w1
    if restricted:
        score += (w * w).sum(axis=0) / w1
    return np.asarray(score)


def _score_and_slope(y: Array, v: Array, t: Array, restricted: bool) -> tuple[Array, Array]:
    w = 1 / (v + t)
    w1, ww = w.sum(axis=0), w * w
    w2 = ww.sum(axis=0)
    r = y - (w * y).sum(axis=0) / w1
    r *= w
    rr = r * r
    score = rr.sum(axis=0) - w1
    slope = w2 - 2 * (w * rr).sum(axis=0) + 2 * (w * r).sum(axis=0) ** 2 / w1
    if restricted:
        score += w2 / w1
        slope += (w2 / w1) ** 2 - 2 * (ww * w).sum(axis=0) / w1
    return score, slope


def compute_log_likelihood(batch: Batch, tau2: Array, restricted: bool) -> Array:
    """Return the profile log-likelihood of tau2, up to a constant."""
    w, w1, mu = weigh(batch, tau2)
    total = -np.log(np.where(batch.held, batch.v + tau2, 1.0)).sum(axis=0)
    total -= (w * (batch.y - mu) ** 2).sum(axis=0)
    return np.asarray((total - np.log(w1) if restricted else total) / 2)


def _scan(batch: Batch, restricted: bool) -> tuple[NDArray[np.int64], Array, Array]:
    """Return set number, low and high end of every cell in which the score falls through 0.

    The score cannot vanish beyond u = s2 + 2(v_max − v_min), with u = v_min + tau2 and s2 the
    variance of the effects. With all weights between 1/(u + v_max − v_min) and 1/u, the score is
    at most SS/u² − (k − 1)u/(u + v_max − v_min)²; and u³/(u + D)² ≥ u − 2D. The same bound holds
    for maximum likelihood.
    """
    smallest = batch.v.min(axis=0)
    width = np.where(batch.held, batch.v, 0.0).max(axis=0) - smallest
    # A twentieth more, so that the score is clearly negative at the end in spite of rounding.
    end = 1.05 * (_sum_squares(batch) / (batch.k - 1) + 2 * width)
    span = np.log(np.maximum(end / smallest, 1.0))
    cells = int(np.ceil(span.max() / SCAN_STEP))
    if cells == 0:
        nothing = np.zeros(0)
        return np.zeros(0, dtype=np.int64), nothing, nothing
    # Points of a set lie at multiples of one step whatever else is in the batch: the answer for a
    # set must not depend on its company.
    x = np.minimum(SCAN_STEP * np.arange(cells + 1)[:, None], span)
    t = smallest * np.expm1(x)
    g = np.empty_like(t)
    rows = max(1, BLOCK_SIZE // max(1, batch.y.size))
    for i in range(0, cells + 1, rows):
        block = t[i : i + rows]
        g[i : i + rows] = _score(batch.y[:, None, :], batch.v[:, None, :], block, restricted)
    g *= smallest + t
    found = (g[:-1] > 0) & (g[1:] <= 0)
    cell, number = np.nonzero(found)
    low, high = t[cell, number], t[cell + 1, number]
    # A straight line through both ends of a cell is off by at most an eighth of the second
    # difference, so only cells this close to 0 could hide two roots; four times that, for safety.
    bend = np.zeros_like(g)
    bend[1:-1] = np.abs(g[:-2] - 2 * g[1:-1] + g[2:])
    if cells > 1:
        bend[0], bend[-1] = bend[1], bend[-2]
    near = np.minimum(np.abs(g[:-1]), np.abs(g[1:])) < np.maximum(bend[:-1], bend[1:]) / 2
    hidden = near & ((g[:-1] > 0) == (g[1:] > 0)) & (t[1:] > t[:-1])
    if hidden.any():
        cell, again = np.nonzero(hidden)
        part = np.linspace(0, 1, RESCAN_PARTS + 1)[:, None]
        fine = x[cell, again] * (1 - part) + x[cell + 1, again] * part
        t = smallest[again] * np.expm1(fine)
        s = np.empty_like(t)
        for i in range(RESCAN_PARTS + 1):
            s[i] = _score(batch.y[:, again], batch.v[:, again], t[i], restricted)
        cell, column = np.nonzero((s[:-1] > 0) & (s[1:] <= 0))
        number = np.concatenate([number, again[column]])
        low = np.concatenate([low, t[cell, column]])
        high = np.concatenate([high, t[cell + 1, column]])
    return number.astype(np.int64), low, high


def _maximise_block(batch: Batch, restricted: bool) -> Array:
    sets = batch.k.size
    number, low, high = _scan(batch, restricted)
    y, v = batch.y[:, number], batch.v[:, number]

    def fall(t: Array, columns: NDArray[Any]) -> tuple[Array, Array]:
        if columns.size == number.size:
            return _score_and_slope(y, v, t, restricted)
        return _score_and_slope(y[:, columns], v[:, columns], t, restricted)

    root = _find_roots(fall, low, high, (low + high) / 2, v.min(axis=0, initial=np.inf))
    # Zero is a (boundary) maximum where the likelihood falls from it.
    at_zero = np.flatnonzero(_score(batch.y, batch.v, np.zeros(sets), restricted) <= 0)
    number = np.concatenate([number, at_zero])
    root = np.concatenate([root, np.zeros(at_zero.size)])
    best = np.zeros(sets)
    best[number] = root
    contested = np.bincount(number, minlength=sets) > 1
    if contested.any():
        rival = contested[number]
        number, root = number[rival], root[rival]
        pair = Batch(
            batch.y[:, number],
            batch.v[:, number],
            batch.held[:, number],
            batch.k[number],
            batch.centre[number],
            batch.unit[number],
            (),
        )
        height = compute_log_likelihood(pair, root, restricted)
        # Ascending height, so that the highest is written last; of equals the smaller tau2.
        order = np.lexsort((-root, height))
        best[number[order]] = root[order]
    return best


def _maximise(batch: Batch, restricted: bool) -> Array:
    """Return the global maximum of the (restricted) likelihood, block by block."""
    studies, sets = batch.y.shape
    per_block = max(1, BLOCK_SIZE // studies)
    if sets <= per_block:
        return _maximise_block(batch, restricted)
    tau2 = np.empty(sets)
    for i in range(0, sets, per_block):
        some = slice(i, i + per_block)
        part = Batch(
            np.ascontiguousarray(batch.y[:, some]),
            np.ascontiguousarray(batch.v[:, some]),
            batch.held[:, some],
            batch.k[some],
            batch.centre[some],
            batch.unit[some],
            (),
        )
        tau2[some] = _maximise_block(part, restricted)
    return tau2


def estimate_ml(batch: Batch) -> Array:
    """Maximum likelihood (Hardy and Thompson 1996), the global maximum."""
    return _maximise(batch, restricted=False)


def estimate_reml(batch: Batch) -> Array:
    """Restricted maximum likelihood (Viechtbauer 2005), the global maximum."""
    return _maximise(batch, restricted=True)


METHODS: dict[str, tuple[Estimator, str]] = {
    "EE": (estimate_none, "common effect"),
    "DL": (estimate_dl, "DerSimonian-Laird"),
    "HE": (estimate_he, "Hedges"),
    "HS": (estimate_hs, "Hunter-Schmidt"),
    "HSk": (estimate_hsk, "Hunter-Schmidt, small-sample corrected"),
    "SJ": (estimate_sj, "Sidik-Jonkman"),
    "ML": (estimate_ml, "maximum likelihood"),
    "REML": (estimate_reml, "restricted maximum likelihood"),
    "EB": (estimate_pm, "empirical Bayes"),
    "PM": (estimate_pm, "Paule-Mandel"),
    "PMM": (estimate_pmm, "Paule-Mandel, median"),
}


# GENQ is apart because it needs weights of the caller.
NAMES = {**{code: words for code, (_, words) in METHODS.items()}, "GENQ": "generalised Q"}


def check_method(method: str) -> str:
    """Return `method` if it is known."""
    if method not in NAMES:
        raise ValueError(f"method must be one of {list(NAMES)}, not {method!r}")
    return method


def estimate_tau2(batch: Batch, method: str) -> Array:
    """Return tau2 of each set in the batch's own unit; 0 for one study, NaN for none."""
    if method not in METHODS:
        raise ValueError(f"method {method} needs weights: see pool()")
    tau2 = np.where(batch.k > 0, 0.0, np.nan)
    several = batch.k > 1
    if several.any():
        tau2[several] = METHODS[method][0](batch.select(several))
    return tau2
