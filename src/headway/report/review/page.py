"""The page of a review: its tables in words, with every figure and every row behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.config.review import NOT_ESTIMABLE
from headway.effects.measures import find_family
from headway.effects.units import name_unit
from headway.figures.review.flow import list_boxes
from headway.ingest.trials.figures import count_transcribed
from headway.messages import current, decimal, phrase, say, speaking, t, term
from headway.report import formats
from headway.report.drawings import share_letters
from headway.report.render import render
from headway.report.review import checks, judgements
from headway.report.review.asked import describe_asked
from headway.report.review.bayes import describe_answer
from headway.report.review.moderators import describe_moderators
from headway.report.review.multiverse import describe_multiverse
from headway.report.review.networks import describe_networks, list_headlines
from headway.report.review.sentences import name_model, say_estimates, say_heterogeneity
from headway.reviews.totals import describe_row

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Review
    from headway.figures.theme import Saved

BETWEEN, WITHIN, SINGLE = "between_arm", "within_arm", "single_arm"
MOST_FEW = 10  # trials below which asymmetry cannot be judged
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

    The page is in the review's language, and so is what the card holds of it for the command line
    (`page_one`); the rest of the card is in English.

    Parameters
    ----------
    review, status
        review.json and status.json.
    tables
        Those of the workflow: as printed, computed, and judged.
    figures
        What `headway.figures.review.draw` drew in that language, saved.

    Returns
    -------
    tuple
        The page as HTML, and the card as plain data.
    """
    with speaking(review.language):
        page, card = _build(review, status, tables, figures)
    if review.language != "en":
        with speaking("en"):
            card = _build(review, status, tables, figures)[1] | {"page_one": card["page_one"]}
    return page, card


def _build(
    review: Review,
    status: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    figures: Sequence[Saved],
) -> tuple[str, dict[str, Any]]:
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
    networks = [] if refused else describe_networks(tables, drawn, review)
    consistency = _consistency(tables["consistency"], review)
    context = {
        "title": review.title,
        "language": current(),
        "home": "../../index.html",
        "stamp": "",
        "letters": letters,
        "refused": refused,
        "review": review,
        "trials": _list_trials(tables, review),
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
        "risk_rows": judgements.list_judgements(tables["risk_of_bias"], review),
        "risk_text": judgements.describe_risk(tables["risk_of_bias"], tables["effects"], review),
        "findings": judgements.list_findings(tables["findings"], review),
        "asked": None if refused else describe_asked(tables, review),
        "gaps": [] if refused else judgements.list_gaps(tables, review),
        "few": _has_few(tables["pooled"]),
        "question": [
            (say(term("review_page", part)), getattr(review.question, part))
            for part in ("population", "intervention", "comparator", "outcome")
            if getattr(review.question, part)
        ],
        "between": between,
        "within": within,
        "single": single,
        "groups": [
            (t("review_page.between"), "between", between, t("review_page.between_text")),
            (t("review_page.within"), "within", within, t("review_page.within_text")),
            (t("single_arms.title"), "single", single, t("single_arms.nothing_compared")),
        ],
        "networks": networks,
        "network_sentences": list_headlines(networks),
        "published_figures": [f for name, f in drawn.items() if name.startswith("published_")],
        "consistency": consistency["rows"] and consistency,
        "consistency_text": _describe_consistency(tables["consistency"], review),
        "verdicts": _verdicts(tables["reproduction"]),
        "verdict_text": _count_verdicts(tables["reproduction"]),
        "integrity": _integrity(tables["integrity"]),
        "printed": [
            _as_printed(say(term("review_page", f"printed_{caption}")), tables[name])
            for caption, name in (
                ("arms", "arms"),
                ("contrasts", "contrasts"),
                ("pooled", "published"),
            )
            if len(tables[name])
        ],
        "methods": [] if refused else _methods(review, comparisons, count_transcribed(tables)),
    }
    headline = _headline(review, between, [*within, *single]) + list_headlines(networks)
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


def _has_few(pooled: pd.DataFrame) -> bool:
    """Whether an estimate rests on fewer trials than a test for asymmetry needs, or none is."""
    declared = pooled[pooled["declared"]]
    return not len(declared) or bool(declared["k"].lt(MOST_FEW).any())


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
        "bayes": describe_answer(comparison, tables, review),
        "posterior": drawn.get(f"posterior_{comparison.id}"),
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
                    say(term("status", r["status"])),
                    t("review_page.pooled") if r["pooled"] else say(r["why_not"]),
                    "; ".join(_list_remarks(r)),
                ],
            }
        )
    return {
        "heads": [
            *judgements.name_heads(("trial", "arms_compared", "time", "n_mean")),
            t("review_page.measure_ci", measure=measure, percent=percent),
            *judgements.name_heads(("weight", "status", "pooled_or_not", "remarks")),
        ],
        "rows": rows,
    }


def _list_remarks(r: Mapping[str, Any]) -> list[str]:
    """List what is to be said of a row: correlation, what was not printed, notes, source."""
    known = {c: r[c] for c in ("r_from", "recovered", "note", "source") if not _is_empty(r[c])}
    out = []
    if "r_from" in known:
        out.append(t("review_page.r", value=formats.number(r["r"]), origin=say(r["r_from"])))
    if "recovered" in known:
        out.append(t("review_page.not_printed", how=say(r["recovered"])))
    if "note" in known:
        out.append(say(r["note"]))
    return [*out, str(r["source"])] if "source" in known else out


def _is_empty(value: Any) -> bool:
    return bool(formats.missing(value)) or value == ""


def _arm(r: Mapping[str, Any], i: int, family: str) -> str:
    n, mean, sd, events = (r.get(f"{c}{i}") for c in ("n", "mean", "sd", "events"))
    if family == "rates":
        return t("numbers.rate", events=events, years=r[f"time{i}"])
    if not formats.missing(events):
        return t("review_page.of", events=formats.integer(events), n=formats.integer(n))
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
        name = name_model(r["method"], r["test"])
        if r["weighting"] != "own":
            name = say(describe_row(r))
        if not formats.missing(r["assumption"]):
            name += f"; {say(r['assumption'])}"
        if r["declared"]:
            name = t("review_page.declared", name=name)
        out.append(
            {
                "kind": "main" if r["declared"] else "",
                "cells": [
                    _name_group(r["subgroup"]),
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
            *judgements.name_heads(("trials_table", "model")),
            *("k", measure),
            t("review_page.ci", percent=percent),
            t("review_page.prediction", percent=percent),
            "I²",
        ],
        "rows": out,
    }


def _name_group(subgroup: str) -> str:
    return t("review_page.overall") if subgroup == "overall" else subgroup


def _verdicts(reproduction: pd.DataFrame) -> list[dict[str, Any]]:
    """Group the printed numbers by quantity: its label, how and source, and a row per number."""
    out = []
    for _, own in reproduction.groupby("quantity", sort=False):
        rows = []
        for r in own.to_dict("records"):
            printed = len(str(r["published"]).partition(".")[2])
            digits = 0 if r["part"] == "k" else min(printed + 2, MOST_DIGITS)
            rows.append(
                {
                    "part": say(phrase("printed_part", r["part"])),
                    "published": _write_printed(r["published"]),
                    "recomputed": formats.number(r["recomputed"], digits),
                    "difference": formats.number(r["difference"], digits),
                    "unit": decimal(f"{r['printed_unit']:g}"),
                    "verdict": _say_verdict(r["verdict"]),
                    "mark": MARKS[r["verdict"]],
                    "rounds": _say_yes(r["rounds_identically"]),
                    "explanation": formats.as_text(r["explanation"]),
                }
            )
        first = own.iloc[0]
        out.append(
            {
                "label": first["label"],
                "how": t(
                    "review_page.how_source", how=say(first["how"]), source=say(first["source"])
                ),
                "rows": rows,
            }
        )
    return out


def _count_verdicts(reproduction: pd.DataFrame) -> str:
    if not len(reproduction):
        return ""
    return t("review_page.reproduced_means", counts=_short_verdicts(reproduction))


def _write_printed(text: Any) -> str:
    """Write a number as it was printed, with the language's signs."""
    return decimal(str(text).replace("-", "−")) if text != NOT_ESTIMABLE else _say_verdict(text)


def _say_yes(word: Any) -> str:
    return formats.MISSING if formats.missing(word) else say(term("common", word))


def _say_verdict(verdict: str) -> str:
    return say(phrase("reproduced", verdict))


def _short_verdicts(reproduction: pd.DataFrame) -> str:
    counts = reproduction["verdict"].value_counts()
    total = len(reproduction)
    return ", ".join(
        t("review_page.n_of", n=int(counts[v]), total=total, verdict=_say_verdict(v))
        for v in MARKS
        if v in counts
    )


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
                t(
                    "review_page.q_on",
                    q=formats.number(r["q"]),
                    df=formats.integer(r["q_df"]),
                    p=formats.p_value(r["q_p_value"]),
                ),
                _say_yes(r["significant"]),
            ],
        }
        for r in table.to_dict("records")
    ]
    return {
        "heads": [
            *judgements.name_heads(("outcome", "model", "summaries", "combined")),
            t("review_page.ci", percent=100 * review.level),
            *judgements.name_heads(("unit", "q", "excludes_null")),
        ],
        "rows": rows,
    }


def _describe_consistency(table: pd.DataFrame, review: Review) -> str:
    if not len(table):
        return ""
    check = review.consistency[0]
    counts = [
        t(
            "review_page.count_of",
            model=say(model),
            n=int((part["significant"] == "yes").sum()),
            total=len(part),
        )
        for model, part in table.groupby("model", sort=False)
    ]
    told = [t("review_page.claim", claim=check.claim)] if check.claim else []
    return " ".join([*told, t("review_page.own_combined", counts="; ".join(counts))])


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
                say(term("severity", r["severity"])),
                say(r["explanation"]),
                t("review_page.file_line", file=r["file"], line=r["line"]),
            ],
        }
        for r in table.to_dict("records")
    ]
    heads = ("trial", "outcome", "where", "check", "printed_number", "expected", "severity")
    return {"heads": judgements.name_heads((*heads, "in_words", "row")), "rows": rows}


def _list_trials(tables: Mapping[str, pd.DataFrame], review: Review) -> dict[str, Any] | None:
    """List each trial: condition, arms with their people, outcomes, and where it is pooled."""
    import pandas as pd

    arms, contrasts, effects = (tables[name] for name in ("arms", "contrasts", "effects"))
    where = effects.loc[effects["pooled"], ["trial", "comparison"]]
    if "network_effects" in tables:
        own = tables["network_effects"]
        own = own.loc[own["pooled"], ["trial", "network"]]
        where = pd.concat([where, own.set_axis(["trial", "comparison"], axis=1)])
    labels = {one.id: one.label for one in review.comparisons}
    labels |= {one.id: one.label for one in review.networks}
    names = pd.concat([arms["trial"], contrasts["trial"], effects["trial"]]).drop_duplicates()
    rows = []
    for name in names:
        own, drawn = arms[arms["trial"] == name], contrasts[contrasts["trial"] == name]
        facts = pd.concat([own, drawn])
        used = effects[(effects["trial"] == name) & effects["pooled"]]
        pooled = _each(where.loc[where["trial"] == name, "comparison"])
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
                    _list(judgements.name_outcome(x, review) for x in _each(facts["outcome"])),
                    _list(say(term("status", x)) for x in _each(facts["status"]) or ["computed"]),
                    _list(labels[x] for x in pooled) if pooled else t("review_page.none"),
                ],
            }
        )
    if not rows:
        return None
    heads = ("trial", "condition", "arms_n", "outcomes", "numbers", "pooled_in")
    return {"heads": judgements.name_heads(heads), "rows": rows}


def _each(column: pd.Series[Any]) -> list[str]:
    return [str(x) for x in column.dropna().drop_duplicates()]


def _list(texts: Iterable[str]) -> str:
    return "; ".join(texts) or formats.MISSING


def _as_printed(caption: str, table: pd.DataFrame) -> dict[str, Any]:
    used = [c for c in table.columns if table[c].notna().any() and c not in ("doi", "file")]
    rows = [
        {"kind": "", "cells": [formats.as_text(r[c]) for c in used]}
        for r in table.to_dict("records")
    ]
    return {"caption": caption, "heads": [c.replace("_", " ") for c in used], "rows": rows}


def _methods(
    review: Review, comparisons: Sequence[Mapping[str, Any]], transcribed: int
) -> list[str]:
    model = name_model(review.model.method, review.model.test)
    ids = ("wald", "conversions", "recalled", "codes")
    out = [t("review_page.declared_model", model=model), *judgements.name_heads(ids)]
    if transcribed:
        out.append(t("transcription.entered", n=transcribed))
    if any(c["estimand"] == WITHIN for c in comparisons):
        r = review.assumed_r
        others = [decimal(f"{x:g}") for x in r.sensitivity]
        out.append(t("review_page.assumed_r", r=decimal(f"{r.value:g}"), others=others))
    regressed = [
        text for c in comparisons if c["moderators"] for text in c["moderators"]["methods"]
    ]
    out += dict.fromkeys(regressed)
    told = [text for c in comparisons if c["bayes"] for text in c["bayes"]["methods"]]
    out += dict.fromkeys(told)
    measures = dict.fromkeys(c.measure for c in review.comparisons)
    names = "; ".join(say(term("measure", m)) for m in measures)
    out.append(t("review_page.measures", names=names))
    return out
