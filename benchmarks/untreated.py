"""People with headache who are not treated, and the clinics that they come to.

A generator of its own: it shares no code with `headway.simulate`, so that a rule chosen on one is
tried on the other. A person's share of days with headache is the logistic of a normal variable
with a lasting and a passing part; the days of a window are binomial; coming depends on the days of
the two windows before; the diary has gaps. Days per 28; windows e (-56 to -29), b (-28 to -1) and
y (56 to 83).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DAYS = 28
MIN_DAYS = 20
# Windows of 28 days from the earlier one; y begins twelve weeks after b does.
PLACES = (0, 1, 4)


@dataclass(frozen=True)
class Population:
    """People outside the clinic.

    Attributes
    ----------
    mean, r
        Mean days of a window, and correlation of b with y.
    spread
        Standard deviation of the logit of a person's share of days in a window.
    decay
        What is left of the passing part from one window to the next.
    shape
        Of the lasting part: `normal`, `skewed`, `heavy` (t with 4 df), `two` (mostly few days,
        some many), `daily` (a tenth has headache nearly every day).
    drift
        Days by which everybody changes in y.
    flare
        Share of people with a flare in b (half of them in e as well), and
    flare_logit
        by how much it raises the logit.
    """

    mean: float
    r: float
    spread: float = 1.2
    decay: float = 0.0
    shape: str = "normal"
    drift: float = 0.0
    flare: float = 0.0
    flare_logit: float = 2.0


@dataclass(frozen=True)
class Diary:
    """What of it is recorded: share of days, its spread between people, people lost in y or e."""

    filled: float = 0.92
    person_sd: float = 0.6
    lost: float = 0.2
    no_earlier: float = 0.05


def _draw_lasting(rng: np.random.Generator, shape: str, n: int) -> Array:
    if shape == "skewed":
        return (rng.gamma(2.0, 1.0, n) - 2.0) / 2**0.5
    if shape == "heavy":
        return rng.standard_t(4, n) / 2**0.5
    if shape == "two":
        return np.where(rng.random(n) < 0.8, -0.45, 1.8) + 0.43 * rng.standard_normal(n)
    if shape == "daily":
        return np.where(rng.random(n) < 0.1, 2.6, -0.29) + 0.5 * rng.standard_normal(n)
    return rng.standard_normal(n)


def _draw_latent(rng: np.random.Generator, p: Population, n: int) -> tuple[Array, Array]:
    """Lasting part (n,) and passing part (n, 3) in the three windows, each with variance 1."""
    passing = np.empty((n, 3))
    passing[:, 0] = rng.standard_normal(n)
    for j in (1, 2):
        kept = p.decay ** (PLACES[j] - PLACES[j - 1])
        passing[:, j] = kept * passing[:, j - 1] + (1 - kept**2) ** 0.5 * rng.standard_normal(n)
    return _draw_lasting(rng, p.shape, n), passing


def _mix(lasting: Array, passing: Array, p: Population, share: float, centre: float) -> Array:
    logit = centre + p.spread * (share**0.5 * lasting[:, None] + (1 - share) ** 0.5 * passing)
    return 1 / (1 + np.exp(-logit))


@lru_cache(maxsize=512)
def _calibrate(p: Population) -> tuple[float, float]:
    """Share of the lasting part and centre of the logit that give the mean and r asked for."""
    lasting, passing = _draw_latent(np.random.default_rng(1), p, 40_000)

    def centre_of(share: float) -> float:
        low, high = -9.0, 9.0
        for _ in range(30):
            middle = (low + high) / 2
            found = DAYS * _mix(lasting, passing, p, share, middle)[:, 1:].mean()
            low, high = (middle, high) if found < p.mean else (low, middle)
        return (low + high) / 2

    low, high = 0.0, 1.0
    for _ in range(14):
        share = (low + high) / 2
        q = _mix(lasting, passing, p, share, centre_of(share))
        noise = (q * (1 - q)).mean(axis=0) / DAYS
        total = np.sqrt((q[:, 1].var() + noise[1]) * (q[:, 2].var() + noise[2]))
        r = np.cov(q[:, 1], q[:, 2])[0, 1] / total
        low, high = (share, high) if r < p.r else (low, share)
    return share, centre_of(share)


def draw_people(rng: np.random.Generator, p: Population, n: int) -> Array:
    """Draw days of headache in e, b and y, shape (n, 3), without treatment."""
    share, centre = _calibrate(replace(p, drift=0.0, flare=0.0))
    lasting, passing = _draw_latent(rng, p, n)
    q = _mix(lasting, passing, p, share, centre)
    if p.flare:
        bad = rng.random(n) < p.flare
        both = bad & (rng.random(n) < 0.5)
        lift = np.exp(p.flare_logit)
        for j, who in ((1, bad), (0, both)):
            odds = q[who, j] / (1 - q[who, j]) * lift
            q[who, j] = odds / (1 + odds)
    if p.drift:
        q[:, 2] = np.clip(q[:, 2] + p.drift / DAYS, 0.0, 1.0)
    return rng.binomial(DAYS, q).astype(float)


Coming = Callable[[np.random.Generator, Array, Array], NDArray[np.bool_]]


def come_last(least: float, most: float = 99) -> Coming:
    """Come by the days of the last window alone."""
    return lambda rng, e, b: (b >= least) & (b <= most)


def come_both(least: float, most: float = 99) -> Coming:
    """Come when both windows lie within limits."""
    return lambda rng, e, b: (np.minimum(e, b) >= least) & (np.maximum(e, b) <= most)


def come_rise(rise: float, least: float = 0) -> Coming:
    """Come because it got worse."""
    return lambda rng, e, b: (b - e >= rise) & (b >= least)


def come_soft(level: float, width: float = 2.0, rise: float = -99, of_both: float = 0.0) -> Coming:
    """Come more often the more days there are, without an edge."""

    def come(rng: np.random.Generator, e: Array, b: Array) -> NDArray[np.bool_]:
        seen = (1 - of_both) * b + of_both * (e + b) / 2
        chance = 1 / (1 + np.exp(-(seen - level) / width))
        if rise > -99:
            chance = chance / (1 + np.exp(-(b - e - rise)))
        return rng.random(len(e)) < chance

    return come


def come_mean(least: float, most: float = 99) -> Coming:
    """Come by the mean of both windows."""
    return lambda rng, e, b: ((e + b) / 2 >= least) & ((e + b) / 2 <= most)


def come_mixed(first: Coming, second: Coming, share: float) -> Coming:
    """Two ways of coming in one clinic: `share` of those for whom the first counts."""

    def come(rng: np.random.Generator, e: Array, b: Array) -> NDArray[np.bool_]:
        return np.where(rng.random(len(e)) < share, first(rng, e, b), second(rng, e, b))

    return come


def anybody(rng: np.random.Generator, e: Array, b: Array) -> NDArray[np.bool_]:
    """Come whatever the days."""
    return np.ones(len(e), bool)


def draw_pool(
    rng: np.random.Generator, p: Population, coming: Coming, people: int, most: int = 6_000_000
) -> Array:
    """Draw people who come, shape (people or fewer, 3); fewer after `most` candidates."""
    found, size, tried = [], 0, 0
    while size < people and tried < most:
        batch = draw_people(rng, p, 100_000)
        came = batch[coming(rng, batch[:, 0], batch[:, 1])]
        found.append(came)
        size, tried = size + len(came), tried + len(batch)
    return np.concatenate(found)[:people]


def change_after(rng: np.random.Generator, pool: Array, days: float, how: str) -> Array:
    """Treat: y changes by `days` on average, `proportional` or `additive`.

    Proportional: each day with headache goes (each day without gets one) with the same chance.
    Additive: everybody loses or gains the same number, as far as there are days for it.
    """
    out = pool.copy()
    y = pool[:, 2]
    if not days:
        return out
    if how == "proportional":
        room = y if days < 0 else DAYS - y
        chance = min(1.0, abs(days) / room.mean())
        out[:, 2] = y + np.sign(days) * rng.binomial(room.astype(int), chance)
        return out
    low, high = 0.0, 28.0
    for _ in range(30):
        size = (low + high) / 2
        got = np.abs(np.clip(y + np.sign(days) * size, 0, DAYS) - y).mean()
        low, high = (size, high) if got < abs(days) else (low, size)
    moved = y + np.sign(days) * size
    # Whole days, the fraction by chance.
    out[:, 2] = np.clip(np.floor(moved + rng.random(len(y))), 0, DAYS)
    return out


def draw_clinics(
    rng: np.random.Generator, pool: Array, clinics: int, people: int, diary: Diary = Diary()
) -> Array:
    """Draw recorded windows, shape (clinics, people, 3), NaN unknown, scaled to 28 days."""
    if len(pool) >= clinics * people:
        place = rng.permutation(len(pool))[: clinics * people]
    else:
        place = rng.integers(0, len(pool), clinics * people)
    true = pool[place]
    n = len(true)
    logit = np.log(diary.filled / (1 - diary.filled)) + diary.person_sd * rng.standard_normal(n)
    seen = rng.binomial(DAYS, np.repeat(1 / (1 + np.exp(-logit[:, None])), 3, axis=1))
    seen = np.maximum(seen, 1)
    hits = rng.hypergeometric(true.astype(int), DAYS - true.astype(int), seen)
    out = np.where(seen >= MIN_DAYS, DAYS * hits / seen, np.nan)
    out[rng.random(n) < diary.lost, 2] = np.nan
    out[rng.random(n) < diary.no_earlier, 0] = np.nan
    return out.reshape(clinics, people, 3)
