"""One number, one name: equal counts of the same people are one count, in whatever table.

A count that is hidden in one table and printed in another is not hidden. The rules of single
tables know repetitions by their definitions; this holds for every column of counts of every
contract, new ones among them. Two counts of different tables are taken for one where they are
equal, the keys of their rows have a word in common ("soreness", "technique: manual") and contradict
each other in no column: hidden in both, or printed in both. What happens to be equally large hides
more than is needed, and never less. All people are a part of those who started.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

from headway.disclosure.suppress import EVERYONE, Ledger, Names
from headway.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

ALL = "all"
# Columns of keys that say of whom a row is, in several tables, beside the group.
_OF_PEOPLE = {"comparison", "harm", "reported", "visit", "currency"}
# Words of keys that say nothing about whom a row counts.
_EMPTY = {ALL, "any", "of", "at", "in", "to", "the", "not", "n", "from", "share", "percent", "mean"}


@dataclass(slots=True)
class _Where:
    """Where a name stands: rows, and by table the words and the cells of their keys.

    `core` holds the words that all its rows of a table share, `words` all words, `columns` the
    columns of counts, `cells` the cells of each column of the key. `beside` holds its cells with
    the key but for the outcome: what is measured does not say of whom.
    """

    rows: set[tuple[str, int]] = field(default_factory=set)
    beside: set[tuple[str, ...]] = field(default_factory=set)
    core: dict[str, set[str]] = field(default_factory=dict)
    words: dict[str, set[str]] = field(default_factory=dict)
    columns: dict[str, set[str]] = field(default_factory=dict)
    cells: dict[str, set[str]] = field(default_factory=dict)

    def note(
        self, table: str, index: int, column: str, row: Mapping[str, Any], groups: set[str]
    ) -> None:
        """Note a row in which the name stands; `groups` are the groups of people by name."""
        self.cells.setdefault("group", set()).add(find_group(table, row, groups))
        words: set[str] = set()
        for key in TABLES[table].key:
            words |= _split(str(row[key]))
            self.cells.setdefault(key, set()).add(str(row[key]))
        self.rows.add((table, index))
        if "outcome" in TABLES[table].key:
            rest = (str(row[k]) for k in TABLES[table].key if k != "outcome")
            self.beside.add((table, column, *rest))
        self.core[table] = self.core.get(table, words) & words
        self.words.setdefault(table, set()).update(words)
        self.columns.setdefault(table, set()).add(column)

    @property
    def erased(self) -> bool:
        """Whether it stands only in columns that are computed again from what is printed."""
        columns = [TABLES[t].columns[c] for t, own in self.columns.items() for c in own]
        return all(column.disclosure.again for column in columns)

    @property
    def anything(self) -> bool:
        """Whether its tables say neither of which group nor of which outcome a row is."""
        return not any({"group", "outcome"} & set(TABLES[t].key) for t in self.columns)

    def contradicts(self, other: _Where) -> bool:
        """Whether a column of both keys says something else of either."""
        shared = set(self.cells) & set(other.cells) & _OF_PEOPLE
        if any(not self.cells[c] & other.cells[c] for c in shared):
            return True
        return not (
            self.cells["group"] & other.cells["group"] or self.names(other) or other.names(self)
        )

    def names(self, other: _Where) -> bool:
        """Whether a row of everyone names the family of groups that the other is one of."""
        families = {g.split(": ")[0] for g in other.cells["group"] - {ALL}}
        return any(families & words for words in self.words.values())

    def agrees(self, other: _Where) -> bool:
        """Whether two names may stand for the same people."""
        if self.rows & other.rows or self.beside & other.beside:
            return True
        if self.contradicts(other):
            return False
        # What a table erases, one whose rows may be about anything may print.
        if (self.erased and other.anything) or (other.erased and self.anything):
            return True
        for one, words in self.core.items():
            for two in set(other.core) - {one}:
                own = other.core[two]
                if (words and words <= other.words[two]) or (own and own <= self.words[one]):
                    return True
                of_one_outcome = "outcome" in TABLES[one].key and "outcome" in TABLES[two].key
                if of_one_outcome and self.columns[one] & other.columns[two]:
                    return True
        return False


def join_equal(ledger: Ledger, tables: Mapping[str, pd.DataFrame], names: Names) -> None:
    """Give equal counts of the same people one name, and make people a part of who started.

    Small counts are left apart, since they are hidden in any case. Changes the ledger, whose
    `renamed` says which name stands for which.
    """
    groups = {str(g) for frame in tables.values() if "group" in frame for g in frame["group"]}
    where: dict[Hashable, _Where] = {}
    people: dict[Hashable, str] = {}
    for table, column, index, row, name in _walk(tables, names):
        where.setdefault(name, _Where()).note(table, index, column, row, groups)
        if TABLES[table].columns[column].unit == "people":
            people[name] = find_group(table, row, groups)
    # A file with a row a person counts people.
    rows = {
        name: EVERYONE
        for name, value in ledger.values.items()
        if value == ledger.values.get(EVERYONE) and isinstance(name, tuple) and name[0] == "flow"
    }
    ledger.merge(_find_equal(ledger, where) | rows)
    for name, group in people.items():
        own, whole = ledger.renamed.get(name, name), ("of", group)
        if own != whole and ledger.values.get(whole, 0) > ledger.values[own]:
            ledger.split(whole, [own], nested=True)
    _tie_complements(ledger, names)


def _tie_complements(ledger: Ledger, names: Names) -> None:
    """Tie shares of two tables that together are the people whom both are a share of.

    "Did not improve" in one table is everyone but those who improved in another.
    """
    shares: dict[Hashable, dict[tuple[str, Hashable], None]] = {}
    for table, spec in TABLES.items():
        for rule in (c.disclosure for c in spec.columns.values() if c.disclosure.kind == "share"):
            both = [names.get((table, c), []) for c in (rule.n[0], rule.count)]
            for pair in zip(*both, strict=False):
                n, count = (ledger.renamed.get(m, m) for m in pair)
                if n is not None and count is not None:
                    shares.setdefault(n, {})[table, count] = None
    for total, counts in shares.items():
        for (one, count), (other, rest) in combinations(counts, 2):
            both_are = ledger.values[count] + ledger.values[rest] == ledger.values[total]
            if one != other and both_are and 0 < ledger.values[count] < ledger.values[total]:
                ledger.split(total, [count, rest])


def _walk(
    tables: Mapping[str, pd.DataFrame], names: Names
) -> Iterator[tuple[str, str, int, dict[str, Any], Hashable]]:
    """List every named count of people, or of what they bring: its column, row and name."""
    for (table, column), own in names.items():
        spec = TABLES[table]
        rule = spec.columns[column].disclosure if column in spec.columns else None
        if rule is None or rule.blocks:
            continue
        rows = tables[table].to_dict("records")
        for index, (row, name) in enumerate(zip(rows, own, strict=True)):
            if name is None or (spec.people and row[spec.people[0]] != spec.people[1]):
                continue
            for one in name if rule.kind == "text" else (name,):  # type: ignore[attr-defined]
                yield table, column, index, row, one


def find_group(table: str, row: Mapping[str, Any], groups: set[str]) -> str:
    """Find the group that a row is about: in its column, or written in its key in another way."""
    if "group" in row:
        return str(row["group"])
    key = [(c, str(row[c])) for c in TABLES[table].key]
    written = [v for _, v in key] + [f"{c}: {v}" for c, v in key]
    written += [f"{one}: {other}" for _, one in key for _, other in key]
    return next((w for w in written if w in groups), ALL)


def _split(cell: str) -> set[str]:
    """Split a cell of a key into its words; a group is named by what follows the colon."""
    text = cell.split("{")[0].split(": ")[-1].lower()
    words = {w for w in re.split(r"[^a-z]+", text) if len(w) > 1} - _EMPTY
    return words | ({cell} if ": " in cell else set())


def _find_equal(ledger: Ledger, where: Mapping[Hashable, _Where]) -> dict[Hashable, Hashable]:
    """Find which name stays for each that another one stands for."""
    pools: dict[int, list[Hashable]] = {}
    for name in where:
        value = ledger.values[name]
        started = isinstance(name, tuple) and name[0] == "of"
        if value and not ledger.preset.hides(value) and not started:
            pools.setdefault(value, []).append(name)
    renamed = {}
    for pool in pools.values():
        for cluster in _cluster(pool, where):
            stays = next((n for n in cluster if n in (EVERYONE, ledger.primary)), cluster[0])
            renamed.update({name: stays for name in cluster if name != stays})
    return renamed


def _cluster(pool: list[Hashable], where: Mapping[Hashable, _Where]) -> list[list[Hashable]]:
    """Put names together that agree, one with the other or by way of a third."""
    clusters = [[name] for name in pool]
    for first, second in combinations(pool, 2):
        one, other = (next(c for c in clusters if name in c) for name in (first, second))
        if one is other or not where[first].agrees(where[second]):
            continue
        if not any(where[a].contradicts(where[b]) for a in one for b in other):
            one.extend(other)
            clusters.remove(other)
    return [c for c in clusters if len(c) > 1]
