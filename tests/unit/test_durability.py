"""Time to relapse: who is at risk, what a relapse is, and the curve."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import config
from headway.config.clinic import Relapse, Window
from headway.config.departures import list_departures
from headway.figures.clinic.durability import draw_durability
from headway.outcomes.care import durability
from headway.outcomes.care.durability import find_horizon, find_relapse, read_time_to_relapse
from headway.outcomes.care.turnbull import estimate_free, fit_turnbull
from headway.outcomes.change import cohort
from headway.outcomes.change.windows import Comparison
from headway.tables import conform
from tests.unit.clinic_builder import DIARY, diary_text, ingest, write_clinic

RULE = replace(config.name_clinic("c"), relapse=Relapse(min_at_risk=1))
INF = float("inf")


@pytest.mark.parametrize(
    ("windows", "two", "one"),
    [
        # g good, b bad, . unknown -> (left, right, gap)
        ("gggg", (3, INF, False), (4, INF, False)),
        ("gbbg", (1, 2, False), (1, 2, False)),
        ("gbgb", (3, INF, False), (1, 2, False)),
        ("bb..", (0, 1, False), (0, 1, False)),
        ("gggb", (3, INF, False), (3, 4, False)),
        ("gb.b", (1, INF, True), (1, 2, False)),
        ("gg.b", (2, INF, True), (2, 4, False)),
        ("g..bb", (1, 4, False), (1, 4, False)),
        ("g.gb.bb", (3, 6, False), (3, 4, False)),
        ("g.g..", (2, INF, True), (3, INF, True)),
        ("g...", (0, INF, False), (1, INF, False)),
        ("....", (0, INF, False), (0, INF, False)),
        (".bbb", (0, 2, False), (0, 2, False)),
    ],
)
def test_a_relapse_lies_after_the_last_good_window(windows: str, two: Any, one: Any) -> None:
    bad = np.array([[w == "b" for w in windows]])
    known = np.array([[w != "." for w in windows]])
    for in_a_row, wanted in ((2, two), (1, one)):
        left, right, gap = find_relapse(bad, known, in_a_row)
        assert (left[0], right[0], bool(gap[0])) == wanted


def test_nobody_who_leaves_after_one_bad_window_makes_the_curve_look_better() -> None:
    """Dating at the first of two windows must not count people who could not be confirmed."""
    rng = np.random.default_rng(5)
    n, width = 40_000, 8
    bad = rng.random((n, width)) < 0.3
    length = rng.integers(0, width + 1, n)
    known = np.arange(width) < length[:, None]
    left, right, _ = find_relapse(bad & known, known, 2)
    fit = fit_turnbull(left, right)
    _, full, _ = find_relapse(bad, np.ones_like(known), 2)
    truth = [1 - (full <= w).mean() for w in range(width)]
    found = [estimate_free(fit, w).estimate for w in range(width)]
    assert np.abs(np.subtract(found, truth)).max() < 0.012  # about three standard errors


def test_windows_without_a_record_do_not_bend_the_curve() -> None:
    """People stay bad once they are; a third of windows is missing: the curve is still right."""
    rng = np.random.default_rng(6)
    n, width = 20_000, 7
    first = rng.geometric(0.2, n)
    bad = np.arange(1, width + 1) >= first[:, None]
    known = rng.random((n, width)) > 1 / 3
    left, right, _ = find_relapse(bad & known, known, 1)
    fit = fit_turnbull(left, right, grid=range(width + 1))
    found = [estimate_free(fit, w).estimate for w in range(width)]
    assert np.abs(np.subtract(found, 0.8 ** np.arange(width))).max() < 0.015


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
    conform("relapse_curve", found.curve)
    rows = found.relapse.set_index(["rule", "group"])
    assert rows.loc[("two", "all"), ["n", "events", "gaps", "followed"]].tolist() == [4, 1, 1, 4]
    assert rows.loc[("one", "all"), ["n", "events", "gaps"]].tolist() == [4, 4, 0]
    assert rows.loc[("two", "technique: manual"), "n"] == 2
    curve = found.curve[(found.curve["rule"] == "two") & (found.curve["group"] == "all")]
    # d was good in window 1 and nobody knows about 2; a relapsed in window 1.
    assert curve["at_risk"].tolist() == [4, 4, 2]
    assert curve["events"].tolist() == [0, 1, 0]
    assert curve["survival"].tolist() == pytest.approx([1, 3 / 4, 3 / 4])
    assert curve["days"].tolist() == [0, 28, 56]
    # By one window a and f relapsed in 1, b in 2, and d in 2 or 3, so that 2 takes both.
    one = found.curve[(found.curve["rule"] == "one") & (found.curve["group"] == "all")]
    assert one["survival"].tolist() == pytest.approx([1, 1 / 2, 0, 0])
    assert one["events"].tolist() == [0, 2, 2, 0]
    alone = pairs[pairs["patient_id"] == "d"]
    wide = durability.build_durability(alone, later, RULE).curve
    wide = wide[wide["rule"] == "one"]
    assert wide["lowest"].tolist() == pytest.approx([1, 1, 0, 0])
    assert wide["survival"].tolist() == pytest.approx([1, 1, 1 / 2, 0])
    assert wide["highest"].tolist() == pytest.approx([1, 1, 1, 0])
    mean = rows.loc[("one", "all")]
    assert mean["horizon_days"] == 28
    assert mean["rmst_days"] == pytest.approx((2 * 14 + 2 * 28) / 4)
    assert mean[["rmst_low_bound", "rmst_high_bound"]].tolist() == pytest.approx([14, 28])
    drawing = draw_durability(found.curve, found.relapse)
    assert "4 at risk at the start, 1 relapsed" in drawing.alt
    assert not len(durability.build_durability(pairs, later.iloc[:0], RULE).relapse)
    assert not len(
        durability.build_durability(pairs[pairs["patient_id"] == "c"], later, RULE).curve
    )


def follow(width: dict[str, int], clinic: Any, **more: Any) -> durability.Durability:
    rng = np.random.default_rng(2)
    pairs = pd.DataFrame({"patient_id": list(width), "pre": 16.0, "post": 4.0})
    later = make_later({p: list(rng.integers(0, 14, w).astype(float)) for p, w in width.items()})
    return durability.build_durability(pairs, later, clinic, **more)


@pytest.mark.parametrize(("relapses", "followed"), [(11, 1), (12, 1), (0, 1), (6, 3)])
def test_a_mean_is_never_the_whole_horizon_while_people_relapsed(
    relapses: int, followed: int
) -> None:
    people = {f"p{i:02}": i < relapses for i in range(12)}
    pairs = pd.DataFrame({"patient_id": list(people), "pre": 16.0, "post": 4.0})
    later = make_later({p: [14.0 if b else 3.0] * followed for p, b in people.items()})
    clinic = replace(RULE, relapse=Relapse(horizon_days=28))
    rows = durability.build_durability(pairs, later, clinic).relapse
    row = rows[rows["rule"] == "one"].iloc[0]
    assert row["rmst_days"] == pytest.approx((14 * relapses + 28 * (12 - relapses)) / 12)
    assert row["rmst_low_bound"] == pytest.approx(28 * (12 - relapses) / 12)
    assert row["rmst_high_bound"] == pytest.approx(28)
    # Also where nobody, or everyone, relapsed, others like them may do otherwise.
    assert row["rmst_high"] - row["rmst_low"] > 1


def test_the_horizon_is_declared_and_does_not_follow_the_people() -> None:
    few = {f"p{i:03}": (9 if i < 12 else 5) for i in range(60)}
    many = dict.fromkeys(few, 9)
    for days in (28, 84, 140):
        clinic = replace(RULE, relapse=Relapse(horizon_days=days))
        for width in (few, many):
            rows = follow(width, clinic).relapse
            assert (rows["horizon_days"] == days).all() and rows["rmst_days"].notna().all()
            assert (rows["rmst_days"] <= days).all()
    # Beyond what anyone's record reaches, the cell is empty and says so.
    short = dict.fromkeys(few, 2)
    rows = follow(short, replace(RULE, relapse=Relapse(horizon_days=84))).relapse
    assert rows[["free_at_horizon", "rmst_days", "rmst_low_bound"]].isna().all(axis=None)
    assert (rows["note"] == "relapse.not_known_so_far").all()
    assert read_time_to_relapse(rows) is None
    labels = pd.Series({p: "manual" if i < 55 else "acupuncture" for i, p in enumerate(few)})
    clinic = replace(RULE, relapse=Relapse(min_at_risk=10))
    rows = follow(many, clinic, groups=labels).relapse.set_index(["rule", "group"])
    assert np.isnan(rows.loc[("two", "technique: acupuncture"), "rmst_days"])
    assert "relapse.too_few" in rows.loc[("two", "technique: acupuncture"), "note"]
    assert rows.loc[("two", "technique: manual"), "rmst_days"] > 0


def test_the_default_horizon_comes_from_the_windows() -> None:
    clinic = config.name_clinic("c")
    assert find_horizon(clinic, "post") == 28  # followup_1 ends at day 111, post at 83
    named = dict(clinic.windows.named)

    def declare(**more: Window) -> float:
        return find_horizon(
            replace(clinic, windows=replace(clinic.windows, named={**named, **more})), "post"
        )

    assert declare(followup_2=Window(from_=224, to=251)) == 168
    assert declare(followup_2=Window(from_=200, to=235)) == 140  # whole windows
    assert declare(tail=Window(from_=1, to=400, anchor="last_session")) == 28
    assert declare(open=Window(from_=200, to=None)) == 28
    assert find_horizon(clinic, "followup_1") == 28  # none is later
    chosen = replace(clinic, relapse=Relapse(horizon_days=84))
    assert find_horizon(chosen, "post") == 84
    assert [d.key for d in list_departures(chosen)] == ["relapse.horizon_days"]


def test_the_claim_of_a_return_stands_on_the_mean_of_everyone() -> None:
    rows = follow({f"p{i:03}": 4 for i in range(40)}, RULE).relapse
    two = rows[(rows["rule"] == "two") & (rows["group"] == "all")].iloc[0]
    found = read_time_to_relapse(rows)
    assert found is not None
    assert (found.estimate, found.ci_low) == (two["rmst_days"], two["rmst_low"])
    assert "claim.note.horizon" in found.note
    one = read_time_to_relapse(rows[rows["rule"] == "one"])
    assert one is not None and one.estimate != found.estimate
    assert read_time_to_relapse(rows.iloc[:0]) is None


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
