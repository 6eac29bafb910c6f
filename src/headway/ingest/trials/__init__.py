"""Published numbers -> the tables `arms`, `contrasts` and `published`.

A review's files are read as `review.yaml` maps them, exactly as printed; signs and units are then
made canonical (post - pre, treatment - control, the outcome's unit), beside the printed numbers.
Everything that is wrong in a review's files is reported at once, with file, line and column.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headway.config.review import IpdFile, Review
from headway.errors import InputError, Problem
from headway.ingest.ipd import read_individual
from headway.ingest.trials.canonical import make_arms, make_contrasts, make_published, make_risk
from headway.ingest.trials.checks import check_file
from headway.ingest.trials.files import File, read_file
from headway.ingest.trials.names import check_names
from headway.messages import Message
from headway.tables import empty

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Published:
    """The tables of one review, canonical and validated."""

    arms: pd.DataFrame
    contrasts: pd.DataFrame
    published: pd.DataFrame
    risk_of_bias: pd.DataFrame
    ipd: pd.DataFrame


def read_review(folder: Path, review: Review) -> Published:
    """Read a review's files into canonical tables.

    Parameters
    ----------
    folder
        Folder that holds the files.
    review
        review.yaml with its defaults.

    Raises
    ------
    InputError
        With every problem of every file: an unreadable file, a missing column, a cell that is no
        number, a word that is not in the vocabulary, n < 1, a negative standard deviation,
        reversed limits, a change or contrast without a declared sign, a duplicate row.
    """
    files: dict[str, File] = {}
    problems: list[Problem] = []
    individual = empty("ipd")
    for kind, spec in review.files.declared().items():
        try:
            if isinstance(spec, IpdFile):
                individual = read_individual(folder, review)
            else:
                files[kind] = read_file(folder / spec.path, kind, spec)
        except InputError as error:
            problems += error.problems or [Problem(spec.path, "unreadable", error.message)]
    for file in files.values():
        check_file(file, review)
        problems += file.problems
    problems += check_names(review)
    if problems:
        raise InputError(Message("failure.review_files", name=folder.name), problems)
    return Published(
        arms=make_arms(files.get("arms"), review),
        contrasts=make_contrasts(files.get("contrasts"), review),
        published=make_published(files.get("pooled")),
        risk_of_bias=make_risk(files.get("risk_of_bias")),
        ipd=individual,
    )
