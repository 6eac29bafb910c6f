"""The rules, the settings, and a data folder elsewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

RULES = {
    match[1]: match[2]
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk"))
    for match in re.finditer(r"^rule (\w+):\n((?:    .*\n|\n)+)", path.read_text(), flags=re.M)
}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the workflow of the repository copied to `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--logger", "headway", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory, repo_root) -> Path:
    """Copy the repository without its data to a folder with a space."""
    folder = tmp_path_factory.mktemp("with space") / "a copy"
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("workflow", "src", "config", "notebooks"):
        shutil.copytree(repo_root / name, folder / name, ignore=skip)
    for name in ("Snakefile", "environment.yml", "requirements.lock"):
        shutil.copy(repo_root / name, folder)
    return folder


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory, repo_root) -> Path:
    """Make a data folder far from the repository, with one small clinic."""
    from headway.simulate import simulate_clinic, write_clinic

    folder = tmp_path_factory.mktemp("else where")
    clinic = folder / "data" / "raw" / "clinics" / "mine"
    write_clinic(simulate_clinic(n_patients=40, seed=1), clinic)
    text = (repo_root / "data/raw/clinics/demo/clinic.yaml").read_text()
    text = re.sub(r"^id: demo$", "id: mine", text, flags=re.M)
    (clinic / "clinic.yaml").write_text(f"{text}\nbootstrap: {{replicates: 200}}\n")
    return folder


def settings(elsewhere: Path) -> list[str]:
    """Point the workflow at the folder elsewhere."""
    return ["--config", f"data_dir={elsewhere / 'data'}", f"results_dir={elsewhere / 'results'}"]


def test_there_are_rules():
    assert {"ingest_clinic", "analyse_review", "notebook", "index"} <= set(RULES)


@pytest.mark.parametrize("name", sorted(RULES))
@pytest.mark.parametrize("directive", ["log", "conda", "message", "script", "params"])
def test_every_rule_has(name, directive):
    assert re.search(rf"^    {directive}:", RULES[name], flags=re.M)


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_rule_names_its_script_and_the_digest_of_it(name, repo_root):
    script = re.search(r'"\.\./scripts/(\w+\.py)"', RULES[name])[1]
    assert (repo_root / "workflow" / "scripts" / script).is_file()
    assert f'code=digest("{script}")' in RULES[name]
    assert '"../../environment.yml"' in RULES[name]


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_job_has_a_log_of_its_own(name):
    wildcards = set(re.findall(r"\{\{?(review|clinic|notebook)\}", RULES[name].split("log:")[0]))
    log = re.search(r'log:\n\s+"(.+)"', RULES[name])[1]
    assert set(re.findall(r"\{(\w+)\}", log)) == wildcards
    assert log.startswith(f"logs/{name}")


def test_every_script_logs_through_run(repo_root):
    for path in (repo_root / "workflow" / "scripts").glob("[a-z]*.py"):
        text = path.read_text()
        assert "from _job import run" in text
        assert ("private=True" in text) == path.stem.endswith("_clinic")


def test_lint_is_clean(copy):
    done = run(copy, "--lint")
    assert "Congratulations, your workflow is in a good condition!" in done.stdout + done.stderr
    assert done.returncode == 0


def test_unknown_setting_is_one_clear_message(copy):
    done = run(copy, "-n", "--config", "clinic=all")
    assert done.returncode != 0
    assert done.stdout + done.stderr == (
        "headway: config.yaml (or --config) does not keep to its schema\n"
        "  - config.yaml: 'clinic' is not known [unknown_key] What to do: "
        "did you mean 'clinics'?\n"
    )


def test_unknown_source_is_one_clear_message(copy, elsewhere):
    done = run(copy, "-n", *settings(elsewhere), "clinics=[nowhere]")
    assert done.returncode != 0
    assert done.stdout + done.stderr == (
        "headway: config.yaml names sources that do not exist\n"
        "  - config.yaml, column 'clinics': 'nowhere' is not below raw/clinics [unknown_source] "
        "What to do: known: mine\n"
    )


@pytest.fixture(scope="module")
def built(copy, elsewhere) -> subprocess.CompletedProcess[str]:
    """Run everything on the data elsewhere."""
    return run(copy, *settings(elsewhere))


def test_data_elsewhere_are_run_to_the_index(built, copy, elsewhere):
    done = built
    assert done.returncode == 0, done.stderr
    results = elsewhere / "results"
    assert (results / "index.html").is_file()
    assert (results / "clinics" / "mine" / "audit.html").is_file()
    assert "mine: windows, change, cohort" in done.stderr
    assert not (copy / "results").exists()
    assert not (copy / "data").exists()
    inputs = json.loads((results / "provenance.json").read_text())["inputs"]
    assert "raw/clinics/mine/clinic.yaml" in inputs


def test_refused_clinic_ends_the_run_after_the_others(built, copy, elsewhere):
    """Only what the new clinic brings is done."""
    folder = elsewhere / "data" / "raw" / "clinics" / "leaky"
    folder.mkdir()
    (folder / "clinic.yaml").write_text(
        "schema_version: 1\nid: leaky\ntitle: A leaky clinic\nsource: made up\nlicence: none\n"
        "files:\n  diary:\n    path: diary.csv\n    columns: {patient_id: code, day: day, "
        "headache: headache}\n"
    )
    (folder / "diary.csv").write_text(
        "code,day,headache,email\n" + "".join(f"p{i},{i},1,p{i}@example.org\n" for i in range(9))
    )
    done = run(copy, *settings(elsewhere), "clinics=[leaky,mine]")
    assert done.returncode != 0
    assert "mine: windows" not in done.stderr
    assert "FAILED is any source refused?" in done.stderr
    assert "these sources were refused:\nleaky:" in re.sub(r"\n +", "\n", done.stderr)
    assert "@example.org" not in done.stderr
    assert "leaky" in (elsewhere / "results" / "index.html").read_text()
    status = json.loads((elsewhere / "data/processed/clinics/leaky/status.json").read_text())
    assert status["state"] == "refused"
