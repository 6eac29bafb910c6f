"""`headway reproduce FOLDER`: its jobs, a second run, one that was killed, figures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT
from tests.unit.test_cochrane import count, write_sheet
from tests.unit.test_library import write_totals

COMMAND = [sys.executable, "-m", "headway", "reproduce", "my library", "--out", "out", "--cores"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def reproduce(folder: Path, *more: str, cores: int = 2) -> str:
    """Run the command in `folder` to its end; what it said."""
    done = subprocess.run(
        [*COMMAND, str(cores), *more],
        cwd=folder,
        env=environment(),
        text=True,
        capture_output=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the verdicts on totals, and on files by their name."""
    library = pd.read_csv(folder / "out" / "library.csv", dtype={"analysis": str})
    return library, pd.read_csv(folder / "out" / "library_files.csv").set_index("file")


def judged(folder: Path) -> dict[str, int]:
    """When each file's verdict was written."""
    return {p.name: p.stat().st_mtime_ns for p in (folder / "out" / "files").glob("*.json")}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Judge a right file, a wrong one, a sheet without totals, and one that is no review."""
    folder = tmp_path_factory.mktemp("a folder")
    library = folder / "my library"
    write_totals(library, "right.rm5")
    write_totals(library, "sub/wrong.rm5", scale=1.1)
    write_sheet(library, [count("A", 1, 20, 3, 40), count("B", 4, 30, 9, 33)])
    (library / "broken.rm5").write_text("<COCHRANE_REVIEW><open>", encoding="utf-8")
    reproduce(folder)
    return folder


def test_each_file_has_its_verdict_and_one_that_is_broken_stops_none(first: Path) -> None:
    library, files = read(first)
    right = library[library["file"] == "right.rm5"]
    assert right["part"].tolist() == ["estimate", "lower limit", "upper limit"]
    assert set(right["analysis"]) == {"3.2"}
    assert set(right["verdict"]) == {"reproduced"}
    wrong = library[library["file"] == "sub/wrong.rm5"]
    assert wrong["verdict"].tolist()[0] == "not reproduced"
    assert wrong["published"].iloc[0] == pytest.approx(1.1 * wrong["recomputed"].iloc[0], rel=1e-9)
    assert files["totals"].to_dict() == {
        "right.rm5": 1,
        "sub/wrong.rm5": 1,
        "rows.csv": 0,
        "broken.rm5": 0,
    }
    assert files.loc["rows.csv", "rows"] == 2
    assert files["note"].notna().to_dict()["broken.rm5"]
    page = (first / "out" / "index.html").read_text(encoding="utf-8")
    assert "sub/wrong.rm5" in page


def test_a_second_run_judges_what_is_new_or_changed_alone(first: Path) -> None:
    library, before = first / "my library", judged(first)
    os.utime(library / "right.rm5")
    write_totals(library, "sub/wrong.rm5", scale=0.9)
    write_totals(library, "new.rm5")
    (library / "broken.rm5").unlink()
    reproduce(first)
    again = {name for name, when in judged(first).items() if when != before.get(name)}
    assert sorted(name.rsplit("_", 1)[0] for name in again) == ["new", "wrong"]
    verdicts, files = read(first)
    assert sorted(files.index) == ["new.rm5", "right.rm5", "rows.csv", "sub/wrong.rm5"]
    assert files["reproduced"].to_dict()["new.rm5"] == 1
    wrong = verdicts[verdicts["file"] == "sub/wrong.rm5"].iloc[0]
    assert wrong["published"] == pytest.approx(0.9 * wrong["recomputed"], rel=1e-9)


def test_a_run_that_is_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    for name in range(4):
        write_totals(tmp_path / "my library", f"{name}.rm5")
    run = subprocess.Popen(
        [*COMMAND, "1"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until = time.monotonic() + 600
    while len(judged(tmp_path)) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    kept = judged(tmp_path)
    assert 2 <= len(kept) < 4
    assert not (tmp_path / "out" / "library.csv").exists()
    reproduce(tmp_path)
    after = judged(tmp_path)
    assert len(after) == 4
    # The job that was at work when the run was killed may be done again; the others stay.
    assert sum(after[name] != kept[name] for name in kept) <= 1
    assert read(tmp_path)[1]["reproduced"].tolist() == [1] * 4


def test_figures_are_drawn_where_they_are_asked_for(tmp_path: Path) -> None:
    write_totals(tmp_path / "my library", "a b.rm5")
    said = reproduce(tmp_path, "--figures")
    pages = list((tmp_path / "out" / "reviews" / "trials").glob("*/index.html"))
    assert len(pages) == 1, said
    assert list(pages[0].parent.rglob("*.svg"))
    found = pd.read_csv(pages[0].parent / "reproduction.csv", dtype={"analysis": str})
    assert set(found["verdict"]) == {"reproduced"}
