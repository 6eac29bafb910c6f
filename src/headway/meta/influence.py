"""What a single study does to the pooled result."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from headway.meta.batch import read_mask, read_numbers
from headway.meta.pooling import Fit, pool


def leave_one_out(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    method: str = "REML",
    test: str = "adhoc",
    level: float = 0.95,
    mask: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> Fit:
    """Pool all studies but one, for each study in turn, in one vectorised pass.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        Effects and sampling variances of one set of studies, at least two.
    method, test, level, weights
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
    y = read_numbers(yi, "yi")
    if y.ndim != 1:
        raise ValueError(f"yi must have one dimension for leave-one-out, not {y.ndim}")
    counted = read_mask(mask, y.shape)
    if counted.sum() < 2:
        raise ValueError("leave-one-out needs at least two studies")
    without = ~np.eye(y.size, dtype=np.bool_) & counted
    v = read_numbers(vi, "vi")
    if v.shape != y.shape:
        raise ValueError(f"yi {y.shape} and vi {v.shape} must have one shape")
    everywhere = np.broadcast_to(y, without.shape)
    return pool(everywhere, v, method=method, test=test, level=level, mask=without, weights=weights)
