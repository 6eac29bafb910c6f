"""Time, fees, and fees per headache day of difference.

Fees are what patients were charged, for visits in the office; a patient with a visit whose fee is
not recorded has no known sum and is left out of it (missing is never zero). Currencies are never
added or converted. A cost per day holds only for a change that lasts a year, which is an
assumption, and it stands twice: against the days before (uncontrolled), and against the change
that would be expected without treatment. The ratio of two means is given with a percentile
interval of a bootstrap over pairs (cost, change) only where the denominator is told from 0; else
the cost plane is all that can be shown (Briggs 1998 on ratios whose denominator may be 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from headway.outcomes.care.clustered import NAN, Estimate, order_median
from headway.outcomes.change.change import t_interval, wilson
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from headway.config.clinic import Clinic
    from headway.outcomes.change.windows import Comparison

    Array = NDArray[np.float64]

WINDOWS_PER_YEAR = 13  # of 28 days
UNCONTROLLED = "uncontrolled"
PERCENTILE = "95 %, percentile bootstrap over pairs of cost and change"
_CELLS = 16  # of the cost plane, each way
_MIN_PLANE = 2
_DRAWS_AT_ONCE = 2_000_000  # in memory at a time


@dataclass(frozen=True, slots=True)
class Expected:
    """A change that would be expected without treatment (post - pre), with its source.

    `se` is its standard error; without one it is taken as known, and the page has to say so.
    """

    source: str
    change: float
    se: float = NAN


@dataclass(frozen=True, slots=True)
class CostPerDay:
    """Fees per headache day of difference, and the bootstrap that it rests on.

    `difference` is in headache days per 28 (negative = fewer), `days_a_year` of fewer days;
    `quadrants` is the share of replicates with fewer, and with as many or more, headache days.
    """

    n: int
    cost: float = NAN
    cost_low: float = NAN
    cost_high: float = NAN
    difference: float = NAN
    difference_low: float = NAN
    difference_high: float = NAN
    days_a_year: float = NAN
    ratio: float = NAN
    ratio_low: float = NAN
    ratio_high: float = NAN
    fewer: float = NAN
    more: float = NAN
    costs: Array = field(default_factory=lambda: np.empty(0))
    differences: Array = field(default_factory=lambda: np.empty(0))
    note: str = ""


def cost_per_day(
    cost: Array, change: Array, *, expected: Expected | None, replicates: int, seed: int
) -> CostPerDay:
    """Divide mean fees by the headache days a year of difference, with a bootstrap over pairs.

    Parameters
    ----------
    cost, change
        Fees and change in headache days per 28 (negative = fewer) of the same people.
    expected
        Subtracted from the mean change; its error enters as normal. None: uncontrolled.
    replicates, seed
        Resamples of pairs, and the seed of their draws.

    Returns
    -------
    CostPerDay
        `ratio` and its limits only where the interval of the difference (t; and the bootstrap's)
        lies below 0: near 0 a ratio runs to infinity, and beyond it changes its meaning.
    """
    c, d = np.asarray(cost, float), np.asarray(change, float)
    order = np.lexsort((d, c))  # the order of rows in a file cannot move the interval
    c, d, n = c[order], d[order], len(c)
    shift = 0.0 if expected is None else expected.change
    error = 0.0 if expected is None or np.isnan(expected.se) else expected.se
    if n == 0:
        return CostPerDay(0, note="nobody has both fees and a change")
    rng = np.random.default_rng(seed)
    costs, differences = np.empty(replicates), np.empty(replicates)
    step = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, replicates, step):
        stop = min(start + step, replicates)
        draw = rng.integers(0, n, (stop - start, n))
        costs[start:stop] = c[draw].mean(axis=1)
        differences[start:stop] = d[draw].mean(axis=1) - shift
    differences += error * rng.standard_normal(replicates)
    mean_cost, difference = float(c.mean()), float(d.mean()) - shift
    low, high = t_interval(d)
    if expected is not None:
        _, low, high = less_expected(float(d.mean()), low, high, expected)
    days = -WINDOWS_PER_YEAR * difference
    ratio, limits, note = NAN, (NAN, NAN), ""
    boot_high = float(np.quantile(differences, 0.975))
    if difference >= 0:
        note = "no fewer headache days: no cost per day"
    elif high < 0 and boot_high < 0:
        fewer = -WINDOWS_PER_YEAR * differences
        # A replicate without fewer days has no finite price.
        price = np.where(fewer > 0, costs / np.where(fewer > 0, fewer, 1.0), np.inf)
        found = np.quantile(price, [0.025, 0.975], method="inverted_cdf")
        ratio, limits = mean_cost / days, (float(found[0]), float(found[1]))
    else:
        note = "the difference cannot be told from 0: no cost per day; see the cost plane"
    cost_limits = np.quantile(costs, [0.025, 0.975]) if n > 1 else (NAN, NAN)
    return CostPerDay(
        n=n,
        cost=mean_cost,
        cost_low=float(cost_limits[0]),
        cost_high=float(cost_limits[1]),
        difference=difference,
        difference_low=float(low),
        difference_high=float(high),
        days_a_year=days,
        ratio=ratio,
        ratio_low=limits[0],
        ratio_high=limits[1],
        fewer=float((differences < 0).mean()),
        more=float((differences >= 0).mean()),
        costs=costs,
        differences=differences,
        note=note,
    )


def less_expected(
    change: float, low: float, high: float, expected: Expected
) -> tuple[float, float, float]:
    """Subtract an expected change from a mean change with a symmetric interval.

    The errors are independent, so that the half-widths add as squares; an expected change without
    a standard error is taken as known.

    Returns
    -------
    tuple of float
        Difference (negative = fewer headache days than expected) and its limits.
    """
    error = 0.0 if np.isnan(expected.se) else expected.se
    half = float(np.hypot((high - low) / 2, float(ndtri(0.975)) * error))
    difference = change - expected.change
    return difference, difference - half, difference + half


def office_visits(sessions: pd.DataFrame) -> pd.DataFrame:
    """Take the visits in the office in order, with `first` for each patient's first one.

    A session without a setting counts as a visit. Two sessions of a patient on one day are one
    visit: their minutes and fees are added, and are unknown if one of them is.
    """
    import pandas as pd

    own = sessions[~(sessions["setting"] == "at_home").astype(bool)]

    def total(values: pd.Series) -> float:
        return float(values.sum()) if values.notna().all() else NAN

    def single(values: pd.Series) -> object:
        known = values.dropna().unique()
        return known[0] if len(known) == 1 else None if len(known) == 0 else "several"

    several = own.duplicated(["patient_id", "day"], keep=False)
    keep = ["patient_id", "day", "minutes", "fee", "currency", "insured"]
    out = own.loc[~several, keep]
    if several.any():
        merged = (
            own[several]
            .groupby(["patient_id", "day"], sort=True)
            .agg(
                minutes=("minutes", total),
                fee=("fee", total),
                currency=("currency", single),
                insured=("insured", "max"),
            )
            .reset_index()
        )
        out = pd.concat([out, merged[keep]], ignore_index=True)
    out = out.sort_values(["patient_id", "day"], kind="stable", ignore_index=True)
    return out.assign(first=~out["patient_id"].duplicated())


def typical_values(visits: pd.DataFrame, column: str, *, first: bool) -> Array:
    """List one value per patient: of the first visit, or the median of the later ones."""
    own = visits[(visits["first"] == first) & visits[column].notna()]
    return own.groupby("patient_id")[column].median().to_numpy(float)


def sum_fees(visits: pd.DataFrame, until: float | None) -> pd.DataFrame:
    """Add up each patient's fees up to a day, where every fee and one currency is recorded.

    Returns
    -------
    DataFrame
        patient_id, currency, cost; patients with an unknown fee or several currencies are absent.
    """
    own = visits if until is None else visits[visits["day"] <= until]
    currency = own["currency"].fillna("currency not recorded")
    own = own.assign(currency=currency, known=own["fee"].notna())
    by = own.groupby("patient_id")
    ok = by["known"].all() & (by["currency"].nunique() == 1) & (by["currency"].first() != "several")
    out = by.agg(currency=("currency", "first"), cost=("fee", "sum"))[ok]
    return out.reset_index()


def find_last_day(clinic: Clinic, comparison: Comparison) -> float | None:
    """Find the last day of the window after: fees beyond it bought nothing that was measured.

    Returns
    -------
    float or None
        None where the window has no fixed last day, or came without days.
    """
    if comparison.source == "visit":
        within = clinic.windows.visit_recall.within_days
        return float(within[1]) if comparison.post == "post" else None
    window = clinic.windows.named.get(comparison.post)
    if comparison.source != "diary" or window is None or window.anchor != "start":
        return None
    return None if window.to is None else float(window.to)


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
        Changes that would be expected without treatment, each shown beside the uncontrolled one.

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
    priced = visits.assign(currency=visits["currency"].fillna("currency not recorded"))
    currencies = sorted(set(priced.loc[priced["fee"].notna(), "currency"]) - {"several"})
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
        for source in (None, *expected):
            found = cost_per_day(
                both["cost"].to_numpy(float),
                both["change"].to_numpy(float),
                expected=source,
                replicates=boot.replicates,
                seed=boot.seed,
            )
            basis = UNCONTROLLED if source is None else f"less expected: {source.source}"
            rows += _cost_rows(found, currency, basis, of, source)
            planes += _plane(found, currency, basis)
    cost_table = conform("cost", pd.DataFrame(rows)) if rows else empty("cost")
    plane = conform("cost_plane", pd.DataFrame(planes)) if planes else empty("cost_plane")
    return cost_table, plane


def _row(topic: str, visit: str, statistic: str, label: str, **more: object) -> dict[str, object]:
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
    what = "minutes" if column == "minutes" else "fee"
    label = (
        f"median {what} of the first visit"
        if first
        else f"median {what} of a later visit (one value per patient: the median of their own)"
    )
    p25, p75 = np.quantile(values, [0.25, 0.75])
    return [
        _row(
            "minutes" if column == "minutes" else "fee",
            visit,
            "median",
            label,
            currency=currency,
            unit="minutes" if column == "minutes" else currency,
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
            "patients for whom insurance paid no visit",
            unit="percent",
            estimate=100 * count / n,
            ci_low=float(100 * low),
            ci_high=float(100 * high),
            interval="95 %, Wilson",
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
    when = "" if until is None else f" up to day {until:g}"
    return [
        _row(
            "cost",
            "all",
            "median_total",
            f"median fees of one patient{when}",
            currency=currency,
            unit=currency,
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
    common: dict[str, object] = {
        "currency": currency,
        "basis": basis,
        "n": float(found.n),
        "of": float(of),
    }
    known = source is not None and np.isnan(source.se)
    error = "the expected change is taken as known" if known else ""
    year = "if the difference lasted a year of 13 windows of 28 days"

    def row(
        statistic: str,
        label: str,
        unit: str,
        values: tuple[float, float, float],
        interval: str = "",
        note: str = "",
    ) -> dict[str, object]:
        estimate, low, high = values
        return _row(
            "cost",
            "all",
            statistic,
            label,
            unit=unit,
            estimate=estimate,
            ci_low=low,
            ci_high=high,
            **common,
            interval=interval if interval and not np.isnan(low) else None,
            note="; ".join(t for t in (note, error) if t) or None,
        )

    how = "95 %, t" if source is None or known else "95 %, t and the error of the expected change"
    return [
        row(
            "mean_total",
            "mean fees of people with fees and a change",
            currency,
            (found.cost, found.cost_low, found.cost_high),
            interval=PERCENTILE,
        ),
        row(
            "difference",
            "difference in headache days per 28",
            "headache days per 28",
            (found.difference, found.difference_low, found.difference_high),
            interval=how,
        ),
        row(
            "days_a_year",
            f"fewer headache days a year, {year}",
            "days a year",
            (
                found.days_a_year,
                -WINDOWS_PER_YEAR * found.difference_high,
                -WINDOWS_PER_YEAR * found.difference_low,
            ),
            interval=how,
        ),
        row(
            "per_day",
            f"fees per headache day of difference, {year}",
            f"{currency} per day",
            (found.ratio, found.ratio_low, found.ratio_high),
            interval=PERCENTILE,
            note=found.note,
        ),
        row(
            "plane_fewer",
            "bootstrap replicates with fees and fewer headache days",
            "percent of replicates",
            (100 * found.fewer, NAN, NAN),
        ),
        row(
            "plane_more",
            "bootstrap replicates with fees and as many or more headache days",
            "percent of replicates",
            (100 * found.more, NAN, NAN),
        ),
    ]


def _plane(found: CostPerDay, currency: str, basis: str) -> list[dict[str, object]]:
    """Count replicates in cells, in headache days a year; 0 days is always an edge."""
    if found.n < _MIN_PLANE:
        return []
    x, y = WINDOWS_PER_YEAR * found.differences, found.costs

    def edges(values: Array, low: float, high: float) -> Array:
        width = max(high - low, 1e-9) / _CELLS
        step = 10 ** np.floor(np.log10(width))
        width = step * next(m for m in (1, 2, 5, 10) if m * step >= width * (1 - 1e-12))
        first, last = np.floor(low / width), np.floor(high / width)
        return np.arange(first, last + 2) * width

    xs = edges(x, float(x.min()), float(x.max()))
    ys = edges(y, float(y.min()), float(y.max()))
    counts, _, _ = np.histogram2d(x, y, bins=[xs, ys])
    return [
        {
            "currency": currency,
            "basis": basis,
            "difference_low": float(xs[i]),
            "difference_high": float(xs[i + 1]),
            "cost_low": float(ys[j]),
            "cost_high": float(ys[j + 1]),
            "share": 100 * float(counts[i, j]) / len(x),
            "n": float(found.n),
            "redacted": False,
        }
        for i, j in zip(*np.nonzero(counts), strict=True)
    ]
