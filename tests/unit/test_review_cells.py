"""A printed cell in its normal form: read as it is meant, or refused by its line."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from headway import config
from headway.errors import InputError
from headway.ingest import trials
from tests.unit.review_builder import ARMS, ARMS_HEADER, write_review


def read(folder: Path) -> trials.Published:
    return trials.read_review(folder, config.load_review(folder))


def faults(folder: Path) -> list[tuple[int | None, str, str]]:
    with pytest.raises(InputError) as caught:
        read(folder)
    assert all(p.remedy for p in caught.value.problems)
    return [(p.line, p.column, p.rule) for p in caught.value.problems]


def row(trial: str = "A 2001", n: str = "20", mean: str = "8", year: str = "2001") -> str:
    return (
        f'"{trial}",{year},massage,treatment,manual,,frequency,days_per_28,end,84,final,"{n}",'
        f'"{mean}",4,,retrieved,T1\n'
    )


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("8", 8),
        ("8.0", 8),
        ("08", 8),
        (" 8\u00a0", 8),
        ("\u200b8", 8),
        ("+8.25", 8.25),
        ("\u22128.5", -8.5),
        ("8e-1", 0.8),
        (".5", 0.5),
    ],
)
def test_a_number_is_read_whatever_surrounds_it(tmp_path: Path, cell: str, value: float) -> None:
    folder = write_review(tmp_path / "r", {"arms.csv": ARMS_HEADER + row(mean=cell)})
    assert read(folder).arms["mean"].tolist() == [value]


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("8,5", "decimal_comma"),
        ("1,234", "decimal_comma"),
        ("1,234,567", "thousands"),
        ("1,234.5", "thousands"),
        ("1 234", "thousands"),
        ("1\u202f234", "thousands"),
        ("1'234", "thousands"),
        ("8 %", "not_a_number"),
        ("8%", "not_a_number"),
        ("~8", "not_a_number"),
        ("1_000", "not_a_number"),
        ("0x1F", "not_a_number"),
        ("\u0663", "not_a_number"),
        ("inf", "not_a_number"),
        ("8\u20139", "not_a_number"),
        ("1e13", "too_large"),
        ("5-Jul", "spreadsheet_date"),
    ],
)
def test_a_number_that_can_mean_two_things_is_refused(tmp_path: Path, cell: str, rule: str) -> None:
    folder = write_review(tmp_path / "r", {"arms.csv": ARMS_HEADER + row() + row("B", mean=cell)})
    assert faults(folder) == [(3, "mean", rule)]


@pytest.mark.parametrize(
    ("cell", "found"),
    [("8,5", 8.5), ("8", 8.0), ("1.234", "decimal_point"), ("1.234,5", "thousands")],
)
def test_a_file_of_decimal_commas_has_no_points(tmp_path: Path, cell: str, found: Any) -> None:
    folder = write_review(
        tmp_path / "r",
        {"arms.csv": ARMS_HEADER + row(mean=cell)},
        mapped={"arms": {"path": "arms.csv", "decimal": ","}},
    )
    if isinstance(found, str):
        assert faults(folder) == [(2, "mean", found)]
    else:
        arms = read(folder).arms
        assert arms["mean"].tolist() == [found]
        assert arms["mean_decimals"].tolist() == [len(cell.partition(",")[2])]


@pytest.mark.parametrize(("year", "rule"), [("2001.5", "not_whole"), ("2001.0", None)])
def test_a_year_is_whole(tmp_path: Path, year: str, rule: str | None) -> None:
    folder = write_review(tmp_path / "r", {"arms.csv": ARMS_HEADER + row(year=year)})
    if rule:
        assert faults(folder) == [(2, "year", rule)]
    else:
        assert read(folder).arms["year"].tolist() == [2001]


@pytest.mark.parametrize(
    "name",
    ["Mu\u0308ller 2001", "M\u00fcller\u00a02001", " M\u00fcller  2001 ", "M\u00fc\u00adller 2001"],
)
def test_one_trial_has_one_name_however_it_is_typed(tmp_path: Path, name: str) -> None:
    text = (
        ARMS_HEADER
        + row("M\u00fcller 2001")
        + row(name).replace("massage,treatment,manual,", ("care,control,,usual_care"))
    )
    names = read(write_review(tmp_path / "r", {"arms.csv": text})).arms["trial"]
    assert names.nunique() == 1 and unicodedata.is_normalized("NFC", names.iloc[0])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "sep=,\n" + text,
        lambda text: '"sep=,"\r\n' + text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", ",,\n"),
        lambda text: text.replace("\n", ",\n", 1),
        lambda text: "sep=;\n" + text.replace(",", ";"),
        lambda text: "sep=;;;;\n" + text.replace(",", ";"),
    ],
    ids=[
        *("sep", "quoted sep", "trailing delimiters", "a trailing one in the header", "other sep"),
        "sep that is filled up",
    ],
)
def test_what_spreadsheets_add_changes_nothing(tmp_path: Path, change: Any) -> None:
    content = change(ARMS)
    if content.split("\n")[0].endswith("source,"):
        content = "\n".join(
            line if line.endswith(",") or not line else f"{line}," for line in content.split("\n")
        )
    plain = read(write_review(tmp_path / "a")).arms.drop(columns="line")
    other = read(write_review(tmp_path / "b", {"arms.csv": content})).arms.drop(columns="line")
    assert plain.equals(other)


def test_a_quoted_line_end_moves_no_line(tmp_path: Path) -> None:
    text = ARMS_HEADER + row("A\n2001") + row("B", mean="x")
    folder = write_review(tmp_path / "r", {"arms.csv": text})
    assert faults(folder) == [(4, "mean", "not_a_number")]


@pytest.mark.parametrize("code", [1, 1.0, "01"])
@pytest.mark.parametrize("cell", ["1", "1.0", "01"])
def test_a_code_is_one_number_in_every_spelling(tmp_path: Path, code: Any, cell: str) -> None:
    text = ARMS.replace(",treatment,", f",{cell},").replace(",control,", ",2,")
    spec = {
        "path": "arms.csv",
        "columns": {"role": {"column": "role", "codes": {code: "treatment", 2: "control"}}},
    }
    arms = read(write_review(tmp_path / "r", {"arms.csv": text}, mapped={"arms": spec})).arms
    assert arms["role"].tolist() == ["treatment", "control"] * 2


@pytest.mark.parametrize("cell", ["-9", "-9.0", "\u22129"])
def test_a_missing_code_is_a_number_and_never_a_name(tmp_path: Path, cell: str) -> None:
    spec = {"path": "arms.csv", "missing": ["", -9]}
    text = ARMS_HEADER + row("-9", mean=cell)
    arms = read(write_review(tmp_path / "r", {"arms.csv": text}, mapped={"arms": spec})).arms
    assert arms["mean"].isna().all() and arms["trial"].tolist() == ["-9"]


def test_printed_results_that_stand_nowhere_are_named(tmp_path: Path) -> None:
    entry = {
        "id": "main",
        "label": "Main",
        "from_pooled": {"outcome": "frequency", "subgroup": "all"},
        "recompute": {"comparison": "main"},
    }
    folder = write_review(tmp_path / "r", published=[entry])
    assert faults(folder) == [(None, "", "no_pooled_row")]


def test_a_printed_unit_of_another_kind_is_named(tmp_path: Path) -> None:
    entry = {
        "id": "main",
        "label": "Main",
        "estimate": "-2.0",
        "unit": "hours",
        "recompute": {"comparison": "main"},
    }
    assert faults(write_review(tmp_path / "r", published=[entry])) == [(None, "", "unit")]
