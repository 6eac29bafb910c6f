"""What an adversary learns from the program alone: which cells of its tables always agree.

The program is public, so that anyone may take made-up clinics through it and look at every table
before disclosure control: two cells that agree in each of them are one number, and a cell that is
always the sum of two others is their sum, whatever the documentation says. Nothing here knows a
table, a column or a definition; the contracts say which columns hold counts.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from headway.tables import TABLES

if TYPE_CHECKING:
    from tests.unit.disclosure_attack import Attack

    Tables = Mapping[str, pd.DataFrame]

# Clinics in which a cell has to stand, and numbers that it has to have, before anything is
# concluded from it.
_CLINICS, _NUMBERS = 6, 3
# `of` of an account of rows is its total again.
_OF = {"n": (), "of": ("in_the_file",)}


class Cell(float):
    """A number of a table that remembers its cell: table, key of the row, column."""

    at: Hashable

    def __new__(cls, value: float, at: Hashable) -> Cell:
        """Read a cell."""
        out = super().__new__(cls, value)
        out.at = at
        return out


def list_counts(table: str) -> list[str]:
    """List the columns of a table that hold counts, each cell for itself.

    Counts of curves come in blocks, and those that are computed again are other numbers.
    """
    rules = {name: column.disclosure for name, column in TABLES[table].columns.items()}
    return [c for c, r in rules.items() if r.kind == "count" and not r.blocks and not r.again]


def list_keys(table: str, frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """List the keys of a table's rows; a part of one may be empty."""
    columns = ([str(v) for v in frame[k]] for k in TABLES[table].key)
    return list(zip(*columns, strict=True))


def tag(tables: Tables) -> dict[str, pd.DataFrame]:
    """Let every count remember its cell."""
    out = {}
    for table, frame in tables.items():
        marked = frame.copy()
        keys = list_keys(table, frame)
        for column in list_counts(table):
            marked[column] = pd.Series(
                [
                    Cell(v, ("cell", table, *key, column))
                    for v, key in zip(frame[column].to_numpy(dtype=float), keys, strict=True)
                ],
                index=frame.index,
                dtype=object,
            )
        out[table] = marked
    return out


def read_cells(a: Attack, released: Tables, true: Tables) -> None:
    """Read every printed count and every hidden one; `true` is tagged."""
    for table, frame in true.items():
        if table not in released or table == "change_histogram":
            continue  # its tails are collapsed: other cells than before
        keys = list_keys(table, released[table])
        for column in list_counts(table):
            printed = dict(zip(keys, released[table][column], strict=True))
            for row, cell in zip(list_keys(table, frame), frame[column], strict=True):
                if table == "flow" and row[0] == "rows" and "in_the_file" in (row[2], *_OF[column]):
                    continue  # the sum of the printed steps, as the page says
                if not np.isnan(cell) and row in printed:
                    a.see(cell.at, cell, printed[row], zeros=False)


def learn(
    clinics: Sequence[Tables], texts: Sequence[Mapping[Hashable, float]] = ()
) -> tuple[list[set[Hashable]], list[tuple[Hashable, ...]]]:
    """Find the cells that agree, and those that are the sum of two others, in every clinic.

    Parameters
    ----------
    clinics
        Tables before disclosure control.
    texts
        Of each clinic the numbers of its page, figures and notebook, by place: cells as well.

    Returns
    -------
    equal
        Sets of cells with one number.
    sums
        (total, one, other).
    """
    found: dict[Hashable, dict[int, float]] = {}
    for i, tables in enumerate(clinics):
        for table, frame in tables.items():
            keys = list_keys(table, frame)
            for column in list_counts(table):
                values = frame[column].to_numpy(dtype=float)
                for key, value in zip(keys, values, strict=True):
                    if not np.isnan(value):
                        found.setdefault(("cell", table, *key, column), {})[i] = value
    for i, own in enumerate(texts):
        for place, value in own.items():
            found.setdefault(place, {})[i] = value
    groups: dict[tuple[tuple[int, float], ...], set[Hashable]] = {}
    for cell, by in found.items():
        if len(by) >= _CLINICS and len(set(by.values())) >= _NUMBERS:
            groups.setdefault(tuple(sorted(by.items())), set()).add(cell)
    return [g for g in groups.values() if len(g) > 1], _find_sums(groups, len(clinics))


def _find_sums(
    groups: Mapping[tuple[tuple[int, float], ...], set[Hashable]], clinics: int
) -> list[tuple[Hashable, ...]]:
    """Find every number that is the sum of two others wherever all three stand."""
    full = [g for g in groups if len(g) == clinics]
    table = np.array([[v for _, v in g] for g in full])
    names = [min(groups[g], key=str) for g in full]
    # One number for each row, so that a sum of rows is a sum of these.
    weight = np.random.default_rng(1).random(clinics)
    one = table @ weight
    order = np.argsort(one)
    ordered = one[order]
    out = []
    enough = np.flatnonzero((table > 0).sum(axis=1) >= clinics // 2)
    for place, i in enumerate(enough):
        others = enough[place:]
        at = np.searchsorted(ordered, one[i] + one[others] - 1e-9)
        at = np.minimum(at, len(ordered) - 1)
        near = np.abs(ordered[at] - one[i] - one[others]) < 1e-9
        for j, k in zip(others[near], order[at[near]], strict=True):
            if (table[k] == table[i] + table[j]).all():
                out.append((names[k], names[i], names[j]))
    return out


def apply(a: Attack, learned: tuple[list[set[Hashable]], list[tuple[Hashable, ...]]]) -> None:
    """Use what was learned on one clinic."""
    equal, sums = learned
    for cells in equal:
        known = sorted((c for c in cells if c in a.truth), key=str)
        for cell in known[1:]:
            if a.truth[cell] == a.truth[known[0]]:
                a.same.append((cell, known[0]))
    for total, one, other in sums:
        if {total, one, other} <= set(a.truth) and (
            a.truth[total] == a.truth[one] + a.truth[other]
        ):
            a.ties.append((total, (one, other)))
