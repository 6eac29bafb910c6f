"""Who comes, who treats them, and how they take part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headway.errors import ConfigError
from headway.simulate.course import DAYS, WINDOW, Course, count_days
from headway.simulate.draws import (
    Bools,
    Floats,
    Ints,
    Parameters,
    expit,
    logit,
    pick_category,
    pick_value,
    round_within,
)

TECHNIQUES = ("manual", "dry_needling", "wet_needling", "acupuncture", "self_care")
THERAPISTS = ("T1", "T2", "T3", "T4", "T5")


@dataclass(frozen=True, slots=True)
class People:
    """Who they are and how they take part, one entry per person."""

    code: NDArray[np.str_]
    migraine: Bools
    technique: Ints
    therapist: Ints
    adherent: Bools
    lost: Bools
    last_recorded: Ints  # last day of which anything is known
    diary_from: Ints
    stopped: Bools  # ended the visits, kept the diary
    intensity: Floats
    log_hours: Floats


def draw_people(rng: np.random.Generator, course: Course, p: Parameters) -> People:
    """Draw who the people of a course are, how they are treated and when they leave."""
    n = len(course.log_odds)
    letters, digits = np.array(list("ABCDEFGHJKLMNPQRSTUVWXYZ")), np.array(list("23456789"))
    alphabets = (letters, digits, letters, digits, letters)
    combinations = int(np.prod([len(a) for a in alphabets]))
    if n > combinations:
        raise ConfigError(f"there are codes for {combinations} patients at most")
    number = rng.choice(combinations, size=n, replace=False)
    code = np.full(n, "", dtype="<U5")
    for alphabet in alphabets:
        code = np.char.add(code, alphabet[number % len(alphabet)])
        number = number // len(alphabet)

    migraine = rng.random(n) < p["patients.migraine"]
    share = np.array([p[f"techniques.share.{t}"] for t in TECHNIQUES])
    technique = pick_category(rng, np.broadcast_to(share, (n, len(share))))
    weights = np.array([p[f"techniques.therapist_weights.{t}"] for t in TECHNIQUES], dtype=float)
    therapist = pick_category(rng, weights[technique])
    adherent = rng.random(n) < p["home.adherent"]

    baseline = count_days(course.headache)[:, 1]
    odds = p["loss.per_baseline_day"] * (baseline - p["loss.baseline_centre"])
    lost = rng.random(n) < expit(logit(p["loss.by_day_84"]) + odds)
    at_once = rng.random(n) < p["loss.at_once"]
    leaves = np.where(at_once, rng.integers(0, 7, n), rng.integers(7, p["loss.latest_day"] + 1, n))
    planned = pick_value(rng, p["diary.ends"], n).astype(np.int64) - 1
    hazard = p["loss.later_per_28_days"] / WINDOW
    later = 83 + np.ceil(rng.exponential(1.0 / hazard, n)).astype(np.int64)
    last_recorded = np.where(lost, leaves, np.minimum(planned, later))
    diary_from = np.where(rng.random(n) < p["diary.starts_56"], -2 * WINDOW, -WINDOW)
    stopped = (rng.random(n) < p["visits.stops_early"]) & ~lost

    kind = np.where(migraine, p["symptoms.intensity_migraine"], p["symptoms.intensity_tension"])
    intensity = kind + rng.normal(0.0, p["symptoms.intensity_person_sd"], n)
    median = np.where(migraine, p["symptoms.hours_migraine"], p["symptoms.hours_tension"])
    log_hours = np.log(median) + rng.normal(0.0, p["symptoms.hours_person_sd"], n)
    return People(
        code,
        migraine,
        technique,
        therapist,
        adherent,
        lost,
        last_recorded,
        diary_from,
        stopped,
        intensity,
        log_hours,
    )


def draw_patients(
    rng: np.random.Generator, people: People, before: Ints, p: Parameters
) -> pd.DataFrame:
    """Write the file of patients, one row each."""
    n = len(people.code)
    age = round_within(
        rng.normal(p["patients.age_mean"], p["patients.age_sd"], n),
        p["patients.age_low"],
        p["patients.age_high"],
    )
    female, other = p["patients.female"], p["patients.other"]
    weights = np.array([female, 1.0 - female - other, other])
    names = np.array(["female", "male", "other"])
    sex = names[pick_category(rng, np.broadcast_to(weights, (n, 3)))]
    mean, sd = p["patients.chronicity_mean"], p["patients.chronicity_sd"]
    years = rng.gamma((mean / sd) ** 2, sd**2 / mean, n)
    years = round_within(np.minimum(years, age - p["patients.onset_age_low"]), 0, 89)
    years[rng.random(n) < p["patients.chronicity_unknown"]] = np.nan
    chronic = before >= p["patients.chronic_from_days"]
    condition = np.where(
        people.migraine, np.where(chronic, "1.3", "1.1"), np.where(chronic, "2.3", "2.2")
    )
    return pd.DataFrame(
        {
            "patient_id": people.code,
            "age": age,
            "sex": sex,
            "condition": condition,
            "chronicity_years": years,
        }
    )


def regroup(
    rng: np.random.Generator, people: People, p: Parameters
) -> tuple[People, dict[str, Any]]:
    """Leave 1 to `groups.few` people in self-care, and with the one who does wet needling."""
    few = int(p["groups.few"])
    sizes = rng.integers(1, max(few, 1) + 1, 2)
    order = rng.permutation(len(people.code))
    if not few:
        return people, {}
    technique, therapist = people.technique.copy(), people.therapist.copy()
    planted = {}
    wet, alone = TECHNIQUES.index("wet_needling"), THERAPISTS.index("T4")
    for size, name in zip(sizes, ("self_care", "wet_needling"), strict=True):
        own = TECHNIQUES.index(name)
        of_others = order[(technique[order] != own) & (technique[order] != wet)]
        members = np.concatenate([order[technique[order] == own], of_others])
        technique[members[size:][technique[members[size:]] == own]] = TECHNIQUES.index("manual")
        technique[members[:size]] = own
        planted[f"people_{name}"] = int(size)
    others = (technique != wet) & (therapist == alone)
    therapist[others] = THERAPISTS.index("T1")
    therapist[technique == wet] = alone
    return replace(people, technique=technique, therapist=therapist), planted


def fill_outlier(rng: np.random.Generator, people: People, p: Parameters) -> People:
    """Give the outlying therapist his number of people, none of whom is lost by day 84."""
    order = rng.permutation(len(people.code))
    if not p["therapists.outlier_days"]:
        return people
    outlier = THERAPISTS.index(p["therapists.outlier"])
    therapist = people.therapist.copy()
    # Those whom he treats anyway come first; the others go to the first therapist.
    order = order[np.argsort(therapist[order] != outlier, kind="stable")]
    chosen = order[~people.lost[order]][: int(p["therapists.outlier_people"])]
    therapist[therapist == outlier] = THERAPISTS.index("T1")
    therapist[chosen] = outlier
    return replace(people, therapist=therapist)


def shift_outlier(
    people: People, course: Course, effect: Floats, exposure: Floats, p: Parameters
) -> Floats:
    """Find the shift of the logit that adds `therapists.outlier_days` in the post window.

    One shift for all of the therapist's people, by bisection on the days to be expected, so that
    their mean moves by that number although nobody can have more than 28 days.
    """
    shift = np.zeros(len(people.code))
    days = float(p["therapists.outlier_days"])
    if not days:
        return shift
    own = people.therapist == THERAPISTS.index(p["therapists.outlier"])
    post = (DAYS >= 2 * WINDOW) & (DAYS < 3 * WINDOW)
    logit = course.logit[own][:, post] + effect[own, None] * exposure[own][:, post]
    wanted = expit(logit).mean() + days / WINDOW
    if not own.any() or wanted >= 1:
        raise ConfigError("nobody can have so many more headache days; lower the outlier's")
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(logit + middle).mean() < wanted else (low, middle)
    shift[own] = low
    return shift
