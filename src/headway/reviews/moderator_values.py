"""What each pooled effect's trial says of a moderator, or why it says nothing.

A cell is looked for in the rows behind the effect, the treatment arm's first, then in the trial's
other rows of the outcome, then in all of its rows. Rows that disagree give no value: which of two
doses a trial stands for is for people to say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.ingest.open.numbers import read_numbers
from headway.ingest.trials.moderators import CELLS
from headway.messages import Message, is_missing
from headway.reviews.candidates import read_lines
from headway.reviews.specifications import find_judged

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Moderator, Review

NAN = float("nan")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Value:
    """A moderator's value of one effect: a number or a level; None with the reason."""

    value: float | str | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Trials:
    """The tables that values are looked up in."""

    arms: pd.DataFrame
    contrasts: pd.DataFrame
    risk_of_bias: pd.DataFrame
    review: Review


def find_values(
    used: pd.DataFrame, moderator: Moderator, comparison: Comparison, trials: Trials
) -> list[Value]:
    """Find a moderator's value of each effect.

    Parameters
    ----------
    used
        Rows of the table `effects` of one comparison.
    moderator, comparison
        Their entries in review.yaml.
    trials
        The review's tables.

    Returns
    -------
    list of Value
        One per row of `used`.
    """
    column = moderator.column
    if column == "risk_of_bias":
        judged = find_judged(trials.risk_of_bias, comparison)
        read = [judged.get(trial) for trial in used["trial"]]
        return [_hold([] if one is None else [one], moderator) for one in read]
    if column == "control_risk":
        shares = 100 * used["events2"] / used["n2"]
        return [_hold([] if np.isnan(x) else [float(x)], moderator) for x in shares]
    if column == "year":
        return [_hold([] if is_missing(x) else [float(x)], moderator) for x in used["year"]]
    sources = [
        (_list_rows(trials.arms), _decimal(trials.review, "arms")),
        (_list_rows(trials.contrasts), _decimal(trials.review, "contrasts")),
    ]
    return [
        _hold(_look_up(row, column, moderator, comparison, trials.review, sources), moderator)
        for row in used.to_dict("records")
    ]


def _decimal(review: Review, kind: str) -> str:
    file = getattr(review.files, kind)
    return "." if file is None else file.decimal


def _list_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = frame.to_dict("records")
    for row in rows:
        own = row["own"]
        row["own"] = json.loads(own) if isinstance(own, str) and own else {}
    return rows


def _look_up(
    effect: Row,
    column: str,
    moderator: Moderator,
    comparison: Comparison,
    review: Review,
    sources: Sequence[tuple[list[dict[str, Any]], str]],
) -> list[float | str]:
    """List the distinct values of the nearest rows that hold any."""
    if column == "n":
        people = [effect["n1"], effect["n2"]]
        if not is_missing(people[0]):
            return [float(np.nansum(np.array(people, dtype=float)))]
        column = "n_total"
    unit = review.outcomes[comparison.outcome].unit
    control = column == "baseline_mean" and comparison.estimand == "between_arm"

    def read(row: Row, decimal: str) -> float | str | None:
        if column == "baseline_mean" and row["unit"] != unit:
            return None  # of another scale
        if column in ("time_days", "baseline_mean", "n_total"):
            cell = row.get(column)
            return None if is_missing(cell) else float(cell)  # type: ignore[arg-type]
        cell = row["own"].get(column)
        if cell is None and column in CELLS:
            cell = row.get(column)
        if is_missing(cell) or cell == "":
            return None
        return _as_number(str(cell), decimal) if moderator.type == "number" else str(cell)

    return _take_first(effect, comparison, sources, read, control)


def _take_first(
    effect: Row,
    comparison: Comparison,
    sources: Sequence[tuple[list[dict[str, Any]], str]],
    read: Callable[[Row, str], float | str | None],
    control: bool,
) -> list[float | str]:
    for nearness in range(3):
        for first in ("control",) if control else ("treatment", "control"):
            found: dict[float | str, None] = {}
            for rows, decimal in sources:
                for row in _select(rows, effect, comparison, nearness):
                    # A printed contrast is of both arms.
                    if row.get("role", first) == first:
                        value = read(row, decimal)
                        if value is not None:
                            found[value] = None
            if found:
                return list(found)
    return []


def _select(
    rows: list[dict[str, Any]], effect: Row, comparison: Comparison, nearness: int
) -> Iterator[Row]:
    """List a trial's rows: those behind the effect, of its outcome, or all."""
    behind = set(read_lines(effect["lines"]))
    for row in rows:
        if row["trial"] != effect["trial"]:
            continue
        if nearness == 0 and (row["file"], row["line"]) not in behind:
            continue
        if nearness == 1 and row["outcome"] != comparison.outcome:
            continue
        yield row


def _as_number(cell: str, decimal: str) -> float | str:
    """Read a printed number; text that is none stays text."""
    import pandas as pd

    number = float(read_numbers(pd.Series([cell.strip()]), decimal).values.iloc[0])
    return cell if np.isnan(number) else number


def _hold(found: list[float | str], moderator: Moderator) -> Value:
    """Take the one value that there is, or say why there is none."""
    if not found:
        return Value(None, Message("moderators.not_printed"))
    if len(found) > 1:
        return Value(None, Message("moderators.several_values"))
    value = found[0]
    if moderator.type == "factor":
        return Value(f"{value:g}" if isinstance(value, float) else value)
    if isinstance(value, str) or not np.isfinite(value):
        return Value(None, Message("moderators.no_number"))
    return Value(value)
