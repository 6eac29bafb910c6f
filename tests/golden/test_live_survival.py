"""Curves of times within intervals, and restricted means, against R's survival."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway.outcomes.care.turnbull import estimate_free, fit_turnbull, restrict_mean
from tests.golden.ledger import INSIDE, read_json

SCRIPT = Path(__file__).with_name("live_survival.R")


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    """Return the made-up times of write_golden.py, and what R said of them."""
    return read_json(INSIDE / "golden" / "survival.json")


@pytest.fixture(scope="module", params=["stored", "asked again"])
def answers(
    request: pytest.FixtureRequest, stored: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[dict[str, Any], Any]]:
    sets = stored["data"]
    if request.param == "stored":
        return list(zip(sets, stored["answers"], strict=True))
    if shutil.which("Rscript") is None:
        if os.environ.get("CI"):
            pytest.fail("R with survival and jsonlite must be there in CI")
        pytest.skip("SKIPPED LOUDLY: R is not here")
    folder = tmp_path_factory.mktemp("live")
    (folder / "data.json").write_text(json.dumps(sets), encoding="utf-8")
    command = ["Rscript", "--vanilla", str(SCRIPT), "data.json", "answers.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "there is no package" in done.stderr and not os.environ.get("CI"):
        pytest.skip("SKIPPED LOUDLY: R's survival or jsonlite is not here")
    assert done.returncode == 0, done.stderr
    return list(zip(sets, json.loads((folder / "answers.json").read_text()), strict=True))


def numbers(values: list[Any]) -> np.ndarray:
    return np.array([np.nan if v in (None, "NA", "NaN") else v for v in values], float)


def test_right_censored_times(answers: list[tuple[dict[str, Any], Any]]) -> None:
    """R enters a relapse at its time; ours lies in the window before, and its bound is R's mean."""
    for given, known in answers:
        time, event = np.array(given["time"]), np.array(given["event"], bool)
        fit = fit_turnbull(time - event, np.where(event, time, np.inf))
        at = np.array(known["time"], float)
        ours = [estimate_free(fit, t).estimate for t in at]
        # Sums and products of a few hundred doubles at most: 1e-10 is rounding.
        assert np.allclose(ours, known["s"], rtol=0, atol=1e-10)
        mean = restrict_mean(fit, given["horizon"])
        assert mean.highest == pytest.approx(known["rmst"], rel=1e-9)
    assert len(answers) == 15


def test_interval_censored_times(answers: list[tuple[dict[str, Any], Any]]) -> None:
    compared = 0
    for given, known in answers:
        right = np.where(np.array(given["right"]) > 0, given["right"], np.inf)
        fit = fit_turnbull(given["left"], right, grid=given["at"])
        for time, theirs in zip(given["at"], numbers(np.atleast_1d(known["free"])), strict=True):
            if not fit.is_known(time):
                continue
            found = estimate_free(fit, time)
            if found.highest - found.lowest < 1e-6:
                # R stops its iteration at changes of 5e-5.
                assert found.estimate == pytest.approx(theirs, abs=3e-3)
                compared += 1
    assert compared > 50
