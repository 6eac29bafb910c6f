"""A column as the gate sees it: every different cell, folded, and how often it stands there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headway.ingest.cells import is_marker, markers_of
from headway.ingest.gate.fold import fold

if TYPE_CHECKING:
    import duckdb

    from headway.ingest.open.staging import Stage

# Numbers below it are neither an age over 89 nor anyone's number.
_SMALLEST_NUMBER = 89.0
# So many different cells are looked at one by one; of more, so many of each form. Remarks have
# many forms, and one name among them has its own: more of them are looked at one by one.
_ALL, _OF_FORM = 2_000, 400
_ALL_REMARKS, _FORMS = 20_000, 50
_NUMBER = re.compile(r"[-+]?(\d+)(?:[.,](\d+))?")
# The form of a cell: digits one by one, letters by run and case.
_FORM = (
    r"regexp_replace(regexp_replace(translate(left(v, 80), '012345678', '999999999'), "
    r"'\p{Ll}+', 'a', 'g'), '\p{Lu}', 'A', 'g')"
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A different cell: as it stands, folded, how many cells hold it, and the number it is."""

    raw: str
    text: str
    n: int
    whole: int | None
    number: float | None


@dataclass(frozen=True, slots=True)
class Cells:
    """The different cells of a column; where not all were looked at, a sample of each form.

    `forms` maps the place of a cell in `all` to its form, for columns of which a sample was taken;
    `different` and `filled` count texts that are no number, different ones and cells.
    """

    all: tuple[Cell, ...]
    different: int
    filled: int
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    forms: Sequence[str] = ()

    @property
    def texts(self) -> list[str]:
        """Every different folded text that is no number."""
        return list(dict.fromkeys(c.text for c in self.all if c.number is None))

    @property
    def numbers(self) -> list[int]:
        """Every different whole number."""
        return list(dict.fromkeys(c.whole for c in self.all if c.whole is not None))

    def count(self, holds: Callable[[Cell], bool]) -> int:
        """Count the cells for which a rule holds; of a form of which all hold, every cell."""
        if not self.forms:
            return sum(c.n for c in self.all if holds(c))
        hits: dict[str, list[int]] = {}
        for cell, form in zip(self.all, self.forms, strict=True):
            if holds(cell):
                hits.setdefault(form, []).append(cell.n)
        total = 0
        for form, found in hits.items():
            looked_at, cells = self.sizes[form]
            total += cells if len(found) == looked_at else sum(found)
        return total


def make_cells(found: Iterable[tuple[str, int]]) -> tuple[Cell, ...]:
    """Fold cells and read the numbers among them."""
    out = []
    for raw, n in found:
        text = fold(raw)
        plain = _NUMBER.fullmatch(text)
        whole = number = None
        if plain and len(text) <= 40:
            number = float(text.replace(",", "."))
            if not plain[2] or not plain[2].strip("0"):
                whole = int(plain[1])
        out.append(Cell(raw, text, int(n), whole, number))
    return tuple(out)


def read_column(
    connection: duckdb.DuckDBPyConnection, stage: Stage, own: str, canonical: str | None
) -> Cells | None:
    """Read every different cell of a column, without markers of missing answers; None if empty."""
    sources = _list_sources(stage, own)
    if not sources:
        return None
    # A marker of missing answers says nothing of anyone.
    marks = markers_of(canonical or "", stage.source.spec.missing)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE gate_cells AS SELECT v, sum(n) AS n FROM "
        f"({' UNION ALL '.join(sources)}) "
        f"WHERE NOT coalesce({is_marker('v', marks)}, false) GROUP BY v"
    )
    plain = "TRY_CAST(v AS DOUBLE) IS NULL"
    row: Any = connection.execute(
        f"SELECT count(*), count(*) FILTER (WHERE {plain}), sum(n) FILTER (WHERE {plain}) "
        "FROM gate_cells"
    ).fetchone()
    size, different, filled = (int(x or 0) for x in row)
    if not size:
        return None
    if size <= _ALL:
        return _read_all(connection, different, filled)
    rows = connection.execute(
        f"SELECT {_FORM} AS form, sum(n), "
        f"arg_min(struct_pack(v := v, n := n), hash(v), {_OF_FORM}) "
        "FROM gate_cells GROUP BY ALL ORDER BY sum(n) DESC, form"
    ).fetchall()
    if size <= _ALL_REMARKS and len(rows) > _FORMS:
        return _read_all(connection, different, filled)
    cells: list[tuple[str, int]] = []
    forms: list[str] = []
    sizes: dict[str, tuple[int, int]] = {}
    for form, total, sample in rows:
        # Many forms make a small sample of each.
        kept = sample[: max(20, _OF_FORM * 50 // len(rows))]
        cells += [(one["v"], one["n"]) for one in kept]
        forms += [form] * len(kept)
        sizes[form] = (len(kept), int(total))
    return Cells(make_cells(cells), different, filled, sizes, forms)


def _read_all(connection: duckdb.DuckDBPyConnection, different: int, filled: int) -> Cells:
    found = connection.execute("SELECT v, n FROM gate_cells ORDER BY v").fetchall()
    return Cells(make_cells(found), different, filled)


def _list_sources(stage: Stage, own: str) -> list[str]:
    """Write SQL for every different text of a column, and for its larger whole numbers.

    A number that is large enough to be an age over 89 is looked at as text.
    """
    cell = stage.cell(own)
    sources = []
    for part in stage.parts:
        known = stage.cell(own, part)
        if own in part.texts:
            sources.append(f"SELECT v, n FROM {part.texts[own]}")
            continue  # no number stands in a column of text
        if not known.plain:
            sources.append(
                f"SELECT {cell.text} AS v, 1 AS n FROM {part.relation} "
                f"WHERE {cell.text} IS NOT NULL"
            )
        if not known.plain or not known.highest < _SMALLEST_NUMBER:
            sources.append(
                f"SELECT CAST(CAST({cell.number} AS HUGEINT) AS VARCHAR) AS v, 1 AS n "
                f"FROM {part.relation} "
                f"WHERE {cell.number} >= {_SMALLEST_NUMBER} AND {cell.number} < 1e18 "
                f"AND {cell.number} = floor({cell.number})"
            )
    return sources
