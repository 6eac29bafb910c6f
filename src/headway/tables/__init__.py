"""The contract of every table that the pipeline writes: columns, types, units, allowed values.

`TABLES` is the data dictionary (docs/tables.md is written from it); `validate` holds a DataFrame
against it with pandera and reports every broken rule at once, without cell values.

Vocabulary
----------
positive_means : what a positive number says, as the source prints it. For a change within one
    arm `worse` (post - pre) or `better` (a decrease); for a contrast `treatment_minus_control`
    or `control_minus_treatment`; `unstated` where the source does not say (shown, never pooled).
status : `retrieved` (read in the text), `computed` (from a retrieved file), `recalled`
    (unverified: shown, never pooled by default).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from headway.errors import ContractError, Problem

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["text", "int", "float", "bool"]

TECHNIQUES = ("manual", "dry_needling", "wet_needling", "acupuncture", "self_care", "other")
SETTINGS = ("in_office", "at_home")
COMPARATORS = ("waiting_list", "no_treatment", "usual_care", "sham", "active")
STATUSES = ("retrieved", "computed", "recalled")
SPREAD_LABELS = ("sd", "se", "unstated")
CHANGE_SIGNS = ("worse", "better", "unstated")
CONTRAST_SIGNS = ("treatment_minus_control", "control_minus_treatment", "unstated")
ESTIMANDS = ("between_arm", "within_arm", "single_arm")
OUTCOMES = ("frequency", "intensity", "duration", "headache_index")
WINDOWS = ("earlier", "baseline", "post")  # and followup_1, followup_2, ...
VERDICTS = ("reproduced", "not reproduced", "not recomputable")
# Lists of short codes: long enough to look like free text, which the gate refuses, so their
# shape is checked instead.
ZONES = r"^[a-zA-Z][a-zA-Z_ -]{0,29}(;[a-zA-Z][a-zA-Z_ -]{0,29})*$"
POINTS = (
    r"^[a-zA-Z][a-zA-Z_ -]{0,29}(:(left|right|both|mid))?"
    r"(;[a-zA-Z][a-zA-Z_ -]{0,29}(:(left|right|both|mid))?)*$"
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its type, unit, whether it may be empty and what it may hold."""

    kind: Kind
    description: str
    unit: str = ""
    nullable: bool = False
    allowed: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: what one row is, its key, and its columns in order."""

    row: str
    columns: Mapping[str, Column]
    key: tuple[str, ...] = ()
    level: Literal["row-level", "aggregate"] = "aggregate"


def _text(description: str, *, allowed: Sequence[str] = (), nullable: bool = False) -> Column:
    return Column("text", description, allowed=tuple(allowed), nullable=nullable)


def _float(
    description: str,
    unit: str = "",
    *,
    nullable: bool = True,
    low: float | None = None,
    high: float | None = None,
) -> Column:
    return Column("float", description, unit, nullable, low=low, high=high)


def _int(
    description: str,
    unit: str = "",
    *,
    nullable: bool = False,
    low: float | None = None,
    high: float | None = None,
) -> Column:
    return Column("int", description, unit, nullable, low=low, high=high)


def _bool(description: str) -> Column:
    return Column("bool", description)


_TRIAL: dict[str, Column] = {
    "trial": _text("Trial, by first author and year"),
    "year": _int("Year of publication", nullable=True),
    "doi": _text("Digital object identifier", nullable=True),
    "condition": _text("Condition of the participants, as the source names it", nullable=True),
}
_ORIGIN: dict[str, Column] = {
    "status": _text("How the numbers were obtained", allowed=STATUSES),
    "source": _text("Page or table that prints the numbers"),
    "note": _text("Remark about the row", nullable=True),
    "file": _text("Raw file of the row"),
    "line": _int("Line of the row in that file (1 = header)", low=1),
}
_PLACE: dict[str, Column] = {
    "outcome": _text("Outcome: frequency, intensity, duration or another declared one"),
    "unit": _text("Unit the numbers are in (the outcome's own unit where conversion is possible)"),
    "unit_printed": _text("Unit as the source prints it"),
    "timepoint": _text("Timepoint as the source names it"),
    "time_days": _float("Days from start of treatment or randomisation", "days"),
}

CLAIM_VERDICTS = ("supported", "not supported", "cannot tell", "not recorded")

REPORTED = ("asked", "volunteered")

RATINGS = (
    r"^[a-zA-Z][a-zA-Z_ -]{0,29}:(10|[0-9](\.[0-9]+)?)"
    r"(;[a-zA-Z][a-zA-Z_ -]{0,29}:(10|[0-9](\.[0-9]+)?))*$"
)


def _list(description: str) -> Column:
    return Column("text", description, nullable=True, pattern=ZONES)


ARMS = Table(
    row="trial x arm x outcome x timepoint",
    key=("trial", "arm", "outcome", "timepoint", "kind"),
    columns={
        **_TRIAL,
        "arm": _text("Arm, as the source names it"),
        "role": _text("Role in the trial", allowed=("treatment", "control")),
        "technique": _text("What was done in the arm", allowed=TECHNIQUES, nullable=True),
        "comparator": _text("Kind of control arm", allowed=COMPARATORS, nullable=True),
        **_PLACE,
        "kind": _text("What `mean` is", allowed=("baseline", "final", "change", "events")),
        "n": _float("Participants", "participants", low=0),
        "mean": _float("Mean, at `unit`; a change is post - pre (negative = fewer)"),
        "sd": _float("Standard deviation of `mean`'s individuals", low=0),
        "range_low": _float("Smallest value printed"),
        "range_high": _float("Largest value printed"),
        "median": _float("Median"),
        "q1": _float("First quartile"),
        "q3": _float("Third quartile"),
        "baseline_n": _float("Participants at baseline", "participants", low=0),
        "baseline_mean": _float("Mean at baseline"),
        "baseline_sd": _float("Standard deviation at baseline", low=0),
        "events": _float("Participants with the event (two by two data)", "participants", low=0),
        "printed_mean": _float("Mean as printed, before sign and unit were made canonical"),
        "printed_sd": _float("Standard deviation, or standard error, as printed"),
        "mean_decimals": _int("Decimals of the printed mean", nullable=True, low=0),
        "sd_decimals": _int("Decimals of the printed spread", nullable=True, low=0),
        "step": _float("Step between possible values of one person, in the printed unit", low=0),
        "spread_label": _text(
            "What the source calls the number typed as sd, where that is something else",
            allowed=SPREAD_LABELS,
            nullable=True,
        ),
        "t": _float("Paired t as printed"),
        "p": _text("p value of a change as printed", nullable=True),
        "positive_means": _text("What a positive printed change says", nullable=True),
        "mean_from": _text("How the mean was obtained", nullable=True),
        "sd_from": _text("How the standard deviation was obtained", nullable=True),
        **_ORIGIN,
    },
)
CONTRASTS = Table(
    row="trial x pair of arms x outcome x timepoint",
    key=("trial", "treatment_arm", "control_arm", "outcome", "timepoint", "effect_type"),
    columns={
        **_TRIAL,
        "treatment_arm": _text("Arm 1"),
        "control_arm": _text("Arm 2"),
        "technique": _text("What was done in arm 1", allowed=TECHNIQUES, nullable=True),
        "comparator": _text("Kind of arm 2", allowed=COMPARATORS, nullable=True),
        **_PLACE,
        "effect_type": _text("Statistic as the source names it"),
        "printed_effect": _float("Effect as printed"),
        "printed_ci_low": _float("Lower limit as printed"),
        "printed_ci_high": _float("Upper limit as printed"),
        "effect_decimals": _int("Decimals of the printed effect", nullable=True, low=0),
        "ci_low_decimals": _int("Decimals of the lower limit", nullable=True, low=0),
        "ci_high_decimals": _int("Decimals of the upper limit", nullable=True, low=0),
        "positive_means": _text("What a positive printed effect says", allowed=CONTRAST_SIGNS),
        "effect": _float("Effect as treatment - control; empty where the sign is unstated"),
        "ci_low": _float("Lower limit, treatment - control"),
        "ci_high": _float("Upper limit, treatment - control"),
        "se": _float("Standard error implied by the interval (or p value)", low=0),
        "se_from": _text("How the standard error was obtained", nullable=True),
        "p": _text("p value as printed", nullable=True),
        "n_total": _float("Participants in both arms or the trial", "participants", low=0),
        **_ORIGIN,
    },
)
IPD = Table(
    row="person x outcome x timepoint of a trial's individual data",
    key=("trial", "person", "outcome", "timepoint"),
    level="row-level",
    columns={
        "trial": _text("Trial, by first author and year"),
        "person": _int("Number of the row in the raw file, 1 = first", low=1),
        "arm": _text("Arm"),
        "role": _text("Role in the trial", allowed=("treatment", "control")),
        "outcome": _text("Outcome"),
        "timepoint": _text("Timepoint"),
        "time_days": _float("Days from start of treatment or randomisation", "days"),
        "baseline": _float("Value before, in the outcome's unit"),
        "value": _float("Value at the timepoint, in the outcome's unit"),
        "covariates": _text("Declared covariates as JSON"),
        "file": _text("Raw file"),
    },
)
RISK_OF_BIAS = Table(
    row="a judgement of risk of bias: trial x outcome x domain",
    columns={
        "trial": _text("Trial"),
        "outcome": _text("Outcome it is about; empty for all", nullable=True),
        "domain": _text("Domain of the tool, or overall"),
        "judgement": _text("Judgement in the tool's own words"),
        "support": _text("What it rests on", nullable=True),
        "signed_by": _text("Who judged"),
        "file": _text("Raw file"),
        "line": _int("Line"),
    },
)
PUBLISHED = Table(
    row="a pooled result as printed",
    key=("outcome", "subgroup", "timepoint"),
    columns={
        "outcome": _text("Outcome"),
        "unit": _text("Unit of the estimate"),
        "subgroup": _text("Subgroup of trials", nullable=True),
        "timepoint": _text("Timepoint"),
        "measure": _text("Measure, metafor's code", nullable=True),
        "k": _int("Trials pooled", nullable=True, low=1),
        "effect": _float("Pooled estimate as printed"),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "decimals": _int("Decimals printed, over the estimate and its limits", low=0),
        "model": _text("Model, as far as the source says", nullable=True),
        "positive_means": _text("What a positive estimate says", allowed=CONTRAST_SIGNS),
        **_ORIGIN,
    },
)
_POOL_ID: dict[str, Column] = {
    "comparison": _text("Identifier of the comparison in review.yaml"),
    "label": _text("The comparison in words"),
    "outcome": _text("Outcome"),
    "estimand": _text("What is estimated; never pooled across", allowed=ESTIMANDS),
    "measure": _text("Measure, metafor's code"),
    "unit": _text("Unit of the estimate on its own scale"),
}
EFFECTS = Table(
    row="one trial's effect in one comparison",
    key=("comparison", "trial", "arms", "timepoint", "measure", "basis"),
    columns={
        **_POOL_ID,
        "subgroup": _text("Subgroup", nullable=True),
        "trial": _text("Trial"),
        "year": _int("Year", nullable=True),
        "arms": _text("Arms compared, or the arm followed"),
        "timepoint": _text("Timepoint"),
        "basis": _text("Rows the effect stands on", allowed=("arms", "contrast", "published")),
        "n1": _float("Participants, treatment arm", "participants"),
        "mean1": _float("Mean, treatment arm (post, where one arm is followed)"),
        "sd1": _float("Standard deviation, treatment arm"),
        "n2": _float("Participants, control arm", "participants"),
        "mean2": _float("Mean, control arm (pre, where one arm is followed)"),
        "sd2": _float("Standard deviation, control arm"),
        "events1": _float("Events, treatment arm"),
        "events2": _float("Events, control arm"),
        "r": _float("Pre-post correlation used", low=-1, high=1),
        "r_from": _text("Where r comes from", nullable=True),
        "yi": _float("Effect (log scale for RR and OR)"),
        "vi": _float("Sampling variance of yi", low=0),
        "ci_low": _float("Lower limit of yi (Wald, 95 % unless the review declares another)"),
        "ci_high": _float("Upper limit of yi"),
        "weight": _float("Share of the pooled estimate", "percent"),
        "pooled": _bool("Whether the row enters the pooled estimate"),
        "why_not": _text("Why it does not", nullable=True),
        "status": _text("How the numbers were obtained", allowed=STATUSES),
        "source": _text("Page or table that prints them"),
        "recovered": _text("Numbers that are not printed, and how each was found", nullable=True),
        "note": _text("Remark", nullable=True),
    },
)
POOLED = Table(
    row="one pooled estimate: comparison x subgroup x method x test",
    key=("comparison", "subgroup", "method", "test", "assumption"),
    columns={
        **_POOL_ID,
        "subgroup": _text("Subgroup; 'overall' for all", nullable=False),
        "assumption": _text("What a sensitivity analysis assumes, such as r = 0.5", nullable=True),
        "method": _text("Estimator of tau2, metafor's code"),
        "test": _text("z, t, knha, adhoc or kr"),
        "declared": _bool("Whether the review declares this model (the others are sensitivity)"),
        "level": _float("Confidence level", nullable=False),
        "k": _int("Trials pooled", low=0),
        "n_total": _float("Participants, where every trial prints them", "participants"),
        "estimate": _float("Pooled estimate (log scale for RR and OR)"),
        "se": _float("Standard error", low=0),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "pi_low": _float("Lower limit of the prediction interval"),
        "pi_high": _float("Upper limit of the prediction interval"),
        "p_value": _float("Two-sided p value", low=0, high=1),
        "tau2": _float("Between-trial variance", low=0),
        "i2": _float("Share of variance between trials", "percent"),
        "h2": _float("Total over sampling variance"),
        "q": _float("Cochran's Q"),
        "q_df": _float("Degrees of freedom of Q"),
        "q_p_value": _float("p value of Q"),
        "ci_method": _text("Method of the interval in words"),
        "pi_method": _text("Method of the prediction interval in words", nullable=True),
        "note": _text("What the estimate cannot say", nullable=True),
    },
)
MULTIVERSE = Table(
    row="one specification: a choice of effects, trials, estimator and interval",
    key=("comparison", "subgroup", "specification"),
    columns={
        "comparison": _text("Identifier of the comparison in review.yaml"),
        "subgroup": _text("Subgroup that stands alone; 'overall' for all"),
        "specification": _int("Number within the set; 0 is the declared one", low=0),
        "measure": _text("Effect measure, metafor's code"),
        "assumed_r": _text("Correlation assumed where it is not printed, or 'not needed'"),
        "rows_used": _text("Rows read in the source only, or recalled ones with them"),
        "studies": _text("All trials, or a part by name"),
        "left_out": _text("Trial left out; 'none' where none is"),
        "method": _text("Estimator of tau2, metafor's code"),
        "test": _text("z, t, knha, adhoc or kr"),
        "k": _int("Trials pooled", low=0),
        "estimate": _float("Pooled estimate (log scale for RR and OR)"),
        "se": _float("Standard error", low=0),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "p_value": _float("Two-sided p value", low=0, high=1),
        "tau2": _float("Between-trial variance", low=0),
        "i2": _float("Share of variance between trials", "percent"),
        "unit": _text("Unit of the estimate"),
        "level": _float("Confidence level", nullable=False),
        "declared": _bool("Whether this is the specification that the review declares"),
    },
)
REFITS = Table(
    row="a set of trials pooled again: without one, or up to one",
    key=("comparison", "subgroup", "analysis", "position"),
    columns={
        "comparison": _text("Identifier of the comparison in review.yaml"),
        "subgroup": _text("Subgroup that stands alone; 'overall' for all"),
        "analysis": _text("What is done", allowed=("leave one out", "cumulative")),
        "position": _int("Place in the order: of the rows, or of the years", low=1),
        "trial": _text("Trial left out, or added last"),
        "k": _int("Trials pooled", low=0),
        "estimate": _float("Pooled estimate (log scale for RR and OR)"),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "pi_low": _float("Lower limit of the prediction interval"),
        "pi_high": _float("Upper limit of the prediction interval"),
        "p_value": _float("Two-sided p value", low=0, high=1),
        "tau2": _float("Between-trial variance", low=0),
        "i2": _float("Share of variance between trials", "percent"),
    },
)
SMALL_STUDIES = Table(
    row="a check of whether effects go with the size of their trial",
    key=("comparison", "subgroup", "check"),
    columns={
        "comparison": _text("Identifier of the comparison in review.yaml"),
        "subgroup": _text("Subgroup that stands alone; 'overall' for all"),
        "k": _int("Trials pooled", low=0),
        "check": _text("Check; 'none' where there are too few trials"),
        "statistic": _float("t of the slope, Kendall's tau, or trials filled in"),
        "p_value": _float("Two-sided p value", low=0, high=1),
        "estimate": _float("Pooled estimate that the check gives (log scale for RR and OR)"),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "note": _text("What it can say"),
    },
)
FINDINGS = Table(
    row="a row of the summary of findings: what is computed, and what people judged",
    key=("comparison", "subgroup"),
    columns={
        "comparison": _text("Identifier of the comparison in review.yaml"),
        "subgroup": _text("Subgroup; 'overall' for all"),
        "outcome": _text("Outcome in words"),
        "measure": _text("Measure, metafor's code"),
        "unit": _text("Unit of the estimate"),
        "k": _int("Trials pooled", low=0),
        "n_total": _float("Participants, where every trial prints them", "participants"),
        "estimate": _float("Pooled estimate (a ratio for RR and OR)"),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "control": _text("What people without the treatment have, and its source", nullable=True),
        "absolute": _text("Difference in the outcome's unit, or per 1000 people", nullable=True),
        "meaningful": _float("Smallest difference that matters"),
        "meaningful_source": _text("Its source", nullable=True),
        "target": _text("What the interval is rated against", nullable=True),
        "share": _text("Patients beyond a meaningful change, treated v control", nullable=True),
        "settings": _text("Share of settings beyond the meaningful difference", nullable=True),
        "information_size": _float("Participants needed in all (OIS)", "participants"),
        "imprecision": _text("Facts for judging imprecision", nullable=True),
        "inconsistency": _text("Facts for judging inconsistency", nullable=True),
        "judgements": _text("Judgements as typed, with their reasons", nullable=True),
        "certainty": _text("Certainty as typed; never computed", nullable=True),
        "signed_by": _text("Who judged", nullable=True),
        "doubts": _text("Contradictions between judgements and certainty", nullable=True),
    },
)
REPRODUCTION = Table(
    row="one printed number, recomputed",
    key=("quantity", "part"),
    columns={
        "quantity": _text("Identifier of the published quantity in review.yaml"),
        "label": _text("The quantity in words"),
        "part": _text("estimate, ci_low, ci_high, p or another printed part"),
        "published": _text("The number as printed"),
        "recomputed": _float("The number recomputed, in the published sign and unit"),
        "difference": _float("recomputed - published"),
        "printed_unit": _float("One unit of the last printed digit"),
        "rounds_identically": _text("yes, no, or empty", allowed=("yes", "no"), nullable=True),
        "verdict": _text("Verdict", allowed=VERDICTS),
        "how": _text("How it was recomputed: measure, model, rows"),
        "explanation": _text("By how much, what is missing; conjecture labelled", nullable=True),
        "source": _text("Where it is printed"),
    },
)
CONSISTENCY = Table(
    row="a check of published summaries against each other (not a re-analysis)",
    key=("check", "outcome", "model"),
    columns={
        "check": _text("Identifier of the check in review.yaml"),
        "label": _text("The check in words"),
        "outcome": _text("Outcome"),
        "unit": _text("Unit"),
        "model": _text("Model"),
        "k": _int("Published summaries combined", low=0),
        "estimate": _float("Combined estimate"),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "significant": _text("Whether the interval excludes 0", allowed=("yes", "no")),
        "q": _float("Q of the difference between the summaries"),
        "q_df": _float("Degrees of freedom"),
        "q_p_value": _float("p value of the difference"),
    },
)
INTEGRITY = Table(
    row="a doubt about a printed number",
    columns={
        "trial": _text("Trial"),
        "outcome": _text("Outcome", nullable=True),
        "where": _text("Arm or contrast, and timepoint"),
        "check": _text("Check"),
        "printed": _text("What was printed"),
        "expected": _text("What was expected"),
        "severity": _text("Severity", allowed=("note", "doubt", "impossible")),
        "explanation": _text("In words"),
        "file": _text("Raw file"),
        "line": _int("Line"),
    },
)

PATIENTS = Table(
    row="patient",
    key=("patient_id",),
    level="row-level",
    columns={
        "patient_id": _text("The clinic's random code"),
        "age": _float("Age", "years", low=0, high=89),
        "age_band": _text("Age band", nullable=True),
        "sex": _text("female, male or other", allowed=("female", "male", "other"), nullable=True),
        "condition": _text("ICHD-3 code or a name", nullable=True),
        "chronicity_years": _float("Years with the condition", "years", low=0, high=89),
        "start_year": _int(
            "Calendar year of the first session", nullable=True, low=1900, high=2100
        ),
    },
)
SESSIONS = Table(
    row="session",
    level="row-level",
    columns={
        "patient_id": _text("The clinic's random code"),
        "day": _int("Days since the patient's first session", "days"),
        "month": _int(
            "Month counted from one that the clinic keeps to itself (for charts over time)",
            nullable=True,
            low=0,
            high=1200,
        ),
        "therapist": _text("Therapist, as a code", nullable=True),
        "technique": _text("Technique", allowed=TECHNIQUES, nullable=True),
        "setting": _text("Setting", allowed=SETTINGS, nullable=True),
        "minutes": _float("Length", "minutes", low=0),
        "fee": _float("Fee", "currency units", low=0),
        "trigger_points": Column(
            "text", "muscle:side, separated by ;", nullable=True, pattern=POINTS
        ),
        "referral_zone": Column(
            "text", "Zone per point, separated by ; (none = local)", nullable=True, pattern=ZONES
        ),
        "currency": _text("Currency of the fee", nullable=True),
        "insured": _int("1 if insurance paid, 0 if not", nullable=True, low=0, high=1),
        "retention_minutes": _float("How long a needle stayed (STRICTA 2010)", "minutes", low=0),
        "drug": _text("Drug of a wet needling, with its dose", nullable=True),
        "soreness_days": _float("Days of soreness afterwards", "days", low=0),
        "soreness_reported": _text(
            "Whether soreness was asked for", allowed=REPORTED, nullable=True
        ),
        "lethargy_days": _float("Days of lethargy afterwards", "days", low=0),
        "lethargy_reported": _text(
            "Whether lethargy was asked for", allowed=REPORTED, nullable=True
        ),
        "compress_used": _int(
            "1 if a hot compress was used afterwards", nullable=True, low=0, high=1
        ),
        "adverse_event": _text("Adverse event, as a code; none = none", nullable=True),
        "adverse_event_reported": _text(
            "Whether adverse events were asked for", allowed=REPORTED, nullable=True
        ),
        "water_cups": _float("Cups of water before the session", "cups", low=0),
        "homework_given": _int("1 if given", nullable=True, low=0, high=1),
        "homework_done": _int("1 if done", nullable=True, low=0, high=1),
        "home_tools": _list("Tools used at home, separated by ; (none = none)"),
        "sleeping_position": _text("Usual sleeping position, as a code", nullable=True),
        "pain_sites": _list("Where it hurts, separated by ;"),
        "vertigo": _float(
            "Vertigo, asked; 1 = yes and 0 = no where that was asked", "0-10", low=0, high=10
        ),
        "tinnitus": _float("Tinnitus, asked as vertigo", "0-10", low=0, high=10),
        "digestion": _float("Trouble with digestion, asked as vertigo", "0-10", low=0, high=10),
        "other_complaints": Column(
            "text", "complaint:rating 0-10, separated by ;", nullable=True, pattern=RATINGS
        ),
        "assessments": _list("Examined at the visit, separated by ;"),
        "range_of_motion_degrees": _float(
            "Range of motion, one movement in all visits", "degrees", low=0, high=360
        ),
        "leg_length_difference_mm": _float("Difference in leg length", "mm", low=0),
        "response_sought": _text("Response sought (STRICTA 2010), as a code", nullable=True),
        "needle_diameter_mm": _float("Diameter of the needle (STRICTA 2010)", "mm", low=0),
        "headache_days_28": _float("Headache days in the last 28, asked", "days", low=0, high=28),
        "usual_intensity": _float("Usual intensity, asked", "0-10", low=0, high=10),
        "usual_duration_hours": _float("Usual duration, asked", "hours", low=0, high=24),
        "line": _int("Line in the raw file", low=1),
    },
)
DAYS = Table(
    row="patient x day of the diary",
    key=("patient_id", "day"),
    level="row-level",
    columns={
        "patient_id": _text("The clinic's random code"),
        "day": _int("Days since the first session (0 belongs to treatment)", "days"),
        "headache": _int("1 a headache day, 0 none, empty unknown", nullable=True, low=0, high=1),
        "intensity": _float("Worst intensity", "0-10", low=0, high=10),
        "duration_hours": _float("Hours with headache", "hours", low=0, high=24),
        "attacks": _float("Attacks", low=0),
        "acute_medication": _float("Doses of acute medication", low=0),
    },
)
QUESTIONNAIRES = Table(
    row="patient x instrument x day",
    level="row-level",
    columns={
        "patient_id": _text("The clinic's random code"),
        "day": _int("Days since the first session", "days"),
        "instrument": _text("HIT-6, MIDAS, HDI, PGIC or another"),
        "score": _float("Total score", nullable=False),
        "line": _int("Line in the raw file", low=1),
    },
)
WINDOWS_TABLE = Table(
    row="patient x window x outcome",
    key=("patient_id", "window", "outcome", "source"),
    level="row-level",
    columns={
        "patient_id": _text("The clinic's random code"),
        "window": _text("earlier, baseline, post, followup_k or all_before / all_after"),
        "source": _text("Where it was recorded", allowed=("diary", "visit", "given")),
        "outcome": _text("Outcome"),
        "value": _float("Value on the outcome's scale (frequency: days per 28)"),
        "count": _float("Headache days counted", "days"),
        "days_observed": _float("Days with an entry", "days", low=0),
        "days_possible": _float("Days in the window", "days", low=0),
        "complete": _bool("Whether the completeness rule holds"),
    },
)
CHANGE = Table(
    row="patient x outcome x comparison",
    key=("patient_id", "outcome", "comparison"),
    level="row-level",
    columns={
        "patient_id": _text("The clinic's random code"),
        "comparison": _text("Identifier of the pair of windows and the rule"),
        "outcome": _text("Outcome"),
        "pre": _float("Value before"),
        "post": _float("Value after"),
        "change": _float("post - pre; negative is improvement"),
    },
)
QUARANTINE = Table(
    row="a row or cell that could not be used",
    level="row-level",
    columns={
        "file": _text("Raw file"),
        "line": _int("Line (1 = header)", nullable=True, low=1),
        "column": _text("Column, as the clinic names it", nullable=True),
        "rule": _text("Rule it broke"),
        "scope": _text("row (not used at all) or cell (set to missing)", allowed=("row", "cell")),
    },
)
FLOW = Table(
    row="a step in the account of rows or people",
    key=("account", "item", "step"),
    columns={
        "account": _text("What is counted", allowed=("rows", "cells", "gate", "people")),
        "item": _text("File, or outcome and comparison"),
        "step": _text("Step"),
        "n": _float("Count"),
        "of": _float("Out of"),
        "note": _text("Remark", nullable=True),
        "redacted": _bool("Whether disclosure control withheld the count"),
    },
)
COHORT = Table(
    row="one statistic of one outcome over one pair of windows",
    key=("outcome", "comparison", "group", "statistic"),
    columns={
        "outcome": _text("Outcome"),
        "comparison": _text("Identifier of the pair of windows and the rule"),
        "comparison_label": _text("The pair of windows and the rule in words"),
        "group": _text("all, or a subgroup as 'technique: manual'"),
        "primary": _bool("The declared primary outcome, time and rule"),
        "statistic": _text("Identifier of the statistic"),
        "label": _text("The statistic in words"),
        "unit": _text("Unit; empty for a pure number", nullable=True),
        "estimate": _float("Estimate"),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "interval": _text("Method of the interval", nullable=True),
        "n": _float("People it stands on"),
        "of": _float("People who started"),
        "count": _float("People with the property, for shares"),
        "redacted": _bool("Whether disclosure control withheld numbers"),
        "note": _text("Remark", nullable=True),
    },
)
INDIVIDUAL = Table(
    row="a class of reliable change x a class of relative change, primary comparison",
    key=("outcome", "comparison", "class", "response"),
    columns={
        "outcome": _text("Outcome"),
        "comparison": _text("Identifier of the pair of windows and the rule"),
        "class": _text("recovered, improved, unchanged or deteriorated (Jacobson & Truax 1991)"),
        "response": _text("Relative change"),
        "n": _float("People"),
        "of": _float("People with a class"),
        "redacted": _bool("Whether disclosure control withheld the count"),
    },
)
LOST = Table(
    row="one characteristic before treatment, of the analysed and of the lost",
    key=("characteristic", "level"),
    columns={
        "characteristic": _text("What is compared"),
        "level": _text("Level, for a share", nullable=True),
        "measure": _text("mean or percent"),
        "n_analysed": _float("Analysed people with a value"),
        "of_analysed": _float("Analysed people"),
        "count_analysed": _float("Analysed people at the level"),
        "value_analysed": _float("Mean or percent of the analysed"),
        "n_lost": _float("Lost people with a value"),
        "of_lost": _float("Lost people"),
        "count_lost": _float("Lost people at the level"),
        "value_lost": _float("Mean or percent of the lost"),
        "difference": _float("Lost - analysed"),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "interval": _text("Method of the interval", nullable=True),
        "standardised_difference": _float("Difference in standard deviations (Austin 2009)"),
        "redacted": _bool("Whether disclosure control withheld numbers"),
    },
)
SENSITIVITY = Table(
    row="the primary change under one way to treat what is missing, or under one model",
    key=("id",),
    columns={
        "id": _text("Identifier of the analysis"),
        "label": _text("The analysis in words"),
        "estimate": _float("Estimate, in `unit`; empty where the analysis was not done"),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "interval": _text("Method of the interval", nullable=True),
        "n": _float("People it stands on"),
        "of": _float("People who started"),
        "unit": _text("Unit; empty for a pure number", nullable=True),
        "note": _text("What it assumes, or why it was not done", nullable=True),
        "redacted": _bool("Whether disclosure control withheld numbers"),
    },
)
SPECIFICATIONS = Table(
    row="one way to analyse the primary change: a choice per axis",
    key=("window", "value", "completeness", "headache_day", "before", "lost"),
    columns={
        "specification": _int("Number; the declared one is 1", low=1),
        "declared": _bool("Whether it is the declared analysis"),
        "window": _text("Axis: the window after"),
        "value": _text("Axis: days scaled to 28, or counted as they are"),
        "completeness": _text("Axis: days with an entry that make a window complete"),
        "headache_day": _text("Axis: shortest headache that makes a headache day"),
        "before": _text("Axis: the window before alone, or the mean of two"),
        "lost": _text("Axis: how the lost are counted"),
        "estimate": _float("Mean change, after - before"),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "interval": _text("Method of the interval", nullable=True),
        "n": _float("People it stands on"),
        "of": _float("People who started"),
        "unit": _text("Unit"),
        "note": _text("Remark", nullable=True),
        "redacted": _bool("Whether disclosure control withheld numbers"),
    },
)
COURSE_OF_WINDOWS = Table(
    row="mean of one outcome in one window",
    key=("outcome", "comparison", "window"),
    columns={
        "outcome": _text("Outcome"),
        "comparison": _text("Identifier of the pair of windows and the rule"),
        "window": _text("Window"),
        "order": _int("Position from left to right"),
        "label": _text("The window in words"),
        "mean": _float("Mean"),
        "ci_low": _float("Lower limit (t)"),
        "ci_high": _float("Upper limit (t)"),
        "p25": _float("Lower quartile"),
        "p75": _float("Upper quartile"),
        "n": _float("People"),
        "redacted": _bool("Whether disclosure control withheld numbers"),
    },
)
HISTOGRAM = Table(
    row="one bin of the change",
    key=("outcome", "comparison", "bin_low"),
    columns={
        "outcome": _text("Outcome"),
        "comparison": _text("Identifier of the pair of windows and the rule"),
        "bin_low": _float("From (included)", nullable=False),
        "bin_high": _float("To (not included)", nullable=False),
        "n": _float("People"),
        "redacted": _bool("Whether disclosure control withheld the count"),
    },
)
LINES = Table(
    row="one person's change, without the code; only under `internal` and `public`",
    columns={
        "outcome": _text("Outcome"),
        "comparison": _text("Identifier of the pair of windows and the rule"),
        "pre": _float("Value before"),
        "post": _float("Value after"),
    },
)
TRAPS = Table(
    row="a trap that records can hold, and whether these look like it",
    key=("id",),
    columns={
        "id": _text("Identifier of the trap"),
        "label": _text("The trap in words"),
        "flagged": _bool("Whether the records look like it; False too where it cannot be seen"),
        "n": _float("People the finding stands on; empty where the trap cannot be seen"),
        "of": _float("Out of"),
        "detail": _text("What was found, without counts of people", nullable=True),
        "note": _text("The rule, or what would be needed to see the trap", nullable=True),
        "redacted": _bool("Whether disclosure control withheld numbers"),
    },
)
EXPECTED = Table(
    row="one answer to what change would be expected without treatment",
    key=("outcome", "comparison", "source", "label"),
    columns={
        "outcome": _text("Outcome"),
        "comparison": _text("Identifier of the pair of windows and the rule"),
        "source": _text(
            "Where the expectation comes from",
            allowed=(
                "both_windows",
                "both_windows_mu",
                "earlier",
                "mee_chua",
                "cutoff",
                "arm",
                "arms_pooled",
                "arms_new",
            ),
        ),
        "label": _text("The source in words"),
        "mu": _float("Assumed mean of the population that people come from", "days"),
        "change": _float("The clinic's change from the last window before, among n", "days"),
        "expected": _float("Expected change without treatment", "days"),
        "ci_low": _float("Lower limit of the expected change, where it has one", "days"),
        "ci_high": _float("Upper limit of the expected change", "days"),
        "difference": _float("change - expected", "days"),
        "diff_ci_low": _float("Lower limit of the difference", "days"),
        "diff_ci_high": _float("Upper limit of the difference", "days"),
        "interval": _text("Method of the interval of the difference", nullable=True),
        "n": _float("People of the clinic it stands on"),
        "beyond": _bool("Whether the interval of the difference lies below 0"),
        "decides": _bool("Whether the row counts for the verdict"),
        "range_low": _float("Lowest expected change of all sources", "days"),
        "range_high": _float("Highest expected change of all sources", "days"),
        "note": _text("Remark", nullable=True),
        "redacted": _bool("Whether disclosure control withheld numbers"),
    },
)
CHECKS = Table(
    row="one check of what was before treatment, for the primary comparison",
    key=("id",),
    columns={
        "id": _text("Check", allowed=("baseline_trend", "oldham", "one_window_before")),
        "label": _text("The check in words"),
        "outcome": _text("Outcome"),
        "comparison": _text("Identifier of the pair of windows and the rule"),
        "estimate": _float("Value, in `unit`"),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "interval": _text("Method of the interval", nullable=True),
        "n": _float("People it stands on", low=0),
        "count": _float("People counted, for a share", low=0),
        "unit": _text("Unit of the value", nullable=True),
        "note": _text("Remark", nullable=True),
        "redacted": _bool("Whether disclosure control withheld numbers"),
    },
)
SAFETY = Table(
    row="one statistic of one kind of harm, technique and way of learning of it",
    key=("harm", "event", "group", "reported", "per", "statistic"),
    columns={
        "harm": _text("Kind of harm", allowed=("soreness", "lethargy", "adverse_event")),
        "event": _text("any, or the code of the adverse event"),
        "group": _text("all, or a technique as 'technique: manual'"),
        "reported": _text("How it became known", allowed=(*REPORTED, "unstated")),
        "per": _text("What is counted", allowed=("session", "patient")),
        "statistic": _text(
            "Identifier of the statistic",
            allowed=("share", "zero_upper_sessions", "median_days", "share_within_2_days"),
        ),
        "label": _text("The statistic in words"),
        "unit": _text("Unit", nullable=True),
        "estimate": _float("Estimate"),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "interval": _text("Method of the interval", nullable=True),
        "n": _float("Sessions or patients with an answer"),
        "of": _float("Sessions or patients in all"),
        "count": _float("Of n, those with the harm (or within 2 days)"),
        "patients": _float("Patients that n comes from"),
        "redacted": _bool("Whether disclosure control withheld numbers"),
        "note": _text("Remark", nullable=True),
    },
)

COST = Table(
    row="one statistic of time, fees or cost",
    key=("topic", "visit", "currency", "basis", "statistic"),
    columns={
        "topic": _text("What it is about", allowed=("minutes", "fee", "insured", "cost")),
        "visit": _text("Visits it is about", allowed=("first", "later", "all")),
        "currency": _text("Currency; empty for time", nullable=True),
        "basis": _text(
            "records; uncontrolled; or the change less one that would be expected, with its source"
        ),
        "statistic": _text("Identifier of the statistic"),
        "label": _text("The statistic in words"),
        "unit": _text("Unit", nullable=True),
        "estimate": _float("Estimate"),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "interval": _text("Method of the interval", nullable=True),
        "p25": _float("Lower quartile"),
        "p75": _float("Upper quartile"),
        "n": _float("Patients it stands on"),
        "of": _float("Patients who started"),
        "count": _float("Patients with the property, for shares"),
        "redacted": _bool("Whether disclosure control withheld numbers"),
        "note": _text("Remark", nullable=True),
    },
)

COST_PLANE = Table(
    row="a cell of the cost plane: share of bootstrap replicates in it",
    key=("currency", "basis", "difference_low", "cost_low"),
    columns={
        "currency": _text("Currency"),
        "basis": _text("uncontrolled, or less an expected change, with its source"),
        "difference_low": _float("Headache days a year of difference, from", nullable=False),
        "difference_high": _float("Headache days a year of difference, to", nullable=False),
        "cost_low": _float("Mean fees per patient, from", nullable=False),
        "cost_high": _float("Mean fees per patient, to", nullable=False),
        "share": _float("Replicates in the cell", "percent", low=0, high=100),
        "n": _float("Patients it stands on"),
        "redacted": _bool("Whether disclosure control withheld numbers"),
    },
)

CLAIMS = Table(
    row="a part of one claim that patients are told, against this clinic's records",
    key=("row", "part"),
    columns={
        "row": _int("Number of the claim", low=1),
        "part": _text("Part of the claim"),
        "claim": _text("The claim, paraphrased"),
        "label": _text("What is computed"),
        "causal": _bool("Whether the part says what treatment does"),
        "unit": _text("Unit; empty for a pure number", nullable=True),
        "estimate": _float("This clinic"),
        "ci_low": _float("Lower limit"),
        "ci_high": _float("Upper limit"),
        "interval": _text("Method of the interval", nullable=True),
        "n": _float("Patients, sessions or points it stands on"),
        "of": _float("Patients, sessions or points in all"),
        "count": _float("Of n, those with the property, for shares"),
        "patients": _float("Patients that n comes from, where n counts something else"),
        "p_value": _float("p value, where several parts are tested", low=0, high=1),
        "p_adjusted": _float("p value after Holm 1979", low=0, high=1),
        "anchor": _text("Published figure, in words", nullable=True),
        "anchor_value": _float("Published figure, in the unit of the estimate"),
        "anchor_source": _text("Source of the published figure", nullable=True),
        "anchor_status": _text("How it was obtained", allowed=STATUSES, nullable=True),
        "rule": _text("Rule of the verdict, in words"),
        "verdict": _text("Verdict", allowed=CLAIM_VERDICTS),
        "reason": _text("Why"),
        "redacted": _bool("Whether disclosure control withheld numbers"),
        "note": _text("Remark", nullable=True),
    },
)


# Tables of a clinic that go on to disclosure control and, with it, to `results/`.
RELEASED = (
    "cohort",
    "flow",
    "individual",
    "lost",
    "expected",
    "checks",
    "sensitivity",
    "specifications",
    "traps",
    "safety",
    "cost",
    "cost_plane",
    "claims",
    "benchmark",
    "relapse",
    "relapse_curve",
    "control_chart",
    "funnel",
    "dose",
    "window_means",
    "change_histogram",
    "change_lines",
)
BENCHMARK = Table(
    row="a change from before to after: the clinic's, a published arm's, or arms pooled by kind",
    key=("block", "kind", "trial", "arm"),
    columns={
        "block": _text(
            "clinic; arm (drawn); pooled (arms of one kind); not_used (says why)",
            allowed=("clinic", "arm", "pooled", "not_used"),
        ),
        "kind": _text("Kind of comparator of a control arm, or technique of a treated one"),
        "label": _text("The row in words"),
        "trial": _text("Trial, by first author and year", nullable=True),
        "arm": _text("Arm, as the source names it", nullable=True),
        "outcome": _text("Outcome"),
        "unit": _text("Unit of change and baseline"),
        "condition": _text("Condition of the people", nullable=True),
        "technique": _text("What was done", nullable=True),
        "n": _float("People the change stands on", "participants", low=0),
        "of": _float("People who started (the clinic)", "participants", low=0),
        "k": _float("Trials pooled", low=0),
        "timepoint": _text("Time of the value after, as the source names it", nullable=True),
        "time_days": _float("Days from the start to the (middle of the) time after", "days"),
        "baseline": _float("Mean before"),
        "change": _float("Mean change, post - pre (negative = fewer)"),
        "se": _float("Standard error of the change", low=0),
        "df": _float("Degrees of freedom of the interval", low=0),
        "ci_low": _float("Lower limit, 95 %"),
        "ci_high": _float("Upper limit, 95 %"),
        "interval": _text("Method of the interval", nullable=True),
        "pi_low": _float("Lower limit of the prediction interval"),
        "pi_high": _float("Upper limit of the prediction interval"),
        "sd_from": _text("How the standard deviation of the change was obtained", nullable=True),
        "romc": _float("Log ratio of the means, after / before"),
        "romc_low": _float("Lower limit, 95 %, Wald"),
        "romc_high": _float("Upper limit, 95 %, Wald"),
        "difference": _float("Clinic - this row: a description, no comparison of treatments"),
        "difference_low": _float("Lower limit, 95 %, both standard errors (Welch)"),
        "difference_high": _float("Upper limit, 95 %, both standard errors (Welch)"),
        "like_baseline": _text(
            "Whether the mean before lies within the declared distance of the clinic's",
            allowed=("yes", "no", "not_printed"),
            nullable=True,
        ),
        "why_not": _text("Why the row is not used, or has no interval", nullable=True),
        "status": _text("How the numbers were obtained", allowed=STATUSES, nullable=True),
        "source": _text("Page or table that prints the numbers", nullable=True),
        "note": _text("Remark", nullable=True),
        "redacted": _bool("Whether disclosure control withheld numbers"),
    },
)

RELAPSE = Table(
    row="a group's time to relapse in one number each",
    key=("rule", "group"),
    columns={
        "rule": _text("Windows in a row that make a relapse", allowed=("two", "one")),
        "rule_label": _text("The rule in words"),
        "group": _text("all, or a technique as 'technique: manual'"),
        "n": _float("People at risk at the start: responders in the window after", low=0),
        "events": _float("People who relapsed", low=0),
        "gaps": _float("People whose record ended at an incomplete window before the last", low=0),
        "followed": _float("People followed for at least one window", low=0),
        "horizon_days": _float("Common horizon, days after the window after", "days", low=0),
        "free_at_horizon": _float("Share without relapse at the horizon", "percent"),
        "free_low": _float("Lower limit, 95 %, Greenwood log-log", "percent"),
        "free_high": _float("Upper limit", "percent"),
        "rmst_days": _float("Mean days without relapse up to the horizon (RMST)", "days", low=0),
        "rmst_se": _float("Standard error of the RMST", "days", low=0),
        "rmst_low": _float("Lower limit, 95 %, normal", "days"),
        "rmst_high": _float("Upper limit", "days"),
        "redacted": _bool("Whether disclosure control withheld numbers"),
        "note": _text("What the numbers cannot say", nullable=True),
    },
)

RELAPSE_CURVE = Table(
    row="a window after the window after: share of responders without relapse (Kaplan-Meier)",
    key=("rule", "group", "window"),
    columns={
        "rule": _text("Windows in a row that make a relapse", allowed=("two", "one")),
        "group": _text("all, or a technique as 'technique: manual'"),
        "window": _int("Window after the window after; 0 is the start", low=0),
        "days": _float("Days after the window after at which the window ends", "days", low=0),
        "at_risk": _float("People at risk in the window (at 0: at the start)", low=0),
        "events": _float("People who relapsed in the window", low=0),
        "censored": _float("People last judged in the window, without relapse", low=0),
        "survival": _float("Share without relapse", low=0, high=1),
        "ci_low": _float("Lower limit, 95 %, Greenwood log-log", low=0, high=1),
        "ci_high": _float("Upper limit", low=0, high=1),
        "redacted": _bool("Whether disclosure control withheld numbers"),
    },
)

CONTROL_CHART = Table(
    row="a month on a control chart",
    key=("chart", "month"),
    columns={
        "chart": _text("Identifier of the chart"),
        "label": _text("The chart in words"),
        "kind": _text("Kind of chart", allowed=("XmR", "p")),
        "unit": _text("Unit"),
        "month": _int("Month index, as the clinic counts months"),
        "phase": _int("Phase; the limits are its own", low=1),
        "n": _float("People of the month", low=0),
        "count": _float("People with the property (p chart)", low=0),
        "value": _float("Mean (XmR) or percent (p) of the month"),
        "moving_range": _float("Absolute difference from the month before it on the chart", low=0),
        "centre": _float("Centre line"),
        "low": _float("Lower limit (3 sigma)"),
        "high": _float("Upper limit (3 sigma)"),
        "range_high": _float("Upper limit of the moving range"),
        "signals": _text("Western Electric rules that the month completes", nullable=True),
        "redacted": _bool("Whether disclosure control withheld numbers"),
        "note": _text("What the chart cannot say", nullable=True),
    },
)

FUNNEL = Table(
    row="a therapist on the funnel plot",
    key=("therapist",),
    columns={
        "therapist": _text("Therapist, as a code"),
        "outcome": _text("Outcome"),
        "unit": _text("Unit"),
        "n": _float("People whose change is known", low=0),
        "observed": _float("Mean change, post - pre"),
        "expected": _float("Mean change expected from baseline variables"),
        "difference": _float("observed - expected; positive is less improvement"),
        "se": _float("Standard error of the difference from the spread within therapists", low=0),
        "target": _float("Mean difference of the therapists that this one is held against"),
        "tau2": _float("Additive over-dispersion: the usual one, or more where it is clear", low=0),
        "z": _float("Distance from the target in its standard errors"),
        "low_95": _float("Lower inner limit (95 %)"),
        "high_95": _float("Upper inner limit (95 %)"),
        "low_998": _float("Lower outer limit (99.8 %)"),
        "high_998": _float("Upper outer limit (99.8 %)"),
        "flag": _bool("Outside the outer limit"),
        "adjusted_for": _text("Baseline variables that were adjusted for", nullable=True),
        "redacted": _bool("Whether disclosure control withheld numbers"),
        "note": _text("What the plot cannot say", nullable=True),
    },
)

DOSE = Table(
    row="one statistic of how much was given against the change",
    key=("dose", "statistic", "level"),
    columns={
        "dose": _text("sessions or minutes, before the window after"),
        "statistic": _text(
            "Statistic", allowed=("spearman", "slope", "mean_change_of_third", "mean_dose")
        ),
        "level": _text("Third, from the least to the most; empty for all", nullable=True),
        "label": _text("The statistic in words"),
        "unit": _text("Unit; empty for a pure number", nullable=True),
        "dose_low": _float("Least dose of the level"),
        "dose_high": _float("Largest dose of the level"),
        "estimate": _float("Estimate"),
        "ci_low": _float("Lower limit, 95 %"),
        "ci_high": _float("Upper limit, 95 %"),
        "interval": _text("Method of the interval", nullable=True),
        "n": _float("People", low=0),
        "redacted": _bool("Whether disclosure control withheld numbers"),
        "note": _text("The warning that belongs beside it", nullable=True),
    },
)


TABLES: dict[str, Table] = {
    "arms": ARMS,
    "contrasts": CONTRASTS,
    "ipd": IPD,
    "risk_of_bias": RISK_OF_BIAS,
    "published": PUBLISHED,
    "effects": EFFECTS,
    "pooled": POOLED,
    "multiverse": MULTIVERSE,
    "refits": REFITS,
    "small_studies": SMALL_STUDIES,
    "findings": FINDINGS,
    "reproduction": REPRODUCTION,
    "consistency": CONSISTENCY,
    "integrity": INTEGRITY,
    "patients": PATIENTS,
    "sessions": SESSIONS,
    "days": DAYS,
    "questionnaires": QUESTIONNAIRES,
    "windows": WINDOWS_TABLE,
    "change": CHANGE,
    "quarantine": QUARANTINE,
    "flow": FLOW,
    "cohort": COHORT,
    "individual": INDIVIDUAL,
    "lost": LOST,
    "sensitivity": SENSITIVITY,
    "specifications": SPECIFICATIONS,
    "expected": EXPECTED,
    "checks": CHECKS,
    "safety": SAFETY,
    "cost": COST,
    "cost_plane": COST_PLANE,
    "claims": CLAIMS,
    "benchmark": BENCHMARK,
    "relapse": RELAPSE,
    "relapse_curve": RELAPSE_CURVE,
    "control_chart": CONTROL_CHART,
    "funnel": FUNNEL,
    "dose": DOSE,
    "window_means": COURSE_OF_WINDOWS,
    "change_histogram": HISTOGRAM,
    "change_lines": LINES,
    "traps": TRAPS,
}

_DTYPES = {"text": "str", "int": "Int64", "float": "float64", "bool": "bool"}


def empty(name: str) -> pd.DataFrame:
    """Make a table of the contract with its columns and types and no row."""
    import pandas as pd

    return pd.DataFrame(
        {c: pd.Series(dtype=_DTYPES[spec.kind]) for c, spec in TABLES[name].columns.items()}
    )


def conform(name: str, frame: pd.DataFrame, *, check: bool = True) -> pd.DataFrame:
    """Give a DataFrame the contract's column order and types, then validate it.

    `check=False` leaves the validation out, for a table that is made many times on the way and
    never written.

    Columns of the contract that the frame lacks are added empty where the contract lets them
    be empty; columns that the contract does not know are an error, so that nothing is lost.
    """
    import pandas as pd

    spec = TABLES[name].columns
    out = frame.copy()
    for column, rule in spec.items():
        if column not in out.columns and rule.nullable:
            out[column] = pd.NA if rule.kind != "float" else float("nan")
    missing = [c for c in spec if c not in out.columns]
    extra = [c for c in out.columns if c not in spec]
    if missing or extra:
        problems = [Problem(name, "missing_column", "is missing", column=c) for c in missing]
        problems += [
            Problem(name, "unknown_column", "is not in the table's contract", column=c)
            for c in extra
        ]
        raise ContractError(
            f"the table '{name}' does not have the columns of its contract", problems
        )
    for column, rule in spec.items():
        if rule.kind == "text":
            series = out[column].astype("object")
            out[column] = series.where(series.notna() & (series != ""), None).astype("str")
        else:
            out[column] = out[column].astype(_DTYPES[rule.kind])
    out = out[list(spec)].reset_index(drop=True)
    if check:
        validate(name, out)
    return out


def validate(name: str, frame: pd.DataFrame) -> None:
    """Hold a DataFrame against the contract of the table `name`.

    Raises
    ------
    ContractError
        With one problem per broken rule and column: how many rows, and the first row's number.
        Cell values are left out, since the table may hold health data.
    """
    import pandera.pandas as pa

    table = TABLES[name]
    columns = {}
    for column, rule in table.columns.items():
        checks: list[Any] = []
        if rule.allowed:
            checks.append(pa.Check.isin(list(rule.allowed)))
        if rule.low is not None:
            checks.append(pa.Check.ge(rule.low))
        if rule.high is not None:
            checks.append(pa.Check.le(rule.high))
        if rule.pattern:
            checks.append(pa.Check.str_matches(rule.pattern))
        columns[column] = pa.Column(_DTYPES[rule.kind], checks=checks, nullable=rule.nullable)
    schema = pa.DataFrameSchema(columns, strict=True, ordered=True, unique=list(table.key) or None)
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        problems = []
        for (column, check), rows in cases.groupby(["column", "check"], dropna=False, sort=False):
            index = rows["index"].dropna()
            first = int(index.iloc[0]) + 1 if len(index) else None
            message = f"breaks the rule in {len(rows)} row(s)"
            if first is not None:
                message += f", first in row {first}"
            problems.append(Problem(name, str(check), message, column=str(column)))
        text = f"the table '{name}' breaks its contract"
        # `from None`: pandera's own message prints the failing cells.
        raise ContractError(text, problems) from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file beside its place and move it there whole, so that no half of it is ever read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    yield part
    part.replace(path)


def write_text(text: str, path: Path) -> None:
    """Write a text file: UTF-8, whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table byte for byte the same on every run: UTF-8, LF, 12 digits, empty = missing."""
    with replacing(path) as part:
        frame.to_csv(part, index=False, float_format="%.12g", lineterminator="\n", encoding="utf-8")


def read_csv(name: str, path: Path) -> pd.DataFrame:
    """Read a table that `write_csv` wrote back into its contract's types."""
    import pandas as pd

    text = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    spec = TABLES[name].columns
    out = {}
    for column in text.columns:
        kind, cells = spec[column].kind, text[column]
        if kind == "text":
            out[column] = cells.where(cells != "", None)
        elif kind == "bool":
            out[column] = cells == "True"
        else:
            out[column] = pd.to_numeric(cells.where(cells != "", None))
    return conform(name, pd.DataFrame(out))


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a row-level table as parquet, in the order of its rows."""
    import duckdb

    with replacing(path) as part, duckdb.connect() as connection:
        target = str(part).replace("'", "''")
        connection.execute("SET threads = 1")  # one row group after the other: the same bytes
        connection.register("frame", frame)
        connection.execute(f"COPY frame TO '{target}' (FORMAT parquet, COMPRESSION zstd)")


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a row-level table."""
    import duckdb

    with duckdb.connect() as connection:
        return connection.execute("SELECT * FROM read_parquet(?)", [str(path)]).df()


def count_rows(path: Path) -> int:
    """Count the rows of a row-level table without reading them."""
    import duckdb

    with duckdb.connect() as connection:
        row = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone()
    return int(row[0]) if row else 0
