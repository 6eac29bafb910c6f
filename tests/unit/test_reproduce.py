"""`headway reproduce` on disk: judged once, one bad file stops nothing, pages where asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT
from tests.unit.test_library import write_totals

ODD = "we{ird} <b> =x.rm5"


def reproduce(folder: Path, *arguments: str) -> str:
    """Run the command in a folder; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "headway", "reproduce", *arguments, "--cores", "1"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def list_files(folder: Path) -> dict[str, str]:
    found = pd.read_csv(folder / "library_files.csv").fillna("").set_index("file")
    return {str(name): str(form) for name, form in found["form"].items()}


def stamp(folder: Path) -> dict[Path, int]:
    """Date the results; what a run remembers of files waits until they are two seconds old."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: path.stat().st_mtime_ns for path in files if path.name != ".contents.json"}


def test_a_second_run_does_nothing_and_a_third_what_changed(tmp_path: Path) -> None:
    write_totals(tmp_path, "a.rm5")
    write_totals(tmp_path, f"sub/{ODD}", scale=1.01)
    (tmp_path / "cut off.rm5").write_bytes(b"<?xml version='1.0'?><COCHRANE_REVIEW>")
    # Names of Latin-1 and with controls; they would be one if either were left out.
    for name in (b"caf\xe9.rm5", b"caf\xe8.rm5", b"c\x1b[31m\nd.rm5"):
        write_totals(tmp_path, os.fsdecode(name))
    out = tmp_path / "results" / "library"
    # The results lie inside of the library, and are none of it.
    first = reproduce(tmp_path, ".")
    assert "7 of 7 jobs done" in first and "\x1b" not in first
    assert list_files(out) == {
        "a.rm5": "rm5",
        f"sub/{ODD}": "rm5",
        "cut off.rm5": "unread",
        "caf\\udce9.rm5": "rm5",
        "caf\\udce8.rm5": "rm5",
        "c\\x1b[31m\\nd.rm5": "rm5",
    }
    verdicts = pd.read_csv(out / "library.csv").groupby("file")["verdict"].unique()
    assert verdicts["a.rm5"].tolist() == ["reproduced"]
    assert verdicts[f"sub/{ODD}"].tolist() == ["not reproduced"]
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "we{ird} &lt;b&gt; =x.rm5" in page and "cut off.rm5" in page

    before = stamp(out)
    assert "nothing to do" in reproduce(tmp_path, ".")
    assert stamp(out) == before

    write_totals(tmp_path, "a.rm5", scale=1.01)
    assert "2 of 2 jobs done" in reproduce(tmp_path, ".")
    verdicts = pd.read_csv(out / "library.csv").groupby("file")["verdict"].unique()
    assert verdicts["a.rm5"].tolist() == ["not reproduced"]


def test_figures_are_drawn_of_what_is_there_now(tmp_path: Path) -> None:
    library = tmp_path / "with space"
    write_totals(library, "a.rm5")
    write_totals(library, ODD)
    (library / "no.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    said = reproduce(tmp_path, str(library), "--out", "out", "--figures")
    assert "no.csv cannot be read" in said
    pages = tmp_path / "out" / "reviews" / "trials"
    drawn = sorted(path.name.rpartition("_")[0] for path in pages.iterdir())
    assert drawn == ["a", "we_ird_b_x"]
    assert all((page / "figures" / "forest_analysis_3_2.svg").is_file() for page in pages.iterdir())

    (one,) = pages.glob("a_*")
    assert "not reproduced" not in (one / "reproduction.csv").read_text()
    write_totals(library, "a.rm5", scale=1.01)
    (library / ODD).unlink()
    reproduce(tmp_path, str(library), "--out", "out", "--figures")
    assert "not reproduced" in (one / "reproduction.csv").read_text()


def test_the_results_have_a_folder_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="a folder of its own"):
        reproduce(tmp_path, ".", "--out", ".")
