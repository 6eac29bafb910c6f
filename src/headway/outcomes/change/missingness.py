"""What was not recorded: completeness, and the bounds that it sets to a change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.outcomes.change.windows import DAYS_PER_WINDOW, Comparison, window_length

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic

# Lowest and highest value that an outcome can take.
SCALES = {"frequency": (0.0, 28.0), "intensity": (0.0, 10.0), "duration": (0.0, 24.0)}


@dataclass(frozen=True, slots=True)
class Bounds:
    """The lowest and highest mean change that the recorded days allow, over n people."""

    low: float
    high: float
    n: int


def bound_change(
    windows: pd.DataFrame,
    starters: pd.Index,
    comparison: Comparison,
    clinic: Clinic,
    outcome: str = "frequency",
) -> Bounds | None:
    """Bound the mean change over all who started.

    Lowest: every unknown day before was as bad, and every unknown day after as good, as the scale
    has it; highest: the reverse. Someone without any entry in a window ranges over the whole
    scale. Where the value before is the mean of two windows, so are its limits.

    Intensity and duration are means over headache days: a day with headache but without the value,
    and a day without an entry, may have any value. Who is known to have had no headache in a whole
    window has no such mean, and is not counted.

    Returns
    -------
    Bounds or None
        None where a window has an open end, so that its number of days is not known, where the
        outcome's scale has no end, and where nobody can count.
    """
    if not len(starters) or outcome not in SCALES:
        return None

    def side(names: Iterable[str]) -> tuple[pd.Series, pd.Series] | None:
        found = [_limits(windows, starters, comparison, clinic, name, outcome) for name in names]
        known = [limits for limits in found if limits is not None]
        if len(known) < len(found):
            return None
        lows, highs = zip(*known, strict=True)
        return sum(lows) / len(lows), sum(highs) / len(highs)

    before, after = side(comparison.befores), side((comparison.post,))
    if before is None or after is None:
        return None
    low, high = (after[0] - before[1]).dropna(), (after[1] - before[0]).dropna()
    if not len(low):
        return None
    return Bounds(low=float(low.mean()), high=float(high.mean()), n=len(low))


def _limits(
    windows: pd.DataFrame,
    starters: pd.Index,
    comparison: Comparison,
    clinic: Clinic,
    window: str,
    outcome: str,
) -> tuple[pd.Series, pd.Series] | None:
    """Lowest and highest value per person in a window; NaN for who can have none."""
    least, most = SCALES[outcome]
    own = windows[(windows["source"] == comparison.source) & (windows["window"] == window)]

    def rows(name: str) -> pd.DataFrame:
        numbers = own.loc[own["outcome"] == name, ["patient_id", "value", "count", "days_observed"]]
        return numbers.set_index("patient_id").astype("float64").reindex(starters)

    if comparison.source != "diary":
        value = rows(outcome)["value"]
        return value.fillna(least), value.fillna(most)
    days = window_length(clinic.windows.named[window])
    if days is None:
        return None
    headache = rows("frequency")
    hits, unknown = headache["count"].fillna(0.0), days - headache["days_observed"].fillna(0.0)
    if outcome == "frequency":
        scale = DAYS_PER_WINDOW / days
        return hits * scale, (hits + unknown) * scale
    mean = rows(outcome)
    known = mean["count"].fillna(0.0)
    total = (mean["value"] * known).fillna(0.0)
    open_ = unknown + hits - known  # days that may have any value
    # 0 / 0 is NaN: free of headache on every day.
    return (total + least * open_) / (known + open_), (total + most * open_) / (known + open_)


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
    for side, names in (
        ("completeness_pre", comparison.befores),
        ("completeness_post", (comparison.post,)),
    ):
        days = 0
        observed = 0.0
        for window in names:
            length = window_length(clinic.windows.named[window])
            if length is None:
                return None
            rows = windows[
                (windows["source"] == "diary")
                & (windows["window"] == window)
                & (windows["outcome"] == "frequency")
            ]
            entries = rows.set_index("patient_id")["days_observed"].astype("float64")
            entries = entries.reindex(starters)
            observed += float(entries.fillna(0.0).mean())
            days += length
        out[side] = 100 * observed / days
    return out
