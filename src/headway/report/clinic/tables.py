"""Released rows of a clinic -> tables of text, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.messages import Message, capital, phrase, say, t, term
from headway.outcomes.change import instruments
from headway.outcomes.change.cohort import name_characteristic
from headway.report import formats
from headway.report.clinic.losses import LOST

if TYPE_CHECKING:
    import pandas as pd

    from headway.disclosure import Preset

Table = dict[str, Any]
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


def name_outcome(outcome: str) -> str:
    """Name an outcome in words."""
    return say(instruments.name_outcome(outcome))


def name_pair(outcome: str, label: str) -> str:
    """Name an outcome and its comparison."""
    return f"{capital(name_outcome(outcome))}: {say(label)}"


def name_level(code: Any, of: str = "") -> str:
    """Name what people are grouped by, or one of the groups `of` it; therapists have own codes."""
    if of == "therapist" and code != "several":
        return str(code)
    for name in (
        term("technique", code),
        term("setting", code),
        term("sex", code),
        phrase("group", code),
        phrase("condition", code),
    ):
        if isinstance(name, Message):
            return say(name)
    return str(code).replace("_", " ")


def per_unit(unit: str) -> str:
    """Write a unit as it follows a number."""
    name = term("per", unit)
    return say(name if isinstance(name, Message) else phrase("unit", unit))


class Count(str):
    """A written count, which knows to what it was rounded (1: not at all)."""

    __slots__ = ("rounded_to",)
    rounded_to: int

    def __new__(cls, text: str, rounded_to: int) -> Count:
        """Write a count."""
        out = super().__new__(cls, text)
        out.rounded_to = rounded_to
        return out


def show_count(value: Any, redacted: bool, preset: Preset) -> Count:
    """Write a count; a hidden one says within what it lies."""
    text = formats.integer(value)
    if redacted and formats.missing(value):
        text = t("common.hidden_1_to_most_or_beside_one_that_is", most=preset.redact_up_to)
    return Count(text, preset.round_to)


def show_of(value: Any, preset: Preset) -> str:
    """Write how many started; hidden where people who were lost would follow from it."""
    if formats.missing(value) and not preset.open:
        return t(formats.HIDDEN)
    return formats.integer(value)


def show_ends(value: Any, low: Any, high: Any, digits: int = 1, unit: str = "") -> str:
    """Write a value with its limits, where it has any; `unit` stands behind the value."""
    if formats.missing(value) or formats.missing(low):
        return formats.number(value, digits) + ("" if formats.missing(value) else unit)
    three = (value, low, high)
    ends = formats.limits(low, high, digits, three)
    return f"{formats.number(value, digits, three)}{unit} ({ends})"


def show_change(r: Mapping[str, Any], value: str, low: str, high: str) -> str:
    """Write a change of a row with its limits, or that it is hidden."""
    if r["redacted"]:
        return t(formats.HIDDEN)
    return show_ends(r[value], r[low], r[high])


def pick(main: pd.DataFrame, statistic: str) -> dict[str, Any] | None:
    """Pick one statistic from rows of `cohort`; None where it is not there."""
    rows = main[main["statistic"] == statistic]
    return rows.iloc[0].to_dict() if len(rows) else None


def make_table(
    caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], **more: Any
) -> Table:
    """Put a table together; `heads` are messages, `rows` are written already.

    Where counts were rounded, a line beside the caption says so. A remark that all rows share
    stands once below the table; a column without any remark is left out.
    """
    note = ""
    remarks = {row[-1] for row in rows} if heads[-1] == "answer.remark" else set()
    if len(remarks) == 1 and (len(rows) > 1 or formats.MISSING in remarks):
        (note,) = remarks - {formats.MISSING} or {""}
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    rounded = max((c.rounded_to for row in rows for c in row if isinstance(c, Count)), default=1)
    return {
        "caption": caption,
        "counts": t("preset.counts_rounded", to=rounded) if rounded > 1 else "",
        "note": f"{capital(note)}." if note else "",
        "heads": [t(h) if h else "" for h in heads],
        "rows": [{"kind": "", "cells": list(cells)} for cells in rows],
        "numeric": [],
        **more,
    }


def list_rows(flow: pd.DataFrame, preset: Preset) -> Table:
    """One line per file: in the file = kept + quarantined + not selected; then cells."""
    files = flow[flow["account"].isin(["rows", "cells"]) & (flow["step"] != LOST)]
    return _pivot(
        files,
        preset,
        "common.file",
        t("answer.rows_of_each_file_in_the_file_kept"),
        dict(zip(files["item"], files["item"], strict=True)),
    )


def list_other_people(people: pd.DataFrame, cohort: pd.DataFrame, preset: Preset) -> Table:
    """One line per outcome and comparison, one column per step."""
    known = {item: term("item", item) for item in people["item"]}
    names = {item: say(n).capitalize() for item, n in known.items() if isinstance(n, Message)}
    for r in cohort[["outcome", "comparison", "comparison_label"]].itertuples(index=False):
        names[f"{r.outcome}: {r.comparison}"] = name_pair(r.outcome, r.comparison_label)
    return _pivot(
        people,
        preset,
        "common.outcome_and_comparison",
        t("answer.people_all_other_outcomes_and_comparisons"),
        names,
    )


def _pivot(
    part: pd.DataFrame, preset: Preset, first: str, caption: str, names: Mapping[str, str]
) -> Table:
    steps = list(dict.fromkeys(part["step"]))
    rows = []
    for item, own in part.groupby("item", sort=False):
        by = {r["step"]: show_count(r["n"], r["redacted"], preset) for r in own.to_dict("records")}
        rows.append([names[str(item)], *(by.get(s, formats.MISSING) for s in steps)])
    table = make_table(caption, [first], rows, numeric=list(range(1, len(steps) + 1)))
    table["heads"] += [say(term("step", s)) for s in steps]
    return table


def list_people(part: pd.DataFrame, preset: Preset) -> Table:
    """List the steps from everyone who started to everyone who is analysed."""
    rows = [
        [
            say(term("step", r["step"])),
            show_count(r["n"], r["redacted"], preset),
            show_of(r["of"], preset),
            formats.as_text(r["note"]),
        ]
        for r in part.to_dict("records")
    ]
    return make_table(
        t("answer.people_primary_comparison"),
        ["answer.step", "answer.people", "answer.of", "answer.remark"],
        rows,
        numeric=[1, 2],
    )


def list_statistics(
    main: pd.DataFrame, order: Sequence[str], caption: str, preset: Preset
) -> Table:
    """List statistics of `cohort` in a given order, each with its interval, n and of."""
    rows, kinds = [], []
    for name in order:
        r = pick(main, name)
        if r is None:
            continue
        digits = 0 if name == "n_for_precision" else 1 if name.startswith("completeness") else 2
        kinds.append("main" if name == "change_mean" else "")
        rows.append(
            [
                say(r["label"]),
                formats.interval(r, digits),
                show_count(r["n"], r["redacted"], preset),
                show_of(r["of"], preset),
                formats.coded("unit", r["unit"]),
                formats.as_text(r["note"]),
            ]
        )
    heads = [
        "change.statistic",
        "change.value_95_percent_ci_its_method",
        "change.n",
        "change.of_who_started",
        "change.unit",
        "answer.remark",
    ]
    table = make_table(caption, heads, rows, numeric=[2, 3])
    for row, kind in zip(table["rows"], kinds, strict=True):
        row["kind"] = kind
    return table


def share_row(r: Mapping[str, Any], preset: Preset, label: str = "") -> list[str]:
    """One line for a share: people, of, share with its interval, remark."""
    share = t(formats.HIDDEN)
    if not r["redacted"]:
        share = formats.MISSING
        if not formats.missing(r["estimate"]):
            three = (r["estimate"], r["ci_low"], r["ci_high"])
            share = t(
                "common.value_95_percent_ci_limits_method",
                value=formats.percent(r["estimate"], 1, three),
                limits=formats.limits(r["ci_low"], r["ci_high"], 1, three),
                method=t("interval.wilson"),
            )
    return [
        label or say(r["label"]),
        show_count(r["count"], r["redacted"], preset),
        show_count(r["n"], r["redacted"], preset),
        share,
        formats.as_text(r["note"]),
    ]


_SHARES = ["", "answer.people", "answer.of", "responders.share", "answer.remark"]


def list_responders(main: pd.DataFrame, preset: Preset) -> Table:
    """People who improved and people who got worse."""
    both = [name for share in RESPONDERS for name in (share, f"{share}_of_started")]
    rows = [share_row(r, preset) for name in both if (r := pick(main, name))]
    return make_table(
        t("responders.people_who_improved_and_people_who_got_worse"),
        _SHARES,
        rows,
        numeric=[1, 2, 3],
    )


def list_reliable(main: pd.DataFrame, preset: Preset) -> Table | None:
    """Who changed by more than two windows of an untreated person differ."""
    limit = pick(main, "reliable_threshold")
    if limit is None:
        return None
    size = t("common.a_certain_size")
    if not formats.missing(limit["estimate"]):
        size = t("common.days_days", days=formats.number(limit["estimate"], 1))
    rows = [share_row(r, preset) for name in RELIABLE if (r := pick(main, name))]
    return make_table(
        t("responders.people_whose_change_is_larger_than_the_noise"),
        _SHARES,
        rows,
        numeric=[1, 2, 3],
        text=t(
            "responders.two_windows_of_one_untreated_person_differ_in",
            size=size,
            source=formats.as_text(limit["note"]),
        ),
    )


def list_crossed(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Reliable change by relative change, in numbers of people."""
    if not len(table):
        return None
    responses = list(dict.fromkeys(table["response"]))
    rows = []
    for kind, part in table.groupby("class", sort=False):
        by = {r["response"]: r for r in part.to_dict("records")}
        counts = [show_count(by[r]["n"], by[r]["redacted"], preset) for r in responses]
        rows.append([say(term("class", kind)), *counts])
    out = make_table(
        t("responders.reliable_change_rows_by_relative_change"),
        [""],
        rows,
        numeric=list(range(1, len(responses) + 1)),
    )
    out["heads"] += [say(term("response", r)) for r in responses]
    return out


def list_lost(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Compare, before treatment, those who were lost with those who were analysed."""
    table = table[(table["n_lost"] > 0) | table["redacted"].astype(bool)]
    if not len(table):
        return None
    rows = []
    for r in table.to_dict("records"):
        percent = r["measure"] == "percent"
        label = capital(say(name_characteristic(r["characteristic"])))
        if percent:
            label += f": {name_level(r['level'])}"
        values = []
        for side in ("analysed", "lost"):
            n, value = show_count(r[f"n_{side}"], r["redacted"], preset), r[f"value_{side}"]
            shown = formats.percent(value, 0) if percent else formats.number(value, 1)
            values.append(
                t(formats.HIDDEN) if r["redacted"] else Count(f"{shown} (n {n})", n.rounded_to)
            )
        difference = t(formats.HIDDEN)
        if not r["redacted"]:
            difference = formats.interval({**r, "estimate": r["difference"]}, 1)
        rows.append([label, *values, difference])
    heads = [
        "",
        "missing.analysed_mean_or_share",
        "missing.lost_mean_or_share",
        "missing.lost_minus_analysed_95_percent_ci_its_method",
    ]
    return make_table(
        t("missing.before_treatment_those_who_were_lost_beside"),
        heads,
        rows,
        numeric=[1, 2, 3],
    )


def list_entries(cohort: pd.DataFrame, preset: Preset) -> Table | None:
    """Compare the diary with what the same people recall."""
    rows = [
        [
            say(r["comparison_label"]),
            formats.interval(r),
            show_count(r["n"], r["redacted"], preset),
            formats.as_text(r["note"]),
        ]
        for r in cohort[cohort["statistic"] == "diary_minus_recall"].to_dict("records")
    ]
    if not rows:
        return None
    heads = [
        "",
        "missing.diary_minus_recall_days_per_28_95_percent_ci",
        "change.n",
        "answer.remark",
    ]
    caption = t("missing.the_diary_beside_what_the_same_people_recall")
    return make_table(caption, heads, rows, numeric=[1, 2])


def list_scores(cohort: pd.DataFrame, preset: Preset) -> Table | None:
    """Questionnaires: people beyond each published threshold, either way, and what they say."""
    threshold = cohort["statistic"].str.match(r".*_(better|worse)$")
    own = cohort[
        (cohort["group"] == "all")
        & (cohort["comparison"] == "visit_recall")
        & (threshold | (cohort["outcome"] == "PGIC"))
        & cohort["unit"].eq("percent")
    ]
    if not len(own):
        return None
    rows = [
        share_row(r, preset, f"PGIC, {say(r['label'])}" if r["outcome"] == "PGIC" else "")
        for r in own.to_dict("records")
    ]
    caption = t("others.people_beyond_each_published_threshold_asked")
    heads = ["", "answer.people", "answer.of", "responders.share", "others.source_and_remark"]
    return make_table(caption, heads, rows, numeric=[1, 2, 3])


def list_others(cohort: pd.DataFrame, preset: Preset) -> Table | None:
    """Mean change of every other outcome and comparison in which anybody has one."""
    own = cohort[
        (cohort["group"] == "all")
        & (cohort["statistic"] == "change_mean")
        & ~cohort["primary"]
        & (cohort["estimate"].notna() | cohort["redacted"].astype(bool))
    ]
    if not len(own):
        return None
    rows = [
        [
            name_outcome(r["outcome"]),
            say(r["comparison_label"]),
            formats.interval(r),
            show_count(r["n"], r["redacted"], preset),
            show_of(r["of"], preset),
            formats.coded("unit", r["unit"]),
        ]
        for r in own.to_dict("records")
    ]
    heads = [
        "others.outcome",
        "others.comparison",
        "others.mean_change_95_percent_ci_its_method",
        "change.n",
        "change.of_who_started",
        "change.unit",
    ]
    return make_table(
        t("others.mean_change_of_each_outcome_and_comparison"), heads, rows, numeric=[2, 3, 4]
    )


def list_groups(cohort: pd.DataFrame, outcome: str, preset: Preset) -> Table | None:
    """Mean change and responders by group, primary outcome and comparison.

    Where all people are of one group there is nothing to set side by side. `of_care` says whether
    any group is one of techniques, places or therapists.
    """
    own = cohort[(cohort["group"] != "all") & (cohort["outcome"] == outcome)]
    kind = own["group"].str.split(": ").str[0]
    own = own[own.groupby(kind)["group"].transform("nunique") > 1]
    rows = []
    for group, part in own.groupby("group", sort=False):
        change, half = pick(part, "change_mean"), pick(part, "responders_50")
        if change is None:
            continue
        share = formats.MISSING
        if half is not None:
            share = t(formats.HIDDEN) if half["redacted"] else formats.percent(half["estimate"])
        family, _, label = str(group).partition(": ")
        rows.append(
            [
                f"{name_level(family)}: {name_level(label, family)}",
                formats.interval(change),
                share,
                show_count(change["n"], change["redacted"], preset),
                show_of(change["of"], preset),
            ]
        )
    if not rows:
        return None
    heads = [
        "benchmark.group",
        "others.mean_change_95_percent_ci_its_method",
        "groups.improved_by_half_or_more",
        "change.n",
        "change.of_who_started",
    ]
    caption = t("groups.mean_change_by_group_primary_outcome_and")
    of_care = bool({"technique", "setting", "therapist"} & set(kind[own.index]))
    return make_table(caption, heads, rows, numeric=[1, 2, 3, 4], of_care=of_care)
