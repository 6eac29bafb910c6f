"""Read a sheet that two readers filled: which cells agree, differ, or wait."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headway.config.review import Review
from headway.errors import InputError, Problem
from headway.ingest.adapters.spreadsheet import read_tops, read_workbook
from headway.ingest.cells import SPREADSHEET_ERRORS
from headway.ingest.open.names import tidy
from headway.ingest.open.numbers import read_numbers
from headway.ingest.proposals.published.cells import find_decimal
from headway.ingest.transcription.sheet import ENTRIES, HEADER, PLACE, READERS, TRIAL
from headway.ingest.trials.checks import NO_NUMBER
from headway.ingest.trials.columns import ALLOWED
from headway.ingest.trials.figures import Line, list_lines, list_rows
from headway.tables import printable

# Typed by both where the figure prints nothing.
NOTHING = "na"
_SEARCHED = 50  # lines in which the header is looked for


@dataclass(slots=True)
class Reading:
    """What two readers typed.

    Attributes
    ----------
    readers
        Their names; empty where nobody is named.
    agreed, differ, single, unread, empty
        Cells by what became of them: read alike, read differently, read by one, of an entry that
        cannot be read, of nobody.
    values
        Row -> its cells in which both agree, where these are all: (role, column) -> text with a
        decimal point, empty where nothing is printed.
    touched
        Rows in which anything is typed.
    at
        Cell -> its line in the sheet.
    problems
        What keeps cells out, with the line.
    filled
        Whether anybody typed anything, also a name, also in a line that is not asked for.
    """

    file: str
    readers: tuple[str, str] = ("", "")
    agreed: int = 0
    differ: int = 0
    single: int = 0
    unread: int = 0
    empty: int = 0
    values: dict[tuple[int, int], dict[tuple[str, str], str]] = field(default_factory=dict)
    touched: set[tuple[int, int]] = field(default_factory=set)
    at: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    filled: bool = False

    def counts(self) -> dict[str, object]:
        """List the file and its cells by what became of them."""
        names = ("file", "agreed", "differ", "single", "unread", "empty")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The lines of a sheet: line -> its cells, and the two readers' columns as read."""

    readers: tuple[str, str]
    readers_line: int
    header: int
    lines: Mapping[int, Sequence[str]]


def read_entries(path: Path, review: Review) -> Reading:
    """Read both readers' entries of every cell that the review asks for.

    A number is read as in a review's files; the decimal mark of each reader is the one that all
    their entries share. A formula counts by its value.

    Raises
    ------
    InputError
        `damaged_workbook` and its kin; `no_transcription` (not the sheet of this review);
        `reader_unnamed`, `one_reader_twice`.
    """
    sheet = _read_sheet(path)
    typed = any(
        _entry(cells, column).strip() for cells in sheet.lines.values() for column in ENTRIES
    )
    reading = Reading(path.name, sheet.readers, filled=typed or any(sheet.readers))
    asked = {line.id: line for row in list_rows(review) for line in list_lines(review, row)}
    _place_lines(sheet, asked, reading)
    entries = [
        {line: _entry(sheet.lines[line], column) for line in reading.at.values()}
        for column in ENTRIES
    ]
    _check_readers(sheet, entries, path.name)
    # A number as the sheet stores it follows the mark of the reader's texts.
    read = [_read_column(own, asked, reading) for own in entries]
    by_row: dict[tuple[int, int], list[Line]] = {}
    for line in asked.values():
        by_row.setdefault((line.row.figure, line.row.number), []).append(line)
    for key, lines in by_row.items():
        found = {(ln.role, ln.column): _compare(ln, read, reading, key) for ln in lines}
        agreed = {place: text for place, text in found.items() if text is not None}
        if len(agreed) == len(found):
            reading.values[key] = agreed
    return reading


def _read_sheet(path: Path) -> _Sheet:
    """Find the sheet by its marks, and read it; formulas as their values."""
    for name, top in read_tops(path, _SEARCHED):
        marks = [row[0].strip() if row else "" for row in top]
        if READERS not in marks or HEADER not in marks:
            continue
        readers_line, header = marks.index(READERS) + 1, marks.index(HEADER) + 1
        one, two = (tidy(_entry(top[readers_line - 1], column)) for column in ENTRIES)
        with tempfile.TemporaryDirectory() as scratch:
            # Twice, since only a stored number is written by the mark that is asked for.
            both = [
                _read_copy(path, name, Path(scratch) / str(i), header, mark)
                for i, mark in enumerate(".,")
            ]
        lines = {
            at: [_mark_number(a, b) for a, b in zip(cells, both[1][at], strict=True)]
            for at, cells in both[0].items()
        }
        return _Sheet((one, two), readers_line, header, lines)
    problem = Problem(
        path.name, "no_transcription", "problem.no_transcription", remedy="remedy.no_transcription"
    )
    raise InputError("failure.transcription", [problem])


_STORED = "\x1f"  # before a number that the sheet stores as one


def _mark_number(point: str, comma: str) -> str:
    return point if point == comma else _STORED + point


def _read_copy(
    path: Path, name: str, scratch: Path, header: int, mark: str
) -> dict[int, list[str]]:
    copy = read_workbook(path, name, scratch, decimal=mark, header_row=header)[0]
    with copy.path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))[1:]
    return {header + i: row for i, row in enumerate(rows, start=1) if any(map(str.strip, row))}


def _entry(cells: Sequence[str], column: int) -> str:
    return cells[column - 1] if len(cells) >= column else ""


def _place_lines(sheet: _Sheet, asked: Mapping[str, Line], reading: Reading) -> None:
    """Find the line of each cell that is asked for, and tell of others and of gaps."""
    for at, cells in sheet.lines.items():
        line = asked.get(cells[0].strip())
        fits = line is not None and line.id not in reading.at
        if fits and line is not None:
            told = {PLACE: line.row.place} | ({TRIAL: line.row.trial} if line.row.trial else {})
            fits = all(_is_same(_entry(cells, at), text) for at, text in told.items())
        if fits and line is not None:
            reading.at[line.id] = at
        else:
            reading.problems.append(
                Problem(reading.file, "not_asked", "problem.line_not_asked", line=at,
                        remedy="remedy.line_not_asked")
            )  # fmt: skip
    lacking = len(asked) - len(reading.at)
    if lacking:
        reading.problems.append(
            Problem(reading.file, "lines_missing", "problem.lines_missing", count=lacking,
                    remedy="remedy.line_not_asked")
        )  # fmt: skip


def _is_same(cell: str, text: str) -> bool:
    return tidy(printable(cell)) == tidy(printable(text))


def _check_readers(sheet: _Sheet, entries: Sequence[Mapping[int, str]], file: str) -> None:
    """Refuse entries of nobody, and of one person twice."""
    problems = [
        Problem(file, "reader_unnamed", "problem.reader_unnamed", "HI"[i], sheet.readers_line,
                "remedy.name_reader")
        for i, own in enumerate(entries)
        if not sheet.readers[i] and any(text.strip() for text in own.values())
    ]  # fmt: skip
    one, two = ("".join(c for c in name.casefold() if c.isalnum()) for name in sheet.readers)
    if all(sheet.readers) and one == two:
        problems.append(
            Problem(file, "one_reader_twice", "problem.one_reader_twice", "I",
                    sheet.readers_line, "remedy.two_people")
        )  # fmt: skip
    if problems:
        raise InputError("failure.transcription", problems)


def _read_column(
    entries: Mapping[int, str], asked: Mapping[str, Line], reading: Reading
) -> dict[str, str | None]:
    """Read one reader's entries: cell -> its text in normal form, None where it cannot be read."""
    import pandas as pd

    numbers = {i for i, line in asked.items() if line.is_number}
    raw = {id: tidy(entries[at].replace(_STORED, "")) for id, at in reading.at.items()}
    typed = [raw[id] for id, at in reading.at.items()
             if id in numbers and not entries[at].startswith(_STORED)]  # fmt: skip
    mark = find_decimal(typed) or "."
    own = pd.Series({
        id: text.replace(".", mark) if entries[reading.at[id]].startswith(_STORED) else text
        for id, text in raw.items() if id in numbers and text.casefold() != NOTHING
    }, dtype=object)  # fmt: skip
    found = read_numbers(own, mark)
    out: dict[str, str | None] = {id: _read_word(text, asked[id], reading)
                                  for id, text in raw.items() if id not in numbers}  # fmt: skip
    out |= {id: NOTHING for id in numbers & set(raw) if id not in own.index}
    out |= {id: str(found.text[id]) for id in own.index}
    for rule, bad in found.broken.items():
        message, remedy = NO_NUMBER[rule]
        for id in own.index[bad]:
            out[id] = None
            reading.problems.append(_at(asked[id], rule, message, remedy, reading))
    return out


def _read_word(text: str, line: Line, reading: Reading) -> str | None:
    """Read a name or a word of a list, which may be typed with blanks and capitals."""
    words = ALLOWED.get(line.column)
    if text in SPREADSHEET_ERRORS or (text.casefold() == NOTHING and line.column == "trial"):
        reading.problems.append(
            _at(line, "required", "problem.empty", "remedy.as_printed", reading)
        )
        return None
    if words and text.casefold() != NOTHING:
        return "_".join(text.casefold().replace("-", " ").split())
    return NOTHING if text.casefold() == NOTHING else text


def _compare(
    line: Line,
    read: Sequence[Mapping[str, str | None]],
    reading: Reading,
    key: tuple[int, int],
) -> str | None:
    """Hold two entries of a cell against each other: what both say, else None."""
    if line.id not in reading.at:
        return None
    one, two = (own[line.id] for own in read)
    if one == "" and two == "":
        reading.empty += 1
        return None
    reading.touched.add(key)
    if one is None or two is None:
        reading.unread += 1
        return None
    if one == "" or two == "":
        reading.single += 1
        return None
    same = one == two
    if line.is_number and NOTHING not in (one, two):
        same = float(one) == float(two)
    if not same:
        reading.differ += 1
        reading.problems.append(
            _at(line, "readers_differ", "problem.readers_differ", "remedy.readers_differ", reading)
        )
        return None
    reading.agreed += 1
    # 3.20 and 3.2 are one number; the longer one is as printed.
    return "" if one == NOTHING else max(one, two, key=len)


def _at(line: Line, rule: str, message: str, remedy: str, reading: Reading) -> Problem:
    return Problem(reading.file, rule, message, line.column, reading.at[line.id], remedy)
