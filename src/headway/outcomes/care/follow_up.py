"""Whom a clinic may want to look at: who got worse, who stopped recording, who is due.

Row by row, for the clinic's own eyes: made under the preset `internal` alone, and never released.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.outcomes.care.control_charts import find_last_month, find_start_months
from headway.outcomes.care.visits import find_last_day
from headway.outcomes.change.change import WORSE, divide_by_before
from headway.tables import conform
from headway.tables.diary import read_days_sql
from headway.tables.engine import open_engine

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic
    from headway.outcomes.change.windows import Comparison


def build_follow_up(
    pairs: pd.DataFrame,
    starters: pd.Index,
    sessions: pd.DataFrame,
    days: Path,
    comparison: Comparison,
    clinic: Clinic,
    *,
    before: pd.Series,
    after: pd.Index,
) -> pd.DataFrame:
    """List people to look at, each with the reason.

    `got_worse`: as `worsened_30`, at least 30 % more than before, or some where there was none.
    `due`: the window after is not over, by the months in which people started and the last month
    of the records.
    `stopped_recording`: it is over, and not complete. `due_or_stopped`: nobody can tell which,
    since no month is on record.

    Parameters
    ----------
    pairs
        patient_id, pre and post of the primary outcome and comparison.
    starters
        Everyone who started.
    sessions
        Table `sessions`.
    days
        Path of the processed diary.
    before
        Value before per person, also of those without one after.
    after
        Who has a value after, with or without one before.

    Returns
    -------
    DataFrame
        Table `follow_up`: who got worse most comes first, then by code.
    """
    import pandas as pd

    known = pairs.set_index("patient_id")[["pre", "post"]].reindex(starters)
    ratio = divide_by_before(known["pre"], known["post"])
    worse = (ratio >= WORSE) | ((known["pre"] == 0) & (known["post"] > 0))
    first, last = _find_window(clinic, comparison)
    reason = pd.Series(None, index=starters, dtype="object").mask(worse, "got_worse")
    lacking = ~starters.isin(after)
    reason = reason.mask(lacking, _tell_apart(starters, sessions, last))
    seen = _find_last_record(sessions, days)
    out = pd.DataFrame(
        {
            "reason": reason,
            "outcome": clinic.primary_outcome,
            "pre": known["pre"].fillna(before.reindex(starters)),
            "post": known["post"],
            "last_day": seen.reindex(starters),
            "window_from": first,
            "window_to": last,
        }
    )
    out = out[out["reason"].notna()].rename_axis("patient_id").reset_index()
    out["by"] = (out["post"] - out["pre"]).fillna(0.0)
    order = {"got_worse": 0, "due": 1, "stopped_recording": 2, "due_or_stopped": 3}
    out["place"] = out["reason"].map(order)
    out = out.sort_values(["place", "by", "patient_id"], ascending=[True, False, True])
    return conform("follow_up", out.drop(columns=["by", "place"]))


def _find_window(clinic: Clinic, comparison: Comparison) -> tuple[float | None, float | None]:
    """Find first and last day of the window after, where they are the same for everyone."""
    last = find_last_day(clinic, comparison)
    if last is None:
        return None, None
    if comparison.source == "visit":
        return float(clinic.windows.visit_recall.within_days[0]), last
    first = clinic.windows.named[comparison.post].from_
    return None if first is None else float(first), last


def _tell_apart(starters: pd.Index, sessions: pd.DataFrame, last: float | None) -> Any:
    """Tell who is due from who stopped, by the month of the start."""
    import pandas as pd

    month = find_start_months(sessions).reindex(starters)
    over = None if last is None else find_last_month(sessions, last)
    told = pd.Series("due_or_stopped", index=starters)
    if over is None:
        return told
    return told.mask(month > over, "due").mask(month <= over, "stopped_recording")


def _find_last_record(sessions: pd.DataFrame, days: Path) -> pd.Series:
    """Find the last day with a visit or an entry in the diary, per person."""
    with open_engine(near=days.parent) as connection:
        diary = connection.execute(
            f"SELECT patient_id, max(day) AS day FROM {read_days_sql(days)} "
            "WHERE headache IS NOT NULL GROUP BY patient_id"
        ).df()
    import pandas as pd

    both = pd.concat([diary, sessions[["patient_id", "day"]]])
    return both.groupby("patient_id")["day"].max()
