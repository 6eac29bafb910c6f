"""Synthetic clinics: the natural course against Vickers' usual care, the truth, the files."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headway import simulate
from headway.errors import ConfigError
from headway.simulate import (
    COLUMNS,
    clinic_files,
    load_parameters,
    natural_course,
    scenarios,
    simulate_clinic,
    write_clinic,
)

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "data" / "raw" / "clinics" / "demo"
FILES = ("patients.csv", "sessions.csv", "diary.csv", "questionnaires.csv")
NO_ERRORS = {
    f"errors.{kind}": 0
    for kind in ("duplicate_diary_rows", "intensity_twelve", "negative_minutes", "unknown_patient")
}
# golden/clinic.json, calibrated_null_generator.simulated (the tests of the golden values hold the
# file itself; these six are repeated so that this file runs without the shared folder).
PUBLISHED = {
    "baseline_mean": 16.46,
    "baseline_sd": 6.70,
    "r": 0.741,
    "change_mean": -1.80,
    "change_sd": 5.03,
    "responders_50": 0.141,
}
ROUNDING = {"r": 0.0005, "responders_50": 0.0005}  # half of the last printed digit; others 0.005


def monte_carlo_se(n: int) -> dict[str, float]:
    """Standard errors of the six statistics in n people (normal theory, at published values)."""
    share = PUBLISHED["responders_50"]
    return {
        "baseline_mean": PUBLISHED["baseline_sd"] / math.sqrt(n),
        "baseline_sd": PUBLISHED["baseline_sd"] / math.sqrt(2 * n),
        "r": (1 - PUBLISHED["r"] ** 2) / math.sqrt(n),
        "change_mean": PUBLISHED["change_sd"] / math.sqrt(n),
        "change_sd": PUBLISHED["change_sd"] / math.sqrt(2 * n),
        "responders_50": math.sqrt(share * (1 - share) / n),
    }


def distances(found: dict[str, float], n: int) -> dict[str, float]:
    """Distance from the published block in standard errors of a difference of two simulations.

    The block does not state its number of people; it is taken to be ours.
    """
    se = monte_carlo_se(n)
    return {
        key: max(abs(found[key] - value) - ROUNDING.get(key, 0.005), 0.0) / (math.sqrt(2) * se[key])
        for key, value in PUBLISHED.items()
    }


@pytest.fixture(scope="module")
def null_clinic() -> simulate.SimulatedClinic:
    return simulate_clinic(n_patients=4000, seed=41, scenario="null_rtm", parameters=NO_ERRORS)


@pytest.fixture(scope="module")
def real_clinic() -> simulate.SimulatedClinic:
    return simulate_clinic(n_patients=4000, seed=41, scenario="real_effect", parameters=NO_ERRORS)


@pytest.fixture(scope="module")
def demo() -> simulate.SimulatedClinic:
    return simulate_clinic(n_patients=120, seed=20260101, scenario="real_effect")


# --- the natural course ---------------------------------------------------------------------


def test_a_clinic_without_effect_has_the_published_population(
    null_clinic: simulate.SimulatedClinic,
) -> None:
    found = distances(null_clinic.truth["estimands"], 4000)
    assert max(found.values()) < 3, found


def test_three_windows_after_entry_is_the_lag_of_the_published_block() -> None:
    n = 30_000
    course = natural_course(np.random.default_rng(3), n, load_parameters("null_rtm"))
    days = course.headache.reshape(n, -1, 28).sum(axis=2)
    before = days[:, 1]
    worst = {}
    for lag in (1, 2, 3, 4):
        after = days[:, 1 + lag]
        found = {
            "baseline_mean": before.mean(),
            "baseline_sd": before.std(ddof=1),
            "r": np.corrcoef(before, after)[0, 1],
            "change_mean": (after - before).mean(),
            "change_sd": (after - before).std(ddof=1),
            "responders_50": (2 * after <= before).mean(),
        }
        worst[lag] = max(distances(found, n).values())
    assert worst[3] < 3, worst
    assert worst[3] < min(worst[1], worst[2])
    assert worst[1] > 3 and worst[2] > 3, worst


def test_days_persist_as_in_the_published_diary_and_people_come_when_it_is_bad() -> None:
    parameters = load_parameters("null_rtm")
    course = natural_course(np.random.default_rng(8), 4000, parameters)
    # within a person, around that person's true probability of the day
    residual = course.headache - 1 / (1 + np.exp(-course.logit))
    late = residual[:, 84:]  # windows that nobody was selected on
    lag1 = (late[:, 1:] * late[:, :-1]).mean() / (late**2).mean()
    assert lag1 == pytest.approx(0.17, abs=3 / math.sqrt(late.size))
    earlier, baseline = (course.headache[:, a : a + 28].sum(axis=1) for a in (0, 28))
    assert baseline.min() >= 4
    assert (baseline - earlier).mean() > 2


def test_impossible_entry_ends_with_a_message() -> None:
    with pytest.raises(ConfigError, match="hardly anybody enters"):
        simulate_clinic(n_patients=5, seed=1, parameters={"entry.min_days": 29})


# --- the effect of treatment -----------------------------------------------------------------


def test_scenarios_share_their_people_and_differ_by_the_effect_alone(
    null_clinic: simulate.SimulatedClinic, real_clinic: simulate.SimulatedClinic
) -> None:
    null, real = null_clinic.truth, real_clinic.truth
    assert null["estimands"]["effect_mean"] == 0
    assert null["people"]["days_post"] == real["people"]["days_post_without_treatment"]
    assert null["people"]["days_baseline"] == real["people"]["days_baseline"]
    pd.testing.assert_series_equal(
        null_clinic.tables["patients"]["patient_id"], real_clinic.tables["patients"]["patient_id"]
    )
    assert set(null["people"]["effect_log_odds"]) == {0.0}


def test_the_effect_has_the_declared_odds_ratios() -> None:
    exact = {
        **NO_ERRORS,
        "treatment.person_sd": 0.0,
        "treatment.therapist_sd": 0.0,
        "treatment.odds_ratio.manual": 0.5,
    }
    clinic = simulate_clinic(n_patients=300, seed=9, parameters=exact)
    people = pd.DataFrame(clinic.truth["people"])
    mean = people.groupby("technique")["effect_log_odds"].agg(["min", "max"])
    for technique in mean.index:
        ratio = load_parameters("real_effect", exact)[f"treatment.odds_ratio.{technique}"]
        assert mean.loc[technique].to_numpy() == pytest.approx(math.log(ratio), abs=1e-6)


def test_the_effect_grows_with_sessions_and_fades_after_the_last(
    real_clinic: simulate.SimulatedClinic,
) -> None:
    people = pd.DataFrame(real_clinic.truth["people"])
    effect = {
        w: (people[f"days_{w}"] - people[f"days_{w}_without_treatment"]).mean()
        for w in ("weeks_1_4", "weeks_5_8", "post", "followup_1", "followup_3")
    }
    assert effect["weeks_1_4"] > effect["weeks_5_8"]
    assert effect["followup_3"] > effect["followup_1"] > effect["post"]
    assert -1.6 < effect["post"] < -0.6  # beside Vickers' -1.8 with a stronger contrast
    assert effect["post"] == pytest.approx(real_clinic.truth["estimands"]["effect_mean"])


# --- what is recorded ------------------------------------------------------------------------


def test_the_diary_tells_the_truth_where_it_speaks(
    real_clinic: simulate.SimulatedClinic,
) -> None:
    diary = real_clinic.tables["diary"]
    people = pd.DataFrame(real_clinic.truth["people"]).set_index("patient_id")
    post = diary[diary["day"].between(56, 83)].groupby("patient_id")["headache"]
    full = post.sum()[post.size() == 28]
    assert len(full) > 200  # enough of them that agreement says something
    assert (full == people.loc[full.index, "days_post"]).all()
    free = diary[diary["headache"] == 0]
    assert free[["intensity", "duration_hours"]].isna().all(axis=None)
    assert diary["headache"].isin([0, 1]).all()
    assert not diary.duplicated(["patient_id", "day"]).any()
    assert diary["intensity"].dropna().between(1, 10).all()
    assert diary["duration_hours"].dropna().between(0.5, 24).all()
    # nothing is written after somebody is lost
    last = diary.groupby("patient_id")["day"].max()
    assert (last <= people.loc[last.index, "last_recorded_day"]).all()


def test_entries_are_missing_at_random_unless_told_otherwise(
    real_clinic: simulate.SimulatedClinic,
) -> None:
    def error(clinic: simulate.SimulatedClinic) -> tuple[float, float]:
        diary = clinic.tables["diary"]
        people = pd.DataFrame(clinic.truth["people"]).set_index("patient_id")
        base = diary[diary["day"].between(-28, -1)].groupby("patient_id")["headache"]
        share = base.mean()[base.size() >= 20]
        gap = 28 * share - people.loc[share.index, "days_baseline"]
        return float(gap.mean()), float(gap.std() / math.sqrt(len(gap)))

    mean, se = error(real_clinic)
    assert abs(mean) < 3 * se
    mnar = {**NO_ERRORS, "diary.odds_ratio_headache_day": 5.0, "diary.entry": 0.8}
    mean, se = error(simulate_clinic(n_patients=1000, seed=2, parameters=mnar))
    assert mean > 5 * se


def test_sessions_are_as_a_clinic_keeps_them(real_clinic: simulate.SimulatedClinic) -> None:
    sessions = real_clinic.tables["sessions"]
    office = sessions[sessions["setting"] == "in_office"]
    home = sessions[sessions["setting"] == "at_home"]
    assert set(home["technique"]) == {"self_care"} and (home["fee"] == 0).all()
    assert (office.groupby("patient_id")["day"].min() == 0).all()
    assert office["patient_id"].nunique() == 4000
    assert not office.duplicated(["patient_id", "day"]).any()
    visits = office.groupby("patient_id").size()
    assert visits.mean() == pytest.approx(7.9, abs=0.4)  # Vickers 7.9 (3.8), most 15
    assert visits.std() == pytest.approx(3.8, abs=0.4)
    assert visits.max() <= 15
    first = office["day"] == 0
    assert office.loc[first, "minutes"].median() == 120
    assert office.loc[~first, "minutes"].median() == 90
    assert office.loc[first, "fee"].median() == 260 and office.loc[~first, "fee"].median() == 180
    assert (office["drug"].notna() == (office["technique"] == "wet_needling")).all()
    needles = office["technique"].isin(["dry_needling", "acupuncture"])
    assert (office["retention_min"].notna() == needles).all()
    assert (office["soreness_days"].notna() == office["soreness_how"].notna()).all()
    asked = office[office["soreness_how"] == "asked"]
    sore = (asked["soreness_days"] > 0).groupby(asked["technique"]).mean()
    assert sore["dry_needling"] == pytest.approx(0.90, abs=0.02)
    assert sore["wet_needling"] == pytest.approx(0.45, abs=0.04)
    points, zones = (
        sessions["trigger_points"].str.split(";"),
        sessions["referral_zone"].str.split(";"),
    )
    assert (points.str.len() == zones.str.len()).all()
    assert points.explode().str.fullmatch(r"[a-z]+:(left|right)").all()
    assert sessions["trigger_points"].str.len().max() <= 60  # longer cells count as free text
    assert (zones.explode() != "none").mean() == pytest.approx(0.72, abs=0.03)
    assert (office["assessments"].notna() <= first).all()
    assert sessions["headache_days_28"].dropna().between(0, 28).all()


def test_loss_questionnaires_and_people(real_clinic: simulate.SimulatedClinic) -> None:
    people = pd.DataFrame(real_clinic.truth["people"])
    assert people["lost"].mean() == pytest.approx(0.19, abs=0.03)  # Vickers, 3 months
    gap = people.loc[people["lost"], "days_baseline"].mean()
    gap -= people.loc[~people["lost"], "days_baseline"].mean()
    assert gap == pytest.approx(1.2, abs=0.9)  # Vickers 17.1 and 15.9
    asked = real_clinic.tables["questionnaires"]
    hit6 = asked[asked["instrument"] == "HIT-6"]
    pgic = asked[asked["instrument"] == "PGIC"]
    assert hit6["score"].between(36, 78).all() and pgic["score"].between(1, 7).all()
    assert (hit6["day"].isin([0]) | hit6["day"].between(70, 100)).all()
    assert not set(pgic["patient_id"]) & set(people.loc[people["lost"], "patient_id"])
    both = hit6.assign(late=hit6["day"] > 0).pivot(
        index="patient_id", columns="late", values="score"
    )
    assert both.corr().iloc[0, 1] == pytest.approx(0.8, abs=0.05)  # Kosinski 2003
    patients = real_clinic.tables["patients"]
    assert patients["age"].between(18, 89).all()
    assert (patients["chronicity_years"].dropna() <= patients["age"].max()).all()
    assert set(patients["condition"]) == {"1.1", "1.3", "2.2", "2.3"}


def test_codes_are_random_and_say_nothing(real_clinic: simulate.SimulatedClinic) -> None:
    code = real_clinic.tables["patients"]["patient_id"]
    assert code.is_unique and code.is_monotonic_increasing
    assert code.str.fullmatch(r"[A-Z]\d[A-Z]\d[A-Z]").all()
    days = pd.Series(real_clinic.truth["people"]["days_baseline"])
    assert abs(days.corr(pd.Series(range(len(days))))) < 3 / math.sqrt(len(days))


# --- parameters ------------------------------------------------------------------------------


def test_every_parameter_has_a_value_and_a_source() -> None:
    def leaves(node: dict[str, object]) -> list[dict[str, object]]:
        if "value" in node:
            return [node]
        return [leaf for child in node.values() for leaf in leaves(child)]  # type: ignore[arg-type]

    document = simulate._document()
    found = leaves(document["parameters"])
    assert len(found) == len(load_parameters()) > 100
    assert all(set(leaf) == {"value", "source"} and leaf["source"] for leaf in found)
    assert {"null_rtm", "real_effect"} <= set(scenarios())


def test_unknown_scenarios_and_parameters_are_refused_with_a_hint() -> None:
    with pytest.raises(ConfigError, match="known: null_rtm, real_effect"):
        simulate_clinic(seed=1, scenario="miracle")
    with pytest.raises(ConfigError, match=r"did you mean 'treatment\.person_sd'"):
        simulate_clinic(seed=1, parameters={"treatment.persons_sd": 1.0})
    with pytest.raises(ConfigError, match="at least one patient"):
        simulate_clinic(seed=1, n_patients=0)
    with pytest.raises(ConfigError, match="too small for its typing errors"):
        simulate_clinic(seed=1, n_patients=3, parameters={"errors.negative_minutes": 1000})


def test_parameters_are_not_shared_between_calls() -> None:
    load_parameters()["home.minutes"].append(999)
    assert 999 not in load_parameters()["home.minutes"]


def test_a_clinic_of_one_can_be_made() -> None:
    clinic = simulate_clinic(n_patients=1, seed=5, parameters=NO_ERRORS)
    assert len(clinic.tables["patients"]) == 1
    assert clinic.truth["dirty_rows"] == []
    assert clinic.truth["estimands"]["change_sd"] is None  # and not NaN, which JSON does not know


# --- the files -------------------------------------------------------------------------------


def test_the_same_seed_writes_the_same_bytes(
    demo: simulate.SimulatedClinic, tmp_path: Path
) -> None:
    again = simulate_clinic(n_patients=120, seed=20260101, scenario="real_effect")
    other = simulate_clinic(n_patients=120, seed=20260102, scenario="real_effect")
    for clinic, name in ((demo, "a"), (again, "b"), (other, "c")):
        write_clinic(clinic, tmp_path / name, truth=True)
    for file in (*FILES, "truth.json"):
        content = (tmp_path / "a" / file).read_bytes()
        assert content == (tmp_path / "b" / file).read_bytes()
        assert content != (tmp_path / "c" / file).read_bytes()
        assert b"\r" not in content and content.endswith(b"\n")
    truth = json.loads((tmp_path / "a" / "truth.json").read_text(encoding="utf-8"))
    assert truth["estimands"] == demo.truth["estimands"]


def test_the_shipped_demo_is_the_simulation_bit_for_bit(
    demo: simulate.SimulatedClinic, tmp_path: Path
) -> None:
    write_clinic(demo, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == set(FILES)  # the truth only if asked for
    for file in FILES:
        assert (tmp_path / file).read_bytes() == (DEMO / file).read_bytes(), (
            f"{file} differs from data/raw/clinics/demo: regenerate it with write_clinic"
        )
    assert sum((DEMO / file).stat().st_size for file in FILES) < 700_000


def test_files_carry_the_clinics_own_names_codes_and_markers(
    demo: simulate.SimulatedClinic, tmp_path: Path
) -> None:
    write_clinic(demo, tmp_path)
    described = clinic_files()
    for name, columns in COLUMNS.items():
        text = (tmp_path / f"{name}.csv").read_text(encoding="utf-8")
        raw = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
        assert list(raw.columns) == list(columns.values())
        assert described[name]["path"] == f"{name}.csv"
        table = demo.tables[name]
        assert len(raw) == len(table)
        for canonical, own in columns.items():
            empty = raw[own].isin(described[name]["missing"])
            assert (empty == table[canonical].isna()).all(), (name, own)
            mapped = described[name]["columns"][canonical]
            if isinstance(mapped, dict):
                assert raw[own].map(mapped["codes"]).tolist() == table[canonical].tolist()
            elif pd.api.types.is_numeric_dtype(table[canonical]):
                read = pd.to_numeric(raw[own].where(~empty))
                assert read.tolist() == pytest.approx(table[canonical].tolist(), nan_ok=True)
            else:
                assert (raw[own].where(~empty).dropna() == table[canonical].dropna()).all()
    diary = pd.read_csv(tmp_path / "diary.csv", dtype=str, keep_default_na=False)
    assert (diary.loc[diary["headache"] == "0", ["worst_0_10", "hours"]] == "").all(axis=None)
    assert not (diary.loc[diary["headache"] == "1", ["worst_0_10", "hours"]] == "").any(axis=None)


@pytest.mark.parametrize("times", [1, 4])
def test_every_typing_error_is_declared_at_its_line_and_there_are_no_others(
    tmp_path: Path, times: int
) -> None:
    # as many as by default (five), and several of each, which move each other's lines
    number_of = {key: times * load_parameters()[key] for key in NO_ERRORS}
    clinic = simulate_clinic(n_patients=120, seed=20260101, parameters=number_of)
    write_clinic(clinic, tmp_path)
    lines = {f: (tmp_path / f).read_text(encoding="utf-8").splitlines() for f in FILES}
    codes = {line.split(",")[0] for line in lines["patients.csv"][1:]}
    found: list[tuple[str, int, str | None, str]] = []
    seen: set[str] = set()
    for number, line in enumerate(lines["diary.csv"][1:], start=2):
        cells = line.split(",")
        if cells[0] not in codes:
            found.append(("diary.csv", number, "patient_id", "unknown_patient"))
        if cells[3] not in ("", "NA") and not 0 <= float(cells[3]) <= 10:
            found.append(("diary.csv", number, "intensity", "outside_range"))
        if line in seen:
            found.append(("diary.csv", number, None, "duplicate"))
        seen.add(line)
    for number, line in enumerate(lines["sessions.csv"][1:], start=2):
        cells = line.split(",")
        assert cells[0] in codes
        if cells[5] != "NA" and float(cells[5]) < 0:
            found.append(("sessions.csv", number, "minutes", "outside_range"))
    own = {("diary.csv", c): o for c, o in COLUMNS["diary"].items()}
    own |= {("sessions.csv", c): o for c, o in COLUMNS["sessions"].items()}
    declared = {tuple(item.values()) for item in clinic.truth["dirty_rows"]}
    assert declared == {(f, n, own.get((f, c)), kind) for f, n, c, kind in found}
    assert len(found) == 5 * times
