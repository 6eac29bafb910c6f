"""FHIR R4 resources (a Bundle, a JSON array, NDJSON) -> one CSV with a row per resource.

The position of a resource, counted from 1 with every resource and blank line of the file, is its
line in messages; in NDJSON it is the file's own line.

Columns of `Observation`, one row each (status final, amended or corrected):

| column | from |
|---|---|
| patient | subject.reference, without `Patient/` and what stands before it |
| code | code.coding, see below |
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
| questionnaire | last part of the canonical address, or as `keep_where` writes it |
| status | status |
| authored | day of authored, as written |
| item.<linkId> | answers to the item, nested ones too, joined by `;` |

The codings of a concept have no order. A cell takes the one that clinic.yaml names, as `code` or
`system|code`; two that it gives different meanings become `#coding`. Where it names none, the cell
takes the one that a user selected, else the first in the alphabet.

A quantity is written in the unit that clinic.yaml reads the column in (`units`); in a unit that
measures something else, or that nobody knows, it becomes `#unit`.

A value keeps the text of the file: a quantity its number, behind its comparator if it has one
(`<1`, which is not a number); a boolean becomes 1 or 0, a coded answer its code. A value that is no
single number or word (a range, a ratio, an attachment, a reference) becomes `#valueRange`, so that
it is listed and not blank. A resource without a value, or with a reason for its absence, is a row
with an empty cell.

Versions of one resource and files that are pages of one search are put together by `pages`.

Never written: display, text, narrative, note, identifier, performer, author and source, and
anything of a contained resource. Days are full dates, which the gate refuses unless clinic.yaml
says that they were shifted (`offset_from:`) or drops them.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from headway.config.clinic import ClinicFile
from headway.errors import InputError, Problem
from headway.ingest.adapters.units import Unit, convert, expect_unit, find_unit
from headway.ingest.cells import boxes_of, own_column
from headway.messages import Message, term
from headway.tables import TABLES

# Statuses that make a row.
STATUSES = {
    "Observation": ("final", "amended", "corrected"),
    "QuestionnaireResponse": ("completed", "amended"),
}
_FIXED = {
    "Observation": ("patient", "code", "status", "effective", "value", "unit"),
    "QuestionnaireResponse": ("patient", "questionnaire", "status", "authored"),
}
_DAY = re.compile(r"^(\d{4}-\d{2}-\d{2})T")
# system|code, or an address alone.
_ADDRESS = re.compile(r"^((?:https?://|urn:)[^\s|]*)(?:\|(.*))?$")
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
_NUMERAL = re.compile(r"^[-+]?\d+(\.\d+)?$")
_PROCESSED = ("patients", "sessions", "days", "questionnaires")
# Cells that hold an answer which cannot be used: it is listed, and is not blank.
CODING, UNIT = "#coding", "#unit"
# Code systems of reasons why there is no answer.
_NO_ANSWER = ("data-absent-reason", "v3-NullFlavor")
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


class _Number(str):
    """A number of the file, as its text."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Want:
    """What clinic.yaml asks of one column.

    Attributes
    ----------
    codes
        Spelling of a code -> what it means.
    kept
        Spellings under `keep_where`.
    number
        Whether the column holds numbers.
    unit
        The unit that numbers are read in: its name and size.
    comma
        Whether clinic.yaml declares a decimal comma, which JSON never has.
    """

    codes: Mapping[str, object] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    number: bool = False
    unit: tuple[str, Unit] | None = None
    comma: bool = False


def list_wants(spec: ClinicFile, wanted: Collection[str]) -> dict[str, Want]:
    """List what an entry of clinic.yaml asks of its columns; `wanted` are all that it names."""
    wants = {column: Want() for column in wanted}
    rules = {name: rule for t in _PROCESSED for name, rule in TABLES[t].columns.items()}
    read: list[tuple[str, str, str | None, Mapping[Any, object]]] = [
        (own_column(entry), canonical, None, {})
        if isinstance(entry, str)
        else (own_column(entry), canonical, entry.unit, entry.codes)
        for canonical, entry in spec.columns.items()
        if not boxes_of(entry)
    ]
    read += [(entry.column, entry.outcome, entry.unit, {}) for entry in spec.wide]
    if spec.window_from is not None:
        read.append((spec.window_from.column, "window", None, spec.window_from.codes))
    for column, canonical, unit, codes in read:
        rule = rules.get(canonical)
        text = canonical == "window" or (rule is not None and rule.kind == "text")
        meant = {str(code): meaning for code, meaning in codes.items()}
        if not meant and rule is not None and rule.allowed:
            meant = {allowed: allowed for allowed in rule.allowed}
        wants[column] = Want(
            meant,
            number=not text,
            unit=None if text or codes else expect_unit(canonical, unit),
            comma=spec.decimal == "," and not text,
        )
    for column, values in spec.keep_where.items():
        wants[column] = replace(wants.get(column, Want()), kept=tuple(map(str, values)))
    return wants


@dataclass(slots=True)
class Units:
    """How the values of one column came: how many in a unit that fits, and in one that does not.

    `named` are the units of the latter, as far as they are known.
    """

    fit: int = 0
    converted: int = 0
    wrong: int = 0
    named: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Flat:
    """Resources as a CSV file.

    Attributes
    ----------
    path, header
        The CSV file and its columns: those of the resources, and those that were asked for.
    found
        The columns of the resources alone.
    rows, resources_read
        Rows written, of so many resources.
    resources_ignored
        Reason -> number: `patient`, `contained`, `another_kind`, `status`, `not_a_resource`.
    units
        Column -> the units of its selected values.
    versions
        A CSV file beside the other: position, id, version, time of change, status and patient of
        every resource of the kind that has an id.
    bundles, next_pages, total, matches
        Bundles in the file, those that name a next page, the number of resources that the search
        found in all (0 if it is not said), and those of them in this file.
    """

    path: Path
    header: tuple[str, ...]
    found: frozenset[str]
    rows: int
    resources_read: int
    resources_ignored: Mapping[str, int]
    units: Mapping[str, Units]
    versions: Path
    bundles: int = 0
    next_pages: int = 0
    total: int = 0
    matches: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells, and the columns whose number was converted or is in a wrong unit."""

    cells: dict[str, str]
    units: dict[str, tuple[str, str]]


def flatten(
    raw: Path,
    target_csv: Path,
    *,
    resource: str,
    wants: Mapping[str, Want] = MappingProxyType({}),
) -> Flat:
    """Write the resources of one kind as a CSV file; the columns are in the module's docstring.

    Parameters
    ----------
    raw
        A Bundle, one resource, an array of either, or NDJSON; also packed (.gz).
    target_csv
        The file to write.
    resource
        `Observation` or `QuestionnaireResponse`.
    wants
        What clinic.yaml asks of the columns that it names.

    Raises
    ------
    InputError
        `damaged_json` with its line, `encoding`, `damaged_gzip` or `not_fhir`.
    """
    make = _observation if resource == "Observation" else _response
    columns: dict[str, None] = dict.fromkeys(_FIXED[resource])
    ignored: Counter[str] = Counter()
    pages: Counter[str] = Counter()
    units: dict[str, Units] = {}
    read = rows = 0
    # Twice through the file, so that nothing but one resource is held of a long NDJSON file.
    for found in _resources(raw):
        if found is None:
            continue
        if found.get("resourceType") == "Bundle":
            _count_page(found, pages)
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
        row = make(found, wants)
        columns |= dict.fromkeys(row.cells)
        if row.units and _is_kept(row, wants):
            _count_units(row, units)
    asked = [c for c in wants if c not in columns and is_column(c, resource)]
    header = (*columns, *asked)
    target_csv.parent.mkdir(parents=True, exist_ok=True)
    versions = target_csv.with_suffix(".versions")
    with (
        target_csv.open("w", encoding="utf-8", newline="") as stream,
        versions.open("w", encoding="utf-8", newline="") as beside,
    ):
        writer = csv.writer(stream, lineterminator="\n")
        notes = csv.writer(beside, lineterminator="\n")
        writer.writerow(header)
        position = 0
        for found in _resources(raw):
            if found is not None and found.get("resourceType") == "Bundle":
                continue
            position += 1
            if found is not None and found.get("resourceType") == resource and found.get("id"):
                notes.writerow([position, *_version(found)])
            if found is None or _ignore(found, resource):
                stream.write("\n")  # keeps the line of what follows
                continue
            cells = make(found, wants).cells
            writer.writerow([cells.get(column, "") for column in header])
    return Flat(
        target_csv, header, frozenset(columns), rows, read, dict(ignored), units, versions,
        pages["bundles"], pages["next"], pages["total"], pages["matches"],
    )  # fmt: skip


def is_column(name: str, resource: str) -> bool:
    """Tell whether a resource of this kind can have a column of this name."""
    parts = "component." if resource == "Observation" else "item."
    return name in _FIXED[resource] or (name.startswith(parts) and name != parts)


def write_code(text: str) -> str:
    """Write a code as a cell has it: an address, of its system or its own, becomes a short mark.

    A cell with a link in it would be refused by the gate.
    """
    address = _ADDRESS.match(text)
    if not address:
        return text
    mark = hashlib.sha256(address[1].encode()).hexdigest()[:8].translate(_LETTERS)
    return f"{address[2] or address[1].rstrip('/').rsplit('/', 1)[-1]} of {mark}"


def _is_kept(row: Row, wants: Mapping[str, Want]) -> bool:
    return all(
        row.cells.get(column, "") in map(write_code, want.kept)
        for column, want in wants.items()
        if want.kept
    )


def _count_units(row: Row, units: dict[str, Units]) -> None:
    for column, (how, name) in row.units.items():
        of = units.setdefault(column, Units())
        if how == "wrong":
            of.wrong += 1
            of.named |= {name} if name else set()
        else:
            of.fit += 1
            of.converted += how == "converted"


def list_item_texts(raw: Path) -> dict[str, str]:
    """List the wording of the items of questionnaires and answers, by linkId.

    Of items that are worded in two ways there is none.
    """
    said: dict[str, set[str]] = {}
    for found in _resources(raw):
        if not found or found.get("resourceType") not in ("Questionnaire", "QuestionnaireResponse"):
            continue
        waiting = [_dict(item) for item in _list(found.get("item"))]
        while waiting:
            item = waiting.pop()
            if text := _word(item.get("text")):
                said.setdefault(_word(item.get("linkId")), set()).add(text)
            below = [*_list(item.get("item"))]
            for answer in map(_dict, _list(item.get("answer"))):
                below += _list(answer.get("item"))
            waiting += map(_dict, below)
    return {link: texts.pop() for link, texts in said.items() if len(texts) == 1}


def list_code_texts(raw: Path) -> dict[str, str]:
    """List the wording of the codes of observations, by code; none where one is worded twice."""
    said: dict[str, set[str]] = {}
    for found in _resources(raw):
        if not found or found.get("resourceType") != "Observation":
            continue
        concepts = [_dict(found.get("code"))]
        concepts += [_dict(_dict(c).get("code")) for c in _list(found.get("component"))]
        for concept in concepts:
            for coding in map(_dict, _list(concept.get("coding"))):
                text = _word(concept.get("text")) or _word(coding.get("display"))
                if text:
                    said.setdefault(_word(coding.get("code")), set()).add(text)
    return {code: texts.pop() for code, texts in said.items() if len(texts) == 1}


# Statuses of what did not take place, or was noted by mistake.
_NOT_DONE = ("entered-in-error", "not-done", "cancelled", "planned", "preparation", "noshow")


def list_treatments(raw: Path) -> list[tuple[str, str, str]]:
    """List procedures and encounters that took place: patient, day, what was done in words."""
    out = []
    for found in _resources(raw):
        if not found or found.get("resourceType") not in ("Procedure", "Encounter"):
            continue
        if found.get("status") in _NOT_DONE:
            continue
        period = _dict(found.get("performedPeriod") or found.get("period"))
        when = _day(found.get("performedDateTime") or period.get("start"))
        concepts = [_dict(found.get("code")), *map(_dict, _list(found.get("type")))]
        words = []
        for concept in concepts:
            shown = [_word(_dict(c).get("display")) for c in _list(concept.get("coding"))]
            words += [_word(concept.get("text")) or next(filter(None, shown), "")]
        out.append((_patient(found), when, " + ".join(filter(None, words))))
    return out


def _count_page(bundle: Mapping[str, Any], pages: Counter[str]) -> None:
    """Count a Bundle, whether it has a next page, and how much of the search it holds."""
    pages["bundles"] += 1
    links = map(_dict, _list(bundle.get("link")))
    pages["next"] += any(link.get("relation") == "next" for link in links)
    total = str(bundle.get("total") or "")
    if total.isdigit():
        pages["total"] = max(pages["total"], int(total[:12]))
    for entry in map(_dict, _list(bundle.get("entry"))):
        mode = _dict(entry.get("search")).get("mode", "match")
        pages["matches"] += "resource" in entry and mode == "match"


def _version(found: Mapping[str, Any]) -> list[str]:
    """Say which version of which resource this is."""
    meta = _dict(found.get("meta"))
    words = (found.get("id"), meta.get("versionId"), meta.get("lastUpdated"), found.get("status"))
    return [*(_word(word) for word in words), _patient(found)]


def list_ignored(ignored: Mapping[str, int]) -> list[Message]:
    """List how many resources are no row, and why."""
    found = [
        Message("account.ignored", n=n, reason=term("ignored", reason))
        for reason, n in sorted(ignored.items())
        if n
    ]
    return found or [Message("account.none")]


def _ignore(found: Mapping[str, Any], resource: str) -> str:
    """Say why a resource is no row; empty if it is one. The reasons hold nothing of the file."""
    kind = found.get("resourceType")
    if kind == resource:
        return "" if found.get("status") in STATUSES[resource] else "status"
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
        for entry in map(_dict, _list(document.get("entry"))):
            inner = _dict(entry.get("resource")) or _deleted(entry)
            if inner.get("resourceType") == "Bundle":
                yield from _expand(inner, raw)
            else:
                yield inner
    else:
        yield document


def _deleted(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Make the last version of a resource that a history says was deleted."""
    request = _dict(entry.get("request"))
    kind, _, code = _word(request.get("url")).partition("/")
    if request.get("method") != "DELETE" or kind not in STATUSES:
        return {}
    when = _dict(entry.get("response")).get("lastModified", "")
    return {
        "resourceType": kind,
        "id": code.split("/")[0],
        "status": "entered-in-error",
        "meta": {"lastUpdated": when},
    }


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


@dataclass(frozen=True, slots=True)
class _Answer:
    """A value as text, or the spellings of each of its codings; and the unit of a quantity."""

    text: str = ""
    codings: tuple[tuple[str, ...], ...] = ()
    unit: tuple[str, str] = ("", "")
    number: bool = False


def _read_codings(concept: Any) -> tuple[tuple[str, ...], ...]:
    """List the codings of a concept, each as `code` and `system|code`; never text or display.

    The one that a user selected stands first, the others by the alphabet: as exported they have
    no order.
    """
    found = []
    for coding in map(_dict, _list(_dict(concept).get("coding"))):
        code, system = _word(coding.get("code")), _word(coding.get("system"))
        if code and not system.endswith(_NO_ANSWER):
            found.append((coding.get("userSelected") is not True, code, system))
    return tuple((code, f"{system}|{code}") for _, code, system in sorted(set(found)))


def _read_concept(concept: Any, key: str) -> _Answer:
    """Read a coded answer; one in nothing but words cannot be read, and words may say anything."""
    codings = _read_codings(concept)
    if codings:
        return _Answer(codings[0][0], codings)
    absent = any(
        _word(_dict(coding).get("system")).endswith(_NO_ANSWER)
        for coding in _list(_dict(concept).get("coding"))
    )
    return _Answer("" if absent else f"#{key}")


def _value(found: Mapping[str, Any]) -> _Answer:
    """Take value[x]."""
    if found.get("dataAbsentReason"):
        return _Answer()
    for key, value in found.items():
        if not key.startswith("value") or value is None:
            continue
        if key == "valueBoolean":
            said = {"True": ("1", "true"), "False": ("0", "false")}.get(str(value))
            return _Answer(said[0], (said,)) if said else _Answer(f"#{key}")
        if key == "valueQuantity":
            quantity = _dict(value)
            number = _word(quantity.get("value"))
            text = f"{_word(quantity.get('comparator'))}{number}" if number else ""
            unit = (_word(quantity.get("code")), _word(quantity.get("unit")))
            return _Answer(text, unit=unit, number=True)
        if key == "valueCodeableConcept":
            return _read_concept(value, key)
        if key == "valueCoding":
            return _read_concept({"coding": [value]}, key)
        if key in _PLAIN:
            return _Answer(_word(value), number=isinstance(value, _Number))
        if key[5:6].isupper():
            return _Answer(f"#{key}" if key.isalnum() and len(key) < 30 else "#value")
    return _Answer()


def _choose(answer: _Answer, want: Want | None) -> str:
    """Write an answer as clinic.yaml names it: one of its codings, whichever stands first."""
    if want is None or not answer.codings:
        return answer.text
    return write_code(_find_coding(answer, want))


def _find_coding(answer: _Answer, want: Want) -> str:
    spelled = [spelling for coding in answer.codings for spelling in coding]
    declared = [s for s in spelled if s in want.codes]
    if len({str(want.codes[s]) for s in declared}) > 1:
        return CODING
    kept = [s for s in spelled if s in want.kept]
    if not (declared or kept) and want.number and len(answer.codings) > 1:
        numbers = {s for s in spelled if _NUMERAL.match(s)}
        return CODING if len(numbers) > 1 else next(iter(numbers), answer.text)
    both = [s for s in kept if s in declared]
    return next(iter(both or kept or declared), answer.text)


def _fill(row: Row, column: str, answers: Sequence[_Answer], want: Want | None) -> None:
    """Write the answers to one column, each in the unit that clinic.yaml reads, joined by `;`."""
    parts = []
    for answer in answers:
        text = _choose(answer, want)
        target = want.unit if want is not None else None
        if text and target is not None and any(answer.unit):
            name, unit = find_unit(*answer.unit)
            written = convert(text, unit, target[1])
            how = "wrong" if written is None else "fit" if written == text else "converted"
            if row.units.get(column, ("", ""))[0] != "wrong":
                row.units[column] = (how, name)
            text = UNIT if written is None else written
        if answer.number and want is not None and want.comma:
            text = text.replace(".", ",")
        if text:
            parts.append(text)
    if want is not None and want.number and len(set(parts)) == 1:
        parts = parts[:1]  # the same number twice is one answer
    row.cells[column] = ";".join(parts)


def _observation(found: Mapping[str, Any], wants: Mapping[str, Want]) -> Row:
    period = _dict(found.get("effectivePeriod"))
    when = found.get("effectiveDateTime") or found.get("effectiveInstant") or period.get("start")
    value, code = _value(found), _read_codings(found.get("code"))
    row = Row(dict.fromkeys(_FIXED["Observation"], ""), {})
    row.cells["patient"] = _patient(found)
    row.cells["code"] = _choose(_Answer(code[0][0] if code else "", code), wants.get("code"))
    row.cells["status"] = _word(found.get("status"))
    row.cells["effective"] = _day(when)
    _fill(row, "value", [value], wants.get("value"))
    row.cells["unit"] = _unit(value, wants.get("unit"))
    several: dict[str, list[_Answer]] = {}
    for component in map(_dict, _list(found.get("component"))):
        part = _value(component)
        names = _name_component(_read_codings(component.get("code")), wants)
        for name in names:
            several.setdefault(name, []).append(part if len(names) == 1 else _Answer(CODING))
    for column, answers in several.items():
        _fill(row, column, answers, wants.get(column))
        # The name of a unit's column that nobody asked for holds no address of a system.
        of = f"{column}.unit"
        if of not in wants:
            of = f"component.{write_code(column.removeprefix('component.'))}.unit"
        said = dict.fromkeys(_unit(a, wants.get(of)) for a in answers if any(a.unit))
        if said:
            row.cells[of] = ";".join(said)  # a unit that is said twice is one unit
    return row


def _unit(answer: _Answer, want: Want | None) -> str:
    """Write the unit of a quantity: its code, or its words where `keep_where` has those."""
    code, words = answer.unit
    return words if want is not None and words in want.kept else code or words


def _name_component(codings: tuple[tuple[str, ...], ...], wants: Mapping[str, Want]) -> list[str]:
    """Name the column of a component: as clinic.yaml does, else by its code.

    Several where clinic.yaml has different columns for its codings.
    """
    named = [
        next(f"component.{s}" for s in reversed(coding) if f"component.{s}" in wants)
        for coding in codings
        if any(f"component.{s}" in wants for s in coding)
    ]
    default = f"component.{codings[0][0] if codings else '(no code)'}"
    return list(dict.fromkeys(named)) or [default]


def _response(found: Mapping[str, Any], wants: Mapping[str, Want]) -> Row:
    row = Row(dict.fromkeys(_FIXED["QuestionnaireResponse"], ""), {})
    row.cells["patient"] = _patient(found)
    address = _word(found.get("questionnaire"))
    bare = address.split("|")[0]
    last = bare.rstrip("/").rsplit("/", 1)[-1]
    names = ((last, bare, address, f"{last}|{address.partition('|')[2]}"),)
    row.cells["questionnaire"] = _choose(_Answer(last, names), wants.get("questionnaire"))
    row.cells["status"] = _word(found.get("status"))
    row.cells["authored"] = _day(found.get("authored"))
    answers: dict[str, list[_Answer]] = {}
    waiting = [_dict(item) for item in reversed(_list(found.get("item")))]
    while waiting:
        item = waiting.pop()
        name = f"item.{_word(item.get('linkId')) or '(no linkId)'}"
        below = list(_list(item.get("item")))
        given = answers.setdefault(name, []) if item.get("answer") or not below else []
        for answer in map(_dict, _list(item.get("answer"))):
            given.append(_value(answer))
            below += _list(answer.get("item"))
        waiting += [_dict(one) for one in reversed(below)]
    for name, several in answers.items():
        _fill(row, name, several, wants.get(name))
    return row
