"""Two groups compared by counts: events among patients, events over person-time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from headway.effects.shared import (
    DIFFERENCE,
    RATIO,
    Array,
    EffectSizes,
    Measure,
    add_to_cells,
    gather,
    measure_counts,
    require,
)


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


def _compute_as(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    n1, n2 = x["a"] + x["b"], x["c"] + x["d"]
    yi = np.arcsin(np.sqrt(x["a"] / n1)) - np.arcsin(np.sqrt(x["c"] / n2))
    return yi, 1 / (4 * n1) + 1 / (4 * n2), "difference of arcsine square roots of risks"


def _compute_peto(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    n1, n2 = x["a"] + x["b"], x["c"] + x["d"]
    total, events = n1 + n2, x["a"] + x["c"]
    spread = events * (x["b"] + x["d"]) * (n1 / total) * (n2 / total) / (total - 1)
    yi = (x["a"] - events * n1 / total) / spread
    return yi, 1 / spread, "log odds ratio by Peto's one-step method"


def _compute_irr(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    yi = np.log((x["events1"] / x["time1"]) / (x["events2"] / x["time2"]))
    return yi, 1 / x["events1"] + 1 / x["events2"], "log ratio of incidence rates"


def _compute_ird(x: Mapping[str, Array], vtype: str, correct: bool) -> tuple[Array, Array, str]:
    yi = x["events1"] / x["time1"] - x["events2"] / x["time2"]
    vi = x["events1"] / x["time1"] ** 2 + x["events2"] / x["time2"] ** 2
    return yi, vi, "difference of incidence rates"


NEEDED = "a b c d"
MEASURES: dict[str, Measure] = {
    "RR": Measure(_compute_rr, NEEDED, RATIO, "risk_ratio", "risks"),
    "OR": Measure(_compute_or, NEEDED, RATIO, "odds_ratio", "risks"),
    "RD": Measure(_compute_rd, NEEDED, DIFFERENCE, "risk_difference", "risks"),
    "AS": Measure(_compute_as, NEEDED, DIFFERENCE, "arcsine_difference"),
    "PETO": Measure(_compute_peto, NEEDED, RATIO, "odds_ratio"),
}
NEEDED_RATES = "events1 time1 events2 time2"
RATES: dict[str, Measure] = {
    "IRR": Measure(_compute_irr, NEEDED_RATES, RATIO, "rate_ratio", "rates"),
    "IRD": Measure(_compute_ird, NEEDED_RATES, DIFFERENCE, "rate_difference", "rates"),
}
# Defined without it, and only distorted by it.
NOTHING_ADDED = ("AS",)


def measure_two_by_two(
    measure: str,
    *,
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike,
    d: ArrayLike,
    add: float | None = None,
    to: str = "only0",
) -> EffectSizes:
    """Compare two groups by their counts of events.

    Parameters
    ----------
    measure : {"RR", "OR", "RD", "AS", "PETO"}
        Log risk ratio, log odds ratio, risk difference, arcsine difference, log odds ratio by
        Peto's method.
    a, b : array_like
        Patients with and without the event in group 1 (treatment), ≥ 0.
    c, d : array_like
        The same in group 2 (control).
    add : float, optional
        Added to all four cells of the tables chosen by `to`, ≥ 0: 0.5, for ``AS`` 0, which is
        defined without it.
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
    ``AS``: Rücker et al. (2009). ``PETO``: Yusuf et al. (1985).
    """
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {list(MEASURES)}, not {measure!r}")
    added = (0.0 if measure in NOTHING_ADDED else 0.5) if add is None else add
    entry = MEASURES[measure]
    x = gather(measure, {"a": a, "b": b, "c": c, "d": d}, entry.needed)
    for name, count in x.items():
        require(~(count < 0), name, "at least 0")
    has_zero = np.logical_or.reduce([count == 0 for count in x.values()])
    x = add_to_cells(x, has_zero, added, to)
    return measure_counts(entry, measure, x, added, to)


def measure_person_time(
    measure: str,
    *,
    events1: ArrayLike,
    time1: ArrayLike,
    events2: ArrayLike,
    time2: ArrayLike,
    add: float = 0.5,
    to: str = "only0",
) -> EffectSizes:
    """Compare two groups by their events over person-time.

    Parameters
    ----------
    measure : {"IRR", "IRD"}
        Log ratio and difference of incidence rates.
    events1, events2 : array_like
        Events in group 1 (treatment) and 2 (control), ≥ 0.
    time1, time2 : array_like
        Person-time at risk, > 0, in one unit; rates are per that unit.
    add, to
        As for :func:`measure_two_by_two`, added to the numbers of events.

    Returns
    -------
    EffectSizes
        Unpacks as ``yi, vi``. NaN where an input is NaN or the measure is not defined.

    Raises
    ------
    ValueError
        Unknown `measure` or `to`; negative events, times that are not above 0 or infinite values,
        naming argument and positions.

    Notes
    -----
    Rothman, Greenland and Lash (2008), chapter 14.
    """
    if measure not in RATES:
        raise ValueError(f"measure must be one of {list(RATES)}, not {measure!r}")
    entry = RATES[measure]
    given = {"events1": events1, "time1": time1, "events2": events2, "time2": time2}
    x = gather(measure, given, entry.needed)
    for name, value in x.items():
        if name.startswith("time"):
            require(~(value <= 0), name, "above 0")
        else:
            require(~(value < 0), name, "at least 0")
    events = {name: x[name] for name in ("events1", "events2")}
    has_zero = (events["events1"] == 0) | (events["events2"] == 0)
    x |= add_to_cells(events, has_zero, add, to)
    return measure_counts(entry, measure, x, add, to)
