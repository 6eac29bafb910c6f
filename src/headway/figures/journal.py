"""Figures at the sizes of a journal's columns, as the files a journal asks for."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from headway.figures import fonts, theme
from headway.figures.theme import Drawing
from headway.tables import make_name, printable, write_text

MM = 25.4  # in an inch
# Widths of one and of two columns, and what a page of two columns holds from top to foot.
COLUMNS_MM = {1: 85.0, 2: 174.0}
PAGE_MM = 234.0
LEAST_PT = 6.0  # type that journals still take
MOST_LARGER = 1.2  # by how much type may grow within a drawing and nothing meets
TIF_DPI, PNG_DPI = 600, 300
# Text as text: letters stay letters in SVG, and PDF embeds their outlines as TrueType.
_AS_TEXT: Any = {"svg.fonttype": "none", "pdf.fonttype": 42}


@dataclass(frozen=True, slots=True)
class Printed:
    """A figure as it was saved.

    Attributes
    ----------
    name
        Of its files, without the ending.
    title, caption
        As on the page.
    columns
        1 or 2: the columns it is as wide as.
    width_mm, height_mm
        Its size.
    least_pt
        Its smallest type in points, at that size.
    lost
        A sentence on letters that no font of this machine draws, or nothing.
    """

    name: str
    title: str
    caption: str
    columns: int
    width_mm: float
    height_mm: float
    least_pt: float
    lost: str = ""


def save_for_journal(name: str, drawing: Drawing, folder: Path) -> Printed:
    """Save a figure as SVG, PDF, TIF (600 dpi, LZW) and PNG (300 dpi) at a column's width.

    It gets one column where its smallest type stays at 6 points or more there (made up to a fifth
    larger if need be), else two. The whole drawing is scaled, so that nothing in it moves; no file
    holds a date.

    Parameters
    ----------
    name
        Name of the figure.
    drawing
        The figure, as it is drawn for the page.
    folder
        Where `<name>.svg`, `.pdf`, `.tif` and `.png` are written.
    """
    id, figure = make_name(name), drawing.figure
    with theme.style():
        lost = theme.say_missing(fonts.dress(figure)).strip()
    width, height = (float(inches) for inches in figure.get_size_inches())
    least = min(_find_sizes(drawing).values(), default=LEAST_PT)
    columns = choose_columns(width, least)
    factor = COLUMNS_MM[columns] / (width * MM)
    larger = max(1.0, LEAST_PT / (least * factor)) if columns == 1 else 1.0
    size = (COLUMNS_MM[columns], height * MM * factor)
    title, alt = printable(drawing.title), printable(drawing.alt)
    with theme.style(), _typed_larger(drawing, larger):
        write_text(_draw_svg(drawing, size, title, alt), folder / f"{id}.svg")
        (folder / f"{id}.pdf").write_bytes(_draw_pdf(drawing, factor, title))
        _draw_pixels(drawing, factor, TIF_DPI, folder / f"{id}.tif")
        _draw_pixels(drawing, factor, PNG_DPI, folder / f"{id}.png")
    least_pt = least * factor * larger
    return Printed(id, title, printable(drawing.caption), columns, *size, least_pt, lost)


def choose_columns(width: float, least: float) -> int:
    """Choose one column or two for a figure of a width in inches and its smallest type in points.

    Examples
    --------
    >>> choose_columns(5.0, 8.0), choose_columns(9.0, 8.0)
    (1, 2)
    """
    there = least * COLUMNS_MM[1] / (width * MM)
    return 1 if there * MOST_LARGER >= LEAST_PT else 2


def _find_sizes(drawing: Drawing) -> dict[Any, float]:
    """Find the size of every text of a figure that is seen, in points."""
    from matplotlib.text import Text

    texts = drawing.figure.findobj(Text)
    return {x: float(x.get_fontsize()) for x in texts if x.get_visible() and x.get_text().strip()}


@contextmanager
def _typed_larger(drawing: Drawing, factor: float) -> Iterator[None]:
    """Enlarge the type of a figure within the block."""
    sizes = _find_sizes(drawing) if factor > 1 else {}
    for text, size in sizes.items():
        text.set_fontsize(size * factor)
    yield
    for text, size in sizes.items():
        text.set_fontsize(size)


def _draw_svg(drawing: Drawing, size: tuple[float, float], title: str, alt: str) -> str:
    import matplotlib as mpl

    stream = io.StringIO()
    with mpl.rc_context(_AS_TEXT):
        drawing.figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", stream.getvalue(), flags=re.DOTALL)
    start = svg.index("<svg")
    head, rest = svg[start:].split(">", 1)
    for side, mm in zip(("width", "height"), size, strict=True):
        head = re.sub(rf'\b{side}="[^"]*"', f'{side}="{mm:.2f}mm"', head, count=1)
    words = f"\n<title>{escape(title)}</title>\n<desc>{escape(alt)}</desc>"
    return f"{svg[:start]}{head}>{words}{rest}"


def _draw_pdf(drawing: Drawing, factor: float, title: str) -> bytes:
    import matplotlib as mpl
    from pypdf import PdfReader, PdfWriter

    stream = io.BytesIO()
    with mpl.rc_context(_AS_TEXT):
        none = dict.fromkeys(("Creator", "Producer", "CreationDate"))
        drawing.figure.savefig(stream, format="pdf", metadata=none)
    writer = PdfWriter()
    page = writer.add_page(PdfReader(stream).pages[0])
    page.scale_by(factor)
    page.compress_content_streams()
    writer.metadata = {"/Title": title}
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _draw_pixels(drawing: Drawing, factor: float, dpi: int, path: Path) -> None:
    from PIL import Image

    stream = io.BytesIO()
    drawing.figure.savefig(stream, format="png", dpi=dpi * factor)
    # Without transparency, which printers do not take.
    with Image.open(stream) as image:
        flat = image.convert("RGB")
    more: dict[str, Any] = {"compression": "tiff_lzw"} if path.suffix == ".tif" else {}
    flat.save(path, dpi=(dpi, dpi), **more)
