"""Outcomes before and after, in columns of their own or in rows of their own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from headway.errors import InputError, Problem
from headway.ingest.proposals.columns import Named, pick
from headway.ingest.proposals.later import USUAL, find_later, is_other_baseline
from headway.ingest.proposals.measures import Ask, list_proven, read_outcome
from headway.ingest.proposals.opening import Sheet
from headway.ingest.proposals.records import Entry, Records
from headway.ingest.proposals.values import profile
from headway.ingest.proposals.vocabulary import cut_time, find_time, fold, list_fields
from headway.messages import Message

# Field of a column -> outcome of a window.
OUTCOMES = {
    "headache_days_28": "frequency",
    "intensity": "intensity",
    "duration_hours": "duration",
    "instrument_hit6": "hit6",
    "instrument_midas": "midas",
}
_WINDOWS = {"before": "baseline", "after": "post"}
_LATER = re.compile(
    r"\b(\d+) ?(w|weeks?|wochen?|wo|semanas?|sem|m|months?|monaten?|monate?|meses)\b"
)
Pairs = Mapping[str, Mapping[str, Named]]  # field -> before and after -> column


def find_pairs(columns: Sequence[Named]) -> Pairs:
    """Find outcomes with one column before and one after treatment."""
    out: dict[str, dict[str, Named]] = {}
    fields = {c.field for c in columns}
    for name in OUTCOMES:
        other = "minutes" if name == "duration_hours" and name not in fields else name
        found = [c for c in columns if c.field == other]
        if len(found) != 2:
            continue
        times = [find_time(c.header) for c in found]
        if times[0] is None and times[1] is not None:
            times[0] = "before" if times[1] == "after" and not _is_later(found[0]) else None
        elif times[1] is None and times[0] == "before":
            times[1] = "after"
        if set(times) == {"before", "after"}:
            out[name] = {str(t): c for t, c in zip(times, found, strict=True)}
    return out


def _is_later(column: Named) -> bool:
    return bool(_LATER.search(cut_time(column.header)))


def read_pairs(
    sheet: Sheet, columns: list[Named], ids: list[str], pairs: Pairs, ask: Ask
) -> tuple[Records, set[int]]:
    """Read outcomes that have a column before and one after; the unit of both is one."""
    records = Records("windows", sheet.name, ids, list(sheet.lines))
    proven = list_proven(columns)
    used = set()
    for name, pair in pairs.items():
        cells = {time: sheet.column(c.index) for time, c in pair.items()}
        both = profile([*cells["before"], *cells["after"]])
        made = {}
        for time, column in pair.items():
            # The scale shows in both columns together.
            common = _find_common([sheet.describe(c.index) for c in pair.values()])
            wide = replace(column, header=common, found=both)
            context = " ".join([common, *sheet.titles])
            plain, entry = read_outcome(wide, _field(name), cells[time], context, proven, ask)
            reason = Message("proposal.from_column", name=column.header)
            made[time] = plain, replace(entry, reasons=(reason, *entry.reasons[1:]))
            used.add(column.index)
        texts = pair["before"].header, pair["after"].header
        _put(records, name, _add_time(made, *texts, sheet.titles))
    return records, used


def _find_common(headers: Sequence[str]) -> str:
    """Keep the words that two names share: what tells them apart is the time, not the unit."""
    first, second = (re.findall(r"[^\W_]+|[^\w\s]", h.replace("_", " ")) for h in headers)
    left = Counter(word.casefold() for word in second)
    out = []
    for word in first:
        if left[word.casefold()] > 0:
            left[word.casefold()] -= 1
            out.append(word)
    return " ".join(out)


def _field(name: str) -> str:
    return "score" if name.startswith("instrument_") else name


def _add_time(
    made: Mapping[str, tuple[list[str], Entry]], before: str, after: str, titles: Sequence[str]
) -> Mapping[str, tuple[list[str], Entry]]:
    """Add how long after treatment it was; a time that is open is in doubt."""
    times = find_later(after, before, titles)
    open_ = len(times) > 1 or is_other_baseline(before, after)
    doubt = "proposal.doubt_times" if open_ else "" if times else "proposal.doubt_no_time"
    out = {}
    for time, (cells, entry) in made.items():
        late = time == "after"
        if open_ and not entry.off:
            entry = replace(entry, off=True, doubt=entry.doubt or doubt)
        elif late and not entry.doubt:
            entry = replace(entry, doubt=doubt)
        usual = not times or (times[0].first, times[0].last) == USUAL
        out[time] = cells, replace(entry, later=times[0] if late and not usual else None)
    return out


def _put(records: Records, name: str, made: Mapping[str, tuple[list[str], Entry]]) -> None:
    units = {entry.unit for _, entry in made.values()}
    off = any(entry.off for _, entry in made.values()) or len(units) > 1
    doubt = next((e.doubt for _, e in made.values() if e.off and e.doubt), "")
    for time, (cells, entry) in made.items():
        outcome = OUTCOMES[name]
        unit = "score" if _field(name) == "score" else entry.unit
        records.put(
            f"{outcome}_{time}",
            cells,
            replace(
                entry,
                unit=unit or {"frequency": "days_per_28"}.get(outcome),
                off=off,
                doubt=doubt
                or entry.doubt
                or ("proposal.doubt_two_units" if len(units) > 1 else ""),
                window=_WINDOWS[time],
                outcome=outcome,
            ),
        )


def find_rounds(columns: Sequence[Named]) -> Named | None:
    """Find the column that says before or after, where each row is one of the two."""
    if not any(c.field in OUTCOMES for c in columns):
        return None
    for column in columns:
        if column.field in ("period", "month", "") or "period" in list_fields(column.header):
            times = {find_time(cell) for cell in column.found.cells}
            if {"before", "after"} <= times:
                return column
    return None


def read_rounds(
    sheet: Sheet, columns: list[Named], ids: list[str], rounds: Named, ask: Ask
) -> tuple[Records, set[int]]:
    """Read a table with a row for each person and time as one row per person.

    Raises
    ------
    InputError
        `several_times` if several rows of a person are after treatment.
    """
    people = list(dict.fromkeys(p for p in ids if p))
    at = {person: i for i, person in enumerate(people)}
    said = [find_time(cell) for cell in sheet.column(rounds.index)]
    labels = {
        time: {fold(c) for c in rounds.found.cells if find_time(c) == time}
        for time in ("before", "after")
    }
    if any(len(texts) != 1 for texts in labels.values()):
        problem = Problem(
            sheet.name,
            "several_times",
            "problem.several_times",
            column=rounds.header,
            remedy="remedy.new_clinic",
        )
        raise InputError("failure.new_clinic", [problem])
    records = Records("windows", sheet.name, people, [0] * len(people))
    used = {rounds.index}
    proven = list_proven(columns)
    for name in OUTCOMES:
        column = pick(columns, name)
        if column is None:
            continue
        wide = replace(column, header=sheet.describe(column.index))
        context = " ".join([wide.header, *sheet.titles])
        cells = sheet.column(column.index)
        plain, entry = read_outcome(wide, _field(name), cells, context, proven, ask)
        made = {}
        for time in ("before", "after"):
            values = [""] * len(people)
            for person, when, cell in zip(ids, said, plain, strict=True):
                if when == time and person:
                    values[at[person]] = cell
            made[time] = (values, entry)
        used.add(column.index)
        before, after = (
            next(c for c in rounds.found.cells if find_time(c) == time)
            for time in ("before", "after")
        )
        _put(records, name, _add_time(made, before, after, sheet.titles))
    return records, used
