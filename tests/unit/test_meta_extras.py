"""Around the pooled estimate: subgroups, leave-one-out, Q-profile intervals, conversions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from headway import meta
from headway.meta.heterogeneity import NOTE_EMPTY, NOTE_FEW

Y = [1.0, 2.0, 6.0, 4.0]
V = [1.0, 1.0, 1.0, 1.0]


def test_subgroups_by_hand() -> None:
    # Common effect: group means 1.5 and 5 with variance 1/2 each, overall mean 3.25.
    result = meta.subgroups(Y, V, ["a", "a", "b", "b"], method="EE", test="z")
    assert list(result.groups) == ["a", "b"]
    assert result.groups["a"].estimate == pytest.approx(1.5)
    assert result.groups["b"].estimate == pytest.approx(5)
    assert result.overall.estimate == pytest.approx(3.25)
    assert result.q_between == pytest.approx(2 * 2 * 1.75**2)
    assert result.df == 1
    assert result.p_value == pytest.approx(stats.chi2.sf(12.25, 1))


def test_subgroups_keep_order_of_appearance_and_any_label() -> None:
    labels = np.array([2, 10, 2, 1])
    result = meta.subgroups(Y, V, labels)
    assert list(result.groups) == [2, 10, 1]
    assert [fit.k for fit in result.groups.values()] == [2, 1, 1]
    assert result.df == 2


def test_one_subgroup_has_no_test() -> None:
    result = meta.subgroups(Y, V, ["all"] * 4)
    assert result.df == 0
    assert math.isnan(result.q_between)
    assert math.isnan(result.p_value)
    assert result.groups["all"].estimate == result.overall.estimate


def test_a_group_without_spread_gives_no_test_under_plain_hartung_knapp() -> None:
    arguments = ([1.0, 1.0, 2.0, 4.0], V, ["a", "a", "b", "b"])
    assert math.isnan(meta.subgroups(*arguments, test="knha").q_between)
    assert meta.subgroups(*arguments, test="adhoc").q_between > 0


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan])
def test_missing_labels_are_refused(missing: object) -> None:
    with pytest.raises(ValueError, match="groups must not be missing: see position 2 "):
        meta.subgroups(Y, V, ["a", "b", missing, "a"])


def test_pandas_missing_labels_are_refused() -> None:
    pd = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="position 0 "):
        meta.subgroups(Y, V, pd.array([pd.NA, "b", "b", "a"], dtype="string"))


def test_subgroups_refuse_wrong_shapes() -> None:
    with pytest.raises(ValueError, match="one label per effect: 3 for 4"):
        meta.subgroups(Y, V, ["a", "b", "c"])
    with pytest.raises(ValueError, match="one-dimensional"):
        meta.subgroups([Y], [V], ["a"])


def test_leave_one_out_equals_pooling_the_rest() -> None:
    for test in ("z", "adhoc"):
        fit = meta.leave_one_out(Y, V, test=test)
        assert fit.k.tolist() == [3] * 4
        for i in range(4):
            rest = meta.pool(np.delete(Y, i), np.delete(V, i), test=test)
            for name in ("estimate", "se", "ci_low", "pi_high", "tau2", "i2", "q", "p_value"):
                assert getattr(fit, name)[i] == pytest.approx(getattr(rest, name), rel=1e-12)
            assert fit.weights[i, i] == 0


def test_leave_one_out_respects_a_mask() -> None:
    mask = np.array([True, True, True, False])
    fit = meta.leave_one_out([*Y[:3], np.nan], V, mask=mask)
    assert fit.k.tolist() == [2, 2, 2, 3]
    assert fit.estimate[3] == pytest.approx(meta.pool(Y[:3], V[:3]).estimate)


def test_leave_one_out_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="at least two studies"):
        meta.leave_one_out([1.0], [1.0])
    with pytest.raises(ValueError, match="one-dimensional"):
        meta.leave_one_out([Y], [V])
    with pytest.raises(ValueError, match="one-dimensional, of one length"):
        meta.leave_one_out(Y, V[:2])


def test_leaving_one_of_two_gives_the_other() -> None:
    fit = meta.leave_one_out([1.0, 5.0], [1.0, 4.0])
    assert fit.estimate.tolist() == [5, 1]
    assert fit.se.tolist() == [2, 1]


def test_q_profile_by_hand() -> None:
    # Equal variances: Q(tau2) = SS / (1 + tau2) = target, with SS = 14 on 2 df.
    interval = meta.confint_tau2([1.0, 2.0, 6.0], [1.0] * 3)
    low, high = (14 / stats.chi2.ppf(p, 2) - 1 for p in (0.975, 0.025))
    assert interval.tau2 == pytest.approx(6)
    assert interval.tau2_low == pytest.approx(low)
    assert interval.tau2_high == pytest.approx(high)
    assert interval.i2_high == pytest.approx(100 * high / (high + 1))
    assert interval.h2_low == pytest.approx(1 + low)
    assert interval.ci_method == "Q-profile"


def test_q_profile_edges() -> None:
    # Some heterogeneity that is compatible with none.
    interval = meta.confint_tau2([1.0, 2.0, 3.0], [1.0] * 3)
    assert interval.tau2_low == 0 < interval.tau2_high
    # Effects more alike than sampling allows: R metafor 3.8.1 gives 0 to 0 and calls it empty.
    interval = meta.confint_tau2([0.1, 0.11, 0.105, 0.1], [1.0] * 4)
    assert (interval.tau2_low, interval.tau2_high) == (0, 0)
    assert interval.remark == NOTE_EMPTY
    interval = meta.confint_tau2([1.0], [1.0])
    assert math.isnan(interval.tau2_low)
    assert interval.remark == NOTE_FEW


def test_q_profile_of_a_batch_is_that_of_its_sets() -> None:
    y = np.array([[1.0, 2.0, 6.0, 4.0], [0.0, 0.1, 0.2, 9.0], [1.0, 1.0, 1.0, 1.0]])
    v = np.array([[1.0, 2.0, 3.0, 4.0]] * 3)
    mask = np.array([[True] * 4, [True, True, False, True], [True, False, False, False]])
    batch = meta.confint_tau2(y, v, mask=mask)
    for i in range(3):
        alone = meta.confint_tau2(y[i][mask[i]], v[i][mask[i]])
        for name in ("tau2", "tau2_low", "tau2_high", "i2_low", "i2_high", "h2_high"):
            a, b = getattr(batch, name)[i], getattr(alone, name)
            assert a == pytest.approx(b, rel=1e-12, nan_ok=True)
        assert batch.note[i] == alone.note


def test_se_from_ci() -> None:
    z = 1.959963984540054
    assert meta.se_from_ci(1 - z, 1 + z) == pytest.approx(1)
    assert meta.se_from_ci(0, 2 * stats.t.ppf(0.95, 7), level=0.9, df=7) == pytest.approx(1)
    both = meta.se_from_ci([0, np.nan], [2 * z, 1])
    assert both[0] == pytest.approx(1)
    assert np.isnan(both[1])
    # A df that is not known must not quietly become the normal distribution.
    assert np.isnan(meta.se_from_ci([0.0], [1.0], df=[np.nan])).all()
    assert meta.se_from_ci(1, 1) == 0


def test_se_from_ci_refuses_swapped_limits() -> None:
    with pytest.raises(ValueError, match="ci_low must not lie above ci_high: see position 1 "):
        meta.se_from_ci([0, 3], [1, 2])
    with pytest.raises(ValueError, match="df must be above 0"):
        meta.se_from_ci([0], [1], df=0)
    with pytest.raises(ValueError, match="level"):
        meta.se_from_ci(0, 1, level=95)
