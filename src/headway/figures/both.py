"""Draw a figure once for both of its forms: what is placed for the SVG is painted for the PNG too.

Half of the time to save a figure goes into working out where its ticks and words are; it is spent
once. Words stand in the PNG where they stand in the SVG, with the same outlines.
"""

from __future__ import annotations

import io
import struct
import zlib
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from matplotlib import rcParams
from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.ft2font import LoadFlags
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextToPath
from matplotlib.transforms import Affine2D, Affine2DBase, Bbox, TransformedPath

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Flat colours pack best without a filter. Level 3 then takes a third of the time of the usual 6
# with its filters, for fewer bytes.
PACKED = 3


class _Letters(TextToPath):
    """Finds the letters of a text, and keeps those of the last one: outline, x and y.

    What a font says of a text is the same in every figure, and asked once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last: list[tuple[str, float, float, float]] = []

    def get_glyphs_with_font(
        self, font: Any, s: str, glyph_map: Any = None, return_new_glyphs_only: bool = False,
        *, features: Any = None, language: Any = None,
    ) -> Any:  # fmt: skip
        placed = _place(font, s, features, language)
        known = {} if glyph_map is None else glyph_map
        new = {name: _OUTLINES[name] for name, *_ in placed if name not in known}
        self.last = placed
        if return_new_glyphs_only:
            return placed, new, []
        known.update(new)
        return placed, known, []

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> Any:
        if ismath:
            return super().get_text_width_height_descent(s, prop, ismath)
        scale = prop.get_size_in_points() / self.FONT_SCALE
        font = self._get_font(prop)  # type: ignore[attr-defined]  # of TextToPath
        return tuple(side * scale for side in _measure(font, s))


_OUTLINES: dict[str, Any] = {}


@lru_cache(maxsize=4096)
def _place(
    font: Any, text: str, features: Any, language: Any
) -> list[tuple[str, float, float, float]]:
    """Name the letters of a text, with their x, y and scale."""
    out = []
    plain = LoadFlags.NO_HINTING
    for item in font._layout(text, plain, features=features, language=language):
        name = quote(f"{item.ft_object.postscript_name}-{item.glyph_index:x}")
        if name not in _OUTLINES:
            item.ft_object.load_glyph(item.glyph_index, flags=plain)
            _OUTLINES[name] = item.ft_object.get_path()
        out.append((name, item.x, item.y, 1.0))
    return out


@lru_cache(maxsize=4096)
def _measure(font: Any, text: str) -> tuple[float, float, float]:
    """Measure a text's width, height and descent."""
    font.set_text(text, 0.0, flags=LoadFlags.NO_HINTING)
    width, height = font.get_width_height()
    return width / 64, height / 64, font.get_descent() / 64


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
            own.set_clip_path(TransformedPath(path, self._enlarge(transform)))
        return own

    def _enlarge(self, transform: Any) -> Any:
        """Have what is placed by a transform placed in the larger picture."""
        if isinstance(transform, Affine2DBase):
            return Affine2D(np.dot(self._larger.get_matrix(), transform.get_matrix()))
        return transform + self._larger

    def draw_path(self, gc: Any, path: Any, transform: Any, rgbFace: Any = None) -> None:
        if not self._within:
            self.pixels.draw_path(self._context(gc), path, self._enlarge(transform), rgbFace)
        super().draw_path(gc, path, transform, rgbFace)

    def draw_markers(
        self, gc: Any, marker: Any, marker_trans: Any, path: Any, trans: Any, rgbFace: Any = None
    ) -> None:
        larger = (self._enlarge(marker_trans), path, self._enlarge(trans))
        self.pixels.draw_markers(self._context(gc), marker, *larger, rgbFace)
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
        self.pixels.draw_path(own, outline, self._enlarge(place), gc.get_rgb())

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
    stream, before = io.StringIO(), figure.dpi
    width, height = (72 * side for side in figure.get_size_inches())
    figure.dpi = 72
    try:
        renderer = _Both(width, height, stream, dpi)
        figure.draw(renderer)
        renderer.finalize()
    finally:
        figure.dpi = before
    packed = _pack(np.asarray(renderer.pixels.buffer_rgba()), dpi)
    if isinstance(png, Path):
        png.write_bytes(packed)
    else:
        png.write(packed)
    return stream.getvalue()


def _pack(pixels: NDArray[np.uint8], dpi: float) -> bytes:
    """Write pixels (rows, columns, RGBA) as a PNG without transparency (ISO/IEC 15948)."""
    height, width = pixels.shape[:2]
    lines = np.zeros((height, 1 + 3 * width), np.uint8)  # a line begins with its filter: none
    lines[:, 1:].reshape(height, width, 3)[:] = pixels[:, :, :3]
    per_metre = round(dpi / 0.0254)
    chunks = (
        (b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)),
        (b"pHYs", struct.pack(">2IB", per_metre, per_metre, 1)),
        (b"IDAT", zlib.compress(lines.data, PACKED)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
