"""What all families of effect sizes share: the result, the checks of input, Hedges' correction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, gammaln, logit

Array = NDArray[np.float64]
Formula = Callable[[Mapping[str, Array], str, bool], tuple[Array, Array, str]]

MAX_POSITIONS_SHOWN = 10
ZERO_CELL_RULES = ("only0", "if0all", "all", "none")


class Scale(NamedTuple):
    """How the effects of a measure are read.

    Attributes
    ----------
    code : str
        ``natural`` (the outcome's unit), ``standardised``, ``ratio``, ``difference``,
        ``probability``, ``correlation``, ``level`` (of one group, where nothing is compared).
    back : callable
        From yi to the number that is shown.
    null : float
        No effect, as shown; NaN where no value means that.
    transform : str
        What yi is of the number shown, such as ``log``; empty where they are the same.
    """

    code: str
    back: Callable[[Any], Any] = np.asarray
    null: float = 0.0
    transform: str = ""

    @property
    def null_yi(self) -> float:
        """No effect on the scale of yi: every transformed measure has it at 0."""
        return 0.0 if self.transform and not np.isnan(self.null) else self.null

    def show(self, value: float) -> float:
        """Return the number shown for one yi; the largest of a computer where it lies beyond that.

        Only a limit without end is shown as one.
        """
        with np.errstate(over="ignore"):
            shown = float(self.back(float(value)))
        if np.isinf(shown) and not np.isinf(value):
            return float(np.copysign(np.finfo(float).max, shown))
        return shown

    def to_yi(self, shown: float) -> float:
        """Return yi of a number as it is shown; NaN or infinite where no effect is shown so."""
        with np.errstate(all="ignore"):
            return float(_FORWARD[self.transform](np.float64(shown)))


def _undo_arcsine(x: Any) -> Any:
    """Return the proportion of an arcsine square root; limits may lie beyond its ends."""
    return np.sin(np.clip(x, 0, np.pi / 2)) ** 2


def _undo_bonett(x: Any) -> Any:
    return -np.expm1(-np.asarray(x, dtype=float))


_FORWARD: dict[str, Callable[[Any], Any]] = {
    "": np.asarray,
    "log": np.log,
    "fisher_z": np.arctanh,
    "logit": logit,
    "arcsine": lambda p: np.arcsin(np.sqrt(p)),
    "bonett": lambda p: -np.log1p(-p),
}
NATURAL = Scale("natural")
STANDARDISED = Scale("standardised")
RATIO = Scale("ratio", np.exp, 1.0, "log")
DIFFERENCE = Scale("difference")
PROBABILITY = Scale("probability", null=0.5)
CORRELATION = Scale("correlation")
FISHER = Scale("correlation", np.tanh, 0.0, "fisher_z")
LEVEL = Scale("level", null=np.nan)
LOG_LEVEL = Scale("level", np.exp, np.nan, "log")
LOGIT_LEVEL = Scale("level", expit, np.nan, "logit")
ARCSINE_LEVEL = Scale("level", _undo_arcsine, np.nan, "arcsine")
BONETT_LEVEL = Scale("level", _undo_bonett, np.nan, "bonett")


class Measure(NamedTuple):
    """One entry of the registry.

    Attributes
    ----------
    formula : callable
        From the arguments, the type of variance and `correct` to yi, vi and their definition.
    needed : str
        Names of the arguments, in one text.
    scale : Scale
    unit : str
        Code of the unit shown (message family ``unit``); empty for that of the outcome.
    kin : str
        Measures of one kin answer one question from the same rows: an analyst chooses.
    vtypes : tuple of str
        Types of variance, the default first.
    sd1_before : bool
        Of two times: ``sd1`` is the SD before, and not that of ``mean1``.
    """

    formula: Formula
    needed: str
    scale: Scale
    unit: str = ""
    kin: str = ""
    vtypes: tuple[str, ...] = ("LS",)
    sd1_before: bool = False

    @property
    def counts_events(self) -> bool:
        """Whether it stands on numbers of events, and not on means."""
        return not {"a", "events", "events1"}.isdisjoint(self.needed.split())

    @property
    def unit_yi(self) -> str:
        """Code of the unit of yi; empty for that of the outcome."""
        return f"{self.scale.transform}_{self.unit}" if self.scale.transform else self.unit


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


def describe_positions(bad: NDArray[np.bool_]) -> str:
    """Return where `bad` is true, counted from 0: positions only, never values."""
    if bad.ndim == 0:
        return "a single value"
    found = [i[0] if len(i) == 1 else i for i in map(tuple, np.argwhere(bad).tolist())]
    shown = ", ".join(map(str, found[:MAX_POSITIONS_SHOWN]))
    more = len(found) - MAX_POSITIONS_SHOWN
    noun = "position" if len(found) == 1 else "positions"
    return f"{noun} {shown}" + (f" and {more} more" if more > 0 else "") + " (counted from 0)"


def require(ok: NDArray[np.bool_], name: str, rule: str) -> None:
    """Raise a ValueError that names argument, rule and positions where `ok` is false."""
    if not ok.all():
        raise ValueError(f"{name} must be {rule}: see {describe_positions(~ok)}")


def gather(measure: str, given: Mapping[str, ArrayLike | None], needed: str) -> dict[str, Array]:
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
        require(~np.isinf(arrays[name]), name, "finite (or NaN)")
    try:
        shaped = np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = ", ".join(f"{n} {a.shape}" for n, a in arrays.items())
        raise ValueError(f"arguments must have one shape or broadcast: {shapes}") from None
    # 0-d arrays would decay to scalars in arithmetic; np.array keeps them arrays of the family.
    return {n: np.array(a, dtype=np.float64) for n, a in zip(arrays, shaped, strict=True)}


def check_summaries(x: Mapping[str, Array]) -> None:
    """Refuse numbers no sample can have; NaN compares false and so passes."""
    for name, value in x.items():
        if name in ("n", "n1", "n2"):
            require(~(value < 2), name, "at least 2")
        elif name.startswith("sd"):
            require(~(value < 0), name, "at least 0")
        elif name.startswith("r"):
            require(~(np.abs(value) > 1), name, "between -1 and 1")


def choose_vtype(measure: str, vtype: str, allowed: tuple[str, ...]) -> str:
    """Return `vtype` if the measure has such a variance."""
    if vtype not in allowed:
        raise ValueError(f"vtype for {measure} must be one of {list(allowed)}, not {vtype!r}")
    return vtype


def blank_undefined(yi: Array, vi: Array) -> tuple[Array, Array]:
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
    require(~(value < 1), "m", "at least 1")
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


def shrink_unbiased(g: Array, j: Array, m: Array) -> Array:
    """Return the term of g squared in the unbiased variance (Hedges 1983, equation 8)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return (1 - (m - 2) / (m * j**2)) * g**2


def average(value: Array, n: Array) -> Array:
    """Return the sample-size weighted mean over the last axis, of the effects that are defined."""
    known = np.isfinite(value) & np.isfinite(n)
    total = np.where(known, n, 0).sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(known, n * value, 0).sum(axis=-1, keepdims=True) / total)


def measure_summaries(
    family: Mapping[str, Measure],
    measure: str,
    vtype: str,
    correct: bool,
    given: Mapping[str, ArrayLike | None],
) -> EffectSizes:
    """Compute one measure of a family of formulas on means, SDs and correlations."""
    if measure not in family:
        raise ValueError(f"measure must be one of {list(family)}, not {measure!r}")
    entry = family[measure]
    choose_vtype(measure, vtype, entry.vtypes)
    x = gather(measure, given, entry.needed)
    check_summaries(x)
    # Ratios of means of opposite sign, or divisions by an SD of 0, are not defined: NaN, below.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        yi, vi, words = entry.formula(x, vtype, correct)
    yi, vi = blank_undefined(yi, vi)
    return EffectSizes(yi, vi, measure, vtype if len(entry.vtypes) > 1 else "", words)


def add_to_cells(
    counts: Mapping[str, Array], with_zero: NDArray[np.bool_], add: float, to: str
) -> dict[str, Array]:
    """Add a constant to the counts of the studies that `to` chooses."""
    if to not in ZERO_CELL_RULES:
        raise ValueError(f"to must be one of {list(ZERO_CELL_RULES)}, not {to!r}")
    if not (np.isfinite(add) and add >= 0):
        raise ValueError("add must be a finite number of at least 0")
    if to == "only0":
        chosen = with_zero
    elif to == "if0all":
        chosen = np.broadcast_to(with_zero.any(axis=-1, keepdims=True), with_zero.shape)
    else:
        chosen = np.full(with_zero.shape, to == "all")
    return {name: count + np.where(chosen, add, 0.0) for name, count in counts.items()}


def describe_addition(add: float, to: str) -> str:
    """Return the continuity correction in words."""
    if to == "none" or add == 0:
        return "no continuity correction"
    return f"{add:g} added to cells (to={to!r})"


def measure_counts(
    entry: Measure, measure: str, cells: Mapping[str, Array], add: float, to: str
) -> EffectSizes:
    """Compute one measure of counts to which `add` was added as `to` says."""
    with np.errstate(divide="ignore", invalid="ignore"):
        yi, vi, words = entry.formula(cells, "", False)
    yi, vi = blank_undefined(yi, vi)
    return EffectSizes(yi, vi, measure, "", f"{words}; {describe_addition(add, to)}")
