"""Text that tables still hold in English, matched back to its message; it goes as ids come."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

LEGACY = Path(__file__).with_name("legacy.yaml")
# How a place of a message may be free, and what each of its characters may be.
FREE = ("any", "each", "word")
_ONE = {"any": "(?:(?!; ).)", "each": "(?:(?!; ).)", "word": r"\S"}
_AND = {"es": " y ", "de": " und "}
_DECIMAL_COMMA = ("es", "de")
missed: set[tuple[str, str]] = set()
# Entries of the catalogue whose English a table may hold as well; set by `messages.say`.
new: list[dict[str, str]] = []
# Families whose English no table holds: those of reviews and fits.
APART = {
    "assumption",
    "certainty",
    "check",
    "choice",
    "control",
    "covariance",
    "curve",
    "domain",
    "doubt",
    "effect_type",
    "estimator",
    "finding",
    "flow",
    "grade",
    "method",
    "model",
    "model_interval",
    "note",
    "option",
    "origin",
    "prediction",
    "quantity",
    "recovered",
    "reproduction",
    "rows",
    "settings",
    "small_study",
    "small_study_check",
    "standard_error",
    "status",
    "subgroups",
    "target",
    "text",
    "why_not",
}


@cache
def _entries() -> list[dict[str, str]]:
    import yaml

    old: list[dict[str, str]] = yaml.load(LEGACY.read_text("utf-8"), yaml.CSafeLoader)["messages"]
    return old + [e for e in new if ":" not in "".join(re.findall(r"\{[^}]*\}", e["en"]))]


@cache
def _catalogue(language: str) -> dict[str, str]:
    return {entry["en"]: entry[language] for entry in _entries() if language in entry}


# An author and a year stay as they are, and so does a code or a currency in capitals.
_CITATION = re.compile(r"[A-Z][\w'’-]+( [A-Z]?[\w'’-]+){0,3} (19|20)\d\d")
# A value that is a number as it stands: a sign, digits, a percent sign.
_NUMBER = re.compile(r"[<>≤≥]?\s?[-−+±]?(\d[\d  ]*(\.\d+)?|∞)(\s?%)?")


@cache
def _patterns(language: str) -> list[tuple[re.Pattern[str], str, dict[str, str]]]:
    """Messages with places as patterns, the longest first, so that the most telling one wins.

    Returns the pattern, the translation, and how the places that are not strict are free.
    """
    out = []
    for entry in sorted(_entries(), key=lambda e: -len(e["en"])):
        places = re.split(r"\{(\w+)\}", entry["en"])
        if len(places) == 1 or language not in entry:
            continue
        free = {place: kind for kind in FREE for place in entry.get(kind, "").split()}
        seen: set[str] = set()
        pattern = ""
        for i, part in enumerate(places):
            if i % 2 == 0:
                pattern += re.escape(part)
            else:  # a place that comes back holds the same
                one = _ONE.get(free.get(part, ""), ".")
                pattern += f"(?P={part})" if part in seen else f"(?P<{part}>{one}+?)"
                seen.add(part)
        out.append((re.compile(pattern), entry[language], free))
    return out


def say(text: str, language: str) -> str:
    """Translate text that a table holds in English, with its values already in it.

    Looked up as a whole, then as a message with values, then in its parts between `; `, as many
    of them together as are one message. What stands in a place of a message must be a number or
    a message itself, except where the catalogue lets it be any text. Text that is no message (a
    clinic's own labels, codes) stays as it is, and is remembered in `missed`.
    """
    if language == "en" or not re.search(r"[^\W\d_]{2}", text):
        return text
    parts, out = text.split("; "), []
    while parts:
        for end in range(len(parts), 0, -1):
            whole = "; ".join(parts[:end])
            found = _value(whole, language)
            if found is not None:
                break
        else:
            end, found = 1, parts[0]
            if re.search(r"[^\W\d_]{2}", found):
                missed.add((language, found))
        out.append(found)
        parts = parts[end:]
    return "; ".join(out)


@cache
def _translate(text: str, language: str) -> str | None:
    """Translate a message, with or without values; None where it is none."""
    exact = _catalogue(language).get(text)
    if exact is not None:
        return exact
    for pattern, found, free in _patterns(language):
        match = pattern.fullmatch(text)
        if match is None:
            continue
        values = {k: _value(v, language, free.get(k, "")) for k, v in match.groupdict().items()}
        if None not in values.values():
            return found.format(**values)
    return None


@cache
def _value(text: str, language: str, free: str = "") -> str | None:
    """Translate what stands in a place: a number, a message, or a list of these.

    None where it is none of them, unless the place is free: with `any` the whole text stands as
    it is, with `each` every member of a list that is no message.
    """
    if _NUMBER.fullmatch(text):
        text = text.replace("-", "−")
        return text.replace(".", ",") if language in _DECIMAL_COMMA else text
    members = free if free == "each" else ""
    found = _translate(text, language) or _translate_list(text, language, members)
    if found is None and (free or text == text.upper() or _CITATION.fullmatch(text)):
        return text
    return found


def _translate_list(text: str, language: str, free: str) -> str | None:
    """Translate a list whose members are values; a member may hold a comma of its own."""
    for sign in ("; ", ", ", " and "):
        for place in re.finditer(sign, text):
            first = _value(text[: place.start()], language, free)
            rest = first and _value(text[place.end() :], language, free)
            if rest:
                return f"{first}{_AND[language] if sign == ' and ' else sign}{rest}"
    return None
