"""Pooling 2 x 2 tables as they are: Mantel-Haenszel and Peto.

Neither needs a continuity correction, which makes them the methods for rare events. Heterogeneity
is measured by the tables' own effects, as in metafor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.effects.measures import MEASURES, measure_two_by_two
from headway.effects.shared import describe_positions
from headway.messages import join, say_in_english, term
from headway.meta.batch import read_numbers
from headway.meta.distributions import (
    check_level,
    find_chi2_tail,
    find_critical,
    find_p_value,
)
from headway.meta.notes import Tabled
from headway.meta.pooling import print_p

Array = NDArray[np.float64]

NOTE_ONE = "note.one_table"
NOTE_UNDEFINED = "note.undefined_ratio"
NOTE_FLAT = "note.all_alike"


@dataclass(frozen=True, slots=True, repr=False)
class TwoByTwoFit(Tabled):
    """A pooled 2 x 2 effect. NaN means "not defined".

    Attributes
    ----------
    k : int
        Tables pooled, all of them.
    k_effects : int
        Tables with an effect of their own, which `q` is about.
    k_empty : int
        Tables in which nobody, or everybody, of both groups had the event: they say nothing on a
        ratio (they add nothing to its sums), and do weigh in a risk difference.
    estimate, se, ci_low, ci_high, statistic, p_value : float
        Log scale for ratios; normal.
    q, q_df, q_p_value, i2, h2 : float
        Heterogeneity of the tables' effects about the estimate; I² in percent.
    cmh, cmh_p_value : float
        Cochran-Mantel-Haenszel test of no association, on 1 df (``OR`` only).
    breslow_day, tarone, tests_df, breslow_day_p_value, tarone_p_value : float
        Tests of a common odds ratio, without and with Tarone's correction (``OR`` only).
    method, measure, level, definition, remark
        What it is; `note` says the remark in English.
    """

    k: int
    k_effects: int
    k_empty: int
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    statistic: float
    p_value: float
    q: float
    q_df: float
    q_p_value: float
    i2: float
    h2: float
    cmh: float
    cmh_p_value: float
    breslow_day: float
    breslow_day_p_value: float
    tarone: float
    tarone_p_value: float
    tests_df: float
    method: str
    measure: str
    level: float
    definition: str
    remark: str

    def summary(self) -> str:
        """Return the result as a statistician would print it."""
        tables = "table" if self.k == 1 else "tables"
        low, high = self.ci_low, self.ci_high
        lines = [
            f"{self.method} meta-analysis of {self.k} {tables} ({_name(self.measure)})",
            "",
            f"estimate  {self.estimate:.4f} (SE {self.se:.4f}), {100 * self.level:g} % CI "
            f"{low:.4f} to {high:.4f}, z = {self.statistic:.2f}, {print_p(self.p_value)}",
        ]
        scale = MEASURES[self.measure].scale
        if scale.transform:
            ratio, low, high = scale.back([self.estimate, low, high])
            lines.append(f"          as a ratio {ratio:.4f}, {low:.4f} to {high:.4f}")
        lines.append(
            f"heterogeneity: I2 = {self.i2:.1f} %, H2 = {self.h2:.2f}; Q({self.q_df:g}) = "
            f"{self.q:.2f}, {print_p(self.q_p_value)}, of {self.k_effects} tables"
        )
        if not np.isnan(self.cmh):
            lines.append(
                f"Cochran-Mantel-Haenszel test: {self.cmh:.2f}, {print_p(self.cmh_p_value)}"
            )
        if not np.isnan(self.tarone_p_value):
            lines.append(
                f"common odds ratio: Breslow-Day X2({self.tests_df:g}) = {self.breslow_day:.2f}, "
                f"{print_p(self.breslow_day_p_value)}; Tarone {self.tarone:.2f}, "
                f"{print_p(self.tarone_p_value)}"
            )
        if self.k_empty:
            noun = "table" if self.k_empty == 1 else "tables"
            lines.append(f"{self.k_empty} {noun} without an event, or with events only, in both")
        if self.note:
            lines.append(f"note: {self.note}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return (
            f"TwoByTwoFit({self.method}, {self.measure}, k={self.k}: {self.estimate:.4g} "
            f"[{self.ci_low:.4g}, {self.ci_high:.4g}], I2={self.i2:.1f} %)"
        )


def _name(measure: str) -> str:
    """Name what is pooled."""
    name = say_in_english(term("unit", MEASURES[measure].unit_yi))
    return f"{name}, Peto's one-step estimate" if measure == "PETO" else name


# ── reading ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Cells:
    """2 x 2 tables: events and others of group 1 (`a`, `b`) and of group 2 (`c`, `d`)."""

    a: Array
    b: Array
    c: Array
    d: Array

    @property
    def n1(self) -> Array:
        """Participants of group 1."""
        return self.a + self.b

    @property
    def n2(self) -> Array:
        """Participants of group 2."""
        return self.c + self.d

    @property
    def n(self) -> Array:
        """Participants."""
        return self.n1 + self.n2

    @property
    def events(self) -> Array:
        """Participants of both groups with the event."""
        return self.a + self.c

    @property
    def others(self) -> Array:
        """Participants of both groups without the event."""
        return self.b + self.d

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Whether nobody, or everybody, of both groups had the event."""
        return (self.events == 0) | (self.others == 0)

    def residuals(self) -> Array:
        """Return observed minus expected events of group 1."""
        return self.a - self.events * (self.n1 / self.n)

    def variance(self) -> Array:
        """Return the hypergeometric variances of the events in group 1."""
        return (self.n1 / self.n) * (self.n2 / self.n) * self.events * self.others / (self.n - 1)

    def add(self, half: Array) -> Cells:
        """Return the tables with `half` added to each of their four cells."""
        return Cells(self.a + half, self.b + half, self.c + half, self.d + half)

    def take(self, at: NDArray[np.int64] | NDArray[np.bool_]) -> Cells:
        """Return some of the tables."""
        return Cells(self.a[at], self.b[at], self.c[at], self.d[at])


def _read_tables(a: ArrayLike, b: ArrayLike, c: ArrayLike, d: ArrayLike) -> Cells:
    cells = {n: read_numbers(x, n) for n, x in {"a": a, "b": b, "c": c, "d": d}.items()}
    shapes = {x.shape for x in cells.values()}
    if len(shapes) > 1 or cells["a"].ndim != 1:
        raise ValueError("a, b, c and d must be rows of counts, one entry per table, equally long")
    if cells["a"].size == 0:
        raise ValueError("no tables to pool")
    for name, count in cells.items():
        bad = ~(np.isfinite(count) & (count >= 0))
        if bad.any():
            raise ValueError(f"{name} must be finite and at least 0: see {describe_positions(bad)}")
    for first, second in (("a", "b"), ("c", "d")):
        bad = cells[first] + cells[second] < 1
        if bad.any():
            raise ValueError(
                f"{first} + {second} must be at least 1 patient: see {describe_positions(bad)}"
            )
    return Cells(**cells)


# ── estimates ─────────────────────────────────────────────────────────────────────────────────


def _estimate_or(t: Cells) -> tuple[float, float]:
    """Mantel and Haenszel (1959); variance: Robins, Breslow and Greenland (1986), equation 3."""
    p, q = (t.a + t.d) / t.n, (t.b + t.c) / t.n
    r, s = (t.a / t.n) * t.d, (t.b / t.n) * t.c
    rs, ss = r.sum(), s.sum()
    if rs == 0 or ss == 0:
        return np.nan, np.nan
    variance = (p * r).sum() / rs**2 + (p * s + q * r).sum() / (rs * ss) + (q * s).sum() / ss**2
    return float(np.log(rs / ss)), float(np.sqrt(variance / 2))


def _estimate_rr(t: Cells) -> tuple[float, float]:
    """Mantel-Haenszel risk ratio; variance: Greenland and Robins (1985), equation 13."""
    r, s = (t.a * (t.n2 / t.n)).sum(), (t.c * (t.n1 / t.n)).sum()
    if r == 0 or s == 0:
        return np.nan, np.nan
    terms = (t.n1 / t.n) * (t.n2 / t.n) * t.events - (t.a / t.n) * t.c
    return float(np.log(r / s)), float(np.sqrt(max(0.0, terms.sum()) / (r * s)))


def _estimate_rd(t: Cells) -> tuple[float, float]:
    """Mantel-Haenszel risk difference; variance: Sato, Greenland and Robins (1989)."""
    share1, share2 = t.n1 / t.n, t.n2 / t.n
    total = (t.n1 * share2).sum()
    estimate = (t.a * share2 - t.c * share1).sum() / total
    first = t.c * share1**2 - t.a * share2**2 + share1 * share2 * (t.n2 - t.n1) / 2
    second = (t.a * t.d + t.c * t.b) / t.n
    variance = (estimate * first.sum() + second.sum() / 2) / total**2
    return float(estimate), float(np.sqrt(max(0.0, variance)))


def _test_association(t: Cells, correct: bool) -> float:
    """Return the Cochran-Mantel-Haenszel statistic (Mantel and Haenszel 1959)."""
    spread = t.variance().sum()
    if spread == 0:
        return np.nan
    # As in metafor, the correction of 0.5 is taken off even where less is left.
    return float((abs(float(t.residuals().sum())) - (0.5 if correct else 0.0)) ** 2 / spread)


def _test_homogeneity(t: Cells, log_or: float) -> tuple[float, float, float]:
    """Return the statistics of Breslow and Day (1980) and Tarone (1985), and their df."""
    if np.isnan(log_or):
        return np.nan, np.nan, np.nan
    ratio = np.exp(log_or)
    n1, n2, x = t.n1, t.n2, t.events
    # Expected events in group 1 under the common ratio: the root of a quadratic, in the form that
    # does not subtract equals (nor divide by 0 at a ratio of 1).
    middle = ratio * (n1 + x) + (n2 - x)
    root = np.sqrt(np.maximum(middle**2 - 4 * n1 * x * ratio * (ratio - 1), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        plus, minus = 2 * ratio * n1 * x / (middle + root), (middle - root) / (2 * (ratio - 1))
    expected = np.where(middle >= 0, plus, minus)
    held = (expected > 0) & (x > 0) & (t.others > 0)
    e, n1, n2, x = expected[held], n1[held], n2[held], x[held]
    precision = 1 / e + 1 / (n1 - e) + 1 / (x - e) + 1 / (n2 - x + e)
    off = t.a[held] - e
    breslow_day = float((off**2 * precision).sum())
    tarone = max(0.0, breslow_day - float(off.sum() ** 2 / (1 / precision).sum()))
    return breslow_day, tarone, float(held.sum() - 1)


def _finish(
    t: Cells,
    estimate: float,
    se: float,
    q: float,
    k_effects: int,
    level: float,
    tests: tuple[float, float, float, float],
    words: tuple[str, str, str],
) -> TwoByTwoFit:
    normal = np.array(np.nan)
    statistic = float(np.divide(estimate, se)) if se > 0 else np.nan
    reach = float(find_critical(level, normal)) * se
    q_df = float(max(k_effects - 1, 0))
    if k_effects < 2:
        q, q_p, i2, h2 = 0.0, 1.0, 0.0, 1.0
    else:
        q_p = float(find_chi2_tail(np.array(q), np.array(q_df)))
        i2 = max(0.0, 100 * (1 - q_df / q)) if q > 0 else q * 0.0
        h2 = q / q_df
    cmh, breslow_day, tarone, df = tests
    one = np.array(1.0)
    freedom = np.array(df)

    def find_tail(value: float) -> float:
        return float(find_chi2_tail(np.array(value), freedom)) if df > 0 else np.nan

    method, measure, definition = words
    notes = [
        NOTE_ONE if t.a.size == 1 else "",
        NOTE_UNDEFINED if np.isnan(estimate) else "",
        NOTE_FLAT if se == 0 else "",
    ]
    return TwoByTwoFit(
        k=t.a.size,
        k_effects=k_effects,
        k_empty=int(t.empty.sum()),
        estimate=estimate,
        se=se,
        ci_low=estimate - reach,
        ci_high=estimate + reach,
        statistic=statistic,
        p_value=float(find_p_value(np.array(statistic), normal)),
        q=q,
        q_df=q_df,
        q_p_value=q_p,
        i2=i2,
        h2=h2,
        cmh=cmh,
        cmh_p_value=float(find_chi2_tail(np.array(cmh), one)) if not np.isnan(cmh) else np.nan,
        breslow_day=breslow_day,
        breslow_day_p_value=find_tail(breslow_day),
        tarone=tarone,
        tarone_p_value=find_tail(tarone),
        tests_df=df,
        method=method,
        measure=measure,
        level=level,
        definition=definition,
        remark=join(notes),
    )


_ESTIMATES = {"OR": _estimate_or, "RR": _estimate_rr, "RD": _estimate_rd}


def mantel_haenszel(
    *,
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike,
    d: ArrayLike,
    measure: str = "OR",
    add: float = 0.5,
    to: str = "only0",
    correct: bool = True,
    level: float = 0.95,
) -> TwoByTwoFit:
    """Pool 2 x 2 tables by Mantel and Haenszel's weights.

    Parameters
    ----------
    a, b : array_like, shape (k,)
        Patients with and without the event in group 1 (treatment), ≥ 0.
    c, d : array_like, shape (k,)
        The same in group 2 (control).
    measure : {"OR", "RR", "RD"}
        Log odds ratio, log risk ratio, risk difference.
    add, to
        Continuity correction of the tables' own effects, as for
        :func:`headway.effects.measure_two_by_two`. It enters Q, I² and H² only: the estimate
        needs none.
    correct : bool
        Whether the Cochran-Mantel-Haenszel test subtracts 0.5 (Yates).
    level : float
        Coverage.

    Returns
    -------
    TwoByTwoFit
        NaN with a note where the ratio is 0, infinite or unknown. Tables without any event (or
        with events only) in both groups are counted in `k_empty`; they enter the sums with what
        they hold and have no effect of their own in Q.

    Raises
    ------
    ValueError
        Unknown `measure` or `to`, counts that are not finite or below 0, a group without
        patients, with positions; no tables.

    Notes
    -----
    Mantel and Haenszel (1959); standard errors: Robins, Breslow and Greenland (1986), Greenland
    and Robins (1985), Sato, Greenland and Robins (1989); homogeneity: Breslow and Day (1980),
    Tarone (1985).
    """
    if measure not in _ESTIMATES:
        raise ValueError(f"measure must be one of {list(_ESTIMATES)}, not {measure!r}")
    check_level(level)
    t = _read_tables(a, b, c, d)
    estimate, se = _ESTIMATES[measure](t)
    yi, vi = measure_two_by_two(measure, a=t.a, b=t.b, c=t.c, d=t.d, add=add, to=to)
    known = ~t.empty & np.isfinite(yi) & np.isfinite(vi)
    with np.errstate(divide="ignore"):
        q = float(((yi[known] - estimate) ** 2 / vi[known]).sum())
    tests = (np.nan, np.nan, np.nan, np.nan)
    if measure == "OR":
        tests = (_test_association(t, correct), *_test_homogeneity(t, estimate))
    words = ("Mantel-Haenszel", measure, f"Mantel-Haenszel {_name(measure)}")
    return _finish(t, estimate, se, q, int(known.sum()), level, tests, words)


def peto(
    *, a: ArrayLike, b: ArrayLike, c: ArrayLike, d: ArrayLike, level: float = 0.95
) -> TwoByTwoFit:
    """Pool 2 x 2 tables by Peto's one-step odds ratio.

    Parameters
    ----------
    a, b, c, d, level
        As for :func:`mantel_haenszel`.

    Returns
    -------
    TwoByTwoFit
        Log odds ratio. Good for rare events, small effects and groups of like size; biased
        otherwise (Greenland and Salvan 1990).

    Raises
    ------
    ValueError
        As :func:`mantel_haenszel`; also where every table is empty: nothing is observed then.

    Notes
    -----
    Yusuf et al. (1985): observed minus expected events over their hypergeometric variance.
    """
    check_level(level)
    t = _read_tables(a, b, c, d)
    spread = t.variance()
    total = float(spread.sum())
    if total == 0:
        raise ValueError(
            "Peto's method needs a table in which some patients had the event and some did not"
        )
    residuals = t.residuals()
    off = float(residuals.sum())
    some = spread > 0
    q = max(0.0, float((residuals[some] ** 2 / spread[some]).sum()) - off**2 / total)
    nothing = (np.nan, np.nan, np.nan, np.nan)
    words = ("Peto", "PETO", _name("PETO"))
    return _finish(t, off / total, total**-0.5, q, int(some.sum()), level, nothing, words)
