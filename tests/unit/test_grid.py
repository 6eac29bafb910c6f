"""A diary with a row for each month and a column for each day."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from openpyxl import Workbook

from headway.errors import InputError
from headway.messages import Message
from headway.tables import read_parquet
from tests.unit.clinic_builder import ingest, statistic, write_clinic

START = {"start": 0}
MONTH = {"column": "month", "codes": {"before": -28, "after": 56}}


def days_of(folder: Path) -> list[tuple[Any, ...]]:
    _, _, out = ingest(folder)
    days = read_parquet(out / "days.parquet")[["patient_id", "day", "headache", "intensity"]]
    rows = [tuple(None if pd.isna(v) else v for v in row) for row in days.values.tolist()]
    return sorted(rows, key=lambda row: row[:2])


def grid(folder: Path, text: str, columns: dict[str, Any], **spec: Any) -> Path:
    entry = {"path": "g.csv", "columns": {"patient_id": "patient", **columns}, **spec}
    counted = {} if "offset_from" in spec else {"course": START}
    return write_clinic(folder / "c", {"g.csv": text}, {"diary": entry}, **counted)


def test_a_cell_is_a_day_and_a_blank_one_is_unknown(tmp_path: Path) -> None:
    text = "patient,month,day1,day2,day3\nP1,before,6,0,\nP1,after,,3,0\n"
    assert days_of(grid(tmp_path, text, {"day": MONTH, "intensity": "day{n}"})) == [
        ("P1", -28, 1, 6),
        ("P1", -27, 0, 0),
        ("P1", -26, None, None),
        ("P1", 56, None, None),
        ("P1", 57, 1, 3),
        ("P1", 58, 0, 0),
    ]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("{n}", ("1", "2", "3")),
        ("d{n}", ("d01", "d02", "d03")),
        ("Tag {n}", ("Tag 1", "Tag 2", "Tag 3")),
        ("Tag {n}", ("TAG1", "TAG2", "TAG3")),
        ("día {n}", ("di\u0301a 3", "día 1", "día\u00a02")),
        ("day{n}_pain", ("day1_pain", "day3_pain", "day2_pain")),
    ],
)
def test_columns_are_found_by_their_number(
    pattern: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    cells = ["x" if "2" in name else "o" for name in names]
    text = f"patient;start;{';'.join(names)}\nP1;10;{';'.join(cells)}\n"
    codes = {"column": pattern, "codes": {"x": 1, "o": 0}}
    assert days_of(grid(tmp_path, text, {"day": "start", "headache": codes})) == [
        ("P1", 10, 0, None),
        ("P1", 11, 1, None),
        ("P1", 12, 0, None),
    ]


def test_the_first_day_may_be_one_for_all_or_a_shifted_date(tmp_path: Path) -> None:
    text = "patient,d0,d1,d4\nP1,1,0,1\n"
    folder = grid(
        tmp_path / "a", text, {"headache": "d{n}"}, constants={"day": -28}, grid={"first": 0}
    )
    assert [row[1:3] for row in days_of(folder)] == [(-28, 1), (-27, 0), (-24, 1)]
    text = "patient,since,d1,d2,d3\nP1,2031-01-30,1,0,1\nP1,2031-02-27,0,1,1\n"
    folder = grid(
        tmp_path / "b",
        text,
        {"headache": "d{n}"},
        offset_from={"column": "since", "shifted": True},
    )
    days = [row[1] for row in days_of(folder)]
    # Three days of each month, four weeks apart, over the end of a month.
    assert [day - days[0] for day in days] == [0, 1, 2, 28, 29, 30]


def test_several_grids_side_by_side(tmp_path: Path) -> None:
    """A day that only one of them has is a day all the same."""
    text = "patient,start,h1,h2,p1,p2,p3\nP1,0,1,0,8,,\n"
    folder = grid(tmp_path, text, {"day": "start", "headache": "h{n}", "intensity": "p{n}"})
    assert days_of(folder) == [("P1", 0, 1, 8), ("P1", 1, 0, None), ("P1", 2, None, None)]


def test_lines_and_rows_of_a_grid_are_those_of_the_file(tmp_path: Path) -> None:
    rows = [f"P{i},{'before' if i % 2 else 'after'},1,0,2\n" for i in range(1, 12)]
    text = "patient,month,day1,day2,day3\n" + "".join(rows) + "\nP3,before,1\nP4,never,1,0,0\n"
    text += "P5,after,<1,0,0\n"
    folder = grid(tmp_path, text, {"day": MONTH, "intensity": "day{n}"})
    accounts, quarantine, out = ingest(folder)
    found = quarantine[["line", "column", "rule", "scope"]].fillna("").values.tolist()
    assert found == [
        [14, "", "missing_columns", "row"],
        *[[15, "month", "not_a_code", "row"]] * 3,
        [16, "day{n}", "not_a_number", "cell"],
    ]
    account = accounts["g.csv"]
    assert (account.rows_in, account.kept, account.quarantined) == (40, 36, 4)
    assert len(read_parquet(out / "days.parquet")) == 36
    assert account.note == Message("account.grid", n=13, days=3)


def test_what_stands_beside_a_grid_is_looked_at_once(tmp_path: Path) -> None:
    """A column of names beside the days is found, as often as it stands there."""
    text = "patient,start,d1,d2,note\n" + "P1,0,1,0,ask Maria Lopez\n" * 2
    with pytest.raises(Exception, match="person_name") as caught:
        ingest(grid(tmp_path, text, {"day": "start", "headache": "d{n}"}))
    (problem,) = caught.value.problems
    assert (problem.column, problem.count) == ("note", 2)


def test_a_grid_is_read_from_a_workbook_too(tmp_path: Path) -> None:
    book = Workbook()
    for row in (["Diary"], ["patient", "month", *range(1, 4)], ["P1", "before", 6, 0, None]):
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    columns = {"patient_id": "patient", "day": MONTH, "intensity": "{n}"}
    folder = write_clinic(
        tmp_path / "c",
        {"g.xlsx": stream.getvalue()},
        {"diary": {"path": "g.xlsx", "columns": columns}},
        course=START,
    )
    assert [row[2] for row in days_of(folder)] == [1, 0, None]


def test_ten_days_before_and_six_after_are_four_less(tmp_path: Path) -> None:
    from tests.unit.clinic_builder import analyse

    head = "patient,month," + ",".join(f"day{n}" for n in range(1, 29))
    rows = []
    for i in range(12):
        for month, days in (("before", 10), ("after", 6)):
            cells = ",".join("7" if (n + i) % 28 < days else "0" for n in range(28))
            rows.append(f"P{i},{month},{cells}")
    text = "\n".join([head, *rows])
    folder = grid(tmp_path, text, {"day": MONTH, "intensity": "day{n}"})
    found = statistic(analyse(folder), "primary", "change_mean")
    assert (found["estimate"], found["n"]) == (-4, 12)


@pytest.mark.parametrize("kind", ["windows", "sessions"])
def test_days_as_columns_elsewhere_are_refused(kind: str, tmp_path: Path) -> None:
    text = "patient,month,day1,day2\nP1,before,1,0\n"
    if kind == "windows":
        wide = [
            {"column": f"day{n}", "outcome": "frequency", "unit": "days_per_28"} for n in (1, 2)
        ]
        entry: dict[str, Any] = {
            "columns": {"patient_id": "patient"},
            "window_from": {"column": "month", "codes": {"before": "baseline"}},
            "wide": wide,
        }
    else:
        entry = {"columns": {"patient_id": "patient", "day": "month", "headache_days_28": "day{n}"}}
    folder = write_clinic(tmp_path / "c", {"g.csv": text}, {kind: {"path": "g.csv", **entry}})
    with pytest.raises(InputError) as caught:
        ingest(folder)
    (problem,) = caught.value.problems
    assert problem.rule == ("two_columns_for_one_window" if kind == "windows" else "grid")
    if kind == "windows":
        assert "day{n}" in str(problem)


def test_two_columns_of_one_day_are_refused(tmp_path: Path) -> None:
    text = "patient,start,d1,d01\nP1,0,1,0\n"
    with pytest.raises(InputError) as caught:
        ingest(grid(tmp_path, text, {"day": "start", "headache": "d{n}"}))
    assert [p.rule for p in caught.value.problems] == ["duplicate_column"]
