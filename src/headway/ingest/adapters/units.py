"""Units of measured values, as FHIR writes them: UCUM codes, and the words that stand beside them.

The codes are those of the Unified Code for Units of Measure (ucum.org) for what a headache clinic
measures; a month is 30.4375 days there and here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Unit:
    """What is measured, and how much of it (in seconds, degrees, mm, ... ) one unit is.

    `scale` is a rating: one unit is its share of the whole scale. `per_28` are days in 28 days,
    `count` is a number without a unit, `other` a unit of something else.
    """

    kind: str
    size: Fraction = Fraction(1)


_SECONDS = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "min": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86_400),
    "wk": Fraction(604_800),
    "mo": Fraction(2_629_800),
    "a": Fraction(31_557_600),
}
_DAY = _SECONDS["d"]
# Known codes, which a message may repeat.
CODES: dict[str, Unit] = (
    {code: Unit("time", size) for code, size in _SECONDS.items()}
    | {
        "mo_j": Unit("time", _SECONDS["mo"]),
        "a_j": Unit("time", _SECONDS["a"]),
        "deg": Unit("angle"),
        "rad": Unit("angle", Fraction("57.29577951308232")),
        "mm": Unit("length"),
        "cm": Unit("length", Fraction(10)),
        "m": Unit("length", Fraction(1000)),
        "[in_i]": Unit("length", Fraction("25.4")),
        "%": Unit("scale", Fraction(1, 100)),
        "1": Unit("count"),
    }
    | {code: Unit("other") for code in ("ug", "mg", "g", "kg", "ml", "mL", "l", "L", "Cel", "Hz")}
    | {code: Unit("other") for code in ("mm[Hg]", "kPa", "N", "[iU]", "mmol/L", "mg/d", "kcal")}
)
# In any case, with or without a point behind them.
_WORDS: dict[str, str] = {
    word: code
    for code, words in {
        "s": "sec secs second seconds sek sekunde sekunden seg segundo segundos",
        "min": "min mins minute minutes minuten minuto minutos",
        "h": "hr hrs hour hours std stunde stunden hora horas",
        "d": "day days tag tage tagen día días dia dias",
        "wk": "wks week weeks woche wochen sem semana semanas",
        "mo": "mon month months monat monate mes meses",
        "a": "ann yr yrs year years jahr jahre año años",
        "deg": "degree degrees grad grado grados °",
        "mm": "millimetre millimetres millimeter millimeters milímetro milímetros",
        "cm": "centimetre centimetres centimeter centimeters zentimeter centímetros",
        "%": "percent prozent",
    }.items()
    for word in words.split()
}
_SCALE = re.compile(
    r"^[{\[(]?\s*(?:nrs|vas|vrs)?\s*(?:0\s*(?:-|–|_|\.\.|to|bis|a)|/)\s*(10|100)\s*[}\])]?$"
)
_PER = re.compile(r"\s*/\s*|\s+(?:per|pro|por|al|je|in|en)\s+")
_TIMES = re.compile(r"^\(?\s*(\d+)?\s*[. ]?\s*([^\d().]+?)\.?\s*\)?$")
_LENGTHS_IN = {
    "duration_hours": "h",
    "usual_duration_hours": "h",
    "duration": "h",
    "start_hour": "h",
    "minutes": "min",
    "retention_minutes": "min",
    "chronicity_years": "a",
    "age": "a",
    "day": "d",
    "start_day": "d",
    "diary_from": "d",
    "diary_to": "d",
    "soreness_days": "d",
    "lethargy_days": "d",
    "range_of_motion_degrees": "deg",
    "leg_length_difference_mm": "mm",
    "needle_diameter_mm": "mm",
}
_DECLARED = {"hours": "h", "minutes": "min", "years": "a", "months": "mo"}
_DAYS = ("frequency", "headache_days_28")
_RATINGS = ("intensity", "usual_intensity")


def expect_unit(canonical: str, declared: str | None) -> tuple[str, Unit] | None:
    """Say in which unit clinic.yaml reads a canonical column (or outcome): its name and size.

    None where any unit will do (an amount of money).
    """
    if canonical == "fee":
        return None
    if canonical in _LENGTHS_IN:
        code = _DECLARED.get(declared or "", _LENGTHS_IN[canonical])
        return code, CODES[code]
    if canonical in _DAYS:
        if declared == "days_per_month":
            return "d/mo", Unit("per_28", 28 * _DAY / _SECONDS["mo"])
        return "d/(28.d)", Unit("per_28")
    if canonical in _RATINGS:
        top = 100 if declared == "vas_0_100" else 10
        return f"{{0-{top}}}", Unit("scale", Fraction(1, top))
    return "1", CODES["1"]


def find_unit(code: str, words: str) -> tuple[str, Unit | None]:
    """Find the unit that a value names, by its code and its words; they must not contradict.

    Returns
    -------
    tuple
        The UCUM code if it is a known one, else empty; the unit, None if it is not known. Without
        code and words the unit is that of a value that names none: `("", Unit("unsaid"))`.
    """
    said = [text for text in (code.strip(), words.strip()) if text]
    if not said:
        return "", Unit("unsaid")
    found = [hit for hit in map(_read, said) if hit is not None]
    if not found:
        return "", None
    name, unit = found[0]
    if any(other != unit for _, other in found) and "count" not in {u.kind for _, u in found}:
        return "", None
    if unit.kind == "count":
        name, unit = found[-1]
    return name, unit


def _read(text: str) -> tuple[str, Unit] | None:
    """Read one code or word."""
    if text in CODES:
        return text, CODES[text]
    scale = _SCALE.match(text.casefold())
    if scale:
        return f"{{0-{scale[1]}}}", Unit("scale", Fraction(1, int(scale[1])))
    bare = re.sub(r"\{[^{}]*\}", "", text).strip()
    if bare != text:
        # An annotation is no unit, but where nothing else is said it may name one: {hours}.
        inner = _time(text.strip("{} ")) if not bare else _read(bare)
        return inner or (None if bare else ("1", CODES["1"]))
    whole = _time(text)
    if whole:
        return whole
    over, *under = _PER.split(text.casefold(), maxsplit=1)
    if under and (not over.strip() or (_time(over) or ("", None))[0] == "d"):
        times = _TIMES.match(under[0].strip())
        span = _time(times[2]) if times else None
        if times and span and span[1].kind == "time":
            length = span[1].size * int(times[1] or 1)
            return ("d/mo" if span[0] == "mo" else ""), Unit("per_28", 28 * _DAY / length)
    return None


def _time(text: str) -> tuple[str, Unit] | None:
    """Read a plain code or word."""
    word = text.strip()
    code = word if word in CODES else _WORDS.get(word.casefold().rstrip("."))
    return (code, CODES[code]) if code else None


def convert(number: str, unit: Unit | None, target: Unit) -> str | None:
    """Write a number of one unit in another; None if they do not measure the same.

    A rating or a count may carry any name as its unit (points, tablets), but none that measures
    something else.
    """
    if unit is not None and unit.kind == "unsaid":
        return number
    if target.kind in ("scale", "count", "per_28"):
        if unit is None or unit.kind == "count":
            return number
        if target.kind == "count":
            return number if unit.kind == "scale" else None
        if target.kind == "per_28" and unit == CODES["d"]:
            return number
        if target.kind == "scale" and unit.kind == "length":
            # The line of a visual analogue scale is 100 mm long.
            unit = Unit("scale", unit.size / 100)
    if unit is None or unit.kind != target.kind or unit.kind == "other":
        return None
    if unit.size == target.size:
        return number
    try:
        exact = Fraction(Decimal(number)) * unit.size / target.size
    except (InvalidOperation, ValueError, OverflowError):
        return number  # no number; it is listed as that
    return f"{float(exact):.12g}"
