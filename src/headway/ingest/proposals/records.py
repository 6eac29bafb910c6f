"""What a table of an export becomes: rows of one kind, and how each column is to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from headway.ingest.cells import SCALE
from headway.ingest.proposals.dates import Moment
from headway.ingest.proposals.later import Later
from headway.ingest.proposals.values import read_number, write_number

# The unit in which values of different tables are put side by side.
_BASE = {
    "days_per_28": "days_per_28",
    "days_per_month": "days_per_28",
    "nrs_0_10": "nrs_0_10",
    "vas_0_100": "nrs_0_10",
    "hours": "hours",
    "minutes": "hours",
    "days": "hours",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """How a column is read, as a line of clinic.yaml.

    `reasons` are messages; with a `doubt` the line is marked, and with `off` it is written as a
    comment: what is in doubt would change a number. `later` is how long after treatment a
    window's outcome was asked for, where that is said.
    """

    unit: str | None = None
    codes: Mapping[str, str | int] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    doubt: str = ""
    off: bool = False
    window: str = ""
    outcome: str = ""
    later: Later | None = None


@dataclass(slots=True)
class Records:
    """Rows of one kind.

    `days` are dates, or `offsets` days from the first treatment; `times` are further dates of a
    person (start_day, diary_from, diary_to).
    """

    kind: str
    source: str
    ids: list[str]
    lines: list[int]
    days: list[Moment | None] | None = None
    offsets: list[int | None] | None = None
    values: dict[str, list[str]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    times: dict[str, list[Moment | None]] = field(default_factory=dict)

    def put(self, column: str, cells: list[str], entry: Entry) -> None:
        """Add a column, unless there is one of the name."""
        if column not in self.values:
            self.values[column] = cells
            self.entries[column] = entry


def join(first: Records, second: Records) -> Records:
    """Put the rows of two tables of one kind below each other."""
    n, m = len(first.ids), len(second.ids)
    out = Records(first.kind, first.source, first.ids + second.ids, first.lines + second.lines)
    if first.days is not None or second.days is not None:
        out.days = (first.days or [None] * n) + (second.days or [None] * m)
    if first.offsets is not None or second.offsets is not None:
        out.offsets = (first.offsets or [None] * n) + (second.offsets or [None] * m)
    for name in dict.fromkeys([*first.times, *second.times]):
        out.times[name] = first.times.get(name, [None] * n) + second.times.get(name, [None] * m)
    for name in dict.fromkeys([*first.values, *second.values]):
        one, two = first.entries.get(name), second.entries.get(name)
        a, b = first.values.get(name, [""] * n), second.values.get(name, [""] * m)
        if one is None or two is None:
            out.put(name, a + b, one or two or Entry())
            continue
        if one.unit != two.unit:
            # Tables that hold one outcome in two units are brought to one.
            a, one = _rescale(a, one)
            b, two = _rescale(b, two)
        reasons = tuple(dict.fromkeys([*one.reasons, *two.reasons]))
        apart = one.later != two.later
        clash = any(one.codes.get(k, v) != v for k, v in two.codes.items())
        entry = replace(
            one,
            codes={**one.codes, **two.codes},
            reasons=reasons,
            doubt=one.doubt
            or two.doubt
            or ("proposal.doubt_two_codes" if clash else "proposal.doubt_times" if apart else ""),
            off=one.off or two.off or clash or apart,
        )
        out.put(name, a + b, entry)
    return out


def _rescale(cells: list[str], entry: Entry) -> tuple[list[str], Entry]:
    if entry.unit is None or entry.unit not in _BASE:
        return cells, entry
    factor = SCALE[entry.unit]
    numbers = [read_number(cell) for cell in cells]
    scaled = [
        cell if number is None else write_number(number * factor)
        for cell, number in zip(cells, numbers, strict=True)
    ]
    return scaled, replace(entry, unit=_BASE[entry.unit])
