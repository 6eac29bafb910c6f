"""Times of day and lengths of time as people and programs write them -> hours.

English, German and Spanish words, ISO 8601 durations, clocks of 12 and of 24 hours. What is not
wholly understood is None, never a part of it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from functools import lru_cache

_SIZE = r"(?:\d+(?:[.,]\d+)?|[.,]\d+)"
# Hours in a unit, and the words for it.
_UNITS: tuple[tuple[float, str], ...] = (
    (168.0, r"w|wks?|weeks?|wochen?|wo|sem|semanas?"),
    (24.0, r"d|days?|t|tage?n?|tg|d[ií]as?"),
    (1.0, r"h|hs|hrs?|hours?|std|stdn|stunden?|horas?"),
    (1 / 60, r"m|mins?|minutes?|minuten|minutos?|'|′"),
    (1 / 3600, r"s|secs?|seconds?|sek|sekunden?|segundos?|seg|\"|″"),
)
_WORDS = re.compile(
    "".join(
        rf"(?:(?P<u{i}>{_SIZE}) *(?:{words})\.?(?![^\W\d_]) *(?:[,;+&] *)?)?"
        for i, (_, words) in enumerate(_UNITS)
    ),
)
_ISO = re.compile(
    rf"p(?:(?P<u0>{_SIZE})w)?(?:(?P<u1>{_SIZE})d)?"
    rf"(?:t(?:(?P<u2>{_SIZE})h)?(?:(?P<u3>{_SIZE})m)?(?:(?P<u4>{_SIZE})s)?)?"
)
# 4:15, 04:15:00, and as programs write a length with days: `1 day, 6:30:00`, `1 days 06:30:00`.
_CLOCK_LENGTH = re.compile(
    r"(?:(?P<days>\d+) *(?:d|days?|tage?|d[ií]as?),? +)?(?P<h>\d{1,3}):(?P<m>[0-5]\d)"
    r"(?::(?P<s>[0-5]\d(?:\.\d+)?))? *(?:h|hrs?|hours?|std|stunden?|horas?)?\.?"
)
# Numbers in words, and halves, before a unit.
_ONE = re.compile(r"\b(?:an?|one|eine?[nr]?|una?)\b(?= )")
_HALF = re.compile(r"\b(?:half(?: an?)?|(?:eine? )?halbe[nrs]?|medi[ao])\b(?= )")
_AND_HALF = re.compile(r"^(?P<n>[\d.,]+) *(?P<unit>[^\W\d_]+) y media$")
_ONE_AND_A_HALF = re.compile(r"\b(?:anderthalb|eineinhalb)\b(?= )")
# 1h30 for 1h 30m.
_SHORT = re.compile(r"(?P<h>\d+)h(?P<m>[0-5]\d)")
_AND = re.compile(r" (?:and|und|y|e|con) ")
_FRACTIONS = {"½": ".5", "¼": ".25", "¾": ".75", "1/2": ".5", "1/4": ".25", "3/4": ".75"}

_TIME = re.compile(
    r"(?P<h>\d{1,2})(?:(?::|h| uhr |\.(?=\d\d ?uhr))(?P<m>[0-5]\d)"
    r"(?:(?::|m)(?P<s>[0-5]\d(?:\.\d+)?)s?)?)?"
    r"(?: ?(?P<half>[ap])\.? ?m\.?)?(?P<said> ?(?:uhr|h|hrs?|o'clock|horas?)\.?)?"
)
# A date before a time: 2031-03-01 22:30, 2031-03-01T22:30:00Z, 1.3.2031 22:30.
_DATED = re.compile(
    r"^(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4})(?:(?:t|,? +)(?P<time>\d.*?))?"
    r"(?: ?z|(?P<zone>[+-]\d{2}:?\d{2}))?$"
)


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _number(text: str) -> float:
    return float(text.replace(",", "."))


@lru_cache(maxsize=1 << 20)
def read_hours(text: str | None) -> float | None:
    """Read a length of time that says its units; hours.

    `1d 06h 30m`, `4 h`, `1,5 Std.`, `2 días`, `half an hour`, `4:15`, `1 day, 6:30:00`, `PT1H30M`.
    A bare number says no unit and is None, as is everything that is not wholly understood.
    """
    folded = _fold(text or "")
    if not folded or folded.replace(".", "", 1).replace(",", "", 1).isdigit():
        return None
    clock = _CLOCK_LENGTH.fullmatch(folded)
    if clock:
        days, hours, minutes = (float(clock[k] or 0) for k in ("days", "h", "m"))
        return days * 24 + hours + minutes / 60 + float(clock["s"] or 0) / 3600
    found = _ISO.fullmatch(folded)
    if found is None:
        for sign, decimal in _FRACTIONS.items():
            folded = re.sub(rf"(\d*) ?{re.escape(sign)}(?!\d)", rf"\g<1>{decimal}", folded)
        folded = _SHORT.sub(r"\g<h>h\g<m>m", _ONE_AND_A_HALF.sub("1.5", folded))
        folded = _AND_HALF.sub(r"\g<n>.5 \g<unit>", _ONE.sub("1", _HALF.sub(".5", folded)))
        found = _WORDS.fullmatch(_AND.sub(" ", folded))
    if found is None:
        return None
    parts = [(found[f"u{i}"], size) for i, (size, _) in enumerate(_UNITS)]
    if not any(part for part, _ in parts):
        return None
    return math.fsum(_number(part) * size for part, size in parts if part)


@lru_cache(maxsize=1 << 20)
def read_clock(text: str | None) -> float | None:
    """Read a time of day; hours since midnight, below 24 (24:00 is 24).

    `14:30`, `2:30 pm`, `14 Uhr 30`, `14h30`, a date and time (its time; a date alone is midnight).
    A bare number is None: `cells` reads it.
    """
    folded = _fold(text or "")
    dated = _DATED.fullmatch(folded)
    if dated:
        if dated["time"] is None:
            return 0.0 if dated["zone"] is None else None
        folded = dated["time"].strip()
    found = _TIME.fullmatch(folded)
    if found is None or folded.isdigit():
        return None
    hour, minutes = int(found["h"]), float(found["m"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"] == "p" else 0)
    value = hour + minutes / 60 + float(found["s"] or 0) / 3600
    return value if value <= 24 else None
