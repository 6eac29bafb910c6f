"""Places smaller than a state: streets, postcodes beyond three digits, coordinates.

A bare number is never a place. Coordinates are told by their form in one cell, by the name of the
column, or by two columns side by side (`find_pairs`).
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping, Sequence

from headway.ingest.gate.vocabulary import known

_DEGREES = re.compile(
    r"\d{1,3}\s*(?:°|deg)\s*\d{1,2}(?:[.,]\d+)?\s*(?:'|min)?"
    r"\s*(?:\d{1,2}(?:[.,]\d+)?\s*(?:\"|''|sec))?\s*[NSEWO]\b"
    r"|\b[NSEWO]\s*\d{1,3}\s*°\s*\d{1,2}"
    r"|\b[NS] ?\d{1,2}[.,]\d{3,}[ ,;]+[EWO] ?\d|\b\d{1,3}[.,]\d{3,}\s*°"
    r"|\b\d{1,3}[.,]\d{4,}\s*[NSEW]\b"
)
_PAIR = re.compile(r"(?<![\d.])([-+]?\d{1,2}\.\d{4,})°?\s*[,;/ ]\s*([-+]?\d{1,3}\.\d{4,})(?![\d.])")
_SURE = re.compile(
    r"geo:-?\d+\.\d+,|\bPOINT ?\( ?-?\d+|///[a-z]+\.[a-z]+\.[a-z]+"
    r"|\b[23456789CFGHJMPQRVWX]{8}\+[23456789CFGHJMPQRVWX]{2,3}\b"
    r"|\b(?:lat|lon|lng|latitude|longitude)[ :=]+-?\d{1,3}\.\d{2,}",
    re.IGNORECASE,
)
# Squares of the British and the military grid.
_GRID = re.compile(
    r"[HNOST][A-HJ-Z] \d{3,5} \d{3,5}|\d{1,2}[C-HJ-NP-X] ?[A-HJ-NP-Z]{2} ?\d{3,5} ?\d{3,5}"
)
_ALPHABET = set("0123456789bcdefghjkmnpqrstuvwxyz")  # of geohashes
_HASH = (6, 12)
# Where people live, in degrees; people of one clinic live close to each other.
_INHABITED, _NEAR = ((20.0, 72.0), (-56.0, -5.0)), 15.0
_DECIMALS, _ROWS = 4, 5

_POSTCODES: Mapping[str, re.Pattern[str]] = {
    "gb": re.compile(r"(?:GIR ?0AA|[A-Z]{1,2}\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2})"),
    "us": re.compile(r"\d{5}-\d{4}"),
    "br": re.compile(r"\d{5}-\d{3}"),
    "pt": re.compile(r"[1-9]\d{3}-\d{3}"),
    "nl": re.compile(r"[1-9]\d{3} [A-Z]{2}"),
    "ca": re.compile(r"[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d"),
    "country": re.compile(r"(?:D|A|CH|F|I|E|B|L|NL|DE|AT|FR|IT|ES)[- ]\d{4,5}"),
}
_TOWN = re.compile(
    r"(?:[A-Z]{1,3}-? ?)?\d{4,5} [A-Z][a-z]{2,}(?:[ -][A-Za-z][a-z]*)*|"
    r"\d{4}-\d{3} [A-Z][a-z]+.*|[1-9]\d{3} ?[A-Z]{2} [A-Z][a-z]+.*|"
    r"[A-Z][a-z]{2,}, [A-Z]{2},? \d{5}(?:-\d{4})?|[A-Z][a-z]{3,}, \d{5}|"
    r"[A-Z][a-z]{3,},? \d{4}-\d{3}"
)


@functools.cache
def _streets() -> re.Pattern[str]:
    before, behind, joined = (
        "|".join(sorted(known("places", key), key=len, reverse=True))
        for key in ("before", "behind", "joined")
    )
    number = r"(?:n[o.]? ?)?\d{1,4} ?[a-z]?(?![\w%/.,]\d)\b"
    name = r"[A-Z][\w'.-]+"
    return re.compile(
        rf"\b{number},? (?:bis |ter )?(?i:{before}) (?:(?:de|du|des|la|le|les|d') ?)*{name}"
        rf"|\b(?i:{before})\.? (?:(?:de|del|di|da|do|dos|das|la|las|los|dei|degli|della|du|des) )*"
        rf"{name}(?: (?:(?:de|di|da|do|dos|das|la|del|e|y) )*{name})*,? {number}"
        rf"|\b\d{{1,5}}[a-z]? (?:{name} ){{1,3}}(?i:{behind})\b\.?"
        rf"|\b[A-Z][a-z-]+(?:{joined})\.? {number}"
        rf"|\b(?:{name} |{name}-)(?i:{joined})\.? {number}"
        r"|\b(?i:p\.? ?o\.? box|postfach|apartado(?: de correos)?|casella postale|postbus) \d+"
    )


@functools.cache
def _zip() -> re.Pattern[str]:
    long = "|".join(sorted(known("places", "zip"), key=len, reverse=True))
    short = "|".join(sorted(known("places", "zip_short")))
    # `cap 1000` is a capsule.
    return re.compile(
        rf"\b(?:(?:{long})(?: ?code)?[ .:]*\d{{4,}}|(?:{short})[ .:]*\d{{5}}(?! ?[a-z]))", re.I
    )


def find_street(text: str) -> bool:
    """Tell whether a folded text holds a street with a number."""
    return any(c.isdigit() for c in text) and bool(_streets().search(text))


def find_coordinates(text: str) -> bool:
    """Tell whether a folded text holds coordinates in a form of their own."""
    if _SURE.search(text) or _DEGREES.search(text) or _GRID.fullmatch(text):
        return True
    found = _PAIR.search(text) or _PAIR.search(text.replace(",", "."))
    return found is not None and 10 <= abs(float(found[1])) <= 80 and abs(float(found[2])) <= 180


def find_postcode(text: str) -> bool:
    """Tell whether a folded text names a postcode as one: zip 10115, 10115-1234 in a remark."""
    return bool(_zip().search(text))


def fits_postcode(text: str) -> str | None:
    """Name the form of postcode that a whole folded text has; `town` with a town behind it."""
    last = re.sub(r"[^a-z]", "", text.lower())
    if last in known("places", "units"):
        return None
    for name, pattern in _POSTCODES.items():
        if pattern.fullmatch(text):
            return name
    if _TOWN.fullmatch(text):
        behind = text.split(" ", 1)[1].lower()
        return None if behind.split(" ")[0] in known("people", "field") else "town"
    return None


def are_geohashes(texts: Sequence[str]) -> bool:
    """Tell whether texts are cells of one neighbourhood in the geohash grid."""
    lengths = {len(t) for t in texts}
    if (
        len(texts) < 3
        or len(lengths) > 2
        or not _HASH[0] <= min(lengths) <= max(lengths) <= _HASH[1]
    ):
        return False
    if any(not _ALPHABET.issuperset(t) for t in texts):
        return False
    first, last = min(texts), max(texts)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    prefix = first[:same]
    mixed = sum(not t[same:].isdigit() for t in texts) >= 0.2 * len(texts)
    interleaved = bool(re.match(r"[a-z]\d|\d[a-z]\d|\d[a-z]", prefix))
    return same >= 2 and mixed and interleaved


def find_pairs(columns: Mapping[str, Sequence[str]]) -> list[str]:
    """Find two columns side by side that are latitude and longitude: by place, never one alone.

    Parameters
    ----------
    columns
        Column -> every different folded text, in the order of the file.

    Returns
    -------
    list of str
        The columns.
    """
    fine = {name: _fine_numbers(texts) for name, texts in columns.items()}
    names = list(columns)
    found: list[str] = []
    for left, right in itertools.pairwise(names):
        for one, other in ((left, right), (right, left)):
            lat, lon = fine[one], fine[other]
            if lat and lon and _is_latitude(lat) and _is_longitude(lon):
                found += [c for c in (left, right) if c not in found]
    return found


def _fine_numbers(texts: Sequence[str]) -> list[float]:
    """Read a column of numbers with four decimals or more; empty if it is none."""
    if len(texts) < _ROWS:
        return []
    fine = [t for t in texts if re.fullmatch(rf"-?\d{{1,3}}\.\d{{{_DECIMALS},}}", t)]
    return [float(t) for t in fine] if len(fine) >= 0.9 * len(texts) else []


def _is_latitude(values: Sequence[float]) -> bool:
    near = max(values) - min(values) <= _NEAR
    return near and any(low <= min(values) and max(values) <= high for low, high in _INHABITED)


def _is_longitude(values: Sequence[float]) -> bool:
    return (
        max(values) - min(values) <= 2 * _NEAR
        and max(map(abs, values)) <= 180
        and (max(map(abs, values)) >= 1)
    )
