"""A text file whose rows are not lines -> a plain copy in which they are, row by row.

The slow way to the same cells: it reads blank lines, line ends within cells, stray quotes and
delimiters behind the last cell, and a fault in one row costs that row alone.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from headway.errors import InputError, Problem
from headway.ingest.open.layout import MAX_LINE
from headway.ingest.open.sources import Source

_CHUNK = 1024 * 1024
# A remark may hold line ends; a row over more lines than this has lost a quote.
_MAX_LINES_OF_A_ROW = 50


class _TooLongError(Exception):
    """A row goes on over more lines than a row has."""


class _Lines:
    """The lines of a file, of which those of a spoilt row can be given back."""

    def __init__(self, stream: IO[str], first: int) -> None:
        self.stream = stream
        self.line = first  # of the row that is being read
        self.taken: list[str] = []
        self.back: deque[str] = deque()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) > _MAX_LINES_OF_A_ROW:
            raise _TooLongError
        line = self.back.popleft() if self.back else next(self.stream)
        self.taken.append(line)
        return line

    def end_row(self) -> tuple[int, list[str]]:
        """Close a row; returns its first line and its text by line."""
        line, taken = self.line, self.taken
        self.line, self.taken = line + len(taken), []
        return line, taken

    def end_first_line(self) -> tuple[int, str]:
        """Close a row after its first line, and read the others again."""
        line, (first, *others) = self.line, self.taken
        self.back.extendleft(reversed(others))
        self.line, self.taken = line + 1, []
        return line, first


def count_lines(path: Path) -> int:
    """Count the physical lines of a file; an unended last one counts."""
    lines, last = 0, b"\n"
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return lines + (last != b"\n")


def fit_row(cells: Sequence[str], width: int) -> str:
    """Return the rule that a row of so many cells breaks; surplus cells without text break none."""
    if len(cells) < width:
        return "missing_columns"
    return "too_many_columns" if any(cell.strip() for cell in cells[width:]) else ""


def split_line(line: str, delimiter: str) -> list[str]:
    """Split one line into cells as far as its quotes allow."""
    csv.field_size_limit(MAX_LINE)
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


def _read_rows(lines: _Lines, source: Source) -> Iterator[tuple[int, list[str], str]]:
    """Yield the line, the cells and the broken rule (or none) of each row."""
    width, delimiter = len(source.header), source.delimiter
    csv.field_size_limit(MAX_LINE)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        rule, cells = "", []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _TooLongError:
            raise _open_quote(source, lines.line) from None
        except csv.Error as error:
            if "end of data" in str(error):
                raise _open_quote(source, lines.line) from None
            rule = "unquoted_value"
        rule = rule or fit_row(cells, width)
        if rule and len(lines.taken) > 1 and (not cells or _holds_a_row(lines, width, delimiter)):
            # A stray quote runs on into rows that are sound by themselves.
            line, text = lines.end_first_line()
            yield line, split_line(text, delimiter), "unquoted_value"
            continue
        line, taken = lines.end_row()
        if rule == "unquoted_value":
            cells = split_line("".join(taken), delimiter)
        if len(cells) > 1 or any(cell.strip() for cell in cells):
            yield line, cells, rule


def _holds_a_row(lines: _Lines, width: int, delimiter: str) -> bool:
    """Tell whether a line behind the first is a whole row."""
    for text in lines.taken[1:]:
        try:
            cells = next(csv.reader([text.rstrip("\r\n")], delimiter=delimiter, strict=True), [])
        except csv.Error:
            continue
        if not fit_row(cells, width):
            return True
    return False


def normalise(source: Source, target: Path, spoilt: Path) -> list[tuple[int, str]]:
    """Write a file as two files of one line per row: the rows as they should be, and the others.

    Line ends within a cell become blanks; both have no header, and a first column with the line
    of each row. The cells of a spoilt row stand as far as they can be told.

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
        spoilt.open("w", encoding="utf-8", newline="") as others,
    ):
        for _ in range(source.skip):
            raw.readline()
        good, rest = csv.writer(copy, lineterminator="\n"), csv.writer(others, lineterminator="\n")
        for line, cells, rule in _read_rows(_Lines(raw, source.skip + 1), source):
            row = [" ".join(cell.splitlines()) for cell in cells[:width]]
            if rule:
                bad.append((line, rule))
                rest.writerow([line, *row, *[""] * (width - len(row))])
            else:
                good.writerow([line, *row])
    return bad


def write_rows(target: Path, rows: Sequence[tuple[int, Sequence[str]]], width: int) -> None:
    """Write rows with a number before each, as the copies of `normalise` are written."""
    with target.open("w", encoding="utf-8", newline="") as copy:
        writer = csv.writer(copy, lineterminator="\n")
        for number, cells in rows:
            row = [" ".join(cell.splitlines()) for cell in cells[:width]]
            writer.writerow([number, *row, *[""] * (width - len(row))])


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
