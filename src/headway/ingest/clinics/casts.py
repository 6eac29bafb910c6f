"""Cast a clinic's cells into canonical columns: SQL for each value and the rule that it breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headway.config.clinic import Column, WideColumn
from headway.errors import Problem
from headway.ingest.adapters import redcap
from headway.ingest.cells import (
    SQL_TYPE,
    band_sql,
    cell_sql,
    check_ticked,
    clean_text,
    literal,
    own_column,
    ticked_sql,
)
from headway.ingest.clinics.contract import list_columns, row_level
from headway.ingest.open.names import NUMBER
from headway.ingest.open.staging import Part, Stage
from headway.messages import Message

if TYPE_CHECKING:
    import duckdb


_RANGE: dict[str, tuple[float, float]] = {
    "frequency": (0, 28),
    "intensity": (0, 10),
    "duration": (0, 24),
}
# More than the rows of a file.
_ROWS = 1 << 40


@dataclass(slots=True)
class Cast:
    """The files of one kind, cast: columns v_<name> and q_<name> (the rule broken)."""

    kind: str
    stages: list[Stage] = field(default_factory=list)
    # Per file: canonical -> the clinic's own name, for the quarantine.
    own: list[dict[str, str]] = field(default_factory=list)
    dated: bool = False

    @property
    def relation(self) -> str:
        """The view that holds the rows of every file."""
        return f"cast_{self.kind}"

    @property
    def line(self) -> str:
        """SQL from `file` and `row` to the line in the clinic's own file."""
        lines = [
            f"WHEN {i} THEN {staged.line_sql(f'(row - {i * _ROWS})')}"
            for i, staged in enumerate(self.stages)
        ]
        return f"CASE file {' '.join(lines)} END"

    @property
    def columns(self) -> list[str]:
        """Every canonical column that at least one file has."""
        return list(dict.fromkeys(c for names in self.own for c in names))


def cast_files(connection: duckdb.DuckDBPyConnection, kind: str, stages: list[Stage]) -> Cast:
    """Cast the files of one kind into one view: file, row, selected, blank, v_, q_, z_.

    `row` tells the rows of all files of the kind apart, in one number (`Cast.line`).
    """
    cast = Cast(kind, stages)
    read = []
    for number, staged in enumerate(stages):
        for part in staged.parts:
            values, own = _file_values(staged, part)
            read.append((number, staged, part, values))
        cast.own.append(own)
        cast.dated |= staged.source.spec.offset_from is not None
    columns = cast.columns
    zeros = max((len(s.source.spec.wide) for s in stages), default=0)
    parts = []
    for number, staged, part, values in read:
        cells = []
        for column in columns:
            value, rule = values.get(column, ("NULL", "NULL"))
            kind_of = SQL_TYPE[_column_kind(kind, column)]
            cells.append(f"CAST({value} AS {kind_of}) AS v_{column}")
            cells.append(f"CAST({rule} AS VARCHAR) AS q_{column}")
        for i in range(zeros):
            cells.append(f"coalesce({values.get(f'zero {i}', ('false', ''))[0]}, false) AS z_{i}")
        blank = " AND ".join(f"n{i} IS NULL AND t{i} IS NULL" for i in range(len(staged.columns)))
        parts.append(
            f"SELECT {number} AS file, {number * _ROWS} + pos AS row, "
            f"{selected_sql(staged)} AS selected, "
            f"({blank or 'true'}) AS blank{''.join(', ' + c for c in cells)} "
            f"FROM {part.relation}"
        )
    if parts:
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {cast.relation} AS {' UNION ALL '.join(parts)}"
        )
    return cast


def _column_kind(kind: str, column: str) -> str:
    if column.startswith("wide_"):
        return "float"
    if column == "window":
        return "text"
    return list_columns(kind)[column].kind


def selected_sql(staged: Stage) -> str:
    """Write SQL for whether a row belongs to this clinic: `keep_where`, and REDCap's forms."""
    spec = staged.source.spec
    tests = []
    for column, values in spec.keep_where.items():
        cell = staged.cell(column)
        accepted = ", ".join(literal(v) for v in values)
        tests.append(f"coalesce(trim({cell.text}) IN ({accepted}), false)")
    if spec.redcap is None:
        return " AND ".join(tests) or "true"
    forms = spec.redcap
    instrument = None if forms.instrument is None else (forms.instrument,)
    for names, wanted in ((redcap.EVENT, forms.events), (redcap.INSTRUMENT, instrument)):
        there = next((c for c in names if c in staged.columns), None)
        if there is None:
            continue
        text = f"coalesce(trim({staged.cell(there).text}), '')"
        if wanted is not None:
            tests.append(f"{text} IN ({', '.join(literal(v) for v in wanted)})")
        elif names is redcap.INSTRUMENT:
            # Without an instrument the file's own, not repeating, rows are meant.
            tests.append(f"{text} = ''")
    return " AND ".join(tests) or "true"


def _file_values(staged: Stage, part: Part) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Write SQL for every canonical column of a file: (value, rule) and its own name."""
    source = staged.source
    spec, kind, rules = source.spec, source.kind, list_columns(source.kind)
    values: dict[str, tuple[str, str]] = {}
    own: dict[str, str] = {}
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
                bad = f"{cell.text} IS NOT NULL AND TRY_CAST({cell.text} AS DOUBLE) IS NULL"
                values[canonical] = (
                    band_sql(cell, int(spec.band[name])),
                    f"CASE WHEN {bad} THEN 'not_a_number' END",
                )
            else:
                values[canonical] = cell_sql(
                    cell, spec, canonical, rule, codes=how.codes, unit=how.unit, between=how.list
                )
        own[canonical] = name
    for canonical, constant in spec.constants.items():
        values[canonical] = (literal(constant), "NULL")
        own[canonical] = canonical
    if spec.offset_from is not None:
        column, pattern = spec.offset_from.column, spec.offset_from.format
        text = f"({clean_text(staged.cell(column).text, spec.missing)})"
        date = f"CAST(try_strptime({text}, {literal(pattern)}) AS DATE)"
        canonical = "start_day" if kind == "patients" else "day"
        values[canonical] = (
            f"({date} - DATE '2000-01-01')",
            f"CASE WHEN {text} IS NOT NULL AND {date} IS NULL THEN 'not_a_date' END",
        )
        own[canonical] = column
    if spec.window_from is not None:
        named = spec.window_from
        rule = row_level("text", "Window", nullable=True)
        cell = staged.cell(named.column)
        values["window"] = cell_sql(cell, spec, "window", rule, codes=named.codes)
        own["window"] = named.column
    if staged.step:
        _place_in_grid(staged, values, own)
    for i, wide in enumerate(spec.wide):
        value, problem, zero = _wide_sql(wide, staged, part)
        values[f"wide_{i}"] = (value, problem)
        values[f"zero {i}"] = (zero, "")
        own[f"wide_{i}"] = wide.column
    return values, own


def _place_in_grid(staged: Stage, values: dict[str, tuple[str, str]], own: dict[str, str]) -> None:
    """Count the day of a cell from its row's, and take headache from how bad or long it was."""
    day, problem = values["day"]
    values["day"] = (f"(CAST({day} AS BIGINT) + {staged.step})", problem)
    told = [c for c in ("intensity", "duration_hours") if NUMBER in own.get(c, "")]
    if "headache" not in values and told:
        worst = f"greatest({', '.join(values[c][0] for c in told)})"
        values["headache"] = (f"CASE WHEN {worst} > 0 THEN 1 WHEN {worst} = 0 THEN 0 END", "NULL")
        own["headache"] = own[told[0]]


def _wide_sql(entry: WideColumn, staged: Stage, part: Part) -> tuple[str, str, str]:
    """Write SQL for a wide column: value, broken rule, whether it is a 0 declared missing."""
    low, high = _RANGE.get(entry.outcome, (None, None))
    rule = row_level(
        "float",
        entry.outcome,
        low=low if entry.low is None else entry.low,
        high=high if entry.high is None else entry.high,
    )
    spec = staged.source.spec
    value, problem = cell_sql(
        staged.cell(entry.column, part), spec, entry.outcome, rule, unit=entry.unit
    )
    if entry.zero_means_missing_when is None:
        return value, problem, "false"
    other = staged.cell(entry.zero_means_missing_when.blank)
    blank = f"({other.number} IS NULL AND ({clean_text(other.text, spec.missing)}) IS NULL)"
    zero = f"({value} = 0 AND {blank})"
    return f"(CASE WHEN {zero} THEN NULL ELSE {value} END)", problem, zero


def count_one(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    """Return the one number that a query yields; 0 for NULL."""
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def check_dates(connection: duckdb.DuckDBPyConnection, stages: Sequence[Stage]) -> list[Problem]:
    """Find columns that mix day/month with month/day: then no date in them can be trusted."""
    problems = []
    for staged in stages:
        spec = staged.source.spec
        if spec.offset_from is None:
            continue
        column, pattern = spec.offset_from.column, spec.offset_from.format
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
