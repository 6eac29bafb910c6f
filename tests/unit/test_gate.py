"""The de-identification gate: what is refused, and that no refusal repeats a value."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import RefusedError
from headway.ingest.gate import check_file_name, check_names
from headway.ingest.gate.columns import Cells, make_cells
from headway.ingest.gate.content import Kind, judge
from headway.ingest.secret import make_code
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


def test_codes_that_the_secret_makes_pass() -> None:
    for n in range(300):
        secret = bytes([n % 256, n // 256] * 16)
        for first, length, different in (("p", 8, 100), ("t", 4, 3)):
            made = [
                (first + make_code(secret, "code", str(i), length), 9) for i in range(different)
            ]
            kind = Kind("code", "patient_id" if first == "p" else "therapist")
            assert judge(Cells(make_cells(made), different, 9 * different), kind) == {}


@pytest.mark.parametrize(
    ("text", "old"),
    [
        ("tt97j", False),
        ("p44xjbm95y", False),
        ("K-21a93J", False),
        ("w94J", True),
        ("M93 yrs", True),
    ],
)
def test_a_code_that_ends_like_an_age_is_none(text: str, old: bool) -> None:
    found = judge(Cells(make_cells([(text, 9)]), 1, 9), Kind("what"))
    assert ("age_over_89" in found) == old


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


def diary_of(tmp_path: Path, column: str, cells: list[str], **spec: object) -> Path:
    """A diary of 30 days with one more column; cells that are not given stay empty."""
    filled = [*cells, *[""] * (30 - len(cells))]
    rows = "".join(f'P{i % 3},{i},1,"{cell}"\n' for i, cell in enumerate(filled))
    text = f'code,day,headache,"{column}"\n{rows}'
    return write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": {**DIARY, **spec}})


def rules_of(folder: Path) -> set[tuple[str, str]]:
    try:
        ingest(folder)
    except RefusedError as error:
        return {(p.column, p.rule) for p in error.problems}
    return set()


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        (["12345678Z"], "national_number"),  # the example of its ministry
        (["DE89 3704 0044 0532 0130 00"], "account"),  # the example of the registry of IBAN
        (["111222333", "123456782"], "national_number"),
        (["RSSMRA85T10A562S"], "national_number"),
        (["48.13743, 11.57549"], "coordinates"),
        (["14 juillet 2020"], "full_date"),
        (["20220702", "20220714"], "full_date"),
        (["Anna\u00a0Holt"], "person_name"),
        (["Jоhn Hаrdу"], "person_name"),  # Cyrillic o, a and y
        (["m.jones＠clinic.example"], "email"),
        (["256‑488‑9802"], "phone"),
        (["1012 LG", "3511 AB"], "postcode"),
        (["12-AB-CD", "34-GH-JK"], "vehicle"),
        (["00:1B:44:11:3A:B7"], "device"),
    ],
)
def test_each_kind_is_found_in_an_unused_column(
    tmp_path: Path, cells: list[str], rule: str
) -> None:
    assert ("item", rule) in rules_of(diary_of(tmp_path, "item", cells))


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("dx", ["1.1", "1.2.1.1", "1.2.1.2"]),
        ("neck_angles", ["52/44/90", "42/48/66", "31/50/87"]),
        ("drug_code", ["0006-0267-18", "0078-0498-15"]),
        ("group", ["40-49", "90+", "90 und älter"]),
        ("muscle", ["M. trapezius", "Masseter Right"]),
        ("enrolment", [f"TP-{i:03d}" for i in range(30)]),
        ("cell_phone_hours", ["3", "1"]),
        ("mother_migraine", ["1", "0"]),
        ("Behandlungsort", ["Praxis"]),
    ],
)
def test_what_the_field_needs_passes(tmp_path: Path, name: str, cells: list[str]) -> None:
    assert rules_of(diary_of(tmp_path, name, cells)) == set()


def test_an_address_of_the_net_is_none_of_ichd(tmp_path: Path) -> None:
    assert rules_of(diary_of(tmp_path, "dx", ["1.1", "192.168.1.17"])) == {("dx", "ip")}


def test_a_therapist_who_differs_in_every_row_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"P{i % 3},{i},manual,T{i:02d}\n" for i in range(30))
    columns = {"patient_id": "code", "day": "day", "technique": "how", "therapist": "who"}
    folder = write_clinic(
        tmp_path / "c",
        {"s.csv": f"code,day,how,who\n{rows}"},
        {"sessions": {"path": "s.csv", "columns": columns}},
    )
    assert rules_of(folder) == {("who", "near_unique")}


def test_two_fine_columns_side_by_side_are_a_place(tmp_path: Path) -> None:
    rows = "".join(f"P{i % 3},{i},1,48.1{i:03d}5,11.5{i:03d}1\n" for i in range(30))
    folder = write_clinic(
        tmp_path / "c", {"diary.csv": f"code,day,headache,a,b\n{rows}"}, {"diary": DIARY}
    )
    assert rules_of(folder) == {("a", "coordinates"), ("b", "coordinates")}


def test_what_someone_has_looked_at_is_accepted_by_name_and_rule(tmp_path: Path) -> None:
    cells = ["192.0.2.44", "2024-03-17"]
    accept = {"item": ["ip"]}
    assert rules_of(diary_of(tmp_path / "1", "item", cells, accept=accept)) == {
        ("item", "full_date")
    }
    both = {"item": ["ip", "full_date"]}
    assert rules_of(diary_of(tmp_path / "2", "item", cells, accept=both)) == set()


@pytest.mark.parametrize(
    ("extra", "place", "rule"),
    [
        ({"title": "Diary of Oliver Bennett"}, "title", "person_name"),
        ({"description": "asks k.maier@post.example"}, "description", "email"),
        (
            {"comparisons": [{"id": "a", "pre": "baseline", "post": "post", "primary": True,
                              "label": "since 4 May 2021"}]},
            "comparisons.a.label",
            "full_date",
        ),
    ],
)  # fmt: skip
def test_the_texts_of_clinic_yaml_are_looked_at(
    tmp_path: Path, extra: dict[str, object], place: str, rule: str
) -> None:
    text = "code,day,headache\nP1,1,1\n"
    folder = write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": DIARY}, **extra)
    assert rules_of(folder) == {(place, rule)}


def test_values_that_clinic_yaml_gives_are_looked_at(tmp_path: Path) -> None:
    text = "code,day,event\nP1,1,a\n"
    event = {"column": "event", "codes": {"a": "see Mrs Whitlock"}}
    columns = {"patient_id": "code", "day": "day", "adverse_event": event}
    spec = {"path": "s.csv", "columns": columns, "constants": {"drug": "for Mrs Whitlock"}}
    folder = write_clinic(tmp_path / "c", {"s.csv": text}, {"sessions": spec})
    assert rules_of(folder) == {
        ("files.sessions.columns.adverse_event.codes", "person_name"),
        ("files.sessions.constants.drug", "person_name"),
    }


def test_what_selects_rows_in_clinic_yaml_is_looked_at(tmp_path: Path) -> None:
    text = "code,redcap_event_name,redcap_repeat_instrument,day,headache\nP1,week_4_arm_2,day,1,1\n"
    found = []
    for name, events in (("c", ["week_4_arm_2"]), ("d", ["week_4_arm_2", "Seen by Mrs. Whitlock"])):
        redcap = {"events": events, "instrument": "day"}
        diary = DIARY | {"path": "r.csv", "redcap": redcap}
        found.append(rules_of(write_clinic(tmp_path / name, {"r.csv": text}, {"diary": diary})))
    assert found == [set(), {("files.diary.redcap.events", "person_name")}]


def test_reasons_and_sources_of_clinic_yaml_are_looked_at(tmp_path: Path) -> None:
    telling = "ask jo@example.org"
    loss = {"up_to": 0.5, "reason": telling}
    told = {"path": "diary.csv", "columns": {**DIARY["columns"], "headache": "headache"}}
    told["columns"]["headache"] = {"column": "headache", "loss": loss}
    wide = {"column": "w", "window": "post", "outcome": "frequency", "unit": "days_per_28"}
    windows = {"path": "w.csv", "columns": {"patient_id": "code"}, "wide": [{**wide, "loss": loss}]}
    cutoff = {"days": 4, "population_sd": 5, "source": telling}
    folder = write_clinic(
        tmp_path / "c",
        {"diary.csv": "code,day,headache\nA,1,1\n", "w.csv": "code,w\nA,3\n"},
        {"diary": told, "windows": windows},
        expected={"cutoff": cutoff},
        individual={"source": telling},
    )
    with pytest.raises(RefusedError) as caught:
        ingest(folder)
    assert {(p.rule, p.column) for p in caught.value.problems} == {
        ("email", "files.diary.columns.headache.loss.reason"),
        ("email", "files.windows.wide.0.loss.reason"),
        ("email", "expected.cutoff.source"),
        ("email", "individual.source"),
    }
    assert telling not in str(caught.value)


def test_what_a_workbook_says_of_itself_is_looked_at(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["code", "day", "headache"])
    book.active.append(["P1", 1, 1])
    book.properties.creator, book.properties.title = "Oliver Bennett", "headache diary"
    folder = write_clinic(tmp_path / "c", {}, {"diary": {**DIARY, "path": "d.xlsx"}})
    book.save(folder / "d.xlsx")
    assert rules_of(folder) == {("creator", "person_name")}


def test_a_mapped_code_is_judged_as_strictly(tmp_path: Path) -> None:
    numbers = ["111222333", "123456782", "253433198", "227634512", "204641664"]  # all pass
    rows = "".join(f"{number},1,1\n" for number in numbers)
    folder = write_clinic(
        tmp_path / "c", {"diary.csv": f"code,day,headache\n{rows}"}, {"diary": DIARY}
    )
    assert rules_of(folder) == {("code", "national_number")}


def test_a_column_of_very_many_cells_is_looked_at_by_form(tmp_path: Path) -> None:
    rows = "".join(f"P{i:05d},1,1,{'x' if i != 4321 else '2024-03-17'}\n" for i in range(5000))
    folder = write_clinic(
        tmp_path / "c", {"diary.csv": f"code,day,headache,item\n{rows}"}, {"diary": DIARY}
    )
    assert rules_of(folder) == {("item", "full_date")}


@given(st.text(max_size=80), st.text(max_size=2000))
def test_no_name_and_no_cell_is_too_odd_to_be_judged(name: str, cell: str) -> None:
    cells = Cells(make_cells([(cell, 1)]), 1, 1)
    counts = judge(cells, Kind(name or "x"))
    assert all(n == 1 for n in counts.values())
    check_names("f.csv", [name])
    check_file_name(name)


def test_the_pages_methods_name_what_was_accepted(tmp_path: Path) -> None:
    from headway import config, disclosure, tables
    from headway.messages import speaking
    from headway.report.clinic.methods import list_definitions

    folder = diary_of(tmp_path, "item", ["192.0.2.44"], accept={"item": ["ip"]})
    with speaking("en"):
        nothing = (tables.empty("cohort"), tables.empty("window_means"))
        said = list_definitions(
            config.load_clinic(folder), disclosure.PRESETS["internal"], *nothing
        )
    assert any("item (ip)" in text for _, text in said)
