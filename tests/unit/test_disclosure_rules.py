"""Rules for tables to come: survival curves at midpoints, and rows with n, of, count."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from headway.disclosure import PRESETS, Curve, Shape, write_count
from headway.disclosure.presets import explain, explain_small
from headway.disclosure.statistics import enter_statistics, release_statistics
from headway.disclosure.suppress import Ledger
from headway.disclosure.survival import enter_curve, midpoint, release_survival, round_curve

NAN = float("nan")
STRICT = ("opensafely", "cms", "nhs")


# Survival


def test_midpoints_are_those_of_opensafely() -> None:
    """The table of the OpenSAFELY documentation, "Midpoint 6 rounding"."""
    for low, high, printed in ((0, 0, 0), (1, 6, 3), (7, 12, 9), (13, 18, 15)):
        assert (midpoint(np.arange(low, high + 1)) == printed).all()


@pytest.mark.parametrize("seed", range(3))
def test_unrounded_curve_is_that_of_statsmodels(seed: int) -> None:
    from statsmodels.duration.survfunc import SurvfuncRight

    rng = np.random.default_rng(seed)
    time = rng.integers(1, 30, 80).astype(float)
    event = rng.random(80) < 0.6
    oracle = SurvfuncRight(time, event)
    kept = oracle.n_events > 0
    risk, events, curve, low, high = round_curve(
        oracle.n_risk[kept], oracle.n_events[kept], block=1
    )
    assert (risk == oracle.n_risk[kept]).all()
    assert (events == oracle.n_events[kept]).all()
    assert np.allclose(curve, oracle.surv_prob[kept], atol=1e-12)
    inside = (curve > 0) & (curve < 1)
    assert (low[inside] < curve[inside]).all() and (high[inside] > curve[inside]).all()
    # Where many are at risk the likelihood's limits are near those of a normal approximation.
    half = norm.ppf(0.975) * oracle.surv_prob_se[kept]
    middle = (curve > 0.3) & (curve < 0.7)
    assert np.allclose((high - low)[middle], 2 * half[middle], rtol=0.06)


def curves(counts: dict[str, tuple[list[int], list[int]]]) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                "group": group,
                "time": np.arange(1.0, len(r) + 1),
                "at_risk": np.array(r, float),
                "events": np.array(d, float),
                "survival": 0.5,
                "ci_low": 0.4,
                "ci_high": 0.6,
                "redacted": False,
            }
        )
        for group, (r, d) in counts.items()
    ]
    return pd.concat(parts, ignore_index=True)


def released_curves(frame: pd.DataFrame, preset: str) -> pd.DataFrame:
    ledger, names = Ledger(PRESETS[preset]), {}
    enter_curve(ledger, "survival", frame, names, Curve())
    ledger.protect()
    return release_survival("survival", frame, names, ledger, Curve())


@pytest.mark.parametrize("preset", STRICT)
def test_no_step_of_a_curve_is_one_person(preset: str) -> None:
    rng = np.random.default_rng(1)
    d = (rng.random(60) < 0.8).astype(int)  # one relapse a step, at most
    c = (rng.random(60) < 0.3).astype(int)
    r = 100 - np.cumsum(d + c) + d + c
    out = released_curves(curves({"all": (r.tolist(), d.tolist())}), preset)
    block = PRESETS[preset].block
    moves = out.loc[out["events"] > 0, "events"]
    assert 3 < len(moves) < d.sum() / 3
    assert moves.iloc[0] == block / 2
    assert (moves.iloc[1:] % block == 0).all()
    assert (out["at_risk"] > block).all()
    # The printed curve is the product of the printed counts.
    steps = 1 - out["events"] / out["at_risk"]
    assert np.allclose(out["survival"], steps.cumprod(), atol=1e-12)
    # It stays near the true one: half a block of events and of people at risk at most.
    true = pd.Series(np.cumprod(1 - d / r), index=np.arange(1.0, 61))
    gap = (out.set_index("time")["survival"] - true.loc[out["time"]]).abs()
    assert gap.max() < 2 * block / out["at_risk"].min()


def test_curves_that_differ_in_one_person_are_printed_alike() -> None:
    """Whoever has the event within a block of events may not be told apart."""
    first = ([40, 38, 36, 34, 32, 30], [2, 2, 2, 2, 2, 2])
    later = ([40, 39, 36, 34, 32, 30], [1, 3, 2, 2, 2, 2])
    one, two = (released_curves(curves({"all": c}), "opensafely") for c in (first, later))
    assert one.equals(two)


@pytest.mark.parametrize("preset", STRICT)
def test_curve_of_a_few_is_one_row_without_numbers(preset: str) -> None:
    frame = curves(
        {
            "all": ([45, 40, 30], [5, 8, 4]),
            "technique: manual": ([40, 36, 27], [4, 7, 3]),
            "technique: wet": ([5, 4, 3], [1, 1, 1]),
        }
    )
    out = released_curves(frame, preset)
    wet = out[out["group"] == "technique: wet"]
    assert len(wet) == 1
    assert wet["redacted"].all()
    assert wet[["time", "at_risk", "events", "survival"]].isna().all(axis=None)


def test_a_curve_of_more_events_than_people_is_refused() -> None:
    with pytest.raises(ValueError, match="more events"):
        round_curve([5, 4], [3, 1])


# Rows with n, of, count


def harms(rows: list[tuple[str, str, float, float, float]]) -> pd.DataFrame:
    out = pd.DataFrame(rows, columns=["measure", "group", "n", "of", "count"])
    out["unit"] = "percent"
    out["estimate"] = 100 * out["count"] / out["n"]
    out["ci_low"], out["ci_high"] = out["estimate"] - 1.234, out["estimate"] + 1.234
    return out.assign(interval="interval.wilson", redacted=False, note=None).astype({"note": "str"})


def released_rows(frame: pd.DataFrame, preset: str, shape: Shape) -> pd.DataFrame:
    ledger, names = Ledger(PRESETS[preset]), {}
    enter_statistics(ledger, "safety", frame, names, shape)
    ledger.protect()
    return release_statistics("safety", frame.copy(), names, ledger, shape)


SHAPE = Shape(by=("measure",), group="group")
HARMS = [
    ("soreness", "all", 80.0, 90.0, 33.0),
    ("soreness", "technique: manual", 42.0, 45.0, 15.0),
    ("soreness", "technique: dry", 38.0, 45.0, 18.0),
    ("pneumothorax", "all", 80.0, 90.0, 1.0),
    ("fainting", "all", 80.0, 90.0, 0.0),
]


@pytest.mark.parametrize("preset", STRICT)
def test_a_suppressed_harm_is_printed_as_an_upper_limit(preset: str) -> None:
    rules = PRESETS[preset]
    out = released_rows(harms(HARMS), preset, SHAPE)
    assert len(out) == len(HARMS)  # never omitted
    texts = {
        r["measure"]: write_count(r["count"], r["redacted"], r["note"], rules)
        for r in out[out["group"] == "all"].to_dict("records")
    }
    assert texts["pneumothorax"] == f"≤ {rules.redact_up_to}"
    assert texts["fainting"] == "0"
    assert texts["soreness"] == ("33" if preset == "cms" else "35")
    one = out[out["measure"] == "pneumothorax"].iloc[0]
    assert one[["estimate", "ci_low", "ci_high", "count"]].isna().all()
    assert one["n"] == 80


@pytest.mark.parametrize("preset", ["opensafely", "nhs"])
def test_shares_are_those_of_the_rounded_counts(preset: str) -> None:
    from statsmodels.stats.proportion import proportion_confint

    out = released_rows(harms(HARMS), preset, SHAPE)
    shown = out[~out["redacted"]]
    assert len(shown) >= 3
    assert (shown[["n", "of", "count"]] % 5 == 0).all(axis=None)
    assert np.allclose(shown["estimate"], 100 * shown["count"] / shown["n"])
    low, high = proportion_confint(shown["count"], shown["n"], method="wilson")
    assert np.allclose(shown["ci_low"], 100 * low, atol=1e-9)
    assert np.allclose(shown["ci_high"], 100 * high, atol=1e-9)


def test_a_group_follows_from_no_other() -> None:
    """Exact counts: a small group takes another with it, and says less of it than "≤ 10"."""
    rows = [
        ("soreness", "all", 90.0, 90.0, 40.0),
        ("soreness", "technique: manual", 40.0, 40.0, 20.0),
        ("soreness", "technique: dry", 30.0, 30.0, 15.0),
        ("soreness", "technique: wet", 20.0, 20.0, 5.0),
    ]
    out = released_rows(harms(rows), "cms", SHAPE).set_index("group")
    assert out.loc["technique: wet", "note"] == explain_small(PRESETS["cms"])
    others = out.loc[["technique: manual", "technique: dry"]]
    assert others["redacted"].sum() == 1
    second = others[others["redacted"]].iloc[0]
    assert second["note"] == explain(PRESETS["cms"])
    assert write_count(second["count"], True, second["note"], PRESETS["cms"]) == "hidden"


def test_limits_of_other_methods_are_printed_in_whole_percent() -> None:
    frame = harms(HARMS[:1]).assign(interval="interval.logit_cluster")
    out = released_rows(frame, "opensafely", SHAPE).iloc[0]
    assert out["ci_low"] == round(100 * 33 / 80 - 1.234)
    assert out["ci_high"] == round(100 * 33 / 80 + 1.234)


def test_one_name_stands_for_one_count() -> None:
    ledger = Ledger(PRESETS["cms"])
    ledger.add("n", 12, 1)
    with pytest.raises(ValueError, match="two counts"):
        ledger.add("n", 13, 1)


def test_three_values_remain_possible_for_a_small_count() -> None:
    """A total printed as 10 holds 8 to 12: with 8 to 12 others, at most 4 are left."""
    ledger = Ledger(PRESETS["opensafely"])
    for name, n in (("all", 10), ("manual", 9), ("wet", 1)):
        ledger.add(name, n, 1)
    ledger.split("all", ["manual", "wet"])
    assert ledger.protect() == {"wet"}
    ledger = Ledger(PRESETS["cms"])
    for name, n in (("all", 30), ("manual", 29), ("wet", 1)):
        ledger.add(name, n, 1)
    ledger.split("all", ["manual", "wet"])
    assert ledger.protect() == {"wet", "manual"}


def test_a_range_is_known_as_long_as_what_it_comes_with_is_printed() -> None:
    """The curve that tells is hidden, and nothing that does not bear on the small count."""
    ledger = Ledger(PRESETS["opensafely"])
    for name, n in (("all", 40), ("curve", 13), ("two", 6), ("other", 7)):
        ledger.add(name, n, 1)
    ledger.add("sum", 13)
    ledger.split("sum", ["two", "other"])
    ledger.split("sum", ["curve"])
    ledger.narrow("sum", 13, 14, "curve")
    assert ledger.protect() == {"curve", "two", "other"}


def test_a_count_printed_in_fives_and_in_blocks_is_known_better() -> None:
    """18 is 20 in fives and 15 in blocks of six: only 18 fits both."""
    ledger = Ledger(PRESETS["opensafely"])
    for name, n in (("all", 28), ("better", 18), ("other", 9), ("wet", 1)):
        ledger.add(name, n, 1)
    ledger.split("all", ["better", "other", "wet"])
    assert ledger.range_of("better") == (18, 22)
    ledger.narrow("better", 13, 18)
    assert ledger.range_of("better") == (18, 18)
    ledger.narrow("all", 25, 28)  # and 28 at the most of all, 8 at least of the others: 1 or 2
    assert "other" in ledger.protect() or "all" in ledger.hidden


def test_remarks_hold_no_number_of_people() -> None:
    from headway.disclosure.statistics import SHAPES
    from headway.messages import Message, join, say, withhold
    from tests.unit.pages_builder import released

    without, imputed = (
        Message("assumed.without_one", n=13),
        Message("assumed.imputed", sets=20, n=45),
    )
    assert say(withhold(without)) == "some people without one are left out"
    assert say(withhold(join([imputed, without]))) == (
        "multiple imputation by chained equations, 20 sets, for some people; "
        "some people without one are left out"
    )
    _, open_tables, _ = released("demo")
    _, tables, _ = released("demo", "opensafely")
    for name in SHAPES:
        for column in {"note", "reason", "detail"} & set(tables[name].columns):
            said = tables[name][column].dropna()
            assert not [text for text in said if withhold(text) != text], (name, column)
    before = open_tables["sensitivity"]["note"].dropna()
    assert any(withhold(text) != text for text in before)
