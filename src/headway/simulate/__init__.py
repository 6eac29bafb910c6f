"""Synthetic clinics with a known truth.

A clinic is made in the order in which the world makes one: people have headache days that
persist from day to day and drift from month to month; they come when it is worse than usual; they
are treated, some stop coming, and the diary has gaps. What happened (`truth`) is kept beside what
was recorded (`tables`), with the days that the same people would have had without treatment.

Every number stands in `simulate.yaml` with its source or the word `assumption`. All draws are made
whatever the scenario, so that two scenarios with one seed hold the same people. What only some
scenarios do (zeros for missing values, a second unit, people who leave because they are not better,
...) draws from generators of its own and leaves the others untouched.

Examples
--------
>>> from headway.simulate import simulate_clinic, write_clinic
>>> clinic = simulate_clinic(n_patients=120, seed=20260101, scenario="real_effect")
>>> clinic.truth["estimands"]["effect_mean"]          # doctest: +SKIP
>>> write_clinic(clinic, folder)                      # doctest: +SKIP
"""

from __future__ import annotations

import copy
import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headway.config import load_yaml
from headway.errors import ConfigError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Parameters = Mapping[str, Any]

PARAMETER_FILE = Path(__file__).with_name("simulate.yaml")
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
TECHNIQUES = ("manual", "dry_needling", "wet_needling", "acupuncture", "self_care")
THERAPISTS = ("T1", "T2", "T3", "T4", "T5")
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

COLUMNS: dict[str, dict[str, str]] = {
    "patients": {
        "patient_id": "code",
        "age": "age_years",
        "sex": "sex",
        "condition": "diagnosis",
        "chronicity_years": "years_with_headache",
    },
    "sessions": {
        "patient_id": "code",
        "day": "visit_day",
        "therapist": "therapist",
        "technique": "method",
        "setting": "place",
        "minutes": "minutes",
        "fee": "fee_usd",
        "trigger_points": "points",
        "referral_zone": "refers",
        "retention_min": "retention_min",
        "drug": "drug",
        "soreness_days": "sore_days",
        "soreness_how": "soreness_how",
        "adverse_event": "adverse_event",
        "water_cups": "water_cups",
        "homework_given": "homework_given",
        "homework_done": "homework_done",
        "insured": "insured",
        "headache_days_28": "hd28",
        "usual_intensity": "usual_intensity",
        "usual_duration_hours": "usual_hours",
        "assessments": "assessed",
        "rotation_deg": "rotation_deg",
    },
    "diary": {
        "patient_id": "code",
        "day": "day",
        "headache": "headache",
        "intensity": "worst_0_10",
        "duration_hours": "hours",
        "attacks": "attacks",
        "acute_medication": "tablets",
    },
    "questionnaires": {
        "patient_id": "code",
        "day": "day",
        "instrument": "instrument",
        "score": "score",
    },
}
"""File -> canonical column -> the synthetic clinic's own column, in the files' order."""

CODES: dict[str, dict[str, dict[str, str]]] = {
    "patients": {"sex": {"F": "female", "M": "male", "X": "other"}},
    "sessions": {
        "technique": {
            "manual": "manual",
            "dry": "dry_needling",
            "wet": "wet_needling",
            "acu": "acupuncture",
            "selfcare": "self_care",
        },
        "setting": {"office": "in_office", "home": "at_home"},
    },
}
"""File -> canonical column -> the synthetic clinic's own code -> the canonical value."""

# What only some scenarios write: a fifth file, and columns of the sessions.
_MORE: dict[str, dict[str, str]] = {
    "windows": {
        "patient_id": "code",
        "frequency_before": "days_before",
        "score_before": "score_before",
        "frequency_after": "days_after",
        "score_after": "score_after",
    },
    "sessions": {"month": "month", "remark": "remarks"},
}
# Canonical columns that `headway.tables` calls otherwise; None where it has none.
_PIPELINE: dict[str, str | None] = {
    "retention_min": "retention_minutes",
    "soreness_how": "soreness_reported",
    "rotation_deg": "range_of_motion_degrees",
}
_UNITS = {
    "intensity": "nrs_0_10",
    "usual_intensity": "nrs_0_10",
    "duration_hours": "hours",
    "usual_duration_hours": "hours",
    "age": "years",
    "chronicity_years": "years",
}
_YES_NO = ("insured", "homework_given", "homework_done")
_DAYS_PER_MONTH = 365.25 / 12
# Mechanism -> place of its generator; a new one goes to the end.
_GENERATORS = (
    "dropout",
    "therapist",
    "unit",
    "windows_file",
    "zeros",
    "remarks",
    "groups",
    "calendar",
)


@dataclass(frozen=True, slots=True)
class SimulatedClinic:
    """A synthetic clinic.

    Attributes
    ----------
    tables
        `patients`, `sessions`, `diary` and `questionnaires`, row by row as the files hold them
        (typing errors included), under the canonical names and values of `headway.tables`.
    truth
        `scenario`, `seed`, `n_patients`, `parameters`; `estimands`, over all who started and with
        every day known; `people`, column -> list in the order of `patients`; `planted`, how many
        people or cells each mechanism of the scenario touched; `dirty_rows`, the file, line
        (1 = header), column and kind of every typing error.
    """

    tables: dict[str, pd.DataFrame]
    truth: dict[str, Any]


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


@dataclass(frozen=True, slots=True)
class _People:
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


@dataclass(frozen=True, slots=True)
class _Visits:
    """Planned visits, shape (n, most visits), and which of them took place."""

    day: Ints
    attended: Bools
    last_day: Ints


@cache
def _document() -> dict[str, Any]:
    return load_yaml(PARAMETER_FILE)


def scenarios() -> dict[str, str]:
    """List the scenarios with their descriptions."""
    return {name: entry["description"] for name, entry in _document()["scenarios"].items()}


def load_parameters(
    scenario: str = "real_effect", overrides: Parameters | None = None
) -> dict[str, Any]:
    """Read the parameters of a scenario.

    Parameters
    ----------
    scenario
        One of `scenarios()`.
    overrides
        Values that take the place of the file's, under dotted names such as
        `treatment.odds_ratio.manual`.

    Returns
    -------
    dict
        Dotted name -> value.

    Raises
    ------
    ConfigError
        If the scenario or a name is not known.
    """
    document = _document()
    known = document["scenarios"]
    if scenario not in known:
        raise ConfigError(f"the scenario '{scenario}' is not known; known: {', '.join(known)}")
    values: dict[str, Any] = {}

    def collect(node: Mapping[str, Any], name: str) -> None:
        for key, child in node.items():
            if "value" in child:
                values[name + key] = copy.deepcopy(child["value"])
            else:
                collect(child, f"{name}{key}.")

    collect(document["parameters"], "")
    for key, value in {**known[scenario]["set"], **(overrides or {})}.items():
        if key not in values:
            close = difflib.get_close_matches(key, values, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise ConfigError(f"the parameter '{key}' is not in {PARAMETER_FILE.name}{hint}")
        values[key] = value
    return values


def clinic_files() -> dict[str, Any]:
    """Describe the written files as the `files` block of a `clinic.yaml`."""
    files: dict[str, Any] = {}
    for name, columns in COLUMNS.items():
        mapped: dict[str, Any] = {}
        for canonical, own in columns.items():
            codes = CODES.get(name, {}).get(canonical)
            mapped[canonical] = {"column": own, "codes": dict(codes)} if codes else own
        files[name] = {"path": f"{name}.csv", "missing": ["", "NA"], "columns": mapped}
    return files


def describe_clinic(simulated: SimulatedClinic, name: str) -> dict[str, Any]:
    """Describe a synthetic clinic's files as a `clinic.yaml` that the pipeline reads.

    Parameters
    ----------
    simulated
        Of `simulate_clinic`.
    name
        The clinic's `id`: small letters, digits and underscores.

    Returns
    -------
    dict
        The document; `disclosure` is the scenario's (`clinic.disclosure`).
    """
    truth = simulated.truth
    scenario, seed, n = truth["scenario"], truth["seed"], truth["n_patients"]
    files: dict[str, Any] = {}
    for file, columns in COLUMNS.items():
        mapped: dict[str, Any] = {}
        for own_name, own in columns.items():
            canonical = _PIPELINE.get(own_name, own_name)
            if canonical is None:
                continue
            codes = CODES.get(file, {}).get(own_name)
            if own_name in _YES_NO:
                mapped[canonical] = {"column": own, "codes": {"yes": 1, "no": 0}}
            elif codes:
                mapped[canonical] = {"column": own, "codes": dict(codes)}
            elif own_name in _UNITS:
                mapped[canonical] = {"column": own, "unit": _UNITS[own_name]}
            else:
                mapped[canonical] = own
        files[file] = {"path": f"{file}.csv", "columns": mapped}
    if "month" in simulated.tables["sessions"]:
        files["sessions"]["columns"]["month"] = _MORE["sessions"]["month"]
    files["sessions"]["constants"] = {"currency": "USD"}
    document = {
        "schema_version": 1,
        "id": name,
        "title": f"Synthetic clinic, scenario {scenario}",
        "description": f"Made up: nobody in it exists. {scenarios()[scenario]}",
        "source": f"headway simulate --patients {n} --seed {seed} --scenario {scenario}",
        "licence": "MIT (generated by this project)",
        "condition": "migraine and tension-type headache",
        "synthetic": True,
        "disclosure": truth["parameters"]["clinic.disclosure"],
        "files": files,
    }
    if "windows" in simulated.tables:
        wide = _MORE["windows"]
        files["windows"] = {
            "path": "windows.csv",
            "columns": {"patient_id": wide["patient_id"]},
            "wide": [
                {
                    "column": wide[f"{outcome}_{side}"],
                    "window": window,
                    "outcome": "frequency" if outcome == "frequency" else "headache_score",
                    "unit": "days_per_28" if outcome == "frequency" else "score",
                }
                for side, window in (("before", "baseline"), ("after", "post"))
                for outcome in ("frequency", "score")
            ],
        }
    if document["disclosure"] not in ("internal", "public"):
        # Exact ages of 150 people are no groups of five; a clinic that wants such rules makes bands
        # and leaves out what it does not need.
        patients = files["patients"]
        patients["drop"] = [patients["columns"].pop(c)["column"] for c in ("age", "sex")]
        patients["drop"].append(patients["columns"].pop("condition"))
    return document


def _generator(seed: int, mechanism: str) -> np.random.Generator:
    """Make the generator of a mechanism, whose draws move no other draw."""
    key = (_GENERATORS.index(mechanism),)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def _expit(x: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-x))


def _logit(p: float) -> float:
    return float(np.log(p / (1.0 - p)))


def _half(x: Floats) -> Floats:
    """Round to a multiple of one half."""
    return np.round(2.0 * x) / 2.0


def _whole(x: Floats, low: float, high: float) -> Floats:
    return np.clip(np.round(x), low, high)


def _pick(rng: np.random.Generator, values: list[float], size: int) -> Floats:
    """Draw from equally likely values."""
    return np.asarray(values, dtype=float)[rng.integers(len(values), size=size)]


def _keep_where(condition: Bools, values: NDArray[np.str_]) -> NDArray[np.object_]:
    """Keep the texts where the condition holds."""
    kept = np.full(condition.shape, None, dtype=object)
    kept[condition] = np.asarray(values, dtype=object)[condition]
    return kept


def _category(rng: np.random.Generator, weights: Floats) -> Ints:
    """Draw one category a row from weights of shape (rows, categories)."""
    cumulative = np.cumsum(weights, axis=1)
    uniform = rng.random(len(weights)) * cumulative[:, -1]
    return (uniform[:, None] >= cumulative).sum(axis=1)


def _chain(probability: Floats, uniform: Floats, lag1: float, start: Bools | None) -> Bools:
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
        days = _chain(_expit(logit), uniform, lag1, None)
        before, now = days[:, :WINDOW].sum(axis=1), days[:, WINDOW:].sum(axis=1)
        entry = _expit(p["entry.intercept"] + p["entry.slope_per_day"] * (now - before))
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
    later = _chain(_expit(logit[:, 2 * WINDOW :]), uniform[:, 2 * WINDOW :], lag1, days[:, -1])
    return Course(level, logit, uniform, np.concatenate([days, later], axis=1))


def _count(headache: Bools) -> Ints:
    """Count the headache days of each window, shape (n, windows)."""
    n = len(headache)
    return headache.reshape(n, len(WINDOWS), WINDOW).sum(axis=2, dtype=np.int64)


def _draw_people(rng: np.random.Generator, course: Course, p: Parameters) -> _People:
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
    technique = _category(rng, np.broadcast_to(share, (n, len(share))))
    weights = np.array([p[f"techniques.therapist_weights.{t}"] for t in TECHNIQUES], dtype=float)
    therapist = _category(rng, weights[technique])
    adherent = rng.random(n) < p["home.adherent"]

    baseline = _count(course.headache)[:, 1]
    odds = p["loss.per_baseline_day"] * (baseline - p["loss.baseline_centre"])
    lost = rng.random(n) < _expit(_logit(p["loss.by_day_84"]) + odds)
    at_once = rng.random(n) < p["loss.at_once"]
    leaves = np.where(at_once, rng.integers(0, 7, n), rng.integers(7, p["loss.latest_day"] + 1, n))
    planned = _pick(rng, p["diary.ends"], n).astype(np.int64) - 1
    hazard = p["loss.later_per_28_days"] / WINDOW
    later = 83 + np.ceil(rng.exponential(1.0 / hazard, n)).astype(np.int64)
    last_recorded = np.where(lost, leaves, np.minimum(planned, later))
    diary_from = np.where(rng.random(n) < p["diary.starts_56"], -2 * WINDOW, -WINDOW)
    stopped = (rng.random(n) < p["visits.stops_early"]) & ~lost

    kind = np.where(migraine, p["symptoms.intensity_migraine"], p["symptoms.intensity_tension"])
    intensity = kind + rng.normal(0.0, p["symptoms.intensity_person_sd"], n)
    median = np.where(migraine, p["symptoms.hours_migraine"], p["symptoms.hours_tension"])
    log_hours = np.log(median) + rng.normal(0.0, p["symptoms.hours_person_sd"], n)
    return _People(
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


def _draw_visits(rng: np.random.Generator, people: _People, p: Parameters) -> _Visits:
    """Plan visits from day 0 to a check-up about day 84, and see which take place."""
    n, most = len(people.code), int(p["visits.planned_high"])
    planned = _whole(
        rng.normal(p["visits.planned_mean"], p["visits.planned_sd"], n),
        p["visits.planned_low"],
        most,
    ).astype(np.int64)
    taught = people.technique == TECHNIQUES.index("self_care")
    planned = np.where(taught, np.minimum(planned, p["visits.planned_high_self_care"]), planned)
    end = _whole(
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
    return _Visits(day, attended, last_day)


def _exposure(people: _People, visits: _Visits, p: Parameters) -> Floats:
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


def _patients(
    rng: np.random.Generator, people: _People, before: Ints, p: Parameters
) -> pd.DataFrame:
    n = len(people.code)
    age = _whole(
        rng.normal(p["patients.age_mean"], p["patients.age_sd"], n),
        p["patients.age_low"],
        p["patients.age_high"],
    )
    female, other = p["patients.female"], p["patients.other"]
    weights = np.array([female, 1.0 - female - other, other])
    sex = np.array(["female", "male", "other"])[_category(rng, np.broadcast_to(weights, (n, 3)))]
    mean, sd = p["patients.chronicity_mean"], p["patients.chronicity_sd"]
    years = rng.gamma((mean / sd) ** 2, sd**2 / mean, n)
    years = _whole(np.minimum(years, age - p["patients.onset_age_low"]), 0, 89)
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


def _diary(
    rng: np.random.Generator, people: _People, headache: Bools, exposure: Floats, p: Parameters
) -> pd.DataFrame:
    """Write the diary: what each day was like, and on which days there is an entry."""
    n, t = len(headache), len(DAYS)
    reaches = (people.diary_from[:, None] <= DAYS) & (people.last_recorded[:, None] >= DAYS)
    since = DAYS - people.diary_from[:, None]
    weekday = (DAYS + rng.integers(0, 7, n)[:, None]) % 7
    entry = (
        _logit(p["diary.entry"])
        + rng.normal(0.0, p["diary.entry_person_sd"], n)[:, None]
        + np.log(p["diary.odds_ratio_headache_day"]) * headache
        + np.log(p["diary.odds_ratio_free_day_after"]) * (~headache & (DAYS >= 0))
        + np.log(p["diary.odds_ratio_first_two_weeks"]) * (since < 14)
        + np.log(p["diary.odds_ratio_weekend"]) * (weekday >= 5)
        + np.log(p["diary.odds_ratio_per_window"]) * (since / WINDOW)
    )
    written = reaches & (rng.random((n, t)) < _expit(entry))
    gap_starts = rng.random((n, t)) < p["diary.gap_start"]
    gap_days = rng.geometric(1.0 / p["diary.gap_days"], (n, t))
    gap_end = np.maximum.accumulate(np.where(gap_starts, np.arange(t) + gap_days, 0), axis=1)
    written &= np.arange(t) >= gap_end

    worst = rng.normal(0.0, p["symptoms.intensity_day_sd"], (n, t))
    worst += people.intensity[:, None] + p["treatment.intensity_shift"] * exposure
    worst = _whole(worst, 1, 10)
    hours = rng.normal(0.0, p["symptoms.hours_day_sd"], (n, t)) + people.log_hours[:, None]
    hours = np.exp(hours + np.log(p["treatment.duration_ratio"]) * exposure)
    hours = np.clip(_half(hours), 0.5, 24.0)
    attacks = headache * (1.0 + (rng.random((n, t)) < p["symptoms.second_attack"]))
    habit = rng.normal(0.0, p["symptoms.tablets_person_sd"], n)[:, None]
    takes = p["symptoms.tablets_intercept"] + p["symptoms.tablets_per_point"] * worst + habit
    takes = headache & (rng.random((n, t)) < _expit(takes))
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


@dataclass(frozen=True, slots=True)
class _Points:
    """Trigger points: the pool of each person and whether each point refers pain."""

    pool: Ints  # (n, pool size), index into `names`
    refers: Bools  # same shape
    names: tuple[str, ...]
    zones: tuple[str, ...]


def _draw_points(rng: np.random.Generator, n: int, p: Parameters) -> _Points:
    sides = ("left", "right")
    names = tuple(f"{muscle}:{side}" for muscle in MUSCLES for side in sides)
    zones = tuple(zone for _, zone in MUSCLES.values() for _ in sides)
    weight = np.array([w for w, _ in MUSCLES.values() for _ in sides])
    order = np.argsort(-(np.log(weight) + rng.gumbel(size=(n, len(names)))), axis=1)
    pool = np.sort(order[:, : p["points.pool"]], axis=1)
    own = _logit(p["points.refers"]) + rng.normal(0.0, p["points.refers_person_sd"], n)
    return _Points(pool, rng.random(pool.shape) < _expit(own)[:, None], names, zones)


def _treated_points(
    rng: np.random.Generator, points: _Points, person: Ints, p: Parameters
) -> tuple[list[str], list[str]]:
    """Choose the points of each session and write them, with their zones, as lists."""
    number = _pick(rng, p["points.per_session"], len(person)).astype(np.int64)
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


def _office_sessions(
    rng: np.random.Generator,
    people: _People,
    visits: _Visits,
    points: _Points,
    headache: Bools,
    exposure: Floats,
    p: Parameters,
) -> pd.DataFrame:
    i, k = np.nonzero(visits.attended)
    rows, day = len(i), visits.day[i, k]
    first, last = k == 0, day == visits.last_day[i]
    main = people.technique[i]
    other = np.where(main == 0, 1, 0)  # dry needling for those treated by hand, else by hand
    technique = np.where(first | (rng.random(rows) < p["visits.own_technique"]), main, other)
    weights = np.array([p[f"techniques.therapist_weights.{t}"] for t in TECHNIQUES], dtype=float)
    stand_in = _category(rng, weights[technique])
    own = (rng.random(rows) < p["visits.own_therapist"]) & (technique == main)
    therapist = np.where(own, people.therapist[i], stand_in)

    length = np.where(first, p["visits.first_minutes"], p["visits.later_minutes"])
    minutes = length * (1.0 + p["visits.minutes_sd_share"] * rng.standard_normal(rows))
    minutes = 5.0 * _whole(minutes / 5.0, 3, 48)
    minutes[rng.random(rows) < p["visits.minutes_unknown"]] = np.nan
    reduced = (rng.random(len(people.code)) < p["visits.reduced_fee"])[i]
    fee = np.where(first, float(p["visits.first_fee"]), float(p["visits.later_fee"]))
    fee = np.round(fee * np.where(reduced, p["visits.reduced_fee_factor"], 1.0))
    treated, zones = _treated_points(rng, points, i, p)

    dry, wet, acupuncture = (
        technique == TECHNIQUES.index(t) for t in ("dry_needling", "wet_needling", "acupuncture")
    )
    keep_dry = _pick(rng, p["techniques.retention_minutes_dry_needling"], rows)
    keep_acupuncture = _pick(rng, p["techniques.retention_minutes_acupuncture"], rows)
    retention = np.where(dry, keep_dry, np.where(acupuncture, keep_acupuncture, np.nan))
    lidocaine = rng.random(rows) < p["techniques.lidocaine"]
    drug = _keep_where(wet, np.where(lidocaine, "lidocaine", "saline"))

    sore = rng.random(rows) < np.array([p[f"harms.sore.{t}"] for t in TECHNIQUES])[technique]
    one_day = np.array([p[f"harms.one_day_only.{t}"] for t in TECHNIQUES])[technique]
    sore_days = np.where(sore, rng.geometric(one_day), 0).astype(float)
    asked = rng.random(rows) < np.where(last, p["harms.asked_after_last"], p["harms.asked"])
    told = ~asked & sore & (rng.random(rows) < p["harms.volunteered"])
    how = _keep_where(asked | told, np.where(asked, "asked", "volunteered"))
    events = ("bruise", "bleeding", "pain")
    needle = np.array([p[f"harms.event_needling.{e}"] for e in events])
    hand = np.array([p[f"harms.event_other.{e}"] for e in events])
    risk = np.where((dry | wet | acupuncture)[:, None], needle, hand)
    event = np.array([*events, "none"])[_category(rng, np.c_[risk, 1.0 - risk.sum(axis=1)])]

    water = _whole(rng.normal(p["home.water_cups_mean"], 1.5, rows), 0, 9)
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
    usual = _whole(usual + rng.normal(0.0, 0.7, rows), 1, 10)
    hours = people.log_hours[i] + np.log(p["treatment.duration_ratio"]) * share
    hours = np.clip(_half(np.exp(hours + rng.normal(0.0, 0.25, rows))), 0.5, 24.0)

    done_at_first = rng.random((rows, len(ASSESSMENTS))) < np.array(list(ASSESSMENTS.values()))
    names = np.array(list(ASSESSMENTS))
    assessed = [
        ";".join(names[mask]) if f else None for mask, f in zip(done_at_first, first, strict=True)
    ]
    neck = rng.normal(62.0, 9.0, len(people.code))[i] + p["treatment.rotation_gain_deg"] * share
    rotation = _whole(neck + rng.normal(0.0, 4.0, rows), 10, 90)
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
            "homework_done": _keep_where(given_before, np.where(done, "yes", "no")),
            "insured": np.where(insured, "yes", "no"),
            "headache_days_28": np.where(answered, answer, np.nan),
            "usual_intensity": np.where(answered, usual, np.nan),
            "usual_duration_hours": np.where(answered, hours, np.nan),
            "assessments": assessed,
            "rotation_deg": np.where(measured, rotation, np.nan),
        }
    )


def _home_sessions(
    rng: np.random.Generator, people: _People, visits: _Visits, points: _Points, p: Parameters
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
            "minutes": _pick(rng, p["home.minutes"], len(i)),
            "fee": 0.0,
            "trigger_points": treated,
            "referral_zone": zones,
        }
    )


def _questionnaires(
    rng: np.random.Generator, people: _People, visits: _Visits, counts: Ints, p: Parameters
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
    rating = _whole(rating + rng.normal(0.0, p["questionnaires.pgic_sd"], n), 1, 7)
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
        ("HIT-6", np.zeros(n, np.int64), _whole(own + per_day * before + error[0], 36, 78)),
        ("HIT-6", follow_up, _whole(own + per_day * after + error[1], 36, 78)),
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


def _mistype(code: str, known: set[str]) -> str:
    """Swap letters of a code until it is nobody's."""
    for letter in "XQZVKWJYPMNT":
        for place in (4, 2, 0):
            typed = code[:place] + letter + code[place + 1 :]
            if typed not in known:
                return typed
    raise ConfigError("no unused code is left for a mistyped one")


def _add_errors(
    rng: np.random.Generator, tables: dict[str, pd.DataFrame], p: Parameters
) -> list[dict[str, Any]]:
    """Put the typing errors into the tables and list them by file and line."""
    diary, sessions = tables["diary"], tables["sessions"]
    twelve, copies = p["errors.intensity_twelve"], p["errors.duplicate_diary_rows"]
    negative, unknown = p["errors.negative_minutes"], p["errors.unknown_patient"]
    with_score = rng.permutation(np.flatnonzero(diary["intensity"].notna()))[: twelve + copies]
    rest = np.setdiff1d(np.arange(len(diary)), with_score)
    wrong_code = rng.permutation(rest)[:unknown]
    timed = sessions["minutes"].notna() & (sessions["setting"] == "in_office")
    later = rng.permutation(np.flatnonzero(timed & (sessions["day"] > 0)))[:negative]
    if min(len(with_score) - twelve - copies, len(wrong_code) - unknown, len(later) - negative) < 0:
        raise ConfigError("the clinic is too small for its typing errors; set `errors.*` to 0")

    found: list[tuple[str, str, Ints, str]] = [
        ("diary", "intensity", with_score[:twelve], "outside_range"),
        ("diary", "patient_id", wrong_code, "unknown_patient"),
        ("sessions", "minutes", later, "outside_range"),
    ]
    diary.loc[with_score[:twelve], "intensity"] = 12.0
    known = set(tables["patients"]["patient_id"])
    for row in wrong_code:
        diary.loc[row, "patient_id"] = _mistype(str(diary.loc[row, "patient_id"]), known)
    sessions.loc[later, "minutes"] = -sessions.loc[later, "minutes"]
    dirty: list[dict[str, Any]] = [
        {"file": f"{name}.csv", "line": int(row) + 2, "column": COLUMNS[name][column], "kind": kind}
        for name, column, rows, kind in found
        for row in np.sort(rows)
    ]
    # Copies come last, directly below their originals, and move the lines of the rows below them.
    originals = np.sort(with_score[twelve:])
    for item in dirty:
        if item["file"] == "diary.csv":
            item["line"] += int((originals < item["line"] - 2).sum())
    order = np.sort(np.concatenate([np.arange(len(diary)), originals]), kind="stable")
    tables["diary"] = diary.iloc[order].reset_index(drop=True)
    dirty += [
        {"file": "diary.csv", "line": int(row) + 3 + shift, "column": None, "kind": "duplicate"}
        for shift, row in enumerate(originals)
    ]
    return sorted(dirty, key=lambda item: (item["file"], item["line"]))


def _estimands(counts: Ints, without: Ints, lost: Bools) -> dict[str, float | None]:
    """Summarise what happened to all who started, with every day known.

    A statistic that the clinic is too small for, or too uniform, is None.
    """
    before, after, untreated = counts[:, 1], counts[:, 4], without[:, 4]
    change = after - before
    several = len(before) > 1
    varied = several and before.std() > 0 and after.std() > 0
    return {
        "baseline_mean": float(before.mean()),
        "baseline_sd": float(before.std(ddof=1)) if several else None,
        "post_mean": float(after.mean()),
        "r": float(np.corrcoef(before, after)[0, 1]) if varied else None,
        "change_mean": float(change.mean()),
        "change_sd": float(change.std(ddof=1)) if several else None,
        "change_without_treatment_mean": float((untreated - before).mean()),
        "effect_mean": float((after - untreated).mean()),
        "responders_50": float((2 * after <= before).mean()),
        "responders_50_without_treatment": float((2 * untreated <= before).mean()),
        "lost": float(lost.mean()),
    }


def _treat(course: Course, effect: Floats, exposure: Floats, shift: Floats, p: Parameters) -> Bools:
    """Live the course again from day 0 on, under treatment, from the same draws."""
    start = -FIRST_DAY
    treated = _chain(
        _expit(course.logit[:, start:] + effect[:, None] * exposure[:, start:] + shift[:, None]),
        course.uniform[:, start:],
        p["natural_course.day_lag1"],
        course.headache[:, start - 1],
    )
    return np.concatenate([course.headache[:, :start], treated], axis=1)


def _regroup(
    rng: np.random.Generator, people: _People, p: Parameters
) -> tuple[_People, dict[str, Any]]:
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


def _fill_outlier(rng: np.random.Generator, people: _People, p: Parameters) -> _People:
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


def _shift_outlier(
    people: _People, course: Course, effect: Floats, exposure: Floats, p: Parameters
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
    wanted = _expit(logit).mean() + days / WINDOW
    if not own.any() or wanted >= 1:
        raise ConfigError("nobody can have so many more headache days; lower the outlier's")
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _expit(logit + middle).mean() < wanted else (low, middle)
    shift[own] = low
    return shift


def _leave(rng: np.random.Generator, headache: Bools, visits: _Visits, p: Parameters) -> Ints:
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


def _cut(people: _People, visits: _Visits, leaves: Ints) -> tuple[_People, _Visits]:
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


def _empty_check_ups(seed: int, people: _People, p: Parameters) -> pd.DataFrame:
    """Rows of check-ups that did not take place, with 0 for the answer that nobody gave."""
    first, last = p["recall.zero_coded_days"]
    day = _generator(seed, "zeros").integers(first, last + 1, len(people.code))
    lost = np.flatnonzero(people.lost)
    return pd.DataFrame(
        {"person": lost, "day": day[lost], "setting": "in_office", "headache_days_28": 0.0}
    ).assign(patient_id=people.code[lost])


def _fill_diary(diary: pd.DataFrame, people: _People, p: Parameters) -> pd.DataFrame:
    """Fill the diaries of the lost with headache-free days up to the end."""
    end = int(p["diary.zero_filled_until"])
    parts = [diary]
    for i in np.flatnonzero(people.lost):
        days = np.arange(people.last_recorded[i] + 1, end + 1)
        free = {"headache": 0, "attacks": 0.0, "acute_medication": 0.0}
        parts.append(pd.DataFrame({"patient_id": people.code[i], "day": days, **free}))
    filled = pd.concat(parts, ignore_index=True)
    return filled.sort_values(["patient_id", "day"], kind="stable", ignore_index=True)


def _change_unit(
    rng: np.random.Generator, diary: pd.DataFrame, people: _People, p: Parameters
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


def _windows_file(
    rng: np.random.Generator, people: _People, counts: Ints, p: Parameters
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


def _months(
    rng: np.random.Generator, sessions: pd.DataFrame, people: _People, p: Parameters
) -> pd.Series[int]:
    """Count the month of every session from 1; people start on any day of the first months."""
    days = p["visits.start_within_months"] * _DAYS_PER_MONTH
    start = dict(zip(people.code, rng.uniform(0, days, len(people.code)), strict=True))
    since = sessions["patient_id"].map(start) + sessions["day"]
    return 1 + (since // _DAYS_PER_MONTH).astype("int64")


def _remarks(
    rng: np.random.Generator, sessions: pd.DataFrame, p: Parameters
) -> tuple[NDArray[np.object_], str | None]:
    """Write remarks beside sessions; one row holds an identifier if the scenario says so."""
    rows = len(sessions)
    office = (sessions["setting"] == "in_office").to_numpy()
    written = office & (rng.random(rows) < p["remarks.per_session"])
    harmless = np.array(p["remarks.harmless"])[rng.integers(len(p["remarks.harmless"]), size=rows)]
    remarks = _keep_where(written, harmless)
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


def simulate_clinic(
    *,
    n_patients: int = 120,
    seed: int,
    scenario: str = "real_effect",
    parameters: Parameters | None = None,
) -> SimulatedClinic:
    """Make a synthetic clinic.

    Parameters
    ----------
    n_patients
        People who start treatment. About 70 MB of memory for each 1000 of them.
    seed
        Of the generator behind the people and their records (PCG64), and of its children, one for
        each mechanism that only some scenarios have.
    scenario
        `null_rtm` (no treatment effect), `real_effect` or one with a trap; see `scenarios`.
    parameters
        Dotted name -> value, in place of the values in `simulate.yaml`.

    Returns
    -------
    SimulatedClinic

    Notes
    -----
    Headache days follow `natural_course`. Treatment multiplies the odds of a headache day: the
    odds ratio of a person is that of the main technique, with a normal deviation by person and by
    therapist on the log scale, times the share of the full effect reached that day. Days with and
    without treatment come from the same uniform draws, so that `truth` can tell both.

    Entries are missing at random given person, weekday and time, with gaps of several days;
    a day without an entry has no row. People who are lost start out a little worse. Neither loss
    nor gaps depend on how the treatment went, unless the scenario says so.
    """
    if n_patients < 1:
        raise ConfigError("a clinic needs at least one patient")
    p = load_parameters(scenario, parameters)
    rng = np.random.Generator(np.random.PCG64(seed))
    course = natural_course(rng, n_patients, p)
    people, planted = _regroup(_generator(seed, "groups"), _draw_people(rng, course, p), p)
    people = _fill_outlier(_generator(seed, "therapist"), people, p)
    planned = _draw_visits(rng, people, p)
    visits = planned

    exposure = _exposure(people, visits, p)
    odds_ratio = np.array([p[f"treatment.odds_ratio.{t}"] for t in TECHNIQUES])
    by_therapist = rng.normal(0.0, p["treatment.therapist_sd"], len(THERAPISTS))
    effect = np.log(odds_ratio)[people.technique] + by_therapist[people.therapist]
    effect += rng.normal(0.0, p["treatment.person_sd"], n_patients)
    shift = _shift_outlier(people, course, effect, exposure, p)
    headache = _treat(course, effect, exposure, shift, p)
    leaves = _leave(_generator(seed, "dropout"), headache, visits, p)
    if (leaves >= 0).any():
        people, visits = _cut(people, visits, leaves)
        exposure = _exposure(people, visits, p)
        headache = _treat(course, effect, exposure, shift, p)
    planted |= {"left_not_better": int((leaves >= 0).sum())}
    counts, without = _count(headache), _count(course.headache)

    patients = _patients(rng, people, counts[:, :2].mean(axis=1), p)
    points = _draw_points(rng, n_patients, p)
    # Rows are drawn for all planned visits and then cut, so that the draws are the same.
    drawn = replace(planned, last_day=visits.last_day)
    office = _office_sessions(rng, people, drawn, points, headache, exposure, p)
    home = _home_sessions(rng, people, planned, points, p)
    sessions = pd.concat([office, home], ignore_index=True)
    gone = (leaves >= 0) & (visits.last_day < planned.last_day)
    stays = (
        sessions["day"].to_numpy()
        <= np.where(gone, visits.last_day, LAST_DAY)[sessions["person"].to_numpy()]
    )
    sessions = sessions[stays]
    if p["recall.zero_coded"]:
        sessions = pd.concat([sessions, _empty_check_ups(seed, people, p)], ignore_index=True)
        planted["zero_coded_answers"] = int(people.lost.sum())
    sessions["patient_id"] = people.code[sessions.pop("person")]
    tables = {
        "patients": patients,
        "sessions": sessions,
        "diary": _diary(rng, people, headache, exposure, p),
        "questionnaires": _questionnaires(rng, people, visits, counts, p),
    }
    for name, table in tables.items():  # by random code: the order of the rows tells nothing
        keys = [c for c in ("patient_id", "day") if c in table.columns]
        table = table.sort_values(keys, kind="stable", ignore_index=True)
        tables[name] = table[list(COLUMNS[name])]
    if p["diary.zero_filled"]:
        tables["diary"] = _fill_diary(tables["diary"], people, p)
        planted["zero_filled_diaries"] = int(people.lost.sum())
    on_0_100 = _change_unit(_generator(seed, "unit"), tables["diary"], people, p)
    planted["people_on_0_100"] = int(on_0_100.sum())
    if p["windows_file.kept"]:
        generator = _generator(seed, "windows_file")
        tables["windows"] = _windows_file(generator, people, counts, p)
        planted["zero_coded_windows"] = int(people.lost.sum()) * int(p["windows_file.zero_coded"])
    if p["visits.start_within_months"]:
        tables["sessions"]["month"] = _months(
            _generator(seed, "calendar"), tables["sessions"], people, p
        )
    if p["remarks.kept"]:
        remarks, kind = _remarks(_generator(seed, "remarks"), tables["sessions"], p)
        tables["sessions"]["remark"] = remarks
        planted["identifier"] = kind
    dirty = _add_errors(rng, tables, p)

    order = np.argsort(people.code)
    per_person: dict[str, NDArray[Any]] = {
        "patient_id": people.code,
        "log_odds": course.log_odds.round(6),
        "technique": np.array(TECHNIQUES)[people.technique],
        "therapist": np.array(THERAPISTS)[people.therapist],
        "effect_log_odds": (p["treatment.enabled"] * effect).round(6) + 0.0,
        "homework_adherent": people.adherent,
        "intensity_on_0_100": on_0_100,
        "left_not_better": leaves >= 0,
        "lost": people.lost,
        "stopped_visits": people.stopped,
        "last_recorded_day": people.last_recorded,
        "last_session_day": visits.last_day,
        **{f"days_{w}": counts[:, j] for j, w in enumerate(WINDOWS)},
        **{f"days_{w}_without_treatment": without[:, j] for j, w in enumerate(WINDOWS) if j > 1},
    }
    truth: dict[str, Any] = {
        "scenario": scenario,
        "seed": seed,
        "n_patients": n_patients,
        "parameters": p,
        "therapist_log_odds": {
            t: float(p["treatment.enabled"] * by_therapist[j].round(6)) + 0.0
            for j, t in enumerate(THERAPISTS)
        },
        "estimands": _estimands(counts, without, people.lost),
        "planted": planted,
        "dirty_rows": dirty,
        "people": {name: value[order].tolist() for name, value in per_person.items()},
    }
    return SimulatedClinic(tables, truth)


_Mask = Callable[[pd.DataFrame], "pd.Series[bool]"]


def _on_headache_days(table: pd.DataFrame) -> pd.Series[bool]:
    return table["headache"] == 1


def _in_office(table: pd.DataFrame) -> pd.Series[bool]:
    return table["setting"] == "in_office"


_UNKNOWN: dict[str, dict[str, _Mask]] = {
    "patients": {"chronicity_years": lambda table: table["patient_id"].notna()},
    "sessions": {
        "minutes": _in_office,
        "soreness_days": _in_office,
        "soreness_how": _in_office,
        "water_cups": _in_office,
    },
    "diary": {
        "intensity": _on_headache_days,
        "duration_hours": _on_headache_days,
        "acute_medication": _on_headache_days,
    },
    "questionnaires": {},
}
"""Where an empty value is one that nobody knows (NA); elsewhere it does not apply (blank)."""


def _as_text(values: pd.Series[Any], codes: Mapping[str, str] | None) -> pd.Series[str]:
    own = {canonical: code for code, canonical in (codes or {}).items()}
    text = {}
    for value in values.dropna().unique():
        # Numbers are whole or halves; `g` writes them as people do, 4 and 4.5.
        text[value] = own.get(value, value) if isinstance(value, str) else f"{value:.10g}"
    return values.map(text).astype("object")


def write_clinic(simulated: SimulatedClinic, folder: Path | str, *, truth: bool = False) -> None:
    """Write a synthetic clinic as its own files, byte for byte the same every time.

    `patients.csv`, `sessions.csv`, `diary.csv` and `questionnaires.csv`, and `windows.csv` where
    the scenario has it, carry the clinic's own column names and codes (`COLUMNS`, `CODES`,
    `clinic_files`; for the pipeline `describe_clinic`). An empty cell does not apply (the
    intensity of a day without headache); `NA` is not known.

    Parameters
    ----------
    simulated
        Of `simulate_clinic`.
    folder
        Made where it does not exist; files of these names are replaced.
    truth
        Also write `truth.json`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in simulated.tables.items():
        written = {}
        for canonical, own in {**COLUMNS.get(name, {}), **_MORE.get(name, {})}.items():
            if canonical not in table.columns:
                continue
            cells = _as_text(table[canonical], CODES.get(name, {}).get(canonical))
            cells = cells.where(table[canonical].notna(), "")
            if canonical in _UNKNOWN.get(name, {}):
                unknown = table[canonical].isna() & _UNKNOWN[name][canonical](table)
                cells = cells.where(~unknown, "NA")
            written[own] = cells
        text = pd.DataFrame(written).to_csv(index=False, lineterminator="\n")
        (folder / f"{name}.csv").write_bytes(text.encode("utf-8"))
    if truth:
        text = json.dumps(simulated.truth, indent=1, sort_keys=True) + "\n"
        (folder / "truth.json").write_bytes(text.encode("utf-8"))


def write_settings(simulated: SimulatedClinic, folder: Path | str) -> bool:
    """Write the `clinic.yaml` of a synthetic clinic, unless the folder has one.

    Returns
    -------
    bool
        Whether it was written.
    """
    import yaml

    path = Path(folder).resolve() / "clinic.yaml"
    if path.exists():
        return False
    name = re.sub(r"[^a-z0-9_]+", "_", path.parent.name.lower()) or "synthetic"
    text = yaml.safe_dump(describe_clinic(simulated, name), sort_keys=False, allow_unicode=True)
    path.write_bytes(text.encode("utf-8"))
    return True
