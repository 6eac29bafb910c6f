"""One cell of a clinic's file as SQL: its value on our scale, and the rule that it breaks.

Every expression takes a staged column in two parts: `number`, where the engine could read the
cell as a number, and `text`, where it could not or was not asked to. A cell is never guessed at:
`<1`, `8/10` or `5-7` become missing and are listed, with the rule `not_a_number`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from headway import tables
from headway.config.clinic import ClinicFile, Column

SQL_TYPE = {"text": "VARCHAR", "int": "BIGINT", "float": "DOUBLE"}
# Unit that a clinic declares -> factor to ours.
Codes = Mapping[Any, Any]  # the clinic's code, as YAML reads it -> the canonical value

SCALE: dict[str, float] = {
    "days_per_28": 1.0,
    "days_per_month": 28 / 30.4375,
    "nrs_0_10": 1.0,
    "vas_0_100": 0.1,
    "hours": 1.0,
    "minutes": 1 / 60,
    "years": 1.0,
    "months": 1 / 12,
    "score": 1.0,
}
# Canonical columns that hold a length of time: `4h 15m` and `4:15` are read there.
_IN_HOURS = ("duration_hours", "usual_duration_hours", "duration")
_IN_MINUTES = ("minutes", "retention_minutes")
# What stands in a cell that a spreadsheet could not work out; `#FORMULA!` is ours, for a formula
# that was never calculated.
SPREADSHEET_ERRORS = (
    "#REF!",
    "#DIV/0!",
    "#VALUE!",
    "#NAME?",
    "#NUM!",
    "#NULL!",
    "#N/A",
    "#SPILL!",
    "#CALC!",
    "#FORMULA!",
)
# A whole number that a spreadsheet would still hold exactly, far above any day or count.
_MAX_INT = 1e9


def ident(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """Quote a value for SQL."""
    return "'" + str(value).replace("'", "''") + "'"


def own_column(entry: str | Column) -> str:
    """Name the clinic's own column of an entry in `columns:`."""
    return entry if isinstance(entry, str) else str(entry.column)


def boxes_of(entry: str | Column) -> str | None:
    """Name the question with checkboxes (REDCap) of an entry in `columns:`, if it is one."""
    return None if isinstance(entry, str) else entry.checkboxes


def ticked_sql(boxes: Mapping[str, Staged], codes: Mapping[str, Any]) -> str:
    """Write SQL for a question with checkboxes: what is ticked, joined by `;`, NULL if unasked.

    `boxes` maps the code of each box to its column; a box is ticked as 1 or `Checked` (REDCap's
    raw and label exports).
    """
    ticks, asked = [], []
    for code, cell in boxes.items():
        shown = f"lower(trim(coalesce({cell.text}, CAST({cell.number} AS VARCHAR))))"
        ticks.append(
            f"CASE WHEN {shown} IN ('1', '1.0', 'checked') "
            f"THEN {literal(codes.get(code, code))} END"
        )
        asked.append(f"{shown} IS NOT NULL")
    if not ticks:
        return "NULL"
    listed = f"list_filter([{', '.join(ticks)}], lambda x: x IS NOT NULL)"
    return f"(CASE WHEN {' OR '.join(asked)} THEN nullif(array_to_string({listed}, ';'), '') END)"


def check_ticked(ticked: str, rule: tables.Column) -> tuple[str, str]:
    """Write SQL for what is ticked as a column of the contract: its value, the rule it breaks."""
    if rule.kind == "text":
        unknown = _breaks(ticked, rule)
        return (
            f"(CASE WHEN NOT coalesce({unknown}, false) THEN {ticked} END)",
            f"CASE WHEN {unknown} THEN 'not_a_code' END",
        )
    number = f"TRY_CAST({ticked} AS DOUBLE)"
    limits = [f"{number} < {rule.low!r}"] if rule.low is not None else []
    limits += [f"{number} > {rule.high!r}"] if rule.high is not None else []
    outside = " OR ".join(limits) or "false"
    return (
        f"(CASE WHEN NOT ({outside}) THEN {number} END)",
        f"CASE WHEN {ticked} IS NOT NULL AND {number} IS NULL THEN 'not_a_number' "
        f"WHEN {outside} THEN 'out_of_range' END",
    )


def _breaks(value: str, rule: tables.Column) -> str:
    """Write SQL for whether a text is none that its column may hold."""
    unknown = []
    if rule.allowed:
        allowed = ", ".join(literal(a) for a in rule.allowed)
        unknown.append(f"{value} NOT IN ({allowed})")
    if rule.pattern:
        unknown.append(f"NOT regexp_matches({value}, {literal(rule.pattern)})")
    return f"({' OR '.join(unknown)})" if unknown else "false"


def is_plain_number(spec: ClinicFile, entry: str | Column, rule: tables.Column) -> bool:
    """Whether the engine itself may read a column as numbers."""
    if rule.kind == "text" or spec.decimal != ".":
        return False
    return isinstance(entry, str) or not (entry.codes or entry.list or entry.checkboxes)


@dataclass(frozen=True, slots=True)
class Staged:
    """The two parts of a staged column, as SQL; `plain` where the engine read every cell.

    `lowest`, `highest` and `whole` are what is known of a plain column, so that rules that no
    cell breaks cost nothing.
    """

    number: str  # DOUBLE or NULL
    text: str  # VARCHAR or NULL; where `number` is not NULL it is NULL
    plain: bool = False
    lowest: float = math.nan
    highest: float = math.nan
    whole: bool = False
    clean: bool = False  # every text may be used as it stands


def trimmed(text: str) -> str:
    """Write SQL for a text without blanks around it."""
    # Non-breaking and zero-width blanks come with what is pasted from a browser.
    return f"trim({text}, ' \t\u00a0\u200b\ufeff')"


def normal(text: str) -> str:
    """Write SQL for a text in its normal form: no blanks around it, composed letters (NFC)."""
    return f"nfc_normalize({trimmed(text)})"


def code_key(text: str) -> str:
    """Write SQL for a code in its normal form: 1, 1.0 and 01 are the same."""
    cell = normal(text)
    plain = f"regexp_full_match({cell}, '[-+]?[0-9]{{1,15}}([.][0-9]{{1,15}})?')"
    return f"(CASE WHEN {plain} THEN CAST(CAST({cell} AS DOUBLE) AS VARCHAR) ELSE {cell} END)"


def clean_text(text: str, missing: Iterable[object]) -> str:
    """Write SQL for a text without blanks around it; NULL if empty or a missing marker."""
    cell = f"nullif({trimmed(text)}, '')"
    marks = ", ".join(literal(m) for m in missing if str(m) != "")
    return f"CASE WHEN {cell} IN ({marks}) THEN NULL ELSE {cell} END" if marks else cell


def parse_duration(text: str, per_hour: float) -> str:
    """Write SQL for `4h 15m`, `4 h`, `15 min`, `4:15` in units of 1/`per_hour` hours."""
    hours = f"TRY_CAST(regexp_extract({text}, '^(?i)(\\d+(?:\\.\\d+)?) *h', 1) AS DOUBLE)"
    tail = "(?i)(?:^|h[a-z.]*|\\s) *(\\d+) *m[a-z.]*$"
    minutes = f"TRY_CAST(regexp_extract({text}, '{tail}', 1) AS DOUBLE)"
    clock = "^(\\d{1,3}):([0-5]\\d)(?::00)?$"
    words = "^(?i)(\\d+(\\.\\d+)? *h(ours?|rs?|\\.)?)?( *and)? *(\\d+ *m(in(ute)?s?|\\.)?)?$"
    return (
        f"(CASE WHEN regexp_matches({text}, '{clock}') THEN "
        f"{per_hour!r} * (TRY_CAST(regexp_extract({text}, '{clock}', 1) AS DOUBLE) + "
        f"TRY_CAST(regexp_extract({text}, '{clock}', 2) AS DOUBLE) / 60) "
        f"WHEN regexp_matches({text}, '{words}') AND regexp_matches({text}, '\\d') THEN "
        f"{per_hour!r} * (coalesce({hours}, 0) + coalesce({minutes}, 0) / 60) END)"
    )


def number_sql(
    staged: Staged, spec: ClinicFile, canonical: str, codes: Codes, unit: str | None
) -> str:
    """Write SQL for a cell as a number before scaling, NULL if it is none."""
    text = clean_text(staged.text, spec.missing)
    if codes:
        # A declared code goes before a number: "1" may mean "no".
        shown = f"coalesce({text}, {_as_code(staged.number)})"
        whens = " ".join(f"WHEN {literal(k)} THEN {literal(v)}" for k, v in codes.items())
        return f"TRY_CAST(CASE {shown} {whens} END AS DOUBLE)"
    if spec.decimal == ",":
        # 1.234,5: points between thousands go; 1.5 beside a declared comma is not a number.
        plain = f"regexp_matches({text}, '^[-+]?\\d{{1,3}}(\\.\\d{{3}})+(,\\d+)?$')"
        comma = (
            f"CASE WHEN {plain} THEN replace(replace({text}, '.', ''), ',', '.') "
            f"WHEN position('.' IN {text}) = 0 THEN replace({text}, ',', '.') END"
        )
        cast = f"TRY_CAST({comma} AS DOUBLE)"
    else:
        cast = f"TRY_CAST({text} AS DOUBLE)"
    if canonical in (*_IN_HOURS, *_IN_MINUTES):
        in_minutes = unit == "minutes" or (canonical in _IN_MINUTES and unit != "hours")
        per_hour = 60.0 if in_minutes else 1.0
        cast = f"coalesce({cast}, {parse_duration(text, per_hour)})"
    return f"coalesce({staged.number}, {cast})"


def _as_code(number: str) -> str:
    """Write a number as it would stand as a code: 1 rather than 1.0."""
    return (
        f"(CASE WHEN {number} = floor({number}) AND abs({number}) < 1e15 "
        f"THEN CAST(CAST({number} AS BIGINT) AS VARCHAR) ELSE CAST({number} AS VARCHAR) END)"
    )


def cell_sql(
    staged: Staged,
    spec: ClinicFile,
    canonical: str,
    rule: tables.Column,
    *,
    codes: Codes = MappingProxyType({}),
    unit: str | None = None,
    between: str | None = None,
) -> tuple[str, str]:
    """Write SQL for a column: its value, and the rule that the cell breaks (NULL if none).

    Parameters
    ----------
    staged
        The column as staged.
    spec
        The file's entry in clinic.yaml, with its defaults.
    canonical
        Name of the canonical column (or outcome).
    rule
        Its contract: kind, range, allowed values, pattern.
    codes, unit, between
        Of the column's entry under `columns:` or `wide:`.
    """
    if rule.kind == "text":
        return _text_sql(staged, spec, rule, codes, between)
    present = f"({clean_text(staged.text, spec.missing)}) IS NOT NULL"
    if staged.plain and not codes:
        return _plain_sql(staged, _scale(canonical, unit), rule)
    number = number_sql(staged, spec, canonical, codes, unit)
    if codes:
        present = f"({present} OR {staged.number} IS NOT NULL)"
    if rule.kind == "int":
        # 3.0 is a whole number that passed through a spreadsheet; 3.4 is not a day.
        number = f"(CASE WHEN {number} = floor({number}) THEN {number} END)"
        present = f"({present} OR {staged.number} IS NOT NULL)"
    scale = _scale(canonical, unit)
    value = number if scale == 1.0 else f"({number} * {scale!r})"
    bad = f"({number} IS NULL AND {present}) OR NOT isfinite({number})"
    low = rule.low if rule.low is not None or rule.kind != "int" else -_MAX_INT
    high = rule.high if rule.high is not None or rule.kind != "int" else _MAX_INT
    limits = [f"{value} < {low!r}"] if low is not None else []
    limits += [f"{value} > {high!r}"] if high is not None else []
    outside = " OR ".join(limits) or "false"
    wrong = "not_a_code" if codes else "not_a_number"
    problem = f"CASE WHEN {bad} THEN '{wrong}' WHEN {outside} THEN 'out_of_range' END"
    kept = f"CASE WHEN isfinite({number}) AND NOT ({outside}) THEN {value} END"
    return f"CAST({kept} AS {SQL_TYPE[rule.kind]})", problem


def _plain_sql(staged: Staged, scale: float, rule: tables.Column) -> tuple[str, str]:
    """Write `cell_sql` for a column that the engine read as numbers; only rules that are broken."""
    number, kind = staged.number, SQL_TYPE[rule.kind]
    value = number if scale == 1.0 else f"({number} * {scale!r})"
    low = rule.low if rule.low is not None or rule.kind != "int" else -_MAX_INT
    high = rule.high if rule.high is not None or rule.kind != "int" else _MAX_INT
    finite = math.isfinite(staged.lowest) and math.isfinite(staged.highest)
    above = low is None or (finite and staged.lowest * scale >= low)
    below = high is None or (finite and staged.highest * scale <= high)
    if staged.lowest > staged.highest:
        return f"CAST(NULL AS {kind})", "NULL"  # an empty column
    if finite and above and below and (staged.whole or rule.kind != "int"):
        return f"CAST({value} AS {kind})", "NULL"
    bad = f"NOT isfinite({number})"
    if rule.kind == "int":
        bad = f"({bad} OR {number} <> floor({number}))"
    limits = [f"{value} < {low!r}"] if low is not None else []
    limits += [f"{value} > {high!r}"] if high is not None else []
    outside = " OR ".join(limits) or "false"
    return (
        f"CAST(CASE WHEN NOT ({bad} OR {outside}) THEN {value} END AS {kind})",
        f"CASE WHEN {bad} THEN 'not_a_number' WHEN {outside} THEN 'out_of_range' END",
    )


def _scale(canonical: str, unit: str | None) -> float:
    """Take the factor of a unit: lengths of sessions are in minutes, of headaches in hours."""
    if canonical in _IN_MINUTES:
        return 60.0 if unit == "hours" else 1.0
    return SCALE.get(unit or "", 1.0)


def _text_sql(
    staged: Staged,
    spec: ClinicFile,
    rule: tables.Column,
    codes: Codes,
    between: str | None,
) -> tuple[str, str]:
    text = staged.text if staged.clean else f"({clean_text(staged.text, spec.missing)})"
    value, unknown = text, "false"
    if between:
        value = _list_sql(text, between, codes)
    elif codes:
        whens = " ".join(f"WHEN {literal(k)} THEN {literal(v)}" for k, v in codes.items())
        value = f"(CASE {text} {whens} END)"
        unknown = f"({text} IS NOT NULL AND {value} IS NULL)"
    unknown = f"({unknown} OR {_breaks(value, rule)})"
    if staged.clean and unknown == "(false OR false)":
        return value, "NULL"
    if staged.clean or (codes and not between):
        return (
            f"(CASE WHEN NOT coalesce({unknown}, false) THEN {value} END)",
            f"CASE WHEN {unknown} THEN 'not_a_code' END",
        )
    # A code that a spreadsheet could not work out would make one patient of many.
    errors = ", ".join(literal(e) for e in SPREADSHEET_ERRORS)
    failed = f"(CASE WHEN starts_with({text}, '#') THEN {text} IN ({errors}) ELSE false END)"
    return (
        f"(CASE WHEN NOT coalesce({unknown} OR {failed}, false) THEN {value} END)",
        f"CASE WHEN {failed} THEN 'spreadsheet_error' WHEN {unknown} THEN 'not_a_code' END",
    )


def _list_sql(text: str, between: str, codes: Codes) -> str:
    """Write SQL for a list in one cell, each part translated, joined by `;`."""
    parts = f"list_transform(string_split({text}, {literal(between)}), lambda p: trim(p))"
    if codes:
        whens = " ".join(f"WHEN {literal(k)} THEN {literal(v)}" for k, v in codes.items())
        parts = f"list_transform({parts}, lambda p: CASE p {whens} ELSE p END)"
    return f"array_to_string(list_filter({parts}, lambda p: p <> ''), ';')"


def band_sql(staged: Staged, width: int) -> str:
    """Write SQL for an age as a band such as `40-49`; 90 and over are one band (Safe Harbor)."""
    age = f"coalesce({staged.number}, TRY_CAST({staged.text} AS DOUBLE))"
    start = f"CAST(floor({age} / {width}) * {width} AS BIGINT)"
    return (
        f"(CASE WHEN {age} >= 90 THEN '90+' WHEN {age} >= 0 THEN "
        f"printf('%d-%d', {start}, least({start} + {width - 1}, 89)) END)"
    )
