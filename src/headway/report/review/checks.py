"""Sensitivity to single trials and small-study checks of a comparison, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.effects.measures import MEASURES
from headway.messages import capital, read, say, t, term
from headway.report import formats
from headway.report.review.sentences import name_null

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
        name = "" if subgroup == "overall" else f"{capital(str(subgroup))}: "
        first = part.iloc[0]
        if [m.id for m in read(str(first["note"])) or ()] == ["small_study.dependent"]:
            sentences.append(capital(f"{name}{say(first['note'])}."))
        elif first["check"] == "none":
            sentences.append(t("review_checks.too_few", name=name, n=int(first["k"])))
        else:
            egger = part[part["check"] == "egger"].iloc[0]
            if formats.missing(egger["p_value"]):
                why = say(egger["note"])
                sentences.append(t("review_checks.no_egger", name=name, why=why))
                continue
            value, low, high = (
                formats.scale(egger[c], measure) for c in ("estimate", "ci_low", "ci_high")
            )
            sentences.append(
                t(
                    "review_checks.egger",
                    name=name,
                    p=formats.p_value(egger["p_value"]),
                    n=int(egger["k"]),
                    value=formats.number(value),
                    limits=formats.limits(low, high),
                )
            )
    return {
        "sentences": sentences,
        "refits": {
            "heads": [
                t("review_checks.analysis"),
                t("review_checks.trial"),
                "k",
                measure,
                t("review_checks.ci"),
                "I²",
            ],
            "rows": [
                {
                    "kind": "",
                    "cells": [
                        _name_refit(r),
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
            "heads": [
                t("review_checks.check"),
                "k",
                t("review_checks.statistic"),
                "p",
                measure,
                t("review_checks.ci"),
                t("review_checks.what_it_can_say"),
            ],
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


def _name_refit(row: Mapping[str, Any]) -> str:
    analysis = say(term("refit", row["analysis"].replace(" ", "_")))
    return analysis if row["subgroup"] == "overall" else f"{analysis}, {row['subgroup']}"


def _say_leave_one_out(
    part: pd.DataFrame, whole: Mapping[str, Any], measure: str, subgroup: str
) -> str:
    """Say how far the estimate moves, and whether one trial decides what the interval excludes."""
    low, high = (formats.scale(f(part["estimate"]), measure) for f in (min, max))
    null = MEASURES[measure].scale.null_yi
    excludes = (part["ci_low"] > null) | (part["ci_high"] < null)
    now = whole["ci_low"] > null or whole["ci_high"] < null
    turned = list(part.loc[excludes != now, "trial"])
    if math.isnan(null):  # a measure of single arms has no value that says "no difference"
        ends = ""
    elif turned:
        id = "review_checks.includes_without" if now else "review_checks.excludes_without"
        ends = "; " + t(id, null=name_null(measure), trials=turned)
    else:
        id = "review_checks.always_excludes" if now else "review_checks.always_includes"
        ends = "; " + t(id, null=name_null(measure))
    name = "" if subgroup == "overall" else f"{subgroup}: "
    limits = {"low": formats.number(low), "high": formats.number(high)}
    return capital(f"{name}{t('review_checks.runs', **limits, ends=ends)}.")
