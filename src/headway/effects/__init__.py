"""Effect sizes: summaries of trials and clinics as pairs of estimate and sampling variance."""

from headway.effects.measures import (
    EffectSizes,
    escalc,
    hedges_j,
    measure_paired_means,
    measure_two_by_two,
    measure_two_group_means,
)

__all__ = [
    "EffectSizes",
    "escalc",
    "hedges_j",
    "measure_paired_means",
    "measure_two_by_two",
    "measure_two_group_means",
]
