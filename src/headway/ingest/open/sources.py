"""Whatever a clinic exports -> a plain UTF-8 text file with one header line, in a scratch folder.

Read here: text in any encoding, with any delimiter and anything above its header; workbooks;
Parquet; FHIR bundles; each also packed as gzip or zip. A file that is plain already is read where
it stands. Nothing is interpreted: cells keep their text, and a later step (the gate, `cells`) says
what may be used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from headway.config.clinic import ClinicFile
from headway.errors import InputError, Problem
from headway.ingest.open.containers import WORKBOOKS, find_content
from headway.ingest.open.encoding import as_utf8
from headway.ingest.open.layout import find_layout
from headway.ingest.open.names import match_names
from headway.ingest.open.parquet import write_text
from headway.messages import Message

if TYPE_CHECKING:
    from headway.ingest.adapters.fhir import Flat


@dataclass(frozen=True, slots=True)
class Source:
    """One declared file, ready to be read as plain text.

    `name` is what messages call it (a sheet is named with its workbook); `lines` are the lines of
    `path`, where they were counted on the way; `line_offset` is what a line number of `path` must
    be raised by to be the line of the clinic's own file; `skip` are the lines of `path` up to its
    header and with it, and `by_line` is false where those cannot be told from rows by the engine.
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
    skip: int = 1
    by_line: bool = True
    sheet: str = ""
    notes: tuple[str, ...] = ()
    flat: Flat | None = None  # of resources of FHIR

    @property
    def id(self) -> str:
        """A name for scratch tables."""
        return f"{self.kind}_{self.index}"

    @property
    def entry(self) -> tuple[str, str]:
        """What files (and sheets) of one entry in clinic.yaml have in common."""
        return self.kind, repr(replace(self.spec, path=""))

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

    What the file is, its first bytes say, not its name.

    Parameters
    ----------
    folder
        The clinic's folder.
    kind, index
        Kind of records, and a number for the file.
    spec
        Its entry in clinic.yaml with defaults.
    wanted
        The columns that clinic.yaml names, by which delimiter and header are told.
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
            "failure.file_missing",
            [Problem(raw.name, "missing_file", "problem.not_there", remedy="remedy.put_it_there")],
        )
    before = stat_of(raw)
    target = scratch / f"{kind}_{index}"
    content = find_content(raw, target)
    if content.form == "workbook":
        return _open_workbook(content.path, kind, index, spec, wanted, raw, before, target)
    if content.form == "fhir":
        return [_open_fhir(content.path, kind, index, spec, raw, wanted, before, target)]
    if content.form == "parquet":
        path = target.with_suffix(".csv")
        names, notes = write_text(content.path, path, wanted, spec.drop, spec.decimal)
        header = match_names(names, wanted)
        return [
            Source(kind, index, raw.name, path, spec, header, ",", raw, before, notes=(*notes,))
        ]
    return [
        _open_text(content.path, content.suffix, kind, index, spec, wanted, raw, before, target)
    ]


def _open_text(
    path: Path,
    suffix: str,
    kind: str,
    index: int,
    spec: ClinicFile,
    wanted: Sequence[str],
    raw: Path,
    before: tuple[int, int],
    target: Path,
) -> Source:
    """Open a text file; one that is called a workbook has to hold what is wanted."""
    named_wrongly = suffix in WORKBOOKS and suffix != ".xls"
    try:
        path, lines = as_utf8(path, raw.name, spec.encoding, target.with_suffix(".utf8"))
        found = find_layout(path, raw.name, spec.delimiter, spec.header_row, wanted)
    except InputError:
        if suffix not in WORKBOOKS:
            raise
        raise _no_workbook(raw) from None
    if named_wrongly and found.held < len(set(wanted)):
        raise _no_workbook(raw)
    notes = (Message("account.above_header", n=found.above),) if found.above else ()
    return Source(
        kind,
        index,
        raw.name,
        path,
        spec,
        found.header,
        found.delimiter,
        raw,
        before,
        lines,
        skip=found.skip,
        by_line=found.by_line,
        notes=notes,
    )


def _no_workbook(raw: Path) -> InputError:
    return InputError(
        "failure.workbook",
        [
            Problem(
                raw.name,
                "damaged_workbook",
                "problem.damaged_workbook",
                remedy="remedy.open_and_save",
            )
        ],
    )


def _open_workbook(
    path: Path,
    kind: str,
    index: int,
    spec: ClinicFile,
    wanted: Sequence[str],
    raw: Path,
    before: tuple[int, int],
    target: Path,
) -> list[Source]:
    from headway.ingest.adapters.spreadsheet import read_workbook

    copies = read_workbook(
        path, spec.sheet, target, decimal=spec.decimal, wanted=wanted, header_row=spec.header_row
    )
    return [
        Source(
            kind,
            index * 1000 + i,
            raw.name if len(copies) == 1 else f"{raw.name} (sheet {copy.number})",
            copy.path,
            spec,
            match_names(copy.header, wanted),
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
    path: Path,
    kind: str,
    index: int,
    spec: ClinicFile,
    raw: Path,
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
        path,
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
        line_offset=-1,  # a header stands before the first resource
        flat=flat,
    )
