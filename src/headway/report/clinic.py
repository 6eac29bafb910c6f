"""The audit page of a clinic, from nothing but what disclosure control released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.report import words
from headway.report.render import render

if TYPE_CHECKING:
    import pandas as pd

    from headway.disclosure import Preset
    from headway.figures.theme import Saved

OUTCOMES = {
    "frequency": "headache days",
    "intensity": "intensity",
    "duration": "duration",
    "headache_index": "headache index",
    "headache_score": "headache score",
}
# The order of display (design, section 4); identifiers of `cohort`.
CHANGE = (
    "pre_mean",
    "pre_sd",
    "post_mean",
    "post_sd",
    "change_mean",
    "change_mean_bca",
    "change_sd",
    "n_for_precision",
    "smcr",
    "smcrh",
    "romc",
    "r",
    "smcc",
)
RESPONDERS = ("responders_30", "responders_50", "responders_75", "worsened_30")
RELIABLE = (
    "reliable_improved",
    "reliable_recovered",
    "reliable_unchanged",
    "reliable_deteriorated",
    "reliable_cannot_reach",
    "reliable_cannot_worsen",
)
MISSING_DAYS = (
    "change_count_only",
    "bound_low",
    "bound_high",
    "completeness_pre",
    "completeness_post",
    "completeness_difference",
)


def build(
    clinic: Mapping[str, Any],
    status: Mapping[str, Any],
    released: Mapping[str, pd.DataFrame],
    figures: Sequence[Saved],
    preset: Preset,
) -> tuple[str, dict[str, Any]]:
    """Write a clinic's page and its card for the index.

    Parameters
    ----------
    clinic, status
        clinic.json and status.json.
    released
        The tables of `disclosure.RULES` after disclosure control.
    figures
        What `headway.figures.clinic` drew, saved.
    preset
        The rules in force.

    Returns
    -------
    tuple
        The page as HTML, and the card as plain data.
    """
    refused = status["problems"] if status["state"] == "refused" else []
    stamp, short = _stamp(clinic, preset)
    cohort = released["cohort"]
    main = cohort[cohort["primary"]]
    answer = [] if refused else _answer(main, clinic, preset)
    context: dict[str, Any] = {
        "title": clinic["title"],
        "home": "../../index.html",
        "stamp": stamp,
        "clinic": {
            "description": "",
            "source": "not stated",
            "licence": "not stated",
            "citation": "",
            "doi": "",
            **clinic,
        },
        "refused": refused,
        "disclosure": preset.text,
    }
    if not refused:
        context |= _body(clinic, released, figures, preset, answer)
    card = {
        "kind": "clinics",
        "name": status["name"],
        "title": clinic["title"],
        "state": status["state"],
        "page": f"clinics/{status['name']}/audit.html",
        "stamp": short,
        "problems": refused,
        "verdicts": "",
        "headline": answer[:1],
    }
    return render("clinic.html", **context), card


def _stamp(clinic: Mapping[str, Any], preset: Preset) -> tuple[str, str]:
    if clinic.get("synthetic"):
        return "SYNTHETIC: made by a simulator. No one in these records exists.", "SYNTHETIC"
    if preset.name == "internal":
        return "INTERNAL: small numbers are not hidden. Not for release.", "INTERNAL"
    return "", ""


def _body(
    clinic: Mapping[str, Any],
    released: Mapping[str, pd.DataFrame],
    figures: Sequence[Saved],
    preset: Preset,
    answer: list[str],
) -> dict[str, Any]:
    cohort, flow = released["cohort"], released["flow"]
    main = cohort[cohort["primary"]]
    outcome = str(main["outcome"].iloc[0]) if len(main) else clinic["primary_outcome"]
    label = str(main["comparison_label"].iloc[0]) if len(main) else ""
    drawn = {f.name: f for f in figures}
    first, responders = f"change_{outcome}", f"responders_{outcome}"
    item = f"{outcome}: {label}"
    people = flow[flow["account"] == "people"]
    return {
        "answer": answer,
        "main_figures": [drawn[first]] if first in drawn else [],
        "responder_figures": [drawn[responders]] if responders in drawn else [],
        "other_figures": [f for name, f in drawn.items() if name not in (first, responders)],
        "people_text": "Everyone who started counts in every denominator, whatever they attended "
        "and whether or not they came back.",
        "rows_flow": _rows_flow(flow, preset),
        "people": _people(people[people["item"] == item], "People, primary comparison", preset),
        "other_people": _pivot(people[people["item"] != item], preset),
        "primary_label": f"Primary outcome: {_name(outcome)}; comparison: {label}."
        if label
        else "No primary comparison could be made.",
        "primary_table": _statistics(
            main, CHANGE, f"{_name(outcome).capitalize()}: {label}", preset
        ),
        "responders": _responders(main, preset),
        "reliable": _reliable(main, preset),
        "crossed": _crossed(released["individual"], preset),
        "lost": _lost(released["lost"], preset),
        "entries": _entries(cohort, preset),
        "scores": _scores(cohort, preset),
        "missing": _statistics(
            main, MISSING_DAYS, "Count-only change, bounds and completeness", preset
        ),
        "has_bounds": main["statistic"].isin(MISSING_DAYS).any(),
        "others": _others(cohort, preset),
        "groups": _groups(cohort, outcome, preset),
        "reading": _reading(cohort, clinic),
        "definitions": _definitions(clinic, preset),
    }


def _name(outcome: str) -> str:
    return OUTCOMES.get(outcome, outcome.replace("_", " "))


def _name_item(item: str) -> str:
    outcome, colon, rest = item.partition(": ")
    return f"{_name(outcome).capitalize()}{colon}{rest}"


def _count(value: Any, redacted: bool, preset: Preset) -> str:
    """Write a count; a hidden one says within what it lies."""
    if redacted and words.missing(value):
        return f"hidden (1 to {preset.redact_up_to}, or beside one that is)"
    return words.integer(value)


def _of(value: Any, preset: Preset) -> str:
    """Write how many started; hidden where people who were lost would follow from it."""
    if words.missing(value) and not preset.open:
        return words.HIDDEN
    return words.integer(value)


def _statistic(main: pd.DataFrame, name: str) -> dict[str, Any] | None:
    rows = main[main["statistic"] == name]
    return rows.iloc[0].to_dict() if len(rows) else None


def _answer(main: pd.DataFrame, clinic: Mapping[str, Any], preset: Preset) -> list[str]:
    """Say in three sentences what changed, what it cannot say, and what the lost could do."""
    change = _statistic(main, "change_mean")
    if change is None:
        return [
            "No one has the primary outcome both before and after treatment, so nothing can "
            "be said about change."
        ]
    pre, post = _statistic(main, "pre_mean"), _statistic(main, "post_mean")
    started = _of(change["of"], preset)
    if started == words.HIDDEN:
        started = "a hidden number of"
    who = f"{_count(change['n'], change['redacted'], preset)} of {started} people who started"
    name, unit = _name(str(change["outcome"])), str(change["unit"])
    if change["redacted"] or pre is None or post is None:
        first = f"The change in {name} rests on too few people to be shown ({who})."
    elif words.missing(change["estimate"]):
        first = f"No change in {name} can be computed ({who})."
    else:
        went = "fell" if change["estimate"] < 0 else "rose"
        first = (
            f"Among {who}, {name} {went} from {words.number(pre['estimate'], 1)} to "
            f"{words.number(post['estimate'], 1)} {_per(unit)} on average: a change of "
            f"{words.interval(change)}."
        )
        if change["ci_low"] <= 0 <= change["ci_high"]:
            first += " The interval includes no change."
    second = (
        "This is a change, not an effect of treatment: people come when they are at their "
        "worst and then return to their usual level, headaches come and go, and there is no "
        "comparison group."
    )
    low, high = _statistic(main, "bound_low"), _statistic(main, "bound_high")
    if low and high and not words.missing(low["estimate"]):
        third = (
            f"Nothing is known of the days without an entry and of those who were lost: over "
            f"everyone who started, the records allow a mean change anywhere from "
            f"{words.number(low['estimate'])} to {words.number(high['estimate'])}."
        )
    else:
        third = (
            "Nothing is known of those who were not measured again; the change is that of the "
            "people who were."
        )
    return [first, second, third]


def _per(unit: str) -> str:
    return {
        "headache days per 28": "per 28 days",
        "0-10": "on a scale of 0 to 10",
        "hours": "hours",
        "points": "points",
    }.get(unit, unit)


def _rows_flow(flow: pd.DataFrame, preset: Preset) -> dict[str, Any]:
    """One line per file: in the file = kept + quarantined + not selected; then cells."""
    return _pivot(flow[flow["account"] != "people"], preset, "File")


def _pivot(part: pd.DataFrame, preset: Preset, first: str = "") -> dict[str, Any]:
    """One line per item, one column per step."""
    steps = list(dict.fromkeys(part["step"]))
    rows = []
    for item, own in part.groupby("item", sort=False):
        by = {r["step"]: _count(r["n"], r["redacted"], preset) for r in own.to_dict("records")}
        name = str(item) if first else _name_item(str(item))
        rows.append({"kind": "", "cells": [name, *(by.get(s, words.MISSING) for s in steps)]})
    heads = [first or "Outcome and comparison", *steps]
    return {"heads": heads, "rows": rows, "numeric": list(range(1, len(steps) + 1))}


def _people(part: pd.DataFrame, caption: str, preset: Preset) -> dict[str, Any]:
    rows = [
        {
            "kind": "",
            "cells": [
                r["step"],
                _count(r["n"], r["redacted"], preset),
                _of(r["of"], preset),
                words.as_text(r["note"]),
            ],
        }
        for r in part.to_dict("records")
    ]
    return {"caption": caption, "heads": ["Step", "People", "Of", "Remark"], "rows": rows}


def _statistics(
    main: pd.DataFrame, order: Sequence[str], caption: str, preset: Preset
) -> dict[str, Any]:
    rows = []
    for name in order:
        r = _statistic(main, name)
        if r is None:
            continue
        digits = 0 if name == "n_for_precision" else 1 if name.startswith("completeness") else 2
        rows.append(
            {
                "kind": "main" if name == "change_mean" else "",
                "cells": [
                    r["label"],
                    words.interval(r, digits),
                    _count(r["n"], r["redacted"], preset),
                    _of(r["of"], preset),
                    words.as_text(r["unit"]),
                    words.as_text(r["note"]),
                ],
            }
        )
    return {
        "caption": caption,
        "heads": [
            "Statistic",
            "Value (95 % CI; its method)",
            "n",
            "Of who started",
            "Unit",
            "Remark",
        ],
        "rows": rows,
    }


def _responders(main: pd.DataFrame, preset: Preset) -> dict[str, Any]:
    rows = [_share_row(r, preset) for name in RESPONDERS if (r := _statistic(main, name))]
    return {
        "caption": "People who improved and people who got worse",
        "heads": ["", "People", "Of", "Share", "Remark"],
        "rows": rows,
    }


def _share_row(r: Mapping[str, Any], preset: Preset, label: str = "") -> dict[str, Any]:
    """One line for a share: people, of, share with its interval, remark."""
    share = words.HIDDEN
    if not r["redacted"]:
        ends = words.limits(r["ci_low"], r["ci_high"], 1)
        share = f"{words.percent(r['estimate'], 1)} (95 % CI {ends}; Wilson)"
    if words.missing(r["estimate"]) and not r["redacted"]:
        share = words.MISSING
    cells = [
        label or r["label"],
        _count(r["count"], r["redacted"], preset),
        _count(r["n"], r["redacted"], preset),
        share,
        words.as_text(r["note"]),
    ]
    return {"kind": "", "cells": cells}


def _reliable(main: pd.DataFrame, preset: Preset) -> dict[str, Any] | None:
    """Who changed by more than two windows of an untreated person differ."""
    limit = _statistic(main, "reliable_threshold")
    if limit is None:
        return None
    size = "a certain size"
    if not words.missing(limit["estimate"]):
        size = f"{words.number(limit['estimate'], 1)} days"
    return {
        "caption": "People whose change is larger than the noise of the measurement",
        "text": "Two windows of one untreated person differ, in 19 of 20 people by less than "
        f"{size} ({words.as_text(limit['note'])}; Jacobson and Truax 1991). Only a larger change "
        "of one person is called reliable.",
        "heads": ["", "People", "Of", "Share", "Remark"],
        "rows": [_share_row(r, preset) for name in RELIABLE if (r := _statistic(main, name))],
    }


def _crossed(table: pd.DataFrame, preset: Preset) -> dict[str, Any] | None:
    """Reliable change by relative change, in numbers of people."""
    if not len(table):
        return None
    responses = list(dict.fromkeys(table["response"]))
    rows = []
    for kind, part in table.groupby("class", sort=False):
        by = {r["response"]: r for r in part.to_dict("records")}
        counts = [_count(by[r]["n"], by[r]["redacted"], preset) for r in responses]
        rows.append({"kind": "", "cells": [str(kind), *counts]})
    return {
        "caption": "Reliable change (rows) by relative change (columns), number of people",
        "heads": ["", *responses],
        "rows": rows,
        "numeric": list(range(1, len(responses) + 1)),
    }


def _lost(table: pd.DataFrame, preset: Preset) -> dict[str, Any] | None:
    """Compare, before treatment, those who were lost with those who were analysed."""
    if not len(table):
        return None
    rows = []
    for r in table.to_dict("records"):
        percent = r["measure"] == "percent"
        characteristic = str(r["characteristic"])
        name = _name(characteristic.removesuffix(" before")).capitalize()
        name += " before" if characteristic.endswith(" before") else ""
        if percent:
            name += f": {words.as_text(r['level']).replace('_', ' ')}"
        values = []
        for side in ("analysed", "lost"):
            n, value = _count(r[f"n_{side}"], r["redacted"], preset), r[f"value_{side}"]
            shown = words.percent(value, 0) if percent else words.number(value, 1)
            values.append(words.HIDDEN if r["redacted"] else f"{shown} (n {n})")
        difference = words.HIDDEN
        if not r["redacted"]:
            difference = words.interval({**r, "estimate": r["difference"]}, 1)
        rows.append({"kind": "", "cells": [name, *values, difference]})
    return {
        "caption": "Before treatment: those who were lost beside those who were analysed",
        "heads": [
            "",
            "Analysed: mean or share",
            "Lost: mean or share",
            "Lost − analysed (95 % CI; its method)",
        ],
        "rows": rows,
    }


def _entries(cohort: pd.DataFrame, preset: Preset) -> dict[str, Any] | None:
    """Compare the diary with what the same people recall."""
    rows = [
        {
            "kind": "",
            "cells": [
                r["comparison_label"],
                words.interval(r),
                _count(r["n"], r["redacted"], preset),
                words.as_text(r["note"]),
            ],
        }
        for r in cohort[cohort["statistic"] == "diary_minus_recall"].to_dict("records")
    ]
    heads = ["", "Diary − recall, days per 28 (95 % CI; its method)", "n", "Remark"]
    caption = "The diary beside what the same people recall of 28 days"
    return {"caption": caption, "heads": heads, "rows": rows} if rows else None


def _scores(cohort: pd.DataFrame, preset: Preset) -> dict[str, Any] | None:
    """Questionnaires: people beyond each published threshold, either way, and what they say."""
    threshold = cohort["statistic"].str.match(r".*_(better|worse)$")
    own = cohort[
        (cohort["group"] == "all")
        & (cohort["comparison"] == "visit_recall")
        & (threshold | (cohort["outcome"] == "PGIC"))
        & cohort["unit"].eq("percent")
    ]
    rows = [
        _share_row(r, preset, f"PGIC, {r['label']}" if r["outcome"] == "PGIC" else "")
        for r in own.to_dict("records")
    ]
    caption = (
        "People beyond each published threshold, asked at intake and again near the primary time"
    )
    heads = ["", "People", "Of", "Share", "Source and remark"]
    return {"caption": caption, "heads": heads, "rows": rows} if rows else None


def _others(cohort: pd.DataFrame, preset: Preset) -> dict[str, Any] | None:
    own = cohort[
        (cohort["group"] == "all") & (cohort["statistic"] == "change_mean") & ~cohort["primary"]
    ]
    rows = [
        {
            "kind": "",
            "cells": [
                _name(r["outcome"]),
                r["comparison_label"],
                words.interval(r),
                _count(r["n"], r["redacted"], preset),
                _of(r["of"], preset),
                words.as_text(r["unit"]),
            ],
        }
        for r in own.to_dict("records")
    ]
    heads = [
        "Outcome",
        "Comparison",
        "Mean change (95 % CI; its method)",
        "n",
        "Of who started",
        "Unit",
    ]
    return {"heads": heads, "rows": rows} if rows else None


def _groups(cohort: pd.DataFrame, outcome: str, preset: Preset) -> dict[str, Any] | None:
    own = cohort[(cohort["group"] != "all") & (cohort["outcome"] == outcome)]
    rows = []
    for group, part in own.groupby("group", sort=False):
        change, half = _statistic(part, "change_mean"), _statistic(part, "responders_50")
        if change is None:
            continue
        share = words.MISSING
        if half is not None:
            share = words.HIDDEN if half["redacted"] else words.percent(half["estimate"])
        rows.append(
            {
                "kind": "",
                "cells": [
                    str(group).replace("_", " "),
                    words.interval(change),
                    share,
                    _count(change["n"], change["redacted"], preset),
                    _of(change["of"], preset),
                ],
            }
        )
    heads = [
        "Group",
        "Mean change (95 % CI; its method)",
        "Improved by half or more",
        "n",
        "Of who started",
    ]
    return {"heads": heads, "rows": rows} if rows else None


def _reading(cohort: pd.DataFrame, clinic: Mapping[str, Any]) -> list[str]:
    out = [
        "Regression to the mean: whoever starts at a high point is lower next time on average, "
        "treated or not.",
        "Natural course: headaches wax and wane, and people seek help when they are bad.",
        "Who is missing: the people measured after are those who came back or kept their diary.",
        "Other care: medicines, other treatments and advice at the same time are part of the "
        "change.",
    ]
    earlier = cohort[
        (cohort["comparison"] == "before_treatment")
        & (cohort["statistic"] == "change_mean")
        & (cohort["group"] == "all")
        & (cohort["outcome"] == clinic["primary_outcome"])
    ]
    if len(earlier):
        r = earlier.iloc[0].to_dict()
        if not r["redacted"] and not words.missing(r["estimate"]):
            went = "got worse" if r["estimate"] > 0 else "got better"
            out.insert(
                0,
                f"Before treatment started, from one window to the next, the same measure "
                f"{went} by itself: {words.interval(r)} {_per(str(r['unit']))} "
                f"(n {words.integer(r['n'])}). Records that start at a peak tend to come "
                "down from it.",
            )
    return out


def _definitions(clinic: Mapping[str, Any], preset: Preset) -> list[tuple[str, str]]:
    settings = clinic["windows"]
    out = [
        (
            "Headache day",
            f"a day with headache of at least {clinic['min_duration_h']:g} hours, or "
            "treated; where neither is recorded, a day marked as a headache day",
        ),
        ("Frequency", "headache days per 28 days; in a diary, counted days scaled to 28"),
        (
            "Complete window",
            f"at least {settings['min_days']} of 28 days with an entry, unless the "
            "window says otherwise",
        ),
    ]
    for name, window in settings["named"].items():
        first = "the first day" if window["from"] is None else f"day {window['from']}"
        last = "the last day" if window["to"] is None else f"day {window['to']}"
        least = (
            f"; at least {window['min_days']} days with an entry" if "min_days" in window else ""
        )
        label = f" ({window['label']})" if window.get("label") else ""
        out.append(
            (
                f"Window “{name.replace('_', ' ')}”{label}",
                f"{first} to {last}{least}".replace("-", "−"),
            )
        )
    if settings.get("mean_of_two_baselines"):
        out.append(
            (
                "Before",
                "the mean of the two windows before treatment where both are "
                "complete, else the last one",
            )
        )
    out += [
        ("Day 0", "the first session; it belongs to treatment"),
        (
            "Intensity, duration",
            "means over headache days, for people with at least one headache day in both windows",
        ),
        (
            "Headache index",
            "sum of intensity × hours over the window, per 28 days; 0 without headache",
        ),
        (
            "Standardised change",
            "SMCR (Becker 1988) and SMCRH (Bonett 2008): the change in "
            "standard deviations before; SMCC divides by that of the change, "
            "and grows with r",
        ),
        (
            "Intervals",
            f"95 %: t for means; BCa bootstrap ({clinic['bootstrap']['replicates']} "
            f"replicates, seed {clinic['bootstrap']['seed']}); Wilson for shares; Wald "
            "for standardised changes",
        ),
        ("Disclosure control", preset.text),
    ]
    return out
