"""Open and stage a clinic's files, their headers held against clinic.yaml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway import tables
from headway.config.clinic import Clinic, ClinicFile, Column
from headway.errors import InputError, Problem
from headway.ingest.adapters import redcap
from headway.ingest.adapters.pages import join_pages
from headway.ingest.cells import (
    boxes_of,
    code_key,
    is_plain_number,
    literal,
    own_column,
    register,
)
from headway.ingest.clinics.contract import CONTRACT, list_columns
from headway.ingest.open.grid import MOST_DAYS, find_days, list_patterns, unpivot
from headway.ingest.open.names import count_held, is_header, number_of, tidy
from headway.ingest.open.sources import Source, open_source
from headway.ingest.open.staging import Layout, Stage, is_number, stage
from headway.messages import Message
from headway.tables.engine import open_engine
from headway.tables.private import scratch_folder

if TYPE_CHECKING:
    import duckdb


STAGING = ".staging-"
# Canonical columns that shifted dates may stand for.
_OF_DATES = ("day", "start_day", "diary_from", "diary_to", "start_hour")
# No export has more columns, or a longer name of one.
MAX_COLUMNS, MAX_NAME = 10_000, 2_000
# A diary of more rows is written once, as the table `days`, while it is read.
MANY_ROWS = 500_000
# How alike two names are for one to be meant by the other.
_NEAR = 0.75


def name_wanted(spec: ClinicFile) -> list[str]:
    """List the clinic's own columns that clinic.yaml names for a file."""
    wanted = [own_column(v) for v in spec.columns.values() if not boxes_of(v)]
    wanted += [*spec.keep_where, *spec.drop, *spec.band]
    for entry in spec.wide:
        wanted.append(entry.column)
        if entry.zero_means_missing_when is not None:
            wanted.append(entry.zero_means_missing_when.blank)
    if spec.offset_from is not None:
        wanted.append(spec.offset_from.column)
    if spec.window_from is not None:
        wanted.append(spec.window_from.column)
    return list(dict.fromkeys(wanted))


def _check_size(source: Source) -> list[Problem]:
    """Refuse a header that no export has: the wrong delimiter, or a file made to wear us out."""
    long = next((i for i, c in enumerate(source.header, 1) if len(c) > MAX_NAME), None)
    text: str | None = None
    if len(source.header) > MAX_COLUMNS:
        text = Message("problem.too_wide", n=len(source.header), most=MAX_COLUMNS)
    elif long is not None:
        text = Message("problem.long_name", number=long, most=MAX_NAME)
    if text is None:
        return []
    return [Problem(source.name, "oversized_header", text, remedy="remedy.oversized_header")]


def _check_header(source: Source) -> list[Problem]:
    """Hold the header against the columns that clinic.yaml names."""
    name, spec, header, kind = source.name, source.spec, source.header, source.kind
    if oversized := _check_size(source):
        return oversized
    problems = []
    wanted = name_wanted(spec)
    for column in sorted({c for c in header if header.count(c) > 1 and c not in spec.drop}):
        # A file without a header line shows its first row here, so only known names are repeated.
        known = column in wanted
        at = [i for i, c in enumerate(header, start=1) if c == column]
        if not column:
            rule, text = "merged_header", Message("problem.columns_without_name", places=at)
        elif known:
            rule, text = "duplicate_column", Message("problem.twice_in_header")
        else:
            rule, text = "duplicate_column", Message("problem.twice_in_header_at", places=at)
        own = column if known else ""
        remedy: str = "remedy.one_header"
        if known and _is_redcap(source):
            remedy = Message("remedy.number_columns", name=column)
        problems.append(Problem(name, rule, text, column=own, remedy=remedy))
    problems += [
        Problem(
            name,
            "missing_column",
            "problem.not_in_the_file",
            column=column,
            remedy=_remedy_of_missing(column, header, wanted),
        )
        for column in wanted
        if not count_held(header, [column])
    ]
    problems += _check_grid(source)
    problems += _check_redcap(source)
    known_columns = list_columns(kind)
    for canonical in [*spec.columns, *spec.constants]:
        if canonical not in known_columns:
            problems.append(
                Problem(
                    "clinic.yaml",
                    "unknown_canonical_column",
                    Message("problem.no_such_column_of", kind=kind),
                    column=canonical,
                    remedy=Message("remedy.known", names=list(known_columns)),
                )
            )
    problems += [
        Problem(
            "clinic.yaml",
            "not_a_day",
            "problem.shifted_column",
            column=canonical,
            remedy=Message("remedy.known", names=list(_OF_DATES)),
        )
        for canonical, how in spec.columns.items()
        if isinstance(how, Column) and how.shifted and canonical not in _OF_DATES
    ]
    problems += _check_values(source)
    have = {*spec.columns, *spec.constants}
    if spec.offset_from is not None:
        have.add("start_day" if kind == "patients" else "day")
    problems += [
        Problem(
            "clinic.yaml",
            "required_column",
            Message("problem.must_be_mapped", kind=kind),
            column=required,
            remedy=Message("remedy.must_be_mapped", column=required),
        )
        for required in CONTRACT[kind][1]
        if required not in have
    ]
    return problems + (_check_windows(spec) if kind == "windows" else [])


def _check_windows(spec: ClinicFile) -> list[Problem]:
    """Hold the wide columns of a file of windows against each other."""
    problems = [
        Problem(
            "clinic.yaml",
            "required_window",
            "problem.no_window",
            column=entry.column,
            remedy="remedy.no_window",
        )
        for entry in spec.wide
        if entry.window is None and spec.window_from is None
    ]
    if not spec.wide:
        problems.append(
            Problem("clinic.yaml", "required_column", "problem.no_wide", remedy="remedy.no_wide")
        )
    places = Counter((entry.outcome, entry.window) for entry in spec.wide)
    twice = next((e for e in spec.wide if places[e.outcome, e.window] > 1), None)
    if twice is not None:
        n = places[twice.outcome, twice.window]
        problems.append(
            Problem(
                "clinic.yaml",
                "two_columns_for_one_window",
                Message("problem.two_columns_for_one_window", n=n, outcome=twice.outcome),
                column=twice.column,
                remedy=Message("remedy.two_columns_for_one_window", n="{n}"),
            )
        )
    return problems


def _check_values(source: Source) -> list[Problem]:
    """Hold what clinic.yaml itself puts into a column against the words that it may hold."""
    problems, spec = [], source.spec
    for canonical, rule in list_columns(source.kind).items():
        given = [spec.constants[canonical]] if canonical in spec.constants else []
        how = spec.columns.get(canonical)
        if canonical == "currency" and isinstance(how, Column):
            given += how.codes.values()
        if not rule.allowed or all(value in rule.allowed for value in given):
            continue
        remedy = Message("remedy.known", names=list(rule.allowed))
        if canonical == "currency":
            remedy = Message("remedy.constant_currency", line="constants: {currency: EUR}")
            if isinstance(how, Column):
                line = f"currency: {{column: {how.column}, codes: {{…: EUR}}}}"
                remedy = Message("remedy.constant_currency", line=line)
        text = Message("problem.not_a_value_of", kind=source.kind)
        problems.append(Problem("clinic.yaml", "not_a_code", text, canonical, remedy=remedy))
    return problems


def _remedy_of_missing(column: str, header: Sequence[str], wanted: Sequence[str]) -> str:
    """Say what may help: a name that is nearly the same, if the line is a header at all."""
    if len(header) == 1:
        return "remedy.one_column"
    if is_header(count_held(header, wanted), wanted):
        others = {tidy(c).casefold(): c for c in header if c not in wanted}
        near = get_close_matches(tidy(column).casefold(), others, 1, _NEAR)
        if near:
            return Message("remedy.did_you_mean", name=others[near[0]])
    return "remedy.header_row"


def _check_grid(source: Source) -> list[Problem]:
    """Hold columns with a number in their names against what a grid may be."""
    problems = []
    patterns = list_patterns(name_wanted(source.spec))
    for pattern in patterns:
        days = find_days(pattern, source.header)
        alike = [c for c in source.header if number_of(c, pattern) in days]
        if source.kind != "diary":
            rule, text, remedy = "grid", "problem.grid_of_no_diary", "remedy.grid_of_no_diary"
        elif len(alike) > len(days):
            rule, text, remedy = "duplicate_column", "problem.twice_in_grid", "remedy.own_name"
        elif len(days) > MOST_DAYS:
            rule, text, remedy = "grid", "problem.too_many_days", "remedy.own_name"
        else:
            continue
        problems.append(Problem(source.name, rule, text, column=pattern, remedy=remedy))
    return problems


def _is_redcap(source: Source) -> bool:
    """Tell whether a file is an export of REDCap: declared, or by its columns."""
    telling = {*redcap.EVENT, *redcap.INSTRUMENT}
    statuses = sum(redcap.is_status(column) for column in source.header)
    return source.spec.redcap is not None or bool(telling & {*source.header}) or statuses > 1


def _name_columns(source: Source) -> Source:
    """Tell apart the columns of REDCap that have the same label."""
    if not _is_redcap(source):
        return source
    spec = source.spec
    keys = [own_column(spec.columns["patient_id"])] if "patient_id" in spec.columns else []
    wanted = [c for c in name_wanted(spec) if c not in spec.drop]
    for question in filter(None, map(boxes_of, spec.columns.values())):
        wanted += redcap.find_boxes(question, source.header).values()
    dropped = {*spec.drop}
    names = redcap.tell_apart(source.header, wanted, keys)
    header = (c if c in dropped else n for c, n in zip(source.header, names, strict=True))
    return replace(source, header=tuple(header))


def _settle_status(connection: duckdb.DuckDBPyConnection, stages: Sequence[Stage]) -> list[Stage]:
    """Read `diary_complete` as the status of a REDCap form where it is one: 2 is complete.

    It is one where the entry declares `redcap:` and the column is called so. Where only one of
    both holds, the cells tell: a 2 in an export of REDCap, labels, or more 2 than 1.
    """
    asked = []
    for staged in stages:
        entry = staged.source.spec.columns.get("diary_complete")
        if entry is None or (not isinstance(entry, str) and entry.codes):
            continue
        column, declared = own_column(entry), staged.source.spec.redcap is not None
        if column in staged.columns and (declared or redcap.is_status(column)):
            asked.append((staged, column, declared))
    told: set[tuple[str, str]] = set()
    twos: Counter[tuple[str, str]] = Counter()
    labels: dict[tuple[str, str], set[str]] = {}
    known = ", ".join(literal(label) for label in redcap.STATUS_LABELS)
    for staged, column, declared in asked:
        key = (staged.source.kind, column)
        cell = staged.cell(column)
        shown = code_key(f"coalesce({cell.text}, CAST({cell.number} AS VARCHAR))")
        row: Any = connection.execute(
            f"SELECT count(*) FILTER (WHERE {shown} = '2'), "
            f"count(*) FILTER (WHERE {shown} = '1'), "
            f"list(DISTINCT {cell.text}) FILTER (WHERE lower({cell.text}) IN ({known})) "
            f"FROM {staged.relation}"
        ).fetchone()
        twos[key] += row[0] - (0 if declared else row[1])
        labels.setdefault(key, set()).update(row[2] or ())
        if labels[key] or (declared and redcap.is_status(column)):
            told.add(key)
    told |= {key for key, n in twos.items() if n > 0}
    settled = {}
    for staged, column, _ in asked:
        key = (staged.source.kind, column)
        if key in told:
            spec = staged.source.spec
            entry = Column(column=column, codes=redcap.status_codes(sorted(labels[key])))
            spec = replace(spec, columns={**spec.columns, "diary_complete": entry})
            settled[staged.source.id] = replace(staged, source=replace(staged.source, spec=spec))
    return [settled.get(staged.source.id, staged) for staged in stages]


def _check_redcap(source: Source) -> list[Problem]:
    """Hold a flat export of REDCap against what clinic.yaml says of its forms."""
    name, spec, header = source.name, source.spec, source.header
    problems = [
        Problem(
            name,
            "missing_column",
            "problem.no_checkboxes",
            column=question,
            remedy="remedy.checkboxes",
        )
        for question in map(boxes_of, spec.columns.values())
        if question and not redcap.find_boxes(question, header)
    ]
    problems += [
        Problem(
            name,
            "no_code_matches",
            "problem.no_box_matches",
            column=entry.checkboxes,
            remedy="remedy.no_code_matches",
        )
        for entry in spec.columns.values()
        if not isinstance(entry, str) and entry.checkboxes and entry.codes
        if (boxes := redcap.find_boxes(entry.checkboxes, header))
        and not {*map(redcap.as_box, boxes)} & {*map(redcap.as_box, entry.codes)}
    ]
    for key, names in (("events", redcap.EVENT), ("instrument", redcap.INSTRUMENT)):
        there = any(column in header and column not in spec.drop for column in names)
        if spec.redcap is not None and getattr(spec.redcap, key) is not None and not there:
            # Taking every row instead would mix the forms.
            problems.append(
                Problem(
                    name,
                    "missing_column",
                    Message("problem.redcap_key", key=key),
                    column=names[0],
                    remedy="remedy.redcap_key",
                )
            )
        chosen = {*spec.keep_where, *spec.drop}
        if key == "instrument" and there and spec.redcap is None and not chosen & set(names):
            problems.append(
                Problem(
                    name,
                    "redcap_undeclared",
                    "problem.redcap_forms",
                    column=next(column for column in names if column in header),
                    remedy="remedy.redcap_forms",
                )
            )
    return problems


def open_files(folder: Path, clinic: Clinic, scratch: Path) -> tuple[list[Source], list[Problem]]:
    """Open a clinic's files and hold their headers against clinic.yaml.

    Returns the files whose header is as declared, and every problem of every file.
    """
    sources: list[Source] = []
    problems: list[Problem] = []
    for kind in CONTRACT:
        for index, spec in enumerate(clinic.files.get(kind, ())):
            try:
                opened = open_source(folder, kind, index, spec, name_wanted(spec), scratch)
            except InputError as error:
                problems += list_problems(error, spec.path)
                continue
            opened = [s if _check_size(s) else _name_columns(s) for s in opened]
            for source in opened:
                # The header of a file without one is its first row: no column of it may be named.
                wrong = _check_header(source)
                problems += wrong
                sources += [] if wrong else [source]
    sources, faults = _join_pages(sources)
    problems += faults
    if "diary" in clinic.files and "attacks" in clinic.files:
        problems += [
            Problem(
                "clinic.yaml",
                "two_sources",
                "problem.two_sources",
                column="headache",
                remedy="remedy.two_sources",
            )
            for spec in clinic.files["diary"]
            if "headache" in spec.columns
        ]
    return _tell_apart(sources), problems


def list_problems(error: InputError, file: str) -> tuple[Problem, ...]:
    """List the problems of an error; its own message where it names none."""
    return error.problems or (Problem(file, "unreadable", error.message),)


def _join_pages(sources: Sequence[Source]) -> tuple[list[Source], list[Problem]]:
    """Put the FHIR files of each entry together; other files stay as they are."""
    joined: list[Source] = []
    problems: list[Problem] = []
    for _, several in groupby(sources, lambda source: source.entry):
        same = list(several)
        flats = [s.flat for s in same if s.flat is not None]
        if len(flats) < len(same):
            joined += same
            continue
        spec = same[0].spec
        pages = join_pages([s.name for s in same], flats, spec, name_wanted(spec))
        problems += pages.problems
        joined += [
            replace(source, path=flat.path, flat=flat, notes=(*source.notes, *notes))
            for source, flat, notes in zip(same, pages.flats, pages.notes, strict=True)
        ]
    return joined, problems


def _tell_apart(sources: Sequence[Source]) -> list[Source]:
    """Name what each reading of a file is for, where it is read more than once (REDCap)."""
    told = []
    for source in sources:
        same = [s for s in sources if s.name == source.name]
        if len(same) > 1:
            alike = [s for s in same if s.kind == source.kind]
            which = f" {alike.index(source) + 1}" if len(alike) > 1 else ""
            told.append(replace(source, name=f"{source.name} ({source.kind}{which})"))
        else:
            told.append(source)
    return told


def plain_numbers(source: Source) -> set[str]:
    """Name the own columns that the engine may read as numbers."""
    rules = list_columns(source.kind)
    spec = source.spec
    numbers = {
        own_column(entry)
        for canonical, entry in spec.columns.items()
        if not boxes_of(entry) and is_plain_number(spec, entry, rules[canonical])
    }
    numbers |= {e.column for e in spec.wide if spec.decimal == "."}
    numbers |= set(spec.band)
    blanks = {e.zero_means_missing_when.blank for e in spec.wide if e.zero_means_missing_when}
    texts = {*spec.keep_where, *(blanks - {e.column for e in spec.wide})}
    if spec.offset_from is not None:
        texts.add(spec.offset_from.column)
    return numbers - texts


def whole_numbers(source: Source) -> set[str]:
    """Name the own columns of which every number has to be whole."""
    rules = list_columns(source.kind)
    return {
        own_column(entry)
        for canonical, entry in source.spec.columns.items()
        if not boxes_of(entry) and rules[canonical].kind == "int"
    }


def key_columns(source: Source) -> set[str]:
    """Name the own columns that say whose a row is, when it was, or whether it belongs here.

    A marker of missing cells says nothing of them: `NA` may be someone's code.
    """
    spec = source.spec
    required = {*CONTRACT[source.kind][1], "window"} - {"score"}
    keys = {
        own_column(entry)
        for canonical, entry in spec.columns.items()
        if canonical in required and not boxes_of(entry)
    }
    keys |= {*spec.keep_where, *redcap.EVENT, *redcap.INSTRUMENT}
    for entry in (spec.offset_from, spec.window_from):
        if entry is not None:
            keys.add(entry.column)
    return keys


def _lay_out(source: Source, sources: Sequence[Source], numbers: set[str]) -> Layout | None:
    """Lay out a large diary as the table `days`; None if its columns are not those of the table.

    A cell then stands as the clinic wrote it: nothing is coded, scaled, selected or left over.
    """
    spec, rules = source.spec, tables.TABLES["days"].columns
    beside = {s.kind for s in sources if s is not source}
    others = (
        spec.constants, spec.wide, spec.band, spec.keep_where, spec.offset_from, spec.window_from,
        spec.redcap, spec.fhir,
    )  # fmt: skip
    if source.kind != "diary" or (source.lines or 0) <= MANY_ROWS or any(others):
        return None
    # A number that stands for a missing cell would have to go.
    if beside & {"diary", "attacks"} or any(map(is_number, spec.missing)):
        return None
    names = {own_column(entry): canonical for canonical, entry in spec.columns.items()}
    as_it_stands = all(
        isinstance(entry, str) or replace(entry, loss=None) == Column(column=entry.column)
        for entry in spec.columns.values()
    )
    kept = {*source.header} - {*spec.drop}
    if not as_it_stands or {*names} != kept or len(names) != len(spec.columns):
        return None
    if not {"patient_id", "day"} <= {*names.values()} <= {*rules}:
        return None
    if {own for own, canonical in names.items() if rules[canonical].kind != "text"} - numbers:
        return None
    whole = frozenset(own for own, canonical in names.items() if rules[canonical].kind == "int")
    in_order = {own: column for column in rules for own, name in names.items() if name == column}
    return Layout(in_order, whole)


def _unfold(connection: duckdb.DuckDBPyConnection, staged: Stage) -> Stage:
    """Make a row of each day of a grid; other files stay as they are."""
    wanted = name_wanted(staged.source.spec)
    patterns = list_patterns(wanted)
    if not patterns:
        return staged
    repeated = {*wanted, *redcap.EVENT, *redcap.INSTRUMENT}
    return unpivot(connection, staged, patterns, repeated, staged.source.spec.grid.first)


@contextmanager
def staged_files(
    folder: Path, clinic: Clinic, scratch_root: Path | None, threads: int
) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[Stage], list[Problem]]]:
    """Open and stage every file in a scratch folder that is gone afterwards.

    Yields the engine, the files that could be staged, and what is wrong with the others and with
    any header.
    """
    with (
        scratch_folder(scratch_root, STAGING) as scratch,
        open_engine(threads=threads, near=scratch) as connection,
    ):
        register(connection)
        connection.execute("SET preserve_insertion_order = true")
        sources, problems = open_files(folder, clinic, scratch)
        stages = []
        for source in sources:
            numbers, whole, keys = (
                plain_numbers(source),
                whole_numbers(source),
                key_columns(source),
            )
            try:
                layout = _lay_out(source, sources, numbers)
                staged = stage(connection, source, numbers, scratch, whole, keys, layout)
            except InputError as error:
                problems += list_problems(error, source.name)
            else:
                stages.append(_unfold(connection, staged))
        yield connection, _settle_status(connection, stages), problems
