"""Hold tables against their contracts, write them and read them back."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import ContractError, Problem
from headway.tables.columns import Column, Table
from headway.tables.contracts import TABLES
from headway.tables.diary import read_table_sql
from headway.tables.engine import open_engine, quote, share_engine
from headway.tables.private import restrict
from headway.tables.texts import guard, unguard

if TYPE_CHECKING:
    import pandas as pd

_HELD_ROWS = 50_000  # of a table that is held rather than read again: about 10 MB
_DTYPES = {"text": "str", "int": "Int64", "float": "float64", "bool": "bool"}


def empty(name: str) -> pd.DataFrame:
    """Make a table of the contract with its columns and types and no row."""
    import pandas as pd

    return pd.DataFrame(
        {c: pd.Series(dtype=_DTYPES[spec.kind]) for c, spec in TABLES[name].columns.items()}
    )


def conform(name: str, frame: pd.DataFrame, *, check: bool = True) -> pd.DataFrame:
    """Give a DataFrame the contract's column order and types, then validate it.

    `check=False` leaves the validation out, for a table that is made many times on the way and
    never written.

    Text may be held as categories (`read_categories`), and stays so.

    Columns of the contract that the frame lacks are added empty where the contract lets them
    be empty; columns that the contract does not know are an error, so that nothing is lost.
    """
    import pandas as pd

    spec = TABLES[name].columns
    there = set(frame.columns)
    missing = [c for c, rule in spec.items() if c not in there and not rule.nullable]
    extra = [c for c in frame.columns if c not in spec]
    if missing or extra:
        problems = [Problem(name, "missing_column", "is missing", column=c) for c in missing]
        problems += [
            Problem(name, "unknown_column", "is not in the table's contract", column=c)
            for c in extra
        ]
        raise ContractError(
            f"the table '{name}' does not have the columns of its contract", problems
        )
    none = pd.Series([None] * len(frame), index=frame.index, dtype="object")
    kept = {c: _cast(frame[c] if c in there else none, rule.kind) for c, rule in spec.items()}
    out = pd.DataFrame(kept, index=frame.index, copy=False).reset_index(drop=True)
    if check:
        validate(name, out)
    return out


def _cast(cells: pd.Series, kind: str) -> pd.Series:
    if kind != "text":
        return cells.astype(_DTYPES[kind])
    if cells.dtype == "category":
        return cells.cat.remove_categories("") if "" in cells.cat.categories else cells
    if str(cells.dtype) != _DTYPES["text"]:
        cells = cells.astype("object")
        cells = cells.where(cells.notna(), None).astype("str")
    blank = cells == ""
    return cells.where(~blank) if blank.any() else cells


def validate(name: str, frame: pd.DataFrame) -> None:
    """Hold a DataFrame against the contract of the table `name`.

    Raises
    ------
    ContractError
        With one problem per broken rule and column: how many rows, and the first row's number.
        Cell values are left out, since the table may hold health data.
    """
    table = TABLES[name]
    if not is_sound(table, frame):
        _explain(name, table, frame)


def is_sound(table: Table, frame: pd.DataFrame) -> bool:
    """Tell whether a DataFrame keeps every rule of a contract, in a fraction of pandera's time."""
    if list(frame.columns) != list(table.columns):
        return False
    if table.key and frame.duplicated(list(table.key)).any():
        return False
    return all(_is_kept(rule, frame[column]) for column, rule in table.columns.items())


def _is_kept(rule: Column, cells: pd.Series) -> bool:
    held = str(cells.dtype)
    if held != _DTYPES[rule.kind] and (rule.kind, held) != ("text", "category"):
        return False
    there = cells.notna()
    if not there.all():
        if not rule.nullable:
            return False
        cells = cells[there]
    return bool(
        (not rule.allowed or cells.isin(rule.allowed).all())
        and (rule.low is None or (cells >= rule.low).all())
        and (rule.high is None or (cells <= rule.high).all())
        and (not rule.pattern or cells.str.match(rule.pattern).all())
    )


def _explain(name: str, table: Table, frame: pd.DataFrame) -> None:
    """Raise the error that says which rules are broken."""
    import pandera.pandas as pa

    columns = {}
    for column, rule in table.columns.items():
        checks: list[Any] = []
        if rule.allowed:
            checks.append(pa.Check.isin(list(rule.allowed)))
        if rule.low is not None:
            checks.append(pa.Check.ge(rule.low))
        if rule.high is not None:
            checks.append(pa.Check.le(rule.high))
        if rule.pattern:
            checks.append(pa.Check.str_matches(rule.pattern))
        kind: str | None = _DTYPES[rule.kind]
        if rule.kind == "text" and column in frame and frame[column].dtype == "category":
            kind = None
        columns[column] = pa.Column(kind, checks=checks, nullable=rule.nullable)
    schema = pa.DataFrameSchema(columns, strict=True, ordered=True, unique=list(table.key) or None)
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        problems = []
        for (column, check), rows in cases.groupby(["column", "check"], dropna=False, sort=False):
            index = rows["index"].dropna()
            first = int(index.iloc[0]) + 1 if len(index) else None
            message = f"breaks the rule in {len(rows)} row(s)"
            if first is not None:
                message += f", first in row {first}"
            problems.append(Problem(name, str(check), message, column=str(column)))
        text = f"the table '{name}' breaks its contract"
        # `from None`: pandera's own message prints the failing cells.
        raise ContractError(text, problems) from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file beside its place and move it there whole, so that no half of it is ever read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    except BaseException as error:
        part.unlink(missing_ok=True)  # a full disk is not to stay full
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)  # what a disk says of a write names no file
        raise


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Write several files beside their folder, and move them there when all of them are whole.

    The folder is made where it is not there, else its files of these names are replaced, with
    Ctrl-C held back meanwhile.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir()
        yield part
        with _undisturbed():
            if not folder.exists():
                part.rename(folder)
            for path in sorted(part.rglob("*")):
                if path.is_file():
                    (folder / path.relative_to(part)).parent.mkdir(parents=True, exist_ok=True)
                    path.replace(folder / path.relative_to(part))
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM until the block is over."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {n: signal.signal(n, lambda number, frame: came.append(number)) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])


def write_text(text: str, path: Path) -> None:
    """Write a text file: UTF-8, whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table byte for byte the same on every run: UTF-8, LF, 12 digits, empty = missing.

    Text that a spreadsheet would run as a formula gets an apostrophe, which `read_csv` takes away.
    """
    texts = frame.select_dtypes(["object", "string"]).columns
    safe = frame.assign(
        **{c: [guard(v) if isinstance(v, str) else v for v in frame[c]] for c in texts}
    )
    with replacing(path) as part:
        safe.to_csv(part, index=False, float_format="%.12g", lineterminator="\n", encoding="utf-8")


def read_csv(name: str, path: Path, *, check: bool = True) -> pd.DataFrame:
    """Read a table that `write_csv` wrote back into its contract's types.

    `check=False` leaves the validation out, as in `conform`.
    """
    import pandas as pd

    text = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    spec = TABLES[name].columns
    out = {column: _read_cells(text[column], spec[column].kind) for column in text.columns}
    return conform(name, pd.DataFrame(out), check=check)


def read_older_csv(name: str, path: Path) -> tuple[pd.DataFrame, tuple[str, ...], tuple[str, ...]]:
    """Read a table that another version of this program may have written.

    Returns
    -------
    DataFrame
        The contract's columns, those that the file lacks empty; not validated.
    tuple of str
        Columns of the contract that the file lacks.
    tuple of str
        Columns of the file that the contract does not know; they are left out.

    Raises
    ------
    ValueError
        If the file is no table, or a column of numbers holds something else.
    """
    import pandas as pd

    text = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    spec = TABLES[name].columns
    frame = pd.DataFrame(index=text.index)
    for column, rule in spec.items():
        there = column in text.columns
        frame[column] = _read_cells(text[column], rule.kind) if there else None
    lacking = tuple(column for column in spec if column not in text.columns)
    return frame, lacking, tuple(str(column) for column in text.columns if column not in spec)


def _read_cells(cells: pd.Series, kind: str) -> pd.Series:
    """Turn the text of a column into its kind."""
    import pandas as pd

    values = cells.tolist()
    held: Any
    if kind == "text":
        texts = (v if isinstance(v, str) else "" for v in values)
        held = pd.array([unguard(v) if v[:1] == "'" else v or None for v in texts], dtype="str")
    elif kind == "bool":
        held = [v == "True" for v in values]
    else:
        held = pd.to_numeric(np.array([v or None for v in values], dtype=object))
    return pd.Series(held, index=cells.index, dtype=None if values else cells.dtype)


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a row-level table as parquet, in the order of its rows."""
    # One thread, one row group after the other: the same bytes.
    with replacing(path) as part, open_engine(threads=1) as connection:
        connection.register("frame", frame)
        texts = [c for c in frame if frame[c].dtype == "category"]
        plain = ", ".join(f'"{c}"::VARCHAR AS "{c}"' for c in texts)
        rows = f"(SELECT * REPLACE ({plain}) FROM frame)" if texts else "frame"
        connection.execute(f"COPY {rows} TO {quote(part)} (FORMAT parquet, COMPRESSION zstd)")
        restrict(part)


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a row-level table; of `days.parquet` without the rows that were set aside."""
    with share_engine() as connection:
        return connection.execute(f"SELECT * FROM {read_table_sql(path.parent, path.stem)}").df()


def read_categories(
    path: Path, people: pd.Index | None = None, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a row-level table with its texts as categories: a number per row, every text once.

    Memory and comparisons are then those of small numbers. Categories are sorted.

    Parameters
    ----------
    path
        A parquet file.
    people
        Codes of people in the file and others, where they are known already.
    columns
        Those to read, in this order; all by default.
    """
    import pandas as pd

    with open_engine(near=path.parent) as connection:
        source = f"read_parquet({quote(path)})"
        if columns is not None:
            source = f"(SELECT {', '.join(map(_quote_name, columns))} FROM {source})"
        described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        texts = [str(row[0]) for row in described if row[1] == "VARCHAR"]
        for i, column in enumerate(texts):
            known = f'SELECT DISTINCT "{column}" AS v FROM {source} WHERE "{column}" IS NOT NULL'
            if column == "patient_id" and people is not None:
                connection.register("people", pd.DataFrame({"v": people.astype("str")}))
                known = "SELECT v FROM people"
            connection.execute(f"CREATE TYPE t{i} AS ENUM ({known} ORDER BY 1)")
        casts = ", ".join(f'"{c}"::t{i} AS "{c}"' for i, c in enumerate(texts))
        chosen = f"* REPLACE ({casts})" if texts else "*"
        out = connection.execute(f"SELECT {chosen} FROM {source}").df()
    return settle_texts(out, people)


def settle_texts(frame: pd.DataFrame, people: pd.Index | None = None) -> pd.DataFrame:
    """Leave categories without an order, and spell codes of people out, each text held once.

    Codes of people stay text: pandas cannot match the groups of an empty table by category. With
    `people`, sorted, all tables share the same texts.
    """
    import pandas as pd

    for column in frame.select_dtypes("category"):
        frame[column] = frame[column].cat.as_unordered()
    if "patient_id" in frame and isinstance(frame["patient_id"].dtype, pd.CategoricalDtype):
        held = frame["patient_id"].array
        known = held.categories
        if people is not None and known.equals(people):
            known = people
        spelled = known.to_numpy(object)[held.codes]
        frame["patient_id"] = pd.Series(spelled, dtype="str", index=frame.index)
    return frame


def share_texts(frame: pd.DataFrame, people: pd.Index) -> pd.DataFrame:
    """Hold every text of a table once, codes of people as those of `people`, of whom all are."""
    import pandas as pd

    shared = {}
    for column in frame.select_dtypes("str"):
        if column == "patient_id":
            codes, texts = people.get_indexer(frame[column]), people
        else:
            codes, texts = pd.factorize(frame[column], use_na_sentinel=False)
        held = np.asarray(texts, object)[codes]
        shared[column] = pd.Series(held, index=frame.index, dtype="str")
    return frame.assign(**shared)


@dataclass(frozen=True, slots=True)
class Stored:
    """A row-level table on disk, of which columns are read where they are asked for.

    One of few rows is read once, and held.

    Attributes
    ----------
    path
        A parquet file.
    people
        As for `read_categories`.
    rows
        How many rows it has.
    filled
        Columns in which any row has a value.
    """

    path: Path
    people: pd.Index | None
    rows: int
    filled: frozenset[str]
    _held: list[pd.DataFrame] = field(default_factory=list, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return self.rows

    def read(self, *columns: str) -> pd.DataFrame:
        """Read columns, as `read_categories` does; every call gives the rows in the same order."""
        if self.rows > _HELD_ROWS:
            return read_categories(self.path, self.people, columns)
        if not self._held:
            self._held.append(read_categories(self.path, self.people))
        return self._held[0][list(columns)]


def open_stored(path: Path, people: pd.Index | None = None) -> Stored:
    """Look at a row-level table without holding it: its rows, and which columns have values."""
    source = f"read_parquet({quote(path)})"
    with share_engine() as connection:
        names = [str(row[0]) for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()]
        counts = ", ".join(f"count({_quote_name(name)})" for name in names)
        row = connection.execute(f"SELECT count(*), {counts} FROM {source}").fetchone() or (0,)
    filled = frozenset(name for name, n in zip(names, row[1:], strict=True) if n)
    return Stored(path, people, int(row[0]), filled)


def _quote_name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def stack(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put tables of the same columns under each other; texts that are categories stay so.

    A list of parts is emptied, column by column, so that no second copy of all of them is held.
    """
    import pandas as pd
    from pandas.api.types import union_categoricals

    names, left = list(parts[0]), [part.copy(deep=False) for part in parts]
    if isinstance(parts, list):
        parts.clear()
    held: dict[str, Any] = {}
    for column in names:
        columns = [part.pop(column) for part in left]
        if any(isinstance(c.dtype, pd.CategoricalDtype) for c in columns):
            held[column] = union_categoricals(
                [c.astype("category").array for c in columns], sort_categories=True
            )
        else:
            held[column] = pd.concat(columns, ignore_index=True).array
    return pd.DataFrame(held, columns=names, copy=False)


def count_rows(path: Path) -> int:
    """Count the rows of a row-level table without reading them."""
    with share_engine() as connection:
        row = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone()
    return int(row[0]) if row else 0
