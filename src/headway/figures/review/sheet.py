"""The sheet of a forest plot: columns of text around an axis, measured before they are drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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

PITCH, SMALL_PITCH = 0.62, 0.5  # of a further line of a name or a remark, in rows
# Reach of the axis beyond the trials' estimates, in usual half-widths of an interval.
_REACH, _FAR, _WORTH = 3.0, 8.0, 2.0


@dataclass(frozen=True, slots=True)
class Form:
    """The room a sheet has, in inches, and its type in points.

    Attributes
    ----------
    size, small
        Of the text, and of remarks, heads of lights and the key.
    width
        Of the sheet: the least where it may grow (`grows`), else its own.
    name, plot
        Least and most of the names' column and of the axis.
    tall
        The most; a sheet that is taller goes on in a further part.
    grows
        Whether the sheet takes the width that it needs. One that does not leaves columns out.
    """

    size: float
    small: float
    width: float
    name: tuple[float, float]
    plot: tuple[float, float]
    tall: float = math.inf
    grows: bool = True

    def inches(self, at_nine: float) -> float:
        """Scale what is so many inches beside type of 9 points."""
        return at_nine * self.size / 9

    @property
    def row(self) -> float:
        """Height of a line."""
        return self.inches(0.27)

    @property
    def gap(self) -> float:
        """Between columns."""
        return self.inches(0.16)

    @property
    def edge(self) -> float:
        """Left free at the sides."""
        return self.inches(0.1)

    @property
    def light(self) -> float:
        """Width of a light."""
        return self.inches(0.21)


SCREEN = Form(9.0, 7.4, 11.0, (2.6, 2.6), (2.7, 4.2))
ROW = SCREEN.row
# Two columns of a journal, 174 mm by 230 mm at most.
JOURNAL = Form(7.0, 6.0, 174 / 25.4, (1.15, 2.4), (1.25, 2.2), 230 / 25.4, grows=False)


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
    name: float
    plot: float
    plot_width: float
    right: tuple[float, float]
    lights: list[float]
    width: float


@dataclass(frozen=True, slots=True)
class Columns:
    """What stands around the axis.

    Attributes
    ----------
    heads, own, result
        Heads of the arms' columns, of own columns, and of effect and weight.
    tools
        Keys of `RISK_TOOLS` whose lights are drawn, a block of columns each.
    left_out
        Ids of columns for which there was no room: `forest.no_lights`, `forest.no_own`,
        `forest.no_arms`.
    names
        Head of the names; empty where they are trials.
    """

    heads: tuple[str, ...]
    own: tuple[str, ...]
    result: tuple[str, str]
    tools: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    names: str = ""


def draw_sheet(
    lines: Sequence[Line],
    columns: Columns,
    scale: Scale,
    sides: Sequence[str],
    stamp: str = "",
    form: Form = SCREEN,
) -> tuple[list[Any], tuple[str, ...]]:
    """Draw the lines of a forest plot.

    Parameters
    ----------
    lines
        From the top.
    columns
        What stands around the axis.
    scale
        Of the measure: what means no difference, and whether the axis is one of ratios.
    sides
        What the left and the right side of the axis mean; may be empty.
    stamp
        Text for the corner.
    form
        Room and type.

    Returns
    -------
    tuple
        A figure for each part (one, unless the form limits the height), and what was left out:
        lights first, which have a figure of their own, then own columns from the last, then the
        numbers of the arms.
    """
    columns, places = _fit_columns(lines, columns, form)
    blocks = [_break(line, places, form) for line in lines]
    key = _list_key(columns.tools, places.width, form)
    heads = (*columns.heads, *_wrap_heads(columns.own, places, form), "")
    top = form.inches(0.35 + 0.15 * max(2, max(head.count("\n") + 1 for head in heads)))
    bottom = form.inches(0.8 + (0.14 * (len(key) + 1) if key else 0))
    limits = find_limits(lines, scale)
    heaviest = max((ln.weight for ln in lines if ln.weight > 0), default=100.0)
    figures = []
    for part in _split(blocks, (form.tall - top - bottom) / form.row):
        total = sum(block.height for block in part)
        inches = total * form.row + top + bottom
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
                    total * form.row / inches,
                )
            )
            axes.set_ylim(total, 0)
            set_axis(axes, limits, scale)
            axes.tick_params(axis="x", labelsize=form.size)
            y = 0.0
            for block in part:
                _write(sheet, block, places, top + form.row * y, columns.tools, form)
                _mark(axes, block.line, y + 0.5, limits, heaviest, form)
                y += block.height
            _write_heads(sheet, columns, places, top - form.inches(0.1), form)
            _name_sides(axes, sides, places.plot_width, form)
            for i, text in enumerate(reversed(key)):
                height = inches - form.inches(0.08 + 0.14 * i)
                sheet.text(form.edge, height, text, fontsize=form.small, color=GREY, va="bottom")
            theme.stamp(figure, stamp)
        figures.append(figure)
    return figures, columns.left_out


def _split(blocks: Sequence[_Block], most: float) -> list[list[_Block]]:
    """Split lines over parts no higher than `most` rows.

    A heading stays with the line below it, and what is said of an estimate with the estimate.
    """
    # Runs of lines that nothing may part.
    runs: list[list[_Block]] = []
    for block in blocks:
        if runs and (runs[-1][-1].line.kind == "heading" or _is_said_of(block.line)):
            runs[-1].append(block)
        else:
            runs.append([block])
    parts: list[list[_Block]] = [[]]
    for run in runs:
        if parts[-1] and sum(block.height for block in (*parts[-1], *run)) > most:
            parts.append([])
        parts[-1] += run
    return parts


def _is_said_of(line: Line) -> bool:
    """Whether a line belongs to the estimate above it."""
    return line.kind in ("band", "gap") or (line.kind == "text" and not line.label)


# ---- places --------------------------------------------------------------------------------------


def _widest(cells: Sequence[str], least: float, form: Form, bold: bool = False) -> float:
    parts = [part for cell in cells for part in cell.split("\n")]
    widths = [fonts.measure(part, form.size, bold) for part in parts]
    return max([*widths, form.inches(least)]) + form.gap


def _fit_columns(lines: Sequence[Line], columns: Columns, form: Form) -> tuple[Columns, _Places]:
    """Leave out columns until the rest fits the form, if it is one that does not grow."""
    while True:
        places = _place_columns(lines, columns, form)
        if form.grows or places.name >= form.name[0]:
            return columns, places
        if columns.tools:
            less = replace(columns, tools=columns.tools[:-1])
            gone = "forest.no_lights"
        elif columns.own:
            less, gone = replace(columns, own=columns.own[:-1]), "forest.no_own"
        elif columns.heads:
            less, gone = replace(columns, heads=()), "forest.no_arms"
        else:
            return columns, places
        columns = replace(less, left_out=tuple(dict.fromkeys((*columns.left_out, gone))))


def _place_columns(lines: Sequence[Line], columns: Columns, form: Form) -> _Places:
    """Give each column the width of its longest cell; names and the axis share what is left."""
    arms = []
    for i, head in enumerate(columns.heads):
        # A cell may run on where the next one is empty, as "printed difference" does.
        ends = [line.left[i:] for line in lines if len(line.left) > i]
        alone = [end[0] for end in ends if len(end) == 1 or end[1]]
        arms.append(max(_widest(alone, 0.6, form), _widest([head], 0.6, form, bold=True)))
    own = []
    for i, head in enumerate(columns.own):
        cells = [line.own[i] for line in lines if len(line.own) > i]
        width = max(_widest(cells, 0.35, form), _widest(head.split(), 0.35, form, bold=True))
        own.append(min(width, form.inches(1.3)))
    estimate, weight = (
        max(
            _widest([line.right[i] for line in lines], least, form, bold=True),
            _widest([columns.result[i]], least, form, bold=True),
        )
        for i, least in enumerate((0.8, 0.4))
    )
    signs = [form.light * len(RISK_TOOLS[tool].domains) + form.gap for tool in columns.tools]
    fixed = sum(arms) + sum(own) + estimate + weight + sum(signs)
    fixed += 1.5 * form.edge + 2.5 * form.gap
    left = form.width - fixed
    name = form.name[0]
    if not form.grows:
        longest = [fonts.measure(line.label, form.size) for line in lines if line.left]
        name = min(max([name, *longest]), form.name[1])
    plot_width = min(max(form.plot[0], left - name), form.plot[1])
    if not form.grows:
        name = left - plot_width
    at = form.edge + name + form.gap
    starts = []
    for width in (*arms, *own):
        starts.append(at)
        at += width
    plot, at = at + form.gap / 2, at + form.gap / 2 + plot_width + form.gap
    right = (at, at + estimate)
    lights, after = [], at + estimate + weight
    for width in signs:
        lights.append(after)
        after += width
    widths = [width - form.gap for width in own]
    return _Places(
        starts[: len(arms)], starts[len(arms) :], widths, name, plot, plot_width, right, lights,
        after + form.edge / 2,
    )  # fmt: skip


def _break(line: Line, places: _Places, form: Form) -> _Block:
    if line.kind == "gap":
        return _Block(line, [], [], [], 0.4)
    bold = line.kind in ("heading", "diamond")
    whole = places.plot - 2 * form.gap - form.edge
    label = fonts.wrap(line.label, places.name if line.left else whole, form.size, bold)
    # A remark runs on below the arms, but not below own columns, whose cells may be longer.
    clear = places.own[0] - form.gap - form.edge - 0.1 if line.own and places.own else whole
    detail = fonts.wrap(line.detail, clear, form.small)
    cells = zip(line.own, places.own_widths, strict=False)
    own = [fonts.wrap(cell, width, form.size) for cell, width in cells]
    if not label:
        return _Block(line, label, detail, own, 0.82 + SMALL_PITCH * (len(detail) - 1))
    height = 1 + PITCH * (len(label) - 1)
    height += 0.72 + SMALL_PITCH * (len(detail) - 1) if detail else 0.0
    beside = 1 + PITCH * (max([1, *(len(cell) for cell in own)]) - 1)
    return _Block(line, label, detail, own, max(height, beside))


def _wrap_heads(own: Sequence[str], places: _Places, form: Form) -> list[str]:
    return [
        "\n".join(fonts.wrap(head, width, form.size, bold=True))
        for head, width in zip(own, places.own_widths, strict=True)
    ]


def _list_key(tools: Sequence[str], width: float, form: Form) -> list[str]:
    """Say what the letters of domains and the signs of levels mean."""
    out: list[str] = []
    for tool in tools:
        kit = RISK_TOOLS[tool]
        domains = [d for d in kit.domains if d != OVERALL]
        named = [f"D{i + 1} {t(kit.domains[d])}" for i, d in enumerate(domains)]
        signs = [f"{level.sign} {t(level.label)}" for level in kit.levels.values()]
        text = (
            f"{t(kit.name)}: {'; '.join([*named, t('forest.overall_letter')])}. {'; '.join(signs)}"
        )
        out += fonts.wrap(text, width - 2 * form.edge, form.small)
    return out


# ---- drawing -------------------------------------------------------------------------------------


def _write(
    sheet: Axes, block: _Block, places: _Places, y: float, tools: Sequence[str], form: Form
) -> None:
    line = block.line
    bold = "bold" if line.kind in ("heading", "diamond") else "normal"
    colour = GREY if line.kind in ("open", "text") and line.label != "" else INK
    middle = y + 0.5 * form.row

    def put(x: float, texts: Sequence[str], weight: str = "normal") -> None:
        for i, text in enumerate(texts):
            sheet.text(x, middle + PITCH * form.row * i, text, va="center_baseline",
                       fontsize=form.size, fontweight=weight, color=colour)  # fmt: skip

    put(form.edge, block.label, bold)
    for x, cell in zip(places.left, line.left, strict=False):
        put(x, [cell])
    for x, cells in zip(places.own, block.own, strict=False):
        put(x, cells)
    put(places.right[0], [line.right[0]], bold)
    put(places.right[1], [line.right[1]], bold if line.kind == "diamond" else "normal")
    if block.detail:
        start = middle + form.row * (PITCH * (len(block.label) - 1) + 0.7 if block.label else 0)
        for i, part in enumerate(block.detail):
            height = start + SMALL_PITCH * form.row * i
            sheet.text(form.edge + 0.1, height, part, va="center_baseline",
                       fontsize=form.small, color=GREY)  # fmt: skip
    for x, tool in zip(places.lights, tools, strict=True):
        if tool in line.lights:
            _draw_lights(sheet, x, middle, tool, line.lights[tool], form)


def _draw_lights(
    sheet: Axes, x: float, y: float, tool: str, judged: Mapping[str, str], form: Form
) -> None:
    """Draw a light per domain, each with the sign of its level; an empty one is not judged."""
    kit = RISK_TOOLS[tool]
    for i, domain in enumerate(kit.domains):
        level = kit.levels.get(judged.get(domain, ""))
        at = x + form.light * (i + 0.5)
        sheet.scatter(
            [at], [y], s=105 * (form.size / 9) ** 2, marker="o", zorder=2, linewidths=0.5,
            clip_on=False, facecolors="white" if level is None else find_colour(level),
            edgecolors=FAINT if level is None else INK,
        )  # fmt: skip
        if level is not None:
            sheet.text(at, y, level.sign, ha="center", va="center_baseline",
                       fontsize=form.small, fontweight="bold")  # fmt: skip


def _write_heads(sheet: Axes, columns: Columns, places: _Places, y: float, form: Form) -> None:
    heads = [
        (form.edge, columns.names or t("forest.trial")),
        *zip(places.left, columns.heads, strict=True),
        *zip(places.own, _wrap_heads(columns.own, places, form), strict=True),
        *zip(places.right, columns.result, strict=True),
    ]
    for x, label in heads:
        sheet.text(x, y - form.inches(0.03), label, fontsize=form.size, fontweight="bold",
                   va="baseline", linespacing=1.1)  # fmt: skip
    for x, tool in zip(places.lights, columns.tools, strict=True):
        kit = RISK_TOOLS[tool]
        for i, domain in enumerate(kit.domains):
            letter = t("forest.overall_sign") if domain == OVERALL else f"D{i + 1}"
            sheet.text(x + form.light * (i + 0.5), y, letter, fontsize=form.small,
                       fontweight="bold", ha="center", va="bottom")  # fmt: skip
        sheet.text(x + form.light * 0.1, y - form.inches(0.15), t(kit.name), fontsize=form.small,
                   va="bottom")  # fmt: skip


def _mark(
    axes: Axes, line: Line, y: float, limits: tuple[float, float], heaviest: float, form: Form
) -> None:
    """Draw what a line shows; what leaves the axis ends in an arrow."""
    if line.kind in ("row", "open"):
        colour = BLUE if line.kind == "row" else GREY
        draw_interval(axes, line, y, limits, colour, 1.3)
        size = 4 + 6 * math.sqrt(line.weight / heaviest) if line.weight > 0 else 5
        size *= form.size / 9
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
        draw_interval(axes, line, y, limits, INK, 3.0)


def draw_interval(
    axes: Axes, line: Line, y: float, limits: tuple[float, float], colour: str, width: float
) -> None:
    """Draw an interval within the axis, with an arrow where it leaves it."""
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


def leaves_axis(lines: Sequence[Line], scale: Scale) -> bool:
    """Whether an interval ends in an arrow."""
    low, high = find_limits(lines, scale)
    return any(line.low < low or line.high > high for line in lines)


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


def set_axis(axes: Axes, limits: tuple[float, float], scale: Scale, most: int = 6) -> None:
    """Make the axis of a forest plot: at most so many steps, and a line at no difference."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if scale.code == "ratio":
        theme.set_ratio_axis(axes, *limits)
    else:
        axes.set_xlim(*limits)
        axes.xaxis.set_major_locator(MaxNLocator(most))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda x, _: decimal(f"{x:g}".replace("-", "−")))
        )
    if math.isfinite(scale.null):
        axes.axvline(scale.null, color=GREY, linewidth=0.9, zorder=1)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.grid(axis="x", color=FAINT, linewidth=0.5, zorder=0)
    axes.set_axisbelow(True)


def _name_sides(axes: Axes, sides: Sequence[str], width: float, form: Form) -> None:
    """Say below the axis what its two sides mean; one below the other where they do not fit."""
    if not sides:
        return
    texts = (f"← {sides[0]}", f"{sides[1]} →")
    size = form.size * 8 / 9
    apart = 0 if sum(fonts.measure(text, size) for text in texts) + form.gap < width else 11
    for x, align, text, lower in ((0.0, "left", texts[0], 0), (1.0, "right", texts[1], apart)):
        axes.annotate(
            text, (x, 0), xycoords="axes fraction",
            xytext=(0, -(33 + lower) * form.size / 9), textcoords="offset points", ha=align,
            fontsize=size, color=INK,
        )  # fmt: skip
