"""A run that is killed resumes to the bytes of an undisturbed one (20 kills: benchmarks/)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from headway import tables


def test_three_killed_runs_resume_to_the_same_bytes(repo_root: Path, tmp_path: Path) -> None:
    path = repo_root / "benchmarks" / "kill_and_resume.py"
    spec = importlib.util.spec_from_file_location("kill_and_resume", path)
    assert spec is not None and spec.loader is not None
    module = sys.modules["kill_and_resume"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    _, files, kills = module.study(tmp_path / "copy", 3, 40, seed=5)
    assert files > 20
    assert [k.halves for k in kills] == [()] * 3
    assert [k.different for k in kills] == [()] * 3
    # At least one was killed in the middle of its work.
    assert any(not k.finished and 0 < k.files < files for k in kills)


def test_a_file_that_is_being_written_has_another_name(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old\n", encoding="utf-8")

    def be_killed() -> None:
        with tables.replacing(path) as part:
            part.write_text("ne", encoding="utf-8")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        be_killed()
    assert path.read_text(encoding="utf-8") == "old\n"
    with tables.replacing(path) as part:
        part.write_text("new\n", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "new\n"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]
