"""RevMan's rows and totals: worked by hand, and laws on random tables."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from headway import meta
from headway.meta import revman

reproducibly = settings(max_examples=80, deadline=None, derandomize=True)
NAN = float("nan")


def counts(measure: str, *tables: tuple[int, int, int, int], swap: bool = False) -> revman.Rows:
    """Make rows from events and people of the two groups."""
    columns = np.array(tables, dtype=float).T
    names = ("events1", "n1", "events2", "n2")
    return revman.count_rows(measure, **dict(zip(names, columns, strict=True)), swap=swap)


# ── rows by hand ──────────────────────────────────────────────────────────────────────────────


def test_ratios_without_events_are_not_estimable() -> None:
    tables = [(0, 20, 0, 25), (18, 18, 20, 20), (4, 60, 9, 58), (0, 30, 3, 30)]
    for measure in ("RR", "OR", "PETO"):
        rows = counts(measure, *tables)
        assert rows.estimable.tolist() == [False, False, True, True], measure
        assert np.isnan(rows.yi[:2]).all() and np.isnan(rows.vi[:2]).all()
    risk = counts("RR", *tables)
    assert math.isclose(risk.yi[2], math.log((4 / 60) / (9 / 58)))
    # 0.5 and 29.5+1 against 3.5 of 31: half an event in each of the four cells
    assert math.isclose(risk.yi[3], math.log((0.5 / 31) / (3.5 / 31)))
    assert math.isclose(risk.vi[3], 1 / 0.5 - 1 / 31 + 1 / 3.5 - 1 / 31)
    assert risk.added.tolist() == [False, False, False, True]
    odds = counts("OR", *tables)
    assert math.isclose(odds.yi[3], math.log(0.5 * 27.5 / (30.5 * 3.5)))
    assert math.isclose(odds.vi[3], 1 / 0.5 + 1 / 30.5 + 1 / 3.5 + 1 / 27.5)


def test_everybody_in_one_group_gets_half_a_person() -> None:
    rows = counts("OR", (20, 20, 15, 18))
    assert math.isclose(rows.yi[0], math.log(20.5 * 3.5 / (0.5 * 15.5)))
    assert counts("RR", (20, 20, 15, 18)).added.tolist() == [True]


def test_a_risk_difference_is_never_moved() -> None:
    rows = counts("RD", (0, 40, 3, 20), (0, 60, 0, 25), (20, 20, 15, 18), (10, 10, 0, 12))
    assert rows.estimable.all()
    np.testing.assert_allclose(rows.yi, [-0.15, 0, 1 - 15 / 18, 1])
    assert rows.added.tolist() == [False, True, False, True]
    assert math.isclose(rows.vi[0], 3 * 17 / 20**3)
    assert math.isclose(rows.vi[1], 0.5 * 60.5 / 61**3 + 0.5 * 25.5 / 26**3)
    assert math.isclose(rows.vi[3], 10.5 * 0.5 / 11**3 + 0.5 * 12.5 / 13**3)


def test_peto_by_hand() -> None:
    rows = counts("PETO", (2, 10, 6, 12))
    expected = 10 * 8 / 22
    variance = 10 * 12 * 8 * 14 / (22**2 * 21)
    assert math.isclose(rows.yi[0], (2 - expected) / variance)
    assert math.isclose(rows.vi[0], 1 / variance)


def test_swapped_events_turn_an_odds_ratio_and_change_a_risk_ratio() -> None:
    table = (4, 60, 9, 58)
    assert math.isclose(counts("OR", table, swap=True).yi[0], -counts("OR", table).yi[0])
    assert math.isclose(counts("RR", table, swap=True).yi[0], math.log((56 / 60) / (49 / 58)))
    assert math.isclose(counts("RD", table, swap=True).yi[0], -(4 / 60 - 9 / 58))


def test_the_standardised_difference_divides_by_n_less_3_94() -> None:
    sides: dict[str, Any] = {"mean1": 10, "sd1": 2, "n1": 12, "mean2": 12, "sd2": 4, "n2": 10}
    rows = revman.mean_rows("SMD", **sides)
    pooled = math.sqrt((11 * 4 + 9 * 16) / 20)
    g = -2 / pooled * (1 - 3 / (4 * 22 - 9))
    assert math.isclose(float(rows.yi), g)
    assert math.isclose(float(rows.vi), 22 / 120 + g**2 / (2 * (22 - 3.94)))
    plain = revman.mean_rows("MD", **sides)
    assert float(plain.yi) == -2
    assert math.isclose(float(plain.vi), 4 / 12 + 16 / 10)


@pytest.mark.parametrize("gap", [{"sd1": NAN}, {"n2": 0}, {"sd1": 0, "sd2": 0}, {"mean2": NAN}])
def test_means_without_what_they_need_are_not_estimable(gap: dict[str, float]) -> None:
    sides: dict[str, float] = {"mean1": 1, "sd1": 2, "n1": 9, "mean2": 3, "sd2": 2, "n2": 9, **gap}
    for measure in ("MD", "SMD"):
        assert not revman.mean_rows(measure, **sides).estimable.any()


def test_observed_minus_expected() -> None:
    rows = revman.o_e_rows([-4.0, 2.0, 0.0], [8.0, 5.0, 0.0])
    np.testing.assert_allclose(rows.yi, [-0.5, 0.4, NAN])
    fit = revman.total(rows, method="EXP_O_E", model="fixed")
    assert (fit.k, fit.k_rows) == (2, 3)
    assert math.isclose(fit.estimate, (-4 + 2) / 13)
    assert math.isclose(fit.se, 13**-0.5)


# ── totals by hand ────────────────────────────────────────────────────────────────────────────


def test_half_an_event_enters_the_sums() -> None:
    rows = counts("RR", (0, 30, 3, 30), (4, 60, 9, 58))
    fit = revman.total(rows, method="MH", model="fixed")
    r = 0.5 * 31 / 62 + 4 * 58 / 118
    s = 3.5 * 31 / 62 + 9 * 60 / 118
    assert math.isclose(fit.estimate, math.log(r / s))


def test_trials_without_an_estimate_do_not_count() -> None:
    some = counts("OR", (4, 60, 9, 58), (3, 50, 8, 50), (5, 80, 12, 78))
    more = counts("OR", (4, 60, 9, 58), (0, 5, 0, 9), (3, 50, 8, 50), (7, 7, 6, 6), (5, 80, 12, 78))
    for method in ("MH", "IV"):
        for model in ("fixed", "random"):
            one = revman.total(some, method=method, model=model)
            two = revman.total(more, method=method, model=model)
            assert (two.k, two.k_rows, two.q_df) == (3, 5, 2)
            assert (one.estimate, one.se, one.q) == (two.estimate, two.se, two.q)
            assert two.weights[[1, 3]].tolist() == [0, 0]
            assert math.isclose(two.weights.sum(), 100)


def test_nothing_to_estimate_gives_no_number() -> None:
    fit = revman.total(counts("RR", (0, 5, 0, 9), (7, 7, 6, 6)), method="MH")
    assert (fit.k, fit.k_rows, fit.estimable) == (0, 2, False)
    assert math.isnan(fit.estimate) and math.isnan(fit.ci_low) and math.isnan(fit.q)
    assert fit.remark == revman.NOTE_NOT_ESTIMABLE


def test_tau2_rests_on_q_about_the_mantel_haenszel_estimate() -> None:
    rows = counts("RR", (4, 60, 19, 58), (30, 50, 20, 50), (5, 80, 12, 78), (40, 90, 20, 95))
    fixed = revman.total(rows, method="MH", model="fixed")
    w = 1 / rows.vi
    q = float((w * (rows.yi - fixed.estimate) ** 2).sum())
    tau2 = (q - 3) / (w.sum() - (w * w).sum() / w.sum())
    fit = revman.total(rows, method="MH")
    assert math.isclose(fit.q, q) and math.isclose(fit.tau2, tau2)
    assert math.isclose(fit.i2, 100 * (q - 3) / q)
    plain = revman.total(rows, method="IV")
    assert plain.tau2 < fit.tau2
    assert math.isclose(plain.tau2, float(meta.pool(rows.yi, rows.vi, method="DL").tau2))


def test_one_trial_is_its_own_effect_also_as_a_risk_difference() -> None:
    for measure in ("RR", "OR", "RD"):
        rows = counts(measure, (4, 60, 9, 58))
        for model in ("fixed", "random"):
            fit = revman.total(rows, method="MH", model=model, ci="hksj")
            assert math.isclose(fit.estimate, rows.yi[0])
            assert math.isclose(fit.se, math.sqrt(rows.vi[0])), measure
            assert (fit.tau2, fit.q, fit.i2) == (0, 0, 0)


def test_intervals_take_the_level_and_the_distribution() -> None:
    rows = revman.generic_rows([0.1, 0.5, -0.2, 0.4], [0.1, 0.2, 0.15, 0.1])
    wide = revman.total(rows, level=0.99)
    assert math.isclose(wide.ci_high - wide.estimate, 2.5758293035489 * wide.se, rel_tol=1e-9)
    knapp = revman.total(rows, ci="hksj", prediction=True)
    same = meta.pool(rows.yi, rows.vi, method="DL", test="knha")
    for name in ("ci_low", "ci_high", "pi_low", "pi_high", "p_value"):
        assert math.isclose(getattr(knapp, name), float(getattr(same, name)), rel_tol=1e-9), name
    assert math.isnan(revman.total(rows).pi_low)


def test_subgroups_are_compared_by_their_totals() -> None:
    one = revman.total(revman.generic_rows([0.0, 0.2], [0.1, 0.1]), model="fixed")
    two = revman.total(revman.generic_rows([0.6], [0.1]), model="fixed")
    q, df, p = revman.compare_totals([one, two])
    assert math.isclose(q, 0.5**2 / (0.01 / 2 + 0.01))
    assert df == 1 and 0 < p < 0.001
    empty = revman.total(counts("RR", (0, 5, 0, 9)), method="MH")
    assert all(math.isnan(x) for x in revman.compare_totals([one, empty]))


def test_settings_are_checked() -> None:
    rows = revman.generic_rows([0.1], [0.2])
    for wrong in ({"method": "ML"}, {"model": "mixed"}, {"tau2": "PM"}, {"ci": "t"}, {"level": 95}):
        with pytest.raises(ValueError, match="must"):
            revman.total(rows, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="counts"):
        revman.total(revman.generic_rows([0.1, 0.2], [0.2, 0.2]), method="MH")
    with pytest.raises(ValueError, match="between 0"):
        counts("RR", (9, 5, 1, 9))


# ── laws on random tables ─────────────────────────────────────────────────────────────────────


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[int, int, int, int]]:
    group = st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
    return draw(st.lists(st.builds(lambda x, y: (*x, *y), group, group), min_size=1, max_size=8))


SETTINGS = [(m, o) for m in ("RR", "OR", "RD") for o in ("MH", "IV")] + [("PETO", "Peto")]


@reproducibly
@given(tables(), st.sampled_from(SETTINGS), st.sampled_from(["fixed", "random"]))
def test_a_total_is_a_number_or_says_that_it_is_none(
    drawn: list[tuple[int, int, int, int]], what: tuple[str, str], model: str
) -> None:
    measure, method = what
    rows = counts(measure, *drawn)
    fit = revman.total(rows, method=method, model=model)
    numbers = [fit.estimate, fit.se, fit.ci_low, fit.ci_high, fit.q, fit.i2, fit.tau2]
    assert fit.k == int(rows.estimable.sum())
    assert np.isfinite(numbers).all() if fit.k else np.isnan(numbers).all()
    assert np.isfinite(rows.yi).tolist() == rows.estimable.tolist()
    if fit.k:
        assert fit.ci_low < fit.estimate < fit.ci_high
        assert 0 <= fit.i2 <= 100 and fit.tau2 >= 0
        assert math.isclose(fit.weights.sum(), 100)


@reproducibly
@given(tables(), st.sampled_from(SETTINGS), st.sampled_from(["fixed", "random"]))
def test_changing_sides_changes_the_sign(
    drawn: list[tuple[int, int, int, int]], what: tuple[str, str], model: str
) -> None:
    measure, method = what
    one = revman.total(counts(measure, *drawn), method=method, model=model)
    two = revman.total(
        counts(measure, *[(c, m, a, n) for a, n, c, m in drawn]), method=method, model=model
    )
    np.testing.assert_allclose(one.estimate, -two.estimate, atol=1e-9)
    np.testing.assert_allclose(one.se, two.se, rtol=1e-9)


@reproducibly
@given(tables())
def test_rows_can_be_in_any_order(drawn: list[tuple[int, int, int, int]]) -> None:
    one = revman.total(counts("OR", *drawn), method="MH")
    two = revman.total(counts("OR", *drawn[::-1]), method="MH")
    np.testing.assert_allclose([one.estimate, one.tau2], [two.estimate, two.tau2], atol=1e-9)
    np.testing.assert_allclose(one.weights, two.weights[::-1], atol=1e-9)
