"""Meta-regression: closed forms, edges, errors; its golden answers are tested elsewhere."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import meta
from headway.meta.design import build_design

RNG = np.random.default_rng(3)
K = 12
X = RNG.normal(0, 1, K)
YEAR = np.arange(1990, 1990 + K)
GROUP = ["a", "b", "c"] * 4
V = RNG.uniform(0.05, 0.5, K)
Y = 0.4 + 0.3 * X + RNG.normal(0, 0.4, K) + RNG.normal(0, np.sqrt(V))
METHODS = [method for method in meta.METHODS if method != "GENQ"]


def build_p(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    wx = w[:, None] * x
    return np.diag(w) - wx @ np.linalg.inv(x.T @ wx) @ wx.T


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("test", ["z", "t", "knha", "adhoc"])
def test_an_intercept_alone_is_pooling(method: str, test: str) -> None:
    # Two kernels, one model: the fast one for pooling, the general one here.
    pooled = meta.pool(Y, V, method=method, test=test)
    fit = meta.regress(Y, V, {}, method=method, test=test)
    for ours, theirs in (
        (fit.estimate[0], pooled.estimate),
        (fit.se[0], pooled.se),
        (fit.ci_low[0], pooled.ci_low),
        (fit.p_value[0], pooled.p_value),
        (fit.tau2, pooled.tau2),
        (fit.se_tau2, pooled.se_tau2),
        (fit.i2, pooled.i2),
        (fit.h2, pooled.h2),
        (fit.qe, pooled.q),
        (fit.log_likelihood, pooled.log_likelihood),
    ):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12, nan_ok=True)
    assert fit.weights == pytest.approx(pooled.weights, rel=1e-9)


def test_estimators_match_their_matrix_definitions() -> None:
    # The matrix form loses digits beside a year of 1990, ours does not: it gets the years since.
    x = np.column_stack([np.ones(K), X, YEAR - 1990])
    p0, k, df = build_p(x, 1 / V), K, K - 3
    flat = build_p(x, np.ones(K))
    start = Y.var()
    ps = build_p(x, 1 / (V + start))
    expected = {
        "DL": (Y @ p0 @ Y - df) / np.trace(p0),
        "HE": (Y @ flat @ Y - np.trace(flat @ np.diag(V))) / df,
        "HS": (Y @ p0 @ Y - k) / (1 / V).sum(),
        "HSk": (Y @ p0 @ Y * k / df - k) / (1 / V).sum(),
        "SJ": start * (Y @ ps @ Y) / df,
    }
    for method, tau2 in expected.items():
        fit = meta.regress(Y, V, {"x": X, "year": YEAR}, method=method)
        assert fit.tau2 == pytest.approx(max(tau2, 0), rel=1e-10, abs=1e-12)
    # Restricted maximum likelihood: no tau2 on a fine grid does better.
    fit = meta.regress(Y, V, {"x": X, "year": YEAR}, method="REML")

    def height(tau2: float) -> float:
        p = build_p(x, 1 / (V + tau2))
        inner = x.T @ (x / (V + tau2)[:, None])
        terms = np.log(V + tau2).sum() + np.linalg.slogdet(inner)[1] + Y @ p @ Y
        constant = df * np.log(2 * np.pi) - np.linalg.slogdet(x.T @ x)[1]
        return float(-(terms + constant) / 2)

    assert fit.log_likelihood == pytest.approx(height(fit.tau2), rel=1e-9)
    assert all(height(t) <= fit.log_likelihood + 1e-9 for t in np.linspace(0, 2, 400))


def test_coefficients_are_weighted_least_squares() -> None:
    fit = meta.regress(Y, V, {"x": X}, method="EE", test="z")
    x = np.column_stack([np.ones(K), X])
    cover = np.linalg.inv(x.T @ (x / V[:, None]))
    assert fit.estimate == pytest.approx(cover @ x.T @ (Y / V))
    assert fit.vcov == pytest.approx(cover)
    assert fit.qm == pytest.approx(fit.statistic[1] ** 2)
    assert fit.qm_p_value == pytest.approx(fit.p_value[1])


def test_factors_are_coded_against_their_reference() -> None:
    first = meta.regress(Y, V, {"group": GROUP})
    assert first.names == ("intercept", "group[b]", "group[c]")
    other = meta.regress(Y, V, {"group": GROUP}, reference={"group": "c"})
    assert other.names == ("intercept", "group[a]", "group[b]")
    means = meta.regress(Y, V, {"group": GROUP}, intercept=False)
    assert means.names == ("group[a]", "group[b]", "group[c]")
    # The model is the same, whatever is compared with what.
    for fit in (other, means):
        assert fit.tau2 == pytest.approx(first.tau2, rel=1e-9)
        assert fit.qe == pytest.approx(first.qe, rel=1e-9)
        assert fit.log_likelihood is not None
    assert other.qm == pytest.approx(first.qm, rel=1e-9)
    assert means.estimate[1] == pytest.approx(first.estimate[:2].sum(), rel=1e-9)
    assert means.qm_df == 3
    assert np.isnan(means.r2)


def test_terms_are_tested_as_a_whole() -> None:
    fit = meta.regress(Y, V, {"x": X, "group": GROUP}, test="knha")
    statistic, df, df2, p = fit.terms["group"]
    assert (df, df2) == (2, K - 4)
    b, cover = fit.estimate[2:], fit.vcov[2:, 2:]
    assert statistic == pytest.approx(b @ np.linalg.inv(cover) @ b / 2)
    assert 0 < p < 1
    assert fit.terms["x"][3] == pytest.approx(fit.p_value[1])


def test_moderators_in_other_units_change_only_their_coefficients() -> None:
    a = meta.regress(Y, V, {"x": X, "year": YEAR})
    b = meta.regress(Y, V, {"x": 1e-4 * X, "year": (YEAR - 1990) * 365.25})
    assert b.estimate[1] * 1e-4 == pytest.approx(a.estimate[1], rel=1e-9)
    assert b.estimate[2] * 365.25 == pytest.approx(a.estimate[2], rel=1e-9)
    for name in ("tau2", "qe", "qm", "i2", "r2"):
        assert getattr(b, name) == pytest.approx(getattr(a, name), rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("exponent", [-6, -2.5, 3, 6])
def test_results_do_not_depend_on_the_unit(method: str, exponent: float) -> None:
    c = 10.0**exponent
    a = meta.regress(Y, V, {"x": X, "group": GROUP}, method=method)
    b = meta.regress(c * Y, c**2 * V, {"x": X, "group": GROUP}, method=method)
    size = np.abs(a.ci_high - a.ci_low)
    assert (np.abs(b.estimate / c - a.estimate) < 1e-9 * size).all()
    assert b.se / c == pytest.approx(a.se, rel=1e-9)
    assert b.tau2 / c**2 == pytest.approx(a.tau2, rel=1e-9, abs=1e-9 * V.min())
    for name in ("qm", "qm_p_value", "qe", "i2", "h2", "r2"):
        assert getattr(b, name) == pytest.approx(getattr(a, name), rel=1e-8, abs=1e-9, nan_ok=True)


def test_a_batch_is_its_sets() -> None:
    y = np.stack([Y, Y[::-1], Y + 5, 0 * Y + X])
    mask = np.ones((4, K), dtype=bool)
    mask[1, [2, 7]] = False
    for method, test in itertools.product(("DL", "REML", "ML", "PM", "SJ"), ("z", "knha")):
        batch = meta.regress(y, V, {"x": X}, method=method, test=test, mask=mask)
        assert batch.estimate.shape == (4, 2)
        for i in range(3):
            m = mask[i]
            alone = meta.regress(y[i, m], V[m], {"x": X[m]}, method=method, test=test)
            for name in ("estimate", "se", "ci_low", "tau2", "qm", "i2", "r2", "log_likelihood"):
                ours, theirs = getattr(batch, name)[i], getattr(alone, name)
                assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12), (method, name)
    assert "batch of (4,) sets" in repr(batch)
    assert len(batch.to_frame()) == 8


def test_a_set_that_does_not_determine_the_coefficients_is_nan_with_a_note() -> None:
    mask = np.ones((2, K), dtype=bool)
    mask[1] = [label != "b" for label in GROUP]
    batch = meta.regress(np.stack([Y, Y]), V, {"group": GROUP}, mask=mask)
    assert np.isfinite(batch.estimate[0]).all()
    assert np.isnan(batch.estimate[1]).all() and np.isnan(batch.tau2[1])
    assert "do not determine" in batch.note[1] and "do not determine" not in batch.note[0]


@pytest.mark.parametrize("method", meta.METHODS)
@pytest.mark.parametrize("held", [0, 1, 2])
def test_a_set_of_too_few_studies_leaves_the_others_alone(method: str, held: int) -> None:
    mask = np.ones((3, K), dtype=bool)
    mask[1, held:] = False
    weights = 1 / V if method == "GENQ" else None
    settings: dict[str, Any] = {"method": method, "weights": weights}
    batch = meta.regress(np.stack([Y, Y, Y]), V, {"x": X}, mask=mask, **settings)
    alone = meta.regress(Y, V, {"x": X}, **settings)
    assert batch.estimate[[0, 2]] == pytest.approx(np.stack([alone.estimate] * 2))
    assert batch.tau2[[0, 2]] == pytest.approx(alone.tau2)
    assert np.isnan(batch.estimate[1]).all() and batch.k.tolist() == [K, held, K]


def test_collinear_moderators_are_named() -> None:
    with pytest.raises(ValueError, match="column 'twice' is a combination"):
        meta.regress(Y, V, {"x": X, "twice": 2 * X + 3})
    with pytest.raises(ValueError, match="'constant' is the same in all of these 12 studies"):
        meta.regress(Y, V, {"constant": np.full(K, 4.0)})
    with pytest.raises(ValueError, match="column 'zero'"):
        meta.regress(Y, V, {"zero": np.zeros(K)}, intercept=False)


@pytest.mark.parametrize(
    ("moderators", "words"),
    [
        ({"x": X[:-1]}, "one entry per study: 11 for 12"),
        ({"x": [np.nan, *X[1:]]}, "must not be missing: see position 0"),
        ({"g": [None, *GROUP[1:]]}, "must not be missing: see position 0"),
        ({"x": [np.inf, *X[1:]]}, "must be finite: see position 0"),
        ({"g": ["a"] * K}, "one level only"),
        ({"intercept": X}, "cannot be named"),
        (np.zeros((K, 1, 1)), "2 dimensions"),
        ([object()] * K, "mapping of names"),
    ],
)
def test_moderators_that_cannot_be_used_are_refused(moderators: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        meta.regress(Y, V, moderators)


def test_other_requests_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="3 coefficients need at least 3 studies, there are 2"):
        meta.regress(Y[:2], V[:2], {"x": X[:2], "z": X[1::-1]})
    with pytest.raises(ValueError, match="'kr' is for pooling"):
        meta.regress(Y, V, {"x": X}, test="kr")
    with pytest.raises(ValueError, match="weights go with"):
        meta.regress(Y, V, {"x": X}, weights=V)
    with pytest.raises(ValueError, match="must be one of its levels"):
        meta.regress(Y, V, {"g": GROUP}, reference={"g": "z"})
    with pytest.raises(ValueError, match="what is not a factor"):
        meta.regress(Y, V, {"x": X}, reference={"x": "z"})
    with pytest.raises(ValueError, match="an intercept or a moderator"):
        meta.regress(Y, V, {}, intercept=False)
    with pytest.raises(ValueError, match="number of studies is not known"):
        build_design({})


@pytest.mark.parametrize("method", METHODS)
def test_as_many_coefficients_as_studies(method: str) -> None:
    # A spread between studies cannot be estimated then; R's metafor refuses as well.
    with pytest.raises(ValueError, match="2 coefficients for 2 studies: nothing is left"):
        meta.regress(Y[:2], V[:2], {"x": X[:2]}, method=method)


def test_as_many_coefficients_as_studies_with_a_common_effect() -> None:
    fit = meta.regress(Y[:2], V[:2], {"x": X[:2]}, method="EE", test="z")
    assert fit.tau2 == 0
    assert fit.qe == pytest.approx(0, abs=1e-12) and fit.qe_df == 0 and fit.qe_p_value == 1
    assert "nothing is left" in fit.note
    assert np.isfinite(fit.se).all()


def test_fixed_weights() -> None:
    w = 1 / V
    fit = meta.regress(Y, V, {"x": X}, method="GENQ", test="z", weights=w)
    assert fit.tau2 == pytest.approx(meta.regress(Y, V, {"x": X}, method="DL").tau2, rel=1e-12)
    x = np.column_stack([np.ones(K), X])
    bread = np.linalg.inv(x.T @ (x * w[:, None]))
    meat = x.T @ (x * (w**2 * (V + fit.tau2))[:, None])
    assert fit.vcov == pytest.approx(bread @ meat @ bread, rel=1e-10)


def test_predictions_by_hand() -> None:
    fit = meta.regress(Y, V, {"x": X, "group": GROUP}, test="t")
    new = fit.predict({"x": [0.5, -1], "group": ["a", "c"]})
    rows = np.array([[1, 0.5, 0, 0], [1, -1, 0, 1]])
    assert new.estimate == pytest.approx(rows @ fit.estimate)
    se = np.sqrt(np.diag(rows @ fit.vcov @ rows.T))
    assert new.se == pytest.approx(se)
    critical = 2.306004135204166  # t, 8 df
    assert new.ci_high == pytest.approx(rows @ fit.estimate + critical * se)
    reach = critical * np.sqrt(fit.tau2 + se**2)
    assert new.pi_low == pytest.approx(rows @ fit.estimate - reach)
    assert list(new.to_frame()) == ["estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high"]
    means = meta.regress(Y, V, {"group": GROUP}, intercept=False)
    assert means.predict({"group": ["b"]}).estimate == pytest.approx(means.estimate[1])
    for bad in ({"x": [1]}, {"x": [1], "group": ["z"]}, {"x": [1, 2], "group": ["a"]}):
        with pytest.raises(ValueError, match=r"exactly these|has levels|same number"):
            fit.predict(bad)


def test_prints_what_a_reader_needs() -> None:
    fit = meta.regress(Y, V, {"x": X, "group": GROUP}, test="knha")
    assert repr(fit).startswith("Regression(REML, knha, k=12: intercept ")
    text = fit.summary()
    for words in ("Mixed-effects meta-regression of 12", "group[b]", "F(3, 8)", "R2 =", "k - 4 df"):
        assert words in text
    frame = fit.to_frame()
    assert list(frame["coefficient"]) == ["intercept", "x", "group[b]", "group[c]"]
    assert isinstance(frame, pd.DataFrame) and frame["df"].eq(8).all()
    words = fit.methods_text("headache days")
    for part in ("12 estimates of headache days on x and group", "reference level: a (group)"):
        assert part in words


def test_effects_without_spread() -> None:
    fit = meta.regress(np.ones(K), V, {"x": X}, test="knha")
    assert fit.tau2 == 0 and fit.se == pytest.approx(0) and fit.estimate == pytest.approx([1, 0])
    assert np.isnan(fit.qm)
    assert "without spread" in fit.note
    floored = meta.regress(np.ones(K), V, {"x": X})
    assert (floored.se > 0).all() and floored.p_value[1] == pytest.approx(1)
