"""A clinic's raw files -> processed tables, by DuckDB: gate, casts, quarantine, account.

The order is fixed. Each file is opened (`sources`) and staged as it stands (`staging`); the gate
(`gate`) looks at every column that clinic.yaml does not drop; only a clinic that passes is
cast into the canonical tables (`cells`). A cell that cannot be read or is out of range becomes
missing and is listed; a row without its key, a repeated row or a row of an unknown patient is
quarantined. Rows in = kept + quarantined + not selected, for each file.

Days are counted from each patient's first treatment: day 0 is the first session that names a
technique (the first session of all where none does), or what clinic.yaml declares.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway import tables
from headway.errors import InputError, Problem, RefusedError
from headway.ingest import gate, zero_coded
from headway.ingest.adapters import redcap
from headway.ingest.cells import (
    SQL_TYPE,
    band_sql,
    cell_sql,
    check_ticked,
    clean_text,
    has_boxes,
    ident,
    is_plain_number,
    literal,
    own_column,
    ticked_sql,
)
from headway.ingest.open.sources import Source, open_source
from headway.ingest.open.staging import Part, Stage, stage
from headway.ingest.quarantine import RowAccount
from headway.messages import Message, term

if TYPE_CHECKING:
    import duckdb

# Raw file kind -> processed table, and the columns without which a row says nothing.
CONTRACT: dict[str, tuple[str, tuple[str, ...]]] = {
    "patients": ("patients", ("patient_id",)),
    "sessions": ("sessions", ("patient_id", "day")),
    "diary": ("days", ("patient_id", "day")),
    "attacks": ("days", ("patient_id", "day")),
    "questionnaires": ("questionnaires", ("patient_id", "day", "instrument", "score")),
    "windows": ("given_windows", ("patient_id",)),
}
PROCESSED = ("patients", "sessions", "days", "questionnaires", "given_windows")
# A repeated key is a contradiction in these tables; elsewhere only a repeated row is one.
_KEYS: dict[str, tuple[str, ...]] = {
    "patients": ("patient_id",),
    "diary": ("patient_id", "day"),
    "questionnaires": ("patient_id", "day", "instrument"),
    "windows": ("patient_id", "window"),
}
_RANGE: dict[str, tuple[float, float]] = {
    "frequency": (0, 28),
    "intensity": (0, 10),
    "duration": (0, 24),
}
# Columns that a raw file may have beside those of its processed table.
_EXTRA: dict[str, dict[str, tables.Column]] = {
    "patients": {
        "start_day": tables.Column("int", "Day of the first treatment"),
        "diary_from": tables.Column("int", "First day on which the diary was open"),
        "diary_to": tables.Column("int", "Last day on which the diary was open"),
    },
    "diary": {"diary_complete": tables.Column("int", "1 if the entry is complete", low=0, high=1)},
    "attacks": {
        "patient_id": tables.Column("text", "The clinic's random code"),
        "day": tables.Column("int", "Day on which the attack started"),
        "start_hour": tables.Column("float", "Time of day at which it started", low=0, high=24),
        "duration_hours": tables.Column("float", "Hours it lasted", low=0, high=168),
        "intensity": tables.Column("float", "Worst intensity", low=0, high=10),
        "acute_medication": tables.Column("float", "Doses of acute medication", low=0),
    },
    "windows": {"patient_id": tables.Column("text", "The clinic's random code")},
}
# More than the rows of a file.
_ROWS = 1 << 40
# Days that are told apart by the bits of one whole number.
_BITS = 126
# Memory that the engine may take before it goes to the scratch folder.
_MEMORY = "2GB"


@dataclass(slots=True)
class _Cast:
    """The files of one kind, cast: columns v_<name> and q_<name> (the rule broken)."""

    kind: str
    stages: list[Stage] = field(default_factory=list)
    # Per file: canonical -> the clinic's own name, for the quarantine.
    own: list[dict[str, str]] = field(default_factory=list)
    dated: bool = False

    @property
    def relation(self) -> str:
        return f"cast_{self.kind}"

    @property
    def line(self) -> str:
        """SQL from `file` and `row` to the line in the clinic's own file."""
        lines = [
            f"WHEN {i} THEN {staged.line_sql(f'(row - {i * _ROWS})')}"
            for i, staged in enumerate(self.stages)
        ]
        return f"CASE file {' '.join(lines)} END"

    @property
    def columns(self) -> list[str]:
        """Every canonical column that at least one file has."""
        return list(dict.fromkeys(c for names in self.own for c in names))


def _rules(kind: str) -> dict[str, tables.Column]:
    """List the columns that a kind of file may map, with their contracts."""
    if kind in ("attacks", "windows"):
        return _EXTRA[kind]
    own = tables.TABLES[CONTRACT[kind][0]].columns
    return {c: r for c, r in own.items() if c != "line"} | _EXTRA.get(kind, {})


def _wanted(spec: Mapping[str, Any]) -> list[str]:
    """List the clinic's own columns that clinic.yaml names for a file."""
    wanted = [own_column(v) for v in spec["columns"].values() if not has_boxes(v)]
    wanted += [*spec["keep_where"], *spec["drop"], *spec["band"]]
    for entry in spec["wide"]:
        wanted.append(entry["column"])
        if "zero_means_missing_when" in entry:
            wanted.append(entry["zero_means_missing_when"]["blank"])
    if "offset_from" in spec:
        wanted.append(spec["offset_from"]["column"])
    if "window_from" in spec:
        wanted.append(spec["window_from"]["column"])
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
        place = "" if known else f" (columns number {', '.join(map(str, at))})"
        problems.append(
            Problem(
                name,
                "duplicate_column" if column else "merged_header",
                (f"stands twice in the header{place}" if column else f"has no name{place}"),
                column=column if known else "",
                remedy="give every column a name of its own in one header line",
            )
        )
    hint = f"the header has {len(header)} column(s); is the delimiter right?"
    problems += [
        Problem(
            name,
            "missing_column",
            "is named in clinic.yaml and not in the file",
            column=column,
            remedy=hint if len(header) == 1 else "",
        )
        for column in wanted
        if column not in header
    ]
    problems += _check_redcap(source)
    known_columns = _rules(kind)
    for canonical in [*spec["columns"], *spec["constants"]]:
        if canonical not in known_columns:
            problems.append(
                Problem(
                    "clinic.yaml",
                    "unknown_canonical_column",
                    f"files.{kind}: is not a column of {kind}",
                    column=canonical,
                    remedy=f"known: {', '.join(known_columns)}",
                )
            )
    have = {*spec["columns"], *spec["constants"]}
    if "offset_from" in spec:
        have.add("start_day" if kind == "patients" else "day")
    problems += [
        Problem("clinic.yaml", "required_column", f"files.{kind} must map it", column=required)
        for required in CONTRACT[kind][1]
        if required not in have
    ]
    if kind == "windows":
        problems += [
            Problem(
                "clinic.yaml",
                "required_window",
                "needs `window:` or the file `window_from:`",
                column=entry["column"],
            )
            for entry in spec["wide"]
            if "window" not in entry and "window_from" not in spec
        ]
    return problems


def _check_redcap(source: Source) -> list[Problem]:
    """Hold a flat export of REDCap against what clinic.yaml says of its forms."""
    name, spec, header = source.name, source.spec, source.header
    problems = [
        Problem(
            name,
            "missing_column",
            "is a question with checkboxes in clinic.yaml, and the file has no column of it",
            column=entry["checkboxes"],
            remedy="its columns are called field___code, or `Question (choice=Label)`",
        )
        for entry in spec["columns"].values()
        if has_boxes(entry) and not redcap.find_boxes(entry["checkboxes"], header)
    ]
    for key, names in (("events", redcap.EVENT), ("instrument", redcap.INSTRUMENT)):
        there = any(column in header and column not in spec["drop"] for column in names)
        if key in spec.get("redcap", {}) and not there:
            # Taking every row instead would mix the forms.
            problems.append(
                Problem(
                    name,
                    "missing_column",
                    f"`redcap: {key}` is in clinic.yaml, and the file does not say it of its rows",
                    column=names[0],
                    remedy="export the records with it, or take it out of `redcap:`",
                )
            )
        chosen = {*spec["keep_where"], *spec["drop"]}
        if key == "instrument" and there and "redcap" not in spec and not chosen & set(names):
            problems.append(
                Problem(
                    name,
                    "redcap_undeclared",
                    "the rows belong to several forms of REDCap",
                    column=next(column for column in names if column in header),
                    remedy="write `redcap: {instrument: ...}`, or `redcap: {}` for the rows that "
                    "do not repeat",
                )
            )
    return problems


def open_files(folder: Path, clinic: Mapping[str, Any], scratch: Path) -> list[Source]:
    """Open a clinic's files and hold their headers against clinic.yaml.

    Raises
    ------
    InputError
        With every problem of every file.
    """
    sources: list[Source] = []
    problems: list[Problem] = []
    for kind in CONTRACT:
        for index, spec in enumerate(clinic["files"].get(kind, ())):
            try:
                opened = open_source(folder, kind, index, spec, _wanted(spec), scratch)
            except InputError as error:
                problems += error.problems
                continue
            for source in opened:
                problems += _check_header(source)
            sources += opened
    if "diary" in clinic["files"] and "attacks" in clinic["files"]:
        problems += [
            Problem(
                "clinic.yaml",
                "two_sources",
                "files.diary maps `headache` beside files.attacks: which one counts?",
                column="headache",
                remedy="let the diary file only say which days were open, or leave one file out",
            )
            for spec in clinic["files"]["diary"]
            if "headache" in spec["columns"]
        ]
    if problems:
        raise InputError("the files do not match clinic.yaml", problems)
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


def _plain_numbers(source: Source) -> set[str]:
    """Name the own columns that the engine may read as numbers."""
    rules = _rules(source.kind)
    spec = source.spec
    numbers = {
        own_column(entry)
        for canonical, entry in spec["columns"].items()
        if not has_boxes(entry) and is_plain_number(spec, entry, rules[canonical])
    }
    numbers |= {e["column"] for e in spec["wide"] if spec["decimal"] == "."}
    numbers |= set(spec["band"])
    blanks = {
        e["zero_means_missing_when"]["blank"]
        for e in spec["wide"]
        if "zero_means_missing_when" in e
    }
    texts = {*spec["keep_where"], *(blanks - {e["column"] for e in spec["wide"]})}
    if "offset_from" in spec:
        texts.add(spec["offset_from"]["column"])
    return numbers - texts


def _whole_numbers(source: Source) -> set[str]:
    """Name the own columns of which every number has to be whole."""
    rules = _rules(source.kind)
    return {
        own_column(entry)
        for canonical, entry in source.spec["columns"].items()
        if not has_boxes(entry) and rules[canonical].kind == "int"
    }


def check_gate(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    stages: Sequence[Stage],
    clinic: Mapping[str, Any],
) -> list[Problem]:
    """Run the de-identification gate over every column that is not declared dropped."""
    problems = []
    for staged in stages:
        source = staged.source
        spec, name = source.spec, source.name
        shifted = {spec["offset_from"]["column"]} if "offset_from" in spec else set()
        mapped = {own_column(v): c for c, v in spec["columns"].items() if not has_boxes(v)} | {
            e["column"]: e["outcome"] for e in spec["wide"]
        }
        problems += gate.check_file_name(source.raw.name)
        if source.sheet:
            problems += gate.check_file_name(source.sheet, "sheet")
        unnamed = [c if c not in spec["drop"] and c not in mapped else "" for c in source.header]
        problems += gate.check_header_cells(name, unnamed)
        problems += gate.check_names(name, staged.columns)
        if "dictionary" in spec.get("redcap", {}):
            dictionary = redcap.read_dictionary(folder / spec["redcap"]["dictionary"])
            problems += redcap.gate(dictionary, staged.columns, spec["drop"], name)
        problems += gate.check_content(
            connection,
            staged,
            mapped=mapped,
            banded=spec["band"],
            shifted_dates=shifted,
            free_text_characters=clinic["gate"]["free_text_characters"],
        )
    # One problem per file, column and rule: the dictionary and the names may say the same.
    return list({(p.file, p.column, p.rule, p.message): p for p in problems}.values())


@contextmanager
def _opened(
    folder: Path, clinic: Mapping[str, Any], scratch_root: Path | None, threads: int
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
            stage(connection, s, _plain_numbers(s), scratch, _whole_numbers(s)) for s in sources
        ]
        yield connection, stages, scratch
    finally:
        connection.close()
        shutil.rmtree(scratch, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Check:
    """What `check_clinic` saw: rows and columns per file, and k of the patients table."""

    files: tuple[tuple[str, int, int], ...]
    k: int | None
    quasi_identifiers: tuple[str, ...]


def check_clinic(folder: Path, clinic: Mapping[str, Any], *, threads: int = 2) -> Check:
    """Hold a clinic's files against clinic.yaml and run the gate, and nothing else.

    Raises
    ------
    InputError, RefusedError
        With every problem found.
    """
    with _opened(folder, clinic, None, threads) as (connection, stages, _):
        refused = check_gate(connection, folder, stages, clinic)
        casts = [_cast(connection, "patients", [s for s in stages if s.source.kind == "patients"])]
        k: int | None = None
        columns: tuple[str, ...] = ()
        if casts[0].stages:
            connection.execute("CREATE TEMP TABLE doubtful (patient_id VARCHAR)")
            _judge(connection, casts[0], None)
            k, columns, few = _check_k(connection, casts[0], clinic)
            refused += few
        if refused:
            raise RefusedError("the de-identification gate refuses this clinic", refused)
        files = tuple((s.source.name, s.rows_in, len(s.source.header)) for s in stages)
        return Check(files, k, columns)


def _cast(connection: duckdb.DuckDBPyConnection, kind: str, stages: list[Stage]) -> _Cast:
    """Cast the files of one kind into one view: file, row, selected, blank, v_, q_, z_.

    `row` tells the rows of all files of the kind apart, in one number (`_Cast.line`).
    """
    cast = _Cast(kind, stages)
    read = []
    for number, staged in enumerate(stages):
        for part in staged.parts:
            values, own = _file_values(staged, part)
            read.append((number, staged, part, values))
        cast.own.append(own)
        cast.dated |= "offset_from" in staged.source.spec
    columns = cast.columns
    zeros = max((len(s.source.spec["wide"]) for s in stages), default=0)
    parts = []
    for number, staged, part, values in read:
        cells = []
        for column in columns:
            value, rule = values.get(column, ("NULL", "NULL"))
            kind_of = SQL_TYPE[_column_kind(kind, column)]
            cells.append(f"CAST({value} AS {kind_of}) AS v_{column}")
            cells.append(f"CAST({rule} AS VARCHAR) AS q_{column}")
        for i in range(zeros):
            cells.append(f"coalesce({values.get(f'zero {i}', ('false', ''))[0]}, false) AS z_{i}")
        blank = " AND ".join(f"n{i} IS NULL AND t{i} IS NULL" for i in range(len(staged.columns)))
        parts.append(
            f"SELECT {number} AS file, {number * _ROWS} + pos AS row, "
            f"{_selected_sql(staged)} AS selected, "
            f"({blank or 'true'}) AS blank{''.join(', ' + c for c in cells)} "
            f"FROM {part.relation}"
        )
    if parts:
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {cast.relation} AS {' UNION ALL '.join(parts)}"
        )
    return cast


def _column_kind(kind: str, column: str) -> str:
    if column.startswith("wide_"):
        return "float"
    if column == "window":
        return "text"
    return _rules(kind)[column].kind


def _selected_sql(staged: Stage) -> str:
    """Write SQL for whether a row belongs to this clinic: `keep_where`, and REDCap's forms."""
    spec = staged.source.spec
    tests = []
    for column, values in spec["keep_where"].items():
        cell = staged.cell(column)
        accepted = ", ".join(literal(v) for v in values)
        tests.append(f"coalesce(trim({cell.text}) IN ({accepted}), false)")
    if "redcap" not in spec:
        return " AND ".join(tests) or "true"
    forms = spec["redcap"]
    for names, key in ((redcap.EVENT, "events"), (redcap.INSTRUMENT, "instrument")):
        column = next((c for c in names if c in staged.columns), None)
        if column is None:
            continue
        text = f"coalesce(trim({staged.cell(column).text}), '')"
        if key in forms:
            wanted = forms[key] if isinstance(forms[key], list) else [forms[key]]
            tests.append(f"{text} IN ({', '.join(literal(v) for v in wanted)})")
        elif key == "instrument":
            # Without an instrument the file's own, not repeating, rows are meant.
            tests.append(f"{text} = ''")
    return " AND ".join(tests) or "true"


def _file_values(staged: Stage, part: Part) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Write SQL for every canonical column of a file: (value, rule) and its own name."""
    source = staged.source
    spec, kind, rules = source.spec, source.kind, _rules(source.kind)
    values: dict[str, tuple[str, str]] = {}
    own: dict[str, str] = {}
    for canonical, entry in spec["columns"].items():
        rule = rules[canonical]
        if has_boxes(entry):
            name = entry["checkboxes"]
            # REDCap adds a box for each of its codes for missing data: that one is no answer.
            missing = {redcap.as_box(m) for m in spec["missing"]}
            boxes = {
                code: staged.cell(c)
                for code, c in redcap.find_boxes(name, staged.columns).items()
                if redcap.as_box(code) not in missing
            }
            meant = {redcap.as_box(k): v for k, v in entry.get("codes", {}).items()}
            codes = {c: meant[redcap.as_box(c)] for c in boxes if redcap.as_box(c) in meant}
            values[canonical] = check_ticked(ticked_sql(boxes, codes), rule)
        else:
            name = own_column(entry)
            cell = staged.cell(name, part)
            if canonical == "age_band" and name in spec["band"]:
                bad = f"{cell.text} IS NOT NULL AND TRY_CAST({cell.text} AS DOUBLE) IS NULL"
                values[canonical] = (
                    band_sql(cell, int(spec["band"][name])),
                    f"CASE WHEN {bad} THEN 'not_a_number' END",
                )
            else:
                values[canonical] = cell_sql(cell, spec, entry, canonical, rule)
        own[canonical] = name
    for canonical, constant in spec["constants"].items():
        values[canonical] = (literal(constant), "NULL")
        own[canonical] = canonical
    if "offset_from" in spec:
        column, pattern = spec["offset_from"]["column"], spec["offset_from"]["format"]
        text = f"({clean_text(staged.cell(column).text, spec['missing'])})"
        date = f"CAST(try_strptime({text}, {literal(pattern)}) AS DATE)"
        canonical = "start_day" if kind == "patients" else "day"
        values[canonical] = (
            f"({date} - DATE '2000-01-01')",
            f"CASE WHEN {text} IS NOT NULL AND {date} IS NULL THEN 'not_a_date' END",
        )
        own[canonical] = column
    if "window_from" in spec:
        entry = spec["window_from"]
        rule = tables.Column("text", "Window", nullable=True)
        values["window"] = cell_sql(staged.cell(entry["column"]), spec, entry, "window", rule)
        own["window"] = entry["column"]
    for i, entry in enumerate(spec["wide"]):
        value, problem, zero = _wide_sql(entry, staged, part)
        values[f"wide_{i}"] = (value, problem)
        values[f"zero {i}"] = (zero, "")
        own[f"wide_{i}"] = entry["column"]
    return values, own


def _wide_sql(entry: Mapping[str, Any], staged: Stage, part: Part) -> tuple[str, str, str]:
    """Write SQL for a wide column: value, broken rule, whether it is a 0 declared missing."""
    low, high = _RANGE.get(entry["outcome"], (None, None))
    rule = tables.Column(
        "float", entry["outcome"], low=entry.get("low", low), high=entry.get("high", high)
    )
    spec = staged.source.spec
    value, problem = cell_sql(
        staged.cell(entry["column"], part), spec, entry, entry["outcome"], rule
    )
    if "zero_means_missing_when" not in entry:
        return value, problem, "false"
    other = staged.cell(entry["zero_means_missing_when"]["blank"])
    blank = f"({other.number} IS NULL AND ({clean_text(other.text, spec['missing'])}) IS NULL)"
    zero = f"({value} = 0 AND {blank})"
    return f"(CASE WHEN {zero} THEN NULL ELSE {value} END)", problem, zero


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def _check_dates(connection: duckdb.DuckDBPyConnection, stages: Sequence[Stage]) -> list[Problem]:
    """Find columns that mix day/month with month/day: then no date in them can be trusted."""
    problems = []
    for staged in stages:
        spec = staged.source.spec
        if "offset_from" not in spec:
            continue
        column, pattern = spec["offset_from"]["column"], spec["offset_from"]["format"]
        swapped = pattern.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")
        text = staged.cell(column).text
        count = _one(
            connection,
            f"SELECT count(*) FROM {staged.relation} WHERE "
            f"try_strptime(trim({text}), {literal(pattern)}) IS NULL AND "
            f"try_strptime(trim({text}), {literal(swapped)}) IS NOT NULL",
        )
        if count:
            problems.append(
                Problem(
                    staged.source.name,
                    "mixed_dates",
                    f"{count} cell(s) are dates only with day and month the other way round, so "
                    "the others cannot be trusted either",
                    column=column,
                    count=count,
                    remedy="export the dates in one form, best as 2024-12-31",
                )
            )
    return problems


def _judge(connection: duckdb.DuckDBPyConnection, cast: _Cast, known: str | None) -> None:
    """Decide for each selected row whether it is kept, into `verdict_<kind>`.

    `known` is a table of the patients that exist, where the clinic has a patients file.
    """
    kind, relation, required = cast.kind, cast.relation, CONTRACT[cast.kind][1]
    verdict = f"verdict_{kind}"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {verdict} (file INT, line BIGINT, row BIGINT, "
        "rule VARCHAR, name VARCHAR)"
    )
    needed = [*required, *(["window"] if "window" in cast.columns else [])]
    cases = [("blank", "'blank_row'", "NULL")]
    for column in needed:
        cases.append((f"q_{column} IS NOT NULL", f"q_{column}", literal(column)))
        cases.append((f"v_{column} IS NULL", "'missing_key'", literal(column)))
    rule = " ".join(f"WHEN {when} THEN {then}" for when, then, _ in cases)
    name = " ".join(f"WHEN {when} THEN {column}" for when, _, column in cases)
    # One pass finds the few rows in which anything is wrong; what it is, is told from those.
    wrong = [*(f"v_{c} IS NULL" for c in needed), *(f"q_{c} IS NOT NULL" for c in cast.columns)]
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE flagged_{kind} AS SELECT file, {cast.line} AS line, row, "
        f"blank, "
        f"{', '.join(f'v_{c}' for c in needed)}, {', '.join(f'q_{c}' for c in cast.columns)} "
        f"FROM {relation} WHERE selected AND ({' OR '.join(wrong)})"
    )
    connection.execute(
        f"INSERT INTO {verdict} SELECT file, line, row, CASE {rule} END, CASE {name} END "
        f"FROM flagged_{kind} WHERE {' OR '.join(w for w, _, _ in cases)}"
    )
    usable = f"{relation} WHERE selected AND {_not_in(connection, verdict)}"
    if known is not None:
        connection.execute(
            f"INSERT INTO {verdict} SELECT file, {cast.line}, row, 'unknown_patient', 'patient_id' "
            f"FROM {usable} AND v_patient_id NOT IN (SELECT patient_id FROM {known})"
        )
        connection.execute(
            f"INSERT INTO {verdict} SELECT file, {cast.line}, row, 'shared_code', 'patient_id' "
            f"FROM {usable} AND v_patient_id IN (SELECT patient_id FROM doubtful)"
        )
    if kind == "attacks":
        return  # two attacks on one day are two attacks
    _judge_copies(connection, cast, usable)


def _not_in(connection: duckdb.DuckDBPyConnection, verdict: str) -> str:
    """Write SQL for a row without a verdict against it."""
    if not _one(connection, f"SELECT count(*) FROM {verdict}"):
        return "true"
    return f"row NOT IN (SELECT row FROM {verdict})"


def _judge_copies(connection: duckdb.DuckDBPyConnection, cast: _Cast, usable: str) -> None:
    """Quarantine rows that repeat a key.

    Identical ones are kept once, contradictory ones not at all, since nothing in the file says
    which is right.
    """
    kind = cast.kind
    values = [f"v_{c}" for c in cast.columns]
    key = [f"v_{c}" for c in _KEYS.get(kind, ()) if c in cast.columns] or values
    keys, by = ", ".join(key), ", ".join(values)
    where = "true"
    if kind == "diary":
        # Who has a day twice: fewer different days than rows, counted with a bit per day, so that
        # millions of days cost little; only those people are looked at by row.
        ends: Any = connection.execute(f"SELECT min(v_day), max(v_day) FROM {usable}").fetchone()
        low, high = ends
        if low is None:
            return
        bit = f"v_day - {low}" if high - low < _BITS else f"(v_day - {low}) % {_BITS}"
        block = "0" if high - low < _BITS else f"(v_day - {low}) // {_BITS}"
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE twice AS SELECT DISTINCT v_patient_id FROM ("
            f"SELECT v_patient_id, {block} AS block, count(*) AS n, "
            f"bit_count(bit_or(1::HUGEINT << ({bit})::HUGEINT)) AS different FROM {usable} "
            "GROUP BY ALL HAVING different < n)"
        )
        if not _one(connection, "SELECT count(*) FROM twice"):
            return
        where = "v_patient_id IN (SELECT v_patient_id FROM twice)"
    names = [c for c in _KEYS.get(kind, ("patient_id",)) if c in cast.columns]
    connection.execute(
        # The few rows first, then their lines.
        f"CREATE OR REPLACE TEMP TABLE copies AS WITH few AS MATERIALIZED "
        f"(SELECT * FROM (SELECT * FROM {usable}) WHERE {where}), "
        f"told AS MATERIALIZED (SELECT *, {cast.line} AS line FROM few) "
        f"SELECT file, line, row, v_patient_id, "
        f"row_number() OVER (PARTITION BY {by} ORDER BY file, line) AS copy, "
        f"count(*) OVER (PARTITION BY {by}) AS alike, count(*) OVER (PARTITION BY {keys}) AS n "
        f"FROM told QUALIFY n > 1"
    )
    connection.execute(
        f"INSERT INTO verdict_{kind} "
        f"SELECT file, line, row, CASE WHEN alike = n THEN 'duplicate_row' "
        f"ELSE 'conflicting_duplicate' END, {literal(' + '.join(names))} "
        "FROM copies WHERE alike < n OR copy > 1"
    )
    if kind == "patients":
        # Two people under one code: nobody can tell whose the other records are.
        connection.execute(
            "INSERT INTO doubtful SELECT DISTINCT v_patient_id FROM copies WHERE alike < n"
        )


def _write_quarantine(connection: duckdb.DuckDBPyConnection, cast: _Cast) -> None:
    """Write the quarantine of a kind: malformed rows, rows not used, single cells of used rows."""
    required = CONTRACT[cast.kind][1]
    for number, (staged, own) in enumerate(zip(cast.stages, cast.own, strict=True)):
        name = staged.source.name
        if staged.malformed:
            connection.executemany(
                "INSERT INTO quarantine VALUES (?, ?, NULL, ?, 'row')",
                [[name, line, rule] for line, rule in staged.malformed],
            )
        names = " ".join(f"WHEN {literal(c)} THEN {literal(o)}" for c, o in own.items())
        shown = (
            f"list_transform(string_split(name, ' + '), lambda c: CASE c {names} ELSE c END)"
            if own
            else "[name]"
        )
        connection.execute(
            f"INSERT INTO quarantine SELECT {literal(name)}, line, "
            f"array_to_string({shown}, ' + '), rule, 'row' FROM verdict_{cast.kind} "
            f"WHERE file = {number}"
        )
        cells = [c for c in own if c not in required and c != "window"]
        if not cells:
            continue
        for c in cells:
            connection.execute(
                f"INSERT INTO quarantine SELECT {literal(name)}, line, {literal(own[c])}, q_{c}, "
                f"'cell' FROM flagged_{cast.kind} WHERE file = {number} AND q_{c} IS NOT NULL "
                f"AND row NOT IN (SELECT row FROM verdict_{cast.kind})"
            )


def _check_k(
    connection: duckdb.DuckDBPyConnection, cast: _Cast, clinic: Mapping[str, Any]
) -> tuple[int | None, tuple[str, ...], list[Problem]]:
    """Measure k-anonymity of the patients that are kept, and refuse less than is configured."""
    settings = clinic["gate"]
    columns = tuple(c for c in settings["quasi_identifiers"] if c in cast.columns)
    kept = f"(SELECT * FROM {cast.relation} WHERE {_kept(connection, cast)})"
    if not columns or not _one(connection, f"SELECT count(*) FROM {kept}"):
        return None, columns, []
    wanted = required_k(clinic)
    k, few = gate.measure_k(connection, kept, [f"v_{c}" for c in columns], wanted)
    if k >= wanted:
        return k, columns, []
    return (
        k,
        columns,
        [
            Problem(
                ", ".join(s.source.name for s in cast.stages),
                "k_anonymity",
                f"{few} people are in groups of fewer than {wanted} alike in {', '.join(columns)}",
                count=few,
                remedy="make bands of ages (`band:`) or wider ones, join rare codes, or list a "
                "column under `drop:`; `gate: {k: ...}` sets the size",
            )
        ],
    )


def required_k(clinic: Mapping[str, Any]) -> int:
    """Take the smallest group that the gate lets pass: 5, and no rule where nothing is released.

    Under `internal` and `public` k is measured and shown; `gate: {k: ...}` makes it a rule.
    """
    if clinic["gate"]["k"] is not None:
        return int(clinic["gate"]["k"])
    return 1 if clinic["disclosure"] in ("internal", "public") else 5


def _find_starts(
    connection: duckdb.DuckDBPyConnection, casts: Mapping[str, _Cast], clinic: Mapping[str, Any]
) -> None:
    """Find day 0 of each patient, into `starts`: patient_id, start (in the files' own days)."""
    declared = clinic["course"]["start"]
    connection.execute("CREATE TEMP TABLE starts (patient_id VARCHAR, start BIGINT)")
    if declared == 0:
        return  # days are offsets already; a person without a start counts from 0
    if declared is not None:
        connection.execute(
            "INSERT INTO starts SELECT DISTINCT v_patient_id, "
            f"CAST({int(declared)} AS BIGINT) FROM ({_everyone(casts)})"
        )
        return
    if "patients" in casts and "start_day" in casts["patients"].columns:
        connection.execute(
            "INSERT INTO starts SELECT v_patient_id, v_start_day FROM cast_patients "
            f"WHERE {_kept(connection, casts['patients'])} AND v_start_day IS NOT NULL"
        )
    if "sessions" in casts:
        treated = "true"
        if "technique" in casts["sessions"].columns:
            treated = "v_technique IS NOT NULL"
        connection.execute(
            "INSERT INTO starts SELECT v_patient_id, "
            f"coalesce(min(v_day) FILTER (WHERE {treated}), min(v_day)) FROM cast_sessions "
            f"WHERE {_kept(connection, casts['sessions'])} "
            "AND v_patient_id NOT IN (SELECT patient_id FROM starts) GROUP BY v_patient_id"
        )
    # Without a known start, days are offsets already; dates count from the person's first one.
    dated = [c for c in casts.values() if c.dated and c.kind != "patients"]
    if dated:
        days = " UNION ALL ".join(
            f"SELECT v_patient_id, v_day FROM {c.relation} WHERE selected "
            f"AND {_not_in(connection, f'verdict_{c.kind}')}"
            for c in dated
        )
        connection.execute(
            f"INSERT INTO starts SELECT v_patient_id, min(v_day) FROM ({days}) "
            "WHERE v_patient_id NOT IN (SELECT patient_id FROM starts) GROUP BY v_patient_id"
        )


def _everyone(casts: Mapping[str, _Cast]) -> str:
    return " UNION ALL ".join(
        f"SELECT DISTINCT v_patient_id FROM {c.relation} WHERE v_patient_id IS NOT NULL"
        for c in casts.values()
    )


def _judge_days(
    connection: duckdb.DuckDBPyConnection, casts: Mapping[str, _Cast], clinic: Mapping[str, Any]
) -> None:
    """Quarantine days after the declared end, and diary days while no diary was open."""
    end = clinic["course"]["end"]
    patients = casts.get("patients")
    span = {"diary_from", "diary_to"} & set(patients.columns if patients else ())
    if patients and span:
        low = "v_diary_from" if "diary_from" in span else "NULL"
        high = "v_diary_to" if "diary_to" in span else "NULL"
        connection.execute(
            f"CREATE TEMP TABLE spans AS SELECT v_patient_id AS patient_id, {low} AS low, "
            f"{high} AS high FROM cast_patients WHERE {_kept(connection, patients)}"
        )
    for kind, cast in casts.items():
        if kind not in ("sessions", "diary", "attacks", "questionnaires"):
            continue
        usable = f"(SELECT * FROM {cast.relation} WHERE {_kept(connection, cast)})"
        if end is not None:
            connection.execute(
                f"INSERT INTO verdict_{kind} SELECT file, {cast.line}, row, 'after_end', 'day' "
                f"FROM {usable} LEFT JOIN starts s ON v_patient_id = s.patient_id "
                f"WHERE v_day - coalesce(s.start, 0) > {int(end)}"
            )
        if kind in ("diary", "attacks") and span:
            connection.execute(
                f"INSERT INTO verdict_{kind} SELECT file, {cast.line}, row, "
                f"'diary_not_open', 'day' FROM {usable} "
                "JOIN spans ON v_patient_id = spans.patient_id "
                "WHERE v_day < low OR v_day > high"
            )


def _kept(connection: duckdb.DuckDBPyConnection, cast: _Cast) -> str:
    return f"selected AND {_not_in(connection, f'verdict_{cast.kind}')}"


def _day_sql(connection: duckdb.DuckDBPyConnection, cast: _Cast) -> tuple[str, str]:
    """Write SQL for a day counted from the start, and the join it needs."""
    if not _one(connection, "SELECT count(*) FROM starts WHERE start <> 0"):
        return "v_day", ""
    return (
        "v_day - coalesce(s.start, 0)",
        " LEFT JOIN starts s ON v_patient_id = s.patient_id",
    )


def _kept_sql(connection: duckdb.DuckDBPyConnection, cast: _Cast) -> str:
    """SELECT that yields the processed table of a kind in the contract's order."""
    kind, where = cast.kind, _kept(connection, cast)
    if kind == "windows":
        return _windows_sql(cast, where)
    spec = tables.TABLES[CONTRACT[kind][0]].columns
    day, join = _day_sql(connection, cast) if "day" in cast.columns else ("", "")
    selects = []
    for column, rule in spec.items():
        if column == "line":
            selects.append(f"{cast.line} AS line")
        elif column == "day":
            selects.append(f"CAST({day} AS BIGINT) AS day")
        elif column == "headache" and "diary_complete" in cast.columns:
            # A day that was not closed is unknown, whatever stands in it.
            selects.append(
                "CASE WHEN v_diary_complete = 0 THEN NULL ELSE v_headache END AS headache"
            )
        elif column in cast.columns:
            selects.append(f"v_{column} AS {ident(column)}")
        else:
            selects.append(f"CAST(NULL AS {SQL_TYPE[rule.kind]}) AS {ident(column)}")
    by_line = f"patient_id, day, file, {cast.line}"
    order = {"patients": "patient_id", "diary": ""}.get(kind, by_line)
    sql = f"SELECT {', '.join(selects)} FROM {cast.relation}{join} WHERE {where}"
    return f"{sql} ORDER BY {order}" if order else sql


def _windows_sql(cast: _Cast, where: str) -> str:
    parts = []
    for number, staged in enumerate(cast.stages):
        for i, entry in enumerate(staged.source.spec["wide"]):
            window = literal(entry["window"]) if "window" in entry else "v_window"
            parts.append(
                f'SELECT v_patient_id AS patient_id, {window} AS "window", '
                f'{literal(entry["outcome"])} AS outcome, v_wide_{i} AS "value", '
                f"{cast.line} AS line, file "
                f"FROM {cast.relation} WHERE file = {number} AND {where}"
            )
    return (
        f"SELECT * EXCLUDE (file) FROM ({' UNION ALL '.join(parts)}) "
        'ORDER BY file, line, outcome, "window"'
    )


def _attacks_sql(connection: duckdb.DuckDBPyConnection, casts: Mapping[str, _Cast]) -> str:
    """SELECT that yields diary days from a log of attacks.

    An attack that crosses midnight counts on each day with its own hours; its medication counts
    on the day it starts. A day on which the diary was open and no attack fell is free of headache;
    without a mark of open days there are no free days, and no frequency.
    """
    cast = casts["attacks"]
    day, join = _day_sql(connection, cast)
    columns = cast.columns

    def own(column: str, otherwise: str = "CAST(NULL AS DOUBLE)") -> str:
        return f"v_{column}" if column in columns else otherwise

    length, start = own("duration_hours"), own("start_hour")
    attacks = (
        f"SELECT v_patient_id AS patient_id, CAST({day} AS BIGINT) AS first_day, "
        f"{start} AS start, {length} AS hours, {own('intensity')} AS intensity, "
        f"{own('acute_medication')} AS pills FROM {cast.relation}{join} "
        f"WHERE {_kept(connection, cast)}"
    )
    # Without a time of day an attack of up to 24 hours is taken to lie in the day it started.
    parts = (
        "SELECT patient_id, first_day + k AS day, intensity, "
        "CASE WHEN hours IS NULL THEN NULL ELSE "
        "least(coalesce(start, 0) + hours, 24 * (k + 1)) - greatest(coalesce(start, 0), 24 * k) "
        "END AS hours, CASE WHEN k = 0 THEN 1 ELSE 0 END AS attacks, "
        "CASE WHEN k = 0 THEN pills END AS pills "
        f"FROM (SELECT *, unnest(range(0, greatest(1, CAST(ceil((coalesce(start, 0) + "
        f"coalesce(hours, 0)) / 24) AS BIGINT)))) AS k FROM ({attacks}))"
    )
    headache = (
        "SELECT patient_id, day, 1 AS headache, max(intensity) AS intensity, "
        "least(sum(hours), 24.0) AS duration_hours, sum(attacks) AS attacks, "
        f"sum(pills) AS acute_medication FROM ({parts}) GROUP BY patient_id, day"
    )
    opened = _open_days_sql(connection, casts)
    if opened is None:
        return f"SELECT * FROM ({headache}) ORDER BY patient_id, day"
    return (
        "SELECT o.patient_id, o.day, coalesce(h.headache, 0) AS headache, h.intensity, "
        "h.duration_hours, h.attacks, h.acute_medication "
        f"FROM ({opened}) o LEFT JOIN ({headache}) h USING (patient_id, day) "
        "ORDER BY patient_id, day"
    )


def _open_days_sql(connection: duckdb.DuckDBPyConnection, casts: Mapping[str, _Cast]) -> str | None:
    """SELECT that yields the days on which the diary was open; None where nothing says so."""
    if "diary" in casts:
        diary = casts["diary"]
        day, join = _day_sql(connection, diary)
        closed = " AND v_diary_complete = 1" if "diary_complete" in diary.columns else ""
        return (
            f"SELECT DISTINCT v_patient_id AS patient_id, CAST({day} AS BIGINT) AS day "
            f"FROM {diary.relation}{join} WHERE {_kept(connection, diary)}{closed}"
        )
    patients = casts.get("patients")
    if patients and {"diary_from", "diary_to"} <= set(patients.columns):
        return (
            "SELECT p.patient_id, unnest(range(p.low - coalesce(s.start, 0), "
            "p.high - coalesce(s.start, 0) + 1)) AS day "
            "FROM spans p LEFT JOIN starts s ON p.patient_id = s.patient_id "
            "WHERE p.low IS NOT NULL AND p.high IS NOT NULL"
        )
    return None


def ingest_clinic(
    folder: Path, clinic: Mapping[str, Any], destination: Path, *, threads: int = 2
) -> Ingested:
    """Read a clinic's files into processed tables (parquet) below `destination`.

    Writes patients, sessions, days, questionnaires, given_windows (as far as the clinic has
    them; the others empty) and quarantine.csv. Nothing is written unless every file passes.

    Parameters
    ----------
    folder
        The clinic's folder of raw files.
    clinic
        clinic.yaml with its defaults filled in (`headway.config.load_clinic`).
    destination
        Folder for the processed tables.

    Returns
    -------
    Ingested
        One account per file, each of which balances; k-anonymity of the patients.

    Raises
    ------
    RefusedError
        If the gate finds what can identify a person, or people are too alone in their group.
    InputError
        If a file does not match clinic.yaml or cannot be read, or if a column of zeros looks
        like missing values (`headway.ingest.zero_coded`).
    """
    with judged(folder, clinic, destination.parent, threads=threads) as found:
        accounts = found.accounts()
        for account in accounts:
            account.check()
        destination.mkdir(parents=True, exist_ok=True)
        for table in PROCESSED:
            _write(found.connection, found.select(table), destination / f"{table}.parquet")
        rows = found.connection.execute(
            'SELECT * FROM quarantine ORDER BY file, line, "column", rule'
        ).df()
        tables.write_csv(tables.conform("quarantine", rows), destination / "quarantine.csv")
        return Ingested(accounts, found.k, required_k(clinic), found.quasi_identifiers)


def _write(connection: duckdb.DuckDBPyConnection, sql: str, path: Path) -> None:
    with tables.replacing(path) as part:
        connection.execute(f"COPY ({sql}) TO {literal(part)} (FORMAT parquet, COMPRESSION zstd)")


@dataclass(frozen=True, slots=True)
class Ingested:
    """The account of every file, and the k-anonymity of the patients table (None without one)."""

    accounts: tuple[RowAccount, ...]
    k: int | None
    required_k: int
    quasi_identifiers: tuple[str, ...]

    def as_flow(self) -> list[dict[str, object]]:
        """Write accounts and k as rows of the table `flow`."""
        rows = [row for account in self.accounts for row in account.as_flow()]
        if self.k is not None:
            rows.append(
                {
                    "account": "gate",
                    "item": "patients",
                    "step": Message(
                        "step.smallest_group",
                        columns=[term("characteristic", c) for c in self.quasi_identifiers],
                    ),
                    "n": float(self.k),
                    "of": float("nan"),
                    "note": Message("flow.gate", n=self.required_k),
                    "redacted": False,
                }
            )
        return rows


@dataclass(slots=True)
class Judged:
    """A clinic's files with a verdict on every row, ready to be written or aggregated."""

    connection: duckdb.DuckDBPyConnection
    casts: dict[str, _Cast]
    k: int | None
    quasi_identifiers: tuple[str, ...]

    def accounts(self) -> tuple[RowAccount, ...]:
        """Make the account of every file."""
        return tuple(a for cast in self.casts.values() for a in _accounts(self.connection, cast))

    def select(self, table: str) -> str:
        """SELECT that yields a processed table from nothing but usable rows."""
        if table == "days" and "attacks" in self.casts:
            return _attacks_sql(self.connection, self.casts)
        for kind, (name, _) in CONTRACT.items():
            if name == table and kind in self.casts:
                return _kept_sql(self.connection, self.casts[kind])
        return _empty_sql(table)


@contextmanager
def judged(
    folder: Path, clinic: Mapping[str, Any], scratch_root: Path | None, *, threads: int = 2
) -> Iterator[Judged]:
    """Take a clinic's files through gate, casts and quarantine, up to the verdict on every row.

    Raises
    ------
    RefusedError, InputError
        As `ingest_clinic`.
    """
    with _opened(folder, clinic, scratch_root, threads) as (connection, stages, _):
        refused = check_gate(connection, folder, stages, clinic)
        if refused:
            raise RefusedError("the de-identification gate refuses this clinic", refused)
        problems = _check_dates(connection, stages)
        if problems:
            raise InputError("a column of dates cannot be read", problems)
        doubts = [p for s in stages for p in zero_coded.find_zero_coded(connection, s)]
        if doubts:
            raise InputError("zeros that look like missing values are not used", doubts)
        connection.execute(
            'CREATE TEMP TABLE quarantine (file VARCHAR, line BIGINT, "column" VARCHAR, '
            "rule VARCHAR, scope VARCHAR)"
        )
        connection.execute("CREATE TEMP TABLE doubtful (patient_id VARCHAR)")
        casts: dict[str, _Cast] = {}
        known: str | None = None
        k: int | None = None
        columns: tuple[str, ...] = ()
        for kind in CONTRACT:
            own = [s for s in stages if s.source.kind == kind]
            if not own:
                continue
            casts[kind] = _cast(connection, kind, own)
            _judge(connection, casts[kind], known)
            if kind == "patients":
                connection.execute(
                    "CREATE TEMP TABLE known AS SELECT DISTINCT v_patient_id AS patient_id "
                    "FROM cast_patients WHERE selected AND v_patient_id IS NOT NULL"
                )
                known = "known"
                k, columns, few = _check_k(connection, casts[kind], clinic)
                if few:
                    raise RefusedError("the de-identification gate refuses this clinic", few)
        _find_starts(connection, casts, clinic)
        _judge_days(connection, casts, clinic)
        for cast in casts.values():
            _write_quarantine(connection, cast)
        yield Judged(connection, casts, k, columns)


def _empty_sql(table: str) -> str:
    if table == "given_windows":
        return (
            'SELECT NULL::VARCHAR AS patient_id, NULL::VARCHAR AS "window", '
            'NULL::VARCHAR AS outcome, NULL::DOUBLE AS "value", NULL::BIGINT AS line '
            "WHERE false"
        )
    columns = ", ".join(
        f"NULL::{SQL_TYPE[r.kind]} AS {ident(c)}" for c, r in tables.TABLES[table].columns.items()
    )
    return f"SELECT {columns} WHERE false"


def _accounts(connection: duckdb.DuckDBPyConnection, cast: _Cast) -> list[RowAccount]:
    """Make the account of each file of a kind; what was kept is counted, not inferred."""
    out = []
    for number, staged in enumerate(cast.stages):
        name = staged.source.name
        of_file = f"FROM {cast.relation} WHERE file = {number}"
        zeros = len(staged.source.spec["wide"])
        unselected = _selected_sql(staged) != "true"
        out.append(
            RowAccount(
                file=name,
                rows_in=staged.rows_in,
                kept=_one(connection, f"SELECT count(*) {of_file} AND {_kept(connection, cast)}"),
                quarantined=len(staged.malformed)
                + _one(
                    connection,
                    f"SELECT count(DISTINCT line) FROM verdict_{cast.kind} WHERE file = {number}",
                ),
                not_selected=_one(connection, f"SELECT count(*) {of_file} AND NOT selected")
                if unselected
                else 0,
                cells_quarantined=_one(
                    connection,
                    f"SELECT count(*) FROM quarantine WHERE file = {literal(name)} "
                    "AND scope = 'cell'",
                ),
                zeros_declared_missing=sum(
                    _one(connection, f"SELECT count(*) {of_file} AND selected AND z_{i}")
                    for i in range(zeros)
                ),
                note="; ".join(staged.source.notes),
            )
        )
    return out


def write_empty(destination: Path) -> None:
    """Write every processed table without a row, for a clinic that was refused."""
    import duckdb

    destination.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        for table in PROCESSED:
            _write(connection, _empty_sql(table), destination / f"{table}.parquet")
    tables.write_csv(tables.empty("quarantine"), destination / "quarantine.csv")
