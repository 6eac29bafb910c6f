"""Every kind of page against axe-core, at three widths, in light and dark and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from headway.messages import LANGUAGES
from tests.browser.devtools import Browser

pytestmark = pytest.mark.browser
KINDS = ("clinic", "rich", "refused", "review", "index")
# What else people open: each kind in each language where it has one, and what is said of sources
# that cannot be used.
TRANSLATED = tuple(f"{kind} {x}" for kind in ("clinic", "refused") for x in ("de", "es")) + tuple(
    f"{kind} {x}" for kind in ("brief", "patients", "refused brief", "registry") for x in LANGUAGES
)
OTHERS = ("refused review", "library", "notebook")
WIDTHS = (360, 768, 1280)
LOOKS = (*((width, "light") for width in WIDTHS), (360, "dark"), (1280, "dark"), (768, "print"))
LIMIT = 2_000_000  # bytes of a page
# What is inside an image is presentation (role img), and rows of one table are made by one macro:
# without them a page is a tenth of its elements and a run takes a second. The first run of each
# page sees everything but the drawings.
STRIP = 'document.querySelectorAll("svg > :not(title):not(desc)").forEach(e => e.remove())'
TRIM = 'document.querySelectorAll("tbody > tr:nth-child(n+9)").forEach(e => e.remove())'
RUN = """axe.run(document, {{resultTypes: ["violations"], {only}}}).then(r => r.violations.map(
  v => v.id + ": " + v.nodes.map(n => n.html.slice(0, 160)).slice(0, 3).join(" | ")))"""
# Of the rules of axe-core only the contrast of colours can change with the colour scheme.
CONTRAST = 'runOnly: ["color-contrast"]'


@pytest.fixture(scope="module")
def tab(browser: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start one Chromium for all pages."""
    with Browser(browser, tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.mark.parametrize("kind", [*KINDS, *TRANSLATED, *OTHERS])
def test_axe_finds_no_violation(tab: Browser, pages: dict[str, Path], kind: str) -> None:
    axe = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    tab.show(WIDTHS[1])
    tab.open(pages[kind])
    assert [r for r in tab.requests if not r.startswith(("file:", "data:"))] == []
    tab.evaluate(f"{axe}; {STRIP}")
    found: dict[str, Any] = {"everything": tab.evaluate(RUN.format(only=""))}
    for width in WIDTHS:
        tab.show(width)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.evaluate(TRIM)
    for width, look in LOOKS:
        scheme, media = ("dark", "screen") if look == "dark" else ("light", "screen")
        tab.show(width, scheme=scheme, media="print" if look == "print" else media)
        assert tab.evaluate("innerWidth") == width
        assert tab.evaluate('matchMedia("print").matches') == (look == "print")
        assert tab.evaluate('matchMedia("(prefers-color-scheme: dark)").matches') == (
            look == "dark"
        )
        only = CONTRAST if look == "dark" else ""
        found[f"{width} px, {look}"] = tab.evaluate(RUN.format(only=only))
    assert {k: v for k, v in found.items() if v} == {}


def test_axe_sees_what_is_wrong(tab: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<!DOCTYPE html><html><head><style>@media print {p {color: #bbb}}"
        "@media (prefers-color-scheme: dark) {body {background: #000} p {color: #333}}"
        "</style></head><body><p>faint</p></body></html>",
        encoding="utf-8",
    )
    axe = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    tab.open(page)
    tab.evaluate(f"{axe}; 0")
    seen = {}
    for look, looks in {
        "light": {},
        "dark": {"scheme": "dark"},
        "print": {"media": "print"},
    }.items():
        tab.show(360, **looks)
        seen[look] = {v.partition(":")[0] for v in tab.evaluate(RUN.format(only=""))}
    assert "html-has-lang" in seen["light"] and "color-contrast" not in seen["light"]
    assert "color-contrast" in seen["dark"]
    assert "color-contrast" in seen["print"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_one_small_file(pages: dict[str, Path], kind: str) -> None:
    page = pages[kind].read_text(encoding="utf-8")
    assert len(page.encode()) <= LIMIT
    assert not re.search(r"<(link|iframe|img|object)\b", page)
    assert page.count("<script") == (kind != "index")


@pytest.mark.parametrize("kind", ["clinic", "rich"])
def test_every_figure_has_its_numbers_in_words_and_in_a_table(
    pages: dict[str, Path], kind: str
) -> None:
    page = pages[kind].read_text(encoding="utf-8")
    figures = re.findall(r'<figure id="figure-([^"]+)".*?</figure>\s*(<details.*?</details>)?',
                         page, re.DOTALL)  # fmt: skip
    assert len(figures) >= 8
    for name, data in figures:
        alt = re.search(rf'<desc id="{name}-desc">(.*?)</desc>', page, re.DOTALL)
        assert alt is not None, name
        words = unescape(alt[1])
        assert len(re.findall(r"\d", words)) >= 4, name
        own = re.search(rf'<figure id="figure-{name}".*?</figure>', page, re.DOTALL)
        assert own is not None
        link = re.search(r'<figcaption>.*<a href="#([^"]+)"', own[0], re.DOTALL)
        if '<a href="specifications.csv">' in own[0]:
            continue  # too long for a page: the numbers are in the file beside it
        if link is None:
            assert "<table>" in data, name
            table = data
        else:
            place = page.index(f'id="{link[1]}"')
            table = page[place : page.index("</table>", place)]
        # The main numbers of the words are those of the table.
        digits = set(re.findall(r"\d+(?:\.\d+)?", re.sub(r"<[^>]+>", " ", table)))
        told = re.findall(r"\d+(?:\.\d+)?", words)
        near = [
            any(
                abs(float(n) - float(d)) <= 0.51 * 10 ** -min(_places(n), _places(d))
                for d in digits
            )
            for n in told
        ]
        assert sum(near) >= 0.6 * len(told), (
            name,
            [n for n, k in zip(told, near, strict=True) if not k],
        )


def test_every_figure_of_a_review_stands_in_a_section_with_its_table(
    pages: dict[str, Path],
) -> None:
    page = pages["review"].read_text(encoding="utf-8")
    sections = re.findall(r"<section .*?</section>", page, re.DOTALL)
    with_figure = [s for s in sections if "<figure" in s]
    assert len(with_figure) >= 2
    for section in with_figure:
        assert "<table>" in section, section[:80]
    for name in re.findall(r'<figure id="figure-([^"]+)"', page):
        alt = re.search(rf'<desc id="{name}-desc">(.*?)</desc>', page, re.DOTALL)
        assert alt is not None and re.search(r"\d", alt[1]), name


def _places(number: str) -> int:
    return len(number.partition(".")[2])
