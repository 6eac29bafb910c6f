"""A clock that was set back: files from the future get the present, in their order."""

from __future__ import annotations

import os
import time
from pathlib import Path

import clock
import pytest


def test_files_from_the_future_get_the_present_in_their_order(tmp_path: Path) -> None:
    now = time.time()
    moments = {"old.csv": now - 50, "b/late.csv": now + 90, "b/later.csv": now + 86400}
    moments |= {"b/.mark": now + 90}
    for name, moment in moments.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (moment, moment))
    (said,) = clock.settle([tmp_path])
    after = {name: (tmp_path / name).stat().st_mtime for name in moments}
    assert after["old.csv"] == moments["old.csv"]
    assert now - 1 < after["b/late.csv"] == after["b/.mark"] < after["b/later.csv"] < now + 60
    assert said.startswith("3 files of earlier runs, ")
    assert clock.settle([tmp_path]) == []


def test_a_single_file_and_a_folder_that_is_not_there(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.touch()
    os.utime(lock, (time.time() + 500,) * 2)
    (said,) = clock.settle([lock, tmp_path / "nowhere"])
    assert "requirements.lock" in said
    assert lock.stat().st_mtime <= time.time()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    away = tmp_path / "away.csv"
    away.touch()
    os.utime(away, (time.time() + 500,) * 2)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.csv").symlink_to(away)
    assert clock.settle([tmp_path / "in"]) == []
    assert away.stat().st_mtime > time.time() + 100


def test_a_file_that_cannot_be_changed_is_not_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = os.utime
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).touch()
        change(tmp_path / name, (time.time() + 500,) * 2)

    def deny(name: str, **more: tuple[int, int]) -> None:
        if Path(name).name == "a.csv":
            raise PermissionError
        change(name, **more)

    monkeypatch.setattr(os, "utime", deny)
    (said,) = clock.settle([tmp_path])
    assert "b.csv, of an earlier run, bore a time" in said and "a.csv" not in said
