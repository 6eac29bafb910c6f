"""The audit page of a clinic, from nothing but what disclosure control released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.messages import current, say, speaking, t, writing_released
from headway.outcomes.expectation.benchmark import explain_benchmark
from headway.outcomes.expectation.verdict import read_verdict
from headway.report import formats
from headway.report.clinic import care, expectation, methods
from headway.report.clinic import tables as tables_of
from headway.report.clinic.answer import (
    Answer,
    as_headline,
    list_doubts,
    list_secondary,
    say_caution,
    write_answers,
)
from headway.report.clinic.brief import say_stamp
from headway.report.clinic.departures import write_departures
from headway.report.clinic.figures import find_data, list_checks, place_figures
from headway.report.clinic.losses import list_losses, list_unused, say_replaced
from headway.report.clinic.tables import MISSING_DAYS, name_outcome
from headway.report.drawings import share_letters
from headway.report.render import render

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic
    from headway.disclosure import Preset
    from headway.figures.theme import Saved


def build(
    clinic: Clinic,
    status: Mapping[str, Any],
    released: Mapping[str, pd.DataFrame],
    figures: Sequence[Saved],
    preset: Preset,
    *,
    home: str = "../../index.html",
) -> tuple[str, dict[str, Any]]:
    """Write a clinic's page and its card for the index.

    Parameters
    ----------
    clinic, status
        clinic.json and status.json. The page is in the clinic's `language`, the card in English.
    released
        The tables of `disclosure.RULES` after disclosure control.
    figures
        What `headway.figures.clinic.draw` drew, saved.
    preset
        The rules in force.
    home
        The index, as seen from the page.

    Returns
    -------
    tuple
        The page as HTML, and the card as plain data.
    """
    refused = status["problems"] if status["state"] == "refused" else []
    with speaking(clinic.language), writing_released(not preset.open):
        context: dict[str, Any] = {
            "title": clinic.title,
            "home": home,
            "stamp": say_stamp(clinic, preset),
            "clinic": clinic,
            "refused": refused,
            "disclosure": say(preset.text),
            "language": current(),
        }
        if not refused:
            context |= _body(clinic, released, figures, preset)
        context["doubts"] = list_doubts(released["traps"], released["funnel"])
        context["losses"] = list_losses(released["flow"], clinic, preset)
        context["replaced"] = _replaced(released)
        page = render("clinic.html", **context)
        page_one = _list_first(context)
    headline, inside = [], preset.name == "internal"
    if not refused:
        with writing_released(not preset.open):
            headline.append(_headline(clinic, released, preset))
    card = {
        "kind": "clinics",
        "name": status["name"],
        "title": clinic.title,
        "state": status["state"],
        "page": f"clinics/{status['name']}/audit.html",
        "brief": "" if refused else f"clinics/{status['name']}/brief.html",
        "stamp": "SYNTHETIC" if clinic.synthetic else "INTERNAL" if inside else "",
        "problems": refused,
        "verdicts": "",
        "headline": headline,
        "page_one": page_one,
    }
    return page, card


def _list_first(context: Mapping[str, Any]) -> list[str]:
    """List what page one says first, in the page's language, for the command line."""
    said = [f"{one['text']} {one['meaning']}" for one in context["losses"]]
    said += [one["text"] for one in context["doubts"]]
    first = [f"{t('page_one.careful')} {text}" for text in said]
    answers: Sequence[Answer] = context.get("answer", ())
    first += [" ".join(context["replaced"])] if answers and context["replaced"] else []
    return first + [f"{a['question']} {a['lead']} {' '.join(a['more'])}".strip() for a in answers]


def _headline(clinic: Clinic, released: Mapping[str, pd.DataFrame], preset: Preset) -> str:
    """Write the card's sentences; what could not be used comes before what was found."""
    first = _replaced(released)[:1]
    if list_losses(released["flow"], clinic, preset):
        first.append(t("page_one.some_records_could_not_be_used"))
    return " ".join([*first, as_headline(_answer(clinic, released, preset))])


def _replaced(released: Mapping[str, pd.DataFrame]) -> list[str]:
    return say_replaced(released["flow"], answered=bool(released["cohort"]["primary"].any()))


def _body(
    clinic: Clinic,
    released: Mapping[str, pd.DataFrame],
    figures: Sequence[Saved],
    preset: Preset,
) -> dict[str, Any]:
    cohort, flow = released["cohort"], released["flow"]
    main = cohort[cohort["primary"]]
    outcome = str(main["outcome"].iloc[0]) if len(main) else clinic.primary_outcome
    label = str(main["comparison_label"].iloc[0]) if len(main) else ""
    figures, letters = share_letters(figures)
    drawn = {f.name: f for f in figures}
    first, responders = f"change_{outcome}", f"responders_{outcome}"
    item = f"{outcome}: {main['comparison'].iloc[0]}" if len(main) else ""
    people = flow[flow["account"] == "people"]
    heading = tables_of.name_pair(str(outcome), label)
    answers = _answer(clinic, released, preset)
    body = {
        "letters": letters,
        "answer": answers,
        "secondary": list_secondary(released, preset),
        "departures": write_departures(clinic),
        "caution": say_caution() if len(main) else [],
        "main_figures": [drawn[n] for n in ("benchmark", first) if n in drawn][:1],
        "change_figures": [drawn[first]] if first in drawn and "benchmark" in drawn else [],
        "figures_of": place_figures(figures),
        "data_of": find_data(figures, released, preset),
        "relapse_figures": [drawn[n] for n in ("relapse",) if n in drawn],
        "responder_figures": [drawn[responders]] if responders in drawn else [],
        "other_figures": [
            f
            for name, f in drawn.items()
            if name.startswith("change_") and name not in (first, responders)
        ],
        "rows_flow": tables_of.list_rows(flow, preset),
        "gate": [*_gate(flow), *list_unused(flow)],
        "people": tables_of.list_people(people[people["item"] == item], preset),
        "other_people": tables_of.list_other_people(people[people["item"] != item], cohort, preset),
        "primary_label": t(
            "change.primary_outcome_outcome_comparison_comparison",
            outcome=name_outcome(outcome),
            comparison=say(label),
        )
        if label
        else t("change.no_primary_comparison_could_be_made"),
        "primary_table": tables_of.list_statistics(main, tables_of.CHANGE, heading, preset),
        "responders": tables_of.list_responders(main, preset),
        "reliable": tables_of.list_reliable(main, preset),
        "crossed": tables_of.list_crossed(released["individual"], preset),
        "lost": tables_of.list_lost(released["lost"], preset),
        "entries": tables_of.list_entries(cohort, preset),
        "scores": tables_of.list_scores(cohort, preset),
        "missing": tables_of.list_statistics(
            main, MISSING_DAYS, t("missing.count_only_change_bounds_and_completeness"), preset
        ),
        **_missing_days(main, clinic),
        "others": tables_of.list_others(cohort, preset),
        "groups": tables_of.list_groups(cohort, outcome, preset),
        "expected": expectation.list_expected(released["expected"], preset),
        "verdict": _expected_sentence(released["expected"]),
        "checks": list_checks(released["checks"], preset),
        "sensitivity": expectation.list_sensitivity(released["sensitivity"], preset),
        "ways": expectation.describe_specifications(released["specifications"]),
        "benchmark": expectation.list_benchmark(released["benchmark"], preset),
        "benchmark_says": [say(m) for m in explain_benchmark(released["benchmark"])],
        "relapse": care.list_relapse(released["relapse"], preset),
        "months": care.list_months(released["control_chart"], preset),
        "funnel": care.list_funnel(released["funnel"], preset),
        "dose": care.list_dose(released["dose"], preset),
        "traps": expectation.list_traps(released["traps"], preset)
        if len(main) or released["traps"]["flagged"].any()
        else None,
        "safety": care.list_safety(released["safety"], preset),
        "cost": care.list_cost(released["cost"], preset),
        "claims": care.list_claims(released["claims"], preset),
        "reading": methods.list_reading(cohort, clinic) if len(main) else [],
        "definitions": methods.list_definitions(clinic, preset, cohort, released["window_means"]),
    }
    absent = [place for place, keys in _PARTS.items() if not any(map(body.get, keys))]
    absent += [] if len(main) else ["change"]
    for answer in answers:
        if answer["href"].removeprefix("#") in absent:
            answer["href"], answer["link"] = "#flow", t("page_one.who_is_counted")
    return body | {"checklist": methods.list_checklist(absent)}


# Section of the page that a link leads to -> what it needs, any of these, to be there.
_PARTS = {
    "expected": ("expected", "benchmark", "checks"),
    "missing": ("has_days", "has_bounds", "no_bounds", "entries", "lost"),
    "sensitivity": ("sensitivity", "traps"),
    "reading": ("reading",),
    "techniques": ("groups", "funnel", "dose"),
}


def _missing_days(main: pd.DataFrame, clinic: Clinic) -> dict[str, bool]:
    """Say what there is to say of missing days: of entries, of bounds, of why there are none."""
    ends = main.loc[main["statistic"].isin(["bound_low", "bound_high"])]
    same = len(ends) == 2 and ends["estimate"].nunique(dropna=False) == 1
    days = main["statistic"].eq("completeness_pre").any()
    # Where nothing is unknown the bounds are the change itself.
    bounds = bool(len(ends)) and not (same and ends["estimate"].notna().all())
    kept_diary = bool({"diary", "attacks"} & clinic.files.keys())
    return {
        "has_days": bool(days),
        "has_bounds": bool(days) or bounds,
        "no_bounds": kept_diary and not days and not bounds and len(main) > 0,
    }


def _answer(clinic: Clinic, released: Mapping[str, pd.DataFrame], preset: Preset) -> list[Answer]:
    doubted = bool(
        list_doubts(released["traps"], released["funnel"])
        or list_losses(released["flow"], clinic, preset)
    )
    return write_answers(released, clinic, preset, doubted=doubted)


def _gate(flow: pd.DataFrame) -> list[str]:
    """Say how alone the most recognisable people are (k-anonymity)."""
    return [
        f"{say(r['step'])}: {formats.integer(r['n'])} ({say(r['note'])})."
        for r in flow[flow["account"] == "gate"].to_dict("records")
        if not formats.missing(r["n"])
    ]


def _expected_sentence(expected: pd.DataFrame) -> str:
    """Say whether the change goes further than would be expected without treatment."""
    said = read_verdict(expected).message if len(expected) else ""
    return say(said) if said else t("page_one.nothing_in_these_records_says_how_far_people")
