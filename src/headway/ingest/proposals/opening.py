"""Exported files as tables of text: the header is found, what stands above it is kept as a title.

Encodings, delimiters, packed files, workbooks and FHIR are read by `ingest.open` and the
adapters; here is only told where the header stands, which no clinic.yaml says yet.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from headway.config.clinic import ClinicFile, Fhir
from headway.errors import InputError, Problem
from headway.ingest import gate
from headway.ingest.adapters import redcap
from headway.ingest.adapters.fhir import (
    list_code_texts,
    list_item_texts,
    list_treatments,
)
from headway.ingest.adapters.pages import drop_versions
from headway.ingest.adapters.spreadsheet import read_tops
from headway.ingest.open.containers import find_content
from headway.ingest.open.encoding import as_utf8
from headway.ingest.open.layout import DELIMITERS
from headway.ingest.open.names import tidy
from headway.ingest.open.rows import normalise
from headway.ingest.open.sources import Source, open_source
from headway.ingest.proposals.vocabulary import list_fields

_SEARCHED = 40
# Tells whether a cell is the name of a column.
Knows = Callable[[str], bool]
_RESOURCES = ("QuestionnaireResponse", "Observation")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as it was exported.

    `name` is what messages call it; `tab` the name of the sheet in its workbook; `titles` the
    texts above the header; `lines` the line of each row in the file; `form` is `table` or the kind
    of FHIR resource; `texts` the wording of a column, where a column has one beside its name.
    """

    path: Path
    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    titles: tuple[str, ...] = ()
    tab: str = ""
    form: str = "table"
    texts: tuple[str, ...] = ()

    def column(self, i: int) -> list[str]:
        """Return the cells of a column."""
        return [row[i] for row in self.rows]

    def describe(self, i: int) -> str:
        """Return the header of a column with its wording."""
        return f"{self.header[i]} {self.texts[i]}".strip() if self.texts else self.header[i]


def knows_header(cell: str) -> bool:
    """Whether a cell is a name that a column of a clinic's export could have."""
    return bool(list_fields(cell) or gate.check_names("", [cell]))


_FLOAT = re.compile(r"(-?\d+)\.0")


def cut_floats(sheet: Sheet) -> Sheet:
    """Write 1.0 as 1: a program that has no blank whole number writes every number so."""
    rows = (
        tuple(_FLOAT.sub(r"\1", c) if _FLOAT.fullmatch(c) else c for c in r) for r in sheet.rows
    )
    return replace(sheet, rows=tuple(rows))


def read_files(
    paths: Sequence[Path], scratch: Path, knows: Knows = knows_header
) -> tuple[list[Sheet], list[Path]]:
    """Read every sheet of exported files; REDCap's data dictionaries come as paths.

    `knows` tells names of columns, by which the line of the header is found.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    sheets: list[Sheet] = []
    dictionaries = []
    for number, path in enumerate(paths):
        if not path.is_file():
            raise InputError(
                "failure.file_missing",
                [
                    Problem(
                        path.name, "missing_file", "problem.not_there", remedy="remedy.file_name"
                    )
                ],
            )
        found = _read_file(path, scratch / str(number), knows)
        if len(found) == 1 and redcap.is_dictionary(found[0].header):
            dictionaries.append(path)
        else:
            sheets += found
    return sheets, dictionaries


def _read_file(path: Path, scratch: Path, knows: Knows) -> list[Sheet]:
    scratch.mkdir(parents=True)
    content = find_content(path, scratch)
    if content.form == "workbook":
        return _read_workbook(path, content.path, scratch, knows)
    if content.form == "fhir":
        return _read_fhir(path, content.path, scratch)
    spec = ClinicFile(path=path.name)
    titles: tuple[str, ...] = ()
    above: Sequence[str] = ()
    if content.form == "text":
        plain, _ = as_utf8(content.path, path.name, "auto", scratch / "plain")
        delimiter, row, titles, above = _find_text_header(plain, path.name, knows)
        spec = ClinicFile(path=path.name, delimiter=delimiter, header_row=row)
    (source,) = open_source(path.parent, "sessions", 0, spec, (), scratch / "source")
    return [_read_rows(source, path, titles, above, scratch)]


def _read_workbook(path: Path, plain: Path, scratch: Path, knows: Knows) -> list[Sheet]:
    out = []
    for i, (tab, rows) in enumerate(read_tops(plain)):
        if sum(any(c.strip() for c in row) for row in rows) < 2:
            continue
        at, _ = _find_header(rows, knows)
        spec = ClinicFile(path=path.name, header_row=at + 1, sheet=tab)
        (source,) = open_source(path.parent, "sessions", 0, spec, (), scratch / f"tab{i}")
        titles = tuple(dict.fromkeys(c.strip() for row in rows[:at] for c in row if c.strip()))
        above = rows[at - 1] if at else ()
        read = _read_rows(source, path, titles, above, scratch / f"tab{i}", tab)
        out.append(read)
    return out


def _read_fhir(path: Path, plain: Path, scratch: Path) -> list[Sheet]:
    out = []
    for i, kind in enumerate(_RESOURCES):
        spec = ClinicFile(path=path.name, fhir=Fhir(resource=kind))  # type: ignore[arg-type]
        (source,) = open_source(path.parent, "sessions", i, spec, (), scratch)
        assert source.flat is not None
        (flat,) = drop_versions([source.flat])
        if not flat.rows:
            continue
        latest = replace(source, path=flat.path)
        read = replace(_read_rows(latest, path, (), (), scratch), form=kind)
        if kind == "Observation":
            out.append(_spread(read, list_code_texts(path)))
        else:
            texts = list_item_texts(path)
            said = tuple(texts.get(h.removeprefix("item."), "") for h in read.header)
            out.append(replace(read, texts=said))
    treated = list_treatments(path)
    if treated:
        header = ("patient", "visit date", "treatment")
        lines = tuple(range(1, len(treated) + 1))
        out.append(Sheet(path, path.name, header, tuple(treated), lines, form="Procedure"))
    return out


def _spread(sheet: Sheet, texts: Mapping[str, str]) -> Sheet:
    """Give each code of observations a column of its own, its unit beside its name.

    A code with values in several units is left out.
    """
    at = {name: i for i, name in enumerate(sheet.header)}
    names = [c for c in sheet.header if c.startswith("component.") and not c.endswith(".unit")]
    rows: dict[tuple[str, str], dict[str, str]] = {}
    units: dict[str, set[str]] = {}
    for row in sheet.rows:
        values = rows.setdefault((row[at["patient"]], row[at["effective"]]), {})
        found = [(row[at["code"]], row[at["value"]], row[at["unit"]])]
        for name in names:
            unit = row[at[f"{name}.unit"]] if f"{name}.unit" in at else ""
            found.append((name.removeprefix("component."), row[at[name]], unit))
        for code, value, unit in found:
            if code and value:
                # Two different values of a day are none.
                values[code] = value if values.get(code, value) == value else "#"
                units.setdefault(code, set()).add(unit)
    codes = [code for code, said in units.items() if len(said) == 1]
    header = ("patient", "effective date", *codes)
    cells = tuple((*key, *(values.get(c, "") for c in codes)) for key, values in rows.items())
    said = [f"{texts.get(c, '')} {' '.join(units[c])}".strip() for c in codes]
    lines = tuple(range(1, len(cells) + 1))
    return replace(sheet, header=header, rows=cells, lines=lines, texts=("", "", *said))


def _read_rows(
    source: Source,
    path: Path,
    titles: Sequence[str],
    above: Sequence[str],
    scratch: Path,
    tab: str = "",
) -> Sheet:
    """Read an opened file row by row; blank rows and repeated headers are passed over."""
    scratch.mkdir(parents=True, exist_ok=True)
    copy, spoilt = scratch / "rows.csv", scratch / "spoilt.csv"
    normalise(source, copy, spoilt)
    header = _join_headers([tidy(name) for name in source.header], above)
    rows, lines = [], []
    for part in (copy, spoilt):
        with part.open(encoding="utf-8", newline="") as stream:
            for line, *cells in csv.reader(stream):
                plain = tuple(tidy(cell) for cell in cells)
                if any(plain) and plain != tuple(map(tidy, source.header)):
                    rows.append(plain)
                    lines.append(int(line) + source.line_offset)
    return Sheet(path, source.name, tuple(header), tuple(rows), tuple(lines), tuple(titles), tab)


def _join_headers(header: list[str], above: Sequence[str]) -> list[str]:
    """Put the line above a header before its names, where these alone say too little."""
    named = [name for name in header if name]
    groups = [tidy(cell) for cell in above][: len(header)]
    if len(set(named)) == len(named) or len({g for g in groups if g}) < 2:
        return header
    out, last = [], ""
    repeated = {name for name, n in Counter(named).items() if n > 1}
    for i, name in enumerate(header):
        last = groups[i] if i < len(groups) and groups[i] else last
        out.append(f"{last} {name}".strip() if name in repeated else name)
    return out


def _find_text_header(
    path: Path, name: str, knows: Knows
) -> tuple[str, int, tuple[str, ...], Sequence[str]]:
    """Find the delimiter, the line of the header from 1, the texts above it and the line above."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = [line for _, line in zip(range(_SEARCHED), stream, strict=False)]
    best: tuple[tuple[int, int], str, int, list[list[str]]] | None = None
    for sign in DELIMITERS:
        rows = [next(csv.reader([line], delimiter=sign), []) for line in lines]
        at, score = _find_header(rows, knows)
        if best is None or score > best[0]:
            best = (score, sign, at, rows)
    if best is None or not lines:
        raise InputError(
            "failure.unreadable", [Problem(name, "empty_file", "problem.no_header", line=1)]
        )
    _, sign, at, rows = best
    titles = [c.strip() for row in rows[:at] for c in row if c.strip()]
    return sign, at + 1, tuple(titles), rows[at - 1] if at else ()


def _find_header(rows: Sequence[Sequence[str]], knows: Knows) -> tuple[int, tuple[int, int]]:
    """Find the header: the first of the rows that hold most names that we know."""
    best, score = 0, (-1, -1)
    for i, row in enumerate(rows[:_SEARCHED]):
        cells = [tidy(cell) for cell in row]
        if redcap.is_dictionary(cells) or {*cells} & {*redcap.EVENT, *redcap.INSTRUMENT}:
            return i, (len(cells), len(cells))
        filled = [cell for cell in cells if cell]
        if len(filled) < 2 and any(len([c for c in r if c.strip()]) > 1 for r in rows):
            continue
        texts = [c for c in filled if not c.replace(".", "").replace(",", "").isdigit()]
        known = sum(len(cell) <= 90 and knows(cell) for cell in dict.fromkeys(texts))
        found = (known, min(len(filled), 60))
        # A row of data may have more cells than its header, and words that a header has.
        if known > score[0] or (known == score[0] and found > score and known < 2):
            best, score = i, found
    return best, score
