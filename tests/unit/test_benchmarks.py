"""The benchmark's smoke run: both programs are called and agree. Nothing here measures time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def test_the_quick_run_compares_answers_and_prints_a_table(repo_root: Path) -> None:
    if shutil.which("Rscript") is None:
        if os.environ.get("CI"):
            pytest.fail("R with metafor must be there in CI")
        pytest.skip("SKIPPED LOUDLY: R is not here")
    command = [sys.executable, str(repo_root / "benchmarks" / "meta.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "there is no package" in done.stderr and not os.environ.get("CI"):
        pytest.skip("SKIPPED LOUDLY: R's metafor is not here")
    assert done.returncode == 0, done.stderr
    assert "answers agree to" in done.stdout
    assert done.stdout.count(" × |") == 6


def test_the_page_holds_a_full_run(repo_root: Path) -> None:
    text = (repo_root / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    table = text.split("<!-- meta: begin -->")[1].split("<!-- meta: end -->")[0]
    assert table.count(" × |") == 6
    assert "100,000 fits" in table and "32,767 subsets" in table
    assert "metafor" in table and "cores" in table


def test_a_network_is_pooled_in_time_and_as_metafor_pools_it(repo_root: Path) -> None:
    command = [sys.executable, str(repo_root / "benchmarks" / "network.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if "nothing is compared" in done.stdout:
        if os.environ.get("CI"):
            pytest.fail("R with metafor must be there in CI")
        pytest.skip("SKIPPED LOUDLY: R with metafor is not here")
    assert "answers agree to" in done.stdout
    assert done.stdout.count(" × |") == 1
    text = (repo_root / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    table = text.split("<!-- network: begin -->")[1].split("<!-- network: end -->")[0]
    assert "50 treatments, 200 trials" in table and table.count(" × |") == 1


def test_a_diary_gives_pandas_and_headway_the_same_windows(repo_root: Path) -> None:
    command = [sys.executable, str(repo_root / "benchmarks" / "diary.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "both set the same rows aside" in done.stdout


def test_of_many_clinics_one_that_joins_runs_its_own_jobs(repo_root: Path) -> None:
    command = [sys.executable, str(repo_root / "benchmarks" / "many_clinics.py")]
    sizes = ["--few", "1", "--many", "2", "--planned", "4", "--people", "40"]
    done = subprocess.run([*command, *sizes], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "one folder more: 5 jobs" in done.stdout
    assert "4 clinics, nothing to do: " in done.stdout
    assert done.stdout.splitlines()[2].endswith(", 0 jobs")
