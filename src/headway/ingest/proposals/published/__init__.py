"""A table of published trials -> a review's folder, proposed: `headway new-review FILE`.

`words` tells what headers say, `cells` what a cell holds, `rows` puts arms and contrasts together,
`settings` proposes outcomes, units, measure and comparisons, `write` writes the folder. The file
is opened as a clinic's export is (`proposals.opening`).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from headway.errors import ConfigError, InputError, Problem
from headway.ingest.adapters.forms import find_program
from headway.ingest.proposals.measures import Ask
from headway.ingest.proposals.opening import read_files
from headway.ingest.proposals.published.rows import Found, read_table
from headway.ingest.proposals.published.settings import Review, drop_incomplete, make_id, settle
from headway.ingest.proposals.published.words import knows
from headway.ingest.proposals.published.write import write_folder, write_yaml
from headway.ingest.proposals.vocabulary import tell_language
from headway.ingest.template import check_name
from headway.messages import Message

__all__ = ["MadeReview", "make_review", "name_review"]
_TABLES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".ods", ".gz")


@dataclass(frozen=True, slots=True)
class MadeReview:
    """A review's folder that was written, and what to say about it."""

    folder: Path
    files: list[Path]
    review: Review


def name_review(path: Path) -> str:
    """Make a review's name of a file's."""
    return make_id(path.name.partition(".")[0])


def make_review(path: Path, name: str, data_dir: Path, ask: Ask) -> MadeReview:
    """Make the folder of a new review from a table of trials.

    Parameters
    ----------
    path
        CSV or workbook; it is only read.
    name
        Of the review: small letters, digits and underscores.
    data_dir
        The folder is made below its `raw/trials`.
    ask
        Called with a question and its answers; None where nobody answers.

    Raises
    ------
    ConfigError
        If the name is none, or the folder is there.
    InputError
        If the file cannot be read, is another program's, or leaves open what turns a number.
    """
    check_name(name)
    folder = data_dir / "raw" / "trials" / name
    if folder.exists():
        raise ConfigError(Message("failure.folder_there", folder=name))
    if not path.is_file():
        problem = Problem(path.name, "missing_file", "problem.not_there", remedy="remedy.file_name")
        raise InputError("failure.file_missing", [problem])
    _refuse_programs(path, name)
    with tempfile.TemporaryDirectory(prefix="headway-new-") as scratch:
        sheets, _ = read_files([path], Path(scratch), knows)
    found: list[Found] = []
    for sheet in sheets:
        one = read_table(sheet, ask)
        if one is not None:
            drop_incomplete(one)
        if one is not None and one.rows:
            found.append(one)
    if not found:
        problem = Problem(path.name, "no_trials", "problem.no_trials", remedy="remedy.no_trials")
        raise InputError("failure.new_review", [problem])
    review = settle(found, name.replace("_", " "), ask)
    language = tell_language(h for sheet in sheets for h in (*sheet.header, *sheet.titles))
    text = write_yaml(review, name, path.name, language)
    return MadeReview(folder, write_folder(folder, review, text, path.name), review)


def _refuse_programs(path: Path, name: str) -> None:
    """Refuse a file of another program: `headway import` reads it, with its own totals."""
    if path.suffix.casefold() in _TABLES:
        try:
            program = find_program(path)
        except InputError:
            return
    else:
        program = "revman"
    remedy = Message("remedy.run", line=f"headway import {path.name} {name}")
    problem = Problem(path.name, "other_program", "problem.other_program", remedy=remedy)
    raise InputError(Message("failure.foreign_program", program=program), [problem])
