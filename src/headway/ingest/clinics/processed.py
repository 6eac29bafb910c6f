"""SQL that yields the processed tables from the rows that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from headway import tables
from headway.ingest.cells import SQL_TYPE, ident, literal
from headway.ingest.clinics.casts import Cast, count_one
from headway.ingest.clinics.contract import CONTRACT
from headway.ingest.clinics.verdicts import kept_rows

if TYPE_CHECKING:
    import duckdb


def _day_sql(connection: duckdb.DuckDBPyConnection, cast: Cast) -> tuple[str, str]:
    """Write SQL for a day counted from the start, and the join it needs."""
    if not count_one(connection, "SELECT count(*) FROM starts WHERE start <> 0"):
        return "v_day", ""
    return (
        "v_day - coalesce(s.start, 0)",
        " LEFT JOIN starts s ON v_patient_id = s.patient_id",
    )


def kept_sql(connection: duckdb.DuckDBPyConnection, cast: Cast) -> str:
    """SELECT that yields the processed table of a kind in the contract's order."""
    kind, where = cast.kind, kept_rows(connection, cast)
    if kind == "windows":
        return _windows_sql(cast, where)
    spec = tables.TABLES[CONTRACT[kind][0]].columns
    day, join = _day_sql(connection, cast) if "day" in cast.columns else ("", "")
    selects = []
    for column, rule in spec.items():
        if column == "line":
            selects.append(f"{cast.line} AS line")
        elif column == "day":
            selects.append(f"CAST({day} AS BIGINT) AS day")
        elif column == "headache" and "diary_complete" in cast.columns:
            # A day that was not closed is unknown, whatever stands in it.
            selects.append(
                "CASE WHEN v_diary_complete = 0 THEN NULL ELSE v_headache END AS headache"
            )
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


def attacks_sql(connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast]) -> str:
    """SELECT that yields diary days from a log of attacks.

    An attack that crosses midnight counts on each day with its own hours; its medication counts
    on the day it starts. A day on which the diary was open and no attack fell is free of headache;
    without a mark of open days there are no free days, and no frequency.
    """
    cast = casts["attacks"]
    day, join = _day_sql(connection, cast)
    columns = cast.columns

    def own(column: str, otherwise: str = "CAST(NULL AS DOUBLE)") -> str:
        return f"v_{column}" if column in columns else otherwise

    length, start = own("duration_hours"), own("start_hour")
    attacks = (
        f"SELECT v_patient_id AS patient_id, CAST({day} AS BIGINT) AS first_day, "
        f"{start} AS start, {length} AS hours, {own('intensity')} AS intensity, "
        f"{own('acute_medication')} AS pills FROM {cast.relation}{join} "
        f"WHERE {kept_rows(connection, cast)}"
    )
    # Without a time of day an attack of up to 24 hours is taken to lie in the day it started.
    parts = (
        "SELECT patient_id, first_day + k AS day, intensity, "
        "CASE WHEN hours IS NULL THEN NULL ELSE "
        "least(coalesce(start, 0) + hours, 24 * (k + 1)) - greatest(coalesce(start, 0), 24 * k) "
        "END AS hours, CASE WHEN k = 0 THEN 1 ELSE 0 END AS attacks, "
        "CASE WHEN k = 0 THEN pills END AS pills "
        f"FROM (SELECT *, unnest(range(0, greatest(1, CAST(ceil((coalesce(start, 0) + "
        f"coalesce(hours, 0)) / 24) AS BIGINT)))) AS k FROM ({attacks}))"
    )
    headache = (
        "SELECT patient_id, day, 1 AS headache, max(intensity) AS intensity, "
        "least(sum(hours), 24.0) AS duration_hours, sum(attacks) AS attacks, "
        f"sum(pills) AS acute_medication FROM ({parts}) GROUP BY patient_id, day"
    )
    opened = _open_days_sql(connection, casts)
    if opened is None:
        return f"SELECT * FROM ({headache}) ORDER BY patient_id, day"
    return (
        "SELECT o.patient_id, o.day, coalesce(h.headache, 0) AS headache, h.intensity, "
        "h.duration_hours, h.attacks, h.acute_medication "
        f"FROM ({opened}) o LEFT JOIN ({headache}) h USING (patient_id, day) "
        "ORDER BY patient_id, day"
    )


def _open_days_sql(connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast]) -> str | None:
    """SELECT that yields the days on which the diary was open; None where nothing says so."""
    if "diary" in casts:
        diary = casts["diary"]
        day, join = _day_sql(connection, diary)
        closed = " AND v_diary_complete = 1" if "diary_complete" in diary.columns else ""
        return (
            f"SELECT DISTINCT v_patient_id AS patient_id, CAST({day} AS BIGINT) AS day "
            f"FROM {diary.relation}{join} WHERE {kept_rows(connection, diary)}{closed}"
        )
    patients = casts.get("patients")
    if patients and {"diary_from", "diary_to"} <= set(patients.columns):
        return (
            "SELECT p.patient_id, unnest(range(p.low - coalesce(s.start, 0), "
            "p.high - coalesce(s.start, 0) + 1)) AS day "
            "FROM spans p LEFT JOIN starts s ON p.patient_id = s.patient_id "
            "WHERE p.low IS NOT NULL AND p.high IS NOT NULL"
        )
    return None


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
