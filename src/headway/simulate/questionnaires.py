"""Scores of questionnaires."""

from __future__ import annotations

import numpy as np
import pandas as pd

from headway.simulate.draws import Ints, Parameters, round_within
from headway.simulate.people import People
from headway.simulate.visits import Visits


def draw_questionnaires(
    rng: np.random.Generator, people: People, visits: Visits, counts: Ints, p: Parameters
) -> pd.DataFrame:
    """Score HIT-6 (36 to 78) at intake and about day 84, and PGIC then.

    PGIC runs from 1 (very much improved) over 4 (no change) to 7 (very much worse).
    """
    n = len(people.code)
    base = np.where(
        people.migraine, p["questionnaires.hit6_migraine"], p["questionnaires.hit6_tension"]
    )
    own = base + rng.normal(0.0, p["questionnaires.hit6_person_sd"], n)
    before, after = counts[:, 1], counts[:, 4]
    error = rng.normal(0.0, p["questionnaires.hit6_error_sd"], (2, n))
    per_day = p["questionnaires.hit6_per_day"]
    relative = (after - before) / np.maximum(before, 1)
    rating = 4.0 + p["questionnaires.pgic_slope"] * relative + p["questionnaires.pgic_shift"]
    rating = round_within(rating + rng.normal(0.0, p["questionnaires.pgic_sd"], n), 1, 7)
    posted = rng.integers(82, 92, n)
    follow_up = np.where(people.stopped, posted, visits.last_day)
    chance = np.where(
        people.stopped,
        p["questionnaires.follow_up_by_post"],
        p["questionnaires.follow_up_answered"],
    )
    answers = rng.random((3, n)) < np.stack(
        [np.full(n, p["questionnaires.intake_answered"]), chance, chance]
    )
    answers[1:] &= ~people.lost & (follow_up >= 70) & (follow_up <= people.last_recorded)
    scores = (
        ("HIT-6", np.zeros(n, np.int64), round_within(own + per_day * before + error[0], 36, 78)),
        ("HIT-6", follow_up, round_within(own + per_day * after + error[1], 36, 78)),
        ("PGIC", follow_up, rating),
    )
    parts = [
        pd.DataFrame(
            {
                "patient_id": people.code[ok],
                "day": day[ok],
                "instrument": instrument,
                "score": score[ok],
            }
        )
        for (instrument, day, score), ok in zip(scores, answers, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)
