"""Ages over 89 in words and numbers; 90 and over as one group is allowed (164.514(b)(2)(i)(C))."""

from __future__ import annotations

import datetime
import re

_OLD = r"(?:9\d|1[0-2]\d)"
_YEARS = (
    r"years?|yrs?|y[/.]? ?o\.?|j\.?|jahren?|jaehrig\w*|jahrig\w*|anos|annees?|ans|anni|jaar|jarige?"
)
_IN_WORDS = re.compile(
    # Of letters, only those of a sex may stand before the number: a code may end like an age.
    rf"(?<![\w.,/+-])[mfwvhd]?{_OLD}[ -]?(?:{_YEARS})(?:[ -]old)?(?![\w])"
    r"|\b(?:age|aged|alter|edad|idade|leeftijd|eta|age de)[ :=]*(?:de |di |von )?"
    rf"{_OLD}(?![\d.,%])",
    re.IGNORECASE,
)
# One group from 90 on.
_GROUP = re.compile(
    r"90 ?\+|(?:>=|≥|ab|over|from|desde|mas de|plus de) ?90"
    r"|90[ -]?\w*\.? (?:und|and|y|et|e|en|o|ou|of)"
    r" (?:aelter|alter|over|older|above|mas|plus|oltre|mais|ouder|hoger|piu|more|up)",
    re.IGNORECASE,
)
_BORN = re.compile(
    r"(?:\b(?:born|geb|geboren|nacid[oa]|ne|nee|nat[oa]"
    r"|nascid[oa])\b\.?|\*) ?(?:in|en|nel|em)? ?(19\d{2})(?!\d)",
    re.IGNORECASE,
)
_HIGHEST = 89


def find_age(text: str) -> bool:
    """Tell whether a folded text holds an age over 89."""
    born = any(shows_age(int(m[1])) for m in _BORN.finditer(text))
    return born or (bool(_IN_WORDS.search(text)) and not _GROUP.search(text))


def is_too_old(number: float) -> bool:
    """Tell whether an age in years is over 89."""
    return number > _HIGHEST


def shows_age(year: float) -> bool:
    """Tell whether a year of birth shows an age over 89, today or later this year."""
    return 1850 <= year <= datetime.date.today().year - _HIGHEST - 1
