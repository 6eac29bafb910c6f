"""Who was lost, and whether a diary was kept on particular days: two doubts about missing records.

A mean change among people with records on both sides speaks for all who started only if the lost
were like them. A frequency counted on days with an entry speaks for the other days only if an
entry was as likely on a free day as on a headache day. Records can speak against either and can
establish neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from headway.messages import Message
from headway.outcomes.change.change import LEVEL, t_interval, wilson

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

COMPLETE_FROM = 0.9  # share of days with an entry from which few days are left to be unlike
LEVEL_OF_TWO = 0.99  # one-sided 1 % in all: two looks at the diary, before and after, share it


def welch_interval(
    first: ArrayLike, second: ArrayLike, level: float = LEVEL
) -> tuple[float, float, float]:
    """Compute the difference of two means, first - second, with its interval (Welch 1947).

    Parameters
    ----------
    first, second
        Values of two groups, without missing values.

    Returns
    -------
    difference, low, high
        The limits are NaN with fewer than two values in a group, or without spread in both.
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    nan = float("nan")
    if not len(a) or not len(b):
        return nan, nan, nan
    difference = float(a.mean() - b.mean())
    if len(a) < 2 or len(b) < 2:
        return difference, nan, nan
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    if va + vb == 0:
        return difference, nan, nan
    df = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    half = float(stdtrit(df, 0.5 + level / 2) * np.sqrt(va + vb))
    return difference, difference - half, difference + half


def newcombe_interval(
    count1: ArrayLike, n1: ArrayLike, count2: ArrayLike, n2: ArrayLike, level: float = LEVEL
) -> tuple[Array, Array]:
    """Compute the interval of a difference of proportions, first - second.

    Method 10 of Newcombe (1998): the distances of both proportions from their Wilson limits,
    added as squares. It stays within -1 and 1 and does not collapse at 0 or 1.

    Returns
    -------
    low, high
        NaN where a group is empty.
    """
    x1, m1, x2, m2 = (np.asarray(v, float) for v in (count1, n1, count2, n2))
    low1, high1 = wilson(x1, m1, level)
    low2, high2 = wilson(x2, m2, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        p1, p2 = x1 / m1, x2 / m2
    below = np.sqrt((p1 - low1) ** 2 + (high2 - p2) ** 2)
    above = np.sqrt((high1 - p1) ** 2 + (p2 - low2) ** 2)
    return p1 - p2 - below, p1 - p2 + above


def compare_lost(
    baseline: pd.DataFrame,
    analysed: Iterable[object],
    starters: pd.Index,
    *,
    categorical: Iterable[str] = (),
) -> pd.DataFrame:
    """Compare the lost with the analysed in what was known before.

    Parameters
    ----------
    baseline
        One row per person (index patient_id). Numeric columns are compared by their means,
        others by the share of each level; a blank is unknown: no value, and no level.
    analysed
        Who entered the analysis; all of them starters.
    starters
        Everyone who started. The others of them are the lost, also without a row in `baseline`.
    categorical
        Numeric columns that hold codes of categories.

    Returns
    -------
    DataFrame
        In the order of the columns, a row per numeric characteristic (`measure` mean) and per
        level of a categorical one (`measure` percent): characteristic, level, measure;
        n_analysed and n_lost, people with a value; of_analysed and of_lost, everyone on that
        side; count_analysed and count_lost, people at the level; value_analysed and value_lost;
        difference (lost - analysed) with ci_low, ci_high and interval, 95 % by Welch or Newcombe
        (1998, method 10; percentage points); standardised_difference, over the root of the mean
        of both variances (Austin 2009), which does not shrink in small clinics as a test does.
    """
    import pandas as pd

    kept = pd.Index(list(analysed))
    strangers = len(kept.difference(starters))
    if strangers:
        raise ValueError(f"{strangers} of the analysed are not among those who started")
    if not baseline.index.is_unique or not starters.is_unique:
        raise ValueError("a person may stand in `baseline` and in `starters` once only")
    people = baseline.reindex(starters)
    inside = people.index.isin(kept)
    sides = {"analysed": people[inside], "lost": people[~inside]}
    codes = set(categorical)
    rows: list[dict[str, object]] = []
    for column in baseline.columns:
        # The types of `baseline`, since people without a row turn integers into fractions.
        kind = baseline[column].dtype
        numeric = pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)
        values = {side: frame[column].dropna() for side, frame in sides.items()}
        common = {
            "characteristic": column,
            **{f"of_{side}": len(frame) for side, frame in sides.items()},
            **{f"n_{side}": len(v) for side, v in values.items()},
        }
        if numeric and column not in codes:
            rows.append(
                common
                | _compare_means(
                    values["lost"].to_numpy(dtype=float), values["analysed"].to_numpy(dtype=float)
                )
            )
        else:
            levels = baseline[column].reindex(starters.intersection(baseline.index)).dropna()
            rows += [
                common | {"level": str(level)} | _compare_shares(values, level)
                for level in sorted(levels.unique(), key=lambda v: (str(type(v)), v))
            ]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


_COLUMNS = {
    "characteristic": "str",
    "level": "str",
    "measure": "str",
    "n_analysed": "int64",
    "of_analysed": "int64",
    "count_analysed": "float64",
    "value_analysed": "float64",
    "n_lost": "int64",
    "of_lost": "int64",
    "count_lost": "float64",
    "value_lost": "float64",
    "difference": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "interval": "str",
    "standardised_difference": "float64",
}


def _standardise(difference: float, variances: tuple[float, float]) -> float:
    scale = float(np.sqrt(sum(variances) / 2))
    return difference / scale if scale > 0 else float("nan")


def _compare_means(lost: Array, analysed: Array) -> dict[str, object]:
    difference, low, high = welch_interval(lost, analysed)
    spread = float("nan")
    if len(lost) > 1 and len(analysed) > 1:
        spread = _standardise(difference, (float(lost.var(ddof=1)), float(analysed.var(ddof=1))))
    return {
        "measure": "mean",
        "value_analysed": float(analysed.mean()) if len(analysed) else float("nan"),
        "value_lost": float(lost.mean()) if len(lost) else float("nan"),
        "difference": difference,
        "ci_low": low,
        "ci_high": high,
        "interval": Message("interval.welch"),
        "standardised_difference": spread,
    }


def _compare_shares(values: dict[str, pd.Series], level: object) -> dict[str, object]:
    n = {side: len(v) for side, v in values.items()}
    count = {side: int((v == level).sum()) for side, v in values.items()}
    p = {side: count[side] / n[side] if n[side] else float("nan") for side in values}
    low, high = newcombe_interval(count["lost"], n["lost"], count["analysed"], n["analysed"])
    difference = p["lost"] - p["analysed"]
    variances = (p["lost"] * (1 - p["lost"]), p["analysed"] * (1 - p["analysed"]))
    return {
        "measure": "percent",
        **{f"count_{side}": float(c) for side, c in count.items()},
        **{f"value_{side}": 100 * share for side, share in p.items()},
        "difference": 100 * difference,
        "ci_low": 100 * float(low),
        "ci_high": 100 * float(high),
        "interval": Message("interval.newcombe"),
        "standardised_difference": _standardise(difference, variances),
    }


@dataclass(frozen=True, slots=True)
class SourceComparison:
    """Headache days per 28 by diary against the same days by recall, in the same people.

    The interval of the difference is the 95 % one; the flag rests on the 99 % one (`flag_low`,
    `flag_high`).
    """

    n: int
    difference: float
    ci_low: float
    ci_high: float
    flag_low: float
    flag_high: float
    share_observed: float
    flag: bool


def compare_sources(
    diary_frequency: pd.Series, recalled: pd.Series, share_observed: pd.Series
) -> SourceComparison:
    """Check whether an entry was more likely on headache days.

    A diary that is opened rather when the head aches holds too many headache days per day
    observed. An answer to "how many of the last 28 days" does not depend on single entries, so
    the diary then lies above it, and the more so the fewer days were observed.

    The rule, the only one for this doubt: `flag` is True when the 99 % t interval of the mean
    difference (diary - recalled), as printed to a tenth, lies above 0 and less than 90 % of the
    days were observed on average. With no selection of days and unbiased recall that happens in
    at most 1 % of clinics that are looked at before and after. Recall that is too low looks the
    same.

    Parameters
    ----------
    diary_frequency
        Headache days per observed day x 28, by patient_id.
    recalled
        Headache days recalled for the same 28 days, by patient_id.
    share_observed
        Days with an entry over days of the window, 0 to 1, by patient_id.

    Returns
    -------
    SourceComparison
        Over people with all three; `share_observed` is their mean.
    """
    import pandas as pd

    for name, values in (
        ("diary_frequency", diary_frequency),
        ("recalled", recalled),
        ("share_observed", share_observed),
    ):
        if not values.index.is_unique:
            raise ValueError(f"a person stands in {name} more than once")
    both = pd.concat([diary_frequency, recalled, share_observed], axis=1, join="inner").dropna()
    diary, said, share = both.to_numpy(dtype=float).T
    if len(share) and (share.min() < 0 or share.max() > 1):
        raise ValueError("the share of days observed lies between 0 and 1")
    difference = diary - said
    n = len(difference)
    nan = float("nan")
    low, high = t_interval(difference)
    flag_low, flag_high = t_interval(difference, LEVEL_OF_TWO)
    observed = float(share.mean()) if n else nan
    return SourceComparison(
        n=n,
        difference=float(difference.mean()) if n else nan,
        ci_low=low,
        ci_high=high,
        flag_low=flag_low,
        flag_high=flag_high,
        share_observed=observed,
        # Judged as printed, so that the flag follows from what a reader sees.
        flag=bool(n and round(flag_low, 1) > 0 and round(observed, 2) < COMPLETE_FROM),
    )
