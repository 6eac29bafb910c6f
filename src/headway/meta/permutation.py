"""Permutation tests: signs of effects flipped, moderators reassigned among studies."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from headway.meta.batch import read_pair
from headway.meta.pooling import Array, pool
from headway.meta.regression import Moderators, read_design, regress

EXACT_LIMIT = 10_000
# Statistics as large as the observed one to this relative tolerance count as reached: the same
# arrangement in another order of summation must not fall short by rounding.
TIE = 1e-8
CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Permutation:
    """Permutation p-values.

    Attributes
    ----------
    names : tuple of str
        Coefficients; ``("intercept",)`` for a pooled effect.
    p_value : ndarray
        Share of arrangements whose statistic is at least as far from 0 as the observed one.
    qm_p_value : float
        The same of the omnibus statistic; NaN without moderators.
    arrangements : int
        How many were looked at, the observed one among them.
    exact : bool
        Whether these are all there are; otherwise a random sample.
    """

    names: tuple[str, ...]
    p_value: Array
    qm_p_value: float
    arrangements: int
    exact: bool


def permutation_test(
    yi: ArrayLike,
    vi: ArrayLike,
    moderators: Moderators | ArrayLike | None = None,
    *,
    method: str = "REML",
    test: str = "adhoc",
    draws: int = EXACT_LIMIT,
    seed: int = 0,
    intercept: bool = True,
    reference: Mapping[str, Hashable] | None = None,
) -> Permutation:
    """Test a pooled effect, or the coefficients of a meta-regression, by permutation.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
    moderators, method, test, intercept, reference
        As for :func:`headway.meta.regress`; without moderators as for
        :func:`headway.meta.pool`.
    draws : int
        All arrangements are looked at if there are no more than this, else this many at random
        (the observed one is always among them).
    seed : int
        Of the draw.

    Returns
    -------
    Permutation

    Raises
    ------
    ValueError
        More than one dimension, `draws` below 100, or as the fitting function.

    Notes
    -----
    Higgins and Thompson (2004); Follmann and Proschan (1999). Without moderators the signs of the
    effects are flipped, which is exact if their distributions are symmetric about 0; with
    moderators the pairs of effect and variance are dealt to the moderators anew.
    """
    y, v = read_pair(yi, vi)
    if draws < 100:
        raise ValueError("draws must be at least 100: p-values would be too coarse")
    k = y.size
    generator = np.random.default_rng(seed)
    if moderators is None:
        exact = k < 63 and 2**k <= draws
        if exact:
            signs = 1.0 - 2 * ((np.arange(2**k)[:, None] >> np.arange(k)) & 1)
        else:
            signs = generator.choice([-1.0, 1.0], size=(draws, k))
            signs[0] = 1.0
        fits = pool(signs * y, v, method=method, test=test)
        reached = np.abs(np.asarray(fits.statistic))
        share = (reached >= reached[0] * (1 - TIE)).mean()
        return Permutation(("intercept",), np.array([share]), np.nan, len(signs), exact)

    design = read_design(moderators, k, intercept, reference)
    observed = regress(y, v, design, method=method, test=test)
    exact = math.factorial(min(k, 20)) <= draws
    if exact:
        order = np.array(list(itertools.permutations(range(k))))
    else:
        order = generator.permuted(np.tile(np.arange(k), (draws, 1)), axis=1)
        order[0] = np.arange(k)
    reached_each = np.zeros(len(design.names))
    reached_all = 0.0
    for i in range(0, len(order), CHUNK):
        some = order[i : i + CHUNK]
        fit = regress(y[some], v[some], design, method=method, test=test)
        each = np.abs(fit.statistic) >= np.abs(observed.statistic) * (1 - TIE)
        reached_each += each.sum(axis=0)
        reached_all += (np.asarray(fit.qm) >= observed.qm * (1 - TIE)).sum()
    return Permutation(
        design.names, reached_each / len(order), reached_all / len(order), len(order), exact
    )
