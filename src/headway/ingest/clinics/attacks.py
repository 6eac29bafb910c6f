"""A log of attacks -> diary days: headache, free of headache, or unknown.

An attack that crosses midnight counts on each day with its own hours; its medication counts on the
day it starts, and attacks that overlap count their common hours once. A day on which the diary was
open and that no attack touches is free of headache, unless an attack may have touched it: one whose
length or start cannot be read, or one whose row was set aside. Such a day is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from headway.config.clinic import Clinic
from headway.ingest.cells import literal
from headway.ingest.clinics.casts import Cast
from headway.ingest.clinics.clock import day_sql, open_days_sql
from headway.ingest.clinics.lost import find_lost
from headway.ingest.clinics.verdicts import kept_rows

if TYPE_CHECKING:
    import duckdb

# Migraine lasts up to 72 hours, tension-type headache up to 7 days (ICHD-3, 1.1 and 2.2).
_LONGEST_H, _LONGEST_TENSION_H = 72.0, 168.0
_TENSION = r"(?i)^2(\.|$)|tension|tensional|spannung"


def attacks_sql(
    connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast], clinic: Clinic
) -> str:
    """SELECT that yields the table `days` from a log of attacks, by person and day.

    Without a mark of open days there are no free days, and no frequency.
    """
    attacks = _attacks_sql(connection, casts, clinic)
    headache = _headache_sql(attacks)
    opened = open_days_sql(connection, casts)
    if opened is None:
        return f"SELECT * FROM ({headache}) ORDER BY patient_id, day"
    doubt = f"({_possible_sql(attacks)}) UNION ALL ({_lost_sql(connection, casts, clinic)})"
    return (
        f"WITH doubt AS MATERIALIZED ({doubt}), "
        "doubted AS (SELECT DISTINCT patient_id, unnest(range(low, high + 1)) AS day, "
        "true AS doubt FROM doubt WHERE low IS NOT NULL), "
        "whole AS (SELECT DISTINCT patient_id, true AS doubt FROM doubt WHERE low IS NULL) "
        "SELECT patient_id, day, CASE WHEN headache = 1 THEN 1 WHEN doubtful IS NULL THEN 0 END "
        "AS headache, intensity, CASE WHEN doubtful IS NULL THEN duration_hours END "
        "AS duration_hours, attacks, acute_medication FROM ("
        "SELECT o.patient_id, o.day, coalesce(doubted.doubt, whole.doubt) AS doubtful, h.headache, "
        f"h.intensity, h.duration_hours, h.attacks, h.acute_medication FROM ({opened}) o "
        f"LEFT JOIN ({headache}) h USING (patient_id, day) "
        "LEFT JOIN doubted USING (patient_id, day) LEFT JOIN whole USING (patient_id)) "
        "ORDER BY patient_id, day"
    )


def _longest_sql(casts: Mapping[str, Cast], clinic: Clinic) -> tuple[str, str]:
    """Write SQL for how long an attack of unknown length may have lasted, and the join it needs."""
    declared = clinic.attacks.unknown_length_h
    if declared is not None:
        return repr(float(declared)), ""
    patients = casts.get("patients")
    own, join = "NULL", ""
    if patients and "condition" in patients.columns:
        own = "p.condition"
        join = (
            " LEFT JOIN (SELECT v_patient_id, any_value(v_condition) AS condition "
            "FROM cast_patients GROUP BY ALL) p USING (v_patient_id)"
        )
    condition = f"coalesce({own}, {literal(clinic.condition)})"
    tension = f"regexp_matches({condition}, '{_TENSION}')"
    return f"(CASE WHEN {tension} THEN {_LONGEST_TENSION_H} ELSE {_LONGEST_H} END)", join


def _last_sql(start: str, hours: str) -> str:
    """Write SQL for how many days after its first an attack reaches."""
    return f"greatest(0, CAST(ceil(({start} + {hours}) / 24) AS BIGINT) - 1)"


def _attacks_sql(
    connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast], clinic: Clinic
) -> str:
    """SELECT that yields an attack a row: its first day, the last it reached and may have reached.

    Without a time of day an attack of up to 24 hours is taken to lie in the day it started.
    """
    cast = casts["attacks"]
    day, join = day_sql(connection, cast)
    columns = cast.columns

    def own(column: str, otherwise: str = "CAST(NULL AS DOUBLE)") -> str:
        return f"v_{column}" if column in columns else otherwise

    longest, of_patient = _longest_sql(casts, clinic)
    start, hours = own("start_hour"), own("duration_hours")
    unread = "q_start_hour IS NOT NULL" if "start_hour" in columns else "false"
    may_reach = (
        f"CASE WHEN {hours} IS NULL AND {longest} > 24 "
        f"THEN {_last_sql(f'coalesce({start}, 24)', longest)} "
        f"WHEN {hours} IS NOT NULL AND {unread} THEN {_last_sql('24', hours)} ELSE 0 END"
    )
    return (
        f"SELECT v_patient_id AS patient_id, CAST({day} AS BIGINT) AS first_day, "
        f"{start} AS start, {hours} AS hours, {own('intensity')} AS intensity, "
        f"{own('acute_medication')} AS pills, "
        f"{_last_sql(f'coalesce({start}, 0)', f'coalesce({hours}, 0)')} AS reached, "
        f"{may_reach} AS may_reach FROM {cast.relation}{join}{of_patient} "
        f"WHERE {kept_rows(connection, cast)}"
    )


def _headache_sql(attacks: str) -> str:
    """SELECT that yields the days that an attack touched."""
    # Attacks as spans of hours from day 0; those that overlap are joined where their time is known.
    timed = (
        "SELECT patient_id, first_day * 24 + start AS low, first_day * 24 + start + hours AS high "
        f"FROM ({attacks}) WHERE start IS NOT NULL AND hours IS NOT NULL"
    )
    before = "PARTITION BY patient_id ORDER BY low, high ROWS BETWEEN UNBOUNDED PRECEDING AND"
    spans = (
        "SELECT patient_id, min(low) AS low, max(high) AS high FROM ("
        f"SELECT *, sum(starts) OVER ({before} CURRENT ROW) AS span FROM (SELECT *, CASE WHEN "
        f"low <= max(high) OVER ({before} 1 PRECEDING) THEN 0 ELSE 1 END AS starts "
        f"FROM ({timed}))) GROUP BY patient_id, span"
    )
    untimed = (
        "SELECT patient_id, first_day * 24 AS low, first_day * 24 + hours AS high "
        f"FROM ({attacks}) WHERE start IS NULL AND hours IS NOT NULL"
    )
    hours = (
        "SELECT patient_id, day, least(sum(least(high, day * 24 + 24) - greatest(low, day * 24)), "
        "24.0) AS hours FROM (SELECT *, unnest(range(CAST(floor(low / 24) AS BIGINT), "
        "greatest(CAST(floor(low / 24) AS BIGINT) + 1, CAST(ceil(high / 24) AS BIGINT)))) AS day "
        f"FROM ({spans} UNION ALL {untimed})) GROUP BY patient_id, day"
    )
    touched = (
        "SELECT patient_id, first_day + k AS day, intensity, hours IS NULL AS unmeasured, "
        "CASE WHEN k = 0 THEN 1 ELSE 0 END AS attacks, "
        "CASE WHEN k = 0 OR pills IS NULL THEN pills ELSE 0 END AS pills "
        f"FROM (SELECT *, unnest(range(0, reached + 1)) AS k FROM ({attacks}))"
    )
    return (
        "SELECT patient_id, day, 1 AS headache, max(intensity) AS intensity, "
        "CASE WHEN NOT bool_or(unmeasured) THEN any_value(h.hours) END AS duration_hours, "
        "CAST(sum(attacks) AS DOUBLE) AS attacks, "
        "CASE WHEN sum(pills) > 0 OR count(pills) = count(*) THEN sum(pills) END "
        f"AS acute_medication FROM ({touched}) LEFT JOIN ({hours}) h USING (patient_id, day) "
        "GROUP BY patient_id, day"
    )


def _possible_sql(attacks: str) -> str:
    """SELECT that yields the days that an attack may have touched: patient_id, low, high."""
    return (
        "SELECT patient_id, first_day + reached + 1 AS low, first_day + may_reach AS high "
        f"FROM ({attacks}) WHERE may_reach > reached"
    )


def _lost_sql(
    connection: duckdb.DuckDBPyConnection, casts: Mapping[str, Cast], clinic: Clinic
) -> str:
    """SELECT that yields the days that a row set aside may be about: patient_id, low, high.

    All days where the row does not say which; everyone's where it does not say whose.
    """
    cast = casts["attacks"]
    lost = find_lost(connection, cast)
    longest, of_patient = _longest_sql(casts, clinic)
    whose = (
        "SELECT l.file, l.day AS v_day, l.patient_id AS patient_id, "
        "coalesce(l.patient_id, everyone.patient_id) AS v_patient_id "
        f"FROM {lost} l LEFT JOIN (SELECT DISTINCT patient_id FROM "
        f"({open_days_sql(connection, casts)})) everyone ON l.patient_id IS NULL"
    )
    day, join = day_sql(connection, cast)
    reach = f"CASE WHEN {longest} > 24 THEN {_last_sql('24', longest)} ELSE 0 END"
    return (
        f"SELECT v_patient_id AS patient_id, CAST({day} AS BIGINT) AS low, "
        f"CAST({day} AS BIGINT) + {reach} AS high FROM ({whose}){join}{of_patient}"
    )
