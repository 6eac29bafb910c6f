"""Pooling: effects and sampling variances become one estimate, its intervals and heterogeneity.

Everything works on one set of studies, ``(k,)``, or on a batch of them, ``(..., k)``, with a mask
saying which studies each set holds. Importing this room loads numpy and scipy.special only.
"""

from headway.meta.conversions import se_from_ci
from headway.meta.design import Design, build_design
from headway.meta.gosh import Gosh, gosh
from headway.meta.heterogeneity import Tau2Interval, confint_tau2
from headway.meta.influence import (
    Influence,
    Shrunken,
    baujat,
    cumulate,
    influence,
    leave_one_out,
    shrink,
    standardise_residuals,
)
from headway.meta.multiverse import Effects, Multiverse, explore_multiverse, find_outliers
from headway.meta.permutation import Permutation, permutation_test
from headway.meta.pooling import Fit, pool
from headway.meta.regression import Predicted, Regression, regress
from headway.meta.subgroup import Subgroups, subgroups
from headway.meta.tau2 import NAMES as METHODS

__all__ = [
    "METHODS",
    "Design",
    "Effects",
    "Fit",
    "Gosh",
    "Influence",
    "Multiverse",
    "Permutation",
    "Predicted",
    "Regression",
    "Shrunken",
    "Subgroups",
    "Tau2Interval",
    "baujat",
    "build_design",
    "confint_tau2",
    "cumulate",
    "explore_multiverse",
    "find_outliers",
    "gosh",
    "influence",
    "leave_one_out",
    "permutation_test",
    "pool",
    "regress",
    "se_from_ci",
    "shrink",
    "standardise_residuals",
    "subgroups",
]
