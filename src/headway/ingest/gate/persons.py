"""Names of people: a title or a known given name before a word that begins with a capital.

Source: the lists in people.yaml. A list finds some names and certifies nothing.
"""

from __future__ import annotations

import functools
import re

from headway.ingest.gate.fold import split_words
from headway.ingest.gate.vocabulary import known

_CAP = r"[A-Z][a-z]+(?:['-][A-Z]?[a-z]+)*"
_ANY = r"[A-Z](?:'[A-Z])?[A-Za-z]+(?:['-][A-Za-z]+)*"
_WORD = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*\.?|[^\sA-Za-z]+")
_UNITS = re.compile(r"\d ?(mg|mcg|ug|g|ml|%|i\.?e|iu|ui|mmol)\b", re.IGNORECASE)
# Latin words of anatomy end so.
_LATIN = re.compile(r"[a-z]*(us|is|ae|or|um|ius|eus|oideus|alis|aris|ior|ens|ans|ceps)$")
_JOINT = r"van|von|de|der|den|da|do|dos|das|di|la|del|ten|ter|du"
_WHOLE = re.compile(
    rf"(?:{_CAP}|[A-Z]\.)(?: (?:{_CAP}|[A-Z]\.|{_JOINT}))* {_CAP}|{_CAP}, {_CAP}(?: {_CAP})?"
)


# Monsieur, and no muscle.
_M = re.compile(r"(?<![\w.])M\. ([A-Z][a-z]{2,})")


@functools.cache
def _kin() -> re.Pattern[str]:
    words = "|".join(sorted(known("people", "kin"), key=len, reverse=True))
    return re.compile(rf"\b(?i:{words}) ({_CAP})")


@functools.cache
def _titles() -> re.Pattern[str]:
    names = "|".join(sorted((re.escape(w) for w in known("people", "titles")), key=len)[::-1])
    return re.compile(
        rf"(?<![\w.])(?i:{names}|sig[._ ]ra|sig[._ ]na|dott[._ ]ssa|d\.a|m\.me)\.?,? "
        rf"(?:(?i:van|von|de|der|den|da|do|dos|di|del|la|zu|ten|ter|dr|prof)\.? )*({_ANY})"
    )


def _is_given(word: str) -> bool:
    """Tell whether a word, or each half of a double name, is a known given name."""
    given = known("people", "given")
    return word in given or ("-" in word and any(part in given for part in word.split("-")))


def _is_other(word: str) -> bool:
    """Tell whether a word is one of the field, behind which a given name is no person's."""
    plain = word.lower().rstrip(".")
    return plain in known("people", "field") or plain in known("people", "not_after_given")


def find_person(text: str) -> bool:
    """Tell whether a folded text holds a name of a person."""
    if len(text) < 4 or not any(c.isupper() for c in text) or _UNITS.search(text):
        return False
    for found in _titles().finditer(text):
        title, name = found[0].split(" ")[0].rstrip(".,").lower(), found[1]
        if not _is_other(name) and _fits_title(found[0], title):
            return True
    if any(not _is_other(m[1]) and not _LATIN.fullmatch(m[1].lower()) for m in _M.finditer(text)):
        return True
    if any(_is_given(m[1].lower()) for m in _kin().finditer(text)):
        return True
    return _find_given(_WORD.findall(text))


def _fits_title(whole: str, title: str) -> bool:
    """Tell whether a word before a name is a title: it begins with a capital or has a point."""
    if title in ("don", "dona", "miss", "sir", "dra", "dna", "mw", "fr", "hr", "ms"):
        return whole[0].isupper() and not whole[:2].isupper()
    return whole[0].isupper() or title not in ("frau", "herr", "prof", "dr", "madame", "senora")


def _find_given(words: list[str]) -> bool:
    particles = known("people", "particles")
    if len(words) == 2 and all(w[0].isupper() for w in words):
        # Family Given, and nothing else in the cell; eponyms of two names are no person's here.
        if "_".join(words).lower() in known("people", "pairs"):
            return False
        if _is_given(words[1].lower()) and not _is_other(words[0]):
            return words[0].isalpha() and not words[0].lower().endswith("s")
    for i, word in enumerate(words[:-1]):
        rest = words[i + 1 :]
        if word.isupper() and len(word) >= 3 and word.isalpha():
            # FAMILY Given, and GIVEN FAMILY.
            after = rest[0]
            if _is_given(after.lower()) and after[0].isupper() and not _is_other(word):
                return True
        if not word[0].isupper() or not word[0].isalpha():
            continue
        if rest[0] == "," and len(rest) > 1 and word[0].isupper() and not _is_other(word):
            # Family, Given: nothing but these in the cell, or a sentence would do.
            if len(words) <= 5 and _is_given(rest[1].lower()) and rest[1][0].isupper():
                return True
            continue
        if word.endswith(".") or not _is_given(word.lower()):
            continue
        while len(rest) > 1 and (
            rest[0].lower() in particles or re.fullmatch(r"[A-Z]\.?", rest[0])
        ):
            rest = rest[1:]
        name = rest[0].rstrip(".")
        if len(name) < 2 or not name[0].isupper() or not name[0].isalpha():
            continue
        if _is_other(name) or any(
            _is_other(w) and w[0].islower() and w.lower() in known("people", "not_after_given")
            for w in rest[1:3]
        ):
            continue
        if name.isupper() and not word.isupper() and len(name) <= 3:
            continue  # Carmen ACE: a drug and what is in it
        return True
    return False


def is_initialled(text: str) -> bool:
    """Tell whether a folded text is nothing but an initial and a name: J. Smith, Anna S."""
    found = re.fullmatch(rf"(?:[A-Z]\. ?){{1,2}}({_CAP})|({_CAP}) [A-Z]\.", text)
    if found is None:
        return False
    name = found[1] or found[2]
    return not _is_other(name) and not _LATIN.fullmatch(name.lower())


def looks_like_full_name(text: str) -> bool:
    """Tell whether a folded text is but capitalised words, two or more, none of the field."""
    return bool(_WHOLE.fullmatch(text)) and not any(
        _is_other(w) or _LATIN.fullmatch(w.lower()) for w in re.findall(r"[A-Za-z]+", text)
    )


def find_person_in_name(name: str) -> bool:
    """Tell whether the name of a file or sheet holds a given name beside a word that is unknown."""
    words = split_words(re.sub(r"\d+", " ", name))
    given = [i for i, w in enumerate(words) if w in known("people", "given")]
    others = known("people", "field") | known("people", "not_after_given")
    return any(
        0 <= j < len(words)
        and len(words[j]) >= 3
        and words[j] not in others
        and words[i] not in others
        for i in given
        for j in (i - 1, i + 1)
    )
