"""Where a rule of reading begins and ends: numbers at its edges, by hand."""

from __future__ import annotations

import json
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headway import config
from headway.errors import InputError, RefusedError
from headway.ingest import clinics, proposals, transcription, trials
from headway.ingest.adapters import fhir, shown
from headway.ingest.adapters.analyses import Analysis
from headway.ingest.adapters.exchange import write_number as write_cell
from headway.ingest.adapters.metafor import write_script
from headway.ingest.adapters.spreadsheet import read_workbook
from headway.ingest.gate import categories, checksums, dates, places
from headway.ingest.open.encoding import as_utf8
from headway.ingest.proposals import measures
from headway.ingest.proposals.codes import read_drugs
from headway.ingest.proposals.columns import Named, name_columns
from headway.ingest.proposals.dates import Moment
from headway.ingest.proposals.opening import Sheet
from headway.ingest.proposals.people import Starts, count_offsets
from headway.ingest.proposals.records import Entry, Records, _rescale
from headway.ingest.proposals.shape_rows import _length
from headway.ingest.proposals.values import profile, write_number
from headway.ingest.proposals.windows import find_pairs
from headway.messages import say_in_english
from tests.conftest import ROOT
from tests.unit.clinic_builder import DIARY, diary_text, ingest, write_clinic
from tests.unit.review_builder import ARMS, write_review


@pytest.mark.parametrize(
    ("age", "band"),
    [("-1", ""), ("0", "0-9"), ("9.5", "0-9"), ("45", "40-49"), ("89", "80-89"), ("90", "90+"),
     ("120", "90+"), ("121", ""), ("old", "")],
)  # fmt: skip
def test_an_age_becomes_its_ten_years(age: str, band: str) -> None:
    assert proposals._band(age) == band


def columns_of(header: str, cells: list[str], field: str) -> Named:
    return Named(0, field, header, profile(cells))


def test_names_of_drugs_say_only_that_one_was_taken() -> None:
    cells = ["ibuprofen", "none", "sumatriptan 50", "", "none"]
    plain, entry = read_drugs(columns_of("Drug", cells, "acute_med_doses"), cells)
    assert plain == ["taken", "none", "taken", "", "none"]
    assert entry.codes == {"none": 0, "taken": 1}


@pytest.mark.parametrize(
    ("headers", "times"),
    [
        (("Headache days", "Headache days after"), ["after", "before"]),
        (("Headache days before", "Headache days"), ["after", "before"]),
        (("Headache days before", "Headache days after"), ["after", "before"]),
        (("Headache days", "Headache days before"), []),
        (("Headache days", "Headache days week 4"), []),
    ],
)
def test_two_columns_of_an_outcome_are_before_and_after(
    headers: tuple[str, str], times: list[str]
) -> None:
    found = [columns_of(h, ["3", "4"], "headache_days_28") for h in headers]
    assert sorted(find_pairs(found).get("headache_days_28", {})) == times


def test_minutes_become_hours_and_half_hours_stay() -> None:
    cells, entry = _rescale(["90", "20", "", "long"], Entry(unit="minutes"))
    assert cells == ["1.5", "0.333333", "", "long"] and entry.unit == "hours"
    assert write_number(2.0) == "2" and write_number(1.23456789) == "1.234568"


def coordinates(n: int, decimals: int) -> tuple[list[str], list[str]]:
    lat = [f"{52.5 + i / 97:.{decimals}f}" for i in range(n)]
    return lat, [f"{13.4 + i / 89:.{decimals}f}" for i in range(n)]


def test_five_places_are_coordinates_and_four_are_not() -> None:
    for n, decimals, found in ((5, 4, ["a", "b"]), (4, 4, []), (5, 3, []), (9, 5, ["a", "b"])):
        lat, lon = coordinates(n, decimals)
        assert places.find_pairs({"a": lat, "b": lon}) == found, (n, decimals)
    lat, lon = coordinates(10, 4)
    assert places.find_pairs({"a": ["5", *lat[1:]], "b": lon}) == ["a", "b"]  # nine of ten
    assert places.find_pairs({"a": ["5", "6", *lat[2:]], "b": lon}) == []


def test_three_hashes_of_one_town_are_places() -> None:
    town = ["u281z7j5p", "u281z4h2c", "u281zd9gb"]
    assert places.are_geohashes(town)
    assert not places.are_geohashes(town[:2])
    assert not places.are_geohashes([*town, "u281zailo"])  # letters that no hash has
    assert not places.are_geohashes(["u281z7j5p", "9q8yyk8yt", "gcpvj0du6"])


def test_seconds_and_milliseconds_since_1970_and_days_of_a_spreadsheet_are_dates() -> None:
    def find(numbers: list[int], *, called: bool = False, free: bool = True) -> set[int]:
        return dates.find_counted(numbers, len(numbers), called_date=called, free=free)

    seconds = [1_700_000_000 + 86_400 * i for i in range(3)]
    assert find(seconds) == set(seconds)
    assert find(seconds[:2]) == set() and find(seconds[:2], called=True) == set(seconds[:2])
    assert find([*seconds, 9_999_999_999]) == set()  # as long, and no time
    assert find([1_700_000_000_000]) == {1_700_000_000_000}
    assert find([1_700_000_000_000], free=False) == set()
    assert find([2_099_999_999_999]) and not find([2_100_000_000_002])
    assert find([20_240_517, 24_052_031]) == {20_240_517, 24_052_031}
    serial = list(range(45_000, 45_020))
    assert find(serial) == set(serial) and find(serial[:19]) == set()
    assert find([45_000], called=True) == {45_000} and find([6_999], called=True) == set()


@pytest.mark.parametrize("province", ["01", "28", "66"])
def test_a_spanish_number_of_social_security_is_held_by_97(province: str) -> None:
    for number in (1, 1_234_567, 12_345_678):
        digits = int(province) * 10 ** (7 if number < 10**7 else 8) + number
        text = f"{province}{number:08d}{digits % 97:02d}"
        assert checksums._is_nss(text)
        assert not checksums._is_nss(f"{text[:-2]}{(digits + 1) % 97:02d}")
    assert not checksums._is_nss("00" + "00000001" + "01")


def test_the_line_of_damaged_json_is_that_of_the_file(tmp_path: Path) -> None:
    whole: dict[str, Any] = {"resourceType": "Bundle", "type": "collection", "entry": []}
    lines = json.dumps(whole, indent=1).splitlines()
    lines[3] = lines[3].replace(":", "")
    (tmp_path / "b.json").write_text("\n".join(lines))
    (tmp_path / "n.ndjson").write_text('{"resourceType": "Patient"}\n' * 5 + "{x}\n")
    for name, line in (("b.json", 4), ("n.ndjson", 6)):
        with pytest.raises(InputError) as caught:
            fhir.list_item_texts(tmp_path / name)
        (problem,) = caught.value.problems
        assert (problem.rule, problem.line) == ("damaged_json", line)


def test_arms_of_two_kinds_get_no_overall_estimate_in_r(tmp_path: Path) -> None:
    pooled = {"outcome": "frequency", "label": "Days", "measure": "MD"}
    comparisons = [
        {**pooled, "id": "by", "estimand": "between_arm", "subgroup_by": "technique"},
        {**pooled, "id": "arms", "estimand": "within_arm", "measure": "MC", "subgroup_by": "arm"},
    ]
    folder = write_review(tmp_path / "r", {"arms.csv": ARMS}, comparisons=comparisons)
    text = write_script(config.load_review(folder))
    by, arms = (text.index(f'comparison == "{name}"') for name in ("by", "arms"))
    overall = [i for i in range(len(text)) if text.startswith('refit("Days", rows', i)]
    assert len(overall) == 1 and min(by, arms) < overall[0]
    assert (by < overall[0] < arms) or (arms < by < overall[0])


def test_the_line_of_a_nul_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    for line in (1, 2, 7):
        lines = [b"code,day"] * 9
        lines[line - 1] += b"\0"
        path.write_bytes(b"\n".join(lines))
        with pytest.raises(InputError) as caught:
            as_utf8(path, "d.csv", "auto", tmp_path / "copy")
        assert [p.line for p in caught.value.problems] == [line]


@pytest.mark.parametrize(("alike", "refused"), [(4, True), (5, False), (12, False)])
def test_five_people_who_are_alike_are_enough(tmp_path: Path, alike: int, refused: bool) -> None:
    people = "code,sex\n" + "".join(
        f"P{i:02d},{'female' if i < alike else 'male'}\n" for i in range(30)
    )
    spec = {
        "patients": {"path": "patients.csv", "columns": {"patient_id": "code", "sex": "sex"}},
        "diary": DIARY,
    }
    diary = diary_text([(f"P{i:02d}", 0, i % 2) for i in range(30)])
    files = {"patients.csv": people, "diary.csv": diary}
    folder = write_clinic(tmp_path / "c", files, spec, gate={"k": 5})
    if not refused:
        ingest(folder)
        return
    with pytest.raises(RefusedError) as caught:
        ingest(folder)
    (problem,) = caught.value.problems
    assert (problem.rule, problem.count) == ("k_anonymity", 4)


def diary_of(tmp_path: Path, pain: list[Any], days: list[int] | None = None) -> pd.DataFrame:
    """Read a diary with these ratings of pain; returns what was set aside."""
    days = days or list(range(-28, len(pain) - 28))
    own = [(f"P{i}", d, 1, p) for i in range(4) for d, p in zip(days, pain, strict=True)]
    columns = {"patient_id": "code", "day": "day", "headache": "headache", "intensity": "pain"}
    text = diary_text(own, "code,day,headache,pain")
    folder = write_clinic(
        tmp_path / "c", {"d.csv": text}, {"diary": {"path": "d.csv", "columns": columns}}
    )
    return ingest(folder)[1]


@pytest.mark.parametrize(("pain", "good"), [(-1, False), (0, True), (10, True), (11, False)])
def test_a_column_of_numbers_is_held_to_its_range(tmp_path: Path, pain: int, good: bool) -> None:
    found = diary_of(tmp_path, [3, 4, 5, 6, 7] * 12 + [pain])
    assert found["rule"].tolist() == ([] if good else ["out_of_range"] * 4)


# Ten years are 3,652.5 days: from a person's own middle, and from day 0.
@pytest.mark.parametrize(
    ("first", "last", "good"),
    [(-28, 1500, True), (-28, 20_000, False), (-3028, 600, True), (-3028, 2000, False)],
)
def test_a_day_far_from_a_persons_own_is_set_aside(
    tmp_path: Path, first: int, last: int, good: bool
) -> None:
    found = diary_of(tmp_path, [5] * 60, [*range(first, first + 59), last])
    assert found["rule"].tolist() == ([] if good else ["implausible_day"] * 4)


def test_zeros_beside_blanks_are_doubted_though_a_few_others_are_blank(tmp_path: Path) -> None:
    rows = [(i, 10 + i % 5, 0 if i < 8 else 6, "" if i < 8 or i == 20 else 3) for i in range(60)]
    text = "id,f1,f2,score\n" + "".join(f"{a},{b},{c},{d}\n" for a, b, c, d in rows)
    windows = [
        {"column": c, "window": w, "outcome": "frequency", "unit": "days_per_28"}
        for c, w in (("f1", "baseline"), ("f2", "post"))
    ]
    spec = {"windows": {"path": "w.csv", "columns": {"patient_id": "id"}, "wide": windows}}
    with pytest.raises(InputError) as caught:
        ingest(write_clinic(tmp_path / "c", {"w.csv": text}, spec))
    assert [(p.rule, p.column, p.count) for p in caught.value.problems] == [
        ("zero_coded_missing", "f2", 8)
    ]


def test_authors_may_be_named_where_they_are_cited_and_nowhere_else(tmp_path: Path) -> None:
    spec = {"diary": DIARY}
    files = {"diary.csv": diary_text([(f"P{i}", 0, i % 2) for i in range(8)])}
    names = "Anna Meier and Otto Huber"
    ingest(write_clinic(tmp_path / "a", files, spec, citation=f"{names}. Lancet 2021;1:2"))
    with pytest.raises(RefusedError) as caught:
        ingest(write_clinic(tmp_path / "b", files, spec, description=f"seen by Mrs {names}"))
    assert {p.rule for p in caught.value.problems} == {"person_name"}


def test_a_name_over_two_columns_of_a_header_is_refused_however_tall(tmp_path: Path) -> None:
    from openpyxl import Workbook

    for area, refused in (("B1:C1", True), ("B1:C2", True), ("B1:B2", False), ("B3:C3", False)):
        book = Workbook()
        sheet = book.worksheets[0]
        for row in (["code", "day", "headache"], *(["P1", d, d % 2] for d in range(9))):
            sheet.append(row)
        sheet.merge_cells(area)
        path = tmp_path / f"{area.replace(':', '')}.xlsx"
        book.save(path)
        if refused:
            with pytest.raises(InputError) as caught:
                read_workbook(path, None, tmp_path / path.stem, header_row=1)
            assert [p.rule for p in caught.value.problems] == ["merged_header"]
        else:
            read_workbook(path, None, tmp_path / path.stem, header_row=1)


def test_a_merged_cell_stands_in_each_of_its_rows_and_no_further(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.worksheets[0]
    for row in (["code", "day"], ["P1", 0], [None, 1], [None, 2], [None, 3], ["P2", 0]):
        sheet.append(row)
    sheet.merge_cells("A2:A4")
    book.save(tmp_path / "w.xlsx")
    (copy,) = read_workbook(tmp_path / "w.xlsx", None, tmp_path / "w", header_row=1)
    assert copy.path.read_text().split() == ["code,day", "P1,0", "P1,1", "P1,2", ",3", "P2,0"]


def test_four_of_five_codes_are_a_column_of_ichd() -> None:
    codes = ["1.1", "1.2", "2.2.1", "G43", "x"]
    good = [c for c in codes if categories.are_ichd([c])]
    assert good[:3] == ["1.1", "1.2", "2.2.1"]
    assert categories.are_ichd(["1.1"] * 8 + ["x"] * 2)
    assert not categories.are_ichd(["1.1"] * 7 + ["x"] * 3)
    assert not categories.are_ichd([])


@pytest.mark.parametrize(
    ("header", "cells", "doubt"),
    [
        ("Treatment time", [str(20 + i) for i in range(12)], False),
        ("Treatment time", [str(20 + i) for i in range(11)], True),
        ("Treatment time", [str(200 + i) for i in range(12)], True),
        ("Treatment time", [str(2 + i % 9) for i in range(12)], True),
        ("Treatment (min)", ["5", "6"], False),
    ],
)
def test_twelve_lengths_of_a_visit_tell_minutes(header: str, cells: list[str], doubt: bool) -> None:
    column = columns_of(header, cells, "minutes")
    _, found = measures.read_outcome(column, "minutes", cells, header, (), lambda *_: None)
    assert bool(found.doubt) is doubt and found.off is doubt


def test_an_attack_lasts_up_to_a_week() -> None:
    day, week = Moment(date(2024, 3, 1), None), Moment(date(2024, 3, 8), None)
    assert _length(day, 6.0, week, 6.0, dated=True) == "168"
    assert _length(day, 6.0, week, 6.5, dated=True) == ""
    assert _length(day, 6.0, day, 6.0, dated=True) == ""
    assert _length(day, 22.0, None, 1.5, dated=False) == "3.5"
    assert (
        _length(day, None, week, 6.0, dated=True) == _length(day, 6.0, None, 6.0, dated=True) == ""
    )


@pytest.mark.parametrize("line", [1, 31, 32, 60, 200])
def test_a_header_stands_where_it_is_declared_to(tmp_path: Path, line: int) -> None:
    rows = diary_text([(f"P{i}", 0, i % 2) for i in range(8)])
    above = "".join(f"remark {i}\n" for i in range(line - 1))
    spec = {"diary": {**DIARY, "header_row": line}}
    found = ingest(write_clinic(tmp_path / "c", {"diary.csv": above + rows}, spec))
    assert found[0]["diary.csv"].kept == 8


@pytest.mark.parametrize(("most", "unit"), [(10, "nrs_0_10"), (100, "vas_0_100"), (101, None)])
def test_a_scale_of_pain_is_told_by_its_end(most: int, unit: str | None) -> None:
    cells = [str(most * i // 20) for i in range(1, 21)]
    header = "Pain VAS" if most > 10 else "Pain"
    column = columns_of(header, cells, "intensity")
    _, found = measures.read_outcome(column, "intensity", cells, header, (), lambda *_: None)
    assert found.unit == unit and found.off is (unit is None)


def test_codes_of_which_a_column_holds_none_are_refused(tmp_path: Path) -> None:
    rows = [(f"P{i}", d, "ja", "x") for i in range(4) for d in range(9)]
    text = diary_text(rows, "code,day,headache,pills")
    columns = {
        "patient_id": "code",
        "day": "day",
        "headache": {"column": "headache", "codes": {"ja": 1, "nein": 0}},
        "acute_medication": {"column": "pills", "codes": {"oui": 1, "non": 0}},
    }
    spec = {"diary": {"path": "d.csv", "columns": columns}}
    with pytest.raises(InputError) as caught:
        ingest(write_clinic(tmp_path / "c", {"d.csv": text}, spec))
    assert [(p.rule, p.column, p.count) for p in caught.value.problems] == [
        ("no_code_matches", "pills", 36)
    ]


@pytest.mark.parametrize(("days", "month"), [(31, True), (31.4, False)])
def test_days_above_28_are_those_of_a_month_up_to_31(
    tmp_path: Path, days: float, month: bool
) -> None:
    windows = [
        {"column": c, "window": w, "outcome": "frequency", "unit": "days_per_28"}
        for c, w in (("f1", "baseline"), ("f2", "post"))
    ]
    text = "id,f1,f2\n" + "".join(f"P{i},{days if i < 6 else 12},9\n" for i in range(12))
    spec = {"windows": {"path": "w.csv", "columns": {"patient_id": "id"}, "wide": windows}}
    with pytest.raises(clinics.LossError) as caught:
        ingest(write_clinic(tmp_path / "c", {"w.csv": text}, spec))
    told = say_in_english(caught.value.problems[0].remedy)
    assert ("days_per_month" in told) is month


def test_one_column_says_whose_a_row_is() -> None:
    rows = [(f"P{i // 3}", f"K{i // 3:02d}", str(i)) for i in range(12)]
    header = ("Patient ID", "Patient number", "day")
    sheet = Sheet(Path("log.csv"), "log.csv", header, tuple(rows), tuple(range(2, 14)))
    found = [c.field for c in name_columns(sheet)]
    assert found.count("patient_id") == 1 and "identity" in found


def test_a_difference_of_an_analysis_needs_no_error_of_its_own(tmp_path: Path) -> None:
    header = (
        "trial,year,treatment_arm,control_arm,technique,comparator,outcome,unit,timepoint,"
        "time_days,effect_type,effect,ci_low,ci_high,n_total,positive_means,status,source,analysis\n"
    )
    row = (
        "C,2003,a,b,manual,usual_care,frequency,days_per_28,3 m,84,difference,2,,,100,{},{},x,{}\n"
    )
    told = []
    for analysis in ("", "ancova"):
        text = header + row.format("control_minus_treatment", "retrieved", analysis)
        folder = write_review(
            tmp_path / f"r{analysis}",
            {"arms.csv": ARMS, "contrasts.csv": text},
            {"arms": {"path": "arms.csv"}, "contrasts": {"path": "contrasts.csv"}},
        )
        try:
            trials.read_review(folder, config.load_review(folder))
            told.append(set())
        except InputError as error:
            told.append({p.rule for p in error.problems})
    assert "no_uncertainty" in told[0] and "no_uncertainty" not in told[1]


def test_every_way_to_pool_events_is_tried_and_peto_is_not_swapped() -> None:
    analysis = Analysis(1, 1, "x", kind="events", measure="RR", method="MH", model="fixed")
    names = [name for name, *_ in shown._list_choices(analysis)]
    assert [n for n in names if "PETO" in n] == ["PETO Peto fixed"]
    assert {"RR MH fixed", "OR swapped IV fixed", "RD IV random REML hksj"} < set(names)
    assert len(names) == len(set(names)) == 3 * 2 * (2 + 2 * 4) + 1


def test_a_files_columns_are_told_with_what_they_are_read_as(tmp_path: Path) -> None:
    text = ARMS.replace(",mean,sd,", ",Average,sd,").replace("source\n", "source,Remark\n")
    folder = write_review(
        tmp_path / "r",
        {"arms.csv": text.replace("T1\n", "T1,x\n").replace("T2\n", "T2,\n")},
        {"arms": {"path": "arms.csv", "columns": {"mean": "Average"}}},
    )
    files, *_ = trials.read_files(folder, config.load_review(folder))
    columns = files[0].columns
    assert columns["Average"] == ("mean", 4) and columns["sd"] == ("sd", 4)
    assert columns["Remark"] == ("", 2) and columns["positive_means"][1] == 2


def test_rows_without_a_day_have_no_offset() -> None:
    records = Records("patients", "p.csv", ["a", "b"], [2, 3])
    starts = Starts({"a": date(2024, 3, 1)}, 1)
    assert count_offsets(records, ["a", "b"], starts) == [None, None]
    records.offsets = [4, None]
    assert count_offsets(records, ["a", "b"], starts) == [4, None]
    records.days = [None, Moment(date(2024, 3, 8))]
    assert count_offsets(records, ["b", "a"], starts) == [4, 7]


def test_which_readings_give_ratios() -> None:
    logged = [
        shown.Reading("giv", logged=True),
        shown.Reading("o_e"),
        shown.Reading("events", "OR"),
    ]
    assert [one.ratio for one in logged] == [True] * 3
    plain = [shown.Reading("giv"), shown.Reading("means", "SMD"), shown.Reading("events", "RD")]
    assert [one.ratio for one in plain] == [False] * 3


def test_nobody_lives_at_eighty_degrees() -> None:
    lon = [f"{100 + i / 89:.4f}" for i in range(9)]
    for degrees, found in ((60, ["a", "b"]), (80, []), (-30, ["a", "b"]), (-80, []), (5, [])):
        lat = [f"{degrees + i / 97:.4f}" for i in range(9)]
        assert places.find_pairs({"a": lat, "b": lon}) == found, degrees


def test_whole_numbers_are_written_in_full_up_to_fifteen_digits() -> None:
    assert write_cell(3.0) == "3" and write_cell(0.1) == "0.1"
    assert write_cell(999_999_999_999_999.0) == "999999999999999"
    assert write_cell(1e20) == "1e+20"


@pytest.mark.parametrize(("most", "unit"), [(168, None), (169, "minutes")])
def test_lengths_of_more_than_a_week_of_hours_are_minutes(most: int, unit: str | None) -> None:
    cells = [str(90 + i) for i in range(12)] + [str(most)]
    column = columns_of("Length", cells, "duration_hours")
    _, found = measures.read_outcome(column, "duration_hours", cells, "", (), lambda *_: None)
    assert found.unit == unit and found.off is (unit is None)


def test_the_parts_of_a_sheet_to_fill_carry_no_time_and_no_machine(tmp_path: Path) -> None:
    folder = ROOT / "data" / "raw" / "trials" / "falsiroli_maistrello_2018"
    transcription.write_sheet(config.load_review(folder), tmp_path / "t.xlsx")
    with zipfile.ZipFile(tmp_path / "t.xlsx") as parts:
        found = {(i.date_time, i.create_system, i.external_attr) for i in parts.infolist()}
    assert found == {((1980, 1, 1, 0, 0, 0), 3, 0o600 << 16)}


def test_a_word_for_yes_is_no_pain_of_1(tmp_path: Path) -> None:
    rows = [(f"P{i}", d, 1, 2) for i in range(6) for d in range(-28, 0)]
    text = diary_text([*rows, ("P6", 0, 1, "yes"), ("P7", 0, 1, "no")], "code,day,headache,pain")
    columns = {"patient_id": "code", "day": "day", "headache": "headache"}
    spec = {"diary": {"path": "d.csv", "columns": {**columns, "intensity": "pain"}}}
    _, quarantine, _ = ingest(write_clinic(tmp_path / "c", {"d.csv": text}, spec))
    assert quarantine[["column", "rule"]].to_numpy().tolist() == [["pain", "not_a_number"]] * 2
