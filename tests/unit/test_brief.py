"""A clinic's brief: two pages that a child of twelve can read, the same on screen and on paper."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pandas as pd
import pytest

from headway import config, disclosure, tables
from headway.config.clinic import Clinic
from headway.disclosure import Preset, choose_preset
from headway.errors import MissingPackageError
from headway.figures import fonts, theme
from headway.figures.clinic.brief import draw_brief
from headway.ingest import clinics
from headway.outcomes import audit
from headway.outcomes.change import cohort
from headway.outcomes.expectation.verdict import read_verdict
from headway.report import formats
from headway.report.clinic import brief as briefs
from headway.report.clinic.brief import Brief, write_brief
from headway.report.clinic.brief_pages import write_html, write_pdf
from tests.conftest import ROOT
from tests.unit.clinic_builder import write_clinic
from tests.unit.pages_builder import PROBLEM, READY, released
from tests.unit.readability import (
    count_syllables,
    fernandez_huerta,
    flesch_kincaid,
    list_words,
    split_sentences,
    wiener,
)

LANGUAGES = ("en", "es", "de")
QUICK = {
    "bootstrap": {"replicates": 200, "seed": 1},
    "sensitivity": {
        "imputations": 2,
        "cycles": 2,
        "completeness": [20],
        "headache_hours": [0.5],
    },
}


# ---- clinics -------------------------------------------------------------------------------------


def write_recall(folder: Path) -> Path:
    """Write a clinic that asks at visits, and keeps no diary."""
    rows = [
        f"P{i},{day},{days}\n"
        for i in range(24)
        for day, days in ((0, 8 + i % 12), (84, 6 + (3 * i) % 13))
    ]
    columns = {"patient_id": "code", "day": "day", "headache_days_28": "hd"}
    spec = {"sessions": {"path": "s.csv", "columns": columns}}
    return write_clinic(folder, {"s.csv": "code,day,hd\n" + "".join(rows)}, spec, **QUICK)


def write_attacks(folder: Path) -> Path:
    """Write a clinic that has a log of attacks alone: which days were free is not known."""
    rows = [f"P{i},{day},9,{3 + i % 5}\n" for i in range(24) for day in range(-27, 80, 4 + i % 3)]
    columns = {"patient_id": "code", "day": "day", "start_hour": "at", "duration_hours": "h"}
    spec = {"attacks": {"path": "a.csv", "columns": columns}}
    text = "code,day,at,h\n" + "".join(rows)
    return write_clinic(folder, {"a.csv": text}, spec, course={"start": 0}, **QUICK)


def write_two_values(folder: Path) -> Path:
    """Write a clinic that has a value before and one after, and nothing else."""
    wide = [
        {"column": f"{o}{w}", "window": name, "outcome": outcome, "unit": unit}
        for o, outcome, unit in (("d", "frequency", "days_per_28"), ("p", "intensity", "nrs_0_10"))
        for w, name in ((0, "baseline"), (1, "post"))
    ]
    rows = [f"P{i},{9 + i % 11},{7 + (2 * i) % 12},{4 + i % 4},{3 + i % 5}\n" for i in range(24)]
    spec = {"windows": {"path": "w.csv", "columns": {"patient_id": "code"}, "wide": wide}}
    return write_clinic(folder, {"w.csv": "code,d0,d1,p0,p1\n" + "".join(rows)}, spec, **QUICK)


WRITERS = {"recall": write_recall, "attacks": write_attacks, "two values": write_two_values}


@cache
def analysed(name: str) -> tuple[Clinic, dict[str, pd.DataFrame]]:
    folder = WRITERS[name](Path(mkdtemp()) / "clinic")
    clinic = config.load_clinic(folder)
    flow = clinics.ingest_clinic(folder, clinic, folder.parent / "out").as_flow()
    found = audit.audit_clinic(folder.parent / "out", clinic)
    found["flow"] = cohort.join_flow(tables.conform("flow", pd.DataFrame(flow)), found["flow"])
    return clinic, {n: found[n] for n in tables.RELEASED}


CLINICS = ("demo", "demo hidden", "kostecki", "recall", "recall hidden", "attacks", "two values")


@cache
def found(name: str) -> tuple[Clinic, dict[str, pd.DataFrame], Preset]:
    kind, hides = name.removesuffix(" hidden"), name.endswith(" hidden")
    if kind in WRITERS:
        clinic, made = analysed(kind)
        rules = choose_preset("cms" if hides else "public")
        return replace(clinic, disclosure=rules.name), disclosure.release(made, rules), rules
    shipped = {"demo": "demo", "kostecki": "kostecki_dillon_1999"}[kind]
    return released(shipped, "opensafely" if hides else "")


@cache
def content(name: str, language: str) -> Brief:
    clinic, out, rules = found(name)
    return write_brief(replace(clinic, language=language), READY, out, rules)


@cache
def written(name: str, language: str) -> tuple[str, bytes, tuple[theme.Saved, ...]]:
    clinic, out, rules = found(name)
    clinic = replace(clinic, language=language)
    drawn = draw_brief(out, clinic, rules)
    saved = tuple(theme.save(drawn, Path(mkdtemp())))
    made = content(name, language)
    return write_html(made, saved), write_pdf(made, saved), saved


# ---- readability ---------------------------------------------------------------------------------


def test_the_formulas_give_what_a_hand_count_gives() -> None:
    english = "The cat sat by the window. It was there again."
    assert flesch_kincaid(english) == pytest.approx(0.39 * 5 + 11.8 * 12 / 10 - 15.59)
    # 8 words in 2 sentences: one of three syllables, which is of more than six letters; 5 of one.
    german = "Die Behandlung war gut. Wir haben Tage frei."
    assert wiener(german) == pytest.approx(
        0.1935 * 12.5 + 0.1672 * 4 + 0.1297 * 12.5 - 0.0327 * 62.5 - 0.875
    )
    # 8 words in 2 sentences, 2+1+2+2 and 1+1+2+1 syllables.
    spanish = "Hubo dos días buenos. No se sabe más."
    assert fernandez_huerta(spanish) == pytest.approx(206.84 - 60 * 12 / 8 - 1.02 * 4)
    counted = {
        "de": {"Kopfschmerz": 2, "Tage": 2, "wieder": 2, "Änderung": 3, "Bauer": 2, "Verein": 2},
        "es": {"cabeza": 3, "quien": 1, "siguiente": 3, "media": 2, "veía": 3, "aérea": 4},
        "en": {"headache": 2, "changed": 1, "people": 2, "treatment": 2, "before": 2},
    }
    for language, words in counted.items():
        assert {w: count_syllables(w, language) for w in words} == words
    # A figure is one word of one syllable, however it is written.
    assert list_words("from −3.4 to 12,5 in 28") == ["from", "−3.4", "to", "12,5", "in", "28"]
    assert count_syllables("−3.4", "en") == count_syllables("95", "de") == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", CLINICS)
def test_a_child_of_twelve_can_read_the_brief(name: str, language: str) -> None:
    text = " ".join(content(name, language).list_sentences())
    if language == "en":
        assert flesch_kincaid(text) <= 7
    elif language == "de":
        assert wiener(text) <= 7
    else:
        assert fernandez_huerta(text) >= 70
    # An average hides one endless sentence.
    assert max(len(list_words(s)) for s in split_sentences(text)) <= 30


# ---- no more than the tables carry ---------------------------------------------------------------


@pytest.mark.parametrize("name", CLINICS)
def test_the_verdict_is_that_of_the_table(name: str) -> None:
    _, out, _ = found(name)
    made, said = content(name, "en"), read_verdict(out["expected"])
    for one in made.outcomes:
        rows = out["cohort"][out["cohort"]["outcome"].eq(one.outcome) & out["cohort"]["primary"]]
        if one.outcome == "frequency" and rows["statistic"].eq("change_mean").any():
            assert one.verdict == said.kind
        assert ("beyond what we would expect" in one.lead) == (one.verdict == "further")
        assert ("worse by more than we would" in one.lead) == (one.verdict == "less")
    for language in LANGUAGES:
        text = " ".join(content(name, language).list_sentences())
        assert formats.find_forbidden(text, language) == []


@pytest.mark.parametrize(("kind", "words"), [("further", "beyond"), ("less", "got worse")])
def test_each_verdict_has_its_sentence(
    kind: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic, out, rules = found("demo")
    said = replace(read_verdict(out["expected"]), kind=kind)
    monkeypatch.setattr(briefs, "read_verdict", lambda expected: said)
    monkeypatch.setattr(briefs, "find_kind", lambda outcome, change, expected: kind)
    one = write_brief(clinic, READY, out, rules).outcomes[0]
    assert words in one.lead and one.more[-1] == "That is no proof that treatment did it."


def test_the_numbers_are_those_of_the_tables() -> None:
    _, out, _ = found("demo")
    rows = out["cohort"]
    rows = rows[rows["primary"]].set_index("statistic")
    changes, people = content("demo", "en").changes, content("demo", "en").people
    assert changes is not None and people is not None
    cells = {head: cells[0] for head, cells in (*changes.rows, *people.rows)}
    assert cells["Mean before"] == f"{rows.loc['pre_mean', 'estimate']:.1f}"
    assert cells["Mean after"] == f"{rows.loc['post_mean', 'estimate']:.1f}"
    low, high = (f"−{-rows.loc['change_mean', c]:.1f}" for c in ("ci_low", "ci_high"))
    assert cells["95 % interval of the change (method)"] == f"{low} to {high} (t)"
    better = rows.loc["responders_50_of_started"]
    wanted = f"{better['estimate']:.0f} % ({better['count']:.0f} of {better['n']:.0f})"
    assert cells["Better by half or more, of all who started"] == wanted


def test_without_a_comparison_it_says_what_to_record() -> None:
    made = content("attacks", "en")
    assert made.outcomes == () and made.changes is None
    assert "say nothing about change" in " ".join(made.lead)
    assert made.record is not None and len(made.record.sentences) == 3


def test_what_is_missing_is_asked_for() -> None:
    recall, two = content("recall", "en").record, content("two values", "en").record
    assert recall is not None and two is not None
    assert any("8 weeks before" in s for s in recall.sentences)
    assert any("from 0 to 10" in s for s in recall.sentences)
    assert not any("from 0 to 10" in s for s in two.sentences)
    assert any("how many hours" in s for s in two.sentences)


def test_a_refused_clinic_has_nothing_to_tell() -> None:
    clinic, _, rules = found("demo")
    status = {"name": "demo", "state": "refused", "problems": [PROBLEM]}
    made = write_brief(clinic, status, audit.empty_audit(), rules)
    assert made.list_sentences() == [
        "These records were not read. The full report says what to mend."
    ]
    assert write_pdf(made, []).startswith(b"%PDF")


@pytest.mark.parametrize("language", LANGUAGES)
def test_small_numbers_stay_hidden(language: str) -> None:
    """Every number of people is 0, or above the limit and rounded."""
    for name in ("demo hidden", "recall hidden"):
        _, _, rules = found(name)
        made = content(name, language)
        text = " ".join([*made.list_sentences(), *cells_of(made)])
        said = re.findall(r"(\d+) (?:of|de(?: las)?|von|der) (\d+)", text)
        said += re.findall(r"(\d+) (?:people|personas|Menschen)()", text)
        numbers = [int(n) for pair in said for n in pair if n]
        assert numbers
        assert [n for n in numbers if n and (n <= rules.redact_up_to or n % rules.round_to)] == []


# ---- two renderings of one content ---------------------------------------------------------------


def cells_of(made: Brief) -> list[str]:
    out = []
    for grid in (made.changes, made.people):
        for head, cells in grid.rows if grid else ():
            out += [head, *cells]
    return out


def plain(text: str) -> str:
    """Take blanks and hyphens away, which a line break may add."""
    return re.sub(r"[\s\u00ad\u2010-]+", "", text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["demo", "recall hidden", "attacks"])
def test_page_and_paper_say_the_same(name: str, language: str, tmp_path: Path) -> None:
    page, pdf, _ = written(name, language)
    (tmp_path / "brief.pdf").write_bytes(pdf)
    on_paper = plain(read_pdf(tmp_path / "brief.pdf"))
    bare = re.sub(r"<style.*?</style>|<svg.*?</svg>|<[^>]+>", " ", page, flags=re.DOTALL)
    on_screen = plain(unescape(bare))
    made = content(name, language)
    for text in [made.title, *made.list_sentences(), *cells_of(made), *made.foot]:
        assert plain(text) in on_screen, text
        assert plain(text) in on_paper, text


def read_pdf(path: Path) -> str:
    """Read a PDF's text with poppler in the order it was written, or skip without poppler."""
    return run_poppler("pdftotext", "-raw", str(path), "-")


def run_poppler(program: str, *arguments: str) -> str:
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip(f"{program} is not installed")
    return done.stdout


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pdf_is_tagged_with_two_pages_and_its_own_fonts(language: str, tmp_path: Path) -> None:
    path = tmp_path / "brief.pdf"
    path.write_bytes(written("demo", language)[1])
    assert f"/Lang({language})".encode() in path.read_bytes()
    told = dict(re.findall(r"^([\w ]+):\s+(.*)$", run_poppler("pdfinfo", str(path)), re.M))
    assert told["Tagged"] == "yes" and told["Pages"] == "2"
    assert told["Title"].startswith("Demo trigger point clinic: ")
    assert "A4" in told["Page size"] and "CreationDate" not in told
    listed = run_poppler("pdffonts", str(path)).splitlines()[2:]
    assert listed and all("DejaVuSans" in line for line in listed)
    assert all(line.split()[-5] == "yes" for line in listed)  # embedded


def test_long_names_and_many_warnings_still_make_two_pages(tmp_path: Path) -> None:
    clinic, out, rules = found("demo")
    clinic = replace(clinic, title="Ein sehr langer Name " * 12, source="Quelle " * 80)
    made = write_brief(replace(clinic, language="de"), READY, out, rules)
    made = replace(made, warnings=tuple(f"Achtung: {'Das ist ein Satz. ' * 9}" for _ in range(6)))
    path = tmp_path / "brief.pdf"
    path.write_bytes(write_pdf(made, written("demo", "de")[2]))
    assert re.search(r"Pages:\s+2\b", run_poppler("pdfinfo", str(path)))


def test_what_is_typed_is_text_and_no_markup(tmp_path: Path) -> None:
    typed = '#panic("x") $a$ *b* _c_ <d> @e `f` [g] = h \\ "i" & </script>'
    clinic, out, rules = found("two values")
    made = write_brief(replace(clinic, title=typed, source=typed), READY, out, rules)
    path = tmp_path / "brief.pdf"
    path.write_bytes(write_pdf(made, ()))
    assert plain(typed) in plain(read_pdf(path))
    page = write_html(made, ())
    assert typed not in page and "<d>" not in page and "&lt;d&gt;" in page


def test_the_same_content_gives_the_same_bytes_everywhere(tmp_path: Path) -> None:
    made, first, saved = content("demo", "de"), written("demo", "de")[1], written("demo", "de")[2]
    assert write_pdf(made, saved) == first
    small = write_brief(found("demo")[0], READY, found("demo")[1], found("demo")[2])
    program = (
        "import pickle, sys; from headway.report.clinic.brief_pages import write_pdf; "
        "made = pickle.load(open(sys.argv[1], 'rb')); "
        "sys.stdout.buffer.write(write_pdf(made, ()))"
    )
    import pickle

    (tmp_path / "made").write_bytes(pickle.dumps(small))
    elsewhere = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "made")],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "TZ": "Pacific/Auckland",
            "LANG": "tr_TR.UTF-8",
            "LC_ALL": "C",
            "SOURCE_DATE_EPOCH": "1700000000",
        },
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert elsewhere.stdout == write_pdf(small, ())


def test_without_typst_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(MissingPackageError, match=r"headway\[pipeline\]"):
        write_pdf(content("demo", "en"), ())


# ---- pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", CLINICS)
def test_there_is_a_picture_on_each_page_with_words_for_it(name: str, language: str) -> None:
    clinic, out, rules = found(name)
    drawn = draw_brief(out, replace(clinic, language=language), rules)
    changes = content(name, language).changes
    if changes is None:
        assert drawn == {}
        return
    assert set(drawn) == {"brief_means", "brief_people"}
    for drawing in drawn.values():
        assert len(drawing.figure.axes) == len(changes.heads)
        assert all(axes.get_title(loc="left") for axes in drawing.figure.axes)
        assert drawing.alt and drawing.caption


def test_the_pictures_need_no_colour() -> None:
    """All that is drawn, but for the stamp, is black, white or grey."""
    from matplotlib.colors import to_rgb

    def grey(colour: Any) -> bool:
        r, g, b = to_rgb(colour)
        return max(r, g, b) - min(r, g, b) < 0.12

    clinic, out, rules = found("demo")
    for drawing in draw_brief(out, clinic, rules).values():
        for axes in drawing.figure.axes:
            assert all(grey(line.get_color()) for line in axes.lines)
            assert all(grey(bar.get_facecolor()) for bar in axes.patches)
    bars = draw_brief(out, clinic, rules)["brief_people"].figure.axes[0].patches
    assert [bar.get_hatch() or "" for bar in bars] == ["", "////"] * 2


# ---- letters of every script ---------------------------------------------------------------------


def draw_text(made: bytes, folder: Path) -> str:
    """Write a PDF and read its text again."""
    path = folder / "brief.pdf"
    path.write_bytes(made)
    return read_pdf(path)


def entitled(title: str) -> Brief:
    return Brief("en", "my_clinic", title, "", ("120 people started here.",), foot=("Source: x.",))


def test_letters_that_no_font_holds_are_named_and_never_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fonts, "_list_families", dict)
    text = draw_text(write_pdf(entitled("서울 두통 클리닉"), ()), tmp_path)
    assert "my_clinic" in text  # a title of nothing but signs would name nobody
    assert "Letters in Hangul are shown as […]" in " ".join(text.split())
    assert "['HANGUL']" in caplog.text
    text = " ".join(draw_text(write_pdf(entitled("Happy 🧠 heads 北京"), ()), tmp_path).split())
    assert "Happy […] heads […]" in text
    assert "some symbols, such as emoji" in text and "Chinese characters" in text


@pytest.mark.parametrize("title", ["Ιατρείο κεφαλαλγίας", "عيادة الصداع", "Клиника Шмидт", "Łódź"])
def test_letters_that_the_house_font_holds_are_drawn_with_it(title: str, tmp_path: Path) -> None:
    text = draw_text(write_pdf(entitled(title), ()), tmp_path)
    assert fonts.LOST not in text and "my_clinic" not in text
    assert title.split()[-1] in text


@pytest.mark.skipif(
    find_spec("cvttf_NotoSansCJK_Regular") is None, reason="needs the extra `fonts`"
)
def test_a_font_of_the_extra_draws_what_it_holds_the_same_each_time(tmp_path: Path) -> None:
    made = write_pdf(entitled("北京头痛 서울"), ())
    assert made == write_pdf(entitled("北京头痛 서울"), ())
    assert "北京头痛 서울" in draw_text(made, tmp_path)


# ---- nothing empty -------------------------------------------------------------------------------


def test_an_outcome_that_is_not_recorded_has_no_column_and_no_panel() -> None:
    made = content("recall", "en")
    assert made.changes is not None and made.people is not None
    assert made.changes.heads == made.people.heads == ("Days with headache",)
    assert {one.outcome for one in made.outcomes} >= {"intensity", "duration"}
    assert any("how strong" in s.lower() or "0 to 10" in s for s in made.record.sentences)  # type: ignore[union-attr]
    _, _, saved = written("recall", "en")
    assert all("not recorded" not in one.alt for one in saved)


def test_who_all_came_back_are_not_unknown() -> None:
    made = content("two values", "en")
    assert made.unknown is not None
    assert not any("24 of 24" in s for s in made.unknown.sentences)
