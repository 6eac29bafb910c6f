"""How long a response lasts: time to relapse of responders, in 28-day windows.

At risk are people whose headache days fell by at least half in the window after. A window at 75 %
of the days before, or above, is a bad one; two bad windows in a row are a relapse, which is dated
at the first of them (one bad window alone, as a sensitivity rule). A relapse lies somewhere within
its window and is entered at the window's end, so the curve is right at the ends of windows and the
mean time without relapse is too long by less than one window.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from headway.messages import Message, join
from headway.outcomes.change import windows as windows_of
from headway.outcomes.change.change import LEVEL
from headway.outcomes.change.windows import DAYS_PER_WINDOW, Comparison
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]
    Bools = NDArray[np.bool_]

RULES = {"two": 2, "one": 1}  # name -> bad windows in a row
_MOST_WINDOWS = 39  # three years of follow-up
_NOTE = join(
    [
        Message("relapse.counted_from"),
        Message("relapse.entered_at_the_end"),
        Message("relapse.lost_like_the_others"),
    ]
)


@dataclass(frozen=True, slots=True)
class KaplanMeier:
    """A Kaplan-Meier curve on a grid of times, the first of which is 0.

    At each time: people at risk, with the event, censored; the share without the event just
    after it, and its limits (Greenwood's variance on the log-log scale; NaN where the share is 1
    or 0, since the variance is 0 there and certainty would be false).
    """

    times: Array
    at_risk: Array
    events: Array
    censored: Array
    survival: Array
    ci_low: Array
    ci_high: Array


@dataclass(frozen=True, slots=True)
class RestrictedMean:
    """Mean time without the event up to a horizon (RMST), its standard error, normal interval.

    The limits are NaN where no event was seen before the horizon, and cut off at 0 and there.
    """

    horizon: float
    estimate: float
    se: float
    ci_low: float
    ci_high: float


def fit_kaplan_meier(time: ArrayLike, event: ArrayLike, grid: ArrayLike) -> KaplanMeier:
    """Estimate the share without an event over time (Kaplan and Meier 1958).

    Parameters
    ----------
    time
        Time of the event or of the last look at each person; every one stands on the grid.
    event
        Whether the event was seen.
    grid
        Times, ascending from 0.

    Returns
    -------
    KaplanMeier
        Limits: log(-log S), Greenwood's variance (Kalbfleisch and Prentice 2002, equation 1.13).

    Raises
    ------
    ValueError
        If a time is not on the grid, or the grid does not ascend from 0.
    """
    t, d, g = np.asarray(time, float), np.asarray(event, bool), np.asarray(grid, float)
    if not len(g) or g[0] != 0 or (np.diff(g) <= 0).any():
        raise ValueError("the grid must ascend from 0")
    if not np.isin(t, g).all():
        raise ValueError("every time must stand on the grid")
    place = np.searchsorted(g, t)
    events = np.bincount(place[d], minlength=len(g)).astype(float)
    censored = np.bincount(place[~d], minlength=len(g)).astype(float)
    leave = events + censored
    at_risk = len(t) - np.concatenate([[0.0], np.cumsum(leave)[:-1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(at_risk > 0, 1 - events / at_risk, 1.0)
        # Nobody is left to say anything after the last person was seen.
        survival = np.where(at_risk > 0, np.cumprod(share), np.nan)
        greenwood = np.cumsum(np.where(events > 0, events / (at_risk * (at_risk - events)), 0.0))
        half = ndtri(0.5 + LEVEL / 2) * np.sqrt(greenwood) / -np.log(survival)
        low, high = survival ** np.exp(half), survival ** np.exp(-half)
    # Greenwood's variance is 0 before the first event and after the last person: no interval.
    undefined = (survival == 0) | (survival == 1)
    low, high = np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)
    return KaplanMeier(g, at_risk, events, censored, survival, low, high)


def restrict_mean(curve: KaplanMeier, horizon: float) -> RestrictedMean:
    """Compute the mean time without the event up to a horizon, the area under the curve.

    Variance: sum over event times of (area from there to the horizon)² d / (n (n - d)), as in
    Klein and Moeschberger (2003), equation 4.5.2; without their factor for small samples.

    Raises
    ------
    ValueError
        If the curve is not known up to the horizon, or the horizon is not above 0.
    """
    if horizon <= 0:
        raise ValueError("the horizon must lie above 0")
    inside = curve.times < horizon
    edges = np.append(curve.times[inside], horizon)
    survival = curve.survival[inside]
    if np.isnan(survival).any() or horizon > curve.times[-1]:
        raise ValueError("the curve is not known up to the horizon")
    areas = survival * np.diff(edges)
    # An event at a time changes what lies after it.
    after = np.cumsum(areas[::-1])[::-1]
    n, d = curve.at_risk[inside], curve.events[inside]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Where everyone left has the event, nothing lies after it.
        terms = np.where((d > 0) & (n > d), after**2 * d / (n * (n - d)), 0.0)
    estimate, se = float(areas.sum()), float(np.sqrt(terms.sum()))
    # Without an event there is no spread to judge the mean by.
    half = float(ndtri(0.5 + LEVEL / 2)) * se if se > 0 else float("nan")
    # No mean lies outside 0 to the horizon.
    low, high = max(estimate - half, 0.0), min(estimate + half, float(horizon))
    return RestrictedMean(horizon, estimate, se, *((low, high) if se > 0 else (half, half)))


def find_relapse(bad: ArrayLike, known: ArrayLike, in_a_row: int) -> tuple[Array, Bools, Bools]:
    """Find the window in which each person relapsed, or was last judged.

    Parameters
    ----------
    bad : array_like of bool, shape (people, windows)
        Whether a window is back near the value before.
    known : array_like of bool, shape (people, windows)
        Whether the window is complete. The record ends at the first window that is not, since
        what happened in a gap is not known.
    in_a_row
        Bad windows that make a relapse.

    Returns
    -------
    time : ndarray
        Number of the window, 1 = first: the first bad one of a relapse; else the last that could
        have started one, which is `in_a_row` - 1 before the end of the record. 0 where none could.
        (The later windows of a relapse must be seen for anyone to count as at risk; otherwise who
        leaves after one bad window would count as free of relapse.)
    event : ndarray of bool
    gap : ndarray of bool
        Whether windows after the end of the record are complete again.
    """
    b, k = np.asarray(bad, bool), np.asarray(known, bool)
    people, width = k.shape
    run = np.cumprod(k, axis=1).astype(bool)  # until the first gap
    length = run.sum(axis=1)
    gap: Bools = np.asarray(k.sum(axis=1) > length, dtype=bool)
    starts = max(width - in_a_row + 1, 0)
    hit = np.zeros((people, starts), bool)
    if starts:
        hit = np.logical_and.reduce([(b & run)[:, i : i + starts] for i in range(in_a_row)])
    event: Bools = np.asarray(hit.any(axis=1), dtype=bool)
    first = hit.argmax(axis=1) + 1 if starts else np.zeros(people, int)
    last = np.maximum(length - in_a_row + 1, 0)
    return np.where(event, first, last).astype(float), event, gap & ~event


def build_later_windows(
    days: Path,
    clinic: Mapping[str, Any],
    comparison: Comparison,
    courses: pd.DataFrame | None = None,
    *,
    threads: int = 2,
) -> pd.DataFrame:
    """Aggregate the diary into consecutive 28-day windows after the comparison's window after.

    Parameters
    ----------
    days
        Processed table `days` (parquet).
    clinic
        clinic.yaml with its defaults; the completeness rule is that of its windows.
    comparison
        A comparison of diary windows that count from the start.
    courses
        `find_courses`; a window that reaches into a second course is not complete.

    Returns
    -------
    DataFrame
        patient_id, window (1 = first), value (headache days per 28), complete. Empty where the
        window after has no fixed end.
    """
    import duckdb
    import pandas as pd

    nothing = pd.DataFrame(
        {
            "patient_id": pd.Series(dtype="str"),
            "window": pd.Series(dtype="int64"),
            "value": pd.Series(dtype="float64"),
            "complete": pd.Series(dtype="bool"),
        }
    )
    after = clinic["windows"]["named"].get(comparison.post)
    if after is None or after["to"] is None or after.get("anchor", "start") != "start":
        return nothing
    with duckdb.connect() as connection:
        found = connection.execute("SELECT max(day) FROM read_parquet(?)", [str(days)]).fetchone()
    if found is None or found[0] is None:
        return nothing
    first = int(after["to"]) + 1
    count = min((int(found[0]) + 1 - first) // DAYS_PER_WINDOW, _MOST_WINDOWS)
    if count < 1:
        return nothing
    spec = copy.deepcopy(dict(clinic))
    spec["windows"]["named"] = {
        f"later_{i + 1}": {
            "from": first + DAYS_PER_WINDOW * i,
            "to": first + DAYS_PER_WINDOW * (i + 1) - 1,
            "anchor": "start",
        }
        for i in range(count)
    }
    rows = windows_of.build_diary_windows(days, spec, courses, threads=threads)
    rows = rows[rows["outcome"] == "frequency"]
    return pd.DataFrame(
        {
            "patient_id": rows["patient_id"].astype("str"),
            "window": rows["window"].str.removeprefix("later_").astype("int64"),
            "value": rows["value"],
            "complete": rows["complete"],
        }
    ).sort_values(["patient_id", "window"], ignore_index=True)


@dataclass(frozen=True, slots=True)
class Durability:
    """The tables `relapse` and `relapse_curve`."""

    relapse: pd.DataFrame
    curve: pd.DataFrame


def build_durability(
    pairs: pd.DataFrame,
    later: pd.DataFrame,
    clinic: Mapping[str, Any],
    groups: pd.Series | None = None,
) -> Durability:
    """Follow responders until they relapse, all together and by technique.

    Parameters
    ----------
    pairs
        patient_id, pre and post of the frequency in the primary comparison (`pair_windows`).
    later
        Later windows (`build_later_windows`).
    clinic
        clinic.yaml with its defaults: `relapse.response`, `back_to`, `min_at_risk`.
    groups
        Technique per person (index patient_id); a blank belongs to no group.

    Returns
    -------
    Durability
        Empty where nobody responded or no later window is on record. The horizon is common to
        all groups of a rule: the last window end at which each of them still has `min_at_risk`
        people at risk; a group with fewer from the first window on is left out of it and gets
        its curve but no number.
    """
    import pandas as pd

    rule = clinic["relapse"]
    fell = pairs["post"] <= (1 - rule["response"]) * pairs["pre"]
    at_risk = pairs[fell & (pairs["pre"] > 0)].set_index("patient_id")
    width = int(later["window"].max()) if len(later) else 0
    if not len(at_risk) or not width:
        return Durability(empty("relapse"), empty("relapse_curve"))
    usable = later[later["complete"] & later["patient_id"].isin(at_risk.index)]
    value = (
        usable.pivot(index="patient_id", columns="window", values="value")
        .reindex(index=at_risk.index, columns=range(1, width + 1))
        .to_numpy(dtype=float)
    )
    known = ~np.isnan(value)
    # Rounded, so that 0.75 x a scaled mean of windows is met where it is equal.
    border = np.round(rule["back_to"] * at_risk["pre"].to_numpy(dtype=float), 9)
    bad = known & (np.round(value, 9) >= border[:, None])
    members = _members(at_risk.index, groups)
    summaries: list[dict[str, Any]] = []
    curves: list[pd.DataFrame] = []
    for name, in_a_row in RULES.items():
        if width < in_a_row:
            continue
        time, event, gap = find_relapse(bad, known, in_a_row)
        grid = np.arange(width - in_a_row + 2, dtype=float)
        fits = {g: fit_kaplan_meier(time[m], event[m], grid) for g, m in members.items()}
        horizon = _common_horizon(fits, rule["min_at_risk"])
        for group, fit in fits.items():
            inside = members[group]
            counts = {
                "n": float(inside.sum()),
                "events": float(event[inside].sum()),
                "gaps": float(gap[inside].sum()),
                "followed": float((time[inside] > 0).sum()),
            }
            summaries.append(
                {"rule": name, "rule_label": _rule_label(in_a_row, rule), "group": group}
                | counts
                | _summarise(fit, horizon, rule["min_at_risk"])
            )
            curves.append(_curve_rows(fit).assign(rule=name, group=group))
    if not summaries:
        return Durability(empty("relapse"), empty("relapse_curve"))
    return Durability(
        conform("relapse", pd.DataFrame(summaries).assign(redacted=False)),
        conform("relapse_curve", pd.concat(curves, ignore_index=True).assign(redacted=False)),
    )


def _members(people: pd.Index, groups: pd.Series | None) -> dict[str, Bools]:
    out = {"all": np.ones(len(people), bool)}
    if groups is not None:
        labels = groups.reindex(people)
        for label in sorted(labels.dropna().unique()):
            out[f"technique: {label}"] = labels.eq(label).fillna(False).to_numpy(dtype=bool)
    return out


def _common_horizon(fits: Mapping[str, KaplanMeier], least: int) -> float:
    """Find the last time at which every group that is large enough is still large enough."""
    large = [fit.at_risk[1:] for fit in fits.values() if len(fit.at_risk) > 1]
    ends = [int((n >= least).sum()) for n in large]
    ends = [end for end in ends if end > 0]
    return float(min(ends)) if ends else float("nan")


def _summarise(fit: KaplanMeier, horizon: float, least: int) -> dict[str, Any]:
    nan = float("nan")
    blank = dict.fromkeys(
        ("free_at_horizon", "free_low", "free_high", "rmst_days", "rmst_se", "rmst_low"), nan
    )
    out: dict[str, Any] = {
        "horizon_days": horizon * DAYS_PER_WINDOW,
        **blank,
        "rmst_high": nan,
        "note": _NOTE,
    }
    if np.isnan(horizon):
        out["note"] = Message("relapse.too_few_followed")
        return out
    at = int(horizon)
    if fit.at_risk[at] < least:
        out["note"] = Message("relapse.fewer_followed", least=least)
        return out
    mean = restrict_mean(fit, horizon)
    return out | {
        "free_at_horizon": 100 * float(fit.survival[at]),
        "free_low": 100 * float(fit.ci_low[at]),
        "free_high": 100 * float(fit.ci_high[at]),
        "rmst_days": DAYS_PER_WINDOW * mean.estimate,
        "rmst_se": DAYS_PER_WINDOW * mean.se,
        "rmst_low": DAYS_PER_WINDOW * mean.ci_low,
        "rmst_high": DAYS_PER_WINDOW * mean.ci_high,
    }


def _rule_label(in_a_row: int, rule: Mapping[str, Any]) -> Message:
    places = {"back": 100 * rule["back_to"], "fall": 100 * rule["response"]}
    return (
        Message("relapse.two_windows", **places)
        if in_a_row == 2
        else Message("relapse.one_window", **places)
    )


def _curve_rows(fit: KaplanMeier) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "window": fit.times.astype("int64"),
            "days": fit.times * DAYS_PER_WINDOW,
            "at_risk": fit.at_risk,
            "events": fit.events,
            "censored": fit.censored,
            "survival": fit.survival,
            "ci_low": fit.ci_low,
            "ci_high": fit.ci_high,
        }
    )
