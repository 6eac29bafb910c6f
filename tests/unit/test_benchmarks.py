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


def test_other_programs_and_headway_make_the_same_windows_of_a_diary(
    repo_root: Path, tmp_path: Path
) -> None:
    command = [sys.executable, str(repo_root / "benchmarks" / "scale.py"), "--quick"]
    command += ["--only", "rows", "--scratch", str(tmp_path), "--figures", str(tmp_path / "drawn")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "pandas" in done.stdout.split("Windows of Headway and of ")[1].split(" agree")[0]
    for peer in ("polars", "data.table"):
        told = f"{peer} is not installed: not compared" in done.stdout
        assert told != (peer in done.stdout.split("Windows of Headway and of ")[1])
    assert "all set the same rows and cells aside" in done.stdout
    assert (tmp_path / "drawn" / "scale_rows.svg").stat().st_size > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["drawn"]


def test_a_peer_with_another_window_or_quarantine_is_an_error(
    repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    import pandas as pd

    monkeypatch.syspath_prepend(str(repo_root))
    from benchmarks import rows

    rows.generate(tmp_path / "c", 30)
    for what in ("headway", "pandas"):
        (tmp_path / what).mkdir()
        rows.RUNS[what](tmp_path / "c", tmp_path / what)
    ours, theirs = tmp_path / "headway", tmp_path / "pandas"
    assert rows.compare(ours, theirs) < 1e-9
    told = json.loads((theirs / "told.json").read_text())
    (theirs / "told.json").write_text(json.dumps(told | {"rows": told["rows"] + 1}))
    with pytest.raises(AssertionError, match="set the same rows"):
        rows.compare(ours, theirs)
    (theirs / "told.json").write_text(json.dumps(told))
    import duckdb

    with duckdb.connect() as connection:
        table = connection.execute(f"SELECT * FROM '{theirs / 'theirs.parquet'}'").df()
        (theirs / "theirs.parquet").unlink()
        moved = table.assign(intensity=table["intensity"] + 0.5)
        moved.to_csv(theirs / "theirs.csv", index=False)
        assert rows.compare(ours, theirs) == pytest.approx(0.5)
        pd.DataFrame(table.iloc[1:]).to_csv(theirs / "theirs.csv", index=False)
    with pytest.raises(AssertionError, match="same windows"):
        rows.compare(ours, theirs)


def test_blocks_are_written_between_their_marks(
    repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(repo_root))
    from benchmarks import scale

    page = tmp_path / "page.md"
    page.write_text("before\n<!-- people: begin -->\nold\n<!-- people: end -->\nafter\n")
    scale.write_block("people", ["| new |"], page)
    text = page.read_text()
    assert text.startswith("before\n<!-- people: begin -->\n![Cost against people]")
    assert (
        "| new |" in text and "old" not in text and text.endswith("<!-- people: end -->\nafter\n")
    )
    real = (repo_root / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for section in scale.SECTIONS:
        assert (
            real.count(f"<!-- {section}: begin -->") == real.count(f"<!-- {section}: end -->") == 1
        )


def test_of_several_clinics_one_that_joins_runs_its_own_jobs(
    repo_root: Path, tmp_path: Path
) -> None:
    command = [sys.executable, str(repo_root / "benchmarks" / "scale.py"), "--quick"]
    command += ["--only", "clinics", "--scratch", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "One folder more: 5 jobs, 3 of its own" in done.stdout
    assert "4 finished clinics, nothing to do: 0 jobs" in done.stdout
    assert "4 finished clinics, planned after a change to one file: " in done.stdout
    assert not any(tmp_path.iterdir())
