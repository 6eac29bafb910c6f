"""How a clinic's page says what it means: reading aids, every definition, reporting checklists."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from headway.messages import say, t
from headway.report import formats
from headway.report.clinic.tables import Table, make_table, per_unit

if TYPE_CHECKING:
    import pandas as pd

    from headway.disclosure import Preset

# STROBE (von Elm 2007) and RECORD (Benchimol 2015) items that records of a clinic can answer, in
# our words, and the section of the page that answers each.
CHECKLIST: tuple[tuple[str, str, str], ...] = (
    ("STROBE 1", "what was done and what was found, in short", "answer"),
    ("STROBE 3", "what was to be found out, declared before looking", "methods"),
    ("STROBE 5", "setting, times of follow-up", "methods"),
    ("STROBE 6, RECORD 6.1", "who is included, and how they were found in the records", "flow"),
    ("STROBE 7, RECORD 7.1", "how every outcome and group is defined", "methods"),
    ("STROBE 8", "where each number comes from: diary, question at a visit", "methods"),
    ("STROBE 9", "what could mislead: selection, return to the usual level, the lost", "reading"),
    ("STROBE 10", "how many people a narrower interval would need", "change"),
    ("STROBE 12, RECORD 12.1", "statistics, missing values, sensitivity", "sensitivity"),
    ("STROBE 13, RECORD 13.1", "numbers at each step, from rows to people", "flow"),
    ("STROBE 14", "people before treatment, missing values by side", "missing"),
    ("STROBE 15", "outcome before and after", "change"),
    ("STROBE 16", "estimates with intervals", "change"),
    ("STROBE 17", "groups and other analyses", "techniques"),
    ("STROBE 18", "main result in plain words", "answer"),
    ("STROBE 19, RECORD 19.1", "limits of uncontrolled records", "reading"),
    ("STROBE 20", "a cautious reading beside other evidence", "expected"),
    ("RECORD 12.3", "cleaning: what was set aside, by which rule", "flow"),
    ("RECORD 22.1", "where the code and the settings are", "methods"),
)


def list_checklist(absent: Collection[str]) -> Table:
    """Say for each item of STROBE and RECORD where on the page it is answered.

    `absent` are sections that this page does not have; their items are not answered.
    """
    table = make_table(
        t("Where this page answers the items of STROBE and RECORD"),
        ["Item", "What it asks", "Where"],
        [],
    )
    for item, asks, place in CHECKLIST:
        where: Any = {"href": f"#{place}", "text": t(_PLACES[place])}
        if place in absent:
            where = t("not answered: these records do not hold it")
        table["rows"].append({"kind": "", "cells": [item, t(asks), where]})
    return table


_PLACES = {
    "answer": "the answer in three sentences",
    "flow": "who and what is counted",
    "change": "the change, in every form",
    "missing": "what missing days and people could do",
    "sensitivity": "other ways to count",
    "expected": "what would be expected without treatment",
    "techniques": "techniques, places and people",
    "reading": "how to read this",
    "methods": "definitions and methods",
}


def list_reading(cohort: pd.DataFrame, clinic: Mapping[str, Any]) -> list[str]:
    """List what a change of this kind can come from."""
    out = [
        t(
            "Regression to the mean: whoever starts at a high point is lower next time on "
            "average, treated or not."
        ),
        t("Natural course: headaches wax and wane, and people seek help when they are bad."),
        t("Who is missing: the people measured after are those who came back or kept a diary."),
        t(
            "Other care: medicines, other treatments and advice at the same time are part of "
            "the change."
        ),
    ]
    earlier = cohort[
        (cohort["comparison"] == "before_treatment")
        & (cohort["statistic"] == "change_mean")
        & (cohort["group"] == "all")
        & (cohort["outcome"] == clinic["primary_outcome"])
    ]
    if len(earlier):
        r = earlier.iloc[0].to_dict()
        if not r["redacted"] and not formats.missing(r["estimate"]):
            message = (
                "Before treatment started, from one window to the next, the same measure got "
                "worse by itself: {change} {unit} (n {n}). Records that start at a peak tend to "
                "come down from it."
                if r["estimate"] > 0
                else "Before treatment started, from one window to the next, the same measure "
                "got better by itself: {change} {unit} (n {n}). Records that start at a peak "
                "tend to come down from it."
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


def list_definitions(clinic: Mapping[str, Any], preset: Preset) -> list[tuple[str, str]]:
    """List every definition that the page's numbers rest on."""
    settings = clinic["windows"]
    out = [
        (
            t("Headache day"),
            t(
                "a day with headache of at least {hours} hours, or treated; where neither is "
                "recorded, a day marked as a headache day",
                hours=formats.number(clinic["min_duration_h"], 1),
            ),
        ),
        (
            t("Frequency"),
            t("headache days per 28 days; in a diary, counted days scaled to 28"),
        ),
        (
            t("Complete window"),
            t(
                "at least {days} of 28 days with an entry, unless the window says otherwise",
                days=settings["min_days"],
            ),
        ),
    ]
    for name, window in settings["named"].items():
        first = (
            t("the first day")
            if window["from"] is None
            else t("day {day}", day=_signed(window["from"]))
        )
        last = (
            t("the last day") if window["to"] is None else t("day {day}", day=_signed(window["to"]))
        )
        text = t("{low} to {high}", low=first, high=last)
        if window.get("anchor") == "last_session":
            text += t(", counted from the last session")
        if "min_days" in window:
            text += t("; at least {days} days with an entry", days=window["min_days"])
        label = f" ({say(window['label'])})" if window.get("label") else ""
        out.append((t("Window “{name}”", name=name.replace("_", " ")) + label, text))
    if settings.get("mean_of_two_baselines"):
        out.append(
            (
                t("Before"),
                t(
                    "the mean of the two windows before treatment where both are complete, else "
                    "the last one"
                ),
            )
        )
    boot = clinic["bootstrap"]
    out += [
        (
            t("Day 0"),
            t("the first session that treats; it belongs to treatment"),
        ),
        (
            t("Intensity, duration"),
            t(
                "means over headache days, for people with at least one headache day in both "
                "windows"
            ),
        ),
        (
            t("Headache index"),
            t("sum of intensity × hours over the window, per 28 days; 0 without headache"),
        ),
        (
            t("Standardised change"),
            t(
                "SMCR (Becker 1988) and SMCRH (Bonett 2008): the change in standard deviations "
                "before; SMCC divides by that of the change, and grows with r"
            ),
        ),
        (
            t("Intervals"),
            t(
                "95 %: t for means; BCa bootstrap ({replicates} replicates, seed {seed}); Wilson "
                "for shares; Wald for standardised changes; others are named beside the number",
                replicates=boot["replicates"],
                seed=boot["seed"],
            ),
        ),
        (t("Disclosure control"), say(preset.text)),
    ]
    return out


def _signed(day: int) -> str:
    return str(day).replace("-", "−")
