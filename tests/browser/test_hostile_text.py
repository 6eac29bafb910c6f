"""Text that tries to be code, in every field, through everything that is made of it."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from headway import config, tables
from headway.report.render import TEMPLATES
from headway.reviews.analyse import OUTPUTS
from tests.browser.devtools import Browser
from tests.conftest import ROOT
from tests.unit.hostile_builder import (
    EVERYTHING,
    LONG,
    RUN,
    SHORT,
    write_hostile_clinic,
    write_hostile_review,
)

# A letter that no font has is named, and no box is drawn in its place.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("error:Glyph")]
SCRIPTS = ROOT / "workflow" / "scripts"
OWN_SCRIPT = (TEMPLATES / "page.js").read_text(encoding="utf-8")
VOID = {"br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
NUMBER = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?")


class Named(SimpleNamespace):
    """Files or parameters of a job, by name or by key."""

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def keys(self) -> Any:
        return vars(self).keys()


def run_job(script: str, inputs: dict[str, Any], outputs: dict[str, Any], **params: Any) -> None:
    """Run a script of the workflow here."""
    if str(SCRIPTS) not in sys.path:
        sys.path.insert(0, str(SCRIPTS))
    asked = SimpleNamespace(
        input=Named(**inputs),
        output=Named(**outputs),
        params=Named(**params),
        threads=1,
        resources=SimpleNamespace(engine_mb=2000),
        scriptdir=str(SCRIPTS),
    )
    __import__(script).main(asked)


def list_files(folder: Path, names: dict[str, str]) -> dict[str, str]:
    """Name files of a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    return {name: str(folder / file) for name, file in names.items()}


def build_everything(base: Path, text: str, books: tuple[str, ...]) -> None:
    """Take a hostile clinic and a hostile review all the way, under the names of the notebooks."""
    data, results = base / "data", base / "results"
    clinic = write_hostile_clinic(data / "raw" / "clinics" / "demo", text)
    review = write_hostile_review(data / "raw" / "trials" / "acupuncture_headache", text)
    made, out = data / "processed" / "clinics" / "demo", results / "clinics" / "demo"
    own = {"clinic": "clinic.json", "status": "status.json", "account": "account.csv"}
    own |= {name: f"{name}.parquet" for name in ("windows", "change")} | {
        "follow_up": "patients.csv"
    }
    released = {name: f"{name}.csv" for name in tables.RELEASED}
    processed = list_files(made, own | released)
    run_job("ingest_clinic", {}, processed, folder=str(clinic))
    run_job("analyse_clinic", processed, processed)
    page = {"page": "audit.html", "figures": "figures"} | released
    page |= {"brief": "brief.html", "brief_pdf": "brief.pdf"}
    card = {"card": str(made / "card.json")}
    run_job("report_clinic", processed, list_files(out, page) | card)
    made, out = data / "processed" / "trials" / review.name, results / "trials" / review.name
    read = ("arms", "contrasts", "published", "risk_of_bias", "ipd")
    own = {"review": "review.json", "status": "status.json"}
    processed = list_files(made, own | {name: f"{name}.csv" for name in read})
    run_job("ingest_review", {}, processed, folder=str(review))
    shown = list_files(out, {name: f"{name}.csv" for name in (*OUTPUTS, "metafor", "revman")})
    shown["r_script"] = str(out / "reproduce.R")
    run_job("analyse_review", processed, shown)
    page = list_files(out, {"page": "index.html", "figures": "figures"})
    page["card"] = str(made / "card.json")
    run_job("report_review", processed | shown, page)
    for book in books:
        run_job(
            "execute_notebook",
            {"notebook": str(ROOT / "notebooks" / f"{book}.ipynb")},
            {"page": str(results / "notebooks" / f"{book}.html")},
            data_dir=str(data),
            results_dir=str(results),
        )
    found = [s for kind in ("trials", "clinics") for s in config.find_sources(data, kind)]
    beside = {"name": text, "missing": [text], "folder": text, "obtain": text, "problems": []}
    run_job(
        "index",
        {
            "trials": [page["card"]],
            "clinics": [card["card"]],
            "notebooks": [str(p) for p in (results / "notebooks").glob("*.html")],
            "environment": [],
        },
        list_files(
            results,
            {
                "page": "index.html",
                "provenance": "provenance.json",
                "crate": "ro-crate-metadata.json",
                "workflow": "workflow",
            },
        ),
        files=[str(f) for s in found for f in s.files],
        standing={"trials": [], "clinics": []},
        data_dir=str(data),
        config={},
        skipped=[beside],
        refused=[beside],
        unread=[],
        registry=False,
    )


@pytest.fixture(scope="module", params=["everything", "long"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both sources, every field holding every way out, or ten thousand letters."""
    base = tmp_path_factory.mktemp("hostile") / "one" / "two" / "three" / "run"
    books = ("audit_a_clinic", "reproduce_a_meta_analysis")
    every = request.param == "everything"
    build_everything(base, EVERYTHING if every else LONG, books if every else ())
    return base


def list_made(made: Path, *patterns: str) -> list[Path]:
    """List what was made, by its kind."""
    found = [p for pattern in patterns for p in sorted((made / "results").rglob(pattern))]
    assert found
    return found


class Markup(HTMLParser):
    """Read a page; keep its elements, and those that are closed out of turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.broken: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if len(attrs) != len(dict(attrs)):
            self.broken.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.broken.append(tag)


LOOK = """({
  hit: typeof window.hit,
  scripts: [...document.scripts].map(e => e.text),
  handlers: [...document.querySelectorAll("*")].filter(e =>
    e.getAttributeNames().some(a => a.startsWith("on"))).length,
  strangers: [...document.querySelectorAll(
    "iframe,object,embed,base,form,input:not(.tools input),link,foreignObject,animate,set")].length,
  pictures: [...document.images].filter(e => !e.src.startsWith("data:")).length,
  links: [...document.querySelectorAll("a")].map(
    e => e.getAttribute("href") || e.getAttribute("xlink:href")),
  twice: [...document.querySelectorAll("[id]")].map(e => e.id)
    .filter((id, i, all) => all.indexOf(id) !== i),
  text: document.body.innerText,
  title: document.title
})"""


@pytest.fixture(scope="module")
def tab(browser: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Open Chromium once."""
    with Browser(browser, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def test_the_browser_would_notice(tab: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"<title>x</title><p>{' '.join(SHORT)}</p>", encoding="utf-8")
    tab.open(page)
    assert tab.evaluate(LOOK)["hit"] == "number"


def test_no_page_runs_or_fetches_anything(made: Path, tab: Browser) -> None:
    for page in list_made(made, "*.html", "*.svg"):
        tab.open(page)
        if page.suffix == ".svg":
            assert tab.evaluate("typeof window.hit") == "undefined", page
            continue
        found = tab.evaluate(LOOK)
        assert found["hit"] == "undefined", page
        assert found["scripts"] in ([], [OWN_SCRIPT]), page
        for kind in ("handlers", "strangers", "pictures"):
            assert found[kind] == 0, (page, kind)
        assert found["twice"] == [], page
        assert not [n for n in found["links"] if re.match(r"(?i)\s*(javascript|data|vbscript):", n)]
        asked = [r for r in tab.requests if not r.startswith(("file:", "data:"))]
        assert asked == [], page


def test_what_was_typed_is_shown_as_it_was_typed(made: Path, tab: Browser) -> None:
    for page in list_made(made, "audit.html", "trials/*/index.html"):
        tab.open(page)
        shown = tab.evaluate(LOOK)
        source = "clinic.yaml" if page.name == "audit.html" else "review.yaml"
        raw = next((made / "data" / "raw").rglob(source)).parent
        read = config.load_clinic if source == "clinic.yaml" else config.load_review
        title = tables.printable(read(raw).title)
        assert shown["title"].split() == title.split()
        assert " ".join(title.split()) in " ".join(shown["text"].split())
        # Nothing turns the direction of what stands beside it.
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", page.read_text(encoding="utf-8"))


def test_no_markup_is_broken(made: Path) -> None:
    for page in list_made(made, "*.html"):
        read = Markup(page.read_text(encoding="utf-8"))
        assert (read.broken, read.open) == ([], []), page
        for _, attributes in read.found:
            assert not [a for a in attributes if not re.fullmatch(r"[a-zA-Z][\w:.-]*", a)], page
            assert " " not in (attributes.get("id") or ""), page
    for figure in list_made(made, "*.svg"):
        root = ElementTree.fromstring(figure.read_text(encoding="utf-8"))
        assert {e.tag.rpartition("}")[2] for e in root.iter()} <= {
            *("svg", "title", "desc", "defs", "style", "g", "path", "use", "clipPath", "rect"),
            *("text", "image", "circle", "line", "linearGradient", "stop", "pattern"),
        }, figure


def test_no_cell_of_a_table_is_a_formula_and_all_read_back(made: Path) -> None:
    seen = 0
    for path in list_made(made, "*.csv"):
        with path.open(newline="", encoding="utf-8") as stream:
            for cell in (cell for row in csv.reader(stream) for cell in row):
                seen += cell.lstrip("'").startswith(("=", "@"))
                if not NUMBER.fullmatch(cell):
                    assert cell.strip()[:1] not in tuple("=+-@＝＋－＠"), (path.name, cell[:40])
                    assert cell[:1] not in tuple("\t\r\n"), (path.name, cell[:40])
    assert seen
    folder = made / "results" / "clinics" / "demo"
    therapists = set(tables.read_csv("funnel", folder / "funnel.csv")["therapist"].dropna())
    assert therapists
    assert therapists <= {cell.strip() for cell in SHORT} | {"all"}


def test_nothing_is_written_elsewhere(made: Path) -> None:
    top = made.parents[3]
    raw = {p for p in (made / "data" / "raw").rglob("*") if p.is_file()}
    own = (made / "results", made / "data" / "processed", made / "data" / ".headway")
    strays = [
        p
        for p in top.rglob("*")
        if p.is_file() and p not in raw and not any(p.is_relative_to(o) for o in own)
    ]
    assert strays == []
    names = [p.name for o in own for p in o.rglob("*")]
    assert names
    assert not [n for n in names if not re.fullmatch(r"[A-Za-z0-9_.-]{1,120}", n)]


def test_the_script_of_r_holds_text_and_runs_nothing(made: Path, tmp_path: Path) -> None:
    script = next((made / "results").rglob("reproduce.R"))
    text = script.read_text(encoding="ascii")
    code = re.sub(r'"(\\.|[^"\\\n])*"', '""', text)
    assert '"' not in code.replace('""', "")
    for word in ("hit", "escaped", "letters", "system("):
        assert word not in code
    if shutil.which("Rscript") is None:
        return
    check = tmp_path / "check.R"
    check.write_text(
        f"calls <- parse({json.dumps(str(script))})\nstopifnot(length(calls) > 0)\n"
        'names <- all.names(calls)\nstopifnot(!any(c("system", "eval", "source") %in% names))\n'
    )
    done = subprocess.run(
        ["Rscript", "--vanilla", str(check)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-1000:]


def test_the_index_names_no_field_as_code(made: Path) -> None:
    text = (made / "results" / "index.html").read_text(encoding="utf-8")
    assert RUN in text or "10 000 letters" in text
    assert f"<script>{RUN}" not in text
