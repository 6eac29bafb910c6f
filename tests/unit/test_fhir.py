"""FHIR R4 resources become rows; what identifies stays behind, what is no row is counted."""

# ruff: noqa: E501  (rows of a table)
from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from headway import cli
from headway.config.clinic import ClinicFile
from headway.config.schema import build
from headway.errors import InputError, RefusedError
from headway.ingest.adapters.fhir import flatten, list_wants
from headway.messages import say
from headway.tables import read_parquet
from tests.unit.clinic_builder import allow_losses, ingest, write_clinic

TOKEN = "Q7ZK"


def observation(patient: str = "P1", day: str = "2024-03-17", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "72514-3"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": day,
        **more,
    }


def response(items: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "questionnaire": "http://example.org/Questionnaire/diary|1.2",
        "subject": {"reference": "Patient/P1"},
        "authored": "2024-03-17T21:30:00+01:00",
        "item": items,
        **more,
    }


def bundle(*resources: Any, **more: Any) -> dict[str, Any]:
    entries = [{"fullUrl": f"urn:uuid:{TOKEN}", "resource": r} for r in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries, **more}


def flat(
    tmp_path: Path, document: Any, resource: str = "Observation", name: str = "b.json"
) -> tuple[list[dict[str, str]], Any]:
    raw = tmp_path / name
    text = document if isinstance(document, str) else json.dumps(document)
    raw.write_text(text, encoding="utf-8")
    found = flatten(raw, tmp_path / "out" / "b.csv", resource=resource)
    with found.path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert all(set(row) == set(found.header) for row in rows)
    assert len(rows) == found.rows
    assert found.resources_read == found.rows + sum(found.resources_ignored.values())
    return rows, found


@pytest.mark.parametrize(
    ("value", "text", "unit"),
    [
        ({"valueQuantity": {"value": 4.50, "unit": "hours", "code": "h"}}, "4.5", "h"),
        ({"valueQuantity": {"value": 4, "unit": "hours"}}, "4", "hours"),
        ({"valueQuantity": {"value": 1, "comparator": "<"}}, "<1", ""),
        ({"valueQuantity": {"unit": "h"}}, "", "h"),
        ({"valueInteger": 7}, "7", ""),
        ({"valueInteger": 0}, "0", ""),
        ({"valueBoolean": True}, "1", ""),
        ({"valueBoolean": False}, "0", ""),
        ({"valueBoolean": TOKEN}, "#valueBoolean", ""),
        ({"valueString": "two\nlines"}, "two lines", ""),
        ({"valueString": "\ud83d"}, "?", ""),
        ({"valueDateTime": "2024-03-17"}, "2024-03-17", ""),
        ({"valueCodeableConcept": {"coding": [{"display": TOKEN}, {"code": "yes"}]}}, "yes", ""),
        ({"valueCodeableConcept": {"text": TOKEN}}, "#valueCodeableConcept", ""),
        ({"valueRange": {"low": {"value": 5}, "high": {"value": 7}}}, "#valueRange", ""),
        ({"valueReference": {"reference": f"Patient/{TOKEN}"}}, "#valueReference", ""),
        ({"dataAbsentReason": {"text": TOKEN}}, "", ""),
    ],
)
def test_every_kind_of_value(tmp_path: Path, value: dict[str, Any], text: str, unit: str) -> None:
    rows, _ = flat(tmp_path, bundle(observation(**value)))
    assert (rows[0]["value"], rows[0]["unit"]) == (text, unit)
    assert TOKEN not in str(rows)


def test_numbers_keep_the_text_of_the_file(tmp_path: Path) -> None:
    text = json.dumps(bundle(observation(valueQuantity={"value": 999})))
    for number in ("4.50", "1e2", "12345678901234567890", "NaN"):
        rows, _ = flat(tmp_path, text.replace("999", number))
        assert rows[0]["value"] == number


@pytest.mark.parametrize(
    ("reference", "patient"),
    [
        ("Patient/P1", "P1"),
        ("Patient/P1/_history/3", "P1"),
        ("https://example.org/fhir/Patient/P1", "P1"),
        ("urn:uuid:0c3151bd", "0c3151bd"),
        ("#p1", ""),
        ("Group/P1", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_the_patient_is_the_code_of_the_reference(
    tmp_path: Path, reference: Any, patient: str
) -> None:
    rows, _ = flat(tmp_path, observation(subject={"reference": reference, "display": TOKEN}))
    assert rows[0]["patient"] == patient


@pytest.mark.parametrize(
    ("when", "day"),
    [
        ({"effectiveDateTime": "2024-03-17T23:30:00-05:00"}, "2024-03-17"),
        ({"effectiveInstant": "2024-03-17T23:30:00Z"}, "2024-03-17"),
        ({"effectivePeriod": {"start": "2024-03-17T01:00:00Z", "end": "2024-03-18"}}, "2024-03-17"),
        ({"effectiveDateTime": "2024-03"}, "2024-03"),
        ({}, ""),
    ],
)
def test_the_day_is_the_one_that_was_written(
    tmp_path: Path, when: dict[str, Any], day: str
) -> None:
    bare = {k: v for k, v in observation(valueInteger=1).items() if k != "effectiveDateTime"}
    rows, _ = flat(tmp_path, {**bare, **when})
    assert rows[0]["effective"] == day


def test_what_identifies_is_never_written(tmp_path: Path) -> None:
    found = observation(
        id=TOKEN,
        identifier=[{"value": TOKEN}],
        text={"status": "generated", "div": f"<div>{TOKEN}</div>"},
        performer=[{"reference": f"Practitioner/{TOKEN}", "display": TOKEN}],
        note=[{"text": TOKEN}],
        contained=[{"resourceType": "Patient", "id": "p", "name": [{"family": TOKEN}]}],
        valueQuantity={"value": 3, "system": TOKEN},
    )
    found["subject"] |= {"display": TOKEN, "identifier": {"value": TOKEN}}
    found["code"] |= {"text": TOKEN}
    patient = {"resourceType": "Patient", "name": [{"family": TOKEN}]}
    answers = response(
        [
            {
                "linkId": "1",
                "text": TOKEN,
                "answer": [{"valueCoding": {"code": "a", "display": TOKEN}}],
            }
        ],
        author={"display": TOKEN},
        source={"display": TOKEN},
    )
    for kind in ("Observation", "QuestionnaireResponse"):
        _, made = flat(tmp_path, bundle(found, patient, answers), kind)
        assert TOKEN not in made.path.read_text(encoding="utf-8")
        assert dict(made.resources_ignored) == {"contained": 1, "patient": 1, "another_kind": 1}


def test_only_what_was_finished_is_a_row(tmp_path: Path) -> None:
    statuses = ["final", "amended", "corrected", "preliminary", "entered-in-error", "cancelled", 7]
    rows, made = flat(tmp_path, bundle(*(observation(status=s) for s in statuses)))
    assert [row["status"] for row in rows] == statuses[:3]
    assert made.resources_ignored == {"status": 4}
    statuses = ["completed", "amended", "in-progress", "stopped", "entered-in-error"]
    rows, made = flat(tmp_path, [response([], status=s) for s in statuses], "QuestionnaireResponse")
    assert [row["status"] for row in rows] == statuses[:2]
    assert made.resources_ignored == {"status": 3}


def test_components_and_their_units_are_columns(tmp_path: Path) -> None:
    def part(code: str, **value: Any) -> dict[str, Any]:
        return {"code": {"coding": [{"code": code}]}, **value}

    panel = observation(
        component=[
            part("headache", valueBoolean=True),
            part("hours", valueQuantity={"value": 2.5, "code": "h"}),
            part("drug", valueString="a"),
            part("drug", valueString="b"),
        ]
    )
    rows, made = flat(tmp_path, bundle(observation(), panel))
    assert made.header[6:] == (
        "component.headache",
        "component.hours",
        "component.hours.unit",
        "component.drug",
    )
    assert [rows[0][c] for c in made.header[6:]] == [""] * 4
    assert [rows[1][c] for c in made.header[6:]] == ["1", "2.5", "h", "a;b"]


def test_answers_are_columns_by_link_however_deep(tmp_path: Path) -> None:
    items = [
        {
            "linkId": "group",
            "item": [
                {"linkId": "pain", "answer": [{"valueInteger": 6}]},
                {
                    "linkId": "took",
                    "answer": [
                        {
                            "valueBoolean": True,
                            "item": [{"linkId": "drug", "answer": [{"valueString": "x"}]}],
                        }
                    ],
                },
            ],
        },
        {"linkId": "side", "answer": [{"valueCoding": {"code": c}} for c in ("left", "right")]},
        {"linkId": "skipped"},
        {"linkId": "patient", "answer": [{"valueDecimal": 1.5}]},
    ]
    rows, _ = flat(tmp_path, response(items), "QuestionnaireResponse")
    assert rows == [
        {
            "patient": "P1",
            "questionnaire": "diary",
            "status": "completed",
            "authored": "2024-03-17",
            "item.pain": "6",
            "item.took": "1",
            "item.drug": "x",
            "item.side": "left;right",
            "item.skipped": "",
            "item.patient": "1.5",
        }
    ]


def test_the_same_resources_in_every_wrapping(tmp_path: Path) -> None:
    several = [observation(f"P{i}", valueInteger=i) for i in range(3)]
    lines = "".join(json.dumps(r) + "\n" for r in several)
    expected, _ = flat(tmp_path, bundle(*several))
    assert [row["value"] for row in expected] == ["0", "1", "2"]
    for name, document in {
        "array.json": json.dumps(several),
        "pretty.json": json.dumps(bundle(*several), indent=2),
        "nested.json": json.dumps(bundle(bundle(*several))),
        "lines.ndjson": lines,
        "lines.json": lines,
        "crlf.ndjson": lines.replace("\n", "\r\n"),
        "bom.ndjson": "\ufeff" + lines,
        "bundles.ndjson": "".join(json.dumps(bundle(r)) + "\n" for r in several),
    }.items():
        assert flat(tmp_path, document, name=name)[0] == expected, name
    packed = tmp_path / "p.ndjson.gz"
    packed.write_bytes(gzip.compress(lines.encode()))
    assert flatten(packed, tmp_path / "p.csv", resource="Observation").rows == 3


SPEC = {
    "fhir": {"resource": "Observation"},
    "columns": {"patient_id": "patient", "headache_days_28": "value"},
    "keep_where": {"code": ["72514-3"]},
    "offset_from": {"column": "effective", "shifted": True},
}


def test_a_line_is_the_place_of_the_resource(tmp_path: Path) -> None:
    lines = [
        json.dumps(observation(valueInteger=20)),
        json.dumps({"resourceType": "Patient", "id": "P1"}),
        "",
        json.dumps(observation(day="2024-03-20", valueInteger=30)),
        json.dumps(observation(day="2024-03-21", valueString="8/10")),
        json.dumps(observation(day="2024-03-22", status="preliminary")),
        json.dumps(observation(day="2024-03", valueInteger=3)),
    ]
    folder = write_clinic(
        tmp_path / "c",
        {"o.ndjson": "\n".join(lines)},
        {"sessions": {"path": "o.ndjson", **SPEC, "columns": allow_losses(SPEC["columns"])}},
    )
    accounts, quarantine, out = ingest(folder)
    assert quarantine[["line", "rule", "scope"]].values.tolist() == [
        [4, "out_of_range", "cell"],
        [5, "not_a_number", "cell"],
        [7, "not_a_date", "row"],
    ]
    sessions = read_parquet(out / "sessions.parquet")
    assert sessions["day"].tolist() == [0, 3, 4]
    account = accounts["o.ndjson"]
    assert (account.rows_in, account.kept, account.quarantined) == (4, 3, 1)
    assert say(account.note) == "6 resources; ignored: 1 of a patient, 1 of another status"


LENGTHS = {
    **SPEC,
    "columns": {
        "patient_id": "patient",
        "usual_duration_hours": {"column": "value", "unit": "hours"},
    },
}


def length(value: Any, code: str = "", day: str = "2024-03-17", words: str = "") -> dict[str, Any]:
    unit = {k: v for k, v in {"code": code, "unit": words}.items() if v}
    return observation(day=day, valueQuantity={"value": value, **unit})


def lines(*resources: dict[str, Any]) -> str:
    return "".join(json.dumps(r) + "\n" for r in resources)


def read(
    tmp_path: Path, files: dict[str, Any], entry: dict[str, Any], kind: str = "sessions"
) -> tuple[Any, Any, Any]:
    """Ingest one kind of file; returns its table, the quarantine and the accounts."""
    written = {n: c if isinstance(c, str | bytes) else json.dumps(c) for n, c in files.items()}
    own = {**entry, "path": list(files), "columns": allow_losses(entry["columns"])}
    folder = write_clinic(tmp_path / "c", written, {kind: own})
    accounts, quarantine, out = ingest(folder)
    table = {"sessions": "sessions", "diary": "days", "questionnaires": "questionnaires"}[kind]
    return read_parquet(out / f"{table}.parquet"), quarantine, accounts


def refusals(tmp_path: Path, *args: Any) -> list[tuple[str, str]]:
    with pytest.raises((InputError, RefusedError)) as caught:
        read(tmp_path, *args)
    shown = str(caught.value)
    assert TOKEN not in shown
    return [(p.rule, p.column) for p in caught.value.problems]


def test_pages_in_different_units_agree(tmp_path: Path) -> None:
    """12 minutes on one page are 0.2 hours, whatever the other page counts in."""
    pages = {
        "p1.ndjson": lines(length(4, "h"), length(3, "h", "2024-03-18")),
        "p2.ndjson": lines(
            length(12, "min", "2024-03-19"),
            length(0.5, "d", "2024-03-20"),
            length(2, "", "2024-03-21"),
        ),
    }
    table, quarantine, accounts = read(tmp_path, pages, LENGTHS)
    assert table["usual_duration_hours"].tolist() == [4, 3, 0.2, 12, 2]
    assert quarantine.empty
    assert "value: converted from another unit in 2 values" in say(accounts["p2.ndjson"].note)
    assert "converted" not in say(accounts["p1.ndjson"].note)


@pytest.mark.parametrize(
    ("code", "words", "hours"),
    [
        ("min", "", 1.5), ("s", "", 0.025), ("wk", "", 15120), ("h", "hours", 90),
        ("", "minutes", 1.5), ("", "Min.", 1.5), ("", "Stunden", 90), ("", "horas", 90),
        ("", "Tage", 2160), ("h{attack}", "", 90), ("MIN", "", 1.5), ("258701004", "minutes", 1.5),
        ("mg", "", None), ("min", "h", None), ("1", "", None), ("", "episodes", None), ("", TOKEN, None),
    ],
)  # fmt: skip
def test_a_length_is_read_in_its_unit_or_not_at_all(
    tmp_path: Path, code: str, words: str, hours: float | None
) -> None:
    raw = tmp_path / "o.ndjson"
    raw.write_text(lines(length(90, code, words=words)))
    spec = build(ClinicFile, {**LENGTHS, "path": "o.ndjson"})
    wants = list_wants(spec, ["patient", "value"])
    made = flatten(raw, tmp_path / "o.csv", resource="Observation", wants=wants)
    (row,) = csv.DictReader(made.path.open(encoding="utf-8"))
    assert row["value"] == ("#unit" if hours is None else f"{hours:g}")


def test_a_length_is_written_in_the_declared_unit(tmp_path: Path) -> None:
    declared = {"column": "value", "unit": "minutes"}
    entry = {**SPEC, "columns": {"patient_id": "patient", "usual_duration_hours": declared}}
    document = lines(length(2, "h"), length(30, "min", "2024-03-18"), length(45, "", "2024-03-19"))
    table, _, _ = read(tmp_path, {"o.ndjson": document}, entry)
    assert table["usual_duration_hours"].tolist() == [2, 0.5, 0.75]


def test_ratings_and_days_have_units_too(tmp_path: Path) -> None:
    def rated(entry: dict[str, Any], *of: tuple[float, str]) -> list[Any]:
        found = [length(v, u, f"2024-03-{i + 10}") for i, (v, u) in enumerate(of)]
        mapped = {**SPEC, "columns": {"patient_id": "patient", **entry}}
        table, _, _ = read(tmp_path, {"o.ndjson": lines(*found)}, mapped)
        return [None if x != x else round(x, 6) for x in table[next(iter(entry))].astype(float)]

    scores = [
        (7, "{0-10}"),
        (7, "{score}"),
        (7, "1"),
        (70, "{0-100}"),
        (70, "mm"),
        (7, "cm"),
        (7, "mg"),
    ]
    assert rated({"usual_intensity": "value"}, *scores) == [7, 7, 7, 7, 7, 7, None]
    vas = {"usual_intensity": {"column": "value", "unit": "vas_0_100"}}
    assert rated(vas, (70, "{score}"), (7, "{0-10}"), (70, "mm"), (70, "%")) == [7, 7, 7, 7]
    days = [(12, "d"), (12, "{days}"), (3, "d/wk"), (12, "d/(28.d)"), (15.21875, "d/mo"), (12, "h")]
    assert rated({"headache_days_28": "value"}, *days) == [12, 12, 12, 12, 14, None]


def test_units_are_held_against_every_component(tmp_path: Path) -> None:
    def panel(value: float, unit: str, day: str) -> dict[str, Any]:
        part = {
            "code": {"coding": [{"code": "len"}]},
            "valueQuantity": {"value": value, "code": unit},
        }
        return observation(day=day, component=[part])

    entry = {**SPEC, "columns": {"patient_id": "patient", "usual_duration_hours": "component.len"}}
    document = lines(
        panel(2, "h", "2024-03-17"), panel(30, "min", "2024-03-18"), panel(5, "kg", "2024-03-19")
    )
    table, quarantine, _ = read(tmp_path, {"o.ndjson": document}, entry)
    assert table["usual_duration_hours"].tolist()[:2] == [2, 0.5]
    assert table["usual_duration_hours"].isna().tolist() == [False, False, True]
    assert quarantine[["line", "column", "rule"]].values.tolist() == [
        [3, "component.len", "not_a_number"]
    ]


@pytest.mark.parametrize("unit", ["mg", TOKEN])
def test_a_column_in_nothing_but_a_wrong_unit_is_refused(tmp_path: Path, unit: str) -> None:
    pages = {"a.ndjson": lines(length(1, unit)), "b.ndjson": lines(length(2, unit, "2024-03-18"))}
    assert refusals(tmp_path, pages, LENGTHS) == [("wrong_unit", "value")]


def test_rows_of_another_code_may_have_any_unit(tmp_path: Path) -> None:
    other = {**length(3, "mg", "2024-03-18"), "code": {"coding": [{"code": "dose"}]}}
    table, _, _ = read(tmp_path, {"o.ndjson": lines(length(2, "h"), other)}, LENGTHS)
    assert table["usual_duration_hours"].tolist() == [2]


def test_units_can_be_told_apart_by_entries(tmp_path: Path) -> None:
    document = lines(length(2, "h"), length(90, "min", "2024-03-18"))
    minutes = {"column": "value", "unit": "minutes"}
    entries = [
        {**LENGTHS, "path": "o.ndjson", "keep_where": {"unit": ["h"]}},
        {
            **LENGTHS,
            "path": "o.ndjson",
            "keep_where": {"unit": ["min"]},
            "columns": {"patient_id": "patient", "usual_duration_hours": minutes},
        },
    ]
    folder = write_clinic(tmp_path / "c", {"o.ndjson": document}, {"sessions": entries})
    _, _, out = ingest(folder)
    assert read_parquet(out / "sessions.parquet")["usual_duration_hours"].tolist() == [2, 1.5]


def test_a_decimal_comma_is_none_of_json(tmp_path: Path) -> None:
    document = lines(length(2.5, "h"), length(90, "min", "2024-03-18"))
    table, quarantine, _ = read(tmp_path, {"o.ndjson": document}, {**LENGTHS, "decimal": ","})
    assert table["usual_duration_hours"].tolist() == [2.5, 1.5]
    assert quarantine.empty


LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"


def concept(*codings: tuple[str, str]) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code} for system, code in codings]}


@pytest.mark.parametrize("kept", ["72514-3", f"{LOINC}|72514-3", f"{SNOMED}|555"])
def test_the_order_of_codings_selects_nothing(tmp_path: Path, kept: str) -> None:
    both = [(LOINC, "72514-3"), (SNOMED, "555")]
    found = [
        {**length(i, "h", f"2024-03-1{i}"), "code": concept(*codings)}
        for i, codings in enumerate([both, both[::-1], [*both, ("urn:own", "x")]], start=1)
    ]
    entry = {**LENGTHS, "keep_where": {"code": [kept]}}
    table, _, _ = read(tmp_path, {"o.ndjson": lines(*found)}, entry)
    assert table["usual_duration_hours"].tolist() == [1, 2, 3]


def test_a_system_tells_the_same_code_apart(tmp_path: Path) -> None:
    found = [
        {**length(i, "h", f"2024-03-1{i}"), "code": concept((system, "7"))}
        for i, system in enumerate((LOINC, "urn:own", ""), start=1)
    ]
    hours = {
        kept: read(
            tmp_path, {"o.ndjson": lines(*found)}, {**LENGTHS, "keep_where": {"code": [kept]}}
        )[0]["usual_duration_hours"].tolist()
        for kept in ("7", f"{LOINC}|7", "urn:own|7", "|7")
    }
    assert hours == {"7": [1, 2, 3], f"{LOINC}|7": [1], "urn:own|7": [2], "|7": [3]}


def test_a_component_is_found_by_any_coding(tmp_path: Path) -> None:
    codes = [(LOINC, "len"), (SNOMED, "42")]
    found = [
        observation(
            day=f"2024-03-1{i}",
            component=[{"code": concept(*c), "valueQuantity": {"value": i, "code": "h"}}],
        )
        for i, c in enumerate((codes, codes[::-1]), start=1)
    ]
    for name in ("component.42", "component.len", f"component.{SNOMED}|42"):
        entry = {**SPEC, "columns": {"patient_id": "patient", "usual_duration_hours": name}}
        table, _, _ = read(tmp_path, {"o.ndjson": lines(*found)}, entry)
        assert table["usual_duration_hours"].tolist() == [1, 2], name


def test_declared_codes_decide_which_coding_is_the_answer(tmp_path: Path) -> None:
    def answered(day: int, *codings: tuple[str, str]) -> dict[str, Any]:
        return observation(day=f"2024-03-{day}", valueCodeableConcept=concept(*codings))

    document = lines(
        answered(10, (SNOMED, "1"), ("urn:own", "dn")),
        answered(11, ("urn:own", "dn"), (SNOMED, "1")),
        answered(12, ("urn:own", "dn"), ("urn:old", "ma")),
        answered(13, ("urn:own", "dn"), ("urn:old", "needle")),
        answered(14, (SNOMED, "1")),
    )
    codes = {"dn": "dry_needling", "needle": "dry_needling", "ma": "manual"}
    technique = {"column": "value", "codes": codes}
    entry = {**SPEC, "columns": {"patient_id": "patient", "technique": technique}}
    table, quarantine, _ = read(tmp_path, {"o.ndjson": document}, entry)
    told = dict(zip(table["day"], table["technique"], strict=True))
    assert {d: told[d] for d in (0, 1, 3)} == dict.fromkeys((0, 1, 3), "dry_needling")
    assert quarantine[["line", "rule"]].values.tolist() == [[3, "not_a_code"], [5, "not_a_code"]]


DIARY = {
    "fhir": {"resource": "QuestionnaireResponse"},
    "columns": {"patient_id": "patient", "headache": "item.h", "intensity": "item.i"},
    "offset_from": {"column": "authored", "shifted": True},
}


def day_of(day: int, headache: Any = None, intensity: Any = None, **more: Any) -> dict[str, Any]:
    answers = (("h", "valueBoolean", headache), ("i", "valueInteger", intensity))
    items = [{"linkId": n, "answer": [{k: v}]} for n, k, v in answers if v is not None]
    return response(items, authored=f"2024-03-{day:02}", **more)


def test_a_question_that_nobody_on_a_page_answered_is_missing_there(tmp_path: Path) -> None:
    pages = {
        "p1.json": day_of(1, True, 7),
        "p2.ndjson": lines(day_of(2, False), day_of(3, False)),
        "p3.json": bundle(day_of(4, True, 3)),
        "p4.json": bundle({"resourceType": "Patient"}),
    }
    table, quarantine, accounts = read(tmp_path, pages, DIARY, "diary")
    assert table["headache"].tolist() == [1, 0, 0, 1]
    assert table["intensity"].isna().tolist() == [False, True, True, False]
    assert quarantine.empty
    assert accounts["p4.json"].rows_in == 0


def test_a_question_that_no_page_has_is_a_typing_error(tmp_path: Path) -> None:
    pages = {"p1.json": day_of(1, True), "p2.json": day_of(2, False)}
    assert refusals(tmp_path, pages, DIARY, "diary") == [("missing_column", "item.i")]


def versions(*told: tuple[str, dict[str, str], Any]) -> list[dict[str, Any]]:
    """Versions of one resource: status, meta, hours."""
    return [
        {**length(hours, "h"), "id": "o1", "status": status, "meta": meta}
        for status, meta, hours in told
    ]


V = [{"versionId": str(i), "lastUpdated": f"2024-04-0{i}T10:00:00Z"} for i in range(10)]
LATEST: dict[str, tuple[list[Any], list[float]]] = {
    "by number, however it is written": ([("final", {"versionId": "9"}, 1), ("amended", {"versionId": "10"}, 2)], [2]),
    "by number, in any order": ([("corrected", V[2], 2), ("final", V[1], 1)], [2]),
    "by the time of change, across time zones": ([
        ("final", {"lastUpdated": "2024-04-01T12:00:00+02:00"}, 1),
        ("final", {"lastUpdated": "2024-04-01T11:00:00Z"}, 2),
    ], [2]),
    "by the status alone": ([("corrected", {}, 2), ("final", {}, 1)], [2]),
    "entered in error": ([("final", V[1], 1), ("entered-in-error", V[2], 1)], []),
    "entered in error, and no time": ([("entered-in-error", {}, 1), ("final", {}, 1)], []),
    "entered in error, then mended": ([("entered-in-error", V[1], 1), ("final", V[2], 2)], [2]),
    "preliminary, then final": ([("preliminary", V[1], 1), ("final", V[2], 2)], [2]),
    "final, then cancelled": ([("final", V[1], 1), ("cancelled", V[2], 2)], []),
    "three of them": ([("final", V[1], 1), ("amended", V[2], 2), ("amended", V[3], 3)], [3]),
    "the same copy twice": ([("final", V[1], 1), ("final", V[1], 1)], [1]),
    "the same copy without a version": ([("final", {}, 1), ("final", {}, 1)], [1]),
    "two that nothing orders": ([("final", {}, 1), ("final", {}, 2)], [float("nan")]),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(LATEST))
@pytest.mark.parametrize("apart", [False, True])
def test_the_latest_version_counts_once(tmp_path: Path, name: str, apart: bool) -> None:
    told, expected = LATEST[name]
    found = versions(*told)
    other = {**length(9, "h", "2024-03-30"), "id": "o2"}
    files = {"p0.ndjson": lines(*found, other)}
    if apart:
        files = {
            f"p{i}.ndjson": lines(one, *([other] if not i else [])) for i, one in enumerate(found)
        }
    table, _, accounts = read(tmp_path, files, LENGTHS)
    kept = table["usual_duration_hours"].tolist()
    assert kept[:-1] == pytest.approx(expected, nan_ok=True)
    assert kept[-1] == 9
    assert sum(a.rows_in for a in accounts.values()) == len(expected) + 1


def test_the_same_id_of_two_people_is_two_resources(tmp_path: Path) -> None:
    found = [
        {**observation(p, valueQuantity={"value": 3, "code": "h"}), "id": "1"} for p in ("P1", "P2")
    ]
    table, _, _ = read(tmp_path, {"o.ndjson": lines(*found)}, LENGTHS)
    assert table["patient_id"].tolist() == ["P1", "P2"]


def test_what_a_history_deleted_is_gone(tmp_path: Path) -> None:
    found = [{**length(i, "h", f"2024-03-1{i}"), "id": f"o{i}", "meta": V[i]} for i in (1, 2)]
    document = bundle(*found)
    deleted = {
        "request": {"method": "DELETE", "url": "Observation/o1"},
        "response": {"lastModified": "2024-05-01T00:00:00Z"},
    }
    document["entry"].append(deleted)
    table, _, _ = read(tmp_path, {"o.json": document}, LENGTHS)
    assert table["usual_duration_hours"].tolist() == [2]


def test_a_line_stays_the_place_of_a_resource_where_versions_are_gone(tmp_path: Path) -> None:
    found = versions(("final", V[1], 1), ("final", V[2], 2))
    document = lines(*found, length("8/10", "", "2024-03-20"))
    _, quarantine, accounts = read(tmp_path, {"o.ndjson": document}, LENGTHS)
    assert quarantine[["line", "rule"]].values.tolist() == [[3, "not_a_number"]]
    assert say(accounts["o.ndjson"].note) == "3 resources; ignored: 1 older version or second copy"


NEXT = [{"relation": "next", "url": f"https://{TOKEN}.org"}]


@pytest.mark.parametrize(
    ("pages", "whole"),
    [
        ([{"link": NEXT}, {}], True),
        ([{"link": NEXT, "total": 2}, {"total": 2}], True),
        ([{"link": NEXT}], False),
        ([{"link": NEXT}, {"link": NEXT}], False),
        ([{"link": NEXT, "total": 3}, {"total": 3}], False),
    ],
)
def test_a_page_that_is_not_there_is_missed(
    tmp_path: Path, pages: list[dict[str, Any]], whole: bool
) -> None:
    files = {
        f"p{i}.json": bundle(length(i + 1, "h", f"2024-03-1{i}"), **page)
        for i, page in enumerate(pages)
    }
    entry = {**LENGTHS, "fhir": {"resource": "Observation", "incomplete": True}}
    table, _, accounts = read(tmp_path, files, entry)
    assert len(table) == len(pages)
    assert ("further pages" in say(accounts["p0.json"].note)) is not whole
    if whole:
        read(tmp_path, files, LENGTHS)
    else:
        assert refusals(tmp_path, files, LENGTHS) == [("page_missing", "")]


def test_a_reason_for_an_absent_answer_is_no_zero(tmp_path: Path) -> None:
    unknown = {
        "coding": [
            {
                "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
                "code": "unknown",
            }
        ]
    }
    found = [
        length(2, "h"),
        observation(day="2024-03-18", dataAbsentReason=unknown),
        observation(
            day="2024-03-19", dataAbsentReason=unknown, valueQuantity={"value": 0, "code": "h"}
        ),
        observation(day="2024-03-20", valueCodeableConcept=unknown),
        observation(day="2024-03-21", hasMember=[{"reference": "Observation/x"}]),
        observation(day="2024-03-22", valueQuantity={"code": "h"}),
    ]
    table, quarantine, _ = read(tmp_path, {"o.ndjson": lines(*found)}, LENGTHS)
    assert table["usual_duration_hours"].isna().tolist() == [False] + [True] * 5
    assert quarantine.empty


def test_several_different_numbers_are_no_answer(tmp_path: Path) -> None:
    def several(day: int, *answers: int) -> dict[str, Any]:
        given = [{"valueInteger": a} for a in answers]
        items = [
            {"linkId": "h", "answer": [{"valueBoolean": True}]},
            {"linkId": "i", "answer": given},
        ]
        return response(items, authored=f"2024-03-{day:02}")

    document = lines(several(1, 5), several(2, 5, 7), several(3, 5, 5))
    table, quarantine, _ = read(tmp_path, {"q.ndjson": document}, DIARY, "diary")
    assert table["intensity"].isna().tolist() == [False, True, False]
    assert quarantine[["line", "rule"]].values.tolist() == [[2, "not_a_number"]]


@pytest.mark.parametrize("kept", ["diary", "http://example.org/Questionnaire/diary", "diary|1.2"])
def test_a_questionnaire_is_named_in_short_or_in_full(tmp_path: Path, kept: str) -> None:
    other = day_of(2, False, 1, questionnaire="http://example.org/Questionnaire/other")
    entry = {**DIARY, "keep_where": {"questionnaire": [kept]}}
    table, _, _ = read(tmp_path, {"q.ndjson": lines(day_of(1, True, 5), other)}, entry, "diary")
    assert table["intensity"].tolist() == [5]


HOSTILE: dict[str, tuple[str | bytes, str, int | None]] = {
    "cut off": (json.dumps(bundle(observation(valueString=TOKEN)), indent=1)[:-60], "damaged_json", None),
    "a line that is no JSON": (json.dumps(observation()) + f'\n{{"resourceType": {TOKEN}}}\n', "damaged_json", 2),
    "text": (f"code,day\n{TOKEN},1\n", "damaged_json", 1),
    "nothing": ("", "damaged_json", 1),
    "too deep": ("[" * 200_000, "damaged_json", 1),
    "a number": ("5", "not_fhir", None),
    "other JSON": (json.dumps({"records": [{"name": TOKEN}]}), "not_fhir", None),
    "a list of lists": (json.dumps([[[TOKEN]]]), "not_fhir", None),
    "no resource of the kind": (json.dumps(bundle({"resourceType": TOKEN}, None, 5)), "empty_file", None),
    "an empty bundle": (json.dumps(bundle()), "empty_file", None),
    "UTF-16": (json.dumps(bundle(observation())).encode("utf-16"), "encoding", None),
    "a real date": (json.dumps(bundle(observation(valueDateTime="2024-03-17"))), "full_date", None),
    "an e-mail": (json.dumps(bundle(observation(valueString=f"{TOKEN}@example.org"))), "email", None),
    "a link that names a patient": (json.dumps(bundle(observation(valueString=f"https://{TOKEN}.org"))), "url", None),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_file_is_refused(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content, rule, line = HOSTILE[name]
    data = content if isinstance(content, bytes) else content.encode()
    folder = write_clinic(
        tmp_path / "c", {"o.json": data}, {"sessions": {"path": "o.json", **SPEC}}
    )
    with pytest.raises((InputError, RefusedError)) as caught:
        ingest(folder)
    (problem,) = caught.value.problems
    assert problem.rule == rule
    assert line is None or problem.line == line
    assert cli.main(["check", str(folder)]) == caught.value.exit_code
    shown = str(caught.value) + "".join(capfd.readouterr())
    assert "Traceback" not in shown
    assert TOKEN.lower() not in shown.lower()


def test_parts_of_the_wrong_kind_are_no_values(tmp_path: Path) -> None:
    odd = observation(code=[1], subject="P1", effectiveDateTime=[], component={"code": 1})
    rows, _ = flat(tmp_path, bundle(odd, observation(component=[1, {"code": {"coding": 3}}])))
    assert rows[0]["patient"] == rows[0]["code"] == rows[0]["effective"] == ""
    assert rows[1]["component.(no code)"] == ""
    rows, _ = flat(
        tmp_path, response([3, {"item": 4}, {"linkId": 5, "answer": [6]}]), "QuestionnaireResponse"
    )
    assert rows[0]["patient"] == "P1"


def test_a_damaged_packed_file_is_refused(tmp_path: Path) -> None:
    raw = tmp_path / "o.ndjson.gz"
    lines = "".join(json.dumps(observation(f"P{i}")) + "\n" for i in range(3000))
    raw.write_bytes(gzip.compress(lines.encode())[:3000])
    with pytest.raises(InputError) as caught:
        flatten(raw, tmp_path / "o.csv", resource="Observation")
    assert caught.value.problems[0].rule == "damaged_gzip"


def test_json_without_a_kind_of_resource_is_refused(tmp_path: Path) -> None:
    spec = {k: v for k, v in SPEC.items() if k != "fhir"}
    folder = write_clinic(
        tmp_path / "c",
        {"o.json": json.dumps(bundle(observation()))},
        {"sessions": {"path": "o.json", **spec}},
    )
    with pytest.raises(InputError) as caught:
        ingest(folder)
    assert [p.rule for p in caught.value.problems] == ["fhir_undeclared"]


def test_dates_that_nobody_declared_shifted_are_refused(tmp_path: Path) -> None:
    columns = {"patient_id": "patient", "day": "item.day"}
    items = [{"linkId": "day", "answer": [{"valueInteger": 4}]}]
    spec = {
        "path": "o.json",
        "fhir": {"resource": "QuestionnaireResponse"},
        "columns": {**columns, "headache": "item.day"},
    }
    files = {"o.json": json.dumps(bundle(response(items)))}
    folder = write_clinic(tmp_path / "c", files, {"sessions": {**spec, "columns": columns}})
    with pytest.raises(RefusedError) as caught:
        ingest(folder)
    assert [(p.rule, p.column) for p in caught.value.problems] == [("full_date", "authored")]
    folder = write_clinic(
        tmp_path / "d", files, {"sessions": {**spec, "columns": columns, "drop": ["authored"]}}
    )
    _, _, out = ingest(folder)
    assert len(read_parquet(out / "sessions.parquet")) == 1


def test_odd_parts_anywhere_end_in_rows_or_a_refusal(tmp_path: Path) -> None:
    draw = random.Random(5)
    part = {"code": {"coding": [{"code": "x"}]}, "valueQuantity": {"value": 1, "code": "h"}}
    items = [{"linkId": "1", "item": [{"linkId": "2", "answer": [{"valueInteger": 1}]}]}]
    whole = bundle(observation(component=[part]), response(items), observation(valueInteger=1))

    def spoil(node: Any) -> Any:
        if draw.random() < 0.06:
            return draw.choice([None, 5, True, "x", [], {}, [1], {"a": 1}, [None]])
        if isinstance(node, dict):
            return {key: spoil(value) for key, value in node.items()}
        return [spoil(value) for value in node] if isinstance(node, list) else node

    ends = {"rows": 0, "not_fhir": 0}
    for i in range(300):
        try:
            flat(tmp_path, spoil(whole), ("Observation", "QuestionnaireResponse")[i % 2])
            ends["rows"] += 1
        except InputError as error:
            ends[error.problems[0].rule] += 1
    assert min(ends.values()) > 0
