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
        "headway: config.yaml (or --config) does not conform to its schema\n"
        "  - config.yaml: 'clinic' is not known [unknown_key] What to do: "
        "did you mean 'clinics'?\n"
    )


def test_unknown_source_is_one_clear_message(copy, elsewhere):
    done = run(copy, "-n", *settings(elsewhere), "clinics=[nowhere]")
    assert done.returncode != 0
    assert done.stdout + done.stderr == (
        "headway: config.yaml names sources that do not exist\n"
        "  - config.yaml, column 'clinics': 'nowhere' is not in raw/clinics [unknown_source] "
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


SMALL = (
    "schema_version: 1\nid: {name}\ntitle: A small clinic\nsource: made up\nlicence: none\n"
    "synthetic: true\ndisclosure: internal\ncourse: {{start: 0}}\nfiles:\n  diary:\n"
    "    path: '{path}'\n    columns: {{patient_id: code, day: day, headache: head}}\n"
)


def write_small(data: Path, name: str, path: str = "d.csv", headache: int = 1) -> Path:
    """Make a clinic of twelve people; in the same number of bytes, more or less headache."""
    folder = data / "raw" / "clinics" / name
    folder.mkdir(parents=True)
    (folder / "clinic.yaml").write_text(SMALL.format(name=name, path=path))
    days = [*range(-28, 0), *range(56, 84)]
    rows = (f"P{i},{day},{headache if (i + day) % 3 else 0}\n" for i in range(12) for day in days)
    (folder / path).write_text("code,day,head\n" + "".join(rows))
    return folder


@pytest.fixture(scope="module")
def mixed(copy, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Run one clinic among folders that cannot be read."""
    folder = tmp_path_factory.mktemp("mixed")
    data = folder / "data"
    write_small(data, "braces", "d{1} [a]*.csv")
    write_small(data, "My Clinic")
    write_small(data, "a{b}")
    (write_small(data, "bell") / "clinic.yaml").write_text("title: \x07\n")
    twice = write_small(data, "twice") / "clinic.yaml"
    twice.write_text(twice.read_text() + "disclosure: public\n")
    (write_small(data, "forgotten") / "clinic.yaml").rename(folder / "kept.yaml")
    return folder, run(copy, *settings(folder))


def test_folders_that_cannot_be_read_stop_no_other(mixed):
    folder, done = mixed
    text = re.sub(r"\n +", "\n", done.stderr)
    assert done.returncode != 0
    assert "Traceback" not in text
    assert "refused: clinics/My Clinic: a folder's name" in text
    assert "refused: clinics/a{b}: a folder's name" in text
    assert "not read: clinics/forgotten: clinic.yaml is missing" in text
    ended = text[text.index("these sources were refused:") :]
    assert re.findall(r"^([^-\s].*):$", ended, flags=re.M)[1:] == [
        "My Clinic",
        "a{b}",
        "bell",
        "twice",
    ]
    assert (folder / "results" / "clinics" / "braces" / "audit.html").is_file()
    flow = (folder / "data/processed/clinics/braces/account.csv").read_text()
    assert "d{1} [a]*.csv" in flow
    index = (folder / "results" / "index.html").read_text()
    for name in ("My Clinic", "a{b}", "bell", "twice", "forgotten"):
        assert name in index
    assert "rename it, for example to my_clinic" in index
    assert not (folder / "data" / "processed" / "clinics" / "My Clinic").exists()
    (problem,) = json.loads((folder / "data/processed/clinics/bell/status.json").read_text())[
        "problems"
    ]
    assert (problem["file"], problem["line"], problem["rule"]) == ("clinic.yaml", 1, "yaml")


def would_run(copy: Path, folder: Path) -> list[str]:
    """List the jobs that a run would do, beside the last one, which says what is refused."""
    done = run(copy, "-n", *settings(folder))
    found = re.findall(r"^(\w+): ", done.stdout + done.stderr, flags=re.M)
    return sorted(set(found) - {"headway", "nothing_refused"})


def test_the_content_of_a_raw_file_decides(mixed, copy):
    folder, _ = mixed
    file = folder / "data" / "raw" / "clinics" / "braces" / "d{1} [a]*.csv"
    assert would_run(copy, folder) == []
    os.utime(file)
    assert would_run(copy, folder) == []
    text = file.read_text()
    file.write_text(text.replace(",1\n", ",0\n"))
    os.utime(file, (1_500_000_000, 1_500_000_000))
    assert would_run(copy, folder) == ["analyse_clinic", "index", "ingest_clinic", "report_clinic"]
    file.write_text(text)
    assert would_run(copy, folder) == []


def test_a_tree_in_which_every_source_is_refused_has_an_index(copy, tmp_path):
    write_small(tmp_path / "data", "My Clinic")
    (write_small(tmp_path / "data", "bomb") / "clinic.yaml").write_text("a: &a [*a]\n")
    done = run(copy, *settings(tmp_path))
    assert done.returncode != 0
    index = (tmp_path / "results" / "index.html").read_text()
    assert "My Clinic" in index
    assert "bomb" in index


def test_a_fault_of_the_machine_is_tried_again(copy, tmp_path):
    """One clinic cannot be written to; the other is built, and nothing is stored of the first."""
    write_small(tmp_path / "data", "other")
    write_small(tmp_path / "data", "full")
    script = copy / "workflow" / "scripts" / "ingest_clinic.py"
    before = script.read_text()
    fault = "    if folder.name == 'full':\n        raise OSError(28, 'No space', 'days.parquet')\n"
    script.write_text(before.replace("    out = Path(", f"{fault}    out = Path("))
    assert script.read_text() != before
    try:
        done = run(copy, "--keep-going", *settings(tmp_path))
    finally:
        script.write_text(before)
    assert done.returncode != 0
    assert "the machine could not go on: No space left on device: days.parquet" in done.stderr
    assert (tmp_path / "results" / "clinics" / "other" / "audit.html").is_file()
    assert not (tmp_path / "data" / "processed" / "clinics" / "full" / "status.json").exists()
    done = run(copy, *settings(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "full: gate" in done.stderr


def test_marks_of_a_killed_run_are_cleared_and_those_of_a_living_one_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "workflow"))
    monkeypatch.chdir(tmp_path)
    import locks

    monkeypatch.setattr(locks, "_held", [])
    monkeypatch.setattr(locks, "WAIT_S", 0.3)
    mark = tmp_path / ".snakemake" / "locks" / "0.output.lock"
    mark.parent.mkdir(parents=True)
    mark.touch()
    code = (
        f"import sys; sys.path[:0] = {[str(ROOT / 'workflow'), str(ROOT / 'src')]!r}\n"
        "import locks; locks.clear_left_behind(); print('ready', flush=True)"
    )
    for _ in range(2):
        mark.parent.mkdir(exist_ok=True)
        mark.touch()
        with subprocess.Popen(
            [sys.executable, "-c", f"{code}; input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as run:
            assert run.stdout is not None
            assert run.stdout.readline() == "ready\n"
            assert not mark.exists()
            mark.parent.mkdir()
            mark.touch()
            locks.clear_left_behind()
            assert mark.exists()
            # The first run goes, the second is still at work.
            run.kill()
        os.close(locks._held.pop())
    locks.clear_left_behind()
    assert not mark.exists()
    os.close(locks._held.pop())
    # One that was just killed takes a moment to be gone.
    monkeypatch.setattr(locks, "WAIT_S", 60)
    mark.parent.mkdir()
    mark.touch()
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; import time; time.sleep(1)"], stdout=subprocess.PIPE
    ) as going:
        assert going.stdout is not None
        going.stdout.readline()
        mark.parent.mkdir()
        mark.touch()
        locks.clear_left_behind()
        assert not mark.exists()
    os.close(locks._held.pop())
