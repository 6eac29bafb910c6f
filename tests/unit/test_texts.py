"""Text on its way out: names, cells of a spreadsheet, letters of a page; codes of currencies."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway import config, tables
from headway.errors import InputError
from headway.figures import theme
from headway.ingest import clinics
from headway.messages import Message, say
from headway.report import check
from tests.unit.clinic_builder import write_clinic
from tests.unit.hostile_builder import SHORT

TEXT = st.text() | st.sampled_from(SHORT)


@pytest.mark.parametrize("name", ["USD", "cost_USD_1", "forest_main", "change_HIT-6", "a" * 80])
def test_what_is_a_name_stays_as_it_is(name: str) -> None:
    assert tables.make_name(name) == name


@given(TEXT, TEXT)
def test_every_text_has_a_name_of_its_own_that_is_no_path(one: str, two: str) -> None:
    names = [tables.make_name(text) for text in (one, two)]
    for name in names:
        assert name.isascii() and 0 < len(name) <= 80
        assert Path(name).name == name and not name.startswith(".")
        assert not set(name) & set("<>\"'& /\\#?%:")
    assert (names[0] == names[1]) == (one == two)


@given(TEXT)
def test_a_guarded_cell_is_no_formula_and_gives_its_text_back(text: str) -> None:
    guarded = tables.guard(text)
    assert tables.unguard(guarded) == text
    start = guarded.strip()[:1]
    number = guarded.replace(".", "", 1)[1:].replace("e", "", 1).isascii()
    assert start not in ("=", "@") and (start not in ("+", "-") or number)


@pytest.mark.parametrize("number", ["-4.3", "+1", "-.5", "1e-5", "-12"])
def test_a_number_is_not_touched(number: str) -> None:
    assert tables.guard(number) == number


@pytest.mark.parametrize("formula", ["=1", "+a", "-", "@x", "\tx", "\rx", " =1", "＝1", "-1+cmd"])
def test_a_formula_gets_an_apostrophe(formula: str) -> None:
    assert tables.guard(formula) == f"'{formula}"


def test_a_released_table_is_guarded_on_disk_and_reads_back_as_it_was(tmp_path: Path) -> None:
    frame = tables.empty("flow")
    rows = [
        {"account": "rows", "item": cell, "step": "kept", "n": -1.5, "of": 2.0, "redacted": False}
        for cell in SHORT
    ]
    frame = tables.conform("flow", pd.DataFrame(rows, columns=list(frame.columns)), check=False)
    tables.write_csv(frame, tmp_path / "flow.csv")
    with (tmp_path / "flow.csv").open(newline="", encoding="utf-8") as stream:
        cells = list(csv.DictReader(stream))
    assert all(c["n"] == "-1.5" for c in cells)
    assert not [c for c in cells if c["item"].strip()[0] in "=+-@＝" or c["item"][0] == "\t"]
    again = pd.read_csv(tmp_path / "flow.csv", dtype=str)["item"].map(tables.unguard)
    assert list(again) == list(SHORT)


@given(TEXT)
def test_printable_text_holds_no_control_and_no_change_of_direction(text: str) -> None:
    shown = tables.printable(text)
    assert not set(shown) & set("\x00\x08\x1b\x7f\u202a\u202e\u2066\u2069")
    shown.encode("utf-8")
    assert tables.printable("עברית, العربية, 🙂👩🏽‍⚕️\n") == "עברית, العربية, 🙂👩🏽‍⚕️\n"


def test_a_figure_of_any_name_is_a_file_of_its_folder(tmp_path: Path) -> None:
    def draw() -> theme.Drawing:
        return theme.Drawing(theme.new_figure(1, 1), "<b>", "\x08\u202e<script>", "c")

    saved = theme.save({name: draw() for name in SHORT}, tmp_path / "in" / "figures")
    files = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    assert {p.parent for p in files} == {tmp_path / "in" / "figures"}
    assert len(files) == 2 * len(SHORT)
    assert [s.name for s in saved] == list(SHORT)
    assert all("<script>" not in s.svg and "<b>" not in s.svg for s in saved)


def test_a_label_that_looks_like_a_message_stands_as_it_was_typed() -> None:
    assert say('unit.per_day{"x":1}') == 'unit.per_day{"x":1}'
    assert say('unit.per_day{"currency":{"id":"no.such"}}').startswith("unit.per_day")
    assert say("[" * 2 + 'unit.per_day{"currency":' + "[" * 5000) != ""
    assert say(Message("unit.per_day", currency="USD")) == "USD per day"


# -- currencies

SESSIONS = {"patient_id": "code", "day": "day", "fee": "fee", "technique": "kind"}


def write_fees(folder: Path, money: list[str], ways: str = "csv", **spec: object) -> Path:
    """Write a clinic whose sessions name a currency each."""
    rows = "".join(f"p{i:02},0,100,manual,{m}\n" for i, m in enumerate(money))
    text = f"code,day,fee,kind,money\n{rows}"
    name = {"csv": "s.csv", "gz": "s.csv.gz", "semicolon": "s.txt"}[ways]
    data: bytes = text.encode()
    data = gzip.compress(data) if ways == "gz" else data
    data = data.replace(b",", b";") if ways == "semicolon" else data
    entry = {"path": name, "columns": SESSIONS | {"currency": "money"}} | spec
    return write_clinic(folder, {name: data}, {"sessions": entry})


def read_fees(folder: Path) -> list[str | None]:
    out = folder.parent / "out"
    clinics.ingest_clinic(folder, config.load_clinic(folder), out)
    return list(tables.read_parquet(out / "sessions.parquet")["currency"])


@pytest.mark.parametrize("ways", ["csv", "gz", "semicolon"])
def test_a_currency_is_a_code_of_iso_4217(tmp_path: Path, ways: str) -> None:
    money = ["EUR", "usd", " CHF "] * 4 + ["../../../escaped"]
    got = read_fees(write_fees(tmp_path / "c", money, ways))
    assert [None if pd.isna(m) else m for m in got] == ["EUR", "USD", "CHF"] * 4 + [None]
    listed = pd.read_csv(tmp_path / "out" / "quarantine.csv")
    assert list(listed["rule"]) == ["not_a_code"]
    assert list(listed["column"]) == ["money"]


@pytest.mark.parametrize("money", ["../../../escaped", "<script>", "€", "Euro", "US$", "XYZ"])
def test_a_column_without_currencies_is_refused_with_the_line(tmp_path: Path, money: str) -> None:
    folder = write_fees(tmp_path / "c", [money] * 8)
    found = check.check_folder(folder)
    told = "\n".join(str(p[0]) for p in check.write_problems(found))
    assert found.exit_code == InputError.exit_code
    assert "'money'" in told and "ISO 4217" in told
    assert 'currency: {column: money, codes: {"…": EUR}}' in told
    assert money not in told or money == "Euro"


def test_a_sign_that_is_mapped_is_a_currency(tmp_path: Path) -> None:
    column = {"column": "money", "codes": {"€": "EUR", "$": "USD"}}
    folder = write_fees(tmp_path / "c", ["€", "$"] * 4, columns=SESSIONS | {"currency": column})
    assert read_fees(folder) == ["EUR", "USD"] * 4


@pytest.mark.parametrize(
    "spec",
    [
        {"columns": SESSIONS, "constants": {"currency": "../../../escaped"}},
        {"columns": SESSIONS, "constants": {"currency": "eur"}},
        {"columns": SESSIONS | {"currency": {"column": "money", "codes": {"EUR": "Euro"}}}},
    ],
)
def test_what_clinic_yaml_calls_a_currency_is_one(tmp_path: Path, spec: dict[str, object]) -> None:
    found = check.check_folder(write_fees(tmp_path / "c", ["EUR"] * 8, **spec))
    told = "\n".join(str(p[0]) for p in check.write_problems(found))
    assert found.exit_code == InputError.exit_code
    assert "column 'currency'" in told and "EUR}" in told
    assert "escaped" not in told


@pytest.mark.parametrize("escape", ["\\0", "\\e[2J", "\\ud800", "\\x08"])
def test_a_control_character_written_as_an_escape_is_refused(tmp_path: Path, escape: str) -> None:
    folder = write_fees(tmp_path / "c", ["EUR"])
    text = (folder / "clinic.yaml").read_text().replace("title: Test", f'title: "a{escape}b"')
    (folder / "clinic.yaml").write_text(text)
    with pytest.raises(config.ConfigError, match=r"control|YAML"):
        config.load_clinic(folder)
