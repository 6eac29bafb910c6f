"""RevMan 5's own file (.rm5, XML) -> analyses with their settings, rows and stored totals.

The encoding is the one that the file declares. A file that declares entities of its own is refused:
RevMan writes none, and they are how XML is made to eat memory or to read other files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from xml.parsers import expat

from headway.ingest.adapters.analyses import (
    Analysis,
    StoredTotal,
    StudyRow,
    name_kind,
    name_measure,
    name_method,
    read_level,
)
from headway.ingest.adapters.exchange import Row, refuse, same_name
from headway.ingest.open.names import tidy
from headway.tables import printable

ROOT = "COCHRANE_REVIEW"
# Attribute of a row -> the number it holds.
_VALUES = {
    "events1": "events1",
    "total1": "n1",
    "mean1": "mean1",
    "sd1": "sd1",
    "events2": "events2",
    "total2": "n2",
    "mean2": "mean2",
    "sd2": "sd2",
    "estimate": "effect",
}
_USED = {
    "events": ("events1", "total1", "events2", "total2"),
    "means": ("mean1", "sd1", "total1", "mean2", "sd2", "total2"),
    "giv": ("estimate", "total1", "total2"),
    "o_e": ("events1", "total1", "events2", "total2"),
}
_SHOWN = ("effectsize", "cistart", "ciend")
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
# Windows' own letters where a file is declared, or read, as Latin-1: there they are controls.
_WINDOWS = {code: bytes([code]).decode("cp1252", errors="ignore") for code in range(0x80, 0xA0)}


@dataclass(slots=True)
class Element:
    """An element of the file, with its line."""

    tag: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def get(self, name: str, default: str = "") -> str:
        """Return an attribute."""
        return self.attributes.get(name, default).strip()

    def say(self, tag: str) -> str:
        """Return the text of the first child of that name."""
        return next((tidy(c.text) for c in self.children if c.tag == tag), "")

    def walk(self, ending: str) -> Iterator[Element]:
        """Go through all elements below whose name ends so, in the order of the file."""
        for child in self.children:
            if child.tag.endswith(ending):
                yield child
            yield from child.walk(ending)

    def own(self, ending: str) -> Iterator[Element]:
        """Go through the children whose name ends so."""
        return (child for child in self.children if child.tag.endswith(ending))


class _EntityError(Exception):
    """The file declares an entity."""


def is_rm5(data: bytes) -> bool:
    """Tell from its beginning whether a file is RevMan 5's."""
    start = data[:4096].lstrip(b"\xef\xbb\xbf")
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        start = start.decode("utf-16", errors="replace").encode()
    start = start.lstrip()
    return start.startswith(b"<?xml") or b"<" + ROOT.encode() in start


def read_rm5(path: Path) -> list[Analysis]:
    """Read a RevMan 5 file.

    Parameters
    ----------
    path
        The file; its XML declaration names the encoding.

    Returns
    -------
    list of Analysis
        In the order of the file, outcomes of text (`kind` is ``other``) included.

    Raises
    ------
    InputError
        No XML, no review of RevMan 5, or a file that declares entities.
    """
    try:
        data = path.read_bytes()
    except OSError:
        raise refuse(path.name, "unreadable", "problem.not_opened", "remedy.not_opened") from None
    root = parse(path.name, data)
    if root.tag != ROOT:
        raise refuse(path.name, "no_review", "problem.no_rm5", "remedy.no_rm5", root.line)
    names = _name_studies(root)
    analyses = []
    parts = root.walk("ANALYSES_AND_DATA")
    for group, comparison in _number(one for part in parts for one in part.own("COMPARISON")):
        for number, outcome in _number(comparison.own("_OUTCOME")):
            found = _read_outcome(outcome, group, number, comparison.say("NAME"))
            _read_rows(path.name, outcome, found, names)
            analyses.append(found)
    return analyses


def parse(file: str, data: bytes) -> Element:
    """Parse XML into elements with their lines.

    Raises
    ------
    InputError
        Not well-formed, or with entities of its own.
    """
    try:
        return _parse(data, None)
    except _EntityError:
        raise refuse(file, "entities", "problem.entities", "remedy.entities") from None
    except (expat.ExpatError, LookupError, ValueError) as error:
        for again, encoding in _list_readings(data):
            try:
                return _parse(again, encoding)
            except (_EntityError, expat.ExpatError, ValueError):
                pass
        line = getattr(error, "lineno", None)
        raise refuse(file, "unreadable", "problem.no_xml", "remedy.no_xml", line) from None


def _list_readings(data: bytes) -> Iterator[tuple[bytes, str]]:
    """List other ways to read a file's letters, with the name of the encoding for each."""
    declared = _DECLARED.match(data)
    if declared:
        # expat knows no encoding of several bytes a letter but Unicode's.
        with suppress(LookupError, ValueError):
            yield data.decode(declared[1].decode()).encode(), "utf-8"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        # Declared as UTF-8, or as nothing, and saved in Windows' own letters.
        yield data, "iso-8859-1"


def _mend(text: str) -> str:
    """Return text without controls."""
    return text if text.isascii() and text.isprintable() else printable(text.translate(_WINDOWS))


def _parse(data: bytes, encoding: str | None) -> Element:
    top = Element("", {}, 1)
    open_: list[Element] = [top]
    parser = expat.ParserCreate(encoding)
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(open_) > 200:  # RevMan's own files are a dozen deep
            raise ValueError("too deep")
        cells = {name: _mend(value) for name, value in attributes.items()}
        one = Element(tag, cells, parser.CurrentLineNumber)
        open_[-1].children.append(one)
        open_.append(one)

    def end(_: str) -> None:
        open_.pop()

    def text(data: str) -> None:
        open_[-1].text += _mend(data)

    def refuse(*_: object) -> int:
        raise _EntityError

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    parser.EntityDeclHandler = parser.ExternalEntityRefHandler = refuse
    parser.UnparsedEntityDeclHandler = refuse
    parser.Parse(data, True)
    return top.children[0]


def _number(parts: Iterable[Element]) -> list[tuple[int, Element]]:
    """Give each element its number; one without a number, or with a taken one, the next free."""
    parts = list(parts)
    texts = [part.get("NO") for part in parts]
    said = [int(t) if t.isascii() and t.isdigit() and len(t) < 10 else 0 for t in texts]
    free = (number for number in count(1) if number not in said)
    found: dict[int, Element] = {}
    for number, part in zip(said, parts, strict=True):
        found[number if number and number not in found else next(free)] = part
    return list(found.items())


def _name_studies(root: Element) -> dict[str, tuple[str, str]]:
    """Name each study by its identifier: name and year; no two have the same name."""
    found: dict[str, tuple[str, str]] = {}
    taken: set[str] = set()
    for study in root.walk("STUDY"):
        id, year = study.get("ID"), tidy(study.get("YEAR"))
        if not id or id in found:
            continue
        name = tidy(study.get("NAME")) or id
        if name in taken and year and year not in name:
            name = f"{name} {year}"
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name} ({number})", number + 1
        taken.add(unique)
        found[id] = (unique, year)
    return found


def _read_outcome(one: Element, group: int, number: int, group_name: str) -> Analysis:
    """Read the settings of an analysis, and the totals that its reader sees."""
    kind = name_kind(one.tag.partition("_")[0])
    text = one.get("EFFECT_MEASURE") or one.say("EFFECT_MEASURE")
    labels = one.say("GROUP_LABEL_1"), one.say("GROUP_LABEL_2")
    totals = {"SUB": "subgroups", "NO": "none"}.get(one.get("TOTALS"), "all")
    found = Analysis(group, number, one.say("NAME"), group_name, kind)
    found.measure = name_measure(text) if kind in ("events", "means") else ""
    found.measure_name = text
    found.method = name_method(one.get("METHOD")) or {"o_e": "EXP_O_E"}.get(kind, "IV")
    if kind == "events" and not found.measure and found.method == "Peto":
        found.measure = "PETO"
    found.model = "random" if one.get("RANDOM") == "YES" else "fixed"
    found.level = read_level(one.get("CI_TOTAL") or "95")
    found.row_level = read_level(one.get("CI_STUDY") or "95")
    found.swap = one.get("SWAP_EVENTS") == "YES"
    if kind in ("giv", "o_e"):
        found.log = kind == "o_e" or one.get("LOG_DATA") == "YES"
    found.totals = totals
    if labels[0] and labels[1] and labels[0] != labels[1]:
        found.arms = labels
    seen = [] if totals != "all" else [("", one)]
    for i, part in _number(one.own("_SUBGROUP")):
        no = str(i)
        found.subgroups[no] = part.say("NAME") or f"subgroup {no}"
        if totals != "none":
            seen.append((no, part))
    for no, part in seen:
        shown = (part.get("EFFECT_SIZE"), part.get("CI_START"), part.get("CI_END"))
        if part.get("ESTIMABLE") == "NO":
            found.stored.append(StoredTotal(no, ("", "", ""), estimable=False))
        elif all(map(_is_number, shown)) and kind != "other":
            found.stored.append(StoredTotal(no, shown))
    return found


def _is_number(text: str) -> bool:
    """Tell whether a total's part is a number, and finite."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _read_rows(
    file: str, outcome: Element, found: Analysis, names: dict[str, tuple[str, str]]
) -> None:
    """Read the rows of an analysis, those of its subgroups included."""
    parts = [("", outcome), *((str(no), part) for no, part in _number(outcome.own("_SUBGROUP")))]
    for subgroup, part in parts:
        for data in part.own("_DATA"):
            found.rows.append(_read_row(file, data, found.kind, subgroup, names))


def _read_row(
    file: str, data: Element, kind: str, subgroup: str, names: dict[str, tuple[str, str]]
) -> StudyRow:
    cells = {same_name(name): value.strip() for name, value in data.attributes.items()}
    headers = {same_name(name): name for name in data.attributes}
    row = Row(file, data.line, cells, headers, ".")
    id = data.get("STUDY_ID")
    study, year = names.get(id, (id, ""))
    used = _USED.get(kind, ())
    values = {_VALUES[name]: row.number(name) for name in used}
    if kind == "giv":
        values["se"] = row.number("se")
    elif kind == "o_e":
        values |= {"o_e": row.number("oe"), "variance": row.number("var")}
    one = StudyRow(row, study, subgroup, values, year=year, kind=kind)
    seen = len(row.problems)
    one.not_estimable = row.text("estimable") == "NO"
    if not one.not_estimable:
        shown = [row.number(name) for name in _SHOWN]
        if all(shown):
            one.shown = (shown[0], shown[1], shown[2])
        one.weight = row.number("weight")
    del row.problems[seen:]
    one.notes += [tidy(note.text) for note in data.own("FOOTNOTE")]
    return one
