"""People who are alone in their group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headway.ingest.cells import ident

if TYPE_CHECKING:
    import duckdb


def measure_k(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str], k: int
) -> tuple[int, int]:
    """Measure k-anonymity: the size of the smallest group alike in all quasi-identifiers.

    Sweeney 2002. An empty cell is a value of its own.

    Returns
    -------
    tuple of int
        The size of the smallest group, and how many people are in groups smaller than `k`.
    """
    names = ", ".join(ident(c) for c in columns)
    row: Any = connection.execute(
        f"SELECT min(n), sum(n) FILTER (WHERE n < {int(k)}) FROM "
        f"(SELECT count(*) AS n FROM {relation} GROUP BY {names})"
    ).fetchone()
    return int(row[0] or 0), int(row[1] or 0)
