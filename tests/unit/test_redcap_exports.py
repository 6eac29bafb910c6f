"""Exports of REDCap as they come: status of forms, names of files, headers of labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway import config
from headway.errors import InputError, RefusedError
from headway.ingest import clinics
from headway.ingest.adapters import redcap
from headway.ingest.gate import check_file_name
from headway.tables import read_parquet
from tests.unit.clinic_builder import ingest, write_clinic

STATUS = {
    "codes": ("0", "1", "2"),
    "numbers": ("0.0", "1.0", "2.0"),
    "English": ("Incomplete", "Unverified", "Complete"),
    "Spanish": ("Incompleto", "No verificado", "Completo"),
    "German": ("Unvollständig", "Ungeprüft", "Vollständig"),
    "capitals": ("INCOMPLETE", "unverified", "COMPLETE"),
}
KEYS = "record_id,redcap_repeat_instrument,redcap_repeat_instance"


def diary(
    tmp_path: Path, files: dict[str, str], column: str, **entry: Any
) -> tuple[list[bool], Any]:
    """Ingest a diary; tells of each day whether it is known."""
    columns = {"patient_id": "record_id", "day": "day", "headache": "ill", "diary_complete": column}
    spec = {"path": list(files), "columns": columns, **entry}
    _, quarantine, out = ingest(write_clinic(tmp_path / "c", files, {"diary": spec}))
    days = read_parquet(out / "days.parquet").sort_values("day")
    return days["headache"].notna().tolist(), quarantine


def rows(column: str, cells: tuple[str, ...], start: int = 0) -> str:
    lines = [f"1,diary,{i},{start + i},1,{cell}" for i, cell in enumerate(cells)]
    return "\n".join([f"{KEYS},day,ill,{column}", *lines]) + "\n"


@pytest.mark.parametrize("written", sorted(STATUS))
@pytest.mark.parametrize("column", ["diary_complete", "Complete?"])
def test_only_a_complete_form_is_a_known_day(tmp_path: Path, written: str, column: str) -> None:
    text = rows(column, STATUS[written] * 2)
    forms = {"instrument": "diary"}
    known, quarantine = diary(tmp_path, {"r.csv": text}, column, redcap=forms)
    assert known == [False, False, True] * 2
    assert quarantine.empty


def test_forms_of_which_none_is_complete_are_no_days(tmp_path: Path) -> None:
    text = rows("diary_complete", ("0", "1", "1"))
    known, _ = diary(tmp_path, {"r.csv": text}, "diary_complete", redcap={"instrument": "diary"})
    assert known == [False] * 3


def test_a_status_without_the_keys_of_redcap_is_known_by_its_cells(tmp_path: Path) -> None:
    files = {
        "a.csv": "record_id,day,ill,diary_complete\n1,0,1,2\n1,1,1,2\n1,2,1,2\n",
        "b.csv": "record_id,day,ill,diary_complete\n1,3,1,0\n1,4,1,1\n",
    }
    known, quarantine = diary(tmp_path, files, "diary_complete")
    assert known == [True, True, True, False, False]
    assert quarantine.empty


def test_a_yes_or_no_is_no_status(tmp_path: Path) -> None:
    head = "record_id,day,ill,diary_complete\n"
    text = head + "1,0,1,1\n1,1,1,0\n1,2,1,1\n1,3,1,1\n1,4,1,1\n1,5,1,1\n"
    known, quarantine = diary(tmp_path, {"a.csv": text}, "diary_complete")
    assert known == [True, False, True, True, True, True]
    assert quarantine.empty
    # One 2 among them is a slip of the pen, and makes no other day unknown.
    _, quarantine = diary(tmp_path, {"a.csv": text + "1,6,1,2\n"}, "diary_complete")
    assert quarantine[["line", "column", "rule"]].values.tolist() == [
        [8, "diary_complete", "out_of_range"]
    ]


def test_a_2_elsewhere_stays_out_of_range(tmp_path: Path) -> None:
    text = "record_id,day,ill,closed\n" + "".join(f"1,{d},1,2\n" for d in range(3))
    with pytest.raises(InputError) as refused:
        diary(tmp_path, {"a.csv": text}, "closed")
    (problem,) = refused.value.problems
    assert (problem.rule, problem.column, problem.count) == ("unreadable_column", "closed", 3)


def test_declared_codes_go_before_the_status(tmp_path: Path) -> None:
    text = rows("diary_complete", STATUS["codes"])
    columns = {
        "patient_id": "record_id", "day": "day", "headache": "ill",
        "diary_complete": {"column": "diary_complete", "codes": {0: 0, 1: 1, 2: 1}},
    }  # fmt: skip
    known, _ = diary(tmp_path, {"r.csv": text}, "", columns=columns, redcap={"instrument": "diary"})
    assert known == [False, True, True]


# ---- names of files ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "HeadacheReg_DATA_2031-05-20_0912.csv",
        "HeadacheReg_DATA_LABELS_2031-05-20_2359.csv",
        "HeadacheReg-DiaryReport_DATA_2031-05-20_0912.csv.gz",
        "HeadacheReg_DATA_2031-05-20_0912 (2).csv",
        "HeadacheReg_DataDictionary_2031-05-20.csv",
        "HeadacheReg_DATA_2031-05-20_0912.xlsx",
        "diary_export_2031-05-20.csv",
        "Export 2031-05-20T0912.json",
        "diary-export-2031-05-20_09-12-30.csv",
        "export_20310520.csv",
    ],
)
def test_the_day_of_an_export_passes(name: str) -> None:
    assert check_file_name(name) == []


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("HeadacheReg_2031-05-20.csv", "full_date"),
        ("HeadacheReg_DATA_1961-05-20_0912.csv", "full_date"),
        ("HeadacheReg_DATA_2031-13-20_0912.csv", None),
        ("HeadacheReg_DATA_2031-05-20_0912_final.csv", "full_date"),
        ("1970-01-02_DATA_2031-05-20_0912.csv", "full_date"),
        ("12.03.1970_DATA_LABELS_2031-05-20_0912.csv", "full_date"),
        ("diary_2031-05-20_export.csv", "full_date"),
        ("exported_by_hand_2031-05-20.csv", "full_date"),
        ("Anna Miller_DATA_2031-05-20_0912.csv", "person_name"),
        ("AnnaMiller_DATA_2031-05-20_0912.csv", "person_name"),
        ("Anna_Miller_DATA_LABELS_2031-05-20_0912.csv", "person_name"),
        ("Anna_Miller_export_2031-05-20.csv", "person_name"),
    ],
)
def test_any_other_day_and_a_name_beside_it_are_refused(name: str, rule: str | None) -> None:
    found = [p.rule for p in check_file_name(name)]
    assert (rule in found) if rule else found
    assert "Miller" not in str(check_file_name(name))


def test_a_sheet_that_has_the_name_of_its_export_passes() -> None:
    name = "HeadacheReg_DATA_2031-05-20_0912"
    assert check_file_name(name[:31], "sheet") == []
    assert check_file_name("2031-05-20", "sheet") != []


# ---- labels --------------------------------------------------------------------------------------

LABELS = (
    "Record ID,Event Name,Repeat Instrument,Repeat Instance,Sex,Comments,Complete?,"
    "Day,How was it done? (choice=By hand),How was it done? (choice=Needle),Comments,Complete?,"
    "Day,Headache today?,Comments,Complete?"
)
FIRST, COURSE = "Enrolment (Arm 1: Care)", "Course (Arm 1: Care)"
EXPORT = "\n".join(
    [
        LABELS,
        *(f"P{p},{FIRST},,,Woman,,Complete,,,,,,,,," for p in (1, 2)),
        *(f"P{p},{COURSE},Visit,1,,,,0,Checked,Unchecked,,Complete,,,," for p in (1, 2)),
        *(
            f"P{p},{COURSE},Diary day,{d},,,,,,,,,{d},{'Yes' if d % 2 else 'No'},,{state}"
            for p in (1, 2)
            for d, state in enumerate(("Complete", "Unverified", "Complete", "Incomplete"))
        ),
    ]
)


def project(**diary_entry: Any) -> dict[str, Any]:
    """Write the files of clinic.yaml for the export with labels."""
    told = {"column": "Headache today?", "codes": {"Yes": 1, "No": 0}}
    return {
        "patients": {
            "path": "r.csv",
            "redcap": {"events": [FIRST]},
            "columns": {
                "patient_id": "Record ID",
                "sex": {"column": "Sex", "codes": {"Woman": "female"}},
            },
        },
        "sessions": {
            "path": "r.csv",
            "redcap": {"instrument": "Visit"},
            "columns": {
                "patient_id": "Record ID",
                "day": "Day",
                "technique": {"checkboxes": "How was it done?", "codes": {"By hand": "manual"}},
            },
        },
        "diary": {
            "path": "r.csv",
            "redcap": {"instrument": "Diary day"},
            "columns": {
                "patient_id": "Record ID",
                "day": "Day",
                "headache": told,
                "diary_complete": "Complete?",
            },
            **diary_entry,
        },
    }


def test_labels_that_are_repeated_belong_to_the_form_that_is_read(tmp_path: Path) -> None:
    _, quarantine, out = ingest(write_clinic(tmp_path / "c", {"r.csv": EXPORT}, project()))
    assert quarantine.empty
    days = read_parquet(out / "days.parquet")
    assert days["day"].tolist() == [0, 1, 2, 3] * 2
    assert days["headache"].notna().tolist() == [True, False, True, False] * 2
    assert read_parquet(out / "sessions.parquet")["technique"].tolist() == ["manual"] * 2


def test_the_status_of_a_form_is_no_column_that_was_forgotten(tmp_path: Path) -> None:
    folder = write_clinic(tmp_path / "c", {"r.csv": EXPORT}, project())
    found = clinics.ingest_clinic(folder, config.load_clinic(folder), tmp_path / "out").unmapped
    names = [column for _, column in found]
    assert "Comments [1]" in names and not any(name.startswith("Complete?") for name in names)


def test_a_repeated_label_can_be_counted_from_the_left(tmp_path: Path) -> None:
    files = project()
    files["sessions"]["columns"]["day"] = "Day [1]"
    files["diary"]["columns"] |= {"day": "Day [2]", "diary_complete": "Complete? [3]"}
    _, _, out = ingest(write_clinic(tmp_path / "c", {"r.csv": EXPORT}, files))
    days = read_parquet(out / "days.parquet")
    assert days["headache"].notna().tolist() == [True, False, True, False] * 2


def test_a_label_that_may_be_several_columns_is_refused_with_the_cure(tmp_path: Path) -> None:
    files = project()
    files["sessions"]["columns"]["minutes"] = "Headache today?"  # of another form
    with pytest.raises(InputError, match=r"`Day \[1\]`") as caught:
        ingest(write_clinic(tmp_path / "c", {"r.csv": EXPORT}, files))
    assert [(p.rule, p.column) for p in caught.value.problems] == [("duplicate_column", "Day")]


def test_columns_of_other_files_stay_refused_where_a_name_comes_twice(tmp_path: Path) -> None:
    text = "code,day,headache,note,note\nP1,0,1,,\n"
    columns = {"patient_id": "code", "day": "day", "headache": "headache"}
    spec = {"diary": {"path": "d.csv", "columns": columns}}
    with pytest.raises(InputError, match="duplicate_column"):
        ingest(write_clinic(tmp_path / "c", {"d.csv": text}, spec))


def test_every_column_of_a_repeated_label_can_be_dropped(tmp_path: Path) -> None:
    text = EXPORT.replace("Checked,Unchecked,,", "Checked,Unchecked,p@example.org,")
    with pytest.raises(RefusedError) as caught:
        ingest(write_clinic(tmp_path / "c", {"r.csv": text}, project()))
    assert {(p.rule, p.column) for p in caught.value.problems} == {("email", "Comments [2]")}
    files = {kind: {**entry, "drop": ["Comments"]} for kind, entry in project().items()}
    _, _, out = ingest(write_clinic(tmp_path / "d", {"r.csv": text}, files))
    assert len(read_parquet(out / "sessions.parquet")) == 2


def test_a_repeated_label_of_an_identifier_is_refused_by_the_dictionary(tmp_path: Path) -> None:
    head = "field_name,field_label,identifier\n"
    files = project()
    files["patients"]["redcap"]["dictionary"] = "d.csv"
    data = {"r.csv": EXPORT, "d.csv": head + "note_1,Comments,\nnote_2,Comments,y\n"}
    with pytest.raises(RefusedError) as caught:
        ingest(write_clinic(tmp_path / "c", data, files))
    found = {p.column for p in caught.value.problems if p.rule == "redcap_identifier"}
    assert found == {f"Comments [{n}]" for n in (1, 2, 3)}


@pytest.mark.parametrize("instrument", ["Diary day", "diary_day", "Diary Day"])
@pytest.mark.parametrize("event", [FIRST, "enrolment_arm_1", "Enrolment"])
def test_events_and_forms_are_known_by_name_and_by_label(
    tmp_path: Path, instrument: str, event: str
) -> None:
    files = project(redcap={"instrument": instrument})
    files["patients"]["redcap"] = {"events": [event]}
    labels = write_clinic(tmp_path / "labels", {"r.csv": EXPORT}, files)
    raw = EXPORT.replace("Diary day", "diary_day").replace("Visit", "visit")
    raw = raw.replace(FIRST, "enrolment_arm_1").replace(COURSE, "course_arm_1")
    for folder in (labels, write_clinic(tmp_path / "raw", {"r.csv": raw}, files)):
        _, _, out = ingest(folder)
        assert len(read_parquet(out / "days.parquet")) == 8
        assert len(read_parquet(out / "patients.parquet")) == 2


@pytest.mark.parametrize(
    ("entry", "column"),
    [
        ({"redcap": {"instrument": "Diaries"}}, "Repeat Instrument"),
        ({"redcap": {"events": ["Follow-up"]}}, "Event Name"),
        ({"redcap": {"instrument": "Tägliches"}}, "Repeat Instrument"),
        ({"redcap": {"instrument": "日記"}}, "Repeat Instrument"),
        ({"redcap": {"events": ["日記"]}}, "Event Name"),
    ],
)
def test_a_form_or_event_without_a_row_is_refused(
    tmp_path: Path, entry: dict[str, Any], column: str
) -> None:
    text = EXPORT.replace("Diary day", "毎日")
    with pytest.raises(InputError) as caught:
        ingest(write_clinic(tmp_path / "c", {"r.csv": text}, project(**entry)))
    assert [(p.rule, p.column) for p in caught.value.problems] == [("selects_nothing", column)]
    assert "毎日" not in str(caught.value)


def test_an_export_of_nothing_but_repeating_rows_needs_an_instrument(tmp_path: Path) -> None:
    text = rows("diary_complete", ("2", "2"))
    with pytest.raises(InputError, match="repeating instrument"):
        diary(tmp_path, {"r.csv": text}, "diary_complete", redcap={})


def test_boxes_of_which_none_has_a_declared_code_are_refused(tmp_path: Path) -> None:
    files = project()
    files["sessions"]["columns"]["technique"]["codes"] = {1: "manual", 2: "dry_needling"}
    with pytest.raises(InputError) as caught:
        ingest(write_clinic(tmp_path / "c", {"r.csv": EXPORT}, files))
    found = [(p.rule, p.column) for p in caught.value.problems]
    assert found == [("no_code_matches", "How was it done?")]


@given(st.text(alphabet="Aa zZ09_-.()äÄß\t", max_size=30))
def test_names_are_made_alike_by_the_engine_and_by_python(label: str) -> None:
    text = "'" + label.strip().replace("'", "''") + "'"
    query = f"SELECT {redcap.form_sql(text)}, {redcap.event_sql(text)}"
    ((form, event),) = duckdb.sql(query).fetchall()
    assert form == redcap.name_form(label)
    assert event == (redcap.name_event(label) or event)
