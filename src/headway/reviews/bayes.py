"""Bayesian answers that review.yaml declares: a comparison's pooled effects under its priors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import MEASURES
from headway.effects.shared import Scale
from headway.errors import UNCOMPUTABLE, log_frames
from headway.messages import Message
from headway.meta import bayes
from headway.meta.bayes.priors import Prior
from headway.meta.methods import describe_bayes
from headway.reviews.candidates import name_trials
from headway.tables import conform, empty
from headway.tables.reviews import TAU_PRIORS

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Bayes, Comparison, Review, TauPrior

# Measures that are log odds ratios (Turner et al. 2015), and that are standardised mean differences
# (Rhodes et al. 2015).
TURNER_MEASURES = ("OR", "PETO")
RHODES_MEASURES = ("SMD", "SMDH", "SMD1", "SMD1H")
_POINTS = 161  # at which a density is written
_BEYOND = 0.75  # how far beyond the interval, in its widths
OUTPUTS = ("bayes", "bayes_trials", "bayes_density")


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a methods text says of a fit."""

    k: int
    tau_prior: Prior
    mu_prior: bayes.Normal | bayes.Flat
    level: float


def answer_bayes(effects: pd.DataFrame, review: Review) -> dict[str, pd.DataFrame]:
    """Pool each comparison that declares `bayes` under each of its priors.

    Parameters
    ----------
    effects
        Table `effects`; its rows with `pooled` enter.
    review
        review.yaml with its defaults.

    Returns
    -------
    dict of DataFrame
        Tables `bayes` (a row per prior; what cannot be computed has its reason in `note`),
        `bayes_trials` and `bayes_density` (of the declared prior).
    """
    import pandas as pd

    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in OUTPUTS}
    for comparison in review.comparisons:
        if comparison.bayes is None:
            continue
        own = effects[(effects["comparison"] == comparison.id) & effects["pooled"]]
        for i, entry in enumerate(comparison.bayes.tau, start=1):
            fit, note = _try_fit(own, comparison, review, entry)
            head = {"comparison": comparison.id, "prior": i, "declared": i == 1, "note": note}
            head |= {"measure": comparison.measure, "level": review.level_of(comparison)}
            head |= {"kind": _name_kind(entry), "k": len(own)}
            head["unit"] = review.outcomes[comparison.outcome].unit
            if len(own):
                head["unit"] = own["unit"].iloc[0]
            rows["bayes"].append(head if fit is None else head | _tell(fit, comparison, review))
            if fit is not None and i == 1:
                rows["bayes_trials"] += _list_trials(fit, own, comparison.id)
                scale = MEASURES[comparison.measure].scale
                rows["bayes_density"] += _list_densities(fit, comparison.id, scale)
    return {
        name: conform(name, pd.DataFrame(made)) if made else empty(name)
        for name, made in rows.items()
    }


def find_prior(entry: TauPrior, measure: str) -> Prior | Message:
    """Find the prior that an entry of review.yaml declares, or why it cannot be used."""
    if entry.half_normal is not None:
        return bayes.HalfNormal(entry.half_normal)
    if entry.half_cauchy is not None:
        return bayes.HalfCauchy(entry.half_cauchy)
    if entry.uniform is not None:
        return bayes.Uniform(entry.uniform)
    if entry.turner is not None:
        if measure not in TURNER_MEASURES:
            return Message("no_bayes.turner", measure=measure)
        return _look_up(bayes.turner, entry.turner.outcome, entry.turner.comparison)
    assert entry.rhodes is not None
    sd = entry.rhodes.sd
    if measure != "MD" and measure not in RHODES_MEASURES:
        return Message("no_bayes.rhodes", measure=measure)
    if measure == "MD" and sd is None:
        return Message("no_bayes.rhodes_sd")
    if measure != "MD" and sd is not None:
        return Message("no_bayes.rhodes_no_unit", measure=measure)
    kind = "MD" if measure == "MD" else "SMD"
    of = entry.rhodes
    return _look_up(bayes.rhodes, of.outcome, of.comparison, measure=kind, sd=sd)


def describe_methods(comparison: Comparison, review: Review, k: int) -> list[Message]:
    """Return the methods of a comparison's declared Bayesian answer, as messages."""
    assert comparison.bayes is not None
    prior = find_prior(comparison.bayes.tau[0], comparison.measure)
    if isinstance(prior, Message):
        return []
    fit = _Declared(k, prior, _find_mu(comparison.bayes), review.level_of(comparison))
    return describe_bayes(fit, comparison.label)


def _look_up(table: Any, outcome: str, comparison: str, **more: Any) -> Prior | Message:
    """Look a type of outcome and of comparison up in a published table."""
    try:
        found: Prior = table(outcome, comparison, **more)
    except ValueError:
        id = "no_bayes.half_any" if "any" in (outcome, comparison) else "no_bayes.not_verified"
        return Message(id)
    return found


def _name_kind(entry: TauPrior) -> str:
    return next(kind for kind in TAU_PRIORS if getattr(entry, kind) is not None)


def _find_mu(declared: Bayes) -> bayes.Normal | bayes.Flat:
    mu = declared.mu
    return bayes.Flat() if mu is None else bayes.Normal(mu.mean, mu.sd)


def _find_reason(own: pd.DataFrame, comparison: Comparison) -> Message | None:
    """Find why a comparison has no Bayesian answer, whatever the prior."""
    if comparison.dependence:
        return Message("no_bayes.dependent")
    if comparison.totals == "none":
        return Message("no_bayes.nothing_pooled")
    if comparison.totals == "subgroups" or comparison.subgroup_by == "arm":
        return Message("no_bayes.apart")
    return None if len(own) else Message("no_bayes.no_trial")


def _try_fit(
    own: pd.DataFrame, comparison: Comparison, review: Review, entry: TauPrior
) -> tuple[bayes.Posterior | None, Message | None]:
    """Fit one prior; None and the reason where that cannot be."""
    assert comparison.bayes is not None
    why = _find_reason(own, comparison)
    prior = find_prior(entry, comparison.measure)
    if why is not None or isinstance(prior, Message):
        return None, why or prior  # type: ignore[return-value]
    try:
        fit = bayes.pool_bayes(
            own["yi"].to_numpy(float),
            own["vi"].to_numpy(float),
            tau=prior,
            mu=_find_mu(comparison.bayes),
            level=review.level_of(comparison),
        )
    except UNCOMPUTABLE as error:
        log_frames(error, f"bayes, {comparison.id}")
        return None, Message("no_bayes.too_far_apart")
    return fit, None


def find_side(comparison: Comparison, review: Review) -> str:
    """Find the side of a threshold that is better: `below` or `above`."""
    lower = review.outcomes[comparison.outcome].lower_is_better
    return "below" if lower != comparison.swap_events else "above"


def _tell(fit: bayes.Posterior, comparison: Comparison, review: Review) -> dict[str, Any]:
    """Make the numbers of a row of table `bayes`."""
    assert comparison.bayes is not None
    out: dict[str, Any] = {
        "tau_prior": fit.tau_prior.describe(),
        "mu_prior": fit.mu_prior.describe(),
        "tau_mean": _keep_finite(fit.tau.mean),
    }
    for name in ("mu", "tau", "new"):
        summary = getattr(fit, name)
        out |= {f"{name}_{end}": getattr(summary, end) for end in ("median", "low", "high")}
    out["mu_mean"] = _keep_finite(fit.mu.mean)
    scale = MEASURES[comparison.measure].scale
    shown = comparison.bayes.threshold
    if shown is not None:
        side, threshold = find_side(comparison, review), scale.to_yi(shown)
        out |= {"threshold": shown, "side": side}
        if np.isfinite(threshold):
            for name, of in (("p_mean", "mu"), ("p_new", "new")):
                # Rounding may leave the bounds by a last digit.
                out[name] = np.clip(fit.probability_beyond(threshold, side, of), 0.0, 1.0)
    if comparison.bayes.mu is None:
        return out | {"factor_note": Message("no_factor.flat")}
    out["factor_tau"] = _keep_finite(fit.bayes_factor("tau").bf10)
    if np.isnan(scale.null_yi):
        return out | {"factor_note": Message("no_factor.no_null")}
    factor = fit.bayes_factor("mu", at=scale.null_yi)
    found = _keep_finite(factor.bf10)
    note = Message("no_factor.too_large") if np.isnan(found) else factor.null
    return out | {"factor_mu": found, "factor_note": note}


def _keep_finite(value: Any) -> float:
    """Leave a number that is beyond what a computer holds empty."""
    return float(value) if np.isfinite(value) else float("nan")


def _list_trials(fit: bayes.Posterior, own: pd.DataFrame, comparison: str) -> list[dict[str, Any]]:
    """List each trial as it was pooled and its true effect, shrunken towards the mean."""
    shrunken = fit.trials
    ends = {end: np.atleast_1d(getattr(shrunken, end)) for end in ("median", "low", "high")}
    return [
        {
            "comparison": comparison,
            "position": i + 1,
            "trial": name,
            **{c: own[c].iloc[i] for c in ("yi", "ci_low", "ci_high")},
            **{end: values[i] for end, values in ends.items()},
        }
        for i, name in enumerate(name_trials(own))
    ]


def _list_densities(fit: bayes.Posterior, comparison: str, scale: Scale) -> list[dict[str, Any]]:
    """List the densities of the mean effect and of a new trial's, along the axis of a figure."""
    rows: list[dict[str, Any]] = []
    for of in ("mu", "new"):
        summary = getattr(fit, of)
        reach = _BEYOND * (summary.high - summary.low)
        x = np.linspace(summary.low - reach, summary.high + reach, _POINTS)
        density = fit.density(x, of)
        shown = np.asarray(scale.back(x), dtype=np.float64)
        if scale.transform and scale.code != "ratio":
            # The axis is that of the number shown and not of yi.
            with np.errstate(all="ignore"):
                density = density / np.gradient(shown, x)
        keep = np.isfinite(shown) & np.isfinite(density)
        rows += [
            {"comparison": comparison, "of": of, "position": i + 1, "x": a, "density": b}
            for i, (a, b) in enumerate(zip(shown[keep], density[keep], strict=True))
        ]
    return rows
