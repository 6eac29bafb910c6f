"""Kaplan-Meier curves and restricted means against R's survival, on data drawn here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway.outcomes.care.durability import fit_kaplan_meier, restrict_mean

SCRIPT = Path(__file__).with_name("live_survival.R")


def draw_sets() -> list[dict[str, Any]]:
    rng = np.random.default_rng(20261126)
    sets = []
    for n, last in ((5, 4), (12, 6), (40, 12), (300, 12), (2000, 39)):
        for hazard in (0.02, 0.1, 0.4):
            relapse = rng.geometric(hazard, n)
            end = rng.integers(0, last + 1, n)
            # A relapse at a time counts before the end of the record at that time.
            event = relapse <= end
            time = np.where(event, relapse, end)
            horizon = int(max(1, time.max() - 1))
            sets.append(
                {"time": time.tolist(), "event": event.astype(int).tolist(), "horizon": horizon}
            )
    return sets


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict[str, Any], Any]]:
    if shutil.which("Rscript") is None:
        if os.environ.get("CI"):
            pytest.fail("R with survival and jsonlite must be there in CI")
        pytest.skip("SKIPPED LOUDLY: R is not here")
    folder = tmp_path_factory.mktemp("live")
    sets = draw_sets()
    (folder / "data.json").write_text(json.dumps(sets), encoding="utf-8")
    command = ["Rscript", "--vanilla", str(SCRIPT), "data.json", "answers.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "there is no package" in done.stderr and not os.environ.get("CI"):
        pytest.skip("SKIPPED LOUDLY: R's survival or jsonlite is not here")
    assert done.returncode == 0, done.stderr
    return list(zip(sets, json.loads((folder / "answers.json").read_text()), strict=True))


def numbers(values: list[Any]) -> np.ndarray:
    return np.array([np.nan if v in (None, "NA", "NaN") else v for v in values], float)


def test_curves_and_restricted_means(answers: list[tuple[dict[str, Any], Any]]) -> None:
    compared = 0
    for given, known in answers:
        fit = fit_kaplan_meier(given["time"], given["event"], np.arange(max(given["time"]) + 1))
        at = np.array(known["time"], int)
        assert (fit.at_risk[at] == known["n"]).all() and (fit.events[at] == known["d"]).all()
        # Sums and products of a few hundred doubles at most: 1e-10 is rounding.
        assert np.allclose(fit.survival[at], known["s"], rtol=0, atol=1e-10)
        inner = (fit.survival[at] > 0) & (fit.survival[at] < 1)
        for ours, theirs in ((fit.ci_low, known["low"]), (fit.ci_high, known["high"])):
            assert np.allclose(ours[at][inner], numbers(theirs)[inner], rtol=0, atol=1e-9)
        compared += int(inner.sum())
        mean = restrict_mean(fit, given["horizon"])
        assert mean.estimate == pytest.approx(known["rmst"], rel=1e-9)
        assert mean.se == pytest.approx(known["se"], rel=1e-9, abs=1e-12)
    assert len(answers) == 15 and compared > 100
