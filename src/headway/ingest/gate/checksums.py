"""Numbers with check digits: national numbers, cards, accounts, insurance, devices, vehicles.

The algorithms are those of python-stdnum where it has them. A number of nine digits passes a check
by chance one time in eleven, so plain digits count where far more of a column pass than chance
lets; a form with letters of its own counts by itself.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb

from headway.ingest.gate.vocabulary import read

# So rare must it be by chance that so many numbers of a column pass.
_CHANCE, _SHARE = 0.02, 0.3
_SAMPLE = 400


@dataclass(frozen=True, slots=True)
class Check:
    """A kind of number: its form, how often digits pass by chance, and what checks it."""

    rule: str
    form: re.Pattern[str]
    chance: float
    passes: Callable[[str], bool]


def _stdnum(module: str) -> Callable[[str], bool]:
    """Take the check of a module of python-stdnum, read when it is first asked for."""

    @functools.cache
    def load() -> Callable[[str], bool]:
        import stdnum

        check = importlib.import_module(f"{stdnum.__name__}.{module}")
        found: Callable[[str], bool] = check.is_valid
        return found

    def passes(text: str) -> bool:
        return bool(load()(re.sub(r"[ ./-]", "", text)))

    return passes


def _weighted(text: str, weights: Sequence[int], modulus: int) -> int:
    return sum(int(d) * w for d, w in zip(text, weights, strict=False)) % modulus


def _digit_sum(n: int) -> int:
    return n // 10 + n % 10


def _luhn(digits: str) -> bool:
    total = sum(_digit_sum(int(d) * 2) if i % 2 else int(d) for i, d in enumerate(digits[::-1]))
    return total % 10 == 0


def _is_kvnr(text: str) -> bool:
    """Check a German health insurance number (GKV, 290 SGB V): a letter as two digits, Luhn."""
    digits = f"{ord(text[0].upper()) - 64:02d}{text[1:]}"
    total = sum(_digit_sum(int(d) * (1 + i % 2)) for i, d in enumerate(digits[:-1]))
    return total % 10 == int(digits[-1])


def _is_pension(text: str) -> bool:
    """Check a German pension insurance number (VKVV, 4)."""
    letter = f"{ord(text[8].upper()) - 64:02d}"
    digits = text[:8] + letter + text[9:11]
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    total = sum(_digit_sum(int(d) * w) for d, w in zip(digits, weights, strict=True))
    return 1 <= int(text[4:6]) <= 12 and total % 10 == int(text[11])


def _is_travel(text: str) -> bool:
    """Check the number of an identity card or passport (ICAO 9303: weights 7, 3, 1)."""
    values = [int(c, 36) for c in text[:-1].upper()]
    return _weighted_values(values, (7, 3, 1)) % 10 == int(text[-1])


def _weighted_values(values: Sequence[int], weights: Sequence[int]) -> int:
    return sum(v * weights[i % len(weights)] for i, v in enumerate(values))


def _is_vin(text: str) -> bool:
    """Check a vehicle identification number (ISO 3779; check digit of 49 CFR 565.15)."""
    letters, worth = "ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789"
    values = dict(zip(letters, map(int, worth), strict=True))
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum((values.get(c) or int(c)) * w for c, w in zip(text.upper(), weights, strict=True))
    return "0123456789X"[total % 11] == text[8].upper()


def _is_sus(text: str) -> bool:
    """Check a number of the Brazilian health card (CNS, modulus 11)."""
    return text[0] in "12789" and _weighted(text, range(15, 0, -1), 11) == 0


def _is_nss(text: str) -> bool:
    """Check a Spanish social security number (two digits, modulus 97)."""
    province, number, check = text[:2], int(text[2:10]), int(text[10:])
    if not (1 <= int(province) <= 66):
        return False
    base = int(province) * 10**7 + number if number < 10**7 else int(province) * 10**8 + number
    return base % 97 == check


def _is_card(text: str) -> bool:
    return text[0] in "3456" and _luhn(text)


def _plain(check: Callable[[str], bool]) -> Callable[[str], bool]:
    """Let a check see letters and digits alone."""
    return lambda text: check(re.sub(r"[\W_]", "", text))


_OWN: Mapping[str, Callable[[str], bool]] = {
    "kvnr": _is_kvnr,
    "pension": _plain(_is_pension),
    "travel": _is_travel,
    "nss": _plain(_is_nss),
    "sus": _plain(_is_sus),
    "card": _plain(_is_card),
    "vin": _is_vin,
}


def _find_check(name: str) -> Callable[[str], bool]:
    room, _, own = name.partition(".")
    return _OWN[own] if room == "own" else _stdnum(name)


_CHECKS = tuple(
    Check(
        row["rule"],
        re.compile(row["form"], re.IGNORECASE),
        row["chance"],
        _find_check(row["check"]),
    )
    for row in read("forms")["checked"]
)
# European vehicles have no check digit; the maker's code and the length say enough of a column.
_VEHICLE = re.compile(r"[A-HJ-NPR-Z0-9]{3}(?=[A-Z0-9]*[A-Z])[A-HJ-NPR-Z0-9]{10}\d{4}")
_FEWEST = 3


def _by_chance(hits: int, of: int, chance: float) -> float:
    """Give the probability that so many or more of the numbers pass by chance (binomial tail)."""
    below = sum(comb(of, i) * chance**i * (1 - chance) ** (of - i) for i in range(hits))
    return max(0.0, 1 - below)


def find_checked(texts: Sequence[str]) -> Mapping[str, set[str]]:
    """Find numbers with check digits among the different folded texts of a column.

    Returns
    -------
    dict
        Rule -> the texts that pass.
    """
    out: dict[str, set[str]] = {}
    long = [t for t in texts if 8 <= len(t) <= 42 and sum(map(str.isdigit, t)) >= 5]
    for check in _CHECKS:
        of_form = [t for t in long if check.form.fullmatch(t)]
        if not of_form:
            continue
        sample = of_form[:_SAMPLE]
        hits = {t for t in sample if check.passes(t)}
        enough = len(hits) >= _SHARE * len(sample)
        if hits and enough and _by_chance(len(hits), len(sample), check.chance) <= _CHANCE:
            # Of more numbers than were checked, those of the form count.
            found = hits if len(of_form) == len(sample) else hits | set(of_form[_SAMPLE:])
            out.setdefault(check.rule, set()).update(found)
    vehicles = {t for t in long if _VEHICLE.fullmatch(t)}
    if len(vehicles) >= _FEWEST:
        out.setdefault("vehicle", set()).update(vehicles)
    return out


_TOKENS = re.compile(
    r"[A-Za-z]{0,6}\d[\dA-Za-z]*(?:[ ./-][\dA-Za-z]*\d[\dA-Za-z]*)*"
    r"|[A-Za-z]{6}\d{2}[A-Za-z]\d{2}[A-Za-z]\d{3}[A-Za-z]"
)


def find_in_remark(text: str) -> list[str]:
    """List the rules of numbers with letters or signs of their own within a folded text."""
    if sum(map(str.isdigit, text)) < 7:
        return []
    return [
        check.rule
        for token in _TOKENS.findall(text)
        for check in _CHECKS
        if check.chance <= _CHANCE and not re.fullmatch(r"[\d ]+", token)
        if check.form.fullmatch(token) and check.passes(token)
    ]
