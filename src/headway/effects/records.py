"""Effect sizes of raw paired records, and of their summaries, with exact intervals.

What papers call "Cohen's d" of a change is one of several numbers; all are here, each by its name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import nctdtr, ndtr, ndtri, stdtr, stdtrit

from headway.effects.shared import Array, hedges_j


@dataclass(frozen=True, slots=True)
class Bounded:
    """An estimate with its confidence limits."""

    estimate: float
    ci_low: float
    ci_high: float

    def scaled(self, factor: float) -> Bounded:
        """Return estimate and limits times a positive factor."""
        return Bounded(self.estimate * factor, self.ci_low * factor, self.ci_high * factor)


@dataclass(frozen=True, slots=True)
class PairedEffects:
    """The change of one group in every unit that is in use.

    Attributes
    ----------
    n : int
        Pairs.
    mean_change, sd_change, r : float
        After minus before; its SD; correlation of before and after.
    t, df, p_value, ci_low, ci_high : float
        Paired t test of the mean change, and its interval.
    d_z, g_z : Bounded
        Mean change over its SD; with Hedges' correction (n − 1 df). Noncentral t.
    d_average : float
        Over the mean of both SDs.
    d_rms, g_rms : Bounded
        Over the root of their mean square, as if the times were two groups (2n − 2 df).
    d_rm : float
        d_z times the root of 2(1 − r), in the unit of a single time.
    glass : float
        Over the SD before.
    u3, superiority, overlap : Bounded
        Of two normal distributions `d_rms` apart: share of the first below the mean of the
        second; probability that a value after is larger than one before, of other people; overlap.
    superiority_paired : Bounded
        Probability that a value after is larger than the same person's before.
    """

    n: int
    mean_change: float
    sd_change: float
    r: float
    t: float
    df: int
    p_value: float
    ci_low: float
    ci_high: float
    d_z: Bounded
    g_z: Bounded
    d_average: float
    d_rms: Bounded
    g_rms: Bounded
    d_rm: float
    glass: float
    u3: Bounded
    superiority: Bounded
    overlap: Bounded
    superiority_paired: Bounded


def find_noncentrality(t: float, df: float, level: float = 0.95) -> tuple[float, float]:
    """Return the noncentralities at which `t` cuts off equal tails.

    Steiger and Fouladi (1997). The distribution function falls in the noncentrality, so each is
    bracketed and bisected.
    """

    def solve(share: float) -> float:
        width = 4.0 + abs(t)
        low, high = t - width, t + width
        while nctdtr(df, low, t) < share:
            low -= width
        while nctdtr(df, high, t) > share:
            high += width
        for _ in range(200):
            middle = (low + high) / 2
            if middle in (low, high):
                break
            if nctdtr(df, middle, t) > share:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    tail = (1 - level) / 2
    return solve(1 - tail), solve(tail)


def describe_summaries(
    n: int,
    mean_pre: float,
    sd_pre: float,
    mean_post: float,
    sd_post: float,
    r: float,
    level: float = 0.95,
) -> PairedEffects:
    """Compute every effect size of a change from its summaries.

    Parameters
    ----------
    n : int
        Pairs, at least 2.
    mean_pre, sd_pre, mean_post, sd_post : float
        In the unit of the outcome; SDs above 0.
    r : float
        Correlation of before and after, in [−1, 1].
    level : float
        Coverage of the intervals.

    Returns
    -------
    PairedEffects

    Raises
    ------
    ValueError
        Numbers outside these bounds, or a change without spread.
    """
    numbers = (mean_pre, sd_pre, mean_post, sd_post, r)
    if not np.isfinite(numbers).all():
        raise ValueError("summaries must be finite")
    if n < 2:
        raise ValueError("n must be at least 2 pairs")
    if not (sd_pre > 0 and sd_post > 0):
        raise ValueError("sd_pre and sd_post must be above 0")
    if abs(r) > 1:
        raise ValueError("r must lie between -1 and 1")
    if not 0 < level < 1:
        raise ValueError("level must lie between 0 and 1, for example 0.95")
    variance = sd_pre**2 + sd_post**2 - 2 * r * sd_pre * sd_post
    if not variance > 0:
        raise ValueError("the change has no spread: its standardised effect is not defined")
    change, sd, df = mean_post - mean_pre, float(np.sqrt(variance)), n - 1
    t = change / (sd / np.sqrt(n))
    half = -float(stdtrit(df, (1 - level) / 2)) * sd / np.sqrt(n)
    low, high = find_noncentrality(t, df, level)
    d_z = Bounded(change / sd, low / np.sqrt(n), high / np.sqrt(n))
    rms = float(np.sqrt((sd_pre**2 + sd_post**2) / 2))
    d = change / rms
    low, high = find_noncentrality(d * np.sqrt(n / 2), 2 * df, level)
    d_rms = Bounded(d, low * np.sqrt(2 / n), high * np.sqrt(2 / n))

    def normal(d: Bounded, factor: float) -> Bounded:
        return Bounded(*(float(ndtr(x * factor)) for x in (d.estimate, d.ci_low, d.ci_high)))

    nearest = (
        0.0 if d_rms.ci_low <= 0 <= d_rms.ci_high else min(map(abs, (d_rms.ci_low, d_rms.ci_high)))
    )
    farthest = max(abs(d_rms.ci_low), abs(d_rms.ci_high))
    overlap = Bounded(*(2 * float(ndtr(-x / 2)) for x in (abs(d), farthest, nearest)))
    return PairedEffects(
        n=n,
        mean_change=change,
        sd_change=sd,
        r=r,
        t=float(t),
        df=df,
        p_value=float(2 * stdtr(df, -abs(t))),
        ci_low=float(change - half),
        ci_high=float(change + half),
        d_z=d_z,
        g_z=d_z.scaled(float(hedges_j(df))),
        d_average=change / ((sd_pre + sd_post) / 2),
        d_rms=d_rms,
        g_rms=d_rms.scaled(float(hedges_j(2 * df))),
        d_rm=d_z.estimate * float(np.sqrt(2 * (1 - r))),
        glass=change / sd_pre,
        u3=normal(d_rms, 1.0),
        superiority=normal(d_rms, 1 / np.sqrt(2)),
        overlap=overlap,
        superiority_paired=normal(d_z, 1 / np.sqrt(2)),
    )


def _read_records(pre: ArrayLike, post: ArrayLike) -> tuple[Array, Array]:
    before, after = (np.asarray(x, dtype=np.float64) for x in (pre, post))
    if before.ndim != 1 or before.shape != after.shape:
        raise ValueError("pre and post must hold one value per person, in one order")
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise ValueError("pre and post must be complete: leave out who was not measured twice")
    return before, after


def describe_records(pre: ArrayLike, post: ArrayLike, level: float = 0.95) -> PairedEffects:
    """Compute every effect size of a change from records of the same people.

    Raises
    ------
    ValueError
        Records of different length, missing values, or as :func:`describe_summaries`.
    """
    before, after = _read_records(pre, post)
    if before.size < 2:
        raise ValueError("n must be at least 2 pairs")
    with np.errstate(invalid="ignore", divide="ignore"):
        r = float(np.corrcoef(before, after)[0, 1])
    return describe_summaries(
        before.size,
        float(before.mean()),
        float(before.std(ddof=1)),
        float(after.mean()),
        float(after.std(ddof=1)),
        r,
        level,
    )


def rank_biserial(pre: ArrayLike, post: ArrayLike, level: float = 0.95) -> Bounded:
    """Return the matched-pairs rank-biserial correlation, with Fisher's z interval.

    Kerby (2014): favourable less unfavourable share of the ranks of the differences, zeros left
    out; standard error of z as in R's effectsize.

    Raises
    ------
    ValueError
        Records of different length, missing values, or no pair that differs.
    """
    before, after = _read_records(pre, post)
    difference = (after - before)[after != before]
    n = difference.size
    if n == 0:
        raise ValueError("no pair differs: there is nothing to rank")
    size = np.abs(difference)
    below = (size[:, None] > size).sum(axis=1)
    rank = below + ((size[:, None] == size).sum(axis=1) + 1) / 2
    r = float((np.sign(difference) * rank).sum() / rank.sum())
    if abs(r) == 1:
        return Bounded(r, r, r)
    se = np.sqrt((2 * n**3 + 3 * n**2 + n) / 6) / ((n**2 + n) / 2)
    half = float(-ndtri((1 - level) / 2)) * se
    low, high = (float(np.tanh(np.arctanh(r) + x)) for x in (-half, half))
    return Bounded(r, low, high)
