"""What reviewers ask, in words: absolute effects, other units, trials left out, facts for GRADE."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.effects.units import name_unit
from headway.figures.theme import write_effect
from headway.messages import is_missing, say, t, term
from headway.report import formats

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Review

INFINITE = "∞"


def describe_asked(tables: Mapping[str, pd.DataFrame], review: Review) -> dict[str, Any] | None:
    """Put the tables `translated` and `support` into words; None where both are empty.

    Returns
    -------
    dict
        title, intro, translated and support (caption, heads, rows), fail_safe (a sentence).
    """
    translated, support = tables["translated"], tables["support"]
    if not len(translated) and not len(support):
        return None
    labels = {c.id: c.label for c in review.comparisons}

    def name(r: Mapping[str, Any]) -> str:
        label = labels[r["comparison"]]
        return label if r["subgroup"] == "overall" else f"{label}, {r['subgroup']}"

    rows = [
        {"kind": "", "cells": [name(r), say_quantity(r, tables["pooled"], review), say(r["basis"])]}
        for r in translated.to_dict("records")
    ]
    facts = [
        {"kind": "", "cells": [name(r), say(term("domain", r["domain"])), say(r["fact"])]}
        for r in support.to_dict("records")
    ]
    first = t("asked.comparison")
    return {
        "title": t("asked.title"),
        "intro": t("asked.intro"),
        "translated": {
            "caption": t("asked.caption"),
            "heads": [first, t("asked.quantity"), t("asked.basis")],
            "rows": rows,
        },
        "support": {
            "caption": t("asked.support_caption"),
            "heads": [first, t("asked.domain"), t("asked.facts")],
            "rows": facts,
        },
        "fail_safe": t("asked.fail_safe") if tables["pooled"]["k"].gt(1).any() else "",
    }


def say_quantity(row: Mapping[str, Any], pooled: pd.DataFrame, review: Review) -> str:
    """Say a row of the table `translated`."""
    comparison = review.comparison(row["comparison"])
    percent = f"{100 * review.level_of(comparison):g}"
    quantity, value = row["quantity"], row["estimate"]
    low, high = row["ci_low"], row["ci_high"]
    if quantity == "baseline_risk":
        return t("asked.baseline_risk", value=formats.number(1000 * value, 0))
    if quantity == "risk_difference":
        ends = {"low": formats.number(1000 * low, 0), "high": formats.number(1000 * high, 0)}
        id = "asked.fewer" if value < 0 else "asked.more"
        return t(id, value=formats.number(abs(1000 * value), 0), **ends)
    if quantity == "number_needed":
        return _say_needed(row, percent)
    if quantity == "in_unit":
        unit = say(name_unit(row["unit"]))
        if is_missing(value):
            return t("asked.not_in_unit", unit=unit)
        three = [write_effect(float(x)) for x in (value, low, high)]
        numbers = dict(zip(("value", "low", "high"), three, strict=True))
        return t("asked.in_unit", unit=unit, percent=percent, **numbers)
    return _say_left(row, pooled, percent)


def _say_left(row: Mapping[str, Any], pooled: pd.DataFrame, percent: str) -> str:
    """Say the estimate without trials at high risk of bias beside that of all trials."""
    if is_missing(row["estimate"]):
        return t("asked.none_left")
    declared = pooled[
        (pooled["comparison"] == row["comparison"])
        & (pooled["subgroup"] == row["subgroup"])
        & pooled["declared"]
    ]
    main = declared.iloc[0]
    measure = main["measure"]
    ratio = formats.scale(0.0, measure) == 1

    def write(three: list[Any]) -> dict[str, str]:
        texts = [formats.MISSING if is_missing(x) else write_effect(float(x), ratio) for x in three]
        return dict(zip(("value", "low", "high"), texts, strict=True))

    left = write([row[c] for c in ("estimate", "ci_low", "ci_high")])
    whole = write([formats.scale(main[c], measure) for c in ("estimate", "ci_low", "ci_high")])
    shared = {"measure": measure, "percent": percent}
    return t(
        "asked.without_high_risk",
        k=int(row["k"]),
        beside=t("asked.all_pooled", k=int(main["k"]), percent=percent, **whole),
        **shared,
        **left,
    )


def _say_needed(row: Mapping[str, Any], percent: str) -> str:
    """Say a number needed, rounded up as is the convention, with an interval that may be cut."""
    value, low, high = row["estimate"], row["ci_low"], row["ci_high"]
    if row["through_infinity"]:
        ends = t("asked.through", percent=percent, harm=_round_up(low), benefit=_round_up(high))
    else:
        near, far = sorted((abs(low), abs(high)))
        ends = t("asked.ends", percent=percent, low=_round_up(near), high=_round_up(far))
    if is_missing(value):
        return t("asked.no_difference", ends=ends)
    return t("asked.nntb" if value > 0 else "asked.nnth", value=_round_up(value), ends=ends)


def _round_up(number: float) -> str:
    if is_missing(number) or math.isinf(number):
        return INFINITE
    return formats.integer(math.ceil(abs(number) - 1e-9))
