"""Do direct and indirect evidence agree? Q between designs, one design set free, one side split.

A design is the set of treatments that a trial compares. Trials of one design differ by
heterogeneity; designs that disagree beyond it are inconsistent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headway.meta.design import Design
from headway.meta.distributions import find_chi2_tail, find_critical
from headway.meta.network.data import Network
from headway.meta.network.fit import (
    METHODS,
    SINGULAR,
    Whitened,
    check_connected,
    choose_reference,
    whiten,
)
from headway.meta.regression import regress

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Statistic:
    """A chi-squared statistic."""

    q: float
    df: int
    p_value: float


@dataclass(frozen=True, slots=True, repr=False)
class Inconsistency:
    """Cochran's Q of a network, taken apart, and how designs pull.

    Attributes
    ----------
    total, heterogeneity, inconsistency : Statistic
        Q of the network with common effects: of trials within their designs, and between designs.
    random : Statistic
        Between designs with the heterogeneity within designs allowed for: the global Wald test of
        the design-by-treatment interaction model.
    tau2_within : float
        Between-study variance of that model.
    designs : tuple of tuple of str
    within : tuple of Statistic
        Per design: heterogeneity of its trials.
    detached : tuple of Statistic
        Per design: what is left between designs where this one is set free.
    rows : tuple of (int, str, str)
        Design, treatment and base of each effect of the net heat plot.
    hat : ndarray, shape (rows, rows)
        Share that the direct effect in the column has in the network's estimate of the row.
    heat : ndarray, shape (rows, rows)
        By how much the row's part of the inconsistency falls where the column's design is set free.
    """

    total: Statistic
    heterogeneity: Statistic
    inconsistency: Statistic
    random: Statistic
    tau2_within: float
    designs: tuple[tuple[str, ...], ...]
    within: tuple[Statistic, ...]
    detached: tuple[Statistic, ...]
    rows: tuple[tuple[int, str, str], ...]
    hat: Array
    heat: Array

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per statistic; `design` is empty for the whole's."""
        import pandas as pd

        rows = [
            ("total", "", self.total),
            ("heterogeneity", "", self.heterogeneity),
            ("inconsistency", "", self.inconsistency),
            ("inconsistency_random", "", self.random),
        ]
        for name, parts in (("within", self.within), ("detached", self.detached)):
            rows += [
                (name, " : ".join(design), part)
                for design, part in zip(self.designs, parts, strict=True)
            ]
        columns = ["part", "design", "q", "df", "p_value"]
        return pd.DataFrame([(a, b, c.q, c.df, c.p_value) for a, b, c in rows], columns=columns)


def _test(q: float, df: int) -> Statistic:
    q = max(q, 0.0)
    tail = float(find_chi2_tail(np.array(q), np.array(float(df)))) if df else float("nan")
    return Statistic(q, df, tail)


@dataclass(frozen=True, slots=True)
class _Span:
    """A model of full rank in rows of variance 1: what it spans, and what it leaves of y."""

    basis: Array
    rest: Array

    @property
    def q(self) -> float:
        return float(self.rest @ self.rest)

    def widen(self, columns: Array) -> tuple[float, int]:
        """Return Q with more columns in the model, and how many of them are new to it."""
        size = float(np.linalg.norm(columns))
        beyond = columns - self.basis @ (self.basis.T @ columns)
        values, vectors = np.linalg.eigh(beyond.T @ beyond)
        new = values > SINGULAR * size**2
        along = (beyond @ vectors[:, new]).T @ self.rest
        return self.q - float((along**2 / values[new]).sum()), int(new.sum())


def _span(white: Whitened, x: Array, tau2: float = 0.0) -> _Span:
    root = 1 / np.sqrt(white.v + tau2)
    basis = np.linalg.qr(root[:, None] * (white.turn @ x))[0]
    goal = root * white.y
    rest = goal - basis @ (basis.T @ goal)
    return _Span(basis, rest - basis @ (basis.T @ rest))


def _set_free(network: Network) -> tuple[list[tuple[int, ...]], Array, list[tuple[int, int, int]]]:
    """Return the designs, the columns that give each its own effects, and what they stand for."""
    arms = network.list_arms()
    designs = sorted(dict.fromkeys(arms), key=lambda one: (len(one), one))
    of_trial = np.array([designs.index(one) for one in arms])[network.trial]
    columns, rows = [], []
    for number, design in enumerate(designs):
        mine = of_trial == number
        for treatment in design[1:]:
            one = (network.treatment == treatment).astype(np.float64)
            columns.append(np.where(mine, one - (network.base == treatment), 0.0))
            rows.append((number, treatment, design[0]))
    return designs, np.column_stack(columns), rows


def check_consistency(network: Network) -> Inconsistency:
    """Take Cochran's Q apart and test whether the designs of a network agree.

    Parameters
    ----------
    network : Network
        Connected.

    Raises
    ------
    ValueError
        A network that is not connected.

    Notes
    -----
    Krahn, Binder and König (2013): Q within designs is that of the model with an effect for every
    contrast of every design, Q between is the rest; a design is detached by effects of its own;
    net heat is the fall of a row's squared standardised residual. Global test with random effects:
    Higgins et al. (2012), White et al. (2012); tau2 within designs by the method of moments
    (Jackson et al. 2012). In a design of several arms residuals are standardised by the symmetric
    root of its precision.
    """
    check_connected(network)
    x = np.delete(network.design, choose_reference(network, ""), axis=1)
    designs, free, rows = _set_free(network)
    white = whiten(network)
    m, p, s = len(network.y), x.shape[1], free.shape[1]
    whole, apart = _span(white, x), _span(white, free)
    of_row = np.array([number for number, _, _ in rows])
    own = np.array([np.abs(free[:, of_row == d]).any(axis=1) for d in range(len(designs))])

    within, detached = [], []
    scaled = white.turn @ free / np.sqrt(white.v)[:, None]
    for number in range(len(designs)):
        mine = own[number]  # combined contrasts stand in the rows of their own trial
        df = int(mine.sum()) - int((of_row == number).sum())
        within.append(_test(float(apart.rest[mine] @ apart.rest[mine]), df))
        left, new = whole.widen(scaled[:, of_row == number])
        detached.append(_test(left - apart.q, s - p - new))

    tau2 = 0.0
    if m > s:
        spread = float(((1 - (apart.basis**2).sum(axis=1)) / white.v).sum())
        tau2 = max(0.0, (apart.q - (m - s)) / spread)
    between = _span(white, x, tau2).q - _span(white, free, tau2).q
    hat, heat = _heat(white, x, free, of_row)
    names = network.treatments
    return Inconsistency(
        total=_test(whole.q, m - p),
        heterogeneity=_test(apart.q, m - s),
        inconsistency=_test(whole.q - apart.q, s - p),
        random=_test(between, s - p),
        tau2_within=tau2,
        designs=tuple(tuple(names[i] for i in design) for design in designs),
        within=tuple(within),
        detached=tuple(detached),
        rows=tuple((number, names[one], names[other]) for number, one, other in rows),
        hat=hat,
        heat=heat,
    )


def _heat(white: Whitened, x: Array, free: Array, of_row: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return the hat matrix and the net heat of the designs' own effects."""
    wide = white.turn @ free / np.sqrt(white.v)[:, None]
    precision = wide.T @ wide
    effect = np.linalg.solve(precision, wide.T @ (white.y / np.sqrt(white.v)))
    # The designs' effects in terms of the network's treatments: free @ aggregated = x.
    aggregated = np.linalg.lstsq(free, x, rcond=SINGULAR)[0]
    hat = aggregated @ np.linalg.solve(
        aggregated.T @ precision @ aggregated, aggregated.T @ precision
    )
    root = np.zeros(precision.shape)
    for number in np.unique(of_row):
        block = np.ix_(of_row == number, of_row == number)
        values, vectors = np.linalg.eigh(precision[block])
        root[block] = (vectors * np.sqrt(values)) @ vectors.T

    basis = np.linalg.qr(root @ aggregated)[0]
    rest = root @ effect - basis @ (basis.T @ (root @ effect))
    heat = np.zeros(precision.shape)
    for number in np.unique(of_row):
        own = root[:, of_row == number]
        own = own - basis @ (basis.T @ own)
        left = rest - own @ np.linalg.lstsq(own, rest, rcond=SINGULAR)[0]
        heat[:, of_row == number] = (rest**2 - left**2)[:, None]
    return hat, heat


def split_sides(
    network: Network, *, method: str = "REML", test: str = "adhoc", level: float = 0.95
) -> pd.DataFrame:
    """Separate indirect from direct evidence for each pair that has both.

    Parameters
    ----------
    network : Network
        Connected.
    method, test, level
        As for :func:`headway.meta.network.pool_network`.

    Returns
    -------
    DataFrame
        One row per pair that trials compare directly: `treatment`, `base`, `k_direct`; `direct`,
        `indirect`, `difference` (direct − indirect) each with `_low` and `_high`; `p_value` of the
        difference; `tau2` of the model. NaN where the trials that compare the pair are the only
        link between the two, so that there is no indirect evidence.

    Raises
    ------
    ValueError
        A network that is not connected; unknown codes.

    Notes
    -----
    Dias et al. (2010), node-splitting (SIDE), in the form of White (2015): trials that compare the
    pair get a coefficient of their own; where they have other arms too, half of it goes to either
    side. tau2 is estimated anew in every model.
    """
    import pandas as pd

    if method not in METHODS:
        raise ValueError(f"method must be one of {list(METHODS)}, not {method!r}")
    check_connected(network)
    white = whiten(network)
    against = choose_reference(network, "")
    others = [i for i in range(len(network.treatments)) if i != against]
    x = network.design[:, others]
    whole = _span(white, x)
    count = network.count_pairs()
    arms = network.list_arms()
    out = []
    for one, other in zip(*np.nonzero(np.tril(count)), strict=True):
        holds = np.array([one in each and other in each for each in arms])[network.trial]
        side = (network.design[:, one] - network.design[:, other]) / 2 * holds
        wide = np.column_stack([x, side])
        row = (network.treatments[one], network.treatments[other], int(count[one, other]))
        if not whole.widen((white.turn @ side / np.sqrt(white.v))[:, None])[1]:
            out.append((*row, *[np.nan] * 11))
            continue
        names = tuple(f"x{i}" for i in range(wide.shape[1]))
        used = (method, test) if len(white.y) > wide.shape[1] else ("EE", "z")
        design = Design(white.turn @ wide, names, {}, {})
        fit = regress(white.y, white.v, design, method=used[0], test=used[1], level=level)
        pick = np.zeros((3, wide.shape[1]))
        for k, treatment in enumerate(others):
            pick[:2, k] = float(treatment == one) - float(treatment == other)
        pick[0, -1] = pick[2, -1] = 1.0
        estimate = pick @ fit.estimate
        se = np.sqrt(np.einsum("ij,jk,ik->i", pick, fit.vcov, pick))
        half = find_critical(level, np.full(3, fit.df)) * se
        limits = np.column_stack([estimate, estimate - half, estimate + half]).ravel()
        out.append((*row, *limits, float(fit.p_value[-1]), float(fit.tau2)))
    ways = ("direct", "indirect", "difference")
    columns = [f"{way}{end}" for way in ways for end in ("", "_low", "_high")]
    head = ["treatment", "base", "k_direct", *columns, "p_value", "tau2"]
    return pd.DataFrame(out, columns=head)
