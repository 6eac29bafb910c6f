"""Page one of a clinic: three answers in plain words, and a line for every doubt.

Each answer has a question, one sentence that answers it, and a few short ones that say how far
that carries. Plain words must not say more than the numbers: where the records cannot tell, the
answer is that they cannot. `tests/unit/test_page_one.py` holds the text against a readability
formula and against the verdict of the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from headway.messages import t
from headway.outcomes.expectation.verdict import read_verdict
from headway.report import formats
from headway.report.clinic.tables import name_outcome, per_unit, pick, show_count, show_of

if TYPE_CHECKING:
    import pandas as pd

    from headway.disclosure import Preset


class Answer(TypedDict):
    """One answer: the question, the sentence that answers it, what belongs to it, where to look."""

    question: str
    lead: str
    more: list[str]
    href: str
    link: str


# Trap -> what page one says of it. The words are doubts: records can look like a trap without
# being one.
_DOUBTS = {
    "zero_coded_missing": "page_one.some_zeros_may_stand_for_answers_that_are",
    "unit_mix": "page_one.two_scales_of_pain_may_be_mixed_in_one_column",
    "mnar_diary": "page_one.people_may_have_filled_in_the_diary_more_on",
    "dropout_if_not_better": "page_one.people_who_did_not_get_better_may_have_left",
}
_LEADS = {
    "further": "page_one.the_change_is_beyond_what_would_be_expected",
    "cannot_tell": "page_one.we_cannot_tell_the_change_from_what_would",
    "less": "page_one.people_got_worse_by_more_than_expected",
    "not_recorded": "page_one.we_cannot_tell_how_much_of_it_would_have_come",
}
_MISSING = {
    "earlier_window": "page_one.the_records_do_not_go_back_far_enough_to_show",
    "untreated_arms": "page_one.no_study_at_hand_has_people_like_these",
}


def write_answers(
    main: pd.DataFrame, expected: pd.DataFrame, preset: Preset, *, doubted: bool = False
) -> list[Answer]:
    """Write what changed, whether that would be expected anyway, and what is not known.

    Parameters
    ----------
    main, expected
        Released: the rows of `cohort` of the primary comparison, and the table `expected`.
    preset
        The rules in force.
    doubted
        Whether the records look like a trap (`list_doubts`).
    """
    change = pick(main, "change_mean")
    if change is None:
        return [
            {
                "question": t("page_one.what_changed"),
                "lead": t("page_one.nothing_can_be_said_about_change"),
                "more": [t("page_one.no_one_has_the_main_outcome_both_before_and")],
                "href": "#flow",
                "link": t("page_one.who_is_counted"),
            }
        ]
    answers = [
        _say_change(main, change, preset),
        _say_expected(expected, change),
        _say_unknown(main),
    ]
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
    return t("page_one.about_n_in_10", n=min(9, max(1, round(percent / 10))))


def _say_change(main: pd.DataFrame, change: Mapping[str, Any], preset: Preset) -> Answer:
    pre, post = pick(main, "pre_mean"), pick(main, "post_mean")
    name, unit = name_outcome(str(change["outcome"])), per_unit(str(change["unit"]))
    started = show_of(change["of"], preset)
    who = t(
        "page_one.this_is_known_for_n_of_of_people_who_started",
        n=show_count(change["n"], change["redacted"], preset),
        of=t("common.a_hidden_number_of") if started == t(formats.HIDDEN) else started,
    )
    if change["redacted"]:
        who = t("page_one.even_how_many_people_this_is_known_for_is")
    more = [who]
    known = pre is not None and post is not None and not formats.missing(change["estimate"])
    if change["redacted"]:
        lead = t("page_one.the_change_in_outcome_cannot_be_shown_too_few", outcome=name)
    elif not known or pre is None or post is None:
        lead = t("page_one.no_change_in_outcome_can_be_worked_out", outcome=name)
    else:
        clear = change["ci_low"] > 0 or change["ci_high"] < 0
        places = {
            "outcome": name[:1].upper() + name[1:],
            "pre": formats.number(pre["estimate"], 1),
            "post": formats.number(post["estimate"], 1),
            "unit": unit,
        }
        if not clear:
            lead = t("page_one.we_cannot_tell_if_outcome_changed", outcome=name)
            more.insert(0, t("page_one.outcome_went_from_pre_to_post_unit_on_average", **places))
        elif change["estimate"] < 0:
            lead = t("page_one.outcome_fell_from_pre_to_post_unit_on_average", **places)
        else:
            lead = t("page_one.outcome_rose_from_pre_to_post_unit_on_average", **places)
        more.append(t("page_one.the_mean_change_is_change", change=formats.interval(change)))
        more.append(
            t("page_one.a_minus_sign_means_less_than_before")
            if clear
            else t("answer.the_interval_includes_no_change")
        )
        more += _say_shares(main, str(change["outcome"]))
    return {
        "question": t("page_one.what_changed"),
        "lead": lead,
        "more": more,
        "href": "#change",
        "link": t("change.the_change_in_every_form"),
    }


def _say_shares(main: pd.DataFrame, outcome: str) -> list[str]:
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
        t("page_one.share_got_worse_by_30_percent_or_more", share=in_ten(worse["estimate"])),
    ]


def _say_expected(expected: pd.DataFrame, change: Mapping[str, Any]) -> Answer:
    """Say whether the change goes beyond what would be expected without treatment."""
    answer: Answer = {
        "question": t("page_one.would_that_have_come_without_treatment"),
        "lead": t("page_one.nothing_here_tells_how_far_people_would_have"),
        "more": [t("page_one.so_no_part_of_the_change_can_be_put_down_to")],
        "href": "#expected" if len(expected) else "#reading",
        "link": t("page_one.each_way_to_work_it_out")
        if len(expected)
        else t("reading.how_to_read_this"),
    }
    verdict = read_verdict(expected) if len(expected) else None
    if verdict is None or verdict.kind == "no_data":
        return answer
    if formats.missing(verdict.change) or (
        formats.missing(verdict.low) and verdict.kind != "not_recorded"
    ):
        # Withheld rows are not beyond anything, but that is no finding.
        answer["lead"] = t("page_one.this_cannot_be_shown_too_few_people")
        return answer
    answer["lead"] = t(_LEADS[verdict.kind])
    here = formats.number(verdict.change, 1)
    more = [
        t("page_one.here_it_is_change", change=here)
        if here == formats.number(change["estimate"], 1)
        else t("page_one.here_it_is_change_counted_from_the_last_4", change=here)
    ]
    if verdict.kind != "not_recorded":
        more.insert(
            0,
            t(
                "page_one.without_treatment_we_would_expect_a_change",
                low=formats.number(verdict.low, 1),
                high=formats.number(verdict.high, 1),
            ),
        )
    ways, cleared = verdict.ways
    if verdict.kind in ("further", "less"):
        more.append(t("page_one.each_of_the_n_ways_to_work_this_out_says_so", n=ways))
        more.append(t("page_one.that_is_still_no_proof_that_treatment_did_it"))
    elif verdict.kind == "cannot_tell":
        more.append(
            t("page_one.n_of_all_ways_to_work_this_out_cannot_tell", n=ways - cleared, all=ways)
        )
    more += [t(_MISSING[m]) for m in verdict.missing if m in _MISSING]
    answer["more"] = more
    return answer


def _say_unknown(main: pd.DataFrame) -> Answer:
    low, high = pick(main, "bound_low"), pick(main, "bound_high")
    if low and high and not formats.missing(low["estimate"]):
        lead = t("page_one.nothing_is_known_of_days_without_an_entry_and")
        more = [
            t(
                "page_one.counting_all_who_started_the_records_allow_a",
                low=formats.number(low["estimate"]),
                high=formats.number(high["estimate"]),
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
