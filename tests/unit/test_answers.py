"""What a clinic's page can answer is told before it is built, and the page then holds to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headway import config
from headway.messages import LANGUAGES, is_message, say, speaking, term
from headway.outcomes.answers import list_answers
from headway.outcomes.care.control_charts import build_control_charts
from headway.outcomes.care.durability import build_durability
from headway.outcomes.change.cohort import analyse_clinic
from tests.unit.clinic_builder import DIARY, diary_text, ingest, statistic, write_clinic

COLUMNS = {
    **DIARY["columns"],
    "intensity": "pain",
    "duration_hours": "hours",
    "acute_medication": "pills",
}
VISITS = {
    "path": "v.csv",
    "columns": {
        "patient_id": "code",
        "day": "day",
        "soreness_days": "sore",
        "fee": "fee",
        "headache_days_28": "recalled",
    },
}
PAID = "code,day,sore,fee,recalled\nA,0,0,180,\nA,7,,180,\nB,0,1,,\n"


def ask(folder: Path) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Tell the answers of a clinic by question, and analyse it."""
    _, _, processed = ingest(folder)
    clinic = config.load_clinic(folder)
    found = {str(a["question"]): a for a in list_answers(processed, clinic)}
    return found, analyse_clinic(processed, clinic)


def days(code: str, first: int, aches: int, *, pain: object = 5, hours: object = 4) -> list[Any]:
    """Write 28 days of which the first few have a headache."""
    return [
        (code, first + i, int(i < aches), *((pain, hours, 1) if i < aches else ("", "", 0)))
        for i in range(28)
    ]


def diary_clinic(folder: Path, rows: list[Any], **files: str) -> Path:
    text = diary_text(rows, "code,day,headache,pain,hours,pills")
    spec: dict[str, Any] = {"diary": {**DIARY, "columns": COLUMNS}}
    if files:
        spec["sessions"] = VISITS
    return write_clinic(folder, {"diary.csv": text, **files}, spec)


def test_people_are_counted_as_the_page_counts_them(tmp_path: Path) -> None:
    """A, B and C have both windows, A and B an earlier one; A is followed, C has no pain scores."""
    rows = []
    for code, after in (("A", 4), ("B", 14), ("C", 5)):
        pain = "" if code == "C" else 5
        rows += days(code, -28, 14, pain=pain) + days(code, 56, after, pain=pain)
    rows += days("A", -56, 10) + days("B", -56, 10) + days("A", 84, 3) + days("D", -28, 10)
    found, result = ask(diary_clinic(tmp_path / "c", rows))
    counts = {q: (a["answered"], a["n"], a["of"]) for q, a in found.items()}
    assert counts == {
        "frequency": (True, 3, 4),
        "intensity": (True, 2, 4),
        "duration": (True, 3, 4),
        "expected": (True, 2, 3),
        "relapse": (True, 1, 2),  # A and C fell by half; A is followed
        "safety": (False, 0, 0),
        "cost": (False, 0, 0),
    }
    for outcome in ("frequency", "intensity", "duration"):
        row = statistic(result, "primary", "change_mean", outcome=outcome)
        assert (row["n"], row["of"]) == counts[outcome][1:]


def test_a_fall_of_exactly_half_is_one_whatever_the_days_with_an_entry(tmp_path: Path) -> None:
    """8 of 20 days, then 5 of 25: 11.2 and 5.6 days per 28, of which binary fractions are no half.

    The cohort counts who responded; the chart of months, the curve of relapse, and the answers told
    beforehand must count the same person.
    """
    rows = [("A", i - 28, int(i < 8), "", "", 0) for i in range(20)]
    rows += [("A", i + 56, int(i < 5), "", "", 0) for i in range(25)]
    rows += [("A", i + 84, 0, "", "", 0) for i in range(28)]
    folder = diary_clinic(tmp_path / "c", rows)
    found, result = ask(folder)
    assert statistic(result, "primary", "responders_50")["count"] == 1
    assert (found["relapse"]["n"], found["relapse"]["of"]) == (1, 1)
    pairs = result["change"].query("outcome == 'frequency' and comparison == 'primary'")
    later = pd.DataFrame({"patient_id": ["A"], "window": [1], "value": [0.0], "complete": [True]})
    clinic = config.load_clinic(folder)
    assert build_durability(pairs, later, clinic).relapse["n"].tolist() == [1]
    chart = build_control_charts(
        pairs, pd.Series({"A": 1}), pd.Index(["A"]), clinic, unit="days", last_month=None
    )
    assert chart.set_index("chart").loc["responders", "count"] == 1


def test_harms_and_fees_are_counted_by_session(tmp_path: Path) -> None:
    rows = days("A", -28, 9) + days("A", 56, 4)
    found, _ = ask(diary_clinic(tmp_path / "c", rows, **{"v.csv": PAID}))
    counts = {q: (found[q]["answered"], found[q]["n"], found[q]["of"]) for q in ("safety", "cost")}
    assert counts == {"safety": (True, 2, 3), "cost": (True, 2, 3)}
    # One person has no interval, and B has no diary.
    assert (found["frequency"]["answered"], found["frequency"]["n"]) == (False, 1)
    assert (found["expected"]["n"], found["relapse"]["answered"]) == (0, False)
    assert found["relapse"]["remedy"].startswith("answers.record_later")


def test_short_headaches_without_a_record_of_treatment_ask_for_one(tmp_path: Path) -> None:
    rows = [
        (*row[:5], "")
        for code in "AB"
        for row in days(code, -28, 9, hours=0.25) + days(code, 56, 4)
    ]
    found, _ = ask(diary_clinic(tmp_path / "c", rows))
    # 9 of the 28 days before are unknown, so no window before is complete.
    assert found["frequency"]["n"] == 0
    rows = [
        (*row[:5], "")
        for code in "AB"
        for row in days(code, -28, 9) + days(code, 56, 4, hours=0.25)
    ]
    found, _ = ask(diary_clinic(tmp_path / "d", rows))
    assert found["frequency"]["answered"]
    assert found["frequency"]["remedy"].startswith("answers.record_medication")


@pytest.mark.parametrize("recalled", [True, False])
def test_an_unusable_diary_is_named_as_the_reason(tmp_path: Path, recalled: bool) -> None:
    visits = "code,day,sore,fee,recalled\n" + "".join(
        f"{p},{day},,,{n if recalled else ''}\n" for p in "ABC" for day, n in ((0, 12), (84, 8))
    )
    rows = [(p, d, "", "", "", "") for p in "ABC" for d in (*range(-28, 0), *range(56, 84))]
    found, _ = ask(diary_clinic(tmp_path / "c", rows, **{"v.csv": visits}))
    assert found["frequency"]["answered"] == recalled
    if recalled:
        assert (found["frequency"]["n"], found["frequency"]["of"]) == (3, 3)
        assert found["expected"]["why"] == "answers.visits_have_no_earlier"
    else:
        assert "flow.no_known_day" in found["frequency"]["why"]


def test_every_answer_is_said_in_every_language(tmp_path: Path) -> None:
    found, _ = ask(diary_clinic(tmp_path / "c", days("A", -28, 9), **{"v.csv": PAID}))
    for language in LANGUAGES:
        with speaking(language):
            for answer in found.values():
                for cell in (answer["why"], answer["remedy"], term("question", answer["question"])):
                    assert not cell or (is_message(cell) and "{" not in say(cell))
            assert not any(a["answered"] for q, a in found.items() if q not in ("safety", "cost"))


def test_given_windows_are_counted_too(tmp_path: Path) -> None:
    names = (("early", "earlier"), ("before", "baseline"), ("after", "post"))
    wide = [
        {"column": c, "window": w, "outcome": "frequency", "unit": "days_per_28"} for c, w in names
    ]
    text = "code,early,before,after\nA,10,12,6\nB,,14,\nC,9,11,4\nD,,13,9\n"
    spec = {"path": "w.csv", "columns": {"patient_id": "code"}, "wide": wide}
    folder = write_clinic(tmp_path / "c", {"w.csv": text}, {"windows": spec})
    found, _ = ask(folder)
    counts = {q: (found[q]["answered"], found[q]["n"], found[q]["of"]) for q in found}
    assert counts["frequency"] == (True, 3, 4)
    assert counts["expected"] == (True, 2, 3)
    assert counts["intensity"] == (False, 0, 4)
