"""Every defensible way to compute the primary change of a clinic, and how far they agree.

A specification is one choice per axis: the window after, scaled or counted days, how many days
make a window complete, how long a headache day is, one window before or the mean of two, and how
the lost are counted (Steegen et al. 2016; Simonsohn, Simmons & Nelson 2020). The multiverse of a
meta-analysis stands in `headway.meta.multiverse`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headway.messages import Message, phrase
from headway.outcomes.change.change import t_interval
from headway.outcomes.change.cohort import find_unit
from headway.outcomes.change.missingness import SCALES
from headway.outcomes.change.windows import (
    CONDITIONAL,
    DAYS_PER_WINDOW,
    Comparison,
    build_diary_windows,
    name_visit,
    window_length,
)
from headway.outcomes.expectation import imputation
from headway.tables import conform, empty
from headway.tables.diary import read_days_sql
from headway.tables.engine import open_engine

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from headway.config.clinic import Clinic

    Array = NDArray[np.float64]

AXES = ("window", "value", "completeness", "headache_day", "before", "lost")
SCALED, COUNTED = "scaled", "counted"
PAIRS = "complete_pairs"
CARRIED = "baseline_carried_forward"
IMPUTED = "multiple_imputation"
WORST = "worst_bound"
AS_RECORDED = "as_recorded"
ONE, TWO = "last_window", "mean_of_two"


def vary_diary(
    days: Path,
    clinic: Clinic,
    courses: pd.DataFrame | None,
    comparison: Comparison,
    people: pd.Index | None = None,
    *,
    threads: int = 2,
) -> dict[float, pd.DataFrame]:
    """Aggregate the diary once per length of a headache day, with no rule of completeness.

    Parameters
    ----------
    days, clinic, courses
        As for `build_diary_windows`.
    comparison
        The primary comparison; only its windows, `earlier` and `post_course` are made.
    people
        As for `build_diary_windows`.

    Returns
    -------
    dict
        `min_duration_h` -> table `windows`, frequency only, in which `complete` only says that
        the window does not reach into a second course. The declared length comes first; others
        only where lengths are recorded.
    """
    declared = float(clinic.min_duration_h)
    out: dict[float, pd.DataFrame] = {}
    wanted = {comparison.pre, comparison.post, "earlier", "post_course"}
    for hours in [declared, *clinic.sensitivity.headache_hours]:
        if float(hours) in out:
            continue
        if out and not _has_lengths(days):
            break
        named = {
            name: replace(window, min_days=None)
            for name, window in clinic.windows.named.items()
            if name in wanted
        }
        varied = replace(
            clinic,
            min_duration_h=float(hours),
            windows=replace(clinic.windows, min_days=1, named=named),
        )
        out[float(hours)] = build_diary_windows(
            days, varied, courses, people, outcomes=("frequency",), threads=threads
        )
    return out


def _has_lengths(days: Path) -> bool:
    with open_engine(near=days.parent) as connection:
        row = connection.execute(
            f"SELECT bool_or(duration_hours IS NOT NULL) FROM {read_days_sql(days)}"
        ).fetchone()
    return bool(row and row[0])


def build_specifications(
    windows: pd.DataFrame,
    starters: pd.Index,
    comparison: Comparison,
    clinic: Clinic,
    characteristics: pd.DataFrame,
    varied: Mapping[float, pd.DataFrame] | None = None,
    outcome: str | None = None,
    sample: pd.Index | None = None,
) -> pd.DataFrame:
    """Compute the change in an outcome under every combination of choices.

    Multiple imputation is crossed with the window after and completeness only, at the declared
    choices of the other axes, since with those it would repeat itself at a price.

    Parameters
    ----------
    windows
        Table `windows`; all there is where the source is no diary, and what is imputed from.
    starters
        Everyone who started.
    comparison
        The primary comparison.
    clinic
        clinic.yaml with its defaults.
    characteristics
        `headway.outcomes.change.cohort.describe_people`.
    varied
        `vary_diary`, where the source is a diary and the outcome is frequency.
    outcome
        Code of the outcome; the primary one by default.
    sample
        In whom what is missing is imputed (`imputation.draw_people`); everyone by default.

    Returns
    -------
    DataFrame
        Table `specifications`: the declared one first, then axis by axis.
    """
    import pandas as pd

    outcome = outcome or clinic.primary_outcome
    own = windows[(windows["source"] == comparison.source) & (windows["outcome"] == outcome)]
    if outcome != "frequency" or comparison.source != "diary":
        varied = None
    # Nobody knows the pain of a window without headache: it is not imputed.
    conditional = outcome in CONDITIONAL and comparison.source == "diary"
    tables = dict(varied) if varied else {float(clinic.min_duration_h): own}
    if not len(own):
        return empty("specifications")
    befores = [comparison.mean_of_two_baselines]
    if (own["window"] == "earlier").any() and comparison.pre == "baseline":
        befores.append(not comparison.mean_of_two_baselines)
    posts = _posts(own, comparison, clinic)
    pairs = [
        replace(comparison, post=post, mean_of_two_baselines=two)
        for post in posts
        for two in befores
    ]
    needed = {w for pair in pairs for w in (*pair.befores, pair.post)}
    spread = {
        hours: imputation.spread(
            table[(table["outcome"] == outcome) & (table["source"] == comparison.source)],
            starters,
            needed,
        )
        for hours, table in tables.items()
    }
    rows: list[dict[str, object]] = []
    for post in posts:
        own_pairs = [pair for pair in pairs if pair.post == post]
        extremes = {
            (hours, pair.mean_of_two_baselines): _extremes(side, starters, pair, clinic, outcome)
            for hours, side in spread.items()
            for pair in own_pairs
        }
        for least in _completeness(clinic, comparison, post, varied is not None):
            for hours, side in spread.items():
                for pair in own_pairs:
                    two = pair.mean_of_two_baselines
                    for value in _values(clinic, pair, varied is not None):
                        sides = imputation.pair_sides(
                            side,
                            starters,
                            pair,
                            "value" if value == SCALED else "count",
                            _days_needed(clinic, needed, least) if varied else None,
                        )
                        plain = (hours, value, two) == (
                            float(clinic.min_duration_h),
                            SCALED,
                            comparison.mean_of_two_baselines,
                        )
                        choice = {
                            "window": _name(clinic, comparison, post),
                            "value": value if varied else AS_RECORDED,
                            "completeness": _say_rule(clinic, pair, least)
                            if varied
                            else AS_RECORDED,
                            "headache_day": Message("choice.from_hours", hours=hours)
                            if varied
                            else AS_RECORDED,
                            "before": TWO if two else ONE,
                        }
                        people = None
                        if plain and not conditional:
                            # What else is known comes from the declared windows.
                            people = imputation.add_auxiliaries(
                                sides, windows, pair, outcome, characteristics, sample
                            )
                        for lost, result in _handle(
                            sides, people, extremes[hours, two], clinic, sampled=sample is not None
                        ):
                            rows.append({**choice, "lost": lost, **result})
    out = pd.DataFrame(rows).assign(outcome=outcome, of=float(len(starters)), redacted=False)
    out["unit"] = find_unit(outcome)
    out["specification"] = np.arange(1, len(out) + 1)
    out["declared"] = out["specification"] == 1
    return conform("specifications", out)


def find_sample(ways: pd.DataFrame) -> tuple[float, float] | None:
    """Find in how many people, of all who started, missing values were imputed.

    None where they are all; NaN for a number that disclosure control hides.
    """
    drawn = ways[ways["note"].fillna("").str.contains("assumed.sampled", regex=False)]
    return (float(drawn["n"].iloc[0]), float(drawn["of"].iloc[0])) if len(drawn) else None


def _posts(own: pd.DataFrame, comparison: Comparison, clinic: Clinic) -> list[str]:
    """List the windows after that are tried, the declared one first."""
    declared = clinic.windows.named.get("post_course")
    other = ""
    if comparison.source == "visit":
        other = "last_visit"
    elif declared is not None and declared.anchor == "last_session":
        other = "post_course"
    return [*dict.fromkeys([comparison.post, *({other} & set(own["window"]))])]


def _lengths(clinic: Clinic, *windows: str) -> list[int | None]:
    named = clinic.windows.named
    return [window_length(named[w]) for w in windows]


def _completeness(
    clinic: Clinic, comparison: Comparison, post: str, diary: bool
) -> list[int | None]:
    """Rules of completeness to try; None is the declared one."""
    out: list[int | None] = [None]
    if diary and _lengths(clinic, comparison.pre, post) == [DAYS_PER_WINDOW] * 2:
        declared = clinic.windows.min_days
        out += [k for k in dict.fromkeys(clinic.sensitivity.completeness) if k != declared]
    return out


def _days_needed(clinic: Clinic, windows: Collection[str], least: int | None) -> dict[str, float]:
    """Days that each window must have been observed on; `least` in place of the declared rule."""
    return {w: float(clinic.windows.days_needed(w) if least is None else least) for w in windows}


def _values(clinic: Clinic, comparison: Comparison, diary: bool) -> list[str]:
    whole = diary and _lengths(clinic, comparison.pre, comparison.post) == [DAYS_PER_WINDOW] * 2
    return [SCALED, COUNTED] if whole else [SCALED]


def _say_rule(clinic: Clinic, comparison: Comparison, least: int | None) -> str:
    days = {least}
    if least is None:
        days = {clinic.windows.days_needed(w) for w in (comparison.pre, comparison.post)}
    if len(days) > 1:
        return "own_rule"
    (one,) = days
    return Message("choice.at_least", n=one)


def _name(clinic: Clinic, comparison: Comparison, window: str) -> str:
    if comparison.source == "visit":
        return name_visit(clinic, window)
    named = clinic.windows.named
    return phrase("window", (window in named and named[window].label) or window)


def _extremes(
    spread: Mapping[str, imputation.Side],
    starters: pd.Index,
    comparison: Comparison,
    clinic: Clinic,
    outcome: str,
) -> pd.DataFrame | None:
    """Fewest days before and most days after that what was recorded of each person allows.

    Unknown days of a recorded window are free before and headache days after; someone without a
    record ranges over the whole scale. None where the scale has no end.
    """
    import pandas as pd

    low, high = SCALES.get(outcome, (-np.inf, np.inf))
    if not np.isfinite(high):
        return None
    whole = comparison.source == "diary" and outcome == "frequency"
    if whole:
        whole = _lengths(clinic, comparison.pre, comparison.post) == [DAYS_PER_WINDOW] * 2

    def side(window: str, unknown: float) -> Array:
        if not whole:
            return np.full(len(starters), unknown)
        own = spread[window]
        days = own.count + (DAYS_PER_WINDOW - own.observed if unknown == high else 0.0)
        return np.where(np.isnan(days), unknown, days)

    before = [side(window, low) for window in comparison.befores]
    pre = sum(before[1:], before[0]) / len(before)
    return pd.DataFrame({"pre": pre, "post": side(comparison.post, high)}, index=starters)


def _handle(
    sides: pd.DataFrame,
    people: pd.DataFrame | None,
    extremes: pd.DataFrame | None,
    clinic: Clinic,
    *,
    sampled: bool,
) -> list[tuple[str, dict[str, object]]]:
    """Compute the mean change with every way to count the lost."""
    pre, post = sides["pre"].to_numpy(), sides["post"].to_numpy()
    change = post - pre
    out = [
        (PAIRS, _summary(change[~np.isnan(change)])),
        (CARRIED, _summary(imputation.carry_forward(pre, post))),
    ]
    if people is not None:
        rule = clinic.sensitivity
        imputed = imputation.impute_change(
            people, imputations=rule.imputations, seed=rule.seed, cycles=rule.cycles
        )
        if imputed is not None:
            pooled = imputation.pool_change(imputed)
            result: dict[str, object] = {
                "estimate": pooled.estimate,
                "ci_low": pooled.ci_low,
                "ci_high": pooled.ci_high,
                "interval": Message("interval.t_rubin"),
                "n": float(len(people)),
            }
            if sampled:
                result["note"] = Message("assumed.sampled", n=len(people))
            out.append((IMPUTED, result))
    if extremes is not None:
        worst = sides["post"].fillna(extremes["post"]) - sides["pre"].fillna(extremes["pre"])
        out.append((WORST, {**_summary(worst.to_numpy()), "note": Message("assumed.worst")}))
    return out


def _summary(change: Array) -> dict[str, object]:
    # Sorted, so that the order of people cannot move a last digit.
    ordered = np.sort(change)
    low, high = t_interval(ordered)
    return {
        "estimate": float(ordered.mean()) if len(ordered) else float("nan"),
        "ci_low": low,
        "ci_high": high,
        "interval": Message("interval.t"),
        "n": float(len(ordered)),
    }
