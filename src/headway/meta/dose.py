"""Trends over doses within trials, in two stages: a slope (or curve) of each trial, then pooled.

Contrasts of a trial's doses with its reference arm share that arm. Each trial's trend is fitted by
generalised least squares with their covariance; the trends are then pooled as any effects are.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.effects.shared import describe_positions
from headway.meta.batch import number_labels, read_labels, read_numbers
from headway.meta.distributions import (
    check_level,
    find_chi2_tail,
    find_critical,
    find_f_tail,
    find_p_value,
)
from headway.meta.methods import describe_dose, write
from headway.meta.multilevel import fit_multilevel, read_covariance
from headway.meta.notes import Described
from headway.meta.pooling import describe_test, pool

Array = NDArray[np.float64]
KINDS = ("odds", "risk", "rate")


@dataclass(frozen=True, slots=True, repr=False)
class DoseResponse(Described):
    """A pooled trend.

    Attributes
    ----------
    names : tuple of str
        ``dose``, and ``spline 1``… of a restricted cubic spline.
    estimate, se, ci_low, ci_high, p_value : ndarray, shape (p,)
        In the unit of ``yi`` per unit of dose.
    vcov : ndarray, shape (p, p)
    df : float
        Of the tests; NaN where they are normal.
    covariance : ndarray, shape (p, p)
        Of the trends between trials; zero under ``EE``.
    q, q_df, q_p_value : float
        Whether trends differ between trials.
    p_nonlinear : float
        Test of all coefficients but the first; NaN of a line.
    k : int
        Trials pooled.
    trials : tuple
        Their labels.
    slopes : ndarray, shape (k, p)
        Their own trends.
    left_out : tuple
        Trials with fewer doses than a trend has coefficients.
    knots : tuple of float
    method, test, level, remark, ci_code
        As in :class:`headway.meta.Fit`.
    """

    names: tuple[str, ...]
    estimate: Array
    se: Array
    ci_low: Array
    ci_high: Array
    p_value: Array
    vcov: Array
    df: float
    covariance: Array
    q: float
    q_df: int
    q_p_value: float
    p_nonlinear: float
    k: int
    trials: tuple[Hashable, ...]
    slopes: Array
    left_out: tuple[Hashable, ...]
    knots: tuple[float, ...]
    method: str
    test: str
    level: float
    remark: str
    ci_code: str

    def predict(self, doses: ArrayLike, reference: float = 0.0) -> tuple[Array, Array, Array]:
        """Return the effect of doses against a reference dose, with its confidence limits."""
        at = read_numbers(np.atleast_1d(doses), "doses")
        x = spread_dose(at, self.knots) - spread_dose(np.array([reference]), self.knots)
        fitted = x @ self.estimate
        se = np.sqrt(np.einsum("ij,jk,ik->i", x, self.vcov, x))
        half = find_critical(self.level, np.full(se.shape, self.df)) * se
        return fitted, fitted - half, fitted + half

    def methods_text(self, outcome: str = "") -> str:
        """Return the sentences a paper needs on how this was computed, with references."""
        return write(describe_dose(self, outcome))

    def __repr__(self) -> str:
        pairs = zip(self.names, self.estimate, self.ci_low, self.ci_high, strict=True)
        text = ", ".join(f"{name} {b:.4g} [{low:.4g}, {high:.4g}]" for name, b, low, high in pairs)
        return f"DoseResponse({self.method}, k={self.k}: {text})"


def spread_dose(doses: ArrayLike, knots: Sequence[float] = ()) -> Array:
    """Return a dose as it is, or as a restricted cubic spline: linear beyond the outer knots.

    Parameters
    ----------
    doses : array_like, shape (n,)
    knots : sequence of float
        None for a line, else three or more in rising order.

    Returns
    -------
    ndarray, shape (n, max(1, knots − 1))
        The dose, then its cubic terms in the unit of the dose.

    Raises
    ------
    ValueError
        One or two knots, or knots that do not rise.

    Notes
    -----
    Harrell (2015), equation 2.25, with the terms divided by the squared range of the knots.
    """
    x = read_numbers(doses, "doses")
    if x.ndim != 1 or not np.isfinite(x).all():
        raise ValueError("doses must be finite numbers, in one dimension")
    if not len(knots):
        return x[:, None]
    t = np.asarray(knots, dtype=np.float64)
    if t.size < 3 or not (np.diff(t) > 0).all():
        raise ValueError("a restricted cubic spline needs three or more rising knots")
    cubes = np.maximum(x[:, None] - t, 0.0) ** 3
    gap = t[-1] - t[-2]
    last = (t[-1] - t[:-2]) / gap
    before = (t[-2] - t[:-2]) / gap
    terms = cubes[:, :-2] - cubes[:, [-2]] * last + cubes[:, [-1]] * before
    return np.column_stack([x, terms / (t[-1] - t[0]) ** 2])


def greenland_longnecker(
    yi: ArrayLike, vi: ArrayLike, cases: ArrayLike, people: ArrayLike, kind: str = "risk"
) -> Array:
    """Return the covariance of a trial's adjusted log ratios that share a reference group.

    Unadjusted ratios need no such reconstruction: see :func:`headway.meta.share_control`.

    Parameters
    ----------
    yi, vi : array_like, shape (m,)
        Log ratios against the reference, and their variances as printed.
    cases, people : array_like, shape (m + 1,)
        Cases, and people (person-time of rates) of each group, the reference first.
    kind : {"risk", "odds", "rate"}
        What the ratios are of.

    Returns
    -------
    ndarray, shape (m, m)

    Raises
    ------
    ValueError
        Unknown `kind`, arrays of other length, counts that are not above 0, more cases than people.

    Notes
    -----
    Greenland and Longnecker (1992): counts with the margins of the printed ones and the adjusted
    ratios give correlations; the printed variances stay. Checked against that paper's data on
    alcohol and breast cancer as the reference pages of R's dosresmeta print them. For risks that
    package fits the counts to odds ratios, which here are fitted to the risk ratios that they are.
    """
    y, v = read_numbers(yi, "yi"), read_numbers(vi, "vi")
    a, n = read_numbers(cases, "cases"), read_numbers(people, "people")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {list(KINDS)}, not {kind!r}")
    if y.ndim != 1 or v.shape != y.shape or a.shape != (y.size + 1,) or n.shape != a.shape:
        raise ValueError("cases and people hold one entry more than yi and vi: the reference first")
    bad = ~((a > 0) & (n > 0) & ((n > a) | (kind == "rate")))
    if bad.any():
        raise ValueError(f"cases must lie between 0 and people: see {describe_positions(bad)}")
    ratio = np.exp(np.append(0.0, y))
    fitted = _fit_counts(ratio, float(a.sum()), n, kind)
    if not (kind == "rate" or (fitted < n).all()):
        raise ValueError("no counts with these margins have these ratios")
    own = 1 / fitted
    if kind == "odds":
        own = own + 1 / (n - fitted)
    elif kind == "risk":
        own = own - 1 / n
    crude = own[1:] + own[0]
    matrix = own[0] * np.sqrt(np.outer(v / crude, v / crude))
    matrix[np.diag_indices(y.size)] = v
    return read_covariance(matrix, y.size)


def _fit_counts(ratio: Array, total: float, n: Array, kind: str) -> Array:
    """Find cases with a given total and ratios to the first group."""
    if kind != "odds":
        share = ratio * n
        return np.asarray(total * share / share.sum())
    # The total rises with the odds of the reference: halve its log odds until it fits.
    low, high = -50.0, 50.0
    for _ in range(200):
        middle = (low + high) / 2
        odds = ratio * np.exp(middle)
        low, high = (middle, high) if (n * odds / (1 + odds)).sum() < total else (low, middle)
    return np.asarray(n * odds / (1 + odds))


def dose_response(
    yi: ArrayLike,
    v: ArrayLike,
    doses: ArrayLike,
    reference: ArrayLike,
    trials: Sequence[Any] | ArrayLike,
    *,
    knots: Sequence[float] = (),
    method: str = "REML",
    test: str = "",
    level: float = 0.95,
) -> DoseResponse:
    """Fit the trend of effects over doses within trials, and pool it.

    Parameters
    ----------
    yi : array_like, shape (k,)
        Contrasts of an arm with its trial's reference arm.
    v : array_like, shape (k, k)
        Their covariance: :func:`headway.meta.share_control`,
        :func:`headway.meta.share_control_smd` or :func:`greenland_longnecker`.
    doses, reference : array_like, shape (k,)
        Dose of the arm, and of the reference arm that it is compared with.
    trials : sequence, shape (k,)
    knots : sequence of float
        Of a restricted cubic spline; none for a line. Harrell (2015) puts three at the 10th, 50th
        and 90th percentile of the doses.
    method : str
        Of a line as for :func:`headway.meta.pool`; of a spline ``REML``, ``ML`` or ``EE``.
    test : str
        Of a line as for :func:`headway.meta.pool` (default ``adhoc``); of a spline ``t`` (default)
        or ``z``; under ``EE`` of a spline ``z``.
    level : float

    Raises
    ------
    ValueError
        Arrays of other length; doses that are not finite; no trial with enough doses; trials that
        are correlated in `v`; as :func:`headway.meta.pool` and
        :func:`headway.meta.fit_multilevel`.
    ArithmeticError
        No maximum of a spline's likelihood was reached.

    Notes
    -----
    Greenland and Longnecker (1992); for differences in means Crippa and Orsini (2016). The
    intercept is 0: the reference arm against itself.
    """
    check_level(level)
    y = read_numbers(yi, "yi")
    cover = read_covariance(v, y.size)
    number, names = number_labels(read_labels(trials, "trials", y.size))
    x = spread_dose(doses, knots) - spread_dose(reference, knots)
    if x.shape[0] != y.size:
        raise ValueError(f"doses hold {x.shape[0]} arms, effects {y.size}")
    if np.abs(cover[number[:, None] != number]).max(initial=0.0) > 0:
        raise ValueError("effects of different trials must not be correlated in v")
    kept, left, b, s = _fit_trials(y, cover, x, number, names)
    estimate, vcov, df, covariance, test, code = _pool_trends(b, s, method, test, level)
    inverse = np.linalg.inv(s)
    common = np.linalg.solve(inverse.sum(axis=0), np.einsum("ijk,ik->j", inverse, b))
    off = b - common
    p = x.shape[1]
    q, q_df = float(np.einsum("ij,ijk,ik", off, inverse, off)), p * (len(kept) - 1)
    se = np.sqrt(np.diag(vcov))
    half = float(find_critical(level, np.array(df))) * se
    return DoseResponse(
        names=("dose", *(f"spline {j}" for j in range(1, p))),
        estimate=estimate,
        se=se,
        ci_low=estimate - half,
        ci_high=estimate + half,
        p_value=find_p_value(estimate / se, np.full(p, df)),
        vcov=vcov,
        df=df,
        covariance=covariance,
        q=q,
        q_df=q_df,
        q_p_value=float(find_chi2_tail(np.array(q), np.array(float(q_df)))),
        p_nonlinear=_test_curve(estimate, vcov, df),
        k=len(kept),
        trials=tuple(kept),
        slopes=b,
        left_out=tuple(left),
        knots=tuple(map(float, knots)),
        method=method,
        test=test,
        level=level,
        remark="",
        ci_code=code,
    )


def _fit_trials(
    y: Array, cover: Array, x: Array, number: NDArray[np.int64], names: list[Hashable]
) -> tuple[list[Hashable], list[Hashable], Array, Array]:
    """Fit each trial's own trend.

    Returns the trials that have one, those that do not, the trends and their covariances.
    """
    kept, left, slopes, spreads = [], [], [], []
    for i, name in enumerate(names):
        rows = np.flatnonzero(number == i)
        if np.linalg.matrix_rank(x[rows]) < x.shape[1]:
            left.append(name)
            continue
        weight = np.linalg.inv(cover[np.ix_(rows, rows)])
        spread = np.linalg.inv(x[rows].T @ weight @ x[rows])
        kept.append(name)
        slopes.append(spread @ (x[rows].T @ weight @ y[rows]))
        spreads.append(spread)
    if not kept:
        raise ValueError("no trial has enough doses for this trend: try a line")
    return kept, left, np.array(slopes), np.array(spreads)


def _test_curve(estimate: Array, vcov: Array, df: float) -> float:
    """Test all coefficients but the first; NaN of a line."""
    rest, p = estimate[1:], estimate.size
    if p == 1:
        return float("nan")
    wald = float(rest @ np.linalg.solve(vcov[1:, 1:], rest))
    wald = wald if np.isnan(df) else wald / (p - 1)
    return float(find_f_tail(np.array(wald), np.array(float(p - 1)), np.array(df)))


def _pool_trends(
    b: Array, s: Array, method: str, test: str, level: float
) -> tuple[Array, Array, float, Array, str, str]:
    """Pool trends: their mean, its covariance and df; their covariance between trials."""
    k, p = b.shape
    if p == 1:
        test = test or "adhoc"
        fit = pool(b[:, 0], s[:, 0, 0], method=method, test=test, level=level)
        tau2 = 0.0 if method == "EE" or k == 1 else float(fit.tau2)
        mean, vcov = np.array([float(fit.estimate)]), np.array([[float(fit.se) ** 2]])
        return mean, vcov, float(fit.df), np.array([[tau2]]), test, fit.ci_code
    if method == "EE" or k == 1:
        if test not in ("", "z"):
            raise ValueError("a common spline is tested with test='z'")
        inverse = np.linalg.inv(s)
        vcov = np.linalg.inv(inverse.sum(axis=0))
        mean = vcov @ np.einsum("ijk,ik->j", inverse, b)
        return mean, vcov, float("nan"), np.zeros((p, p)), "z", describe_test("z", p)
    whole = np.zeros((k * p, k * p))
    for i in range(k):
        whole[i * p : (i + 1) * p, i * p : (i + 1) * p] = s[i]
    outer = np.repeat(np.arange(k), p)
    inner = [f"{j:03d}" for j in range(p)] * k
    many = fit_multilevel(
        b.ravel(), whole, outer=outer, inner=inner, structure="UN",
        moderators={"coefficient": inner}, intercept=False, method=method,
        test=test or "t", level=level,
    )  # fmt: skip
    between = np.zeros((p, p)) if many.covariance is None else many.covariance
    return many.estimate, many.vcov, float(many.df), between, many.test, many.ci_code
