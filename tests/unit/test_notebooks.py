"""The notebooks run, read nothing about a single person, and become pages that stand alone."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from headway import config, tables
from headway.reviews.analyse import OUTPUTS
from tests.conftest import ROOT

SCRIPTS = ROOT / "workflow" / "scripts"
BOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
AUDIT = ROOT / "notebooks" / "audit_a_clinic.ipynb"
# Words that a clinic's own, uncontrolled results never bear.
CAUSAL = re.compile(r"\b(effect of|effects of|caused|works|proven|averted)\b", re.IGNORECASE)


def script(name: str):
    """Import a workflow script."""
    if str(SCRIPTS) not in sys.path:
        sys.path.insert(0, str(SCRIPTS))
    return __import__(name)


class Named(SimpleNamespace):
    """Files or parameters of a job, by name or by key."""

    def __getitem__(self, key):
        return getattr(self, key)


def files(folder: Path, names: dict[str, str]) -> Named:
    """Name the files of a job."""
    folder.mkdir(parents=True, exist_ok=True)
    return Named(**{name: str(folder / file) for name, file in names.items()})


@pytest.fixture(scope="module")
def demo(tmp_path_factory, repo_root) -> Path:
    """Take the demo clinic through the workflow's own scripts, up to disclosure control."""
    base = tmp_path_factory.mktemp("demo")
    raw = repo_root / "data" / "raw" / "clinics"
    (base / "data" / "raw").mkdir(parents=True)
    (base / "data" / "raw" / "clinics").symlink_to(raw)
    folder = base / "data" / "processed" / "clinics" / "demo"
    names = {
        "clinic": "clinic.json",
        "status": "status.json",
        "account": "account.csv",
        **{n: f"{n}.parquet" for n in ("windows", "change")},
        "follow_up": "patients.csv",
        **{n: f"{n}.csv" for n in tables.RELEASED},
    }
    out = files(folder, names)
    source = Named(folder=str(raw / "demo"))
    memory = SimpleNamespace(engine_mb=2000)
    script("ingest_clinic").main(
        SimpleNamespace(params=source, output=out, threads=2, resources=memory)
    )
    script("analyse_clinic").main(
        SimpleNamespace(input=out, output=out, threads=2, resources=memory)
    )
    return base


def release(demo: Path, base: Path, preset: str) -> Path:
    """Write the clinic's tables below `base` under a preset, beside the same raw data."""
    from headway import disclosure, tables

    folder = demo / "data" / "processed" / "clinics" / "demo"
    read = {name: tables.read_csv(name, folder / f"{name}.csv") for name in tables.RELEASED}
    for name, table in disclosure.release(read, disclosure.PRESETS[preset]).items():
        tables.write_csv(table, base / "results" / "clinics" / "demo" / f"{name}.csv")
    (base / "data").symlink_to(demo / "data")
    return base


@pytest.fixture(scope="module")
def review(tmp_path_factory, repo_root) -> Path:
    """Take the acupuncture review through the workflow's own scripts."""
    base = tmp_path_factory.mktemp("review")
    raw = repo_root / "data" / "raw" / "trials" / "acupuncture_headache"
    kept = {
        "review": "review.json",
        "status": "status.json",
        **{n: f"{n}.csv" for n in ("arms", "contrasts", "published", "risk_of_bias", "ipd")},
    }
    made = {n: f"{n}.csv" for n in (*OUTPUTS, "metafor", "revman")}
    made["r_script"] = "reproduce.R"
    processed = files(base / "data" / "processed" / "trials" / raw.name, kept)
    results = files(base / "results" / "trials" / raw.name, made)
    source = Named(folder=str(raw))
    script("ingest_review").main(SimpleNamespace(params=source, output=processed))
    script("analyse_review").main(SimpleNamespace(input=processed, output=results))
    return base


def job(notebook: Path, base: Path, page: Path) -> SimpleNamespace:
    """Describe the job that executes a notebook."""
    return SimpleNamespace(
        input=Named(notebook=str(notebook)),
        output=Named(page=str(page)),
        params=Named(data_dir=str(base / "data"), results_dir=str(base / "results")),
        scriptdir=str(SCRIPTS),
        log=[str(page.with_suffix(".log"))],
    )


def execute(notebook: Path, base: Path, page: Path) -> str:
    """Execute a notebook and return the page."""
    script("execute_notebook").main(job(notebook, base, page))
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def audit_page(demo, tmp_path_factory) -> str:
    """Execute the audit notebook on the demo clinic as it is released."""
    base = release(demo, tmp_path_factory.mktemp("internal"), "internal")
    return execute(AUDIT, base, base / "audit.html")


@pytest.fixture(scope="module")
def review_page(review) -> str:
    """Execute the other notebook."""
    book = ROOT / "notebooks" / "reproduce_a_meta_analysis.ipynb"
    return execute(book, review, review / "page.html")


@pytest.fixture(params=["audit_page", "review_page"])
def page(request) -> str:
    """Return each of the two pages."""
    return request.getfixturevalue(request.param)


class Page(HTMLParser):
    """Collect the tags of a page, and its text without code and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        """Return what a reader reads."""
        return re.sub(r"\s+", " ", " ".join(self.words))


def numbers(page: str, before: str) -> list[float]:
    """Read the numbers that follow a text that stands once on a page, its code left aside."""
    text = Page(re.sub(r"(?s)<div class=.input_area.*?</pre>", "", page)).text
    assert text.count(before) == 1
    rest = text.split(before)[1][:80].replace("\u2212", "-")
    return [float(n) for n in re.findall(r"[-+]?\d+(?:\.\d+)?", rest)]


# As they are committed


@pytest.mark.parametrize("book", BOOKS, ids=lambda p: p.stem)
def test_committed_without_outputs(book):
    cells = nbformat.read(book, as_version=4).cells
    code = [c for c in cells if c.cell_type == "code"]
    assert len(cells) <= 8
    assert [c.cell_type for c in cells[:2]] == ["markdown", "code"]  # the answer comes first
    assert all(c.outputs == [] and c.execution_count is None for c in code)
    assert not any(c.metadata for c in cells)
    assert "matplotlib" not in "".join(c.source for c in code)  # the package draws, with alt texts


@pytest.mark.parametrize("book", BOOKS, ids=lambda p: p.stem)
def test_page_exists_in_the_rules_and_no_path_is_absolute(book):
    rules = (ROOT / "workflow" / "rules" / "pages.smk").read_text()
    assert f'"{book.stem}"' in rules
    assert not re.search(r"[\"' ](/|~|[A-Z]:\\)[a-z]", book.read_text())


def test_audit_reads_released_tables_only():
    """Nothing is read but by `read_csv`, from `RESULTS`, and the clinic's settings."""
    cells = [c.source for c in nbformat.read(AUDIT, as_version=4).cells if c.cell_type == "code"]
    tree = ast.parse("\n".join(cells))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    readers = {"read_csv", "read_parquet", "read_text", "open", "read_table", "load", "glob"}
    reads = [c for c in calls if getattr(c.func, "attr", getattr(c.func, "id", "")) in readers]
    assert {ast.unparse(c.args[1]).split(" / ")[0] for c in reads} == {"RESULTS"}
    assert "processed" not in "\n".join(cells)


# As they are executed


def test_page_asks_for_nothing_else(page):
    tags = Page(page).tags
    assert not [t for t, _ in tags if t in ("script", "link", "iframe", "object", "embed")]
    for tag, attributes in tags:
        for name in ("src", "srcset", "data", "poster"):
            assert (attributes.get(name) or "data:").startswith("data:"), tag
    assert "@import" not in page
    assert not re.search(r"url\((?!['\"]?data:)", page)


def test_page_has_a_language_a_title_and_a_way_back(page):
    tags = Page(page).tags
    assert ("html", {"lang": "en"}) in tags
    assert ("a", {"href": "../index.html"}) in tags
    assert re.search(r"<title>\w+ a .+</title>", page)
    assert all(a.get("alt") for t, a in tags if t == "img")
    ids = [a["id"] for _, a in tags if a.get("id")]
    assert len(ids) == len(set(ids))


def test_page_holds_no_warning_and_no_path(page):
    assert "output_stderr" not in page
    assert "Warning" not in page
    assert str(ROOT) not in page
    assert not re.search(r"/(tmp|home|root|Users|private|var)/", page)


def test_audit_never_claims_an_effect(audit_page):
    text = Page(audit_page).text
    denied = "This is a change, not an effect of treatment."
    assert denied in text and not CAUSAL.search(text.replace(denied, ""))
    assert "was followed by" in text


def test_audit_begins_with_the_brief(audit_page, demo):
    """Its sentences and tables are those of the brief, and its numbers the released ones."""
    from headway.disclosure import choose_preset
    from headway.report.clinic.brief import write_brief

    folder = demo / "data" / "processed" / "clinics" / "demo"
    clinic = config.read_clinic(folder / "clinic.json")
    read = {name: tables.read_csv(name, folder / f"{name}.csv") for name in tables.RELEASED}
    brief = write_brief(clinic, {"state": "ready"}, read, choose_preset(clinic.disclosure))
    text = Page(audit_page).text
    told = [*brief.list_sentences(), brief.stamp]
    cells = [c for grid in (brief.changes, brief.people) for _, row in grid.rows for c in row]
    assert len(told) > 20 and len(cells) > 20
    for words in (*told, *cells):
        assert words in text
    in_turn = [brief.outcomes[0].lead, "White square: mean before", "Mean before"]
    in_turn += [brief.unknown.question, "Who is counted, and how"]
    assert sorted(in_turn, key=text.index) == in_turn
    cohort = read["cohort"]
    row = cohort[cohort["primary"] & (cohort["group"] == "all")].set_index("statistic")
    change = row.loc["change_mean"]
    assert change["n"] == 75
    for before in ("Mean change", "mean change (after \u2212 before)"):
        assert numbers(audit_page, before)[0] == pytest.approx(change["estimate"], abs=0.051)
    found = numbers(audit_page, "mean change (after \u2212 before)")
    assert found[1:3] == pytest.approx([change["ci_low"], change["ci_high"]], abs=0.051)
    bounds = numbers(audit_page, "the mean change could be anywhere from")
    assert bounds[:2] == pytest.approx(
        [row.loc["bound_low", "estimate"], row.loc["bound_high", "estimate"]], abs=0.051
    )


def test_audit_shows_regression_to_the_mean(audit_page):
    change = numbers(audit_page, "Their change from the four weeks before the first visit:")
    assert change[0] < -1
    assert abs(change[1]) < 0.5


def test_figures_have_their_own_alternative_texts(audit_page, review_page):
    for page, count, says in ((audit_page, 2, "15.7"), (review_page, 1, "Melchart 2005")):
        alts = [a["alt"] for t, a in Page(page).tags if t == "img"]
        assert len(alts) == count
        assert says in alts[0]


def test_audit_runs_with_small_numbers_hidden(demo, tmp_path):
    page = execute(AUDIT, release(demo, tmp_path, "opensafely"), tmp_path / "audit.html")
    text = Page(page).text
    assert "hidden" in text
    assert "75 of 120 people who started" in text


def test_reproduction_ends_where_the_workflow_does(review_page, review):
    from headway.tables import read_csv

    pooled = read_csv("pooled", review / "results/trials/acupuncture_headache/pooled.csv")
    row = pooled[
        (pooled["comparison"] == "usual_care")
        & (pooled["subgroup"] == "overall")
        & pooled["declared"]
    ].iloc[0]
    found = numbers(review_page, "v usual care or waiting list, headache days:")
    assert found[0] == pytest.approx(row["estimate"], abs=0.0051)
    assert found[3:5] == pytest.approx([row["ci_low"], row["ci_high"]], abs=0.0051)
    assert f"tau2 = {row['tau2']:.4f}" in review_page  # computed again, from the printed arms
    assert "Melchart 2005" in review_page
    assert "not reproduced" in review_page


def test_page_is_the_same_on_every_run(review_page, review, tmp_path):
    book = ROOT / "notebooks" / "reproduce_a_meta_analysis.ipynb"
    assert execute(book, review, tmp_path / "page.html") == review_page


# How they are executed


def make_book(path: Path, *cells: str) -> Path:
    """Write a notebook of a heading and code cells."""
    book = nbformat.v4.new_notebook()
    book.cells = [
        nbformat.v4.new_markdown_cell("# A test"),
        *(nbformat.v4.new_code_cell(c) for c in cells),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, path)
    return path


RUN = """
import sys
from types import SimpleNamespace
scripts, book, page, base = sys.argv[1:]
sys.path[:0] = [scripts, scripts + "/../../src"]
from _job import run
import execute_notebook
job = SimpleNamespace(
    input=SimpleNamespace(notebook=book), output=SimpleNamespace(page=page),
    params=SimpleNamespace(data_dir="data", results_dir="elsewhere/results"),
    scriptdir=scripts, log=[page + ".log"])
run(execute_notebook.main, job)
"""


def run_job(interpreter: str, book: Path, page: Path, **environment: str):
    """Execute a notebook as the workflow does, in a process of its own."""
    return subprocess.run(
        [interpreter, "-c", RUN, str(SCRIPTS), str(book), str(page), str(page.parent)],
        cwd=book.parent.parent,
        env={**os.environ, **environment},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )


def test_failing_cell_is_reported_with_its_source_and_its_error(tmp_path):
    book = make_book(tmp_path / "notebooks" / "bad.ipynb", "x = 1", "y = x +\\\n  absent_name", "1")
    page = tmp_path / "bad.html"
    done = run_job(sys.executable, book, page)
    assert done.returncode == 15
    assert not page.exists()
    log = Path(f"{page}.log").read_text()
    assert log.endswith(
        f"headway: {book.as_posix()}, cell 3 of 4 failed\n    y = x +\\\n      absent_name\n"
        "NameError: name 'absent_name' is not defined\n"
    )


def test_interpreter_that_dies_is_reported(tmp_path):
    book = make_book(tmp_path / "notebooks" / "dead.ipynb", "import os; os._exit(1)")
    done = run_job(sys.executable, book, tmp_path / "dead.html")
    assert done.returncode == 15
    assert "cell 2 of 2 failed" in (tmp_path / "dead.html.log").read_text()
    assert "the interpreter died" in (tmp_path / "dead.html.log").read_text()


def test_kernel_is_the_running_interpreter_in_a_folder_with_a_space(tmp_path):
    """No kernelspec is installed, and the user's folders cannot be written."""
    import site

    import nbconvert

    venv = tmp_path / "an environment" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    library = next(venv.glob("lib/python*/site-packages"))
    packages = [p for p in sys.path if p.endswith("site-packages")] or site.getsitepackages()
    (library / "all.pth").write_text("\n".join(packages) + "\n")
    templates = next(
        Path(p)
        for p in nbconvert.exporters.HTMLExporter().template_paths
        if "nbconvert" in p and Path(p).is_dir()
    )
    while templates.name != "nbconvert":
        templates = templates.parent
    (venv / "share" / "jupyter").mkdir(parents=True)
    (venv / "share" / "jupyter" / "nbconvert").symlink_to(templates)
    book = make_book(
        tmp_path / "a repository" / "notebooks" / "where.ipynb",
        "import os, sys, headway\nprint(sys.prefix, os.getcwd(), sep='|')\n"
        "print(os.environ['HEADWAY_DATA'], os.environ['HEADWAY_RESULTS'], sep='|')",
    )
    page = tmp_path / "where.html"
    absent = str(tmp_path / "absent")
    done = run_job(
        str(venv / "bin" / "python"),
        book,
        page,
        HOME=absent,
        JUPYTER_PATH=absent,
        JUPYTER_DATA_DIR=absent,
        XDG_DATA_HOME=absent,
    )
    assert done.returncode == 0, Path(f"{page}.log").read_text()
    root = book.parent.parent
    text = page.read_text()
    assert f"{venv}|{root}" in text
    assert f"{root / 'data'}|{root / 'elsewhere' / 'results'}" in text
    assert not Path(absent).exists()
