"""Numbers in words: what every page says in the same way.

A missing number is an en dash, never 0 and never blank; a hidden one says that it is hidden.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from headway.disclosure.precision import find_decimals
from headway.effects.measures import MEASURES
from headway.effects.units import name_unit
from headway.messages import (
    MISSING,
    decimal,
    keep_digits,
    phrase,
    say,
    t,
    writes_released,
)
from headway.messages import is_missing as missing
from headway.messages import write_integer as integer
from headway.messages import write_number as number

HIDDEN = "common.hidden"
# What may not be said of a clinic's own results, and the phrases in which the words are meant
# otherwise: a denial, or a term of statistics. `tests/unit/test_pages.py` holds pages against both.
FORBIDDEN = (
    r"\beffects? of\b",
    r"\bcaused?\b",
    r"\bworks\b",
    r"\bproven\b",
    r"\baverted\b",
    r"\beffective\b",
    r"\befficacy\b",
)
ALLOWED = (
    "not an effect of",
    "no effect of",
    "cannot be called an effect of",
    # Claims, quoted to be held against records.
    "trigger points cause pain at a distance",
    "acupuncture works on other grounds than trigger point work",
)
# The same in the other languages of a page: what may not be said, and where it is denied.
FORBIDDEN_IN = {
    "en": (FORBIDDEN, ALLOWED),
    "es": (
        (
            r"\befectos? del?\b",
            r"\b(causa|causan|causó|causaron|causad[oa]s?)\b",
            r"\bfuncionan?\b",
            r"\b(probad|demostrad)[oa]s?\b",
            r"\bevitad[oa]s?\b",
            r"\b(eficaz|eficaces|eficacia|efectiv[oa]s?|efectividad)\b",
            r"\bcuran?\b",
        ),
        ("no un efecto del tratamiento",),
    ),
    "de": (
        (
            r"\b(wirkung|wirkungen|effekte?n?|effekts) (der|des|von)\b",
            r"\bverursach\w*",
            r"\bwirk(t|en|te|ten)\b",
            r"\b(bewiesen|beweist|erwiesen)\b",
            r"\b(verhindert|vermieden)\w*",
            r"\b(wirksam\w*|effektiv\w*)",
            r"\bheil(t|en|te)\b",
        ),
        ("keine wirkung der behandlung",),
    ),
}


__all__ = ["MISSING", "integer", "missing", "number"]


def find_forbidden(text: str, language: str = "en") -> list[str]:
    """List what a text about a clinic's own results says and may not say."""
    forbidden, allowed = FORBIDDEN_IN[language]
    plain = re.sub(r"\s+", " ", text).lower()
    for words in allowed:
        plain = plain.replace(words, "")
    return [m.group() for pattern in forbidden for m in re.finditer(pattern, plain)]


def p_value(value: Any) -> str:
    """Write a p value."""
    if missing(value):
        return MISSING
    return decimal("p < 0.001" if value < 0.001 else f"p = {value:.3f}")


def limits(low: Any, high: Any, digits: int = 2, beside: Sequence[Any] = ()) -> str:
    """Write two limits, with as many decimals as the numbers `beside` them."""
    if missing(low) or missing(high):
        return MISSING
    return t("common.low_to_high", **ends(low, high, digits, beside))


def ends(low: Any, high: Any, digits: int = 2, beside: Sequence[Any] = ()) -> dict[str, str]:
    """Write two limits for the places `low` and `high` of a sentence, with equal decimals."""
    all_of = (low, high, *beside)
    digits = keep_digits(digits, *all_of)
    return {"low": number(low, digits, all_of), "high": number(high, digits, all_of)}


def percent(value: Any, digits: int = 0, beside: Sequence[Any] = ()) -> str:
    """Write a share in percent, with as many decimals as the numbers `beside` it."""
    return MISSING if missing(value) else f"{number(value, digits, beside)} %"


def interval(row: Mapping[str, Any], digits: int = 2) -> str:
    """Write an estimate with its interval and the interval's method, from a row of `cohort`."""
    if row.get("redacted"):
        return t(HIDDEN)
    three = [row[c] for c in ("estimate", "ci_low", "ci_high")]
    digits = _find_digits(row, digits)
    text = number(row["estimate"], digits, three)
    if missing(row["ci_low"]):
        return text
    return t(
        "common.value_95_percent_ci_limits_method",
        value=text,
        limits=limits(row["ci_low"], row["ci_high"], digits, three),
        method=say(row["interval"]),
    )


def _find_digits(row: Mapping[str, Any], digits: int) -> int:
    """Find the decimals that a row was released with, where it is no share of people."""
    if not writes_released() or missing(row["estimate"]) or not missing(row.get("count")):
        return digits
    if "unit" not in row:
        return digits
    unit = None if missing(row["unit"]) else row["unit"]
    released = find_decimals(pd.Series([unit], dtype=object), pd.Series([float(row["estimate"])]))
    return max(0, min(digits, int(released[0])))


def coded(family: str, value: Any) -> str:
    """Write a code, or a source's own words, by the entry of its family."""
    return as_text(phrase(family, value) if isinstance(value, str) else value)


def scale(value: Any, measure: str) -> float:
    """Bring an effect back to what is shown: a ratio from its log."""
    if missing(value):
        return float("nan")
    return MEASURES[measure].scale.show(value)


def unit(measure: str, own: str) -> str:
    """Name the unit that effects are shown in; `own` is that of the table."""
    return say(name_unit(MEASURES[measure].unit or own))


def as_text(value: Any) -> str:
    """Write a cell of a table as it is."""
    if missing(value) or value == "":
        return MISSING
    if isinstance(value, bool):
        return t("common.yes") if value else t("common.no")
    if isinstance(value, float):
        return decimal(f"{value:.6g}".replace("-", "−"))
    return say(str(value))


def cite(source: Any) -> str:
    """Write where a number was printed, in the words of the source."""
    return MISSING if missing(source) or source == "" else str(source)
