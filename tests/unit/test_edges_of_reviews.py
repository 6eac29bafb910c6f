"""What reviews work out beside the pooling, by hand."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from headway import config
from headway.errors import Problem
from headway.ingest import trials
from headway.reviews.analyse import analyse_review
from headway.reviews.dependent import fit_dependent, pool_dependent
from headway.reviews.findings import _find_control
from headway.reviews.library import OTHER, REPRODUCED, count_verdicts
from headway.reviews.moderator_fits import _explain
from headway.reviews.preview import _list_columns
from headway.reviews.reproduce import are_ratios
from headway.reviews.specifications import explore_review
from headway.reviews.zero_events import measure_counts
from tests.unit.review_builder import ARMS, REVIEW, write_review


@pytest.fixture(scope="module")
def review(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return config.load_review(
        write_review(tmp_path_factory.mktemp("edges") / "r", {"arms.csv": ARMS})
    )


@pytest.fixture(scope="module")
def comparison(review: Any) -> Any:
    return review.comparisons[0]


def test_spreads_of_control_arms_are_averaged_as_variances(comparison: Any) -> None:
    own = pd.DataFrame({"n2": [10.0, 30.0, np.nan], "mean2": [8.0, 12.0, 99.0],
                        "sd2": [4.0, 6.0, 99.0], "events2": np.nan})  # fmt: skip
    found = _find_control(own, SimpleNamespace(control=None), replace(comparison, measure="SMD"))
    assert found["mean"] == pytest.approx((10 * 8 + 30 * 12) / 40)
    assert found["sd"] == pytest.approx(math.sqrt((10 * 16 + 30 * 36) / 40))
    assert math.isnan(found["risk"])
    own["events2"] = [3.0, 5.0, np.nan]
    found = _find_control(own, SimpleNamespace(control=None), replace(comparison, measure="RR"))
    assert found["risk"] == pytest.approx(8 / 40) and math.isnan(found["sd"])


def test_printed_results_are_ratios_only_where_all_are() -> None:
    for measures, told in (
        (["OR", "RR"], True),
        (["OR", "MD"], False),
        (["x"], False),
        ([], False),
    ):
        assert are_ratios(pd.DataFrame({"measure": [*measures, None]})) is told


def test_effects_of_one_trial_count_for_less_the_closer_they_are(comparison: Any) -> None:
    rows = pd.DataFrame(
        {
            "trial": ["A", "A", "A", "B", "C", "D"],
            "yi": [1.0, 1.2, 1.1, 0.2, 0.4, -0.1],
            "vi": [0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
        }
    )
    weight = {}
    for r in (0.1, 0.9):
        asked = replace(comparison, several_effects="multivariate", several_r=r)
        weight[r] = pool_dependent(rows, asked, 0.95).weights[:3].sum()
    plain = pool_dependent(rows, replace(comparison, several_effects="multilevel"), 0.95)
    assert 25 < weight[0.9] < weight[0.1] < 50
    assert plain.h2 == pytest.approx(100 / (100 - plain.i2)) and 0 < plain.i2 < 100
    assert plain.k == 4 and plain.weights[:3].sum() != pytest.approx(weight[0.9], abs=0.1)


def test_what_a_moderator_explains_is_the_share_of_tau2_that_is_gone() -> None:
    assert _explain(0.05, 0.2) == pytest.approx(75)
    assert _explain(0.3, 0.2) == _explain(0.0, 0.0) == 0


@pytest.mark.parametrize(
    ("counts", "told"),
    [((0, 9, 0, 8), "none"), ((9, 9, 8, 8), "all"), ((0, 0, 3, 8), "nobody")],
)
def test_a_risk_ratio_without_an_estimate_says_why(counts: tuple[int, ...], told: str) -> None:
    given = dict(zip(("events1", "n1", "events2", "n2"), map(float, counts), strict=True))
    found = measure_counts("RR", given, "not_estimable")
    assert math.isnan(found.yi)
    assert found.reason is not None and found.reason.id.endswith(told)


def test_an_analysis_counts_by_the_worst_of_its_verdicts() -> None:
    rows = [
        {"file": file, "analysis": "1.1", "verdict": verdict, "explanation": ""}
        for file, verdict in (("a", REPRODUCED), ("a", OTHER), ("a", REPRODUCED), ("b", REPRODUCED))
    ]
    found = count_verdicts(rows)
    assert (found["totals"], found["reproduced"], found["not_reproduced"]) == (2, 1, 1)


def test_a_subgroup_of_one_trial_is_not_pooled(comparison: Any, review: Any) -> None:
    rows = pd.DataFrame(
        {
            "trial": ["A", "A", "B", "C", "C"],
            "yi": [1.0, 1.2, 0.2, 0.4, -0.1],
            "vi": 0.1,
            "subgroup": ["x", "x", "x", "y", "y"],
        }
    )
    asked = replace(comparison, several_effects="multilevel", subgroup_by="technique")
    assert [name for name, *_ in fit_dependent(rows, asked, review)] == ["x", "overall"]


def test_a_columns_share_of_cells_that_cannot_be_used() -> None:
    columns = {"a": ("mean", 10), "b": ("sd", 0), "c": ("", 5), "d": ("n", 3)}
    file = SimpleNamespace(name="f.csv", columns=columns)
    problems = (
        Problem("f.csv", "r", "m", "mean", 2),
        Problem("f.csv", "r", "m", "mean", 3),
        Problem("g.csv", "r", "m", "mean", 3),
        Problem("f.csv", "r", "m", "n", count=9),
    )
    shares = {row["column"]: row["unread_share"] for row in _list_columns(file, problems)}
    assert shares == {"a": 0.2, "b": 0.0, "c": 1.0, "d": 1.0}


def test_a_comparison_without_a_total_does_not_end_the_list_of_ways(tmp_path: Path) -> None:
    pooled = {"outcome": "frequency", "estimand": "between_arm", "measure": "MD"}
    comparisons = [
        {**pooled, "id": "parts", "label": "a", "totals": "none"},
        {**pooled, "id": "whole", "label": "b"},
    ]
    folder = write_review(tmp_path / "r", {"arms.csv": ARMS}, comparisons=comparisons)
    asked = config.load_review(folder)
    read = trials.read_review(folder, asked)
    assert set(explore_review(read.arms, read.contrasts, asked)["comparison"]) == {"whole"}


def test_chances_of_one_half_when_nothing_works_are_pooled_as_chances(tmp_path: Path) -> None:
    made = copy.deepcopy(REVIEW["comparisons"])
    made[0]["measure"] = "CLES"
    arms = ARMS.replace(",change,30,3,4,better,", ",final,30,9,4,,")
    arms = arms.replace(",change,30,1,4,better,", ",final,30,11,4,,")
    folder = write_review(
        tmp_path / "r", {"arms.csv": arms}, comparisons=made, model={"method": "EE", "test": "z"}
    )
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    found = analyse_review(read.arms, read.contrasts, read.published, review, explore=False)
    # The chance that one person of the first arm has more days than one of the second.
    yi, vi = (found["effects"].set_index("trial")[x] for x in ("yi", "vi"))
    assert yi["A 2001"] == pytest.approx(norm.cdf(-2 / math.hypot(4, 5)))
    assert yi["B 2002"] == pytest.approx(norm.cdf(-2 / math.hypot(4, 4)))
    (row,) = found["pooled"].query("declared").to_dict("records")
    mean, half = np.average(yi, weights=1 / vi), norm.ppf(0.975) / math.sqrt((1 / vi).sum())
    assert row["estimate"] == pytest.approx(mean)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((mean - half, mean + half))
