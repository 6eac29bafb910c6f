"""One group measured twice, and two such groups compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from headway.effects.shared import (
    NATURAL,
    PROBABILITY,
    RATIO,
    STANDARDISED,
    Array,
    EffectSizes,
    Measure,
    hedges_j,
    measure_summaries,
    shrink_unbiased,
)


def _change_sd2(x: Mapping[str, Array]) -> Array:
    sd2 = x["sd1"] ** 2 + x["sd2"] ** 2 - 2 * x["r"] * x["sd1"] * x["sd2"]
    # With r = 1 and equal SDs the exact answer is 0; rounding must not make it negative.
    return np.where(sd2 < 0, 0.0, sd2)


def _compute_mc(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    yi = x["mean1"] - x["mean2"]
    return yi, _change_sd2(x) / x["n"], "mean change; variance from the SD of the change"


def _finish_change(
    d: Array, size: Array, n: Array, vtype: str, correct: bool, name: str
) -> tuple[Array, Array, str]:
    """Correct a standardised change d whose sampling variance at zero change is ``size``."""
    m = n - 1
    j = hedges_j(m)
    yi = j * d if correct else d
    if vtype == "LS2":
        vi, words = j**2 * (size + d**2 / (2 * n)), "J squared times that of d (LS2)"
    elif vtype == "UB":
        vi, words = size + shrink_unbiased(yi, j, m), "unbiased (UB)"
    else:
        vi, words = size + yi**2 / (2 * n), "large sample (LS)"
    corrected = "exact gamma correction" if correct else "no correction"
    return yi, vi, f"{name}, {corrected}; variance: {words}"


def _compute_smcc(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    d = (x["mean1"] - x["mean2"]) / np.sqrt(_change_sd2(x))
    name = "standardised mean change (d_z), SD of the change"
    return _finish_change(d, 1 / x["n"], x["n"], vtype, correct, name)


def _compute_smcr(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    d = (x["mean1"] - x["mean2"]) / x["sd1"]
    name = "standardised mean change, raw-score SD (sd1)"
    return _finish_change(d, 2 * (1 - x["r"]) / x["n"], x["n"], vtype, correct, name)


def _compute_smcrh(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    m = x["n"] - 1
    d = (x["mean1"] - x["mean2"]) / x["sd1"]
    yi = hedges_j(m) * d if correct else d
    vi = _change_sd2(x) / (x["sd1"] ** 2 * m) + yi**2 / (2 * m)
    corrected = "exact gamma correction" if correct else "no correction"
    words = f"standardised mean change, raw-score SD (sd1), {corrected}; "
    return yi, vi, words + "variance: SDs may differ, as in metafor 5.1"


def _compute_romc(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    n = x["n"]
    cv1, cv2 = x["sd1"] / x["mean1"], x["sd2"] / x["mean2"]
    yi = np.log(x["mean1"] / x["mean2"])
    if correct:
        yi = yi + (cv1**2 - cv2**2) / (2 * n)
    vi = (cv1**2 + cv2**2 - 2 * x["r"] * cv1 * cv2) / n
    name = "second-order bias corrected" if correct else "not corrected"
    return yi, vi, f"log ratio of means of one group, {name}; variance: delta method"


def _pool_times(x: Mapping[str, Array]) -> Array:
    """Return the root of the average of both times' variances."""
    return np.sqrt((x["sd1"] ** 2 + x["sd2"] ** 2) / 2)


def _compute_smcrp(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    d = (x["mean1"] - x["mean2"]) / _pool_times(x)
    # Degrees of freedom of a variance averaged over two correlated times.
    m = 2 * (x["n"] - 1) / (1 + x["r"] ** 2)
    yi = hedges_j(m) * d if correct else d
    vi = 2 * (1 - x["r"]) / x["n"] + yi**2 * (1 + x["r"] ** 2) / (4 * x["n"])
    corrected = "exact gamma correction" if correct else "no correction"
    name = f"standardised mean change, SD averaged over both times, {corrected}"
    return yi, vi, f"{name}; variance: large sample, equal SDs"


def _compute_smcrph(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    sd = _pool_times(x)
    d = (x["mean1"] - x["mean2"]) / sd
    yi = hedges_j(2 * (x["n"] - 1) / (1 + x["r"] ** 2)) * d if correct else d
    df = x["n"] - 1
    s1, s2 = x["sd1"] ** 2, x["sd2"] ** 2
    spread = (s1**2 + s2**2 + 2 * x["r"] ** 2 * s1 * s2) / (8 * sd**4)
    vi = _change_sd2(x) / (sd**2 * df) + yi**2 * spread / df
    corrected = "exact gamma correction" if correct else "no correction"
    name = f"standardised mean change, SD averaged over both times, {corrected}"
    return yi, vi, f"{name}; variance: SDs may differ"


def _compute_vrc(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    vi = (1 - x["r"] ** 2) / (x["n"] - 1)
    return np.log(x["sd1"] / x["sd2"]), vi, "log ratio of SDs of one group at two times"


def _compute_cvrc(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    n = x["n"]
    cv1, cv2 = x["sd1"] / x["mean1"], x["sd2"] / x["mean2"]
    yi = np.log(cv1 / cv2)
    if correct:
        yi = yi - (cv1**2 - cv2**2) / (2 * n)
    vi = (1 - x["r"] ** 2) / (n - 1) + (cv1**2 + cv2**2 - 2 * x["r"] * cv1 * cv2) / n
    name = "second-order bias corrected" if correct else "not corrected"
    return yi, vi, f"log ratio of coefficients of variation of one group at two times, {name}"


def _compute_clesc(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    s1, s2 = x["sd1"] ** 2, x["sd2"] ** 2
    total, df = s1 + s2, x["n"] - 1
    d = (x["mean1"] - x["mean2"]) / np.sqrt(total)
    vi = _change_sd2(x) / (total * df)
    vi = vi + d**2 * (s1**2 + s2**2 + 2 * x["r"] ** 2 * s1 * s2) / (2 * total**2 * df)
    density = np.exp(-(d**2) / 2) / np.sqrt(2 * np.pi)
    words = "probability that a value at time 1 is larger, normal distributions, SDs may differ"
    return ndtr(d), density**2 * vi, words


NEEDED = "n mean1 mean2 sd1 sd2 r"
SDS = "standard_deviations"
MEASURES: dict[str, Measure] = {
    "MC": Measure(_compute_mc, NEEDED, NATURAL, kin="changes"),
    "SMCC": Measure(_compute_smcc, NEEDED, STANDARDISED, SDS, "changes", ("LS", "LS2", "UB")),
    "SMCR": Measure(
        _compute_smcr,
        "n mean1 mean2 sd1 r",
        STANDARDISED,
        SDS,
        "changes",
        ("LS", "LS2", "UB"),
        True,
    ),
    "SMCRH": Measure(_compute_smcrh, NEEDED, STANDARDISED, SDS, sd1_before=True),
    "SMCRP": Measure(_compute_smcrp, NEEDED, STANDARDISED, SDS),
    "SMCRPH": Measure(_compute_smcrph, NEEDED, STANDARDISED, SDS),
    "ROMC": Measure(_compute_romc, NEEDED, RATIO, "ratio_of_means"),
    "VRC": Measure(_compute_vrc, "n sd1 sd2 r", RATIO, "ratio_of_sds"),
    "CVRC": Measure(_compute_cvrc, NEEDED, RATIO, "ratio_of_cvs"),
    "CLESCN": Measure(_compute_clesc, NEEDED, PROBABILITY, "probability_of_superiority"),
}


def measure_paired_means(
    measure: str,
    *,
    n: ArrayLike,
    sd1: ArrayLike,
    r: ArrayLike,
    mean1: ArrayLike | None = None,
    mean2: ArrayLike | None = None,
    sd2: ArrayLike | None = None,
    vtype: str = "LS",
    correct: bool = True,
) -> EffectSizes:
    """Measure the change of one group between two times.

    The change is ``mean1 − mean2``; for a change after treatment give the post-treatment mean as
    `mean1`. ``SMCR`` and ``SMCRH`` divide by `sd1` whatever its time, so `sd1` is the **baseline**
    SD there (metafor's meaning). For ``ROMC``, `sd1` and `sd2` belong to `mean1` and `mean2`.

    Parameters
    ----------
    measure : str
        ``MC`` raw mean change; standardised: ``SMCC`` by the SD of the change (d_z), ``SMCR`` by
        `sd1`, ``SMCRH`` by `sd1` allowing the SDs to differ, ``SMCRP`` and ``SMCRPH`` by the root
        of the average variance of both times; ``ROMC``, ``VRC``, ``CVRC`` log ratios of means,
        SDs and coefficients of variation; ``CLESCN`` probability of superiority.
    n : array_like
        Patients measured at both times, ≥ 2.
    mean1, mean2, sd1, sd2 : array_like
        Means and standard deviations (≥ 0) in the unit of the outcome; ``SMCR`` needs no `sd2`,
        ``VRC`` no means.
        A published SD of the change is given as `sd1` with ``sd2=0, r=0`` (``MC``, ``SMCC``).
    r : array_like
        Correlation between the two times, in [−1, 1].
    vtype : str
        ``SMCC`` and ``SMCR``: LS, LS2 or UB; the others have one variance.
    correct : bool
        Exact Hedges correction (``SMC…``) or bias correction (``ROMC``, ``CVRC``).

    Returns
    -------
    EffectSizes
        Unpacks as ``yi, vi``. NaN where an input is NaN or the measure is not defined.

    Raises
    ------
    ValueError
        Unknown `measure` or `vtype`; a missing argument; n < 2, SD < 0, r outside [−1, 1] or an
        infinite value, naming argument and positions.

    Notes
    -----
    ``SMCC`` Gibbons, Hedeker and Davis (1993), equation 4; ``SMCR`` Becker (1988), equations 2
    and 13; ``SMCRH`` Bonett (2008), equation 15, in the form metafor uses since 4.6 (n − 1 and
    the SD of the change); ``SMCRP`` Cousineau (2020), ``SMCRPH`` Bonett (2008), equation 14, with
    n − 1; ``ROMC`` Lajeunesse (2011), equation 6, corrected as Lajeunesse (2015); ``VRC``, ``CVRC``
    Nakagawa et al. (2015), Senior et al. (2020).
    """
    given = {"n": n, "mean1": mean1, "mean2": mean2, "sd1": sd1, "sd2": sd2, "r": r}
    return measure_summaries(MEASURES, measure, vtype, correct, given)


def _compute_dppc2(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    m = x["n1"] + x["n2"] - 2
    sd = np.sqrt(((x["n1"] - 1) * x["sd_pre1"] ** 2 + (x["n2"] - 1) * x["sd_pre2"] ** 2) / m)
    change1 = x["mean_post1"] - x["mean_pre1"]
    change2 = x["mean_post2"] - x["mean_pre2"]
    d = (change1 - change2) / sd
    yi = hedges_j(m) * d if correct else d
    size = 2 * (1 - x["r"]) * (1 / x["n1"] + 1 / x["n2"])
    vi = size + yi**2 / (2 * (x["n1"] + x["n2"]))
    corrected = "exact gamma correction" if correct else "no correction"
    name = f"difference of mean changes, pooled SD before (Morris d_ppc2), {corrected}"
    return yi, vi, f"{name}; variance: large sample"


CONTROLLED: dict[str, Measure] = {
    "dppc2": Measure(
        _compute_dppc2,
        "n1 mean_pre1 mean_post1 sd_pre1 n2 mean_pre2 mean_post2 sd_pre2 r",
        STANDARDISED,
        SDS,
    ),
}


def measure_controlled_change(
    measure: str,
    *,
    n1: ArrayLike,
    mean_pre1: ArrayLike,
    mean_post1: ArrayLike,
    sd_pre1: ArrayLike,
    n2: ArrayLike,
    mean_pre2: ArrayLike,
    mean_post2: ArrayLike,
    sd_pre2: ArrayLike,
    r: ArrayLike,
    correct: bool = True,
) -> EffectSizes:
    """Compare the changes of two groups, standardised by their pooled SD before treatment.

    Parameters
    ----------
    measure : {"dppc2"}
    n1, n2 : array_like
        Patients per group (1 = treatment, 2 = control), ≥ 2.
    mean_pre1, mean_post1, mean_pre2, mean_post2 : array_like
        Means before and after; a fall is negative.
    sd_pre1, sd_pre2 : array_like
        Standard deviations before (≥ 0).
    r : array_like
        Correlation between the two times, the same in both groups, in [−1, 1].
    correct : bool
        Exact Hedges correction.

    Returns
    -------
    EffectSizes
        Unpacks as ``yi, vi``. NaN where an input is NaN or the measure is not defined.

    Raises
    ------
    ValueError
        As :func:`measure_paired_means`.

    Notes
    -----
    Morris (2008), equations 8 to 10; large-sample variance.
    """
    given = {"n1": n1, "mean_pre1": mean_pre1, "mean_post1": mean_post1, "sd_pre1": sd_pre1}
    given |= {"n2": n2, "mean_pre2": mean_pre2, "mean_post2": mean_post2, "sd_pre2": sd_pre2}
    return measure_summaries(CONTROLLED, measure, "LS", correct, {**given, "r": r})
