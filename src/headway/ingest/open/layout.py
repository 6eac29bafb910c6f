"""The layout of a text file: its delimiter, and the line on which its header stands."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from headway.errors import InputError, Problem
from headway.ingest.open.names import SEARCHED, find_header, match_names

DELIMITERS = (",", ";", "\t", "|")
# A cell longer than this is no cell; the engine reads lines up to this length.
MAX_LINE = 16 * 1024 * 1024
# Lines over which a header may go.
_LONGEST = 50
# How spreadsheet programs are told the delimiter; some quote the line, or fill it up.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?(?:\1|\s)*', flags=re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text file is laid out.

    `skip` are the lines up to the header and with it, `above` those of them that stand above it
    with a text; `by_line` says that each of them is a line to a program that knows quotes.
    """

    delimiter: str
    header: tuple[str, ...]
    skip: int
    above: int
    by_line: bool
    held: int


@dataclass(frozen=True, slots=True)
class _Record:
    """A row of the beginning of a file; `ends` is the place of its last line, from 1."""

    starts: int
    ends: int
    cells: list[str]


def find_layout(
    path: Path, name: str, delimiter: str, header_row: int | None, wanted: Collection[str]
) -> Layout:
    """Find delimiter and header of a text file in UTF-8.

    Parameters
    ----------
    path, name
        The file, and what messages call it.
    delimiter
        As declared, or `auto`: the one under which the header holds most of what is wanted; a sign
        that few files use is taken only where it holds everything.
    header_row
        The line of the header, from 1; else the first that holds the wanted columns.
    wanted
        The columns that clinic.yaml names.

    Raises
    ------
    InputError
        `empty_file` if there is no header.
    """
    lines = _first_lines(path, max(SEARCHED, (header_row or 0) + 1))
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    told = find_separator(lines[first]) if lines else None
    start = first + 1 if told else first
    best: tuple[int, int, str, list[_Record], int] | None = None
    for sign in _candidates(delimiter, told, lines[start:], wanted):
        if header_row is None:
            records = _read_records(lines, start, sign)
        else:
            records = _read_records(lines, header_row - 1, sign)[:1]
        if not records:
            continue
        at, held = find_header([record.cells for record in records], wanted)
        unusual = delimiter == "auto" and sign not in (*DELIMITERS, told)
        if unusual and held < max(2, len(set(wanted))):
            continue
        score = held * 1000 + min(len(records[at].cells), 999)
        if best is None or score > best[0]:
            best = (score, held, sign, records, at)
    if best is None or not any(cell.strip() for cell in best[3][best[4]].cells):
        line = header_row or 1
        remedy = "remedy.empty_file"
        problem = Problem(name, "empty_file", "problem.no_header", line=line, remedy=remedy)
        raise InputError("failure.unreadable", [problem])
    _, held, sign, records, at = best
    head = records[at]
    above = [line for line in lines[start : head.starts] if line.strip()]
    return Layout(
        sign,
        match_names(_cut_tail(head, records[at + 1 :]), wanted),
        head.ends,
        len(above),
        all(line.count('"') % 2 == 0 for line in lines[: head.ends]),
        held,
    )


def find_separator(line: str) -> str | None:
    """Find the delimiter that a line `sep=;` of a spreadsheet tells; None if it is another line."""
    found = _SEPARATOR_LINE.fullmatch(line.strip("\r\n\ufeff"))
    return found[1] if found else None


def _first_lines(path: Path, count: int) -> list[str]:
    lines: list[str] = []
    with path.open(encoding="utf-8-sig", newline="") as stream:
        while len(lines) < count and sum(map(len, lines)) < MAX_LINE:
            if not (line := stream.readline(MAX_LINE)):
                break
            lines.append(line)
    return lines


def _candidates(
    declared: str, told: str | None, lines: Sequence[str], wanted: Collection[str]
) -> list[str]:
    """List the delimiters to try, the likely ones first."""
    if declared != "auto":
        return [declared]
    usual = list(dict.fromkeys([*([told] if told else []), *DELIMITERS]))
    named = " ".join(wanted)
    text = "".join(line for line in lines if any(w.strip() in line for w in wanted))
    signs = {c for c in text if not c.isalnum() and c not in '"\r\n' and c not in usual}
    return [*usual, *sorted(c for c in signs if c not in named or c == " ")]


def _read_records(lines: Sequence[str], start: int, delimiter: str) -> list[_Record]:
    """Read each line as the beginning of a row; a title with a stray quote hides no header."""
    csv.field_size_limit(MAX_LINE)
    records = []
    for i in range(start, len(lines)):
        reader = csv.reader(lines[i : i + _LONGEST], delimiter=delimiter, strict=True)
        try:
            cells = next(reader, [])
        except csv.Error:
            cells = next(csv.reader([lines[i]], delimiter=delimiter), [])
            records.append(_Record(i, i + 1, cells))
            continue
        records.append(_Record(i, i + reader.line_num, cells))
    return records


def _cut_tail(head: _Record, below: Sequence[_Record]) -> list[str]:
    """Take names that are empty off the end of a header, where no row has a cell below them."""
    width = len(head.cells)
    while width > 1 and not head.cells[width - 1].strip():
        if any(r.cells[width - 1].strip() for r in below if len(r.cells) >= width):
            break
        width -= 1
    return head.cells[:width]
