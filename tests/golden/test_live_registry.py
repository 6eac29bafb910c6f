"""A registry of clinics: R's metafor, from the summaries' own files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway.federation.pooling import build_registry
from tests.unit.registry_builder import offer, seal, state

SCRIPT = Path(__file__).with_name("live_registry.R")
SETS = {"alike": (14, 0.2), "different": (14, 2.0), "three": (11, 1.0)}
SAME = ("estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high", "tau2", "i2", "q", "target")


def make_set(k: int, spread: float) -> list[dict[str, Any]]:
    """Make summaries of k clinics."""
    rng = np.random.default_rng(k + round(10 * spread))
    out = []
    for i in range(k):
        mean, sd, n = (
            float(rng.normal(-2, spread)),
            float(rng.uniform(4, 7)),
            int(rng.integers(20, 200)),
        )
        made = state(f"c{i:02d}", mean, sd, n, {("age", None): float(rng.normal(45, 6))})
        made["outcomes"][0] |= {"sd_before": 6.0 + i / 10, "r": 0.4 + i / 50}
        out.append(seal(made))
    return out


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if shutil.which("Rscript") is None:
        if os.environ.get("CI"):
            pytest.fail("R with metafor and jsonlite must be there in CI")
        pytest.skip("SKIPPED LOUDLY: R is not here")
    folder = tmp_path_factory.mktemp("registry")
    given = {
        name: [
            {
                "change": row["mean_change"],
                "se": row["se"],
                "before": row["mean_before"],
                "after": row["mean_after"],
                "sd_before": row["sd_before"],
                "r": row["r"],
                "n": row["n"],
                "age": summary["case_mix"][0]["value"],
            }
            for summary in make_set(*form)
            for row in summary["outcomes"]
        ]
        for name, form in SETS.items()
    }
    (folder / "in.json").write_text(json.dumps(given), encoding="utf-8")
    command = [
        "Rscript",
        "--vanilla",
        str(SCRIPT),
        str(folder / "in.json"),
        str(folder / "out.json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "there is no package" in done.stderr and not os.environ.get("CI"):
        pytest.skip("SKIPPED LOUDLY: R's metafor or jsonlite is not here")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", SETS)
def test_the_tables_are_what_metafor_says(
    name: str, answers: dict[str, Any], tmp_path: Path
) -> None:
    registry = build_registry(offer(tmp_path, make_set(*SETS[name])))
    rows = registry.pooled.set_index("measure").loc
    wanted = answers[name]
    for column in SAME:
        assert rows["MC"][column] == pytest.approx(wanted[column], rel=1e-5, abs=1e-6), column
    assert rows["SMCR"]["estimate"] == pytest.approx(wanted["smcr"], rel=1e-5)
    assert rows["SMCR"]["se"] == pytest.approx(wanted["smcr_se"], rel=1e-5)
    slope = registry.case_mix.iloc[0]
    names = {"slope": "slope", "se": "slope_se", "ci_low": "slope_low", "ci_high": "slope_high"}
    for column, own in {**names, "p_value": "slope_p"}.items():
        assert slope[column] == pytest.approx(wanted[own], rel=1e-4, abs=1e-6), column
