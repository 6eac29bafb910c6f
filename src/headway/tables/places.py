"""What the places of messages are to disclosure control, by name.

A message in a column of text (class `text`) may hold numbers. A place that is not listed here is
withheld under the presets that hide small numbers; a count is entered, hidden and rounded like a
cell of a column of counts.
"""

from __future__ import annotations

from headway.tables.columns import COUNT, Disclosure

PLACES: dict[str, Disclosure] = {"n": COUNT, "of": COUNT, "count": COUNT}
