"""Zeros that are missing values in disguise (the trap in Vickers 2004's public file).

A follow-up that did not happen is sometimes stored as 0. Read literally, the lost patient has
become headache free. The sign: the zeros of a follow-up column stand where another column of the
same file is blank, and hardly anywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.errors import Problem

if TYPE_CHECKING:
    import duckdb

# A column is doubted from 5 zeros on, if 9 in 10 of them stand beside a blank that at most 1 in
# 20 of the other values have beside them. In Vickers 2004 it is 75 of 75 and 100 of 100 zeros.
MIN_ZEROS = 5
MIN_SHARE_ZEROS = 0.9
MAX_SHARE_OTHERS = 0.05


def find_zero_coded(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    file: str,
    header: Sequence[str],
    spec: Mapping[str, Any],
) -> list[Problem]:
    """Find wide follow-up columns whose zeros coincide with blanks of another column.

    Columns that clinic.yaml settles with `zero_means_missing_when` are not doubted.

    Returns
    -------
    list of Problem
        One per doubtful column: how many zeros coincide, with which column, and what to do.
    """
    problems = []
    for entry in spec["wide"]:
        if entry["window"] in ("baseline", "earlier") or "zero_means_missing_when" in entry:
            continue
        column = entry["column"]
        own = '"' + column.replace('"', '""') + '"'
        zero = f"TRY_CAST({own} AS DOUBLE) = 0"
        others = [c for c in header if c not in (column, *spec["drop"])]
        selects = []
        for other in others:
            blank = '"' + other.replace('"', '""') + '"'
            empty = f"coalesce(trim({blank}), '') = ''"
            selects += [
                f"count(*) FILTER (WHERE {zero} AND {empty})",
                f"count(*) FILTER (WHERE NOT {zero} AND {empty})",
            ]
        row: Any = connection.execute(
            f"SELECT count(*) FILTER (WHERE {zero}), count(*) FILTER (WHERE NOT {zero})"
            f"{''.join(', ' + s for s in selects)} FROM {relation}"
        ).fetchone()
        zeros, rest = row[0], row[1]
        if zeros < MIN_ZEROS:
            continue
        best, coincide = "", 0
        for i, other in enumerate(others):
            at_zero, elsewhere = row[2 + 2 * i], row[3 + 2 * i]
            with_zeros = at_zero >= MIN_SHARE_ZEROS * zeros
            if with_zeros and elsewhere <= MAX_SHARE_OTHERS * rest and at_zero > coincide:
                best, coincide = other, at_zero
        if best:
            problems.append(
                Problem(
                    file,
                    "zero_coded_missing",
                    f"{coincide} of {zeros} zeros stand where the column '{best}' is blank",
                    column=column,
                    count=coincide,
                    remedy="if those were not observed, declare `zero_means_missing_when: "
                    f"{{blank: {best}}}` for this column in clinic.yaml",
                )
            )
    return problems
