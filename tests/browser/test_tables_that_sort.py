"""The one script of a page: sections that open, rows that are sorted, filtered and saved."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headway.messages import LANGUAGES, speaking
from headway.report.render import render
from tests.browser.devtools import Browser

pytestmark = pytest.mark.browser
NAMES = ["=1+1", "@sum", "-x", "a;b,c", 'd"e', "ß-é", "＝2"]
SAVE = """(async () => {
  let saved; const make = URL.createObjectURL;
  URL.createObjectURL = blob => { saved = blob; return make(blob); };
  document.querySelector(".tools button").click();
  return [...new Uint8Array(await saved.arrayBuffer())];
})()"""
ROWS = """[...document.querySelectorAll("tbody tr")].filter(row => !row.hidden)
  .map(row => row.cells[1].innerText)"""


@pytest.fixture(scope="module")
def tab(browser: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Open Chromium once."""
    with Browser(browser, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def write_page(path: Path, language: str) -> Path:
    """Write a page with a table of 40 rows: a name, a number in the language's signs, a range."""
    sign = "." if language == "en" else ","
    rows: list[dict[str, Any]] = [
        {"kind": "", "cells": [NAMES[i % 7], f"−{i}{sign}5" if i % 2 else f"{i}", f"−{i} ({i})"]}
        for i in range(39)
    ] + [{"kind": "", "cells": ["last", "–", "–"]}]
    made = {"caption": "Caption", "heads": ["Name", "Number", "Range"], "rows": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    with speaking(language):
        page = render(
            "long_table.html", title="T", home="", stamp="", language=language,
            made={**made, "numeric": [1]},
        )  # fmt: skip
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def template(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Add a page of one long table to the templates, and let it run the script."""
    import jinja2

    from headway.report import render as module

    text = (
        '{% extends "base.html" %}{% from "macros.html" import show, part with context %}'
        '{% block main %}{% call part("here", "Part") %}{{ show(made, "table-long") }}{% endcall %}'
        "{% endblock %}"
    )
    environment = module._environment()
    own = jinja2.DictLoader({"long_table.html": text})
    monkeypatch.setattr(environment, "loader", jinja2.ChoiceLoader([own, environment.loader]))
    monkeypatch.setattr(module, "SCRIPTED", ("long_table.html",))


@pytest.mark.parametrize("language", LANGUAGES)
def test_rows_are_saved_as_a_spreadsheet_of_the_language_reads_them(
    tab: Browser, tmp_path: Path, language: str
) -> None:
    tab.open(write_page(tmp_path / "page.html", language))
    tab.evaluate('document.querySelector(".tools button").remove()')  # opens all sections
    saved = bytes(tab.evaluate(SAVE))
    assert saved.startswith(b"\xef\xbb\xbf")
    text = io.StringIO(saved.decode("utf-8-sig"), newline="")
    delimiter = "," if language == "en" else ";"
    rows = list(csv.reader(text, delimiter=delimiter))
    assert rows[0] == ["Name", "Number", "Range"] and len(rows) == 41
    guarded = ["'=1+1", "'@sum", "'-x", "a;b,c", 'd"e', "ß-é", "'＝2"]
    assert [r[0] for r in rows[1:8]] == guarded
    assert [r[1] for r in rows[1:4]] == ["0", "-1.5" if language == "en" else "-1,5", "2"]
    assert rows[2][2] == "−1 (1)" and rows[-1][1] == "–"


def test_rows_sort_by_number_with_what_is_missing_last_and_filter(
    tab: Browser, tmp_path: Path
) -> None:
    tab.open(write_page(tmp_path / "page.html", "de"))
    tab.evaluate('document.querySelectorAll("th button")[1].click()')
    heads = 'document.querySelectorAll("th")[1].getAttribute("aria-sort")'
    tab.evaluate("document.querySelector('details.part').open = true")
    assert tab.evaluate(heads) == "ascending"
    shown = tab.evaluate(ROWS)
    assert shown[:2] == ["−37,5", "−35,5"] and shown[-2:] == ["38", "–"]
    tab.evaluate('document.querySelectorAll("th button")[1].click()')
    assert tab.evaluate(heads) == "descending"
    assert tab.evaluate(ROWS)[0] == "38" and tab.evaluate(ROWS)[-1] == "–"
    tab.evaluate(
        'const f = document.querySelector("input"); f.value = "SS-e"; f.value = "ß-e";'
        'f.dispatchEvent(new Event("input"))'
    )
    assert len(tab.evaluate(ROWS)) == 5
    assert tab.evaluate('document.querySelector("[role=status]").textContent') == "5 von 40 Zeilen"


def test_a_link_opens_the_section_it_leads_to(tab: Browser, tmp_path: Path) -> None:
    tab.open(write_page(tmp_path / "page.html", "en"))
    part = 'document.querySelector("details.part").open'
    assert tab.evaluate(part) is False
    tab.evaluate('location.hash = "table-long"; new Promise(done => setTimeout(done, 200))')
    assert tab.evaluate(part) is True


def test_no_other_script_runs(tab: Browser, tmp_path: Path) -> None:
    page = write_page(tmp_path / "page.html", "en")
    text = page.read_text(encoding="utf-8")
    attack = "<script>window.hit = 1</script><img src=x onerror='window.hit = 2'>"
    page.write_text(text.replace("</main>", f"{attack}</main>"), encoding="utf-8")
    tab.open(page)
    assert tab.evaluate("typeof window.hit") == "undefined"
    assert tab.evaluate('document.querySelectorAll(".tools").length') == 2
