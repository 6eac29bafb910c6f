"""What page, card and figures say of the change in headache days: read from the table `expected`.

This is the only place that knows how the table carries the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headway.outcomes.expectation.expected import judge, read_sources

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
    change, n
        Of the people who are judged: those with both windows before and the one after.
    low, high
        The range of expected changes that decides. `further` only where change < low, `less` only
        where change > high.
    tipping_mean, tipping_r
        The mean of the population, and the correlation of two windows, at which the answer
        would turn; NaN where there is none.
    ways
        How many deciding rows there are, and how many of them the change goes beyond.
    missing
        Codes of what is not available.
    message
        The sentence for the section on what was expected.
    """

    kind: str
    message: str = ""
    change: float = _NAN
    n: float = _NAN
    low: float = _NAN
    high: float = _NAN
    tipping_mean: float = _NAN
    tipping_r: float = _NAN
    ways: tuple[int, int] = (0, 0)
    missing: tuple[str, ...] = ()


def read_verdict(expected: pd.DataFrame) -> Verdict:
    """Read the verdict on headache days from the released table `expected`."""
    if not len(expected):
        return Verdict("no_data")
    sources = read_sources(expected)
    said = judge(sources)
    deciding = [s for s in sources if s.decides]
    if not deciding:
        return Verdict("no_data", said.message)
    both = [s for s in deciding if s.source == "both_windows"]
    own = (both or deciding)[0]
    known = [s.expected for s in deciding if not np.isnan(s.expected)]
    if expected[["range_low", "range_high"]].isna().any(axis=1).all():
        known = []  # withheld: the range would say where a hidden row lies
    low, high = (min(known), max(known)) if known else (_NAN, _NAN)
    kind = "cannot_tell"
    if not both:
        kind = "not_recorded"
    elif said.beyond and own.change < low:
        kind = "further"
    elif all(s.diff_ci_low > 0 for s in deciding) and own.change > high:
        kind = "less"
    return Verdict(
        kind,
        said.message,
        own.change,
        own.n,
        low,
        high,
        ways=(len(deciding), sum(s.beyond for s in deciding)),
        missing=said.missing,
    )
