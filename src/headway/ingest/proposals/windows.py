"""Outcomes before and after, in columns of their own or in rows of their own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from headway.ingest.proposals.columns import Named, pick
from headway.ingest.proposals.later import USUAL, find_later, is_other_baseline
from headway.ingest.proposals.measures import Ask, list_proven, read_outcome
from headway.ingest.proposals.opening import Sheet
from headway.ingest.proposals.records import Entry, Records
from headway.ingest.proposals.shape_rows import cannot
from headway.ingest.proposals.values import is_missing, profile
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
# Windows of the times after treatment, by their order.
AFTER = ("post", "followup_1", "followup_2", "followup_3")
_WINDOWS = {"before": "baseline"} | {
    f"after_{i}" if i > 1 else "after": window for i, window in enumerate(AFTER, start=1)
}
_LATER = re.compile(
    r"\b(\d+) ?(w|weeks?|wochen?|wo|semanas?|sem|m|months?|monaten?|monate?|meses)\b"
)
Pairs = Mapping[str, Mapping[str, Named]]  # field -> before, after, after_2, ... -> column


def find_pairs(columns: Sequence[Named]) -> Pairs:
    """Find outcomes with one column before and at least one after treatment.

    Of several after treatment each must say a time of its own.
    """
    out: dict[str, dict[str, Named]] = {}
    fields = {c.field for c in columns}
    for name in OUTCOMES:
        other = "minutes" if name == "duration_hours" and name not in fields else name
        found = [c for c in columns if c.field == other]
        pair = _find_two(found) if len(found) == 2 else _find_several(found)
        if pair:
            out[name] = pair
    return out


def _find_two(found: Sequence[Named]) -> dict[str, Named]:
    times = [find_time(c.header) for c in found]
    if times[0] is None and times[1] is not None:
        times[0] = "before" if times[1] == "after" and not _is_later(found[0]) else None
    elif times[1] is None and times[0] == "before":
        times[1] = "after"
    if set(times) != {"before", "after"}:
        return {}
    return {str(t): c for t, c in zip(times, found, strict=True)}


def _find_several(found: Sequence[Named]) -> dict[str, Named]:
    before = [c for c in found if find_time(c.header) == "before"]
    if len(before) != 1:
        return {}
    first = before[0]
    order = _order_times(first.header, [c.header for c in found if c is not first])
    at = {c.header: c for c in found}
    return {"before": first} | {time: at[header] for time, header in order.items()} if order else {}


def _order_times(before: str, texts: Sequence[str]) -> dict[str, str]:
    """Order what is said of times after treatment; nothing unless each says its own."""
    times = {text: find_later(text, before) for text in texts}
    said = {each[0] for each in times.values() if len(each) == 1}
    names = [name for name in _WINDOWS if name != "before"]
    if not 0 < len(texts) == len(times) == len(said) <= len(names):
        return {}
    ordered = sorted(texts, key=lambda text: times[text][0])
    return dict(zip(names, ordered, strict=False))


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
        both = profile([cell for column in cells.values() for cell in column])
        made = {}
        for time, column in pair.items():
            # The scale shows in the columns together.
            common = _find_common([sheet.describe(c.index) for c in pair.values()])
            wide = replace(column, header=common, found=both)
            context = " ".join([common, *sheet.titles])
            plain, entry = read_outcome(wide, _field(name), cells[time], context, proven, ask)
            reason = Message("proposal.from_column", name=column.header)
            made[time] = plain, replace(entry, reasons=(reason, *entry.reasons[1:]))
            used.add(column.index)
        texts = {time: column.header for time, column in pair.items()}
        _put(records, name, _add_time(made, texts, sheet.titles))
    return records, used


def _find_common(headers: Sequence[str]) -> str:
    """Keep the words that names share: what tells them apart is the time, not the unit."""
    words = [re.findall(r"[^\W_]+|[^\w\s]", h.replace("_", " ")) for h in headers]
    left = [Counter(word.casefold() for word in other) for other in words[1:]]
    out = []
    for word in words[0]:
        if all(counts[word.casefold()] > 0 for counts in left):
            for counts in left:
                counts[word.casefold()] -= 1
            out.append(word)
    return " ".join(out)


def _field(name: str) -> str:
    return "score" if name.startswith("instrument_") else name


def _add_time(
    made: Mapping[str, tuple[list[str], Entry]], texts: Mapping[str, str], titles: Sequence[str]
) -> Mapping[str, tuple[list[str], Entry]]:
    """Add how long after treatment it was; a time that is open is in doubt."""
    before = texts["before"]
    out = dict(made)
    for time, text in texts.items():
        if time == "before":
            continue
        times = find_later(text, before, titles)
        open_ = len(times) > 1 or is_other_baseline(before, text)
        doubt = "proposal.doubt_times" if open_ else "" if times else "proposal.doubt_no_time"
        for name in ("before", time) if open_ else ():
            cells, entry = out[name]
            if not entry.off:
                out[name] = cells, replace(entry, off=True, doubt=entry.doubt or doubt)
        cells, entry = out[time]
        if not open_ and not entry.doubt:
            entry = replace(entry, doubt=doubt)
        usual = not times or (times[0].first, times[0].last) == USUAL
        out[time] = cells, replace(entry, later=None if usual else times[0])
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
        `several_times` if rows of a person are after treatment and do not say when.
    """
    people = list(dict.fromkeys(p for p in ids if p))
    at = {person: i for i, person in enumerate(people)}
    texts = _name_rounds(rounds)
    if not texts:
        raise cannot(
            sheet, "several_times", "problem.several_times", rounds.header, "remedy.new_clinic"
        )
    names = {fold(text): time for time, text in texts.items()}
    said = [names.get(fold(cell)) for cell in sheet.column(rounds.index)]
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
        for time in texts:
            values = [""] * len(people)
            for person, when, cell in zip(ids, said, plain, strict=True):
                if when == time and person:
                    values[at[person]] = cell
            made[time] = (values, entry)
        used.add(column.index)
        _put(records, name, _add_time(made, texts, sheet.titles))
    return records, used


def _name_rounds(rounds: Named) -> dict[str, str]:
    """Name the times of a column that says them; none where two rows may be of one time."""
    cells = {fold(cell): cell for cell in rounds.found.cells if cell and not is_missing(cell)}
    before = [cell for cell in cells.values() if find_time(cell) == "before"]
    after = [cell for cell in cells.values() if cell not in before]
    if len(before) != 1 or not after:
        return {}
    if len(after) == 1:
        order = {"after": after[0]} if find_time(after[0]) == "after" else {}
    else:
        order = _order_times(before[0], after)
    return {"before": before[0]} | order if order else {}
