"""Figures of judgements: every word inside the canvas, none on another, nothing said by colour."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headway import tables
from headway.config.review import Flow
from headway.figures import theme
from headway.figures.review.draw import draw_published
from headway.figures.review.flow import draw_flow
from headway.figures.review.judgements import draw_risk_summary, draw_traffic_light
from headway.messages import t
from headway.reviews.certainty import RISK_TOOLS

LONG = "A trial with a very long name indeed and several others 2011"


def judge(tool: str, trials: list[str], gap: int = 5) -> pd.DataFrame:
    kit = RISK_TOOLS[tool]
    levels = itertools.cycle(kit.levels)
    rows = [
        {"trial": t, "outcome": None, "domain": d, "judgement": next(levels), "signed_by": "A. B."}
        for i, t in enumerate(trials)
        for j, d in enumerate(kit.domains)
        if (i + j) % gap
    ]
    return pd.DataFrame(rows)


def boxes(drawing: theme.Drawing) -> list[tuple[str, Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(drawing.figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    texts = [*drawing.figure.texts]
    for axes in drawing.figure.axes:
        texts += axes.texts
        if axes.axison:
            texts += [*axes.get_yticklabels(), *axes.get_xticklabels(), axes.xaxis.label]
    for legend in drawing.figure.legends:
        texts += legend.get_texts()
    return [
        (t.get_text(), t.get_window_extent(renderer))
        for t in texts
        if t.get_text() and t.get_visible()
    ]


def check(drawing: theme.Drawing) -> None:
    width, height = drawing.figure.canvas.get_width_height()
    found = boxes(drawing)
    for text, box in found:
        assert box.x0 >= -1, text
        assert box.y0 >= -1, text
        assert box.x1 <= width + 1, text
        assert box.y1 <= height + 1, text
    for (one, a), (two, b) in itertools.combinations(found, 2):
        apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
        assert apart, (one, two)


@pytest.mark.parametrize("tool", list(RISK_TOOLS))
@pytest.mark.parametrize("trials", [["A 2001"], [LONG, "B 2002"], [f"T {i}" for i in range(25)]])
def test_lights_and_bars_keep_to_their_canvas(tool: str, trials: list[str]) -> None:
    judged = judge(tool, trials)
    for drawing in (
        draw_traffic_light(judged, tool),
        draw_risk_summary(judged, tool, trials=[*trials, "Nobody 1999"]),
    ):
        check(drawing)


@pytest.mark.parametrize("tool", list(RISK_TOOLS))
def test_a_sign_stands_in_every_light_and_a_count_in_every_bar(tool: str) -> None:
    kit = RISK_TOOLS[tool]
    judged = judge(tool, ["A", "B", "C"])
    lights = draw_traffic_light(judged, tool)
    (axes,) = lights.figure.axes
    signs = [text.get_text() for text in axes.texts]
    for level, own in judged.groupby("judgement"):
        assert signs.count(kit.levels[level].sign) == len(own)
    for r in judged.to_dict("records"):
        assert f"{t(kit.domains[r['domain']])}: {t(kit.levels[r['judgement']].label)}" in lights.alt
    assert "not judged" in lights.alt
    bars = draw_risk_summary(judged, tool, trials=["A", "B", "C", "D"])
    first = next(iter(kit.domains))
    missing = 4 - int((judged["domain"] == first).sum())
    assert f"{missing} not judged" in bars.alt
    (axes,) = bars.figure.axes
    counted = [int(text.get_text()) for text in axes.texts]
    assert sum(counted) == 4 * len(kit.domains)
    # Levels differ by hatch, not by colour alone.
    hatches = {p.get_hatch() for p in axes.patches}
    assert len(hatches) >= 3


def test_a_judgement_about_one_outcome_has_its_own_row() -> None:
    judged = judge("rob2", ["A"], gap=99)
    judged = pd.concat([judged, judged.assign(outcome="pain")])
    texts = [t for t, _ in boxes(draw_traffic_light(judged, "rob2"))]
    assert {"A", "A, pain"} <= set(texts)


FLOWS: list[dict[str, Any]] = [
    {"studies": 7},
    {
        "databases": 1200,
        "registers": 34,
        "other_sources": 5,
        "duplicates": 300,
        "screened": 934,
        "excluded": 900,
        "sought": 34,
        "not_retrieved": 2,
        "assessed": 32,
        "excluded_reasons": {
            f"a reason that takes some words to say, number {i}": i for i in range(9)
        },
        "studies": 7,
        "reports": 8,
    },
]


@pytest.mark.parametrize("flow", FLOWS)
def test_the_flow_keeps_to_its_canvas_and_never_prints_zero_for_silence(
    flow: dict[str, Any],
) -> None:
    drawing = draw_flow(Flow(**flow))
    check(drawing)
    words = " ".join(t for t, _ in boxes(drawing))
    for value in flow.values():
        if isinstance(value, int):
            assert f"n = {value}" in words
            assert f"n = {value}" in drawing.alt
    if "screened" not in flow:
        assert "n = 0" not in words
        assert "not stated" in words


def test_the_same_judgements_give_the_same_bytes(tmp_path: Path) -> None:
    judged = judge("rob2", ["A", "B"])
    saved = []
    for run in ("a", "b"):
        drawn = {
            "lights": draw_traffic_light(judged, "rob2"),
            "bars": draw_risk_summary(judged, "rob2"),
            "flow": draw_flow(Flow(**FLOWS[1])),
        }
        theme.save(drawn, tmp_path / run)
        saved.append({p.name: p.read_bytes() for p in sorted((tmp_path / run).iterdir())})
    assert saved[0] == saved[1]


def test_published_ratios_stand_about_one_and_a_total_has_no_subgroup() -> None:
    printed = pd.DataFrame(
        {
            "subgroup": [None, "zqpart"],
            "k": pd.array([None, 3], dtype="Int64"),
            "measure": "RR",
            "effect": [0.8, 1.5],
            "ci_low": [0.5, 0.9],
            "ci_high": [1.2, 2.4],
        }
    )
    drawn = draw_published(printed, tables.empty("consistency"), "zqlabel")
    assert "Published, Overall: 0.80 [0.50, 1.20]." in drawn.alt
    assert "Published, zqpart (k 3): 1.50 [0.90, 2.40]." in drawn.alt
    (axes,) = drawn.figure.axes
    assert axes.get_xscale() == "log" and axes.get_xlim()[0] > 0
    assert any(list(line.get_xdata()) == [1, 1] for line in axes.lines)
    days = draw_published(printed.assign(measure="MD"), tables.empty("consistency"), "zqlabel")
    assert any(list(line.get_xdata()) == [0, 0] for line in days.figure.axes[0].lines)
