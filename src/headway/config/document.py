"""Reading a YAML file as it was typed: the words of YAML 1.2, every key once, nothing without end.

YAML 1.1 reads `no` as false, `012` as ten, `1:30` as ninety and `2031-03-01` as a date. Here only
`true` and `false` are switches, only decimal numbers are numbers, and every key is its own text.
Source: YAML 1.2.2, section 10.3 (core schema), without octal and hexadecimal numbers, infinity
and not-a-number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.errors import ConfigError, Problem
from headway.messages import Message

# No settings come near these; what goes beyond them would never end.
_BYTES = 2_000_000
_LEVELS = 50
_NODES = 100_000
# So many keys that stand twice are named; a file of nothing else has another fault.
_NAMED = 20

_NULLS = ("", "~", "null", "Null", "NULL")
_SWITCHES = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
# What YAML does not take for a character of text.
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CORE = "tag:yaml.org,2002:"
_PLAIN_TAGS = (None, "!", f"{_CORE}str", f"{_CORE}map", f"{_CORE}seq")

Keys = tuple[str, ...]  # keys and places from the top of a document down


@dataclass(frozen=True, slots=True)
class Document:
    """What a YAML file holds, and the line on which each key stands."""

    content: dict[str, Any]
    lines: Mapping[Keys, int]


def read_document(path: Path, own: Collection[str] = ()) -> Document:
    """Read a YAML mapping.

    Parameters
    ----------
    path
        The file.
    own
        Keys whose values, alone or in a list or a mapping, are cells of a data file: they stay
        text as typed, unless they are a number in its usual form (`1`, `-9`, `0.5`).

    Raises
    ------
    ConfigError
        If the file is missing, is no UTF-8 text, no YAML or no mapping, names a key twice, or is
        larger or deeper than settings can be; with the line.
    OSError
        If the machine cannot read the file.
    """
    import yaml

    text = _read_text(path)
    events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    reader = _Reader(path.name, events, frozenset(own))
    try:
        content = reader.read()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        typed = text.splitlines()[line - 1 : line] if line else []
        tab = any(re.match(r" *\t", one) for one in typed)
        raise _broken(
            path.name,
            "problem.yaml_tab" if tab else "problem.yaml",
            line,
            "remedy.yaml_tab" if tab else "remedy.yaml",
        ) from None
    if reader.twice:
        raise ConfigError(Message("failure.yaml_invalid", file=path.name), reader.twice[:_NAMED])
    if not isinstance(content, dict):
        raise ConfigError(Message("failure.yaml_no_mapping", file=path.name))
    return Document(content, reader.lines)


def _broken(file: str, message: str, line: int | None, remedy: str) -> ConfigError:
    problem = Problem(file, "yaml", message, line=line, remedy=remedy)
    return ConfigError(Message("failure.yaml_invalid", file=file), [problem])


def _read_text(path: Path) -> str:
    """Read a file that holds UTF-8 text of the length of settings."""
    if not path.is_file():
        raise ConfigError(Message("failure.yaml_missing", file=path.name, folder=path.parent.name))
    with path.open("rb") as stream:
        start = stream.read(_BYTES + 1)
    if len(start) > _BYTES:
        raise _broken(path.name, "problem.yaml_large", None, "remedy.yaml_large")
    try:
        text = start.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(Message("failure.yaml_not_utf8", file=path.name)) from None
    if "\0" in text:  # UTF-16 without its mark
        raise ConfigError(Message("failure.yaml_not_utf8", file=path.name))
    found = _CONTROL.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise _broken(path.name, "problem.yaml_control", line, "remedy.yaml_control")
    return text


class _Reader:
    """Make a document from the events of the parser, one after the other."""

    def __init__(self, file: str, events: Iterator[Any], own: frozenset[str]) -> None:
        self.file, self.events, self.own = file, events, own
        self.lines: dict[Keys, int] = {}
        self.twice: list[Problem] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.nodes = 0

    def read(self) -> Any:
        """Read the one document of a file; None if there is none."""
        import yaml

        next(self.events)  # the stream
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        content = self._node(next(self.events), (), "")
        next(self.events)  # the end of the document
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._refuse(event, "problem.yaml_several", "remedy.yaml_several")
        return content

    def _refuse(self, event: Any, message: str, remedy: str = "remedy.yaml_value") -> ConfigError:
        return _broken(self.file, message, _line_of(event), remedy)

    def _node(self, event: Any, path: Keys, key: str) -> Any:
        """Read a value; `key` is the key of `own` that it stands below, if any."""
        import yaml

        before = self.nodes
        self.nodes += 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self._refuse(event, "problem.yaml_alias")
            value, size = self.anchors[event.anchor]
            self.nodes += size
        elif event.tag not in _PLAIN_TAGS:
            raise self._refuse(event, "problem.yaml_tag")
        elif isinstance(event, yaml.ScalarEvent):
            if _CONTROL.search(event.value):  # written as an escape
                raise self._refuse(event, "problem.yaml_control", "remedy.yaml_control")
            plain = event.implicit[0] and event.tag is None
            value = _resolve(event.value, key) if plain else event.value
        elif len(path) >= _LEVELS:
            deep = Message("problem.yaml_deep", most=_LEVELS)
            raise self._refuse(event, deep, "remedy.yaml_large")
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._list(path, key)
        else:
            value = self._mapping(path, key)
        if self.nodes > _NODES:
            many = Message("problem.yaml_many", most=_NODES)
            raise self._refuse(event, many, "remedy.yaml_large")
        if not isinstance(event, yaml.AliasEvent) and event.anchor:
            self.anchors[event.anchor] = (value, self.nodes - before)
        return value

    def _list(self, path: Keys, key: str) -> list[Any]:
        import yaml

        out: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            here = (*path, str(len(out)))
            self.lines[here] = _line_of(event)
            out.append(self._node(event, here, key))
        return out

    def _mapping(self, path: Keys, key: str) -> dict[str, Any]:
        import yaml

        out: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.tag not in _PLAIN_TAGS:
                raise self._refuse(event, "problem.yaml_key", "remedy.yaml_key")
            if _CONTROL.search(event.value):
                raise self._refuse(event, "problem.yaml_control", "remedy.yaml_control")
            name, line = event.value, _line_of(event)
            here = (*path, name)
            below = name if name in self.own else key
            if name == "<<" and event.implicit[0]:
                # Keys that are taken over from an anchor; those written out come first.
                held = self._node(next(self.events), here, key)
                for one in held if isinstance(held, list) else [held]:
                    if not isinstance(one, dict):
                        raise self._refuse(event, "problem.yaml_key", "remedy.yaml_key")
                    merged = {**one, **merged}
                continue
            if name in out:
                self.twice.append(self._say_twice(here, line))
                self._node(next(self.events), (*here, "again"), below)
                continue
            self.lines[here] = line
            out[name] = self._node(next(self.events), here, below)
        return {**merged, **out}

    def _say_twice(self, path: Keys, line: int) -> Problem:
        key, first = ".".join(path), self.lines[path]
        text = Message("problem.yaml_twice", key=key, first=first)
        return Problem(self.file, "key_twice", text, line=line, remedy="remedy.yaml_twice")


def _line_of(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _resolve(text: str, key: str) -> Any:
    """Read a word without quotes: nothing, a switch, a number, or text.

    What stands below `codes` is a value of ours, which is never nothing or a switch: there those
    words stay what they are, for the schema to refuse.
    """
    words = not key or key == "codes"
    if text == "" or (text in _NULLS and words):
        return None
    if text in _SWITCHES and words:
        return _SWITCHES[text]
    if _WHOLE.fullmatch(text):
        whole = int(text)
        return text if key and str(whole) != text else whole
    if _NUMBER.fullmatch(text):
        number = float(text)
        if math.isfinite(number) and (not key or repr(number) == text):
            return number
    return text


def find_line(lines: Mapping[Keys, int], path: Keys) -> int | None:
    """Find the line of a key, or of the closest key above it; None at the top."""
    for n in range(len(path), 0, -1):
        if path[:n] in lines:
            return lines[path[:n]]
    return None
