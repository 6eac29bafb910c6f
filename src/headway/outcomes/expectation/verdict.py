"""What page, card and figures say of the change in headache days: read from the table `expected`.

This is the only place that knows how the table carries the verdict. It follows from the numbers of
the table as they are released: withholding never makes a verdict, and no sentence can contradict
the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headway.messages import Message, read, say, speaking
from headway.outcomes.expectation import judge

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("further", "cannot_tell", "less", "not_recorded", "no_data")
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the change goes further than would be expected without treatment.

    Attributes
    ----------
    kind
        One of `KINDS`.
    message
        The sentence for the section on what was expected.
    change, n
        Of the people who are judged: those with both windows before and the one after; where that
        is not recorded, of everybody with one before and after.
    low, high
        The range of expected changes that decides. `further` only where change < low, `less` only
        where change > high.
    tipping_mean, tipping_r
        The mean of the population, and the correlation of two windows, at which the answer
        would turn; NaN where there is none.
    allowed, published_fall
        Natural recovery that the range allows for, and the largest published fall at a like level
        and time; days, 0 or more.
    ways
        How many rows decide on the side of the change, and how many of them it clears.
    missing
        Codes of what is not available: `earlier_window`, `untreated_arms`.
    """

    kind: str
    message: str = ""
    change: float = _NAN
    n: float = _NAN
    low: float = _NAN
    high: float = _NAN
    tipping_mean: float = _NAN
    tipping_r: float = _NAN
    allowed: float = _NAN
    published_fall: float = _NAN
    ways: tuple[int, int] = (0, 0)
    missing: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The message in English."""
        with speaking("en"):
            return say(self.message)


def read_verdict(expected: pd.DataFrame) -> Verdict:
    """Read the verdict on headache days from the released table `expected`."""
    if not len(expected):
        return Verdict("no_data", Message("verdict.no_data"))
    missing = () if (expected["source"] == "arm").any() else ("untreated_arms",)
    deciding = expected[expected["decides"]].to_dict("records")
    first = expected[~expected["redacted"]]
    top = (first if len(first) else expected).iloc[0]
    if not deciding:
        return _read_unrecorded(expected, ("earlier_window", *missing))
    rows = [_read_row(row) for row in deciding]
    # A hidden row is cleared by nothing, so that it keeps both verdicts back.
    hidden = any(np.isnan(row.expected) for row in rows)
    change = float(top["change"]) if top["decides"] else _NAN
    kind = "cannot_tell" if hidden else judge.decide(change, rows)
    # Where the range is withheld, it does not come back from the rows beside it.
    told = expected[["range_low", "range_high"]].notna().to_numpy().any()
    known = [row.expected for row in rows if told and not np.isnan(row.expected)]
    low, high = (min(known), max(known)) if known else (_NAN, _NAN)
    own = [row for row in rows if row.side == judge.side_of(kind, change)]
    found = judge.Verdict(
        kind,
        change,
        top["n"],
        low,
        high,
        tuple(rows),
        float(top["tipping_mean"]),
        float(top["tipping_r"]),
        Message("verdict.no_data"),
    )
    return Verdict(
        kind,
        judge.write_sentence(found) if known else Message("verdict.withheld"),
        change,
        float(top["n"]),
        low,
        high,
        found.tipping_mean,
        found.tipping_r,
        max(0.0, -low) if known else _NAN,
        float(top["published_fall"]),
        (len(own), sum(row.clears for row in own)),
        missing,
    )


def _read_unrecorded(expected: pd.DataFrame, missing: tuple[str, ...]) -> Verdict:
    """Read the change, and no verdict, where the earlier window is not known."""
    row = expected[expected["source"] == "change"].iloc[0]
    found = judge.Verdict(
        "not_recorded",
        float(row["change"]),
        row["n"],
        _NAN,
        _NAN,
        (),
        float(row["tipping_mean"]),
        float(row["tipping_r"]),
        Message("verdict.no_data"),
        float(row["diff_ci_low"]),
        float(row["diff_ci_high"]),
    )
    known = not np.isnan(found.change)
    return Verdict(
        found.kind,
        judge.write_sentence(found) if known else Message("verdict.withheld"),
        found.change,
        float(found.n),
        tipping_mean=found.tipping_mean,
        tipping_r=found.tipping_r,
        missing=missing,
    )


def _read_row(row: dict[str, object]) -> judge.Row:
    """Read one deciding row back."""
    numbers = [row[c] for c in ("expected", "difference", "diff_ci_low", "diff_ci_high")]
    # A file holds a message as text; within another message it has to be one.
    found = read(str(row["label"]))
    label = found[0] if found else str(row["label"])
    return judge.Row(str(row["source"]), label, str(row["side"]), *(float(x) for x in numbers))  # type: ignore[arg-type]
