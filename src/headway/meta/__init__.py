"""Pooling: effects and sampling variances become one estimate, its intervals and heterogeneity.

Everything works on one set of studies, ``(k,)``, or on a batch of them, ``(..., k)``, with a mask
saying which studies each set holds. Importing this room loads numpy and scipy.special only.
"""

from headway.meta.conversions import se_from_ci
from headway.meta.heterogeneity import Tau2Interval, confint_tau2
from headway.meta.influence import leave_one_out
from headway.meta.pooling import Fit, pool
from headway.meta.regression import Regression, regress
from headway.meta.subgroup import Subgroups, subgroups
from headway.meta.tau2 import NAMES as METHODS

__all__ = [
    "METHODS",
    "Fit",
    "Regression",
    "Subgroups",
    "Tau2Interval",
    "confint_tau2",
    "leave_one_out",
    "pool",
    "regress",
    "se_from_ci",
    "subgroups",
]
