"""How uncertain the between-study variance is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.meta.batch import Batch, prepare_batch
from headway.meta.distributions import check_level, find_chi2_quantile
from headway.meta.notes import Noted, Text
from headway.meta.pooling import Number, find_typical_variance
from headway.meta.solvers import Columns, find_falls, find_roots
from headway.meta.tau2 import (
    BLOCK_SIZE,
    check_method,
    compute_log_likelihood,
    compute_q,
    compute_score,
    estimate_tau2,
    solve_q,
)

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

INTERVALS = ("Q-profile", "profile likelihood")

NOTE_FEW = "note.fewer_than_two"
NOTE_EMPTY = "note.empty_interval"


@dataclass(frozen=True, slots=True, repr=False)
class Tau2Interval(Noted):
    """Estimate and confidence limits of heterogeneity: floats, or arrays for a batch.

    Attributes
    ----------
    tau2, tau2_low, tau2_high : float
        Between-study variance, in the squared unit of the effects.
    tau, tau_low, tau_high : float
        Its root, in the unit of the effects.
    i2, i2_low, i2_high : float
        I² in percent.
    h2, h2_low, h2_high : float
        H².
    method, level, ci_method
        Estimator of tau2, coverage, and the interval in words.
    remark : str
        Message: what a reader must know; empty if nothing. `note` says it in English.
    """

    tau2: Number
    tau2_low: Number
    tau2_high: Number
    tau: Number
    tau_low: Number
    tau_high: Number
    i2: Number
    i2_low: Number
    i2_high: Number
    h2: Number
    h2_low: Number
    h2_high: Number
    method: str
    level: float
    ci_method: str
    remark: Text

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per quantity (and set): estimate and limits."""
        import pandas as pd

        sets = np.size(self.tau2)
        names = ("tau2", "tau", "i2", "h2")
        columns: dict[str, Any] = {}
        if np.shape(self.tau2):
            columns["set"] = np.repeat(np.arange(sets), len(names))
        columns["quantity"] = np.tile(np.array(names, dtype=object), sets)
        for end, label in (("", "estimate"), ("_low", "ci_low"), ("_high", "ci_high")):
            values = [np.ravel(getattr(self, name + end)) for name in names]
            columns[label] = np.column_stack(values).ravel()
        frame = pd.DataFrame(columns)
        for name in ("method", "level", "ci_method"):
            frame[name] = getattr(self, name)
        return frame

    def __repr__(self) -> str:
        what = f"Tau2Interval({self.method}, {self.ci_method}"
        if np.shape(self.tau2):
            return f"{what}: batch of {np.shape(self.tau2)} sets of studies)"
        return (
            f"{what}: tau2={self.tau2:.4g} [{self.tau2_low:.4g}, {self.tau2_high:.4g}], "
            f"I2={self.i2:.1f} [{self.i2_low:.1f}, {self.i2_high:.1f}] %)"
        )


def _profile_likelihood(
    batch: Batch, tau2: Array, restricted: bool, drop: float
) -> tuple[Array, Array]:
    """Return the outermost tau2 at which the log-likelihood is `drop` below its maximum.

    Where the likelihood has several maxima the set of such tau2 may have a gap; the interval
    closes it. The lower limit is 0 where the likelihood at 0 is high enough.
    """
    threshold = compute_log_likelihood(batch, tau2, restricted) - drop
    smallest = batch.v.min(axis=0)
    # The likelihood falls without bound, so an end beyond the last crossing exists.
    end = smallest + np.maximum(tau2, np.where(batch.held, batch.v, 0.0).max(axis=0))
    for _ in range(600):
        high = compute_log_likelihood(batch, end - smallest, restricted) > threshold
        if not high.any():
            break
        end = np.where(high, 4 * end, end)
    # A likelihood that is above the threshold between points beyond `end` would need a second
    # maximum there; the score has none beyond this bound (see tau2.find_end).
    rows = max(1, BLOCK_SIZE // max(1, batch.y.size))

    def cross(sign: float) -> tuple[NDArray[np.int64], Array]:
        def above(t: Array, columns: Columns) -> Array:
            part = batch if isinstance(columns, slice) else batch.take(columns)
            goal = threshold[columns]
            levels = [compute_log_likelihood(part, row, restricted) - goal for row in t]
            return sign * np.stack(levels)

        number, low, high, guess, _ = find_falls(above, smallest, end, rows)
        part, goal = batch.take(number), threshold[number]

        def fall(t: Array, columns: Columns) -> tuple[Array, Array]:
            some = part if isinstance(columns, slice) else part.take(columns)
            value = compute_log_likelihood(some, t, restricted) - goal[columns]
            return sign * value, sign * compute_score(some, t, restricted) / 2

        return number, find_roots(fall, low, high, guess, smallest[number])

    upper, lower = np.zeros(tau2.shape), np.full(tau2.shape, np.inf)
    number, root = cross(1.0)
    np.maximum.at(upper, number, root)
    number, root = cross(-1.0)
    np.minimum.at(lower, number, root)
    at_zero = compute_log_likelihood(batch, np.zeros(tau2.shape), restricted) >= threshold
    return np.where(at_zero | np.isinf(lower), 0.0, lower), upper


def confint_tau2(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    method: str = "REML",
    level: float = 0.95,
    interval: str = "Q-profile",
    mask: ArrayLike | None = None,
) -> Tau2Interval:
    """Find the confidence interval of tau2, and with it of tau, I² and H².

    Parameters
    ----------
    yi, vi, mask
        As for :func:`headway.meta.pool`.
    method : str
        Estimator of tau2 for the point estimate; Q-profile limits do not depend on it.
    level : float
        Coverage.
    interval : {"Q-profile", "profile likelihood"}
        The second for ``ML`` and ``REML`` only.

    Returns
    -------
    Tau2Interval
        NaN limits where a set has fewer than two studies. Where even tau2 = 0 is rejected from
        above the interval is empty; both limits are then 0, as in metafor, and the note says so.

    Raises
    ------
    ValueError
        Unknown `interval`, or profile likelihood without a likelihood; or as
        :func:`headway.meta.pool`.

    Notes
    -----
    Q-profile: Viechtbauer (2007), equation 9, the values of tau2 at which the generalised Q equals
    the quantiles of chi-squared with k − 1 df. Profile likelihood: Hardy and Thompson (1996), the
    values at which the log-likelihood is half a quantile of chi-squared with 1 df below its
    maximum. Each limit is bracketed, so it cannot fail, and does not depend on the unit of the
    outcome.
    """
    check_method(method)
    if interval not in INTERVALS:
        raise ValueError(f"interval must be one of {list(INTERVALS)}, not {interval!r}")
    if interval == "profile likelihood" and method not in ("ML", "REML"):
        raise ValueError("a profile likelihood interval needs method='ML' or 'REML'")
    tail = (1 - check_level(level)) / 2
    batch = prepare_batch(yi, vi, mask)
    several = batch.k > 1
    tau2 = np.where(several, estimate_tau2(batch, method), np.nan)
    low, high = np.full(tau2.shape, np.nan), np.full(tau2.shape, np.nan)
    notes = np.full(tau2.shape, "", dtype="<U24")
    notes[~several] = NOTE_FEW
    if several.any() and interval == "profile likelihood":
        drop = float(find_chi2_quantile(2 * tail, np.array(1.0))) / 2
        low[several], high[several] = _profile_likelihood(
            batch.select(several), tau2[several], method == "REML", drop
        )
    elif several.any():
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
        tau=shape(np.sqrt(tau2 * batch.unit)),
        tau_low=shape(np.sqrt(low * batch.unit)),
        tau_high=shape(np.sqrt(high * batch.unit)),
        i2=to_i2(tau2),
        i2_low=to_i2(low),
        i2_high=to_i2(high),
        h2=to_h2(tau2),
        h2_low=to_h2(low),
        h2_high=to_h2(high),
        method=method,
        level=level,
        ci_method=interval,
        remark=notes.reshape(batch.shape) if batch.shape else str(notes[0]),
    )
