"""The columns of a review's files, and the words that each may hold."""

from __future__ import annotations

from headway.effects.units import UNITS
from headway.tables import COMPARATORS, DESIGNS, SPREAD_LABELS, STATUSES, TECHNIQUES

KINDS = ("baseline", "final", "change", "events")
ARM_SIGNS = ("worse", "better", "unstated")
# What another program shows for a row, on its own scale: effect, limits, their level in percent.
SHOWN = ("shown_effect", "shown_ci_low", "shown_ci_high", "shown_level")
# What a file of each kind may hold: text columns and number columns, by canonical name.
_ORIGIN = ("status", "source", "note")
_TRIAL = (
    "trial",
    "doi",
    "condition",
    "technique",
    "comparator",
    "outcome",
    "unit",
    "instrument",
    "timepoint",
    "analysis",
    "subgroup",
    "design",
    "positive_means",
    *_ORIGIN,
)
# Of trials that took in clusters of people.
_CLUSTERS = ("clusters", "cluster_size", "icc")
TEXTS: dict[str, tuple[str, ...]] = {
    "arms": (*_TRIAL, "arm", "role", "kind", "p", "spread_label"),
    "contrasts": (*_TRIAL, "treatment_arm", "control_arm", "effect_type", "p"),
    "pooled": (
        "outcome",
        "unit",
        "subgroup",
        "timepoint",
        "measure",
        "model",
        "positive_means",
        *_ORIGIN,
    ),
    "risk_of_bias": ("trial", "tool", "outcome", "domain", "judgement", "support", "signed_by"),
}
NUMBERS: dict[str, tuple[str, ...]] = {
    "arms": (
        "year",
        "time_days",
        "n",
        "mean",
        "sd",
        "se",
        "ci_low",
        "ci_high",
        "median",
        "q1",
        "q3",
        "range_low",
        "range_high",
        "t",
        "baseline_n",
        "baseline_mean",
        "baseline_sd",
        "events",
        "person_years",
        "r",
        "alpha",
        "items",
        *_CLUSTERS,
        "period_r",
        *SHOWN,
    ),
    "contrasts": (
        "year",
        "time_days",
        "effect",
        "ci_low",
        "ci_high",
        "se",
        "t",
        "f",
        "n_total",
        *_CLUSTERS,
        *SHOWN,
    ),
    "pooled": ("k", "effect", "ci_low", "ci_high"),
    "risk_of_bias": (),
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "arms": (
        "trial",
        "arm",
        "role",
        "outcome",
        "unit",
        "timepoint",
        "kind",
        "n",
        "status",
        "source",
    ),
    "contrasts": (
        "trial",
        "treatment_arm",
        "control_arm",
        "outcome",
        "unit",
        "timepoint",
        "effect_type",
        "effect",
        "positive_means",
        "status",
        "source",
    ),
    "pooled": (
        "outcome",
        "unit",
        "subgroup",
        "timepoint",
        "effect",
        "ci_low",
        "ci_high",
        "positive_means",
        "status",
        "source",
    ),
    "risk_of_bias": ("trial", "domain", "judgement", "signed_by"),
}
ALLOWED: dict[str, tuple[str, ...]] = {
    "role": ("treatment", "control"),
    "kind": KINDS,
    "technique": TECHNIQUES,
    "comparator": COMPARATORS,
    "status": STATUSES,
    "unit": tuple(UNITS),
    "spread_label": SPREAD_LABELS,
    "design": DESIGNS,
}
