"""Contracts of a clinic's records, one row a person, session or day: never released."""

from __future__ import annotations

from headway.tables.columns import SETTINGS, TECHNIQUES, Column, Table, flag, integer, number, text

WINDOWS = ("earlier", "baseline", "post")  # and followup_1, followup_2, ...

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
    return Column("text", description, nullable=True, pattern=ZONES)


PATIENTS = Table(
    row="patient",
    key=("patient_id",),
    level="row-level",
    columns={
        "patient_id": text("The clinic's random code"),
        "age": number("Age", "years", low=0, high=89),
        "age_band": text("Age band", nullable=True),
        "sex": text("female, male or other", allowed=("female", "male", "other"), nullable=True),
        "condition": text("ICHD-3 code or a name", nullable=True),
        "chronicity_years": number("Years with the condition", "years", low=0, high=89),
        "start_year": integer(
            "Calendar year of the first session", nullable=True, low=1900, high=2100
        ),
    },
)

SESSIONS = Table(
    row="session",
    level="row-level",
    columns={
        "patient_id": text("The clinic's random code"),
        "day": integer("Days since the patient's first session", "days"),
        "month": integer(
            "Month counted from one that the clinic keeps to itself (for charts over time)",
            nullable=True,
            low=0,
            high=1200,
        ),
        "therapist": text("Therapist, as a code", nullable=True),
        "technique": text("Technique", allowed=TECHNIQUES, nullable=True),
        "setting": text("Setting", allowed=SETTINGS, nullable=True),
        "minutes": number("Length", "minutes", low=0),
        "fee": number("Fee", "currency units", low=0),
        "trigger_points": Column(
            "text", "muscle:side, separated by ;", nullable=True, pattern=POINTS
        ),
        "referral_zone": Column(
            "text", "Zone per point, separated by ; (none = local)", nullable=True, pattern=ZONES
        ),
        "currency": text("Currency of the fee", nullable=True),
        "insured": integer("1 if insurance paid, 0 if not", nullable=True, low=0, high=1),
        "retention_minutes": number("How long a needle stayed (STRICTA 2010)", "minutes", low=0),
        "drug": text("Drug of a wet needling, with its dose", nullable=True),
        "soreness_days": number("Days of soreness afterwards", "days", low=0),
        "soreness_reported": text(
            "Whether soreness was asked for", allowed=REPORTED, nullable=True
        ),
        "lethargy_days": number("Days of lethargy afterwards", "days", low=0),
        "lethargy_reported": text(
            "Whether lethargy was asked for", allowed=REPORTED, nullable=True
        ),
        "compress_used": integer(
            "1 if a hot compress was used afterwards", nullable=True, low=0, high=1
        ),
        "adverse_event": text("Adverse event, as a code; none = none", nullable=True),
        "adverse_event_reported": text(
            "Whether adverse events were asked for", allowed=REPORTED, nullable=True
        ),
        "water_cups": number("Cups of water before the session", "cups", low=0),
        "homework_given": integer("1 if given", nullable=True, low=0, high=1),
        "homework_done": integer("1 if done", nullable=True, low=0, high=1),
        "home_tools": codes("Tools used at home, separated by ; (none = none)"),
        "sleeping_position": text("Usual sleeping position, as a code", nullable=True),
        "pain_sites": codes("Where it hurts, separated by ;"),
        "vertigo": number(
            "Vertigo, asked; 1 = yes and 0 = no where that was asked", "0-10", low=0, high=10
        ),
        "tinnitus": number("Tinnitus, asked as vertigo", "0-10", low=0, high=10),
        "digestion": number("Trouble with digestion, asked as vertigo", "0-10", low=0, high=10),
        "other_complaints": Column(
            "text", "complaint:rating 0-10, separated by ;", nullable=True, pattern=RATINGS
        ),
        "assessments": codes("Examined at the visit, separated by ;"),
        "range_of_motion_degrees": number(
            "Range of motion, one movement in all visits", "degrees", low=0, high=360
        ),
        "leg_length_difference_mm": number("Difference in leg length", "mm", low=0),
        "response_sought": text("Response sought (STRICTA 2010), as a code", nullable=True),
        "needle_diameter_mm": number("Diameter of the needle (STRICTA 2010)", "mm", low=0),
        "headache_days_28": number("Headache days in the last 28, asked", "days", low=0, high=28),
        "usual_intensity": number("Usual intensity, asked", "0-10", low=0, high=10),
        "usual_duration_hours": number("Usual duration, asked", "hours", low=0, high=24),
        "line": integer("Line in the raw file", low=1),
    },
)

DAYS = Table(
    row="patient x day of the diary",
    key=("patient_id", "day"),
    level="row-level",
    columns={
        "patient_id": text("The clinic's random code"),
        "day": integer("Days since the first session (0 belongs to treatment)", "days"),
        "headache": integer(
            "1 a headache day, 0 none, empty unknown", nullable=True, low=0, high=1
        ),
        "intensity": number("Worst intensity", "0-10", low=0, high=10),
        "duration_hours": number("Hours with headache", "hours", low=0, high=24),
        "attacks": number("Attacks", low=0),
        "acute_medication": number("Doses of acute medication", low=0),
    },
)

QUESTIONNAIRES = Table(
    row="patient x instrument x day",
    level="row-level",
    columns={
        "patient_id": text("The clinic's random code"),
        "day": integer("Days since the first session", "days"),
        "instrument": text("HIT-6, MIDAS, HDI, PGIC or another"),
        "score": number("Total score", nullable=False),
        "line": integer("Line in the raw file", low=1),
    },
)

WINDOWS_TABLE = Table(
    row="patient x window x outcome",
    key=("patient_id", "window", "outcome", "source"),
    level="row-level",
    columns={
        "patient_id": text("The clinic's random code"),
        "window": text("earlier, baseline, post, followup_k or all_before / all_after"),
        "source": text("Where it was recorded", allowed=("diary", "visit", "given")),
        "outcome": text("Outcome"),
        "value": number("Value on the outcome's scale (frequency: days per 28)"),
        "count": number("Headache days counted", "days"),
        "days_observed": number("Days with an entry", "days", low=0),
        "days_possible": number("Days in the window", "days", low=0),
        "complete": flag("Whether the completeness rule holds"),
    },
)

CHANGE = Table(
    row="patient x outcome x comparison",
    key=("patient_id", "outcome", "comparison"),
    level="row-level",
    columns={
        "patient_id": text("The clinic's random code"),
        "comparison": text("Identifier of the pair of windows and the rule"),
        "outcome": text("Outcome"),
        "pre": number("Value before"),
        "post": number("Value after"),
        "change": number("post - pre; negative is improvement"),
    },
)

QUARANTINE = Table(
    row="a row or cell that could not be used",
    level="row-level",
    columns={
        "file": text("Raw file"),
        "line": integer("Line (1 = header)", nullable=True, low=1),
        "column": text("Column, as the clinic names it", nullable=True),
        "rule": text("Rule it broke"),
        "scope": text("row (not used at all) or cell (set to missing)", allowed=("row", "cell")),
    },
)
