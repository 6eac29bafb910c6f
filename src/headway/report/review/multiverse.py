"""How much hangs on choices: the multiverse of a comparison in sentences and a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import MEASURES
from headway.messages import say, t, term
from headway.report import formats

if TYPE_CHECKING:
    import pandas as pd

# Sentence by whether the declared interval excludes nothing, and what nothing is.
_DECLARED = {
    (True, "difference"): "review_checks.declared_excludes_no_difference",
    (True, "change"): "review_checks.declared_excludes_no_change",
    (False, "difference"): "review_checks.declared_includes_no_difference",
    (False, "change"): "review_checks.declared_includes_no_change",
}
FACTORS = ("measure", "assumed_r", "rows_used", "studies", "method", "test")


def describe_multiverse(rows: pd.DataFrame, estimand: str) -> dict[str, Any]:
    """Put the specifications of one comparison into words.

    Parameters
    ----------
    rows
        Table `multiverse` of one comparison.
    estimand
        Whether it is a difference between arms or a change within them.

    Returns
    -------
    dict
        `sentences`, `heads` and `rows` of a table; empty sentences where there is no multiverse.
    """
    nothing = "difference" if estimand == "between_arm" else "change"
    sentences: list[str] = []
    cells: list[dict[str, Any]] = []
    for group, own in rows.groupby("subgroup", sort=False):
        name = "" if group == "overall" else f"{group}: "
        sentences.append(_say(own, name, nothing))
        cells += _count(own, "" if group == "overall" else str(group))
    return {
        "sentences": sentences,
        "count": len(rows),
        "heads": [
            t("review_checks.choice"),
            t("review_checks.ways"),
            t("review_checks.same_direction"),
            say(term("review_checks", f"excludes_no_{nothing}")),
        ],
        "rows": cells,
    }


def _say(own: pd.DataFrame, name: str, nothing: str) -> str:
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
        _DECLARED[is_significant, nothing],
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
            shown = (
                formats.TESTS.get(level, level) if column == "test" else say(term("option", level))
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
