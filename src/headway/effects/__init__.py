"""Effect sizes: summaries of trials and clinics as pairs of estimate and sampling variance."""

from headway.effects.measures import (
    EffectSizes,
    escalc,
    hedges_j,
    measure_controlled_change,
    measure_correlation,
    measure_mean,
    measure_paired_means,
    measure_person_time,
    measure_proportion,
    measure_reliability,
    measure_two_by_two,
    measure_two_group_means,
)

__all__ = [
    "EffectSizes",
    "escalc",
    "hedges_j",
    "measure_controlled_change",
    "measure_correlation",
    "measure_mean",
    "measure_paired_means",
    "measure_person_time",
    "measure_proportion",
    "measure_reliability",
    "measure_two_by_two",
    "measure_two_group_means",
]
