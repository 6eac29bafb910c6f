"""Control charts against printed examples, and signals against their known run length."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headway import config
from headway.config import name_clinic
from headway.config.clinic import ChartNote, Charts
from headway.figures.clinic.control_chart import draw_control_charts
from headway.ingest.gate.texts import check_texts
from headway.messages import Message, speaking
from headway.outcomes.audit import audit_clinic
from headway.outcomes.care.control_charts import (
    build_control_charts,
    chart_individuals,
    chart_shares,
    find_last_month,
    find_signals,
    find_start_months,
)
from headway.tables import read_parquet
from tests.unit.clinic_builder import ingest, write_clinic

# Montgomery, Introduction to Statistical Quality Control, 7th ed. 2013: costs of processing loan
# applications (example 6.5), orange juice cans (example 7.1).
LOANS = [310, 288, 297, 298, 307, 303, 294, 297, 308, 306, 294, 299, 297, 299, 314, 295, 293, 306,
         301, 304]  # fmt: skip
CANS = [12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9,
        12, 7, 13, 9, 6]  # fmt: skip


def test_individuals_of_a_textbook() -> None:
    chart = chart_individuals(LOANS)
    # Printed with d2 = 1.128 and D4 = 3.267: mean 300.5, mR 7.79, 279.78 to 321.22, 25.45.
    assert chart.centre[0] == pytest.approx(300.5)
    assert np.nanmean(chart.moving_range) == pytest.approx(7.79, abs=0.005)
    assert chart.low[0] == pytest.approx(279.78, abs=0.02)
    assert chart.high[0] == pytest.approx(321.22, abs=0.02)
    assert chart.range_high[0] == pytest.approx(25.45, abs=0.02)
    assert not chart.signals.any()


def test_shares_of_a_textbook() -> None:
    chart = chart_shares(CANS, [50] * 30)
    # Printed: p 0.2313, 0.0524 to 0.4102; samples 15 and 23 lie outside.
    assert (chart.centre[0], chart.low[0], chart.high[0]) == pytest.approx(
        (0.2313, 0.0524, 0.4102), abs=5e-5
    )
    assert (np.flatnonzero(chart.signals[0]) + 1).tolist() == [15, 23]
    kept = np.delete(CANS, [14, 22])
    again = chart_shares(kept, [50] * 28)
    assert (again.centre[0], again.low[0], again.high[0]) == pytest.approx(
        (0.2150, 0.0407, 0.3893), abs=1e-4
    )
    with pytest.raises(ValueError, match="counts"):
        chart_shares([3], [2])


def test_limits_of_shares_follow_the_number_of_people() -> None:
    chart = chart_shares([5, 40, 2], [10, 80, 4])
    assert chart.centre.tolist() == [0.5] * 3
    half = 1.5 / np.sqrt([10, 80, 4])
    assert chart.high.tolist() == pytest.approx(np.minimum(0.5 + half, 1).tolist())
    assert chart.low.tolist() == pytest.approx(np.maximum(0.5 - half, 0).tolist())
    none = chart_shares([0, 0], [9, 9])
    assert not none.signals.any() and none.high.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("z", "rule", "at"),
    [
        ([0, 3.1, 0], 1, [1]),
        ([2.1, 0, 2.2, 0], 2, [2]),
        ([2.1, 0, -2.2, 0], 2, []),
        ([2.1, 2.2, 0], 2, [1]),
        ([1.1, 1.2, 0, 1.1, 1.3, 0], 3, [4]),
        ([1.1, 1.2, 0, 1.1, 0, 1.3], 3, []),
        ([0.1] * 9, 4, [7, 8]),
        ([0.1] * 7 + [0.0, 0.1], 4, []),
        ([-0.1] * 8, 4, [7]),
    ],
)
def test_each_rule_is_completed_where_it_says(z: list[float], rule: int, at: list[int]) -> None:
    assert np.flatnonzero(find_signals(z)[rule - 1]).tolist() == at
    assert not find_signals(np.full(9, np.nan)).any()


def test_all_rules_together_signal_once_in_92_points() -> None:
    """Champ and Woodall (1987), table 1: average run length 91.75 with known limits."""
    rng = np.random.default_rng(1)
    any_rule = find_signals(rng.normal(size=(6000, 1200))).any(axis=0)
    assert any_rule.any(axis=1).mean() > 0.999
    length = np.where(any_rule.any(axis=1), any_rule.argmax(axis=1) + 1, 1200)
    # Standard error about 1.2.
    assert length.mean() == pytest.approx(91.75, abs=3.6)


def test_phases_have_their_own_limits_and_rules() -> None:
    value = [10.0, 12, 10, 12, 20, 22, 20, 22]
    chart = chart_individuals(value, [1] * 4 + [2] * 4)
    assert chart.centre.tolist() == [11] * 4 + [21] * 4
    assert np.isnan(chart.moving_range[[0, 4]]).all()  # no step across phases
    assert not chart.signals.any()
    assert chart_individuals(value).centre[0] == 16
    lone = chart_individuals([5.0, 6, 9], [1, 1, 2])
    assert np.isnan(lone.low[2]) and lone.centre[2] == 9
    with pytest.raises(ValueError, match="phase"):
        chart_individuals([1.0, 2], [1])


def test_months_of_start_are_charted_with_everyone_who_started() -> None:
    people = [f"p{i:03}" for i in range(60)]
    months = pd.Series({p: i // 4 + (3 if i >= 40 else 0) for i, p in enumerate(people[:56])})
    pairs = pd.DataFrame({"patient_id": people[:50], "pre": 16.0, "post": 12.0})
    pairs.loc[::5, "post"] = 8.0
    clinic = replace(name_clinic("c"), charts=Charts(phases=(8,)))
    found = build_control_charts(
        pairs, months, pd.Index(people), clinic, unit="days", last_month=None
    )
    lost = found[found["chart"] == "lost"]
    assert lost["n"].sum() == 56  # those without a month are not charted
    assert lost["count"].sum() == 6
    change = found[found["chart"] == "change"]
    assert change["n"].sum() == 50
    assert change["phase"].tolist() == [1 if m < 8 else 2 for m in change["month"]]
    assert not change["month"].isin([10, 11, 12]).any()  # months without people have no row
    share = found[found["chart"] == "responders"]
    assert share["count"].sum() == 10
    assert share["value"].iloc[0] == pytest.approx(25)
    assert found["note"].str.startswith(Message("charts.few_months", least=12)).all()
    drawing = draw_control_charts(found)
    assert "Mean change (days): 8 months, centre" in drawing.alt
    assert "Western Electric" in drawing.caption
    assert not len(
        build_control_charts(pairs, months[:0], pd.Index(people), clinic, unit="d", last_month=None)
    )


def test_the_month_of_the_first_session_comes_through_the_gate(tmp_path: Path) -> None:
    text = "code,day,calendar\na,-3,6\na,0,7\na,30,8\nb,0,\nb,5,9\nc,0,7\n"
    spec = {
        "sessions": {
            "path": "sessions.csv",
            "columns": {"patient_id": "code", "day": "day", "month": "calendar"},
        }
    }
    folder = write_clinic(tmp_path / "c", {"sessions.csv": text}, spec, course={"start": 0})
    _, quarantine, out = ingest(folder)
    assert not len(quarantine)
    sessions = read_parquet(out / "sessions.parquet")
    assert find_start_months(sessions).to_dict() == {"a": 7, "b": 9, "c": 7}
    # Day 83 is 84 days, or three months, after the start.
    assert find_last_month(sessions, 83) == 6
    assert find_last_month(sessions.iloc[:0], 83) is None


def test_who_could_not_yet_reach_the_window_after_is_not_lost() -> None:
    people = [f"p{i:03}" for i in range(100)]
    months = pd.Series({p: i // 5 for i, p in enumerate(people)})  # months 0 to 19
    pairs = pd.DataFrame({"patient_id": people[:85], "pre": 16.0, "post": 12.0})
    arguments = (pairs, months, pd.Index(people), name_clinic("c"))
    naive = build_control_charts(*arguments, unit="days", last_month=None)
    assert naive.loc[naive["chart"] == "lost", "signals"].notna().any()
    found = build_control_charts(*arguments, unit="days", last_month=16)
    lost = found[found["chart"] == "lost"]
    assert lost["month"].max() == 16
    assert (lost["value"] == 0).all() and lost["signals"].isna().all()


def test_answers_at_visits_may_come_later_than_the_diary_window_ends(tmp_path: Path) -> None:
    """Records end in month 12; an answer counts up to day 112, four months after the start."""
    rows = [(f"{who}{start}", 0, start, 14) for start in range(1, 13) for who in "ab"]
    rows += [(f"a{start}", 84, start + 3, 10) for start in range(1, 10)]
    text = "code,day,calendar,asked\n" + "".join(f"{','.join(map(str, r))}\n" for r in rows)
    columns = {"patient_id": "code", "day": "day", "month": "calendar", "headache_days_28": "asked"}
    spec = {"sessions": {"path": "sessions.csv", "columns": columns}}
    folder = write_clinic(tmp_path / "c", {"sessions.csv": text}, spec, course={"start": 0})
    clinic = config.load_clinic(folder)
    found = audit_clinic(ingest(folder)[2], clinic)["control_chart"]
    lost = found[found["chart"] == "lost"].set_index("month")["count"]
    # In month 9 both may still answer: neither is lost, nor charted.
    assert lost.to_dict() == dict.fromkeys(range(1, 9), 1)


def charted(months: int = 12) -> pd.DataFrame:
    """Chart people who started over some months."""
    people = [f"p{i:03}" for i in range(6 * months)]
    starts = pd.Series({p: 1 + i // 6 for i, p in enumerate(people)})
    pairs = pd.DataFrame({"patient_id": people, "pre": 16.0, "post": 12.0})
    return build_control_charts(
        pairs, starts, pd.Index(people), name_clinic("c"), unit="days", last_month=None
    )


def test_notes_are_labelled_lines_where_their_month_begins() -> None:
    """Text is text, a long one is cut short beside its line and whole in the caption."""
    long = "the practice moved to the other side of the river, with a room more"
    notes = (
        ChartNote(month=7, text="new couch"),
        ChartNote(month=3, text=f"$x_1$ <b>\n{long}"),
        ChartNote(month=40, text="after the last month"),
    )
    drawing = draw_control_charts(charted(), notes)
    for axes in drawing.figure.axes:
        lines = [line for line in axes.lines if line.get_linestyle() == "-."]
        assert sorted(line.get_xdata()[0] for line in lines) == [2.5, 6.5]
        written = [text.get_text().strip() for text in axes.texts]
        assert "new couch" in written
        assert all(len(text) <= 22 for text in written)
    for text in (drawing.caption, drawing.alt):
        assert f"From month 3 on: $x_1$ <b> {long}. From month 7 on: new couch." in text
        assert "after the last" not in text


@pytest.mark.parametrize(
    ("language", "said"), [("es", "Desde el mes 7: couch."), ("de", "Ab Monat 7: couch.")]
)
def test_notes_are_told_in_the_language_of_the_page(language: str, said: str) -> None:
    with speaking(language):
        assert said in draw_control_charts(charted(), (ChartNote(month=7, text="couch"),)).caption


def test_notes_pass_the_gate_like_other_texts_of_clinic_yaml() -> None:
    known = Charts(notes=(ChartNote(month=2, text="new couch"),))
    assert check_texts(replace(name_clinic("c"), charts=known)) == []
    for text, rule in (("since 2031-04-12", "full_date"), ("mail to jo@example.org", "email")):
        named = Charts(notes=(*known.notes, ChartNote(month=7, text=text)))
        (problem,) = check_texts(replace(name_clinic("c"), charts=named))
        assert problem.rule == rule
        assert problem.column == "charts.notes.1.text"
        assert text not in str(problem)
