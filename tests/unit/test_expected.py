"""What would be expected without treatment, against closed forms, libraries and known truths."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from headway import config, tables
from headway.config.clinic import Clinic, Cutoff, Entry
from headway.config.departures import list_departures
from headway.ingest import trials
from headway.messages import say
from headway.outcomes.change.windows import Comparison
from headway.outcomes.expectation import checks, expected, judge, regression, untreated
from headway.outcomes.expectation.verdict import read_verdict

NOTHING = np.array([])


@pytest.fixture(scope="module")
def study(repo_root: Path) -> Any:
    path = repo_root / "benchmarks" / "expected.py"
    spec = importlib.util.spec_from_file_location("expected_study", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["expected_study"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def people(n: int = 60, effect: float = 0.0, seed: int = 1) -> tuple[np.ndarray, ...]:
    """Draw days of people whose windows correlate with .75 around a mean of 16."""
    rng = np.random.default_rng(seed)
    own = rng.normal(16, 5, n)
    earlier, baseline, post = own + rng.normal(0, 3, (3, n))
    return earlier, baseline, post + effect


# ---- Regression to the mean of one window ----


@pytest.mark.parametrize(
    ("mu", "sd", "rho", "cutoff", "windows"),
    [(12, 6, 0.75, 15, 1), (12, 6, 0.75, 15, 2), (9, 7, 0.5, 4, 1), (10, 5, 0.6, 20, 3)],
)
def test_the_drop_below_a_cutoff_is_that_of_simulated_people(
    mu: float, sd: float, rho: float, cutoff: float, windows: int
) -> None:
    rng = np.random.default_rng(5)
    own = rng.normal(mu, sd * np.sqrt(rho), 400_000)
    noise = sd * np.sqrt(1 - rho)
    before = (own[:, None] + rng.normal(0, noise, (len(own), windows))).mean(axis=1)
    drop = (before - (own + rng.normal(0, noise, len(own))))[before >= cutoff]
    known = float(regression.regression_to_mean_cutoff(mu, sd, rho, cutoff, windows))
    assert abs(drop.mean() - known) < 4 * drop.std() / np.sqrt(len(drop))


def test_a_cutoff_far_above_the_mean_does_not_underflow() -> None:
    # For z -> infinity phi/(1 - Phi) -> z, so that the drop -> (1 - rho) (cutoff - mu).
    found = float(regression.regression_to_mean_cutoff(0, 1, 0.75, 60))
    assert abs(found - 0.25 * 60) < 0.01
    assert regression.regression_to_mean_cutoff(12, 6, 1.0, 15) == 0
    for wrong in ({"sd": 0}, {"rho": 1.2}, {"windows": 0}):
        given = {"mu": 12, "sd": 6, "rho": 0.7, "cutoff": 15, "windows": 1} | wrong
        with pytest.raises(ValueError, match="must be positive"):
            regression.regression_to_mean_cutoff(**given)


def test_mee_chua_is_the_intercept_of_statsmodels() -> None:
    import statsmodels.api as sm

    _, pre, post = people()
    grid = np.array([6.0, 8.0, 10.0, 16.2])
    found = regression.mee_chua(pre, post, grid)
    for j, mu in enumerate(grid):
        fit = sm.OLS(post, sm.add_constant(pre - mu)).fit()
        ends = fit.conf_int()[0] - mu
        # The same closed form in double precision.
        assert np.allclose(
            [found.effect[j], found.ci_low[j], found.ci_high[j]],
            [fit.params[0] - mu, *ends],
            atol=1e-10,
            rtol=0,
        )
    # At the people's own mean it is their change.
    at_mean = regression.mee_chua(pre, post, pre.mean()).effect[0]
    assert abs(at_mean - (post - pre).mean()) < 1e-12


def test_mee_chua_says_nothing_where_it_cannot() -> None:
    for pre, post in ((NOTHING, NOTHING), ([1, 2], [1, 2]), ([4, 4, 4], [1, 2, 3])):
        assert np.isnan(regression.mee_chua(pre, post, [6, 8]).effect).all()
    with pytest.raises(ValueError, match="same people"):
        regression.mee_chua([1, 2, 3], [1, 2], [6])


# ---- Both windows before ----


# ---- Published arms ----


@pytest.fixture(scope="module")
def arms(repo_root: Path) -> pd.DataFrame:
    folder = repo_root / "data" / "raw" / "trials" / "acupuncture_headache"
    return trials.read_review(folder, config.load_review(folder)).arms


def arms_of(arms: pd.DataFrame, **given: Any) -> pd.DataFrame:
    """Select arms, without the cohorts that are listed whatever their time."""
    found = untreated.select_arms(arms, **given)
    return found[~found["label"].str.contains("Raffaelli")].reset_index(drop=True)


def test_shipped_untreated_arms(arms: pd.DataFrame) -> None:
    late = arms_of(arms, time_days=365)
    assert late["label"].map(say).tolist() == ["Vickers 2004, usual care"]
    # Printed in the golden block usual_care_frequency_12m.
    assert np.allclose(late.loc[0, ["change", "baseline"]].astype(float), [-2.545286, 16.154786])
    assert abs(late.loc[0, "se"] - 5.001374 / np.sqrt(140)) < 1e-9
    early = arms_of(arms, time_days=84)
    early = early.assign(label=early["label"].map(say)).set_index("label")
    assert early.index.tolist() == ["Jena 2008, routine care", "Vickers 2004, usual care"]
    vickers = early.loc["Vickers 2004, usual care"]
    # The people's own change is -1.84 (SD 5.03); Jena prints two means.
    assert abs(vickers["change"] + 1.84) < 0.005
    assert abs(vickers["se"] - 5.03 / np.sqrt(153)) < 0.001
    assert early["note"].map(say).str.contains("assuming").tolist() == [True, False]
    # 7.451335 (SD 6.255441) to 6.899384 (5.795483) of 1,569 people, correlated by 0.746:
    # sqrt(6.255441² + 5.795483² - 2 x 0.746 x 6.255441 x 5.795483) / sqrt(1569).
    jena = early.loc["Jena 2008, routine care"]
    assert (jena["change"], jena["se"]) == pytest.approx((-0.551951, 0.1089618), abs=1e-6)
    for name in ("10.1136/BMJ.38029.421863.eb", "vickers 2004"):
        left = arms_of(arms, time_days=84, leave_out=[name])
        assert left["label"].map(say).tolist() == ["Jena 2008, routine care"]
    assert not len(arms_of(arms, time_days=200))  # none lies near
    # Melchart's waiting list is recalled, and would lack a baseline if it were not.
    told = arms.assign(status=arms["status"].replace("recalled", "retrieved"))
    assert not arms_of(told, time_days=84)["label"].str.contains("Melchart").any()
    whole = told.assign(baseline_mean=told["baseline_mean"].fillna(17.0))
    assert arms_of(whole, time_days=84)["label"].str.contains("Melchart").any()
    whole["status"] = arms["status"]
    assert not arms_of(whole, time_days=84)["label"].str.contains("Melchart").any()
    odd = arms.assign(unit=arms["unit"].replace("days_per_28", "attacks_per_28"))
    assert not len(arms_of(odd, time_days=84))


# ---- The verdict ----


# ---- Checks ----


def test_oldham_and_the_trend_before_treatment() -> None:
    e, b, y = people(n=50)
    found = checks.check_oldham(b, y)
    known = stats.pearsonr(y - b, (b + y) / 2)
    ends = known.confidence_interval(0.95)
    assert np.allclose(
        [found.estimate, found.ci_low, found.ci_high], [known.statistic, *ends], atol=1e-12
    )
    # It is the difference of the variances, scaled (Oldham 1962): alike spreads give about 0.
    spread = (y.var() - b.var()) / (2 * (y - b).std() * ((b + y) / 2).std())
    assert abs(found.estimate - spread) < 1e-12
    for n in (0, 3):
        assert np.isnan(checks.check_oldham(b[:n], y[:n]).estimate)
    assert np.isnan(checks.check_oldham([5.0] * 6, [4.0] * 6).estimate)
    trend = checks.check_trend(e, b)
    ends = stats.ttest_rel(b, e).confidence_interval(0.95)
    assert np.allclose([trend.ci_low, trend.ci_high], ends, atol=1e-12)
    assert np.isnan(checks.check_trend(NOTHING, NOTHING).estimate)


# ---- Through the tables ----


def windows_table(e: np.ndarray, b: np.ndarray, y: np.ndarray, source: str = "diary") -> Any:
    """Make the table `windows` of people, NaN where a window is missing."""
    parts = [
        pd.DataFrame(
            {
                "patient_id": [f"P{i:03d}" for i in range(len(v))],
                "window": name,
                "source": source,
                "outcome": "frequency",
                "value": v,
                "count": v,
                "days_observed": 28.0,
                "days_possible": 28.0,
                "complete": True,
            }
        ).dropna(subset=["value"])
        for name, v in (("earlier", e), ("baseline", b), ("post", y))
    ]
    return tables.conform("windows", pd.concat(parts))


@pytest.fixture(scope="module")
def clinic(repo_root: Path) -> Clinic:
    return replace(config.load_clinic(repo_root / "data" / "raw" / "clinics" / "demo"), doi="")


PRIMARY = Comparison("primary", "before v after", "baseline", "post", "diary", True, True)


def test_only_listed_cohorts_decide(arms: pd.DataFrame) -> None:
    found = untreated.select_arms(arms, time_days=84)
    deciding = found.loc[found["decides"], "label"].map(say).tolist()
    assert [name.split(",")[0] for name in deciding] == [
        "Jena 2008",
        "Vickers 2004",
        "Raffaelli 2021",
    ]
    # 9.42 to 6.39 days in six months, 1,545 people: printed.
    late = found[found["label"].str.contains("Raffaelli")].iloc[0]
    assert late["change"] == pytest.approx(6.39 - 9.42)
    assert (late["n"], late["time_days"]) == (1545, 182)
    other = arms.assign(trial=arms["trial"].replace("Jena 2008", "Somebody 2030"))
    new = untreated.select_arms(other, time_days=84)
    assert not new.loc[new["label"].str.contains("Somebody"), "decides"].any()
    left = untreated.select_arms(arms, time_days=84, leave_out=["raffaelli 2021"])
    assert not left["label"].str.contains("Raffaelli").any()


@pytest.mark.parametrize("effect", [-9.0, 0.0, 8.0])
def test_the_table_carries_the_verdict(clinic: Clinic, arms: pd.DataFrame, effect: float) -> None:
    e, b, y = people(effect=effect, n=120)
    e[:20], b[20:30], y[30:40] = np.nan, np.nan, np.nan
    windows = windows_table(e, b, y)
    table = expected.build_expected(windows, PRIMARY, clinic, arms)
    again = expected.build_expected(windows.sample(frac=1, random_state=1), PRIMARY, clinic, arms)
    pd.testing.assert_frame_equal(table, again, rtol=0, atol=1e-12)
    listed = untreated.select_arms(arms, time_days=69.5)
    direct = judge.judge_change(e, b, y, arms=listed[listed["decides"]])
    read = read_verdict(table)
    assert (read.kind, read.n) == (direct.kind, direct.n) == (direct.kind, 80)
    assert {-9.0: "further", 0.0: "cannot_tell", 8.0: "less"}[effect] == read.kind
    for name in ("change", "low", "high", "tipping_mean", "tipping_r", "published_fall", "allowed"):
        assert getattr(read, name) == pytest.approx(getattr(direct, name), nan_ok=True), name
    assert read.sentence == direct.sentence
    assert set(table.loc[table["source"] == "mee_chua", "n"]) == {100.0}
    assert not table.loc[table["source"].isin(["mee_chua", "change"]), "decides"].any()
    deciding = table[table["decides"]]
    assert deciding["source"].tolist() == [row.source for row in direct.deciding]
    assert deciding["beyond"].tolist() == [row.clears for row in direct.deciding]
    # One of the deciding rows withheld: nothing is said.
    for i in deciding.index:
        numbers = ["expected", "difference", "diff_ci_low", "diff_ci_high"]
        hidden = table.copy()
        hidden.loc[i, [*numbers, "change"]] = np.nan
        hidden.loc[i, "redacted"] = True
        assert read_verdict(hidden).kind == "cannot_tell"


def test_without_the_earlier_window_the_table_carries_no_verdict(clinic: Clinic) -> None:
    e, b, y = people(effect=-12, n=60)
    for known in (0, 19, 29):
        part = np.where(np.arange(60) < known, e, np.nan)
        table = expected.build_expected(windows_table(part, b, y), PRIMARY, clinic)
        read = read_verdict(table)
        assert read.kind == "not_recorded" and "earlier_window" in read.missing
        assert not table["decides"].any() and table["range_low"].isna().all()
        assert read.change == pytest.approx((y - b).mean()) and read.n == 60
        assert ": a fall." in read.sentence
    visit = replace(PRIMARY, id="visit_recall", source="visit")
    rows = expected.build_expected(windows_table(e * np.nan, b, y, "visit"), visit, clinic)
    assert read_verdict(rows).kind == "not_recorded"
    assert not len(expected.build_expected(tables.empty("windows"), PRIMARY, clinic))
    assert read_verdict(tables.empty("expected")).kind == "no_data"


def test_the_clinics_own_trial_is_left_out(clinic: Clinic, arms: pd.DataFrame) -> None:
    windows = windows_table(*people(n=80))
    rows = expected.build_expected(windows, PRIMARY, clinic, arms)
    (arm,) = rows[rows["source"] == "arm"].to_dict("records")
    _, b, y = people(n=80)
    assert arm["change"] == pytest.approx((y - b).mean())
    own = replace(clinic, doi="10.1136/bmj.38029.421863.EB")
    named = replace(clinic, expected=replace(clinic.expected, leave_out=("Vickers 2004",)))
    for document in (own, named):
        rows = expected.build_expected(windows, PRIMARY, document, arms)
        assert not (rows["source"] == "arm").any()


@pytest.mark.parametrize(
    ("level", "days", "taken"),
    [
        *((11.0, 84, True), (21.0, 84, True), (10.9, 84, False), (21.1, 84, False)),
        *((16.0, 56, True), (16.0, 112, True), (16.0, 55, False), (16.0, 113, False)),
    ],
)
def test_an_arm_counts_within_5_days_of_the_level_and_28_of_the_time(
    level: float, days: float, taken: bool
) -> None:
    arm = {"change": -1.0, "se": 0.5, "n": 50, "baseline": level, "time_days": days}
    assert judge.select_like([arm], 16.0, 84.0) == ([arm] if taken else [])


@pytest.mark.parametrize(("days", "shown"), [(41.0, 0), (45.0, 1), (95.0, 1), (105.0, 0)])
def test_arms_stand_beside_the_middle_of_the_days_that_an_answer_is_about(
    clinic: Clinic, arms: pd.DataFrame, days: float, shown: int
) -> None:
    """An answer on day 84 is about days 56 to 83: arms count from day 42 to day 98."""
    e, b, y = people(n=80)
    visit = replace(PRIMARY, id="visit_recall", source="visit")
    moved = arms.assign(time_days=arms["time_days"].where(arms["time_days"] != 84, days))
    rows = expected.build_expected(windows_table(e * np.nan, b, y, "visit"), visit, clinic, moved)
    assert (rows["source"] == "arm").sum() == shown


def test_a_known_entry_threshold_is_shown(clinic: Clinic) -> None:
    e, b, y = people(effect=-4, n=150)
    cutoff = Cutoff(days=15, population_sd=7, source="test")
    own = replace(clinic, expected=replace(clinic.expected, cutoff=cutoff))
    rows = expected.build_expected(windows_table(e, b, y), PRIMARY, own)
    row = rows[(rows["source"] == "cutoff") & (rows["mu"] == 8)].iloc[0]
    drop = float(regression.regression_to_mean_cutoff(8, 7, 0.746, 15))
    ends = stats.ttest_rel(y, b).confidence_interval(0.95)
    assert not row["decides"] and abs(row["expected"] + drop) < 1e-12
    found = row[["diff_ci_low", "diff_ci_high"]].astype(float)
    assert np.allclose(found, np.array([*ends]) + drop, atol=1e-12)


def test_what_was_declared_is_used_and_listed(clinic: Clinic) -> None:
    e, b, y = people(effect=-4, n=60)
    own = replace(
        clinic,
        entry=Entry(last=15),
        expected=replace(clinic.expected, population_means=(6.0, 15.0), retest=0.987),
    )
    rows = expected.build_expected(windows_table(e, b, y), PRIMARY, own)
    tied = rows[rows["source"] == "both_windows_mu"]
    assert tied["mu"].tolist() == [6, 15] and tied["decides"].all()
    assert rows.loc[rows["source"] == "earlier", "decides"].all()
    plain = {d.key for d in list_departures(clinic)}
    assert {d.key: d.value for d in list_departures(own) if d.key not in plain} == {
        "entry": Entry(last=15),
        "expected.population_means": (6.0, 15.0),
        "expected.retest": 0.987,
    }


# ---- The study of the rates ----


def test_a_few_clinics_of_the_study(study: Any) -> None:
    cells = study.list_grid()
    assert len(cells) == len(set(cells)) == 135
    found = study.run([cells[3], cells[70], cells[-2]], 40, 5)
    for cell, row in found.items():
        assert row["further"] <= 3 and row["less"] <= 4, cell.name
        assert row["wrong range"] == 0
    real = [c for c in study.list_effects() if c.start == 188][:2]
    for cell, row in study.run(real, 20, 5).items():
        assert row["wrong range"] == 0
        assert row["further, arms"] <= row["further"], cell.name


def test_the_page_holds_a_full_run_with_these_settings(study: Any, repo_root: Path) -> None:
    text = (repo_root / "docs" / "expected.md").read_text(encoding="utf-8")
    assert f"Settings `{study.digest_settings(study.CLINICS)}`" in text
    assert " 0 verdicts whose range holds their change" in text
    assert {name.split(";")[0] for name in re.findall(r"^\| (\d+; \S+) \|", text, re.M)} >= {
        "5",
        "7",
        "9",
        "12",
        "14",
    }
