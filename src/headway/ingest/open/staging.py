"""A plain text file -> a staged table in DuckDB: every row with its line, every cell as it stands.

Numbers are read by the engine, in one pass over the file and with every core. The few rows that
it cannot read so are taken from its list of rejects and staged as text, so that one bad cell costs
one cell. Files with blank lines, line ends within cells or stray quotes take a slower way to the
same table.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headway.errors import InputError, Problem
from headway.ingest.cells import MAX_INT, Staged, cell_of, ident, literal, normal
from headway.ingest.open.layout import MAX_LINE
from headway.ingest.open.rows import count_lines, fit_row, normalise, split_line, write_rows
from headway.ingest.open.sources import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

# More rejected rows than this share, and the columns they fail in are read as text from the start.
_MAX_REJECTED = 0.05
# So many malformed rows are looked at one by one whatever their share.
_FEW = 1000
# Rows of a block in which gaps before a row are looked for.
_GAP_BLOCK = 1024
# Rejected rows stand behind all others where rows are told apart.
REST = 1 << 39
_STRUCTURE = {"MISSING COLUMNS": "missing_columns", "TOO MANY COLUMNS": "too_many_columns"}


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a staged file: a relation with `pos` and what is known of its columns.

    `texts` names, for columns of text, a table of every different text and how often it stands
    there (v, n); in the columns `clean` none is the error of a spreadsheet.
    """

    relation: str
    plain: Mapping[str, tuple[float, float, bool]]  # own column -> lowest, highest, whole
    texts: Mapping[str, str] = field(default_factory=dict)
    clean: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Layout:
    """A processed table that a file may be written as while it is read, so that it stands once.

    `names` maps every own column to the table's; those of `whole` hold whole numbers, which take
    four bytes each. Columns of the table that the file does not have are not written.
    """

    names: Mapping[str, str]
    whole: frozenset[str]


@dataclass(frozen=True, slots=True)
class Stage:
    """A staged file: `relation` with `pos` and the columns `n<i>`, `t<i>` of its header.

    Texts stand in their normal form (`cells.normal`), and none is empty.

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
    # Table of the malformed rows: `line` and the cells `t<i>`, as far as they are there.
    malformed_relation: str = ""
    # Of a grid: SQL for the days from the one that a row is about to the one of its cell.
    step: str = ""
    # A file that was written as a `Layout` asks: its rows are those of the first part.
    laid_out: Path | None = None

    def line_sql(self, pos: str) -> str:
        """Write SQL for the line of a row in the clinic's own file."""
        offset = self.source.line_offset
        if not self.counted:
            return f"({pos} + {offset})"
        read = self.counted.replace("{pos}", pos)
        return f"(CASE WHEN {pos} >= {REST} THEN {pos} - {REST} ELSE {read} END + {offset})"

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
    except (duckdb.IOException, duckdb.OutOfMemoryException):
        raise  # of the machine, not of the file
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
    keys: Collection[str] = (),
    layout: Layout | None = None,
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
    keys
        Own columns in which a marker of missing cells is a text like another.
    layout
        The table that the staged file is to be, as far as its cells can be read so.

    Returns
    -------
    Stage
        `line` is the line in the clinic's own file. Columns under `drop:` are not staged.

    Raises
    ------
    InputError
        If the file cannot be read as text, or changed while it was read.
    """
    import duckdb

    dropped = set(source.spec.drop)
    kept = tuple(c for c in source.header if c not in dropped)
    columns = set(numbers), set(whole), set(keys)
    plain = None
    with reading(source):
        if source.by_line:
            with suppress(duckdb.InvalidInputException):
                # What the engine will not read, the slower way may.
                plain = _stage_plain(connection, source, kept, *columns, scratch, layout)
        staged = plain or _stage_slowly(connection, source, kept, scratch)
    source.check_unchanged()
    return staged


def _scan(source: Source, path: Path, numbers: Collection[str], marks: Collection[str] = ()) -> str:
    """FROM clause over the clinic's file: numbers as numbers, the rest as text."""
    columns = {
        f"c{i}": "DOUBLE" if c in numbers else "VARCHAR" for i, c in enumerate(source.header)
    }
    return _csv(path, columns, source.delimiter, source.skip, ("", *marks), "")


def _marks(source: Source) -> list[str]:
    """List the markers of missing cells that the engine may take for blanks: words such as `NA`.

    They spare a column of numbers from being read as text. Markers that are numbers are left to
    `cells`, which knows in which columns they count.
    """
    return [m for m in map(str, source.spec.missing) if m and not is_number(m)]


def _csv(
    path: Path,
    columns: Mapping[str, str],
    delimiter: str = ",",
    skip: int = 0,
    marks: Collection[str] = ("",),
    more: str = f", max_line_size = {MAX_LINE}",
) -> str:
    """FROM clause over a text file; long lines need long buffers, which cost speed."""
    typed = ", ".join(f"{literal(c)}: '{t}'" for c, t in columns.items())
    return (
        f"read_csv({literal(path)}, header = false, skip = {skip}, auto_detect = false, "
        "compression = 'none', "
        f"delim = {literal(delimiter)}, quote = '\"', escape = '\"', encoding = 'utf-8', "
        f"columns = {{{typed}}}, nullstr = [{', '.join(map(literal, marks))}]{more}, "
        "store_rejects = true, rejects_limit = 0, rejects_scan = 'scan_of_file', "
        "rejects_table = 'rejects_of_file')"
    )


def is_number(marker: object) -> bool:
    """Tell whether a marker of missing cells is a number."""
    try:
        return math.isfinite(float(str(marker)))
    except ValueError:
        return False


def _forget_rejects(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("DROP TABLE IF EXISTS rejects_of_file")
    connection.execute("DROP TABLE IF EXISTS scan_of_file")


def _copy(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    kept: Sequence[str],
    numbers: Collection[str],
    target: Path,
    marks: Collection[str] = (),
    layout: Layout | None = None,
) -> int:
    """Read the file in one pass into a scratch file; return the number of rows."""
    _forget_rejects(connection)
    at = {c: i for i, c in enumerate(source.header)}
    if layout is None:
        selects = ", ".join(f"c{at[c]} AS c{i}" for i, c in enumerate(kept)) or "1 AS c0"
        compression = "uncompressed"
    else:
        cells = {name: f"c{at[c]}" for c, name in layout.names.items()}
        cells |= {layout.names[c]: _as_whole(f"c{at[c]}") for c in layout.whole}
        selects = ", ".join(f"{cell} AS {ident(name)}" for name, cell in cells.items())
        compression = "zstd"
    scan = _scan(source, source.path, numbers, marks)
    row = connection.execute(
        f"COPY (SELECT {selects} FROM {scan}) TO {literal(target)} "
        f"(FORMAT parquet, COMPRESSION {compression})"
    ).fetchone()
    return int(row[0]) if row else 0


def _as_whole(cell: str) -> str:
    """Write SQL for a whole number in four bytes; an error of the engine where a cell is none."""
    return (
        f"CASE WHEN {cell} = floor({cell}) AND abs({cell}) <= {MAX_INT!r} "
        f"THEN CAST({cell} AS INTEGER) WHEN {cell} IS NOT NULL THEN error('not whole') END"
    )


@dataclass(frozen=True, slots=True)
class _Rejects:
    """What the engine would not read: rows with an unreadable cell, malformed rows, by line."""

    cells: Mapping[int, list[str]]
    malformed: Mapping[int, tuple[str, list[str]]]
    failed: frozenset[int] = frozenset()
    many: bool = False


def _read_once(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    kept: Sequence[str],
    numbers: set[str],
    keys: set[str],
    target: Path,
    layout: Layout | None,
) -> tuple[int, _Rejects, set[str], Layout | None] | None:
    """Read a file in one pass, again where too much was not as expected; None if no line is a row.

    Returns the rows that were read, the rejects, the columns that were read as numbers, and the
    layout if the file could be written so.
    """
    import duckdb

    marks = _marks(source)
    try:
        rows = _copy(connection, source, kept, numbers, target, marks, layout)
    except duckdb.InvalidInputException:
        if layout is None:
            raise
        layout = None  # a number that should be whole is not
        rows = _copy(connection, source, kept, numbers, target, marks)
    places = [i for i, c in enumerate(kept) if c in keys - numbers]
    if marks and _any_blank(connection, target, [_held(kept, layout)[i] for i in places]):
        # A word for a missing cell may be someone's code: every cell is read as it stands.
        marks = []
        rows = _copy(connection, source, kept, numbers, target, marks, layout)
    rejects = _read_rejects(connection, source, rows)
    if rejects is not None and rejects.many:
        # A column of durations or notes: no numbers for the engine. Read it as text.
        numbers, layout = numbers - {source.header[i] for i in rejects.failed}, None
        rows = _copy(connection, source, kept, numbers, target, marks)
        rejects = _read_rejects(connection, source, rows)
    if rejects is None or rejects.many:
        return None
    return rows, rejects, numbers, layout


def _held(kept: Sequence[str], layout: Layout | None) -> list[str]:
    """Name the columns of a scratch file, in the order of the own columns that it holds."""
    return [f"c{i}" if layout is None else layout.names[own] for i, own in enumerate(kept)]


def _any_blank(connection: duckdb.DuckDBPyConnection, target: Path, columns: list[str]) -> bool:
    """Tell from what a staged file says of its blocks whether a column may have a blank cell."""
    if not columns:
        return False
    names = ", ".join(map(literal, columns))
    row: Any = connection.execute(
        "SELECT bool_or(stats_null_count IS NULL OR stats_null_count > 0) "
        f"FROM parquet_metadata({literal(target)}) WHERE path_in_schema IN ({names})"
    ).fetchone()
    return bool(row[0])


def _stage_plain(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    kept: Sequence[str],
    numbers: set[str],
    whole: set[str],
    keys: set[str],
    scratch: Path,
    layout: Layout | None,
) -> Stage | None:
    """Stage a file in which a line is a row; None if it is not such a file."""
    target = scratch / f"{source.id}.parquet"
    read = _read_once(connection, source, kept, numbers, keys, target, layout)
    if read is None:
        return None
    rows, rejects, numbers, layout = read
    held = dict(zip(kept, map(ident, _held(kept, layout)), strict=True))
    lines = count_lines(source.path) if source.lines is None else source.lines
    gone = sorted({*rejects.cells, *rejects.malformed})
    if lines != source.skip + rows + len(gone):
        return None
    rest = [(REST + line, cells) for line, cells in sorted(rejects.cells.items())]
    spoilt = [(line, cells) for line, (_, cells) in sorted(rejects.malformed.items())]
    others, malformed = f"rest_{source.id}", f"malformed_{source.id}"
    _store_rows(connection, source, kept, rest, others, scratch)
    _store_rows(connection, source, kept, spoilt, malformed, scratch)
    # The i-th row that was read stands behind all rejected data rows q_j (sorted, counted from 1)
    # with q_j - j + 1 <= i.
    thresholds = [line - source.skip - j for j, line in enumerate(gone)]
    counted = _store_gaps(connection, source, thresholds, rows)
    scan = f"read_parquet({literal(target)}, file_row_number = true)"
    texts, clean, as_they_stand = _count_texts(connection, source, target, held, numbers)
    parts = []
    for i, (own, column) in enumerate(held.items()):
        if own in numbers:
            parts.append(f"CAST({column} AS DOUBLE) AS n{i}, CAST(NULL AS VARCHAR) AS t{i}")
        else:
            text = column if own in as_they_stand else cell_of(column)
            parts.append(f"CAST(NULL AS DOUBLE) AS n{i}, {text} AS t{i}")
    main, relation = f"main_{source.id}", f"staged_{source.id}"
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {main} AS SELECT "
        f"file_row_number AS pos{''.join(', ' + p for p in parts)} FROM {scan}"
    )
    plain = {own: column for own, column in held.items() if own in numbers}
    sure = frozenset() if layout is None else layout.whole
    facts = _facts(connection, target, plain, whole, sure)
    found = [Part(main, facts, texts, clean)]
    union = ""
    if rest:
        found.append(Part(others, {}))
        union = f" UNION ALL SELECT * FROM {others}"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {relation} AS SELECT * FROM {main}{union}")
    offset = source.line_offset
    return Stage(
        source,
        relation,
        tuple(found),
        tuple(kept),
        rows + len(rest),
        tuple((line + offset, rule) for line, (rule, _) in sorted(rejects.malformed.items())),
        counted,
        malformed,
        laid_out=target if layout and {*layout.names} <= numbers | as_they_stand else None,
    )


def _store_gaps(
    connection: duckdb.DuckDBPyConnection, source: Source, thresholds: Sequence[int], rows: int
) -> str:
    """Write SQL for the line of a row: its number, and how many `thresholds` it has reached.

    The sorted thresholds lie in a variable of the engine and are found by the block of the number.
    """
    number = "({pos} + 1)"
    if not thresholds:
        return f"{number} + {source.skip}"
    starts = [bisect_left(thresholds, b * _GAP_BLOCK) for b in range(rows // _GAP_BLOCK + 3)]
    connection.execute(f"SET VARIABLE gaps_{source.id} = ?", [list(thresholds)])
    connection.execute(f"SET VARIABLE starts_{source.id} = ?", [starts])
    gaps, start = f"getvariable('gaps_{source.id}')", f"getvariable('starts_{source.id}')"
    block = f"{number} // {_GAP_BLOCK}"
    near = f"{gaps}[{start}[{block} + 1] + 1:{start}[{block} + 2]]"
    near = f"len(list_filter({near}, lambda g: g <= {number}))"
    return f"CAST({number} + {source.skip} + {start}[{block} + 1] + {near} AS BIGINT)"


def _facts(
    connection: duckdb.DuckDBPyConnection,
    target: Path,
    plain: Mapping[str, str],
    whole: set[str],
    sure: frozenset[str],
) -> dict[str, tuple[float, float, bool]]:
    """Find the lowest and highest value of each plain column, and whether all are whole.

    Whether they are whole is looked at in the columns `whole` alone, and known of `sure`; the
    others say False. The ends come from what the staged file says of its blocks, where it says so:
    `nan` and infinite values leave them open, and then the rows are read.
    """
    if not plain:
        return {}
    told: dict[str, Any] = {
        ident(str(column)): ends
        for column, *ends, known in connection.execute(
            "SELECT path_in_schema, min(TRY_CAST(stats_min_value AS DOUBLE)), "
            "max(TRY_CAST(stats_max_value AS DOUBLE)), bool_and(num_values = stats_null_count OR "
            "(stats_min_value IS NOT NULL AND stats_max_value IS NOT NULL)) "
            f"FROM parquet_metadata({literal(target)}) GROUP BY ALL"
        ).fetchall()
        if known
    }
    selects, asked = [], []
    for own, c in plain.items():
        if c not in told:
            asked.append(c)
            selects.append(f"[min({c}), max({c})]")
        if own in whole - sure:
            asked.append(f"whole {c}")
            selects.append(f"bool_and({c} = floor({c}))")
    if selects:
        found = connection.execute(f"SELECT {', '.join(selects)} FROM {literal(target)}")
        told |= dict(zip(asked, found.fetchone() or (), strict=True))
    facts = {}
    for own, c in plain.items():
        low, high = told.get(c, (None, None))
        # Nothing at all lies between these two; a column of nothing but `nan` is not empty.
        empty = (math.inf, -math.inf, True)
        are_whole = own in sure or bool(told.get(f"whole {c}"))
        facts[own] = empty if low is None else (low, high, are_whole)
    return facts


def _count_texts(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    target: Path,
    held: Mapping[str, str],
    numbers: set[str],
) -> tuple[dict[str, str], frozenset[str], frozenset[str]]:
    """Count every different text once, so that the gate and the casts need not look at each row.

    Returns
    -------
    tuple
        Tables of texts, the columns without an error of a spreadsheet, and those of which every
        text is in its normal form already.
    """
    texts, clean, normal_ones = {}, set(), set()
    for i, (own, column) in enumerate(held.items()):
        if own in numbers:
            continue
        table = texts[own] = f"texts_{source.id}_{i}"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {column} AS v, count(*) AS n "
            f"FROM {literal(target)} WHERE {column} IS NOT NULL GROUP BY ALL"
        )
        row: Any = connection.execute(
            f"SELECT bool_and(CASE WHEN regexp_full_match(v, '[!-~]+') THEN true "
            f"ELSE v = {normal('v')} END), bool_or(starts_with(v, '#')) FROM {table}"
        ).fetchone()
        if row[0] is not False:
            normal_ones.add(own)
        else:
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {cell_of('v')} AS v, "
                f"sum(n) AS n FROM {table} GROUP BY ALL HAVING v IS NOT NULL"
            )
        if not row[1]:
            clean.add(own)
    return texts, frozenset(clean), frozenset(normal_ones)


def _read_rejects(
    connection: duckdb.DuckDBPyConnection, source: Source, rows: int
) -> _Rejects | None:
    """Sort the engine's rejects: rows with an unreadable cell, malformed rows, failing columns.

    None where a line is not a row, or too many are malformed to look at each.
    """
    kinds = ", ".join(map(literal, _STRUCTURE))
    counts: Any = connection.execute(
        "SELECT count(*) FILTER (WHERE kind <> 'CAST' AND kind NOT IN ("
        f"{kinds})), count(DISTINCT line) FILTER (WHERE kind = 'CAST'), "
        f"count(DISTINCT line) FILTER (WHERE kind IN ({kinds})), "
        "list(DISTINCT column_idx) FILTER (WHERE kind = 'CAST') "
        "FROM (SELECT *, error_type::VARCHAR AS kind FROM rejects_of_file)"
    ).fetchone()
    strange, unread, spoilt, failed = counts
    if strange or spoilt > max(_FEW, _MAX_REJECTED * rows):
        return None
    if unread > _MAX_REJECTED * (rows + unread):
        return _Rejects({}, {}, frozenset(int(i) - 1 for i in failed), many=True)
    cells: dict[int, list[str]] = {}
    malformed: dict[int, tuple[str, list[str]]] = {}
    for line, text in connection.execute(
        "SELECT line, any_value(csv_line) FROM rejects_of_file GROUP BY line"
    ).fetchall():
        text = str(text).strip("\r\n")
        found = split_line(text, source.delimiter)
        if "\n" in text or "\r" in text or not text.strip():
            return None
        rule = fit_row(found, len(source.header))
        if rule:
            malformed[int(line)] = (rule, found)
        else:
            cells[int(line)] = found
    return _Rejects(cells, malformed)


def _store_rows(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    kept: Sequence[str],
    rows: Sequence[tuple[int, Sequence[str]]],
    relation: str,
    scratch: Path,
) -> None:
    """Stage a few rows as text, each with its number."""
    path = scratch / f"{relation}.csv"
    write_rows(path, rows, len(source.header))
    _load_rows(connection, source, kept, path, relation, malformed=relation.startswith("malformed"))


def _load_rows(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    kept: Sequence[str],
    path: Path,
    relation: str,
    *,
    malformed: bool,
) -> None:
    """Stage a file of rows that begin with a number: as `pos`, n and t; malformed ones with t."""
    at = {c: i for i, c in enumerate(source.header)}
    first = f"number + {source.line_offset} AS line" if malformed else "number AS pos"
    number = "" if malformed else "CAST(NULL AS DOUBLE) AS n{i}, "
    cells = "".join(
        f", {number.format(i=i)}{cell_of(f'c{at[c]}')} AS t{i}" for i, c in enumerate(kept)
    )
    columns = {"number": "BIGINT"} | {f"c{i}": "VARCHAR" for i in range(len(source.header))}
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {relation} AS SELECT {first}{cells} "
        f"FROM {_csv(path, columns)}"
    )


def _stage_slowly(
    connection: duckdb.DuckDBPyConnection, source: Source, kept: Sequence[str], scratch: Path
) -> Stage:
    """Stage a file whose rows are not lines, through a copy in which they are."""
    copy, spoilt = scratch / f"{source.id}.lines.csv", scratch / f"{source.id}.spoilt.csv"
    malformed = normalise(source, copy, spoilt)
    _forget_rejects(connection)
    relation, others = f"staged_{source.id}", f"malformed_{source.id}"
    _load_rows(connection, source, kept, copy, relation, malformed=False)
    _load_rows(connection, source, kept, spoilt, others, malformed=True)
    row: Any = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
    offset = source.line_offset
    return Stage(
        source,
        relation,
        (Part(relation, {}),),
        tuple(kept),
        int(row[0]),
        tuple((line + offset, rule) for line, rule in malformed),
        malformed_relation=others,
    )
