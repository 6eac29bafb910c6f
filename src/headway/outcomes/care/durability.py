"""How long a response lasts: time to relapse of responders, in 28-day windows.

At risk are people whose headache days fell by at least half in the window after. A window at 75 %
of the days before, or above, is a bad one; two bad windows in a row are a relapse, which begins in
the first of them (one bad window alone, as a sensitivity rule). When it began within its window
nobody knows, nor in which of several windows without a complete record before it: the time is
known to lie in an interval (`headway.outcomes.care.turnbull`). The horizon of the numbers is
declared, and depends neither on how many people are followed nor on how they do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.config.clinic import Window
from headway.messages import Message, join
from headway.outcomes.care.clustered import Estimate
from headway.outcomes.care.turnbull import (
    Turnbull,
    estimate_curve,
    estimate_free,
    fit_turnbull,
    restrict_mean,
)
from headway.outcomes.change import windows as windows_of
from headway.outcomes.change.change import divide_by_before
from headway.outcomes.change.windows import DAYS_PER_WINDOW, Comparison
from headway.tables import conform, empty
from headway.tables.diary import read_days_sql
from headway.tables.engine import open_engine

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from headway.config.clinic import Clinic, Relapse

    Array = NDArray[np.float64]
    Bools = NDArray[np.bool_]

RULES = {"two": 2, "one": 1}  # name -> bad windows in a row
_MOST_WINDOWS = 39  # three years of follow-up
_NOTE = join(
    [
        Message("relapse.counted_from"),
        Message("relapse.within_its_window"),
        Message("relapse.lost_like_the_others"),
    ]
)


def find_relapse(bad: ArrayLike, known: ArrayLike, in_a_row: int) -> tuple[Array, Array, Bools]:
    """Find the interval that each person's relapse lies in, in windows.

    Parameters
    ----------
    bad : array_like of bool, shape (people, windows)
        Whether a window is back near the value before.
    known : array_like of bool, shape (people, windows)
        Whether the window is complete.
    in_a_row
        Bad windows that make a relapse.

    Returns
    -------
    left : ndarray
        End of the last window known to be good before the relapse, 0 where none was. Without a
        relapse it is no later than the last window that could have started one, `in_a_row` - 1
        before the last complete one: the later windows of a relapse must be seen for anyone to
        count as free of it, otherwise who leaves after one bad window would be kept out of the
        count and who leaves after a good one in it.
    right : ndarray
        End of the first bad window of the relapse; infinite where none was seen. A window that is
        not complete between `left` and `right` widens the interval. A relapse that came and went
        in windows without a record is not seen.
    gap : ndarray of bool
        Whether a person without a relapse has an incomplete window before the last complete one.
    """
    b, k = np.asarray(bad, bool), np.asarray(known, bool)
    people, width = k.shape
    number = np.arange(1, width + 1)
    starts = max(width - in_a_row + 1, 0)
    hit = np.zeros((people, starts), bool)
    if starts:
        hit = np.logical_and.reduce([(b & k)[:, i : i + starts] for i in range(in_a_row)])
    event: Bools = np.asarray(hit.any(axis=1), dtype=bool)
    right = np.where(event, hit.argmax(axis=1) + 1.0 if starts else 0.0, np.inf)
    good = k & ~b & (number < right[:, None])
    last_good = (good * number).max(axis=1, initial=0).astype(float)
    last_known = (k * number).max(axis=1, initial=0)
    judged = np.maximum(last_known - in_a_row + 1, 0)
    left = np.where(event, last_good, np.minimum(last_good, judged))
    gap: Bools = np.asarray(k.sum(axis=1) < last_known, dtype=bool)
    return left, right, gap & ~event


def find_horizon(clinic: Clinic, post: str) -> float:
    """Find how many days after the window after the numbers reach.

    `relapse.horizon_days` where it is declared; else up to the end of the last window of
    clinic.yaml that counts from the start and ends later, in whole windows, at least one.
    """
    if clinic.relapse.horizon_days is not None:
        return float(clinic.relapse.horizon_days)
    after = clinic.windows.named.get(post)
    end = 0 if after is None or after.to is None else after.to
    later = [
        w.to - end
        for w in clinic.windows.named.values()
        if w.anchor == "start" and w.to is not None
    ]
    return float(max(max(later, default=0) // DAYS_PER_WINDOW, 1) * DAYS_PER_WINDOW)


def build_later_windows(
    days: Path,
    clinic: Clinic,
    comparison: Comparison,
    courses: pd.DataFrame | None = None,
    people: pd.Index | None = None,
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
    people
        As for `build_diary_windows`.

    Returns
    -------
    DataFrame
        patient_id, window (1 = first), value (headache days per 28), complete. Empty where the
        window after has no fixed end.
    """
    import pandas as pd

    nothing = pd.DataFrame(
        {
            "patient_id": pd.Series(dtype="str"),
            "window": pd.Series(dtype="int64"),
            "value": pd.Series(dtype="float64"),
            "complete": pd.Series(dtype="bool"),
        }
    )
    after = clinic.windows.named.get(comparison.post)
    if after is None or after.to is None or after.anchor != "start":
        return nothing
    with open_engine(near=days.parent) as connection:
        found = connection.execute(f"SELECT max(day) FROM {read_days_sql(days)}").fetchone()
    if found is None or found[0] is None:
        return nothing
    first = int(after.to) + 1
    count = min((int(found[0]) + 1 - first) // DAYS_PER_WINDOW, _MOST_WINDOWS)
    if count < 1:
        return nothing
    named = {
        f"later_{i + 1}": Window(
            from_=first + DAYS_PER_WINDOW * i, to=first + DAYS_PER_WINDOW * (i + 1) - 1
        )
        for i in range(count)
    }
    later = replace(clinic, windows=replace(clinic.windows, named=named))
    rows = windows_of.build_diary_windows(
        days, later, courses, people, outcomes=("frequency",), threads=threads
    )
    return pd.DataFrame(
        {
            "patient_id": rows["patient_id"],
            "window": rows["window"].map(lambda w: int(w.removeprefix("later_"))).astype("int64"),
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
    clinic: Clinic,
    groups: pd.Series | None = None,
    *,
    post: str = "post",
) -> Durability:
    """Follow responders until they relapse, all together and by technique.

    Parameters
    ----------
    pairs
        patient_id, pre and post of the frequency in the primary comparison (`pair_windows`).
    later
        Later windows (`build_later_windows`).
    clinic
        clinic.yaml with its defaults: `relapse`, and the windows by name.
    groups
        Technique per person (index patient_id); a blank belongs to no group.
    post
        Name of the window after.

    Returns
    -------
    Durability
        Empty where nobody responded or no later window is on record. The horizon
        (`find_horizon`) is that of every group and rule; a group whose curve is not known so far,
        or of whom fewer than `min_at_risk` were followed, gets its curve but no number.
    """
    import pandas as pd

    rule = clinic.relapse
    fell = divide_by_before(pairs["pre"], pairs["post"]) <= round(1 - rule.response, 12)
    at_risk = pairs[fell].set_index("patient_id")
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
    share = divide_by_before(at_risk[["pre"]], value)
    bad = share >= round(rule.back_to, 12)
    members = _members(at_risk.index, groups)
    horizon = find_horizon(clinic, post)
    summaries: list[dict[str, Any]] = []
    curves: list[pd.DataFrame] = []
    for name, in_a_row in RULES.items():
        if width < in_a_row:
            continue
        left, right, gap = find_relapse(bad, known, in_a_row)
        grid = np.arange(width - in_a_row + 2, dtype=float)
        for group, inside in members.items():
            fit = fit_turnbull(left[inside], right[inside], grid=grid)
            event = np.isfinite(right[inside])
            followed = float((event | (left[inside] > 0)).sum())
            summaries.append(
                {
                    "rule": name,
                    "rule_label": _rule_label(in_a_row, rule),
                    "group": group,
                    "n": float(inside.sum()),
                    "events": float(event.sum()),
                    "gaps": float(gap[inside].sum()),
                    "followed": followed,
                    "horizon_days": horizon,
                }
                | _summarise(fit, horizon, followed, rule.min_at_risk)
            )
            curves.append(_curve_rows(fit, grid).assign(rule=name, group=group))
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


def _summarise(fit: Turnbull, horizon: float, followed: float, least: int) -> dict[str, Any]:
    if followed < least:
        return summarise_curve(None, horizon) | {"note": Message("relapse.too_few", least=least)}
    found = summarise_curve(fit, horizon)
    if np.isnan(found["rmst_days"]):
        return found | {"note": Message("relapse.not_known_so_far")}
    return found | {"note": _NOTE}


def summarise_curve(fit: Turnbull | None, horizon: float) -> dict[str, float]:
    """Put a curve in windows into the numbers of a row, up to a horizon in days.

    Empty where there is no curve, or it is not known so far.
    """
    names = ["free_at_horizon", "free_low", "free_high", "rmst_days", "rmst_low", "rmst_high"]
    names += ["rmst_low_bound", "rmst_high_bound"]
    end = horizon / DAYS_PER_WINDOW
    if fit is None or not fit.is_known(end):
        return dict.fromkeys(names, float("nan"))
    free, mean = estimate_free(fit, end), restrict_mean(fit, end)
    shares = (free.estimate, free.ci_low, free.ci_high)
    means = (mean.estimate, mean.ci_low, mean.ci_high, mean.lowest, mean.highest)
    values = (*(100 * v for v in shares), *(DAYS_PER_WINDOW * v for v in means))
    return dict(zip(names, values, strict=True))


def read_time_to_relapse(relapse: pd.DataFrame) -> Estimate | None:
    """Take the mean time without relapse of everyone out of the table `relapse`.

    By two bad windows in a row where that is known, else by one; None where neither is.
    """
    found = pick_time_to_relapse(relapse)
    if found is None:
        return None
    horizon = Message("claim.note.horizon", days=float(found["horizon_days"]))
    return Estimate(
        float(found["rmst_days"]),
        float(found["rmst_low"]),
        float(found["rmst_high"]),
        Message("interval.profile_likelihood"),
        int(found["n"]),
        patients=int(found["n"]),
        note=join([found["rule_label"], horizon]),
    )


def pick_time_to_relapse(relapse: pd.DataFrame) -> pd.Series | None:
    """Pick the row of the table `relapse` whose mean stands for everyone."""
    for rule in RULES:
        row = relapse[(relapse["rule"] == rule) & (relapse["group"] == "all")]
        if row["rmst_days"].notna().any():
            return row.iloc[0]
    return None


def _rule_label(in_a_row: int, rule: Relapse) -> Message:
    places = {"back": 100 * rule.back_to, "fall": 100 * rule.response}
    return (
        Message("relapse.two_windows", **places)
        if in_a_row == 2
        else Message("relapse.one_window", **places)
    )


def _curve_rows(fit: Turnbull, grid: Array) -> pd.DataFrame:
    """List the curve at the ends of windows; where a window is not known, people are expected."""
    import pandas as pd

    at = np.searchsorted(grid, fit.edges)
    censored, happened = np.zeros(len(grid)), np.zeros(len(grid))
    censored[at] = fit.censored
    # Whole people: a relapse counts where the expected number reaches it.
    happened[at[1:]] = fit.events
    total = np.round(np.cumsum(happened))
    left = total + np.cumsum(censored)
    people = float(fit.events.sum() + fit.censored.sum())
    free = estimate_curve(fit, grid)
    columns = {
        name: [getattr(f, field) for f in free]
        for name, field in (
            ("survival", "estimate"),
            ("ci_low", "ci_low"),
            ("ci_high", "ci_high"),
            ("lowest", "lowest"),
            ("highest", "highest"),
        )
    }
    return pd.DataFrame(
        {
            "window": grid.astype("int64"),
            "days": grid * DAYS_PER_WINDOW,
            "at_risk": np.round(people - np.append(0.0, left[:-1])),
            "events": np.diff(total, prepend=0.0),
            "censored": censored,
            **columns,
        }
    )
