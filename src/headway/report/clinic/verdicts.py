"""Page one on whether a change goes further than would be expected, outcome by outcome.

An outcome is never answered with the verdict of another one: that of headache days is read from
the table `expected`; of intensity and duration nobody knows how far untreated people change, and
the page says that it cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.messages import t
from headway.outcomes.expectation.expected import MIN_PEOPLE
from headway.outcomes.expectation.verdict import Verdict, read_verdict
from headway.report import formats
from headway.report.clinic.tables import show_count, show_ends

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic
    from headway.disclosure import Preset

OWN = "frequency"  # the outcome that the table `expected` is about
WITH_EARLIER, WITHOUT_EARLIER = "earlier: known", "earlier: not known"
LEADS = {
    "further": "page_one.the_change_is_beyond_what_would_be_expected",
    "cannot_tell": "page_one.we_cannot_tell_the_change_from_what_would",
    "less": "page_one.people_got_worse_by_more_than_expected",
    "no_data": "page_one.nothing_here_tells_how_far_people_would_have",
}
_SEEN = {
    "fall": ("page_one.we_cannot_tell_how_much_of_the_fall", "page_one.a_fall_was_seen"),
    "rise": ("page_one.we_cannot_tell_how_much_of_the_rise", "page_one.a_rise_was_seen"),
}
# Without a rule for this outcome, or without the records that the rule needs.
NO_RULE = "page_one.we_cannot_tell_how_much_of_it_would_have_come"


def find_kind(outcome: str, change: Mapping[str, Any] | None, expected: pd.DataFrame) -> str:
    """Find the verdict on one outcome: a code of `headway.outcomes.expectation.verdict.KINDS`."""
    if change is None or formats.missing(change["estimate"]):
        return "no_data"
    return read_verdict(expected).kind if outcome == OWN else "cannot_tell"


def which_way(change: Mapping[str, Any]) -> str:
    """Whether a change is a `fall`, a `rise`, or `unclear`: no interval, or one that holds 0."""
    low, high = change["ci_low"], change["ci_high"]
    if formats.missing(low) or formats.missing(high):
        return "unclear"
    return "fall" if high < 0 else "rise" if low > 0 else "unclear"


def write_verdict(
    change: Mapping[str, Any],
    cohort: pd.DataFrame,
    expected: pd.DataFrame,
    clinic: Clinic,
    preset: Preset,
) -> tuple[str, list[str]]:
    """Write the sentence that carries the verdict on the primary outcome, and what belongs to it.

    Parameters
    ----------
    change
        The mean change of the primary outcome, a row of `cohort`.
    cohort, expected
        Released tables.
    """
    outcome = str(change["outcome"])
    kind = find_kind(outcome, change, expected)
    if change["redacted"]:
        return t("page_one.this_cannot_be_shown_too_few_people"), []
    if outcome != OWN and kind == "cannot_tell":
        return (
            t(NO_RULE),
            [t("page_one.that_is_known_for_headache_days_alone")],
        )
    said = read_verdict(expected)
    if kind == "no_data":
        return t(LEADS[kind]), [t("page_one.so_no_part_of_the_change_can_be_put_down_to")]
    people = _say_people(change, cohort, preset)
    if kind == "not_recorded":
        lead, more = _say_not_recorded(change, said)
        return lead, [*people, *more]
    if formats.missing(said.change) or formats.missing(said.low):
        # Withheld rows are not beyond anything, but that is no finding.
        return t("page_one.this_cannot_be_shown_too_few_people"), []
    more = [
        t(
            "page_one.without_treatment_we_would_expect_a_change",
            **formats.ends(said.low, said.high, 1),
        ),
        t("page_one.here_it_is_change", change=formats.number(said.change, 1)),
        *_say_recovery(said),
        *people,
    ]
    ways, beyond = said.ways
    if kind == "cannot_tell":
        more.append(
            t("page_one.n_of_all_ways_to_work_this_out_cannot_tell", n=ways - beyond, all=ways)
        )
        more += _say_tipping(said)
        more.append(t("page_one.more_people_or_one_more_window_could_settle_it"))
    else:
        more.append(t("page_one.each_of_the_n_ways_to_work_this_out_says_so", n=ways))
        more += _say_tipping(said)
        more.append(t("page_one.what_no_record_shows"))
        more.append(t("page_one.that_is_still_no_proof_that_treatment_did_it"))
    if "untreated_arms" in said.missing and not (clinic.expected.leave_out or clinic.doi):
        more.append(t("page_one.no_study_at_hand_has_people_like_these"))
    return t(LEADS[kind]), more


def _say_not_recorded(change: Mapping[str, Any], said: Verdict) -> tuple[str, list[str]]:
    """Say what was seen, why nobody can judge it, and what would settle it."""
    way = which_way(change)
    shown = show_ends(change["estimate"], change["ci_low"], change["ci_high"])
    more = [t("page_one.the_records_do_not_go_back_far_enough_to_show")]
    more += _say_tipping(said)
    more.append(t("page_one.to_settle_it_record_weeks_8_to_5", least=MIN_PEOPLE))
    if way == "unclear":
        return t("page_one.no_fall_was_seen", change=shown), more
    lead, seen = _SEEN[way]
    return t(lead), [t(seen, change=shown), *more]


def _say_tipping(said: Verdict) -> list[str]:
    if formats.missing(said.tipping_mean):
        return []
    return [t("page_one.the_answer_turns_at_a_usual_level", mean=said.tipping_mean)]


def _say_recovery(said: Verdict) -> list[str]:
    """Say how far untreated people may fall by the rule, and how far any were seen to."""
    out = []
    if not formats.missing(said.allowed):
        out.append(t("page_one.this_allows_for_a_fall_without_treatment", allowed=said.allowed))
    if not formats.missing(said.published_fall):
        out.append(t("page_one.the_largest_published_fall_is", fall=said.published_fall))
    return out


def _say_people(change: Mapping[str, Any], cohort: pd.DataFrame, preset: Preset) -> list[str]:
    """Say who is judged, and how they changed beside the others, where not all are."""
    groups = cohort[
        (cohort["statistic"] == "change_mean")
        & (cohort["outcome"] == OWN)
        & (cohort["comparison"] == change["comparison"])
    ].set_index("group")
    if WITHOUT_EARLIER not in groups.index or WITH_EARLIER not in groups.index:
        return []
    own, others = groups.loc[WITH_EARLIER], groups.loc[WITHOUT_EARLIER]
    out = [
        t(
            "page_one.n_of_all_people_have_the_earlier_window",
            n=show_count(own["n"], own["redacted"], preset),
            all=show_count(change["n"], change["redacted"], preset),
        )
    ]
    if not (formats.missing(own["estimate"]) or formats.missing(others["estimate"])):
        places = {"own": formats.number(own["estimate"], 1)}
        places["others"] = formats.number(others["estimate"], 1)
        out.append(t("page_one.they_changed_by_own_the_others_by_others", **places))
    return out
