"""Dates as people and programs write them -> days, with a time of day where there is one.

The order of day and month is told by the whole column, never by one cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from headway.ingest.proposals.vocabulary import fold, list_months
from headway.ingest.times import read_clock

Order = Literal["dmy", "mdy"]

_TIME = (
    r"(?:(?:\s*[T,;]\s*|\s+)(?:um |at |a las )?"
    r"(?P<time>\d{1,2}(?:[:.h]\d{2}.*|\s*(?:Uhr|h|[ap]\.?m\.?).*)))?"
)
_ISO = re.compile(rf"(?P<y>\d{{4}})[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}}){_TIME}", re.I)
_COMPACT = re.compile(rf"(?P<y>(?:19|20)\d\d)(?P<m>[01]\d)(?P<d>[0-3]\d){_TIME}", re.I)
_TWO = re.compile(
    rf"(?P<a>\d{{1,2}})(?P<s>[./-])\s?(?P<b>\d{{1,2}})[./-]\s?(?P<y>\d{{4}}|\d{{2}}){_TIME}", re.I
)
_NAMED = re.compile(
    r"(?P<d>\d{1,2})(?:\.|st|nd|rd|th)?[\s-]*(?:de |of )?"
    r"(?P<m>[^\W\d_]{3,})\.?,?[\s-]*(?:de |del )?"
    rf"(?P<y>\d{{4}}|\d{{2}}){_TIME}",
    re.I,
)
_NAMED_FIRST = re.compile(
    rf"(?P<m>[^\W\d_]{{3,}})\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}}){_TIME}", re.I
)
_WEEKDAY = re.compile(
    r"^(?:mo|di|mi|do|fr|sa|so|mon|tue|wed|thu|fri|sat|sun|lun|mar|mie|jue|vie|sab|dom|montag|"
    r"dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag|(?:mon|tues|wednes|thurs|fri|"
    r"satur|sun)day|lunes|martes|mi[eé]rcoles|jueves|viernes|s[aá]bado|domingo)\b[.,]*\s*",
    re.I,
)
_SERIAL = re.compile(r"[2-5]\d{4}(?:\.\d+)?")
_EPOCH = date(1899, 12, 30)


@dataclass(frozen=True, slots=True)
class Moment:
    """A day, and the hours since midnight where a time of day was written."""

    day: date
    hour: float | None = None


@dataclass(frozen=True, slots=True)
class Dates:
    """The dates of a column.

    `order` is None where no date has two numbers that could be a month, or where both orders fit
    (`ambiguous`); `mixed` where some cells have it one way and some the other.
    """

    values: Mapping[str, Moment]
    order: Order | None
    ambiguous: bool
    mixed: bool


def read_dates(cells: Iterable[str], order: Order | None = None, *, serial: bool = False) -> Dates:
    """Read the different cells of a column; what is no date is left out.

    Parameters
    ----------
    cells
        Different texts.
    order
        Of day and month where the column itself does not tell.
    serial
        Whether the serial numbers of a spreadsheet are dates here.
    """
    parts = {cell: _cut_weekday(cell.strip()) for cell in cells if cell}
    two = {cell: found for cell, text in parts.items() if (found := _TWO.fullmatch(text))}
    first = any(int(f["a"]) > 12 >= int(f["b"]) for f in two.values())
    second = any(int(f["b"]) > 12 >= int(f["a"]) for f in two.values())
    dotted = bool(two) and all(f["s"] == "." for f in two.values())
    told: Order | None = "dmy" if first or (dotted and not second) else "mdy" if second else None
    ambiguous = bool(two) and told is None and order is None
    values: dict[str, Moment] = {}
    for cell, text in parts.items():
        moment = None
        if cell in two:
            moment = _read_two(two[cell], told or order)
        else:
            for pattern in (_ISO, _COMPACT, _NAMED, _NAMED_FIRST):
                if found := pattern.fullmatch(text):
                    moment = _make(found["y"], found["m"], found["d"], found["time"])
                    break
            if moment is None and serial and _SERIAL.fullmatch(text):
                number = float(text)
                day = _EPOCH + timedelta(days=int(number))
                moment = Moment(day, (number % 1) * 24 if number % 1 else None)
        if moment is not None:
            values[cell] = moment
    mixed = first and second
    if ambiguous or mixed:
        # Dates all the same: which way round they are is for somebody to say.
        both = {cell: _read_two(f, "dmy") or _read_two(f, "mdy") for cell, f in two.items()}
        values |= {cell: moment for cell, moment in both.items() if moment is not None}
    return Dates(values, told or order if two else None, ambiguous, mixed)


def _cut_weekday(text: str) -> str:
    """Take the day of the week off a date; `Mar 5, 2023` begins with a month."""
    return text if _NAMED_FIRST.fullmatch(text) else _WEEKDAY.sub("", text)


def _read_two(found: re.Match[str], order: Order | None) -> Moment | None:
    day, month = ("a", "b") if order != "mdy" else ("b", "a")
    return _make(found["y"], found[month], found[day], found["time"])


def _make(year: str, month: str, day: str, time: str | None) -> Moment | None:
    number = int(month) if month.isdigit() else list_months().get(fold(month), 0)
    full = int(year) + (2000 if int(year) < 70 else 1900) if len(year) == 2 else int(year)
    try:
        when = date(full, number, int(day))
    except ValueError:
        return None
    hour = None
    if time:
        clock = re.sub(r"(?:\s*Z|[+-]\d\d:?\d\d)$", "", time.strip())
        hour = read_clock(clock)
        if hour is None:
            return None
    return Moment(when, hour)
