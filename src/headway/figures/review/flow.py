"""The flow of a search, PRISMA 2020 (Page and others 2021), drawn from counts."""

from __future__ import annotations

import textwrap
from typing import Any

from headway.config.review import Flow
from headway.figures import theme
from headway.figures.theme import FAINT, INK, Drawing

LINE = 0.17  # inches a line of text
PAD, GAP = 0.16, 0.30
WIDTH, SIDE = 3.5, 3.5  # inches of the boxes in the middle and at the side
NOT_STATED = "not stated"


def _count(count: int | None) -> str:
    return NOT_STATED if count is None else f"n = {count}"


def list_boxes(flow: Flow) -> list[tuple[str, list[str], list[str]]]:
    """List the rows of the flow: stage, lines of the box, lines of the box beside it."""
    reasons = flow.excluded_reasons or {}
    excluded = ["Reports excluded:"]
    if reasons:
        excluded += [f"{reason} (n = {n})" for reason, n in reasons.items()]
    else:
        excluded.append(NOT_STATED)
    return [
        (
            "Identification",
            [
                "Records identified from:",
                f"Databases ({_count(flow.databases)})",
                f"Registers ({_count(flow.registers)})",
                *(
                    [f"Other sources ({_count(flow.other_sources)})"]
                    if flow.other_sources is not None
                    else []
                ),
            ],
            [
                "Records removed before screening:",
                f"Duplicates ({_count(flow.duplicates)})",
                f"By automation ({_count(flow.automation)})",
                f"Other reasons ({_count(flow.removed_other)})",
            ],
        ),
        (
            "Screening",
            ["Records screened", f"({_count(flow.screened)})"],
            ["Records excluded", f"({_count(flow.excluded)})"],
        ),
        (
            "Screening",
            ["Reports sought for retrieval", f"({_count(flow.sought)})"],
            ["Reports not retrieved", f"({_count(flow.not_retrieved)})"],
        ),
        (
            "Screening",
            ["Reports assessed for eligibility", f"({_count(flow.assessed)})"],
            excluded,
        ),
        (
            "Included",
            [
                f"Studies included in the review ({_count(flow.studies)})",
                f"Reports of included studies ({_count(flow.reports)})",
            ],
            [],
        ),
    ]


def draw_flow(flow: Flow) -> Drawing:
    """Draw the flow of records from search to inclusion.

    Parameters
    ----------
    flow
        `flow` of review.yaml; a count that is absent is printed as not stated, never as 0.
    """
    rows = list_boxes(flow)
    wrapped = [
        (
            stage,
            [part for line in main for part in textwrap.wrap(line, 44)],
            [part for line in side for part in textwrap.wrap(line, 44)],
        )
        for stage, main, side in rows
    ]
    heights = [max(len(main), len(side)) * LINE + 2 * PAD for _, main, side in wrapped]
    inches = sum(heights) + GAP * (len(rows) - 1) + 0.75
    width = 0.5 + WIDTH + 0.55 + SIDE + 0.15
    with theme.style():
        figure = theme.new_figure(width, inches)
        axes = figure.add_axes((0, 0, 1, 1))
        theme.quiet(axes)
        axes.set_xlim(0, width)
        axes.set_ylim(inches, 0)
        axes.text(
            0.12, 0.12, "Flow of the search (PRISMA 2020)", fontweight="bold", va="top", fontsize=10
        )
        y = 0.55
        tops: list[float] = []
        for (_, main, side), height in zip(wrapped, heights, strict=True):
            tops.append(y)
            own = len(main) * LINE + 2 * PAD
            top = y + (height - own) / 2
            _box(axes, 0.5, top, WIDTH, own, main)
            middle = y + height / 2
            if side:
                other = len(side) * LINE + 2 * PAD
                left = 0.5 + WIDTH + 0.55
                _box(axes, left, y + (height - other) / 2, SIDE, other, side)
                _arrow(axes, (0.5 + WIDTH, middle), (left, middle))
            y += height + GAP
        for i in range(len(rows) - 1):
            own, below = (len(wrapped[j][1]) * LINE + 2 * PAD for j in (i, i + 1))
            start = tops[i] + (heights[i] + own) / 2
            end = tops[i + 1] + (heights[i + 1] - below) / 2
            _arrow(axes, (0.5 + WIDTH / 2, start), (0.5 + WIDTH / 2, end))
        _stages(axes, wrapped, tops, heights)
    alt = "Flow of the search. " + " ".join(
        f"{stage}: {' '.join(main)}{'; ' + ' '.join(side) if side else ''}."
        for stage, main, side in rows
    )
    source = flow.source
    caption = f"Counts: {source}." if source else "Counts as declared in review.yaml."
    return Drawing(figure, "Flow of the search", alt, caption)


def _box(axes: Any, x: float, y: float, width: float, height: float, lines: list[str]) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((x, y), width, height, facecolor="white", edgecolor=INK, linewidth=0.9)
    )
    for i, line in enumerate(lines):
        axes.text(x + 0.1, y + PAD + LINE * (i + 0.5), line, va="center", fontsize=8)


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 0.9}
    )


def _stages(axes: Any, rows: list[Any], tops: list[float], heights: list[float]) -> None:
    """Name the stages down the left side."""
    from matplotlib.patches import Rectangle

    for stage in dict.fromkeys(stage for stage, _, _ in rows):
        own = [i for i, (name, _, _) in enumerate(rows) if name == stage]
        top, bottom = tops[own[0]], tops[own[-1]] + heights[own[-1]]
        axes.add_patch(
            Rectangle((0.12, top), 0.26, bottom - top, facecolor=FAINT, edgecolor="none")
        )
        axes.text(
            0.25,
            (top + bottom) / 2,
            stage,
            rotation=90,
            ha="center",
            va="center",
            fontsize=8 if bottom - top > 0.9 else 7,
            color=INK,
        )
