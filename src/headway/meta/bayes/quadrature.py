"""Integrals over tau by the trapezoid rule on a transformed axis, refined until they stand still.

Given tau the model is normal and has closed forms (Gelman et al. 2013, 5.4; Röver 2020, 2.5): only
tau is integrated. On the axis x, with log(tau) = centre + width sinh(x), the integrand is analytic
and falls off exponentially or faster on both sides, so that the trapezoid rule converges
geometrically (Takahasi and Mori 1974; Trefethen and Weideman 2014). Every second node is itself
such a rule: what both differ by is the error of the coarser one, and sets for which it is too large
get twice the nodes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import expit, logsumexp, sici

from headway.meta.batch import Batch
from headway.meta.bayes.priors import Fixed, Prior, make_transform

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

NODES = 129
MOST_NODES = 4097
# What a rule and its every second node may differ by, relative to the integral or the spread; the
# finer rule's own error is about the square of it.
TOLERANCE = 1e-8
# Elements of an array of studies, sets and nodes: what a processor's cache holds.
CHUNK = 400_000
# Where the integrand is below e^-34 of its maximum, nodes are spared.
DROP = 34.0
FURTHEST = 340.0
LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True, slots=True)
class Model:
    """Data and priors of some sets, in the unit and from the centre of their batch.

    `mu_mean` and `mu_sd`, shape (sets,), are the normal prior of mu; `mu_sd` is infinite for the
    improper one, and 0 where mu is known.
    """

    batch: Batch
    tau: Prior
    mu_mean: Array
    mu_sd: Array

    @property
    def root(self) -> Array:
        """One unit of the batch in the unit of the effects."""
        return np.sqrt(self.batch.unit)

    @property
    def power(self) -> Array:
        """The likelihood falls as tau to minus this."""
        return np.asarray(self.batch.k - np.isinf(self.mu_sd), dtype=np.float64)

    def take(self, sets: Indices | slice) -> Model:
        """Return the model of some sets, by number."""
        return Model(self.batch.take(sets), self.tau, self.mu_mean[sets], self.mu_sd[sets])

    def condition(self, tau: Array) -> tuple[Array, Array, Array]:
        """Return log likelihood, and mean and sd of mu, given `tau` of shape (sets, nodes).

        Under the improper prior the likelihood is integrated over mu with density 1.
        """
        y, v = self.batch.y[:, :, None], self.batch.v[:, :, None]
        held = self.batch.held[:, :, None]
        total = v + tau**2
        w = 1 / total
        precision = w.sum(axis=0)
        mean = (w * y).sum(axis=0) / precision
        q = (w * (y - mean) ** 2).sum(axis=0)
        logs = np.log(total, where=held, out=np.zeros_like(total)).sum(axis=0)
        flat = np.isinf(self.mu_sd)[:, None]
        spread = np.where(flat, 1.0, self.mu_sd[:, None]) ** 2
        prior_mean = self.mu_mean[:, None]
        ratio = precision * spread
        off = (mean - prior_mean) ** 2 * precision / (1 + ratio)
        log_scale = np.where(flat, np.log(precision) - LOG_2PI, np.log1p(ratio))
        k = self.batch.k[:, None]
        log_likelihood = -0.5 * (k * LOG_2PI + logs + q + np.where(flat, 0, off) + log_scale)
        centre = np.where(flat, mean, prior_mean + (mean - prior_mean) * ratio / (1 + ratio))
        variance = np.where(flat, 1 / precision, spread / (1 + ratio))
        return log_likelihood, centre, np.sqrt(variance)

    def log_integrand(self, z: Array) -> Array:
        """Return log of prior times likelihood, as a density of `z` (sets, nodes)."""
        return self.evaluate(z)[1]

    def evaluate(self, z: Array) -> tuple[Array, Array, Array, Array]:
        """Return tau, the log integrand as a density of `z`, and mean and sd of mu."""
        assert not isinstance(self.tau, Fixed)
        to_log_tau, log_slope = make_transform(self.tau.upper)
        log_tau = to_log_tau(z)
        log_root = np.log(self.root)[:, None]
        with np.errstate(over="ignore"):
            prior = self.tau.log_density(log_tau) + log_slope(z)
        tau = np.exp(log_tau - log_root)
        log_likelihood, mean, sd = self.condition(tau)
        return tau, prior + log_likelihood, mean, sd


@dataclass(frozen=True, slots=True)
class Grid:
    """The posterior of tau at the nodes of some sets, and mu's normal distribution at each.

    Attributes
    ----------
    sets : ndarray of int, shape (sets,)
        Which sets of the whole batch.
    p, tau, mean, sd : ndarray, shape (sets, nodes)
        Posterior weight of each node (summing to 1), tau, and mu given tau; in the batch's unit.
    log_marginal : ndarray, shape (sets,)
        Log of the integral; in the batch's unit.
    error : ndarray, shape (sets,)
        What this rule and its every second node differ by.
    centre, width, first, step : ndarray, shape (sets,)
        The axis: z = centre + width sinh(first + node step).
    """

    sets: Indices
    p: Array
    tau: Array
    mean: Array
    sd: Array
    log_marginal: Array
    error: Array
    centre: Array
    width: Array
    first: Array
    step: Array

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return self.p.shape[1]

    def take(self, rows: Indices) -> Grid:
        """Return the grids of some of these sets."""
        return Grid(*(getattr(self, name)[rows] for name in Grid.__slots__))

    def cumulate(self) -> Array:
        """Return the distribution function of tau at the nodes.

        The sinc interpolant, integrated (Haber 1977; Stenger 1993): it converges as geometrically
        as the rule itself, where sums of weights would not.
        """
        n = self.nodes
        weights = 0.5 + sici(np.pi * np.arange(1 - n, n))[0] / np.pi
        # weights[n - 1 + i - j] for node i and weight j.
        kernel = sliding_window_view(weights[::-1], n)[::-1]
        return self.p @ kernel.T


def locate(model: Model) -> tuple[Array, Array, Array, Array]:
    """Return centre, width and both ends in x of an axis that fits each set's integrand."""
    assert not isinstance(model.tau, Fixed)
    upper, log_root = model.tau.upper, np.log(model.root)
    v = np.where(model.batch.held, model.batch.v, np.nan)
    with np.errstate(divide="ignore"):
        spread = np.log(np.abs(model.batch.y).max(axis=0))
    scales = np.stack([np.log(np.nanmin(v, axis=0)) / 2, np.log(np.nanmax(v, axis=0)) / 2, spread])
    scales = np.vstack([scales + log_root, np.full((1, log_root.size), _log_median(model))])
    scales = np.where(np.isfinite(scales), scales, scales[-1])
    low, high = scales.min(axis=0) - 4, scales.max(axis=0) + 4
    if math.isfinite(upper):
        # In logits; beyond the bound both axes part.
        low, high = low - math.log(upper), np.maximum(high - math.log(upper), 4)
    for points in (33, 17, 17):
        z = np.linspace(low, high, points, axis=1)
        values = model.log_integrand(z)
        best = np.take_along_axis(z, values.argmax(axis=1)[:, None], 1)[:, 0]
        step = (high - low) / (points - 1)
        low, high = best - 1.5 * step, best + 1.5 * step
    z = np.stack([best - step, best, best + step], axis=1)
    below, at, above = model.log_integrand(z).T
    bend = (2 * at - below - above) / step**2
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.where(bend > 0, 1 / np.sqrt(bend), 1.5)
    width = np.clip(width, 1e-4, 1.5)
    return (best, width, *_find_ends(model, best, width))


def _find_order(model: Model) -> Array:
    """Return how many of tau's first two moments each set's posterior has."""
    assert not isinstance(model.tau, Fixed)
    first, second = (model.tau.has_moment(order, model.power) for order in (1, 2))
    return np.asarray(first, dtype=np.float64) + np.asarray(second, dtype=np.float64)


def _log_median(model: Model) -> float:
    assert not isinstance(model.tau, Fixed)
    return math.log(model.tau.quantile(0.5))


def _find_ends(model: Model, centre: Array, width: Array) -> tuple[Array, Array]:
    """Return between which x the integrand is worth a node."""
    # tau² stays in range: beyond it there is no weight that a number could hold.
    assert not isinstance(model.tau, Fixed)
    middle = centre - np.log(model.root) if math.isinf(model.tau.upper) else centre
    furthest = np.arcsinh((FURTHEST - np.abs(middle)) / width)
    x = furthest[:, None] * np.linspace(-1, 1, 65)
    z = centre[:, None] + width[:, None] * np.sinh(x)
    tau, values, _, _ = model.evaluate(z)
    # Where tau's moments exist the nodes have to hold them as well.
    with np.errstate(divide="ignore"):
        far = np.maximum(np.log(tau) - np.log(tau[:, 32:33]), 0)
    values = values + np.log(np.cosh(x)) + _find_order(model)[:, None] * far
    worth = values > values.max(axis=1, keepdims=True) - DROP
    last = x.shape[1] - 1
    low = np.maximum(worth.argmax(axis=1) - 1, 0)
    high = np.minimum(last - worth[:, ::-1].argmax(axis=1) + 1, last)
    rows = np.arange(low.size)
    return x[rows, low], x[rows, high]


def build_grids(model: Model, nodes: int = NODES) -> list[Grid]:
    """Return the posterior of all sets, in groups of one number of nodes.

    A set whose integral does not stand still with `MOST_NODES` is in none of them: prior and data
    are then so far apart that rounding decides.
    """
    sets = np.arange(model.batch.k.size)
    if isinstance(model.tau, Fixed):
        return [_build_fixed(model, sets)]
    grids: list[Grid] = []
    studies = max(model.batch.y.shape[0], 1)
    size = max(CHUNK // (studies * nodes), 1)
    for start in range(0, sets.size, size):
        todo = sets[start : start + size]
        part = model.take(todo)
        axis = np.stack(locate(part))
        many = nodes
        while todo.size and many <= MOST_NODES:
            grid = _build(part, todo, axis, many)
            settled = grid.error < TOLERANCE
            grids.append(grid if settled.all() else grid.take(np.flatnonzero(settled)))
            rest = np.flatnonzero(~settled)
            todo, axis, part = todo[rest], axis[:, rest], part.take(rest)
            many = 2 * many - 1
    return _merge(grids)


def _build_fixed(model: Model, sets: Indices) -> Grid:
    assert isinstance(model.tau, Fixed)
    tau = (model.tau.tau / model.root)[:, None]
    log_likelihood, mean, sd = model.condition(tau)
    zero, one = np.zeros(sets.size), np.ones((sets.size, 1))
    return Grid(sets, one, tau, mean, sd, log_likelihood[:, 0], zero, zero, zero, zero, zero)


def _build(model: Model, sets: Indices, axis: Array, nodes: int) -> Grid:
    """Return the rule of `nodes` nodes, an odd number."""
    centre, width, low, high = axis
    step = (high - low) / (nodes - 1)
    x = low[:, None] + step[:, None] * np.arange(nodes)
    z = centre[:, None] + width[:, None] * np.sinh(x)
    tau, values, mean, sd = model.evaluate(z)
    values = values + np.log(width[:, None] * np.cosh(x) * step[:, None])
    log_marginal = logsumexp(values, axis=1)
    p = np.exp(values - log_marginal[:, None])
    p /= p.sum(axis=1, keepdims=True)  # logarithms far from 0 round
    error = _compare_halves(model, p, tau, mean, sd)
    return Grid(sets, p, tau, mean, sd, log_marginal, error, centre, width, low, step)


def _compare_halves(model: Model, p: Array, tau: Array, mean: Array, sd: Array) -> Array:
    """Return the largest difference of a rule and its every second node, for what is asked of it.

    The integral; functions of tau, and of mu's mean and spread, that are bounded and move where
    these do; moments where there are any.
    """
    coarse = p[:, ::2]
    mass = coarse.sum(axis=1)
    with np.errstate(invalid="ignore"):
        coarse = coarse / mass[:, None]  # all weight on one node that is not there: not settled
    middle = np.argmax(p.cumsum(axis=1) >= 0.5, axis=1)[:, None]
    typical = np.take_along_axis(tau, middle, 1)
    centre, spread = np.take_along_axis(mean, middle, 1), np.take_along_axis(sd, middle, 1)
    spread = np.where(spread > 0, spread, 1.0)  # a known mu
    order = _find_order(model)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = tau / typical  # a tau beyond what a number holds leaves the set unsettled
    bounded = np.isfinite(model.mu_sd)[:, None] | (order == 2)
    off = (mean - centre) / spread
    found = [np.abs(2 * mass - 1)]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        functions = [
            tau / (tau + typical),
            expit(off),
            sd / (sd + spread),
            expit(off + sd / spread),
            np.where(order >= 1, relative, 0.0),
            np.where(order >= 2, relative**2, 0.0),
            np.where(bounded, off**2 + (sd / spread) ** 2, 0.0),
        ]
    for function in functions:
        fine = np.einsum("ij,ij->i", p, function)
        gap = np.abs(np.einsum("ij,ij->i", coarse, function[:, ::2]) - fine)
        found.append(gap / np.maximum(fine, 1.0))
    return np.max(found, axis=0)


def _merge(grids: list[Grid]) -> list[Grid]:
    """Put grids of one number of nodes together."""
    out = []
    for nodes in sorted({grid.nodes for grid in grids}):
        same = [grid for grid in grids if grid.nodes == nodes and grid.sets.size]
        if same:
            parts = (
                np.concatenate([getattr(grid, name) for grid in same]) for name in Grid.__slots__
            )
            out.append(Grid(*parts))
    return out
