"""Graphical display of study heterogeneity: the result of every subset of studies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.meta.batch import prepare_batch, read_pair
from headway.meta.pooling import Array, find_typical_variance
from headway.meta.tau2 import check_method, compute_q, estimate_tau2, weigh

if TYPE_CHECKING:
    import pandas as pd

MAX_STUDIES_WHOLE = 20
DEFAULT_SAMPLE = 1_000_000
# Subsets fitted at a time: their weights and those of the scan stay in a few megabytes.
CHUNK = 1 << 14


@dataclass(frozen=True, slots=True, repr=False)
class Gosh:
    """Results of subsets of studies: arrays with one entry per subset.

    Attributes
    ----------
    estimate, tau2, i2, q : ndarray
        As in :class:`headway.meta.Fit`; one study has tau2 and I² of 0.
    k : ndarray of int
        Studies in the subset.
    members : ndarray of bool, shape (subsets, studies)
        Which ones.
    method : str
    complete : bool
        Whether these are all subsets, or a random sample of them.
    """

    estimate: Array
    tau2: Array
    i2: Array
    q: Array
    k: NDArray[np.int64]
    members: NDArray[np.bool_]
    method: str
    complete: bool

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per subset, without its members."""
        import pandas as pd

        names = ("k", "estimate", "tau2", "i2", "q")
        return pd.DataFrame({name: getattr(self, name) for name in names})

    def __repr__(self) -> str:
        what = "all" if self.complete else "a sample of"
        n, studies = self.members.shape
        return f"Gosh({self.method}: {what} {n} subsets of {studies} studies)"


def gosh(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    method: str = "REML",
    subsets: int | None = None,
    seed: int = 0,
) -> Gosh:
    """Pool every subset of the studies, or a random sample of the subsets.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        Effects and sampling variances, at least two studies.
    method : str
        As for :func:`headway.meta.pool`, but ``GENQ``.
    subsets : int, optional
        How many to draw, at random and without repetition. All 2**k − 1 where there are at most
        20 studies, otherwise a million.
    seed : int
        Of the draw.

    Returns
    -------
    Gosh
        All subsets come in binary order: the first is study 0 alone.

    Raises
    ------
    ValueError
        More than one dimension, fewer than two studies or more than 63; more subsets asked for
        than there are; or as :func:`headway.meta.pool`.

    Notes
    -----
    Olkin, Dahabreh and Trikalinos (2012).
    """
    check_method(method)
    if method == "GENQ":
        raise ValueError("gosh is defined for inverse-variance weights, not for 'GENQ'")
    y, v = read_pair(yi, vi)
    studies = y.size
    if not 2 <= studies <= 63:
        raise ValueError(f"gosh needs 2 to 63 studies, not {studies}")
    prepare_batch(y, v)  # finite effects, positive variances
    total = 2**studies - 1
    if subsets is None:
        subsets = total if studies <= MAX_STUDIES_WHOLE else DEFAULT_SAMPLE
    if not 1 <= subsets <= total:
        raise ValueError(f"subsets must lie between 1 and {total}")
    complete = subsets == total
    if complete:
        codes = np.arange(1, total + 1, dtype=np.int64)
    else:
        generator = np.random.default_rng(seed)
        codes = np.zeros(0, dtype=np.int64)
        while codes.size < subsets:
            drawn = generator.integers(1, total + 1, size=subsets - codes.size + 100)
            codes = np.concatenate([codes, drawn])
            # Without repetition, in the order of drawing.
            codes = codes[np.sort(np.unique(codes, return_index=True)[1])][:subsets]
    members = (codes[:, None] >> np.arange(studies)) & 1 == 1
    results = np.empty((4, subsets))
    for i in range(0, subsets, CHUNK):
        held = members[i : i + CHUNK]
        batch = prepare_batch(np.broadcast_to(y, held.shape), v, held)
        tau2 = estimate_tau2(batch, method)
        _, _, mu = weigh(batch, tau2)
        q = compute_q(batch, np.zeros(tau2.shape))
        df = batch.k - 1
        with np.errstate(divide="ignore", invalid="ignore"):
            if method == "EE":
                i2 = np.where(q > df, 100 * (1 - df / q), 0.0)
            else:
                i2 = 100 * tau2 / (tau2 + find_typical_variance(batch))
        results[:, i : i + CHUNK] = (
            mu * np.sqrt(batch.unit) + batch.centre,
            tau2 * batch.unit,
            np.where(df > 0, i2, 0.0),
            q,
        )
    estimate, tau2, i2, q = results
    return Gosh(estimate, tau2, i2, q, members.sum(axis=1), members, method, complete)
