"""What a clinic's change would be expected to be, and how far it depends on the analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.figures.clinic.sensitivity import tell_sample
from headway.messages import Message, say, t
from headway.outcomes.expectation.multiverse import WORST, find_sample
from headway.report import formats
from headway.report.clinic.tables import (
    Table,
    make_table,
    name_outcome,
    show_change,
    show_count,
    show_ends,
    show_of,
)

if TYPE_CHECKING:
    import pandas as pd

    from headway.disclosure import Preset

# Column of `specifications` that holds a choice -> what ways differ in by it.
CHOICES = {
    "window": "other_ways.differ.window",
    "value": "other_ways.differ.value",
    "completeness": "other_ways.differ.completeness",
    "headache_day": "other_ways.differ.headache_day",
    "before": "other_ways.differ.before",
    "lost": "other_ways.differ.lost",
}


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
        verdict = (
            t("expected.shown_only")
            if not r["decides"]
            else t("common.yes")
            if r["beyond"]
            else t("common.no")
        )
        rows.append(
            [
                say(r["label"]),
                hidden if r["redacted"] else formats.number(r["change"], 1),
                hidden
                if r["redacted"]
                else show_ends(shown["expected"], shown["ci_low"], shown["ci_high"]),
                formats.interval(rest, 1),
                show_count(r["n"], r["redacted"], preset),
                hidden if r["redacted"] else verdict,
            ]
        )
    heads = [
        "expected.source",
        "expected.this_clinic_s_change",
        "expected.expected_without_treatment",
        "expected.clinic_minus_expected_95_percent_ci_its",
        "change.n",
        "expected.further_than_expected",
    ]
    caption = t("expected.headache_days_per_28_the_change_beside_what")
    return make_table(caption, heads, rows, numeric=[1, 2, 4])


def list_sensitivity(table: pd.DataFrame, preset: Preset) -> list[Table]:
    """One table per outcome, the primary one first; one line per way to treat what is missing."""
    parts = table.groupby("outcome", sort=False)
    return [
        _list_ways(str(name), _drop_lost(own), preset, main=i == 0)
        for i, (name, own) in enumerate(parts)
    ]


_BOUNDS = ("complete_pairs", "bound_low", "bound_high")
_OF_THE_LOST = (
    "baseline_carried_forward",
    "bound_low",
    "bound_high",
    "multiple_imputation",
    "missing_information",
    "tipping_mean",
    "tipping_ci",
)


def _drop_lost(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out what differs by the lost alone where nothing is unknown: both bounds are equal."""
    ends = table.loc[table["id"].isin(_BOUNDS), "estimate"]
    if len(ends) < len(_BOUNDS) or ends.isna().any() or ends.round(9).nunique() > 1:
        return table
    return table[~table["id"].isin(_OF_THE_LOST)]


def _list_ways(outcome: str, table: pd.DataFrame, preset: Preset, *, main: bool) -> Table:
    rows = [
        [
            say(r["label"]),
            formats.interval(r),
            show_count(r["n"], r["redacted"], preset),
            show_of(r["of"], preset),
            formats.coded("unit", r["unit"]),
            formats.as_text(r["note"]),
        ]
        for r in table.to_dict("records")
    ]
    heads = [
        "other_ways.analysis",
        "change.value_95_percent_ci_its_method",
        "change.n",
        "change.of_who_started",
        "change.unit",
        "answer.remark",
    ]
    caption = (
        t("other_ways.the_primary_change_under_other_ways_to_count")
        if main
        else t(
            "other_ways.the_change_in_outcome_under_other_ways_to_count",
            outcome=name_outcome(outcome),
        )
    )
    return make_table(caption, heads, rows, numeric=[2, 3])


def describe_specifications(table: pd.DataFrame) -> str:
    """Say how many ways of analysing the primary change agree; empty without any."""
    known = table[table["estimate"].notna()]
    if not len(known):
        return ""
    known = known[known["outcome"] == known["outcome"].iloc[0]]
    below = int((known["ci_high"] < 0).sum())
    differ = [Message(id) for c, id in CHOICES.items() if known[c].nunique() > 1]
    ends = formats.ends(known["estimate"].min(), known["estimate"].max(), 1)
    if not differ or ends["low"] == ends["high"]:  # one result, as nobody was lost
        return ""
    said = t(
        "other_ways.of_all_ways_to_analyse_the_primary_change",
        all=len(known),
        what=differ,
        fewer=int((known["estimate"] < 0).sum()),
        below=below,
        **ends,
    )
    sample = find_sample(known)
    return said if sample is None else f"{said} {tell_sample(*sample)}"


def describe_ways(table: pd.DataFrame) -> list[str]:
    """Say how many ways of analysing one secondary outcome agree; empty with fewer than two.

    The worst that the lost could have had is no such way: the bounds say it.
    """
    known = table[table["estimate"].notna() & table["ci_low"].notna() & (table["lost"] != WORST)]
    if len(known) < 2:
        return []
    below, above = int((known["ci_high"] < 0).sum()), int((known["ci_low"] > 0).sum())
    return [
        t(
            "other_ways.of_n_ways_to_analyse_it",
            all=len(known),
            below=below,
            above=above,
            unclear=len(known) - below - above,
            **formats.ends(known["estimate"].min(), known["estimate"].max(), 1),
        )
    ]


def list_traps(table: pd.DataFrame, preset: Preset) -> Table | None:
    """One line per trap that records can hold; None where none of them could be seen."""
    if not (table["n"].notna() | table["flagged"] | table["redacted"].astype(bool)).any():
        return None
    rows = []
    for r in table.to_dict("records"):
        seen = not formats.missing(r["n"]) or r["flagged"]
        sign = (
            t("traps.warning")
            if r["flagged"]
            else t("traps.no_sign_of_it")
            if seen
            else t("traps.cannot_be_seen")
        )
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
    heads = [
        "",
        "traps.in_these_records",
        "traps.what_was_found",
        "change.n",
        "traps.rule_or_what_would_be_needed",
    ]
    return make_table(t("traps.traps_that_records_like_these_can_hold"), heads, rows, numeric=[3])


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
                formats.coded("condition", r["condition"]),
                formats.coded("technique", r["technique"]),
                show_count(r["n"], r["redacted"], preset),
                formats.coded("timepoint", r["timepoint"]),
                hidden if r["redacted"] else formats.number(r["baseline"], 1),
                show_change(r, "change", "ci_low", "ci_high"),
                formats.MISSING
                if own
                else show_change(r, "difference", "difference_low", "difference_high"),
                formats.as_text(r["why_not"])
                if r["block"] == "not_used"
                else formats.cite(r["source"]),
            ]
        )
    heads = [
        "",
        "benchmark.condition",
        "benchmark.what_was_done",
        "change.n",
        "benchmark.time",
        "benchmark.before",
        "benchmark.change_95_percent_ci",
        "benchmark.clinic_minus_this_row_95_percent_ci",
        "benchmark.source_or_why_it_is_not_drawn",
    ]
    caption = t("benchmark.published_arms_beside_this_clinic_a")
    return make_table(caption, heads, rows, numeric=[3, 5])
