"""R asked again for a sample of the stored answers, and for the made-up data sets, byte by byte."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.golden.ledger import FOLDER, INSIDE, read_answers, walk

HERE = Path(__file__).parent
DATA = INSIDE / FOLDER / "data"
SAMPLE = "five_trials,outlier,nested,rare_events,attacks,pairs"


def run(script: str, *arguments: str) -> None:
    if shutil.which("Rscript") is None:
        if os.environ.get("CI"):
            pytest.fail("R with metafor, clubSandwich and jsonlite must be there in CI")
        pytest.skip("SKIPPED LOUDLY: R is not here")
    command = ["Rscript", "--vanilla", str(HERE / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "there is no package" in done.stderr and not os.environ.get("CI"):
        pytest.skip("SKIPPED LOUDLY: R's metafor, clubSandwich or jsonlite is not here")
    assert done.returncode == 0, done.stderr


def test_the_made_up_data_are_drawn_again(tmp_path: Path) -> None:
    run("made_up.R", str(tmp_path))
    names = sorted(p.name for p in DATA.iterdir())
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    for name in names:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name


def test_r_still_answers_so(tmp_path: Path) -> None:
    run("write_golden.R", str(DATA), str(tmp_path / "out.json"), SAMPLE)
    asked: dict[str, Any] = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    version = asked.pop("meta")["metafor"]
    if not version.startswith("3.8"):
        pytest.skip(f"metafor {version} defines some measures otherwise than 3.8")
    stored, compared = read_answers(INSIDE), 0
    for section, entries in asked.items():
        for name, entry in (entries or {}).items():
            there = dict(walk(stored[section][name]))
            assert dict(walk(entry)).keys() == there.keys(), (section, name)
            for key, value in walk(entry):
                # Sums in another order on another machine; optimisers a little more.
                near = math.isclose(value, there[key], rel_tol=1e-6, abs_tol=1e-9)
                assert near, (section, name, key)
                compared += 1
    assert compared > 3000


def test_people_still_answer_so(tmp_path: Path) -> None:
    run("write_clinic.R", str(DATA), str(tmp_path / "out.json"))
    asked = dict(walk(json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))))
    stored = dict(walk(json.loads((INSIDE / "golden" / "clinic.json").read_text(encoding="utf-8"))))
    assert asked.keys() == stored.keys()
    for key, value in asked.items():
        assert math.isclose(value, stored[key], rel_tol=1e-9, abs_tol=1e-12), key
