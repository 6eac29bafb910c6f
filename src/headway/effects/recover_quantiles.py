"""Means and standard deviations from medians, quartiles and ranges.

Sources: Wan and others 2014 (BMC Med Res Methodol 14:135), Luo and others 2018 (Stat Methods Med
Res 27:1785), Shi and others 2020 (Res Synth Methods 11:641), Shi and others 2023 (skewness). All
assume data that are near normal; :func:`skewness` says where that is hard to believe. Hozo 2005
and the plain range / 4 ignore how far n values reach, and are not used.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Weights = Literal["luo", "wan"]

# Between the quartiles of a normal sample of any size, as the Handbook rounds it (6.5.2.5).
IQR_OF_NORMAL = 1.35


def read(*values: ArrayLike) -> list[Array]:
    """Return numbers as arrays of one shape, each its own."""
    return [
        np.array(x, dtype=float)
        for x in np.broadcast_arrays(*(np.asarray(v, float) for v in values))
    ]


def _normal(p: Array) -> Array:
    from scipy.special import ndtri

    return np.asarray(ndtri(p), dtype=float)


def _expected_range(n: Array) -> Array:
    """Find the expected range of n standard normal values, as Wan approximates it (equation 9)."""
    n = np.where(n >= 2, n, np.nan)
    return 2 * _normal((n - 0.375) / (n + 0.25))


def _expected_iqr(n: Array) -> Array:
    """Find the expected interquartile range of n standard normal values (Wan 2014, equation 16)."""
    n = np.where(n >= 2, n, np.nan)
    return 2 * _normal((0.75 * n - 0.125) / (n + 0.25))


def sd_from_range(low: ArrayLike, high: ArrayLike, n: ArrayLike) -> Array:
    """Find a standard deviation from the smallest and largest of n values (Wan 2014, eq. 9)."""
    a, b, n = read(low, high, n)
    return (b - a) / _expected_range(n)


def sd_from_iqr(q1: ArrayLike, q3: ArrayLike, n: ArrayLike | None = None) -> Array:
    """Find a standard deviation from the quartiles.

    Wan 2014, equation 16, where n is known; else the width over 1.35 (Handbook 6.5.2.5).
    """
    if n is None:
        a, b = read(q1, q3)
        return (b - a) / IQR_OF_NORMAL
    a, b, size = read(q1, q3, n)
    return (b - a) / _expected_iqr(size)


def sd_from_five(
    low: ArrayLike,
    q1: ArrayLike,
    median: ArrayLike,
    q3: ArrayLike,
    high: ArrayLike,
    n: ArrayLike,
    *,
    weights: Literal["shi", "wan"] = "shi",
) -> Array:
    """Find a standard deviation from range and quartiles together.

    Shi 2020: the two estimates weighted by how much each tells at n (the range less, the larger
    the sample); `wan`: their plain mean (Wan 2014, equation 13).
    """
    a, q, m, r, b, n = read(low, q1, median, q3, high, n)
    share = 1 / (1 + 0.07 * n**0.6) if weights == "shi" else np.full(n.shape, 0.5)
    found = share * (b - a) / _expected_range(n) + (1 - share) * (r - q) / _expected_iqr(n)
    return np.where(np.isnan(m), np.nan, found)


def _of_somebody(*quantiles_and_n: ArrayLike) -> tuple[Array, ...]:
    """Read quantiles and the number of people; nobody has no mean."""
    *quantiles, n = read(*quantiles_and_n)
    return (*quantiles, np.where(n > 0, n, np.nan))


def mean_from_range(
    low: ArrayLike,
    median: ArrayLike,
    high: ArrayLike,
    n: ArrayLike,
    *,
    weights: Weights = "luo",
) -> Array:
    """Find a mean from median and range (Luo 2018, eq. 7; `wan`: (a + 2m + b)/4)."""
    a, m, b, n = _of_somebody(low, median, high, n)
    share = 4 / (4 + n**0.75) if weights == "luo" else np.where(np.isnan(n), np.nan, 0.5)
    return share * (a + b) / 2 + (1 - share) * m


def mean_from_quartiles(
    q1: ArrayLike,
    median: ArrayLike,
    q3: ArrayLike,
    n: ArrayLike,
    *,
    weights: Weights = "luo",
) -> Array:
    """Find a mean from median and quartiles (Luo 2018, eq. 11; `wan`: the mean of the three)."""
    q, m, r, n = _of_somebody(q1, median, q3, n)
    share = 0.7 + 0.39 / n if weights == "luo" else np.where(np.isnan(n), np.nan, 2 / 3)
    return share * (q + r) / 2 + (1 - share) * m


def mean_from_five(
    low: ArrayLike,
    q1: ArrayLike,
    median: ArrayLike,
    q3: ArrayLike,
    high: ArrayLike,
    n: ArrayLike,
    *,
    weights: Weights = "luo",
) -> Array:
    """Find a mean from range, quartiles and median (Luo 2018, eq. 15; `wan`: Wan 2014, eq. 10)."""
    a, q, m, r, b, n = _of_somebody(low, q1, median, q3, high, n)
    if weights == "luo":
        outer, inner = 2.2 / (2.2 + n**0.75), 0.7 - 0.72 / n**0.55
    else:
        outer, inner = (np.where(np.isnan(n), np.nan, x) for x in (0.25, 0.5))
    return outer * (a + b) / 2 + inner * (q + r) / 2 + (1 - outer - inner) * m


def skewness(
    low: ArrayLike, q1: ArrayLike, median: ArrayLike, q3: ArrayLike, high: ArrayLike, n: ArrayLike
) -> tuple[Array, Array]:
    """Test whether printed quantiles are too skewed to come from normal data (Shi 2023).

    The scenario follows from what is printed: range, quartiles, or both.

    Returns
    -------
    tuple of ndarray
        Statistic and its critical value at the 5 % level; a larger statistic says skewed. NaN
        where neither the range nor the quartiles are printed.
    """
    a, q, m, r, b, n = read(low, q1, median, q3, high, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        outer = np.abs(a + b - 2 * m) / (b - a)
        inner = np.abs(q + r - 2 * m) / (r - q)
        # The range is judged on the scale of the quartiles, so that one limit serves for both.
        both = np.fmax(2.65 * np.log(0.6 * n) / np.sqrt(n) * outer, inner)
        ranges, quartiles = np.isfinite(outer), np.isfinite(inner)
        cases = [ranges & quartiles, ranges, quartiles]
        statistic = np.select(cases, [both, outer, inner], np.nan)
        critical = np.select(
            cases,
            [
                3 / np.sqrt(n) - 40 / n**3,
                1.01 / np.log(n + 9) + 2.43 / (n + 1),
                2.66 / np.sqrt(n) - 5.92 / n**2,
            ],
            np.nan,
        )
    return statistic, critical
