"""Simulated clinics taken through the path, for tests of disclosure control."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pandas as pd
import yaml

from headway import config, simulate, tables
from headway.config.clinic import Clinic
from headway.disclosure import PRESETS, release
from headway.ingest import clinics
from headway.outcomes import audit
from headway.outcomes.change import cohort
from tests.unit.clinic_builder import ANY_LOSS


@cache
def arms() -> pd.DataFrame:
    """Make published arms for the benchmark: numbers that a trial could print."""
    rows = []
    for i, kind in enumerate(("waiting_list", "usual_care", "sham")):
        common = {
            "trial": f"Trial {2000 + i}",
            "year": 2000 + i,
            "condition": "migraine",
            "arm": kind,
        }
        common |= {"role": "control", "comparator": kind, "outcome": "frequency", "n": 60.0}
        common |= {"unit": "days_per_28", "unit_printed": "days_per_28", "kind": "final"}
        common |= {"timepoint": "12 weeks", "time_days": 84.0, "mean": 11.3 - i, "sd": 5.2}
        common |= {"baseline_n": 60.0, "baseline_mean": 12.4, "baseline_sd": 5.1}
        common |= {"status": "retrieved", "source": "table 2", "file": "arms.csv", "line": i + 2}
        rows.append(common)
    return tables.conform("arms", pd.DataFrame(rows))


def add_months(path: Path, people: int) -> None:
    """Write a month beside every session: people start over as many months as fill with 15."""
    sessions = pd.read_csv(path, dtype=str)
    start = pd.factorize(sessions["code"])[0] % max(people // 15, 2)
    sessions["month"] = (1 + start + sessions["visit_day"].astype(int) // 30).astype(str)
    sessions.to_csv(path, index=False)


@cache
def simulated(
    people: int, seed: int, scenario: str = "real_effect"
) -> tuple[Clinic, dict[str, pd.DataFrame]]:
    """Take a simulated clinic through its real path, up to disclosure control.

    Months and published arms are added, so that no released table is empty.

    Returns clinic.yaml with its defaults, and the tables.
    """
    folder = Path(mkdtemp()) / "clinic"
    made = simulate.simulate_clinic(n_patients=people, seed=seed, scenario=scenario)
    simulate.write_clinic(made, folder)
    add_months(folder / "sessions.csv", people)
    files = simulate.clinic_files()
    sessions = files["sessions"]["columns"]
    own = [k for k in sessions if k not in tables.TABLES["sessions"].columns]
    files["sessions"]["drop"] = [sessions.pop(k) for k in own]
    sessions["month"] = "month"
    document = {
        "schema_version": 1,
        "id": "clinic",
        "title": "Test",
        "source": "simulated",
        "licence": "none",
        "disclosure": "internal",
        "files": files,
        "bootstrap": {"replicates": 200, "seed": 1},
    }
    (folder / "clinic.yaml").write_text(yaml.safe_dump(document))
    clinic = config.load_clinic(folder)
    flow = clinics.ingest_clinic(folder, clinic, folder.parent / "out").as_flow()
    found = audit.audit_clinic(folder.parent / "out", clinic, arms())
    found["flow"] = cohort.join_flow(tables.conform("flow", pd.DataFrame(flow)), found["flow"])
    return clinic, {name: found[name] for name in tables.RELEASED}


# The clinic that the tests of disclosure control share: people, seed, scenario.
CLINIC = (40, 6, "small_cells")


@cache
def printed(preset: str, clinic: tuple[int, int, str] = CLINIC) -> dict[str, pd.DataFrame]:
    """Release a simulated clinic's tables, once for all tests; nobody may change them."""
    return release(simulated(*clinic)[1], PRESETS[preset])


@cache
def scenario(
    name: str, people: int = 150, seed: int = 1, earlier: bool = True
) -> tuple[Clinic, dict[str, pd.DataFrame]]:
    """Take a clinic of a scenario through its real path, as its own clinic.yaml describes it.

    Without `earlier` the diary begins 28 days before treatment. Imputation and the multiverse are
    small: pages are looked at, not numbers.
    """
    folder = Path(mkdtemp()) / "clinic"
    made = simulate.simulate_clinic(n_patients=people, seed=seed, scenario=name)
    if not earlier:
        diary = made.tables["diary"]
        made.tables["diary"] = diary[diary["day"] >= -28].reset_index(drop=True)
    simulate.write_clinic(made, folder)
    document = simulate.describe_clinic(made, "clinic") | {
        "bootstrap": {"replicates": 200, "seed": 1},
        "sensitivity": {
            "imputations": 2,
            "cycles": 2,
            "completeness": [20],
            "headache_hours": [0.5],
        },
    }
    if name == "unit_mix":  # the trap is to be seen, and not the refusal for what it loses
        columns = document["files"]["diary"]["columns"]
        columns["intensity"] = {**columns["intensity"], "loss": ANY_LOSS}
    (folder / "clinic.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    clinic = config.load_clinic(folder)
    flow = clinics.ingest_clinic(folder, clinic, folder.parent / "out").as_flow()
    found = audit.audit_clinic(folder.parent / "out", clinic)
    found["flow"] = cohort.join_flow(tables.conform("flow", pd.DataFrame(flow)), found["flow"])
    return clinic, {name: found[name] for name in tables.RELEASED}
