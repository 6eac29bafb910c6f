"""A large diary is written once, as it is read; it says the same as one that is written anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from headway import config
from headway.ingest import clinics
from headway.ingest.clinics import opening, processed
from headway.ingest.clinics.people import sign_people
from headway.outcomes.change.cohort import fill_windows, find_people, prepare_clinic
from headway.outcomes.change.sources import find_sources
from headway.outcomes.change.windows import build_diary_windows, store_diary_windows
from headway.tables import read_parquet, write_parquet
from headway.tables.diary import AMENDED, REPLACED, read_days_sql
from headway.tables.engine import share_engine
from tests.unit.clinic_builder import ingest, write_clinic

COLUMNS = {
    "patient_id": "code",
    "day": "day",
    "headache": "headache",
    "intensity": "worst",
    "duration_hours": "hours",
    "acute_medication": "tablets",
}
SPEC = {"path": "diary.csv", "columns": COLUMNS}
HEAD = "code,day,headache,worst,hours,tablets\n"
ORDER = ["patient_id", "day", "headache", "intensity", "duration_hours"]


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have small diaries written as large ones are, however much of them is replaced."""

    def begin() -> None:
        monkeypatch.setattr(opening, "MANY_ROWS", 0)
        monkeypatch.setattr(processed, "MOST_AMENDED", 1.0)

    return begin


def read_days(folder: Path) -> pd.DataFrame:
    with share_engine() as connection:
        sql = f"SELECT * FROM {read_days_sql(folder / 'days.parquet')}"
        days = connection.execute(sql).df()
    return days.sort_values(ORDER, ignore_index=True)


def make_diary(seed: int, rows: int) -> str:
    """Write a diary in which every kind of fault stands, each in a few of its rows."""
    rng = np.random.default_rng(seed)
    people = [f"P{i:02d}" for i in range(12)]
    lines = []
    for i in range(rows):
        person, day = people[i % 12], i // 12 - 28
        ache = int(rng.random() < 0.5)
        cells = [person, str(day), str(ache), "", "", str(rng.integers(0, 3))]
        if ache:
            cells[3:5] = str(rng.integers(1, 11)), f"{rng.integers(1, 200) / 10}"
        lines.append(cells)
    for i in rng.choice(rows, 60, replace=False):
        cells, fault = lines[i], rng.integers(0, 12)
        column, text = {
            0: (3, "<1"),
            1: (3, "11"),
            2: (2, "2"),
            3: (4, "2h"),
            4: (1, ""),
            5: (0, ""),
            6: (1, "x"),
            7: (5, "-1"),
            8: (3, "NA"),
            9: (4, "nan"),
            10: (2, ""),
            11: (0, " P05 "),
        }[int(fault)]
        cells[column] = text
    text = [",".join(cells) for cells in lines]
    for i in rng.choice(rows, 20, replace=False):
        text.append(text[i])  # stands twice
    for i in rng.choice(rows, 10, replace=False):
        person, day, *_ = text[i].split(",")
        text.insert(int(rng.integers(0, rows)), f"{person},{day},0,,,7")  # says something else
    text.insert(40, "P01,90,1")
    text.insert(80, "P01,91,1,5,2,1,9")
    text.append("P02,99999,0,,,0")  # impossibly far from the others
    return HEAD + "\n".join(text) + "\n"


def both_ways(
    folder: Path, files: Mapping[str, str], specs: Mapping[str, Any], once: Callable[[], None]
) -> tuple[Path, Path]:
    """Ingest a clinic as a small one and as a large one: same account, quarantine and days."""
    told, out = {}, {}
    for way in ("anew", "once"):
        if way == "once":
            once()
        clinic = write_clinic(folder / way / "c", files, specs, course={"start": 0})
        out[way] = folder / way / "c_processed"
        told[way] = clinics.ingest_clinic(clinic, config.load_clinic(clinic), out[way])
    assert told["anew"] == told["once"]
    anew, again = ((out[way] / "quarantine.csv").read_bytes() for way in out)
    assert anew == again
    pd.testing.assert_frame_equal(read_days(out["anew"]), read_days(out["once"]))
    assert not len(read_parquet(out["anew"] / AMENDED))
    return out["anew"], out["once"]


@pytest.mark.parametrize("seed", range(4))
def test_a_diary_written_once_says_the_same(
    tmp_path: Path, once: Callable[[], None], seed: int
) -> None:
    # No blank before a code, which would have every code read anew.
    text = make_diary(seed, 1500).replace(" P05 ", "P05")
    anew, again = both_ways(tmp_path, {"diary.csv": text}, {"diary": SPEC}, once)
    amended = read_parquet(again / AMENDED)
    with duckdb.connect() as connection:
        stored = connection.execute(
            "SELECT * FROM read_parquet(?)", [str(again / "days.parquet")]
        ).df()
    # The file stands as it was read, rows that are not used and all.
    assert len(stored) > len(read_days(again)) == len(read_parquet(again / "days.parquet"))
    replaced = amended[amended[REPLACED].notna()]
    assert replaced["patient_id"].isna().any() and replaced["patient_id"].notna().any()
    assert amended[REPLACED].isna().any()  # rows with a cell that is no number
    # A column that the clinic's file does not have is read as empty, and not stored.
    everything = list(read_parquet(anew / "days.parquet"))
    assert list(read_parquet(again / "days.parquet")) == everything
    assert list(stored) == [column for column in everything if column != "attacks"]
    assert stored["day"].dtype.kind == "i" and stored["intensity"].dtype.kind == "f"
    # Readers of the diary.
    clinic = config.load_clinic(tmp_path / "once" / "c")
    of_both = [build_diary_windows(out / "days.parquet", clinic) for out in (anew, again)]
    assert len(of_both[0])
    pd.testing.assert_frame_equal(*of_both)
    assert find_people(anew).equals(find_people(again))
    assert find_sources(anew, clinic) == find_sources(again, clinic)
    assert sign_people(anew, b"secret") == sign_people(again, b"secret")


CLEAN = HEAD + "".join(f"P{i % 9},{i // 9},{i % 2},,,0\n" for i in range(180))
FEWER = {name: own for name, own in COLUMNS.items() if own != "tablets"}
OTHERWISE: dict[str, tuple[str, dict[str, Any]]] = {
    "a code with a blank before it": (CLEAN.replace("\nP3,5,", "\n P3,5,"), {}),
    "a number that stands for missing": (
        CLEAN.replace("P3,5,0,,,0", "P3,5,0,9,,0"),
        {"missing": ["", 9]},
    ),
    "a day that is not whole": (CLEAN.replace("P3,5,", "P3,5.5,"), {}),
    "a unit": (
        CLEAN.replace("P3,5,0,,", "P3,5,1,30,"),
        {"columns": COLUMNS | {"intensity": {"column": "worst", "unit": "vas_0_100"}}},
    ),
    "codes": (
        CLEAN,
        {"columns": COLUMNS | {"headache": {"column": "headache", "codes": {"0": 1, "1": 0}}}},
    ),
    "rows that are not selected": (CLEAN, {"keep_where": {"tablets": ["0"]}}),
    "a column that is not of the table": (CLEAN, {"columns": FEWER}),
    "a constant": (
        CLEAN,
        {"columns": FEWER, "drop": ["tablets"], "constants": {"acute_medication": 1}},
    ),
    "a line end within a cell": (CLEAN.replace("P3,5,", '"P3\n",5,'), {}),
    "a column of lengths in words": (CLEAN.replace(",,0\n", ",2h,0\n"), {}),
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_a_diary_that_is_not_the_table_is_written_anew(
    tmp_path: Path, once: Callable[[], None], case: str
) -> None:
    text, changes = OTHERWISE[case]
    anew, again = both_ways(tmp_path, {"diary.csv": text}, {"diary": SPEC | changes}, once)
    assert len(read_days(anew)) >= 140
    pd.testing.assert_frame_equal(*(read_parquet(o / "days.parquet") for o in (anew, again)))
    assert not len(read_parquet(again / AMENDED))


def test_dropped_columns_and_columns_in_another_order_are_no_hindrance(
    tmp_path: Path, once: Callable[[], None]
) -> None:
    text = "day,name,code,headache\n" + "".join(
        f"{i // 9},Smith,P{i % 9},{i % 2}\n" for i in range(180)
    )
    columns = {k: COLUMNS[k] for k in ("patient_id", "day", "headache")}
    spec = {"path": "diary.csv", "columns": columns, "drop": ["name"]}
    _, again = both_ways(tmp_path, {"diary.csv": text}, {"diary": spec}, once)
    assert len(read_parquet(again / AMENDED)) == 0
    assert b"Smith" not in (again / "days.parquet").read_bytes()
    stored = read_parquet(again / "days.parquet")
    # In the order of the file: written as it was read.
    assert stored["patient_id"].tolist() == [f"P{i % 9}" for i in range(180)]


def test_days_that_count_from_another_day_are_written_anew(
    tmp_path: Path, once: Callable[[], None]
) -> None:
    once()
    sessions = "code,day\n" + "".join(f"P{i},{3 if i == 4 else 0}\n" for i in range(9))
    specs = {
        "diary": SPEC,
        "sessions": {
            "path": "sessions.csv",
            "columns": {"patient_id": "code", "day": "day"},
        },
    }
    files = {"diary.csv": CLEAN, "sessions.csv": sessions}
    out = ingest(write_clinic(tmp_path / "c", files, specs))[2]
    days = read_days(out)
    assert days.groupby("patient_id")["day"].min().to_dict() == {
        f"P{i}": -3 if i == 4 else 0 for i in range(9)
    }


def test_a_diary_of_which_much_is_replaced_is_written_anew(
    tmp_path: Path, once: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    once()
    monkeypatch.setattr(processed, "MOST_AMENDED", 0.01)
    text = CLEAN + "P3,5,0,,,0\nP4,5,1,,,0\n"  # 2 of 182 stand twice
    out = ingest(write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": SPEC}))[2]
    assert not len(read_parquet(out / AMENDED))
    assert len(read_parquet(out / "days.parquet")) == 180


def test_a_row_that_is_replaced_is_replaced_and_one_more_is_added(tmp_path: Path) -> None:
    none = [float("nan")] * 4
    days = pd.DataFrame(
        [["A", 1, 0, *none], ["A", 2, 1, *none], ["B", 1, 1, *none]],
        columns=["patient_id", "day", "headache", "intensity", "duration_hours", "attacks",
                 "acute_medication"],
    )  # fmt: skip
    amended = pd.DataFrame(
        [[1.0, None, None, None], [2.0, "B", 1, 0], [None, "C", 5, 1]],
        columns=[REPLACED, "patient_id", "day", "headache"],
    ).assign(**dict.fromkeys(list(days)[3:], np.nan))
    with share_engine() as connection:
        for frame, name in ((days, "days.parquet"), (amended, AMENDED)):
            connection.register("frame", frame)
            connection.execute(f"COPY frame TO '{tmp_path / name}' (FORMAT parquet)")
    found = read_days(tmp_path)[["patient_id", "day", "headache"]]
    assert found.astype({"headache": "int"}).values.tolist() == [
        ["A", 1, 0], ["B", 1, 0], ["C", 5, 1],
    ]  # fmt: skip


def test_windows_that_are_stored_are_those_that_are_built(tmp_path: Path) -> None:
    folder = write_clinic(
        tmp_path / "c", {"diary.csv": make_diary(5, 1500)}, {"diary": SPEC}, course={"start": 0}
    )
    out, clinic = ingest(folder)[2], config.load_clinic(folder)
    # The engine by itself; pandas; and both on the way through the workflow's job.
    store_diary_windows(out / "days.parquet", clinic, tmp_path / "engine.parquet")
    built = build_diary_windows(out / "days.parquet", clinic)
    write_parquet(built, tmp_path / "pandas.parquet")
    found = prepare_clinic(out, clinic, stored=tmp_path / "job.parquet")
    expected = read_parquet(tmp_path / "pandas.parquet")
    assert len(expected) > 50 and expected["outcome"].nunique() == 4
    for name in ("engine", "job"):
        pd.testing.assert_frame_equal(read_parquet(tmp_path / f"{name}.parquet"), expected)
    texts = dict.fromkeys(("window", "source", "outcome", "patient_id"), "object")
    whole = fill_windows(found.windows, clinic)
    pd.testing.assert_frame_equal(whole.astype(texts), built.astype(texts))
