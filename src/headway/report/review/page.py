"""The page of a review: its tables in words, with every figure and every row behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.effects.measures import find_family
from headway.effects.units import name_unit
from headway.figures.review.flow import list_boxes
from headway.messages import say, t, term
from headway.report import formats
from headway.report.drawings import share_letters
from headway.report.render import render
from headway.report.review import checks, judgements
from headway.report.review.asked import describe_asked
from headway.report.review.moderators import describe_moderators
from headway.report.review.multiverse import describe_multiverse
from headway.report.review.sentences import say_estimates, say_heterogeneity
from headway.reviews.totals import describe_row

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Review
    from headway.figures.theme import Saved

BETWEEN, WITHIN, SINGLE = "between_arm", "within_arm", "single_arm"
MOST_DIGITS = 8  # of a number that a program stored
MARKS = {"reproduced": "ok", "not reproduced": "no", "not recomputable": "na"}
MARKS |= {"not estimable": "ok"}


def build(
    review: Review,
    status: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    figures: Sequence[Saved],
) -> tuple[str, dict[str, Any]]:
    """Write a review's page and its card for the index.

    Parameters
    ----------
    review, status
        review.json and status.json.
    tables
        Those of the workflow: as printed, computed, and judged.
    figures
        What `headway.figures.review.draw` drew, saved.

    Returns
    -------
    tuple
        The page as HTML, and the card as plain data.
    """
    figures, letters = share_letters(figures)
    drawn = {f.name: f for f in figures}
    refused = status["problems"] if status["state"] == "refused" else []
    comparisons = (
        []
        if refused
        else [
            _comparison(c, tables, drawn, review)
            for c in review.comparisons
            if (tables["effects"]["comparison"] == c.id).any()
        ]
    )
    between = [c for c in comparisons if c["estimand"] == BETWEEN]
    within = [c for c in comparisons if c["estimand"] == WITHIN]
    single = [c for c in comparisons if c["estimand"] == SINGLE]
    consistency = _consistency(tables["consistency"], review)
    context = {
        "title": review.title,
        "home": "../../index.html",
        "stamp": "",
        "letters": letters,
        "refused": refused,
        "review": review,
        "trials": _list_trials(tables["arms"], tables["contrasts"], tables["effects"]),
        "flow": drawn.get("flow"),
        "flow_rows": [
            {
                "kind": "",
                "cells": [stage, *("; ".join(c).replace("; (", " (") for c in (inside, outside))],
            }
            for stage, inside, outside in (list_boxes(review.flow) if "flow" in drawn else ())
        ],
        "flow_doubts": [] if refused else judgements.describe_flow(review),
        "risk_figures": [f for name, f in drawn.items() if name.startswith("risk_of_bias")],
        "risk_rows": judgements.list_judgements(tables["risk_of_bias"]),
        "risk_text": judgements.describe_risk(tables["risk_of_bias"], tables["effects"], review),
        "findings": judgements.list_findings(tables["findings"], review),
        "asked": None if refused else describe_asked(tables, review),
        "gaps": [] if refused else judgements.list_gaps(tables, review),
        "question": [
            (part.capitalize(), getattr(review.question, part))
            for part in ("population", "intervention", "comparator", "outcome")
            if getattr(review.question, part)
        ],
        "between": between,
        "within": within,
        "single": single,
        "groups": [
            (
                "Differences between arms",
                "between",
                between,
                "What people in one arm had, compared with another arm of the same trial.",
            ),
            (
                "Changes within arms",
                "within",
                within,
                "What happened to the people in one arm, without a comparison. Treated and "
                "untreated arms are shown separately and never pooled with each other.",
            ),
            (t("single_arms.title"), "single", single, t("single_arms.nothing_compared")),
        ],
        "published_figures": [f for name, f in drawn.items() if name.startswith("published_")],
        "consistency": consistency["rows"] and consistency,
        "consistency_text": _describe_consistency(tables["consistency"], review),
        "verdicts": _verdicts(tables["reproduction"]),
        "verdict_text": _count_verdicts(tables["reproduction"]),
        "integrity": _integrity(tables["integrity"]),
        "printed": [
            _as_printed(caption, tables[name])
            for caption, name in (
                ("Arms", "arms"),
                ("Differences between arms, as printed", "contrasts"),
                ("Pooled results", "published"),
            )
            if len(tables[name])
        ],
        "methods": [] if refused else _methods(review, comparisons),
    }
    headline = _headline(review, between, [*within, *single])
    card = {
        "kind": "trials",
        "name": status["name"],
        "title": review.title,
        "state": status["state"],
        "page": f"trials/{status['name']}/index.html",
        "stamp": "",
        "problems": refused,
        "verdicts": _short_verdicts(tables["reproduction"]),
        "headline": headline,
        "page_one": [*headline, context["verdict_text"]] if not refused else [],
    }
    return render("review.html", **context), card


def _headline(
    review: Review,
    between: Sequence[Mapping[str, Any]],
    within: Sequence[Mapping[str, Any]],
) -> list[str]:
    """Say the main result in a sentence or two; what is not public, where there is none."""
    every = [*between, *within]
    # What has an estimate comes before what has none.
    ordered = sorted(every, key=lambda c: not c["models"]["rows"])
    sentences = [s for c in ordered for s in c["sentences"][-1:]]
    if not sentences:
        return [review.statement.split(". ")[0].rstrip(".") + "."] if review.statement else []
    return sentences[:2]


def _comparison(
    comparison: Comparison,
    tables: Mapping[str, pd.DataFrame],
    drawn: Mapping[str, Saved],
    review: Review,
) -> dict[str, Any]:
    effects = tables["effects"]
    own = effects[effects["comparison"] == comparison.id]
    pooled = tables["pooled"]
    rows = pooled[pooled["comparison"] == comparison.id]
    declared = rows[rows["declared"]]
    return {
        "id": comparison.id,
        "label": comparison.label,
        "note": comparison.note,
        "estimand": comparison.estimand,
        "figure": drawn.get(f"forest_{comparison.id}"),
        "multiverse": describe_multiverse(
            tables["multiverse"][tables["multiverse"]["comparison"] == comparison.id],
            comparison.measure,
        ),
        "specifications": drawn.get(f"multiverse_{comparison.id}"),
        "checks": checks.describe_checks(
            comparison, tables["refits"], tables["small_studies"], declared
        ),
        "check_figures": [
            drawn[f"{name}_{comparison.id}"]
            for name in ("leave_one_out", "cumulative", "funnel")
            if f"{name}_{comparison.id}" in drawn
        ],
        "moderators": describe_moderators(comparison, tables["moderators"]),
        "bubbles": [
            drawn[name]
            for i in range(len(comparison.moderators))
            if (name := f"bubbles_{comparison.id}_{i + 1}") in drawn
        ],
        "sentences": say_estimates(comparison, own, declared),
        "heterogeneity": [
            text
            for r in declared.to_dict("records")
            if r["k"] > 1 and (text := say_heterogeneity(r, comparison, own))
        ],
        "trials": _trials(own, comparison.measure, 100 * review.level_of(comparison)),
        "models": _models(rows, comparison.measure, 100 * review.level_of(comparison)),
    }


def _trials(own: pd.DataFrame, measure: str, percent: float) -> dict[str, Any]:
    rows = []
    for r in own.to_dict("records"):
        value, low, high = (formats.scale(r[c], measure) for c in ("yi", "ci_low", "ci_high"))
        effect = formats.number(value)
        if not formats.missing(value):
            effect += f" ({formats.limits(low, high)})"
        sides = (_arm(r, i, find_family(measure)) for i in (1, 2))
        numbers = " v ".join(side for side in sides if side)
        rows.append(
            {
                "kind": "" if r["pooled"] else "off",
                "cells": [
                    r["trial"] if formats.missing(r["recovered"]) else f"{r['trial']} †",
                    r["arms"],
                    r["timepoint"],
                    numbers or formats.MISSING,
                    effect,
                    formats.percent(r["weight"], 1) if r["pooled"] else formats.MISSING,
                    r["status"],
                    "pooled" if r["pooled"] else say(r["why_not"]),
                    "; ".join(
                        str(x)
                        for x in (
                            r["r_from"]
                            and not formats.missing(r["r_from"])
                            and f"r = {formats.number(r['r'])}, {say(r['r_from'])}",
                            r["recovered"]
                            and not formats.missing(r["recovered"])
                            and f"not printed: {say(r['recovered'])}",
                            r["note"] if formats.missing(r["note"]) else say(r["note"]),
                            r["source"],
                        )
                        if x and not formats.missing(x)
                    ),
                ],
            }
        )
    return {
        "heads": [
            "Trial",
            "Arms",
            "Time",
            "n, mean (SD)",
            f"{measure} ({percent:g} % CI)",
            "Weight",
            "Status",
            "Pooled, or why not",
            "Remarks and source",
        ],
        "rows": rows,
    }


def _arm(r: Mapping[str, Any], i: int, family: str) -> str:
    n, mean, sd, events = (r.get(f"{c}{i}") for c in ("n", "mean", "sd", "events"))
    if family == "rates":
        return t("numbers.rate", events=events, years=r[f"time{i}"])
    if not formats.missing(events):
        return f"{formats.integer(events)} of {formats.integer(n)}"
    if i == 1 and family == "correlations":
        return t("numbers.correlation", people=n, r=r["r"])
    if i == 1 and family == "reliability":
        return t("numbers.reliability", people=n, alpha=r["alpha"], items=r["items"])
    if formats.missing(mean):
        return ""
    size = "" if formats.missing(n) else f"{formats.integer(n)}, "
    return f"{size}{formats.number(mean)} ({formats.number(sd)})"


def _models(rows: pd.DataFrame, measure: str, percent: float) -> dict[str, Any]:
    out = []
    for r in rows.to_dict("records"):
        value, low, high, pi_low, pi_high = (
            formats.scale(r[c], measure)
            for c in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
        )
        name = formats.model(r["method"], r["test"])
        if r["weighting"] != "own":
            name = say(describe_row(r))
        if not formats.missing(r["assumption"]):
            name += f"; {say(r['assumption'])}"
        if r["declared"]:
            name += " (declared)"
        out.append(
            {
                "kind": "main" if r["declared"] else "",
                "cells": [
                    r["subgroup"],
                    name,
                    formats.integer(r["k"]),
                    formats.number(value),
                    formats.limits(low, high),
                    formats.limits(pi_low, pi_high),
                    formats.percent(r["i2"]),
                ],
            }
        )
    return {
        "heads": [
            *("Trials", "Model", "k", measure),
            *(f"{percent:g} % CI", f"{percent:g} % prediction interval", "I²"),
        ],
        "rows": out,
    }


def _verdicts(reproduction: pd.DataFrame) -> list[dict[str, Any]]:
    """Group the printed numbers by quantity: its label, how and source, and a row per number."""
    parts = {"estimate": "estimate", "ci_low": "lower limit", "ci_high": "upper limit"}
    out = []
    for _, own in reproduction.groupby("quantity", sort=False):
        rows = []
        for r in own.to_dict("records"):
            digits = min(len(str(r["published"]).partition(".")[2]) + 2, MOST_DIGITS)
            rows.append(
                {
                    "part": parts.get(r["part"], r["part"]),
                    "published": str(r["published"]).replace("-", "−"),
                    "recomputed": formats.number(r["recomputed"], digits),
                    "difference": formats.number(r["difference"], digits),
                    "unit": f"{r['printed_unit']:g}",
                    "verdict": r["verdict"],
                    "mark": MARKS[r["verdict"]],
                    "rounds": formats.as_text(r["rounds_identically"]),
                    "explanation": formats.as_text(r["explanation"]),
                }
            )
        first = own.iloc[0]
        out.append(
            {
                "label": first["label"],
                "how": say(first["how"]),
                "source": say(first["source"]),
                "rows": rows,
            }
        )
    return out


def _count_verdicts(reproduction: pd.DataFrame) -> str:
    if not len(reproduction):
        return ""
    text = (
        f"{_short_verdicts(reproduction)}. Reproduced means: within one unit of the last "
        "printed digit (or the declared tolerance)."
    )
    return text


def _short_verdicts(reproduction: pd.DataFrame) -> str:
    counts = reproduction["verdict"].value_counts()
    total = len(reproduction)
    parts = [f"{counts[v]} of {total} {v}" for v in MARKS if v in counts]
    return ", ".join(parts)


def _consistency(table: pd.DataFrame, review: Review) -> dict[str, Any]:
    rows = [
        {
            "kind": "",
            "cells": [
                review.outcomes[r["outcome"]].label or r["outcome"],
                say(r["model"]),
                formats.integer(r["k"]),
                formats.number(r["estimate"]),
                formats.limits(r["ci_low"], r["ci_high"]),
                say(name_unit(r["unit"])),
                f"{formats.number(r['q'])} on {formats.integer(r['q_df'])} df, "
                f"{formats.p_value(r['q_p_value'])}",
                formats.as_text(r["significant"]),
            ],
        }
        for r in table.to_dict("records")
    ]
    return {
        "heads": [
            "Outcome",
            "Model",
            "Summaries",
            "Combined",
            "95 % CI",
            "Unit",
            "Difference between subgroups (Q)",
            "Excludes 0",
        ],
        "rows": rows,
    }


def _describe_consistency(table: pd.DataFrame, review: Review) -> str:
    if not len(table):
        return ""
    check = review.consistency[0]
    counts = [
        f"{say(model)}: {(part['significant'] == 'yes').sum()} of {len(part)}"
        for model, part in table.groupby("model", sort=False)
    ]
    claim = f"The paper says: {check.claim}. " if check.claim else ""
    return (
        f"{claim}When its own subgroup results are combined, the intervals that exclude 0 are: "
        f"{'; '.join(counts)}. Two summaries are not the trials themselves, so this can support or "
        "question the paper’s sentence but cannot replace its analysis. Standard errors are those "
        "implied by the printed limits."
    )


def _integrity(table: pd.DataFrame) -> dict[str, Any] | None:
    if not len(table):
        return None
    rows = [
        {
            "kind": "",
            "cells": [
                say(r["trial"]),
                formats.as_text(r["outcome"]),
                r["where"],
                say(term("check", r["check"])),
                say(r["printed"]),
                say(r["expected"]),
                r["severity"],
                say(r["explanation"]),
                f"{r['file']}, line {r['line']}",
            ],
        }
        for r in table.to_dict("records")
    ]
    return {
        "heads": [
            "Trial",
            "Outcome",
            "Where",
            "Check",
            "Printed",
            "Expected",
            "Severity",
            "In words",
            "Row",
        ],
        "rows": rows,
    }


def _list_trials(
    arms: pd.DataFrame, contrasts: pd.DataFrame, effects: pd.DataFrame
) -> dict[str, Any] | None:
    """List each trial: condition, arms with their people, outcomes, and where it is pooled."""
    import pandas as pd

    names = pd.concat([arms["trial"], contrasts["trial"], effects["trial"]]).drop_duplicates()
    rows = []
    for name in names:
        own, drawn = arms[arms["trial"] == name], contrasts[contrasts["trial"] == name]
        facts = pd.concat([own, drawn])
        used = effects[(effects["trial"] == name) & effects["pooled"]]
        people = own.groupby("arm", sort=False)["n"].max()
        groups = [
            arm if formats.missing(n) else f"{arm} ({formats.integer(n)})"
            for arm, n in people.items()
        ]
        if not groups:
            pairs = drawn["treatment_arm"] + " v " + drawn["control_arm"]
            groups = list((pairs if len(pairs) else used["arms"]).drop_duplicates())
        rows.append(
            {
                "kind": "",
                "cells": [
                    name,
                    "; ".join(facts["condition"].dropna().drop_duplicates()) or formats.MISSING,
                    "; ".join(groups) or formats.MISSING,
                    ", ".join(facts["outcome"].dropna().drop_duplicates()) or formats.MISSING,
                    ", ".join(facts["status"].dropna().drop_duplicates()) or "computed",
                    ", ".join(used["comparison"].drop_duplicates()) or "none",
                ],
            }
        )
    if not rows:
        return None
    heads = ["Trial", "Condition", "Arms (largest n)", "Outcomes", "Numbers", "Pooled in"]
    return {"heads": heads, "rows": rows}


def _as_printed(caption: str, table: pd.DataFrame) -> dict[str, Any]:
    used = [c for c in table.columns if table[c].notna().any() and c not in ("doi", "file")]
    rows = [
        {"kind": "", "cells": [formats.as_text(r[c]) for c in used]}
        for r in table.to_dict("records")
    ]
    return {"caption": caption, "heads": [c.replace("_", " ") for c in used], "rows": rows}


def _methods(review: Review, comparisons: Sequence[Mapping[str, Any]]) -> list[str]:
    model = review.model
    out = [
        f"Declared model: {formats.model(model.method, model.test)}; other models are "
        "given as sensitivity analyses. A single trial is not pooled.",
        "Intervals of single trials use the normal distribution (Wald). Prediction intervals are "
        "given for three trials or more. They add τ² to the squared standard error and use t with "
        "the degrees of freedom of the model’s interval (k − 1; normal if that interval is), as "
        "R’s metafor does (Viechtbauer 2010). Higgins, Thompson and Spiegelhalter (2009) use "
        "k − 2.",
        "Numbers in other units of the same kind are converted (a month is 30.4375 days); days, "
        "attacks and scores are never converted into each other.",
        "A row that was recalled and not read in the source is shown but never pooled.",
        "Effect sizes carry the codes and definitions of R’s metafor.",
    ]
    if any(c["estimand"] == WITHIN for c in comparisons):
        r = review.assumed_r
        others = " and ".join(f"{x:g}" for x in r.sensitivity)
        out.append(
            f"Where the correlation of before and after is not printed, {r.value:g} is assumed, "
            f"with {others} as sensitivity analyses."
        )
    regressed = [
        text for c in comparisons if c["moderators"] for text in c["moderators"]["methods"]
    ]
    out += dict.fromkeys(regressed)
    measures = dict.fromkeys(c.measure for c in review.comparisons)
    out.append("Measures: " + "; ".join(say(term("measure", m)) for m in measures) + ".")
    return out
