"""One cell has one reading: markers, codes, answers, dates, whichever way they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headway.errors import InputError
from headway.tables import read_parquet
from tests.unit.clinic_builder import ingest, write_clinic

START = {"start": 0}
WHY = {"reason": "a test looks at single cells"}
NINES = ["9", " 9", "9 ", "9.0", "09", '"9"', "\u00a09", "9\u200b", "+9"]


def diary(column: Any, **entry: Any) -> dict[str, Any]:
    return {
        "path": "d.csv",
        "columns": {"patient_id": "code", "day": "day", **column},
        **entry,
    }


def days_of(folder: Path) -> pd.DataFrame:
    return read_parquet(ingest(folder)[2] / "days.parquet").sort_values(["patient_id", "day"])


def test_a_missing_code_is_a_number_in_every_spelling(tmp_path: Path) -> None:
    rows = "".join(f"A,{day},{cell}\n" for day, cell in enumerate([*NINES, "4"], start=1))
    spec = diary({"intensity": "worst"}, missing=["", 9])
    folder = write_clinic(
        tmp_path / "c", {"d.csv": f"code,day,worst\n{rows}"}, {"diary": spec}, course=START
    )
    _, quarantine, out = ingest(folder)
    days = read_parquet(out / "days.parquet")
    assert days["intensity"].dropna().tolist() == [4]
    assert quarantine.empty


@pytest.mark.parametrize("mark", [-9, "-9", "-9.0"])
def test_a_missing_code_is_no_marker_where_rows_are_told_apart(tmp_path: Path, mark: Any) -> None:
    rows = "".join(f"{who},{day},1,-9\n" for who in ("-9", "B") for day in range(-12, -6))
    spec = diary({"headache": "ill", "intensity": "worst"}, missing=["", mark])
    folder = write_clinic(
        tmp_path / "c", {"d.csv": f"code,day,ill,worst\n{rows}"}, {"diary": spec}, course=START
    )
    days = days_of(folder)
    assert len(days) == 12 and -9 in set(days["day"]) and set(days["patient_id"]) == {"-9", "B"}
    assert days["intensity"].isna().all() and days["headache"].eq(1).all()


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("yes", "no"),
        ("TRUE", "FALSE"),
        ("ja", "nein"),
        ("Ja ", "Nein"),
        ("sí", "no"),
        ("si\u0301", "no"),
        ("1.0", "0.0"),
        ("01", "00"),
        ("1", "0"),
    ],
)
def test_yes_and_no_in_a_column_of_one_and_zero(tmp_path: Path, yes: str, no: str) -> None:
    text = f"code,day,ill\nA,1,{yes}\nA,2,{no}\nA,3,\n"
    spec = {"diary": diary({"headache": "ill"})}
    found = days_of(write_clinic(tmp_path / "c", {"d.csv": text}, spec, course=START))
    assert found["headache"].fillna(-1).tolist() == [1, 0, -1]


@pytest.mark.parametrize("key", [1, "1", "01", "1.0", 1.0])
@pytest.mark.parametrize("cell", ["1", "1.0", "01", " 1", "\u00a01"])
def test_a_code_is_a_number_in_every_spelling(tmp_path: Path, key: Any, cell: str) -> None:
    text = f"code,day,ill\nA,1,{cell}\nA,2,2\n"
    spec = {"diary": diary({"headache": {"column": "ill", "codes": {key: 1, "2": 0}}})}
    found = days_of(write_clinic(tmp_path / "c", {"d.csv": text}, spec, course=START))
    assert found["headache"].tolist() == [1, 0]


def test_codes_do_not_look_at_case_where_it_makes_no_difference(tmp_path: Path) -> None:
    text = "code,day,ill,worst\nA,1,KOPFWEH,m\nA,2,kopfweh,M\nA,3,nichts,x\n"
    columns = {
        "headache": {"column": "ill", "codes": {"Kopfweh": 1, "Nichts": 0}},
        "intensity": {
            "column": "worst",
            "codes": {"m": 3, "M": 7},
            "loss": {"up_to": 0.5, "reason": "a third word that nobody knows"},
        },
    }
    spec = {"diary": diary(columns)}
    folder = write_clinic(tmp_path / "c", {"d.csv": text}, spec, course=START)
    found = days_of(folder)
    assert found["headache"].tolist() == [1, 1, 0]
    assert found["intensity"].fillna(-1).tolist() == [3, 7, -1]


def test_any_other_text_has_a_meaning_where_it_is_declared(tmp_path: Path) -> None:
    text = "code,day,taken\nA,1,Sumatriptan 50 mg\nA,2,none\nA,3,\nA,4,Ibuprofen\nA,5,NA\n"
    column = {"acute_medication": {"column": "taken", "codes": {"none": 0, "*": 1}}}
    folder = write_clinic(tmp_path / "c", {"d.csv": text}, {"diary": diary(column)}, course=START)
    found = days_of(folder)["acute_medication"]
    assert found.fillna(-1).tolist() == [1, 0, -1, 1, -1]


def test_a_declared_code_goes_before_a_missing_marker(tmp_path: Path) -> None:
    text = "code,day,ill\nA,1,9\nA,2,1\nA,3,8\n"
    column = {"headache": {"column": "ill", "codes": {9: 0, 1: 1}}}
    spec = {"diary": diary(column, missing=["", 9, 8])}
    found = days_of(write_clinic(tmp_path / "c", {"d.csv": text}, spec, course=START))
    assert found["headache"].fillna(-1).tolist() == [0, 1, -1]


@pytest.mark.parametrize("cell", ["999", "999.0", " 999", "0999"])
@pytest.mark.parametrize("banded", [False, True])
def test_a_missing_age_is_neither_over_89_nor_a_band(
    tmp_path: Path, cell: str, banded: bool
) -> None:
    entry: dict[str, Any] = {"path": "p.csv", "missing": ["", 999]}
    name = "age_band" if banded else "age"
    entry["columns"] = {"patient_id": "code", name: "age"}
    if banded:
        entry["band"] = {"age": 10}
    text = f"code,age\nA,47\nB,{cell}\n"
    _, quarantine, out = ingest(write_clinic(tmp_path / "c", {"p.csv": text}, {"patients": entry}))
    people = read_parquet(out / "patients.parquet").sort_values("patient_id")
    assert people[name].isna().tolist() == [False, True]
    assert people[name].iloc[0] == ("40-49" if banded else 47)
    assert quarantine.empty


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("-5", "out_of_range"),
        ("121", "out_of_range"),
        ("999", "out_of_range"),
        ("nan", "not_a_number"),
        ("inf", "not_a_number"),
    ],
)
@pytest.mark.parametrize("beside", ["", "old"])
def test_what_is_no_age_is_in_no_band_and_is_listed(
    tmp_path: Path, cell: str, rule: str, beside: str
) -> None:
    rows = "".join(f"A{i},{age}\n" for i, age in enumerate([47, 120, cell, beside]))
    columns = {"patient_id": "code", "age_band": {"column": "age", "loss": {"up_to": 1, **WHY}}}
    entry = {"path": "p.csv", "columns": columns, "band": {"age": 10}}
    folder = write_clinic(tmp_path / "c", {"p.csv": f"code,age\n{rows}"}, {"patients": entry})
    _, quarantine, out = ingest(folder)
    people = read_parquet(out / "patients.parquet").sort_values("patient_id")
    assert people["age_band"].iloc[:2].tolist() == ["40-49", "90+"]
    assert people["age_band"].iloc[2:].isna().all()
    assert quarantine.loc[quarantine["line"] == 4, "rule"].tolist() == [rule]
    assert (quarantine["line"] == 5).sum() == bool(beside)


@pytest.mark.parametrize("dated", [False, True])
def test_a_word_for_missing_in_the_place_of_a_day_is_one_rule_in_every_file(
    tmp_path: Path, dated: bool
) -> None:
    days = ["2031-03-01", "2031-03-02", "NA"] if dated else ["1", "2", "NA"]
    when = {"column": "day", "shifted": True} if dated else "day"
    columns = {"patient_id": "code", "day": when, "headache": "ill"}
    lines = [f"A,{day},1" for day in days]
    # A cell over two lines takes the whole file another way to the same table.
    for n, code in enumerate(("A", '"A\n"')):
        text = "\n".join(["code,day,ill", f"{code},{days[0]},1", *lines[1:], ""])
        entry = {"path": "d.csv", "columns": columns}
        _, quarantine, _ = ingest(
            write_clinic(tmp_path / str(n), {"d.csv": text}, {"diary": entry})
        )
        assert quarantine["rule"].tolist() == ["missing_key"], n


def test_patient_codes_stay_as_they_are_typed(tmp_path: Path) -> None:
    text = "code,day,ill\n 01.10 ,1,1\n01.10\u00a0,2,0\nNA,1,1\n"
    spec = {"diary": diary({"headache": "ill"})}
    found = days_of(write_clinic(tmp_path / "c", {"d.csv": text}, spec, course=START))
    assert found["patient_id"].tolist() == ["01.10", "01.10", "NA"]


@pytest.mark.parametrize(("typed", "lost"), [("007", "7"), ("0042", "42"), ("7", "7.0")])
def test_patient_codes_that_lost_their_zeros_are_refused(
    tmp_path: Path, typed: str, lost: str
) -> None:
    files = {"d.csv": f"code,day,ill\n{typed},1,1\n", "s.csv": f"code,day\n{lost},0\n"}
    sessions = {"path": "s.csv", "columns": {"patient_id": "code", "day": "day"}}
    spec = {"diary": diary({"headache": "ill"}), "sessions": sessions}
    folder = write_clinic(tmp_path / "c", files, spec)
    with pytest.raises(InputError) as refused:
        ingest(folder)
    (problem,) = refused.value.problems
    assert problem.rule == "patient_code_spelling" and problem.count == 1
    assert "d.csv" in problem.file and "s.csv" in problem.file


@pytest.mark.parametrize(
    ("pattern", "cells"),
    [
        ("%Y-%m-%d", ["2031-03-01", "2031-03-03 00:00:00", "2031-03-06T22:15:00"]),
        ("%d.%m.%Y", ["01.03.2031", "3.3.2031", "2031-03-06"]),
        ("%d.%m.%y", ["01.03.31", "03.03.31", "06.03.31"]),
        ("%d/%m/%Y %H:%M", ["01/03/2031 10:00", "03/03/2031 00:00", "2031-03-06 09:30"]),
        ("excel", ["47908", "47910.0", "47913.75"]),
    ],
)
@pytest.mark.parametrize("way", ["offset_from", "column"])
def test_shifted_dates(tmp_path: Path, pattern: str, cells: list[str], way: str) -> None:
    text = "code,when,ill\n" + "".join(f"A,{cell},1\n" for cell in cells)
    told = {"column": "when", "shifted": True, "format": pattern}
    columns: dict[str, Any] = {"patient_id": "code", "headache": "ill"}
    spec: dict[str, Any] = {"path": "d.csv", "columns": columns}
    if way == "column":
        columns["day"] = told
    else:
        spec["offset_from"] = told
    found = days_of(write_clinic(tmp_path / "c", {"d.csv": text}, {"diary": spec}))
    assert found["day"].tolist() == [0, 2, 5]


@pytest.mark.parametrize("cell", ["1e12", "2958466", "-1", "nan", "-1e300"])
@pytest.mark.parametrize("beside", ["47913", "soon"])
def test_a_serial_number_that_is_no_day_costs_its_row(
    tmp_path: Path, cell: str, beside: str
) -> None:
    rows = [*range(47908, 47913), cell, beside]
    text = "code,when,ill\n" + "".join(f"A,{row},1\n" for row in rows)
    told = {"column": "when", "shifted": True, "format": "excel"}
    spec = diary({"day": told, "headache": "ill"}, loss={"up_to": 1, **WHY})
    folder = write_clinic(tmp_path / "c", {"d.csv": text}, {"diary": spec})
    _, quarantine, _ = ingest(folder)
    assert days_of(folder)["day"].tolist()[:5] == [0, 1, 2, 3, 4]
    assert quarantine.loc[quarantine["line"] == 7, "rule"].tolist() == ["not_a_date"]


@pytest.mark.parametrize("cell", ["01.03.31", "01.03.3013", "01.03.2013"])
def test_a_year_far_from_all_others_is_set_aside(tmp_path: Path, cell: str) -> None:
    visits = "".join(f"{who},{d:02d}.03.2031\n" for who in "AB" for d in (1, 8, 15, 22, 29))
    text = f"code,seen\nA,{cell}\n{visits}"
    sessions = {
        "path": "s.csv",
        "columns": {"patient_id": "code"},
        "offset_from": {"column": "seen", "shifted": True, "format": "%d.%m.%Y"},
    }
    _, quarantine, out = ingest(
        write_clinic(tmp_path / "c", {"s.csv": text}, {"sessions": sessions})
    )
    visits = read_parquet(out / "sessions.parquet")
    assert sorted(visits["day"].unique()) == [0, 7, 14, 21, 28] and len(visits) == 10
    assert quarantine[["line", "column", "rule"]].values.tolist() == [
        [2, "seen", "implausible_day"]
    ]


def test_a_day_count_far_from_all_others_is_set_aside(tmp_path: Path) -> None:
    rows = "".join(f"A,{day},1\n" for day in range(20))
    text = f"code,day,ill\n{rows}A,7300,1\n"
    spec = {"diary": diary({"headache": "ill"})}
    _, quarantine, out = ingest(write_clinic(tmp_path / "c", {"d.csv": text}, spec, course=START))
    assert read_parquet(out / "days.parquet")["day"].max() == 19
    assert quarantine[["line", "rule"]].values.tolist() == [[22, "implausible_day"]]
