"""Regression to the mean of one window before treatment: shown beside a verdict, never deciding it.

One window cannot tell people who came because it was bad from people who came because it got
worse, so that neither formula covers both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr, stdtrit

from headway.outcomes.change.change import LEVEL

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class MeeChua:
    """Change at the population's mean, per assumed mean mu (Ostermann 2008)."""

    mu: Array
    effect: Array
    ci_low: Array
    ci_high: Array
    slope: float
    n: int


def regression_to_mean_cutoff(
    mu: ArrayLike, sd: ArrayLike, rho: ArrayLike, cutoff: ArrayLike, windows: ArrayLike = 1
) -> Array:
    """Compute the drop expected among people taken in because they were above a threshold.

    Davis (1976), as written by Barnett, van der Pols and Dobson (2005): with
    s_w² = (1 - rho) sd², s_b² = rho sd², v = s_b² + s_w² / m and z = (cutoff - mu) / sqrt(v),
    RTM = s_w² / m / sqrt(v) * phi(z) / (1 - Phi(z)).

    Parameters
    ----------
    mu, sd
        Mean and standard deviation of one window in the population that people come from.
    rho
        Correlation of two windows of one person, from 0 to 1.
    cutoff
        Least value of the mean of `windows` windows with which people are taken in.
    windows
        Windows before treatment whose mean has to reach the cutoff.

    Returns
    -------
    ndarray
        Expected drop in the unit of mu, 0 or more; inputs broadcast.

    Raises
    ------
    ValueError
        If sd is not positive, rho is outside 0 to 1 or windows is below 1.
    """
    m0, s, r, c, m = (np.asarray(v, float) for v in (mu, sd, rho, cutoff, windows))
    if not (np.all(s > 0) and np.all((r >= 0) & (r <= 1)) and np.all(m >= 1)):
        raise ValueError("sd must be positive, rho within 0 to 1 and windows 1 or more")
    noise = (1 - r) * s**2 / m
    root = np.sqrt(r * s**2 + noise)
    z = (c - m0) / root
    # On the log scale: far above the mean both parts of the ratio underflow.
    hazard = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(-z))
    return np.asarray(noise / root * hazard, float)


def mee_chua(pre: ArrayLike, post: ArrayLike, mu: ArrayLike, level: float = LEVEL) -> MeeChua:
    """Scan the change that is left at the population's mean over assumed means.

    Regress post on (pre - mu); effect(mu) = intercept - mu, with the regression's own standard
    error and a t quantile with n - 2 df (Mee & Chua 1991; Ostermann, Willich & Lüdtke 2008).

    Parameters
    ----------
    pre, post
        Values of the same people in the same order, shape (n,), without missing values.
    mu
        Assumed means, shape (k,).

    Returns
    -------
    MeeChua
        NaN with fewer than three people or no spread before.

    Raises
    ------
    ValueError
        If pre and post differ in length.
    """
    x, y = np.asarray(pre, float), np.asarray(post, float)
    grid = np.atleast_1d(np.asarray(mu, float))
    if x.shape != y.shape:
        raise ValueError("pre and post must hold the same people")
    n = len(x)
    spread = float(((x - x.mean()) ** 2).sum()) if n else 0.0
    if n < 3 or spread == 0:
        gap = np.full(len(grid), _NAN)
        return MeeChua(grid, gap, gap, gap, _NAN, n)
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread)
    effect = y.mean() + slope * (grid - x.mean()) - grid
    rest = y - y.mean() - slope * (x - x.mean())
    se = np.sqrt((rest @ rest) / (n - 2) * (1 / n + (grid - x.mean()) ** 2 / spread))
    half = stdtrit(n - 2, 0.5 + level / 2) * se
    return MeeChua(grid, effect, effect - half, effect + half, slope, n)
