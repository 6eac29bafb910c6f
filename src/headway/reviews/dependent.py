"""Several effects of a trial in one comparison: combined to one, or pooled as dependent effects.

Effects of the same people are not independent: pooled as if they were, a trial counts as often as
it has scales. `combine` makes one effect of them with an assumed correlation (Borenstein et al.
2009, chapter 24); `multilevel` lets effects differ within trials and between them, `multivariate`
also assumes a correlation of their sampling errors (Pustejovsky and Tipton 2022). Both are tested
by how much trials vary (CR2), so that the conclusion does not rest on that assumption.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.messages import Message
from headway.meta.covariance import impute_covariance
from headway.meta.multilevel import fit_multilevel
from headway.meta.robust import robust_inference

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Review

Array = NDArray[np.float64]
OVERALL = "overall"
DEPENDENT = ("multilevel", "multivariate")


def combine_effects(yi: ArrayLike, vi: ArrayLike, r: float) -> tuple[float, float]:
    """Make one effect of several of the same people: their mean, and its variance.

    Parameters
    ----------
    yi, vi
        Effects and sampling variances, shape (m,).
    r
        Assumed correlation of each two of them.
    """
    y, se = np.asarray(yi, dtype=float), np.sqrt(np.asarray(vi, dtype=float))
    covariance = r * np.outer(se, se)
    np.fill_diagonal(covariance, se**2)
    return float(y.mean()), float(covariance.sum() / len(y) ** 2)


@dataclass(frozen=True, slots=True)
class DependentFit:
    """A pooled estimate of dependent effects; the fields are those of :class:`headway.meta.Fit`."""

    k: int
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    pi_low: float
    pi_high: float
    p_value: float
    tau2: float
    i2: float
    h2: float
    q: float
    q_df: float
    q_p_value: float
    weights: Array
    remark: str
    ci_code: str
    pi_code: str


def pool_dependent(rows: pd.DataFrame, comparison: Comparison, level: float) -> DependentFit:
    """Pool rows of which several may be of one trial.

    Raises
    ------
    ValueError
        Fewer than two trials.
    ArithmeticError
        No maximum of the likelihood was reached.
    """
    y, v = rows["yi"].to_numpy(float), rows["vi"].to_numpy(float)
    trials = rows["trial"].tolist()
    levels: dict[str, Any] = {"trial": trials}
    if len(set(trials)) < len(trials):
        levels["effect"] = list(range(len(trials)))
    shared = comparison.several_effects == "multivariate"
    spread = impute_covariance(v, trials, comparison.several_r) if shared else v
    fit = fit_multilevel(y, spread, levels, level=level)
    robust = robust_inference(fit, trials)
    pull = np.linalg.inv(fit.fitted.covariance).sum(axis=0)
    i2 = float(sum(fit.i2.values()))
    told = Message("fit.several_effects", effects=len(trials), trials=len(set(trials)))
    return DependentFit(
        k=len(set(trials)),
        estimate=float(robust.estimate[0]),
        se=float(robust.se[0]),
        ci_low=float(robust.ci_low[0]),
        ci_high=float(robust.ci_high[0]),
        pi_low=float(fit.pi_low),
        pi_high=float(fit.pi_high),
        p_value=float(robust.p_value[0]),
        tau2=float(sum(fit.sigma2.values())),
        i2=i2,
        h2=100 / (100 - i2) if i2 < 100 else float("nan"),
        q=float(fit.qe),
        q_df=float(fit.qe_df),
        q_p_value=float(fit.qe_p_value),
        weights=100 * pull / pull.sum(),
        remark=told,
        ci_code=robust.ci_code,
        pi_code=Message("prediction.every_level"),
    )


def fit_dependent(
    used: pd.DataFrame, comparison: Comparison, review: Review
) -> Iterator[tuple[str, Any, DependentFit, str]]:
    """Yield subgroup, rows, fit and note of a comparison of dependent effects."""
    level = review.level_of(comparison)
    labels = used["subgroup"]
    if comparison.grouping != "none" and labels.nunique() > 1:
        for name in dict.fromkeys(labels):
            own = used[labels == name]
            if own["trial"].nunique() > 1:
                yield str(name), own.index, pool_dependent(own, comparison, level), ""
    yield OVERALL, used.index, pool_dependent(used, comparison, level), ""
