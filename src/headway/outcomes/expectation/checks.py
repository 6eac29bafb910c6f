"""What was before treatment, and what arithmetic alone does to a change: the table `checks`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from headway.messages import Message
from headway.outcomes.change.change import LEVEL, Statistic, t_interval
from headway.outcomes.change.cohort import UNITS
from headway.outcomes.change.windows import Comparison
from headway.outcomes.expectation.expected import collect_values
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

SHOWN = ("frequency", "intensity", "duration")
_NAN = float("nan")


def check_oldham(pre: ArrayLike, post: ArrayLike) -> Statistic:
    """Correlate change with the mean of before and after (Oldham 1962).

    Change against the value before is negative by arithmetic alone; against the mean of both it
    is 0 where everybody changes alike and the spread stays the same. Interval by Fisher's z.
    """
    x, y = np.asarray(pre, float), np.asarray(post, float)
    n = len(x)
    change, middle = y - x, (x + y) / 2
    if n < 4 or np.ptp(change) == 0 or np.ptp(middle) == 0:
        return Statistic("oldham", _NAN, n, unit="correlation")
    r = float(np.corrcoef(change, middle)[0, 1])
    half = float(ndtri(0.5 + LEVEL / 2)) / np.sqrt(n - 3)
    low, high = np.tanh(np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15)) + np.array([-half, half]))
    return Statistic(
        "oldham",
        r,
        n,
        float(low),
        float(high),
        Message("interval.fisher_z"),
        unit="correlation",
        note=Message("remark.below_0_beyond_arithmetic"),
    )


def check_trend(earlier: ArrayLike, baseline: ArrayLike, unit: str = "days_per_28") -> Statistic:
    """Measure how the outcome moved from the earlier window to the last one before treatment."""
    d = np.asarray(baseline, float) - np.asarray(earlier, float)
    return Statistic(
        "baseline_trend",
        float(d.mean()) if len(d) else _NAN,
        len(d),
        *t_interval(d),
        interval=Message("interval.t"),
        unit=unit,
        note=Message("remark.above_0_came_worse"),
    )


def build_checks(windows: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """Build the table `checks`: what was before treatment, and what arithmetic alone does.

    Parameters
    ----------
    windows
        Table `windows`.
    comparison
        The primary one.

    Returns
    -------
    DataFrame
        Table `checks`: the trend before treatment of each outcome, and Oldham's check of headache
        days.
    """
    import pandas as pd

    found = []
    for outcome in SHOWN:
        values = collect_values(windows, comparison, outcome)
        both = values.dropna(subset=["earlier", "baseline"])
        if len(both):
            unit = UNITS[outcome]
            found.append((outcome, check_trend(both["earlier"], both["baseline"], unit)))
    paired = collect_values(windows, comparison).dropna(subset=["baseline", "post"])
    if len(paired):
        found.append(("frequency", check_oldham(paired["baseline"], paired["post"])))
    if not found:
        return empty("checks")
    rows = [
        {
            "id": s.id,
            "label": s.label,
            "outcome": name,
            "comparison": comparison.id,
            "estimate": s.estimate,
            "ci_low": s.ci_low,
            "ci_high": s.ci_high,
            "interval": s.interval or None,
            "n": float(s.n),
            "count": s.count,
            "unit": s.unit or None,
            "note": s.note or None,
            "redacted": False,
        }
        for name, s in found
    ]
    return conform("checks", pd.DataFrame(rows))
