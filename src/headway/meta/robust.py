"""Inference that holds where the working model of dependence does not: clusters, CR1 and CR2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.messages import Message
from headway.meta.batch import number_labels, read_labels
from headway.meta.distributions import find_critical, find_p_value
from headway.meta.multilevel import Fitted, Multilevel
from headway.meta.notes import Described

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

CORRECTIONS = ("CR2", "CR1")
NOTE_FEW = "note.few_clusters"


@dataclass(frozen=True, slots=True, repr=False)
class Robust(Described):
    """Cluster-robust tests of coefficients: arrays with one entry each.

    Attributes
    ----------
    names : tuple of str
    estimate, se, statistic, df, p_value, ci_low, ci_high : ndarray, shape (p,)
        `df` are Satterthwaite's for CR2, clusters less coefficients for CR1.
    vcov : ndarray, shape (p, p)
    clusters : int
    correction, level, remark, ci_code
        As in :class:`headway.meta.Fit`; `note` and `ci_method` say them in English.
    """

    names: tuple[str, ...]
    estimate: Array
    se: Array
    statistic: Array
    df: Array
    p_value: Array
    ci_low: Array
    ci_high: Array
    vcov: Array
    clusters: int
    correction: str
    level: float
    remark: str
    ci_code: str

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per coefficient."""
        import pandas as pd

        columns = ("estimate", "se", "ci_low", "ci_high", "statistic", "df", "p_value")
        frame = pd.DataFrame({name: getattr(self, name) for name in columns})
        frame.insert(0, "coefficient", list(self.names))
        frame["ci_method"] = self.ci_method
        return frame

    def __repr__(self) -> str:
        pairs = zip(self.names, self.estimate, self.ci_low, self.ci_high, strict=True)
        text = ", ".join(f"{name} {b:.4g} [{low:.4g}, {high:.4g}]" for name, b, low, high in pairs)
        return f"Robust({self.correction}, {self.clusters} clusters: {text})"


def robust_inference(
    fit: Multilevel | Fitted,
    clusters: Sequence[Any] | ArrayLike,
    *,
    correction: str = "CR2",
) -> Robust:
    """Test coefficients by how much they vary between clusters.

    Parameters
    ----------
    fit : Multilevel
        Its marginal covariance is the working model.
    clusters : sequence, shape (k,)
        Label of each effect's cluster, usually the trial; clusters must be independent of each
        other in the working model.
    correction : {"CR2", "CR1"}
        Bias-reduced linearisation with Satterthwaite df, or the plain sandwich times
        clusters / (clusters − p).

    Returns
    -------
    Robust

    Raises
    ------
    ValueError
        Unknown `correction`; labels missing or of wrong number; clusters that depend on each other
        in the working model; no more clusters than coefficients.

    Notes
    -----
    CR2: Bell and McCaffrey (2002); Pustejovsky and Tipton (2018), equations 6 and 11, for meta-
    analysis Tipton (2015).
    """
    if correction not in CORRECTIONS:
        raise ValueError(f"correction must be one of {list(CORRECTIONS)}, not {correction!r}")
    own = fit.fitted if isinstance(fit, Multilevel) else fit
    k, p = own.x.shape
    number, names = number_labels(read_labels(clusters, "clusters", k))
    m = len(names)
    if m <= p:
        raise ValueError(f"{p} coefficients need more than {p} clusters, there are {m}")
    apart = number[:, None] != number
    between = np.abs(own.covariance[apart]).max(initial=0.0)
    if between > 1e-10 * np.diag(own.covariance).max():
        raise ValueError("clusters depend on each other in the model: take the outermost level")
    # Columns of one size, so that the unit of a moderator costs no digits.
    scale = np.sqrt((own.x**2).sum(axis=0))
    x = own.x / scale
    w = np.linalg.inv(own.covariance)
    bread = np.linalg.inv(x.T @ w @ x)
    members = [np.flatnonzero(number == i) for i in range(m)]
    meat = np.zeros((p, p))
    # Rows of what a cluster's scores are in the residuals of all effects, for Satterthwaite's df.
    carriers: list[Array] = []
    for rows in members:
        phi = own.covariance[np.ix_(rows, rows)]
        wx = w[np.ix_(rows, rows)] @ x[rows]
        adjust = np.eye(len(rows))
        if correction == "CR2":
            root = np.linalg.cholesky(phi).T
            inner = root @ (phi - x[rows] @ bread @ x[rows].T) @ root.T
            adjust = root.T @ _power(inner, -0.5) @ root
        score = wx.T @ adjust @ own.residual[rows]
        meat += np.outer(score, score)
        if correction == "CR2":
            # (I - H)' restricted to the cluster, times what weighs its residuals.
            weights = adjust.T @ wx @ bread
            carrier = np.zeros((k, p))
            carrier[rows] = weights
            carrier -= w @ x @ bread @ (x[rows].T @ weights)
            carriers.append(carrier)
    vcov = bread @ meat @ bread
    if correction == "CR1":
        vcov *= m / (m - p)
        df = np.full(p, float(m - p))
        code = Message("interval.robust_cr1", clusters=m, p=p)
    else:
        df = np.array([_find_df([c[:, j] for c in carriers], own.covariance) for j in range(p)])
        code = Message("interval.robust_cr2", clusters=m)
    vcov = vcov / np.outer(scale, scale)
    se = np.sqrt(np.diag(vcov))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = own.estimate / se
    half = np.array([float(find_critical(own.level, np.array(one))) for one in df]) * se
    return Robust(
        names=own.names,
        estimate=own.estimate,
        se=se,
        statistic=statistic,
        df=df,
        p_value=find_p_value(statistic, df),
        ci_low=own.estimate - half,
        ci_high=own.estimate + half,
        vcov=vcov,
        clusters=m,
        correction=correction,
        level=own.level,
        remark=NOTE_FEW if (df < 4).any() else "",
        ci_code=code,
    )


def _power(matrix: Array, exponent: float) -> Array:
    """Return a symmetric matrix to a power; directions without spread stay without."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    kept = values > 1e-10 * max(values[-1], 0.0)
    powers = np.where(kept, np.where(kept, values, 1.0) ** exponent, 0.0)
    return np.asarray((vectors * powers) @ vectors.T)


def _find_df(carriers: list[Array], covariance: Array) -> float:
    """Return Satterthwaite's df of a variance that is a sum of squares of clusters' scores."""
    c = np.column_stack(carriers)
    shared = c.T @ covariance @ c
    return float(np.trace(shared) ** 2 / (shared**2).sum())
