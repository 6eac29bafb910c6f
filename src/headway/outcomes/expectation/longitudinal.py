"""All windows at once: generalised estimating equations and a linear mixed model.

Where `change` looks at two windows, these use every recorded window of every person, complete or
not, each with the days it was observed on. The ratio or difference is after v before in the same
uncontrolled series of people: a change, never an effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import stdtrit

from headway.outcomes.change.change import LEVEL
from headway.outcomes.change.windows import DAYS_PER_WINDOW, Comparison, windows_overlap
from headway.outcomes.expectation.imputation import normal_quantile

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from headway.config.clinic import Clinic

    Array = NDArray[np.float64]

Family = Literal["binomial", "poisson"]
MIN_CLUSTERS = 10  # therapists; DESIGN, section 4
MAX_RATIO = 1e9  # of the variance between people to that within
GEE_STEPS, GEE_TOLERANCE = 100, 1e-10
NO_RESIDUAL = 1e-14  # of all squares: what is left below this is rounding
_PEOPLE = 50_000  # worked on at once where each needs a matrix
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True)
class Gee:
    """Coefficients of a GEE on the scale of the link (logit or log).

    Attributes
    ----------
    params : ndarray, shape (p,)
    robust, corrected : ndarray, shape (p, p)
        Sandwich covariance (Liang & Zeger 1986), and its correction for few people (Mancl &
        DeRouen 2001).
    correlation : float
        Working correlation of two windows of one person.
    clusters, rows : int
    converged : bool
    """

    params: Array
    robust: Array
    corrected: Array
    correlation: float
    clusters: int
    rows: int
    converged: bool


@dataclass(frozen=True, slots=True)
class Change:
    """After v before from a model, with both intervals.

    Attributes
    ----------
    ratio, ratio_robust, ratio_corrected
        Odds ratio (binomial) or rate ratio (Poisson) and its intervals.
    days, days_robust, days_corrected
        The same as headache days per 28.
    people, rows : int
        People and windows it stands on.
    correlation : float
    family : str
    """

    ratio: float
    ratio_robust: tuple[float, float]
    ratio_corrected: tuple[float, float]
    days: float
    days_robust: tuple[float, float]
    days_corrected: tuple[float, float]
    people: int
    rows: int
    correlation: float
    family: Family


@dataclass(frozen=True, slots=True)
class Mixed:
    """After v before from a linear mixed model with an intercept per person.

    Attributes
    ----------
    estimate, ci_low, ci_high, se : float
        In the outcome's unit; Wald.
    between, within : float
        Standard deviation of the intercepts, and within people.
    people, rows : int
    """

    estimate: float
    ci_low: float
    ci_high: float
    se: float
    between: float
    within: float
    people: int
    rows: int


@dataclass(frozen=True, slots=True)
class Clustered:
    """A mean change whose interval takes people of one therapist as alike."""

    estimate: float
    ci_low: float
    ci_high: float
    n: int
    clusters: int


def fit_gee(
    count: ArrayLike,
    days: ArrayLike,
    design: ArrayLike,
    people: ArrayLike,
    family: Family,
) -> Gee:
    """Fit counts of days by generalised estimating equations, exchangeable within people.

    Binomial: `count` of `days`, with variance mu (1 - mu) / days of the share. Poisson: `count`
    with the logarithm of `days` as offset.

    Parameters
    ----------
    count, days : array_like, shape (rows,)
        Headache days and days observed. They need not be whole.
    design : array_like, shape (rows, p)
        With an intercept, where one is wanted.
    people : array_like, shape (rows,)
        Who each row belongs to.

    Raises
    ------
    ValueError
        Where the equations have no finite solution.

    Notes
    -----
    Scoring steps alternate with moment estimates of scale and correlation (Liang & Zeger 1986,
    section 3.3). The number of days is part of the working variance. With an exchangeable
    correlation a person enters through sums over the own rows alone, so that the cost grows with
    the rows and nothing loops over people.
    """
    who = np.asarray(people)
    x, n, y = (np.asarray(values, float) for values in (design, days, count))
    if (who[1:] < who[:-1]).any():
        order = np.argsort(who, kind="stable")
        who, x, n, y = who[order], x[order], n[order], y[order]
    number = np.cumsum(np.append(0, who[1:] != who[:-1]))
    if family == "binomial":
        y = y / n
    each = np.bincount(number)
    first = np.concatenate([[0], np.cumsum(each)[:-1]])
    rows, p = x.shape
    pairs = float((each * (each - 1)).sum()) / 2
    params, alpha, converged = np.linalg.lstsq(x, _link(y, n, family), rcond=None)[0], 0.0, False
    with np.errstate(all="ignore"):
        for _ in range(GEE_STEPS):
            mean, slope, sd = _moments(x @ params, n, family)
            z, e = x * (slope / sd)[:, None], (y - mean) / sd
            bread, score = _sum_people(z, e, first, each, alpha)
            try:
                step = np.linalg.solve(bread, score.sum(axis=0))
            except np.linalg.LinAlgError:
                raise ValueError("the estimating equations have no solution") from None
            if not np.isfinite(step).all():
                break
            params = params + step
            mean, _, sd = _moments(x @ params, n, family)
            e = (y - mean) / sd
            old, alpha = alpha, _correlation(e, first, pairs, rows, p)
            moved = max(float(np.abs(step).max()), abs(alpha - old))
            if converged := moved < GEE_TOLERANCE:
                break
        mean, slope, sd = _moments(x @ params, n, family)
        z, e = x * (slope / sd)[:, None], (y - mean) / sd
        bread, score = _sum_people(z, e, first, each, alpha)
        sound = np.isfinite(bread).all() and np.isfinite(params).all() and abs(alpha) < 1
        if not sound or np.linalg.matrix_rank(bread) < p:
            raise ValueError("the estimating equations have no finite solution")
        inverse = np.linalg.inv(bread)
        robust = inverse @ (score.T @ score) @ inverse
        corrected = _correct(z, score, bread, first, each, alpha)
    if not (np.isfinite(robust).all() and (np.diag(robust) > 0).all()):
        raise ValueError("the estimating equations have no finite solution")
    return Gee(params, robust, corrected, alpha, len(each), rows, converged)


def _link(y: Array, n: Array, family: Family) -> Array:
    """Start the linear predictor (McCullagh & Nelder 1989, section 2.5)."""
    if family == "binomial":
        start = (y * n + 0.5) / (n + 1)
        return np.asarray(np.log(start / (1 - start)))
    return np.asarray(np.log((y + 0.5) / n))


def _moments(eta: Array, n: Array, family: Family) -> tuple[Array, Array, Array]:
    """Mean, its slope in the linear predictor, and working standard deviation of every row."""
    if family == "binomial":
        mean = 1 / (1 + np.exp(-eta))
        slope = mean * (1 - mean)
        return mean, slope, np.sqrt(slope / n)
    mean = n * np.exp(eta)
    return mean, mean, np.sqrt(mean)


def _correlation(e: Array, first: NDArray[np.intp], pairs: float, rows: int, p: int) -> float:
    """Moment estimate of the exchangeable correlation from Pearson residuals."""
    if pairs <= p:
        return 0.0
    squares = float(e @ e)
    if rows <= p or squares <= rows * NO_RESIDUAL:
        raise ValueError("without residuals there is no correlation")
    sums = np.add.reduceat(e, first)
    return (float(sums @ sums) - squares) / 2 / (pairs - p) / (squares / (rows - p))


def _shrink(each: NDArray[np.intp], alpha: float) -> Array:
    """Compute c in R^-1 = (I - c 11') / (1 - alpha), per person."""
    return np.asarray(alpha / (1 + (each - 1) * alpha))


def _sum_people(
    z: Array, e: Array, first: NDArray[np.intp], each: NDArray[np.intp], alpha: float
) -> tuple[Array, Array]:
    """Sum D'V^-1 D over all people, and D'V^-1 (y - mean) of each."""
    sums = np.add.reduceat(z, first, axis=0)
    shrink = _shrink(each, alpha)[:, None]
    bread = z.T @ z - sums.T @ (shrink * sums)
    score = np.add.reduceat(z * e[:, None], first, axis=0)
    score -= shrink * sums * np.add.reduceat(e, first)[:, None]
    return bread / (1 - alpha), score / (1 - alpha)


def _correct(
    z: Array,
    score: Array,
    bread: Array,
    first: NDArray[np.intp],
    each: NDArray[np.intp],
    alpha: float,
) -> Array:
    """Mancl and DeRouen's covariance, from one p x p solution per person.

    With B the bread, G = D'V^-1 D and u = D'V^-1 (y - mean) of a person, their leverage-corrected
    score B^-1 D'V^-1 (I - D B^-1 D'V^-1)^-1 (y - mean) is (B - G)^-1 u (Woodbury).
    """
    p = z.shape[1]
    total = np.zeros((p, p))
    last = first + each
    shrink = _shrink(each, alpha)
    for at in range(0, len(each), _PEOPLE):
        part = slice(at, at + _PEOPLE)
        start = first[part]
        rows = z[start[0] : last[part][-1]]
        outer = (rows[:, :, None] * rows[:, None, :]).reshape(len(rows), p * p)
        own = np.add.reduceat(outer, start - start[0], axis=0).reshape(-1, p, p)
        sums = np.add.reduceat(rows, start - start[0], axis=0)
        own -= shrink[part, None, None] * sums[:, :, None] * sums[:, None, :]
        left = bread - own / (1 - alpha)
        try:
            moved = np.linalg.solve(left, score[part, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            return np.full((p, p), np.nan)
        total += moved.T @ moved
    return total


def stack_windows(
    windows: pd.DataFrame, comparison: Comparison, clinic: Clinic, outcome: str
) -> pd.DataFrame:
    """Stack the windows of one outcome that do not overlap, those of the comparison first.

    A window counts with the days it was observed on, complete or not; one that reaches into a
    second course of treatment does not count. With `mean_of_two_baselines`, `earlier` and
    `baseline` are one level, as in the comparison.

    Returns
    -------
    DataFrame
        patient_id, person (a number), level (`before`, `after` or `window` and its name), value,
        count, days (observed; 28 where the value was asked or given), complete.
    """
    import pandas as pd

    named = clinic.windows.named
    own = windows[(windows["source"] == comparison.source) & (windows["outcome"] == outcome)]
    there = set(own["window"].unique())
    present = [w for w in dict.fromkeys([*named, *sorted(there)]) if w in there]
    taken = [w for w in (comparison.pre, comparison.post) if w in present]
    for window in present:
        if window in taken:
            continue
        if comparison.source == "visit":
            continue  # the last visit may be the one that is compared already
        if comparison.source == "diary" and (
            window not in named
            or named[window].anchor != "start"
            or any(windows_overlap(named[window], named[t]) for t in taken)
        ):
            continue
        taken.append(window)
    own = own[own["window"].isin(taken) & own["value"].notna()]
    days = own["days_observed"].astype("float64").fillna(float(DAYS_PER_WINDOW))
    count = own["count"].astype("float64")
    count = count.where(count.notna(), own["value"] * days / DAYS_PER_WINDOW)
    window = own["window"].astype("category").cat.remove_unused_categories()
    least = np.array([clinic.windows.days_needed(w) for w in window.cat.categories], float)
    # Enough days and yet not complete: it reaches into another course.
    other_course = (days >= least[window.cat.codes]) & ~own["complete"]
    # A clinic may have a window of its own that is called `post`.
    sides = {comparison.pre: BEFORE, comparison.post: AFTER}
    if comparison.mean_of_two_baselines:
        sides["earlier"] = BEFORE
    names = [sides.get(w, f"window {w}") for w in window.cat.categories]
    levels = sorted(set(names))
    place = np.array([levels.index(name) for name in names], int)
    level = pd.Categorical.from_codes(place[window.cat.codes], categories=levels)
    out = own[["patient_id", "value", "complete"]].assign(level=level, count=count, days=days)
    out = out[~other_course & (days > 0)]
    # Sorted by what was recorded, so that codes of people cannot move a last digit.
    return _order_people(out)


def _order_people(rows: pd.DataFrame) -> pd.DataFrame:
    """Put people in an order made from their values, and number them."""
    within = rows.sort_values(["patient_id", "level", "days", "count"], kind="stable")
    start = ~within["patient_id"].duplicated().to_numpy()
    number = np.cumsum(start) - 1
    place = np.arange(len(within)) - np.flatnonzero(start)[number]
    level = within["level"].astype("category").cat.codes
    # One row per person, filled up with what is smaller than anything: shorter ones come first.
    width = int(place.max()) + 1 if len(within) else 0
    keys = []
    for values in (level, within["days"], within["count"]):
        wide = np.full((int(start.sum()), width), -np.inf)
        wide[number, place] = np.asarray(values, float)
        keys += list(wide.T)
    order = np.lexsort(keys[::-1]) if keys else np.arange(0)
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    out = within.assign(person=rank[number])
    return out.sort_values("person", kind="stable", ignore_index=True)


def _design(level: pd.Series) -> Array:
    """Intercept (before) and a column per other level, after first."""
    others = sorted(set(level) - {BEFORE, AFTER})
    names = [AFTER, *others]
    columns = [np.ones(len(level)), *((level == name).to_numpy(float) for name in names)]
    return np.column_stack(columns)


def _usable(rows: pd.DataFrame, *, odds: bool) -> pd.DataFrame | None:
    """Leave out other windows that fewer than two people have, or that have no odds.

    None where that holds for the window before or after, or nothing varies.
    """
    levels = rows.groupby("level")
    good = levels["person"].nunique() >= 2
    if odds:  # a day with and a day without headache
        sums = levels[["count", "days"]].sum()
        good &= (sums["count"] > 0) & (sums["count"] < sums["days"])
    if not (good.get(BEFORE, False) and good.get(AFTER, False)):
        return None
    kept = rows if good.all() else rows[rows["level"].map(good).astype(bool)]
    return kept if kept["value"].nunique() > 1 else None


def estimate_change(rows: pd.DataFrame, family: Family, level: float = LEVEL) -> Change | None:
    """Estimate after v before over all windows by GEE, as a ratio and as days per 28.

    Days are 28 times the difference of the marginal shares (rates), their intervals by the delta
    method. Robust intervals are Wald; corrected ones use Mancl and DeRouen's covariance and t
    with people less coefficients.

    Parameters
    ----------
    rows
        From `stack_windows`.

    Returns
    -------
    Change or None
        None with fewer than two people before or after, a window without a day with or without
        headache, no spread, or no solution.
    """
    usable = _usable(rows, odds=True)
    if usable is None:
        return None
    design = _design(usable["level"])
    try:
        fit = fit_gee(usable["count"], usable["days"], design, usable["person"], family)
    except ValueError:
        return None
    if not fit.converged:
        return None
    before, after = fit.params[0], fit.params[0] + fit.params[1]
    if family == "binomial":
        share = 1 / (1 + np.exp(-np.array([before, after])))
        slope = share * (1 - share)
    else:
        share = np.exp(np.array([before, after]))
        slope = share
    gradient = np.zeros(len(fit.params))
    gradient[0] = DAYS_PER_WINDOW * (slope[1] - slope[0])
    gradient[1] = DAYS_PER_WINDOW * slope[1]
    days = DAYS_PER_WINDOW * float(share[1] - share[0])
    free = max(fit.clusters - len(fit.params), 1)
    wide = float(stdtrit(free, 0.5 + level / 2))
    limits = {}
    for name, cov, quantile in (
        ("robust", fit.robust, normal_quantile(level)),
        ("corrected", fit.corrected, wide),
    ):
        half = quantile * float(np.sqrt(cov[1, 1]))
        half_days = quantile * float(np.sqrt(gradient @ cov @ gradient))
        limits[name] = (
            (float(np.exp(fit.params[1] - half)), float(np.exp(fit.params[1] + half))),
            (days - half_days, days + half_days),
        )
    return Change(
        ratio=float(np.exp(fit.params[1])),
        ratio_robust=limits["robust"][0],
        ratio_corrected=limits["corrected"][0],
        days=days,
        days_robust=limits["robust"][1],
        days_corrected=limits["corrected"][1],
        people=fit.clusters,
        rows=fit.rows,
        correlation=fit.correlation,
        family=family,
    )


def fit_mixed(rows: pd.DataFrame, level: float = LEVEL) -> Mixed | None:
    """Fit value by window with an intercept per person (REML; Laird & Ware 1982).

    Complete windows only, since every value weighs the same. With one window before and one
    after and nobody lost this is the paired mean change.

    Parameters
    ----------
    rows
        From `stack_windows`.

    Returns
    -------
    Mixed or None
        None with fewer than two people before or after, or without a finite maximum.
    """
    own = _usable(rows[rows["complete"]], odds=False)
    if own is None:
        return None
    found = _fit_intercepts(
        own["value"].to_numpy(float), _design(own["level"]), own["person"].to_numpy()
    )
    if found is None:
        return None
    params, cov, ratio, scale = found
    estimate, variance = float(params[1]), float(cov[1, 1])
    if not (np.isfinite(variance) and variance > 0):
        return None
    half = normal_quantile(level) * variance**0.5
    return Mixed(
        estimate=estimate,
        ci_low=estimate - half,
        ci_high=estimate + half,
        se=variance**0.5,
        between=float(np.sqrt(ratio * scale)),
        within=float(np.sqrt(scale)),
        people=int(own["person"].nunique()),
        rows=len(own),
    )


def _fit_intercepts(
    y: Array, x: Array, person: NDArray[np.int_]
) -> tuple[Array, Array, float, float] | None:
    """Fit a linear model with an intercept per person by REML.

    With r the variance of the intercepts over that within people, V^-1 = I - r / (1 + r n) 11'
    for a person with n rows: sums of products over people with the same n are all that the
    likelihood needs. Its derivative in r is solved for 0.

    Returns
    -------
    tuple or None
        Coefficients, their covariance, r, variance within people. None without a finite maximum.
    """
    from scipy.optimize import brentq

    rows, p = x.shape
    _, number = np.unique(person, return_inverse=True)
    each = np.bincount(number)
    # Centred, so that sums of squares keep their digits.
    shift = float(y.mean())
    z = np.column_stack([x, y - shift])
    sums = np.column_stack([np.bincount(number, weights=column) for column in z.T])
    sizes = np.unique(each)
    people = np.array([(each == size).sum() for size in sizes], float)
    between = np.stack([sums[each == size].T @ sums[each == size] for size in sizes])
    plain = z.T @ z
    total = float(plain[p, p])
    if rows <= p or len(each) == rows:
        return None

    def solve(r: float) -> tuple[Array, Array, float, float]:
        shrunk = plain - np.tensordot(r / (1 + r * sizes), between, 1)
        slope = -np.tensordot(1 / (1 + r * sizes) ** 2, between, 1)
        inverse = np.linalg.inv(shrunk[:p, :p])
        params = inverse @ shrunk[:p, p]
        residual = np.append(-params, 1.0)
        rss = float(residual @ shrunk @ residual)
        if rss <= total * NO_RESIDUAL:
            raise FloatingPointError("nothing is left within people")
        derivative = (
            (rows - p) * float(residual @ slope @ residual) / rss
            + float((people * sizes / (1 + r * sizes)).sum())
            + float(np.trace(inverse @ slope[:p, :p]))
        )
        return params, inverse, rss, derivative

    try:
        with np.errstate(all="raise"):
            ratio, high = 0.0, 1.0
            if solve(0.0)[3] < 0:
                while solve(high)[3] < 0:
                    high *= 4
                    if high > MAX_RATIO:
                        return None
                ratio = float(brentq(lambda r: solve(r)[3], 0.0, high, xtol=1e-14, rtol=1e-13))
            params, inverse, rss, _ = solve(ratio)
    except (np.linalg.LinAlgError, FloatingPointError):
        return None
    scale = rss / (rows - p)
    params[0] += shift
    return params, scale * inverse, ratio, scale


def cluster_change(change: ArrayLike, cluster: ArrayLike, level: float = LEVEL) -> Clustered | None:
    """Mean change with a cluster-robust interval, by therapist.

    CR1: the variance of the sums of residuals per cluster, times G / (G - 1), and t with G - 1
    degrees of freedom (Cameron & Miller 2015, eq. 11).

    Returns
    -------
    Clustered or None
        None with fewer than `MIN_CLUSTERS` clusters: a variance between so few is a guess.
    """
    d = np.asarray(change, float)
    _, number = np.unique(np.asarray(cluster).astype("str"), return_inverse=True)
    clusters = int(number.max()) + 1 if len(d) else 0
    if clusters < MIN_CLUSTERS:
        return None
    mean = float(d.mean())
    sums = np.bincount(number, weights=d - mean)
    # Sorted, so that the therapists' codes cannot move a last digit.
    total = float(np.sort(sums**2).sum())
    se = float(np.sqrt(clusters / (clusters - 1) * total)) / len(d)
    half = float(stdtrit(clusters - 1, 0.5 + level / 2)) * se
    return Clustered(mean, mean - half, mean + half, len(d), clusters)
