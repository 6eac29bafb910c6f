"""Doubts about the arms of trials: what one printed row, or several together, cannot be.

Sources with each check. All numbers are in the outcome's unit unless a message says so. A check is
a code of the catalogue's family `check`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headway.effects import recover
from headway.effects.units import UNITS, convert, name_unit
from headway.errors import UNCOMPUTABLE, log_frames
from headway.messages import Message, term
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
# How a number was found, of those that a check asks for.
FROM_SE = "origin.standard_error"
FROM_MEDIAN = ("origin.luo_five", "origin.luo_quartiles", "origin.luo_range")


def check_arms(arms: pd.DataFrame, outcomes: Mapping[str, Outcome]) -> Iterator[Doubt]:
    """Run every check that needs arm rows only."""
    if not len(arms):
        return
    yield from finish(check_ranges, arms)
    yield from finish(check_scales, arms, outcomes)
    yield from finish(check_granularity, arms)
    yield from finish(check_labels, arms, outcomes)
    yield from finish(check_spreads, arms)
    yield from finish(check_skewness, arms)
    yield from finish(check_changes, arms)
    yield from finish(check_counts, arms)
    yield from finish(check_extremes, arms)
    yield from finish(check_repeats, arms)


def finish(check: Callable[..., Iterable[Doubt]], rows: pd.DataFrame, *more: Any) -> list[Doubt]:
    """List what a check finds; a row whose numbers it cannot be computed from is a note."""
    try:
        return list(check(rows, *more))
    except UNCOMPUTABLE as error:
        log_frames(error, "integrity")
    bad = [at for at in rows.index if not _can_judge(check, rows.loc[[at]], *more)]
    rest = rows.drop(index=bad)
    if bad and _can_judge(check, rest, *more):
        return [*(_not_judged(rows.loc[at]) for at in bad), *check(rest, *more)]
    return [_not_judged(rows.loc[at]) for at in bad or rows.index[:1]]


def _can_judge(check: Callable[..., Iterable[Doubt]], rows: pd.DataFrame, *more: Any) -> bool:
    try:
        list(check(rows, *more))
    except UNCOMPUTABLE:
        return False
    return True


def _not_judged(row: pd.Series) -> Doubt:
    """Say of a row that a check cannot be computed from its numbers."""
    return {
        "trial": row.get("trial", Message("doubt.pooled_result")),
        "outcome": row["outcome"],
        "where": row["timepoint"],
        "check": "not_judged",
        "printed": Message("doubt.as_printed"),
        "expected": Message("doubt.computable"),
        "severity": "note",
        "explanation": Message("doubt.not_judged"),
        "file": row["file"],
        "line": row["line"],
    }


def doubt(
    row: Any,
    check: str,
    printed: Message,
    expected: Message,
    severity: str,
    explanation: Message,
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


def same_instrument(rows: pd.DataFrame, row: Any) -> pd.Series:
    """Tell which rows are of the same scale or test; none is one of its own."""
    own = row.instrument if isinstance(row.instrument, str) else ""
    return rows["instrument"].fillna("").eq(own)


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


def _largest_near(mean: float, room: float, n: float, low: float, high: float) -> float:
    """Find the largest SD of means that print as one; at an end of a scale they hide some room."""
    around = [min(max(mean + shift, low), high) for shift in (-room, 0.0, room)]
    return max(largest_sd(x, n, low, high) for x in around)


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
        room = _rounding(row)
        if not a - room <= m <= b + room:
            yield doubt(
                row,
                "mean_in_range",
                Message("doubt.mean", value=m),
                Message("doubt.range", low=a, high=b),
                "impossible",
                Message("doubt.outside_range"),
            )
            continue
        if np.isnan([n, sd]).any() or n < 2:
            continue
        largest = _largest_near(m, room, n, a, b)
        if sd > largest * (1 + 1e-6) + room:
            yield doubt(
                row,
                "sd_in_range",
                Message("doubt.sd", value=sd),
                Message("doubt.at_most", value=largest),
                "impossible",
                Message(
                    "doubt.beyond_range",
                    people=n,
                    low=a,
                    high=b,
                    mean=m,
                    unit=name_unit(row.unit),
                ),
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
                "mean_on_scale",
                Message("doubt.mean", value=m),
                Message("doubt.range", low=low, high=high),
                "impossible",
                Message("doubt.beyond_scale", unit=name_unit(row.unit_printed)),
            )
            continue
        if np.isinf(low) or np.isnan([sd, n]).any() or n < 2:
            continue
        largest = _largest_near(m, room, n, low, high)
        if sd > largest + room:
            if row.sd_from == FROM_SE and sd / np.sqrt(n) <= largest:
                continue  # check_labels says more
            yield doubt(
                row,
                "sd_on_scale",
                Message("doubt.sd", value=sd)
                if row.sd_from == "printed"
                else Message("doubt.sd_found", value=sd, way=Message(row.sd_from)),
                Message("doubt.at_most", value=largest),
                "impossible",
                Message(
                    "doubt.no_room_on_scale",
                    people=n,
                    mean=m,
                    unit=name_unit(row.unit_printed),
                ),
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
                "grim",
                Message("doubt.mean_printed", value=mean, digits=digits),
                Message("doubt.either", low=below, high=above, digits=digits),
                "doubt",
                Message("doubt.grim", people=n, step=step),
            )
        elif row.sd_from == "printed" and row.sd_decimals == row.sd_decimals:
            sd, places = row.printed_sd, int(row.sd_decimals)
            if not granularity.check_sd(mean, sd, n, step, digits, places):
                yield doubt(
                    row,
                    "grimmer",
                    Message("doubt.sd_printed", value=sd, digits=places),
                    Message("doubt.sd_of_whole_steps"),
                    "doubt",
                    Message("doubt.grimmer", people=n, step=step, mean=mean, digits=digits),
                )


def check_labels(arms: pd.DataFrame, outcomes: Mapping[str, Outcome]) -> Iterator[Doubt]:
    """Find standard errors that can only be SDs, and SDs that look like standard errors."""
    for row in arms[arms["kind"] != "events"].itertuples():
        n, sd, m = row.n, row.sd, row.mean
        if np.isnan([n, sd, m]).any() or n < 2 or sd <= 0:
            continue
        root = float(np.sqrt(n))
        as_se = row.sd_from == FROM_SE
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
                yield doubt(
                    row,
                    "se_that_is_sd",
                    Message("doubt.se_of_n", value=value, people=n),
                    Message("doubt.sd_of_that_size"),
                    "impossible" if as_se and beyond else "doubt",
                    Message("doubt.label_misprinted", sd=implied, limit=largest)
                    if beyond
                    else Message("doubt.several_times_others", sd=implied),
                )
        elif row.sd_from == "printed":
            far, usual, k = place_sd(sd, row.unit, row.kind, row.trial)
            near, _, _ = place_sd(sd * root, row.unit, row.kind, row.trial)
            if far < -FAR and abs(near) < FAR and n >= 4:
                yield doubt(
                    row,
                    "sd_that_may_be_se",
                    Message("doubt.sd_of_n", value=sd, people=n),
                    Message("doubt.usual", value=usual, rows=k),
                    "doubt",
                    Message("doubt.may_be_se", sd=sd * root),
                )


def check_spreads(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Find SDs far from those that other trials print for the same kind of unit."""
    for row in arms[arms["kind"] != "events"].itertuples():
        if np.isnan(row.sd) or row.sd_from != "printed":
            continue
        far, usual, k = place_sd(row.sd, row.unit, row.kind, row.trial)
        if np.isnan(far) or abs(far) <= FAR:
            continue
        near, _, _ = place_sd(row.sd * np.sqrt(row.n), row.unit, row.kind, row.trial)
        if far < -FAR and row.n >= 4 and abs(near) < FAR:
            continue  # check_labels says more
        of = "doubt.changes" if row.kind == "change" else "doubt.means"
        yield doubt(
            row,
            "sd_beside_literature",
            Message("doubt.sd_3", value=row.sd),
            Message("doubt.usual", value=usual, rows=k),
            "doubt",
            Message(
                "doubt.small_sd" if far < 0 else "doubt.large_sd",
                times=max(row.sd, usual) / min(row.sd, usual),
                of=Message(of, kind=term("quantity", UNITS[row.unit].kind.replace(" ", "_"))),
            ),
        )


def check_skewness(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Say where a mean was found from a median of skewed data (Shi and others 2023)."""
    rows = arms[arms["mean_from"].isin(FROM_MEDIAN) & arms["n"].notna()]
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
                "skewed_median",
                Message("doubt.median", value=row.median),
                Message("doubt.skewness", value=critical),
                "note",
                Message("doubt.skewed", skewness=statistic, mean=row.mean),
            )


def check_changes(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Find changes that are not after minus before, and SDs of changes that no r can give."""
    finals = arms[arms["kind"] == "final"]
    for row in arms[arms["kind"] == "change"].itertuples():
        same = finals[
            (finals["trial"] == row.trial)
            & (finals["arm"] == row.arm)
            & (finals["outcome"] == row.outcome)
            & same_instrument(finals, row)
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
                "change_is_difference",
                Message("doubt.change", value=row.mean),
                Message("doubt.number", value=difference),
                "doubt" if alike else "note",
                Message("doubt.other_change" if alike else "doubt.other_people"),
            )
        sds = (row.baseline_sd, after["sd"], row.sd)
        if not np.isnan(sds).any() and alike and row.sd_from == "printed":
            low, high = abs(sds[0] - sds[1]), sds[0] + sds[1]
            if not low * 0.99 <= sds[2] <= high * 1.01:
                yield doubt(
                    row,
                    "sd_of_change",
                    Message("doubt.sd", value=row.sd),
                    Message("doubt.range", low=low, high=high),
                    "impossible",
                    Message("doubt.no_correlation"),
                )


def check_counts(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Find arms with more people after treatment than before."""
    for row in arms[arms["kind"].isin(["final", "change", "events"])].itertuples():
        if row.n > row.baseline_n:
            yield doubt(
                row,
                "people_add_up",
                Message("doubt.people", people=row.n),
                Message("doubt.people_at_most", people=row.baseline_n),
                "doubt",
                Message("doubt.more_after"),
            )


def _group_rows(rows: pd.DataFrame, key: list[str]) -> Iterable[list[Any]]:
    """Group rows, as named tuples, by columns; what is missing is one of its own."""
    filled = rows[key].astype(object).where(rows[key].notna(), None)
    out: dict[tuple[Any, ...], list[Any]] = {}
    for at, row in zip(filled.itertuples(index=False), rows.itertuples(), strict=True):
        out.setdefault(tuple(at), []).append(row)
    return out.values()


def check_extremes(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Find effects larger than treatments have: a spread or a unit is wrong more often."""
    rows = arms[arms["mean"].notna() & arms["sd"].gt(0)]
    later = rows[rows["kind"].isin(["final", "change"])]
    apart = ("trial", "outcome", "instrument", "timepoint", "kind", "unit", "analysis", "subgroup")
    key = [name for name in apart if name in later.columns]
    several = later.duplicated(key, keep=False)
    for own in _group_rows(later[several], key):
        for control in (row for row in own if row.role == "control"):
            for row in (row for row in own if row.role == "treatment"):
                spread = float(np.sqrt((row.sd**2 + control.sd**2) / 2))
                d = (row.mean - control.mean) / spread
                if abs(d) > EXTREME_BETWEEN:
                    yield doubt(
                        row,
                        "extreme_effect",
                        Message("doubt.far_from_arm", d=d, arm=control.arm),
                        Message("doubt.within_sd", limit=EXTREME_BETWEEN),
                        "doubt",
                        Message("doubt.rare_difference"),
                    )
    for row in rows[(rows["kind"] == "final") & rows["baseline_sd"].gt(0)].itertuples():
        d = (row.mean - row.baseline_mean) / row.baseline_sd
        if abs(d) > EXTREME_WITHIN:
            yield doubt(
                row,
                "extreme_change",
                Message("doubt.far_from_before", d=d),
                Message("doubt.within_sd", limit=EXTREME_WITHIN),
                "doubt",
                Message(
                    "doubt.rare_change",
                    before=row.baseline_mean,
                    after=row.mean,
                    sd=row.baseline_sd,
                ),
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
                    "identical_rows",
                    Message("doubt.row", people=row.n, mean=row.printed_mean, sd=row.printed_sd),
                    Message("doubt.other_digits"),
                    "doubt",
                    Message("doubt.same_numbers", trial=first.trial, arm=first.arm),
                )


def _repeat_trials(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Hold each trial's means beside those of the review's other trials and the literature's."""
    rows = arms[arms["kind"].isin(["final", "change"]) & arms["mean"].notna()]
    key = ["trial", "outcome", "instrument", "timepoint", "kind", "unit"]
    for (trial, outcome, _, _, kind, unit), own in rows.groupby(key, sort=False, dropna=False):
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
        for name, theirs in sets.items():
            if _hold_alike(np.sort(theirs), mine):
                means = [Message("doubt.number_3", value=x) for x in mine]
                yield doubt(
                    next(own.itertuples()),
                    "identical_rows",
                    Message("doubt.means_of_arms", kind=term("rows", kind), means=means),
                    Message("doubt.own_means"),
                    "doubt",
                    Message("doubt.same_means", arms=len(mine), trial=name),
                )


def _hold_alike(theirs: NDArray[np.float64], mine: NDArray[np.float64]) -> bool:
    """Whether each of some means has one near it among others, none twice; both ascending.

    The smallest that is near enough leaves most to those that follow.
    """
    at = 0
    for mean in mine:
        while at < len(theirs) and theirs[at] < mean and not abs(theirs[at] - mean) <= NEAR:
            at += 1
        if at == len(theirs) or not abs(theirs[at] - mean) <= NEAR:
            return False
        at += 1
    return True
