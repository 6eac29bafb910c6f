"""Counts without events, by hand: what has an effect, and what half an event does to it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from headway.messages import say
from headway.reviews.candidates import Candidate, judge
from headway.reviews.networks.rows import _say_not_estimable, _subtract
from headway.reviews.zero_events import measure_counts


def rates(events1: int, events2: int) -> dict[str, float]:
    return {"events1": events1, "time1": 40.0, "events2": events2, "time2": 50.0}


def test_a_difference_of_rates_is_never_moved() -> None:
    one = measure_counts("IRD", rates(12, 20), "not_estimable")
    assert one.yi == pytest.approx(12 / 40 - 20 / 50) and one.added is None
    assert one.vi == pytest.approx(12 / 40**2 + 20 / 50**2)
    none = measure_counts("IRD", rates(0, 0), "not_estimable")
    assert none.yi == 0 and none.vi == pytest.approx(0.5 / 40**2 + 0.5 / 50**2)
    assert none.added is not None
    some = measure_counts("IRD", rates(0, 20), "not_estimable")
    assert some.yi == pytest.approx(-0.4) and some.vi == pytest.approx(20 / 50**2)
    assert some.added is None


def test_half_an_attack_is_added_to_a_ratio_of_rates() -> None:
    one = measure_counts("IRR", rates(0, 20), "not_estimable")
    assert one.yi == pytest.approx(math.log(0.5 / 40 / (20.5 / 50)))
    assert one.vi == pytest.approx(1 / 0.5 + 1 / 20.5) and one.added is not None
    other = measure_counts("IRR", rates(12, 0), "not_estimable")
    assert other.yi == pytest.approx(math.log(12.5 / 40 / (0.5 / 50)))
    none = measure_counts("IRR", rates(0, 0), "not_estimable")
    assert math.isnan(none.yi) and "event" in say(none.reason)
    both = measure_counts("IRR", rates(12, 20), "not_estimable")
    assert both.yi == pytest.approx(math.log(12 / 40 / (20 / 50))) and both.added is None


def test_differences_of_three_arms_share_the_variance_of_the_first() -> None:
    given = {"events": np.array([3.0, 8.0, 0.0]), "n": np.array([20.0, 25.0, 30.0])}
    y, v = _subtract(given)
    p = given["events"] / given["n"]
    own = p * (1 - p) / given["n"]
    np.testing.assert_allclose(y, [p[1] - p[0], p[2] - p[0]])
    np.testing.assert_allclose(v, [[own[0] + own[1], own[0]], [own[0], own[0] + own[2]]])
    # Two arms without events, or with them in everybody: half an event more, in the variance.
    given = {"events": np.array([0.0, 25.0, 6.0]), "n": np.array([20.0, 25.0, 30.0])}
    y, v = _subtract(given)
    np.testing.assert_allclose(y, [1, 0.2])
    own = np.array([0.5 * 20.5 / 21**3, 25.5 * 0.5 / 26**3, 6 * 24 / 30**3])
    np.testing.assert_allclose(v, [[own[0] + own[1], own[0]], [own[0], own[0] + own[2]]])


def test_differences_of_rates_share_the_variance_of_the_first() -> None:
    given = {"events": np.array([3.0, 8.0, 5.0]), "time": np.array([20.0, 25.0, 8.0])}
    y, v = _subtract(given)
    own = given["events"] / given["time"] ** 2
    np.testing.assert_allclose(y, [8 / 25 - 3 / 20, 5 / 8 - 3 / 20])
    np.testing.assert_allclose(v, [[own[0] + own[1], own[0]], [own[0], own[0] + own[2]]])
    given = {"events": np.array([0.0, 0.0]), "time": np.array([20.0, 25.0])}
    y, v = _subtract(given)
    assert y.tolist() == [0] and v[0, 0] == pytest.approx(0.5 / 20**2 + 0.5 / 25**2)


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([0, 0], "why_not.not_estimable_none"),
        ([9, 9], "why_not.not_estimable_all"),
        ([0, 9], None),
        ([0, 1], None),
    ],
)
def test_nobody_and_everybody_have_no_effect(events: list[int], told: str | None) -> None:
    found = _say_not_estimable({"events": np.array(events), "n": np.array([9, 9])})
    assert [one.id for one in found] == ([told] if told else [])


@pytest.mark.parametrize(
    ("yi", "vi", "told"),
    [
        (2.0, 0.3, None),
        (2e15, 0.3, "why_not.out_of_range"),
        (2.0, 2e15, "why_not.out_of_range"),
        (2.0, 1e-31, "why_not.out_of_range"),
        (2.0, 0.0, "why_not.no_spread"),
        (math.inf, 0.3, "why_not.out_of_range"),
    ],
)
def test_an_effect_beyond_all_measure_is_not_pooled(yi: float, vi: float, told: str | None) -> None:
    one = Candidate("", "", "", math.nan, "arms", "final", "computed", "", None)
    one.values = {"yi": yi, "vi": vi}
    judge(one)
    assert [reason.id for reason in one.reasons] == ([told] if told else [])
    kept = yi if math.isfinite(yi) else math.nan
    np.testing.assert_equal(one.values["yi"], kept)
    np.testing.assert_equal(one.values["vi"], vi if vi else math.nan)
