"""What the shapes of records share: the day of a row, its outcomes, drugs and people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from headway.errors import InputError, Problem
from headway.ingest.proposals.codes import (
    read_condition,
    read_drugs,
    read_sex,
)
from headway.ingest.proposals.columns import Named, pick
from headway.ingest.proposals.dates import Moment
from headway.ingest.proposals.measures import Ask, list_proven, read_outcome
from headway.ingest.proposals.opening import Sheet
from headway.ingest.proposals.records import Entry, Records
from headway.ingest.proposals.values import is_missing
from headway.ingest.proposals.vocabulary import fold
from headway.ingest.times import read_clock
from headway.messages import Message

_OF_PEOPLE = ("sex", "age", "condition", "start_day", "diary_from", "diary_to")
# At visits the usual pain is asked for, in a diary the worst of the day.
_USUAL = re.compile(
    r"\b(usual|typical|average|avg|mean|ublich\w*|durchschnitt\w*|mittl\w*|habitual|medi[ao])\b"
)
_WORST = re.compile(r"\b(worst|max\w*|peak|starkst\w*|schlimmst\w*|peor|maxim[ao])\b")
_OF_NOW = re.compile(
    r"\b(today|now|current|at (the )?visit|before|after|heute|aktuell\w*|jetzt|momentan|vor|nach|"
    r"vorher|nachher|hoy|ahora|actual|antes|despues)\b(?! (4|28|vier|four|cuatro))"
)


@dataclass(slots=True)
class Read:
    """What was made of the tables: records, and what was not taken with its reason."""

    records: list[Records] = field(default_factory=list)
    dropped: list[tuple[str, str, str]] = field(default_factory=list)  # file, column, reason
    notes: list[str] = field(default_factory=list)


def cannot(
    sheet: Sheet, rule: str, message: str, column: str = "", remedy: str = "remedy.new_clinic"
) -> InputError:
    """Make the error of a table that leaves something open."""
    problem = Problem(sheet.name, rule, message, column=column, remedy=remedy)
    return InputError("failure.new_clinic", [problem])


def has_times(column: Named) -> bool:
    """Whether the dates of a column have a time of day."""
    assert column.dates is not None
    return any(m.hour is not None for m in column.dates.values.values())


def read_moments(sheet: Sheet, column: Named) -> list[Moment | None]:
    """Read the day of each row."""
    assert column.dates is not None
    return [column.dates.values.get(cell) for cell in sheet.column(column.index)]


def choose_date(sheet: Sheet, columns: list[Named], ask: Ask) -> Named:
    """Choose the column of the day of a row; two that could be it are asked about.

    Raises
    ------
    InputError
        `which_date` where nobody says.
    """
    dated = [c for c in columns if c.dates is not None]
    for names in (("date",), ("date?",), ("begin", "start_day"), ("entered",)):
        found = [c for c in dated if c.field in names]
        filled = [c for c in found if c.found.filled >= 0.5 * len(sheet.rows)]
        found = filled or found
        if len(found) == 1:
            return found[0]
        if found:
            said = ask(
                Message("proposal.ask_date", file=sheet.name), tuple(c.header for c in found)
            )
            for column in found:
                if column.header == said:
                    return column
            raise cannot(sheet, "which_date", "problem.which_date", found[0].header)
    raise cannot(sheet, "no_date", "problem.no_date", remedy="remedy.no_date")


def start_records(sheet: Sheet, kind: str, ids: list[str]) -> Records:
    """Start the records of a table."""
    return Records(kind, sheet.name, ids, list(sheet.lines))


def context_of(sheet: Sheet, column: Named) -> str:
    """Join the name of a column with what stands above its table."""
    return " ".join([sheet.describe(column.index), *sheet.titles])


def put_outcomes(
    records: Records, sheet: Sheet, columns: list[Named], names: dict[str, str], ask: Ask
) -> set[int]:
    """Add outcomes; of several columns that could be one, the only one that is not in doubt."""
    used = set()
    proven = list_proven(columns)
    for name, canonical in names.items():
        read = []
        for column in _prefer([c for c in columns if c.field == name], records.kind):
            wide = replace(column, header=sheet.describe(column.index))
            cells = sheet.column(column.index)
            context = context_of(sheet, column)
            plain, entry = read_outcome(wide, name, cells, context, proven, ask)
            if records.kind == "sessions" and _OF_NOW.search(fold(column.header)):
                entry = replace(entry, off=True, doubt="proposal.doubt_now")
            read.append((column, plain, entry))
        if not read:
            continue
        usable = [r for r in read if not r[2].off] or read[:1]
        column, plain, entry = usable[0]
        if len(usable) > 1:
            question = Message("proposal.ask_column", what=canonical, file=sheet.name)
            said = ask(question, tuple(c.header for c, _, _ in usable))
            chosen = [r for r in usable if r[0].header == said]
            column, plain, entry = chosen[0] if chosen else usable[0]
            if not chosen:
                entry = replace(entry, off=True, doubt="proposal.doubt_several")
        records.put(canonical, plain, entry)
        used.add(column.index)
    return used


def _prefer(found: list[Named], kind: str) -> list[Named]:
    """Keep the columns that say that they are the one of several that is asked for."""
    if len(found) < 2:
        return found
    pattern = _USUAL if kind == "sessions" else _WORST
    return [c for c in found if pattern.search(fold(c.header))] or found


def put_drugs(records: Records, sheet: Sheet, columns: list[Named]) -> set[int]:
    """Add acute medication; returns the columns that were used."""
    drug = pick(columns, "acute_medication")
    if drug is None:
        return set()
    plain, entry = read_drugs(drug, sheet.column(drug.index))
    records.put("acute_medication", plain, entry)
    return {drug.index}


def put_length(
    sheet: Sheet,
    columns: list[Named],
    records: Records,
    starts: Sequence[Moment | None],
    hours: Sequence[float | None],
) -> set[int]:
    """Take the length of attacks from their end, where no column says it."""
    if pick(columns, "duration_hours") is not None:
        return set()
    ends = [c for c in columns if c.field == "end" and (c.dates is not None or c.clock)]
    if not ends:
        return set()
    dated = next((c for c in ends if c.dates is not None), None)
    clock = next((c for c in ends if c.clock), None)
    days = read_moments(sheet, dated) if dated else [None] * len(starts)
    clocks = [read_clock(c) for c in sheet.column(clock.index)] if clock else [None] * len(starts)
    out = []
    for start, hour, day, time in zip(starts, hours, days, clocks, strict=True):
        out.append(_length(start, hour, day, time, dated is not None))
    names = [c.header for c in ends]
    records.put("duration_hours", out, Entry(reasons=(Message("proposal.from_end", names=names),)))
    return {c.index for c in ends}


def _length(
    start: Moment | None, hour: float | None, day: Moment | None, time: float | None, dated: bool
) -> str:
    """Hours from a start to an end; empty where either is not wholly known."""
    if start is None or hour is None:
        return ""
    if dated:
        if day is None:
            return ""
        end = time if time is not None else day.hour
        if end is None:
            return ""
        length = (day.day - start.day).days * 24 + end - hour
    elif time is None:
        return ""
    else:
        length = (time - hour) % 24
    return f"{length:.4f}".rstrip("0").rstrip(".") if 0 < length <= 168 else ""


def add_people(sheet: Sheet, columns: list[Named], ids: list[str], out: Read) -> set[int]:
    """Add what a table says of people: sex, age, condition, when treatment and diary began."""
    found = [c for c in columns if c.field in _OF_PEOPLE and c.found.filled]
    taken = {r.kind for r in out.records}
    if taken:
        found = [c for c in found if c.field in ("sex", "age", "condition")]
    if not found:
        return set()
    records = start_records(sheet, "patients", ids)
    used = set()
    for column in found:
        cells = sheet.column(column.index)
        reason = Message("proposal.from_column", name=column.header)
        if column.dates is not None:
            records.times.setdefault(column.field, read_moments(sheet, column))
        elif column.field == "sex":
            records.put("sex", *read_sex(column, cells))
        elif column.field == "age":
            plain = ["" if is_missing(c) else c for c in cells]
            records.put("age_band", plain, Entry(reasons=(reason, "proposal.banded")))
        elif column.field == "condition":
            codes = read_condition(cells)
            if codes is None:
                continue
            records.put("condition", codes, Entry(reasons=(reason, "proposal.ichd")))
        else:
            continue
        used.add(column.index)
    if records.values or records.times:
        out.records.append(records)
    return used
