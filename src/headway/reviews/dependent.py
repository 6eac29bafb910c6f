"""Several effects of a trial in one comparison: combined to one, or pooled as dependent effects.

Effects of the same people are not independent: pooled as if they were, a trial counts as often as
it has scales. `combine` makes one effect of them with an assumed correlation (Borenstein et al.
2009, chapter 24); `multilevel` lets effects differ within trials and between them, `multivariate`
also assumes a correlation of their sampling errors (Pustejovsky and Tipton 2022). Both are tested
by how much trials vary (CR2), so that the conclusion does not rest on that assumption.

Treatment arms that share a control arm are other people: `covariance` pools their contrasts with
the covariance that the shared arm brings, which is known (Gleser and Olkin 2009).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.effects.measures import arrange, escalc
from headway.messages import Message
from headway.meta.covariance import impute_covariance
from headway.meta.design import Design
from headway.meta.distributions import find_critical
from headway.meta.multilevel import fit_multilevel
from headway.meta.network.data import ADDITIVE, read_contrasts
from headway.meta.network.fit import whiten
from headway.meta.pooling import FEWEST, describe_prediction
from headway.meta.regression import regress
from headway.meta.robust import robust_inference

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Review

Array = NDArray[np.float64]
OVERALL = "overall"
_OF_ARM = ("n", "mean", "sd", "events", "time")
COVARIANCE = "covariance"
DEPENDENT = ("multilevel", "multivariate", COVARIANCE)


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
    if comparison.dependence == COVARIANCE:
        return _pool_shared(rows, comparison, level)
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


def _pool_shared(rows: pd.DataFrame, comparison: Comparison, level: float) -> DependentFit:
    """Pool contrasts of which several may share their trial's control arm."""
    y, trials = rows["yi"].to_numpy(float), rows["trial"].tolist()
    arms = list(map(str, range(len(rows))))
    network = read_contrasts(y, cover_shared(rows, comparison), trials, arms, ["control"] * len(y))
    white = whiten(network)
    one = Design(white.turn @ np.ones((len(y), 1)), ("mean",), {}, {})
    fit = regress(white.y, white.v, one, method="REML", test="adhoc", level=level)
    df, mean, se = np.array(float(fit.df)), float(fit.estimate[0]), float(fit.se[0])
    reach = float(find_critical(level, df)) * float(np.hypot(np.sqrt(fit.tau2), se))
    reach = reach if len(set(trials)) >= FEWEST else float("nan")
    pull = white.turn.T @ (one.matrix[:, 0] / (white.v + fit.tau2))
    return DependentFit(
        k=len(set(trials)),
        estimate=mean,
        se=se,
        ci_low=float(fit.ci_low[0]),
        ci_high=float(fit.ci_high[0]),
        pi_low=mean - reach,
        pi_high=mean + reach,
        p_value=float(fit.p_value[0]),
        tau2=float(fit.tau2),
        i2=float(fit.i2),
        h2=float(fit.h2),
        q=float(fit.qe),
        q_df=float(fit.qe_df),
        q_p_value=float(fit.qe_p_value),
        weights=np.asarray(100 * pull / pull.sum()),
        remark=Message("fit.several_effects", effects=len(y), trials=len(set(trials))),
        ci_code=fit.ci_code,
        pi_code=describe_prediction("REML", "adhoc", "default"),
    )


def cover_shared(rows: pd.DataFrame, comparison: Comparison) -> Array:
    """Return the covariance of contrasts of a trial's arms with its one control arm.

    Parameters
    ----------
    rows
        Of the table `effects`.

    Raises
    ------
    ValueError
        A measure whose contrasts do not add up.

    Notes
    -----
    (v_ac + v_bc − v_ab)/2, v_ab computed from the two treatment arms as the others are; of
    standardised differences Gleser and Olkin (2009), equation 19.27, added to the rows' variances.
    """
    measure = comparison.measure
    cover = np.diag(rows["vi"].to_numpy(float))
    if measure != "SMD" and measure not in ADDITIVE:
        if rows["trial"].duplicated().any():
            raise ValueError(f"contrasts of {measure} do not add up: combine or split the arms")
        return cover
    listed = rows.to_dict("records")
    for i, a in enumerate(listed):
        for j, b in enumerate(listed[:i]):
            if a["trial"] == b["trial"]:
                if measure == "SMD":
                    people = a["n1"] + b["n1"] + a["n2"]
                    shared = 1 / a["n2"] + a["yi"] * b["yi"] / (2 * people)
                else:
                    both = {**a, **{f"{c}2": b[f"{c}1"] for c in _OF_ARM}}
                    between = float(escalc(measure, **arrange(measure, both)).vi)
                    shared = (a["vi"] + b["vi"] - between) / 2
                cover[i, j] = cover[j, i] = shared
    return cover


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
