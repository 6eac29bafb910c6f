"""Doubts about printed differences: whether estimate, interval, p and arms agree.

Rounding is allowed for throughout: each printed number is off by up to half a unit of its last
digit. Sources with each check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects import recover
from headway.effects.units import UNITS, convert
from headway.messages import Message
from headway.reviews.integrity.arms import (
    EXTREME_BETWEEN,
    THREE_ROUNDED,
    Doubt,
    doubt,
    finish,
    same_instrument,
)
from headway.reviews.integrity.literature import place_sd

if TYPE_CHECKING:
    import pandas as pd

# Names of measures whose interval is symmetric on the log scale.
_RATIO = re.compile(r"\b(OR|RR|HR|IRR|ROM)\b|ratio|relative risk", re.IGNORECASE)
_ADJUSTED = re.compile(r"ANCOVA|adjust", re.IGNORECASE)
# Adjustment for the baseline narrows an interval, by a factor of two at most.
NARROW, WIDE = 0.5, 1.6
P_FACTOR = 1.5  # beyond rounding: a t or a normal interval, a pooled or a separate variance
FAR_BELOW = 3.0  # robust SDs of log SD; n_total of more arms than two only makes the SD larger


def check_contrasts(
    arms: pd.DataFrame, contrasts: pd.DataFrame, published: pd.DataFrame
) -> Iterator[Doubt]:
    """Run every check that concerns printed differences and pooled results."""
    arms = arms[arms["outcome"].isin(contrasts["outcome"])]
    none = published.head(0)
    yield from finish(lambda rows: check_centres(rows, none), contrasts)
    yield from finish(lambda rows: check_centres(contrasts.head(0), rows), published)
    yield from finish(lambda rows: check_differences(arms, rows), contrasts)
    yield from finish(lambda rows: check_widths(arms, rows), contrasts)
    yield from finish(check_p_values, contrasts)
    yield from finish(lambda rows: check_totals(arms, rows), contrasts)
    yield from finish(check_sizes, contrasts)


def doubt_difference(
    row: Any,
    check: str,
    printed: Message,
    expected: Message,
    severity: str,
    explanation: Message,
) -> Doubt:
    """Write one doubt about a difference."""
    where = f"{row.treatment_arm} v {row.control_arm}, {row.timepoint}"
    return doubt(row, check, printed, expected, severity, explanation, where=where)


def _is_ratio(row: Any) -> bool:
    """Whether a difference is a ratio on its own scale; a logarithm of one is not."""
    unit = getattr(row, "unit_printed", row.unit)
    if unit == "ratio":
        return True
    logged = unit == "log_ratio" or "log" in row.effect_type.lower()
    return bool(_RATIO.search(row.effect_type)) and not logged


def decimals(value: float) -> int:
    """Count the decimals of a printed number."""
    return len(f"{value:.10g}".partition(".")[2])


def _unit(value: float, digits: float = np.nan) -> float:
    """One unit of a printed number's last digit; a float has lost the zeros at its end."""
    return float(10.0 ** -(decimals(value) if np.isnan(digits) else digits))


def _units(row: Any) -> tuple[float, float, float]:
    """One unit of the last digit of a difference and of its limits."""
    names = ("effect", "ci_low", "ci_high")
    found = (
        _unit(getattr(row, f"printed_{n}"), _digits(getattr(row, f"{n}_decimals"))) for n in names
    )
    first, low, high = found
    return first, low, high


def _digits(value: Any) -> float:
    try:
        return float(value)
    except TypeError:  # pandas' own missing value
        return float("nan")


def is_at_centre(numbers: tuple[float, float, float], unit: float, *, ratio: bool) -> bool:
    """Whether an effect lies at the centre of its interval, on the log scale or as it is.

    `numbers` are effect and limits, `unit` is one unit of their last printed digit.
    """
    units = (unit, unit, unit)
    return not np.isnan(numbers).any() and _judge_centre(numbers, units, ratio) is None


def check_centres(contrasts: pd.DataFrame, published: pd.DataFrame) -> Iterator[Doubt]:
    """Find estimates that do not stand in the centre of their own interval.

    Intervals of differences of means are symmetric, those of ratios on the log scale. Rounding
    allows half a unit of the estimate's last digit, and half of the mean of the two limits' units.
    """
    for row in contrasts.itertuples():
        numbers = (row.printed_effect, row.printed_ci_low, row.printed_ci_high)
        found = _judge_centre(numbers, _units(row), _is_ratio(row))
        if found:
            yield doubt_difference(row, *found)
    for row in published.itertuples():
        ratio = isinstance(row.measure, str) and bool(_RATIO.search(row.measure))
        numbers = (row.effect, row.ci_low, row.ci_high)
        units = (_unit(row.effect), _unit(row.ci_low), _unit(row.ci_high))
        found = _judge_centre(numbers, units, ratio)
        if found:
            check, printed, expected, severity, explanation = found
            yield {
                "trial": row.subgroup
                if isinstance(row.subgroup, str)
                else Message("doubt.pooled_result"),
                "outcome": row.outcome,
                "where": row.timepoint,
                "check": check,
                "printed": printed,
                "expected": expected,
                "severity": severity,
                "explanation": explanation,
                "file": row.file,
                "line": row.line,
            }


def _judge_centre(
    numbers: tuple[float, float, float], units: tuple[float, float, float], ratio: bool
) -> tuple[str, Message, Message, str, Message] | None:
    value, low, high = numbers
    if np.isnan(numbers).any():
        return None
    unit, unit_low, unit_high = units
    if ratio:
        if min(numbers) <= 0:
            return (
                "ratio_above_zero",
                Message("doubt.estimate", value=value, low=low, high=high),
                Message("doubt.above_0"),
                "impossible",
                Message("doubt.never_0"),
            )
        centre = float(np.sqrt(low * high))
        # Rounding of the limits, as it reaches the centre.
        room = centre * (unit_low / low + unit_high / high) / 4
    else:
        centre = (low + high) / 2
        room = (unit_low + unit_high) / 4
    if abs(centre - value) <= unit / 2 + room + 1e-9:
        return None
    outside = not low <= value <= high
    id = "doubt.off_centre_log" if ratio else "doubt.off_centre"
    return (
        "centre",
        Message("doubt.printed", value=value),
        Message("doubt.number", value=centre),
        "impossible" if outside else "doubt",
        Message(id, low=low, high=high, centre=centre),
    )


def _find_arms(arms: pd.DataFrame, row: Any) -> tuple[Any, Any] | None:
    """Find the two arms of a difference; changes before final scores where the text says so."""
    if not len(arms):
        return None
    own = arms[
        (arms["trial"] == row.trial)
        & (arms["outcome"] == row.outcome)
        & same_instrument(arms, row)
        & (arms["timepoint"] == row.timepoint)
        & arms["kind"].isin(["final", "change"])
        & (arms["unit"] == row.unit)
    ]
    for kind in own["kind"].drop_duplicates():
        part = own[own["kind"] == kind]
        one = part[part["arm"] == row.treatment_arm]
        two = part[part["arm"] == row.control_arm]
        if len(one) == 1 and len(two) == 1:
            return next(one.itertuples()), next(two.itertuples())
    return None


def check_differences(arms: pd.DataFrame, contrasts: pd.DataFrame) -> Iterator[Doubt]:
    """Find printed differences that the printed arm means do not give.

    Adjusted differences differ from raw ones, so this is a doubt and never more; those that say
    that they are adjusted may differ by two standard errors.
    """
    for row in contrasts.itertuples():
        pair = _find_arms(arms, row)
        if pair is None or np.isnan([pair[0].mean, pair[1].mean, row.effect]).any():
            continue
        difference = float(pair[0].mean - pair[1].mean)
        sign = -1.0 if row.positive_means == "control_minus_treatment" else 1.0
        scale = abs(row.effect / row.printed_effect) if row.printed_effect else 1.0
        room = THREE_ROUNDED * _units(row)[0] * scale
        if _ADJUSTED.search(row.effect_type) and not np.isnan(row.se):
            room = max(room, 2 * row.se)
        if abs(difference - row.effect) > room + 1e-9:
            expected = sign * difference / scale
            yield doubt_difference(
                row,
                "difference_of_arms",
                Message("doubt.printed", value=row.printed_effect),
                Message("doubt.number", value=expected),
                "doubt",
                Message("doubt.arms_differ", by=expected),
            )


def check_widths(arms: pd.DataFrame, contrasts: pd.DataFrame) -> Iterator[Doubt]:
    """Find intervals that are much narrower or wider than n and SD of the arms make them.

    se² = sd1²/n1 + sd2²/n2 (Handbook 6.5.2.3). Adjustment for the baseline narrows an interval by
    sqrt(1 - r²), to half at r = 0.87. Where the arms' SDs are not printed, n and the interval
    imply an SD, which is held against the scale and the literature.
    """
    for row in contrasts.itertuples():
        if np.isnan(row.se) or row.se <= 0 or _is_ratio(row):
            continue
        room = _room_of_limits(row)
        pair = _find_arms(arms, row)
        numbers = [x for a in pair for x in (a.n, a.sd)] if pair else [np.nan]
        if not np.isnan(numbers).any():
            n1, sd1, n2, sd2 = numbers
            expected = float(np.sqrt(sd1**2 / n1 + sd2**2 / n2))
            if not NARROW * expected - room <= row.se <= WIDE * expected + room:
                narrow = row.se < expected
                yield doubt_difference(
                    row,
                    "width",
                    _name_error(row),
                    Message("doubt.about", value=expected),
                    "doubt",
                    Message("doubt.too_narrow", times=expected / row.se)
                    if narrow
                    else Message("doubt.too_wide", times=row.se / expected),
                )
            continue
        if np.isnan(row.n_total) or row.n_total < 4:
            continue
        implied = row.se * float(np.sqrt(row.n_total)) / 2
        unit = UNITS[row.unit_printed]
        factor = convert(row.unit_printed, row.unit) or 1.0
        if unit.low is not None and unit.high is not None:
            span = (unit.high - unit.low) * factor
            if (row.se - room) * np.sqrt(row.n_total) / 2 > span:
                yield doubt_difference(
                    row,
                    "width",
                    _name_error(row),
                    Message("doubt.error_at_most", value=2 * span / np.sqrt(row.n_total)),
                    "impossible",
                    Message("doubt.more_than_scale", people=row.n_total, sd=implied),
                )
                continue
        far, usual, k = place_sd(
            implied + room * np.sqrt(row.n_total) / 2, row.unit, "change", row.trial
        )
        if far < -FAR_BELOW:
            yield doubt_difference(
                row,
                "width",
                _name_error(row),
                Message("doubt.about", value=2 * usual / np.sqrt(row.n_total)),
                "doubt",
                Message(
                    "doubt.less_than_others", people=row.n_total, sd=implied, usual=usual, rows=k
                ),
            )


def _name_error(row: Any) -> Message:
    way = "origin.printed" if row.se_from == "printed" else row.se_from
    return Message("doubt.standard_error", value=row.se, way=Message(way))


def _room_of_limits(row: Any) -> float:
    """How far rounding of the printed limits reaches into the standard error."""
    if np.isnan([row.printed_ci_low, row.printed_ci_high]).any():
        return 0.0
    factor = convert(row.unit_printed, row.unit) or 1.0
    _, low, high = _units(row)
    return float((low + high) / 2 / 3.92 * factor)


def check_p_values(contrasts: pd.DataFrame) -> Iterator[Doubt]:
    """Find p values that estimate and 95 % interval cannot give (Handbook 6.5.2.3; Altman 2011).

    The p value is bracketed by what rounding of the three printed numbers allows, for the normal
    law and for t where n is small, and by a factor of 1.5 for ways of computing.
    """
    from scipy.special import ndtr, ndtri, stdtr

    named = {"=": "doubt.p", "<": "doubt.p_below", ">": "doubt.p_above"}
    for row in contrasts.itertuples():
        if not isinstance(row.p, str) or not row.p:
            continue
        numbers = (row.printed_effect, row.printed_ci_low, row.printed_ci_high)
        p, relation = recover.p_bounds(row.p)
        if np.isnan([*numbers, p]).any():
            continue
        if _is_ratio(row):
            if min(numbers) <= 0:
                continue
            value, low, high = (float(np.log(x)) for x in numbers)
            slack = [u / 2 / x for u, x in zip(_units(row), numbers, strict=True)]
        else:
            value, low, high = numbers
            slack = [u / 2 for u in _units(row)]
        half = (high - low) / 2
        shake = (slack[1] + slack[2]) / 2
        if half <= 0:
            continue
        z = float(ndtri(0.975))
        most = (abs(value) + slack[0]) / max(half - shake, 1e-12) * z
        least = max(abs(value) - slack[0], 0.0) / (half + shake) * z
        p_low, p_high = 2 * float(ndtr(-most)), 2 * float(ndtr(-least))
        if row.n_total < recover.SMALL_SAMPLE and row.n_total > 3:
            p_high = max(p_high, 2 * float(stdtr(row.n_total - 2, -least)))
        p_low, p_high = p_low / P_FACTOR, min(p_high * P_FACTOR, 1.0)
        digits = decimals(p) if relation == "=" else 12
        room = 0.5 * 10.0**-digits
        fits = {
            "=": p - room <= p_high and p + room >= p_low,
            "<": p_low < p,
            ">": p_high > p,
        }[relation]
        if fits:
            continue
        excludes = low > 0 or high < 0
        claims = p < 0.05 if relation != ">" else False
        against = excludes != claims and relation != "<"
        yield doubt_difference(
            row,
            "p_value",
            Message(named[relation], p=p),
            Message("doubt.p_range", low=_bound_p(p_low), high=_bound_p(p_high)),
            "doubt",
            Message("doubt.other_p")
            if not against
            else Message("doubt.p_against_excludes" if excludes else "doubt.p_against_includes"),
        )


def _bound_p(p: float) -> Message:
    return Message("doubt.p_value", p=p) if p >= 1e-4 else Message("doubt.tiny_p")


def check_totals(arms: pd.DataFrame, contrasts: pd.DataFrame) -> Iterator[Doubt]:
    """Find differences with fewer people in all than in their two arms."""
    for row in contrasts[contrasts["n_total"].notna()].itertuples():
        pair = _find_arms(arms, row)
        if pair is None or np.isnan([pair[0].n, pair[1].n]).any():
            continue
        both = pair[0].n + pair[1].n
        if row.n_total < both:
            yield doubt_difference(
                row,
                "people_add_up",
                Message("doubt.people_in_all", people=row.n_total),
                Message("doubt.people_at_least", people=both),
                "doubt",
                Message("doubt.people_of_arms", people=both),
            )


def check_sizes(contrasts: pd.DataFrame) -> Iterator[Doubt]:
    """Find differences of many standard deviations, from their own interval and n."""
    for row in contrasts[contrasts["n_total"].ge(4) & contrasts["se"].gt(0)].itertuples():
        if _is_ratio(row):
            continue
        d = abs(row.printed_effect) / (row.se / (convert(row.unit_printed, row.unit) or 1.0))
        d *= 2 / float(np.sqrt(row.n_total))
        if d > EXTREME_BETWEEN:
            yield doubt_difference(
                row,
                "extreme_effect",
                Message("doubt.effect_in_sd", value=row.printed_effect, d=d),
                Message("doubt.within_sd", limit=EXTREME_BETWEEN),
                "doubt",
                Message("doubt.implied_sd", people=row.n_total, sd=abs(row.printed_effect) / d),
            )
