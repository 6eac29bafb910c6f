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
from headway.outcomes.expectation.expected import judge, read_sources
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
    "zero_coded_missing": "Some zeros may stand for answers that are missing.",
    "unit_mix": "Two scales of pain may be mixed in one column.",
    "mnar_diary": "People may have filled in the diary more on headache days.",
    "dropout_if_not_better": "People who did not get better may have left.",
}
_MISSING = {
    "a window before the baseline": (
        "The records do not go back far enough to show if people came because it had just got "
        "worse."
    ),
    "published untreated arms like this clinic": (
        "No study at hand has people like these without treatment."
    ),
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
                "question": t("What changed?"),
                "lead": t("Nothing can be said about change."),
                "more": [t("No one has the main outcome both before and after treatment.")],
                "href": "#flow",
                "link": t("Who is counted"),
            }
        ]
    answers = [
        _say_change(main, change, preset),
        _say_expected(expected, change),
        _say_unknown(main),
    ]
    if doubted:
        for answer in answers[:2]:
            answer["more"].append(t("But see the warning: the records may mislead."))
    return answers


def in_ten(percent: float) -> str:
    """Write a share as so many in 10; one that is almost none or almost all as in 20."""
    if percent == 0:
        return t("None")
    if percent < 5:
        return t("Fewer than 1 in 20")
    if percent > 95:
        return t("All") if percent == 100 else t("More than 19 in 20")
    return t("About {n} in 10", n=min(9, max(1, round(percent / 10))))


def _say_change(main: pd.DataFrame, change: Mapping[str, Any], preset: Preset) -> Answer:
    pre, post = pick(main, "pre_mean"), pick(main, "post_mean")
    name, unit = name_outcome(str(change["outcome"])), per_unit(str(change["unit"]))
    started = show_of(change["of"], preset)
    who = t(
        "This is known for {n} of {of} people who started.",
        n=show_count(change["n"], change["redacted"], preset),
        of=t("a hidden number of") if started == t(formats.HIDDEN) else started,
    )
    if change["redacted"]:
        who = t("Even how many people this is known for is hidden.")
    more = [who]
    known = pre is not None and post is not None and not formats.missing(change["estimate"])
    if change["redacted"]:
        lead = t("The change in {outcome} cannot be shown: too few people.", outcome=name)
    elif not known or pre is None or post is None:
        lead = t("No change in {outcome} can be worked out.", outcome=name)
    else:
        clear = change["ci_low"] > 0 or change["ci_high"] < 0
        places = {
            "outcome": name[:1].upper() + name[1:],
            "pre": formats.number(pre["estimate"], 1),
            "post": formats.number(post["estimate"], 1),
            "unit": unit,
        }
        if not clear:
            lead = t("We cannot tell if {outcome} changed.", outcome=name)
            more.insert(0, t("{outcome} went from {pre} to {post} {unit} on average.", **places))
        elif change["estimate"] < 0:
            lead = t("{outcome} fell from {pre} to {post} {unit} on average.", **places)
        else:
            lead = t("{outcome} rose from {pre} to {post} {unit} on average.", **places)
        more.append(t("The mean change is {change}.", change=formats.interval(change)))
        more.append(
            t("A minus sign means less than before.")
            if clear
            else t("The interval includes no change.")
        )
        more += _say_shares(main, name)
    return {
        "question": t("What changed?"),
        "lead": lead,
        "more": more,
        "href": "#change",
        "link": t("The change, in every form"),
    }


def _say_shares(main: pd.DataFrame, name: str) -> list[str]:
    """Say how many improved by half and how many got worse, side by side or not at all."""
    half, worse = pick(main, "responders_50"), pick(main, "worsened_30")
    if half is None or worse is None or half["redacted"] or worse["redacted"]:
        return []
    if formats.missing(half["estimate"]) or formats.missing(worse["estimate"]):
        return []
    return [
        t("{share} had at least half less {outcome}.", share=in_ten(half["estimate"]), outcome=name)
        if name != t("headache days")
        else t("{share} had half as many headache days or fewer.", share=in_ten(half["estimate"])),
        t("{share} got worse by 30 % or more.", share=in_ten(worse["estimate"])),
    ]


def _say_expected(expected: pd.DataFrame, change: Mapping[str, Any]) -> Answer:
    """Say whether the change goes beyond what would be expected without treatment."""
    answer: Answer = {
        "question": t("Would that have come without treatment?"),
        "lead": t("Nothing here tells how far people would have changed without treatment."),
        "more": [t("So no part of the change can be put down to treatment.")],
        "href": "#expected" if len(expected) else "#reading",
        "link": t("Each way to work it out") if len(expected) else t("How to read this"),
    }
    verdict = judge(read_sources(expected)) if len(expected) else None
    if verdict is None or verdict.kind == "no_data":
        return answer
    if formats.missing(verdict.change) or formats.missing(verdict.low):
        # Withheld rows are not beyond anything, but that is no finding.
        answer["lead"] = t("This cannot be shown: too few people.")
        return answer
    here = formats.number(verdict.change, 1)
    more = [
        t(
            "Without treatment, we would expect a change from {low} to {high}.",
            low=formats.number(verdict.low, 1),
            high=formats.number(verdict.high, 1),
        ),
        t("Here it is {change}.", change=here)
        if here == formats.number(change["estimate"], 1)
        else t("Here it is {change}, counted from the last 4 weeks before treatment.", change=here),
    ]
    further, all_ways = len(verdict.further), len(verdict.further) + len(verdict.not_further)
    if verdict.kind == "beyond":
        answer["lead"] = t("The change is beyond what would be expected without treatment.")
        more.append(t("Each of the {n} ways to work this out says so.", n=all_ways))
        more.append(t("That is still no proof that treatment did it."))
    elif verdict.kind == "not_told_apart":
        answer["lead"] = t("We cannot tell the change from what would come without treatment.")
        more.append(
            t(
                "{n} of {all} ways to work this out cannot tell the two apart.",
                n=all_ways - further,
                all=all_ways,
            )
        )
    else:
        answer["lead"] = t("We cannot tell how much of it would have come without treatment.")
        more.append(t("It goes further by each of the ways to work this out ({n}).", n=all_ways))
    more += [t(_MISSING[m]) for m in verdict.missing if m in _MISSING]
    answer["more"] = more
    return answer


def _say_unknown(main: pd.DataFrame) -> Answer:
    low, high = pick(main, "bound_low"), pick(main, "bound_high")
    if low and high and not formats.missing(low["estimate"]):
        lead = t("Nothing is known of days without an entry, and of people who were lost.")
        more = [
            t(
                "Counting all who started, the records allow a mean change anywhere from {low} to "
                "{high}.",
                low=formats.number(low["estimate"]),
                high=formats.number(high["estimate"]),
            ),
            t("No one can know which of these it is."),
        ]
    else:
        lead = t("Nothing is known of the people who were not measured again.")
        more = [t("The change is that of the people who were.")]
    return {
        "question": t("What is not known?"),
        "lead": lead,
        "more": more,
        "href": "#missing",
        "link": t("What missing days and people could do"),
    }


def say_caution() -> list[str]:
    """Say why a change is no proof, in short sentences."""
    return [
        t("This is a change, not an effect of treatment."),
        t("People come when it is bad."),
        t("Then most go back to their usual level by themselves."),
        t("Headaches come and go."),
        t("And there is no group without treatment to compare with."),
    ]


def list_doubts(traps: pd.DataFrame, funnel: pd.DataFrame) -> list[dict[str, str]]:
    """List, in a line each, the traps that the records look like, with the place to look at.

    Parameters
    ----------
    traps, funnel
        Released tables.
    """
    out = [
        {"text": t(_DOUBTS[trap]), "href": "#traps", "link": t("The signs of it")}
        for trap in traps.loc[traps["flagged"], "id"]
    ]
    outside = int(funnel["flag"].sum())
    if outside:
        text = (
            t("The results of one therapist differ from those of the others.")
            if outside == 1
            else t("The results of {n} therapists differ from those of the others.", n=outside)
        )
        out.append({"text": text, "href": "#table-funnel", "link": t("Therapists side by side")})
    return out


def as_headline(answers: list[Answer]) -> str:
    """Write the first answer for the card of the index, and whether it would come anyway."""
    return " ".join([answers[0]["lead"], *answers[0]["more"], *(a["lead"] for a in answers[1:2])])
