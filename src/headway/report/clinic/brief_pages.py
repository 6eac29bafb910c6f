"""The brief as files: `brief.html`, and `brief.pdf` by typst.

Texts go into the PDF as data (JSON), never as markup. It is the same byte for byte on every
machine: fonts are those that come with matplotlib, the system's are ignored, and no time is
written (`date: none`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.errors import naming_the_extra
from headway.messages import speaking, t
from headway.report.render import TEMPLATES, render
from headway.tables import printable
from headway.version import describe

if TYPE_CHECKING:
    from headway.figures.theme import Saved
    from headway.report.clinic.brief import Brief

FULL_REPORT = "audit.html"
_TEMPLATE = TEMPLATES / "brief.typ"


def write_html(brief: Brief, figures: Sequence[Saved], *, home: str = "../../index.html") -> str:
    """Write the brief as one self-contained page.

    Parameters
    ----------
    brief
        `headway.report.clinic.brief.write_brief`.
    figures
        What `headway.figures.clinic.brief.draw_brief` drew, saved.
    home
        The index, as seen from the page.
    """
    with speaking(brief.language):
        return render(
            "brief.html",
            title=brief.title,
            home=home,
            stamp=brief.stamp,
            language=brief.language,
            brief=brief,
            pictures={f.name: f for f in figures},
            full_report=FULL_REPORT,
        )


def write_pdf(brief: Brief, figures: Sequence[Saved]) -> bytes:
    """Write the brief as a tagged PDF on A4: two pages, or one where there is nothing to tell.

    Raises
    ------
    MissingPackageError
        If typst is not installed.
    """
    with naming_the_extra():
        import typst

    with speaking(brief.language):
        words = {
            "title_of_document": t("brief.title"),
            "what_changed": t("brief.what_changed"),
            "who": t("brief.who_got_better"),
            "pages": [t("brief.page", n=n) for n in (1, 2)],
            "full_report": t("brief.full_report", file=FULL_REPORT),
            "version": f"Headway {describe()}",
        }
    pictures = {f.name: {"svg": f.svg, "alt": f.alt, "caption": f.caption} for f in figures}
    content = json.dumps(
        _make_printable({"brief": asdict(brief), "words": words, "pictures": pictures}),
        ensure_ascii=False,
    )
    made = typst.compile(
        _TEMPLATE,
        root=TEMPLATES,
        font_paths=[_find_fonts()],
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"content": content},
    )
    if not isinstance(made, bytes):
        raise TypeError("typst returns a PDF as bytes")
    return made


@cache
def _find_fonts() -> Path:
    """Find the folder of DejaVu Sans, which comes with matplotlib."""
    import matplotlib as mpl

    return Path(mpl.get_data_path()) / "fonts" / "ttf"


def _make_printable(value: Any) -> Any:
    """Take controls and marks of direction out of every text; line ends of a figure may stay."""
    if isinstance(value, str):
        return "\n".join(printable(line) for line in value.split("\n"))
    if isinstance(value, dict):
        return {k: _make_printable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_make_printable(v) for v in value]
    return value
