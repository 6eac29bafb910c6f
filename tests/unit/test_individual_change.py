"""Reliable change, against hand counts, closed forms, statsmodels and simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from headway.messages import say
from headway.outcomes.change import reliable
from headway.outcomes.change.change import Statistic, summarise_responders
from headway.report import formats

# SEM for which the threshold with one window before is 8 days and 8/sqrt(2)*sqrt(1.5) with two.
SEM = 8 / (1.96 * np.sqrt(2))

# pre, post, class, response
PEOPLE: list[tuple[float, float, str, str]] = [
    (16, 8, "recovered", "at_least_50_better"),  # change of exactly the threshold
    (16, 8.1, "unchanged", "from_30_to_50_better"),
    (15, 6, "recovered", "at_least_50_better"),  # from exactly the border
    (14.9, 6, "improved", "at_least_50_better"),  # was below it
    (24, 15, "improved", "from_30_to_50_better"),  # to exactly the border: not below it
    (28, 20, "improved", "neither"),
    (20, 14, "unchanged", "from_30_to_50_better"),  # crossed, but within the noise; exactly 30 %
    (6, 2, "unchanged", "at_least_50_better"),
    (10, 18, "deteriorated", "at_least_30_worse"),  # exactly the threshold
    (10, 17.9, "unchanged", "at_least_30_worse"),
    (10, 13, "unchanged", "at_least_30_worse"),  # exactly 30 %
    (27, 35, "deteriorated", "neither"),
    (12, 12, "unchanged", "neither"),
    (0, 12, "deteriorated", "no_relative_change"),
    (0, 0, "unchanged", "no_relative_change"),
]
PRE = np.array([p[0] for p in PEOPLE], float)
POST = np.array([p[1] for p in PEOPLE], float)


def by_id(statistics: list[Statistic]) -> dict[str, Statistic]:
    out = {s.id: s for s in statistics}
    assert len(out) == len(statistics)
    return out


def test_noise_by_hand() -> None:
    # Deviations -1.5 -0.5 0.5 1.5 and 0.25 -0.75 -0.75 1.25: r = 1.5 / sqrt(5 x 2.75).
    first, second = [1, 2, 3, 4], [2, 1, 1, 3]
    found = reliable.test_retest([*first, np.nan, 9], [*second, 5, np.nan])
    r = 1.5 / np.sqrt(5 * 2.75)
    assert stats.pearsonr(first, second).statistic == pytest.approx(r)
    assert (found.n, found.r) == (4, pytest.approx(r))
    assert found.sd == pytest.approx(np.sqrt(5 / 3))
    assert found.sem == pytest.approx(np.sqrt(5 / 3 * (1 - r)))
    assert found.threshold == pytest.approx(1.96 * np.sqrt(2 * 5 / 3 * (1 - r)))


def test_noise_needs_three_people_and_spread() -> None:
    for first, second in (([1, 2], [2, 1]), ([1, 1, 1], [1, 2, 3]), ([1, 2, np.nan], [1, 2, 3])):
        found = reliable.test_retest(first, second)
        assert np.isnan([found.r, found.sd, found.sem, found.threshold]).all()
    assert reliable.test_retest([1, 2, np.nan], [1, 2, 3]).n == 2
    assert reliable.test_retest([1, 2, 3], [1, 2, 3]).sem == 0
    with pytest.raises(ValueError, match="same order"):
        reliable.test_retest([1, 2, 3], [1, 2])


def test_the_noise_is_found_again_in_simulated_people() -> None:
    rng = np.random.default_rng(5)
    true = rng.normal(15, 6, 200_000)
    first, second = true + rng.normal(0, 3, (2, 200_000))
    found = reliable.test_retest(first, second)
    assert found.r == pytest.approx(36 / 45, abs=0.005)
    assert found.sem == pytest.approx(3, rel=0.01)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_one_in_twenty_stable_people_passes_the_threshold(m: int) -> None:
    """What the threshold promises, for a mean of m windows before and one after."""
    rng = np.random.default_rng(m)
    n = 200_000
    true = rng.normal(40, 6, n)
    pre = (true + rng.normal(0, 3, (m, n))).mean(axis=0)
    post = true + rng.normal(0, 3, n)
    classes = reliable.classify(pre, post, 3, m, border=None)
    error = np.sqrt(0.025 * 0.975 / n)
    for kind in ("improved", "deteriorated"):
        assert abs((classes == kind).mean() - 0.025) < 4 * error, kind


def test_thresholds_by_hand() -> None:
    found = reliable.reliable_threshold(3.35, [1, 2, 4])
    assert found == pytest.approx([9.28569, 8.04164, 7.34098], abs=1e-4)
    assert np.isnan(reliable.reliable_threshold(float("nan"), 1))
    with pytest.raises(ValueError, match="negative"):
        reliable.reliable_threshold(-1, 1)
    with pytest.raises(ValueError, match="window"):
        reliable.reliable_threshold(1, [1, 0])


def test_classes_by_hand() -> None:
    assert reliable.classify(PRE, POST, SEM).tolist() == [p[2] for p in PEOPLE]
    assert reliable.classify_response(PRE, POST).tolist() == [p[3] for p in PEOPLE]


def test_without_a_border_nobody_is_recovered() -> None:
    found = reliable.classify(PRE, POST, SEM, border=None)
    expected = ["improved" if p[2] == "recovered" else p[2] for p in PEOPLE]
    assert found.tolist() == expected


def test_more_windows_before_lower_the_threshold_of_that_person_alone() -> None:
    # 7.5 days: below 8 (one window) and above 8 * sqrt(3)/2 = 6.93 (two).
    found = reliable.classify([20, 20, 5, 5], [12.5, 12.5, 12.5, 12.5], SEM, [1, 2, 1, 2])
    assert found.tolist() == ["unchanged", "recovered", "unchanged", "deteriorated"]


def test_binary_fractions_do_not_move_a_limit() -> None:
    sem = 0.2 / (1.96 * np.sqrt(2))
    # 0.3 - 0.1 is 0.19999999999999998 and 0.1 + 0.2 is 0.30000000000000004.
    assert 0.3 - 0.1 < 0.2
    assert reliable.classify([0.3], [0.1], sem, border=0.3).tolist() == ["recovered"]
    assert reliable.classify([0.1], [0.3], sem).tolist() == ["deteriorated"]
    assert reliable.classify([0.5], [0.1 + 0.2], sem, border=0.3).tolist() == ["improved"]
    # A hair below the border is the border, before and after; a hair above it too.
    for value in np.nextafter(15, [0, 28]):
        assert reliable.classify([value], [0], SEM).tolist() == ["recovered"]
        assert reliable.classify([28], [value], SEM).tolist() == ["improved"]


def test_a_missing_value_has_no_class_and_is_in_no_denominator() -> None:
    pre, post = np.append(PRE, [np.nan, 10]), np.append(POST, [10, np.nan])
    assert reliable.classify(pre, post, SEM)[-2:].tolist() == ["unknown", "unknown"]
    assert reliable.classify_response(pre, post)[-2:].tolist() == ["unknown", "unknown"]
    assert reliable.summarise_individual(pre, post, SEM) == reliable.summarise_individual(
        PRE, POST, SEM
    )
    assert reliable.cross_tabulate(pre, post, SEM).equals(reliable.cross_tabulate(PRE, POST, SEM))
    assert set(reliable.classify(PRE, POST, float("nan"))) == {"unknown"}


def test_no_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="measurement error"):
        reliable.classify(PRE, POST, 0)


def test_the_cross_table_by_hand() -> None:
    table = reliable.cross_tabulate(PRE, POST, SEM)
    assert table.columns.tolist() == ["class", "response", "n", "of"]
    assert len(table) == 20 and not table.duplicated(["class", "response"]).any()
    for row in table.itertuples(index=False):
        expected = sum(p[2:] == (row[0], row[1]) for p in PEOPLE)
        assert row.n == expected, row
    assert (table["of"] == 15).all() and table["n"].sum() == 15


def test_cells_without_anybody_are_there() -> None:
    for pre, post in (([10.0, 10.0], [9.0, 10.0]), ([], [])):
        table = reliable.cross_tabulate(pre, post, SEM)
        worse = table[table["class"] == "deteriorated"]
        assert len(table) == 20 and len(worse) == 5
        assert worse["n"].tolist() == [0] * 5
        assert (table["of"] == len(pre)).all()


@given(
    st.lists(st.tuples(st.integers(0, 28), st.integers(0, 28)), max_size=40),
    st.sampled_from([1, 2]),
)
def test_the_table_agrees_with_both_of_its_margins(people: list[tuple[int, int]], m: int) -> None:
    pre = np.array([p[0] for p in people], float)
    post = np.array([p[1] for p in people], float)
    table = reliable.cross_tabulate(pre, post, 2.5, m)
    assert table["n"].sum() == len(people)
    share = by_id(reliable.summarise_individual(pre, post, 2.5, m))
    rows = table.groupby("class")["n"].sum()
    assert share["reliable_recovered"].count == rows["recovered"]
    assert share["reliable_improved"].count == rows["recovered"] + rows["improved"]
    assert share["reliable_deteriorated"].count == rows["deteriorated"]
    columns = table.groupby("response")["n"].sum()
    responders = by_id(summarise_responders(pre, post))
    assert responders["responders_50"].count == columns["at_least_50_better"]
    thirty = columns["at_least_50_better"] + columns["from_30_to_50_better"]
    assert responders["responders_30"].count == thirty
    assert responders["worsened_30"].count == columns["at_least_30_worse"]
    assert responders["responders_50"].n == len(people) - columns["no_relative_change"]


def test_shares_by_hand_with_the_intervals_of_statsmodels() -> None:
    found = by_id(reliable.summarise_individual(PRE, POST, SEM, worst=28, unit="days"))
    counts = {
        "reliable_improved": 5,
        "reliable_recovered": 2,
        "reliable_unchanged": 7,
        "reliable_deteriorated": 3,
        "reliable_cannot_reach": 3,  # start at 6, 0, 0
        "reliable_cannot_worsen": 3,  # start at 24, 28, 27; from 20, 28 is still reliable
    }
    assert list(found) == [
        "reliable_threshold",
        "reliable_improved",
        "reliable_recovered",
        "reliable_unchanged",
        "reliable_deteriorated",
        "reliable_cannot_reach",
        "reliable_cannot_worsen",
    ]
    for id, count in counts.items():
        low, high = proportion_confint(count, 15, method="wilson")
        s = found[id]
        assert (s.count, s.n, s.unit) == (count, 15, "percent"), id
        assert s.estimate == pytest.approx(100 * count / 15)
        assert (s.ci_low, s.ci_high) == pytest.approx((100 * low, 100 * high))
    assert found["reliable_threshold"].estimate == pytest.approx(8)
    assert found["reliable_threshold"].unit == "days"


def test_who_starts_at_the_threshold_can_reach_it() -> None:
    def cannot(pre: Any, m: Any = 1) -> float:
        found = reliable.summarise_individual(pre, np.zeros(len(pre)), SEM, m)
        return by_id(found)["reliable_cannot_reach"].count

    assert (cannot([8.0]), cannot([7.9])) == (0, 1)
    assert cannot([7.5, 7.5, 6.9], [1, 2, 2]) == 2
    # And whoever can reach it is improved at 0.
    assert reliable.classify([8.0, 7.9], [0, 0], SEM).tolist() == ["improved", "unchanged"]


def test_thresholds_of_a_mixed_clinic_are_all_stated() -> None:
    found = by_id(reliable.summarise_individual([20, 20], [10, 10], 3.35, [1, 2]))
    s = found["reliable_threshold"]
    assert s.estimate == pytest.approx(9.2857, abs=1e-4)
    assert "9.29 with 1 window before, 8.04 with 2 windows before" in say(s.note)
    assert say(s.note).startswith("SEM 3.35 from untreated people; ")
    alone = by_id(
        reliable.summarise_individual([20, 20], [10, 10], 3.35, 2, source="usual care (A 2004)")
    )
    assert say(alone["reliable_threshold"].note).startswith("SEM 3.35 from usual care (A 2004); ")
    assert alone["reliable_threshold"].estimate == pytest.approx(8.0416, abs=1e-4)


def test_nobody_at_all() -> None:
    found = by_id(reliable.summarise_individual([], [], 3.35))
    assert found["reliable_threshold"].estimate == pytest.approx(9.2857, abs=1e-4)
    for id, s in found.items():
        assert s.n == 0
        if id != "reliable_threshold":
            assert s.count == 0 and np.isnan([s.estimate, s.ci_low, s.ci_high]).all()


def test_an_outcome_without_a_border_has_no_recovered_line() -> None:
    found = by_id(reliable.summarise_individual(PRE, POST, SEM, border=None))
    assert "reliable_recovered" not in found
    assert found["reliable_improved"].count == 5


def test_words_for_readers_promise_nothing() -> None:
    for s in reliable.summarise_individual(PRE, POST, SEM, worst=28):
        assert formats.find_forbidden(f"{s.label} {s.note}") == []
