"""The adversary reads text: every whole number of a page, a figure or a notebook is a cell.

Its place is what stands around it: the heading, the caption, the sentence without its numbers, and
which one it is of several like it. Nothing here knows what a sentence means, nor shares anything
with the code that writes pages; which cells agree with which count is learned from other clinics
(`disclosure_attack_values`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headway.disclosure import Preset
    from tests.unit.disclosure_attack import Attack

# 1 234 is one number, with or without a space that does not break; 3.5 and -2 are no counts.
NUMBER = re.compile(r"(?<![\w.,\u2212-])(?:\d{1,3}(?:[ \u00a0\u202f]\d{3})+|\d+)(?![\w]|[.,]\d)")
ANY_NUMBER = re.compile(r"[\u2212-]?\d+(?:[.,\u00a0\u202f]\d+)*")
SENTENCE = re.compile(r"(?<=[.;!?])\s+")
BLOCKS = {"p", "li", "td", "th", "dt", "dd", "caption", "figcaption", "summary", "title", "desc"}
HEADINGS = {"h1", "h2", "h3"}
Texts = dict[Hashable, float]


class Page(HTMLParser):
    """The numbers of a page, by place: text, alt texts, and letters drawn as outlines."""

    def __init__(self, page: str, surface: str) -> None:
        super().__init__()
        self.numbers: Texts = {}
        self._surface, self._said = surface, ""
        self._heading, self._caption, self._row, self._column = "", "", "", 0
        self._seen: Counter[Hashable] = Counter()
        self._quiet = 0
        self.feed(page)
        self._end("")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("style", "script"):
            self._quiet += 1
        if tag in BLOCKS | HEADINGS or tag in ("div", "table", "figure", "tr", "pre"):
            self._end("")
        if tag == "tr":
            self._row, self._column = "", 0
        for name in ("aria-label", "alt"):
            text = dict(attrs).get(name)
            if text:
                self._read(text, name)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script"):
            self._quiet -= 1
        if tag == "table":
            self._caption = ""
        self._end(tag)

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self._said += data

    def handle_comment(self, data: str) -> None:
        """Read what a figure says: its letters are outlines, each text a comment before them."""
        self._read(data, "drawn")

    def _end(self, tag: str) -> None:
        text, self._said = " ".join(self._said.split()), ""
        if tag in ("td", "th"):
            # In a table the row's first cell and the place in the row say what a number is.
            self._read(text, f"{self._row}|{self._column}")
            self._row = self._row or blank(text)
            self._column += 1
        elif tag in HEADINGS:
            self._heading = blank(text)
        elif text:
            self._read(text, tag)
            if tag in ("caption", "title", "summary"):
                self._caption = blank(text)

    def _read(self, text: str, where: str) -> None:
        for sentence in SENTENCE.split(text):
            place = (self._surface, self._heading, self._caption, where, blank(sentence))
            self._seen[place] += 1
            for i, found in enumerate(NUMBER.finditer(sentence)):
                value = float(re.sub(r"\D", "", found.group()))
                self.numbers[(*place, self._seen[place], i)] = value


def blank(text: str) -> str:
    """Take the numbers out of a text."""
    return ANY_NUMBER.sub("#", text)


def read_page(page: str, surface: str = "page") -> Texts:
    """Read a page, with the figures in it."""
    return Page(page, surface).numbers


def read_words(surface: str, words: Iterable[str]) -> Texts:
    """Read texts that stand by themselves: those of a figure, or the outputs of a notebook."""
    out: Texts = {}
    for i, text in enumerate(words):
        out |= Page(text, f"{surface} {i}").numbers
    return out


@dataclass(frozen=True, slots=True)
class Printed:
    """A number of a text: what it is of, and the least and the most that it leaves possible."""

    true: float
    low: float
    high: float


def enter(printed: Texts, true: Texts, rules: Preset) -> dict[Hashable, Printed]:
    """Say what each number that is printed says.

    Parameters
    ----------
    printed
        Of the surfaces of a release.
    true
        Of the same surfaces, made of the tables before disclosure control.
    """
    out = {}
    half = rules.round_to // 2
    for place, value in printed.items():
        behind = true.get(place, value)
        rounded = value % rules.round_to == 0 and value > rules.redact_up_to
        if rounded and abs(behind - value) <= half and behind > rules.redact_up_to:
            low = max(value - half, rules.redact_up_to + 1)
            out["text", *place] = Printed(behind, low, value + half)
        # No count that was rounded: what it says, it says exactly.
        out["exact", *place] = Printed(value, value, value)
    return out


def read(a: Attack, texts: Mapping[Hashable, Printed]) -> None:
    """Read the surfaces of a clinic."""
    for name, number in texts.items():
        a.known(name, number.true)
        a.narrow(name, number.low, number.high)
        a.texts.add(name)


def list_true(texts: Mapping[Hashable, Printed]) -> Texts:
    """List the numbers behind those that are printed, for whoever learns."""
    return {name: number.true for name, number in texts.items()}
