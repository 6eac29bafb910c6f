"""Ratios as they are printed, with their interval: hazard ratios and whatever has no counts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from headway.effects.shared import RATIO, Array, EffectSizes, Measure, gather, require

NEEDED = "ratio ci_low ci_high"


def _compute_ratio(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    width = np.log(x["ci_high"]) - np.log(x["ci_low"])
    return np.log(x["ratio"]), (width / 2) ** 2, "log of a printed ratio"


PRINTED: dict[str, Measure] = {"RATIO": Measure(_compute_ratio, NEEDED, RATIO, "ratio")}


def measure_printed_ratio(
    measure: str = "RATIO",
    *,
    ratio: ArrayLike,
    ci_low: ArrayLike,
    ci_high: ArrayLike,
    level: float = 0.95,
) -> EffectSizes:
    """Take printed ratios (hazard, rate, odds ratios, ratios of means) to the log scale, once.

    Parameters
    ----------
    measure : {"RATIO"}
    ratio, ci_low, ci_high : array_like
        The ratio and the limits of its normal (Wald) interval, > 0.
    level : float
        Coverage of that interval.

    Returns
    -------
    EffectSizes
        Unpacks as ``yi, vi``: log ratio, and the square of half the log interval over its quantile
        (Cochrane Handbook 6.3.2).

    Raises
    ------
    ValueError
        Numbers that are not above 0, naming argument and positions.
    """
    entry = PRINTED[measure]
    x = gather(measure, {"ratio": ratio, "ci_low": ci_low, "ci_high": ci_high}, entry.needed)
    for name, value in x.items():
        require(~(value <= 0), name, "above 0")
    yi, vi, definition = entry.formula(x, "", True)
    return EffectSizes(yi, vi / float(ndtri((1 + level) / 2)) ** 2, measure, "", definition)
