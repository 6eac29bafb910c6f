"""A workbook (XLSX) -> one UTF-8 CSV per sheet, cells as the text that a clinic would have typed.

Row r of a sheet stands on line r - header row + 1 of its copy, so that a message can name the
sheet's own row. What a sheet shows and a copy cannot hold is never blank: a formula that was never
calculated becomes `#FORMULA!`, an error keeps its text (`#REF!`), a number that the sheet turned
into a date becomes an ISO date, which the gate sees. Names of sheets may be names of patients:
messages call a sheet by its number.
"""

from __future__ import annotations

import csv
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from headway.errors import InputError, Problem
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
) -> list[SheetCopy]:
    """Write the declared sheets of a workbook as CSV files into the folder `target`.

    The header is the first row with any cell. Numbers become their shortest text (`3.0` is `3`),
    booleans `1` and `0`, dates ISO text, times and lengths of time `H:MM`; line ends within a cell
    become blanks. Rows without a cell stay as empty lines, those at the end go. Hidden rows,
    columns and sheets are read like others, and noted.

    Parameters
    ----------
    raw
        The workbook.
    sheet_spec
        Name of a sheet, a list of names, `"*"` for all, or None for the first.
    target
        Folder for the copies.
    decimal
        How numbers are written, so that they stand beside texts such as `2,5` in one column.

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
    _check_container(raw)
    target.mkdir(parents=True, exist_ok=True)
    # A warning of the library may repeat the value of a cell.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = _load(raw, data_only=True)
        try:
            return [
                _copy_sheet(raw, book, number, target, decimal)
                for number in _choose_sheets(raw, book, sheet_spec)
            ]
        finally:
            book.close()


def _problem(
    raw: Path, rule: str, message: str, remedy: str, line: int | None = None
) -> InputError:
    return InputError(
        "failure.workbook", [Problem(raw.name, rule, message, line=line, remedy=remedy)]
    )


def _damaged(raw: Path) -> InputError:
    with raw.open("rb") as stream:
        locked = stream.read(8) == _OLE
    if locked:
        return _problem(raw, "damaged_workbook", "problem.locked_workbook", "remedy.no_password")
    return _problem(raw, "damaged_workbook", "problem.damaged_workbook", "remedy.open_and_save")


def _check_container(raw: Path) -> None:
    """Refuse what is no zip file, or unpacks to an absurd size (as its own directory says)."""
    try:
        with zipfile.ZipFile(raw) as archive:
            # The size that is declared binds: zipfile reads no further.
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise _damaged(raw) from None
    if size > MAX_UNPACKED:
        raise _problem(
            raw,
            "oversized_workbook",
            Message("problem.oversized_workbook", gigabytes=MAX_UNPACKED // 1024**3),
            "remedy.export_csv",
        )


def _load(raw: Path, *, data_only: bool) -> Any:
    from openpyxl import load_workbook

    try:
        return load_workbook(raw, read_only=True, data_only=data_only, keep_links=False)
    except MemoryError:
        raise
    except Exception:  # the library has no error of its own for what is damaged
        raise _damaged(raw) from None


def _choose_sheets(raw: Path, book: Any, spec: str | Sequence[str] | None) -> list[int]:
    """Return the numbers of the declared sheets, from 1; sheets of nothing but a chart are none."""
    tables = {sheet.title for sheet in book.worksheets}
    numbers = {name: i for i, name in enumerate(book.sheetnames, start=1) if name in tables}
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


def _texts(raw: Path, book: Any, number: int, formulas: bool, decimal: str) -> Iterator[list[str]]:
    """Yield the rows of a sheet as texts; with the formulas beside them, where it has any."""
    name = book.sheetnames[number - 1]
    if not formulas:
        for row in _rows(raw, book[name]):
            yield [_text(cell.value, decimal) for cell in row]
        return
    other = _load(raw, data_only=False)
    try:
        # Both readings yield the same rows, one with values and one with formulas.
        for row, twin in zip(_rows(raw, book[name]), _rows(raw, other[name]), strict=True):
            yield [
                # A text that was calculated to be empty is blank, and says its type.
                UNCALCULATED
                if cell.value is None and asked.data_type == "f" and cell.data_type != "str"
                else _text(cell.value, decimal)
                for cell, asked in zip(row, twin, strict=True)
            ]
    finally:
        other.close()


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
        midnight = value.time() == time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
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


def _clock(length: timedelta) -> str:
    """Write a length of time as H:MM, with seconds only where there are some."""
    # A time is a binary share of a day: half a second is rounding.
    seconds = round(length.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    hours, rest = divmod(seconds, 3600)
    text = f"{sign}{hours}:{rest // 60:02d}"
    return f"{text}:{rest % 60:02d}" if rest % 60 else text


def _copy_sheet(raw: Path, book: Any, number: int, target: Path, decimal: str) -> SheetCopy:
    name = book.sheetnames[number - 1]
    facts = _scan(raw, book, book[name])
    path = target / f"sheet_{number}.csv"
    header: tuple[str, ...] = ()
    at = last = wide = data = uncalculated = before = 0
    margin_used = False
    with path.open("w", encoding="utf-8", newline="") as copy:
        writer = csv.writer(copy, lineterminator="\n")
        for line, texts in enumerate(_texts(raw, book, number, facts.formulas, decimal), start=1):
            width = len(texts)
            while width and not texts[width - 1].strip():
                width -= 1
            if not width:
                continue
            if not header:
                header = tuple(" ".join(t.split()) for t in texts[:width])
                at = last = line
                before = next(i for i, name in enumerate(header) if name)
                _check_merged(raw, number, facts, at)
                writer.writerow(header)
                continue
            copy.write("\n" * (line - last - 1))
            last = line
            data += 1
            wide += width > len(header)
            uncalculated += sum(t == UNCALCULATED for t in texts[:width])
            cells = [t.strip() for t in texts[:before]] + texts[before : max(width, len(header))]
            margin_used = margin_used or any(cells[:before])
            writer.writerow(cells + [""] * (len(header) - len(cells)))
    if not header:
        raise _problem(
            raw, "empty_file", Message("problem.empty_sheet", number=number), "remedy.empty_sheet"
        )
    if before and not margin_used:
        header = header[before:]
        _cut_margin(path, before)
    if wide * 2 > data:
        # A few rows with a remark beside the table are quarantined; this is another header.
        raise _problem(
            raw,
            "merged_header",
            Message("problem.wide_sheet", number=number, n=len(header)),
            "remedy.wide_sheet",
            line=at,
        )
    below = sum(bottom > at for _, _, _, bottom in facts.merged)
    counts = {
        "account.formulas": uncalculated,
        "account.merged": below,
        "account.hidden_rows": facts.hidden_rows,
        "account.hidden_columns": facts.hidden_columns,
    }
    notes = [Message(id, n=count) for id, count in counts.items() if count]
    if book[name].sheet_state != "visible":
        notes.append(Message("account.hidden_sheet"))
    return SheetCopy(path, name, number, header, at + 1, tuple(notes))


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
        places = ", ".join(f"{left} to {right}" for left, right in over)
        raise _problem(
            raw,
            "merged_header",
            f"sheet {number}: cells of the header are merged (columns number {places})",
            "remedy.wide_sheet",
            line=header_row,
        )
