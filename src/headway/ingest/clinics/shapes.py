"""What cells that could not be read look like, without a letter or digit of any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.ingest.cells import code_of_number, literal
from headway.ingest.clinics.casts import ROWS, Cast

if TYPE_CHECKING:
    import duckdb

_LONGEST = 24
# Shapes that are told apart: beyond them a column is free text.
_MOST = 50
# Ways to write a date, the likelier first; which of them fits is tried on the cells.
DATES = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%Y/%m/%d",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%Y%m%d",
    "%d %b %Y",
    "%d-%b-%Y",
    "%Y-%m-%d %H:%M:%S",
    "%d.%m.%Y %H:%M",
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape of cells that broke a rule: `99,9`, and in how many cells it stands.

    Every digit is a 9 and every letter an a; other signs stand if they tell how numbers, dates and
    times are written, else as a bullet. `low` and `high` are the ends of the cells as numbers, for
    the choice of a remedy alone: they are values, and are never shown.
    """

    text: str
    rule: str
    n: int
    low: float | None
    high: float | None


def _shape_sql(text: str) -> str:
    """Write SQL for the shape of a text."""
    bare = f"regexp_replace({text}, '[\\p{{M}}\\p{{Cf}}]', '', 'g')"
    steps = (
        ("\\s+", " "),
        ("\\p{L}", "a"),
        ("\\p{N}", "9"),
        ("[–—−]", "-"),
        ("[^a9 .,:;/%<>()+-]", "•"),
        ("a{5,}", "aaaa"),
        ("9{5,}", "9999"),
        ("•{2,}", "•"),
    )
    shape = bare
    for pattern, instead in steps:
        shape = f"regexp_replace({shape}, {literal(pattern)}, {literal(instead)}, 'g')"
    shown = (
        f"CASE WHEN length({shape}) > {_LONGEST} THEN left({shape}, {_LONGEST - 1}) || '…' "
        f"ELSE {shape} END"
    )
    # A cell of nothing but signs would be shown as it is.
    return f"CASE WHEN regexp_matches({bare}, '[\\p{{L}}\\p{{N}}]') THEN {shown} ELSE '•' END"


def _unread_sql(cast: Cast, number: int, canonical: str) -> str | None:
    """SELECT the cells of a column that broke a rule, as text; None where no one column holds them.

    A question with checkboxes has a column for each box, and a constant has none.
    """
    staged, own = cast.stages[number], cast.own[number].get(canonical, "")
    if own not in staged.columns or canonical not in cast.columns:
        return None
    cell = staged.cell(own)
    text = f"coalesce({cell.text}, {code_of_number(cell.number)})"
    return (
        f"SELECT q_{canonical} AS rule, {text} AS text "
        f"FROM flagged_{cast.kind} f JOIN {staged.relation} s "
        f"ON s.pos = f.row - {number * ROWS} "
        f"WHERE f.file = {number} AND q_{canonical} IS NOT NULL"
    )


def find_shapes(
    connection: duckdb.DuckDBPyConnection, cast: Cast, number: int, canonical: str
) -> list[Shape]:
    """Find the shapes of the cells of a column that broke a rule, most common first.

    Parameters
    ----------
    connection, cast
        The engine and the cast files of a kind, after `judge_rows`.
    number
        Number of the file among `cast.stages`.
    canonical
        The column as the cast names it.
    """
    unread = _unread_sql(cast, number, canonical)
    if unread is None:
        return []
    value = "TRY_CAST(replace(text, ',', '.') AS DOUBLE)"
    found = connection.execute(
        f"SELECT {_shape_sql('text')} AS shape, rule, count(*) AS n, min({value}), max({value}) "
        f"FROM ({unread}) WHERE text IS NOT NULL GROUP BY ALL ORDER BY n DESC, shape, rule "
        f"LIMIT {_MOST}"
    ).fetchall()
    return [Shape(*row) for row in found]


def find_format(
    connection: duckdb.DuckDBPyConnection, cast: Cast, number: int, canonical: str
) -> str | None:
    """Find the way of writing dates that fits the most unread cells; None if none fits half."""
    unread = _unread_sql(cast, number, canonical)
    if unread is None:
        return None
    tries = ", ".join(f"count(try_strptime(text, {literal(p)}))" for p in DATES)
    row: Sequence[int] | None = connection.execute(
        f"SELECT count(*), {tries} FROM ({unread})"
    ).fetchone()
    if row is None or not row[0]:
        return None
    best = max(range(len(DATES)), key=lambda i: (row[1 + i], -i))
    return DATES[best] if row[1 + best] >= row[0] / 2 else None
