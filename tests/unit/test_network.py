"""Networks of treatments: closed forms, second implementations, simulations with known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, norm

from headway.effects import escalc
from headway.meta import network as nma
from headway.meta import pool, regress

SEED = 20261130


def make(
    seed: int = SEED,
    treatments: int = 6,
    trials: int = 24,
    tau: float = 0.3,
    several: float = 0.3,
    shift: float = 0.0,
) -> nma.Network:
    """Draw trials with arms that differ by treatment, by trial and by chance; means, SD 1.

    `shift` is added to the first treatment in trials that hold it beside the second.
    """
    rng = np.random.default_rng(seed)
    truth = np.arange(treatments) / 4
    rows: list[tuple[str, str, int, float, float]] = []
    for trial in range(trials):
        if trial < treatments:
            arms = np.array([trial, (trial + 1) % treatments])
        else:
            size = 3 if rng.random() < several else 2
            arms = rng.choice(treatments, size, replace=False)
        own = rng.normal(0, tau / np.sqrt(2), len(arms))
        for arm, extra in zip(arms, own, strict=True):
            n = int(rng.integers(30, 120))
            more = shift if arm == 0 and 1 in arms else 0.0
            mean = truth[arm] + extra + more + rng.normal(0, 1 / np.sqrt(n))
            rows.append((f"trial {trial}", f"t{arm}", n, float(mean), 1.0))
    trial, treatment, n, mean, sd = zip(*rows, strict=True)
    return nma.read_arms("MD", trial, treatment, n=n, mean=mean, sd=sd)


def pairwise(pairs: dict[str, list[tuple[float, float]]]) -> nma.Network:
    """Make a network of trials with two arms: "ab" holds (effect of b against a, variance)."""
    rows = [(y, v, name[1], name[0]) for name, each in pairs.items() for y, v in each]
    y, v, one, other = zip(*rows, strict=True)
    return nma.read_contrasts(y, v, range(len(y)), one, other)


TRIANGLE = {
    "ab": [(0.5, 0.04), (0.9, 0.09)],
    "ac": [(1.4, 0.05), (1.1, 0.10)],
    "bc": [(0.2, 0.06), (0.5, 0.08), (0.1, 0.05)],
}


def common(each: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the common-effect mean of trials, and its variance."""
    y, v = np.array(each).T
    return float((y / v).sum() / (1 / v).sum()), float(1 / (1 / v).sum())


# ── two treatments are a meta-analysis ────────────────────────────────────────────────────────


@pytest.mark.parametrize("test", ["z", "t", "adhoc", "knha"])
@pytest.mark.parametrize("method", ["REML", "ML", "DL", "PM", "EE"])
def test_two_treatments_are_pooled_as_pool_does(method: str, test: str) -> None:
    rng = np.random.default_rng(SEED)
    y, v = rng.normal(0.4, 0.6, 9), rng.uniform(0.02, 0.3, 9)
    network = nma.read_contrasts(y, v, range(9), ["b"] * 9, ["a"] * 9)
    fit = nma.pool_network(network, method=method, test=test)
    right = pool(y, v, method=method, test=test)
    for name in ("estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high", "p_value"):
        found = getattr(fit, name)[1, 0]
        assert found == pytest.approx(getattr(right, name), rel=1e-12, nan_ok=True), name
    for name in ("tau2", "se_tau2", "i2", "q", "q_p_value", "log_likelihood"):
        found = getattr(fit, name)
        assert found == pytest.approx(getattr(right, name), rel=1e-11, nan_ok=True), name


def test_one_trial_is_its_own_result_with_a_note() -> None:
    fit = nma.pool_network(nma.read_contrasts([0.7], [0.04], ["x"], ["b"], ["a"]))
    assert fit.estimate[1, 0] == pytest.approx(0.7)
    assert fit.ci_high[1, 0] == pytest.approx(0.7 + 1.959964 * 0.2, rel=1e-6)
    assert fit.tau2 == 0
    assert "one trial per comparison" in fit.note


@pytest.mark.parametrize("measure", ["MD", "SMD", "ROM", "RR", "OR", "RD", "AS", "IRR", "IRD"])
def test_trials_of_two_arms_give_what_escalc_gives(measure: str) -> None:
    rng = np.random.default_rng(SEED)
    k = 7
    n1, n2 = rng.integers(20, 60, (2, k)).astype(float)
    numbers: dict[str, Any]
    given: dict[str, Any]
    if measure in ("MD", "SMD", "ROM"):
        m1, m2, s1, s2 = rng.uniform(4, 9, (4, k))
        given = {"n1": n1, "mean1": m1, "sd1": s1, "n2": n2, "mean2": m2, "sd2": s2}
        numbers = {"n": [n2, n1], "mean": [m2, m1], "sd": [s2, s1]}
    else:
        e1, e2 = rng.integers(0, 12, (2, k)).astype(float)
        e1[0], e2[0], e2[1] = 0, 5, 0
        if measure in ("IRR", "IRD"):
            given = {"events1": e1, "time1": n1, "events2": e2, "time2": n2}
            numbers = {"events": [e2, e1], "time": [n2, n1]}
        else:
            given = {"a": e1, "b": n1 - e1, "c": e2, "d": n2 - e2}
            numbers = {"events": [e2, e1], "n": [n2, n1]}
    arms = {name: np.concatenate(pair) for name, pair in numbers.items()}
    network = nma.read_arms(measure, [*range(k)] * 2, ["a"] * k + ["b"] * k, **arms)
    y, v = escalc(measure, **given)
    assert network.y == pytest.approx(y, rel=1e-12, abs=1e-14)
    assert np.diag(network.v) == pytest.approx(v, rel=1e-12)


def test_arms_that_share_a_control_share_its_variance() -> None:
    """A difference's variance is the sum of two arms' own; the base's is what two share."""
    network = nma.read_arms(
        "MD", ["x"] * 3, ["a", "b", "c"], n=[10, 20, 40], mean=[5, 4, 2], sd=[2, 3, 4]
    )
    assert network.y.tolist() == [-1, -3]
    assert network.v == pytest.approx(np.array([[0.4 + 0.45, 0.4], [0.4, 0.4 + 0.4]]))
    odds = nma.read_arms("OR", ["x"] * 3, ["a", "b", "c"], events=[4, 5, 8], n=[10, 20, 40])
    assert odds.v[0, 1] == pytest.approx(1 / 4 + 1 / 6)
    assert odds.y[1] == pytest.approx(np.log(8 / 32 / (4 / 6)))


def test_standardised_differences_of_a_trial_add_up() -> None:
    n, mean, sd = np.array([12.0, 20, 30]), np.array([5.0, 4, 1]), np.array([2.0, 3, 1.5])
    network = nma.read_arms("SMD", ["x"] * 3, ["a", "b", "c"], n=n, mean=mean, sd=sd)
    pooled = np.sqrt((11 * 4 + 19 * 9 + 29 * 2.25) / 59)
    j = 1 - 3 / (4 * 59 - 1)
    assert network.y == pytest.approx(j * np.array([-1, -4]) / pooled, rel=1e-4)
    d = network.y
    assert network.v[0, 1] == pytest.approx(1 / 12 + d[0] * d[1] / 124)
    assert network.v[1, 1] == pytest.approx(1 / 12 + 1 / 30 + d[1] ** 2 / 124)


# ── against the model written out ─────────────────────────────────────────────────────────────


def solve_by_hand(network: nma.Network, tau2: float, extra: Any = None) -> tuple[Any, Any, float]:
    """Generalised least squares with every matrix written out, the first treatment the base."""
    x = np.zeros((len(network.y), len(network.treatments) - 1))
    g = np.zeros((len(network.y),) * 2)
    for i in range(len(network.y)):
        for sign, arm in ((1, network.treatment[i]), (-1, network.base[i])):
            if arm > 0:
                x[i, arm - 1] = sign
        for j in range(len(network.y)):
            if network.trial[i] == network.trial[j]:
                g[i, j] = 1 if i == j else 0.5
    if extra is not None:
        x = np.column_stack([x, extra])
    w = np.linalg.inv(network.v + tau2 * g)
    cover = np.linalg.inv(x.T @ w @ x)
    beta = cover @ x.T @ w @ network.y
    rest = network.y - x @ beta
    return beta, cover, float(rest @ w @ rest)


@pytest.mark.parametrize("seed", range(4))
def test_estimates_are_generalised_least_squares_at_tau2(seed: int) -> None:
    network = make(seed)
    for method in ("EE", "REML", "DL"):
        fit = nma.pool_network(network, method=method, test="z")
        beta, cover, _ = solve_by_hand(network, fit.tau2)
        assert fit.estimate[1:, 0] == pytest.approx(beta, rel=1e-9, abs=1e-11)
        assert fit.se[1:, 0] == pytest.approx(np.sqrt(np.diag(cover)), rel=1e-9)
        assert fit.estimate[2, 4] == pytest.approx(beta[1] - beta[3], rel=1e-9, abs=1e-11)
        pick = np.array([0, 1, 0, -1, 0])
        assert fit.se[4, 2] == pytest.approx(np.sqrt(pick @ cover @ pick), rel=1e-9)
        assert fit.q == pytest.approx(solve_by_hand(network, 0)[2], rel=1e-9)
    assert fit.to_frame().shape[0] == 15


def test_a_moderator_of_two_treatments_is_a_meta_regression() -> None:
    rng = np.random.default_rng(SEED)
    y, v, age = rng.normal(0, 0.5, 12), rng.uniform(0.05, 0.2, 12), rng.uniform(20, 60, 12)
    network = nma.read_contrasts(y, v, range(12), ["b"] * 12, ["a"] * 12)
    fit = nma.pool_network(network, moderator=age, reference="a", test="z")
    right = regress(y, v, {"age": age - age.mean()}, method="REML", test="z")
    assert fit.estimate[1, 0] == pytest.approx(right.estimate[0], rel=1e-9)
    slope, error, *_ = fit.moderator["moderator"]
    assert (slope, error) == pytest.approx((right.estimate[1], right.se[1]), rel=1e-9)


def test_a_moderator_has_one_coefficient_or_one_per_treatment() -> None:
    network = make(3, treatments=3, trials=40, several=0.2)
    value = np.random.default_rng(1).uniform(0, 1, 40)
    centred = (value - value.mean())[network.trial]
    x = network.design[:, 1:] * centred[:, None]
    fit = nma.pool_network(network, method="EE", test="z", moderator=value, reference="t0")
    beta, cover, q = solve_by_hand(network, 0, x.sum(axis=1))
    assert fit.moderator["moderator"][:2] == pytest.approx((beta[2], np.sqrt(cover[2, 2])))
    assert fit.q == pytest.approx(q)
    each = nma.pool_network(
        network, method="EE", test="z", moderator=value, reference="t0", interaction="separate"
    )
    beta, cover, _ = solve_by_hand(network, 0, x)
    assert [one[0] for one in each.moderator.values()] == pytest.approx(beta[2:])
    assert each.estimate[2, 1] == pytest.approx(beta[1] - beta[0])
    assert "coefficient for each treatment" in each.methods_text()


# ── direct and indirect ───────────────────────────────────────────────────────────────────────


def test_a_triangle_is_bucher_and_its_mean() -> None:
    """Bucher et al. (1997): b v c over a; then the mean by precision."""
    network = pairwise(TRIANGLE)
    (ab, v_ab), (ac, v_ac), (bc, v_bc) = (common(TRIANGLE[name]) for name in ("ab", "ac", "bc"))
    indirect, v_indirect = ac - ab, v_ab + v_ac
    w, w_indirect = 1 / v_bc, 1 / v_indirect
    fit = nma.pool_network(network, method="EE", test="z")
    assert fit.estimate[2, 1] == pytest.approx((w * bc + w_indirect * indirect) / (w + w_indirect))
    assert fit.se[2, 1] == pytest.approx((w + w_indirect) ** -0.5)
    table = nma.tabulate_evidence(fit).set_index(["treatment", "base"]).loc[("c", "b")]
    assert table["share_direct"] == pytest.approx(w / (w + w_indirect))
    assert (table["direct"], table["indirect"]) == pytest.approx((bc, indirect))
    half = (table["indirect_high"] - table["indirect_low"]) / 2
    assert half == pytest.approx(1.959964 * np.sqrt(v_indirect), rel=1e-6)
    side = (
        nma.split_sides(network, method="EE", test="z")
        .set_index(["treatment", "base"])
        .loc[("c", "b")]
    )
    assert (side["direct"], side["indirect"]) == pytest.approx((bc, indirect))
    z = (bc - indirect) / np.sqrt(v_bc + v_indirect)
    assert side["p_value"] == pytest.approx(2 * norm.sf(abs(z)))
    inconsistency = nma.check_consistency(network).inconsistency
    assert (inconsistency.q, inconsistency.df) == (pytest.approx(z**2), 1)
    assert inconsistency.p_value == pytest.approx(chi2.sf(z**2, 1))
    shares = nma.find_contributions(fit, [("c", "b")]).set_index(
        ["direct_treatment", "direct_base"]
    )
    direct = 100 * w / (w + w_indirect)
    assert shares["share"].to_dict() == pytest.approx(
        {("c", "b"): direct, ("b", "a"): (100 - direct) / 2, ("c", "a"): (100 - direct) / 2}
    )


def test_a_split_side_leaves_what_the_other_trials_say() -> None:
    """With two arms in each trial, the direct side is its trials, the indirect one the others."""
    network = make(8, several=0)
    table = nma.split_sides(network, method="EE", test="z").set_index(["treatment", "base"])
    assert len(table) == int((np.triu(network.count_pairs()) > 0).sum())
    seen = 0
    for (one, other), row in table.iterrows():
        i, j = (network.treatments.index(name) for name in (one, other))
        own = np.isin(network.treatment, (i, j)) & np.isin(network.base, (i, j))
        rest = network.keep(~own)
        if len(rest.find_parts()) > 1 or not {one, other} <= set(rest.treatments):
            assert np.isnan(row["indirect"])
            continue
        sign = np.where(network.treatment[own] == i, 1, -1)
        right, v = common(list(zip(sign * network.y[own], np.diag(network.v)[own], strict=True)))
        assert row["direct"] == pytest.approx(right)
        fit = nma.pool_network(rest, method="EE", test="z")
        a, b = fit.place(one), fit.place(other)
        assert row["indirect"] == pytest.approx(fit.estimate[a, b], rel=1e-8, abs=1e-10)
        half = 1.959964 * np.sqrt(v + fit.se[a, b] ** 2)
        assert (row["difference_high"] - row["difference_low"]) / 2 == pytest.approx(half, rel=1e-6)
        seen += 1
    assert seen > 5


def test_a_bridge_has_no_indirect_evidence() -> None:
    network = pairwise({**TRIANGLE, "cd": [(0.3, 0.05), (0.2, 0.04)]})
    table = nma.split_sides(network).set_index(["treatment", "base"])
    assert np.isnan(table.loc[("d", "c"), "difference"])
    assert table.loc[["b", "c"], "difference"].iloc[:1].notna().all()
    fit = nma.pool_network(network)
    row = nma.tabulate_evidence(fit).set_index(["treatment", "base"])
    assert row.loc[("d", "c"), "share_direct"] == pytest.approx(1)
    assert np.isnan(row.loc[("d", "c"), "indirect"])
    assert row.loc[("d", "a"), "share_direct"] == 0
    assert row.loc[("d", "a"), "indirect"] == pytest.approx(fit.estimate[3, 0])


@pytest.mark.parametrize("tau2", [0.0, 0.2])
def test_weights_of_pairs_hold_all_that_trials_with_several_arms_say(tau2: float) -> None:
    """Independent pairs with these weights give the network's variances (Rücker 2012)."""
    network = make(5, several=0.6)
    beta, cover, _ = solve_by_hand(network, tau2)
    evidence = nma.trace_evidence(network, tau2)
    laplacian = np.diag(evidence.weight.sum(axis=1)) - evidence.weight
    assert np.linalg.inv(laplacian[1:, 1:]) == pytest.approx(cover, rel=1e-8)
    direct = np.where(evidence.weight != 0, evidence.direct, 0.0)
    drive = (evidence.weight * direct).sum(axis=1)
    assert cover @ drive[1:] == pytest.approx(beta, rel=1e-8, abs=1e-10)
    flow = evidence.find_flow(0, 3)
    assert flow[0].sum() == pytest.approx(1)
    assert flow[:, 3].sum() == pytest.approx(1)
    assert flow.sum(axis=1)[[1, 2, 4, 5]] == pytest.approx(0, abs=1e-10)


def test_contributions_add_up_and_name_the_direct_share() -> None:
    fit = nma.pool_network(make(2))
    table = nma.find_contributions(fit)
    assert table.groupby(["treatment", "base"])["share"].sum().to_numpy() == pytest.approx(100)
    share = nma.tabulate_evidence(fit).set_index(["treatment", "base"])["share_direct"]
    own = table[
        (table["treatment"] == table["direct_treatment"]) & (table["base"] == table["direct_base"])
    ].set_index(["treatment", "base"])
    for pair, row in own.iterrows():
        assert row["share"] == pytest.approx(100 * share[pair], abs=1e-6)


def test_a_square_with_one_diagonal_by_hand() -> None:
    """All variances 1: a v c directly, half of it; over b and over d, a quarter each."""
    pairs = {name: [(0.0, 1.0)] for name in ("ab", "bc", "cd", "ad", "ac")}
    fit = nma.pool_network(pairwise(pairs), method="EE")
    table = nma.find_contributions(fit, [("c", "a")])
    share = {(r.direct_treatment, r.direct_base): r.share for r in table.itertuples()}
    assert share[("c", "a")] == pytest.approx(50)
    assert sorted(share.values()) == pytest.approx([12.5] * 4 + [50])
    assert table["length"].iloc[0] == pytest.approx(0.5 * 1 + 0.5 * 2)


# ── consistency ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(3))
def test_q_within_is_the_sum_over_designs(seed: int) -> None:
    network = make(seed, treatments=4, trials=30, several=0.4)
    found = nma.check_consistency(network)
    arms = np.array([hash(a) for a in network.list_arms()])[network.trial]
    q = df = 0.0
    for design in np.unique(arms):
        part = network.keep(arms == design)
        q += solve_by_hand(part, 0)[2]
        df += len(part.y) - (len(part.treatments) - 1)
    assert (found.heterogeneity.q, found.heterogeneity.df) == (pytest.approx(q), df)
    total = solve_by_hand(network, 0)[2]
    assert found.inconsistency.q == pytest.approx(total - q)
    assert sum(part.q for part in found.within) == pytest.approx(q)
    assert found.to_frame().shape == (4 + 2 * len(found.designs), 5)


def test_a_detached_design_is_as_good_as_left_out() -> None:
    network = make(4, treatments=4, trials=30, several=0.4)
    found = nma.check_consistency(network)
    for design, part in zip(found.designs, found.detached, strict=True):
        out = np.array(
            [a == tuple(map(network.treatments.index, design)) for a in network.list_arms()]
        )
        rest = nma.check_consistency(network.keep(~out[network.trial]))
        assert (part.q, part.df) == (
            pytest.approx(rest.inconsistency.q, abs=1e-9),
            rest.inconsistency.df,
        )


def test_net_heat_by_the_papers_equations() -> None:
    """Krahn et al. (2013), with two arms in each trial: one row per design."""
    network = make(6, treatments=5, trials=30, several=0)
    found = nma.check_consistency(network)
    theta, v, x = [], [], []
    for design in found.designs:
        i, j = (network.treatments.index(name) for name in design)
        own = np.isin(network.treatment, (i, j)) & np.isin(network.base, (i, j))
        sign = np.where(network.treatment[own] == j, 1, -1)
        y, s = common(list(zip(sign * network.y[own], np.diag(network.v)[own], strict=True)))
        row = np.zeros(5)
        row[i], row[j] = -1, 1
        theta.append(y)
        v.append(s)
        x.append(row[1:])
    theta, v, x = np.array(theta), np.array(v), np.array(x)

    def pearson(keep: Any) -> Any:
        w = keep / v
        fit = x @ np.linalg.solve(x.T * w @ x, x.T @ (w * theta))
        return (theta - fit) ** 2 / v

    hat = x @ np.linalg.solve(x.T / v @ x, x.T / v)
    assert found.hat == pytest.approx(hat, abs=1e-10)
    whole = pearson(np.ones(len(v)))
    assert whole.sum() == pytest.approx(found.inconsistency.q)
    for d in range(len(v)):
        left = pearson(np.arange(len(v)) != d)
        left[d] = 0  # an effect of its own fits it
        assert found.heat[:, d] == pytest.approx(whole - left, abs=1e-9)


def test_random_effects_test_of_consistency_by_hand() -> None:
    network = make(7, treatments=4, trials=30, several=0.3)
    found = nma.check_consistency(network)
    assert found.tau2_within > 0
    arms = network.list_arms()
    q = 0.0
    for design in sorted(set(arms)):
        mine = np.array([a == design for a in arms])[network.trial]
        q += solve_by_hand(network.keep(mine), found.tau2_within)[2]
    total = solve_by_hand(network, found.tau2_within)[2]
    assert found.random.q == pytest.approx(total - q)
    # The method of moments: the Q within, less its degrees of freedom, over what tau2 adds to it.
    assert found.random.df == found.inconsistency.df


# ── ranks, funnel ─────────────────────────────────────────────────────────────────────────────


def test_p_scores_are_mean_certainties() -> None:
    fit = nma.pool_network(pairwise(TRIANGLE), method="EE", test="z")
    table = nma.rank_treatments(fit, "lower").set_index("treatment")
    sure = [norm.cdf(-fit.estimate[0, j] / fit.se[0, j]) for j in (1, 2)]
    assert table.loc["a", "p_score"] == pytest.approx(np.mean(sure))
    assert table.loc["a", "mean_rank"] == pytest.approx(1 + 2 - sum(sure))
    assert table["p_score"].sum() == pytest.approx(1.5)
    other = nma.rank_treatments(fit, "higher").set_index("treatment")
    assert (table["p_score"] + other["p_score"]).to_numpy() == pytest.approx(1)
    assert table.loc[["a", "b", "c"], "trials"].tolist() == [4, 5, 5]
    with pytest.raises(ValueError, match="better"):
        nma.rank_treatments(fit, "good")


def test_a_funnel_is_about_the_mean_of_each_comparison() -> None:
    network = pairwise({**TRIANGLE, "cd": [(0.3, 0.05)]})
    funnel = nma.adjust_funnel(network, ["c", "b", "a", "d"])
    assert len(funnel.adjusted) == 7  # c v d is its own mean
    ab = [common(TRIANGLE["ab"])[0] - y for y, _ in TRIANGLE["ab"]]
    assert funnel.adjusted[:2] == pytest.approx(ab)  # a comes after b: turned round
    assert {
        (network.treatments[i], network.treatments[j])
        for i, j in zip(funnel.treatment, funnel.base, strict=True)
    } == {("a", "b"), ("a", "c"), ("b", "c")}
    assert funnel.test is not None
    with pytest.raises(ValueError, match="order"):
        nma.adjust_funnel(network, ["a", "b", "c"])


# ── what is refused ───────────────────────────────────────────────────────────────────────────


def test_a_network_in_parts_is_named() -> None:
    network = pairwise({"ab": [(0, 1), (0, 1)], "cd": [(0, 1)]})
    assert network.find_parts() == [("a", "b"), ("c", "d")]
    for function in (nma.pool_network, nma.check_consistency, nma.split_sides):
        with pytest.raises(ValueError, match="a, b; c, d"):
            function(network)


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([(1, 1, "x", "a", "a")], "itself"),
        ([(1, 1, "x", "b", "a"), (1, 1, "x", "c", "a")], "covariance"),
        ([(np.nan, 1, "x", "b", "a")], "finite"),
        ([(1, 0, "x", "b", "a")], "above 0"),
        ([(1, 1, None, "b", "a")], "missing"),
    ],
)
def test_contrasts_that_are_none(rows: list[Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        nma.read_contrasts(*zip(*rows, strict=True))


def test_pairs_that_do_not_hold_together() -> None:
    rows = [(1.0, 0.1, "x", "b", "a"), (2.0, 0.1, "x", "c", "a"), (1.0, 0.1, "x", "c", "b")]
    assert nma.read_pairs(*zip(*rows, strict=True)).v[0, 1] == pytest.approx(0.05)
    with pytest.raises(ValueError, match="each pair"):
        nma.read_pairs(*zip(*rows[:2], strict=True))
    with pytest.raises(ValueError, match="add up"):
        nma.read_pairs(*zip(*rows[:2], (3.0, 0.1, "x", "c", "b"), strict=True))
    with pytest.raises(ValueError, match="fit no arms"):
        nma.read_pairs(*zip(*rows[:2], (1.0, 5.0, "x", "c", "b"), strict=True))
    with pytest.raises(ValueError, match="circle"):
        nma.read_contrasts([1, 1, 0.5], np.eye(3), "xxx", "bca", "abc")


def test_arms_that_make_no_trial() -> None:
    with pytest.raises(ValueError, match="at least two arms"):
        nma.read_arms("MD", ["x"], ["a"], n=[10], mean=[1], sd=[1])
    with pytest.raises(ValueError, match="different treatments"):
        nma.read_arms("MD", ["x", "x"], ["a", "a"], n=[10, 9], mean=[1, 2], sd=[1, 1])
    with pytest.raises(ValueError, match="measure"):
        nma.read_arms("PETO", ["x", "x"], ["a", "b"], events=[1, 2], n=[9, 9])
    with pytest.raises(ValueError, match="not defined"):
        nma.read_arms("ROM", ["x", "x"], ["a", "b"], n=[9, 9], mean=[1, -2], sd=[1, 1])
    for measure, needed in (("RR", "events, n"), ("SMD", "n, mean, sd"), ("IRR", "events, time")):
        with pytest.raises(ValueError, match=f"needs {needed}; not given"):
            nma.read_arms(measure, ["x", "x"], ["a", "b"])
    with pytest.raises(ValueError, match="sd must be at least 0: see position 1"):
        nma.read_arms("SMD", ["x", "x"], ["a", "b"], n=[9, 9], mean=[1, 2], sd=[1, -1])


def test_codes_that_are_not_known() -> None:
    network = pairwise(TRIANGLE)
    for name, value in (("method", "HE"), ("reference", "z"), ("test", "kr"), ("interaction", "x")):
        with pytest.raises(ValueError, match=f"{name} must be|'{value}'"):
            nma.pool_network(network, moderator=np.arange(7.0), **{name: value})
    # In a tree, where neither is used, too.
    for made in (network, pairwise({"ab": [(0, 1)], "bc": [(0, 1)]})):
        for name in ("test", "prediction"):
            with pytest.raises(ValueError, match=f"{name} must be one of"):
                nma.pool_network(made, **{name: "x"})
    with pytest.raises(ValueError, match="same in every trial"):
        nma.pool_network(network, moderator=np.ones(7))
    with pytest.raises(ValueError, match="whole"):
        make(0, several=1.0).keep(np.arange(24 + 18) % 2 == 0)


# ── laws and truth ────────────────────────────────────────────────────────────────────────────


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), factor=st.floats(1e-6, 1e6))
def test_units_names_and_order_change_nothing(seed: int, factor: float) -> None:
    network = make(seed, treatments=4, trials=12)
    fit = nma.pool_network(network)
    rng = np.random.default_rng(seed)
    names = dict(zip(network.treatments, rng.permutation([*"wxyz"]).tolist(), strict=True))
    order = np.argsort(rng.random(len(network.trials))[network.trial], kind="stable")
    again = nma.read_contrasts(
        factor * network.y[order],
        factor**2 * network.v[np.ix_(order, order)],
        network.trial[order],
        [names[network.treatments[i]] for i in network.treatment[order]],
        [names[network.treatments[i]] for i in network.base[order]],
    )
    other = nma.pool_network(again)
    to = [other.place(names[name]) for name in network.treatments]
    assert other.tau2 == pytest.approx(factor**2 * fit.tau2, rel=1e-7, abs=1e-9 * factor**2)
    off = ~np.eye(4, dtype=bool)
    found = other.estimate[np.ix_(to, to)]
    assert found[off] == pytest.approx(factor * fit.estimate[off], rel=1e-6, abs=1e-8 * factor)
    assert other.se[np.ix_(to, to)][off] == pytest.approx(factor * fit.se[off], rel=1e-6)


def test_intervals_cover_and_inconsistency_is_found() -> None:
    """300 networks of 5 treatments and 40 trials, tau 0.3; then t0 differs by 0.8 beside t1."""
    covered, false, found, split = [], [], [], []
    for seed in range(300):
        network = make(seed, treatments=5, trials=40, tau=0.3)
        fit = nma.pool_network(network)
        truth = np.arange(5) / 4
        right = truth[1:] - truth[0]
        covered.append((fit.ci_low[1:, 0] <= right) & (right <= fit.ci_high[1:, 0]))
        false.append(nma.check_consistency(network).random.p_value < 0.05)
    for seed in range(60):
        network = make(seed, treatments=5, trials=40, tau=0.3, shift=0.8)
        found.append(nma.check_consistency(network).random.p_value < 0.05)
        table = nma.split_sides(network).set_index(["treatment", "base"])
        split.append(table.loc[("t1", "t0"), "p_value"] < 0.05)
    # 95 % in 1 200 answers that go together by four: 1.3 points of standard error at most.
    assert 0.90 < np.mean(covered) < 0.98
    assert np.mean(false) < 0.12
    assert np.mean(found) > 0.3
    assert np.mean(split) > 0.6


def test_words_say_what_was_done() -> None:
    fit = nma.pool_network(make(1))
    text = fit.methods_text("headache days")
    assert "24 trials of 6 treatments of headache days" in text
    assert "one between-study variance" in text
    assert "common-effect" in nma.pool_network(make(1), method="EE").methods_text()
    assert "Network meta-analysis: 6 treatments, 24 trials" in fit.summary()
    assert isinstance(fit.to_frame(), pd.DataFrame)
