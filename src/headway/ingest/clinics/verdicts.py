"""The verdict on every row: kept, or quarantined by a rule; and the day each patient started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.config.clinic import Clinic
from headway.ingest.cells import literal
from headway.ingest.clinics.casts import Cast, count_one
from headway.ingest.clinics.contract import CONTRACT

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
        f"blank, "
        f"{', '.join(f'v_{c}' for c in needed)}, {', '.join(f'q_{c}' for c in cast.columns)} "
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
        return  # two attacks on one day are two attacks
    _judge_copies(connection, cast, usable)


def without_verdict(connection: duckdb.DuckDBPyConnection, verdict: str) -> str:
    """Write SQL for a row without a verdict against it."""
    if not count_one(connection, f"SELECT count(*) FROM {verdict}"):
        return "true"
    return f"row NOT IN (SELECT row FROM {verdict})"


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
        cells = [c for c in own if c not in required and c != "window"]
        if not cells:
            continue
        for c in cells:
            connection.execute(
                f"INSERT INTO quarantine SELECT {literal(name)}, line, {literal(own[c])}, q_{c}, "
                f"'cell' FROM flagged_{cast.kind} WHERE file = {number} AND q_{c} IS NOT NULL "
                f"AND row NOT IN (SELECT row FROM verdict_{cast.kind})"
            )


def find_starts(
    connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast], clinic: Clinic
) -> None:
    """Find day 0 of each patient, into `starts`: patient_id, start (in the files' own days)."""
    declared = clinic.course.start
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
            f"WHERE {kept_rows(connection, casts['patients'])} AND v_start_day IS NOT NULL"
        )
    if "sessions" in casts:
        treated = "true"
        if "technique" in casts["sessions"].columns:
            treated = "v_technique IS NOT NULL"
        connection.execute(
            "INSERT INTO starts SELECT v_patient_id, "
            f"coalesce(min(v_day) FILTER (WHERE {treated}), min(v_day)) FROM cast_sessions "
            f"WHERE {kept_rows(connection, casts['sessions'])} "
            "AND v_patient_id NOT IN (SELECT patient_id FROM starts) GROUP BY v_patient_id"
        )
    # Without a known start, days are offsets already; dates count from the person's first one.
    dated = [c for c in casts.values() if c.dated and c.kind != "patients"]
    if dated:
        days = " UNION ALL ".join(
            f"SELECT v_patient_id, v_day FROM {c.relation} WHERE selected "
            f"AND {without_verdict(connection, f'verdict_{c.kind}')}"
            for c in dated
        )
        connection.execute(
            f"INSERT INTO starts SELECT v_patient_id, min(v_day) FROM ({days}) "
            "WHERE v_patient_id NOT IN (SELECT patient_id FROM starts) GROUP BY v_patient_id"
        )


def _everyone(casts: Mapping[str, Cast]) -> str:
    return " UNION ALL ".join(
        f"SELECT DISTINCT v_patient_id FROM {c.relation} WHERE v_patient_id IS NOT NULL"
        for c in casts.values()
    )


def judge_days(
    connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast], clinic: Clinic
) -> None:
    """Quarantine days after the declared end, and diary days while no diary was open."""
    end = clinic.course.end
    patients = casts.get("patients")
    span = {"diary_from", "diary_to"} & set(patients.columns if patients else ())
    if patients and span:
        low = "v_diary_from" if "diary_from" in span else "NULL"
        high = "v_diary_to" if "diary_to" in span else "NULL"
        connection.execute(
            f"CREATE TEMP TABLE spans AS SELECT v_patient_id AS patient_id, {low} AS low, "
            f"{high} AS high FROM cast_patients WHERE {kept_rows(connection, patients)}"
        )
    for kind, cast in casts.items():
        if kind not in ("sessions", "diary", "attacks", "questionnaires"):
            continue
        usable = f"(SELECT * FROM {cast.relation} WHERE {kept_rows(connection, cast)})"
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


def kept_rows(connection: duckdb.DuckDBPyConnection, cast: Cast) -> str:
    """Write SQL for a row that is used."""
    return f"selected AND {without_verdict(connection, f'verdict_{cast.kind}')}"
