"""A figure is drawn once for its two forms: the SVG of matplotlib, and its picture as PNG."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from headway.figures import both, theme
from headway.figures.theme import Drawing

ALIKE = 60  # of 255: edges of letters are placed to a fraction of a pixel


def make_figure() -> Figure:
    """Make a figure with every kind of mark that ours hold."""
    with theme.style():
        figure = theme.new_figure(5.0, 3.0)
        axes = figure.add_axes((0.15, 0.2, 0.8, 0.65))
        axes.plot([0, 1, 2], [1, 3, 2], marker="o", linestyle="--", color=theme.BLUE)
        axes.scatter([0.5, 1.5], [1, 2.5], s=[80, 20], color=theme.ORANGE)
        axes.bar([0.2, 1.8], [2, 1], width=0.2, hatch="//", edgecolor="white", alpha=0.5)
        axes.fill_between([0, 2], [0.5, 0.5], [0.8, 1.2], color=theme.FAINT)
        axes.add_collection(LineCollection([[(0, 0), (2, 3)]], colors=theme.GREEN))
        axes.add_patch(Rectangle((1.7, 2), 2, 2, facecolor=theme.GREY))  # beyond the axes
        axes.set_xlim(-0.2, 2.2)
        axes.set_xlabel("headache days per 28 days")
        axes.text(1, 1, "turned", rotation=45)
        axes.set_title("A title")
    return figure


@pytest.mark.parametrize("dpi", [72, 160])
def test_the_svg_is_matplotlibs_and_the_png_shows_it(tmp_path: Path, dpi: int) -> None:
    figure = make_figure()
    with theme.style():
        svg = both.draw(figure, tmp_path / "a.png", dpi)
        apart, pixels = io.StringIO(), io.BytesIO()
        figure.savefig(apart, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(pixels, format="png", dpi=dpi)
    assert svg == apart.getvalue()
    one = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"), dtype=float)
    two = np.asarray(Image.open(pixels).convert("RGB"), dtype=float)
    assert one.shape == two.shape
    assert Image.open(tmp_path / "a.png").info["dpi"] == pytest.approx((dpi, dpi), abs=0.1)
    # Nothing is missing and nothing stands elsewhere: blurred over a few pixels they are the same.
    width = 9
    kernel = np.ones(width) / width
    for channel in range(3):
        shown = [
            np.apply_along_axis(np.convolve, axis, picture, kernel, mode="same")
            for axis, picture in ((0, one[..., channel]), (0, two[..., channel]))
        ]
        shown = [
            np.apply_along_axis(np.convolve, 1, picture, kernel, mode="same") for picture in shown
        ]
        assert np.abs(shown[0] - shown[1]).max() < ALIKE
    assert (np.abs(one - two).max(axis=2) > ALIKE).mean() < 0.03


def test_saving_draws_a_figure_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    own = Figure.draw
    monkeypatch.setattr(
        Figure, "draw", lambda self, renderer: (drawn.append(1), own(self, renderer))
    )
    drawings = {n: Drawing(make_figure(), "a title", "alt", "caption") for n in ("one", "two")}
    theme.save(drawings, tmp_path)
    assert len(drawn) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        *("one.png", "one.svg"),
        *("two.png", "two.svg"),
    ]


def test_a_figure_that_holds_a_picture_is_drawn_for_each_form(tmp_path: Path) -> None:
    with theme.style():
        figure = theme.new_figure(3.0, 2.0)
        axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
        axes.pcolormesh([0, 1, 2], [0, 1], [[0.1, 0.9]], cmap="Greys", rasterized=True)
    assert not both.can_draw(figure)
    (saved,) = theme.save({"one": Drawing(figure, "a title", "alt", "caption")}, tmp_path)
    assert "<image" in saved.svg
    assert (tmp_path / "one.png").stat().st_size > 500


def test_pixels_come_back_from_the_png_as_they_were_packed() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (7, 5, 4), dtype=np.uint8)
    with Image.open(io.BytesIO(both._pack(pixels, 160))) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        assert picture.info["dpi"] == pytest.approx((160, 160), abs=0.01)
        np.testing.assert_array_equal(np.asarray(picture), pixels[:, :, :3])
