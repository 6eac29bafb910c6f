"""A project of REDCap from its flat export to its cohort, and what its dictionary refuses."""

# ruff: noqa: E501  (rows of a table)
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from headway import config
from headway.errors import InputError, RefusedError
from headway.ingest.adapters.redcap import find_boxes, gate, read_dictionary
from headway.outcomes.change import cohort
from headway.tables import read_parquet
from tests.unit.clinic_builder import ANY_LOSS, allow_losses, ingest, statistic, write_clinic

PAGES = (
    "Variable / Field Name,Form Name,Section Header,Field Type,Field Label,"
    '"Choices, Calculations, OR Slider Labels",Field Note,'
    "Text Validation Type OR Show Slider Number,Text Validation Min,Text Validation Max,"
    "Identifier?,Branching Logic (Show field only if...),Required Field?,Custom Alignment,"
    "Question Number (surveys only),Matrix Group Name,Matrix Ranking?,Field Annotation"
)
API = (
    "field_name,form_name,section_header,field_type,field_label,select_choices_or_calculations,"
    "field_note,text_validation_type_or_show_slider_number,text_validation_min,"
    "text_validation_max,identifier,branching_logic,required_field,custom_alignment,"
    "question_number,matrix_group_name,matrix_ranking,field_annotation"
)


def field(
    name: str, label: str = "", kind: str = "text", validation: str = "", mark: str = ""
) -> str:
    return f'{name},form,,{kind},"{label}",,,{validation},,,{mark},,,,,,,\n'


FIELDS = (
    field("record_id", "Record ID")
    + field("sex", "Sex", "radio")
    + field("nick", "What do <b>friends</b>  call you?", mark="y")
    + field("who_came", "Who came along?", "checkbox", mark="Y")
    + field("contact", "How to reach you", validation="email")
    + field("pain", "Pain, 0 to 10", validation="integer")
)


@pytest.mark.parametrize("heading", [PAGES, API, PAGES.upper()])
@pytest.mark.parametrize("encode", ["utf-8", "utf-8-sig"])
def test_both_kinds_of_headings_are_read(tmp_path: Path, heading: str, encode: str) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(f"{heading}\n{FIELDS}".replace("\n", "\r\n").encode(encode))
    fields = read_dictionary(path)
    assert [name for name, f in fields.items() if f.identifier] == ["nick", "who_came"]
    assert fields["contact"].validation == "email"
    assert fields["nick"].label == "what do friends call you?"


def test_a_dictionary_that_a_spreadsheet_saved_is_read(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    text = "Variable / Field Name;Field Label;Identifier?\nname;Größe, cm;y\n;;\n"
    path.write_bytes(text.encode("cp1252"))
    (only,) = read_dictionary(path).values()
    assert (only.name, only.label, only.identifier) == ("name", "grösse, cm", True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "code,day\nQ7ZK,1\n",
        "field_name,field_label\nQ7ZK,x\n",
        "\0",
        f'{PAGES}\na,"Q7ZK\n{FIELDS}',
    ],
)
def test_what_is_no_dictionary_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_dictionary(path)
    assert [p.rule for p in caught.value.problems] == ["not_a_dictionary"]
    assert "Q7ZK" not in str(caught.value)
    with pytest.raises(InputError, match="missing_file"):
        read_dictionary(tmp_path / "nowhere.csv")


def test_every_column_of_an_identifying_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text(f"{PAGES}\n{FIELDS}")
    dictionary = read_dictionary(path)
    raw = ["record_id", "sex", "nick", "who_came___1", "who_came____99", "contact", "pain"]
    refused = [p.column for p in gate(dictionary, raw, [], "r.csv")]
    assert refused == ["nick", "who_came___1", "who_came____99", "contact"]
    left = gate(dictionary, raw, ["nick", "contact"], "r.csv")
    assert [(p.column, p.rule, p.file) for p in left] == [
        ("who_came___1", "redcap_identifier", "r.csv"),
        ("who_came____99", "redcap_identifier", "r.csv"),
    ]
    labels = ["Record ID", "What do friends call you?", "Who came along? (choice=A friend)", "Sex"]
    assert [p.column for p in gate(dictionary, labels, [], "r.csv")] == labels[1:3]


def test_boxes_are_found_under_names_and_labels() -> None:
    raw = ["how", "how___1", "how____1", "how_long___1", "How? (choice=By hand (dry))"]
    assert find_boxes("how", raw) == {"1": "how___1", "_1": "how____1"}
    assert find_boxes("How?", raw) == {"By hand (dry)": "How? (choice=By hand (dry))"}


# One export: two events, two repeating forms, checkboxes, codes for what is missing.
KEYS = "record_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance"
RAW_HEAD = f"{KEYS},redcap_survey_identifier,enrolment_timestamp,sex,years,day,how___1,how___2,how____999,minutes,headache,pain,hit6"
BASE = {"baseline_arm_1": "Baseline (Arm 1: Care)", "course_arm_1": "Course (Arm 1: Care)"}
FORMS = {"": "", "visit": "Visit", "diary": "Diary day"}


def export(labels: bool) -> str:
    """Write the records as raw codes or as labels; the same clinic either way."""

    def row(person: str, event: str, form: str, n: str = "", **cells: str) -> str:
        names = RAW_HEAD.split(",")[4:]
        ticks = {"1": "Checked", "0": "Unchecked"}
        shown = {
            k: ticks[v]
            if labels and k.startswith("how")
            else LABELS.get((k, v), v)
            if labels
            else v
            for k, v in cells.items()
        }
        first = [person, BASE[event] if labels else event, FORMS[form] if labels else form, n]
        return ",".join([*first, *(shown.get(name, "") for name in names)]) + "\n"

    lines = RAW_HEAD + "\n"
    for number, person in enumerate(("P1", "P2", "P3"), start=1):
        lines += row(
            person,
            "baseline_arm_1",
            "",
            redcap_survey_identifier=f"p{number}@example.org",
            enrolment_timestamp="2024-03-17 10:22",
            sex=str(number % 2),
            years="-999" if number == 2 else f"4{number}",
            hit6=f"6{number}",
        )
        for i in (1, 2):
            lines += row(
                person, "course_arm_1", "visit", str(i), day=str(30 + 7 * (i - 1)),
                how___1="1" if number != 3 else "0", how___2="0" if number != 3 else "1",
                how____999="0", minutes="NI" if i == 2 else "90",
            )  # fmt: skip
        for day in range(120):
            lines += row(
                person, "course_arm_1", "diary", str(day + 1), day=str(day),
                headache=str(int((day + number) % (2 + day // 60) == 0)),
                pain="NI" if day == 7 else "5",
            )  # fmt: skip
    return lines


LABELS = {
    ("sex", "1"): "Woman", ("sex", "0"): "Man", ("headache", "1"): "Yes", ("headache", "0"): "No",
}  # fmt: skip


def project(labels: bool, **changes: Any) -> dict[str, Any]:
    """Write the files of clinic.yaml for the export."""

    def event(name: str) -> str:
        return BASE[name] if labels else name

    missing = ["", "-999", "NI"]
    drop = ["redcap_survey_identifier", "enrolment_timestamp"]
    common = {"path": "records.csv", "missing": missing, "drop": drop, **changes}
    sex = {"Woman": "female", "Man": "male"} if labels else {1: "female", 0: "male"}
    told = {"Yes": 1, "No": 0} if labels else {1: 1, 0: 0}
    return {
        "patients": {
            **common,
            "redcap": {"events": [event("baseline_arm_1")]},
            "columns": {
                "patient_id": "record_id",
                "sex": {"column": "sex", "codes": sex},
                "age": "years",
            },
        },
        "sessions": {
            **common,
            "redcap": {"instrument": FORMS["visit"] if labels else "visit"},
            "columns": {
                "patient_id": "record_id",
                "day": "day",
                "technique": {
                    "checkboxes": "how",
                    "codes": {1: "manual", 2: "dry_needling"},
                },
                "minutes": "minutes",
            },
        },
        "diary": {
            **common,
            "redcap": {"instrument": FORMS["diary"] if labels else "diary"},
            "columns": {
                "patient_id": "record_id",
                "day": "day",
                "headache": {"column": "headache", "codes": told},
                "intensity": "pain",
            },
        },
        "questionnaires": {
            **common,
            "redcap": {"events": [event("baseline_arm_1")]},
            "columns": {"patient_id": "record_id", "score": "hit6"},
            "constants": {"day": 30, "instrument": "HIT-6"},
        },
    }


TABLES = ("patients", "sessions", "days", "questionnaires")


def processed(out: Path) -> dict[str, Any]:
    return {t: read_parquet(out / f"{t}.parquet") for t in TABLES}


@pytest.mark.parametrize("labels", [False, True])
def test_a_project_from_its_flat_export_to_its_cohort(tmp_path: Path, labels: bool) -> None:
    data = b"\xef\xbb\xbf" + export(labels).replace("\n", "\r\n").encode()
    folder = write_clinic(tmp_path / "c", {"records.csv": data}, project(labels))
    _, quarantine, out = ingest(folder)
    assert quarantine.empty
    found = processed(out)
    assert found["patients"]["sex"].tolist() == ["female", "male", "female"]
    assert found["patients"]["age"].isna().tolist() == [False, True, False]
    assert found["sessions"]["technique"].tolist() == ["manual"] * 4 + ["dry_needling"] * 2
    assert found["sessions"]["day"].tolist() == [0, 7] * 3
    assert found["sessions"]["minutes"].isna().tolist() == [False, True] * 3
    assert len(found["days"]) == 360
    assert found["days"]["day"].min() == -30
    assert int(found["days"]["intensity"].isna().sum()) == 3
    assert found["questionnaires"]["score"].tolist() == [61, 62, 63]
    result = cohort.analyse_clinic(out, config.load_clinic(folder))
    change = statistic(result, "primary", "change_mean")
    # Before: every second day, 14 of 28. After (days 86 to 113 of the export): every third day.
    after = [sum((day + n) % 3 == 0 for day in range(86, 114)) for n in (1, 2, 3)]
    assert change["estimate"] == pytest.approx(sum(after) / 3 - 14)


def test_rows_of_every_form_are_accounted_for(tmp_path: Path) -> None:
    folder = write_clinic(tmp_path / "c", {"records.csv": export(False)}, project(False))
    accounts, _, _ = ingest(folder)
    rows = 3 + 6 + 360
    assert {name: (a.kept, a.rows_in, a.not_selected) for name, a in accounts.items()} == {
        "records.csv (patients)": (3, rows, rows - 3),
        "records.csv (sessions)": (6, rows, rows - 6),
        "records.csv (diary)": (360, rows, rows - 360),
        "records.csv (questionnaires)": (3, rows, rows - 3),
    }


def test_a_bad_cell_of_one_form_counts_once(tmp_path: Path) -> None:
    text = export(False).replace("visit,1,,,,,30,1,0,0,90", "visit,1,,,,,30,1,0,0,x", 1)
    files = project(False)
    files["sessions"]["columns"] = allow_losses(files["sessions"]["columns"])
    folder = write_clinic(tmp_path / "c", {"records.csv": text}, files)
    accounts, quarantine, _ = ingest(folder)
    assert quarantine["file"].tolist() == ["records.csv (sessions)"]
    assert {n: a.cells_quarantined for n, a in accounts.items()} == {
        "records.csv (patients)": 0,
        "records.csv (sessions)": 1,
        "records.csv (diary)": 0,
        "records.csv (questionnaires)": 0,
    }


def test_names_of_people_and_times_of_a_survey_are_refused_until_dropped(tmp_path: Path) -> None:
    files = project(False)
    spec: Mapping[str, Any] = {"patients": {**files["patients"], "drop": []}}
    folder = write_clinic(tmp_path / "c", {"records.csv": export(False)}, spec)
    with pytest.raises(RefusedError) as caught:
        ingest(folder)
    found = {(p.column, p.rule) for p in caught.value.problems}
    assert found == {
        ("redcap_survey_identifier", "record_number"),
        ("redcap_survey_identifier", "email"),
        ("enrolment_timestamp", "full_date"),
    }
    # An identifier that nobody filled in yet is refused by its name.
    text = export(False).replace("@example.org", "")
    for i in (1, 2, 3):
        text = text.replace(f",p{i},", ",,")
    folder = write_clinic(tmp_path / "d", {"records.csv": text}, spec)
    with pytest.raises(RefusedError) as caught:
        ingest(folder)
    assert ("redcap_survey_identifier", "record_number") in {
        (p.column, p.rule) for p in caught.value.problems
    }


def test_the_dictionary_of_a_project_is_part_of_its_gate(tmp_path: Path) -> None:
    files = project(False)
    files["patients"]["redcap"]["dictionary"] = "dictionary.csv"
    only = {"patients": files["patients"]}
    marked = f"{API}\n{FIELDS}" + field("hit6", "Impact", mark="y")
    data = {"records.csv": export(False), "dictionary.csv": marked}
    with pytest.raises(RefusedError) as caught:
        ingest(write_clinic(tmp_path / "c", data, only))
    assert [(p.column, p.rule) for p in caught.value.problems] == [("hit6", "redcap_identifier")]
    only["patients"]["drop"].append("hit6")
    _, _, out = ingest(write_clinic(tmp_path / "d", data, only))
    assert len(read_parquet(out / "patients.parquet")) == 3
    with pytest.raises(InputError, match="missing_file"):
        ingest(write_clinic(tmp_path / "e", {"records.csv": export(False)}, only))


def test_a_form_that_the_export_does_not_tell_apart_is_refused(tmp_path: Path) -> None:
    """Repeat columns vanish from an export without repeating rows: all rows would be taken."""
    files = project(False)
    text = "record_id,day,headache,pain\nP1,1,1,5\n"
    diary = {**files["diary"], "drop": []}
    folder = write_clinic(tmp_path / "c", {"records.csv": text}, {"diary": diary})
    with pytest.raises(InputError) as caught:
        ingest(folder)
    assert [(p.rule, p.column) for p in caught.value.problems] == [
        ("missing_column", "redcap_repeat_instrument")
    ]
    # The other way round: an export of several forms that is read as one.
    bare = {k: v for k, v in files["diary"].items() if k != "redcap"}
    folder = write_clinic(tmp_path / "d", {"records.csv": export(False)}, {"diary": bare})
    with pytest.raises(InputError) as caught:
        ingest(folder)
    assert [p.rule for p in caught.value.problems] == ["redcap_undeclared"]
    chosen = {**bare, "keep_where": {"redcap_repeat_instrument": ["diary"]}}
    folder = write_clinic(tmp_path / "e", {"records.csv": export(False)}, {"diary": chosen})
    _, _, out = ingest(folder)
    assert len(read_parquet(out / "days.parquet")) == 360


def test_a_question_without_a_column_is_refused(tmp_path: Path) -> None:
    files = project(False)
    files["sessions"]["columns"]["technique"]["checkboxes"] = "what"
    folder = write_clinic(tmp_path / "c", {"records.csv": export(False)}, files)
    with pytest.raises(InputError) as caught:
        ingest(folder)
    assert [(p.rule, p.column) for p in caught.value.problems] == [("missing_column", "what")]


def test_what_is_ticked_is_held_against_the_contract(tmp_path: Path) -> None:
    text = "code,day,how___1,how___2,how____999\nP1,0,1,0,0\nP1,1,1,1,0\nP1,2,0,0,1\nP1,3,0,0,0\nP1,4,,,\n"
    spec = {
        "path": "s.csv",
        "missing": ["", "-999"],
        "columns": {
            "patient_id": "code",
            "day": "day",
            "technique": {
                "checkboxes": "how",
                "codes": {1: "manual", 2: "acupuncture"},
                "loss": ANY_LOSS,
            },
        },
    }
    folder = write_clinic(tmp_path / "c", {"s.csv": text}, {"sessions": spec})
    _, quarantine, out = ingest(folder)
    # Two techniques in a column of one are no technique; a box for "missing" is no answer.
    assert quarantine[["line", "column", "rule", "scope"]].values.tolist() == [
        [3, "how", "not_a_code", "cell"]
    ]
    techniques = read_parquet(out / "sessions.parquet")["technique"]
    assert techniques.iloc[0] == "manual"
    assert techniques.isna().tolist() == [False, True, True, True, True]
