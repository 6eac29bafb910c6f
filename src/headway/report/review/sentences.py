"""Pooled estimates of a review in sentences: what they are, and what few trials leave open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import MEASURES
from headway.effects.units import UNITS
from headway.messages import capital, read, say, t
from headway.report import formats
from headway.reviews.totals import describe_row

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison

BETWEEN, WITHIN = "between_arm", "within_arm"
TESTS = {
    "z": "pooled.by_z",
    "t": "pooled.by_t",
    "knha": "pooled.by_knha",
    "adhoc": "pooled.by_adhoc",
    "kr": "pooled.by_kr",
    "cr2": "pooled.by_cr2",
}
# Trials below which nothing can be said of how much new ones would differ.
FEWEST = 3
_FEW_REASONS = 2  # that a sentence holds; more stand in the table
# Said in the sentence of the estimate already.
TOLD = ("note.two_studies", "note.one_study")


def say_estimates(comparison: Comparison, own: pd.DataFrame, declared: pd.DataFrame) -> list[str]:
    """Say each declared estimate in a sentence, subgroups first.

    Parameters
    ----------
    comparison
        Its entry in review.yaml.
    own, declared
        Its rows of `effects`, and of `pooled` under the declared model.
    """
    if not len(declared):
        reasons = [say(x) for x in own["why_not"].dropna().drop_duplicates()]
        places = {"label": comparison.label, "n": len(own)}
        if 1 <= len(reasons) <= _FEW_REASONS:
            return [t("pooled.none_because", **places, why="; ".join(reasons))]
        return [t("pooled.none", **places)]
    return [_say_estimate(comparison, own, row) for row in declared.to_dict("records")]


def _say_estimate(comparison: Comparison, own: pd.DataFrame, row: Mapping[str, Any]) -> str:
    measure = row["measure"]
    where = comparison.label
    if row["subgroup"] != "overall":
        where += f", {row['subgroup']}"
    if formats.missing(row["estimate"]):
        return t("pooled.not_computable", where=where)
    value = formats.number(formats.scale(row["estimate"], measure))
    places = {"where": where, "value": value, "unit": formats.unit(measure, row["unit"])}
    used = _select(own, row)
    if row["k"] == 1:
        trial = str(used["trial"].iloc[0])
        interval = _say_interval(row, "z")
        text = t("pooled.one", **places, interval=interval, trial=trial)
        return text + _say_limits(row, "ci", used, comparison) + "."
    noun = "pooled.trials" if comparison.estimand == BETWEEN else "pooled.arms"
    n = int(row["k"])
    text = t(
        "pooled.estimate", **places, interval=_say_interval(row, row["test"]), source=t(noun, n=n)
    )
    if row["weighting"] != "own":
        text += t("pooled.by_method", method=describe_row(row))
    if not formats.missing(row["n_total"]):
        text += t("pooled.people", people=formats.integer(row["n_total"]))
    null = MEASURES[measure].scale.null_yi
    if row["ci_low"] <= null <= row["ci_high"]:
        text += t("pooled.within", null=name_null(measure))
    text += _say_limits(row, "ci", used, comparison)
    if n == 2 and row["method"] != "EE" and row["weighting"] == "own":
        id = "pooled.two" if comparison.estimand == BETWEEN else "pooled.two_arms"
        text += t("pooled.two_shared" if "note.of_all_groups" in _list_notes(row) else id)
    return text + "."


def name_null(measure: str) -> str:
    """Write the value that means no difference, as it is shown: 0, 1 for a ratio, or a dash."""
    scale = MEASURES[measure].scale
    return formats.MISSING if np.isnan(scale.null_yi) else f"{float(scale.back(scale.null_yi)):g}"


def name_model(method: str, test: str) -> str:
    """Name a model: how trials are weighted, and its intervals."""
    if method == "EE":
        return t("review_page.common_effect", test=t(TESTS[test]))
    known = {"DL": "review_page.dl", "REML": "review_page.reml"}
    named = t(known[method]) if method in known else method
    return t("review_page.random_effects", method=named, test=t(TESTS[test]))


def _say_interval(row: Mapping[str, Any], test: str) -> str:
    if formats.missing(row["ci_low"]) or formats.missing(row["ci_high"]):
        return t("pooled.no_interval")
    low, high = (formats.scale(row[c], row["measure"]) for c in ("ci_low", "ci_high"))
    return t(
        "pooled.interval",
        percent=100 * row["level"],
        low=formats.number(low),
        high=formats.number(high),
        test=t(TESTS[test]),
    )


def _select(own: pd.DataFrame, row: Mapping[str, Any]) -> pd.DataFrame:
    used = own[own["pooled"]]
    return used if row["subgroup"] == "overall" else used[used["subgroup"] == row["subgroup"]]


def _list_notes(row: Mapping[str, Any]) -> list[str]:
    note = row["note"]
    return [] if formats.missing(note) else [m.id for m in read(str(note)) or []]


def _say_limits(
    row: Mapping[str, Any], which: str, used: pd.DataFrame, comparison: Comparison
) -> str:
    """Say that limits lie beyond what can be: the scale's range, or a fall of all there was."""
    unit = UNITS.get(row["unit"])
    low, high = float(row[f"{which}_low"]), float(row[f"{which}_high"])
    if MEASURES[row["measure"]].scale.code != "natural" or unit is None:
        return ""
    if comparison.estimand == WITHIN and unit.low == 0:
        before = _average_before(used)
        if low < -before:
            return t("pooled.beyond_before", before=formats.number(before, 1))
    if unit.low is None or unit.high is None or comparison.estimand not in (BETWEEN, WITHIN):
        return ""
    most = unit.high - unit.low
    if low < -most or high > most:
        named = formats.unit(row["measure"], row["unit"])
        return t("pooled.beyond_scale", most=formats.number(most, 0), unit=named)
    return ""


def _average_before(used: pd.DataFrame) -> float:
    """Find the mean before treatment of the arms, weighted as pooled; NaN where none prints it."""
    before = used["mean2"].to_numpy(dtype=float)
    weight = used["weight"].fillna(used["n1"]).to_numpy(dtype=float)
    known = np.isfinite(before) & np.isfinite(weight) & (weight > 0)
    return float(np.average(before[known], weights=weight[known])) if known.any() else float("nan")


def say_heterogeneity(row: Mapping[str, Any], comparison: Comparison, own: pd.DataFrame) -> str:
    """Say how much trials differ, and what a new one would be expected to show.

    Parameters
    ----------
    row
        Of `pooled`, of at least two trials.
    comparison, own
        As for :func:`say_estimates`.
    """
    measure = row["measure"]
    if formats.missing(row["estimate"]):
        return ""
    name = "" if row["subgroup"] == "overall" else f"{capital(str(row['subgroup']))}: "
    text = t(
        "pooled.heterogeneity",
        name=name,
        i2=formats.number(row["i2"], 0),
        tau2=formats.number(row["tau2"], 3),
        q=formats.number(row["q"]),
        df=formats.integer(row["q_df"]),
        p=formats.p_value(row["q_p_value"]),
    )
    between = comparison.estimand == BETWEEN
    if not formats.missing(row["pi_low"]):
        low, high = (formats.number(formats.scale(row[c], measure)) for c in ("pi_low", "pi_high"))
        id = "pooled.new_trial" if between else "pooled.new_arm"
        sentence = t(id, low=low, high=high, percent=100 * row["level"])
        if not row["tau2"] > 0:
            sentence += t("pooled.no_differences" if between else "pooled.no_differences_arms")
        sentence += _say_limits(row, "pi", _select(own, row), comparison)
        text += f" {sentence}."
    elif row["k"] < FEWEST and row["method"] != "EE" and row["weighting"] == "own":
        text += f" {t('pooled.no_prediction')}."
    notes = [] if formats.missing(row["note"]) else read(str(row["note"]))
    if notes is None:
        text += f" {capital(say(row['note']))}."
    elif told := [m for m in notes if m.id not in TOLD]:
        text += f" {capital('; '.join(map(say, told)))}."
    return text
