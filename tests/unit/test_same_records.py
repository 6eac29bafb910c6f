"""The same records in every form that a clinic may export give the same tables and cohort."""

# ruff: noqa: E501  (rows of a table)
from __future__ import annotations

import gzip
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from openpyxl import Workbook

from headway import config
from headway.outcomes.change import cohort
from headway.tables import read_parquet
from tests.unit.clinic_builder import ingest, write_clinic

HEAD = ("code", "when", "headache", "worst", "hours")
PATIENTS = ("P1", "P2", "P3", "P4")
MISSING = ["", "NI"]


@cache
def records() -> tuple[tuple[str, str, str, str, str], ...]:
    """Diary days as texts: decimals, zeros, codes for missing, a bad cell, a repeated day."""
    rows = []
    start = pd.Timestamp("2031-01-01")
    for number, person in enumerate(PATIENTS, start=1):
        for day in range(112):
            ill = (day * number + day // 5) % 3 < (2 if day < 28 else 1)
            worst = str((day + number) % 11) if ill else ""
            hours = f"{(day % 9) / 2 + 0.25:g}" if ill else ("NI" if day % 10 == 0 else "")
            if (number, day) == (2, 40):
                worst = "5-7"
            when = (start + pd.Timedelta(days=day)).strftime("%Y-%m-%d")
            rows.append((person, when, str(int(ill)), worst, hours))
    rows.append(rows[5])
    return tuple(rows)


def number(text: str) -> Any:
    """Write a text as a spreadsheet would hold it: numbers as numbers, dates as dates."""
    if text[4:5] == "-" and len(text) == 10:
        return pd.Timestamp(text).to_pydatetime()
    try:
        return float(text)
    except ValueError:
        return text or None


def as_text(delimiter: str = ",") -> str:
    return "".join(delimiter.join(row) + "\n" for row in (HEAD, *records()))


def as_book(by_patient: bool) -> bytes:
    book = Workbook()
    book.remove(book.active)
    for people in PATIENTS if by_patient else (PATIENTS,):
        sheet = book.create_sheet(f"sheet {people}" if by_patient else "days")
        sheet.append(HEAD)
        for row in records():
            if row[0] in people:
                sheet.append([number(text) for text in row])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def as_parquet(folder: Path) -> bytes:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "t.csv").write_text(as_text())
    with duckdb.connect() as connection:
        connection.execute(
            f'COPY (SELECT code, CAST("when" AS DATE) AS "when", headache = \'1\' AS headache, '
            f"worst, hours FROM read_csv('{folder / 't.csv'}', all_varchar = true)) "
            f"TO '{folder / 't.parquet'}' (FORMAT parquet)"
        )
    return (folder / "t.parquet").read_bytes()


def coded(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://example.org", "code": code}]}


def as_observations() -> str:
    """Write each day as an Observation with components."""
    lines = []
    for code, when, headache, worst, hours in records():
        parts: list[dict[str, Any]] = [{"code": coded("headache"), "valueBoolean": headache == "1"}]
        for name, text in (("worst", worst), ("hours", hours)):
            value: dict[str, Any] = {"valueString": text}
            if isinstance(number(text), float):
                value = {"valueQuantity": {"value": json.loads(text), "code": name}}
            parts += [{"code": coded(name), **value}] if text else []
        lines.append(
            {
                "resourceType": "Observation",
                "status": "final",
                "code": coded("day"),
                "subject": {"reference": f"Patient/{code}"},
                "effectiveDateTime": f"{when}T20:00:00Z",
                "component": parts,
            }
        )
    return "".join(json.dumps(line) + "\n" for line in lines)


def as_responses() -> str:
    """Write each day as the answer to a questionnaire, in one bundle."""
    entries = []
    for code, when, headache, worst, hours in records():
        items = [
            {"linkId": name, "answer": [{kind: value}]}
            for name, kind, value in (
                ("headache", "valueBoolean", headache == "1"),
                ("worst", "valueString", worst),
                ("hours", "valueString", hours),
            )
            if value != ""
        ]
        resource = {
            "resourceType": "QuestionnaireResponse",
            "status": "completed",
            "subject": {"reference": f"Patient/{code}"},
            "authored": when,
            "item": [{"linkId": "all", "item": items}],
        }
        entries.append({"resource": resource})
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}, indent=1)


def as_redcap() -> str:
    """Write each day as a row of a repeating form, between rows of another one."""
    lines = "record_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,when,headache,worst,hours,other\n"
    for i, (code, *cells) in enumerate(records()):
        lines += f"{code},all_arm_1,diary,{i + 1},{','.join(cells)},\n"
        if i % 7 == 0:
            lines += f"{code},all_arm_1,,,,,,,{i % 5}\n"
    return "\ufeff" + lines.replace("\n", "\r\n")


OWN = {
    "patient_id": "code",
    "day": "when",
    "headache": "headache",
    "intensity": "worst",
    "duration_hours": "hours",
}


def entry(path: str, names: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    own = OWN | (names or {})
    return {
        "path": path,
        "missing": MISSING,
        "columns": {k: v for k, v in own.items() if k != "day"},
        "offset_from": {"column": own["day"], "shifted": True},
        **more,
    }


FORMS = (
    "csv",
    "semicolons",
    "gz",
    "xlsx",
    "sheets",
    "listed sheets",
    "parquet",
    "observations",
    "packed observations",
    "responses",
    "redcap",
)


def files_of(form: str, folder: Path) -> tuple[dict[str, str | bytes], Any]:
    component = {
        "patient_id": "patient",
        "day": "effective",
        "headache": "component.headache",
        "intensity": "component.worst",
        "duration_hours": "component.hours",
    }
    item = {
        "patient_id": "patient",
        "day": "authored",
        "headache": "item.headache",
        "intensity": "item.worst",
        "duration_hours": "item.hours",
    }
    observed = {"fhir": {"resource": "Observation"}}
    made: dict[str, Any] = {
        "csv": lambda: ({"d.csv": as_text()}, entry("d.csv")),
        "semicolons": lambda: ({"d.txt": as_text(";").encode("utf-16")}, entry("d.txt")),
        "gz": lambda: ({"d.csv.gz": gzip.compress(as_text().encode())}, entry("d.csv.gz")),
        "xlsx": lambda: ({"d.xlsx": as_book(False)}, entry("d.xlsx")),
        "sheets": lambda: ({"d.xlsx": as_book(True)}, entry("d.xlsx", sheet="*")),
        "listed sheets": lambda: (
            {"d.xlsx": as_book(True)},
            entry("d.xlsx", sheet=[f"sheet {p}" for p in PATIENTS]),
        ),
        "parquet": lambda: ({"d.parquet": as_parquet(folder / "p")}, entry("d.parquet")),
        "observations": lambda: (
            {"d.ndjson": as_observations()},
            entry("d.ndjson", component, **observed),
        ),
        "packed observations": lambda: (
            {"d.ndjson.gz": gzip.compress(as_observations().encode())},
            entry("d.ndjson.gz", component, **observed),
        ),
        "responses": lambda: (
            {"d.json": as_responses()},
            entry("d.json", item, fhir={"resource": "QuestionnaireResponse"}),
        ),
        "redcap": lambda: (
            {"d.csv": as_redcap()},
            entry("d.csv", {"patient_id": "record_id"}, redcap={"instrument": "diary"}),
        ),
    }
    return made[form]()


def result(
    form: str, folder: Path
) -> tuple[Any, pd.DataFrame, dict[str, pd.DataFrame], tuple[int, ...]]:
    files, spec = files_of(form, folder)
    # Treatment starts four weeks into the diary.
    starts = "code,start\n" + "".join(f"{p},2031-01-29\n" for p in PATIENTS)
    patients = {
        "path": "p.csv",
        "columns": {"patient_id": "code"},
        "offset_from": {"column": "start", "shifted": True},
    }
    made = write_clinic(
        folder / "c", {"p.csv": starts, **files}, {"patients": patients, "diary": spec}
    )
    accounts, quarantine, out = ingest(made)
    days = read_parquet(out / "days.parquet")
    days = days.sort_values(["patient_id", "day"], ignore_index=True)
    of = [a for name, a in accounts.items() if name != "p.csv"]
    counts = tuple(
        sum(x)
        for x in zip(*((a.kept, a.quarantined, a.cells_quarantined) for a in of), strict=True)
    )
    rules = sorted(zip(quarantine["rule"], quarantine["scope"], strict=True))
    return rules, days, cohort.analyse_clinic(out, config.load_clinic(made)), counts


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return result("csv", tmp_path_factory.mktemp("plain"))


def test_the_records_say_something(plain: Any) -> None:
    rules, days, tables, counts = plain
    assert rules == [("duplicate_row", "row"), ("not_a_number", "cell")]
    assert counts == (448, 1, 1)
    assert (days["day"].min(), days["day"].max()) == (-28, 83)
    change = tables["cohort"].query("statistic == 'change_mean' and comparison == 'primary'")
    assert (change["n"] == 4).any()
    assert (change["estimate"] < -1).any()


@pytest.mark.parametrize("form", FORMS[1:])
def test_every_form_gives_the_same_tables(form: str, tmp_path: Path, plain: Any) -> None:
    rules, days, tables, counts = result(form, tmp_path)
    assert rules == plain[0]
    assert counts == plain[3]
    pd.testing.assert_frame_equal(days, plain[1], check_exact=True)
    assert tables.keys() == plain[2].keys()
    for name in tables:
        pd.testing.assert_frame_equal(
            tables[name].drop(columns="line", errors="ignore"),
            plain[2][name].drop(columns="line", errors="ignore"),
            check_exact=True,
        )
