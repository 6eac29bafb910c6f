"""Chromium, and every kind of page that the project makes, built once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from headway import config, disclosure
from headway.figures import theme
from headway.figures.clinic import draw as clinic_figures
from headway.figures.review import draw as review_figures
from headway.outcomes.audit import empty_audit
from headway.report import index as index_page
from headway.report.clinic import page as clinic_page
from headway.report.review import page as review_page
from tests.unit.pages_builder import PROBLEM, READY, released, review
from tests.unit.simulated_clinic import scenario


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
    """Write a page of every kind: clinics (one rich, one refused), a review, the index."""
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
    out = {}
    for name, page in texts.items():
        out[name] = folder / f"{name}.html"
        out[name].write_text(page, encoding="utf-8")
    return out
