"""Control charts over months: XmR for means, p for shares, Western Electric rules, phases.

Months are indices that the clinic counts itself, since real dates do not come here; a person
belongs to the month in which treatment started. A signal says that a month stands out from the
others of its phase, and nothing about why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headway.effects.units import DAYS_PER_MONTH
from headway.messages import Message, join, term
from headway.outcomes.change.change import divide_by_before
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from headway.config.clinic import Clinic

    Array = NDArray[np.float64]
    Bools = NDArray[np.bool_]

# Mean and standard deviation of the range of two normal values (Montgomery 2013, appendix VI).
_D2, _D3 = 2 / np.sqrt(np.pi), np.sqrt(2 - 4 / np.pi)
FEW_POINTS = 12
# Codes of the Western Electric rules, in the order of `ControlChart.signals`.
RULES = (
    "beyond_3_sigma",
    "two_of_three_beyond_2_sigma",
    "four_of_five_beyond_1_sigma",
    "eight_on_one_side",
)


@dataclass(frozen=True, slots=True)
class ControlChart:
    """Values in order with centre, 3 sigma limits, distances in sigma and signals.

    `signals` has shape (rules, points): whether a rule of `RULES` is completed at the point.
    """

    value: Array
    centre: Array
    low: Array
    high: Array
    z: Array
    signals: Bools
    moving_range: Array
    range_high: Array

    def list_signals(self) -> list[str | None]:
        """List the codes of the rules that each point completes; None without any."""
        return [
            "; ".join(rule for rule, hit in zip(RULES, hits, strict=True) if hit) or None
            for hits in self.signals.T
        ]


def find_signals(z: ArrayLike) -> Bools:
    """Apply the four rules of the Western Electric handbook (1956).

    Parameters
    ----------
    z : array_like, shape (..., points)
        Distances from the centre in sigma, in order. NaN (no sigma) signals nothing.

    Returns
    -------
    ndarray of bool, shape (4, ..., points)
        Whether a point completes a rule: it is itself beyond the zone, and so are enough of those
        before it, on the same side.
    """
    x = np.asarray(z, float)
    out = np.zeros((4, *x.shape), bool)
    out[0] = np.abs(x) > 3
    for rule, (zone, wanted, of) in enumerate(((2.0, 2, 3), (1.0, 4, 5), (0.0, 8, 8)), start=1):
        for side in (1.0, -1.0):
            beyond = side * x > zone
            padded = np.concatenate([np.zeros((*x.shape[:-1], of), int), beyond], axis=-1)
            total = np.cumsum(padded, axis=-1)
            recent = total[..., of:] - total[..., :-of]
            out[rule] |= beyond & (recent >= wanted)
    return out


def _split(phase: ArrayLike, n: int) -> list[NDArray[np.int64]]:
    labels = np.asarray(phase)
    if labels.shape != (n,):
        raise ValueError("there must be one phase per point")
    return [np.flatnonzero(labels == p) for p in dict.fromkeys(labels.tolist())]


def chart_individuals(value: ArrayLike, phase: ArrayLike | None = None) -> ControlChart:
    """Make an XmR chart: single values, sigma from the mean moving range of each phase.

    Limits: mean ± 3 mR / d2 with d2 = 1.128; upper limit of the moving range 3.267 mR
    (Montgomery 2013, section 6.4).

    Parameters
    ----------
    value
        Values in order.
    phase
        Phase of each value; limits, moving ranges and rules stay within a phase.
    """
    x = np.asarray(value, float)
    n = len(x)
    nan = np.full(n, np.nan)
    centre, low, high, z, moving, range_high = (nan.copy() for _ in range(6))
    signals = np.zeros((4, n), bool)
    for at in _split(np.ones(n) if phase is None else phase, n):
        own = x[at]
        steps = np.abs(np.diff(own))
        centre[at] = own.mean()
        moving[at[1:]] = steps
        if not len(steps):
            continue
        sigma = steps.mean() / _D2
        low[at], high[at] = own.mean() - 3 * sigma, own.mean() + 3 * sigma
        range_high[at] = steps.mean() * (1 + 3 * _D3 / _D2)
        if sigma > 0:
            z[at] = (own - own.mean()) / sigma
        signals[:, at] = find_signals(z[at])
    return ControlChart(x, centre, low, high, z, signals, moving, range_high)


def chart_shares(count: ArrayLike, n: ArrayLike, phase: ArrayLike | None = None) -> ControlChart:
    """Make a p chart: shares with binomial limits that follow the number of people.

    Limits: p ± 3 sqrt(p (1 - p) / n), cut off at 0 and 1 (Montgomery 2013, section 7.2).

    Parameters
    ----------
    count, n
        People with the property, and all people (above 0), in order.

    Raises
    ------
    ValueError
        If a number of people is not above 0, or a count lies outside 0 to n.
    """
    c, m = np.asarray(count, float), np.asarray(n, float)
    if not ((m > 0) & (c >= 0) & (c <= m)).all():
        raise ValueError("counts must lie between 0 and the number of people, which is above 0")
    k = len(c)
    nan = np.full(k, np.nan)
    centre, low, high, z = (nan.copy() for _ in range(4))
    signals = np.zeros((4, k), bool)
    for at in _split(np.ones(k) if phase is None else phase, k):
        p = c[at].sum() / m[at].sum()
        sigma = np.sqrt(p * (1 - p) / m[at])
        centre[at] = p
        low[at], high[at] = np.maximum(p - 3 * sigma, 0), np.minimum(p + 3 * sigma, 1)
        if 0 < p < 1:
            z[at] = (c[at] / m[at] - p) / sigma
        signals[:, at] = find_signals(z[at])
    return ControlChart(c / m, centre, low, high, z, signals, nan.copy(), nan.copy())


def find_start_months(sessions: pd.DataFrame) -> pd.Series:
    """Find the month index in which each person's treatment started.

    The month of the first session from day 0 on that names one; people without are left out.
    """
    known = sessions[sessions["month"].notna() & (sessions["day"] >= 0)]
    first = known.sort_values(["patient_id", "day"], kind="stable").drop_duplicates("patient_id")
    return first.set_index("patient_id")["month"].astype("int64")


def find_last_month(sessions: pd.DataFrame, last_day: float) -> int | None:
    """Find the last month of start whose people can have reached a day, as far as records go.

    The records are taken to end in the last month that any session names. Whoever started later
    than `last_day` + 1 days before it has no outcome yet, and is not lost.

    Parameters
    ----------
    sessions
        Table `sessions`.
    last_day
        Last day of the window after.

    Returns
    -------
    int or None
        None where no month is known.
    """
    known = sessions["month"].dropna()
    if not len(known):
        return None
    return int(known.max()) - math.ceil((last_day + 1) / DAYS_PER_MONTH)


def build_control_charts(
    pairs: pd.DataFrame,
    months: pd.Series,
    starters: pd.Index,
    clinic: Clinic,
    *,
    unit: str,
    last_month: int | None,
) -> pd.DataFrame:
    """Chart mean change, responders and the lost by the month in which treatment started.

    Parameters
    ----------
    pairs
        patient_id, pre and post of the primary outcome and comparison.
    months
        Month index per person (`find_start_months`).
    starters
        Everyone who started.
    clinic
        clinic.yaml with its defaults: `charts.phases`, the months at which a new phase starts.
    unit
        Code of the unit of the change.
    last_month
        Last month of start that is charted (`find_last_month`); None for all.

    Returns
    -------
    DataFrame
        Table `control_chart`; a month in which nobody can be charted has no row, and the moving
        range then spans the gap. Empty where no month is known.
    """
    import pandas as pd

    month = months.reindex(starters).dropna().astype("int64")
    month = month if last_month is None else month[month <= last_month]
    if not len(month):
        return empty("control_chart")
    by = _count_by_month(pairs, month)
    starts = sorted(clinic.charts.phases)
    by["phase"] = 1 + np.searchsorted(starts, by.index.to_numpy(), side="right")
    seen = by[by["n"] > 0]
    n, half = seen["n"], seen["responders"]
    charts = []
    if len(seen):
        means = chart_individuals(seen["change"], seen["phase"])
        shares = chart_shares(half, n, seen["phase"])
        charts += [
            _rows("change", unit, means, seen, n, None),
            _rows("responders", "percent_of_analysed", shares, seen, n, half),
        ]
    lost, started = by["started"] - by["n"], by["started"]
    shares = chart_shares(lost, started, by["phase"])
    charts.append(_rows("lost", "percent_of_started", shares, by, started, lost))
    return conform("control_chart", pd.concat(charts, ignore_index=True).assign(redacted=False))


def _count_by_month(pairs: pd.DataFrame, month: pd.Series) -> pd.DataFrame:
    """Count, per month, who started, was analysed and halved the days; the mean change."""
    known = pairs.set_index("patient_id")[["pre", "post"]].reindex(month.index)
    people = known.assign(
        month=month,
        change=known["post"] - known["pre"],
        half=divide_by_before(known["pre"], known["post"]) <= 0.5,
    )
    return people.groupby("month").agg(
        n=("change", "count"),
        started=("change", "size"),
        change=("change", "mean"),
        responders=("half", "sum"),
    )


def _rows(
    id: str,
    unit: str,
    chart: ControlChart,
    by: pd.DataFrame,
    n: pd.Series,
    count: pd.Series | None,
) -> pd.DataFrame:
    import pandas as pd

    few = by.groupby("phase").size().min() < FEW_POINTS
    note = join(
        [
            Message("charts.few_months", least=FEW_POINTS) if few else None,
            Message("charts.says_nothing_about_why"),
            Message("charts.signals_by_chance"),
            Message("charts.few_people_vary") if count is None else None,
        ]
    )
    numbers = {
        name: (1.0 if count is None else 100.0) * getattr(chart, name)
        for name in ("value", "moving_range", "centre", "low", "high", "range_high")
    }
    return pd.DataFrame(
        {
            "chart": id,
            "label": term("chart", id),
            "kind": "XmR" if count is None else "p",
            "unit": unit,
            "month": by.index.to_numpy(),
            "phase": by["phase"].to_numpy(),
            "n": n.to_numpy(dtype=float),
            "count": np.nan if count is None else count.to_numpy(dtype=float),
            **numbers,
            "signals": chart.list_signals(),
            "note": note,
        }
    )
