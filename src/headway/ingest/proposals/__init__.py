"""A clinic's exports -> its folder: tables of codes and days, and a clinic.yaml that is proposed.

`opening` reads the files, `columns` and `shapes` (with `grids`, `windows`, `redcap_forms`) tell
what is in them, `measures` and `codes` in which units and words, `people` whose a row is and its
day; `write` writes the folder. The exports themselves are only read. Dates and people's own codes
go no further than this module: what is written holds days from the first treatment and codes that
a secret of this machine makes (`ingest.secret`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headway.config.clinic import Window, Windows
from headway.errors import ConfigError, InputError, Problem
from headway.ingest.adapters import redcap
from headway.ingest.proposals import redcap_forms
from headway.ingest.proposals.later import USUAL, Later
from headway.ingest.proposals.measures import Ask
from headway.ingest.proposals.opening import Sheet, cut_floats, read_files
from headway.ingest.proposals.people import (
    Starts,
    choose_values,
    count_offset,
    count_offsets,
    find_starts,
    fold_id,
    link_ids,
)
from headway.ingest.proposals.records import Entry, Records, join
from headway.ingest.proposals.shapes import find_order, recognise
from headway.ingest.proposals.values import read_number
from headway.ingest.proposals.vocabulary import tell_language
from headway.ingest.proposals.windows import AFTER
from headway.ingest.proposals.write import (
    MARK,
    Proposal,
    Table,
    compare,
    hide_telling,
    write_folder,
    write_yaml,
)
from headway.ingest.secret import make_code, read_secret
from headway.ingest.template import NAME
from headway.messages import Message, say, speaking

__all__ = ["Made", "make_clinic", "propose"]

# Fewer people alike than this point at one.
_ALIKE = 5
_LATER = {
    "day": "window.later_day",
    "week": "window.later_week",
    "month": "window.later_month",
    "year": "window.later_year",
    "weeks": "window.later_weeks",
}
# Where nothing is said: the window after treatment of the defaults.
_USUAL = Later(*USUAL, "week", 12)
_TIMES = ("start_day", "diary_from", "diary_to")


@dataclass(frozen=True, slots=True)
class Made:
    """A folder that was written, and what to say about it."""

    folder: Path
    proposal: Proposal
    updated: bool
    changes: tuple[str, ...] = ()


def make_clinic(
    paths: Sequence[Path], name: str, data_dir: Path, disclosure: str | None, ask: Ask
) -> Made:
    """Make or update a clinic's folder from its exports.

    Parameters
    ----------
    paths
        The exported files; they are not changed.
    name
        Of the clinic: small letters, digits and underscores.
    data_dir
        Its folder is made below `raw/clinics`.
    disclosure
        A preset of disclosure rules, or None for the default.
    ask
        Called with a question and its answers; None where nobody answers.

    Raises
    ------
    ConfigError
        If the name is none, or the folder is there and was not made by this function.
    InputError
        If a file cannot be read, or what is in it could mean two things that differ in numbers.
    """
    if not NAME.fullmatch(name):
        problem = Problem("NAME", "name", "problem.no_name", remedy="remedy.no_name")
        raise ConfigError("failure.clinic_name", [problem])
    folder = data_dir / "raw" / "clinics" / name
    settings = folder / "clinic.yaml"
    updated = settings.is_file()
    if folder.exists() and any(folder.iterdir()):
        marked = updated and settings.read_text(encoding="utf-8", errors="replace").startswith(MARK)
        if not marked:
            raise ConfigError(Message("failure.clinic_there", folder=name))
    secret = read_secret(data_dir)
    proposal = propose(paths, secret, name, ask)
    changes: list[str] = []
    if updated:
        changes, lost = compare(folder, proposal)
        if lost:
            problem = Problem(
                "clinic.yaml", "records_lost", "problem.records_lost", remedy="remedy.records_lost"
            )
            raise InputError("failure.new_clinic", [problem])
    text = None if updated else write_yaml(proposal, name, disclosure)
    write_folder(folder, proposal, text)
    return Made(folder, proposal, updated, tuple(changes))


def propose(paths: Sequence[Path], secret: bytes, name: str, ask: Ask) -> Proposal:
    """Read exports and propose a clinic's tables and settings; nothing is written.

    Raises
    ------
    InputError
        As `make_clinic`.
    """
    with tempfile.TemporaryDirectory(prefix="headway-new-") as scratch:
        sheets, dictionaries = read_files(paths, Path(scratch))
    fields: dict[str, redcap.Field] = {}
    for path in dictionaries:
        fields |= redcap.read_dictionary(path)
    parts: list[Sheet] = []
    dropped: list[tuple[str, str, str]] = []
    for sheet in map(cut_floats, sheets):
        if redcap_forms.is_export(sheet):
            found, told = redcap_forms.part(sheet, fields)
            parts += found
            dropped += told
        else:
            parts.append(sheet)
    order = find_order(parts, ask)
    records: dict[str, Records] = {}
    notes: list[str] = []
    for sheet in parts:
        read = recognise(sheet, order, ask)
        dropped += read.dropped
        notes += read.notes
        for one in read.records:
            records[one.kind] = join(records[one.kind], one) if one.kind in records else one
    if not set(records) - {"patients"}:
        raise InputError(
            "failure.new_clinic",
            [
                Problem(path.name, "no_shape", "problem.no_shape", remedy="remedy.no_shape")
                for path in paths
            ],
        )
    language = tell_language(h for sheet in parts for h in (*sheet.header, *sheet.titles))
    proposal = Proposal([], language, dropped=list(dict.fromkeys(dropped)), notes=notes)
    _store(list(records.values()), proposal, secret, name)
    return proposal


def _store(records: Sequence[Records], proposal: Proposal, secret: bytes, clinic: str) -> None:
    """Turn records into tables: codes for people and therapists, days for dates."""
    linked = link_ids([one.ids for one in records])
    starts = find_starts(records, linked)
    if starts.without:
        proposal.notes.append(Message("proposal.without_start", n=starts.without))
    if not starts.day and any(one.days is not None for one in records):
        problem = Problem(records[0].source, "no_start", "problem.no_start_at_all")
        raise InputError("failure.new_clinic", [replace(problem, remedy="remedy.no_start_at_all")])
    codes = {n: "p" + make_code(secret, f"{clinic} patient", n) for n in set(linked.values())}
    if len(set(codes.values())) < len(codes):
        problem = Problem("", "codes", "problem.same_code", remedy="remedy.same_code")
        raise InputError("failure.new_clinic", [problem])
    people: dict[str, None] = {}
    for one in records:
        names = [linked[fold_id(i)] if i.strip() else "" for i in one.ids]
        people |= dict.fromkeys(n for n in names if n)
        if "therapist" in one.values:
            one.values["therapist"] = [
                "t" + make_code(secret, f"{clinic} therapist", cell, 4) if cell else ""
                for cell in one.values["therapist"]
            ]
        if one.kind != "patients":
            proposal.tables.append(_make_table(one, names, codes, starts))
    listed = next((one for one in records if one.kind == "patients"), None)
    if listed is not None:
        names = [linked[fold_id(i)] if i.strip() else "" for i in listed.ids]
        table = _make_patients(listed, names, list(people), codes, starts, proposal)
        if table is not None:
            proposal.tables.append(table)
    if not starts.day and all(t.kind in ("diary", "attacks", "windows") for t in proposal.tables):
        proposal.settings["course"] = ({"start": 0}, "proposal.course")
    _set_windows(proposal)


def _set_windows(proposal: Proposal) -> None:
    """Write the times after treatment that outcomes say; where they differ, none unasked.

    Several times are taken where one outcome has them all.
    """
    of: dict[str, list[tuple[Table, str, Entry]]] = {}
    for table in proposal.tables:
        for name, entry in table.entries.items():
            if entry.window and not entry.off:
                of.setdefault(entry.outcome, []).append((table, name, entry))
    after = {
        outcome: {e.later or _USUAL for _, _, e in found if e.window != "baseline"}
        for outcome, found in of.items()
    }
    times = sorted(set().union(*after.values()))
    windows = dict(zip(times, AFTER, strict=False))
    whole = set(times) in after.values() and len(windows) == len(times)
    for table, name, entry in [one for found in of.values() for one in found]:
        if not whole:
            entry = replace(entry, off=True, doubt="proposal.doubt_times")
        elif entry.window != "baseline":
            entry = replace(entry, window=windows[entry.later or _USUAL])
        table.entries = {**table.entries, name: entry}
    if not whole or times == [_USUAL]:
        return
    usual = Windows().named
    named = {"baseline": _describe(usual["baseline"])}
    for later, name in windows.items():
        with speaking(proposal.language):
            label = say(Message(_LATER[later.unit], n=later.n, high=later.end))
        same = later == _USUAL
        named[name] = (
            _describe(usual["post"])
            if same
            else {"from": later.first, "to": later.last, "label": label}
        )
    proposal.settings["windows"] = ({"named": named}, "proposal.later")
    if len(times) > 1:
        pairs: list[dict[str, Any]]
        pairs = [{"id": name, "pre": "baseline", "post": name} for name in windows.values()]
        pairs[0] = {"id": "primary", "pre": "baseline", "post": AFTER[0], "primary": True}
        proposal.settings["comparisons"] = (pairs, "proposal.first_is_primary")


def _describe(window: Window) -> dict[str, Any]:
    return {"from": window.from_, "to": window.to, "label": window.label}


def _make_table(one: Records, names: Sequence[str], codes: dict[str, str], starts: Starts) -> Table:
    columns = [c for c in one.values if any(one.values[c])]
    header = ["patient_id"]
    cells: list[list[str]] = [[codes.get(name, "") for name in names]]
    if one.kind != "windows":
        header.append("day")
        days = count_offsets(one, names, starts)
        cells.append(["" if day is None else str(day) for day in days])
    rows = [list(row) for row in zip(*cells, *(one.values[c] for c in columns), strict=True)]
    entries = {c: hide_telling(one.entries[c], one.source) for c in columns}
    # In the order of codes and days, so that a row's place tells nothing.
    order = sorted(range(len(rows)), key=lambda i: (rows[i][0], _as_day(rows[i][1])))
    reason = "proposal.days" if one.days is not None else "proposal.counted"
    return Table(one.kind, [*header, *columns], [rows[i] for i in order], entries, reason)


def _as_day(text: str) -> int:
    return int(text) if text.lstrip("-").isdigit() else 0


def _make_patients(
    one: Records,
    names: Sequence[str],
    people: Sequence[str],
    codes: dict[str, str],
    starts: Starts,
    proposal: Proposal,
) -> Table | None:
    """Make the list of patients, one row each, without what points at few people."""
    values = {c: choose_values(one.values[c], names) for c in one.values}
    if "age_band" in values:
        values["age_band"] = {n: _band(v) for n, v in values["age_band"].items()}
    kept = [c for c in values if any(values[c].values()) and not one.entries[c].off]
    for column in ("condition", "age_band", "sex"):
        if column in kept and _smallest(people, [values[c] for c in kept]) < _ALIKE:
            kept.remove(column)
            proposal.dropped.append((one.source, column, "proposal.few_alike"))
    columns = {c: {n: values[c].get(n, "") for n in people} for c in kept}
    entries: dict[str, Entry] = {c: one.entries[c] for c in kept}
    for time in _TIMES:
        if time not in one.times:
            continue
        found = {
            name: count_offset(moment, starts.day.get(name))
            for name, moment in zip(names, one.times[time], strict=True)
            if moment is not None
        }
        columns[time] = {n: "" if found.get(n) is None else str(found[n]) for n in people}
        entries[time] = Entry(reasons=("proposal.days",))
    if not columns:
        return None
    header = ["patient_id", *columns]
    rows = sorted([codes[n], *(columns[c][n] for c in columns)] for n in people)
    return Table("patients", header, rows, {c: hide_telling(e, "") for c, e in entries.items()})


def _band(age: str) -> str:
    """Write an age as a band of ten years; 90 and over are one."""
    number = read_number(age)
    if number is None or not 0 <= number <= 120:
        return ""
    low = int(number) // 10 * 10
    return "90+" if low >= 90 else f"{low}-{low + 9}"


def _smallest(people: Sequence[str], columns: Sequence[dict[str, str]]) -> int:
    groups: dict[tuple[str, ...], int] = {}
    for name in people:
        key = tuple(column.get(name, "") for column in columns)
        groups[key] = groups.get(key, 0) + 1
    return min(groups.values(), default=0)
