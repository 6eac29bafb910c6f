"""Times that are known to lie within intervals: share without the event, and its mean time.

Turnbull (1976): the likelihood tells how much of the distribution lies in each innermost interval
(an end of one observation that is followed by no other before the next begins), not where within
it. The estimate spreads it evenly there; its bounds put all of it at one end or the other.
Intervals are of the profile likelihood: every value at which the likelihood ratio is not below
that of a t variable (Thomas and Grunkemeier 1975; F in place of chi-squared as in Owen 2001,
section 2.7). They need no standard error, so they say something where everyone, or nobody, had the
event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from headway.outcomes.change.change import LEVEL

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

_MOST_STEPS = 500
_CLOSE = 1e-10
_PUSHES = (10.0, 300.0, 9e3, 2.7e5, 8e6)  # weight of a mean against the barrier


@dataclass(frozen=True, slots=True)
class Turnbull:
    """The non-parametric maximum likelihood estimate.

    Attributes
    ----------
    edges
        Ends of the cells, ascending from 0, shape (k + 1,); the last cell has no end and lies
        beyond them.
    mass
        Share of people with the event in each cell, shape (k + 1,).
    low, high
        Ends of the innermost interval that a cell lies in, shape (k + 1,).
    covers, weights
        Cells that each distinct observation leaves open, shape (observations, k + 1), and how
        many people it is of.
    events, censored
        Expected people with the event in each of the k cells (whole numbers where every
        observation fills one cell), and people last seen without it at each of the edges.
    """

    edges: Array
    mass: Array
    low: Array
    high: Array
    covers: Array
    weights: Array
    events: Array
    censored: Array

    def is_known(self, time: float) -> bool:
        """Tell whether the curve is known so far: someone was seen there, or nobody is left."""
        return bool(0 <= time <= self.edges[-1] or self.mass[-1] <= _CLOSE)


@dataclass(frozen=True, slots=True)
class Bounded:
    """An estimate, its interval, and the least and the most that the innermost intervals allow."""

    estimate: float
    ci_low: float
    ci_high: float
    lowest: float
    highest: float


def fit_turnbull(
    left: ArrayLike, right: ArrayLike, weights: ArrayLike | None = None, grid: ArrayLike = ()
) -> Turnbull:
    """Estimate a distribution from intervals (left, right] that hold the time of the event.

    Parameters
    ----------
    left
        Last time at which each person was without the event, 0 or more.
    right
        First time at which it had happened, above `left`; infinite where it was not seen.
    weights
        How many people each interval is of; 1 without it.
    grid
        Further times to cut cells at, such as every time at which people are looked at.

    Returns
    -------
    Turnbull
        From right-censored data alone it is the Kaplan-Meier estimate.

    Raises
    ------
    ValueError
        If an interval is empty, or begins before 0.
    """
    ends = np.column_stack([np.asarray(left, float), np.asarray(right, float)])
    people = np.ones(len(ends)) if weights is None else np.asarray(weights, float)
    if len(ends) and (not (ends[:, 1] > ends[:, 0]).all() or ends[:, 0].min() < 0):
        raise ValueError("an interval must begin at 0 or later and end after it begins")
    ends, people = ends[people > 0], people[people > 0]
    ends, place = np.unique(ends, axis=0, return_inverse=True)
    people = np.bincount(place.reshape(-1), people, len(ends)).astype(float)
    last = float(ends[np.isfinite(ends)].max(initial=0.0))
    cuts = np.asarray(grid, float)
    edges = np.unique(np.concatenate([[0.0], ends[np.isfinite(ends)], cuts[cuts <= last]]))
    start, stop = edges, np.append(edges[1:], np.inf)
    covers = (start >= ends[:, :1]) & (stop <= ends[:, 1:])
    seen = np.isfinite(ends[:, 1])
    censored = np.zeros(len(edges))
    np.add.at(censored, np.searchsorted(edges, ends[~seen, 0]), people[~seen])
    low, high, inner = _innermost(ends, start, stop)
    covers = covers.astype(float)
    telling = covers.sum(axis=1) < len(edges)
    mass = _maximise(covers[telling], people[telling], low, inner)
    # Evenly over the cells of an innermost interval.
    mass *= np.append(np.diff(edges) / (high - low)[:-1], 1.0)
    # Whoever is of several cells is shared out among them, and the Kaplan-Meier estimate of those
    # people is the estimate itself (Efron 1967).
    within = covers[seen][:, :-1] * mass[:-1]
    events = np.asarray((people[seen] / within.sum(axis=1)) @ within, dtype=float)
    left = np.cumsum(censored)[:-1] + np.append(0.0, np.cumsum(events)[:-1])
    at_risk = people.sum() - left
    share = np.divide(events, at_risk, out=np.zeros_like(events), where=at_risk > _CLOSE)
    free = np.append(1.0, np.cumprod(1 - np.minimum(share, 1.0)))
    mass = np.append(-np.diff(free), free[-1])
    return Turnbull(edges, mass, low, high, covers[telling], people[telling], events, censored)


def _innermost(ends: Array, start: Array, stop: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Find the innermost interval around each cell: both ends are of observations, none between."""
    known = np.unique(np.append(ends.reshape(-1), [0.0, np.inf]))
    low = known[np.searchsorted(known, start, "right") - 1]
    high = known[np.searchsorted(known, stop, "left")]
    # Beyond the last time that was seen, whoever is left is of one cell.
    inner = np.isin(low, np.append(ends[:, 0], 0.0)) & (np.isin(high, ends[:, 1]) | np.isinf(high))
    return low, high, inner


def _maximise(covers: Array, weights: Array, low: Array, inner: NDArray[np.bool_]) -> Array:
    """Find how much lies in the innermost interval of each cell.

    Newton steps within the simplex by non-negative least squares (Wang 2007, JRSS B 69:185),
    halved until the likelihood rises. At the maximum no slope exceeds the number of people, and
    what is missing to it is at most that excess (Lindsay 1983).
    """
    from scipy.optimize import nnls

    _, first, place = np.unique(low, return_index=True, return_inverse=True)
    used = inner[first]
    own = covers[:, first][:, used]
    mass = np.full(int(used.sum()), 1 / used.sum())
    root, people = np.sqrt(weights), weights.sum()
    for _ in range(_MOST_STEPS):
        ratio = own / (own @ mass)[:, None]
        excess = weights @ ratio - people
        if not len(weights) or excess.max() < 1e-9 * people:
            break
        rows = np.vstack([root[:, None] * (ratio - 2), np.full(len(mass), np.sqrt(people))])
        goal = nnls(rows, np.append(np.zeros(len(root)), np.sqrt(people)))[0]
        step = goal / goal.sum() - mass
        length, rise = 1.0, float(excess @ step)
        while length > 1e-9:
            ahead = own @ (mass + length * step) / (own @ mass)
            if (ahead > 0).all() and weights @ np.log(ahead) >= 0.3 * length * rise:
                break
            length /= 2
        else:
            break
        mass = np.maximum(mass + length * step, 0.0)
        mass /= mass.sum()
    full = np.zeros(len(first))
    full[used] = mass
    return np.asarray(full[place.reshape(-1)], dtype=float)


def estimate_curve(fit: Turnbull, times: ArrayLike, level: float = LEVEL) -> list[Bounded]:
    """Estimate the share without the event at each of some times.

    All numbers are NaN where the curve is not known so far.
    """
    at = np.asarray(times, float)
    stop = np.append(fit.edges[1:], np.inf)
    with np.errstate(invalid="ignore"):
        part = (stop - at[:, None]) / (stop - fit.edges)
    # Beyond the last edge nobody was seen to have it.
    values = np.where(np.isinf(stop), 1.0, np.clip(part, 0.0, 1.0))
    lows, highs = find_limits(fit, values, level)
    out = []
    for time, value, low, high in zip(at, values, lows, highs, strict=True):
        if fit.is_known(float(time)):
            lowest = float(fit.mass[fit.low >= time].sum())
            highest = float(fit.mass[fit.high > time].sum())
            out.append(_bound(float(fit.mass @ value), low, high, lowest, highest))
        else:
            out.append(Bounded(*[float("nan")] * 5))
    return out


def estimate_free(fit: Turnbull, time: float, level: float = LEVEL) -> Bounded:
    """Estimate the share without the event at a time.

    Raises
    ------
    ValueError
        If the curve is not known so far.
    """
    _ask_known(fit, time)
    return estimate_curve(fit, [time], level)[0]


def restrict_mean(fit: Turnbull, horizon: float, level: float = LEVEL) -> Bounded:
    """Estimate the mean time without the event up to a horizon (RMST).

    Raises
    ------
    ValueError
        If the curve is not known up to the horizon, or the horizon is not above 0.
    """
    if horizon <= 0:
        raise ValueError("the horizon must lie above 0")
    _ask_known(fit, horizon)
    start, stop = fit.edges, np.append(fit.edges[1:], np.inf)
    inside = np.minimum(stop, horizon)
    with np.errstate(invalid="ignore"):
        beyond = np.where(np.isinf(stop), 1.0, (stop - inside) / (stop - start))
    # Spread evenly over its cell, cut off at the horizon.
    middle = (1 - beyond) * (start + inside) / 2 + beyond * horizon
    values = np.where(start >= horizon, horizon, middle)
    lowest = float(fit.mass @ np.minimum(fit.low, horizon))
    highest = float(fit.mass @ np.minimum(fit.high, horizon))
    low, high = find_limits(fit, values[None, :] / horizon, level)
    estimate = float(fit.mass @ values)
    return _bound(estimate, horizon * low[0], horizon * high[0], lowest, highest)


def _ask_known(fit: Turnbull, time: float) -> None:
    if not fit.is_known(time):
        raise ValueError("the curve is not known up to the horizon")


def _bound(estimate: float, low: float, high: float, lowest: float, highest: float) -> Bounded:
    # The search for limits stops a hair from them.
    return Bounded(estimate, float(min(low, estimate)), float(max(high, estimate)), lowest, highest)


def find_limits(fit: Turnbull, values: Array, level: float = LEVEL) -> tuple[Array, Array]:
    """Find the least and the largest means that the likelihood allows.

    Parameters
    ----------
    values
        Numbers between 0 and 1 for the cells, whose means are sought, shape (means, cells).

    Returns
    -------
    low, high : ndarray
        Shape (means,). NaN where one person, or none, was followed, and where the values of a
        mean are all equal.
    """
    low, high = np.full((2, len(values)), np.nan)
    people = float(fit.weights.sum())
    asked = np.ptp(values, axis=1) > 0
    if people < 2 or not asked.any():
        return low, high
    room = float(stdtrit(people - 1, 0.5 + level / 2)) ** 2 / 2
    own = values[asked]
    ends = _descend(fit, np.vstack([own, -own]), room)
    low[asked], high[asked] = ends[: len(own)], -ends[len(own) :]
    return low, high


def _descend(fit: Turnbull, values: Array, room: float) -> Array:
    """Minimise means over all distributions whose log-likelihood is within `room` of the best.

    Convex problems, solved side by side by Newton steps on a logarithmic barrier (Boyd and
    Vandenberghe 2004, section 11.3).
    """
    covers, weights = fit.covers, fit.weights
    best = covers @ fit.mass
    many, size = values.shape

    def slack(p: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(room + np.log((p @ covers.T) / best) @ weights)

    share = 0.1
    p = (1 - share) * fit.mass + share / size
    while slack(p) < 0.5 * room:
        share /= 4
        p = (1 - share) * fit.mass + share / size
    p = np.tile(p, (many, 1))
    for push in _PUSHES:
        for _ in range(50):
            left = slack(p)[:, None]
            rate = weights / (p @ covers.T)
            up = rate @ covers
            gradient = push * values - up / left - 1 / p
            curved = (covers.T * (rate**2 / weights)[:, None, :]) @ covers
            # Scaled by p, the barrier's own part is the identity.
            hessian = up[:, :, None] * (up / left)[:, None, :] + curved
            scaled = hessian * (p[:, :, None] * (p / left)[:, None, :]) + np.eye(size)
            both = np.linalg.solve(scaled, np.stack([p * gradient, p], axis=2))
            nu = (p * both[:, :, 0]).sum(axis=1) / (p * both[:, :, 1]).sum(axis=1)
            step = -p * (both[:, :, 0] - nu[:, None] * both[:, :, 1])
            fall = -(gradient * step).sum(axis=1)
            if fall.max() < (1e-5 if push == _PUSHES[-1] else 0.1):
                break
            p = _search(p, step, fall, slack, push * values)
    return np.asarray((values * p).sum(axis=1))


def _search(
    p: Array, step: Array, fall: Array, slack: Callable[[Array], Array], slope: Array
) -> Array:
    """Go as far along each Newton step as the barrier's value falls enough."""

    def value(q: Array) -> Array:
        left = np.where((q > 0).all(axis=1), slack(np.maximum(q, 1e-300)), -1.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            found = (slope * q).sum(axis=1) - np.log(left) - np.log(q).sum(axis=1)
        return np.where(left > 0, found, np.inf)

    now, length = value(p), np.ones(len(p))
    for _ in range(40):
        short = ~(value(p + length[:, None] * step) <= now - 0.1 * length * fall)
        if not short.any():
            break
        length[short] /= 2
    else:
        length[short] = 0.0
    return p + length[:, None] * step
