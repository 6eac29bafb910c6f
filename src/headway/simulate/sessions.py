"""What is written down at a session, in the office and at home."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headway.simulate.course import FIRST_DAY, WINDOW
from headway.simulate.draws import (
    Bools,
    Floats,
    Ints,
    Parameters,
    expit,
    keep_where,
    logit,
    make_generator,
    pick_category,
    pick_value,
    round_to_half,
    round_within,
)
from headway.simulate.people import TECHNIQUES, THERAPISTS, People
from headway.simulate.visits import Visits

MUSCLES: dict[str, tuple[float, str]] = {  # how often it is treated, where it refers pain
    "trapezius": (3.0, "temple"),
    "suboccipital": (2.5, "forehead"),
    "scm": (2.0, "eye"),
    "temporalis": (1.5, "teeth"),
    "splenius": (1.5, "vertex"),
    "levator": (1.0, "shoulder"),
    "masseter": (0.8, "ear"),
}
ASSESSMENTS = {"history": 0.98, "posture": 0.85, "motion": 0.80, "leg_length": 0.45, "neuro": 0.30}
_DAYS_PER_MONTH = 365.25 / 12


@dataclass(frozen=True, slots=True)
class Points:
    """Trigger points: the pool of each person and whether each point refers pain."""

    pool: Ints  # (n, pool size), index into `names`
    refers: Bools  # same shape
    names: tuple[str, ...]
    zones: tuple[str, ...]


def draw_points(rng: np.random.Generator, n: int, p: Parameters) -> Points:
    """Draw the trigger points of each person."""
    sides = ("left", "right")
    names = tuple(f"{muscle}:{side}" for muscle in MUSCLES for side in sides)
    zones = tuple(zone for _, zone in MUSCLES.values() for _ in sides)
    weight = np.array([w for w, _ in MUSCLES.values() for _ in sides])
    order = np.argsort(-(np.log(weight) + rng.gumbel(size=(n, len(names)))), axis=1)
    pool = np.sort(order[:, : p["points.pool"]], axis=1)
    own = logit(p["points.refers"]) + rng.normal(0.0, p["points.refers_person_sd"], n)
    return Points(pool, rng.random(pool.shape) < expit(own)[:, None], names, zones)


def _treated_points(
    rng: np.random.Generator, points: Points, person: Ints, p: Parameters
) -> tuple[list[str], list[str]]:
    """Choose the points of each session and write them, with their zones, as lists."""
    number = pick_value(rng, p["points.per_session"], len(person)).astype(np.int64)
    rank = np.argsort(rng.random((len(person), points.pool.shape[1])), axis=1)
    chosen = rank.argsort(axis=1) < number[:, None]
    treated, zones = [], []
    for i, mask in zip(person, chosen, strict=True):
        at, far = points.pool[i][mask], points.refers[i][mask]
        treated.append(";".join(points.names[j] for j in at))
        zones.append(
            ";".join(points.zones[j] if f else "none" for j, f in zip(at, far, strict=True))
        )
    return treated, zones


def draw_office_sessions(
    rng: np.random.Generator,
    people: People,
    visits: Visits,
    points: Points,
    headache: Bools,
    exposure: Floats,
    p: Parameters,
) -> pd.DataFrame:
    """Write the sessions that took place, one row each, in the order of the visits."""
    i, k = np.nonzero(visits.attended)
    rows, day = len(i), visits.day[i, k]
    first, last = k == 0, day == visits.last_day[i]
    main = people.technique[i]
    other = np.where(main == 0, 1, 0)  # dry needling for those treated by hand, else by hand
    technique = np.where(first | (rng.random(rows) < p["visits.own_technique"]), main, other)
    weights = np.array([p[f"techniques.therapist_weights.{t}"] for t in TECHNIQUES], dtype=float)
    stand_in = pick_category(rng, weights[technique])
    own = (rng.random(rows) < p["visits.own_therapist"]) & (technique == main)
    therapist = np.where(own, people.therapist[i], stand_in)

    length = np.where(first, p["visits.first_minutes"], p["visits.later_minutes"])
    minutes = length * (1.0 + p["visits.minutes_sd_share"] * rng.standard_normal(rows))
    minutes = 5.0 * round_within(minutes / 5.0, 3, 48)
    minutes[rng.random(rows) < p["visits.minutes_unknown"]] = np.nan
    reduced = (rng.random(len(people.code)) < p["visits.reduced_fee"])[i]
    fee = np.where(first, float(p["visits.first_fee"]), float(p["visits.later_fee"]))
    fee = np.round(fee * np.where(reduced, p["visits.reduced_fee_factor"], 1.0))
    treated, zones = _treated_points(rng, points, i, p)

    dry, wet, acupuncture = (
        technique == TECHNIQUES.index(t) for t in ("dry_needling", "wet_needling", "acupuncture")
    )
    keep_dry = pick_value(rng, p["techniques.retention_minutes_dry_needling"], rows)
    keep_acupuncture = pick_value(rng, p["techniques.retention_minutes_acupuncture"], rows)
    retention = np.where(dry, keep_dry, np.where(acupuncture, keep_acupuncture, np.nan))
    lidocaine = rng.random(rows) < p["techniques.lidocaine"]
    drug = keep_where(wet, np.where(lidocaine, "lidocaine", "saline"))

    sore = rng.random(rows) < np.array([p[f"harms.sore.{t}"] for t in TECHNIQUES])[technique]
    one_day = np.array([p[f"harms.one_day_only.{t}"] for t in TECHNIQUES])[technique]
    sore_days = np.where(sore, rng.geometric(one_day), 0).astype(float)
    asked = rng.random(rows) < np.where(last, p["harms.asked_after_last"], p["harms.asked"])
    told = ~asked & sore & (rng.random(rows) < p["harms.volunteered"])
    how = keep_where(asked | told, np.where(asked, "asked", "volunteered"))
    events = ("bruise", "bleeding", "pain")
    needle = np.array([p[f"harms.event_needling.{e}"] for e in events])
    hand = np.array([p[f"harms.event_other.{e}"] for e in events])
    risk = np.where((dry | wet | acupuncture)[:, None], needle, hand)
    event = np.array([*events, "none"])[pick_category(rng, np.c_[risk, 1.0 - risk.sum(axis=1)])]

    water = round_within(rng.normal(p["home.water_cups_mean"], 1.5, rows), 0, 9)
    water[rng.random(rows) < p["home.water_cups_unknown"]] = np.nan
    given = rng.random(rows) < p["home.homework_given"]
    given_before = np.r_[False, given[:-1]] & ~first  # rows are in the order of the visits
    does = np.where(people.adherent, p["home.done_if_adherent"], p["home.done_otherwise"])[i]
    done = rng.random(rows) < does
    insured = (rng.random(len(people.code)) < p["visits.insured"])[i]

    total = np.concatenate(
        [np.zeros((len(headache), 1), np.int64), headache.cumsum(axis=1)], axis=1
    )
    column = day - FIRST_DAY
    recent = total[i, column] - total[i, column - WINDOW]
    answer = recent + rng.normal(0.0, p["recall.error_sd_days"], rows)
    heaped = rng.random(rows) < p["recall.heaping"]
    answer = np.clip(np.where(heaped, 5.0 * np.round(answer / 5.0), np.round(answer)), 0, 28)
    asks = np.where(
        last & ~first, p["recall.last_answered"], p["recall.between_asked"] * (day >= 28)
    )
    asks = np.where(first, p["recall.intake_answered"], asks)
    answered = rng.random(rows) < asks
    share = exposure[i, column]
    usual = people.intensity[i] + p["treatment.intensity_shift"] * share
    usual = round_within(usual + rng.normal(0.0, 0.7, rows), 1, 10)
    hours = people.log_hours[i] + np.log(p["treatment.duration_ratio"]) * share
    hours = np.clip(round_to_half(np.exp(hours + rng.normal(0.0, 0.25, rows))), 0.5, 24.0)

    done_at_first = rng.random((rows, len(ASSESSMENTS))) < np.array(list(ASSESSMENTS.values()))
    names = np.array(list(ASSESSMENTS))
    assessed = [
        ";".join(names[mask]) if f else None for mask, f in zip(done_at_first, first, strict=True)
    ]
    neck = rng.normal(62.0, 9.0, len(people.code))[i] + p["treatment.rotation_gain_deg"] * share
    rotation = round_within(neck + rng.normal(0.0, 4.0, rows), 10, 90)
    measured = (first & done_at_first[:, 2]) | (last & ~first & (rng.random(rows) < 0.7))
    return pd.DataFrame(
        {
            "person": i,
            "day": day,
            "therapist": np.array(THERAPISTS)[therapist],
            "technique": np.array(TECHNIQUES)[technique],
            "setting": "in_office",
            "minutes": minutes,
            "fee": fee,
            "trigger_points": treated,
            "referral_zone": zones,
            "retention_min": retention,
            "drug": drug,
            "soreness_days": np.where(asked | told, sore_days, np.nan),
            "soreness_how": how,
            "adverse_event": event,
            "water_cups": water,
            "homework_given": np.where(given, "yes", "no"),
            "homework_done": keep_where(given_before, np.where(done, "yes", "no")),
            "insured": np.where(insured, "yes", "no"),
            "headache_days_28": np.where(answered, answer, np.nan),
            "usual_intensity": np.where(answered, usual, np.nan),
            "usual_duration_hours": np.where(answered, hours, np.nan),
            "assessments": assessed,
            "rotation_deg": np.where(measured, rotation, np.nan),
        }
    )


def draw_home_sessions(
    rng: np.random.Generator, people: People, visits: Visits, points: Points, p: Parameters
) -> pd.DataFrame:
    """Self-care at home, as far as people record it, from the first visit to the last."""
    n, weeks = len(people.code), int(p["visits.course_days_high"]) // 7
    keeps = rng.random(n) < p["home.keeps_record"]
    keeps |= people.technique == TECHNIQUES.index("self_care")
    day = 7 * np.arange(weeks) + rng.integers(1, 8, (n, weeks))
    recorded = rng.random((n, weeks)) < p["home.per_week"]
    recorded &= keeps[:, None] & (day <= visits.last_day[:, None])
    i, w = np.nonzero(recorded)
    treated, zones = _treated_points(rng, points, i, p)
    return pd.DataFrame(
        {
            "person": i,
            "day": day[i, w],
            "technique": "self_care",
            "setting": "at_home",
            "minutes": pick_value(rng, p["home.minutes"], len(i)),
            "fee": 0.0,
            "trigger_points": treated,
            "referral_zone": zones,
        }
    )


def empty_check_ups(seed: int, people: People, p: Parameters) -> pd.DataFrame:
    """Rows of check-ups that did not take place, with 0 for the answer that nobody gave."""
    first, last = p["recall.zero_coded_days"]
    day = make_generator(seed, "zeros").integers(first, last + 1, len(people.code))
    lost = np.flatnonzero(people.lost)
    return pd.DataFrame(
        {"person": lost, "day": day[lost], "setting": "in_office", "headache_days_28": 0.0}
    ).assign(patient_id=people.code[lost])


def count_months(
    rng: np.random.Generator, sessions: pd.DataFrame, people: People, p: Parameters
) -> pd.Series[int]:
    """Count the month of every session from 1; people start on any day of the first months."""
    days = p["visits.start_within_months"] * _DAYS_PER_MONTH
    start = dict(zip(people.code, rng.uniform(0, days, len(people.code)), strict=True))
    since = sessions["patient_id"].map(start) + sessions["day"]
    return 1 + (since // _DAYS_PER_MONTH).astype("int64")


def draw_remarks(
    rng: np.random.Generator, sessions: pd.DataFrame, p: Parameters
) -> tuple[NDArray[np.object_], str | None]:
    """Write remarks beside sessions; one row holds an identifier if the scenario says so."""
    rows = len(sessions)
    office = (sessions["setting"] == "in_office").to_numpy()
    written = office & (rng.random(rows) < p["remarks.per_session"])
    harmless = np.array(p["remarks.harmless"])[rng.integers(len(p["remarks.harmless"]), size=rows)]
    remarks = keep_where(written, harmless)
    kinds = p["remarks.identifiers"]
    if not kinds:
        return remarks, None
    kind = str(kinds[rng.integers(len(kinds))])
    given, surname, form = (
        str(values[rng.integers(len(values))])
        for values in (
            p["remarks.given_names"],
            p["remarks.surnames"],
            p[f"remarks.forms.{kind}"],
        )
    )
    number = f"{rng.integers(100):02d}"
    if kind == "email":
        given, surname = given.lower(), surname.lower()
    row = rng.choice(np.flatnonzero(office))
    remarks[row] = form.format(given=given, surname=surname, number=number)
    return remarks, kind
