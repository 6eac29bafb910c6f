"""Hold every cell of a review's files against its rule."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from headway.config.review import Review
from headway.effects import recover
from headway.ingest.open.numbers import read_numbers
from headway.ingest.trials.columns import ALLOWED, ARM_SIGNS, NUMBERS, REQUIRED
from headway.ingest.trials.files import File
from headway.messages import Message
from headway.tables import COMPARATORS, CONTRAST_SIGNS, TABLES
from headway.tables.risk_tools import RISK_TOOLS

if TYPE_CHECKING:
    import pandas as pd


# Rule -> what is said of a cell that is no number, and what to do.
NO_NUMBER = {
    "decimal_comma": ("problem.decimal_comma", "remedy.decimal_comma"),
    "decimal_point": ("problem.decimal_point", "remedy.decimal_point"),
    "thousands": ("problem.thousands", "remedy.thousands"),
    "spreadsheet_date": ("problem.spreadsheet_date", "remedy.spreadsheet_date"),
    "too_large": ("problem.too_large", "remedy.check_column"),
    "not_a_number": ("problem.not_a_number", "remedy.number_with_mark"),
}
# Columns that tell the rows of a file apart.
_KEYS = {
    "arms": list(TABLES["arms"].key),
    "contrasts": list(TABLES["contrasts"].key),
    "pooled": ["outcome", "subgroup", "timepoint"],
}


def check_file(file: File, review: Review) -> None:
    """Hold every cell against its rule and turn number columns into numbers."""
    rows = file.rows
    if file.kind != "risk_of_bias":
        _read_numbers(file)
    _check_required(file)
    if file.kind == "risk_of_bias":
        _check_risk(file, review)
        return
    for column, words in ALLOWED.items():
        if column in rows.columns:
            _check_words(file, column, words)
    file.report(
        (rows["outcome"] != "") & ~rows["outcome"].isin(list(review.outcomes)),
        "unknown_outcome",
        "problem.unknown_outcome",
        "outcome",
        Message("remedy.one_of", words=list(review.outcomes)),
    )
    if file.kind in ("arms", "contrasts"):
        _check_years(file)
        _check_clusters(file)
    if file.kind == "arms":
        _check_arms(file)
    else:
        if file.kind == "contrasts":
            _check_contrasts(file)
        _check_words(file, "positive_means", CONTRAST_SIGNS)
    file.report(
        rows["ci_low"] > rows["ci_high"],
        "limits_reversed",
        "problem.limits_reversed",
        "ci_low",
        "remedy.swap_limits",
    )
    if file.kind == "pooled":
        file.report(rows["k"] < 1, "out_of_range", "problem.below_1", "k", "remedy.check_column")
    _check_key(file, _KEYS[file.kind])


def _check_clusters(file: File) -> None:
    """Hold what a trial of clusters prints of them against its bounds."""
    rows = file.rows
    for column, bad, rule in (
        ("clusters", rows["clusters"] < 1, "problem.below_1"),
        ("cluster_size", rows["cluster_size"] < 1, "problem.below_1"),
        ("icc", rows["icc"] < 0, "problem.negative"),
        ("icc", rows["icc"] > 1, "problem.above_1"),
    ):
        file.report(bad, "out_of_range", rule, column, "remedy.check_column")


def _read_numbers(file: File) -> None:
    """Turn number columns into numbers, and report what is none or outside its contract."""
    rows = file.rows
    contract = TABLES["published" if file.kind == "pooled" else file.kind].columns
    for column in NUMBERS[file.kind]:
        found = read_numbers(rows[column], file.decimal)
        if column in ("mean", "sd", "se", "effect", "ci_low", "ci_high"):
            rows[f"{column}_text"] = found.text  # its last digit is the precision
        for rule, bad in found.broken.items():
            message, remedy = NO_NUMBER[rule]
            file.report(bad, rule, message, column, remedy)
        rows[column] = numbers = found.values
        kept = contract.get(column)
        if kept is not None and kept.kind == "int":
            part = numbers.notna() & (numbers % 1 != 0)
            file.report(part, "not_whole", "problem.not_whole", column, "remedy.check_column")
            rows[column] = numbers.mask(part)


def _check_required(file: File) -> None:
    """Report empty cells of columns that a row needs."""
    rows = file.rows
    for column in REQUIRED[file.kind]:
        if column in file.absent:
            continue  # one message for the column, none for each of its cells
        if column == "n":  # a trial may not print it; the row is then shown and not pooled
            continue
        empty_cell = rows[column].isna() | (rows[column] == "")
        if f"{column}_text" in rows.columns:
            empty_cell = rows[f"{column}_text"] == ""
        if column == "effect" and file.kind == "contrasts":
            empty_cell &= rows["analysis"] == ""  # a file's own analysis shows rows without one
        if column == "positive_means":
            remedy = Message("remedy.one_of", words=CONTRAST_SIGNS)
            file.report(empty_cell, "sign_not_declared", "problem.sign_not_said", column, remedy)
        else:
            file.report(empty_cell, "required", "problem.empty", column, "remedy.as_printed")


def _check_words(
    file: File, column: str, words: Iterable[str], where: pd.Series | bool = True
) -> None:
    """Report cells that are not in the column's vocabulary."""
    cells, words = file.rows[column], list(words)
    file.report(
        (cells != "") & ~cells.isin(words) & where,
        "unknown_word",
        "problem.not_in_vocabulary",
        column,
        Message("remedy.one_of", words=words),
    )


def _check_key(file: File, key: list[str], column: str = "") -> None:
    """Report rows that repeat a key, at its first column unless another is named."""
    file.report(
        file.rows.duplicated(key),
        "duplicate",
        "problem.repeats_row",
        column or key[0],
        Message("remedy.one_row_per", columns=key),
    )


def _check_years(file: File) -> None:
    """Report rows of a trial whose other rows are of another year: two trials under one name.

    Their arms would be taken for arms of one trial, or one of the two would be left out.
    """
    rows = file.rows
    first = rows.groupby("trial")["year"].transform("first")
    other = rows["year"].notna() & rows["year"].ne(first) & rows["trial"].ne("")
    file.report(other, "two_years", "problem.two_years", "year", "remedy.two_years")


def _check_risk(file: File, review: Review) -> None:
    """Rules for judgements of risk of bias: the words of the declared tool."""
    rows = file.rows
    rows["tool"] = rows["tool"].mask(rows["tool"] == "", review.risk_of_bias.tool)
    _check_words(file, "tool", RISK_TOOLS)
    for name, tool in RISK_TOOLS.items():
        own = rows["tool"] == name
        for column, words in (("domain", tool.domains), ("judgement", tool.levels)):
            _check_words(file, column, words, own)
    _check_words(file, "outcome", review.outcomes)
    _check_key(file, ["trial", "tool", "outcome", "domain"], "domain")


def _check_contrasts(file: File) -> None:
    """Rules for printed differences alone."""
    rows = file.rows
    known = rows[["se", "t", "f"]].notna().any(axis=1) | (rows["p"] != "")
    known |= rows[["ci_low", "ci_high"]].notna().all(axis=1)
    known |= rows["analysis"] != ""
    file.report(
        ~known, "no_uncertainty", "problem.no_uncertainty", "effect", "remedy.no_uncertainty"
    )
    for column in ("effect", "ci_low", "ci_high"):
        file.report(
            (rows["unit"] == "ratio") & (rows[column] <= 0),
            "ratio_not_above_0",
            "problem.ratio_not_above_0",
            column,
            "remedy.ratio_not_above_0",
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
        Message("remedy.one_of", words=ARM_SIGNS),
    )
    _check_words(file, "positive_means", ARM_SIGNS)
    # A mean of fewer than two has no spread; a file's own analysis shows such rows all the same.
    few = (rows["n"] < 2) & ((rows["analysis"] == "") | (rows["n"] < 0))
    file.report(few, "n_too_small", "problem.below_2", "n", "remedy.n_of_arm")
    file.report(
        rows["baseline_n"] < 0,
        "out_of_range",
        "problem.negative",
        "baseline_n",
        "remedy.check_column",
    )
    for column in ("sd", "se", "baseline_sd"):
        file.report(
            rows[column] < 0, "negative_sd", "problem.negative", column, "remedy.negative_sd"
        )
    file.report(
        (rows["kind"] == "events") & rows["events"].isna() & (rows["analysis"] == ""),
        "required",
        "problem.empty",
        "events",
        "remedy.events",
    )
    file.report(
        (rows["events"] > rows["n"]) & rows["person_years"].isna(),
        "events_above_n",
        "problem.above_n",
        "events",
        "remedy.no_percentage",
    )
    for column, bad, rule in (
        ("person_years", rows["person_years"] <= 0, "problem.not_above_0"),
        ("r", rows["r"].abs() > 1, "problem.no_correlation"),
        ("period_r", rows["period_r"].abs() > 1, "problem.no_correlation"),
        ("alpha", rows["alpha"] > 1, "problem.above_1"),
        ("items", rows["items"] < 2, "problem.below_2"),
    ):
        file.report(bad, "out_of_range", rule, column, "remedy.check_column")
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
        control & (rows["comparator"] == "") & (rows["analysis"] == ""),
        "required",
        "problem.control_without_kind",
        "comparator",
        Message("remedy.one_of", words=COMPARATORS),
    )
