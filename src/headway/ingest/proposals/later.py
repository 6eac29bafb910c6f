"""How long after treatment an outcome was asked for, by what its column or row says."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

# What clinic.yaml takes for the time after treatment unless it says otherwise.
USUAL = (56, 83)
_RECALL = 28
_DAYS = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "year": 365.25}
_UNITS = (
    r"(?:(?P<day>days?|tagen?|dias?)|(?P<week>weeks?|wochen?|semanas?|wks?|wo|sem|w)"
    r"|(?P<month>months?|monate?n?|mes(?:es)?|mths?|mos?|m)|(?P<year>years?|yrs?|jahre?n?|anos?))"
)
_FIGURES = {
    1: "one einem einer ein un una",
    2: "two zwei dos",
    3: "three drei tres",
    4: "four vier cuatro",
    6: "six sechs seis",
    8: "eight acht ocho",
    9: "nine neun nueve",
    12: "twelve zwolf zwoelf doce",
}
_FIGURE = {word: n for n, words in _FIGURES.items() for word in words.split()}
# Before a number: that many days or weeks are what was asked about.
_ABOUT = (
    r"(?:\b(?:last|past|previous|per|in|of|over|within|for|letzte[nr]?|vergangene[nr]?|pro|je|im|von|"
    r"ultim[oa]s?|pasad[oa]s|por|en|cada|(?<!despues )de)|/)\s*(?:the|den|der|die|los|las)?\s*$"
)
_SPAN = re.compile(
    r"\b(?:weeks?|wochen?|semanas?|wks?)\s*(?P<first>\d+)\s*(?:-|to|bis|a|y|and|und)\s*(?P<last>\d+)\b"
)
_NUMBER = rf"(?P<n>\d+|{'|'.join(_FIGURE)})"
_TIME = re.compile(rf"(?<![\w.,]){_NUMBER}[\s-]*{_UNITS}\b(?!\s*ago)")
# Month 6, W12, T6: the unit first.
_UNIT_FIRST = re.compile(
    r"\b(?:(?P<week>weeks?|wochen?|semanas?|wk|w)|(?P<month>months?|monat|mes|m)"
    r"|(?P<year>years?|jahr|ano|y)|(?P<day>day|tag|dia))\s*(?P<n>\d+)\b"
)
_BESIDE = re.compile(
    r"^\s*(?:after|later|post|follow|before|prior|pre|nach|vor|danach|davor|despues|antes|previ|tras)"
)
_AROUND = re.compile(r"\b(?:after|post|follow[ -]?up|fu|nach|tras|despues|later|seguimiento|at)\b")


@dataclass(frozen=True, slots=True, order=True)
class Later:
    """A time after treatment: the days that an answer covers, and how it was said."""

    first: int
    last: int
    unit: str  # day, week, month, year; `weeks` for a span of weeks
    n: int  # how many, or the first week of a span
    beside: bool = False  # `12 weeks after`, as against 12 weeks of which somebody was asked

    @property
    def end(self) -> int:
        """The last week of a span."""
        return (self.last + 1) // 7


def find_later(after: str, before: str, titles: Iterable[str] = ()) -> tuple[Later, ...]:
    """Find the times that a text of after treatment says, and that of before does not.

    Parameters
    ----------
    after, before
        Two names of one outcome, or what two rows say of their time.
    titles
        What stands above the table; it counts where the names say no time.

    Returns
    -------
    tuple of Later
        None, one, or several: what is meant is then open. `4 weeks before` beside `4 weeks after`
        counts, `days in 4 weeks` that both say does not.
    """
    own, other = _list_times(after), _list_times(before)
    shared = {(t.unit, t.n) for t in other if not t.beside}
    found = {_key(t): t for t in own if t.beside or (t.unit, t.n) not in shared}
    if not found:
        above = [t for title in titles if _AROUND.search(_plain(title)) for t in _list_times(title)]
        found = {_key(t): t for t in above}
    return tuple(found.values())


def is_other_baseline(before: str, after: str) -> bool:
    """Tell whether a text of before treatment says a time that is not the four weeks before."""
    shared = {(t.unit, t.n) for t in _list_times(after) if not t.beside}
    return any(
        t.last + 1 not in (28, 30) and (t.unit, t.n) not in shared and (t.beside or t.unit != "day")
        for t in _list_times(before)
    )


def _key(time: Later) -> tuple[int, int]:
    return time.first, time.last


def _plain(text: str) -> str:
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace("_", " ").casefold()
    plain = "".join(c for c in unicodedata.normalize("NFKD", split) if not unicodedata.combining(c))
    plain = re.sub(r"[‐-―−]", "-", plain)
    plain = re.sub(r"\b(?:half a year|halb(?:es|en) jahr|medio ano)\b", "6 months", plain)
    return re.sub(r"\b(?:al|after an?) (ano|year|month)\b", r"after 1 \1", plain)


def _list_times(text: str) -> list[Later]:
    plain = _plain(text)
    out = []
    for span in _SPAN.finditer(plain):
        first, last = int(span["first"]), int(span["last"])
        if 0 < first <= last:
            out.append(Later((first - 1) * 7, last * 7 - 1, "weeks", first))
    plain = _SPAN.sub(" ", plain)
    for pattern in (_TIME, _UNIT_FIRST):
        for found in pattern.finditer(plain):
            if re.search(_ABOUT, plain[: found.start()]):
                continue
            unit = next(u for u in _DAYS if found[u])
            n = int(found["n"]) if found["n"].isdigit() else _FIGURE[found["n"]]
            last = round(n * _DAYS[unit]) - 1
            if last < 0:
                continue
            near = bool(_BESIDE.match(plain[found.end() :])) or bool(
                re.search(
                    r"\b(?:after|nach|tras|despues de|vor|before)\s*$", plain[: found.start()]
                )
            )
            out.append(Later(max(0, last - _RECALL + 1), last, unit, n, near))
        plain = pattern.sub(" ", plain)
    return out
