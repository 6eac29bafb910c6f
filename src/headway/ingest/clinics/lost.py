"""Rows that were set aside: whose they are and which day they are about, as far as they say so.

A row that could not be used is unknown, not empty. What it would have said can change the days that
it is about, so those days are unknown too (`attacks`), and so is the start of a course whose first
session may be such a row (`clock`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.config.clinic import Column
from headway.ingest.cells import Staged, cell_sql, date_sql, literal, markers_of, own_column
from headway.ingest.clinics.casts import Cast
from headway.ingest.clinics.contract import list_columns

if TYPE_CHECKING:
    import duckdb

    from headway.ingest.open.staging import Stage

# Rows set aside of which nothing is lost: they are said elsewhere, or are about no day of anyone.
LOSES_NOTHING = (
    "blank_row",
    "duplicate_row",
    "after_end",
    "diary_not_open",
    "unknown_patient",
    "shared_code",
    "no_start",
)


def find_lost(connection: duckdb.DuckDBPyConnection, cast: Cast) -> str:
    """Collect the rows of a kind that were set aside; returns the table's name.

    Columns: file (number in the cast), patient_id, day (as the file counts); both NULL where the
    row does not say.
    """
    table = f"lost_{cast.kind}"
    rules = ", ".join(map(literal, LOSES_NOTHING))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS "
        "SELECT c.file, c.v_patient_id AS patient_id, "
        "CASE WHEN v.name <> 'day' THEN c.v_day END AS day "
        f"FROM verdict_{cast.kind} v JOIN {cast.relation} c USING (row) "
        f"WHERE v.rule NOT IN ({rules})"
    )
    for number, staged in enumerate(cast.stages):
        if staged.malformed_relation:
            connection.execute(
                f"INSERT INTO {table} SELECT {number}, {_read(staged, 'patient_id')}, "
                f"{_read(staged, 'day')} FROM {staged.malformed_relation}"
            )
    return table


def _read(staged: Stage, canonical: str) -> str:
    """Write SQL for a key of a row that has too few or too many cells."""
    spec = staged.source.spec
    entry: str | Column | None = spec.columns.get(canonical)
    if canonical == "day" and spec.offset_from is not None:
        entry = Column(column=spec.offset_from.column, shifted=True, format=spec.offset_from.format)
    if entry is None:
        return literal(spec.constants[canonical]) if canonical in spec.constants else "NULL"
    how = entry if isinstance(entry, Column) else Column(column=entry)
    cell = Staged("CAST(NULL AS DOUBLE)", f"t{staged.columns.index(own_column(how))}")
    if how.shifted:
        return date_sql(cell, how.format, markers_of(canonical, spec.missing))[0]
    rule = list_columns(staged.source.kind)[canonical]
    return cell_sql(cell, spec, canonical, rule, codes=how.codes, unit=how.unit)[0]
