"""Multiple imputation, tipping point and baseline carried forward: closed forms, known truths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headway.outcomes.change.change import t_interval
from headway.outcomes.expectation import imputation


def draw_people(seed: int, n: int = 150, slope: float = 0.1) -> tuple[pd.DataFrame, np.ndarray]:
    """People who are lost the likelier the worse they started (missing at random)."""
    rng = np.random.default_rng(seed)
    pre = np.clip(np.round(rng.normal(16, 6, n)), 0, 28)
    earlier = np.clip(np.round(pre + rng.normal(0, 4, n)), 0, 28)
    post = np.clip(np.round(0.7 * pre + 2 + rng.normal(0, 5, n)), 0, 28)
    lost = rng.random(n) < 1 / (1 + np.exp(1 - slope * (pre - 16)))
    table = pd.DataFrame({"pre": pre, "post": np.where(lost, np.nan, post), "earlier": earlier})
    return table, post


def test_rubins_rules_by_hand() -> None:
    """q = 1, 2, 3 and u = 0.5: W 0.5, B 1, T = 0.5 + 4/3; old df 2 (T / (4/3 B))^2."""
    found = imputation.combine([1.0, 2.0, 3.0], [0.5, 0.5, 0.5], 30)
    total = 0.5 + 4 / 3
    assert (found.estimate, found.imputations) == (2.0, 3)
    assert np.isclose(found.se**2, total, rtol=1e-14)
    old, share = 2 * (total / (4 / 3)) ** 2, (4 / 3) / total
    observed = 31 / 33 * 30 * (1 - share)
    df = 1 / (1 / old + 1 / observed)
    assert np.isclose(found.df, df, rtol=1e-13)
    r = (4 / 3) / 0.5
    assert np.isclose(found.fmi, (r + 2 / (df + 3)) / (r + 1), rtol=1e-13)
    assert found.ci_low < 2 < found.ci_high


def test_rubins_rules_at_their_ends() -> None:
    same = imputation.combine([1.0, 1.0], [0.2, 0.2], 30)
    assert np.isclose(same.df, 31 / 33 * 30)
    assert np.isclose(same.se**2, 0.2)
    all_between = imputation.combine([1.0, 2.0, 4.0], [0.0, 0.0, 0.0], 30)
    assert (all_between.df, all_between.fmi) == (2.0, 1.0)
    with pytest.raises(ValueError, match="two or more"):
        imputation.combine([1.0], [0.2], 30)


def test_with_nothing_missing_it_is_the_t_interval() -> None:
    table, post = draw_people(1)
    table["post"] = post
    imputed = imputation.impute_change(table, imputations=5, seed=1)
    assert imputed is not None
    assert not imputed.lost.any()
    found = imputation.pool_change(imputed)
    change = (table["post"] - table["pre"]).to_numpy()
    assert np.isclose(found.estimate, change.mean(), rtol=1e-12)
    assert np.allclose((found.ci_low, found.ci_high), t_interval(change), rtol=1e-12)
    assert found.fmi == 0


def test_imputed_values_are_somebodys_and_recorded_ones_stay() -> None:
    table, _ = draw_people(2)
    table.loc[3, "pre"] = np.nan
    table.loc[5, ["pre", "post", "earlier"]] = np.nan  # nothing known, and started all the same
    imputed = imputation.impute_change(table, imputations=7, seed=1)
    assert imputed is not None
    assert imputed.pre.shape == imputed.post.shape == (7, 150)
    ordered = imputation.sort_by_content(table)
    for name, filled in (("pre", imputed.pre), ("post", imputed.post)):
        seen = ordered[name].notna().to_numpy()
        assert (filled[:, seen] == ordered[name].to_numpy()[seen]).all()
        assert set(filled[:, ~seen].ravel()) <= set(ordered.loc[seen, name])
        assert len({tuple(row) for row in filled[:, ~seen]}) == 7 or (~seen).sum() < 3
    assert (imputed.lost == ordered["post"].isna()).all()


def test_people_alike_are_donors_in_random_order() -> None:
    """All start at 12: the lost are a random draw from the others, whatever the file's order.

    After is 0 to 19, five times each; 60 lost x 50 sets, so the mean's standard error is at most
    5.8 / sqrt(60 x 50) = 0.11 with donors drawn afresh per set; within a set the lost share five
    donors, 5.8 / sqrt(5 x 50) = 0.37, of which we allow three. Half of the values lie in the
    middle half, standard error 0.03. Donors in the order of their values would all be ends.
    """
    post = np.repeat(np.arange(20.0), 5)
    table = pd.DataFrame({"pre": 12.0, "post": np.concatenate([post, np.full(60, np.nan)])})
    imputed = imputation.impute_change(table, imputations=50, seed=3)
    assert imputed is not None
    filled = imputed.post[:, imputed.lost]
    assert abs(filled.mean() - post.mean()) < 1.1
    assert abs(((filled >= 5) & (filled < 15)).mean() - 0.5) < 0.1


def test_it_finds_what_complete_pairs_miss_when_missing_at_random() -> None:
    """40 clinics of 150, 28 % lost, likelier when they started worse.

    Against the mean change of the same people with nothing lost, so that only imputation errs.
    """
    off, off_pairs, covered = [], [], 0
    truth = -2.759  # 2 million people by the same draws; Monte Carlo error 0.004
    for seed in range(40):
        table, post = draw_people(1000 + seed)
        imputed = imputation.impute_change(table, imputations=10, seed=seed, cycles=5)
        assert imputed is not None
        found = imputation.pool_change(imputed)
        whole = (post - table["pre"]).mean()
        off.append(found.estimate - whole)
        off_pairs.append((table["post"] - table["pre"]).mean() - whole)
        covered += found.ci_low <= truth <= found.ci_high
    error = np.std(off, ddof=1) / np.sqrt(40)
    error_pairs = np.std(off_pairs, ddof=1) / np.sqrt(40)
    assert abs(np.mean(off)) < 4 * error
    assert abs(np.mean(off)) < 0.15
    assert np.mean(off_pairs) > 4 * error_pairs
    # 95 % of 40; fewer than 33 would happen once in 1 000 times.
    assert covered >= 33


def test_an_auxiliary_enters_only_where_it_can_help() -> None:
    table, _ = draw_people(4, n=60)
    table["constant"] = 3.0
    table["rare"] = np.where(np.arange(60) < 29, np.arange(60.0), np.nan)
    table["common"] = np.where(np.arange(60) < 30, np.arange(60.0) % 7, np.nan)
    imputed = imputation.impute_change(table, imputations=2, seed=1)
    assert imputed is not None
    pairs = int(table[["pre", "post"]].notna().all(axis=1).sum())
    assert 30 <= pairs < 60
    assert imputed.predictors == ("pre", "post", "earlier", "common")
    few = table.iloc[:28]
    assert 10 <= int(few[["pre", "post"]].notna().all(axis=1).sum()) < 30
    imputed = imputation.impute_change(few, imputations=2, seed=1)
    assert imputed is not None
    assert len(imputed.predictors) <= 3
    few = table[table["post"].notna()].iloc[:9]
    assert imputation.impute_change(few, imputations=2, seed=1) is None


def make_imputed(pre: list[float], post: list[float], lost: list[bool]) -> imputation.Imputed:
    shape = (4, 1)
    return imputation.Imputed(
        np.tile(pre, shape), np.tile(post, shape), np.array(lost), ("pre", "post")
    )


def test_the_tipping_point_in_closed_form() -> None:
    """Mean change -2 over 8 people, 3 of them lost and far from 28: 2 x 8 / 3 days each."""
    pre = [10.0, 12.0, 14.0, 9.0, 11.0, 13.0, 8.0, 15.0]
    change = [-5.0, -1.0, -3.0, 1.0, -4.0, 0.0, -2.0, -2.0]
    post = [a + b for a, b in zip(pre, change, strict=True)]
    imputed = make_imputed(pre, post, [True, True, True] + [False] * 5)
    found = imputation.tip(imputed, 0, 28)
    assert found.direction == 1
    assert np.isclose(found.delta_mean, 2 * 8 / 3, atol=1e-9)
    # At the other shift the t interval of the shifted changes ends at 0.
    moved = np.array(change) + np.array([found.delta_ci] * 3 + [0.0] * 5)
    assert 0 < found.delta_ci < found.delta_mean
    assert abs(t_interval(moved)[1]) < 1e-8
    assert np.isclose(found.farthest, (3 * 28 - 10 - 12 - 14 + sum(change[3:])) / 8)


def test_the_end_of_the_scale_counts() -> None:
    """One lost person after at 20 can be 8 worse and no more."""
    pre, post = [20.0, 22.0, 25.0, 24.0], [20.0, 12.0, 16.0, 13.0]
    found = imputation.tip(make_imputed(pre, post, [True, False, False, False]), 0, 28)
    assert np.isnan(found.delta_mean)
    assert found.farthest == (8 - 10 - 9 - 11) / 4
    # Two lost at 26 and 10, both to reach a sum of 0 from -14: 2 from the one, 12 from the other.
    pre, post = [26.0, 12.0, 20.0, 20.0], [26.0, 10.0, 14.0, 14.0]
    found = imputation.tip(make_imputed(pre, post, [True, True, False, False]), 0, 28)
    assert np.isclose(found.delta_mean, 12, atol=1e-9)


def test_tipping_a_worsening_and_an_interval_that_includes_0() -> None:
    pre, post = [10.0, 12.0, 11.0, 13.0], [12.0, 15.0, 13.0, 16.0]
    found = imputation.tip(make_imputed(pre, post, [True, True, False, False]), 0, 28)
    assert found.direction == -1
    assert np.isclose(found.delta_mean, 10 / 2, atol=1e-9)
    pre, post = [10.0, 12.0, 11.0, 13.0], [2.0, 17.0, 8.0, 16.0]
    found = imputation.tip(make_imputed(pre, post, [True, True, False, False]), 0, 28)
    assert found.delta_ci == 0
    assert found.delta_mean > 0


def test_baseline_carried_forward_by_hand() -> None:
    nan = float("nan")
    changes = imputation.carry_forward([10, 20, nan, 8], [4, nan, 12, 9])
    assert changes.tolist() == [-6, 0, 1]
