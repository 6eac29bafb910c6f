"""The multiverse of the shipped reviews: its declared row is the pooled one, its ways are real."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from headway import config, meta
from headway.config.review import Comparison, Review
from headway.effects.measures import list_kin
from headway.ingest import trials
from headway.reviews.analyse import analyse_review
from headway.reviews.specifications import explore_review, include_by_risk, list_ways

TRIALS = Path(__file__).resolve().parents[2] / "data" / "raw" / "trials"
SHIPPED = ("acupuncture_headache", "manual_therapy_headache", "lee_done_2004_acupoint")


@cache
def analysed(name: str) -> tuple[Review, trials.Published, dict[str, pd.DataFrame]]:
    review = config.load_review(TRIALS / name)
    found = trials.read_review(TRIALS / name, review)
    tables = analyse_review(found.arms, found.contrasts, found.published, review)
    return review, found, tables


@pytest.mark.parametrize("name", SHIPPED)
def test_the_declared_row_is_the_pooled_one(name: str) -> None:
    _, _, tables = analysed(name)
    pooled = tables["pooled"]
    pooled = pooled[pooled["declared"]].set_index(["comparison", "subgroup"])
    declared = tables["multiverse"].query("declared")
    assert len(declared) >= 1
    for row in declared.to_dict("records"):
        own = pooled.loc[(row["comparison"], row["subgroup"])]
        assert row["specification"] == 0
        assert row["k"] == own["k"]
        for column in ("estimate", "se", "ci_low", "ci_high", "p_value", "tau2", "i2"):
            assert row[column] == pytest.approx(own[column], rel=1e-9, abs=1e-12)
    # Every pooled estimate of two trials or more has its multiverse, and no other.
    alone = pooled[(pooled["k"] > 1)].reset_index()
    by_arm = {c.id for c in analysed(name)[0].comparisons if c.subgroup_by == "arm"}
    expected = alone[alone["subgroup"].eq("overall") | alone["comparison"].isin(by_arm)]
    assert set(zip(expected["comparison"], expected["subgroup"], strict=True)) == set(
        zip(declared["comparison"], declared["subgroup"], strict=True)
    )


def test_lee_done_by_hand() -> None:
    _, found, tables = analysed("lee_done_2004_acupoint")
    frame = tables["multiverse"]
    assert set(frame["measure"]) == {"RR", "OR", "RD"}
    assert set(frame["method"]) == {"EE", "DL", "PM", "REML"}
    assert (frame["rows_used"] == "read").all()
    assert frame["k"].max() == 16
    # One specification recomputed from the counts: odds ratio, REML, Hartung-Knapp, one left out.
    left_out = "Agarwal 2000"
    arms = found.arms[found.arms["trial"] != left_out]
    sides = [arms[arms["role"] == role].set_index("trial") for role in ("treatment", "control")]
    t, c = sides[0], sides[1].loc[sides[0].index]
    from headway.effects import escalc

    yi, vi = escalc(
        "OR", a=t["events"], b=t["n"] - t["events"], c=c["events"], d=c["n"] - c["events"]
    )
    fit = meta.pool(yi, vi, method="REML", test="knha")
    row = frame.query(
        "measure == 'OR' and method == 'REML' and test == 'knha' and studies == 'all' "
        "and left_out == @left_out"
    )
    assert len(row) == 1
    assert row["estimate"].item() == pytest.approx(fit.estimate, rel=1e-9)
    assert row["p_value"].item() == pytest.approx(fit.p_value, rel=1e-7)


def test_a_way_is_listed_only_where_it_changes_something() -> None:
    review, found, _ = analysed("acupuncture_headache")
    for comparison in review.comparisons:
        for _, _, ways in list_ways(found.arms, found.contrasts, review, comparison):
            assumed = {way.choices["assumed r"] for way in ways}
            if comparison.estimand == "between_arm":
                assert assumed == {"not_needed"}
            else:
                assert {"0.5", "0.7", "0.8"} >= assumed
            assert ways[0].choices["measure"] == comparison.measure
            assert ways[0].choices["rows"] == "read"


def test_measures_come_in_families() -> None:
    assert list_kin("SMD") == ["SMD", "MD"]
    assert list_kin("SMCR") == ["SMCR", "MC", "SMCC"]
    assert list_kin("ROM") == ["ROM"]


def test_a_review_of_pooled_results_has_no_multiverse() -> None:
    review, found, tables = analysed("falsiroli_maistrello_2018")
    assert len(tables["multiverse"]) == 0
    assert len(explore_review(found.arms, found.contrasts, review)) == 0


def test_a_judgement_is_found_by_the_whole_name_of_its_trial() -> None:
    names = ("A", "A: first part", "B")
    judged = {"trial": names, "outcome": None, "domain": "overall"}
    table = pd.DataFrame({**judged, "judgement": ("low", "high", "low")})
    studies = ["A", "A: first part", "A: first part: massage v care", "B: massage v care", "C"]
    comparison = Comparison(id="x", label="x", outcome="pain", estimand="between_arm", measure="MD")
    found = include_by_risk(table, comparison, studies)
    assert found["low_risk"].tolist() == [True, False, False, True, False]
    assert found["not_high_risk"].tolist() == [True, False, False, True, True]
