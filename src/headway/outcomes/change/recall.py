"""What people recall of the last 28 days at a visit, beside their diary of the same 28 days."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headway.outcomes.change.attrition import SourceComparison, compare_sources
from headway.outcomes.change.windows import (
    DAYS_PER_WINDOW,
    headache_day_sql,
    nearest,
    recall_ranges,
)
from headway.tables.diary import read_days_sql
from headway.tables.engine import open_engine

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic

SIDES = ("baseline", "post")
# Of the table `sessions`, what is set beside the diary.
SESSION_COLUMNS = ("patient_id", "day", "headache_days_28")


def set_beside(
    days: Path, sessions: pd.DataFrame, clinic: Clinic, *, threads: int = 1
) -> pd.DataFrame:
    """Set each answer to "days in the last 28" beside the diary of those days.

    An answer on day d is about days d - 28 to d - 1, whatever the windows of the clinic are: the
    answer that counts after treatment may come on any day of `within_days`, and headache days
    change meanwhile.

    Parameters
    ----------
    days
        Processed table `days` (parquet).
    sessions
        Processed table `sessions`.
    clinic
        clinic.yaml with its defaults.

    Returns
    -------
    DataFrame
        patient_id, window (of `SIDES`: the answers that enter the analysis), recalled, diary
        (headache days per day observed x 28; missing without an entry), days_observed.
    """
    import pandas as pd

    column = "headache_days_28"
    asked = sessions.loc[sessions[column].notna(), list(SESSION_COLUMNS)]
    parts = []
    for window, low, high, target in recall_ranges(clinic):
        if window in SIDES:
            said = nearest(asked, column, low, high, target).rename(columns={"value": "recalled"})
            on = nearest(asked, "day", low, high, target).rename(columns={"value": "day"})
            parts.append(said.merge(on, on="patient_id").assign(window=window))
    answers = pd.concat(parts, ignore_index=True).astype({"day": "int64", "recalled": "float64"})
    hd = headache_day_sql(clinic)
    sql = (
        f"WITH d AS (SELECT patient_id, day, {hd} AS hd FROM {read_days_sql(days)}) "
        'SELECT a.patient_id, a."window", a.recalled, '
        f"{float(DAYS_PER_WINDOW)!r} * sum(d.hd) / nullif(count(d.hd), 0) AS diary, "
        "CAST(count(d.hd) AS DOUBLE) AS days_observed "
        "FROM answers a LEFT JOIN d ON a.patient_id = d.patient_id "
        f"AND d.day BETWEEN a.day - {DAYS_PER_WINDOW} AND a.day - 1 "
        'GROUP BY a.patient_id, a."window", a.recalled ORDER BY a."window", a.patient_id'
    )
    with open_engine(threads=threads, near=days.parent) as connection:
        connection.register("answers", answers)
        out = connection.execute(sql).df()
    return out.astype({"recalled": "float64", "diary": "float64", "days_observed": "float64"})


def compare_side(beside: pd.DataFrame, window: str, starters: pd.Index) -> SourceComparison | None:
    """Compare diary and recall of one side (`attrition.compare_sources`).

    Parameters
    ----------
    beside
        As `set_beside` makes it.
    starters
        Everyone who started.

    Returns
    -------
    SourceComparison
        None where nobody was asked on that side.
    """
    own = beside[(beside["window"] == window) & beside["patient_id"].isin(starters)]
    if not len(own):
        return None
    own = own.set_index("patient_id")
    return compare_sources(own["diary"], own["recalled"], own["days_observed"] / DAYS_PER_WINDOW)
