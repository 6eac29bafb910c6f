"""A workbook -> one UTF-8 CSV per sheet, cells as the text that a clinic would have typed.

Row r of a sheet stands on line r - header row + 1 of its copy, so that a message can name the
sheet's own row. What a sheet shows and a copy cannot hold is never blank: a formula that was never
calculated becomes `#FORMULA!`, an error keeps its text (`#REF!`), a number that the sheet turned
into a date becomes an ISO date, which the gate sees. Names of sheets may be names of patients:
messages call a sheet by its number.
"""

from __future__ import annotations

import csv
import html
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any

from headway.errors import InputError, Problem
from headway.ingest.open.names import SEARCHED, count_held, find_header, match_names
from headway.messages import Message

# What stands in the place of a formula without a calculated value; `cells` knows it as an error.
UNCALCULATED = "#FORMULA!"
# A workbook that unpacks to more is no clinic's export; zip packs a thousand to one.
MAX_UNPACKED = 2 * 1024**3
_CHUNK = 1024 * 1024
# Longest tag that the scan of a sheet's XML looks for.
_OVERLAP = 512
_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]*?\bref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')
_HIDDEN_ROW = re.compile(rb'<(?:\w+:)?row\b[^>]*?\bhidden="(?:1|true)"')
_HIDDEN_COLUMN = re.compile(rb'<(?:\w+:)?col\b[^>]*?\bhidden="(?:1|true)"')
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# By what is in them, the workbooks that calamine reads.
_OTHER_KINDS = frozenset({".xls", "xl/workbook.bin", "content.xml"})
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True, slots=True)
class SheetCopy:
    """One sheet as a CSV file.

    `number` counts the workbook's tabs from 1; `first_line` is the sheet's row below its header.
    """

    path: Path
    sheet: str
    number: int
    header: tuple[str, ...]
    first_line: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the XML of a sheet says beside its cells."""

    formulas: bool
    merged: tuple[tuple[int, int, int, int], ...]  # first column, first row, last column, last row
    hidden_rows: int
    hidden_columns: int


def read_workbook(
    raw: Path,
    sheet_spec: str | Sequence[str] | None,
    target: Path,
    *,
    decimal: str = ".",
    wanted: Sequence[str] = (),
    header_row: int | None = None,
) -> list[SheetCopy]:
    """Write the declared sheets of a workbook as CSV files into the folder `target`.

    Numbers become their shortest text (`3.0` is `3`), booleans `1` and `0`, dates ISO text (with a
    time of day in every cell of a column in which any has one), times and lengths of time `H:MM`;
    line ends within a cell become blanks. The value of merged cells stands in each of them. Rows
    without a cell of their own stay as empty lines, those at the end go. Hidden rows, columns and
    sheets are read like others, and noted.

    Parameters
    ----------
    raw
        The workbook: XLSX by openpyxl, which tells formulas; XLS, XLSB and ODS by calamine.
    sheet_spec
        Name of a sheet, a list of names, `"*"` for all, or None for the first.
    target
        Folder for the copies.
    decimal
        How numbers are written, so that they stand beside texts such as `2,5` in one column.
    wanted
        Columns that the header holds: it is the first row that does, else the first with any cell.
    header_row
        The row of the header in the sheet, from 1.

    Returns
    -------
    list of SheetCopy
        In the order in which they were declared.

    Raises
    ------
    InputError
        `damaged_workbook` (also with a password), `oversized_workbook`, `missing_sheet`,
        `empty_file` (a sheet without a cell), `merged_header`.
    """
    with _open_book(raw) as book:
        target.mkdir(parents=True, exist_ok=True)
        return [
            _copy_sheet(raw, book, number, target, decimal, wanted, header_row)
            for number in _choose_sheets(raw, book.sheets, sheet_spec)
        ]


def read_tops(raw: Path, limit: int = SEARCHED) -> list[tuple[str, list[list[str]]]]:
    """Read the first rows of every sheet as text, merged cells filled: name of the sheet, rows.

    Raises
    ------
    InputError
        `damaged_workbook`, `oversized_workbook`.
    """
    with _open_book(raw) as book:
        tops = []
        for name in book.sheets:
            rows = _fill_merged(book.rows(name, False), book.facts(name).merged)
            tops.append((name, [_names(row) for row in islice(rows, limit)]))
        return tops


@contextmanager
def _open_book(raw: Path) -> Iterator[_OpenpyxlBook | _CalamineBook]:
    """Open a workbook by the library that reads its kind."""
    names = _check_container(raw)
    # A warning of a library may repeat the value of a cell.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = _CalamineBook(raw) if _OTHER_KINDS & names else _OpenpyxlBook(raw)
        try:
            yield book
        finally:
            book.close()


def _problem(
    raw: Path, rule: str, message: str, remedy: str, line: int | None = None
) -> InputError:
    return InputError(
        "failure.workbook", [Problem(raw.name, rule, message, line=line, remedy=remedy)]
    )


def _is_ole(raw: Path) -> bool:
    with raw.open("rb") as stream:
        return stream.read(8) == _OLE


def _damaged(raw: Path, *, locked: bool | None = None) -> InputError:
    if _is_ole(raw) if locked is None else locked:
        return _problem(raw, "damaged_workbook", "problem.locked_workbook", "remedy.no_password")
    return _problem(raw, "damaged_workbook", "problem.damaged_workbook", "remedy.open_and_save")


def _check_container(raw: Path) -> frozenset[str]:
    """Refuse what unpacks to an absurd size (as its own directory says); return what is packed."""
    if _is_ole(raw):
        return frozenset({".xls"})  # no zip file: one stream of records
    try:
        with zipfile.ZipFile(raw) as archive:
            # The size that is declared binds: zipfile reads no further.
            size = sum(entry.file_size for entry in archive.infolist())
            names = frozenset(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise _damaged(raw) from None
    if size > MAX_UNPACKED:
        raise _problem(
            raw,
            "oversized_workbook",
            Message("problem.oversized_workbook", gigabytes=MAX_UNPACKED // 1024**3),
            "remedy.export_csv",
        )
    return names


# Where a workbook says who made it, and which of it may name someone.
_PROPERTIES = ("docProps/core.xml", "docProps/app.xml", "docProps/custom.xml", "meta.xml")
_PROPERTY = re.compile(
    r"<(?:\w+:)?(creator|lastModifiedBy|initial-creator|title|subject|description|keywords|keyword"
    r"|category|manager|company|contentStatus|lpwstr|user-defined)\b[^>]*>([^<]{1,2000})<",
    re.IGNORECASE,
)
_MAX_PROPERTIES = 1_000_000


def read_properties(raw: Path) -> dict[str, str]:
    """Read what a workbook says of itself: who made and changed it, title, company, comments.

    Returns
    -------
    dict
        Name of the property -> text; empty for a file that is none, and for the old .xls.
    """
    out: dict[str, str] = {}
    if not zipfile.is_zipfile(raw):
        return out
    try:
        with zipfile.ZipFile(raw) as archive:
            for name in {*_PROPERTIES} & {*archive.namelist()}:
                with archive.open(name) as stream:
                    text = stream.read(_MAX_PROPERTIES).decode("utf-8", "replace")
                for key, value in _PROPERTY.findall(text):
                    out[key] = "; ".join(filter(None, (out.get(key), html.unescape(value))))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, zlib.error):
        return out  # opening the workbook says what is wrong with it
    return out


class _OpenpyxlBook:
    """An XLSX workbook, read row by row."""

    def __init__(self, raw: Path) -> None:
        self.raw = raw
        self.book = _load(raw, data_only=True)
        tables = {sheet.title for sheet in self.book.worksheets}
        # Number, from 1, and name of each sheet of cells; sheets of nothing but a chart are none.
        self.sheets = {
            name: i for i, name in enumerate(self.book.sheetnames, start=1) if name in tables
        }

    def close(self) -> None:
        _close(self.book)

    def is_hidden(self, name: str) -> bool:
        return bool(self.book[name].sheet_state != "visible")

    def facts(self, name: str) -> _Facts:
        return _scan(self.raw, self.book, self.book[name])

    def rows(self, name: str, formulas: bool) -> Iterator[Sequence[object]]:
        """Yield the values of each row; a formula that was never calculated says so."""
        if not formulas:
            for row in _rows(self.raw, self.book[name]):
                yield [cell.value for cell in row]
            return
        other = _load(self.raw, data_only=False)
        try:
            # Both readings yield the same rows, one with values and one with formulas.
            pairs = zip(_rows(self.raw, self.book[name]), _rows(self.raw, other[name]), strict=True)
            for row, twin in pairs:
                yield [
                    # A text that was calculated to be empty is blank, and says its type.
                    UNCALCULATED
                    if cell.value is None and asked.data_type == "f" and cell.data_type != "str"
                    else cell.value
                    for cell, asked in zip(row, twin, strict=True)
                ]
        finally:
            _close(other)


class _CalamineBook:
    """A workbook in one of the other formats."""

    def __init__(self, raw: Path) -> None:
        import python_calamine

        self.raw = raw
        # The library goes by the name of a file; of bytes it looks at what they are.
        with raw.open("rb") as stream:
            self.book = self._try(python_calamine.CalamineWorkbook.from_filelike, stream)
        kinds = python_calamine.SheetTypeEnum
        told = self.book.sheets_metadata
        self.sheets = {
            sheet.name: i
            for i, sheet in enumerate(told, start=1)
            if sheet.typ in (kinds.WorkSheet, kinds.MacroSheet)
        }
        self.hidden = {
            sheet.name
            for sheet in told
            if sheet.visible != python_calamine.SheetVisibleEnum.Visible
        }

    def _try(self, call: Callable[..., Any], *arguments: object) -> Any:
        """Call the library, whose errors and panics say that the file is damaged."""
        import python_calamine

        try:
            return call(*arguments)
        except python_calamine.PasswordError:
            raise _damaged(self.raw, locked=True) from None
        except BaseException as error:
            # A panic of the library is no Exception, and has no name to import.
            panic = type(error).__name__ == "PanicException"
            if isinstance(error, MemoryError) or not (isinstance(error, Exception) or panic):
                raise
            raise _damaged(self.raw) from None

    def close(self) -> None:
        self._try(self.book.close)

    def is_hidden(self, name: str) -> bool:
        return name in self.hidden

    def facts(self, name: str) -> _Facts:
        sheet = self._try(self.book.get_sheet_by_name, name)
        if zipfile.is_zipfile(self.raw):
            merged = _merged_of_ods(self.raw, name)
        else:
            merged = tuple(
                (left + 1, top + 1, right + 1, bottom + 1)
                for (top, left), (bottom, right) in sheet.merged_cell_ranges or ()
            )
        return _Facts(False, merged, 0, 0)

    def rows(self, name: str, formulas: bool) -> Iterator[Sequence[object]]:
        """Yield the values of each row."""
        sheet = self._try(self.book.get_sheet_by_name, name)
        rows = self._try(sheet.iter_rows)
        margin = [None] * (sheet.start or (0, 0))[1]
        while (row := self._try(next, rows, None)) is not None:
            yield [*margin, *row]


def _merged_of_ods(raw: Path, name: str) -> tuple[tuple[int, int, int, int], ...]:
    """List the merged cells of a sheet of ODS, which its cells say themselves."""
    from xml.etree.ElementTree import ParseError, iterparse

    space = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
    merged: list[tuple[int, int, int, int]] = []
    at, row, column = "", 1, 1
    try:
        with zipfile.ZipFile(raw) as archive:
            if "content.xml" not in archive.namelist():
                return ()
            with archive.open("content.xml") as stream:
                for event, element in iterparse(stream, events=("start", "end")):
                    tag = element.tag.removeprefix(space)
                    if event == "start" and tag == "table":
                        at, row, column = element.get(f"{space}name", ""), 1, 1
                    elif event == "end" and at == name and tag == "table-row":
                        row += int(element.get(f"{space}number-rows-repeated", 1))
                        column = 1
                        element.clear()
                    elif event == "end" and tag in ("table-cell", "covered-table-cell"):
                        rows = int(element.get(f"{space}number-rows-spanned", 1))
                        columns = int(element.get(f"{space}number-columns-spanned", 1))
                        if at == name and (rows > 1 or columns > 1):
                            merged.append((column, row, column + columns - 1, row + rows - 1))
                        column += int(element.get(f"{space}number-columns-repeated", 1))
    except (ParseError, zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError):
        raise _damaged(raw) from None
    return tuple(merged)


def _load(raw: Path, *, data_only: bool) -> Any:
    from openpyxl import load_workbook

    # Given a path, the library refuses names that it does not know, and the name may be any.
    stream = raw.open("rb")
    try:
        book = load_workbook(stream, read_only=True, data_only=data_only, keep_links=False)
    except MemoryError:
        stream.close()
        raise
    except Exception:  # the library has no error of its own for what is damaged
        stream.close()
        raise _damaged(raw) from None
    book.stream = stream
    return book


def _close(book: Any) -> None:
    book.close()
    book.stream.close()


def _choose_sheets(
    raw: Path, numbers: Mapping[str, int], spec: str | Sequence[str] | None
) -> list[int]:
    """Return the numbers of the declared sheets, from 1."""
    if not numbers:
        raise _problem(raw, "missing_sheet", "problem.no_sheet", "remedy.no_sheet")
    if spec is None:
        return [min(numbers.values())]
    if spec == "*":
        return sorted(numbers.values())
    folded = {name.strip().casefold(): number for name, number in numbers.items()}
    chosen, problems = [], []
    wanted = [spec] if isinstance(spec, str) else list(spec)
    for i, name in enumerate(wanted, start=1):
        number = numbers.get(name, folded.get(name.strip().casefold()))
        if number is None:
            text = Message("problem.missing_sheet", n=len(numbers))
            if len(wanted) > 1:
                text = Message("problem.missing_sheet_of_several", number=i, n=len(numbers))
            problems.append(Problem(raw.name, "missing_sheet", text, remedy="remedy.missing_sheet"))
        elif number not in chosen:
            chosen.append(number)
    if problems:
        raise InputError("failure.sheet_missing", problems)
    return chosen


def _scan(raw: Path, book: Any, sheet: Any) -> _Facts:
    """Look through the XML of a sheet for what reading by row does not tell."""
    formulas, rows, columns = False, 0, 0
    merged: list[tuple[int, int, int, int]] = []
    tail, first = b"", True
    try:
        with book._archive.open(sheet._worksheet_path) as stream:
            while chunk := stream.read(_CHUNK):
                # In another encoding than UTF-8 the tags cannot be seen: look for formulas then.
                formulas = formulas or (first and chunk[:2] in (b"\xff\xfe", b"\xfe\xff"))
                first = False
                data = tail + chunk
                # What ends within the tail was counted with the chunk before.
                new = len(tail)
                formulas = formulas or _FORMULA.search(data) is not None
                rows += sum(m.end() > new for m in _HIDDEN_ROW.finditer(data))
                columns += sum(m.end() > new for m in _HIDDEN_COLUMN.finditer(data))
                for m in _MERGED.finditer(data):
                    if m.end() > new:
                        left, top, right, bottom = m.groups()
                        merged.append(
                            (_column_number(left), int(top), _column_number(right), int(bottom))
                        )
                tail = data[-_OVERLAP:]
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, ValueError):
        raise _damaged(raw) from None
    return _Facts(formulas, tuple(merged), rows, columns)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _rows(raw: Path, sheet: Any) -> Iterator[Any]:
    """Yield the rows of a sheet; whatever the library raises says that the file is damaged."""
    # The size that a sheet states may be wrong, and would cut it off.
    sheet.reset_dimensions()
    rows = sheet.iter_rows()
    while True:
        try:
            row = next(rows, None)
        except MemoryError:
            raise
        except Exception:
            raise _damaged(raw) from None
        if row is None:
            return
        yield row


def _fill_merged(
    rows: Iterable[Sequence[object]], merged: Sequence[tuple[int, int, int, int]]
) -> Iterator[list[object]]:
    """Repeat the value of merged cells in each of them.

    A row that has no cell of its own stays empty: it is one more line of a record, not another.
    """
    waiting = sorted(merged, key=lambda area: area[1], reverse=True)
    open_areas: list[tuple[tuple[int, int, int, int], object]] = []
    for line, row in enumerate(rows, start=1):
        values = list(row)
        open_areas = [(area, value) for area, value in open_areas if area[3] >= line]
        while waiting and waiting[-1][1] <= line:
            area = waiting.pop()
            value = values[area[0] - 1] if area[0] <= len(values) else None
            open_areas.append((area, value))
        if any(not _is_blank(value) for value in values):
            for (left, _, right, _), value in open_areas:
                if _is_blank(value):
                    continue
                values += [None] * (right - len(values))
                values[left - 1 : right] = [value] * (right - left + 1)
        yield values


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _text(value: object, decimal: str) -> str:
    """Write a cell as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < 1e15
        return str(int(value)) if whole else repr(value).replace(".", decimal)
    if isinstance(value, datetime):
        return value.date().isoformat() if _at_midnight(value) else _moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return _clock(
            timedelta(
                hours=value.hour,
                minutes=value.minute,
                seconds=value.second,
                microseconds=value.microsecond,
            )
        )
    if isinstance(value, timedelta):
        return _clock(value)
    # Line ends go, so that a row is a line; so does NUL, which no text file may hold.
    return " ".join(str(value).replace("\0", " ").splitlines())


def _at_midnight(value: date) -> bool:
    return not isinstance(value, datetime) or value.time() == time()


def _moment(value: datetime) -> str:
    """Write a date with its time of day, rounded: a time is a binary share of a day."""
    return (value + timedelta(microseconds=500_000)).replace(microsecond=0).isoformat(" ")


def _clock(length: timedelta) -> str:
    """Write a length of time as H:MM, with seconds only where there are some."""
    # A time is a binary share of a day: half a second is rounding.
    seconds = round(length.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    hours, rest = divmod(seconds, 3600)
    text = f"{sign}{hours}:{rest // 60:02d}"
    return f"{text}:{rest % 60:02d}" if rest % 60 else text


def _copy_sheet(
    raw: Path,
    book: _OpenpyxlBook | _CalamineBook,
    number: int,
    target: Path,
    decimal: str,
    wanted: Sequence[str],
    header_row: int | None,
) -> SheetCopy:
    name = next(name for name, i in book.sheets.items() if i == number)
    facts = book.facts(name)
    rows = _fill_merged(book.rows(name, facts.formulas), facts.merged)
    lines = _cut_empty(enumerate(rows, start=1))
    above, head, below = _split_header(lines, wanted, header_row)
    if head is None:
        raise _problem(
            raw, "empty_file", Message("problem.empty_sheet", number=number), "remedy.empty_sheet"
        )
    at, names = head
    _check_merged(raw, number, facts, at)
    header = tuple(" ".join(_text(value, decimal).split()) for value in names)
    path = target / f"sheet_{number}.csv"
    before = next(i for i, name in enumerate(header) if name)
    table = _write_table(path, header, at, below, decimal, before)
    if before and not table.margin_used:
        header = header[before:]
        _cut_margin(path, before)
    if table.wide * 2 > table.rows:
        # A few rows with a remark beside the table are quarantined; this is another header.
        raise _problem(
            raw,
            "merged_header",
            Message("problem.wide_sheet", number=number, n=len(header)),
            "remedy.wide_sheet",
            line=at,
        )
    counts = {
        "account.above_header": above,
        "account.formulas": table.uncalculated,
        "account.merged": sum(bottom > at for _, _, _, bottom in facts.merged),
        "account.hidden_rows": facts.hidden_rows,
        "account.hidden_columns": facts.hidden_columns,
    }
    notes = [Message(id, n=count) for id, count in counts.items() if count]
    if book.is_hidden(name):
        notes.append(Message("account.hidden_sheet"))
    return SheetCopy(path, name, number, header, at + 1, tuple(notes))


_Row = tuple[int, list[object]]


def _cut_empty(rows: Iterable[_Row]) -> Iterator[_Row]:
    """Cut empty cells off the end of each row, and pass over rows without a cell."""
    for line, values in rows:
        width = len(values)
        while width and _is_blank(values[width - 1]):
            width -= 1
        if width:
            yield line, values[:width]


def _split_header(
    rows: Iterator[_Row], wanted: Sequence[str], header_row: int | None
) -> tuple[int, _Row | None, Iterator[_Row]]:
    """Part a sheet at its header: how many rows stand above it, the header, the rows below it."""
    first: list[_Row] = []
    for line, values in rows:
        first.append((line, values))
        if header_row is not None:
            if line >= header_row:
                break
        elif len(first) >= SEARCHED or _holds_all(values, wanted):
            break
    if header_row is not None:
        found = [i for i, (line, _) in enumerate(first) if line == header_row]
        if not found:
            return 0, None, rows
        at = found[0]
    else:
        at, _ = find_header([_names(values) for _, values in first], wanted)
    if not first:
        return 0, None, rows
    return at, first[at], chain(first[at + 1 :], rows)


def _holds_all(values: Sequence[object], wanted: Sequence[str]) -> bool:
    return count_held(match_names(_names(values), wanted), wanted) == len(set(wanted))


def _names(values: Sequence[object]) -> list[str]:
    return [_text(value, ".") for value in values]


@dataclass(slots=True)
class _Table:
    """What was seen of a sheet while its rows were written."""

    rows: int = 0
    wide: int = 0
    uncalculated: int = 0
    margin_used: bool = False


def _write_table(
    path: Path,
    header: Sequence[str],
    at: int,
    below: Iterable[_Row],
    decimal: str,
    before: int,
) -> _Table:
    """Write a sheet from its header on: one line per row, empty ones for rows without a cell."""
    seen, last = _Table(), at
    timed: set[int] = set()
    midnights: set[int] = set()
    with path.open("w", encoding="utf-8", newline="") as copy:
        writer = csv.writer(copy, lineterminator="\n")
        writer.writerow(header)
        for line, values in below:
            copy.write("\n" * (line - last - 1))
            last = line
            for i, value in enumerate(values):
                if isinstance(value, date):
                    (midnights if _at_midnight(value) else timed).add(i)
            texts = [_text(value, decimal) for value in values]
            seen.rows += 1
            seen.wide += len(texts) > len(header)
            seen.uncalculated += sum(t == UNCALCULATED for t in texts)
            cells = [t.strip() for t in texts[:before]] + texts[before:]
            seen.margin_used = seen.margin_used or any(cells[:before])
            writer.writerow(cells + [""] * (len(header) - len(cells)))
    if timed & midnights:
        _write_midnights(path, timed & midnights)
    return seen


def _write_midnights(path: Path, columns: set[int]) -> None:
    """Give every date a time in columns in which others have one: midnight is a time, too."""
    dates = path.with_suffix(".dates")
    path.replace(dates)
    with (
        dates.open(encoding="utf-8", newline="") as source,
        path.open("w", encoding="utf-8", newline="") as copy,
    ):
        writer = csv.writer(copy, lineterminator="\n")
        for row in csv.reader(source):
            for i in columns & set(range(len(row))):
                if _ISO_DATE.fullmatch(row[i]):
                    row[i] += " 00:00:00"
            if row:
                writer.writerow(row)
            else:
                copy.write("\n")
    dates.unlink()


def _cut_margin(path: Path, columns: int) -> None:
    """Take empty columns before a table out of its copy, in which each is a comma."""
    wide = path.with_suffix(".wide")
    path.replace(wide)
    with (
        wide.open(encoding="utf-8", newline="\n") as source,
        path.open("w", encoding="utf-8", newline="") as copy,
    ):
        for line in source:
            copy.write(line[columns:] if line != "\n" else line)
    wide.unlink()


def _check_merged(raw: Path, number: int, facts: _Facts, header_row: int) -> None:
    """Refuse a header in which a name stands over several columns."""
    over = sorted(
        (left, right)
        for left, top, right, bottom in facts.merged
        if top <= header_row <= bottom and right > left
    )
    if over:
        places = [f"{left}–{right}" for left, right in over]
        raise _problem(
            raw,
            "merged_header",
            Message("problem.merged_header", number=number, places=places),
            "remedy.wide_sheet",
            line=header_row,
        )
