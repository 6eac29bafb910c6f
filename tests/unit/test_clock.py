"""One clock for all files of a clinic: days count from the first visit, dates from its date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headway.errors import InputError
from headway.tables import read_parquet
from tests.unit.clinic_builder import ingest, write_clinic

SHIFTED = {"shifted": True}
VISITS = "code,seen\nA,2031-03-01\nA,2031-03-08\nB,2031-05-10\n"
DATED_VISITS = {
    "path": "v.csv",
    "columns": {"patient_id": "code"},
    "offset_from": {"column": "seen", **SHIFTED},
}
COUNTED_VISITS = {"path": "v.csv", "columns": {"patient_id": "code", "day": "seen"}}
LOG = "code,when\nA,2031-02-27\nA,2031-03-03\nB,2031-05-01\n"
DATED_LOG = {
    "path": "log.csv",
    "columns": {"patient_id": "code"},
    "offset_from": {"column": "when", **SHIFTED},
}
OPEN = {"patient_id": "code", "diary_from": "from", "diary_to": "to"}


def days_of(folder: Path) -> pd.DataFrame:
    return read_parquet(ingest(folder)[2] / "days.parquet")


@pytest.mark.parametrize(
    ("people", "columns"),
    [
        ("A,-5,5\nB,-10,0\n", OPEN),
        (
            "A,2031-02-24,2031-03-06\nB,2031-04-30,2031-05-10\n",
            OPEN
            | {
                "diary_from": {"column": "from", **SHIFTED},
                "diary_to": {"column": "to", **SHIFTED},
            },
        ),
    ],
)
def test_days_and_dates_meet_at_the_first_visit(
    tmp_path: Path, people: str, columns: dict[str, Any]
) -> None:
    files = {"v.csv": VISITS, "log.csv": LOG, "p.csv": f"code,from,to\n{people}"}
    spec = {
        "patients": {"path": "p.csv", "columns": columns},
        "sessions": DATED_VISITS,
        "attacks": DATED_LOG,
    }
    folder = write_clinic(tmp_path / "c", files, spec, attacks={"unknown_length_h": 24})
    days = days_of(folder)
    ill = days[days["headache"] == 1]
    assert ill[["patient_id", "day"]].values.tolist() == [["A", -2], ["A", 2], ["B", -9]]
    spans = days.groupby("patient_id")["day"].agg(["min", "max"])
    assert spans.values.tolist() == [[-5, 5], [-10, 0]]


def test_counted_days_beside_dated_visits(tmp_path: Path) -> None:
    diary = {"path": "d.csv", "columns": {"patient_id": "code", "day": "day", "headache": "ill"}}
    files = {"v.csv": VISITS, "d.csv": "code,day,ill\nA,-3,1\nB,4,0\n"}
    folder = write_clinic(tmp_path / "c", files, {"sessions": DATED_VISITS, "diary": diary})
    assert days_of(folder)["day"].tolist() == [-3, 4]


@pytest.mark.parametrize("what", ["sessions", "course", "diary"])
def test_dates_without_a_dated_day_0_are_refused(tmp_path: Path, what: str) -> None:
    files = {"v.csv": "code,seen\nA,0\nB,0\n", "log.csv": LOG, "d.csv": "code,day\nA,1\n"}
    spec: dict[str, Any] = {"attacks": DATED_LOG}
    extra: dict[str, Any] = {}
    if what == "sessions":
        spec["sessions"] = COUNTED_VISITS
    elif what == "diary":
        spec["diary"] = {"path": "d.csv", "columns": {"patient_id": "code", "day": "day"}}
    else:
        extra["course"] = {"start": 0}
    with pytest.raises(InputError) as refused:
        ingest(write_clinic(tmp_path / "c", files, spec, **extra))
    (problem,) = refused.value.problems
    assert (problem.rule, problem.file, problem.column) == ("two_clocks", "log.csv", "when")
    assert "day 0" in str(problem)


def test_dates_of_a_person_without_a_dated_start_are_set_aside(tmp_path: Path) -> None:
    diary = {
        "path": "log.csv",
        "columns": {"patient_id": "code", "headache": "ill"},
        "offset_from": {"column": "when", **SHIFTED},
    }
    rows = "".join(f"{who},2031-03-{d:02d},1\n" for who in "AB" for d in range(1, 10))
    files = {"v.csv": VISITS, "log.csv": f"code,when,ill\n{rows}C,2031-03-01,1\n"}
    spec = {"sessions": DATED_VISITS, "diary": diary}
    _, quarantine, out = ingest(write_clinic(tmp_path / "c", files, spec))
    assert set(read_parquet(out / "days.parquet")["patient_id"]) == {"A", "B"}
    assert quarantine[["line", "rule"]].values.tolist() == [[20, "no_start"]]


def test_a_first_visit_that_cannot_be_read_leaves_the_start_unknown(tmp_path: Path) -> None:
    diary = {
        "path": "log.csv",
        "columns": {"patient_id": "code", "headache": "ill"},
        "offset_from": {"column": "when", **SHIFTED},
    }
    rows = "".join(f"{who},2031-03-{d:02d},1\n" for who in "ABCDEFG" for d in range(1, 9))
    visits = "".join(f"{who},2031-03-{d:02d}\n" for who in "ABCDEFG" for d in (4, 11))
    files = {"v.csv": f"code,seen\n{visits}A,soon\n", "log.csv": f"code,when,ill\n{rows}"}
    spec = {"sessions": DATED_VISITS, "diary": diary}
    folder = write_clinic(tmp_path / "c", files, spec)
    _, quarantine, out = ingest(folder)
    assert set(read_parquet(out / "days.parquet")["patient_id"]) == set("BCDEFG")
    assert len(read_parquet(out / "sessions.parquet")) == 14
    assert quarantine["rule"].value_counts().to_dict() == {"start_unknown": 8, "not_a_date": 1}


def test_dates_may_stand_for_days_only(tmp_path: Path) -> None:
    columns = {
        "patient_id": "code",
        "day": "seen",
        "technique": {"column": "what", "shifted": True},
    }
    spec = {"sessions": {"path": "v.csv", "columns": columns}}
    folder = write_clinic(tmp_path / "c", {"v.csv": "code,seen,what\nA,0,manual\n"}, spec)
    with pytest.raises(InputError) as refused:
        ingest(folder)
    assert [(p.rule, p.column) for p in refused.value.problems] == [("not_a_day", "technique")]


def test_rows_of_people_who_are_not_selected_are_not_selected(tmp_path: Path) -> None:
    people = {
        "path": "p.csv",
        "columns": {"patient_id": "code"},
        "keep_where": {"arm": ["needling"]},
        "drop": [],
    }
    files = {
        "p.csv": "code,arm\nA,needling\nB,usual care\n",
        "v.csv": "code,seen\nA,0\nB,0\nB,7\nC,0\n",
    }
    spec = {"patients": people, "sessions": COUNTED_VISITS}
    accounts, quarantine, out = ingest(write_clinic(tmp_path / "c", files, spec))
    visits = accounts["v.csv"]
    assert (visits.kept, visits.not_selected, visits.quarantined) == (1, 2, 1)
    assert quarantine[["line", "rule"]].values.tolist() == [[5, "unknown_patient"]]
    assert read_parquet(out / "sessions.parquet")["patient_id"].tolist() == ["A"]
