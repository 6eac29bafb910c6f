"""Can these printed numbers be true? Doubts about a review's rows, in words.

A doubt is not a verdict about a trial: most are misprints. Sources with each check.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

# Each printed number is off by up to half a unit of its last digit: three of them by 1.5 units.
THREE_ROUNDED = 1.5


def check_integrity(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    published: pd.DataFrame,
    review: Mapping[str, Any],
) -> pd.DataFrame:
    """Run every check on a review's tables.

    Returns
    -------
    DataFrame
        Table `integrity`, empty where there is nothing to doubt.
    """
    import pandas as pd

    rows = [
        *check_ranges(arms),
        *check_centres(contrasts, published),
        *check_contrasts(arms, contrasts),
    ]
    return conform("integrity", pd.DataFrame(rows)) if rows else empty("integrity")


def check_ranges(arms: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Find standard deviations that the printed range, mean and n cannot give.

    Among n values between a and b with mean m the sum of squares is largest when all but one lie
    on the limits: sd² <= n/(n - 1) (m - a)(b - m) (Bhatia and Davis 2000, with the factor for the
    sample variance).
    """
    for row in arms.itertuples():
        n, m, sd, a, b = row.n, row.mean, row.sd, row.range_low, row.range_high
        if np.isnan([n, m, sd, a, b]).any() or n < 2:
            continue
        largest = float(np.sqrt(max(n / (n - 1) * (m - a) * (b - m), 0.0)))
        if sd > largest * (1 + 1e-6):
            yield {
                "trial": row.trial,
                "outcome": row.outcome,
                "where": f"{row.arm}, {row.timepoint}",
                "check": "SD within its range",
                "printed": f"SD {sd:.4g}",
                "expected": f"at most {largest:.4g}",
                "severity": "impossible",
                "file": row.file,
                "line": row.line,
                "explanation": f"{n:g} values from {a:.4g} to {b:.4g} with mean {m:.4g} cannot "
                f"spread that far ({row.unit}): one of the four is a misprint",
            }


def check_centres(contrasts: pd.DataFrame, published: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Find estimates that do not stand in the centre of their own interval.

    Intervals of differences of means are symmetric. Rounding allows half a unit of the estimate's
    last digit, and half of the mean of the two limits' units.
    """
    one = contrasts.rename(
        columns={"printed_effect": "value", "printed_ci_low": "low", "printed_ci_high": "high"}
    )
    names = one["treatment_arm"] + " v " + one["control_arm"] + ", " + one["timepoint"]
    rows = list(
        zip(
            one["trial"],
            one["outcome"],
            names,
            one["value"],
            one["low"],
            one["high"],
            one["file"],
            one["line"],
            strict=True,
        )
    )
    rows += list(
        zip(
            published["subgroup"],
            published["outcome"],
            published["timepoint"],
            published["effect"],
            published["ci_low"],
            published["ci_high"],
            published["file"],
            published["line"],
            strict=True,
        )
    )
    for trial, outcome, where, value, low, high, file, line in rows:
        if np.isnan([value, low, high]).any():
            continue
        centre = (low + high) / 2
        unit, unit_low, unit_high = (10.0 ** -_decimals(x) for x in (value, low, high))
        if abs(centre - value) > unit / 2 + (unit_low + unit_high) / 4 + 1e-9:
            outside = not low <= value <= high
            yield {
                "trial": trial,
                "outcome": outcome,
                "where": where,
                "check": "estimate in the centre of its interval",
                "printed": f"{value:g}",
                "expected": f"{centre:.4g}",
                "severity": "impossible" if outside else "doubt",
                "file": file,
                "line": line,
                "explanation": f"the centre of {low:g} to {high:g} is {centre:.4g}; the estimate "
                "or a limit is a misprint, or the interval is not symmetric by design",
            }


def check_contrasts(arms: pd.DataFrame, contrasts: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Find printed differences that the printed arm means do not give.

    Adjusted differences differ from raw ones, so this is a doubt and never more.
    """
    key = ["trial", "outcome", "timepoint"]
    means = arms[arms["kind"] != "baseline"].set_index([*key, "arm"])["mean"]
    for row in contrasts.itertuples():
        at = (row.trial, row.outcome, row.timepoint)
        try:
            one = means.loc[(*at, row.treatment_arm)]
            two = means.loc[(*at, row.control_arm)]
        except KeyError:
            continue
        if np.ndim(one) or np.ndim(two) or np.isnan([one, two, row.effect]).any():
            continue
        difference = float(one - two)
        sign = -1.0 if row.positive_means == "control_minus_treatment" else 1.0
        unit = 10.0 ** -_decimals(row.printed_effect)
        scale = abs(row.effect / row.printed_effect) if row.printed_effect else 1.0
        if abs(difference - row.effect) > THREE_ROUNDED * unit * scale + 1e-9:
            expected = sign * difference / scale
            yield {
                "trial": row.trial,
                "outcome": row.outcome,
                "where": f"{row.treatment_arm} v {row.control_arm}, {row.timepoint}",
                "check": "difference of the printed arms",
                "printed": f"{row.printed_effect:g}",
                "expected": f"{expected:.4g}",
                "severity": "doubt",
                "file": row.file,
                "line": row.line,
                "explanation": "the arms' printed means differ by "
                f"{expected:.4g}; an adjusted difference would explain a small gap",
            }


def _decimals(value: float) -> int:
    """Count the decimals of a printed number."""
    return len(f"{value:.10g}".partition(".")[2])
