"""Pooling: effects and sampling variances become one estimate, its intervals and heterogeneity.

Everything works on one set of studies, ``(k,)``, and what is fitted often also on a batch of them,
``(..., k)``, with a mask saying which studies each set holds. Importing this room loads numpy and
scipy.special only. docs/meta.md shows it by example.
"""

from headway.meta.conversions import se_from_ci
from headway.meta.covariance import impute_covariance, share_control, share_control_smd
from headway.meta.design import Design, build_design
from headway.meta.dose import DoseResponse, dose_response, greenland_longnecker, spread_dose
from headway.meta.excess import ExcessTest, excess_significance
from headway.meta.gosh import Gosh, gosh
from headway.meta.henmi_copas import RobustInterval, henmi_copas
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
from headway.meta.multilevel import Multilevel, fit_multilevel
from headway.meta.multiverse import Effects, Multiverse, explore_multiverse, find_outliers
from headway.meta.permutation import Permutation, permutation_test
from headway.meta.pooling import Fit, pool
from headway.meta.regression import Predicted, Regression, regress
from headway.meta.robust import Robust, robust_inference
from headway.meta.selection import SelectionFit, select_by_steps
from headway.meta.small_study import (
    AsymmetryTest,
    Line,
    PetPeese,
    RankTest,
    peese,
    pet,
    pet_peese,
    rank_test,
    regression_test,
)
from headway.meta.subgroup import Subgroups, subgroups
from headway.meta.tau2 import NAMES as METHODS
from headway.meta.trim_fill import TrimFill, trim_and_fill
from headway.meta.two_by_two import TwoByTwoFit, mantel_haenszel, peto

__all__ = [
    "METHODS",
    "AsymmetryTest",
    "Design",
    "DoseResponse",
    "Effects",
    "ExcessTest",
    "Fit",
    "Gosh",
    "Influence",
    "Line",
    "Multilevel",
    "Multiverse",
    "Permutation",
    "PetPeese",
    "Predicted",
    "RankTest",
    "Regression",
    "Robust",
    "RobustInterval",
    "SelectionFit",
    "Shrunken",
    "Subgroups",
    "Tau2Interval",
    "TrimFill",
    "TwoByTwoFit",
    "baujat",
    "build_design",
    "confint_tau2",
    "cumulate",
    "dose_response",
    "excess_significance",
    "explore_multiverse",
    "find_outliers",
    "fit_multilevel",
    "gosh",
    "greenland_longnecker",
    "henmi_copas",
    "impute_covariance",
    "influence",
    "leave_one_out",
    "mantel_haenszel",
    "peese",
    "permutation_test",
    "pet",
    "pet_peese",
    "peto",
    "pool",
    "rank_test",
    "regress",
    "regression_test",
    "robust_inference",
    "se_from_ci",
    "select_by_steps",
    "share_control",
    "share_control_smd",
    "shrink",
    "spread_dose",
    "standardise_residuals",
    "subgroups",
    "trim_and_fill",
]
