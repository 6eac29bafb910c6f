"""RevMan's statistics: the effects of its rows, and the totals that it makes of them.

They differ from the defaults of :mod:`headway.effects` and :mod:`headway.meta`, which are
metafor's. A trial without events (or with events only) in both groups is not estimable and enters
nothing; 0.5 enters the Mantel-Haenszel sums; the estimate of a risk difference is never shifted;
the variance of a standardised difference divides by 2(N - 3.94); tau2 of a random Mantel-Haenszel
analysis takes Q about the Mantel-Haenszel estimate. Source: Deeks and Higgins, Statistical
algorithms in Review Manager 5 (2010). What a row is (`Rows`) and how rows are pooled (`total`) are
two steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.effects.recover_quantiles import read
from headway.messages import Message
from headway.meta.distributions import check_level, find_chi2_tail, find_critical, find_p_value
from headway.meta.pooling import NOTE_ONE, describe_prediction, describe_test, pool
from headway.meta.two_by_two import Cells

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

METHODS = ("MH", "IV", "Peto", "EXP_O_E")
MODELS = ("fixed", "random")
COUNTS = ("RR", "OR", "RD", "PETO")
NOTE_NOT_ESTIMABLE = "note.not_estimable"
NAN = float("nan")
# Numbers of a total that are not defined where no row is estimable.
_NUMBERS = (
    *("estimate", "se", "ci_low", "ci_high", "statistic", "p_value", "df", "pi_low", "pi_high"),
    *("tau2", "q", "q_df", "q_p_value", "i2", "h2"),
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Effects of the rows of an analysis, as RevMan computes them; arrays of one shape.

    Attributes
    ----------
    measure : str
        ``RR``, ``OR``, ``RD``, ``PETO``, ``MD``, ``SMD``, ``GIV`` or ``O_E``.
    yi, vi : ndarray
        Effect (log scale for ratios) and variance; NaN where the row is not estimable.
    estimable : ndarray of bool
        Whether the row enters a total.
    added : ndarray of bool
        Whether 0.5 was added to the row's cells (for ``RD``: in the variance only).
    raw, cells : Cells or None
        Counts as they are and with what was added, for the sums of Mantel and Haenszel.
    """

    measure: str
    yi: Array
    vi: Array
    estimable: Bools
    added: Bools
    raw: Cells | None = None
    cells: Cells | None = None

    def take(self, at: NDArray[np.int64] | Bools) -> Rows:
        """Return some of the rows."""
        raw = None if self.raw is None else self.raw.take(at)
        cells = None if self.cells is None else self.cells.take(at)
        return Rows(
            self.measure, self.yi[at], self.vi[at], self.estimable[at], self.added[at], raw, cells
        )


@dataclass(frozen=True, slots=True)
class Total:
    """A total of RevMan. NaN means "not defined"; all numbers are NaN where it is not estimable.

    Attributes
    ----------
    k, k_rows : int
        Rows that enter, and all of them.
    estimate, se, ci_low, ci_high, statistic, p_value : float
        On the scale of the rows.
    df : float
        Of the interval; NaN where it is normal.
    pi_low, pi_high : float
        Prediction interval, where one was asked for and there are three rows or more.
    tau2, q, q_df, q_p_value, i2, h2 : float
        Heterogeneity; I² in percent.
    weights : ndarray
        Per cent, of all rows; 0 where a row does not enter.
    method, model, level
        What was asked for.
    remark, ci_code, pi_code : str
        Messages.
    """

    k: int
    k_rows: int
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    statistic: float
    p_value: float
    df: float
    pi_low: float
    pi_high: float
    tau2: float
    q: float
    q_df: float
    q_p_value: float
    i2: float
    h2: float
    weights: Array
    method: str
    model: str
    level: float
    remark: str
    ci_code: str
    pi_code: str

    @property
    def estimable(self) -> bool:
        """Whether there is a number."""
        return bool(np.isfinite(self.estimate))


# ── rows ──────────────────────────────────────────────────────────────────────────────────────


def count_rows(
    measure: str,
    *,
    events1: ArrayLike,
    n1: ArrayLike,
    events2: ArrayLike,
    n2: ArrayLike,
    swap: bool = False,
) -> Rows:
    """Compute the effects of rows of counts.

    Parameters
    ----------
    measure : {"RR", "OR", "RD", "PETO"}
        Log risk ratio, log odds ratio, risk difference, Peto's log odds ratio.
    events1, n1, events2, n2 : array_like
        People with the event, and all, of group 1 (treatment) and 2 (control).
    swap : bool
        Effects of the non-event: events and non-events change places before all else.

    Returns
    -------
    Rows
        A ratio is not estimable where nobody, or everybody, of both groups had the event, and
        nothing is where a group has nobody.

    Raises
    ------
    ValueError
        Unknown `measure`; negative counts, or more events than people.
    """
    if measure not in COUNTS:
        raise ValueError(f"measure must be one of {list(COUNTS)}, not {measure!r}")
    a, m1, c, m2 = read(events1, n1, events2, n2)
    if any((x < 0).any() for x in (a, c, m1 - a, m2 - c)):
        raise ValueError("events must lie between 0 and the number of people")
    raw = Cells(a, m1 - a, c, m2 - c)
    if swap:
        raw = Cells(raw.b, raw.a, raw.d, raw.c)
    people = (raw.n1 > 0) & (raw.n2 > 0)
    zero = (raw.a * raw.b * raw.c * raw.d) == 0
    if measure == "RD":
        added = (raw.a * raw.b == 0) & (raw.c * raw.d == 0) & people
        estimable = people
    elif measure == "PETO":
        added = np.zeros(raw.a.shape, dtype=bool)
        estimable = people & ~raw.empty
    else:
        estimable = people & ~raw.empty
        added = zero & estimable
    cells = raw.add(np.where(added, 0.5, 0.0))
    with np.errstate(all="ignore"):
        yi, vi = _EFFECTS[measure](raw, cells)
    known = estimable & np.isfinite(yi) & np.isfinite(vi) & (vi > 0)
    yi, vi = (np.where(known, x, NAN) for x in (yi, vi))
    return Rows(measure, yi, vi, known, added & known, raw, cells)


def _effect_rr(_: Cells, t: Cells) -> tuple[Array, Array]:
    yi = np.log((t.a / t.n1) / (t.c / t.n2))
    return yi, 1 / t.a - 1 / t.n1 + 1 / t.c - 1 / t.n2


def _effect_or(_: Cells, t: Cells) -> tuple[Array, Array]:
    return np.log(t.a * t.d / (t.b * t.c)), 1 / t.a + 1 / t.b + 1 / t.c + 1 / t.d


def _effect_rd(raw: Cells, t: Cells) -> tuple[Array, Array]:
    yi = raw.a / raw.n1 - raw.c / raw.n2
    return yi, t.a * t.b / t.n1**3 + t.c * t.d / t.n2**3


def _effect_peto(raw: Cells, _: Cells) -> tuple[Array, Array]:
    spread = raw.variance()
    return raw.residuals() / spread, 1 / spread


_EFFECTS = {"RR": _effect_rr, "OR": _effect_or, "RD": _effect_rd, "PETO": _effect_peto}


def mean_rows(
    measure: str,
    *,
    mean1: ArrayLike,
    sd1: ArrayLike,
    n1: ArrayLike,
    mean2: ArrayLike,
    sd2: ArrayLike,
    n2: ArrayLike,
) -> Rows:
    """Compute the effects of rows of means and standard deviations.

    Parameters
    ----------
    measure : {"MD", "SMD"}
        Difference of means; Hedges' adjusted g by RevMan's approximate correction.
    mean1, sd1, n1, mean2, sd2, n2 : array_like
        Of group 1 (treatment) and 2 (control).

    Returns
    -------
    Rows
        Not estimable where a standard deviation or a number of people is missing, or the variance
        is 0.

    Raises
    ------
    ValueError
        Unknown `measure`.
    """
    m1, s1, k1, m2, s2, k2 = read(mean1, sd1, n1, mean2, sd2, n2)
    with np.errstate(all="ignore"):
        if measure == "MD":
            yi, vi = m1 - m2, s1**2 / k1 + s2**2 / k2
        elif measure == "SMD":
            n = k1 + k2
            pooled = np.sqrt(((k1 - 1) * s1**2 + (k2 - 1) * s2**2) / (n - 2))
            yi = (m1 - m2) / pooled * (1 - 3 / (4 * n - 9))
            vi = n / (k1 * k2) + yi**2 / (2 * (n - 3.94))
        else:
            raise ValueError(f"measure must be 'MD' or 'SMD', not {measure!r}")
        sound = (s1 >= 0) & (s2 >= 0) & (k1 > 0) & (k2 > 0)
    return _plain(measure, yi, vi, sound)


def generic_rows(yi: ArrayLike, se: ArrayLike) -> Rows:
    """Take effects as they were typed (ratios as logarithms), with their standard errors."""
    effect, error = read(yi, se)
    return _plain("GIV", effect, error**2, error > 0)


def o_e_rows(o_e: ArrayLike, variance: ArrayLike) -> Rows:
    """Compute log ratios from observed minus expected events and their variance."""
    off, spread = read(o_e, variance)
    with np.errstate(all="ignore"):
        return _plain("O_E", off / spread, 1 / spread, spread > 0)


def effect_rows(yi: ArrayLike, vi: ArrayLike, measure: str = "GIV") -> Rows:
    """Take effects and variances that were computed before."""
    effect, variance = read(yi, vi)
    return _plain(measure, effect, variance, variance > 0)


def _plain(measure: str, yi: Array, vi: Array, sound: Bools) -> Rows:
    known = sound & np.isfinite(yi) & np.isfinite(vi) & (vi > 0)
    yi, vi = (np.where(known, x, NAN) for x in (yi, vi))
    return Rows(measure, yi, vi, known, np.zeros(yi.shape, dtype=bool))


# ── totals ────────────────────────────────────────────────────────────────────────────────────


def _mantel_haenszel(rows: Rows) -> tuple[float, float, Array]:
    """Return Mantel and Haenszel's estimate, its variance and the rows' weights."""
    raw, t = rows.raw, rows.cells
    if raw is None or t is None or rows.measure not in ("RR", "OR", "RD"):
        raise ValueError("Mantel-Haenszel totals need counts, and RR, OR or RD")
    n = t.n
    with np.errstate(all="ignore"):
        if rows.measure == "RR":
            r, s = (t.a * t.n2 / n).sum(), (t.c * t.n1 / n).sum()
            p = ((t.n1 * t.n2 * t.events - t.a * t.c * n) / n**2).sum()
            return float(np.log(r / s)), float(p / (r * s)), t.c * t.n1 / n
        if rows.measure == "OR":
            one, two = t.a * t.d / n, t.b * t.c / n
            r, s = one.sum(), two.sum()
            p, q = (t.a + t.d) / n, (t.b + t.c) / n
            parts = (p * one).sum() / r**2, (p * two + q * one).sum() / (r * s)
            variance = (sum(parts) + (q * two).sum() / s**2) / 2
            return float(np.log(r / s)), float(variance), two
        weight = raw.n1 * raw.n2 / raw.n
        total = weight.sum()
        spread = (t.a * t.b * t.n2**3 + t.c * t.d * t.n1**3) / (t.n1 * t.n2 * n**2)
        return float((weight * rows.yi).sum() / total), float(spread.sum() / total**2), weight


def _find_tau2(y: Array, v: Array, q: float, tau2: str) -> float:
    """Return the variance between studies, by DerSimonian and Laird from `q` or by REML."""
    if tau2 == "REML":
        return float(pool(y, v, method="REML", test="z").tau2)
    w = 1 / v
    return max(0.0, (q - (len(y) - 1)) / float(w.sum() - (w * w).sum() / w.sum()))


def total(
    rows: Rows,
    *,
    method: str = "IV",
    model: str = "random",
    tau2: str = "DL",
    ci: str = "wald",
    level: float = 0.95,
    prediction: bool = False,
) -> Total:
    """Pool the rows of an analysis, or of one of its subgroups, as RevMan does.

    Parameters
    ----------
    rows : Rows
        Shape (k,); rows that are not estimable do not enter.
    method : {"MH", "IV", "Peto", "EXP_O_E"}
        Mantel-Haenszel (of counts), inverse variance; Peto and O - E weigh by their own
        variances, which is inverse variance, too.
    model : {"fixed", "random"}
        One common effect, or a distribution of effects.
    tau2 : {"DL", "REML"}
        DerSimonian and Laird, with Q about the Mantel-Haenszel estimate where `method` is ``MH``;
        restricted maximum likelihood (RevMan Web).
    ci : {"wald", "hksj"}
        Normal interval, or Hartung-Knapp-Sidik-Jonkman's (random; RevMan Web).
    level : float
        Coverage of the intervals.
    prediction : bool
        Also the prediction interval: t with k - 1 degrees of freedom beside ``hksj``, else normal.

    Returns
    -------
    Total
        Without a number (`remark` says so) where no row is estimable; one row alone is its own
        effect.

    Raises
    ------
    ValueError
        Unknown settings; ``MH`` without counts.
    """
    _check(method, model, tau2, ci)
    check_level(level)
    used = rows.take(rows.estimable)
    if not len(used.yi):
        return _none(rows, method, model, level)
    knapp = ci == "hksj" and model == "random" and len(used.yi) > 1
    y, v = used.yi, used.vi
    estimate, variance, between, q, w = _pool(used, method, model, tau2)
    if knapp:
        variance = float((w * (y - estimate) ** 2).sum() / (len(y) - 1) / w.sum())
    weights = np.zeros(rows.yi.shape)
    weights[rows.estimable] = 100 * w / w.sum()
    i2 = _share(between, v, q, reml=tau2 == "REML" and model == "random")
    found = (estimate, float(np.sqrt(variance)), between, q, i2)
    words = (method, model, level)
    return _finish(rows, found, weights, words, knapp=knapp, prediction=prediction)


def _check(method: str, model: str, tau2: str, ci: str) -> None:
    for name, value, allowed in (
        ("method", method, METHODS),
        ("model", model, MODELS),
        ("tau2", tau2, ("DL", "REML")),
        ("ci", ci, ("wald", "hksj")),
    ):
        if value not in allowed:
            raise ValueError(f"{name} must be one of {list(allowed)}, not {value!r}")


def _pool(
    used: Rows, method: str, model: str, tau2: str
) -> tuple[float, float, float, float, Array]:
    """Return estimate, variance, tau2, Q and weights of rows that all are estimable."""
    y, v = used.yi, used.vi
    w = 1 / v
    if len(y) == 1:  # its own effect: for RD the Mantel-Haenszel variance is another
        return float(y[0]), float(v[0]), 0.0, 0.0, w
    estimate, variance, weights = float((w * y).sum() / w.sum()), 1 / float(w.sum()), w
    if method == "MH":
        estimate, variance, weights = _mantel_haenszel(used)
    q = float(((y - estimate) ** 2 / v).sum())
    if model == "fixed":
        return estimate, variance, 0.0, q, weights
    between = _find_tau2(y, v, q, tau2)
    w = 1 / (v + between)
    return float((w * y).sum() / w.sum()), 1 / float(w.sum()), between, q, w


def _share(between: float, v: Array, q: float, *, reml: bool) -> float:
    """Return I² in percent: from Q, or from tau2 where it is REML's (RevMan Web)."""
    k = len(v)
    if k < 2:
        return 0.0
    if not reml:
        return max(0.0, 100 * (q - (k - 1)) / q) if q > 0 else 0.0
    w = 1 / v
    typical = (k - 1) * w.sum() / (w.sum() ** 2 - (w * w).sum())
    return float(100 * between / (between + typical))


def _finish(
    rows: Rows,
    found: tuple[float, float, float, float, float],
    weights: Array,
    words: tuple[str, str, float],
    *,
    knapp: bool,
    prediction: bool,
) -> Total:
    method, model, level = words
    estimate, se, between, q, i2 = found
    k = int(rows.estimable.sum())
    df = np.array(float(k - 1) if knapp else NAN)
    reach = float(find_critical(level, df)) * se
    with np.errstate(all="ignore"):
        statistic = float(np.divide(estimate, se))
    q_df = float(k - 1)
    foretold = prediction and model == "random" and k > 2
    far = float(find_critical(level, df)) * float(np.sqrt(between + se**2)) if foretold else NAN
    test = "knha" if knapp else "z"
    pi_code = describe_prediction("DL" if model == "random" else "EE", test, "default")
    if model == "random" and not foretold:
        few = {1: "prediction.none_one", 2: "prediction.none_two"}
        pi_code = Message(few.get(k, "prediction.not_asked"))
    return Total(
        k=k,
        k_rows=rows.yi.size,
        estimate=estimate,
        se=se,
        ci_low=estimate - reach,
        ci_high=estimate + reach,
        statistic=statistic,
        p_value=float(find_p_value(np.array(statistic), df)),
        df=float(df),
        pi_low=estimate - far,
        pi_high=estimate + far,
        tau2=between,
        q=q,
        q_df=q_df,
        q_p_value=float(find_chi2_tail(np.array(q), np.array(q_df))),
        i2=i2,
        h2=100 / (100 - i2) if i2 < 100 else NAN,
        weights=weights,
        method=method,
        model=model,
        level=level,
        remark=NOTE_ONE if k == 1 else "",
        ci_code=describe_test(test) if k > 1 else Message("interval.pooled_z_one"),
        pi_code=pi_code,
    )


def _none(rows: Rows, method: str, model: str, level: float) -> Total:
    """Return a total without a number."""
    numbers = dict.fromkeys(_NUMBERS, NAN)
    return Total(
        k=0,
        k_rows=rows.yi.size,
        weights=np.zeros(rows.yi.shape),
        method=method,
        model=model,
        level=level,
        remark=Message(NOTE_NOT_ESTIMABLE),
        ci_code=describe_test("z"),
        pi_code=Message("prediction.none_none"),
        **numbers,
    )


def compare_totals(totals: list[Total]) -> tuple[float, float, float]:
    """Test whether subgroups differ: Q of the subtotals by their own errors, its df and p value.

    The subtotals' standard errors are those of their intervals, random and fixed alike; without two
    that are estimable all three are NaN.
    """
    there = [one for one in totals if one.estimable]
    if len(there) < 2:
        return NAN, NAN, NAN
    y = np.array([one.estimate for one in there])
    w = np.array([one.se**-2.0 for one in there])
    q = float((w * (y - (w * y).sum() / w.sum()) ** 2).sum())
    df = float(len(there) - 1)
    return q, df, float(find_chi2_tail(np.array(q), np.array(df)))
