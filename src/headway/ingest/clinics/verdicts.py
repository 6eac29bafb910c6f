"""The verdict on every row: kept, or quarantined by a rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headway.errors import Problem
from headway.ingest.cells import cell_text, code_key, literal, own_column
from headway.ingest.clinics.casts import Cast, count_one
from headway.ingest.clinics.contract import CONTRACT
from headway.messages import Message

if TYPE_CHECKING:
    import duckdb


# A repeated key is a contradiction in these tables; elsewhere only a repeated row is one.
_KEYS: dict[str, tuple[str, ...]] = {
    "patients": ("patient_id",),
    "diary": ("patient_id", "day"),
    "questionnaires": ("patient_id", "day", "instrument"),
    "windows": ("patient_id", "window"),
}
# Days that are told apart by the bits of one whole number.
_BITS = 126


def judge_rows(connection: duckdb.DuckDBPyConnection, cast: Cast, known: str | None) -> None:
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
        f"blank, {', '.join(f'v_{c}' for c in needed)}, "
        f"{', '.join(f'q_{c}' for c in cast.columns)} "
        f"FROM {relation} WHERE selected AND ({' OR '.join(wrong)})"
    )
    connection.execute(
        f"INSERT INTO {verdict} SELECT file, line, row, CASE {rule} END, CASE {name} END "
        f"FROM flagged_{kind} WHERE {' OR '.join(w for w, _, _ in cases)}"
    )
    usable = f"{relation} WHERE selected AND {without_verdict(connection, verdict)}"
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
        _judge_repeated_attacks(connection, cast, usable)
    else:
        _judge_copies(connection, cast, usable)


def without_verdict(connection: duckdb.DuckDBPyConnection, verdict: str) -> str:
    """Write SQL for a row without a verdict against it."""
    if not count_one(connection, f"SELECT count(*) FROM {verdict}"):
        return "true"
    return f"row NOT IN (SELECT row FROM {verdict})"


def _judge_repeated_attacks(connection: duckdb.DuckDBPyConnection, cast: Cast, usable: str) -> None:
    """Quarantine an attack that stands twice: same person, day, start and length.

    Without a time of day two rows of one file that are alike are two attacks, and only those that
    another file repeats are one.
    """
    timed = [f"v_{c}" for c in ("patient_id", "day", "start_hour", "duration_hours")]
    parts = []
    if "start_hour" in cast.columns:
        by = [c for c in timed if c.removeprefix("v_") in cast.columns]
        parts.append(("v_start_hour IS NOT NULL", "1", by))
    untimed = "v_start_hour IS NULL" if "start_hour" in cast.columns else "true"
    values = [f"v_{c}" for c in cast.columns]
    parts.append((untimed, f"row_number() OVER (PARTITION BY file, {', '.join(values)})", values))
    for where, turn, by in parts:
        connection.execute(
            f"INSERT INTO verdict_attacks SELECT file, line, row, 'duplicate_row', NULL FROM ("
            f"SELECT *, row_number() OVER (PARTITION BY turn, {', '.join(by)} ORDER BY file, line) "
            f"AS copy FROM (SELECT *, {cast.line} AS line, {turn} AS turn "
            f"FROM (SELECT * FROM {usable}) WHERE {where})) WHERE copy > 1"
        )


def _judge_copies(connection: duckdb.DuckDBPyConnection, cast: Cast, usable: str) -> None:
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
        cast.ends = (low, high)
        bit = f"v_day - {low}" if high - low < _BITS else f"(v_day - {low}) % {_BITS}"
        block = "0" if high - low < _BITS else f"(v_day - {low}) // {_BITS}"
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE twice AS SELECT DISTINCT v_patient_id FROM ("
            f"SELECT v_patient_id, {block} AS block, count(*) AS n, "
            f"bit_count(bit_or(1::HUGEINT << ({bit})::HUGEINT)) AS different FROM {usable} "
            "GROUP BY ALL HAVING different < n)"
        )
        if not count_one(connection, "SELECT count(*) FROM twice"):
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


def write_quarantine(connection: duckdb.DuckDBPyConnection, cast: Cast) -> None:
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
        for c in (c for c in own if c not in required and c != "window"):
            connection.execute(
                f"INSERT INTO quarantine SELECT {literal(name)}, line, {literal(own[c])}, q_{c}, "
                f"'cell' FROM flagged_{cast.kind} WHERE file = {number} AND q_{c} IS NOT NULL "
                f"AND row NOT IN (SELECT row FROM verdict_{cast.kind})"
            )


def check_codes(connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast]) -> list[Problem]:
    """Refuse patient codes that differ only as a spreadsheet makes them differ: 007 and 7."""
    parts = []
    for cast in casts.values():
        for staged in cast.stages:
            entry = staged.source.spec.columns.get("patient_id")
            if entry is None:
                continue
            own = own_column(entry)
            for part in staged.parts:
                cell = staged.cell(own, part)
                known = part.texts.get(own)
                text, relation = ("v", known) if known else (cell.text, part.relation)
                once = "" if known else "DISTINCT "  # a table of texts holds each once
                parts.append(
                    f"SELECT {once}{literal(staged.source.name)} AS file, "
                    f"{cell_text(replace(cell, text=text), ())} AS code FROM {relation}"
                )
    if not parts:
        return []
    told: Any = connection.execute(
        f"SELECT bool_and(code = {code_key('code')}) FROM ({' UNION ALL '.join(parts)})"
    ).fetchone()
    if told[0] is not False:
        return []  # every code is written as its key: none has two spellings
    found = connection.execute(
        f"SELECT count(DISTINCT key), list(DISTINCT file ORDER BY file) FROM ("
        f"SELECT file, {code_key('code')} AS key, count(DISTINCT code) OVER (PARTITION BY "
        f"{code_key('code')}) AS spellings FROM ({' UNION ALL '.join(parts)}) "
        "WHERE code IS NOT NULL) WHERE spellings > 1"
    ).fetchone()
    if found is None or not found[0]:
        return []
    return [
        Problem(
            ", ".join(found[1]),
            "patient_code_spelling",
            Message("problem.patient_code_spelling", n=found[0]),
            count=found[0],
            remedy="remedy.patient_code_spelling",
        )
    ]


def kept_rows(connection: duckdb.DuckDBPyConnection, cast: Cast) -> str:
    """Write SQL for a row that is used."""
    return f"selected AND {without_verdict(connection, f'verdict_{cast.kind}')}"
