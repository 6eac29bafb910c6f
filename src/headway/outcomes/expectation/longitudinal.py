"""All windows at once: generalised estimating equations and a linear mixed model.

Where `change` looks at two windows, these use every recorded window of every person, complete or
not, each with the days it was observed on. The ratio or difference is after v before in the same
uncontrolled series of people: a change, never an effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import stdtrit

from headway.outcomes.change.windows import DAYS_PER_WINDOW, Comparison, windows_overlap
from headway.outcomes.expectation.imputation import LEVEL, normal_quantile

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from headway.config.clinic import Clinic

    Array = NDArray[np.float64]

Family = Literal["binomial", "poisson"]
MIN_CLUSTERS = 10  # therapists; DESIGN, section 4
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
    `weights` of statsmodels' GEE are one number per person; with one per row its exchangeable
    structure and its bias-reduced covariance are wrong. The number of days therefore enters as
    part of the working variance, which is where it belongs.
    """
    import warnings

    import statsmodels.api as sm
    from statsmodels.genmod.cov_struct import Exchangeable

    class Denominators(Exchangeable):  # type: ignore[misc]  # statsmodels has no types
        """Exchangeable correlation of shares that stand on different numbers of days."""

        def initialize(self, model: Any) -> None:
            super().initialize(model)
            self.root = model.cluster_list(np.sqrt(np.asarray(days, float)))

        def update(self, params: Array) -> None:
            squares = products = pairs = rows = 0.0
            for i, y in enumerate(self.model.endog_li):
                mean, _ = self.model.cached_means[i]
                pearson = (y - mean) / np.sqrt(self.model.family.variance(mean)) * self.root[i]
                squares += float(pearson @ pearson)
                products += (float(pearson.sum()) ** 2 - float(pearson @ pearson)) / 2
                pairs += len(y) * (len(y) - 1) / 2
                rows += len(y)
            free = self.model.ddof_scale
            if pairs > free:
                self.dep_params = products / (pairs - free) / (squares / (rows - free))

        def covariance_matrix_solve(self, expval: Array, index: int, stdev: Array, rhs: Any) -> Any:
            return super().covariance_matrix_solve(expval, index, stdev / self.root[index], rhs)

    y, n = np.asarray(count, float), np.asarray(days, float)
    if family == "binomial":
        settings: dict[str, Any] = {
            "endog": y / n, "family": sm.families.Binomial(), "cov_struct": Denominators(),
        }  # fmt: skip
    else:
        settings = {
            "endog": y, "family": sm.families.Poisson(), "offset": np.log(n),
            "cov_struct": Exchangeable(),
        }  # fmt: skip
    model = sm.GEE(exog=np.asarray(design, float), groups=np.asarray(people), **settings)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            fit = model.fit(cov_type="bias_reduced", maxiter=100, ctol=1e-9)
        except (np.linalg.LinAlgError, ValueError, ZeroDivisionError):
            raise ValueError("the estimating equations have no solution") from None
    params = np.asarray(fit.params, float)
    robust = np.asarray(fit.cov_robust, float)
    sound = np.isfinite(params).all() and np.isfinite(robust).all() and (np.diag(robust) > 0).all()
    if not sound or not abs(float(fit.model.cov_struct.dep_params)) < 1:
        raise ValueError("the estimating equations have no finite solution")
    return Gee(
        params=params,
        robust=robust,
        corrected=np.asarray(fit.cov_robust_bc, float),
        correlation=float(fit.model.cov_struct.dep_params),
        clusters=int(model.num_group),
        rows=len(y),
        converged=bool(fit.converged),
    )


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
    named = clinic.windows.named
    own = windows[(windows["source"] == comparison.source) & (windows["outcome"] == outcome)]
    present = [
        w for w in dict.fromkeys([*named, *sorted(own["window"])]) if w in set(own["window"])
    ]
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
    days = own["days_observed"].fillna(float(DAYS_PER_WINDOW))
    count = own["count"].where(own["count"].notna(), own["value"] * days / DAYS_PER_WINDOW)
    least = own["window"].map(clinic.windows.days_needed)
    # Enough days and yet not complete: it reaches into another course.
    other_course = (days >= least) & ~own["complete"]
    # A clinic may have a window of its own that is called `post`.
    sides = {comparison.pre: BEFORE, comparison.post: AFTER}
    if comparison.mean_of_two_baselines:
        sides["earlier"] = BEFORE
    level = own["window"].map(lambda w: sides.get(w, f"window {w}"))
    out = own[["patient_id", "value", "complete"]].assign(level=level, count=count, days=days)
    out = out[~other_course & (days > 0)]
    # Sorted by what was recorded, so that codes of people cannot move a last digit.
    return _order_people(out)


def _order_people(rows: pd.DataFrame) -> pd.DataFrame:
    """Put people in an order made from their values, and number them."""
    within = rows.sort_values(["patient_id", "level", "days", "count"], kind="stable")
    keys = within.groupby("patient_id", sort=False)[["level", "days", "count"]].agg(tuple)
    keys = keys.sort_values(["level", "days", "count"], kind="stable")
    number = {person: i for i, person in enumerate(keys.index)}
    out = within.assign(person=within["patient_id"].map(number))
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
    kept = rows[rows["level"].map(good)]
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
        None with fewer than two people before or after, or where the fit does not converge.
    """
    import warnings

    import statsmodels.api as sm

    own = _usable(rows[rows["complete"]], odds=False)
    if own is None:
        return None
    design = _design(own["level"])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model = sm.MixedLM(own["value"].to_numpy(), design, groups=own["person"].to_numpy())
        try:
            fit = model.fit(reml=True, method=["lbfgs", "bfgs", "powell"])
        except (np.linalg.LinAlgError, ValueError):
            return None
    estimate, se = float(fit.fe_params[1]), float(fit.bse_fe[1])
    if not (fit.converged and np.isfinite(se) and se > 0):
        return None
    half = normal_quantile(level) * se
    return Mixed(
        estimate=estimate,
        ci_low=estimate - half,
        ci_high=estimate + half,
        se=se,
        between=float(np.sqrt(max(float(np.asarray(fit.cov_re)[0, 0]), 0.0))),
        within=float(np.sqrt(fit.scale)),
        people=int(own["person"].nunique()),
        rows=len(own),
    )


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
