"""Small-study effects: edges, units, and R's metafor on data outside the stored answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from headway.meta.excess import excess_significance
from headway.meta.henmi_copas import henmi_copas
from headway.meta.selection import (
    NOTE_EDGE,
    NOTE_ZERO,
    _cut,
    _height_and_slope,
    _Problem,
    select_by_steps,
)
from headway.meta.small_study import (
    NOTE_FEW,
    peese,
    pet,
    pet_peese,
    rank_test,
    regression_test,
)
from headway.meta.trim_fill import NOTE_TIED, trim_and_fill

FUNCTIONS = [
    regression_test,
    pet,
    peese,
    pet_peese,
    rank_test,
    trim_and_fill,
    excess_significance,
    select_by_steps,
]


def draw(k: int = 14, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    v = np.exp(rng.normal(-2, 0.8, k))
    return 0.3 + 0.8 * np.sqrt(v) + rng.normal(0, np.sqrt(v + 0.03)), v


def cut_in_half(y: np.ndarray, v: np.ndarray) -> float:
    """Return a p-value that half the studies are below, to ten digits."""
    return float(np.round(np.median(ndtr(-y / np.sqrt(v))), 10))


# ---- input --------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", FUNCTIONS)
def test_bad_input_is_refused_by_name(function: Any) -> None:
    y, v = draw()
    with pytest.raises(ValueError, match="at least 3 studies, not 2"):
        function(y[:2], v[:2])
    with pytest.raises(ValueError, match="vi must be finite and above 0: see position 3"):
        function(y, np.where(np.arange(14) == 3, 0, v))
    with pytest.raises(ValueError, match="yi must be finite: see position 0"):
        function(np.where(np.arange(14) == 0, np.nan, y), v)
    with pytest.raises(ValueError, match="one-dimensional, of one length"):
        function(y.reshape(2, 7), v.reshape(2, 7))
    with pytest.raises(ValueError, match="one-dimensional, of one length"):
        function(y, v[:5])


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f is not select_by_steps])
def test_fewer_than_ten_studies_are_noted(function: Any) -> None:
    y, v = draw()
    assert NOTE_FEW in function(y[:9], v[:9]).remark
    assert NOTE_FEW not in function(y, v).remark


def test_results_are_frozen_and_print_on_one_line() -> None:
    y, v = draw()
    for function in [*FUNCTIONS, henmi_copas]:
        result = function(y, v)
        assert "\n" not in repr(result)
        assert repr(result).startswith(type(result).__name__)
        assert len(result.to_frame()) >= 1
        with pytest.raises(AttributeError):
            result.k = 3  # type: ignore[misc]
        assert not hasattr(result, "__dict__")


def test_importing_loads_numpy_and_special_functions_only() -> None:
    code = (
        "import sys, headway.meta.small_study, headway.meta.trim_fill, headway.meta.excess, "
        "headway.meta.henmi_copas, headway.meta.selection, headway.meta.two_by_two; "
        "bad = {'pandas', 'scipy.stats', 'scipy.optimize', 'statsmodels', 'matplotlib'}; "
        "print(sorted(bad & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "[]"


# ---- units --------------------------------------------------------------------------------------

# Power of the unit each quantity goes with; 0 where not named.
POWERS = {
    "limit": 1,
    "ci_low": 1,
    "ci_high": 1,
    "estimate": 1,
    "se": 1,
    "filled_yi": 1,
    "filled_vi": 2,
    "tau2": 2,
    "se_tau2": 2,
}
NUMBERS = {
    "AsymmetryTest": ("statistic", "p_value", "limit", "ci_low", "ci_high"),
    "RankTest": ("tau", "p_value"),
    "TrimFill": ("k0", "se_k0", "filled_yi", "filled_vi"),
    "ExcessTest": ("observed", "expected", "p_value", "power"),
    "RobustInterval": ("estimate", "se", "ci_low", "ci_high", "tau2", "critical"),
    "PetPeese": ("estimate", "se", "ci_low", "ci_high", "p_value"),
    "SelectionFit": ("estimate", "se", "tau2", "se_tau2", "delta", "lrt", "lrt_p_value"),
}


@pytest.mark.parametrize("c", [1e-6, 3e-4, 0.07, 11.0, 1e6])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_depends_on_the_unit(c: float, seed: int) -> None:
    y, v = draw(seed=seed)
    calls: list[Any] = [
        regression_test,
        lambda y, v: regression_test(y, v, model="lm", predictor="vi"),
        rank_test,
        pet_peese,
        excess_significance,
        lambda y, v: excess_significance(y, v, method="REML", test="chi2"),
        henmi_copas,
        lambda y, v: trim_and_fill(y, v, side="left"),
        lambda y, v: trim_and_fill(y, v, side="right", estimator="Q0"),
        lambda y, v: select_by_steps(y, v, steps=cut_in_half(y, v), alternative="greater"),
    ]
    for call in calls:
        here, there = call(y, v), call(c * y, c**2 * v)
        for name in NUMBERS[type(here).__name__]:
            expected = np.asarray(getattr(here, name)) * c ** POWERS.get(name, 0)
            # The likelihood-ratio statistic is a difference of likelihoods.
            floor = 1e-9 if name.startswith("lrt") else 0.0
            assert np.allclose(getattr(there, name), expected, 1e-9, floor, equal_nan=True), name
    line, scaled = pet(y, v), pet(c * y, c**2 * v)
    assert np.allclose(scaled.estimate, line.estimate * [c, 1], rtol=1e-9)
    line, scaled = peese(y, v), peese(c * y, c**2 * v)
    assert np.allclose(scaled.se, line.se * [c, 1 / c], rtol=1e-9)


def test_the_likelihood_of_a_selection_model_moves_with_the_unit() -> None:
    y, v = draw()
    here, there = select_by_steps(y, v, steps=0.1), select_by_steps(1e3 * y, 1e6 * v, steps=0.1)
    assert np.isclose(there.log_likelihood, here.log_likelihood - y.size * np.log(1e3))


# ---- regression, PET-PEESE ----------------------------------------------------------------------


def test_regression_tests_refuse_what_they_cannot_do() -> None:
    y, v = draw()
    for model in ("lm", "rma"):
        with pytest.raises(ValueError, match="same in all studies"):
            regression_test(y, np.full(14, 0.3), model=model)
    with pytest.raises(ValueError, match="needs the sample sizes"):
        regression_test(y, v, predictor="ninv")
    with pytest.raises(ValueError, match="ni must be finite and above 0: see position 2"):
        regression_test(y, v, ni=np.where(np.arange(14) == 2, 0, 10), predictor="ni")
    with pytest.raises(ValueError, match="predictor must be one of"):
        regression_test(y, v, predictor="se")
    with pytest.raises(ValueError, match="model must be"):
        regression_test(y, v, model="ols")


def test_the_limit_is_defined_only_for_predictors_that_vanish() -> None:
    y, v = draw()
    n = np.round(40 / v)
    for predictor in ("ni", "sqrtni"):
        assert np.isnan(regression_test(y, v, ni=n, predictor=predictor).limit)
    for predictor in ("ninv", "sqrtninv"):
        assert np.isfinite(regression_test(y, v, ni=n, predictor=predictor).limit)


def test_effects_on_a_line_have_no_test() -> None:
    v = np.array([0.1, 0.2, 0.3, 0.4])
    line = pet(1 + 2 * np.sqrt(v), v)
    assert np.allclose(line.estimate, [1, 2])
    assert np.isnan(line.p_value).all()
    assert "passes through every effect" in line.note


def test_pet_peese_chooses_by_the_intercept_of_pet() -> None:
    y, v = draw(30)
    p = pet(y, v).p_value[0]
    assert pet_peese(y, v, alpha=min(0.999, p * 1.01)).chosen == "PEESE"
    assert pet_peese(y, v, alpha=p * 0.99).chosen == "PET"
    assert pet_peese(y, v, alpha=p * 0.99).estimate == pet(y, v).estimate[0]


# ---- ranks --------------------------------------------------------------------------------------


def test_the_exact_p_value_counts_permutations() -> None:
    y, v = draw(6, seed=4)
    ours = rank_test(y, v)
    assert ours.exact
    pairs = [(i, j) for i in range(6) for j in range(i)]
    taus = np.array([sum(np.sign(p[i] - p[j]) for i, j in pairs) for p in permutations(range(6))])
    s = ours.tau * len(pairs)
    tail = min((taus <= s + 1e-9).mean(), (taus >= s - 1e-9).mean())
    assert np.isclose(ours.p_value, min(1, 2 * tail))


def test_equal_variances_have_no_ranking() -> None:
    result = rank_test([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    assert np.isnan(result.tau)
    assert "no ranking" in result.note


# ---- trim and fill ------------------------------------------------------------------------------


def test_equal_effects_need_no_filling() -> None:
    for estimator in ("L0", "R0", "Q0"):
        for c in (1.0, 0.3, 1e-5):
            effects = c * np.array([0.3, 0.3, 0.1 + 0.2, 0.3])
            result = trim_and_fill(effects, [1, 2, 3, 4.0], side="left", estimator=estimator)
            assert result.k0 == 0
            assert result.filled_yi.size == 0
            assert result.fit.estimate == result.before.estimate


def test_mirrored_sides_fill_the_same() -> None:
    y, v = draw(20, seed=8)
    left, right = trim_and_fill(y, v, side="left"), trim_and_fill(-y, v, side="right")
    assert left.k0 == right.k0 > 0
    assert np.allclose(left.filled_yi, -right.filled_yi)
    assert np.isclose(left.fit.estimate, -right.fit.estimate)


def test_the_order_of_equal_effects_is_spoken_of() -> None:
    y = np.array([0.0, 0.1, 0.2, 1.0, 1.0, 1.0, 1.0, 3.0, 4.0, 5.0, 6.0])
    v = np.linspace(0.1, 1.0, 11)
    found = [trim_and_fill(y, v, side="left", estimator=e, method="EE") for e in ("L0", "R0")]
    for result in found:
        edge = np.sort(y)[11 - result.k0 - 1 : 11 - result.k0 + 1]
        assert (NOTE_TIED in result.remark) == (result.k0 > 0 and edge[0] == edge[1])


def test_trim_and_fill_refuses_unknown_options() -> None:
    y, v = draw()
    with pytest.raises(ValueError, match="side must be one of"):
        trim_and_fill(y, v, side="both")
    with pytest.raises(ValueError, match="estimator must be one of"):
        trim_and_fill(y, v, estimator="L1")
    with pytest.raises(ValueError, match="GENQ"):
        trim_and_fill(y, v, method="GENQ")
    with pytest.raises(ValueError, match="standard errors that differ"):
        trim_and_fill(y, np.full(14, 0.3))


# ---- excess significance, Henmi and Copas -------------------------------------------------------


def test_the_power_under_random_effects_is_an_average() -> None:
    y, v = draw()
    result = excess_significance(y, v, method="DL")
    rng = np.random.default_rng(3)
    theta = result.estimate + np.sqrt(result.tau2) * rng.standard_normal((400_000, 1))
    z = theta / np.sqrt(v) + rng.standard_normal((400_000, 14))
    assert np.allclose((np.abs(z) > 1.959964).mean(axis=0), result.power, atol=0.005)


def test_excess_significance_counts_to_one() -> None:
    y, v = draw()
    none = excess_significance(np.zeros(14), v)
    assert none.observed == 0
    assert none.p_value == 1
    assert excess_significance(y + 100, v).p_value == 1


def test_henmi_copas_without_heterogeneity_is_close_to_common() -> None:
    result = henmi_copas([1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0])
    assert result.tau2 == 0
    assert result.critical > 1.5
    assert henmi_copas([1.0, 2.0], [1.0, 2.0]).k == 2
    with pytest.raises(ValueError, match="at least 2 studies, not 1"):
        henmi_copas([1.0], [1.0])


def test_henmi_copas_widens_with_the_level() -> None:
    y, v = draw()
    widths = [henmi_copas(y, v, level=level).critical for level in (0.8, 0.9, 0.95, 0.99)]
    assert all(a < b for a, b in pairwise(widths))


# ---- selection models ---------------------------------------------------------------------------


@pytest.mark.parametrize("alternative", ["greater", "less", "two.sided"])
def test_the_gradient_of_the_selection_likelihood_is_its_slope(alternative: str) -> None:
    y, v = draw()
    steps = (0.025, 0.2, 1.0)
    problem = _Problem(y, v, *_cut(steps, alternative), np.array([5.0, 5.0, 4.0]))
    x = np.array([0.2, 0.05, -0.4, 0.3])
    slope = _height_and_slope(problem, x[0], x[1], x[2:])[1]
    for i in range(4):
        step = np.where(np.arange(4) == i, 1e-6, 0)
        up, down = (_height_and_slope(problem, z[0], z[1], z[2:])[0] for z in (x + step, x - step))
        assert np.isclose((up - down) / 2e-6, slope[i], rtol=1e-6, atol=1e-7)


def test_chances_of_all_intervals_sum_to_one_without_selection() -> None:
    y, v = draw()
    for alternative in ("greater", "two.sided"):
        problem = _Problem(y, v, *_cut((0.01, 0.3, 1.0), alternative), np.zeros(3))
        height = _height_and_slope(problem, 0.1, 0.2, np.zeros(2))[0]
        normal = -0.5 * (np.log(2 * np.pi * (v + 0.2)) + (y - 0.1) ** 2 / (v + 0.2)).sum()
        assert np.isclose(height, normal, rtol=1e-13)


def test_mirrored_effects_are_selected_alike() -> None:
    y, v = draw(20)
    one = select_by_steps(y, v, steps=(0.025, 0.3), alternative="greater")
    other = select_by_steps(-y, v, steps=(0.025, 0.3), alternative="less")
    assert np.isclose(one.estimate, -other.estimate)
    assert np.allclose(one.delta, other.delta)
    assert one.lrt_df == 2
    assert one.steps == (0.025, 0.3, 1.0)


def test_selection_is_found_where_there_is_one() -> None:
    rng = np.random.default_rng(20)
    v = np.exp(rng.normal(-2, 0.7, 6000))
    y = rng.normal(0.2, np.sqrt(v + 0.04))
    seen = (y / np.sqrt(v) > 1.959964) | (rng.random(6000) < 0.25)
    fit = select_by_steps(y[seen], v[seen])
    assert abs(fit.estimate - 0.2) < 3 * fit.se
    assert abs(fit.delta[1] - 0.25) < 3 * fit.se_delta[1]
    assert abs(fit.tau2 - 0.04) < 3 * fit.se_tau2
    assert fit.lrt_p_value < 1e-6


def test_a_selection_model_says_where_it_ended() -> None:
    y, v = draw(20)
    alike = np.linspace(-0.3, 0.5, 20) * np.sqrt(v)
    few = select_by_steps(alike, v, steps=cut_in_half(alike, v))
    assert few.tau2 == 0
    assert NOTE_ZERO in few.remark
    assert np.isnan(few.se_tau2)
    edge = select_by_steps(y, v, steps=0.025, max_chance=1.0001)
    assert (NOTE_EDGE in edge.remark) == (edge.delta[1] >= 1.0001 * (1 - 1e-9))


def test_a_selection_model_refuses_what_it_cannot_fit() -> None:
    y, v = draw()
    with pytest.raises(ValueError, match=r"interval 0 \(counted from 0\)"):
        select_by_steps(np.full(14, 0.01), v, steps=0.001)
    with pytest.raises(ValueError, match="need at least 4 studies"):
        select_by_steps(y[:3], v[:3], steps=(0.1, 0.5))
    with pytest.raises(ValueError, match="steps must increase"):
        select_by_steps(y, v, steps=(0.5, 0.1))
    with pytest.raises(ValueError, match="steps must be p-values"):
        select_by_steps(y, v, steps=0.0)
    with pytest.raises(ValueError, match="at least two intervals"):
        select_by_steps(y, v, steps=1.0)
    with pytest.raises(ValueError, match="alternative must be one of"):
        select_by_steps(y, v, alternative="both")


# ---- metafor itself -----------------------------------------------------------------------------

R_SCRIPT = """
suppressMessages({library(metafor); library(jsonlite)})
sets <- fromJSON("sets.json", simplifyVector = TRUE, simplifyDataFrame = FALSE)
attempt <- function(e) tryCatch(suppressWarnings(e), error = function(x) NULL)
answer <- function(s) {
  y <- s$y; v <- s$v; n <- s$n
  tight <- list(threshold = 1e-11 * var(y), maxiter = 10000)
  out <- list(egger = list(), tf = list(), step = list())
  for (model in c("lm", "rma"))
    for (p in c("sei", "vi", "ni", "ninv", "sqrtni", "sqrtninv")) {
      r <- attempt(regtest(y, vi = v, ni = n, model = model, predictor = p, method = "DL"))
      if (!is.null(r)) out$egger[[paste(model, p)]] <- c(r$zval, r$pval)
    }
  b <- ranktest(y, v); out$begg <- c(b$tau, b$pval)
  for (m in c("EE", "DL")) for (e in c("L0", "R0", "Q0")) for (side in c("left", "right")) {
    r <- attempt(trimfill(rma(y, v, method = m), side = side, estimator = e))
    if (!is.null(r)) out$tf[[paste(m, e, side)]] <- c(r$k0, r$se.k0, r$beta, r$se, r$tau2)
  }
  h <- attempt(hc(rma(y, v, method = "DL"), control = list(tol = 1e-12)))
  if (!is.null(h)) out$hc <- c(h$ci.lb, h$ci.ub, h$tau2)
  for (m in c("EE", "DL")) {
    x <- tes(rma(y, v, method = m), test = "chi2")
    out$tes[[m]] <- c(x$O, x$E, x$X2, x$pval)
  }
  for (a in c("greater", "two.sided")) {
    r <- attempt(selmodel(rma(y, v, method = "ML", control = tight), type = "stepfun",
      alternative = a, steps = c(.05, .5)))
    if (!is.null(r)) out$step[[a]] <- list(r$ll, c(r$beta), r$se, r$tau2, r$LRT)
  }
  out
}
writeLines(toJSON(lapply(sets, answer), digits = NA, auto_unbox = TRUE, na = "null"), "out.json")
"""


def run_r(folder: Path, script: str) -> None:
    if shutil.which("Rscript") is None:
        if os.environ.get("CI"):
            pytest.fail("R with metafor and jsonlite must be there in CI")
        pytest.skip("SKIPPED LOUDLY: R is not here")
    (folder / "script.R").write_text(script, encoding="utf-8")
    command = ["Rscript", "--vanilla", "script.R"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "there is no package" in done.stderr and not os.environ.get("CI"):
        pytest.skip("SKIPPED LOUDLY: R's metafor or jsonlite is not here")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, Any]]:
    folder = tmp_path_factory.mktemp("small_study")
    rng = np.random.default_rng(20261124)
    sets = []
    for k, unit in ((5, 1.0), (8, 0.1), (12, 20.0), (20, 1.0), (33, 0.3), (60, 1.0)):
        y, v = draw(k, seed=k)
        n = rng.integers(20, 400, k).astype(float)
        sets.append({"y": list(unit * y), "v": list(unit**2 * v), "n": list(n)})
    # Ties in effects and in variances, in numbers that are exact in both languages.
    y = [0.5, 0.5, 1.0, 0.25, -0.5, 0.75, 1.5, 1.0, 2.0, 1.75, 0.0, 0.25]
    v = [0.25, 0.25, 0.5, 0.25, 1.0, 0.5, 0.75, 0.5, 1.0, 0.75, 0.125, 0.125]
    sets.append({"y": y, "v": v, "n": [8.0 / x for x in v]})
    (folder / "sets.json").write_text(json.dumps(sets), encoding="utf-8")
    run_r(folder, R_SCRIPT)
    stored = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return list(zip(sets, stored, strict=True))


def test_metafor_agrees_on_tests_of_asymmetry(answers: list[tuple[Any, Any]]) -> None:
    seen = 0
    for data, stored in answers:
        y, v, n = (np.array(data[name]) for name in "yvn")
        for name, (statistic, p) in stored["egger"].items():
            model, predictor = name.split()
            ours = regression_test(y, v, ni=n, model=model, predictor=predictor, method="DL")
            assert np.isclose(ours.statistic, statistic, rtol=1e-8, atol=1e-9), name
            assert np.isclose(ours.p_value, p, rtol=1e-7), name
            seen += 1
        assert np.allclose([rank_test(y, v).tau, rank_test(y, v).p_value], stored["begg"])
        for method, (observed, expected, chi2, p) in stored["tes"].items():
            ours = excess_significance(y, v, method=method, test="chi2")
            assert ours.observed == observed
            # metafor integrates the power under random effects to 1e-4; closed form here.
            loose = 1e-9 if method == "EE" or ours.tau2 == 0 else 1e-4
            assert np.isclose(ours.expected, expected, rtol=loose)
            assert np.isclose(ours.statistic, chi2, rtol=20 * loose, atol=10 * loose)
            assert np.isclose(ours.p_value, p, rtol=20 * loose)
        if "hc" in stored:
            ours = henmi_copas(y, v)
            half = (stored["hc"][1] - stored["hc"][0]) / 2
            # metafor's integral has a relative tolerance of 1e-4.
            assert abs(ours.ci_low - stored["hc"][0]) < 1e-4 * half
            assert abs(ours.ci_high - stored["hc"][1]) < 1e-4 * half
    assert seen == 12 * len(answers)


def test_metafor_agrees_on_trim_and_fill(answers: list[tuple[Any, Any]]) -> None:
    seen = 0
    for data, stored in answers:
        y, v = np.array(data["y"]), np.array(data["v"])
        for name, (k0, se_k0, estimate, se, tau2) in stored["tf"].items():
            method, estimator, side = name.split()
            ours = trim_and_fill(y, v, method=method, estimator=estimator, side=side, test="z")
            assert ours.k0 == k0, name
            assert np.isclose(ours.se_k0, np.nan if se_k0 is None else se_k0, equal_nan=True), name
            assert np.isclose(ours.fit.estimate, estimate, rtol=1e-9, atol=1e-9 * se)
            assert np.isclose(ours.fit.se, se, rtol=1e-9)
            assert np.isclose(ours.fit.tau2, tau2, rtol=1e-9, atol=1e-9 * v.min())
            seen += 1
    assert seen > 60


def test_metafor_agrees_on_selection_models(answers: list[tuple[Any, Any]]) -> None:
    seen = 0
    for data, stored in answers:
        y, v = np.array(data["y"]), np.array(data["v"])
        for alternative, (height, estimate, se, tau2, lrt) in dict(stored["step"]).items():
            z = y / np.sqrt(v)
            p = ndtr(-z) if alternative == "greater" else 2 * ndtr(-np.abs(z))
            if not (p <= 0.05).any():  # metafor fits chances relative to an empty interval
                with pytest.raises(ValueError, match="interval 0"):
                    select_by_steps(y, v, steps=(0.05, 0.5), alternative=alternative)
                continue
            ours = select_by_steps(y, v, steps=(0.05, 0.5), alternative=alternative)
            assert ours.log_likelihood >= height - 1e-6
            if ours.log_likelihood > height + 1e-6 or se is None:
                continue
            seen += 1
            assert abs(ours.estimate - estimate) < 2e-3 * ours.se
            assert np.isclose(ours.se, se, rtol=2e-3)
            assert np.isclose(ours.tau2, tau2, rtol=0, atol=2e-3 * ours.se_tau2)
            assert np.isclose(ours.lrt, lrt, atol=3e-6)
    assert seen >= 4
