"""What single studies do to the pooled result."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtr

from headway.meta.batch import read_mask, read_numbers, read_pair
from headway.meta.distributions import find_critical
from headway.meta.pooling import Array, Fit, pool

if TYPE_CHECKING:
    import pandas as pd


def _read_one_set(
    yi: ArrayLike, vi: ArrayLike, mask: ArrayLike | None, what: str, least: int = 2
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return effects, variances and mask of one set of at least `least` studies."""
    y, v = read_pair(yi, vi)
    counted = read_mask(mask, y.shape)
    if counted.sum() < least:
        number = "two studies" if least == 2 else "one study"
        raise ValueError(f"{what} needs at least {number}")
    return y, v, counted


def leave_one_out(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    method: str = "REML",
    test: str = "adhoc",
    level: float = 0.95,
    mask: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    prediction: str = "default",
) -> Fit:
    """Pool all studies but one, for each study in turn, in one vectorised pass.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        Effects and sampling variances of one set of studies, at least two.
    method, test, level, weights, prediction
        As for :func:`headway.meta.pool`.
    mask : array_like of bool, shape (k,), optional
        True where a study counts. Leaving out one that does not count changes nothing.

    Returns
    -------
    Fit
        A batch of shape (k,): entry i is the result without study i.

    Raises
    ------
    ValueError
        More than one dimension, fewer than two studies, or as :func:`headway.meta.pool`.
    """
    y, v, counted = _read_one_set(yi, vi, mask, "leave-one-out")
    without = ~np.eye(y.size, dtype=np.bool_) & counted
    return pool(
        np.broadcast_to(y, without.shape),
        v,
        method=method,
        test=test,
        level=level,
        mask=without,
        weights=weights,
        prediction=prediction,
    )


def cumulate(
    yi: ArrayLike,
    vi: ArrayLike,
    order: ArrayLike | None = None,
    *,
    method: str = "REML",
    test: str = "adhoc",
    level: float = 0.95,
    mask: ArrayLike | None = None,
    prediction: str = "default",
) -> Fit:
    """Add one study at a time and pool those there are.

    Parameters
    ----------
    yi, vi, mask
        As for :func:`leave_one_out`; one study is enough.
    order : array_like, shape (k,), optional
        What the studies are sorted by, the smallest first, ties as they stand: years of
        publication, or `vi` to begin with the most precise. The given order otherwise.
    method, test, level, prediction
        As for :func:`headway.meta.pool`.

    Returns
    -------
    Fit
        A batch of one entry per study that counts, in the order of adding; the last is the whole.
        The weights run along the studies as given.

    Raises
    ------
    ValueError
        As :func:`leave_one_out`; an order that is missing or not one number per study.

    Notes
    -----
    Lau et al. (1992). The intervals are not adjusted for looking many times.
    """
    y, v, counted = _read_one_set(yi, vi, mask, "a cumulative analysis", least=1)
    key = np.arange(y.size, dtype=np.float64) if order is None else read_numbers(order, "order")
    if key.shape != y.shape:
        raise ValueError(f"order must hold one number per study: {key.shape} for {y.shape}")
    if np.isnan(key[counted]).any():
        raise ValueError("order must not be missing")
    rank = np.empty(y.size, dtype=np.int64)
    rank[np.argsort(np.where(counted, key, np.inf), kind="stable")] = np.arange(y.size)
    so_far = (rank <= np.arange(counted.sum())[:, None]) & counted
    return pool(
        np.broadcast_to(y, so_far.shape),
        v,
        method=method,
        test=test,
        level=level,
        mask=so_far,
        prediction=prediction,
    )


@dataclass(frozen=True, slots=True, repr=False)
class Influence:
    """How much each study moves the result: arrays with one entry per study.

    Attributes
    ----------
    rstudent : ndarray
        Difference from what the other studies foretell, over its standard error.
    dffits, dfbetas : ndarray
        Change of the estimate when the study goes, in standard errors (with the full set's hat
        value; with tau2 of the others throughout).
    cook_d : ndarray
        Its square in full-set standard errors.
    cov_ratio : ndarray
        Variance of the estimate without the study over that with it.
    tau2_deleted, q_deleted : ndarray
        tau2 and Q of the others.
    hat, weight : ndarray
        Share of the total weight; the same in percent.
    influential : ndarray of bool
        By the rules of Viechtbauer and Cheung (2010): absolute DFFITS above 3 √(1/(k − 1)), half of
        chi-squared with 1 df below Cook's distance, hat above 3/k, or absolute DFBETAS above 1.
    fit : Fit
        The full set.
    """

    rstudent: Array
    dffits: Array
    cook_d: Array
    cov_ratio: Array
    tau2_deleted: Array
    q_deleted: Array
    hat: Array
    weight: Array
    dfbetas: Array
    influential: NDArray[np.bool_]
    fit: Fit

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per study."""
        import pandas as pd

        names = [field.name for field in fields(self) if field.name != "fit"]
        return pd.DataFrame({name: getattr(self, name) for name in names})

    def __repr__(self) -> str:
        return f"Influence({int(self.influential.sum())} of {self.hat.size} studies influential)"


def influence(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    method: str = "REML",
    test: str = "z",
    level: float = 0.95,
) -> Influence:
    """Measure the influence of each study by leaving it out.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        Effects and sampling variances, at least two studies.
    method, test, level
        As for :func:`headway.meta.pool`; with a Hartung-Knapp `test` its factor enters the
        standard errors, as in R's metafor.

    Returns
    -------
    Influence

    Raises
    ------
    ValueError
        As :func:`leave_one_out`; missing effects; ``GENQ`` (its weights are not what is used
        here).

    Notes
    -----
    Viechtbauer and Cheung (2010). tau2 is estimated anew without each study.
    """
    if method == "GENQ":
        raise ValueError("influence is defined for inverse-variance weights, not for 'GENQ'")
    y, v, _ = _read_one_set(yi, vi, None, "influence")
    full = pool(y, v, method=method, test=test, level=level)
    rest = leave_one_out(y, v, method=method, test=test, level=level)
    mu, tau2 = np.asarray(rest.estimate), np.asarray(rest.tau2)
    k = y.size
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = (~np.eye(k, dtype=np.bool_) / (v + tau2[:, None])).sum(axis=1)
        factor = np.asarray(rest.se) ** 2 * sums
        hat = full.weights / 100
        moved = full.estimate - mu
        rstudent = (y - mu) / np.sqrt((v + tau2) * factor + np.asarray(rest.se) ** 2)
        dffits = moved / np.sqrt(factor * hat * (tau2 + v))
        # tau2 of the others, but the weights of all.
        total = (1 / (v + tau2[:, None])).sum(axis=1)
        dfbetas = moved / np.sqrt(factor / total)
        cook_d = moved**2 / full.se**2
    marked = (np.abs(dffits) > 3 * np.sqrt(1 / (k - 1))) | (chdtr(1, cook_d) > 0.5)
    return Influence(
        rstudent=rstudent,
        dffits=dffits,
        cook_d=cook_d,
        cov_ratio=np.asarray(rest.se) ** 2 / full.se**2,
        tau2_deleted=tau2,
        q_deleted=np.asarray(rest.q),
        hat=hat,
        weight=full.weights,
        dfbetas=dfbetas,
        influential=marked | (hat > 3 / k) | (np.abs(dfbetas) > 1),
        fit=full,
    )


def baujat(yi: ArrayLike, vi: ArrayLike, *, method: str = "EE") -> tuple[Array, Array]:
    """Return what each study adds to heterogeneity and how much it moves the estimate.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        At least two studies.
    method : str
        As for :func:`headway.meta.pool`; Baujat et al. (2002) use the common effect.

    Returns
    -------
    contribution, shift : ndarray, shape (k,)
        Squared Pearson residual, the study's share of Q (for ``EE``); squared change of the
        estimate without the study, in units of its variance then.
    """
    y, v, _ = _read_one_set(yi, vi, None, "a Baujat plot")
    full = pool(y, v, method=method, test="z")
    rest = leave_one_out(y, v, method=method, test="z")
    contribution = (y - full.estimate) ** 2 / (v + full.tau2)
    shift = (np.asarray(rest.estimate) - full.estimate) ** 2 / np.asarray(rest.se) ** 2
    return contribution, shift


@dataclass(frozen=True, slots=True)
class Shrunken:
    """Empirical Bayes estimates of the studies' own true effects, with intervals."""

    estimate: Array
    se: Array
    low: Array
    high: Array


def shrink(
    yi: ArrayLike, vi: ArrayLike, *, method: str = "REML", test: str = "z", level: float = 0.95
) -> Shrunken:
    """Estimate the true effect of each study, drawn towards the mean by what it is uncertain.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        At least two studies.
    method, test, level
        As for :func:`headway.meta.pool`.

    Notes
    -----
    Best linear unbiased prediction, Raudenbush and Bryk (1985): λy + (1 − λ)μ with
    λ = tau2/(tau2 + v). Its standard error takes tau2 as known.
    """
    y, v, _ = _read_one_set(yi, vi, None, "shrinkage")
    fit = pool(y, v, method=method, test=test, level=level)
    share = fit.tau2 / (fit.tau2 + v)
    estimate = share * y + (1 - share) * fit.estimate
    se = np.sqrt(share * v + (1 - share) ** 2 * fit.se**2)
    half = float(find_critical(level, np.asarray(fit.df))) * se
    return Shrunken(estimate, se, estimate - half, estimate + half)


def standardise_residuals(yi: ArrayLike, vi: ArrayLike, *, method: str = "REML") -> Array:
    """Return each study's difference from the pooled effect over its standard error.

    The study itself is part of the pooled effect (internally standardised): the variance of the
    residual is v + tau2 less that of the estimate. NaN where that is nothing, as of a study that
    is the pooled effect all by itself.
    """
    y, v, _ = _read_one_set(yi, vi, None, "residuals")
    fit = pool(y, v, method=method, test="z")
    variance = v + fit.tau2 - fit.se**2
    return np.asarray((y - fit.estimate) / np.sqrt(np.where(variance > 0, variance, np.nan)))
