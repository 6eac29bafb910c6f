"""Which counts must be hidden so that none of the small ones follows from the others.

All counts that a clinic publishes enter one ledger, each under a name; a count that is printed in
two tables has one name and is hidden in both or in neither. Between names stand splits, total =
sum of parts, and nothing else is needed: people who are part of others are a split with a part
that is not printed.

The adversary of `Ledger.protect` knows the rules, all splits, what every printed count is rounded
from, and which of the hidden counts are small; of the others only that they are not 0. What
follows for a count is found by narrowing ranges through the splits until nothing moves (bounds
propagation). A test takes the same tables apart with integer programmes, which miss nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from headway.disclosure.presets import Preset

Floats = NDArray[np.float64]
# (table, column) -> the name of each row's count, None where there is none.
Names = dict[tuple[str, str], list[Hashable | None]]
EVERYONE: Hashable = ("of", "all")
# A small count stays hidden while at least this many values remain possible for it.
POSSIBLE = 3
_WITHOUT_LIMIT = 1e9


class Worth(IntEnum):
    """What a count is worth to a reader; the cheapest are hidden first."""

    STEP, LOST, CELL, GROUP, SHARE, ANALYSED, STARTED, PRIMARY = range(8)


@dataclass(slots=True)
class Ledger:
    """Named counts of one clinic, and the splits between them."""

    preset: Preset
    values: dict[Hashable, int] = field(default_factory=dict)
    # What a printed count is worth to the reader: cheap ones are hidden first. Absent: not printed.
    worth: dict[Hashable, int] = field(default_factory=dict)
    hidden: set[Hashable] = field(default_factory=set)
    # Printed by an earlier release, and not to be hidden any more.
    fixed: set[Hashable] = field(default_factory=set)
    # Hidden together with everything beside them, zeros included, so that each may be zero.
    blank: set[Hashable] = field(default_factory=set)
    # Where a reader is told of a hidden count whether it is small itself.
    told: set[Hashable] = field(default_factory=set)
    splits: list[tuple[Hashable, tuple[Hashable, ...]]] = field(default_factory=list)
    # Ranges that are published too, each as long as the count that it comes with is printed.
    ranges: dict[Hashable, list[tuple[Hashable | None, float, float]]] = field(default_factory=dict)
    # The people of the primary change, and the names of shares by their numbers, so that a row
    # that is printed again in another table is known again.
    primary: Hashable | None = None
    rows: dict[Hashable, tuple[Hashable | None, Hashable | None]] = field(default_factory=dict)
    # Names that `merge` has given up, and those that stand for them.
    renamed: dict[Hashable, Hashable] = field(default_factory=dict)

    def add(self, name: Hashable, value: float, worth: int | None = None) -> Hashable:
        """Enter a count; without a `worth` it is not printed and can only be reckoned.

        Raises
        ------
        ValueError
            If the name stands for another number already.
        """
        number = int(value)
        if self.values.setdefault(name, number) != number:
            raise ValueError(f"two counts of the name {name!r}")
        if worth is not None:
            self.worth[name] = max(worth, self.worth.get(name, worth))
            if self.preset.hides(number):
                self.hidden.add(name)
        return name

    def narrow(
        self, name: Hashable, low: float, high: float, beside: Hashable | None = None
    ) -> None:
        """Tell the ledger that a count is also published in another way, as a range.

        The range is known as long as the count `beside` is not hidden; without one, always.
        """
        self.ranges.setdefault(name, []).append((beside, low, high))

    def split(
        self, total: Hashable, parts: Iterable[Hashable], *, nested: bool = False
    ) -> Hashable | None:
        """State that a count is the sum of others.

        What is left over is a part of its own that is not printed. `nested` says that there may
        be such people, so that their number is not known to be 0 when it is.

        Returns
        -------
        name of the part that is left over, or None
        """
        own = tuple(dict.fromkeys(parts))
        left = self.values[total] - sum(self.values[p] for p in own)
        if left < 0 or not own:  # not a sum of these people: nothing follows
            return None
        rest = None
        if left or nested:
            rest = ("rest", total, own)
            self.add(rest, left)
            own = (*own, rest)
        if (total, own) not in self.splits:
            self.splits.append((total, own))
        return rest

    def merge(self, renamed: Mapping[Hashable, Hashable]) -> None:
        """Let one name stand for several equal counts: hidden together, or printed together."""
        for old, new in renamed.items():
            self.add(new, self.values.pop(old), self.worth.pop(old, None))
            for names in (self.hidden, self.blank, self.told):
                if old in names:
                    names.remove(old)
                    names.add(new)
            self.ranges.setdefault(new, []).extend(self.ranges.pop(old, []))
        self.ranges = {
            name: [(renamed.get(b, b), low, high) for b, low, high in own]
            for name, own in self.ranges.items()
        }
        self.renamed.update(renamed)
        splits = dict.fromkeys(
            (renamed.get(total, total), tuple(renamed.get(p, p) for p in parts))
            for total, parts in self.splits
        )
        self.splits = [s for s in splits if s[1] != (s[0],)]
        self.primary = renamed.get(self.primary, self.primary)

    def protect(self) -> set[Hashable]:
        """Hide further counts until no small one follows; returns all that are hidden.

        Parts of a hidden small total go with it, zeros included. Otherwise the cheapest, then
        nearest, then smallest printed count that bears on an exposed one is hidden, and in the
        end each that turned out to be unnecessary is printed again.
        """
        self._blank_parts()
        net = _Net(self)
        extra: list[Hashable] = []
        # A count on which nothing printed bears any more is as safe as it can be.
        while name := next(
            (n for e in net.find_exposed() if (n := net.choose(list(e))) is not None), None
        ):
            net.hide(name)
            extra.append(name)
        left = net.find_exposed()
        for name in reversed(extra):
            net.hide(name, False)
            if any(wide < left.get(e, POSSIBLE) for e, wide in net.find_exposed().items()):
                net.hide(name)
        return self.hidden

    def _blank_parts(self) -> None:
        moved = True
        while moved:
            moved = False
            for total, parts in self.splits:
                if self.preset.hides(self.values[total]):
                    new = {p for p in parts if p in self.worth} - self.blank
                    moved |= bool(new)
                    self.blank |= new
                    self.hidden |= new

    def find_hidden(self, names: Iterable[Hashable | None]) -> NDArray[np.bool_]:
        """Find which of some names are hidden; None is not."""
        return np.array([n is not None and n in self.hidden for n in names], bool)

    def range_of(self, name: Hashable) -> tuple[float, float]:
        """Range that an adversary starts from for one count."""
        value, limit = self.values[name], self.preset.redact_up_to
        if name not in self.worth:
            low, high = 0.0, _WITHOUT_LIMIT
        elif name not in self.hidden:
            low, high = self.preset.range_of(value)
        elif name in self.blank:
            low, high = 0.0, float(limit)
        elif self.preset.hides(value):
            low, high = 1.0, float(limit)
        else:
            low, high = float(min(value, limit + 1 if name in self.told else 1)), _WITHOUT_LIMIT
        for beside, also_low, also_high in self.ranges.get(name, ()):
            if beside not in self.hidden:
                low, high = max(low, also_low), min(high, also_high)
        return low, high


class _Net:
    """The splits of a ledger as arrays."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.names = list(ledger.values)
        at = self.at = {name: i for i, name in enumerate(self.names)}
        self.total = np.array([at[t] for t, _ in ledger.splits], int)
        self.part = np.array([at[p] for _, parts in ledger.splits for p in parts], int)
        self.split = np.array([i for i, (_, ps) in enumerate(ledger.splits) for _ in ps], int)
        self.value = np.array([ledger.values[n] for n in self.names], float)
        self.small = np.array([ledger.preset.hides(v) for v in self.value], bool)
        self.near: dict[int, list[int]] = {}  # splits of each count
        for i, (t, parts) in enumerate(ledger.splits):
            for name in (t, *parts):
                self.near.setdefault(at[name], []).append(i)
        self.members = [[at[t], *(at[p] for p in parts)] for t, parts in ledger.splits]
        self.ranges = np.array([ledger.range_of(n) for n in self.names], float).reshape(-1, 2)
        self.beside: dict[Hashable, list[Hashable]] = {}
        for name, own in ledger.ranges.items():
            for other in [b for b, _, _ in own if b is not None]:
                self.beside.setdefault(other, []).append(name)
        self.printed = np.array(
            [n in ledger.worth and n not in ledger.hidden for n in self.names], bool
        )

    def hide(self, name: Hashable, gone: bool = True) -> None:
        """Hide a count, or print it again."""
        i = self.at[name]
        if gone:
            self.ledger.hidden.add(name)
        else:
            self.ledger.hidden.discard(name)
        for other in (name, *self.beside.get(name, ())):
            self.ranges[self.at[other]] = self.ledger.range_of(other)
        self.printed[i] = name in self.ledger.worth and not gone

    def bounds(self) -> tuple[Floats, Floats]:
        """Narrow the range of every count until nothing moves."""
        low, high = self.ranges[:, 0].copy(), self.ranges[:, 1].copy()
        if not len(self.total):
            return low, high
        many = len(self.total)
        for _ in range(200):
            before = low.sum() - high.sum()
            below = np.bincount(self.split, low[self.part], many)
            above = np.bincount(self.split, high[self.part], many)
            np.maximum.at(low, self.total, below)
            np.minimum.at(high, self.total, above)
            total_low, total_high = low[self.total][self.split], high[self.total][self.split]
            new_low = total_low - (above[self.split] - high[self.part])
            new_high = total_high - (below[self.split] - low[self.part])
            np.maximum.at(low, self.part, new_low)
            np.minimum.at(high, self.part, new_high)
            if low.sum() - high.sum() == before:
                break
        return low, high

    def find_exposed(self) -> dict[tuple[int, ...], float]:
        """Find small counts, and small sums of hidden parts, for which too few values remain.

        Returns
        -------
        dict
            For each, the counts from which to look for one to hide, and how far its range goes.
        """
        low, high = self.bounds()
        shown = self.printed
        few = high - low < POSSIBLE - 1
        out: dict[tuple[int, ...], float] = {
            (int(i),): float(high[i] - low[i]) for i in np.flatnonzero(self.small & ~shown & few)
        }
        if not len(self.total):
            return out
        # The hidden parts of a split taken together: total - printed parts.
        many, gone = len(self.total), ~shown[self.part]

        def add(values: Floats, rows: NDArray[np.bool_]) -> Floats:
            return np.asarray(
                np.bincount(self.split, np.where(rows, values[self.part], 0), many), float
            )

        rest = add(self.value, gone)
        rest_low = np.maximum(low[self.total] - add(high, ~gone), add(low, gone))
        rest_high = np.minimum(high[self.total] - add(low, ~gone), add(high, gone))
        small = (rest > 0) & (rest <= self.ledger.preset.redact_up_to)
        # A total that is small itself has been hidden with all its parts.
        small &= ~self.small[self.total]
        bad = np.flatnonzero(small & (rest_high - rest_low < POSSIBLE - 1))
        return out | {tuple(self.members[i]): float(rest_high[i] - rest_low[i]) for i in bad}

    def choose(self, start: list[int]) -> Hashable | None:
        """Choose what to hide among the printed counts that hidden ones lead to."""
        reached = self._reach(start).items()
        found = {i: d for i, d in reached if self.names[i] not in self.ledger.fixed}
        useful = [i for i in found if self.value[i] > 0] or list(found)
        if not useful:
            return None
        worth = self.ledger.worth
        best = min(useful, key=lambda i: (worth[self.names[i]], found[i], self.value[i], i))
        return self.names[best]

    def _reach(self, start: list[int]) -> dict[int, int]:
        """Find the printed counts that hidden ones lead to, and how far away they are."""
        shown = self.printed
        seen = set(start)
        frontier, distance = [i for i in start if not shown[i]], 1
        found: dict[int, int] = {i: 0 for i in start if shown[i]}
        while frontier:
            following: list[int] = []
            for i in frontier:
                for s in self.near.get(i, ()):
                    for j in self.members[s]:
                        if j in seen:
                            continue
                        seen.add(j)
                        if shown[j]:
                            found[j] = distance
                        else:
                            following.append(j)
            frontier, distance = following, distance + 1
        return found
