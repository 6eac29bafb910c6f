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
from headway.errors import InputError, RefusedError
from headway.ingest.adapters.fhir import flatten
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
    assert say(account.note) == "6 resources, ignored: 1 of a patient, 1 of another status"


def test_one_code_in_two_units_is_refused_until_the_rows_are_told_apart(tmp_path: Path) -> None:
    def length(value: float, unit: str, day: str) -> dict[str, Any]:
        return observation(day=day, valueQuantity={"value": value, "code": unit})

    document = json.dumps(
        bundle(length(2, "h", "2024-03-17"), length(90, "min", "2024-03-18"), observation())
    )
    entry = {
        **SPEC,
        "path": "o.json",
        "columns": {"patient_id": "patient", "usual_duration_hours": "value"},
    }
    folder = write_clinic(tmp_path / "c", {"o.json": document}, {"sessions": entry})
    with pytest.raises(InputError) as caught:
        ingest(folder)
    assert [(p.rule, p.column) for p in caught.value.problems] == [("mixed_units", "unit")]
    hours = {**entry, "keep_where": {"unit": ["h"]}}
    minutes = {
        **entry,
        "keep_where": {"unit": ["min"]},
        "columns": {
            "patient_id": "patient",
            "usual_duration_hours": {"column": "value", "unit": "minutes"},
        },
    }
    folder = write_clinic(tmp_path / "d", {"o.json": document}, {"sessions": [hours, minutes]})
    _, _, out = ingest(folder)
    assert read_parquet(out / "sessions.parquet")["usual_duration_hours"].tolist() == [2, 1.5]


def test_a_page_of_several_is_said(tmp_path: Path) -> None:
    link = [{"relation": "next", "url": f"https://{TOKEN}"}]
    _, made = flat(tmp_path, bundle(observation(), link=link))
    assert made.notes == ("account.next_page",)


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

    ends = {"rows": 0, "empty_file": 0, "not_fhir": 0}
    for i in range(300):
        try:
            flat(tmp_path, spoil(whole), ("Observation", "QuestionnaireResponse")[i % 2])
            ends["rows"] += 1
        except InputError as error:
            ends[error.problems[0].rule] += 1
    assert min(ends.values()) > 0
