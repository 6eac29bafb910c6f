"""Survival curves in which no step is one person's: counts at the midpoints of blocks.

OpenSAFELY, "Rounding rates": 0 stays 0, and 1 to 6 is printed as 3, 7 to 12 as 9. Cumulative
counts are rounded, so that a step is printed when enough people have made it, and what is at
risk and the curve follow from what is printed.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headway.disclosure.presets import explain
from headway.disclosure.relations import at_risk
from headway.disclosure.suppress import Ledger, Names, Worth
from headway.outcomes.care.turnbull import Turnbull, estimate_curve, fit_turnbull
from headway.outcomes.change.change import LEVEL

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Curve:
    """Which columns of a table of survival curves hold what.

    Attributes
    ----------
    by
        Columns that tell curves apart, the group left out.
    group
        Column of the group of people; `all` and families as in `statistics.Shape`.
    time, at_risk, events
        Time of each step in rising order, people at risk just before it, events at it. The
        first row's `at_risk` is everyone on the curve.
    survival, low, high
        The curve and its limits.
    bounds
        Columns of the least and the most that it can be, where events lie within intervals: of
        what is printed, an event is within the step before its time.
    left
        People who leave after each step; empty where the table does not say.
    """

    by: tuple[str, ...] = ()
    group: str = "group"
    time: str = "time"
    at_risk: str = "at_risk"
    events: str = "events"
    survival: str = "survival"
    low: str = "ci_low"
    high: str = "ci_high"
    bounds: tuple[str, ...] = ()
    left: str = ""


# Table -> its columns, as `statistics.SHAPES`.
CURVES: dict[str, Curve] = {
    "relapse_curve": Curve(by=("rule",), time="days", bounds=("lowest", "highest"), left="censored")
}


def midpoint(counts: ArrayLike, block: int = 6) -> Floats:
    """Round counts to the midpoints of blocks; 0 stays 0.

    ceil(x / 6) * 6 - 3 for 6: 1 to 6 becomes 3, 7 to 12 becomes 9 (OpenSAFELY, midpoint-6
    rounding). A block of 1 changes nothing.
    """
    x = np.asarray(counts, float)
    return np.where(x > 0, np.ceil(x / block) * block - block // 2, 0.0)


def round_curve(
    at_risk: ArrayLike,
    events: ArrayLike,
    block: int = 6,
    level: float = LEVEL,
    times: ArrayLike | None = None,
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Compute a survival curve again from counts rounded to midpoints.

    People who leave between two steps are found from those at risk. Everyone on the curve, the
    cumulative events and the cumulative leavers are rounded; those at risk are what remains.

    Parameters
    ----------
    at_risk, events
        True counts at the steps in order of time, shape (k,).
    block
        Width of a block; 1 gives the unrounded curve.
    times
        Of the steps, ascending from 0 or more; 1, 2, … without it.

    Returns
    -------
    at_risk, events, survival, low, high
        Shape (k,); limits of the profile likelihood (`headway.outcomes.care.turnbull`).
    """
    r, d = np.asarray(at_risk, float), np.asarray(events, float)
    if r.ndim != 1 or r.shape != d.shape:
        raise ValueError("a curve needs one number at risk and one of events a step")
    after = np.append(r[1:], 0.0)
    left = r - d - after
    if len(r) and (left.min() < 0 or d.min() < 0):
        raise ValueError("more events than people at risk")
    left[-1:] = 0.0  # who is left after the last step leaves after the curve
    happened, gone = midpoint(np.cumsum(d), block), midpoint(np.cumsum(left), block)
    start = midpoint(r[:1], block)
    rounded_events = np.diff(happened, prepend=0.0)
    before = np.append(0.0, (happened + gone)[:-1])
    risk = np.maximum((start if len(r) else np.zeros(0)) - before, 0.0)
    rounded_events = np.minimum(rounded_events, risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(np.where(risk > 0, 1 - rounded_events / risk, 1.0))
    steps = np.arange(1.0, len(risk) + 1) if times is None else np.asarray(times, float)
    fit = fit_counts(steps, risk, rounded_events)
    found = estimate_curve(fit, steps, level)
    low, high = (np.array([getattr(f, end) for f in found]) for end in ("ci_low", "ci_high"))
    return risk, rounded_events, np.asarray(survival, float), low, high


def fit_counts(times: ArrayLike, at_risk: ArrayLike, events: ArrayLike) -> Turnbull:
    """Fit a curve to counts: events lie between the step before and their own.

    Parameters
    ----------
    times
        Of the steps, ascending from 0 or more.
    at_risk, events
        People at risk at each step, and with the event by it. Those who are gone at the next
        step without it were last seen at this one.
    """
    t, r, d = (np.asarray(v, float) for v in (times, at_risk, events))
    gone = np.maximum(r - d - np.append(r[1:], 0.0), 0.0)
    before = np.append(0.0, t[:-1])
    had = d > 0
    return fit_turnbull(
        np.append(before[had], t),
        np.append(t[had], np.full(len(t), np.inf)),
        np.append(d[had], gone),
        grid=t,
    )


def enter_curve(
    ledger: Ledger, table: str, frame: pd.DataFrame, names: Names, curve: Curve | None = None
) -> None:
    """Enter the number of people on each curve into the ledger.

    They are responders of the cohort; where the numbers agree, that count is published twice, in
    fives and in blocks, and the ledger is told so.
    """
    curve = curve or CURVES[table]
    out: list[Hashable | None] = [None] * len(frame)
    families: dict[tuple[object, ...], dict[str, Hashable]] = {}
    for key, part in frame.groupby([*curve.by, curve.group], sort=False):
        what, group = key[:-1], str(key[-1])
        people = int(part[curve.at_risk].iloc[0])
        # The same people stand at the start of every curve of a group (`relations`).
        name = at_risk(group)
        if ledger.values.get(name, people) != people:
            name = (table, *what, group, "at risk")
        ledger.add(name, people, Worth.ANALYSED)
        # A curve of a small number of people is not printed, so that no block is known of them.
        if ledger.preset.block > 1 and people and not ledger.preset.hides(people):
            middle = float(midpoint(people, ledger.preset.block))
            low = middle - ledger.preset.block / 2 + 1
            high = middle + ledger.preset.block / 2
            for other, value in list(ledger.values.items()):
                if value == people and _responders(other, group):
                    ledger.narrow(other, low, high, name)
                    ledger.split(other, [name])
            ledger.narrow(name, low, high, name)
        for i in part.index:
            out[i] = name
        families.setdefault((*what, group.split(": ")[0]), {})[group] = name
    for at, members in families.items():
        whole = families.get((*at[:-1], "all"), {}).get("all")
        if at[-1] != "all" and whole is not None:
            ledger.split(whole, members.values())
    names[table, "n"] = out


def _responders(name: Hashable, group: str) -> bool:
    return (
        isinstance(name, tuple)
        and name[0] == "count"
        and name[3] == group
        and str(name[4]).startswith("responders_")
    )


def release_survival(
    table: str,
    frame: pd.DataFrame,
    names: Names,
    ledger: Ledger,
    curve: Curve | None = None,
) -> pd.DataFrame:
    """Print each curve from rounded counts, up to where few are at risk.

    Steps at which nothing moves after rounding are left out, since their times are those of
    single people; so is everything after the rounded number at risk falls to one block. A curve
    of a hidden number of people keeps one row without numbers.
    """
    import pandas as pd

    curve, preset = curve or CURVES[table], ledger.preset
    at = dict(zip(frame.index, names[table, "n"], strict=True))
    numbers = [curve.at_risk, curve.events, curve.survival, curve.low, curve.high]
    left = [curve.left] if curve.left else []
    parts = [frame.iloc[:0]]
    for _, rows in frame.groupby([*curve.by, curve.group], sort=False):
        part = rows.copy()
        name = at[part.index[0]]
        if name in ledger.hidden:
            part = part.iloc[:1].copy()
            part[[curve.time, *numbers, *curve.bounds, *left]] = NAN
            part["redacted"] = True
            if "note" in part:
                part["note"] = explain(preset)
            parts.append(part)
            continue
        values = round_curve(
            part[curve.at_risk], part[curve.events], preset.block, times=part[curve.time]
        )
        part[numbers] = np.column_stack(values)
        for bound in curve.bounds:
            part[bound] = part[curve.survival]
        moves = part[curve.events].to_numpy() > 0
        moves[:1] = True
        part["redacted"] = False
        shown = part[moves & (part[curve.at_risk].to_numpy() > preset.block)].copy()
        if left:  # who is neither at risk nor had the event, from one printed step to the next
            risk = shown[curve.at_risk].to_numpy()
            gone = risk - shown[curve.events].to_numpy() - np.append(risk[1:], NAN)
            shown[curve.left] = gone
        parts.append(shown)
    return pd.concat(parts)
