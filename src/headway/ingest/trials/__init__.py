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
from headway.ingest.trials.moderators import check_moderators
from headway.ingest.trials.names import check_names, check_pooled_rows
from headway.messages import Message
from headway.tables import TABLES, empty

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
    files, individual, problems = read_files(folder, review)
    if problems:
        raise InputError(Message("failure.review_files", name=folder.name), problems)
    return make_tables(files, individual, review)


def read_files(folder: Path, review: Review) -> tuple[list[File], pd.DataFrame, list[Problem]]:
    """Read a review's files and hold every cell against its rule.

    Returns
    -------
    tuple
        The files that can be opened, the table `ipd`, and everything that is wrong with them.
    """
    files: list[File] = []
    problems: list[Problem] = []
    individual = empty("ipd")
    for kind, spec in review.files.declared().items():
        try:
            if isinstance(spec, IpdFile):
                individual = read_individual(folder, review)
            else:
                files.append(read_file(folder / spec.path, kind, spec, review.own_columns))
        except InputError as error:
            problems += error.problems or [Problem(spec.path, "unreadable", error.message)]
    for file in files:
        check_file(file, review)
        problems += file.problems
    problems += check_names(review)
    shown = {*TABLES["effects"].columns}.union(*(file.columns for file in files))
    problems += [
        Problem("review.yaml", "missing_column", "problem.missing_column", name,
                remedy="remedy.forest_column")
        for name in review.forest.columns
        if name not in shown
    ]  # fmt: skip
    shown |= {*TABLES["arms"].columns}
    problems += [
        Problem("review.yaml", "missing_column", "problem.missing_column", name,
                remedy=Message("remedy.network_column", name=network.id))
        for network in review.networks
        for name in network.columns
        if name not in shown
    ]  # fmt: skip
    problems += check_moderators(files, review)
    pooled = [file for file in files if file.kind == "pooled"]
    return files, individual, problems + check_pooled_rows(review, pooled[0] if pooled else None)


def make_tables(files: list[File], individual: pd.DataFrame, review: Review) -> Published:
    """Make the canonical tables of files without a problem.

    Raises
    ------
    InputError
        Where a number that the printed ones imply is infinite, with file, line and column.
    """
    by = {file.kind: file for file in files}
    made = Published(
        arms=make_arms(by.get("arms"), review),
        contrasts=make_contrasts(by.get("contrasts"), review),
        published=make_published(by.get("pooled")),
        risk_of_bias=make_risk(by.get("risk_of_bias")),
        ipd=individual,
    )
    problems = _find_infinite(made.arms) + _find_infinite(made.contrasts)
    if problems:
        raise InputError(Message("failure.review_files", name=review.id), problems)
    return made


def _find_infinite(table: pd.DataFrame) -> list[Problem]:
    """Find rows whose printed numbers imply an infinite one, such as a spread from a t near 0."""
    import numpy as np

    numbers = table.select_dtypes("float")
    return [
        Problem(
            table["file"].iloc[i],
            "not_allowed",
            "problem.not_allowed",
            str(numbers.columns[j]),
            int(table["line"].iloc[i]),
            "remedy.not_allowed",
        )
        for i, j in zip(*np.isinf(numbers.to_numpy()).nonzero(), strict=True)
    ]
