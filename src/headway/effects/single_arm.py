"""One group at one time: means, proportions, correlations, reliabilities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

from headway.effects.shared import (
    ARCSINE_LEVEL,
    BONETT_LEVEL,
    CORRELATION,
    FISHER,
    LEVEL,
    LOG_LEVEL,
    LOGIT_LEVEL,
    Array,
    EffectSizes,
    Measure,
    add_to_cells,
    blank_undefined,
    gather,
    hedges_j,
    measure_counts,
    measure_summaries,
    require,
)

# ── means ─────────────────────────────────────────────────────────────────────────────────────


def _compute_mn(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    return x["mean"], x["sd"] ** 2 / x["n"], "mean"


def _compute_smn(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    d = x["mean"] / x["sd"]
    yi = hedges_j(x["n"] - 1) * d if correct else d
    corrected = "exact gamma correction" if correct else "no correction"
    words = f"mean in standard deviations, {corrected}; variance: large sample"
    return yi, 1 / x["n"] + yi**2 / (2 * x["n"]), words


MEANS: dict[str, Measure] = {
    "MN": Measure(_compute_mn, "n mean sd", LEVEL),
    "SMN": Measure(_compute_smn, "n mean sd", LEVEL, "standard_deviations"),
}


def measure_mean(
    measure: str, *, n: ArrayLike, mean: ArrayLike, sd: ArrayLike, correct: bool = True
) -> EffectSizes:
    """Take the mean of one group as it is, or in standard deviations.

    Parameters
    ----------
    measure : {"MN", "SMN"}
    n : array_like
        Patients, ≥ 2.
    mean, sd : array_like
        Mean and standard deviation (≥ 0) in the unit of the outcome.
    correct : bool
        ``SMN``: exact Hedges correction.

    Returns
    -------
    EffectSizes
        Unpacks as ``yi, vi``. NaN where an input is NaN or the measure is not defined.

    Raises
    ------
    ValueError
        Unknown `measure`; n < 2, SD < 0 or an infinite value, naming argument and positions.
    """
    return measure_summaries(MEANS, measure, "LS", correct, {"n": n, "mean": mean, "sd": sd})


# ── proportions ───────────────────────────────────────────────────────────────────────────────


def _compute_pr(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    p = x["events"] / (x["events"] + x["others"])
    return p, p * (1 - p) / (x["events"] + x["others"]), "proportion"


def _compute_pln(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    n = x["events"] + x["others"]
    return np.log(x["events"] / n), 1 / x["events"] - 1 / n, "log proportion"


def _compute_plo(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    yi = np.log(x["events"] / x["others"])
    return yi, 1 / x["events"] + 1 / x["others"], "log odds (logit of the proportion)"


def _compute_pas(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    n = x["events"] + x["others"]
    return np.arcsin(np.sqrt(x["events"] / n)), 1 / (4 * n), "arcsine square root of the proportion"


def _compute_pft(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    n = x["events"] + x["others"]
    low, high = np.sqrt(x["events"] / (n + 1)), np.sqrt((x["events"] + 1) / (n + 1))
    words = "double arcsine of the proportion (Freeman-Tukey)"
    return (np.arcsin(low) + np.arcsin(high)) / 2, 1 / (4 * n + 2), words


PROPORTIONS: dict[str, Measure] = {
    "PR": Measure(_compute_pr, "events n", LEVEL, "proportion", "proportions"),
    "PLN": Measure(_compute_pln, "events n", LOG_LEVEL, "proportion", "proportions"),
    "PLO": Measure(_compute_plo, "events n", LOGIT_LEVEL, "proportion", "proportions"),
    "PAS": Measure(_compute_pas, "events n", ARCSINE_LEVEL, "proportion", "proportions"),
    # Shown as it is: the way back needs one group size, and pooled groups have several.
    "PFT": Measure(_compute_pft, "events n", LEVEL, "double_arcsine"),
}
# Defined without it, and only distorted by it.
NOTHING_ADDED = ("PAS", "PFT")


def exact_limits(events: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return the exact confidence limits of a proportion (Clopper and Pearson 1934).

    Parameters
    ----------
    events, n : float
        People with the event, and all; n above 0. An effective size need not be whole.
    level : float
        Coverage, at least this.
    """
    tail = (1 - level) / 2
    low = float(betaincinv(events, n - events + 1, tail)) if events > 0 else 0.0
    high = float(betaincinv(events + 1, n - events, 1 - tail)) if events < n else 1.0
    return low, high


def measure_proportion(
    measure: str,
    *,
    events: ArrayLike,
    n: ArrayLike,
    add: float | None = None,
    to: str = "only0",
) -> EffectSizes:
    """Take the share of one group that had an event.

    Parameters
    ----------
    measure : {"PR", "PLN", "PLO", "PAS", "PFT"}
        The proportion itself, its log, its logit, its arcsine square root, its double arcsine.
    events, n : array_like
        Patients with the event (0 … n) and all patients (≥ 1).
    add : float, optional
        Added to those with and those without the event in the groups chosen by `to`: 0.5, and 0
        for the arcsine forms, which are defined without it.
    to : {"only0", "if0all", "all", "none"}
        Groups in which all or none had the event; all if there is one; all; none.

    Returns
    -------
    EffectSizes
        Unpacks as ``yi, vi``. NaN where an input is NaN or the measure is not defined.

    Raises
    ------
    ValueError
        Unknown `measure` or `to`; counts that are negative, infinite, or above n, naming argument
        and positions.

    Notes
    -----
    ``PFT``: Freeman and Tukey (1950). Transformed back, it can mislead where group sizes differ
    (Schwarzer et al. 2019); the logit does not.
    """
    if measure not in PROPORTIONS:
        raise ValueError(f"measure must be one of {list(PROPORTIONS)}, not {measure!r}")
    added = (0.0 if measure in NOTHING_ADDED else 0.5) if add is None else add
    entry = PROPORTIONS[measure]
    x = gather(measure, {"events": events, "n": n}, entry.needed)
    require(~(x["n"] < 1), "n", "at least 1")
    require(~(x["events"] < 0), "events", "at least 0")
    require(~(x["events"] > x["n"]), "events", "at most n")
    cells = {"events": x["events"], "others": x["n"] - x["events"]}
    has_zero = (cells["events"] == 0) | (cells["others"] == 0)
    cells = add_to_cells(cells, has_zero, added, to)
    return measure_counts(entry, measure, cells, added, to)


# ── correlations, reliability ─────────────────────────────────────────────────────────────────


def _compute_cor(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    vi = np.where(x["n"] > 3, (1 - x["r"] ** 2) ** 2 / (x["n"] - 1), np.nan)
    return x["r"], vi, "correlation; variance: large sample"


def _compute_zcor(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    vi = np.where(x["n"] > 3, 1 / (x["n"] - 3), np.nan)
    return np.arctanh(x["r"]), vi, "correlation, Fisher's z"


CORRELATIONS: dict[str, Measure] = {
    "COR": Measure(_compute_cor, "n r", CORRELATION, "correlation", "correlations"),
    "ZCOR": Measure(_compute_zcor, "n r", FISHER, "correlation", "correlations"),
}


def measure_correlation(measure: str, *, n: ArrayLike, r: ArrayLike) -> EffectSizes:
    """Take a correlation, as it is or as Fisher's z.

    Parameters
    ----------
    measure : {"COR", "ZCOR"}
    n : array_like
        Patients; the measure is not defined below 4.
    r : array_like
        Correlation, in [−1, 1]; Fisher's z is not defined at the ends.

    Returns
    -------
    EffectSizes
        Unpacks as ``yi, vi``. NaN where an input is NaN or the measure is not defined.

    Raises
    ------
    ValueError
        Unknown `measure`; n < 2, r outside [−1, 1] or an infinite value, naming argument and
        positions.

    Notes
    -----
    Fisher (1921).
    """
    return measure_summaries(CORRELATIONS, measure, "LS", True, {"n": n, "r": r})


def _compute_abt(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    vi = 2 * x["items"] / ((x["items"] - 1) * (x["n"] - 2))
    return -np.log(1 - x["alpha"]), vi, "Cronbach's alpha, Bonett's transformation"


RELIABILITY: dict[str, Measure] = {
    "ABT": Measure(_compute_abt, "alpha items n", BONETT_LEVEL, "cronbach_alpha"),
}


def measure_reliability(
    measure: str, *, alpha: ArrayLike, items: ArrayLike, n: ArrayLike
) -> EffectSizes:
    """Take the internal consistency of a questionnaire.

    Parameters
    ----------
    measure : {"ABT"}
    alpha : array_like
        Cronbach's alpha, at most 1; not defined at 1.
    items : array_like
        Items of the questionnaire, ≥ 2.
    n : array_like
        Patients; the measure is not defined below 3.

    Returns
    -------
    EffectSizes
        Unpacks as ``yi, vi``; positive, larger is more consistent.

    Raises
    ------
    ValueError
        Unknown `measure`; numbers outside these bounds, naming argument and positions.

    Notes
    -----
    Bonett (2002), equations 1 and 2, in the sign of metafor 3.8.
    """
    if measure not in RELIABILITY:
        raise ValueError(f"measure must be one of {list(RELIABILITY)}, not {measure!r}")
    entry = RELIABILITY[measure]
    x = gather(measure, {"alpha": alpha, "items": items, "n": n}, entry.needed)
    require(~(x["alpha"] > 1), "alpha", "at most 1")
    require(~(x["items"] < 2), "items", "at least 2")
    require(~(x["n"] < 1), "n", "at least 1")
    with np.errstate(divide="ignore", invalid="ignore"):
        yi, vi, words = entry.formula(x, "", False)
    yi, vi = blank_undefined(yi, np.where(vi > 0, vi, np.nan))
    return EffectSizes(yi, vi, measure, "", words)
