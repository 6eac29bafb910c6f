"""The lost and the days without an entry, against scipy, statsmodels, hand counts, simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from headway.outcomes.change import attrition


def test_the_welch_interval_is_that_of_scipy() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(17, 7, 23), rng.normal(15, 4, 61)
    found = attrition.welch_interval(a, b)
    known = stats.ttest_ind(a, b, equal_var=False)
    ends = known.confidence_interval(0.95)
    assert found == pytest.approx((a.mean() - b.mean(), ends.low, ends.high))
    assert np.isnan(attrition.welch_interval([], [1.0, 2.0])).all()
    assert attrition.welch_interval([3.0], [1.0, 2.0])[0] == 1.5
    assert np.isnan(attrition.welch_interval([3.0], [1.0, 2.0])[1:]).all()
    assert np.isnan(attrition.welch_interval([3.0, 3.0], [2.0, 2.0])[1:]).all()


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_the_newcombe_interval_is_that_of_statsmodels(
    n1: int, n2: int, data: st.DataObject
) -> None:
    x1, x2 = data.draw(st.integers(0, n1)), data.draw(st.integers(0, n2))
    low, high = attrition.newcombe_interval(x1, n1, x2, n2)
    known = confint_proportions_2indep(x1, n1, x2, n2, method="newcomb")
    assert np.allclose([low, high], known, atol=1e-12)
    assert -1 <= low <= x1 / n1 - x2 / n2 <= high <= 1


def test_the_newcombe_interval_of_the_paper() -> None:
    """Newcombe 1998, table II, method 10: 56/70 v 48/80 and 0/10 v 0/10."""
    low, high = attrition.newcombe_interval([56, 0], [70, 10], [48, 0], [80, 10])
    assert np.round(low, 4).tolist() == [0.0524, -0.2775]
    assert np.round(high, 4).tolist() == [0.3339, 0.2775]
    assert np.isnan(attrition.newcombe_interval(0, 0, 1, 2)).all()


@pytest.fixture
def people() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "frequency": [10.0, 12, 14, np.nan, 20, 22, np.nan],
            "age": pd.array([30, 40, 50, 60, 35, None, 45], dtype="Int64"),
            "sex": ["female", "female", "male", "female", None, "female", "male"],
            "insured": pd.array([True, False, None, True, True, True, False], dtype="boolean"),
            "therapist": [1, 1, 2, 2, 2, 2, 2],
        },
        index=pd.Index(list("abcdefg"), name="patient_id"),
    )


def pick(table: pd.DataFrame, characteristic: str, level: str | None = None) -> pd.Series:
    hit = table[table["characteristic"] == characteristic]
    hit = hit[hit["level"].isna()] if level is None else hit[hit["level"] == level]
    assert len(hit) == 1
    return hit.iloc[0]


def test_means_and_shares_by_hand(people: pd.DataFrame) -> None:
    # h started and left no record at all; z never started.
    starters = pd.Index(list("abcdefgh"))
    people.loc["z"] = [0.0, 99, "other", True, 9]
    table = attrition.compare_lost(
        people, {"a", "b", "c", "d"}, starters, categorical=["therapist"]
    )
    assert table["characteristic"].tolist() == (
        ["frequency", "age", *["sex"] * 2, *["insured"] * 2, *["therapist"] * 2]
    )
    assert (table["of_analysed"] == 4).all() and (table["of_lost"] == 4).all()

    row = pick(table, "frequency")
    assert (row["n_analysed"], row["n_lost"]) == (3, 2)  # a blank is nobody's 0
    assert (row["value_analysed"], row["value_lost"], row["difference"]) == (12, 21, 9)
    # Variances 4 and 2: 9 / sqrt(3).
    assert row["standardised_difference"] == pytest.approx(9 / np.sqrt(3))
    known = stats.ttest_ind([20, 22], [10, 12, 14], equal_var=False).confidence_interval(0.95)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((known.low, known.high))
    assert np.isnan(row["count_lost"]) and row["measure"] == "mean"

    row = pick(table, "age")
    assert (row["n_analysed"], row["n_lost"], row["value_lost"]) == (4, 2, 40)

    row = pick(table, "sex", "female")
    assert (row["count_analysed"], row["n_analysed"]) == (3, 4)
    assert (row["count_lost"], row["n_lost"]) == (1, 2)
    assert (row["value_analysed"], row["value_lost"], row["difference"]) == (75, 50, -25)
    # Variances 3/16 and 1/4: -1/4 / sqrt(7/32).
    assert row["standardised_difference"] == pytest.approx(-0.25 / np.sqrt(7 / 32))
    ends = confint_proportions_2indep(1, 2, 3, 4, method="newcomb")
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(100 * np.array(ends)))
    assert pick(table, "sex", "male")["difference"] == pytest.approx(25)

    assert pick(table, "insured", "True")["count_lost"] == 2
    assert pick(table, "insured", "True")["n_analysed"] == 3
    # Level 1 occurs among the analysed alone, and the lost are shown with 0 of 3.
    row = pick(table, "therapist", "1")
    assert (row["count_lost"], row["n_lost"], row["value_analysed"]) == (0, 3, 50)


def test_the_order_of_people_moves_nothing(people: pd.DataFrame) -> None:
    starters = people.index
    table = attrition.compare_lost(people, ["a", "b", "c"], starters)
    again = attrition.compare_lost(people[::-1], ["c", "a", "b"], starters[::-1])
    pd.testing.assert_frame_equal(table, again)


def test_the_sides_swapped_turn_the_sign(people: pd.DataFrame) -> None:
    table = attrition.compare_lost(people, list("abc"), people.index)
    turned = attrition.compare_lost(people, list("defg"), people.index)
    for a, b in (("difference", "difference"), ("ci_low", "ci_high")):
        assert np.allclose(table[a], -turned[b], equal_nan=True)
    assert np.allclose(
        table["standardised_difference"], -turned["standardised_difference"], equal_nan=True
    )


def test_nobody_lost_and_nobody_analysed(people: pd.DataFrame) -> None:
    for analysed, side, other in ((people.index, "lost", "analysed"), ([], "analysed", "lost")):
        table = attrition.compare_lost(people, analysed, people.index)
        assert len(table) == 7  # frequency, age, two sexes, insured or not, therapist
        assert (table[f"n_{side}"] == 0).all() and (table[f"n_{other}"] > 0).all()
        gone = [f"value_{side}", "difference", "ci_low", "ci_high", "standardised_difference"]
        assert table[gone].isna().all(axis=None)
        assert table[f"value_{other}"].notna().all()


def test_without_columns_or_people_there_are_no_rows_and_the_same_columns(
    people: pd.DataFrame,
) -> None:
    full = attrition.compare_lost(people, ["a"], people.index)
    for frame in (people[[]], people[["sex"]].iloc[:0]):
        table = attrition.compare_lost(frame, [], frame.index)
        assert len(table) == 0
        assert table.dtypes.to_dict() == full.dtypes.to_dict()


def test_what_cannot_be_is_refused(people: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="1 of the analysed"):
        attrition.compare_lost(people, ["a", "x"], people.index)
    with pytest.raises(ValueError, match="once only"):
        attrition.compare_lost(pd.concat([people, people]), ["a"], people.index)


def test_intervals_hold_what_they_promise() -> None:
    """Clinics in which being lost has nothing to do with the start."""
    rng = np.random.default_rng(11)
    starters = pd.Index(range(60))
    inside = {"frequency": 0, "sex": 0}
    clinics = 400
    for _ in range(clinics):
        frame = pd.DataFrame(
            {
                "frequency": rng.normal(16, 6.6, 60),
                "sex": np.where(rng.random(60) < 0.8, "female", "male"),
            }
        )
        table = attrition.compare_lost(frame, rng.permutation(60)[:45], starters)
        for name, level in (("frequency", None), ("sex", "female")):
            hit = table[table["characteristic"] == name]
            row = hit.iloc[0] if level is None else hit[hit["level"] == level].iloc[0]
            inside[name] += row["ci_low"] <= 0 <= row["ci_high"]
    error = np.sqrt(0.95 * 0.05 / clinics)
    assert abs(inside["frequency"] / clinics - 0.95) < 3.5 * error
    assert inside["sex"] / clinics > 0.95 - 3.5 * error  # wider than promised, if anything


def test_sources_by_hand() -> None:
    diary = pd.Series([14.0, 21, 7, 28, 10, np.nan], index=list("abcdex"))
    said = pd.Series([12.0, 18, 7, 24, 9], index=list("badcy"))  # d 7, b 12, a 18, c 24
    share = pd.Series([0.5, 0.6, 0.9, 0.8, 1.0], index=list("abcde"))
    found = attrition.compare_sources(diary, said, share)
    gap = np.array([14 - 18, 21 - 12, 7 - 24, 28 - 7])
    known = stats.t.interval(0.95, 3, gap.mean(), stats.sem(gap))
    assert (found.n, found.difference) == (4, gap.mean())
    assert (found.ci_low, found.ci_high) == pytest.approx(known)
    wider = stats.t.interval(0.99, 3, gap.mean(), stats.sem(gap))
    assert (found.flag_low, found.flag_high) == pytest.approx(wider)
    assert found.share_observed == pytest.approx(0.7)
    assert found.flag is False


@pytest.mark.parametrize(
    ("gap", "share", "flag"), [(2, 0.89, True), (2, 0.9, False), (-2, 0.5, False), (0, 0.5, False)]
)
def test_the_rule_of_the_flag(gap: float, share: float, flag: bool) -> None:
    said = pd.Series([10.0, 12, 14, 16])
    diary = said + gap + np.array([-0.1, 0.1, -0.1, 0.1])
    found = attrition.compare_sources(diary, said, pd.Series([share] * 4))
    assert found.flag is flag


def test_a_mean_share_of_90_percent_is_not_missed_by_a_binary_fraction() -> None:
    share = pd.Series([0.9] * 9)
    assert share.to_numpy().mean() < 0.9
    said = pd.Series(np.arange(9.0))
    found = attrition.compare_sources(said + 2 + said / 100, said, share)
    assert found.ci_low > 0 and found.flag is False


def test_too_few_people_are_never_flagged() -> None:
    for n in (0, 1):
        found = attrition.compare_sources(*(pd.Series(v[:n]) for v in ([20.0], [2.0], [0.5])))
        assert found.n == n and found.flag is False and np.isnan(found.ci_low)


def test_sources_refuse_what_cannot_be() -> None:
    one = pd.Series([1.0, 2.0])
    with pytest.raises(ValueError, match="between 0 and 1"):
        attrition.compare_sources(one, one, pd.Series([0.5, 80.0]))
    with pytest.raises(ValueError, match="recalled more than once"):
        attrition.compare_sources(one, pd.Series([1.0, 2.0], index=[0, 0]), one / 2)


def simulate_clinics(
    on_headache_days: float, on_free_days: float, *, clinics: int, people: int, seed: int
) -> list[attrition.SourceComparison]:
    """Diaries with a known chance of an entry; recall with an error of mean 0."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(2.22, 1.62, (clinics, people, 1))  # the spread of Vickers' baseline
    headache = rng.random((clinics, people, 28)) < chance
    entry = rng.random(headache.shape) < np.where(headache, on_headache_days, on_free_days)
    observed = entry.sum(axis=2)
    diary = 28 * (headache & entry).sum(axis=2) / np.where(observed == 0, np.nan, observed)
    said = headache.sum(axis=2) + rng.choice([-2, -1, 0, 1, 2], (clinics, people))
    return [
        attrition.compare_sources(pd.Series(d), pd.Series(s), pd.Series(o / 28))
        for d, s, o in zip(diary, said, observed, strict=True)
    ]


def test_entries_on_headache_days_are_noticed() -> None:
    found = simulate_clinics(0.95, 0.70, clinics=200, people=60, seed=1)
    assert np.mean([f.flag for f in found]) > 0.95
    # What the chance of an entry makes of each frequency, from its definition.
    p = np.random.default_rng(0).beta(2.22, 1.62, 200_000)
    expected = 28 * (0.95 * p / (0.95 * p + 0.70 * (1 - p)) - p).mean()
    assert np.mean([f.difference for f in found]) == pytest.approx(expected, abs=0.1)


def test_entries_on_any_day_are_rarely_flagged() -> None:
    clinics = 800
    found = simulate_clinics(0.85, 0.85, clinics=clinics, people=60, seed=2)
    slack = 3 * np.sqrt(0.025 * 0.975 / clinics)
    assert np.mean([f.flag for f in found]) <= 0.025 + slack
    # The rate is not low because the interval is too wide.
    inside = np.mean([f.ci_low <= 0 <= f.ci_high for f in found])
    assert abs(inside - 0.95) < 3.5 * np.sqrt(0.95 * 0.05 / clinics)
    assert all(f.share_observed < attrition.COMPLETE_FROM for f in found)


def test_a_nearly_complete_diary_is_not_doubted() -> None:
    found = simulate_clinics(1.0, 0.85, clinics=100, people=60, seed=3)
    assert np.mean([f.ci_low > 0 for f in found]) > 0.9
    assert not any(f.flag for f in found if f.share_observed >= attrition.COMPLETE_FROM)
    assert any(f.share_observed >= attrition.COMPLETE_FROM for f in found)
