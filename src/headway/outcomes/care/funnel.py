"""Therapists on a funnel plot: who stands out after case mix and chance.

Limits follow Spiegelhalter (2005, Statistics in Medicine 24:1185): 95 % and 99.8 % around a
target, with an additive over-dispersion whose standardised residuals are winsorised (his section
on over-dispersion; the moment estimator is that of DerSimonian and Laird 1986). Three things
differ, since a clinic has few therapists and he had hundreds of hospitals: each therapist is held
against the others only, since someone who stands out moves the target and inflates the
over-dispersion of a small group; limits use Student's t, since the spread within therapists is
estimated; and the difference that is usual among therapists (`USUAL_ICC`) is allowed for, since a
handful of them cannot show it.

Diaries give more than the primary window: `pair_widely` takes every recorded day of the 56 before
and of the primary window with the 28 days on either side of it. Its middle is that of the primary
window, so that a course along a straight line has the same change, known with less noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc, stdtrit

from headway.config.clinic import Window
from headway.messages import Message, join
from headway.outcomes.change import windows as windows_of
from headway.outcomes.change.cohort import SEVERAL_THERAPISTS
from headway.outcomes.change.windows import DAYS_PER_WINDOW, Comparison
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from headway.config.clinic import Clinic

    Array = NDArray[np.float64]

INNER, OUTER = 0.95, 0.998
WINSORISE = 0.1
FEW_THERAPISTS = 10
# Share of the variance that lies between therapists after case mix: .007 (95 % .005 to .009) among
# 657 therapists of 23 021 people in rehabilitation for pain (GLA:D cohort, doi
# 10.1136/rmdopen-2026-007100); the median of 1 039 variables of primary care is .005 (Adams 2004,
# J Clin Epidemiol 57:785).
USUAL_ICC = 0.007
_SIGNIFICANT = 0.01
_FLAT = 1e-9  # share of a variable's range below which it does not vary
_PEOPLE_PER_COLUMN = 10
_LEAST = 3  # therapists below which nobody can be held against others


@dataclass(frozen=True, slots=True)
class Overdispersion:
    """Variance between units beyond chance: tau² (additive), phi (Q / (k - 1)) and p of Q."""

    target: float
    tau2: float
    phi: float
    p_value: float


def estimate_overdispersion(
    y: ArrayLike, se: ArrayLike, winsorise: float = WINSORISE
) -> Overdispersion:
    """Estimate additive over-dispersion from winsorised residuals (Spiegelhalter 2005).

    z = (y - target) / se with the target weighted by 1 / se²; z beyond its quantiles `winsorise`
    and 1 - `winsorise` is set to them; Q = sum z²; tau² = (Q - (k - 1)) / (W - sum w² / W), at
    least 0. Without winsorising it is the estimator of DerSimonian and Laird (1986). Winsorising
    at 10 % leaves about two thirds of a normal variance, so that limits err to the narrow side
    where units truly differ; as published, nothing is put back.

    Parameters
    ----------
    y, se
        Value and standard error of each unit; at least two.
    winsorise
        Share at either end, below 0.5; 0 for none.
    """
    values, errors = np.asarray(y, float), np.asarray(se, float)
    k = len(values)
    if k < 2:
        raise ValueError("over-dispersion needs at least two units")
    w = 1 / errors**2
    target = float((w * values).sum() / w.sum())
    z = (values - target) / errors
    if winsorise > 0:
        z = np.clip(z, *np.quantile(z, [winsorise, 1 - winsorise]))
    q = float((z**2).sum())
    tau2 = max(0.0, (q - (k - 1)) / float(w.sum() - (w**2).sum() / w.sum()))
    return Overdispersion(target, tau2, q / (k - 1), float(chdtrc(k - 1, q)))


@dataclass(frozen=True, slots=True)
class Funnel:
    """Each unit against the others; arrays of one entry per unit."""

    target: Array
    tau2: Array
    z: Array
    inner: Array  # half widths
    outer: Array
    flag: NDArray[np.bool_]


def judge_units(
    y: ArrayLike,
    error: ArrayLike,
    df: float,
    winsorise: float = WINSORISE,
    *,
    usual: float = 0.0,
) -> Funnel:
    """Hold each unit against the others.

    The unit that lies farthest outside the outer limit is set aside, and the rest are judged
    again by a target without it, up to a third of all: whoever stands out must not pull the
    target over the others. Over-dispersion is `usual`, or what is clearly there (p < 0.01) where
    that is more; with a handful of units its estimate is else mostly noise, and would hide whom
    the plot is for.

    With no over-dispersion and no `usual` one, z is the studentised deleted residual of the units
    (the outlier test of a mean shift; Viechtbauer and Cheung 2010, Research Synthesis Methods
    1:112). Rates of flags: docs/benchmarks.md.

    Parameters
    ----------
    y
        Value of each unit.
    error
        Standard error of each unit, or the covariance matrix of the values; from one pooled
        spread.
    df
        Degrees of freedom of that spread.
    winsorise
        See `estimate_overdispersion`.
    usual
        Variance between units that is taken for granted.

    Raises
    ------
    ValueError
        With fewer than three units, or a standard error that is not above 0.
    """
    values, covariance = np.asarray(y, float), np.asarray(error, float)
    k = len(values)
    if k < _LEAST:
        raise ValueError("fewer than three units cannot be held against each other")
    if covariance.ndim == 1:
        covariance = np.diag(np.sign(covariance) * covariance**2)
    if not (covariance.diagonal() > 0).all():
        raise ValueError("standard errors must lie above 0")
    inner, outer = (float(stdtrit(df, 0.5 + level / 2)) for level in (INNER, OUTER))
    # Those set aside leave the target and stay in the over-dispersion (winsorised): peeled off
    # one by one, the ends of truly different units would take it with them.
    tau2 = np.maximum(_find_overdispersion(values, covariance, winsorise), usual)
    aside = np.zeros(k, bool)
    while True:
        target, spread = _hold_against_others(values, covariance, tau2, aside)
        z = (values - target) / spread
        distance = np.where(aside, 0.0, np.abs(z))
        worst = int(distance.argmax())
        if distance[worst] <= outer or aside.sum() >= k // 3:
            break
        aside[worst] = True
    return Funnel(target, tau2, z, inner * spread, outer * spread, np.abs(z) > outer)


def _find_overdispersion(y: Array, covariance: Array, winsorise: float) -> Array:
    """Find the tau² of the others for each unit; 0 where it may be chance."""
    se = np.sqrt(covariance.diagonal())
    out = np.zeros(len(y))
    for i in range(len(y)):
        found = estimate_overdispersion(np.delete(y, i), np.delete(se, i), winsorise)
        out[i] = found.tau2 if found.p_value < _SIGNIFICANT else 0.0
    return out


def _hold_against_others(
    y: Array, covariance: Array, tau2: Array, aside: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Find the target, and the standard error of the distance from it, for each unit."""
    k = len(y)
    others = ~np.eye(k, dtype=bool) & ~aside
    w = np.where(others, 1 / (covariance.diagonal() + tau2[:, None]), 0.0)
    w /= w.sum(axis=1, keepdims=True)
    contrast = np.eye(k) - w
    variance = np.einsum("ij,jl,il->i", contrast, covariance, contrast)
    variance += tau2 * (contrast**2).sum(axis=1)
    return w @ y, np.sqrt(variance)


@dataclass(frozen=True, slots=True)
class CaseMix:
    """What each person's baseline lets expect, and how far the units lie from it.

    Attributes
    ----------
    expected
        Change of each person.
    units, n, observed, difference
        Labels in order; of each unit the people, their mean change, and what of it was not
        expected.
    covariance
        Of `difference`: chance within units, and the error of the slopes that all share.
    sd, df
        Spread within units, and its degrees of freedom.
    variables
        Variables that were used.
    """

    expected: Array
    units: tuple[str, ...]
    n: Array
    observed: Array
    difference: Array
    covariance: Array
    sd: float
    df: float
    variables: tuple[str, ...]


def expect_change(change: ArrayLike, unit: ArrayLike, baseline: pd.DataFrame) -> CaseMix:
    """Predict each person's change from baseline variables alone.

    Least squares with a mean of its own for every unit, so that differences between units do not
    bend the slopes; the prediction is the mean of all plus the slopes times the distance from
    the mean person. Numbers enter as they are, texts as one column per level; an unknown number
    is the mean of the known ones, with a column that says so; an unknown text is a level.

    Parameters
    ----------
    change, unit
        Change and unit of each person.
    baseline
        Variables known before treatment, one row per person in the same order.

    Returns
    -------
    CaseMix
        A variable that does not vary within units, or one too many for the number of people
        (more than one column for ten), is left out. The mean of all people is taken as known:
        it cancels when units are held against each other.
    """
    import pandas as pd

    y = np.asarray(change, float)
    codes, units = pd.factorize(np.asarray(unit, dtype=object), sort=True)
    size = np.bincount(codes).astype(float)

    def within(values: Array) -> Array:
        return values - (np.bincount(codes, values) / size)[codes]

    columns: list[Array] = []
    used: list[str] = []
    for name in baseline.columns:
        # What does not vary within units cannot be told from the units themselves.
        block = [c for c in _encode(baseline[name]).T if np.ptp(within(c)) > _FLAT * np.ptp(c)]
        if not block or _PEOPLE_PER_COLUMN * (len(columns) + len(block)) > len(y):
            continue
        columns += block
        used.append(str(name))
    own, x = within(y), np.column_stack([np.empty((len(y), 0)), *columns])
    inside = np.column_stack([np.empty((len(y), 0)), *map(within, columns)])
    slopes, _, rank, _ = np.linalg.lstsq(inside, own, rcond=None)
    df = float(len(y) - len(size) - rank)
    rest = own - inside @ slopes
    sd = float(np.sqrt((rest**2).sum() / df)) if df > 0 else float("nan")
    expected = y.mean() + (x - x.mean(axis=0)) @ slopes

    def mean(values: Array) -> Array:
        return np.bincount(codes, values) / size

    # A unit whose people differ from the mean person leans on the slopes, and shares their error.
    far = np.array([mean(c - c.mean()) for c in columns]).reshape(len(columns), len(size)).T
    covariance = sd**2 * (np.diag(1 / size) + far @ np.linalg.pinv(inside.T @ inside) @ far.T)
    return CaseMix(
        expected,
        tuple(map(str, units)),
        size,
        mean(y),
        mean(y - expected),
        covariance,
        sd,
        df,
        tuple(used),
    )


def _encode(values: pd.Series) -> Array:
    """Turn a variable into columns of numbers."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        unknown = np.isnan(numbers)
        if unknown.all():
            return np.empty((len(values), 0))
        filled = np.where(unknown, numbers[~unknown].mean(), numbers)
        return np.column_stack([filled, unknown.astype(float)])
    text = values.astype("object").where(values.notna(), "unknown").astype(str)
    levels = sorted(text.unique())[1:]  # the first is what the others are held against
    return (
        np.column_stack([(text == v).to_numpy(dtype=float) for v in levels])
        if levels
        else (np.empty((len(values), 0)))
    )


@dataclass(frozen=True, slots=True)
class WidePairs:
    """Pairs over more days than the primary windows, and a message on which days these are."""

    pairs: pd.DataFrame
    rule: Message


def pair_widely(
    days: Path,
    clinic: Clinic,
    comparison: Comparison,
    courses: pd.DataFrame | None = None,
    people: pd.Index | None = None,
    *,
    threads: int = 2,
) -> WidePairs | None:
    """Pair all recorded days before with those of the primary window and 28 days either side.

    One window is too noisy to tell therapists apart, so the days before are those of the earlier
    window too. Days per 28, like the primary outcome; a side needs as many recorded days as a
    window does.
    The reach is shorter where 28 days would lead back before day 1, so that the middle stays that
    of the primary window.

    Parameters
    ----------
    days
        Processed table `days` (parquet).
    clinic
        clinic.yaml with its defaults.
    comparison
        The primary comparison.
    courses
        `windows.find_courses`; who starts a second course before the end is left out.

    Returns
    -------
    WidePairs or None
        `windows.pair_windows` of all outcomes. None where the comparison is not of diary windows
        that count from the start between fixed days.
    """
    named = clinic.windows.named
    before = _fixed_days(named.get(comparison.pre))
    after = _fixed_days(named.get(comparison.post))
    if comparison.source != "diary" or before is None or after is None:
        return None
    low, high = before
    earlier = _fixed_days(named.get("earlier"))
    if comparison.pre == "baseline" and earlier is not None:
        low = min(low, earlier[0])
    reach = min(DAYS_PER_WINDOW, after[0] - max(1, high + 1))
    if reach < 0:
        return None
    first, last = after[0] - reach, after[1] + reach
    least = clinic.windows.min_days
    wide = {"before": Window(from_=low, to=high), "after": Window(from_=first, to=last)}
    declared = replace(clinic, windows=replace(clinic.windows, named=wide))
    own = replace(comparison, pre="before", post="after", mean_of_two_baselines=False)
    found = windows_of.build_diary_windows(days, declared, courses, people, threads=threads)
    rule = Message(
        "therapists.wide_windows",
        low=low,
        high=high,
        first=first,
        last=last,
        reach=reach,
        least=least,
    )
    return WidePairs(windows_of.pair_windows(found, own), rule)


def _fixed_days(window: Window | None) -> tuple[int, int] | None:
    """First and last day of a window that counts from the start between fixed days."""
    if window is None or window.from_ is None or window.to is None or window.anchor != "start":
        return None
    return window.from_, window.to


def build_funnel(
    pairs: pd.DataFrame,
    therapist: pd.Series,
    baseline: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    rule: str = "",
) -> pd.DataFrame:
    """Put therapists on a funnel plot of change, adjusted for case mix.

    Parameters
    ----------
    pairs
        patient_id, pre and post of the outcome.
    therapist
        Therapist per person (index patient_id); `several` and blanks are left out.
    baseline
        Variables known before treatment (index patient_id): value before, condition, years with
        it, age, sex. Nothing that came after the start belongs here.
    outcome, unit
        Codes, for the table.
    rule
        Which days the pairs come from, as a message; empty for the primary windows.

    Returns
    -------
    DataFrame
        Table `funnel`, in the order of the codes and not of the results. Small n disclose staff:
        disclosure control must act on it. Empty with fewer than three therapists, or too few
        people to know their spread.
    """
    import pandas as pd

    frame = pairs.set_index("patient_id")[["pre", "post"]]
    who = therapist.reindex(frame.index)
    kept = who.notna() & (who != SEVERAL_THERAPISTS)
    frame, who = frame[kept], who[kept].astype(str)
    sizes = who.value_counts().sort_index()
    change = (frame["post"] - frame["pre"]).to_numpy(dtype=float)
    if len(sizes) < _LEAST or len(frame) < len(sizes) + 2:
        return empty("funnel")
    known = baseline.reindex(frame.index)
    mix = expect_change(change, who.to_numpy(), known)
    if not (np.isfinite(mix.sd) and mix.sd > 0):
        return empty("funnel")
    usual = mix.sd**2 * USUAL_ICC / (1 - USUAL_ICC)
    found = judge_units(mix.difference, mix.covariance, mix.df, usual=usual)
    larger = (found.tau2 > usual).any()
    limits = "therapists.usual_or_larger_differences" if larger else "therapists.usual_differences"
    few = len(sizes) < FEW_THERAPISTS
    notes = [
        Message("therapists.so_few") if few else None,
        rule,
        Message(limits, icc=100 * USUAL_ICC),
        Message("therapists.different_people"),
    ]
    out = pd.DataFrame(
        {
            "therapist": list(mix.units),
            "outcome": outcome,
            "unit": unit,
            "n": mix.n,
            "observed": mix.observed,
            "expected": mix.observed - mix.difference,
            "difference": mix.difference,
            "se": np.sqrt(mix.covariance.diagonal()),
            "target": found.target,
            "tau2": found.tau2,
            "z": found.z,
            "low_95": found.target - found.inner,
            "high_95": found.target + found.inner,
            "low_998": found.target - found.outer,
            "high_998": found.target + found.outer,
            "flag": found.flag,
            "adjusted_for": "; ".join(mix.variables) or None,
            "redacted": False,
            "note": join(notes),
        }
    )
    return conform("funnel", out)


def describe_baseline(pairs: pd.DataFrame, patients: pd.DataFrame) -> pd.DataFrame:
    """Collect the case mix for `build_funnel`: value before, condition, chronicity, age, sex."""
    out = pairs.set_index("patient_id")[["pre"]].rename(columns={"pre": "value_before"})
    known = patients.set_index("patient_id").reindex(out.index)
    for column in ("condition", "chronicity_years", "age", "age_band", "sex"):
        if known[column].notna().any() and not (column == "age_band" and "age" in out):
            out[column] = known[column]
    return out
