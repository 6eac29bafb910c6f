"""Trim and fill: what the pooled effect would be if the funnel were mirrored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.messages import join
from headway.meta.notes import Noted
from headway.meta.pooling import Fit, pool
from headway.meta.small_study import TIED, note_few, read_studies, sort_ties
from headway.meta.tau2 import check_method

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

ESTIMATORS: dict[str, str] = {
    "L0": "linear combination of the signed rank sum",
    "R0": "run of the largest ranks",
    "Q0": "quadratic in the signed rank sum",
}
SIDES = ("auto", "left", "right")
MAX_ROUNDS = 100
NOTE_TIED = "note.tied_edge"


@dataclass(frozen=True, slots=True, repr=False)
class TrimFill(Noted):
    """Result of trim and fill.

    Attributes
    ----------
    k0, se_k0 : float
        Studies estimated to be missing, and the standard error of that estimate.
    p_k0 : float
        Test of no missing study (``R0`` only, else NaN).
    side : str
        Where studies are missing: left (low effects) or right.
    filled_yi, filled_vi : ndarray, shape (k0,)
        The mirror images put in.
    fit : Fit
        Pooled with them.
    before : Fit
        Pooled without them.
    k, estimator, remark
        Studies seen; what was asked for; what a reader must know.
    """

    k0: int
    se_k0: float
    p_k0: float
    side: str
    filled_yi: Array
    filled_vi: Array
    fit: Fit
    before: Fit
    k: int
    estimator: str
    remark: str

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with two rows: without and with the filled studies."""
        import pandas as pd

        frame = pd.concat([self.before.to_frame(), self.fit.to_frame()], ignore_index=True)
        frame.insert(0, "model", ["as published", "trim and fill"])
        frame["k0"] = [0, self.k0]
        frame["side"] = self.side
        frame["estimator"] = self.estimator
        return frame

    def __repr__(self) -> str:
        noun = "study" if self.k0 == 1 else "studies"
        return (
            f"TrimFill({self.estimator}, k={self.k}: {self.k0} {noun} filled on the {self.side}, "
            f"{self.before.estimate:.4g} -> {self.fit.estimate:.4g})"
        )


def _count_missing(off: Array, size: float, estimator: str) -> tuple[float, float]:
    """Return the estimated number of missing studies and its standard error.

    `off` are the effects about the trimmed mean, in ascending order, missing ones on the left;
    `size` is what their rounding is relative to.
    """
    k = off.size
    off = np.where(np.abs(off) <= TIED * size, 0.0, off)
    rank = np.empty(k)
    rank[sort_ties(np.abs(off), size)[0]] = np.arange(1, k + 1)
    if estimator == "R0":
        below = rank[off < 0]
        if below.size == 0:
            if (off == 0).all():
                return 0.0, float(np.sqrt(2.0))
            raise ValueError(
                "trim and fill cannot go on: no effect is left below the trimmed mean, so R0 is "
                "not defined (use estimator='L0')"
            )
        missing = k - below.max() - 1
        return float(missing), float(np.sqrt(2 * max(0.0, missing) + 2))
    total = rank[off > 0].sum()
    if estimator == "L0":
        missing = (4 * total - k * (k + 1)) / (2 * k - 1)
        factor = 4 / (2 * k - 1)
    else:
        inside = 2 * k**2 - 4 * total + 0.25
        if inside < 0:
            raise ValueError(
                "trim and fill cannot go on: nearly all effects lie above the trimmed mean, so Q0 "
                "is not defined (use estimator='L0')"
            )
        missing = k - 0.5 - np.sqrt(inside)
        rest = (k - 0.5) ** 2 - missing * (2 * k - missing - 1)
        factor = 2 / np.sqrt(rest) if rest > 0 else np.nan
    m = missing
    spread = k * (k + 1) * (2 * k + 1) + 10 * m**3 + 27 * m**2 + 17 * m
    spread += -18 * k * m**2 - 18 * k * m + 6 * k**2 * m
    return float(missing), float(factor * np.sqrt(spread / 24)) if spread >= 0 else np.nan


def _choose_side(y: Array, v: Array, method: str) -> str:
    """Return the side on which studies are missing, by the sign of Egger's slope."""
    from headway.meta.regression import regress

    se = np.sqrt(v)
    if np.ptp(se) <= 1e-10 * se.max():
        raise ValueError("side='auto' needs standard errors that differ: say 'left' or 'right'")
    fit = regress(y, v, {"sei": se}, method=method, test="z")
    return "right" if fit.estimate[1] < 0 else "left"


def trim_and_fill(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    side: str = "auto",
    estimator: str = "L0",
    method: str = "REML",
    test: str = "adhoc",
    level: float = 0.95,
) -> TrimFill:
    """Trim the studies that make the funnel asymmetric, and fill in their mirror images.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        Effects and sampling variances, k ≥ 3.
    side : {"auto", "left", "right"}
        Where studies are missing; "auto" takes the sign of the regression on standard errors.
    estimator : {"L0", "R0", "Q0"}
        Of the number of missing studies.
    method, test, level
        As for :func:`headway.meta.pool`, for trimming and for the final fit; not ``GENQ``.

    Returns
    -------
    TrimFill

    Raises
    ------
    ValueError
        Fewer than three studies, unknown options, an estimator that is not defined for these
        effects, or a count that keeps changing (100 rounds): with few studies it may run in
        circles.

    Notes
    -----
    Duval and Tweedie (2000a, 2000b). Equal effects are ranked in the order given, which can decide
    what is trimmed; the note says so. A sensitivity analysis: it assumes that the funnel is
    symmetric but for the missing studies, and performs poorly with heterogeneity.
    """
    if side not in SIDES:
        raise ValueError(f"side must be one of {list(SIDES)}, not {side!r}")
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator must be one of {list(ESTIMATORS)}, not {estimator!r}")
    if check_method(method) == "GENQ":
        raise ValueError("trim and fill has no weights of the caller: method='GENQ' is not for it")
    y, v = read_studies(yi, vi, "trim and fill")
    before = pool(y, v, method=method, test=test, level=level)
    if side == "auto":
        side = _choose_side(y, v, method)
    sign = -1.0 if side == "right" else 1.0
    size = float(np.abs(y).max())
    order, tie = sort_ties(sign * y, size)
    effects, variances, k = sign * y[order], v[order], y.size
    seen, k0, se = -1, 0, np.nan
    centre = 0.0
    for _ in range(MAX_ROUNDS):
        if k0 == seen:
            break
        seen = k0
        kept = slice(0, k - k0)
        centre = float(pool(effects[kept], variances[kept], method=method, test="z").estimate)
        missing, se = _count_missing(effects - centre, size, estimator)
        k0 = int(max(0.0, np.round(missing)))
    else:
        raise ValueError(
            f"trim and fill did not settle on a number of missing studies in {MAX_ROUNDS} rounds "
            f"({seen}, then {k0}): try another estimator or side"
        )
    filled_y = sign * (2 * centre - effects[k - k0 :])
    filled_v = variances[k - k0 :].copy()
    fit = before
    if k0 > 0:
        whole_y, whole_v = np.concatenate([y, filled_y]), np.concatenate([v, filled_v])
        fit = pool(whole_y, whole_v, method=method, test=test, level=level)
    p = 0.5 ** (k0 + 1) if estimator == "R0" else np.nan
    tied = 0 < k0 < k and tie[k - k0] == tie[k - k0 - 1]
    remark = join([NOTE_TIED if tied else "", note_few(k)])
    return TrimFill(k0, se, p, side, filled_y, filled_v, fit, before, k, estimator, remark)
