"""What Headway writes for R's metafor, read and refitted by metafor itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import config, meta
from headway.ingest import trials
from headway.ingest.adapters.metafor import write_metafor, write_script
from headway.reviews.effects_table import build_effects
from tests.unit.test_interchange import made_up

SCRIPT = Path(__file__).with_name("interchange.R")


def run_r(folder: Path, *arguments: str) -> str:
    """Run R in a folder and return what it prints; skip loudly where R or metafor is not here."""
    if shutil.which("Rscript") is None:
        if os.environ.get("CI"):
            pytest.fail("R with metafor and jsonlite must be there in CI")
        pytest.skip("SKIPPED LOUDLY: R is not here")
    command = ["Rscript", "--vanilla", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "there is no package" in done.stderr and not os.environ.get("CI"):
        pytest.skip("SKIPPED LOUDLY: R's metafor or jsonlite is not here")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=["made up", "lee_done_2004_acupoint"])
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, repo_root: Path
) -> tuple[Path, dict[str, Any], pd.DataFrame]:
    folder = tmp_path_factory.mktemp("interchange")
    if request.param == "made up":
        review, effects = made_up(folder / "review")
    else:
        place = repo_root / "data/raw/trials" / request.param
        review = config.load_review(place)
        read = trials.read_review(place, review)
        effects = build_effects(read.arms, read.contrasts, review)
    write_metafor(effects, folder / "metafor.csv")
    return folder, review, effects


def test_metafor_gives_the_same_effects_and_estimates(case: Any) -> None:
    folder, _, effects = case
    run_r(folder, str(SCRIPT), "metafor.csv", "answers.json")
    answers = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    assert set(answers) == set(effects["comparison"])
    recomputed = compared = 0
    for id, part in effects.groupby("comparison"):
        answer = answers[id]
        assert answer["study"] == part["trial"].tolist()
        assert answer["pooled"] == part["pooled"].tolist()
        # R reads decimals to the last bit or its neighbour.
        for name in ("yi", "vi"):
            stored = [float(text.replace("NA", "nan")) for text in answer[name]]
            np.testing.assert_allclose(stored, part[name], rtol=5e-16)
        raw = answer.get("raw")
        assert (raw is not None) == ((part["basis"] == "arms") & part["yi"].notna()).any()
        if raw is not None:
            np.testing.assert_allclose(raw["y"], raw["yi"], rtol=1e-10, atol=1e-13)
            np.testing.assert_allclose(raw["v"], raw["vi"], rtol=1e-10)
            recomputed += len(raw["y"])
        used = part[part["pooled"]]
        for key, stored in answer["fits"].items():
            method, test = key.split()
            fit = meta.pool(used["yi"], used["vi"], method=method, test=test)
            ours = (fit.estimate, fit.se, fit.ci_low, fit.ci_high)
            width = fit.ci_high - fit.ci_low
            np.testing.assert_allclose(
                ours, stored[:4], rtol=0, atol=1e-8 * width, err_msg=f"{id} {key}"
            )
            assert fit.tau2 == pytest.approx(stored[4], rel=1e-6, abs=1e-8 * used["yi"].var())
            assert fit.q == pytest.approx(stored[5], rel=1e-9)
            compared += 1
    print(f"\n{recomputed} effects by escalc(), {compared} fits by rma()")
    assert compared == 15 * effects["comparison"].nunique()
    assert recomputed >= 16


def test_the_script_prints_what_headway_pools(case: Any) -> None:
    folder, review, effects = case
    (folder / "reproduce.R").write_text(write_script(review), encoding="utf-8")
    printed = run_r(folder, "reproduce.R")
    model = review.model
    found = 0
    for comparison in review.comparisons:
        used = effects[(effects["comparison"] == comparison.id) & effects["pooled"]]
        parts = [used] if comparison.subgroup_by != "arm" else []
        if comparison.subgroup_by != "none":
            parts += [used[used["subgroup"] == name] for name in used["subgroup"].unique()]
        for part in parts:
            fit = meta.pool(
                part["yi"], part["vi"], level=review.level, method=model.method, test=model.test
            )
            line = f"  {model.method}, {model.test}: k = {fit.k}, estimate = {fit.estimate:.10g}"
            head = line.partition("estimate = ")[0]
            numbers = [
                float(text.partition("estimate = ")[2].split(",")[0])
                for text in printed.splitlines()
                if text.startswith(head)
            ]
            assert any(abs(x - fit.estimate) <= 1e-8 * fit.se for x in numbers), comparison.id
            found += 1
    assert printed.count("estimate = ") == found
    assert "differ by" in printed
