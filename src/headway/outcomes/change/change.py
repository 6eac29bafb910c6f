"""Before and after in one group of people: change, standardised change, responders.

Change is post - pre; negative is improvement. People are paired by id before anything is dropped
(`windows.pair_windows`). These are changes in an uncontrolled series of people and never effects
of treatment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from headway import effects

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

LEVEL = 0.95
_DRAWS_AT_ONCE = 2_000_000  # bootstrap draws in memory at a time


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic with its interval and what it stands on."""

    id: str
    label: str
    estimate: float
    n: int
    ci_low: float = float("nan")
    ci_high: float = float("nan")
    interval: str = ""
    count: float = float("nan")
    unit: str = ""
    note: str = ""


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


def summarise_change(
    pre: Array,
    post: Array,
    *,
    unit: str,
    replicates: int = 2000,
    seed: int = 0,
) -> list[Statistic]:
    """Summarise paired values in the order of display.

    Raw change with its t and BCa intervals; SMCR (Becker 1988) and SMCRH (Bonett 2008), whose
    denominator is the standard deviation before; ROMC, the log ratio of means; responders and
    worsened with Wilson intervals; SMCC, which grows with r, only beside r. Intervals of the
    standardised changes are Wald.

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
        Statistic("pre_mean", "mean before", mean(pre), n, unit=unit),
        Statistic("pre_sd", "standard deviation before", sd(pre), n, unit=unit),
        Statistic("post_mean", "mean after", mean(post), n, unit=unit),
        Statistic("post_sd", "standard deviation after", sd(post), n, unit=unit),
        Statistic(
            "change_mean",
            "mean change (after − before)",
            mean(change),
            n,
            *t_interval(change),
            interval="95 %, t",
            unit=unit,
        ),
        Statistic(
            "change_mean_bca",
            "mean change, bootstrap interval",
            mean(change),
            n,
            *bca_interval(change, replicates=replicates, seed=seed),
            interval=f"95 %, BCa bootstrap, {replicates} replicates",
            unit=unit,
        ),
        Statistic("change_sd", "standard deviation of change", sd(change), n, unit=unit),
        _n_for_one(sd(change), n, unit),
    ]
    usable = n > 2 and sd(pre) > 0 and sd(post) > 0 and sd(change) > 0
    r = float(np.corrcoef(pre, post)[0, 1]) if usable else nan
    for code, label in (
        ("SMCR", "standardised change, SD before (SMCR, Becker 1988)"),
        ("SMCRH", "standardised change, SD before, unequal variances (SMCRH, Bonett 2008)"),
        ("ROMC", "log ratio of means (ROMC)"),
    ):
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
        out.append(_wald(code.lower(), label, *value, n))
    out.append(Statistic("r", "correlation of before and after", r, n))
    value = (nan, nan)
    if usable:
        yi, vi = effects.escalc(
            "SMCC", n=n, mean1=mean(post), mean2=mean(pre), sd1=sd(pre), sd2=sd(post), r=r
        )
        value = (float(yi), float(vi))
    note = "grows with r; read it beside r only"
    out.append(_wald("smcc", "change / SD of change (SMCC)", *value, n, note=note))
    return out + summarise_responders(pre, post)


def _n_for_one(sd: float, n: int, unit: str) -> Statistic:
    """How many people an interval of ± 1 unit would take, at this standard deviation."""
    need = float("nan") if np.isnan(sd) else float(np.ceil((ndtri(0.975) * sd) ** 2))
    return Statistic(
        "n_for_precision",
        f"people needed for an interval of ± 1 {unit}".strip(),
        need,
        n,
        unit="people",
    )


def _wald(id: str, label: str, yi: float, vi: float, n: int, note: str = "") -> Statistic:
    half = float(ndtri(0.5 + LEVEL / 2)) * float(np.sqrt(vi))
    return Statistic(
        id,
        label,
        yi,
        n,
        yi - half,
        yi + half,
        "95 %, Wald",
        unit="SD" if id != "romc" else "log ratio",
        note=note,
    )


def summarise_responders(pre: Array, post: Array) -> list[Statistic]:
    """Count people who improved by at least 30, 50, 75 % or worsened by at least 30 %.

    Someone whose value before is 0 has no relative change and is left out of the denominator,
    which is n.
    """
    positive = pre > 0
    before, after = pre[positive], post[positive]
    n = int(positive.sum())
    left_out = len(pre) - n
    note = f"{left_out} with 0 before left out" if left_out else ""
    out = []
    # A relative change that equals the threshold on paper must not miss it by rounding.
    ratio = np.round(after / before, 12)
    for id, label, hit in (
        ("responders_30", "improved by at least 30 %", ratio <= 0.7),
        ("responders_50", "improved by at least 50 %", ratio <= 0.5),
        ("responders_75", "improved by at least 75 %", ratio <= 0.25),
        ("worsened_30", "worsened by at least 30 %", ratio >= 1.3),
    ):
        count = int(hit.sum())
        low, high = wilson(count, n)
        share = 100 * count / n if n else float("nan")
        out.append(
            Statistic(
                id,
                label,
                share,
                n,
                float(100 * low),
                float(100 * high),
                "95 %, Wilson",
                count=count,
                unit="percent",
                note=note,
            )
        )
    return out
