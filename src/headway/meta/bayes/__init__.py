"""Bayesian pooling: the normal-normal model with declared priors, without random numbers.

docs/bayes.md shows it by example.
"""

from headway.meta.bayes.posterior import BayesFactor, Posterior, Summary, pool_bayes
from headway.meta.bayes.priors import (
    Fixed,
    Flat,
    HalfCauchy,
    HalfNormal,
    LogNormal,
    LogT,
    Normal,
    Uniform,
)
from headway.meta.bayes.published import (
    RHODES,
    RHODES_COMPARISONS,
    TURNER,
    TURNER_COMPARISONS,
    rhodes,
    turner,
)
from headway.meta.bayes.sensitivity import PriorSensitivity, compare_priors

__all__ = [
    "RHODES",
    "RHODES_COMPARISONS",
    "TURNER",
    "TURNER_COMPARISONS",
    "BayesFactor",
    "Fixed",
    "Flat",
    "HalfCauchy",
    "HalfNormal",
    "LogNormal",
    "LogT",
    "Normal",
    "Posterior",
    "PriorSensitivity",
    "Summary",
    "Uniform",
    "compare_priors",
    "pool_bayes",
    "rhodes",
    "turner",
]
