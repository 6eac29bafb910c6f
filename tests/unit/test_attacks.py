"""A log of attacks: which days have headache, which are free of it, and which are not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headway.tables import read_parquet
from tests.unit.clinic_builder import ingest, write_clinic

COLUMNS = {
    "patient_id": "code",
    "day": "day",
    "start_hour": "start",
    "duration_hours": "hours",
    "acute_medication": "pills",
}
HEAD = "code,day,start,hours,pills\n"
PEOPLE = {
    "path": "people.csv",
    "columns": {"patient_id": "code", "diary_from": "from", "diary_to": "to"},
}
LAST = 20


def write_log(
    folder: Path, rows: str, people: str = "A", *, names: tuple[str, ...] = COLUMNS, **extra: Any
) -> Path:
    """Write a clinic whose people had their diaries open on days 1 to 20."""
    attacks = {"path": "log.csv", "columns": {c: COLUMNS[c] for c in names}}
    files = {
        "log.csv": HEAD + rows,
        "people.csv": "code,from,to\n" + "".join(f"{who},1,{LAST}\n" for who in people),
    }
    spec = {"patients": PEOPLE, "attacks": attacks}
    settings: dict[str, Any] = {"condition": "migraine", "course": {"start": 0}}
    return write_clinic(folder, files, spec, **(settings | extra))


def declare(folder: Path, old: str, new: str) -> None:
    """Change a line of clinic.yaml."""
    text = (folder / "clinic.yaml").read_text()
    assert old in text
    (folder / "clinic.yaml").write_text(text.replace(old, new))


def days_of(folder: Path, person: str = "A") -> pd.DataFrame:
    days = read_parquet(ingest(folder)[2] / "days.parquet")
    return days[days["patient_id"] == person].set_index("day").sort_index()


def told(days: pd.DataFrame) -> tuple[list[int], list[int]]:
    """List the days with headache, and those that are not known."""
    return (
        days.index[days["headache"] == 1].tolist(),
        days.index[days["headache"].isna()].tolist(),
    )


@pytest.mark.parametrize("start", ["22:30", "10:30 pm", "22.5", "22:30:00", "2031-02-01 22:30"])
@pytest.mark.parametrize("hours", ["4", "4 h", "4:00", "PT4H", "4 Std.", "4 horas", "240 min"])
def test_an_attack_counts_on_each_day_with_its_own_hours(
    tmp_path: Path, start: str, hours: str
) -> None:
    folder = write_log(tmp_path / "c", f"A,3,{start},{hours},1\n")
    declare(folder, "start_hour: start", "start_hour: {column: start, shifted: true}")
    days = days_of(folder)
    assert told(days) == ([3, 4], [])
    assert days.loc[[3, 4], "duration_hours"].tolist() == [1.5, 2.5]
    assert days.loc[[3, 4], "attacks"].tolist() == [1, 0]
    assert days.loc[[3, 4], "acute_medication"].tolist() == [1, 0]


def test_times_as_shares_of_a_day(tmp_path: Path) -> None:
    days = days_of(write_log(tmp_path / "c", "A,3,0.9375,4,1\nA,9,0.25,4,1\nA,15,0,4,1\n"))
    assert told(days) == ([3, 4, 9, 15], [])


@pytest.mark.parametrize(
    ("length", "right"),
    [("1d 06h 30m", [3, 4]), ("2 days", [3, 4, 5]), ("50", [3, 4, 5]), ("2 Tage 12 h", [3, 4, 5])],
)
def test_lengths_of_days(tmp_path: Path, length: str, right: list[int]) -> None:
    assert told(days_of(write_log(tmp_path / "c", f"A,3,8,{length},0\n"))) == (right, [])


@pytest.mark.parametrize(
    ("condition", "start", "unknown"),
    [
        ("migraine", "8", [4, 5, 6]),
        ("migraine", "0", [4, 5]),
        ("migraine", "", [4, 5, 6]),
        ("1.1", "8", [4, 5, 6]),
        ("2.2", "8", [4, 5, 6, 7, 8, 9, 10]),
        ("tension-type headache", "8", [4, 5, 6, 7, 8, 9, 10]),
        ("Spannungskopfschmerz", "8", [4, 5, 6, 7, 8, 9, 10]),
    ],
)
def test_an_attack_of_unknown_length_leaves_the_days_it_may_cover_unknown(
    tmp_path: Path, condition: str, start: str, unknown: list[int]
) -> None:
    folder = write_log(tmp_path / "c", f"A,3,{start},,1\nA,15,8,2,1\n", condition=condition)
    days = days_of(folder)
    assert told(days) == ([3, 15], unknown)
    assert pd.isna(days.loc[3, "duration_hours"]) and days.loc[15, "duration_hours"] == 2


def test_a_day_that_another_attack_covers_is_known(tmp_path: Path) -> None:
    days = days_of(write_log(tmp_path / "c", "A,3,8,,1\nA,5,8,2,1\n"))
    assert told(days) == ([3, 5], [4, 6])
    # The first attack may have lasted into the second day, so its hours are not known.
    assert pd.isna(days.loc[5, "duration_hours"])


def test_the_longest_attack_is_a_setting(tmp_path: Path) -> None:
    short = write_log(tmp_path / "a", "A,3,8,,1\n", attacks={"unknown_length_h": 24})
    assert told(days_of(short)) == ([3], [])
    long = write_log(tmp_path / "b", "A,3,8,,1\n", attacks={"unknown_length_h": 48})
    assert told(days_of(long)) == ([3], [4, 5])


def test_each_person_by_their_own_condition(tmp_path: Path) -> None:
    folder = write_log(tmp_path / "c", "A,3,8,,1\nB,3,8,,1\n", "AB")
    people = folder / "people.csv"
    people.write_text(f"code,from,to,dx\nA,1,{LAST},1.1\nB,1,{LAST},2.3\n")
    declare(folder, "diary_from: from", "diary_from: from\n      condition: dx")
    assert told(days_of(folder)) == ([3], [4, 5, 6])
    assert told(days_of(folder, "B")) == ([3], [4, 5, 6, 7, 8, 9, 10])


def test_attacks_that_overlap_count_their_common_hours_once(tmp_path: Path) -> None:
    rows = "A,3,8,4,1\nA,3,10,4,1\nA,3,20,8,0\nA,4,2,1,0\n"
    days = days_of(write_log(tmp_path / "c", rows))
    assert days.loc[[3, 4], "duration_hours"].tolist() == [6 + 4, 4]
    assert days.loc[[3, 4], "attacks"].tolist() == [3, 1]


def test_one_attack_in_two_exports_is_one(tmp_path: Path) -> None:
    folder = write_log(tmp_path / "c", "A,4,9,2,1\nA,4,9,2,1\nA,4,14,2,1\n")
    (folder / "late.csv").write_text(HEAD + "A,4,9.0,120 min,1\nA,6,9,2,1\n")
    text = (
        (folder / "clinic.yaml").read_text().replace("path: log.csv", "path: [log.csv, late.csv]")
    )
    (folder / "clinic.yaml").write_text(text)
    accounts, quarantine, out = ingest(folder)
    days = read_parquet(out / "days.parquet").set_index("day")
    assert days.loc[4, ["attacks", "duration_hours"]].tolist() == [2, 4]
    assert days.loc[6, "attacks"] == 1
    assert quarantine["rule"].tolist() == ["duplicate_row"] * 2
    assert all(a.lost == 0 for a in accounts.values())


def test_without_a_time_only_another_file_repeats_an_attack(tmp_path: Path) -> None:
    names = ("patient_id", "day", "duration_hours")
    folder = write_log(tmp_path / "c", "A,4,,2,\nA,4,,2,\n", names=names)
    (folder / "late.csv").write_text(HEAD + "A,4,,2,\nA,4,,2,\nA,4,,2,\n")
    text = (
        (folder / "clinic.yaml").read_text().replace("path: log.csv", "path: [log.csv, late.csv]")
    )
    (folder / "clinic.yaml").write_text(text)
    assert days_of(folder).loc[4, "attacks"] == 3


GOOD = "".join(f"A,{day},8,2,1\n" for day in (1, 5, 9, 13, 17))


@pytest.mark.parametrize(
    ("row", "unknown_a", "unknown_b"),
    [
        # The day cannot be read: any day of that person may be meant.
        ("A,x,8,2,1", "all", []),
        ("A,,8,2,1", "all", []),
        ("A,4.5,8,2,1", "all", []),
        ("A,9999,8,2,1", "all", []),
        # Too many or too few cells: the person and the day stand before the fault.
        ("A,3,8,2,1,naproxen", [3, 4, 6], []),
        ("A,3,8", [3, 4, 6], []),
        # Nobody is named: it may be anyone's attack.
        (",19,8,2,1", [19, 20], [19, 20]),
        # Of no person of this clinic, or in no diary: no day is in doubt.
        ("Z,3,8,2,1", [], []),
        ("A,33,8,2,1", [], []),
        # Said already.
        ("A,5,8,2,1", [], []),
        (",,,,", [], []),
    ],
)
def test_a_row_set_aside_leaves_its_days_unknown(
    tmp_path: Path, row: str, unknown_a: list[int] | str, unknown_b: list[int]
) -> None:
    folder = write_log(tmp_path / "c", f"{GOOD}B,2,8,2,1\n{row}\n", "AB")
    _, quarantine, out = ingest(folder)
    assert len(quarantine) == 1
    days = read_parquet(out / "days.parquet")
    a, b = (days[days["patient_id"] == who].set_index("day").sort_index() for who in "AB")
    ill = [1, 5, 9, 13, 17]
    free = [day for day in range(1, LAST + 1) if day not in ill]
    assert told(a) == (ill, free if unknown_a == "all" else unknown_a)
    assert told(b) == ([2], unknown_b)


def test_a_start_that_cannot_be_read_leaves_the_next_day_unknown(tmp_path: Path) -> None:
    rows = GOOD + "A,3,evening,4,1\n"
    assert told(days_of(write_log(tmp_path / "c", rows))) == ([1, 3, 5, 9, 13, 17], [4])


def test_attacks_outside_the_diary_beside_them_are_set_aside(tmp_path: Path) -> None:
    diary = {"path": "d.csv", "columns": {"patient_id": "code", "day": "day"}}
    columns = {c: COLUMNS[c] for c in COLUMNS}
    files = {
        "log.csv": HEAD + "A,2,8,2,1\nA,9,8,2,1\n",
        "d.csv": "code,day\nA,1\nA,2\nA,3\n",
    }
    spec = {"diary": diary, "attacks": {"path": "log.csv", "columns": columns}}
    _, quarantine, out = ingest(write_clinic(tmp_path / "c", files, spec, course={"start": 0}))
    days = read_parquet(out / "days.parquet")
    assert days[["day", "headache"]].values.tolist() == [[1, 0], [2, 1], [3, 0]]
    assert quarantine[["line", "rule"]].values.tolist() == [[3, "diary_not_open"]]
