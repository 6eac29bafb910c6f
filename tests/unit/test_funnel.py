"""Therapists held against each other: over-dispersion, case mix, who is flagged and who is not."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway.config import name_clinic
from headway.config.clinic import Clinic, Window, Windows
from headway.figures.clinic.funnel import draw_funnel
from headway.messages import say
from headway.outcomes.care.funnel import (
    USUAL_ICC,
    build_funnel,
    describe_baseline,
    estimate_overdispersion,
    expect_change,
    judge_units,
    pair_widely,
)
from headway.outcomes.change.windows import Comparison
from headway.tables import conform, write_parquet

Y = np.array([1.2, -0.4, 0.3, 2.9, -1.1, 0.6, -0.2, 0.1])
SE = 4.9 / np.sqrt([31, 24, 40, 28, 19, 35, 22, 50])


def test_without_winsorising_it_is_metafors_dersimonian_laird() -> None:
    # R metafor 3.8.1: rma(y, sei = se, method = "DL") and method = "EE".
    found = estimate_overdispersion(Y, SE, winsorise=0)
    assert found.tau2 == pytest.approx(0.45218258, abs=1e-7)
    assert found.phi * 7 == pytest.approx(11.04722430, abs=1e-7)
    assert found.p_value == pytest.approx(0.13657234, abs=1e-7)
    assert found.target == pytest.approx(0.48795181, abs=1e-7)


def test_winsorising_draws_extreme_residuals_in() -> None:
    # Equal errors of 1: z = y - 0.1 = -3.1 ... 4.9; 10 % of 11 values is the second and tenth.
    y = np.array([-3.0, -2, -1, -1, 0, 0, 0, 1, 1, 1.1, 5])
    z = y - y.mean()
    z[0], z[-1] = z[1], z[-2]
    found = estimate_overdispersion(y, np.ones(11), winsorise=0.1)
    assert found.phi * 10 == pytest.approx((z**2).sum())
    assert found.tau2 == pytest.approx(max(0, ((z**2).sum() - 10) / (11 - 1)))
    plain = estimate_overdispersion(y, np.ones(11), winsorise=0)
    assert plain.tau2 > found.tau2
    with pytest.raises(ValueError, match="two units"):
        estimate_overdispersion([1.0], [1.0])


def test_without_overdispersion_z_is_metafors_deleted_residual() -> None:
    # R metafor 3.8.1: rstudent(rma(y, sei = se, method = "EE"))$z
    found = judge_units(Y, SE, df=200)
    assert not found.tau2.any() and not found.flag.any()
    known = [0.864700, -0.933915, -0.264793, 2.764856, -1.469785, 0.145927, -0.689700, -0.626239]
    assert np.allclose(found.z, known, atol=2e-6)
    # 99.8 % limits of Student's t with 200 df: 3.1315 (tables print 3.131).
    assert np.allclose(found.outer / ((Y - found.target) / found.z), 3.1315, atol=1e-4)


def test_who_stands_out_does_not_pull_others_over_the_limit() -> None:
    y = np.array([0.1, -0.2, 0.0, 0.2, -0.1, 9.0])
    found = judge_units(y, np.ones(6), df=150)
    assert found.flag.tolist() == [False] * 5 + [True]
    # The five are held against each other only.
    assert found.target[0] == pytest.approx(np.mean([-0.2, 0.0, 0.2, -0.1]))
    assert np.abs(found.z[:5]).max() < 0.5
    for values, errors, message in (([1, 2], [1, 1], "three"), ([1, 2, 3], [1, 0, 1], "above 0")):
        with pytest.raises(ValueError, match=message):
            judge_units(values, errors, df=10)


def test_a_usual_spread_is_added_where_none_is_found() -> None:
    y = np.array([0.1, -0.2, 0.0, 0.2, -0.1])
    found = judge_units(y, np.full(5, 0.8), df=120, usual=0.3)
    assert (found.tau2 == 0.3).all()
    # One against four: the variance of y[0] - mean(others) is (0.64 + 0.3) (1 + 1/4).
    assert found.z[0] == pytest.approx((0.1 + 0.025) / np.sqrt(0.94 * 1.25))
    # What is clearly there is not added to it.
    wild = np.array([9.0, -8, 7, -9, 8, -7])
    more = judge_units(wild, np.full(6, 0.8), df=120, usual=0.3)
    assert np.allclose(more.tau2, judge_units(wild, np.full(6, 0.8), df=120).tau2)


def draw_clinics(k: int, shift: float, runs: int, seed: int, sd: float = 5.03) -> tuple[float, ...]:
    """Rates of flags: of the first therapist, and of any of the others (k therapists of 30)."""
    rng = np.random.default_rng(seed)
    first = others = 0
    for _ in range(runs):
        y = rng.normal(0, sd / np.sqrt(30), k)
        y[0] += shift
        pooled = sd * np.sqrt(rng.chisquare(29 * k) / (29 * k))
        flag = judge_units(y, np.full(k, pooled / np.sqrt(30)), df=29 * k).flag
        first += flag[0]
        others += flag[1:].any()
    return first / runs, others / runs


@pytest.mark.parametrize("k", [5, 8, 12])
def test_false_flags_are_rare(k: int) -> None:
    """At most 2.5 % of clean clinics; Monte Carlo error of 2500 runs is 0.3 points."""
    first, others = draw_clinics(k, 0.0, 2500, seed=k)
    assert first + others <= 0.025 + 0.006


@pytest.mark.parametrize(("k", "least"), [(5, 0.94), (8, 0.95), (12, 0.95)])
def test_five_days_worse_at_thirty_people_is_flagged(k: int, least: float) -> None:
    """SD 5.03 of an untreated change (Vickers 2004), not adjusted for anything.

    With five therapists the four others carry much of the noise: with no over-dispersion at all
    the rate is Phi(5 / (5.03 sqrt(1/30 + 1/120)) - 3.14) = 95.8 %, and 95.0 % of 3000 runs were
    flagged; the bound is lower by the Monte Carlo error of 1000.
    """
    first, others = draw_clinics(k, 5.0, 1000, seed=100 + k)
    assert first >= least
    assert others <= 0.03


def test_real_differences_between_many_therapists_widen_the_limits() -> None:
    rng = np.random.default_rng(4)
    flags, spreads = [], []
    for _ in range(200):
        y = rng.normal(0, np.sqrt(2.0**2 + 0.9**2), 40)
        found = judge_units(y, np.full(40, 0.9), df=1000)
        flags.append(found.flag.mean())
        spreads.append(found.tau2.mean())
    # Without over-dispersion P(|z| > 3.1 x 0.9 / 2.19) = 20 % would lie outside. Winsorising at
    # 10 % leaves 0.68 of a normal variance, so 1 % is to be expected and not 0.2 %.
    assert 0.005 < np.mean(flags) < 0.025
    # (0.68 x (2² + 0.9²) - 0.9²) = 2.5 of the true 4.
    assert np.mean(spreads) == pytest.approx(2.5, abs=0.25)


def make_people(seed: int = 0, k: int = 6, n: int = 40) -> tuple[pd.DataFrame, ...]:
    rng = np.random.default_rng(seed)
    people = [f"p{i:03}" for i in range(k * n)]
    who = pd.Series(np.repeat([f"T{i}" for i in range(k)], n), index=people)
    # T0 sees people with many more days, and change goes with days.
    pre = rng.normal(14, 3, k * n) + 7.0 * (who == "T0")
    age = rng.normal(45, 10, k * n)
    change = -0.6 * (pre - 14) + 0.03 * (age - 45) + rng.normal(0, 3, k * n)
    pairs = pd.DataFrame({"patient_id": people, "pre": pre, "post": pre + change})
    patients = pd.DataFrame(
        {
            "patient_id": people,
            "age": np.where(rng.random(k * n) < 0.1, np.nan, age),
            "age_band": None,
            "sex": rng.choice(["female", "male"], k * n),
            "condition": rng.choice(["1.1", "2.2", None], k * n),
            "chronicity_years": np.nan,
        }
    )
    return pairs, who, patients


def test_slopes_and_spread_are_those_of_least_squares_with_a_mean_per_therapist() -> None:
    import statsmodels.formula.api as smf

    pairs, who, _ = make_people()
    frame = pairs.assign(
        change=pairs["post"] - pairs["pre"], who=who.to_numpy(), x=np.arange(240) % 7
    )
    known = smf.ols("change ~ C(who) + pre + x", data=frame).fit()
    mix = expect_change(frame["change"], frame["who"], frame[["pre", "x"]])
    slopes = known.params["pre"] * (frame["pre"] - frame["pre"].mean())
    slopes += known.params["x"] * (frame["x"] - frame["x"].mean())
    assert np.allclose(mix.expected, frame["change"].mean() + slopes, atol=1e-10)
    assert mix.sd == pytest.approx(np.sqrt(known.mse_resid), rel=1e-10)
    assert mix.df == known.df_resid
    # Means at the mean person, with their covariance (units of their own, no common mean).
    centred = frame.assign(pre=frame["pre"] - frame["pre"].mean(), x=frame["x"] - frame["x"].mean())
    cells = smf.ols("change ~ C(who) + pre + x - 1", data=centred).fit()
    assert mix.units == ("T0", "T1", "T2", "T3", "T4", "T5")
    assert np.allclose(mix.difference + frame["change"].mean(), cells.params[:6], atol=1e-10)
    assert np.allclose(mix.covariance, cells.cov_params().iloc[:6, :6], atol=1e-10)
    # T0, whose people differ most, against the others: statsmodels' contrast and its t.
    w = 1 / np.diag(mix.covariance)[1:]
    held = cells.t_test(np.r_[1, -w / w.sum(), 0, 0])
    found = judge_units(mix.difference, mix.covariance, mix.df)
    assert not found.tau2[0]
    assert found.z[0] == pytest.approx(held.tvalue.item(), rel=1e-9)
    assert held.sd.item() > 1.2 * mix.sd * np.sqrt(1 / 40 + 1 / 200)  # slopes have an error too
    # What is the same for all of a therapist's people cannot be told from the therapist.
    tied = frame.assign(site=(frame["who"] == "T1").astype(float))
    same = expect_change(frame["change"], frame["who"], tied[["pre", "x", "site"]])
    assert same.variables == ("pre", "x")
    few = expect_change(frame["change"][:15], frame["who"][:15], frame[["pre", "x"]][:15])
    assert few.variables == ("pre",)  # one column for ten people


def test_case_mix_is_adjusted_for() -> None:
    pairs, who, patients = make_people()
    nothing = pd.DataFrame(index=who.index)
    unit = "headache days per 28"
    raw = build_funnel(pairs, who, nothing, outcome="frequency", unit=unit).set_index("therapist")
    assert raw.loc["T0", "flag"]
    baseline = describe_baseline(pairs, patients)
    assert list(baseline.columns) == ["value_before", "condition", "age", "sex"]
    found = build_funnel(pairs, who, baseline, outcome="frequency", unit=unit)
    assert not found["flag"].any()
    assert found["adjusted_for"].iloc[0] == "value_before; condition; age; sex"
    assert found["note"].str.startswith("therapists.so_few").all()
    assert (found["n"] == 40).all()
    assert (f"{100 * USUAL_ICC:.1f} % of the variance") in say(found["note"].iloc[0])
    mean = (pairs["post"] - pairs["pre"]).groupby(who.to_numpy()).mean()
    assert found["observed"].to_numpy() == pytest.approx(mean.to_numpy())
    drawing = draw_funnel(raw.reset_index())
    assert "T0: n 40" in drawing.alt and "1 outside." in drawing.alt
    hidden = found.assign(redacted=found["therapist"] == "T0")
    drawing = draw_funnel(hidden)
    assert "T0" not in drawing.alt and "No one lies outside." in drawing.alt
    assert "1 hidden: too few people." in drawing.caption


def test_people_of_several_therapists_and_few_therapists() -> None:
    pairs, who, patients = make_people(k=4)
    baseline = describe_baseline(pairs, patients)
    mixed = who.mask(who == "T3", "several")
    found = build_funnel(pairs, mixed, baseline, outcome="frequency", unit="d")
    assert found["therapist"].tolist() == ["T0", "T1", "T2"]
    two = who.where(who.isin(["T0", "T1"]))
    assert not len(build_funnel(pairs, two, baseline, outcome="frequency", unit="d"))


PRIMARY = Comparison("primary", "", "baseline", "post", "diary", True, False)


def name_windows(post: int = 56, **more: Any) -> Clinic:
    named = {
        "earlier": Window(from_=-56, to=-29),
        "baseline": Window(from_=-28, to=-1),
        "post": replace(Window(from_=post, to=post + 27), **more),
    }
    return replace(name_clinic("c"), windows=Windows(named=named))


def write_days(folder: Path) -> Path:
    """P1 has 2 headaches in 10 days before and 3 after, P2 too few days, P3 a second course."""
    rows = [
        (person, day, int(day % 10 < (2 if day < 0 else 3)))
        for person, days in (
            ("P1", [*range(-50, 0), *range(28, 112)]),
            ("P2", [*range(-50, 0), *range(93, 130)]),
            ("P3", [*range(-50, 0), *range(28, 112)]),
        )
        for day in days
    ]
    frame = pd.DataFrame(rows, columns=["patient_id", "day", "headache"])
    path = folder / "days.parquet"
    write_parquet(conform("days", frame, check=False), path)
    return path


def test_wide_pairs_take_the_days_around_the_primary_window(tmp_path: Path) -> None:
    days = write_days(tmp_path)
    courses = pd.DataFrame(
        {"patient_id": ["P1", "P2", "P3"], "last_day": 80.0, "next_start": [np.nan, np.nan, 100.0]}
    )
    wide = pair_widely(days, name_windows(), PRIMARY, courses)
    assert wide is not None
    says = say(wide.rule)
    assert "days −56 to −1" in says and "days 28 to 111" in says
    pairs = wide.pairs[wide.pairs["outcome"] == "frequency"]
    assert pairs["patient_id"].tolist() == ["P1"]
    after = sum(d % 10 < 3 for d in range(28, 112))
    assert pairs["pre"].item() == pytest.approx(28 * 10 / 50)
    assert pairs["post"].item() == pytest.approx(28 * after / 84)
    # Day 0 and what lies before it are never after; the middle stays.
    near = pair_widely(days, name_windows(post=11), PRIMARY, courses)
    assert near is not None
    assert "days 1 to 48" in say(near.rule) and "10 days on either" in say(near.rule)


def test_what_has_no_fixed_days_is_not_widened(tmp_path: Path) -> None:
    days = write_days(tmp_path)
    assert pair_widely(days, name_windows(), replace(PRIMARY, source="visit")) is None
    assert pair_widely(days, name_windows(anchor="last_session"), PRIMARY) is None
    assert pair_widely(days, name_windows(to=None), PRIMARY) is None
    assert pair_widely(days, name_windows(post=0), PRIMARY) is None
    assert pair_widely(days, name_windows(), replace(PRIMARY, post="elsewhere")) is None
    named = {k: w for k, w in name_windows().windows.named.items() if k != "earlier"}
    one = pair_widely(days, replace(name_clinic("c"), windows=Windows(named=named)), PRIMARY)
    assert one is not None and "days −28 to −1" in say(one.rule)


@pytest.fixture(scope="module")
def bench(repo_root: Path) -> ModuleType:
    path = repo_root / "benchmarks" / "therapists.py"
    spec = importlib.util.spec_from_file_location("bench_therapists", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_therapists"] = module
    spec.loader.exec_module(module)
    return module


def test_the_simulated_outlier_is_flagged_and_a_clean_clinic_is_not(
    bench: ModuleType, tmp_path: Path
) -> None:
    """Twelve clinics by way of their tables; docs/benchmarks.md has the rates of 1 000."""
    flags, n, clean = bench.judge_clinics(bench.Clinics(tmp_path), range(12))
    assert sum(f[0] for f in flags) >= 10  # P(fewer) is 1 % at a rate of 95 %
    for found in clean.values():
        assert sum(f.any() for f in found) <= 2
    assert np.mean(n) > 28  # of 30
