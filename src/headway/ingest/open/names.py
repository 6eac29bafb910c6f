"""Names of columns: a header's own spelling against the one in clinic.yaml, and where it stands."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

# In a name of clinic.yaml, the number in the names of a grid's columns.
NUMBER = "{n}"
_INVISIBLE = str.maketrans("", "", "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff")
# A header further down than this is none.
SEARCHED = 200


def tidy(name: str) -> str:
    """Write a name or a cell without what nobody sees: odd and doubled blanks, split accents."""
    if name.isascii():
        return " ".join(name.split()) if " " in name or not name.isprintable() else name
    return " ".join(unicodedata.normalize("NFC", name).translate(_INVISIBLE).split())


def number_of(name: str, pattern: str) -> int | None:
    """Return the number that a column has in a pattern such as `day{n}`; None if it is no such."""
    parts = (re.escape(part.strip()) for part in tidy(pattern).casefold().split(NUMBER, 1))
    found = re.fullmatch(r"\s*([-+]?\d+)\s*".join(parts), tidy(name).casefold())
    return int(found[1]) if found else None


def match_names(cells: Iterable[str], wanted: Collection[str]) -> tuple[str, ...]:
    """Read a header: each name as clinic.yaml writes it, where it can be no other.

    Blanks that nobody sees and the way an accent is written make no difference; nor does the case,
    unless two columns or two names differ in nothing else.
    """
    names = [cell.strip() for cell in cells]
    missing = [w for w in dict.fromkeys(wanted) if w not in names and NUMBER not in w]
    for same in (tidy, lambda name: tidy(name).casefold()):
        at: dict[str, list[int]] = {}
        for i, name in enumerate(names):
            if name and name not in wanted:
                at.setdefault(same(name), []).append(i)
        asked = Counter(map(same, missing))
        for name in missing:
            places = at.get(same(name), [])
            if len(places) == 1 and asked[same(name)] == 1:
                names[places[0]] = name
    return tuple(names)


def count_held(header: Sequence[str], wanted: Collection[str]) -> int:
    """Count the wanted names that a header holds; a pattern is held by any of its columns."""
    names = set(header)
    return sum(
        any(number_of(name, w) is not None for name in header) if NUMBER in w else w in names
        for w in set(wanted)
    )


def is_header(held: int, wanted: Collection[str]) -> bool:
    """Tell whether a line is the header: it holds every wanted name, or two and most of them."""
    asked = len(set(wanted))
    return held > 0 and (held == asked or (held >= 2 and held * 2 >= asked))


def find_header(rows: Sequence[Sequence[str]], wanted: Collection[str]) -> tuple[int, int]:
    """Find the header among rows: its place and how many wanted names it holds.

    The first row that holds most of them, if it can be the header; else the first with any cell.
    """
    asked, keys = len(set(wanted)), {tidy(name).casefold() for name in wanted}
    patterned = any(NUMBER in name for name in wanted)
    held: list[int] = []
    for row in rows:
        # Most rows hold none of the names in any writing.
        may = patterned or any(tidy(cell).casefold() in keys for cell in row)
        held.append(count_held(match_names(row, wanted), wanted) if may else 0)
        if asked and held[-1] == asked:  # no other can hold more
            break
    best = max(held, default=0)
    if is_header(best, wanted):
        return held.index(best), best
    first = next((i for i, row in enumerate(rows) if any(cell.strip() for cell in row)), 0)
    return first, held[first] if held else 0
