"""Estimators of the between-study variance that moderators leave unexplained.

The same estimators as in :mod:`headway.meta.tau2`, with a design matrix: every sum of squares is
taken about the fitted values, and k − p replaces k − 1. With W = diag(1/(v + tau2)) and
P = W − WX(X'WX)⁻¹X'W they need y'Py, y'PPy and traces of powers of P, which are sums over studies
and traces of p × p matrices; no k × k matrix is ever formed.

One design serves a whole batch: permuting moderators among studies is permuting effects and
variances together, and a study left out has weight 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headway.meta.batch import Batch
from headway.meta.distributions import find_chi2_quantile
from headway.meta.solvers import Columns, Curve, climb, find_roots
from headway.meta.tau2 import find_end

Array = NDArray[np.float64]

# Numbers in flight per block, as in headway.meta.tau2.
BLOCK_SIZE = 1 << 17
# Below this share of the largest eigenvalue a set's own studies do not determine all coefficients.
SINGULAR = 1e-12


@dataclass(frozen=True, slots=True)
class Mixed:
    """Sets of studies with one design: arrays of the batch with studies along the last axis.

    Attributes
    ----------
    y, v : ndarray, shape (sets, k)
        As in :class:`~headway.meta.batch.Batch`, transposed.
    held : ndarray of bool, shape (sets, k)
    q : ndarray, shape (k, p)
        Design with orthonormal columns.
    qq : ndarray, shape (k, p * p)
        Products of its columns, row by row.
    """

    y: Array
    v: Array
    held: NDArray[np.bool_]
    q: Array
    qq: Array

    @property
    def df(self) -> Array:
        """Residual degrees of freedom of each set."""
        return np.asarray(self.held.sum(axis=1) - self.q.shape[1], dtype=np.float64)

    def cross(self, w: Array) -> Array:
        """Return Q' diag(w) Q for each row of w, shape (n, p, p)."""
        p = self.q.shape[1]
        return np.asarray((w @ self.qq).reshape(*w.shape[:-1], p, p))


def prepare_mixed(batch: Batch, q: Array) -> Mixed:
    """Combine a batch with an orthonormal design."""
    products = (q[:, :, None] * q[:, None, :]).reshape(q.shape[0], -1)
    return Mixed(
        np.ascontiguousarray(batch.y.T), np.ascontiguousarray(batch.v.T), batch.held.T, q, products
    )


def find_determined(mixed: Mixed) -> NDArray[np.bool_]:
    """Tell which sets hold enough studies to determine every coefficient."""
    eigen = np.linalg.eigvalsh(mixed.cross(mixed.held.astype(np.float64)))
    enough = eigen[:, 0] > SINGULAR * np.maximum(eigen[:, -1], 1)
    return np.asarray(enough & (mixed.df >= 0))


@dataclass(frozen=True, slots=True)
class Solution:
    """Weighted least squares at given weights: w, Q'WQ, its inverse, coefficients, residuals."""

    w: Array
    a: Array
    inverse: Array
    beta: Array
    residual: Array

    @property
    def rss(self) -> Array:
        """Weighted residual sum of squares, y'Py."""
        return np.asarray((self.w * self.residual**2).sum(axis=-1))


def solve(mixed: Mixed, w: Array, columns: Columns = slice(None)) -> Solution:
    """Fit by weighted least squares, one row of weights per set."""
    y = mixed.y[columns]
    a = mixed.cross(w)
    inverse: Array = np.asarray(np.linalg.inv(a), dtype=np.float64)
    beta = np.einsum("...ij,...j->...i", inverse, (w * y) @ mixed.q)
    # One step of refinement: the coefficients are then as good as the residuals.
    beta = beta + np.einsum("...ij,...j->...i", inverse, (w * (y - beta @ mixed.q.T)) @ mixed.q)
    return Solution(w, a, inverse, beta, y - beta @ mixed.q.T)


def _trace(left: Array, right: Array) -> Array:
    return np.asarray(np.einsum("...ij,...ji->...", left, right))


def trace_p(mixed: Mixed, s: Solution) -> Array:
    """Return tr(P)."""
    return np.asarray(s.w.sum(axis=-1) - _trace(s.inverse, mixed.cross(s.w**2)))


def trace_pp(mixed: Mixed, s: Solution, v: Array | None = None, twice: bool = False) -> Array:
    """Return tr(PP), tr(PVP) with `v`, tr(PVPV) with `twice`."""
    once = 1.0 if v is None else v
    second = once if twice else 1.0
    one = s.inverse @ mixed.cross(s.w**2 * once)
    two = s.inverse @ mixed.cross(s.w**2 * second)
    total = (s.w**2 * once * second).sum(axis=-1)
    total = total - 2 * _trace(s.inverse, mixed.cross(s.w**3 * once * second))
    return np.asarray(total + _trace(one, two))


# ── estimators ────────────────────────────────────────────────────────────────────────────────


def _known_v(mixed: Mixed) -> Array:
    return np.where(mixed.held, mixed.v, 0.0)


def _estimate_moments(mixed: Mixed, w: Array) -> Array:
    """Equate y'Py to its expectation for given weights: DL with 1/v, HE with 1, GENQ with any."""
    s = solve(mixed, w)
    v = _known_v(mixed)
    expected = (w * v).sum(axis=-1) - _trace(s.inverse, mixed.cross(w**2 * v))
    return np.asarray(np.maximum((s.rss - expected) / trace_p(mixed, s), 0))


def _spread(mixed: Mixed) -> Array:
    """Return the variance of the effects about their plain mean, with divisor k."""
    k = mixed.held.sum(axis=1)
    mean = mixed.y.sum(axis=1) / k
    return np.asarray((np.where(mixed.held, mixed.y - mean[:, None], 0.0) ** 2).sum(axis=1) / k)


def _estimate_hs(mixed: Mixed, corrected: bool) -> Array:
    s = solve(mixed, 1 / mixed.v)
    k = mixed.held.sum(axis=1)
    factor = k / mixed.df if corrected else 1.0
    return np.asarray(np.maximum((factor * s.rss - k) / s.w.sum(axis=-1), 0))


def _estimate_sj(mixed: Mixed) -> Array:
    start = _spread(mixed)
    s = solve(mixed, 1 / (mixed.v + start[:, None]))
    return np.asarray(start * s.rss / mixed.df)


def solve_q_mixed(mixed: Mixed, batch: Batch, target: Array) -> Array:
    """Return the tau2 at which y'Py equals `target`; 0 where it is below that at 0."""
    tau2 = np.zeros(mixed.y.shape[0])
    at_zero = solve(mixed, 1 / mixed.v)
    todo = np.flatnonzero(at_zero.rss > target)
    if todo.size == 0:
        return tau2
    goal = target[todo]

    def fall(t: Array, columns: Columns) -> tuple[Array, Array]:
        some = todo[columns]
        s = solve(mixed, 1 / (mixed.v[some] + t[:, None]), some)
        q = s.rss
        return 1 / goal[columns] - 1 / q, -((s.w * s.residual) ** 2).sum(axis=-1) / q**2

    # With all weights at most 1/(smallest v + t): y'Py <= RSS / (smallest v + t).
    plain = solve(mixed, mixed.held.astype(np.float64)).rss[todo]
    high = 1.01 * plain / goal
    low = np.zeros(high.shape)
    tau2[todo] = find_roots(fall, low, high, low, batch.v.min(axis=0)[todo])
    return tau2


def compute_mixed_log_likelihood(
    mixed: Mixed,
    t: Array,
    restricted: bool,
    columns: Columns = slice(None),
    unit: Array | None = None,
) -> Array:
    """Return the profile log-likelihood of tau2, up to a constant.

    With the `unit` of each set nothing is left out, and it is that of the effects in the caller's
    unit; the determinant of X'X is kept as R's metafor does.
    """
    held = mixed.held[columns]
    v = mixed.v[columns] + t[..., None]
    s = solve(mixed, 1 / v, columns)
    total = -np.log(np.where(held, v, 1.0)).sum(axis=-1) - s.rss
    if restricted:
        total = total - np.linalg.slogdet(s.a)[1]
    if unit is not None:
        if restricted:
            total = total + np.linalg.slogdet(mixed.cross(held.astype(np.float64)))[1]
        count = held.sum(axis=-1) - (mixed.q.shape[1] if restricted else 0)
        total = total - count * (np.log(2 * np.pi) + np.log(unit))
    return np.asarray(total / 2)


def _score_and_slope(
    mixed: Mixed, t: Array, restricted: bool, columns: Columns, slope: bool
) -> tuple[Array, Array]:
    """Return twice the derivative of the log-likelihood in tau2, and its slope."""
    s = solve(mixed, 1 / (mixed.v[columns] + t[..., None]), columns)
    u = s.w * s.residual
    value = (u * u).sum(axis=-1)
    value = value - (trace_p(mixed, s) if restricted else s.w.sum(axis=-1))
    if not slope:
        return value, value
    wu = s.w * u
    inner = np.einsum("...i,...ij,...j->...", wu @ mixed.q, s.inverse, wu @ mixed.q)
    change = -2 * ((wu * u).sum(axis=-1) - inner)
    change = change + (trace_pp(mixed, s) if restricted else (s.w**2).sum(axis=-1))
    return value, change


def _maximise(mixed: Mixed, batch: Batch, restricted: bool) -> Array:
    smallest, end = find_end(solve(mixed, mixed.held.astype(np.float64)).rss / mixed.df, batch)

    def score(t: Array, columns: Columns) -> Array:
        # Points down the first axis, sets along the second, as the scan has them.
        return _score_and_slope(mixed, t, restricted, columns, False)[0]

    def at(number: NDArray[np.int64]) -> Curve:
        def fall(t: Array, columns: Columns) -> tuple[Array, Array]:
            return _score_and_slope(mixed, t, restricted, number[columns], True)

        return fall

    def height(t: Array, columns: Columns) -> Array:
        return compute_mixed_log_likelihood(mixed, t, restricted, columns)

    rows = max(1, BLOCK_SIZE // max(1, mixed.y.size))
    return climb(score, at, height, smallest, end, rows)


def estimate_mixed(mixed: Mixed, batch: Batch, method: str, weights: Array | None = None) -> Array:
    """Return tau2 of each set in the batch's own unit; 0 where no degrees of freedom are left."""
    sets, k = mixed.y.shape
    per_block = max(1, BLOCK_SIZE // k)
    if sets > per_block:
        parts = []
        for i in range(0, sets, per_block):
            some = slice(i, i + per_block)
            part = Mixed(mixed.y[some], mixed.v[some], mixed.held[some], mixed.q, mixed.qq)
            own = None if weights is None else weights[some]
            parts.append(estimate_mixed(part, batch.take(some), method, own))
        return np.concatenate(parts)
    tau2 = np.zeros(sets)
    free = mixed.df > 0
    if method == "EE" or not free.any():
        return tau2
    if not free.all():
        part = Mixed(mixed.y[free], mixed.v[free], mixed.held[free], mixed.q, mixed.qq)
        own = None if weights is None else weights[free]
        tau2[free] = estimate_mixed(part, batch.select(free), method, own)
        return tau2
    if method == "DL":
        return _estimate_moments(mixed, 1 / mixed.v)
    if method == "HE":
        return _estimate_moments(mixed, mixed.held.astype(np.float64))
    if method == "GENQ" and weights is not None:
        return _estimate_moments(mixed, weights)
    if method in ("HS", "HSk"):
        return _estimate_hs(mixed, method == "HSk")
    if method == "SJ":
        return _estimate_sj(mixed)
    if method in ("PM", "EB"):
        return solve_q_mixed(mixed, batch, mixed.df)
    if method == "PMM":
        return solve_q_mixed(mixed, batch, find_chi2_quantile(0.5, mixed.df))
    return _maximise(mixed, batch, method == "REML")


def compute_mixed_se_tau2(
    mixed: Mixed, method: str, tau2: Array, weights: Array | None = None
) -> Array:
    """Return the asymptotic standard error of tau2, see :mod:`headway.meta.tau2`."""
    k, df = mixed.held.sum(axis=1), mixed.df
    if method in ("ML", "REML", "EB", "PM", "PMM"):
        s = solve(mixed, 1 / (mixed.v + tau2[:, None]))
        if method == "ML":
            return np.asarray(np.sqrt(2 / (s.w**2).sum(axis=-1)))
        if method == "REML":
            return np.asarray(np.sqrt(2 / trace_pp(mixed, s)))
        return np.asarray(np.sqrt(2 * k**2 / df) / s.w.sum(axis=-1))
    start = _spread(mixed)
    if weights is not None:
        w = weights
    elif method == "HE":
        w = mixed.held.astype(np.float64)
    elif method == "SJ":
        w = 1 / (mixed.v + start[:, None])
    else:
        w = 1 / mixed.v
    s, v = solve(mixed, w), _known_v(mixed)
    total = trace_pp(mixed, s, v, twice=True) + 2 * tau2 * trace_pp(mixed, s, v)
    root = np.sqrt(2 * (total + tau2**2 * trace_pp(mixed, s)))
    if method in ("HS", "HSk"):
        divisor = w.sum(axis=-1) * (df / k if method == "HSk" else 1)
    elif method == "SJ":
        divisor = df / start
    else:
        divisor = trace_p(mixed, s)
    return np.asarray(root / divisor)
