"""Time, fees and fees per headache day of difference, by hand and against closed forms."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from headway import tables
from headway.config import name_clinic
from headway.config.clinic import Bootstrap, Window, Windows
from headway.figures.clinic.cost import draw_cost_plane
from headway.messages import Message
from headway.outcomes.care.cost import build_cost
from headway.outcomes.care.cost_per_day import (
    CostPerDay,
    Expected,
    cost_per_day,
    count_cells,
    less_expected,
)
from headway.outcomes.care.visits import find_last_day, office_visits, sum_fees
from headway.outcomes.change.windows import Comparison
from tests.unit.test_safety import sessions

CLINIC = replace(name_clinic("c"), bootstrap=Bootstrap(replicates=2000, seed=1))


def changes(values: dict[str, float]) -> pd.DataFrame:
    """Make the table `change` for headache days."""
    frame = pd.DataFrame({"patient_id": list(values), "change": list(values.values())})
    return tables.conform(
        "change",
        frame.assign(
            comparison="primary", outcome="frequency", pre=16.0, post=16.0 + frame["change"]
        ),
    )


def build(
    frame: pd.DataFrame, change: pd.DataFrame, **more: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    starters = pd.Index(sorted(set(frame["patient_id"])))
    return build_cost(frame, change, starters, CLINIC, "primary", **more)


def pick(table: pd.DataFrame, statistic: str, **where: str) -> pd.Series:
    hit = table[table["statistic"] == statistic]
    for column, value in where.items():
        hit = hit[hit[column] == value]
    assert len(hit) == 1, (statistic, where)
    return hit.iloc[0]


def test_the_worked_example() -> None:
    """10 sessions at 260 + 9 x 180 (design notes, section 2.4): 34 and 80 USD a day."""
    people = [f"p{i}" for i in range(30)]
    frame = sessions(
        [
            {
                "patient_id": p,
                "fee": 260 if k == 0 else 180,
                "currency": "USD",
                "minutes": 120 if k == 0 else 90,
                "setting": "in_office",
            }
            for p in people
            for k in range(10)
        ]
    )
    spread = np.linspace(-2, 2, 30)
    change = changes(dict(zip(people, -4.26 + spread - spread.mean(), strict=True)))
    # Controlled: -1.81 days, so that -2.45 would have come without treatment.
    table, plane = build(frame, change, expected=[Expected("control", -4.26 + 1.81, 0.1)])
    plain = {"topic": "cost", "basis": "uncontrolled"}
    assert pick(table, "mean_total", **plain)["estimate"] == 1880
    assert round(pick(table, "days_a_year", **plain)["estimate"]) == 55
    assert round(pick(table, "per_day", **plain)["estimate"]) == 34
    less = {"topic": "cost", "basis": "less expected: control"}
    assert round(pick(table, "days_a_year", **less)["estimate"], 1) == 23.5
    assert round(pick(table, "per_day", **less)["estimate"]) == 80
    for where in (plain, less):
        row = pick(table, "per_day", **where)
        assert row["ci_low"] < row["estimate"] < row["ci_high"]
        assert row["n"] == row["of"] == 30
    assert pick(table, "median", topic="minutes", visit="first")["estimate"] == 120
    assert pick(table, "median", topic="fee", visit="later")["estimate"] == 180
    assert plane.groupby("basis")["share"].sum().tolist() == pytest.approx([100, 100])


def visits_of(fees: dict[str, list[float]]) -> pd.DataFrame:
    """Make one session in the office per fee."""
    return sessions(
        [
            {"patient_id": p, "fee": fee, "currency": "EUR", "setting": "in_office"}
            for p, paid in fees.items()
            for fee in paid
        ]
    )


@pytest.mark.parametrize(
    ("visits", "sigma", "per_cent_t"), [(1, 0.8, 91.5), (4, 0.5, 100)], ids=["one fee", "sums"]
)
def test_mean_fees_cover_skewed_fees(visits: int, sigma: float, per_cent_t: float) -> None:
    """15 people, log-normal fees: at least 93 % of the intervals hold the mean; t alone 89 %."""
    draw = random.Random(11)
    runs, n = 2000, 15
    hits = hits_t = 0
    for _ in range(runs):
        # 1 to 2 * visits - 1 visits each, so that the mean is `visits` fees.
        fees = [
            sum(
                draw.lognormvariate(5, sigma)
                for _ in range(draw.randint(1, 2 * visits - 1) if visits > 1 else 1)
            )
            for _ in range(n)
        ]
        mean = visits * np.exp(5 + sigma**2 / 2)
        found = cost_per_day(np.array(fees), np.full(n, -3.0), expected=None, replicates=2, seed=1)
        hits += found.cost_low <= mean <= found.cost_high
        half = 2.1448 * float(np.std(fees, ddof=1)) / n**0.5  # t on 14 degrees of freedom
        hits_t += abs(float(np.mean(fees)) - mean) <= half
    assert 100 * hits / runs >= 93.0
    assert 100 * hits_t / runs <= per_cent_t


def test_the_interval_of_mean_fees_leans_to_the_dear_side() -> None:
    cost = np.array([100.0] * 12 + [150.0, 400.0, 900.0])
    found = cost_per_day(cost, np.full(15, -3.0), expected=None, replicates=50, seed=1)
    assert found.cost_high - found.cost > 2 * (found.cost - found.cost_low) > 0
    assert found.cost_low >= 0 and found.cost_note == ""
    # The order of people says nothing; symmetric values have Student's interval.
    back = cost_per_day(cost[::-1], np.full(15, -3.0), expected=None, replicates=50, seed=1)
    assert back.cost_high == pytest.approx(found.cost_high)
    even = np.arange(100.0, 121.0)
    plain = cost_per_day(even, np.full(21, -3.0), expected=None, replicates=50, seed=1)
    want = stats.ttest_1samp(even, 0).confidence_interval(0.95)
    assert (plain.cost_low, plain.cost_high) == pytest.approx((want.low, want.high))


@pytest.mark.parametrize(
    ("fees", "note"),
    [
        ({f"p{i}": [90.0, 90.0] for i in range(20)}, Message("fees.no_spread")),
        ({"p": [90.0, 90.0]}, Message("fees.one_person")),
        ({f"p{i}": [90.0 + i] for i in range(9)}, Message("fees.few_for_a_mean", least=13)),
    ],
    ids=["all equal", "one person", "few"],
)
def test_an_interval_that_fees_cannot_have_is_a_remark(
    fees: dict[str, list[float]], note: str
) -> None:
    table, _ = build(visits_of(fees), changes(dict.fromkeys(fees, -3.0)))
    row = pick(table, "mean_total", basis="uncontrolled")
    assert row["note"] == note
    spread = note == Message("fees.few_for_a_mean", least=13)
    assert np.isfinite([row["ci_low"], row["ci_high"]]).tolist() == [spread, spread]
    assert (row["interval"] == "interval.skewed") == spread
    assert "nan" not in str(row["estimate"])


@pytest.mark.parametrize("seed", [1, 2])
def test_the_interval_of_a_ratio_is_near_fiellers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 400
    cost = rng.gamma(8, 200, n)
    change = -4.0 - 0.001 * (cost - 1600) + rng.normal(0, 5, n)
    found = cost_per_day(cost, change, expected=None, replicates=8000, seed=seed)
    # Fieller 1954, for the ratio of two correlated means a / b.
    a, b = cost.mean(), -13 * change.mean()
    s = np.cov(cost, -13 * change) / n
    t2 = stats.t.ppf(0.975, n - 1) ** 2
    qa, qb, qc = b**2 - t2 * s[1, 1], a * b - t2 * s[0, 1], a**2 - t2 * s[0, 0]
    root = np.sqrt(qb**2 - qa * qc)
    low, high = (qb - root) / qa, (qb + root) / qa
    assert found.ratio == pytest.approx(a / b)
    # Quantiles of 8000 replicates: within 3 % of the limits.
    assert found.ratio_low == pytest.approx(low, rel=0.03)
    assert found.ratio_high == pytest.approx(high, rel=0.03)


def test_no_ratio_where_the_difference_may_be_nothing() -> None:
    rng = np.random.default_rng(1)
    cost, noise = rng.gamma(8, 200, 60), rng.normal(0, 5, 60)
    unsure = cost_per_day(cost, noise - noise.mean() - 0.3, expected=None, replicates=1000, seed=1)
    assert (
        np.isnan(unsure.ratio)
        and np.isnan(unsure.ratio_low)
        and "fees.see_the_plane" in unsure.note
    )
    # Shares on the plane are those of a normal mean: P(difference < 0).
    se = noise.std(ddof=1) / np.sqrt(60)
    assert unsure.fewer == pytest.approx(stats.norm.cdf(0.3 / se), abs=0.05)  # 3 errors of 1000
    assert unsure.fewer + unsure.more == pytest.approx(1)
    worse = cost_per_day(cost, noise + 4, expected=None, replicates=300, seed=1)
    assert np.isnan(worse.ratio) and worse.note == "fees.no_fewer_days"
    nobody = cost_per_day(np.empty(0), np.empty(0), expected=None, replicates=300, seed=1)
    assert nobody.n == 0 and np.isnan(nobody.ratio)
    one = cost_per_day(np.array([100.0]), np.array([-3.0]), expected=None, replicates=300, seed=1)
    assert np.isnan(one.ratio)


def test_the_error_of_the_expected_change_counts() -> None:
    _, low, high = less_expected(-4.0, -5.0, -3.0, Expected("x", -1.0, 0.5))
    half = np.hypot(1.0, 1.959964 * 0.5)
    assert (low, high) == (pytest.approx(-3 - half, abs=1e-6), pytest.approx(-3 + half, abs=1e-6))
    assert less_expected(-4.0, -5.0, -3.0, Expected("x", -1.0)) == (-3.0, -4.0, -2.0)


def test_what_is_not_recorded_is_not_nothing() -> None:
    frame = sessions(
        [
            {"patient_id": "a", "fee": 100, "currency": "EUR"},
            {"patient_id": "a", "fee": None, "currency": "EUR"},  # so a's sum is unknown
            {"patient_id": "b", "fee": 100, "currency": "EUR"},
            {"patient_id": "b", "fee": 50, "currency": "USD"},  # nothing is converted
            {"patient_id": "c", "fee": 70, "currency": "USD"},
            {"patient_id": "c", "fee": 0, "currency": "USD", "setting": "at_home"},
            {"patient_id": "d", "fee": 80},
        ]
    )
    sums = sum_fees(office_visits(frame), None)
    assert dict(zip(sums["patient_id"], sums["cost"], strict=True)) == {"c": 70, "d": 80}
    table, plane = build(frame, changes({"a": -3, "b": -3, "c": -3}))
    assert set(table["currency"].dropna()) == {"EUR", "USD", "not_recorded"}
    later = pick(table, "median", topic="fee", visit="later", currency="USD")
    assert later["estimate"] == 50  # a session at home is no visit
    assert np.isnan(pick(table, "per_day", basis="uncontrolled")["estimate"])
    assert len(plane) == 0  # one person has no spread to draw


def test_two_sessions_of_a_day_are_one_visit() -> None:
    frame = sessions(
        [
            {"patient_id": "a", "minutes": 60, "fee": 100, "currency": "USD"},
            {"patient_id": "a", "minutes": 30, "fee": 40, "currency": "USD"},
        ]
    ).assign(day=[0, 0])
    visits = office_visits(frame)
    assert len(visits) == 1 and bool(visits["first"].iloc[0])
    assert (visits["minutes"].iloc[0], visits["fee"].iloc[0]) == (90, 140)


def test_fees_after_the_window_do_not_count() -> None:
    rows = [
        {"patient_id": f"p{i}", "fee": 100, "currency": "USD"} for i in range(8) for _ in range(3)
    ]  # on days 0, 7, 14
    table, _ = build(sessions(rows), changes({}), until=7)
    row = pick(table, "median_total")
    assert (row["estimate"], row["n"]) == (200, 8) and row["label"] == Message(
        "fees.median_total_up_to", day=7
    )


def test_the_last_day_that_counts() -> None:
    named = {
        "post": Window(from_=56, to=83),
        "open": Window(from_=56, to=None),
        "post_course": Window(from_=1, to=28, anchor="last_session"),
    }
    clinic = replace(CLINIC, windows=Windows(named=named))

    def last(post: str, source: str) -> float | None:
        pair = Comparison("x", "x", "baseline", post, source, True, False)
        return find_last_day(clinic, pair)

    assert last("post", "diary") == 83 and last("post", "visit") == 112
    for post, source in (
        ("open", "diary"),
        ("post_course", "diary"),
        ("month_12", "diary"),
        ("post", "given"),
        ("last_visit", "visit"),
    ):
        assert last(post, source) is None


def test_without_fees_or_sessions() -> None:
    table, plane = build(sessions([{"patient_id": "a", "minutes": 60}]), changes({"a": -2}))
    assert set(table["topic"]) == {"minutes"} and len(plane) == 0
    nothing, plane = build_cost(
        tables.empty("sessions"), tables.empty("change"), pd.Index([]), CLINIC, "primary"
    )
    assert len(nothing) == len(plane) == 0


def test_order_of_rows_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    cost, change = rng.gamma(8, 200, 50), rng.normal(-4, 5, 50)
    first = cost_per_day(cost, change, expected=None, replicates=400, seed=9)
    mixed = rng.permutation(50)
    again = cost_per_day(cost[mixed], change[mixed], expected=None, replicates=400, seed=9)
    assert (first.ratio_low, first.ratio_high) == (again.ratio_low, again.ratio_high)


def test_the_plane_is_drawn_as_the_table_says() -> None:
    rng = np.random.default_rng(2)
    people = [f"p{i:02d}" for i in range(40)]
    rows = [
        {"patient_id": p, "fee": float(rng.integers(50, 300)), "currency": "EUR"} for p in people
    ]
    change = changes(dict(zip(people, rng.normal(-0.5, 5, 40), strict=True)))
    table, plane = build(sessions(rows), change)
    left = plane.loc[plane["difference_high"] <= 0, "share"].sum()
    assert left == pytest.approx(pick(table, "plane_fewer")["estimate"])  # 0 is an edge
    assert (plane["difference_low"] * plane["difference_high"] >= 0).all()
    drawn = draw_cost_plane(plane, table, "EUR", "uncontrolled", stamp="SYNTHETIC")
    bars = [p for p in drawn.figure.axes[0].patches if p.get_height() > 0]
    assert len(bars) == len(plane)
    assert {round(b.get_x(), 9) for b in bars} == set(plane["difference_low"].round(9))
    number = re.search(r"fewer headache days: ([0-9.]+) %", drawn.alt)
    assert number and float(number[1]) == pytest.approx(left, abs=0.05)
    assert drawn.alt.startswith("SYNTHETIC")
    fewer = table.assign(estimate=table["estimate"].mask(table["statistic"] == "days_a_year", 1234))
    drawn = draw_cost_plane(plane, fewer, "EUR", "uncontrolled")
    assert ", −1 234 headache days a year" in drawn.alt
    hidden = draw_cost_plane(plane.assign(redacted=True), table, "EUR", "uncontrolled")
    assert not hidden.figure.axes[0].patches and "Hidden" in hidden.alt
    assert not re.search(r"\d", hidden.alt)


def test_every_replicate_lies_in_a_cell_of_the_plane() -> None:
    """17 x 0.2 is a hair above 3.4, which must stand in the cell that begins there."""
    costs, differences = np.array([3.4, 4.0, 6.0]), np.array([-1.0, 0.0, 1.0])
    cells = count_cells(CostPerDay(3, costs=costs, differences=differences))
    assert sum(cell["share"] for cell in cells) == pytest.approx(100)
    assert min(cell["cost_low"] for cell in cells) == pytest.approx(3.4)


@pytest.mark.parametrize(
    ("span", "width"), [(16.0, 1), (16.1, 2), (40.0, 5), (81.0, 10), (1.6, 0.1), (0.81, 0.1)]
)
def test_a_cell_of_the_plane_is_as_wide_as_one_two_or_five(span: float, width: float) -> None:
    # The narrowest of these of which sixteen hold every replicate.
    values = np.linspace(0.0, span, 50)
    cells = count_cells(CostPerDay(3, costs=values, differences=np.zeros(50)))
    assert cells[0]["cost_high"] - cells[0]["cost_low"] == pytest.approx(width)
    assert cells[-1]["cost_high"] >= span
