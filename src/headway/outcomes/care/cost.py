"""Time, fees, and fees per headache day of difference, as tables.

Fees are what patients were charged, for visits in the office; a patient with a visit whose fee is
not recorded has no known sum and is left out of it (missing is never zero). Currencies are never
added or converted. A cost per day holds only for a change that lasts a year, which is an
assumption, and it stands twice: against the days before (uncontrolled), and against the change
that would be expected without treatment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from headway.messages import Message, join, term
from headway.outcomes.care.clustered import NAN, Estimate, order_median
from headway.outcomes.care.cost_per_day import (
    WINDOWS_PER_YEAR,
    CostPerDay,
    Expected,
    cost_per_day,
    count_cells,
    draw_pairs,
)
from headway.outcomes.care.visits import (
    SEVERAL,
    UNKNOWN_CURRENCY,
    office_visits,
    sum_fees,
    typical_values,
)
from headway.outcomes.change.change import wilson
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from headway.config.clinic import Clinic

    Array = NDArray[np.float64]

UNCONTROLLED, LESS = "uncontrolled", "less expected"


def build_cost(
    sessions: pd.DataFrame,
    change: pd.DataFrame,
    starters: pd.Index,
    clinic: Clinic,
    comparison: str,
    *,
    until: float | None = None,
    expected: Sequence[Expected] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Summarise time, fees and fees per headache day of difference.

    Parameters
    ----------
    sessions, change
        Processed table `sessions`; table `change`.
    starters
        Everyone who started.
    clinic
        clinic.yaml with its defaults.
    comparison
        Identifier of the comparison whose change in frequency is used.
    until
        Last day whose fees count: the end of the window after (`find_last_day`); None for all.
    expected
        Changes that would be expected without treatment, each shown beside the uncontrolled one;
        the basis of its rows is `less expected: ` and the source.

    Returns
    -------
    cost, cost_plane : DataFrame
        The tables of these names.
    """
    import pandas as pd

    if not len(sessions):
        return empty("cost"), empty("cost_plane")
    visits, of = office_visits(sessions), len(starters)
    rows: list[dict[str, object]] = []
    for first, visit in ((True, "first"), (False, "later")):
        rows += _time_or_fee(visits, "minutes", visit, first, None, of)
    priced = visits.assign(currency=visits["currency"].astype("str").fillna(UNKNOWN_CURRENCY))
    currencies = sorted(set(priced.loc[priced["fee"].notna(), "currency"]) - {SEVERAL})
    for currency in currencies:
        own = priced[priced["currency"] == currency]
        for first, visit in ((True, "first"), (False, "later")):
            rows += _time_or_fee(own, "fee", visit, first, currency, of)
    rows += _insured(visits, of)
    planes: list[dict[str, object]] = []
    sums = sum_fees(visits, until)
    days = change[(change["comparison"] == comparison) & (change["outcome"] == "frequency")]
    pairs = sums.merge(days[["patient_id", "change"]], on="patient_id")
    boot = clinic.bootstrap
    for currency in currencies:
        cost = sums.loc[sums["currency"] == currency, "cost"].to_numpy(float)
        rows += _total_fees(cost, currency, of, until)
        both = pairs[pairs["currency"] == currency]
        if not len(both):
            continue
        fees, moved = both["cost"].to_numpy(float), both["change"].to_numpy(float)
        drawn = draw_pairs(fees, moved, boot.replicates, boot.seed)
        for source in (None, *expected):
            found = cost_per_day(
                fees,
                moved,
                expected=source,
                replicates=boot.replicates,
                seed=boot.seed,
                drawn=drawn,
            )
            basis = UNCONTROLLED if source is None else f"{LESS}: {source.source}"
            rows += _cost_rows(found, currency, basis, of, source)
            common = {"currency": currency, "basis": basis, "n": float(found.n), "redacted": False}
            planes += [common | cell for cell in count_cells(found)]
    cost_table = conform("cost", pd.DataFrame(rows)) if rows else empty("cost")
    plane = conform("cost_plane", pd.DataFrame(planes)) if planes else empty("cost_plane")
    return cost_table, plane


def _row(
    topic: str, visit: str, statistic: str, label: Message, **more: object
) -> dict[str, object]:
    blank = ("ci_low", "ci_high", "p25", "p75", "count")
    return {
        "topic": topic,
        "visit": visit,
        "currency": None,
        "basis": "records",
        "statistic": statistic,
        "label": label,
        **dict.fromkeys(blank, NAN),
        "interval": None,
        "redacted": False,
        "note": None,
        **more,
    }


def _time_or_fee(
    visits: pd.DataFrame, column: str, visit: str, first: bool, currency: str | None, of: int
) -> list[dict[str, object]]:
    values = typical_values(visits, column, first=first)
    if not len(values):
        return []
    found = order_median(values)
    label = {
        ("minutes", "first"): "fees.minutes_first",
        ("minutes", "later"): "fees.minutes_later",
        ("fee", "first"): "fees.fee_first",
        ("fee", "later"): "fees.fee_later",
    }[column, visit]
    p25, p75 = np.quantile(values, [0.25, 0.75])
    return [
        _row(
            column,
            visit,
            "median",
            Message(label),
            currency=currency,
            unit="minutes" if column == "minutes" else term("currency", currency),
            **_interval(found),
            p25=float(p25),
            p75=float(p75),
            n=float(len(values)),
            of=float(of),
        )
    ]


def _interval(found: Estimate) -> dict[str, object]:
    return {
        "estimate": found.estimate,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "interval": found.interval or None,
        "note": found.note or None,
    }


def _insured(visits: pd.DataFrame, of: int) -> list[dict[str, object]]:
    """Share of patients for whom insurance paid no visit, of those where it is recorded."""
    paid = visits[visits["insured"].notna()].groupby("patient_id")["insured"].max()
    n, count = len(paid), int((paid == 0).sum())
    if not n:
        return []
    low, high = wilson(count, n)
    return [
        _row(
            "insured",
            "all",
            "share_not_paid",
            Message("fees.no_visit_paid"),
            unit="percent",
            estimate=100 * count / n,
            ci_low=float(100 * low),
            ci_high=float(100 * high),
            interval=Message("interval.wilson"),
            n=float(n),
            of=float(of),
            count=float(count),
        )
    ]


def _total_fees(
    cost: Array, currency: str, of: int, until: float | None
) -> list[dict[str, object]]:
    if not len(cost):
        return []
    found = order_median(cost)
    p25, p75 = np.quantile(cost, [0.25, 0.75])
    return [
        _row(
            "cost",
            "all",
            "median_total",
            Message("fees.median_total")
            if until is None
            else Message("fees.median_total_up_to", day=until),
            currency=currency,
            unit=term("currency", currency),
            **_interval(found),
            p25=float(p25),
            p75=float(p75),
            n=float(len(cost)),
            of=float(of),
        )
    ]


def _cost_rows(
    found: CostPerDay, currency: str, basis: str, of: int, source: Expected | None
) -> list[dict[str, object]]:
    known = source is not None and np.isnan(source.se)
    error = Message("fees.expected_is_known") if known else ""
    how = "interval.t" if source is None or known else "interval.t_expected_error"
    days = (found.difference, found.difference_low, found.difference_high)
    year = (found.days_a_year, *(-WINDOWS_PER_YEAR * v for v in (days[2], days[1])))
    cost = (found.cost, found.cost_low, found.cost_high)
    ratio = (found.ratio, found.ratio_low, found.ratio_high)
    fewer, more = ((100 * share, NAN, NAN) for share in (found.fewer, found.more))
    money = term("currency", currency)
    per_day = Message("unit.per_day", currency=money)
    pairs, replicates = "interval.bootstrap_pairs", "percent_of_replicates"
    notes = {"per_day": found.note, "mean_total": found.cost_note}
    return [
        _row(
            "cost",
            "all",
            statistic,
            Message(label),
            currency=currency,
            basis=basis,
            unit=unit,
            estimate=estimate,
            ci_low=low,
            ci_high=high,
            interval=Message(method) if method and not np.isnan(low) else None,
            n=float(found.n),
            of=float(of),
            note=join([notes.get(statistic, ""), "" if statistic == "mean_total" else error])
            or None,
        )
        for statistic, label, unit, (estimate, low, high), method in (
            ("mean_total", "fees.mean_total", money, cost, "interval.skewed"),
            ("difference", "fees.difference", "days_per_28", days, how),
            ("days_a_year", "fees.days_a_year", "days_per_year", year, how),
            ("per_day", "fees.per_day", per_day, ratio, pairs),
            ("plane_fewer", "fees.plane_fewer", replicates, fewer, ""),
            ("plane_more", "fees.plane_more", replicates, more, ""),
        )
    ]
