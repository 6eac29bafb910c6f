"""Every example in the documents runs, as its reader would run it.

A page's commands run in a folder that looks like the project's and holds the files that the page
takes for granted: a reader's own exports, made up here. Its Python shares one namespace.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.unit.exports_builder import as_moment, make_people, write_table

REVIEW = "lee_done_2004_acupoint"
# Page -> the shipped reviews that its examples read.
SHIPPED = {"docs/interchange.md": (REVIEW,)}


def load_tool(name: str) -> ModuleType:
    """Load a tool, which imports its neighbours by their names."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(ROOT / "tools"))


blocks = load_tool("docs_blocks")
recording = load_tool("recording_workbook")


def put_workbook(name: str) -> Callable[[Path], object]:
    return lambda place: recording.fill(recording.make_workbook(), 24).save(place / name)


def put_reception(place: Path) -> None:
    """A workbook with a title and a surname, as a reception keeps it."""
    book = recording.fill(recording.make_workbook(), 24)
    for sheet in book.worksheets:
        sheet.insert_cols(2)
        sheet.cell(1, 2, "Surname")
        for row in range(2, sheet.max_row + 1):
            sheet.cell(row, 2, "Quillmarsh")
        sheet.insert_rows(1, 2)
        sheet.cell(1, 1, f"{sheet.title}, all years")
    book.save(place / "reception.xlsx")


def put_attacks(place: Path) -> None:
    """An app's log of attacks, and from when to when each person kept it."""
    people = make_people(5, n=12)
    attacks = [
        (p.code, as_moment(p.on(day), 9).isoformat(" "), as_moment(p.on(day), 14).isoformat(" "), 6)
        for p in people
        for day, entry in p.diary.items()
        if entry.headache
    ]
    head = ("Participant", "Headache started", "Headache ended", "Pain (0-10)")
    write_table(place / "attacks.csv", head, attacks, above="Exported\r\n\r\n")
    head = ("Participant", "Diary from", "Diary to", "Start of treatment")
    days = [(p.code, *(p.on(d).isoformat() for d in (-28, 99, 0))) for p in people]
    write_table(place / "members.csv", head, days)


def put_redcap(place: Path) -> None:
    """A raw export of REDCap with visits and a repeating diary."""
    head = ["record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"]
    head += ["visit_date", "treatment___manual", "visit_complete"]
    head += ["diary_date", "headache", "worst_pain", "headache_hours", "daily_diary_complete"]
    rows: list[list[object]] = []
    for p in make_people(6, n=12):
        for k, day in enumerate(p.visits):
            event = f"visit_{k + 1}_arm_1"
            rows.append([p.code, event, "", "", p.on(day).isoformat(), 1, 2, *[""] * 5])
        for k, (day, entry) in enumerate(p.diary.items()):
            answers = (entry.headache, entry.pain, entry.hours)
            closed = 0 if entry.headache is None else 2
            diary = [p.code, "diary_arm_1", "daily_diary", k + 1, "", "", ""]
            rows.append([*diary, p.on(day).isoformat(), *answers, closed])
    write_table(place / "Reg_DATA_2025-01-02_0304.csv", head, rows)


def put_cochrane(place: Path) -> None:
    """A RevMan 5 file, and the rows that RevMan Web would write of a review."""
    stored = (ROOT / "tests/golden/made_up_1.rm5").read_bytes()
    (place / "CD000000.rm5").write_bytes(stored)
    (place / "FOLDER").mkdir()
    (place / "FOLDER" / "CD000000.rm5").write_bytes(stored)
    put_sheet(place / "CD000000-data-rows.csv")
    rows = (place / "CD000000-data-rows.csv").read_bytes()
    with zipfile.ZipFile(place / "CD000000-dataPackage.zip", "w") as package:
        package.writestr("CD000000-analysis-data/CD000000-data-rows.csv", rows)


def put_sheet(path: Path) -> None:
    from headway import config
    from headway.ingest import trials
    from headway.ingest.adapters.revman_export import write_revman
    from headway.reviews.effects_table import build_effects

    folder = ROOT / "data/raw/trials" / REVIEW
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    write_revman(build_effects(read.arms, read.contrasts, review), path)


def put_rows(place: Path) -> None:
    """Rows in metafor's columns, by two names, and data rows of RevMan Web."""
    head = ("study", "year", "measure", "n1i", "m1i", "sd1i", "n2i", "m2i", "sd2i")
    rows = [("Alder", 2011, "MD", 31, 7.2, 4.1, 30, 9.1, 4.4)]
    write_table(place / "rows.csv", head, rows)
    head = ("study", "yi", "sei", "measure")
    write_table(place / "mine.csv", head, [("Alder", -1.9, 1.1, "MD"), ("Birch", -1.0, 0.9, "MD")])
    put_sheet(place / "data-rows.csv")
    put_cochrane(place)


def put_clinic(place: Path) -> None:
    from headway.simulate import simulate_clinic, write_clinic, write_settings

    simulated = simulate_clinic(n_patients=12, seed=3)
    write_clinic(simulated, place / "data/raw/clinics/mine", truth=False)
    write_settings(simulated, place / "data/raw/clinics/mine")


# Page -> what makes the files that its reader has.
OWN: Mapping[str, Callable[[Path], object]] = {
    "README.md": put_workbook("export.xlsx"),
    "docs/new_clinic.md": put_workbook("export.xlsx"),
    "docs/howto/start_recording.md": put_workbook("recording.xlsx"),
    "docs/howto/workbooks.md": put_reception,
    "docs/howto/app_exports.md": put_attacks,
    "docs/howto/redcap.md": put_redcap,
    "docs/cochrane.md": put_cochrane,
    "docs/interchange.md": put_rows,
    "docs/clinic.yaml.md": put_clinic,
}
# `make docs` runs the commands of the tutorials, whose figures it shows.
TUTORIALS = ("docs/tutorials/clinic.md", "docs/tutorials/reviewer.md")
# Commands that run the workflow; they take longer than all other examples together.
SLOW = ("headway audit", "headway build", "headway reproduce")
# Pages about one and the same clinic: built once, and found up to date by the others.
TOGETHER = ("README.md", "docs/howto/start_recording.md", "docs/new_clinic.md")
PRINTS = {
    "docs/meta.md": (
        "Random-effects meta-analysis of 3",
        "We pooled 3 estimates",
        "Multiverse of",
    )
}
LANGUAGES = {"sh", "python", "yaml", "text", "r", "{literalinclude}", "{eval-rst}", "{toctree}"}


def to_run(page: str) -> list[Any]:
    return [block for block in blocks.read_blocks(page) if not block.reason]


def list_pages() -> Iterator[Any]:
    for page in blocks.list_pages():
        if to_run(page) and page not in TUTORIALS:
            slow = any(words in block.code for block in to_run(page) for words in SLOW)
            yield pytest.param(page, id=page, marks=[pytest.mark.e2e] if slow else [])


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("together")


@pytest.mark.parametrize("page", list(list_pages()))
def test_the_examples_of_a_page_run(
    page: str, tmp_path: Path, together: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = together if page in TOGETHER else tmp_path
    environment = blocks.lay_out(place, *SHIPPED.get(page, ()))
    OWN.get(page, lambda _: None)(place)
    space: dict[str, object] = {}
    for block in to_run(page):
        if block.language == "python":
            with chdir(place):
                exec(compile(block.code, f"{page}, line {block.line}", "exec"), space)
        else:
            blocks.run_shell(block, place, environment)
    printed = capsys.readouterr().out
    assert [words for words in PRINTS.get(page, ()) if words not in printed] == []


def test_an_example_that_fails_is_a_failure(tmp_path: Path) -> None:
    block = blocks.Block("page.md", 3, "sh", "headway check nothing_of_that_name\necho after\n")
    with pytest.raises(RuntimeError, match=r"page\.md, line 3"):
        blocks.run_shell(block, tmp_path, blocks.lay_out(tmp_path))


def test_no_example_hides_behind_another_name() -> None:
    """A block in ```bash or ```console would be a command that nobody runs."""
    for page in blocks.list_pages():
        text = (ROOT / page).read_text(encoding="utf-8")
        fences = re.findall(r"^ *`{3,}(\S*)", text, flags=re.MULTILINE)
        assert set(fences[::2]) <= LANGUAGES, page
        assert set(fences[1::2]) <= {""}, page


def test_the_forms_of_a_command_keep_to_its_parser() -> None:
    from headway.cli import parser

    pages = [page for page in blocks.FORMS if (ROOT / page).is_file()]
    for block in (block for page in pages for block in blocks.read_blocks(page)):
        for line in block.code.splitlines():
            program, *words = shlex.split(line, comments=True)
            assert program == "headway"
            assert callable(parser().parse_args(words).run), line


def test_the_tutorials_are_run_by_the_build_of_the_site() -> None:
    assert set(load_tool("docs_pictures").TUTORIALS) == set(TUTORIALS)
    assert all(to_run(page) == list(blocks.read_blocks(page)) for page in TUTORIALS)


def test_the_list_of_what_is_not_run_is_that_of_the_pages() -> None:
    assert (ROOT / "docs/not_run.md").read_text(encoding="utf-8") == blocks.write(), (
        "run: python tools/docs_blocks.py"
    )
    for page in {*blocks.list_pages()} - blocks.FORMS.keys():
        text = (ROOT / page).read_text(encoding="utf-8")
        marks = re.findall("^<!-- not run here", text, flags=re.MULTILINE)
        assert len(marks) == sum(bool(block.reason) for block in blocks.read_blocks(page)), page
