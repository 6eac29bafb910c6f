"""Effect sizes and their sampling variances, with the codes of R's metafor.

Three families, one function each, arrays in and arrays out:

- two independent groups, means and SDs: ``MD``, ``SMD``, ``ROM``;
- one group measured twice: ``MC``, ``SMCC``, ``SMCR``, ``SMCRH``, ``ROMC``;
- two groups, counts: ``RR``, ``OR``, ``RD``.

:func:`escalc` is the one door to all of them. Where metafor 3.8 and 5.1 define a measure
differently, 5.1 is the default: the variance of ``SMCRH`` and the bias-corrected ``ROM`` and
``ROMC`` (``correct=False`` gives the older log ratio). Every result carries its definition in
words, because "Hedges g" alone does not name one.

A new measure is one function that takes the validated arrays and returns (yi, vi, words), and one
line in the table of its family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

__all__ = [
    "EffectSizes",
    "escalc",
    "hedges_j",
    "measure_paired_means",
    "measure_two_by_two",
    "measure_two_group_means",
]

Array = NDArray[np.float64]
_Formula = Callable[[Mapping[str, Array], str, bool], tuple[Array, Array, str]]

MAX_POSITIONS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class EffectSizes:
    """Effect sizes of one measure; unpacks as ``yi, vi``.

    Attributes
    ----------
    yi : ndarray
        Effect sizes, in the unit the measure defines (that of the outcome for ``MD`` and ``MC``,
        standard deviations for ``SM…``, natural logs for ``ROM``, ``ROMC``, ``RR`` and ``OR``,
        proportions for ``RD``). NaN where an input is NaN or the measure is not defined.
    vi : ndarray
        Sampling variances, in the square of that unit.
    measure, vtype : str
        The codes asked for; ``vtype`` is empty where a measure has one variance only.
    definition : str
        The estimator and its variance in words, for the output.
    """

    yi: Array
    vi: Array
    measure: str
    vtype: str
    definition: str

    def __iter__(self) -> Iterator[Array]:
        return iter((self.yi, self.vi))

    def __repr__(self) -> str:
        return f"EffectSizes({self.measure}, {self.yi.size} effects: {self.definition})"


# ── validation ────────────────────────────────────────────────────────────────────────────────


def _find_positions(bad: NDArray[np.bool_]) -> str:
    """Return where ``bad`` is true as text (counted from 0); positions only, never values."""
    if bad.ndim == 0:
        return "a single value"
    found = [i[0] if len(i) == 1 else i for i in map(tuple, np.argwhere(bad).tolist())]
    shown = ", ".join(map(str, found[:MAX_POSITIONS_SHOWN]))
    more = len(found) - MAX_POSITIONS_SHOWN
    noun = "position" if len(found) == 1 else "positions"
    return f"{noun} {shown}" + (f" and {more} more" if more > 0 else "")


def _require(ok: NDArray[np.bool_], name: str, rule: str) -> None:
    if not ok.all():
        raise ValueError(f"{name} must be {rule}: see {_find_positions(~ok)} (counted from 0)")


def _gather(measure: str, given: Mapping[str, ArrayLike | None], needed: str) -> dict[str, Array]:
    """Return the arguments a measure needs as float arrays of one shape."""
    names = needed.split()
    missing = [n for n in names if given.get(n) is None]
    if missing:
        raise ValueError(f"measure {measure} needs {', '.join(names)}; not given: {missing}")
    arrays: dict[str, Array] = {}
    for name in names:
        try:
            arrays[name] = np.asarray(given[name], dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"{name} must be numbers") from None
        # Infinity is never a summary of data. Checked before broadcasting, so that the positions
        # are those of the caller's own array; NaN means "not known" and passes through.
        _require(~np.isinf(arrays[name]), name, "finite (or NaN)")
    try:
        shaped = np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = ", ".join(f"{n} {a.shape}" for n, a in arrays.items())
        raise ValueError(f"arguments must have one shape or broadcast: {shapes}") from None
    # 0-d arrays would decay to scalars in arithmetic; np.array keeps them arrays of the family.
    return {n: np.array(a, dtype=np.float64) for n, a in zip(arrays, shaped, strict=True)}


def _check_summaries(x: Mapping[str, Array]) -> None:
    """Refuse numbers no sample can have; NaN compares false and so passes."""
    for name, value in x.items():
        if name in ("n", "n1", "n2"):
            _require(~(value < 2), name, "at least 2")
        elif name in ("sd1", "sd2"):
            _require(~(value < 0), name, "at least 0")
        elif name == "r":
            _require(~(np.abs(value) > 1), name, "between -1 and 1")


def _choose_vtype(measure: str, vtype: str, allowed: tuple[str, ...]) -> str:
    if vtype not in allowed:
        raise ValueError(f"vtype for {measure} must be one of {list(allowed)}, not {vtype!r}")
    return vtype


def _blank_undefined(yi: Array, vi: Array) -> tuple[Array, Array]:
    """Make both NaN where either is not finite, so that no half-defined effect gets out."""
    undefined = ~(np.isfinite(yi) & np.isfinite(vi))
    return np.where(undefined, np.nan, yi), np.where(undefined, np.nan, vi)


# ── shared pieces ─────────────────────────────────────────────────────────────────────────────


def hedges_j(m: ArrayLike) -> Array:
    r"""Exact small-sample correction factor of a standardised mean difference.

    Parameters
    ----------
    m : array_like
        Degrees of freedom of the standard deviation used; ≥ 1. Any shape, no unit.

    Returns
    -------
    ndarray
        :math:`J(m) = \Gamma(m/2) / (\sqrt{m/2}\,\Gamma((m-1)/2))`, in the shape of `m`; NaN where
        `m` is NaN, and at ``m = 1``: with one degree of freedom the standardised difference has
        no expectation to correct.

    Raises
    ------
    ValueError
        If an `m` is below 1, naming the positions.

    Notes
    -----
    Hedges (1981), equation 6e. Computed through log-gamma, so that it does not overflow for large
    samples. The usual approximation 1 − 3/(4m − 1) errs by 1.3 % at two patients per group.
    """
    value = np.asarray(m, dtype=np.float64)
    _require(~(value < 1), "m", "at least 1")
    half = value / 2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        j = np.exp(gammaln(half) - gammaln(half - 0.5)) / np.sqrt(half)
        # The difference of two log-gammas loses digits as they grow (8 of them at m = 1e8). Beyond
        # 500 the asymptotic series of gamma(z + 1/2) / gamma(z) is exact to 1e-14.
        z = (value - 1) / 2
        series = 1 - 1 / (8 * z) + 1 / (128 * z**2) + 5 / (1024 * z**3) - 21 / (32768 * z**4)
        series = series * np.sqrt((value - 1) / value)
    j = np.where(value > 500, series, j)
    # A factor of 0 would turn any change of two patients into "no effect".
    return np.where(value == 1, np.nan, j)


def _shrink_unbiased(g: Array, j: Array, m: Array) -> Array:
    """Return the term of g squared in the unbiased variance (Hedges 1983, equation 8)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return (1 - (m - 2) / (m * j**2)) * g**2


def _average(value: Array, n: Array) -> Array:
    """Return the sample-size weighted mean over the last axis, of the effects that are defined."""
    known = np.isfinite(value) & np.isfinite(n)
    total = np.where(known, n, 0).sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(known, n * value, 0).sum(axis=-1, keepdims=True) / total)


# ── two independent groups ────────────────────────────────────────────────────────────────────


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
        vi, words = size + _shrink_unbiased(yi, j, m), "unbiased (UB)"
    elif vtype == "AV":
        average = _average(np.where(np.isfinite(yi), yi, np.nan), total)
        vi, words = size + average**2 / (2 * total), "from the average effect (AV)"
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
        cv1 = _average(x["sd1"] / x["mean1"], x["n1"])
        cv2 = _average(x["sd2"] / x["mean2"], x["n2"])
        vi, words = cv1**2 / x["n1"] + cv2**2 / x["n2"], "average coefficients of variation (AV)"
    else:
        vi, words = own1 + own2, "delta method (LS)"
    name = "second-order bias corrected" if correct else "not corrected"
    return yi, vi, f"log ratio of means, {name}; variance: {words}"


# ── one group measured twice ──────────────────────────────────────────────────────────────────


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
        vi, words = size + _shrink_unbiased(yi, j, m), "unbiased (UB)"
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


# ── two groups, counts ────────────────────────────────────────────────────────────────────────


def _compute_rr(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    n1, n2 = x["a"] + x["b"], x["c"] + x["d"]
    yi = np.log((x["a"] / n1) / (x["c"] / n2))
    return yi, 1 / x["a"] - 1 / n1 + 1 / x["c"] - 1 / n2, "log risk ratio"


def _compute_or(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    yi = np.log((x["a"] / x["b"]) / (x["c"] / x["d"]))
    return yi, 1 / x["a"] + 1 / x["b"] + 1 / x["c"] + 1 / x["d"], "log odds ratio"


def _compute_rd(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    n1, n2 = x["a"] + x["b"], x["c"] + x["d"]
    vi = x["a"] * x["b"] / n1**3 + x["c"] * x["d"] / n2**3
    return x["a"] / n1 - x["c"] / n2, vi, "risk difference"


# ── families: measure -> (formula, arguments, variance types) ─────────────────────────────────

_TWO_GROUPS = "n1 mean1 sd1 n2 mean2 sd2"
_PAIRED = "n mean1 mean2 sd1 sd2 r"

_TWO_GROUP_MEANS: dict[str, tuple[_Formula, str, tuple[str, ...]]] = {
    "MD": (_compute_md, _TWO_GROUPS, ("LS", "HO")),
    "SMD": (_compute_smd, _TWO_GROUPS, ("LS", "LS2", "UB", "AV")),
    "ROM": (_compute_rom, _TWO_GROUPS, ("LS", "HO", "AV")),
}
_PAIRED_MEANS: dict[str, tuple[_Formula, str, tuple[str, ...]]] = {
    "MC": (_compute_mc, _PAIRED, ("LS",)),
    "SMCC": (_compute_smcc, _PAIRED, ("LS", "LS2", "UB")),
    "SMCR": (_compute_smcr, "n mean1 mean2 sd1 r", ("LS", "LS2", "UB")),
    "SMCRH": (_compute_smcrh, _PAIRED, ("LS",)),
    "ROMC": (_compute_romc, _PAIRED, ("LS",)),
}
_TWO_BY_TWO: dict[str, tuple[_Formula, str, tuple[str, ...]]] = {
    "RR": (_compute_rr, "a b c d", ("LS",)),
    "OR": (_compute_or, "a b c d", ("LS",)),
    "RD": (_compute_rd, "a b c d", ("LS",)),
}
_ZERO_CELL_RULES = ("only0", "if0all", "all", "none")


def _measure_means(
    family: Mapping[str, tuple[_Formula, str, tuple[str, ...]]],
    measure: str,
    vtype: str,
    correct: bool,
    given: Mapping[str, ArrayLike | None],
) -> EffectSizes:
    if measure not in family:
        raise ValueError(f"measure must be one of {list(family)}, not {measure!r}")
    formula, needed, allowed = family[measure]
    _choose_vtype(measure, vtype, allowed)
    x = _gather(measure, given, needed)
    _check_summaries(x)
    # Ratios of means of opposite sign, or divisions by an SD of 0, are not defined: NaN, below.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        yi, vi, words = formula(x, vtype, correct)
    yi, vi = _blank_undefined(yi, vi)
    return EffectSizes(yi, vi, measure, vtype if len(allowed) > 1 else "", words)


def measure_two_group_means(
    measure: str,
    *,
    n1: ArrayLike,
    mean1: ArrayLike,
    sd1: ArrayLike,
    n2: ArrayLike,
    mean2: ArrayLike,
    sd2: ArrayLike,
    vtype: str = "LS",
    correct: bool = True,
) -> EffectSizes:
    """Compare the means of two independent groups (1 = treatment, 2 = control).

    Parameters
    ----------
    measure : {"MD", "SMD", "ROM"}
        Mean difference, standardised mean difference, log ratio of means.
    n1, n2 : array_like
        Patients per group, ≥ 2.
    mean1, mean2, sd1, sd2 : array_like
        Means and standard deviations (≥ 0) in the unit of the outcome. All arguments have one
        shape or broadcast to one.
    vtype : str
        Variance: ``MD`` LS (each group's own SD) or HO (pooled SD); ``SMD`` LS, LS2, UB
        (unbiased) or AV (from the sample-size weighted average effect along the last axis);
        ``ROM`` LS, HO or AV.
    correct : bool
        ``SMD``: exact Hedges correction. ``ROM``: second-order bias correction. ``MD`` needs none.

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
    as in Lajeunesse (2015), equation 8.
    """
    given = {"n1": n1, "mean1": mean1, "sd1": sd1, "n2": n2, "mean2": mean2, "sd2": sd2}
    return _measure_means(_TWO_GROUP_MEANS, measure, vtype, correct, given)


def measure_paired_means(
    measure: str,
    *,
    n: ArrayLike,
    mean1: ArrayLike,
    mean2: ArrayLike,
    sd1: ArrayLike,
    r: ArrayLike,
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
    measure : {"MC", "SMCC", "SMCR", "SMCRH", "ROMC"}
        Raw mean change; standardised by the SD of the change (d_z); by `sd1`; by `sd1` allowing
        the SDs to differ; log ratio of means.
    n : array_like
        Patients measured at both times, ≥ 2.
    mean1, mean2, sd1, sd2 : array_like
        Means and standard deviations (≥ 0) in the unit of the outcome; ``SMCR`` needs no `sd2`.
        A published SD of the change is given as `sd1` with ``sd2=0, r=0`` (``MC``, ``SMCC``).
    r : array_like
        Correlation between the two times, in [−1, 1].
    vtype : str
        ``SMCC`` and ``SMCR``: LS, LS2 or UB; the others have one variance.
    correct : bool
        Exact Hedges correction (``SMCC``, ``SMCR``, ``SMCRH``) or bias correction (``ROMC``).

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
    the SD of the change); ``ROMC`` Lajeunesse (2011), equation 6, corrected as Lajeunesse (2015).
    """
    given = {"n": n, "mean1": mean1, "mean2": mean2, "sd1": sd1, "sd2": sd2, "r": r}
    return _measure_means(_PAIRED_MEANS, measure, vtype, correct, given)


def measure_two_by_two(
    measure: str,
    *,
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike,
    d: ArrayLike,
    add: float = 0.5,
    to: str = "only0",
) -> EffectSizes:
    """Compare two groups by their counts of events.

    Parameters
    ----------
    measure : {"RR", "OR", "RD"}
        Log risk ratio, log odds ratio, risk difference.
    a, b : array_like
        Patients with and without the event in group 1 (treatment), ≥ 0.
    c, d : array_like
        The same in group 2 (control).
    add : float
        Added to all four cells of the tables chosen by `to`, ≥ 0.
    to : {"only0", "if0all", "all", "none"}
        Tables with a zero cell; all tables if any has one (along the last axis); all; none.

    Returns
    -------
    EffectSizes
        Unpacks as ``yi, vi``; log scale for ``RR`` and ``OR``. NaN where an input is NaN or the
        measure is not defined (a zero cell with ``to="none"``).

    Raises
    ------
    ValueError
        Unknown `measure` or `to`; negative or infinite counts, naming argument and positions.

    Notes
    -----
    Fleiss and Berlin (2009), equations 12.12 to 12.26; zero cells: Gart and Zweifel (1967).
    """
    if measure not in _TWO_BY_TWO:
        raise ValueError(f"measure must be one of {list(_TWO_BY_TWO)}, not {measure!r}")
    if to not in _ZERO_CELL_RULES:
        raise ValueError(f"to must be one of {list(_ZERO_CELL_RULES)}, not {to!r}")
    if not (np.isfinite(add) and add >= 0):
        raise ValueError("add must be a finite number of at least 0")
    formula, needed, _ = _TWO_BY_TWO[measure]
    x = _gather(measure, {"a": a, "b": b, "c": c, "d": d}, needed)
    for name, count in x.items():
        _require(~(count < 0), name, "at least 0")
    has_zero = np.logical_or.reduce([count == 0 for count in x.values()])
    if to == "only0":
        chosen = has_zero
    elif to == "if0all":
        chosen = np.broadcast_to(has_zero.any(axis=-1, keepdims=True), has_zero.shape)
    else:
        chosen = np.full(has_zero.shape, to == "all")
    x = {name: count + np.where(chosen, add, 0.0) for name, count in x.items()}
    with np.errstate(divide="ignore", invalid="ignore"):
        yi, vi, words = formula(x, "", False)
    yi, vi = _blank_undefined(yi, vi)
    rule = "no continuity correction" if to == "none" else f"{add:g} added to cells (to={to!r})"
    return EffectSizes(yi, vi, measure, "", f"{words}; {rule}")


def escalc(measure: str, **arguments: Any) -> EffectSizes:
    """Compute effect sizes and sampling variances: one door to every measure.

    Parameters
    ----------
    measure : str
        ``MD SMD ROM`` (:func:`measure_two_group_means`: ``n1 mean1 sd1 n2 mean2 sd2``, ``vtype``,
        ``correct``), ``MC SMCC SMCR SMCRH ROMC`` (:func:`measure_paired_means`: ``n mean1 mean2
        sd1 sd2 r``, ``vtype``, ``correct``) or ``RR OR RD`` (:func:`measure_two_by_two`:
        ``a b c d``, ``add``, ``to``). Codes, and the meaning of 1 and 2, as in metafor.
    **arguments
        What that function takes, by name; numbers or arrays of one shape.

    Returns
    -------
    EffectSizes
        Unpacks as ``yi, vi`` (NumPy arrays of the common shape).

    Raises
    ------
    ValueError
        Unknown `measure`; an argument missing or not taken by the measure; impossible input,
        naming argument and positions (never values).

    Examples
    --------
    >>> yi, vi = escalc("MD", n1=20, mean1=4.1, sd1=2.0, n2=20, mean2=6.0, sd2=2.0)
    >>> round(float(yi), 3), round(float(vi), 3)
    (-1.9, 0.4)
    """
    families: list[tuple[Mapping[str, Any], Callable[..., EffectSizes], str]] = [
        (_TWO_GROUP_MEANS, measure_two_group_means, _TWO_GROUPS + " vtype correct"),
        (_PAIRED_MEANS, measure_paired_means, _PAIRED + " vtype correct"),
        (_TWO_BY_TWO, measure_two_by_two, "a b c d add to"),
    ]
    for family, function, taken in families:
        if measure not in family:
            continue
        unknown = sorted(set(arguments) - set(taken.split()))
        if unknown:
            raise ValueError(f"measure {measure} does not take {unknown}; it takes: {taken}")
        needed = family[measure][1].split()
        missing = [name for name in needed if arguments.get(name) is None]
        if missing:
            raise ValueError(f"measure {measure} needs {', '.join(needed)}; not given: {missing}")
        return function(measure, **arguments)
    known = [code for family, _, _ in families for code in family]
    raise ValueError(f"measure must be one of {known}, not {measure!r}")
