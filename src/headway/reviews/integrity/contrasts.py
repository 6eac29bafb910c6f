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
from headway.reviews.integrity.arms import THREE_ROUNDED, Doubt, doubt
from headway.reviews.integrity.literature import place_sd

if TYPE_CHECKING:
    import pandas as pd

# Names of measures whose interval is symmetric on the log scale.
_RATIO = re.compile(r"\b(OR|RR|HR|IRR|ROM)\b|ratio|relative risk", re.IGNORECASE)
_ADJUSTED = re.compile(r"ANCOVA|adjust", re.IGNORECASE)
NARROW, WIDE = (
    0.5,
    1.6,
)  # adjustment for the baseline narrows an interval, by a factor of two at most
P_FACTOR = 1.5  # beyond rounding: a t or a normal interval, a pooled or a separate variance
FAR_BELOW = 3.0  # robust SDs of log SD; n_total of more arms than two only makes the SD larger
EXTREME = 2.5  # standardised differences rarely seen between arms


def check_contrasts(
    arms: pd.DataFrame, contrasts: pd.DataFrame, published: pd.DataFrame, *, level: float = 0.95
) -> Iterator[Doubt]:
    """Run every check that concerns printed differences and pooled results."""
    yield from check_centres(contrasts, published)
    yield from check_differences(arms, contrasts)
    yield from check_widths(arms, contrasts)
    yield from check_p_values(contrasts, level)
    yield from check_totals(arms, contrasts)
    yield from check_sizes(contrasts)


def _doubt(
    row: Any, check: str, printed: str, expected: str, severity: str, explanation: str
) -> Doubt:
    """Write one doubt about a difference."""
    where = f"{row.treatment_arm} v {row.control_arm}, {row.timepoint}"
    return doubt(row, check, printed, expected, severity, explanation, where=where)


def _is_ratio(row: Any) -> bool:
    """Whether a difference is a ratio on its own scale; a logarithm of one is not."""
    logged = row.unit == "log_ratio" or "log" in row.effect_type.lower()
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


def check_centres(contrasts: pd.DataFrame, published: pd.DataFrame) -> Iterator[Doubt]:
    """Find estimates that do not stand in the centre of their own interval.

    Intervals of differences of means are symmetric, those of ratios on the log scale. Rounding
    allows half a unit of the estimate's last digit, and half of the mean of the two limits' units.
    """
    for row in contrasts.itertuples():
        numbers = (row.printed_effect, row.printed_ci_low, row.printed_ci_high)
        found = _judge_centre(numbers, _units(row), _is_ratio(row))
        if found:
            yield _doubt(row, *found)
    for row in published.itertuples():
        ratio = isinstance(row.measure, str) and bool(_RATIO.search(row.measure))
        numbers = (row.effect, row.ci_low, row.ci_high)
        units = (_unit(row.effect), _unit(row.ci_low), _unit(row.ci_high))
        found = _judge_centre(numbers, units, ratio)
        if found:
            check, printed, expected, severity, explanation = found
            yield {
                "trial": row.subgroup if isinstance(row.subgroup, str) else "pooled result",
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
) -> tuple[str, str, str, str, str] | None:
    value, low, high = numbers
    if np.isnan(numbers).any():
        return None
    unit, unit_low, unit_high = units
    if ratio:
        if min(numbers) <= 0:
            return (
                "ratio above zero",
                f"{value:g} ({low:g} to {high:g})",
                "above 0",
                "impossible",
                "a ratio and its limits are never 0 or below",
            )
        centre = float(np.sqrt(low * high))
        # Rounding of the limits, as it reaches the centre.
        room = centre * (unit_low / low + unit_high / high) / 4
        word = "on the log scale"
    else:
        centre = (low + high) / 2
        room = (unit_low + unit_high) / 4
        word = "or the interval is not symmetric by design"
    if abs(centre - value) <= unit / 2 + room + 1e-9:
        return None
    outside = not low <= value <= high
    tail = f" {word}" if ratio else ""
    return (
        "estimate in the centre of its interval",
        f"{value:g}",
        f"{centre:.4g}",
        "impossible" if outside else "doubt",
        f"the centre of {low:g} to {high:g}{tail} is {centre:.4g}; the estimate or a limit is a "
        f"misprint{'' if ratio else f', {word}'}",
    )


def _find_arms(arms: pd.DataFrame, row: Any) -> tuple[Any, Any] | None:
    """Find the two arms of a difference; changes before final scores where the text says so."""
    own = arms[
        (arms["trial"] == row.trial)
        & (arms["outcome"] == row.outcome)
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
            yield _doubt(
                row,
                "difference of the printed arms",
                f"{row.printed_effect:g}",
                f"{expected:.4g}",
                "doubt",
                f"the arms' printed means differ by {expected:.4g}; an adjusted difference would "
                "explain a small gap",
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
                yield _doubt(
                    row,
                    "width of the interval",
                    f"standard error {row.se:.3g} ({row.se_from})",
                    f"about {expected:.3g}",
                    "doubt",
                    f"n and SD of the arms give an interval {expected / row.se:.1f} times as wide; "
                    "adjustment alone rarely narrows it so far"
                    if narrow
                    else f"n and SD of the arms give an interval {row.se / expected:.1f} times "
                    "narrower: fewer people, or clusters, may have been analysed",
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
                yield _doubt(
                    row,
                    "width of the interval",
                    f"standard error {row.se:.3g} ({row.se_from})",
                    f"at most {2 * span / np.sqrt(row.n_total):.3g}",
                    "impossible",
                    f"with {row.n_total:g} people it implies an SD of {implied:.3g}, more than "
                    "changes on the whole scale can have",
                )
                continue
        far, usual, k = place_sd(
            implied + room * np.sqrt(row.n_total) / 2, row.unit, "change", row.trial
        )
        if far < -FAR_BELOW:
            yield _doubt(
                row,
                "width of the interval",
                f"standard error {row.se:.3g} ({row.se_from})",
                f"about {2 * usual / np.sqrt(row.n_total):.3g}",
                "doubt",
                f"with {row.n_total:g} people it implies an SD of {implied:.3g}, where other "
                f"trials print about {usual:.3g} ({k} rows): a standard error used as an SD, or "
                "a misprint",
            )


def _room_of_limits(row: Any) -> float:
    """How far rounding of the printed limits reaches into the standard error."""
    if np.isnan([row.printed_ci_low, row.printed_ci_high]).any():
        return 0.0
    factor = convert(row.unit_printed, row.unit) or 1.0
    _, low, high = _units(row)
    return float((low + high) / 2 / 3.92 * factor)


def check_p_values(contrasts: pd.DataFrame, level: float = 0.95) -> Iterator[Doubt]:
    """Find p values that estimate and interval cannot give (Handbook 6.5.2.3; Altman 2011).

    The p value is bracketed by what rounding of the three printed numbers allows, for the normal
    law and for t where n is small, and by a factor of 1.5 for ways of computing.
    """
    from scipy.special import ndtr, ndtri, stdtr

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
        z = float(ndtri((1 + level) / 2))
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
        claims = p < 1 - level if relation != ">" else False
        against = excludes != claims and relation != "<"
        yield _doubt(
            row,
            "p value beside estimate and interval",
            f"p {'' if relation == '=' else relation + ' '}{p:g}",
            f"{_say_p(p_low)} to {_say_p(p_high)}",
            "doubt",
            "estimate and interval imply another p value"
            + (
                f", and the interval {'excludes' if excludes else 'includes'} no difference where "
                "p says otherwise"
                if against
                else ""
            )
            + ": one of them is a misprint, or they come from different analyses",
        )


def _say_p(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-4 else "< 0.0001"


def check_totals(arms: pd.DataFrame, contrasts: pd.DataFrame) -> Iterator[Doubt]:
    """Find differences with fewer people in all than in their two arms."""
    for row in contrasts[contrasts["n_total"].notna()].itertuples():
        pair = _find_arms(arms, row)
        if pair is None or np.isnan([pair[0].n, pair[1].n]).any():
            continue
        both = pair[0].n + pair[1].n
        if row.n_total < both:
            yield _doubt(
                row,
                "numbers of people add up",
                f"n {row.n_total:g} in all",
                f"at least {both:g}",
                "doubt",
                f"the two arms have {both:g} people together",
            )


def check_sizes(contrasts: pd.DataFrame) -> Iterator[Doubt]:
    """Find differences of many standard deviations, from their own interval and n."""
    for row in contrasts[contrasts["n_total"].ge(4) & contrasts["se"].gt(0)].itertuples():
        if _is_ratio(row):
            continue
        d = abs(row.printed_effect) / (row.se / (convert(row.unit_printed, row.unit) or 1.0))
        d *= 2 / float(np.sqrt(row.n_total))
        if d > EXTREME:
            yield _doubt(
                row,
                "extreme effect",
                f"{row.printed_effect:g}, about {d:.1f} SD",
                f"within {EXTREME:g} SD",
                "doubt",
                f"with {row.n_total:g} people the interval implies an SD of "
                f"{abs(row.printed_effect) / d:.3g}; so large a difference is rarer than a "
                "standard error used as an SD",
            )
