"""`headway export`: a summary is made of a release, and of nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from headway import cli, tables
from headway.federation.reading import read_summaries
from headway.figures import theme
from headway.figures.clinic import draw
from headway.report.clinic import brief_pages, release
from tests.unit.test_releases import FIRST, build


def export(data: Path, results: Path, *words: str) -> int:
    return cli.main(["export", "own", "--data", str(data), "--results", str(results), *words])


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Draw nothing, which is most of the time that a release takes; one test draws all."""
    if "remembered" in request.node.name:
        monkeypatch.setattr(theme, "PNG_DPI", 20)
        return
    monkeypatch.setattr(draw, "draw_clinic", lambda *_: {})
    monkeypatch.setattr(release, "draw_brief", lambda *_: {})
    monkeypatch.setattr(brief_pages, "write_pdf", lambda *_: b"")
    monkeypatch.setattr(brief_pages, "write_html", lambda *_, **__: "")


@pytest.fixture
def built(tmp_path: Path) -> tuple[Path, Path]:
    """Build a clinic of few people under `cms`, up to its draft."""
    data, results = tmp_path / "data", tmp_path / "results"
    build(data, results, FIRST)
    return data, results


def test_a_summary_is_the_release_and_is_remembered(
    built: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data, results = built
    assert export(data, results) == 0
    path = results / "clinics" / "own" / "summary.json"
    assert capsys.readouterr().out.splitlines()[-1] == str(path)
    assert path.stat().st_size < 50_000
    (offered,) = read_summaries([("summary.json", path)])
    assert offered.usable and offered.summary is not None
    folder = results / "releases" / "own" / "0001"
    assert (folder / "audit.html").is_file() and (data / "raw/clinics/own/.releases/0001").is_dir()
    cohort = tables.read_csv("cohort", folder / "cohort.csv")
    cohort = cohort[cohort["group"].eq("all")].set_index(["outcome", "comparison", "statistic"])
    printed = {
        f"{v:.9g}" for v in cohort[["estimate", "ci_low", "ci_high", "n", "of", "count"]].stack()
    }
    lost = tables.read_csv("lost", folder / "lost.csv")
    printed |= {f"{v:.9g}" for v in lost.select_dtypes("number").stack()}
    for row in offered.summary["outcomes"]:
        for field, value in row.items():
            if isinstance(value, int | float) and field not in ("primary", "decimals", "se"):
                assert f"{value:.9g}" in printed, (row["outcome"], field)
    withheld = offered.summary["disclosure"]["withheld"]
    assert withheld and all(w.count("/") >= 1 for w in withheld)


def test_the_same_draft_exports_the_same_bytes(built: tuple[Path, Path]) -> None:
    data, results = built
    path = results / "clinics" / "own" / "summary.json"
    assert export(data, results) == 0
    first = path.read_bytes()
    assert export(data, results) == 0 and path.read_bytes() == first
    assert [p.name for p in (results / "releases" / "own").iterdir()] == ["0001"]


def test_a_summary_reads_the_released_tables_and_no_others(
    built: tuple[Path, Path],
) -> None:
    """Without one processed table of the clinic the summary of its release is the same."""
    from headway.report.clinic import summary as summaries
    from headway.tables import read_csv

    data, results = built
    assert export(data, results) == 0
    path = results / "clinics" / "own" / "summary.json"
    first = json.loads(path.read_text(encoding="utf-8"))
    folder = results / "releases" / "own" / "0001"
    made = data / "processed" / "clinics" / "own"
    for file in made.iterdir():
        if file.name not in ("clinic.json", "status.json"):
            file.unlink()
    shutil.rmtree(data / "raw")
    released = {name: read_csv(name, folder / f"{name}.csv") for name in ("cohort", "lost")}
    assert summaries.summarise(made, released) == first


def test_one_person_more_than_the_last_export_is_refused(
    built: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data, results = built
    assert export(data, results, "--to", str(results / "out.json")) == 0
    before = (results / "out.json").read_bytes()
    build(data, results, FIRST + 1)
    assert export(data, results, "--to", str(results / "out.json")) == 13
    assert "the difference would reveal" in capsys.readouterr().err
    assert (results / "out.json").read_bytes() == before


def test_people_under_internal_are_not_exported_and_made_up_ones_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, results = tmp_path / "data", tmp_path / "results"
    build(data, results, FIRST, "internal")
    assert export(data, results) == 13
    assert "small numbers are not hidden" in capsys.readouterr().err
    assert not (results / "clinics" / "own" / "summary.json").exists()
    settings = data / "processed" / "clinics" / "own" / "clinic.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"synthetic": True}))
    found = {t: tables.read_csv(t, settings.parent / f"{t}.csv") for t in ("cohort", "lost")}
    for name, frame in found.items():
        tables.write_csv(frame, results / "clinics" / "own" / f"{name}.csv")
    assert export(data, results) == 0
    assert not (results / "releases").exists()


def test_a_pseudonym_and_a_folder(built: tuple[Path, Path]) -> None:
    data, results = built
    folder = results / "out"
    assert export(data, results, "--as", "clinic_a", "--to", str(folder)) == 0
    text = (folder / "clinic_a.json").read_text(encoding="utf-8")
    title = yaml.safe_load((data / "raw/clinics/own/clinic.yaml").read_text())["title"]
    assert title not in text and '"own"' not in text
    codes = set(pd.read_csv(data / "raw/clinics/own/patients.csv", dtype=str)["code"])
    assert not [code for code in codes if f'"{code}"' in text]
    assert export(data, results, "--as", "Clinic A") == 12
