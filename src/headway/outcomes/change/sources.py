"""Which of a clinic's declared records can answer, and which one stands in for another.

The primary comparison takes windows that were given, else the diary (or the log of attacks), else
answers at visits. A declared source that holds nothing usable must not hand over in silence: it
leaves a row of the table `flow` (account `source`) that says why and what answers instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headway.messages import Message, phrase
from headway.tables import conform, count_rows, empty
from headway.tables.diary import read_table_sql
from headway.tables.engine import open_engine

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic

# Sources of windows, in the order in which the primary comparison takes them.
ORDER = ("given", "diary", "visit")
# Outcome -> the column of `sessions` that holds the answer at a visit.
ASKED_AT_VISITS = {
    "frequency": "headache_days_28",
    "intensity": "usual_intensity",
    "duration": "usual_duration_hours",
}
# Kind of file -> source of windows.
_SOURCE_OF = {
    "windows": "given",
    "attacks": "diary",
    "diary": "diary",
    "sessions": "visit",
    "questionnaires": "visit",
}
SOURCE = "source"  # account of `flow`
NOT_USED, REPLACED_BY = "not_used", "replaced_by_"  # steps of it


@dataclass(frozen=True, slots=True)
class Sources:
    """What a clinic's processed tables can answer from.

    Attributes
    ----------
    usable
        Sources of windows that hold at least one value.
    idle
        Declared kind of file -> the message that says why nothing in it can be used.
    short_untold
        Whether the diary has headaches too short to count by themselves whose treatment nobody
        recorded: these days are unknown.
    medication
        Whether medication was recorded on any day.
    """

    usable: frozenset[str]
    idle: dict[str, Message]
    short_untold: bool = False
    medication: bool = False


def find_sources(folder: Path, clinic: Clinic) -> Sources:
    """Find the sources that hold anything usable.

    Parameters
    ----------
    folder
        Folder of the processed tables.
    clinic
        clinic.yaml with its defaults.
    """
    usable, idle = set(), {}
    with open_engine(near=folder) as connection:

        def ask(what: str, table: str, *values: object) -> tuple[object, ...]:
            sql = f"SELECT {what} FROM {read_table_sql(folder, table)}"
            return connection.execute(sql, [*values]).fetchone() or ()

        days, known, free, untold, treated = ask(
            "count(*), count(headache), coalesce(bool_or(headache = 0), false), "
            "coalesce(bool_or(headache = 1 AND duration_hours < ? AND acute_medication IS NULL), "
            "false), count(acute_medication)",
            "days",
            float(clinic.min_duration_h),
        )
        (given,) = ask('count("value")', "given_windows")
        answers = ", ".join(f"CAST({c} AS DOUBLE)" for c in ASKED_AT_VISITS.values())
        (asked,) = ask(f"count(coalesce({answers}))", "sessions")
    scores = count_rows(folder / "questionnaires.parquet")
    found = {
        "windows": (given, "flow.no_value"),
        "attacks" if "attacks" in clinic.files else "diary": (
            free,
            "flow.no_row" if not days else "flow.no_free_day" if known else "flow.no_known_day",
        ),
        "sessions": (asked, "flow.no_value"),
        "questionnaires": (scores, "flow.no_value"),
    }
    for kind, (holds, why) in found.items():
        if holds:
            usable.add(_SOURCE_OF[kind])
        elif kind in clinic.files and (kind != "sessions" or _asks(clinic)):
            idle[kind] = Message(why)
    return Sources(frozenset(usable), idle, bool(untold), bool(treated))


def _asks(clinic: Clinic) -> bool:
    """Whether a file of sessions is declared to hold answers about the last 28 days."""
    columns = {c for file in clinic.files["sessions"] for c in (*file.columns, *file.constants)}
    return bool(columns & set(ASKED_AT_VISITS.values()))


def name_source(kind: str) -> str:
    """Name the records that a kind of file holds, with their article."""
    return phrase("records", kind)


def list_idle(sources: Sources, answering: str | None) -> pd.DataFrame:
    """List declared sources that hold nothing usable, as rows of `flow`.

    Parameters
    ----------
    answering
        Source of the windows from which the primary outcome is answered; None where none is.
    """
    import pandas as pd

    rows = []
    for kind, why in sources.idle.items():
        before = answering is not None and ORDER.index(_SOURCE_OF[kind]) < ORDER.index(answering)
        rows.append(
            {
                "account": SOURCE,
                "item": kind,
                "step": f"{REPLACED_BY}{answering}" if before else NOT_USED,
                "n": float("nan"),
                "of": float("nan"),
                "note": why,
                "redacted": False,
            }
        )
    return conform("flow", pd.DataFrame(rows)) if rows else empty("flow")
