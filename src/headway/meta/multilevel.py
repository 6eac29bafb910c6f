"""Effects that depend on each other: several of one trial, several outcomes, shared control arms.

The model is y ~ N(Xβ, V + Σ θ_m G_m): a known sampling covariance V, and between-study covariance
matrices that are linear in what is estimated. Nested intercepts (district / school / effect) have
one θ ≥ 0 per level; correlated outcomes of a study have a covariance matrix T between outcomes.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.effects.shared import describe_positions
from headway.messages import Message, join
from headway.meta.batch import number_labels, read_labels, read_numbers
from headway.meta.design import Design, orthonormalise
from headway.meta.distributions import (
    check_level,
    find_chi2_tail,
    find_critical,
    find_f_tail,
    find_p_value,
)
from headway.meta.methods import describe_multilevel, write
from headway.meta.notes import Described
from headway.meta.pooling import FEWEST, describe_test, print_p
from headway.meta.regression import Moderators, read_design

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

STRUCTURES = ("UN", "CS", "DIAG", "ID")
# A score this small against its own standard error is zero: the estimate is off by less than a
# hundred-millionth of its standard error.
SETTLED = 1e-8
MAX_STEPS = 200
# What is left of a covariance matrix beside the moderators below this share of it is rounding.
VANISHED = 1e-10


@dataclass(frozen=True, slots=True, repr=False)
class Multilevel(Described):
    """A multilevel or multivariate model.

    Attributes
    ----------
    names : tuple of str
        Coefficients.
    k : int
        Effects.
    estimate, se, statistic, p_value, ci_low, ci_high : ndarray, shape (p,)
    vcov : ndarray, shape (p, p)
    df : float
        Of the tests of coefficients: k − p with ``test="t"``; NaN where they are normal.
    sigma2 : dict
        Level to variance between its units, the outermost first.
    units : dict
        Level to number of its units.
    covariance : ndarray or None
        Covariance matrix between the `outcomes` of a unit.
    outcomes : tuple
        Labels of its rows.
    structure : str
        Of that matrix; empty where there is none.
    i2 : dict
        Level to share of the total variance (levels, mean variance of the outcomes, typical
        sampling variance), in percent.
    qe, qe_df, qe_p_value, qm, qm_df, qm_df2, qm_p_value : float
        Residual heterogeneity; omnibus test of the coefficients but the intercept.
    pi_low, pi_high : float
        Prediction limits for a new unit at every level; intercept-only models without `covariance`.
    log_likelihood : float
        Restricted for ``REML``.
    method, test, level, remark, ci_code
        As in :class:`headway.meta.Fit`; `note` and `ci_method` say them in English.
    fitted : Fitted
        What cluster-robust inference needs.
    """

    names: tuple[str, ...]
    k: int
    estimate: Array
    se: Array
    statistic: Array
    p_value: Array
    ci_low: Array
    ci_high: Array
    vcov: Array
    df: float
    sigma2: dict[str, float]
    units: dict[str, int]
    covariance: Array | None
    outcomes: tuple[Hashable, ...]
    structure: str
    i2: dict[str, float]
    qe: float
    qe_df: int
    qe_p_value: float
    qm: float
    qm_df: int
    qm_df2: float
    qm_p_value: float
    pi_low: float
    pi_high: float
    log_likelihood: float
    method: str
    test: str
    level: float
    remark: str
    ci_code: str
    fitted: Fitted

    @property
    def correlation(self) -> Array | None:
        """Correlation matrix between the outcomes of a unit."""
        if self.covariance is None:
            return None
        root = np.sqrt(np.diag(self.covariance))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.covariance / np.outer(root, root))

    def methods_text(self, outcome: str = "") -> str:
        """Return the sentences a paper needs on how this was computed, with references."""
        return write(describe_multilevel(self, outcome))

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per coefficient."""
        import pandas as pd

        columns = ("estimate", "se", "ci_low", "ci_high", "statistic", "p_value")
        frame = pd.DataFrame({name: getattr(self, name) for name in columns})
        frame.insert(0, "coefficient", list(self.names))
        for name in ("df", "method", "test", "level", "ci_method"):
            frame[name] = getattr(self, name)
        return frame

    def summary(self) -> str:
        """Return the result as a statistician would print it."""
        lines = [f"Multilevel meta-analysis of {self.k} effects ({self.method})", ""]
        width = max(map(len, self.names))
        name = "z" if np.isnan(self.df) else f"t({self.df:g})"
        for i, label in enumerate(self.names):
            lines.append(
                f"{label:{width}s}  {self.estimate[i]:9.4f} (SE {self.se[i]:.4f}), "
                f"{100 * self.level:g} % CI {self.ci_low[i]:.4f} to {self.ci_high[i]:.4f}, "
                f"{name} = {self.statistic[i]:.2f}, {print_p(float(self.p_value[i]))}"
            )
        lines.append(f"{'':{width}s}  {self.ci_method}")
        for level, variance in self.sigma2.items():
            lines.append(
                f"between {self.units[level]} units of {level}: variance {variance:.4f}, "
                f"SD {np.sqrt(variance):.4f}, I2 {self.i2[level]:.1f} %"
            )
        if self.covariance is not None and self.correlation is not None:
            for i, outcome in enumerate(self.outcomes):
                row = ", ".join(f"{value:.3f}" for value in self.correlation[i])
                lines.append(f"{outcome}: variance {self.covariance[i, i]:.4f}; correlations {row}")
        if not np.isnan(self.pi_low):
            limits = f"{self.pi_low:.4f} to {self.pi_high:.4f}"
            lines.append(f"{100 * self.level:g} % prediction interval {limits}")
        lines.append(
            f"residual heterogeneity: QE({self.qe_df}) = {self.qe:.2f}, {print_p(self.qe_p_value)}"
        )
        if self.note:
            lines.append(f"note: {self.note}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        pairs = zip(self.names, self.estimate, strict=True)
        text = ", ".join(f"{name} {value:.4g}" for name, value in pairs)
        return f"Multilevel({self.method}, {self.test}, k={self.k}: {text})"


@dataclass(frozen=True, slots=True, repr=False)
class Fitted:
    """Design, marginal covariance and residuals of a fit, in the caller's unit."""

    x: Array
    covariance: Array
    residual: Array
    estimate: Array
    names: tuple[str, ...]
    level: float


# ── structure ─────────────────────────────────────────────────────────────────────────────────


def read_covariance(v: ArrayLike, k: int) -> Array:
    """Return a sampling covariance matrix from variances or a matrix.

    Raises
    ------
    ValueError
        Wrong shape, entries that are not finite, not symmetric, not positive definite.
    """
    value = read_numbers(v, "v")
    if value.ndim == 1:
        if value.shape != (k,):
            raise ValueError(f"v must hold one variance per effect: {value.shape} for {k}")
        bad = ~(np.isfinite(value) & (value > 0))
        if bad.any():
            raise ValueError(f"v must be finite and above 0: see {describe_positions(bad)}")
        return np.diag(value)
    if value.shape != (k, k):
        raise ValueError(f"v must be of shape ({k},) or ({k}, {k}), not {value.shape}")
    if not np.isfinite(value).all():
        raise ValueError(f"v must be finite: see {describe_positions(~np.isfinite(value))}")
    size = np.abs(value).max()
    if np.abs(value - value.T).max() > 1e-9 * size:
        raise ValueError("v must be symmetric")
    value = (value + value.T) / 2
    try:
        np.linalg.cholesky(value)
    except np.linalg.LinAlgError:
        raise ValueError("v must be positive definite: it is no covariance matrix") from None
    return value


@dataclass(slots=True)
class _Problem:
    """Scaled data in independent blocks, padded to one size.

    Attributes
    ----------
    y : ndarray, shape (blocks, n)
    v : ndarray, shape (blocks, n, n)
        What pads has variance 1 and effect 0, and is in no G: it adds nothing anywhere.
    q : ndarray, shape (blocks, n, p)
    g : list of ndarray, shape (blocks, n, n)
    spread : float
        Residual variance of the effects.
    """

    y: Array
    v: Array
    q: Array
    g: list[Array]
    spread: float
    nested: int
    structure: str
    outcomes: int
    restricted: bool

    def measure(self, theta: Array, deep: bool = True) -> tuple[float, Array, Array, Array]:
        """Return log-likelihood (up to a constant), score, expected and observed information.

        With W the inverse of the covariance and P = W − WQ(Q'WQ)⁻¹Q'W, every trace of P is one of
        W, which is block by block, and one of p × p matrices.
        """
        nothing = np.zeros(0)
        cover = self.v.copy()
        for value, matrix in zip(theta, self.g, strict=True):
            cover += value * matrix
        try:
            root = np.linalg.cholesky(cover)
        except np.linalg.LinAlgError:
            return -np.inf, nothing, nothing, nothing
        w = np.linalg.inv(cover)
        wq = w @ self.q
        turned = wq.transpose(0, 2, 1)
        a = (turned @ self.q).sum(axis=0)
        beta = np.linalg.solve(a, np.einsum("bnp,bn->p", wq, self.y))
        rest = self.y - self.q @ beta
        py = np.einsum("bij,bj->bi", w, rest)
        height = -2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum() - (rest * py).sum()
        if self.restricted:
            height -= np.linalg.slogdet(a)[1]
        if not deep:
            return height / 2, nothing, nothing, nothing
        inner = np.linalg.inv(a)
        m = len(self.g)
        wg = [w @ matrix for matrix in self.g]
        gwq = [matrix @ wq for matrix in self.g]
        gy = [np.einsum("bij,bj->bi", matrix, py) for matrix in self.g]
        wgy = [np.einsum("bij,bj->bi", w, one) for one in gy]
        around = [(turned @ one).sum(axis=0) for one in gwq]
        along = [np.einsum("bnp,bn->p", wq, one) for one in gy]
        score = np.empty(m)
        expected, observed = np.empty((m, m)), np.empty((m, m))
        for i in range(m):
            trace = np.trace(wg[i], axis1=1, axis2=2).sum()
            if self.restricted:
                trace -= np.trace(inner @ around[i])
            score[i] = ((py * gy[i]).sum() - trace) / 2
            for j in range(i, m):
                shared = (wg[i] * wg[j].transpose(0, 2, 1)).sum()
                if self.restricted:
                    crossed = (gwq[i].transpose(0, 2, 1) @ w @ gwq[j]).sum(axis=0)
                    shared -= 2 * np.trace(inner @ crossed)
                    shared += np.trace(inner @ around[i] @ inner @ around[j])
                bend = (gy[i] * wgy[j]).sum() - along[i] @ inner @ along[j]
                expected[i, j] = expected[j, i] = shared / 2
                observed[i, j] = observed[j, i] = bend - shared / 2
        return height / 2, score, expected, observed


def _find_blocks(linked: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Return the groups of effects that are linked to each other, directly or over others."""
    k = len(linked)
    label = np.arange(k)
    while True:
        # Each effect takes the smallest label among those it is linked to.
        following = np.where(linked, label, k).min(axis=1)
        if (following == label).all():
            break
        label = following
    return [np.flatnonzero(label == one) for one in np.unique(label)]


def _block(y: Array, v: Array, q: Array, g: list[Array]) -> tuple[Array, Array, Array, list[Array]]:
    """Cut the data into independent blocks, padded to the size of the largest."""
    linked = v != 0
    for matrix in g:
        linked |= matrix != 0
    blocks = _find_blocks(linked)
    size = max(map(len, blocks))
    count = len(blocks)
    out_y, out_q = np.zeros((count, size)), np.zeros((count, size, q.shape[1]))
    out_v = np.tile(np.eye(size), (count, 1, 1))
    out_g = [np.zeros((count, size, size)) for _ in g]
    for b, rows in enumerate(blocks):
        n = len(rows)
        out_y[b, :n], out_q[b, :n] = y[rows], q[rows]
        out_v[b, :n, :n] = v[np.ix_(rows, rows)]
        for target, matrix in zip(out_g, g, strict=True):
            target[b, :n, :n] = matrix[np.ix_(rows, rows)]
    return out_y, out_v, out_q, out_g


def _build_structure(
    outer: list[Hashable], inner: list[Hashable], structure: str
) -> tuple[list[Array], list[Hashable]]:
    """Return the matrices of a covariance between the outcomes of a unit."""
    unit, _ = number_labels(outer)
    kind, names = number_labels(inner)
    seen: set[tuple[int, int]] = set()
    for pair in zip(unit.tolist(), kind.tolist(), strict=True):
        if pair in seen and structure != "ID":
            raise ValueError("an outcome comes several times in one unit: add a nested level")
        seen.add(pair)
    same = (unit[:, None] == unit).astype(np.float64)
    alike = same * (kind[:, None] == kind)
    if structure == "ID":
        return [alike], names
    if structure == "CS":
        return [alike, same - alike], names
    member = [(kind == i).astype(np.float64) for i in range(len(names))]
    if structure == "DIAG":
        return [same * np.outer(one, one) for one in member], names
    matrices = []
    for i in range(len(names)):
        for j in range(i, len(names)):
            product = np.outer(member[i], member[j])
            matrices.append(same * (product if i == j else product + product.T))
    return matrices, names


def _check_identified(q: Array, g: list[Array], names: list[str]) -> None:
    """Refuse variances that these effects say nothing about.

    The restricted likelihood sees MGM, M taking the moderators out: a variance whose MGM is 0, or
    the sum of others', can be anything.

    Raises
    ------
    ValueError
        By the name of the level or of the outcomes.
    """
    seen = np.zeros((0, q.shape[0] ** 2))
    for matrix, name in zip(g, names, strict=True):
        if not matrix.any():
            raise ValueError(
                f"{name}: these outcomes are never together in a unit, so that their covariance "
                "is not identified; use structure='DIAG'"
            )
        part = matrix - q @ (q.T @ matrix)
        part = (part - (part @ q) @ q.T).ravel()
        size = float(np.linalg.norm(matrix))
        if float(np.linalg.norm(part)) <= VANISHED * size:
            raise ValueError(
                f"{name}: its variance is not identified, the moderators take up every difference "
                "between its units; leave out the level or the moderators"
            )
        rest = part / size
        for _ in range(2):
            rest = rest - seen.T @ (seen @ rest)
        left = float(np.linalg.norm(rest))
        if left <= 1e-8 * float(np.linalg.norm(part)) / size:
            raise ValueError(
                f"{name}: its variance is not identified, it cannot be told from those before it "
                "in these effects; leave one out or use a simpler structure"
            )
        seen = np.vstack([seen, rest / left])


def _name_structure(outcomes: list[Hashable], structure: str) -> list[str]:
    """Name the matrices of `_build_structure`, in their order."""
    if not outcomes:
        return []
    if structure in ("ID", "CS"):
        return ["outcomes"] if structure == "ID" else ["outcomes", "outcomes of a unit"]
    n = range(len(outcomes))
    pairs = [(i, j) for i in n for j in (n[i:] if structure == "UN" else [i])]
    return [
        f"outcome {outcomes[i]!r}" if i == j else f"outcomes {outcomes[i]!r} and {outcomes[j]!r}"
        for i, j in pairs
    ]


# ── fitting ───────────────────────────────────────────────────────────────────────────────────


def _to_matrix(theta: Array, structure: str, size: int) -> Array:
    """Return the covariance matrix of outcomes that the linear parameters stand for."""
    if structure == "ID":
        return np.asarray(theta[0] * np.eye(size))
    if structure == "CS":
        return np.asarray(theta[0] * np.eye(size) + theta[1] * (1 - np.eye(size)))
    if structure == "DIAG":
        return np.diag(theta)
    matrix = np.zeros((size, size))
    matrix[np.triu_indices(size)] = theta
    return matrix + np.triu(matrix, 1).T


def _unpack(z: Array, problem: _Problem) -> tuple[Array, Array]:
    """Return linear parameters of free ones, and their Jacobian.

    Variances are squares; a full matrix is LL'; compound symmetry has the eigenvalues of its two
    spaces as squares.
    """
    m, size = problem.nested, problem.outcomes
    theta, jacobian = [z[:m] ** 2], np.zeros((len(problem.g), len(z)))
    jacobian[range(m), range(m)] = 2 * z[:m]
    rest = z[m:]
    if problem.structure in ("ID", "DIAG"):
        theta.append(rest**2)
        jacobian[m:, m:] = np.diag(2 * rest)
    elif problem.structure == "CS":
        # Eigenvalues a = t + (n - 1)c of the mean, b = t - c of the differences.
        a, b = rest**2
        theta.append(np.array([(a + (size - 1) * b) / size, (a - b) / size]))
        jacobian[m, m:] = 2 * rest * np.array([1, size - 1]) / size
        jacobian[m + 1, m:] = 2 * rest * np.array([1, -1]) / size
    elif problem.structure == "UN":
        lower = np.tril_indices(size)
        root = np.zeros((size, size))
        root[lower] = rest
        upper = np.triu_indices(size)
        theta.append((root @ root.T)[upper])
        for n, (i, j) in enumerate(zip(*lower, strict=True)):
            change = np.zeros((size, size))
            change[i, j] = 1
            jacobian[m:, m + n] = (change @ root.T + root @ change.T)[upper]
    return np.concatenate(theta), jacobian


def _list_starts(problem: _Problem) -> list[Array]:
    """List starting points: shares of the spread of the effects on the components."""
    spread = max(problem.spread, 1e-3)
    m, size = problem.nested, problem.outcomes

    def inner(value: float, correlation: float = 0.5) -> Array:
        root = np.sqrt(value)
        if problem.structure == "UN":
            matrix = value * (correlation + (1 - correlation) * np.eye(size))
            return np.asarray(np.linalg.cholesky(matrix)[np.tril_indices(size)])
        if problem.structure == "CS":
            return root * np.sqrt(np.array([1 + (size - 1) * correlation, 1 - correlation]))
        if problem.structure == "DIAG":
            return np.full(size, root)
        return np.full(1 if problem.structure == "ID" else 0, root)

    small = 1e-3 * spread
    starts = [np.concatenate([np.full(m, np.sqrt(spread / (m + 1))), inner(spread / 2)])]
    starts.append(np.concatenate([np.full(m, np.sqrt(small)), inner(small)]))
    for i in range(m):
        alone = np.full(m, np.sqrt(small))
        alone[i] = np.sqrt(spread)
        starts.append(np.concatenate([alone, inner(small)]))
    if problem.structure in ("UN", "CS"):
        for correlation in (-0.8 / max(1, size - 1), 0.95):
            starts.append(np.concatenate([np.full(m, np.sqrt(small)), inner(spread, correlation)]))
    return starts


def _settle(problem: _Problem, theta: Array) -> tuple[Array, float, bool]:
    """Climb by Newton steps to the maximum among variances ≥ 0; tell whether it settled.

    Components of a covariance matrix of outcomes are free here: the first climb has brought them
    inside, or to the border, where they stay.
    """
    floor = np.full(len(theta), -np.inf)
    floor[: problem.nested] = 0.0
    if problem.structure in ("ID", "DIAG"):
        floor[problem.nested :] = 0.0
    theta = np.maximum(theta, floor)
    height, score, expected, observed = problem.measure(theta)
    for _ in range(MAX_STEPS):
        free = (theta > floor) | (score > 0)
        with np.errstate(divide="ignore"):
            error = 1 / np.sqrt(np.diag(expected))
        if (np.abs(score[free]) * error[free] <= SETTLED).all():
            return theta, height, True
        chosen = np.ix_(free, free)
        step = np.zeros(len(theta))
        information = observed[chosen]
        if np.linalg.eigvalsh(information)[0] <= 1e-9 * np.trace(np.abs(information)):
            information = expected[chosen]
        step[free] = np.linalg.lstsq(information, score[free], rcond=1e-12)[0]
        for _ in range(60):
            following = np.maximum(theta + step, floor)
            reached = problem.measure(following)
            if reached[0] >= height and not (following == theta).all():
                break
            step = step / 2
        else:
            # No step of any size climbs any more: this is the top to the last digit.
            return theta, height, bool((np.abs(score[free]) * error[free] <= 1e-5).all())
        theta, (height, score, expected, observed) = following, reached
    return theta, height, False


def _maximise(problem: _Problem) -> tuple[Array, float]:
    """Return the parameters of highest likelihood over several climbs."""
    from scipy.optimize import minimize

    if not problem.g:
        nothing = np.zeros(0)
        return nothing, problem.measure(nothing, deep=False)[0]

    def fall(z: Array) -> tuple[float, Array]:
        theta, jacobian = _unpack(z, problem)
        height, score, _, _ = problem.measure(theta)
        if not np.isfinite(height):
            return 1e300, np.zeros(len(z))
        return -height, -(score @ jacobian)

    settled_best: tuple[Array, float] | None = None
    highest = -np.inf
    for start in _list_starts(problem):
        found = minimize(
            fall,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-9},
        )
        theta, _ = _unpack(found.x, problem)
        if problem.nested:
            # A variance whose likelihood falls from 0 is 0, not merely small.
            theta[: problem.nested][theta[: problem.nested] < 1e-12] = 0.0
        border = False
        if problem.structure in ("UN", "CS") and problem.outcomes > 1:
            matrix = _to_matrix(theta[problem.nested :], problem.structure, problem.outcomes)
            eigen = np.linalg.eigvalsh(matrix)
            border = bool(eigen[0] < 1e-6 * max(eigen[-1], 1e-12))
        if border:
            height = problem.measure(theta, deep=False)[0]
            gradient = np.abs(found.jac).max() if found.jac is not None else np.inf
            settled = (theta, height, bool(gradient < 1e-4))
        else:
            settled = _settle(problem, theta)
        found_theta, height, fine = settled
        if not np.isfinite(height):
            continue
        highest = max(highest, height)
        better = settled_best is None or height > settled_best[1] + 1e-12
        if fine and better and _is_covariance(problem, found_theta):
            settled_best = found_theta, height
    # A climb that did not settle and still stands higher says that the top was not reached.
    if settled_best is None or highest > settled_best[1] + 1e-6:
        raise ArithmeticError("the likelihood has no maximum that was reached: no result")
    return settled_best


def _is_covariance(problem: _Problem, theta: Array) -> bool:
    """Tell whether the parameters of the outcomes make a covariance matrix."""
    if not problem.outcomes:
        return True
    matrix = _to_matrix(theta[problem.nested :], problem.structure, problem.outcomes)
    eigen = np.linalg.eigvalsh(matrix)
    return bool(eigen[0] >= -1e-9 * max(eigen[-1], 1.0))


def fit_multilevel(
    yi: ArrayLike,
    v: ArrayLike,
    levels: Mapping[str, Sequence[Any] | ArrayLike] | None = None,
    *,
    outer: Sequence[Any] | ArrayLike | None = None,
    inner: Sequence[Any] | ArrayLike | None = None,
    structure: str = "UN",
    moderators: Moderators | ArrayLike | None = None,
    intercept: bool = True,
    method: str = "REML",
    test: str = "t",
    level: float = 0.95,
) -> Multilevel:
    """Fit a multilevel or multivariate meta-analysis.

    Parameters
    ----------
    yi : array_like, shape (k,)
        Effects.
    v : array_like, shape (k,) or (k, k)
        Sampling variances, or their covariance matrix where effects share people (see
        :func:`headway.meta.covariance.impute_covariance` and
        :func:`headway.meta.covariance.share_control`).
    levels : mapping of str to sequence, optional
        Nested random intercepts, the outermost first: ``{"trial": trials, "effect": range(k)}``
        lets effects differ between trials and within them. Labels of an inner level need to be
        unique only within the level above.
    outer, inner : sequence, optional
        Units and outcomes of a covariance matrix between the outcomes of a unit, as in "outcome
        within trial".
    structure : {"UN", "CS", "DIAG", "ID"}
        Of that matrix: free; one variance and one correlation; variances only; one variance.
    moderators, intercept
        As for :func:`headway.meta.regress`.
    method : {"REML", "ML"}
    test : {"t", "z"}
        With t, k − p df, coefficients are tested with t and together with F. With few clusters
        prefer :func:`headway.meta.robust.robust_inference`.
    level : float
        Coverage.

    Returns
    -------
    Multilevel

    Raises
    ------
    ValueError
        Nothing random given; labels missing or of wrong number; `v` no covariance matrix;
        collinear moderators; unknown codes; fewer effects than coefficients, or as many; a level
        with the units of the level above it; a variance or covariance that these effects say
        nothing about, by its name.
    ArithmeticError
        No maximum of the likelihood was reached; no number is returned then.

    Notes
    -----
    Konstantopoulos (2011); Berkey et al. (1998). The variance of a level with a single unit is
    fixed at 0, with a note, as in R's metafor. No prediction interval below three units of the
    outermost level. Several climbs over free parameters (squares,
    Cholesky factors), each settled by Newton steps with variances allowed to be exactly 0; the
    highest is taken. Results do not depend on the unit of the outcome. Likelihoods are computed
    block by block; a few matrices of k × k are formed at the end.
    """
    if method not in ("REML", "ML"):
        raise ValueError("method must be 'REML' or 'ML'")
    if test not in ("t", "z"):
        raise ValueError("test must be 't' or 'z'")
    if structure not in STRUCTURES:
        raise ValueError(f"structure must be one of {list(STRUCTURES)}, not {structure!r}")
    check_level(level)
    y = read_numbers(yi, "yi")
    if y.ndim != 1:
        raise ValueError(f"yi must have one dimension, not {y.ndim}")
    bad = ~np.isfinite(y)
    if bad.any():
        raise ValueError(f"yi must be finite: see {describe_positions(bad)}")
    k = y.size
    cover = read_covariance(v, k)
    if (outer is None) != (inner is None):
        raise ValueError("outer and inner go together")
    if not levels and outer is None:
        raise ValueError("give levels, or outer and inner: otherwise use regress")
    g: list[Array] = []
    free: list[str] = []  # levels whose variance is estimated
    units: dict[str, int] = {}
    path: list[tuple[Hashable, ...]] = [()] * k
    for name, labels in (levels or {}).items():
        own = read_labels(labels, repr(name), k)
        path = [(*before, label) for before, label in zip(path, own, strict=True)]
        number, seen = number_labels(path)
        if len(seen) > 1 and [len(seen)] == list(units.values())[-1:]:
            raise ValueError(f"level {name!r} has the units of the level above it")
        units[name] = len(seen)
        if len(seen) > 1:
            g.append((number[:, None] == number).astype(np.float64))
            free.append(name)
    outcomes: list[Hashable] = []
    if outer is not None and inner is not None:
        found, outcomes = _build_structure(
            read_labels(outer, "outer", k), read_labels(inner, "inner", k), structure
        )
        g += found

    design = read_design({} if moderators is None else moderators, k, intercept, None)
    p = len(design.names)
    if k <= p:
        raise ValueError(
            f"{p} coefficients need more than {p} effects, there are {k}: nothing is left to "
            "estimate their spread from (in a network, one trial per edge)"
        )
    q, r = orthonormalise(design, np.ones(k, dtype=np.bool_))
    _check_identified(
        q, g, [*map("level {!r}".format, free), *_name_structure(outcomes, structure)]
    )
    unit = float(np.median(np.diag(cover)))
    offset = float(np.median(y)) if _fits_constant(q) else 0.0
    scaled = (y - offset) / np.sqrt(unit)
    rest = scaled - q @ (q.T @ scaled)
    problem = _Problem(
        *_block(scaled, cover / unit, q, g),
        float(rest @ rest) / (k - p),
        len(free),
        structure if outcomes else "",
        len(outcomes),
        method == "REML",
    )
    theta, height = _maximise(problem)
    whole = cover.copy()
    for value, matrix in zip(theta, g, strict=True):
        whole += unit * value * matrix
    report = (problem, theta, height, design, q, r, y, cover, whole)
    return _report(*report, unit, units, free, outcomes, test, level)


def _fits_constant(q: Array) -> bool:
    one = np.ones(len(q))
    return bool(np.abs(one - q @ (q.T @ one)).max() < 1e-9)


def _report(
    problem: _Problem,
    theta: Array,
    height: float,
    design: Design,
    q: Array,
    r: Array,
    y: Array,
    v: Array,
    cover: Array,
    unit: float,
    units: dict[str, int],
    free: list[str],
    outcomes: list[Hashable],
    test: str,
    level: float,
) -> Multilevel:
    """Turn the maximum into estimates, tests and words in the caller's unit."""
    k, p = design.matrix.shape
    x = design.matrix
    w = np.linalg.inv(cover)
    inner = np.linalg.inv(q.T @ w @ q)
    beta = inner @ (q.T @ w @ y)
    beta = beta + inner @ (q.T @ w @ (y - q @ beta))
    back = np.linalg.inv(r)
    estimate, vcov = back @ beta, back @ inner @ back.T
    se = np.sqrt(np.diag(vcov))
    df = float(k - p) if test == "t" else float("nan")
    freedom = np.array(df)
    statistic = estimate / se
    half = float(find_critical(level, freedom)) * se
    tested = list(design.tested)
    z = estimate[tested] / se[tested]
    correlation = vcov[np.ix_(tested, tested)] / np.outer(se[tested], se[tested])
    quadratic = float(z @ np.linalg.solve(correlation, z))
    m = len(tested)
    qm = quadratic / m if test == "t" else quadratic

    w0 = np.linalg.inv(v)
    inner0 = np.linalg.inv(q.T @ w0 @ q)
    rest = y - q @ (inner0 @ (q.T @ w0 @ y))
    qe = float(rest @ w0 @ rest)
    sigma2 = dict.fromkeys(units, 0.0)
    sigma2 |= {name: float(unit * value) for name, value in zip(free, theta, strict=False)}
    typical = (k - p) / float(np.trace(w0) - np.trace(inner0 @ (q.T @ w0 @ w0 @ q)))
    covariance = None
    if outcomes:
        covariance = unit * _to_matrix(theta[len(free) :], problem.structure, len(outcomes))
    total = sum(sigma2.values()) + typical
    total += 0.0 if covariance is None else float(np.diag(covariance).mean())
    pi_low = pi_high = float("nan")
    outermost = next(iter(units.values()), 0)
    if design.names == ("intercept",) and covariance is None and outermost >= FEWEST:
        reach = float(find_critical(level, freedom)) * np.sqrt(vcov[0, 0] + sum(sigma2.values()))
        pi_low, pi_high = float(estimate[0] - reach), float(estimate[0] + reach)
    restricted = problem.restricted
    count = k - p if restricted else k
    height = height - count * (np.log(2 * np.pi) + np.log(unit)) / 2
    few = Message("note.few_outermost", units=outermost) if 1 < outermost < 10 else ""
    alone = [name for name in units if name not in free]
    fixed = Message("note.one_unit", levels=alone) if alone else ""
    return Multilevel(
        names=design.names,
        k=k,
        estimate=estimate,
        se=se,
        statistic=statistic,
        p_value=find_p_value(statistic, np.full(p, df)),
        ci_low=estimate - half,
        ci_high=estimate + half,
        vcov=vcov,
        df=df,
        sigma2=sigma2,
        units=units,
        covariance=covariance,
        outcomes=tuple(outcomes),
        structure=problem.structure,
        i2={name: 100 * value / total for name, value in sigma2.items()},
        qe=qe,
        qe_df=k - p,
        qe_p_value=float(find_chi2_tail(np.array(qe), np.array(float(k - p)))),
        qm=qm,
        qm_df=m,
        qm_df2=df,
        qm_p_value=float(find_f_tail(np.array(qm), np.array(float(m)), freedom)),
        pi_low=pi_low,
        pi_high=pi_high,
        log_likelihood=float(height),
        method="REML" if restricted else "ML",
        test=test,
        level=level,
        remark=join([fixed, few]),
        ci_code=describe_test(test, p),
        fitted=Fitted(x, cover, y - x @ estimate, estimate, design.names, level),
    )
