"""SQL that yields the processed tables from the rows that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headway import tables
from headway.ingest.cells import SQL_TYPE, ident, literal
from headway.ingest.clinics.casts import Cast, count_one
from headway.ingest.clinics.clock import day_sql
from headway.ingest.clinics.contract import CONTRACT
from headway.ingest.clinics.verdicts import kept_rows
from headway.ingest.open.staging import REST
from headway.tables.diary import REPLACED

if TYPE_CHECKING:
    import duckdb

# A larger share of rows to be replaced, and the diary is written anew.
MOST_AMENDED = 0.01


def kept_sql(
    connection: duckdb.DuckDBPyConnection, cast: Cast, among: str = "", more: str = ""
) -> str:
    """SELECT that yields the processed table of a kind in the contract's order.

    `among` is a condition on the rows, `more` a column of the cast that is put behind the others.
    """
    kind, where = cast.kind, kept_rows(connection, cast)
    if kind == "windows":
        return _windows_sql(cast, where)
    spec = tables.TABLES[CONTRACT[kind][0]].columns
    day, join = day_sql(connection, cast) if "day" in cast.columns else ("", "")
    selects = []
    for column, rule in spec.items():
        if column == "line":
            selects.append(f"{cast.line} AS line")
        elif column == "day":
            selects.append(f"CAST({day} AS BIGINT) AS day")
        elif column == "headache" and "diary_complete" in cast.columns:
            # A day of which it is not said that it was closed is unknown, whatever stands in it.
            selects.append("CASE WHEN v_diary_complete = 1 THEN v_headache END AS headache")
        elif column in cast.columns:
            selects.append(f"v_{column} AS {ident(column)}")
        else:
            selects.append(f"CAST(NULL AS {SQL_TYPE[rule.kind]}) AS {ident(column)}")
    if more:
        selects.append(more)
    if among:
        where += f" AND {among}"
    by_line = f"patient_id, day, file, {cast.line}"
    order = {"patients": "patient_id", "diary": ""}.get(kind, by_line)
    sql = f"SELECT {', '.join(selects)} FROM {cast.relation}{join} WHERE {where}"
    return f"{sql} ORDER BY {order}" if order else sql


@dataclass(frozen=True, slots=True)
class Amended:
    """A diary that was staged as the table `days`, and SQL for what stands in place of its rows."""

    days: Path
    rows: str


def amend_days(connection: duckdb.DuckDBPyConnection, cast: Cast) -> Amended | None:
    """Tell what has to be replaced in a staged diary for it to be the table `days`.

    Every row against which there is a verdict, or of which a cell cannot be used, is replaced by
    what `kept_sql` makes of it, and so is every row that the engine could not read as declared.

    Returns
    -------
    Amended
        None where the diary was not staged as the table, its days have to be counted anew, rows
        are left out that nothing lists, or more than `MOST_AMENDED` of them would be replaced.
    """
    (first, *more), kind = cast.stages, cast.kind
    days = first.laid_out
    if more or days is None or cast.narrowed or day_sql(connection, cast)[1]:
        return None
    listed = f"SELECT row FROM verdict_{kind} UNION SELECT row FROM flagged_{kind}"
    others = max(first.rows - _count_laid_out(connection, days), 0)
    if others + count_one(connection, f"SELECT count(*) FROM ({listed})") > (
        MOST_AMENDED * first.rows
    ):
        return None
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE amended AS SELECT row FROM ({listed}) "
        f"UNION SELECT row FROM {cast.relation} WHERE row >= {REST}"
    )
    # Rows that are used and stand where the engine read them are few, and mostly none.
    used = f"SELECT row FROM amended WHERE row NOT IN (SELECT row FROM verdict_{kind})"
    among = f"row >= {REST}"
    if count_one(connection, f"SELECT count(*) FROM ({used}) WHERE row < {REST}"):
        among = f"row IN ({used})"
    kept = kept_sql(connection, cast, among, "row")
    columns = ", ".join(ident(column) for column in tables.TABLES["days"].columns)
    return Amended(
        days,
        f"SELECT CASE WHEN a.row < {REST} THEN a.row END AS {REPLACED}, {columns} "
        f"FROM amended a LEFT JOIN ({kept}) k ON a.row = k.row "
        f"WHERE a.row < {REST} OR k.row IS NOT NULL ORDER BY a.row",
    )


def _count_laid_out(connection: duckdb.DuckDBPyConnection, days: Path) -> int:
    return count_one(connection, f"SELECT count(*) FROM read_parquet({literal(days)})")


def _windows_sql(cast: Cast, where: str) -> str:
    parts = []
    for number, staged in enumerate(cast.stages):
        for i, entry in enumerate(staged.source.spec.wide):
            window = literal(entry.window) if entry.window is not None else "v_window"
            parts.append(
                f'SELECT v_patient_id AS patient_id, {window} AS "window", '
                f'{literal(entry.outcome)} AS outcome, v_wide_{i} AS "value", '
                f"{cast.line} AS line, file "
                f"FROM {cast.relation} WHERE file = {number} AND {where}"
            )
    return (
        f"SELECT * EXCLUDE (file) FROM ({' UNION ALL '.join(parts)}) "
        'ORDER BY file, line, outcome, "window"'
    )


def empty_sql(table: str) -> str:
    """SELECT that yields a processed table without a row."""
    if table == "given_windows":
        return (
            'SELECT NULL::VARCHAR AS patient_id, NULL::VARCHAR AS "window", '
            'NULL::VARCHAR AS outcome, NULL::DOUBLE AS "value", NULL::BIGINT AS line '
            "WHERE false"
        )
    columns = ", ".join(
        f"NULL::{SQL_TYPE[r.kind]} AS {ident(c)}" for c, r in tables.TABLES[table].columns.items()
    )
    return f"SELECT {columns} WHERE false"
