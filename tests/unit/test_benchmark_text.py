"""What the benchmark's figure says stands beside its plot, never below or beyond it."""

from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from headway.figures.clinic.benchmark import draw_benchmark
from headway.messages import LANGUAGES, speaking
from tests.unit.drawn import hold_apart
from tests.unit.pages_builder import released


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_heading_runs_into_the_plot_or_over_the_edge(language: str) -> None:
    _, out, _ = released("demo")
    with speaking(language):
        figure = draw_benchmark(out["benchmark"], expected=(-3.4, -1.5), expected_label="x").figure
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    text, plot = figure.axes[:2]
    edge = plot.get_window_extent(canvas.get_renderer()).x0
    for one in text.texts:
        assert one.get_window_extent(canvas.get_renderer()).x1 <= edge, one.get_text()
    hold_apart(figure)
