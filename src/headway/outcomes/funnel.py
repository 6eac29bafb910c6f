"""Therapists on a funnel plot: who stands out after case mix and chance.

Limits follow Spiegelhalter (2005, Statistics in Medicine 24:1185): 95 % and 99.8 % around a
target, with an additive over-dispersion whose standardised residuals are winsorised (his section
on over-dispersion; the moment estimator is that of DerSimonian and Laird 1986). Two things differ,
since a clinic has few therapists and he had hundreds of hospitals: each therapist is held against
the others only, since someone who stands out moves the target and inflates the over-dispersion of
a small group; and limits use Student's t, since the spread within therapists is estimated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import chdtrc, stdtrit

from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

INNER, OUTER = 0.95, 0.998
WINSORISE = 0.1
FEW_THERAPISTS = 10
SEVERAL = "several"  # the label of people whose sessions no therapist gave most of
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


def judge_units(y: ArrayLike, se: ArrayLike, df: float, winsorise: float = WINSORISE) -> Funnel:
    """Hold each unit against the others.

    The unit that lies farthest outside the outer limit is set aside, and the rest are judged
    again by a target without it, up to a third of all: whoever stands out must not pull the
    target over the others. Over-dispersion is added where it is clearly there (p < 0.01); with a
    handful of units its estimate is else mostly noise, and would hide whom the plot is for.

    Thirty people each and a spread of 5.03 days (an untreated change; benchmarks/therapists.py):
    a unit 5 days off is flagged in 95.0, 97.4 and 98.0 % among 5, 8 and 12; without any
    difference somebody is flagged in 0.9, 1.5 and 1.9 %.

    Parameters
    ----------
    y, se
        Value and standard error of each unit; the errors come from one pooled spread.
    df
        Degrees of freedom of that spread.

    Raises
    ------
    ValueError
        With fewer than three units, or a standard error that is not above 0.
    """
    values, errors = np.asarray(y, float), np.asarray(se, float)
    k = len(values)
    if k < _LEAST:
        raise ValueError("fewer than three units cannot be held against each other")
    if not (errors > 0).all():
        raise ValueError("standard errors must lie above 0")
    inner, outer = (float(stdtrit(df, 0.5 + level / 2)) for level in (INNER, OUTER))
    aside = np.zeros(k, bool)
    while True:
        target, tau2, spread = _hold_against_others(values, errors, aside, winsorise)
        z = (values - target) / spread
        distance = np.where(aside, 0.0, np.abs(z))
        worst = int(distance.argmax())
        if distance[worst] <= outer or aside.sum() >= k // 3:
            break
        aside[worst] = True
    return Funnel(target, tau2, z, inner * spread, outer * spread, np.abs(z) > outer)


def _hold_against_others(
    y: Array, se: Array, aside: NDArray[np.bool_], winsorise: float
) -> tuple[Array, Array, Array]:
    """Find target, tau² and the standard error of the distance, for each unit from the others."""
    k = len(y)
    target, tau2, spread = np.empty(k), np.empty(k), np.empty(k)
    for i in range(k):
        rest = np.arange(k) != i
        # Those set aside leave the target and stay in the over-dispersion (winsorised): peeled
        # off one by one, the ends of truly different units would take it with them.
        found = estimate_overdispersion(y[rest], se[rest], winsorise)
        tau2[i] = found.tau2 if found.p_value < _SIGNIFICANT else 0.0
        others = rest & ~aside
        w = 1 / (se[others] ** 2 + tau2[i])
        target[i] = (w * y[others]).sum() / w.sum()
        spread[i] = np.sqrt(se[i] ** 2 + tau2[i] + 1 / w.sum())
    return target, tau2, spread


@dataclass(frozen=True, slots=True)
class CaseMix:
    """What each person's baseline lets expect, the spread within units, and the variables used."""

    expected: Array
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
        `sd` and `df` of the residuals within units. A variable that does not vary within units,
        or one too many for the number of people (more than one column for ten), is left out.
    """
    import pandas as pd

    y, codes = np.asarray(change, float), pd.factorize(np.asarray(unit, dtype=object))[0]
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
    own = within(y)
    df, slopes, rest = float(len(y) - len(size)), np.empty(0), own
    x = np.empty((len(y), 0))
    if columns:
        x = np.column_stack(columns)
        inside = np.column_stack([within(c) for c in columns])
        solved = np.linalg.lstsq(inside, own, rcond=None)
        slopes, df = np.asarray(solved[0], float), df - float(solved[2])
        rest = own - inside @ slopes
    sd = float(np.sqrt((rest**2).sum() / df)) if df > 0 else float("nan")
    return CaseMix(y.mean() + (x - x.mean(axis=0)) @ slopes, sd, df, tuple(used))


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


def build_funnel(
    pairs: pd.DataFrame,
    therapist: pd.Series,
    baseline: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
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
        For the table.

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
    kept = who.notna() & (who != SEVERAL)
    frame, who = frame[kept], who[kept].astype(str)
    sizes = who.value_counts().sort_index()
    change = (frame["post"] - frame["pre"]).to_numpy(dtype=float)
    if len(sizes) < _LEAST or len(frame) < len(sizes) + 2:
        return empty("funnel")
    known = baseline.reindex(frame.index)
    mix = expect_change(change, who.to_numpy(), known)
    if not (np.isfinite(mix.sd) and mix.sd > 0):
        return empty("funnel")
    by = pd.DataFrame(
        {"who": who.to_numpy(), "observed": change, "expected": mix.expected}
    ).groupby("who", sort=True)
    mean = by.mean()
    n = by.size().to_numpy(dtype=float)
    difference = (mean["observed"] - mean["expected"]).to_numpy()
    se = mix.sd / np.sqrt(n)
    found = judge_units(difference, se, mix.df)
    notes = [
        "therapists see different people, and what baseline variables do not hold is not adjusted "
        "for: a flag asks for a look and is no judgement"
    ]
    if len(n) < FEW_THERAPISTS:
        notes.insert(
            0,
            f"fewer than {FEW_THERAPISTS} therapists: differences that are usual among them can "
            "hardly be estimated",
        )
    out = pd.DataFrame(
        {
            "therapist": mean.index.to_numpy(),
            "outcome": outcome,
            "unit": unit,
            "n": n,
            "observed": mean["observed"].to_numpy(),
            "expected": mean["expected"].to_numpy(),
            "difference": difference,
            "se": se,
            "target": found.target,
            "tau2": found.tau2,
            "z": found.z,
            "low_95": found.target - found.inner,
            "high_95": found.target + found.inner,
            "low_998": found.target - found.outer,
            "high_998": found.target + found.outer,
            "flag": found.flag,
            "adjusted_for": ", ".join(mix.variables) or None,
            "redacted": False,
            "note": "; ".join(notes),
        }
    )
    return conform("funnel", out)


def describe_baseline(
    pairs: pd.DataFrame, patients: pd.DataFrame, clinic: Mapping[str, Any]
) -> pd.DataFrame:
    """Collect the case mix for `build_funnel`: value before, condition, chronicity, age, sex."""
    out = pairs.set_index("patient_id")[["pre"]].rename(columns={"pre": "value before"})
    known = patients.set_index("patient_id").reindex(out.index)
    names = {
        "condition": "condition",
        "chronicity_years": "years with the condition",
        "age": "age",
        "age_band": "age band",
        "sex": "sex",
    }
    for column, label in names.items():
        if known[column].notna().any() and not (column == "age_band" and "age" in out):
            out[label] = known[column]
    return out
