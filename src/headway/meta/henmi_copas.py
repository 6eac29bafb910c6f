"""Henmi and Copas's interval: robust against publication bias, allowing for random effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc

from headway.meta.distributions import check_level
from headway.meta.notes import Tabled
from headway.meta.pooling import NOTE_TWO, pool
from headway.meta.small_study import read_studies


@dataclass(frozen=True, slots=True, repr=False)
class RobustInterval(Tabled):
    """The common-effect estimate with an interval that allows for random effects."""

    estimate: float
    se: float
    ci_low: float
    ci_high: float
    tau2: float
    critical: float
    k: int
    level: float
    remark: str

    def __repr__(self) -> str:
        return (
            f"RobustInterval(k={self.k}: {self.estimate:.4g} [{self.ci_low:.4g}, "
            f"{self.ci_high:.4g}], tau2={self.tau2:.4g})"
        )


# Gauss-Legendre panels of the tail integral, narrow where it starts: the gamma distribution
# function rises there on a scale of x / sqrt(2 k).
_PANELS, _NODES, _REACH = 200, 16, 14.0


def henmi_copas(yi: ArrayLike, vi: ArrayLike, *, level: float = 0.95) -> RobustInterval:
    """Find an interval for random effects that is robust against publication bias.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        Effects and sampling variances, k ≥ 2.
    level : float
        Coverage.

    Returns
    -------
    RobustInterval
        Centred at the common-effect estimate, which gives the small studies least weight.

    Notes
    -----
    Henmi and Copas (2010), section 4: the null distribution of the estimate over its
    DerSimonian-Laird standard error, with the conditional distribution of Q approximated by gamma
    with its first two moments. `critical` takes the place of 1.96.
    """
    check_level(level)
    y, v = read_studies(yi, vi, "a Henmi-Copas interval", 2)
    with np.errstate(all="ignore"):  # what overflows leaves limits that nobody knows
        return _find_interval(y, v, level)


def _find_interval(y: NDArray[np.float64], v: NDArray[np.float64], level: float) -> RobustInterval:
    k = y.size
    # In units of the mean weight: the powers of w below would overflow in small units.
    unit = 1 / np.mean(1 / v)
    w = unit / v
    w1 = w.sum()
    w2, w3, w4 = ((w**p).sum() / w1 for p in (2, 3, 4))
    fit = pool(y, v, method="DL", test="z")
    common = pool(y, v, method="EE", test="z")
    t2 = float(fit.tau2) / unit
    inflation = 1 + t2 * w2
    se = np.sqrt(unit * inflation / w1)

    # First two moments of Q given the standardised estimate; r2 = (root of inflation × r)².
    third, fourth = w3 - w2**2, w4 - 2 * w2 * w3 + w2**3

    def find_tail(x: float) -> float:
        edges = x + _REACH * (np.arange(_PANELS + 1) / _PANELS) ** 2
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        half = np.diff(edges)[:, None] / 2
        r = edges[:-1, None] + half * (nodes + 1)
        r2 = inflation * r**2
        excess = r2 / inflation**2 - 1 / inflation
        mean = (k - 1) + t2 * (w1 - w2) + t2**2 * excess * third
        spread = 2 * (k - 1) + 4 * t2 * (w1 - w2) + 2 * t2**2 * (w1 * w2 - 2 * w3 + w2**2)
        spread = spread + 4 * t2**2 * excess * third + 4 * t2**3 * excess * fourth
        spread = spread + 2 * t2**4 * (1 / inflation**2 - 2 * r2 / inflation**3) * third**2
        q = (w1 / w2 - 1) * ((r / x) ** 2 - 1) + (k - 1)
        # The matched variance can turn negative where r is so large that the normal density is
        # nothing; those nodes then add nothing.
        fine = (mean > 0) & (spread > 0)
        scale = np.where(fine, spread / np.where(fine, mean, 1.0), 1.0)
        shape = np.where(fine, mean / scale, 1.0)
        below = np.where(fine, gammainc(shape, np.maximum(q, 0) / scale), 0.0)
        density = np.exp(-(r**2) / 2) / np.sqrt(2 * np.pi)
        return float((half * weights * below * density).sum())

    tail = (1 - level) / 2
    low, high = 0.0, 2.0 if np.isfinite(find_tail(2.0)) else float("nan")
    while find_tail(high) > tail:
        low, high = high, 2 * high
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if find_tail(middle) > tail else (low, middle)
    root = (low + high) / 2
    critical = float(np.sqrt(inflation) * root)
    estimate = float(common.estimate)
    half_width = critical * float(se)
    return RobustInterval(
        estimate,
        float(se),
        estimate - half_width,
        estimate + half_width,
        float(fit.tau2),
        critical,
        k,
        level,
        NOTE_TWO if k == 2 else "",
    )
