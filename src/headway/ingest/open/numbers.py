"""Printed numbers: one normal form of a cell, or the rule that it breaks.

A cell of published numbers is read as it is printed or not at all: a separator that may part
thousands or decimals is never guessed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

# Beyond it a printed number is an error of typing.
LARGEST = 1e12
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
# What a spreadsheet makes of 3-4 or 5.7.
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|m\u00e4r|mai|okt|dez)[a-z]{0,6}\.?"
_DATE = (
    r"(?i)\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?: \d{1,2}:\d\d.*)?"
    rf"|\d{{1,2}}[-/. ]?{_MONTH}(?:[-/. ]\d{{2,4}})?|{_MONTH}[-/. ]\d{{1,4}}"
)
_OTHER_MARK = r"[+-]?[0-9]*,[0-9]+"
# Several groups of three, or one that decimals follow, cannot be decimals themselves.
_THOUSANDS = (
    r"[+-]?[0-9]{1,3}(?:(?:[ '\u2019][0-9]{3})+(?:\.[0-9]+)?"
    r"|(?:,[0-9]{3}){2,}(?:\.[0-9]+)?|,[0-9]{3}\.[0-9]+)"
)


class Numbers(NamedTuple):
    """A column of numbers, their text with a decimal point, and the cells that break a rule.

    `broken` maps a rule to the rows (a mask) that break it; these are NaN in `values`.
    """

    values: pd.Series
    text: pd.Series
    broken: dict[str, pd.Series]


def read_numbers(cells: pd.Series, decimal: str = ".") -> Numbers:
    """Read a column of printed numbers; empty cells are missing.

    Parameters
    ----------
    cells
        Text, without blanks at its ends.
    decimal
        Decimal mark of the file, a point or a comma.

    Returns
    -------
    Numbers
        `broken` by `decimal_comma` and `decimal_point` (a mark that is not the file's, which may
        also part thousands), `thousands`, `spreadsheet_date`, `too_large` and `not_a_number`.
    """
    import pandas as pd

    # Papers and spreadsheets print a minus sign (U+2212) that is no hyphen.
    text = cells.str.replace("\u2212", "-", regex=False)
    if decimal == ",":
        text = text.str.translate(str.maketrans(",.", ".,"))
    fits = text.str.fullmatch(_NUMBER)
    values = pd.to_numeric(text.where(fits, None), errors="coerce").astype(float)
    rest = (text != "") & ~fits
    large = fits & ~(values.abs() <= LARGEST)
    broken: dict[str, pd.Series] = {"too_large": large}
    for rule, pattern in (
        ("thousands", _THOUSANDS),
        ("decimal_comma" if decimal == "." else "decimal_point", _OTHER_MARK),
        ("spreadsheet_date", _DATE),
        ("not_a_number", ".*"),
    ):
        of = cells if rule == "spreadsheet_date" else text
        broken[rule] = rest & of.str.fullmatch(pattern, flags=re.DOTALL)
        rest &= ~broken[rule]
    return Numbers(values.mask(large), text, {k: bad for k, bad in broken.items() if bad.any()})


def as_code(text: object) -> str:
    """Write a code so that 1, 1.0 and 01 are one; other text stands as it is."""
    plain = str(text).strip().replace("\u2212", "-")
    return repr(float(plain)) if re.fullmatch(_NUMBER, plain) else plain
