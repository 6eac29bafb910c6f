"""The claims: their file, the verdicts, each row by hand, other conditions, and little data."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from headway import config, simulate, tables
from headway.config.clinic import Bootstrap
from headway.errors import ConfigError
from headway.messages import Message, say
from headway.outcomes.care.clustered import Estimate
from headway.outcomes.care.cost import build_cost
from headway.outcomes.care.cost_per_day import Expected
from headway.outcomes.care.safety import build_safety
from headway.outcomes.change import cohort, windows
from headway.outcomes.change.change import t_interval
from headway.outcomes.claims import (
    CLAIMS_FILE,
    Records,
    Rule,
    build_claims,
    holm,
    judge,
    judge_again,
    load_claims,
)
from headway.outcomes.claims.changes import hold_conditions
from headway.outcomes.claims.lasting import find_relapses
from headway.outcomes.claims.records import average
from headway.outcomes.claims.sessions import read_complaints, read_points
from headway.outcomes.expectation.benchmark import classify_condition
from tests.unit.clinic_builder import allow_losses, ingest, write_clinic
from tests.unit.test_safety import DEMO, sessions

CAUSAL = {1, 2, 3, 6, 7, 8, 9, 12, 17}  # CLAIMS.md
NAN = float("nan")


def gather(folder: Path, processed: Path | None = None, **more: Any) -> Records:
    """Take a clinic through the analysis to what claims are held against."""
    clinic = config.load_clinic(folder)
    out = processed or ingest(folder)[2]
    result = cohort.analyse_clinic(out, clinic)
    own = {
        name: tables.read_parquet(out / f"{name}.parquet")
        for name in ("patients", "sessions", "questionnaires")
    }
    starters = cohort.find_starters(out)
    comparisons = windows.list_comparisons(clinic, set(result["windows"]["source"]))
    primary = comparisons[0].id if comparisons else ""
    expected = more.get("expected", ())
    cost, _ = build_cost(
        own["sessions"], result["change"], starters, clinic, primary, expected=expected
    )
    return Records(
        clinic=clinic,
        starters=starters,
        **own,
        windows=result["windows"],
        change=result["change"],
        cohort=result["cohort"],
        safety=build_safety(own["sessions"]),
        cost=cost,
        comparisons=comparisons,
        **more,
    )


def bare(frame: pd.DataFrame, **more: Any) -> Records:
    """Make records that hold sessions and nothing else."""
    starters = pd.Index(sorted(set(frame["patient_id"])), name="patient_id")
    clinic = replace(
        config.name_clinic("bare"), condition="", bootstrap=Bootstrap(replicates=200, seed=1)
    )
    cost, _ = build_cost(frame, tables.empty("change"), starters, clinic, "primary")
    blank = {
        name: tables.empty(name)
        for name in ("patients", "questionnaires", "windows", "change", "cohort")
    }
    known = blank | {
        "clinic": clinic,
        "starters": starters,
        "sessions": frame,
        "safety": build_safety(frame),
        "cost": cost,
        "comparisons": (),
    }
    return Records(**(known | more))


def pick(table: pd.DataFrame, row: int, part: str) -> pd.Series:
    hit = table[(table["row"] == row) & (table["part"] == part)]
    assert len(hit) == 1, (row, part, table.loc[table["row"] == row, "part"].tolist())
    return hit.iloc[0]


@pytest.fixture(scope="module")
def demo() -> Records:
    import tempfile

    from headway.ingest import clinics

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        clinics.ingest_clinic(DEMO, config.load_clinic(DEMO), out)
        return gather(DEMO, out, expected=(Expected("usual care", -1.84, 0.43),))


@pytest.fixture(scope="module")
def demo_claims(demo: Records) -> pd.DataFrame:
    return build_claims(demo)


# ------------------------------------------------------------------------ the file of claims


def test_the_file_holds_every_claim_with_the_reason_of_its_rule() -> None:
    claims = load_claims()
    assert {p.row for p in claims.parts} == set(range(1, 18))
    for part in claims.parts:
        assert say(part.rule.code) != part.rule.code
        if part.row in CAUSAL:
            assert part.causal
    # What treatment is said to do inside another row is causal as well.
    assert {p.id for p in claims.parts if p.causal and p.row not in CAUSAL} == {
        "compress",
        "motion_change",
        "change",
    }
    for word in ("temple", "lower_back", "heel"):
        assert word in claims.sites
    for muscle in simulate.MUSCLES:
        assert muscle in claims.muscles


def test_the_rows_are_those_of_the_brief(shared: Path) -> None:
    text = (shared / "design" / "CLAIMS.md").read_text(encoding="utf-8")
    numbers = {int(n) for n in re.findall(r"^\| (\d+) \|", text, flags=re.MULTILINE)}
    assert {p.row for p in load_claims().parts} == numbers
    listed = re.search(r"Rows (1–3), (6–9), (12) and (17) are causal", text)
    assert listed is not None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["claims"][0].pop("causal"), "required"),
        (lambda d: d["claims"][1].update(row=1), "used twice"),
        (lambda d: d["claims"][3]["parts"]["refers"]["rule"].update(low=90), "below high"),
        (lambda d: d["claims"][3]["parts"]["refers"]["rule"].pop("why"), r"rule\.why' is required"),
        (lambda d: d["claims"][3].update(claim="claim.said.nothing"), "catalogue lacks"),
        (lambda d: d["regions"]["sites"]["face"].append("eye"), "two regions"),
        (lambda d: d["regions"]["muscles"].update(scm=["tail"]), "no sites"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(change: Any, says: str, tmp_path: Path) -> None:
    document = yaml.safe_load(CLAIMS_FILE.read_text(encoding="utf-8"))
    change(document)
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError, match=says):
        load_claims(path)


# --------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("rule", "causal", "limits", "verdict", "word"),
    [
        (Rule("change", "x"), True, (-2, -3, -1), "cannot tell", "design"),
        (Rule("change", "x"), True, (-2, -5, 1), "cannot tell", "design"),
        (Rule("change", "x"), True, (2, 1, 3), "cannot tell", "design"),
        (Rule("change", "x"), False, (2, 0, 3), "not supported", "no_benefit"),
        (Rule("change", "x", benefit="higher"), True, (-2, -3, -1), "cannot tell", "design"),
        (Rule("change", "x", benefit="higher"), False, (-2, -3, 0), "not supported", "no_benefit"),
        (Rule("change", "x", benefit="higher"), False, (2, 1, 3), "supported", "benefit"),
        (Rule("change", "x"), True, (-2, NAN, NAN), "cannot tell", "design"),
        (Rule("change", "x"), False, (-2, NAN, NAN), "cannot tell", "too_few"),
        (Rule("within", "x", low=75, high=85), False, (80, 76, 84), "supported", "within"),
        (Rule("within", "x", low=75, high=85), False, (80, 70, 84), "cannot tell", "both_sides"),
        (Rule("within", "x", low=75, high=85), False, (70, 65, 74.9), "not supported", "outside"),
        (Rule("at_least", "x", value=50), False, (60, 50, 70), "supported", "at_or_above"),
        (Rule("at_least", "x", value=50), False, (55, 45, 70), "cannot tell", "both_sides"),
        (Rule("at_least", "x", value=50), True, (60, 55, 70), "cannot tell", "design"),
        (Rule("at_least", "x", value=50), True, (30, 25, 49), "cannot tell", "design"),
        (Rule("at_least", "x", value=50), False, (30, 25, 49), "not supported", "below"),
        (Rule("within", "x", low=75, high=85), True, (70, 65, 74.9), "cannot tell", "design"),
        (Rule("description", "x"), False, (60, 55, 70), "cannot tell", "description"),
        (Rule("description", "x"), True, (60, 55, 70), "cannot tell", "design"),
    ],
)
def test_verdicts(
    rule: Rule, causal: bool, limits: tuple[float, float, float], verdict: str, word: str
) -> None:
    found, reason = judge(rule, causal, *limits)
    assert found == verdict and reason == f"claim.reason.{word}"


def test_what_treatment_is_said_to_do_is_neither_supported_nor_refuted() -> None:
    """Rows about what treatment does, and parts of other rows that are about it too."""
    grid = [-100.0, -1.0, 0.0, 1.0, 49.0, 51.0, 100.0, NAN]
    known = load_claims().parts
    causal = {p.row for p in known if p.causal}
    assert causal >= {1, 2, 3, 6, 7, 8, 9, 12, 17}
    assert all(p.causal for p in known if p.row in {1, 2, 3, 6, 7, 8, 9, 12, 17})
    for part in known:
        verdicts = set()
        for low, high in itertools.combinations_with_replacement(grid, 2):
            found = judge(part.rule, part.causal, (low + high) / 2, low, high)
            again = judge_again(part.rule.code, part.causal, (low + high) / 2, low, high)
            verdicts.add(found)
            assert again[0] == found[0] and found[0] != "not recorded"
        if part.causal:
            assert verdicts == {("cannot tell", "claim.reason.design")}, part


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, NAN]).tolist()[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.5]).tolist() == [1.0, 1.0]


def test_holm_is_that_of_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(1).random(9) ** 3
    assert np.allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-12)
    some = holm([0.01, NAN, 0.04])
    assert np.isnan(some[1]) and some[0] == 0.02 and some[2] == 0.04


# --------------------------------------------------------------------------- the demo clinic


def test_every_part_of_every_claim_has_a_row_on_the_demo(demo_claims: pd.DataFrame) -> None:
    parts = {(p.row, p.id) for p in load_claims().parts}
    seen = {
        (int(r), p.partition(":")[0])
        for r, p in zip(*(demo_claims[c] for c in ("row", "part")), strict=True)
    }
    assert seen == parts
    assert not (demo_claims["causal"] & (demo_claims["verdict"] == "supported")).any()
    assert demo_claims["reason"].notna().all() and demo_claims["rule"].notna().all()
    recorded = demo_claims[demo_claims["verdict"] != "not recorded"]
    assert (recorded["n"] > 0).all()
    assert recorded.loc[recorded["ci_low"].notna(), "interval"].notna().all()
    assert (recorded["n"] <= recorded["of"]).all()
    missing = demo_claims[demo_claims["verdict"] == "not recorded"]
    assert missing["estimate"].isna().all()
    anchored = demo_claims["anchor"].notna()
    assert demo_claims.loc[anchored, ["anchor_source", "anchor_status"]].notna().all(axis=None)


def test_the_demo_shows_the_parameters_that_it_was_made_with(demo_claims: pd.DataFrame) -> None:
    p = simulate.load_parameters("real_effect")
    # A point refers with a logit-normal chance per person; its mean by quadrature.
    x, w = np.polynomial.hermite_e.hermegauss(60)
    logit = np.log(p["points.refers"] / (1 - p["points.refers"]))
    truth = float((w / (1 + np.exp(-(logit + p["points.refers_person_sd"] * x)))).sum() / w.sum())
    refers = pick(demo_claims, 4, "refers")
    assert refers["patients"] == 120 and refers["n"] <= 120 * p["points.pool"]
    assert refers["ci_low"] <= 100 * truth <= refers["ci_high"]
    for part, minutes in (
        ("first", p["visits.first_minutes"]),
        ("later", p["visits.later_minutes"]),
    ):
        assert pick(demo_claims, 10, part)["estimate"] == minutes
        assert pick(demo_claims, 10, part)["verdict"] == "supported"
    for part, fee in (("first", p["visits.first_fee"]), ("later", p["visits.later_fee"])):
        assert pick(demo_claims, 11, part)["estimate"] == fee
        assert pick(demo_claims, 11, part)["verdict"] == "supported"
    names = ("history", "posture", "range_of_motion", "leg_length", "neurological")
    for name, share in zip(names, simulate.ASSESSMENTS.values(), strict=True):
        row = pick(demo_claims, 13, name)
        assert abs(row["estimate"] / 100 - share) <= 3 * np.sqrt(share * (1 - share) / row["n"]), (
            name
        )
    insured = pick(demo_claims, 11, "insurance")
    share = 1 - p["visits.insured"]
    assert abs(insured["estimate"] / 100 - share) <= 3 * np.sqrt(share * (1 - share) / 120)
    wet = pick(demo_claims, 6, "wet_less_dry")
    truth = 100 * (p["harms.sore.wet_needling"] - p["harms.sore.dry_needling"])
    assert wet["ci_low"] <= truth <= wet["ci_high"] < 0
    assert (wet["verdict"], wet["causal"]) == ("cannot tell", True)
    # Cups have nothing to do with soreness in the simulator.
    water = pick(demo_claims, 12, "soreness")
    assert water["ci_low"] < 0 < water["ci_high"]


def test_the_table_agrees_with_the_other_tables(demo: Records, demo_claims: pd.DataFrame) -> None:
    rows = demo.cohort[(demo.cohort["comparison"] == "primary") & (demo.cohort["group"] == "all")]
    known = rows[rows["outcome"] == "frequency"].set_index("statistic")
    frequency = pick(demo_claims, 1, "frequency")
    assert frequency["estimate"] == known.loc["change_mean", "estimate"]
    assert (frequency["n"], frequency["of"]) == (75, 120)
    beyond = pick(demo_claims, 1, "frequency_beyond_expected: usual care")
    assert beyond["estimate"] == pytest.approx(frequency["estimate"] + 1.84)
    assert beyond["ci_high"] - beyond["ci_low"] > frequency["ci_high"] - frequency["ci_low"]
    others = pick(demo_claims, 15, "not_improved")
    assert others["estimate"] == pytest.approx(100 - known.loc["responders_30", "estimate"])
    assert others["count"] + known.loc["responders_30", "count"] == others["n"]
    lost = pick(demo_claims, 16, "lost")
    assert (lost["count"], lost["n"]) == (45, 120)
    said, everyone = pick(demo_claims, 16, "pgic"), pick(demo_claims, 16, "pgic_of_all")
    assert said["count"] == everyone["count"] and everyone["n"] == 120 > said["n"]
    assert pick(demo_claims, 17, "acupuncture")["anchor_value"] == -4.26


def test_order_of_rows_changes_nothing(demo: Records, demo_claims: pd.DataFrame) -> None:
    mixed = build_claims(replace(demo, sessions=demo.sessions.sample(frac=1, random_state=2)))
    pd.testing.assert_frame_equal(mixed, demo_claims, rtol=1e-12)


def test_a_clinic_is_not_held_against_its_own_trial(demo: Records) -> None:
    clinic = replace(demo.clinic, doi="10.1136/BMJ.38029.421863.eb")
    own = build_claims(replace(demo, clinic=clinic))
    for row, part in ((1, "frequency"), (15, "not_improved"), (17, "acupuncture")):
        assert pd.isna(pick(own, row, part)["anchor"])
    assert pick(own, 1, "intensity")["anchor_source"].startswith("claim.source.falsiroli")


def test_the_page_of_clinic_yaml_lists_every_column(repo_root: Path) -> None:
    text = (repo_root / "docs" / "clinic.yaml.md").read_text(encoding="utf-8")
    line = next(row for row in text.splitlines() if row.startswith("| sessions |"))
    words = set(re.findall(r"[a-z_0-9]+", line))
    assert set(tables.TABLES["sessions"].columns) - {"line"} - words == set()


# ------------------------------------------------------------------------------ row by row


@pytest.mark.parametrize(
    ("condition", "headache"),
    [
        ("1.1", True),
        ("Chronic migraine", True),
        ("episodic tension-type", True),
        ("cephalea", True),
        ("sciatica", False),
    ],
)
def test_claims_and_benchmark_call_the_same_conditions_headache(
    condition: str, headache: bool
) -> None:
    clinic = SimpleNamespace(condition="")
    patients = pd.DataFrame({"patient_id": ["a"], "condition": [condition]})
    changes = pd.DataFrame({c: [] for c in ("patient_id", "outcome", "comparison", "change")})
    records: Any = SimpleNamespace(
        clinic=clinic, patients=patients, starters=pd.Index(["a"]), change=changes, comparisons=[]
    )
    (found,) = hold_conditions(records, load_claims())
    assert (found.missing == Message("claim.missing.other_condition")) is headache
    assert (classify_condition(condition) == "headache") is headache


def test_equal_values_come_from_as_many_patients() -> None:
    assert average(np.full(3, 2.0)).patients == average(np.array([1.0, 2.0, 3.0])).patients == 3


def test_points_count_once_per_person() -> None:
    frame = sessions(
        [
            {
                "patient_id": "a",
                "trigger_points": "scm:left;scm:right",
                "referral_zone": "eye;none",
            },
            {"patient_id": "a", "trigger_points": "scm:left", "referral_zone": "None"},  # again
            {"patient_id": "b", "trigger_points": "scm:left", "referral_zone": "eye;ear"},  # odd
            {"patient_id": "b", "referral_zone": "eye"},
            {"patient_id": "c", "trigger_points": "scm:left"},
        ]
    )
    points = read_points(frame)
    assert len(points) == 3 and points["refers"].sum() == 2 and points.attrs["left_out"] == 1
    row = pick(build_claims(bare(frame)), 4, "refers")
    assert row["estimate"] == pytest.approx(200 / 3) and (row["n"], row["patients"]) == (3, 2)
    assert Message("claim.note.left_out", n=1) in row["note"]


def test_complaints_from_columns_lists_and_questionnaires() -> None:
    people = [f"p{i}" for i in range(12)]
    rng = np.random.default_rng(3)
    before, after = rng.integers(4, 10, 12), rng.integers(0, 4, 12)
    rows = []
    for i, p in enumerate(people):
        rows.append({"patient_id": p, "vertigo": before[i], "other_complaints": f"nausea:{i % 3}"})
        rows.append(
            {"patient_id": p, "vertigo": after[i], "other_complaints": f"Nausea:{(i + 1) % 3}"}
        )
    frame = sessions(rows).assign(day=[0, 80] * 12)
    asked = pd.DataFrame(
        {
            "patient_id": people * 2,
            "day": [0] * 12 + [84] * 12,
            "instrument": "tinnitus",
            "score": [1] * 12 + [1] * 9 + [0] * 3,  # yes and no
            "line": range(2, 26),
        }
    )
    records = bare(frame, questionnaires=tables.conform("questionnaires", asked))
    claims = load_claims()
    assert len(read_complaints(records, claims.complaints)) == 72
    table = build_claims(records, claims)
    vertigo = pick(table, 3, "complaint: vertigo")
    assert vertigo["estimate"] == pytest.approx((after - before).mean())
    assert (vertigo["ci_low"], vertigo["ci_high"]) == pytest.approx(t_interval(after - before))
    tinnitus = pick(table, 3, "complaint: tinnitus")
    assert tinnitus["estimate"] == pytest.approx(-25) and tinnitus["unit"] == "percentage_points"
    own = table[table["row"] == 3]
    assert np.allclose(own["p_adjusted"], holm(own["p_value"].tolist()))
    assert (
        own["note"].str.contains("claim.note.holm").all()
        and (own["verdict"] == "cannot tell").all()
    )
    from scipy import stats

    assert vertigo["p_value"] == pytest.approx(stats.ttest_1samp(after - before, 0).pvalue)


def test_a_complaint_that_got_worse_is_shown_and_refutes_nothing() -> None:
    rows = [{"patient_id": f"p{i}", "vertigo": v} for i in range(10) for v in (2, 5 + i % 3)]
    frame = sessions(rows).assign(day=[0, 84] * 10)
    row = pick(build_claims(bare(frame)), 3, "complaint: vertigo")
    assert row["verdict"] == "cannot tell" and row["ci_low"] > 0
    assert row["reason"] == "claim.reason.design"


def test_treated_outside_where_it_hurts() -> None:
    frame = sessions(
        [
            {"patient_id": "a", "pain_sites": "forehead", "trigger_points": "suboccipital:left"},
            {"patient_id": "a", "trigger_points": "gluteus:left;temporalis"},  # sites still stand
            {"patient_id": "b", "pain_sites": "Lower back;hip", "trigger_points": "piriformis"},
            {"patient_id": "b", "pain_sites": "elsewhere", "trigger_points": "piriformis"},
            {"patient_id": "c", "trigger_points": "scm"},  # no site is known
        ]
    )
    row = pick(build_claims(bare(frame)), 14, "outside")
    assert (row["n"], row["of"], row["count"]) == (3, 4, 1)
    assert row["estimate"] == pytest.approx(100 / 3)
    assert Message("claim.note.not_in_the_map", n=1) in row["note"]


def test_lethargy_compress_and_first_visits() -> None:
    rows = []
    for i in range(20):
        rows += [
            {
                "patient_id": f"p{i}",
                "lethargy_days": float(i % 2),
                "lethargy_reported": "asked",
                "soreness_days": 1.0 + i % 3,
                "compress_used": 1,
                "assessments": "history;posture" if i else "neuro",
                "range_of_motion_degrees": 60.0,
            },
            {
                "patient_id": f"p{i}",
                "soreness_days": 3.0 + i % 2,
                "compress_used": 0,
                "range_of_motion_degrees": 64.0 + i % 3,
            },
        ]
    table = build_claims(bare(sessions(rows)))
    lethargy = pick(table, 5, "lethargy")
    assert (lethargy["estimate"], lethargy["verdict"]) == (50, "supported")
    assert pick(table, 5, "soreness")["verdict"] == "not recorded"  # nobody says it was asked for
    compress = pick(table, 5, "compress")
    assert compress["estimate"] == pytest.approx(np.mean([1 + i % 3 for i in range(20)]) - 3.5)
    assert (compress["verdict"], compress["causal"]) == ("cannot tell", True)
    assert pick(table, 13, "history")["count"] == 19
    assert pick(table, 13, "neurological")["count"] == 1
    motion = pick(table, 13, "motion_change")
    assert motion["estimate"] == pytest.approx(4 + np.mean([i % 3 for i in range(20)]))
    assert motion["verdict"] == "cannot tell"


def test_wet_needling_counts_with_lidocaine_where_the_drug_is_known() -> None:
    rows = []
    for i in range(12):
        rows += [
            {"patient_id": f"p{i}", "technique": "dry_needling", "soreness_days": 1},
            {
                "patient_id": f"p{i}",
                "technique": "wet_needling",
                "drug": "lidocaine 1 %",
                "soreness_days": i % 2,
            },
            {
                "patient_id": f"p{i}",
                "technique": "wet_needling",
                "drug": "saline",
                "soreness_days": 1,
            },
        ]
    frame = sessions(rows).assign(soreness_reported="asked")
    row = pick(build_claims(bare(frame)), 6, "wet_less_dry")
    assert row["estimate"] == -50 and row["n"] == 24
    unknown = pick(build_claims(bare(frame.assign(drug=None))), 6, "wet_less_dry")
    assert unknown["estimate"] == -25 and "claim.note.drug" in unknown["note"]


def relapse_records(frame: pd.DataFrame, follow_up: dict[str, float]) -> Records:
    rows = []
    for patient, later in follow_up.items():
        for window, value in (("baseline", 16.0), ("post", 8.0), ("followup_1", later)):
            rows.append({"patient_id": patient, "window": window, "value": value})
    table = pd.DataFrame(rows).assign(source="diary", outcome="frequency", complete=True)
    table = tables.conform("windows", table)
    comparison = windows.Comparison("primary", "x", "baseline", "post", "diary", True, False)
    return bare(frame, windows=table, comparisons=(comparison,))


def test_who_was_back_and_whether_homework_was_done() -> None:
    people = [f"p{i:02d}" for i in range(24)]
    later = {p: 12.0 if i < 6 else 11.9 for i, p in enumerate(people)}  # 12 of 16 is back
    frame = sessions(
        [
            {
                "patient_id": p,
                "homework_done": int(i % 2),
                "home_tools": "ball" if i % 3 else "none",
                "sleeping_position": "side" if i < 8 else "back",
                "setting": s,
            }
            for i, p in enumerate(people)
            for s in ("in_office", "in_office")
        ]
    )
    records = relapse_records(frame, later)
    assert find_relapses(records)["back"].sum() == 6
    table = build_claims(records)
    row = pick(table, 8, "back_in_next_window")
    assert (row["estimate"], row["n"], row["verdict"]) == (25, 24, "cannot tell")
    homework = pick(table, 9, "homework")
    assert homework["estimate"] == pytest.approx(0) and homework["n"] == 24
    assert pick(table, 9, "home_tools")["estimate"] == pytest.approx(100 * (4 / 16 - 2 / 8))
    assert pick(table, 9, "home_sessions")["verdict"] == "not recorded"
    for position, count, n in (("side", 6, 8), ("back", 0, 16)):
        slept = pick(table, 9, f"sleeping_position: {position}")
        assert (slept["count"], slept["n"], slept["of"]) == (count, n, 24)
        assert slept["verdict"] == "cannot tell"
    never = pick(
        build_claims(relapse_records(frame, dict.fromkeys(people, 8.0))), 8, "back_in_next_window"
    )
    assert never["verdict"] == "cannot tell" and never["ci_high"] < 25  # 0 of 24: at most 14 %
    timed = replace(records, time_to_relapse=Estimate(90.0, 70.0, 110.0, "x", 24, patients=24))
    assert pick(build_claims(timed), 8, "time_to_relapse")["verdict"] == "cannot tell"


def test_fees_in_another_currency_are_not_held_against_dollars() -> None:
    rows = [
        {"patient_id": f"p{i}", "fee": 260, "currency": "EUR", "minutes": m}
        for i in range(12)
        for m in (300, 90)
    ]
    table = build_claims(bare(sessions(rows)))
    row = pick(table, 11, "first: EUR")
    assert row["verdict"] == "cannot tell" and row["reason"] == Message(
        "claim.reason.currency", currency="USD"
    )
    assert pick(table, 10, "first")["verdict"] == "not supported"
    assert pick(table, 10, "later")["verdict"] == "supported"
    assert pick(table, 11, "insurance")["verdict"] == "not recorded"


# ------------------------------------------------------------ other conditions, little data


def test_a_clinic_for_other_pain(tmp_path: Path) -> None:
    """Sciatica and heels: intensity and a score of their own, through the whole path."""
    rng = np.random.default_rng(8)
    people = [f"K{i:02d}" for i in range(24)]
    condition = ["sciatica"] * 12 + ["plantar_fasciitis"] * 12
    patients = "code,dx\n" + "".join(f"{p},{c}\n" for p, c in zip(people, condition, strict=True))
    visits = "code,day,what,sites,pts,tools,nausea_etc,rom\n" + "".join(
        f"{p},{d},manual,lower back|hip,gluteus:left,ball|roller,vertigo:2,{60 + d}\n"
        for p in people
        for d in (0, 30)
    )
    scores = "code,i0,i1,o0,o1\n" + "".join(
        ",".join([p, *(str(rng.integers(*r)) for r in ((5, 9), (2, 7), (40, 60), (20, 60)))]) + "\n"
        for p in people
    )
    wide = [
        {"column": c, "window": w, "outcome": o, "unit": u}
        for c, w, o, u in (
            ("i0", "baseline", "intensity", "nrs_0_10"),
            ("i1", "post", "intensity", "nrs_0_10"),
            ("o0", "baseline", "oswestry", "score"),
            ("o1", "post", "oswestry", "score"),
        )
    ]
    listed = {"list": "|"}
    folder = write_clinic(
        tmp_path / "backs",
        {"patients.csv": patients, "visits.csv": visits, "scores.csv": scores},
        {
            "patients": {
                "path": "patients.csv",
                "columns": {"patient_id": "code", "condition": "dx"},
            },
            "sessions": {
                "path": "visits.csv",
                "columns": {
                    "patient_id": "code",
                    "day": "day",
                    "technique": "what",
                    "pain_sites": {"column": "sites", **listed},
                    "trigger_points": "pts",
                    "home_tools": {"column": "tools", **listed},
                    "other_complaints": "nausea_etc",
                    "range_of_motion_degrees": "rom",
                },
            },
            "windows": {"path": "scores.csv", "columns": {"patient_id": "code"}, "wide": wide},
        },
        primary_outcome="intensity",
    )
    records = gather(folder)
    first = records.sessions.iloc[0]
    assert (first["pain_sites"], first["home_tools"]) == ("lower back;hip", "ball;roller")
    assert first["other_complaints"] == "vertigo:2" and first["range_of_motion_degrees"] == 60
    table = build_claims(records)
    for name in ("sciatica", "plantar_fasciitis"):
        people_of = records.patients.loc[records.patients["condition"] == name, "patient_id"]
        own = records.change[
            (records.change["outcome"] == "intensity")
            & (records.change["comparison"] == "primary")
            & records.change["patient_id"].isin(people_of)
        ]["change"].to_numpy()
        row = pick(table, 2, f"condition: {name}: intensity")
        assert row["estimate"] == pytest.approx(own.mean()) and (row["n"], row["of"]) == (12, 12)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(t_interval(own))
        other = pick(table, 2, f"condition: {name}: oswestry")
        assert other["verdict"] == "cannot tell" and other["reason"] == "claim.reason.design"
        assert "claim.reason.direction" in other["rule"]
    assert pick(table, 1, "frequency")["verdict"] == "not recorded"
    assert pick(table, 1, "intensity")["n"] == 24
    assert "claim.note.other_conditions" in pick(table, 1, "intensity")["note"]
    assert pick(table, 14, "outside")["estimate"] == 0  # the hip hurts and is treated
    assert pick(table, 15, "worsened")["n"] == 24
    assert pick(table, 16, "change")["estimate"] == pick(table, 1, "intensity")["estimate"]


def test_lists_that_are_no_codes_become_missing_and_are_listed(tmp_path: Path) -> None:
    text = "code,day,c,s\n" + "".join(
        f"A{i},0,{c},{s}\n"
        for i, (c, s) in enumerate(
            [("nausea:3", "head"), ("nausea:11", "head"), ("very ill", "0123"), ("", "")]
        )
    )
    folder = write_clinic(
        tmp_path / "c",
        {"v.csv": text},
        {
            "sessions": {
                "path": "v.csv",
                "columns": {
                    "patient_id": "code",
                    "day": "day",
                    **allow_losses({"other_complaints": "c", "pain_sites": "s"}),
                },
            }
        },
    )
    _, quarantine, out = ingest(folder)
    read = tables.read_parquet(out / "sessions.parquet")
    assert read["other_complaints"].notna().tolist() == [True, False, False, False]
    assert read["pain_sites"].notna().tolist() == [True, True, False, False]
    assert quarantine["rule"].tolist() == ["not_a_code"] * 3
    assert quarantine["line"].tolist() == [3, 4, 4]


@pytest.mark.parametrize(
    "frame",
    [
        tables.empty("sessions"),
        sessions([{"patient_id": "a"}]),
        sessions([{"patient_id": "a", "technique": "manual", "soreness_days": 1.0}] * 3),
        sessions([{"patient_id": "a", "referral_zone": "none", "pain_sites": "head"}]),
        sessions([{"patient_id": "a", "vertigo": 3.0, "fee": 1.0, "minutes": 5.0}] * 2),
    ],
)
def test_little_data_gives_every_row_and_no_verdict(frame: pd.DataFrame) -> None:
    table = build_claims(bare(frame))
    assert set(table["row"]) == set(range(1, 18))
    assert set(table["verdict"]) <= {"not recorded", "cannot tell"}
    assert table["reason"].str.len().gt(0).all()


def test_older_tables_without_the_newer_columns() -> None:
    frame = sessions([{"patient_id": "a", "minutes": 60.0, "setting": "in_office"}])
    keep = ["patient_id", "day", "setting", "minutes", "fee", "currency", "insured"]
    records = bare(frame)
    table = build_claims(replace(records, sessions=frame[keep]))
    assert set(table["row"]) == set(range(1, 18))
