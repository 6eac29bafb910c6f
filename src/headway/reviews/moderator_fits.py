"""The meta-regression of a comparison, by the model that pools it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headway.meta.covariance import impute_covariance
from headway.meta.design import Design
from headway.meta.distributions import find_critical
from headway.meta.multilevel import Multilevel, fit_multilevel
from headway.meta.network.data import read_contrasts
from headway.meta.network.fit import whiten
from headway.meta.regression import NOTE_FEW, Regression, regress
from headway.meta.robust import Robust, robust_inference
from headway.reviews.dependent import COVARIANCE, cover_shared

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Review

Array = NDArray[np.float64]
NAN = float("nan")
Test = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A meta-regression, whatever model gave it.

    Attributes
    ----------
    estimate, se, ci_low, ci_high, statistic, df, p_value
        Of the coefficients, shape (p,).
    terms
        Moderator -> statistic, its two degrees of freedom, and p value of all its coefficients.
    tau2, i2, r2, qe, qe_df, qe_p_value
        What is left between trials, and the share of it that the moderators account for.
    weights
        Of the effects, in percent.
    method, test, ci_code
        Estimator, test and the message on the interval.
    notes
        What the numbers cannot say, as ids of messages.
    may_be_dealt
        Whether effects can be dealt to the moderators anew: not where they depend on each other.
    predict
        Rows of a design -> fitted effects with limits, by column of the table `bubbles`.
    """

    estimate: Array
    se: Array
    ci_low: Array
    ci_high: Array
    statistic: Array
    df: Array
    p_value: Array
    terms: dict[str, Test]
    tau2: float
    i2: float
    r2: float
    qe: float
    qe_df: float
    qe_p_value: float
    weights: Array
    method: str
    test: str
    ci_code: str
    notes: tuple[str, ...]
    may_be_dealt: bool
    predict: Callable[[Array], dict[str, Array]]


def fit_moderators(
    rows: pd.DataFrame, design: Design, comparison: Comparison, review: Review
) -> Fitted:
    """Regress effects on moderators by the model that pools them.

    Parameters
    ----------
    rows
        Of the table `effects`, those with every moderator.
    design
        One row per effect.
    comparison, review
        Their settings.

    Raises
    ------
    ValueError, ArithmeticError
        As :func:`headway.meta.regress` and :func:`headway.meta.multilevel.fit_multilevel`.
    """
    level = review.level_of(comparison)
    y, v = rows["yi"].to_numpy(float), rows["vi"].to_numpy(float)
    if comparison.dependence == COVARIANCE:
        return _fit_shared(rows, design, comparison, level)
    if comparison.dependence:
        return _fit_dependent(rows, design, comparison, level)
    test = "adhoc" if review.model.test == "kr" else review.model.test
    fit = regress(y, v, design, method=review.model.method, test=test, level=level)
    return _hold(fit, float(fit.r2), fit.weights, (fit.remark,), dealt=True)


def _fit_shared(rows: pd.DataFrame, design: Design, comparison: Comparison, level: float) -> Fitted:
    """Regress contrasts of which several share their trial's control arm."""
    y, trials = rows["yi"].to_numpy(float), rows["trial"].tolist()
    arms = list(map(str, range(len(rows))))
    network = read_contrasts(y, cover_shared(rows, comparison), trials, arms, ["control"] * len(y))
    white = whiten(network)
    turned = replace(design, matrix=white.turn @ design.matrix)
    fit = regress(white.y, white.v, turned, method="REML", test="adhoc", level=level)
    one = Design(white.turn @ np.ones((len(y), 1)), ("mean",), {}, {})
    alone = regress(white.y, white.v, one, method="REML", test="adhoc", level=level)
    weight = 1 / (rows["vi"].to_numpy(float) + fit.tau2)
    notes = (str(fit.remark), _note_few(len(set(trials)), design))
    r2 = _explain(float(fit.tau2), float(alone.tau2))
    return _hold(fit, r2, 100 * weight / weight.sum(), notes, dealt=False)


def _note_few(k: int, design: Design) -> str:
    """Say so where there are fewer than ten trials for each coefficient."""
    return NOTE_FEW if k < 10 * max(1, len(design.names) - 1) else ""


def _explain(rest: float, whole: float) -> float:
    """Return the share of a variance between trials that is gone, in percent, at least 0."""
    return max(0.0, 100 * (1 - rest / whole)) if whole > 0 else 0.0


def _hold(
    fit: Regression, r2: float, weights: Array, notes: tuple[Any, ...], *, dealt: bool
) -> Fitted:
    def predict(x: Array) -> dict[str, Array]:
        # The number's own column, whatever the moderator is called.
        found = fit.predict(dict.fromkeys(fit.design.terms, x[:, 1]))
        limits = {name: getattr(found, name) for name in ("ci_low", "ci_high", "pi_low", "pi_high")}
        return {"yi": found.estimate, **limits}

    return Fitted(
        estimate=fit.estimate,
        se=fit.se,
        ci_low=fit.ci_low,
        ci_high=fit.ci_high,
        statistic=fit.statistic,
        df=np.full(len(fit.names), float(fit.df)),
        p_value=fit.p_value,
        terms={name: tuple(map(float, test)) for name, test in fit.terms.items()},  # type: ignore[misc]
        tau2=float(fit.tau2),
        i2=float(fit.i2),
        r2=r2,
        qe=float(fit.qe),
        qe_df=float(fit.qe_df),
        qe_p_value=float(fit.qe_p_value),
        weights=weights,
        method=fit.method,
        test=fit.test,
        ci_code=fit.ci_code,
        notes=tuple(dict.fromkeys(str(note) for note in notes if note)),
        may_be_dealt=dealt,
        predict=predict,
    )


def _fit_dependent(
    rows: pd.DataFrame, design: Design, comparison: Comparison, level: float
) -> Fitted:
    """Regress several effects of a trial, tested by how much trials vary (CR2)."""
    y, v = rows["yi"].to_numpy(float), rows["vi"].to_numpy(float)
    trials = rows["trial"].tolist()
    levels: dict[str, Any] = {"trial": trials}
    if len(set(trials)) < len(trials):
        levels["effect"] = list(range(len(trials)))
    shared = comparison.several_effects == "multivariate"
    spread = impute_covariance(v, trials, comparison.several_r) if shared else v
    fit = fit_multilevel(y, spread, levels, moderators=design, level=level)
    alone = fit_multilevel(y, spread, levels, level=level)
    robust = robust_inference(fit, trials)
    tau2 = float(sum(fit.sigma2.values()))
    pull = 1 / np.diag(fit.fitted.covariance)
    notes = (robust.remark, _note_few(len(set(trials)), design))
    return Fitted(
        estimate=robust.estimate,
        se=robust.se,
        ci_low=robust.ci_low,
        ci_high=robust.ci_high,
        statistic=robust.statistic,
        df=robust.df,
        p_value=robust.p_value,
        terms=_test_terms(robust, design),
        tau2=tau2,
        i2=float(sum(fit.i2.values())),
        r2=_explain(tau2, float(sum(alone.sigma2.values()))),
        qe=float(fit.qe),
        qe_df=float(fit.qe_df),
        qe_p_value=float(fit.qe_p_value),
        weights=100 * pull / pull.sum(),
        method="REML",
        test="cr2",
        ci_code=robust.ci_code,
        notes=tuple(dict.fromkeys(str(note) for note in notes if note)),
        may_be_dealt=False,
        predict=lambda x: _predict_robust(fit, trials, x, level),
    )


def _test_terms(robust: Robust, design: Design) -> dict[str, Test]:
    """Test each moderator of one coefficient; of several together CR2 has no t test."""
    found: dict[str, Test] = {}
    for name, place in design.terms.items():
        j = place[0]
        single = len(place) == 1
        f, df, p = robust.statistic[j] ** 2, robust.df[j], robust.p_value[j]
        found[name] = (
            (float(f), 1.0, float(df), float(p)) if single else (NAN, float(len(place)), NAN, NAN)
        )
    return found


def _predict_robust(fit: Multilevel, trials: list[Any], x: Array, level: float) -> dict[str, Array]:
    """Fit effects at rows of a design, each with the degrees of freedom of its own error.

    The design is turned so that its first coefficient is the fitted effect.
    """
    own, rows = fit.fitted, []
    for at in x:
        turn = np.eye(len(at))
        turn[0] = at
        back = np.linalg.inv(turn)
        moved = replace(own, x=own.x @ back, estimate=turn @ own.estimate)
        one = robust_inference(moved, trials)
        half = float(find_critical(level, np.array(one.df[0]))) * one.se[0]
        rows.append((one.estimate[0], one.estimate[0] - half, one.estimate[0] + half))
    fitted, low, high = np.array(rows).T
    nothing = np.full(len(x), NAN)
    return {
        "yi": fitted,
        "ci_low": low,
        "ci_high": high,
        "pi_low": nothing,
        "pi_high": nothing,
    }
