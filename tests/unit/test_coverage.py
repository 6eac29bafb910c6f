"""The coverage study: facts known in closed form, and the page holds what the script computes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="module")
def study() -> Any:
    import sys

    path = Path(__file__).resolve().parents[2] / "benchmarks" / "coverage.py"
    spec = importlib.util.spec_from_file_location("coverage_study", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["coverage_study"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("spread", ["none", "small", "large"])
def test_hartung_knapp_is_exact_for_equal_trials(study: Any, spread: str) -> None:
    # Equal weights whatever tau2: the interval is that of a mean of normal numbers, on k - 1 df.
    found = study.cover(study.Cell(5, spread, equal=True), 8000)
    error = np.sqrt(0.95 * 0.05 / 8000)
    assert abs(found["knha"]["coverage"] - 0.95) < 4 * error
    assert found["adhoc"]["coverage"] >= found["knha"]["coverage"]


@pytest.mark.parametrize("k", [3, 20])
def test_the_common_effect_interval_is_exact_without_heterogeneity(study: Any, k: int) -> None:
    from headway import meta

    # Known variances, one true effect: the weighted mean is normal with variance 1/sum(w).
    y, v = study.draw(study.Cell(k, "none"), 8000)
    fit = meta.pool(y, v, method="EE", test="z")
    inside = np.mean((np.asarray(fit.ci_low) < 0) & (np.asarray(fit.ci_high) > 0))
    assert abs(inside - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 8000)


def test_drawn_trials_are_what_the_page_says(study: Any) -> None:
    y, v = study.draw(study.Cell(10, "large"), 4000)
    w = 1 / v
    typical = 9 * w.sum(1) / (w.sum(1) ** 2 - (w**2).sum(1))
    assert typical == pytest.approx(1.0)
    assert np.mean(y**2 - v) == pytest.approx(3.0, rel=0.1)
    assert np.median(v.max(1) / v.min(1)) == pytest.approx(10, rel=0.3)


def test_the_page_holds_the_numbers_of_the_script(study: Any, repo_root: Path) -> None:
    text = (repo_root / "docs" / "coverage.md").read_text(encoding="utf-8")
    assert f"{study.REPLICATES:,} replicates per row, seed {study.SEED}" in text
    cell = study.Cell(3, "large")
    results = {cell: study.cover(cell, study.REPLICATES)}
    biases = {cell: study.estimate(cell, study.REPLICATES)}
    lines = study.write_tables(results, biases, study.REPLICATES).splitlines()
    rows = [line for line in lines if line.startswith("| 3, large")]
    assert len(rows) == 4
    assert [row for row in rows if row not in text] == []
    # Every number that the text quotes of this row is in the table.
    assert "83.5 % with three trials" in text and "| 83.5 |" in rows[0]
    assert "92.4 and 92.6 % with large tau²" in text and "| 92.4 | 87.3 | 92.6 |" in rows[2]
    # Of the other rows: the page was made with the settings of the script as it is now.
    assert f"settings {study.digest_settings(study.REPLICATES)};" in text
    assert (repo_root / "docs" / "coverage.svg").stat().st_size > 10_000
