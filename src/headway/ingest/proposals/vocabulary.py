"""Words of clinics' exports in three languages, and what they mean (`vocabulary.yaml`)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal, cast

import yaml

from headway.ingest.gate import vocabulary as gate_words

Language = Literal["en", "de", "es"]


def fold(text: str) -> str:
    """Fold a text: words in lower case without accents, every other sign a blank."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    plain = unicodedata.normalize("NFKD", split.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(re.findall(r"[a-z0-9]+", plain))


@cache
def _read() -> Mapping[str, Any]:
    text = resources.files(__package__).joinpath("vocabulary.yaml").read_text(encoding="utf-8")
    return cast(Mapping[str, Any], yaml.safe_load(text))


@cache
def _patterns(part: str) -> dict[str, re.Pattern[str]]:
    return {
        str(name): re.compile("|".join(f"(?:{p})" for p in patterns))
        for name, patterns in _read()[part].items()
    }


@cache
def _words(name: str) -> frozenset[str]:
    return frozenset(fold(str(word)) for word in _read()["words"][name])


def list_fields(header: str) -> list[str]:
    """List the fields whose words a header holds, the likeliest first."""
    text = fold(header)
    return [name for name, pattern in _patterns("columns").items() if pattern.search(text)]


def find_unit(text: str, of: Iterable[str]) -> str | None:
    """Find the unit that a text names, among some."""
    folded = fold(text)
    found = _patterns("units")
    return next((unit for unit in of if found[unit].search(folded)), None)


_LATER = re.compile(
    r"\b(?:after|at|nach|tras|despues de|post|a los|a las|follow up|fu)"
    r" \d+ (?:weeks?|wochen?|semanas?|months?|monaten?|monate?|meses|days?|tagen?|dias)\b"
    r"|\b\d+ (?:weeks?|wochen?|semanas?|months?|monaten?|monate?|meses|days?|tagen?|dias)"
    r" (?:after|later|nach|danach|spater|despues)\b"
)


def find_recall(text: str, of: Iterable[str]) -> str | None:
    """Find the unit of days that a text names, apart from how long after treatment it was."""
    folded = fold(text)
    return find_unit(_LATER.sub(" ", folded), of)


def find_time(text: str) -> str | None:
    """Tell whether a text says before or after; None where it says both or neither."""
    folded = fold(text)
    said = [name for name, pattern in _patterns("times").items() if pattern.search(folded)]
    return said[0] if len(said) == 1 else None


def cut_time(text: str) -> str:
    """Take the words that say before or after, and numbers of weeks or months, out of a text."""
    folded = fold(text)
    for pattern in _patterns("times").values():
        folded = pattern.sub(" ", folded)
    folded = re.sub(r"\b(\d+ )?(weeks?|wochen?|semanas?|months?|monaten?|meses)\b", " ", folded)
    folded = re.sub(r"\b(treatment|therapy|behandlung|therapie|tratamiento|terapia)\b", " ", folded)
    return " ".join(folded.split())


def find_technique(text: str) -> str | None:
    """Tell the technique that a word of a session names.

    Returns
    -------
    str or None
        A technique, `several`, `not_a_technique` (a visit without treatment), None if unknown.
    """
    named = {n for part in _PARTS.split(text) for n in _name_techniques(part)[:1]}
    treatments = named - {"not_a_technique"}
    if len(treatments) > 1:
        return "several"
    return next(iter(treatments or named), None)


_PARTS = re.compile(r"[+/;,&|]|\b(?:und|and|y|con|mit|with|e)\b", re.I)


def _name_techniques(text: str) -> list[str]:
    """List what a part of a text names; `first consultation, dry needling` names a technique."""
    folded = fold(text)
    said = [name for name, pattern in _patterns("techniques").items() if pattern.search(folded)]
    named = [name for name in said if name != "not_a_technique"]
    # Trigger points may be needled, injected or pressed: the more telling word counts.
    return [n for n in named if n != "manual"] or named or said


def is_word(text: str, *kinds: str) -> bool:
    """Tell whether a cell is one of the words of a kind: missing, yes, no, total, male, female."""
    folded = fold(text)
    return bool(folded) and any(folded in _words(kind) for kind in kinds)


def tell_language(texts: Iterable[str]) -> Language:
    """Tell the language of headers: the one of which they hold most words, else English."""
    folded = " ".join(map(fold, texts))
    counts = Counter({code: len(re.findall(p, folded)) for code, p in _read()["languages"].items()})
    best, n = counts.most_common(1)[0]
    return cast(Language, best) if n > counts["en"] else "en"


@cache
def list_months() -> dict[str, int]:
    """Map names of months to their numbers, as `fold` writes them: of ä the a is left."""
    found = gate_words.list_months()
    return {variant: n for w, n in found.items() for variant in (w, w.replace("ae", "a"))}
