"""What is computed for judging evidence: closed forms, simulations, sums that do not add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from headway.config.review import Flow, Judgement
from headway.reviews import certainty

RISKS = st.floats(0.01, 0.99)


@pytest.mark.parametrize(
    ("numbers", "target", "none", "benefit", "harm"),
    [
        ((-3.0, -4.0, -2.5), "important_benefit", False, False, False),
        ((-3.0, -5.0, -1.0), "important_benefit", False, True, False),
        ((-1.0, -2.5, 0.5), "little_difference", True, True, False),
        ((0.0, -3.0, 3.0), "little_difference", True, True, True),
        ((2.5, 2.1, 2.9), "important_harm", False, False, False),
    ],
)
def test_an_interval_is_held_against_no_difference_and_both_thresholds(
    numbers: tuple[float, float, float], target: str, none: bool, benefit: bool, harm: bool
) -> None:
    found = certainty.judge_interval(*numbers, 2.0)
    assert found == {
        "target": target,
        "includes_none": none,
        "crosses_benefit": benefit,
        "crosses_harm": harm,
    }
    value, low, high = (-x for x in numbers)
    mirrored = certainty.judge_interval(value, high, low, 2.0, lower_is_better=False)
    assert mirrored == found


def test_the_information_size_is_that_of_a_textbook_trial() -> None:
    # SD 1, difference 0.5, alpha 0.05, power 0.8: 63 people an arm (62.8 by normal quantiles).
    assert round(float(certainty.find_information_size(1.0, 0.5)) / 2, 1) == 62.8
    # 40 % against 30 %: 354 people an arm (353.2 with separate variances).
    total = float(certainty.find_information_size_of_risk(0.4, 0.1))
    assert abs(total / 2 - 353.2) < 0.1
    assert np.isnan(certainty.find_information_size_of_risk(0.1, 0.2))
    # Where more is better, 60 % against 70 %: the same trial, read from the other side.
    assert certainty.find_information_size_of_risk(0.6, 0.1, lower_is_better=False) == total
    assert np.isnan(certainty.find_information_size_of_risk(0.9, 0.2, lower_is_better=False))


def test_that_many_people_do_see_the_difference() -> None:
    n = round(float(certainty.find_information_size(6.0, 2.0)) / 2)
    rng = np.random.default_rng(5)
    a, b = rng.normal(0, 6, (4000, n)), rng.normal(2, 6, (4000, n))
    seen = (stats.ttest_ind(a, b, axis=1).pvalue < 0.05).mean()
    assert abs(seen - 0.8) < 0.02  # the error of 4 000 trials is 0.006; t costs 0.002


@given(RISKS, RISKS)
def test_ratios_of_two_risks_give_the_risk_back(treated: float, control: float) -> None:
    odds = treated / (1 - treated) / (control / (1 - control))
    for measure, effect in (
        ("RR", treated / control),
        ("OR", odds),
        ("RD", treated - control),
    ):
        assert np.isclose(certainty.find_risk(measure, effect, control), treated, rtol=1e-9)


def test_a_ratio_cannot_promise_more_than_everyone() -> None:
    assert certainty.find_risk("RR", 5.0, 0.4) == 1.0
    # 50 fewer per 1 000: risk ratio 0.75 at 200 per 1 000.
    assert np.isclose(certainty.find_risk("RR", 0.75, 0.2) - 0.2, -0.05)
    with pytest.raises(ValueError, match="MD"):
        certainty.find_risk("MD", 1.0, 0.2)


def test_the_share_beyond_a_change_is_that_of_simulated_people() -> None:
    people = np.random.default_rng(1).normal(-3.0, 5.0, 400_000)
    found = float(certainty.find_responders(-3.0, 5.0, 4.0))
    assert abs(found - (people <= -4.0).mean()) < 0.003
    assert np.isclose(
        certainty.find_responders(3.0, 5.0, 4.0, lower_is_better=False), found, rtol=1e-12
    )


def test_the_share_of_settings_covers_what_was_simulated() -> None:
    # 2 000 reviews of 60 trials with a known tau: the limits hold the true share in near 95 %.
    rng = np.random.default_rng(2)
    mu, tau, k, se = -2.0, 1.0, 60, 0.3
    truth = float(stats.norm.cdf((2.0 - 1.5) / tau))
    held = 0
    for _ in range(2000):
        y = rng.normal(mu, np.sqrt(tau**2 + se**2), k)
        _, low, high, _ = certainty.find_settings(
            y.mean(), np.sqrt((tau**2 + se**2) / k), tau**2, k, 1.5
        )
        held += low <= truth <= high
    assert abs(held / 2000 - 0.95) < 0.02


@pytest.mark.parametrize(("tau2", "k"), [(0.0, 9), (1.0, 4)])
def test_no_share_of_settings_without_settings(tau2: float, k: int) -> None:
    share, low, high, why = certainty.find_settings(-2.0, 0.4, tau2, k, 1.0)
    assert np.isnan([share, low, high]).all()
    assert why


def test_the_typed_grade_is_checked_and_never_changed() -> None:
    typed = {d: Judgement(levels=0, why="w") for d in certainty.DOMAINS}
    assert certainty.check_grade(typed, "high", "me") == []
    typed["risk_of_bias"] = Judgement(levels=-1, why="w")
    typed["imprecision"] = Judgement(levels=-2, why="w")
    assert certainty.check_grade(typed, "very_low", "me") == []
    (message,) = certainty.check_grade(typed, "moderate", "me")
    assert message.id == "grade.levels_disagree"
    assert message.values["expected"] == "certainty.very_low"
    assert certainty.check_grade(typed, "very_low", None)[0] == "grade.not_signed"
    del typed["imprecision"]
    assert "imprecision" in certainty.check_grade(typed, "low", "me")[0]
    assert certainty.check_grade({}, None, None) == []


def test_a_flow_that_does_not_add_up_says_where() -> None:
    flow = Flow(
        databases=400,
        registers=20,
        duplicates=90,
        screened=330,
        excluded=300,
        sought=30,
        not_retrieved=2,
        assessed=28,
        excluded_reasons={"a": 12, "b": 12},
        reports=4,
        studies=4,
    )
    assert certainty.check_flow(flow) == []
    assert certainty.check_flow(Flow()) == []
    wrong = certainty.check_flow(replace(flow, screened=331, reports=5))
    assert len(wrong) == 3  # screened is the end of one sum and the start of the next
    assert all(any(str(n) in text for n in (330, 31, 4)) for text in wrong)


@pytest.mark.parametrize(("tool", "middle"), [("rob2", "some_concerns"), ("rob1", "unclear")])
def test_an_overall_better_than_its_worst_domain_is_found(tool: str, middle: str) -> None:
    kit = certainty.RISK_TOOLS[tool]
    first, second = list(kit.domains)[:2]

    def judge(overall: str) -> list[dict[str, object]]:
        rows = [("A", first, "high"), ("A", second, "low"), ("A", "overall", overall)]
        table = pd.DataFrame(rows, columns=["trial", "domain", "judgement"]).assign(
            outcome=None, file="r.csv", line=range(2, 5)
        )
        return list(certainty.check_overall(table, tool))

    assert judge("high") == []
    (found,) = judge(middle)
    assert found["line"] == 4
    assert found["expected"] == "high"
