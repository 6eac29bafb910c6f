"""Workbooks: what a sheet shows becomes the text a clinic would have typed, or a clear refusal."""

# ruff: noqa: E501  (rows of a table)
from __future__ import annotations

import datetime as dt
import gzip
import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from headway import cli
from headway.errors import InputError, RefusedError
from headway.ingest.adapters import spreadsheet
from headway.ingest.adapters.spreadsheet import read_workbook
from headway.messages import Message
from headway.tables import read_parquet
from tests.unit.clinic_builder import allow_losses, ingest, write_clinic

TOKEN = "Q7ZK"
HEAD = ["code", "day", "headache", "worst", "hours"]
GOOD = [HEAD, ["P1", -2, 1, 5, 2.5], ["P1", -1, 0]]
COLUMNS = allow_losses(
    {
        "patient_id": "code",
        "day": "day",
        "headache": "headache",
        "intensity": "worst",
        "duration_hours": "hours",
    }
)
Edit = Callable[[Any], None]


def book(*sheets: tuple[str, list[list[Any]]], edit: Edit | None = None) -> bytes:
    """Write sheets as a workbook; `edit` may change it before it is saved."""
    made = Workbook()
    made.remove(made.active)
    for name, rows in sheets:
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    if edit:
        edit(made)
    stream = io.BytesIO()
    made.save(stream)
    return stream.getvalue()


def change(data: bytes, part: str, old: str, new: str) -> bytes:
    """Replace text in one part of a workbook."""
    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for entry in source.infolist():
            text = source.read(entry.filename)
            if entry.filename == part:
                assert old.encode() in text
                text = text.replace(old.encode(), new.encode())
            copy.writestr(entry.filename, text)
    return target.getvalue()


def copy_lines(tmp_path: Path, data: bytes, spec: Any = None) -> list[str]:
    raw = tmp_path / "b.xlsx"
    raw.write_bytes(data)
    (copy,) = read_workbook(raw, spec, tmp_path / "out")
    return copy.path.read_text(encoding="utf-8").split("\n")


def test_cells_become_the_text_a_person_would_type(tmp_path: Path) -> None:
    cells = [
        (3.0, "3"),
        (3, "3"),
        (2.5, "2.5"),
        (1 / 3, "0.3333333333333333"),
        (1e-7, "1e-07"),
        (-0.5, "-0.5"),
        (True, "1"),
        (False, "0"),
        (dt.date(2024, 7, 5), "2024-07-05 00:00:00"),  # since others of the column have a time
        (dt.datetime(2024, 7, 5, 9, 30), "2024-07-05 09:30:00"),
        (dt.time(4, 15), "4:15"),
        (dt.time(0, 0), "0:00"),
        (dt.time(1, 0, 20), "1:00:20"),
        (dt.timedelta(hours=26, minutes=5), "26:05"),
        ("<1", "<1"),
        ("two\nlines", "two lines"),
        ("ä€😀", "ä€😀"),
        ("#REF!", "#REF!"),
    ]
    lines = copy_lines(tmp_path, book(("s", [["v"], *([value] for value, _ in cells)])))
    assert lines == ["v", *(text for _, text in cells), ""]


def test_lines_are_the_rows_of_the_sheet(tmp_path: Path) -> None:
    rows = [[], [], HEAD, ["P1", 1, 1], [], [None, "  "], ["P1", "x", 1], ["P1", 3, 1], [], [None]]
    data = book(("s", rows))
    folder = write_clinic(
        tmp_path / "c", {"d.xlsx": data}, {"diary": {"path": "d.xlsx", "columns": COLUMNS}}
    )
    accounts, quarantine, _ = ingest(folder)
    assert quarantine[["line", "rule"]].values.tolist() == [[7, "not_a_number"]]
    assert (accounts["d.xlsx"].rows_in, accounts["d.xlsx"].kept) == (3, 2)


def test_a_size_that_the_sheet_states_wrongly_cuts_nothing_off(tmp_path: Path) -> None:
    data = change(book(("s", GOOD)), "xl/worksheets/sheet1.xml", 'ref="A1:E3"', 'ref="A1:B2"')
    assert copy_lines(tmp_path, data)[2] == "P1,-1,0,,"


def test_sheets_are_chosen_by_name_list_star_or_place(tmp_path: Path) -> None:
    data = book(("One", [["a"], [1]]), ("two", [["a"], [2]]), ("three", [["a"], [3]]))
    raw = tmp_path / "b.xlsx"
    raw.write_bytes(data)

    def chosen(spec: Any) -> list[int]:
        return [c.number for c in read_workbook(raw, spec, tmp_path / "o")]

    assert chosen(None) == chosen("One") == chosen(" one") == [1]
    assert chosen(["three", "One"]) == [3, 1]
    assert chosen("*") == [1, 2, 3]
    with pytest.raises(InputError) as caught:
        chosen(["two", f"{TOKEN} gone", "nowhere"])
    assert [p.rule for p in caught.value.problems] == ["missing_sheet"] * 2
    assert "sheet number 2 of" in str(caught.value)
    for name in ("One", "two", "three", TOKEN, "nowhere"):
        assert f"{name} " not in str(caught.value).replace("a sheet is missing", "")


def test_a_formula_with_its_value_is_read_and_one_without_is_listed(tmp_path: Path) -> None:
    # openpyxl writes no value; a spreadsheet program does, and an empty text says its type.
    data = book(
        ("s", [HEAD, ["P1", 1, 1, "=2+3", 2], ["P1", 2, 1, "=A1", 2], ["P1", 3, 1, "=1", 1]])
    )
    part = "xl/worksheets/sheet1.xml"
    for old, new in (
        ("<f>2+3</f><v />", "<f>2+3</f><v>5</v>"),
        ("<f>2+3</f><v></v>", "<f>2+3</f><v>5</v>"),
        ("<f>2+3</f><v/>", "<f>2+3</f><v>5</v>"),
    ):
        try:
            data = change(data, part, old, new)
            break
        except AssertionError:
            continue
    data = change(data, part, 'r="D4"', 'r="D4" t="str"')
    folder = write_clinic(
        tmp_path / "c", {"d.xlsx": data}, {"diary": {"path": "d.xlsx", "columns": COLUMNS}}
    )
    accounts, quarantine, out = ingest(folder)
    days = read_parquet(out / "days.parquet")
    assert days["intensity"].tolist()[0] == 5
    assert days["intensity"].isna().tolist() == [False, True, True]
    assert quarantine[["line", "column", "rule", "scope"]].values.tolist() == [
        [3, "worst", "not_a_number", "cell"]
    ]
    assert Message("account.formulas", n=1) in accounts["d.xlsx"].note


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def by_hand(rows: str, texts: str) -> bytes:
    """Write the least that is a workbook, with a list of shared texts, as Excel writes it."""
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{TYPES}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{TYPES}.worksheet+xml"/>'
        f'<Override PartName="/xl/sharedStrings.xml" ContentType="{TYPES}.sharedStrings+xml"/>'
        "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{LINKS}"><sheets>'
        '<sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{LINKS}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{LINKS}/sharedStrings" Target="sharedStrings.xml"/>'
        "</Relationships>",
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{texts}</sst>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>'
        "</worksheet>",
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return stream.getvalue()


def test_a_sheet_as_a_spreadsheet_program_writes_it(tmp_path: Path) -> None:
    """Shared texts in pieces, shared formulas, a text that was worked out to be empty, errors."""
    texts = "<si><t>code</t></si><si><r><t>da</t></r><r><t>y</t></r></si><si><t>P1</t></si>"
    rows = (
        '<row r="2"><c r="B2" t="s"><v>0</v></c><c r="C2" t="s"><v>1</v></c></row>'
        '<row r="3"><c r="B3" t="s"><v>2</v></c>'
        '<c r="C3"><f t="shared" ref="C3:C4" si="0">1+1</f><v>2</v></c></row>'
        '<row r="4"><c r="B4" t="s"><v>2</v></c><c r="C4"><f t="shared" si="0"/></c></row>'
        '<row r="6"><c r="B6" t="str"><f>""</f><v></v></c><c r="C6" t="b"><f>TRUE()</f><v>1</v></c>'
        '</row><row r="7"><c r="B7" t="e"><f>A0</f><v>#REF!</v></c><c r="C7"><v>3.0</v></c></row>'
    )
    assert copy_lines(tmp_path, by_hand(rows, texts)) == [
        "code,day",
        "P1,2",
        "P1,#FORMULA!",
        "",
        ",1",
        "#REF!,3",
        "",
    ]


def test_empty_columns_before_a_table_go_and_used_ones_stay(tmp_path: Path) -> None:
    rows = [[None, None, "code", "day"], [None, " ", "P1", 1], [None, None, None, 2]]
    assert copy_lines(tmp_path, book(("s", rows))) == ["code,day", "P1,1", ",2", ""]
    rows = [[None, "code", "day"], [0, "P1", 1], [1, "P1", 2]]  # a data frame's row numbers
    assert copy_lines(tmp_path, book(("s", rows))) == [",code,day", "0,P1,1", "1,P1,2", ""]


def test_an_error_in_a_patients_code_makes_no_patient(tmp_path: Path) -> None:
    rows = [HEAD, ["P1", 1, 1], ["#REF!", 1, 1], ["=Z1", 2, 1], ["#N/A", 3, 1]]
    folder = write_clinic(
        tmp_path / "c",
        {"d.xlsx": book(("s", rows))},
        {"diary": {"path": "d.xlsx", "columns": COLUMNS}},
    )
    accounts, quarantine, out = ingest(folder)
    assert read_parquet(out / "days.parquet")["patient_id"].tolist() == ["P1"]
    assert sorted(quarantine["rule"]) == ["spreadsheet_error"] * 3
    assert accounts["d.xlsx"].quarantined == 3


def test_an_error_of_a_spreadsheet_is_found_in_its_csv_too(tmp_path: Path) -> None:
    text = "code,day,headache,who\nP1,1,1,#N/A\n#REF!,1,1,a\nP2,x,1,a\n#P3,1,1,a\n#N/A,1,1,x\n"
    columns = {"patient_id": "code", "day": "day", "therapist": "who"}
    spec = {"path": "s.csv", "columns": columns, "missing": ["", "#N/A"]}
    folder = write_clinic(tmp_path / "c", {"s.csv": text}, {"sessions": spec})
    _, quarantine, out = ingest(folder)
    assert quarantine[["line", "rule", "scope"]].values.tolist() == [
        [3, "spreadsheet_error", "row"],
        [4, "not_a_number", "row"],
        [6, "spreadsheet_error", "row"],  # a word for missing cells says nothing of a code
    ]
    found = read_parquet(out / "sessions.parquet")
    assert sorted(found["patient_id"]) == ["#P3", "P1"]
    assert int(found["therapist"].isna().sum()) == 1


def test_numbers_stand_beside_texts_with_a_decimal_comma(tmp_path: Path) -> None:
    rows = [HEAD, ["P1", 1, 1, "4,5", "1.234,5"], ["P1", 2, 1, 4.5, 2.25], ["P1", 3, 1, 5, "0,5"]]
    spec = {"path": "d.xlsx", "columns": COLUMNS, "decimal": ","}
    folder = write_clinic(tmp_path / "c", {"d.xlsx": book(("s", rows))}, {"diary": spec})
    _, quarantine, out = ingest(folder)
    assert quarantine[["line", "rule"]].values.tolist() == [[2, "out_of_range"]]
    days = read_parquet(out / "days.parquet")
    assert days["intensity"].tolist() == [4.5, 4.5, 5]
    assert days["duration_hours"].tolist()[1:] == [2.25, 0.5]


def test_what_is_hidden_is_read_and_noted(tmp_path: Path) -> None:
    def hide(made: Any) -> None:
        sheet = made.worksheets[0]
        sheet.row_dimensions[3].hidden = True
        sheet.column_dimensions["D"].hidden = True
        sheet.merge_cells("A2:A3")
        made.create_sheet("shown")
        sheet.sheet_state = "hidden"

    raw = tmp_path / "b.xlsx"
    raw.write_bytes(book(("s", [HEAD, ["P1", 1, 1, 5, 2], ["P1", 2, 0, 0, 0]]), edit=hide))
    (copy,) = read_workbook(raw, None, tmp_path / "o")
    assert copy.header == tuple(HEAD)
    assert copy.notes == (
        Message("account.merged", n=1),
        Message("account.hidden_rows", n=1),
        Message("account.hidden_columns", n=1),
        "account.hidden_sheet",
    )


def test_what_the_scan_finds_does_not_hang_on_where_a_chunk_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hide(made: Any) -> None:
        for row in range(2, 60):
            made.worksheets[0].row_dimensions[row].hidden = True

    raw = tmp_path / "b.xlsx"
    rows = [HEAD, *(["P1", day, 1, 5, 2] for day in range(60))]
    raw.write_bytes(book(("s", rows), edit=hide))
    for size in (700, 1013, 1 << 20):
        monkeypatch.setattr(spreadsheet, "_CHUNK", size)
        (copy,) = read_workbook(raw, None, tmp_path / "o")
        assert copy.notes == (Message("account.hidden_rows", n=58),)


def test_a_remark_beside_the_table_costs_its_row(tmp_path: Path) -> None:
    rows = [*GOOD, ["P1", 3, 1, 5, 2, None, f"see {TOKEN}"]]
    folder = write_clinic(
        tmp_path / "c",
        {"d.xlsx": book(("s", rows))},
        {"diary": {"path": "d.xlsx", "columns": COLUMNS}},
    )
    accounts, quarantine, _ = ingest(folder)
    assert quarantine[["line", "rule"]].values.tolist() == [[4, "too_many_columns"]]
    assert (accounts["d.xlsx"].kept, accounts["d.xlsx"].quarantined) == (2, 1)


def merge(cells: str) -> Edit:
    return lambda made: made.worksheets[0].merge_cells(cells)


DAY = dt.date(2024, 7, 5)
REFUSED: dict[str, tuple[bytes, tuple[str, ...], dict[str, Any]]] = {
    "a merged header": (book(("s", [[TOKEN, None, "x", "y", "z"], *GOOD[1:]]), edit=merge("A1:B1")), ("merged_header",), {}),
    "a title and no header": (book(("s", [[f"Export {TOKEN}"], *GOOD[1:]])), ("merged_header",), {}),
    "5-7 turned into a date": (book(("s", [*GOOD, ["P1", 3, 1, DAY, TOKEN]])), ("full_date",), {}),
    "a date in the header": (book(("s", [[*HEAD, DAY], ["P1", 1, 1, 5, 2, 7], ["P1", 2, 1, 5, 2, 7]])), ("full_date",), {}),
    "an empty sheet": (book((TOKEN, [])), ("empty_file",), {}),
    "an empty sheet of several": (book(("a", GOOD), (TOKEN, [])), ("empty_file",), {"sheet": "*"}),
    "a sheet that is not there": (book((TOKEN, GOOD)), ("missing_sheet",), {"sheet": "diary"}),
    "a cut-off workbook": (book((TOKEN, GOOD))[:-900], ("damaged_workbook",), {}),
    "text called a workbook": (f"code,day\n{TOKEN},1\n".encode(), ("damaged_workbook",), {}),
    "an empty workbook": (b"", ("damaged_workbook",), {}),
    "a workbook with a password": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + TOKEN.encode() * 100, ("damaged_workbook",), {}),
    "a packed workbook that is cut off": (gzip.compress(book((TOKEN, GOOD))[:-900]), ("damaged_workbook",), {}),
    "another zip file": (change(book(("s", GOOD)), "xl/workbook.xml", "<sheets>", f"<{TOKEN}>"), ("damaged_workbook",), {}),
    "a broken sheet": (change(book(("s", GOOD)), "xl/worksheets/sheet1.xml", "</row>", f"<{TOKEN}", ), ("damaged_workbook",), {}),
    "a text that is not in the list of texts": (change(book(("s", GOOD)), "xl/worksheets/sheet1.xml", 't="inlineStr"><is><t>day</t></is>', 't="s"><v>999</v>'), ("damaged_workbook",), {}),
    "a sheet named like a person": (book(("Maria Lopez", GOOD)), ("person_name",), {}),
    "a column twice": (book(("s", [[*HEAD, "day"], ["P1", 1, 1, 5, 2, TOKEN]])), ("duplicate_column",), {}),
    "two columns without a name": (book(("s", [["code", None, None, *HEAD[1:]], ["P1", TOKEN, 1, 1, 1, 5, 2]])), ("merged_header",), {}),
    "an e-mail in a remark": (book(("s", [[*HEAD, "note"], ["P1", 1, 1, 5, 2, f"{TOKEN}@example.org"]])), ("email",), {}),
}  # fmt: skip


def refuse(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content, rules, spec = REFUSED[name]
    folder = write_clinic(
        tmp_path / "c",
        {"d.xlsx": content},
        {"diary": {"path": "d.xlsx", "columns": COLUMNS, **spec}},
    )
    with pytest.raises((InputError, RefusedError)) as caught:
        ingest(folder)
    assert tuple(p.rule for p in caught.value.problems) == rules
    assert all(p.remedy for p in caught.value.problems)
    assert cli.main(["check", str(folder)]) == caught.value.exit_code
    shown = str(caught.value) + "".join(capfd.readouterr())
    assert "Traceback" not in shown
    assert TOKEN.lower() not in shown.lower()
    assert "Lopez" not in shown


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_hostile_workbook_is_refused(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    refuse(name, tmp_path, capfd)


def test_an_empty_sheet_is_named_by_its_number(tmp_path: Path) -> None:
    raw = tmp_path / "b.xlsx"
    raw.write_bytes(book(("a", GOOD), (TOKEN, []), ("c", GOOD)))
    with pytest.raises(InputError, match="sheet 2 is empty"):
        read_workbook(raw, "*", tmp_path / "o")


def test_a_workbook_that_unpacks_to_an_absurd_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spreadsheet.MAX_UNPACKED == 2 * 1024**3
    monkeypatch.setattr(spreadsheet, "MAX_UNPACKED", 64 * 1024**2)
    raw = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", b"<a/>")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            block = bytes(16 * 1024 * 1024)
            for _ in range(5):
                part.write(block)
    assert raw.stat().st_size < 1024 * 1024
    with pytest.raises(InputError) as caught:
        read_workbook(raw, None, tmp_path / "o")
    assert [p.rule for p in caught.value.problems] == ["oversized_workbook"]


def test_a_size_that_the_zip_file_states_too_small_does_not_help(tmp_path: Path) -> None:
    """The declared size is a promise: more bytes behind it are damage, not cells."""
    data = bytearray(book(("s", [HEAD, *(["P1", day, 1, 5, 2] for day in range(2000))])))
    entry = zipfile.ZipFile(io.BytesIO(bytes(data))).getinfo("xl/worksheets/sheet1.xml")
    size = entry.file_size.to_bytes(4, "little")
    at = bytes(data).rindex(size)  # in the central directory
    data[at : at + 4] = (200).to_bytes(4, "little")
    raw = tmp_path / "b.xlsx"
    raw.write_bytes(bytes(data))
    with pytest.raises(InputError) as caught:
        read_workbook(raw, None, tmp_path / "o")
    assert [p.rule for p in caught.value.problems] == ["damaged_workbook"]


BALANCED: dict[str, tuple[list[list[Any]], set[tuple[int, str, str]]]] = {
    "5-7": ([*GOOD, ["P1", 3, 1, "5-7", 2]], {(4, "not_a_number", "cell")}),
    "less than one": ([*GOOD, ["P1", 3, 1, "<1", 2]], {(4, "not_a_number", "cell")}),
    "an error cell": ([*GOOD, ["P1", 3, 1, "#REF!", 2]], {(4, "not_a_number", "cell")}),
    "a formula cell": ([*GOOD, ["P1", 3, 1, "=A1+1", 2]], {(4, "not_a_number", "cell")}),
    "a formula for a day": ([*GOOD, ["P1", "=B2+1", 1, 5, 2]], {(4, "not_a_number", "row")}),
    "a serial that is no date": ([*GOOD, ["P1", 3, 1, 5, 2]], {(4, "not_a_number", "cell")}),
    "a total line": ([*GOOD, [None, TOKEN, 2]], {(4, "missing_key", "row")}),
    "a length of a week": ([*GOOD, ["P1", 3, 1, 5, dt.timedelta(hours=120)]], {(4, "out_of_range", "cell")}),
    "a day twice": ([*GOOD, ["P1", -1, 1]], {(3, "conflicting_duplicate", "row"), (4, "conflicting_duplicate", "row")}),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(BALANCED))
def test_a_hostile_sheet_is_quarantined_and_balances(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows, expected = BALANCED[name]

    def edit(made: Any) -> None:
        if name == "a serial that is no date":
            cell = made.worksheets[0]["D4"]
            cell.value, cell.number_format = 99_999_999_123, "yyyy-mm-dd"

    folder = write_clinic(
        tmp_path / "c",
        {"d.xlsx": book(("s", rows), edit=edit)},
        {"diary": {"path": "d.xlsx", "columns": COLUMNS}},
    )
    accounts, quarantine, out = ingest(folder)
    assert {(int(r.line), r.rule, r.scope) for r in quarantine.itertuples()} == expected
    account = accounts["d.xlsx"]
    lost = {line for line, _, scope in expected if scope == "row"}
    assert account.rows_in == 3 == account.kept + len(lost)
    assert account.kept == len(read_parquet(out / "days.parquet"))
    shown = quarantine.to_csv() + "".join(capfd.readouterr())
    assert TOKEN not in shown
    assert "99999999123" not in shown  # which the library's own warning would repeat


def test_times_of_a_sheet_are_lengths_of_time(tmp_path: Path) -> None:
    rows = [HEAD, ["P1", 1, 1, 5, dt.time(4, 15)], ["P1", 2, 1, 5, dt.timedelta(hours=1.5)]]
    folder = write_clinic(
        tmp_path / "c",
        {"d.xlsx": book(("s", rows))},
        {"diary": {"path": "d.xlsx", "columns": COLUMNS}},
    )
    _, quarantine, out = ingest(folder)
    assert quarantine.empty
    assert read_parquet(out / "days.parquet")["duration_hours"].tolist() == [4.25, 1.5]


def test_spoilt_bytes_anywhere_end_in_a_copy_or_a_refusal(tmp_path: Path) -> None:
    draw = random.Random(5)
    source = zipfile.ZipFile(io.BytesIO(book(("a", GOOD), ("b", GOOD))))
    parts = {name: source.read(name) for name in source.namelist()}
    raw, ends = tmp_path / "b.xlsx", {"copies": 0, "damaged_workbook": 0}
    for i in range(120):
        name = list(parts)[i % len(parts)]
        data = bytearray(parts[name])
        at = draw.randrange(len(data))
        data[at : at + draw.randrange(30)] = bytes(draw.randrange(256) for _ in range(i % 3))
        with zipfile.ZipFile(raw, "w") as archive:
            for other, content in parts.items():
                archive.writestr(other, bytes(data) if other == name else content)
        try:
            read_workbook(raw, "*", tmp_path / "o")
            ends["copies"] += 1
        except InputError as error:
            ends[error.problems[0].rule] += 1
    assert min(ends.values()) > 0
