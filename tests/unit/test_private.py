"""What is its owner's alone: scratch folders, row-level files, the secret, digests of records."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from headway import tables
from headway.report import provenance
from headway.tables import private
from tests.unit.clinic_builder import DIARY, diary_text, ingest, write_clinic

STAGE = """
import sys, time
from pathlib import Path
from headway.tables.private import scratch_folder
with scratch_folder(Path(sys.argv[1]), ".staging-") as folder:
    (folder / "rows.parquet").write_text("records")
    print(folder.name, flush=True)
    time.sleep(600)
"""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def start(root: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", STAGE, str(root)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(private.__file__).parents[2])},
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks")
def test_what_a_killed_run_left_goes_and_a_living_one_keeps_its_own(tmp_path: Path) -> None:
    killed, left = start(tmp_path)
    living, own = start(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    try:
        assert (tmp_path / left / "rows.parquet").is_file()
        assert private.sweep(tmp_path, ".staging-") == 1
        assert [p.name for p in tmp_path.iterdir()] == [own]
        assert (tmp_path / own / "rows.parquet").is_file()
        assert mode_of(tmp_path / own) == 0o700
    finally:
        living.kill()
        living.wait()
    # The next clinic that is read, whatever its name, takes the other away.
    folder = write_clinic(
        tmp_path / "c", {"diary.csv": diary_text([("a", 0, 1)])}, {"diary": DIARY}
    )
    ingest(folder)
    assert not list(tmp_path.glob(".staging-*"))


def test_a_link_that_looks_like_a_scratch_folder_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    (tmp_path / ".staging-x").symlink_to(kept)
    assert private.sweep(tmp_path, ".staging-") == 0
    assert (kept / "file").is_file()


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_row_level_files_are_their_owners_alone(tmp_path: Path) -> None:
    folder = write_clinic(
        tmp_path / "c", {"diary.csv": diary_text([("a", 0, 1)])}, {"diary": DIARY}
    )
    _, _, out = ingest(folder)
    found = sorted(out.glob("*.parquet"))
    assert found
    assert {mode_of(p) for p in found} == {0o600}
    tables.write_parquet(pd.DataFrame({"a": [1]}), tmp_path / "windows.parquet")
    assert mode_of(tmp_path / "windows.parquet") == 0o600
    assert private.make_private(tmp_path / "processed")
    assert mode_of(tmp_path / "processed") == 0o700


def test_a_system_without_rights_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    (tmp_path / "x").write_text("x")
    assert not private.restrict(tmp_path / "x", 0o600) or mode_of(tmp_path / "x") == 0o600
    (tmp_path / "x").touch(mode=0o644)
    assert not private.make_private(tmp_path / "folder")


def test_the_secret_is_made_once_and_git_takes_nothing_of_it(tmp_path: Path) -> None:
    secret = private.read_secret(tmp_path)
    assert len(secret) == 32
    assert private.read_secret(tmp_path) == secret
    assert private.read_secret(tmp_path / "other") != secret
    folder = tmp_path / ".headway"
    assert sorted(p.name for p in folder.iterdir()) == [".gitignore", "secret"]
    if os.name == "posix":
        assert (mode_of(folder), mode_of(folder / "secret")) == (0o700, 0o600)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    said = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--porcelain", "-uall"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert said == ""


def test_a_guessed_file_of_records_is_not_confirmed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    files = []
    for name in ("clinics/own/people.csv", "trials/review/arms.csv"):
        path = data / "raw" / name
        path.parent.mkdir(parents=True)
        path.write_text("a guess\n")
        files.append(str(path))
    record = provenance.collect(files, data, {}, [])
    assert provenance.collect(files, data, {}, []) == record
    plain = hashlib.sha256(b"a guess\n").hexdigest()
    assert record["inputs"]["raw/trials/review/arms.csv"] == plain
    signed = record["inputs"]["raw/clinics/own/people.csv"]
    assert len(signed) == 64 and signed != plain
    assert private.read_secret(data).hex() not in json.dumps(record)
