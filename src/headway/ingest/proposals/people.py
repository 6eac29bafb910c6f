"""Whose a row is, and its day: codes for people, days from the first treatment for dates."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from headway.ingest.proposals.dates import Moment
from headway.ingest.proposals.records import Records


def fold_id(text: str) -> str:
    """Write a code as it is typed: NFC, without blanks at its ends, `12.0` as 12."""
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    return plain[:-2] if plain.endswith(".0") and plain[:-2].isdigit() else plain


def link_ids(tables: Sequence[Iterable[str]]) -> dict[str, str]:
    """Find which spellings are one person's: other capitals, zeros that a spreadsheet dropped.

    Two spellings that stand in one table stay two people.

    Returns
    -------
    dict
        Spelling -> the one that stands for it.
    """
    sets = [{fold_id(text) for text in table if text.strip()} for table in tables]
    everyone = sorted(set().union(*sets)) if sets else []
    linked = {name: name for name in everyone}
    for key in (_without_zeros, str.casefold):
        groups: dict[str, set[str]] = {}
        for name in everyone:
            groups.setdefault(key(linked[name]), set()).add(linked[name])
        for group in groups.values():
            apart = any(len(group & {linked[n] for n in names}) > 1 for names in sets)
            if len(group) > 1 and not apart:
                first = min(group)
                linked = {n: first if own in group else own for n, own in linked.items()}
    return linked


def _without_zeros(text: str) -> str:
    return text.lstrip("0") if text.isdigit() else text


@dataclass(frozen=True, slots=True)
class Starts:
    """Day 0 of each person, and how many have none."""

    day: Mapping[str, date]
    without: int


def find_starts(records: Sequence[Records], linked: Mapping[str, str]) -> Starts:
    """Find day 0: the start that a list gives, else the first session that names a technique.

    Where none of a person's sessions names one, it is the first of all.
    """
    declared: dict[str, date] = {}
    treated: dict[str, date] = {}
    seen: dict[str, date] = {}
    people = set()
    for one in records:
        names = [linked[fold_id(i)] if i.strip() else "" for i in one.ids]
        people |= set(names) - {""}
        for name, moment in zip(names, one.times.get("start_day", []), strict=False):
            if name and moment is not None:
                declared.setdefault(name, moment.day)
        if one.kind != "sessions" or one.days is None:
            continue
        techniques = one.values.get("technique", [""] * len(names))
        for name, moment, technique in zip(names, one.days, techniques, strict=True):
            if name and moment is not None:
                seen[name] = min(moment.day, seen.get(name, moment.day))
                if technique:
                    treated[name] = min(moment.day, treated.get(name, moment.day))
    starts = {**seen, **treated, **declared}
    dated = any(one.days is not None or one.times for one in records)
    without = len(people - set(starts)) if dated else 0
    return Starts(starts, without)


def count_offsets(records: Records, names: Sequence[str], starts: Starts) -> list[int | None]:
    """Count the day of each row from its person's day 0; None where either is not known."""
    if records.days is None:
        return list(records.offsets or [None] * len(names))
    offsets = records.offsets or [None] * len(names)
    return [
        offset if moment is None else count_offset(moment, starts.day.get(name))
        for name, moment, offset in zip(names, records.days, offsets, strict=True)
    ]


def count_offset(moment: Moment | None, start: date | None) -> int | None:
    """Count the days from a start to a date."""
    return None if moment is None or start is None else (moment.day - start).days


def choose_values(values: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Take one value for each person: the one that stands oftenest, none where two do."""
    counts: dict[str, Counter[str]] = {}
    for name, value in zip(names, values, strict=True):
        if name and value:
            counts.setdefault(name, Counter())[value] += 1
    out = {}
    for name, found in counts.items():
        ranked = found.most_common(2)
        if len(ranked) == 1 or ranked[0][1] > ranked[1][1]:
            out[name] = ranked[0][0]
    return out
