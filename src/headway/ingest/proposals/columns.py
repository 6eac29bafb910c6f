"""What each column of an exported table holds, by its name and its cells."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from headway.ingest import gate
from headway.ingest.proposals.dates import Dates, Order, read_dates
from headway.ingest.proposals.opening import Sheet
from headway.ingest.proposals.values import Profile, profile
from headway.ingest.proposals.vocabulary import fold, is_word, list_fields
from headway.ingest.times import read_clock

# Fields that hold dates, in the order in which a name is taken for one of them.
DATES = ("entered", "diary_from", "diary_to", "start_day", "end", "begin", "date")
_MOSTLY = 0.8
_INITIALS = re.compile(r"(?:[^\W\d_]\.? ?-?){1,3}\.?")
# A date of birth lies this many years before the rest of the records.
_GENERATION = 8


@dataclass(frozen=True, slots=True)
class Named:
    """A column, the field that it holds (empty if unknown), and what its cells are."""

    index: int
    field: str
    header: str
    found: Profile
    dates: Dates | None = None
    clock: bool = False


def name_columns(sheet: Sheet, order: Order | None = None) -> list[Named]:
    """Tell the field of every column of a table; `identity` and `note` are never used.

    Parameters
    ----------
    sheet
        The table.
    order
        Of day and month, where a column does not tell its own.
    """
    out = []
    for i, header in enumerate(sheet.header):
        found = profile(sheet.column(i))
        said = sheet.describe(i)
        serial = bool({*DATES} & {*list_fields(said)})
        dates = read_dates(found.cells, order, serial=serial)
        dated = found.filled > 0 and found.share(dates.values) >= _MOSTLY
        clock = not dated and found.share(c for c in found.cells if _is_clock(c)) >= _MOSTLY
        name = _choose(sheet, header, said, found, dated, clock)
        out.append(Named(i, name, header, found, dates if dated else None, clock))
    out = _mark_births(out)
    return _choose_person(sheet, out)


def _is_clock(text: str) -> bool:
    hour = read_clock(text)
    return (hour is not None and ":" in text) or ("uhr" in text.lower() and hour is not None)


def _choose(sheet: Sheet, header: str, said: str, found: Profile, dated: bool, clock: bool) -> str:
    fields = list_fields(said)
    rules = {problem.rule for problem in gate.check_names(sheet.name, [header])}
    own = "patient_id" in fields and rules <= {"record_number"}
    if rules and not own:
        return "identity"
    if not found.filled:
        return ""
    if dated:
        return next((f for f in DATES if f in fields), "date?")
    if clock:
        times = ("end", "begin", "duration_hours", "time")
        return next((f for f in times if f in fields), "")
    if "note" in fields:
        return "note"
    if own and fields[0] == "patient_id":
        return "patient_id"
    return next((f for f in fields if f not in DATES and _fits(f, found)), "patient_id" * own)


def _fits(field: str, found: Profile) -> bool:
    """Tell whether cells may be those of a field."""
    numbers = found.share_numbers()
    if field in ("headache_days_28", "migraine_days", "minutes", "instrument_hit6"):
        return numbers >= 0.7
    if field == "duration_hours":
        return max(numbers, found.share_hours()) >= 0.7
    if field == "intensity":
        return numbers >= 0.7 or found.share_words("severity", "no") >= 0.7
    if field == "headache":
        return found.share_words("yes", "no", "severity") >= 0.8
    if field == "sex":
        return found.share_words("male", "female", "other_sex") >= 0.8
    if field == "age":
        return numbers >= 0.8
    if field == "technique":
        return len(found.cells) <= 60 or found.filled > 10 * len(found.cells)
    return True


def _mark_births(columns: list[Named]) -> list[Named]:
    """Take columns of dates that lie a generation before the others for dates of birth."""
    middles = {}
    for column in columns:
        if column.dates is not None and column.field != "identity":
            years = sorted(m.day.year for m in column.dates.values.values())
            middles[column.index] = years[len(years) // 2]
    latest = max(middles.values(), default=0)
    births = {
        i
        for i, year in middles.items()
        if year < latest - _GENERATION or (len(middles) == 1 and year < 1990)
    }
    return [
        Named(c.index, "identity", c.header, c.found, c.dates) if c.index in births else c
        for c in columns
    ]


def _choose_person(sheet: Sheet, columns: list[Named]) -> list[Named]:
    """Leave one column that says whose a row is; others that could be it are not used."""
    could = [c for c in columns if c.field == "patient_id" and not _is_serial(sheet, c)]
    best = max(
        could,
        key=lambda c: (
            len(c.found.cells) < len(sheet.rows),
            _says_person(c.header) and not are_initials(c.found),
            len(c.found.cells),
            -c.index,
        ),
        default=None,
    )
    if best is None:
        return columns
    return [
        Named(c.index, "identity", c.header, c.found)
        if c.field == "patient_id" and c.index != best.index
        else c
        for c in columns
    ]


def are_initials(found: Profile) -> bool:
    """Tell a column of initials, which two people may share."""
    return found.share(c for c in found.cells if _INITIALS.fullmatch(c)) >= 0.8


def _says_person(header: str) -> bool:
    words = (
        "pat",
        "user",
        "member",
        "subject",
        "paciente",
        "person",
        "proband",
        "record",
        "client",
    )
    text = fold(header)
    return any(word in text for word in words)


def _is_serial(sheet: Sheet, column: Named) -> bool:
    """Tell a column that numbers the rows of a table of several people's rows."""
    cells = [c for c in sheet.column(column.index) if c]
    counted = cells[:3] in (["1", "2", "3"], ["0", "1", "2"])
    if not counted or len(set(cells)) < len(cells) or len(cells) < 3:
        return False
    return any(
        "patient_id" in list_fields(h) and i != column.index for i, h in enumerate(sheet.header)
    )


def pick(columns: Collection[Named], *fields: str) -> Named | None:
    """Take the first column that holds one of some fields."""
    return next((c for f in fields for c in columns if c.field == f), None)


def is_total(text: str) -> bool:
    """Tell whether the cell of a person's code says that a row is a sum."""
    return is_word(text, "total")
