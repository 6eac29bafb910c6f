"""What pages and figures say, in the reader's language.

English is the source: a message is its English text, with `{places}` for values. The catalogue
`messages.yaml` holds the other languages beside it. `t` fills a message; `say` translates text
that a table already holds in English, by the same catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "es", "de")
# Languages that write 1,5.
_DECIMAL_COMMA = ("es", "de")
CATALOGUE = Path(__file__).with_name("messages.yaml")

_language: ContextVar[str] = ContextVar("language", default="en")
# What was asked for in a language that does not have it; tests read it.
missed: set[tuple[str, str]] = set()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Say everything within the block in a language.

    Raises
    ------
    ValueError
        If there is no catalogue for it.
    """
    if language not in LANGUAGES:
        raise ValueError(f"no catalogue for the language: {language}")
    before = _language.set(language)
    try:
        yield
    finally:
        _language.reset(before)


def current() -> str:
    """Return the code of the language in use (BCP 47)."""
    return _language.get()


def decimal(text: str) -> str:
    """Write a number's decimal sign as the language does."""
    return text.replace(".", ",") if current() in _DECIMAL_COMMA else text


@cache
def _catalogue(language: str) -> dict[str, str]:
    from headway.config import load_yaml

    entries: list[dict[str, str]] = load_yaml(CATALOGUE)["messages"]
    return {entry["en"]: entry[language] for entry in entries if language in entry}


def t(message: str, **values: Any) -> str:
    """Translate a message and fill its places.

    A message without a translation stays English, and is remembered in `missed`.
    """
    language = current()
    if language != "en":
        found = _catalogue(language).get(message)
        if found is None:
            missed.add((language, message))
        else:
            message = found
    return message.format(**values) if values else message


@cache
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
    """Messages with places as patterns, the longest first, so that the most telling one wins."""
    out = []
    for message, found in sorted(_catalogue(language).items(), key=lambda m: -len(m[0])):
        places = re.split(r"\{(\w+)\}", message)
        if len(places) == 1:
            continue
        pattern = "".join(
            re.escape(part) if i % 2 == 0 else f"(?P<{part}>.+?)" for i, part in enumerate(places)
        )
        out.append((re.compile(pattern), found))
    return out


def say(text: str) -> str:
    """Translate text that a table holds in English, with its values already in it.

    Looked up as a whole, then as a message with values, then in its parts between `; `. Text that
    is no message (a clinic's own labels, codes, numbers) stays as it is.
    """
    language = current()
    if language == "en" or not re.search(r"[^\W\d_]{2}", text):
        return text
    found = _translate(text, language)
    if found is not None:
        return found
    parts = text.split("; ")
    if len(parts) > 1:
        return "; ".join(say(part) for part in parts)
    missed.add((language, text))
    return text


def _translate(text: str, language: str) -> str | None:
    exact = _catalogue(language).get(text)
    if exact is not None:
        return exact
    for pattern, found in _patterns(language):
        match = pattern.fullmatch(text)
        if match:
            values = {k: _value(v) for k, v in match.groupdict().items()}
            return found.format(**values)
    return None


def _value(text: str) -> str:
    """Translate what stands in a place of a message: a message itself, or a number."""
    if re.fullmatch(r"[-−+]?\d+\.\d+", text):
        return decimal(text)
    return _translate(text, current()) or text
