"""REDCap: its data dictionary, which marks identifiers, and the names of its flat export.

The dictionary is the CSV of 18 columns that REDCap exports, with the headings of its pages
(`Variable / Field Name`, `Identifier?`) or of its API (`field_name`, `identifier`). The records
themselves are a plain CSV; `headway.ingest.clinics` picks rows by event and repeating instrument.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headway.errors import InputError, Problem
from headway.ingest.gate.names import find_in_column_name
from headway.messages import Message, term

# The columns that say which form a row of a flat export belongs to: as raw names, as labels.
EVENT = ("redcap_event_name", "Event Name")
INSTRUMENT = ("redcap_repeat_instrument", "Repeat Instrument")
# What is read of a dictionary, by both kinds of headings.
_HEADINGS = {
    "name": ("variable / field name", "field_name"),
    "label": ("field label", "field_label"),
    "choices": ("choices, calculations, or slider labels", "select_choices_or_calculations"),
    "validation": (
        "text validation type or show slider number",
        "text_validation_type_or_show_slider_number",
    ),
    "identifier": ("identifier?", "identifier"),
}
_REQUIRED = ("name", "identifier")
_YES = ("y", "yes", "1", "true")
# Validations of a text field that say that it identifies, whatever its mark says.
_TELLING = ("email", "phone", "ssn", "mrn", "zipcode", "postalcode", "vmrn")
CHOICE = re.compile(r"^(.*) \(choice=(.*)\)$", flags=re.DOTALL)


_COMPLETE = "Complete?"
_NUMBERED = re.compile(r" \[\d+\]$")
_ARM = r" *\(Arm (\d+)(:.*)?\) *$"
_MADE = r".*_arm_\d+[a-z]?"
# The status of a form by its label, in REDCap's languages. Only a complete form is closed.
STATUS_LABELS: dict[str, int] = {
    **dict.fromkeys(
        ("complete", "completo", "completa", "completado", "vollständig", "abgeschlossen"), 1
    ),
    **dict.fromkeys(("incomplete", "incompleto", "incompleta", "unvollständig"), 0),
    **dict.fromkeys(("unverified", "no verificado", "sin verificar", "sin comprobar"), 0),
    **dict.fromkeys(
        ("ungeprüft", "nicht verifiziert", "nicht überprüft", "nicht geprüft", "unbestätigt"), 0
    ),
}


def status_codes(labels: Iterable[str]) -> dict[str, int]:
    """Give the codes of a form's status, those in an export of labels as they stand there."""
    told = {label: STATUS_LABELS[label.lower()] for label in labels}
    return {"0": 0, "1": 0, "2": 1, **told}


def is_status(column: str) -> bool:
    """Tell whether a column is called like the status of a form: `form_complete`, `Complete?`."""
    return column.endswith("_complete") or _NUMBERED.sub("", column) == _COMPLETE


def name_form(label: str) -> str:
    """Name a form as REDCap does by its label: `Diary day` is diary_day; a name stays as it is."""
    text = re.sub(r"\s+", "_", label.strip().lower())
    return re.sub("_+", "_", re.sub("[^a-z0-9_]", "", text))[:50]


def form_sql(text: str) -> str:
    """Write SQL for `name_form`."""
    under = rf"regexp_replace(lower({text}), '\s+', '_', 'g')"
    return (
        f"left(regexp_replace(regexp_replace({under}, '[^a-z0-9_]', '', 'g'), '_+', '_', 'g'), 50)"
    )


def name_event(label: str) -> str:
    """Name an event as REDCap does by its label: `Week 4 (Arm 2: Care)` is week_4_arm_2.

    Empty if the label has no letter that a name may hold.
    """
    made = name_form(label)
    if re.fullmatch(_MADE, made):
        return made
    arm = re.search(_ARM, label)
    base = name_form(re.sub(_ARM, "", label))[:18].rstrip("_")
    return f"{base}_arm_{arm[1] if arm else 1}" if base else ""


def event_sql(text: str) -> str:
    """Write SQL for `name_event`."""
    base = form_sql(f"regexp_replace({text}, '{_ARM}', '')")
    arm = f"coalesce(nullif(regexp_extract({text}, '{_ARM}', 1), ''), '1')"
    return (
        f"(CASE WHEN regexp_full_match({form_sql(text)}, '{_MADE}') THEN {form_sql(text)} "
        f"ELSE concat(rtrim(left({base}, 18), '_'), '_arm_', {arm}) END)"
    )


def tell_apart(header: Sequence[str], wanted: Collection[str], keys: Collection[str]) -> list[str]:
    """Give the repeated headers of an export with labels a name of their own.

    The n-th column called `Complete?` becomes `Complete? [n]`. One of them keeps its name, if
    clinic.yaml names it and it belongs to the form that the entry reads: the columns of a form end
    with its `Complete?`.

    Parameters
    ----------
    header
        As in the file.
    wanted
        The columns that clinic.yaml names.
    keys
        Those among them that belong to no form: the code of the patient.

    Returns
    -------
    list of str
        The header; a name that is wanted and could be several columns stays repeated.
    """
    form = [header[:i].count(_COMPLETE) for i in range(len(header))]
    outside = {*keys, *EVENT, *INSTRUMENT}
    forms = {
        form[i]
        for i, name in enumerate(header)
        if header.count(name) == 1 and name in wanted and name not in outside
    }
    out = list(header)
    for name in {c for c in header if c and header.count(c) > 1}:
        at = [i for i, c in enumerate(header) if c == name]
        own = [i for i in at if form[i] in forms]
        chosen = own[0] if name in wanted and len(forms) == len(own) == 1 else None
        if name in wanted and chosen is None:
            continue
        for number, i in enumerate(at, start=1):
            told = f"{name} [{number}]"
            if i != chosen or told in wanted:
                out[i] = told
    return out


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a data dictionary; `validation` is the kind of text it admits.

    `choices` maps the codes of an answer to their labels.
    """

    name: str
    label: str
    validation: str
    identifier: bool
    choices: Mapping[str, str] = dataclasses.field(default_factory=dict)


def read_dictionary(path: Path) -> dict[str, Field]:
    """Read a data dictionary; returns its fields by name.

    Raises
    ------
    InputError
        `missing_file`, or `not_a_dictionary` if it lacks the names of fields or `Identifier?`.
    """
    try:
        data = path.read_bytes()
    except OSError:
        raise InputError(
            "failure.dictionary_missing",
            [
                Problem(
                    path.name,
                    "missing_file",
                    "problem.not_there",
                    remedy="remedy.dictionary_missing",
                )
            ],
        ) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")  # saved by a spreadsheet program
    for delimiter in (",", ";", "\t"):
        # Strict: a quote that stays open would swallow the fields behind it.
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            header = [" ".join(cell.split()).lower() for cell in next(reader, [])]
            at = {
                key: next(i for i, cell in enumerate(header) if cell in names)
                for key, names in _HEADINGS.items()
                if any(cell in names for cell in header)
            }
            if set(_REQUIRED) <= at.keys():
                fields = [_read_field(row, at) for row in reader if any(row)]
                return {field.name: field for field in fields if field.name}
        except csv.Error:
            continue
    raise InputError(
        "failure.dictionary",
        [
            Problem(
                path.name,
                "not_a_dictionary",
                "problem.no_dictionary",
                remedy="remedy.no_dictionary",
            )
        ],
    )


def _read_field(row: Sequence[str], at: Mapping[str, int]) -> Field:
    cells = {key: row[i].strip() if i < len(row) else "" for key, i in at.items()}
    return Field(
        cells["name"].lower(),
        _plain(cells.get("label", "")),
        cells.get("validation", "").lower(),
        cells["identifier"].lower() in _YES,
        _read_choices(cells.get("choices", "")),
    )


def _read_choices(text: str) -> dict[str, str]:
    """Read `1, Yes | 0, No`; a calculation has no such parts."""
    parts = [part.partition(",") for part in text.split("|")]
    if not all(mark and code.strip() for code, mark, _ in parts):
        return {}
    return {code.strip(): " ".join(label.split()) for code, _, label in parts}


def is_dictionary(header: Sequence[str]) -> bool:
    """Tell whether a header is that of a data dictionary."""
    names = {" ".join(cell.split()).lower() for cell in header}
    return all(names & set(_HEADINGS[key]) for key in _REQUIRED)


def _plain(label: str) -> str:
    """Write a label as an export's header has it: without markup, blanks and case."""
    return " ".join(re.sub(r"<[^>]*>", " ", label).split()).casefold()


def find_boxes(question: str, columns: Sequence[str]) -> dict[str, str]:
    """Find the columns of a question with checkboxes: code (or label) of each box -> column.

    Raw headers are `field___code`, where REDCap writes a code such as -1 as `_1`; the headers of
    labels are `Question (choice=Label)`.
    """
    boxes = {c.split("___", 1)[1]: c for c in columns if c.startswith(f"{question}___")}
    for column in columns:
        found = CHOICE.match(column)
        if found and found[1].strip() == question:
            boxes[found[2]] = column
    return boxes


def as_box(code: object) -> str:
    """Write a code as it stands behind `field___`: lower case, `_` for a minus."""
    return str(code).strip().lower().replace("-", "_")


def gate(
    dictionary: Mapping[str, Field],
    staged_columns: Sequence[str],
    drop: Collection[str],
    file_name: str,
) -> list[Problem]:
    """List the columns of an export that the data dictionary says identify a person.

    Parameters
    ----------
    dictionary
        Fields by name.
    staged_columns
        The export's own columns: names of fields, `field___code`, or labels.
    drop
        Columns that are never read.
    file_name
        What messages call the export.

    Returns
    -------
    list of Problem
        Rule `redcap_identifier`: marked `Identifier?`, of a kind that identifies, or labelled so.
    """
    problems = []
    for column in staged_columns:
        if column in drop:
            continue
        for field in _fields_of(dictionary, column):
            if field.identifier:
                said: str = "problem.marked_identifier"
            elif field.validation.startswith(_TELLING):
                said = "problem.telling_validation"
            elif rule := find_in_column_name(field.label):
                said = Message("problem.label_says", what=term("identifier", rule))
            else:
                continue
            problems.append(
                Problem(
                    file_name,
                    "redcap_identifier",
                    said,
                    column=column,
                    remedy="remedy.redcap_identifier",
                )
            )
            break
    return problems


def _fields_of(dictionary: Mapping[str, Field], column: str) -> list[Field]:
    """Find the fields that a column may be: by name, or every one with that label."""
    column = _NUMBERED.sub("", column)
    name = column.split("___", 1)[0].lower()
    if name in dictionary:
        return [dictionary[name]]
    found = CHOICE.match(column)
    label = _plain(found[1] if found else column)
    return [field for field in dictionary.values() if field.label and field.label == label]
