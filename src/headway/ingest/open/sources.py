"""Whatever a clinic exports -> a plain UTF-8 text file with one header line, in a scratch folder.

Read here: CSV and TSV in any encoding and with any of four delimiters, gzip, XLSX, Parquet, FHIR
bundles. A file that is plain already is read where it stands. Nothing is interpreted: cells keep
their text, and a later step (the gate, `cells`) says what may be used.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from headway.config.clinic import ClinicFile
from headway.errors import InputError, Problem
from headway.messages import Message

if TYPE_CHECKING:
    from headway.ingest.adapters.fhir import Flat

DELIMITERS = (",", ";", "\t", "|")
# A cell longer than this is no cell; the engine reads lines up to this length.
MAX_LINE = 16 * 1024 * 1024
_CHUNK = 1024 * 1024
# A remark may hold line ends; a row over more lines than this has lost a quote.
_MAX_LINES_OF_A_ROW = 50
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """One declared file, ready to be read as plain text.

    `name` is what messages call it (a sheet is named with its workbook); `lines` are the lines of
    `path`, where they were counted on the way; `line_offset` is what a line number of `path` must
    be raised by to be the line of the clinic's own file.
    """

    kind: str
    index: int
    name: str
    path: Path
    spec: ClinicFile
    header: tuple[str, ...]
    delimiter: str
    raw: Path
    stat: tuple[int, int]
    lines: int | None = None
    line_offset: int = 0
    sheet: str = ""
    notes: tuple[str, ...] = field(default=())
    flat: Flat | None = None  # of resources of FHIR

    @property
    def id(self) -> str:
        """A name for scratch tables."""
        return f"{self.kind}_{self.index}"

    def check_unchanged(self) -> None:
        """Refuse a file that was written to while it was read.

        Raises
        ------
        InputError
            If its size or time of change differ from when it was opened.
        """
        if stat_of(self.raw) != self.stat:
            raise InputError(
                "failure.changed",
                [
                    Problem(
                        self.raw.name, "file_changed", "problem.changed", remedy="remedy.changed"
                    )
                ],
            )


def stat_of(path: Path) -> tuple[int, int]:
    """Size and time of change of a file."""
    now = path.stat()
    return now.st_size, now.st_mtime_ns


def open_source(
    folder: Path,
    kind: str,
    index: int,
    spec: ClinicFile,
    wanted: Sequence[str],
    scratch: Path,
) -> list[Source]:
    """Open one declared file; a workbook gives one source per sheet.

    Parameters
    ----------
    folder
        The clinic's folder.
    kind, index
        Kind of records, and a number for the file.
    spec
        Its entry in clinic.yaml with defaults.
    wanted
        The columns that clinic.yaml names, by which the delimiter is told.
    scratch
        Folder for what has to be unpacked or transcoded.

    Raises
    ------
    InputError
        If the file is missing, damaged, empty, or not what its name says.
    """
    raw = folder / spec.path
    if not raw.is_file():
        raise InputError(
            "failure.file_missing", [Problem(raw.name, "missing_file", "problem.not_there")]
        )
    before = stat_of(raw)
    suffixes = [s.lower() for s in raw.suffixes]
    packed = bool(suffixes) and suffixes[-1] == ".gz"
    form = (suffixes[-2] if len(suffixes) > 1 else "") if packed else (suffixes or [""])[-1]
    target = scratch / f"{kind}_{index}"
    if form in (".xlsx", ".xlsm"):
        return _open_workbook(raw, kind, index, spec, before, target)
    if form in (".json", ".ndjson"):
        return [_open_fhir(raw, kind, index, spec, wanted, before, target)]
    if form == ".parquet":
        return [_open_parquet(raw, kind, index, spec, before, target)]
    if form in (".xls", ".xlsb", ".ods"):
        what = "problem.old_workbook" if form == ".xls" else "problem.other_workbook"
        raise _cannot_read(raw, "old_workbook", what, "remedy.save_as_xlsx")
    path = _unpack(raw, target.with_suffix(".unpacked")) if packed else raw
    path, lines = _as_utf8(path, raw.name, spec.encoding, target.with_suffix(".utf8"))
    delimiter, header = _read_header(path, raw.name, spec.delimiter, wanted)
    return [Source(kind, index, raw.name, path, spec, header, delimiter, raw, before, lines)]


def _cannot_read(raw: Path, rule: str, message: str, remedy: str) -> InputError:
    return InputError("failure.unreadable", [Problem(raw.name, rule, message, remedy=remedy)])


def _unpack(raw: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with gzip.open(raw) as packed, target.open("wb") as plain:
            while chunk := packed.read(_CHUNK):
                plain.write(chunk)
    except (EOFError, OSError, zlib.error):
        raise _cannot_read(
            raw, "damaged_gzip", "problem.damaged_gzip", "remedy.copy_again"
        ) from None
    return target


def _as_utf8(path: Path, name: str, declared: str, target: Path) -> tuple[Path, int | None]:
    """Return the file itself if it is UTF-8, else a copy that is; and its lines, if counted."""
    encoding, lines = _find_encoding(path, name, declared)
    if encoding == "utf-8":
        return path, lines
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            path.open(encoding=encoding, newline="") as source,
            target.open("w", encoding="utf-8", newline="") as copy,
        ):
            while chunk := source.read(_CHUNK):
                if "\0" in chunk:
                    raise _nul(name)
                copy.write(chunk)
    except (UnicodeError, LookupError):
        raise InputError("failure.unreadable", [_wrong_encoding(name)]) from None
    return target, None


def _find_encoding(path: Path, name: str, declared: str) -> tuple[str, int | None]:
    """Tell the encoding: a byte-order mark, else as declared, else UTF-8 or Windows-1252.

    UTF-8 is held against the whole file, whose lines are counted on the way, and a file with NUL
    bytes is no text.
    """
    with path.open("rb") as stream:
        start = stream.read(4)
        for mark, encoding in _BOMS:
            if start.startswith(mark):
                found = encoding
                break
        else:
            found = "" if declared == "auto" else codecs.lookup(declared).name
        if found not in ("", "utf-8"):
            return found, None
        stream.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        lines, last = 0, b"\n"
        while chunk := stream.read(_CHUNK):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
            if b"\0" in chunk:
                raise _nul(name)
            try:
                # Plain ASCII, the usual case, needs no decoder; a cut character stays with it.
                if not chunk.isascii() or decoder.getstate()[0]:
                    decoder.decode(chunk)
            except UnicodeDecodeError:
                if found == "utf-8":
                    raise InputError("failure.unreadable", [_wrong_encoding(name)]) from None
                return "cp1252", None
    return "utf-8", lines + (last != b"\n")


def _nul(name: str) -> InputError:
    return InputError(
        "failure.unreadable",
        [Problem(name, "not_text", "problem.nul_bytes", remedy="remedy.nul_bytes")],
    )


def _wrong_encoding(name: str) -> Problem:
    return Problem(name, "encoding", "problem.encoding", remedy="remedy.encoding")


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return stream.readline(MAX_LINE)


def _read_header(
    path: Path, name: str, declared: str, wanted: Sequence[str]
) -> tuple[str, tuple[str, ...]]:
    """Read the header by the declared delimiter, or by the one under which it fits clinic.yaml."""
    line = _first_line(path)
    candidates = DELIMITERS if declared == "auto" else (declared,)
    best: tuple[str, tuple[str, ...]] = (candidates[0], ())
    found = -1
    for delimiter in candidates:
        cells: list[str] = []
        try:
            with path.open(encoding="utf-8-sig", newline="") as stream:
                cells = next(_reader(stream, delimiter), [])
        except csv.Error:
            pass
        header = tuple(cell.strip() for cell in cells)
        score = sum(column in header for column in wanted) * 1000 + min(len(header), 999)
        if score > found:
            best, found = (delimiter, header), score
    if not line.strip() or not any(best[1]):
        raise InputError(
            "failure.unreadable", [Problem(name, "empty_file", "problem.no_header", line=1)]
        )
    return best


def _reader(stream: IO[str], delimiter: str) -> Any:
    csv.field_size_limit(MAX_LINE)
    return csv.reader(stream, delimiter=delimiter)


def _open_workbook(
    raw: Path,
    kind: str,
    index: int,
    spec: ClinicFile,
    before: tuple[int, int],
    target: Path,
) -> list[Source]:
    from headway.ingest.adapters.spreadsheet import read_workbook

    copies = read_workbook(raw, spec.sheet, target, decimal=spec.decimal)
    return [
        Source(
            kind,
            index * 1000 + i,
            raw.name if len(copies) == 1 else f"{raw.name} (sheet {copy.number})",
            copy.path,
            spec,
            copy.header,
            ",",
            raw,
            before,
            line_offset=copy.first_line - 2,
            sheet=copy.sheet,
            notes=tuple(copy.notes),
        )
        for i, copy in enumerate(copies)
    ]


def _open_fhir(
    raw: Path,
    kind: str,
    index: int,
    spec: ClinicFile,
    wanted: Sequence[str],
    before: tuple[int, int],
    target: Path,
) -> Source:
    from headway.ingest.adapters.fhir import flatten, list_wants

    if spec.fhir is None:
        raise InputError(
            "failure.unreadable",
            [
                Problem(
                    "clinic.yaml",
                    "fhir_undeclared",
                    Message("problem.fhir_undeclared", kind=kind),
                    remedy="remedy.fhir_undeclared",
                )
            ],
        )
    flat = flatten(
        raw,
        target.with_suffix(".csv"),
        resource=spec.fhir.resource,
        wants=list_wants(spec, wanted),
    )
    return Source(
        kind,
        index,
        raw.name,
        flat.path,
        spec,
        flat.header,
        ",",
        raw,
        before,
        line_offset=flat.line_offset,
        flat=flat,
    )


def _open_parquet(
    raw: Path,
    kind: str,
    index: int,
    spec: ClinicFile,
    before: tuple[int, int],
    target: Path,
) -> Source:
    """Write a Parquet file as text: dates as ISO text, booleans as 1 and 0, so that the gate sees.

    Row numbers stand for lines: the first row is line 2, as in a text file with a header.
    """
    import duckdb

    path = target.with_suffix(".csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    source = "'" + str(raw).replace("'", "''") + "'"
    try:
        with duckdb.connect() as connection:
            connection.execute("SET preserve_insertion_order = true")
            columns = connection.execute(
                f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {source})"
            ).fetchall()
            selects = []
            for name, kind_of in columns:
                quoted = '"' + name.replace('"', '""') + '"'
                cast = f"CAST({quoted} AS INTEGER)" if kind_of == "BOOLEAN" else quoted
                selects.append(f"CAST({cast} AS VARCHAR) AS {quoted}")
            connection.execute(
                f"COPY (SELECT {', '.join(selects)} FROM {source}) TO "
                f"'{str(path).replace(chr(39), chr(39) * 2)}' (FORMAT csv, HEADER true)"
            )
    except duckdb.Error:
        raise _cannot_read(
            raw, "damaged_parquet", "problem.damaged_parquet", "remedy.write_again"
        ) from None
    header = tuple(str(name) for name, _ in columns)
    return Source(kind, index, raw.name, path, spec, header, ",", raw, before)


def count_lines(path: Path) -> int:
    """Count the physical lines of a file; an unended last one counts."""
    lines, last = 0, b"\n"
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return lines + (last != b"\n")


def normalise(source: Source, target: Path) -> list[tuple[int, str]]:
    """Write a file with blank lines, cells over several lines or stray quotes as one line per row.

    Line ends within a cell become blanks; the copy has no header, and a first column with the
    line of each row.

    Returns
    -------
    list of (line, rule)
        Rows left out: `missing_columns`, `too_many_columns`, `unquoted_value`.

    Raises
    ------
    InputError
        If a quote is not closed, which would swallow the rows after it.
    """
    width, bad = len(source.header), []
    with (
        source.path.open(encoding="utf-8-sig", newline="") as raw,
        target.open("w", encoding="utf-8", newline="") as copy,
    ):
        csv.field_size_limit(MAX_LINE)
        reader = csv.reader(raw, delimiter=source.delimiter, strict=True)
        writer = csv.writer(copy, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
        start, header = 1, True
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                if "end of data" in str(error):
                    raise _open_quote(source, start) from None
                bad.append((start, "unquoted_value"))
                start = reader.line_num + 1
                continue
            line, start = start, reader.line_num + 1
            if reader.line_num - line > _MAX_LINES_OF_A_ROW:
                raise _open_quote(source, line)
            if header:
                header = False
            elif not cells:
                continue
            elif len(cells) != width:
                rule = "missing_columns" if len(cells) < width else "too_many_columns"
                bad.append((line, rule))
            else:
                writer.writerow([line, *(" ".join(c.splitlines()) for c in cells)])
    return bad


def _open_quote(source: Source, line: int) -> InputError:
    return InputError(
        "failure.unreadable",
        [
            Problem(
                source.name,
                "open_quote",
                "problem.open_quote",
                line=line + source.line_offset,
                remedy="remedy.open_quote",
            )
        ],
    )
