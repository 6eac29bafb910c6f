"""The sheet of a forest plot: columns of text around an axis, measured before they are drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.shared import Scale
from headway.figures import fonts, theme
from headway.figures.review.judgements import find_colour
from headway.figures.theme import BLUE, FAINT, GREY, INK, ORANGE
from headway.messages import decimal, t
from headway.tables.risk_tools import OVERALL, RISK_TOOLS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW = 0.27  # inches a line
SIZE, SMALL = 9.0, 7.4  # points
PITCH, SMALL_PITCH = 0.62, 0.5  # of a further line of a name or a remark, in rows
NAME, MOST_CELL, GAP, EDGE = 2.6, 1.3, 0.16, 0.1  # inches
LIGHT = 0.21  # inches a light
WIDTH, PLOT, WIDEST_PLOT = 11.0, 2.7, 4.2
# Reach of the axis beyond the trials' estimates, in usual half-widths of an interval.
_REACH, _FAR, _WORTH = 3.0, 8.0, 2.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a forest plot."""

    kind: str  # heading, row, open (not pooled), diamond, band (prediction interval), text, gap
    label: str = ""
    detail: str = ""
    left: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    right: tuple[str, str] = ("", "")
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    weight: float = math.nan
    lights: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # tool -> domain -> level


@dataclass(frozen=True, slots=True)
class _Block:
    """A line with its texts broken to fit, and its height in rows."""

    line: Line
    label: list[str]
    detail: list[str]
    own: list[list[str]]
    height: float


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the columns begin, in inches from the left edge."""

    left: list[float]
    own: list[float]
    own_widths: list[float]
    plot: float
    plot_width: float
    right: tuple[float, float]
    lights: list[float]
    width: float


def draw_sheet(
    lines: Sequence[Line],
    heads: Sequence[str],
    own: Sequence[str],
    result: tuple[str, str],
    tools: Sequence[str],
    scale: Scale,
    sides: Sequence[str],
    stamp: str,
) -> Any:
    """Draw the lines of a forest plot.

    Parameters
    ----------
    lines
        From the top.
    heads, own, result
        Heads of the arms' columns, of own columns, and of effect and weight.
    tools
        Keys of `RISK_TOOLS` whose lights are drawn, a block of columns each.
    scale
        Of the measure: what means no difference, and whether the axis is one of ratios.
    sides
        What the left and the right side of the axis mean; may be empty.
    stamp
        Text for the corner.

    Returns
    -------
    matplotlib.figure.Figure
    """
    places = _place_columns(lines, heads, own, result, tools)
    blocks = [_break(line, places) for line in lines]
    total = sum(block.height for block in blocks)
    key = _list_key(tools, places.width)
    head_lines = max(h.count("\n") + 1 for h in (*heads, *_wrap_heads(own, places), ""))
    top = 0.35 + 0.15 * max(2, head_lines)
    bottom = 0.8 + (0.14 * (len(key) + 1) if key else 0)
    inches = total * ROW + top + bottom
    with theme.style():
        figure = theme.new_figure(places.width, inches)
        sheet = figure.add_axes((0, 0, 1, 1))
        theme.quiet(sheet)
        sheet.set_xlim(0, places.width)
        sheet.set_ylim(inches, 0)
        axes = figure.add_axes(
            (
                places.plot / places.width,
                bottom / inches,
                places.plot_width / places.width,
                total * ROW / inches,
            )
        )
        axes.set_ylim(total, 0)
        limits = find_limits(lines, scale)
        _set_axis(axes, limits, scale)
        heaviest = max((ln.weight for ln in lines if ln.weight > 0), default=100.0)
        y = 0.0
        for block in blocks:
            _write(sheet, block, places, top + ROW * y, tools)
            _mark(axes, block.line, y + 0.5, limits, heaviest)
            y += block.height
        _write_heads(sheet, heads, own, result, tools, places, top - 0.1)
        _name_sides(axes, sides, places.plot_width)
        for i, text in enumerate(key):
            sheet.text(EDGE, inches - 0.08 - 0.14 * (len(key) - 1 - i), text, fontsize=SMALL,
                       color=GREY, va="bottom")  # fmt: skip
        theme.stamp(figure, stamp)
    return figure


# ---- places --------------------------------------------------------------------------------------


def _widest(cells: Sequence[str], least: float, bold: bool = False) -> float:
    parts = [part for cell in cells for part in cell.split("\n")]
    return max([fonts.measure(part, SIZE, bold) for part in parts] + [least]) + GAP


def _place_columns(
    lines: Sequence[Line],
    heads: Sequence[str],
    own: Sequence[str],
    result: tuple[str, str],
    tools: Sequence[str],
) -> _Places:
    """Give each column the width of its longest cell, and the axis what is left of the usual."""
    at = EDGE + NAME + GAP
    left = []
    for i, head in enumerate(heads):
        cells = [line.left[i] for line in lines if len(line.left) > i]
        left.append(at)
        # A cell may run on where the next one is empty, as "printed difference" does.
        alone = [c for c, line in zip(cells, [x for x in lines if len(x.left) > i], strict=True)
                 if len(line.left) == i + 1 or line.left[i + 1]]  # fmt: skip
        at += max(_widest(alone, 0.6), _widest([head], 0.6, bold=True))
    own_at, own_widths = [], []
    for i, head in enumerate(own):
        cells = [line.own[i] for line in lines if len(line.own) > i]
        width = max(_widest(cells, 0.35), _widest(head.split(), 0.35, bold=True))
        width = min(width, MOST_CELL)
        own_at.append(at)
        own_widths.append(width - GAP)
        at += width
    estimate = max(
        _widest([line.right[0] for line in lines], 0.8, bold=True),
        _widest([result[0]], 0.8, bold=True),
    )
    weight = max(_widest([line.right[1] for line in lines], 0.4, bold=True),
                 _widest([result[1]], 0.4, bold=True))  # fmt: skip
    signs = [LIGHT * len(RISK_TOOLS[tool].domains) + GAP for tool in tools]
    rest = at + GAP + estimate + weight + sum(signs)
    plot_width = min(max(PLOT, WIDTH - rest - 2 * GAP), WIDEST_PLOT)
    plot, at = at + GAP / 2, at + GAP / 2 + plot_width + GAP
    lights, after = [], at + estimate + weight
    for width in signs:
        lights.append(after)
        after += width
    right = (at, at + estimate)
    return _Places(left, own_at, own_widths, plot, plot_width, right, lights, after + EDGE / 2)


def _break(line: Line, places: _Places) -> _Block:
    if line.kind == "gap":
        return _Block(line, [], [], [], 0.4)
    bold = line.kind in ("heading", "diamond")
    whole = places.plot - 2 * GAP - EDGE
    label = fonts.wrap(line.label, NAME if line.left else whole, SIZE, bold)
    # A remark runs on below the arms, but not below own columns, whose cells may be longer.
    clear = places.own[0] - GAP - EDGE - 0.1 if line.own else whole
    detail = fonts.wrap(line.detail, clear, SMALL)
    own = [fonts.wrap(c, w, SIZE) for c, w in zip(line.own, places.own_widths, strict=False)]
    if not label:
        return _Block(line, label, detail, own, 0.82 + SMALL_PITCH * (len(detail) - 1))
    height = 1 + PITCH * (len(label) - 1)
    height += 0.72 + SMALL_PITCH * (len(detail) - 1) if detail else 0.0
    beside = 1 + PITCH * (max([1, *(len(cell) for cell in own)]) - 1)
    return _Block(line, label, detail, own, max(height, beside))


def _wrap_heads(own: Sequence[str], places: _Places) -> list[str]:
    return [
        "\n".join(fonts.wrap(head, width, SIZE, bold=True))
        for head, width in zip(own, places.own_widths, strict=True)
    ]


def _list_key(tools: Sequence[str], width: float) -> list[str]:
    """Say what the letters of domains and the signs of levels mean."""
    out: list[str] = []
    for tool in tools:
        kit = RISK_TOOLS[tool]
        domains = [d for d in kit.domains if d != OVERALL]
        named = [f"D{i + 1} {kit.domains[d]}" for i, d in enumerate(domains)]
        signs = [f"{level.sign} {level.label}" for level in kit.levels.values()]
        text = f"{kit.name}: {'; '.join([*named, t('forest.overall_letter')])}. {'; '.join(signs)}"
        out += fonts.wrap(text, width - 2 * EDGE, SMALL)
    return out


# ---- drawing -------------------------------------------------------------------------------------


def _write(sheet: Axes, block: _Block, places: _Places, y: float, tools: Sequence[str]) -> None:
    line = block.line
    bold = "bold" if line.kind in ("heading", "diamond") else "normal"
    colour = GREY if line.kind in ("open", "text") and line.label != "" else INK
    middle = y + 0.5 * ROW

    def put(x: float, texts: Sequence[str], weight: str = "normal") -> None:
        for i, text in enumerate(texts):
            sheet.text(x, middle + PITCH * ROW * i, text, va="center_baseline", fontweight=weight,
                       color=colour)  # fmt: skip

    put(EDGE, block.label, bold)
    for x, cell in zip(places.left, line.left, strict=False):
        put(x, [cell])
    for x, cells in zip(places.own, block.own, strict=False):
        put(x, cells)
    put(places.right[0], [line.right[0]], bold)
    put(places.right[1], [line.right[1]], bold if line.kind == "diamond" else "normal")
    if block.detail:
        start = middle + ROW * (PITCH * (len(block.label) - 1) + 0.7 if block.label else 0)
        for i, part in enumerate(block.detail):
            sheet.text(EDGE + 0.1, start + SMALL_PITCH * ROW * i, part, va="center_baseline",
                       fontsize=SMALL, color=GREY)  # fmt: skip
    for x, tool in zip(places.lights, tools, strict=True):
        if tool in line.lights:
            _draw_lights(sheet, x, middle, tool, line.lights[tool])


def _draw_lights(sheet: Axes, x: float, y: float, tool: str, judged: Mapping[str, str]) -> None:
    """Draw a light per domain, each with the sign of its level; an empty one is not judged."""
    kit = RISK_TOOLS[tool]
    for i, domain in enumerate(kit.domains):
        level = kit.levels.get(judged.get(domain, ""))
        at = x + LIGHT * (i + 0.5)
        sheet.scatter(
            [at], [y], s=105, marker="o", zorder=2, linewidths=0.5, clip_on=False,
            facecolors="white" if level is None else find_colour(level),
            edgecolors=FAINT if level is None else INK,
        )  # fmt: skip
        if level is not None:
            sheet.text(at, y, level.sign, ha="center", va="center_baseline", fontsize=7.5,
                       fontweight="bold")  # fmt: skip


def _write_heads(
    sheet: Axes,
    heads: Sequence[str],
    own: Sequence[str],
    result: tuple[str, str],
    tools: Sequence[str],
    places: _Places,
    y: float,
) -> None:
    columns = [
        (EDGE, t("forest.trial")),
        *zip(places.left, heads, strict=True),
        *zip(places.own, _wrap_heads(own, places), strict=True),
        *zip(places.right, result, strict=True),
    ]
    for x, label in columns:
        sheet.text(x, y - 0.03, label, fontweight="bold", va="baseline", linespacing=1.1)
    for x, tool in zip(places.lights, tools, strict=True):
        kit = RISK_TOOLS[tool]
        for i, domain in enumerate(kit.domains):
            letter = t("forest.overall_sign") if domain == OVERALL else f"D{i + 1}"
            sheet.text(x + LIGHT * (i + 0.5), y, letter, fontsize=SMALL, fontweight="bold",
                       ha="center", va="bottom")  # fmt: skip
        sheet.text(x + LIGHT * 0.1, y - 0.15, kit.name, fontsize=SMALL, va="bottom")


def _mark(axes: Axes, line: Line, y: float, limits: tuple[float, float], heaviest: float) -> None:
    """Draw what a line shows; what leaves the axis ends in an arrow."""
    if line.kind in ("row", "open"):
        colour = BLUE if line.kind == "row" else GREY
        _draw_interval(axes, line, y, limits, colour, 1.3)
        size = 4 + 6 * math.sqrt(line.weight / heaviest) if line.weight > 0 else 5
        if limits[0] <= line.value <= limits[1]:
            axes.plot(
                [line.value], [y], marker="s" if line.kind == "row" else "o", markersize=size,
                markerfacecolor=colour if line.kind == "row" else "white",
                markeredgecolor=colour, zorder=3, linestyle="none",
            )  # fmt: skip
    elif line.kind == "diamond":
        low, high = max(line.low, limits[0]), min(line.high, limits[1])
        axes.fill(
            [low, line.value, high, line.value],
            [y, y - 0.32, y, y + 0.32],
            facecolor=ORANGE,
            edgecolor=INK,
            linewidth=0.8,
            zorder=3,
        )
        _draw_arrows(axes, line, y, limits, INK, 6)
    elif line.kind == "band":
        _draw_interval(axes, line, y, limits, INK, 3.0)


def _draw_interval(
    axes: Axes, line: Line, y: float, limits: tuple[float, float], colour: str, width: float
) -> None:
    low, high = max(line.low, limits[0]), min(line.high, limits[1])
    if low < high:
        axes.plot(
            [low, high], [y, y], color=colour, linewidth=width, solid_capstyle="butt", zorder=2
        )
    _draw_arrows(axes, line, y, limits, colour, 5)


def _draw_arrows(
    axes: Axes, line: Line, y: float, limits: tuple[float, float], colour: str, size: float
) -> None:
    for outside, x, way in (
        (line.low < limits[0], limits[0], "<"),
        (line.high > limits[1], limits[1], ">"),
    ):
        if outside:
            axes.plot([x], [y], marker=way, color=colour, markersize=size, zorder=4, clip_on=False)


def find_limits(lines: Sequence[Line], scale: Scale) -> tuple[float, float]:
    """Find the limits of the axis: the bulk of the trials, no difference and what is pooled.

    The half-width of an interval that at most half of the trials exceed is the usual one, h. An
    estimate is part of the bulk unless it lies further from the median than 8 times h (or 8 times
    the median distance from the median). The axis reaches 3 h beyond the bulk's estimates, or to
    the last limit if that is nearer. It is only cut where all intervals would need more than
    twice that. Pooled estimates are always within; their intervals and the prediction interval
    widen the axis by 0.6 of its width at most on each side. Ratios are laid out by their logs.
    Whatever lies beyond is marked by an arrow, and its numbers stand beside it.
    """
    ratio = scale.code == "ratio"

    def place(values: Sequence[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
        found = np.asarray(values, dtype=float)
        if ratio:
            found = np.log(np.clip(found, 1e-9, 1e9))
        return found

    rows = [ln for ln in lines if ln.kind in ("row", "open") and math.isfinite(ln.value)]
    value = place([ln.value for ln in rows])
    low, high = place([ln.low for ln in rows]), place([ln.high for ln in rows])
    low, high = (np.where(np.isfinite(x), x, value) for x in (low, high))
    held = [*place([ln.value for ln in lines if ln.kind == "diamond" and math.isfinite(ln.value)])]
    if math.isfinite(scale.null):
        held += [*place([scale.null])]
    start, end = _find_bulk(value, low, high)
    start, end = min([start, *held]), max([end, *held])
    spread = max(end - start, 0.2 if ratio else 1e-9)
    summaries = [v for ln in lines if ln.kind in ("diamond", "band") for v in (ln.low, ln.high)]
    ends = [v for v in place(summaries) if math.isfinite(v)]
    wide_start = max(min([start, *ends]), start - 0.6 * spread)
    wide_end = min(max([end, *ends]), end + 0.6 * spread)
    pad = 0.06 * max(wide_end - wide_start, spread)
    found = (wide_start - pad, wide_end + pad)
    return (math.exp(found[0]), math.exp(found[1])) if ratio else found


def _find_bulk(value: Any, low: Any, high: Any) -> tuple[float, float]:
    if not len(value):
        return math.inf, -math.inf
    half = np.sort((high - low) / 2)[(len(value) - 1) // 2]
    middle = float(np.median(value))
    far = _FAR * max(float(np.median(np.abs(value - middle))), float(half))
    bulk = value[np.abs(value - middle) <= far]
    start = max(float(low.min()), float(bulk.min() - _REACH * half))
    end = min(float(high.max()), float(bulk.max() + _REACH * half))
    if high.max() - low.min() <= _WORTH * (end - start):
        return float(low.min()), float(high.max())
    return start, end


def _set_axis(axes: Axes, limits: tuple[float, float], scale: Scale) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if scale.code == "ratio":
        theme.set_ratio_axis(axes, *limits)
    else:
        axes.set_xlim(*limits)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda x, _: decimal(f"{x:g}".replace("-", "−")))
        )
    if math.isfinite(scale.null):
        axes.axvline(scale.null, color=GREY, linewidth=0.9, zorder=1)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.grid(axis="x", color=FAINT, linewidth=0.5, zorder=0)
    axes.set_axisbelow(True)


def _name_sides(axes: Axes, sides: Sequence[str], width: float) -> None:
    """Say below the axis what its two sides mean; one below the other where they do not fit."""
    if not sides:
        return
    texts = (f"← {sides[0]}", f"{sides[1]} →")
    apart = 0 if sum(fonts.measure(text, 8) for text in texts) + GAP < width else 11
    for x, align, text, lower in ((0.0, "left", texts[0], 0), (1.0, "right", texts[1], apart)):
        axes.annotate(
            text, (x, 0), xycoords="axes fraction", xytext=(0, -33 - lower),
            textcoords="offset points", ha=align, fontsize=8, color=INK,
        )  # fmt: skip
