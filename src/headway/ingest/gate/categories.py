"""What kind of column it is, and whether its texts or numbers single people out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from headway.ingest.gate.fold import split_words
from headway.ingest.gate.vocabulary import known

# A text that is different in nearly every row points at one person.
_NEAR_UNIQUE, _NEAR_UNIQUE_ROWS = 0.9, 20
# A clinic has far fewer therapists, techniques and settings than visits.
_OF_CATEGORIES = {"therapist": 0.5, "technique": 0.5, "setting": 0.5, "condition": 0.9}
# Integers of as many digits in a column that nobody declared are taken for numbers of records.
_LONG_NUMBER = 100_000
# Codes that a study gives: letters and a short counter, or a counter alone (45 CFR 164.514(c)).
_STUDY_CODE = re.compile(r"([A-Za-z]{0,8}[-_ ]?(?:\d{1,3}[-_ ])?)(\d{1,5})")
_ICHD = re.compile(r"(?:1[0-4]|[1-9]|A\d{1,2})(?:\.\d{1,2}){0,4}\.?")


def says_classification(name: str) -> bool:
    """Tell whether a column is called a classification or a version, whose codes are nobody's."""
    return _says(name, "classification")


def says_measure(name: str) -> bool:
    """Tell whether a column is called a measurement, a dose, a score, a length or money."""
    return _says(name, "measure")


def _says(name: str, key: str) -> bool:
    """Tell whether a word of a name, or two joined, is among those of `columns.yaml`."""
    words = split_words(name)
    joined = {a + b for a, b in itertools.pairwise(words)}
    return bool(({*words} | joined) & known("columns", key))


def are_ichd(texts: Sequence[str]) -> bool:
    """Tell whether most texts are codes of ICHD-3."""
    return sum(bool(_ICHD.fullmatch(t)) for t in texts) >= 0.8 * len(texts) > 0


def are_study_codes(texts: Sequence[str]) -> bool:
    """Tell whether texts are codes that a study counts up: one beginning, few digits."""
    found = [_STUDY_CODE.fullmatch(t) for t in texts]
    fits = [m for m in found if m]
    starts = {re.sub(r"\d", "", m[1]) for m in fits}
    return len(fits) >= 0.95 * len(texts) and 0 < len(starts) <= max(3, 0.2 * len(fits))


def is_near_unique(canonical: str | None, different: int, cells: int) -> bool:
    """Tell whether texts are too many for what the column is."""
    limit = _NEAR_UNIQUE if canonical is None else _OF_CATEGORIES.get(canonical)
    return limit is not None and cells >= _NEAR_UNIQUE_ROWS and different > limit * cells


def is_numbered(numbers: Sequence[int], cells: int) -> bool:
    """Tell whether the long whole numbers of a column are somebody's each."""
    return cells >= _NEAR_UNIQUE_ROWS and len(numbers) > _NEAR_UNIQUE * cells


def is_long(number: int) -> bool:
    """Tell whether a whole number is as long as that of a record."""
    return number >= _LONG_NUMBER
