"""Two independent groups: means and standard deviations compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from headway.effects.shared import (
    CORRELATION,
    FISHER,
    NATURAL,
    PROBABILITY,
    RATIO,
    STANDARDISED,
    Array,
    EffectSizes,
    Measure,
    average,
    hedges_j,
    measure_summaries,
    shrink_unbiased,
)


def _pool_sd2(x: Mapping[str, Array]) -> tuple[Array, Array]:
    m = x["n1"] + x["n2"] - 2
    return ((x["n1"] - 1) * x["sd1"] ** 2 + (x["n2"] - 1) * x["sd2"] ** 2) / m, m


def _compute_md(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    yi = x["mean1"] - x["mean2"]
    if vtype == "HO":
        vi = _pool_sd2(x)[0] * (1 / x["n1"] + 1 / x["n2"])
        return yi, vi, "mean difference; variance from the pooled SD (HO)"
    vi = x["sd1"] ** 2 / x["n1"] + x["sd2"] ** 2 / x["n2"]
    return yi, vi, "mean difference; variance from each group's own SD (LS)"


def _compute_smd(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    sd2, m = _pool_sd2(x)
    d = (x["mean1"] - x["mean2"]) / np.sqrt(sd2)
    j = hedges_j(m)
    yi = j * d if correct else d
    size = 1 / x["n1"] + 1 / x["n2"]
    total = x["n1"] + x["n2"]
    if vtype == "LS2":
        vi, words = j**2 * (size + d**2 / (2 * total)), "J squared times that of d (LS2)"
    elif vtype == "UB":
        vi, words = size + shrink_unbiased(yi, j, m), "unbiased (UB)"
    elif vtype == "AV":
        typical = average(yi, total)
        vi, words = size + typical**2 / (2 * total), "from the average effect (AV)"
    else:
        vi, words = size + yi**2 / (2 * total), "large sample (LS)"
    name = "Hedges g, exact gamma correction" if correct else "Cohen d, no correction"
    return yi, vi, f"{name}, pooled SD; variance: {words}"


def _compute_rom(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    own1 = x["sd1"] ** 2 / (x["n1"] * x["mean1"] ** 2)
    own2 = x["sd2"] ** 2 / (x["n2"] * x["mean2"] ** 2)
    yi = np.log(x["mean1"] / x["mean2"])
    if correct:
        # From each group's own SD whatever the variance rests on, as in metafor 5.1.
        yi = yi + (own1 - own2) / 2
    if vtype == "HO":
        sd2 = _pool_sd2(x)[0]
        vi = sd2 / (x["n1"] * x["mean1"] ** 2) + sd2 / (x["n2"] * x["mean2"] ** 2)
        words = "from the pooled SD (HO)"
    elif vtype == "AV":
        # As in metafor, the coefficients of variation keep the sign of their mean.
        cv1 = average(x["sd1"] / x["mean1"], x["n1"])
        cv2 = average(x["sd2"] / x["mean2"], x["n2"])
        vi, words = cv1**2 / x["n1"] + cv2**2 / x["n2"], "average coefficients of variation (AV)"
    else:
        vi, words = own1 + own2, "delta method (LS)"
    name = "second-order bias corrected" if correct else "not corrected"
    return yi, vi, f"log ratio of means, {name}; variance: {words}"


def _compute_smdh(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    """Bonett (2008, 2009): the average variance, for groups whose SDs differ."""
    s1, s2 = x["sd1"] ** 2, x["sd2"] ** 2
    total = s1 + s2
    d = (x["mean1"] - x["mean2"]) / np.sqrt(total / 2)
    yi = hedges_j(x["n1"] + x["n2"] - 2) * d if correct else d
    less = 0 if vtype == "LS2" else 1
    n1, n2 = x["n1"] - less, x["n2"] - less
    vi = yi**2 * (s1**2 / n1 + s2**2 / n2) / (2 * total**2) + 2 * (s1 / n1 + s2 / n2) / total
    words = "n (LS2)" if vtype == "LS2" else "n - 1 (LS)"
    corrected = "exact gamma correction" if correct else "no correction"
    name = f"standardised mean difference, square root of the average variance, {corrected}"
    return yi, vi, f"{name}; variance: SDs may differ, with {words}"


def _compute_smd1(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    """Glass (1976): the control group's SD."""
    d = (x["mean1"] - x["mean2"]) / x["sd2"]
    yi = hedges_j(x["n2"] - 1) * d if correct else d
    vi = 1 / x["n1"] + 1 / x["n2"] + yi**2 / (2 * x["n2"])
    corrected = "exact gamma correction" if correct else "no correction"
    name = f"standardised mean difference, SD of group 2 (Glass), {corrected}"
    return yi, vi, f"{name}; variance: large sample, equal SDs"


def _compute_smd1h(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    d = (x["mean1"] - x["mean2"]) / x["sd2"]
    yi = hedges_j(x["n2"] - 1) * d if correct else d
    vi = (x["sd1"] / x["sd2"]) ** 2 / (x["n1"] - 1)
    vi = vi + 1 / (x["n2"] - 1) + yi**2 / (2 * (x["n2"] - 1))
    corrected = "exact gamma correction" if correct else "no correction"
    name = f"standardised mean difference, SD of group 2 (Glass), {corrected}"
    return yi, vi, f"{name}; variance: SDs may differ, as in metafor 5.1"


def _compute_vr(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    half1, half2 = 1 / (2 * (x["n1"] - 1)), 1 / (2 * (x["n2"] - 1))
    yi = np.log(x["sd1"] / x["sd2"]) + half1 - half2
    return yi, half1 + half2, "log ratio of SDs, bias corrected"


def _compute_cvr(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    own1 = x["sd1"] ** 2 / (x["n1"] * x["mean1"] ** 2)
    own2 = x["sd2"] ** 2 / (x["n2"] * x["mean2"] ** 2)
    half1, half2 = 1 / (2 * (x["n1"] - 1)), 1 / (2 * (x["n2"] - 1))
    yi = np.log(x["sd1"] / x["mean1"]) + half1 - np.log(x["sd2"] / x["mean2"]) - half2
    name = "log ratio of coefficients of variation, first-order corrected"
    if correct:
        yi = yi - (own1 - own2) / 2
        name = "log ratio of coefficients of variation, second-order corrected"
    return yi, half1 + own1 + half2 + own2, name


def _correlate(x: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return the point-biserial correlation and its variance, group sizes being fixed."""
    sd2, m = _pool_sd2(x)
    d = (x["mean1"] - x["mean2"]) / np.sqrt(sd2)
    h = m / x["n1"] + m / x["n2"]
    size = 1 / x["n1"] + 1 / x["n2"] + d**2 / (2 * (x["n1"] + x["n2"]))
    return d / np.sqrt(d**2 + h), h**2 / (h + d**2) ** 3 * size


def _compute_rpb(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    yi, vi = _correlate(x)
    return yi, vi, "point-biserial correlation; variance: group sizes fixed (ST)"


def _compute_zpb(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    r, vi = _correlate(x)
    return np.arctanh(r), vi / (1 - r**2) ** 2, "point-biserial correlation, Fisher's z"


def _compute_d2or(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    sd2, _ = _pool_sd2(x)
    d = (x["mean1"] - x["mean2"]) / np.sqrt(sd2)
    size = 1 / x["n1"] + 1 / x["n2"] + d**2 / (2 * (x["n1"] + x["n2"]))
    words = "log odds ratio from d, logistic distributions (d times pi / root of 3)"
    return np.pi / np.sqrt(3) * d, np.pi**2 / 3 * size, words


def _compute_cles(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    s1, s2 = x["sd1"] ** 2, x["sd2"] ** 2
    total = s1 + s2
    d = (x["mean1"] - x["mean2"]) / np.sqrt(total)
    n1, n2 = x["n1"] - 1, x["n2"] - 1
    vi = d**2 * (s1**2 / n1 + s2**2 / n2) / (2 * total**2) + (s1 / n1 + s2 / n2) / total
    density = np.exp(-(d**2) / 2) / np.sqrt(2 * np.pi)
    words = "probability that a value of group 1 is larger, normal distributions, SDs may differ"
    return ndtr(d), density**2 * vi, words


NEEDED = "n1 mean1 sd1 n2 mean2 sd2"
SDS = "standard_deviations"
MEASURES: dict[str, Measure] = {
    "MD": Measure(_compute_md, NEEDED, NATURAL, kin="means", vtypes=("LS", "HO")),
    "SMD": Measure(_compute_smd, NEEDED, STANDARDISED, SDS, "means", ("LS", "LS2", "UB", "AV")),
    "SMDH": Measure(_compute_smdh, NEEDED, STANDARDISED, SDS, vtypes=("LS", "LS2")),
    "SMD1": Measure(_compute_smd1, "n1 mean1 n2 mean2 sd2", STANDARDISED, SDS),
    "SMD1H": Measure(_compute_smd1h, NEEDED, STANDARDISED, SDS),
    "ROM": Measure(_compute_rom, NEEDED, RATIO, "ratio_of_means", vtypes=("LS", "HO", "AV")),
    "VR": Measure(_compute_vr, "n1 sd1 n2 sd2", RATIO, "ratio_of_sds"),
    "CVR": Measure(_compute_cvr, NEEDED, RATIO, "ratio_of_cvs"),
    "CLES": Measure(_compute_cles, NEEDED, PROBABILITY, "probability_of_superiority"),
    "RPB": Measure(_compute_rpb, NEEDED, CORRELATION, "correlation", "point_biserial"),
    "ZPB": Measure(_compute_zpb, NEEDED, FISHER, "correlation", "point_biserial"),
    "D2OR": Measure(_compute_d2or, NEEDED, RATIO, "odds_ratio"),
}
# metafor's code for the normal-theory version.
MEASURES["CLESN"] = MEASURES["CLES"]


def measure_two_group_means(
    measure: str,
    *,
    n1: ArrayLike,
    n2: ArrayLike,
    sd2: ArrayLike,
    mean1: ArrayLike | None = None,
    sd1: ArrayLike | None = None,
    mean2: ArrayLike | None = None,
    vtype: str = "LS",
    correct: bool = True,
) -> EffectSizes:
    """Compare the means of two independent groups (1 = treatment, 2 = control).

    Parameters
    ----------
    measure : str
        ``MD`` mean difference; ``SMD`` standardised by the pooled SD, ``SMDH`` by the root of the
        average variance, ``SMD1`` and ``SMD1H`` by the SD of group 2 (``H``: SDs may differ);
        ``ROM``, ``VR``, ``CVR`` log ratios of means, SDs and coefficients of variation; ``CLES``
        (metafor's ``CLESN``) probability of superiority; ``RPB``, ``ZPB`` point-biserial
        correlation, plain and Fisher's z; ``D2OR`` log odds ratio from d.
    n1, n2 : array_like
        Patients per group, ≥ 2.
    mean1, mean2, sd1, sd2 : array_like
        Means and standard deviations (≥ 0) in the unit of the outcome. All arguments have one
        shape or broadcast to one. ``VR`` needs no means, ``SMD1`` no `sd1`.
    vtype : str
        Variance: ``MD`` LS (each group's own SD) or HO (pooled SD); ``SMD`` LS, LS2, UB
        (unbiased) or AV (from the sample-size weighted average effect along the last axis);
        ``SMDH`` LS (with n − 1) or LS2 (with n); ``ROM`` LS, HO or AV; the others have one.
    correct : bool
        ``SM…``: exact Hedges correction. ``ROM``, ``CVR``: second-order bias correction. The
        others have none, or no other form.

    Returns
    -------
    EffectSizes
        Unpacks as ``yi, vi``. NaN where an input is NaN or the measure is not defined (a ratio of
        means of opposite sign, a division by an SD of 0).

    Raises
    ------
    ValueError
        Unknown `measure` or `vtype`; a missing argument; shapes that do not broadcast; n < 2,
        SD < 0 or an infinite value, naming argument and positions.

    Notes
    -----
    ``SMD``: Hedges (1981), equations 6b to 6e; variances LS Hedges (1982) equation 8, LS2 Hedges
    and Olkin (1985) chapter 5 equation 5.9 with the factor J squared (Borenstein 2009), UB
    Hedges (1983) equation 9. ``ROM``: Hedges, Gurevitch and Curtis (1999), equation 1; corrected
    as in Lajeunesse (2015), equation 8. ``SMDH``, ``SMD1H``: Bonett (2008), equations 7 and 12, as
    metafor has them since 4.6. ``SMD1``: Glass (1976). ``VR``, ``CVR``: Nakagawa et al. (2015),
    equations 5 and 11; correction of ``CVR`` Senior, Viechtbauer and Nakagawa (2020). ``CLES``:
    McGraw and Wong (1992); variance by the delta method. ``RPB``: Soper (1914), Jacobs and
    Viechtbauer (2017). ``D2OR``: Hasselblad and Hedges (1995).
    """
    given = {"n1": n1, "mean1": mean1, "sd1": sd1, "n2": n2, "mean2": mean2, "sd2": sd2}
    return measure_summaries(MEASURES, measure, vtype, correct, given)
