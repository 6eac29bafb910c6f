"""Visits: planned, kept, ended; and the share of the full effect that they bring."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from headway.simulate.course import DAYS, FIRST_DAY, WINDOW
from headway.simulate.draws import Bools, Floats, Ints, Parameters, round_within
from headway.simulate.people import TECHNIQUES, People


@dataclass(frozen=True, slots=True)
class Visits:
    """Planned visits, shape (n, most visits), and which of them took place."""

    day: Ints
    attended: Bools
    last_day: Ints


def draw_visits(rng: np.random.Generator, people: People, p: Parameters) -> Visits:
    """Plan visits from day 0 to a check-up about day 84, and see which take place."""
    n, most = len(people.code), int(p["visits.planned_high"])
    planned = round_within(
        rng.normal(p["visits.planned_mean"], p["visits.planned_sd"], n),
        p["visits.planned_low"],
        most,
    ).astype(np.int64)
    taught = people.technique == TECHNIQUES.index("self_care")
    planned = np.where(taught, np.minimum(planned, p["visits.planned_high_self_care"]), planned)
    end = round_within(
        rng.normal(p["visits.course_days_mean"], p["visits.course_days_sd"], n),
        p["visits.course_days_low"],
        p["visits.course_days_high"],
    )
    k = np.arange(most)
    fraction = np.minimum(k / (planned[:, None] - 1), 1.0)
    day = np.round(end[:, None] * fraction ** p["visits.spacing_power"]).astype(np.int64)
    jitter = rng.integers(-p["visits.jitter_days"], p["visits.jitter_days"] + 1, (n, most))
    ends = (k == 0) | (k == planned[:, None] - 1)
    day = np.maximum.accumulate(np.where(ends, day, day + jitter), axis=1)

    show = rng.random((n, most)) >= p["visits.no_show"]
    stays = rng.random(n)  # which share of the plan those who stop early still attend
    attended = (k < planned[:, None]) & (show | ends) & (day <= people.last_recorded[:, None])
    attended &= ~people.stopped[:, None] | (k < 1 + np.floor(stays * (planned - 1))[:, None])
    attended[:, 0] = True
    attended[:, 1:] &= day[:, 1:] > day[:, :-1]  # two visits are never on one day
    last_day = np.where(attended, day, 0).max(axis=1)
    return Visits(day, attended, last_day)


def find_exposure(people: People, visits: Visits, p: Parameters) -> Floats:
    """Share of the full effect on each day, shape (n, days).

    It grows by equal steps with the sessions attended so far (from the day after a session) and
    halves every `half_life_days` after the last one, more slowly in people who do their homework.
    """
    attended = np.zeros((len(people.code), len(DAYS)))
    for k in range(visits.day.shape[1]):
        attended += visits.attended[:, [k]] & (visits.day[:, [k]] < DAYS)
    dose = np.minimum(attended / p["treatment.sessions_to_full_effect"], 1.0)
    factor = np.where(people.adherent, p["treatment.half_life_factor_homework"], 1.0)
    half_life = p["treatment.half_life_days"] * factor
    since = np.maximum(DAYS - visits.last_day[:, None], 0)
    return p["treatment.enabled"] * dose * 0.5 ** (since / half_life[:, None])


def leave(rng: np.random.Generator, headache: Bools, visits: Visits, p: Parameters) -> Ints:
    """Day on which each person leaves for not having got better; -1 for who stays.

    Judged at the last visit between `decides_from_day` and `decides_to_day`, by the headache days
    of the 28 days before it against the 28 days before day 0.
    """
    uniform = rng.random(len(headache))
    reached = (
        visits.attended
        & (visits.day >= p["loss.decides_from_day"])
        & (visits.day <= p["loss.decides_to_day"])
    )
    day = np.where(reached, visits.day, -1).max(axis=1)
    total = np.concatenate([np.zeros((len(day), 1), np.int64), headache.cumsum(axis=1)], axis=1)
    at = np.maximum(day, 0) - FIRST_DAY
    person = np.arange(len(day))
    recent = total[person, at] - total[person, at - WINDOW]
    before = total[:, -FIRST_DAY] - total[:, -FIRST_DAY - WINDOW]
    worse_off = before - recent < p["loss.better_by_days"]
    return np.where((day >= 0) & worse_off & (uniform < p["loss.if_not_better"]), day, -1)


def cut(people: People, visits: Visits, leaves: Ints) -> tuple[People, Visits]:
    """End the visits and the records of those who leave."""
    gone = leaves >= 0
    attended = visits.attended & (~gone[:, None] | (visits.day <= leaves[:, None]))
    last = np.where(attended, visits.day, 0).max(axis=1)
    return (
        replace(
            people,
            lost=people.lost | gone,
            stopped=people.stopped & ~gone,
            last_recorded=np.where(
                gone, np.minimum(people.last_recorded, leaves), people.last_recorded
            ),
        ),
        replace(visits, attended=attended, last_day=last),
    )
