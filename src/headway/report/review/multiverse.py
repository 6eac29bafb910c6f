"""How much hangs on choices: the multiverse of a comparison in sentences and a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import MEASURES
from headway.messages import say, term
from headway.report import formats

if TYPE_CHECKING:
    import pandas as pd

FACTORS = {
    "measure": "Measure",
    "assumed_r": "Correlation before–after",
    "rows_used": "Rows",
    "studies": "Trials",
    "method": "τ²",
    "test": "Interval",
}


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
        "heads": ["Choice", "Ways", "Same direction", f"Interval excludes no {nothing}"],
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
    label = formats.unit(measure, declared["unit"])
    verdict = "excludes" if is_significant else "includes"
    count = formats.plural(len(own), "way")
    return (
        f"{name}{count} to analyse this can be defended: "
        f"{formats.percent(100 * same.mean())} point in the declared direction, "
        f"{formats.percent(100 * (same & significant).mean())} with an interval that excludes no "
        f"{nothing}. The declared interval {verdict} it, and "
        f"{formats.percent(100 * agree.mean())} of the ways agree with that. Estimates in "
        f"{label} run from {low} to {high}."
    )


def _count(own: pd.DataFrame, group: str) -> list[dict[str, Any]]:
    declared = own[own["declared"]].iloc[0]
    null = MEASURES[declared["measure"]].scale.null_yi
    same = np.sign(own["estimate"] - null) == np.sign(declared["estimate"] - null)
    significant = same & (own["p_value"] < 1 - own["level"])
    out = []
    for column, label in FACTORS.items():
        if own[column].nunique() < 2:
            continue
        for level in dict.fromkeys(own[column]):
            at = own[column] == level
            shown = (
                formats.TESTS.get(level, level) if column == "test" else say(term("option", level))
            )
            mark = " (declared)" if level == declared[column] else ""
            start = f"{group}, {label}" if group else label
            out.append(
                {
                    "kind": "main" if mark else "",
                    "cells": [
                        f"{start}: {shown}{mark}",
                        formats.integer(at.sum()),
                        formats.integer((at & same).sum()),
                        formats.integer((at & significant).sum()),
                    ],
                }
            )
    return out
