"""Contracts of a clinic's records, one row a person, session or day: never released."""

from __future__ import annotations

from functools import partial

from headway.tables.columns import (
    ROW_LEVEL,
    SETTINGS,
    TECHNIQUES,
    Column,
    Table,
    flag,
    integer,
    number,
    text,
)
from headway.tables.currencies import CURRENCIES

code = partial(text, disclosure=ROW_LEVEL)
value = partial(number, disclosure=ROW_LEVEL)
whole = partial(integer, disclosure=ROW_LEVEL)
yes_no = partial(flag, disclosure=ROW_LEVEL)

REPORTED = ("asked", "volunteered")

# Lists of short codes: long enough to look like free text, which the gate refuses, so their
# shape is checked instead.
ZONES = r"^[a-zA-Z][a-zA-Z_ -]{0,29}(;[a-zA-Z][a-zA-Z_ -]{0,29})*$"

POINTS = (
    r"^[a-zA-Z][a-zA-Z_ -]{0,29}(:(left|right|both|mid))?"
    r"(;[a-zA-Z][a-zA-Z_ -]{0,29}(:(left|right|both|mid))?)*$"
)

RATINGS = (
    r"^[a-zA-Z][a-zA-Z_ -]{0,29}:(10|[0-9](\.[0-9]+)?)"
    r"(;[a-zA-Z][a-zA-Z_ -]{0,29}:(10|[0-9](\.[0-9]+)?))*$"
)


def codes(description: str) -> Column:
    """Declare a column of lists of short codes."""
    return Column("text", description, ROW_LEVEL, nullable=True, pattern=ZONES)


PATIENTS = Table(
    row="patient",
    key=("patient_id",),
    level="row-level",
    columns={
        "patient_id": code("The clinic's random code"),
        "age": value("Age", "years", low=0, high=89),
        "age_band": code("Age band", nullable=True),
        "sex": code("female, male or other", allowed=("female", "male", "other"), nullable=True),
        "condition": code("ICHD-3 code or a name", nullable=True),
        "chronicity_years": value("Years with the condition", "years", low=0, high=89),
        "start_year": whole(
            "Calendar year of the first session", nullable=True, low=1900, high=2100
        ),
        "new_preventive": whole(
            "1 if a new preventive drug was started during the course, 0 if asked and not",
            nullable=True,
            low=0,
            high=1,
        ),
    },
)

SESSIONS = Table(
    row="session",
    level="row-level",
    columns={
        "patient_id": code("The clinic's random code"),
        "day": whole("Days since the patient's first session", "days"),
        "month": whole(
            "Month counted from one that the clinic keeps to itself (for charts over time)",
            nullable=True,
            low=0,
            high=1200,
        ),
        "therapist": code("Therapist, as a code", nullable=True),
        "technique": code("Technique", allowed=TECHNIQUES, nullable=True),
        "setting": code("Setting", allowed=SETTINGS, nullable=True),
        "minutes": value("Length", "minutes", low=0),
        "fee": value("Fee", low=0),
        "trigger_points": Column(
            "text", "muscle:side, separated by ;", ROW_LEVEL, nullable=True, pattern=POINTS
        ),
        "referral_zone": Column(
            "text",
            "Zone per point, separated by ; (none = local)",
            ROW_LEVEL,
            nullable=True,
            pattern=ZONES,
        ),
        "currency": code("Currency of the fee, ISO 4217", allowed=CURRENCIES, nullable=True),
        "insured": whole("1 if insurance paid, 0 if not", nullable=True, low=0, high=1),
        "retention_minutes": value("How long a needle stayed (STRICTA 2010)", "minutes", low=0),
        "drug": code("Drug of a wet needling, with its dose", nullable=True),
        "soreness_days": value("Days of soreness afterwards", "days", low=0),
        "soreness_reported": code(
            "Whether soreness was asked for", allowed=REPORTED, nullable=True
        ),
        "lethargy_days": value("Days of lethargy afterwards", "days", low=0),
        "lethargy_reported": code(
            "Whether lethargy was asked for", allowed=REPORTED, nullable=True
        ),
        "compress_used": whole(
            "1 if a hot compress was used afterwards", nullable=True, low=0, high=1
        ),
        "adverse_event": code("Adverse event, as a code; none = none", nullable=True),
        "adverse_event_reported": code(
            "Whether adverse events were asked for", allowed=REPORTED, nullable=True
        ),
        "water_cups": value("Cups of water before the session", "cups", low=0),
        "homework_given": whole("1 if given", nullable=True, low=0, high=1),
        "homework_done": whole("1 if done", nullable=True, low=0, high=1),
        "home_tools": codes("Tools used at home, separated by ; (none = none)"),
        "sleeping_position": code("Usual sleeping position, as a code", nullable=True),
        "pain_sites": codes("Where it hurts, separated by ;"),
        "vertigo": value(
            "Vertigo, asked; 1 = yes and 0 = no where that was asked", "nrs_0_10", low=0, high=10
        ),
        "tinnitus": value("Tinnitus, asked as vertigo", "nrs_0_10", low=0, high=10),
        "digestion": value("Trouble with digestion, asked as vertigo", "nrs_0_10", low=0, high=10),
        "other_complaints": Column(
            "text",
            "complaint:rating 0-10, separated by ;",
            ROW_LEVEL,
            nullable=True,
            pattern=RATINGS,
        ),
        "assessments": codes("Examined at the visit, separated by ;"),
        "range_of_motion_degrees": value(
            "Range of motion, one movement in all visits", "degrees", low=0, high=360
        ),
        "leg_length_difference_mm": value("Difference in leg length", "millimetres", low=0),
        "response_sought": code("Response sought (STRICTA 2010), as a code", nullable=True),
        "needle_diameter_mm": value("Diameter of the needle (STRICTA 2010)", "millimetres", low=0),
        "headache_days_28": value("Headache days in the last 28, asked", "days", low=0, high=28),
        "usual_intensity": value("Usual intensity, asked", "nrs_0_10", low=0, high=10),
        "usual_duration_hours": value("Usual duration, asked", "hours", low=0, high=24),
        "new_preventive": whole(
            "1 if a new preventive drug was started since the visit before, 0 if asked and not",
            nullable=True,
            low=0,
            high=1,
        ),
        "line": whole("Line in the raw file", low=1),
    },
)

DAYS = Table(
    row="patient x day of the diary",
    key=("patient_id", "day"),
    level="row-level",
    columns={
        "patient_id": code("The clinic's random code"),
        "day": whole("Days since the first session (0 belongs to treatment)", "days"),
        "headache": whole("1 a headache day, 0 none, empty unknown", nullable=True, low=0, high=1),
        "intensity": value("Worst intensity", "nrs_0_10", low=0, high=10),
        "duration_hours": value("Hours with headache", "hours", low=0, high=24),
        "attacks": value("Attacks", low=0),
        "acute_medication": value("Doses of acute medication", low=0),
    },
)

DAYS_AMENDED = Table(
    row="row that stands in place of one of `days` or beside them, of a diary of many rows",
    level="row-level",
    columns={
        "replaced": whole(
            "Row of `days.parquet`, from 0; empty for one more", nullable=True, low=0
        ),
        "patient_id": code("As in `days`; empty where nothing stands there", nullable=True),
        "day": whole("As in `days`", "days", nullable=True),
        **{
            column: rule
            for column, rule in DAYS.columns.items()
            if column not in ("patient_id", "day")
        },
    },
)

QUESTIONNAIRES = Table(
    row="patient x instrument x day",
    level="row-level",
    columns={
        "patient_id": code("The clinic's random code"),
        "day": whole("Days since the first session", "days"),
        "instrument": code("HIT-6, MIDAS, HDI, PGIC or another"),
        "score": value("Total score", nullable=False),
        "line": whole("Line in the raw file", low=1),
    },
)

WINDOWS_TABLE = Table(
    row="patient x window x outcome",
    key=("patient_id", "window", "outcome", "source"),
    level="row-level",
    columns={
        "patient_id": code("The clinic's random code"),
        "window": code("earlier, baseline, post, followup_k or all_before / all_after"),
        "source": code("Where it was recorded", allowed=("diary", "visit", "given")),
        "outcome": code("Outcome"),
        "value": value("Value on the outcome's scale (frequency: days per 28)"),
        "count": value("Headache days counted", "days"),
        "days_observed": value("Days with an entry", "days", low=0),
        "days_possible": value("Days in the window", "days", low=0),
        "complete": yes_no("Whether the completeness rule holds"),
    },
)

CHANGE = Table(
    row="patient x outcome x comparison",
    key=("patient_id", "outcome", "comparison"),
    level="row-level",
    columns={
        "patient_id": code("The clinic's random code"),
        "comparison": code("Identifier of the pair of windows and the rule"),
        "outcome": code("Outcome"),
        "pre": value("Value before"),
        "post": value("Value after"),
        "change": value("post - pre; negative is improvement"),
    },
)

FOLLOW_UP = Table(
    row="a person whom the clinic may want to look at; under `internal` alone",
    key=("patient_id",),
    level="row-level",
    columns={
        "patient_id": code("The clinic's random code"),
        "reason": code("Why", allowed=("got_worse", "due", "stopped_recording", "due_or_stopped")),
        "outcome": code("The primary outcome"),
        "pre": value("Value before"),
        "post": value("Value after"),
        "last_day": whole("Last day with a visit or an entry", "days", nullable=True),
        "window_from": value("First day of the window after", "days"),
        "window_to": value("Last day of the window after", "days"),
    },
)

QUARANTINE = Table(
    row="a row or cell that could not be used",
    level="row-level",
    columns={
        "file": code("Raw file"),
        "line": whole("Line (1 = header)", nullable=True, low=1),
        "column": code("Column, as the clinic names it", nullable=True),
        "rule": code("Rule it broke"),
        "scope": code("row (not used at all) or cell (set to missing)", allowed=("row", "cell")),
    },
)
