"""Pages, figures and notebooks are made of released tables, and of nothing else of the records.

Two clinics differ before disclosure control and have one release (`twin_clinics.py`). That
`test_disclosure_door.py` finds every page, figure and table of both the same, byte for byte, is
worth as much as the differences between them, and as what the comparison would notice.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from headway import config, tables
from headway.config.clinic import Clinic
from headway.disclosure import choose_preset, release
from headway.figures import theme
from tests.conftest import ROOT
from tests.unit.notebook_runner import run_notebook
from tests.unit.simulated_clinic import CLINIC, simulated
from tests.unit.twin_clinics import Twin, make_twin

SCRIPTS = ROOT / "workflow" / "scripts"
AUDIT = ROOT / "notebooks" / "audit_a_clinic.ipynb"
STRICT = ("opensafely", "cms")  # nhs has the numbers of opensafely
STATUS = {"name": "demo", "state": "ready", "problems": []}
Tables = Mapping[str, pd.DataFrame]


class Named(SimpleNamespace):
    """Files of a job, by name or by key."""

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)


def script() -> Any:
    """Import the workflow's script that releases a clinic, draws and writes."""
    if str(SCRIPTS) not in sys.path:
        sys.path.insert(0, str(SCRIPTS))
    return __import__("report_clinic")


def settings(preset: str, language: str = "en") -> Clinic:
    """Take the settings of the clinic under a preset, as one with real people."""
    clinic = simulated(*CLINIC)[0]
    return replace(clinic, disclosure=preset, synthetic=False, language=language)


@cache
def twin(preset: str) -> tuple[Tables, Twin, Tables]:
    """Make the two clinics of a preset: the tables of one, the other, and the release of both."""
    found = simulated(*CLINIC)[1]
    out = release(found, choose_preset(preset))
    return found, make_twin(found, out, choose_preset(preset)), out


def report(folder: Path, found: Tables, clinic: Clinic) -> dict[str, bytes]:
    """Run the script over tables before disclosure control; what it wrote, by name."""
    source, results = folder / "processed", folder / "results" / "clinics" / "demo"
    for name, frame in found.items():
        tables.write_csv(frame, source / f"{name}.csv")
    tables.write_text(config.write_settings(clinic), source / "clinic.json")
    tables.write_text(json.dumps(STATUS), source / "status.json")
    csv = {name: f"{name}.csv" for name in tables.RELEASED}
    read = csv | {"clinic": "clinic.json", "status": "status.json"}
    made = csv | {"page": "audit.html", "figures": "figures", "card": "card.json"}
    made |= {"brief": "brief.html", "brief_pdf": "brief.pdf"}
    script().main(
        SimpleNamespace(
            input=Named(**{n: str(source / f) for n, f in read.items()}),
            output=Named(**{n: str(results / f) for n, f in made.items()}),
        )
    )
    files = (p for p in results.rglob("*") if p.is_file())
    return {p.relative_to(results).as_posix(): p.read_bytes() for p in files}


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theme, "PNG_DPI", 30)


@pytest.mark.parametrize("preset", STRICT)
def test_the_two_clinics_differ_in_what_is_hidden_alone(preset: str) -> None:
    found, other, out = twin(preset)
    rules = choose_preset(preset)
    assert other.estimates > 1500 and other.counts > 40
    small = 0
    for name, frame in release(other.tables, rules).items():
        pd.testing.assert_frame_equal(frame, out[name], check_exact=True)
        for column in ("n", "count"):
            if column in found[name] and len(found[name]) == len(frame):
                moved = found[name][column].ne(other.tables[name][column])
                moved &= found[name][column].notna()
                small += int(moved.sum())
                assert found[name].loc[moved, column].between(1, rules.redact_up_to).all()
    assert small > 20


def test_notebook_and_german_pages_cannot_tell_them_apart(tmp_path: Path) -> None:
    """The records beside clinic.yaml are others too: a notebook opens its settings alone."""
    said, written = [], []
    for mark, found in zip(("one", "other"), (twin("cms")[0], twin("cms")[1].tables), strict=True):
        written.append(report(tmp_path / mark, found, settings("cms", "de")))
        raw = tmp_path / mark / "data" / "raw" / "clinics" / "demo"
        raw.mkdir(parents=True)
        shipped = ROOT / "data" / "raw" / "clinics" / "demo"
        text = (shipped / "clinic.yaml").read_text()
        assert "disclosure: internal" in text
        (raw / "clinic.yaml").write_text(text.replace("disclosure: internal", "disclosure: cms"))
        for path in shipped.glob("*.csv"):
            (raw / path.name).write_text(f"{mark}\n")
        said.append(run_notebook(AUDIT, tmp_path / mark / "data", tmp_path / mark / "results"))
    assert all(len(text) > 1000 for text in said[0]) and "who started" in said[0][0]
    assert said[0] == said[1]
    first, other = written
    assert {"audit.html", "brief.html", "brief.pdf", "card.json", "cohort.csv"} <= set(first)
    assert 'lang="de"' in first["audit.html"].decode()
    assert first["audit.html"].count(b"<title>") > 50  # what marks of figures say to a pointer
    assert first.keys() == other.keys()
    assert [name for name in first if first[name] != other[name]] == []


# What the net is there to catch


def leak(monkeypatch: pytest.MonkeyPatch, path: Path, where: str) -> list[str]:
    """Report both clinics with a leak; which files tell them apart."""
    found, other, _ = twin("cms")
    module, clinic = script(), settings("cms")
    build, draw = module.report.build, module.figures.draw_clinic
    now: dict[str, Tables] = {}

    def lost() -> float:
        """Take a hidden count of a few people with a property."""
        own = now["tables"]["cohort"]["count"]
        first = found["cohort"]["count"].ne(other.tables["cohort"]["count"]) & own.notna()
        return float(own[first].iloc[0])

    def build_it(*args: Any) -> Any:
        page, card = build(*args)
        return page.replace("</main>", f"<p>{lost():.0f} people.</p></main>"), card

    def draw_it(released: Tables, *args: Any) -> Any:
        leaky = dict(released)
        if where == "figure":
            leaky["funnel"] = now["tables"]["funnel"]
            leaky["control_chart"] = now["tables"]["control_chart"]
            leaky["cohort"] = now["tables"]["cohort"]
        drawings = draw(leaky, *args)
        if where == "words":
            first = next(iter(drawings))
            alt = f"{drawings[first].alt} Of {lost():.0f} people."
            drawings[first] = replace(drawings[first], alt=alt)
        return drawings

    if where == "words":
        monkeypatch.setattr(module.report, "build", build_it)
    monkeypatch.setattr(module.figures, "draw_clinic", draw_it)
    both = []
    for i, one in enumerate((found, other.tables)):
        now["tables"] = one
        both.append(report(path / str(i), one, clinic))
    names = both[0].keys() | both[1].keys()
    return [n for n in names if both[0].get(n) != both[1].get(n)]


@pytest.mark.parametrize("where", ["words", "figure"])
def test_a_leak_is_seen(where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A hidden count in a sentence and in an alt text, or a figure of unreleased tables."""
    told = leak(monkeypatch, tmp_path, where)
    assert "audit.html" in told
    assert any(name.endswith(".svg") for name in told)
    assert not any(name.endswith(".csv") for name in told)
