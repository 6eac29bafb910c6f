"""World B of the truth report: clinics and trials by numpy alone.

It shares no code with `headway`, and so none with world A (`truth_a.py`), and no model. Headache
days are beta-binomial: a person's share of days is beta-distributed and drawn anew around itself
for every window. Treatment spares headache days, each with the person's own chance. Intensities
and soreness are skewed, fees are sums of gamma variables of which a quarter pay one price. Trials
are made of people with gamma-distributed outcomes, whose true effects are skewed too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Raw = dict[str, Any]
Rng = np.random.Generator

NAME = "B"
WINDOWS, LENGTH = 8, 28
FIRST = -56
MEAN, SD = 0.3, 1.0  # of an effect of trials; of an outcome within arms


# --- people ---------------------------------------------------------------------------------------


def draw_people(rng: Rng, n: int) -> Raw:
    """Draw everyone who starts at a clinic, with what happened and what was recorded."""
    kept: list[tuple[Array, Array]] = []
    while sum(len(share) for share, _ in kept) < n:
        share = rng.beta(1.6, 2.2, 2 * n)
        by_window = rng.beta(14 * share[:, None], 14 * (1 - share[:, None]), (2 * n, WINDOWS))
        counts = rng.binomial(LENGTH, by_window[:, :2])
        comes = (counts[:, 1] >= 4) & (counts[:, 1] + rng.normal(0, 4, 2 * n) >= counts[:, 0])
        # The days of the two windows before are those that people came with.
        by_window[:, :2] = counts / LENGTH
        kept.append((share[comes], by_window[comes]))
    by_window = np.concatenate([part for _, part in kept])[:n]

    days = np.zeros((n, WINDOWS, LENGTH), bool)
    for w in range(WINDOWS):
        if w < 2:  # exactly so many days, in random order
            order = rng.random((n, LENGTH)).argsort(axis=1)
            days[:, w] = order < np.round(by_window[:, w] * LENGTH)[:, None]
        else:
            days[:, w] = rng.random((n, LENGTH)) < by_window[:, w, None]
    spared = rng.beta(2, 6, n)
    treated = days.copy()
    treated[:, 2:] &= rng.random((n, WINDOWS - 2, LENGTH)) >= spared[:, None, None]
    before = treated[:, 1].sum(axis=1)

    lost = rng.random(n) < 0.08 + 0.02 * np.clip(before - 10, 0, 15)
    end = np.where(lost, rng.integers(40, 112, n), WINDOWS * LENGTH)
    filled = rng.beta(20, 1.5, n)
    seen = rng.random((n, WINDOWS * LENGTH)) < filled[:, None]
    seen &= np.arange(WINDOWS * LENGTH) < end[:, None]
    headache = treated.reshape(n, -1)
    typical = rng.gamma(6, 0.9, n)
    intensity = np.clip(np.round(rng.gamma(4, typical[:, None] / 4, headache.shape)), 1, 10)
    return {
        "true": treated.sum(axis=2),
        "untreated": days.sum(axis=2),
        "headache": headache,
        "seen": seen,
        "intensity": np.where(headache, intensity, np.nan).astype(np.float32),
        "lost": lost,
        "female": (rng.random(n) < 0.8 - 0.1 * lost).astype(float),
        **_draw_sessions(rng, treated.sum(axis=2), np.where(lost, end + FIRST, 10_000)),
    }


def _draw_sessions(rng: Rng, counts: NDArray[np.int64], end: NDArray[np.int64]) -> Raw:
    """Draw visits: 1 to 12 a person, more for those who do badly; answers at some of them."""
    n = len(counts)
    number = 1 + np.minimum(rng.poisson(0.6 + counts[:, 4] / 6), 11)
    person = np.repeat(np.arange(n), number)
    rows = len(person)
    place = np.arange(rows) - np.repeat(np.cumsum(number) - number, number)
    day = place * 8 + rng.integers(0, 4, rows)
    gone = (place > 0) & (day > end[person])
    sore = rng.beta(0.9, 2.1, n)[person]
    heal = rng.gamma(1.5, 0.8, n)[person]
    events = rng.beta(0.15, 9.85, n)[person]
    wet = rng.beta(2, 2, n)[person]
    happens = rng.random(rows) < sore
    visits = {
        "person": person,
        "day": day,
        "minutes": np.round(rng.lognormal(4, 0.4, rows)),
        "fee": np.where(
            rng.random(n)[person] < 0.25, 150.0, np.round(rng.gamma(3, 60, rows)) + 40.0
        ),
        "soreness": np.where(happens, 1.0 + rng.poisson(heal), 0.0),
        "event": (rng.random(rows) < events).astype(float),
        "wet": (rng.random(rows) < wet).astype(float),
        "answer": np.full(rows, np.nan),
    }
    kept = {name: values[~gone] for name, values in visits.items()}
    # Everybody is asked at intake, and at check-ups on days 28, 56 and 84 as long as they come.
    asked = [(0, 1), (28, 2), (56, 3), (84, 4)]
    for when, window in asked:
        who = np.flatnonzero(end >= when)
        said = np.round(counts[who, window] + rng.normal(0, 1.2, len(who)))
        blank = np.full(len(who), np.nan)
        extra = dict.fromkeys(kept, blank) | {
            "person": who,
            "day": np.full(len(who), when),
            "answer": np.clip(said, 0, LENGTH),
        }
        kept = {name: np.concatenate([kept[name], extra[name]]) for name in kept}
    order = np.lexsort((kept["day"], kept["person"]))
    return {f"visit_{name}": values[order] for name, values in kept.items()}


# --- how long a response lasts ------------------------------------------------------------------


def draw_relapses(rng: Rng, n: int) -> tuple[Array, Array]:
    """Between which ends of windows each relapse lies; half of the people relapse early."""
    early = rng.random(n) < 0.5
    time = np.where(early, 3 * rng.weibull(1.4, n), rng.exponential(22.0, n))
    stays = rng.geometric(0.08, n) + 1
    left, right = np.zeros(n), np.full(n, np.inf)
    missed = np.zeros(n, bool)
    for w in range(1, 9):
        # Records are missing in runs.
        missed = rng.random(n) < np.where(missed, 0.5, 0.1)
        look = ~missed & (stays >= w) & np.isinf(right)
        right = np.where(look & (time <= w), w, right)
        left = np.where(look & (time > w), w, left)
    return left, right


def find_free(t: Array) -> Array:
    """Share without relapse at times in windows."""
    return np.asarray(0.5 * np.exp(-((t / 3) ** 1.4)) + 0.5 * np.exp(-t / 22))


# --- trials ---------------------------------------------------------------------------------------


def _draw_arm(rng: Rng, mean: Array, n: NDArray[np.int64], shape: Array) -> tuple[Array, Array]:
    """Mean and SD of n people whose outcomes are gamma-distributed about `mean`, with SD 1."""
    wide = int(n.max())
    people = rng.gamma(shape[..., None], 1 / np.sqrt(shape)[..., None], (*n.shape, wide))
    people -= np.sqrt(shape)[..., None]
    held = np.arange(wide) < n[..., None]
    average = np.where(held, people, 0).sum(axis=-1) / n
    square = np.where(held, (people - average[..., None]) ** 2, 0).sum(axis=-1)
    return mean + average, np.sqrt(square / (n - 1))


def draw_effects(rng: Rng, size: Any, tau2: float) -> Array:
    """Draw true effects, exponential, with the mean and the variance asked for."""
    return np.asarray(MEAN + np.sqrt(tau2) * (rng.exponential(1.0, size) - 1))


def draw_trials(rng: Rng, sets: int, k: int, tau2: float | Array) -> dict[str, Array]:
    """Trials of two arms, by means and SDs; `new` is the true effect of one more per set."""
    tau2 = np.broadcast_to(np.asarray(tau2, float), (sets,))
    n1, n2 = (12 + rng.negative_binomial(2, 0.08, (sets, k)) for _ in range(2))
    n1, n2 = np.minimum(n1, 90), np.minimum(n2, 90)
    shape = rng.uniform(1.5, 8, (sets, k))
    spread = np.sqrt(tau2)[:, None]
    effect = MEAN + spread * (rng.exponential(1.0, (sets, k)) - 1)
    level = rng.normal(0, 1, (sets, k))
    m1, s1 = _draw_arm(rng, level + effect, n1, shape)
    m2, s2 = _draw_arm(rng, level, n2, shape)
    new = MEAN + np.sqrt(tau2) * (rng.exponential(1.0, sets) - 1)
    return {"n1": n1, "m1": m1, "s1": s1, "n2": n2, "m2": m2, "s2": s2, "new": new, "true": effect}


def draw_tables(rng: Rng, sets: int, k: int, log_odds_ratio: float) -> dict[str, Array]:
    """Trials of two arms, by events: risks from 5 to 60 %, arms of unequal size."""
    n1, n2 = rng.integers(20, 150, (sets, k)), rng.integers(20, 90, (sets, k))
    odds = np.exp(rng.uniform(np.log(0.05), np.log(1.5), (sets, k)))
    risk2 = odds / (1 + odds)
    risk1 = odds * np.exp(log_odds_ratio) / (1 + odds * np.exp(log_odds_ratio))
    return {"e1": rng.binomial(n1, risk1), "n1": n1, "e2": rng.binomial(n2, risk2), "n2": n2}


def draw_network(rng: Rng, tau2: float) -> tuple[dict[str, Any], Array]:
    """Arms of 18 trials of five treatments, some of three or four arms; the true effects."""
    truth = np.array([0.0, 0.25, -0.1, 0.4, 0.15])
    rows: dict[str, list[Any]] = {"trial": [], "treatment": [], "n": [], "mean": [], "sd": []}
    for trial in range(18):
        arms = rng.choice(5, rng.choice([2, 2, 2, 3, 4]), replace=False)
        if trial < 4:
            arms = np.array([trial, trial + 1])
        n = np.full(len(arms), rng.integers(15, 80))
        shape = np.full(len(arms), rng.uniform(1.5, 8))
        # Differences of two such arms have the variance tau2.
        own = np.sqrt(tau2 / 2) * (rng.exponential(1.0, len(arms)) - 1)
        mean, sd = _draw_arm(rng, truth[arms] + own, n, shape)
        rows["trial"] += [trial] * len(arms)
        rows["treatment"] += [f"t{a}" for a in arms]
        rows["n"] += n.tolist()
        rows["mean"] += mean.tolist()
        rows["sd"] += sd.tolist()
    return rows, truth


def draw_dependent(rng: Rng) -> tuple[Array, Array, NDArray[np.int64]]:
    """One to five effects of each of 14 trials, whose errors have a common, heavy-tailed part."""
    each = rng.integers(1, 6, 14)
    trial = np.repeat(np.arange(14), each)
    v = (1 / rng.gamma(3, 12, 14))[trial] * rng.uniform(0.8, 1.2, len(trial))
    heavy = rng.standard_t(6, 14)[trial] / np.sqrt(1.5)
    own = rng.standard_t(6, len(trial)) / np.sqrt(1.5)
    error = np.sqrt(v) * (np.sqrt(0.5) * heavy + np.sqrt(0.5) * own)
    effect = 0.2 * (rng.exponential(1.0, 14) - 1)[trial] + rng.normal(0, 0.1, len(trial))
    return MEAN + effect + error, v, trial


def draw_between(rng: Rng, k: int, sd: float) -> Array:
    """How clinics or therapists differ: exponential, with mean 0."""
    return np.asarray(sd * (rng.exponential(1.0, k) - 1))
