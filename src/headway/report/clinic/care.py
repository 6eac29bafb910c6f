"""What a clinic's change can mean, as tables of text, from released rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.disclosure import write_count
from headway.messages import say, t
from headway.report import formats
from headway.report.clinic.tables import Table, make_table, show_count, show_of

if TYPE_CHECKING:
    import pandas as pd

    from headway.disclosure import Preset


def list_expected(table: pd.DataFrame, preset: Preset) -> Table | None:
    """One line per source: the clinic's change among its people, what was expected, the rest."""
    if not len(table):
        return None
    rows = []
    for r in table.to_dict("records"):
        shown = {**r, "estimate": r["expected"]}
        rest = {
            **r,
            "estimate": r["difference"],
            "ci_low": r["diff_ci_low"],
            "ci_high": r["diff_ci_high"],
        }
        hidden = t(formats.HIDDEN)
        verdict = t("shown only") if not r["decides"] else t("yes") if r["beyond"] else t("no")
        rows.append(
            [
                say(r["label"]),
                hidden if r["redacted"] else formats.number(r["change"], 1),
                hidden
                if r["redacted"]
                else _ends(shown["expected"], shown["ci_low"], shown["ci_high"]),
                formats.interval(rest, 1),
                show_count(r["n"], r["redacted"], preset),
                hidden if r["redacted"] else verdict,
            ]
        )
    heads = [
        "Source",
        "This clinic's change",
        "Expected without treatment",
        "Clinic − expected (95 % CI; its method)",
        "n",
        "Further than expected",
    ]
    caption = t("Headache days per 28: the change beside what would be expected without treatment")
    return make_table(caption, heads, rows, numeric=[1, 2, 4])


def _ends(value: Any, low: Any, high: Any) -> str:
    if formats.missing(low):
        return formats.number(value, 1)
    return f"{formats.number(value, 1)} ({formats.limits(low, high, 1)})"


def list_sensitivity(table: pd.DataFrame, preset: Preset) -> Table | None:
    """One line per way to treat what is missing."""
    if not len(table):
        return None
    rows = [
        [
            say(r["label"]),
            formats.interval(r),
            show_count(r["n"], r["redacted"], preset),
            show_of(r["of"], preset),
            formats.as_text(r["unit"]),
            formats.as_text(r["note"]),
        ]
        for r in table.to_dict("records")
    ]
    heads = ["Analysis", "Value (95 % CI; its method)", "n", "Of who started", "Unit", "Remark"]
    return make_table(
        t("The primary change under other ways to count"), heads, rows, numeric=[2, 3]
    )


def describe_specifications(table: pd.DataFrame) -> str:
    """Say how many ways of analysing agree; empty without any."""
    known = table[table["estimate"].notna()]
    if not len(known):
        return ""
    below = int((known["ci_high"] < 0).sum())
    return t(
        "Of {all} ways to analyse the primary change (window, completeness, what makes a headache "
        "day, one or two windows before, how the lost count), {fewer} show fewer headache days "
        "afterwards, {below} with an interval below 0. The mean change ranges from {low} to "
        "{high}. The list is in specifications.csv.",
        all=len(known),
        fewer=int((known["estimate"] < 0).sum()),
        below=below,
        low=formats.number(known["estimate"].min(), 1),
        high=formats.number(known["estimate"].max(), 1),
    )


def list_traps(table: pd.DataFrame, preset: Preset) -> Table | None:
    """One line per trap that records can hold."""
    if not len(table):
        return None
    rows = []
    for r in table.to_dict("records"):
        seen = not formats.missing(r["n"]) or r["flagged"]
        sign = t("WARNING") if r["flagged"] else t("no sign of it") if seen else t("cannot be seen")
        sign = t(formats.HIDDEN) if r["redacted"] else sign
        rows.append(
            [
                say(r["label"]),
                sign,
                formats.as_text(r["detail"]),
                show_count(r["n"], r["redacted"], preset),
                formats.as_text(r["note"]),
            ]
        )
    heads = ["", "In these records", "What was found", "n", "Rule, or what would be needed"]
    return make_table(t("Traps that records like these can hold"), heads, rows, numeric=[3])


def list_safety(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Harms by technique, asked and volunteered apart, per session and per person."""
    if not len(table):
        return None
    rows = []
    for r in table.to_dict("records"):
        who = str(r["group"]).replace("_", " ")
        count = say(write_count(r["count"], r["redacted"], r["note"], preset))
        event = "" if r["event"] == "any" else f", {say(str(r['event']).replace('_', ' '))}"
        rows.append(
            [
                f"{say(str(r['harm']).replace('_', ' '))}{event}",
                say(who),
                say(r["reported"]),
                say(r["label"]),
                count if not formats.missing(r["count"]) or r["redacted"] else formats.MISSING,
                show_count(r["n"], r["redacted"], preset),
                _value(r),
            ]
        )
    heads = [
        "Harm",
        "Technique",
        "How it became known",
        "",
        "Count",
        "Of",
        "Value (95 % CI; its method)",
    ]
    return make_table(t("Soreness, lethargy and adverse events"), heads, rows, numeric=[4, 5])


def _value(r: Mapping[str, Any], digits: int = 1) -> str:
    text = formats.interval(r, digits)
    if r["redacted"] or formats.missing(r["estimate"]):
        return text
    unit = formats.as_text(r["unit"])
    return text if unit == formats.MISSING else f"{text} {unit}"


def list_cost(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Time, fees, and fees per headache day of difference."""
    if not len(table):
        return None
    rows = []
    for r in table.to_dict("records"):
        value = _value(r)
        if not r["redacted"] and not formats.missing(r["p25"]):
            value += t("; quartiles {ends}", ends=formats.limits(r["p25"], r["p75"], 0))
        basis = "" if r["basis"] == "records" else f" ({say(r['basis'])})"
        rows.append(
            [
                f"{say(r['label'])}{basis}",
                say(
                    {"all": "all visits", "first": "first visit", "later": "later visits"}[
                        r["visit"]
                    ]
                ),
                value,
                show_count(r["n"], r["redacted"], preset),
                show_of(r["of"], preset),
                formats.as_text(r["note"]),
            ]
        )
    heads = ["", "Visits", "Value (95 % CI; its method)", "n", "Of who started", "Remark"]
    return make_table(t("Time, fees and cost"), heads, rows, numeric=[3, 4])


def list_claims(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Hold what patients are told against these records."""
    if not len(table):
        return None
    rows, last = [], None
    for r in table.to_dict("records"):
        claim = f"{r['row']}. {say(r['claim'])}" if r["row"] != last else ""
        last = r["row"]
        anchor = formats.as_text(r["anchor"])
        if not formats.missing(r["anchor_source"]):
            anchor += f" ({say(r['anchor_source'])})"
        rows.append(
            [
                claim,
                say(r["label"]),
                _value(r) if r["verdict"] != "not recorded" else formats.MISSING,
                show_count(r["n"], r["redacted"], preset),
                anchor,
                say(r["verdict"]),
                formats.as_text(r["reason"]),
            ]
        )
    heads = [
        "Claim",
        "What is computed",
        "This clinic (95 % CI; its method)",
        "n",
        "Published figure",
        "Verdict",
        "Why",
    ]
    return make_table(
        t("What patients are told about trigger point treatment, against these records"),
        heads,
        rows,
        numeric=[3],
    )


def list_benchmark(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Set the clinic, the published arms that are drawn, and those that are not, side by side."""
    if not len(table):
        return None
    rows = []
    for r in table.to_dict("records"):
        hidden, own = t(formats.HIDDEN), r["block"] == "clinic"
        rows.append(
            [
                say(r["label"]),
                formats.as_text(r["condition"]),
                formats.as_text(r["technique"]),
                show_count(r["n"], r["redacted"], preset),
                formats.as_text(r["timepoint"]),
                hidden if r["redacted"] else formats.number(r["baseline"], 1),
                _change(r, "change", "ci_low", "ci_high"),
                formats.MISSING
                if own
                else _change(r, "difference", "difference_low", "difference_high"),
                formats.as_text(r["why_not"])
                if r["block"] == "not_used"
                else formats.cite(r["source"]),
            ]
        )
    heads = [
        "",
        "Condition",
        "What was done",
        "n",
        "Time",
        "Before",
        "Change (95 % CI)",
        "Clinic − this row (95 % CI)",
        "Source, or why it is not drawn",
    ]
    caption = t("Published arms beside this clinic: a description, no comparison of treatments")
    return make_table(caption, heads, rows, numeric=[3, 5])


def _change(r: Mapping[str, Any], value: str, low: str, high: str) -> str:
    if r["redacted"]:
        return t(formats.HIDDEN)
    return _ends(r[value], r[low], r[high])


def list_relapse(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Show how long responders stay without relapse, by rule and technique."""
    if not len(table):
        return None
    rows = [
        [
            say(r["rule_label"]),
            say(str(r["group"]).replace("_", " ")),
            show_count(r["n"], r["redacted"], preset),
            show_count(r["events"], r["redacted"], preset),
            formats.number(r["horizon_days"], 0),
            t(formats.HIDDEN)
            if r["redacted"]
            else f"{formats.percent(r['free_at_horizon'])} "
            f"({formats.limits(r['free_low'], r['free_high'], 0)})",
            t(formats.HIDDEN)
            if r["redacted"]
            else _ends(r["rmst_days"], r["rmst_low"], r["rmst_high"]),
            formats.as_text(r["note"]),
        ]
        for r in table.to_dict("records")
    ]
    heads = [
        "Relapse",
        "Group",
        "At risk",
        "Relapses",
        "Horizon, days",
        "Without relapse (95 % CI, Greenwood log-log)",
        "Mean days without relapse (95 % CI, normal)",
        "Remark",
    ]
    return make_table(
        t("Time to relapse of those who improved by half"), heads, rows, numeric=[2, 3, 4]
    )


def list_months(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Show each control chart month by month."""
    if not len(table):
        return None
    rows = [
        [
            say(r["label"]),
            str(r["month"]),
            show_count(r["n"], r["redacted"], preset),
            t(formats.HIDDEN) if r["redacted"] else formats.number(r["value"], 1),
            formats.number(r["centre"], 1),
            formats.limits(r["low"], r["high"], 1),
            formats.as_text(r["signals"]),
        ]
        for r in table.to_dict("records")
    ]
    heads = ["Chart", "Month", "n", "Value", "Centre", "Limits", "Signals"]
    return make_table(
        t("By month of the first session"),
        heads,
        rows,
        numeric=[1, 2, 3, 4, 5],
        text=_list_notes(table),
    )


def _list_notes(table: pd.DataFrame) -> str:
    """Write each remark of a table once, where rows share them."""
    notes = [formats.as_text(note) for note in dict.fromkeys(table["note"].dropna())]
    return " ".join(f"{note[:1].upper()}{note[1:]}." for note in notes)


def list_funnel(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Show each therapist against the limits of the funnel."""
    if not len(table):
        return None
    rows = [
        [
            str(r["therapist"]),
            show_count(r["n"], r["redacted"], preset),
            _change(r, "difference", "low_95", "high_95"),
            t(formats.HIDDEN) if r["redacted"] else formats.limits(r["low_998"], r["high_998"], 1),
            t("outside the outer limit") if r["flag"] else t("within"),
        ]
        for r in table.to_dict("records")
    ]
    heads = [
        "Therapist",
        "n",
        "Observed − expected from the start (inner limits, 95 %)",
        "Outer limits (99.8 %)",
        "",
    ]
    return make_table(
        t("Therapists on a funnel plot"), heads, rows, numeric=[1], text=_list_notes(table)
    )


def list_dose(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Show how much was given beside how much changed."""
    if not len(table):
        return None
    rows = [
        [
            say(r["dose"]),
            say(r["label"]) + (f", {say(r['level'])}" if not formats.missing(r["level"]) else ""),
            formats.interval(r),
            show_count(r["n"], r["redacted"], preset),
            formats.as_text(r["note"]),
        ]
        for r in table.to_dict("records")
    ]
    heads = ["Dose", "", "Value (95 % CI; its method)", "n", "Remark"]
    return make_table(t("How much was given, beside the change"), heads, rows, numeric=[3])
