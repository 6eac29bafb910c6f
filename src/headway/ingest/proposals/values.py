"""What the cells of a column are: numbers, dates, yes and no; which of them mean no answer."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from headway.ingest.proposals.vocabulary import is_word
from headway.ingest.times import read_hours

_NUMBER = re.compile(
    r"(?P<n>[-+]?(?:\d{1,3}(?:[.' ]\d{3})+,\d+|\d{1,3}(?:[,' ]\d{3})+\.\d+"
    r"|\d+(?:[.,]\d+)?|[.,]\d+))"
    r"\s*(?:/\s*(?P<of>10|100)|%|mm|days?|tage?|d[ií]as?)?",
    re.I,
)
# What programs write for an answer that was not given.
MARKERS: tuple[float, ...] = (
    -1.0,
    -7.0,
    -8.0,
    -9.0,
    -77.0,
    -88.0,
    -99.0,
    -777.0,
    -888.0,
    -999.0,
    -9999.0,
)
MARKERS += (77.0, 88.0, 99.0, 777.0, 888.0, 999.0, 7777.0, 8888.0, 9999.0)
# A marker lies this many times above every answer, where an answer could be as large.
_APART = 1.5


def read_number(text: str) -> float | None:
    """Read a number with a decimal point or comma, and the marks that may stand behind it."""
    found = _NUMBER.fullmatch(text.strip().replace("\u2212", "-"))
    if found is None:
        return None
    plain = found["n"].replace("'", "").replace(" ", "")
    if "," in plain and "." in plain:
        last = max(plain.rfind(","), plain.rfind("."))
        plain = plain[:last].replace(",", "").replace(".", "") + "." + plain[last + 1 :]
    value = float(plain.replace(",", "."))
    return value if math.isfinite(value) else None


def write_number(value: float) -> str:
    """Write a number as text with a decimal point."""
    return str(int(value)) if value.is_integer() else repr(round(value, 6))


@dataclass(frozen=True, slots=True)
class Profile:
    """The different cells of a column without blanks and words for no answer, and how often."""

    cells: Mapping[str, int]
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def filled(self) -> int:
        """Cells with an answer."""
        return sum(self.cells.values())

    def share(self, held: Iterable[str]) -> float:
        """Share of the filled cells that are among some."""
        return sum(self.cells[c] for c in held if c in self.cells) / max(1, self.filled)

    def share_words(self, *kinds: str) -> float:
        """Share of the filled cells that are words of some kinds."""
        return self.share(c for c in self.cells if is_word(c, *kinds))

    def share_numbers(self) -> float:
        """Share of the filled cells that are numbers."""
        return self.share(self.numbers)

    def share_hours(self) -> float:
        """Share of the filled cells that are lengths of time with their units."""
        return self.share(c for c in self.cells if read_hours(c) is not None)


# Stands for a cell that cannot be read: its own text could say anything of anyone.
UNREAD = "?"


def is_missing(text: str) -> bool:
    """Tell whether a cell says that there is no answer; so does one of nothing but signs."""
    return not any(c.isalnum() for c in text) or is_word(text, "missing")


def profile(cells: Sequence[str]) -> Profile:
    """Count the different cells of a column."""
    counts = Counter(cells)
    kept = {c: n for c, n in counts.items() if not is_missing(c) or c in ("x", "X")}
    numbers = {c: value for c in kept if (value := read_number(c)) is not None}
    return Profile(kept, numbers)


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers of a column without its markers of missing answers."""

    high: float
    n: int
    middle: float
    fractions: bool
    markers: tuple[float, ...]
    doubtful: bool


def find_range(found: Profile, most: float, proven: Iterable[float] = ()) -> Range:
    """Tell answers from markers of missing ones.

    Parameters
    ----------
    found
        The column.
    most
        The largest answer that is possible.
    proven
        Markers that stand in other columns of the table, where they can be nothing else.

    Returns
    -------
    Range
        `doubtful` where a number may be an answer or a marker.
    """
    counts: Counter[float] = Counter()
    for cell, value in found.numbers.items():
        counts[value] += found.cells[cell]
    outside = {v for v in counts if v in MARKERS and (v < 0 or v > most)}
    rest = sorted(v for v in counts if v not in outside)
    doubtful = False
    for value in [v for v in rest if v in MARKERS]:
        others = max((v for v in rest if v not in MARKERS), default=0.0)
        apart = value > _APART * others
        if apart and (counts[value] >= 2 or value in proven):
            outside.add(value)
        elif value in proven and not any(v > most for v in outside):
            doubtful = True
    kept = sorted(v for v in counts if v not in outside)
    flat = sorted(v for v in kept for _ in range(counts[v]))
    if not flat:
        return Range(math.nan, 0, math.nan, False, tuple(sorted(outside)), doubtful)
    return Range(
        flat[-1],
        len(flat),
        flat[len(flat) // 2],
        any(not v.is_integer() for v in flat),
        tuple(sorted(outside)),
        doubtful,
    )
