"""What each kind of a clinic's files may hold, and the processed tables made of them."""

from __future__ import annotations

from functools import partial

from headway import tables

# Raw file kind -> processed table, and the columns without which a row says nothing.
CONTRACT: dict[str, tuple[str, tuple[str, ...]]] = {
    "patients": ("patients", ("patient_id",)),
    "sessions": ("sessions", ("patient_id", "day")),
    "diary": ("days", ("patient_id", "day")),
    "attacks": ("days", ("patient_id", "day")),
    "questionnaires": ("questionnaires", ("patient_id", "day", "instrument", "score")),
    "windows": ("given_windows", ("patient_id",)),
}
PROCESSED = ("patients", "sessions", "days", "questionnaires", "given_windows")
row_level = partial(tables.Column, disclosure=tables.ROW_LEVEL)
# Columns that a raw file may have beside those of its processed table.
_EXTRA: dict[str, dict[str, tables.Column]] = {
    "patients": {
        "start_day": row_level("int", "Day of the first treatment"),
        "diary_from": row_level("int", "First day on which the diary was open"),
        "diary_to": row_level("int", "Last day on which the diary was open"),
    },
    "diary": {"diary_complete": row_level("int", "1 if the entry is complete", low=0, high=1)},
    "attacks": {
        "patient_id": row_level("text", "The clinic's random code"),
        "day": row_level("int", "Day on which the attack started"),
        "start_hour": row_level("float", "Time of day at which it started", low=0, high=24),
        "duration_hours": row_level("float", "Hours it lasted", low=0, high=168),
        "intensity": row_level("float", "Worst intensity", low=0, high=10),
        "acute_medication": row_level("float", "Doses of acute medication", low=0),
    },
    "windows": {"patient_id": row_level("text", "The clinic's random code")},
}


def list_columns(kind: str) -> dict[str, tables.Column]:
    """List the columns that a kind of file may map, with their contracts."""
    if kind in ("attacks", "windows"):
        return _EXTRA[kind]
    own = tables.TABLES[CONTRACT[kind][0]].columns
    return {c: r for c, r in own.items() if c != "line"} | _EXTRA.get(kind, {})
