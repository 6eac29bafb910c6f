"""Dependent effects: special cases that are other models, edges, units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from headway import meta
from headway.meta.multilevel import _find_blocks

RNG = np.random.default_rng(12)
STUDY = np.repeat(np.arange(12), [1, 2, 3, 4, 2, 2, 3, 1, 4, 2, 3, 3])
K = STUDY.size
V = RNG.uniform(0.02, 0.15, K)
Y = 0.4 + RNG.normal(0, 0.35, 12)[STUDY] + RNG.normal(0, 0.2, K) + RNG.normal(0, np.sqrt(V))
X = RNG.normal(0, 1, K)
LEVELS = {"study": STUDY, "effect": range(K)}


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_one_effect_per_unit_is_pooling(method: str) -> None:
    fit = meta.fit_multilevel(Y, V, {"effect": range(K)}, method=method, test="z")
    pooled = meta.pool(Y, V, method=method, test="z")
    assert fit.estimate[0] == pytest.approx(pooled.estimate, rel=1e-8)
    assert fit.se[0] == pytest.approx(pooled.se, rel=1e-8)
    assert fit.sigma2["effect"] == pytest.approx(pooled.tau2, rel=1e-7)
    assert fit.log_likelihood == pytest.approx(pooled.log_likelihood, abs=1e-9)
    assert (fit.pi_low, fit.pi_high) == pytest.approx((pooled.pi_low, pooled.pi_high), rel=1e-7)
    assert fit.qe == pytest.approx(pooled.q, rel=1e-10)


def test_one_effect_per_unit_with_moderators_is_meta_regression() -> None:
    fit = meta.fit_multilevel(Y, V, {"effect": range(K)}, moderators={"x": X}, test="t")
    other = meta.regress(Y, V, {"x": X}, test="t")
    assert fit.estimate == pytest.approx(other.estimate, rel=1e-7)
    assert fit.se == pytest.approx(other.se, rel=1e-7)
    assert fit.qm == pytest.approx(other.qm, rel=1e-6)
    assert fit.qm_p_value == pytest.approx(other.qm_p_value, rel=1e-5)
    assert fit.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-8)


def compute_height(theta: tuple[float, float]) -> float:
    cover = np.diag(V + theta[1]) + theta[0] * (STUDY[:, None] == STUDY)
    w = np.linalg.inv(cover)
    one = np.ones(K)
    mu = (one @ w @ Y) / (one @ w @ one)
    total = np.linalg.slogdet(cover)[1] + np.log(one @ w @ one) + (Y - mu) @ w @ (Y - mu)
    return float(-(total + (K - 1) * np.log(2 * np.pi) - np.log(K)) / 2)


def test_no_variances_on_a_grid_do_better() -> None:
    fit = meta.fit_multilevel(Y, V, LEVELS)
    top = compute_height((fit.sigma2["study"], fit.sigma2["effect"]))
    assert fit.log_likelihood == pytest.approx(top, abs=1e-9)
    grid = np.linspace(0, 0.5, 26)
    assert max(compute_height((a, b)) for a in grid for b in grid) <= top + 1e-9


def test_a_variance_on_the_boundary_is_zero() -> None:
    y = 0.3 + RNG.normal(0, 0.5, 12)[STUDY]  # effects of a study are equal
    fit = meta.fit_multilevel(y, V, LEVELS)
    assert fit.sigma2["effect"] == 0
    assert fit.sigma2["study"] > 0
    flat = meta.fit_multilevel(np.full(K, 1.5), V, LEVELS)
    assert list(flat.sigma2.values()) == [0, 0]
    assert flat.estimate[0] == pytest.approx(1.5)


@pytest.mark.parametrize("exponent", [-6, -1.7, 3, 6])
def test_results_do_not_depend_on_the_unit(exponent: float) -> None:
    c = 10.0**exponent
    a = meta.fit_multilevel(Y, V, LEVELS, moderators={"x": X})
    b = meta.fit_multilevel(c * Y, c**2 * V, LEVELS, moderators={"x": X})
    assert b.estimate / c == pytest.approx(a.estimate, rel=1e-9)
    assert b.se / c == pytest.approx(a.se, rel=1e-9)
    for name, value in a.sigma2.items():
        assert b.sigma2[name] / c**2 == pytest.approx(value, rel=1e-9, abs=1e-12)
    robust_a, robust_b = (meta.robust_inference(fit, STUDY) for fit in (a, b))
    assert robust_b.se / c == pytest.approx(robust_a.se, rel=1e-9)
    assert robust_b.df == pytest.approx(robust_a.df, rel=1e-9)


def test_order_and_names_do_not_matter() -> None:
    order = np.random.default_rng(1).permutation(K)
    a = meta.fit_multilevel(Y, V, LEVELS)
    names = np.array([f"trial {i}" for i in range(12)])[STUDY]
    b = meta.fit_multilevel(Y[order], V[order], {"study": names[order], "effect": range(K)})
    assert b.estimate == pytest.approx(a.estimate, rel=1e-9)
    assert b.sigma2["study"] == pytest.approx(a.sigma2["study"], rel=1e-6)
    ours = meta.robust_inference(a, STUDY), meta.robust_inference(b, names[order])
    assert ours[1].se == pytest.approx(ours[0].se, rel=1e-9)
    assert ours[1].df == pytest.approx(ours[0].df, rel=1e-8)


def draw_outcomes(units: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    truth = np.array([[0.20, 0.10], [0.10, 0.30]])
    effects = rng.multivariate_normal([0.2, -0.4], truth, units).ravel()
    v = rng.uniform(0.01, 0.05, 2 * units)
    unit = np.repeat(np.arange(units), 2)
    return effects + rng.normal(0, np.sqrt(v)), v, unit, np.tile(["pain", "days"], units)


def test_correlated_outcomes_are_found_again() -> None:
    y, v, unit, outcome = draw_outcomes(400)
    fit = meta.fit_multilevel(
        y, v, outer=unit, inner=outcome, moderators={"outcome": outcome}, intercept=False
    )
    assert fit.outcomes == ("pain", "days")
    assert fit.covariance is not None and fit.correlation is not None
    assert fit.covariance == pytest.approx(np.array([[0.2, 0.1], [0.1, 0.3]]), abs=0.05)
    assert fit.correlation[0, 1] == pytest.approx(0.1 / np.sqrt(0.06), abs=0.12)
    assert dict(zip(fit.names, fit.estimate, strict=True))["outcome[pain]"] == pytest.approx(
        0.2, abs=0.1
    )
    assert np.isnan(fit.pi_low)


def test_structures_are_nested_in_each_other() -> None:
    y, v, unit, outcome = draw_outcomes()
    options: dict[str, Any] = {"outer": unit, "inner": outcome}
    options |= {"moderators": {"outcome": outcome}, "intercept": False}
    heights = {
        s: meta.fit_multilevel(y, v, structure=s, **options).log_likelihood
        for s in ("UN", "CS", "DIAG", "ID")
    }
    assert heights["UN"] >= heights["CS"] - 1e-9 >= heights["ID"] - 2e-9
    assert heights["UN"] >= heights["DIAG"] - 1e-9 >= heights["ID"] - 2e-9
    # Compound symmetry is a unit and an effect within it, where the correlation is not negative.
    nested = meta.fit_multilevel(
        y, v, {"unit": unit, "effect": outcome},
        moderators={"outcome": outcome}, intercept=False,
    )  # fmt: skip
    assert nested.log_likelihood == pytest.approx(heights["CS"], abs=1e-7)


def test_a_correlation_on_the_boundary_is_reached() -> None:
    rng = np.random.default_rng(3)
    common = rng.normal(0, 0.5, 20)
    y = np.column_stack([common, 2 * common]).ravel() + rng.normal(0, 0.02, 40)
    unit, outcome = np.repeat(np.arange(20), 2), np.tile(["a", "b"], 20)
    fit = meta.fit_multilevel(
        y, np.full(40, 0.01), outer=unit, inner=outcome, moderators={"o": outcome}, intercept=False
    )
    assert fit.correlation is not None
    assert fit.correlation[0, 1] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((Y, V), {}, "give levels"),
        ((Y, V, {"s": STUDY[:3]}), {}, "one label per effect: 3 for 30"),
        ((Y, V, {"s": [None, *STUDY[1:]]}), {}, "must not be missing: see position 0"),
        ((Y, -V, LEVELS), {}, "above 0"),
        ((Y, V[:4], LEVELS), {}, "one variance per effect"),
        ((Y, np.ones((K, K)), LEVELS), {}, "positive definite"),
        ((Y, np.diag(V) + np.eye(K, k=1), LEVELS), {}, "symmetric"),
        ((np.where(STUDY == 3, np.nan, Y), V, LEVELS), {}, "yi must be finite"),
        ((Y, V, LEVELS), {"method": "DL"}, "'REML' or 'ML'"),
        ((Y, V, LEVELS), {"test": "knha"}, "'t' or 'z'"),
        ((Y, V, LEVELS), {"outer": STUDY}, "go together"),
        ((Y, V), {"outer": STUDY, "inner": range(K), "structure": "AR"}, "structure must be"),
        ((Y, V), {"outer": STUDY, "inner": ["a"] * K}, "several times in one unit"),
        ((Y, V, {"a": range(K), "b": range(K)}), {}, "units of the level above"),
        ((Y, V, LEVELS), {"moderators": {"x": X, "y": 2 * X}}, "column 'y' is a combination"),
    ],
)
def test_what_is_no_model_is_refused(arguments: Any, options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        meta.fit_multilevel(*arguments, **options)


def test_prints_what_a_reader_needs() -> None:
    fit = meta.fit_multilevel(Y, V, LEVELS)
    assert repr(fit).startswith("Multilevel(REML, t, k=30: intercept ")
    for words in ("between 12 units of study", "prediction interval", "QE(29)"):
        assert words in fit.summary()
    assert list(fit.to_frame()["coefficient"]) == ["intercept"]
    assert sum(fit.i2.values()) < 100
    text = fit.methods_text("headache days")
    nested = "30 units of effect within 12 units of study"
    for words in ("30 effects of headache days", nested, "restricted", "29 degrees of freedom"):
        assert words in text
    few = meta.fit_multilevel(Y[:6], V[:6], {"s": STUDY[:6], "e": range(6)})
    assert "can hardly be estimated" in few.note
    robust = meta.robust_inference(fit, STUDY)
    assert "CR2, 12 clusters" in repr(robust) and "Satterthwaite" in robust.ci_method
    assert len(robust.to_frame()) == 1


def test_blocks_are_the_linked_groups() -> None:
    linked = np.eye(5, dtype=bool)
    linked[0, 3] = linked[3, 0] = linked[3, 4] = linked[4, 3] = True
    assert [block.tolist() for block in _find_blocks(linked)] == [[0, 3, 4], [1], [2]]


# ---- cluster-robust -----------------------------------------------------------------------------


def test_cr2_of_a_plain_mean_is_its_t_test() -> None:
    # Equal variances, one effect per cluster: the variance of a mean with n - 1 df, exactly.
    y = RNG.normal(0.3, 1.0, 14)
    fit = meta.fit_multilevel(y, np.full(14, 0.1), {"effect": range(14)})
    ours = meta.robust_inference(fit, range(14))
    test = stats.ttest_1samp(y, 0)
    assert ours.se[0] == pytest.approx(y.std(ddof=1) / np.sqrt(14), rel=1e-9)
    assert ours.df[0] == pytest.approx(13, rel=1e-8)
    assert ours.p_value[0] == pytest.approx(test.pvalue, rel=1e-6)
    # CR1 with one coefficient has the same factor n / (n - 1) there.
    plain = meta.robust_inference(fit, range(14), correction="CR1")
    assert plain.se[0] == pytest.approx(ours.se[0], rel=1e-9)


def test_cr2_covers_where_the_working_model_is_wrong() -> None:
    # Effects of a cluster correlate in a way the working model does not know of. 400 draws: the
    # Monte Carlo error of 95 % is 1.1 points.
    rng = np.random.default_rng(6)
    cluster = np.repeat(np.arange(15), 4)
    v = np.full(60, 0.2)
    hits = {"CR2": 0, "model": 0}
    for _ in range(400):
        y = rng.normal(0, 0.6, 15)[cluster] + rng.normal(0, 0.2, 60)
        fit = meta.fit_multilevel(y, v, {"effect": range(60)})
        robust = meta.robust_inference(fit, cluster)
        hits["CR2"] += robust.ci_low[0] < 0 < robust.ci_high[0]
        hits["model"] += fit.ci_low[0] < 0 < fit.ci_high[0]
    assert hits["CR2"] / 400 == pytest.approx(0.95, abs=0.035)
    assert hits["model"] / 400 < 0.85


def test_clusters_must_be_independent_in_the_model() -> None:
    fit = meta.fit_multilevel(Y, V, LEVELS)
    with pytest.raises(ValueError, match="depend on each other"):
        meta.robust_inference(fit, range(K))
    with pytest.raises(ValueError, match="correction must be one of"):
        meta.robust_inference(fit, STUDY, correction="CR3")
    with pytest.raises(ValueError, match="more than 1 clusters"):
        meta.robust_inference(fit, [0] * K)


# ---- covariance ---------------------------------------------------------------------------------


def test_imputed_covariance_by_hand() -> None:
    found = meta.impute_covariance([1.0, 4.0, 9.0], ["a", "a", "b"], 0.5)
    assert found == pytest.approx(np.array([[1, 1, 0], [1, 4, 0], [0, 0, 9.0]]))
    with pytest.raises(ValueError, match="rho is too low"):
        meta.impute_covariance([1.0] * 4, ["a"] * 4, -0.6)
    with pytest.raises(ValueError, match="between -1 and 1"):
        meta.impute_covariance([1.0], ["a"], 1.0)
    with pytest.raises(ValueError, match="between -1 and 1"):
        meta.impute_covariance([1.0], ["a"], -1.5)
    with pytest.raises(ValueError, match="above 0"):
        meta.impute_covariance([0.0], ["a"], 0.5)


def test_shared_control_is_that_of_simulated_trials() -> None:
    rng = np.random.default_rng(8)
    arms = rng.normal(0, 2.0, (40_000, 3, 20)).mean(axis=2)
    differences = arms[:, :2] - arms[:, 2:]
    v = meta.share_control([8 / 20, 8 / 20], [4 / 20, 4 / 20], ["c", "c"])
    assert np.cov(differences.T) == pytest.approx(v, rel=0.04)
    with pytest.raises(ValueError, match="between 0 and vi"):
        meta.share_control([1.0], [1.0], ["c"])


def test_shared_control_of_standardised_differences_is_that_of_simulated_trials() -> None:
    # Arms of 40, 30 and 50; SD pooled over all three. 40 000 trials: 2 % of Monte Carlo error.
    rng = np.random.default_rng(9)
    sizes, means = (40, 30, 50), (0.8, 0.5, 0.0)
    arms = [rng.normal(m, 1.0, (40_000, n)) for m, n in zip(means, sizes, strict=True)]
    df = sum(sizes) - 3
    pooled = np.sqrt(sum(a.var(axis=1, ddof=1) * (a.shape[1] - 1) for a in arms) / df)
    d = np.column_stack([(a.mean(axis=1) - arms[2].mean(axis=1)) / pooled for a in arms[:2]])
    v = meta.share_control_smd([0.8, 0.5], [40, 30], [50, 50], ["c", "c"])
    assert np.cov(d.T) == pytest.approx(v, rel=0.06)
    apart = meta.share_control_smd([0.8, 0.5], [40, 30], [50, 50], ["c", "e"])
    assert apart[0, 1] == 0
    with pytest.raises(ValueError, match="one control arm has one size"):
        meta.share_control_smd([0.8, 0.5], [40, 30], [50, 51], ["c", "c"])
    with pytest.raises(ValueError, match="groups at least 2"):
        meta.share_control_smd([0.8], [1], [50], ["c"])
