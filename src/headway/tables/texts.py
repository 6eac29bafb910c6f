"""Text from outside on its way out: into a path, a cell of a spreadsheet, a page.

Labels, codes and sources are typed by people and are shown as they are. What makes them more than
text is taken away in one place each: `make_name` for paths and ids, `guard` for cells, `printable`
for pages and figures, whose templates escape the rest.
"""

from __future__ import annotations

import hashlib
import re

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_NO_NAME = re.compile(r"[^A-Za-z0-9]+")
_KEPT = 40
# A spreadsheet runs what begins so, some also after blanks and in full width (OWASP, CSV
# injection). A plain number is no formula.
_START = r"[\s\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]"
_FORMULA = re.compile(rf"'*(?:{_START})")
_GUARDED = re.compile(rf"'+(?:{_START})")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
# Controls and halves of letters, which no page may hold, and the marks that turn the direction of
# what follows: by one of them 12 reads as 21 (Unicode Standard Annex 9).
_UNPRINTED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def make_name(text: str) -> str:
    """Make of any text a part of a path and an id of a page: letters, digits, `_` and `-`.

    Text that is a name stays as it is. Of other text what can be is kept, with a digest of the
    whole, so that two texts have two names.
    """
    if _NAME.fullmatch(text):
        return text
    kept = _NO_NAME.sub("_", text)[:_KEPT].strip("_") or "x"
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6)
    return f"{kept}-{digest.hexdigest()}"


def guard(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    if text[:1].isalnum():  # most are
        return text
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unguard(text: str) -> str:
    """Take the apostrophe of `guard` away again."""
    return text[1:] if _GUARDED.match(text) else text


def printable(text: str) -> str:
    """Leave out what is no letter of a page: controls, and marks that turn its direction."""
    return _UNPRINTED.sub("", text)
