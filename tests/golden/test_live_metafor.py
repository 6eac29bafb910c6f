"""Pooling and meta-regression against R's metafor itself, on data made up here.

The stored answers could be fitted by accident; these sets are drawn from a seed, over nine orders
of magnitude of unit, with k from 2 to 60, equal and very unequal variances.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway import meta

SCRIPT = Path(__file__).with_name("live_metafor.R")


def draw_sets() -> list[dict[str, Any]]:
    rng = np.random.default_rng(20261123)
    sets = []
    for k in (2, 3, 4, 6, 7, 10, 15, 25, 60):
        for spread, tau in ((0.0, 0.0), (0.7, 0.5), (2.0, 2.0)):
            unit = 10.0 ** rng.integers(-4, 5)
            v = np.exp(rng.normal(0, spread, k))
            y = rng.normal(0.5, np.sqrt(v + tau**2))
            x = rng.normal(0, 3, k)
            groups = [("a", "b", "c")[i % 3] for i in range(k)]
            sets.append({"y": list(unit * y), "v": list(unit**2 * v), "x": list(x), "g": groups})
    return sets


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict[str, Any], Any]]:
    if shutil.which("Rscript") is None:
        if os.environ.get("CI"):
            pytest.fail("R with metafor and jsonlite must be there in CI")
        pytest.skip("SKIPPED LOUDLY: R is not here")
    folder = tmp_path_factory.mktemp("live")
    sets = draw_sets()
    (folder / "data.json").write_text(json.dumps(sets), encoding="utf-8")
    command = ["Rscript", "--vanilla", str(SCRIPT), "data.json", "answers.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "there is no package" in done.stderr and not os.environ.get("CI"):
        pytest.skip("SKIPPED LOUDLY: R's metafor or jsonlite is not here")
    assert done.returncode == 0, done.stderr
    return list(zip(sets, json.loads((folder / "answers.json").read_text()), strict=True))


def is_stuck(ours: Any, stored: Any, method: str, v: np.ndarray) -> bool:
    """Tell whether metafor's iteration ended on a lower likelihood than ours."""
    if method not in ("ML", "REML"):
        return False
    away = abs(ours.tau2 - stored["tau2"]) > 1e-4 * max(ours.tau2, v.min())
    if away:
        assert ours.log_likelihood > stored["ll"] + 1e-9
    return away


def test_pooling_agrees_with_metafor(answers: Any) -> None:
    compared = stuck = 0
    for data, answer in answers:
        y, v = np.array(data["y"]), np.array(data["v"])
        for key, stored in answer["models"].items():
            method, test = key.split()
            fit = meta.pool(y, v, method=method, test=test)
            if is_stuck(fit, stored, method, v):
                stuck += 1
                continue
            where = (key, y.size)
            half = (stored["high"] - stored["low"]) / 2
            floor = 1e-3 * y.var(ddof=1)
            # metafor's iterations and root finders stop at 1e-11 of the variance of the effects.
            assert abs(fit.tau2 - stored["tau2"]) <= 1e-6 * max(fit.tau2, floor), where
            for ours, theirs in (
                (fit.estimate, "estimate"),
                (fit.se, "se"),
                (fit.ci_low, "low"),
                (fit.ci_high, "high"),
            ):
                assert abs(ours - stored[theirs]) <= 1e-6 * half, (where, theirs)
            assert fit.p_value == pytest.approx(stored["p"], rel=1e-5)
            assert fit.q == pytest.approx(stored["q"], rel=1e-9)
            assert fit.i2 == pytest.approx(stored["i2"], abs=1e-5)
            assert fit.log_likelihood == pytest.approx(stored["ll"], abs=1e-6)
            if method != "EE":
                if fit.k < 3:  # two trials predict nothing here
                    assert math.isnan(fit.pi_low) and math.isnan(fit.pi_high)
                else:
                    width = fit.pi_high - fit.pi_low
                    assert abs(fit.pi_low - stored["pi_low"]) <= 1e-6 * width
                assert fit.se_tau2 == pytest.approx(stored["se_tau2"], rel=1e-5)
            compared += 1
    print(f"\n{compared} fits compared, {stuck} where metafor is on a lower maximum")
    assert compared > 850
    assert stuck < 20


def test_regression_agrees_with_metafor(answers: Any) -> None:
    compared = stuck = 0
    for data, answer in answers:
        y, v = np.array(data["y"]), np.array(data["v"])
        for key, stored in (answer["regressions"] or {}).items():
            method, test = key.split()
            fit = meta.regress(y, v, {"x": data["x"], "g": data["g"]}, method=method, test=test)
            if is_stuck(fit, stored, method, v):
                stuck += 1
                continue
            where = (key, y.size)
            floor = 1e-3 * y.var(ddof=1)
            assert abs(fit.tau2 - stored["tau2"]) <= 1e-6 * max(fit.tau2, floor), where
            assert (np.abs(fit.estimate - stored["estimate"]) <= 1e-6 * fit.se).all(), where
            assert fit.se == pytest.approx(np.array(stored["se"]), rel=1e-6)
            assert fit.qm == pytest.approx(stored["qm"], rel=1e-5)
            assert fit.qm_p_value == pytest.approx(stored["qmp"], rel=1e-4)
            assert fit.qe == pytest.approx(stored["qe"], rel=1e-9)
            assert fit.i2 == pytest.approx(stored["i2"], abs=1e-4)
            assert fit.log_likelihood == pytest.approx(stored["ll"], abs=1e-6)
            compared += 1
    print(f"\n{compared} regressions compared, {stuck} where metafor is on a lower maximum")
    assert compared > 380
    assert stuck < 20


def test_influence_and_intervals_agree_with_metafor(answers: Any) -> None:
    names = {"rstudent": "rstudent", "dffits": "dffits", "cook.d": "cook_d", "cov.r": "cov_ratio"}
    names |= {"tau2.del": "tau2_deleted", "QE.del": "q_deleted", "hat": "hat", "dfbs": "dfbetas"}
    compared = 0
    for data, answer in answers:
        if "influence" not in answer:
            continue
        y, v = np.array(data["y"]), np.array(data["v"])
        found = meta.influence(y, v, method="DL")
        for theirs, ours in names.items():
            stored = np.array(answer["influence"][theirs], dtype=float)
            size = 1e-7 * max(1e-3, np.abs(stored).max())
            assert getattr(found, ours) == pytest.approx(stored, rel=1e-7, abs=size), theirs
        limits = meta.confint_tau2(y, v)
        stored = answer["confint"]
        floor = 1e-3 * y.var(ddof=1)
        for ours, theirs in ((limits.tau2_low, stored[1]), (limits.tau2_high, stored[2])):
            assert abs(ours - theirs) <= 1e-6 * max(ours, floor)
        compared += 1
    assert compared == 18
