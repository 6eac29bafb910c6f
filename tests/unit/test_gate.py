"""The de-identification gate: what is refused, and that no refusal repeats a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from headway.errors import RefusedError
from tests.unit.clinic_builder import DIARY, ingest, write_clinic

SECRET = {
    "email": "jane.doe@example.org",
    "full_date": "2024-03-17",
    "url": "https://example.org/patient",
    "ssn": "123-45-6789",
    "ip": "192.0.2.44",
    "phone": "+44 20 7946 0018",
    "person_name": "seen with Mrs. Smith",
    "free_text": "came because of a headache that started after a fall from a horse at the fair",
}


def folder_with(tmp_path: Path, column: str, value: str) -> Path:
    rows = "".join(f"P{i},{i},1,ok\n" for i in range(3))
    return write_clinic(
        tmp_path / "c",
        {"diary.csv": f"code,day,headache,{column}\n{rows}P9,1,0,{value}\n"},
        {"diary": DIARY},
    )


@pytest.mark.parametrize("rule", sorted(SECRET))
def test_a_cell_that_identifies_is_refused_by_rule_and_never_repeated(
    tmp_path: Path, rule: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        ingest(folder_with(tmp_path, "remark", SECRET[rule]))
    problem = next(p for p in caught.value.problems if p.rule == rule)
    assert (problem.file, problem.column, problem.count) == ("diary.csv", "remark", 1)
    assert problem.remedy
    assert SECRET[rule] not in str(caught.value)


@pytest.mark.parametrize(
    "date",
    [
        "17.03.2024",
        "3/17/24",
        "17 Mar 2024",
        "March 17, 2024",
        "2024/3/7",
        "17-Mar-24",
        "2024-03-17T10:00",
    ],
)
def test_dates_are_found_as_people_write_them(tmp_path: Path, date: str) -> None:
    quoted = f'"{date}"'
    with pytest.raises(RefusedError, match="full_date"):
        ingest(folder_with(tmp_path, "seen", quoted))


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        ("Name", "name"),
        ("PatientName", "name"),
        ("Nachname", "name"),
        ("e-mail", "email"),
        ("date_of_birth", "birth_date"),
        ("Geburtsdatum", "birth_date"),
        ("Teléfono", "phone"),
        ("MRN", "record_number"),
        ("home address", "address"),
    ],
)
def test_a_column_is_refused_by_its_name(tmp_path: Path, column: str, rule: str) -> None:
    with pytest.raises(RefusedError) as caught:
        ingest(folder_with(tmp_path, column, "x"))
    assert [(p.rule, p.column) for p in caught.value.problems] == [(rule, column)]


@pytest.mark.parametrize(
    "remark",
    [
        "call (212) 555-0142",
        "212-555-0142 after six",
        "ring 212.555.0142.",
        "1-212-555-0142",
        "her son: +44 20 7946 0018 (evenings)",
        "+1 212 555 0142",
    ],
)
def test_a_telephone_number_is_found_within_a_remark(tmp_path: Path, remark: str) -> None:
    # numbers that the regulators reserve for fiction
    with pytest.raises(RefusedError, match="phone") as caught:
        ingest(folder_with(tmp_path, "remark", remark))
    assert "555" not in str(caught.value) and "7946" not in str(caught.value)


@pytest.mark.parametrize(
    "harmless",
    ["0.123.456.7890", "day 12-28, 100 150 mg", "-212-555", "+2 to +3 points"],
)
def test_numbers_that_are_no_telephone_number_pass(tmp_path: Path, harmless: str) -> None:
    accounts, _, _ = ingest(folder_with(tmp_path, "remark", f'"{harmless}"'))
    assert accounts["diary.csv"].kept == 4


@pytest.mark.parametrize("harmless", ["1.5", "12/28", "-0.66666", "5-7", "4h 15m", "2024", "v1.2"])
def test_ordinary_cells_pass(tmp_path: Path, harmless: str) -> None:
    accounts, _, _ = ingest(folder_with(tmp_path, "remark", harmless))
    assert accounts["diary.csv"].kept == 4


def test_a_dropped_column_is_not_looked_at(tmp_path: Path) -> None:
    folder = write_clinic(
        tmp_path / "c",
        {"diary.csv": f"code,day,headache,mail\nP1,1,0,{SECRET['email']}\n"},
        {"diary": {**DIARY, "drop": ["mail"]}},
    )
    assert ingest(folder)[0]["diary.csv"].kept == 1


def test_ages_over_89_and_long_postcodes_are_refused(tmp_path: Path) -> None:
    folder = write_clinic(
        tmp_path / "c",
        {"patients.csv": "code,years,zip\nP1,90,12345\nP2,89,123\n"},
        {"patients": {"path": "patients.csv", "columns": {"patient_id": "code", "age": "years"}}},
    )
    with pytest.raises(RefusedError) as caught:
        ingest(folder)
    assert {(p.rule, p.count) for p in caught.value.problems} == {
        ("age_over_89", 1),
        ("postcode", 1),
    }


def test_texts_that_differ_in_every_row_are_refused(tmp_path: Path) -> None:
    rows = "".join(f"P{i},{i},1,token{i}x\n" for i in range(30))
    folder = write_clinic(
        tmp_path / "c", {"diary.csv": f"code,day,headache,key\n{rows}"}, {"diary": DIARY}
    )
    with pytest.raises(RefusedError, match="near_unique"):
        ingest(folder)


def test_shifted_dates_become_offsets_only_when_declared(tmp_path: Path) -> None:
    text = "code,when,headache\nP1,2024-03-17,1\nP1,2024-03-20,0\nP2,2020-01-01,1\n"
    columns = {"patient_id": "code", "headache": "headache"}
    spec = {
        "path": "diary.csv",
        "columns": columns,
        "offset_from": {"column": "when", "shifted": True},
    }
    folder = write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": spec})
    _, _, out = ingest(folder)
    from headway.tables import read_parquet

    days = read_parquet(out / "days.parquet")
    assert list(zip(days["patient_id"], days["day"], strict=True)) == [
        ("P1", 0),
        ("P1", 3),
        ("P2", 0),
    ]
