"""What `transcribe` of review.yaml asks two readers for: a line for each cell of a figure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.config.review import Figure, Review, ReviewFile
from headway.errors import Problem
from headway.ingest.trials.columns import NUMBERS, REQUIRED, TEXTS
from headway.messages import Message, term

if TYPE_CHECKING:
    import pandas as pd

STATUS = "transcribed"
NUMBERS_READ = {"arms": ("n", "mean", "sd"), "contrasts": ("effect", "ci_low", "ci_high")}
ROLES = ("treatment", "control")
# What a row gets without being told: from the outcome, from the readers, from its arm.
_KNOWN = {"unit", "status", "source", "role", "arm", "treatment_arm", "control_arm"}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a figure: a trial. `figure` and `number` count from 1."""

    figure: int
    number: int
    place: str
    kind: str
    trial: str  # empty where its name is read, too
    columns: dict[str, str]  # canonical column -> what is declared of it

    @property
    def name(self) -> str:
        """Name the row as the column `source` does."""
        return f"{self.place}, row {self.number}"


@dataclass(frozen=True, slots=True)
class Line:
    """A cell that two people read: its row, its arm (or ""), its canonical column."""

    row: Row
    role: str
    column: str

    @property
    def id(self) -> str:
        """Tell the cell from all others of the review."""
        parts = (self.row.figure, self.row.number, self.role, self.column)
        return ".".join(str(part) for part in parts if part)

    @property
    def is_number(self) -> bool:
        """Whether it holds a number."""
        return self.column in NUMBERS[self.row.kind]


def list_rows(review: Review) -> list[Row]:
    """List the rows of the figures, in the order in which they are read."""
    rows = []
    for i, figure in enumerate(review.transcribe.figures, start=1):
        columns = _columns(figure, review)
        place = " ".join(figure.place.split())
        for j, trial in enumerate((*figure.trials, *[""] * figure.unnamed), start=1):
            rows.append(Row(i, j, place, figure.into, trial, columns))
    return rows


def _columns(figure: Figure, review: Review) -> dict[str, str]:
    declared = {**review.transcribe.columns, **figure.columns}
    told = {column: f"{value:g}" if isinstance(value, float) else str(value)
            for column, value in declared.items()}  # fmt: skip
    outcome = review.outcomes.get(told.get("outcome", ""))
    return ({"unit": outcome.unit} if outcome else {}) | told


def list_lines(review: Review, row: Row) -> Iterator[Line]:
    """List the cells of a row: the trial's name, what is read once, the numbers."""
    asked = review.transcribe
    if not row.trial:
        yield Line(row, "", "trial")
    for column in asked.per_trial:
        if column not in row.columns and column != "trial":
            yield Line(row, "", column)
    numbers = asked.figures[row.figure - 1].numbers or NUMBERS_READ[row.kind]
    for role in ROLES if row.kind == "arms" else ("",):
        for column in numbers:
            yield Line(row, role, column)


def count_minutes(review: Review) -> tuple[int, int]:
    """Count the cells, and the minutes that one reader needs for all of them."""
    cells = sum(1 for row in list_rows(review) for _ in list_lines(review, row))
    return cells, math.ceil(cells * review.transcribe.seconds / 60)


def count_transcribed(tables: Mapping[str, pd.DataFrame]) -> int:
    """Count the rows of `arms` and `contrasts` that two people read off figures."""
    return sum(int(tables[name]["status"].eq(STATUS).sum()) for name in NUMBERS_READ)


def check_figures(review: Review) -> list[Problem]:
    """Find what `transcribe` names and nobody knows, and what its rows would lack."""
    problems = []
    arms = review.transcribe.treatment, review.transcribe.control
    for i, figure in enumerate(review.transcribe.figures):
        kind, place = figure.into, f"transcribe.figures.{i}"
        told = _columns(figure, review)
        read = {"trial", *review.transcribe.per_trial, *(figure.numbers or NUMBERS_READ[kind])}
        known = {*TEXTS[kind], *NUMBERS[kind]}
        if kind == "contrasts":
            known |= {"treatment_arm", "control_arm"}
        remedy = Message("remedy.known", names=sorted(known))
        problems += [
            Problem("review.yaml", "unknown_canonical_column", "problem.not_a_column",
                    f"{place}: {name}", remedy=remedy)
            for name in sorted({*told, *read} - known)
        ]  # fmt: skip
        lacking = {*REQUIRED[kind]} - {*told, *read} - _KNOWN
        if not all("arm" in arm for arm in arms):
            lacking.add("arm")
        problems += [
            Problem("review.yaml", "missing_column", "problem.missing_column",
                    f"{place}: {name}", remedy="remedy.transcribe_column")
            for name in sorted(lacking)
        ]  # fmt: skip
        outcome = told.get("outcome")
        if outcome is not None and outcome not in review.outcomes:
            text = Message("problem.undeclared", kind=term("declared", "outcome"),
                           place=f"{place}.outcome", name=outcome)  # fmt: skip
            remedy = Message("remedy.known", names=list(review.outcomes))
            problems.append(Problem("review.yaml", "unknown_outcome", text, remedy=remedy))
        if not _takes_rows(getattr(review.files, kind)):
            text = Message("problem.transcribe_file", kind=kind)
            remedy = Message("remedy.transcribe_file", kind=kind)
            problems.append(Problem("review.yaml", "transcribe_file", text, remedy=remedy))
    places = [" ".join(figure.place.split()) for figure in review.transcribe.figures]
    for place in sorted({one for one in places if places.count(one) > 1}):
        text = Message("problem.figure_twice", place=place)
        problems.append(Problem("review.yaml", "duplicate", text, remedy="remedy.figure_twice"))
    return list(dict.fromkeys(problems))


def _takes_rows(file: ReviewFile | None) -> bool:
    """Whether a row can be written into a file as it is read from it: column for column."""
    if file is None or file.wide is not None or file.keep_where or file.constants:
        return False
    return all(isinstance(entry, str) for entry in file.columns.values())
