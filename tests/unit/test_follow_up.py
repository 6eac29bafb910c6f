"""Who got worse, who stopped recording, who is due: for the clinic's own eyes and nobody else's."""

from __future__ import annotations

import stat
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from headway import tables
from headway.config import name_clinic
from headway.config.clinic import Clinic
from headway.disclosure import PRESETS
from headway.outcomes.care.follow_up import build_follow_up
from headway.outcomes.change.windows import Comparison
from headway.report.clinic import patients
from headway.tables import empty, write_parquet
from tests.conftest import ROOT

PRIMARY = Comparison("primary", "", "baseline", "post", "diary", True, False)
# Code -> month of the start, days before and after (None: not known).
PEOPLE = {
    "worst": (1, 5.0, 15.0),
    "worse": (1, 10.0, 13.0),  # 30 % to the digit
    "from_none": (1, 0.0, 2.0),
    "nearly": (1, 10.0, 12.9),
    "better": (1, 10.0, 4.0),
    "gone": (2, 10.0, None),
    "early": (9, 10.0, None),
    "young": (9, 10.0, None),
    "no_before": (1, None, 8.0),
}


def follow(folder: Path, *, months: bool = True, comparison: Comparison = PRIMARY) -> pd.DataFrame:
    """List the people above; the records end in month 10, the window after on day 83."""
    sessions = pd.DataFrame(
        [{"patient_id": who, "day": 0, "month": start} for who, (start, *_) in PEOPLE.items()]
        + [{"patient_id": "better", "day": 270, "month": 10}]
    )
    if not months:
        sessions["month"] = pd.NA
    days = pd.DataFrame(
        {"patient_id": ["gone", "gone", "gone"], "day": [5, 31, 60], "headache": [1, 0, None]}
    )
    write_parquet(days.astype({"headache": "Int64"}), folder / "days.parquet")
    rows = [(who, pre, post) for who, (_, pre, post) in PEOPLE.items()]
    known = pd.DataFrame(rows, columns=["patient_id", "pre", "post"])
    return build_follow_up(
        known.dropna(),
        pd.Index(list(PEOPLE), name="patient_id"),
        sessions,
        folder / "days.parquet",
        comparison,
        name_clinic("c"),
        before=known.set_index("patient_id")["pre"].dropna(),
        after=pd.Index(known.loc[known["post"].notna(), "patient_id"]),
    )


def test_each_person_is_listed_once_with_the_reason(tmp_path: Path) -> None:
    found = follow(tmp_path)
    reasons = dict(zip(found["patient_id"], found["reason"], strict=True))
    assert reasons == {
        "worst": "got_worse",
        "worse": "got_worse",
        "from_none": "got_worse",
        "early": "due",
        "young": "due",
        "gone": "stopped_recording",
    }
    # Who got worse most comes first, who is not due yet before who stopped; then by code.
    order = ["worst", "worse", "from_none", "early", "young", "gone"]
    assert found["patient_id"].tolist() == order
    gone = found.set_index("patient_id").loc["gone"]
    assert gone["pre"] == 10 and pd.isna(gone["post"])
    assert gone["last_day"] == 31  # a day without an answer is no entry
    assert (gone["window_from"], gone["window_to"]) == (56, 83)


def test_without_a_month_nobody_can_tell_who_is_due(tmp_path: Path) -> None:
    found = follow(tmp_path, months=False).set_index("patient_id")["reason"]
    assert found["early"] == found["gone"] == "due_or_stopped"


def test_answers_at_visits_have_their_own_days(tmp_path: Path) -> None:
    found = follow(tmp_path, comparison=replace(PRIMARY, source="visit"))
    assert set(found["window_from"]) == {70} and set(found["window_to"]) == {112}


def run_report(folder: Path, clinic: Clinic, tmp: Path) -> None:
    """Run the part of the workflow's script that writes results."""
    sys.path.insert(0, str(ROOT / "workflow" / "scripts"))
    script = __import__("report_clinic")
    raw = tmp / "processed"
    raw.mkdir(exist_ok=True)
    from headway import config

    (raw / "clinic.json").write_text(config.write_settings(clinic))
    (raw / "status.json").write_text('{"name": "c", "state": "ready", "problems": []}')
    tables.write_csv(follow(tmp), raw / "patients.csv")
    names = {name: f"{name}.csv" for name in tables.RELEASED}
    for name, file in names.items():
        tables.write_csv(empty(name), raw / file)
    read = names | {"clinic": "clinic.json", "status": "status.json", "follow_up": "patients.csv"}
    made = names | {"page": "audit.html", "figures": "figures", "card": "card.json"}
    made |= {"brief": "brief.html", "brief_pdf": "brief.pdf"}

    class Named(SimpleNamespace):
        def __getitem__(self, key: str) -> str:
            return getattr(self, key)

    script.main(
        SimpleNamespace(
            input=Named(**{n: str(raw / f) for n, f in read.items()}),
            output=Named(**{n: str(folder / f) for n, f in made.items()}),
        )
    )


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - {"internal"}))
def test_no_other_preset_leaves_a_list_of_people(preset: str, tmp_path: Path) -> None:
    """Neither a new one, nor one of the time when the preset was internal."""
    folder = tmp_path / "results"
    clinic = replace(name_clinic("c"), disclosure="internal")
    run_report(folder, clinic, tmp_path)
    for name in patients.FILES:
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert "from_none" in (folder / "patients.html").read_text()
    run_report(folder, replace(clinic, disclosure=preset), tmp_path)
    assert not [p for p in folder.rglob("*") if p.name.startswith("patients")]
    for path in folder.rglob("*"):
        assert path.is_dir() or b"from_none" not in path.read_bytes()
    with pytest.raises(ValueError, match="own eyes"):
        patients.write_patients(follow(tmp_path), replace(clinic, disclosure=preset), folder)


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Got worse by 30 %"), ("es", "Empeoraron un 30 %"), ("de", "Um 30 % oder mehr")],
)
def test_the_page_says_why_and_escapes_what_is_typed(
    language: str, said: str, tmp_path: Path
) -> None:
    found = follow(tmp_path)
    found["patient_id"] = found["patient_id"].replace("worst", "<b>1")
    clinic = replace(name_clinic("c"), disclosure="internal", language=language)
    page = patients.build(found, clinic)
    assert said in page and f'lang="{language}"' in page
    assert "<b>1" not in page and "&lt;b&gt;1" in page
    assert page.count("<caption>") == 3  # a reason without people has no table
