"""The folder that goes to a journal: Word, figures, references; whatever a trial is called."""

from __future__ import annotations

import csv
import io
import math
import re
import runpy
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from docx import Document
from docx.enum.section import WD_ORIENT
from docx.oxml.ns import qn
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader

from headway import config, tables
from headway.cli import main, reviews
from headway.figures import fonts, journal, theme
from headway.figures.journal import choose_columns, save_for_journal
from headway.figures.review.draw import draw_review
from headway.figures.review.sheet import JOURNAL
from headway.ingest import trials
from headway.ingest.adapters import metafor
from headway.messages import LANGUAGES, speaking, t
from headway.report.manuscript import folder as manuscript
from headway.report.manuscript import references, word
from headway.report.manuscript.contents import list_grids
from headway.report.manuscript.methods import describe_methods
from headway.report.manuscript.references import Work
from headway.reviews.analyse import analyse_review
from tests.unit.drawn import hold_apart
from tests.unit.review_builder import ARMS, ARMS_HEADER, REVIEW, write_review

MAIN: dict[str, Any] = REVIEW["comparisons"][0]
NAMES = [
    r"<b>&amp; $x_1$ \frac{a} 2001",
    "دراسة الصداع 2002",
    "{ a lone brace, 100 % ~ ^ # 2003",
    "A trial of " + "very " * 20 + "long name 2004",
    "x" * 120,
    "Müller-Lüdenscheidt–Şahin 头痛 2005",
]
TWO = {"manual": "treatment,manual,", "care": "control,,usual_care"}
FLOW = {
    "databases": 120,
    "screened": 100,
    "assessed": 30,
    "studies": len(NAMES),
    "source": "made up",
}
JUDGED = "trial,domain,judgement,support,signed_by\n"


def write_rows(names: list[str]) -> str:
    text = io.StringIO(ARMS_HEADER)
    text.seek(0, io.SEEK_END)
    for i, name in enumerate(names):
        for j, (arm, what) in enumerate(TWO.items()):
            csv.writer(text, lineterminator=",").writerow([name])
            text.write(
                f"{2001 + i},{arm},{what},frequency,days_per_28,3 months,84,final,20,"
                f"{8 + 2 * j + i / 4},4,,retrieved,Table 1\n"
            )
    return text.getvalue()


def judge(names: list[str]) -> str:
    text = io.StringIO(JUDGED)
    text.seek(0, io.SEEK_END)
    rows = csv.writer(text, lineterminator="\n")
    for name in names:
        rows.writerow([name, "randomisation", "low", "sealed <envelopes> & a list", "A. Reader"])
        overall = "high" if name == NAMES[3] else "some_concerns"
        rows.writerow([name, "overall", overall, "", "A. Reader"])
    return text.getvalue()


def make(folder: Path, **given: Any) -> tuple[Path, Path]:
    """Take a review to its tables on disk, as the workflow does."""
    made = write_review(folder / "raw" / "rev", **given)
    review = config.load_review(made)
    read = trials.read_review(made, review)
    found = analyse_review(read.arms, read.contrasts, read.published, review, read.risk_of_bias)
    processed, results = folder / "processed", folder / "results"
    for name in ("arms", "contrasts", "published", "risk_of_bias"):
        tables.write_csv(getattr(read, name), processed / f"{name}.csv")
    for name, table in found.items():
        tables.write_csv(table, results / f"{name}.csv")
    tables.write_text(config.write_settings(review), processed / "review.json")
    tables.write_text(metafor.write_script(review), results / "reproduce.R")
    metafor.write_metafor(found["effects"], results / "metafor.csv")
    return processed, results


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A review whose trials have hostile names; of its figures only two, for speed."""
    finding = {
        "comparison": "main",
        "certainty": "low",
        "signed_by": "B. <Grader> & Co",
        "meaningful": {"value": 2, "source": "T"},
    }
    folder = tmp_path_factory.mktemp("hostile")
    places = make(
        folder,
        files={"arms.csv": write_rows(NAMES), "rob.csv": judge(NAMES)},
        mapped={"arms": {"path": "arms.csv"}, "risk_of_bias": {"path": "rob.csv"}},
        title=r"Title <i>&</i> $5 \today",
        flow=FLOW,
        findings=[finding],
    )
    return write_few(*places)


def write_few(processed: Path, results: Path, language: str = "en") -> Path:
    draw = manuscript.draw_review
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            manuscript,
            "draw_review",
            lambda *a: {k: v for k, v in draw(*a).items() if k in ("flow", "forest_main")},
        )
        return manuscript.write_manuscript(processed, results, language)


def list_captions(document: Any) -> list[Any]:
    return [p for p in document.paragraphs if p.style.name == "Caption"]


def read_cells(document: Any) -> str:
    return "\n".join(c.text for table in document.tables for row in table.rows for c in row.cells)


# ---- Word ----------------------------------------------------------------------------------------


def test_the_tables_are_word_tables_with_numbered_captions_and_repeated_heads(
    hostile: Path,
) -> None:
    document = Document(str(hostile / "tables.docx"))
    captions = list_captions(document)
    assert len(document.tables) == len(captions) == 6
    assert [c.text[:9] for c in captions] == [f"Table {i}. " for i in range(1, 7)]
    for caption, table in zip(captions, document.tables, strict=True):
        codes = [e.text for e in caption._p.iter(qn("w:instrText"))]
        assert codes == [r" SEQ Table \* ARABIC "]
        kinds = [e.get(qn("w:fldCharType")) for e in caption._p.iter(qn("w:fldChar"))]
        assert kinds == ["begin", "separate", "end"]
        assert caption._p.getnext() is table._tbl
        assert table.style.name == word.TABLE_STYLE
        heads = [row._tr.trPr.findall(qn("w:tblHeader")) != [] for row in table.rows]
        assert heads == [True, *[False] * (len(table.rows) - 1)]
        widths = [column.width.mm for column in table.columns]
        assert sum(widths) <= word.LONG_MM - 2 * word.MARGIN_MM + 1
    wide = [s for s in document.sections if s.orientation == WD_ORIENT.LANDSCAPE]
    assert wide and all(s.page_width > s.page_height for s in wide)


def test_every_name_stands_in_word_as_it_was_typed(hostile: Path) -> None:
    cells = read_cells(Document(str(hostile / "tables.docx")))
    for name in (*NAMES, "sealed <envelopes> & a list", "B. <Grader> & Co"):
        assert " ".join(name.split()) in " ".join(cells.split())
    assert Document(str(hostile / "tables.docx")).paragraphs[0].text == r"Title <i>&</i> $5 \today"


@pytest.mark.parametrize("language", LANGUAGES)
def test_word_files_carry_their_language_and_their_fonts(language: str, tmp_path: Path) -> None:
    with speaking(language):
        document = word.start_document("Title")
        word.add_grid(document, word.Grid("Caption", ["a", "b"], [["1", "دراسة"]]), 1)
        word.save(document, tmp_path / "x.docx")
        label = t("manuscript.table")
    with zipfile.ZipFile(tmp_path / "x.docx") as parts:
        styles = parts.read("word/styles.xml").decode()
        core = parts.read("docProps/core.xml").decode()
        body = parts.read("word/document.xml").decode()
        assert {part.date_time[0] for part in parts.infolist()} == {1980}
    assert re.search(r"<w:docDefaults>.*?<w:lang w:val=\"" + word.LOCALES[language], styles, re.S)
    assert f'w:ascii="{word.FONT}"' in styles
    assert "created" not in core and "python-docx" not in core
    assert rf"SEQ {label} \* ARABIC" in body
    assert "<w:rtl/>" in body


@settings(max_examples=50)
@given(st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_a_text_is_the_sum_of_its_pieces(text: str, gaps: list[str]) -> None:
    assert "".join(piece for piece, _ in word.split_gaps(text, gaps)) == text


@given(st.lists(st.lists(st.text(), min_size=3, max_size=3), min_size=1, max_size=5))
def test_columns_fill_the_page_and_none_is_crushed(rows: list[list[str]]) -> None:
    widths = word.share_room(rows, 170)
    assert sum(widths) == pytest.approx(170)
    assert min(widths) > 170 * 6 / (6 + 2 * 26) - 1e-9


@settings(max_examples=10)
@given(st.text())
def test_any_text_makes_a_word_file(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    document = word.start_document(text)
    word.add_grid(document, word.Grid(text, [text, "b"], [[text, text]], notes=[text]), 1)
    path = tmp_path_factory.mktemp("word") / "x.docx"
    word.save(document, path)
    assert len(Document(str(path)).tables) == 1


# ---- figures -------------------------------------------------------------------------------------


def test_figures_have_the_width_of_columns_and_the_density_journals_ask_for(hostile: Path) -> None:
    names = {path.name for path in (hostile / "figures").iterdir()}
    assert names == {
        f"{n}.{e}" for n in ("prisma", "forest_main") for e in ("svg", "pdf", "tif", "png")
    }
    for path, dpi in (("forest_main.tif", 600), ("prisma.tif", 600), ("forest_main.png", 300)):
        with Image.open(hostile / "figures" / path) as image:
            assert image.mode == "RGB"
            assert image.info["dpi"][0] == pytest.approx(dpi, abs=0.01)
            assert image.width / dpi * 25.4 == pytest.approx(174, abs=0.1)
            assert path.endswith("png") or image.info["compression"] == "tiff_lzw"


def test_the_letters_of_an_svg_are_text(hostile: Path) -> None:
    root = ET.parse(hostile / "figures" / "forest_main.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("width") == "174.00mm"
    drawn = "".join("".join(e.itertext()) for e in root.iter(f"{space}text"))
    flat = "".join(drawn.split())
    for name in (NAMES[0], NAMES[2], NAMES[3]):
        assert "".join(name.split()) in flat
    flow = (hostile / "prisma.svg").read_text(encoding="utf-8")
    assert "n = 120" in flow and "n = 30" in flow
    assert flow == (hostile / "figures" / "prisma.svg").read_text(encoding="utf-8")


def test_the_fonts_of_a_pdf_are_embedded_as_truetype(hostile: Path) -> None:
    content = (hostile / "figures" / "forest_main.pdf").read_bytes()
    assert b"/FontFile2" in content and b"/Type3" not in content
    assert b"/CreationDate" not in content
    box = re.search(rb"/MediaBox \[ 0(?:\.0)? 0(?:\.0)? ([0-9.]+)", content)
    assert box is not None and float(box[1]) / 72 * 25.4 == pytest.approx(174, abs=0.1)
    program = shutil.which("pdffonts")
    if program:
        path = hostile / "figures" / "forest_main.pdf"
        lines = subprocess.run([program, path], capture_output=True, text=True, check=True).stdout
        listed = lines.splitlines()[2:]
        assert all(" yes yes " in line for line in listed)
        # Letters of other scripts come from a font of the machine, in its own form.
        own = [line for line in listed if "DejaVu" in line]
        assert own and all("TrueType" in line for line in own)


def test_letters_that_no_font_draws_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figure = theme.new_figure(4, 1)
    figure.text(0.1, 0.5, "한국 2001")
    monkeypatch.setattr(fonts, "find_families", lambda letters: ([], set(letters)))
    saved = save_for_journal("one", theme.Drawing(figure, "T", "A", "C"), tmp_path)
    assert fonts.LOST in saved.lost
    assert fonts.LOST in (tmp_path / "one.svg").read_text(encoding="utf-8")
    assert (saved.columns, saved.width_mm) == (1, 85)


def list_sizes(path: Path) -> list[tuple[float, str]]:
    """List the size of each piece of text on a PDF's page, in points, scaled as the page is."""
    found: list[tuple[float, str]] = []

    def visit(text: str, cm: Any, tm: Any, font: Any, size: float) -> None:
        if text.strip():
            along = np.array([[tm[0], tm[1]], [tm[2], tm[3]]]) @ [[cm[0], cm[1]], [cm[2], cm[3]]]
            found.append((size * math.sqrt(abs(np.linalg.det(along))), text))

    PdfReader(path).pages[0].extract_text(visitor_text=visit)
    return found


@pytest.mark.parametrize("language", ["en", "de"])
def test_no_letter_of_a_figure_is_smaller_than_six_points(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [*NAMES, *(f"Trial {i} {2000 + i}" for i in range(34))]
    processed, results = make(
        tmp_path,
        files={"arms.csv": write_rows(many), "rob.csv": judge(many)},
        mapped={"arms": {"path": "arms.csv"}, "risk_of_bias": {"path": "rob.csv"}},
        forest={"columns": ["n1", "r_from", "time_days", "status"]},
        flow=FLOW,
    )
    monkeypatch.setattr(journal, "_draw_pixels", lambda *_: None)
    review = config.read_review(processed / "review.json")
    with speaking(language):
        drawn = draw_review(manuscript.read_tables(processed, results), review, JOURNAL)
        saved = [save_for_journal(name, one, tmp_path) for name, one in drawn.items()]
    assert {"forest_main_part_1", "forest_main_part_2", "funnel_main", "multiverse_main"} <= set(
        drawn
    )
    for figure in saved:
        page = PdfReader(tmp_path / f"{figure.name}.pdf").pages[0]
        wide, tall = (float(side) / 72 * 25.4 for side in page.mediabox[2:])
        assert wide == pytest.approx(journal.COLUMNS_MM[figure.columns], abs=0.1)
        assert tall <= journal.PAGE_MM, figure.name
        sizes = list_sizes(tmp_path / f"{figure.name}.pdf")
        assert len(sizes) > 5
        least = min(sizes)
        assert least[0] >= 5.99, (figure.name, least)
        assert least[0] == pytest.approx(figure.least_pt, abs=0.02)
    parts = [one for name, one in drawn.items() if name.startswith("forest_main_part")]
    for part in parts:
        hold_apart(part.figure, most=3)
    # Lights and own columns gave way; the arms' numbers stayed.
    assert t("forest.no_lights") in parts[0].caption or language != "en"
    told = [x.get_text() for part in parts for x in part.figure.axes[0].texts]
    for name in ("Trial 0 2000", "Trial 33 2033"):
        assert told.count(name) == 1


def test_a_figure_of_few_lines_takes_one_column(tmp_path: Path) -> None:
    figure = theme.new_figure(4, 1)
    figure.text(0.1, 0.5, "n = 20", fontsize=7)
    saved = save_for_journal("one", theme.Drawing(figure, "T", "A", "C"), tmp_path)
    assert (saved.columns, saved.width_mm) == (1, 85)
    assert min(list_sizes(tmp_path / "one.pdf"))[0] >= 5.99


@given(st.floats(2, 20), st.floats(4, 12))
def test_one_column_is_chosen_where_type_stays_legible(width: float, least: float) -> None:
    there = least * 85 / 25.4 / width
    assert choose_columns(width, least) == (1 if there * 1.2 >= 6 else 2)


# ---- references ----------------------------------------------------------------------------------

ENTRY = re.compile(r"@(article|book|misc)\{([A-Za-z0-9_]+),\n((?:  [a-z]+ = \{.*\},?\n)+)\}\n")
COMMANDS = {
    r"\textbackslash{}": "\\",
    r"\textbraceleft{}": "{",
    r"\textbraceright{}": "}",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
}


def read_bib(text: str) -> list[dict[str, str]]:
    """Read BibTeX as its grammar has it: entries of balanced fields, and nothing else."""
    out = []
    assert ENTRY.sub("", text).strip() == ""
    for kind, key, body in ENTRY.findall(text):
        entry = {"kind": kind, "key": key}
        for line in body.splitlines():
            name, value = re.fullmatch(r"  ([a-z]+) = \{(.*)\},?", line).groups()  # type: ignore[union-attr]
            depth = [0]
            for letter in value:
                depth.append(depth[-1] + (letter == "{") - (letter == "}"))
            assert min(depth) == depth[-1] == 0
            entry[name] = value
        out.append(entry)
    return out


def unescape(text: str) -> str:
    def plain(found: re.Match[str]) -> str:
        return COMMANDS.get(found.group(), found.group()[1:])

    return re.sub(r"\\text[a-z]+\{\}|\\[&%$#_]", plain, text)


def test_trials_and_methods_are_in_the_bibliography(hostile: Path) -> None:
    entries = read_bib((hostile / "references.bib").read_text(encoding="utf-8"))
    titles = [unescape(e["title"][1:-1]) for e in entries]
    for name in NAMES:
        assert " ".join(name.split()) in titles
    keys = [e["key"] for e in entries]
    assert len(set(keys)) == len(keys)
    # The declared model is REML with the adjusted interval, so DerSimonian stands as a sensitivity.
    assert {"hartung_2001", "rover_2015", "higgins_2009", "sterne_2019", "guyatt_2008"} <= set(keys)
    assert not {"mantel_1959", "egger_1997", "kenward_1997", "becker_1988"} & set(keys)
    ris = (hostile / "references.ris").read_bytes().decode("utf-8")
    lines = ris.split("\r\n")
    assert lines[-1] == "" and all(re.match(r"[A-Z][A-Z0-9]  - ", line) for line in lines[:-1])
    assert lines.count("ER  - ") == sum(line.startswith("TY  - ") for line in lines) == len(keys)
    assert f"TI  - {NAMES[0]}" in lines and f"TI  - {NAMES[1]}" in lines


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4), st.text())
def test_any_name_is_a_well_formed_reference(names: list[str], note: str) -> None:
    works = [Work(key=name, title=name, doi=name, note=note) for name in names]
    entries = read_bib(references.write_bib(works))
    assert len(entries) == len(names) == len({e["key"] for e in entries})
    for entry, name in zip(entries, names, strict=True):
        assert unescape(entry["title"][1:-1]) == " ".join(tables.printable(name).split())
    ris = references.write_ris(works)
    assert ris.count("TY  - GEN\r\n") >= len(names)
    assert len(ris.split("\r\n")) - 1 <= 5 * len(names)


def test_every_work_is_whole_and_cited_by_family_names() -> None:
    works = references.load_works()
    for key, work in works.items():
        assert key.endswith(str(work.year)) and work.authors and work.title
        assert work.publisher or (work.journal and work.volume and work.pages)
        assert "\n" not in references.write_entry(work)
    assert references.cite("hartung_2001", "inthout_2014") == (
        "Hartung and Knapp 2001; IntHout et al. 2014"
    )
    with speaking("de"):
        assert references.cite("hartung_2001") == "Hartung und Knapp 2001"
    assert references.write_entry(works["hartung_2001"]).startswith("Hartung J, Knapp G. A refined")


# ---- methods -------------------------------------------------------------------------------------


def describe(tmp_path: Path, **given: Any) -> Any:
    processed, results = make(tmp_path, **given)
    review = config.read_review(processed / "review.json")
    read = manuscript.read_tables(processed, results)
    return describe_methods(read, review), read, review


def test_estimates_in_other_terms_and_trials_left_out_are_told(hostile: Path) -> None:
    document = Document(str(hostile / "tables.docx"))
    told = document.tables[4].rows[1].cells
    assert "high risk of bias" in told[1].text
    assert NAMES[0] not in told[2].text
    paragraph = Document(str(hostile / "methods.docx")).paragraphs[1].text
    assert t("manuscript.without_high_risk") in paragraph
    assert "RoB 2 (Sterne et al. 2019); the judgements are signed by A. Reader" in paragraph


def test_methods_claim_nothing_that_is_not_declared(tmp_path: Path) -> None:
    said, read, review = describe(tmp_path, files={"arms.csv": write_rows(["A 2001"])})
    assert "No results of trials were pooled." in said.sentences
    for word_ in ("RoB", "GRADE", "PRISMA", "random", "Egger", "heterogeneity", "correlation"):
        assert word_ not in said.text
    assert "[state the population]" in said.text
    assert t("manuscript.gap_search") in said.gaps and t("manuscript.gap_risk") in said.gaps
    assert all(gap in said.text for gap in said.gaps)
    assert list_grids(read, review)[0].caption == "Characteristics of the studies"


@pytest.mark.parametrize(
    ("model", "words", "works"),
    [
        ({"method": "DL", "test": "z"}, "DerSimonian and Laird 1986", {"dersimonian_1986"}),
        ({"method": "REML", "test": "kr"}, "Kenward and Roger", {"kenward_1997"}),
        ({"method": "EE", "test": "z"}, "a common-effect model", set()),
    ],
)
def test_methods_name_the_declared_model(
    model: dict[str, str], words: str, works: set[str], tmp_path: Path
) -> None:
    said, _, _ = describe(
        tmp_path,
        files={"arms.csv": write_rows(["A", "B", "C"])},
        model=model,
        sensitivity_models=[],
    )
    assert words in said.text
    assert works <= set(said.cited)
    if model["method"] == "EE":
        assert "prediction" not in said.text.lower() and "dersimonian_1986" not in said.cited


def test_methods_say_what_became_of_empty_cells_only_where_there_are_some(tmp_path: Path) -> None:
    head = ARMS_HEADER.replace("mean,sd", "events,sd")

    def rows(events: int) -> dict[str, str]:
        text = head
        for trial, n in (("A 2001", 3), ("B 2002", events)):
            for what, k in (("massage,treatment,manual,", n), ("care,control,,usual_care", 5)):
                text += f"{trial},2001,{what},frequency,participants,end,84,events,20,{k}"
                text += ",,,retrieved,T\n"
        return {"arms.csv": text}

    counted = {
        "comparisons": [{**MAIN, "measure": "RR"}],
        "outcomes": {"frequency": {"unit": "participants"}},
    }
    empty, _, _ = describe(tmp_path / "a", files=rows(0), **counted)
    full, _, _ = describe(tmp_path / "b", files=rows(4), **counted)
    assert t("manuscript.zero_left") in empty.sentences
    assert t("manuscript.zero_left") not in full.sentences


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_methods_paragraph_has_its_gaps_marked(hostile: Path, language: str) -> None:
    processed, results = hostile.parent.parent / "processed", hostile.parent
    review = config.read_review(processed / "review.json")
    with speaking(language):
        said = describe_methods(manuscript.read_tables(processed, results), review)
        document = word.start_document("x")
        paragraph = word.add_text(document, said.text, gaps=said.gaps)
        grids = list_grids(manuscript.read_tables(processed, results), review)
    marked = [run.text for run in paragraph.runs if run.font.highlight_color]
    assert marked == said.gaps
    assert all(len(row) == len(grid.heads) for grid in grids for row in grid.rows)
    if language != "en":
        assert not re.search(r"\b(was|were|the|and|with)\b", re.sub(r"\([^)]*\)", "", said.text))


# ---- the folder ----------------------------------------------------------------------------------


def test_two_runs_write_the_same_bytes_and_nothing_stays_of_an_earlier_one(hostile: Path) -> None:
    def read() -> dict[str, bytes]:
        paths = sorted(p for p in hostile.rglob("*") if p.is_file())
        return {p.relative_to(hostile).as_posix(): p.read_bytes() for p in paths}

    first = read()
    (hostile / "figures" / "forest_gone.png").write_bytes(b"old")
    assert write_few(hostile.parent.parent / "processed", hostile.parent) == hostile
    assert read() == first


def test_the_readme_names_every_file_and_the_effects_have_their_columns(hostile: Path) -> None:
    text = (hostile / "README").read_text(encoding="utf-8")
    for path in hostile.iterdir():
        assert path.name == "README" or path.name in text
    assert "figures/forest_main: 174 × " in text
    assert text.count("[State") == len(re.findall(r"^  \[State", text, re.MULTILINE)) > 0
    read = tables.read_csv("effects", hostile / "data.csv")
    assert set(read["trial"]) >= {NAMES[1], NAMES[4]}
    script = (hostile / "reproduce.R").read_text(encoding="utf-8")
    assert '"metafor.csv"' in script and (hostile / "metafor.csv").is_file()


def run_rule(processed: Path, results: Path, language: str) -> None:
    """Run what the workflow's rule runs."""
    script = runpy.run_path(str(Path(__file__).parents[2] / "workflow/scripts/manuscript.py"))
    given = {"review": processed / "review.json", "status": processed / "status.json"}
    script["main"](
        SimpleNamespace(
            input=SimpleNamespace(**given),
            output=SimpleNamespace(folder=results / "manuscript"),
            params=SimpleNamespace(language=None if language == "own" else language),
        )
    )


def test_a_refused_review_has_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text('{"state": "refused"}')
    run_rule(tmp_path, tmp_path / "results", "own")
    assert list((tmp_path / "results" / "manuscript").iterdir()) == []


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A review that is built, in a folder of data; returns what the workflow was asked to run."""
    raw = tmp_path / "data" / "raw" / "trials"
    processed, results = make(tmp_path / "made", files={"arms.csv": ARMS})
    for path in (processed, results, tmp_path / "made" / "raw" / "rev"):
        place = {processed: tmp_path / "data" / "processed", results: tmp_path / "results"}
        target = place[path] / "trials" / "rev" if path in place else raw / "rev"
        shutil.copytree(path, target)
    (tmp_path / "results" / "trials" / "rev" / "index.html").write_text("a page")
    status = tmp_path / "data" / "processed" / "trials" / "rev" / "status.json"
    status.write_text('{"state": "ready"}')
    asked: list[Path] = []

    def run(source: Any, cores: str, *settings_: str) -> int:
        place = source.place
        asked.append(place.data)
        (language,) = [x.partition("=")[2] for x in settings_ if x.startswith("manuscripts=")]
        run_rule(place.data / "processed" / "trials" / "rev", results_of(place), language)
        return 0

    def results_of(place: Any) -> Path:
        return Path(place.results) / "trials" / "rev"

    monkeypatch.setattr(reviews, "run_for", run)
    monkeypatch.setattr(manuscript, "draw_review", lambda *_: {})
    monkeypatch.chdir(tmp_path)
    return asked


def test_the_command_builds_a_review_and_writes_its_folder(
    study: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["manuscript", "rev", "--language", "de"]) == 0
    made = Path("results") / "trials" / "rev" / "manuscript"
    assert study == [Path("data")]
    assert capfd.readouterr().out.splitlines() == [str(made)]
    captions = list_captions(Document(str(made / "tables.docx")))
    assert captions[0].text == "Tabelle 1. Merkmale der Studien"
    assert main(["manuscript", "nobody"]) == 11


def test_a_missing_package_is_named_before_anything_is_built(
    study: list[Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "docx", None)
    assert main(["manuscript", "rev"]) == 16
    assert "pip install 'headway[pipeline]'" in capfd.readouterr().err
    assert study == []
