"""All windows at once: closed forms, the small-sample correction, which windows enter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway.config import name_clinic
from headway.config.clinic import Window, Windows
from headway.outcomes.change.change import t_interval
from headway.outcomes.change.windows import Comparison
from headway.outcomes.expectation import longitudinal
from headway.tables import conform

PAIR = Comparison("primary", "", "baseline", "post", "diary", True, False)
NAMED = {
    "earlier": Window(from_=-56, to=-29),
    "baseline": Window(from_=-28, to=-1),
    "post": Window(from_=56, to=83),
    "late": Window(from_=70, to=97),
    "followup_1": Window(from_=84, to=111),
    "post_course": Window(from_=1, to=28, anchor="last_session"),
}
CLINIC = replace(name_clinic("c"), windows=Windows(named=NAMED, min_days=20))


def make_pairs(n: int = 40, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    share = rng.beta(2, 2, n)
    before, after = rng.binomial(28, share), rng.binomial(28, np.clip(share - 0.1, 0.01, 1))
    rows = pd.DataFrame(
        {
            "patient_id": [f"p{i}" for i in range(n)] * 2,
            "person": [*range(n)] * 2,
            "level": ["before"] * n + ["after"] * n,
            "value": np.concatenate([before, after]).astype(float),
            "count": np.concatenate([before, after]).astype(float),
            "days": 28.0,
            "complete": True,
        }
    )
    return rows.sort_values("person", ignore_index=True), (after - before).astype(float)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_with_two_full_windows_it_is_the_paired_change(family: Any) -> None:
    """A saturated model of complete pairs: the shares are the observed ones.

    The robust variance of their difference is that of the paired change with n instead of n - 1;
    Mancl and DeRouen's leverage is 1 / n, so that the corrected one is n / (n - 1) times as wide.
    """
    rows, change = make_pairs()
    found, n = longitudinal.estimate_change(rows, family), 40
    assert found is not None
    assert np.isclose(found.days, change.mean(), atol=1e-9)
    robust = (found.days_robust[1] - found.days_robust[0]) / 2 / 1.959963984540054
    assert np.isclose(robust, change.std(ddof=0) / np.sqrt(n), rtol=1e-6)
    t = 2.024394164  # 97.5 % of t with 38
    corrected = (found.days_corrected[1] - found.days_corrected[0]) / 2 / t
    assert np.isclose(corrected / robust, n / (n - 1), rtol=1e-6)
    before = rows.loc[rows["level"] == "before", "count"].sum()
    after = rows.loc[rows["level"] == "after", "count"].sum()
    odds = (after / (28 * n - after)) / (before / (28 * n - before))
    assert np.isclose(found.ratio, odds if family == "binomial" else after / before, rtol=1e-8)
    assert (found.people, found.rows) == (n, 2 * n)


def test_the_small_sample_correction_with_unequal_days() -> None:
    """Mancl and DeRouen (2001), eq. 6, written out for each person."""
    rng = np.random.default_rng(5)
    person, late, days, count = [], [], [], []
    for i, share in enumerate(rng.beta(2, 2, 14)):
        for k in range(3):
            if rng.random() < 0.8:
                person.append(i)
                late.append(float(k > 0))
                days.append(float(rng.integers(5, 29)))
                count.append(float(rng.binomial(int(days[-1]), share)))
    design = np.column_stack([np.ones(len(late)), late])
    fit = longitudinal.fit_gee(count, days, design, person, "binomial")
    y, n, who = np.array(count) / np.array(days), np.array(days), np.array(person)
    mu = 1 / (1 + np.exp(-design @ fit.params))
    parts, bread = [], np.zeros((2, 2))
    for i in np.unique(who):
        rows = who == i
        slope = (mu[rows] * (1 - mu[rows]))[:, None] * design[rows]
        sd = np.sqrt(mu[rows] * (1 - mu[rows]) / n[rows])
        working = np.full((rows.sum(), rows.sum()), fit.correlation)
        np.fill_diagonal(working, 1)
        inverse = np.linalg.inv(sd[:, None] * working * sd[None, :])
        bread += slope.T @ inverse @ slope
        parts.append((slope, inverse, (y - mu)[rows]))
    bread = np.linalg.inv(bread)
    meat, plain = np.zeros((2, 2)), np.zeros((2, 2))
    for slope, inverse, residual in parts:
        leverage = slope @ bread @ slope.T @ inverse
        score = slope.T @ inverse @ np.linalg.solve(np.eye(len(residual)) - leverage, residual)
        meat += np.outer(score, score)
        raw = slope.T @ inverse @ residual
        plain += np.outer(raw, raw)
    assert np.allclose(fit.robust, bread @ plain @ bread, rtol=1e-6)
    assert np.allclose(fit.corrected, bread @ meat @ bread, rtol=1e-6)
    assert (np.diag(fit.corrected) > np.diag(fit.robust)).all()


def test_the_mixed_model_of_complete_pairs_is_the_paired_change() -> None:
    rows, change = make_pairs()
    found = longitudinal.fit_mixed(rows)
    assert found is not None
    assert np.isclose(found.estimate, change.mean(), atol=1e-8)
    assert np.isclose(found.se, change.std(ddof=1) / np.sqrt(40), rtol=1e-9)


def test_too_few_people_are_no_model() -> None:
    rows, _ = make_pairs()
    alone = rows[(rows["level"] == "before") | (rows["person"] == 0)]
    assert longitudinal.estimate_change(alone, "binomial") is None
    assert longitudinal.fit_mixed(alone) is None
    # Nobody has a headache afterwards: the odds ratio is 0.
    gone = rows.assign(count=rows["count"].where(rows["level"] == "before", 0.0))
    assert longitudinal.estimate_change(gone, "binomial") is None
    none = rows.assign(count=0.0, value=0.0)
    assert longitudinal.estimate_change(none, "binomial") is None
    assert longitudinal.estimate_change(none, "poisson") is None
    assert longitudinal.fit_mixed(none) is None


def make_windows(rows: list[tuple[str, str, float, float]], source: str = "diary") -> pd.DataFrame:
    """Person, window, headache days, days observed."""
    return conform(
        "windows",
        pd.DataFrame(
            [
                {
                    "patient_id": person,
                    "window": window,
                    "source": source,
                    "outcome": "frequency",
                    "value": 28 * count / days if source == "diary" else count,
                    "count": count if source == "diary" else np.nan,
                    "days_observed": days if source == "diary" else np.nan,
                    "days_possible": 28.0 if source == "diary" else np.nan,
                    "complete": days >= 20,
                }
                for person, window, count, days in rows
            ]
        ),
    )


def levels(rows: pd.DataFrame) -> set[str]:
    return set(rows["level"])


def test_windows_that_overlap_enter_once() -> None:
    table = make_windows([("a", name, 10.0, 25.0) for name in NAMED])
    stacked = longitudinal.stack_windows(table, PAIR, CLINIC, "frequency")
    # `late` shares days with `post`; `post_course` may share days with anything.
    assert levels(stacked) == {"before", "after", "window earlier", "window followup_1"}
    two = Comparison("primary", "", "baseline", "post", "diary", True, True)
    stacked = longitudinal.stack_windows(table, two, CLINIC, "frequency")
    assert stacked["level"].value_counts().to_dict() == {
        "before": 2, "after": 1, "window followup_1": 1,
    }  # fmt: skip


def test_a_window_called_post_is_not_taken_for_the_one_compared() -> None:
    """Vickers' 12 months are compared, and its 3 months are called `post`."""
    later = Comparison("month_12", "", "baseline", "followup_1", "given", True, False)
    table = make_windows(
        [("a", "baseline", 20, 28), ("a", "post", 1, 28), ("a", "followup_1", 10, 28)], "given"
    )
    stacked = longitudinal.stack_windows(table, later, CLINIC, "frequency")
    assert stacked.set_index("level")["count"].to_dict() == {
        "before": 20.0, "after": 10.0, "window post": 1.0,
    }  # fmt: skip
    assert (stacked["days"] == 28).all()


def test_short_windows_enter_with_their_days_and_second_courses_do_not() -> None:
    table = make_windows(
        [("a", "baseline", 10, 25), ("a", "post", 4, 6), ("b", "post", 5, 26), ("b", "late", 1, 9)]
    )
    # Enough days and yet not complete: it reaches into a second course.
    table.loc[table["patient_id"] == "b", "complete"] = False
    stacked = longitudinal.stack_windows(table, PAIR, CLINIC, "frequency")
    assert sorted(zip(stacked["count"], stacked["days"], strict=True)) == [(4, 6), (10, 25)]


def test_people_of_one_therapist_are_taken_as_alike() -> None:
    """Against statsmodels' cluster-robust covariance, less its factor for coefficients."""
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    therapist = np.repeat([f"T{i}" for i in range(12)], rng.integers(2, 9, 12))
    shift = dict(zip(np.unique(therapist), rng.normal(0, 2, 12), strict=True))
    change = rng.normal(-3, 4, len(therapist)) + np.array([shift[t] for t in therapist])
    found = longitudinal.cluster_change(change, therapist)
    assert found is not None
    _, number = np.unique(therapist, return_inverse=True)
    fit = sm.OLS(change, np.ones(len(change))).fit(
        cov_type="cluster", cov_kwds={"groups": number, "use_correction": False}, use_t=True
    )
    se = float(fit.bse[0]) * np.sqrt(12 / 11)
    t = 2.200985160  # 97.5 % of t with 11
    assert (found.n, found.clusters) == (len(change), 12)
    assert np.isclose(found.ci_high - found.estimate, t * se, rtol=1e-8)
    # One person each: the t interval of the change.
    alone = longitudinal.cluster_change(change, np.arange(len(change)))
    assert alone is not None
    assert np.allclose((alone.ci_low, alone.ci_high), t_interval(change), rtol=1e-12)
    nine = number < 9
    assert longitudinal.cluster_change(change[nine], therapist[nine]) is None
    assert longitudinal.cluster_change([], []) is None


def test_a_window_of_nobody_else_does_not_stop_the_model() -> None:
    rows, change = make_pairs()
    odd = rows.iloc[[0]].assign(level="window late")
    free = rows.iloc[:6].assign(level="window free", count=0.0, value=0.0)
    more = pd.concat([rows, odd, free], ignore_index=True)
    found = longitudinal.estimate_change(more, "binomial")
    assert found is not None
    assert np.isclose(found.days, change.mean(), atol=1e-9)
    assert found.rows == 80


def test_equations_that_leave_no_residual_have_no_solution() -> None:
    """Everybody has the same share before, and the same after: nothing is left to correlate."""
    design = np.tile([[1.0, 0.0], [1.0, 1.0]], (4, 1))
    count, days, people = np.tile([7.0, 14.0], 4), np.full(8, 28.0), np.repeat(range(4), 2)
    for family in ("binomial", "poisson"):
        with pytest.raises(ValueError, match="without residuals"):
            longitudinal.fit_gee(count, days, design, people, family)


def test_a_model_that_leaves_no_residual_is_no_fit() -> None:
    """Everybody has the same value before, and the same after."""
    people = [f"p{i}" for i in range(6)]
    level = pd.DataFrame({"level": ["before", "after"], "value": [7.0, 14.0]})
    rows = pd.DataFrame({"patient_id": people, "person": range(6)}).merge(level, how="cross")
    rows = rows.assign(count=rows["value"], days=28.0, complete=True)
    assert longitudinal.fit_mixed(rows) is None
