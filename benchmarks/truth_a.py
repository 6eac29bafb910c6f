"""World A of the truth report: clinics of `headway.simulate`, and trials by the textbook.

Clinics are those of `simulate_clinic` (a logistic model with drift, days that persist, gaps of
several days in the diary). Trials have normal effects and normal means, their variances are
chi-squared, and relapses come at a constant rate.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.simulate import DAYS, WINDOWS, simulate_clinic

Array = NDArray[np.float64]
Raw = dict[str, Any]
Rng = np.random.Generator

NAME = "A"
MEAN = 0.3
CHUNK = 1000  # people simulated at a time
RATE = 1 / 8  # of relapses in a window
# People are drawn one by one; what those of one therapist share would be drawn once a chunk.
PARAMETERS = {"treatment.therapist_sd": 0.0} | {
    f"errors.{name}": 0
    for name in ("duplicate_diary_rows", "intensity_twelve", "negative_minutes", "unknown_patient")
}


# --- people ---------------------------------------------------------------------------------------


def draw_people(rng: Rng, n: int) -> Raw:
    """Draw everyone who starts at a clinic, with what happened and what was recorded."""
    parts = [
        _draw_chunk(int(rng.integers(2**31)), min(CHUNK, n - done)) for done in range(0, n, CHUNK)
    ]
    sizes = np.cumsum([0, *(len(part["lost"]) for part in parts)])
    for part, start in zip(parts, sizes, strict=False):
        part["visit_person"] = part["visit_person"] + start
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _draw_chunk(seed: int, n: int) -> Raw:
    made = simulate_clinic(n_patients=n, seed=seed, parameters=PARAMETERS)
    people, diary, visits = made.truth["people"], made.tables["diary"], made.tables["sessions"]
    place = {code: i for i, code in enumerate(people["patient_id"])}
    row = diary["patient_id"].map(place).to_numpy()
    column = diary["day"].to_numpy() - DAYS[0]
    headache, seen = np.zeros((2, n, len(DAYS)), bool)
    intensity = np.full((n, len(DAYS)), np.nan, np.float32)
    headache[row, column] = diary["headache"].to_numpy() == 1
    seen[row, column] = True
    intensity[row, column] = diary["intensity"].to_numpy(dtype=float)
    true = np.column_stack([people[f"days_{w}"] for w in WINDOWS])
    # Before treatment there is one course only.
    alone = [f"days_{w}_without_treatment" if j > 1 else f"days_{w}" for j, w in enumerate(WINDOWS)]
    without = np.column_stack([people[name] for name in alone])
    sex = made.tables["patients"].set_index("patient_id")["sex"].reindex(people["patient_id"])
    visits = visits.assign(person=visits["patient_id"].map(place))
    visits = visits.sort_values(["person", "day"], kind="stable")
    happened = visits["adverse_event"].map(lambda v: float(v != "none"), na_action="ignore")
    asked = visits["soreness_how"] == "asked"
    technique = visits["technique"].map({"wet_needling": 1.0, "dry_needling": 0.0})
    return {
        "true": true,
        "untreated": without,
        "headache": headache,
        "seen": seen,
        "intensity": intensity,
        "lost": np.array(people["lost"], bool),
        "female": (sex == "female").to_numpy(dtype=float),
        "visit_person": visits["person"].to_numpy(),
        "visit_day": visits["day"].to_numpy(),
        "visit_minutes": visits["minutes"].to_numpy(dtype=float),
        "visit_fee": visits["fee"].to_numpy(dtype=float),
        "visit_soreness": visits["soreness_days"].where(asked).to_numpy(dtype=float),
        "visit_event": happened.to_numpy(dtype=float),
        "visit_wet": technique.to_numpy(dtype=float),
        "visit_answer": visits["headache_days_28"].to_numpy(dtype=float),
    }


# --- how long a response lasts ------------------------------------------------------------------


def draw_relapses(rng: Rng, n: int) -> tuple[Array, Array]:
    """Between which ends of windows each relapse lies; a fifth of the windows have no record."""
    time = rng.exponential(1 / RATE, n)
    number = np.arange(1, 9)
    known = (rng.random((n, 8)) >= 0.2) & (number <= rng.integers(1, 13, n)[:, None])
    had = number >= time[:, None]
    left = np.where(known & ~had, number, 0).max(axis=1)
    right = np.where(known & had, number, 9).min(axis=1)
    return left.astype(float), np.where(right > 8, np.inf, right)


def find_free(t: Array) -> Array:
    """Share without relapse at times in windows."""
    return np.asarray(np.exp(-RATE * t))


# --- trials ---------------------------------------------------------------------------------------


def draw_effects(rng: Rng, size: Any, tau2: float) -> Array:
    """Draw true effects, normal."""
    return np.asarray(rng.normal(MEAN, np.sqrt(tau2), size))


def draw_trials(rng: Rng, sets: int, k: int, tau2: float | Array) -> dict[str, Array]:
    """Trials of two arms, by means and SDs; `new` is the true effect of one more per set."""
    spread = np.broadcast_to(np.sqrt(np.asarray(tau2, float)), (sets,))
    n = np.clip(np.round(rng.lognormal(np.log(30), 0.6, (sets, k))), 10, 150)
    effect = rng.normal(MEAN, spread[:, None], (sets, k))
    out: dict[str, Array] = {"true": effect, "new": rng.normal(MEAN, spread)}
    for arm, mean in (("1", effect), ("2", np.zeros((sets, k)))):
        out[f"n{arm}"] = n
        out[f"m{arm}"] = rng.normal(mean, 1 / np.sqrt(n))
        out[f"s{arm}"] = np.sqrt(rng.chisquare(n - 1) / (n - 1))
    return out


def draw_tables(rng: Rng, sets: int, k: int, log_odds_ratio: float) -> dict[str, Array]:
    """Trials of two arms of a hundred people, by events; a risk of 30 % in the control arm."""
    n = np.full((sets, k), 100)
    odds = 3 / 7 * np.exp(log_odds_ratio)
    e1 = rng.binomial(n, odds / (1 + odds))
    return {"e1": e1, "n1": n, "e2": rng.binomial(n, 0.3), "n2": n}


def draw_network(rng: Rng, tau2: float) -> tuple[dict[str, Any], Array]:
    """Arms of 18 trials of five treatments, three of each of six designs; the true effects."""
    truth = np.array([0.0, 0.25, -0.1, 0.4, 0.15])
    designs = ((0, 1), (1, 2), (2, 3), (3, 4), (0, 2), (0, 1, 4))
    trial, arm = [], []
    for i in range(18):
        arms = designs[i % 6]
        trial += [i] * len(arms)
        arm += list(arms)
    place, number = np.array(arm), np.array(trial)
    n = rng.integers(20, 80, 18)[number]
    mean = truth[place] + rng.normal(0, np.sqrt(tau2 / 2 + 1 / n))
    rows = {
        "trial": trial,
        "treatment": [f"t{a}" for a in arm],
        "n": n,
        "mean": mean,
        "sd": np.sqrt(rng.chisquare(n - 1) / (n - 1)),
    }
    return rows, truth


def draw_dependent(rng: Rng) -> tuple[Array, Array, NDArray[np.int64]]:
    """Three effects of each of 12 trials, normal, whose errors correlate by .6."""
    trial = np.repeat(np.arange(12), 3)
    v = rng.uniform(0.02, 0.1, 12)[trial]
    error = np.sqrt(v) * (
        np.sqrt(0.6) * rng.normal(0, 1, 12)[trial] + np.sqrt(0.4) * rng.normal(0, 1, len(trial))
    )
    effect = rng.normal(0, 0.2, 12)[trial] + rng.normal(0, 0.1, len(trial))
    return MEAN + effect + error, v, trial


def draw_between(rng: Rng, k: int, sd: float) -> Array:
    """How clinics or therapists differ: normal, with mean 0."""
    return np.asarray(rng.normal(0, sd, k))
