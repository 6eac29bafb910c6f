"""Distribution functions, densities, quantiles and shortest intervals of what was integrated.

Mu, a new trial's effect and each trial's own are mixtures of normals over the nodes; tau has its
density in closed form up to the integral. All work on many sets at once, one value each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from headway.meta.bayes.priors import make_transform
from headway.meta.bayes.quadrature import Grid, Model

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

MAX_STEPS = 200
# Where to look for a peak away from the lower end, as shares of what an interval leaves out.
RISES = np.array([0.02, 0.1, 0.3, 0.5])
ROOT_2PI = np.sqrt(2 * np.pi)
GAUSS_NODES, GAUSS_WEIGHTS = leggauss(12)


class Distribution(Protocol):
    """One distribution per set."""

    def evaluate(self, x: Array) -> tuple[Array, Array, Array]:
        """Return distribution function, density and slope of the log density at `x`, per set."""

    def take(self, sets: Indices) -> Distribution:
        """Return the distributions of some sets."""

    def quantile(self, p: Array) -> Array:
        """Return the quantile of each set."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Mixtures of normals: weights, means and standard deviations of shape (sets, nodes)."""

    p: Array
    mean: Array
    sd: Array

    def take(self, sets: Indices) -> Mixture:
        """Return the mixtures of some sets."""
        return Mixture(self.p[sets], self.mean[sets], self.sd[sets])

    def evaluate(self, x: Array) -> tuple[Array, Array, Array]:
        """Return distribution function, density and slope of the log density at `x` (sets,)."""
        u = (x[:, None] - self.mean) / self.sd
        below = np.einsum("ij,ij->i", self.p, ndtr(u))
        u, below_one = self._weigh(u)
        density = below_one.sum(axis=1)
        slope = -np.einsum("ij,ij->i", below_one, u / self.sd)
        with np.errstate(divide="ignore", invalid="ignore"):
            return below, density, slope / density

    def _weigh(self, u: Array) -> tuple[Array, Array]:
        return u, self.p * np.exp(-0.5 * u**2) / (self.sd * ROOT_2PI)

    def cdf(self, x: Array) -> Array:
        """Return the distribution function at `x` (sets,)."""
        return np.einsum("ij,ij->i", self.p, ndtr((x[:, None] - self.mean) / self.sd))

    def density(self, x: Array) -> Array:
        """Return the density at `x` (sets,)."""
        return self._weigh((x[:, None] - self.mean) / self.sd)[1].sum(axis=1)

    def moments(self) -> tuple[Array, Array]:
        """Return mean and standard deviation of the nodes as they stand."""
        mean = np.einsum("ij,ij->i", self.p, self.mean)
        with np.errstate(over="ignore"):
            spread = self.sd**2 + (self.mean - mean[:, None]) ** 2
            return mean, np.sqrt(np.einsum("ij,ij->i", self.p, spread))

    def quantile(self, p: Array) -> Array:
        """Return the quantile of each mixture.

        It lies between the lowest and the highest quantile of the components. Halley steps, and
        bisection on an axis of relative distances where they leave the bracket.
        """
        z = ndtri(p)[:, None]
        parts = self.mean + z * self.sd
        middle = np.argmax(self.p.cumsum(axis=1) >= 0.5, axis=1)[:, None]
        size = np.take_along_axis(self.sd, middle, 1)[:, 0]
        start = np.take_along_axis(parts, middle, 1)[:, 0]
        return solve_quantile(self, p, parts.min(axis=1), parts.max(axis=1), start, size)


def solve_quantile(
    mixture: Distribution, p: Array, low: Array, high: Array, start: Array, size: Array
) -> Array:
    """Solve cdf(x) = p for each set, from `start` and never outside `low` and `high`."""
    x, out = start.copy(), start.copy()
    active = np.arange(x.size)
    origin, low, high = start.copy(), low.copy(), high.copy()
    for step in range(MAX_STEPS):
        below, density, slope = mixture.evaluate(x)
        excess = below - p
        low, high = np.where(excess < 0, x, low), np.where(excess >= 0, x, high)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = excess / density
            halley = newton / (1 - np.clip(0.5 * newton * slope, -0.5, 0.5))
            following = x - halley
        inside = (following >= low) & (following <= high) & (step % 12 != 11)
        u_low, u_high = np.arcsinh((low - origin) / size), np.arcsinh((high - origin) / size)
        between = origin + size * np.sinh((u_low + u_high) / 2)
        following = np.where(inside, following, np.clip(between, low, high))
        tolerance = 1e-13 * (np.abs(x - origin) + size) + 4e-16 * np.abs(x)
        moved = np.abs(following - x)
        # A Halley step cubes the error: after one of 1e-5 nothing is left to move.
        near = inside & (moved <= 1e-5 * (np.abs(x - origin) + size)) & (step > 0)
        still = ~(near | (moved <= tolerance) | (high - low <= tolerance))
        out[active] = following
        if not still.any():
            return out
        if not still.all():
            keep = np.flatnonzero(still)
            mixture, active = mixture.take(keep), active[keep]
            p, low, high, following = p[keep], low[keep], high[keep], following[keep]
            origin, size = origin[keep], size[keep]
        x = following
    raise ArithmeticError("a quantile does not settle")


@dataclass(frozen=True, slots=True)
class TauPosterior:
    """The posterior of tau of each set."""

    model: Model
    grid: Grid
    cumulated: Array

    def take(self, sets: Indices) -> TauPosterior:
        """Return the posteriors of some sets."""
        return TauPosterior(self.model.take(sets), self.grid.take(sets), self.cumulated[sets])

    def _to_tau(self, x: Array) -> Array:
        """Return tau at `x` (sets, points)."""
        z = self.grid.centre[:, None] + self.grid.width[:, None] * np.sinh(x)
        log_tau = make_transform(self.model.tau.upper)[0](z)  # type: ignore[union-attr]
        return np.exp(log_tau - np.log(self.model.root)[:, None])

    def _to_x(self, tau: Array) -> Array:
        """Return x at `tau` (sets,)."""
        upper = self.model.tau.upper / self.model.root  # type: ignore[union-attr]
        with np.errstate(divide="ignore"):
            z = np.log(tau * self.model.root)
            bounded = np.log(tau / upper) - np.log1p(-np.minimum(tau / upper, 1.0))
        z = np.where(np.isinf(upper), z, bounded)
        return np.arcsinh((z - self.grid.centre) / self.grid.width)

    def _weigh(self, x: Array) -> Array:
        """Return the density of x at `x` (sets, points)."""
        width = self.grid.width[:, None]
        z = self.grid.centre[:, None] + width * np.sinh(x)
        values = self.model.log_integrand(z) - self.grid.log_marginal[:, None]
        return np.exp(values) * width * np.cosh(x)

    def _cdf_of_x(self, x: Array) -> Array:
        """Return the distribution function at `x` (sets,), within the nodes."""
        last = self.grid.nodes - 1
        place = (x - self.grid.first) / self.grid.step
        place = np.clip(place, 0, last)
        node = np.minimum(place.astype(np.int64), last)
        part = (place - node) * self.grid.step
        start = self.grid.first + node * self.grid.step
        points = start[:, None] + part[:, None] * (GAUSS_NODES + 1) / 2
        piece = self._weigh(points) @ GAUSS_WEIGHTS * part / 2
        below = np.take_along_axis(self.cumulated, node[:, None], 1)[:, 0] + piece
        return np.clip(below, 0.0, 1.0)

    def cdf(self, tau: Array) -> Array:
        """Return the distribution function at `tau` (sets,), in the batch's unit."""
        upper = self.model.tau.upper / self.model.root  # type: ignore[union-attr]
        inside = (tau > 0) & (tau < upper)
        x = self._to_x(np.where(inside, tau, self.grid.tau[:, self.grid.nodes // 2]))
        return np.where(inside, self._cdf_of_x(x), np.where(tau <= 0, 0.0, 1.0))

    def log_density(self, tau: Array) -> Array:
        """Return the log density at `tau` (sets,), in the batch's unit."""
        prior = self.model.tau
        log_likelihood = self.model.condition(tau[:, None])[0][:, 0]
        root = self.model.root
        at_zero = prior.density_at_zero()  # type: ignore[union-attr]
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            log_tau = np.log(tau * root)
            log_prior = prior.log_density(log_tau) - log_tau  # type: ignore[union-attr]
            log_prior = np.where(tau > 0, log_prior, np.log(at_zero))
            outside = (tau < 0) | (tau * root > prior.upper)  # type: ignore[union-attr]
            log_prior = np.where(outside, -np.inf, log_prior)
        return log_prior + log_likelihood + np.log(root) - self.grid.log_marginal

    def density(self, tau: Array) -> Array:
        """Return the density at `tau` (sets,), in the batch's unit."""
        return np.exp(self.log_density(tau))

    def evaluate(self, x: Array) -> tuple[Array, Array, Array]:
        """Return distribution function, density and slope of the log density at tau = `x`."""
        at = self.log_density(x)
        shift = 1e-5 * x
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = (self.log_density(x + shift) - self.log_density(x - shift)) / (2 * shift)
        return self.cdf(x), np.exp(at), slope

    def moments(self) -> tuple[Array, Array]:
        """Return mean and standard deviation of the nodes as they stand."""
        p, tau = self.grid.p, self.grid.tau
        mean = np.einsum("ij,ij->i", p, tau)
        with np.errstate(over="ignore"):
            spread = np.einsum("ij,ij->i", p, (tau - mean[:, None]) ** 2)
        return mean, np.sqrt(spread)

    def quantile(self, p: Array) -> Array:
        """Return the quantile of each set: Newton steps between the two nodes that hold it."""
        below = np.maximum.accumulate(self.cumulated, axis=1)
        node = np.clip((below < p[:, None]).sum(axis=1) - 1, 0, self.grid.nodes - 2)
        ends = np.take_along_axis(below, node[:, None] + np.arange(2), 1)
        low = self.grid.first + node * self.grid.step
        high = low + self.grid.step
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (p - ends[:, 0]) / (ends[:, 1] - ends[:, 0])
        x = low + np.where((share > 0) & (share < 1), share, 0.5) * self.grid.step
        out, part, active = x.copy(), self, np.arange(x.size)
        for step in range(MAX_STEPS):
            excess = part._cdf_of_x(x) - p
            low, high = np.where(excess < 0, x, low), np.where(excess >= 0, x, high)
            with np.errstate(divide="ignore", invalid="ignore"):
                following = x - excess / part._weigh(x[:, None])[:, 0]
            inside = (following >= low) & (following <= high) & (step % 8 != 7)
            following = np.where(inside, following, (low + high) / 2)
            moved = np.abs(following - x) / part.grid.step
            out[active] = following
            # A Newton step squares the error.
            still = np.flatnonzero(~(inside & (moved <= 1e-6)) & (high - low > 1e-13))
            if not still.size:
                return self._to_tau(out[:, None])[:, 0]
            part, active = part.take(still), active[still]
            x, low, high, p = following[still], low[still], high[still], p[still]
        raise ArithmeticError("a quantile of tau does not settle")


def find_shortest(
    distribution: Distribution, level: float, floor: Array, top: Array
) -> tuple[Array, Array]:
    """Return the shortest interval of each set that holds `level`.

    The density is the same at both ends, unless it is highest at the lower end `floor` or at the
    upper end `top` of what is possible, where the interval then ends. Away from the ends it takes
    the density to have one peak.
    """
    whole = np.ones(floor.size)
    low_end = distribution.quantile((1 - level) * whole)
    high_end = distribution.quantile(level * whole)
    # Where the density falls from the floor on, or rises up to the top.
    # A density that is even, but for rounding, gets the interval that begins at the floor.
    even = 1 - 1e-9
    at_floor = _height(distribution, floor) >= even * _height(distribution, high_end)
    at_top = _height(distribution, top) >= even * _height(distribution, low_end)
    a, b = np.where(at_floor, floor, low_end), np.where(at_floor, high_end, top)
    share = np.where(at_floor, _find_rise(distribution, level, at_floor), 0.0)
    rows = np.flatnonzero(~at_top & ~np.isnan(share))
    if rows.size:
        low, high = _balance(distribution.take(rows), level, share[rows])
        shorter = ~at_floor[rows] | (high - low < b[rows] - a[rows])
        a[rows], b[rows] = np.where(shorter, low, a[rows]), np.where(shorter, high, b[rows])
    return a, b


def _find_rise(distribution: Distribution, level: float, sets: NDArray[np.bool_]) -> Array:
    """Return below which share the density still rises, NaN where it only falls.

    A density can be high at the floor and have its peak elsewhere: Student's prior on log(tau²)
    makes it infinite at 0, with next to no probability there.
    """
    out = np.full(sets.size, np.nan)
    rows = np.flatnonzero(sets)
    if rows.size:
        part = distribution.take(rows)
        for share in (1 - level) * RISES:
            tail = np.full(rows.size, share)
            low = part.evaluate(part.quantile(tail))[1]
            rising = low < part.evaluate(part.quantile(tail + level))[1]
            out[rows[rising]] = share
    return out


def _balance(distribution: Distribution, level: float, least: Array) -> tuple[Array, Array]:
    """Return the ends of equal density, with more than the share `least` below the lower one."""
    a, b, rows, part = least.copy(), least.copy(), np.arange(least.size), distribution
    share_low, share_high = least, np.full(least.size, 1 - level)
    middle = (1 - level) / 2
    tail = np.where(share_low < middle, middle, (share_low + share_high) / 2)
    for step in range(MAX_STEPS):
        low, high = part.quantile(tail), part.quantile(tail + level)
        _, at_low, slope_low = part.evaluate(low)
        _, at_high, slope_high = part.evaluate(high)
        a[rows], b[rows] = low, high
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            gap = np.log(at_low) - np.log(at_high)
            rise = slope_low / at_low - slope_high / at_high
            following = tail - gap / rise
        share_low = np.where(gap < 0, tail, share_low)
        share_high = np.where(gap >= 0, tail, share_high)
        inside = (following > share_low) & (following < share_high) & (step % 8 != 7)
        following = np.where(inside, following, (share_low + share_high) / 2)
        # The gap is that of two log densities: at 1e-9 the ends have settled to about as much.
        keep = np.flatnonzero((np.abs(gap) > 1e-9) & (share_high - share_low > 1e-15))
        if not keep.size:
            return a, b
        part, rows, tail = part.take(keep), rows[keep], following[keep]
        share_low, share_high = share_low[keep], share_high[keep]
    raise ArithmeticError("a shortest interval does not settle")


def _height(distribution: Distribution, x: Array) -> Array:
    """Return the density at `x`; -1, below any density, at an infinite end."""
    finite = np.isfinite(x)
    if not finite.any():
        return np.full(x.shape, -1.0)
    density = distribution.evaluate(np.where(finite, x, 0.0))[1]
    return np.where(finite, density, -1.0)
