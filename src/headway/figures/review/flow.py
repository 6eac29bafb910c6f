"""The flow of a search, PRISMA 2020 (Page and others 2021), drawn from counts."""

from __future__ import annotations

from typing import Any

from headway.config.review import Flow
from headway.figures import fonts, theme
from headway.figures.theme import FAINT, INK, Drawing
from headway.messages import t

LINE = 0.17  # inches a line of text
PAD, GAP = 0.16, 0.30
WIDTH, SIDE = 3.5, 3.5  # inches of the boxes in the middle and at the side


def _count(count: int | None) -> str:
    return t("flow_chart.not_stated") if count is None else t("flow_chart.n", n=str(count))


def list_boxes(flow: Flow) -> list[tuple[str, list[str], list[str]]]:
    """List the rows of the flow: stage, lines of the box, lines of the box beside it."""
    reasons = flow.excluded_reasons or {}
    excluded = [t("flow_chart.reports_excluded")]
    if reasons:
        excluded += [f"{reason} ({_count(n)})" for reason, n in reasons.items()]
    else:
        excluded.append(_count(None))
    others = [] if flow.other_sources is None else [flow.other_sources]
    screening = t("flow_chart.screening")
    return [
        (
            t("flow_chart.identification"),
            [
                t("flow_chart.identified"),
                t("flow_chart.databases", count=_count(flow.databases)),
                t("flow_chart.registers", count=_count(flow.registers)),
                *(t("flow_chart.other_sources", count=_count(n)) for n in others),
            ],
            [
                t("flow_chart.removed"),
                t("flow_chart.duplicates", count=_count(flow.duplicates)),
                t("flow_chart.automation", count=_count(flow.automation)),
                t("flow_chart.removed_other", count=_count(flow.removed_other)),
            ],
        ),
        (
            screening,
            [t("flow_chart.screened"), f"({_count(flow.screened)})"],
            [t("flow_chart.excluded"), f"({_count(flow.excluded)})"],
        ),
        (
            screening,
            [t("flow_chart.sought"), f"({_count(flow.sought)})"],
            [t("flow_chart.not_retrieved"), f"({_count(flow.not_retrieved)})"],
        ),
        (screening, [t("flow_chart.assessed"), f"({_count(flow.assessed)})"], excluded),
        (
            t("flow_chart.inclusion"),
            [
                t("flow_chart.studies", count=_count(flow.studies)),
                t("flow_chart.reports", count=_count(flow.reports)),
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
            [part for line in main for part in fonts.wrap(line, WIDTH - 0.2, 8)],
            [part for line in side for part in fonts.wrap(line, SIDE - 0.2, 8)],
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
        axes.text(0.12, 0.12, t("flow_chart.heading"), fontweight="bold", va="top", fontsize=10)
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
    title = t("flow_chart.title")
    alt = f"{title}. " + " ".join(
        f"{stage}: {' '.join(main)}{'; ' + ' '.join(side) if side else ''}."
        for stage, main, side in rows
    )
    source = flow.source
    caption = t("flow_chart.from", source=source) if source else t("flow_chart.declared")
    return Drawing(figure, title, alt, caption)


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
            fontsize=8 if bottom - top > 0.9 else 7.2,
            color=INK,
        )
