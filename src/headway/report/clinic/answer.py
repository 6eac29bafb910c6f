"""Page one of a clinic: three answers in plain words, and a line for every doubt.

Each answer has a question, one sentence that answers it, and a few short ones that say how far
that carries. Plain words must not say more than the numbers: where the records cannot tell, the
answer is that they cannot. `tests/unit/test_page_one.py` holds the text against a readability
formula and against the verdict of the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from headway.messages import capital, t
from headway.outcomes.change.windows import CONDITIONAL
from headway.report import formats
from headway.report.clinic.expectation import describe_ways
from headway.report.clinic.tables import (
    name_outcome,
    per_unit,
    pick,
    show_count,
    show_ends,
    show_of,
)
from headway.report.clinic.verdicts import LEADS, NO_RULE, OWN, find_kind, which_way, write_verdict

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic
    from headway.disclosure import Preset


class Answer(TypedDict):
    """One answer: the question, the sentence that answers it, what belongs to it, where to look.

    One that carries a verdict names its outcome and the code of the verdict.
    """

    question: str
    lead: str
    more: list[str]
    href: str
    link: str
    outcome: NotRequired[str]
    verdict: NotRequired[str]


_COURSES = {
    "fall": "page_one.outcome_fell_from_pre_to_post_unit_on_average",
    "rise": "page_one.outcome_rose_from_pre_to_post_unit_on_average",
    "unclear": "page_one.outcome_went_from_pre_to_post_unit_on_average",
}
# Trap -> what page one says of it. The words are doubts: records can look like a trap without
# being one.
_DOUBTS = {
    "zero_coded_missing": "page_one.some_zeros_may_stand_for_answers_that_are",
    "unit_mix": "page_one.two_scales_of_pain_may_be_mixed_in_one_column",
    "mnar_diary": "page_one.people_may_have_filled_in_the_diary_more_on",
    "dropout_if_not_better": "page_one.people_who_did_not_get_better_may_have_left",
}


def write_answers(
    released: Mapping[str, pd.DataFrame], clinic: Clinic, preset: Preset, *, doubted: bool = False
) -> list[Answer]:
    """Write what changed, whether that would be expected anyway, and what is not known.

    Parameters
    ----------
    released
        Released tables.
    preset
        The rules in force.
    doubted
        Whether the records look like a trap (`list_doubts`).
    """
    main = released["cohort"][released["cohort"]["primary"]]
    change = pick(main, "change_mean")
    if change is None:
        return [
            {
                "question": t("page_one.what_changed"),
                "lead": t("page_one.nothing_can_be_said_about_change"),
                "more": [t("page_one.no_one_has_the_main_outcome_both_before_and")],
                "href": "#flow",
                "link": t("page_one.who_is_counted"),
                "outcome": clinic.primary_outcome,
                "verdict": "no_data",
            }
        ]
    answers = [
        _say_change(main, change, preset),
        _say_expected(released, change, clinic, preset),
        _say_unknown(main, change, preset),
    ]
    known, told = say_new_preventives(main)
    answers[0 if known else 2]["more"] += told
    if doubted:
        for answer in answers[:2]:
            answer["more"].append(t("page_one.but_see_the_warning_the_records_may_mislead"))
    return answers


def in_ten(percent: float) -> str:
    """Write a share as so many in 10; one that is almost none or almost all as in 20."""
    if percent == 0:
        return t("page_one.none")
    if percent < 5:
        return t("page_one.fewer_than_1_in_20")
    if percent > 95:
        return t("page_one.all") if percent == 100 else t("page_one.more_than_19_in_20")
    if percent < 7.5:
        return t("page_one.about_1_in_20")
    if percent > 92.5:
        return t("page_one.about_19_in_20")
    return t("page_one.about_n_in_10", n=round(percent / 10))


def say_course(rows: pd.DataFrame, change: Mapping[str, Any]) -> str:
    """Say from where to where an outcome went, and whether that is a fall, a rise or neither.

    Parameters
    ----------
    rows
        Rows of `cohort` of one outcome and comparison.
    change
        Its mean change, known.
    """
    pre, post = pick(rows, "pre_mean"), pick(rows, "post_mean")
    name = name_outcome(str(change["outcome"]))
    if pre is None or post is None:
        return t("page_one.no_change_in_outcome_can_be_worked_out", outcome=name)
    return t(
        _COURSES[which_way(change)],
        outcome=capital(name),
        pre=formats.number(pre["estimate"], 1),
        post=formats.number(post["estimate"], 1),
        unit=per_unit(str(change["unit"])),
    )


def _say_change(main: pd.DataFrame, change: Mapping[str, Any], preset: Preset) -> Answer:
    name = name_outcome(str(change["outcome"]))
    started = show_of(change["of"], preset)
    who = t(
        "page_one.this_is_known_for_n_of_of_people_who_started",
        n=show_count(change["n"], change["redacted"], preset),
        of=t("common.a_hidden_number_of") if started == t(formats.HIDDEN) else started,
    )
    if change["redacted"]:
        who = t("page_one.even_how_many_people_this_is_known_for_is")
    more = [who]
    if change["redacted"]:
        lead = t("page_one.the_change_in_outcome_cannot_be_shown_too_few", outcome=name)
    elif formats.missing(change["estimate"]):
        lead = t("page_one.no_change_in_outcome_can_be_worked_out", outcome=name)
    else:
        lead = say_course(main, change)
        clear = which_way(change) != "unclear"
        if not clear:
            more.insert(0, lead)
            lead = t("page_one.we_cannot_tell_if_outcome_changed", outcome=name)
        if str(change["outcome"]) in CONDITIONAL:
            more.append(t("page_one.only_people_with_headache_before_and_after_count"))
        more.append(t("page_one.the_mean_change_is_change", change=formats.interval(change)))
        more.append(
            t("page_one.a_minus_sign_means_less_than_before")
            if clear
            else t("answer.the_interval_includes_no_change")
        )
        more += say_shares(main, str(change["outcome"]))
    return {
        "question": t("page_one.what_changed"),
        "lead": lead,
        "more": more,
        "href": "#change",
        "link": t("change.the_change_in_every_form"),
    }


def say_shares(main: pd.DataFrame, outcome: str) -> list[str]:
    """Say how many improved by half and how many got worse, side by side or not at all."""
    half, worse = pick(main, "responders_50"), pick(main, "worsened_30")
    if half is None or worse is None or half["redacted"] or worse["redacted"]:
        return []
    if formats.missing(half["estimate"]) or formats.missing(worse["estimate"]):
        return []
    return [
        t("page_one.share_had_half_as_many_headache_days_or_fewer", share=in_ten(half["estimate"]))
        if outcome == "frequency"
        else t(
            "page_one.share_had_at_least_half_less_outcome",
            share=in_ten(half["estimate"]),
            outcome=name_outcome(outcome),
        ),
        *_count_both(half, pick(main, "responders_50_of_started")),
        t("page_one.share_got_worse_by_30_percent_or_more", share=in_ten(worse["estimate"])),
        *_count_both(worse, pick(main, "worsened_30_of_started")),
    ]


def say_new_preventives(main: pd.DataFrame) -> tuple[bool, list[str]]:
    """Say how many started a new preventive drug between the windows, or that nobody knows.

    Parameters
    ----------
    main
        Rows of `cohort` of the primary outcome and comparison.

    Returns
    -------
    known, sentences
    """
    row = pick(main, "new_preventive")
    if row is not None and row["redacted"]:
        return True, [t("page_one.how_many_started_a_new_preventive_drug_is_hidden")]
    if row is None or formats.missing(row["estimate"]):
        return False, [t("page_one.new_preventive_drugs_are_not_recorded")]
    change = pick(main, "change_mean")
    count, n = formats.integer(row["count"]), formats.integer(row["n"])
    out = [t("page_one.n_of_of_analysed_started_a_new_preventive_drug", count=count, n=n)]
    if change is None or formats.missing(change["n"]) or change["n"] != row["n"]:
        out.append(t("page_one.only_those_who_were_asked_count"))
    return True, out


def _count_both(analysed: Mapping[str, Any], started: Mapping[str, Any] | None) -> list[str]:
    """Give a share of the analysed and of all who started, of whom the lost are not known."""
    if started is None or started["redacted"] or formats.missing(started["estimate"]):
        return []
    own = {
        "count": formats.integer(analysed["count"]),
        "n": formats.integer(analysed["n"]),
        "share": formats.percent(analysed["estimate"]),
    }
    if analysed["n"] == started["n"]:
        return [t("page_one.that_is_count_of_n_who_started", **own)]
    return [
        t(
            "page_one.that_is_count_of_n_analysed_and_of_started",
            **own,
            of=formats.integer(started["n"]),
            of_started=formats.percent(started["estimate"]),
        )
    ]


def _say_expected(
    released: Mapping[str, pd.DataFrame],
    change: Mapping[str, Any],
    clinic: Clinic,
    preset: Preset,
) -> Answer:
    """Say whether the change goes further than would be expected without treatment."""
    expected = released["expected"]
    lead, more = write_verdict(change, released["cohort"], expected, clinic, preset)
    outcome = str(change["outcome"])
    return {
        "question": t("page_one.would_that_have_come_without_treatment"),
        "lead": lead,
        "more": more,
        "href": "#expected" if len(expected) else "#reading",
        "link": t("page_one.each_way_to_work_it_out")
        if len(expected)
        else t("reading.how_to_read_this"),
        "outcome": outcome,
        "verdict": find_kind(outcome, change, expected),
    }


def _say_unknown(main: pd.DataFrame, change: Mapping[str, Any], preset: Preset) -> Answer:
    low, high = pick(main, "bound_low"), pick(main, "bound_high")
    days = pick(main, "completeness_pre") is not None
    if preset.open and change["n"] == change["of"] and not days:
        lead, more = t("page_one.everyone_was_measured_again"), []
    elif low and high and not formats.missing(low["estimate"]):
        lead = t(
            "page_one.nothing_is_known_of_days_without_an_entry_and"
            if days
            else "page_one.nothing_is_known_of_the_people_who_were_not"
        )
        more = [
            t(
                "page_one.counting_all_who_started_the_records_allow_a",
                **formats.ends(low["estimate"], high["estimate"]),
            ),
            t("page_one.no_one_can_know_which_of_these_it_is"),
        ]
    else:
        lead = t("page_one.nothing_is_known_of_the_people_who_were_not")
        more = [t("page_one.the_change_is_that_of_the_people_who_were")]
    return {
        "question": t("page_one.what_is_not_known"),
        "lead": lead,
        "more": more,
        "href": "#missing",
        "link": t("missing.what_missing_days_and_people_could_do"),
    }


def list_secondary(released: Mapping[str, pd.DataFrame], preset: Preset) -> list[dict[str, Any]]:
    """List what page one says of headache days, intensity and duration where they are secondary.

    The headache index stands beside them: it counts people without headache too, as 0.

    Returns
    -------
    list of dict
        outcome, lead, more (sentences), and verdict (a code) where one is given.
    """
    cohort, expected = released["cohort"], released["expected"]
    primary = cohort[cohort["primary"]]
    if not len(primary):
        return []
    main, comparison = str(primary["outcome"].iloc[0]), str(primary["comparison"].iloc[0])
    own = cohort[(cohort["comparison"] == comparison) & (cohort["group"] == "all")]
    out = []
    for outcome in ("frequency", "intensity", "duration", "headache_index"):
        rows = own[own["outcome"] == outcome]
        change = pick(rows, "change_mean")
        if outcome == main or change is None or change["redacted"]:
            continue
        if formats.missing(change["estimate"]):
            continue
        kind = find_kind(outcome, change, expected)
        lead, more = _say_secondary(outcome, rows, change, preset)
        ways = released["specifications"]
        more += describe_ways(ways[ways["outcome"] == outcome])
        more += _say_trend(released["checks"], outcome, preset)
        item: dict[str, Any] = {"outcome": outcome, "lead": lead, "more": more}
        if outcome != "headache_index":
            item["verdict"] = kind
            more.append(t(LEADS.get(kind, NO_RULE) if outcome == OWN else NO_RULE))
        out.append(item)
    return out


def _say_secondary(
    outcome: str, rows: pd.DataFrame, change: Mapping[str, Any], preset: Preset
) -> tuple[str, list[str]]:
    lead = say_course(rows, change)
    n = show_count(change["n"], change["redacted"], preset)
    more = [t("page_one.the_mean_change_is_change", change=formats.interval(change))]
    if outcome not in CONDITIONAL:
        more.append(t("page_one.this_is_known_for_n_people", n=n))
    else:
        more.append(t("page_one.this_is_known_for_n_people_with_headache", n=n))
    more += say_shares(rows, outcome)
    low, high = pick(rows, "bound_low"), pick(rows, "bound_high")
    if low and high and not formats.missing(low["estimate"]):
        more.append(
            t(
                "page_one.the_records_allow_any_change",
                **formats.ends(low["estimate"], high["estimate"]),
            )
        )
    return lead, more


def _say_trend(checks: pd.DataFrame, outcome: str, preset: Preset) -> list[str]:
    """Say how a secondary outcome moved between the two windows before treatment."""
    own = checks[(checks["id"] == "baseline_trend") & (checks["outcome"] == outcome)]
    own = own[own["estimate"].notna() & ~own["redacted"]]
    return [
        t(
            "page_one.before_treatment_it_moved_by_trend",
            trend=show_ends(row["estimate"], row["ci_low"], row["ci_high"]),
            n=show_count(row["n"], row["redacted"], preset),
        )
        for row in own.to_dict("records")
    ]


def say_caution() -> list[str]:
    """Say why a change is no proof, in short sentences."""
    return [
        t("page_one.this_is_a_change_not_an_effect_of_treatment"),
        t("page_one.people_come_when_it_is_bad"),
        t("page_one.then_most_go_back_to_their_usual_level_by"),
        t("page_one.headaches_come_and_go"),
        t("page_one.and_there_is_no_group_without_treatment_to"),
    ]


def list_doubts(traps: pd.DataFrame, funnel: pd.DataFrame) -> list[dict[str, str]]:
    """List, in a line each, the traps that the records look like, with the place to look at.

    Parameters
    ----------
    traps, funnel
        Released tables.
    """
    out = [
        {"text": t(_DOUBTS[trap]), "href": "#traps", "link": t("page_one.the_signs_of_it")}
        for trap in traps.loc[traps["flagged"], "id"]
    ]
    outside = int(funnel["flag"].sum())
    if outside:
        text = (
            t("page_one.the_results_of_one_therapist_differ_from")
            if outside == 1
            else t("page_one.the_results_of_n_therapists_differ_from_those", n=outside)
        )
        out.append(
            {"text": text, "href": "#table-funnel", "link": t("page_one.therapists_side_by_side")}
        )
    return out


def as_headline(answers: list[Answer]) -> str:
    """Write the first answer for the card of the index, and whether it would come anyway."""
    return " ".join([answers[0]["lead"], *answers[0]["more"], *(a["lead"] for a in answers[1:2])])
