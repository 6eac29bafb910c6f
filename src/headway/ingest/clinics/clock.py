"""Day 0 of each patient, and which days of a diary were open: one clock for all files of a clinic.

A file counts days or holds shifted dates. Days are counted from the first session as they stand;
dates become days from the person's first dated session. Where nothing ties the two, the clinic is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.config.clinic import Clinic
from headway.errors import Problem
from headway.ingest.clinics.casts import Cast, count_one
from headway.ingest.clinics.lost import find_lost
from headway.ingest.clinics.verdicts import kept_rows
from headway.messages import Message

if TYPE_CHECKING:
    import duckdb

# Kinds of records that have a day.
_TIMED = ("sessions", "diary", "attacks", "questionnaires")
# The first day of the year 1000, from 2000-01-01: a year of two digits lies before it.
_YEAR_1000 = -365_242


def _find_ends(connection: duckdb.DuckDBPyConnection, cast: Cast) -> tuple[int, int] | None:
    """Find the first and last day of a kind, as its files count; None without a day."""
    if cast.ends is None:
        row: Any = connection.execute(
            f"SELECT min(v_day), max(v_day) FROM {cast.relation} "
            f"WHERE {kept_rows(connection, cast)}"
        ).fetchone()
        cast.ends = None if row[0] is None else (row[0], row[1])
    return cast.ends


def judge_plausible(
    connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast], clinic: Clinic
) -> None:
    """Quarantine days that lie impossibly far from the middle of a person's own records.

    A year of two digits or a slip of the pen would else move the start of a course, or a record,
    by years.
    """
    reach = clinic.course.plausible_years * 365.25
    timed = [c for kind, c in casts.items() if kind in _TIMED]
    for dated in (False, True):
        own = [c for c in timed if any(("day" in columns) == dated for columns in c.dated)]
        ends = [e for c in own if (e := _find_ends(connection, c)) is not None]
        if not ends or max(high for _, high in ends) - min(low for low, _ in ends) <= reach:
            continue
        days = " UNION ALL ".join(
            f"SELECT '{c.kind}' AS kind, file, row, v_patient_id, v_day FROM {c.relation} "
            f"WHERE {kept_rows(connection, c)} AND {c.is_dated('day')} = {dated}"
            for c in own
        )
        credible = f"v_day > {_YEAR_1000}" if dated else "true"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE implausible AS SELECT d.kind, d.row FROM ({days}) d "
            f"LEFT JOIN (SELECT v_patient_id, median(v_day) AS middle FROM ({days}) "
            f"WHERE {credible} GROUP BY ALL) m USING (v_patient_id) "
            f"WHERE NOT ({credible}) OR abs(v_day - m.middle) > {reach!r}"
        )
        for cast in timed:
            connection.execute(
                f"INSERT INTO verdict_{cast.kind} SELECT file, {cast.line}, row, "
                f"'implausible_day', 'day' FROM {cast.relation} WHERE row IN "
                f"(SELECT row FROM implausible WHERE kind = '{cast.kind}')"
            )


def check_clocks(casts: Mapping[str, Cast], clinic: Clinic) -> list[Problem]:
    """Refuse dates and days side by side where nothing says which date is day 0."""
    timed = [(c, i) for kind, c in casts.items() if kind in _TIMED for i in range(len(c.stages))]
    dated = [(c, i) for c, i in timed if "day" in c.dated[i]]
    if not dated:
        return []
    patients, sessions = casts.get("patients"), casts.get("sessions")
    first_visits = {"day" in columns for columns in (sessions.dated if sessions else ())}
    tied = first_visits == {True} or (
        patients is not None and all("start_day" in columns for columns in patients.dated)
    )
    counted = [(c, i) for c, i in timed if "day" not in c.dated[i]]
    others = [c.stages[i].source.name for c, i in counted]
    if clinic.course.start is not None:
        others.append("clinic.yaml")
    elif patients is not None and any(
        {"diary_from", "diary_to", "start_day"} & set(own) - columns
        for own, columns in zip(patients.own, patients.dated, strict=True)
    ):
        others.append(patients.stages[0].source.name)
    if (tied and clinic.course.start is None) or not others:
        return []
    return [
        Problem(
            cast.stages[i].source.name,
            "two_clocks",
            Message("problem.two_clocks", files=list(dict.fromkeys(others))),
            column=cast.own[i]["day"],
            remedy="remedy.two_clocks",
        )
        for cast, i in dated
    ]


def find_starts(
    connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast], clinic: Clinic
) -> None:
    """Find day 0 of each patient, into `starts`: patient_id, dated, start.

    `start` is counted as the files count: from 2000-01-01 where `dated`, else in their own days.
    """
    declared = clinic.course.start
    connection.execute("CREATE TEMP TABLE starts (patient_id VARCHAR, dated BOOLEAN, start BIGINT)")
    if declared == 0:
        return  # days are offsets already; a person without a start counts from 0
    if declared is not None:
        connection.execute(
            "INSERT INTO starts SELECT DISTINCT v_patient_id, false, "
            f"CAST({int(declared)} AS BIGINT) FROM ({_everyone(casts)})"
        )
        return
    patients, sessions = casts.get("patients"), casts.get("sessions")
    if patients and "start_day" in patients.columns:
        connection.execute(
            f"INSERT INTO starts SELECT v_patient_id, {patients.is_dated('start_day')}, "
            f"v_start_day FROM cast_patients "
            f"WHERE {kept_rows(connection, patients)} AND v_start_day IS NOT NULL"
        )
    if sessions:
        treated = "true"
        if "technique" in sessions.columns:
            # A technique that cannot be read is a treatment all the same.
            treated = "v_technique IS NOT NULL OR q_technique IS NOT NULL"
        dated = sessions.is_dated("day")
        connection.execute(
            f"INSERT INTO starts SELECT v_patient_id, {dated}, "
            f"coalesce(min(v_day) FILTER (WHERE {treated}), min(v_day)) FROM cast_sessions "
            f"WHERE {kept_rows(connection, sessions)} AND (v_patient_id, {dated}) NOT IN "
            "(SELECT (patient_id, dated) FROM starts) GROUP BY ALL"
        )
    # Without any known start, days are offsets already; dates count from the person's first one.
    others = [c for c in casts.values() if c.kind in _TIMED and any("day" in d for d in c.dated)]
    if others and not count_one(connection, "SELECT count(*) FROM starts WHERE dated"):
        days = " UNION ALL ".join(
            f"SELECT v_patient_id, v_day FROM {c.relation} WHERE {kept_rows(connection, c)} "
            f"AND {c.is_dated('day')}"
            for c in others
        )
        connection.execute(
            f"INSERT INTO starts SELECT v_patient_id, true, min(v_day) FROM ({days}) GROUP BY ALL"
        )


def judge_starts(connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast]) -> None:
    """Quarantine records whose day 0 is not known.

    Dates of people without a start, and the diaries of people whose first session may be a row
    that was set aside.
    """
    sessions = casts.get("sessions")
    doubtful = "SELECT NULL::VARCHAR AS patient_id WHERE false"
    if sessions:
        lost = find_lost(connection, sessions)
        patients = casts.get("patients")
        told = patients is not None and "start_day" in patients.columns
        if not told:
            doubtful = (
                f"SELECT l.patient_id FROM {lost} l JOIN starts s USING (patient_id) "
                "WHERE l.day IS NULL AND (s.dated OR s.start <> 0)"
            )
    if not count_one(connection, "SELECT count(*) FROM starts"):
        return
    for kind in ("diary", "attacks", "questionnaires"):
        cast = casts.get(kind)
        if cast is None:
            continue
        usable = f"(SELECT * FROM {cast.relation} WHERE {kept_rows(connection, cast)})"
        without = (
            f"{cast.is_dated('day')} AND v_patient_id NOT IN "
            "(SELECT patient_id FROM starts WHERE dated)"
        )
        connection.execute(
            f"INSERT INTO verdict_{kind} SELECT file, {cast.line}, row, "
            f"CASE WHEN {without} THEN 'no_start' ELSE 'start_unknown' END, 'day' FROM {usable} "
            f"WHERE {without} OR v_patient_id IN ({doubtful})"
        )


def _everyone(casts: Mapping[str, Cast]) -> str:
    return " UNION ALL ".join(
        f"SELECT DISTINCT v_patient_id FROM {c.relation} WHERE v_patient_id IS NOT NULL"
        for c in casts.values()
    )


def day_sql(
    connection: duckdb.DuckDBPyConnection, cast: Cast, column: str = "day"
) -> tuple[str, str]:
    """Write SQL for a day counted from the person's start, and the join it needs."""
    if not count_one(connection, "SELECT count(*) FROM starts WHERE start <> 0"):
        return f"v_{column}", ""
    return (
        f"(v_{column} - coalesce(s_{column}.start, 0))",
        f" LEFT JOIN starts s_{column} ON v_patient_id = s_{column}.patient_id "
        f"AND s_{column}.dated = {cast.is_dated(column)}",
    )


def find_spans(connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast]) -> bool:
    """Find the days on which a diary was open, into `spans`: patient_id, low, high, from day 0."""
    patients = casts.get("patients")
    span = [c for c in ("diary_from", "diary_to") if patients and c in patients.columns]
    if patients is None or not span:
        return False
    days = {c: day_sql(connection, patients, c) for c in span}
    low, high = (days.get(c, ("NULL", ""))[0] for c in ("diary_from", "diary_to"))
    joins = "".join(join for _, join in days.values())
    connection.execute(
        f"CREATE TEMP TABLE spans AS SELECT v_patient_id AS patient_id, {low} AS low, "
        f"{high} AS high FROM cast_patients{joins} WHERE {kept_rows(connection, patients)}"
    )
    return True


def judge_days(
    connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast], clinic: Clinic
) -> None:
    """Quarantine impossible days, days after the declared end, and those of no open diary."""
    end, span = clinic.course.end, find_spans(connection, casts)
    reach = clinic.course.plausible_years * 365.25
    # A person without a start counts from 0.
    row: Any = connection.execute(
        "SELECT least(min(start), 0), greatest(max(start), 0) FROM starts"
    ).fetchone()
    earliest, latest = row[0] or 0, row[1] or 0
    for kind, cast in casts.items():
        if kind not in _TIMED:
            continue
        day, join = day_sql(connection, cast)
        usable = f"(SELECT * FROM {cast.relation} WHERE {kept_rows(connection, cast)})"
        # Where all records of a person lie there, none of them is the middle to measure from.
        low, high = _find_ends(connection, cast) or (0, 0)
        if max(high - earliest, latest - low) > reach:
            connection.execute(
                f"INSERT INTO verdict_{kind} SELECT file, {cast.line}, row, 'implausible_day', "
                f"'day' FROM {usable}{join} WHERE abs({day}) > {reach!r}"
            )
            usable = f"(SELECT * FROM {cast.relation} WHERE {kept_rows(connection, cast)})"
        if end is not None:
            connection.execute(
                f"INSERT INTO verdict_{kind} SELECT file, {cast.line}, row, 'after_end', 'day' "
                f"FROM {usable}{join} WHERE {day} > {int(end)}"
            )
        if kind in ("diary", "attacks") and span:
            connection.execute(
                f"INSERT INTO verdict_{kind} SELECT file, {cast.line}, row, "
                f"'diary_not_open', 'day' FROM {usable}{join} "
                "JOIN spans ON v_patient_id = spans.patient_id "
                f"WHERE {day} < low OR {day} > high"
            )


def open_days_sql(connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast]) -> str | None:
    """SELECT that yields the days on which the diary was open; None where nothing says so."""
    if "diary" in casts:
        diary = casts["diary"]
        day, join = day_sql(connection, diary)
        closed = " AND v_diary_complete = 1" if "diary_complete" in diary.columns else ""
        return (
            f"SELECT DISTINCT v_patient_id AS patient_id, CAST({day} AS BIGINT) AS day "
            f"FROM {diary.relation}{join} WHERE {kept_rows(connection, diary)}{closed}"
        )
    patients = casts.get("patients")
    if patients and {"diary_from", "diary_to"} <= set(patients.columns):
        return (
            "SELECT patient_id, unnest(range(CAST(low AS BIGINT), CAST(high AS BIGINT) + 1)) "
            "AS day FROM spans WHERE low IS NOT NULL AND high IS NOT NULL"
        )
    return None


def judge_open_days(connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast]) -> None:
    """Quarantine attacks on days of which the diary beside them says nothing."""
    attacks, opened = casts.get("attacks"), open_days_sql(connection, casts)
    if attacks is None or opened is None or "diary" not in casts:
        return
    day, join = day_sql(connection, attacks)
    connection.execute(
        f"INSERT INTO verdict_attacks SELECT file, {attacks.line}, row, 'diary_not_open', 'day' "
        f"FROM (SELECT * FROM {attacks.relation} WHERE {kept_rows(connection, attacks)}){join} "
        f"WHERE (v_patient_id, CAST({day} AS BIGINT)) NOT IN "
        f"(SELECT (patient_id, day) FROM ({opened}))"
    )
