"""One cell of a clinic's file as SQL: its value on our scale, and the rule that it breaks.

Every expression takes a staged column in two parts: `number`, where the engine could read the
cell as a number, and `text`, where it could not or was not asked to. Both mean the same cell: a
text is first brought into its normal form (`normal`), and compared with codes and markers by what
it says (`code_key`), so that a value does not depend on the file that it came in. A cell is never
guessed at: `<1`, `8/10` or `5-7` become missing and are listed, with the rule `not_a_number`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from headway import tables
from headway.config.clinic import ClinicFile, Column
from headway.ingest.times import read_clock, read_hours

if TYPE_CHECKING:
    import duckdb

SQL_TYPE = {"text": "VARCHAR", "int": "BIGINT", "float": "DOUBLE"}
Codes = Mapping[Any, Any]  # the clinic's code, as YAML reads it -> the canonical value

# Unit that a clinic declares -> factor to ours.
SCALE: dict[str, float] = {
    "days_per_28": 1.0,
    "days_per_month": 28 / 30.4375,
    "nrs_0_10": 1.0,
    "vas_0_100": 0.1,
    "hours": 1.0,
    "minutes": 1 / 60,
    "days": 24.0,
    "years": 1.0,
    "months": 1 / 12,
    "score": 1.0,
}
_OF_TIME = ("hours", "minutes", "days")
# Columns by which rows are told apart: a marker of missing answers is no marker there.
KEYS = ("patient_id", "day", "instrument", "window")
# In `codes:`, any text that is not named.
ANY_OTHER = "*"
# Patterns of dates: the usual one, and the serial numbers of a spreadsheet.
ISO, EXCEL = "%Y-%m-%d", "excel"
_SERIALS = 2_958_466  # the last one is 9999-12-31
_ISO_DATE = (
    r"^(\d{4}-\d{2}-\d{2})(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?Z|[+-]\d{2}(?::?\d{2})?)?)?$"
)
# A number as a code: more digits are somebody's number and stay text.
_NUMBER = r"^[-+]?\d{1,15}(\.\d+)?$"
_BLANKS = "\t\n\v\f\r\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u202f\u205f\u3000"
_NOTHING = "\u200b\u200c\u200d\u2060\ufeff"
_PLAIN_BLANKS = str.maketrans(_BLANKS, " " * len(_BLANKS), _NOTHING)
# Answers in columns of 1 and 0 (en, de, es), and where a number may stand for yes.
_YES = ("yes", "y", "true", "ja", "j", "wahr", "s\u00ed", "si", "s", "verdadero")
_NO = ("no", "n", "false", "nein", "falsch", "falso")
_ANSWERS = ("acute_medication", "vertigo", "tinnitus", "digestion")
# Columns of drugs, and what says there that none was taken.
DRUGS = ("acute_medication", "new_preventive")
_NONE = ("none", "nothing", "keine", "keines", "kein", "nichts", "ninguno", "ninguna", "nada")
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
_OLDEST = 120  # years
# A whole number that a spreadsheet would still hold exactly, far above any day or count.
MAX_INT = 1e9


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
    outside = _outside(number, rule)
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
    return isinstance(entry, str) or not (
        entry.codes or entry.list or entry.checkboxes or entry.shifted
    )


@dataclass(frozen=True, slots=True)
class Staged:
    """The two parts of a staged column, as SQL; `plain` where the engine read every cell.

    `lowest`, `highest` and `whole` are what is known of a plain column, so that rules that no
    cell breaks cost nothing.
    """

    number: str  # DOUBLE or NULL
    text: str  # VARCHAR in its normal form or NULL; where `number` is not NULL it is NULL
    plain: bool = False
    lowest: float = math.nan
    highest: float = math.nan
    whole: bool = False
    clean: bool = False  # no text is the error of a spreadsheet


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Teach the engine to read times and lengths of time (`ingest.times`)."""
    for reader in (read_hours, read_clock):
        connection.create_function(
            reader.__name__,
            reader,
            ["VARCHAR"],
            "DOUBLE",
            null_handling="special",
        )


def normal(text: str) -> str:
    """Write SQL for the normal form of a text: NFC, plain blanks, none around it."""
    # No-break and zero-width blanks come with what is pasted from a browser or a word processor.
    signs, blanks = literal(_BLANKS + _NOTHING), literal(" " * len(_BLANKS))
    return f"trim(translate(nfc_normalize({text}), {signs}, {blanks}))"


def cell_of(text: str) -> str:
    """Write SQL for the normal form of a cell's text; NULL where nothing is left of it."""
    return f"nullif({normal(text)}, '')"


def code_key(text: str) -> str:
    """Write SQL for what a text in normal form says as a code: 1 for `1`, `01` and `1.0`."""
    return (
        f"(CASE WHEN regexp_matches({text}, {literal(_NUMBER)}) "
        f"THEN {code_of_number(f'TRY_CAST({text} AS DOUBLE)')} ELSE {text} END)"
    )


def key_of(code: object) -> str:
    """Write a code of clinic.yaml as `code_key` writes a cell."""
    text = unicodedata.normalize("NFC", str(code)).translate(_PLAIN_BLANKS).strip(" ")
    if not re.fullmatch(_NUMBER, text):
        return text
    number = float(text)
    return str(int(number)) if number.is_integer() else repr(number)


def choose(text: str, codes: Codes) -> str:
    """Write SQL for what clinic.yaml says that a text means, NULL where it says nothing.

    Codes are compared as numbers where they are numbers, and without regard to case where that
    leaves one meaning; `"*"` is any other text.
    """
    exact = {key_of(k): v for k, v in codes.items() if k != ANY_OTHER}
    folded: dict[str, set[Any]] = {}
    for key, value in exact.items():
        folded.setdefault(key.lower(), set()).add(value)
    sole = {key: values.pop() for key, values in folded.items() if len(values) == 1}
    otherwise = literal(codes[ANY_OTHER]) if ANY_OTHER in codes else "NULL"
    key = code_key(text)
    near = _match(f"lower({key})", sole, otherwise)
    return f"(CASE WHEN {text} IS NOT NULL THEN {_match(key, exact, near)} END)"


def _match(key: str, codes: Codes, otherwise: str) -> str:
    whens = " ".join(f"WHEN {literal(k)} THEN {literal(v)}" for k, v in codes.items())
    return f"CASE {key} {whens} ELSE {otherwise} END" if whens else otherwise


def cell_text(staged: Staged, missing: Iterable[object]) -> str:
    """Write SQL for a cell as text; NULL if empty or a missing marker."""
    marked = is_marker(staged.text, missing)
    if marked == "false":
        return staged.text
    return f"(CASE WHEN {marked} THEN NULL ELSE {staged.text} END)"


def markers_of(canonical: str, missing: Iterable[object]) -> tuple[object, ...]:
    """List the markers of missing answers that count in a column.

    In a column by which rows are told apart a word may be somebody's code, and a number a day; only
    a word in the place of a day is no day.
    """
    if canonical not in KEYS:
        return tuple(missing)
    if canonical != "day":
        return ()
    return tuple(m for m in missing if not re.fullmatch(_NUMBER, key_of(m)))


def is_marker(text: str, missing: Iterable[object]) -> str:
    """Write SQL for whether a text is one of the markers of `missing:`."""
    marks = ", ".join(literal(key_of(m).lower()) for m in missing if str(m) != "")
    return f"lower({code_key(text)}) IN ({marks})" if marks else "false"


def _without_marks(staged: Staged, missing: Iterable[object]) -> str:
    """Write SQL for a number that the engine read; NULL if it is a missing marker."""
    marks = [float(key) for key in map(key_of, missing) if re.fullmatch(_NUMBER, key)]
    if staged.plain:
        # Outside what is known to stand there, a marker costs nothing.
        marks = [m for m in marks if not (m < staged.lowest or m > staged.highest)]
    if not marks:
        return staged.number
    listed = ", ".join(map(repr, marks))
    return f"(CASE WHEN {staged.number} IN ({listed}) THEN NULL ELSE {staged.number} END)"


def _text_as_number(text: str, decimal: str) -> str:
    """Write SQL for a text as a number; NULL if it is none."""
    text = f"replace({text}, '\u2212', '-')"
    if decimal != ",":
        return f"TRY_CAST({text} AS DOUBLE)"
    # 1.234,5: points between thousands go; 1.5 beside a declared comma is not a number.
    plain = f"regexp_matches({text}, '^[-+]?\\d{{1,3}}(\\.\\d{{3}})+(,\\d+)?$')"
    comma = (
        f"CASE WHEN {plain} THEN replace(replace({text}, '.', ''), ',', '.') "
        f"WHEN position('.' IN {text}) = 0 THEN replace({text}, ',', '.') END"
    )
    return f"TRY_CAST({comma} AS DOUBLE)"


def _text_as_answer(text: str, canonical: str) -> str:
    """Write SQL for yes as 1 and no as 0; NULL for any other text."""
    no = (*_NO, *_NONE) if canonical in DRUGS else _NO
    return (
        f"CASE WHEN lower({text}) IN ({', '.join(map(literal, _YES))}) THEN 1.0 "
        f"WHEN lower({text}) IN ({', '.join(map(literal, no))}) THEN 0.0 END"
    )


def _as_numbers(codes: Codes) -> Codes:
    """Write yes and no among the meanings of codes as 1 and 0."""
    words = dict.fromkeys(_YES, 1) | dict.fromkeys(_NO, 0)
    return {code: words.get(str(meaning).lower(), meaning) for code, meaning in codes.items()}


def number_sql(
    staged: Staged,
    spec: ClinicFile,
    canonical: str,
    rule: tables.Column,
    codes: Codes = MappingProxyType({}),
    unit: str | None = None,
) -> str:
    """Write SQL for a cell as a number on our scale, NULL if it is none or a missing marker."""
    missing = markers_of(canonical, spec.missing)
    text = cell_text(staged, missing)
    if codes:
        # A declared code goes before a number, and before a missing marker: "1" may mean "no".
        shown = f"coalesce({cell_text(staged, ())}, {code_of_number(staged.number)})"
        return f"TRY_CAST({choose(shown, _as_numbers(codes))} AS DOUBLE)"
    number = f"coalesce({_without_marks(staged, missing)}, {_text_as_number(text, spec.decimal)})"
    if rule.kind == "int":
        # 3.0 is a whole number that passed through a spreadsheet; 3.4 is not a day.
        number = f"(CASE WHEN {number} = floor({number}) THEN {number} END)"
    scale = _scale(canonical, unit)
    ways = [number if scale == 1.0 else f"({number} * {scale!r})"]
    if (rule.low == 0 and rule.high == 1) or canonical in _ANSWERS:
        ways.append(_text_as_answer(text, canonical))
    if canonical == "start_hour":
        ways.append(f"read_clock({text})")
    elif canonical in _IN_HOURS:
        ways.append(f"read_hours({text})")
    elif canonical in _IN_MINUTES:
        ways.append(f"60.0 * read_hours({text})")
    return ways[0] if len(ways) == 1 else f"coalesce({', '.join(ways)})"


def code_of_number(number: str) -> str:
    """Write a number as it would stand as a code: 1 rather than 1.0."""
    return (
        f"(CASE WHEN {number} = floor({number}) AND abs({number}) < 1e15 "
        f"THEN CAST(CAST({number} AS BIGINT) AS VARCHAR) ELSE CAST({number} AS VARCHAR) END)"
    )


def date_sql(staged: Staged, pattern: str | None, missing: Sequence[object]) -> tuple[str, str]:
    """Write SQL for a shifted date as days since 2000-01-01, and for the rule that it breaks.

    Read by the declared pattern (`excel`: the serial number of a spreadsheet), and as an ISO date
    with or without a time, which cannot mean anything else.
    """
    text = cell_text(staged, missing)
    if pattern == EXCEL:
        number = _without_marks(staged, missing)
        serial = f"coalesce({number}, TRY_CAST({text} AS DOUBLE))"
        text = f"coalesce({text}, CAST({number} AS VARCHAR))"
        day = f"CASE WHEN {serial} >= 0 AND {serial} < {_SERIALS} THEN floor({serial}) END"
        date = f"(DATE '1899-12-30' + CAST({day} AS INTEGER))"
    else:
        date = f"CAST(try_strptime({text}, {literal(pattern or ISO)}) AS DATE)"
    iso = f"TRY_CAST(nullif(regexp_extract({text}, {literal(_ISO_DATE)}, 1), '') AS DATE)"
    date = f"coalesce({date}, {iso})"
    return (
        f"({date} - DATE '2000-01-01')",
        f"CASE WHEN {text} IS NOT NULL AND {date} IS NULL THEN 'not_a_date' END",
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """What a cell says, before it is held against its column.

    `value` is SQL of what it says and `present` of whether it says anything; `judge` writes the
    value that may be used and the broken rule from both, so that each is named once.
    """

    value: str
    present: str
    rule: tables.Column
    wrong: str
    clean: bool = True

    def judge(self, value: str = "", present: str = "") -> tuple[str, str]:
        """Write SQL for the value that may be used, and for the rule that the cell breaks.

        Parameters
        ----------
        value, present
            Names under which `self.value` and `self.present` stand in the query; without them
            the expressions themselves.
        """
        value, present = value or self.value, present or self.present
        unread = f"{present} AND {value} IS NULL"
        if self.rule.kind == "text":
            broken = f"(({unread}) OR {_breaks(value, self.rule)})"
            kept = f"(CASE WHEN NOT coalesce({broken}, false) THEN {value} END)"
            rule = f"WHEN {broken} THEN '{self.wrong}'"
            if not self.clean:
                # A code that a spreadsheet could not work out would make one patient of many.
                errors = ", ".join(literal(e) for e in SPREADSHEET_ERRORS)
                failed = f"coalesce({value} IN ({errors}), false)"
                kept = f"(CASE WHEN NOT {failed} THEN {kept} END)"
                rule = f"WHEN {failed} THEN 'spreadsheet_error' {rule}"
            return kept, f"CASE {rule} END"
        outside = _outside(value, self.rule)
        return (
            f"CAST(CASE WHEN isfinite({value}) AND NOT ({outside}) THEN {value} END "
            f"AS {SQL_TYPE[self.rule.kind]})",
            f"CASE WHEN ({unread}) OR NOT isfinite({value}) THEN '{self.wrong}' "
            f"WHEN {outside} THEN 'out_of_range' END",
        )


def read_cell(
    staged: Staged,
    spec: ClinicFile,
    canonical: str,
    rule: tables.Column,
    *,
    codes: Codes = MappingProxyType({}),
    unit: str | None = None,
    between: str | None = None,
) -> Reading | tuple[str, str]:
    """Write SQL for a column: a reading, or where nothing can break a rule its value and NULL.

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
    missing = markers_of(canonical, spec.missing)
    if rule.kind == "text":
        return _read_text(staged, missing, rule, codes, between)
    if staged.plain and not codes:
        return _plain_sql(staged, _without_marks(staged, missing), _scale(canonical, unit), rule)
    # What is declared missing is no answer, unless it is a code of its own.
    present = f"({cell_text(staged, missing)} IS NOT NULL"
    present += f" OR {_without_marks(staged, missing)} IS NOT NULL)"
    wrong = "not_a_code" if codes else "not_a_number"
    return Reading(number_sql(staged, spec, canonical, rule, codes, unit), present, rule, wrong)


def cell_sql(
    staged: Staged,
    spec: ClinicFile,
    canonical: str,
    rule: tables.Column,
    *,
    codes: Codes = MappingProxyType({}),
    unit: str | None = None,
) -> tuple[str, str]:
    """Write `read_cell` as one expression each for the value and the rule that is broken."""
    reading = read_cell(staged, spec, canonical, rule, codes=codes, unit=unit)
    return reading.judge() if isinstance(reading, Reading) else reading


def _limits(rule: tables.Column) -> tuple[float | None, float | None]:
    """Take the lowest and highest value of a column; whole numbers always have both."""
    low = rule.low if rule.low is not None or rule.kind != "int" else -MAX_INT
    high = rule.high if rule.high is not None or rule.kind != "int" else MAX_INT
    return low, high


def _outside(value: str, rule: tables.Column) -> str:
    low, high = _limits(rule)
    limits = [f"{value} < {low!r}"] if low is not None else []
    limits += [f"{value} > {high!r}"] if high is not None else []
    return " OR ".join(limits) or "false"


def _plain_sql(staged: Staged, number: str, scale: float, rule: tables.Column) -> tuple[str, str]:
    """Write `cell_sql` for a column that the engine read as numbers; only rules that are broken."""
    kind = SQL_TYPE[rule.kind]
    value = number if scale == 1.0 else f"({number} * {scale!r})"
    low, high = _limits(rule)
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
    outside = _outside(value, rule)
    return (
        f"CAST(CASE WHEN NOT ({bad} OR {outside}) THEN {value} END AS {kind})",
        f"CASE WHEN {bad} THEN 'not_a_number' WHEN {outside} THEN 'out_of_range' END",
    )


def _scale(canonical: str, unit: str | None) -> float:
    """Take the factor of a unit: lengths of sessions are in minutes, of headaches in hours."""
    if canonical in _IN_MINUTES:
        return 60 * SCALE[unit] if unit in _OF_TIME else 1.0
    return SCALE.get(unit or "", 1.0)


def _read_text(
    staged: Staged,
    missing: Iterable[object],
    rule: tables.Column,
    codes: Codes,
    between: str | None,
) -> Reading | tuple[str, str]:
    text = cell_text(staged, missing)
    value = text
    if between:
        value = _list_sql(text, between, codes)
    elif codes:
        # As for numbers: a declared code goes before a missing marker.
        value = choose(cell_text(staged, ()), codes)
    elif rule.allowed:
        # `Dry needling` is dry_needling, `eur` is EUR.
        fold = "upper" if rule.allowed[0].isupper() else "lower"
        value = f"{fold}(regexp_replace({text}, '[ -]+', '_', 'g'))"
    coded = bool(codes) and not between
    if staged.clean and not coded and _breaks(value, rule) == "false":
        return value, "NULL"
    present = f"{text} IS NOT NULL" if coded else "false"
    return Reading(value, present, rule, "not_a_code", clean=staged.clean or coded)


def _list_sql(text: str, between: str, codes: Codes) -> str:
    """Write SQL for a list in one cell, each part translated, joined by `;`."""
    parts = f"list_transform(string_split({text}, {literal(between)}), lambda p: trim(p))"
    if codes:
        parts = f"list_transform({parts}, lambda p: coalesce({choose('p', codes)}, p))"
    return f"array_to_string(list_filter({parts}, lambda p: p <> ''), ';')"


def band_sql(staged: Staged, width: int, missing: Iterable[object]) -> tuple[str, str]:
    """Write SQL for an age as a band such as `40-49`, and for the rule that it breaks.

    90 and over are one band (Safe Harbor); nobody is older than `_OLDEST`.
    """
    text = cell_text(staged, missing)
    age = f"coalesce({_without_marks(staged, missing)}, TRY_CAST({text} AS DOUBLE))"
    start = f"CAST(floor({age} / {width}) * {width} AS BIGINT)"
    return (
        f"(CASE WHEN {age} BETWEEN 90 AND {_OLDEST} THEN '90+' WHEN {age} BETWEEN 0 AND 90 THEN "
        f"printf('%d-%d', {start}, least({start} + {width - 1}, 89)) END)",
        f"CASE WHEN ({text} IS NOT NULL AND {age} IS NULL) OR NOT isfinite({age}) "
        f"THEN 'not_a_number' WHEN {age} NOT BETWEEN 0 AND {_OLDEST} THEN 'out_of_range' END",
    )
