"""What a clinic's change can mean, as tables of text, from released rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.disclosure import write_count
from headway.figures.clinic.control_chart import name_signals
from headway.figures.clinic.cost import name_basis
from headway.messages import capital, read, say, t, term
from headway.report import formats
from headway.report.clinic.tables import (
    Table,
    make_table,
    show_change,
    show_count,
    show_ends,
    show_of,
)

if TYPE_CHECKING:
    import pandas as pd

    from headway.disclosure import Preset


def keep_told(table: pd.DataFrame, column: str = "estimate") -> pd.DataFrame:
    """Keep the rows that say something of these records: a number, or that it is hidden."""
    return table[table[column].notna() | table["redacted"].astype(bool)]


def list_safety(table: pd.DataFrame, preset: Preset) -> dict[str, Table] | None:
    """Harms, asked and volunteered apart, per session and per person: of all, and by technique."""
    own = keep_told(table)
    if not len(own):
        return None
    whole = own["group"] == "all"
    return {
        "main": _list_harms(own[whole], t("safety.soreness_lethargy_and_adverse_events"), preset),
        "groups": _list_harms(own[~whole], t("safety.the_same_by_technique"), preset),
    }


def _list_harms(table: pd.DataFrame, caption: str, preset: Preset) -> Table:
    rows = []
    for r in table.to_dict("records"):
        count = write_count(r["count"], r["redacted"], r["note"], preset)
        event = "" if r["event"] == "any" else f", {say(term('event', r['event']))}"
        rows.append(
            [
                f"{say(term('harm', r['harm']))}{event}",
                name_technique(r["group"]),
                say(term("reported", r["reported"])),
                say(r["label"]),
                count if not formats.missing(r["count"]) or r["redacted"] else formats.MISSING,
                show_count(r["n"], r["redacted"], preset),
                _value(r),
            ]
        )
    heads = [
        "safety.harm",
        "safety.technique",
        "safety.how_it_became_known",
        "",
        "safety.count",
        "answer.of",
        "change.value_95_percent_ci_its_method",
    ]
    return make_table(caption, heads, rows, numeric=[4, 5])


def _value(r: Mapping[str, Any], digits: int = 1) -> str:
    text = formats.interval(r, digits)
    if r["redacted"] or formats.missing(r["estimate"]):
        return text
    return text if formats.missing(r["unit"]) else f"{text} {say(term('unit', r['unit']))}"


_VISITS = {
    "all": "fees.all_visits",
    "first": "fees.first_visit",
    "later": "fees.later_visits",
}


def list_cost(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Time, fees, and fees per headache day of difference; what is not recorded has no row.

    `fees` and `of_difference` say whether there is a word of either.
    """
    table = table[table["estimate"].notna() | table["redacted"].astype(bool) | _is_told(table)]
    if not len(table):
        return None
    rows = []
    for r in table.to_dict("records"):
        value = _value(r)
        if not r["redacted"] and not formats.missing(r["p25"]):
            value += t("fees.quartiles_ends", ends=formats.limits(r["p25"], r["p75"], 0))
        basis = "" if r["basis"] == "records" else f" ({name_basis(r['basis'])})"
        rows.append(
            [
                f"{say(r['label'])}{basis}",
                t(_VISITS[r["visit"]]),
                value,
                show_count(r["n"], r["redacted"], preset),
                show_of(r["of"], preset),
                formats.as_text(r["note"]),
            ]
        )
    heads = [
        "",
        "fees.visits",
        "change.value_95_percent_ci_its_method",
        "change.n",
        "change.of_who_started",
        "answer.remark",
    ]
    of_difference = bool(table["basis"].ne("records").any())
    fees = bool(table["unit"].ne("minutes").any())
    caption = t("fees.time_fees_and_cost" if of_difference else "fees.time_and_fees")
    return make_table(
        caption if fees else t("fees.time"),
        heads,
        rows,
        numeric=[3, 4],
        fees=fees,
        of_difference=of_difference,
    )


def _is_told(cost: pd.DataFrame) -> pd.Series:
    """Whether a row without a number has a reason that comes of these records' own numbers."""
    known = cost.loc[cost["statistic"].eq("difference") & cost["estimate"].notna(), "basis"]
    return cost["basis"].isin(known) & cost["note"].notna()


_VERDICTS = {
    "supported": "claim.verdict.supported",
    "not supported": "claim.verdict.not_supported",
    "cannot tell": "claim.verdict.cannot_tell",
    "not recorded": "claim.verdict.not_recorded",
}


# Claims that hold for any care: they are of the change itself, which stands on page one.
_OF_ANY_CARE = {1, 15, 16}


def list_claims(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Hold what patients are told against these records; what is not recorded is counted.

    None without a claim about visits that these records can be held against: the claims are
    about trigger point care.
    """
    told = table[table["verdict"] != "not recorded"]
    if not set(told["row"]) - _OF_ANY_CARE:
        return None
    silent = sorted(set(table["row"]) - set(told["row"]))
    # What could not be computed says no more than the part of its claim that could.
    known = keep_told(told)
    told = told[told.index.isin(known.index) | ~told["row"].isin(known["row"])]
    rows, last = [], None
    for r in told.to_dict("records"):
        claim = f"{r['row']}. {say(r['claim'])}" if r["row"] != last else f"{r['row']}."
        last = r["row"]
        anchor = formats.as_text(r["anchor"])
        if not formats.missing(r["anchor_source"]):
            anchor += f" ({say(r['anchor_source'])})"
        rows.append(
            [
                claim,
                say(r["label"]) + _name_part(str(r["part"])),
                _value(r),
                show_count(r["n"], r["redacted"], preset),
                anchor,
                t(_VERDICTS[r["verdict"]]),
                formats.as_text(r["reason"]),
            ]
        )
    heads = [
        "claims.claim",
        "claims.what_is_computed",
        "claims.this_clinic_95_percent_ci_its_method",
        "change.n",
        "claims.published_figure",
        "claims.verdict",
        "claims.why",
    ]
    return make_table(
        t("claims.what_patients_are_told_about_trigger_point"),
        heads,
        rows,
        numeric=[3],
        text=t("claims.these_are_not_recorded_here", numbers=silent) if silent else "",
    )


def _name_part(part: str) -> str:
    """Name whom or what a part of a claim is about, where its label leaves that open."""
    kind, _, of = part.partition(": ")
    if kind == "technique":
        return f" ({name_technique(part)})"
    if kind == "per_day":
        return f" ({name_basis(of.partition(', ')[2])})"
    return f" ({say(term('currency', of))})" if of else ""


def list_relapse(table: pd.DataFrame, preset: Preset) -> list[Table]:
    """Show how long responders stay without relapse, by rule: of all, then by technique.

    Nothing where nobody was at risk.
    """
    own = table[(table["n"] > 0) | table["redacted"].astype(bool)]
    whole = own["group"] == "all"
    if not whole.any():
        return []
    caption = t("over_time.time_to_relapse_of_those_who_improved_by_half")
    tables = [_list_relapses(own[whole], caption, preset)]
    if not whole.all():
        again = t("over_time.time_to_relapse_by_technique")
        tables.append(_list_relapses(own[~whole], again, preset))
    return tables


def _list_relapses(table: pd.DataFrame, caption: str, preset: Preset) -> Table:
    rows = [
        [
            say(r["rule_label"]),
            name_technique(r["group"]),
            show_count(r["n"], r["redacted"], preset),
            show_count(r["events"], r["redacted"], preset),
            formats.number(r["horizon_days"], 0),
            t(formats.HIDDEN)
            if r["redacted"]
            else show_ends(r["free_at_horizon"], r["free_low"], r["free_high"], 0, " %"),
            t(formats.HIDDEN)
            if r["redacted"]
            else show_ends(r["rmst_days"], r["rmst_low"], r["rmst_high"]),
            t(formats.HIDDEN)
            if r["redacted"]
            else formats.limits(r["rmst_low_bound"], r["rmst_high_bound"], 1),
            formats.as_text(r["note"]),
        ]
        for r in table.to_dict("records")
    ]
    heads = [
        "over_time.relapse",
        "benchmark.group",
        "over_time.at_risk",
        "over_time.relapses",
        "over_time.horizon_days",
        "over_time.without_relapse_at_the_horizon_95_percent_ci",
        "over_time.mean_days_without_relapse_95_percent_ci",
        "over_time.mean_days_by_where_relapses_lie",
        "answer.remark",
    ]
    return make_table(caption, heads, rows, numeric=[2, 3, 4])


def list_months(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Show each control chart month by month."""
    table = keep_told(table, "value")
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
            name_signals(r["signals"]),
        ]
        for r in table.to_dict("records")
    ]
    heads = [
        "over_time.chart",
        "over_time.month",
        "change.n",
        "over_time.value",
        "over_time.centre",
        "over_time.limits",
        "over_time.signals",
    ]
    return make_table(
        t("over_time.by_month_of_the_first_session"),
        heads,
        rows,
        numeric=[1, 2, 3, 4, 5],
        text=_list_notes(table),
    )


def _list_notes(table: pd.DataFrame) -> str:
    """Write each remark of a table once, where rows share them or parts of them."""
    cells = dict.fromkeys(table["note"].dropna())
    notes = dict.fromkeys(say(part) for cell in cells for part in read(str(cell)) or [cell])
    return " ".join(f"{capital(note)}." for note in notes)


def name_technique(group: str) -> str:
    """Name a group of the tables of care: all, or `technique: code`."""
    _, _, code = group.partition(": ")
    return t("groups.technique", technique=term("technique", code)) if code else t("common.all")


def list_funnel(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Show each therapist against the limits of the funnel; one alone is beside nobody."""
    if len(table) < 2:
        return None
    rows = [
        [
            str(r["therapist"]),
            show_count(r["n"], r["redacted"], preset),
            show_change(r, "difference", "low_95", "high_95"),
            t(formats.HIDDEN) if r["redacted"] else formats.limits(r["low_998"], r["high_998"], 1),
            t("groups.outside_the_outer_limit") if r["flag"] else t("groups.within"),
        ]
        for r in table.to_dict("records")
    ]
    heads = [
        "groups.therapist",
        "change.n",
        "groups.observed_minus_expected_from_the_start_inner",
        "groups.outer_limits_99_8_percent",
        "",
    ]
    return make_table(
        t("groups.therapists_on_a_funnel_plot"), heads, rows, numeric=[1], text=_list_notes(table)
    )


def list_dose(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Show how much was given beside how much changed, where people were given more and less."""
    table = keep_told(table)
    table = table[table.groupby("dose")["dose"].transform("size") > 2]
    if not len(table):
        return None
    rows = [
        [
            say(term("dose", r["dose"])),
            say(r["label"]),
            formats.interval(r),
            show_count(r["n"], r["redacted"], preset),
            formats.as_text(r["note"]),
        ]
        for r in table.to_dict("records")
    ]
    heads = [
        "groups.dose",
        "",
        "change.value_95_percent_ci_its_method",
        "change.n",
        "answer.remark",
    ]
    return make_table(t("groups.how_much_was_given_beside_the_change"), heads, rows, numeric=[3])
