"""Bayesian answers of a comparison in sentences, with a table of what each prior does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.effects.measures import MEASURES
from headway.effects.units import name_unit
from headway.messages import capital, decimal, read, say, t, term, write_significant
from headway.report import formats
from headway.reviews.bayes import describe_methods

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Review

FEW = 5  # trials below which the prior of tau decides much
# By the side of the threshold that is better.
_BEYOND = {"below": "bayes.beyond_below", "above": "bayes.beyond_above"}
_CHANCES = {
    "below": ("bayes.p_below", "bayes.p_new_below"),
    "above": ("bayes.p_above", "bayes.p_new_above"),
}
_FACTORS = {"factor_mu": "bayes.factor_mu", "factor_tau": "bayes.factor_tau"}


def describe_answer(
    comparison: Comparison, tables: Mapping[str, pd.DataFrame], review: Review
) -> dict[str, Any] | None:
    """Put a comparison's Bayesian answer into words; None where none is declared.

    Parameters
    ----------
    comparison
        Its entry in review.yaml.
    tables
        `bayes` and `bayes_trials`.
    review
        review.yaml with its defaults.

    Returns
    -------
    dict
        `sentences`, `priors` and `trials` (heads and rows of tables) and `methods`.
    """
    own = tables["bayes"][tables["bayes"]["comparison"] == comparison.id]
    if comparison.bayes is None or not len(own):
        return None
    rows = own.to_dict("records")
    first = rows[0]
    sentences = _say_answer(first, comparison)
    known = [row for row in rows if not formats.missing(row["mu_median"])]
    if len(known) > 1:
        sentences.append(_compare(known))
    if known and first["k"] < FEW:
        sentences.append(t("bayes.few"))
    sentences += dict.fromkeys(_say_factor(row["factor_note"]) for row in known)
    if known:
        sentences.append(t("bayes.given_prior"))
    # A reason that all priors share is said once, in the sentence.
    every = not known and len({row["note"] for row in rows}) == 1
    trials = tables["bayes_trials"]
    answered = not formats.missing(first["mu_median"])
    return {
        "sentences": sentences,
        "priors": _list_priors([] if every else rows, comparison),
        "trials": _list_trials(trials[trials["comparison"] == comparison.id], comparison, review),
        "methods": [
            say(message)
            for message in describe_methods(comparison, review, int(first["k"]))
            if answered
        ],
    }


def _say_answer(row: Mapping[str, Any], comparison: Comparison) -> list[str]:
    """Say the answer under the declared prior, or why there is none."""
    label, measure = comparison.label, comparison.measure
    if formats.missing(row["mu_median"]):
        return [t("bayes.none", label=label, why=say(row["note"]))]
    percent = 100 * row["level"]
    value, low, high = (_show(row[f"mu_{end}"], measure) for end in ("median", "low", "high"))
    out = [
        t(
            "bayes.answer",
            label=label,
            value=formats.number(value, beside=(low, high)),
            unit=formats.unit(measure, row["unit"]),
            **formats.ends(low, high, beside=(value,)),
            percent=percent,
            k=int(row["k"]),
            prior=say(row["tau_prior"]),
        )
    ]
    if not formats.missing(row["p_mean"]):
        out.append(
            t(
                _BEYOND[row["side"]],
                threshold=formats.number(row["threshold"]),
                mean=_write_chance(row["p_mean"]),
                new=_write_chance(row["p_new"]),
            )
        )
    else:
        ends = formats.ends(_show(row["new_low"], measure), _show(row["new_high"], measure))
        out.append(t("bayes.new_trial", percent=percent, **ends))
    return out


def _say_factor(note: str) -> str:
    """Say what the Bayes factor of the mean compares, or why there is none."""
    for message in read(note) or ():
        if message.id == "prior.factor_mu":
            return t("bayes.factor_compares", **message.values)
    return f"{capital(say(note))}."


def _compare(rows: list[dict[str, Any]]) -> str:
    """Say how far the answer moves from prior to prior."""
    found: dict[str, str] = {}
    for column, low, high in (
        ("mu_median", "low", "high"),
        ("mu_low", "low_a", "low_b"),
        ("mu_high", "high_a", "high_b"),
    ):
        shown = [_show(row[column], row["measure"]) for row in rows]
        found |= {low: formats.number(min(shown)), high: formats.number(max(shown))}
    return t("bayes.across_priors", n=len(rows), **found)


def _list_priors(rows: list[dict[str, Any]], comparison: Comparison) -> dict[str, Any]:
    """List what each prior does to the answer."""
    if not rows:
        return {"heads": [], "rows": [], "numbers": []}
    measure, first = comparison.measure, rows[0]
    percent = 100 * first["level"]
    entry = MEASURES[measure]
    heads = [
        t("bayes.prior"),
        t("bayes.median", measure=measure),
        t("bayes.interval", percent=percent),
        t("bayes.tau", unit=say(name_unit(entry.unit_yi or first["unit"]))),
        t("bayes.new", percent=percent),
    ]
    known = [row for row in rows if not formats.missing(row["mu_median"])]
    sided = next((row for row in known if not formats.missing(row["p_mean"])), None)
    if sided is not None:
        at = {"threshold": formats.number(sided["threshold"])}
        heads += [t(id, **at) for id in _CHANCES[sided["side"]]]
    factors = [name for name in _FACTORS if not all(formats.missing(row[name]) for row in known)]
    heads += [t(_FACTORS[name]) for name in factors]
    numbers, remarked = list(range(1, len(heads))), len(known) < len(rows)
    if remarked:
        heads.append(t("bayes.remark"))
    shown = [_write_prior(row, measure, sided is not None, factors, remarked) for row in rows]
    return {"heads": heads, "numbers": numbers, "rows": shown}


def _write_prior(
    row: Mapping[str, Any], measure: str, sided: bool, factors: list[str], remarked: bool
) -> dict[str, Any]:
    value, low, high, new_low, new_high = (
        _show(row[c], measure) for c in ("mu_median", "mu_low", "mu_high", "new_low", "new_high")
    )
    named = row["tau_prior"]
    name = term("tau_prior", row["kind"]) if formats.missing(named) else named
    said = t("bayes.declared_prior", prior=say(name)) if row["declared"] else say(name)
    tau = formats.number(row["tau_median"])
    if not formats.missing(row["tau_median"]):
        tau += f" ({formats.limits(row['tau_low'], row['tau_high'])})"
    cells = [
        said,
        formats.number(value, beside=(low, high)),
        formats.limits(low, high, beside=(value,)),
        tau,
        formats.limits(new_low, new_high),
    ]
    if sided:
        cells += [_write_chance(row[name]) for name in ("p_mean", "p_new")]
    cells += [_write_factor(row[name]) for name in factors]
    if remarked:
        cells.append(formats.MISSING if formats.missing(row["note"]) else say(row["note"]))
    return {"kind": "main" if row["declared"] else "", "cells": cells}


def _list_trials(own: pd.DataFrame, comparison: Comparison, review: Review) -> dict[str, Any]:
    """List trials as pooled and shrunken."""
    percent = 100 * review.level_of(comparison)
    rows = []
    for row in own.to_dict("records"):
        cells = [str(row["trial"])]
        for columns in (("yi", "ci_low", "ci_high"), ("median", "low", "high")):
            value, low, high = (_show(row[c], comparison.measure) for c in columns)
            limits = formats.limits(low, high, beside=(value,))
            cells.append(f"{formats.number(value, beside=(low, high))} ({limits})")
        rows.append({"kind": "", "cells": cells})
    heads = [
        t("review_checks.trial"),
        t("bayes.as_pooled", percent=percent),
        t("bayes.shrunken", percent=percent),
    ]
    return {"heads": heads, "rows": rows}


def _show(value: Any, measure: str) -> float:
    return formats.scale(value, measure)


def _write_chance(p: Any) -> str:
    """Write a probability in percent; one near an end is neither 0 nor 100 %."""
    if formats.missing(p):
        return formats.MISSING
    if p < 0.001 or p > 0.999:
        return decimal("< 0.1 %" if p < 0.5 else "> 99.9 %")
    return formats.percent(100 * p, 1)


def _write_factor(value: Any) -> str:
    """Write a Bayes factor with three digits; large and small ones as powers of ten."""
    if formats.missing(value):
        return formats.MISSING
    if 1e-3 <= value < 1e6:
        return write_significant(value)
    return decimal(f"{value:.1e}".replace("-", "−"))
