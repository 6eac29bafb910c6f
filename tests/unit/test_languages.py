"""A clinic's page and its figures in every language: complete, with the same numbers, legible."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from headway import disclosure, messages
from headway.config import load_yaml, name_clinic
from headway.config.clinic import Clinic
from headway.figures.clinic import draw as clinic_figures
from headway.figures.theme import Drawing, Saved
from headway.messages import LANGUAGES, decimal, say, speaking, t
from headway.report import formats
from headway.report.clinic import page as clinic_page
from headway.report.render import TEMPLATES
from tests.unit.pages_builder import RAW, READY, analysed
from tests.unit.simulated_clinic import simulated

OTHERS = tuple(language for language in LANGUAGES if language != "en")
ENTRIES = messages.entries()
SOURCES = Path(messages.__file__).parents[1]
# Pages of reviews and the index are in English.
ENGLISH_ONLY = {"review.html", "index.html"}

# English words that are no word of the other language.
FREQUENT = frozenset(
    re.findall(
        r"\w+",
        """about after afterwards all and any are asked at be because been before between both but
        by cannot change changed clinic complete could courses days did difference does each
        either expected few fewer first for found from further group had has have
        headache hidden how if interval into is it its least less lost mean month more
        most neither never nobody none not number of on one only or other outcome over
        people percent points published recorded same session sessions several share
        should some started than that the their them then there these they this those
        through to too treatment two under until usual visit was week weeks were what
        when where which who whose will window windows with within without would year
        years yes""",
    )
)
ALSO_WORDS = {"es": {"has", "all", "one"}, "de": {"also", "all", "not", "was", "will", "war"}}
# A clinic's own words, titles and sources, and names of files, columns and reporting guidelines.
QUOTED = re.compile(
    r"[\w-]+\.(csv|yaml)|\b\w+_\w+|setting at_home|RECORD|"
    r"computed from the trial's public data \(.*?\)|abstract \(.*?\)|"
    r"full text \w+, Tables? [\d, and-]+",
)
WORD = re.compile(r"\b[^\W\d_]+\b")  # not the letters within a commit such as 72be2e4


@cache
def build(name: str, preset: str, language: str) -> tuple[str, dict[str, Drawing], frozenset[str]]:
    """Write a page and draw its figures; returns what was missed as well."""
    clinic, found = _tables(name)
    rules = disclosure.PRESETS[preset or clinic.disclosure]
    tables = disclosure.release({n: found[n] for n in disclosure.RULES}, rules)
    settings = replace(clinic, language=language)
    if preset:
        settings = replace(settings, disclosure=preset, synthetic=False)
    if name == "nothing":
        tables = {n: table.iloc[:0] for n, table in tables.items()}
    before = messages.missed.copy()
    messages.missed.clear()
    drawings = clinic_figures.draw_clinic(tables, settings, rules)
    saved = [Saved(n, d.title, d.alt, d.caption, "<svg/>", d.wide) for n, d in drawings.items()]
    page, _ = clinic_page.build(settings, READY, tables, saved, rules)
    missed = frozenset(text for _, text in messages.missed)
    messages.missed.update(before)
    return page, drawings, missed


@cache
def _tables(name: str) -> tuple[Clinic, dict[str, Any]]:
    if name == "few":
        return simulated(40, 3)
    clinic, found = analysed("demo" if name == "nothing" else name)
    return clinic, found


# Shipped clinics under open and strict rules, a small one whose numbers are mostly hidden, one
# without a comparison.
PAGES = [
    ("demo", ""),
    ("demo", "opensafely"),
    ("kostecki_dillon_1999", ""),
    ("few", "nhs"),
    ("few", "internal"),
    ("nothing", ""),
]


# Names of questionnaires and currencies.
NAMES = {"HIT-6", "PGIC", "USD"}


def own_words(name: str) -> set[str]:
    """List what a clinic writes itself."""
    clinic, _ = _tables(name)
    labels = [w.label for w in clinic.windows.named.values()]
    labels += [name.replace("_", " ") for name in clinic.windows.named]
    labels += [c.label for c in clinic.comparisons]
    parts = [part for label in labels for part in label.split(" v ")]
    texts = [clinic.title, clinic.description, clinic.source, clinic.licence, clinic.citation]
    return {text for text in (*labels, *parts, *texts) if text}


def read(page: str) -> str:
    """Read a page as its reader does, names for screen readers included."""
    page = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.DOTALL)
    page = re.sub(r"<code>.*?</code>", " ", page)  # keys of clinic.yaml
    names = " \n ".join(re.findall(r'aria-label="([^"]*)"', page))
    return unescape(re.sub(r"<[^>]+>", "\n", page) + "\n" + unescape(names))


def texts_of(drawing: Drawing) -> list[str]:
    found = [x.get_text() for x in drawing.figure.findobj(Text) if x.get_visible()]
    found = [text.replace("\n", " ") for text in found]  # labels are wrapped
    return [*found, drawing.title, drawing.alt, drawing.caption]


@cache
def drawn(name: str, language: str, title: str) -> list[tuple[Text, Any]]:
    """Draw a figure; returns its texts with their boxes in pixels."""
    figure = build(name, "", language)[1][title].figure
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    found = [x for x in figure.findobj(Text) if x.get_visible() and x.get_text().strip()]
    return [(x, x.get_window_extent(canvas.get_renderer())) for x in found]


def count_numbers(text: str) -> Counter[str]:
    return Counter(n.replace(",", ".") for n in re.findall(r"\d+(?:[.,]\d+)?", text))


# ---- the catalogue -------------------------------------------------------------------------------


def forms(entry: dict[str, Any], language: str) -> list[str]:
    text = entry[language]
    return [text] if isinstance(text, str) else list(text.values())


def places(text: str) -> list[str]:
    return sorted(set(re.findall(r"\{(\w*(?::\w+)?)\}", text)))


def test_every_message_is_there_in_every_language_with_the_same_places() -> None:
    assert len(ENTRIES) > 400
    for id, entry in ENTRIES.items():
        assert set(entry) == set(LANGUAGES), id
        wanted = {place for text in forms(entry, "en") for place in places(text)}
        for language in OTHERS:
            texts = forms(entry, language)
            assert all(text.strip() for text in texts), id
            assert {place for text in texts for place in places(text)} == wanted, (id, language)
            if isinstance(entry[language], str) and isinstance(entry["en"], str):
                for edge in (0, -1):
                    assert entry[language][edge].isspace() == entry["en"][edge].isspace(), id
            else:
                assert {*entry[language]} <= {"one", "other", "hidden"}, id
                assert "other" in entry[language], id


# What a clinic's reader meets first; the grade of page one itself is in test_page_one.
FIRST_READ = {"answer", "page_one", "claim", "claims", "verdict", "tipping", "moved"}


def test_no_sentence_runs_on() -> None:
    """35 words are the most that a sentence has; a rule or a method may join parts by ; and :."""
    for id, entry in ENTRIES.items():
        ends = r"(?<=[.?!])\s" if id.split(".")[0] in FIRST_READ else r"(?<=[.?!;:])\s"
        for text in forms(entry, "en"):
            longest = max(re.split(ends, text), key=lambda sentence: len(sentence.split()))
            assert len(longest.split()) <= 35, (id, longest)


def asked_for() -> tuple[set[str], set[str]]:
    """List the ids that stand in code and templates, and the families whose codes tables hold."""
    ids, families = set(), set()
    # The workflow and what it shows of a run speak from the same catalogue.
    workflow = SOURCES.parents[1] / "workflow"
    for path in [*SOURCES.parent.rglob("*.py"), *workflow.glob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                ids |= set(re.findall(r"[a-z][a-z0-9_]*(?:\.\w+)+", node.value))
            if isinstance(node, ast.Call) and node.args:
                named = ast.unparse(node.func).split(".")[-1] in ("term", "phrase", "coded")
                if named and isinstance(node.args[0], ast.Constant):
                    families.add(node.args[0].value)
    for path in [*TEMPLATES.glob("*.html"), *SOURCES.rglob("*.yaml")]:
        if path.parent != messages.CATALOGUE:
            ids |= set(re.findall(r"[a-z][a-z0-9_]*(?:\.\w+)+", path.read_text("utf-8")))
    return ids, families


def test_whatever_the_code_asks_for_is_in_the_catalogue() -> None:
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("t", "Message"):
                for leaf in ast.walk(node.args[0]) if node.args else ():
                    if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str):
                        assert leaf.value in ENTRIES or "." not in leaf.value, leaf.value
            text = node.value if isinstance(node, ast.Constant) else None
            if re.fullmatch(r"(problem|remedy|failure|account)\.\w+", str(text)):
                assert text in ENTRIES, text
    for path in TEMPLATES.glob("*.html"):
        for id in re.findall(r'\bt\("([^"]*)"', path.read_text(encoding="utf-8")):
            assert id in ENTRIES, id


def test_no_message_is_there_for_nothing() -> None:
    ids, families = asked_for()
    families |= {"unit", "interval"}  # until tables hold their codes
    unused = {id for id in ENTRIES if id not in ids and id.split(".")[0] not in families}
    assert unused == set()


def test_a_cell_holds_messages_and_gives_them_back() -> None:
    inner = messages.Message("unit.days_per_28")
    cell = messages.join(
        [
            messages.Message("frame.line_n", line=3),
            "",
            messages.Message("a.b", x=0.1, of=[inner, "y"]),
        ]
    )
    found = messages.read(cell)
    assert found is not None
    assert [m.id for m in found] == ["frame.line_n", "a.b"]
    assert found[1].values == {"x": 0.1, "of": [inner, "y"]}
    assert found[1].values["of"][0].id == "unit.days_per_28"
    assert messages.join(found) == cell
    for text in ("free text; of a clinic", "a.b{", "a.b{}x", "a.b{1}", "", "Smith 2001"):
        assert messages.read(text) is None
        assert say(text) == text


def test_numbers_are_written_with_the_signs_of_the_language() -> None:
    from headway.messages import _Formatter

    write = _Formatter().format
    assert write("{x:1} {y} {n}", x=-2.04, y=-1.5, n=1200) == "−2.0 −1.5 1 200"
    assert write("{n:count} {gone}", n=12345, gone=None) == "12 345 –"
    assert write("{x:2}", x=-0.0000000001) == "0.00"
    with speaking("de"):
        assert write("{x:1} {y}", x=-2.04, y=-1.5) == "−2,0 −1,5"
        assert write("{x:and}", x=["a", "b", "c"]) == "a, b und c"


@pytest.mark.parametrize("language", OTHERS)
def test_translations_claim_nothing_that_records_cannot_carry(language: str) -> None:
    for id, entry in ENTRIES.items():
        for text in forms(entry, language):
            assert formats.find_forbidden(text, language) == [], id


def test_the_lists_of_forbidden_words_find_them() -> None:
    es, de = formats.find_forbidden, formats.find_forbidden
    assert es("El efecto de la punción funciona y está demostrado", "es") == [
        "efecto de",
        "funciona",
        "demostrado",
    ]
    assert es("un cambio, no un efecto del tratamiento", "es") == []
    assert de("Die Wirkung der Nadelung ist bewiesen, sie wirkt", "de") == [
        "wirkung der",
        "wirkt",
        "bewiesen",
    ]
    assert de("eine Veränderung, keine Wirkung der Behandlung", "de") == []


# ---- saying what a table holds -------------------------------------------------------------------


def test_a_cell_is_said_in_the_language_of_the_page() -> None:
    with speaking("de"):
        assert say("window.weeks_9_to_12") == "Wochen 9 bis 12"
        assert say(messages.term("technique", "acupuncture")) == "Akupunktur"
        weeks = messages.phrase("window", "weeks 9 to 12")
        assert say(messages.join([weeks, messages.Message("frame.line_n", line=3)])) == (
            "Wochen 9 bis 12; Zeile 3"
        )
    with speaking("es"):
        assert say("remark.left_out" + '{"n":12}') != say("remark.left_out" + '{"n":null}')


def test_what_is_counted_has_gaps_of_thousands_and_what_is_numbered_has_none() -> None:
    known = "page_one.this_is_known_for_n_of_of_people_who_started"
    assert t(known, n=1200, of=23456.0) == "This is known for 1 200 of 23 456 people who started."
    assert t("frame.line_n", line=1200) == "line 1200"
    assert t("brief.page", n=2) == "Page 2 of 2"


def test_a_clinics_own_words_stay_and_no_message_is_read_into_them() -> None:
    messages.missed.clear()
    with speaking("es"):
        for text in ("ours to keep", "Room 3 v Room 4 to the left", "all of us"):
            assert say(text) in (text, text.replace(" v ", " frente a ")), text
        assert say("USD") == "USD"
        assert say("12.5") == "12.5"  # without words it is no text: `decimal` writes numbers
        assert decimal("12.5") == "12,5"
    assert ("es", "ours to keep") in messages.missed
    messages.missed.clear()


def test_a_language_without_a_catalogue_is_refused() -> None:
    with pytest.raises(ValueError, match="no catalogue"), speaking("fr"):
        pass
    assert t("common.hidden") == "hidden"
    with pytest.raises(KeyError):
        t("nothing.of_the_kind")


def test_the_schema_allows_the_languages_of_the_catalogue() -> None:
    schema = load_yaml(RAW.parents[1] / "src/headway/config/clinic.schema.yaml")
    assert tuple(schema["properties"]["language"]["enum"]) == LANGUAGES


# ---- pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize(("name", "preset"), PAGES)
def test_a_page_is_complete(name: str, preset: str, language: str) -> None:
    page, _, missed = build(name, preset, language)
    assert f'<html lang="{language}">' in page
    assert missed <= own_words(name) | NAMES, missed - own_words(name)


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize(("name", "preset"), PAGES)
def test_no_english_is_left(name: str, preset: str, language: str) -> None:
    page, drawings, _ = build(name, preset, language)
    text = "\n".join([read(page), *(x for d in drawings.values() for x in texts_of(d))])
    for own in sorted(own_words(name), key=len, reverse=True):
        text = re.sub(re.escape(own), " ", text, flags=re.IGNORECASE)
        text = text.replace(own[:1].upper() + own[1:], " ")
    text = QUOTED.sub(" ", text)
    for line in text.split("\n"):
        left = set(WORD.findall(line.lower())) & FREQUENT
        assert left <= ALSO_WORDS[language], (sorted(left), line)


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize(("name", "preset"), PAGES)
def test_the_numbers_are_those_of_the_english_page(name: str, preset: str, language: str) -> None:
    ours, english = (count_numbers(read(build(name, preset, x)[0])) for x in (language, "en"))
    assert ours - english == english - ours == Counter()


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("name", ["demo", "few"])
def test_the_numbers_of_a_figure_are_those_of_the_english_one(name: str, language: str) -> None:
    for title in build(name, "", "en")[1]:
        ours, english = (
            count_numbers("\n".join(x.get_text() for x, _ in drawn(name, code, title)))
            for code in (language, "en")
        )
        assert ours - english == english - ours == Counter(), title


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize(("name", "preset"), PAGES)
def test_decimals_have_a_comma(name: str, preset: str, language: str) -> None:
    page, drawings, _ = build(name, preset, language)
    text = "\n".join([read(page), *(x for d in drawings.values() for x in texts_of(d))])
    for own in own_words(name):
        text = text.replace(own, " ")
    text = re.sub(r"doi \S+|\b10\.\d{4,}/\S+|RECORD \d+\.\d|Headway \S+|: \d\.\d\n", " ", text)
    assert re.findall(r".{0,20}\d\.\d.{0,10}", text) == []


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize(("name", "preset"), PAGES)
def test_a_page_claims_nothing_that_records_cannot_carry(
    name: str, preset: str, language: str
) -> None:
    assert formats.find_forbidden(read(build(name, preset, language)[0]), language) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["demo", "few"])
def test_no_text_of_a_figure_is_cut_off(name: str, language: str) -> None:
    for title, drawing in build(name, "", language)[1].items():
        whole = drawing.figure.bbox
        for text, box in drawn(name, language, title):
            if re.search(r"[^\W\d_]{2}", text.get_text()):  # ticks beyond an axis are not drawn
                assert box.x0 > -1 and box.x1 < whole.width + 1, (title, text.get_text())
                assert box.y0 > -1 and box.y1 < whole.height + 1, (title, text.get_text())


@pytest.mark.parametrize("language", OTHERS)
def test_a_refused_clinic_says_why_in_its_language(language: str) -> None:
    problem = {
        "file": "diary.csv",
        "rule": "email",
        "message": messages.Message(
            "problem.cells_look_like", n=29, what=messages.term("identifier", "email")
        ),
        "column": "contact",
        "line": 3,
        "count": 29,
        "remedy": "remedy.drop",
    }
    status = {"name": "leaky", "state": "refused", "problems": [problem]}
    _, tables = _tables("demo")
    none = {n: tables[n].iloc[:0] for n in disclosure.RULES}
    messages.missed.clear()
    page, card = clinic_page.build(
        replace(name_clinic("leaky"), language=language),
        status,
        none,
        [],
        disclosure.PRESETS["opensafely"],
    )
    assert messages.missed == set()
    expected = {"es": "29 celdas parecen: correo electrónico", "de": "Zeile 3"}
    assert expected[language] in read(page)
    assert card["problems"] == [problem]
