"""Hold every cell of a review's files against its rule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.effects import recover
from headway.ingest.trials.columns import ALLOWED, ARM_SIGNS, NUMBERS, REQUIRED
from headway.ingest.trials.files import File
from headway.messages import Message
from headway.tables import COMPARATORS, CONTRAST_SIGNS
from headway.tables.risk_tools import RISK_TOOLS

if TYPE_CHECKING:
    import pandas as pd


# What a spreadsheet makes of 3-4 or 5.7, and a number written with a decimal comma.
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|m\u00e4r|mai|okt|dez)[a-z]{0,6}\.?"
_DATE = (
    r"(?i)^(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?: \d{1,2}:\d\d.*)?"
    rf"|\d{{1,2}}[-/. ]?{_MONTH}(?:[-/. ]\d{{2,4}})?|{_MONTH}[-/. ]\d{{1,4}})$"
)
_COMMA = r"^[-+\u2212]?\d+,\d+$"


def check_file(file: File, review: Mapping[str, Any]) -> None:
    """Hold every cell against its rule and turn number columns into numbers."""
    import pandas as pd

    rows = file.rows
    for column in NUMBERS[file.kind]:
        text = rows[column]
        if column in ("mean", "sd", "se", "effect", "ci_low", "ci_high"):
            rows[f"{column}_text"] = text  # its last digit is the precision
        # Papers and spreadsheets print a minus sign (U+2212) that is no hyphen.
        plain = text.str.replace("\u2212", "-", regex=False)
        numbers = pd.to_numeric(plain.where(plain != "", None), errors="coerce")
        numbers = numbers.where(~numbers.isin([float("inf"), float("-inf")]))
        _report_words(file, column, text, (text != "") & numbers.isna())
        rows[column] = numbers
    for column in REQUIRED[file.kind]:
        if column in file.absent:
            continue  # one message for the column, none for each of its cells
        empty_cell = rows[column].isna() | (rows[column] == "")
        if f"{column}_text" in rows.columns:
            empty_cell = rows[f"{column}_text"] == ""
        if column == "n":  # a trial may not print it; the row is then shown and not pooled
            continue
        if column == "positive_means":
            file.report(
                empty_cell,
                "sign_not_declared",
                "problem.sign_not_said",
                column,
                Message("remedy.one_of", words=list(CONTRAST_SIGNS)),
            )
        else:
            file.report(empty_cell, "required", "problem.empty", column, "remedy.as_printed")
    if file.kind == "risk_of_bias":
        _check_risk(file, review)
        return
    for column, words in ALLOWED.items():
        if column in rows.columns:
            bad = (rows[column] != "") & ~rows[column].isin(words)
            file.report(
                bad,
                "unknown_word",
                "problem.not_in_vocabulary",
                column,
                Message("remedy.one_of", words=list(words)),
            )
    outcomes = list(review["outcomes"])
    file.report(
        (rows["outcome"] != "") & ~rows["outcome"].isin(outcomes),
        "unknown_outcome",
        "problem.unknown_outcome",
        "outcome",
        Message("remedy.one_of", words=list(outcomes)),
    )
    if file.kind == "arms":
        _check_arms(file)
    else:
        if file.kind == "contrasts":
            _check_contrasts(file)
        signs = rows["positive_means"]
        file.report(
            (signs != "") & ~signs.isin(CONTRAST_SIGNS),
            "unknown_word",
            "problem.not_in_vocabulary",
            "positive_means",
            Message("remedy.one_of", words=list(CONTRAST_SIGNS)),
        )
    reversed_limits = rows["ci_low"] > rows["ci_high"]
    file.report(
        reversed_limits,
        "limits_reversed",
        "problem.limits_reversed",
        "ci_low",
        "remedy.swap_limits",
    )
    key = {
        "arms": ["trial", "arm", "outcome", "timepoint", "kind"],
        "contrasts": [
            "trial",
            "treatment_arm",
            "control_arm",
            "outcome",
            "timepoint",
            "effect_type",
        ],
        "pooled": ["outcome", "subgroup", "timepoint"],
    }[file.kind]
    file.report(
        rows.duplicated(key),
        "duplicate",
        "problem.repeats_row",
        key[0],
        Message("remedy.one_row_per", columns=key),
    )


def _check_risk(file: File, review: Mapping[str, Any]) -> None:
    """Rules for judgements of risk of bias: the words of the declared tool."""
    rows, tool = file.rows, RISK_TOOLS[review["risk_of_bias"]["tool"]]
    for column, words in (
        ("domain", tool.domains),
        ("judgement", tool.levels),
        ("outcome", review["outcomes"]),
    ):
        file.report(
            (rows[column] != "") & ~rows[column].isin(list(words)),
            "unknown_word",
            "problem.not_in_vocabulary",
            column,
            Message("remedy.one_of", words=list(words)),
        )
    key = ["trial", "outcome", "domain"]
    file.report(
        rows.duplicated(key),
        "duplicate",
        "problem.repeats_row",
        "domain",
        Message("remedy.one_row_per", columns=key),
    )


def _report_words(file: File, column: str, text: pd.Series, bad: pd.Series) -> None:
    """Say of each cell that is no number what it looks like, without repeating it."""
    comma = bad & text.str.match(_COMMA)
    date = bad & ~comma & text.str.match(_DATE)
    file.report(comma, "decimal_comma", "problem.decimal_comma", column, "remedy.decimal_comma")
    file.report(
        date, "spreadsheet_date", "problem.spreadsheet_date", column, "remedy.spreadsheet_date"
    )
    file.report(
        bad & ~comma & ~date,
        "not_a_number",
        "problem.not_a_number",
        column,
        "remedy.number_with_mark",
    )


def _check_contrasts(file: File) -> None:
    """Rules for printed differences alone."""
    rows = file.rows
    known = rows[["se", "t", "f"]].notna().any(axis=1) | (rows["p"] != "")
    known |= rows[["ci_low", "ci_high"]].notna().all(axis=1)
    file.report(
        ~known, "no_uncertainty", "problem.no_uncertainty", "effect", "remedy.no_uncertainty"
    )
    file.report(rows["se"] < 0, "negative_se", "problem.negative", "se", "remedy.check_sign")
    file.report(rows["f"] < 0, "negative_f", "problem.negative", "f", "remedy.negative_f")
    file.report(
        rows["n_total"] < 2, "n_too_small", "problem.below_2", "n_total", "remedy.both_arms"
    )
    bad_p = rows["p"].ne("") & rows["p"].map(
        lambda text: math.isnan(recover.p_bounds(text)[0])
    ).astype(bool)
    file.report(bad_p, "p_unreadable", "problem.no_p_value", "p", "remedy.no_p_value")


def _descends(rows: pd.DataFrame) -> pd.Series:
    """Find rows whose printed numbers go down somewhere; gaps are passed over."""
    return (rows.ffill(axis=1).diff(axis=1) < 0).any(axis=1)


def _check_arms(file: File) -> None:
    """Rules for arm rows alone."""
    rows = file.rows
    change = rows["kind"] == "change"
    file.report(
        change & (rows["positive_means"] == ""),
        "sign_not_declared",
        "problem.change_without_sign",
        "positive_means",
        Message("remedy.one_of", words=list(ARM_SIGNS)),
    )
    bad = (rows["positive_means"] != "") & ~rows["positive_means"].isin(ARM_SIGNS)
    file.report(
        bad,
        "unknown_word",
        "problem.not_in_vocabulary",
        "positive_means",
        Message("remedy.one_of", words=list(ARM_SIGNS)),
    )
    file.report(rows["n"] < 2, "n_too_small", "problem.below_2", "n", "remedy.n_of_arm")
    for column in ("sd", "se", "baseline_sd"):
        file.report(
            rows[column] < 0, "negative_sd", "problem.negative", column, "remedy.negative_sd"
        )
    file.report(
        (rows["kind"] == "events") & (rows["events"].isna()),
        "required",
        "problem.empty",
        "events",
        "remedy.events",
    )
    file.report(
        rows["events"] > rows["n"],
        "events_above_n",
        "problem.above_n",
        "events",
        "remedy.no_percentage",
    )
    file.report(
        rows["events"] < 0, "negative_events", "problem.negative", "events", "remedy.check_column"
    )
    order = ["range_low", "q1", "median", "q3", "range_high"]
    file.report(
        _descends(rows[order]),
        "quantiles_reversed",
        "problem.quantiles_reversed",
        "median",
        "remedy.quantiles_reversed",
    )
    control = rows["role"] == "control"
    file.report(
        control & (rows["comparator"] == ""),
        "required",
        "problem.control_without_kind",
        "comparator",
        Message("remedy.one_of", words=list(COMPARATORS)),
    )
