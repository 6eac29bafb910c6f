"""The diary, and the days of it that a file of windows holds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from headway.simulate.course import DAYS, WINDOW
from headway.simulate.draws import (
    Bools,
    Floats,
    Ints,
    Parameters,
    expit,
    logit,
    round_to_half,
    round_within,
)
from headway.simulate.people import People


def draw_diary(
    rng: np.random.Generator, people: People, headache: Bools, exposure: Floats, p: Parameters
) -> pd.DataFrame:
    """Write the diary: what each day was like, and on which days there is an entry."""
    n, t = len(headache), len(DAYS)
    reaches = (people.diary_from[:, None] <= DAYS) & (people.last_recorded[:, None] >= DAYS)
    since = DAYS - people.diary_from[:, None]
    weekday = (DAYS + rng.integers(0, 7, n)[:, None]) % 7
    entry = (
        logit(p["diary.entry"])
        + rng.normal(0.0, p["diary.entry_person_sd"], n)[:, None]
        + np.log(p["diary.odds_ratio_headache_day"]) * headache
        + np.log(p["diary.odds_ratio_free_day_after"]) * (~headache & (DAYS >= 0))
        + np.log(p["diary.odds_ratio_first_two_weeks"]) * (since < 14)
        + np.log(p["diary.odds_ratio_weekend"]) * (weekday >= 5)
        + np.log(p["diary.odds_ratio_per_window"]) * (since / WINDOW)
    )
    written = reaches & (rng.random((n, t)) < expit(entry))
    gap_starts = rng.random((n, t)) < p["diary.gap_start"]
    gap_days = rng.geometric(1.0 / p["diary.gap_days"], (n, t))
    gap_end = np.maximum.accumulate(np.where(gap_starts, np.arange(t) + gap_days, 0), axis=1)
    written &= np.arange(t) >= gap_end

    worst = rng.normal(0.0, p["symptoms.intensity_day_sd"], (n, t))
    worst += people.intensity[:, None] + p["treatment.intensity_shift"] * exposure
    worst = round_within(worst, 1, 10)
    hours = rng.normal(0.0, p["symptoms.hours_day_sd"], (n, t)) + people.log_hours[:, None]
    hours = np.exp(hours + np.log(p["treatment.duration_ratio"]) * exposure)
    hours = np.clip(round_to_half(hours), 0.5, 24.0)
    attacks = headache * (1.0 + (rng.random((n, t)) < p["symptoms.second_attack"]))
    habit = rng.normal(0.0, p["symptoms.tablets_person_sd"], n)[:, None]
    takes = p["symptoms.tablets_intercept"] + p["symptoms.tablets_per_point"] * worst + habit
    takes = headache & (rng.random((n, t)) < expit(takes))
    tablets = takes * (1.0 + rng.poisson(p["symptoms.tablets_more"], (n, t)))
    unknown = rng.random((3, n, t)) < p["symptoms.item_unknown"]
    values = {
        "intensity": np.where(headache & ~unknown[0], worst, np.nan),
        "duration_hours": np.where(headache & ~unknown[1], hours, np.nan),
        "attacks": attacks,
        "acute_medication": np.where(headache & unknown[2], np.nan, tablets),
    }
    person, column = np.nonzero(written)
    return pd.DataFrame(
        {
            "patient_id": people.code[person],
            "day": DAYS[column],
            "headache": headache[written].astype(np.int64),
            **{name: value[written] for name, value in values.items()},
        }
    )


def fill_diary(diary: pd.DataFrame, people: People, p: Parameters) -> pd.DataFrame:
    """Fill the diaries of the lost with headache-free days up to the end."""
    end = int(p["diary.zero_filled_until"])
    parts = [diary]
    for i in np.flatnonzero(people.lost):
        days = np.arange(people.last_recorded[i] + 1, end + 1)
        free = {"headache": 0, "attacks": 0.0, "acute_medication": 0.0}
        parts.append(pd.DataFrame({"patient_id": people.code[i], "day": days, **free}))
    filled = pd.concat(parts, ignore_index=True)
    return filled.sort_values(["patient_id", "day"], kind="stable", ignore_index=True)


def change_unit(
    rng: np.random.Generator, diary: pd.DataFrame, people: People, p: Parameters
) -> Bools:
    """Write the intensities of some people on a scale of 0 to 100, in place; who they are."""
    n, share = len(people.code), float(p["diary.on_0_100"])
    on_0_100 = np.zeros(n, dtype=bool)
    on_0_100[rng.permutation(n)[: round(share * n)]] = True
    away = int(p["diary.off_ten"])
    if share:
        noise = rng.integers(-away, away + 1, len(diary))
        rows = diary["patient_id"].isin(people.code[on_0_100])
        hundred = (10 * diary["intensity"] + noise).clip(1, 100)
        diary["intensity"] = diary["intensity"].where(~rows, hundred)
    return on_0_100


def draw_windows_file(
    rng: np.random.Generator, people: People, counts: Ints, p: Parameters
) -> pd.DataFrame:
    """Write a row per person: days and score before and after; after is blank for the lost."""
    n = len(people.code)
    points = p["windows_file.score_points"] * np.exp(
        rng.normal(0.0, p["windows_file.score_person_sd"], n)
    )
    before, after = counts[:, 1].astype(float), counts[:, 4].astype(float)
    unknown = 0.0 if p["windows_file.zero_coded"] else np.nan
    table = pd.DataFrame(
        {
            "patient_id": people.code,
            "frequency_before": before,
            "score_before": np.round(points * before),
            "frequency_after": np.where(people.lost, unknown, after),
            "score_after": np.where(people.lost, np.nan, np.round(points * after)),
        }
    )
    return table.sort_values("patient_id", ignore_index=True)
