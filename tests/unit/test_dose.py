"""Dose and change: the numbers, and that they never come without their warning."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from headway.outcomes.care import dose


def test_rank_correlation_and_its_interval() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(1, 9, 40), rng.normal(size=40)
    r, low, high = dose.spearman_interval(x, y)
    assert r == pytest.approx(stats.spearmanr(x, y).statistic)
    half = 1.959963984540054 * np.sqrt((1 + r**2 / 2) / 37)
    assert (low, high) == pytest.approx(
        (np.tanh(np.arctanh(r) - half), np.tanh(np.arctanh(r) + half))
    )
    assert np.isnan(dose.spearman_interval([1, 1, 1, 1], [1, 2, 3, 4])).all()
    for n in (4, 12):  # nothing is known of the error of ranks that agree
        one = dose.spearman_interval(range(n), range(n))
        assert one[0] == pytest.approx(1) and np.isnan(one[1:]).all()


def test_rank_correlation_interval_covers_95_percent() -> None:
    """Normal pairs with rho = 0.5: Spearman's rho is 6 / pi asin(0.25) = 0.4826."""
    rng = np.random.default_rng(2)
    truth, hits, runs = 6 / np.pi * np.arcsin(0.25), 0, 2000
    for _ in range(runs):
        x = rng.normal(size=50)
        y = 0.5 * x + np.sqrt(0.75) * rng.normal(size=50)
        _, low, high = dose.spearman_interval(x, y)
        hits += low <= truth <= high
    assert abs(hits / runs - 0.95) < 0.015  # three Monte Carlo standard errors


def test_slope_has_hc3_errors() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(1, 12, 60).astype(float)
    y = -0.3 * x + rng.normal(size=60) * x
    slope, low, high = dose.robust_slope(x, y)
    design = np.column_stack([np.ones(60), x])
    bread = np.linalg.inv(design.T @ design)
    beta = bread @ design.T @ y
    leverage = np.einsum("ij,jk,ik->i", design, bread, design)
    weighted = design * ((y - design @ beta) / (1 - leverage))[:, None]
    se = np.sqrt((bread @ weighted.T @ weighted @ bread)[1, 1])
    half = stats.t.ppf(0.975, 58) * se
    assert (slope, low, high) == pytest.approx((beta[1], beta[1] - half, beta[1] + half))
    assert np.isnan(dose.robust_slope([1, 1, 1, 1], [1, 2, 3, 4])).all()


def make_records() -> tuple[pd.DataFrame, pd.DataFrame]:
    people = [f"p{i:02}" for i in range(24)]
    visits = [1 + i // 4 for i in range(24)]  # 1 to 6 sessions, four people each
    rows = [
        {"patient_id": p, "day": 7 * j, "minutes": 90.0 if p != "p00" else np.nan}
        for p, v in zip(people, visits, strict=True)
        for j in range(v)
    ]
    # Before the start, and from the window after on: neither is counted.
    rows += [{"patient_id": "p01", "day": d, "minutes": 500.0} for d in (-5, 56, 80)]
    pairs = pd.DataFrame({"patient_id": people, "pre": 16.0, "post": 16.0 - np.array(visits)})
    return pairs, pd.DataFrame(rows)


def test_sessions_before_the_window_after_are_counted() -> None:
    pairs, sessions = make_records()
    found = dose.count_doses(sessions, 56)
    assert found.loc["p01"].tolist() == [1, 90]
    assert found.loc["p23"].tolist() == [6, 540]
    assert found.loc["p00", "sessions"] == 1 and np.isnan(found.loc["p00", "minutes"])

    table = dose.build_dose(pairs, sessions, 56, unit="days_per_28")
    assert (table["note"] == dose.WARNING).all()
    own = table[table["dose"] == "sessions"]
    for statistic in ("spearman", "slope"):
        row = own[own["statistic"] == statistic].iloc[0]
        assert row["estimate"] == pytest.approx(-1)
    thirds = own[own["statistic"] == "mean_change_of_third"]
    assert thirds["n"].tolist() == [8, 8, 8]
    assert thirds[["dose_low", "dose_high"]].to_numpy().tolist() == [[1, 2], [3, 4], [5, 6]]
    assert thirds["estimate"].tolist() == pytest.approx([-1.5, -3.5, -5.5])
    minutes = table[(table["dose"] == "minutes") & (table["statistic"] == "slope")]
    # 90 minutes go with one day less; the row is per 60 minutes.
    assert minutes["estimate"].iloc[0] == pytest.approx(-2 / 3)
    assert minutes["n"].iloc[0] == 23
    assert not len(dose.build_dose(pairs[:9], sessions, 56, unit="d"))


def test_equal_doses_stay_in_one_third() -> None:
    pairs = pd.DataFrame(
        {"patient_id": [f"p{i:02}" for i in range(12)], "pre": 10.0, "post": np.arange(12.0)}
    )
    rows = [
        {"patient_id": p, "day": j, "minutes": 60.0}
        for i, p in enumerate(pairs["patient_id"])
        for j in range(2 if i < 9 else 5)
    ]
    table = dose.build_dose(pairs, pd.DataFrame(rows), 56, unit="d")
    thirds = table[(table["dose"] == "sessions") & table["level"].notna()]
    assert thirds["n"].tolist() == [9, 3]
    assert thirds["level"].tolist() == ["least", "most"]
