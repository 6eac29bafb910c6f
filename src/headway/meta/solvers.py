"""Roots and global maxima of many functions of one variable at once, in brackets.

The functions are those of the between-study variance: generalised Q statistics, which fall, and
likelihoods, which may have several maxima. No step size is absolute, and no iteration can leave
its bracket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Columns = NDArray[Any] | slice

# (t, columns) -> values of the functions `columns` at t, whose last axis runs along them.
Score = Callable[[Array, Columns], Array]
# (t, columns) -> value and slope.
Curve = Callable[[Array, Columns], tuple[Array, Array]]
# The same of one function at one t.
Single = Callable[[float], tuple[float, float]]

EVERY = slice(None)

# Spacing of the scan, in log(smallest variance + tau2). The score is built of terms that change on
# a scale of 1 there (each 1/(v + tau2) is a logistic curve), so a third of it resolves them, and
# cells whose curvature could hide a pair of roots are scanned again at an eighth of the spacing.
SCAN_STEP = 0.35
RESCAN_PARTS = 8
# Newton steps are quadratic: one of this relative length leaves an error near its square. A bracket
# that is halved ends at the second length.
STEP_TOLERANCE = 1e-7
BRACKET_TOLERANCE = 1e-13
MAX_STEPS = 200
# From here on only bisection: what is left of the steps shrinks any bracket to nothing.
LAST_NEWTON = 60


def find_roots(curve: Curve, low: Array, high: Array, start: Array, scale: Array) -> Array:
    """Solve curve(t) = 0 for many columns, each falling from + to − between `low` and `high`.

    Newton steps where they stay inside the bracket, bisection where they do not: it cannot leave
    the bracket, and bisection alone would end within the number of steps (an ArithmeticError would
    say otherwise; no number is returned that did not settle). `curve` takes t and the columns it is
    for, and returns value and slope; a step is compared with t + `scale`.
    """
    root = start.copy()
    # What is still moving, kept together: values of a column are written back when it stops.
    active: Columns = EVERY
    t, lo, hi, size = start, low, high, scale
    tolerance: Array | float
    for step in range(MAX_STEPS):
        if t.size == 0:
            return root
        value, slope = curve(t, active)
        above = value > 0
        lo, hi = np.where(above, t, lo), np.where(above, hi, t)
        # A Newton iteration that creeps along one side is cut short by an occasional bisection.
        if step % 8 == 7 or step >= LAST_NEWTON:
            following, tolerance = (lo + hi) / 2, BRACKET_TOLERANCE
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                newton = t - value / slope
            inside = (newton >= lo) & (newton <= hi) & (slope < 0)
            if inside.all():
                following, tolerance = newton, STEP_TOLERANCE
            else:
                following = np.where(inside, newton, (lo + hi) / 2)
                tolerance = np.where(inside, STEP_TOLERANCE, BRACKET_TOLERANCE)
        moving = np.abs(following - t) > tolerance * (t + size)
        root[active] = t = following
        if moving.all():
            continue
        active = np.flatnonzero(moving) if isinstance(active, slice) else active[moving]
        t, lo, hi, size = t[moving], lo[moving], hi[moving], size[moving]
    if t.size:
        raise ArithmeticError(f"{t.size} roots were not found within {MAX_STEPS} steps")
    return root


def find_root(curve: Single, low: float, high: float, start: float, scale: float) -> float:
    """Solve curve(t) = 0 for one function, as :func:`find_roots` does for many.

    A single set of studies spends its time on calls of small arrays, of which this needs few.
    """
    t = start
    for step in range(MAX_STEPS):
        value, slope = curve(t)
        low, high = (t, high) if value > 0 else (low, t)
        following, tolerance = (low + high) / 2, BRACKET_TOLERANCE
        if step % 8 != 7 and step < LAST_NEWTON and slope < 0:
            newton = t - value / slope
            if low <= newton <= high:
                following, tolerance = newton, STEP_TOLERANCE
        moved = abs(following - t)
        t = following
        if moved <= tolerance * (t + scale):
            return t
    raise ArithmeticError(f"a root was not found within {MAX_STEPS} steps")


def find_falls(
    score: Score, smallest: Array, end: Array, rows: int
) -> tuple[NDArray[np.int64], Array, Array, Array, Array]:
    """Return column, ends and first guess of every cell in which a score falls through 0; it at 0.

    `score` is scanned from 0 to `end` on a grid that is even in log(`smallest` + t), `rows` points
    at a time; cells close to 0 for their curvature are scanned again, finer.
    """
    span = np.log(np.maximum(end / smallest, 1.0))
    cells = int(np.ceil(span.max(initial=0.0) / SCAN_STEP))
    if cells == 0:
        nothing = np.zeros(0)
        at_zero = score(np.zeros((1, smallest.size)), EVERY)[0]
        return np.zeros(0, dtype=np.int64), nothing, nothing, nothing, at_zero
    # Points of a column lie at multiples of one step whatever else is in the batch: the answer
    # for a set must not depend on its company.
    x = np.minimum(SCAN_STEP * np.arange(cells + 1)[:, None], span)
    t = smallest * np.expm1(x)
    g = np.empty_like(t)
    for i in range(0, cells + 1, rows):
        g[i : i + rows] = score(t[i : i + rows], EVERY)
    first = g[0].copy()
    g *= smallest + t
    above = g > 0
    cell, number = np.nonzero(above[:-1] & ~above[1:])
    low, high = t[cell, number], t[cell + 1, number]
    # Where a straight line through both ends falls through 0.
    top, floor = g[cell, number], g[cell + 1, number]
    guess = low + (high - low) * (top / (top - floor))
    # A straight line through both ends of a cell is off by at most an eighth of the second
    # difference, so only cells this close to 0 could hide two roots; four times that, for safety.
    bend = np.zeros_like(g)
    if cells > 1:
        bend[1:-1] = np.abs(g[:-2] - 2 * g[1:-1] + g[2:])
        bend[0], bend[-1] = bend[1], bend[-2]
    size = np.abs(g)
    near = np.minimum(size[:-1], size[1:]) < np.maximum(bend[:-1], bend[1:]) / 2
    hidden = near & (above[:-1] == above[1:]) & (t[1:] > t[:-1])
    if hidden.any():
        cell, again = np.nonzero(hidden)
        part = np.linspace(0, 1, RESCAN_PARTS + 1)[:, None]
        fine = x[cell, again] * (1 - part) + x[cell + 1, again] * part
        t = smallest[again] * np.expm1(fine)
        s = np.empty_like(t)
        for i in range(RESCAN_PARTS + 1):
            s[i] = score(t[i : i + 1], again)[0]
        cell, column = np.nonzero((s[:-1] > 0) & (s[1:] <= 0))
        number = np.concatenate([number, again[column]])
        low = np.concatenate([low, t[cell, column]])
        high = np.concatenate([high, t[cell + 1, column]])
        guess = np.concatenate([guess, (t[cell, column] + t[cell + 1, column]) / 2])
    return number.astype(np.int64), low, high, guess, first


def climb(
    score: Score,
    at: Callable[[NDArray[np.int64]], Curve],
    height: Score,
    smallest: Array,
    end: Array,
    rows: int,
    alone: Callable[[int], Single] | None = None,
) -> Array:
    """Return the t ≥ 0 at which each column's likelihood is highest.

    Parameters
    ----------
    score : callable
        Derivative of the log-likelihood, up to a positive factor.
    at : callable
        Takes the columns in which maxima were bracketed (one may come several times) and returns
        the curve (score and its slope) for that list.
    height : callable
        The log-likelihood itself; decides where there are several maxima.
    smallest : ndarray
        The smallest variance of each column: the scale on which its score changes near 0.
    end : ndarray
        `smallest` plus a t beyond which the score is negative.
    rows : int
        Points of the scan evaluated at a time.
    alone : callable, optional
        Takes one column and returns its curve for one t at a time: used where there is one root to
        find.
    """
    number, low, high, guess, first = find_falls(score, smallest, end, rows)
    if number.size == 1 and alone is not None:
        ends = (float(low[0]), float(high[0]), float(guess[0]), float(smallest[number[0]]))
        root = np.array([find_root(alone(int(number[0])), *ends)])
    else:
        root = find_roots(at(number), low, high, guess, smallest[number])
    best = np.zeros(smallest.size)
    best[number] = root
    # Zero is a (boundary) maximum where the likelihood falls from it.
    falling = first <= 0
    if falling.any():
        at_zero = np.flatnonzero(falling)
        number = np.concatenate([number, at_zero])
        root = np.concatenate([root, np.zeros(at_zero.size)])
    if number.size <= 1:
        return best
    contested = np.bincount(number, minlength=smallest.size) > 1
    if contested.any():
        rival = contested[number]
        number, root = number[rival], root[rival]
        level = height(root[None, :], number)[0]
        # Ascending height, so that the highest is written last; of equals the smaller t.
        order = np.lexsort((-root, level))
        best[number[order]] = root[order]
    return best
