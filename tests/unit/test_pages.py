"""Pages say what the tables say, in words that the records can carry."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway import config
from headway.disclosure import PRESETS
from headway.figures import theme
from headway.figures.clinic import draw as clinic_figures
from headway.figures.review import draw as review_figures
from headway.messages import say, speaking
from headway.report import formats
from headway.report import index as index_page
from headway.report.clinic import page as clinic_page
from headway.report.render import TEMPLATES
from headway.report.review import page as review_page
from tests.unit.pages_builder import RAW, READY, released, review

OWN_SCRIPT = (TEMPLATES / "page.js").read_text(encoding="utf-8")
REVIEWS = sorted(
    source.name for source in config.find_sources(RAW.parent, "trials") if source.ready
)
REFUSED = {
    "name": "leaky",
    "state": "refused",
    "problems": [
        {
            "file": "diary.csv",
            "rule": "email",
            "message": "looks like e-mail addresses",
            "column": "contact",
            "line": None,
            "count": 29,
            "remedy": "name it in drop:",
            "text": "diary.csv, column 'contact': ...",
        }
    ],
}


def build_clinic(name: str, folder: Path, preset: str = "") -> tuple[str, dict[str, Any]]:
    settings, tables, rules = released(name, preset)
    saved = theme.save(clinic_figures.draw_clinic(tables, settings, rules), folder)
    return clinic_page.build(settings, READY, tables, saved, rules)


def build_review(name: str, folder: Path) -> tuple[str, dict[str, Any]]:
    document, tables = review(name)
    saved = theme.save(review_figures.draw_review(tables, document), folder)
    return review_page.build(document, {**READY, "name": name}, tables, saved)


def read(page: str) -> str:
    """Read a page as its reader does: without markup, style and figures' outlines."""
    page = re.sub(r"<(style|script)>.*?</\1>|<path[^>]*>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


# ---- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (-2.005, 1, "−2.0"),
        (0.0, 2, "0.00"),
        (-0.0, 2, "0.00"),
        (-1e-12, 2, "0.00"),
        (0.0012, 2, "0.0012"),
        (float("nan"), 2, "–"),
        (None, 2, "–"),
        (1234.5, 0, "1234"),
        (float("-inf"), 2, "−∞"),
        (1e308, 2, ">10⁹"),
        (-1e9, 2, "<−10⁹"),
    ],
)
def test_numbers(value: float | None, digits: int, text: str) -> None:
    assert formats.number(value, digits) == text


def test_a_ratio_too_large_for_a_computer_is_neither_missing_nor_without_end() -> None:
    # exp(800) is about 10 to the 347th; floating point ends at 1.8 times 10 to the 308th.
    low, high = (formats.scale(value, "OR") for value in (-800.0, 800.0))
    assert (formats.number(low), formats.number(high)) == ("0.00", ">10⁹")
    assert formats.number(formats.scale(float("inf"), "OR")) == "∞"


def test_missing_is_never_zero_and_never_blank() -> None:
    for write in (
        formats.number,
        formats.integer,
        formats.percent,
        formats.p_value,
        formats.as_text,
    ):
        assert write(float("nan")) == formats.MISSING
    assert formats.p_value(0.00004) == "p < 0.001"
    assert formats.integer(1234567) == "1 234 567"


def test_hidden_statistics_are_said_to_be_hidden() -> None:
    row = {
        "redacted": True,
        "estimate": 1.0,
        "ci_low": 0.0,
        "ci_high": 2.0,
        "interval": "interval.t",
    }
    assert formats.interval(row) == "hidden"


# ---- clinics -------------------------------------------------------------------------------------


def test_the_answer_is_the_released_row_with_its_denominator_and_method(tmp_path: Path) -> None:
    _, tables, _ = released("kostecki_dillon_1999")
    row = tables["cohort"].query("primary and statistic == 'change_mean'").iloc[0]
    assert (row["n"], row["of"]) == (55, 133)
    page, card = build_clinic("kostecki_dillon_1999", tmp_path)
    first = card["headline"][0]
    assert "This is known for 55 of 133 people who started." in first
    assert f"The mean change is {formats.interval(row)}. The interval includes no change." in first
    assert first.startswith("We cannot tell if headache days changed.")
    text = read(page)
    for sentence in first.split(". "):
        assert sentence in text
    assert "This is a change, not an effect of treatment" in text
    assert "Bounds and completeness need windows of fixed length" in text


def test_bounds_over_everyone_who_started_are_in_the_answer(tmp_path: Path) -> None:
    _, tables, _ = released("demo")
    main = tables["cohort"].query("primary").set_index("statistic")["estimate"]
    low, high = (formats.number(main[b]) for b in ("bound_low", "bound_high"))
    text = read(build_clinic("demo", tmp_path)[0])
    assert f"the records allow a mean change anywhere from {low} to {high}." in text


def test_kostecki_dillon_shows_the_strict_rule_beside_all_days(tmp_path: Path) -> None:
    """Known answer: 9 people and +2.45 (−0.75, 5.66); 1 duplicate of 4 152 rows."""
    text = read(build_clinic("kostecki_dillon_1999", tmp_path)[0])
    assert "2.45 (95 % CI −0.75 to 5.66; t) 9 133" in text
    assert "−0.13 (95 % CI" in text
    assert "4 152 4 151 1 0" in text


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("demo", ""),
        ("demo", "opensafely"),
        ("demo", "nhs"),
        ("kostecki_dillon_1999", ""),
    ],
)
def test_a_clinics_page_never_claims_what_records_cannot_carry(
    name: str, preset: str, tmp_path: Path
) -> None:
    page, card = build_clinic(name, tmp_path, preset)
    assert formats.find_forbidden(read(page)) == []
    assert formats.find_forbidden(" ".join(card["headline"])) == []


@pytest.mark.parametrize("template", ["clinic.html", "macros.html", "base.html"])
def test_the_templates_keep_to_the_same_words(template: str) -> None:
    assert formats.find_forbidden((TEMPLATES / template).read_text(encoding="utf-8")) == []


def test_the_list_of_forbidden_words_finds_them() -> None:
    assert formats.find_forbidden("The effect of needling") == ["effect of"]
    assert formats.find_forbidden("Manual work is proven: it works and caused relief") == [
        "caused",
        "works",
        "proven",
    ]
    assert formats.find_forbidden("a change, not an effect of treatment; effect size") == []


def test_hidden_numbers_do_not_reach_the_page(tmp_path: Path) -> None:
    page = build_clinic("demo", tmp_path, "opensafely")[0]
    text = read(page)
    # 5 of 75 improved by 75 %: neither the count nor the share is there.
    assert "improved by at least 75 % hidden (1 to 7" in text
    assert re.search(r"(?<![\d.])6\.7 %", text) is None
    assert "counts from 1 to 7 are hidden; other counts are rounded to 5" in text
    assert "thin lines are people" not in text


@pytest.mark.parametrize(
    ("preset", "stamp"), [("", "SYNTHETIC"), ("internal", "INTERNAL"), ("opensafely", "")]
)
def test_stamps(preset: str, stamp: str, tmp_path: Path) -> None:
    page, card = build_clinic("demo", tmp_path, preset)
    assert card["stamp"] == stamp
    assert ('class="stamp"' in page) == bool(stamp)


def test_a_refused_clinic_lists_reasons_and_remedies_and_nothing_else() -> None:
    _, tables, _ = released("demo")
    none = {name: table.iloc[:0] for name, table in tables.items()}
    page, card = clinic_page.build(
        config.name_clinic("leaky"), REFUSED, none, [], PRESETS["opensafely"]
    )
    text = read(page)
    assert "looks like e-mail addresses" in text
    assert "name it in drop:" in text
    assert "29 cells" in text
    assert card["state"] == "refused"
    assert "Definitions" not in text


def test_what_a_file_says_is_never_markup(tmp_path: Path) -> None:
    settings, tables, rules = released("demo")
    page, _ = clinic_page.build(
        replace(settings, title="<script>alert(1)</script>"), READY, tables, [], rules
    )
    assert "<script>alert" not in page


# ---- reviews -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REVIEWS)
def test_every_verdict_and_every_row_is_on_the_page(name: str, tmp_path: Path) -> None:
    document, tables = review(name)
    page, card = build_review(name, tmp_path)
    text = read(page)
    for row in tables["reproduction"].to_dict("records"):
        assert say(row["label"]) in text
        assert row["verdict"] in text
    for trial in tables["effects"]["trial"]:
        assert trial in text
    assert tables["effects"]["why_not"].dropna().map(lambda cell: say(cell) in text).all()
    if len(tables["reproduction"]):
        total = len(tables["reproduction"])
        assert f"of {total}" in card["verdicts"]
    for limit in document.limitations:
        assert " ".join(limit.split()) in text
    if document.flow:
        assert (
            '<figure id="figure-flow"' in page and "<caption>Flow of the search</caption>" in page
        )


def test_falsiroli_says_plainly_what_is_not_public(tmp_path: Path) -> None:
    text = read(build_review("falsiroli_maistrello_2018", tmp_path)[0])
    assert "The numbers of the single trials are not public as text" in text
    assert "A check of consistency, not the paper’s analysis" in text
    assert "common effect: 3 of 3; random effects, DL: 2 of 3" in text
    assert "18 of 18 not recomputable" in text


def test_ratios_are_printed_as_ratios(tmp_path: Path) -> None:
    text = read(build_review("lee_done_2004_acupoint", tmp_path)[0])
    assert "0.73 risk ratio (95 % CI 0.59 to 0.89; normal) from 16 trials, 1 826 people" in text
    # Trials are counted, without decimals.
    assert re.search(r"\bk\s+16\s+16\s+0\s+1\b", text)


@pytest.mark.parametrize(("language", "mark"), [("en", "."), ("es", ","), ("de", ",")])
def test_numbers_at_the_axes_have_the_decimal_mark_of_the_page(language: str, mark: str) -> None:
    document, tables = review("acupuncture_headache")
    with speaking(language):
        drawn = review_figures.draw_review(tables, document)
        texts = []
        for drawing in drawn.values():
            drawing.figure.canvas.draw()
            axes = [axis for own in drawing.figure.axes for axis in (own.xaxis, own.yaxis)]
            texts += [label.get_text() for axis in axes for label in axis.get_ticklabels()]
    numbers = [text for text in texts if re.fullmatch(r"−?\d+[.,]\d+", text)]
    assert len(numbers) > 10
    assert {re.sub(r"[−\d]", "", number) for number in numbers} == {mark}


def test_the_page_says_how_much_hangs_on_choices(tmp_path: Path) -> None:
    _, tables = review("acupuncture_headache")
    text = read(build_review("acupuncture_headache", tmp_path)[0])
    own = tables["multiverse"].query("comparison == 'usual_care'")
    assert f"{len(own)} ways to analyse this can be defended" in text
    same = (np.sign(own["estimate"]) == np.sign(own["estimate"].iloc[0])).mean()
    agree = (own["p_value"] >= 0.05).mean()  # 0 lies within the declared interval
    assert own["p_value"].iloc[0] >= 0.05
    assert f"{100 * same:.0f} % point in the declared direction" in text
    assert f"{100 * agree:.0f} % of the ways agree with that" in text
    within = tables["multiverse"].query("comparison == 'within_arms'")
    assert "with 0 outside the interval" in text and within["subgroup"].nunique() == 2
    # Where there is one trial there is no multiverse.
    alone = read(build_review("falsiroli_maistrello_2018", tmp_path / "f")[0])
    assert "can be defended" not in alone


def test_changes_and_differences_stand_in_different_sections(tmp_path: Path) -> None:
    page = build_review("other_nondrug_headache", tmp_path)[0]
    between, within = page.index('id="between"'), page.index('id="within"')
    assert between < page.index("comparison-intensity") < within
    assert within < page.index("comparison-within_arms_intensity")
    assert "is never pooled with differences between arms" in read(page)


def test_a_refused_review_says_everything_that_is_wrong() -> None:
    document, tables = review("lee_done_2004_acupoint")
    none = {name: table.iloc[:0] for name, table in tables.items()}
    page, card = review_page.build(config.name_review("leaky"), REFUSED, none, [])
    assert "looks like e-mail addresses" in read(page)
    assert card["headline"] == []
    assert document.title not in page


# ---- every page ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def all_pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pages")
    pages = {name: build_review(name, folder / name)[0] for name in REVIEWS}
    pages |= {
        name: build_clinic(name, folder / name)[0] for name in ("demo", "kostecki_dillon_1999")
    }
    record = {"headway": "0", "python": "3", "packages": {"numpy": "2"}}
    card = {
        "title": "T",
        "page": "p.html",
        "state": "ready",
        "stamp": "",
        "headline": ["H"],
        "verdicts": "",
        "problems": [],
    }
    pages["index"] = index_page.build(
        [card],
        [{**card, "state": "refused", "problems": REFUSED["problems"]}],
        [{"name": "x", "missing": ["x.csv"], "folder": "data/raw/trials/x", "obtain": "Ask."}],
        ["audit_a_clinic"],
        record,
    )
    return pages


def test_every_page_stands_alone_and_keeps_to_the_basics(all_pages: dict[str, str]) -> None:
    assert len(all_pages) == 8
    for name, page in all_pages.items():
        assert page.startswith("<!DOCTYPE html>"), name
        assert '<html lang="en">' in page, name
        assert len(page.encode()) < 2_000_000, name
        # Nothing is fetched: the only addresses are links that a reader may follow.
        assert not re.search(r"<(link|img|iframe)\b|<script [^>]*>", page), name
        scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
        assert scripts == [OWN_SCRIPT] * (name != "index"), name
        digest = base64.b64encode(hashlib.sha256(OWN_SCRIPT.encode()).digest()).decode()
        allowed = "'none'" if name == "index" else f"'sha256-{digest}'"
        assert (
            f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {allowed};"
            in page
        )
        assert not re.search(r"url\((?!#)", page), name
        for address in re.findall(r'(?:src|href)="(https?://[^"]+)"', page):
            assert address.startswith(("https://doi.org/", "http://www.w3.org/")), address
        ids = re.findall(r'\bid="([^"]+)"', page)
        assert len(ids) == len(set(ids)), name
        for target in re.findall(r'aria-labelledby="([^"]+)"', page):
            assert set(target.split()) <= set(ids), (name, target)
        levels = [int(h) for h in re.findall(r"<h([1-6])", page)]
        assert levels[0] == 1, name
        assert levels.count(1) == 1, name
        assert all(b - a <= 1 for a, b in pairwise(levels)), name
        assert page.count("<table") == page.count("<caption"), name
        assert not re.search(r"\bnan\b|\bNone\b(?! of|\.)|\bNA\b", read(page)), name


def test_the_index_lists_what_is_ready_refused_and_waiting(all_pages: dict[str, str]) -> None:
    text = read(all_pages["index"])
    for part in (
        "Refused",
        "looks like e-mail addresses",
        "Waiting for a file",
        "put x.csv into data/raw/trials/x/",
        "Ask.",
        "Audit a clinic",
    ):
        assert part in text


@pytest.mark.parametrize("name", ["demo", "kostecki_dillon_1999"])
def test_every_item_of_the_checklists_points_to_a_section(name: str, tmp_path: Path) -> None:
    page = build_clinic(name, tmp_path)[0]
    ids = set(re.findall(r'\bid="([^"]+)"', page))
    links = re.findall(r'href="#([^"]+)">', page)
    assert len(links) > 15
    assert set(links) <= ids
    assert len(re.findall(r"STROBE \d+", page)) >= 17
