"""Meta-regression: how effects go with what the studies were like."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.messages import say_in_english
from headway.meta.batch import Batch, prepare_batch, prepare_weights
from headway.meta.design import Design, build_design, orthonormalise
from headway.meta.distributions import (
    check_level,
    find_chi2_tail,
    find_critical,
    find_f_tail,
    find_p_value,
)
from headway.meta.methods import describe_regression, write
from headway.meta.mixed import (
    compute_mixed_log_likelihood,
    compute_mixed_se_tau2,
    estimate_mixed,
    find_determined,
    prepare_mixed,
    solve,
    trace_p,
)
from headway.meta.notes import Described, Text
from headway.meta.pooling import (
    FEWEST,
    NOTE_EQUAL,
    Array,
    Count,
    Number,
    check_prediction,
    check_test,
    describe_prediction,
    describe_test,
    find_prediction_df,
    print_p,
)
from headway.meta.tau2 import NAMES, check_method, compute_genq, compute_q, estimate_tau2

if TYPE_CHECKING:
    import pandas as pd

Moderators = Mapping[str, Sequence[Any] | ArrayLike] | Design

NOTE_SATURATED = "note.saturated"
NOTE_UNDETERMINED = "note.undetermined"
NOTE_FEW = "note.few_per_coefficient"


@dataclass(frozen=True, slots=True)
class Predicted:
    """Fitted effects at chosen moderators: arrays with one entry per row asked for."""

    estimate: Array
    se: Array
    ci_low: Array
    ci_high: Array
    pi_low: Array
    pi_high: Array
    pi_code: str

    @property
    def pi_method(self) -> str:
        """The prediction interval in English."""
        return say_in_english(self.pi_code)

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per prediction."""
        import pandas as pd

        columns = ("estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high")
        return pd.DataFrame({name: getattr(self, name) for name in columns})


@dataclass(frozen=True, slots=True, repr=False)
class Regression(Described):
    """A mixed-effects meta-regression, or a batch of them.

    Coefficients run along the last axis, p of them; everything else is a float for one set of
    studies and an array of the leading shape for a batch. NaN means "not defined".

    Attributes
    ----------
    names : tuple of str
        Coefficients: ``intercept``, ``year``, ``alloc[random]``.
    k : int
        Studies.
    estimate, se, statistic, p_value, ci_low, ci_high : ndarray, shape (..., p)
        Coefficients in the unit of ``yi`` per unit of the moderator.
    df : float
        Of the tests of single coefficients; NaN where they are normal.
    vcov : ndarray, shape (..., p, p)
    qm, qm_df, qm_df2, qm_p_value : float
        Omnibus test of all coefficients but the intercept: chi-squared on `qm_df`, or F with
        `qm_df` and `qm_df2` (NaN for chi-squared).
    terms : dict
        Per moderator the same four numbers; a factor's levels are tested together.
    tau2, se_tau2, i2, h2 : float
        Residual heterogeneity.
    r2 : float
        Share of the between-study variance of the model without moderators that they account for,
        in percent, at least 0 (Raudenbush 2009); adjusted R² under ``EE``; NaN without intercept.
    qe, qe_df, qe_p_value : float
        Test of residual heterogeneity.
    log_likelihood : float
        Restricted for ``REML``.
    weights : ndarray, shape (..., k)
        In percent.
    design : Design
    method, test, level, remark, ci_code
        As in :class:`headway.meta.Fit`; `note` and `ci_method` say them in English.
    """

    names: tuple[str, ...]
    k: Count
    estimate: Array
    se: Array
    statistic: Array
    p_value: Array
    ci_low: Array
    ci_high: Array
    df: Number
    vcov: Array
    qm: Number
    qm_df: int
    qm_df2: Number
    qm_p_value: Number
    terms: dict[str, tuple[Number, int, Number, Number]]
    tau2: Number
    se_tau2: Number
    i2: Number
    h2: Number
    r2: Number
    qe: Number
    qe_df: Number
    qe_p_value: Number
    log_likelihood: Number
    weights: Array
    design: Design
    method: str
    test: str
    level: float
    remark: Text
    ci_code: str

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per coefficient (and set)."""
        import pandas as pd

        p = len(self.names)
        sets = max(1, self.estimate.size // p)
        columns: dict[str, Any] = {}
        if np.shape(self.k):
            columns["set"] = np.repeat(np.arange(sets), p)
        columns["coefficient"] = np.tile(np.array(self.names, dtype=object), sets)
        for name in ("estimate", "se", "ci_low", "ci_high", "statistic"):
            columns[name] = np.ravel(getattr(self, name))
        columns["df"] = np.repeat(np.ravel(self.df), p)
        columns["p_value"] = np.ravel(self.p_value)
        frame = pd.DataFrame(columns)
        for name in ("method", "test", "level", "ci_method"):
            frame[name] = getattr(self, name)
        return frame

    def predict(
        self, moderators: Mapping[str, Sequence[Any] | ArrayLike], prediction: str = "default"
    ) -> Predicted:
        """Return fitted effects at chosen values of the moderators.

        Parameters
        ----------
        moderators : mapping of str to sequence
            Every moderator of the model; a factor's entries must be levels it had.
        prediction : {"default", "riley", "t"}
            Degrees of freedom of the prediction interval, as for :func:`headway.meta.pool`.

        Raises
        ------
        ValueError
            For a batch; moderators missing, unknown or with unknown levels.

        Notes
        -----
        The prediction interval adds tau2 to the squared standard error of the fitted effect; as
        for the mean of studies there is none with fewer than two degrees of freedom.
        """
        if not isinstance(self.k, int):
            raise ValueError("predict works on one regression, not on a batch")
        check_prediction(prediction)
        x = _build_rows(self.design, moderators)
        estimate = x @ self.estimate
        se = np.sqrt(np.einsum("ij,jk,ik->i", x, self.vcov, x))
        df = np.full(se.shape, self.df)
        half = find_critical(self.level, df) * se
        degrees = np.full(se.shape, self.k - len(self.names), dtype=np.float64)
        pi_df = find_prediction_df(df, degrees, prediction)
        reach = find_critical(self.level, np.where(pi_df == -1, 1.0, pi_df))
        reach = reach * np.sqrt(self.tau2 + se**2)
        reach[(pi_df == -1) | (self.method == "EE") | (degrees < FEWEST - 1)] = np.nan
        words = describe_prediction(self.method, self.test, prediction, len(self.names))
        return Predicted(
            estimate,
            se,
            estimate - half,
            estimate + half,
            estimate - reach,
            estimate + reach,
            words,
        )

    def methods_text(self, outcome: str = "") -> str:
        """Return the sentences a paper needs on how this was computed, with references."""
        return write(describe_regression(self, outcome))

    def summary(self) -> str:
        """Return the result as a statistician would print it."""
        if not isinstance(self.k, int):
            return f"{self!r}\nUse to_frame() for one row per set and coefficient."
        kind = "Common-effect" if self.method == "EE" else "Mixed-effects"
        head = f"{kind} meta-regression of {self.k} studies"
        if self.method != "EE":
            head += f" (tau2: {NAMES[self.method]})"
        width = max(map(len, self.names))
        normal = np.isnan(self.df)
        name = "z" if normal else f"t({self.df:g})"
        lines = [head, ""]
        for i, label in enumerate(self.names):
            lines.append(
                f"{label:{width}s}  {self.estimate[i]:9.4f} (SE {self.se[i]:.4f}), "
                f"{100 * self.level:g} % CI {self.ci_low[i]:.4f} to {self.ci_high[i]:.4f}, "
                f"{name} = {self.statistic[i]:.2f}, {print_p(float(self.p_value[i]))}"
            )
        lines.append(f"{'':{width}s}  {self.ci_method}")
        if np.isnan(self.qm_df2):
            test = f"QM({self.qm_df}) = {self.qm:.2f}"
        else:
            test = f"F({self.qm_df}, {self.qm_df2:g}) = {self.qm:.2f}"
        lines.append(f"moderators together: {test}, {print_p(self.qm_p_value)}")
        rest = (
            f"residual heterogeneity: tau2 = {self.tau2:.4f}, I2 = {self.i2:.1f} %, "
            f"QE({self.qe_df:g}) = {self.qe:.2f}, {print_p(self.qe_p_value)}"
        )
        if not np.isnan(self.r2):
            rest += f"; R2 = {self.r2:.1f} %"
        lines.append(rest)
        if self.note:
            lines.append(f"note: {self.note}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        what = f"Regression({self.method}, {self.test}"
        if not isinstance(self.k, int):
            return (
                f"{what}: batch of {np.shape(self.k)} sets of studies on {', '.join(self.names)})"
            )
        pairs = zip(self.names, self.estimate, strict=True)
        text = ", ".join(f"{name} {value:.4g}" for name, value in pairs)
        return f"{what}, k={self.k}: {text}; tau2={self.tau2:.4g})"


def _build_rows(design: Design, moderators: Mapping[str, Sequence[Any] | ArrayLike]) -> Array:
    """Return rows of the design for new moderators."""
    if set(moderators) != set(design.terms):
        raise ValueError(f"predict needs exactly these moderators: {sorted(design.terms)}")
    lengths = {len(np.atleast_1d(np.asarray(value, dtype=object))) for value in moderators.values()}
    if len(lengths) > 1:
        raise ValueError("moderators must hold one entry per prediction, all the same number")
    rows = lengths.pop() if lengths else 1
    x = np.zeros((rows, len(design.names)))
    if design.has_intercept:
        x[:, 0] = 1
    for name, place in design.terms.items():
        values = np.atleast_1d(np.asarray(moderators[name], dtype=object))
        if name not in design.levels:
            try:
                x[:, place[0]] = values.astype(np.float64)
            except (TypeError, ValueError):
                raise ValueError(f"moderator {name!r} must be numbers") from None
            continue
        known = design.levels[name]
        if any(value not in known for value in values):
            raise ValueError(f"factor {name!r} has levels {list(known)} only")
        shown = known[len(known) - len(place) :]
        for column, level in zip(place, shown, strict=True):
            x[:, column] = [value == level for value in values]
    return x


def read_design(
    moderators: Moderators | ArrayLike,
    k: int,
    intercept: bool,
    reference: Mapping[str, Hashable] | None,
) -> Design:
    """Return the design a caller describes by a mapping, a matrix or a ready design."""
    if isinstance(moderators, Design):
        design = moderators
    elif isinstance(moderators, Mapping):
        design = build_design(moderators, intercept=intercept, reference=reference, k=k)
    else:
        try:
            matrix = np.asarray(moderators, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(
                "moderators must be a mapping of names to entries or a matrix of numbers"
            ) from None
        matrix = matrix[:, None] if matrix.ndim == 1 else matrix
        if matrix.ndim != 2:
            raise ValueError(f"a matrix of moderators has 2 dimensions, not {matrix.ndim}")
        named = {f"x{j + 1}": matrix[:, j] for j in range(matrix.shape[1])}
        design = build_design(named, intercept=intercept, k=k)
    if design.matrix.shape[0] != k:
        raise ValueError(f"moderators hold {design.matrix.shape[0]} studies, effects {k}")
    return design


def find_constant(q: Array, held: NDArray[np.bool_]) -> Array | None:
    """Return the coefficients that fit 1 for every study held; None if the design cannot."""
    one = held.astype(np.float64)
    coefficients = np.asarray(q.T @ one)
    off = one - q @ coefficients
    return coefficients if np.abs(off).max(initial=0.0) < 1e-9 else None


def _stand_in(batch: Batch, sets: NDArray[np.bool_]) -> Batch:
    """Return the batch with harmless numbers in some sets, whose results are not used."""
    y, v, held = batch.y.copy(), batch.v.copy(), batch.held.copy()
    somewhere = batch.held.any(axis=1)
    y[:, sets] = 0.0
    v[np.ix_(somewhere, sets)] = 1.0
    held[np.ix_(somewhere, sets)] = True
    return Batch(y, v, held, held.sum(axis=0), batch.centre, batch.unit, batch.shape)


def _explain(
    design: Design,
    batch: Batch,
    method: str,
    tau2: Array,
    qe: Array,
    rest: Array,
    weights: Array | None,
) -> Array:
    """Return R² in percent: what the moderators take off tau2, or adjusted R² without a tau2."""
    undefined = np.full(tau2.shape, np.nan)
    if not design.has_intercept or len(design.names) == 1:
        return undefined
    zero = np.zeros(tau2.shape)
    if method == "EE":
        whole = compute_q(batch, zero)
        explained = 1 - (qe / rest) / (whole / (batch.k - 1))
        return np.where(whole > 0, np.fmax(100 * explained, 0), 0.0)
    alone = estimate_tau2(batch, method) if weights is None else compute_genq(batch, weights.T)
    return np.where(alone > 0, np.fmax(100 * (1 - tau2 / alone), 0), 0.0)


def _test_together(
    estimate: Array, vcov: Array, place: tuple[int, ...], freedom: Array
) -> tuple[Array, Array, Array]:
    """Return the Wald statistic of some coefficients, its second df and its p-value, per set."""
    chosen = list(place)
    b, cover = estimate[:, chosen], vcov[:, chosen][:, :, chosen]
    se = np.sqrt(np.einsum("sii->si", cover))
    known = (se > 0).all(axis=1) & np.isfinite(se).all(axis=1)
    z = np.where(known[:, None], b / se, 0.0)
    correlation = cover / (se[:, :, None] * se[:, None, :])
    correlation = np.where(known[:, None, None], correlation, np.eye(len(chosen)))
    quadratic = (z * np.linalg.solve(correlation, z[:, :, None])[:, :, 0]).sum(axis=1)
    quadratic = np.where(known, quadratic, np.nan)
    normal = np.isnan(freedom)
    value = np.where(normal, quadratic, quadratic / len(chosen))
    return value, freedom, find_f_tail(value, np.array(float(len(chosen))), freedom)


def regress(
    yi: ArrayLike,
    vi: ArrayLike,
    moderators: Moderators | ArrayLike,
    *,
    method: str = "REML",
    test: str = "adhoc",
    level: float = 0.95,
    intercept: bool = True,
    reference: Mapping[str, Hashable] | None = None,
    mask: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> Regression:
    """Regress effects on moderators, with a between-study variance for what they leave open.

    Parameters
    ----------
    yi, vi, mask, method, level, weights
        As for :func:`headway.meta.pool`; a batch shares one design.
    moderators : mapping, matrix or Design
        Names to one entry per study (see :func:`headway.meta.design.build_design`: numbers are
        columns, labels are factors), or a matrix of shape (k, columns).
    test : {"adhoc", "knha", "t", "z"}
        As for :func:`headway.meta.pool`, with k − p df; all but "z" test several coefficients
        with F.
    intercept, reference
        For a mapping or matrix: whether there is an intercept; reference levels of factors.

    Returns
    -------
    Regression
        In a batch, a set whose studies do not determine every coefficient, or leave nothing to
        estimate their spread from, is NaN with a note.

    Raises
    ------
    ValueError
        As :func:`headway.meta.pool` and :func:`headway.meta.design.build_design`; collinear
        moderators and those that are the same in every study, by name; fewer studies than
        coefficients, or as many where a spread is estimated (all but a common effect with
        ``test="z"``), as in R's metafor; ``test="kr"``.

    Notes
    -----
    Model and REML: Raudenbush (2009); estimators of tau2 with moderators: Viechtbauer et al.
    (2015); Hartung-Knapp errors for regression: Knapp and Hartung (2003), whose floor at 1 is the
    default here. All in sums over studies; results do not depend on the units of effects or
    moderators.
    """
    check_method(method)
    if check_test(test) == "kr":
        raise ValueError("test 'kr' is for pooling; use 'adhoc', 'knha', 't' or 'z'")
    if (weights is None) == (method == "GENQ"):
        raise ValueError("weights go with method='GENQ', and with no other")
    check_level(level)
    batch = prepare_batch(yi, vi, mask)
    sets, k = batch.k.size, batch.y.shape[0]
    design = read_design(moderators, k, intercept, reference)
    p = len(design.names)
    single = not batch.shape
    if single and batch.k[0] < p:
        raise ValueError(f"{p} coefficients need at least {p} studies, there are {batch.k[0]}")
    known_spread = method == "EE" and test == "z"
    if single and batch.k[0] == p and not known_spread:
        raise ValueError(
            f"{p} coefficients for {p} studies: nothing is left to estimate their spread from (in "
            "a network, one trial per edge); use fewer moderators, or method='EE' with test='z'"
        )
    anywhere = np.asarray(batch.held.any(axis=1), dtype=np.bool_)
    q, r = orthonormalise(design, anywhere)
    # What was subtracted from the effects can be given back to the coefficients only where the
    # model holds a constant, as an intercept or as the sum of a factor's levels.
    constant = find_constant(q, anywhere)
    if constant is None:
        batch = batch.uncentred()
    mixed = prepare_mixed(batch, q)
    determined = find_determined(mixed)
    own = None if weights is None else prepare_weights(weights, batch).T
    counted = batch.k
    if not determined.all():
        # Their numbers are blanked below; with every study held the algebra goes through.
        batch = _stand_in(batch, ~determined)
        mixed = prepare_mixed(batch, q)
        own = None if own is None else np.where(determined[:, None], own, mixed.held)
    df = mixed.df
    free = df > 0
    rest = np.where(free, df, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        tau2 = estimate_mixed(mixed, batch, method, own)
        wald = solve(mixed, 1 / (mixed.v + tau2[:, None]))
        plain = solve(mixed, 1 / mixed.v)
        qe = plain.rss
        beta, cover = wald.beta, wald.inverse
        flat = free & (qe < 1e-20) & (test == "knha")
        factor = np.ones(sets)
        if test in ("knha", "adhoc"):
            factor = np.where(free, wald.rss / rest, np.nan)
            factor = np.fmax(factor, 1.0) if test == "adhoc" else np.where(flat, 0.0, factor)
        if own is not None:
            fit = solve(mixed, own)
            beta = fit.beta
            known = np.where(mixed.held, mixed.v, 0.0) + tau2[:, None]
            cover = fit.inverse @ mixed.cross(own**2 * known) @ fit.inverse
        if method == "EE":
            h2 = np.where(free, qe / rest, 1.0)
            i2 = np.where(free & (qe > df), 100 * (1 - rest / qe), 0.0)
        else:
            ratio = np.where(free, tau2 * trace_p(mixed, plain) / rest, 0.0)
            h2, i2 = 1 + ratio, 100 * ratio / (1 + ratio)
        r2 = _explain(design, batch, method, tau2, qe, rest, own)
        height = compute_mixed_log_likelihood(mixed, tau2, method == "REML", unit=batch.unit)
        se_tau2 = np.full(sets, np.nan)
        if method != "EE":
            se_tau2 = np.where(free, compute_mixed_se_tau2(mixed, method, tau2, own), np.nan)

        # Back from the orthonormal design and the batch's unit to the caller's.
        back = np.linalg.inv(r)
        root = np.sqrt(batch.unit)
        estimate = beta @ back.T * root[:, None]
        if constant is not None:
            estimate = estimate + batch.centre[:, None] * (back @ constant)
        vcov = np.einsum("ij,sjk,lk->sil", back, cover, back)
        vcov = vcov * (factor * batch.unit)[:, None, None]
        se = np.sqrt(np.einsum("sii->si", vcov))
        freedom = np.full(sets, np.nan) if test == "z" else rest
        statistic = estimate / se
        half = find_critical(level, freedom)[:, None] * se
        tests = {
            name: _test_together(estimate, vcov, place, freedom)
            for name, place in {"": design.tested, **design.terms}.items()
        }
        weight = own if own is not None else wald.w
        weight = 100 * weight / weight.sum(axis=1, keepdims=True)

    bad = ~determined | (~free & (not known_spread))
    notes = np.full(sets, "", dtype="<U24")
    notes[counted < 10 * max(1, p - design.has_intercept)] = NOTE_FEW
    notes[flat] = NOTE_EQUAL
    notes[~free] = NOTE_SATURATED
    notes[~determined] = NOTE_UNDETERMINED

    def shape(value: Any) -> Any:
        value = np.asarray(value, dtype=np.float64)
        if bad.any():
            value = np.where(bad.reshape(-1, *[1] * (value.ndim - 1)), np.nan, value)
        whole = value.reshape((*batch.shape, *value.shape[1:]))
        return float(whole) if whole.ndim == 0 else whole

    together = {
        name: (shape(f), len(design.terms.get(name, design.tested)), shape(d), shape(tail))
        for name, (f, d, tail) in tests.items()
    }
    qm, qm_df, qm_df2, qm_p = together.pop("")
    return Regression(
        names=design.names,
        k=counted.reshape(batch.shape) if batch.shape else int(counted[0]),
        estimate=shape(estimate),
        se=shape(se),
        statistic=shape(statistic),
        p_value=shape(find_p_value(statistic, freedom[:, None])),
        ci_low=shape(estimate - half),
        ci_high=shape(estimate + half),
        df=shape(freedom),
        vcov=shape(vcov),
        qm=qm,
        qm_df=qm_df,
        qm_df2=qm_df2,
        qm_p_value=qm_p,
        terms=together,
        tau2=shape(tau2 * batch.unit),
        se_tau2=shape(se_tau2 * batch.unit),
        i2=shape(i2),
        h2=shape(h2),
        r2=shape(r2),
        qe=shape(qe),
        qe_df=shape(df),
        qe_p_value=shape(find_chi2_tail(qe, df)),
        log_likelihood=shape(height),
        weights=shape(weight),
        design=design,
        method=method,
        test=test,
        level=level,
        remark=notes.reshape(batch.shape) if batch.shape else str(notes[0]),
        ci_code=describe_test(test, p),
    )
