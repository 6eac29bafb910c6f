"""The brief as files: `brief.html`, and `brief.pdf` by typst.

Texts go into the PDF as data (JSON), never as markup. It is the same byte for byte on every
machine: fonts are those that come with matplotlib, and no time is written (`date: none`). Only
letters that these lack are drawn with a font of the extra `fonts` or of the machine; where none
holds them, a sign stands for them, or the clinic's id for a title of them alone, and the foot of
the PDF and the log name the script.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from headway.errors import naming_the_extra
from headway.figures import fonts
from headway.messages import speaking, t, term
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
    content = _change_texts({"brief": asdict(brief), "words": words}, _make_printable)
    families, lost = fonts.find_families(set(json.dumps(content, ensure_ascii=False)))
    own = content["brief"]
    # A reader's list of files shows the title with letters of its own.
    content["document"] = own["title"]
    if not any(map(str.isalpha, set(own["title"]) - lost)):
        own["title"] = brief.name
    if scripts := [term("script", script) for script in fonts.report_lost(lost)]:
        with speaking(brief.language):
            own["foot"].append(t("brief.no_font", scripts=scripts, sign=fonts.LOST))
    content = _change_texts(content, lambda text: fonts.replace_lost(text, lost)) | {
        "document": content["document"],
        "fonts": [fonts.HOUSE, *families],
        "pictures": _change_texts(pictures, _make_printable),
    }
    with TemporaryDirectory() as folder:
        for i, path in enumerate(fonts.find_files(families)):
            (Path(folder) / f"{i}{path.suffix}").symlink_to(path)
        made = typst.compile(
            _TEMPLATE,
            root=TEMPLATES,
            font_paths=[_find_fonts(), Path(folder)],
            ignore_system_fonts=True,
            format="pdf",
            sys_inputs={"content": json.dumps(content, ensure_ascii=False)},
        )
    if not isinstance(made, bytes):
        raise TypeError("typst returns a PDF as bytes")
    return made


@cache
def _find_fonts() -> Path:
    """Find the folder of DejaVu Sans, which comes with matplotlib."""
    import matplotlib as mpl

    return Path(mpl.get_data_path()) / "fonts" / "ttf"


def _make_printable(text: str) -> str:
    """Take controls and marks of direction out of a text; line ends of a figure may stay."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _change_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Change every text within dicts and lists."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {k: _change_texts(v, change) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_change_texts(v, change) for v in value]
    return value
