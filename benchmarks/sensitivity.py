"""How far each way to treat the lost is off where the truth is known, and what it costs.

    PYTHONPATH=src python benchmarks/sensitivity.py --seeds 12 --patients 150

Simulated clinics hold every person's true days in every window. Per scenario and row of the table
`sensitivity`: mean and standard deviation over seeds of (estimate - true mean change over all who
started), in headache days per 28. The clinic's own people are the truth, so that only what is
missing and the model err. Then the seconds that the two tables take. Markdown on stdout.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from headway import config, simulate
from headway.ingest import clinics
from headway.outcomes.change import cohort
from headway.outcomes.change import windows as windows_of
from headway.outcomes.expectation import multiverse, sensitivity
from headway.tables import read_parquet

DEMO = Path(__file__).resolve().parents[1] / "data" / "raw" / "clinics" / "demo"
# Missing at random by the simulator's default; then entries three times as likely (odds) on
# headache days, which nothing here can see.
SCENARIOS: dict[str, tuple[str, dict[str, float]]] = {
    "real_effect": ("real_effect", {}),
    "null_rtm": ("null_rtm", {}),
    "real_effect, entries on headache days": (
        "real_effect",
        {"diary.odds_ratio_headache_day": 3.0},
    ),
}
IDS = (
    "complete_pairs",
    "baseline_carried_forward",
    "multiple_imputation",
    "gee_binomial",
    "gee_poisson",
    "mixed_model",
)


def run(name: str, seed: int, patients: int) -> tuple[dict[str, float], dict[str, float]]:
    """Simulate a clinic, build both tables; returns errors per row, and seconds."""
    scenario, parameters = SCENARIOS[name]
    simulated = simulate.simulate_clinic(
        n_patients=patients, seed=seed, scenario=scenario, parameters=parameters
    )
    with tempfile.TemporaryDirectory() as place:
        folder, processed = Path(place) / "clinic", Path(place) / "processed"
        simulate.write_clinic(simulated, folder)
        shutil.copy(DEMO / "clinic.yaml", folder)
        spec = config.load_clinic(folder)
        clinics.ingest_clinic(folder, spec, processed)
        windows = cohort.analyse_clinic(processed, spec)["windows"]
        sessions, people = (
            read_parquet(processed / f"{table}.parquet") for table in ("sessions", "patients")
        )
        starters = cohort.find_starters(processed)
        groups = cohort.label_groups(sessions, people, windows, starters)
        comparisons = windows_of.list_comparisons(spec, set(windows["source"]))
        known = cohort.describe_people(people, windows, groups, comparisons, starters)
        courses = windows_of.find_courses(sessions, spec.course.gap_weeks)
        primary = comparisons[0]
        clock = time.perf_counter()
        table = sensitivity.build_sensitivity(
            windows, starters, primary, spec, known, groups.get("therapist")
        ).set_index("id")
        seconds = {"sensitivity": time.perf_counter() - clock}
        clock = time.perf_counter()
        days = processed / "days.parquet"
        varied = multiverse.vary_diary(days, spec, courses, primary)
        rows = multiverse.build_specifications(windows, starters, primary, spec, known, varied)
        seconds["specifications"] = time.perf_counter() - clock
        seconds["rows"] = float(len(rows))
    truth = simulated.truth["estimands"]["change_mean"]
    errors = {id: float(table.loc[id, "estimate"]) - truth for id in IDS}
    errors["bounds hold the truth"] = float(
        table.loc["bound_low", "estimate"] <= truth <= table.loc["bound_high", "estimate"]
    )
    return errors, seconds


def main() -> None:
    """Run the grid and print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--patients", type=int, default=150)
    options = parser.parse_args()
    spent: dict[str, list[float]] = defaultdict(list)
    print("| scenario | " + " | ".join(IDS) + " | bounds hold the truth |")
    print("|---" * (len(IDS) + 2) + "|")
    for scenario in SCENARIOS:
        found: dict[str, list[float]] = defaultdict(list)
        for seed in range(options.seeds):
            errors, seconds = run(scenario, 500 + seed, options.patients)
            for id, error in errors.items():
                found[id].append(error)
            for name, value in seconds.items():
                spent[name].append(value)
        cells = [f"{np.mean(found[id]):+.2f} ({np.std(found[id], ddof=1):.2f})" for id in IDS]
        held = sum(found["bounds hold the truth"])
        print(f"| {scenario} | " + " | ".join(cells) + f" | {held:.0f} of {options.seeds} |")
    for name, values in spent.items():
        unit = "" if name == "rows" else " s"
        print(f"\n{name}: median {np.median(values):.2f}{unit}, most {max(values):.2f}{unit}")


if __name__ == "__main__":
    main()
