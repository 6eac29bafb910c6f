"""Numbers that papers do not print, found from those that they do.

Sources: Cochrane Handbook for Systematic Reviews of Interventions, version 6.5, chapters 6 and 23
(section numbers with each function). Medians, quartiles and ranges stand in
:mod:`headway.effects.recover_quantiles`. Arrays are broadcast; what is missing gives NaN.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.effects.recover_quantiles import (
    mean_from_five,
    mean_from_quartiles,
    mean_from_range,
    read,
    sd_from_five,
    sd_from_iqr,
    sd_from_range,
    skewness,
)

__all__ = [
    "combine_arms",
    "design_effect",
    "find_r",
    "mean_from_five",
    "mean_from_quartiles",
    "mean_from_range",
    "p_bounds",
    "sd_change",
    "sd_change_from_f",
    "sd_change_from_p",
    "sd_change_from_t",
    "sd_from_ci",
    "sd_from_f",
    "sd_from_five",
    "sd_from_iqr",
    "sd_from_p",
    "sd_from_range",
    "sd_from_se",
    "sd_from_se_of_difference",
    "sd_from_t",
    "se_from_f",
    "se_from_p",
    "se_from_t",
    "se_of_difference",
    "skewness",
    "split_control",
]

Array = NDArray[np.float64]

SMALL_SAMPLE = 60  # below it an interval of one arm is taken to use Student's t (6.5.2.2)
_P = re.compile(
    r"^(?:p\s*)?(?:value\s*)?(?P<relation>[<>=\u2264\u2265]|<=|>=)?\s*(?P<number>[01]?[.,]\d+|[01])$",
    re.IGNORECASE,
)
_NOT_SIGNIFICANT = {"ns", "n.s.", "n.s", "not significant", "nonsignificant", "non-significant"}


# ---- one arm -------------------------------------------------------------------------------------


def sd_from_se(se: ArrayLike, n: ArrayLike) -> Array:
    """Find a standard deviation from the standard error of a mean (Handbook 6.5.2.2)."""
    se, n = read(se, n)
    return se * np.sqrt(np.where(n >= 2, n, np.nan))


def sd_from_ci(low: ArrayLike, high: ArrayLike, n: ArrayLike, level: float = 0.95) -> Array:
    """Find a standard deviation from the confidence interval of one arm's mean.

    Handbook 6.5.2.2: normal quantiles for n >= 60, Student's t with n - 1 df below.

    Returns
    -------
    ndarray
        NaN where a limit or n is missing, or n < 2.
    """
    low, high, n = read(low, high, n)
    half = (high - low) / 2
    return np.asarray(half / _quantile(n, 1, level) * np.sqrt(n))


# ---- the difference of two arms ------------------------------------------------------------------


def se_of_difference(
    low: ArrayLike, high: ArrayLike, n_total: ArrayLike, level: float = 0.95
) -> Array:
    """Find the standard error of a difference of two arms from its interval.

    Handbook 6.5.2.3: Student's t with n - 2 df for fewer than 60 people in both arms together,
    normal quantiles else and where the number of people is not printed.
    """
    low, high, n = read(low, high, n_total)
    return np.asarray((high - low) / 2 / _quantile(np.where(np.isnan(n), np.inf, n), 2, level))


def se_from_t(difference: ArrayLike, t: ArrayLike) -> Array:
    """Find a difference's standard error from its t: `abs(difference / t)` (Handbook 6.5.2.3)."""
    difference, t = read(difference, t)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.abs(np.where((t == 0) | (difference == 0), np.nan, difference / t))


def se_from_f(difference: ArrayLike, f: ArrayLike) -> Array:
    """Find the standard error of a difference of two arms from F with 1 df, the square of t."""
    (f,) = read(f)
    return se_from_t(difference, np.sqrt(np.where(f >= 0, f, np.nan)))


def se_from_p(difference: ArrayLike, p: ArrayLike, n_total: ArrayLike = np.nan) -> Array:
    """Find the standard error of a difference from its two-sided p value (Handbook 6.5.2.3).

    Student's t with n - 2 df where the number of people in both arms is known, else normal. A
    bound such as p < 0.001 gives no standard error but only its largest value: read it with
    :func:`p_bounds` and do not pass it on.
    """
    difference, p, n = read(difference, p, n_total)
    return se_from_t(difference, _t_of_p(p, np.where(np.isnan(n), np.inf, n - 2)))


def sd_from_se_of_difference(se: ArrayLike, n1: ArrayLike, n2: ArrayLike) -> Array:
    """Find the average standard deviation of two arms: se / sqrt(1/n1 + 1/n2) (6.5.2.3)."""
    se, n1, n2 = read(se, n1, n2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return se / np.sqrt(1 / np.where(n1 > 0, n1, np.nan) + 1 / np.where(n2 > 0, n2, np.nan))


def sd_from_t(difference: ArrayLike, t: ArrayLike, n1: ArrayLike, n2: ArrayLike) -> Array:
    """Find the average standard deviation of two arms from the t of their difference (6.5.2.3)."""
    return sd_from_se_of_difference(se_from_t(difference, t), n1, n2)


def sd_from_f(difference: ArrayLike, f: ArrayLike, n1: ArrayLike, n2: ArrayLike) -> Array:
    """Find the average standard deviation of two arms from F with 1 df (6.5.2.3)."""
    return sd_from_se_of_difference(se_from_f(difference, f), n1, n2)


def sd_from_p(difference: ArrayLike, p: ArrayLike, n1: ArrayLike, n2: ArrayLike) -> Array:
    """Find the average standard deviation of two arms from a two-sided p value (6.5.2.3)."""
    total = np.asarray(n1, dtype=float) + np.asarray(n2, dtype=float)
    return sd_from_se_of_difference(se_from_p(difference, p, total), n1, n2)


# ---- before and after ----------------------------------------------------------------------------


def find_r(sd_pre: ArrayLike, sd_post: ArrayLike, sd_change: ArrayLike) -> Array:
    """Find the correlation of before and after from three standard deviations (6.5.2.8).

    Returns
    -------
    ndarray
        NaN where one is missing, or where the three do not fit together (outside -1..1).
    """
    a, b, d = read(sd_pre, sd_post, sd_change)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (a**2 + b**2 - d**2) / (2 * a * b)
    return np.where(np.abs(r) <= 1, r, np.nan)


def sd_change(sd_pre: ArrayLike, sd_post: ArrayLike, r: ArrayLike) -> Array:
    """Find the standard deviation of the change from those before and after and r (6.5.2.8)."""
    a, b, r = read(sd_pre, sd_post, r)
    r = np.where(np.abs(r) <= 1, r, np.nan)
    # Written so that nothing cancels where r is near 1.
    return np.sqrt((a - b) ** 2 + 2 * a * b * (1 - r))


def sd_change_from_t(change: ArrayLike, t: ArrayLike, n: ArrayLike) -> Array:
    """Find the standard deviation of a change from its paired t: `abs(change / t) √n` (6.5.2.2)."""
    return sd_from_se(se_from_t(change, t), n)


def sd_change_from_f(change: ArrayLike, f: ArrayLike, n: ArrayLike) -> Array:
    """Find the standard deviation of a change from F with 1 df, the square of the paired t."""
    return sd_from_se(se_from_f(change, f), n)


def sd_change_from_p(change: ArrayLike, p: ArrayLike, n: ArrayLike) -> Array:
    """Find the standard deviation of a change from the two-sided p of its paired t (n - 1 df)."""
    change, p, n = read(change, p, n)
    return sd_from_se(se_from_t(change, _t_of_p(p, n - 1)), n)


# ---- several arms --------------------------------------------------------------------------------


def combine_arms(n: ArrayLike, mean: ArrayLike, sd: ArrayLike) -> tuple[float, float, float]:
    """Combine several arms into one, as if their people had been one sample (6.5.2.10).

    Parameters
    ----------
    n, mean, sd : array_like, shape (arms,)
        Participants, mean and standard deviation of each arm.

    Returns
    -------
    tuple of float
        n, mean and standard deviation of all people together.
    """
    n, mean, sd = (np.asarray(x, dtype=float) for x in (n, mean, sd))
    total = n.sum()
    centre = (n * mean).sum() / total
    squares = ((n - 1) * sd**2 + n * (mean - centre) ** 2).sum()
    return float(total), float(centre), float(np.sqrt(squares / (total - 1)))


def split_control(
    n: ArrayLike, mean: ArrayLike, sd: ArrayLike, parts: int
) -> tuple[Array, Array, Array]:
    """Give each of several comparisons its share of one control arm (Handbook 23.3.4).

    The people are divided, mean and standard deviation stay; events are divided like people. The
    comparisons then count nobody twice, but still share a mean.

    Raises
    ------
    ValueError
        If `parts` is below 1.
    """
    if parts < 1:
        raise ValueError("a control arm is shared by at least one comparison")
    n, mean, sd = read(n, mean, sd)
    return n / parts, mean, sd


def design_effect(size: ArrayLike, icc: ArrayLike) -> Array:
    """Return by how much clusters inflate a variance: 1 + (m − 1)·ICC (Handbook 23.1.4).

    Parameters
    ----------
    size : array_like
        Mean number of people per cluster, ≥ 1.
    icc : array_like
        Intracluster correlation, 0 to 1.

    Raises
    ------
    ValueError
        Numbers outside these bounds; NaN passes through.
    """
    m, rho = np.broadcast_arrays(np.asarray(size, float), np.asarray(icc, float))
    if (m < 1).any() or (rho < 0).any() or (rho > 1).any():
        raise ValueError("clusters hold at least 1 person, an ICC lies between 0 and 1")
    return np.asarray(1 + (m - 1) * rho)


# ---- p values ------------------------------------------------------------------------------------


def p_bounds(text: str) -> tuple[float, str]:
    """Read a printed p value.

    Returns
    -------
    tuple
        The number, and whether p is equal to it ("="), below ("<") or above it (">"); "n.s." is
        above 0.05. NaN where the text is no p value.
    """
    plain = text.strip().replace("\u2009", "").replace("\u00a0", " ")
    if plain.lower() in _NOT_SIGNIFICANT:
        return 0.05, ">"
    found = _P.match(plain)
    if not found:
        return float("nan"), "="
    p = float(found["number"].replace(",", "."))
    relation = {"\u2264": "<", "<=": "<", "\u2265": ">", ">=": ">"}.get(
        found["relation"] or "=", found["relation"] or "="
    )
    return (p, relation) if 0 <= p <= 1 else (float("nan"), "=")


def _t_of_p(p: Array, df: Array) -> Array:
    """Find the t, or for infinite df the normal quantile, that has a two-sided p value."""
    from scipy.special import ndtri, stdtrit

    # p = 1 implies t = 0, and p = 0 an infinite one: neither gives a standard error.
    p = np.where((p > 0) & (p < 1), p, np.nan)
    df = np.where(df > 0, df, np.nan)
    z = -ndtri(p / 2)
    return np.where(np.isinf(df), z, -stdtrit(np.where(np.isinf(df), 1.0, df), p / 2))


def _quantile(n: Array, spent: int, level: float) -> Array:
    """Two-sided quantile: t with n - spent df in small samples, else normal."""
    from scipy.special import ndtri, stdtrit

    if not 0 < level < 1:
        raise ValueError("level must lie between 0 and 1")
    upper = (1 + level) / 2
    with np.errstate(invalid="ignore"):
        df = np.where(n > spent, n - spent, np.nan)
        small = n < SMALL_SAMPLE
    z = np.full(n.shape, float(ndtri(upper)))
    return np.where(
        small, stdtrit(np.where(np.isinf(df), 1.0, df), upper), np.where(np.isnan(df), np.nan, z)
    )
