"""Contracts of a registry: what clinics contributed, and what is pooled of their summaries.

Everything in these tables follows from summaries that disclosure control has let go at each clinic
(`headway export`), so every column holds what was published there.
"""

from __future__ import annotations

from headway.tables.columns import Column, Table
from headway.tables.reviews import printed, whole, words, yes_no

CONTRIBUTION_STATES = ("pooled", "not_pooled", "refused")
MEASURES = ("MC", "SMCR")
PLACES = ("inside", "outside_95", "outside_998")

_PAIR: dict[str, Column] = {
    "outcome": words("Outcome"),
    "comparison": words("Identifier of the pair of windows"),
}

CONTRIBUTIONS = Table(
    row="one summary that was offered to the registry",
    key=("file",),
    columns={
        "file": words("File, below the folder that was read"),
        "clinic": words("Identifier or pseudonym of the clinic; empty if unread", nullable=True),
        "title": words("Its title", nullable=True),
        "state": words(
            "Whether its primary change is pooled, why not, or refused", allowed=CONTRIBUTION_STATES
        ),
        "why": words("Why it is not pooled, or is refused", nullable=True),
        "n": printed("People with the primary change, as printed", "people"),
        "of": printed("People who started, as printed", "people"),
        "period_from": printed("First year in which people started"),
        "period_to": printed("Last such year"),
        "preset": words("Disclosure preset of the summary", nullable=True),
        "hidden_up_to": printed("Counts hidden up to this one", "people"),
        "rounded_to": printed("Counts rounded to multiples of this", "people"),
        "withheld": printed("Numbers that were withheld"),
        "synthetic": yes_no("Whether a simulator made the records"),
        "headway": words("Version of the program that made it", nullable=True),
        "program": words("SHA-256 of that program", nullable=True),
        "definitions": words("SHA-256 of the definitions", nullable=True),
        "content": words("SHA-256 of the summary", nullable=True),
    },
)

REGISTRY = Table(
    row="one pooled change: outcome x pair of windows x measure",
    key=("outcome", "comparison", "measure"),
    columns={
        **_PAIR,
        "comparison_label": words("The pair of windows in words"),
        "primary": yes_no("The declared primary outcome and time"),
        "measure": words("MC: mean change; SMCR: in SDs before treatment", allowed=MEASURES),
        "unit": words("Unit of the estimate"),
        "k": whole("Clinics pooled", low=0),
        "of_clinics": whole("Clinics that report the outcome", low=0),
        "n": printed("People of the pooled clinics, as printed", "people"),
        "of": printed("People of the pooled clinics who started, as printed", "people"),
        "method": words("Estimator of tau2, metafor's code"),
        "test": words("Test and interval, metafor's code"),
        "level": printed("Confidence level", nullable=False),
        "estimate": printed("Pooled change; negative is less than before"),
        "se": printed("Standard error", low=0),
        "ci_low": printed("Lower limit"),
        "ci_high": printed("Upper limit"),
        "pi_low": printed("Lower limit of the prediction interval for the next clinic"),
        "pi_high": printed("Upper limit of it"),
        "tau2": printed("Variance between clinics", low=0),
        "i2": printed("Share of variance between clinics", "percent"),
        "q": printed("Cochran's Q"),
        "q_df": printed("Degrees of freedom of Q"),
        "q_p_value": printed("p value of Q"),
        "ci_method": words("Method of the interval", nullable=True),
        "pi_method": words("Method of the prediction interval", nullable=True),
        "target": printed("Centre of the funnel: mean weighted by 1 / SE²"),
        "phi": printed("Multiplicative over-dispersion, winsorised", low=0),
        "funnel_tau2": printed("Additive over-dispersion, winsorised", low=0),
        "dispersion_p_value": printed("p value of the winsorised Q", low=0, high=1),
        "half_unit": printed("Most by which rounding moves a clinic's mean", low=0),
        "loss_low": printed("Lowest estimate that the rounding of all clinics allows"),
        "loss_high": printed("Highest such estimate"),
        "loss_ci_low": printed("Lowest lower limit that it allows"),
        "loss_ci_high": printed("Highest upper limit"),
        "note": words("What the estimate cannot say", nullable=True),
    },
)

REGISTRY_CLINICS = Table(
    row="one clinic's change in one outcome, in the order of the clinics' names",
    key=("outcome", "comparison", "clinic"),
    columns={
        **_PAIR,
        "clinic": words("Identifier or pseudonym of the clinic"),
        "title": words("Its title"),
        "unit": words("Unit of the change"),
        "n": printed("People with the change, as printed", "people"),
        "of": printed("People who started, as printed", "people"),
        "mean_before": printed("Mean before"),
        "mean_after": printed("Mean after"),
        "mean_change": printed("Mean change; negative is less than before"),
        "sd_change": printed("Standard deviation of the change", low=0),
        "se": printed("Standard error, of the fewest people whose number is so printed", low=0),
        "ci_low": printed("Lower 95 % limit of the mean change, normal, from `se`"),
        "ci_high": printed("Upper such limit"),
        "responders_30": printed("People with a fall of at least 30 %", "people"),
        "responders_50": printed("People with a fall of at least 50 %", "people"),
        "worsened_30": printed("People who got worse by at least 30 %", "people"),
        "pooled": yes_no("Whether it is pooled"),
        "why_not": words("Why not", nullable=True),
        "weight": printed("Weight in the pooled change", "percent"),
        "z": printed("Distance from the target in standard errors"),
        "z_multiplicative": printed("The same, with multiplicative over-dispersion"),
        "z_additive": printed("The same, with additive over-dispersion"),
        "chance_low_95": printed("Lower 95 % limit of chance alone"),
        "chance_high_95": printed("Upper 95 % limit of chance alone"),
        "chance_low_998": printed("Lower 99.8 % limit of chance alone"),
        "chance_high_998": printed("Upper 99.8 % limit of chance alone"),
        "low_95": printed("Lower 95 % limit, with additive over-dispersion"),
        "high_95": printed("Upper 95 % limit, with additive over-dispersion"),
        "low_998": printed("Lower 99.8 % limit, with additive over-dispersion"),
        "high_998": printed("Upper 99.8 % limit, with additive over-dispersion"),
        "place": words(
            "Where it lies in the funnel, with over-dispersion", allowed=PLACES, nullable=True
        ),
    },
)

REGISTRY_CASE_MIX = Table(
    row="the primary change regressed on one characteristic of clinics' people",
    key=("characteristic", "level"),
    columns={
        "characteristic": words("Characteristic before treatment"),
        "level": words("Level, for a share in percent; empty for a mean", nullable=True),
        "k": whole("Pooled clinics that print it", low=0),
        "lowest": printed("Lowest value of a clinic"),
        "highest": printed("Highest value of a clinic"),
        "slope": printed("Difference in mean change for one unit, or one percentage point, more"),
        "se": printed("Standard error", low=0),
        "ci_low": printed("Lower limit"),
        "ci_high": printed("Upper limit"),
        "p_value": printed("Two-sided p value", low=0, high=1),
        "tau2": printed("Variance between clinics that is left", low=0),
        "r2": printed("Share of the variance between clinics that it accounts for", "percent"),
        "ci_method": words("Method of the interval", nullable=True),
        "note": words("Why there is no slope, or what it cannot say", nullable=True),
    },
)
