"""A clinic's raw files -> processed tables, by DuckDB: gate, casts, quarantine, account.

The order is fixed: the header is read, the gate looks at every column that clinic.yaml does not
drop, and only a clinic that passes is cast into the canonical tables. A cell that cannot be read
or is out of range becomes missing and is listed; a row without its key, a repeated row or a row
of an unknown patient is quarantined. Rows in = kept + quarantined + not selected, for each file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway import tables
from headway.errors import InputError, Problem, RefusedError
from headway.ingest import deidentify, zero_coded
from headway.ingest.quarantine import RowAccount

if TYPE_CHECKING:
    import duckdb

# Raw file kind -> processed table, and the columns without which a row says nothing.
CONTRACT: dict[str, tuple[str, tuple[str, ...]]] = {
    "patients": ("patients", ("patient_id",)),
    "sessions": ("sessions", ("patient_id", "day")),
    "diary": ("days", ("patient_id", "day")),
    "questionnaires": ("questionnaires", ("patient_id", "day", "instrument", "score")),
    "windows": ("given_windows", ("patient_id",)),
}
# A repeated key is a contradiction in these tables; elsewhere only a repeated row is one.
_KEYS: dict[str, tuple[str, ...]] = {
    "patients": ("patient_id",),
    "diary": ("patient_id", "day"),
    "questionnaires": ("patient_id", "day", "instrument"),
    "windows": ("patient_id",),
}
_SCALE: dict[str, float] = {
    "days_per_28": 1.0,
    "days_per_month": 28 / 30.4375,
    "nrs_0_10": 1.0,
    "vas_0_100": 0.1,
    "hours": 1.0,
    "minutes": 1 / 60,
    "years": 1.0,
    "months": 1 / 12,
    "score": 1.0,
}
_RANGE: dict[str, tuple[float, float]] = {
    "frequency": (0, 28),
    "intensity": (0, 10),
    "duration": (0, 24),
}
_SQL_TYPE = {"text": "VARCHAR", "int": "BIGINT", "float": "DOUBLE"}


def _ident(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class _File:
    """One raw file with its declaration."""

    kind: str
    path: Path
    spec: Mapping[str, Any]
    header: tuple[str, ...]

    @property
    def scan(self) -> str:
        """FROM clause that yields every column as text; malformed lines go to the rejects."""
        columns = ", ".join(f"{_literal(c)}: 'VARCHAR'" for c in self.header)
        return (
            f"read_csv({_literal(self.path)}, header = true, auto_detect = false, "
            f"delim = {_literal(self.spec['delimiter'])}, quote = '\"', escape = '\"', "
            f"encoding = {_literal(self.spec['encoding'])}, columns = {{{columns}}}, "
            f"nullstr = '', max_line_size = 16777216, store_rejects = true, "
            f"rejects_scan = {_literal('scan_' + self.kind)}, "
            f"rejects_table = {_literal('rejects_' + self.kind)}, rejects_limit = 0)"
        )

    @property
    def mapped(self) -> dict[str, str]:
        """Own column -> canonical column."""
        return {_own(v): canonical for canonical, v in self.spec["columns"].items()}


def _own(entry: str | Mapping[str, Any]) -> str:
    return entry if isinstance(entry, str) else str(entry["column"])


def _read_header(path: Path, spec: Mapping[str, Any]) -> tuple[str, ...]:
    encoding = "utf-8-sig" if spec["encoding"] == "utf-8" else spec["encoding"]
    try:
        with path.open(encoding=encoding, newline="") as stream:
            header = next(csv.reader(stream, delimiter=spec["delimiter"]), [])
    except UnicodeDecodeError:
        raise InputError(
            "a file cannot be read",
            [
                Problem(
                    path.name,
                    "encoding",
                    "is not in the declared encoding",
                    line=1,
                    remedy="declare `encoding: latin-1` or save the file as UTF-8",
                )
            ],
        ) from None
    except FileNotFoundError:
        raise InputError(
            "a file is missing", [Problem(path.name, "missing_file", "is not there")]
        ) from None
    return tuple(name.strip() for name in header)


def _check_header(file: _File) -> list[Problem]:
    """Hold the header against the columns that clinic.yaml names."""
    name, spec, header = file.path.name, file.spec, file.header
    problems = []
    if not any(header):
        return [Problem(name, "empty_file", "has no header line", line=1)]
    if len(set(header)) != len(header):
        twice = sorted({c for c in header if header.count(c) > 1})
        problems += [
            Problem(name, "duplicate_column", "stands twice in the header", column=c) for c in twice
        ]
    wanted: list[str] = [*file.mapped, *spec["keep_where"], *spec["drop"]]
    for entry in spec["wide"]:
        wanted.append(entry["column"])
        if "zero_means_missing_when" in entry:
            wanted.append(entry["zero_means_missing_when"]["blank"])
    if "offset_from" in spec:
        wanted.append(spec["offset_from"]["column"])
    hint = f"the header has {len(header)} column(s); is the delimiter right?"
    problems += [
        Problem(
            name,
            "missing_column",
            "is named in clinic.yaml and not in the file",
            column=column,
            remedy=hint if len(header) == 1 else "",
        )
        for column in dict.fromkeys(wanted)
        if column not in header
    ]
    known = (
        tables.TABLES[CONTRACT[file.kind][0]].columns
        if file.kind != "windows"
        else {"patient_id": None}
    )
    extra = {"diary_complete"} if file.kind == "diary" else set()
    for canonical in [*spec["columns"], *spec["constants"]]:
        if canonical not in known and canonical not in extra:
            problems.append(
                Problem(
                    "clinic.yaml",
                    "unknown_canonical_column",
                    f"files.{file.kind}: is not a column of {file.kind}",
                    column=canonical,
                    remedy=f"known: {', '.join(known)}",
                )
            )
    have = {*spec["columns"], *spec["constants"]}
    if "offset_from" in spec:
        have.add("day")
    for required in CONTRACT[file.kind][1]:
        if required not in have:
            problems.append(
                Problem(
                    "clinic.yaml",
                    "required_column",
                    f"files.{file.kind} must map it",
                    column=required,
                )
            )
    return problems


@contextmanager
def _reading(file: _File) -> Iterator[None]:
    """Turn an engine error into one of ours: the engine's message repeats the line it met."""
    import duckdb

    try:
        yield
    except duckdb.Error:
        raise InputError(
            "a file cannot be read",
            [
                Problem(
                    file.path.name,
                    "unreadable",
                    "is not text in the declared delimiter and encoding",
                    remedy="check `delimiter:` and `encoding:` in clinic.yaml",
                )
            ],
        ) from None


def open_files(folder: Path, clinic: Mapping[str, Any]) -> list[_File]:
    """Read the headers of a clinic's files and hold them against clinic.yaml.

    Raises
    ------
    InputError
        With every problem of every file.
    """
    files, problems = [], []
    for kind, spec in clinic["files"].items():
        file = _File(kind, folder / spec["path"], spec, _read_header(folder / spec["path"], spec))
        problems += _check_header(file)
        files.append(file)
    if problems:
        raise InputError("the files do not match clinic.yaml", problems)
    return files


def check_gate(
    connection: duckdb.DuckDBPyConnection, files: list[_File], clinic: Mapping[str, Any]
) -> list[Problem]:
    """Run the de-identification gate over every column that is not declared dropped."""
    problems = []
    for file in files:
        dropped = set(file.spec["drop"])
        columns = [c for c in file.header if c not in dropped]
        shifted = {file.spec["offset_from"]["column"]} if "offset_from" in file.spec else set()
        problems += deidentify.check_file_name(file.path.name)
        problems += deidentify.check_names(file.path.name, columns)
        with _reading(file):
            problems += deidentify.check_content(
                connection,
                file.scan,
                file.path.name,
                columns,
                mapped=file.mapped,
                shifted_dates=shifted,
                free_text_characters=clinic["gate"]["free_text_characters"],
            )
    return problems


def check_clinic(folder: Path, clinic: Mapping[str, Any]) -> None:
    """Hold a clinic's files against clinic.yaml and run the gate, and nothing else.

    Raises
    ------
    InputError, RefusedError
        With every problem found.
    """
    import duckdb

    files = open_files(folder, clinic)
    with duckdb.connect() as connection:
        refused = check_gate(connection, files, clinic)
    if refused:
        raise RefusedError("the de-identification gate refuses this clinic", refused)


def _cell_sql(
    own: str, spec: Mapping[str, Any], entry: str | Mapping[str, Any], rule: tables.Column
) -> tuple[str, str]:
    """Write SQL for a column: its value, and the rule that the cell breaks (NULL if none)."""
    missing = ", ".join(_literal(m) for m in spec["missing"] if str(m) != "")
    text = f"nullif(trim({_ident(own)}), '')"
    if missing:
        text = f"(CASE WHEN {text} IN ({missing}) THEN NULL ELSE {text} END)"
    codes = {} if isinstance(entry, str) else entry.get("codes", {})
    coded, unknown = text, "false"
    if codes:
        whens = " ".join(f"WHEN {_literal(k)} THEN {_literal(v)}" for k, v in codes.items())
        coded = f"(CASE {text} {whens} END)"
        unknown = f"({text} IS NOT NULL AND {coded} IS NULL)"
    if rule.kind == "text":
        value, bad = coded, "false"
        if rule.allowed:
            allowed = ", ".join(_literal(a) for a in rule.allowed)
            unknown = f"({unknown} OR {coded} NOT IN ({allowed}))"
            value = f"(CASE WHEN {coded} IN ({allowed}) THEN {coded} END)"
        if rule.pattern:
            unknown = f"NOT regexp_matches({coded}, {_literal(rule.pattern)})"
            value = (
                f"(CASE WHEN regexp_matches({coded}, {_literal(rule.pattern)}) THEN {coded} END)"
            )
        return value, f"CASE WHEN {unknown} THEN 'not_a_code' END"
    number = coded
    if spec["decimal"] == ",":
        number = f"replace({coded}, ',', '.')"
    unit = "" if isinstance(entry, str) else entry.get("unit", "")
    scale = _SCALE.get(unit, 1.0)
    cast = f"TRY_CAST({number} AS DOUBLE)"
    if rule.kind == "int":
        # 3.0 is a whole number that passed through a spreadsheet; 3.4 is not a day.
        cast = f"(CASE WHEN {cast} = floor({cast}) THEN {cast} END)"
    value = cast if scale == 1.0 else f"({cast} * {scale!r})"
    bad = f"({coded} IS NOT NULL AND ({cast} IS NULL OR NOT isfinite({cast})))"
    limits = [f"{value} < {rule.low!r}"] if rule.low is not None else []
    limits += [f"{value} > {rule.high!r}"] if rule.high is not None else []
    outside = " OR ".join(limits) or "false"
    problem = (
        f"CASE WHEN {unknown} THEN 'not_a_code' WHEN {bad} THEN 'not_a_number' "
        f"WHEN {outside} THEN 'out_of_range' END"
    )
    kept = f"(CASE WHEN {bad} OR {outside} THEN NULL ELSE {value} END)"
    return f"CAST({kept} AS {_SQL_TYPE[rule.kind]})", problem


@dataclass(slots=True)
class _Stage:
    """A file cast into `staged_<kind>`: columns v_<name> and q_<name> (the rule broken)."""

    file: _File
    columns: dict[str, str] = field(default_factory=dict)  # canonical -> own
    rows_in: int = 0
    zeros: int = 0

    @property
    def table(self) -> str:
        return f"staged_{self.file.kind}"


def _column_rule(kind: str, canonical: str) -> tables.Column:
    if canonical == "diary_complete":
        return tables.Column("int", "1 if the day's entry is complete", low=0, high=1)
    if kind == "windows":
        return tables.Column("text", "The clinic's random code")
    return tables.TABLES[CONTRACT[kind][0]].columns[canonical]


def _stage(connection: duckdb.DuckDBPyConnection, file: _File) -> _Stage:
    """Cast one file; every data row, malformed ones included, is counted."""
    stage, spec, kind = _Stage(file), file.spec, file.kind
    with _reading(file):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE raw_{kind} AS "
            f"SELECT row_number() OVER () AS rn, * FROM {file.scan}"
        )
    # Malformed lines never reach the scan; what remains is numbered around them. The i-th row
    # read stands behind all rejected data rows q_j (sorted, counted from 1) with q_j - j + 1 <= i.
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE lines_{kind} AS "
        f"WITH bad AS (SELECT DISTINCT line - 1 AS q FROM rejects_{kind}), "
        "numbered AS (SELECT q, row_number() OVER (ORDER BY q) AS j FROM bad) "
        "SELECT q - j + 1 AS threshold, max(j) AS shift FROM numbered GROUP BY ALL"
    )
    selects, rows = [], 0
    for canonical, entry in spec["columns"].items():
        value, rule = _cell_sql(_own(entry), spec, entry, _column_rule(kind, canonical))
        selects += [f"{value} AS v_{canonical}", f"{rule} AS q_{canonical}"]
        stage.columns[canonical] = _own(entry)
    for canonical, constant in spec["constants"].items():
        sql_type = _SQL_TYPE[_column_rule(kind, canonical).kind]
        selects += [
            f"CAST({_literal(constant)} AS {sql_type}) AS v_{canonical}",
            f"CAST(NULL AS VARCHAR) AS q_{canonical}",
        ]
        stage.columns[canonical] = canonical
    if "offset_from" in spec:
        own, pattern = spec["offset_from"]["column"], spec["offset_from"]["format"]
        date = f"CAST(try_strptime({_ident(own)}, {_literal(pattern)}) AS DATE)"
        patient = f"nullif(trim({_ident(_own(spec['columns']['patient_id']))}), '')"
        selects += [
            f"CAST({date} - min({date}) OVER (PARTITION BY {patient}) AS BIGINT) AS v_day",
            f"CASE WHEN {_ident(own)} IS NOT NULL AND {date} IS NULL "
            "THEN 'not_a_date' END AS q_day",
        ]
        stage.columns["day"] = own
    for i, entry in enumerate(spec["wide"]):
        value, rule, zeros = _wide_sql(entry, spec)
        selects += [f"{value} AS v_wide_{i}", f"{rule} AS q_wide_{i}", f"{zeros} AS z_wide_{i}"]
        stage.columns[f"wide_{i}"] = entry["column"]
    selected = " AND ".join(
        f"trim({_ident(c)}) IN ({', '.join(_literal(v) for v in values)})"
        for c, values in spec["keep_where"].items()
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {stage.table} AS "
        f"SELECT CAST(rn + 1 + coalesce(l.shift, 0) AS BIGINT) AS line, "
        f"coalesce({selected or 'true'}, false) AS selected, {', '.join(selects)} "
        f"FROM raw_{kind} r ASOF LEFT JOIN lines_{kind} l ON r.rn >= l.threshold"
    )
    rows = _one(connection, f"SELECT count(*) FROM {stage.table}")
    rejected = _one(connection, f"SELECT count(DISTINCT line) FROM rejects_{kind}")
    stage.rows_in = rows + rejected
    for i, _ in enumerate(spec["wide"]):
        stage.zeros += _one(
            connection, f"SELECT count(*) FROM {stage.table} WHERE selected AND z_wide_{i}"
        )
    return stage


def _wide_sql(entry: Mapping[str, Any], spec: Mapping[str, Any]) -> tuple[str, str, str]:
    """Write SQL for a wide column: value, broken rule, whether it is a 0 declared missing."""
    low, high = _RANGE.get(entry["outcome"], (None, None))
    rule = tables.Column(
        "float", entry["outcome"], low=entry.get("low", low), high=entry.get("high", high)
    )
    value, problem = _cell_sql(entry["column"], spec, dict(entry), rule)
    if "zero_means_missing_when" not in entry:
        return value, problem, "false"
    blank = f"coalesce(trim({_ident(entry['zero_means_missing_when']['blank'])}), '') = ''"
    zero = f"({value} = 0 AND {blank})"
    return f"(CASE WHEN {zero} THEN NULL ELSE {value} END)", problem, f"coalesce({zero}, false)"


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def _quarantine(connection: duckdb.DuckDBPyConnection, stage: _Stage, known: str | None) -> None:
    """Decide for each selected row whether it is kept, into `verdict_<kind>` (line, rule, column).

    `known` is a table of the patients that exist, where the clinic has a patients file.
    """
    kind, file = stage.file.kind, stage.file
    required = CONTRACT[kind][1]
    cases = []
    for column in required:
        own = stage.columns[column]
        cases.append((f"q_{column} IS NOT NULL", f"q_{column}", own))
        cases.append((f"v_{column} IS NULL", _literal("missing_key"), own))
    rule = " ".join(f"WHEN {when} THEN {then}" for when, then, _ in cases)
    column = " ".join(f"WHEN {when} THEN {_literal(own)}" for when, _, own in cases)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE verdict_{kind} AS "
        f"SELECT line, CASE {rule} END AS rule, CASE {column} END AS col "
        f"FROM {stage.table} WHERE selected AND ({' OR '.join(w for w, _, _ in cases)})"
    )
    patient = stage.columns["patient_id"]
    if known is not None:
        connection.execute(
            f"INSERT INTO verdict_{kind} SELECT line, 'unknown_patient', {_literal(patient)} "
            f"FROM {stage.table} WHERE selected AND line NOT IN (SELECT line FROM verdict_{kind}) "
            f"AND v_patient_id NOT IN (SELECT patient_id FROM {known})"
        )
    values = [f"v_{c}" for c in stage.columns]
    key = [f"v_{c}" for c in _KEYS.get(kind, ())] or values
    keys, by = ", ".join(key), ", ".join(values)
    same = " AND ".join(f"s.{k} IS NOT DISTINCT FROM d.{k}" for k in key)
    # Rows that repeat a key: identical ones are kept once, contradictory ones not at all, since
    # nothing in the file says which is right.
    connection.execute(
        f"INSERT INTO verdict_{kind} WITH usable AS (SELECT * FROM {stage.table} WHERE selected "
        f"AND line NOT IN (SELECT line FROM verdict_{kind})), "
        f"d AS (SELECT {keys} FROM usable GROUP BY {keys} HAVING count(*) > 1), "
        f"again AS (SELECT s.* FROM usable s JOIN d ON {same}), "
        f"judged AS (SELECT line, row_number() OVER (PARTITION BY {by} ORDER BY line) AS copy, "
        f"count(*) OVER (PARTITION BY {by}) AS alike, count(*) OVER (PARTITION BY {keys}) AS n "
        f"FROM again) "
        f"SELECT line, CASE WHEN alike = n THEN 'duplicate_row' ELSE 'conflicting_duplicate' END, "
        f"{_literal(' + '.join(stage.columns[c] for c in _KEYS.get(kind, ('patient_id',))))} "
        f"FROM judged WHERE alike < n OR copy > 1"
    )
    # The quarantine of this file: rows first, then single cells of rows that are kept.
    cells = " UNION ALL ".join(
        f"SELECT line, {_literal(own)} AS col, q_{c} AS rule FROM {stage.table} "
        f"WHERE selected AND q_{c} IS NOT NULL"
        for c, own in stage.columns.items()
        if c not in required
    )
    connection.execute(
        f"INSERT INTO quarantine "
        f"SELECT {_literal(file.path.name)}, line, NULL, "
        "lower(replace(error_type::VARCHAR, ' ', '_')), 'row' "
        f"FROM (SELECT line, min(error_type) AS error_type FROM rejects_{kind} GROUP BY line) "
        f"UNION ALL SELECT {_literal(file.path.name)}, line, col, rule, 'row' FROM verdict_{kind}"
    )
    if cells:
        connection.execute(
            f"INSERT INTO quarantine SELECT {_literal(file.path.name)}, line, col, rule, 'cell' "
            f"FROM ({cells}) WHERE line NOT IN (SELECT line FROM verdict_{kind})"
        )


def _kept_sql(stage: _Stage) -> str:
    """SELECT that yields the processed table of a file in the contract's order."""
    kind = stage.file.kind
    where = f"selected AND line NOT IN (SELECT line FROM verdict_{kind})"
    if kind == "windows":
        parts = []
        for i, entry in enumerate(stage.file.spec["wide"]):
            outcome = _literal(entry["outcome"])
            parts.append(
                f'SELECT v_patient_id AS patient_id, {_literal(entry["window"])} AS "window", '
                f'{outcome} AS outcome, v_wide_{i} AS "value", line '
                f"FROM {stage.table} WHERE {where}"
            )
        return f'SELECT * FROM ({" UNION ALL ".join(parts)}) ORDER BY line, outcome, "window"'
    spec = tables.TABLES[CONTRACT[kind][0]].columns
    selects = []
    for column, rule in spec.items():
        if column == "line":
            selects.append("line")
        elif column in stage.columns:
            selects.append(f"v_{column} AS {_ident(column)}")
        else:
            selects.append(f"CAST(NULL AS {_SQL_TYPE[rule.kind]}) AS {_ident(column)}")
    if "diary_complete" in stage.columns:
        # A day that was not closed is unknown, whatever stands in it.
        at = list(spec).index("headache")
        selects[at] = "CASE WHEN v_diary_complete = 0 THEN NULL ELSE v_headache END AS headache"
    order = "patient_id" if kind == "patients" else "patient_id, day, line"
    return f"SELECT {', '.join(selects)} FROM {stage.table} WHERE {where} ORDER BY {order}"


def ingest_clinic(
    folder: Path, clinic: Mapping[str, Any], destination: Path, *, threads: int = 2
) -> list[RowAccount]:
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
    list of RowAccount
        One account per file, each of which balances.

    Raises
    ------
    RefusedError
        If the gate finds what can identify a person.
    InputError
        If a file does not match clinic.yaml or cannot be read, or if a column of zeros looks
        like missing values (`headway.ingest.zero_coded`).
    """
    import duckdb

    files = open_files(folder, clinic)
    connection = duckdb.connect()
    try:
        connection.execute(f"SET threads = {int(threads)}")
        connection.execute("SET preserve_insertion_order = true")
        refused = check_gate(connection, files, clinic)
        if refused:
            raise RefusedError("the de-identification gate refuses this clinic", refused)
        connection.execute(
            'CREATE TEMP TABLE quarantine (file VARCHAR, line BIGINT, "column" VARCHAR, '
            "rule VARCHAR, scope VARCHAR)"
        )
        order = list(CONTRACT)
        stages = [_stage(connection, f) for f in sorted(files, key=lambda f: order.index(f.kind))]
        doubts = [
            p
            for s in stages
            for p in zero_coded.find_zero_coded(
                connection, f"raw_{s.file.kind}", s.file.path.name, s.file.header, s.file.spec
            )
        ]
        if doubts:
            raise InputError("zeros that look like missing values are not used", doubts)
        accounts, known = [], None
        for stage in stages:
            kind = stage.file.kind
            _quarantine(connection, stage, known)
            if kind == "patients":
                connection.execute(
                    f"CREATE TEMP TABLE known AS SELECT DISTINCT v_patient_id AS patient_id "
                    f"FROM {stage.table} WHERE v_patient_id IS NOT NULL"
                )
                known = "known"
            accounts.append(_account(connection, stage))
        for account in accounts:
            account.check()
        destination.mkdir(parents=True, exist_ok=True)
        by_kind = {s.file.kind: s for s in stages}
        for kind, (table, _) in CONTRACT.items():
            sql = _kept_sql(by_kind[kind]) if kind in by_kind else _empty_sql(table)
            path = destination / f"{table}.parquet"
            connection.execute(
                f"COPY ({sql}) TO {_literal(path)} (FORMAT parquet, COMPRESSION zstd)"
            )
        connection.execute(
            f'COPY (SELECT * FROM quarantine ORDER BY file, line, "column", rule) TO '
            f"{_literal(destination / 'quarantine.csv')} (FORMAT csv, HEADER true)"
        )
        return accounts
    finally:
        connection.close()


def _empty_sql(table: str) -> str:
    if table == "given_windows":
        return (
            'SELECT NULL::VARCHAR AS patient_id, NULL::VARCHAR AS "window", '
            'NULL::VARCHAR AS outcome, NULL::DOUBLE AS "value", NULL::BIGINT AS line '
            "WHERE false"
        )
    columns = ", ".join(
        f"NULL::{_SQL_TYPE[r.kind]} AS {_ident(c)}" for c, r in tables.TABLES[table].columns.items()
    )
    return f"SELECT {columns} WHERE false"


def _account(connection: duckdb.DuckDBPyConnection, stage: _Stage) -> RowAccount:
    kind, file = stage.file.kind, stage.file.path.name
    of_file = f"FROM quarantine WHERE file = {_literal(file)} AND scope ="
    return RowAccount(
        file=file,
        rows_in=stage.rows_in,
        kept=_one(
            connection,
            f"SELECT count(*) FROM {stage.table} WHERE selected AND line NOT IN "
            f"(SELECT line FROM verdict_{kind})",
        ),
        quarantined=_one(connection, f"SELECT count(DISTINCT line) {of_file} 'row'"),
        not_selected=_one(connection, f"SELECT count(*) FROM {stage.table} WHERE NOT selected"),
        cells_quarantined=_one(connection, f"SELECT count(*) {of_file} 'cell'"),
        zeros_declared_missing=stage.zeros,
    )


def write_empty(destination: Path) -> None:
    """Write every processed table without a row, for a clinic that was refused."""
    import duckdb

    destination.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        for table, _ in CONTRACT.values():
            path = _literal(destination / f"{table}.parquet")
            connection.execute(f"COPY ({_empty_sql(table)}) TO {path} (FORMAT parquet)")
    tables.write_csv(tables.empty("quarantine"), destination / "quarantine.csv")
