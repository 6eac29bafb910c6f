"""What selects the rows of an entry: compared in normal form, refused where it selects nothing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from headway.errors import InputError
from headway.messages import say
from headway.tables import read_parquet
from tests.unit.clinic_builder import ingest, write_clinic

SECRET = "Q7ZK"
HEAD = "code,day,headache,arm,group"
ROWS = [
    f"P{p},{d},{d % 2},{p % 2 + 1},{'Care' if p < 3 else SECRET}"
    for p in (1, 2, 3)
    for d in range(4)
]
COLUMNS = {"patient_id": "code", "day": "day", "headache": "headache"}


def text(rows: list[str] = ROWS, head: str = HEAD) -> str:
    return "\n".join([head, *rows]) + "\n"


def book(sheets: dict[str, list[str]]) -> bytes:
    made = Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in (HEAD, *rows):
            sheet.append([float(c) if c.lstrip("-").isdigit() else c for c in row.split(",")])
    stream = io.BytesIO()
    made.save(stream)
    return stream.getvalue()


def read(tmp_path: Path, files: dict[str, Any], *entries: dict[str, Any]) -> tuple[Any, Any]:
    """Ingest a diary; returns its days and the accounts."""
    spec = [{"path": list(files), "columns": COLUMNS, **entry} for entry in entries]
    accounts, _, out = ingest(write_clinic(tmp_path / "c", files, {"diary": spec}))
    return read_parquet(out / "days.parquet"), accounts


def refusal(tmp_path: Path, files: dict[str, Any], *entries: dict[str, Any]) -> str:
    """Give the words of a refusal, which has one problem of the rule `selects_nothing`."""
    with pytest.raises(InputError) as caught:
        read(tmp_path, files, *entries)
    assert [p.rule for p in caught.value.problems] == ["selects_nothing"]
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "arm", [1, "1", "1.0", "01", 1.0, " 1 ", "\u00a01"], ids=lambda value: repr(value)
)
@pytest.mark.parametrize("form", ["csv", "xlsx", "slow"])
def test_a_number_selects_however_it_is_written(tmp_path: Path, arm: Any, form: str) -> None:
    files: dict[str, Any] = {"d.csv": text()}
    if form == "xlsx":
        files = {"d.xlsx": book({"days": ROWS})}
    elif form == "slow":
        files = {"d.csv": text([*ROWS[:3], "", *ROWS[3:]])}
    days, _ = read(tmp_path, files, {"keep_where": {"arm": [arm]}})
    assert set(days["patient_id"]) == {"P2"}


@pytest.mark.parametrize("cell", ["1.0", "01", " 1", "1\u00a0", "+1"])
def test_the_cell_may_be_written_in_other_ways_too(tmp_path: Path, cell: str) -> None:
    rows = [f"P1,{d},1,{cell},x" for d in range(3)] + ["P2,0,1,2,x"]
    days, _ = read(tmp_path, {"d.csv": text(rows)}, {"keep_where": {"arm": [1]}})
    assert set(days["patient_id"]) == {"P1"}


def test_letters_are_composed_and_capitals_count(tmp_path: Path) -> None:
    rows = ["P1,0,1,1,Übung", "P2,0,1,1,U\u0308bung", "P3,0,1,1,übung"]
    days, _ = read(tmp_path, {"d.csv": text(rows)}, {"keep_where": {"group": ["Übung"]}})
    assert set(days["patient_id"]) == {"P1", "P2"}


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_selector_without_a_row_is_refused_by_its_own_text(tmp_path: Path, form: str) -> None:
    files: dict[str, Any] = {"d.csv": text()} if form == "csv" else {"d.xlsx": book({"a": ROWS})}
    said = refusal(tmp_path, files, {"keep_where": {"group": ["Waiting", "Sham"]}})
    assert "`keep_where: Waiting, Sham` in clinic.yaml selects none of the 12 rows" in said
    assert "capitals" not in said


@pytest.mark.parametrize("spelled", ["care", "CARE", "C are", "ca-re"])
def test_another_spelling_is_said_to_be_one(tmp_path: Path, spelled: str) -> None:
    said = refusal(tmp_path, {"d.csv": text()}, {"keep_where": {"group": [spelled]}})
    assert "different capitals" in said


def test_selectors_that_agree_on_no_row_are_refused(tmp_path: Path) -> None:
    entry = {"keep_where": {"arm": [2], "code": ["P2"]}}
    assert "none of the 12 rows meets everything" in refusal(tmp_path, {"d.csv": text()}, entry)


def test_one_file_of_several_may_have_no_row_and_one_entry_may_not(tmp_path: Path) -> None:
    files = {"a.csv": text(ROWS[:4]), "b.csv": text(ROWS[4:8])}
    days, accounts = read(tmp_path, files, {"keep_where": {"arm": [1]}})
    assert set(days["patient_id"]) == {"P2"}
    assert accounts["a.csv"].not_selected == 4
    first, other = {"keep_where": {"arm": [1]}}, {"keep_where": {"arm": [9]}}
    assert "arm" in refusal(tmp_path, files, first, other)


def test_sheets_are_files_of_one_entry(tmp_path: Path) -> None:
    files = {"d.xlsx": book({"a": ROWS[:4], "b": ROWS[4:8]})}
    days, _ = read(tmp_path, files, {"keep_where": {"arm": [1]}, "sheet": "*"})
    assert set(days["patient_id"]) == {"P2"}


def test_one_value_of_several_without_a_row_is_noted(tmp_path: Path) -> None:
    files = {"a.csv": text(ROWS[:8]), "b.csv": text(ROWS[8:])}
    days, accounts = read(tmp_path, files, {"keep_where": {"group": ["Care", "Nowhere"]}})
    assert len(days) == 8
    assert say(accounts["a.csv"].note) == "`keep_where`: no row has Nowhere"
    assert accounts["b.csv"].note == ""


def test_an_empty_file_is_not_the_selectors_fault(tmp_path: Path) -> None:
    days, _ = read(tmp_path, {"d.csv": text([])}, {"keep_where": {"arm": [1]}})
    assert days.empty


def test_codes_of_which_no_cell_is_one_are_refused(tmp_path: Path) -> None:
    told = {"column": "group", "codes": {"ja": 1, "nein": 0}}
    entry = {"columns": {**COLUMNS, "headache": told}}
    with pytest.raises(InputError) as caught:
        read(tmp_path, {"d.csv": text()}, entry)
    found = [(p.rule, p.column, p.count) for p in caught.value.problems]
    assert found == [("no_code_matches", "group", 12)]
    assert SECRET not in str(caught.value)
    assert "Care" not in str(caught.value)


def test_a_selector_without_a_row_does_not_hide_the_codes_of_another_file(tmp_path: Path) -> None:
    told = {"column": "group", "codes": {"ja": 1, "nein": 0}}
    columns = {"patient_id": "code", "day": "day"}
    spec = {
        "sessions": {"path": "s.csv", "columns": columns, "keep_where": {"arm": [7]}},
        "diary": {"path": "d.csv", "columns": {**COLUMNS, "headache": told}},
    }
    files = {"d.csv": text(), "s.csv": text()}
    with pytest.raises(InputError) as caught:
        ingest(write_clinic(tmp_path / "c", files, spec))
    found = {(p.file, p.rule) for p in caught.value.problems}
    assert found == {("s.csv", "selects_nothing"), ("d.csv", "no_code_matches")}


def test_codes_are_held_against_the_selected_rows_alone(tmp_path: Path) -> None:
    rows = ["P1,0,ja,1,x", "P1,1,,1,x", "P2,0,yes,2,x"]
    told = {"column": "headache", "codes": {"ja": 1, "nein": 0}}
    entry = {"columns": {**COLUMNS, "headache": told}, "keep_where": {"arm": [1]}}
    days, _ = read(tmp_path, {"d.csv": text(rows)}, entry)
    assert days["headache"].isna().tolist() == [False, True]
    with pytest.raises(InputError, match="no_code_matches"):
        read(tmp_path, {"d.csv": text(rows)}, {**entry, "keep_where": {"arm": [2]}})


def test_a_window_that_no_row_names_is_refused(tmp_path: Path) -> None:
    def windows(codes: dict[str, str]) -> Path:
        entry = {
            "path": "w.csv",
            "columns": {"patient_id": "code"},
            "window_from": {"column": "visit", "codes": codes},
            "wide": [{"column": "days", "outcome": "frequency", "unit": "days_per_28"}],
        }
        lines = "code,visit,days\nP1,T0,12\nP1,T3,8\n"
        return write_clinic(tmp_path / "c", {"w.csv": lines}, {"windows": entry})

    _, _, out = ingest(windows({"T0": "baseline", "T3": "post"}))
    assert read_parquet(out / "given_windows.parquet")["value"].tolist() == [12, 8]
    with pytest.raises(InputError) as caught:
        ingest(windows({"0": "baseline", "3": "post"}))
    assert [(p.rule, p.column) for p in caught.value.problems] == [("no_code_matches", "visit")]
