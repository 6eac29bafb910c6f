"""Ratios that stand where their logarithms were declared.

A printed ratio lies at the centre of its interval on the log scale only. Where a row whose unit is
the logarithm of a ratio shows that beyond rounding, it holds a ratio, and so do the rows of the
same statistic in the same file: none of them is pooled as a logarithm.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np

from headway.messages import Message
from headway.reviews.integrity.arms import Doubt
from headway.reviews.integrity.contrasts import doubt_difference, is_at_centre

if TYPE_CHECKING:
    import pandas as pd


def find_unlogged(contrasts: pd.DataFrame) -> set[tuple[str, int]]:
    """Find rows that hold a ratio and declare its logarithm, by file and line.

    Parameters
    ----------
    contrasts
        Table of the contract.
    """
    own = contrasts[contrasts["unit_printed"] == "log_ratio"]
    found: set[tuple[str, int]] = set()
    for _, rows in own.groupby(["file", "outcome", "effect_type"], sort=False, dropna=False):
        printed = rows[["printed_effect", "printed_ci_low", "printed_ci_high"]].to_numpy(float)
        above = (printed > 0).all(axis=1)
        # Spreadsheets drop zeros at the end: the most precise number of the rows tells the digits.
        unit = 10.0 ** -_count_decimals(rows)
        shown = [
            bool(positive)
            and is_at_centre(numbers, unit, ratio=True)
            and not is_at_centre(numbers, unit, ratio=False)
            for numbers, positive in zip(map(tuple, printed), above, strict=True)
        ]
        if not any(shown):
            continue
        # A negative number in the same column is a logarithm: then only what is shown is doubted.
        mixed = bool((printed[:, 0] <= 0).any())
        at = np.array(shown) if mixed else np.isnan(printed[:, 1:]).any(axis=1) | above
        found |= set(zip(rows["file"][at], rows["line"][at], strict=True))
    return found


def _count_decimals(rows: pd.DataFrame) -> float:
    names = ("effect_decimals", "ci_low_decimals", "ci_high_decimals")
    return float(max(rows[name].fillna(0).max() for name in names))


def check_scales(contrasts: pd.DataFrame, unlogged: Collection[tuple[str, int]]) -> Iterator[Doubt]:
    """Name rows that hold a ratio and declare its logarithm."""
    for row in contrasts.itertuples():
        if (row.file, row.line) in unlogged:
            numbers = (row.printed_effect, row.printed_ci_low, row.printed_ci_high)
            shown = dict(zip(("value", "low", "high"), numbers, strict=True))
            yield doubt_difference(
                row,
                "scale",
                Message("doubt.estimate", **shown),
                Message("doubt.a_logarithm"),
                "doubt",
                Message("doubt.ratio_as_log"),
            )
