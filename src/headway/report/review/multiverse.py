"""How much hangs on choices: the multiverse of a comparison in sentences and a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import MEASURES
from headway.messages import say, t, term
from headway.report import formats
from headway.report.review.sentences import name_null

if TYPE_CHECKING:
    import pandas as pd

FACTORS = (
    *("measure", "assumed_r", "rows_used", "zero_events", "studies", "weighting", "method"),
    "test",
)


def describe_multiverse(rows: pd.DataFrame, measure: str) -> dict[str, Any]:
    """Put the specifications of one comparison into words.

    Parameters
    ----------
    rows
        Table `multiverse` of one comparison.
    measure
        Declared one of the comparison.

    Returns
    -------
    dict
        `sentences`, `heads` and `rows` of a table; empty sentences where there is no multiverse.
    """
    null = name_null(measure)
    sentences: list[str] = []
    cells: list[dict[str, Any]] = []
    for group, own in rows.groupby("subgroup", sort=False):
        name = "" if group == "overall" else f"{group}: "
        sentences.append(_say(own, name, null))
        cells += _count(own, "" if group == "overall" else str(group))
    return {
        "sentences": sentences,
        "count": len(rows),
        "heads": [
            t("review_checks.choice"),
            t("review_checks.ways"),
            t("review_checks.same_direction"),
            t("review_checks.without_null", null=null),
        ],
        "rows": cells,
    }


def _say(own: pd.DataFrame, name: str, shown: str) -> str:
    declared = own[own["declared"]].iloc[0]
    null = MEASURES[declared["measure"]].scale.null_yi
    same = np.sign(own["estimate"] - null) == np.sign(declared["estimate"] - null)
    significant = own["p_value"] < 1 - own["level"]
    is_significant = bool(declared["p_value"] < 1 - declared["level"])
    agree = (same & significant) if is_significant else ~significant
    unit = own[own["unit"] == declared["unit"]]
    measure = declared["measure"]
    low, high = (
        formats.number(formats.scale(value, measure))
        for value in (unit["estimate"].min(), unit["estimate"].max())
    )
    return t(
        "review_checks.declared_without_null"
        if is_significant
        else "review_checks.declared_with_null",
        null=shown,
        name=name,
        n=len(own),
        same=formats.percent(100 * same.mean()),
        significant=formats.percent(100 * (same & significant).mean()),
        agree=formats.percent(100 * agree.mean()),
        unit=formats.unit(measure, declared["unit"]),
        low=low,
        high=high,
    )


def _count(own: pd.DataFrame, group: str) -> list[dict[str, Any]]:
    declared = own[own["declared"]].iloc[0]
    null = MEASURES[declared["measure"]].scale.null_yi
    same = np.sign(own["estimate"] - null) == np.sign(declared["estimate"] - null)
    significant = same & (own["p_value"] < 1 - own["level"])
    out = []
    for column in FACTORS:
        label = say(term("factor", column))
        if own[column].nunique() < 2:
            continue
        for level in dict.fromkeys(own[column]):
            at = own[column] == level
            family = "weighting" if column == "weighting" else "option"
            shown = (
                say(term("pooled", f"by_{level}")) if column == "test" else say(term(family, level))
            )
            is_declared = level == declared[column]
            if is_declared:
                shown = t("review_checks.declared", level=shown)
            start = f"{group}, {label}" if group else label
            out.append(
                {
                    "kind": "main" if is_declared else "",
                    "cells": [
                        f"{start}: {shown}",
                        formats.integer(at.sum()),
                        formats.integer((at & same).sum()),
                        formats.integer((at & significant).sum()),
                    ],
                }
            )
    return out
