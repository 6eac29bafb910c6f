"""Moderators of a review: whether their columns are there, and hold what they are said to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from headway.config.review import Moderator, Review
from headway.errors import Problem
from headway.ingest.open.numbers import read_numbers
from headway.ingest.trials.checks import NO_NUMBER
from headway.ingest.trials.files import File
from headway.messages import Message

if TYPE_CHECKING:
    import pandas as pd

# What is known of every trial, whatever its file's columns are called.
NUMBERS = ("year", "n", "time_days", "baseline_mean", "control_risk")
RISK = "risk_of_bias"
# Canonical columns of text that can be factors.
CELLS = (
    *("condition", "technique", "comparator", "instrument", "timepoint", "design"),
    *("subgroup", "effect_type"),
)


def check_moderators(files: list[File], review: Review) -> list[Problem]:
    """Find moderators without a column, declared twice, or of text where numbers are asked for."""
    known = {*NUMBERS, RISK, *CELLS}
    for file in files:
        if file.kind in ("arms", "contrasts"):
            known.update(file.columns)
    problems: list[Problem] = []
    numbers: dict[str, None] = {}
    for comparison in review.comparisons:
        names = [one.column for one in comparison.moderators]
        for one in dict.fromkeys(names):
            if names.count(one) > 1:
                text = Message("problem.moderator_twice", place=comparison.id, name=one)
                remedy = "remedy.moderator_twice"
                problems.append(Problem("review.yaml", "duplicate", text, one, remedy=remedy))
        for moderator in comparison.moderators:
            problems += _check_column(moderator, known)
            if moderator.type == "number" and moderator.column not in NUMBERS:
                numbers[moderator.column] = None
    for file in files:
        for column in numbers:
            problems += _check_numbers(file, column)
    return problems


def _check_column(moderator: Moderator, known: set[str]) -> Iterator[Problem]:
    column = moderator.column
    if column not in known:
        yield Problem(
            "review.yaml",
            "missing_column",
            "problem.missing_column",
            column,
            remedy=Message("remedy.moderator_column", names=[*NUMBERS, RISK, *CELLS]),
        )
    elif moderator.type == "number" and column in (RISK, *CELLS):
        remedy = Message("remedy.moderator_factor", name=column)
        yield Problem("review.yaml", "type", "problem.moderator_of_text", column, remedy=remedy)


def _check_numbers(file: File, column: str) -> Iterator[Problem]:
    """Hold the cells of a column of the file's own against the rules for numbers."""
    if file.kind not in ("arms", "contrasts") or column not in file.columns:
        return
    cells: pd.Series = file.rows["own"].map(
        lambda own: json.loads(own).get(column, "").strip() if own else ""
    )
    # Both arms of a row that holds both are one cell.
    cells = cells.where(~file.rows["line"].duplicated(), "")
    before = len(file.problems)
    for rule, bad in read_numbers(cells, file.decimal).broken.items():
        file.report(bad, rule, NO_NUMBER[rule][0], column, "remedy.moderator_number")
    found, file.problems[before:] = file.problems[before:], []
    yield from found
