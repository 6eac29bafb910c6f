"""Rows of other programs -> the raw columns of a review's files, and back.

One module per program; here stands what they share: how a foreign CSV is read, what a row must
hold to become arms or a contrast, and how numbers and text are written. Nothing is dropped in
silence: a row becomes rows of `arms` or `contrasts`, or a problem with its line and rule.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from headway.effects.units import UNITS
from headway.errors import InputError, Problem
from headway.ingest.trials.columns import ALLOWED, ARM_SIGNS, SHOWN
from headway.messages import Message
from headway.tables import TABLES, printable, unguard

if TYPE_CHECKING:
    import pandas as pd

Z95 = NormalDist().inv_cdf(0.975)
_MISSING = ("", "na", "nan", "n/a", "#n/a", "null")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")

# What the other programs do not hold, and the value a column gets unless the caller gives one.
DEFAULTS: dict[str, str] = {
    "unit": "as_printed",
    "timepoint": "as reported",
    "time_days": "",
    "source": "",
    "status": "retrieved",
    "condition": "",
    "technique": "",
    "comparator": "",
    "kind": "final",
    "positive_means": "",
}
ARMS = (
    "trial",
    "year",
    "condition",
    "arm",
    "role",
    "technique",
    "comparator",
    "outcome",
    "analysis",
    "subgroup",
    "unit",
    "instrument",
    "timepoint",
    "time_days",
    "kind",
    "n",
    "mean",
    "sd",
    "baseline_n",
    "baseline_mean",
    "baseline_sd",
    "events",
    *SHOWN,
    "positive_means",
    "status",
    "source",
    "note",
)
CONTRASTS = (
    "trial",
    "year",
    "condition",
    "treatment_arm",
    "control_arm",
    "technique",
    "comparator",
    "outcome",
    "analysis",
    "subgroup",
    "unit",
    "instrument",
    "timepoint",
    "time_days",
    "effect_type",
    "effect",
    "ci_low",
    "ci_high",
    "se",
    "n_total",
    *SHOWN,
    "positive_means",
    "status",
    "source",
    "note",
)

_ARM_KEY = TABLES["arms"].key
_CONTRAST_KEY = TABLES["contrasts"].key


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRows:
    """What a file of another program gives a review.

    Attributes
    ----------
    arms, contrasts : DataFrame
        Raw columns of `arms.csv` and `contrasts.csv`, every cell text; numbers as printed.
    outcomes, comparisons : dict, list
        What to put under these keys of review.yaml.
    problems : tuple of Problem
        One or more per row that could not be used.
    rows_in, rows_kept, rows_reported : int
        Rows of studies; ``rows_in == rows_kept + rows_reported``.
    headings : int
        Lines that only name what stands below them.
    undecided : tuple of str
        Columns that the file does not hold and the caller did not give: a person must.
    texts : int
        Rows of analyses of text, which hold nothing to compute.
    published : list of dict
        What to put under `published` in review.yaml: the totals that the file shows.
    summary, doubts : list of dict
        Of each analysis, how many rows and totals its own numbers give; and what they do not.
    """

    arms: pd.DataFrame
    contrasts: pd.DataFrame
    outcomes: dict[str, dict[str, Any]]
    comparisons: list[dict[str, Any]]
    problems: tuple[Problem, ...]
    rows_in: int
    rows_kept: int
    rows_reported: int
    headings: int
    undecided: tuple[str, ...]
    texts: int = 0
    published: list[dict[str, Any]] = field(default_factory=list)
    summary: list[dict[str, Any]] = field(default_factory=list)
    doubts: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Row:
    """A row being read: its cells by compared name, and what is wrong with them."""

    file: str
    line: int
    cells: dict[str, str]
    headers: Mapping[str, str]
    decimal: str
    problems: list[Problem] = field(default_factory=list)

    def report(self, rule: str, message: str, name: str = "", remedy: str = "") -> None:
        """Add a problem, with the column as the file prints it."""
        column = self.headers.get(name, name)
        self.problems.append(Problem(self.file, rule, message, column, self.line, remedy))

    def text(self, *names: str) -> str:
        """Return the first cell of these names that is not empty."""
        found = (self.cells.get(name, "") for name in names)
        return next((cell for cell in found if cell.casefold() not in _MISSING), "")

    def name(self, *names: str) -> str:
        """Return the first cell of these names that is not empty: a name may read NA."""
        return next((self.cells[name] for name in names if self.cells.get(name)), "")

    def number(self, name: str) -> str:
        """Return a number as printed, with a decimal point; empty where missing or no number."""
        return self.read(self.text(name), name)

    def read(self, text: str, name: str = "") -> str:
        """Read a number of the row's file; report the column it stands in where it is none."""
        cell = text.replace("\N{MINUS SIGN}", "-")
        if self.decimal == "," and _DECIMAL_COMMA.fullmatch(cell):
            cell = cell.replace(",", ".")
        elif self.decimal == "." and _THOUSANDS.fullmatch(cell):
            cell = cell.replace(",", "")
        # 1e999 is written as a number and is none.
        if cell and not (_NUMBER.fullmatch(cell) and math.isfinite(float(cell))):
            self.report("not_a_number", "problem.not_a_number", name, "remedy.number_alone")
            return ""
        return cell


@dataclass(frozen=True, slots=True)
class Sheet:
    """A CSV file as text: header as printed by compared name, rows, and lines that do not fit."""

    file: str
    headers: dict[str, str]
    rows: list[Row]
    broken: list[Problem]


def refuse(
    file: str, rule: str, message: str, remedy: str = "", line: int | None = None
) -> InputError:
    """Make the error of a file of another program that cannot be read."""
    problem = Problem(file, rule, message, line=line, remedy=remedy)
    return InputError(Message("failure.foreign_file", file=file), [problem])


def same_name(text: str) -> str:
    """Reduce a name to what is compared: letters and digits, without case, spaces or dots."""
    return re.sub(r"[\W_]+", "", text.casefold())


def read_sheet(path: Path) -> Sheet:
    """Read a CSV file whose delimiter is not known, or the first sheet of a workbook.

    The delimiter (comma, semicolon or tab) is the one the header holds most of. Where it is a
    semicolon, numbers may have a decimal comma; else commas between groups of three digits are
    taken for thousands.

    Raises
    ------
    InputError
        Not UTF-8, no header, or a column that stands twice.
    """
    try:
        data = path.read_bytes()
    except OSError:
        raise refuse(path.name, "unreadable", "problem.not_opened", "remedy.not_opened") from None
    if data[:4] == b"PK\x03\x04":
        return _read_workbook(path)
    return parse_sheet(path.name, data)


def _read_workbook(path: Path) -> Sheet:
    """Read the first sheet of a workbook; its numbers have a decimal point."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        found = CalamineWorkbook.from_path(path)
        cells = found.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, OSError, ValueError, IndexError):
        raise refuse(path.name, "unreadable", "problem.not_opened", "remedy.not_opened") from None
    lines = [
        (number, [_as_cell(cell) for cell in row])
        for number, row in enumerate(cells, 1)
        if any(str(cell).strip() for cell in row)
    ]
    return _make_sheet(path.name, lines, ".")


def _as_cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    return write_number(value) if isinstance(value, (int, float)) else str(value).strip()


def parse_sheet(name: str, data: bytes) -> Sheet:
    """Read the bytes of a CSV file; `read_sheet` says how.

    Raises
    ------
    InputError
        As `read_sheet`.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refuse(name, "unreadable", "problem.not_utf8", "remedy.save_as_utf8") from None
    head = re.sub(r'"[^"]*"', "", text.lstrip().partition("\n")[0])
    delimiter = max(",;\t", key=head.count)
    lines: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error:
        raise refuse(
            name, "unreadable", "problem.quote_not_closed", "remedy.open_quote", reader.line_num
        ) from None
    return _make_sheet(name, lines, "," if delimiter == ";" else ".")


def _make_sheet(name: str, lines: list[tuple[int, list[str]]], decimal: str) -> Sheet:
    """Put header and rows together; report lines that do not fit."""
    if not lines:
        raise refuse(name, "empty_file", "problem.no_header")
    header = [printable(text) for text in lines[0][1]]
    keys = [same_name(text) for text in header]
    twice = sorted({n for n, k in zip(header, keys, strict=True) if k and keys.count(k) > 1})
    if twice:
        problems = [
            Problem(
                name, "duplicate_column", "problem.twice_in_header", n, remedy="remedy.own_name"
            )
            for n in twice
        ]
        raise InputError(Message("failure.foreign_file", file=name), problems)
    headers = {key: text for key, text in zip(keys, header, strict=True) if key}
    rows, broken = [], []
    for line, cells in lines[1:]:
        if len(cells) < len(header) or any(cells[len(header) :]):
            broken.append(
                Problem(
                    name,
                    "field_count",
                    "problem.field_count",
                    line=line,
                    remedy="remedy.quote_cell_of_revman",
                )
            )
            continue
        named = zip(keys, cells, strict=False)
        values = {key: unguard(printable(cell)) for key, cell in named if key}
        rows.append(Row(name, line, values, headers, decimal))
    return Sheet(name, headers, rows, broken)


def missing_columns(sheet: Sheet, names: Iterable[str], remedy: str) -> InputError:
    """Make the error for a file that lacks columns."""
    problems = [
        Problem(sheet.file, "missing_column", "problem.missing_column", name, remedy=remedy)
        for name in names
    ]
    return InputError(Message("failure.wrong_kind", file=sheet.file), problems)


def check_defaults(defaults: Mapping[str, str] | None) -> dict[str, str]:
    """Complete what the caller gives for columns that the other program does not hold.

    Raises
    ------
    InputError
        A name that is none of `DEFAULTS`, a word outside the vocabulary, or a `time_days` that
        is no number.
    """
    given = {name: str(value) for name, value in (defaults or {}).items()}
    words = {**ALLOWED, "unit": tuple(UNITS), "kind": ("final", "change")}
    words |= {"positive_means": ARM_SIGNS}
    problems = []
    for name, value in given.items():
        if name not in DEFAULTS:
            remedy = Message("remedy.one_of", words=list(DEFAULTS))
            problems.append(
                Problem("defaults", "unknown_column", "problem.unknown_default", name, None, remedy)
            )
        elif name in words and value and value not in words[name]:
            remedy = Message("remedy.one_of", words=words[name])
            text = "problem.not_in_vocabulary"
            problems.append(Problem("defaults", "unknown_word", text, name, None, remedy))
        elif name == "time_days" and value and not _NUMBER.fullmatch(value):
            problems.append(_no_number(name))
    if problems:
        raise InputError("failure.defaults", problems)
    return DEFAULTS | {name: value for name, value in given.items() if value}


def _no_number(name: str) -> Problem:
    remedy = "remedy.number_alone"
    return Problem("defaults", "not_a_number", "problem.not_a_number", name, remedy=remedy)


@dataclass(slots=True)
class Basket:
    """Collects rows of arms and contrasts, and refuses those that a review could not use.

    A row whose `problems` is not empty is reported; `keep` is called once for every row.
    """

    given: Mapping[str, str]
    arms: list[dict[str, str]] = field(default_factory=list)
    contrasts: list[dict[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    kept: int = 0
    reported: int = 0
    seen: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict)

    def keep(
        self,
        row: Row,
        arms: Iterable[dict[str, str]],
        contrasts: Iterable[dict[str, str]] = (),
        *,
        several: bool = False,
        strict: bool = True,
    ) -> bool:
        """Take the rows made of one foreign row, or report it; tell whether it was taken.

        Where a study may have `several` effects, one that nothing sets apart from an earlier one
        but its numbers gets an instrument of its own: `effect 2`. Without `strict` a row that gives
        no effect, such as one of a single person, is taken too: its analysis shows it.
        """
        made = [self._complete(one, ARMS) for one in arms]
        drawn = [self._complete(one, CONTRASTS) for one in contrasts]
        number, named = 1, [one["instrument"] or "effect" for one in (*made, *drawn)]
        keyed = _find_keys(made, drawn)
        while several and any(
            key in self.seen and not _is_same(one, self.seen[key]) for key, one in keyed
        ):
            number += 1
            for one, name in zip((*made, *drawn), named, strict=True):
                one["instrument"] = f"{name} {number}"
            keyed = _find_keys(made, drawn)
        if not row.problems:
            for one in made:
                check_arm(row, one, strict=strict)
            # One line may repeat what another needed too, such as a mean beside its change.
            known = [key for key, one in keyed if _is_same(one, self.seen.get(key))]
            if any(key in self.seen and key not in known for key, _ in keyed) or (
                keyed and len(known) == len(keyed)
            ):
                row.report("duplicate", "problem.repeats_row", remedy="remedy.another_name")
        if row.problems:
            self.problems += row.problems
            self.reported += 1
            return False
        self.arms += [one for key, one in keyed if "arm" in one and key not in self.seen]
        self.contrasts += [one for key, one in keyed if "arm" not in one]
        self.seen |= {key: one for key, one in keyed if key not in self.seen}
        self.kept += 1
        return True

    def _complete(self, one: dict[str, str], columns: tuple[str, ...]) -> dict[str, str]:
        values = {c: self.given.get(c, "") for c in columns} | one
        if columns is ARMS:
            if values["role"] == "treatment":
                values["comparator"] = ""
            else:
                values["technique"] = ""
            if values["kind"] == "events":
                values["unit"] = "participants"
            if values["kind"] != "change":
                values["positive_means"] = ""
            elif not values["positive_means"]:
                values["positive_means"] = "unstated"
        else:
            values["positive_means"] = "treatment_minus_control"
        return {column: values[column] for column in columns}

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the arms and the contrasts."""
        import pandas as pd

        return (
            pd.DataFrame(self.arms, columns=list(ARMS), dtype=str),
            pd.DataFrame(self.contrasts, columns=list(CONTRASTS), dtype=str),
        )

    def undecided(self) -> tuple[str, ...]:
        """List the columns that a person must still fill in."""
        names = ("unit", "timepoint", "condition", "technique", "comparator")
        return tuple(n for n in names if self.given[n] == DEFAULTS[n])


def _find_keys(
    arms: Iterable[dict[str, str]], contrasts: Iterable[dict[str, str]]
) -> list[tuple[tuple[str, ...], dict[str, str]]]:
    """Put beside each row what tells it apart."""
    keyed = [(tuple(one.get(name, "") for name in _ARM_KEY), one) for one in arms]
    return keyed + [(tuple(one.get(name, "") for name in _CONTRAST_KEY), one) for one in contrasts]


def _is_same(one: Mapping[str, str], other: Mapping[str, str] | None) -> bool:
    """Tell whether two arms, or two effects, hold the same numbers, but for rounding."""
    if other is None:
        return False
    names = ("n", "mean", "sd", "events") if "arm" in one else ("effect", "ci_low", "ci_high")
    pairs = [(to_float(one[name]), to_float(other[name])) for name in names]
    return all(math.isnan(a) == math.isnan(b) for a, b in pairs) and all(
        math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12) for a, b in pairs if not math.isnan(a)
    )


def check_arm(row: Row, arm: Mapping[str, str], *, strict: bool = True) -> None:
    """Hold one arm against the rules that a review's arms.csv is held against.

    Without `strict` only what no arm can have is reported.
    """
    arm_of = Message(
        "problem.treatment_arm" if arm["role"] == "treatment" else "problem.control_arm"
    )
    n, sd = to_float(arm["n"]), to_float(arm["sd"])
    if n < (2 if strict else 0):
        text = Message("problem.few_in_arm", arm=arm_of)
        row.report("n_too_small", text, remedy="remedy.n_of_arm")
    if sd < 0 or to_float(arm["baseline_sd"]) < 0:
        text = Message("problem.negative_sd_in_arm", arm=arm_of)
        row.report("negative_sd", text, remedy="remedy.negative_sd")
    if sd == 0 and strict:
        row.report(
            "sd_zero", Message("problem.sd_zero_in_arm", arm=arm_of), remedy="remedy.sd_zero"
        )
    if arm["kind"] != "events":
        return
    events = to_float(arm["events"])
    if events < 0:
        text = Message("problem.negative_count_in_arm", arm=arm_of)
        row.report("negative_events", text, remedy="remedy.check_sign")
    if events > n:
        text = Message("problem.events_above_n_in_arm", arm=arm_of)
        row.report("events_above_n", text, remedy="remedy.no_percentage")


def make_contrast(effect: str, se: str) -> dict[str, str]:
    """Turn an effect and its standard error into an effect with 95 % limits.

    `contrasts.csv` holds limits; normal ones, without a number of people beside them, give back
    the standard error.
    """
    middle, half = float(effect), Z95 * float(se)
    return {
        "effect": effect,
        "ci_low": write_number(middle - half),
        "ci_high": write_number(middle + half),
    }


def to_float(text: str) -> float:
    """Return a number, NaN for an empty cell."""
    return float(text) if text else math.nan


def write_number(value: Any, missing: str = "") -> str:
    """Write a number with as many digits as give back the same number, 17 at most."""
    number = math.nan if value is None else float(value)
    if math.isnan(number):
        return missing
    if number.is_integer() and abs(number) < 1e15:
        # Minus zero is a number of its own.
        return repr(number).removesuffix(".0")
    return repr(number)


def write_rows(path: Path, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Write a CSV file: UTF-8, LF, quotation marks where they are needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def as_text(value: Any) -> str:
    """Return a text cell of a table; missing ones are empty."""
    return value if isinstance(value, str) else ""
