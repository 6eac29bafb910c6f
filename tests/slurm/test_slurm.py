"""The demo through `profiles/slurm` on a real scheduler, with a drained node and killed jobs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from resources import memory, minutes

from headway.tables import private
from tests.conftest import ROOT
from tests.slurm.one_node import Job, Node, list_absent, one_node, wait_for

pytestmark = pytest.mark.slurm

SOURCES = ("clinics/demo", "trials/acupuncture_headache")
PLAIN = ("--config", "notebooks=False")
# The profile asks as rarely as a large cluster wants; the plugin then waits longer each time.
OFTEN = ("--seconds-between-status-checks", "1", "--slurm-init-seconds-before-status-checks", "1")


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """Start a node, and see that nothing of it is left."""
    absent = list_absent()
    if absent:
        text = f"no scheduler can be started here: {', '.join(absent)}"
        if os.environ.get("CI") and absent != ["the right to make namespaces"]:
            pytest.fail(text)
        pytest.skip(f"SKIPPED LOUDLY: {text}")
    with one_node() as started:
        yield started
        running = started.processes()
    assert any("slurmctld" in command for command in running.values())
    assert [pid for pid in running if Path(f"/proc/{pid}").exists()] == []
    assert not started.home.exists()


def copy(folder: Path) -> Path:
    """Copy the workflow with the demo and one review."""
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("workflow", "src", "config", "profiles", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    for name in ("Snakefile", "environment.yml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    for name in SOURCES:
        shutil.copytree(ROOT / "data" / "raw" / name, folder / "data" / "raw" / name)
    return folder


def environment(folder: Path) -> dict[str, str]:
    own = {"PYTHONPATH": str(folder / "src"), "SOURCE_DATE_EPOCH": "1764547200"}
    return {**os.environ, **own, "OMP_NUM_THREADS": "1"}


def read(folder: Path) -> dict[str, bytes]:
    """Read every file of the results and of the tables that they stand on."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for top in ("results", "data/processed")
        for path in sorted((folder / top).rglob("*"))
        if path.is_file() and not any(p[0] == "." for p in path.relative_to(folder).parts)
    }


@dataclass(frozen=True)
class Runs:
    """What was seen of the run on the node, and the run on this machine beside it."""

    code: int
    said: str
    waiting: list[Job]
    waited: dict[str, bytes]
    jobs: list[Job]
    there: dict[str, bytes]
    here: dict[str, bytes]


@pytest.fixture(scope="module")
def runs(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Run on a drained node, give it back, and kill two of its jobs; run here beside it."""
    there = copy(tmp_path_factory.mktemp("there") / "a copy")
    here = copy(tmp_path_factory.mktemp("here") / "a copy")
    private.read_secret(there / "data")  # of the keyed digests in provenance.json
    shutil.copytree(there / "data" / ".headway", here / "data" / ".headway")
    # A user names the partition where the profile says so.
    profile = there / "profiles" / "slurm" / "config.yaml"
    text = profile.read_text(encoding="utf-8")
    assert text.count("#slurm_partition: main") == 1
    profile.write_text(text.replace("#slurm_partition: main", "slurm_partition: main"), "utf-8")
    node.ask("scontrol", "update", "nodename=node", "state=drain", "reason=repair")
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", *OFTEN, *PLAIN]
    with (there / "said.txt").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            node.command(*command),
            cwd=there,
            env=environment(there),
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for("two jobs that wait", lambda: len(node.jobs()) == 2, 60)
        time.sleep(5)
        assert process.poll() is None
        waiting, waited = node.jobs(), read(there)
        node.ask("scontrol", "update", "nodename=node", "state=resume")
        plain = [sys.executable, "-m", "snakemake", "--cores", "1", *PLAIN]
        with subprocess.Popen(plain, cwd=here, env=environment(here)) as beside:
            kill(node, "ingest_clinic")
            cancel(node, "analyse_review")
            assert beside.wait(timeout=300) == 0
        code = process.wait(timeout=400)
    finally:
        process.kill()
        process.wait()
    text = (there / "said.txt").read_text(encoding="utf-8")
    return Runs(code, text, waiting, waited, node.jobs(), read(there), read(here))


def kill(node: Node, script: str) -> None:
    """Kill a job's own process, as a machine does that has no memory left."""

    def look() -> bool:
        for pid, command in node.processes().items():
            if re.match(rf"\S*python.*/\.snakemake/scripts/\w+\.{script}\.py", command):
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    wait_for(f"a job of {script} to kill", look, 120, pause=0.02)


def cancel(node: Node, rule: str) -> None:
    """Cancel a running job, as an operator does."""

    def look() -> bool:
        for job in node.jobs():
            if f"rule_{rule}" in job.comment and job.state == "RUNNING":
                node.ask("scancel", str(job.number))
                return True
        return False

    wait_for(f"a job of {rule} to cancel", look, 120)


def test_a_drained_node_is_waited_for(runs: Runs) -> None:
    assert [job.state for job in runs.waiting] == ["PENDING"] * 2
    assert any("DRAINED" in job.reason for job in runs.waiting)
    assert runs.waited == {}


def test_killed_jobs_are_tried_again_and_the_run_ends_well(runs: Runs) -> None:
    assert runs.code == 0, runs.said
    ended = {(rule_of(job), job.state) for job in runs.jobs if job.state != "COMPLETED"}
    assert ended == {("ingest_clinic", "FAILED"), ("analyse_review", "CANCELLED")}
    done = sorted(rule_of(job) for job in runs.jobs if job.state == "COMPLETED")
    clinic = ["analyse_clinic", "ingest_clinic", "report_clinic"]
    review = ["analyse_review", "ingest_review", "report_review"]
    assert done == sorted([*clinic, *review, "index"])  # the last job is none of the cluster's


def rule_of(job: Job) -> str:
    found = re.match(r"rule_(\w+?)(_wildcards_.*)?$", job.comment)
    assert found is not None, job
    return found[1]


def test_jobs_ask_for_what_their_files_need_and_for_more_the_second_time(runs: Runs) -> None:
    asked = {(rule_of(job), job.state): job for job in runs.jobs}
    sizes = {
        name.partition("/")[0]: sum(
            path.stat().st_size
            for path in (ROOT / "data" / "raw" / name).iterdir()
            if path.suffix in (".csv", ".yaml")
        )
        for name in SOURCES
    }
    for (rule, state), job in asked.items():
        size = sizes.get({"clinic": "clinics", "review": "trials"}.get(rule.split("_")[-1], ""), 0)
        again = (rule, "COMPLETED") in asked and len([r for r, _ in asked if r == rule]) == 2
        attempt = 2 if again and state == "COMPLETED" else 1
        assert job.memory_mb == memory(rule, size, attempt), job
        assert job.minutes == minutes(rule, size, attempt), job
        assert job.processors == 1, job  # more for files above 50 MB alone


def test_the_run_on_the_node_and_the_run_here_give_the_same_bytes(runs: Runs) -> None:
    assert runs.there.keys() == runs.here.keys()
    assert [name for name, content in runs.here.items() if runs.there[name] != content] == []
    assert {Path(name).suffix for name in runs.here} >= {".csv", ".svg", ".html", ".parquet"}


def test_the_run_says_which_jobs_were_ended_and_how(runs: Runs) -> None:
    killed = runs.said.partition("FAILED demo: gate")[2].partition("\n[")[0]
    cancelled = runs.said.partition("FAILED acupuncture_headache: effects")[2].partition("\n[")[0]
    for text in (killed, cancelled):
        assert "its process ended before it could say why" in text
        assert "What to do: run fewer jobs at once" in text
    assert "(log: logs/ingest_clinic/demo.log)" in killed
    assert "CANCELLED" in cancelled
    assert "Error in rule" not in runs.said
    assert "Traceback" not in runs.said
