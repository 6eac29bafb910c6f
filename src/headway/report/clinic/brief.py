"""What a clinic's brief says: two pages for people, from nothing but released tables.

The content is made once, as `Brief`; `headway.report.clinic.brief_pages` writes it as HTML and as
PDF, so that both say the same sentences and the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headway.figures.clinic.brief import list_outcomes, name_outcome
from headway.messages import capital, say, speaking, t, writing_released
from headway.outcomes.change.windows import CONDITIONAL
from headway.outcomes.expectation.verdict import read_verdict
from headway.report import formats
from headway.report.clinic.answer import list_doubts
from headway.report.clinic.losses import list_losses, say_replaced
from headway.report.clinic.tables import per_unit, pick, show_of
from headway.report.clinic.verdicts import OWN, find_kind, which_way

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic
    from headway.disclosure import Preset

_MOST_WARNINGS = 3
_ENOUGH = 0.8  # share of those who started below which the lost could turn the answer
_COURSES = {"fall": "brief.fell", "rise": "brief.rose", "unclear": "brief.went"}
_SHARES = (
    ("brief.better_of_analysed", "responders_50"),
    ("brief.better_of_started", "responders_50_of_started"),
    ("brief.worse_of_analysed", "worsened_30"),
    ("brief.worse_of_started", "worsened_30_of_started"),
)
_RECORD = {
    "frequency": "brief.record_frequency",
    "intensity": "brief.record_intensity",
    "duration": "brief.record_duration",
}
_VERDICTS = {
    "further": "brief.further",
    "cannot_tell": "brief.cannot_tell",
    "less": "brief.less",
}
_ROWS = (
    "brief.row_before",
    "brief.row_after",
    "brief.row_change",
    "brief.row_interval",
    "brief.row_people",
)


@dataclass(frozen=True, slots=True)
class OutcomeText:
    """What changed in one outcome, and the verdict on it: a code and the sentences."""

    outcome: str
    name: str
    verdict: str
    course: tuple[str, ...]
    lead: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of text: heads without the first one, rows as (head, cells)."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A question with the sentences that answer it."""

    question: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Brief:
    """The content of a brief, in the clinic's language.

    Attributes
    ----------
    language
        BCP 47.
    name
        The clinic's id.
    title, stamp
        The clinic's title; SYNTHETIC or INTERNAL in words, or nothing.
    lead, warnings
        Who is counted and when; what may mislead.
    outcomes
        What changed, outcome by outcome. None where the clinic was refused or has no comparison.
    changes, people
        The tables of page one and two; None as above.
    unknown, record, again
        The questions of page two; None where the clinic was refused.
    foot
        Source, licence, disclosure control.
    """

    language: str
    name: str
    title: str
    stamp: str
    lead: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    outcomes: tuple[OutcomeText, ...] = ()
    changes: Grid | None = None
    people: Grid | None = None
    unknown: Part | None = None
    record: Part | None = None
    again: Part | None = None
    foot: tuple[str, ...] = field(default=())

    def list_sentences(self) -> list[str]:
        """List every sentence that is ours: without titles, tables and the foot."""
        out = [*self.lead, *self.warnings]
        for one in self.outcomes:
            out += [*one.course, one.lead, *one.more]
        for grid in (self.changes, self.people):
            out += grid.notes if grid else ()
        for part in (self.unknown, self.record, self.again):
            out += [part.question, *part.sentences] if part else ()
        return [s for s in out if s]


def write_brief(
    clinic: Clinic, status: Mapping[str, Any], released: Mapping[str, pd.DataFrame], preset: Preset
) -> Brief:
    """Write the content of a clinic's brief.

    Parameters
    ----------
    clinic, status
        clinic.json and status.json.
    released
        The tables of `disclosure.RULES` after disclosure control.
    preset
        The rules in force.
    """
    with speaking(clinic.language), writing_released(not preset.open):
        frame: dict[str, Any] = {
            "language": clinic.language,
            "name": clinic.id,
            "title": clinic.title,
            "stamp": say_stamp(clinic, preset),
            "foot": _foot(clinic, preset),
        }
        if status["state"] == "refused":
            return Brief(lead=(t("brief.refused"),), **frame)
        frame["warnings"] = _warn(clinic, released, preset)
        cohort = released["cohort"]
        main = cohort[cohort["primary"]]
        change = pick(main, "change_mean")
        if change is None:
            frame |= _ask_for_records(clinic)
            return Brief(lead=(t("brief.no_comparison"),), **frame)
        own = cohort[(cohort["comparison"] == change["comparison"]) & (cohort["group"] == "all")]
        outcomes = list_outcomes(cohort)
        rows = {o: own[own["outcome"] == o] for o in outcomes}
        known = {o: found for o, found in rows.items() if len(found)}
        return Brief(
            lead=_lead(released, change),
            outcomes=tuple(_say_outcome(o, rows[o], released) for o in outcomes),
            changes=_tabulate_changes(known, preset),
            people=_tabulate_people(known),
            unknown=_say_unknown(rows, change),
            record=_say_record(rows, change, released, clinic),
            again=_say_again(change, released, clinic, preset),
            **frame,
        )


def say_stamp(clinic: Clinic, preset: Preset) -> str:
    """Say above a page that its people are made up, or that it is not for release."""
    if clinic.synthetic:
        return t("frame.synthetic_made_by_a_simulator_no_one_in_these")
    if preset.name == "internal":
        return t("frame.internal_small_numbers_are_not_hidden_not_for")
    return ""


def _foot(clinic: Clinic, preset: Preset) -> tuple[str, ...]:
    source = t(
        "frame.source_source_licence_licence",
        source=clinic.source or t("frame.not_stated"),
        licence=clinic.licence or t("frame.not_stated"),
    )
    return source, f"{t('frame.disclosure_control')}: {say(preset.text)}."


def _warn(clinic: Clinic, released: Mapping[str, pd.DataFrame], preset: Preset) -> tuple[str, ...]:
    """Say what may mislead, the first few of it."""
    flow = released["flow"]
    replaced = say_replaced(flow, answered=bool(released["cohort"]["primary"].any()))
    found = [" ".join(replaced)] if replaced else []
    found += [f"{one['text']} {one['meaning']}" for one in list_losses(flow, clinic, preset)]
    found += [one["text"] for one in list_doubts(released["traps"], released["funnel"])]
    more = len(found) - _MOST_WARNINGS
    told = [f"{t('page_one.careful')} {text}" for text in found[:_MOST_WARNINGS]]
    return (*told, *([t("brief.more_warnings", n=more)] if more > 0 else ()))


def _lead(released: Mapping[str, pd.DataFrame], change: Mapping[str, Any]) -> tuple[str, ...]:
    out = [t("brief.people_started", n=change["of"])]
    means = released["window_means"]
    own = means[
        (means["comparison"] == change["comparison"]) & (means["outcome"] == change["outcome"])
    ].sort_values("order")
    if len(own) > 1:
        first, last = (say(str(own["label"].iloc[i])) for i in (0, -1))
        out.append(t("brief.the_two_times", before=first, after=last))
    return tuple(out)


# ---- what changed --------------------------------------------------------------------------------


def _say_outcome(
    outcome: str, rows: pd.DataFrame, released: Mapping[str, pd.DataFrame]
) -> OutcomeText:
    """Say what changed in one outcome, and whether it would have come anyway."""
    name = capital(name_outcome(outcome))
    change = pick(rows, "change_mean")
    expected = released["expected"]
    kind = find_kind(outcome, change, expected)
    if change is not None and change["redacted"]:
        return OutcomeText(outcome, name, kind, (), t("brief.not_shown"))
    pre, post = pick(rows, "pre_mean"), pick(rows, "post_mean")
    if change is None or pre is None or post is None or formats.missing(change["estimate"]):
        return OutcomeText(outcome, name, "no_data", (), t("brief.nothing_known"))
    way = which_way(change)
    course = [
        t(
            _COURSES[way],
            pre=formats.number(pre["estimate"], 1),
            post=formats.number(post["estimate"], 1),
            unit=per_unit(str(change["unit"])),
        )
    ]
    if way == "unclear":
        course.append(t("brief.cannot_tell_if_changed"))
    lead, more = _say_verdict(outcome, kind, change, expected)
    return OutcomeText(outcome, name, kind, tuple(course), lead, more)


def _say_verdict(
    outcome: str, kind: str, change: Mapping[str, Any], expected: pd.DataFrame
) -> tuple[str, tuple[str, ...]]:
    if outcome != OWN:
        return t("brief.cannot_tell"), ()
    said = read_verdict(expected)
    if kind == "not_recorded":
        return t("brief.cannot_tell"), (t("brief.not_far_enough"),)
    if kind == "no_data" or formats.missing(said.low) or formats.missing(said.change):
        return t("brief.cannot_tell"), ()
    more = [t("brief.range", **formats.ends(said.low, said.high, 1))]
    judged = formats.number(said.change, 1)
    if judged != formats.number(change["estimate"], 1):
        more.append(t("brief.judged", change=judged))
    if kind in ("further", "less"):
        more.append(t("brief.no_proof"))
    return t(_VERDICTS[kind]), tuple(more)


def _tabulate_changes(rows: Mapping[str, pd.DataFrame], preset: Preset) -> Grid:
    """List mean before and after, change with its interval, and how many people."""
    columns = [_list_change(own, preset) for own in rows.values()]
    notes = [t("brief.minus_means_less")]
    if any(o in CONDITIONAL and len(own) for o, own in rows.items()):
        notes.append(t("brief.only_with_headache"))
    return Grid(
        t("brief.table_of_change"),
        tuple(capital(name_outcome(o)) for o in rows),
        tuple(
            (t(label), cells)
            for label, cells in zip(_ROWS, zip(*columns, strict=True), strict=True)
        ),
        tuple(notes),
    )


def _list_change(rows: pd.DataFrame, preset: Preset) -> list[str]:
    change = pick(rows, "change_mean")
    if change is None:
        return [t("brief.not_recorded")] + [formats.MISSING] * 4
    hidden = t(formats.HIDDEN)
    three = [change[c] for c in ("estimate", "ci_low", "ci_high")]
    means = [
        hidden
        if change["redacted"]
        else formats.number(one["estimate"], 1)
        if (one := pick(rows, statistic)) is not None
        else formats.MISSING
        for statistic in ("pre_mean", "post_mean")
    ]
    if change["redacted"]:
        return [*means, hidden, hidden, hidden]
    interval = formats.MISSING
    if not formats.missing(change["ci_low"]):
        interval = t(
            "brief.interval_method",
            limits=formats.limits(change["ci_low"], change["ci_high"], 1, three),
            method=say(change["interval"]),
        )
    people = t("brief.n_of", n=formats.integer(change["n"]), of=show_of(change["of"], preset))
    return [*means, formats.number(change["estimate"], 1, three), interval, people]


def _tabulate_people(rows: Mapping[str, pd.DataFrame]) -> Grid:
    """List who got better and worse, of the analysed and of all who started."""
    return Grid(
        t("brief.table_of_people"),
        tuple(capital(name_outcome(o)) for o in rows),
        tuple(
            (t(label), tuple(_show_share(pick(own, statistic)) for own in rows.values()))
            for label, statistic in _SHARES
        ),
    )


def _show_share(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return formats.MISSING
    if row["redacted"] or formats.missing(row["estimate"]):
        return t(formats.HIDDEN) if row["redacted"] else formats.MISSING
    share = formats.percent(row["estimate"])
    if formats.missing(row["count"]) or formats.missing(row["n"]):
        return share
    n, of = formats.integer(row["count"]), formats.integer(row["n"])
    return t("brief.share_of", share=share, n=n, of=of)


# ---- what is not known ---------------------------------------------------------------------------


def _say_unknown(rows: Mapping[str, pd.DataFrame], change: Mapping[str, Any]) -> Part:
    main = rows[str(change["outcome"])]
    out = []
    if change["redacted"] or formats.missing(change["n"]) or formats.missing(change["of"]):
        out.append(t("brief.values_hidden"))
    else:
        n, of = formats.integer(change["n"]), formats.integer(change["of"])
        if change["n"] < change["of"]:
            out += [t("brief.values_from_n_of", n=n, of=of), t("brief.others_unknown")]
    low, high = pick(main, "bound_low"), pick(main, "bound_high")
    if low and high and not formats.missing(low["estimate"]):
        ends = formats.ends(low["estimate"], high["estimate"], 1)
        if ends["low"] != ends["high"]:  # equal where nothing is missing
            out.append(t("brief.bounds", **ends))
    out += _say_new_drugs(pick(main, "new_preventive"))
    if any(o != OWN and len(own) for o, own in rows.items()):
        out.append(t("brief.only_days_have_a_rule"))
    out += [
        t("brief.not_an_effect"),
        t("brief.they_come_when_it_is_bad"),
        t("brief.no_one_to_compare_with"),
    ]
    return Part(t("page_one.what_is_not_known"), tuple(out))


def _say_new_drugs(row: Mapping[str, Any] | None) -> list[str]:
    if row is not None and row["redacted"]:
        return []
    if row is None or formats.missing(row["estimate"]):
        return [t("brief.new_drugs_unknown")]
    count, of = formats.integer(row["count"]), formats.integer(row["n"])
    return [t("brief.new_drugs", count=count, of=of)]


# ---- what next -----------------------------------------------------------------------------------


def _say_record(
    rows: Mapping[str, pd.DataFrame],
    change: Mapping[str, Any],
    released: Mapping[str, pd.DataFrame],
    clinic: Clinic,
) -> Part:
    """Say what to record for a better answer, the most telling first."""
    out = []
    if OWN in rows and read_verdict(released["expected"]).kind in ("not_recorded", "no_data"):
        window = clinic.windows.named.get("earlier")
        first = -56 if window is None or window.from_ is None else window.from_
        if len(rows[OWN]):
            out.append(t("brief.record_earlier", weeks=math.ceil(-first / 7)))
            out.append(t("brief.record_earlier_why"))
    out += [t(_RECORD[o]) for o, own in rows.items() if o in _RECORD and not len(own)]
    known = not (
        change["redacted"] or formats.missing(change["n"]) or formats.missing(change["of"])
    )
    if known and change["n"] < _ENOUGH * change["of"]:
        _, label = _find_last(released, change)
        out += [t("brief.record_after", after=label)] if label else []
    main = rows[str(change["outcome"])]
    drugs = pick(main, "new_preventive")
    if drugs is None or (formats.missing(drugs["estimate"]) and not drugs["redacted"]):
        out.append(t("brief.record_new_drugs"))
    if not len(released["safety"]):
        out.append(t("brief.record_harms"))
    needed = pick(main, "n_for_precision")
    if known and change["outcome"] == OWN and needed is not None and not needed["redacted"]:
        n = needed["estimate"]
        if not formats.missing(n) and n > change["n"]:
            # In round numbers: what it is worked out from is uncertain itself.
            out.append(t("brief.record_more_people", n=formats.integer(math.ceil(n / 10) * 10)))
    return Part(t("brief.what_to_record"), tuple(out or [t("brief.record_nothing_more")]))


def _find_last(released: Mapping[str, pd.DataFrame], change: Mapping[str, Any]) -> tuple[str, str]:
    """Find the window after, and what it is called."""
    means = released["window_means"]
    own = means[means["comparison"] == change["comparison"]].sort_values("order")
    if not len(own):
        return "", ""
    return str(own["window"].iloc[-1]), say(str(own["label"].iloc[-1]))


def _say_again(
    change: Mapping[str, Any],
    released: Mapping[str, pd.DataFrame],
    clinic: Clinic,
    preset: Preset,
) -> Part:
    """Say with how many more people another run tells more, and when they can have both values.

    With a quarter more people an interval is narrower by a tenth: 1 - 1/sqrt(1.25).
    """
    least = 5 * math.ceil((preset.redact_up_to + 1) / 5)  # in round numbers
    if change["redacted"] or formats.missing(change["n"]):
        out = [t("brief.again_with_more", more=least)]
    else:
        more = max(least, 5 * math.ceil(change["n"] / 20))
        out = [t("brief.again_with_more", more=more), t("brief.again_narrower")]
    if not preset.open:
        out.append(t("brief.again_few"))
    name, _ = _find_last(released, change)
    return Part(t("brief.when_again"), (*out, *_say_weeks(clinic, name)))


def _say_weeks(clinic: Clinic, name: str) -> list[str]:
    """Say how long it takes until the window after is over, where that is the same for all."""
    window = clinic.windows.named.get(name)
    if window is None or window.to is None or window.anchor != "start":
        return []
    return [t("brief.again_weeks", weeks=math.ceil((window.to + 1) / 7))]


def _ask_for_records(clinic: Clinic) -> dict[str, Part]:
    """Say what to record where there is no comparison at all."""
    wanted = [t(_RECORD[o]) for o in _RECORD]
    again = (t("brief.again_first"), *_say_weeks(clinic, "post"))
    return {
        "record": Part(t("brief.what_to_record"), tuple(wanted)),
        "again": Part(t("brief.when_again"), again),
    }
