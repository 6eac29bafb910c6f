"""Excess significance: whether more studies are significant than their power lets expect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from headway.meta.notes import Tabled
from headway.meta.pooling import pool, print_p
from headway.meta.small_study import note_few, read_studies

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, repr=False)
class ExcessTest(Tabled):
    """Observed against expected number of significant studies.

    Attributes
    ----------
    observed, expected, ratio : float
        Studies with p < `alpha`, the sum of their powers, observed over expected.
    statistic : float
        Chi-squared; NaN for the exact test.
    p_value : float
        Of at least as many significant studies.
    power : ndarray, shape (k,)
    k, estimate, tau2, method, test, alpha, remark
        `estimate` and `tau2` are the model the powers are computed under.
    """

    observed: int
    expected: float
    ratio: float
    statistic: float
    p_value: float
    power: Array
    k: int
    estimate: float
    tau2: float
    method: str
    test: str
    alpha: float
    remark: str

    def __repr__(self) -> str:
        return (
            f"ExcessTest({self.test}, k={self.k}: {self.observed} significant, "
            f"{self.expected:.3g} expected, {print_p(self.p_value)})"
        )


def excess_significance(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    method: str = "EE",
    test: str = "exact",
    alpha: float = 0.05,
) -> ExcessTest:
    """Test whether more studies are significant than their power lets expect.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        Effects and sampling variances, k ≥ 3.
    method : str
        Model of the true effects: ``EE``, or an estimator of tau2 (:func:`headway.meta.pool`).
    test : {"exact", "chi2"}
        The distribution of a sum of unequal Bernoulli variables, or chi-squared on one df.
    alpha : float
        Two-sided level of the single studies.

    Notes
    -----
    Ioannidis and Trikalinos (2007). Under a random-effects model the power is averaged over the
    distribution of true effects, in closed form.
    """
    if test not in ("exact", "chi2"):
        raise ValueError(f"test must be 'exact' or 'chi2', not {test!r}")
    if not 0 < alpha < 1:
        raise ValueError("alpha must lie between 0 and 1, for example 0.05")
    y, v = read_studies(yi, vi, "a test of excess significance")
    fit = pool(y, v, method=method, test="z")
    estimate, tau2 = float(fit.estimate), float(fit.tau2)
    se, critical = np.sqrt(v), -float(ndtri(alpha / 2))
    spread = np.sqrt(1 + tau2 / v)
    power = ndtr((estimate / se - critical) / spread) + ndtr((-estimate / se - critical) / spread)
    observed, expected, k = int((np.abs(y / se) >= critical).sum()), float(power.sum()), y.size
    statistic = np.nan
    if test == "exact":
        chance = np.ones(1)
        for chosen in power:
            chance = np.convolve(chance, [1 - chosen, chosen])
        p = min(1.0, float(chance[observed:].sum()))
    else:
        gap = observed - expected
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = float(np.divide(gap**2, expected) + np.divide(gap**2, k - expected))
        p = float(ndtr(-np.sign(gap) * np.sqrt(statistic)))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.divide(float(observed), expected))
    return ExcessTest(
        observed,
        expected,
        ratio,
        statistic,
        p,
        power,
        k,
        estimate,
        tau2,
        method,
        test,
        alpha,
        note_few(k),
    )
