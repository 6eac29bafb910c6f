"""What the places of messages are to disclosure control, by name.

A message in a column of text (class `text`) may hold numbers. A place that is not listed here is
withheld under the presets that hide small numbers; a count is entered, hidden and rounded like a
cell of a column of counts.
"""

from __future__ import annotations

from headway.tables.columns import CONSTANT, COUNT, PUBLISHED, Disclosure

_COUNTS = ("n", "of", "count")
# Settings, thresholds, days and limits that nobody's records move.
_CONSTANTS = (
    "back", "best", "border", "day", "days", "end", "fall", "first", "held", "hours", "icc", "last",
    "least", "limit", "most", "mu", "noise", "percent", "points", "reach", "replicates", "retest",
    "sem", "sets", "target", "tests", "to", "weeks", "windows", "worst",
)  # fmt: skip
# Numbers of people, or of arms, that others have printed.
_PUBLISHED = ("k", "people")
# Computed from records: rounded to these decimals.
_DECIMALS = {"between": 1, "high": 1, "low": 1, "r": 2, "share": 0, "value": 1, "within": 1}

PLACES: dict[str, Disclosure] = {
    **dict.fromkeys(_COUNTS, COUNT),
    **dict.fromkeys(_CONSTANTS, CONSTANT),
    **dict.fromkeys(_PUBLISHED, PUBLISHED),
    **{place: Disclosure("estimate", n=("n",), decimals=d) for place, d in _DECIMALS.items()},
}
