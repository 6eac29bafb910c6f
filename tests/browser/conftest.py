"""Chromium, and every kind of page that the project makes, built once."""

from __future__ import annotations

import base64
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from headway import config, disclosure
from headway.errors import Problem
from headway.federation.pooling import build_registry
from headway.figures import theme
from headway.figures.clinic import draw as clinic_figures
from headway.figures.clinic.brief import draw_brief
from headway.figures.review import draw as review_figures
from headway.messages import LANGUAGES, speaking
from headway.outcomes.audit import empty_audit
from headway.report import index as index_page
from headway.report import library
from headway.report import registry as registry_page
from headway.report.clinic import brief_pages, patients
from headway.report.clinic import page as clinic_page
from headway.report.clinic.brief import write_brief
from headway.report.review import page as review_page
from headway.reviews.library import judge_source
from headway.tables import conform
from tests.conftest import ROOT
from tests.unit import registry_builder
from tests.unit.pages_builder import PROBLEM, READY, analysed, released, review
from tests.unit.simulated_clinic import scenario
from tests.unit.test_library import write_totals

SCRIPTS = ROOT / "workflow" / "scripts"


@pytest.fixture(scope="session")
def browser() -> str:
    """Find Chromium; without it these tests are skipped, and in CI they fail."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not here")
        pytest.skip("SKIPPED LOUDLY: Chromium is not here")
    return found


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a page of every kind; those of a clinic also in the other languages."""
    folder = tmp_path_factory.mktemp("pages")
    texts, cards = {}, {}
    settings, tables, rules = released("demo")
    saved = theme.save(clinic_figures.draw_clinic(tables, settings, rules), folder / "c")
    texts["clinic"], cards["clinic"] = clinic_page.build(settings, READY, tables, saved, rules)
    settings, found = scenario("therapist_outlier")
    rules = disclosure.PRESETS[settings.disclosure]
    tables = disclosure.release(found, rules)
    saved = theme.save(clinic_figures.draw_clinic(tables, settings, rules), folder / "s")
    texts["rich"], cards["rich"] = clinic_page.build(settings, READY, tables, saved, rules)
    rules = disclosure.PRESETS["opensafely"]
    tables = disclosure.release({n: empty_audit([PROBLEM])[n] for n in disclosure.RULES}, rules)
    texts["refused"], cards["refused"] = clinic_page.build(
        config.name_clinic("x"),
        {"name": "x", "state": "refused", "problems": [PROBLEM]},
        tables,
        [],
        rules,
    )
    document, tables = review("acupuncture_headache")
    saved = theme.save(review_figures.draw_review(tables, document), folder / "r")
    texts["review"], cards["review"] = review_page.build(document, READY, tables, saved)
    texts["index"] = index_page.build(
        [cards["review"]],
        [cards["clinic"], cards["rich"], cards["refused"]],
        [{"name": "y", "missing": ["y.csv"], "folder": "data/raw/trials/y", "obtain": "Ask."}],
        ["audit_a_clinic"],
        {"headway": "0", "python": "3", "packages": {"numpy": "2"}},
    )
    texts |= write_translated(folder) | write_others(tmp_path_factory.mktemp("library"))
    texts |= write_registry(tmp_path_factory.mktemp("registry"))
    out = {}
    for name, page in texts.items():
        out[name] = folder / f"{name}.html"
        out[name].write_text(page, encoding="utf-8")
    return out


def write_translated(folder: Path) -> dict[str, str]:
    """Write what a clinic gets, in each language; its figures are drawn once."""
    settings, tables, rules = released("demo")
    people = analysed("demo")[1]["follow_up"]
    assert len(people)
    saved = theme.save(clinic_figures.draw_clinic(tables, settings, rules), folder / "t")
    own = theme.save(draw_brief(tables, settings, rules), folder / "b")
    refused = {"name": "x", "state": "refused", "problems": [PROBLEM]}
    out = {}
    for language in LANGUAGES:
        clinic = replace(settings, language=language)
        brief = write_brief(clinic, READY, tables, rules)
        out[f"brief {language}"] = brief_pages.write_html(brief, own)
        out[f"patients {language}"] = patients.build(people, clinic)
        brief = write_brief(clinic, refused, tables, rules)
        out[f"refused brief {language}"] = brief_pages.write_html(brief, [])
        if language != "en":
            out[f"clinic {language}"], _ = clinic_page.build(clinic, READY, tables, saved, rules)
            out[f"refused {language}"], _ = clinic_page.build(clinic, refused, tables, [], rules)
    return out


def write_registry(folder: Path) -> dict[str, str]:
    """Write the page of a registry with a funnel, case mix and a refused file, in each language."""
    mix = {("age", None): 41.0, ("sex", "female"): 75.0}
    made = [
        registry_builder.state(f"c{i:02d}", 0.4 * i - 4, n=40 + 9 * i, mix=mix) for i in range(12)
    ]
    offered = registry_builder.offer(folder / "in", [*made, registry_builder.state("far", 9.0)])
    offered[0] = offered[0].refuse(Problem("c00.json", "twice", "problem.summary_rows"))
    registry, out = build_registry(offered), {}
    for language in LANGUAGES:
        with speaking(language):
            saved = theme.save(registry_page.draw(registry), folder / language)
            out[f"registry {language}"] = registry_page.build(registry, saved)
    return out


def write_others(folder: Path) -> dict[str, str]:
    """Write a refused review, a library with a file that cannot be read, and a notebook."""
    document, tables = review("acupuncture_headache")
    refused = {"name": "x", "state": "refused", "problems": [PROBLEM]}
    none = {name: table.head(0) for name, table in tables.items()}
    (folder / "no.csv").write_text("a\n", encoding="utf-8")
    good = judge_source(write_totals(folder, "good.rm5"), "good.rm5")
    off = judge_source(write_totals(folder, "off.rm5", scale=2), "off.rm5")
    unread = judge_source(folder / "no.csv", "no.csv")
    stored = pd.concat([good[0], off[0]], ignore_index=True)
    files = pd.DataFrame([account for _, account in (good, off, unread)])
    return {
        "refused review": review_page.build(document, refused, none, [])[0],
        "library": library.build(
            conform("library", stored), conform("library_files", files), "A library"
        ),
        "notebook": write_notebook(),
    }


def write_notebook() -> str:
    """Convert a notebook that printed a text, a table and a figure."""
    import nbformat

    if str(SCRIPTS) not in sys.path:
        sys.path.insert(0, str(SCRIPTS))
    book = nbformat.read(ROOT / "notebooks" / "audit_a_clinic.ipynb", as_version=4)
    settings, tables, rules = released("demo")
    picture, words = draw_brief(tables, settings, rules)["brief_means"]._repr_png_()
    shown = {"text/html": tables["flow"].head()._repr_html_()}
    drawn = {"image/png": base64.b64encode(picture).decode()}
    next(c for c in book.cells if c.cell_type == "code").outputs = [
        nbformat.v4.new_output("stream", text="A sentence.\n"),
        nbformat.v4.new_output("display_data", shown),
        nbformat.v4.new_output("display_data", drawn, metadata={"image/png": words}),
    ]
    return str(__import__("execute_notebook").convert(book, "Audit a clinic"))
