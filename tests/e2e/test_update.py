"""A review that is kept, gets a trial and is updated, by the program as its user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headway.tables import read_csv
from tests.conftest import ROOT
from tests.unit.review_builder import ARMS, write_review

pytestmark = pytest.mark.e2e

CAME = "D 2031,2031,{},frequency,days_per_28,3 months,84,final,90,{},4,,retrieved,T1\n"


def headway(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "headway", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_kept_review_gets_a_trial_and_is_updated(tmp_path: Path) -> None:
    raw = write_review(tmp_path / "data" / "raw" / "trials" / "mine")
    assert headway(tmp_path, "update", "mine").returncode == 12
    kept = headway(tmp_path, "update", "mine", "--keep")
    assert kept.returncode == 0, kept.stderr
    assert kept.stdout.endswith("(kept)\n")
    rows = CAME.format("massage,treatment,manual,", 6) + CAME.format("care,control,,usual_care", 10)
    (raw / "arms.csv").write_text(ARMS + rows, encoding="utf-8")
    updated = headway(tmp_path, "update", "mine")
    assert updated.returncode == 0, updated.stderr
    assert "Trials that came: D 2031." in updated.stdout
    results = tmp_path / "results" / "trials" / "mine"
    changes = read_csv("changes", results / "changes.csv")
    assert set(changes[changes["part"] == "trials"]["item"]) == {"D 2031"}
    # A build that follows leaves the update where it is, and what was kept too.
    assert headway(tmp_path, "reproduce", "mine").returncode == 0
    assert (results / "update.html").is_file()
    assert len(list((tmp_path / "data" / "kept" / "mine").iterdir())) == 1
