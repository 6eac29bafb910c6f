"""Imputation, estimating equations and the mixed model against R and the golden values.

`sensitivity_r.json` holds made-up data and the answers of R's mice, geepack and lme4 to them, so
that the checks run where R is not. Where R and the packages are here, R is asked again.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import config
from headway.messages import say
from headway.outcomes.change import cohort
from headway.outcomes.change import windows as windows_of
from headway.outcomes.expectation import imputation, longitudinal, sensitivity
from headway.tables import read_parquet
from tests.golden.test_clinic_golden import drop_in
from tests.unit.clinic_builder import ingest

STORED = Path(__file__).with_name("sensitivity_r.json")
SCRIPT = Path(__file__).with_name("sensitivity.R")
LEVELS = ("before", "after", "window x")


@pytest.fixture(scope="module")
def known() -> Any:
    return json.loads(STORED.read_text(encoding="utf-8"))


def read_rows(known: Any) -> pd.DataFrame:
    rows = pd.DataFrame(known["data"]["rows"])
    return rows.assign(
        patient_id=rows["person"], complete=True, value=28 * rows["count"] / rows["days"]
    )


def read_design(rows: pd.DataFrame) -> np.ndarray:
    return np.column_stack([np.ones(len(rows)), *(rows["level"] == level for level in LEVELS[1:])])


def test_rubins_rules_are_those_of_mice(known: Any) -> None:
    """Closed forms on both sides: rounding only."""
    for data, answer in zip(known["data"]["rubin"], known["answers"]["rubin"], strict=True):
        ours = imputation.combine(data["q"], data["u"], data["complete_df"])
        assert np.isclose(ours.estimate, answer["estimate"], rtol=1e-12)
        assert np.isclose(ours.se**2, answer["variance"], rtol=1e-12)
        assert np.isclose(ours.df, answer["df"], rtol=1e-10)
        assert np.isclose(ours.fmi, answer["fmi"], rtol=1e-10)


def test_imputed_sets_are_distributed_as_those_of_mice(known: Any) -> None:
    """400 sets each of the same table, a third of it missing.

    The means of 400 draws differ by Monte Carlo error: four standard errors of the difference.
    The variance between sets has a relative standard error of sqrt(2 / 399) = 7 % on either
    side: the ratio may be off by four times 10 %. Matching with drawn coefficients on both sides,
    or donors in the order of their values, fails here.
    """
    table = pd.DataFrame(known["data"]["people"]).astype("float64")
    imputed = imputation.impute_change(table, imputations=400, seed=7)
    assert imputed is not None
    assert imputed.predictors == ("pre", "post", "earlier")
    change = imputed.post - imputed.pre
    means, within = change.mean(axis=1), change.var(axis=1, ddof=1).mean() / len(table)
    answer = known["answers"]["pmm"]
    error = np.sqrt((means.var(ddof=1) + answer["between"]) / 400)
    assert abs(means.mean() - answer["mean"]) <= 4 * error
    assert 0.67 <= means.var(ddof=1) / answer["between"] <= 1.5
    assert np.isclose(within, answer["within"], rtol=0.03)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_equations_with_unequal_days_are_those_of_geepack(known: Any, family: Any) -> None:
    """geepack is given our working correlation: coefficients and sandwich to its own tolerance.

    5 to 28 days per window, some windows missing. statsmodels' own `weights` would fail.
    """
    rows = read_rows(known)
    fit = longitudinal.fit_gee(
        rows["count"], rows["days"], read_design(rows), rows["person"], family
    )
    answer = known["answers"][family]
    assert np.isclose(fit.correlation, known["data"]["correlation"][family], atol=1e-6)
    assert np.allclose(fit.params, answer["coefficients"], atol=2e-6, rtol=0)
    assert np.allclose(fit.robust, answer["covariance"], atol=2e-6, rtol=0)
    assert fit.converged


def test_the_mixed_model_is_that_of_lme4(known: Any) -> None:
    ours, answer = longitudinal.fit_mixed(read_rows(known)), known["answers"]["mixed"]
    assert ours is not None
    assert abs(ours.estimate - answer["coefficients"][1]) <= 1e-7
    assert abs(ours.se / answer["se"][1] - 1) <= 1e-7
    # lme4's optimiser stops where the criterion is flat.
    assert abs(ours.between - answer["between"]) <= 1e-6
    assert abs(ours.within - answer["within"]) <= 1e-6


def test_r_still_answers_so(known: Any, tmp_path: Path) -> None:
    if shutil.which("Rscript") is None:
        pytest.skip("SKIPPED LOUDLY: R is not here")
    (tmp_path / "data.json").write_text(json.dumps(known["data"]), encoding="utf-8")
    done = subprocess.run(
        ["Rscript", "--vanilla", str(SCRIPT), "data.json", "answers.json", "quick"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 and "there is no package" in done.stderr:
        pytest.skip("SKIPPED LOUDLY: R's mice, geepack or lme4 is not here")
    assert done.returncode == 0, done.stderr
    answers = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    # mice's draws may change with a release; closed forms and fits may not.
    for part in ("binomial", "poisson", "mixed", "rubin"):
        now, then = (flatten(a[part]) for a in (answers, known["answers"]))
        assert np.allclose(now, then, rtol=1e-6, atol=1e-8), part


def flatten(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [x for key in sorted(value) for x in flatten(value[key])]
    if isinstance(value, list):
        return [x for part in value for x in flatten(part)]
    return [float(value)]


def test_vickers_poisson_rate_ratio_at_12_months(shared: Path) -> None:
    """Both printed models, to half a unit of the last printed digit."""
    golden = json.loads((shared / "golden" / "clinic.json").read_text(encoding="utf-8"))
    golden = golden["gee_poisson_exchangeable_rate_ratio_12m"]
    file = shared / "data" / "vickers2004" / "vickers2004_acupuncture_headache_raw.csv"
    rows = []
    with file.open(newline="", encoding="utf-8") as stream:
        for person in csv.DictReader(stream):
            for time, (days, score) in enumerate((("f1", "pk1"), ("f2", "pk2"), ("f5", "pk5"))):
                # A 0 is missing where the score of the same time is blank.
                if time == 0 or person[score].strip():
                    rows.append((person["id"], time, float(person[days]), int(person["group"])))
    who, time, count, group = (np.array(part) for part in zip(*rows, strict=True))
    assert len(set(who)) == 401
    columns = [np.ones(len(rows)), time == 1, time == 2]
    columns += [(group == 1) & (time == 1), (group == 1) & (time == 2)]
    for more, printed, half_digit in (
        ([], golden, 0.00005),
        ([group == 1], golden["with_group_main_effect"], 0.0005),
    ):
        design = np.column_stack([*columns, *more]).astype(float)
        fit = longitudinal.fit_gee(count, np.full(len(rows), 28.0), design, who, "poisson")
        half = imputation.normal_quantile() * np.sqrt(fit.robust[4, 4])
        low, high = np.exp(fit.params[4] - half), np.exp(fit.params[4] + half)
        assert abs(np.exp(fit.params[4]) - printed["estimate"]) <= 0.00005
        assert abs(low - printed["ci95"][0]) <= half_digit
        assert abs(high - printed["ci95"][1]) <= half_digit


def test_vickers_lost_at_12_months(shared: Path, tmp_path: Path) -> None:
    """The acupuncture arm: 161 of 205 people have a value at 12 months.

    Complete pairs are golden; carried forward they are the same sum over 205. R's mice 3.15
    (400 sets, 10 cycles, the same four columns) gives -4.2525 days, standard error 0.4427, fraction
    of missing information 0.220, variance between sets 0.0410: the means of 400 and of our 200 sets
    may differ by four standard errors of their difference, 0.07.
    """
    folder = drop_in(tmp_path / "v", shared)
    _, _, processed = ingest(folder)
    spec = config.load_clinic(folder)
    spec = replace(spec, sensitivity=replace(spec.sensitivity, imputations=200))
    windows = cohort.analyse_clinic(processed, spec)["windows"]
    starters = cohort.find_starters(processed)
    comparisons = windows_of.list_comparisons(spec, {"given"})
    patients = read_parquet(processed / "patients.parquet")
    people = cohort.describe_people(patients, windows, {}, comparisons, starters)
    table = sensitivity.build_sensitivity(windows, starters, comparisons[0], spec, people)
    found = table.set_index("id")
    golden = json.loads((shared / "golden" / "clinic.json").read_text(encoding="utf-8"))
    golden = golden["acupuncture_frequency_12m"]
    pairs, carried = found.loc["complete_pairs"], found.loc["baseline_carried_forward"]
    assert (pairs["n"], pairs["of"], carried["n"]) == (golden["n"], 205, 205)
    assert abs(pairs["estimate"] - golden["change_mean"]) <= 5.1e-7
    assert abs(carried["estimate"] - golden["change_mean"] * 161 / 205) <= 5.1e-7
    imputed = found.loc["multiple_imputation"]
    assert abs(imputed["estimate"] - -4.2525) <= 0.07
    half = (imputed["ci_high"] - imputed["ci_low"]) / 2
    assert abs(half / (1.9752 * 0.4427) - 1) <= 0.05  # t with 157
    assert abs(found.loc["missing_information", "estimate"] - 22.0) <= 5
    # Even 44 people with 28 days leave a mean change below 0.
    tipping = found.loc["tipping_mean"]
    assert np.isnan(tipping["estimate"])
    assert "impossible: even with 28 for each of the 44 people lost" in say(tipping["note"])
    assert 0 < found.loc["tipping_ci", "estimate"] < 28
    # Three windows of 205 people: 12 months against before, not against 3 months.
    assert abs(found.loc["mixed_model", "estimate"] - pairs["estimate"]) < 0.2
