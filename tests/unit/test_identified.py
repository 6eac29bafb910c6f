"""What effects say nothing about is refused by its name, or fixed with a note.

Expected numbers are those of R's metafor 3.8-1: rma.mv with random = ~ 1 | study/effect and the
like, rel.tol 1e-10.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import meta
from headway.messages import LANGUAGES, say, speaking

Y = np.array([0.2, 0.5, -0.1, 0.8, 0.35])
V = np.array([0.04, 0.05, 0.03, 0.06, 0.02])
ONE = {"study": [1] * 5, "effect": range(5)}


def test_the_variance_of_a_single_unit_is_fixed_at_0_in_any_order_of_rows() -> None:
    for order in list(itertools.permutations(range(5)))[::7]:
        o = list(order)
        fit = meta.fit_multilevel(Y[o], V[o], {"study": [1] * 5, "effect": range(5)})
        assert fit.estimate[0] == pytest.approx(0.32375910, abs=1e-6)
        assert fit.se[0] == pytest.approx(0.14280387, abs=1e-6)
        assert fit.sigma2["study"] == 0
        assert fit.sigma2["effect"] == pytest.approx(0.06391491, rel=1e-5)
        assert fit.units == {"study": 1, "effect": 5}
        # A new study may differ: these effects cannot say by how much.
        assert np.isnan(fit.pi_low) and np.isnan(fit.pi_high)


def test_only_the_level_of_a_single_unit_is_fixed() -> None:
    levels = {"country": ["a"] * 6, "study": [1, 1, 2, 2, 3, 3], "effect": range(6)}
    fit = meta.fit_multilevel([*Y, 0.9], [*V, 0.05], levels)
    assert fit.estimate[0] == pytest.approx(0.41852656, abs=1e-6)
    assert fit.se[0] == pytest.approx(0.15161456, abs=1e-6)
    assert (fit.sigma2["country"], fit.sigma2["study"]) == (0, pytest.approx(0, abs=1e-9))
    assert fit.sigma2["effect"] == pytest.approx(0.09760078, rel=1e-5)
    assert fit.log_likelihood == pytest.approx(-2.17327907, abs=1e-7)


def test_one_study_alone_is_its_common_effect() -> None:
    fit = meta.fit_multilevel(Y, V, {"study": [1] * 5}, test="z")
    alone = meta.pool(Y, V, method="EE", test="z")
    assert fit.estimate[0] == pytest.approx(alone.estimate, rel=1e-12)
    assert fit.se[0] == pytest.approx(alone.se, rel=1e-12)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_was_fixed_is_said(language: str) -> None:
    with speaking(language):
        text = say(meta.fit_multilevel(Y, V, ONE).remark)
    assert "study" in text and "0" in text and "{" not in text
    assert "1 units" not in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"levels": {"s": [1, 1, 2, 2, 3], "e": range(5)}, "moderators": {"m": list("aabbc")}},
            "level 's'.* not identified, the moderators take up",
        ),
        (
            {"outer": [1, 2, 3, 4, 5], "inner": list("aabbb"), "structure": "UN"},
            "outcomes 'a' and 'b': these outcomes are never together",
        ),
        (
            {"outer": [1, 2, 3, 4, 5], "inner": list("aabbb"), "structure": "CS"},
            "outcomes of a unit: these outcomes are never together",
        ),
        (
            # One outcome in one trial, with a mean of its own: no spread to see.
            {
                "outer": [1, 1, 2, 2, 2],
                "inner": list("ababc"),
                "structure": "DIAG",
                "moderators": {"m": list("ababc")},
            },
            "outcome 'c'.* not identified",
        ),
        (
            {"levels": {"study": range(5)}, "outer": range(5), "inner": ["a"] * 5},
            "outcome 'a'.* cannot be told from those before it",
        ),
        (
            # A tree of treatments with one trial per edge: an effect for each.
            {"levels": {"trial": range(5)}, "moderators": np.eye(5), "intercept": False},
            "nothing is left to estimate their spread from",
        ),
        ({"levels": ONE, "moderators": {"year": [2001] * 5}}, "'year' is the same in all"),
    ],
)
def test_models_that_are_not_identified_are_refused_by_name(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        meta.fit_multilevel(Y, V, **options)


@settings(max_examples=25, deadline=None)
@given(
    data=st.data(),
    studies=st.integers(1, 4),
    k=st.integers(5, 9),
    seed=st.integers(0, 10**6),
)
def test_no_fit_depends_on_the_order_of_rows(
    data: st.DataObject, studies: int, k: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    y, v = rng.normal(0, 1, k), rng.uniform(0.02, 0.5, k)
    study = np.resize(np.arange(studies), k)
    order = np.array(data.draw(st.permutations(range(k))))

    def fit(rows: Any) -> tuple[float, float]:
        levels = {"study": study[rows], "effect": np.arange(k)[rows]}
        found = meta.fit_multilevel(y[rows], v[rows], levels)
        return float(found.estimate[0]), float(found.se[0])

    assert fit(order) == pytest.approx(fit(np.arange(k)), rel=1e-4, abs=1e-5)


# ---- meta-regression -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moderators", "options", "words"),
    [
        ({"site": list("abcde")}, {}, "5 coefficients for 5 studies: nothing is left"),
        ({"site": list("abcde")}, {"method": "EE", "test": "t"}, "nothing is left"),
        ({"year": [2001] * 5}, {}, "'year' is the same in all of these 5 studies"),
        ({"a": [1, 2, 3, 4, 5], "b": [3, 5, 7, 9, 11]}, {}, "'b' is a combination"),
        ({"a": [1, 2, 1, 2, 1], "b": list("xyxyx")}, {}, "b\\[y\\]' is a combination"),
        (np.eye(5), {"intercept": False}, "in a network, one trial per edge"),
    ],
)
def test_regressions_that_are_not_identified_are_refused(
    moderators: Any, options: Any, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        meta.regress(Y, V, moderators, **options)


def test_a_common_effect_needs_no_spread() -> None:
    # Each coefficient is then its own trial, with its own standard error.
    fit = meta.regress(Y, V, np.eye(5), method="EE", test="z", intercept=False)
    assert np.allclose(fit.estimate, Y) and np.allclose(fit.se, np.sqrt(V))
    assert "as many coefficients as studies" in fit.note


def test_in_a_batch_each_set_says_what_it_lacks() -> None:
    year = [2001, 2002, 2002, 2004, 2005]
    held = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 1, 0, 0]], dtype=bool)
    fit = meta.regress(np.tile(Y, (3, 1)), V, {"year": year}, mask=held)
    assert np.isfinite(fit.estimate[0]).all() and np.isfinite(fit.se[0]).all()
    assert np.isnan(fit.estimate[1:]).all() and np.isnan(fit.se[1:]).all()
    assert "as many coefficients" in fit.note[1] and "do not determine" in fit.note[2]


# ---- prediction intervals ------------------------------------------------------------------------


@pytest.mark.parametrize("test", ["z", "t", "knha", "adhoc", "kr"])
@pytest.mark.parametrize("prediction", ["default", "riley", "t"])
def test_two_studies_have_no_prediction_interval(test: str, prediction: str) -> None:
    fit = meta.pool(Y[:2], V[:2], test=test, prediction=prediction)
    assert np.isfinite([fit.estimate, fit.ci_low, fit.ci_high]).all()
    assert np.isnan([fit.pi_low, fit.pi_high, fit.pi_se, fit.pi_df]).all()
    assert "two studies say next to nothing" in fit.pi_method
    assert np.isnan(fit.probability_beyond(0.0))
    assert "fewer" in fit.methods_text() or "so few studies" in fit.methods_text()


def test_a_batch_has_prediction_intervals_from_three_studies_on() -> None:
    held = np.tri(5, dtype=bool)
    fit = meta.pool(np.tile(Y, (5, 1)), V, mask=held)
    assert np.isnan(fit.pi_low).tolist() == [True, True, False, False, False]
    assert np.isnan(meta.leave_one_out(Y[:3], V[:3]).pi_low).all()


def test_a_regression_predicts_from_two_degrees_of_freedom_on() -> None:
    few = meta.regress(Y[:3], V[:3], {"x": [1, 2, 4]}).predict({"x": [2]})
    more = meta.regress(Y[:4], V[:4], {"x": [1, 2, 4, 3]}).predict({"x": [2]})
    assert np.isnan(few.pi_low).all() and np.isfinite(few.ci_low).all()
    assert np.isfinite(more.pi_low).all()
