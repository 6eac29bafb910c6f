"""Small-study effects: whether small studies show other effects than large ones.

Tests of funnel asymmetry (Egger's regression and its variants, Begg and Mazumdar's rank
correlation) and the estimate at infinite precision (PET, PEESE). Trim and fill is in
:mod:`headway.meta.trim_fill`, selection models are in :mod:`headway.meta.selection`, the count of
significant results is in :mod:`headway.meta.excess`, Henmi and Copas's interval in
:mod:`headway.meta.henmi_copas`. There is no fail-safe N, on purpose: its null hypothesis is of no
interest and its answer rests on the assumed mean of the unseen (Cochrane Handbook, section 13).

An asymmetric funnel has many causes; none of these functions can tell publication bias from
heterogeneity, poor conduct of small trials or chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.effects.shared import describe_positions
from headway.messages import join
from headway.meta.batch import prepare_batch, read_numbers, read_pair
from headway.meta.distributions import check_level, find_critical, find_p_value
from headway.meta.notes import Tabled
from headway.meta.pooling import print_p

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

MIN_STUDIES = 3
FEW_STUDIES = 10
NOTE_FEW = "note.few_for_asymmetry"
# A predictor that varies by less than this share of its size is constant up to rounding.
CONSTANT = 1e-10
# Numbers that differ by less than this share of their size are ties: 0.3 - 0.2 and 0.1 are the same
# effect, and must be in every unit.
TIED = 1e-12

PREDICTORS: dict[str, str] = {
    "sei": "standard error",
    "vi": "sampling variance",
    "ni": "sample size",
    "ninv": "inverse of the sample size",
    "sqrtni": "root of the sample size",
    "sqrtninv": "inverse root of the sample size",
}
# The predictors that vanish for an infinitely large study: only there is the intercept a limit.
_WITH_LIMIT = ("sei", "vi", "ninv", "sqrtninv")


def read_studies(
    yi: ArrayLike, vi: ArrayLike, what: str, minimum: int = MIN_STUDIES
) -> tuple[Array, Array]:
    """Return one set of at least `minimum` effects and variances.

    Raises
    ------
    ValueError
        More than one dimension, other lengths, effects that are not finite, variances that are
        not finite and above 0, or too few studies for `what`.
    """
    y, v = read_pair(yi, vi)
    if y.size < minimum:
        raise ValueError(f"{what} needs at least {minimum} studies, not {y.size}")
    prepare_batch(y, v)  # refuses what is not finite, with its positions
    return y, v


def note_few(k: int) -> str:
    """Return the warning about few studies, or nothing."""
    return NOTE_FEW if k < FEW_STUDIES else ""


# ── weighted straight line ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, repr=False)
class Line(Tabled):
    """Effects regressed on a predictor: weights 1/vi, dispersion estimated.

    Attributes
    ----------
    k : int
        Studies.
    estimate, se, statistic, p_value, ci_low, ci_high : ndarray, shape (2,)
        Intercept (unit of ``yi``) and slope (unit of ``yi`` per unit of the predictor).
    df : float
        k − 2, of Student's t.
    name, predictor : str
        ``PET`` and ``sei``, ``PEESE`` and ``vi``, or ``line`` and what it was.
    level : float
        Coverage of the limits.
    remark : str
    """

    k: int
    estimate: Array
    se: Array
    statistic: Array
    p_value: Array
    ci_low: Array
    ci_high: Array
    df: float
    name: str
    predictor: str
    level: float
    remark: str

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per coefficient."""
        import pandas as pd

        names = ("estimate", "se", "ci_low", "ci_high", "statistic", "p_value")
        frame = pd.DataFrame({"coefficient": ["intercept", self.predictor]})
        for name in names:
            frame[name] = getattr(self, name)
        return frame.assign(df=self.df, k=self.k, model=self.name, level=self.level, note=self.note)

    def __repr__(self) -> str:
        return (
            f"Line({self.name}, k={self.k}: {self.estimate[0]:.4g} [{self.ci_low[0]:.4g}, "
            f"{self.ci_high[0]:.4g}], slope on {self.predictor} {self.estimate[1]:.4g}, "
            f"{print_p(float(self.p_value[1]))})"
        )


def _check_spread(x: Array, predictor: str) -> None:
    if np.ptp(x) <= CONSTANT * np.abs(x).max():
        raise ValueError(
            f"the {PREDICTORS.get(predictor, predictor)} is the same in all studies: effects "
            "cannot be regressed on it"
        )


def fit_line(y: Array, v: Array, x: Array, name: str, predictor: str, level: float) -> Line:
    """Fit a straight line by least squares with weights 1/v and a dispersion of its own."""
    _check_spread(x, predictor)
    # Weights of mean 1, and everything about its weighted mean: no digits are lost to the unit.
    w = (1 / v) / np.mean(1 / v)
    total = w.sum()
    centre, mean = (w * x).sum() / total, (w * y).sum() / total
    dx, dy = x - centre, y - mean
    sxx = (w * dx**2).sum()
    slope = (w * dx * dy).sum() / sxx
    df = float(y.size - 2)
    left = dy - slope * dx
    # A line through all effects leaves rounding only.
    exact = (w * left**2).sum() <= 1e-24 * (w * y**2).sum()
    dispersion = 0.0 if exact else (w * left**2).sum() / df
    estimate = np.array([mean - slope * centre, slope])
    se = np.sqrt(dispersion * np.array([1 / total + centre**2 / sxx, 1 / sxx]))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / se
    freedom = np.full(2, df)
    half = find_critical(level, freedom) * se
    notes = [note_few(y.size)]
    if exact:
        notes.append("note.exact_line")
        # What is 0 up to rounding has no test.
        statistic = np.full(2, np.nan)
    return Line(
        k=y.size,
        estimate=estimate,
        se=se,
        statistic=statistic,
        p_value=find_p_value(statistic, freedom),
        ci_low=estimate - half,
        ci_high=estimate + half,
        df=df,
        name=name,
        predictor=predictor,
        level=level,
        remark=join(notes),
    )


# ── Egger's test and its variants ─────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, repr=False)
class AsymmetryTest(Tabled):
    """A regression test of funnel asymmetry.

    Attributes
    ----------
    statistic, df, p_value : float
        Test of the predictor's slope; `df` is NaN where it is normal.
    limit, ci_low, ci_high : float
        Fitted effect of an infinitely large study, in the unit of ``yi``; NaN for predictors that
        grow with the study (``ni``, ``sqrtni``).
    k, model, method, predictor, level, remark
        What was asked for; `method` is the estimator of tau2, "" for ``lm``.
    """

    statistic: float
    df: float
    p_value: float
    limit: float
    ci_low: float
    ci_high: float
    k: int
    model: str
    method: str
    predictor: str
    level: float
    remark: str

    def __repr__(self) -> str:
        name = "z" if np.isnan(self.df) else f"t({self.df:g})"
        model = f"{self.model} {self.method}".strip()
        return (
            f"AsymmetryTest({model}, {self.predictor}, k={self.k}: {name} = "
            f"{self.statistic:.3g}, {print_p(self.p_value)})"
        )


def _find_predictor(predictor: str, v: Array, ni: ArrayLike | None) -> Array:
    if predictor not in PREDICTORS:
        raise ValueError(f"predictor must be one of {list(PREDICTORS)}, not {predictor!r}")
    if predictor in ("sei", "vi"):
        return np.sqrt(v) if predictor == "sei" else v
    if ni is None:
        raise ValueError(f"predictor {predictor!r} needs the sample sizes: ni")
    n = read_numbers(ni, "ni")
    if n.shape != v.shape:
        raise ValueError(f"ni {n.shape} must hold one entry per study {v.shape}")
    bad = ~(np.isfinite(n) & (n > 0))
    if bad.any():
        raise ValueError(f"ni must be finite and above 0: see {describe_positions(bad)}")
    power = {"ni": 1.0, "ninv": -1.0, "sqrtni": 0.5, "sqrtninv": -0.5}[predictor]
    return np.asarray(n**power)


def regression_test(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    ni: ArrayLike | None = None,
    model: str = "rma",
    predictor: str = "sei",
    method: str = "REML",
    test: str = "z",
    level: float = 0.95,
) -> AsymmetryTest:
    """Test whether effects go with the size of their study (Egger's test and its variants).

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        Effects and sampling variances, k ≥ 3.
    ni : array_like, shape (k,), optional
        Sample sizes; needed for the predictors made of them.
    model : {"rma", "lm"}
        Mixed-effects meta-regression, or least squares with weights 1/vi and multiplicative
        dispersion (Egger's own is ``lm`` with ``sei``).
    predictor : {"sei", "vi", "ni", "ninv", "sqrtni", "sqrtninv"}
        Standard error, variance, sample size, its inverse, its root, the inverse of that root.
    method, test
        For ``rma``: estimator of tau2 and test, as for :func:`headway.meta.regress`.
    level : float
        Coverage of the limit's interval.

    Returns
    -------
    AsymmetryTest

    Raises
    ------
    ValueError
        Fewer than three studies; a predictor that does not vary or lacks `ni`; impossible input.

    Notes
    -----
    Egger et al. (1997); Sterne and Egger (2005), chapter 6, for the variants. With standardised
    mean differences and with ratios, ``sei`` is correlated with the effect itself: prefer
    ``sqrtninv`` there (Pustejovsky and Rodgers 2019).
    """
    check_level(level)
    if model not in ("rma", "lm"):
        raise ValueError(f"model must be 'rma' or 'lm', not {model!r}")
    y, v = read_studies(yi, vi, "a regression test")
    x = _find_predictor(predictor, v, ni)
    if model == "lm":
        line = fit_line(y, v, x, "line", predictor, level)
        slope = float(line.statistic[1]), line.df, float(line.p_value[1])
        limit = float(line.estimate[0]), float(line.ci_low[0]), float(line.ci_high[0])
        method, remark = "", line.remark
    else:
        from headway.meta.regression import regress

        _check_spread(x, predictor)
        fit = regress(y, v, {predictor: x}, method=method, test=test, level=level)
        slope = float(fit.statistic[1]), float(fit.df), float(fit.p_value[1])
        limit = float(fit.estimate[0]), float(fit.ci_low[0]), float(fit.ci_high[0])
        remark = note_few(y.size)
    if predictor not in _WITH_LIMIT:
        limit = (np.nan, np.nan, np.nan)
    return AsymmetryTest(*slope, *limit, y.size, model, method, predictor, level, remark)


# ── PET and PEESE ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, repr=False)
class PetPeese(Tabled):
    """The conditional estimator: PEESE where PET finds an effect, PET where it does not."""

    estimate: float
    se: float
    ci_low: float
    ci_high: float
    p_value: float
    chosen: str
    alpha: float
    k: int
    level: float
    remark: str

    def __repr__(self) -> str:
        return (
            f"PetPeese({self.chosen}, k={self.k}: {self.estimate:.4g} [{self.ci_low:.4g}, "
            f"{self.ci_high:.4g}])"
        )


def pet(yi: ArrayLike, vi: ArrayLike, *, level: float = 0.95) -> Line:
    """Regress effects on their standard errors; the intercept is the precision-effect test.

    Parameters and errors as for :func:`regression_test`. Stanley (2008).
    """
    y, v = read_studies(yi, vi, "PET")
    return fit_line(y, v, np.sqrt(v), "PET", "sei", check_level(level))


def peese(yi: ArrayLike, vi: ArrayLike, *, level: float = 0.95) -> Line:
    """Regress effects on their variances; the intercept is the PEESE estimate.

    Parameters and errors as for :func:`regression_test`. Stanley and Doucouliagos (2014).
    """
    y, v = read_studies(yi, vi, "PEESE")
    return fit_line(y, v, v, "PEESE", "vi", check_level(level))


def pet_peese(
    yi: ArrayLike, vi: ArrayLike, *, alpha: float = 0.10, level: float = 0.95
) -> PetPeese:
    """Estimate the effect of an infinitely precise study, conditionally on PET.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        Effects and sampling variances, k ≥ 3.
    alpha : float
        PEESE is used where the two-sided p-value of PET's intercept is below it; 0.10 is the
        one-sided 5 % of the source, in the direction of the estimate.
    level : float
        Coverage of the interval.

    Notes
    -----
    Stanley and Doucouliagos (2014), section 3. Unreliable with few studies, with much
    heterogeneity or where all studies are small (Stanley 2017).
    """
    if not 0 < alpha < 1:
        raise ValueError("alpha must lie between 0 and 1, for example 0.10")
    first = pet(yi, vi, level=level)
    line = peese(yi, vi, level=level) if first.p_value[0] < alpha else first
    numbers = (line.estimate, line.se, line.ci_low, line.ci_high, line.p_value)
    estimate, se, low, high, p = (float(value[0]) for value in numbers)
    return PetPeese(estimate, se, low, high, p, line.name, alpha, line.k, level, line.remark)


# ── rank correlation ──────────────────────────────────────────────────────────────────────────

# Up to here the null distribution of Kendall's tau is counted; k³/2 additions.
EXACT_UP_TO = 500


@dataclass(frozen=True, slots=True, repr=False)
class RankTest(Tabled):
    """Kendall's tau between standardised effects and variances.

    `exact` tells whether the p-value is exact (no ties, at most 500 studies) or normal.
    """

    tau: float
    p_value: float
    exact: bool
    k: int
    remark: str

    def __repr__(self) -> str:
        return f"RankTest(k={self.k}: tau = {self.tau:.3g}, {print_p(self.p_value)})"


def sort_ties(values: Array, size: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ascending order of `values` and the number of the tie each one belongs to.

    Values within `TIED` times `size` of their neighbour are one tie, in the order given.
    """
    order = np.argsort(values, kind="stable")
    group = np.concatenate([[0], np.cumsum(np.diff(values[order]) > TIED * size)])
    again = np.lexsort((order, group))
    return order[again], group


def _merge_ties(values: Array) -> Array:
    """Return numbers in the order of `values`, the same for those that are equal up to rounding."""
    order, group = sort_ties(values, float(np.abs(values).max()))
    merged = np.empty(values.size)
    merged[order] = group
    return merged


def _count_inversions(n: int) -> Array:
    """Return the probability of 0, 1, 2… discordant pairs of n in random order."""
    chance = np.ones(1)
    for i in range(2, n + 1):
        total = np.concatenate([[0.0], np.cumsum(np.concatenate([chance, np.zeros(i - 1)]))])
        size = total.size - 1
        chance = (total[1:] - total[np.maximum(np.arange(1, size + 1) - i, 0)]) / i
    return chance


def rank_test(yi: ArrayLike, vi: ArrayLike) -> RankTest:
    """Test funnel asymmetry by rank correlation (Begg and Mazumdar).

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        Effects and sampling variances, k ≥ 3.

    Returns
    -------
    RankTest
        NaN with a note where all variances are equal.

    Notes
    -----
    Begg and Mazumdar (1994): effects about the common-effect mean, over the root of their own
    variance minus that of the mean, against the variances. Without ties the p-value is exact;
    with ties it is tau-b's, normal, with the variance of Kendall (1970), chapter 4.
    """
    y, v = read_studies(yi, vi, "a rank test")
    n = y.size
    w = 1 / v
    about = y - (w * (y - y[0])).sum() / w.sum() - y[0]
    # v − 1/Σw, written so that it stays positive for a study that has nearly all the weight.
    others = w.sum() - w
    for i in np.flatnonzero(2 * w > w.sum()):
        others[i] = np.delete(w, i).sum()
    z = _merge_ties(about / np.sqrt(v * others / w.sum()))
    v = _merge_ties(v)
    above = np.triu_indices(n, 1)
    dz, dv = np.sign(z[:, None] - z)[above], np.sign(v[:, None] - v)[above]
    s = float((dz * dv).sum())
    pairs = n * (n - 1) / 2
    untied = np.sqrt(float((dz**2).sum()) * float((dv**2).sum()))
    if untied == 0:
        return RankTest(np.nan, np.nan, False, n, join(["note.no_ranking", note_few(n)]))
    exact = bool((dz != 0).all() and (dv != 0).all()) and n <= EXACT_UP_TO
    if exact:
        chance = _count_inversions(n)
        concordant = round((s + pairs) / 2)
        low = chance[: concordant + 1].sum()
        high = chance[concordant:].sum()
        p = min(1.0, 2 * float(min(low, high)))
    else:
        t = np.unique(z, return_counts=True)[1].astype(float)
        u = np.unique(v, return_counts=True)[1].astype(float)
        single = [(c * (c - 1) * (2 * c + 5)).sum() for c in (np.array([float(n)]), t, u)]
        pair = (t * (t - 1)).sum() * (u * (u - 1)).sum()
        triple = (t * (t - 1) * (t - 2)).sum() * (u * (u - 1) * (u - 2)).sum()
        variance = (single[0] - single[1] - single[2]) / 18 + pair / (2 * n * (n - 1))
        variance += triple / (9 * n * (n - 1) * (n - 2))
        p = float(find_p_value(np.array(s / np.sqrt(variance)), np.array(np.nan)))
    return RankTest(s / untied, p, exact, n, note_few(n))
