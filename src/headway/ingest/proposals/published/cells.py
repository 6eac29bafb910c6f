"""The numbers of a table of trials, as printed: alone, with their spread, or with their limits."""

from __future__ import annotations

import re
from collections.abc import Iterable

from headway.ingest.proposals.values import is_missing

_MINUS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u2014": "-", "\u2012": "-", "\u00b7": "."})
_ONE = re.compile(r"[-+]?(?:\d[\d.,' ]*\d|\d|[.,]\d+)(?:[eE][-+]?\d+)?")
# Marks of footnotes behind a number.
_MARKS = re.compile(r"[*\u2020\u2021\u00a7#\u00b9\u00b2\u00b3a-c]+$")
_PAIR = re.compile(
    rf"(?P<a>{_ONE.pattern})\s*(?:\(\s*(?:sd|se|\u00b1|\+/-)?\s*|\u00b1\s*|\+/-\s*|\[\s*|\+-\s*)"
    rf"(?P<b>{_ONE.pattern})\s*[)\]]?",
    re.I,
)
_BETWEEN = (
    r"\s*(?:,\s+|;\s*|\bto\b|\bbis\b|\ba\b|\bund\b|\by\b|\band\b|(?<=\d)\s*-\s*|\s-\s|\.\.+|\|)\s*"
)
_LIMITS = re.compile(
    rf"[(\[]?\s*(?:\d\d ?% ?(?:CI|KI|IC):?\s*)?(?P<a>{_ONE.pattern}){_BETWEEN}"
    rf"(?P<b>{_ONE.pattern})\s*%?\s*[)\]]?",
    re.I,
)
_SHARE = re.compile(
    r"(?P<a>\d[\d., ]*)\s*(?:/|of|von|de|out of)\s*(?P<b>\d[\d., ]*)(?:\s*\(.*\))?", re.I
)
_COUNT = re.compile(r"(?P<a>\d[\d., ]*)\s*\(\s*\d+(?:[.,]\d+)?\s*%\s*\)")


def clean(cell: str) -> str:
    """Take a cell's text with plain minus signs and without marks of footnotes."""
    text = cell.strip().translate(_MINUS)
    return text if is_missing(text) else _MARKS.sub("", text).strip()


def find_decimal(cells: Iterable[str]) -> str | None:
    """Tell the decimal sign of a table's numbers.

    Returns
    -------
    str or None
        `.` or `,`; None where the cells speak for both.
    """
    comma = point = thousands = False
    for cell in cells:
        for number in re.findall(r"\d[\d.,]*\d", clean(cell)):
            signs = [c for c in number if c in ".,"]
            if not signs:
                continue
            last = signs[-1]
            two = len(set(signs)) == 2
            if two or (len(signs) == 1 and len(re.split(r"[.,]", number)[-1]) != 3):
                comma, point = comma or last == ",", point or last == "."
            elif last == ",":
                thousands = True
    if comma and point:
        return None
    if thousands and not comma and not point:
        return None
    return "," if comma else "."


def plain(text: str, decimal: str) -> str:
    """Write a number with a decimal point and no sign between thousands; nothing if it is none."""
    text = text.strip().translate(_MINUS).replace(" ", "").replace("'", "")
    if decimal == ",":
        text = text.replace(".", "").replace(",", ".")
    else:
        text = re.sub(r"(?<=\d),(?=\d{3}(\D|$))", "", text)
    text = text.removeprefix("+")
    text = f"0{text}" if text.startswith(".") else text.replace("-.", "-0.")
    return text if re.fullmatch(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", text) else ""


def read_one(cell: str, decimal: str) -> str | None:
    """Read a cell that holds one number; None where it holds something else, "" if nothing."""
    text = clean(cell)
    if is_missing(text):
        return ""
    found = _COUNT.fullmatch(text)
    return plain(found["a"] if found else text, decimal) or None


def read_two(cell: str, decimal: str, kind: str) -> tuple[str, str] | None:
    """Read a cell that holds two numbers; None where it holds something else.

    `kind` is `spread` (`12.3 (4.5)`, `12.3 ± 4.5`), `limits` (`1.2 to 3.4`, `[1.2; 3.4]`) or
    `share` (`12/40`).
    """
    text = clean(cell)
    if is_missing(text):
        return "", ""
    if kind == "limits" and decimal == ".":
        text = text.replace(",", ";")
    shape = {"spread": _PAIR, "limits": _LIMITS, "share": _SHARE}[kind]
    found = shape.fullmatch(text)
    if found is None:
        return None
    pair = plain(found["a"], decimal), plain(found["b"], decimal)
    return pair if all(pair) else None


def read_three(cell: str, decimal: str) -> tuple[str, str, str] | None:
    """Read a number with its limits behind it: `-1.9 (-3.0 to -0.8)`."""
    text = clean(cell)
    if is_missing(text):
        return "", "", ""
    found = re.fullmatch(rf"(?P<x>{_ONE.pattern})\s*,?\s*(?P<rest>[(\[].*)", text)
    limits = found and read_two(found["rest"], decimal, "limits")
    if not found or not limits:
        return None
    first = plain(found["x"], decimal)
    return (first, *limits) if first else None
