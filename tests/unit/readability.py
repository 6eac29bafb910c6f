"""How hard a text is to read, by a formula of its language.

Figures, signs and names count as one word of one syllable: nobody spells them out, and formulas
were made for running text (Flesch 1949 leaves numbers out of syllables too).
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+(?:[-’'][^\W\d_]+)*|\S*\d\S*")


def split_sentences(text: str) -> list[str]:
    """Split at full stops, question marks and colons that end a part."""
    parts = re.split(r"(?<=[.?!:])\s+", text)
    return [p for p in parts if re.search(r"[^\W\d_]", p)]


def list_words(text: str) -> list[str]:
    """List words; figures are words."""
    return _WORD.findall(text)


def _syllables(word: str, language: str) -> int:
    if any(c.isdigit() for c in word):
        return 1
    plain = re.sub(r"[^a-záéíóúüñäöß]", "", word.lower())
    if language == "en":
        if len(plain) <= 3:
            return 1
        plain = re.sub(r"(?<![lr])es$|(?<![td])ed$|(?<!l)e$", "", plain)
        return max(1, len(re.findall(r"[aeiouy]+", plain)))
    if language == "de":
        # Two vowels are two syllables unless they are one sound.
        return max(1, len(re.findall(r"ie|ei|ai|au|eu|äu|aa|ee|oo|[aeiouyäöü]", plain)))
    # Spanish: a weak vowel makes one syllable with the one beside it, unless it bears an accent.
    plain = re.sub(r"(?<=[qg])u(?=[eiéí])", "", plain)
    strong, weak = "aeoáéó", "iuü"
    pattern = (
        rf"[{weak}]?[{strong}][{weak}y]?(?![{strong}íú])|[{weak}]?[{strong}]|[íú]|[{weak}]+|y\b"
    )
    return max(1, len(re.findall(pattern, plain)))


def count_syllables(word: str, language: str) -> int:
    """Count the syllables of a word in `en`, `de` or `es`; a figure has one."""
    return _syllables(word, language)


def flesch_kincaid(text: str) -> float:
    """Grade of US schools (Kincaid et al. 1975): 0.39 words/sentence + 11.8 syllables/word - 15.59.

    At most 7 is what twelve-year-olds read.
    """
    words = list_words(text)
    syllables = sum(count_syllables(w, "en") for w in words)
    return 0.39 * len(words) / len(split_sentences(text)) + 11.8 * syllables / len(words) - 15.59


def wiener(text: str) -> float:
    """Grade of schools by the first Wiener Sachtextformel (Bamberger and Vanecek 1984).

    0.1935 MS + 0.1672 SL + 0.1297 IW - 0.0327 ES - 0.875, with the percent of words of three
    syllables and more, words per sentence, the percent of words of more than six letters, and the
    percent of words of one syllable.
    """
    words = list_words(text)
    counts = [count_syllables(w, "de") for w in words]
    n = len(words)
    many, one = sum(c >= 3 for c in counts), sum(c == 1 for c in counts)
    long = sum(len(w) > 6 and w.isalpha() for w in words)
    return (
        0.1935 * 100 * many / n
        + 0.1672 * n / len(split_sentences(text))
        + 0.1297 * 100 * long / n
        - 0.0327 * 100 * one / n
        - 0.875
    )


def fernandez_huerta(text: str) -> float:
    """Ease of reading Spanish, 0 to 100 (Fernández Huerta 1959, as corrected by Law 2011).

    206.84 - 60 syllables/word - 1.02 words/sentence; 70 and more is easy.
    """
    words = list_words(text)
    syllables = sum(count_syllables(w, "es") for w in words)
    return 206.84 - 60 * syllables / len(words) - 1.02 * len(words) / len(split_sentences(text))
