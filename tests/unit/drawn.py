"""What holds of a drawn figure, whatever it shows."""

from __future__ import annotations

from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg

from headway.figures import fonts, theme


def hold_apart(figure: Any, *, most: float = 2.0) -> None:
    """Hold that no text leaves the figure or meets another by more than `most` pixels in height."""
    with theme.style():
        fonts.dress(figure)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()
    width, height = figure.bbox.size
    texts = [t for axes in figure.axes for t in axes.texts] + list(figure.texts)
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_text()]
    for text, box in boxes:
        assert box.x0 >= -1, text
        assert box.x1 <= width + 1, text
        assert box.y0 >= -1, text
        assert box.y1 <= height + 1, text
    for i, (text, box) in enumerate(boxes):
        for other, another in boxes[i + 1 :]:
            shared_x = min(box.x1, another.x1) - max(box.x0, another.x0)
            shared_y = min(box.y1, another.y1) - max(box.y0, another.y0)
            assert not (shared_x > 1 and shared_y > most), f"{text!r} meets {other!r}"
