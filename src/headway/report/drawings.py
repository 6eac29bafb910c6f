"""Figures as they stand on a page: what several of them hold is written once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headway.figures.theme import Saved

# Outlines of letters, which every figure brings along: half of what a page of figures weighs.
_LETTER = re.compile(
    r'<path id="(?P<figure>[^"]+?)-(?P<letter>DejaVuSans[^"]*)"(?P<rest>[^>]*)/>\s*'
)
_COMMENT = re.compile(r"<!--.*?-->\s*", re.DOTALL)


def share_letters(figures: Sequence[Saved]) -> tuple[list[Saved], str]:
    """Take the outlines of letters out of figures that stand on one page.

    Returns
    -------
    figures, letters
        The figures, which look their letters up on the page, and the SVG that holds every letter
        once and draws nothing; empty without figures.
    """
    letters: dict[str, str] = {}
    out = []
    for figure in figures:
        for found in _LETTER.finditer(figure.svg):
            letters[found["letter"]] = found["rest"]
        svg = _LETTER.sub("", _COMMENT.sub("", figure.svg))
        svg = svg.replace(f'href="#{figure.id}-DejaVuSans', 'href="#DejaVuSans')
        out.append(replace(figure, svg=svg))
    paths = "\n".join(f'<path id="{id}"{rest}/>' for id, rest in sorted(letters.items()))
    hidden = 'width="0" height="0" aria-hidden="true" style="position:absolute"'
    return out, f"<svg {hidden}><defs>\n{paths}\n</defs></svg>" if letters else ""
