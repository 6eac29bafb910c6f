"""Kenward-Roger, other intervals, influence, subsets, permutation, subgroups with one tau2."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from scipy import stats

from headway import meta

RNG = np.random.default_rng(8)
K = 9
V = RNG.uniform(0.05, 0.6, K)
Y = 0.5 + RNG.normal(0, 0.5, K) + RNG.normal(0, np.sqrt(V))
METHODS = [method for method in meta.METHODS if method != "GENQ"]


# ---- Kenward-Roger ------------------------------------------------------------------------------


def adjust_variance(v: np.ndarray, tau2: float) -> float:
    """Return the adjusted variance in the general matrix form (Kenward and Roger 1997)."""
    x = np.ones((v.size, 1))
    inverse = np.linalg.inv(np.diag(v + tau2))
    # The derivative of the covariance in tau2 is the identity, its second derivative 0.
    phi = np.linalg.inv(x.T @ inverse @ x)
    p = -x.T @ inverse @ inverse @ x
    q = x.T @ inverse @ inverse @ inverse @ x
    projection = inverse - inverse @ x @ phi @ x.T @ inverse
    variance_of_tau2 = 2 / np.trace(projection @ projection)
    return float((phi + 2 * phi @ (variance_of_tau2 * (q - p @ phi @ p)) @ phi).item())


def test_kenward_roger_is_its_matrix_form() -> None:
    fit = meta.pool(Y, V, test="kr")
    variance = adjust_variance(V, fit.tau2)
    assert fit.se == pytest.approx(math.sqrt(variance), rel=1e-10)
    # Partlett and Riley's df: 2 I / (V s2)², I the information of tau2.
    w = 1 / (V + fit.tau2)
    s2, s3 = (w**2).sum(), (w**3).sum()
    information = (s2 - 2 * s3 / w.sum() + (s2 / w.sum()) ** 2) / 2
    assert fit.df == pytest.approx(2 * information / (variance * s2) ** 2, rel=1e-10)
    assert fit.ci_high - fit.estimate == pytest.approx(stats.t.ppf(0.975, fit.df) * fit.se)


def test_kenward_roger_is_exact_for_equal_variances() -> None:
    # With equal variances and tau2 > 0 REML is the variance of the mean: the t interval on k - 1.
    y = np.array([0.0, 3.0, 5.0, 1.0, 9.0])
    fit = meta.pool(y, np.full(5, 0.5), test="kr")
    assert fit.se == pytest.approx(y.std(ddof=1) / math.sqrt(5), rel=1e-10)
    assert fit.df == pytest.approx(4, rel=1e-9)


def test_kenward_roger_covers() -> None:
    # 4 000 replicates: the Monte Carlo error of a coverage of 95 % is 0.35 points.
    rng = np.random.default_rng(17)

    def cover(v: np.ndarray, tau2: float, test: str) -> float:
        y = rng.normal(0, np.sqrt(v + tau2), (4000, v.size))
        fit = meta.pool(y, v, test=test)
        return float(np.mean((fit.ci_low < 0) & (fit.ci_high > 0)))

    many, few = np.linspace(0.05, 0.5, 25), np.array([0.05, 0.1, 0.15, 0.2, 0.3, 0.4])
    assert cover(many, 0.5, "kr") == pytest.approx(0.95, abs=0.012)
    # With few studies it is known to be too wide (Partlett and Riley 2017), where z is too narrow.
    assert cover(few, 0.2, "kr") > 0.95 > cover(few, 0.2, "z")


def test_kenward_roger_needs_restricted_maximum_likelihood() -> None:
    with pytest.raises(ValueError, match="use method='REML'"):
        meta.pool(Y, V, method="DL", test="kr")


# ---- prediction ---------------------------------------------------------------------------------


def test_prediction_intervals_by_hand() -> None:
    for test, prediction, df in (
        ("z", "default", np.inf),
        ("z", "t", K - 1),
        ("z", "riley", K - 2),
        ("t", "default", K - 1),
        ("knha", "default", K - 1),
        ("knha", "riley", K - 2),
        ("adhoc", "t", K - 1),
    ):
        fit = meta.pool(Y, V, test=test, prediction=prediction)
        critical = stats.norm.ppf(0.975) if np.isinf(df) else stats.t.ppf(0.975, df)
        reach = critical * math.sqrt(fit.tau2 + fit.se**2)
        assert fit.pi_high == pytest.approx(fit.estimate + reach, rel=1e-12)
        assert fit.pi_low == pytest.approx(fit.estimate - reach, rel=1e-12)
        words = "normal" if np.isinf(df) else f"t distribution with k - {K - df} df"
        assert words in fit.pi_method


def test_unknown_prediction_is_refused() -> None:
    with pytest.raises(ValueError, match="prediction must be one of"):
        meta.pool(Y, V, prediction="Riley")


def test_probability_beyond_is_the_tail_the_interval_is_cut_from() -> None:
    for test in ("z", "knha", "kr"):
        fit = meta.pool(Y, V, test=test)
        assert fit.probability_beyond(fit.pi_low) == pytest.approx(0.025, rel=1e-9)
        assert fit.probability_beyond(fit.pi_high, "above") == pytest.approx(0.025, rel=1e-9)
        both = fit.probability_beyond(0.3) + fit.probability_beyond(0.3, "above")
        assert both == pytest.approx(1)
    batch = meta.pool(np.stack([Y, Y + 1]), V)
    assert batch.probability_beyond(0.0).shape == (2,)
    assert np.isnan(meta.pool(Y, V, method="EE", test="z").probability_beyond(0.0))
    with pytest.raises(ValueError, match="side"):
        fit.probability_beyond(0.0, "over")
    with pytest.raises(ValueError, match="finite"):
        fit.probability_beyond(np.nan)


# ---- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("test", ["z", "t", "knha", "adhoc"])
def test_methods_text_says_what_was_done(method: str, test: str) -> None:
    fit = meta.pool(Y, V, method=method, test=test)
    text = fit.methods_text("headache days")
    assert text.startswith("We pooled 9 estimates of headache days")
    assert ("common-effect" in text) == (method == "EE")
    assert ("prediction interval" in text) == (method != "EE")
    assert ("Hartung" in text) == (test in ("knha", "adhoc"))
    assert ("at least 1" in text) == (test == "adhoc")
    assert "Headway" in text and "SciPy" in text
    for author, code in (("Viechtbauer 2005", "REML"), ("DerSimonian and Laird", "DL")):
        assert (author in text) == (method == code)


def test_methods_text_of_one_study_and_of_a_batch() -> None:
    assert "was not pooled" in meta.pool([1.0], [0.2]).methods_text()
    with pytest.raises(ValueError, match="not a batch"):
        meta.pool(np.stack([Y, Y]), V).methods_text()


# ---- cumulative, influence, subsets -------------------------------------------------------------


def test_cumulating_equals_pooling_what_there_is() -> None:
    year = np.array([2001, 1999, 2005, 2003, 1990, 1991, 2010, 2001, 1985])
    fit = meta.cumulate(Y, V, order=year, test="knha")
    order = np.argsort(year, kind="stable")
    for i in range(K):
        alone = meta.pool(Y[order[: i + 1]], V[order[: i + 1]], test="knha")
        assert fit.estimate[i] == pytest.approx(alone.estimate, rel=1e-10)
        assert fit.ci_low[i] == pytest.approx(alone.ci_low, rel=1e-10)
    assert fit.k.tolist() == list(range(1, K + 1))
    masked = meta.cumulate(Y, V, mask=np.arange(K) != 2)
    assert masked.k.tolist() == list(range(1, K))
    with pytest.raises(ValueError, match="one number per study"):
        meta.cumulate(Y, V, order=[1, 2])
    with pytest.raises(ValueError, match="must not be missing"):
        meta.cumulate(Y, V, order=[np.nan] * K)


@pytest.mark.parametrize("test", ["z", "knha", "adhoc"])
def test_influence_by_leaving_out(test: str) -> None:
    seen = meta.influence(Y, V, test=test)
    full = meta.pool(Y, V, test=test)
    for i in range(K):
        rest = meta.pool(np.delete(Y, i), np.delete(V, i), test=test)
        assert seen.tau2_deleted[i] == pytest.approx(rest.tau2, rel=1e-9, abs=1e-12)
        assert seen.cook_d[i] == pytest.approx(((full.estimate - rest.estimate) / full.se) ** 2)
        if test == "z":
            error = math.sqrt(V[i] + rest.tau2 + rest.se**2)
            assert seen.rstudent[i] == pytest.approx((Y[i] - rest.estimate) / error)
    assert seen.hat.sum() == pytest.approx(1)
    assert "rstudent" in seen.to_frame() and "of 9 studies" in repr(seen)


def test_a_wild_study_is_influential() -> None:
    y = np.append(Y, 12.0)
    v = np.append(V, 0.05)
    assert meta.influence(y, v).influential.tolist() == [False] * K + [True]
    contribution, shift = meta.baujat(y, v)
    assert contribution.argmax() == K and shift.argmax() == K
    # Under a common effect the contributions are Q.
    assert contribution.sum() == pytest.approx(meta.pool(y, v, method="EE").q)
    assert np.abs(meta.standardise_residuals(y, v)).argmax() == K


def test_shrinkage_by_hand() -> None:
    fit = meta.pool(Y, V, test="z")
    blup = meta.shrink(Y, V)
    share = fit.tau2 / (fit.tau2 + V)
    assert blup.estimate == pytest.approx(share * Y + (1 - share) * fit.estimate)
    assert (np.abs(blup.estimate - fit.estimate) <= np.abs(Y - fit.estimate)).all()
    # Without heterogeneity every study is the mean.
    flat = meta.shrink([1.0, 1.1, 0.9], [1.0, 1.0, 1.0])
    assert flat.estimate == pytest.approx([1.0] * 3)


@pytest.mark.parametrize("method", ["EE", "DL", "REML", "PM"])
def test_gosh_is_pooling_of_every_subset(method: str) -> None:
    y, v = Y[:5], V[:5]
    found = meta.gosh(y, v, method=method)
    assert found.complete and found.k.size == 31
    seen = 0
    for size in range(1, 6):
        for chosen in itertools.combinations(range(5), size):
            number = sum(1 << i for i in chosen) - 1
            fit = meta.pool(y[list(chosen)], v[list(chosen)], method=method, test="z")
            assert found.members[number].nonzero()[0].tolist() == list(chosen)
            assert found.estimate[number] == pytest.approx(fit.estimate, rel=1e-10)
            assert found.tau2[number] == pytest.approx(fit.tau2, rel=1e-8, abs=1e-12)
            assert found.i2[number] == pytest.approx(fit.i2, rel=1e-8, abs=1e-9)
            assert found.q[number] == pytest.approx(fit.q, rel=1e-10, abs=1e-12)
            seen += 1
    assert seen == 31


def test_gosh_samples_what_is_too_much() -> None:
    y, v = np.resize(Y, 30), np.resize(V, 30)
    found = meta.gosh(y, v, method="DL", subsets=500, seed=4)
    assert not found.complete and found.k.size == 500
    assert len({row.tobytes() for row in found.members}) == 500
    assert (found.k > 0).all() and 12 < found.k.mean() < 18
    again = meta.gosh(y, v, method="DL", subsets=500, seed=4)
    assert (again.estimate == found.estimate).all()
    assert repr(found) == "Gosh(DL: a sample of 500 subsets of 30 studies)"
    for bad in ({"method": "GENQ"}, {"subsets": 0}):
        with pytest.raises(ValueError, match=r"GENQ|subsets"):
            meta.gosh(Y, V, **bad)
    with pytest.raises(ValueError, match="2 to 63 studies"):
        meta.gosh(np.zeros(64), np.ones(64))


# ---- permutation --------------------------------------------------------------------------------


def test_permutation_by_enumeration() -> None:
    y, v = np.array([0.3, 0.5, 0.2, 0.9, 0.4]), np.full(5, 0.1)
    ours = meta.permutation_test(y, v, method="EE", test="z")
    # All effects are positive: only the signs all plus and all minus reach the mean.
    assert ours.exact and ours.arrangements == 32
    assert ours.p_value == pytest.approx([2 / 32])


def test_permutation_of_moderators_by_enumeration() -> None:
    y, v, x = Y[:5], V[:5], np.array([0.0, 1.0, 2.0, 4.0, 8.0])
    ours = meta.permutation_test(y, v, {"x": x}, method="DL", test="z")
    assert ours.exact and ours.arrangements == 120
    observed = meta.regress(y, v, {"x": x}, method="DL", test="z")
    reached = 0
    for order in itertools.permutations(range(5)):
        fit = meta.regress(y, v, {"x": x[list(order)]}, method="DL", test="z")
        reached += abs(fit.statistic[1]) >= abs(observed.statistic[1]) * (1 - 1e-9)
    assert ours.p_value[1] == pytest.approx(reached / 120)
    assert ours.qm_p_value == pytest.approx(reached / 120)


def test_permutation_is_uniform_without_an_effect() -> None:
    rng = np.random.default_rng(2)
    p = []
    for i in range(200):
        y = rng.normal(0, 1, 7)
        p.append(meta.permutation_test(y, np.full(7, 0.3), method="DL", seed=i).p_value[0])
    # A binomial share of 200 tosses at 0.1 stays below 0.17 but for 1 in 1 000.
    assert np.mean(np.array(p) <= 0.1) < 0.17
    assert 0.4 < np.mean(p) < 0.6


def test_permutation_by_sampling_is_seeded_and_close() -> None:
    exact = meta.permutation_test(Y, V, method="DL")
    sampled = meta.permutation_test(np.append(Y, Y), np.append(V, V), method="DL", draws=2000)
    assert exact.exact and not sampled.exact
    again = meta.permutation_test(np.append(Y, Y), np.append(V, V), method="DL", draws=2000)
    assert sampled.p_value == again.p_value
    with pytest.raises(ValueError, match="at least 100"):
        meta.permutation_test(Y, V, draws=10)


# ---- subgroups with one tau2, profile likelihood -------------------------------------------------


def test_subgroups_with_one_tau2_are_a_meta_regression() -> None:
    groups = ["a", "b", "a", "b", "c", "c", "a", "b", "c"]
    ours = meta.subgroups(Y, V, groups, tau2="common", test="z")
    fit = meta.regress(Y, V, {"g": groups}, test="z")
    assert ours.q_between == pytest.approx(fit.qm) and ours.df == 2 and np.isnan(ours.df2)
    assert [g.tau2 for g in ours.groups.values()] == pytest.approx([fit.tau2] * 3)
    means = meta.regress(Y, V, {"g": groups}, test="z", intercept=False)
    got = [ours.groups[g].estimate for g in "abc"]
    assert got == pytest.approx(means.estimate.tolist())
    assert "one tau2 for all" in ours.summary() and "Subgroups(a: k=3" in repr(ours)
    assert list(ours.to_frame()["group"]) == ["a", "b", "c", "all studies"]
    for labels, words in ((["a"] * K, "two groups"), (list(range(K)), "more than one study")):
        with pytest.raises(ValueError, match=words):
            meta.subgroups(Y, V, labels, tau2="common")
    with pytest.raises(ValueError, match="'separate' or 'common'"):
        meta.subgroups(Y, V, groups, tau2="shared")


@pytest.mark.parametrize("method", ["ML", "REML"])
def test_profile_likelihood_is_half_a_quantile_below_the_maximum(method: str) -> None:
    found = meta.confint_tau2(Y, V, method=method, interval="profile likelihood")

    def height(tau2: float) -> float:
        w = 1 / (V + tau2)
        mu = (w * Y).sum() / w.sum()
        total = -np.log(V + tau2).sum() - (w * (Y - mu) ** 2).sum()
        return float(total - np.log(w.sum()) if method == "REML" else total) / 2

    goal = height(found.tau2) - stats.chi2.ppf(0.95, 1) / 2
    assert height(found.tau2_high) == pytest.approx(goal, abs=1e-8)
    assert found.tau2_low == 0 or height(found.tau2_low) == pytest.approx(goal, abs=1e-8)
    assert (found.tau2_low == 0) == (height(0.0) >= goal)
    assert found.tau_high == pytest.approx(math.sqrt(found.tau2_high))


def test_profile_likelihood_needs_a_likelihood() -> None:
    with pytest.raises(ValueError, match="'ML' or 'REML'"):
        meta.confint_tau2(Y, V, method="DL", interval="profile likelihood")
    with pytest.raises(ValueError, match="interval must be one of"):
        meta.confint_tau2(Y, V, interval="bootstrap")


@pytest.mark.parametrize("exponent", [-6, -1.3, 2, 6])
def test_the_deeper_looks_do_not_depend_on_the_unit(exponent: float) -> None:
    c = 10.0**exponent
    y, v = c * Y, c**2 * V
    pairs: list[tuple[Any, Any, float]] = []
    for interval in ("Q-profile", "profile likelihood"):
        a, b = (meta.confint_tau2(*s, interval=interval) for s in ((Y, V), (y, v)))
        pairs += [(a.tau2_high, b.tau2_high, c**2), (a.i2_high, b.i2_high, 1)]
    a, b = meta.influence(Y, V), meta.influence(y, v)
    pairs += [
        (getattr(a, n), getattr(b, n), 1) for n in ("rstudent", "cook_d", "dfbetas", "dffits")
    ]
    a, b = meta.gosh(Y, V), meta.gosh(y, v)
    # Estimates of subsets pass through 0 and are measured against their spread.
    assert (np.abs(b.estimate / c - a.estimate) < 1e-9 * a.estimate.std()).all()
    pairs += [(a.i2, b.i2, 1)]
    a, b = meta.cumulate(Y, V, test="knha"), meta.cumulate(y, v, test="knha")
    pairs += [(a.se, b.se, c)]
    a, b = meta.pool(Y, V, test="kr"), meta.pool(y, v, test="kr")
    pairs += [
        (a.se, b.se, c),
        (a.df, b.df, 1),
        (a.pi_low, b.pi_low, c),
        (a.se_tau2, b.se_tau2, c**2),
    ]
    pairs += [(a.log_likelihood, b.log_likelihood + (K - 1) * math.log(c), 1)]
    a, b = (meta.permutation_test(*s, test="z") for s in ((Y, V), (y, v)))
    pairs += [(a.p_value, b.p_value, 1)]
    for ours, theirs, factor in pairs:
        assert np.asarray(theirs) / factor == pytest.approx(np.asarray(ours), rel=1e-9, abs=1e-9)


def test_importing_the_engine_is_cheap() -> None:
    # The sources are on the path of the test run, not installed: hand it on.
    code = (
        "import sys; sys.path[:0] = " + repr(sys.path) + "\n"
        "import headway.meta, headway.effects\n"
        "names = {'pandas', 'statsmodels', 'matplotlib', 'duckdb', 'scipy.stats', 'scipy.optimize',"
        " 'scipy.linalg', 'scipy.integrate', 'scipy.sparse', 'scipy.interpolate'}\n"
        "sys.exit(str(names & set(sys.modules)) if names & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
