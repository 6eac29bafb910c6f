"""Fees per headache day of difference, with the bootstrap over pairs that its interval rests on.

Mean fees have an interval that allows for skewness (`change.skewed_interval`).
The ratio of two means is given with a percentile interval only where the denominator is told from
0; else the cost plane is all that can be shown (Briggs 1998 on ratios whose denominator may be 0).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from headway.messages import Message, join
from headway.outcomes.care.clustered import NAN
from headway.outcomes.change.change import skewed_interval, t_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Drawn = tuple[Array, Array, Array]

WINDOWS_PER_YEAR = 13  # of 28 days
# Below, the interval of mean fees covers less than 93 % where fees are skewed (docs/skewed.md).
# 13 and not 15, so that the remark tells no more than n does once it is rounded to 5.
ENOUGH = 13
_CELLS = 16  # of the cost plane, each way
_MIN_PLANE = 2
_DRAWS_AT_ONCE = 2_000_000  # in memory at a time


@dataclass(frozen=True, slots=True)
class Expected:
    """A change that would be expected without treatment (post - pre), with its source.

    `source` is a message or a label; `se` the standard error: without one the change is taken as
    known, and the page has to say so.
    """

    source: str
    change: float
    se: float = NAN


@dataclass(frozen=True, slots=True)
class CostPerDay:
    """Fees per headache day of difference, and the bootstrap that it rests on.

    `difference` is in headache days per 28 (negative = fewer), `days_a_year` of fewer days;
    `fewer` and `more` are shares of replicates: with fewer, and with as many or more of them.
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
    cost_note: str = ""


def cost_per_day(
    cost: Array,
    change: Array,
    *,
    expected: Expected | None,
    replicates: int,
    seed: int,
    drawn: Drawn | None = None,
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
    drawn
        `draw_pairs` of the same values, where it is made already.

    Returns
    -------
    CostPerDay
        `ratio` and its limits only where the interval of the difference (t; and the bootstrap's)
        lies below 0: near 0 a ratio runs to infinity, and beyond it changes its meaning.
    """
    c, d = np.asarray(cost, float), np.asarray(change, float)
    c, d = _order(c, d)
    n = len(c)
    shift = 0.0 if expected is None else expected.change
    error = 0.0 if expected is None or np.isnan(expected.se) else expected.se
    if n == 0:
        return CostPerDay(0, note=Message("fees.nobody_has_both"))
    costs, changes, normal = drawn or draw_pairs(c, d, replicates, seed)
    differences = changes - shift + error * normal
    mean_cost, difference = float(c.mean()), float(d.mean()) - shift
    low, high = t_interval(d)
    if expected is not None:
        _, low, high = less_expected(float(d.mean()), low, high, expected)
    days = -WINDOWS_PER_YEAR * difference
    ratio, limits, note = NAN, (NAN, NAN), ""
    boot_high = float(np.quantile(differences, 0.975))
    if difference >= 0:
        note = Message("fees.no_fewer_days")
    elif high < 0 and boot_high < 0:
        fewer = -WINDOWS_PER_YEAR * differences
        # A replicate without fewer days has no finite price.
        price = np.where(fewer > 0, costs / np.where(fewer > 0, fewer, 1.0), np.inf)
        found = np.quantile(price, [0.025, 0.975], method="inverted_cdf")
        ratio, limits = mean_cost / days, (float(found[0]), float(found[1]))
    else:
        note = join([Message("fees.not_told_from_0"), Message("fees.see_the_plane")])
    cost_low, cost_high = skewed_interval(c)
    return CostPerDay(
        n=n,
        cost=mean_cost,
        # numpy's maximum keeps a missing limit missing.
        cost_low=float(np.maximum(cost_low, 0.0)) if c.min() >= 0 else cost_low,
        cost_high=cost_high,
        cost_note=_remark_fees(c),
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


def _remark_fees(cost: Array) -> str:
    """Say where the interval of mean fees is missing or carries less than it promises."""
    if len(cost) < _MIN_PLANE:
        return Message("fees.one_person")
    if np.ptp(cost) == 0:
        return Message("fees.no_spread")
    return Message("fees.few_for_a_mean", least=ENOUGH) if len(cost) < ENOUGH else ""


def _order(cost: Array, change: Array) -> tuple[Array, Array]:
    """Sort pairs, so that the order of rows in a file cannot move an interval."""
    order = np.lexsort((change, cost))
    return cost[order], change[order]


def draw_pairs(cost: Array, change: Array, replicates: int, seed: int) -> Drawn:
    """Draw pairs with replacement.

    Returns
    -------
    tuple of array
        Mean fees and mean change of each replicate, and a standard normal for the error of what
        would be expected. The draws do not depend on the expectation, so that one set serves all.
    """
    cost, change = _order(np.asarray(cost, float), np.asarray(change, float))
    rng = np.random.default_rng(seed)
    n = len(cost)
    costs, changes = np.empty(replicates), np.empty(replicates)
    step = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, replicates, step):
        stop = min(start + step, replicates)
        draw = rng.integers(0, n, (stop - start, n))
        costs[start:stop] = cost[draw].mean(axis=1)
        changes[start:stop] = change[draw].mean(axis=1)
    return costs, changes, rng.standard_normal(replicates)


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


def count_cells(found: CostPerDay) -> list[dict[str, float]]:
    """Count replicates in cells of the cost plane, in headache days a year; 0 is always an edge.

    Returns
    -------
    list of dict
        difference_low, difference_high, cost_low, cost_high and the share of replicates in
        percent of each cell that holds any; none for a single person.
    """
    if found.n < _MIN_PLANE:
        return []

    def place(values: Array) -> tuple[Array, float]:
        """Find the cell of each value, and the width of cells."""
        width = max(float(np.ptp(values)), 1e-9) / _CELLS
        step = 10 ** np.floor(np.log10(width))
        width = step * next(m for m in (1, 2, 5, 10) if m * step >= width * (1 - 1e-12))
        # Rounded, so that what stands on an edge does not fall beside it by a binary fraction.
        return np.floor(np.round(values / width, 9)) + 0.0, float(width)

    (x, wide), (y, high) = place(WINDOWS_PER_YEAR * found.differences), place(found.costs)
    cells, counts = np.unique(np.column_stack([x, y]), axis=0, return_counts=True)
    return [
        {
            "difference_low": float(i * wide),
            "difference_high": float((i + 1) * wide),
            "cost_low": float(j * high),
            "cost_high": float((j + 1) * high),
            "share": 100 * float(n) / len(x),
        }
        for (i, j), n in zip(cells, counts, strict=True)
    ]
