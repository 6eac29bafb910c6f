"""What people judged, in words: risk of bias, the search's flow, the summary of findings, gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.messages import say
from headway.report import formats
from headway.reviews.certainty import check_flow, check_overall
from headway.tables.risk_tools import OVERALL, RISK_TOOLS

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Review

MARKS = {"high": "⊕⊕⊕⊕", "moderate": "⊕⊕⊕⊖", "low": "⊕⊕⊖⊖", "very_low": "⊕⊖⊖⊖"}


def describe_flow(review: Review) -> list[str]:
    """List counts of the flow that do not add up."""
    return [say(message) for message in check_flow(review.flow)]


def describe_risk(judged: pd.DataFrame, effects: pd.DataFrame, review: Review) -> list[str]:
    """Say who is not judged, and which overall judgements contradict their domains."""
    if not len(judged):
        return []
    pooled = set(effects.loc[effects["pooled"], "trial"])
    open_trials = sorted(pooled - set(judged["trial"]))
    out = []
    if open_trials:
        out.append(f"Pooled but not judged: {', '.join(open_trials)}.")
    for tool, own in judged.groupby("tool", sort=False):
        levels = RISK_TOOLS[str(tool)].levels
        for found in check_overall(own, str(tool)):
            out.append(
                f"{found['trial']}: overall {levels[found['printed']].label}, but a domain says "
                f"{levels[found['expected']].label} ({found['file']}, line {found['line']})."
            )
    return out


def list_judgements(judged: pd.DataFrame) -> dict[str, Any] | None:
    """Put the judgements into a table, with what they rest on."""
    if not len(judged):
        return None
    return {
        "heads": ["Trial", "Outcome", "Tool", "Domain", "Judgement", "Based on", "Signed"],
        "rows": [
            {
                "kind": "main" if r["domain"] == OVERALL else "",
                "cells": [
                    r["trial"],
                    _typed(r["outcome"]) or "all",
                    RISK_TOOLS[r["tool"]].name,
                    RISK_TOOLS[r["tool"]].domains[r["domain"]],
                    RISK_TOOLS[r["tool"]].levels[r["judgement"]].label,
                    formats.as_text(r["support"]),
                    r["signed_by"],
                ],
            }
            for r in judged.to_dict("records")
        ],
    }


def _typed(value: Any) -> str:
    """Write a cell; nothing where it is empty."""
    return "" if formats.missing(value) else formats.as_text(value)


def list_findings(table: pd.DataFrame, review: Review) -> dict[str, Any] | None:
    """Put the summary of findings into a table: computed facts, and the typed grade."""
    if not len(table):
        return None
    labels = {c.id: c.label for c in review.comparisons}
    rows, facts = [], []
    for r in table.to_dict("records"):
        estimate = formats.number(r["estimate"])
        if not formats.missing(r["estimate"]):
            estimate += f" ({formats.limits(r['ci_low'], r['ci_high'])})"
        name = labels[r["comparison"]]
        if r["subgroup"] != "overall":
            name += f", {r['subgroup']}"
        grade = _typed(r["certainty"])
        shown = f"{MARKS[grade]} {grade.replace('_', ' ')}" if grade else "not graded"
        if grade:
            shown += f", signed {_typed(r['signed_by']) or 'by nobody'}"
        meaningful = ""
        if not formats.missing(r["meaningful"]):
            meaningful = (
                f"{formats.number(r['meaningful'])} ({formats.as_text(r['meaningful_source'])})"
            )
        doubts = _typed(r["doubts"])
        settings = _typed(r["settings"])
        share = [_typed(r["share"]), settings and f"settings beyond it: {settings}"]
        rows.append(
            {
                "kind": "",
                "cells": [
                    name,
                    f"{formats.integer(r['k'])}; {formats.integer(r['n_total'])}",
                    formats.as_text(r["control"]),
                    f"{r['measure']} {estimate}",
                    formats.as_text(r["absolute"]),
                    shown + (f". Doubt: {doubts}" if doubts else ""),
                ],
            }
        )
        facts.append(
            {
                "kind": "",
                "cells": [
                    name,
                    meaningful,
                    "; ".join(t for t in share if t),
                    formats.as_text(r["imprecision"]),
                    formats.as_text(r["inconsistency"]),
                    formats.as_text(r["judgements"]),
                ],
            }
        )
    return {
        "heads": [
            "Comparison",
            "Trials; people",
            "Without the treatment",
            "Effect (95 % CI)",
            "In the outcome’s unit, or per 1000",
            "Certainty, as judged",
        ],
        "rows": rows,
        "facts": {
            "heads": [
                "Comparison",
                "Important difference",
                "Share beyond it",
                "Computed, for imprecision",
                "Computed, for inconsistency",
                "Judgements, as entered",
            ],
            "rows": facts,
        },
    }


def list_gaps(tables: Mapping[str, pd.DataFrame], review: Review) -> list[str]:
    """List what a reader of a systematic review would look for and does not find here."""
    out = []
    effects = tables["effects"]
    apart = effects[~effects["pooled"]]
    if len(apart):
        out.append(
            f"{formats.plural(len(apart), 'row')} of {len(effects)} are shown but not pooled; each "
            "gives the reason."
        )
    lost = tables["reproduction"]
    lost = lost[lost["verdict"] == "not recomputable"]
    for text in lost["explanation"].dropna().drop_duplicates():
        out.append(f"Not recomputable: {say(text)}.")
    if not review.flow:
        out.append("No search flow is declared, so it cannot be judged how trials were found.")
    if not len(tables["risk_of_bias"]):
        out.append("Nobody has judged risk of bias here (files.risk_of_bias).")
    if not review.findings:
        out.append("Nobody has graded the certainty here (findings).")
    return out
