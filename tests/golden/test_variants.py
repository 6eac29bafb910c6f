"""What is read from files with every kind of odd cell, header and layout stays what it was.

Files of the project and of the tests are changed by a seed: cells as people type them, headers in
other words, lines above and below, columns moved, doubled or gone. That the reader is right is held
by other tests; `tests/golden/write_stored.py` writes the answers.
"""

from __future__ import annotations

import csv
import io
import json
import lzma
import random
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from headway import config
from headway.errors import UserError
from headway.ingest import clinics, transcription
from headway.ingest.gate import content
from headway.ingest.gate import texts as gate_texts
from headway.ingest.transcription import entries
from tests.conftest import ROOT
from tests.fuzz_targets import list_corpus
from tests.golden.test_stored import REMEDY, STORED, assert_close_texts
from tests.golden.test_stored_readings import (
    OWN,
    SHAPES,
    Texts,
    answer,
    list_texts,
    make_column,
    take_exports,
    take_rm5,
    take_rows,
    take_table,
    tell_trials,
)
from tests.unit.exports_builder import STYLES, make_people, write_diary, write_sessions
from tests.unit.review_builder import ARMS_HEADER, write_review
from tests.unit.test_interchange import OLD, WEB
from tests.unit.test_transcribe import ASKED, fill

RAW = ROOT / "data" / "raw"
EACH = 5  # variants of a file
MANY = ("demo", "log")  # of which there are four times as many
Files = dict[str, str]
Changed = dict[str, bytes]

# What people type where a number, a word or a date is asked for.
ODD = (
    *("", " ", "-", "n/a", "NA", "keine", "none", "0", "1", "-1", "999", "1e3", "0,5", "2.50", "½"),
    *(
        "3-4",
        "3 bis 4",
        "<5",
        "> 10",
        "~4",
        "≥3",
        "5/10",
        "50%",
        "50 %",
        "7 (0-10)",
        "7!",
        "x",
        "?",
    ),
    *("yes", "no", "ja", "nein", "sí", "TRUE", "falsch", "Y", "checked", "mild", "stark", "severe"),
    *("2 h", "2h30", "90 min", "1:30", "02:15:00", "1 d 06 h", "1½ h", "all day", "08:30", "8 pm"),
    *("2023-05-14", "14.05.2023", "05/14/2023", "14/05/23", "31.02.2021", "45060", "14 May 2023"),
    *(
        "May 2023",
        "14.05.",
        "2023-05-14T08:30:00+02:00",
        "0000-00-00",
        "1.234,5",
        "1,234.5",
        "12 345",
    ),
    *("M", "w", "female", "männlich", "1987", "34 J.", "150", "#REF!", "=1+1", "ibuprofen 400 mg"),
    *(
        "sumatriptan, ibuprofen",
        "2 x 400 mg",
        "dry needling + manual",
        "PS",
        "DN",
        "none left",
        "3e",
    ),
)
HEADINGS = (
    *(
        "pain 0-10",
        "VAS (0-100)",
        "Schmerz NRS",
        "EVA",
        "hours",
        "duration (min)",
        "Dauer h",
        "days",
    ),
    *(
        "headache",
        "Kopfschmerz ja/nein",
        "dolor de cabeza",
        "migraine days last month",
        "sex",
        "age",
    ),
    *("born", "date", "Datum", "fecha", "visit", "Termin", "therapist", "technique", "fee", "EUR"),
    *(
        "medication",
        "Tabletten",
        "drug days",
        "HIT-6",
        "MIDAS",
        "remarks",
        "week 4",
        "before",
        "T1",
    ),
    *(
        "month",
        "diagnosis",
        "side effects",
        "n",
        "sd",
        "mean",
        "events",
        "95% CI",
        "P",
        "SE",
        "total",
    ),
)
ENDINGS = (
    "{} ",
    "{},0",
    "{}.0",
    "{}h",
    "{} min",
    "{} days",
    "~{}",
    "{}?",
    "-{}",
    "{}0",
    '"{}"',
    "({})",
)


PLAIN = tuple(cell for cell in ODD if not re.search(r"\d\d[-./:]\d|May|[a-z] \d|, |#|=", cell))


def change_cell(cell: str, draw: random.Random, odd: Sequence[str] = ODD) -> str:
    """Type a cell in another way, or another thing."""
    if cell and draw.random() < 0.4:
        return draw.choice(ENDINGS).format(cell)
    return draw.choice(odd)


def spoil(body: list[list[str]], draw: random.Random, often: float, odd: Sequence[str]) -> None:
    """Change some cells of one column, or of all."""
    columns = range(len(body[0]))
    chosen = [draw.choice(columns)] if often > 0.1 else columns
    for row in body:
        for i in chosen:
            if i < len(row) and draw.random() < often:
                row[i] = change_cell(row[i], draw, odd)


def lay_out(head: list[str], body: list[list[str]], draw: random.Random) -> list[list[str]]:
    """Put a table as it stands in an export: with lines about it, or columns in other places."""
    rows, at = [head, *body], draw.randrange(len(head))
    return draw.choice(
        (
            [["Export of 14 May"], [], *rows],
            [*rows, [], ["Total", str(len(body))]],
            [[*r, r[at] if at < len(r) else ""] for r in rows],
            [[*r[2:], *r[:2]] for r in rows],
            [[*r[:at], *r[at + 1 :]] for r in rows],
            [[*r[:at], "", *r[at:]] for r in rows],
            [[*head, "", ""], *([*r, ""] for r in body)],
            [head, *(r for row in body for r in (row, []))],
            [*rows, *body[:3], head],
            [head, *(r[: draw.randrange(len(r) - 1, len(r) + 1)] for r in body)],
            [head, [f"({i})" for i in range(len(head))], *body],
        )
    )


def change_table(text: str, draw: random.Random, how: int) -> bytes:
    """Change a header, a column, the layout, a few cells, or all of these."""
    mark = max(",;\t", key=text.count)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=mark) if row]
    first = next(i for i, row in enumerate(rows) if len(row) == max(map(len, rows)))
    above, head, body = rows[:first], rows[first], rows[first + 1 :]
    kind, encoding, ends = how % 5, "utf-8", "\n"
    if kind in (0, 4):
        head[draw.randrange(len(head))] = draw.choice(HEADINGS)
    if kind in (1, 4):
        spoil(body, draw, 0.2, PLAIN)
    if kind in (3, 4):
        spoil(body, draw, 0.01, ODD if how >= 5 else PLAIN)
    rows = [*above, head, *body]
    if kind in (2, 4):
        rows = [*above, *lay_out(head, body, draw)]
        encoding = draw.choice(("utf-8", "utf-8-sig", "utf-16", "cp1252"))
        mark, ends = draw.choice((mark, ";", "\t", "|")), draw.choice(("\n", "\r\n"))
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=mark, lineterminator=ends).writerows(rows)
    return out.getvalue().encode(encoding, "replace")


VALUE = re.compile(r'(?<==")[^"]*(?=")|(?<=: ")[^"]*(?=")|(?<=>)[^<>\n]+(?=<)|(?<=: )[-\d.]+')


def change_values(text: str, draw: random.Random, how: int) -> bytes:
    """Change values of XML or JSON."""
    often = (0.01, 0.03, 0.1)[how % 3]

    def change(found: re.Match[str]) -> str:
        if draw.random() > often:
            return found[0]
        given = draw.choice((change_cell(found[0], draw), f"{found[0]}1", str(draw.randrange(40))))
        return re.sub(r'[<>&"\\]', "", given)

    return VALUE.sub(change, text).encode()


# ---- what is changed, and how it is read ---------------------------------------------------------


def decode(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def as_files(paths: Sequence[Path]) -> Files:
    return {path.name: decode(path.read_bytes()) for path in paths}


@cache
def list_exports() -> Mapping[str, Files]:
    """Write exports of six people in every shape that is text."""
    found: dict[str, Files] = {}
    for name, write in SHAPES.items():
        with TemporaryDirectory() as place:
            paths = write(Path(place))
            if name not in ("workbook", "two logs"):
                found[name] = as_files(paths)
    for language, style in STYLES.items():
        with TemporaryDirectory() as place:
            people = make_people(21, 6)
            for p in people:
                p.diary = {n: d for n, d in p.diary.items() if n % 4 == 0}
            found[f"sessions {language}"] = as_files([write_sessions(Path(place), people, style)])
            found[f"diary {language}"] = as_files(write_diary(Path(place), people, style))
    return found


def write_log() -> Files:
    """Write a log of visits with much of what clinics record, and a list of its people."""
    draw = random.Random(5)
    head = (
        *("Code", "Visit date", "Time", "Treatment", "Pain now (0-10)", "Worst pain VAS 0-100"),
        *("Headache days last 4 weeks", "Hours per attack", "Minutes of treatment", "Drug taken"),
        *("Tablets", "Fee (EUR)", "Insured", "Therapist", "Did exercises", "HIT-6", "Sore days"),
    )
    people = ("Code", "Sex", "Age", "Diagnosis", "First visit", "Years with headache")
    visits, listed = [], []
    for i in range(14):
        start = date(2023, 1, 2) + timedelta(days=11 * i)
        sex = draw.choice(("female", "male", "f", ""))
        told = draw.choice(("1.1 Migraine without aura", "tension-type headache", "G44.2", "mixed"))
        age = draw.choice((19, 34, 45, 58, 71, 88, 91, 130))
        listed.append((f"R{i:02d}", sex, age, told, start.isoformat(), draw.randrange(1, 30)))
        for day in (0, 14, 35, 60, 84, 98)[: draw.randrange(3, 7)]:
            late = day > 50
            visits.append(
                (
                    *(f"R{i:02d}", (start + timedelta(days=day)).isoformat(), f"{8 + i % 9}:30"),
                    draw.choice(("manual", "dry needling", "acupuncture", "dn + manual", "advice")),
                    *(draw.randrange(2, 10) - late, draw.randrange(30, 101) - 9 * late),
                    *(
                        draw.randrange(4, 20) - 3 * late,
                        draw.choice((2, 4.5, 6, 12, "")),
                        30 + i % 3,
                    ),
                    draw.choice(("ibuprofen", "none", "sumatriptan 50", "ibuprofen, triptan", "")),
                    *(
                        draw.randrange(0, 5),
                        draw.choice((60, 60, 45.5, "")),
                        draw.choice(("yes", "no")),
                    ),
                    *(f"T{i % 3}", draw.choice(("y", "n", "")), 48 + draw.randrange(20), i % 4),
                )
            )
    files = {}
    for name, top, rows in (("log.csv", head, visits), ("people.csv", people, listed)):
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\n").writerows([top, *rows])
        files[name] = out.getvalue()
    return files


@cache
def cut_demo() -> Files:
    """Take ten people of the demo clinic, and a third of their days."""
    folder = RAW / "clinics" / "demo"
    files = {}
    for path in sorted(folder.glob("*.csv")):
        head, *lines = path.read_text("utf-8").splitlines()
        codes = sorted({line.partition(",")[0] for line in lines})[:10]
        own = [line for line in lines if line.partition(",")[0] in codes]
        own = own[::3] if path.stem == "diary" else own
        files[path.name] = "\n".join([head, *own])
    return files


# Tables of trials as papers print them.
PUBLISHED = {
    "scales": """\
Trial,Year,Arm,N,Mean pain (NRS 0-10),SD,Follow-up
Abel,2001,needling,20,34.1,14.2,3 months
Abel,2001,waiting list,21,50.3,14.8,3 months
Bode,2005,needling,31,3.4,1.9,12 weeks
Bode,2005,waiting list,30,4.9,2.1,12 weeks
""",
    "several": """\
Study,Scale,N treatment,Mean treatment,SD treatment,N control,Mean control,SD control
Cole 2003,headache days per month,20,8.1,4.2,21,10.3,4.8
Dahl 2007,HIT-6,31,58.4,6.9,30,61.9,7.1
Eder 2011,VAS 0-100,25,31,18,27,44,20
""",
    "effects": """\
Study,Outcome,MD (95% CI),Weight
Falk 2002,headache days,"-1.2 (-2.0 to -0.4)",40%
Gross 2009,headache days,"\u22120.6 [\u22121.9, 0.7]",25%
Hahn 2014,headache days,"-2.1 (-3.3 to -0.9)",35%
""",
    "ratios": """\
Study;OR;95% CI lower;95% CI upper
Iken 2001;1,85;1,02;3,36
Jost 2006;0,94;0,51;1,73
Kern 2012;2,10;1,20;3,68
""",
    "counts": """\
Study,Needling (n/N),Sham (n/N),Response
Lang 2004,12/40,8/39,50% responders
Mohr 2010,0/25,3/24,50% responders
Nagel 2015,21/50,11/52,50% responders
""",
    "standardised": """\
Study,Hedges g,SE,Intervention,Comparison
Otto 2001,-0.42,0.21,massage,usual care
Pohl 2008,-0.10,0.18,massage,usual care
Ried 2013,-0.77,0.25,manual therapy,no treatment
""",
    "medians": """\
Study,Group,n,Headache days median (IQR),P
Sauer 2002,acupuncture,24,8 (5-12),0.04
Sauer 2002,control,23,11 (7-15),
Thoma 2011,acupuncture,40,6 (4\u20139),<0.001
Thoma 2011,control,41,9 (6\u201313),
""",
    "changes": """\
Study,Arm,n,Baseline mean,Baseline SD,Change mean,Change SD,Outcome
Ulm 2003,trigger point therapy,18,14.2,5.1,-4.2,4.4,migraine days per 4 weeks
Ulm 2003,sham,17,13.9,4.8,-1.9,4.0,migraine days per 4 weeks
Vogt 2016,trigger point therapy,30,12.0,4.4,-3.0,3.9,migraine days per 4 weeks
Vogt 2016,sham,29,12.4,4.9,-1.1,4.1,migraine days per 4 weeks
""",
}


def read_export(files: Changed, folder: Path, ask: Any) -> Texts:
    paths = [folder / name for name in files]
    for path in paths:
        path.write_bytes(files[path.name])
    return take_exports(paths, folder, ask)


def read_book(files: Changed, folder: Path, ask: Any) -> Texts:
    """Read exports as sheets of one workbook, whose numbers and dates are some."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.worksheets[0])
    for name, data in files.items():
        text, draw = decode(data), random.Random(len(data))
        mark = max(",;\t|", key=text.count)
        sheet = book.create_sheet(Path(name).stem[:20])
        title = draw.random() < 0.5
        if title:
            sheet.append(["Clinic", "", "14 May"])
            sheet.merge_cells("A1:B1")
        for row in csv.reader(io.StringIO(text), delimiter=mark):
            sheet.append([type_cell(cell) for cell in row] or [None])
        dress = draw.randrange(8)
        if dress == 0:
            sheet.merge_cells(f"A{2 + title}:A{4 + title}")
        elif dress == 1:
            sheet.row_dimensions[5].hidden = True
        elif dress == 2:
            sheet.column_dimensions["C"].hidden = True
        elif dress == 3:
            sheet["B6"] = "=1+1"
        elif dress == 4:
            sheet.merge_cells(f"B{1 + title}:C{1 + title}")
        elif dress == 5:
            sheet["B5"] = "#REF!"
    book.save(folder / "book.xlsx")
    return take_exports([folder / "book.xlsx"], folder, ask)


def type_cell(cell: str) -> Any:
    """Store a cell as a workbook does."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", cell) and not cell.startswith("0"):
        return datetime.fromisoformat(cell)
    if cell in ("TRUE", "FALSE"):
        return cell == "TRUE"
    try:
        return int(cell) if cell.isdigit() else float(cell)
    except ValueError:
        return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", cell)


def read_clinic(files: Changed, folder: Path, ask: Any) -> Texts:
    own = folder / "made_up"
    own.mkdir()
    settings = (RAW / "clinics" / "demo" / "clinic.yaml").read_text("utf-8")
    settings = re.sub(r"^id: .*$", "id: made_up", settings, flags=re.MULTILINE)
    (own / "clinic.yaml").write_text(settings, "utf-8")
    for name, data in files.items():
        (own / name).write_bytes(data)
    account = clinics.ingest_clinic(own, config.load_clinic(own), folder / "read")
    told = {"account": "\n".join(map(str, account.as_flow()))}
    return told | {f"read/{k}": v for k, v in list_texts(folder / "read").items()}


def read_trials(review: str, files: Changed, folder: Path, ask: Any) -> Texts:
    own = folder / review
    shutil.copytree(RAW / "trials" / review, own)
    for name, data in files.items():
        (own / name).write_bytes(data)
    return tell_trials(own)


def read_one(take: Callable[[bytes, Path, Any], Texts], files: Changed, *rest: Any) -> Texts:
    (data,) = files.values()
    return take(data if take is take_rm5 else decode(data).encode(), *rest)


def read_rows(files: Changed, folder: Path, ask: Any) -> Texts:
    (data,) = files.values()
    return take_rows(decode(data), folder, ask)


Change = Callable[[str, random.Random, int], bytes]
Read = Callable[[Changed, Path, Any], Texts]


def list_cases() -> dict[str, tuple[Files, Change, Read]]:
    cases: dict[str, tuple[Files, Change, Read]] = {}
    for name, files in list_exports().items():
        cases[name] = (files, change_table, read_export)
        if name.startswith(("sessions", "columns")):
            cases[f"book of {name}"] = (files, change_table, read_book)
    cases["log"] = (write_log(), change_table, read_export)
    cases["book of log"] = (write_log(), change_table, read_book)
    cases["demo"] = (cut_demo(), change_table, read_clinic)
    for review in ("acupuncture_headache", "manual_therapy_headache", "lee_done_2004_acupoint"):
        files = as_files(sorted((RAW / "trials" / review).glob("*.csv")))
        cases[review] = (files, change_table, partial(read_trials, review))
    for name, text in (("old", OLD), ("web", WEB), ("own", OWN)):
        cases[f"rows {name}"] = ({"rows.csv": text}, change_table, read_rows)
    for kind, take in (("table", take_table), ("rm5", take_rm5)):
        change = change_table if kind == "table" else change_values
        for path in list_corpus(kind):
            text = path.read_text("utf-8", "replace")
            if text.count("\n") > 2:
                cases[f"{kind} {path.name}"] = ({path.name: text}, change, partial(read_one, take))
    for name, text in PUBLISHED.items():
        cases[f"paper {name}"] = (
            {f"{name}.csv": text},
            change_table,
            partial(read_one, take_table),
        )
    for path in list_corpus("fhir"):
        text = path.read_text("utf-8", "replace")
        cases[f"fhir {path.name}"] = ({"export.ndjson": text}, change_values, read_export)
    return cases


# ---- sheets for two readers ----------------------------------------------------------------------


FIGURE = {
    **ASKED,
    "figures": [{"place": "Figure 2", "trials": ["Low 2001", "Ahn 2002", "Kim 2003"]}],
}
TYPED = (
    "20",
    "8.20",
    "8,2",
    "4",
    "21",
    "10.5",
    "0",
    "-3",
    "",
    "",
    "n/a",
    "7.50",
    "7.5",
    "x",
    " 30 ",
)


def read_transcription(number: int) -> Texts:
    """Fill the sheet of a figure as two readers do who mostly agree, and enter what they typed."""
    draw = random.Random(number)
    mapped = {"arms": {"path": "arms.csv", "may_be_empty": True}}
    with TemporaryDirectory() as place:
        own = write_review(Path(place) / "r", {"arms.csv": ARMS_HEADER}, mapped, transcribe=FIGURE)
        review = config.load_review(own)
        transcription.write_sheet(review, own / transcription.NAME, ("en", "de", "es")[number % 3])
        cells = [
            f"1.{row}.{arm}.{column}"
            for row in (1, 2, 3)
            for arm in ("treatment", "control")
            for column in ("n", "mean", "sd")
        ]
        good = {cell: str(draw.randrange(2, 40)) for cell in cells}
        one = {c: draw.choice(TYPED) if draw.random() < 0.04 * number else good[c] for c in cells}
        two = {c: draw.choice(TYPED) if draw.random() < 0.04 * number else good[c] for c in cells}
        names = [("AB", "CD"), (" A B", "C"), (None, "CD"), ("AB", "ab ")][max(number - 8, 0)]
        fill(own, one, two, names)
        try:
            reading = entries.read_entries(own / transcription.NAME, review)
            entered = transcription.enter(own, review, reading)
        except UserError as error:
            return {"refused": str(error)}
        told = f"{reading.counts()} {entered.rows} of {entered.of}"
        problems = "\n".join(map(str, entered.problems))
        return {"told": told, "problems": problems, "arms": (own / "arms.csv").read_text("utf-8")}


def read_sheet(review: str, language: str) -> Texts:
    """Write the sheet of a review, and list its parts."""
    with TemporaryDirectory() as place:
        path = Path(place) / "sheet.xlsx"
        transcription.write_sheet(config.load_review(RAW / "trials" / review), path, language)
        with zipfile.ZipFile(path) as parts:
            return {
                name: parts.read(name).decode().replace("><", ">\n<")
                for name in parts.namelist()
                if "theme" not in name and name.endswith(".xml")
            }


# ---- columns of words at the gate ----------------------------------------------------------------


WORDS = {
    "people": (
        "Anna",
        "Meier",
        "Frau Meier",
        "Dr. med. Otto Huber",
        "García López",
        "O'Brien, Pat",
    ),
    "kin": (
        "mother Anna",
        "his wife Maria",
        "Tochter Lena",
        "hermano Luis",
        "moeder van Jan",
        "son",
    ),
    "towns": (
        "Berlin",
        "10115 Berlin",
        "Wien",
        "London SW1A 1AA",
        "28013 Madrid",
        "Lyon",
        "Zürich",
    ),
    "streets": (
        "Hauptstraße 5",
        "12 High Street",
        "Calle Mayor 7",
        "rue de la Paix 3",
        "Ringweg 9",
    ),
    "places": ("48.1374, 11.5755", "52.5200", "-0.1278", "40.4168", "13.4050", "51.5074", "2.3522"),
    "days": ("14.05.2023", "May 14", "14 de mayo", "2023-05", "Mon 8 May", "week 20", "Q2 2023"),
    "codes": ("P001", "A-12", "x9", "00017", "K-204", "S.01", "2023/17", "AB12", "7", "G43.0"),
    "care": ("dry needling", "manual", "none", "home", "office", "acupuncture", "wet needling"),
    "jobs": ("teacher", "nurse", "Lehrerin", "student", "retired", "chef", "Bäcker", "pilot"),
    "ages": ("34", "91", "90+", "89", "102", "7", "45 years", "aged 93", "1931", "2001", "85-89"),
    "remarks": ("better since May", "saw Dr. Huber", "calls 0171 2345678", "no pain", "x@y.org"),
}
CALLED = ("code", "notes", "name", "ort", "latitude", "postcode", "age", "technique", "birth", "q1")


def read_columns(words: str) -> Texts:
    """Ask the gate about columns of words, by their name, how many there are and how often."""
    draw = random.Random(words)
    told = []
    for name in CALLED:
        for size, most in ((1, 1), (3, 4), (len(WORDS[words]), 9)):
            filled = {w: draw.randrange(1, most + 1) for w in draw.sample(WORDS[words], size)}
            broken = sorted(content.judge(make_column(filled), content.Kind(name)).items())
            told.append(f"{name}, {filled}: {broken}")
    others = [f"{w}: {gate_texts.find_in_text(w)}" for w in WORDS[words]]
    return {"columns": "\n".join(told), "texts": "\n".join(others)}


OTHERS: dict[str, Callable[[], Texts]] = {
    **{f"typed {i}": partial(read_transcription, i) for i in range(12)},
    **{f"sheet {n}": partial(read_sheet, "falsiroli_maistrello_2018", n) for n in ("en", "de")},
    **{f"words {name}": partial(read_columns, name) for name in WORDS},
}
CASES = list_cases()
NAMES = [f"{name}, {i}" for name in CASES for i in range(4 * EACH if name in MANY else EACH)]


def read(name: str) -> Texts:
    """Read one variant."""
    kind, _, number = name.rpartition(", ")
    files, change, take = CASES[kind]
    draw = random.Random(f"20261201 {name}")
    chosen = draw.sample(list(files), len(files) if int(number) % 5 == 4 else 1)
    changed = {
        file: change(text, draw, int(number)) if file in chosen else text.encode()
        for file, text in files.items()
    }
    return answer(partial(take, changed))


def stored() -> dict[str, Texts]:
    """Return the stored answers."""
    document: dict[str, Texts] = json.loads(
        lzma.decompress((STORED / "variants.json.xz").read_bytes())
    )
    return document


def read_all() -> dict[str, Texts]:
    return {name: read(name) for name in NAMES} | {name: take() for name, take in OTHERS.items()}


@pytest.mark.parametrize("name", [*NAMES, *OTHERS])
def test_a_variant_is_read_as_it_was(name: str) -> None:
    found, kept = OTHERS[name]() if name in OTHERS else read(name), stored()[name]
    assert set(found) == set(kept), REMEDY
    for part, text in kept.items():
        assert_close_texts(found[part].splitlines(), text.splitlines(), f"{name}, {part}")
