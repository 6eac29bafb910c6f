"""Quantiles and tail areas, through scipy.special: scipy.stats costs 0.7 s to import."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, chdtri, fdtrc, ndtr, ndtri, stdtr, stdtrit

Array = NDArray[np.float64]

SMALLEST_DF = 0.01


def find_critical(level: float, df: Array) -> Array:
    """Return the two-sided critical value; normal where `df` is NaN, else Student's t."""
    # From the upper tail downwards: 1 - tail would round for levels close to 1.
    tail = (1 - level) / 2
    normal = np.isnan(df)
    if normal.all():
        return np.full(np.shape(df), -float(ndtri(tail)))
    # Below a hundredth of a degree of freedom (Kenward-Roger with next to no information) Student's
    # quantile is beyond any number a study has: the interval is the whole line.
    vanishing = ~normal & (df < SMALLEST_DF)
    special = normal | vanishing
    if not special.any():
        # Sets of equally many studies share one quantile, which is dear: search for it once.
        if np.size(df) > 1 and (df == df.flat[0]).all():
            return np.full(np.shape(df), -float(stdtrit(df.flat[0], tail)))
        return -np.asarray(stdtrit(df, tail))
    t = -stdtrit(np.where(special, 1, df), tail)
    return np.asarray(np.where(normal, -ndtri(tail), np.where(vanishing, np.inf, t)))


def find_lower_tail(statistic: Array, df: Array) -> Array:
    """Return the area below `statistic`; normal where `df` is NaN, else Student's t."""
    normal = np.isnan(df)
    if not normal.any():
        return np.asarray(stdtr(df, statistic))
    t = stdtr(np.where(normal, 1, df), statistic)
    return np.asarray(np.where(normal, ndtr(statistic), t))


def find_p_value(statistic: Array, df: Array) -> Array:
    """Return the two-sided p-value; normal where `df` is NaN, else Student's t."""
    return 2 * find_lower_tail(-np.abs(statistic), df)


def find_f_tail(f: Array, df1: Array, df2: Array) -> Array:
    """Return the upper tail area of F; of chi-squared on `df1` where `df2` is NaN."""
    chi2 = chdtrc(df1, f)
    return np.asarray(np.where(np.isnan(df2), chi2, fdtrc(df1, np.where(np.isnan(df2), 1, df2), f)))


def find_chi2_tail(q: Array, df: Array) -> Array:
    """Return the upper tail area of chi-squared; 1 where there are no degrees of freedom."""
    free = df > 0
    if free.all():
        return np.asarray(chdtrc(df, q))
    return np.where(free, chdtrc(np.where(free, df, 1), q), 1.0)


def find_chi2_quantile(upper_tail: float | Array, df: Array) -> Array:
    """Return the value of chi-squared that is exceeded with probability `upper_tail`."""
    return np.asarray(chdtri(df, upper_tail), dtype=np.float64)


def check_level(level: float) -> float:
    """Return `level` if it is a coverage between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError("level must lie between 0 and 1, for example 0.95")
    return float(level)
