"""What the headers of a table of trials say (`words.yaml`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, cast

import yaml

from headway.ingest.proposals.vocabulary import find_technique, fold

_SPLIT = re.compile(r"(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])")
_LENGTH = re.compile(
    r"\b(\d+) ?(days?|d|tagen?|dias?|weeks?|wk|w|wochen?|semanas?|months?|mo|monaten?|monate"
    r"|mes(?:es)?|years?|jahren?|jahre|anos?)\b"
)
_DAYS = {
    "d": 1.0,
    "t": 1.0,
    "w": 7.0,
    "s": 7.0,
    "m": 30.4375,
    "y": 365.25,
    "j": 365.25,
    "a": 365.25,
}
_LEVEL = re.compile(
    r"\b(\d\d(?:[.,]\d)?) ?%? ?(?:-? ?)?(?:ci|ki|ic)\b|\b(?:ci|ki|ic) ?(?:al )?(\d\d) ?%"
)


@dataclass(frozen=True, slots=True)
class Head:
    """What the header of a column says.

    `fields` are the numbers that its cells hold (`mean`, `sd`, `effect`, …) or what they say of
    a row (`study`, `arm`, …); `role` and `arm` whose numbers they are; `moment` is `baseline`,
    `change` or `final`; `outcome` what is left of the header; `effect` the statistic.
    """

    at: int
    name: str
    fields: tuple[str, ...] = ()
    role: str = ""
    arm: str = ""
    moment: str = ""
    outcome: str = ""
    effect: str = ""
    days: float | None = None
    time: str = ""
    level: float = 95.0


def split(text: str) -> str:
    """Fold a text, with letters apart from digits."""
    return _SPLIT.sub(" ", fold(text))


@cache
def _read() -> Mapping[str, Any]:
    text = resources.files(__package__).joinpath("words.yaml").read_text(encoding="utf-8")
    return cast(Mapping[str, Any], yaml.safe_load(text))


@cache
def _patterns(part: str) -> dict[str, re.Pattern[str]]:
    found = _read()[part]
    parts = found if isinstance(found, dict) else {part: found}
    return {
        str(name): re.compile("|".join(f"(?:{p})" for p in patterns))
        for name, patterns in parts.items()
    }


def find(part: str, text: str) -> str:
    """Find the first name of a part of the words whose pattern a text holds; else nothing."""
    folded = split(text)
    return next((n for n, pattern in _patterns(part).items() if pattern.search(folded)), "")


def find_length(text: str) -> tuple[str, float | None]:
    """Find a length of time in a text: as written, and in days."""
    found = _LENGTH.search(split(text))
    if found is None:
        return "", None
    unit = found[2]
    return found[0], int(found[1]) * _DAYS["m" if unit.startswith(("mo", "me")) else unit[0]]


def find_length_unit(text: str) -> float | None:
    """Find the days of the unit that a header gives its numbers: `follow-up (weeks)`."""
    found = re.search(
        r"\b(days?|tage|dias|weeks?|wk|wochen|semanas|months?|monate|meses|years|jahre|anos)\b",
        split(text),
    )
    return None if found is None else _DAYS["m" if found[0][:2] in ("mo", "me") else found[0][0]]


def find_comparator(text: str) -> str:
    """Tell the comparator that a control arm's name says; nothing where it says none."""
    return find("comparators", text)


def find_treatment(text: str) -> str:
    """Tell the technique that a treatment arm's name says; nothing where it says none."""
    found = find_technique(text)
    return found if found not in (None, "several", "not_a_technique") else ""


def is_about_people(text: str) -> bool:
    """Tell whether a header describes people or a study, and is no outcome."""
    return bool(find("ignored", text))


def is_sum(text: str) -> bool:
    """Tell whether a row's name says that it sums others up, or is a remark below the table."""
    return bool(find("sums", text))


def is_control(text: str) -> bool:
    """Tell whether an arm's name says that it is the control."""
    folded = split(text)
    said = find("comparators", text) or [
        word for word in _patterns("sides")["control"].findall(folded) if len(word[0]) > 3
    ]
    # An abbreviation is one only where it is the whole name: vitamin C is no control.
    return bool(said) or bool(_patterns("sides")["control"].fullmatch(folded))


def read_head(at: int, name: str) -> Head:
    """Tell what a header says, word by word: what was understood is taken out of it."""
    text = split(name)
    level = _LEVEL.search(name.casefold())
    said = (level[1] or level[2]) if level else "95"
    time, days = find_length(name)
    text = _LENGTH.sub(" ", text)
    _, gone = _take("comparators", text)
    role = "control" if gone != text else ""
    text = gone
    effect, text = _take("effects", text) if _is_effect(text, role) else ("", text)
    moment, text = _take("moments", text)
    fields: list[str] = ["effect"] if effect else []
    while True:
        found, text = _take("fields", text, skip=fields)
        if not found:
            break
        fields.append(found)
    numbers = [f for f in fields if f != "n"]
    if not numbers:
        row = find("rows", name)
        arm_numbers = "n" in fields and find("sides", name)
        if row and not role and not arm_numbers and not ("n" in fields and row == "arm"):
            return Head(at, name, (row,), days=days, time=time)
    if not role:
        role, text = _take("sides", text)
    if not role and (ends := re.search(r"\b([12])\b", text)):
        role, text = ends[1], text[: ends.start()] + " " + text[ends.end() :]
    arm = _name_arm(name, role)
    rest = _patterns("filler")["filler"].sub(" ", text)
    outcome = " ".join(w for w in rest.split() if not w.isdigit())
    return Head(
        at,
        name,
        tuple(fields),
        role,
        arm,
        moment,
        outcome,
        effect,
        days,
        time,
        float(said.replace(",", ".")),
    )


def _is_effect(text: str, role: str) -> bool:
    """Whether a header names a statistic of a contrast, and not an arm's own number."""
    known = [name for name, p in _patterns("effects").items() if p.search(text)]
    if not known:
        return False
    # `effect` alone may stand beside `mean` of an arm; a change is no difference between arms.
    sided = role or find("sides", text)
    return not (sided and find("fields", text) not in ("", "ci", "se"))


def _take(part: str, text: str, skip: list[str] | None = None) -> tuple[str, str]:
    for name, pattern in _patterns(part).items():
        found = None if name in (skip or ()) else pattern.search(text)
        if found:
            return name, text[: found.start()] + " " + text[found.end() :]
    return "", text


def _name_arm(name: str, role: str) -> str:
    """Take the words of a header that name its arm."""
    if role not in ("treatment", "control"):
        return ""
    folded = split(name)
    for part in (*_patterns("comparators").values(), _patterns("sides")[role]):
        if found := part.search(folded):
            return found[0]
    return role


def knows(name: str) -> bool:
    """Whether a cell is a header that a table of trials could have."""
    head = read_head(0, name)
    return bool(head.fields)
