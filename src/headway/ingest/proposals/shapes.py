"""The shape of an exported table, and its rows as records of one or two kinds.

Session log, day diary, attack log, list of patients, columns before and after; month grids are in
`grids`, exports of REDCap are parted in `redcap_forms` first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from headway.errors import InputError, Problem
from headway.ingest import gate
from headway.ingest.adapters import redcap
from headway.ingest.proposals.codes import (
    read_condition,
    read_drugs,
    read_sex,
    read_techniques,
    read_yes_no,
)
from headway.ingest.proposals.columns import Named, are_initials, is_total, name_columns, pick
from headway.ingest.proposals.dates import Moment, Order
from headway.ingest.proposals.grids import find_grids, read_grid
from headway.ingest.proposals.measures import Ask, list_proven, read_outcome
from headway.ingest.proposals.opening import Sheet
from headway.ingest.proposals.records import Entry, Records
from headway.ingest.proposals.values import is_missing
from headway.ingest.proposals.vocabulary import find_unit, fold, is_word, list_fields
from headway.ingest.proposals.windows import find_pairs, find_rounds, read_pairs, read_rounds
from headway.ingest.times import read_clock
from headway.messages import Message

# Names of outcomes in sessions.
_RECALL = {
    "headache_days_28": "headache_days_28",
    "intensity": "usual_intensity",
    "duration_hours": "usual_duration_hours",
}
_DIARY = {"intensity": "intensity", "duration_hours": "duration_hours"}
_OF_PEOPLE = ("sex", "age", "condition", "start_day", "diary_from", "diary_to")


@dataclass(slots=True)
class Read:
    """What was made of the tables: records, and what was not taken with its reason."""

    records: list[Records] = field(default_factory=list)
    dropped: list[tuple[str, str, str]] = field(default_factory=list)  # file, column, reason
    notes: list[str] = field(default_factory=list)


def find_order(sheets: Sequence[Sheet], ask: Ask) -> Order | None:
    """Tell the order of day and month from the columns of all tables that show it.

    Raises
    ------
    InputError
        `mixed_dates` if columns, or cells of one, have it both ways.
    """
    orders: Counter[Order] = Counter()
    unclear: list[tuple[str, str]] = []
    for sheet in sheets:
        for column in name_columns(sheet):
            if column.dates is None:
                continue
            if column.dates.mixed:
                raise _cannot(sheet, "mixed_dates", "problem.mixed_order", column.header)
            if column.dates.order is not None:
                orders[column.dates.order] += 1
            if column.dates.ambiguous and column.field != "identity":
                unclear.append((sheet.name, column.header))
    if len(orders) > 1:
        raise InputError(
            "failure.new_clinic",
            [
                Problem(
                    sheets[0].name,
                    "mixed_dates",
                    "problem.two_orders",
                    remedy="remedy.mixed_dates",
                )
            ],
        )
    if orders:
        return next(iter(orders))
    if unclear:
        said = ask(Message("proposal.ask_order", name=unclear[0][1]), ("dmy", "mdy"))
        if said not in ("dmy", "mdy"):
            name, header = unclear[0]
            raise InputError(
                "failure.new_clinic",
                [
                    Problem(
                        name,
                        "ambiguous_dates",
                        "problem.ambiguous_dates",
                        column=header,
                        remedy="remedy.ambiguous_dates",
                    )
                ],
            )
        return "mdy" if said == "mdy" else "dmy"
    return None


def _cannot(sheet: Sheet, rule: str, message: str, column: str = "") -> InputError:
    return InputError(
        "failure.new_clinic",
        [Problem(sheet.name, rule, message, column=column, remedy="remedy.new_clinic")],
    )


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
        raise _cannot(sheet, "initials", "problem.initials", whole[0].header)
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
        return used | _add_people(sheet, columns, ids, out, ask)
    pairs = find_pairs(columns)
    begin = _find_begin(columns)
    if pairs and once:
        records, used = read_pairs(sheet, columns, ids, pairs, ask)
        out.records.append(records)
        return used | _add_people(sheet, columns, ids, out, ask)
    if not dates and (rounds := find_rounds(columns)) is not None:
        records, used = read_rounds(sheet, columns, ids, rounds, ask)
        out.records.append(records)
        return used | _add_people(sheet, columns, ids, out, ask)
    if not dates:
        return _add_people(sheet, columns, ids, out, ask)
    care = pick(columns, "technique", "therapist", "headache_days_28")
    if begin is not None and care is None and pick(columns, "headache") is None:
        return _read_attacks(sheet, columns, ids, begin, out, ask)
    daily = pick(columns, "headache", "intensity", "duration_hours", "acute_medication")
    if care is None and daily is None and once:
        return _add_people(sheet, columns, ids, out, ask)
    if once and care is None and pick(columns, "start_day", "diary_from") is not None:
        return _add_people(sheet, columns, ids, out, ask)
    if care is not None:
        used = _read_sessions(sheet, columns, ids, out, ask)
    elif daily is not None:
        used = _read_diary(sheet, columns, ids, out, ask)
    else:
        used = _read_sessions(sheet, columns, ids, out, ask)
    return used | _add_people(sheet, columns, ids, out, ask)


def _find_begin(columns: list[Named]) -> Named | None:
    """Find the column of when attacks began: with a time of day, or beside an end."""
    begin = next((c for c in columns if c.field in ("begin", "start_day") and c.dates), None)
    end = next((c for c in columns if c.field == "end" and (c.dates or c.clock)), None)
    if begin is not None and (end is not None or _has_times(begin)):
        return begin
    if begin is not None and pick(columns, "duration_hours", "intensity") is not None:
        return begin
    date = pick([c for c in columns if c.dates], "date", "date?")
    clocked = next((c for c in columns if c.clock and c.field in ("begin", "time")), None)
    if date is not None and clocked is not None and pick(columns, "headache") is None:
        return date
    if date is not None and _has_times(date) and pick(columns, "duration_hours") is not None:
        return date
    return None


def _has_times(column: Named) -> bool:
    assert column.dates is not None
    return any(m.hour is not None for m in column.dates.values.values())


def _moments(sheet: Sheet, column: Named) -> list[Moment | None]:
    assert column.dates is not None
    return [column.dates.values.get(cell) for cell in sheet.column(column.index)]


def _choose_date(sheet: Sheet, columns: list[Named], ask: Ask) -> Named:
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
            raise _cannot(sheet, "which_date", "problem.which_date", found[0].header)
    raise _cannot(sheet, "no_date", "problem.no_date")


def _start(sheet: Sheet, kind: str, ids: list[str]) -> Records:
    return Records(kind, sheet.name, ids, list(sheet.lines))


def context_of(sheet: Sheet, column: Named) -> str:
    """Join the name of a column with what stands above its table."""
    return " ".join([sheet.describe(column.index), *sheet.titles])


def _put_outcomes(
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


# At visits the usual pain is asked for, in a diary the worst of the day.
_USUAL = re.compile(
    r"\b(usual|typical|average|avg|mean|ublich\w*|durchschnitt\w*|mittl\w*|habitual|medi[ao])\b"
)
_WORST = re.compile(r"\b(worst|max\w*|peak|starkst\w*|schlimmst\w*|peor|maxim[ao])\b")
_OF_NOW = re.compile(
    r"\b(today|now|current|at (the )?visit|before|after|heute|aktuell\w*|jetzt|momentan|vor|nach|"
    r"vorher|nachher|hoy|ahora|actual|antes|despues)\b(?! (4|28|vier|four|cuatro))"
)


def _prefer(found: list[Named], kind: str) -> list[Named]:
    """Keep the columns that say that they are the one of several that is asked for."""
    if len(found) < 2:
        return found
    pattern = _USUAL if kind == "sessions" else _WORST
    return [c for c in found if pattern.search(fold(c.header))] or found


def _read_sessions(
    sheet: Sheet, columns: list[Named], ids: list[str], out: Read, ask: Ask
) -> set[int]:
    sheet, ids = _without_missed(sheet, columns, ids, out)
    records = _start(sheet, "sessions", ids)
    day = _choose_date(sheet, columns, ask)
    records.days = _moments(sheet, day)
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
    used |= _put_outcomes(records, sheet, columns, {"minutes": "minutes"} | _RECALL, ask)
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
                raise _cannot(sheet, "first_visit", "problem.first_visit", technique.header)


def _read_diary(
    sheet: Sheet, columns: list[Named], ids: list[str], out: Read, ask: Ask
) -> set[int]:
    records = _start(sheet, "diary", ids)
    clocks = [c for c in columns if c.clock and c.field in ("begin", "end")]
    day = _choose_date(sheet, columns, ask)
    records.days = _moments(sheet, day)
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
        answers = {c for c in plain if c}
        if not entry.off and len(answers) == 1:
            raise _cannot(sheet, "only_headache_days", "problem.only_headache", headache.header)
    used |= _put_outcomes(records, sheet, columns, _DIARY, ask)
    if headache is None:
        _infer_headache(sheet, records)
    if "duration_hours" not in records.values and len(clocks) == 2:
        _measure_clocks(sheet, records, clocks)
        used |= {c.index for c in clocks}
    used |= _put_drugs(records, sheet, columns)
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
        raise _cannot(sheet, "no_free_days", "problem.no_free_days")
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


def _put_drugs(records: Records, sheet: Sheet, columns: list[Named]) -> set[int]:
    drug = pick(columns, "acute_medication")
    if drug is None:
        return set()
    plain, entry = read_drugs(drug, sheet.column(drug.index))
    records.put("acute_medication", plain, entry)
    return {drug.index}


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


def _read_attacks(
    sheet: Sheet, columns: list[Named], ids: list[str], begin: Named, out: Read, ask: Ask
) -> set[int]:
    records = _start(sheet, "attacks", ids)
    starts = _moments(sheet, begin)
    used = {begin.index}
    clock = next((c for c in columns if c.clock and c.field in ("begin", "time")), None)
    hours = [m.hour if m else None for m in starts]
    if not _has_times(begin) and clock is not None:
        hours = [read_clock(c) for c in sheet.column(clock.index)]
        used.add(clock.index)
    records.days = starts
    if any(h is not None for h in hours):
        texts = [_write_clock(h) for h in hours]
        reason = Message("proposal.from_column", name=(clock or begin).header)
        records.put("start_hour", texts, Entry(reasons=(reason,)))
    used |= _put_length(sheet, columns, records, starts, hours)
    used |= _put_outcomes(records, sheet, columns, _DIARY, ask)
    used |= _put_drugs(records, sheet, columns)
    out.records.append(records)
    return used


def _write_clock(hour: float | None) -> str:
    if hour is None:
        return ""
    minutes = round(hour * 60)
    return f"{minutes // 60}:{minutes % 60:02d}"


def _put_length(
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
    days = _moments(sheet, dated) if dated else [None] * len(starts)
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


def _add_people(
    sheet: Sheet, columns: list[Named], ids: list[str], out: Read, ask: Ask
) -> set[int]:
    """Add what a table says of people: sex, age, condition, when treatment and diary began."""
    found = [c for c in columns if c.field in _OF_PEOPLE and c.found.filled]
    taken = {r.kind for r in out.records}
    if taken:
        found = [c for c in found if c.field in ("sex", "age", "condition")]
    if not found:
        return set()
    records = _start(sheet, "patients", ids)
    used = set()
    for column in found:
        cells = sheet.column(column.index)
        reason = Message("proposal.from_column", name=column.header)
        if column.dates is not None:
            records.times.setdefault(column.field, _moments(sheet, column))
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
