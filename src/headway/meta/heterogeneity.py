"""How uncertain the between-study variance is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.meta.batch import prepare_batch
from headway.meta.distributions import check_level, find_chi2_quantile
from headway.meta.pooling import Number, Text, find_typical_variance
from headway.meta.tau2 import check_method, compute_q, estimate_tau2, solve_q

Array = NDArray[np.float64]

NOTE_FEW = "fewer than two studies: heterogeneity cannot be estimated"
NOTE_EMPTY = "empty interval: effects differ less than sampling alone would make them; set to 0"


@dataclass(frozen=True, slots=True)
class Tau2Interval:
    """Estimate and confidence limits of heterogeneity: floats, or arrays for a batch.

    Attributes
    ----------
    tau2, tau2_low, tau2_high : float
        Between-study variance, in the squared unit of the effects.
    i2, i2_low, i2_high : float
        I² in percent.
    h2, h2_low, h2_high : float
        H².
    method, level, ci_method
        Estimator of tau2, coverage, and the interval in words.
    note : str
        What a reader must know; empty if nothing.
    """

    tau2: Number
    tau2_low: Number
    tau2_high: Number
    i2: Number
    i2_low: Number
    i2_high: Number
    h2: Number
    h2_low: Number
    h2_high: Number
    method: str
    level: float
    ci_method: str
    note: Text


def confint_tau2(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    method: str = "REML",
    level: float = 0.95,
    mask: ArrayLike | None = None,
) -> Tau2Interval:
    """Find the Q-profile confidence interval of tau2, and with it of I² and H².

    Parameters
    ----------
    yi, vi, mask
        As for :func:`headway.meta.pool`.
    method : str
        Estimator of tau2 for the point estimate; the limits do not depend on it.
    level : float
        Coverage.

    Returns
    -------
    Tau2Interval
        NaN limits where a set has fewer than two studies. Where even tau2 = 0 is rejected from
        above the interval is empty; both limits are then 0, as in metafor, and the note says so.

    Raises
    ------
    ValueError
        As :func:`headway.meta.pool`.

    Notes
    -----
    Viechtbauer (2007), equation 9: the values of tau2 at which the generalised Q equals the
    quantiles of chi-squared with k − 1 df. Each limit is bracketed, so it cannot fail, and does
    not depend on the unit of the outcome.
    """
    check_method(method)
    tail = (1 - check_level(level)) / 2
    batch = prepare_batch(yi, vi, mask)
    several = batch.k > 1
    tau2 = np.where(several, estimate_tau2(batch, method), np.nan)
    low, high = np.full(tau2.shape, np.nan), np.full(tau2.shape, np.nan)
    notes = np.full(tau2.shape, "", dtype=f"<U{max(len(NOTE_FEW), len(NOTE_EMPTY))}")
    notes[~several] = NOTE_FEW
    if several.any():
        part = batch.select(several)
        df = (part.k - 1).astype(np.float64)
        smallest = find_chi2_quantile(1 - tail, df)
        low[several] = solve_q(part, find_chi2_quantile(tail, df))
        high[several] = solve_q(part, smallest)
        empty = np.zeros(tau2.shape, dtype=np.bool_)
        empty[several] = compute_q(part, np.zeros(df.shape)) < smallest
        notes[empty] = NOTE_EMPTY
    typical = find_typical_variance(batch)

    def shape(value: Array) -> Number:
        return value.reshape(batch.shape) if batch.shape else float(value[0])

    def to_i2(value: Array) -> Number:
        return shape(100 * value / (value + typical))

    def to_h2(value: Array) -> Number:
        return shape(1 + value / typical)

    return Tau2Interval(
        tau2=shape(tau2 * batch.unit),
        tau2_low=shape(low * batch.unit),
        tau2_high=shape(high * batch.unit),
        i2=to_i2(tau2),
        i2_low=to_i2(low),
        i2_high=to_i2(high),
        h2=to_h2(tau2),
        h2_low=to_h2(low),
        h2_high=to_h2(high),
        method=method,
        level=level,
        ci_method="Q-profile",
        note=notes.reshape(batch.shape) if batch.shape else str(notes[0]),
    )
