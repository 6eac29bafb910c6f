"""Doubts about the arms of trials: what one printed row, or several together, cannot be.

Sources with each check. All numbers are in the outcome's unit unless a text says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects import recover
from headway.effects.units import UNITS, convert
from headway.reviews.integrity import granularity
from headway.reviews.integrity.literature import list_like, place_sd

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Outcome

Doubt = dict[str, Any]

# Each printed number is off by up to half a unit of its last digit: three of them by 1.5 units.
THREE_ROUNDED = 1.5
FAR = 2.5  # robust standard deviations of log SD beyond which a spread is unusual
EXTREME_BETWEEN = 2.5  # standardised differences rarely seen between arms of a trial
EXTREME_WITHIN = 3.0  # and between before and after, in SDs before
NEAR = 0.1 + 1e-9  # means this near to another trial's, arm by arm, are alike
ALIKE = 3  # arms that must be alike before a whole trial is


def check_arms(arms: pd.DataFrame, outcomes: Mapping[str, Outcome]) -> Iterator[Doubt]:
    """Run every check that needs arm rows only."""
    if not len(arms):
        return
    yield from check_ranges(arms)
    yield from check_scales(arms, outcomes)
    yield from check_granularity(arms)
    yield from check_labels(arms, outcomes)
    yield from check_spreads(arms)
    yield from check_skewness(arms)
    yield from check_changes(arms)
    yield from check_counts(arms)
    yield from check_extremes(arms)
    yield from check_repeats(arms)


def doubt(
    row: Any,
    check: str,
    printed: str,
    expected: str,
    severity: str,
    explanation: str,
    *,
    where: str = "",
) -> Doubt:
    """Write one doubt about a row; about an arm unless `where` says otherwise."""
    return {
        "trial": row.trial,
        "outcome": row.outcome,
        "where": where or f"{row.arm}, {row.timepoint}",
        "check": check,
        "printed": printed,
        "expected": expected,
        "severity": severity,
        "explanation": explanation,
        "file": row.file,
        "line": row.line,
    }


def largest_sd(mean: float, n: float, low: float, high: float) -> float:
    """Find the largest SD that n values between two limits with a given mean can have.

    The sum of squares is largest when all but one lie on the limits:
    sd² <= n/(n - 1) (m - a)(b - m) (Bhatia and Davis 2000, with the factor for the sample
    variance). Without an upper limit all of the sum may be one person's: b = a + n(m - a).

    Returns
    -------
    float
        NaN where the mean lies outside the limits.
    """
    top = low + n * (mean - low) if np.isinf(high) else high
    room = (mean - low) * (top - mean)
    return float(np.sqrt(n / (n - 1) * room)) if room >= 0 else float("nan")


def find_limits(row: Any, outcomes: Mapping[str, Outcome]) -> tuple[float, float]:
    """Find between which values one person can lie, in the row's unit; infinite where unknown."""
    scale = outcomes[row.outcome].scale
    unit = UNITS[row.unit_printed]
    factor = convert(row.unit_printed, row.unit) or 1.0
    low = -np.inf if unit.low is None else unit.low * factor
    high = np.inf if unit.high is None else unit.high * factor
    if row.unit == outcomes[row.outcome].unit:
        low = low if scale.low is None else scale.low
        high = high if scale.high is None else scale.high
    if row.kind == "change":
        return low - high, high - low
    return low, high


def check_ranges(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Find spreads and means that the printed smallest and largest value cannot give."""
    for row in arms.itertuples():
        n, m, sd, a, b = row.n, row.mean, row.sd, row.range_low, row.range_high
        if np.isnan([m, a, b]).any():
            continue
        if not a <= m <= b:
            yield doubt(
                row,
                "mean within its range",
                f"mean {m:.4g}",
                f"{a:.4g} to {b:.4g}",
                "impossible",
                "the mean lies outside the smallest and largest value: one of the three is a "
                "misprint",
            )
            continue
        if np.isnan([n, sd]).any() or n < 2:
            continue
        largest = largest_sd(m, n, a, b)
        if sd > largest * (1 + 1e-6):
            yield doubt(
                row,
                "SD within its range",
                f"SD {sd:.4g}",
                f"at most {largest:.4g}",
                "impossible",
                f"{n:g} values from {a:.4g} to {b:.4g} with mean {m:.4g} cannot spread that far "
                f"({row.unit}): one of the four is a misprint",
            )


def check_scales(arms: pd.DataFrame, outcomes: Mapping[str, Outcome]) -> Iterator[Doubt]:
    """Find means outside the scale, and SDs that the scale leaves no room for."""
    for row in arms[arms["kind"] != "events"].itertuples():
        low, high = find_limits(row, outcomes)
        m, sd, n = row.mean, row.sd, row.n
        room = _rounding(row)
        if np.isnan(m) or (np.isinf(low) and np.isinf(high)):
            continue
        if m < low - room or m > high + room:
            yield doubt(
                row,
                "mean possible on its scale",
                f"mean {m:.4g}",
                f"{low:.4g} to {high:.4g}",
                "impossible",
                f"the scale ({UNITS[row.unit_printed].label}) ends before: a misprint, or another "
                "unit",
            )
            continue
        if np.isinf(low) or np.isnan([sd, n]).any() or n < 2:
            continue
        m = min(max(m, low), high)
        # A mean that rounds to the end of its scale may hide a little room.
        around = [min(max(m + shift, low), high) for shift in (-room, 0.0, room)]
        largest = max(largest_sd(x, n, low, high) for x in around)
        if sd > largest + room:
            se = isinstance(row.sd_from, str) and row.sd_from.startswith("from the standard error")
            if se and sd / np.sqrt(n) <= largest:
                continue  # check_labels says more
            yield doubt(
                row,
                "SD possible on its scale",
                f"SD {sd:.4g}{'' if row.sd_from == 'printed' else f' ({row.sd_from})'}",
                f"at most {largest:.4g}",
                "impossible",
                f"{n:g} values on a scale that ends ({UNITS[row.unit_printed].label}) with mean "
                f"{m:.4g} cannot spread that far",
            )


def _rounding(row: Any) -> float:
    """Half a unit of the last digit of the printed mean, in the row's unit."""
    if np.isnan(row.printed_mean) or row.mean_decimals != row.mean_decimals:
        return 0.0
    factor = convert(row.unit_printed, row.unit) or 1.0
    return float(0.5 * 10.0 ** -float(row.mean_decimals) * factor)


def check_granularity(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Find means (GRIM) and SDs (GRIMMER) that whole steps cannot give.

    Only for rows whose review declares the step between one person's values, whose n is whole and
    whose digits are finer than n can make.
    """
    known = arms["step"].notna() & arms["n"].notna() & arms["printed_mean"].notna()
    for row in arms[known & arms["mean_decimals"].notna() & arms["kind"].ne("events")].itertuples():
        n, step, digits = round(row.n), row.step, int(row.mean_decimals)
        if n < 2 or n != row.n or not granularity.has_power(n, step, digits):
            continue
        mean = row.printed_mean
        if not granularity.check_mean(mean, n, step, digits):
            below = np.floor(mean * n / step) * step / n
            above = np.ceil(mean * n / step) * step / n
            yield doubt(
                row,
                "mean of whole steps (GRIM)",
                f"mean {mean:.{digits}f}",
                f"{below:.{digits}f} or {above:.{digits}f}",
                "doubt",
                f"{n} people with values in steps of {step:g} cannot have this mean; n may be "
                "another than the one printed, or people were averaged over several weeks "
                "(Brown and Heathers 2017)",
            )
        elif row.sd_from == "printed" and row.sd_decimals == row.sd_decimals:
            sd, places = row.printed_sd, int(row.sd_decimals)
            if not granularity.check_sd(mean, sd, n, step, digits, places):
                yield doubt(
                    row,
                    "SD of whole steps (GRIMMER)",
                    f"SD {sd:.{places}f}",
                    "an SD that whole steps can give",
                    "doubt",
                    f"{n} people with values in steps of {step:g} and mean {mean:.{digits}f} "
                    "cannot have this SD (Anaya 2016)",
                )


def check_labels(arms: pd.DataFrame, outcomes: Mapping[str, Outcome]) -> Iterator[Doubt]:
    """Find standard errors that can only be SDs, and SDs that look like standard errors."""
    for row in arms[arms["kind"] != "events"].itertuples():
        n, sd, m = row.n, row.sd, row.mean
        if np.isnan([n, sd, m]).any() or n < 2 or sd <= 0:
            continue
        root = float(np.sqrt(n))
        as_se = isinstance(row.sd_from, str) and row.sd_from.startswith("from the standard error")
        label = row.spread_label if isinstance(row.spread_label, str) else ""
        low, high = find_limits(row, outcomes)
        if as_se or label == "se":
            value, implied = (sd / root, sd) if as_se else (sd, sd * root)
            bounded = np.isfinite(low) and low <= m <= high
            largest = largest_sd(m, n, low, high) if bounded else np.inf
            far, _, _ = place_sd(implied, row.unit, row.kind, row.trial)
            near, _, _ = place_sd(value, row.unit, row.kind, row.trial)
            beyond = implied > largest >= value
            if beyond or (far > FAR and abs(near) < FAR):
                limit = f"at most {largest:.4g}" if beyond else "several times what others print"
                yield doubt(
                    row,
                    "standard error that can only be an SD",
                    f"s.e. {value:.4g} with n {n:g}",
                    "an SD of the same size",
                    "impossible" if as_se and beyond else "doubt",
                    f"as a standard error it would mean an SD of {implied:.4g}, and the data can "
                    f"spread {limit}: the label is a misprint"
                    if beyond
                    else f"as a standard error it would mean an SD of {implied:.4g}: {limit}",
                )
        elif row.sd_from == "printed":
            far, usual, k = place_sd(sd, row.unit, row.kind, row.trial)
            near, _, _ = place_sd(sd * root, row.unit, row.kind, row.trial)
            if far < -FAR and abs(near) < FAR and n >= 4:
                yield doubt(
                    row,
                    "SD that may be a standard error",
                    f"SD {sd:.3g} with n {n:g}",
                    f"about {usual:.3g} ({k} rows of other trials)",
                    "doubt",
                    f"read as a standard error it would mean an SD of {sd * root:.3g}, which other "
                    "trials print; effects from this row would be several times too large",
                )


def check_spreads(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Find SDs far from those that other trials print for the same kind of unit."""
    for row in arms[arms["kind"] != "events"].itertuples():
        if np.isnan(row.sd) or row.sd_from not in ("printed",):
            continue
        far, usual, k = place_sd(row.sd, row.unit, row.kind, row.trial)
        if np.isnan(far) or abs(far) <= FAR:
            continue
        near, _, _ = place_sd(row.sd * np.sqrt(row.n), row.unit, row.kind, row.trial)
        if far < -FAR and row.n >= 4 and abs(near) < FAR:
            continue  # check_labels says more
        size = "small" if far < 0 else "large"
        yield doubt(
            row,
            "SD beside the literature",
            f"SD {row.sd:.3g}",
            f"about {usual:.3g} ({k} rows of other trials)",
            "doubt",
            f"unusually {size}: {max(row.sd, usual) / min(row.sd, usual):.1f} times "
            f"{'below' if far < 0 else 'above'} the median of what other trials print "
            f"({'changes' if row.kind == 'change' else 'means'} in {UNITS[row.unit].kind})",
        )


def check_skewness(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Say where a mean was found from a median of skewed data (Shi and others 2023)."""
    rows = arms[arms["mean_from"].str.contains("median", na=False) & arms["n"].notna()]
    for row in rows.itertuples():
        statistic, critical = (
            float(x)
            for x in recover.skewness(
                row.range_low, row.q1, row.median, row.q3, row.range_high, row.n
            )
        )
        if statistic > critical:
            yield doubt(
                row,
                "median of skewed data",
                f"median {row.median:.4g}",
                f"skewness at most {critical:.2f}",
                "note",
                f"the printed quantiles are skewed ({statistic:.2f}), so a mean of {row.mean:.4g} "
                "found from them is doubtful; a sensitivity analysis without the row is prudent",
            )


def check_changes(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Find changes that are not after minus before, and SDs of changes that no r can give."""
    finals = arms[arms["kind"] == "final"]
    for row in arms[arms["kind"] == "change"].itertuples():
        same = finals[
            (finals["trial"] == row.trial)
            & (finals["arm"] == row.arm)
            & (finals["outcome"] == row.outcome)
            & (finals["timepoint"] == row.timepoint)
        ]
        if len(same) != 1:
            continue
        after = same.iloc[0]
        people = (row.n, row.baseline_n, after["n"])
        alike = len({x for x in people if not np.isnan(x)}) < 2
        difference = after["mean"] - row.baseline_mean
        room = THREE_ROUNDED * 2 * max(_rounding(row), _rounding(next(same.itertuples())))
        if not np.isnan([difference, row.mean]).any() and abs(difference - row.mean) > room + 1e-9:
            yield doubt(
                row,
                "change is after minus before",
                f"change {row.mean:.4g}",
                f"{difference:.4g}",
                "doubt" if alike else "note",
                "the printed means before and after differ by another amount; "
                + (
                    "one of the three is a misprint, or the change is adjusted"
                    if alike
                    else "the means are of different numbers of people, which would explain it"
                ),
            )
        sds = (row.baseline_sd, after["sd"], row.sd)
        if not np.isnan(sds).any() and alike and row.sd_from == "printed":
            low, high = abs(sds[0] - sds[1]), sds[0] + sds[1]
            if not low * 0.99 <= sds[2] <= high * 1.01:
                yield doubt(
                    row,
                    "SD of the change fits before and after",
                    f"SD {row.sd:.4g}",
                    f"{low:.4g} to {high:.4g}",
                    "impossible",
                    "no correlation of before and after gives this SD of the change "
                    "(Handbook 6.5.2.8)",
                )


def check_counts(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Find arms with more people after treatment than before."""
    for row in arms[arms["kind"].isin(["final", "change", "events"])].itertuples():
        if row.n > row.baseline_n:
            yield doubt(
                row,
                "numbers of people add up",
                f"n {row.n:g}",
                f"at most {row.baseline_n:g}",
                "doubt",
                "more people after than before: one of the two is a misprint, or they are counted "
                "differently",
            )


def check_extremes(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Find effects larger than treatments have: a spread or a unit is wrong more often."""
    rows = arms[arms["mean"].notna() & arms["sd"].gt(0)]
    later = rows[rows["kind"].isin(["final", "change"])]
    for _, own in later.groupby(["trial", "outcome", "timepoint", "kind", "unit"], sort=False):
        for control in own[own["role"] == "control"].itertuples():
            for row in own[own["role"] == "treatment"].itertuples():
                spread = float(np.sqrt((row.sd**2 + control.sd**2) / 2))
                d = (row.mean - control.mean) / spread
                if abs(d) > EXTREME_BETWEEN:
                    yield doubt(
                        row,
                        "extreme effect",
                        f"{d:.1f} SD from {control.arm}",
                        f"within {EXTREME_BETWEEN:g} SD",
                        "doubt",
                        "so large a difference between arms is rarer than a standard error "
                        "printed as SD, a misprint or mixed units",
                    )
    for row in rows[(rows["kind"] == "final") & rows["baseline_sd"].gt(0)].itertuples():
        d = (row.mean - row.baseline_mean) / row.baseline_sd
        if abs(d) > EXTREME_WITHIN:
            yield doubt(
                row,
                "extreme change",
                f"{d:.1f} SD from before",
                f"within {EXTREME_WITHIN:g} SD",
                "doubt",
                f"the mean moves from {row.baseline_mean:.4g} to {row.mean:.4g} with an SD before "
                f"of {row.baseline_sd:.3g}: the people were chosen alike, or the SD is too small",
            )


def check_repeats(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Find rows, or whole trials, that repeat another trial.

    A row repeats another if mean and SD agree to at least two decimals in n, mean and SD. A trial
    repeats another if each of three or more arms has a mean within 0.1 of a different arm of it.
    Rows of one publication (same first author and year) may share a control arm.
    """
    yield from _repeat_rows(arms)
    yield from _repeat_trials(arms)


def _publication(trial: str) -> str:
    words = trial.replace(",", " ").split()
    years = [w for w in words if len(w) == 4 and w.isdigit()]
    return f"{words[0] if words else ''} {years[0] if years else ''}".lower()


def _repeat_rows(arms: pd.DataFrame) -> Iterator[Doubt]:
    digits = arms["mean_decimals"].fillna(0) + arms["sd_decimals"].fillna(0)
    rows = arms[digits.ge(3) & arms["printed_sd"].notna() & arms["n"].notna()]
    key = ["outcome", "kind", "n", "printed_mean", "printed_sd"]
    for _, own in rows.groupby(key, sort=False):
        first, *rest = own.itertuples()
        for row in rest:
            if _publication(row.trial) != _publication(first.trial):
                yield doubt(
                    row,
                    "identical rows of different trials",
                    f"n {row.n:g}, mean {row.printed_mean:g}, SD {row.printed_sd:g}",
                    "other digits",
                    "doubt",
                    f"{first.trial} ({first.arm}) prints the same numbers: a row may have been "
                    "copied, or people are in both trials",
                )


def _repeat_trials(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Hold each trial's means beside those of the review's other trials and the literature's."""
    rows = arms[arms["kind"].isin(["final", "change"]) & arms["mean"].notna()]
    for (trial, outcome, _, kind, unit), own in rows.groupby(
        ["trial", "outcome", "timepoint", "kind", "unit"], sort=False
    ):
        if len(own) < ALIKE:
            continue
        others = rows[
            (rows["outcome"] == outcome) & (rows["kind"] == kind) & (rows["unit"] == unit)
        ]
        sets = {
            name: part["mean"].to_numpy()
            for name, part in others.groupby("trial", sort=False)
            if _publication(name) != _publication(trial)
        }
        known = list_like(unit, kind, trial)
        known = known[known["kind"] == kind]
        for name, part in known.groupby("trial", sort=False):
            if _publication(name) != _publication(trial):
                sets.setdefault(name, part["mean"].to_numpy())
        mine = np.sort(own["mean"].to_numpy())
        for name, means in sets.items():
            if any(
                (np.abs(np.sort(np.array(some)) - mine) <= NEAR).all()
                for some in combinations(means, len(mine))
            ):
                listed = ", ".join(f"{x:.3g}" for x in mine)
                yield doubt(
                    next(own.itertuples()),
                    "identical rows of different trials",
                    f"{kind} {listed}",
                    "means of its own",
                    "doubt",
                    f"{len(mine)} arms each within 0.1 of those of {name}: a sensitivity analysis "
                    "without the trial is prudent",
                )
