"""A plain text file -> a staged table in DuckDB: every row with its line, every cell as it stands.

Numbers are read by the engine, in one pass over the file and with every core. The few rows that
it cannot read so are taken from its list of rejects and staged as text, so that one bad cell costs
one cell. Files with blank lines, line ends within cells or stray quotes take a slower way to the
same table.
"""

from __future__ import annotations

import csv
import io
import math
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headway.errors import InputError, Problem
from headway.ingest.cells import Staged, literal, normal
from headway.ingest.open.sources import MAX_LINE, Source, count_lines, normalise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

# More rejected rows than this share, and the columns they fail in are read as text from the start.
_MAX_REJECTED = 0.05
# Rows of a block in which gaps before a row are looked for.
_GAP_BLOCK = 1024
# Rejected rows stand behind all others where rows are told apart.
_REST = 1 << 39
_STRUCTURE = {"MISSING COLUMNS": "missing_columns", "TOO MANY COLUMNS": "too_many_columns"}


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a staged file: a relation with `pos` and what is known of its columns.

    `texts` names, for columns of text, a table of every different text and how often it stands
    there (v, n); in the columns `clean` every text may be used as it stands: no blanks around it,
    and not the error of a spreadsheet.
    """

    relation: str
    plain: Mapping[str, tuple[float, float, bool]]  # own column -> lowest, highest, whole
    texts: Mapping[str, str] = field(default_factory=dict)
    clean: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stage:
    """A staged file: `relation` with `pos` and the columns `n<i>`, `t<i>` of its header.

    `pos` tells rows apart; the line in the clinic's file is worked out from it where it is asked
    for (`line_sql`). `parts` are the same rows again: those that the engine read as declared, and
    the rest.
    """

    source: Source
    relation: str
    parts: tuple[Part, ...]
    columns: tuple[str, ...]
    rows: int
    malformed: tuple[tuple[int, str], ...]
    # Of rows that were read in one pass: SQL from `{pos}` to the line.
    counted: str = ""
    # Rows with too few or too many cells, as text: line, t<i>.
    malformed_relation: str = ""

    def line_sql(self, pos: str) -> str:
        """Write SQL for the line of a row in the clinic's own file."""
        offset = self.source.line_offset
        if not self.counted:
            return f"({pos} + {offset})"
        read = self.counted.replace("{pos}", pos)
        return f"(CASE WHEN {pos} >= {_REST} THEN {pos} - {_REST} ELSE {read} END + {offset})"

    @property
    def rows_in(self) -> int:
        """Every data row, the malformed ones included."""
        return self.rows + len(self.malformed)

    def cell(self, own: str, part: Part | None = None) -> Staged:
        """Return a column by the clinic's own name, with what a part knows of it."""
        i = self.columns.index(own)
        if part is not None and own in part.plain:
            return Staged(f"n{i}", f"t{i}", True, *part.plain[own])
        return Staged(f"n{i}", f"t{i}", clean=part is not None and own in part.clean)


@contextmanager
def reading(source: Source) -> Iterator[None]:
    """Turn an engine error into one of ours: the engine's message repeats the line it met."""
    import duckdb

    try:
        yield
    except duckdb.Error:
        source.check_unchanged()
        raise InputError(
            "failure.unreadable",
            [Problem(source.name, "unreadable", "problem.no_text", remedy="remedy.delimiter")],
        ) from None


def stage(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    numbers: Collection[str],
    scratch: Path,
    whole: Collection[str] = (),
) -> Stage:
    """Stage one file.

    Parameters
    ----------
    connection
        DuckDB, with `preserve_insertion_order`.
    source
        The file, as plain text.
    numbers
        Own columns that hold plain numbers.
    scratch
        Folder for the staged file.
    whole
        Those among `numbers` that have to be whole.

    Returns
    -------
    Stage
        `line` is the line in the clinic's own file. Columns under `drop:` are not staged.

    Raises
    ------
    InputError
        If the file cannot be read as text, or changed while it was read.
    """
    dropped = set(source.spec.drop)
    kept = tuple(c for c in source.header if c not in dropped)
    with reading(source):
        plain = _stage_plain(connection, source, kept, set(numbers), set(whole), scratch)
        staged = plain or _stage_slowly(connection, source, kept, scratch)
    source.check_unchanged()
    return staged


def _scan(source: Source, path: Path, numbers: Collection[str], line: bool = False) -> str:
    """FROM clause over a text file; numbers as numbers, the rest as text."""
    columns = {"line": "BIGINT"} if line else {}
    columns |= {
        f"c{i}": "DOUBLE" if c in numbers else "VARCHAR" for i, c in enumerate(source.header)
    }
    typed = ", ".join(f"{literal(c)}: '{t}'" for c, t in columns.items())
    marks = ", ".join(literal(m) for m in ["", *map(str, source.spec.missing)])
    delimiter = "," if line else source.delimiter
    # Long lines need long buffers, which cost speed; a file with one takes the slower way.
    longest = f"max_line_size = {MAX_LINE}, " if line else ""
    return (
        f"read_csv({literal(path)}, header = {'false' if line else 'true'}, auto_detect = false, "
        f"delim = {literal(delimiter)}, quote = '\"', escape = '\"', encoding = 'utf-8', "
        f"columns = {{{typed}}}, nullstr = [{marks}], {longest}"
        f"store_rejects = true, rejects_limit = 0, rejects_scan = 'scan_of_file', "
        f"rejects_table = 'rejects_of_file')"
    )


def _forget_rejects(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("DROP TABLE IF EXISTS rejects_of_file")
    connection.execute("DROP TABLE IF EXISTS scan_of_file")


def _copy(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    kept: Sequence[str],
    numbers: Collection[str],
    target: Path,
) -> int:
    """Read the file in one pass into a scratch file; return the number of rows."""
    _forget_rejects(connection)
    at = {c: i for i, c in enumerate(source.header)}
    selects = ", ".join(f"c{at[c]} AS c{i}" for i, c in enumerate(kept)) or "1 AS c0"
    row = connection.execute(
        f"COPY (SELECT {selects} FROM {_scan(source, source.path, numbers)}) TO {literal(target)} "
        "(FORMAT parquet, COMPRESSION uncompressed)"
    ).fetchone()
    return int(row[0]) if row else 0


def _stage_plain(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    kept: Sequence[str],
    numbers: set[str],
    whole: set[str],
    scratch: Path,
) -> Stage | None:
    """Stage a file in which a line is a row; None if it is not such a file."""
    target = scratch / f"{source.id}.parquet"
    rows = _copy(connection, source, kept, numbers, target)
    rejects = _read_rejects(connection)
    if rejects is None:
        return None
    by_line, malformed, failed = rejects
    if len(by_line) > _MAX_REJECTED * (rows + len(by_line)):
        # A column of durations or notes: no numbers for the engine. Read it as text.
        numbers = numbers - {source.header[i] for i in failed}
        rows = _copy(connection, source, kept, numbers, target)
        rejects = _read_rejects(connection)
        if rejects is None:
            return None
        by_line, malformed, _ = rejects
    lines = count_lines(source.path) if source.lines is None else source.lines
    if lines != 1 + rows + len(by_line) + len(malformed):
        return None
    rest = _parse_rejects(source, by_line)
    if rest is None:
        return None
    _store_rest(connection, source, kept, rest)
    # The i-th row that was read stands behind all rejected data rows q_j (sorted, counted from 1)
    # with q_j - j + 1 <= i.
    gone = sorted({line - 1 for line in by_line} | {line - 1 for line, _ in malformed})
    counted = _store_gaps(connection, source, [q - j for j, q in enumerate(gone)], rows)
    scan = f"read_parquet({literal(target)}, file_row_number = true)"
    parts = []
    for i, own in enumerate(kept):
        if own in numbers:
            parts.append(f"c{i} AS n{i}, CAST(NULL AS VARCHAR) AS t{i}")
        else:
            parts.append(f"CAST(NULL AS DOUBLE) AS n{i}, c{i} AS t{i}")
    main, relation = f"main_{source.id}", f"staged_{source.id}"
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {main} AS SELECT "
        f"file_row_number AS pos{''.join(', ' + p for p in parts)} FROM {scan}"
    )
    facts = _facts(connection, target, kept, numbers, whole)
    found = [Part(main, facts, *_count_texts(connection, source, target, kept, numbers))]
    union = ""
    if rest:
        found.append(Part(f"rest_{source.id}", {}))
        union = f" UNION ALL SELECT * FROM rest_{source.id}"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {relation} AS SELECT * FROM {main}{union}")
    offset = source.line_offset
    return Stage(
        source,
        relation,
        tuple(found),
        tuple(kept),
        rows + len(rest),
        tuple((line + offset, rule) for line, rule in malformed),
        counted,
    )


def _store_gaps(
    connection: duckdb.DuckDBPyConnection, source: Source, thresholds: Sequence[int], rows: int
) -> str:
    """Write SQL for the line of a row: its number, and how many `thresholds` it has reached.

    The sorted thresholds lie in a variable of the engine and are found by the block of the number.
    """
    number = "({pos} + 1)"
    if not thresholds:
        return f"{number} + 1"
    starts = [bisect_left(thresholds, b * _GAP_BLOCK) for b in range(rows // _GAP_BLOCK + 3)]
    connection.execute(f"SET VARIABLE gaps_{source.id} = ?", [list(thresholds)])
    connection.execute(f"SET VARIABLE starts_{source.id} = ?", [starts])
    gaps, start = f"getvariable('gaps_{source.id}')", f"getvariable('starts_{source.id}')"
    block = f"{number} // {_GAP_BLOCK}"
    near = f"{gaps}[{start}[{block} + 1] + 1:{start}[{block} + 2]]"
    near = f"len(list_filter({near}, lambda g: g <= {number}))"
    return f"CAST({number} + 1 + {start}[{block} + 1] + {near} AS BIGINT)"


def _facts(
    connection: duckdb.DuckDBPyConnection,
    target: Path,
    kept: Sequence[str],
    numbers: set[str],
    whole: set[str],
) -> dict[str, tuple[float, float, bool]]:
    """Find the lowest and highest value of each plain column, and whether all are whole.

    Whether they are whole is looked at in the columns `whole` alone; the others say False. The
    ends come from what the staged file says of its blocks, where it says so: `nan` and infinite
    values leave them open, and then the rows are read.
    """
    plain = {own: f"c{i}" for i, own in enumerate(kept) if own in numbers}
    if not plain:
        return {}
    told: dict[str, Any] = {
        str(column): ends
        for column, *ends, sure in connection.execute(
            "SELECT path_in_schema, min(TRY_CAST(stats_min_value AS DOUBLE)), "
            "max(TRY_CAST(stats_max_value AS DOUBLE)), bool_and(num_values = stats_null_count OR "
            "(stats_min_value IS NOT NULL AND stats_max_value IS NOT NULL)) "
            f"FROM parquet_metadata({literal(target)}) GROUP BY ALL"
        ).fetchall()
        if sure
    }
    selects = []
    for own, c in plain.items():
        if c not in told:
            selects.append(f"[min({c}), max({c})] AS {c}")
        if own in whole:
            selects.append(f"bool_and({c} = floor({c})) AS whole_{c}")
    if selects:
        found = connection.execute(f"SELECT {', '.join(selects)} FROM {literal(target)}")
        names = [str(d[0]) for d in found.description]
        told |= dict(zip(names, found.fetchone() or (), strict=True))
    facts = {}
    for own, c in plain.items():
        low, high = told.get(c, (None, None))
        # Nothing at all lies between these two; a column of nothing but `nan` is not empty.
        empty = (math.inf, -math.inf, True)
        facts[own] = empty if low is None else (low, high, bool(told.get(f"whole_{c}")))
    return facts


def _count_texts(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    target: Path,
    kept: Sequence[str],
    numbers: set[str],
) -> tuple[dict[str, str], frozenset[str]]:
    """Count every different text once, so that the gate and the casts need not look at each row."""
    texts, clean = {}, set()
    for i, own in enumerate(kept):
        if own in numbers:
            continue
        texts[own] = f"texts_{source.id}_{i}"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {texts[own]} AS SELECT c{i} AS v, count(*) AS n "
            f"FROM {literal(target)} WHERE c{i} IS NOT NULL GROUP BY ALL"
        )
        row = connection.execute(
            f"SELECT bool_and(v = {normal('v')} AND NOT starts_with(v, '#')) FROM {texts[own]}"
        ).fetchone()
        if row and row[0] is not False:
            clean.add(own)
    return texts, frozenset(clean)


def _read_rejects(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[dict[int, str], list[tuple[int, str]], set[int]] | None:
    """Sort the engine's rejects: rows with an unreadable cell, malformed rows, failing columns.

    None where there is another kind of reject: then a line is not a row.
    """
    found = connection.execute(
        "SELECT line, error_type::VARCHAR, csv_line, column_idx FROM rejects_of_file ORDER BY line"
    ).fetchall()
    malformed = {int(n): _STRUCTURE[kind] for n, kind, _, _ in found if kind in _STRUCTURE}
    if any(kind != "CAST" and kind not in _STRUCTURE for _, kind, _, _ in found):
        return None
    cast = [r for r in found if r[1] == "CAST" and int(r[0]) not in malformed]
    return (
        {int(n): str(text) for n, _, text, _ in cast},
        sorted(malformed.items()),
        {int(r[3]) - 1 for r in cast},
    )


def _parse_rejects(source: Source, by_line: dict[int, str]) -> list[tuple[int, list[str]]] | None:
    """Split rejected rows into their cells; None where one does not split as a row."""
    rows = []
    for line, text in by_line.items():
        cells = next(csv.reader(io.StringIO(text.strip("\r\n")), delimiter=source.delimiter), [])
        if len(cells) != len(source.header) or "\n" in text.strip("\r\n"):
            return None
        rows.append((line, cells))
    return rows


def _store_rest(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    kept: Sequence[str],
    rest: list[tuple[int, list[str]]],
) -> None:
    """Stage rejected rows as text."""
    columns = "".join(f", n{i} DOUBLE, t{i} VARCHAR" for i in range(len(kept)))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE rest_{source.id} (pos BIGINT{columns})")
    at = {c: i for i, c in enumerate(source.header)}
    marks = {"", *(str(m) for m in source.spec.missing)}
    values: list[list[Any]] = []
    for line, cells in rest:
        row: list[Any] = [_REST + line]
        for own in kept:
            cell = cells[at[own]]
            row += [None, None if cell in marks else cell]
        values.append(row)
    if values:
        places = ", ".join("?" * len(values[0]))
        connection.executemany(f"INSERT INTO rest_{source.id} VALUES ({places})", values)


def _stage_slowly(
    connection: duckdb.DuckDBPyConnection, source: Source, kept: Sequence[str], scratch: Path
) -> Stage:
    """Stage a file whose rows are not lines, through a copy in which they are."""
    copy = scratch / f"{source.id}.lines.csv"
    malformed = normalise(source, copy)
    _forget_rejects(connection)
    at = {c: i for i, c in enumerate(source.header)}
    parts = [f"CAST(NULL AS DOUBLE) AS n{i}, c{at[c]} AS t{i}" for i, c in enumerate(kept)]
    relation = f"staged_{source.id}"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {relation} AS SELECT line AS pos"
        f"{''.join(', ' + p for p in parts)} FROM {_scan(source, copy, (), line=True)}"
    )
    row: Any = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
    offset = source.line_offset
    return Stage(
        source,
        relation,
        (Part(relation, {}),),
        tuple(kept),
        int(row[0]),
        tuple((line + offset, rule) for line, rule in malformed),
    )
