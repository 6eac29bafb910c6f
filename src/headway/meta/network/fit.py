"""Pool a network: every treatment against every other, from direct and indirect evidence.

With G the correlation of heterogeneity within a trial (1, and ½ between contrasts that share an
arm), y ~ N(Xd, V + τ²G). Per trial, C'GC = I and C'VC = diag(λ) for one C: the contrasts C'y are
independent with variances λ + τ², so that a network is a meta-regression of them on C'X, and all
that holds there holds here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.meta.design import Design
from headway.meta.distributions import check_level, find_critical, find_p_value
from headway.meta.methods import describe_network, write
from headway.meta.network.data import Network
from headway.meta.notes import Described
from headway.meta.pooling import (
    FEWEST,
    check_prediction,
    check_test,
    describe_prediction,
    find_prediction_df,
    print_p,
)
from headway.meta.regression import Regression, regress

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

# Estimators of tau2 whose equations are the same for correlated contrasts: those that need sums of
# squares about the fit and nothing of single rows.
METHODS = ("REML", "ML", "DL", "PM", "EE")
INTERACTIONS = ("common", "separate")
NOTE_TREE = "note.network_tree"
# Below this share of its size a column is a combination of the others.
SINGULAR = 1e-9


@dataclass(frozen=True, slots=True, repr=False)
class Whitened:
    """A network as independent rows.

    Attributes
    ----------
    y, v : ndarray, shape (m,)
        Combined contrasts, and their sampling variances (to which tau2 is added).
    turn : ndarray, shape (m, m)
        What combines them: ``y = turn @ network.y``.
    """

    y: Array
    v: Array
    turn: Array


def whiten(network: Network) -> Whitened:
    """Combine the contrasts of each trial into independent ones; see the module."""
    m = len(network.y)
    turn = np.eye(m)
    v = np.diag(network.v).copy()
    sizes = np.bincount(network.trial)
    for number in np.flatnonzero(sizes > 1):
        rows = np.flatnonzero(network.trial == number)
        # Twice G: arms are independent with variance 1, contrasts the differences of two of them.
        x = network.design[rows]
        root = np.linalg.cholesky(x @ x.T / 2)
        half = np.linalg.solve(root, network.v[np.ix_(rows, rows)])
        values, vectors = np.linalg.eigh(np.linalg.solve(root, half.T))
        turn[np.ix_(rows, rows)] = vectors.T @ np.linalg.inv(root)
        v[rows] = values
    return Whitened(turn @ network.y, v, turn)


@dataclass(frozen=True, slots=True, repr=False)
class NetworkFit(Described):
    """A pooled network.

    Attributes
    ----------
    network : Network
    reference : str
        Treatment that the moderator's coefficients refer to; it changes no comparison.
    estimate, se, p_value, ci_low, ci_high, pi_low, pi_high : ndarray, shape (t, t)
        Row against column, in the unit of ``yi``; NaN on the diagonal. With a moderator: where it
        is at its mean over the trials.
    vcov : ndarray, shape (t, t)
        Of the treatments against the reference, whose row and column are 0.
    df : float
        Of the tests; NaN where they are normal.
    tau2, se_tau2, i2, q, q_df, q_p_value, log_likelihood : float
        As in :class:`headway.meta.Fit`; Q is the whole network's, heterogeneity and inconsistency.
    regression : Regression
        The model that was fitted, of independent combinations of the contrasts.
    moderator : dict
        Coefficient's name to its estimate, standard error, limits and p-value; empty without one.
    method, test, level, prediction, remark, ci_code, pi_code
        As in :class:`headway.meta.Fit`.
    """

    network: Network
    reference: str
    estimate: Array
    se: Array
    p_value: Array
    ci_low: Array
    ci_high: Array
    pi_low: Array
    pi_high: Array
    vcov: Array
    df: float
    tau2: float
    se_tau2: float
    i2: float
    q: float
    q_df: int
    q_p_value: float
    log_likelihood: float
    regression: Regression
    moderator: dict[str, tuple[float, float, float, float, float]]
    method: str
    test: str
    level: float
    prediction: str
    remark: str
    ci_code: str
    pi_code: str

    def place(self, treatment: str) -> int:
        """Return the number of a treatment.

        Raises
        ------
        ValueError
            If the network does not hold it.
        """
        if treatment not in self.network.treatments:
            raise ValueError(f"the network holds {list(self.network.treatments)} only")
        return self.network.treatments.index(treatment)

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per pair of treatments, `treatment` against `base`."""
        import pandas as pd

        names = np.array(self.network.treatments, dtype=object)
        one, other = np.triu_indices(len(names), 1)
        frame = pd.DataFrame({"treatment": names[other], "base": names[one]})
        for name in ("estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high", "p_value"):
            frame[name] = getattr(self, name)[other, one]
        frame["k_direct"] = self.network.count_pairs()[other, one]
        for name in ("method", "test", "level", "ci_method", "pi_method"):
            frame[name] = getattr(self, name)
        return frame

    def methods_text(self, outcome: str = "") -> str:
        """Return the sentences a paper needs on how this was computed, with references."""
        return write(describe_network(self, outcome))

    def summary(self) -> str:
        """Return the result as a statistician would print it."""
        names = self.network.treatments
        against = self.place(self.reference)
        width = max(map(len, names))
        lines = [
            f"Network meta-analysis: {len(names)} treatments, {len(self.network.trials)} trials "
            f"({self.method})",
            "",
        ]
        for i, name in enumerate(names):
            if i == against:
                continue
            lines.append(
                f"{name:{width}s} v {self.reference}  {self.estimate[i, against]:9.4f} "
                f"(SE {self.se[i, against]:.4f}), {100 * self.level:g} % CI "
                f"{self.ci_low[i, against]:.4f} to {self.ci_high[i, against]:.4f}"
            )
        lines.append(f"{'':{width}s}  {self.ci_method}")
        lines.append(
            f"tau2 = {self.tau2:.4f}, I2 = {self.i2:.1f} %; Q({self.q_df}) = {self.q:.2f} "
            f"(heterogeneity and inconsistency), {print_p(self.q_p_value)}"
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"NetworkFit({self.method}, {self.test}: {self.network!r}, tau2={self.tau2:.4g})"


def check_connected(network: Network) -> None:
    """Refuse a network in parts, between which nothing is known.

    Raises
    ------
    ValueError
        With the treatments of each part.
    """
    parts = network.find_parts()
    if len(parts) > 1:
        listed = "; ".join(", ".join(part) for part in parts)
        raise ValueError(
            f"the network is not connected, nothing can be said across its parts: {listed}"
        )


def choose_reference(network: Network, reference: str) -> int:
    """Return the number of the reference; without a name, of the treatment in most trials."""
    if reference:
        if reference not in network.treatments:
            raise ValueError(f"reference must be one of {list(network.treatments)}")
        return network.treatments.index(reference)
    return int(np.argmax(network.count_trials()))


def _read_moderator(
    network: Network, moderator: ArrayLike, interaction: str, against: int
) -> tuple[Array, list[str]]:
    """Return the columns of a moderator, centred, and their names."""
    if interaction not in INTERACTIONS:
        raise ValueError(f"interaction must be one of {list(INTERACTIONS)}, not {interaction!r}")
    value = np.asarray(moderator, dtype=np.float64)
    if value.shape != (len(network.trials),) or not np.isfinite(value).all():
        raise ValueError(
            "moderator must hold one finite number per trial, in network.trials' order"
        )
    if np.ptp(value) == 0:
        raise ValueError("the moderator is the same in every trial: nothing can be told from it")
    others = [i for i in range(len(network.treatments)) if i != against]
    x = network.design[:, others] * (value - value.mean())[network.trial][:, None]
    if interaction == "common":
        return x.sum(axis=1, keepdims=True), ["moderator"]
    return x, [f"moderator:{network.treatments[i]}" for i in others]


def pool_network(
    network: Network,
    *,
    method: str = "REML",
    test: str = "adhoc",
    level: float = 0.95,
    prediction: str = "default",
    reference: str = "",
    moderator: ArrayLike | None = None,
    interaction: str = "common",
) -> NetworkFit:
    """Pool a network of treatments by contrasts, frequentist.

    Parameters
    ----------
    network : Network
        See :func:`read_pairs`, :func:`read_arms`, :func:`read_contrasts`.
    method : {"REML", "ML", "DL", "PM", "EE"}
        Estimator of one tau2 for all comparisons; ``EE`` sets it to 0.
    test : {"adhoc", "knha", "t", "z"}
        As for :func:`headway.meta.regress`, with contrasts − (treatments − 1) df.
    level : float
        Coverage.
    prediction : {"default", "riley", "t"}
        Degrees of freedom of prediction intervals, as for :func:`headway.meta.pool`.
    reference : str
        Treatment the others are set against; otherwise the one in most trials.
    moderator : array_like, shape (trials,), optional
        A number per trial, in the order of ``network.trials``. Effects are then those at its mean.
    interaction : {"common", "separate"}
        Whether all treatments share one coefficient against the reference, or each has its own.

    Returns
    -------
    NetworkFit

    Raises
    ------
    ValueError
        A network that is not connected, with its parts; unknown codes; a moderator that these
        trials do not determine.

    Notes
    -----
    Model: Lu and Ades (2006), Salanti (2012), equal heterogeneity for all comparisons; covariance
    of trials with several arms as in Franchini et al. (2012). It is ``rma.mv`` of R's metafor with
    V known and compound symmetry, ρ = ½. DL: Jackson, White and Riley (2013), the trace form. A
    network in which nothing is left to estimate tau2 from (one trial per edge of a tree) is pooled
    with tau2 = 0 and a normal interval, with a note. Of two treatments it is
    :func:`headway.meta.pool`.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {list(METHODS)}, not {method!r}")
    check_test(test)
    check_prediction(prediction)
    check_level(level)
    check_connected(network)
    against = choose_reference(network, reference)
    t = len(network.treatments)
    others = [i for i in range(t) if i != against]
    white = whiten(network)
    x = network.design[:, others]
    names = [f"{network.treatments[i]} v {network.treatments[against]}" for i in others]
    if moderator is not None:
        extra, extra_names = _read_moderator(network, moderator, interaction, against)
        x, names = np.column_stack([x, extra]), names + extra_names
        if np.linalg.matrix_rank(x, tol=SINGULAR * float(np.abs(x).max())) < x.shape[1]:
            raise ValueError(
                "these trials do not determine the moderator's coefficients; use "
                "interaction='common', or leave it out"
            )
    design = Design(white.turn @ x, tuple(names), {}, {})
    tree = len(network.y) == x.shape[1]
    used = ("EE", "z") if tree else (method, test)
    fit = regress(white.y, white.v, design, method=used[0], test=used[1], level=level)

    # The likelihood of the contrasts, not of their combinations.
    height = float(fit.log_likelihood) + float(np.linalg.slogdet(white.turn)[1])
    if used[0] == "REML":
        turned = white.turn @ x
        height += float(np.linalg.slogdet(x.T @ x)[1] - np.linalg.slogdet(turned.T @ turned)[1]) / 2

    d, cover = np.zeros(t), np.zeros((t, t))
    d[others] = fit.estimate[: t - 1]
    cover[np.ix_(others, others)] = fit.vcov[: t - 1, : t - 1]
    estimate = d[:, None] - d
    spread = np.diag(cover)
    variance = spread[:, None] + spread - 2 * cover
    off = ~np.eye(t, dtype=np.bool_)
    se = np.full((t, t), np.nan)
    se[off] = np.sqrt(variance[off])
    estimate[~off] = np.nan
    df = np.full(se.shape, fit.df)
    half = find_critical(level, df) * se
    degrees = np.full(se.shape, float(len(network.y) - x.shape[1]))
    pi_df = find_prediction_df(df, degrees, prediction)
    reach = find_critical(level, np.where(pi_df == -1, 1.0, pi_df)) * np.sqrt(fit.tau2 + se**2)
    reach[(pi_df == -1) | (used[0] == "EE") | (degrees < FEWEST - 1)] = np.nan
    columns = ("estimate", "se", "ci_low", "ci_high", "p_value")
    return NetworkFit(
        network=network,
        reference=network.treatments[against],
        estimate=estimate,
        se=se,
        p_value=find_p_value(estimate / se, df),
        ci_low=estimate - half,
        ci_high=estimate + half,
        pi_low=estimate - reach,
        pi_high=estimate + reach,
        vcov=cover,
        df=float(fit.df),
        tau2=float(fit.tau2),
        se_tau2=float(fit.se_tau2),
        i2=float(fit.i2),
        q=float(fit.qe),
        q_df=len(network.y) - x.shape[1],
        q_p_value=float(fit.qe_p_value),
        log_likelihood=height,
        regression=fit,
        moderator={
            name: tuple(float(getattr(fit, column)[i]) for column in columns)  # type: ignore[misc]
            for i, name in enumerate(names)
            if i >= t - 1
        },
        method=method,
        test=test,
        level=level,
        prediction=prediction,
        remark=NOTE_TREE if tree else "",
        ci_code=fit.ci_code,
        pi_code=describe_prediction(used[0], used[1], prediction, x.shape[1]),
    )
