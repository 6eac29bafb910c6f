"""Pooling: closed forms worked by hand, edges, and refusals."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from headway import meta
from headway.meta.pooling import NOTE_EQUAL, NOTE_ONE, NOTE_TWO

# Three studies of equal precision, so that everything can be worked by hand: mean 3,
# Q = 4 + 1 + 9 = 14 on 2 df, C = 3 - 3/3 = 2, tau2 = (14 - 2)/2 = 6, SE = root(7/3).
Y, V = [1.0, 2.0, 6.0], [1.0, 1.0, 1.0]
RANDOM = [m for m in meta.METHODS if m not in ("EE", "GENQ")]
ALL = ["EE", *RANDOM]
TESTS = ["z", "t", "knha", "adhoc"]
# The log risk ratios and variances of the 13 BCG trials, to four digits as printed by
# Viechtbauer (2010), Journal of Statistical Software 36(3), section 3.1.
BCG_Y = [-0.8893, -1.5854, -1.3481, -1.4416, -0.2175, -0.7861, -1.6209, 0.0120, -0.4694]
BCG_Y += [-1.3713, -0.3394, 0.4459, -0.0173]
BCG_V = [0.3256, 0.1946, 0.4154, 0.0200, 0.0512, 0.0069, 0.2230, 0.0040, 0.0564]
BCG_V += [0.0730, 0.0124, 0.5325, 0.0714]


def test_dl_by_hand() -> None:
    fit = meta.pool(Y, V, method="DL", test="z")
    assert fit.k == 3
    assert (fit.estimate, fit.tau2, fit.q, fit.q_df) == pytest.approx((3, 6, 14, 2))
    assert fit.se == pytest.approx(math.sqrt(7 / 3))
    z = 1.959963984540054
    assert (fit.ci_low, fit.ci_high) == pytest.approx((3 - z * fit.se, 3 + z * fit.se))
    reach = z * math.sqrt(6 + 7 / 3)
    assert (fit.pi_low, fit.pi_high) == pytest.approx((3 - reach, 3 + reach))
    # Typical variance 1, so H2 = 7 and I2 = 6/7; chi-squared on 2 df: p = exp(-Q/2).
    assert (fit.h2, fit.i2) == pytest.approx((7, 600 / 7))
    assert fit.q_p_value == pytest.approx(math.exp(-7))
    assert fit.weights == pytest.approx(np.full(3, 100 / 3))
    assert math.isnan(fit.df)


def test_published_bcg_result() -> None:
    # Viechtbauer (2010), section 3.2: REML, from effects with more digits than the table shows.
    fit = meta.pool(BCG_Y, BCG_V, method="REML", test="z")
    assert fit.tau2 == pytest.approx(0.3132, abs=5e-4)
    assert fit.estimate == pytest.approx(-0.7145, abs=5e-4)
    assert fit.se == pytest.approx(0.1798, abs=5e-4)
    assert fit.i2 == pytest.approx(92.22, abs=0.2)


@pytest.mark.parametrize("method", ["HE", "DL", "REML", "PM", "EB"])
def test_equal_variances_give_all_unbiased_estimators_one_answer(method: str) -> None:
    # The variance of the effects, 7, minus their sampling variance.
    assert meta.pool(Y, V, method=method).tau2 == pytest.approx(6, rel=1e-12)


def test_other_estimators_by_hand() -> None:
    assert meta.pool(Y, V, method="ML").tau2 == pytest.approx(14 / 3 - 1, rel=1e-12)
    assert meta.pool(Y, V, method="HS").tau2 == pytest.approx((14 - 3) / 3)
    assert meta.pool(Y, V, method="HSk").tau2 == pytest.approx((14 * 3 / 2 - 3) / 3)
    # Started at 14/3: 14/3 / (1 + 14/3) times 14/2.
    assert meta.pool(Y, V, method="SJ").tau2 == pytest.approx((14 / 3) / (17 / 3) * 7)
    # The median of chi-squared on 2 df is 2 ln 2.
    assert meta.pool(Y, V, method="PMM").tau2 == pytest.approx(14 / (2 * math.log(2)) - 1)


def test_hartung_knapp_by_hand() -> None:
    # Common effect: factor 14/2 = 7 on a variance of 1/3; random effects: factor 14/(7 * 2) = 1.
    fit = meta.pool(Y, V, method="EE", test="knha")
    assert fit.se == pytest.approx(math.sqrt(7 / 3))
    assert fit.df == 2
    t = 4.302652729749464
    assert fit.ci_high == pytest.approx(3 + t * fit.se)
    assert meta.pool(Y, V, method="DL", test="knha").se == pytest.approx(math.sqrt(7 / 3))
    # Alike effects: plain Hartung-Knapp shrinks the interval below the common-effect one,
    # the floor does not.
    alike = [2.9, 3.0, 3.1]
    assert meta.pool(alike, V, test="knha").se == pytest.approx(math.sqrt(0.01 / 3))
    assert meta.pool(alike, V, test="adhoc").se == pytest.approx(math.sqrt(1 / 3))
    wald = meta.pool(alike, V, test="t")
    assert (wald.se, wald.df) == pytest.approx((math.sqrt(1 / 3), 2))


def test_common_effect_has_no_prediction_interval_and_i2_from_q() -> None:
    fit = meta.pool(Y, V, method="EE", test="z")
    assert math.isnan(fit.pi_low)
    assert math.isnan(fit.pi_high)
    assert "common-effect" in fit.pi_method
    assert (fit.tau2, fit.h2, fit.i2) == pytest.approx((0, 7, 100 * 12 / 14))
    assert meta.pool([1.0, 1.1], [1.0, 1.0], method="EE").i2 == 0


def test_generalised_q_with_fixed_weights() -> None:
    # R metafor 3.8.1: rma(yi, vi, weights=w, method="GENQ", test=...), 12 digits.
    y, v, w = [0.1, 0.5, -0.3, 0.9, 0.2], [0.05, 0.1, 0.02, 0.2, 0.08], [10, 20, 30, 5, 12]
    expected = {
        "z": (0.217732577863, -0.311163595287, 0.542332426456, -0.70636470223, 0.937533533399),
        "knha": (0.207021995939, -0.459200791709, 0.690369622877, -1.03361371447, 1.26478254564),
        "adhoc": (0.217732577863, -0.488938134464, 0.720106965633, -1.04877198223, 1.2799408134),
    }
    for test, numbers in expected.items():
        fit = meta.pool(y, v, method="GENQ", weights=w, test=test)
        assert (fit.tau2, fit.estimate) == pytest.approx((0.128463302752, 0.115584415584))
        ours = (fit.se, fit.ci_low, fit.ci_high, fit.pi_low, fit.pi_high)
        assert ours == pytest.approx(numbers, rel=1e-9)
        assert fit.i2 == pytest.approx(67.5683871881)
        assert fit.weights[0] == pytest.approx(1000 / 77)
    # Inverse-variance weights make it DerSimonian and Laird's estimator.
    fit = meta.pool(y, v, method="GENQ", weights=1 / np.array(v))
    assert fit.tau2 == pytest.approx(meta.pool(y, v, method="DL").tau2)
    without = meta.leave_one_out(y, v, method="GENQ", weights=w)
    last = meta.pool(y[:-1], v[:-1], method="GENQ", weights=w[:-1])
    assert without.tau2[-1] == pytest.approx(last.tau2)


def test_weights_are_refused_where_they_mean_nothing() -> None:
    with pytest.raises(ValueError, match="weights go with method='GENQ'"):
        meta.pool(Y, V, weights=[1, 1, 1])
    with pytest.raises(ValueError, match="weights go with method='GENQ'"):
        meta.pool(Y, V, method="GENQ")
    with pytest.raises(ValueError, match="weights must be finite and above 0: see position 1 "):
        meta.pool(Y, V, method="GENQ", weights=[1, 0, 1])
    with pytest.raises(ValueError, match=r"weights \(2,\) must fit effects \(3,\)"):
        meta.pool(Y, V, method="GENQ", weights=[1, 1])
    with pytest.raises(ValueError, match="GENQ needs weights"):
        meta.confint_tau2(Y, V, method="GENQ")


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("method", ALL)
def test_one_study_is_returned_not_pooled(method: str, test: str) -> None:
    fit = meta.pool([2.0], [4.0], method=method, test=test)
    assert (fit.k, fit.estimate, fit.se, fit.tau2, fit.i2, fit.h2) == (1, 2, 2, 0, 0, 1)
    assert fit.ci_high == pytest.approx(2 + 2 * 1.959963984540054)
    assert fit.p_value == pytest.approx(2 * stats.norm.sf(1))
    assert math.isnan(fit.pi_low)
    assert (fit.q, fit.q_df, fit.q_p_value) == (0, 0, 1)
    assert fit.remark == NOTE_ONE
    assert "one study" in fit.ci_method
    assert fit.weights.tolist() == [100]


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("method", ALL)
def test_two_studies_are_pooled_with_a_note(method: str, test: str) -> None:
    fit = meta.pool([0.0, 1.0], [0.1, 0.2], method=method, test=test)
    assert fit.remark == NOTE_TWO
    assert 0 < fit.estimate < 1
    assert fit.ci_low < fit.estimate < fit.ci_high
    if test != "z":
        assert fit.df == 1


def test_no_study_is_refused_or_nan_in_a_batch() -> None:
    for arguments in (([], []), ([np.nan], [1.0])):
        with pytest.raises(ValueError, match="no studies to pool"):
            meta.pool(*arguments, mask=np.zeros(len(arguments[0]), dtype=bool))
    mask = np.array([[True] * 3, [False] * 3, [True, False, False]])
    for method in ALL:
        fit = meta.pool(np.tile(Y, (3, 1)), np.tile(V, (3, 1)), method=method, mask=mask)
        assert fit.k.tolist() == [3, 0, 1]
        for name in ("estimate", "se", "ci_low", "pi_low", "p_value", "tau2", "i2", "q", "q_df"):
            assert np.isnan(getattr(fit, name)[1]), name
        assert fit.remark.tolist() == ["", "note.no_studies", NOTE_ONE]
        assert fit.note.tolist() == ["", "no studies", "one study: not pooled"]
        assert np.isnan(fit.weights[1]).all()
        assert fit.estimate[2] == 1
    assert meta.pool(np.zeros((0, 3)), np.ones((0, 3))).estimate.shape == (0,)
    assert np.isnan(meta.pool(np.zeros((2, 0)), np.zeros((2, 0))).estimate).all()


@pytest.mark.parametrize("method", ALL)
def test_equal_effects_have_no_heterogeneity(method: str) -> None:
    fit = meta.pool([0.1] * 4, [1.0, 2.0, 3.0, 4.0], method=method)
    assert fit.tau2 == pytest.approx(0, abs=1e-25)
    assert fit.estimate == pytest.approx(0.1)
    assert fit.se > 0.5
    plain = meta.pool([0.1] * 4, [1.0, 2.0, 3.0, 4.0], method=method, test="knha")
    assert plain.se == 0
    assert plain.remark == NOTE_EQUAL
    assert plain.p_value == 0


def test_offsets_and_wild_studies_cost_no_digits() -> None:
    base = meta.pool(BCG_Y, BCG_V)
    moved = meta.pool(np.array(BCG_Y) + 2**20, BCG_V)
    assert moved.tau2 == pytest.approx(base.tau2, rel=1e-8)
    assert moved.se == pytest.approx(base.se, rel=1e-8)
    # A study far away and without weight must not blur the others (methods of moments count it).
    for method in ("EE", "ML", "REML"):
        lone = meta.pool(BCG_Y, BCG_V, method=method, test="z")
        wild = meta.pool([*BCG_Y, 1e9], [*BCG_V, 1e24], method=method, test="z")
        assert wild.estimate == pytest.approx(lone.estimate, rel=1e-6)


def test_global_maximum_is_found_where_there_are_two() -> None:
    # Precise studies agree (maximum at 0), imprecise ones do not (maximum far out): the higher one
    # must win whichever it is. Checked against a brute-force search over a fine grid.
    y = np.array([0.0, 0.05, -0.05, 0.02, 30.0, -25.0, 40.0, -35.0])
    v = np.array([0.01, 0.01, 0.02, 0.02, 9.0, 9.0, 9.0, 9.0])
    interiors = set()
    for spread in np.linspace(0.05, 1.0, 20):
        effects = np.where(v > 1, spread * y, y)
        tau2 = meta.pool(effects, v, method="REML").tau2
        grid = np.concatenate([[0.0], np.geomspace(1e-6, 1e4, 4001)])
        w = 1 / (v[:, None] + grid)
        mu = (w * effects[:, None]).sum(0) / w.sum(0)
        height = np.log(w).sum(0) - np.log(w.sum(0)) - (w * (effects[:, None] - mu) ** 2).sum(0)
        best = grid[np.argmax(height)]
        assert tau2 == pytest.approx(best, rel=0.01, abs=1e-5)
        interiors.add(tau2 > 1)
    assert interiors == {True, False}


def test_bad_input_names_positions_never_values() -> None:
    for bad in (0.0, -9.75, np.nan, np.inf):
        with pytest.raises(ValueError, match="vi must be finite and above 0: see position 1 ") as e:
            meta.pool(Y, [1.0, bad, 1.0])
        assert "9.75" not in str(e.value)
    with pytest.raises(ValueError, match="yi must be finite: see positions 0, 2 "):
        meta.pool([np.nan, 1.0, np.inf], V)
    with pytest.raises(ValueError, match=r"see position \(1, 2\)"):
        meta.pool([Y, Y], [V, [1, 1, -1]])
    with pytest.raises(ValueError, match=r"yi \(3,\) and vi \(2,\) must have one shape"):
        meta.pool(Y, [1.0, 1.0])
    with pytest.raises(ValueError, match=r"must have one shape"):
        meta.pool(Y, [1.0])
    with pytest.raises(ValueError, match="at least one dimension"):
        meta.pool(1.0, 1.0)
    with pytest.raises(ValueError, match="yi must be numbers"):
        meta.pool(["private"], [1.0])
    with pytest.raises(ValueError, match="mask must be boolean"):
        meta.pool(Y, V, mask=[1, 1, 0])
    with pytest.raises(ValueError, match=r"mask of shape \(2,\) does not fit"):
        meta.pool(Y, V, mask=[True, True])


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"method must be one of .*'REML'.* not 'FE'"):
        meta.pool(Y, V, method="FE")
    with pytest.raises(ValueError, match=r"test must be one of .* not 'hksj'"):
        meta.pool(Y, V, test="hksj")
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match="level must lie between 0 and 1"):
            meta.pool(Y, V, level=level)


def test_level_widens_all_intervals() -> None:
    narrow, wide = meta.pool(Y, V, level=0.9), meta.pool(Y, V, level=0.99)
    assert wide.ci_low < narrow.ci_low < narrow.ci_high < wide.ci_high
    assert wide.pi_low < narrow.pi_low
    ratio = (wide.ci_high - wide.ci_low) / (narrow.ci_high - narrow.ci_low)
    assert ratio == pytest.approx(stats.t.ppf(0.995, 2) / stats.t.ppf(0.95, 2))


def test_one_set_gives_floats_and_a_batch_keeps_its_shape() -> None:
    fit = meta.pool(Y, V)
    assert type(fit.k) is int
    for field in dataclasses.fields(fit):
        if field.name in ("estimate", "se", "tau2", "q_df", "p_value"):
            assert type(getattr(fit, field.name)) is float
    batch = meta.pool(np.zeros((2, 4, 3)) + Y, V)
    assert batch.estimate.shape == batch.k.shape == batch.note.shape == (2, 4)
    assert batch.weights.shape == (2, 4, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.estimate = 0.0  # type: ignore[misc]


def test_fit_prints_what_a_reader_needs() -> None:
    fit = meta.pool(BCG_Y, BCG_V, test="z")
    assert "\n" not in repr(fit)
    assert repr(fit).startswith("Fit(REML, z, k=13: -0.71")
    text = fit.summary()
    for part in ("13 studies", "restricted maximum likelihood", "95 % CI", "prediction interval"):
        assert part in text
    assert "I2 = 92." in text
    assert "p < 0.0001" in text
    assert "none: a common-effect" in meta.pool(Y, V, method="EE").summary()
    assert meta.pool([1.0], [1.0]).summary().startswith("One study, not pooled")
    assert "note: two studies" in meta.pool([1.0, 2.0], [1.0, 1.0]).summary()
    assert "batch of (2,) sets" in meta.pool([Y, Y], [V, V]).summary()
    words = meta.pool(Y, V)
    assert "ad hoc floor" in words.ci_method
    assert "k - 1 df" in words.pi_method


def test_fit_becomes_a_table() -> None:
    row = meta.pool(Y, V, method="DL").to_frame()
    assert row.shape[0] == 1
    assert row.loc[0, "tau2"] == pytest.approx(6)
    assert row.loc[0, "method"] == "DL"
    table = meta.pool([Y, Y], [V, V]).to_frame()
    assert table["estimate"].tolist() == pytest.approx([3, 3])


def test_import_loads_numpy_and_scipy_special_only() -> None:
    code = (
        "import sys, headway.meta; heavy = {'pandas', 'scipy.stats', 'scipy.optimize', "
        "'statsmodels', 'matplotlib'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
