"""The shape of an exported table, and its rows as records of one or two kinds.

A log of sessions (`shape_sessions`), a diary or a log of attacks (`shape_days`), a list of
patients, columns before and after (`windows`) or a grid of days (`grids`); exports of REDCap are
parted in `redcap_forms` first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from headway.ingest import gate
from headway.ingest.proposals.columns import Named, are_initials, is_total, name_columns, pick
from headway.ingest.proposals.dates import Order
from headway.ingest.proposals.grids import find_grids, read_grid
from headway.ingest.proposals.measures import Ask
from headway.ingest.proposals.opening import Sheet
from headway.ingest.proposals.shape_days import read_attacks, read_diary
from headway.ingest.proposals.shape_rows import Read, add_people, cannot, has_times
from headway.ingest.proposals.shape_sessions import read_sessions
from headway.ingest.proposals.windows import find_pairs, find_rounds, read_pairs, read_rounds
from headway.messages import Message


def find_order(sheets: Sequence[Sheet], ask: Ask) -> Order | None:
    """Tell the order of day and month from the columns of all tables that show it.

    Raises
    ------
    InputError
        `mixed_dates` if columns, or cells of one, have it both ways.
    """
    orders: Counter[Order] = Counter()
    unclear: list[tuple[Sheet, str]] = []
    for sheet in sheets:
        for column in name_columns(sheet):
            if column.dates is None:
                continue
            if column.dates.mixed and column.field != "identity":
                text, name = "problem.mixed_order", column.header
                raise cannot(sheet, "mixed_dates", text, name, "remedy.mixed_dates")
            if column.dates.order is not None:
                orders[column.dates.order] += 1
            if column.dates.ambiguous and column.field != "identity":
                unclear.append((sheet, column.header))
    if len(orders) > 1:
        raise cannot(sheets[0], "mixed_dates", "problem.two_orders", remedy="remedy.mixed_dates")
    if orders:
        return next(iter(orders))
    if unclear:
        sheet, header = unclear[0]
        said = ask(Message("proposal.ask_order", name=header), ("dmy", "mdy"))
        if said not in ("dmy", "mdy"):
            text, remedy = "problem.ambiguous_dates", "remedy.ambiguous_dates"
            raise cannot(sheet, "ambiguous_dates", text, header, remedy)
        return "mdy" if said == "mdy" else "dmy"
    return None


def recognise(sheet: Sheet, order: Order | None, ask: Ask) -> Read:
    """Make records of a table; a table of no known shape makes none, and it is said.

    Raises
    ------
    InputError
        Where the shape is known and what it needs is not there, or could be two things.
    """
    out = Read()
    sheet = _without_totals(sheet, pick(name_columns(sheet, order), "patient_id"), out)
    columns = name_columns(sheet, order)
    ids = _find_ids(sheet, columns, out)
    if ids is None:
        out.notes.append(Message("proposal.no_people", file=sheet.name))
        return out
    used = _build(sheet, columns, ids, order, ask, out)
    if not out.records:
        out.notes.append(Message("proposal.no_shape", file=sheet.name))
        return out
    for column in columns:
        if column.index in used or column.field == "patient_id":
            continue
        reason = {
            "identity": "proposal.identifies",
            "note": "proposal.free_text",
            "entered": "proposal.other_date",
        }.get(column.field, "proposal.not_used")
        # A name may be that of a person, or a day.
        telling = gate.check_header_cells(sheet.name, [column.header])
        name = "" if telling else column.header
        out.dropped.append((sheet.name, name or f"[{column.index + 1}]", reason))
    return out


def _without_totals(sheet: Sheet, person: Named | None, out: Read) -> Sheet:
    """Leave out rows of sums, and those with nothing but one cell."""

    def is_sum(row: Sequence[str]) -> bool:
        own = row[person.index] if person is not None else ""
        if own:
            return is_total(own)
        # Where no one is named, the word for a sum stands first.
        return sum(map(bool, row)) < len(row) / 2 and is_total(next((c for c in row if c), ""))

    kept = [i for i, row in enumerate(sheet.rows) if sum(map(bool, row)) > 1 and not is_sum(row)]
    if len(kept) < len(sheet.rows):
        n = len(sheet.rows) - len(kept)
        out.notes.append(Message("proposal.totals", file=sheet.name, n=n))
    return replace(
        sheet,
        rows=tuple(sheet.rows[i] for i in kept),
        lines=tuple(sheet.lines[i] for i in kept),
    )


def _find_ids(sheet: Sheet, columns: list[Named], out: Read) -> list[str] | None:
    person = pick(columns, "patient_id")
    if person is not None and not are_initials(person.found):
        return _fill_down(sheet, sheet.column(person.index), out)
    if sheet.form != "table":
        return sheet.column(sheet.header.index("patient"))
    rules = {c.index: {p.rule for p in gate.check_names("", [c.header])} for c in columns}
    names = [c for c in columns if rules[c.index] & {"name"} and c.found.filled]
    if sheet.tab and not names and person is None:
        return [sheet.tab] * len(sheet.rows)
    # Two people may share a name or initials, not the day of birth as well.
    births = [c for c in columns if c.field == "identity" and c.dates is not None]
    whole = [
        c
        for c in {c.index: c for c in (*names, *([person] if person else []), *births)}.values()
        if c.found.filled >= 0.95 * len(sheet.rows)
    ]
    if whole and all(are_initials(c.found) for c in whole):
        raise cannot(sheet, "initials", "problem.initials", whole[0].header)
    if whole:
        return ["|".join(row[c.index] for c in whole) for row in sheet.rows]
    return None


def _fill_down(sheet: Sheet, ids: list[str], out: Read) -> list[str]:
    """Repeat a code that stands in the first of its rows alone, as on a list made by hand."""
    written = [i for i in ids if i]
    blank = len(ids) - len(written)
    if not written or not ids[0] or len(set(written)) < len(written) or 2 * blank < len(ids):
        return ids
    out.notes.append(Message("proposal.filled_down", file=sheet.name, n=blank))
    filled, last = [], ""
    for own in ids:
        last = own or last
        filled.append(last)
    return filled


def _build(
    sheet: Sheet,
    columns: list[Named],
    ids: list[str],
    order: Order | None,
    ask: Ask,
    out: Read,
) -> set[int]:
    """Make the records of a table; returns the columns that were used."""
    once = len(set(ids)) == len(ids)
    dates = [c for c in columns if c.dates is not None and c.field != "identity"]
    grids = find_grids(sheet)
    if grids:
        records, used = read_grid(sheet, columns, ids, grids, order, ask)
        out.records.append(records)
        return used | add_people(sheet, columns, ids, out)
    pairs = find_pairs(columns)
    begin = _find_begin(columns)
    if pairs and once:
        records, used = read_pairs(sheet, columns, ids, pairs, ask)
        out.records.append(records)
        return used | add_people(sheet, columns, ids, out)
    if not dates and (rounds := find_rounds(columns)) is not None:
        records, used = read_rounds(sheet, columns, ids, rounds, ask)
        out.records.append(records)
        return used | add_people(sheet, columns, ids, out)
    if not dates:
        return add_people(sheet, columns, ids, out)
    care = pick(columns, "technique", "therapist", "headache_days_28")
    if begin is not None and care is None and pick(columns, "headache") is None:
        return read_attacks(sheet, columns, ids, begin, out, ask)
    daily = pick(columns, "headache", "intensity", "duration_hours", "acute_medication")
    if care is None and daily is None and once:
        return add_people(sheet, columns, ids, out)
    if once and care is None and pick(columns, "start_day", "diary_from") is not None:
        return add_people(sheet, columns, ids, out)
    if care is not None:
        used = read_sessions(sheet, columns, ids, out, ask)
    elif daily is not None:
        used = read_diary(sheet, columns, ids, out, ask)
    else:
        used = read_sessions(sheet, columns, ids, out, ask)
    return used | add_people(sheet, columns, ids, out)


def _find_begin(columns: list[Named]) -> Named | None:
    """Find the column of when attacks began: with a time of day, or beside an end."""
    begin = next((c for c in columns if c.field in ("begin", "start_day") and c.dates), None)
    end = next((c for c in columns if c.field == "end" and (c.dates or c.clock)), None)
    if begin is not None and (end is not None or has_times(begin)):
        return begin
    if begin is not None and pick(columns, "duration_hours", "intensity") is not None:
        return begin
    date = pick([c for c in columns if c.dates], "date", "date?")
    clocked = next((c for c in columns if c.clock and c.field in ("begin", "time")), None)
    if date is not None and clocked is not None and pick(columns, "headache") is None:
        return date
    if date is not None and has_times(date) and pick(columns, "duration_hours") is not None:
        return date
    return None
