"""Dates finer than a year: as people write them in seven languages, and as programs count them.

A text that names day, month and year, or day and month, is a date. Three numbers with signs
between them are one if they can be; where a year of two digits leaves that open, the others of the
same form in the column decide. Numbers of eight digits, seconds since 1970 and a spreadsheet's
days since 1900 are dates where a whole column lies in their range.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence

from headway.ingest.gate.vocabulary import known

_Y4 = r"(?:19|20)\d{2}"
_NUMERIC = re.compile(
    rf"(?<![\d.,:])({_Y4})([-/. ])(\d{{1,2}})\2(\d{{1,2}})(?!\d)"
    rf"|(?<![\d.,:/])(\d{{1,2}})(- ?|/ ?|\. ?| )(\d{{1,2}})\6({_Y4})(?!\d)"
)
# A day, a month, and a year of two digits; 5.3.2.1 is none.
_SHORT_YEAR = re.compile(r"(?<![\w.,/-])(\d{1,2})([-/.])(\d{1,2})\2(\d{2})(?![\d]|[-/.]\d)")
_CLOCKED = re.compile(r"(?<![\d./-])(\d{1,2})([/.-])(\d{1,2})\.?,? \d{1,2}:\d{2}(?!\d)")
# 20310524T0930
_STAMP = re.compile(
    r"(?<!\d)(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[T _-]+"
    r"(?:[01]\d|2[0-3]):?[0-5]\d"
)
# A day and a month with points, and nothing else in the cell.
_DAY_MONTH = re.compile(r"(\d{1,2})(\.)(\d{1,2})\.")
# How the name of a month begins, in any of the languages.
_MONTH = re.compile(
    "jan|jaen|feb|fev|fe?vr|gen|ene|mar|mrz|mrt|maa|mae|apr|abr|avr|may|mai|mag|mei|maio|jun|jui|giu"
    "|jul|lug|aug|aou|ago|sep|set|okt|oct|ott|out|nov|dec|dez|dic",
    re.IGNORECASE,
)
_CODE = re.compile(r"\d{1,2}(\.\d{1,2}){1,3}")
# Ranges of what programs count: milliseconds and seconds since 1970, a spreadsheet's days.
_MILLISECONDS, _SECONDS, _SERIAL = (9.4e11, 2.1e12), (9.4e8, 2.1e9), (36_526, 47_848)
_SERIAL_BY_NAME = (7_000, 60_000)
_FEW, _MANY, _MOST = 3, 20, 0.9


def _can_be(day: int, month: int) -> bool:
    """Tell whether two numbers are a day and a month, in one order or the other."""
    return (1 <= day <= 31 and 1 <= month <= 12) or (1 <= month <= 31 and 1 <= day <= 12)


def _in_month(*numbers: str) -> bool:
    """Tell whether numbers are at most those of the days of a month."""
    return all(1 <= int(n) <= 31 for n in numbers)


@functools.cache
def _in_words() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Write the forms of a date with the name of its month: with a year, and without."""
    whole, short = known("dates", "months"), known("dates", "short")
    month = "|".join(sorted(whole | short, key=len, reverse=True))
    full = "|".join(sorted(whole - {"mars", "may"}, key=len, reverse=True))
    between, day = r"[ .,\-/]*(?:de |di |of |del )?", r"\d{1,2}(?:st|nd|rd|th|er|o|\.)?"
    sure = "|".join(sorted((whole | short) - known("dates", "words"), key=len, reverse=True))
    dated = re.compile(
        # 3. März 21, 3rd of March 2021, 03MAR2021, 3 de marzo de 2021, 1er mars 2021
        rf"(?<![\w.]){day}{between}(?:{month})\.?[ .,\-/]*(?:de |del )?{_Y4}(?!\d)"
        rf"|(?<![\w.]){day}[ .,\-/]*(?:{sure})\.?[ .,\-/]*'?\d{{2}}(?![\d.:,h%])"
        rf"|(?<![\w.]){day}[.\-/]?(?:{month})[.\-/]?'?\d{{2}}(?![\d.:,h%])"
        # March 3rd, 2021; 2021 Mar 3
        rf"|\b(?:{month})\.?[ \-/.]+{day},?{between}{_Y4}\b"
        rf"|\b{_Y4}[ .,-]+(?:{month})\b\.?[ -]{day}\b",
        re.IGNORECASE,
    )
    # Without a year: the whole name of the month.
    yearless = re.compile(
        rf"(?<![\w.,]){day} (?:de |of )?(?:{full})\b|\b(?:{full}) \d{{1,2}}(?:st|nd|rd|th)\b"
        rf"|^(?:{full}) \d{{1,2}}$|\b(?:on|since|until) (?:{full}) \d{{1,2}}\b"
        rf"|\b(?:le|du|il|el|dal|op|am|em|dia|on) {day} (?:de )?(?:{full}|mars)\b"
        r"|^\d{1,2}\.? (?:mars|mai|may)$"
        rf"|(?<![\w.,]){day} (?-i:May|Mars|Mai)\b",
        re.IGNORECASE,
    )
    return dated, yearless


@functools.cache
def _behind_since() -> re.Pattern[str]:
    """Write the form of a day and a month behind a word for since."""
    since = "|".join(sorted(map(re.escape, known("dates", "since")), key=len, reverse=True))
    return re.compile(
        rf"\b(?:{since}) (\d{{1,2}})([./])(\d{{1,2}})(?:\.|(?=[ ,;)]|$))(?!\d)", re.IGNORECASE
    )


def find_date(text: str) -> bool:
    """Tell whether a folded text holds a date, whatever else stands in its column."""
    if not any(c.isdigit() for c in text):
        return False
    for found in _NUMERIC.finditer(text):
        numbers = (found[3], found[4]) if found[1] else (found[5], found[7])
        # Behind a year and a dash, a slip such as 2031-13-20 is one in a date.
        if _can_be(*map(int, numbers)) or (found[2] == "-" and found[4] and _in_month(*numbers)):
            return True
    if _STAMP.search(text):
        return True
    if _MONTH.search(text) and any(p.search(text) for p in _in_words()):
        return True
    since = _behind_since().finditer(text)
    # 7/10 is a score.
    if any(_can_be(int(m[1]), int(m[3])) and f"{m[2]}{m[3]}" != "/10" for m in since):
        return True
    # Within words, three numbers are a date.
    return any(
        _can_be(int(m[1]), int(m[3])) and re.search("[a-z]{2}", text.lower()) and not _is_dose(text)
        for m in _SHORT_YEAR.finditer(text)
    )


def _is_dose(text: str) -> bool:
    """Tell whether a text has the unit of a dose: 25-10-25 mg is none of a day."""
    return bool(re.search(r"\d ?(?:mg|mcg|g|ml|ie|iu|ui|%|tbl|tab|cp|mmhg|kg|cm)\b", text.lower()))


def find_short_dates(texts: Sequence[str]) -> set[str]:
    """Find cells that are a date with a year of two digits, or with a clock time and none.

    Cells of the same form decide together: angles such as 52/44/90 are no dates where most of
    them cannot be; codes such as 8.1.10 are none where most of the column is made of codes.
    """
    out: set[str] = set()
    by_form: dict[str, list[tuple[str, bool]]] = {}
    for text in texts:
        for pattern in (_SHORT_YEAR, _CLOCKED, _DAY_MONTH):
            found = pattern.fullmatch(text)
            if found:
                possible = _can_be(int(found[1]), int(found[3]))
                by_form.setdefault(f"{pattern.pattern}{found[2]}", []).append((text, possible))
    for form, members in by_form.items():
        if form.endswith(".") and _are_codes(texts):
            continue
        if sum(ok for _, ok in members) >= _MOST * len(members):
            out |= {text for text, ok in members if ok}
    return out


def _are_codes(texts: Sequence[str]) -> bool:
    """Tell whether most texts are codes of a classification by levels: 1.2, 8.1.10, 1.2.1.1."""
    coded = [t for t in texts if _CODE.fullmatch(t)]
    levels = {t.count(".") for t in coded}
    return len(coded) >= 0.8 * len(texts) and levels != {2}


def find_counted(numbers: Iterable[int], cells: int, *, called_date: bool, free: bool) -> set[int]:
    """Find whole numbers that are dates as programs count them.

    Parameters
    ----------
    numbers
        Every different whole number of a column.
    cells
        How many cells they fill.
    called_date
        The column's name says that it holds dates.
    free
        The column is neither a number of the course nor a code of a classification.
    """
    numbers = list(numbers)
    days = [n for n in numbers if 10_000_000 <= n < 100_000_000]
    real = {n for n in days if _is_day(n)}
    out = real if real and len(real) >= _MOST * len(days) else set()
    for low, high in (_MILLISECONDS, _SECONDS):
        of_length = [n for n in numbers if len(str(n)) in (len(str(int(low))), len(str(int(high))))]
        near = [n for n in of_length if low <= n <= high]
        enough = 1 if (low > 1e11 and free) or called_date else _FEW
        if len(near) >= enough and len(near) == len(of_length):
            out = out | set(near)
    if called_date:
        out = out | {n for n in numbers if _SERIAL_BY_NAME[0] <= n <= _SERIAL_BY_NAME[1]}
    elif free and cells >= _MANY and 0.5 * cells <= len(numbers):
        near = [n for n in numbers if _SERIAL[0] <= n <= _SERIAL[1]]
        out = out | (set(near) if len(near) == len(numbers) else set())
    return out


def _is_day(number: int) -> bool:
    """Tell whether a number of eight digits is a day, written 20310524 or 24052031."""
    text = str(number)
    if 1900 <= int(text[:4]) <= 2050:
        return 1 <= int(text[4:6]) <= 12 and 1 <= int(text[6:]) <= 31
    return 1900 <= int(text[4:]) <= 2050 and _can_be(int(text[:2]), int(text[2:4]))
