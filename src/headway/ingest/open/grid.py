"""A diary with a row for each month and a column for each day -> a row for each person and day."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from headway.ingest.open.names import NUMBER, number_of
from headway.ingest.open.staging import Part, Stage
from headway.messages import Message

if TYPE_CHECKING:
    import duckdb

# Days that stand in one row at most; more columns than this are no grid of days.
MOST_DAYS = 1000


def find_days(pattern: str, header: Sequence[str]) -> dict[int, str]:
    """Find the columns of a pattern such as `day{n}`: the number of each, and its name."""
    found = ((number_of(column, pattern), column) for column in header)
    return {number: column for number, column in found if number is not None}


def list_patterns(names: Collection[str]) -> list[str]:
    """List the names that stand for a column for each day."""
    return [name for name in names if NUMBER in name]


def unpivot(
    connection: duckdb.DuckDBPyConnection,
    stage: Stage,
    patterns: Sequence[str],
    repeated: Collection[str],
    first: int,
) -> Stage:
    """Stage a grid again with a row for each person and day.

    Parameters
    ----------
    connection, stage
        DuckDB, and the file as it stands.
    patterns
        Names with `{n}`: each becomes one column.
    repeated
        Columns that say whose a row is and when: they stand in every row. What else is in the file
        stands in the row of the first day alone, so that nothing is counted twice.
    first
        The number in the name of the column of a row's first day.

    Returns
    -------
    Stage
        Its `step` is SQL for the days from a row's first one; lines stay those of the file.
    """
    days = {pattern: find_days(pattern, stage.columns) for pattern in patterns}
    numbers = sorted({number for columns in days.values() for number in columns})
    inner = {column for columns in days.values() for column in columns.values()}
    outer = [column for column in stage.columns if column not in inner]
    kept = (*outer, *patterns)
    relation, malformed = f"grid_{stage.source.id}", f"grid_{stage.malformed_relation}"
    at = {column: i for i, column in enumerate(stage.columns)}
    for source, target, line, parts in (
        (stage.relation, relation, stage.line_sql("pos"), "nt"),
        (stage.malformed_relation, malformed, "line", "t"),
    ):
        selects = []
        for i, column in enumerate(kept):
            for part in parts:
                selects.append(
                    f"{_cell(part, column, at, days, numbers, column in repeated)} AS {part}{i}"
                )
        key = f"{line} * {MOST_DAYS} + k AS pos" if parts == "nt" else f"{line} AS line"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {target} AS SELECT {key}, "
            f"{numbers!r}[k + 1] - {first} AS step, {', '.join(selects)} "
            f"FROM {source}, range({len(numbers)}) days(k) ORDER BY ALL"
        )
    note = Message("account.grid", n=stage.rows, days=len(numbers))
    return Stage(
        replace(stage.source, line_offset=0, notes=(*stage.source.notes, note)),
        relation,
        (Part(relation, {}),),
        kept,
        stage.rows * len(numbers),
        stage.malformed,
        f"{{pos}} // {MOST_DAYS}",
        malformed,
        "step",
    )


def _cell(
    part: str,
    column: str,
    at: Mapping[str, int],
    days: Mapping[str, Mapping[int, str]],
    numbers: Sequence[int],
    repeated: bool,
) -> str:
    """Write SQL for a cell of day number `k`: of a grid's column, or of one beside it."""
    if column not in days:
        cell = f"{part}{at[column]}"
        return cell if repeated else f"CASE WHEN k = 0 THEN {cell} END"
    columns = days[column]
    cells = (f"{part}{at[columns[n]]}" if n in columns else "NULL" for n in numbers)
    kind = "DOUBLE" if part == "n" else "VARCHAR"
    return f"(CAST([{', '.join(cells)}] AS {kind}[]))[k + 1]"
