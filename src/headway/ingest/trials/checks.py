"""Hold every cell of a review's files against its rule."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from headway.config.review import Review
from headway.effects import recover
from headway.ingest.trials.columns import ALLOWED, ARM_SIGNS, NUMBERS, REQUIRED
from headway.ingest.trials.files import File
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


def check_file(file: File, review: Review) -> None:
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
                "does not say what a positive number means",
                column,
                f"one of {', '.join(CONTRAST_SIGNS)}",
            )
        else:
            file.report(empty_cell, "required", "is empty", column, "type what the source prints")
    if file.kind == "risk_of_bias":
        _check_risk(file, review)
        return
    for column, words in ALLOWED.items():
        if column in rows.columns:
            bad = (rows[column] != "") & ~rows[column].isin(words)
            file.report(
                bad,
                "unknown_word",
                "is not in the vocabulary",
                column,
                f"one of {', '.join(words)}",
            )
    outcomes = list(review.outcomes)
    file.report(
        (rows["outcome"] != "") & ~rows["outcome"].isin(outcomes),
        "unknown_outcome",
        "is not declared in review.yaml",
        "outcome",
        f"one of {', '.join(outcomes)}",
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
            "is not in the vocabulary",
            "positive_means",
            f"one of {', '.join(CONTRAST_SIGNS)}",
        )
    reversed_limits = rows["ci_low"] > rows["ci_high"]
    file.report(
        reversed_limits, "limits_reversed", "is above the upper limit", "ci_low", "swap the limits"
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
        "repeats an earlier row",
        key[0],
        f"one row per {' x '.join(key)}",
    )


def _check_risk(file: File, review: Review) -> None:
    """Rules for judgements of risk of bias: the words of the declared tool."""
    rows, tool = file.rows, RISK_TOOLS[review.risk_of_bias.tool]
    for column, words in (
        ("domain", tool.domains),
        ("judgement", tool.levels),
        ("outcome", review.outcomes),
    ):
        file.report(
            (rows[column] != "") & ~rows[column].isin(list(words)),
            "unknown_word",
            "is not in the vocabulary",
            column,
            f"one of {', '.join(words)}",
        )
    key = ["trial", "outcome", "domain"]
    file.report(
        rows.duplicated(key),
        "duplicate",
        "repeats an earlier row",
        "domain",
        f"one row per {' x '.join(key)}",
    )


def _report_words(file: File, column: str, text: pd.Series, bad: pd.Series) -> None:
    """Say of each cell that is no number what it looks like, without repeating it."""
    comma = bad & text.str.match(_COMMA)
    date = bad & ~comma & text.str.match(_DATE)
    file.report(
        comma,
        "decimal_comma",
        "has a decimal comma",
        column,
        'write a point, or declare `decimal: ","` for the file',
    )
    file.report(
        date,
        "spreadsheet_date",
        "is a date: a spreadsheet may have turned a number or a range into it",
        column,
        "type the number again in a cell formatted as text",
    )
    file.report(
        bad & ~comma & ~date,
        "not_a_number",
        "is no number",
        column,
        "write the number alone, with the declared decimal mark",
    )


def _check_contrasts(file: File) -> None:
    """Rules for printed differences alone."""
    rows = file.rows
    known = rows[["se", "t", "f"]].notna().any(axis=1) | (rows["p"] != "")
    known |= rows[["ci_low", "ci_high"]].notna().all(axis=1)
    file.report(
        ~known,
        "no_uncertainty",
        "an effect without an interval, a standard error, t, F or p",
        "effect",
        "type one of ci_low and ci_high, se, t, f, p as the source prints it; an effect without "
        "any cannot be weighed",
    )
    file.report(rows["se"] < 0, "negative_se", "is negative", "se", "check the sign")
    file.report(
        rows["f"] < 0, "negative_f", "is negative", "f", "an F is never negative; is it a t?"
    )
    file.report(
        rows["n_total"] < 2,
        "n_too_small",
        "is below 2",
        "n_total",
        "type the participants of both arms together",
    )
    bad_p = rows["p"].ne("") & rows["p"].map(
        lambda text: math.isnan(recover.p_bounds(text)[0])
    ).astype(bool)
    file.report(
        bad_p, "p_unreadable", "is no p value", "p", "write it as printed: 0.03, < 0.001 or n.s."
    )


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
        "a change without a declared sign",
        "positive_means",
        f"one of {', '.join(ARM_SIGNS)}",
    )
    bad = (rows["positive_means"] != "") & ~rows["positive_means"].isin(ARM_SIGNS)
    file.report(
        bad,
        "unknown_word",
        "is not in the vocabulary",
        "positive_means",
        f"one of {', '.join(ARM_SIGNS)}",
    )
    file.report(
        rows["n"] < 2,
        "n_too_small",
        "is below 2",
        "n",
        "an arm needs two participants to have a spread; type the number analysed",
    )
    for column in ("sd", "se", "baseline_sd"):
        file.report(
            rows[column] < 0,
            "negative_sd",
            "is negative",
            column,
            "a spread is never negative: check the column or the sign",
        )
    file.report(
        (rows["kind"] == "events") & (rows["events"].isna()),
        "required",
        "is empty",
        "events",
        "type the participants with the event",
    )
    file.report(
        (rows["events"] > rows["n"]) & rows["person_years"].isna(),
        "events_above_n",
        "is above n",
        "events",
        "type participants, not a percentage",
    )
    for column, bad, rule in (
        ("person_years", rows["person_years"] <= 0, "above 0"),
        ("r", rows["r"].abs() > 1, "from -1 to 1"),
        ("alpha", rows["alpha"] > 1, "at most 1"),
        ("items", rows["items"] < 2, "at least 2"),
    ):
        file.report(bad, "out_of_range", f"is not {rule}", column, "check the column")
    file.report(rows["events"] < 0, "negative_events", "is negative", "events", "check the column")
    order = ["range_low", "q1", "median", "q3", "range_high"]
    file.report(
        _descends(rows[order]),
        "quantiles_reversed",
        "smallest value, quartiles, median and largest value do not ascend",
        "median",
        "check which number is which",
    )
    control = rows["role"] == "control"
    file.report(
        control & (rows["comparator"] == ""),
        "required",
        "a control arm without its kind",
        "comparator",
        f"one of {', '.join(COMPARATORS)}",
    )
