"""What was not recorded: completeness, bounds of change, who was lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.outcomes.change.windows import DAYS_PER_WINDOW, Comparison, window_length

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic


@dataclass(frozen=True, slots=True)
class Bounds:
    """The lowest and highest mean change that the recorded days allow, over all who started."""

    low: float
    high: float
    n: int


def bound_change(
    windows: pd.DataFrame,
    starters: pd.Index,
    comparison: Comparison,
    clinic: Clinic,
) -> Bounds | None:
    """Bound the mean change in headache days per 28 over all who started.

    Lowest: every unknown day before was a headache day and every unknown day after was free;
    highest: the reverse. Someone without any entry in a window ranges over all its days, so the
    lost count with 0 to 28.

    Returns
    -------
    Bounds or None
        None where a window has an open end, so that its number of days is not known, or where
        the values were not counted from days (then an unknown value ranges over 0 to 28).
    """
    import pandas as pd

    named = clinic.windows.named
    lows, highs = [], []
    for window in (comparison.pre, comparison.post):
        rows = windows[
            (windows["source"] == comparison.source)
            & (windows["window"] == window)
            & (windows["outcome"] == "frequency")
        ]
        rows = rows.set_index("patient_id").reindex(starters)
        if comparison.source == "diary":
            days = window_length(named[window])
            if days is None:
                return None
            count = rows["count"].fillna(0.0)
            unknown = days - rows["days_observed"].fillna(0.0)
            low, high = count, count + unknown
            scale = DAYS_PER_WINDOW / days
            low, high = low * scale, high * scale
        else:
            low = rows["value"].fillna(0.0)
            high = rows["value"].fillna(float(DAYS_PER_WINDOW))
        lows.append(pd.Series(low))
        highs.append(pd.Series(high))
    if not len(starters):
        return None
    return Bounds(
        low=float((lows[1] - highs[0]).mean()),
        high=float((highs[1] - lows[0]).mean()),
        n=len(starters),
    )


def measure_completeness(
    windows: pd.DataFrame,
    starters: pd.Index,
    comparison: Comparison,
    clinic: Clinic,
) -> dict[str, float] | None:
    """Share of days with an entry before and after, over all who started, in percent.

    Someone without an entry counts with 0. None where a window has an open end or the source is
    not a diary.
    """
    if comparison.source != "diary" or not len(starters):
        return None
    out = {}
    for side, window in (
        ("completeness_pre", comparison.pre),
        ("completeness_post", comparison.post),
    ):
        days = window_length(clinic.windows.named[window])
        if days is None:
            return None
        rows = windows[
            (windows["source"] == "diary")
            & (windows["window"] == window)
            & (windows["outcome"] == "frequency")
        ]
        observed = rows.set_index("patient_id")["days_observed"].reindex(starters).fillna(0.0)
        out[side] = float(100 * observed.mean() / days)
    return out
