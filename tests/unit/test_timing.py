"""Two speeds of tests: the list holds what there is, and every file keeps something quick."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import pytest

from tests import timing
from tests.conftest import ROOT


def list_functions(file: Path) -> set[str]:
    """Name the test functions of a file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return {node.name for node in found if node.name.startswith("test_")}


def test_what_the_list_names_is_there() -> None:
    listed = timing.read_list()
    assert listed == sorted(set(listed))
    for entry in listed:
        file, _, function = entry.partition("::")
        assert (ROOT / file).is_file(), entry
        assert file not in listed or not function, entry
        assert not function or function in list_functions(ROOT / file), entry


def test_the_cheapest_fit_the_budget_and_every_file_keeps_one() -> None:
    times = [
        ("tests/unit/test_a.py::test_one[x]", 1.0),
        ("tests/unit/test_a.py::test_one[y]", 1.0),
        ("tests/unit/test_a.py::test_two", 30.0),
        ("tests/unit/test_b.py::test_three", 4.0),
        ("tests/unit/test_c.py::test_four", 6.0),
        ("tests/browser/test_d.py::test_five", 100.0),
        ("tests/golden/test_oracle_pooling.py::test_six[inside]", 3.0),
        ("tests/golden/test_oracle_pooling.py::test_seven[inside]", 9.0),
    ]
    slow = timing.choose_slow(times, budget=20)
    # test_three stays although dear: nothing else of its file is cheaper. test_four costs too much.
    assert slow == ["tests/unit/test_a.py::test_two", "tests/unit/test_c.py"]
    assert timing.choose_slow(times, budget=200) == []
    assert timing.is_slow("tests/unit/test_c.py::test_four", set(slow))
    assert timing.is_slow("tests/unit/test_a.py::test_two[x]", set(slow))
    assert not timing.is_slow("tests/unit/test_a.py::test_one[x]", set(slow))


def test_most_files_keep_something_quick() -> None:
    listed = timing.read_list()
    files = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "tests/unit").glob("test_*.py"))
    whole = [file for file in files if file in listed]
    assert len(whole) <= len(files) / 4, whole


def test_times_are_noted_and_not_measured_twice(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_one="def test_a(): pass\ndef test_b(): pass")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    out = pytester.path / "times.jsonl"
    monkeypatch.setenv("HEADWAY_TIMES", str(out))
    for left in (2, 0):
        done = pytester.runpytest_subprocess("-p", "tests.timing", "-p", "no:cacheprovider")
        done.assert_outcomes(passed=left, deselected=2 - left)
    noted = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [name for name, _ in noted] == ["test_one.py::test_a", "test_one.py::test_b"]
    assert all(seconds >= 0 for _, seconds in noted)
