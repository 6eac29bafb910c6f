"""Small files that provoke a message each: by name, what writes and reads them."""

# ruff: noqa: E501  (rows of tables)
from __future__ import annotations

import csv
import gzip
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import openpyxl
import pandas as pd
import yaml

from headway import config
from headway.cli import main, places, workflow
from headway.config import find_sources
from headway.config.sources import select_sources
from headway.config.upgrade import Changed, upgrade
from headway.disclosure import releases
from headway.federation.hashes import hash_content
from headway.federation.summary import write_summary
from headway.ingest import trials
from headway.ingest.adapters import folder as folders
from headway.ingest.adapters.forms import read_file
from headway.ingest.adapters.revman_export import write_revman
from headway.ingest.open import staging
from headway.ingest.proposals import make_clinic
from headway.ingest.proposals.published import make_review
from headway.ingest.quarantine import RowAccount
from headway.messages import Message
from headway.outcomes.change import instruments
from headway.outcomes.claims import file as claims
from headway.report.clinic import release
from headway.report.clinic import summary as summaries
from headway.reviews import kept
from headway.tables import empty, write_text
from tests.unit import registry_builder
from tests.unit.clinic_builder import DIARY, ingest, write_clinic
from tests.unit.exports_builder import write_parquet
from tests.unit.review_builder import ARMS, CONTRASTS, write_review

Case = Callable[[Path], object]
CASES: dict[str, Case] = {}


def silent(question: str, answers: Sequence[str]) -> None:
    return None


# ---- reviews --------------------------------------------------------------------------------------


def edit(text: str, row: int = 0, **cells: object) -> str:
    """Change cells of a row of a table, or give it columns."""
    rows = list(csv.DictReader(io.StringIO(text)))
    rows[row] |= {k: str(v) for k, v in cells.items()}
    names = list(dict.fromkeys(name for one in rows for name in one))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def review(
    files: dict[str, str | bytes], mapped: dict[str, Any] | None = None, **changes: Any
) -> Case:
    def read(place: Path) -> object:
        folder = write_review(place / "r", files, mapped, **changes)
        return trials.read_review(folder, config.load_review(folder))

    return read


def arms(row: int = 0, **cells: object) -> Case:
    return review({"arms.csv": edit(ARMS, row, **cells)})


def contrasts(**cells: object) -> Case:
    text = edit(CONTRASTS, **cells)
    return review({"contrasts.csv": text}, {"contrasts": {"path": "contrasts.csv"}})


COMPARISON = {"id": "main", "label": "x", "outcome": "frequency", "estimand": "between_arm",
              "measure": "MD"}  # fmt: skip


def compare(**changes: Any) -> Case:
    return review({"arms.csv": ARMS}, comparisons=[COMPARISON | changes])


POOLED = "outcome,unit,subgroup,timepoint,k,effect,ci_low,ci_high,positive_means,status,source\n"
POOLED += (
    "frequency,days_per_28,overall,3 months,{k},-1,-2,0,treatment_minus_control,retrieved,F2\n"
)
NETWORK = {"id": "a", "label": "x", "outcome": "frequency", "measure": "MD"}
PUBLISHED = {"id": "a", "label": "a", "estimate": "1", "source": "F"}
IPD = {
    "path": "i.csv", "trial": "T 2001", "source": "s", "arm": "g", "disclosure": "public",
    "arms": {"t": {"code": 1, "is": {"role": "treatment"}},
             "c": {"code": 0, "is": {"role": "control", "comparator": "sham"}}},
    "outcomes": [{"outcome": "frequency", "unit": "days_per_28", "baseline": "b", "value": "v",
                  "timepoint": "3 months"}],
}  # fmt: skip
IPD_ROWS = "g,b,v\n" + "".join(f"{i % 2},{i},{i + 1}\n" for i in range(20))


def ipd(text: str, **changes: Any) -> Case:
    return review({"i.csv": text}, {"ipd": {**IPD, **changes}})


CASES |= {
    "two years of one trial": arms(year=2009),
    "a unit nobody knows": arms(unit="sausages"),
    "an outcome not declared": arms(outcome="sleep"),
    "an empty cell": arms(source=""),
    "reversed limits": arms(ci_low=9, ci_high=3),
    "a row twice": review({"arms.csv": ARMS + ARMS.splitlines()[1] + "\n"}),
    "a decimal comma": arms(mean="8,25"),
    "a decimal point below a comma": review(
        {"arms.csv": edit(ARMS, mean="8.25")}, {"arms": {"path": "arms.csv", "decimal": ","}}
    ),
    "thousands": arms(n="1,204.5"),
    "a number too large": arms(mean="1e400"),
    "part of a year": arms(year="2001.5"),
    "a date of a spreadsheet": arms(mean="8-Apr"),
    "words for a number": arms(mean="many"),
    "a negative SD": arms(sd=-4),
    "one person": arms(n=1),
    "a change without its sign": arms(2, positive_means=""),
    "a sign that is none": arms(2, positive_means="up"),
    "events above n": arms(kind="events", events=40, unit="participants"),
    "events not given": arms(kind="events", mean="", unit="participants"),
    "quantiles that fall": arms(q1=9, median=3, q3=12),
    "a control without its kind": arms(1, comparator=""),
    "no time at risk": arms(person_years=0),
    "a correlation above 1": arms(r=1.5),
    "an alpha above 1": arms(alpha=1.5),
    "a scale of one item": arms(items=1),
    "a negative baseline": arms(baseline_n=-1),
    "more than a hundred": review(
        {"arms.csv": ARMS + "".join(
            f"T{i},2001,m,treatment,manual,,frequency,days_per_28,3 months,84,final,20,x,4,,retrieved,T\n"
            for i in range(120))}
    ),
    "no numbers of spread": contrasts(ci_low="", ci_high=""),
    "a sign not said": contrasts(positive_means=""),
    "a ratio below 0": contrasts(unit="ratio", effect=-1),
    "a negative standard error": contrasts(se=-1),
    "a negative F": contrasts(f=-1),
    "one person in all": contrasts(n_total=1),
    "a p that is none": contrasts(p="low"),
    "no trial pooled": review(
        {"pooled.csv": POOLED.format(k=0)}, {"pooled": {"path": "pooled.csv"}}
    ),
    "a measure of changes": compare(measure="SMCC"),
    "a method of counts": compare(method="MH"),
    "kinds of counts": compare(kinds=["events"]),
    "kinds of scores": compare(measure="RR", kinds=["final"]),
    "an outcome of nothing": compare(outcome="sleep"),
    "a comparison twice": review({"arms.csv": ARMS}, comparisons=[
        {"id": "a", "label": "x", "outcome": "frequency", "estimand": "between_arm", "measure": "MD"}] * 2),
    "a network twice": review({"arms.csv": ARMS}, networks=[NETWORK] * 2),
    "no such column for a network": review(
        {"arms.csv": ARMS}, networks=[{**NETWORK, "modifiers": ["doze"]}]
    ),
    "half a pair of a network": review(
        {"arms.csv": ARMS}, networks=[NETWORK],
        published=[{**PUBLISHED, "recompute": {"network": "a", "treatment": "manual"}}],
    ),
    "a threshold that is no ratio": compare(
        measure="ROM", bayes={"tau": {"half_normal": 1}, "threshold": 0}
    ),
    "a ratio by differences": review(
        {"arms.csv": ARMS}, outcomes={"frequency": {"unit": "ratio"}}
    ),
    "a printed number of nothing": review(
        {"arms.csv": ARMS}, published=[{**PUBLISHED, "recompute": {"trial": "A 2001"}}]
    ),
    "a printed result without its number": review(
        {"arms.csv": ARMS},
        published=[{"id": "a", "label": "a", "source": "F", "recompute": {"comparison": "main"}}],
    ),
    "no such row of pooled results": review(
        {"arms.csv": ARMS},
        published=[{"id": "a", "label": "a", "source": "F", "recompute": {"comparison": "main"},
                    "from_pooled": {"outcome": "frequency", "subgroup": "x"}}],
    ),
    "a printed unit of another kind": review(
        {"arms.csv": ARMS},
        published=[{**PUBLISHED, "unit": "hours", "recompute": {"comparison": "main"}}],
    ),
    "no column of that name": review({"arms.csv": ARMS.replace("status", "state")}),
    "no such column for forest plots": review({"arms.csv": ARMS}, forest={"columns": ["doze"]}),
    "no such moderator": compare(moderators=[{"column": "doze", "reason": "x"}]),
    "a moderator twice": compare(moderators=[{"column": "year", "reason": "x"}] * 2),
    "a moderator of text": compare(moderators=[{"column": "technique", "reason": "x"}]),
    "a moderator that is no number": review(
        {"arms.csv": edit(ARMS, dose="ten")},
        comparisons=[{**COMPARISON, "moderators": [{"column": "dose", "reason": "x"}]}],
    ),
    "a column that is none": review(
        {"arms.csv": ARMS}, {"arms": {"path": "arms.csv", "columns": {"dose": "n"}}}
    ),
    "no row": review({"arms.csv": ARMS.splitlines()[0] + "\n"}),
    "a code not mapped": review(
        {"arms.csv": ARMS},
        {"arms": {"path": "arms.csv", "columns": {"kind": {"column": "kind", "codes": {"x": "final"}}}}},
    ),
    "a number beyond its column": arms(n=20, mean=8, sd=1e300, shown_level=200),
    "a column without a name": review({"arms.csv": ARMS.replace("source", "", 1)}),
    "a name twice in a header": review({"arms.csv": ARMS.replace("year", "trial", 1)}),
    "a line too long": review({"arms.csv": ARMS.replace(",T1", ",T1,x,y", 1)}),
    "no header": review({"arms.csv": ""}),
    "UTF-16": review({"arms.csv": ARMS.encode("utf-16")}),
    "another encoding": review({"arms.csv": ARMS.replace("massage", "Müll").encode("latin-1")}),
    "individual data": ipd(IPD_ROWS.replace("g,b,v", "g,b,w")),
    "an arm not declared": ipd(IPD_ROWS + "3,1,2\n"),
    "a unit of another kind": ipd(IPD_ROWS, outcomes=[{**IPD["outcomes"][0], "unit": "hours"}]),
    "a word in individual data": ipd(IPD_ROWS + "1,x,2\n"),
    "a covariate of nothing": ipd(IPD_ROWS, adjust=["age"]),
}  # fmt: skip


# ---- figures that two people read ----------------------------------------------------------------

ASKED: dict[str, Any] = {
    "columns": {"outcome": "frequency", "timepoint": "3 months", "kind": "final"},
    "treatment": {"arm": "massage"},
    "control": {"arm": "care", "comparator": "sham"},
    "figures": [{"place": "Figure 2", "trials": ["Z 1999"]}],
}


def figures(names: tuple[str, str] = ("AB", "CD"), **changes: Any) -> Case:
    """Make a review's sheet, and read it with entries of both in its third line."""

    def read(place: Path) -> object:
        folder = write_review(place / "r", {"arms.csv": ARMS}, transcribe=ASKED | changes)
        words = ["transcribe", str(folder)]
        if main(words):
            return None
        path = folder / "transcription.xlsx"
        book = openpyxl.load_workbook(path)
        sheet = book.worksheets[1]
        sheet["H1"], sheet["I1"] = names
        sheet["H3"], sheet["I3"] = "20", "21"
        sheet["A4"] = "another"
        book.save(path)
        return main(words)

    return read


def another_workbook(place: Path) -> object:
    folder = write_review(place / "r", {"arms.csv": ARMS}, transcribe=ASKED)
    openpyxl.Workbook().save(folder / "transcription.xlsx")
    return main(["transcribe", str(folder)])


CASES |= {
    "two readings of one cell": figures(),
    "a reader without a name": figures(("AB", "")),
    "one reader twice": figures(("AB", "a.b.")),
    "no figure to read": figures(figures=[]),
    "one figure twice": figures(figures=[{"place": "F", "trials": ["A"]}] * 2),
    "a figure without its timepoint": figures(columns={"outcome": "frequency", "kind": "final"}),
    "a figure without its file": figures(
        figures=[{"place": "F", "unnamed": 1, "into": "contrasts"}]
    ),
    "a workbook in the place of the sheet": another_workbook,
}


# ---- clinic.yaml and folders ----------------------------------------------------------------------

YAML = (
    "schema_version: 1\nid: c\ntitle: T\nsource: s\nlicence: l\ndisclosure: public\n"
    "files:\n  diary:\n    path: diary.csv\n"
    "    columns: {patient_id: code, day: day, headache: headache}\n"
)
ROWS = "code,day,headache\n" + "".join(f"P{i % 9},{i // 9},{i % 2}\n" for i in range(180))


def changed_settings(place: Path) -> object:
    def step(document: Any) -> Any:
        raise Changed("title", Message("remedy.version", version=1))

    return upgrade({"schema_version": 0}, "clinic", place / "c.yaml", steps={"clinic": {0: step}})


def settings(text: str | bytes) -> Case:
    def read(place: Path) -> object:
        folder = place / "c"
        folder.mkdir()
        (folder / "clinic.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        (folder / "diary.csv").write_text(ROWS)
        return config.load_clinic(folder)

    return read


def sources(name: str, files: Mapping[str, str], kind: str = "clinics") -> Case:
    def find(place: Path) -> object:
        for file, text in files.items():
            path = place / "raw" / kind / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return find_sources(place, kind)  # type: ignore[arg-type]

    return find


def loose(place: Path) -> object:
    (place / "raw" / "clinics").mkdir(parents=True)
    (place / "raw" / "clinics" / "export.csv").write_text(ROWS)
    return find_sources(place, "clinics")


def folder_for_a_file(place: Path) -> object:
    (place / "raw" / "clinics" / "c" / "diary.csv").mkdir(parents=True)
    (place / "raw" / "clinics" / "c" / "clinic.yaml").write_text(YAML)
    return find_sources(place, "clinics")


def refuse_folder(place: Path) -> object:
    folder = place / "raw" / "clinics" / "My Clinic"
    folder.mkdir(parents=True)
    return config.sources.check_folder(folder)


CASES |= {
    "no clinic.yaml": lambda place: config.load_clinic(place),
    "not UTF-8": settings(YAML.replace("T", "Ü").encode("latin-1")),
    "a list for a mapping": settings("- a\n"),
    "YAML that is none": settings(YAML + "x: [1\n"),
    "a tab": settings(YAML + "x:\n\ty: 1\n"),
    "a control character": settings(YAML.replace("T", "a\x07")),
    "two documents": settings(YAML + "---\na: 1\n"),
    "an anchor that is not there": settings(YAML + "x: *y\n"),
    "a tag": settings(YAML + "x: !!set {a}\n"),
    "a list for a key": settings(YAML + "? [a]\n: 1\n"),
    "settings of a later version": settings(YAML.replace("version: 1", "version: 2")),
    "settings of an earlier version": settings(YAML.replace("version: 1", "version: 0")),
    "settings with a key that has changed": changed_settings,
    "a deep document": settings(YAML + "x: " + "[" * 90 + "]" * 90 + "\n"),
    "too many values": settings(YAML + "x: [" + "1," * 110_000 + "]\n"),
    "a large file": settings(YAML + "#" * 3_000_000),
    "a key twice": settings(YAML + "title: U\n"),
    "a key that is none": settings(YAML + "colours: 1\n"),
    "a key like no other": settings(YAML + "xyzzy: 1\n"),
    "a key nearly right": settings(YAML + "licens: x\n"),
    "a key not given": settings(YAML.replace("title: T\n", "")),
    "a number for a text": settings(YAML.replace("title: T", "title: 3")),
    "a word of none": settings(YAML.replace("public", "secret")),
    "a number too low": settings(YAML + "bootstrap: {replicates: 0}\n"),
    "a number too high": settings(YAML + "course: {start: 1}\ndisclosure: cms\n"),
    "a level of 1": review({"arms.csv": ARMS}, level=1),
    "a level of 0": review({"arms.csv": ARMS}, level=0),
    "a correlation of 1": review({"arms.csv": ARMS}, assumed_r={"value": 1}),
    "a correlation below -1": review({"arms.csv": ARMS}, assumed_r={"value": -2}),
    "a document of nothing": settings("{}\n"),
    "an empty text": settings(YAML.replace("title: T", 'title: ""')),
    "a name with a sign": settings(YAML.replace("id: c", "id: C-1")),
    "a path for a file": settings(YAML.replace("path: diary.csv", "path: ../d.csv")),
    "an empty list": settings(YAML.replace("path: diary.csv", "path: []")),
    "a folder's name": refuse_folder,
    "a folder with a blank": sources("My Clinic", {"clinic.yaml": YAML}),
    "another id": sources("d", {"clinic.yaml": YAML, "diary.csv": ROWS}),
    "settings under another name": sources("c", {"clinic.yml": YAML}),
    "settings of a review": sources("c", {"review.yaml": "id: c\n"}),
    "no settings": sources("c", {"diary.csv": ROWS}),
    "a file by itself": loose,
    "a folder for a file": folder_for_a_file,
}


# ---- a clinic's files -----------------------------------------------------------------------------


def clinic(
    content: str | bytes = ROWS, kind: str = "diary", extra: Mapping[str, Any] | None = None,
    more: Mapping[str, str | bytes] | None = None, name: str = "diary.csv", **spec: Any,
) -> Case:  # fmt: skip
    def read(place: Path) -> object:
        files = {name: content, **(more or {})}
        entries = {kind: {**DIARY, "path": name, **spec}}
        return ingest(write_clinic(place / "c", files, entries, **(extra or {})))

    return read


def zipped(*names: str, text: str = ROWS) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, text)
    return stream.getvalue()


def workbook(*sheets: Sequence[Sequence[object]], merged: str = "") -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for i, rows in enumerate(sheets):
        sheet = book.create_sheet(f"S{i}")
        for row in rows:
            sheet.append(list(row))
        if merged:
            sheet.merge_cells(merged)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def parquet(frame: pd.DataFrame) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        return write_parquet(Path(scratch) / "d.parquet", frame).read_bytes()


def locked_zip() -> bytes:
    """Set the flag of a locked entry in both of its headers."""
    data = bytearray(zipped("diary.csv"))
    data[6] |= 1
    at = data.find(b"PK\x01\x02")
    data[at + 8] |= 1
    return bytes(data)


TABLE = [line.split(",") for line in ROWS.splitlines()]
NESTED = pd.DataFrame({"code": ["P1"] * 3, "day": [1, 2, 3], "headache": [[1], [0], [1]]})
GRID = "code," + ",".join(f"d{i}" for i in range(1, 29)) + "\n" + "".join(
    f"P{i}," + ",".join(str(k % 2) for k in range(28)) + "\n" for i in range(9)
)  # fmt: skip
WIDE = {"columns": {"patient_id": "code"}}
FHIR = {"resourceType": "Bundle", "type": "collection", "entry": []}


def _observed(i: int) -> dict[str, Any]:
    return {"resource": {"resourceType": "Observation", "id": str(i), "status": "final",
                         "subject": {"reference": "Patient/p1"}, "code": {"text": "x"},
                         "effectiveDateTime": f"2024-01-0{i + 1}", "valueInteger": 1}}  # fmt: skip


def _metafor(place: Path, text: str) -> object:
    (place / "t.csv").write_text(text)
    return read_file(place / "t.csv", {}, "metafor")


OBSERVED = {"patient_id": "patient", "day": "effective", "headache": "value"}
SESSIONS = "code,day,technique\n" + "".join(f"P{i % 9},{i // 9},manual\n" for i in range(45))

CASES |= {
    "a column nobody can read": clinic(ROWS.replace(",1\n", ",so\n").replace(",0\n", ",la\n")),
    "a decimal comma in a clinic": clinic(
        "code;day;headache;pain\n" + "".join(f"P{i % 9};{i};1;2,5\n" for i in range(90)),
        delimiter=";", columns={**DIARY["columns"], "intensity": "pain"}),
    "a scale to 100": clinic(
        "code,day,headache,pain\n" + "".join(f"P{i % 9},{i},1,{40 + i % 50}\n" for i in range(90)),
        columns={**DIARY["columns"], "intensity": "pain"}),
    "minutes for hours": clinic(
        "code,day,headache,long\n" + "".join(f"P{i % 9},{i},1,{100 + i}\n" for i in range(90)),
        columns={**DIARY["columns"], "duration_hours": "long"}),
    "clock times": clinic(
        "code,day,headache,long\n" + "".join(f"P{i % 9},{i},1,0{i % 9}:30\n" for i in range(90)),
        columns={**DIARY["columns"], "intensity": "long"}),
    "real dates": clinic(
        "code,day,headache\n" + "".join(f"P{i % 9},2024-01-{10 + i % 15},1\n" for i in range(90))),
    "errors of a spreadsheet": clinic(ROWS.replace(",1\n", ",#REF!\n").replace(",0\n", ",#REF!\n")),
    "rows without a code": clinic("code,day,headache\n" + "".join(f",{i},1\n" for i in range(20))),
    "rows cut in two": clinic("code,day,headache\n" + "".join(f"P1,{i},1,5,6\n" for i in range(20))),
    "rows that contradict": clinic(
        "code,day,headache\n" + "".join(f"P{i % 9},{i // 18},{i % 2}\n" for i in range(180))),
    "codes spelt in two ways": clinic(
        ROWS + "".join(f"{'0' * (i % 2)}{i % 9}.0,{50 + i // 9},1\n{i % 9},{90 + i},1\n" for i in range(180))),
    "an address": clinic(ROWS.replace("headache\n", "headache,m\n").replace(",1\n", ",1,a@example.org\n").replace(",0\n", ",0,b@example.org\n")),
    "a name in a header": clinic(ROWS.replace("headache\n", "headache,patient name\n").replace(",1\n", ",1,x\n").replace(",0\n", ",0,y\n")),
    "a header that is a person's": clinic(ROWS.replace("headache\n", "headache,anna.x@example.org\n").replace(",1\n", ",1,1\n").replace(",0\n", ",0,0\n")),
    "a text that names somebody": clinic(extra={"description": "write to anna.x@example.org"}),
    "a postcode": clinic(ROWS.replace("headache\n", "headache,zip\n").replace(",1\n", ",1,90210\n").replace(",0\n", ",0,10001\n")),
    "a file with a person's name": clinic(workbook(TABLE), name="anna.x@example.org.xlsx"),
    "columns without names": clinic("code,day,headache,,\n" + "".join(f"P1,{i},1,2,3\n" for i in range(9))),
    "a column twice": clinic(ROWS.replace("headache", "day", 1), columns={"patient_id": "code", "day": "day", "headache": "day"}),
    "another column twice": clinic(ROWS.replace("headache\n", "headache,x,x\n").replace(",1\n", ",1,2,3\n").replace(",0\n", ",0,2,3\n")),
    "a column not there": clinic(columns={**DIARY["columns"], "intensity": "pane"}),
    "a column nearly there": clinic(columns={**DIARY["columns"], "headache": "headaches"}),
    "one column": clinic("code\n" + "1\n" * 9),
    "a column of no diary": clinic(columns={**DIARY["columns"], "technique": "headache"}),
    "no day": clinic(columns={"patient_id": "code", "headache": "headache"}),
    "a currency that is none": clinic(SESSIONS.replace("technique", "fee").replace("manual", "50"), kind="sessions",
                                      columns={"patient_id": "code", "day": "day", "fee": "fee"}, constants={"currency": "coins"}),
    "windows without a column": clinic(kind="windows", **WIDE),
    "two columns for a window": clinic("code,a,b\n" + "".join(f"P{i},1,2\n" for i in range(9)), kind="windows", **WIDE,
        wide=[{"column": c, "window": "post", "outcome": "frequency", "unit": "days_per_28"} for c in "ab"]),
    "a column without a window": clinic("code,a\n" + "".join(f"P{i},1\n" for i in range(9)), kind="windows", **WIDE,
        wide=[{"column": "a", "outcome": "frequency", "unit": "days_per_28"}]),
    "a grid that is no diary": clinic(GRID, kind="sessions", columns={"patient_id": "code", "technique": "d{n}"}),
    "a grid with a day twice": clinic(GRID.replace("d28", "d01"), columns={"patient_id": "code", "headache": "d{n}"}),
    "a grid of a decade": clinic("code," + ",".join(f"d{i}" for i in range(1, 5000)) + "\nP1" + ",1" * 4999 + "\n", columns={"patient_id": "code", "headache": "d{n}"}),
    "too many columns": clinic(",".join(f"c{i}" for i in range(10_001)) + "\n" + "1," * 10_000 + "1\n"),
    "a long name": clinic("x" * 2_001 + ",day,headache\n1,1,1\n"),
    "no checkboxes": clinic(columns={**DIARY["columns"], "headache": {"checkboxes": "what"}}),
    "checkboxes of other codes": clinic(ROWS.replace("headache", "what___1"), columns={"patient_id": "code", "day": "day", "headache": {"checkboxes": "what", "codes": {"9": 1}}}),
    "no event": clinic(redcap={"events": ["x"]}),
    "forms mixed": clinic(ROWS.replace("headache\n", "headache,redcap_repeat_instrument\n").replace(",1\n", ",1,a\n").replace(",0\n", ",0,b\n")),
    "a selector of nothing": clinic(keep_where={"code": ["Z"]}),
    "selectors of nothing together": clinic(keep_where={"headache": ["1"], "day": ["99"]}),
    "selectors that exclude each other": clinic("code,day,headache,a,b\n" + "".join(f"P{i % 9},{i},1,{i % 2},{i % 2}\n" for i in range(90)), keep_where={"a": ["1"], "b": ["0"]}),
    "codes of nothing": clinic(columns={**DIARY["columns"], "headache": {"column": "headache", "codes": {"ja": 1, "nein": 0}}}),
    "a damaged gzip": clinic(gzip.compress(ROWS.encode())[:60], name="diary.csv.gz"),
    "a damaged archive": clinic(zipped("diary.csv")[:90], name="diary.zip"),
    "a locked archive": clinic(locked_zip(), name="diary.zip"),
    "an archive of several": clinic(zipped("a.csv", "b.csv"), name="diary.zip"),
    "a web page": clinic("<!DOCTYPE html><html><table><tr><td>1</td></tr></table></html>"),
    "bytes for text": clinic(ROWS.encode() + b"\0\0\0"),
    "mixed encodings": clinic((ROWS + "Pü,1,1\n").encode() + "Pü,2,1\n".encode("latin-1")),
    "not of its encoding": clinic((ROWS + "Pü,1,1\n").encode("latin-1"), encoding="utf-8"),
    "an empty file": clinic(""),
    "an open quote": clinic(ROWS + '"P1,1,1\n'),
    "a damaged parquet": clinic(b"PAR1" + b"x" * 40 + b"PAR1", name="d.parquet"),
    "a nested column": clinic(parquet(NESTED), name="d.parquet"),
    "a damaged workbook": clinic(zipped("xl/workbook.xml", text="<workbook"), name="d.xlsx"),
    "a locked workbook": clinic(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le") + b"\0" * 900, name="d.xlsx"),
    "a sheet not there": clinic(workbook(TABLE), name="d.xlsx", sheet="Diary"),
    "one of several sheets not there": clinic(workbook(TABLE), name="d.xlsx", sheet=["S0", "S7"]),
    "an empty sheet": clinic(workbook([]), name="d.xlsx"),
    "a header of merged cells": clinic(workbook([["code", None, "headache"], ["P1", 1, 1]], merged="A1:B1"), name="d.xlsx"),
    "rows wider than their header": clinic(workbook([["code", "day", "headache"], *[["P1", i, 1, 5, 6] for i in range(9)]]), name="d.xlsx"),
    "FHIR not declared": clinic(json.dumps(FHIR), name="d.json"),
    "no resource": clinic(json.dumps(FHIR), name="d.json", fhir={"resource": "Observation"}, columns=OBSERVED),
    "damaged JSON": clinic('{"resourceType": "Bundle", ', name="d.json", fhir={"resource": "Observation"}),
    "nested JSON": clinic('{"resourceType": "Bundle", "x": ' + "[" * 100_000 + "]" * 100_000 + "}", name="d.json", fhir={"resource": "Observation"}),
    "JSON that is no FHIR": clinic('{"a": 1}', name="d.json", fhir={"resource": "Observation"}),
    "no dictionary": clinic(redcap={"dictionary": "dict.csv"}),
    "a dictionary that is none": clinic(redcap={"dictionary": "dict.csv"}, more={"dict.csv": "a,b\n1,2\n"}),
    "a field marked as an identifier": clinic(
        redcap={"dictionary": "dict.csv"},
        more={"dict.csv": "Variable / Field Name,Form Name,Field Type,Field Label,Identifier?,Text Validation Type OR Show Slider Number\ncode,f,text,Code,,\nday,f,text,Day,,\nheadache,f,text,Headache,y,\n"}),
    "a field of dates": clinic(
        redcap={"dictionary": "dict.csv"},
        more={"dict.csv": "Variable / Field Name,Form Name,Field Type,Field Label,Identifier?,Text Validation Type OR Show Slider Number\ncode,f,text,Code,,\nday,f,text,Day,,\nheadache,f,text,Headache,,email\n"}),
    "a label that says who": clinic(
        redcap={"dictionary": "dict.csv"},
        more={"dict.csv": "Variable / Field Name,Form Name,Field Type,Field Label,Identifier?,Text Validation Type OR Show Slider Number\ncode,f,text,Code,,\nday,f,text,Day,,\nheadache,f,text,Telephone number,,\n"}),
}  # fmt: skip


# ---- new-clinic, new-review, import and the command line ------------------------------------------


def new_clinic(*texts: str, name: str = "mine", before: str = "") -> Case:
    def read(place: Path) -> object:
        paths = []
        for i, text in enumerate(texts):
            paths.append(place / f"f{i}.csv")
            paths[-1].write_text(text)
        if before:
            first = place / "before.csv"
            first.write_text(before)
            make_clinic([first], name, place / "data", None, silent)
        return make_clinic(paths, name, place / "data", None, silent)

    return read


def new_review(*lines: str, name: str = "mine") -> Case:
    def read(place: Path) -> object:
        (place / "t.csv").write_text("\n".join(lines) + "\n")
        return make_review(place / "t.csv", name, place / "data", silent)

    return read


def imported(text: str | bytes, file: str = "t.csv", **given: str) -> Case:
    def read(place: Path) -> object:
        (place / file).write_bytes(text if isinstance(text, bytes) else text.encode())
        rows = read_file(place / file, given)
        folders.write_folder(rows, place / "out" / "mine", source=file)
        return rows

    return read


def damaged_secret(place: Path) -> object:
    (place / "data" / ".headway").mkdir(parents=True)
    (place / "data" / ".headway" / "secret").write_text("zz")
    return new_clinic(GOOD)(place)


def clinic_of(entries: Mapping[str, Any], files: Mapping[str, str], **extra: Any) -> Case:
    def read(place: Path) -> object:
        return ingest(write_clinic(place / "c", {"diary.csv": ROWS, **files}, entries, **extra))

    return read


PATIENTS = {"path": "p.csv", "columns": {"patient_id": "code", "age": "age"}}
BANDS = {"path": "p.csv", "columns": {"patient_id": "code", "age_band": "band"}}
PAIN = {"path": "s.csv", "columns": {"patient_id": "code", "day": "day", "intensity": "x"}}


def sessions(header: str, cell: str, how: Any, canonical: str) -> Case:
    text = f"code,day,{header}\n" + "".join(f"P{i % 9},{i // 9},{cell}\n" for i in range(90))
    columns = {"patient_id": "code", "day": "day", canonical: how}
    return clinic_of({"sessions": {"path": "s.csv", "columns": columns}}, {"s.csv": text})


def study_folder(place: Path, *words: str) -> object:
    """Run a command in a folder with a clinic and a review."""
    write_clinic(place / "data/raw/clinics/mine", {"diary.csv": ROWS}, {"diary": DIARY})
    write_review(place / "data/raw/trials/rev", {"arms.csv": ARMS})
    write_clinic(place / "away", {"diary.csv": ROWS}, {"diary": DIARY})
    before = Path.cwd()
    os.chdir(place)
    try:
        return main(list(words))
    finally:
        os.chdir(before)


def at(*words: str) -> Case:
    return lambda place: study_folder(place, *words)


WEB = "Analysis group,Analysis number,Analysis name,Study,Experimental cases\n"
OLD = "Comparison Number,Outcome Number,Subgroup Number,Data Type,Name,Study ID\n"
CASES |= {
    "ages above 89": clinic_of({"diary": DIARY, "patients": PATIENTS}, {"p.csv": "code,age\n" + "".join(f"P{i},9{i}\n" for i in range(9))}),
    "few people alike": clinic_of({"diary": DIARY, "patients": BANDS}, {"p.csv": "code,band\n" + "".join(f"P{i},{10 * i}-{10 * i + 9}\n" for i in range(9))}, disclosure="opensafely"),
    "two sources of days": clinic_of({"diary": DIARY, "attacks": {"path": "a.csv", "columns": {"patient_id": "code", "day": "day"}}}, {"a.csv": "code,day\nP1,1\n"}),
    "a file not there": clinic_of({"diary": {**DIARY, "path": "gone.csv"}}, {}),
    "minutes in words": sessions("long", "one and a half", "long", "minutes"),
    "days of a month": clinic_of({"sessions": {"path": "s.csv", "columns": {"patient_id": "code", "day": "day", "headache_days_28": "x"}}}, {"s.csv": "code,day,x\n" + "".join(f"P{i % 9},{i // 9},{29 + i % 3}\n" for i in range(90))}),
    "numbers out of all ranges": sessions("x", "5000", "x", "usual_intensity"),
    "a fee of no currency": clinic_of({"sessions": {"path": "s.csv", "columns": {"patient_id": "code", "day": "day", "fee": "fee", "currency": "money"}}}, {"s.csv": "code,day,fee,money\n" + "".join(f"P{i % 9},{i // 9},50,coins\n" for i in range(90))}),
    "two codes of one person": clinic("code,day,headache\n" + "".join(f"P{i % 9},{i // 18},{i % 2}\n" for i in range(18)) ),
    "a shifted column of no date": clinic(columns={**DIARY["columns"], "headache": {"column": "headache", "shifted": True}}),
    "a selector spelt otherwise": clinic(ROWS.replace("headache\n", "headache,arm\n").replace(",1\n", ",1,Arm A\n").replace(",0\n", ",0,Arm A\n"), keep_where={"arm": ["arm a"]}),
    "a clinic for reproduce": at("reproduce", "mine"),
    "a review for audit": at("audit", "rev"),
    "a folder elsewhere": at("audit", "away"),
    "no page yet": at("open", "mine"),
    "results among the files": at("reproduce", "data", "--out", "data"),
    "no draft to release": at("release", "mine"),
    "nothing at all": lambda place: main(["audit", "x", "--data", str(place)]),
    "a review that is there": at("new-review", "rev"),
    "a clinic that is there": at("new-clinic", "away/diary.csv", "--name", "mine"),
    "no number of an analysis": imported(OLD + ",1,1,,A,A\n"),
    "rows above their heading": imported(OLD + "1,1,0,,A,A\n"),
    "a heading twice": imported(OLD + "1,0,0,,C,\n1,1,0,DICHOTOMOUS,O,\n1,1,0,DICHOTOMOUS,O,\n"),
    "headings alone": imported(OLD + "1,0,0,,C,\n1,1,0,DICHOTOMOUS,O,\n"),
    "RevMan's columns, not all": imported("Analysis group,Analysis number\n1,1\n"),
    "not metafor's columns": lambda place: _metafor(place, "a,b\n1,2\n"),
    "metafor's columns without numbers": lambda place: _metafor(place, "study,b\n1,2\n"),
    "a cell too many in rows": imported('study,yi,vi\nA,1,1,x\n'),
    "a number that is none in rows": imported('study,yi,vi\nA,one,1\n'),
    "a column twice in rows": imported('study,yi,yi,vi\nA,1,1,1\n'),
    "no control's people": imported("study,n1i,m1i,sd1i,n2i,m2i,sd2i\nA,9,1,1,1,1,1\n"),
    "a workbook that is none": imported(b"PK\x03\x04xxxx", "t.xlsx"),
    "a page missing": clinic(json.dumps({**FHIR, "type": "searchset", "total": 9, "link": [{"relation": "next", "url": "x"}], "entry": [_observed(i) for i in range(3)]}), name="d.json", fhir={"resource": "Observation"}, columns=OBSERVED),
}  # fmt: skip


VISITS = [(i, k) for i in range(12) for k in range(3)]
NAMES = "Patient ID,Visit date,Treatment\n"
GOOD = NAMES + "".join(f"{i},{14 + k}/0{1 + k}/2021,manual\n" for i, k in VISITS)
CASES |= {
    "a clinic's name": new_clinic(GOOD, name="My Clinic"),
    "no kind of records": new_clinic("Fruit,Colour\nApple,red\nPear,green\n"),
    "dates in two orders": new_clinic(NAMES + "".join(f"{i},{'14/01/2021' if k else '01/14/2021'},manual\n" for i, k in VISITS)),
    "dates of two files in two orders": new_clinic(GOOD, "Patient ID,Date,Headache,Pain\n" + "".join(f"{i},01/{14 + k}/2021,{k % 2},{k}\n" for i, k in VISITS)),
    "dates of either order": new_clinic(NAMES + "".join(f"{i},0{1 + k}/0{2 + k}/2021,manual\n" for i, k in VISITS)),
    "two dates of a visit": new_clinic("Patient ID,Date,Day,Treatment\n" + "".join(f"{i},{14 + k}/01/2021,{15 + k}/01/2021,manual\n" for i, k in VISITS)),
    "no date": new_clinic("Patient ID,Technique,Therapist,Minutes\n" + "".join(f"{i},manual,x,{30 + k}\n" for i, k in VISITS)),
    "no day without pain": new_clinic(GOOD, "Patient ID,Date,Pain 0-10\n" + "".join(f"{i},{14 + k}/01/2021,{3 + k}\n" for i, k in VISITS)),
    "three times of one outcome": new_clinic("Patient ID,Time point,Headache days per month,Pain 0-10\n" + "".join(f"{i},{('before', 'after', 'follow-up 2')[k]},{9 - k},{k + 3}\n" for i, k in VISITS)),
    "a grid of marks alone": new_clinic(GOOD, "Patient ID,Month," + ",".join(map(str, range(1, 32))) + "\n" + "".join(f"{i},2021-0{1 + k}" + ",x" * 31 + "\n" for i, k in VISITS)),
    "a grid of strange marks": new_clinic(GOOD, "Patient ID,Month," + ",".join(map(str, range(1, 32))) + "\n" + "".join(f"{i},2021-0{1 + k}" + ",x,0,qu" * 10 + ",x\n" for i, k in VISITS)),
    "initials for people": new_clinic("Initials,Visit date,Treatment\n" + "".join(f"{'ABCDEFGHIJKL'[i]}.K.,{14 + k}/01/2021,manual\n" for i, k in VISITS)),
    "people gone": new_clinic(NAMES + "".join(f"{i},{14 + k}/0{1 + k}/2021,manual\n" for i, k in VISITS if i < 6), before=GOOD),
    "no treatment at all": new_clinic("Patient ID,Date,Headache\n" + "".join(f"{i},{14 + k}/01/2021,{'yes' if k else 'no'}\n" for i, k in VISITS)),
    "a damaged secret": damaged_secret,
    "a review's name": lambda place: main(["new-review", "My Review"]),
    "a decimal or a thousand": new_review("Study;n treatment;mean treatment;SD treatment;n control;mean control;SD control", "A 2001;9;1,204;2,000;9;1,204;2,000"),
    "a row of no trial": new_review("Study;MD;95% CI", "A 2001;1;0.5 to 1.5", ";2;1 to 3"),
    "a row of no arm": new_review("Study;Arm;n;Mean;SD", "A 2001;Massage;9;1,5;2,5", "A 2001;Sham;9;1,5;2,5", "A 2001;;9;1,5;2,5"),
    "one arm alone": new_review("Study;n;mean;SD", "A 2001;9;1;2"),
    "arms 1 and 2": new_review("Study;n1;mean1;sd1;n2;mean2;sd2", "A 2001;9;1;2;9;2;2"),
    "no control": new_review("Study;Arm;n;Mean;SD", "A 2001;Acupuncture;9;1;2", "A 2001;Massage;9;2;2"),
    "words in a table of trials": new_review("Study;MD;SE", "A 2001;about 1;2"),
    "a part of an event": new_review("Study;Events treatment;n treatment;Events control;n control", "A 2001;3.5;40;2;40"),
    "brackets": new_review("Study;n treatment;mean treatment;n control;mean control", "A 2001;9;1.5 (2.5);9;2.5 (2.5)"),
    "limits of 90 %": new_review("Study;MD;90% CI", "A 2001;1;0.5 to 1.5"),
    "no trials": new_review("Fruit;Colour", "Apple;red"),
    "metafor's columns": new_review("study,n1i,m1i,sd1i,n2i,m2i,sd2i", "A 2001,9,1,2,9,2,2"),
    "no file": lambda place: make_review(place / "gone.csv", "mine", place, silent),
    "a form unclear": imported("a,b\n1,2\n"),
    "an open quote in rows": imported('study,yi,vi\n"A,1,1\n'),
    "rows not UTF-8": imported("study,yi,vi\nÄ,1,1\n".encode("latin-1")),
    "a default of nothing": imported("study,yi,vi\nA,1,1\n", colour="red"),
    "a default that is no word": imported("study,yi,vi\nA,1,1\n", unit="sausages"),
    "a default that is no number": imported("study,yi,vi\nA,1,1\n", time_days="soon"),
    "no study": imported("study,yi,vi\n,1,1\n"),
    "no numbers": imported("study,yi,vi\nA,,\n"),
    "no people": imported("study,ai,ci,n1i,n2i\nA,1,1,,\n"),
    "no variance": imported("study,yi,vi\nA,1,0\n"),
    "counts that disagree": imported("study,ai,bi,n1i,ci,di,n2i\nA,1,2,9,1,2,3\n"),
    "a correlation of 2": imported("study,m1i,m2i,sd1i,ni,ri\nA,1,2,1,9,2\n"),
    "one person in an arm": imported("study,n1i,m1i,sd1i,n2i,m2i,sd2i\nA,1,1,1,9,1,1\n"),
    "no spread in an arm": imported("study,n1i,m1i,sd1i,n2i,m2i,sd2i\nA,9,1,0,9,1,1\n"),
    "negative spread in an arm": imported("study,n1i,m1i,sd1i,n2i,m2i,sd2i\nA,9,1,-1,9,1,1\n"),
    "events above people": imported("study,ai,n1i,ci,n2i\nA,12,9,1,9\n"),
    "negative events": imported("study,ai,n1i,ci,n2i\nA,-1,9,1,9\n"),
    "a study twice": imported("study,yi,vi\nA,1,1\nA,1,1\n"),
    "no .rm5": imported("<?xml version='1.0'?><a/>", "t.rm5"),
    "no XML": imported("<?xml version='1.0'?><a", "t.rm5"),
    "entities": imported("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "t.rm5"),
    "no archive": imported(b"PK\x03\x04xxxx", "t.zip"),
    "no rows in an archive": imported(zipped("readme.txt", text="x"), "t.zip"),
    "a name that is no clinic": lambda place: main(["audit", "nothing_of_that_name"]),
    "--set without a value": lambda place: main(["import", "x.csv", "x", "--set", "unit"]),
    "no people to simulate": lambda place: main(["simulate", str(place / "x"), "--patients", "0"]),
}  # fmt: skip


# ---- files of the program itself, and the rest ----------------------------------------------------


def changed(shipped: Path, load: Callable[[Path], object], change: Callable[[Any], object]) -> Case:
    """Change a file that is shipped with the program, and read it."""

    def read(place: Path) -> object:
        document = yaml.safe_load(shipped.read_text(encoding="utf-8"))
        change(document)
        path = place / shipped.name
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return load(path)

    return read


def scales(change: Callable[[dict[str, Any]], object]) -> Case:
    return changed(
        instruments.INSTRUMENT_FILE,
        instruments.load_instruments,
        lambda document: change(document["instruments"]),
    )


def told(change: Callable[[dict[str, Any]], object]) -> Case:
    return changed(claims.CLAIMS_FILE, claims.load_claims, change)


def signed(title: str) -> bytes:
    book = openpyxl.Workbook()
    book.properties.title = title
    for row in TABLE:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def locked_folder(place: Path) -> object:
    """Look at a folder whose rights forbid it; where rights bind nobody, at a broken disk."""
    (place / "raw" / "clinics" / "c").mkdir(parents=True)
    error = PermissionError(13, "Permission denied")
    with patch("headway.config.sources._holds_files", side_effect=error):
        return find_sources(place, "clinics")


def unfinished(place: Path) -> object:
    """Tell of a run that ended well and made no page: a file is waited for."""
    write_clinic(place / "data/raw/clinics/mine", {}, {"diary": DIARY})
    found = places.locate(Path("mine"), place / "data", place / "results")
    return workflow.tell(found, 0)


DATED_LOG = {"path": "log.csv", "offset_from": {"column": "seen", "shifted": True},
             "columns": {"patient_id": "code"}}  # fmt: skip

CASES |= {
    "an alias of another scale": scales(lambda d: d["HDI"]["aliases"].append("hit 6")),
    "a range that is reversed": scales(lambda d: d["HDI"]["range"].update(low=100)),
    "grades with a gap": scales(lambda d: d["HIT-6"]["grades"]["steps"][1].__setitem__(0, 51)),
    "a threshold twice": scales(lambda d: d["HIT-6"]["thresholds"][0].update(id="smelt_2014_mean")),
    "a threshold of a rating": scales(lambda d: d["PGIC"].update(thresholds=d["HIT-6"]["thresholds"][1:2])),
    "a rating without its source": scales(lambda d: d["PGIC"].pop("importance")),
    "answers of no rating": scales(lambda d: d["HDI"].update(steps=[{"answer": "yes"}])),
    "a claim twice": told(lambda d: d["claims"][1].update(row=1)),
    "a claim without its sentence": told(lambda d: d["claims"][0].update(claim="claim.said.nothing")),
    "a claim from high to low": told(lambda d: d["claims"][0]["parts"]["frequency"].update(
        rule={"kind": "within", "low": 2, "high": 1, "why": "claim.why.sign"})),
    "a site in two regions": told(lambda d: [words.append("temple") for words in d["regions"]["sites"].values()]),
    "a muscle of no region": told(lambda d: d["regions"]["muscles"].update(x=["nowhere"])),
    "dates beside counted days": clinic_of(
        {"attacks": DATED_LOG}, {"log.csv": "code,seen\n" + "".join(f"P{i % 9},2024-01-{10 + i}\n" for i in range(18))},
        course={"start": 0}),
    "a title that names somebody": clinic(signed(title="for anna.x@example.org"), name="d.xlsx"),
    "a share above 1": clinic(loss={"up_to": 2, "reason": "x"}),
    "a delimiter of two signs": clinic(delimiter="ab"),
    "a folder that may not be opened": locked_folder,
    "a run without a page": unfinished,
    "several texts of a person": clinic(ROWS.replace("headache\n", "headache,said\n").replace(
        ",1\n", ",1,came because of a headache that started after a fall from a horse at the fair\n").replace(
        ",0\n", ",0,came because of a headache that started after a fall from a horse at the lake\n")),
    "rows not taken": lambda place: study_import(place, "study,yi,vi\nA,1,1\nB,1,0\n"),
}  # fmt: skip


def study_import(place: Path, text: str) -> object:
    (place / "t.csv").write_text(text)
    return main(["import", str(place / "t.csv"), "mine", "--data", str(place / "data")])


# ---- limits of size, files that change, releases --------------------------------------------------


def limited(limit: str, most: int, case: Case) -> Case:
    """Read a small file under a limit that it passes."""

    def read(place: Path) -> object:
        with patch(f"headway.ingest.{limit}", most):
            return case(place)

    return read


def stopped(place: Path) -> object:
    """Read a file at which the engine stops."""
    with patch("headway.ingest.open.staging._csv", return_value="(SELECT CAST('x' AS INTEGER))"):
        return clinic()(place)


def unbalanced(place: Path) -> object:
    """Lose a row between a file and its account."""
    RowAccount("diary.csv", 3, kept=1, quarantined=1, not_selected=0, cells_quarantined=0).check()
    return None


def growing(place: Path) -> object:
    """Read a file to which the export still writes."""
    copy = staging._copy

    def copy_late(*given: Any) -> int:
        with (place / "c" / "diary.csv").open("a") as stream:
            stream.write("P1,99,1\n")
        return copy(*given)

    with patch("headway.ingest.open.staging._copy", copy_late):
        return clinic()(place)


def book_of(title: str) -> bytes:
    """Write a workbook with one sheet of that name; without a name, with a chart alone."""
    book = openpyxl.Workbook()
    if title:
        book.active.title = title
        for row in TABLE:
            book.active.append(row)
    else:
        book.create_chartsheet("C").add_chart(openpyxl.chart.BarChart())
        book.remove(book.active)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def chosen(place: Path) -> object:
    """Choose a clinic that is not there."""
    sources("c", {"clinic.yaml": YAML, "diary.csv": ROWS})(place)
    return select_sources(find_sources(place, "clinics"), ["gone"], "clinics")


def drafted(state: str, disclosure: str, people: int = 0) -> Case:
    """Release a draft after a release of sixty people."""

    def read(place: Path) -> object:
        raw, made = place / "raw/clinics/mine", place / "processed/clinics/mine"
        write_clinic(raw, {"diary.csv": ROWS}, {"diary": DIARY}, disclosure=disclosure)
        write_text(config.write_settings(config.load_clinic(raw)), made / "clinic.json")
        write_text(json.dumps({"state": state}), made / "status.json")
        before = releases.Release(1, "", {f"P{i}": "x" for i in range(60)}, {}, {})
        releases.write_release(before, raw / release.MEMORY)
        now = {f"P{i}": "x" for i in range(people)}
        return release.release(made, place, place / "results", {}, now)

    return read


def joined(*edits: Callable[[dict[str, Any]], object], reference: str | None = None) -> Case:
    """Read summaries of clinics a, b ...; each edit changes one, which is then sealed again."""

    def read(place: Path) -> object:
        made = [registry_builder.state(id, -2.0 - i) for i, id in enumerate("abc"[: len(edits)])]
        for one, edit in zip(made, edits, strict=True):
            if edit(one) is not False:
                registry_builder.seal(one)
        for i, one in enumerate(made):
            write_text(write_summary(one), place / f"{i}.json")
        return main(
            ["federate", str(place), "--results", str(place / "results")]
            + (["--definitions-of", reference] if reference else [])
        )

    return read


def as_it_is(summary: dict[str, Any]) -> None:
    """Change nothing."""


def unsealed(summary: dict[str, Any]) -> bool:
    """Change a number and leave the hash as it is."""
    summary["outcomes"][0]["mean_change"] = -9.0
    return False


def redefined(summary: dict[str, Any]) -> bool:
    """Change a definition, and compute the hash of the whole again, not that of the definitions."""
    summary["definitions"]["course_gap_weeks"] = 3
    summary["hashes"]["content"] = hash_content(summary)
    return False


def in_file(text: str) -> Case:
    """Read a file that is no summary."""

    def read(place: Path) -> object:
        write_text(text, place / "a.json")
        return main(["federate", str(place), "--results", str(place / "results")])

    return read


def without_change(place: Path) -> object:
    """Export a clinic whose tables hold no change."""
    raw, made = place / "raw/clinics/mine", place / "processed/clinics/mine"
    write_clinic(raw, {"diary.csv": ROWS}, {"diary": DIARY}, disclosure="internal", synthetic=True)
    write_text(config.write_settings(config.load_clinic(raw)), made / "clinic.json")
    return summaries.summarise(made, {name: empty(name) for name in ("cohort", "lost")})


def observed(*values: dict[str, Any], column: str | dict[str, str]) -> Case:
    """Read observations, one a day."""
    resources = [_observed(i)["resource"] for i in range(len(values))]
    for resource, value in zip(resources, values, strict=True):
        del resource["valueInteger"]
        resource |= value
    columns = {"patient_id": "patient", "usual_duration_hours": column}
    return clinic(
        "".join(json.dumps(r) + "\n" for r in resources), kind="sessions", name="o.ndjson",
        fhir={"resource": "Observation"}, columns=columns, offset_from=EFFECTIVE)  # fmt: skip


def left_out(place: Path) -> object:
    """Write effects for RevMan, one of which is not pooled."""
    frame = empty("effects").reindex(range(1))
    return write_revman(frame.assign(pooled=False), place / "rows.csv")


HOURS = {"column": "value", "unit": "hours"}
EFFECTIVE = {"column": "effective", "shifted": True}
GENERIC = "Comparison Number,Outcome Number,Subgroup Number,Data Type,Name,Study ID,Effect Measure,Effect Estimate,SE,CI Start,CI End,Entered data are on log scale\n"
PATIENTS_OPEN = {"patient_id": "code", "diary_from": "low", "diary_to": "high"}
SEXES = {"patient_id": "code", "sex": {"column": "sex", "codes": {"f": "female", "m": "male"}}}
THERAPY = {"patient_id": "code", "day": "day", "technique": "technique"}
ZEROS = "code,before,after,score\n" + "".join(
    f"P{i},{10 + i % 5},{0 if i < 8 else 6},{'' if i < 8 else 3}\n" for i in range(40)
)

CASES |= {
    "a sheet with a person's name": clinic(book_of("geb_03.03.1961"), name="d.xlsx"),
    "no summary at all": lambda place: main(["federate", str(place)]),
    "a summary cut short": in_file('{"schema_version": 1'),
    "a summary too large": in_file(" " * 1_000_001),
    "a document that is no summary": in_file("{}"),
    "a summary of another version": in_file('{"schema_version": 99}'),
    "a summary changed": joined(unsealed),
    "a definition changed": joined(redefined),
    "an outcome twice in a summary": joined(lambda s: s["outcomes"].append(s["outcomes"][0])),
    "a forged mean": joined(lambda s: s["outcomes"][0].update(mean_change=-9.0)),
    "a copied summary": joined(as_it_is, lambda s: s["outcomes"][0].update(mean_change=-2.0, mean_after=13.0)),
    "a clinic twice": joined(as_it_is, lambda s: s["clinic"].update(id="a")),
    "other windows": joined(as_it_is, lambda s: s["definitions"]["windows"]["post"].update({"from": 28})),
    "a rule of another program": joined(as_it_is, lambda s: s["definitions"]["headache_day"].update(treated_counts=False)),
    "a clinic nobody offered": joined(as_it_is, reference="z"),
    "one refused beside another": joined(as_it_is, unsealed),
    "a pseudonym in capitals": lambda place: main(["export", "x", "--as", "Clinic A", "--data", str(place)]),
    "no change to export": without_change,
    "a draft under internal": drafted("ready", "internal"),
    "a draft that was refused": drafted("refused", "cms"),
    "one person more than before": drafted("ready", "cms", 61),
    "an engine that stops": stopped,
    "a number without bounds": arms(2, sd="", t="1e-320"),
    "a row that no account has": unbalanced,
    "a file that grows": growing,
    "a clinic not there": chosen,
    "a workbook that unpacks too far": limited("adapters.spreadsheet.MAX_UNPACKED", 99, clinic(workbook(TABLE), name="d.xlsx")),
    "an archive that unpacks too far": limited("open.containers.MAX_UNPACKED", 99, clinic(zipped("diary.csv"), name="diary.zip")),
    "a package that unpacks too far": limited("adapters.package.LARGEST", 9, imported(zipped("a-data-rows.csv", text=WEB), "t.zip")),
    "a workbook of charts alone": clinic(book_of(""), name="d.xlsx"),
    "both a column and checkboxes": clinic(columns={**DIARY["columns"], "headache": {"column": "headache", "checkboxes": "what"}}),
    "three limits of an interval": review({"arms.csv": ARMS}, published=[{**PUBLISHED, "ci": ["1", "2", "3"]}]),
    "two columns without names": review({"arms.csv": ARMS.replace("status,source", ",", 1)}),
    "a quote within a cell": review({"arms.csv": ARMS + '"B" 2003,2003\n'}),
    "dates of both orders in one column": clinic(
        "code,seen,headache\n" + "".join(f"P{i % 9},{'17/03/2024' if i % 2 else '03/17/2024'},{i % 2}\n" for i in range(18)),
        columns={"patient_id": "code", "headache": "headache"}, offset_from={"column": "seen", "shifted": True, "format": "%d/%m/%Y"}),
    "zeros beside blanks": clinic_of({"windows": {"path": "w.csv", "columns": {"patient_id": "code"}, "wide": [
        {"column": c, "window": w, "outcome": "frequency", "unit": "days_per_28"} for c, w in (("before", "baseline"), ("after", "post"))]}}, {"w.csv": ZEROS}),
    "windows in other words": clinic_of({"windows": {"path": "w.csv", "columns": {"patient_id": "code"}, "window_from": {"column": "when", "codes": {"vor": "baseline"}},
        "wide": [{"column": "d", "outcome": "frequency", "unit": "days_per_28"}]}}, {"w.csv": "code,when,d\n" + "".join(f"P{i},{w},9\n" for i in range(12) for w in ("vor", "nach"))}),
    "fractions for numbers": clinic("code,day,headache,pain\n" + "".join(f"P{i % 9},{i},1,{i % 9}/10\n" for i in range(90)), columns={**DIARY["columns"], "intensity": "pain"}),
    "errors for codes": clinic("code,day,headache\n" + "".join(f"#REF!,{i},1\n" for i in range(20))),
    "people with one code": clinic_of({"patients": {"path": "p.csv", "columns": SEXES}, "diary": DIARY}, {"p.csv": "code,sex\n" + "".join(f"P{i},{s}\n" for i in range(9) for s in "fm")}),
    "days outside the diary": clinic_of({"patients": {"path": "p.csv", "columns": PATIENTS_OPEN}, "diary": DIARY}, {"p.csv": "code,low,high\n" + "".join(f"P{i},200,300\n" for i in range(9))}),
    "therapists in other codes": clinic_of({"sessions": {"path": "s.csv", "columns": {**THERAPY, "therapist": {"column": "who", "codes": {"1": "A"}}}}},
        {"s.csv": "code,day,technique,who\n" + "".join(f"P{i % 9},{i // 9},manual,{1 + i % 3}\n" for i in range(90))}),
    "a component of no resource": observed({"valueInteger": 1}, column="component.none"),
    "lengths in milligrams": observed(*[{"valueQuantity": {"value": 1, "code": "mg"}}] * 2, column=HOURS),
    "lengths in an unknown unit": observed(*[{"valueQuantity": {"value": 1, "code": "Zirbel"}}] * 2, column=HOURS),
    "FHIR not UTF-8": clinic(json.dumps({**FHIR, "x": "Ä"}, ensure_ascii=False).encode("latin-1"), name="d.json", fhir={"resource": "Observation"}, columns=OBSERVED),
    "a ratio without its limits": imported(GENERIC + "1,0,0,,C,,,,,,,\n1,1,0,IV,O,,Odds Ratio,,,,,\n1,1,0,,A,A,,1.2,0.1,,,\n"),
    "a ratio of nothing": imported(GENERIC + "1,0,0,,C,,,,,,,\n1,1,0,IV,O,,Odds Ratio,,,,,YES\n1,1,0,,A,A,,-1.2,0.1,,,\n"),
    "an effect not pooled": left_out,
    "a word of first visits": new_clinic(NAMES + "".join(f"{i},{14 + k}/0{1 + k}/2021,{'manual' if k else 'Zirbel'}\n" for i, k in VISITS)),
    "days with headache alone": new_clinic(GOOD, "Patient ID,Date,Headache\n" + "".join(f"{i},{14 + k}/01/2021,yes\n" for i, k in VISITS)),
    "a day that ends and none that begins": new_clinic("Patient ID,End date,Headache,Pain\n" + "".join(f"{i},{14 + k}/01/2021,{'yes' if k else 'no'},{k}\n" for i, k in VISITS)),
    "a setting of a run that is none": lambda place: config.check_config({"colours": 1}),
    "a file of a review not there": review({"other.csv": ARMS}),
    "a mean of the population twice": clinic(extra={"expected": {"population_means": [4, 4]}}),
    "rows of an instrument alone": clinic(ROWS.replace("headache\n", "headache,redcap_event_name,redcap_repeat_instrument\n").replace(",1\n", ",1,a,b\n").replace(",0\n", ",0,a,b\n"), redcap={"events": ["a"]}),
    "labels twice in REDCap": clinic(ROWS.replace("headache\n", "headache,headache,redcap_event_name\n").replace(",1\n", ",1,1,a\n").replace(",0\n", ",0,0,a\n"), redcap={"events": ["a"]}),
    "a rating without an answer": scales(lambda d: d["PGIC"]["steps"].pop()),
    "a threshold beyond the range": scales(lambda d: d["HIT-6"]["thresholds"][0].update(points=99)),
    "an interval of another level": imported(GENERIC + "1,0,0,,C,,,,,,,\n1,1,0,IV,O,,Odds Ratio,,,,,\n1,1,0,,A,A,,1.2,0.1,0.1,9,\n"),
    "two people with one code": limited("secret._SIGNS", "a", new_clinic(GOOD)),
    "a grid of no month": new_clinic(GOOD, "Patient ID," + ",".join(map(str, range(1, 32))) + "\n" + "".join(f"{i}" + ",1,0" * 15 + ",1\n" for i, k in VISITS)),
    "names of drugs": clinic("code,day,headache,drug\n" + "".join(f"P{i % 9},{i},1,{('Triptan', 'Ibuprofen')[i % 2]}\n" for i in range(90)), columns={**DIARY["columns"], "acute_medication": "drug"}),
    "people whom nobody lists": clinic_of({"patients": PATIENTS, "diary": DIARY}, {"p.csv": "code,age\n" + "".join(f"X{i},4{i}\n" for i in range(9))}),
}  # fmt: skip


# ---- updates of reviews ---------------------------------------------------------------------------

POOLED_OF = "comparison,subgroup,measure,declared,estimate,ci_low,ci_high\n"


def held(*, record: str = "", of: str = "older", **tables: str) -> Case:
    """Hold a review against an older folder of these tables."""

    def read(place: Path) -> object:
        write_review(place / "data/raw/trials/mine")
        folder = place / of
        folder.mkdir(parents=True)
        for name, text in tables.items():
            (folder / f"{name}.csv").write_text(text)
        if record:
            (folder / "kept.json").write_text(record)
        older = kept.read_results(folder, "mine")
        return kept.refuse_stranger(older, "mine", {"main"}, folder)

    return read


def updated(*words: str, state: str = "") -> Case:
    """Ask for an update of a review that is not to be built."""

    def read(place: Path) -> object:
        write_review(place / "data/raw/trials/mine")
        (place / "results/trials/mine").mkdir(parents=True)
        if state:
            write_text(
                json.dumps({"state": state}), place / "data/processed/trials/mine/status.json"
            )
        given = [word.replace("PLACE", str(place)) for word in words]
        at = ["--data", str(place / "data"), "--results", str(place / "results")]
        with patch("headway.cli.updating.run_for", return_value=0):
            return main(["update", "mine", *given, *at])

    return read


CASES |= {
    "nothing kept": updated(),
    "an older folder that is not there": updated("--against", "PLACE/gone"),
    "the folder of today's results": updated("--against", "PLACE/results/trials/mine"),
    "a review refused today": updated("--keep", state="refused"),
    "an empty older folder": held(),
    "results of another review": held(of="old/trials/yours"),
    "results without a comparison in common": held(
        effects="comparison,trial\nx,A\n", pooled=POOLED_OF + "x,overall,MD,True,1,0,2\n"),
    "a word where a number was": held(
        effects="comparison,trial\n", pooled=POOLED_OF + "main,overall,MD,True,one,0,2\n"),
    "results kept in another form": held(record='{"form": 9}'),
}  # fmt: skip
