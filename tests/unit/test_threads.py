"""Threads of libraries for matrices: one, as many as a job has, or what the user set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import blas
import pytest

from headway.cli import threads
from tests.conftest import ROOT

COUNT = """
import os
from headway.cli import main
main(["simulate"])
import numpy
a = numpy.ones((400, 400)) @ numpy.ones((400, 400))
print("threads:", len(os.listdir("/proc/self/task")))
"""
SNAKEFILE = """
import sys
sys.path.insert(0, {workflow!r})
import blas
blas.keep_choice(shell)
rule all:
    output: "said.txt"
    threads: 2
    script: "say.py"
"""
SAY = """
import os
with open(snakemake.output[0], "w") as f:
    f.write(os.environ["OMP_NUM_THREADS"] + " " + os.environ["OPENBLAS_NUM_THREADS"])
"""


def clean(**chosen: str) -> dict[str, str]:
    """Make an environment in which the user set these numbers of threads and no others."""
    kept = {name: value for name, value in os.environ.items() if name not in threads.NAMES}
    return {**kept, "PYTHONPATH": str(ROOT / "src"), **chosen}


def python(code: str, **chosen: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=clean(**chosen), capture_output=True, text=True, check=True)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted on Linux")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor has one thread anyway")
@pytest.mark.parametrize(("chosen", "count"), [({}, 1), ({"OMP_NUM_THREADS": "2"}, 2)])
def test_a_command_starts_one_thread_or_as_many_as_the_user_set(
    chosen: dict[str, str], count: int
) -> None:
    done = python(COUNT, **chosen)
    assert done.stdout.splitlines()[-1] == f"threads: {count}"


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({}, "2 2"),
        ({"OMP_NUM_THREADS": "1"}, "1 1"),
        ({"OPENBLAS_NUM_THREADS": "1"}, "2 1"),
    ],
)
def test_a_job_has_the_threads_of_its_rule_or_those_that_the_user_set(
    tmp_path: Path, chosen: dict[str, str], said: str
) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(workflow=str(ROOT / "workflow")))
    (tmp_path / "say.py").write_text(SAY)
    command = [sys.executable, "-m", "snakemake", "--cores", "2"]
    subprocess.run(command, cwd=tmp_path, env=clean(**chosen), capture_output=True, check=True)
    assert (tmp_path / "said.txt").read_text() == said


def test_what_a_command_set_for_itself_is_not_taken_for_the_users() -> None:
    for chosen in ({}, {"MKL_NUM_THREADS": "3"}):
        code = (
            "import os, json; from headway.cli import threads; threads.limit_threads(); "
            "print(json.dumps([os.environ.get(n) for n in threads.NAMES]),"
            "sorted(set(threads.NAMES) & set(threads.list_chosen())))"
        )
        done = python(code, **chosen)
        assert done.stdout.endswith(f"{sorted(chosen)}\n")
        assert ("null" in done.stdout) == bool(chosen)


def test_only_numbers_reach_the_shell() -> None:
    given = {"OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "1; rm -r x", "GOTO_NUM_THREADS": ""}
    said = blas.write_prefix(given)
    assert "export OMP_NUM_THREADS=4; export GOTO_NUM_THREADS=4; " in said
    assert "MKL" not in said and "rm" not in said
    assert blas.write_prefix({}) == ""


def test_both_workflows_keep_the_choice(repo_root: Path) -> None:
    for name in ("Snakefile", "workflow/reproduce.smk"):
        assert "blas.keep_choice(shell)" in (repo_root / name).read_text(encoding="utf-8")
