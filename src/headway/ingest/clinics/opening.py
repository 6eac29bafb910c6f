"""Open and stage a clinic's files, their headers held against clinic.yaml."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from headway.config.clinic import Clinic, ClinicFile
from headway.errors import InputError, Problem
from headway.ingest.adapters import redcap
from headway.ingest.cells import boxes_of, is_plain_number, literal, own_column
from headway.ingest.clinics.contract import CONTRACT, list_columns
from headway.ingest.open.grid import MOST_DAYS, find_days, list_patterns, unpivot
from headway.ingest.open.names import count_held, is_header, number_of, tidy
from headway.ingest.open.sources import Source, open_source
from headway.ingest.open.staging import Stage, stage
from headway.messages import Message

if TYPE_CHECKING:
    import duckdb


# Memory that the engine may take before it goes to the scratch folder.
_MEMORY = "2GB"
# How alike two names are for one to be meant by the other.
_NEAR = 0.75


def _wanted(spec: ClinicFile) -> list[str]:
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


def _check_header(source: Source) -> list[Problem]:
    """Hold the header against the columns that clinic.yaml names."""
    name, spec, header, kind = source.name, source.spec, source.header, source.kind
    problems = []
    wanted = _wanted(spec)
    for column in sorted({c for c in header if header.count(c) > 1}):
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
        problems.append(Problem(name, rule, text, column=own, remedy="remedy.one_header"))
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
    have = {*spec.columns, *spec.constants}
    if spec.offset_from is not None:
        have.add("start_day" if kind == "patients" else "day")
    problems += [
        Problem(
            "clinic.yaml",
            "required_column",
            Message("problem.must_be_mapped", kind=kind),
            column=required,
        )
        for required in CONTRACT[kind][1]
        if required not in have
    ]
    if kind == "windows":
        problems += [
            Problem("clinic.yaml", "required_window", "problem.no_window", column=entry.column)
            for entry in spec.wide
            if entry.window is None and spec.window_from is None
        ]
        places = Counter((entry.outcome, entry.window) for entry in spec.wide)
        twice = next((e for e in spec.wide if places[e.outcome, e.window] > 1), None)
        if twice is not None:
            problems.append(
                Problem(
                    "clinic.yaml",
                    "two_columns_for_one_window",
                    Message(
                        "problem.two_columns_for_one_window",
                        n=places[twice.outcome, twice.window],
                        outcome=twice.outcome,
                    ),
                    column=twice.column,
                    remedy="remedy.two_columns_for_one_window",
                )
            )
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
    patterns = list_patterns(_wanted(source.spec))
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


def open_files(folder: Path, clinic: Clinic, scratch: Path) -> list[Source]:
    """Open a clinic's files and hold their headers against clinic.yaml.

    Raises
    ------
    InputError
        With every problem of every file.
    """
    sources: list[Source] = []
    problems: list[Problem] = []
    for kind in CONTRACT:
        for index, spec in enumerate(clinic.files.get(kind, ())):
            try:
                opened = open_source(folder, kind, index, spec, _wanted(spec), scratch)
            except InputError as error:
                problems += error.problems
                continue
            for source in opened:
                problems += _check_header(source)
            sources += opened
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
    if problems:
        raise InputError("failure.clinic_files", problems)
    return _tell_apart(sources)


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


def _unfold(connection: duckdb.DuckDBPyConnection, staged: Stage) -> Stage:
    """Make a row of each day of a grid; other files stay as they are."""
    wanted = _wanted(staged.source.spec)
    patterns = list_patterns(wanted)
    if not patterns:
        return staged
    repeated = {*wanted, *redcap.EVENT, *redcap.INSTRUMENT}
    return unpivot(connection, staged, patterns, repeated, staged.source.spec.grid.first)


@contextmanager
def staged_files(
    folder: Path, clinic: Clinic, scratch_root: Path | None, threads: int
) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[Stage], Path]]:
    """Open and stage every file in a scratch folder that is gone afterwards."""
    import duckdb

    # Other clinics may be read at the same time, in the same root.
    prefix = f".staging-{folder.name}-"
    if scratch_root is not None:
        scratch_root.mkdir(parents=True, exist_ok=True)
        for left in scratch_root.glob(f"{prefix}*"):
            shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
    scratch = Path(tempfile.mkdtemp(prefix=prefix, dir=scratch_root))
    connection = duckdb.connect()
    try:
        connection.execute(f"SET threads = {int(threads)}")
        connection.execute("SET preserve_insertion_order = true")
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.execute(f"SET temp_directory = {literal(scratch / 'spill')}")
        sources = open_files(folder, clinic, scratch)
        stages = [
            _unfold(
                connection,
                stage(connection, s, plain_numbers(s), scratch, whole_numbers(s), key_columns(s)),
            )
            for s in sources
        ]
        yield connection, stages, scratch
    finally:
        connection.close()
        shutil.rmtree(scratch, ignore_errors=True)
