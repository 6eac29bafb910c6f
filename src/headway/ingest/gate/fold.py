"""Folding: what is meant alike is written alike before a rule looks at it.

Case, accents, kinds of blanks, dashes and quotes, full-width signs, and letters of other alphabets
that look like Latin ones must not be a way round the gate.
"""

from __future__ import annotations

import re
import unicodedata

# Letters of Cyrillic and Greek that are drawn like Latin ones (Unicode TR 39, confusables).
_ALIKE = str.maketrans(
    "АВЕЅІЈКМНОРСТХУаеѕіјорсхуԁԛԝһӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧαονρυ",
    "ABESIJKMHOPCTXYaesijopcxydqwhlABEZHIKMNOPTYXaovpu",
)
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
        **dict.fromkeys("’‘ʼ´`′", "'"),
        **dict.fromkeys("“”„«»″", '"'),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", None),
        **{"ß": "ss", "ẞ": "SS", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE"},
        **{"œ": "oe", "Œ": "OE", "đ": "d", "Đ": "D", "ı": "i", "º": "o", "ª": "a"},
    }
)
# No identifier is longer; of a longer cell, which is free text in any case, this much is read.
LONGEST = 300
_MARKS = re.compile(r"[\u0300-\u036f]")
_BLANKS = re.compile(r"\s+")


def fold(text: str) -> str:
    """Write the beginning of a text without accents, look-alikes and unusual blanks; case stays."""
    text = text[:LONGEST]
    if not text.isascii():
        text = text.translate(_SIGNS)
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).translate(_SIGNS))
        text = _MARKS.sub("", text).translate(_ALIKE)
    return _BLANKS.sub(" ", text).strip()


def split_words(name: str) -> tuple[str, ...]:
    """Split a name into words: camel case, digits and all signs part them."""
    plain = fold(name)
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})", " ", plain)
    return tuple(re.findall(r"[a-z]+|[0-9]+", plain.lower()))
