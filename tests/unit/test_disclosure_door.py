"""Nothing about a clinic reaches `results/` but through `disclosure.release`."""

from __future__ import annotations

import ast
import json
import re
import struct
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from headway import disclosure, tables
from headway.config import write_settings
from headway.config.clinic import Clinic
from headway.disclosure import PRESETS, Preset, choose_preset, release
from headway.messages import Message
from tests.conftest import ROOT
from tests.unit.simulated_clinic import CLINIC, printed, simulated
from tests.unit.twin_clinics import make_twin

SCRIPTS = ROOT / "workflow" / "scripts"
PLANTED = 7717.25  # a value that nothing else in a clinic has


class Named(SimpleNamespace):
    """Files of a job, by name or by key."""

    def __getitem__(self, key: str) -> str:
        return getattr(self, key)


def report(found: dict[str, pd.DataFrame], clinic: Clinic, folder: Path) -> dict[str, bytes]:
    """Run the workflow's own script; returns every file it wrote."""
    if str(SCRIPTS) not in sys.path:
        sys.path.insert(0, str(SCRIPTS))
    script = __import__("report_clinic")
    raw, results = folder / "processed", folder / "results"
    raw.mkdir(parents=True)
    results.mkdir()
    for name, frame in found.items():
        tables.write_csv(frame, raw / f"{name}.csv")
    (raw / "clinic.json").write_text(write_settings(clinic))
    status = {"name": "clinic", "state": "ready", "problems": []}
    (raw / "status.json").write_text(json.dumps(status))
    names = {name: f"{name}.csv" for name in found}
    inputs = {n: str(raw / f) for n, f in names.items()}
    inputs |= {"clinic": str(raw / "clinic.json"), "status": str(raw / "status.json")}
    outputs = {n: str(results / f) for n, f in names.items()}
    outputs |= {
        "page": str(results / "audit.html"),
        "brief": str(results / "brief.html"),
        "brief_pdf": str(results / "brief.pdf"),
        "figures": str(results / "figures"),
        "card": str(results / "card.json"),
    }
    script.main(SimpleNamespace(input=Named(**inputs), output=Named(**outputs)))
    return {
        str(p.relative_to(results)): p.read_bytes()
        for p in sorted(results.rglob("*"))
        if p.is_file()
    }


def tamper(found: dict[str, pd.DataFrame], preset: str) -> dict[str, pd.DataFrame]:
    """Change whatever release() withholds, and nothing that it lets pass."""
    rules = choose_preset(preset)
    out = release(found, rules)
    changed = make_twin(found, out, rules).tables
    cohort = changed["cohort"]
    hidden = out["cohort"]["redacted"].to_numpy()
    assert hidden.any()
    cohort.loc[hidden, ["estimate", "ci_low", "ci_high"]] = PLANTED
    reworded = out["cohort"]["note"].fillna("") != cohort["note"].fillna("")
    cohort.loc[hidden & reworded, "note"] = Message("assumed.therapists", n=PLANTED)
    means = changed["window_means"]
    gone = out["window_means"]["redacted"].to_numpy()
    means.loc[gone, ["mean", "ci_low", "ci_high"]] = PLANTED
    quartiles = out["window_means"]["p25"].isna().to_numpy()
    means.loc[quartiles, ["p25", "p75"]] = PLANTED
    lost = changed["lost"]
    numbers = ["value_analysed", "value_lost", "difference", "ci_low", "ci_high"]
    for column in numbers:
        lost.loc[out["lost"]["redacted"] & out["lost"][column].isna(), column] = PLANTED
    changed["change_lines"].loc[:, ["pre", "post"]] = PLANTED
    flow = changed["flow"]
    single = (flow["step"] == "quarantined") & flow["n"].between(1, 4)
    assert single.any()  # the simulator's typing errors
    for item in flow.loc[single, "item"]:
        own = (flow["item"] == item) & (flow["account"] == "rows")
        flow.loc[own & flow["step"].isin(["in_the_file", "quarantined"]), "n"] += 2
        flow.loc[own, "of"] += 2
    return changed


@pytest.fixture(scope="module", params=["opensafely", "cms"])
def written(request, tmp_path_factory) -> tuple[str, dict[str, bytes], dict[str, bytes]]:
    """Write the results of a clinic, and of one that differs only in what is withheld."""
    clinic, found = simulated(*CLINIC)
    clinic = replace(clinic, disclosure=request.param, synthetic=False)
    folder = tmp_path_factory.mktemp("door")
    changed = tamper(found, request.param)
    return (
        request.param,
        report(found, clinic, folder / "a"),
        report(changed, clinic, folder / "b"),
    )


def test_what_is_withheld_changes_no_byte_of_the_results(written) -> None:
    """Tables, page, figures and alt texts are the same whatever the hidden numbers are."""
    _, first, second = written
    assert {
        "audit.html",
        "brief.html",
        "brief.pdf",
        "cohort.csv",
        "figures/change_frequency.svg",
    } <= set(first)
    assert list(first) == list(second)
    assert [name for name in first if first[name] != second[name]] == []
    for name, content in second.items():
        assert b"7717" not in content, name


def test_the_tables_are_those_of_release(written) -> None:
    preset, first, _ = written
    found = simulated(*CLINIC)[1]
    out = release(found, choose_preset(preset))
    for name, frame in out.items():
        text = frame.to_csv(index=False, float_format="%.12g", lineterminator="\n")
        assert first[f"{name}.csv"].decode() == text


def test_alt_texts_and_the_page_print_released_counts_only(written) -> None:
    preset, first, _ = written
    out = printed(preset)
    page = first["audit.html"].decode()
    described = re.findall(r"<desc[^>]*>(.*?)</desc>", page, re.DOTALL)
    assert described
    bins = out["change_histogram"]
    shown = set(bins["n"].dropna()) | set(out["cohort"]["count"].dropna())
    for text in described:
        assert f"1 to {PRESETS[preset].redact_up_to}" not in text
        for counts in re.findall(r"People by change: (.*?)\.$", unescape(text)):
            for cell in counts.split("; "):
                value = cell.rsplit(": ", 1)[1]
                assert value == "hidden" or float(value) in shown


def allowed(text: str, preset: str) -> bool:
    """Whether a printed count may stand: 0, or above the limit and rounded; else it is hidden."""
    rules = choose_preset(preset)
    if not re.fullmatch(r"[\d  ]+", text):
        return bool(re.match(r"hidden|–|≤ \d+$|$", text))
    n = int(re.sub(r"\D", "", text))
    return n == 0 or (n > rules.redact_up_to and n % rules.round_to == 0)


def cells(page: str, heads: set[str]) -> list[tuple[str, str]]:
    """Cells of all tables of a page in columns of these heads, each with its head."""
    out = []
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        rows = [
            [unescape(re.sub(r"<[^>]+>", "", c)).strip() for c in re.findall(_CELL, r, re.DOTALL)]
            for r in re.findall(r"<tr.*?</tr>", table, re.DOTALL)
        ]
        for row in rows[1:]:
            if len(row) == len(rows[0]):
                out += [(h, c) for h, c in zip(rows[0], row, strict=True) if h in heads]
    return out


_CELL = r"<t[hd][^>]*>(.*?)</t[hd]>"
_COUNTS = {
    "n",
    "People",
    "Of",
    "Of those who started",
    "Count",
    "At risk",
    "started",
    "in the file",
}
_COUNTS |= {"kept", "quarantined", "not selected", "not analysed", "any record before"}
_COUNTS |= {"complete before", "any record after", "complete after"}
_COUNTS |= {"analysed: complete on both sides", "at least 50 % better", "neither"}


def test_every_count_on_the_page_is_zero_hidden_or_rounded(written) -> None:
    """Cells, prose and alt texts of a clinic with small cells; published samples are round."""
    preset, first, _ = written
    page = first["audit.html"].decode()
    found = cells(page, _COUNTS)
    assert len(found) > 300
    assert {h for h, _ in found} >= {"n", "People", "Of", "Count", "kept", "started"}
    wrong = [(h, c) for h, c in found if not allowed(c, preset)]
    assert wrong == []
    text = re.sub(r"<(style|script)[^>]*>.*?</\1>", " ", page, flags=re.DOTALL)
    # Cells stay apart: a head "n" before "4 weeks before" is no number of people.
    text = re.sub(r"</t[hd]>|</caption>", " | ", text)
    text = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))
    # The rule itself, thresholds of rules, and items of a checklist.
    text = re.sub(r"1 to \d+ |in 19 of 20 people|at least 5 people|STROBE \d+", " ", text)
    text = re.sub(r"(no BCa interval below|fewer than|bootstrap \(from) \d+ people", " ", text)
    said = re.findall(r"\bn (\d+)\b", text)
    said += re.findall(r"\b(\d+) (?:of \d+ )?(?:people|patients|starters|responders)\b", text)
    said += [n for pair in re.findall(r"\b(\d+) of (\d+) people\b", text) for n in pair]
    assert said
    assert [n for n in said if not allowed(n, preset)] == []


def test_figures_are_drawn_from_released_tables_only(tmp_path: Path, monkeypatch) -> None:
    """What the script hands to the figures and to the page is what `release` returned."""
    if str(SCRIPTS) not in sys.path:
        sys.path.insert(0, str(SCRIPTS))
    script = __import__("report_clinic")
    handed: list[dict[str, pd.DataFrame]] = []

    def draw(released: dict[str, pd.DataFrame], clinic: Clinic, preset: Preset) -> dict:
        handed.append(released)
        return {}

    def build(clinic, status, released, saved, preset) -> tuple[str, dict]:
        handed.append(released)
        return "", {}

    monkeypatch.setattr(script.figures, "draw_clinic", draw)
    monkeypatch.setattr(script.report, "build", build)
    clinic, found = simulated(*CLINIC)
    report(found, replace(clinic, disclosure="opensafely", synthetic=False), tmp_path)
    assert len(handed) == 2
    out = printed("opensafely")
    for tables_ in handed:
        assert set(tables_) == set(out)
        for name, frame in tables_.items():
            pd.testing.assert_frame_equal(frame, out[name], rtol=1e-9)


def test_figures_carry_no_metadata(written) -> None:
    _, first, _ = written
    images = [c for n, c in first.items() if n.endswith(".png")]
    drawings = [c.decode() for n, c in first.items() if n.endswith(".svg")]
    assert images
    assert len(images) == len(drawings)
    for content in images:
        kinds, at = [], 8
        while at < len(content):
            length, kind = struct.unpack(">I4s", content[at : at + 8])
            kinds.append(kind.decode())
            at += length + 12
        assert set(kinds) <= {"IHDR", "pHYs", "IDAT", "IEND"}  # size, resolution, pixels
    for svg in drawings:
        assert "<metadata" not in svg
        assert "<!--" not in svg.split(">", 1)[0]
        assert not re.search(r"Matplotlib|/home/|/tmp/|20\d\d-\d\d-\d\dT", svg)


def test_only_one_rule_writes_a_clinics_results() -> None:
    """Every other rule of a clinic writes to `processed`, and this one runs the script below."""
    text = (ROOT / "workflow" / "rules" / "clinics.smk").read_text()
    rules = dict(re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", text, re.MULTILINE | re.DOTALL))
    assert {"ingest_clinic", "analyse_clinic", "report_clinic"} <= set(rules)
    writers = [name for name, body in rules.items() if "RESULTS" in body]
    assert writers == ["report_clinic"]
    assert '"../scripts/report_clinic.py"' in rules["report_clinic"]


def test_the_script_reads_tables_only_to_release_them() -> None:
    """In the script, what `read_csv` gives goes to the door alone."""
    tree = ast.parse((SCRIPTS / "report_clinic.py").read_text())

    def calls(node: ast.AST, name: str) -> list[ast.Call]:
        return [
            n
            for n in ast.walk(node)
            if isinstance(n, ast.Call) and ast.unparse(n.func).split(".")[-1] == name
        ]

    doors = calls(tree, "release")
    assert len(doors) == 1
    # Beside the tables only the list for the clinic's own eyes, which `internal` alone writes.
    assert len(calls(tree, "read_csv")) == 2
    (own,) = [n for n in ast.walk(tree) if isinstance(n, ast.If) and calls(n, "write_patients")]
    assert "preset.name == 'internal'" in ast.unparse(own.test)
    assert len(calls(own, "read_csv")) == 1
    used = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "found"]
    inside = [n for n in ast.walk(doors[0]) if n in used]
    assert len(calls(tree, "choose_preset")) == 1 and len(used) == 1 + len(inside) == 2
    assert not calls(tree, "read_parquet")
    for name in ("draw_clinic", "build"):
        for call in calls(tree, name):
            assert "released" in ast.unparse(call)


def test_figures_and_pages_open_no_file_of_a_clinic() -> None:
    for room in ("figures", "report"):
        for path in (ROOT / "src" / "headway" / room).rglob("*.py"):
            if path.parent.name == "manuscript":  # of reviews
                continue
            text = path.read_text()
            assert not re.search(r"read_(csv|parquet)\(", text), path.name


def test_the_notebook_reads_released_tables_only() -> None:
    book = json.loads((ROOT / "notebooks" / "audit_a_clinic.ipynb").read_text())
    code = "\n".join("".join(c["source"]) for c in book["cells"] if c["cell_type"] == "code")
    reads = re.findall(r"read_(?:csv|parquet)\((.*)\)", code)
    assert reads
    assert all("RESULTS" in r for r in reads)
    assert "processed" not in code


def test_a_table_without_a_rule_does_not_pass() -> None:
    for preset in PRESETS.values():
        with pytest.raises(KeyError, match="no disclosure rule"):
            release({"windows": tables.empty("windows")}, preset)
    assert "windows" not in disclosure.RULES
    assert "change" not in disclosure.RULES


def test_no_single_person_is_printed() -> None:
    for preset in ("opensafely", "cms"):
        out = printed(preset)
        assert not len(out["change_lines"])
        few = out["window_means"]["n"] <= 4 * PRESETS[preset].redact_up_to
        assert out["window_means"].loc[few, ["p25", "p75"]].isna().all(axis=None)
        bins = out["change_histogram"].groupby(["outcome", "comparison"])
        assert np.isinf(bins["bin_low"].min()).all()
        assert np.isinf(bins["bin_high"].max()).all()
