"""Simulated clinics taken through the path, for tests of disclosure control."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pandas as pd
import yaml

from headway import config, simulate, tables
from headway.ingest import clinics
from headway.outcomes import audit, cohort


@cache
def simulated(people: int, seed: int) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Take a simulated clinic through its real path, up to disclosure control.

    Returns clinic.yaml with its defaults, and the tables.
    """
    folder = Path(mkdtemp()) / "clinic"
    made = simulate.simulate_clinic(n_patients=people, seed=seed, scenario="real_effect")
    simulate.write_clinic(made, folder)
    files = simulate.clinic_files()
    sessions = files["sessions"]["columns"]
    own = [k for k in sessions if k not in tables.TABLES["sessions"].columns]
    files["sessions"]["drop"] = [sessions.pop(k) for k in own]
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
    found = audit.audit_clinic(folder.parent / "out", clinic)
    found["flow"] = cohort.join_flow(tables.conform("flow", pd.DataFrame(flow)), found["flow"])
    return clinic, {name: found[name] for name in tables.RELEASED}


@cache
def scenario(
    name: str, people: int = 150, seed: int = 1, earlier: bool = True
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
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
    (folder / "clinic.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    clinic = config.load_clinic(folder)
    flow = clinics.ingest_clinic(folder, clinic, folder.parent / "out").as_flow()
    found = audit.audit_clinic(folder.parent / "out", clinic)
    found["flow"] = cohort.join_flow(tables.conform("flow", pd.DataFrame(flow)), found["flow"])
    return clinic, {name: found[name] for name in tables.RELEASED}
