"""Draw a figure once for both of its forms: what is placed for the SVG is painted for the PNG too.

Half of the time to save a figure goes into working out where its ticks and words are; it is spent
once. Words stand in the PNG where they stand in the SVG, with the same outlines.
"""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from matplotlib import rcParams
from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextToPath
from matplotlib.transforms import Affine2D, Bbox, TransformedPath

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

# Level 4 packs within 2 % of the usual 6 in half of its time.
PACKED = 4


class _Letters(TextToPath):
    """Finds the letters of a text, and keeps those of the last one: outline, x and y."""

    def __init__(self) -> None:
        super().__init__()
        self.last: list[tuple[str, float, float, float]] = []

    def get_glyphs_with_font(self, *given: Any, **named: Any) -> Any:
        found = super().get_glyphs_with_font(*given, **named)
        self.last = found[0]
        return found


class _Both(RendererSVG):
    """Write SVG, and repeat each call for a renderer of pixels, `scale` times as large."""

    def __init__(self, width: float, height: float, stream: IO[str], dpi: float) -> None:
        super().__init__(width, height, stream, metadata={"Date": None, "Creator": None})
        self.scale = dpi / 72
        self.pixels = RendererAgg(width * self.scale, height * self.scale, dpi)
        self._larger = Affine2D().scale(self.scale)
        self._text2path = self._letters = _Letters()
        self._within = False  # a call that makes others: those are not repeated

    def _context(self, gc: Any) -> GraphicsContextBase:
        """Copy how something is drawn, with its clipping in the larger picture."""
        own = GraphicsContextBase()
        own.copy_properties(gc)
        rectangle = gc.get_clip_rectangle()
        if rectangle is not None:
            own.set_clip_rectangle(Bbox.from_extents(*(self.scale * rectangle.extents)))
        path, transform = gc.get_clip_path()
        if path is not None:
            own.set_clip_path(TransformedPath(path, transform + self._larger))
        return own

    def draw_path(self, gc: Any, path: Any, transform: Any, rgbFace: Any = None) -> None:
        if not self._within:
            self.pixels.draw_path(self._context(gc), path, transform + self._larger, rgbFace)
        super().draw_path(gc, path, transform, rgbFace)

    def draw_markers(
        self, gc: Any, marker: Any, marker_trans: Any, path: Any, trans: Any, rgbFace: Any = None
    ) -> None:
        larger = self._larger
        self.pixels.draw_markers(
            self._context(gc), marker, marker_trans + larger, path, trans + larger, rgbFace
        )
        self._alone(super().draw_markers, gc, marker, marker_trans, path, trans, rgbFace)

    def draw_path_collection(
        self, gc: Any, master_transform: Any, paths: Any, all_transforms: Any, offsets: Any,
        offset_trans: Any, facecolors: Any, edgecolors: Any, linewidths: Any, linestyles: Any,
        antialiaseds: Any, urls: Any, offset_position: Any, *, hatchcolors: Any = None,
    ) -> None:  # fmt: skip
        larger, shapes = self._larger, (paths, all_transforms, offsets)
        looks = (facecolors, edgecolors, linewidths, linestyles, antialiaseds, urls)
        self.pixels.draw_path_collection(
            self._context(gc), master_transform.frozen() + larger, *shapes, offset_trans + larger,
            *looks, offset_position, hatchcolors=hatchcolors,
        )  # fmt: skip
        self._alone(
            super().draw_path_collection, gc, master_transform, *shapes, offset_trans,
            *looks, offset_position, hatchcolors=hatchcolors,
        )  # fmt: skip

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float,
        ismath: Any = False, mtext: Any = None,
    ) -> None:  # fmt: skip
        self._alone(super().draw_text, gc, x, y, s, prop, angle, ismath, mtext)
        if ismath or rcParams["svg.fonttype"] != "path":
            place = (x * self.scale, y * self.scale)
            self.pixels.draw_text(self._context(gc), *place, s, prop, angle, ismath, mtext)
        elif self._letters.last:
            self._paint(gc, x, y, prop.get_size_in_points() / TextToPath.FONT_SCALE, angle)

    def _paint(self, gc: Any, x: float, y: float, size: float, angle: float) -> None:
        """Fill the outlines of the text that was just written, where it was written."""
        letters = [(*self._glyph_map[name], at) for name, *at, _ in self._letters.last]
        outline = Outline(
            np.concatenate([points + at for points, _, at in letters]),
            np.concatenate([codes for _, codes, _ in letters]),
        )
        place = Affine2D().scale(size).rotate_deg(angle).translate(x, self.height - y)
        own = self._context(gc)
        own.set_linewidth(0)
        own.set_snap(False)
        self.pixels.draw_path(own, outline, place + self._larger, gc.get_rgb())

    def _alone(self, draw: Any, *given: Any, **named: Any) -> None:
        before, self._within = self._within, True
        try:
            draw(*given, **named)
        finally:
            self._within = before


def can_draw(figure: Figure) -> bool:
    """Tell whether a figure has nothing but lines, areas and words."""
    from matplotlib.image import _ImageBase

    return not figure.findobj(lambda a: bool(a.get_rasterized()) or isinstance(a, _ImageBase))


def draw(figure: Figure, png: Path | IO[bytes], dpi: float) -> str:
    """Write a figure as PNG; give the text of its SVG, which is as matplotlib alone writes it."""
    from PIL import Image

    stream, before = io.StringIO(), figure.dpi
    width, height = (72 * side for side in figure.get_size_inches())
    figure.dpi = 72
    try:
        renderer = _Both(width, height, stream, dpi)
        figure.draw(renderer)
        renderer.finalize()
    finally:
        figure.dpi = before
    seen = renderer.pixels.buffer_rgba()
    picture = Image.frombytes("RGB", seen.shape[1::-1], seen, "raw", "RGBX")
    picture.save(png, format="png", dpi=(dpi, dpi), compress_level=PACKED)
    return stream.getvalue()
