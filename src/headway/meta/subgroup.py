"""Subgroups of studies and the test of their differences."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from headway.meta.batch import describe_positions, read_numbers
from headway.meta.distributions import find_chi2_tail
from headway.meta.pooling import Fit, pool


@dataclass(frozen=True, slots=True)
class Subgroups:
    """Fits of all subgroups, the overall fit and the test of differences between subgroups.

    Attributes
    ----------
    groups : dict
        Label to fit, in the order in which the labels first appear.
    overall : Fit
        All studies together.
    q_between : float
        Weighted sum of squares of the group estimates, each weighed by its own squared standard
        error; NaN with fewer than two groups.
    df : int
        Number of groups minus 1.
    p_value : float
        From chi-squared.
    definition : str
        The test in words.
    """

    groups: dict[Hashable, Fit]
    overall: Fit
    q_between: float
    df: int
    p_value: float
    definition: str


def subgroups(
    yi: ArrayLike,
    vi: ArrayLike,
    groups: Sequence[Hashable] | ArrayLike,
    *,
    method: str = "REML",
    test: str = "adhoc",
    level: float = 0.95,
) -> Subgroups:
    """Pool each subgroup with a tau2 of its own and test whether the subgroups differ.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        Effects and sampling variances.
    groups : sequence, shape (k,)
        Label of each study's subgroup; none may be missing.
    method, test, level
        As for :func:`headway.meta.pool`.

    Returns
    -------
    Subgroups

    Raises
    ------
    ValueError
        More than one dimension; as many labels as effects not given; missing labels, with their
        positions; or as :func:`headway.meta.pool`.

    Notes
    -----
    Borenstein et al. (2009), chapter 19, separate estimates of tau2. The test takes the standard
    errors the groups are reported with, so it uses the Hartung-Knapp errors where `test` does; a
    group of one study enters with its own error.
    """
    y, v = read_numbers(yi, "yi"), read_numbers(vi, "vi")
    if y.ndim != 1 or v.shape != y.shape:
        raise ValueError(f"yi {y.shape} and vi {v.shape} must be one-dimensional, of one length")
    labels: list[Any] = list(groups)  # type: ignore[arg-type]
    if len(labels) != y.size:
        raise ValueError(f"groups must hold one label per effect: {len(labels)} for {y.size}")
    labels = [label.item() if isinstance(label, np.generic) else label for label in labels]
    # None, NaN and pandas.NA: the last is not equal to anything in a way that can be told apart.
    missing = np.array([label is None or (label == label) is not True for label in labels])
    if missing.any():
        raise ValueError(f"groups must not be missing: see {describe_positions(missing)}")
    overall = pool(y, v, method=method, test=test, level=level)
    names: list[Hashable] = list(dict.fromkeys(labels))
    held = np.array([[label == name for label in labels] for name in names])
    fits: dict[Hashable, Fit] = {
        name: pool(y[own], v[own], method=method, test=test, level=level)
        for name, own in zip(names, held, strict=True)
    }
    estimate = np.array([fit.estimate for fit in fits.values()])
    se = np.array([fit.se for fit in fits.values()])
    df = len(names) - 1
    q = p = float("nan")
    # A Hartung-Knapp error of 0 (a group without spread) would weigh without bound: no test.
    if df > 0 and (se > 0).all():
        w = 1 / se**2
        q = float((w * (estimate - (w * estimate).sum() / w.sum()) ** 2).sum())
        p = float(find_chi2_tail(np.array(q), np.array(float(df))))
    words = f"chi-squared on {df} df over group estimates, tau2 and standard error of each group"
    return Subgroups(fits, overall, q, df, p, words)
