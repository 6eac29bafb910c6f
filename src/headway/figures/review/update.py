"""The estimates of a comparison before and after an update, one below the other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headway.effects.measures import MEASURES
from headway.figures import fonts, theme
from headway.figures.theme import BLUE, GREY, Drawing, write_beside
from headway.messages import is_missing, t

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from headway.effects.shared import Scale

ROW = 0.24  # inches
GAP = 0.45  # between two estimates, in rows
# A row of an estimate: its name, then and today; None where it was or is not there.
Row = tuple[str, Mapping[str, Any] | None, Mapping[str, Any] | None]


def draw_update(rows: Sequence[Row], title: str, measure: str, unit: str) -> Drawing:
    """Draw each estimate of a comparison as it was and as it is.

    Parameters
    ----------
    rows
        Name of an estimate, then its rows of table `pooled` of the older run and of today's (`k`,
        `estimate`, `ci_low`, `ci_high`); None where there is none.
    title
        The comparison in words.
    measure, unit
        Of all of them.
    """
    scale = MEASURES[measure].scale
    ratio = scale.code == "ratio"
    lines = [line for row in rows for line in _list_lines(row, scale, ratio)]
    head = fonts.wrap(title, 8.2, 10, bold=True)
    top = 0.2 + 0.15 * len(head)
    told = {row[0]: fonts.wrap(row[0], 1.8, 8.5) for row in rows}
    drawn = Counter(line.name for line in lines)
    # A name of many lines takes more room than its estimates.
    room = {name: max(0.0, 0.62 * len(told[name]) - n) for name, n in drawn.items()}
    taken = len(lines) + GAP * (len(rows) - 1) + sum(room.values())
    height = ROW * taken + 0.62 + top + 0.05
    with theme.style():
        figure = theme.new_figure(8.6, height)
        figure.text(
            0.01, 1 - 0.1 / height, "\n".join(head), fontweight="bold", va="top", fontsize=10
        )
        axes = figure.add_axes((0.42, 0.62 / height, 0.34, 1 - (0.62 + top) / height))
        if not math.isnan(scale.null):
            axes.axvline(scale.null, color=GREY, linewidth=0.9)
        y = -GAP
        for name, n in drawn.items():
            y += GAP + room[name] / 2
            axes.annotate(
                "\n".join(told[name]), (-0.40 / 0.34, y + (n - 1) / 2),
                xycoords=("axes fraction", "data"), ha="left", va="center", fontsize=8.5,
                annotation_clip=False,
            )  # fmt: skip
            for line in (one for one in lines if one.name == name):
                _draw_line(axes, line, y)
                y += 1
            y += room[name] / 2
        axes.set_ylim(y - 0.4, -0.6)
        low, high = _find_limits(lines, scale.null, ratio)
        if ratio:
            theme.set_ratio_axis(axes, math.exp(low), math.exp(high))
        else:
            axes.set_xlim(low, high)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(measure if ratio or not unit else f"{measure}, {unit}")
        theme.write_commas(figure)
    said = "; ".join(f"{line.name}, {line.when}: {line.numbers}" for line in lines)
    caption = t("update.caption")
    if not math.isnan(scale.null):
        caption += " " + t("update.caption_none")
    return Drawing(figure, title, f"{title}. {said}.", caption, wide=True)


class _Line(NamedTuple):
    """A line of the figure: the older or today's estimate of one name, with what is said of it."""

    name: str
    old: bool
    when: str
    numbers: str
    value: float
    low: float
    high: float


def _list_lines(row: Row, scale: Scale, ratio: bool) -> list[_Line]:
    name, then, now = row
    out = []
    for old, one in ((True, then), (False, now)):
        if one is None:
            continue
        three = [one[c] for c in ("estimate", "ci_low", "ci_high")]
        value, low, high = (math.nan if is_missing(x) else float(scale.back(x)) for x in three)
        k = 0 if is_missing(one["k"]) else int(one["k"])
        when = t("update.figure_before", n=k) if old else t("update.figure_today", n=k)
        numbers = t("forest.not_estimable")
        if math.isfinite(value):
            numbers = theme.write_interval(value, low, high, ratio)
        out.append(_Line(name, old, when, numbers, value, low, high))
    return out


def _draw_line(axes: Axes, line: _Line, y: float) -> None:
    colour, weight = (GREY, "normal") if line.old else (BLUE, "bold")
    if np.isfinite([line.value, line.low, line.high]).all():
        axes.plot([line.low, line.high], [y, y], color=colour, linewidth=1.4)
        axes.plot(
            [line.value], [y], "o" if line.old else "s", markersize=5.5, markeredgecolor=colour,
            color="white" if line.old else colour,
        )  # fmt: skip
    write_beside(axes, 0, y, line.when, "right", -10, weight)
    write_beside(axes, 1, y, line.numbers, "left", 10, weight)


def _find_limits(lines: Sequence[_Line], null: float, ratio: bool) -> tuple[float, float]:
    """Find the ends of the axis, of ratios as logs."""
    ends = np.array([x for line in lines for x in line[4:]] + [null], dtype=float)
    ends = ends[np.isfinite(ends) & ((ends > 0) if ratio else True)]
    reach = np.log(ends) if ratio else ends
    if not len(reach):
        return -1.0, 1.0
    pad = max(0.06 * float(np.ptp(reach)), 1e-9 * max(1.0, float(np.abs(reach).max())))
    return float(reach.min()) - pad, float(reach.max()) + pad
