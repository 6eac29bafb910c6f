"""A log of sessions -> records: treatments, and what a clinic asks at each visit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from headway.ingest.proposals.codes import (
    read_techniques,
)
from headway.ingest.proposals.columns import Named, pick
from headway.ingest.proposals.dates import Moment
from headway.ingest.proposals.measures import Ask
from headway.ingest.proposals.opening import Sheet
from headway.ingest.proposals.records import Entry
from headway.ingest.proposals.shape_rows import (
    Read,
    cannot,
    choose_date,
    put_outcomes,
    read_moments,
    start_records,
)
from headway.ingest.proposals.vocabulary import find_unit, is_word, list_fields
from headway.messages import Message

# Names of outcomes in sessions.
_RECALL = {
    "headache_days_28": "headache_days_28",
    "intensity": "usual_intensity",
    "duration_hours": "usual_duration_hours",
}


def read_sessions(
    sheet: Sheet, columns: list[Named], ids: list[str], out: Read, ask: Ask
) -> set[int]:
    """Read a log with a row for each session; returns the columns that were used."""
    sheet, ids = _without_missed(sheet, columns, ids, out)
    records = start_records(sheet, "sessions", ids)
    day = choose_date(sheet, columns, ask)
    records.days = read_moments(sheet, day)
    used = {day.index}
    columns = _session_lengths(columns)
    technique = pick(columns, "technique")
    if technique is not None:
        plain, entry, unknown = read_techniques(technique, sheet.column(technique.index))
        _check_first(sheet, technique, ids, records.days, unknown, ask)
        records.put("technique", plain, entry)
        used.add(technique.index)
    therapist = pick(columns, "therapist")
    if therapist is not None:
        name = Message("proposal.from_column", name=therapist.header)
        records.put(
            "therapist", sheet.column(therapist.index), Entry(reasons=(name, "proposal.recoded"))
        )
        used.add(therapist.index)
    used |= put_outcomes(records, sheet, columns, {"minutes": "minutes"} | _RECALL, ask)
    out.records.append(records)
    return used


def _without_missed(
    sheet: Sheet, columns: list[Named], ids: list[str], out: Read
) -> tuple[Sheet, list[str]]:
    """Leave out visits that did not take place, where a column says so and nothing else."""
    places = [
        c.index
        for c in columns
        if c.field not in ("note", "patient_id") and c.found.share_words("not_attended") > 0
    ]
    missed = [any(is_word(row[i], "not_attended") for i in places) for row in sheet.rows]
    if not any(missed):
        return sheet, ids
    kept = [i for i, gone in enumerate(missed) if not gone]
    out.notes.append(Message("proposal.missed", file=sheet.name, n=sum(missed)))
    rows = tuple(sheet.rows[i] for i in kept)
    lines = tuple(sheet.lines[i] for i in kept)
    return replace(sheet, rows=rows, lines=lines), [ids[i] for i in kept]


def _session_lengths(columns: list[Named]) -> list[Named]:
    """Take a length in minutes beside a technique for that of the visit."""
    recall = pick(columns, "headache_days_28", "intensity")
    out = []
    for column in columns:
        if column.field == "duration_hours" and pick(columns, "minutes") is None:
            of_headache = "headache" in list_fields(column.header)
            in_minutes = find_unit(column.header, ("minutes",)) is not None
            if not of_headache and (recall is None or in_minutes):
                column = replace(column, field="minutes")
        out.append(column)
    return out


def _check_first(
    sheet: Sheet,
    technique: Named,
    ids: list[str],
    days: Sequence[Moment | None],
    unknown: set[str],
    ask: Ask,
) -> None:
    """Stop at a word that stands at first visits alone: it may be a visit without treatment.

    Raises
    ------
    InputError
        `first_visit`, unless somebody says that it is a treatment.
    """
    if not unknown:
        return
    first: dict[str, Moment] = {}
    for person, day in zip(ids, days, strict=True):
        if day is not None and (person not in first or day.day < first[person].day):
            first[person] = day
    cells = sheet.column(technique.index)
    at_first: Counter[str] = Counter()
    for person, day, cell in zip(ids, days, cells, strict=True):
        if cell in unknown and day is not None:
            at_first[cell] += day.day == first[person].day
    for cell in unknown:
        n = technique.found.cells[cell]
        if n >= 5 and at_first[cell] >= 0.9 * n:
            said = ask(Message("proposal.ask_first", name=technique.header), ("treatment", "visit"))
            if said != "treatment":
                raise cannot(sheet, "first_visit", "problem.first_visit", technique.header)
