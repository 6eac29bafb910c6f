"""The verdict about a clinic's change: right in people of many kinds, and never against itself."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import outcomes
from headway.messages import LANGUAGES, say, speaking
from headway.outcomes.expectation import judge
from headway.report import provenance

ARM = {
    "label": "Somebody 2001, usual care",
    "change": -1.8,
    "se": 0.4,
    "n": 150,
    "baseline": 16.0,
    "time_days": 91.0,
}


@pytest.fixture(scope="module")
def people(repo_root: Path) -> ModuleType:
    """The generator of untreated people, which is no part of the package."""
    path = repo_root / "benchmarks" / "untreated.py"
    spec = importlib.util.spec_from_file_location("untreated", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["untreated"] = module
    spec.loader.exec_module(module)
    return module


def draw(seed: int, mean: float = 15.0, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Two windows of people who keep their own level."""
    rng = np.random.default_rng(seed)
    own = np.clip(rng.normal(mean, 4, n), 1, 27) / 28
    return rng.binomial(28, own).astype(float), rng.binomial(28, own).astype(float)


def test_the_generator_draws_what_it_is_asked_for(people: ModuleType) -> None:
    rng = np.random.default_rng(3)
    for mean, r, decay in ((5, 0.5, 0), (9, 0.65, 0), (14, 0.7, 0.5)):
        drawn = people.draw_people(rng, people.Population(mean, r, decay=decay), 60_000)
        assert np.allclose(drawn.mean(axis=0), mean, atol=0.15)
        found = np.corrcoef(drawn.T)
        assert abs(found[1, 2] - r) < 0.02
        assert (found[0, 1] > r + 0.05) == bool(decay)


@pytest.mark.parametrize(
    ("mean", "r", "coming"),
    [
        (5, 0.6, ("come_last", 8)),
        (5, 0.5, ("come_both", 12)),
        (7, 0.6, ("come_rise", 2)),
        (9, 0.7, ("come_last", 15)),
        (12, 0.5, ("come_mean", 12)),
        (14, 0.6, ("anybody",)),
        (9, 0.6, ("come_both", 4, 14)),
    ],
)
def test_without_treatment_it_seldom_says_anything(
    people: ModuleType, mean: float, r: float, coming: tuple[str, float]
) -> None:
    rng = np.random.default_rng(11)
    name, *limits = coming
    come = getattr(people, name)(*limits) if limits else people.anybody
    pool = people.draw_pool(rng, people.Population(mean, r), come, 6_000)
    kinds = [
        outcomes.judge_change(*clinic.T).kind for clinic in people.draw_clinics(rng, pool, 60, 150)
    ]
    # Four of 60 or more would come of a rate of 2.5 % once in 15 tries; the seed is fixed.
    assert kinds.count("further") <= 3
    assert kinds.count("less") <= 3


def test_three_days_are_seen_either_way(people: ModuleType) -> None:
    rng = np.random.default_rng(12)
    pool = people.draw_pool(rng, people.Population(9, 0.65), people.come_soft(10, 2, 1), 6_000)
    for days, kind in ((-3.0, "further"), (3.0, "less")):
        for how in ("proportional", "additive"):
            treated = people.change_after(rng, pool, days, how)
            assert abs((treated - pool)[:, 2].mean() - days) < 0.1
            clinics = people.draw_clinics(rng, treated, 30, 190)
            kinds = [outcomes.judge_change(*c.T, arms=[ARM]).kind for c in clinics]
            assert kinds.count(kind) >= 24


def test_a_rise_is_seen_among_people_whom_a_bad_month_brought(people: ModuleType) -> None:
    """They fall back to their earlier window by themselves, which hides two of three days."""
    rng = np.random.default_rng(13)
    for mean, least in ((9, 14), (7.5, 12)):
        pool = people.draw_pool(rng, people.Population(mean, 0.6), people.come_last(least), 5_000)
        worse = people.change_after(rng, pool, 3.0, "additive")
        clinics = people.draw_clinics(rng, worse, 40, 94)
        kinds = [outcomes.judge_change(*c.T).kind for c in clinics]
        # The mean of both windows alone finds 37 to 40 % (docs/expected.md, as it was decided).
        assert kinds.count("less") >= 26


def test_who_came_because_it_got_worse_is_not_taken_for_them(people: ModuleType) -> None:
    """Whom a rise brought was low in the earlier window by chance, and goes back up from it."""
    rng = np.random.default_rng(14)
    half = people.come_mixed(people.come_last(15), people.come_rise(2, 12), 0.5)
    for coming in (people.come_rise(2, 10), people.come_rise(0, 12), half):
        pool = people.draw_pool(rng, people.Population(12, 0.6), coming, 5_000)
        clinics = people.draw_clinics(rng, pool, 40, 150)
        kinds = [outcomes.judge_change(*c.T).kind for c in clinics]
        assert kinds.count("less") <= 3


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    mean=st.floats(3, 25),
    shift=st.floats(-14, 10),
    arm=st.booleans(),
)
def test_the_change_lies_outside_the_range_beyond_which_it_goes(
    seed: int, mean: float, shift: float, arm: bool
) -> None:
    earlier, before = draw(seed, mean)
    after = np.clip((earlier + before) / 2 + shift, 0, 28)
    found = outcomes.judge_change(earlier, before, after, arms=[ARM] if arm else None)
    expected = [row.expected for row in found.deciding]
    assert (found.low, found.high) == (min(expected), max(expected))
    assert found.change == pytest.approx((after - before).mean())
    if found.kind == "further":
        assert found.change < found.low
        assert all(row.high < 0 for row in found.deciding if row.side == "further")
    elif found.kind == "less":
        assert found.change > found.high
        assert all(row.low > 0 for row in found.deciding if row.side == "less")
    else:
        assert found.kind == "cannot_tell"


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_neither_order_nor_unknown_people_matter(seed: int) -> None:
    earlier, before = draw(seed)
    after = np.maximum(before - 2, 0)
    found = outcomes.judge_change(earlier, before, after)
    order = np.random.default_rng(seed).permutation(len(before))
    turned = outcomes.judge_change(earlier[order], before[order], after[order])
    assert (turned.kind, turned.n) == (found.kind, found.n)
    assert turned.low == pytest.approx(found.low)
    lost = np.append(after, [np.nan] * 5)
    more = outcomes.judge_change(np.append(earlier, [9.0] * 5), np.append(before, [9.0] * 5), lost)
    assert (more.kind, more.n) == (found.kind, found.n)
    assert more.change == pytest.approx(found.change)


def test_a_rise_for_all_is_worse_than_expected() -> None:
    rng = np.random.default_rng(1)
    earlier, before = rng.integers(14, 17, (2, 40)).astype(float)
    found = outcomes.judge_change(earlier, before, (earlier + before) / 2 + 4)
    assert found.kind == "less"
    assert "worse than expected" in found.sentence


def test_without_the_earlier_window_nothing_is_said_but_the_change() -> None:
    _, before = draw(4)
    unknown = np.full(len(before), np.nan)
    found = outcomes.judge_change(unknown, before, before * 0.2)
    assert found.kind == "not_recorded"
    assert np.isnan([found.low, found.high]).all()
    assert found.n == len(before) and found.both == 0
    assert found.change == pytest.approx((before * -0.8).mean())
    assert 0 <= found.tipping_mean <= 28
    few = unknown.copy()
    few[:19] = 10
    assert outcomes.judge_change(few, before, before * 0.2).kind == "not_recorded"
    assert "no clear fall or rise" in outcomes.judge_change(unknown, before, before[::-1]).sentence


def test_fewer_than_three_people_are_no_data() -> None:
    found = outcomes.judge_change([9, 9], [9, np.nan], [1, 1])
    assert found.kind == "no_data"
    assert outcomes.judge_change([], [], []).n == 0


def test_an_arm_decides_only_at_a_like_level_and_time() -> None:
    earlier, before = draw(5, 16)
    after = np.maximum((earlier + before) / 2 - 6, 0)
    far = {**ARM, "change": -20.0}
    assert outcomes.judge_change(earlier, before, after).kind == "further"
    assert outcomes.judge_change(earlier, before, after, arms=[far]).kind == "cannot_tell"
    for other in (
        {"baseline": 10.0},
        {"time_days": 180.0},
        {"change": float("nan")},
        {"baseline": None},
        {"se": pd.NA},
    ):
        found = outcomes.judge_change(earlier, before, after, arms=pd.DataFrame([{**far, **other}]))
        assert found.kind == "further" and np.isnan(found.published_fall)
    late = outcomes.judge_change(
        earlier, before, after, arms=[{**far, "time_days": 180.0}], time_days=170
    )
    assert late.kind == "cannot_tell" and late.published_fall == 20
    named = {**far, "condition": "migraine"}
    assert outcomes.judge_change(earlier, before, after, "tension", [named]).kind == "further"
    assert outcomes.judge_change(earlier, before, after, "migraine", [named]).kind == "cannot_tell"


def test_the_tipping_mean_and_correlation_are_where_the_verdict_turns() -> None:
    earlier, before = draw(6, 19)
    after = (earlier + before) / 2 - 2.2
    found = outcomes.judge_change(earlier, before, after)
    assert found.deciding[0].clears and 0 < found.tipping_mean < 28
    for nudge, clears in ((0.01, True), (-0.01, False)):
        rule = {"means": [found.tipping_mean + nudge]}
        row = outcomes.judge_change(earlier, before, after, settings=rule).deciding[0]
        assert row.clears is clears
    above = outcomes.judge_change(earlier, before, after, settings={"retest": found.tipping_r})
    assert above.deciding[0].clears
    assert 0 < found.tipping_r < 1
    lower = {"retest": found.tipping_r - 0.002}
    assert not outcomes.judge_change(earlier, before, after, settings=lower).deciding[0].clears


def test_a_declared_way_of_coming_is_used_as_a_visible_one() -> None:
    earlier, before = draw(7, 14)
    after = np.maximum(before - np.random.default_rng(1).integers(0, 7, len(before)), 0)
    plain = outcomes.judge_change(earlier, before, after)
    assert "earlier" not in {row.source for row in plain.deciding}
    last = outcomes.judge_change(earlier, before, after, settings={"entry": {"last": 12}})
    assert "earlier" in {row.source for row in last.deciding}
    both = outcomes.judge_change(earlier, before, after, settings={"entry": {"both": 12}})
    assert both.deciding[1].source == "both_windows_noise"
    assert both.deciding[1].expected < plain.deciding[1].expected
    upper = outcomes.judge_change(earlier, before, after, settings={"entry": {"upper": 20}})
    assert upper.deciding[-1].mean > plain.deciding[-1].mean


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="same people"):
        outcomes.judge_change([1, 2], [1], [1])
    with pytest.raises(ValueError, match="no such setting"):
        outcomes.judge_change([1], [1], [1], settings={"entry": {"first": 3}})


def test_every_setting_can_be_listed() -> None:
    listed = judge.list_settings(judge.read_rule({"entry": {"last": 15}}))
    assert listed["entry_last"] == 15 and listed["entry_both"] is None
    assert listed["min_people"] == 20


def test_the_hash_of_the_rule_moves_with_every_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    before = provenance.hash_rule()
    assert before == provenance.hash_rule()
    for name, value in (("mean_low", 3.5), ("min_people", 21), ("entry_last", 12.0)):
        monkeypatch.setattr(provenance, "DEFAULT", replace(judge.DEFAULT, **{name: value}))
        assert provenance.hash_rule() != before


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_in_every_language(language: str) -> None:
    earlier, before = draw(8)
    middle = (earlier + before) / 2
    with speaking(language):
        for after in (np.maximum(middle - 9, 0), middle, np.minimum(middle + 9, 28)):
            for first in (earlier, np.full(len(before), np.nan)):
                text = say(outcomes.judge_change(first, before, after, arms=[ARM]).message)
                assert "{" not in text and "verdict." not in text and "nan" not in text
