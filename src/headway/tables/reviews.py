"""Contracts of a review's tables: published numbers, effects and what is pooled of them.

Vocabulary
----------
positive_means : what a positive number says, as the source prints it. For a change within one
    arm `worse` (post - pre) or `better` (a decrease); for a contrast `treatment_minus_control`
    or `control_minus_treatment`; `unstated` where the source does not say (shown, never pooled).
status : `retrieved` (read in the text), `transcribed` (read off a figure by two people who agree,
    named in `source`), `computed` (from a retrieved file), `recalled` (unverified: shown, never
    pooled by default).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from headway.tables.columns import (
    COMPARATORS,
    PUBLISHED,
    ROW_LEVEL,
    STATUSES,
    TECHNIQUES,
    Column,
    Table,
    flag,
    integer,
    number,
    text,
)
from headway.tables.risk_tools import RISK_TOOLS

words = partial(text, disclosure=PUBLISHED)
printed = partial(number, disclosure=PUBLISHED)
whole = partial(integer, disclosure=PUBLISHED)
yes_no = partial(flag, disclosure=PUBLISHED)

SPREAD_LABELS = ("sd", "se", "unstated")

CONTRAST_SIGNS = ("treatment_minus_control", "control_minus_treatment", "unstated")

# How people were allocated: in clusters, whose correlation the numbers leave out of account
# (`cluster`) or not (`cluster_adjusted`); or each to all arms, one after the other.
DESIGNS = ("parallel", "cluster", "cluster_adjusted", "crossover")

ESTIMANDS = ("between_arm", "within_arm", "single_arm")

# `own`: inverse variance, as the review's `model` says; then RevMan's methods; then models of
# several effects of a trial.
WEIGHTINGS = ("own", "MH", "IV", "Peto", "EXP_O_E", "multilevel", "multivariate", "covariance")

QUANTITIES = (
    "baseline_risk",
    "risk_difference",
    "number_needed",
    "in_unit",
    "without_high_risk",
)

BASES = ("arms", "periods", "contrast", "published", "combined")

# Priors of the between-trial standard deviation tau, as review.yaml names them.
TAU_PRIORS = ("half_normal", "half_cauchy", "uniform", "turner", "rhodes")

VERDICTS = ("reproduced", "not reproduced", "not recomputable", "not estimable")

NETWORK_STATES = ("pooled", "no_trials", "not_computable")

NETWORK_PARTS = (
    "total",
    "heterogeneity",
    "inconsistency",
    "inconsistency_random",
    "within",
    "detached",
)

_TRIAL: dict[str, Column] = {
    "trial": words("Trial, by first author and year"),
    "year": whole("Year of publication", nullable=True),
    "doi": words("Digital object identifier", nullable=True),
    "condition": words("Condition of the participants, as the source names it", nullable=True),
}

_ANALYSIS: dict[str, Column] = {
    "analysis": words("Number of the analysis in the file the row comes from", nullable=True),
    "subgroup": words("Subgroup that the file puts the row in", nullable=True),
}

_CLUSTERS: dict[str, Column] = {
    "design": words("How people were allocated", allowed=DESIGNS, nullable=True),
    "clusters": printed("Clusters, of a trial that took in clusters", low=1),
    "cluster_size": printed("Mean number of people per cluster", "people", low=1),
    "icc": printed("Intracluster correlation, printed or borrowed", low=0, high=1),
}

_SHOWN: dict[str, Column] = {
    "shown_effect": printed("Effect of the row that the file shows, ratios as ratios"),
    "shown_ci_low": printed("Lower limit that the file shows"),
    "shown_ci_high": printed("Upper limit that the file shows"),
    "shown_level": printed("Level of that interval", "percent"),
}

_OWN: dict[str, Column] = {
    "own": words(
        "Cells of the file's own columns that forest plots show or that are moderators, as JSON",
        nullable=True,
    ),
}

_ORIGIN: dict[str, Column] = {
    "status": words("How the numbers were obtained", allowed=STATUSES),
    "source": words("Page or table that prints the numbers"),
    "note": words("Remark about the row", nullable=True),
    "file": words("Raw file of the row"),
    "line": whole("Line of the row in that file (1 = header)", low=1),
}

_PLACE: dict[str, Column] = {
    "outcome": words("Outcome: frequency, intensity, duration or another declared one"),
    "unit": words("Unit the numbers are in (the outcome's own unit where conversion is possible)"),
    "unit_printed": words("Unit as the source prints it"),
    "instrument": words("Scale or test, where a trial measured it by several", nullable=True),
    "timepoint": words("Timepoint as the source names it"),
    "time_days": printed("Days from start of treatment or randomisation", "days"),
}

ARMS = Table(
    row="trial x arm x outcome x timepoint",
    key=("trial", "arm", "outcome", "instrument", "timepoint", "kind", "analysis", "subgroup"),
    columns={
        **_TRIAL,
        **_ANALYSIS,
        "arm": words("Arm, as the source names it"),
        "role": words("Role in the trial", allowed=("treatment", "control")),
        "technique": words("What was done in the arm", allowed=TECHNIQUES, nullable=True),
        "comparator": words("Kind of control arm", allowed=COMPARATORS, nullable=True),
        **_PLACE,
        "kind": words("What `mean` is", allowed=("baseline", "final", "change", "events")),
        "n": printed("Participants", "people", low=0),
        "mean": printed("Mean, at `unit`; a change is post - pre (negative = fewer)"),
        "sd": printed("Standard deviation of `mean`'s individuals", low=0),
        "range_low": printed("Smallest value printed"),
        "range_high": printed("Largest value printed"),
        "median": printed("Median"),
        "q1": printed("First quartile"),
        "q3": printed("Third quartile"),
        "baseline_n": printed("Participants at baseline", "people", low=0),
        "baseline_mean": printed("Mean at baseline"),
        "baseline_sd": printed("Standard deviation at baseline", low=0),
        "events": printed("Participants with the event; over person-time, events", low=0),
        "person_years": printed("Person-time in which `events` happened", "person_years", low=0),
        "r": printed(
            "Correlation of before and after; or the one that `outcome` is", low=-1, high=1
        ),
        "alpha": printed("Cronbach's alpha of a questionnaire", high=1),
        "items": printed("Items of that questionnaire", low=2),
        **_CLUSTERS,
        "period_r": printed(
            "Correlation of a person's values in the periods of a crossover trial", low=-1, high=1
        ),
        "printed_mean": printed("Mean as printed, before sign and unit were made canonical"),
        "printed_sd": printed("Standard deviation, or standard error, as printed"),
        "mean_decimals": whole("Decimals of the printed mean", nullable=True, low=0),
        "sd_decimals": whole("Decimals of the printed spread", nullable=True, low=0),
        "step": printed("Step between possible values of one person, in the printed unit", low=0),
        "spread_label": words(
            "What the source calls the number typed as sd, where that is something else",
            allowed=SPREAD_LABELS,
            nullable=True,
        ),
        "t": printed("Paired t as printed"),
        "p": words("p value of a change as printed", nullable=True),
        "positive_means": words("What a positive printed change says", nullable=True),
        "mean_from": words("How the mean was obtained", nullable=True),
        "sd_from": words("How the standard deviation was obtained", nullable=True),
        **_SHOWN,
        **_OWN,
        **_ORIGIN,
    },
)

CONTRASTS = Table(
    row="trial x pair of arms x outcome x timepoint",
    key=(
        "trial",
        "treatment_arm",
        "control_arm",
        "outcome",
        "instrument",
        "timepoint",
        "effect_type",
        "analysis",
        "subgroup",
    ),
    columns={
        **_TRIAL,
        **_ANALYSIS,
        "treatment_arm": words("Arm 1"),
        "control_arm": words("Arm 2"),
        "technique": words("What was done in arm 1", allowed=TECHNIQUES, nullable=True),
        "comparator": words("Kind of arm 2", allowed=COMPARATORS, nullable=True),
        **_PLACE,
        "effect_type": words("Statistic as the source names it"),
        "printed_effect": printed("Effect as printed"),
        "printed_ci_low": printed("Lower limit as printed"),
        "printed_ci_high": printed("Upper limit as printed"),
        "effect_decimals": whole("Decimals of the printed effect", nullable=True, low=0),
        "ci_low_decimals": whole("Decimals of the lower limit", nullable=True, low=0),
        "ci_high_decimals": whole("Decimals of the upper limit", nullable=True, low=0),
        "positive_means": words("What a positive printed effect says", allowed=CONTRAST_SIGNS),
        "effect": printed("Effect as treatment - control; empty where the sign is unstated"),
        "ci_low": printed("Lower 95 % limit, treatment - control"),
        "ci_high": printed("Upper 95 % limit, treatment - control"),
        "se": printed("Standard error implied by the interval (or p value)", low=0),
        "se_from": words("How the standard error was obtained", nullable=True),
        "p": words("p value as printed", nullable=True),
        "n_total": printed("Participants in both arms or the trial", "people", low=0),
        **_CLUSTERS,
        **_SHOWN,
        **_OWN,
        **_ORIGIN,
    },
)

_IPD: dict[str, Column] = {
    "trial": words("Trial, by first author and year"),
    "person": whole("Number of the row in the raw file, 1 = first", low=1),
    "arm": words("Arm"),
    "role": words("Role in the trial", allowed=("treatment", "control")),
    "outcome": words("Outcome"),
    "timepoint": words("Timepoint"),
    "time_days": printed("Days from start of treatment or randomisation", "days"),
    "baseline": printed("Value before, in the outcome's unit"),
    "value": printed("Value at the timepoint, in the outcome's unit"),
    "covariates": words("Declared covariates as JSON"),
    "file": words("Raw file"),
}
IPD = Table(
    row="person x outcome x timepoint of a trial's individual data",
    key=("trial", "person", "outcome", "timepoint"),
    level="row-level",
    columns={name: replace(column, disclosure=ROW_LEVEL) for name, column in _IPD.items()},
)

RISK_OF_BIAS = Table(
    row="a judgement of risk of bias: trial x outcome x domain",
    columns={
        "trial": words("Trial"),
        "tool": words("Tool that judges it", allowed=tuple(RISK_TOOLS)),
        "outcome": words("Outcome it is about; empty for all", nullable=True),
        "domain": words("Domain of the tool, or overall"),
        "judgement": words("Judgement in the tool's own words"),
        "support": words("What it rests on", nullable=True),
        "signed_by": words("Who judged"),
        "file": words("Raw file"),
        "line": whole("Line"),
    },
)

PUBLISHED_RESULTS = Table(
    row="a pooled result as printed",
    key=("outcome", "subgroup", "timepoint"),
    columns={
        "outcome": words("Outcome"),
        "unit": words("Unit of the estimate"),
        "subgroup": words("Subgroup of trials", nullable=True),
        "timepoint": words("Timepoint"),
        "measure": words("Measure, metafor's code", nullable=True),
        "k": whole("Trials pooled", nullable=True, low=1),
        "effect": printed("Pooled estimate as printed"),
        "ci_low": printed("Lower 95 % limit"),
        "ci_high": printed("Upper 95 % limit"),
        "decimals": whole("Decimals printed, over the estimate and its limits", low=0),
        "model": words("Model, as far as the source says", nullable=True),
        "positive_means": words("What a positive estimate says", allowed=CONTRAST_SIGNS),
        **_ORIGIN,
    },
)

_POOL_ID: dict[str, Column] = {
    "comparison": words("Identifier of the comparison in review.yaml"),
    "label": words("The comparison in words"),
    "outcome": words("Outcome"),
    "estimand": words("What is estimated; never pooled across", allowed=ESTIMANDS),
    "measure": words("Measure, metafor's code"),
    "unit": words("Unit of the estimate on its own scale"),
}

EFFECTS = Table(
    row="one trial's effect in one comparison",
    key=("comparison", "trial", "arms", "timepoint", "measure", "basis", "lines"),
    columns={
        **_POOL_ID,
        "analysis": words("Number of the analysis in the file the row comes from", nullable=True),
        "subgroup": words("Subgroup", nullable=True),
        "trial": words("Trial"),
        "year": whole("Year", nullable=True),
        "arms": words("Arms compared, or the arm followed"),
        "timepoint": words("Timepoint"),
        "instrument": words("Scale or test, where a trial has several", nullable=True),
        "basis": words("Rows the effect stands on", allowed=BASES),
        "lines": words("Raw file and lines of these rows", nullable=True),
        "n1": printed("Participants, treatment arm", "people"),
        "mean1": printed("Mean, treatment arm (post, where one arm is followed)"),
        "sd1": printed("Standard deviation, treatment arm"),
        "n2": printed("Participants, control arm", "people"),
        "mean2": printed("Mean, control arm (pre, where one arm is followed)"),
        "sd2": printed("Standard deviation, control arm"),
        "events1": printed("Events, treatment arm"),
        "events2": printed("Events, control arm"),
        "time1": printed("Person-time, treatment arm", "person_years"),
        "time2": printed("Person-time, control arm", "person_years"),
        "mean_pre1": printed("Mean before, treatment arm (of measures that use it)"),
        "sd_pre1": printed("Standard deviation before, treatment arm"),
        "mean_pre2": printed("Mean before, control arm"),
        "sd_pre2": printed("Standard deviation before, control arm"),
        "alpha": printed("Cronbach's alpha"),
        "items": printed("Items of the questionnaire"),
        "r": printed("Pre-post correlation used, or the correlation pooled", low=-1, high=1),
        "r_from": words("Where r comes from", nullable=True),
        "yi": printed("Effect (log scale for ratios)"),
        "vi": printed("Sampling variance of yi", low=0),
        "ci_low": printed("Lower limit of yi (Wald, 95 % unless the review declares another)"),
        "ci_high": printed("Upper limit of yi"),
        "weight": printed("Share of the pooled estimate", "percent"),
        "pooled": yes_no("Whether the row enters the pooled estimate"),
        "why_not": words("Why it does not", nullable=True),
        "status": words("How the numbers were obtained", allowed=STATUSES),
        "source": words("Page or table that prints them"),
        "recovered": words("Numbers that are not printed, and how each was found", nullable=True),
        "note": words("Remark", nullable=True),
    },
)

POOLED = Table(
    row="one pooled estimate: comparison x subgroup x method x test",
    key=("comparison", "subgroup", "weighting", "method", "test", "assumption"),
    columns={
        **_POOL_ID,
        "subgroup": words("Subgroup; 'overall' for all", nullable=False),
        "assumption": words("What a sensitivity analysis assumes, such as r = 0.5", nullable=True),
        "weighting": words("Rules it is pooled by", allowed=WEIGHTINGS),
        "method": words("Estimator of tau2, metafor's code; EE for a common effect"),
        "test": words("z, t, knha, adhoc, kr, or cr2 (by trials)"),
        "declared": yes_no("Whether the review declares this model (the others are sensitivity)"),
        "level": printed("Confidence level", nullable=False),
        "k": whole("Trials pooled", low=0),
        "n_total": printed("Participants, where every trial prints them", "people"),
        "estimate": printed("Pooled estimate (log scale for ratios)"),
        "se": printed("Standard error", low=0),
        "ci_low": printed("Lower limit"),
        "ci_high": printed("Upper limit"),
        "pi_low": printed("Lower limit of the prediction interval"),
        "pi_high": printed("Upper limit of the prediction interval"),
        "p_value": printed("Two-sided p value", low=0, high=1),
        "tau2": printed("Between-trial variance", low=0),
        "i2": printed("Share of variance between trials", "percent"),
        "h2": printed("Total over sampling variance"),
        "q": printed("Cochran's Q"),
        "q_df": printed("Degrees of freedom of Q"),
        "q_p_value": printed("p value of Q"),
        "ci_method": words("Method of the interval"),
        "pi_method": words("Method of the prediction interval", nullable=True),
        "note": words("What the estimate cannot say", nullable=True),
    },
)

_NETWORK: dict[str, Column] = {"network": words("Identifier of the network in review.yaml")}
_PAIR: dict[str, Column] = {
    **_NETWORK,
    "treatment": words("Treatment"),
    "base": words("What it is compared with"),
}

NETWORKS = Table(
    row="one network of treatments",
    key=("network",),
    columns={
        **_NETWORK,
        "label": words("The network in words"),
        "outcome": words("Outcome"),
        "measure": words("Measure, metafor's code"),
        "unit": words("Unit of the estimates on their own scale"),
        "state": words("Whether it is pooled, or why not", allowed=NETWORK_STATES),
        "reference": words("Treatment the others are set against", nullable=True),
        "treatments": whole("Treatments pooled", low=0),
        "trials": whole("Trials pooled", low=0),
        "contrasts": whole("Independent contrasts: of each trial one less than it has arms", low=0),
        "people": printed("Participants, where every trial prints them", "people"),
        "method": words("Estimator of tau2, metafor's code; EE for common effects"),
        "test": words("z, t, knha or adhoc"),
        "level": printed("Confidence level", nullable=False),
        "tau2": printed("Between-trial variance, one for all comparisons", low=0),
        "se_tau2": printed("Its standard error", low=0),
        "i2": printed("Share of variance that is heterogeneity or inconsistency", "percent"),
        "q": printed("Cochran's Q of the whole network"),
        "q_df": printed("Degrees of freedom of Q"),
        "q_p_value": printed("p value of Q", low=0, high=1),
        "ci_method": words("Method of the interval", nullable=True),
        "pi_method": words("Method of the prediction interval", nullable=True),
        "moderator": words("Column that the moderator is read from", nullable=True),
        "slope": printed("Change of each effect against the reference per unit of the moderator"),
        "slope_low": printed("Lower limit"),
        "slope_high": printed("Upper limit"),
        "slope_p_value": printed("Two-sided p value", low=0, high=1),
        "slope_trials": whole("Trials that state the moderator", nullable=True, low=0),
        "parts": words("Treatments without connection to those pooled", nullable=True),
        "methods": words("How it is pooled, as sentences for a methods section", nullable=True),
        "note": words("What the network cannot say", nullable=True),
    },
)

NETWORK_EFFECTS = Table(
    row="a trial's effect of one treatment against another; all pairs of its arms",
    key=("network", "trial", "treatment", "base", "arms", "timepoint", "basis", "lines"),
    columns={
        **_NETWORK,
        "outcome": words("Outcome"),
        "measure": words("Measure, metafor's code"),
        "unit": words("Unit of yi"),
        "trial": words("Trial"),
        "year": whole("Year", nullable=True),
        "treatment": words("Treatment; empty where the trial has no effect", nullable=True),
        "base": words("What it is compared with", nullable=True),
        "arms": words("Arms as the source names them"),
        "timepoint": words("Timepoint"),
        "instrument": words("Scale or test, where a trial has several", nullable=True),
        "basis": words("Rows the effect stands on", allowed=BASES),
        "lines": words("Raw file and lines of these rows", nullable=True),
        "n1": printed("Participants, treatment", "people"),
        "n2": printed("Participants, base", "people"),
        "yi": printed("Effect, treatment against base (log scale for ratios)"),
        "vi": printed(
            "Its sampling variance. With b and c against a, (v_ab + v_ac - v_bc) / 2 is their "
            "covariance",
            low=0,
        ),
        "ci_low": printed("Lower limit of yi (Wald)"),
        "ci_high": printed("Upper limit of yi"),
        "pooled": yes_no("Whether the trial enters the network"),
        "why_not": words("Why it does not", nullable=True),
        "status": words("How the numbers were obtained", allowed=STATUSES),
        "source": words("Page or table that prints them"),
        "recovered": words("Numbers that are not printed, and how each was found", nullable=True),
        "note": words("Remark", nullable=True),
    },
)

NETWORK_PAIRS = Table(
    row="a pair of treatments of a network",
    key=("network", "treatment", "base"),
    columns={
        **_PAIR,
        "k_direct": whole("Trials that compare the two", low=0),
        "share_direct": printed("Share of the estimate's precision that is direct", low=0, high=1),
        "estimate": printed("Network estimate (log scale for ratios)"),
        "se": printed("Standard error", low=0),
        "ci_low": printed("Lower limit"),
        "ci_high": printed("Upper limit"),
        "pi_low": printed("Lower limit of the prediction interval"),
        "pi_high": printed("Upper limit of the prediction interval"),
        "p_value": printed("Two-sided p value", low=0, high=1),
        "direct": printed("Direct evidence alone, with the network's tau2"),
        "direct_low": printed("Lower limit"),
        "direct_high": printed("Upper limit"),
        "indirect": printed("Indirect evidence alone, with the network's tau2"),
        "indirect_low": printed("Lower limit"),
        "indirect_high": printed("Upper limit"),
        "side_direct": printed("Direct side of the model in which the sides are split"),
        "side_direct_low": printed("Lower limit"),
        "side_direct_high": printed("Upper limit"),
        "side_indirect": printed("Indirect side of that model"),
        "side_indirect_low": printed("Lower limit"),
        "side_indirect_high": printed("Upper limit"),
        "side_difference": printed("Direct less indirect"),
        "side_difference_low": printed("Lower limit"),
        "side_difference_high": printed("Upper limit"),
        "side_p_value": printed("p value of that difference", low=0, high=1),
    },
)

NETWORK_RANKS = Table(
    row="a treatment of a network",
    key=("network", "treatment"),
    columns={
        **_NETWORK,
        "treatment": words("Treatment"),
        "p_score": printed("Mean certainty that it is better than another", low=0, high=1),
        "mean_rank": printed("Mean rank, 1 for the best", low=1),
        "trials": whole("Trials that have it", low=0),
        "people": printed("Participants, where every trial prints them", "people"),
    },
)

NETWORK_CONSISTENCY = Table(
    row="a statistic of heterogeneity or inconsistency of a network",
    key=("network", "part", "design"),
    columns={
        **_NETWORK,
        "part": words("What it is about", allowed=NETWORK_PARTS),
        "design": words("Treatments of the design; empty for the whole network", nullable=True),
        "q": printed("Chi-squared statistic", low=0),
        "df": whole("Degrees of freedom", low=0),
        "p_value": printed("p value; empty without degrees of freedom", low=0, high=1),
        "tau2": printed("Between-trial variance that it allows for", low=0),
    },
)

NETWORK_CONTRIBUTIONS = Table(
    row="what a direct comparison contributes to a pair's estimate",
    key=("network", "treatment", "base", "direct_treatment", "direct_base"),
    columns={
        **_PAIR,
        "direct_treatment": words("Treatment of the direct comparison"),
        "direct_base": words("What it is compared with"),
        "share": printed("Contribution", "percent", low=0),
        "length": printed("Mean number of comparisons on the paths of the evidence", low=0),
    },
)

NETWORK_MODIFIERS = Table(
    row="what the trials of a direct comparison state of a possible effect modifier",
    key=("network", "treatment", "base", "modifier"),
    columns={
        **_PAIR,
        "modifier": words("Column"),
        "trials": whole("Trials that compare the two", low=0),
        "stated": whole("Trials that state it", low=0),
        "mean": printed("Mean over trials, of numbers"),
        "low": printed("Smallest"),
        "high": printed("Largest"),
        "words": words("Values, of words", nullable=True),
    },
)

NETWORK_SENSITIVITY = Table(
    row="a treatment against the reference, with the network pooled in one other way",
    key=("network", "specification", "treatment"),
    columns={
        **_PAIR,
        "specification": whole("Number within the network; 0 is the declared one", low=0),
        "studies": words("All trials, or a part by name"),
        "left_out": words("Trial left out; 'none' where none is"),
        "method": words("Estimator of tau2, metafor's code"),
        "test": words("z, t, knha or adhoc"),
        "declared": yes_no("Whether this is the way that the review declares"),
        "k": whole("Trials pooled", low=0),
        "estimate": printed("Network estimate (log scale for ratios)"),
        "se": printed("Standard error", low=0),
        "ci_low": printed("Lower limit"),
        "ci_high": printed("Upper limit"),
        "p_value": printed("Two-sided p value", low=0, high=1),
        "tau2": printed("Between-trial variance", low=0),
    },
)

MULTIVERSE = Table(
    row="one specification: a choice of effects, trials, estimator and interval",
    key=("comparison", "subgroup", "specification"),
    columns={
        "comparison": words("Identifier of the comparison in review.yaml"),
        "subgroup": words("Subgroup that stands alone; 'overall' for all"),
        "specification": whole("Number within the set; 0 is the declared one", low=0),
        "measure": words("Effect measure, metafor's code"),
        "assumed_r": words("Correlation assumed where it is not printed, or 'not_needed'"),
        "rows_used": words("Rows read in the source only, or recalled ones with them"),
        "zero_events": words("What becomes of trials without events, or 'not_needed'"),
        "studies": words("All trials, or a part by name"),
        "left_out": words("Trial left out; 'none' where none is"),
        "weighting": words("Rules it is pooled by", allowed=WEIGHTINGS),
        "method": words("Estimator of tau2, metafor's code"),
        "test": words("z, t, knha, adhoc or kr"),
        "k": whole("Trials pooled", low=0),
        "estimate": printed("Pooled estimate (log scale for ratios)"),
        "se": printed("Standard error", low=0),
        "ci_low": printed("Lower limit"),
        "ci_high": printed("Upper limit"),
        "p_value": printed("Two-sided p value", low=0, high=1),
        "tau2": printed("Between-trial variance", low=0),
        "i2": printed("Share of variance between trials", "percent"),
        "unit": words("Unit of the estimate"),
        "level": printed("Confidence level", nullable=False),
        "declared": yes_no("Whether this is the specification that the review declares"),
    },
)

REFITS = Table(
    row="a set of trials pooled again: without one, or up to one",
    key=("comparison", "subgroup", "analysis", "position"),
    columns={
        "comparison": words("Identifier of the comparison in review.yaml"),
        "subgroup": words("Subgroup that stands alone; 'overall' for all"),
        "analysis": words("What is done", allowed=("leave one out", "cumulative")),
        "position": whole("Place in the order: of the rows, or of the years", low=1),
        "trial": words("Trial left out, or added last"),
        "k": whole("Trials pooled", low=0),
        "estimate": printed("Pooled estimate (log scale for ratios)"),
        "ci_low": printed("Lower limit"),
        "ci_high": printed("Upper limit"),
        "pi_low": printed("Lower limit of the prediction interval"),
        "pi_high": printed("Upper limit of the prediction interval"),
        "p_value": printed("Two-sided p value", low=0, high=1),
        "tau2": printed("Between-trial variance", low=0),
        "i2": printed("Share of variance between trials", "percent"),
    },
)

SMALL_STUDIES = Table(
    row="a check of whether effects go with the size of their trial",
    key=("comparison", "subgroup", "check"),
    columns={
        "comparison": words("Identifier of the comparison in review.yaml"),
        "subgroup": words("Subgroup that stands alone; 'overall' for all"),
        "k": whole("Trials pooled", low=0),
        "check": words("Check; 'none' where there are too few trials"),
        "statistic": printed("t of the slope, Kendall's tau, or trials filled in"),
        "p_value": printed("Two-sided p value", low=0, high=1),
        "estimate": printed("Pooled estimate that the check gives (log scale for ratios)"),
        "ci_low": printed("Lower limit"),
        "ci_high": printed("Upper limit"),
        "note": words("What it can say"),
    },
)

REGRESSIONS = ("alone", "together")
COEFFICIENTS = ("intercept", "slope", "difference")

MODERATORS = Table(
    row="one coefficient of a meta-regression, or why there is none",
    key=("comparison", "regression", "moderator", "coefficient", "category"),
    columns={
        "comparison": words("Identifier of the comparison in review.yaml"),
        "regression": words("Whether it enters alone or with the others", allowed=REGRESSIONS),
        "moderator": words(
            "Column or property; of moderators together, the intercept has none", nullable=True
        ),
        "coefficient": words(
            "What it is: the fitted effect at 0 or at the reference, per unit, or of a level; "
            "empty where there is none",
            allowed=COEFFICIENTS,
            nullable=True,
        ),
        "category": words("Level of a factor; empty for a number", nullable=True),
        "reference": words("Level it is compared with", nullable=True),
        "planned": yes_no("Whether the moderator was chosen before the results were seen"),
        "reason": words("Why it was chosen", nullable=True),
        "measure": words("Measure, metafor's code"),
        "unit": words("Unit of the effects on their own scale"),
        "k": whole("Trials with a value", low=0),
        "effects": whole("Their effects", low=0),
        "left_out": whole("Trials without a value", low=0),
        "left_out_trials": words("Their names, and what is missing", nullable=True),
        "method": words("Estimator of tau2, metafor's code; EE for a common effect"),
        "test": words("z, t, knha, adhoc, or cr2 (by trials)"),
        "level": printed("Confidence level", nullable=False),
        "estimate": printed("Coefficient: difference in yi per unit, or against the reference"),
        "se": printed("Standard error", low=0),
        "ci_low": printed("Lower limit"),
        "ci_high": printed("Upper limit"),
        "statistic": printed("Coefficient over its standard error"),
        "df": printed("Degrees of freedom; empty where the test is normal"),
        "p_value": printed("Two-sided p value", low=0, high=1),
        "permutation_p": printed("The same with the trials dealt anew", low=0, high=1),
        "qm": printed("Test of all coefficients of the moderator: chi-squared, or F"),
        "qm_df": printed("Its degrees of freedom"),
        "qm_df2": printed("Second degrees of freedom of F"),
        "qm_p_value": printed("Its p value", low=0, high=1),
        "qm_permutation_p": printed(
            "The same with the trials dealt anew, of all moderators in the regression",
            low=0,
            high=1,
        ),
        "arrangements": whole("Ways in which trials were dealt", nullable=True, low=1),
        "exact": words("Whether these are all there are", allowed=("yes", "no"), nullable=True),
        "seed": whole("Of the draw, where they are not", nullable=True, low=0),
        "tau2": printed("Residual variance between trials", low=0),
        "i2": printed("Residual share of variance between trials", "percent"),
        "r2": printed("Share of tau2 that the regression accounts for", "percent"),
        "qe": printed("Q of the residual differences"),
        "qe_df": printed("Its degrees of freedom"),
        "qe_p_value": printed("Its p value", low=0, high=1),
        "ci_method": words("Method of the interval", nullable=True),
        "note": words("What it cannot say, or why there is no number", nullable=True),
    },
)

BUBBLES = Table(
    row="a trial's effect at its moderator, or a point of the fitted line",
    columns={
        "comparison": words("Identifier of the comparison in review.yaml"),
        "moderator": words("Column or property"),
        "mark": words("What the row is", allowed=("trial", "line")),
        "trial": words("Trial", nullable=True),
        "arms": words("Arms compared, or the arm followed", nullable=True),
        "x": printed("Value of a number"),
        "category": words("Level of a factor", nullable=True),
        "yi": printed("Effect, or fitted effect (log scale for ratios)"),
        "ci_low": printed("Lower limit"),
        "ci_high": printed("Upper limit"),
        "pi_low": printed("Lower limit of the prediction interval"),
        "pi_high": printed("Upper limit of the prediction interval"),
        "weight": printed("Share of the regression", "percent"),
        "why_not": words("Why the trial is left out", nullable=True),
    },
)

BAYES = Table(
    row="a comparison under one prior of the between-trial standard deviation tau",
    key=("comparison", "prior"),
    columns={
        "comparison": words("Identifier of the comparison in review.yaml"),
        "prior": whole("Number of the prior in review.yaml; 1 is the declared one", low=1),
        "declared": yes_no("Whether this is the declared prior (the others are sensitivity)"),
        "kind": words("Kind of the prior of tau", allowed=TAU_PRIORS),
        "tau_prior": words("Prior of tau; empty where it cannot be used", nullable=True),
        "mu_prior": words("Prior of the mean effect", nullable=True),
        "measure": words("Measure, metafor's code"),
        "unit": words("Unit of the effects"),
        "level": printed("Level of every interval", nullable=False),
        "k": whole("Effects pooled", low=0),
        "mu_median": printed("Mean effect: median of its posterior (log scale for ratios)"),
        "mu_mean": printed("Mean of that posterior"),
        "mu_low": printed("Lower limit of its equal-tailed credible interval"),
        "mu_high": printed("Upper limit"),
        "tau_median": printed("Between-trial standard deviation: median of its posterior", low=0),
        "tau_mean": printed("Mean of that posterior; empty where it is infinite", low=0),
        "tau_low": printed("Lower limit of its equal-tailed credible interval", low=0),
        "tau_high": printed("Upper limit", low=0),
        "new_median": printed("True effect of a new trial: median"),
        "new_low": printed("Lower limit of its equal-tailed interval"),
        "new_high": printed("Upper limit"),
        "threshold": printed("Difference that matters, as shown (ratios as ratios)"),
        "side": words("Side of it that is better", allowed=("below", "above"), nullable=True),
        "p_mean": printed("Probability that the mean effect is beyond it", low=0, high=1),
        "p_new": printed("Probability that a new trial's true effect is", low=0, high=1),
        "factor_mu": printed("Bayes factor of the mean effect free over no effect", low=0),
        "factor_tau": printed("Bayes factor of tau free over tau = 0", low=0),
        "factor_note": words("What that of the mean compares, or why there is none", nullable=True),
        "note": words("Why nothing could be computed", nullable=True),
    },
)

BAYES_TRIALS = Table(
    row="a trial as it was pooled, and its true effect under the declared prior",
    key=("comparison", "position"),
    columns={
        "comparison": words("Identifier of the comparison in review.yaml"),
        "position": whole("Place among the effects pooled", low=1),
        "trial": words("Trial"),
        "yi": printed("Effect as it was pooled (log scale for ratios)"),
        "ci_low": printed("Lower limit of yi"),
        "ci_high": printed("Upper limit of yi"),
        "median": printed("True effect, shrunken towards the mean: median of its posterior"),
        "low": printed("Lower limit of its equal-tailed credible interval"),
        "high": printed("Upper limit"),
    },
)

BAYES_DENSITY = Table(
    row="a point of a posterior density under the declared prior",
    key=("comparison", "of", "position"),
    columns={
        "comparison": words("Identifier of the comparison in review.yaml"),
        "of": words("Mean effect, or a new trial's true effect", allowed=("mu", "new")),
        "position": whole("Place along the axis", low=1),
        "x": printed("Effect as shown (ratios as ratios)"),
        "density": printed("Density, per unit of x; of ratios, of their logarithm", low=0),
    },
)

FINDINGS = Table(
    row="a row of the summary of findings: what is computed, and what people judged",
    key=("comparison", "subgroup"),
    columns={
        "comparison": words("Identifier of the comparison in review.yaml"),
        "subgroup": words("Subgroup; 'overall' for all"),
        "outcome": words("Outcome in words"),
        "measure": words("Measure, metafor's code"),
        "unit": words("Unit of the estimate"),
        "k": whole("Trials pooled", low=0),
        "n_total": printed("Participants, where every trial prints them", "people"),
        "estimate": printed("Pooled estimate (a ratio for RR and OR)"),
        "ci_low": printed("Lower limit"),
        "ci_high": printed("Upper limit"),
        "control": words("What people without the treatment have, and its source", nullable=True),
        "absolute": words("Difference in the outcome's unit, or per 1000 people", nullable=True),
        "meaningful": printed("Smallest difference that matters"),
        "meaningful_source": words("Its source", nullable=True),
        "target": words("What the interval is rated against", nullable=True),
        "share": words("Patients beyond a meaningful change, treated v control", nullable=True),
        "settings": words("Share of settings beyond the meaningful difference", nullable=True),
        "information_size": printed("Participants needed in all (OIS)", "people"),
        "imprecision": words("Facts for judging imprecision", nullable=True),
        "inconsistency": words("Facts for judging inconsistency", nullable=True),
        "judgements": words("Judgements as typed, with their reasons", nullable=True),
        "certainty": words("Certainty as typed; never computed", nullable=True),
        "signed_by": words("Who judged", nullable=True),
        "doubts": words("Contradictions between judgements and certainty", nullable=True),
    },
)

TRANSLATED = Table(
    row="a declared estimate in other terms: comparison x subgroup x quantity",
    key=("comparison", "subgroup", "quantity"),
    columns={
        "comparison": words("Identifier of the comparison in review.yaml"),
        "subgroup": words("Subgroup; 'overall' for all"),
        "quantity": words(
            "What it is: the risk without the treatment, the difference it makes (treatment - "
            "control), the number needed to treat (positive: to benefit one, negative: to harm "
            "one), the effect in the outcome's unit, or the estimate without trials at high risk "
            "of bias",
            allowed=QUANTITIES,
        ),
        "k": whole("Trials it stands on", low=0),
        "estimate": printed("Estimate as shown (ratios as ratios); empty: infinite, or not known"),
        "ci_low": printed("Lower limit; empty where it is infinite"),
        "ci_high": printed("Upper limit; empty where it is infinite"),
        "through_infinity": yes_no("Whether the interval of a number needed holds infinity"),
        "unit": words("Unit; `share` of people for risks"),
        "basis": words("What it stands on: a baseline risk, an SD, the trials left out"),
    },
)

SUPPORT = Table(
    row="what the tables show for a domain of certainty: comparison x subgroup x domain",
    key=("comparison", "subgroup", "domain"),
    columns={
        "comparison": words("Identifier of the comparison in review.yaml"),
        "subgroup": words("Subgroup; 'overall' for all"),
        "domain": words("Domain of GRADE"),
        "fact": words("What the tables show; never a judgement"),
    },
)

REPRODUCTION = Table(
    row="one printed number, recomputed",
    key=("quantity", "part"),
    columns={
        "quantity": words("Identifier of the published quantity in review.yaml"),
        "label": words("The quantity in words"),
        "analysis": words("Its number in the file it was stored in", nullable=True),
        "part": words(
            "estimate, ci_low, ci_high, p, k or another printed part; of an analysis: estimate, "
            "lower limit, upper limit"
        ),
        "published": words("The number as printed"),
        "recomputed": printed("The number recomputed, in the published sign and unit"),
        "difference": printed("recomputed - published"),
        "printed_unit": printed("One unit of the last printed digit"),
        "rounds_identically": words("yes, no, or empty", allowed=("yes", "no"), nullable=True),
        "verdict": words("Verdict", allowed=VERDICTS),
        "how": words("How it was recomputed: measure, model, rows"),
        "explanation": words("By how much, what is missing; conjecture labelled", nullable=True),
        "source": words("Where it is printed"),
    },
)

CHANGES = Table(
    row="one thing that differs from an older run: a number of a trial, an estimate, a setting",
    columns={
        "part": words(
            "Where it stands: a trial's row of `effects`; a declared estimate of `pooled`; a "
            "verdict of `reproduction`; a row of `findings`; a key of review.yaml; the program",
            allowed=("trials", "estimates", "verdicts", "findings", "settings", "versions"),
        ),
        "change": words(
            "`came` and `went`: only today, only then; `stale`: judged on numbers that have "
            "changed since",
            allowed=("came", "went", "changed", "stale"),
        ),
        "comparison": words("Identifier of the comparison in review.yaml", nullable=True),
        "label": words("The comparison in words", nullable=True),
        "subgroup": words("Subgroup; 'overall' for all", nullable=True),
        "outcome": words("Outcome", nullable=True),
        "item": words(
            "Trial, printed quantity with its part, or key of review.yaml", nullable=True
        ),
        "arms": words("Arms compared, or the arm followed", nullable=True),
        "timepoint": words("Timepoint", nullable=True),
        "measure": words("Measure today, metafor's code", nullable=True),
        "quantity": words("Column of the table it stands in"),
        "before": words("Then (effects of ratios as logs)", nullable=True),
        "after": words("Today", nullable=True),
        "difference": printed("after - before, of numbers of one measure and unit"),
    },
)

LIBRARY = Table(
    row="one stored number of one file of a library, recomputed",
    key=("file", "analysis", "part"),
    columns={
        "file": words("The file, or the review's folder"),
        "analysis": words("Number of the analysis, or of its subgroup, in that file"),
        "label": words("Its name there", nullable=True),
        "settings": words("Measure, method, model and level it is pooled by", nullable=True),
        "part": words("estimate, lower limit or upper limit"),
        "published": words("The number as the file stores it"),
        "recomputed": printed("The number recomputed, ratios as ratios"),
        "difference": printed("recomputed - published"),
        "verdict": words("Verdict", allowed=VERDICTS),
        "explanation": words("Which other choice gives the total, where one does", nullable=True),
    },
)

LIBRARY_FILES = Table(
    row="one file of a library",
    key=("file",),
    columns={
        "file": words("The file, or the review's folder"),
        "form": words(
            "What it is", allowed=("rm5", "package", "csv", "metafor", "review", "unread")
        ),
        "analyses": whole("Analyses with rows", low=0),
        "rows": whole("Rows of studies", low=0),
        "rows_shown": whole("Rows for which the file shows an effect", low=0),
        "rows_agree": whole("Rows whose numbers give that effect and its interval", low=0),
        "totals": whole("Stored totals, those that are not estimable included", low=0),
        "reproduced": whole("Totals of which all parts come back", low=0),
        "not_reproduced": whole("Totals that come out otherwise", low=0),
        "explained": whole("Of these, totals that another choice gives", low=0),
        "not_recomputable": whole("Totals whose rows give no number", low=0),
        "not_estimable": whole("Totals without a number on both sides", low=0),
        "note": words("Why the file was not read", nullable=True),
    },
)

CONSISTENCY = Table(
    row="a check of published summaries against each other (not a re-analysis)",
    key=("check", "outcome", "model"),
    columns={
        "check": words("Identifier of the check in review.yaml"),
        "label": words("The check in words"),
        "outcome": words("Outcome"),
        "unit": words("Unit"),
        "model": words("Model"),
        "k": whole("Published summaries combined", low=0),
        "estimate": printed("Combined estimate"),
        "ci_low": printed("Lower limit"),
        "ci_high": printed("Upper limit"),
        "significant": words(
            "Whether the interval excludes no effect; empty where nothing can be combined",
            allowed=("yes", "no"),
            nullable=True,
        ),
        "q": printed("Q of the difference between the summaries"),
        "q_df": printed("Degrees of freedom"),
        "q_p_value": printed("p value of the difference"),
    },
)

INTEGRITY = Table(
    row="a doubt about a printed number",
    columns={
        "trial": words("Trial"),
        "outcome": words("Outcome", nullable=True),
        "where": words("Arm or contrast, and timepoint"),
        "check": words("Check"),
        "printed": words("What was printed"),
        "expected": words("What was expected"),
        "severity": words("Severity", allowed=("note", "doubt", "impossible")),
        "explanation": words("In words"),
        "file": words("Raw file"),
        "line": whole("Line"),
    },
)
