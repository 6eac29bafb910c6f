"""What people judged, in words: risk of bias, the search's flow, the summary of findings, gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.messages import say, t, term
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
        out.append(t("review_page.not_judged", trials=", ".join(open_trials)))
    for tool, own in judged.groupby("tool", sort=False):
        levels = RISK_TOOLS[str(tool)].levels
        out += [
            t(
                "review_page.contradiction",
                trial=found["trial"],
                overall=t(levels[found["printed"]].label),
                domain=t(levels[found["expected"]].label),
                file=found["file"],
                line=found["line"],
            )
            for found in check_overall(own, str(tool))
        ]
    return out


def list_judgements(judged: pd.DataFrame, review: Review) -> dict[str, Any] | None:
    """Put the judgements into a table, with what they rest on."""
    if not len(judged):
        return None
    heads = ("trial", "outcome", "tool", "domain", "judgement", "based_on", "signed")
    rows = []
    for r in judged.to_dict("records"):
        kit, about = RISK_TOOLS[r["tool"]], _typed(r["outcome"])
        rows.append(
            {
                "kind": "main" if r["domain"] == OVERALL else "",
                "cells": [
                    r["trial"],
                    name_outcome(about, review) if about else t("review_page.all"),
                    t(kit.name),
                    t(kit.domains[r["domain"]]),
                    t(kit.levels[r["judgement"]].label),
                    formats.as_text(r["support"]),
                    r["signed_by"],
                ],
            }
        )
    return {"heads": name_heads(heads), "rows": rows}


def name_heads(names: Sequence[str]) -> list[str]:
    """Name the columns of a table of the page."""
    return [say(term("review_page", name)) for name in names]


def name_outcome(outcome: str, review: Review) -> str:
    """Name an outcome by its label."""
    known = review.outcomes.get(outcome)
    return (known.label if known else "") or outcome


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
        shown = _say_grade(r)
        meaningful = ""
        if not formats.missing(r["meaningful"]):
            meaningful = (
                f"{formats.number(r['meaningful'])} ({formats.as_text(r['meaningful_source'])})"
            )
        settings = _typed(r["settings"])
        beyond = settings and t("review_page.settings_beyond", settings=settings)
        share = [_typed(r["share"]), beyond]
        rows.append(
            {
                "kind": "",
                "cells": [
                    name,
                    f"{formats.integer(r['k'])}; {formats.integer(r['n_total'])}",
                    formats.as_text(r["control"]),
                    f"{r['measure']} {estimate}",
                    formats.as_text(r["absolute"]),
                    shown,
                ],
            }
        )
        facts.append(
            {
                "kind": "",
                "cells": [
                    name,
                    meaningful,
                    "; ".join(text for text in share if text),
                    formats.as_text(r["imprecision"]),
                    formats.as_text(r["inconsistency"]),
                    formats.as_text(r["judgements"]),
                ],
            }
        )
    first = ("comparison", "trials_people", "without_treatment")
    second = ("important", "share_beyond", "for_imprecision", "for_inconsistency", "as_entered")
    return {
        "heads": [
            *name_heads(first),
            t("review_page.effect_ci", percent=100 * review.level),
            *name_heads(("absolute", "certainty")),
        ],
        "rows": rows,
        "facts": {"heads": name_heads(("comparison", *second)), "rows": facts},
    }


def _say_grade(r: Mapping[str, Any]) -> str:
    """Say the grade as typed, by whom it is signed, and what is doubtful about it."""
    text, grade, doubts = t("review_page.not_graded"), _typed(r["certainty"]), _typed(r["doubts"])
    if grade:
        text, name = f"{MARKS[grade]} {say(term('certainty', grade))}", _typed(r["signed_by"])
        id = "review_page.signed_by" if name else "review_page.signed_by_nobody"
        text = t(id, grade=text, **({"name": name} if name else {}))
    return t("review_page.doubt", grade=text, doubts=doubts) if doubts else text


def list_gaps(tables: Mapping[str, pd.DataFrame], review: Review) -> list[str]:
    """List what a reader of a systematic review would look for and does not find here."""
    out = []
    effects = tables["effects"]
    apart = effects[~effects["pooled"]]
    if len(apart):
        out.append(t("review_page.not_pooled", n=len(apart), of=len(effects)))
    lost = tables["reproduction"]
    lost = lost[lost["verdict"] == "not recomputable"]
    for text in lost["explanation"].dropna().drop_duplicates():
        out.append(t("review_page.not_recomputable", why=say(text)))
    if not review.flow:
        out.append(t("review_page.no_flow"))
    if not len(tables["risk_of_bias"]):
        out.append(t("review_page.no_risk"))
    if not review.findings:
        out.append(t("review_page.no_grade"))
    return out
