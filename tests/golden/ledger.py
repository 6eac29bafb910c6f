"""An account of stored answers: every number is compared or excluded with a reason, none is lost.

A test opens a :class:`Ledger` over a part of the stored file, compares entry by entry and closes
it. Closing fails if a difference is larger than its bound, or if a number of the file was neither
compared nor excluded, or if README.md beside this file states other counts. ``pytest -s`` prints
what was compared and the worst differences; with HEADWAY_LEDGER set to a file, every ledger is
written there as a line of JSON, from which ``python -m tests.golden.write_readme`` makes the tables
of the README.
"""

from __future__ import annotations

import json
import lzma
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

Key = tuple[str | int, ...]

FOLDER = Path("golden") / "metafor"
# Made-up data and R's answers to them, laid out as the known answers outside the repository.
INSIDE = Path(__file__).with_name("inside")
# What became of every section: counts for the summary at the end of a run of the tests.
TALLY: list[dict[str, Any]] = []
README = Path(__file__).with_name("README.md")


@cache
def read_json(path: Path) -> dict[str, Any]:
    """Read a file, or the compressed one that stands for it; what was read is kept."""
    packed = path.with_name(path.name + ".xz")
    data = path.read_bytes() if path.is_file() else lzma.decompress(packed.read_bytes())
    content: dict[str, Any] = json.loads(data)
    return content


def read_answers(source: Path, file: str = "oracle.json") -> dict[str, Any]:
    return read_json(source / FOLDER / file)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def walk(value: Any, key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Yield the key and value of every leaf that is a number."""
    if is_number(value):
        yield key, value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from walk(part, (*key, name))
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from walk(part, (*key, i))


def show(key: Key) -> str:
    return " / ".join(map(str, key))


@dataclass
class Worst:
    count: int = 0
    difference: float = 0.0
    bound: float = 0.0
    key: Key = ()
    off: int = 0


@dataclass
class Ledger:
    """The open numbers of a part of the file, and what became of the others.

    `section` is the parsed part, `name` what it is called in the account, and `source` the folder
    that it was read from.
    """

    name: str
    section: Any
    source: Path | None = None
    open: dict[Key, Any] = field(init=False)
    worst: dict[str, Worst] = field(default_factory=dict)
    excluded: Counter[str] = field(default_factory=Counter)
    compared: int = 0
    tally: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.open = dict(walk(self.section))
        if self.is_inside:
            self.name = f"inside: {self.name}"
        self.tally = {"name": self.name, "compared": 0, "excluded": 0, "off": 0, "closed": False}
        TALLY.append(self.tally)

    @property
    def is_inside(self) -> bool:
        """Whether the answers are those that the repository carries."""
        return self.source == INSIDE

    def find(self, key: Key) -> Any:
        value = self.section
        for part in key:
            value = value[part]
        return value

    def compare(
        self,
        quantity: str,
        key: Key,
        ours: Any,
        *,
        rtol: float = 0.0,
        atol: float = 0.0,
        scale: Any = None,
        floor: float = 0.0,
        skip: Any = None,
        reason: str = "",
    ) -> None:
        """Compare the number, or the (nested) list of numbers, at `key` with ours.

        The difference is measured against ``max(|stored|, floor)``, or against `scale` where
        given (a half-width, for instance), and must be ≤ `rtol`; with `atol` it is absolute.
        ``null`` and ``[]`` in the file mean "not defined" and must be NaN, None or empty here. R
        writes a list of one as a plain number, which is allowed for. Entries for which `skip` is
        true are excluded with the `reason`.
        """
        stored = self.find(key)
        theirs = np.ravel(_to_floats(stored))
        mine = np.ravel(_to_floats(ours))
        if skip is not None and np.any(skip):
            assert reason, "skipping needs a reason"
            left_out = np.ravel(skip)
            for i in np.flatnonzero(left_out):
                if self.open.pop((*key, int(i)), None) is not None:
                    self.excluded[reason] += 1
            theirs, mine = np.where(left_out, np.nan, theirs), np.where(left_out, np.nan, mine)
        keys = [k for k, _ in walk(stored, key) if skip is None or k in self.open]
        if theirs.size == 0 or np.isnan(theirs).all():
            assert mine.size == 0 or np.isnan(mine).all(), f"defined here only: {show(key)}"
        else:
            assert mine.shape == theirs.shape, (show(key), mine.shape, theirs.shape)
            known = ~np.isnan(theirs)
            assert (np.isnan(mine) == ~known).all(), f"defined on one side only: {show(key)}"
            theirs, mine = theirs[known], mine[known]
            same = theirs == mine  # infinities, too
            with np.errstate(invalid="ignore", divide="ignore"):
                size = np.maximum(np.abs(theirs), floor)
                if scale is not None:
                    size = np.broadcast_to(np.ravel(_to_floats(scale)), known.shape)[known]
                off = np.where(same, 0.0, np.abs(mine - theirs) / (1.0 if atol else size))
            worst = self.worst.setdefault(quantity, Worst())
            bound = atol or rtol
            worst.count += theirs.size
            largest = float(off.max(initial=0.0)) if not np.isnan(off).any() else np.inf
            # The worst is the one that uses most of its own bound.
            share = largest / bound if bound else (np.inf if largest else 0.0)
            worst.off += int((~(off <= bound)).sum())
            before = worst.difference / worst.bound if worst.bound else -1.0
            if share > before or not worst.key:
                worst.difference, worst.bound, worst.key = largest, bound, key
        for k in keys:
            assert k in self.open, f"settled twice: {show(k)}"
            del self.open[k]
        self.compared += len(keys)

    def exclude(self, pattern: str | Key, reason: str, *, some: bool = True) -> None:
        """Take out the number of a key, or those whose key, joined by " / ", matches a pattern.

        Without `some`, a section may hold none of them.
        """
        if isinstance(pattern, tuple):
            matching = [pattern] if pattern in self.open else []
        else:
            matching = [key for key in self.open if re.fullmatch(pattern, show(key))]
        assert matching or not some, f"nothing to exclude: {pattern}"
        if not matching:
            return
        for key in matching:
            del self.open[key]
        self.excluded[reason] += len(matching)

    def report(self) -> str:
        lines = [f"{self.name}: {self.compared} numbers compared"]
        lines += [
            f"  {name:28s} {w.count:7d}  worst {w.difference:.1e}  allowed {w.bound:.0e}"
            f"  ({show(w.key)})"
            for name, w in self.worst.items()
        ]
        lines += [f"  excluded {n:7d}  {reason}" for reason, n in self.excluded.items()]
        return "\n".join(lines)

    def close(self) -> None:
        """Check that no number is left and that no difference is beyond its bound."""
        print("\n" + self.report())
        self.tally |= {"compared": self.compared, "excluded": self.excluded.total()}
        self.tally |= {"off": sum(w.off for w in self.worst.values()), "closed": not self.open}
        for name, w in self.worst.items():
            assert w.difference <= w.bound, f"{name} off by {w.difference:.3e}: {show(w.key)}"
        left = [show(key) for key in list(self.open)[:10]]
        assert not self.open, f"{len(self.open)} numbers neither compared nor excluded: {left}"
        if os.environ.get("HEADWAY_LEDGER"):
            with Path(os.environ["HEADWAY_LEDGER"]).open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(self.to_dict()) + "\n")
        else:
            stated = self.to_row()
            assert stated in README.read_text(encoding="utf-8"), f"README.md does not hold {stated}"

    def to_row(self) -> str:
        """Return the row of the README's table of sections."""
        return f"| {self.name} | {self.compared} | {self.excluded.total()} |"

    def to_dict(self) -> dict[str, Any]:
        """Return what was compared as plain data."""
        quantities = {
            name: [w.count, w.difference, w.bound, show(w.key)] for name, w in self.worst.items()
        }
        return {"row": self.to_row(), "quantities": quantities, "excluded": dict(self.excluded)}


def _to_floats(value: Any) -> np.ndarray:
    if value is None:
        return np.array([np.nan])
    if isinstance(value, list):
        if any(isinstance(part, list) for part in value):
            return np.concatenate([np.ravel(_to_floats(part)) for part in value])
        return np.array([np.nan if part is None else part for part in value], dtype=float)
    return np.asarray(value, dtype=float)
