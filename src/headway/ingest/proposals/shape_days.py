"""A day diary or a log of attacks -> records."""

from __future__ import annotations

from dataclasses import replace

from headway.ingest.adapters import redcap
from headway.ingest.proposals.codes import (
    read_yes_no,
)
from headway.ingest.proposals.columns import Named, pick
from headway.ingest.proposals.measures import Ask
from headway.ingest.proposals.opening import Sheet
from headway.ingest.proposals.records import Entry, Records
from headway.ingest.proposals.shape_rows import (
    Read,
    cannot,
    choose_date,
    has_times,
    put_drugs,
    put_length,
    put_outcomes,
    read_moments,
    start_records,
)
from headway.ingest.times import read_clock
from headway.messages import Message

_DIARY = {"intensity": "intensity", "duration_hours": "duration_hours"}


def read_diary(sheet: Sheet, columns: list[Named], ids: list[str], out: Read, ask: Ask) -> set[int]:
    """Read a diary with a row for each day; returns the columns that were used."""
    records = start_records(sheet, "diary", ids)
    clocks = [c for c in columns if c.clock and c.field in ("begin", "end")]
    day = choose_date(sheet, columns, ask)
    records.days = read_moments(sheet, day)
    used = {day.index}
    if pick(columns, "duration_hours") is None:
        # Beside a day's headache, minutes are those of the headache.
        lengths = {"minutes": "duration_hours"}
        columns = [replace(c, field=lengths.get(c.field, c.field)) for c in columns]
    headache = pick(columns, "headache")
    if headache is not None:
        plain, entry = read_yes_no(headache, sheet.column(headache.index))
        records.put("headache", plain, entry)
        used.add(headache.index)
        if headache.found.share_words("yes", "severity") == 1:
            text, name = "problem.only_headache", headache.header
            raise cannot(sheet, "only_headache_days", text, name, "remedy.free_days")
    used |= put_outcomes(records, sheet, columns, _DIARY, ask)
    if headache is None:
        _infer_headache(sheet, records)
    if "duration_hours" not in records.values and len(clocks) == 2:
        _measure_clocks(sheet, records, clocks)
        used |= {c.index for c in clocks}
    used |= put_drugs(records, sheet, columns)
    used |= _put_status(records, sheet, columns)
    out.records.append(records)
    return used


def _infer_headache(sheet: Sheet, records: Records) -> None:
    """Make a diary of pain one of headache days: 0 is none, more than 0 is one.

    Raises
    ------
    InputError
        `no_free_days` where no day has a 0: a blank may be a free day or an unknown one.
    """
    name = next((n for n in ("intensity", "duration_hours") if n in records.values), None)
    if name is None:
        return
    cells = records.values[name]
    if "0" not in cells:
        raise cannot(sheet, "no_free_days", "problem.no_free_days", remedy="remedy.free_days")
    made = ["" if not c else "0" if c == "0" else "1" for c in cells]
    records.put("headache", made, Entry(reasons=(Message("proposal.from_zero", what=name),)))


def _measure_clocks(sheet: Sheet, records: Records, clocks: list[Named]) -> None:
    """Take the hours of a day's headache from its begin and end; an end before it is next day's."""
    by = {c.field: sheet.column(c.index) for c in clocks}
    if len(by) < 2:
        return
    out = []
    for begin, end in zip(by["begin"], by["end"], strict=True):
        a, b = read_clock(begin), read_clock(end)
        out.append("" if a is None or b is None else f"{(b - a) % 24 or 24:g}")
    names = [c.header for c in clocks]
    entry = Entry(reasons=(Message("proposal.from_clocks", names=names),))
    records.put("duration_hours", out, entry)


def _put_status(records: Records, sheet: Sheet, columns: list[Named]) -> set[int]:
    status = pick(columns, "status")
    if status is None:
        return set()
    cells = sheet.column(status.index)
    known = {label: str(code) for label, code in redcap.STATUS_LABELS.items()}
    known |= {"2": "1", "1": "0", "0": "0"} if "2" in cells else {"1": "1", "0": "0"}
    cells = [cell.lower() for cell in cells]
    if not set(cells) - {""} <= set(known):
        return set()
    plain = [known.get(c, "") for c in cells]
    records.put("diary_complete", plain, Entry(reasons=("proposal.closed_days",)))
    return {status.index}


def read_attacks(
    sheet: Sheet, columns: list[Named], ids: list[str], begin: Named, out: Read, ask: Ask
) -> set[int]:
    """Read a log with a row for each attack; returns the columns that were used."""
    records = start_records(sheet, "attacks", ids)
    starts = read_moments(sheet, begin)
    used = {begin.index}
    clock = next((c for c in columns if c.clock and c.field in ("begin", "time")), None)
    hours = [m.hour if m else None for m in starts]
    if not has_times(begin) and clock is not None:
        hours = [read_clock(c) for c in sheet.column(clock.index)]
        used.add(clock.index)
    records.days = starts
    if any(h is not None for h in hours):
        texts = [_write_clock(h) for h in hours]
        reason = Message("proposal.from_column", name=(clock or begin).header)
        records.put("start_hour", texts, Entry(reasons=(reason,)))
    used |= put_length(sheet, columns, records, starts, hours)
    used |= put_outcomes(records, sheet, columns, _DIARY, ask)
    used |= put_drugs(records, sheet, columns)
    out.records.append(records)
    return used


def _write_clock(hour: float | None) -> str:
    if hour is None:
        return ""
    minutes = round(hour * 60)
    return f"{minutes // 60}:{minutes % 60:02d}"
