"""Rows of RevMan and metafor -> a review's rows, and effects -> their rows."""

# ruff: noqa: E501  (rows of a table)
from __future__ import annotations

import csv
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import config
from headway.config.review import Model
from headway.errors import InputError
from headway.ingest import trials
from headway.ingest.adapters.exchange import (
    ARMS,
    CONTRASTS,
    ImportedRows,
    write_number,
)
from headway.ingest.adapters.metafor import COLUMNS, read_metafor, write_metafor, write_script
from headway.ingest.adapters.revman import read_revman
from headway.ingest.adapters.revman_export import DATA_ROWS, write_revman
from headway.ingest.trials import columns
from headway.reviews.analyse import pool_review
from headway.reviews.effects_table import build_effects
from headway.tables import conform, guard, unguard
from tests.unit.review_builder import write_review

OLD_HEADER = (
    "Comparison Number,Outcome Number,Subgroup Number,Name,Data Type,Statistical Method,"
    "Effect Measure,Analysis Model,Entered data are on log scale (Generic Inverse Variance only),"
    "Events 1,Mean 1,SD 1,Total 1,Events 2,Mean 2,SD 2,Total 2,O-E,Variance,Effect Estimate,SE,"
    "CI Start,CI End,Weight,Q,Group Label 1,Group Label 2,Year of study\n"
)
# Headings, then studies, as RevMan 5 exports them: 0 stands for what a type of data has not.
OLD = (
    OLD_HEADER
    + """\
1,0,0,Massage versus usual care,,,,,,,,,,,,,,,,,,,,,,,,
1,1,0,Headache days,CONT,IV,MD,Random,,0,,,95,0,,,94,,,-1.5,,-2.5,-0.5,100,3.1,Massage,Usual care,
1,1,1,Migraine,CONT,IV,MD,Random,,0,,,40,0,,,41,,,-1.2,,-2.5,0.1,50,,,,
1,1,1,Abel 2001,,,,,,0,8.10,4.20,20,0,10.05,5.00,21,0,0,-1.95,1.4394,-4.7712,0.8712,40,,,,2001
1,1,1,Bode 2003,,,,,,0,7.5,4,20,0,8.25,4.5,20,0,0,-0.75,1.3463,-3.3887,1.8887,10,,,,2003
1,1,2,Tension-type headache,CONT,IV,MD,Random,,0,,,55,0,,,53,,,-1.8,,-2.5,-0.5,50,,,,
1,1,2,Cole 2010,,,,,,0,6,3,55,0,7.8,3.5,53,0,0,-1.8,0.6283,-3.0314,-0.5686,50,,,,2010
1,2,0,Responders,DICH,MH,RR,Fixed,,25,,,60,15,,,62,,,1.7,,1.1,2.7,100,1,Massage,Usual care,
1,2,0,Abel 2001,,,,,,12,0,0,20,6,0,0,21,0,0,2.1,0.3846,0.9885,4.4613,50,,,,2001
1,2,0,"Dahl, pilot",,,,,,"1,013",0,0,"2,040",9,0,0,41,0,0,2.26,0.29,1.2,4.0,50,,,,2005
1,3,0,Time to relapse,IV,IV,Hazard Ratio,Random,YES,0,,,0,0,,,0,,,0.8,,0.6,1,100,,Massage,Usual care,
1,3,0,Eder 2011,,,,,,0,0,0,30,0,0,0,31,0,0,0.8,0.125,0.62616869,1.02209718,100,,,,2011
1,4,0,Disability,IV,IV,MD,Random,NO,0,,,0,0,,,0,,,-3,,-4,-2,100,,Massage,Usual care,
1,4,0,Falk 2012,,,,,,0,0,0,0,0,0,0,0,0,0,-3.25,0.5,-4.22998199,-2.27001801,100,,,,2012
"""
)
WEB_HEADER = (
    ",".join(DATA_ROWS)
    + ",Bias arising from the randomization process judgement,Overall bias judgement,"
    + "Overall bias support\n"
)
WEB = (
    WEB_HEADER
    + """\
1,1,Headache days,Migraine,SUBGROUP_AND_OVERALL,Abel 2001,2001,,,8.1,4.2,,20,10.05,5,,21,,,40,-1.95,-4.7712,0.8712,ITT,Low risk of bias,Some concerns,text
1,1,Headache days,Tension-type headache,SUBGROUP_AND_OVERALL,Cole 2010,2010,,,6,3,,55,7.8,3.5,,53,,,50,-1.8,-3.0314,-0.5686,,High risk of bias,High risk of bias,text
1,1,Headache days,Children,SUBGROUP,Abel 2001,,,,7,4,,10,9,5,,11,,,,-2,-6,2,,,,
1,2,Responders,,,Abel 2001,2001,,,,,12,20,,,6,21,,,50,3.75,1.0194,13.7947,,Low risk of bias,,
1,3,Time to relapse,,,Eder 2011,2011,-0.22314355,0.125,,,,30,,,,31,,,100,0.8,0.62616869,1.02209718,,,,
2,1,Disability,,,Falk 2012,2012-13,-3.25,0.5,,,,,,,,,,,100,-3.25,-4.22998199,-2.27001801,,,,
"""
)
DECIDED = {
    "unit": "days_per_28",
    "timepoint": "3 months",
    "time_days": "84",
    "technique": "manual",
    "comparator": "usual_care",
}


def put(folder: Path, text: str | bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def as_review(folder: Path, found: ImportedRows) -> tuple[dict[str, Any], trials.Published]:
    """Put imported rows into a review's folder and read it as the workflow does."""
    files: dict[str, str | bytes] = {}
    mapped = {}
    for kind, frame in (("arms", found.arms), ("contrasts", found.contrasts)):
        if len(frame):
            files[f"{kind}.csv"] = frame.to_csv(index=False)
            mapped[kind] = {"path": f"{kind}.csv"}
    write_review(folder, files, mapped, outcomes=found.outcomes, comparisons=found.comparisons)
    review = config.load_review(folder)
    return review, trials.read_review(folder, review)


def pool_imported(folder: Path, found: ImportedRows) -> tuple[pd.DataFrame, pd.DataFrame]:
    review, read = as_review(folder, found)
    return pool_review(build_effects(read.arms, read.contrasts, review), review)


def add_up(found: ImportedRows) -> bool:
    lines = {p.line for p in found.problems}
    return (
        found.rows_in == found.rows_kept + found.rows_reported and len(lines) == found.rows_reported
    )


def rules(found: ImportedRows) -> list[tuple[int | None, str]]:
    return [(p.line, p.rule) for p in found.problems]


def made_up(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """Make a review whose comparisons take every measure and every basis, and its effects."""
    rng = np.random.default_rng(42)
    arms: list[dict[str, Any]] = []
    for i in range(7):
        for role in ("treatment", "control"):
            treated = role == "treatment"
            shared = {
                "trial": f"T{i} {2001 + i}",
                "year": 2001 + i,
                "role": role,
                "status": "retrieved",
            }
            shared |= (
                {"arm": "massage", "technique": "manual"}
                if treated
                else {"arm": "care", "comparator": "usual_care"}
            )
            shared |= {"n": int(rng.integers(12, 80)), "source": "T1"}
            days = shared | {"outcome": "frequency", "unit": "days_per_28"}
            later = {"timepoint": "3 months", "time_days": 84}
            pre, post = 12 + rng.normal(), (4 if treated else 6.5) + 3 * rng.random()
            sd1, sd2, r = 2 + 3 * rng.random(), 2 + 3 * rng.random(), 0.3 + 0.5 * rng.random()
            if i != 5:
                before = {"timepoint": "before", "time_days": 0}
                arms.append(days | before | {"kind": "baseline", "mean": pre, "sd": sd1})
            arms.append(days | later | {"kind": "final", "mean": post, "sd": sd2})
            if i % 2:
                sd = math.sqrt(sd1**2 + sd2**2 - 2 * r * sd1 * sd2)
                change = {
                    "kind": "change",
                    "mean": pre - post,
                    "sd": sd,
                    "positive_means": "better",
                }
                arms.append(days | later | change)
            events = 0 if i == 3 and not treated else int(rng.integers(1, shared["n"]))
            people = {
                "outcome": "relief",
                "unit": "participants",
                "kind": "events",
                "events": events,
            }
            arms.append(shared | later | people)
    contrasts = []
    for i in range(3):
        effect, half = -1.7 + i / 3, 1.1 + i / 7
        contrasts.append(
            {
                "trial": f'C{i}, "é" 2011',
                "year": 2011,
                "treatment_arm": "massage",
                "control_arm": "care",
                "technique": "manual",
                "comparator": "usual_care",
                "outcome": "frequency",
                "unit": "days_per_28",
                "timepoint": "3 months",
                "time_days": 84,
                "effect_type": "difference",
                "effect": effect,
                "ci_low": effect - half,
                "ci_high": effect + half,
                "positive_means": "treatment_minus_control",
                "status": "retrieved",
                "source": "T3",
            }
        )
    measures = [("MD", "frequency"), ("SMD", "frequency")]
    measures += [(m, "relief") for m in ("RR", "OR", "RD")]
    measures += [(m, "frequency") for m in ("MC", "SMCC", "SMCR")]
    comparisons: list[dict[str, Any]] = [
        {
            "id": measure.lower(),
            "label": f'"{measure}" \\ é',
            "outcome": outcome,
            "estimand": "within_arm" if measure in ("MC", "SMCC", "SMCR") else "between_arm",
            "measure": measure,
        }
        for measure, outcome in measures
    ]
    by_arm = {"id": "mc_by", "subgroup_by": "arm", "kinds": ["final"]}
    comparisons += [
        comparisons[5] | by_arm,
        comparisons[0] | {"id": "md_by", "subgroup_by": "technique"},
    ]
    write_review(
        folder,
        {
            "arms.csv": pd.DataFrame(arms).to_csv(index=False),
            "c.csv": pd.DataFrame(contrasts).to_csv(index=False),
        },
        {"arms": {"path": "arms.csv"}, "contrasts": {"path": "c.csv"}},
        outcomes={
            "frequency": {"unit": "days_per_28"},
            "relief": {"unit": "participants", "lower_is_better": False},
        },
        comparisons=comparisons,
    )
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    return review, pool_review(build_effects(read.arms, read.contrasts, review), review)[1]


# -- RevMan: reading


def test_the_columns_are_those_a_review_can_hold() -> None:
    assert set(ARMS) <= {*columns.TEXTS["arms"], *columns.NUMBERS["arms"]}
    assert set(CONTRASTS) <= {*columns.TEXTS["contrasts"], *columns.NUMBERS["contrasts"]}
    assert set(columns.REQUIRED["arms"]) <= set(ARMS)
    assert set(columns.REQUIRED["contrasts"]) <= set(CONTRASTS)


def test_revman_5_rows_become_arms_and_contrasts(tmp_path: Path) -> None:
    found = read_revman(put(tmp_path, OLD), DECIDED)
    assert found.problems == ()
    assert (found.rows_in, found.rows_kept, found.rows_reported, found.headings) == (7, 7, 0, 7)
    assert found.undecided == ()
    first = found.arms.iloc[0].to_dict()
    assert first == dict.fromkeys(ARMS, "") | {
        "trial": "Abel 2001",
        "year": "2001",
        "arm": "Massage",
        "role": "treatment",
        "technique": "manual",
        "outcome": "analysis_1_1",
        "analysis": "1.1",
        "subgroup": "Migraine",
        "unit": "days_per_28",
        "timepoint": "3 months",
        "time_days": "84",
        "kind": "final",
        "n": "20",
        "mean": "8.10",  # as printed
        "sd": "4.20",
        "shown_effect": "-1.95",
        "shown_ci_low": "-4.7712",
        "shown_ci_high": "0.8712",
        "shown_level": "95",
        "status": "retrieved",
        "source": "rows.csv, analysis 1.1",
    }
    control = found.arms.iloc[1]
    assert (control["comparator"], control["technique"]) == ("usual_care", "")
    counts = found.arms[found.arms["kind"] == "events"]
    assert counts["trial"].tolist() == ["Abel 2001"] * 2 + ["Dahl, pilot"] * 2
    assert counts["n"].tolist() == ["20", "21", "2040", "41"]
    assert counts["events"].tolist() == ["12", "6", "1013", "9"]
    assert set(counts["unit"]) == {"participants"}
    assert found.contrasts["unit"].tolist() == ["log_ratio", "days_per_28"]
    assert list(found.outcomes) == ["analysis_1_1", "analysis_1_2", "analysis_1_3", "analysis_1_4"]
    assert [c["measure"] for c in found.comparisons] == ["MD", "RR", "RATIO", "MD"]
    assert found.comparisons[0]["subgroup_by"] == "subgroup"
    settings = [tuple(c[k] for k in ("analysis", "method", "model")) for c in found.comparisons]
    assert settings == [
        ("1.1", "IV", "random"),
        ("1.2", "MH", "fixed"),
        ("1.3", "IV", "random"),
        ("1.4", "IV", "random"),
    ]
    # What stands in the headings is what the file's reader sees.
    assert [(p["analysis"], p["estimate"]) for p in found.published] == [
        ("1.1", "-1.5"),
        ("1.1.1", "-1.2"),
        ("1.1.2", "-1.8"),
        ("1.2", "1.7"),
        ("1.3", "0.8"),
        ("1.4", "-3"),
    ]


def test_an_antilogarithm_goes_back_to_the_scale_of_its_standard_error(tmp_path: Path) -> None:
    found = read_revman(put(tmp_path, OLD), DECIDED)
    hazard, plain = (found.contrasts.iloc[i] for i in (0, 1))
    assert float(hazard["effect"]) == math.log(0.8)
    assert hazard["effect_type"].endswith("log scale")
    assert plain["effect"] == "-3.25"
    _, read = as_review(tmp_path / "r", found)
    assert read.contrasts["se"].tolist() == pytest.approx([0.125, 0.5], rel=1e-14)
    # Without the column that says so, the interval tells.
    silent = OLD.replace("Entered data are on log scale (Generic Inverse Variance only)", "Other")
    again = read_revman(put(tmp_path, silent), DECIDED)
    pd.testing.assert_frame_equal(again.contrasts, found.contrasts)


def test_revman_rows_are_pooled_as_revman_pools_them(tmp_path: Path) -> None:
    pooled, effects = pool_imported(tmp_path / "r", read_revman(put(tmp_path, OLD), DECIDED))
    assert effects["pooled"].all()
    main = pooled[(pooled["comparison"] == "analysis_1_1") & (pooled["method"] == "EE")]
    v = [4.2**2 / 20 + 5**2 / 21, 4**2 / 20 + 4.5**2 / 20, 3**2 / 55 + 3.5**2 / 53]
    expected = np.average([-1.95, -0.75, -1.8], weights=1 / np.array(v))
    assert main.set_index("subgroup").loc["overall", "estimate"] == pytest.approx(
        expected, rel=1e-12
    )
    assert set(main["subgroup"]) == {"overall", "Migraine", "Tension-type headache"}


def test_data_rows_of_revman_web_become_arms_and_contrasts(tmp_path: Path) -> None:
    found = read_revman(put(tmp_path, WEB), DECIDED)
    assert found.problems == ()
    assert (found.rows_in, found.rows_kept, found.headings) == (6, 6, 0)
    # The same trial in two subgroups of an analysis is two rows.
    assert list(zip(found.arms["trial"], found.arms["subgroup"], strict=True))[::2] == [
        ("Abel 2001", "Migraine"),
        ("Cole 2010", "Tension-type headache"),
        ("Abel 2001 a", "Children"),
        ("Abel 2001", ""),
    ]
    assert found.comparisons[0]["leave_out"] == {
        "Abel 2001 a": "the file counts it in its subgroup only"
    }
    # The measure is the one whose effects the file shows: an odds ratio of 3.75.
    assert [c["measure"] for c in found.comparisons] == ["MD", "OR", "RATIO", "MD"]
    assert found.contrasts["effect"].tolist() == ["-0.22314355", "-3.25"]
    assert found.contrasts["unit"].tolist() == ["log_ratio", "days_per_28"]
    assert found.contrasts["note"][0] == "30 and 31 participants"
    assert found.contrasts["se"].tolist() == ["0.125", "0.5"]
    assert found.contrasts["year"].tolist() == ["2011", ""]
    assert found.contrasts["note"][1] == "year as printed: 2012-13"
    assert found.arms["note"][0] == "ITT"
    assert found.rob.to_dict("records") == [
        {"trial": trial, "domain": domain, "judgement": text, "outcome": outcome}
        for trial, outcome, judged in (
            ("Abel 2001", "analysis_1_1", ("Low risk of bias", "Some concerns")),
            ("Cole 2010", "analysis_1_1", ("High risk of bias", "High risk of bias")),
            ("Abel 2001", "analysis_1_2", ("Low risk of bias",)),
        )
        for domain, text in zip(
            ("Bias arising from the randomization process", "Overall bias"), judged, strict=False
        )
    ]
    _, effects = pool_imported(tmp_path / "r", found)
    assert effects["pooled"].tolist().count(False) == 1


@pytest.mark.parametrize("text", [OLD, WEB])
def test_delimiter_byte_order_mark_and_header_do_not_matter(tmp_path: Path, text: str) -> None:
    plain = read_revman(put(tmp_path, text), DECIDED)
    rows = list(csv.reader(text.splitlines()))
    dotted = [re.sub(r"[ ()-]", ".", name).upper() for name in rows[0]]
    lines = [dotted]
    for row in rows[1:]:
        numbers = re.compile(r"-?\d*\.\d+")
        lines.append([c.replace(".", ",") if numbers.fullmatch(c) else c for c in row])
    lines = [
        [c.replace(",", "") if re.fullmatch(r"\d,\d{3}", c) and c in text else c for c in row]
        for row in lines
    ]
    other = "\r\n".join(";".join(row) for row in lines) + "\r\n"
    found = read_revman(put(tmp_path, b"\xef\xbb\xbf" + other.encode()), DECIDED)
    assert found.problems == ()
    pd.testing.assert_frame_equal(found.arms, plain.arms)
    pd.testing.assert_frame_equal(found.contrasts, plain.contrasts)
    assert found.comparisons == plain.comparisons


def test_what_revman_does_not_hold_needs_no_decision(tmp_path: Path) -> None:
    found = read_revman(put(tmp_path, OLD))
    assert found.undecided == ()
    assert set(found.arms["timepoint"]) == {"as reported"}
    assert set(found.arms["comparator"]) == {""}
    assert {o["unit"] for o in found.outcomes.values()} == {
        "as_printed",
        "participants",
        "log_ratio",
    }
    _, read = as_review(tmp_path / "r", found)
    assert len(read.arms) == len(found.arms)
    change = read_revman(put(tmp_path, OLD), DECIDED | {"kind": "change"})
    assert set(change.arms.loc[change.arms["kind"] == "change", "positive_means"]) == {"unstated"}
    assert change.comparisons[0]["kinds"] == ["change"]


def test_values_for_missing_columns_are_held_against_the_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_revman(
            put(tmp_path, OLD),
            {"unit": "furlongs", "n": "3", "time_days": "soon", "comparator": "sugar"},
        )
    found = [(p.rule, p.column) for p in caught.value.problems]
    assert found == [
        ("unknown_word", "unit"),
        ("unknown_column", "n"),
        ("not_a_number", "time_days"),
        ("unknown_word", "comparator"),
    ]
    assert "furlongs" not in str(caught.value)


OLD_FAULTS = {
    "9,0,0,1,x,,,,,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,,,": "field_count",
    "1,x,0,Gold 1999,,,,,,0,8,4,20,0,9,4,20,0,0,-1,1,-3,1,9,,,,1999": "no_analysis",
    "1,1,0,,,,,,,0,8,4,20,0,9,4,20,0,0,-1,1,-3,1,9,,,,1999": "required",
    "1,1,0,G1,,,,,,0,8 days,4,20,0,9,4,20,0,0,-1,1,-3,1,9,,,,1999": "not_a_number",
    "1,1,0,G5,,,,,,0,8,-4,20,0,9,4,20,0,0,-1,1,-3,1,9,,,,1999": "negative_sd",
    "1,1,0,Headache days,CONT,IV,MD,Random,,0,,,95,0,,,94,,,-1.5,,-2.5,-0.5,100,3.1,M,U,": "heading_twice",
    "1,2,0,G7,,,,,,21,0,0,20,6,0,0,21,0,0,2.1,0.38,0.9,4.4,50,,,,1999": "events_above_n",
    "1,2,0,G8,,,,,,-1,0,0,20,6,0,0,21,0,0,2.1,0.38,0.9,4.4,50,,,,1999": "negative_events",
    "1,3,0,H1,,,,,,0,0,0,0,0,0,0,0,0,0,0.8,0.5,0.79,0.81,100,,,,1999": "scale_unclear",
    "1,8,0,H3,,,,,,0,8,4,20,0,9,4,20,0,0,-1,1,-3,1,9,,,,1999": "no_heading",
}


def test_one_problem_of_each_kind_and_no_row_lost(tmp_path: Path) -> None:
    good = OLD.count("\n") - 1
    text = OLD + "".join(f"{line}\n" for line in OLD_FAULTS)
    found = read_revman(put(tmp_path, text), DECIDED)
    expected = [(good + 2 + i, rule) for i, rule in enumerate(OLD_FAULTS.values())]
    assert rules(found) == expected
    assert found.rows_kept == 7 and found.headings == 7
    assert add_up(found)
    for problem in found.problems:
        assert problem.file == "rows.csv"
        for value in ("G1", "8 days", "Gold", "H1"):
            assert value not in str(problem)
    plain = read_revman(put(tmp_path, OLD), DECIDED)
    pd.testing.assert_frame_equal(found.arms, plain.arms)


ODD_ROWS = {
    # Rows that RevMan shows and does not estimate, or whose study stands there already.
    "1,1,2,G2,,,,,,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,,,,1999": "G2",
    "1,1,2,G3,,,,,,0,8,0,20,0,9,0,20,0,0,-1,1,-3,1,9,,,,1999": "G3",
    "1,1,2,G4,,,,,,0,8,4,1,0,9,4,20,0,0,-1,1,-3,1,9,,,,1999": "G4",
    "1,1,2,G6,,,,,,0,,4,20,0,9,4,20,0,0,-1,1,-3,1,9,,,,1999": "G6",
    "1,1,1,Bode 2003,,,,,,0,7.5,4,20,0,8.25,4.5,20,0,0,-0.75,1,-3,1,9,,,,": "Bode 2003 b",
    "1,3,0,G9,,,,,,0,0,0,0,0,0,0,0,0,0,0.8,0,0.6,1,100,,,,1999": "G9",
    "1,3,0,H2,,,,,,0,0,0,0,0,0,0,0,0,0,,0.5,0.79,0.81,100,,,,1999": "H2",
}


def test_every_row_is_kept_though_it_gives_no_effect(tmp_path: Path) -> None:
    # O-E and variance has a type of data of its own, so it comes with its heading.
    extra = "1,9,0,Deaths,IPD,EXP_O_E_VAR,PETO_OR,Fixed,,0,,,0,0,,,0,,,1,,,,100,,,,\n"
    extra += "1,9,0,H4,,,,,,3,0,0,20,4,0,0,20,-0.5,1.6,0.7,0.8,0.1,3,100,,,,1999\n"
    found = read_revman(put(tmp_path, OLD + "\n".join([*ODD_ROWS, extra])), DECIDED)
    assert found.problems == () and found.rows_kept == 7 + len(ODD_ROWS) + 1
    names = {*found.arms["trial"], *found.contrasts["trial"]}
    assert {*ODD_ROWS.values(), "Bode 2003 a", "H4"} <= names
    logrank = found.contrasts.set_index("trial").loc["H4"]
    assert float(logrank["effect"]) == -0.5 / 1.6
    assert float(logrank["se"]) == 1.6**-0.5
    _, effects = pool_imported(tmp_path / "r", found)
    assert {*ODD_ROWS.values(), "Bode 2003 a", "H4"} <= {*effects["trial"]}
    empty = effects[effects["trial"].isin(["G2", "G3", "G4", "G6", "G9", "H2"])]
    assert not empty["pooled"].any() and empty["why_not"].notna().all()


def test_a_study_is_never_taken_for_a_heading(tmp_path: Path) -> None:
    study = ",,,,,12,0,0,20,6,0,0,21,0,0,2.1,0.38,0.9,4.4,50,,,,2001"
    flat = [
        f"1,{o},{g},{name},DICH{study}"
        for o, g, name in ((1, 0, "A"), (1, 2, "B"), (1, 2, "C"), (2, 0, "D"))
    ]
    found = read_revman(put(tmp_path, OLD_HEADER + "\n".join(flat) + "\n"), DECIDED)
    assert rules(found) == [
        (2, "no_studies"),
        (3, "no_studies"),
        (4, "heading_twice"),
        (5, "no_studies"),
    ]
    assert (found.rows_in, found.rows_kept, found.headings) == (4, 0, 0)
    with pytest.raises(InputError) as caught:
        read_revman(put(tmp_path, OLD.replace("Data Type", "Other")))
    assert [p.column for p in caught.value.problems] == ["Data Type"]


def test_faults_of_data_rows(tmp_path: Path) -> None:
    def line(**cells: str) -> str:
        values = {"Analysis group": "1", "Analysis number": "1", "Study": "X", **cells}
        return ",".join(values.get(name.strip(), "") for name in WEB_HEADER.split(","))

    arms = {
        "Experimental N": "20",
        "Control N": "20",
        "Experimental mean": "5",
        "Control mean": "6",
    }
    lines = {
        line(Study="D", **arms, **{"Experimental SD": "many"}): "not_a_number",
        line(Study="", **arms): "required",
        line(Study="E", **arms, **{"Analysis number": ""}): "no_analysis",
    }
    kept = [
        line(Study="A"),
        line(Study="C", **{"Analysis number": "2", "GIV Mean": "-1"}),
        line(Study="F", **{"Experimental mean": "3", "Experimental N": "20", "Control N": "20"}),
        line(Study="G", **arms, **{"Mean": "Not estimable", "Experimental SD": "NA"}),
    ]
    found = read_revman(put(tmp_path, WEB_HEADER + "\n".join([*lines, *kept]) + "\n"), DECIDED)
    assert rules(found) == [(i + 2, rule) for i, rule in enumerate(lines.values())]
    assert found.rows_kept == len(kept)
    assert add_up(found)


def test_no_row_is_lost_whatever_the_cells(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    cells = ["", "0", "1", "-1", "2.5", "x", "1,5", "NA", "1e999", "=1+1", "CONT", "IV", "3"]
    for header in (OLD_HEADER, WEB_HEADER, ",".join((*COLUMNS, "sei")) + "\n"):
        width = header.count(",") + 1
        rows = []
        for _ in range(300):
            row = [str(c) for c in rng.choice(cells, width)]
            if header != OLD_HEADER or rng.random() < 0.9:
                row[:4] = [str(c) for c in rng.choice(["1", "2", "0"], 3)] + [row[3]]
            rows.append(",".join(f'"{c}"' for c in row))
        read = read_metafor if "yi" in header else read_revman
        found = read(put(tmp_path, header + "\n".join(rows) + "\n"), DECIDED)
        assert found.rows_in + found.headings + found.texts == 300
        assert add_up(found)
        if found.rows_kept:
            as_review(tmp_path / "r", found)  # whatever is kept, a review can use


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"", "empty_file"),
        ("Study,Effect\nä,1\n".encode("latin-1"), "unreadable"),
        (b'Study,Effect\n"a,1\n', "unreadable"),
        (b"Study,Effect\na,1\n", "missing_column"),
        (b"Comparison Number,Name\n1,a\n", "missing_column"),
        (b"Analysis group,Analysis.group,Analysis number,Study\n1,1,1,a\n", "duplicate_column"),
    ],
)
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, text: bytes, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        read_revman(put(tmp_path, text))
    assert {p.rule for p in caught.value.problems} == {rule}
    with pytest.raises(InputError):
        read_metafor(put(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_revman(tmp_path / "absent.csv")
    assert caught.value.problems[0].rule == "unreadable"


# -- RevMan: writing


def test_effects_go_through_revmans_data_rows_and_back(tmp_path: Path) -> None:
    _, effects = made_up(tmp_path / "r")
    path = tmp_path / "out.csv"
    left = write_revman(effects, path)
    used = effects[effects["pooled"]]
    assert len(left) == len(effects) - len(used) and {p.rule for p in left} == {"not_pooled"}
    assert path.read_text(encoding="utf-8").splitlines()[0] == ",".join(DATA_ROWS)
    found = read_revman(path, DECIDED)
    assert found.problems == () and found.rows_kept == len(used)
    places = {id: f"analysis_1_{i}" for i, id in enumerate(effects["comparison"].unique(), 1)}
    for id, part in used.groupby("comparison", sort=False):
        arms = found.arms[found.arms["outcome"] == places[str(id)]]
        contrasts = found.contrasts[found.contrasts["outcome"] == places[str(id)]]
        if id in ("smd", "rr", "or", "rd"):
            assert not len(contrasts)
            for i, role in ((1, "treatment"), (2, "control")):
                side = arms[arms["role"] == role]
                names = (
                    {"n": "n", "events": "events"}
                    if id != "smd"
                    else {"n": "n", "mean": "mean", "sd": "sd"}
                )
                for name, column in names.items():
                    assert side[name].astype(float).tolist() == part[f"{column}{i}"].tolist()
        else:  # means of two arms beside printed differences, and single arms
            assert not len(arms)
            assert contrasts["effect"].astype(float).tolist() == part["yi"].tolist()
    measures = {c["id"]: c["measure"] for c in found.comparisons}
    for id in ("smd", "rr", "or", "rd"):
        assert measures[places[id]] == id.upper()
    pooled, _ = pool_imported(tmp_path / "again", found)
    first, _ = pool_review(effects, config.load_review(tmp_path / "r"))
    first, pooled = (f[(f["method"] == "REML") & (f["test"] == "adhoc")] for f in (first, pooled))
    for id in ("md", "smd", "rr", "or", "rd", "mc", "smcc", "smcr"):
        ours = first[(first["comparison"] == id) & (first["subgroup"] == "overall")].iloc[0]
        theirs = pooled[pooled["comparison"] == places[id]].iloc[0]
        assert theirs["k"] == ours["k"]
        for name in ("estimate", "se", "tau2"):
            assert theirs[name] == pytest.approx(ours[name], rel=1e-6, abs=1e-9)


def test_text_is_guarded_against_formulas_and_numbers_are_not_touched(tmp_path: Path) -> None:
    _, effects = made_up(tmp_path / "r")
    effects = (
        effects[effects["comparison"] == "mc"].head(1).assign(trial="=1+1", yi=-1.5, label="-a")
    )
    write_revman(effects, tmp_path / "out.csv")
    row = next(csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8")))
    assert (row["Study"], row["GIV Mean"], row["Analysis name"]) == ("'=1+1", "-1.5", "'-a")
    assert read_revman(tmp_path / "out.csv").contrasts["trial"][0] == "=1+1"
    write_metafor(effects, tmp_path / "m.csv")
    row = next(csv.DictReader((tmp_path / "m.csv").open(encoding="utf-8")))
    assert (row["study"], row["yi"]) == ("'=1+1", "-1.5")
    for text in ("=a", "'=a", "''@a", "'a", "a", "", "-", "+1"):
        assert unguard(guard(text)) == text


# -- metafor


def test_metafor_columns_come_back_as_they_went(tmp_path: Path) -> None:
    review, effects = made_up(tmp_path / "r")
    path = tmp_path / "m.csv"
    write_metafor(effects, path)
    frame = pd.read_csv(path)
    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == len(effects)
    assert frame["pooled"].tolist() == effects["pooled"].tolist()
    by_id = dict(tuple(frame.groupby("comparison")))
    assert all(part["slab"].is_unique for part in by_id.values())
    found = read_metafor(path, DECIDED)
    assert {p.rule for p in found.problems} <= {"no_numbers"}
    assert add_up(found)
    assert {c["id"]: c["measure"] for c in found.comparisons} == {
        c.id: c.measure for c in review.comparisons
    }
    kinds = {"md", "smd", "rr", "or", "rd"}
    for id in kinds:
        arms = found.arms[found.arms["outcome"] == id]
        part = effects[(effects["comparison"] == id) & (effects["basis"] == "arms")]
        for i, role in ((1, "treatment"), (2, "control")):
            side = arms[arms["role"] == role]
            assert side["trial"].tolist() == part["trial"].tolist()
            for name in ("n", "events") if id in ("rr", "or", "rd") else ("n", "mean", "sd"):
                column = f"{name}{i}"
                assert side[name].astype(float).tolist() == part[column].tolist()
    printed = effects[(effects["comparison"] == "md") & (effects["basis"] == "contrast")]
    back = found.contrasts[found.contrasts["outcome"] == "md"]
    assert back["effect"].astype(float).tolist() == printed["yi"].tolist()
    assert back["trial"].tolist() == printed["trial"].tolist()
    # A review made of the file gives the same effects and the same pooled rows.
    again, read = as_review(tmp_path / "again", found)
    theirs = build_effects(read.arms, read.contrasts, again)
    for id, part in effects[effects["pooled"]].groupby("comparison"):
        same = theirs[(theirs["comparison"] == id) & theirs["pooled"]]
        assert same["trial"].tolist() == part["trial"].tolist()
        for name in ("yi", "vi"):
            assert same[name].to_numpy() == pytest.approx(part[name].to_numpy(), rel=1e-9)


number = st.floats(min_value=-1e9, max_value=1e9, allow_subnormal=False)
spread = st.floats(min_value=1e-9, max_value=1e9)
people = st.integers(min_value=2, max_value=10**6)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(people, number, spread, people, number, spread, number, spread),
        min_size=1,
        max_size=5,
    )
)
def test_numbers_come_back_bit_for_bit(
    rows: list[tuple[Any, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bits")
    shared = {
        "outcome": "frequency",
        "estimand": "between_arm",
        "measure": "MD",
        "unit": "headache days per 28",
        "subgroup": None,
        "year": 2001,
        "timepoint": "3 months, final",
        "weight": math.nan,
        "pooled": True,
        "status": "retrieved",
        "source": "T",
        "ci_low": 0.0,
        "ci_high": 0.0,
    }
    frame = []
    for i, (n1, mean1, sd1, n2, mean2, sd2, yi, vi) in enumerate(rows):
        one = {"n1": n1, "mean1": mean1, "sd1": sd1, "n2": n2, "mean2": mean2, "sd2": sd2}
        base = shared | {"trial": f"T{i}", "arms": "a v b", "yi": yi, "vi": vi}
        frame.append(base | one | {"comparison": "arms", "label": "Arms", "basis": "arms"})
        frame.append(base | {"comparison": "drawn", "label": "Drawn", "basis": "contrast"})
    effects = conform("effects", pd.DataFrame(frame))
    write_metafor(effects, folder / "m.csv")
    write_revman(effects, folder / "r.csv")
    for found in (read_metafor(folder / "m.csv"), read_revman(folder / "r.csv")):
        assert found.problems == ()
        for i, role in enumerate(("treatment", "control")):
            side = found.arms[found.arms["role"] == role]
            for j, name in enumerate(("n", "mean", "sd")):
                assert side[name].astype(float).tolist() == [row[3 * i + j] for row in rows]
        assert found.contrasts["effect"].astype(float).tolist() == [row[6] for row in rows]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_so_that_it_reads_the_same(value: float) -> None:
    text = write_number(value)
    assert float(text) == value and math.copysign(1, float(text)) == math.copysign(1, value)


def test_a_users_own_file(tmp_path: Path) -> None:
    text = (
        "author;year;n1i;m1i;sd1i;n2i;m2i;sd2i;ai;bi;ci;di;yi;sei;ni;sd;ri\n"
        "Abel;2001;20;8,1;4,2;21;10,05;5;NA;NA;NA;NA;;;;;\n"
        "Abel;2004;20;8,1;4,2;21;10,05;5;NA;NA;NA;NA;;;;;\n"
        "Bode;2003;;;;;;;12;8;6;15;;;;;\n"
        "Cole;2010;;;;;;;;;;;-1,5;0,5;;;\n"
        "Dahl;2011;;5;3;;9;4;;;;;;;30;;0,6\n"
        "Eder;2012;20;;;;;;NA;;;;-1;NA;;;\n"
        "Falk;2013;;;;;;;;;;;;;;;\n"
        "Gold;2014;20;;;;;;12;9;6;15;;;;;\n"
        ";2014;;;;;;;12;9;6;15;;;;;\n"
        "Hahn;2015;;5;3;;9;4;;;;;;;30;;1,6\n"
        "Hahn;2016;;;;;;;12;;6;15;;;;;\n"
    )
    found = read_metafor(put(tmp_path, text), DECIDED)
    assert rules(found) == [
        (7, "no_standard_error"),
        (8, "no_numbers"),
        (9, "counts_disagree"),
        (10, "required"),
        (11, "not_a_correlation"),
        (12, "required"),
    ]
    assert add_up(found) and found.rows_kept == 5
    arms = found.arms
    assert arms["trial"].unique().tolist() == ["Abel 2001", "Abel 2004", "Bode 2003", "Dahl 2011"]
    assert arms.loc[arms["trial"] == "Bode 2003", ["n", "events"]].to_numpy().tolist() == [
        ["20", "12"],
        ["21", "6"],
    ]
    paired = arms[arms["trial"] == "Dahl 2011"]
    assert paired["kind"].tolist() == ["final", "change"]
    assert paired["positive_means"].tolist() == ["", "worse"]
    assert float(paired["sd"].iloc[1]) == math.sqrt(9 + 16 - 2 * 0.6 * 12)
    assert [(c["id"], c["estimand"]) for c in found.comparisons] == [
        ("imported", "between_arm"),
        ("imported_2", "within_arm"),
    ]


def test_the_shipped_review_in_its_own_columns(repo_root: Path) -> None:
    found = read_metafor(repo_root / "data/raw/trials/lee_done_2004_acupoint/lee2004.csv")
    assert found.problems == () and found.rows_kept == 16
    assert found.comparisons[0]["measure"] == "RR"
    # Agarwal stands for 2000 and 2002; the other names are left as they are.
    assert found.arms["trial"].tolist()[:5:2] == ["Agarwal 2000", "Agarwal 2002", "Alkaissi 1999"]


def test_rows_that_the_file_does_not_pool_are_left_out_with_their_reason(tmp_path: Path) -> None:
    text = "study,yi,vi,pooled,why_not\nA,1,1,TRUE,\nB,2,1,FALSE,recalled\nC,3,1,FALSE,\n"
    found = read_metafor(put(tmp_path, text), DECIDED)
    left = found.comparisons[0]["leave_out"]
    assert left == {"B": "recalled", "C": "not pooled in the file it comes from"}


def test_the_script_names_every_comparison_and_is_ascii(tmp_path: Path) -> None:
    review, _ = made_up(tmp_path / "r")
    text = write_script(review, "a b.csv")
    assert text.isascii()
    for comparison in review.comparisons:
        assert f'comparison == "{comparison.id}"' in text
    assert '"\\"MD\\" \\\\ \\u00e9"' in text
    assert '"REML", "adhoc"' in text and '"a b.csv"' in text and "level = 95" in text
    kr = replace(review, model=Model(method="REML", test="kr"))
    assert "no Kenward-Roger test" in write_script(kr)


# -- the page


def test_the_pages_examples_run(
    repo_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (repo_root / "docs/interchange.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) >= 4
    put(tmp_path, WEB, "data-rows.csv")
    put(tmp_path, "author,year,yi,sei\nAbel,2001,-1.5,0.5\nBode,2003,-1,0.4\n", "mine.csv")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(repo_root / "data")
    space: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/interchange.md", "exec"), space)
    assert "6 rows: 6 kept, 0 reported" in capsys.readouterr().out
    assert (tmp_path / "reproduce.R").is_file() and (tmp_path / "revman.csv").is_file()
    assert yaml.safe_load((tmp_path / "review_part.yaml").read_text())["comparisons"]
