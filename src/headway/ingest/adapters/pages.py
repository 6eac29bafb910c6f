"""Files of FHIR that belong together: pages of one search, and several versions of a resource.

A resource is told by its id and its patient (two servers may give the same id). Of its versions the
latest counts, by `meta.versionId` where every version has a number there, then by
`meta.lastUpdated`, then by its status: withdrawn, corrected, final. What is `entered-in-error`, or
deleted in a history, leaves no row. Copies in pages that overlap count once.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from headway.config.clinic import ClinicFile
from headway.errors import Problem
from headway.ingest.adapters.fhir import STATUSES, Flat, is_column, list_ignored, list_wants
from headway.messages import Message

# A cell of a resource whose versions contradict each other.
VERSION = "#version"
_RANK = {"entered-in-error": 3, "amended": 2, "corrected": 2, "final": 1, "completed": 1}
# Cells that stay where versions contradict each other, so that the row can be told.
_KEYS = ("patient", "code", "status", "effective", "questionnaire", "authored")
_Place = tuple[int, int]  # file, position


@dataclass(frozen=True, slots=True)
class Pages:
    """The files of one entry: as CSV, their remarks for the account, and what is wrong."""

    flats: tuple[Flat, ...]
    notes: tuple[tuple[Message, ...], ...]
    problems: tuple[Problem, ...]


def join_pages(
    names: Sequence[str], flats: Sequence[Flat], spec: ClinicFile, wanted: Sequence[str]
) -> Pages:
    """Hold the files of one entry against each other and against clinic.yaml.

    Parameters
    ----------
    names, flats
        What messages call each file, and the file as CSV.
    spec, wanted
        The entry in clinic.yaml, and all columns that it names.

    Returns
    -------
    Pages
        Problems have the rule `empty_file` (no row in any file), `missing_column` (in none of the
        files), `wrong_unit` (no value of a column is in a unit that fits it) or `page_missing`.
    """
    resource = spec.fhir.resource if spec.fhir is not None else "Observation"
    flats = drop_versions(flats)
    file = names[0] if len(names) == 1 else ", ".join(names)
    problems: list[Problem] = []
    if not any(flat.rows for flat in flats):
        ignored: Counter[str] = Counter()
        for flat in flats:
            ignored.update(flat.resources_ignored)
        said = Message(
            "problem.no_resource",
            resource=resource,
            statuses=list(STATUSES[resource]),
            ignored=list_ignored(ignored),
        )
        problems.append(Problem(file, "empty_file", said, remedy="remedy.no_resource"))
    else:
        found = frozenset().union(*(flat.found for flat in flats))
        problems += [
            Problem(
                file,
                "missing_column",
                "problem.in_no_resource",
                column=column,
                remedy="remedy.in_no_resource",
            )
            for column in wanted
            if is_column(column, resource) and column not in found
        ]
        problems += _check_units(file, flats, spec, wanted)
    partial = spec.fhir is not None and spec.fhir.incomplete
    lost = _is_page_missing(flats)
    if lost and not partial:
        problems.append(
            Problem(file, "page_missing", "problem.page_missing", remedy="remedy.page_missing")
        )
    notes = tuple(_note(flat, lost) for flat in flats)
    return Pages(tuple(flats), notes, tuple(problems))


def _note(flat: Flat, lost: bool) -> tuple[Message, ...]:
    """Write the remarks of one file for the account."""
    ignored = list_ignored(flat.resources_ignored)
    notes = [Message("account.resources", n=flat.resources_read, ignored=ignored)]
    if flat.next_pages and lost:
        notes.append(Message("account.next_page"))
    for column, units in sorted(flat.units.items()):
        if units.converted:
            notes.append(Message("account.converted", n=units.converted, column=column))
        if units.wrong:
            notes.append(Message("account.wrong_unit", n=units.wrong, column=column))
    return tuple(notes)


def _is_page_missing(flats: Sequence[Flat]) -> bool:
    """Tell whether a page is not there: each names a next one, or the search found more."""
    paged = [flat for flat in flats if flat.next_pages]
    if not paged:
        return False
    last = any(flat.bundles > flat.next_pages for flat in flats)
    total = max(flat.total for flat in flats)
    return not last or sum(flat.matches for flat in flats) < total


def _check_units(
    file: str, flats: Sequence[Flat], spec: ClinicFile, wanted: Sequence[str]
) -> list[Problem]:
    """Refuse a column of which no value is in a unit that measures what it is read as."""
    problems = []
    for column, want in list_wants(spec, wanted).items():
        units = [flat.units[column] for flat in flats if column in flat.units]
        wrong = sum(of.wrong for of in units)
        if not wrong or any(of.fit for of in units) or want.unit is None:
            continue
        named = sorted(set().union(*(of.named for of in units)))
        problems.append(
            Problem(
                file,
                "wrong_unit",
                Message(
                    "problem.wrong_unit" if named else "problem.unknown_unit",
                    n=wrong,
                    units=named,
                    wanted=want.unit[0],
                ),
                column=column,
                count=wrong,
                remedy="remedy.wrong_unit",
            )
        )
    return problems


# ---- versions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Version:
    """One version of a resource and its place."""

    place: _Place
    number: int | None
    updated: datetime | None
    status: str
    patient: str


def drop_versions(flats: Sequence[Flat]) -> list[Flat]:
    """Leave the latest version of each resource; the CSV files keep the lines of the others."""
    dropped: dict[_Place, str] = {}
    ties: list[list[_Place]] = []
    accepted = {status for several in STATUSES.values() for status in several}
    for group in _find_repeated(flats):
        people = sorted({version.patient for version in group if version.patient})
        for person in people or [""]:
            of = [version for version in group if version.patient in (person, "")]
            latest = _find_latest(of)
            last = latest[0]
            kept = last.place if last.status in accepted else None
            reason = "version" if kept else "withdrawn"
            dropped |= {v.place: reason for v in of if v.status in accepted and v.place != kept}
            if kept and len(latest) > 1:
                ties.append([version.place for version in latest])
    if not dropped:
        return list(flats)
    doubtful = {places[0] for places in _differ(flats, ties)}
    return [_rewrite(i, flat, dropped, doubtful) for i, flat in enumerate(flats)]


def _read_versions(flats: Sequence[Flat]) -> Iterator[tuple[str, _Version]]:
    for i, flat in enumerate(flats):
        with flat.versions.open(encoding="utf-8", newline="") as stream:
            for position, code, number, updated, status, patient in csv.reader(stream):
                yield (
                    code,
                    _Version(
                        (i, int(position)),
                        int(number[:18]) if number.isascii() and number.isdigit() else None,
                        _read_instant(updated),
                        status,
                        patient,
                    ),
                )


def _find_repeated(flats: Sequence[Flat]) -> Iterable[list[_Version]]:
    """Find the resources that come more than once; only those are held."""
    seen: set[int] = set()
    twice: set[int] = set()
    for code, _ in _read_versions(flats):
        (twice if hash(code) in seen else seen).add(hash(code))
    groups: dict[str, list[_Version]] = {}
    if twice:
        for code, version in _read_versions(flats):
            if hash(code) in twice:
                groups.setdefault(code, []).append(version)
    return groups.values()


def _read_instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _find_latest(versions: Sequence[_Version]) -> list[_Version]:
    """Find the latest version; several where nothing says which of them it is."""
    numbered = all(version.number is not None for version in versions)
    timed = all(version.updated is not None for version in versions)

    def rank(version: _Version) -> tuple[int, datetime, int]:
        return (
            version.number or 0 if numbered else 0,
            version.updated if timed and version.updated else datetime.min.replace(tzinfo=UTC),
            _RANK.get(version.status, 0),
        )

    highest = max(map(rank, versions))
    return [version for version in versions if rank(version) == highest]


def _read_rows(flat: Flat, positions: set[int]) -> dict[int, dict[str, str]]:
    """Read the cells with something in them of some rows of a CSV file."""
    rows = {}
    with flat.path.open(encoding="utf-8", newline="") as stream:
        for position, line in enumerate(stream):
            if position in positions:
                cells = next(csv.reader([line]), [])
                rows[position] = {c: v for c, v in zip(flat.header, cells, strict=False) if v}
    return rows


def _differ(flats: Sequence[Flat], ties: Sequence[list[_Place]]) -> list[list[_Place]]:
    """List the ties whose rows do not say the same."""
    wanted: dict[int, set[int]] = {}
    for places in ties:
        for file, position in places:
            wanted.setdefault(file, set()).add(position)
    rows = {file: _read_rows(flats[file], positions) for file, positions in wanted.items()}
    return [
        places
        for places in ties
        if any(rows[f].get(p) != rows[places[0][0]].get(places[0][1]) for f, p in places)
    ]


def _rewrite(number: int, flat: Flat, dropped: dict[_Place, str], doubtful: set[_Place]) -> Flat:
    """Write a CSV file again: a blank line for each row that is gone, marks in doubtful ones."""
    gone = {position: why for (file, position), why in dropped.items() if file == number}
    marked = {position for file, position in doubtful if file == number}
    if not gone and not marked:
        return flat
    target: Path = flat.path.with_suffix(".latest.csv")
    with ExitStack() as stack:
        source = stack.enter_context(flat.path.open(encoding="utf-8", newline=""))
        copy = stack.enter_context(target.open("w", encoding="utf-8", newline=""))
        writer = csv.writer(copy, lineterminator="\n")
        for position, line in enumerate(source):
            if position in gone:
                copy.write("\n")
            elif position in marked:
                cells = next(csv.reader([line]))
                writer.writerow(
                    [
                        cell if not cell or column in _KEYS else VERSION
                        for column, cell in zip(flat.header, cells, strict=True)
                    ]
                )
            else:
                copy.write(line)
    ignored = Counter(flat.resources_ignored)
    ignored.update(gone.values())
    return replace(flat, path=target, rows=flat.rows - len(gone), resources_ignored=dict(ignored))
