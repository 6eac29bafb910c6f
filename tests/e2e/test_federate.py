"""Three simulated clinics, each audited and exported by itself, and pooled by the program."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from headway import meta
from headway.tables import read_csv
from tests.conftest import ROOT

pytestmark = pytest.mark.e2e

CLINICS = {"east": 3, "north": 1, "south": 2}


def headway(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "headway", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def declare(folder: Path, **settings: object) -> None:
    """Change keys of a clinic.yaml; few ways to count, so that its audit is quick."""
    document = yaml.safe_load((folder / "clinic.yaml").read_text(encoding="utf-8"))
    ways = {"imputations": 2, "cycles": 1, "completeness": [20], "headache_hours": [0.5]}
    document |= {"sensitivity": ways, "bootstrap": {"replicates": 200, "seed": 1}, **settings}
    (folder / "clinic.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")


def audit_and_export(home: Path, name: str) -> Path:
    for command in (["audit", name, "--cores", "1"], ["export", name, "--to", "../summaries"]):
        done = headway(home, *command)
        assert done.returncode == 0, done.stderr
    path = home.parent / "summaries" / f"{name}.json"
    assert path.is_file() and path.stat().st_size < 50_000
    return path


def test_clinics_that_keep_their_records_are_pooled(tmp_path: Path) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    y, v = [], []
    for name, seed in CLINICS.items():
        home = tmp_path / name  # a clinic knows nothing of the others
        raw = home / "data" / "raw" / "clinics" / name
        words = ("simulate", str(raw), "--patients", "60", "--seed", str(seed))
        home.mkdir()
        assert headway(home, *words).returncode == 0
        declare(raw, disclosure="public")
        path = audit_and_export(home, name)
        codes = (raw / "patients.csv").read_text(encoding="utf-8").splitlines()[1:]
        text = path.read_text(encoding="utf-8")
        assert not [line for line in codes if f'"{line.split(",")[0]}"' in text]
        cohort = read_csv("cohort", home / "results" / "clinics" / name / "cohort.csv")
        own = cohort[cohort["primary"]].set_index("statistic")
        y.append(own.loc["change_mean", "estimate"])
        v.append(own.loc["change_sd", "estimate"] ** 2 / own.loc["change_mean", "n"])
    done = headway(pool, "federate", "../summaries")
    assert done.returncode == 0, done.stderr
    results = pool / "results" / "registry"
    row = read_csv("registry", results / "registry.csv")
    row = row[row["primary"] & row["measure"].eq("MC")].iloc[0]
    fit = meta.pool(y, v)
    for column in ("estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high", "tau2", "q"):
        # 12 digits are written.
        assert row[column] == pytest.approx(getattr(fit, column), rel=1e-11, abs=1e-12), column
    assert "No clinic rounded or withheld a number" in done.stdout
    assert {p.name for p in (results / "figures").iterdir()} >= {"forest.svg", "funnel.svg"}

    # One clinic hides and rounds: the loss is said. What it has printed exactly before would be
    # withheld, so its earlier release is forgotten.
    raw = tmp_path / "south" / "data" / "raw" / "clinics" / "south"
    shutil.rmtree(raw / ".releases")
    declare(raw, disclosure="opensafely", gate={"k": 1})
    summary = json.loads(audit_and_export(tmp_path / "south", "south").read_text(encoding="utf-8"))
    assert summary["disclosure"]["preset"] == "opensafely" and summary["disclosure"]["withheld"]
    done = headway(pool, "federate", "../summaries")
    assert done.returncode == 0, done.stderr
    assert "rounded the numbers of one clinic. Numbers withheld in all: " in done.stdout
    row = read_csv("registry", results / "registry.csv")
    row = row[row["primary"] & row["measure"].eq("MC")].iloc[0]
    assert row["k"] == 3 and row["loss_low"] <= fit.estimate <= row["loss_high"]

    # One clinic counts from another window: nothing is pooled until somebody chooses.
    raw = tmp_path / "east" / "data" / "raw" / "clinics" / "east"
    windows = yaml.safe_load((raw / "clinic.yaml").read_text(encoding="utf-8")).get("windows", {})
    named = {"baseline": {"from": -28, "to": -1}, "post": {"from": 28, "to": 55}}
    declare(
        raw,
        windows={**windows, "named": named},
        comparisons=[{"id": "primary", "pre": "baseline", "post": "post", "primary": True}],
    )
    audit_and_export(tmp_path / "east", "east")
    done = headway(pool, "federate", "../summaries")
    assert done.returncode == 13
    assert "`windows.post` is" in done.stderr and "in clinic east" in done.stderr
    done = headway(pool, "federate", "../summaries", "--definitions-of", "north")
    assert done.returncode == 13
    said = read_csv("contributions", results / "contributions.csv").set_index("clinic")["state"]
    assert said.to_dict() == {"east": "refused", "north": "pooled", "south": "pooled"}
