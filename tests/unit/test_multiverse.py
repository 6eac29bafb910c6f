"""The multiverse against single fits: every specification is one that `pool` gives."""

from __future__ import annotations

import numpy as np
import pytest

from headway import meta
from headway.meta.multiverse import Effects, explore_multiverse, find_outliers

RNG = np.random.default_rng(21)
K = 7
V = RNG.uniform(0.02, 0.2, K)
Y = 0.35 + RNG.normal(0, 0.2, K) + RNG.normal(0, np.sqrt(V))
STUDIES = [f"Trial {i}" for i in range(K)]
LOW_RISK = np.array([True, True, False, True, True, False, True])
WAYS = [
    Effects({"measure": "MC", "assumed r": "0.5"}, 3 * Y, 9 * V, "days"),
    Effects({"measure": "MC", "assumed r": "0.8"}, 3 * Y, 6 * V, "days"),
    Effects({"measure": "SMCC", "assumed r": "0.5"}, np.where(LOW_RISK, Y, np.nan), V, "SD"),
]


def test_every_specification_is_one_that_pool_gives() -> None:
    found = explore_multiverse(WAYS, inclusions={"low risk": LOW_RISK}, studies=STUDIES)
    frame = found.to_frame()
    # Per model: two ways x (all 1 + 7, low risk 1 + 5) + one way whose studies are the low-risk
    # ones already, 1 + 5; the models: EE with z, and DL, PM, REML with z, knha, adhoc.
    assert len(frame) == 10 * (2 * (8 + 6) + 6)
    assert found.left_out == {"the same effects of the same studies as another": 6}
    ways = {(w.choices["measure"], w.choices["assumed r"]): w for w in WAYS}
    for row in frame.to_dict("records"):
        way = ways[row["measure"], row["assumed r"]]
        y, v = np.asarray(way.yi), np.asarray(way.vi)
        held = np.isfinite(y) & (LOW_RISK if row["studies"] == "low risk" else True)
        held = held & (np.array(STUDIES) != row["left out"])
        fit = meta.pool(y[held], v[held], method=row["estimator"], test=row["interval"])
        for name in ("k", "estimate", "se", "ci_low", "ci_high", "p_value", "tau2", "i2"):
            assert row[name] == pytest.approx(getattr(fit, name), rel=1e-9, abs=1e-12)
        assert row["unit"] == way.unit


def test_a_choice_that_changes_nothing_is_not_counted_twice() -> None:
    same = Effects({"measure": "MC", "assumed r": "0.8"}, 3 * Y, 9 * V, "days")
    once, twice = explore_multiverse(WAYS[:1]), explore_multiverse([WAYS[0], same])
    assert twice.estimate.size == once.estimate.size
    assert twice.left_out == {"the same effects of the same studies as another": 1 + K}


def test_the_declared_specification_comes_first() -> None:
    found = explore_multiverse(WAYS, declared=("DL", "z"))
    first = {factor: levels[0] for factor, levels in found.choices.items()}
    assert first == {
        "measure": "MC",
        "assumed r": "0.5",
        "studies": "all",
        "left out": "none",
        "estimator": "DL",
        "interval": "z",
    }
    assert found.estimate[0] == pytest.approx(meta.pool(3 * Y, 9 * V, method="DL").estimate)


def test_shares_by_hand() -> None:
    # Three studies that only agree on the sign if all are there.
    y, v = np.array([1.0, 0.2, -1.1]), np.full(3, 0.01)
    found = explore_multiverse(
        [Effects({}, y, v)], methods=["EE"], tests=["z"], declared=("EE", "z")
    )
    # Means: all 0.033, without the first -0.45, without the second -0.05, without the third 0.6;
    # standard errors 0.0577 and 0.0707, so that the second and the last are significant.
    assert found.estimate == pytest.approx([0.1 / 3, -0.45, -0.05, 0.6])
    assert found.significant.tolist() == [False, True, False, True]
    assert found.same_direction == 0.5
    assert found.share_significant == 0.25
    assert found.agreement == 0.5
    assert found.count_by("left out") == {"none": (1, 0), "0": (1, 0), "1": (1, 0), "2": (1, 1)}
    assert repr(found) == "Multiverse(4 specifications, 50.0 % agree with the declared one)"
    assert "which includes 0" in found.summary() and ", 95 % CI " in found.summary()


def test_indefensible_pairs_are_not_fitted() -> None:
    found = explore_multiverse(WAYS[:1], tests=["z", "knha", "kr"], omit_one=False)
    pairs = set(zip(found.choices["estimator"], found.choices["interval"], strict=True))
    assert ("EE", "knha") not in pairs and ("DL", "kr") not in pairs
    assert ("REML", "kr") in pairs and len(pairs) == 1 + 2 * 3 - 2 + 3 + 1


def test_it_does_not_depend_on_the_unit() -> None:
    a = explore_multiverse([Effects({}, Y, V)])
    b = explore_multiverse([Effects({}, 1e6 * Y, 1e12 * V)])
    assert b.estimate / 1e6 == pytest.approx(a.estimate, rel=1e-9)
    assert b.p_value == pytest.approx(a.p_value, rel=1e-7)


def test_outliers_are_what_the_others_do_not_foretell() -> None:
    y = np.append(Y, [9.0, np.nan])
    v = np.append(V, [0.05, 1.0])
    assert find_outliers(y, v).tolist() == [False] * K + [True, False]
    assert find_outliers([0.0, 9.0], [1.0, 1.0]).tolist() == [False, False]


@pytest.mark.parametrize(
    ("effects", "options", "words"),
    [
        ([], {}, "at least one way"),
        ([Effects({"studies": "x"}, Y, V)], {}, "multiverse's own"),
        ([WAYS[0], Effects({}, Y, V)], {}, "must choose"),
        ([WAYS[0], Effects(WAYS[0].choices, Y[:3], V[:3])], {}, "of the same studies"),
        ([WAYS[0]], {"studies": ["a"]}, "one name per study"),
        ([WAYS[0]], {"methods": ["GENQ"]}, "needs weights"),
        ([WAYS[0]], {"tests": ["Z"]}, "test must be one of"),
        ([Effects({}, [1.0, np.nan], [1.0, 1.0])], {}, "fewer than two studies"),
    ],
)
def test_what_is_no_multiverse_is_refused(effects: list, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        explore_multiverse(effects, **options)
