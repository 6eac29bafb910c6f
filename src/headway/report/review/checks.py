"""Sensitivity to single trials and small-study checks of a comparison, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.effects.measures import MEASURES
from headway.messages import say, term
from headway.report import formats

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison


def describe_checks(
    comparison: Comparison,
    refits: pd.DataFrame,
    small: pd.DataFrame,
    declared: pd.DataFrame,
) -> dict[str, Any]:
    """Put leave-one-out, cumulative and small-study results into sentences and tables.

    Parameters
    ----------
    comparison
        Its entry in review.yaml.
    refits, small
        Tables `refits` and `small_studies`.
    declared
        Rows of `pooled` of this comparison under the declared model.

    Returns
    -------
    dict
        sentences, refits (heads and rows), small (heads and rows).
    """
    measure = comparison.measure
    own = refits[refits["comparison"] == comparison.id]
    checks = small[small["comparison"] == comparison.id]
    sentences = []
    out = own[own["analysis"] == "leave one out"]
    for subgroup, part in out.groupby("subgroup", sort=False):
        row = declared[declared["subgroup"] == subgroup]
        if len(row):
            sentences.append(_say_leave_one_out(part, row.iloc[0], measure, str(subgroup)))
    for subgroup, part in checks.groupby("subgroup", sort=False):
        name = "" if subgroup == "overall" else f"{str(subgroup)[0].upper()}{str(subgroup)[1:]}: "
        first = part.iloc[0]
        if first["check"] == "none":
            sentences.append(
                f"{name}{formats.plural(int(first['k']), 'trial')}: a funnel plot and tests of "
                "asymmetry need ten."
            )
        else:
            egger = part[part["check"] == "egger"].iloc[0]
            sentences.append(
                f"{name}small trials: Egger’s test {formats.p_value(egger['p_value'])} with "
                f"{formats.plural(int(egger['k']), 'trial')}; the line points to "
                f"{_value(egger, measure)} in an infinitely large one. Asymmetry has other causes "
                "than missing trials."
            )
    return {
        "sentences": sentences,
        "refits": {
            "heads": ["Analysis", "Trial", "k", measure, "95 % CI", "I²"],
            "rows": [
                {
                    "kind": "",
                    "cells": [
                        r["analysis"]
                        if r["subgroup"] == "overall"
                        else f"{r['analysis']}, {r['subgroup']}",
                        r["trial"],
                        formats.integer(r["k"]),
                        formats.number(formats.scale(r["estimate"], measure)),
                        formats.limits(
                            formats.scale(r["ci_low"], measure),
                            formats.scale(r["ci_high"], measure),
                        ),
                        formats.percent(r["i2"]),
                    ],
                }
                for r in own.to_dict("records")
            ],
        },
        "small": {
            "heads": ["Check", "k", "Statistic", "p", measure, "95 % CI", "What it can say"],
            "rows": [
                {
                    "kind": "",
                    "cells": [
                        say(term("small_study_check", r["check"])),
                        formats.integer(r["k"]),
                        formats.number(r["statistic"]),
                        formats.p_value(r["p_value"]),
                        formats.number(formats.scale(r["estimate"], measure)),
                        formats.limits(
                            formats.scale(r["ci_low"], measure),
                            formats.scale(r["ci_high"], measure),
                        ),
                        say(r["note"]),
                    ],
                }
                for r in checks[checks["check"] != "none"].to_dict("records")
            ],
        },
    }


def _value(row: Mapping[str, Any], measure: str) -> str:
    value, low, high = (formats.scale(row[c], measure) for c in ("estimate", "ci_low", "ci_high"))
    return f"{formats.number(value)} ({formats.limits(low, high)})"


def _say_leave_one_out(
    part: pd.DataFrame, whole: Mapping[str, Any], measure: str, subgroup: str
) -> str:
    """Say how far the estimate moves, and whether one trial decides what the interval excludes."""
    low, high = (formats.scale(f(part["estimate"]), measure) for f in (min, max))
    name = "" if subgroup == "overall" else f"{subgroup}: "
    text = (
        f"{name}without each trial in turn the estimate runs from {formats.number(low)} to "
        f"{formats.number(high)}"
    )
    null = MEASURES[measure].scale.null_yi
    if math.isnan(null):
        return f"{text[0].upper()}{text[1:]}."
    excludes = (part["ci_low"] > null) | (part["ci_high"] < null)
    now = whole["ci_low"] > null or whole["ci_high"] < null
    turned = list(part.loc[excludes != now, "trial"])
    if not turned:
        what = "excludes" if now else "includes"
        text += f"; the interval {what} no difference each time"
    else:
        what = "includes" if now else "excludes"
        text += f"; the interval {what} no difference without {' or '.join(turned)}"
    return f"{text[0].upper()}{text[1:]}."
