"""A clinic and a review with what would break out of its place in every free field."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml

from headway.config.clinic import Clinic
from headway.config.review import Review
from headway.config.schema import hints_of, key_of, split
from headway.simulate import simulate_clinic, write_clinic, write_settings

RUN = "window.hit=1"
# Each is a way out of one kind of place: an element, an attribute, a path, a cell, a line, a
# template, a format, a message of the catalogue, a string of R.
SHORT = (
    f"<script>{RUN}</script>",
    f'"><img src=x onerror="{RUN}">',
    f"'><svg onload={RUN}>",
    f"</title></style><script>{RUN}</script>",
    "../../../escaped",
    "..\\..\\escaped",
    '=HYPERLINK("x","y")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd",
    "@SUM(A1:A9)",
    "\t=1+1",
    "＝1+1",
    " =1+1",
    "\u202e21 fo 12\u2066",
    "עברית 12 العربية",
    "🙂👩🏽‍⚕️",
    "{{ 7*7 }}{% raw %}",
    "$x^{$ %s {0} {n}",
    'unit.per_day{"x":1}',
    "answer.the_answer_in_three_sentences",
    f"javascript:{RUN}",
    "<!-- --> ]]> &lt;b&gt; <b>",
    '"); system("touch escaped") #',
    "a,b;c\"d'e\\",
    "'=already",
)
LINES = "one\ntwo\r\n\nfour"
LONG = f"<b>{'10 000 letters ' * 666}"
EVERYTHING = " ".join((*SHORT, LINES))
# Texts that name something: a column, a window, a file, a code. They are tried apart.
NAMES = {
    *(
        "path",
        "column",
        "columns",
        "checkboxes",
        "list",
        "format",
        "blank",
        "window",
        "pre",
        "post",
    ),
    *(
        "delimiter",
        "encoding",
        "sheet",
        "outcomes",
        "instrument",
        "events",
        "outcome",
        "subgroup",
        "trial",
    ),
    *("timepoint", "treatment_arm", "control_arm", "arm", "condition", "baseline", "value"),
    *("blank_means_missing", "model", "moderator", "level", "treatment", "base"),
}


def fill(kind: Any, document: dict[str, Any], text: str) -> dict[str, Any]:
    """Put a text into every free field of a class of settings, and of what it holds."""
    out = dict(document)
    for field in fields(kind):
        key, (hint, notes) = key_of(field), split(hints_of(kind)[field.name])
        wanted = hint
        if get_origin(hint) in (Union, UnionType):
            wanted = next(a for a in get_args(hint) if a is not type(None))
        wanted, more = split(wanted)
        ruled = any(n.pattern or n.allowed for n in (*notes, *more))
        if wanted is str and not ruled and key not in NAMES:
            out[key] = text
        elif is_dataclass(wanted) and key in out and isinstance(out[key], dict):
            out[key] = fill(wanted, out[key], text)
        elif get_origin(wanted) is tuple and key in out:
            inner, said = split(get_args(wanted)[0])
            ruled = ruled or any(n.pattern or n.allowed for n in said)
            if is_dataclass(inner):
                out[key] = [fill(inner, one, text) for one in out[key]]
            elif inner is str and key not in NAMES and not ruled:
                out[key] = [text]
        elif get_origin(wanted) not in (Literal, None) and isinstance(out.get(key), dict):
            inner, _ = split(get_args(wanted)[-1])
            if is_dataclass(inner):
                out[key] = {
                    k: fill(inner, v, text) if isinstance(v, dict) else v
                    for k, v in out[key].items()
                }
            elif get_origin(inner) is tuple and is_dataclass(get_args(inner)[0]):
                part = get_args(inner)[0]
                out[key] = {k: fill(part, v, text) for k, v in out[key].items()}
    return out


def change_cells(text: str, changes: Mapping[str, Mapping[str, str]]) -> str:
    """Replace cells of a CSV by column: old -> new."""
    rows = list(csv.DictReader(io.StringIO(text)))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: changes.get(k, {}).get(v, v) for k, v in row.items()})
    return out.getvalue()


def write_hostile_clinic(folder: Path, text: str, cells: tuple[str, ...] = SHORT) -> Path:
    """Write a clinic of simulated people with a text in every field and others in its cells."""
    made = simulate_clinic(n_patients=60, seed=5, scenario="therapist_outlier")
    write_clinic(made, folder)
    write_settings(made, folder)
    document = yaml.safe_load((folder / "clinic.yaml").read_text(encoding="utf-8"))
    document["id"], document["disclosure"] = folder.name, "public"
    document["bootstrap"] = {"replicates": 200}
    document["sensitivity"] = {"imputations": 2, "cycles": 1}
    document["windows"] = {
        "named": {
            name: {"from": first, "to": first + 27, "label": ""}
            for name, first in (
                ("earlier", -56),
                ("baseline", -28),
                ("post", 56),
                ("followup_1", 84),
            )
        }
    }
    document["comparisons"] = [
        {"id": "primary", "pre": "baseline", "post": "post", "primary": True},
        {"id": "later", "pre": "baseline", "post": "followup_1"},
    ]
    document["individual"] = {}
    document["expected"] = {"cutoff": {"days": 4, "population_sd": 5}, "leave_out": [""]}
    document["benchmark"] = {"own_trial": [""]}
    document["charts"] = {"notes": [{"month": 2, "text": ""}]}
    reason = {"up_to": 0.9, "reason": text}
    for name in ("patients", "sessions", "diary", "questionnaires"):
        document["files"][name]["loss"] = dict(reason)
    # A column and a file whose names are hostile too.
    sessions = document["files"]["sessions"]
    own = (folder / "sessions.csv").read_text(encoding="utf-8")
    names = {"therapist": f"=<img src=x onerror={RUN}>", "adverse_event": "@\u202eevent"}
    head = own.split("\n", 1)[0]
    header = [names.get(c, c) for c in head.split(",")]
    for canonical, name in names.items():
        sessions["columns"][canonical] = {"column": name, "loss": dict(reason)}
    sessions["path"] = f"=<img src=x onerror={RUN}>.csv"
    (folder / "sessions.csv").unlink()
    people = sorted({row["therapist"] for row in csv.DictReader(io.StringIO(own))} - {""})
    events = sorted({row["adverse_event"] for row in csv.DictReader(io.StringIO(own))})
    drugs = sorted({row["drug"] for row in csv.DictReader(io.StringIO(own))} - {"", "NA"})
    events = [e for e in events if e not in ("", "NA", "none")]
    changed = change_cells(
        own,
        {
            "therapist": dict(zip(people, cells, strict=False)),
            "adverse_event": dict(zip(events, reversed(cells), strict=False)),
            "drug": dict(zip(drugs, reversed(cells), strict=False)),
        },
    )
    body = changed.split("\n", 1)[1]
    first = io.StringIO()
    csv.writer(first, lineterminator="\n").writerow(header)
    (folder / sessions["path"]).write_text(first.getvalue() + body, encoding="utf-8")
    asked = (folder / "questionnaires.csv").read_text(encoding="utf-8")
    kinds = sorted({row["instrument"] for row in csv.DictReader(io.StringIO(asked))})
    asked = change_cells(asked, {"instrument": dict(zip(kinds, cells, strict=False))})
    (folder / "questionnaires.csv").write_text(asked, encoding="utf-8")
    document = fill(Clinic, document, text)
    (folder / "clinic.yaml").write_text(
        yaml.safe_dump(document, allow_unicode=True), encoding="utf-8"
    )
    return folder


def write_hostile_review(folder: Path, text: str, cells: tuple[str, ...] = SHORT) -> Path:
    """Write a review with a text in every field, and others in its trials, arms and sources."""
    folder.mkdir(parents=True)
    columns = (
        "trial,year,arm,role,technique,comparator,condition,outcome,unit,instrument,timepoint,"
        "time_days,kind,n,mean,sd,status,source,note,doi"
    )
    rows = [columns.split(",")]
    for i in range(12):
        trial, arm, source = (cells[(i + at) % len(cells)] for at in (0, 7, 13))
        shared = ["frequency", "days_per_28", cells[(i + 3) % len(cells)], "3 months", "84"]
        for role, mean in (("treatment", 8 - i / 7), ("control", 10 + i / 9)):
            what = ["manual", ""] if role == "treatment" else ["", "usual_care"]
            rows.append(
                [
                    *(f"{trial} {i}", str(2001 + i), f"{arm} {role}", role, *what),
                    *(cells[(i + 5) % len(cells)], *shared, "final", str(20 + i), f"{mean:.2f}"),
                    *("4.5", "retrieved", source, cells[(i + 17) % len(cells)], trial),
                ]
            )
    judged = [["trial", "domain", "judgement", "support", "signed_by"]]
    judged += [
        [row[0], "randomisation", "low", cells[i % len(cells)], text]
        for i, row in enumerate(rows[1::2])
    ]
    printed = [
        [
            "outcome",
            "subgroup",
            "unit",
            "k",
            "effect",
            "ci_low",
            "ci_high",
            "source",
            "status",
            "timepoint",
            "positive_means",
        ]
    ]
    printed += [
        [
            "frequency",
            c,
            "days_per_28",
            "3",
            f"-{i}.5",
            f"-{i + 1}.5",
            f"-{i}.1",
            c,
            "retrieved",
            c,
            "treatment_minus_control",
        ]
        for i, c in enumerate(cells[:6], 1)
    ]
    for name, table in (("arms", rows), ("risk", judged), (f"=<b>{RUN}", printed)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(table)
    document: dict[str, Any] = {
        "schema_version": 1,
        "id": folder.name,
        "question": {},
        "outcomes": {"frequency": {"unit": "days_per_28"}},
        "limitations": [""],
        "tolerance": {},
        "files": {
            "arms": {"path": "arms.csv"},
            "risk_of_bias": {"path": "risk.csv"},
            "pooled": {"path": f"=<b>{RUN}.csv"},
        },
        "comparisons": [
            {
                "id": "usual_care",
                "outcome": "frequency",
                "estimand": "between_arm",
                "measure": "MD",
                "subgroup_by": "condition",
                "leave_out": {f"{cells[1]} 1": text},
            }
        ],
        "published": [
            {
                "id": "main",
                "estimate": "-3.1",
                "ci": ["-4.0", "-2.2"],
                "unit": "days_per_28",
                "recompute": {"comparison": "usual_care"},
            }
        ],
        "flow": {"databases": 100, "excluded_reasons": {text: 3}},
        "findings": [
            {
                "comparison": "usual_care",
                "meaningful": {"value": 1},
                "control": {"mean": 10},
                "judgements": {"risk_of_bias": {"levels": -1}},
                "certainty": "low",
            }
        ],
        "consistency": [{"id": "ways", "outcomes": ["frequency"]}],
    }
    document = fill(Review, document, text)
    (folder / "review.yaml").write_text(
        yaml.safe_dump(document, allow_unicode=True), encoding="utf-8"
    )
    return folder
