"""Cast a clinic's cells into canonical columns: SQL for each value and the rule that it breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headway import tables
from headway.config.clinic import ClinicFile, Column, WideColumn
from headway.errors import Problem
from headway.ingest.adapters import redcap
from headway.ingest.adapters.fhir import write_code
from headway.ingest.cells import (
    ISO,
    SQL_TYPE,
    Codes,
    Reading,
    band_sql,
    cell_sql,
    cell_text,
    check_ticked,
    date_sql,
    literal,
    markers_of,
    number_sql,
    own_column,
    read_cell,
    ticked_sql,
)
from headway.ingest.clinics.contract import list_columns, row_level
from headway.ingest.clinics.selectors import selected_sql
from headway.ingest.open.names import NUMBER
from headway.ingest.open.sources import Source
from headway.ingest.open.staging import Part, Stage
from headway.messages import Message

if TYPE_CHECKING:
    import duckdb


_RANGE: dict[str, tuple[float, float]] = {
    "frequency": (0, 28),
    "intensity": (0, 10),
    "duration": (0, 24),
}
# What is known of a column: a reading, or its value and the rule that it breaks.
Told = Reading | tuple[str, str]
# More rows are cast whenever they are asked for, and not kept.
_KEPT_ROWS = 500_000
# More than the rows of a file.
ROWS = 1 << 40


@dataclass(slots=True)
class Cast:
    """The files of one kind, cast: columns v_<name> and q_<name> (the rule broken)."""

    kind: str
    stages: list[Stage] = field(default_factory=list)
    # Per file: canonical -> the clinic's own name, for the quarantine.
    own: list[dict[str, str]] = field(default_factory=list)
    # Whether some people of the patients file are not selected, and so their rows here neither.
    narrowed: bool = False
    # First and last day, as the files count, once somebody has looked (`clock.find_ends`).
    ends: tuple[int, int] | None = None
    # Columns of days that hold dates, per file: they are counted from 2000-01-01.
    dated: list[frozenset[str]] = field(default_factory=list)

    @property
    def relation(self) -> str:
        """The view that holds the rows of every file."""
        return f"cast_{self.kind}"

    @property
    def line(self) -> str:
        """SQL from `file` and `row` to the line in the clinic's own file."""
        lines = [
            f"WHEN {i} THEN {staged.line_sql(f'(row - {i * ROWS})')}"
            for i, staged in enumerate(self.stages)
        ]
        return f"CASE file {' '.join(lines)} END"

    def is_dated(self, column: str) -> str:
        """Write SQL for whether a row's file holds a column of days as dates."""
        dated = [i for i, columns in enumerate(self.dated) if column in columns]
        if len(dated) in (0, len(self.stages)):
            return "true" if dated else "false"
        return f"(file IN ({', '.join(map(str, dated))}))"

    @property
    def columns(self) -> list[str]:
        """Every canonical column that at least one file has."""
        return list(dict.fromkeys(c for names in self.own for c in names))


def cast_files(
    connection: duckdb.DuckDBPyConnection,
    kind: str,
    stages: list[Stage],
    unselected: str | None = None,
) -> Cast:
    """Cast the files of one kind into one view: file, row, selected, blank, v_, q_, z_.

    `unselected` is a table of people whom the patients file has and `keep_where` leaves out; their
    rows are not selected either. `row` tells the rows of all files of the kind apart, in one number
    (`Cast.line`).
    """
    cast = Cast(kind, stages, narrowed=unselected is not None)
    read = []
    for number, staged in enumerate(stages):
        fractions = _holds_fractions(connection, staged)
        for part in staged.parts:
            values, own = _file_values(staged, part, fractions)
            read.append((number, staged, part, values))
        cast.own.append(own)
        cast.dated.append(dated_columns(staged.source))
    columns = cast.columns
    zeros = max((len(s.source.spec.wide) for s in stages), default=0)
    parts = []
    for number, staged, part, values in read:
        named, cells = [], []
        for column in columns:
            told = values.get(column, ("NULL", "NULL"))
            if isinstance(told, Reading):
                # Named once, since value and rule both use them several times.
                named += [f"{told.value} AS r_{column}", f"{told.present} AS p_{column}"]
                told = told.judge(f"r_{column}", f"p_{column}")
            value, rule = told
            kind_of = SQL_TYPE[_column_kind(kind, column)]
            cells.append(f"CAST({value} AS {kind_of}) AS v_{column}")
            cells.append(f"CAST({rule} AS VARCHAR) AS q_{column}")
        for i in range(zeros):
            cells.append(f"coalesce({_zero(values, i)}, false) AS z_{i}")
        blank = " AND ".join(f"n{i} IS NULL AND t{i} IS NULL" for i in range(len(staged.columns)))
        source = ", ".join(["*", *named])
        parts.append(
            f"SELECT {number} AS file, {number * ROWS} + pos AS row, "
            f"{selected_sql(staged)} AS selected, "
            f"({blank or 'true'}) AS blank{''.join(', ' + c for c in cells)} "
            f"FROM (SELECT {source} FROM {part.relation})"
        )
    rows = " UNION ALL ".join(parts)
    if unselected is not None:
        others = f"coalesce(v_patient_id IN (SELECT patient_id FROM {unselected}), false)"
        rows = f"SELECT * REPLACE (selected AND NOT {others} AS selected) FROM ({rows})"
    if parts:
        # Few rows are cast once; many are read again rather than kept.
        kept = "TABLE" if sum(staged.rows for staged in stages) <= _KEPT_ROWS else "VIEW"
        connection.execute(f"CREATE OR REPLACE TEMP {kept} {cast.relation} AS {rows}")
    return cast


def _zero(values: Mapping[str, Told], number: int) -> str:
    told = values.get(f"zero {number}", ("false", ""))
    return told.value if isinstance(told, Reading) else told[0]


def dated_columns(source: Source) -> frozenset[str]:
    """Name the columns of days that a file holds as shifted dates."""
    rules, columns = list_columns(source.kind), source.spec.columns.items()
    dated = {
        c
        for c, how in columns
        if isinstance(how, Column) and how.shifted and rules[c].kind == "int"
    }
    if source.spec.offset_from is not None:
        dated.add("start_day" if source.kind == "patients" else "day")
    return frozenset(dated)


def _column_kind(kind: str, column: str) -> str:
    if column.startswith("wide_"):
        return "float"
    if column == "window":
        return "text"
    return list_columns(kind)[column].kind


def _write_codes(spec: ClinicFile, codes: Codes) -> Codes:
    """Write the codes of an entry as its cells have them: those of FHIR without addresses."""
    if spec.fhir is None:
        return codes
    return {write_code(str(code)): meaning for code, meaning in codes.items()}


def _file_values(
    staged: Stage, part: Part, fractions: bool
) -> tuple[dict[str, Told], dict[str, str]]:
    """Write SQL for every canonical column of a file: (value, rule) and its own name.

    With `fractions` times of day are shares of a day, as a spreadsheet stores them.
    """
    source = staged.source
    spec, kind, rules = source.spec, source.kind, list_columns(source.kind)
    values: dict[str, Told] = {}
    own: dict[str, str] = {}
    dated = dated_columns(source)
    for canonical, entry in spec.columns.items():
        rule = rules[canonical]
        how = entry if isinstance(entry, Column) else Column(column=entry)
        if how.checkboxes:
            name = how.checkboxes
            # REDCap adds a box for each of its codes for missing data: that one is no answer.
            missing = {redcap.as_box(m) for m in spec.missing}
            boxes = {
                code: staged.cell(c)
                for code, c in redcap.find_boxes(name, staged.columns).items()
                if redcap.as_box(code) not in missing
            }
            meant = {redcap.as_box(k): v for k, v in how.codes.items()}
            codes = {c: meant[redcap.as_box(c)] for c in boxes if redcap.as_box(c) in meant}
            values[canonical] = check_ticked(ticked_sql(boxes, codes), rule)
        else:
            name = own_column(entry)
            cell = staged.cell(name, part)
            if canonical == "age_band" and name in spec.band:
                values[canonical] = band_sql(cell, int(spec.band[name]), spec.missing)
            elif canonical in dated:
                marks = markers_of(canonical, spec.missing)
                values[canonical] = date_sql(cell, how.format, marks)
            else:
                unit = how.unit or (fractions and canonical == "start_hour" and "days") or None
                spelled = _write_codes(spec, how.codes)
                values[canonical] = read_cell(
                    cell, spec, canonical, rule, codes=spelled, unit=unit, between=how.list
                )
        own[canonical] = name
    for canonical, constant in spec.constants.items():
        values[canonical] = (literal(constant), "NULL")
        own[canonical] = canonical
    if spec.offset_from is not None:
        column, pattern = spec.offset_from.column, spec.offset_from.format
        canonical = "start_day" if kind == "patients" else "day"
        marks = markers_of(canonical, spec.missing)
        values[canonical] = date_sql(staged.cell(column), pattern, marks)
        own[canonical] = column
    if spec.window_from is not None:
        named = spec.window_from
        rule = row_level("text", "Window", nullable=True)
        cell = staged.cell(named.column)
        codes_of = _write_codes(spec, named.codes)
        values["window"] = read_cell(cell, spec, "window", rule, codes=codes_of)
        own["window"] = named.column
    if staged.step:
        _place_in_grid(staged, values, own)
    for i, wide in enumerate(spec.wide):
        value, problem, zero = _wide_sql(wide, staged, part)
        values[f"wide_{i}"] = (value, problem)
        values[f"zero {i}"] = (zero, "")
        own[f"wide_{i}"] = wide.column
    return values, own


def _holds_fractions(connection: duckdb.DuckDBPyConnection, staged: Stage) -> bool:
    """Whether the times of day of an attack log are shares of a day: all of them below 1."""
    entry = staged.source.spec.columns.get("start_hour")
    if entry is None or (isinstance(entry, Column) and (entry.unit or entry.codes)):
        return False
    cell, spec = staged.cell(own_column(entry)), staged.source.spec
    rule = row_level("float", "Share of a day")
    number = number_sql(cell, spec, "share", rule)
    row = connection.execute(f"SELECT max({number}) FROM {staged.relation}").fetchone()
    return row is not None and row[0] is not None and 0 < row[0] < 1


def _as_pair(told: Told) -> tuple[str, str]:
    return told.judge() if isinstance(told, Reading) else told


def _place_in_grid(staged: Stage, values: dict[str, Told], own: dict[str, str]) -> None:
    """Count the day of a cell from its row's, and take headache from how bad or long it was."""
    day, problem = _as_pair(values["day"])
    values["day"] = (f"(CAST({day} AS BIGINT) + {staged.step})", problem)
    told = [c for c in ("intensity", "duration_hours") if NUMBER in own.get(c, "")]
    if "headache" not in values and told:
        worst = f"greatest({', '.join(_as_pair(values[c])[0] for c in told)})"
        values["headache"] = (f"CASE WHEN {worst} > 0 THEN 1 WHEN {worst} = 0 THEN 0 END", "NULL")
        own["headache"] = own[told[0]]


def find_wide(spec: ClinicFile, canonical: str) -> WideColumn | None:
    """Find the entry under `wide:` that a cast calls `wide_<i>`; None for another column."""
    number = canonical.removeprefix("wide_")
    return spec.wide[int(number)] if number != canonical else None


def rule_of_wide(entry: WideColumn) -> tables.Column:
    """Make the contract of a wide column: its outcome's range, unless the entry has its own."""
    low, high = _RANGE.get(entry.outcome, (None, None))
    return row_level(
        "float",
        entry.outcome,
        low=low if entry.low is None else entry.low,
        high=high if entry.high is None else entry.high,
    )


def _wide_sql(entry: WideColumn, staged: Stage, part: Part) -> tuple[str, str, str]:
    """Write SQL for a wide column: value, broken rule, whether it is a 0 declared missing."""
    spec, rule = staged.source.spec, rule_of_wide(entry)
    value, problem = cell_sql(
        staged.cell(entry.column, part), spec, entry.outcome, rule, unit=entry.unit
    )
    if entry.zero_means_missing_when is None:
        return value, problem, "false"
    other = staged.cell(entry.zero_means_missing_when.blank)
    blank = f"({other.number} IS NULL AND {cell_text(other, spec.missing)} IS NULL)"
    zero = f"({value} = 0 AND {blank})"
    return f"(CASE WHEN {zero} THEN NULL ELSE {value} END)", problem, zero


def count_one(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    """Return the one number that a query yields; 0 for NULL."""
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def _list_dates(stages: Sequence[Stage]) -> list[tuple[Stage, str, str]]:
    """List the columns of shifted dates with their patterns."""
    found = []
    for staged in stages:
        spec = staged.source.spec
        if spec.offset_from is not None:
            found.append((staged, spec.offset_from.column, spec.offset_from.format))
        found += [
            (staged, own_column(how), how.format or ISO)
            for how in spec.columns.values()
            if isinstance(how, Column) and how.shifted
        ]
    return found


def check_dates(connection: duckdb.DuckDBPyConnection, stages: Sequence[Stage]) -> list[Problem]:
    """Find columns that mix day/month with month/day: then no date in them can be trusted."""
    problems = []
    for staged, column, pattern in _list_dates(stages):
        swapped = pattern.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")
        text = staged.cell(column).text
        count = count_one(
            connection,
            f"SELECT count(*) FROM {staged.relation} WHERE "
            f"try_strptime(trim({text}), {literal(pattern)}) IS NULL AND "
            f"try_strptime(trim({text}), {literal(swapped)}) IS NOT NULL",
        )
        if count:
            problems.append(
                Problem(
                    staged.source.name,
                    "mixed_dates",
                    Message("problem.mixed_dates", n=count),
                    column=column,
                    count=count,
                    remedy="remedy.mixed_dates",
                )
            )
    return problems
