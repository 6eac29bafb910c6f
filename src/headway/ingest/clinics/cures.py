"""The line of clinic.yaml that would cure a loss, in the clinic's own names of columns.

What is proposed follows from the rule, from what the column may hold and from the shapes of its
cells. `…` stands for what only the clinic knows: its words.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from headway import tables
from headway.config.clinic import Column, WideColumn
from headway.config.schema import to_dict
from headway.ingest.cells import DRUGS, SCALE
from headway.ingest.clinics.casts import Cast, find_wide, rule_of_wide
from headway.ingest.clinics.contract import list_columns, row_level
from headway.ingest.clinics.shapes import Shape
from headway.messages import Message

if TYPE_CHECKING:
    from headway.config.clinic import ClinicFile

# Shapes of cells (`shapes`), by what they are.
_WAYS = {
    "date": re.compile(
        r"9{1,4}[-./ ]9{1,2}[-./ ]9{1,4}\.?( .*)?|9{1,2}[. -]+a{3,4}[. -]+9{2,4}|9999-99-99a.*"
    ),
    "comma": re.compile(r"[-+]?9+(\.999)*,9+"),
    "point": re.compile(r"[-+]?9+(,999)*\.9+"),
    "clock": re.compile(r"9{1,2}[:.]99(:99)?( ?a\.? ?a?\.?)?( aaa)?"),
    "length": re.compile(r"-?a?(9+([.,]9+)? ?a+\.?,? ?)+9*a?"),
    "words": re.compile(r".*a.*"),
}
_LENGTHS = ("duration_hours", "usual_duration_hours", "duration", "minutes", "retention_minutes")
_PLAIN = re.compile(r"[^\W\d][\w .()/-]*", flags=re.UNICODE)
# Rules of rows that have a remedy of their own.
_OF_ROWS = {
    "conflicting_duplicate": "remedy.rows_conflicting_duplicate",
    "shared_code": "remedy.rows_shared_code",
    "unknown_patient": "remedy.rows_unknown_patient",
    "diary_not_open": "remedy.rows_diary_not_open",
}
# Highest value that a column may hold -> the unit that may be meant where values lie above it.
_UNITS = {
    10: ("vas_0_100", "remedy.cure_vas_0_100"),
    24: ("minutes", "remedy.cure_minutes"),
    28: ("days_per_month", "remedy.cure_days_per_month"),
    89: ("months", "remedy.cure_months"),
    168: ("minutes", "remedy.cure_minutes"),
}


class Place(NamedTuple):
    """A column of a file: the cast files of its kind, the file's number, the name in the cast."""

    cast: Cast
    number: int
    canonical: str

    @property
    def spec(self) -> ClinicFile:
        """The file's entry in clinic.yaml."""
        return self.cast.stages[self.number].source.spec

    @property
    def own(self) -> str:
        """The clinic's own name of the column."""
        return self.cast.own[self.number].get(self.canonical, "")

    @property
    def wide(self) -> WideColumn | None:
        """Its entry under `wide:`, if it has one there."""
        return find_wide(self.spec, self.canonical)

    @property
    def rule(self) -> tables.Column:
        """What the column may hold."""
        if (wide := self.wide) is not None:
            return rule_of_wide(wide)
        if self.canonical == "window":
            return row_level("text", "Window", nullable=True)
        return list_columns(self.cast.kind)[self.canonical]


def write_line(place: Place, **changes: Any) -> str:
    """Write the entry of a column as a line of clinic.yaml, with what is changed in it.

    A value may be a list of pairs: a mapping in which `…` stands more than once.
    """
    if (wide := place.wide) is not None:
        return f"- {_write({**to_dict(wide), **changes})}"
    if place.canonical == "window":
        return f"window_from: {_write({'column': place.own} | changes)}"
    entry = place.spec.columns.get(place.canonical)
    parts = to_dict(entry) if isinstance(entry, Column) else {"column": place.own}
    kept = {key: value for key, value in (parts | changes).items() if value != {}}
    return f"{place.canonical}: {_write(kept)}"


def _write(value: Any) -> str:
    """Write a value in YAML, in one line; a list of pairs is a mapping."""
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, list):
        return "{" + ", ".join(f"{_write(k)}: {_write(v)}" for k, v in value) + "}"
    if not isinstance(value, str):
        return json.dumps(value)
    plain = _PLAIN.fullmatch(value) and value == value.strip() and yaml.safe_load(value) == value
    return value if plain else json.dumps(value, ensure_ascii=False)


def cure_column(place: Place, shapes: Sequence[Shape], dates: str | None) -> Message:
    """Name the line that would let the cells of a column be read.

    Parameters
    ----------
    place
        The column.
    shapes
        Of its unread cells, most common first.
    dates
        How dates in it are written, where the cells are dates.
    """
    rule, leading = place.rule, shapes[0].rule if shapes else "not_a_code"
    if leading == "spreadsheet_error":
        return Message("remedy.spreadsheet_error")
    if leading == "out_of_range":
        return _cure_range(place, shapes)
    way = _tell(shapes, rule)
    if dates is not None and place.canonical in ("day", "start_day"):
        line = _write({"column": place.own, "shifted": True, "format": dates})
        return Message("remedy.cure_dates", line=f"offset_from: {line}")
    if rule.kind == "text":
        return _cure_codes(place, rule)
    if way == "comma" and place.spec.decimal == ".":
        return Message("remedy.cure_decimal", line='decimal: ","')
    if way == "point" and place.spec.decimal == ",":
        return Message("remedy.cure_decimal", line='decimal: "."')
    if place.canonical in _LENGTHS and way in ("clock", "length", "words"):
        return Message("remedy.cure_length", line=write_line(place, unit="hours"))
    if way == "clock":
        return Message("remedy.cure_hours", line=write_line(place, unit="hours"))
    if way in ("words", "length", "signs") or leading == "not_a_code":
        return _cure_codes(place, rule)
    return Message("remedy.cure_none", line=_allow(place))


def _tell(shapes: Sequence[Shape], rule: tables.Column) -> str:
    """Tell what most cells are: the way of the shapes that has the most cells."""
    cells: dict[str, int] = {}
    for shape in shapes:
        if shape.rule == "out_of_range":
            continue
        way = next((w for w, p in _WAYS.items() if p.fullmatch(shape.text)), "other")
        way = "signs" if shape.text == "•" else way
        cells[way] = cells.get(way, 0) + shape.n
    return max(cells, key=lambda w: cells[w]) if cells else "other"


def _codes_of(place: Place) -> list[tuple[Any, Any]]:
    """List the codes that clinic.yaml has for a column."""
    if place.canonical == "window":
        named = place.spec.window_from
        return list(named.codes.items()) if named is not None else []
    entry = place.spec.columns.get(place.canonical)
    return list(entry.codes.items()) if isinstance(entry, Column) else []


def _cure_codes(place: Place, rule: tables.Column) -> Message:
    """Propose `codes:`; what stands there already is kept."""
    have, how = _codes_of(place), "remedy.cure_codes"
    more: list[tuple[Any, Any]]
    if place.canonical == "window":
        more, how = [("…", "baseline"), ("…", "post")], "remedy.cure_window"
    elif place.canonical in DRUGS:
        have = [pair for pair in have if pair[0] != "*"]
        more, how = [("…", 0), ("*", 1)], "remedy.cure_any_text"
    elif place.canonical == "currency":
        more, how = [("…", "EUR")], "remedy.cure_currency"
    elif rule.allowed:
        more = [("…", code) for code in rule.allowed]
    elif rule.kind == "text":
        return Message("remedy.cure_parts", line=write_line(place, list=","))
    else:
        ends = (int(rule.low or 0), int(rule.high or 1))
        more = [("…", end) for end in (reversed(ends) if ends == (0, 1) else ends)]
    return Message(how, line=write_line(place, codes=[*have, *more]))


def _cure_range(place: Place, shapes: Sequence[Shape]) -> Message:
    """Propose the unit in which the cells would lie in range."""
    rule, wide = place.rule, place.wide
    if (rule.low, rule.high) == (0, 1):
        return _cure_codes(place, rule)
    ends = [(s.low, s.high) for s in shapes if s.rule == "out_of_range"]
    low = min((low for low, _ in ends if low is not None), default=0.0)
    high = max((high for _, high in ends if high is not None), default=0.0)
    entry = place.spec.columns.get(place.canonical)
    declared = wide.unit if wide else entry.unit if isinstance(entry, Column) else None
    unit, how = _UNITS.get(int(rule.high or 0), ("", ""))
    # A month has up to 31 days, which are 28.5 of 28.
    fits = high * SCALE.get(unit, math.inf) <= 1.02 * (rule.high or 0)
    if fits and unit != declared and low >= (rule.low or 0):
        return Message(how, line=write_line(place, unit=unit))
    low_high = [("…" if end is None else end) for end in (rule.low, rule.high)]
    return Message("remedy.cure_range", ends=low_high, line=_allow(place))


def _allow(place: Place) -> str:
    """Write the line that lets a column lose more."""
    return write_line(place, loss=[("up_to", 0.5), ("reason", "…")])


def cure_rows(place: Place, rule: str, shapes: Sequence[Shape], dates: str | None) -> Message:
    """Name what would let the rows of a file be used, by the rule that took most of them."""
    if rule in ("too_many_columns", "missing_columns", "unquoted_value"):
        return Message("remedy.rows_quotes", line='delimiter: ";"')
    if rule == "missing_key":
        return Message("remedy.rows_key", line=f"{place.canonical}: {_write(place.own or '…')}")
    if rule in _OF_ROWS:
        return Message(_OF_ROWS[rule])
    if shapes:
        return cure_column(place, shapes, dates)
    return Message("remedy.rows_see", line='loss: {up_to: 0.5, reason: "…"}')
