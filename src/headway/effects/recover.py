"""Numbers that papers do not print, found from those that they do.

Sources: Cochrane Handbook for Systematic Reviews of Interventions, version 6.5, chapter 6 (section
numbers with each function).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SMALL_SAMPLE = 60  # below it an interval of one arm is taken to use Student's t (6.5.2.2)


def sd_from_se(se: ArrayLike, n: ArrayLike) -> Array:
    """Find a standard deviation from the standard error of a mean (Handbook 6.5.2.2)."""
    return np.asarray(se, dtype=float) * np.sqrt(np.asarray(n, dtype=float))


def sd_from_ci(low: ArrayLike, high: ArrayLike, n: ArrayLike, level: float = 0.95) -> Array:
    """Find a standard deviation from the confidence interval of one arm's mean.

    Handbook 6.5.2.2: normal quantiles for n >= 60, Student's t with n - 1 df below.

    Returns
    -------
    ndarray
        NaN where a limit or n is missing, or n < 2.
    """
    low, high, n = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (low, high, n)))
    half = (high - low) / 2
    return np.asarray(half / _quantile(n, 1, level) * np.sqrt(n))


def se_of_difference(
    low: ArrayLike, high: ArrayLike, n_total: ArrayLike, level: float = 0.95
) -> Array:
    """Find the standard error of a difference of two arms from its interval.

    Handbook 6.5.2.3: Student's t with n - 2 df for fewer than 60 people in both arms together,
    normal quantiles else and where the number of people is not printed.
    """
    low, high, n = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (low, high, n_total)))
    return np.asarray((high - low) / 2 / _quantile(np.where(np.isnan(n), np.inf, n), 2, level))


def _quantile(n: Array, spent: int, level: float) -> Array:
    """Two-sided quantile: t with n - spent df in small samples, else normal."""
    from scipy.special import ndtri, stdtrit

    upper = (1 + level) / 2
    with np.errstate(invalid="ignore"):
        df = np.where(n > spent, n - spent, np.nan)
        small = n < SMALL_SAMPLE
    z = np.full(n.shape, float(ndtri(upper)))
    return np.where(
        small, stdtrit(np.where(np.isinf(df), 1.0, df), upper), np.where(np.isnan(df), np.nan, z)
    )


def find_r(sd_pre: ArrayLike, sd_post: ArrayLike, sd_change: ArrayLike) -> Array:
    """Find the correlation of before and after from three standard deviations (6.5.2.8).

    Returns
    -------
    ndarray
        NaN where one is missing, or where the three do not fit together (outside -1..1).
    """
    a, b, d = (np.asarray(x, dtype=float) for x in (sd_pre, sd_post, sd_change))
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (a**2 + b**2 - d**2) / (2 * a * b)
    return np.where(np.abs(r) <= 1, r, np.nan)


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
