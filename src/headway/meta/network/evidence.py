"""Where a comparison's evidence comes from: which direct comparisons, and along which paths."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headway.meta.distributions import find_critical
from headway.meta.network.data import Network
from headway.meta.network.fit import NetworkFit

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

# Flow below this share of a comparison's whole is rounding.
NOTHING = 1e-9


@dataclass(frozen=True, slots=True, repr=False)
class Evidence:
    """Direct evidence of a network, and what each comparison takes of it.

    Attributes
    ----------
    weight : ndarray, shape (t, t)
        Precision of the direct comparison of each pair, 0 where there is none.
    direct, direct_se : ndarray, shape (t, t)
        Row against column, from direct evidence alone; NaN where there is none.
    share : ndarray, shape (t, t)
        Share of a network estimate's precision that is direct, 0 to 1.
    potential : ndarray, shape (t, t)
        Generalised inverse of the Laplacian of the weights.
    """

    weight: Array
    direct: Array
    direct_se: Array
    share: Array
    potential: Array

    def find_flow(self, one: int, other: int) -> Array:
        """Return how evidence flows from `one` to `other`: entry (a, b) is what runs from a to b.

        The coefficients with which direct comparisons enter the network estimate (Rücker 2012):
        what leaves `one` adds up to 1.
        """
        height = self.potential[:, one] - self.potential[:, other]
        return np.asarray(self.weight * (height[:, None] - height))


def trace_evidence(network: Network, tau2: float) -> Evidence:
    """Find the direct evidence of a network and how its comparisons use it.

    Parameters
    ----------
    network : Network
        Connected.
    tau2 : float
        Between-study variance; 0 for common effects.

    Notes
    -----
    A trial of several arms with precision matrix P of its contrasts is as good as independent
    comparisons of each pair with the weights that stand off the diagonal of B'PB, B its rows of the
    design (Rücker 2012; Rücker and Schwarzer 2014). `direct` pools the pair's effects over trials
    with these weights, and `share` is weight times the network's variance: the diagonal of the hat
    matrix (König, Krahn and Binder 2013).
    """
    t = len(network.treatments)
    x = network.design
    shared = x @ x.T / 2 * (network.trial[:, None] == network.trial)
    precision = np.linalg.inv(network.v + tau2 * shared)
    effects = np.zeros((t, t))
    whole = np.zeros((t, t))
    for number in range(len(network.trials)):
        rows = network.trial == number
        part = -(x[rows].T @ precision[np.ix_(rows, rows)] @ x[rows])
        np.fill_diagonal(part, 0)
        # Levels of the arms, of which only differences count.
        level = np.linalg.pinv(x[rows]) @ network.y[rows]
        whole += part
        effects += part * (level[:, None] - level)
    laplacian = np.diag(whole.sum(axis=1)) - whole
    potential = np.asarray(np.linalg.pinv(laplacian), dtype=np.float64)
    spread = np.diag(potential)
    variance = spread[:, None] + spread - 2 * potential
    known = network.count_pairs() > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        direct = np.where(known, effects / whole, np.nan)
        error = np.where(known, 1 / np.sqrt(whole), np.nan)
    return Evidence(
        np.where(known, whole, 0.0),
        direct,
        error,
        np.where(known, whole * variance, 0.0),
        potential,
    )


def tabulate_evidence(fit: NetworkFit) -> pd.DataFrame:
    """Set direct against indirect evidence, one row per pair of treatments.

    Returns
    -------
    DataFrame
        `treatment`, `base`, `k_direct`, `share_direct`; `direct`, `indirect` and `network` each
        with `_low` and `_high`, NaN where there is no such evidence.

    Notes
    -----
    The network estimate is the mean of direct and indirect ones, weighted by precision, so that
    the indirect one follows from the other two (Bucher et al. 1997; Dias et al. 2010). tau2 is the
    network's, the intervals those of its test.
    """
    import pandas as pd

    evidence = trace_evidence(fit.network, fit.tau2)
    names = np.array(fit.network.treatments, dtype=object)
    one, other = np.triu_indices(len(names), 1)
    pairs = (other, one)
    share = evidence.share[pairs]
    with np.errstate(divide="ignore", invalid="ignore"):
        left = 1 - share
        indirect = (fit.estimate[pairs] - share * evidence.direct[pairs]) / left
        indirect = np.where(share > 0, indirect, fit.estimate[pairs])
        error = np.where(share > 0, fit.se[pairs] / np.sqrt(left), fit.se[pairs])
    bare = left < NOTHING
    indirect, error = np.where(bare, np.nan, indirect), np.where(bare, np.nan, error)
    frame = pd.DataFrame(
        {
            "treatment": names[other],
            "base": names[one],
            "k_direct": fit.network.count_pairs()[pairs],
            "share_direct": share,
        }
    )
    critical = find_critical(fit.level, np.full(share.shape, fit.df))
    ways = {
        "direct": (evidence.direct[pairs], evidence.direct_se[pairs]),
        "indirect": (indirect, error),
        "network": (fit.estimate[pairs], fit.se[pairs]),
    }
    for name, (estimate, se) in ways.items():
        frame[name] = estimate
        frame[f"{name}_low"], frame[f"{name}_high"] = (
            estimate - critical * se,
            estimate + critical * se,
        )
    return frame


def find_contributions(fit: NetworkFit, pairs: list[tuple[str, str]] | None = None) -> pd.DataFrame:
    """Find what each direct comparison contributes to each network estimate.

    Parameters
    ----------
    fit : NetworkFit
    pairs : list of (treatment, base), optional
        Comparisons asked for; otherwise all.

    Returns
    -------
    DataFrame
        `treatment`, `base`, the direct comparison (`direct_treatment`, `direct_base`) and its
        `share` in percent, adding up to 100 for each comparison; `length`, the mean number of
        comparisons on the paths.

    Notes
    -----
    Papakonstantinou et al. (2018): evidence flows from one treatment to the other; the shortest
    path that still carries flow is taken out again and again (of equally short ones that with most
    flow, then the first by name), its flow shared equally among its comparisons.
    """
    import pandas as pd

    names = fit.network.treatments
    evidence = trace_evidence(fit.network, fit.tau2)
    if pairs is None:
        chosen = [(j, i) for i in range(len(names)) for j in range(i + 1, len(names))]
    else:
        chosen = [(fit.place(one), fit.place(other)) for one, other in pairs]
    out: list[tuple[str, str, str, str, float, float]] = []
    for one, other in chosen:
        shares, length = _split_flow(evidence.find_flow(one, other), one, other)
        for (a, b), share in sorted(shares.items()):
            out.append((names[one], names[other], names[b], names[a], 100 * share, length))
    columns = ["treatment", "base", "direct_treatment", "direct_base", "share", "length"]
    return pd.DataFrame(out, columns=columns)


def _split_flow(flow: Array, start: int, end: int) -> tuple[dict[tuple[int, int], float], float]:
    """Share a flow of 1 among the edges of its shortest paths; also the paths' mean length."""
    left: dict[int, dict[int, float]] = {}
    for here, there in np.argwhere(flow > NOTHING).tolist():
        left.setdefault(here, {})[there] = float(flow[here, there])
    shares: dict[tuple[int, int], float] = {}
    length = 0.0
    while (path := _find_path(left, start, end)) is not None:
        edges = list(pairwise(path))
        amount = min(left[here][there] for here, there in edges)
        for here, there in edges:
            left[here][there] -= amount
            if left[here][there] <= NOTHING:
                del left[here][there]
            key = (min(here, there), max(here, there))
            shares[key] = shares.get(key, 0.0) + amount / len(edges)
        length += amount * len(edges)
    whole = sum(shares.values())
    return {edge: share / whole for edge, share in shares.items()}, length / whole


def _find_path(flow: dict[int, dict[int, float]], start: int, end: int) -> list[int] | None:
    """Return the path of fewest edges that carry flow; of several that with the most flow."""
    # Step by step away from the start, with the widest way to each treatment that is as near.
    width = {start: np.inf}
    before: dict[int, int] = {}
    ring = [start]
    while ring and end not in before:
        reached: dict[int, float] = {}
        for here in sorted(ring):
            for there, amount in flow.get(here, {}).items():
                carried = min(width[here], amount)
                if there not in width and carried > reached.get(there, 0.0):
                    reached[there], before[there] = carried, here
        width |= reached
        ring = list(reached)
    if end not in before:
        return None
    path = [end]
    while path[-1] != start:
        path.append(before[path[-1]])
    return path[::-1]
