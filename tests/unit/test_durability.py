"""Time to relapse: who is at risk, what a relapse is, and the curve."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import config
from headway.config.clinic import Relapse
from headway.figures.clinic.durability import draw_durability
from headway.outcomes.care import durability
from headway.outcomes.care.durability import find_relapse, fit_kaplan_meier, restrict_mean
from headway.outcomes.change import cohort
from headway.outcomes.change.windows import Comparison
from headway.tables import conform
from tests.unit.clinic_builder import DIARY, diary_text, ingest, write_clinic

RULE = replace(config.name_clinic("c"), relapse=Relapse(min_at_risk=1))


def test_curve_and_mean_are_those_of_statsmodels() -> None:
    from statsmodels.duration.survfunc import SurvfuncRight

    rng = np.random.default_rng(1)
    for n, hazard in ((8, 0.3), (60, 0.1), (400, 0.05)):
        relapse, end = rng.geometric(hazard, n), rng.integers(1, 13, n)
        time, event = np.minimum(relapse, end), relapse <= end
        fit = fit_kaplan_meier(time, event, np.arange(13))
        known = SurvfuncRight(time, event)
        at = known.surv_times.astype(int)
        assert np.allclose(fit.survival[at], known.surv_prob, atol=1e-12)
        # Greenwood's standard error, turned back from the log-log limits.
        inner = (fit.survival[at] > 0) & (fit.survival[at] < 1)
        s = fit.survival[at][inner]
        half = np.log(np.log(fit.ci_low[at][inner]) / np.log(s))
        se = half / 1.959963984540054 * -s * np.log(s)
        assert np.allclose(se, np.asarray(known.surv_prob_se)[inner], rtol=1e-9)


def test_the_mean_of_everyone_followed_is_the_plain_mean() -> None:
    time = np.array([1, 2, 2, 3, 5, 5, 5, 4])
    fit = fit_kaplan_meier(time, np.ones(8), np.arange(6))
    mean = restrict_mean(fit, 5)
    assert mean.estimate == pytest.approx(time.mean())
    # Greenwood's variance without censoring is that of a mean with divisor n.
    assert mean.se == pytest.approx(time.std() / np.sqrt(8))
    assert fit.survival[-1] == 0 and np.isnan(fit.ci_low[-1])
    short = restrict_mean(fit, 2)
    assert short.estimate == pytest.approx(np.minimum(time, 2).mean())
    lone = restrict_mean(fit_kaplan_meier([2, 3, 3], [True, False, False], [0, 1, 2, 3]), 3)
    assert lone.ci_high == 3  # the normal limit would lie beyond the horizon
    assert np.isnan(restrict_mean(fit_kaplan_meier([2, 2], [False] * 2, [0, 1, 2]), 2).ci_low)
    for horizon in (0, 6):
        with pytest.raises(ValueError, match="horizon"):
            restrict_mean(fit, horizon)
    with pytest.raises(ValueError, match="grid"):
        fit_kaplan_meier([1.5], [True], [0, 1, 2])


def test_intervals_cover_the_truth_in_95_percent() -> None:
    """Geometric relapse, uniform end of record: coverage at window 6, n = 60."""
    rng = np.random.default_rng(7)
    hits, rmst_hits, n, runs = 0, 0, 60, 1500
    truth = 0.9**6
    mean = sum(0.9**j for j in range(6))
    for _ in range(runs):
        relapse, end = rng.geometric(0.1, n), rng.integers(3, 13, n)
        fit = fit_kaplan_meier(np.minimum(relapse, end), relapse <= end, np.arange(13))
        hits += fit.ci_low[6] <= truth <= fit.ci_high[6]
        found = restrict_mean(fit, 6)
        rmst_hits += found.ci_low <= mean <= found.ci_high
    # Monte Carlo standard error 0.6 points; three of them.
    assert abs(hits / runs - 0.95) < 0.018
    assert abs(rmst_hits / runs - 0.95) < 0.025  # normal limits of a skewed mean, n = 60


@pytest.mark.parametrize(
    ("windows", "two", "one"),
    [
        # g free, b bad, . unknown -> (window, relapsed, gap)
        ("gggg", (3, False, False), (4, False, False)),
        ("gbbg", (2, True, False), (2, True, False)),
        ("gbgb", (3, False, False), (2, True, False)),
        ("bb..", (1, True, False), (1, True, False)),
        ("gggb", (3, False, False), (4, True, False)),
        ("gb.b", (1, False, True), (2, True, False)),
        ("gg.b", (1, False, True), (2, False, True)),
        ("g...", (0, False, False), (1, False, False)),
        ("....", (0, False, False), (0, False, False)),
        (".bbb", (0, False, True), (0, False, True)),
    ],
)
def test_a_relapse_is_two_bad_windows_in_a_row(windows: str, two: Any, one: Any) -> None:
    bad = np.array([[w == "b" for w in windows]])
    known = np.array([[w != "." for w in windows]])
    for in_a_row, wanted in ((2, two), (1, one)):
        time, event, gap = find_relapse(bad, known, in_a_row)
        assert (int(time[0]), bool(event[0]), bool(gap[0])) == wanted


def test_nobody_who_leaves_after_one_bad_window_makes_the_curve_look_better() -> None:
    """Dating at the first of two windows must not count people who could not be confirmed."""
    rng = np.random.default_rng(5)
    n, width = 40_000, 8
    bad = rng.random((n, width)) < 0.3
    length = rng.integers(0, width + 1, n)
    known = np.arange(width) < length[:, None]
    time, event, _ = find_relapse(bad & known, known, 2)
    fit = fit_kaplan_meier(time, event, np.arange(width))
    full, seen, _ = find_relapse(bad, np.ones_like(known), 2)
    truth = [1 - (seen & (full <= w)).mean() for w in range(width)]
    assert np.abs(fit.survival[:width] - truth).max() < 0.012  # about three standard errors


def make_later(values: dict[str, list[float | None]]) -> pd.DataFrame:
    rows = [
        {"patient_id": p, "window": i + 1, "value": v, "complete": True}
        for p, line in values.items()
        for i, v in enumerate(line)
        if v is not None
    ]
    return pd.DataFrame(rows)


def test_who_is_at_risk_and_what_counts_as_back() -> None:
    pairs = pd.DataFrame(
        {
            "patient_id": list("abcdef"),
            "pre": [20.0, 16, 10, 20, 0, 12],
            "post": [10.0, 8, 6, 4, 0, 0],  # c fell by 40 %, e had none to lose
        }
    )
    later = make_later(
        {
            "a": [15, 15, 2],  # 75 % of 20, twice
            "b": [11.9, 12, 8],
            "c": [10, 10, 10],
            "d": [5, None, 20],
            "f": [9, 8, 9],
        }
    )
    labels = pd.Series({"a": "manual", "b": "manual", "d": "dry_needling"})
    found = durability.build_durability(pairs, later, RULE, labels)
    conform("relapse", found.relapse)
    rows = found.relapse.set_index(["rule", "group"])
    assert rows.loc[("two", "all"), ["n", "events", "gaps", "followed"]].tolist() == [4, 1, 1, 3]
    assert rows.loc[("one", "all"), ["n", "events", "gaps"]].tolist() == [4, 3, 1]
    assert rows.loc[("two", "technique: manual"), "n"] == 2
    curve = found.curve[(found.curve["rule"] == "two") & (found.curve["group"] == "all")]
    # d is judged up to window 0 (its second window is unknown); a relapsed in window 1 of three.
    assert curve["at_risk"].tolist() == [4, 3, 2]
    assert curve["events"].tolist() == [0, 1, 0]
    assert curve["survival"].tolist() == pytest.approx([1, 2 / 3, 2 / 3])
    assert curve["days"].tolist() == [0, 28, 56]
    drawing = draw_durability(found.curve, found.relapse)
    assert "4 at risk at the start, 1 relapsed" in drawing.alt
    assert not len(durability.build_durability(pairs, later.iloc[:0], RULE).relapse)
    assert not len(
        durability.build_durability(pairs[pairs["patient_id"] == "c"], later, RULE).curve
    )


def test_the_horizon_is_common_and_needs_people() -> None:
    rng = np.random.default_rng(2)
    people = [f"p{i:03}" for i in range(60)]
    pairs = pd.DataFrame({"patient_id": people, "pre": 16.0, "post": 4.0})
    width = {p: (9 if i < 30 else 5) for i, p in enumerate(people)}
    later = make_later({p: list(rng.integers(0, 14, w).astype(float)) for p, w in width.items()})
    labels = pd.Series({p: "manual" if i < 30 else "acupuncture" for i, p in enumerate(people)})
    rule = replace(RULE, relapse=Relapse(min_at_risk=10))
    found = durability.build_durability(pairs, later, rule, labels)
    for name, group in found.relapse.groupby("rule"):
        assert group["horizon_days"].nunique() == 1
        horizon = group["horizon_days"].iloc[0]
        curve = found.curve[(found.curve["rule"] == name) & (found.curve["days"] == horizon)]
        assert (curve["at_risk"] >= 10).all()
        after = found.curve[(found.curve["rule"] == name) & (found.curve["days"] == horizon + 28)]
        assert (after["at_risk"] < 10).any()
        assert (group["rmst_days"] <= horizon).all()


def test_later_windows_come_from_the_diary(tmp_path: Path) -> None:
    def line(code: str, days: range, every: int) -> list[tuple[Any, ...]]:
        return [(code, d, int(d % every == 0)) for d in days]

    text = diary_text([*line("a", range(-28, 197), 4), *line("b", range(-28, 130), 2)])
    folder = write_clinic(
        tmp_path / "c", {"diary.csv": text}, {"diary": DIARY}, course={"start": 0}
    )
    clinic = config.load_clinic(folder)
    _, _, out = ingest(folder)
    comparison = Comparison("primary", "", "baseline", "post", "diary", True, True)
    later = durability.build_later_windows(out / "days.parquet", clinic, comparison)
    # Days 84 to 111, 112 to 139, ... up to day 196: four whole windows.
    assert later.groupby("patient_id")["window"].max().to_dict() == {"a": 4, "b": 2}
    assert later.loc[later["patient_id"] == "a", "value"].tolist() == [7, 7, 7, 7]
    assert later.loc[later["patient_id"] == "b", "complete"].tolist() == [True, False]
    moving = Comparison("later", "", "baseline", "post_course", "diary", False, False)
    assert not len(durability.build_later_windows(out / "days.parquet", clinic, moving))
    assert cohort.analyse_clinic(out, clinic)["cohort"] is not None
