"""A Parquet file -> plain text, each value as a spreadsheet or a person would have typed it."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from headway.errors import InputError, Problem
from headway.ingest.cells import ident, literal
from headway.messages import Message
from headway.tables.engine import open_engine

# The row numbers that pandas writes beside a table.
_INDEX = re.compile(r"__index_level_\d+__")
_NESTED = re.compile(r"\[\]$|\[\d+\]$|^(STRUCT|MAP|UNION|VARIANT)\b")
_WHOLE = re.compile(r"^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER)$")


def write_text(
    raw: Path, target: Path, wanted: Collection[str], dropped: Collection[str], decimal: str
) -> tuple[tuple[str, ...], list[Message]]:
    """Write a Parquet file as CSV with a header; returns its columns and what is to be noted.

    Dates and times become ISO text, with a time of day in every cell of a column in which any has
    one; booleans 1 and 0; whole numbers lose their `.0`, and `nan` is blank. Row numbers stand for
    lines: the first row is line 2, as in a text file with a header.

    Raises
    ------
    InputError
        `damaged_parquet`; `nested_column` for a column of lists or records that is not dropped.
    """
    import duckdb

    target.parent.mkdir(parents=True, exist_ok=True)
    source = f"read_parquet({literal(raw)}, binary_as_string = true)"
    try:
        with open_engine(near=target.parent) as connection:
            connection.execute("SET preserve_insertion_order = true")
            connection.execute("SET TimeZone = 'UTC'")
            columns = [
                (str(name), str(kind))
                for name, kind, *_ in connection.execute(
                    f"DESCRIBE SELECT * FROM {source}"
                ).fetchall()
                if name in wanted or not _INDEX.fullmatch(str(name))
            ]
            problems = [
                Problem(
                    raw.name,
                    "nested_column",
                    "problem.nested_column",
                    column=name if name in wanted else "",
                    remedy="remedy.nested_column",
                )
                for name, kind in columns
                if _NESTED.search(kind) and name not in dropped
            ]
            if problems:
                raise InputError("failure.unreadable", list(dict.fromkeys(problems)))
            moments = [ident(name) for name, kind in columns if kind.startswith("TIMESTAMP")]
            asked = ", ".join(f"bool_or({c} <> date_trunc('day', {c}))" for c in moments)
            timed = connection.execute(f"SELECT {asked} FROM {source}").fetchone() if asked else ()
            with_time = {c for c, t in zip(moments, timed or (), strict=False) if t}
            selects = [
                f"{_text(ident(n), kind, decimal, timed=ident(n) in with_time)} AS {ident(n)}"
                for n, kind in columns
            ]
            connection.execute(
                f"COPY (SELECT {', '.join(selects)} FROM {source}) TO {literal(target)} "
                "(FORMAT csv, HEADER true)"
            )
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error:
        raise InputError(
            "failure.unreadable",
            [
                Problem(
                    raw.name,
                    "damaged_parquet",
                    "problem.damaged_parquet",
                    remedy="remedy.write_again",
                )
            ],
        ) from None
    zoned = [n for n, kind in columns if "TIME ZONE" in kind and n in wanted]
    return tuple(n for n, _ in columns), [Message("account.utc", names=zoned)] if zoned else []


def _text(column: str, kind: str, decimal: str, *, timed: bool) -> str:
    """Write SQL for a column as text."""
    if kind == "BOOLEAN":
        return f"CAST(CAST({column} AS INTEGER) AS VARCHAR)"
    if kind.startswith("TIMESTAMP"):
        form = "%Y-%m-%d %H:%M:%S" if timed else "%Y-%m-%d"
        return f"strftime({column}, {literal(form)})"
    if kind.startswith("TIME"):
        return f"strftime(DATE '2000-01-01' + CAST({column} AS TIME), '%-H:%M:%S')"
    if kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        number = f"CAST({column} AS DOUBLE)"
        whole = f"CAST(CAST({column} AS BIGINT) AS VARCHAR)"
        other = f"CAST({column} AS VARCHAR)"
        other = f"replace({other}, '.', {literal(decimal)})" if decimal != "." else other
        return (
            f"CASE WHEN isnan({number}) THEN NULL WHEN {number} = floor({number}) "
            f"AND abs({number}) < 1e15 THEN {whole} ELSE {other} END"
        )
    if kind == "DATE" or _WHOLE.match(kind):
        return f"CAST({column} AS VARCHAR)"
    # A line end within a cell would make two lines of a row.
    return f"regexp_replace(CAST({column} AS VARCHAR), '[\\r\\n\\x00]+', ' ', 'g')"
