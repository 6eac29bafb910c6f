"""From what reviews print to what pooling needs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from headway.effects.shared import describe_positions
from headway.meta.distributions import check_level, find_critical


def se_from_ci(
    ci_low: ArrayLike, ci_high: ArrayLike, level: float = 0.95, df: ArrayLike | None = None
) -> Any:
    """Find the standard error a symmetric confidence interval implies.

    Parameters
    ----------
    ci_low, ci_high : array_like
        Confidence limits on the scale on which the interval is symmetric: take logs of ratios
        first.
    level : float
        Coverage of the interval.
    df : array_like, optional
        Degrees of freedom if the interval was made with Student's t; normal otherwise.

    Returns
    -------
    float or ndarray
        Standard error, in the unit of the limits; NaN where a limit is NaN.

    Raises
    ------
    ValueError
        If a lower limit lies above its upper limit or `df` is not above 0, with the positions.

    Notes
    -----
    Cochrane Handbook, section 6.3.1: width over twice the critical value.
    """
    check_level(level)
    low, high, freedom = np.broadcast_arrays(
        np.asarray(ci_low, dtype=np.float64),
        np.asarray(ci_high, dtype=np.float64),
        np.asarray(np.nan if df is None else df, dtype=np.float64),
    )
    bad = low > high
    if bad.any():
        raise ValueError(f"ci_low must not lie above ci_high: see {describe_positions(bad)}")
    bad = freedom <= 0
    if bad.any():
        raise ValueError(f"df must be above 0: see {describe_positions(bad)}")
    if df is not None and np.isnan(freedom).any():
        # A missing df must not turn silently into a normal interval.
        high = np.where(np.isnan(freedom), np.nan, high)
    se = (high - low) / (2 * find_critical(level, freedom))
    return float(se) if se.ndim == 0 else se
