"""Comparisons that are pooled as RevMan does: rows of the table `effects` -> totals.

A comparison with a `method` has its own model, level and estimator of tau2; each subgroup has its
own tau2, and the total pools all rows as if there were no subgroups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.messages import Message, term
from headway.meta import revman
from headway.meta.revman import Total

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Review

OVERALL = "overall"


def make_rows(used: pd.DataFrame, comparison: Comparison, zero_events: str) -> revman.Rows:
    """Turn rows of the table `effects` into rows that RevMan's totals take.

    Counts go with Mantel-Haenszel's sums, corrected as the policy says: under `metafor` the sums
    take the counts as they are.
    """
    if comparison.method != "MH":
        return revman.effect_rows(used["yi"], used["vi"], comparison.measure)
    columns = [used[name].to_numpy(float) for name in ("events1", "n1", "events2", "n2")]
    if np.isnan(columns).any():
        raise ValueError("Mantel-Haenszel totals need the counts of every row")
    names = ("events1", "n1", "events2", "n2")
    rows = revman.count_rows(comparison.measure, **dict(zip(names, columns, strict=True)))
    if zero_events != "metafor":
        return rows
    every = np.ones(len(used), dtype=bool)
    yi, vi = used["yi"].to_numpy(float), used["vi"].to_numpy(float)
    return revman.Rows(comparison.measure, yi, vi, every, ~every, rows.raw, rows.raw)


def pool_rows(used: pd.DataFrame, comparison: Comparison, review: Review, **other: Any) -> Total:
    """Pool rows by a comparison's method; `other` takes the place of its settings."""
    settings: dict[str, Any] = {
        "method": comparison.method or "IV",
        "model": comparison.model,
        "tau2": comparison.tau2,
        "ci": comparison.ci,
        "level": review.level_of(comparison),
        "prediction": comparison.prediction,
    }
    rows = make_rows(used, comparison, review.zero_events_of(comparison))
    return revman.total(rows, **{**settings, **other})


def fit_totals(
    used: pd.DataFrame, comparison: Comparison, review: Review
) -> Iterator[tuple[str, Any, Total, str]]:
    """Yield the totals that a comparison shows: subgroup, rows, total, note.

    The note of the overall total holds the test between subgroups.
    """
    if comparison.totals == "none":
        return
    subtotals = []
    labels = used["subgroup"]
    if comparison.grouping != "none" and labels.notna().any():
        for name in dict.fromkeys(labels):
            own = used[labels == name]
            subtotals.append(pool_rows(own, comparison, review))
            yield str(name), own.index, subtotals[-1], ""
    if comparison.totals == "all":
        note = ""
        if len(subtotals) > 1:
            q, df, p = revman.compare_totals(subtotals)
            note = Message("subgroups.difference", q=q, df=df, p=p) if np.isfinite(q) else ""
        yield OVERALL, used.index, pool_rows(used, comparison, review), note


def name_model(comparison: Comparison) -> tuple[str, str]:
    """Name a comparison's model by the codes of the table `pooled`: estimator and interval."""
    if comparison.model == "fixed":
        return "EE", "z"
    return comparison.tau2, "knha" if comparison.ci == "hksj" else "z"


def describe_row(row: Mapping[str, Any]) -> Message:
    """Name method and model of a row of the table `pooled` that has a weighting of its own."""
    ci = {"knha": "hksj", "cr2": "cr2"}.get(row["test"], "wald")
    code = "fixed" if row["method"] == "EE" else f"random_{row['method']}_{ci}"
    weighting = term("weighting", row["weighting"])
    return Message("pooled.method", weighting=weighting, model=term("totals", code))


def term_model(comparison: Comparison) -> str:
    """Name a comparison's model in words: fixed, or random with its estimator and interval."""
    fixed = comparison.model == "fixed"
    return term("totals", "fixed" if fixed else f"random_{comparison.tau2}_{comparison.ci}")


def refit(rows: pd.DataFrame, comparison: Comparison, review: Review, analysis: str) -> list[Total]:
    """Pool rows without each of them in turn, or row by row (`cumulative`)."""
    n = len(rows)
    if analysis == "cumulative":
        return [pool_rows(rows.iloc[: i + 1], comparison, review) for i in range(n)]
    keep = ~np.eye(n, dtype=bool)
    return [pool_rows(rows[keep[i]], comparison, review) for i in range(n)]
