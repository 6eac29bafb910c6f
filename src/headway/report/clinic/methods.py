"""How a clinic's page says what it means: reading aids, every definition, reporting checklists."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from headway.messages import phrase, say, t
from headway.outcomes.change.change import BCA_FROM
from headway.report import formats
from headway.report.clinic.departures import show_window
from headway.report.clinic.tables import Table, make_table, per_unit

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic
    from headway.disclosure import Preset

# STROBE (von Elm 2007) and RECORD (Benchimol 2015) items that records of a clinic can answer, in
# our words, and the section of the page that answers each.
CHECKLIST: tuple[tuple[str, str, str], ...] = (
    ("STROBE 1", "methods.what_was_done_and_what_was_found_in_short", "answer"),
    ("STROBE 3", "methods.what_was_to_be_found_out_declared_before", "methods"),
    ("STROBE 5", "methods.setting_times_of_follow_up", "methods"),
    ("STROBE 6, RECORD 6.1", "methods.who_is_included_and_how_they_were_found_in", "flow"),
    ("STROBE 7, RECORD 7.1", "methods.how_every_outcome_and_group_is_defined", "methods"),
    ("STROBE 8", "methods.where_each_number_comes_from_diary_question", "methods"),
    ("STROBE 9", "methods.what_could_mislead_selection_return_to_the", "reading"),
    ("STROBE 10", "methods.how_many_people_a_narrower_interval_would", "change"),
    ("STROBE 12, RECORD 12.1", "methods.statistics_missing_values_sensitivity", "sensitivity"),
    ("STROBE 13, RECORD 13.1", "methods.numbers_at_each_step_from_rows_to_people", "flow"),
    ("STROBE 14", "methods.people_before_treatment_missing_values_by", "missing"),
    ("STROBE 15", "methods.outcome_before_and_after", "change"),
    ("STROBE 16", "methods.estimates_with_intervals", "change"),
    ("STROBE 17", "methods.groups_and_other_analyses", "techniques"),
    ("STROBE 18", "methods.main_result_in_plain_words", "answer"),
    ("STROBE 19, RECORD 19.1", "methods.limits_of_uncontrolled_records", "reading"),
    ("STROBE 20", "methods.a_cautious_reading_beside_other_evidence", "expected"),
    ("RECORD 12.3", "methods.cleaning_what_was_set_aside_by_which_rule", "flow"),
    ("RECORD 22.1", "methods.where_the_code_and_the_settings_are", "methods"),
)


def list_checklist(absent: Collection[str]) -> Table:
    """Say for each item of STROBE and RECORD where on the page it is answered.

    `absent` are sections that this page does not have; their items are not answered.
    """
    table = make_table(
        t("methods.where_this_page_answers_the_items_of_strobe"),
        ["methods.item", "methods.what_it_asks", "methods.where"],
        [],
    )
    for item, asks, place in CHECKLIST:
        where: Any = {"href": f"#{place}", "text": t(_PLACES[place])}
        if place in absent:
            where = t("methods.not_answered_these_records_do_not_hold_it")
        table["rows"].append({"kind": "", "cells": [item, t(asks), where]})
    return table


_PLACES = {
    "answer": "methods.the_answer_in_three_sentences",
    "flow": "methods.who_and_what_is_counted",
    "change": "methods.the_change_in_every_form",
    "missing": "methods.what_missing_days_and_people_could_do",
    "sensitivity": "methods.other_ways_to_count",
    "expected": "methods.what_would_be_expected_without_treatment",
    "techniques": "methods.techniques_places_and_people",
    "reading": "methods.how_to_read_this",
    "methods": "methods.definitions_and_methods",
}


def list_reading(cohort: pd.DataFrame, clinic: Clinic) -> list[str]:
    """List what a change of this kind can come from."""
    out = [
        t("reading.regression_to_the_mean_whoever_starts_at_a"),
        t("reading.natural_course_headaches_wax_and_wane_and"),
        t("reading.who_is_missing_the_people_measured_after_are"),
        t("reading.other_care_medicines_other_treatments_and"),
    ]
    earlier = cohort[
        (cohort["comparison"] == "before_treatment")
        & (cohort["statistic"] == "change_mean")
        & (cohort["group"] == "all")
        & (cohort["outcome"] == clinic.primary_outcome)
    ]
    if len(earlier):
        r = earlier.iloc[0].to_dict()
        if not r["redacted"] and not formats.missing(r["estimate"]):
            message = (
                "expected.got_worse_before_treatment"
                if r["estimate"] > 0
                else "expected.got_better_before_treatment"
            )
            out.insert(
                0,
                t(
                    message,
                    change=formats.interval(r),
                    unit=per_unit(str(r["unit"])),
                    n=formats.integer(r["n"]),
                ),
            )
    return out


def list_definitions(
    clinic: Clinic, preset: Preset, cohort: pd.DataFrame, means: pd.DataFrame
) -> list[tuple[str, str]]:
    """List every definition that the page's numbers rest on, and no other.

    Parameters
    ----------
    clinic, preset
        clinic.yaml with its defaults; the rules in force.
    cohort, means
        Released tables `cohort` and `window_means`.
    """
    outcomes, statistics = set(cohort["outcome"]), set(cohort["statistic"])
    days = bool(_OF_DAYS & clinic.files.keys())
    out = _define_days(clinic) if days else []
    if "frequency" in outcomes:
        where = (
            "methods.headache_days_per_28_days_in_a_diary_counted"
            if days
            else "methods.headache_days_per_28_days"
        )
        out.insert(1, (t("methods.frequency"), t(where)))
    out += _define_windows(clinic, set(means["window"]))
    if "sessions" in clinic.files:
        out.append((t("methods.day_0"), t("methods.the_first_session_that_treats_it_belongs_to")))
    if outcomes & {"intensity", "duration"}:
        means_of = t("methods.means_over_headache_days_for_people_with_at")
        out.append((t("methods.intensity_duration"), means_of))
    if "headache_index" in outcomes:
        index = t("methods.sum_of_intensity_hours_over_the_window_per_28")
        out.append((t("methods.headache_index"), index))
    if "smcr" in statistics:
        becker = t("methods.smcr_becker_1988_and_smcrh_bonett_2008_the")
        out.append((t("methods.standardised_change"), becker))
    boot = clinic.bootstrap
    intervals = t(
        "methods.95_percent_t_for_means_bca_bootstrap",
        least=BCA_FROM,
        replicates=boot.replicates,
        seed=boot.seed,
    )
    out.append((t("methods.intervals"), intervals))
    out.append((t("frame.disclosure_control"), say(preset.text)))
    accepted = {
        f"{column} ({rule})"
        for several in clinic.files.values()
        for spec in several
        for column, rules in spec.accept.items()
        for rule in rules
    }
    if accepted:
        out.append(
            (t("methods.accepted"), t("methods.columns_that_were_accepted", names=sorted(accepted)))
        )
    return out


# Kinds of files that know of single days.
_OF_DAYS = frozenset({"diary", "attacks"})


def _define_days(clinic: Clinic) -> list[tuple[str, str]]:
    """Define what a diary or a log of attacks is counted by."""
    return [
        (
            t("methods.headache_day"),
            t(
                "methods.a_day_with_headache_of_at_least_hours_hours",
                hours=formats.number(clinic.min_duration_h, 1),
            ),
        ),
        (
            t("methods.complete_window"),
            t(
                "methods.at_least_days_of_28_days_with_an_entry_unless",
                days=clinic.windows.min_days,
            ),
        ),
    ]


def _define_windows(clinic: Clinic, used: Collection[str]) -> list[tuple[str, str]]:
    """Define the windows that a mean on the page belongs to."""
    settings, out = clinic.windows, []
    for name, window in settings.named.items():
        if name not in used:
            continue
        label = f" ({say(phrase('window', window.label))})" if window.label else ""
        out.append(
            (t("methods.window_name", name=name.replace("_", " ")) + label, show_window(window))
        )
    if settings.mean_of_two_baselines and "earlier" in used:
        text = t("methods.the_mean_of_the_two_windows_before_treatment")
        out.append((t("benchmark.before"), text))
    return out
