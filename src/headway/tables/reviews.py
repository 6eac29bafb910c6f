"""Contracts of a review's tables: published numbers, effects and what is pooled of them.

Vocabulary
----------
positive_means : what a positive number says, as the source prints it. For a change within one
    arm `worse` (post - pre) or `better` (a decrease); for a contrast `treatment_minus_control`
    or `control_minus_treatment`; `unstated` where the source does not say (shown, never pooled).
status : `retrieved` (read in the text), `computed` (from a retrieved file), `recalled`
    (unverified: shown, never pooled by default).
"""

from __future__ import annotations

from headway.tables.columns import (
    COMPARATORS,
    STATUSES,
    TECHNIQUES,
    Column,
    Table,
    flag,
    integer,
    number,
    text,
)

SPREAD_LABELS = ("sd", "se", "unstated")

CHANGE_SIGNS = ("worse", "better", "unstated")

CONTRAST_SIGNS = ("treatment_minus_control", "control_minus_treatment", "unstated")

ESTIMANDS = ("between_arm", "within_arm", "single_arm")

VERDICTS = ("reproduced", "not reproduced", "not recomputable")

_TRIAL: dict[str, Column] = {
    "trial": text("Trial, by first author and year"),
    "year": integer("Year of publication", nullable=True),
    "doi": text("Digital object identifier", nullable=True),
    "condition": text("Condition of the participants, as the source names it", nullable=True),
}

_ORIGIN: dict[str, Column] = {
    "status": text("How the numbers were obtained", allowed=STATUSES),
    "source": text("Page or table that prints the numbers"),
    "note": text("Remark about the row", nullable=True),
    "file": text("Raw file of the row"),
    "line": integer("Line of the row in that file (1 = header)", low=1),
}

_PLACE: dict[str, Column] = {
    "outcome": text("Outcome: frequency, intensity, duration or another declared one"),
    "unit": text("Unit the numbers are in (the outcome's own unit where conversion is possible)"),
    "unit_printed": text("Unit as the source prints it"),
    "timepoint": text("Timepoint as the source names it"),
    "time_days": number("Days from start of treatment or randomisation", "days"),
}

ARMS = Table(
    row="trial x arm x outcome x timepoint",
    key=("trial", "arm", "outcome", "timepoint", "kind"),
    columns={
        **_TRIAL,
        "arm": text("Arm, as the source names it"),
        "role": text("Role in the trial", allowed=("treatment", "control")),
        "technique": text("What was done in the arm", allowed=TECHNIQUES, nullable=True),
        "comparator": text("Kind of control arm", allowed=COMPARATORS, nullable=True),
        **_PLACE,
        "kind": text("What `mean` is", allowed=("baseline", "final", "change", "events")),
        "n": number("Participants", "participants", low=0),
        "mean": number("Mean, at `unit`; a change is post - pre (negative = fewer)"),
        "sd": number("Standard deviation of `mean`'s individuals", low=0),
        "range_low": number("Smallest value printed"),
        "range_high": number("Largest value printed"),
        "median": number("Median"),
        "q1": number("First quartile"),
        "q3": number("Third quartile"),
        "baseline_n": number("Participants at baseline", "participants", low=0),
        "baseline_mean": number("Mean at baseline"),
        "baseline_sd": number("Standard deviation at baseline", low=0),
        "events": number("Participants with the event (two by two data)", "participants", low=0),
        "printed_mean": number("Mean as printed, before sign and unit were made canonical"),
        "printed_sd": number("Standard deviation, or standard error, as printed"),
        "mean_decimals": integer("Decimals of the printed mean", nullable=True, low=0),
        "sd_decimals": integer("Decimals of the printed spread", nullable=True, low=0),
        "step": number("Step between possible values of one person, in the printed unit", low=0),
        "spread_label": text(
            "What the source calls the number typed as sd, where that is something else",
            allowed=SPREAD_LABELS,
            nullable=True,
        ),
        "t": number("Paired t as printed"),
        "p": text("p value of a change as printed", nullable=True),
        "positive_means": text("What a positive printed change says", nullable=True),
        "mean_from": text("How the mean was obtained", nullable=True),
        "sd_from": text("How the standard deviation was obtained", nullable=True),
        **_ORIGIN,
    },
)

CONTRASTS = Table(
    row="trial x pair of arms x outcome x timepoint",
    key=("trial", "treatment_arm", "control_arm", "outcome", "timepoint", "effect_type"),
    columns={
        **_TRIAL,
        "treatment_arm": text("Arm 1"),
        "control_arm": text("Arm 2"),
        "technique": text("What was done in arm 1", allowed=TECHNIQUES, nullable=True),
        "comparator": text("Kind of arm 2", allowed=COMPARATORS, nullable=True),
        **_PLACE,
        "effect_type": text("Statistic as the source names it"),
        "printed_effect": number("Effect as printed"),
        "printed_ci_low": number("Lower limit as printed"),
        "printed_ci_high": number("Upper limit as printed"),
        "effect_decimals": integer("Decimals of the printed effect", nullable=True, low=0),
        "ci_low_decimals": integer("Decimals of the lower limit", nullable=True, low=0),
        "ci_high_decimals": integer("Decimals of the upper limit", nullable=True, low=0),
        "positive_means": text("What a positive printed effect says", allowed=CONTRAST_SIGNS),
        "effect": number("Effect as treatment - control; empty where the sign is unstated"),
        "ci_low": number("Lower limit, treatment - control"),
        "ci_high": number("Upper limit, treatment - control"),
        "se": number("Standard error implied by the interval (or p value)", low=0),
        "se_from": text("How the standard error was obtained", nullable=True),
        "p": text("p value as printed", nullable=True),
        "n_total": number("Participants in both arms or the trial", "participants", low=0),
        **_ORIGIN,
    },
)

IPD = Table(
    row="person x outcome x timepoint of a trial's individual data",
    key=("trial", "person", "outcome", "timepoint"),
    level="row-level",
    columns={
        "trial": text("Trial, by first author and year"),
        "person": integer("Number of the row in the raw file, 1 = first", low=1),
        "arm": text("Arm"),
        "role": text("Role in the trial", allowed=("treatment", "control")),
        "outcome": text("Outcome"),
        "timepoint": text("Timepoint"),
        "time_days": number("Days from start of treatment or randomisation", "days"),
        "baseline": number("Value before, in the outcome's unit"),
        "value": number("Value at the timepoint, in the outcome's unit"),
        "covariates": text("Declared covariates as JSON"),
        "file": text("Raw file"),
    },
)

RISK_OF_BIAS = Table(
    row="a judgement of risk of bias: trial x outcome x domain",
    columns={
        "trial": text("Trial"),
        "outcome": text("Outcome it is about; empty for all", nullable=True),
        "domain": text("Domain of the tool, or overall"),
        "judgement": text("Judgement in the tool's own words"),
        "support": text("What it rests on", nullable=True),
        "signed_by": text("Who judged"),
        "file": text("Raw file"),
        "line": integer("Line"),
    },
)

PUBLISHED = Table(
    row="a pooled result as printed",
    key=("outcome", "subgroup", "timepoint"),
    columns={
        "outcome": text("Outcome"),
        "unit": text("Unit of the estimate"),
        "subgroup": text("Subgroup of trials", nullable=True),
        "timepoint": text("Timepoint"),
        "measure": text("Measure, metafor's code", nullable=True),
        "k": integer("Trials pooled", nullable=True, low=1),
        "effect": number("Pooled estimate as printed"),
        "ci_low": number("Lower limit"),
        "ci_high": number("Upper limit"),
        "decimals": integer("Decimals printed, over the estimate and its limits", low=0),
        "model": text("Model, as far as the source says", nullable=True),
        "positive_means": text("What a positive estimate says", allowed=CONTRAST_SIGNS),
        **_ORIGIN,
    },
)

_POOL_ID: dict[str, Column] = {
    "comparison": text("Identifier of the comparison in review.yaml"),
    "label": text("The comparison in words"),
    "outcome": text("Outcome"),
    "estimand": text("What is estimated; never pooled across", allowed=ESTIMANDS),
    "measure": text("Measure, metafor's code"),
    "unit": text("Unit of the estimate on its own scale"),
}

EFFECTS = Table(
    row="one trial's effect in one comparison",
    key=("comparison", "trial", "arms", "timepoint", "measure", "basis"),
    columns={
        **_POOL_ID,
        "subgroup": text("Subgroup", nullable=True),
        "trial": text("Trial"),
        "year": integer("Year", nullable=True),
        "arms": text("Arms compared, or the arm followed"),
        "timepoint": text("Timepoint"),
        "basis": text("Rows the effect stands on", allowed=("arms", "contrast", "published")),
        "n1": number("Participants, treatment arm", "participants"),
        "mean1": number("Mean, treatment arm (post, where one arm is followed)"),
        "sd1": number("Standard deviation, treatment arm"),
        "n2": number("Participants, control arm", "participants"),
        "mean2": number("Mean, control arm (pre, where one arm is followed)"),
        "sd2": number("Standard deviation, control arm"),
        "events1": number("Events, treatment arm"),
        "events2": number("Events, control arm"),
        "r": number("Pre-post correlation used", low=-1, high=1),
        "r_from": text("Where r comes from", nullable=True),
        "yi": number("Effect (log scale for RR and OR)"),
        "vi": number("Sampling variance of yi", low=0),
        "ci_low": number("Lower limit of yi (Wald, 95 % unless the review declares another)"),
        "ci_high": number("Upper limit of yi"),
        "weight": number("Share of the pooled estimate", "percent"),
        "pooled": flag("Whether the row enters the pooled estimate"),
        "why_not": text("Why it does not", nullable=True),
        "status": text("How the numbers were obtained", allowed=STATUSES),
        "source": text("Page or table that prints them"),
        "recovered": text("Numbers that are not printed, and how each was found", nullable=True),
        "note": text("Remark", nullable=True),
    },
)

POOLED = Table(
    row="one pooled estimate: comparison x subgroup x method x test",
    key=("comparison", "subgroup", "method", "test", "assumption"),
    columns={
        **_POOL_ID,
        "subgroup": text("Subgroup; 'overall' for all", nullable=False),
        "assumption": text("What a sensitivity analysis assumes, such as r = 0.5", nullable=True),
        "method": text("Estimator of tau2, metafor's code"),
        "test": text("z, t, knha, adhoc or kr"),
        "declared": flag("Whether the review declares this model (the others are sensitivity)"),
        "level": number("Confidence level", nullable=False),
        "k": integer("Trials pooled", low=0),
        "n_total": number("Participants, where every trial prints them", "participants"),
        "estimate": number("Pooled estimate (log scale for RR and OR)"),
        "se": number("Standard error", low=0),
        "ci_low": number("Lower limit"),
        "ci_high": number("Upper limit"),
        "pi_low": number("Lower limit of the prediction interval"),
        "pi_high": number("Upper limit of the prediction interval"),
        "p_value": number("Two-sided p value", low=0, high=1),
        "tau2": number("Between-trial variance", low=0),
        "i2": number("Share of variance between trials", "percent"),
        "h2": number("Total over sampling variance"),
        "q": number("Cochran's Q"),
        "q_df": number("Degrees of freedom of Q"),
        "q_p_value": number("p value of Q"),
        "ci_method": text("Method of the interval in words"),
        "pi_method": text("Method of the prediction interval in words", nullable=True),
        "note": text("What the estimate cannot say", nullable=True),
    },
)

MULTIVERSE = Table(
    row="one specification: a choice of effects, trials, estimator and interval",
    key=("comparison", "subgroup", "specification"),
    columns={
        "comparison": text("Identifier of the comparison in review.yaml"),
        "subgroup": text("Subgroup that stands alone; 'overall' for all"),
        "specification": integer("Number within the set; 0 is the declared one", low=0),
        "measure": text("Effect measure, metafor's code"),
        "assumed_r": text("Correlation assumed where it is not printed, or 'not needed'"),
        "rows_used": text("Rows read in the source only, or recalled ones with them"),
        "studies": text("All trials, or a part by name"),
        "left_out": text("Trial left out; 'none' where none is"),
        "method": text("Estimator of tau2, metafor's code"),
        "test": text("z, t, knha, adhoc or kr"),
        "k": integer("Trials pooled", low=0),
        "estimate": number("Pooled estimate (log scale for RR and OR)"),
        "se": number("Standard error", low=0),
        "ci_low": number("Lower limit"),
        "ci_high": number("Upper limit"),
        "p_value": number("Two-sided p value", low=0, high=1),
        "tau2": number("Between-trial variance", low=0),
        "i2": number("Share of variance between trials", "percent"),
        "unit": text("Unit of the estimate"),
        "level": number("Confidence level", nullable=False),
        "declared": flag("Whether this is the specification that the review declares"),
    },
)

REFITS = Table(
    row="a set of trials pooled again: without one, or up to one",
    key=("comparison", "subgroup", "analysis", "position"),
    columns={
        "comparison": text("Identifier of the comparison in review.yaml"),
        "subgroup": text("Subgroup that stands alone; 'overall' for all"),
        "analysis": text("What is done", allowed=("leave one out", "cumulative")),
        "position": integer("Place in the order: of the rows, or of the years", low=1),
        "trial": text("Trial left out, or added last"),
        "k": integer("Trials pooled", low=0),
        "estimate": number("Pooled estimate (log scale for RR and OR)"),
        "ci_low": number("Lower limit"),
        "ci_high": number("Upper limit"),
        "pi_low": number("Lower limit of the prediction interval"),
        "pi_high": number("Upper limit of the prediction interval"),
        "p_value": number("Two-sided p value", low=0, high=1),
        "tau2": number("Between-trial variance", low=0),
        "i2": number("Share of variance between trials", "percent"),
    },
)

SMALL_STUDIES = Table(
    row="a check of whether effects go with the size of their trial",
    key=("comparison", "subgroup", "check"),
    columns={
        "comparison": text("Identifier of the comparison in review.yaml"),
        "subgroup": text("Subgroup that stands alone; 'overall' for all"),
        "k": integer("Trials pooled", low=0),
        "check": text("Check; 'none' where there are too few trials"),
        "statistic": number("t of the slope, Kendall's tau, or trials filled in"),
        "p_value": number("Two-sided p value", low=0, high=1),
        "estimate": number("Pooled estimate that the check gives (log scale for RR and OR)"),
        "ci_low": number("Lower limit"),
        "ci_high": number("Upper limit"),
        "note": text("What it can say"),
    },
)

FINDINGS = Table(
    row="a row of the summary of findings: what is computed, and what people judged",
    key=("comparison", "subgroup"),
    columns={
        "comparison": text("Identifier of the comparison in review.yaml"),
        "subgroup": text("Subgroup; 'overall' for all"),
        "outcome": text("Outcome in words"),
        "measure": text("Measure, metafor's code"),
        "unit": text("Unit of the estimate"),
        "k": integer("Trials pooled", low=0),
        "n_total": number("Participants, where every trial prints them", "participants"),
        "estimate": number("Pooled estimate (a ratio for RR and OR)"),
        "ci_low": number("Lower limit"),
        "ci_high": number("Upper limit"),
        "control": text("What people without the treatment have, and its source", nullable=True),
        "absolute": text("Difference in the outcome's unit, or per 1000 people", nullable=True),
        "meaningful": number("Smallest difference that matters"),
        "meaningful_source": text("Its source", nullable=True),
        "target": text("What the interval is rated against", nullable=True),
        "share": text("Patients beyond a meaningful change, treated v control", nullable=True),
        "settings": text("Share of settings beyond the meaningful difference", nullable=True),
        "information_size": number("Participants needed in all (OIS)", "participants"),
        "imprecision": text("Facts for judging imprecision", nullable=True),
        "inconsistency": text("Facts for judging inconsistency", nullable=True),
        "judgements": text("Judgements as typed, with their reasons", nullable=True),
        "certainty": text("Certainty as typed; never computed", nullable=True),
        "signed_by": text("Who judged", nullable=True),
        "doubts": text("Contradictions between judgements and certainty", nullable=True),
    },
)

REPRODUCTION = Table(
    row="one printed number, recomputed",
    key=("quantity", "part"),
    columns={
        "quantity": text("Identifier of the published quantity in review.yaml"),
        "label": text("The quantity in words"),
        "part": text("estimate, ci_low, ci_high, p or another printed part"),
        "published": text("The number as printed"),
        "recomputed": number("The number recomputed, in the published sign and unit"),
        "difference": number("recomputed - published"),
        "printed_unit": number("One unit of the last printed digit"),
        "rounds_identically": text("yes, no, or empty", allowed=("yes", "no"), nullable=True),
        "verdict": text("Verdict", allowed=VERDICTS),
        "how": text("How it was recomputed: measure, model, rows"),
        "explanation": text("By how much, what is missing; conjecture labelled", nullable=True),
        "source": text("Where it is printed"),
    },
)

CONSISTENCY = Table(
    row="a check of published summaries against each other (not a re-analysis)",
    key=("check", "outcome", "model"),
    columns={
        "check": text("Identifier of the check in review.yaml"),
        "label": text("The check in words"),
        "outcome": text("Outcome"),
        "unit": text("Unit"),
        "model": text("Model"),
        "k": integer("Published summaries combined", low=0),
        "estimate": number("Combined estimate"),
        "ci_low": number("Lower limit"),
        "ci_high": number("Upper limit"),
        "significant": text("Whether the interval excludes 0", allowed=("yes", "no")),
        "q": number("Q of the difference between the summaries"),
        "q_df": number("Degrees of freedom"),
        "q_p_value": number("p value of the difference"),
    },
)

INTEGRITY = Table(
    row="a doubt about a printed number",
    columns={
        "trial": text("Trial"),
        "outcome": text("Outcome", nullable=True),
        "where": text("Arm or contrast, and timepoint"),
        "check": text("Check"),
        "printed": text("What was printed"),
        "expected": text("What was expected"),
        "severity": text("Severity", allowed=("note", "doubt", "impossible")),
        "explanation": text("In words"),
        "file": text("Raw file"),
        "line": integer("Line"),
    },
)
