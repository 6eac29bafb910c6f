"""Measure how often the funnel flags a therapist: one who is 5 days off, and nobody.

python benchmarks/therapists.py [--clinics 1000] [--runs 200] [--part normal people scenario]

Prints three tables. `normal` draws therapists' means from normal distributions and holds them
against each other (`judge_units`). `people` takes people of simulated clinics with their diaries
and gaps, gives thirty to each therapist at random, moves the days after of one therapist's people
by 5, and goes through case mix and all (`build_funnel`). `scenario` takes simulated clinics of 150
people through everything that the audit does for its funnel: `therapist_outlier`, where the
therapist of 30 has 5 days more, and `real_effect`, where nobody does, with its five therapists and
with its people given to 8 or 12 at random. Seeded; about 10 minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from headway.config.clinic import Clinic

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]

from traps import write_settings  # noqa: E402

from headway import simulate, tables  # noqa: E402
from headway.outcomes.care.funnel import (  # noqa: E402
    USUAL_ICC,
    build_funnel,
    describe_baseline,
    judge_units,
    pair_widely,
)
from headway.outcomes.change import windows as windows_of  # noqa: E402
from headway.outcomes.change.cohort import label_groups  # noqa: E402

SEED = 20261126
THERAPISTS = (5, 8, 12)
PEOPLE = 30
SHIFT = 5.0
SPREAD = 5.03  # of an untreated change in 3 months (Vickers 2004, usual care)
BETWEEN = (0.0, 0.4)  # true spread between therapists, days
OUTLIER = "T2"
DAYS = "headache days per 28"
NO_ERRORS = {
    f"errors.{name}": 0
    for name in ("duplicate_diary_rows", "intensity_twelve", "negative_minutes", "unknown_patient")
}


def draw_means(rng: np.random.Generator, k: int, between: float, shift: float) -> np.ndarray:
    """Find the flags of k therapists, the first of whom is off by `shift`."""
    y = rng.normal(0, np.sqrt(SPREAD**2 / PEOPLE + between**2), k)
    y[0] += shift
    df = k * (PEOPLE - 1)
    sd = SPREAD * np.sqrt(rng.chisquare(df) / df)
    usual = sd**2 * USUAL_ICC / (1 - USUAL_ICC)
    return judge_units(y, np.full(k, sd / np.sqrt(PEOPLE)), df, usual=usual).flag


class Clinics:
    """Simulated clinics by way of their diaries; clinic.yaml is the scenarios' own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: Clinic | None = None

    def take(
        self, seed: int, scenario: str, n: int
    ) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
        """Pairs, therapist and baseline of each person, as the audit makes them."""
        made = simulate.simulate_clinic(
            n_patients=n, seed=seed, scenario=scenario, parameters=NO_ERRORS
        )
        if self.settings is None:
            self.settings = write_settings(self.folder, made)
        days = self.folder / "days.parquet"
        tables.write_parquet(tables.conform("days", made.tables["diary"], check=False), days)
        sessions = made.tables["sessions"]
        patients = tables.conform("patients", made.tables["patients"], check=False)
        courses = windows_of.find_courses(sessions, self.settings.course.gap_weeks)
        primary = windows_of.list_comparisons(self.settings, {"diary", "visit"})[0]
        wide = pair_widely(days, self.settings, primary, courses, threads=1)
        assert wide is not None
        pairs = wide.pairs[wide.pairs["outcome"] == "frequency"]
        starters = pd.Index(sorted(sessions["patient_id"].unique()), name="patient_id")
        groups = label_groups(sessions, patients, tables.empty("windows"), starters)
        return pairs, groups["therapist"], describe_baseline(pairs, patients)


def draw_people(
    rng: np.random.Generator, people: pd.DataFrame, baseline: pd.DataFrame, k: int, shift: float
) -> np.ndarray:
    """Find the flags of k therapists with thirty people each, the first off by `shift`."""
    own = people.iloc[rng.choice(len(people), k * PEOPLE, replace=False)].copy()
    code = np.repeat(np.arange(k), PEOPLE)
    own["post"] += shift * (code == 0)
    who = pd.Series([f"T{c:02}" for c in code], index=own["patient_id"])
    return build_funnel(own, who, baseline, outcome="frequency", unit=DAYS)["flag"].to_numpy()


def deal(rng: np.random.Generator, therapist: pd.Series, k: int) -> pd.Series:
    """Give everyone who started to one of k therapists at random, as many to each."""
    code = rng.permutation(np.arange(len(therapist)) % k)
    return pd.Series([f"T{c:02}" for c in code], index=therapist.index)


def report(name: str, flags: list[np.ndarray], clean: list[np.ndarray]) -> None:
    """Print one line: the one who is off, any other beside that one, anybody where nobody is."""
    hit, others = ("-", "-")
    if flags:
        hit = f"{100 * np.mean([f[0] for f in flags]):.1f}"
        others = f"{100 * np.mean([f[1:].any() for f in flags]):.1f}"
    wrong = 100 * np.mean([f.any() for f in clean])
    print(f"{name:44} {hit:>6} {others:>8} {wrong:8.1f}", flush=True)


def judge_clinics(
    clinics: Clinics, seeds: range
) -> tuple[list[np.ndarray], list[float], dict[int, list[np.ndarray]]]:
    """Find the flags in clinics of 150 people with an outlier, his people, and flags without one.

    The outlier's flag comes first; without one the flags are by the number of therapists.
    """
    flags, n = [], []
    clean: dict[int, list[np.ndarray]] = {k: [] for k in THERAPISTS}
    for seed in seeds:
        pairs, who, baseline = clinics.take(seed, "therapist_outlier", 150)
        table = build_funnel(pairs, who, baseline, outcome="frequency", unit=DAYS)
        own = (table["therapist"] == OUTLIER).to_numpy()
        flag = table["flag"].to_numpy()
        flags.append(np.concatenate([flag[own], flag[~own]]))
        n.append(float(table.loc[own, "n"].iloc[0]))
        pairs, who, baseline = clinics.take(seed, "real_effect", 150)
        rng = np.random.default_rng(seed)
        for k in THERAPISTS:
            dealt = who if k == THERAPISTS[0] else deal(rng, who, k)
            table = build_funnel(pairs, dealt, baseline, outcome="frequency", unit=DAYS)
            clean[k].append(table["flag"].to_numpy())
    return flags, n, clean


def main() -> None:
    """Run the tables that are asked for."""
    parts = ("normal", "people", "scenario")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--clinics", type=int, default=1000)
    parser.add_argument("--part", nargs="+", choices=parts, default=parts)
    wanted = parser.parse_args()
    print(f"{'percent of clinics':44} {'5 off':>6} {'another':>8} {'clean':>8}")
    if "normal" in wanted.part:
        rng = np.random.default_rng(SEED)
        for between in BETWEEN:
            for k in THERAPISTS:
                flags, clean = (
                    [draw_means(rng, k, between, s) for _ in range(10 * wanted.runs)]
                    for s in (SHIFT, 0.0)
                )
                report(f"normal, {k} therapists, between {between:g}", flags, clean)
    with tempfile.TemporaryDirectory() as folder:
        clinics = Clinics(Path(folder))
        if "people" in wanted.part:
            rng = np.random.default_rng(SEED)
            people, _, baseline = clinics.take(SEED, "real_effect", 3000)
            for k in THERAPISTS:
                flags, clean = (
                    [draw_people(rng, people, baseline, k, s) for _ in range(wanted.runs)]
                    for s in (SHIFT, 0.0)
                )
                report(f"simulated people, {k} therapists", flags, clean)
        if "scenario" in wanted.part:
            hits, n, wrong = judge_clinics(clinics, range(SEED, SEED + wanted.clinics))
            for k in THERAPISTS:
                report(
                    f"clinics of 150, {k} therapists", hits if k == THERAPISTS[0] else [], wrong[k]
                )
            print(f"of the outlier's {PEOPLE} people {np.mean(n):.1f} enter")


if __name__ == "__main__":
    main()
