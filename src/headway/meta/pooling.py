"""Pool effects: the estimate, its confidence and prediction intervals, and heterogeneity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.messages import Message, term
from headway.meta.batch import Batch, prepare_batch, prepare_weights
from headway.meta.distributions import (
    check_level,
    find_chi2_tail,
    find_critical,
    find_lower_tail,
    find_p_value,
)
from headway.meta.methods import describe_fit, write
from headway.meta.notes import Described, Text
from headway.meta.tau2 import (
    NAMES,
    check_method,
    compute_genq,
    compute_log_likelihood,
    compute_se_tau2,
    estimate_tau2,
    weigh,
)

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Number = float | Array
Count = int | NDArray[np.int64]

# Message of the confidence interval; those with t take its degrees of freedom, k - p.
TESTS: dict[str, str] = {
    "z": "interval.pooled_z",
    "t": "interval.pooled_t",
    "knha": "interval.pooled_knha",
    "adhoc": "interval.pooled_adhoc",
    "kr": "interval.pooled_kr",
}

# Degrees of freedom of the prediction interval, by the names R's metafor gives its types.
PREDICTIONS = ("default", "riley", "t")

# Studies below which there is no prediction interval: with two, tau2 is next to unknown, and t on
# one degree of freedom makes the interval longer than any scale.
FEWEST = 3

NOTE_ONE = "note.one_study"
NOTE_NONE = "note.no_studies"
NOTE_TWO = "note.two_studies"
NOTE_KR = "note.kenward_roger"
NOTE_EQUAL = "note.no_spread"

# What one fit holds per set, in the order of a table's columns.
_COLUMNS = (
    "k",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "pi_low",
    "pi_high",
    "p_value",
    "statistic",
    "df",
    "pi_se",
    "pi_df",
    "tau2",
    "se_tau2",
    "i2",
    "h2",
    "log_likelihood",
    "q",
    "q_df",
    "q_p_value",
    "note",
)


@dataclass(frozen=True, slots=True, repr=False)
class Fit(Described):
    """A pooled estimate, or a batch of them.

    Numbers are floats for one set of studies and arrays of the leading shape for a batch; NaN
    means "not defined".

    Attributes
    ----------
    k : int
        Studies pooled.
    estimate, se, ci_low, ci_high : float
        Pooled effect, its standard error and confidence limits, in the unit of ``yi``.
    pi_low, pi_high : float
        Prediction limits for the true effect of a new study; see `pi_method`.
    p_value, statistic, df : float
        Two-sided test of no effect; `df` is NaN where the distribution is normal.
    pi_se, pi_df : float
        Standard error and degrees of freedom of the predictive distribution; `pi_df` is NaN where
        it is normal.
    tau2, se_tau2 : float
        Between-study variance, in the squared unit of ``yi``, and its asymptotic standard error
        (metafor's formula for the estimator; a normal interval from it is not to be trusted, see
        :func:`headway.meta.confint_tau2`).
    i2, h2 : float
        I² in percent and H², from `tau2` (from Q under the common-effect method), as in metafor.
    log_likelihood : float
        At the estimates; restricted for ``REML``, that of maximum likelihood for the others.
    q, q_df, q_p_value : float
        Cochran's test of heterogeneity.
    method, test, level, prediction
        What was asked for.
    weights : ndarray
        Weights in percent, summing to 100 over the last axis; 0 for studies not held.
    remark, ci_code, pi_code : str
        Messages: what a reader must know about this fit, and how its intervals were computed;
        `note`, `ci_method` and `pi_method` say them in English.
    """

    k: Count
    estimate: Number
    se: Number
    ci_low: Number
    ci_high: Number
    pi_low: Number
    pi_high: Number
    pi_se: Number
    pi_df: Number
    p_value: Number
    statistic: Number
    df: Number
    tau2: Number
    se_tau2: Number
    i2: Number
    h2: Number
    log_likelihood: Number
    q: Number
    q_df: Number
    q_p_value: Number
    method: str
    test: str
    level: float
    prediction: str
    weights: Array
    remark: Text
    ci_code: str
    pi_code: str

    def probability_beyond(self, threshold: float, side: str = "below") -> Number:
        """Return the share of settings whose true effect lies beyond a threshold.

        Parameters
        ----------
        threshold : float
            In the unit of ``yi``: the smallest difference that matters, for instance.
        side : {"below", "above"}
            Which side of it counts; fewer headache days are "below".

        Returns
        -------
        float or ndarray
            The tail of the predictive distribution the prediction interval is cut from; NaN where
            there is none (common effect, one study). It is as uncertain as tau2 is.

        Raises
        ------
        ValueError
            Unknown `side`, or a threshold that is not finite.

        Notes
        -----
        Mathur and VanderWeele (2019) ask the same of a normal distribution with tau2 taken as
        known; here the uncertainty of the mean and the df of the prediction interval enter.
        """
        if side not in ("below", "above"):
            raise ValueError("side must be 'below' or 'above'")
        if not np.isfinite(threshold):
            raise ValueError("threshold must be finite")
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.asarray((threshold - np.asarray(self.estimate)) / self.pi_se)
        distance = -distance if side == "above" else distance
        tail = find_lower_tail(distance, np.asarray(self.pi_df, dtype=np.float64))
        return tail if np.shape(self.k) else float(tail)

    def methods_text(self, outcome: str = "") -> str:
        """Return the sentences a paper needs on how this was computed, with references."""
        return write(describe_fit(self, outcome))

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per set of studies, without the weights."""
        import pandas as pd

        columns = {name: np.ravel(getattr(self, name)) for name in _COLUMNS}
        frame = pd.DataFrame(columns)
        for name in ("method", "test", "level", "prediction", "ci_method", "pi_method"):
            frame[name] = getattr(self, name)
        return frame

    def summary(self) -> str:
        """Return the result as a statistician would print it."""
        if not isinstance(self.k, int):
            return f"{self!r}\nUse to_frame() for one row per set."
        percent = f"{100 * self.level:g} %"
        several = self.k > 1
        kind = "Common-effect" if self.method == "EE" else "Random-effects"
        head = f"{kind} meta-analysis of {self.k} studies" if several else "One study, not pooled"
        if self.method != "EE" and several:
            head += f" (tau2: {NAMES[self.method]})"
        name = "z" if np.isnan(self.df) else f"t({self.df:g})"
        lines = [
            head,
            "",
            f"estimate  {self.estimate:.4f} (SE {self.se:.4f}), {percent} CI "
            f"{self.ci_low:.4f} to {self.ci_high:.4f}, {name} = {self.statistic:.2f}, "
            f"{print_p(self.p_value)}",
            f"          {self.ci_method}",
        ]
        if np.isnan(self.pi_low):
            lines.append(f"prediction interval: {self.pi_method}")
        else:
            lines.append(f"{percent} prediction interval {self.pi_low:.4f} to {self.pi_high:.4f}")
            lines.append(f"          {self.pi_method}")
        if several:
            tau = np.sqrt(self.tau2)
            lines.append(
                f"heterogeneity: tau2 = {self.tau2:.4f}, tau = {tau:.4f}, I2 = {self.i2:.1f} %, "
                f"H2 = {self.h2:.2f}; Q({self.q_df:g}) = {self.q:.2f}, {print_p(self.q_p_value)}"
            )
        if several and self.note:
            lines.append(f"note: {self.note}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        what = f"Fit({self.method}, {self.test}"
        if not isinstance(self.k, int):
            return f"{what}: batch of {np.shape(self.k)} sets of studies)"
        text = f"{what}, k={self.k}: {self.estimate:.4g} [{self.ci_low:.4g}, {self.ci_high:.4g}]"
        if not np.isnan(self.pi_low):
            text += f", PI [{self.pi_low:.4g}, {self.pi_high:.4g}]"
        return f"{text}, tau2={self.tau2:.4g}, I2={self.i2:.1f} %)"


def print_p(p: Number) -> str:
    """Return a p-value in words."""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"


def check_test(test: str) -> str:
    """Return `test` if it is known."""
    if test not in TESTS:
        raise ValueError(f"test must be one of {list(TESTS)}, not {test!r}")
    return test


def find_typical_variance(batch: Batch) -> Array:
    """Return the typical sampling variance of Higgins and Thompson (2002), equation 9."""
    w = 1 / batch.v
    w1 = w.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((batch.k - 1) * w1 / (w1**2 - (w * w).sum(axis=0)))


def check_prediction(prediction: str) -> str:
    """Return `prediction` if it is known."""
    if prediction not in PREDICTIONS:
        raise ValueError(f"prediction must be one of {list(PREDICTIONS)}, not {prediction!r}")
    return prediction


def describe_test(test: str, p: int = 1) -> Message:
    """Return the message of the confidence interval of a model with `p` coefficients."""
    return Message(TESTS[test]) if test in ("z", "kr") else Message(TESTS[test], p=p)


def describe_prediction(method: str, test: str, prediction: str, p: int = 1) -> Message:
    """Return the message of the prediction interval of a model with `p` coefficients."""
    if method == "EE":
        return Message("prediction.none_common")
    error = {"knha": "hartung_knapp", "adhoc": "hartung_knapp", "kr": "kenward_roger"}
    if test == "kr":
        curve = Message("curve.kenward_roger_1" if prediction == "riley" else "curve.kenward_roger")
    elif prediction == "riley":
        curve = Message("curve.t", p=p + 1)
    elif test == "z" and prediction == "default":
        curve = Message("curve.normal")
    else:
        curve = Message("curve.t", p=p)
    return Message(
        "prediction.root", error=term("standard_error", error.get(test, "plain")), curve=curve
    )


def find_prediction_df(df: Array, degrees: Array, prediction: str) -> Array:
    """Return the df of the predictive distribution (NaN: normal), and -1 where there is none.

    `df` are those of the test (NaN: normal), `degrees` the residual ones.
    """
    if prediction == "riley":
        freedom = np.where(np.isnan(df), degrees, df) - 1
        return np.where(freedom > 0, freedom, -1.0)
    if prediction == "t":
        return np.where(np.isnan(df), degrees, df)
    return df


def _adjust_kenward_roger(w: Array, w1: Array) -> tuple[Array, Array]:
    """Return variance and df of Kenward and Roger (1997) for one mean and one variance.

    With s_p the sum of w to the power p: expected information of tau2 under REML I, adjusted
    variance V and df 2I/(V s_2)², as Partlett and Riley (2017) write them out. With few studies and
    little heterogeneity the interval is very wide.
    """
    w2, w3 = (w * w).sum(axis=0), (w * w * w).sum(axis=0)
    information = w2 / 2 - w3 / w1 + (w2 / w1) ** 2 / 2
    variance = (1 + 2 * (w3 / w1 - (w2 / w1) ** 2) / information) / w1
    return variance, 2 * information / (variance * w2) ** 2


def _note_sets(batch: Batch, flat: NDArray[np.bool_], vague: NDArray[np.bool_]) -> NDArray[np.str_]:
    if batch.k.min(initial=3) > 2 and not flat.any() and not vague.any():
        return np.full(batch.k.shape, "")
    notes = np.full(batch.k.shape, "", dtype="<U24")
    notes[vague] = NOTE_KR
    notes[batch.k == 2] = NOTE_TWO
    notes[flat] = NOTE_EQUAL
    notes[batch.k == 1] = NOTE_ONE
    notes[batch.k == 0] = NOTE_NONE
    return notes


def pool_batch(
    batch: Batch,
    method: str,
    test: str,
    level: float,
    own_weights: Array | None = None,
    prediction: str = "default",
) -> Fit:
    """Pool sets of studies that are in the common layout already; see :func:`pool`."""
    k = batch.k
    single, several = k == 1, k > 1
    every = bool(several.all())

    def where_several(value: Array, other: Any) -> Array:
        return value if every else np.where(several, value, other)

    with np.errstate(divide="ignore", invalid="ignore"):
        if own_weights is None:
            tau2 = estimate_tau2(batch, method)
        else:
            tau2 = where_several(compute_genq(batch, own_weights), np.where(single, 0, np.nan))
        spread = tau2 if every else np.where(k > 0, tau2, 0.0)
        w, w1, mu = weigh(batch, spread)
        variance = 1 / w1
        degrees = where_several((k - 1).astype(np.float64), np.nan)
        df = degrees if test != "z" else np.full(k.shape, np.nan)
        if test == "kr":
            adjusted, freedom = _adjust_kenward_roger(w, w1)
            variance = where_several(adjusted, variance)
            df = where_several(freedom, np.nan)
        # Cochran's Q weighs by the sampling variances alone, whatever the method.
        none = np.zeros(k.shape)
        w0, sum0, mu0 = weigh(batch, none) if method != "EE" else (w, w1, mu)
        q = (w0 * (batch.y - mu0) ** 2).sum(axis=0)
        q_df = (k - 1).astype(np.float64)
        if not every:
            q, q_df = np.where(k > 0, q, np.nan), np.where(k > 0, q_df, np.nan)
        height = compute_log_likelihood(batch, spread, method == "REML", True, (w, w1, mu))
        # Effects equal to ten digits of their sampling error are equal: what is left is rounding.
        flat = several & (q < 1e-20) & (test == "knha")
        factor = np.ones(k.shape)
        if test in ("knha", "adhoc"):
            factor = where_several((w * (batch.y - mu) ** 2).sum(axis=0) / degrees, 1.0)
            factor = np.maximum(factor, 1.0) if test == "adhoc" else np.where(flat, 0.0, factor)
        if own_weights is not None:
            # The Hartung-Knapp factor above keeps the inverse-variance weights, as in metafor.
            total = own_weights.sum(axis=0)
            mu = (own_weights * batch.y).sum(axis=0) / total
            known = np.where(batch.held, batch.v, 0.0) + spread
            variance = (own_weights**2 * known).sum(axis=0) / total**2
            w, w1 = own_weights, total
        variance = factor * variance
        if method == "EE":
            h2 = where_several(q / degrees, 1.0)
            i2 = np.where(several & (q > degrees), 100 * (1 - degrees / q), 0.0)
        else:
            typical = (k - 1) * sum0 / (sum0**2 - (w0 * w0).sum(axis=0))
            ratio = where_several(tau2 / typical, 0.0)
            h2, i2 = 1 + ratio, 100 * ratio / (1 + ratio)

        pi_df = find_prediction_df(df, degrees, prediction)
        if method == "EE":
            se_tau2 = np.full(k.shape, np.nan)
        else:
            se_tau2 = compute_se_tau2(batch, method, tau2, own_weights) * batch.unit
            se_tau2 = where_several(se_tau2, np.nan)

        root_unit = np.sqrt(batch.unit)
        se = np.sqrt(variance) * root_unit
        estimate = mu * root_unit + batch.centre
        tau2 = tau2 * batch.unit
        critical = find_critical(level, df)
        half = critical * se
        pi_se = np.sqrt(tau2 + se**2)
        same = prediction == "default"
        enough = k >= FEWEST
        if not (enough.all() and same and method != "EE"):
            foretold = enough & (pi_df != -1) & (method != "EE")
            pi_se, pi_df = np.where(foretold, pi_se, np.nan), np.where(foretold, pi_df, np.nan)
        reach = (critical if same else find_critical(level, pi_df)) * pi_se
        statistic = estimate / se
        weights = 100 * w / w1

    ci_code, pi_code = describe_test(test), describe_prediction(method, test, prediction)
    if not batch.shape and single[0]:
        ci_code = Message("interval.pooled_z_one")
    if not batch.shape and method != "EE" and not enough[0]:
        pi_code = Message("prediction.none_one" if single[0] else "prediction.none_two")
    empty = k == 0
    some_empty = not every and bool(empty.any())
    values: dict[str, Array] = {
        "estimate": estimate,
        "se": se,
        "ci_low": estimate - half,
        "ci_high": estimate + half,
        "pi_low": estimate - reach,
        "pi_high": estimate + reach,
        "pi_se": pi_se,
        "pi_df": pi_df,
        "p_value": find_p_value(statistic, df),
        "statistic": statistic,
        "df": df,
        "tau2": tau2,
        "se_tau2": se_tau2,
        "i2": i2,
        "h2": h2,
        "log_likelihood": height,
        "q": q,
        "q_df": q_df,
        "q_p_value": find_chi2_tail(q, q_df),
    }
    shaped: dict[str, Any] = {}
    for name, value in values.items():
        value = np.where(empty, np.nan, value) if some_empty else value
        shaped[name] = value.reshape(batch.shape) if batch.shape else float(value[0])
    vague = several & (df < 1) if test == "kr" else flat & False
    notes = _note_sets(batch, flat, vague)
    return Fit(
        k=k.reshape(batch.shape) if batch.shape else int(k[0]),
        method=method,
        test=test,
        level=level,
        prediction=prediction,
        weights=np.ascontiguousarray(weights.T).reshape(*batch.shape, batch.y.shape[0]),
        remark=notes.reshape(batch.shape) if batch.shape else str(notes[0]),
        ci_code=ci_code,
        pi_code=pi_code,
        **shaped,
    )


def pool(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    method: str = "REML",
    test: str = "adhoc",
    level: float = 0.95,
    mask: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    prediction: str = "default",
) -> Fit:
    """Pool effects of several studies.

    Parameters
    ----------
    yi : array_like, shape (k,) or (..., k)
        Effects. With leading axes, every ``yi[i, j, :]`` is a set of studies of its own and all
        are fitted in one vectorised pass.
    vi : array_like
        Sampling variances, > 0, in the squared unit of `yi`; broadcast to its shape.
    method : {"EE", "DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM", "GENQ"}
        Common effect, or the estimator of the between-study variance tau2. ``ML`` and ``REML``
        find the global maximum of the likelihood; ``GENQ`` needs `weights`.
    test : {"adhoc", "knha", "t", "z", "kr"}
        Standard error and distribution: Hartung-Knapp with a variance factor of at least 1,
        plain Hartung-Knapp, Wald-type with t (k − 1 df), Wald-type normal, Kenward-Roger
        (``REML`` only).
    level : float
        Coverage of both intervals.
    mask : array_like of bool, optional
        True where a study counts; broadcast to the shape of `yi`. What is masked out may be NaN.
    weights : array_like, optional
        For ``method="GENQ"`` only: fixed weights > 0 (their scale does not matter) that give both
        tau2 and the estimate; broadcast to the shape of `yi`.
    prediction : {"default", "riley", "t"}
        Degrees of freedom of the prediction interval: those of the test (normal with ``z``); one
        less than with t (k − 2); t with k − 1 df even where the test is normal. R's metafor
        names them so.

    Returns
    -------
    Fit
        Floats for one set, arrays of the leading shape for a batch. One study is returned as it
        is (tau2 = 0, normal interval, no prediction interval, with a note) whatever the `test`;
        in a batch, a set without studies is NaN. Two have no prediction interval either.

    Raises
    ------
    ValueError
        Unknown `method`, `test` or `prediction`; ``kr`` without ``REML``; `weights` missing for
        ``GENQ`` or given for another method; `level` outside (0, 1); shapes that do not match;
        effects that are not finite or variances that are not finite and above 0, with their
        positions; a single set without any study.

    Notes
    -----
    Results do not depend on the unit of the outcome. tau2: see :mod:`headway.meta.tau2`.
    Hartung-Knapp: Hartung and Knapp (2001), Sidik and Jonkman (2002); the floor: Knapp and
    Hartung (2003). Kenward-Roger: Partlett and Riley (2017). Prediction interval: root of tau2
    plus the squared standard error, by Higgins, Thompson and Spiegelhalter (2009). They take t with
    k − 2 df (equation 12), as do Riley, Higgins and Deeks (2011): ``prediction="riley"``. The
    default takes the distribution of the test instead (t with k − 1 df; normal with ``test="z"``),
    as R's metafor does (Viechtbauer 2010; its help on predict.rma), so that the prediction interval
    is the confidence interval where tau2 is 0. All of these are approximations; docs/coverage.md
    has what they cover. I² and H²: Higgins and Thompson (2002), from tau2.

    Examples
    --------
    >>> fit = pool([1.0, 2.0, 6.0], [1.0, 1.0, 1.0], method="DL", test="z")
    >>> fit.estimate, fit.tau2
    (3.0, 6.0)
    """
    check_method(method)
    check_test(test)
    check_prediction(prediction)
    if test == "kr" and method != "REML":
        raise ValueError("test 'kr' rests on restricted maximum likelihood: use method='REML'")
    if (weights is None) == (method == "GENQ"):
        raise ValueError("weights go with method='GENQ', and with no other")
    batch = prepare_batch(yi, vi, mask)
    own_weights = None if weights is None else prepare_weights(weights, batch)
    return pool_batch(batch, method, test, check_level(level), own_weights, prediction)
