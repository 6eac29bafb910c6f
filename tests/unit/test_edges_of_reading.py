"""Where a rule of reading begins and ends: numbers at its edges, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headway import config
from headway.errors import InputError, RefusedError
from headway.ingest import proposals
from headway.ingest.adapters import fhir
from headway.ingest.adapters.metafor import write_script
from headway.ingest.gate import checksums, dates, places
from headway.ingest.open.encoding import as_utf8
from headway.ingest.proposals.codes import read_drugs
from headway.ingest.proposals.columns import Named
from headway.ingest.proposals.records import Entry, _rescale
from headway.ingest.proposals.values import profile, write_number
from headway.ingest.proposals.windows import find_pairs
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
    lines[2] = lines[2].replace(":", "")
    (tmp_path / "b.json").write_text("\n".join(lines))
    (tmp_path / "n.ndjson").write_text('{"resourceType": "Patient"}\n' * 5 + "{x}\n")
    for name, line in (("b.json", 3), ("n.ndjson", 6)):
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
    by, arms = text.index('"by"'), text.index('"arms"')
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


def test_a_word_for_yes_is_no_pain_of_1(tmp_path: Path) -> None:
    rows = [(f"P{i}", d, 1, 2) for i in range(6) for d in range(-28, 0)]
    text = diary_text([*rows, ("P6", 0, 1, "yes"), ("P7", 0, 1, "no")], "code,day,headache,pain")
    columns = {"patient_id": "code", "day": "day", "headache": "headache"}
    spec = {"diary": {"path": "d.csv", "columns": {**columns, "intensity": "pain"}}}
    _, quarantine, _ = ingest(write_clinic(tmp_path / "c", {"d.csv": text}, spec))
    assert quarantine[["column", "rule"]].to_numpy().tolist() == [["pain", "not_a_number"]] * 2
