"""One look for all figures, and how they are saved: byte for byte the same on every run."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito (2008), dark enough to be told apart in grey; shape and text carry the meaning too.
INK, GREY, FAINT = "#1b1f24", "#5b6570", "#c9d0d6"
BLUE, ORANGE = "#0072b2", "#d55e00"
WIDTH = 9.4  # inches: a page's 900 px, so that 9 pt are 12 px there
SMALL, BASE, LARGE = 9.0, 9.5, 11.0  # points; nothing is smaller
WORSE, HIDDEN = "\\\\\\\\", "////"  # hatches, always with a word beside them
PNG_DPI = 200
_FONT = "DejaVu Sans"  # comes with matplotlib: the same on every machine
_RC: Any = {
    "font.family": _FONT,
    "font.size": BASE,
    "text.parse_math": False,  # a dollar sign in a label is a dollar sign
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "axes.labelsize": SMALL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": BASE,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.facecolor": "white",
    "hatch.linewidth": 0.7,
    "svg.hashsalt": "headway",
    # Letters as outlines: the columns of a forest plot are as wide as these letters, and another
    # font would run them into each other. The alt text holds the words and the numbers.
    "svg.fonttype": "path",
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with its title, alt text and caption.

    `alt` holds the numbers that a reader needs; hidden ones are said to be hidden. `wide` figures
    scroll on a narrow page instead of shrinking.
    """

    figure: Figure
    title: str
    alt: str
    caption: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved figure; `svg` is ready to be written into a page."""

    name: str
    title: str
    alt: str
    caption: str
    svg: str
    wide: bool = False


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure in the house style; sizes in inches."""
    from matplotlib.figure import Figure

    with style():
        return Figure(figsize=(width, height), layout=None)


def style() -> Any:
    """Draw in the house style, as a context."""
    import matplotlib as mpl

    return mpl.rc_context(_RC)


def stamp(figure: Figure, text: str) -> None:
    """Write a stamp into the upper right corner, clear of the data."""
    if text:
        figure.text(
            0.99,
            1 - 6 / (72 * figure.get_size_inches()[1]),
            text,
            ha="right",
            va="top",
            fontsize=BASE,
            fontweight="bold",
            color=ORANGE,
        )


@cache
def measure(text: str, size: float = BASE, weight: str = "normal") -> float:
    """Measure how wide a line of text is drawn, in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=_FONT, size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def wrap(text: str, width: float, size: float = BASE, weight: str = "normal") -> list[str]:
    """Break a text into lines of at most `width` points; a word too long for one is broken."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and measure(joined, size, weight) <= width:
            lines[-1] = joined
            continue
        while len(word) > 1 and measure(word, size, weight) > width:
            cut = len(word) - 1
            while cut > 1 and measure(word[:cut], size, weight) > width:
                cut -= 1
            lines.append(word[:cut])
            word = word[cut:]
        lines.append(word)
    return lines


def number(value: float, digits: int = 2) -> str:
    """Write a number with a true minus sign; a missing one is an en dash."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{abs(value):.{digits}f}"
    return f"−{text}" if value < 0 and float(text) else text


def short(value: float) -> str:
    """Write the number of a tick or a bin's edge."""
    return f"{value:g}".replace("-", "−")


def save(drawings: Mapping[str, Drawing], folder: Path) -> list[Saved]:
    """Save every figure as SVG and PNG, and empty it.

    Parameters
    ----------
    drawings
        Name -> drawing.
    folder
        Where <name>.svg and <name>.png are written; it is made if it is missing.

    Returns
    -------
    list of Saved
    """
    folder.mkdir(parents=True, exist_ok=True)
    saved = []
    for name, drawing in drawings.items():
        with style():
            stream = io.StringIO()
            drawing.figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
            drawing.figure.savefig(folder / f"{name}.png", dpi=PNG_DPI, metadata={"Software": None})
        drawing.figure.clear()
        svg = _prepare(stream.getvalue(), name, drawing)
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8", newline="\n")
        saved.append(Saved(name, drawing.title, drawing.alt, drawing.caption, svg, drawing.wide))
    return saved


def _prepare(svg: str, name: str, drawing: Drawing) -> str:
    """Make an SVG fit to stand beside others on a page.

    Identifiers get the figure's name as a prefix, since browsers look up the first of equal ones;
    title and description are for screen readers; the size is left to the page. Outlines keep two
    decimals of a point, which no eye can tell from six.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r' d="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), svg)
    head, rest = svg.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', head)
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{view.group() if view else ""} role="img" '
        f'aria-labelledby="{name}-title {name}-desc"'
    )
    words = (
        f'\n<title id="{name}-title">{escape(drawing.title)}</title>'
        f'\n<desc id="{name}-desc">{escape(drawing.alt)}</desc>'
    )
    return f"{head}>{words}{rest}"
