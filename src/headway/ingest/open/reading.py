"""Delimited text -> cells as text, with the line of each row; nothing is interpreted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from headway.config.review import IpdFile, ReviewFile
from headway.errors import InputError, Problem
from headway.ingest.open.layout import find_separator
from headway.ingest.open.names import tidy
from headway.messages import Message

if TYPE_CHECKING:
    import pandas as pd


def read_cells(path: Path, spec: ReviewFile | IpdFile) -> tuple[pd.DataFrame, list[Problem]]:
    """Read a delimited file as text, with the line of each row; blank lines are passed over.

    Raises
    ------
    InputError
        Where nothing of the file can be read: it is not there, its encoding is another, it has no
        header, or a name stands twice in it.
    """
    import csv

    import pandas as pd

    encoding = "utf-8-sig" if spec.encoding == "utf-8" else spec.encoding
    lines: list[int] = []
    cells: list[list[str]] = []
    at = 0
    try:
        with path.open(encoding=encoding, newline="") as stream:
            delimiter, skipped = read_separator(stream, spec.delimiter)
            reader, at = csv.reader(stream, delimiter=delimiter, strict=True), skipped
            for row in reader:
                plain = [tidy(cell) for cell in row]
                if any(plain):
                    lines.append(at + 1)  # where the row begins: a quoted cell may hold line ends
                    cells.append(plain)
                at = reader.line_num + skipped
    except FileNotFoundError:
        remedy = "remedy.put_it_there"
        raise InputError(
            "", [Problem(path.name, "missing_file", "problem.not_in_the_folder", remedy=remedy)]
        ) from None
    except UnicodeDecodeError:
        raise InputError("failure.unreadable", [_wrong_encoding(path, spec.encoding)]) from None
    except csv.Error:
        text = "problem.quotes"
        remedy = "remedy.quotes"
        raise InputError(
            "", [Problem(path.name, "unreadable", text, line=at + 1, remedy=remedy)]
        ) from None
    if not cells:
        remedy = "remedy.write_header"
        raise InputError(
            "failure.unreadable",
            [Problem(path.name, "empty_file", "problem.no_header", remedy=remedy)],
        )
    cells = _drop_trailing(cells)
    header = cells[0]
    twice = sorted({c for c in header if header.count(c) > 1})
    if twice:
        raise InputError(
            "failure.unreadable",
            [
                Problem(
                    path.name,
                    "duplicate_column",
                    "problem.twice_in_header" if name else "problem.unnamed_column",
                    name,
                    line=1,
                    remedy="remedy.own_name",
                )
                for name in twice
            ],
        )
    whole = [len(row) == len(header) for row in cells[1:]]
    problems = [
        Problem(
            path.name, "field_count", "problem.field_count", line=line, remedy="remedy.quote_cell"
        )
        for line, fits in zip(lines[1:], whole, strict=True)
        if not fits
    ]
    kept = [row for row, fits in zip(cells[1:], whole, strict=True) if fits]
    raw = pd.DataFrame(kept, columns=header, dtype=str)
    raw.insert(0, "line", [n for n, fits in zip(lines[1:], whole, strict=True) if fits])
    return raw, problems


def read_separator(stream: TextIO, declared: str) -> tuple[str, int]:
    """Pass over a first line `sep=;`, which spreadsheets write: the delimiter, lines passed."""
    told = find_separator(stream.readline())
    if told is None:
        stream.seek(0)
        return declared, 0
    return told, 1


def _drop_trailing(cells: list[list[str]]) -> list[list[str]]:
    """Take away what delimiters at the ends of lines add: columns without a name or a cell."""
    width = len(cells[0])
    while width > 1 and not cells[0][width - 1]:
        if any(any(row[width - 1 :]) for row in cells):
            break
        width -= 1
    return [row if any(row[width:]) else row[:width] for row in cells]


def _wrong_encoding(path: Path, declared: str) -> Problem:
    """Name the line where the declared encoding breaks, and what to declare instead."""
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:200]:
        return Problem(
            path.name, "unreadable", "problem.utf16", line=1, remedy="remedy.save_as_utf8"
        )
    line = 1
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
    return Problem(
        path.name,
        "unreadable",
        Message("problem.not_of_encoding", encoding=declared),
        line=line,
        remedy="remedy.utf8_or_latin1",
    )
