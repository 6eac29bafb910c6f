"""A Cochrane review in any form that RevMan gives it -> a review's rows.

Read are RevMan 5's own file (`rm5`), the Cochrane Library's data packages (`package`), and the CSV
exports of RevMan 5 and RevMan Web (`exports`). RevMan knows neither time points nor kinds of
control, and its continuous rows do not say whether they are final values or changes: the caller
may.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from headway.errors import Problem
from headway.ingest.adapters.analyses import Analysis
from headway.ingest.adapters.analysis_rows import AnalysisRows, make_rows
from headway.ingest.adapters.exchange import Basket, Sheet, check_defaults, read_sheet
from headway.ingest.adapters.exports import Walked, walk
from headway.ingest.adapters.package import open_package
from headway.ingest.adapters.rm5 import is_rm5, read_rm5


def read_revman(path: Path, defaults: Mapping[str, str] | None = None) -> AnalysisRows:
    """Read RevMan's data: a CSV file that RevMan 5 or RevMan Web exported, a package, or an .rm5.

    Parameters
    ----------
    path
        The file. What it is, its beginning tells and not its name. Of a CSV file delimiter, byte
        order mark, line ends and the spelling of the header (case, spaces, dots) do not matter.
    defaults
        Values for what RevMan does not hold: ``unit``, ``timepoint``, ``time_days``, ``source``,
        ``status``, ``condition``, ``technique``, ``comparator``, and ``kind`` (``final`` or
        ``change``) with ``positive_means`` for continuous rows. Counts are in participants
        whatever `unit` says, and a ratio's logarithm has no unit.

    Returns
    -------
    AnalysisRows
        Rows that a review can use as they are. One outcome and one comparison per RevMan analysis,
        named by its numbers, with the settings that the file gives or its numbers tell.

    Raises
    ------
    InputError
        The file cannot be read or is none of these, or `defaults` cannot be used.
    """
    given = check_defaults(defaults)
    kind = find_form(path)
    if kind == "rm5":
        analyses = read_rm5(path)
        return make_rows(analyses, given, lines=sum(len(a.rows) for a in analyses))
    if kind == "package":
        found, sheet = open_package(path)
        return _make(found, sheet, given)
    return read_export(read_sheet(path), given)


def read_analyses(path: Path, problems: list[Problem] | None = None) -> list[Analysis]:
    """Read a file's analyses as they stand in it, without making a review's rows of them.

    Parameters
    ----------
    path
        The file.
    problems
        Takes what is wrong with lines that cannot be read as they stand.

    Raises
    ------
    InputError
        As `read_revman`.
    """
    kind = find_form(path)
    told: list[Problem] = []
    if kind == "rm5":
        analyses = read_rm5(path)
    else:
        found, sheet = open_package(path) if kind == "package" else _walk(read_sheet(path))
        analyses = found.analyses
        told = [*sheet.broken, *(one for row in found.left for one in row.problems)]
    if problems is not None:
        problems += told
        problems += [one for a in analyses for study in a.rows for one in study.row.problems]
    return analyses


def _walk(sheet: Sheet) -> tuple[Walked, Sheet]:
    return walk(sheet), sheet


def find_form(path: Path) -> str:
    """Tell what a file is by its beginning: ``rm5``, ``package``, or ``csv``."""
    try:
        with path.open("rb") as stream:
            start = stream.read(4096)
    except OSError:
        return "csv"  # whoever reads it says why it cannot be read
    if is_rm5(start) or path.suffix.casefold() == ".rm5":
        return "rm5"
    # A workbook is a zip too, and holds another kind of file.
    workbook = path.suffix.casefold() in (".xlsx", ".xlsm", ".ods")
    return "package" if start[:4] == b"PK\x03\x04" and not workbook else "csv"


def read_export(sheet: Sheet, given: Mapping[str, str]) -> AnalysisRows:
    """Make a review's rows of one of RevMan's CSV exports."""
    return _make(walk(sheet), sheet, given)


def _make(found: Walked, sheet: Sheet, given: Mapping[str, str]) -> AnalysisRows:
    """Make a review's rows of what a sheet's rows were sorted into."""
    left = Basket(given)
    for row in found.left:
        left.keep(row, [])
    return make_rows(
        found.analyses,
        given,
        lines=len(sheet.rows) + len(sheet.broken),
        headings=found.headings,
        reported=sheet.broken,
        left=left,
        judgements=found.judgements,
    )
