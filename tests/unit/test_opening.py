"""However a table is packed and laid out, its cells and lines come out the same, or a refusal."""

# ruff: noqa: E501  (rows of a table)
from __future__ import annotations

import base64
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from headway.errors import InputError
from headway.ingest.adapters.spreadsheet import read_workbook
from headway.messages import Message
from headway.tables import read_parquet
from tests.unit.clinic_builder import DIARY, ingest, write_clinic

TOKEN = "Q7ZK"
HEAD = ("Kürzel", "day", "ill", "worst", "hours")
ROWS = (
    ("PÄ1", "-2", "yes", "5", "2.5"),
    ("PÄ1", "-1", "no", "", ""),
    ("PÄ1", "0", "yes", "5-7", "4:15"),
    ("P 2", "-2", "", "", "NA"),
    ("P 2", "-1", "yes", "10", "0.25"),
    ("P 2", "0", "no", "", ""),
    *(("Q4", str(day), "yes", str(day % 10), "1.5") for day in range(1, 9)),
)
COLUMNS = {
    "patient_id": "Kürzel",
    "day": "day",
    "headache": {"column": "ill", "codes": {"yes": 1, "no": 0}},
    "intensity": "worst",
    "duration_hours": "hours",
}
N = len(ROWS)
FAULT = "5-7"  # the one cell that cannot be read


def clinic(folder: Path, name: str, data: str | bytes, **spec: Any) -> Path:
    entry = {"path": name, "columns": COLUMNS, **spec}
    return write_clinic(folder / "c", {name: data}, {"diary": entry}, course={"start": 0})


def read(folder: Path) -> tuple[list[tuple[Any, ...]], list[tuple[int, str]], Any]:
    """Give the days, the lines and rules of the quarantine, and the account of the one file."""
    accounts, quarantine, out = ingest(folder)
    days = read_parquet(out / "days.parquet")[SHOWN]
    found = [tuple(None if pd.isna(v) else v for v in row) for row in days.values.tolist()]
    (account,) = accounts.values()
    lines = zip(quarantine["line"].tolist(), quarantine["rule"].tolist(), strict=True)
    return sorted(found), sorted((int(n), r) for n, r in lines), account


SHOWN = ["patient_id", "day", "headache", "intensity", "duration_hours"]
DAYS = sorted(
    [
        ("PÄ1", -2, 1, 5.0, 2.5),
        ("PÄ1", -1, 0, None, None),
        ("PÄ1", 0, 1, None, 4.25),
        ("P 2", -2, None, None, None),
        ("P 2", -1, 1, 10.0, 0.25),
        ("P 2", 0, 0, None, None),
        *(("Q4", day, 1, day % 10, 1.5) for day in range(1, 9)),
    ]
)


def lines_of(delimiter: str = ",", quoted: bool = False, trailing: bool = False) -> list[str]:
    def write(cell: str) -> str:
        return f'"{cell}"' if quoted or delimiter in cell else cell

    end = delimiter if trailing else ""
    return [delimiter.join(map(write, row)) + end for row in (HEAD, *ROWS)]


LAYOUTS: dict[str, tuple[str, int]] = {  # the text, and the line of the fault
    "as it should be": ("\n".join(lines_of()), 4),
    "a line for the separator": ("sep=;\n" + "\n".join(lines_of(";")), 5),
    "a quoted one": ('"sep=|"\r\n' + "\r\n".join(lines_of("|")), 5),
    "one that is filled up": ("SEP=~~~~\n" + "\n".join(lines_of("~")), 5),
    "a mark and a separator": ("\ufeffsep=\t\n" + "\n".join(lines_of("\t")), 5),
    "a title": ("Headache diary\n" + "\n".join(lines_of(";")), 5),
    "a title with blank lines": ('Clinic "North\n\nas of today;1\n\n' + "\n".join(lines_of()), 8),
    "remarks with the delimiter": ("a,b,c,d,e\nday,of,export\n" + "\n".join(lines_of()), 6),
    "groups above the names": (",,Pain,,\n" + "\n".join(lines_of()), 5),
    "an unusual delimiter": ("\n".join(lines_of("^")), 4),
    "one of two bytes": ("\n".join(lines_of("§")), 4),
    "blanks between cells": ("\n".join(lines_of(" ", quoted=True)), 4),
    "carriage returns alone": ("\r".join(lines_of()), 4),
    "two kinds of line ends": ("\r\n".join(lines_of()[:3]) + "\n" + "\n".join(lines_of()[3:]), 4),
    "three kinds": ("a title\r" + "\r\n".join(lines_of()[:3]) + "\n" + "\r".join(lines_of()[3:]), 5),
    "a delimiter behind each row": ("\n".join(lines_of(trailing=True)), 4),
    "behind each row but the header": (
        "\n".join([lines_of()[0], *lines_of(trailing=True)[1:]]),
        4,
    ),
    "three behind one row": ("\n".join([*lines_of()[:2], lines_of()[2] + ",,, ", *lines_of()[3:]]), 4),
    "a longer header": (lines_of()[0] + ",,,\n" + "\n".join(lines_of()[1:]), 4),
    "blank lines": ("\n\n".join(lines_of()), 7),
    "lines of blanks": ("\n  \n".join(lines_of()), 7),
    "a name with blanks nobody sees": (
        "\n".join(lines_of()).replace("Kürzel", "Ku\u0308rzel\u00a0").replace("day", "\u200bday"),
        4,
    ),
    "names in capitals": ("\n".join([lines_of()[0].upper(), *lines_of()[1:]]), 4),
    "a name over two lines": ("\n".join(lines_of()).replace("worst", '"worst\n"'), 5),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_changes_neither_cells_nor_lines(name: str, tmp_path: Path) -> None:
    text, line = LAYOUTS[name]
    days, lost, account = read(clinic(tmp_path, "d.csv", text))
    assert days == DAYS
    assert lost == [(line, "not_a_number")]
    assert (account.rows_in, account.kept, account.quarantined) == (N, N, 0)


@pytest.mark.parametrize("line", ["sep=~", '"SEP=~"', "sep=~~~~", "\ufeffsep=~ "])
def test_a_line_for_the_separator_is_no_title(line: str, tmp_path: Path) -> None:
    _, _, account = read(clinic(tmp_path, "d.csv", f"{line}\n" + "\n".join(lines_of("~"))))
    assert account.note == ""


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252")
PACKED: dict[str, Callable[[bytes], tuple[str, bytes]]] = {
    "plain": lambda data: ("d.csv", data),
    "gzip": lambda data: ("d.csv.gz", gzip.compress(data)),
    "zip": lambda data: ("d.zip", packed({"records.csv": data})),
    "another name": lambda data: ("d.xls", data),
}


def packed(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_any_mix_of_layouts_gives_the_same_days(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Every choice that an export may make at once: the days, the lines and the account hold."""
    rows = lines_of(
        data.draw(st.sampled_from([",", ";", "\t", "|", "^", "~", "#"])), data.draw(st.booleans())
    )
    sep = rows[0].strip('"')[len(HEAD[0]) :].lstrip('"')[0]
    above = data.draw(st.lists(st.sampled_from(["", "Diary", "as of today", "a b c"]), max_size=3))
    ends = [sep * data.draw(st.integers(0, 2)) for _ in rows]
    ends[0] = ""
    blanks = [data.draw(st.integers(0, 1)) for _ in rows]
    lines = list(above)
    for row, end, blank in zip(rows, ends, blanks, strict=True):
        lines += [row + end, *[""] * blank]
    text = ""
    for line in lines:
        # A carriage return and the line feed of a blank line would be one end.
        after = text.endswith("\r") and not line
        text += line + data.draw(st.sampled_from(["\r", "\r\n"] + ["\n"] * (not after)))
    fault = next(i for i, line in enumerate(lines, start=1) if FAULT in line)
    encoded = text.encode(data.draw(st.sampled_from(ENCODINGS)))
    name, content = PACKED[data.draw(st.sampled_from(sorted(PACKED)))](encoded)
    days, lost, account = read(clinic(tmp_path_factory.mktemp("mix"), name, content))
    assert days == DAYS
    assert lost == [(fault, "not_a_number")]
    assert (account.rows_in, account.kept) == (N, N)


@pytest.mark.parametrize(
    ("spoilt", "rule", "lines"),
    [
        ('P3,1,yes,"5"x,2', "unquoted_value", 1),
        ('P3,1,yes,5,"2', "unquoted_value", 1),
        ("P3,1,yes", "missing_columns", 1),
        ("P3,1,yes,5,2,more", "too_many_columns", 1),
        ('P3,1,yes,"5\n6",2', "not_a_number", 2),
    ],
)
def test_a_fault_in_one_row_changes_no_other(
    spoilt: str, rule: str, lines: int, tmp_path: Path
) -> None:
    """The row itself is set aside, the rows before and behind it are as if it were not there."""
    text = lines_of()
    quoted = [text[0], text[1], spoilt, *lines_of(quoted=True)[2:]]
    days, lost, account = read(clinic(tmp_path, "d.csv", "\n".join(quoted) + "\n"))
    assert [d for d in days if d[0] != "P3"] == DAYS
    assert lost == [(3, rule), (4 + lines, "not_a_number")]
    assert account.rows_in == N + 1 == account.kept + account.quarantined


def test_the_cells_of_malformed_rows_are_told_as_far_as_they_are_there(tmp_path: Path) -> None:
    from headway import config
    from headway.ingest.clinics.opening import staged_files

    text = "\n".join([*lines_of(), "P3,4", "P3,5,yes,1,2,more"])
    for blank in ("", "\n\n"):  # in one pass, and row by row
        folder = clinic(tmp_path, "d.csv", f"a title\n{text}{blank}\nP4,6\n")
        with staged_files(folder, config.load_clinic(folder), None, 1) as (connection, stages, _):
            (stage,) = stages
            found = connection.execute(
                f"SELECT line, t0, t1, t2 FROM {stage.malformed_relation} ORDER BY line"
            ).fetchall()
            last = N + 5 + len(blank)
            assert [n for n, _ in stage.malformed] == [N + 3, N + 4, last]
            assert found == [
                (N + 3, "P3", "4", None),
                (N + 4, "P3", "5", "yes"),
                (last, "P4", "6", None),
            ]


def test_the_row_of_the_header_can_be_said(tmp_path: Path) -> None:
    """Where an older header stands above the one that counts."""
    text = "\n".join([*lines_of()[:2], *lines_of()])
    days, lost, account = read(clinic(tmp_path, "d.csv", text, header_row=3))
    assert days == DAYS
    assert lost == [(6, "not_a_number")]
    assert account.note == Message("account.above_header", n=2)
    book = as_book([list(row) for row in (HEAD, ROWS[0], HEAD, *ROWS)])
    days, lost, _ = read(clinic(tmp_path, "d.xlsx", book, header_row=3))
    assert days == DAYS
    assert lost == [(6, "not_a_number")]


def as_book(rows: list[list[Any]], merge: tuple[str, ...] = ()) -> bytes:
    made = Workbook()
    sheet = made.active
    for row in rows:
        sheet.append([None if value == "" else value for value in row])
    for cells in merge:
        sheet.merge_cells(cells)
    stream = io.BytesIO()
    made.save(stream)
    return stream.getvalue()


def as_ods(rows: list[list[str]], spans: dict[tuple[int, int], int] | None = None) -> bytes:
    """Write a sheet of OpenDocument; `spans` are rows that a cell is merged over."""
    office, table, text = (
        f"urn:oasis:names:tc:opendocument:xmlns:{n}:1.0" for n in ("office", "table", "text")
    )
    written = ""
    for i, row in enumerate(rows):
        written += "<table:table-row>"
        for j, cell in enumerate(row):
            span = (spans or {}).get((i, j))
            over = (
                f' table:number-rows-spanned="{span}" table:number-columns-spanned="1"'
                if span
                else ""
            )
            if re.fullmatch(r"-?\d+(\.\d+)?", cell):
                kind = f' office:value-type="float" office:value="{cell}"'
            else:
                kind = ' office:value-type="string"'
            content = f"<text:p>{cell}</text:p>"
            written += f"<table:table-cell{over}{kind if cell else ''}>{content if cell else ''}"
            written += "</table:table-cell>"
        written += "</table:table-row>"
    content = (
        f'<?xml version="1.0"?><office:document-content xmlns:office="{office}" xmlns:table="{table}" '
        f'xmlns:text="{text}"><office:body><office:spreadsheet><table:table table:name="s">{written}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    mime = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{mime}"/>'
        "</manifest:manifest>"
    )
    return packed(
        {
            "mimetype": mime.encode(),
            "META-INF/manifest.xml": manifest.encode(),
            "content.xml": content.encode(),
        }
    )


def as_parquet(folder: Path, select: str) -> bytes:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "made.parquet"
    with duckdb.connect() as connection:
        frame = pd.DataFrame([*ROWS], columns=list(HEAD), dtype=str)
        connection.register("frame", frame)
        connection.execute(f"COPY (SELECT {select} FROM frame) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


def test_every_container_holds_the_same_days(tmp_path: Path) -> None:
    table = [list(row) for row in (HEAD, *ROWS)]
    typed = [[float(c) if re.fullmatch(r"-?[\d.]+", c) else c for c in row] for row in table]
    doubles = 'Kürzel, CAST("day" AS DOUBLE) AS "day", nullif(ill, \'\') AS ill, worst, hours'
    enum = "CAST(Kürzel AS ENUM('PÄ1', 'P 2', 'Q4')) AS Kürzel, * EXCLUDE (Kürzel), 1 AS __index_level_0__"
    made = {
        "d.xlsx": as_book(table),
        "typed.xlsx": as_book(typed),
        "titled.xlsx": as_book([["Diary"], [], *typed], ("A1:E1",)),
        "d.ods": as_ods(table),
        "d.parquet": as_parquet(tmp_path / "p", "*"),
        "doubles.parquet": as_parquet(tmp_path / "p", doubles),
        "enum.parquet": as_parquet(tmp_path / "p", enum),
        "book.zip": packed({"a/b.xlsx": as_book(table), "__MACOSX/a/._b.xlsx": b"x"}),
        "parquet.zip": packed({"b.parquet": as_parquet(tmp_path / "p", "*")}),
        "gz.zip": packed({"b.csv.gz": gzip.compress("\n".join(lines_of()).encode())}),
        "a_book_called.csv": as_book(table),
        "an_ods_called.xlsx": as_ods(table),
        "d.xlsx.gz": gzip.compress(as_book(table)),
    }
    for name, data in made.items():
        days, lost, account = read(clinic(tmp_path / name, name, data))
        assert days == DAYS, name
        assert lost == [(6 if name.startswith("titled") else 4, "not_a_number")], name
        assert (account.rows_in, account.kept) == (N, N), name


# A workbook of 1997 to 2003: a title, a blank row, the header; one code over two rows; a date with
# a time below one without; a length of time as a time of day.
OLD_BOOK = (
    "c-rk)O=uHQ5T4zA+a{qu=`XfISPE9H?V;*H#F{G9o-EOeB7&yfm6V#KY$G)uv|0;Z1i_QVOQ8xzsCw}Sf6z<uP^j"
    "oZ5QJ9IOHYD=NSk$Lb~m=MLIWyVcEZlSnK$#zdvD%f_QiC?%-Eg!S;(WEpg`90L(w9ggpc19f`IjwMMd}R!^iUIz"
    "aqa66IrCf!_ui@$|2=@7G$_Bo*@T#htFZ?hpuG8(EcLr<~BqnYC{`x39h214C=U5mCSpXS24fEmXDaXv*sf6Hng3"
    "Q4#9M|t7)4vix0{TTvrB!dyjqIu%;Di;5p6WGnXXWR)t+=Z}j+TsR)S@7zfOBr;#vBl55}^t>rXQOFZ79>sl<fJs"
    "uB<09;2eU}*-bab}Fe7fS>9>}~;1HBbL{^%9`|>r#F3FZ4c4>~eZP<~3h`Sr!08U>)U^HUcGZK~RkVJ(?bv#~mPm"
    "Qh-+*be!x@nkg-LOiRTKP4A7GX*BLh>V^VjkH<jFi0aXvn1S<WFli2?XdWd`m;-1x7&8*M)FQ3Ob`XnfCR}?T3NG"
    "1)N_l;jAlIRs%N4vzgV?wE8=qe8?T&<xux5zQ9{Yq^M|}Yc&XNZ@mw}6C^CtG##QYqiuH|w)^J<*)_->5UIE6jKY"
    ";&G#8!^rnrdQ$hi^?0YJTkZMerV)<cq5i4I%iK+PrMF~K?9Drj{fu;hGwZ*8ofgFAnd*+XE%GxyzZx+%_j$)zFE#"
    "OTn-DI3&8OJ$3o`bEwzx@g2u#_-0`y|86_nrDJY4YBv4Xwl8RE16GvGlj>2&$ZKq|DD9$%LTU6PHlFV&*3~R7VQE"
    "J(GPN7|Vbdt~sSLES7!BG@W4+&K;YSuv&jB2+}Fe>F=!CVW(tAv}GOlE59$96)deyDjZRvDS@GSn_LH!^lVD<DK@"
    "jHe=E72{<xli?5OD`AbW??`eb+$A?Waehz$Jo3mRk390oBai-NqT8X&w;kYHjq2Qzi=FQ}3;1Nc&m^ms_CpeXDf~"
    "a!0SSDYkS=Kc)PgFxSkel8-0y`%2Qaz`ebCMA=qq^s;(sS;aer3q82o)psL=S?LfZL<<9`Qn`Va~"
)


def test_an_old_workbook_is_read_like_a_new_one(tmp_path: Path) -> None:
    raw = tmp_path / "old.xls"
    raw.write_bytes(zlib.decompress(base64.b85decode(OLD_BOOK)))
    (copy,) = read_workbook(raw, None, tmp_path / "o", wanted=("code", "day"))
    assert copy.path.read_text().splitlines() == [
        "code,day,headache,worst,hours,when",
        "P1,-2,1,5,2.5,2024-07-05 00:00:00",
        "P1,-1,0,<1,,2024-07-05 09:30:00",
        "P2,0,1,7,4:15,",
    ]
    assert copy.first_line == 4
    assert copy.notes == (Message("account.above_header", n=1), Message("account.merged", n=1))


def test_a_merged_cell_is_the_value_of_all_its_rows(tmp_path: Path) -> None:
    """Each person's code stands once, over the rows of that person."""
    blank = [list(row) for row in (HEAD, *ROWS)]  # of the last person the code stands in each row
    for i in (2, 3, 5, 6):
        blank[i][0] = ""
    spans = {(1, 0): 3, (4, 0): 3}
    for name, data in (
        ("d.xlsx", as_book(blank, ("A2:A4", "A5:A7"))),
        ("d.ods", as_ods(blank, spans)),
    ):
        days, lost, _ = read(clinic(tmp_path / name, name, data))
        assert (days, lost) == (DAYS, [(4, "not_a_number")])


def test_names_over_two_rows_and_rows_of_two_lines(tmp_path: Path) -> None:
    rows = [
        ["Kürzel", "day", "Pain", None, None],
        [None, None, "ill", "worst", "hours"],
        ["PÄ1", "1", "yes", "3", "2"],
        [None] * 5,
        ["PÄ1", "2", "no", None, None],
    ]
    merged = ("A1:A2", "B1:B2", "C1:E1", *(f"{c}3:{c}4" for c in "ABCDE"))
    days, lost, account = read(clinic(tmp_path, "d.xlsx", as_book(rows, merged)))
    assert days == [("PÄ1", 1, 1, 3.0, 2.0), ("PÄ1", 2, 0, None, None)]
    assert not lost
    assert account.rows_in == 2


def refused(folder: Path) -> list[Any]:
    with pytest.raises(InputError) as caught:
        ingest(folder)
    assert TOKEN not in str(caught.value)
    return list(caught.value.problems)


def test_a_bad_byte_is_named_by_its_line(tmp_path: Path) -> None:
    """One byte of another encoding does not turn every accent of the file into two signs."""
    text = "\n".join([*lines_of(), f"P3,1,yes,5,{TOKEN}"]).encode()
    data = text.replace(b"P 2,-1", b"P\xe92,-1")
    for content, line in ((data, 6), (b"\xef\xbb\xbf" + data, 6), (b"a title\r\n" + data, 7)):
        (problem,) = refused(clinic(tmp_path, "d.csv", content))
        assert (problem.rule, problem.line) == ("encoding", line)
        assert "encoding" in str(problem.remedy)
    (problem,) = refused(clinic(tmp_path, "d.csv", data, encoding="utf-8"))
    assert (problem.rule, problem.line) == ("encoding", 6)


def test_letters_of_an_older_code_page_are_not_taken_for_others(tmp_path: Path) -> None:
    text = "\n".join([*lines_of(), "Märta,1,yes,5,2"])
    (problem,) = refused(clinic(tmp_path, "d.csv", text.encode("cp850")))
    assert (problem.rule, problem.line) == ("encoding", 1)
    days, _, _ = read(clinic(tmp_path, "d.csv", text.encode("cp850"), encoding="cp850"))
    assert ("Märta", 1, 1, 5.0, 2.0) in days


REFUSED: dict[str, tuple[str, bytes, str]] = {
    "a zip of two": ("d.zip", packed({f"{TOKEN}.csv": b"a", "b.csv": b"b"}), "zip_of_several"),
    "an empty zip": ("d.zip", packed({}), "zip_of_several"),
    "a zip of a picture": ("d.zip", packed({f"{TOKEN}.png": b"a"}), "zip_of_several"),
    "a zip that is cut off": ("d.zip", packed({"a.csv": b"a,b\n" * 99})[:-60], "damaged_zip"),
    "text called zip": ("d.zip", b"code,day\n", "damaged_zip"),
    "a web page": ("d.xls", f"<html><table><tr><td>{TOKEN}".encode(), "web_page"),
    "a page of XML": ("d.xls", f'\ufeff<?xml version="1.0"?>\n<{TOKEN}/>'.encode(), "web_page"),
    "text called XLSB": ("d.xlsb", f"{TOKEN}\n".encode(), "damaged_workbook"),
    "noise called ODS": ("d.ods", packed({"mimetype": b"x", "content.xml": b"<"}), "damaged_workbook"),
    "an old workbook that is cut off": ("d.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 99, "damaged_workbook"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_opened_is_refused_with_the_remedy(name: str, tmp_path: Path) -> None:
    file, data, rule = REFUSED[name]
    (problem,) = refused(clinic(tmp_path, file, data))
    assert problem.rule == rule
    assert problem.remedy


def test_a_zip_with_a_password_and_one_of_absurd_size_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    data = packed({"a.csv": "\n".join(lines_of()).encode()})
    locked = bytearray(data)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[data.index(mark) + at] |= 1
    (problem,) = refused(clinic(tmp_path, "d.zip", bytes(locked)))
    assert problem.rule == "locked_zip"
    large = bytearray(data)
    at = data.index(b"PK\x01\x02") + 24  # what the directory says of its size
    large[at : at + 4] = (2**31 + 1).to_bytes(4, "little")
    (problem,) = refused(clinic(tmp_path, "d.zip", bytes(large)))
    assert problem.rule == "oversized_zip" and problem.message == Message(
        "problem.oversized_workbook", gigabytes=2
    )


def test_values_of_parquet_become_the_text_of_a_spreadsheet(tmp_path: Path) -> None:
    from headway.ingest.open.parquet import write_text

    raw, target = tmp_path / "t.parquet", tmp_path / "t.csv"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT TIMESTAMP '2024-01-05' AS date, unnest([TIMESTAMP '2024-01-05', "
            "TIMESTAMP '2024-01-05 09:30:00']) AS time, TIME '14:05:00' AS clock, true AS yes, "
            "1.0::DOUBLE AS code, 2.50::DECIMAL(5, 2) AS price, 'nan'::FLOAT AS nothing, "
            f"'two\nlines' AS text) TO '{raw}' (FORMAT parquet)"
        )
    header, notes = write_text(raw, target, ("date",), (), ",")
    assert header == ("date", "time", "clock", "yes", "code", "price", "nothing", "text")
    assert not notes
    same = '14:05:00,1,1,"2,50",,two lines'
    assert target.read_text().splitlines()[1:] == [
        f"2024-01-05,2024-01-05 00:00:00,{same}",
        f"2024-01-05,2024-01-05 09:30:00,{same}",
    ]


def test_a_column_of_lists_is_refused_by_name_unless_it_is_dropped(tmp_path: Path) -> None:
    data = as_parquet(tmp_path / "p", "* EXCLUDE (worst), [worst] AS worst")
    (problem,) = refused(clinic(tmp_path, "d.parquet", data))
    assert (problem.rule, problem.column) == ("nested_column", "worst")
    data = as_parquet(tmp_path / "p", "*, {'a': worst} AS more")
    assert [p.rule for p in refused(clinic(tmp_path, "d.parquet", data))] == ["nested_column"]
    assert read(clinic(tmp_path, "d.parquet", data, drop=["more"]))[0] == DAYS


@pytest.mark.parametrize(
    "header", ["Day,DAY,Kürzel,ill,worst,hours", "Kürzel,DAYS,ill,worst,hours"]
)
def test_a_name_that_may_be_two_columns_or_none_is_not_guessed(header: str, tmp_path: Path) -> None:
    (problem,) = refused(
        clinic(tmp_path, "d.csv", f"{header}\n" + "1," * header.count(",") + "1\n")
    )
    assert (problem.rule, problem.column) == ("missing_column", "day")
    assert problem.remedy


def test_a_word_for_missing_cells_may_be_a_patients_code(tmp_path: Path) -> None:
    """`NA` is a blank among numbers and a code among codes."""
    text = "\n".join([*lines_of(), "NA,1,yes,NA,2"])
    _, lost, account = read(clinic(tmp_path, "d.csv", text))
    assert lost == [(4, "not_a_number")]
    assert account.kept == N + 1


@pytest.mark.parametrize("columns", [[f"c{i}" for i in range(10_001)], ["x" * 2_001]])
def test_a_header_that_no_export_has_is_refused_with_what_to_do(
    tmp_path: Path, columns: list[str]
) -> None:
    header = ",".join(["code", "day", "headache", *columns])
    text = f"{header}\nP1,1,1{',' * len(columns)}\n"
    folder = write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": DIARY})
    with pytest.raises(InputError) as caught:
        ingest(folder)
    (problem,) = caught.value.problems
    assert (problem.file, problem.rule) == ("diary.csv", "oversized_header")
    assert problem.remedy


def test_a_gzip_that_unpacks_to_an_absurd_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headway.ingest.open import containers

    monkeypatch.setattr(containers, "MAX_UNPACKED", 1_000_000)
    packed = gzip.compress(b"code,day,headache\n" + b"0" * 50_000_000)
    spec = {"diary": {**DIARY, "path": "diary.csv.gz"}}
    folder = write_clinic(tmp_path / "c", {"diary.csv.gz": packed}, spec)
    with pytest.raises(InputError) as caught:
        ingest(folder)
    assert [p.rule for p in caught.value.problems] == ["oversized_gzip"]
