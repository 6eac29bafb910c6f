"""Before and after in one group of people: change, standardised change, responders.

Change is post - pre; negative is improvement. People are paired by id before anything is dropped
(`windows.pair_windows`). These are changes in an uncontrolled series of people and never effects
of treatment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from headway import effects
from headway.messages import Message, term

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

LEVEL = 0.95
# Below, a BCa interval of a skewed change covers less than 93 % (docs/skewed.md). 28 and not 25,
# so that whether there is one tells no more than n does once it is rounded to 5.
BCA_FROM = 28
# Shares by relative change, and what their codes end with where everyone who started is the
# denominator.
RELATIVE = ("responders_30", "responders_50", "responders_75", "worsened_30")
OF_STARTED = "_of_started"
WORSE = 1.3  # times the value before
# Above, resampling would add nothing but its own error to the first three moments.
MOMENTS_FROM = 10_000
_DRAWS_AT_ONCE = 2_000_000  # bootstrap draws in memory at a time


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic with its interval and what it stands on; texts are codes and messages."""

    id: str
    estimate: float
    n: int
    ci_low: float = float("nan")
    ci_high: float = float("nan")
    interval: str = ""
    count: float = float("nan")
    unit: str = ""
    note: str = ""
    label: str = ""

    def __post_init__(self) -> None:
        """Take the label that belongs to the id, where none is given."""
        if not self.label:
            object.__setattr__(self, "label", term("statistic", self.id))


def wilson(count: ArrayLike, n: ArrayLike, level: float = LEVEL) -> tuple[Array, Array]:
    """Compute the Wilson score interval of a proportion (Wilson 1927; Brown 2001, eq. 4).

    Parameters
    ----------
    count, n
        Number with the property and number in all; broadcast against each other.

    Returns
    -------
    low, high
        Limits as proportions; NaN where n is 0.
    """
    x, m = np.asarray(count, float), np.asarray(n, float)
    z = ndtri(0.5 + level / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = x / m
        centre = (p + z**2 / (2 * m)) / (1 + z**2 / m)
        half = z / (1 + z**2 / m) * np.sqrt(p * (1 - p) / m + z**2 / (4 * m**2))
    # At 0 and n the limit is exact; rounding would leave it a hair beside.
    low = np.where((x == 0) & (m > 0), 0.0, centre - half)
    return low, np.where((x == m) & (m > 0), 1.0, centre + half)


def t_interval(values: Array, level: float = LEVEL) -> tuple[float, float]:
    """Compute the t interval of a mean; NaN with fewer than two values."""
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    half = stdtrit(n - 1, 0.5 + level / 2) * np.std(values, ddof=1) / np.sqrt(n)
    mean = float(np.mean(values))
    return mean - float(half), mean + float(half)


def skewed_interval(values: ArrayLike, level: float = LEVEL) -> tuple[float, float]:
    """Compute an interval of the mean of skewed values: Hall's, never narrower than t on any side.

    The studentised mean of skewed values is skewed itself. Hall's cubic of it is monotone, takes
    the skewness out to the order 1/n, and is solved for the mean in closed form (Hall 1992,
    Journal of the Royal Statistical Society B 54:221, transformation 2); quantiles of t allow for
    the estimated spread, and the skewness is the unbiased G1 (Joanes and Gill 1998), since small
    samples show less of it. Nothing is drawn, so that equal values do no harm.

    Parameters
    ----------
    values
        One value per person.

    Returns
    -------
    tuple of float
        NaN with fewer than two values, or without spread.
    """
    x = np.asarray(values, float)
    n = len(x)
    if n < 2 or np.ptp(x) == 0:
        return float("nan"), float("nan")
    low, high = t_interval(x, level)
    centred = x - x.mean()
    se = float(np.std(x, ddof=1) / np.sqrt(n))
    skew = 0.0
    if n > 2:
        skew = n / ((n - 1) * (n - 2)) * float((centred**3).sum()) / np.std(x, ddof=1) ** 3
    a = skew / np.sqrt(n) / 3
    if abs(a) < 1e-6:  # the cubic is a straight line
        return low, high
    q = float(stdtrit(n - 1, 0.5 + level / 2))
    far, near = (float((np.cbrt(1 + 3 * a * (y - a / 2)) - 1) / a) for y in (q, -q))
    mean = float(x.mean())
    return min(low, mean - se * far), max(high, mean - se * near)


def bca_interval(
    values: Array, *, replicates: int, seed: int, level: float = LEVEL
) -> tuple[float, float]:
    """Compute the bias-corrected accelerated bootstrap interval of a mean (Efron 1987).

    For a mean the jackknife of the acceleration has a closed form, so that cost and memory are
    linear in the number of values (in scipy.stats.bootstrap the jackknife is quadratic).

    Parameters
    ----------
    values
        One value per person; their order does not matter.
    replicates, seed
        Resamples, and the seed of their draws.

    Returns
    -------
    tuple of float
        NaN with fewer than two values, or without spread.
    """
    # Sorted, so that the order of rows in a file cannot move the interval.
    x = np.sort(np.asarray(values, float))
    n = len(x)
    if n < 2 or x[0] == x[-1]:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    rows = max(1, _DRAWS_AT_ONCE // n)
    means = np.concatenate(
        [
            x[rng.integers(0, n, (min(rows, replicates - done), n))].mean(axis=1)
            for done in range(0, replicates, rows)
        ]
    )
    centred = x - x.mean()
    below = ((means < x.mean()).mean() + (means <= x.mean()).mean()) / 2
    bias = ndtri(below)
    skew = (centred**3).sum() / (6 * (centred**2).sum() ** 1.5)
    tail = bias + ndtri(np.array([0.5 - level / 2, 0.5 + level / 2]))
    low, high = np.quantile(means, ndtr(bias + tail / (1 - skew * tail)))
    return float(low), float(high)


def bca_from_moments(values: Array, *, level: float = LEVEL) -> tuple[float, float]:
    """Compute the limits that `bca_interval` approaches with endless replicates, for many values.

    The bootstrap distribution of a mean is written by its first three moments (Cornish & Fisher
    1938), the bias correction and the acceleration of a mean by its skewness (DiCiccio & Efron
    1992, section 4). What is left out is of the order of 1 / n of the standard error.

    Parameters
    ----------
    values
        One value per person; their order does not matter.

    Returns
    -------
    tuple of float
        NaN with fewer than two values, or without spread.
    """
    # Sorted, so that the order of rows in a file cannot move the interval.
    x = np.sort(np.asarray(values, float))
    n = len(x)
    if n < 2 or x[0] == x[-1]:
        return float("nan"), float("nan")
    mean = float(x.mean())
    centred = x - mean
    square = centred**2
    variance = float(square.mean())
    # A sixth of the skewness of the mean.
    a = float((square * centred).mean()) / variance**1.5 / np.sqrt(n) / 6
    bias = ndtri(0.5 + a / np.sqrt(2 * np.pi))
    tail = bias + ndtri(np.array([0.5 - level / 2, 0.5 + level / 2]))
    z = bias + tail / (1 - a * tail)
    low, high = mean + np.sqrt(variance / n) * (z + a * (z**2 - 1))
    return float(low), float(high)


def summarise_change(
    pre: Array,
    post: Array,
    *,
    unit: str,
    replicates: int = 2000,
    seed: int = 0,
) -> list[Statistic]:
    """Summarise paired values in the order of display.

    Raw change with its t and BCa intervals (no BCa below `BCA_FROM` people); SMCR (Becker 1988)
    and SMCRH (Bonett 2008), whose denominator is the standard deviation before; ROMC, the log
    ratio of means; responders and worsened with Wilson intervals; SMCC, which grows with r, only
    beside r. Intervals of the standardised changes are Wald.

    Parameters
    ----------
    pre, post
        Values of the same people in the same order, without missing values.
    unit
        Unit of the outcome.

    Returns
    -------
    list of Statistic
        What needs more people than there are is NaN, with n.
    """
    pre, post = np.asarray(pre, float), np.asarray(post, float)
    n, change = len(pre), post - pre
    nan = float("nan")

    def mean(values: Array) -> float:
        return float(np.mean(values)) if n else nan

    def sd(values: Array) -> float:
        return float(np.std(values, ddof=1)) if n > 1 else nan

    out = [
        Statistic("pre_mean", mean(pre), n, unit=unit),
        Statistic("pre_sd", sd(pre), n, unit=unit),
        Statistic("post_mean", mean(post), n, unit=unit),
        Statistic("post_sd", sd(post), n, unit=unit),
        Statistic(
            "change_mean",
            mean(change),
            n,
            *t_interval(change),
            interval=Message("interval.t"),
            unit=unit,
        ),
        _bootstrap_change(change, mean(change), unit, replicates, seed),
        Statistic("change_sd", sd(change), n, unit=unit),
        _n_for_one(sd(change), n, unit),
    ]
    usable = n > 2 and sd(pre) > 0 and sd(post) > 0 and sd(change) > 0
    r = float(np.corrcoef(pre, post)[0, 1]) if usable else nan
    for code in ("SMCR", "SMCRH", "ROMC"):
        value = (nan, nan)
        if usable and (code != "ROMC" or (mean(pre) > 0 and mean(post) > 0)):
            extra = {} if code == "SMCR" else {"sd2": sd(post)}
            # metafor's order: 1 is after, 2 is before, and sd1 scales SMCR and SMCRH.
            if code == "ROMC":
                yi, vi = effects.escalc(
                    "ROMC", n=n, mean1=mean(post), mean2=mean(pre), sd1=sd(post), sd2=sd(pre), r=r
                )
            else:
                yi, vi = effects.escalc(
                    code, n=n, mean1=mean(post), mean2=mean(pre), sd1=sd(pre), r=r, **extra
                )
            value = (float(yi), float(vi))
        out.append(_wald(code.lower(), *value, n))
    out.append(Statistic("r", r, n))
    value = (nan, nan)
    if usable:
        yi, vi = effects.escalc(
            "SMCC", n=n, mean1=mean(post), mean2=mean(pre), sd1=sd(pre), sd2=sd(post), r=r
        )
        value = (float(yi), float(vi))
    out.append(_wald("smcc", *value, n, note=Message("remark.grows_with_r")))
    return out + summarise_responders(pre, post)


def _bootstrap_change(
    change: Array, mean: float, unit: str, replicates: int, seed: int
) -> Statistic:
    """Give the mean change its BCa interval, where there are enough people for one."""
    n = len(change)
    if n < BCA_FROM:
        note = Message("remark.few_for_bootstrap", least=BCA_FROM)
        return Statistic("change_mean_bca", mean, n, unit=unit, note=note)
    if n >= MOMENTS_FROM:
        return Statistic(
            "change_mean_bca",
            mean,
            n,
            *bca_from_moments(change),
            interval=Message("interval.bca_moments"),
            unit=unit,
        )
    return Statistic(
        "change_mean_bca",
        mean,
        n,
        *bca_interval(change, replicates=replicates, seed=seed),
        interval=Message("interval.bca", replicates=replicates),
        unit=unit,
    )


def _n_for_one(sd: float, n: int, unit: str) -> Statistic:
    """How many people an interval of ± 1 unit would take, at this standard deviation."""
    need = float("nan") if np.isnan(sd) else float(np.ceil((ndtri(0.975) * sd) ** 2))
    return Statistic(
        "n_for_precision",
        need,
        n,
        unit="people",
        label=Message("statistic.n_for_precision", unit=term("unit", unit)),
    )


def _wald(id: str, yi: float, vi: float, n: int, note: str = "") -> Statistic:
    half = float(ndtri(0.5 + LEVEL / 2)) * float(np.sqrt(vi))
    return Statistic(
        id,
        yi,
        n,
        yi - half,
        yi + half,
        Message("interval.wald"),
        unit="sd" if id != "romc" else "log_ratio",
        note=note,
    )


def divide_by_before(pre: ArrayLike, post: ArrayLike) -> Array:
    """Divide values after by those of the same people before; NaN where these are not above 0.

    Rounded, so that a relative change that equals a threshold on paper does not miss it by a
    binary fraction.
    """
    before, after = np.asarray(pre, float), np.asarray(post, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.round(after / np.where(before > 0, before, np.nan), 12)


def summarise_responders(pre: Array, post: Array) -> list[Statistic]:
    """Count people who improved by at least 30, 50, 75 % or worsened by at least 30 %.

    Someone whose value before is 0 has no relative change and is left out of the denominator,
    which is n.
    """
    ratio = divide_by_before(pre, post)
    n = int((~np.isnan(ratio)).sum())
    left_out = len(pre) - n
    note = Message("remark.zero_before", n=left_out) if left_out else ""
    out = []
    for id, hit in (
        ("responders_30", ratio <= 0.7),
        ("responders_50", ratio <= 0.5),
        ("responders_75", ratio <= 0.25),
        ("worsened_30", ratio >= WORSE),
    ):
        out.append(count_share(id, int(hit.sum()), n, note))
    return out


def repeat_of_started(statistics: Sequence[Statistic], of: int) -> list[Statistic]:
    """State responders and worsened again as shares of all who started.

    Whoever was lost is not known to have improved or worsened, and counts in the denominator only.

    Parameters
    ----------
    statistics
        Of one group of people; `RELATIVE` are repeated, unless nobody was analysed.
    of
        How many of that group started.
    """
    note = Message("remark.lost_not_known")
    return [
        count_share(f"{s.id}{OF_STARTED}", int(s.count), of, note)
        for s in statistics
        if s.id in RELATIVE and s.n
    ]


def count_share(id: str, count: int, n: int, note: str = "", label: str = "") -> Statistic:
    """State how many of n people have a property: percent, Wilson interval, count."""
    low, high = wilson(count, n)
    return Statistic(
        id,
        100 * count / n if n else float("nan"),
        n,
        float(100 * low),
        float(100 * high),
        Message("interval.wilson"),
        count=count,
        unit="percent",
        note=note,
        label=label,
    )
