"""Estimates in other terms: numbers needed to treat, days from SMDs, trials left out, GRADE."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway import config, messages
from headway.ingest import trials
from headway.report.review.asked import describe_asked, say_quantity
from headway.reviews.analyse import analyse_review
from headway.reviews.certainty import find_risk
from headway.reviews.translated import find_number_needed, pool_sd
from tests.unit.review_builder import write_review

HEAD = (
    "trial,year,arm,role,technique,comparator,outcome,unit,timepoint,time_days,kind,n,mean,sd,"
    "events,status,source\n"
)


def write_counts(counts: list[tuple[int, int]], n: int = 100) -> str:
    """Write trials with n people an arm, of whom so many have the event: (treated, control)."""
    lines = [
        f"Trial {i},{2001 + i},{arm},{role},{kinds},pain,participants,3 months,84,events,{n},,,"
        f"{pair[j]},retrieved,T1"
        for i, pair in enumerate(counts)
        for j, (arm, role, kinds) in enumerate(
            (("massage", "treatment", "manual,"), ("care", "control", ",usual_care"))
        )
    ]
    return HEAD + "\n".join(lines) + "\n"


def write_means(rows: list[tuple[float, float, float]], unit: str = "days_per_28") -> str:
    """Write trials with 50 people an arm: (mean treated, mean control, SD of both)."""
    lines = [
        f"Trial {i},{2001 + i},{arm},{role},{kinds},frequency,{unit},3 months,84,final,50,"
        f"{row[j]},{row[2]},,retrieved,T1"
        for i, row in enumerate(rows)
        for j, (arm, role, kinds) in enumerate(
            (("massage", "treatment", "manual,"), ("care", "control", ",usual_care"))
        )
    ]
    return HEAD + "\n".join(lines) + "\n"


def analyse(
    tmp_path: Path, arms: str, measure: str, risk: str = "", **changes: Any
) -> tuple[Any, dict[str, Any]]:
    counts = measure in ("RR", "OR", "RD")
    outcome = "pain" if counts else "frequency"
    files, mapped = {"arms.csv": arms}, {"arms": {"path": "arms.csv"}}
    if risk:
        files["risk.csv"] = risk
        mapped["risk_of_bias"] = {"path": "risk.csv"}
    better = changes.pop("lower_is_better", True)
    outcomes = {
        outcome: {"unit": "participants" if counts else "days_per_28", "lower_is_better": better}
    }
    one = {"id": "main", "label": "Massage v care", "outcome": outcome, "measure": measure}
    one |= {"estimand": "between_arm", **changes.pop("comparison", {})}
    folder = write_review(
        tmp_path / "r", files, mapped, comparisons=[one], outcomes=outcomes, **changes
    )
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    found = analyse_review(
        read.arms, read.contrasts, read.published, review, read.risk_of_bias, explore=False
    )
    return review, found


def pick(tables: dict[str, Any], quantity: str) -> Any:
    rows = tables["translated"].query(f"quantity == '{quantity}' and subgroup == 'overall'")
    assert len(rows) == 1
    return rows.iloc[0]


# ---- numbers needed to treat ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "effect", "fewer", "needed"),
    # Cochrane Handbook, absolute effects from a risk ratio of 0.92 and an odds ratio of 0.73 at a
    # risk of 0.3: 24 and 62 fewer of 1000, so that 42 and 17 have to be treated.
    [("RR", 0.92, 24, 42), ("OR", 0.73, 62, 17), ("RD", -0.133, 133, 8)],
)
def test_the_examples_of_the_handbook(measure: str, effect: float, fewer: int, needed: int) -> None:
    difference = float(find_risk(measure, effect, 0.3)) - 0.3
    assert round(-1000 * difference) == fewer
    found = find_number_needed(-difference, -difference - 0.01, -difference + 0.01)
    assert math.ceil(found.value) == needed


def test_an_interval_that_holds_0_runs_through_infinity() -> None:
    """Altman 1998: ARR 10 % (-5 % to 25 %) is NNTB 10 (NNTH 20 to infinity to NNTB 4)."""
    found = find_number_needed(0.1, -0.05, 0.25)
    assert (found.value, found.low, found.high, found.through_infinity) == (10, -20, 4, True)


def test_harm_has_a_negative_number() -> None:
    found = find_number_needed(-0.1, -0.2, -0.05)
    assert (found.value, found.low, found.high) == (-10, -20, -5)
    assert not found.through_infinity


@given(st.floats(-0.9, 0.9), st.floats(0, 0.09), st.floats(0, 0.09))
def test_a_number_needed_is_the_inverse_of_its_difference(
    benefit: float, below: float, above: float
) -> None:
    low, high = benefit - below, benefit + above
    found = find_number_needed(benefit, low, high)
    assert found.through_infinity == (low <= 0 <= high)
    assert math.isclose(1 / found.value, benefit, abs_tol=1e-9)
    ends = sorted(1 / x for x in (found.low, found.high))
    assert np.allclose(ends, sorted((low, high)), atol=1e-9)


def test_it_stands_on_the_median_risk_of_the_control_groups(tmp_path: Path) -> None:
    review, tables = analyse(tmp_path, write_counts([(10, 20), (20, 40), (15, 30)] * 2), "RR")
    assert pick(tables, "baseline_risk")["estimate"] == pytest.approx(0.3)
    # Every trial halves the risk: 150 fewer of 1000.
    difference, needed = pick(tables, "risk_difference"), pick(tables, "number_needed")
    assert difference["estimate"] == pytest.approx(-0.15)
    assert needed["estimate"] == pytest.approx(1 / 0.15)
    assert needed["ci_low"] == pytest.approx(-1 / difference["ci_low"])
    text = say_quantity(needed, tables["pooled"], review)
    assert text.startswith("Number needed to treat for one more person to benefit (NNTB): 7 (95 %")
    assert "median of the control groups of 6 trials (20 % to 40 %)" in messages.say(
        needed["basis"]
    )


def test_a_stated_risk_comes_first_and_is_named(tmp_path: Path) -> None:
    stated = [{"comparison": "main", "control": {"risk": 0.1, "source": "a registry"}}]
    _, tables = analyse(tmp_path, write_counts([(10, 20), (20, 40)]), "RR", findings=stated)
    assert pick(tables, "number_needed")["estimate"] == pytest.approx(20)
    assert "a registry" in messages.say(pick(tables, "number_needed")["basis"])


def test_where_events_are_good_more_of_them_is_benefit(tmp_path: Path) -> None:
    counts = write_counts([(40, 20), (60, 30)])
    for folder, better, sign in (("a", False, 1), ("b", True, -1)):
        _, tables = analyse(tmp_path / folder, counts, "RD", lower_is_better=better)
        assert math.copysign(1, pick(tables, "number_needed")["estimate"]) == sign


def test_more_of_a_swapped_event_is_harm(tmp_path: Path) -> None:
    # Of 100 people 40 still have pain with treatment and 60 without: 60 against 40 have none.
    counts = write_counts([(40, 60), (42, 60), (38, 60)])
    entry = [{"comparison": "main", "meaningful": {"value": 0.05, "source": "made up"}}]
    for folder, swap in (("a", False), ("b", True)):
        _, tables = analyse(
            tmp_path / folder, counts, "RR", findings=entry, comparison={"swap_events": swap}
        )
        assert tables["findings"]["target"].tolist() == ["important_benefit"]
        # Without treatment 60 of 100 have pain and 40 have none; 20 of 100 more have none with it.
        assert pick(tables, "baseline_risk")["estimate"] == pytest.approx(0.4 if swap else 0.6)
        difference = pick(tables, "risk_difference")["estimate"]
        assert difference == pytest.approx(0.2 if swap else -0.2, abs=1e-3)
        needed = pick(tables, "number_needed")
        assert needed["estimate"] == pytest.approx(5, abs=0.02)
        assert ("without the event" in messages.say(needed["basis"])) == swap
        finding = tables["findings"].iloc[0]
        more, few = ("200 more", "from 400") if swap else ("200 fewer", "from 600")
        assert messages.say(finding["absolute"]).startswith(more)
        assert messages.say(finding["absolute"]).endswith(few)
        assert ("without the event" in messages.say(finding["control"])) == swap
        # 40 % against 45 % takes what 60 % against 55 % takes: 1 531 people an arm.
        assert finding["information_size"] == pytest.approx(2 * 1531, abs=2)


def test_a_finding_names_the_level_of_its_interval(tmp_path: Path) -> None:
    entry = [{"comparison": "main", "meaningful": {"value": 0.05, "source": "made up"}}]
    counts = write_counts([(40, 60), (42, 60), (38, 60)])
    _, tables = analyse(tmp_path, counts, "RR", findings=entry, comparison={"ci_level": 90})
    assert "90 % CI" in messages.say(tables["findings"]["imprecision"].iloc[0])


def test_prediction_limits_are_in_the_unit_of_the_meaningful_difference(tmp_path: Path) -> None:
    # SMDs of -1, 0 and 1 at an SD of 4 days: their mean is 0, and tells no unit by itself.
    means = write_means([(6, 10, 4), (10, 10, 4), (14, 10, 4)])
    stated = {"meaningful": {"value": 10, "source": "x"}, "control": {"sd": 4, "source": "x"}}
    _, tables = analyse(tmp_path, means, "SMD", findings=[{"comparison": "main", **stated}])
    pooled = tables["pooled"].query("declared").iloc[0]
    assert pooled["estimate"] == 0 and pooled["pi_high"] < 10 < 4 * pooled["pi_high"]
    assert "crosses 2 of" in messages.say(tables["findings"]["inconsistency"].iloc[0])


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "to infinity to"), ("es", "a infinito a"), ("de", "bis unendlich bis")],
)
def test_no_difference_within_the_interval_is_said(
    tmp_path: Path, language: str, words: str
) -> None:
    review, tables = analyse(tmp_path, write_counts([(19, 20), (31, 30), (18, 20)]), "OR")
    needed = pick(tables, "number_needed")
    assert needed["through_infinity"]
    assert needed["ci_low"] < 0 < needed["ci_high"]
    with messages.speaking(language):
        assert words in say_quantity(needed, tables["pooled"], review)


# ---- the outcome's unit --------------------------------------------------------------------------


def test_pooled_sds_go_by_degrees_of_freedom() -> None:
    assert pool_sd([3.0, 5.0, math.nan], [11, 31, 20]) == pytest.approx(math.sqrt(840 / 40))
    assert math.isnan(pool_sd([math.nan], [10]))


def test_a_standardised_difference_is_turned_back_into_days(tmp_path: Path) -> None:
    review, tables = analyse(tmp_path, write_means([(8, 10, 3), (7, 10, 5)]), "SMD")
    row = pick(tables, "in_unit")
    sd = math.sqrt((9 + 25) / 2)
    whole = tables["pooled"].query("declared").iloc[0]
    assert row["estimate"] == pytest.approx(sd * whole["estimate"])
    assert row["ci_high"] == pytest.approx(sd * whole["ci_high"])
    assert "SD 4.12, pooled over the arms of 2 trials" in messages.say(row["basis"])
    assert "headache days" in say_quantity(row, tables["pooled"], review)
    assert "number_needed" not in set(tables["translated"]["quantity"])


def test_a_stated_sd_comes_first(tmp_path: Path) -> None:
    stated = [{"comparison": "main", "control": {"sd": 6, "source": "a cohort"}}]
    _, tables = analyse(tmp_path, write_means([(8, 10, 3), (7, 10, 5)]), "SMD", findings=stated)
    whole = tables["pooled"].query("declared").iloc[0]
    assert pick(tables, "in_unit")["estimate"] == pytest.approx(6 * whole["estimate"])


def test_sds_of_another_scale_are_not_used(tmp_path: Path) -> None:
    review, tables = analyse(tmp_path, write_means([(8, 10, 3), (7, 10, 5)], "score"), "SMD")
    row = pick(tables, "in_unit")
    assert math.isnan(row["estimate"])
    assert "state one as `control: {sd: ...}`" in messages.say(row["basis"])
    assert say_quantity(row, tables["pooled"], review).startswith("Not turned back into")


# ---- risk of bias and GRADE ----------------------------------------------------------------------


@pytest.mark.parametrize(("tool", "level"), [("rob2", "high"), ("robins_i", "serious")])
def test_the_estimate_without_high_risk_is_that_of_the_other_trials(
    tmp_path: Path, tool: str, level: str
) -> None:
    rows = [(8, 10, 4), (7, 10, 4), (9, 10, 4), (1, 10, 4)]
    risk = "trial,tool,domain,judgement,signed_by\n" + (
        f"Trial 3,{tool},overall,{level},AB\nTrial 0,{tool},overall,low,AB\n"
    )
    review, tables = analyse(tmp_path / "all", write_means(rows), "MD", risk)
    _, others = analyse(tmp_path / "rest", write_means(rows[:3]), "MD")
    found, expected = pick(tables, "without_high_risk"), others["pooled"].query("declared").iloc[0]
    for part in ("estimate", "ci_low", "ci_high"):
        assert found[part] == pytest.approx(expected[part])
    assert found["k"] == 3
    assert "Trial 3" in messages.say(found["basis"])
    text = say_quantity(found, tables["pooled"], review)
    assert "(k 3)" in text
    assert "of all (k 4)" in text


def test_nothing_is_left_out_where_nobody_is_at_high_risk(tmp_path: Path) -> None:
    risk = "trial,domain,judgement,signed_by\nTrial 0,overall,low,AB\n"
    _, tables = analyse(tmp_path, write_means([(8, 10, 4), (7, 10, 4)]), "MD", risk)
    assert not len(tables["translated"])


def test_support_holds_facts_for_each_domain_and_no_grade(tmp_path: Path) -> None:
    risk = "trial,domain,judgement,signed_by\nTrial 0,overall,high,AB\nTrial 1,overall,low,AB\n"
    _, tables = analyse(tmp_path, write_means([(8, 10, 4), (7, 10, 4)]), "MD", risk)
    facts = tables["support"].set_index("domain")["fact"].map(messages.say)
    assert len(facts) == 5
    weight = tables["effects"].set_index("trial")["weight"]
    assert f"{weight['Trial 0']:.0f} % from trials at high risk" in facts["risk_of_bias"]
    assert "2 trials with 200 people" in facts["imprecision"]
    assert "I²" in facts["inconsistency"]
    assert "ten are needed" in facts["publication_bias"]
    assert not any(grade in " ".join(facts) for grade in ("downgrade", "very low", "moderate"))


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_the_page_says_it_in_every_language(tmp_path: Path, language: str) -> None:
    review, tables = analyse(tmp_path, write_counts([(10, 20), (20, 40)]), "RR")
    with messages.speaking(language):
        found = describe_asked(tables, review)
    assert found is not None
    assert len(found["translated"]["rows"]) == 3
    assert len(found["support"]["rows"]) == 5
    assert "Becker 2005" in found["fail_safe"]
