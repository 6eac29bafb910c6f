"""Grids of a month or four weeks, a row for each person and period and a column for each day."""

from __future__ import annotations

import calendar
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from headway.ingest.proposals.columns import Named, pick
from headway.ingest.proposals.dates import Moment, Order, read_dates
from headway.ingest.proposals.measures import Ask, read_outcome
from headway.ingest.proposals.opening import Sheet
from headway.ingest.proposals.records import Entry, Records
from headway.ingest.proposals.shape_rows import cannot
from headway.ingest.proposals.values import profile, read_number
from headway.ingest.proposals.vocabulary import fold, is_word, list_fields, list_months
from headway.messages import Message

# So many columns of days make a grid.
_LEAST = 7
_DAY = re.compile(r"^(?P<name>\D*?)(?P<n>\d{1,2})$")
_WEEKS = r"(?:w|wk|weeks?|wochen?|wo|semanas?|sem)"
_BEFORE = r"(?:before|prior|pre|vor\w*|davor|antes|previ\w*|baseline|basal)"
_NUMBER_WORDS = {"four": 4, "vier": 4, "cuatro": 4, "eight": 8, "acht": 8, "ocho": 8}
Grid = Mapping[int, int]  # number or place of a day -> column
When = Moment | int | None


def find_grids(sheet: Sheet) -> dict[str, Grid]:
    """Find the columns of days: by what stands before their number, or by dates as names."""
    groups: dict[str, dict[int, int]] = {}
    for i, header in enumerate(sheet.header):
        found = _DAY.match(fold(header))
        if found and int(found["n"]) <= 31:
            groups.setdefault(found["name"].strip(), {}).setdefault(int(found["n"]), i)
    grids: dict[str, Grid] = {
        name: days for name, days in groups.items() if len(days) >= _LEAST and _runs(days)
    }
    if grids:
        return grids
    dates = read_dates(sheet.header)
    days = {i: i for i, header in enumerate(sheet.header) if header in dates.values}
    return {"date": days} if len(days) >= _LEAST else {}


def _runs(days: Grid) -> bool:
    return max(days) - min(days) + 1 == len(days)


def read_grid(
    sheet: Sheet,
    columns: list[Named],
    ids: list[str],
    grids: Mapping[str, Grid],
    order: Order | None,
    ask: Ask,
) -> tuple[Records, set[int]]:
    """Read grids as a row for each person and day; a blank cell is an unknown day.

    Raises
    ------
    InputError
        `which_days` where nothing says when a row began, `only_marks` where a blank may be a free
        day or an unknown one.
    """
    used = {i for days in grids.values() for i in days.values()}
    outer = [c for c in columns if c.index not in used]
    numbers = sorted({n for days in grids.values() for n in days})
    whens, when_used = _find_days(sheet, outer, numbers, "date" in grids, order)
    records = Records("diary", sheet.name, [], [])
    dated = isinstance(next((w for row in whens for w in row if w is not None), None), Moment)
    places = [
        (r, k) for r in range(len(ids)) for k in range(len(numbers)) if whens[r][k] is not None
    ]
    records.ids = [ids[r] for r, _ in places]
    records.lines = [sheet.lines[r] for r, _ in places]
    if dated:
        records.days = [_as_moment(whens[r][k]) for r, k in places]
    else:
        records.offsets = [_as_int(whens[r][k]) for r, k in places]
    for name, days in grids.items():
        cells = [sheet.rows[r][days[numbers[k]]] if numbers[k] in days else "" for r, k in places]
        _put(records, sheet, name, cells, ask)
    return records, used | when_used


def _as_moment(when: When) -> Moment | None:
    return when if isinstance(when, Moment) else None


def _as_int(when: When) -> int | None:
    return when if isinstance(when, int) else None


def _put(records: Records, sheet: Sheet, name: str, cells: list[str], ask: Ask) -> None:
    """Add a grid's cells: marks, yes and no, or a rating."""
    fields = [f for f in list_fields(name) if f in ("intensity", "duration_hours", "headache")]
    field = fields[0] if fields else ""
    found = profile(cells)
    rated = any(v > 1 for v in found.numbers.values()) and found.share_numbers() > 0.9
    if field in ("intensity", "duration_hours") or rated:
        field = field if field in ("intensity", "duration_hours") else _guess(sheet)
        column = Named(0, field, name, found)
        context = " ".join([name, *sheet.titles])
        plain, entry = read_outcome(column, field, cells, context, (), ask)
        if "0" not in plain:
            raise cannot(sheet, "only_marks", "problem.only_marks")
        records.put(field, plain, entry)
        made = ["" if not c else "0" if c == "0" else "1" for c in plain]
        records.put("headache", made, Entry(reasons=(Message("proposal.from_zero", what=field),)))
        return
    codes, doubt = _read_marks(sheet, cells)
    plain = [cell if cell in codes else "" for cell in cells]
    reasons = (Message("proposal.from_grid", name=name or "1"),)
    if set(codes) <= {"0", "1"}:
        codes = {}
    records.put("headache", plain, Entry(codes=codes, reasons=reasons, doubt=doubt))


def _guess(sheet: Sheet) -> str:
    """Tell what a grid of numbers holds by what stands above it: hours, else pain."""
    fields = [f for title in sheet.titles for f in list_fields(title)]
    return "duration_hours" if "duration_hours" in fields else "intensity"


def _read_marks(sheet: Sheet, cells: Sequence[str]) -> tuple[dict[str, str | int], str]:
    """Read marks as headache or none.

    Raises
    ------
    InputError
        `only_marks`, if no mark says that a day was free; `strange_marks`.
    """
    counts = Counter(c for c in cells if c)
    codes: dict[str, str | int] = {}
    signs = []
    strange = 0
    for cell, n in counts.items():
        if is_word(cell, "yes", "severity") or cell in ("+", "✓", "✔", "✗", "✘", "×", "●"):
            codes[cell] = 1
        elif is_word(cell, "no") or cell in ("○", "°"):
            codes[cell] = 0
        elif cell in ("-", "–", "—", "/", "."):
            signs.append(cell)
        elif not is_word(cell, "missing") and any(c.isalnum() for c in cell):
            strange += n
    doubt = ""
    if 0 not in codes.values() and len(signs) == 1:
        codes[signs[0]] = 0
        doubt = "proposal.doubt_sign"
    if 0 not in codes.values() or 1 not in codes.values():
        raise cannot(sheet, "only_marks", "problem.only_marks")
    if strange > 0.02 * sum(counts.values()):
        raise cannot(sheet, "strange_marks", "problem.strange_marks")
    return codes, doubt


def _find_days(
    sheet: Sheet, outer: list[Named], numbers: list[int], named: bool, order: Order | None
) -> tuple[list[list[When]], set[int]]:
    """Find the day of each cell: by dates as names, a date, a month or a period of the row."""
    if named:
        dates = read_dates(sheet.header, order)
        if dates.ambiguous:
            raise cannot(sheet, "ambiguous_dates", "problem.ambiguous_dates")
        row: list[When] = [dates.values[sheet.header[n]] for n in numbers]
        return [row for _ in sheet.rows], set()
    dated = [c for c in outer if c.dates is not None and c.field != "identity"]
    if len(dated) == 1:
        column = dated[0]
        assert column.dates is not None
        firsts = [column.dates.values.get(c) for c in sheet.column(column.index)]
        if numbers == list(range(1, 32)) and all(m is None or m.day.day == 1 for m in firsts):
            starts = [(m.day.year, m.day.month) if m else None for m in firsts]
            return [_month_days(m, numbers) for m in starts], {column.index}
        return [
            [Moment(m.day + timedelta(days=n - numbers[0])) if m else None for n in numbers]
            for m in firsts
        ], {column.index}
    months = _read_months(sheet, outer)
    if months is not None:
        found, months_used = months
        return [_month_days(m, numbers) for m in found], months_used
    return _read_periods(sheet, outer, numbers)


def _month_days(month: tuple[int, int] | None, numbers: list[int]) -> list[When]:
    if month is None:
        return [None] * len(numbers)
    last = calendar.monthrange(*month)[1]
    return [Moment(date(*month, n)) if 1 <= n <= last else None for n in numbers]


def _read_months(
    sheet: Sheet, outer: list[Named]
) -> tuple[list[tuple[int, int] | None], set[int]] | None:
    """Read a column such as 2023-04 or April 2023, a month beside a year, or the sheet's name."""
    if (month_of_tab := _read_month(sheet.tab)) is not None:
        return [month_of_tab] * len(sheet.rows), set()
    for column in outer:
        cells = sheet.column(column.index)
        read = {cell: _read_month(cell) for cell in column.found.cells}
        if column.found.filled and all(read.values()):
            return [read.get(cell) for cell in cells], {column.index}
    month = next((c for c in outer if "month" in list_fields(c.header)), None)
    year = next((c for c in outer if re.search(r"\b(year|jahr|ano)\b", fold(c.header))), None)
    if month is None or year is None:
        return None
    out: list[tuple[int, int] | None] = []
    for m, y in zip(sheet.column(month.index), sheet.column(year.index), strict=True):
        number = int(m) if m.isdigit() else list_months().get(fold(m), 0)
        known = y.isdigit() and 1900 < int(y) < 2200 and 1 <= number <= 12
        out.append((int(y), number) if known else None)
    return out, {month.index, year.index}


def _read_month(cell: str) -> tuple[int, int] | None:
    text = fold(cell)
    found = re.fullmatch(r"(\d{4}) (\d{1,2})", text) or re.fullmatch(r"(\d{1,2}) (\d{4})", text)
    if found:
        parts = sorted(map(int, found.groups()))
        return (parts[1], parts[0]) if 1 <= parts[0] <= 12 else None
    words = text.replace(" de ", " ").replace(" del ", " ").split()
    if len(words) == 2:
        name, year = words if words[1].isdigit() else words[::-1]
        month = list_months().get(name)
        if month and re.fullmatch(r"\d{4}|\d{2}", year):
            return (int(year) if len(year) == 4 else 2000 + int(year), month)
    return None


def _read_periods(
    sheet: Sheet, outer: list[Named], numbers: list[int]
) -> tuple[list[list[When]], set[int]]:
    """Read a column of periods counted from the first treatment: `4 weeks before`, `weeks 5-8`."""
    for column in [*filter(None, [pick(outer, "period")]), *outer]:
        if not column.found.filled or column.field in ("patient_id", "identity", "sex", "note"):
            continue
        firsts = {cell: read_period(cell, len(numbers)) for cell in column.found.cells}
        for cell in [c for c, first in firsts.items() if first is None]:
            # 1-4 below `Weeks`.
            firsts[cell] = read_period(f"{column.header} {cell}", len(numbers))
        days = "date" in list_fields(column.header) and column.found.share_numbers() == 1
        if days:
            firsts = {cell: _whole(read_number(cell)) for cell in column.found.cells}
        if all(first is not None for first in firsts.values()) and len(firsts) > 1:
            rows: list[list[When]] = []
            for cell in sheet.column(column.index):
                first = firsts.get(cell)
                rows.append([None if first is None else first + n - numbers[0] for n in numbers])
            return rows, {column.index}
    raise cannot(sheet, "which_days", "problem.which_days")


def _whole(number: float | None) -> int | None:
    return int(number) if number is not None and number.is_integer() else None


def read_period(text: str, days: int) -> int | None:
    """Read the first day of a period, counted from the first treatment; None if it is not told.

    `4 weeks before` is -28, `weeks 5-8` 28, `month 3` 56; `days` is how many a row holds.
    """
    minus = re.sub(r"(?<![\w])[-\u2212\u2013](?=\d)", "minus ", text)
    folded = fold(minus)
    for word, figure in _NUMBER_WORDS.items():
        folded = re.sub(rf"\b{word}\b", str(figure), folded)
    span = re.search(r"\b(minus )?(\d+) (?:(?:to|bis|a|hasta|y|and|und) )?(minus )?(\d+)\b", folded)
    before = re.search(rf"\b{_BEFORE}\b", folded)
    weeks = re.search(rf"\b{_WEEKS}\b", folded)
    if span and weeks:
        first, last = int(span[2]), int(span[4])
        if span[1] or before:
            first, last = max(first, last), min(first, last)
            return -7 * first if (first - last + 1) * 7 == days and last >= 1 else None
        fits = (last - first + 1) * 7 == days and first >= 1
        return (first - 1) * 7 if fits else None
    number = re.search(r"\b(\d+)\b", folded)
    if before:
        if number and weeks:
            return -7 * int(number[1]) if int(number[1]) * 7 % days == 0 else None
        return -days if days == 28 and not number else None
    months = re.search(r"\b(?:months?|monat|mes|block|period|periodo|periode|cycle)\b", folded)
    if number and months and days == 28 and "nach" not in folded and "after" not in folded:
        return (int(number[1]) - 1) * 28 if int(number[1]) >= 1 else None
    return None
