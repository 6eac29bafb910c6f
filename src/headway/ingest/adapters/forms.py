"""Which program a file comes from, told by what stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from headway.ingest.adapters.exchange import ImportedRows, Sheet, read_sheet, refuse
from headway.ingest.adapters.metafor import has_columns, read_metafor
from headway.ingest.adapters.revman import find_form, read_revman


def find_program(path: Path) -> str:
    """Tell which program a file comes from.

    Returns
    -------
    str
        ``revman`` or ``metafor``.

    Raises
    ------
    InputError
        The file cannot be read, or has the columns of neither.
    """
    if find_form(path) != "csv":
        return "revman"
    sheet = read_sheet(path)
    if _is_almost(sheet):
        return "revman"
    if has_columns(sheet):
        return "metafor"
    raise refuse(path.name, "form_unclear", "problem.form_unclear", "remedy.form_unclear")


def _is_almost(sheet: Sheet) -> bool:
    """Tell whether a sheet has any of the columns that only RevMan's exports have."""
    own = ("comparisonnumber", "outcomenumber", "analysisgroup", "analysisnumber")
    return any(name in sheet.headers for name in own)


def read_file(
    path: Path, defaults: Mapping[str, str] | None = None, program: str = ""
) -> ImportedRows:
    """Read the rows of another program; without `program` the file tells which.

    Raises
    ------
    InputError
        As `find_program`, `read_revman` and `read_metafor`.
    """
    program = program or find_program(path)
    return (read_revman if program == "revman" else read_metafor)(path, defaults)
