"""SQL that yields the processed tables from the rows that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway import tables
from headway.ingest.cells import SQL_TYPE, ident, literal
from headway.ingest.clinics.casts import Cast
from headway.ingest.clinics.clock import day_sql
from headway.ingest.clinics.contract import CONTRACT
from headway.ingest.clinics.verdicts import kept_rows

if TYPE_CHECKING:
    import duckdb


def kept_sql(connection: duckdb.DuckDBPyConnection, cast: Cast) -> str:
    """SELECT that yields the processed table of a kind in the contract's order."""
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
    by_line = f"patient_id, day, file, {cast.line}"
    order = {"patients": "patient_id", "diary": ""}.get(kind, by_line)
    sql = f"SELECT {', '.join(selects)} FROM {cast.relation}{join} WHERE {where}"
    return f"{sql} ORDER BY {order}" if order else sql


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
