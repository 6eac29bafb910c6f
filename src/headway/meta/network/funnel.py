"""Small-study effects in a network: each comparison about its own mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headway.meta.network.data import Network
from headway.meta.small_study import AsymmetryTest, regression_test

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, repr=False)
class Funnel:
    """Contrasts about the mean of their comparison, all in one direction.

    Attributes
    ----------
    adjusted, se : ndarray, shape (m,)
        Effect less the common-effect mean of its comparison, positive where it favours a higher
        value for the treatment that comes later in `order`; its standard error.
    row : ndarray of int, shape (m,)
        Contrast of the network.
    treatment, base : ndarray of int, shape (m,)
        The later and the earlier of both in `order`.
    test : AsymmetryTest or None
        Of asymmetry (Egger); None below three contrasts.
    """

    adjusted: Array
    se: Array
    row: NDArray[np.int64]
    treatment: NDArray[np.int64]
    base: NDArray[np.int64]
    test: AsymmetryTest | None


def adjust_funnel(network: Network, order: Sequence[str]) -> Funnel:
    """Make a comparison-adjusted funnel plot's points.

    Parameters
    ----------
    network : Network
    order : sequence of str
        All treatments, from the one that small trials would be expected to favour least (placebo,
        the oldest) to the one they would favour most; without such an order the plot says nothing.

    Raises
    ------
    ValueError
        If `order` does not name every treatment once.

    Notes
    -----
    Chaimani et al. (2013). Comparisons of one trial are left out: they are their own mean. Of
    a trial with several arms its contrasts against its base enter.
    """
    if sorted(order) != sorted(network.treatments):
        raise ValueError("order must name every treatment of the network once")
    place = np.array([list(order).index(name) for name in network.treatments])
    swap = place[network.treatment] < place[network.base]
    later = np.where(swap, network.base, network.treatment)
    earlier = np.where(swap, network.treatment, network.base)
    y = np.where(swap, -network.y, network.y)
    v = np.diag(network.v)
    pair = later * len(place) + earlier
    _, group, size = np.unique(pair, return_inverse=True, return_counts=True)
    mean = np.bincount(group, weights=y / v) / np.bincount(group, weights=1 / v)
    kept = np.flatnonzero(size[group] > 1)
    adjusted, se = (y - mean[group])[kept], np.sqrt(v)[kept]
    test = None
    if len(kept) >= 3 and np.ptp(se) > 0:
        test = regression_test(adjusted, se**2)
    return Funnel(adjusted, se, kept, later[kept], earlier[kept], test)
