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

import numpy as np
from numpy.typing import NDArray

from headway.meta.batch import Batch
from headway.meta.distributions import find_chi2_quantile
from headway.meta.solvers import Columns, Curve, Single, climb, find_roots

Array = NDArray[np.float64]
Estimator = Callable[[Batch], Array]

LOG_TWO_PI = float(np.log(2 * np.pi))
# Numbers in flight per block: 2 MB of weights stay in a processor's second-level cache.
BLOCK_SIZE = 1 << 17

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

    def fall(t: Array, columns: Columns) -> tuple[Array, Array]:
        y, v = part.y[:, columns], part.v[:, columns]
        w = 1 / (v + t)
        terms = w * (y - (w * y).sum(axis=0) / w.sum(axis=0)) ** 2
        q = terms.sum(axis=0)
        return 1 / goal[columns] - 1 / q, -(w * terms).sum(axis=0) / q**2

    # Q(t) <= SS / (smallest v + t), hence the root is below SS / target - smallest v.
    high = 1.01 * _sum_squares(part) / goal
    low = np.zeros(high.shape)
    tau2[todo] = find_roots(fall, low, high, low, smallest)
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


def _score_and_slope_of_one(y: Array, v: Array, t: float, restricted: bool) -> tuple[float, float]:
    """Return what :func:`_score_and_slope` returns, of one set at one t, with few calls."""
    w = 1 / (v + t)
    w1, ww = float(w.sum()), w * w
    w2 = float(ww.sum())
    r = (y - float(w @ y) / w1) * w
    wr = w * r
    score = float(r @ r) - w1
    slope = w2 - 2 * float(wr @ r) + 2 * float(wr.sum()) ** 2 / w1
    if restricted:
        score += w2 / w1
        slope += (w2 / w1) ** 2 - 2 * float(ww @ w) / w1
    return score, slope


def compute_score(batch: Batch, tau2: Array, restricted: bool) -> Array:
    """Return twice the derivative of the profile log-likelihood at tau2."""
    return _score(batch.y, batch.v, tau2, restricted)


def compute_log_likelihood(
    batch: Batch,
    tau2: Array,
    restricted: bool,
    whole: bool = False,
    weighed: tuple[Array, Array, Array] | None = None,
) -> Array:
    """Return the profile log-likelihood of tau2, up to a constant.

    With `whole` nothing is left out, and it is that of the effects in the caller's unit. `weighed`
    is what :func:`weigh` gives at `tau2`, where it is known already.
    """
    w, w1, mu = weighed or weigh(batch, tau2)
    # Studies that a set does not hold have weight 0.
    total = np.log(w, out=np.zeros_like(w), where=w > 0).sum(axis=0)
    total -= (w * (batch.y - mu) ** 2).sum(axis=0)
    if restricted:
        total -= np.log(w1)
    if whole:
        # The determinant of X'X, which is k here, is kept as R's metafor does.
        total += np.log(batch.k) if restricted else 0.0
        total -= (batch.k - restricted) * (LOG_TWO_PI + np.log(batch.unit))
    return np.asarray(total / 2)


def find_end(spread: Array, batch: Batch) -> tuple[Array, Array]:
    """Return the smallest variance of each set, and that plus a tau2 past every maximum.

    The score cannot vanish beyond u = s2 + v_max − v_min, with u = v_min + tau2 and s2 = SS/(k − p)
    the residual variance of the effects, `spread`: with all weights between 1/(u + v_max − v_min)
    and 1/u the score is at most SS/u² − (k − p)/(u + v_max − v_min). The same bound holds for
    maximum likelihood.
    """
    smallest = batch.v.min(axis=0)
    width = np.where(batch.held, batch.v, 0.0).max(axis=0) - smallest
    # A twentieth more, so that the score is clearly negative at the end in spite of rounding.
    return smallest, 1.05 * (spread + width)


def _maximise_block(batch: Batch, restricted: bool) -> Array:
    smallest, end = find_end(_sum_squares(batch) / (batch.k - 1), batch)

    def score(t: Array, columns: Columns) -> Array:
        return _score(batch.y[:, None, columns], batch.v[:, None, columns], t, restricted)

    def at(number: NDArray[np.int64]) -> Curve:
        y, v = batch.y[:, number], batch.v[:, number]

        def fall(t: Array, columns: Columns) -> tuple[Array, Array]:
            return _score_and_slope(y[:, columns], v[:, columns], t, restricted)

        return fall

    def alone(column: int) -> Single:
        held = batch.held[:, column]
        y, v = batch.y[held, column], batch.v[held, column]
        return lambda t: _score_and_slope_of_one(y, v, t, restricted)

    def height(t: Array, columns: Columns) -> Array:
        return compute_log_likelihood(batch.take(columns), t[0], restricted)[None]

    rows = max(1, BLOCK_SIZE // max(1, batch.y.size))
    return climb(score, at, height, smallest, end, rows, alone)


def _maximise(batch: Batch, restricted: bool) -> Array:
    """Return the global maximum of the (restricted) likelihood, block by block."""
    studies, sets = batch.y.shape
    per_block = max(1, BLOCK_SIZE // studies)
    if sets <= per_block:
        return _maximise_block(batch, restricted)
    tau2 = np.empty(sets)
    for i in range(0, sets, per_block):
        some = slice(i, i + per_block)
        tau2[some] = _maximise_block(batch.take(some), restricted)
    return tau2


def estimate_ml(batch: Batch) -> Array:
    """Maximum likelihood (Hardy and Thompson 1996), the global maximum."""
    return _maximise(batch, restricted=False)


def estimate_reml(batch: Batch) -> Array:
    """Restricted maximum likelihood (Viechtbauer 2005), the global maximum."""
    return _maximise(batch, restricted=True)


# ── standard errors ───────────────────────────────────────────────────────────────────────────


def compute_se_tau2(batch: Batch, method: str, tau2: Array, weights: Array | None = None) -> Array:
    """Return the asymptotic standard error of tau2, by the formula of its estimator.

    With P the matrix that gives Q = y'Py, moment estimators have the variance of a quadratic form
    in normal effects, 2 tr(PΣPΣ) with Σ = V + tau2 I, over the squared divisor; the likelihood
    ones have the inverse of the expected information; EB, PM and PMM the form of metafor, with
    the sum of weights.
    """
    k = batch.k
    df = k - 1
    if method in ("ML", "REML", "EB", "PM", "PMM"):
        w = 1 / (batch.v + tau2)
        w1, w2 = w.sum(axis=0), (w * w).sum(axis=0)
        if method == "ML":
            return np.asarray(np.sqrt(2 / w2))
        if method == "REML":
            return np.asarray(np.sqrt(2 / (w2 - 2 * (w**3).sum(axis=0) / w1 + (w2 / w1) ** 2)))
        return np.asarray(np.sqrt(2 * k**2 / df) / w1)
    if weights is not None:
        w = weights
    elif method == "HE":
        w = np.where(batch.held, 1.0, 0.0)
    elif method == "SJ":
        w = 1 / (batch.v + _sum_squares(batch) / k)
    else:
        w = 1 / batch.v
    w1 = w.sum(axis=0)
    wv = w * _known_v(batch)
    # tr(PP), tr(PVP) and tr(PVPV) for P = W - ww'/w1, written out.
    w2 = (w * w).sum(axis=0)
    pp = w2 - 2 * (w**3).sum(axis=0) / w1 + (w2 / w1) ** 2
    pvp = (w * wv).sum(axis=0) - 2 * (w * w * wv).sum(axis=0) / w1
    pvp += w2 * (w * wv).sum(axis=0) / w1**2
    pvpv = (wv * wv).sum(axis=0) - 2 * (w * wv * wv).sum(axis=0) / w1
    pvpv += ((w * wv).sum(axis=0) / w1) ** 2
    root = np.sqrt(2 * (pvpv + 2 * tau2 * pvp + tau2**2 * pp))
    if method in ("HS", "HSk"):
        divisor = w1 * (df / k if method == "HSk" else 1)
    elif method == "SJ":
        divisor = df / (_sum_squares(batch) / k)
    else:
        divisor = w1 - w2 / w1
    return np.asarray(root / divisor)


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
    several = batch.k > 1
    if several.all():
        return METHODS[method][0](batch)
    tau2 = np.where(batch.k > 0, 0.0, np.nan)
    if several.any():
        tau2[several] = METHODS[method][0](batch.select(several))
    return tau2
