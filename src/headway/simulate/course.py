"""Headache days: the natural course, and the same days under treatment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headway.errors import ConfigError
from headway.simulate.draws import Bools, Floats, Ints, Parameters, expit

WINDOW = 28
FIRST_DAY = -56
LAST_DAY = 167
DAYS: Ints = np.arange(FIRST_DAY, LAST_DAY + 1)
WINDOWS = (
    "earlier",
    "baseline",
    "weeks_1_4",
    "weeks_5_8",
    "post",
    "followup_1",
    "followup_2",
    "followup_3",
)


@dataclass(frozen=True, slots=True)
class Course:
    """Headache days of people who came to a clinic, had nothing been done.

    Attributes
    ----------
    log_odds
        A person's own level, shape (n,).
    logit
        Logit of a headache day, level plus drift, shape (n, days).
    uniform
        The draws behind the days: with them the course can be lived again under treatment.
    headache
        Whether the day is a headache day, shape (n, days); columns are the days of `DAYS`.
    """

    log_odds: Floats
    logit: Floats
    uniform: Floats
    headache: Bools


def live_days(probability: Floats, uniform: Floats, lag1: float, start: Bools | None) -> Bools:
    """Live through the days of a two-state Markov chain with the given lag-1 correlation.

    P(headache | yesterday) = p + lag1 * (yesterday - p): the share of headache days stays p.
    """
    days = np.empty(probability.shape, dtype=bool)
    yesterday = start
    for j in range(probability.shape[1]):
        p = probability[:, j]
        if yesterday is not None:
            p = p + lag1 * (yesterday - p)
        days[:, j] = yesterday = uniform[:, j] < p
    return days


def natural_course(rng: np.random.Generator, n: int, parameters: Parameters) -> Course:
    """Draw people who came to a clinic, and their headache days without treatment.

    A person has a level (logit, normal), a drift that is constant within 28 days and
    autoregressive between them, and days that persist (two-state Markov chain). After two
    windows of 28 days, who has at least `entry.min_days` headache days in the second one enters
    with probability logistic(`intercept` + `slope_per_day` * (second - first)). Who does not
    enter is never seen again: nobody waits for the next window. Day 0 is the day after the
    second window.

    Parameters
    ----------
    rng
        Source of all randomness.
    n
        People wanted.
    parameters
        Of `load_parameters`.

    Returns
    -------
    Course

    Notes
    -----
    The published block `calibrated_null_generator` (baseline 16.46, SD 6.70, r .741, change -1.80,
    SD 5.03, 14.1 % with half the days or fewer; Vickers' usual care has 16.38, 6.65, .746, -1.84,
    5.03, 12.4 %) does not say how entry and "change at 3 windows" are defined. Of one or repeated
    chances to enter, intercepts 0 and -2, slopes 0.25, 0.5 and 1 and lags of 1 to 4 windows, one
    chance with intercept 0, slope 1 and lag 3, that is days 56 to 83 against days -28 to -1, comes
    nearest (120 000 entrants: 16.44, 6.69, .741, -1.81, 5.02, 13.9 %); lag 2 gives r .757 and SD
    4.86, lag 4 r .733 and SD 5.09.
    """
    p = parameters
    phi, sd = p["natural_course.ar1"], p["natural_course.s_drift"]
    lag1 = p["natural_course.day_lag1"]
    innovation = sd * np.sqrt(1.0 - phi**2)
    kept: list[tuple[Floats, Floats, Floats, Bools]] = []
    found = 0
    for _ in range(100):
        size = 2 * (n - found) + 64
        level = rng.normal(p["natural_course.mu"], p["natural_course.s_between"], size)
        drift = np.empty((size, 2))
        drift[:, 0] = rng.normal(0.0, sd, size)
        drift[:, 1] = phi * drift[:, 0] + rng.normal(0.0, innovation, size)
        uniform = rng.random((size, 2 * WINDOW))
        chance = rng.random(size)
        logit = np.repeat(level[:, None] + drift, WINDOW, axis=1)
        days = live_days(expit(logit), uniform, lag1, None)
        before, now = days[:, :WINDOW].sum(axis=1), days[:, WINDOW:].sum(axis=1)
        entry = expit(p["entry.intercept"] + p["entry.slope_per_day"] * (now - before))
        enters = (now >= p["entry.min_days"]) & (chance < entry)
        kept.append((level[enters], drift[enters], uniform[enters], days[enters]))
        found += int(enters.sum())
        if found >= n:
            break
    else:
        raise ConfigError("hardly anybody enters the clinic with these parameters of `entry`")
    level, early, uniform, days = (np.concatenate(part)[:n] for part in zip(*kept, strict=True))

    windows = len(WINDOWS)
    drift = np.empty((n, windows))
    drift[:, :2] = early
    for w in range(2, windows):
        drift[:, w] = phi * drift[:, w - 1] + rng.normal(0.0, innovation, n)
    logit = np.repeat(level[:, None] + drift, WINDOW, axis=1)
    uniform = np.concatenate([uniform, rng.random((n, (windows - 2) * WINDOW))], axis=1)
    later = live_days(expit(logit[:, 2 * WINDOW :]), uniform[:, 2 * WINDOW :], lag1, days[:, -1])
    return Course(level, logit, uniform, np.concatenate([days, later], axis=1))


def count_days(headache: Bools) -> Ints:
    """Count the headache days of each window, shape (n, windows)."""
    n = len(headache)
    return headache.reshape(n, len(WINDOWS), WINDOW).sum(axis=2, dtype=np.int64)


def treat(course: Course, effect: Floats, exposure: Floats, shift: Floats, p: Parameters) -> Bools:
    """Live the course again from day 0 on, under treatment, from the same draws."""
    start = -FIRST_DAY
    treated = live_days(
        expit(course.logit[:, start:] + effect[:, None] * exposure[:, start:] + shift[:, None]),
        course.uniform[:, start:],
        p["natural_course.day_lag1"],
        course.headache[:, start - 1],
    )
    return np.concatenate([course.headache[:, :start], treated], axis=1)
