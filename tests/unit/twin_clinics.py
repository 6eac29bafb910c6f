"""Two clinics before disclosure control that are one clinic after it.

What a page, a figure or a notebook makes of released tables cannot tell the two apart. So each
number that disclosure control hides is replaced by another one here, where the printed tables stay
as they are: estimates and shares freely; small counts so that one person more or less is in a
hidden group, or has moved from one hidden group to another beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from headway.disclosure import Preset, change, classes, door
from headway.disclosure.suppress import Ledger, Names
from headway.tables import TABLES

Tables = dict[str, pd.DataFrame]
Move = dict[Hashable, int]
Place = tuple[str, str, int]  # table, column, row
_SAID = ("key", "constant", "published")
# Their rows are not those that are printed.
_OTHER_ROWS = ("change_histogram", "change_lines", "relapse_curve")


@dataclass(frozen=True, slots=True)
class Twin:
    """Other tables with the same release, and how many cells differ: estimates and counts."""

    tables: Tables
    estimates: int
    counts: int


def make_twin(found: Mapping[str, pd.DataFrame], out: Tables, rules: Preset, seed: int = 1) -> Twin:
    """Change what `out`, the release of `found`, does not print; the caller releases it again."""
    rng = np.random.default_rng(seed)
    twin = {name: frame.copy() for name, frame in found.items()}
    estimates = 0
    for table, frame in twin.items():
        if len(frame) != len(out[table]):
            continue
        for column, rule in TABLES[table].columns.items():
            kind = rule.disclosure.kind
            if rule.kind in ("text", "bool") or kind in ("count", *_SAID):
                continue
            hidden = frame[column].notna() & out[table][column].isna()
            other = (frame[column] + rng.normal(size=len(frame))).clip(rule.low, rule.high)
            frame[column] = frame[column].where(~hidden, other)
            estimates += int((hidden & other.ne(found[table][column])).sum())
    ledger, names = _enter(found, rules)
    places = _find_places(names, found)
    counts = 0
    for move in _list_moves(ledger, places):
        for name, value in move.items():
            for table, column, row in places[name]:
                twin[table].iat[row, twin[table].columns.get_loc(column)] = float(value)
                counts += 1
    return Twin(twin, estimates, counts)


def _enter(found: Mapping[str, pd.DataFrame], rules: Preset) -> tuple[Ledger, Names]:
    own = {name: frame.copy() for name, frame in found.items()}
    own["change_histogram"] = change.collapse(own["change_histogram"], rules)
    ledger = Ledger(rules)
    names = door.enter(ledger, own)
    return ledger, names | classes.enter_rest(ledger, own, names)


def _find_places(names: Names, found: Mapping[str, pd.DataFrame]) -> dict[Hashable, list[Place]]:
    """Find the cells of each count that stands in cells alone."""
    places: dict[Hashable, list[Place]] = defaultdict(list)
    elsewhere: set[Hashable] = set()
    for (table, column), own in names.items():
        rule = TABLES[table].columns.get(column)
        for row, name in enumerate(own):
            if name is None:
                continue
            if rule is None or column not in found[table] or table in _OTHER_ROWS:
                elsewhere.add(name)
            elif rule.disclosure.kind == "text":
                elsewhere.update(name)  # type: ignore[arg-type]
            else:
                places[name].append((table, column, row))
    return {name: own for name, own in places.items() if name not in elsewhere}


def _list_moves(ledger: Ledger, places: Mapping[Hashable, list[Place]]) -> list[Move]:
    """List changes of small counts that leave every other count of a sum as it is."""
    limit, values = ledger.preset.redact_up_to, ledger.values
    sums: dict[Hashable, set[int]] = defaultdict(set)
    for i, (total, parts) in enumerate(ledger.splits, 1):
        sums[total].add(-i)
        for part in parts:
            sums[part].add(i)
    alike: dict[frozenset[int], list[Hashable]] = defaultdict(list)
    for name in places:
        if ledger.preset.hides(values[name]):
            alike[frozenset(sums[name])].append(name)
    moves: list[Move] = []
    taken: set[int] = set()
    for own, several in alike.items():
        names = sorted(several, key=lambda n: -values[n])
        other = {n: values[n] + (1 if values[n] < limit else -1) for n in names}
        if not own:  # part of no sum
            moves += [{n: other[n]} for n in names]
            continue
        while len(names) > 1:  # from the largest to the smallest of one sum
            most, least = names[0], names[-1]
            names = names[1:-1]
            if values[most] > 1 and values[least] < limit:
                moves.append({most: values[most] - 1, least: values[least] + 1})
                taken |= own
        # Who is in no group of the sum is not counted anywhere.
        if min(own) > 0 and not taken & own and _has_room(ledger, own):
            moves.append({several[0]: other[several[0]]})
            taken |= own
    return moves


def _has_room(ledger: Ledger, sums: frozenset[int]) -> bool:
    """Whether each of these sums leaves many over, of whom nothing is printed."""
    left = [
        max((ledger.values[p] for p in parts if p[:1] == ("rest",)), default=0)  # type: ignore[index]
        for parts in (ledger.splits[i - 1][1] for i in sums)
    ]
    return min(left) > ledger.preset.redact_up_to + 1
