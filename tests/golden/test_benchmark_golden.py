"""Vickers' usual care, read as a clinic, beside published arms without its own trial."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from headway import config
from headway.ingest.trials import read_review
from headway.outcomes.change import windows as windows_of
from headway.outcomes.expectation import benchmark
from tests.conftest import ROOT
from tests.golden.test_clinic_golden import drop_in
from tests.unit.clinic_builder import analyse


def test_usual_care_as_a_clinic(shared: Path, tmp_path: Path) -> None:
    known = json.loads((shared / "golden" / "clinic.json").read_text())["usual_care_frequency_12m"]
    folder = drop_in(tmp_path / "v", shared, lambda f: f.update(keep_where={"group": [0]}))
    clinic, tables = config.load_clinic(folder), analyse(folder)
    review = ROOT / "data" / "raw" / "trials" / "acupuncture_headache"
    arms = read_review(review, config.load_review(review)).arms

    def build(id: str, **changes: str) -> tuple[dict[str, float], set[tuple[str, str]]]:
        comparisons = windows_of.list_comparisons(clinic, {"given"})
        comparison = next(c for c in comparisons if c.id == id)
        own = benchmark.describe_clinic(
            tables["change"], comparison, replace(clinic, **changes), outcome="frequency", of=196
        )
        found = benchmark.build_benchmark(own, arms, clinic)
        drawn = found[found["block"] == "arm"]
        return found.iloc[0].to_dict(), set(zip(drawn["trial"], drawn["arm"], strict=True))

    ours, drawn = build("month_12")
    # Printed with six decimals, and the interval with two.
    assert ours["change"] == pytest.approx(known["change_mean"], abs=5.1e-7)
    assert ours["baseline"] == pytest.approx(known["pre_mean"], abs=5.1e-7)
    assert ours["n"] == known["n"] and ours["of"] == 196
    low, high = known["change_t_ci95"]
    assert (ours["ci_low"], ours["ci_high"]) == pytest.approx((low, high), abs=0.0051)
    assert ours["romc"] == pytest.approx(known["ROMC_bias_corrected"], abs=0.0001)
    # Its own trial is known by the doi; no other arm was measured near twelve months.
    assert drawn == set()
    _, drawn = build("month_3")
    assert {trial for trial, _ in drawn} == {"Jena 2008"}
    _, drawn = build("month_12", doi="")
    assert drawn == {("Vickers 2004", "acupuncture"), ("Vickers 2004", "usual care")}
