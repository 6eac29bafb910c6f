"""Measure how often the funnel flags a therapist: one who is 5 days off, and nobody.

python benchmarks/therapists.py [--runs 400]

Prints two tables. The first draws therapists' means from normal distributions and holds them
against each other (`judge_units`). The second takes people of simulated clinics with their diaries
and gaps, gives thirty to each therapist at random, moves the days after of one therapist's people
by 5, and goes through case mix and all (`build_funnel`). Seeded; about 2 minutes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from headway.outcomes.funnel import build_funnel, judge_units
from headway.simulate import simulate_clinic

SEED = 20261126
THERAPISTS = (5, 8, 12)
PEOPLE = 30
SHIFT = 5.0
SPREAD = 5.03  # of an untreated change in 3 months (Vickers 2004, usual care)
BETWEEN = (0.0, 0.4)  # true spread between therapists, days


def draw_means(rng: np.random.Generator, k: int, between: float, shift: float) -> np.ndarray:
    """Find the flags of k therapists, the first of whom is off by `shift`."""
    y = rng.normal(0, np.sqrt(SPREAD**2 / PEOPLE + between**2), k)
    y[0] += shift
    df = k * (PEOPLE - 1)
    sd = SPREAD * np.sqrt(rng.chisquare(df) / df)
    return judge_units(y, np.full(k, sd / np.sqrt(PEOPLE)), df).flag


def collect_people(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Days per 28 before and after of simulated people by their diaries, and what was known."""
    clinic = simulate_clinic(n_patients=3000, seed=seed, scenario="real_effect")
    diary = clinic.tables["diary"].dropna(subset=["headache"])

    def window(first: int, last: int) -> pd.Series:
        own = diary[diary["day"].between(first, last)].groupby("patient_id")["headache"]
        return 28 * own.mean()[own.size() >= 20]

    pre, earlier = window(-28, -1), window(-56, -29)
    pre = pd.concat([pre, earlier.reindex(pre.index)], axis=1).mean(axis=1)
    both = pd.concat({"pre": pre, "post": window(56, 83)}, axis=1).dropna()
    known = clinic.tables["patients"].drop_duplicates("patient_id").set_index("patient_id")
    baseline = both[["pre"]].join(known[["condition", "sex"]])
    for column in ("age", "chronicity_years"):
        baseline[column] = pd.to_numeric(known[column], errors="coerce").reindex(both.index)
    return both.rename_axis("patient_id").reset_index(), baseline


def draw_people(
    rng: np.random.Generator, people: pd.DataFrame, baseline: pd.DataFrame, k: int, shift: float
) -> np.ndarray:
    """Find the flags of k therapists with thirty people each, the first off by `shift`."""
    own = people.iloc[rng.choice(len(people), k * PEOPLE, replace=False)].copy()
    code = np.repeat(np.arange(k), PEOPLE)
    own["post"] += shift * (code == 0)
    who = pd.Series([f"T{c:02}" for c in code], index=own["patient_id"])
    table = build_funnel(own, who, baseline, outcome="frequency", unit="headache days per 28")
    return table["flag"].to_numpy()


def report(name: str, flags: list[np.ndarray], clean: list[np.ndarray]) -> None:
    """Print one line: the one who is off, any other beside that one, anybody where nobody is."""
    hit = np.mean([f[0] for f in flags])
    others = np.mean([f[1:].any() for f in flags])
    wrong = np.mean([f.any() for f in clean])
    print(f"{name:34} {100 * hit:6.1f} {100 * others:8.1f} {100 * wrong:8.1f}")


def main() -> None:
    """Run both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    runs = parser.parse_args().runs
    rng = np.random.default_rng(SEED)
    print(f"{'percent of clinics':34} {'5 off':>6} {'another':>8} {'clean':>8}")
    for between in BETWEEN:
        for k in THERAPISTS:
            flags, clean = (
                [draw_means(rng, k, between, s) for _ in range(10 * runs)] for s in (SHIFT, 0.0)
            )
            report(f"normal, {k} therapists, between {between:g}", flags, clean)
    people, baseline = collect_people(SEED)
    for k in THERAPISTS:
        flags, clean = (
            [draw_people(rng, people, baseline, k, s) for _ in range(runs)] for s in (SHIFT, 0.0)
        )
        report(f"simulated people, {k} therapists", flags, clean)


if __name__ == "__main__":
    main()
