"""FHIR R4 resources (a Bundle, a JSON array, NDJSON) -> one CSV with a row per resource.

The position of a resource, counted from 1 with every resource and blank line of the file, is its
line in messages; in NDJSON it is the file's own line.

Columns of `Observation`, one row each (status final, amended or corrected):

| column | from |
|---|---|
| patient | subject.reference, without `Patient/` and what stands before it |
| code | code.coding: the first code |
| status | status |
| effective | day of effectiveDateTime, effectiveInstant or effectivePeriod.start, as written |
| value | value[x], see below |
| unit | valueQuantity: code, else unit |
| component.<code> | value[x] of the component with that code |
| component.<code>.unit | its unit, where a quantity has one |

Columns of `QuestionnaireResponse`, one row each (status completed or amended):

| column | from |
|---|---|
| patient | subject.reference |
| questionnaire | last part of the canonical address, without version |
| status | status |
| authored | day of authored, as written |
| item.<linkId> | answers to the item, nested ones too, joined by `;` |

A value keeps the text of the file: a quantity its number, behind its comparator if it has one
(`<1`, which is not a number); a boolean becomes 1 or 0, a coded answer its code. A value that is no
single number or word (a range, a ratio, an attachment, a reference) becomes `#valueRange`, so that
it is listed and not blank. A resource without a value is a row with an empty cell.

Never written: display, text, narrative, note, identifier, performer, author, source and id, and
anything of a contained resource. Days are full dates, which the gate refuses unless clinic.yaml
says that they were shifted (`offset_from:`) or drops them.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from headway.errors import InputError, Problem
from headway.messages import Message, term

_STATUSES = {
    "Observation": ("final", "amended", "corrected"),
    "QuestionnaireResponse": ("completed", "amended"),
}
_FIXED = {
    "Observation": ("patient", "code", "status", "effective", "value", "unit"),
    "QuestionnaireResponse": ("patient", "questionnaire", "status", "authored"),
}
_DAY = re.compile(r"^(\d{4}-\d{2}-\d{2})T")
# Values that are written as they stand.
_PLAIN = (
    "valueInteger",
    "valueDecimal",
    "valueString",
    "valueDate",
    "valueDateTime",
    "valueTime",
    "valueUri",
)


@dataclass(frozen=True, slots=True)
class Flat:
    """Resources as a CSV file.

    Attributes
    ----------
    path, header
        The CSV file and its columns.
    rows, resources_read
        Rows written, of so many resources.
    resources_ignored
        Reason -> number: `patient`, `contained`, `another kind`, `status`, `not a resource`.
    line_offset
        What a line of the CSV file must be raised by to be the resource's position.
    mixed_units
        (column of units, code) where one code comes in several units.
    notes
        Remarks for the account.
    """

    path: Path
    header: tuple[str, ...]
    rows: int
    resources_read: int
    resources_ignored: Mapping[str, int]
    line_offset: int
    mixed_units: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


class _Number(str):
    """A number of the file, as its text."""

    __slots__ = ()


def flatten(raw: Path, target_csv: Path, *, resource: str) -> Flat:
    """Write the resources of one kind as a CSV file; the columns are in the module's docstring.

    Parameters
    ----------
    raw
        A Bundle, one resource, an array of either, or NDJSON; also packed (.gz).
    target_csv
        The file to write.
    resource
        `Observation` or `QuestionnaireResponse`.

    Raises
    ------
    InputError
        `damaged_json` with its line, `encoding`, `damaged_gzip`, `not_fhir`, or `empty_file` if no
        resource becomes a row.
    """
    make = _observation if resource == "Observation" else _response
    columns: dict[str, None] = dict.fromkeys(_FIXED[resource])
    ignored: Counter[str] = Counter()
    units: dict[tuple[str, str], set[str]] = {}
    read = rows = 0
    pages = False
    # Twice through the file, so that nothing but one resource is held of a long NDJSON file.
    for found in _resources(raw):
        if found is None:
            continue
        if found.get("resourceType") == "Bundle":
            pages = pages or any(
                _dict(link).get("relation") == "next" for link in _list(found.get("link"))
            )
            continue
        read += 1
        contained = len(_list(found.get("contained")))
        if contained:
            read += contained
            ignored["contained"] += contained
        reason = _ignore(found, resource)
        if reason:
            ignored[reason] += 1
            continue
        rows += 1
        row = make(found)
        columns |= dict.fromkeys(row)
        for column in row:
            code = row["code"] if column == "unit" else column.removesuffix(".unit")
            if (column == "unit" or column.endswith(".unit")) and row[column]:
                units.setdefault((column, code), set()).add(row[column])
    if not rows:
        raise _empty(raw, resource, ignored)
    header = tuple(columns)
    target_csv.parent.mkdir(parents=True, exist_ok=True)
    with target_csv.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        for found in _resources(raw):
            if found is not None and found.get("resourceType") == "Bundle":
                continue
            if found is None or _ignore(found, resource):
                stream.write("\n")  # keeps the line of what follows
                continue
            row = make(found)
            writer.writerow([row.get(column, "") for column in header])
    notes = ["account.next_page"] if pages else []
    mixed = tuple(key for key, several in units.items() if len(several) > 1)
    return Flat(target_csv, header, rows, read, dict(ignored), -1, mixed, tuple(notes))


def _empty(raw: Path, resource: str, ignored: Mapping[str, int]) -> InputError:
    statuses = list(_STATUSES[resource])
    return InputError(
        "failure.unreadable",
        [
            Problem(
                raw.name,
                "empty_file",
                Message(
                    "problem.no_resource",
                    resource=resource,
                    statuses=statuses,
                    ignored=list_ignored(ignored),
                ),
                remedy="remedy.no_resource",
            )
        ],
    )


def list_ignored(ignored: Mapping[str, int]) -> list[Message]:
    """List how many resources are no row, and why."""
    found = [
        Message("account.ignored", n=n, reason=term("ignored", reason))
        for reason, n in sorted(ignored.items())
    ]
    return found or [Message("account.none")]


def _ignore(found: Mapping[str, Any], resource: str) -> str:
    """Say why a resource is no row; empty if it is one. The reasons hold nothing of the file."""
    kind = found.get("resourceType")
    if kind == resource:
        return "" if found.get("status") in _STATUSES[resource] else "status"
    if kind == "Patient":
        return "patient"
    return "another_kind" if isinstance(kind, str) else "not_a_resource"


def _resources(raw: Path) -> Iterator[dict[str, Any] | None]:
    """Yield every resource in order, a Bundle before its entries; None for a blank line."""
    try:
        yield from _read(raw)
    except UnicodeDecodeError:
        raise _cannot_read(
            raw, "encoding", "problem.not_utf8", "remedy.save_as_plain_utf8"
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise _cannot_read(
            raw, "damaged_gzip", "problem.damaged_gzip", "remedy.copy_again"
        ) from None


def _open(raw: Path) -> IO[str]:
    if raw.suffix.lower() == ".gz":
        return gzip.open(raw, "rt", encoding="utf-8-sig")
    return raw.open(encoding="utf-8-sig")


def _read(raw: Path) -> Iterator[dict[str, Any] | None]:
    lines = ".ndjson" in (suffix.lower() for suffix in raw.suffixes[-2:])
    if not lines:
        with _open(raw) as stream:
            start = stream.readline()
        # NDJSON under another name: its first line is a whole resource, and there are more lines.
        lines = _is_whole(start)
    with _open(raw) as stream:
        if not lines:
            yield from _expand(_parse(raw, stream.read(), 1), raw)
            return
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield from _expand(_parse(raw, line, number), raw)
            else:
                yield None


def _is_whole(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _parse(raw: Path, text: str, line: int) -> Any:
    """Parse JSON, numbers as their text."""
    remedy = "remedy.export_again"
    try:
        return json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    except json.JSONDecodeError as error:
        # The parser's own message repeats nothing of the file; the line is enough.
        raise _cannot_read(
            raw, "damaged_json", "problem.damaged_json", remedy, line + error.lineno - 1
        ) from None
    except RecursionError:
        raise _cannot_read(raw, "damaged_json", "problem.nested_json", remedy, line) from None


def _cannot_read(
    raw: Path, rule: str, message: str, remedy: str, line: int | None = None
) -> InputError:
    return InputError(
        "failure.unreadable", [Problem(raw.name, rule, message, line=line, remedy=remedy)]
    )


def _expand(document: Any, raw: Path) -> Iterator[dict[str, Any]]:
    """Yield a resource, or those of a Bundle or an array."""
    if isinstance(document, list):
        for one in document:
            yield from _expand(one, raw)
    elif not isinstance(document, dict) or "resourceType" not in document:
        raise _cannot_read(raw, "not_fhir", "problem.not_fhir", "remedy.not_fhir")
    elif document["resourceType"] == "Bundle":
        yield document
        for entry in _list(document.get("entry")):
            inner = _dict(_dict(entry).get("resource"))
            if inner.get("resourceType") == "Bundle":
                yield from _expand(inner, raw)
            else:
                yield inner
    else:
        yield document


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _word(value: Any) -> str:
    """Write a text or number in one line; anything else is no value."""
    if not isinstance(value, str):
        return ""
    # JSON may hold halves of characters, which no text file can.
    whole = value.encode("utf-8", "replace").decode("utf-8")
    return " ".join(whole.replace("\0", " ").splitlines())


def _code(concept: Any) -> str:
    """Take the first code of a CodeableConcept; never its text or display."""
    codes = [_word(_dict(c).get("code")) for c in _list(_dict(concept).get("coding"))]
    return next((code for code in codes if code), "")


def _patient(found: Mapping[str, Any]) -> str:
    """Take the patient's code from a reference: relative, absolute, by version or urn."""
    text = _word(_dict(found.get("subject")).get("reference")).split("/_history/")[0]
    if text.startswith("urn:"):
        return text.rsplit(":", 1)[1]
    kind, _, code = text.rpartition("/")
    # A reference to a contained resource (#...) or to a group names no patient.
    return code if kind == "Patient" or kind.endswith("/Patient") else ""


def _day(value: Any) -> str:
    """Take the day of a date and time; a part of a date stays as it is, and is listed later."""
    text = _word(value)
    found = _DAY.match(text)
    return found[1] if found else text


def _value(found: Mapping[str, Any]) -> tuple[str, str]:
    """Take value[x] and its unit."""
    for key, value in found.items():
        if not key.startswith("value") or value is None:
            continue
        if key == "valueBoolean":
            return {"True": "1", "False": "0"}.get(str(value), f"#{key}"), ""
        if key == "valueQuantity":
            quantity = _dict(value)
            number = _word(quantity.get("value"))
            text = f"{_word(quantity.get('comparator'))}{number}" if number else ""
            return text, _word(quantity.get("code")) or _word(quantity.get("unit"))
        if key == "valueCodeableConcept":
            # An answer in nothing but words cannot be read, and words may say anything.
            return _code(value) or f"#{key}", ""
        if key == "valueCoding":
            return _word(_dict(value).get("code")) or f"#{key}", ""
        if key in _PLAIN:
            return _word(value), ""
        if key[5:6].isupper():
            return f"#{key}" if key.isalnum() and len(key) < 30 else "#value", ""
    return "", ""


def _observation(found: Mapping[str, Any]) -> dict[str, str]:
    period = _dict(found.get("effectivePeriod"))
    value, unit = _value(found)
    row = {
        "patient": _patient(found),
        "code": _code(found.get("code")),
        "status": _word(found.get("status")),
        "effective": _day(
            found.get("effectiveDateTime") or found.get("effectiveInstant") or period.get("start")
        ),
        "value": value,
        "unit": unit,
    }
    several: dict[str, list[str]] = {}
    for component in map(_dict, _list(found.get("component"))):
        column = f"component.{_code(component.get('code')) or '(no code)'}"
        part, of = _value(component)
        several.setdefault(column, []).append(part)
        if of:
            several.setdefault(f"{column}.unit", []).append(of)
    for column, parts in several.items():
        # A unit that is said twice is one unit; a value that is given twice is two.
        kept = dict.fromkeys(parts) if column.endswith(".unit") else parts
        row[column] = ";".join(part for part in kept if part)
    return row


def _response(found: Mapping[str, Any]) -> dict[str, str]:
    address = _word(found.get("questionnaire")).split("|")[0]
    row = {
        "patient": _patient(found),
        "questionnaire": address.rstrip("/").rsplit("/", 1)[-1],
        "status": _word(found.get("status")),
        "authored": _day(found.get("authored")),
    }
    answers: dict[str, list[str]] = {}
    waiting = [_dict(item) for item in reversed(_list(found.get("item")))]
    while waiting:
        item = waiting.pop()
        name = f"item.{_word(item.get('linkId')) or '(no linkId)'}"
        below = list(_list(item.get("item")))
        given = answers.setdefault(name, []) if item.get("answer") or not below else []
        for answer in map(_dict, _list(item.get("answer"))):
            given.append(_value(answer)[0])
            below += _list(answer.get("item"))
        waiting += [_dict(one) for one in reversed(below)]
    return row | {name: ";".join(a for a in given if a) for name, given in answers.items()}
