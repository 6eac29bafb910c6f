"""The processed diary on disk: `days.parquet`, and beside it what stands in place of some rows.

A large diary is written once, while its file is read, with the columns that its file has. What only
shows later (a row that stands twice, a cell that cannot be used) is kept beside it in a small
table that has every column, and readers put both together.
"""

from __future__ import annotations

from pathlib import Path

from headway.tables.contracts import TABLES
from headway.tables.engine import quote

# Beside `days.parquet`.
AMENDED = "days_amended.parquet"
# Its first column: the number of the row, from 0, in whose place a row stands; empty where the
# row is one more. Without `patient_id` nothing stands there.
REPLACED = "replaced"


def read_days_sql(days: Path) -> str:
    """Write the FROM clause that yields the processed diary.

    Parameters
    ----------
    days
        `days.parquet`; the rows of `days_amended.parquet` beside it, where it is there, are put in
        their places.

    Returns
    -------
    str
        SQL in parentheses, with the columns of the table `days` in the contract's order.
    """
    path, amended = quote(days), days.with_name(AMENDED)
    if not amended.is_file():
        return f"(SELECT * FROM read_parquet({path}))"
    columns = ", ".join(f'"{column}"' for column in TABLES["days"].columns)
    others = f"read_parquet({quote(amended)})"
    # By name: a column that the clinic's file does not have is not in `days.parquet` either.
    # The large one first, for the engine guesses the number of groups from it.
    return (
        f"(SELECT {columns} FROM (SELECT * FROM read_parquet({path}, file_row_number = true) d "
        f"ANTI JOIN (SELECT {REPLACED} FROM {others}) a ON d.file_row_number = a.{REPLACED} "
        f"UNION ALL BY NAME SELECT * FROM {others} WHERE patient_id IS NOT NULL))"
    )


def read_table_sql(folder: Path, table: str) -> str:
    """Write the FROM clause that yields a table of people from the folder of processed tables."""
    path = folder / f"{table}.parquet"
    return read_days_sql(path) if table == "days" else f"read_parquet({quote(path)})"
