"""The unit of an outcome, by the name of its column and its cells; in doubt it is left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from headway.ingest.proposals.columns import Named
from headway.ingest.proposals.records import Entry
from headway.ingest.proposals.values import (
    MARKERS,
    UNREAD,
    Range,
    find_range,
    is_missing,
    read_number,
    write_number,
)
from headway.ingest.proposals.vocabulary import find_recall, find_unit
from headway.ingest.times import read_hours
from headway.messages import Message

# Asks somebody: the question, and what may be answered; None where nobody answers.
Ask = Callable[[str, Sequence[str]], str | None]

_MOST = {"headache_days_28": 31.0, "intensity": 100.0, "duration_hours": 168.0, "minutes": 600.0}
# So many cells show the scale of a rating.
_ENOUGH = 12


def list_proven(columns: Iterable[Named]) -> set[float]:
    """List the markers of missing answers that some outcome of a table can only mean so."""
    proven: set[float] = set()
    for column in columns:
        if column.field in _MOST:
            proven |= {*find_range(column.found, _MOST[column.field]).markers}
    return proven


def read_outcome(
    column: Named, field: str, cells: Sequence[str], context: str, proven: Iterable[float], ask: Ask
) -> tuple[list[str], Entry]:
    """Read a column of one outcome: its cells as plain numbers, and its line of clinic.yaml.

    Parameters
    ----------
    column
        The column.
    field
        `headache_days_28`, `intensity`, `duration_hours`, `minutes` or `score`.
    cells
        Its cells, row by row.
    context
        The column's name, and what stands above the table.
    proven
        Markers of missing answers elsewhere in the table.
    ask
        Where neither name nor cells say the unit.
    """
    most = _MOST.get(field, 1000.0)
    if field == "duration_hours" and column.found.share_hours() > column.found.share_numbers():
        entry = Entry(reasons=(_from(column), "proposal.unit_in_cells"))
        return [_tidy_length(c) for c in cells], entry
    seen = find_range(column.found, most, proven)
    entry = _DECIDE.get(field, _decide_score)(column, context, seen)
    if seen.doubtful:
        entry = replace(entry, doubt="proposal.doubt_marker", off=True)
    if entry.off and entry.unit is None:
        entry = _ask_unit(column, field, entry, ask)
    reasons = entry.reasons
    if seen.markers:
        shown = [write_number(v) for v in seen.markers]
        reasons = (*reasons, Message("proposal.markers", markers=shown))
    factor = _FACTORS.get(entry.unit or "", 1.0)
    unit = None if entry.unit in _FACTORS else entry.unit
    plain = [_write(c, seen.markers, factor) for c in cells]
    return plain, replace(entry, unit=unit, reasons=reasons)


# What clinic.yaml has no unit for becomes days per 28 on the way.
_FACTORS = {"days_30": 28 / 30, "days_per_week": 4.0}
_CHOICES = {
    "headache_days_28": ("days_per_28", "days_per_month"),
    "intensity": ("nrs_0_10", "vas_0_100"),
    "duration_hours": ("hours", "minutes"),
}


def _from(column: Named) -> Message:
    return Message("proposal.from_column", name=column.header)


def _write(cell: str, markers: Sequence[float], factor: float) -> str:
    number = read_number(cell)
    if number is None:
        return "" if is_missing(cell) else UNREAD
    return "" if number in markers else write_number(number * factor)


def _tidy_length(cell: str) -> str:
    number = read_number(cell)
    if read_hours(cell) is not None or (number is not None and number not in MARKERS):
        return cell
    return "" if number is not None or is_missing(cell) else UNREAD


def _decide_days(column: Named, context: str, seen: Range) -> Entry:
    found = find_recall(column.header, ("days_per_28", "days_30", "other_days", "days_per_month"))
    found = found or find_recall(column.header, ("days_per_week",))
    where = "proposal.unit_named"
    if found is None:
        found = find_recall(context, ("days_per_28", "days_30", "other_days", "days_per_month"))
        where = "proposal.unit_above"
    if found == "other_days" or found is None:
        said = "proposal.doubt_days" if found is None else "proposal.doubt_other_days"
        return Entry(reasons=(_from(column),), doubt=said, off=True)
    limit = {"days_per_28": 28, "days_30": 30, "days_per_month": 31, "days_per_week": 7}[found]
    if seen.high > limit:
        return Entry(reasons=(_from(column),), doubt="proposal.doubt_days_high", off=True)
    return Entry(unit=found, reasons=(_from(column), where))


def _decide_pain(column: Named, context: str, seen: Range) -> Entry:
    named = find_unit(column.header, ("vas_0_100", "nrs_0_10"))
    tens = sum(
        column.found.cells[c]
        for c, v in column.found.numbers.items()
        if v <= 10 and v not in seen.markers
    )
    reason = _from(column)
    if column.found.share_numbers() < 0.7:
        return Entry(reasons=(reason,), doubt="proposal.doubt_words", off=True)
    if seen.high > 100 or seen.n == 0:
        return Entry(reasons=(reason,), doubt="proposal.doubt_scale", off=True)
    few_above = seen.n - tens <= 0.02 * seen.n
    if named == "nrs_0_10" or (named is None and seen.high <= 10):
        if not few_above:
            return Entry(reasons=(reason,), doubt="proposal.doubt_scale", off=True)
        if named is None and (seen.n < _ENOUGH or seen.high <= 5):
            return Entry(reasons=(reason,), doubt="proposal.doubt_scale", off=True)
        said = "proposal.unit_named" if named else "proposal.unit_by_cells"
        return Entry(unit="nrs_0_10", reasons=(reason, said))
    if seen.high <= 10 and seen.n >= _ENOUGH:
        return Entry(reasons=(reason,), doubt="proposal.doubt_scale", off=True)
    if named is None and tens > 0.5 * seen.n:
        return Entry(reasons=(reason,), doubt="proposal.doubt_scale", off=True)
    said = "proposal.unit_named" if named else "proposal.unit_by_cells"
    return Entry(unit="vas_0_100", reasons=(reason, said))


def _decide_length(column: Named, context: str, seen: Range) -> Entry:
    reason = _from(column)
    named = find_unit(column.header, ("minutes", "hours", "days"))
    if named == "days" and find_unit(column.header, ("hours",)):
        named = "hours"
    if named:
        # A headache of 300 hours is one of minutes, whatever the name says.
        if (named == "hours" and seen.middle > 72) or (named == "minutes" and seen.high < 15):
            return Entry(reasons=(reason,), doubt="proposal.doubt_length", off=True)
        return Entry(unit=named, reasons=(reason, "proposal.unit_named"))
    if seen.n >= _ENOUGH and seen.middle <= 24 and seen.high <= 72 and seen.fractions:
        return Entry(unit="hours", reasons=(reason, "proposal.unit_by_cells"))
    if seen.n >= _ENOUGH and seen.middle >= 60 and seen.high > 168:
        return Entry(unit="minutes", reasons=(reason, "proposal.unit_by_cells"))
    return Entry(reasons=(reason,), doubt="proposal.doubt_length", off=True)


def _decide_minutes(column: Named, context: str, seen: Range) -> Entry:
    named = find_unit(column.header, ("minutes", "hours"))
    if named == "hours":
        return Entry(unit="hours", reasons=(_from(column), "proposal.unit_named"))
    if named == "minutes" or (seen.n >= _ENOUGH and 15 <= seen.middle <= 180):
        return Entry(reasons=(_from(column),))
    return Entry(reasons=(_from(column),), doubt="proposal.doubt_length", off=True)


def _decide_score(column: Named, context: str, seen: Range) -> Entry:
    return Entry(reasons=(_from(column),), off=math.isnan(seen.high))


_DECIDE = {
    "headache_days_28": _decide_days,
    "intensity": _decide_pain,
    "duration_hours": _decide_length,
    "minutes": _decide_minutes,
}


def _ask_unit(column: Named, field: str, entry: Entry, ask: Ask) -> Entry:
    """Let somebody say the unit; else the line stays off."""
    choices = _CHOICES.get(field)
    if not choices or entry.doubt in ("proposal.doubt_words", "proposal.doubt_marker"):
        return entry
    said = ask(Message("proposal.ask_unit", name=column.header), choices)
    if said is None:
        return entry
    return Entry(unit=said, reasons=(_from(column), "proposal.told"))
