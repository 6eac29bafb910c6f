"""Forest plots."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.figures import theme
from headway.figures.theme import BLUE, FAINT, GREY, INK, LARGE, ORANGE, SMALL, Drawing, number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RATIOS = ("RR", "OR")
ROW = 17.0  # points a line
_NEXT = 12.0  # points from a line of a label to its next
_MARGIN, _GAP, _PLOT = 8.0, 12.0, 190.0  # points: page margin, between columns, least plot width
_BIGGEST, _SMALLEST = 11.0, 1.5  # points: sides of squares
_COUNTED = ("frequency", "attacks", "medication")  # outcomes of which there are fewer, not less


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a forest plot, on the scale that is printed.

    kind : heading, row (square), open (circle: not pooled), diamond, band (prediction interval),
        text or gap.
    """

    kind: str
    label: str = ""
    detail: str = ""
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    weight: float = math.nan


@dataclass(frozen=True, slots=True)
class Words:
    """What stands around a forest plot."""

    title: str
    heads: tuple[str, ...]
    results: tuple[str, ...]
    axis: str
    sides: tuple[str, str] = ("", "")
    foot: tuple[str, ...] = ()
    stamp: str = ""
    ratio: bool = False


def draw_forest(
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    *,
    title: str,
    measure: str,
    unit: str,
    subgroups: bool,
    stamp: str = "",
    lower_is_better: bool = True,
) -> Drawing:
    """Draw one comparison: every trial, subgroups, their diamonds and the prediction interval.

    Parameters
    ----------
    effects
        Rows of table `effects` of this comparison.
    pooled
        Rows of table `pooled` of this comparison, of the declared model.
    title
        The comparison in words.
    measure
        metafor's code; RR and OR are on the log scale in the tables and drawn as ratios.
    unit
        Unit of the estimate; empty for a pure number.
    subgroups
        Whether subgroups get a heading and an estimate of their own.
    stamp
        Text for the corner, such as SYNTHETIC.
    lower_is_better
        Which side of no difference favours the treatment.
    """
    between = bool((effects["estimand"] == "between_arm").all())
    ratio = measure in RATIOS
    level = f"{100 * float(pooled['level'].iloc[0]) if len(pooled) else 95:g} % CI"
    lines, shared = _list_lines(effects, pooled, ratio, between, subgroups)
    model = _name_model(pooled, between)
    foot = [shared] if shared else []
    foot += [model] if model else []
    foot += [_plain(f"{r['subgroup']}: {r['note']}") for r in _notes(pooled, subgroups)]
    words = Words(
        title=title,
        heads=_name_arms(effects, between),
        results=(f"{measure} [{level}]", "Weight"),
        axis=measure if ratio or not unit else f"{measure}, {unit}",
        sides=_name_sides(effects, between, lower_is_better),
        foot=tuple(foot),
        stamp=stamp,
        ratio=ratio,
    )
    return Drawing(
        draw_lines(lines, words),
        title,
        _describe(effects, pooled, words, measure, level, between, subgroups),
        _caption(pooled, between, level, model),
        wide=True,
    )


# ---- what stands in which line -------------------------------------------------------------------


def _list_lines(
    effects: pd.DataFrame, pooled: pd.DataFrame, ratio: bool, between: bool, subgroups: bool
) -> tuple[list[Line], str]:
    """List the lines from top to bottom, and what all rows share (said once, at the foot)."""
    used, rest = effects[effects["pooled"]], effects[~effects["pooled"]]
    places = {_place(r) for r in used.to_dict("records")}
    shared = f"All pooled rows: {next(iter(places))}." if len(used) > 2 and len(places) == 1 else ""
    noun = "trial" if between else "arm"
    own = pooled[pooled["subgroup"] != "overall"]
    groups = list(own["subgroup"]) if subgroups else []
    lines: list[Line] = []
    for group in groups:
        lines.append(Line("heading", _capital(str(group))))
        members = used[used["subgroup"] == group]
        lines += [_row(r, ratio, not shared) for r in members.to_dict("records")]
        row = own[own["subgroup"] == group].iloc[0].to_dict()
        lines += [*_summarise(row, members, ratio, noun, f"All of: {group}"), Line("gap")]
    alone = used[~used["subgroup"].isin(groups)]
    if groups and len(alone):
        lines.append(Line("heading", "Without a subgroup"))
    lines += [_row(r, ratio, not shared) for r in alone.to_dict("records")]
    overall = pooled[pooled["subgroup"] == "overall"]
    if len(overall):
        row = overall.iloc[0].to_dict()
        lines += _summarise(row, used, ratio, noun, f"All {noun}s")
    elif lines and lines[-1].kind == "gap":
        lines.pop()
    if len(rest):
        lines += [Line("gap")] if lines else []
        lines.append(Line("heading", "Shown, not pooled"))
        lines += [_row(r, ratio, True) for r in rest.to_dict("records")]
    return lines, shared


def _row(r: Mapping[str, Any], ratio: bool, full: bool) -> Line:
    value, low, high = (_scale(r[c], ratio) for c in ("yi", "ci_low", "ci_high"))
    detail = _place(r) if full else ""
    if not r["pooled"]:
        reason = "no reason given" if _missing(r["why_not"]) else str(r["why_not"])
        detail += f": {reason}"
    left = tuple(_arm(r, i) for i in (1, 2))
    if r["basis"] != "arms" and not any(left):
        left = (f"printed {'contrast' if r['basis'] == 'contrast' else 'result'}", "")
    right = (_interval(value, low, high, ratio), _percent(r["weight"]) if r["pooled"] else "")
    kind = "row" if r["pooled"] else "open"
    if math.isnan(value):
        kind, right = "text", ("no estimate", "")
    return Line(kind, _name(r), detail, left, right, value, low, high, float(r["weight"]))


def _summarise(
    row: Mapping[str, Any], members: pd.DataFrame, ratio: bool, noun: str, label: str
) -> list[Line]:
    if row["k"] < 2:
        return [Line("text", f"{label}: one {noun}, not pooled")]
    names = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
    value, low, high, pi_low, pi_high = (_scale(row[c], ratio) for c in names)
    # The weights of a subgroup are shares of the overall estimate where there is one.
    whole = bool(np.isclose(members["weight"].sum(), 100))
    people = "" if math.isnan(row["n_total"]) else f", n {row['n_total']:.0f}"
    out = [
        Line(
            "diamond",
            f"{label} (k {row['k']}{people})",
            right=(_interval(value, low, high, ratio), "100 %" if whole else ""),
            value=value,
            low=low,
            high=high,
        )
    ]
    if not math.isnan(pi_low):
        text = f"[{_figure(pi_low, ratio)}, {_figure(pi_high, ratio)}]"
        out.append(
            Line("band", "Prediction interval", right=(text, ""), low=pi_low, high=pi_high)
        )
    return [*out, Line("text", "", _heterogeneity(row))]


def _name(r: Mapping[str, Any]) -> str:
    """Name a trial with its year, which most names already hold."""
    trial, year = str(r["trial"]), r["year"]
    return trial if _missing(year) or str(int(year)) in trial else f"{trial} ({int(year)})"


def _place(r: Mapping[str, Any]) -> str:
    return f"{r['arms']}, {r['timepoint']}"


def _arm(r: Mapping[str, Any], i: int) -> str:
    n, mean, sd, events = (float(r[f"{c}{i}"]) for c in ("n", "mean", "sd", "events"))
    if not math.isnan(events):
        return f"{events:.0f} / {number(n, 0)}"
    size = "" if math.isnan(n) else f"{n:.0f}"
    if math.isnan(mean):
        return f"n {size}" if size else ""
    spread = "" if math.isnan(sd) else f" ({number(sd, 1)})"
    return f"{size}{', ' if size else ''}{number(mean, 1)}{spread}"


def _name_arms(effects: pd.DataFrame, between: bool) -> tuple[str, ...]:
    two_by_two = effects["events1"].notna().any()
    sides = ("Treated", "Control") if between else ("After", "Before")
    return tuple(f"{side}\n{'events / n' if two_by_two else 'n, mean (SD)'}" for side in sides)


def _name_sides(effects: pd.DataFrame, between: bool, lower_is_better: bool) -> tuple[str, str]:
    if between:
        names = ("favours treatment", "favours control")
        return names if lower_is_better else names[::-1]
    counted = str(effects["outcome"].iloc[0]) in _COUNTED
    return ("fewer after" if counted else "less after", "more after")


def _name_model(pooled: pd.DataFrame, between: bool) -> str:
    """Name model, interval and prediction interval in words; empty where nothing is pooled."""
    rows = pooled[pooled["k"] > 1]
    if not len(rows):
        return ""
    row = rows.iloc[0]
    # A change in one arm is no effect, not even in the name of a model.
    common, random = ("Common effect", "Random effects") if between else ("Common", "Random")
    model = f"{common} model" if row["method"] == "EE" else f"{random} model, τ² by {row['method']}"
    text = f"{model}; {100 * row['level']:g} % CI: {row['ci_method']}"
    if rows["pi_low"].notna().any() and not _missing(row["pi_method"]):
        text += f"; prediction interval: {row['pi_method']}"
    return _plain(f"{text}.")


def _notes(pooled: pd.DataFrame, subgroups: bool) -> Iterable[Mapping[str, Any]]:
    rows = pooled[pooled["note"].notna() & (pooled["k"] > 1)]
    if not subgroups:
        rows = rows[rows["subgroup"] == "overall"]
    for r in rows.to_dict("records"):
        yield {**r, "subgroup": _capital(str(r["subgroup"]))}


def _heterogeneity(r: Mapping[str, Any]) -> str:
    p = r["q_p_value"]
    return (
        f"Q {number(r['q'])} on {number(r['q_df'], 0)} df, p "
        f"{'< 0.001' if p < 0.001 else number(p, 3)}; I² {number(r['i2'], 0)} %; "
        f"τ² {number(r['tau2'], 3)}"
    )


# ---- drawing -------------------------------------------------------------------------------------


def draw_lines(lines: Sequence[Line], words: Words) -> Figure:
    """Draw lines with their columns; the width is fixed, the height grows with the lines.

    Columns are as wide as their text; the names of trials are wrapped into what is left. All
    places are in points from the upper left corner.
    """
    width = 72 * theme.WIDTH
    starts, plot_left, plot_right, name_width = _place_columns(lines, words, width)
    block = plot_left - _GAP - _MARGIN  # what stands below a name may run under the arms' columns
    names = [
        theme.wrap(
            ln.label,
            block if not any(ln.left) else name_width,
            weight="bold" if ln.kind in ("heading", "diamond") else "normal",
        )
        for ln in lines
    ]
    details = [_clip(theme.wrap(ln.detail, block - 8, SMALL), 3) for ln in lines]
    heights = [
        0.4 * ROW
        if ln.kind == "gap"
        else ROW + _NEXT * (max(len(name) + len(detail), 1) - 1) + (2 if detail else 0)
        for ln, name, detail in zip(lines, names, details, strict=True)
    ]
    stamp_width = theme.measure(words.stamp, weight="bold") + _GAP if words.stamp else 0.0
    title = theme.wrap(words.title, width - 2 * _MARGIN - stamp_width, LARGE, "bold")
    foot = [part for text in words.foot for part in theme.wrap(text, width - 2 * _MARGIN, SMALL)]
    head_y = 14.0 + 15 * len(title) + 14
    top = head_y + 22
    drawable = any(math.isfinite(ln.value) for ln in lines)
    bottom = top + sum(heights)
    foot_y = bottom + (62 if drawable and any(words.sides) else 48 if drawable else 12)
    total = foot_y + 13.0 * len(foot) + 4
    with theme.style():
        figure = theme.new_figure(theme.WIDTH, total / 72)
        page = figure.add_axes((0, 0, 1, 1))
        page.set_axis_off()
        page.set_xlim(0, width)
        page.set_ylim(total, 0)
        for i, part in enumerate(title):
            page.text(
                _MARGIN, 14 + 15 * i, part, va="center", fontsize=LARGE, fontweight="bold"
            )
        for x, head in zip(starts, ("Trial", *words.heads, *words.results), strict=True):
            page.text(x, head_y, head, va="center", fontweight="bold", linespacing=1.1)
        page.plot([_MARGIN, width - _MARGIN], [top - 5, top - 5], color=FAINT, linewidth=0.8)
        axes = figure.add_axes(
            (plot_left / width, 1 - bottom / total, (plot_right - plot_left) / width, 1.0)
        )
        axes.set_position(
            (
                plot_left / width,
                1 - bottom / total,
                (plot_right - plot_left) / width,
                (bottom - top) / total,
            )
        )
        axes.set_ylim(bottom - top, 0)
        limits = _limits(lines, words.ratio)
        if drawable:
            _set_axis(axes, limits, words)
        else:
            axes.set_axis_off()
        heaviest = max((ln.weight for ln in lines if ln.weight > 0), default=math.nan)
        y = 0.0
        for ln, name, detail, height in zip(lines, names, details, heights, strict=True):
            _write(page, starts, ln, name, detail, top + y + ROW / 2)
            _mark(axes, ln, y + ROW / 2, limits, heaviest)
            y += height
        for i, part in enumerate(foot):
            page.text(_MARGIN, foot_y + 13 * i, part, va="center", fontsize=SMALL, color=INK)
        theme.stamp(figure, words.stamp)
    return figure


def _place_columns(
    lines: Sequence[Line], words: Words, width: float
) -> tuple[list[float], float, float, float]:
    """Place the columns: their starts, the plot's sides and the width for names."""

    def widest(cells: Iterable[str], head: str, weight: str = "normal") -> float:
        parts = [theme.measure(h, weight="bold") for h in head.split("\n")]
        return max([*parts, *(theme.measure(c, weight=weight) for c in cells if c)])

    arms = []
    for i, head in enumerate(words.heads):
        # A remark in the first column, such as a printed contrast, may run over the second.
        cells = [ln.left[i] for ln in lines if len(ln.left) > i and any(ln.left[1:])]
        arms.append(widest(cells, head))
    results = [
        widest((ln.right[i] for ln in lines if len(ln.right) > i), head, "bold" if i == 0 else "")
        for i, head in enumerate(words.results)
    ]
    rest = width - 2 * _MARGIN - sum(w + _GAP for w in (*arms, *results)) - _GAP - _PLOT
    longest = max((theme.measure(ln.label) for ln in lines if any(ln.left)), default=0.0)
    if not words.heads:
        longest = max((theme.measure(ln.label, weight="bold") for ln in lines), default=0.0)
    name_width = max(min(rest, longest + 2), 60.0)
    starts, x = [_MARGIN], _MARGIN + name_width + _GAP
    for w in arms:
        starts.append(x)
        x += w + _GAP
    plot_left = x + 4
    plot_right = width - _MARGIN - sum(w + _GAP for w in results) - 2
    x = plot_right + _GAP
    for w in results:
        starts.append(x)
        x += w + _GAP
    return starts, plot_left, plot_right, name_width


def _clip(lines: list[str], most: int) -> list[str]:
    return lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1]} …"]


def _write(
    page: Axes,
    starts: Sequence[float],
    line: Line,
    name: Sequence[str],
    detail: Sequence[str],
    y: float,
) -> None:
    bold = "bold" if line.kind in ("heading", "diamond") else "normal"
    colour = GREY if line.kind in ("open", "text") else INK
    for i, part in enumerate(name):
        page.text(starts[0], y + _NEXT * i, part, va="center", fontweight=bold, color=colour)
    below = y + (_NEXT * len(name) + 1 if name else 0)
    for i, part in enumerate(detail):
        page.text(
            starts[0] + 8, below + _NEXT * i, part, va="center", fontsize=SMALL, color=GREY
        )
    arms = len(starts) - 1 - len(line.right)
    for x, cell in zip(starts[1:], line.left, strict=False):
        if cell:
            page.text(x, y, cell, va="center", color=colour)
    if line.right:
        for x, cell, weight in zip(starts[1 + arms :], line.right, (bold, "normal"), strict=False):
            if cell:
                page.text(x, y, cell, va="center", fontweight=weight, color=colour)


def _mark(axes: Axes, line: Line, y: float, limits: tuple[float, float], heaviest: float) -> None:
    """Draw what a line shows; what leaves the axis ends in an arrow."""
    if line.kind in ("row", "open"):
        colour = BLUE if line.kind == "row" else GREY
        _draw_interval(axes, line, y, limits, colour, 1.4)
        share = line.weight / heaviest if line.kind == "row" else math.nan
        size = max(_BIGGEST * math.sqrt(share), _SMALLEST) if share > 0 else 6.0
        axes.plot(
            [line.value],
            [y],
            marker="s" if line.kind == "row" else "o",
            markersize=size,
            markerfacecolor=colour if line.kind == "row" else "white",
            markeredgecolor=colour,
            markeredgewidth=0 if line.kind == "row" else 1.2,
            zorder=3,
            linestyle="none",
        )
    elif line.kind == "diamond":
        axes.fill(
            [line.low, line.value, line.high, line.value],
            [y, y - 0.32 * ROW, y, y + 0.32 * ROW],
            facecolor=ORANGE,
            edgecolor=INK,
            linewidth=0.8,
            zorder=3,
        )
        _draw_arrows(axes, line, y, limits, INK, 7)
    elif line.kind == "band":
        _draw_interval(axes, line, y, limits, INK, 3.2)


def _draw_interval(
    axes: Axes, line: Line, y: float, limits: tuple[float, float], colour: str, width: float
) -> None:
    if math.isnan(line.low) or math.isnan(line.high):
        return
    low, high = max(line.low, limits[0]), min(line.high, limits[1])
    axes.plot([low, high], [y, y], color=colour, linewidth=width, solid_capstyle="butt", zorder=2)
    _draw_arrows(axes, line, y, limits, colour, 5 if width < 2 else 8)


def _draw_arrows(
    axes: Axes, line: Line, y: float, limits: tuple[float, float], colour: str, size: float
) -> None:
    for outside, x, way in (
        (line.low < limits[0], limits[0], "<"),
        (line.high > limits[1], limits[1], ">"),
    ):
        if outside:
            axes.plot([x], [y], marker=way, color=colour, markersize=size, zorder=4, clip_on=False)


def _limits(lines: Sequence[Line], ratio: bool) -> tuple[float, float]:
    """Choose the axis: all estimates are on it; an interval far wider than they spread is not.

    Everything is drawn on the printed scale, and chosen on the log scale for ratios.
    """

    def scale(value: float) -> float:
        return math.log(max(value, 1e-12)) if ratio else value

    drawn = [ln for ln in lines if ln.kind in ("row", "open", "diamond")]
    core = [scale(ln.value) for ln in drawn if math.isfinite(ln.value)] + [0.0]
    widths = [
        scale(ln.high) - scale(ln.low)
        for ln in drawn
        if math.isfinite(ln.low) and math.isfinite(ln.high)
    ]
    spread = max(max(core) - min(core), float(np.median(widths)) if widths else 0.0, 1e-9)
    ends = [
        scale(v)
        for ln in lines
        if ln.kind in ("row", "open", "diamond", "band")
        for v in (ln.low, ln.high)
        if math.isfinite(v)
    ]
    low = max(min([*core, *ends]), min(core) - 1.25 * spread)
    high = min(max([*core, *ends]), max(core) + 1.25 * spread)
    pad = 0.05 * (high - low) or 1.0
    return (math.exp(low - pad), math.exp(high + pad)) if ratio else (low - pad, high + pad)


def _set_axis(axes: Axes, limits: tuple[float, float], words: Words) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    axes.set_xlim(*limits)
    if words.ratio:
        axes.set_xscale("log")
        axes.set_xlim(*limits)
        axes.xaxis.set_major_locator(FixedLocator(_ratio_ticks(limits)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: theme.short(round(x, 10))))
    axes.axvline(1.0 if words.ratio else 0.0, color=INK, linewidth=1.0, zorder=1)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.grid(axis="x", color=FAINT, linewidth=0.5, zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel(words.axis, fontsize=SMALL, labelpad=3)
    # The names of the sides meet at no difference unless there is no room on one of its sides.
    for x, align, name in (
        (0.0, "left", f"← {words.sides[0]}"),
        (1.0, "right", f"{words.sides[1]} →"),
    ):
        if any(words.sides):
            axes.annotate(
                name,
                (x, 0),
                xycoords="axes fraction",
                xytext=(-6 if align == "left" else 6, -48),
                textcoords="offset points",
                ha=align,
                va="center",
                fontsize=SMALL,
            )


def _ratio_ticks(limits: tuple[float, float]) -> list[float]:
    """Choose ticks on the ratio scale, with 1 among them."""
    decades = range(-6, 7)
    for steps in ((1, 1.25, 1.5, 2, 3, 5, 7.5), (1, 2, 5), (1, 3), (1,)):
        marks = [round(s * 10.0**d, 9) for d in decades for s in steps]
        ticks = [t for t in marks if limits[0] <= t <= limits[1]]
        if len(ticks) <= 6:
            break
    if len(ticks) < 3:
        span = max(abs(math.log(v)) for v in limits)
        ticks = sorted({round(math.exp(f * span), 2) for f in (-0.8, -0.4, 0.0, 0.4, 0.8)})
    return [t for t in ticks if limits[0] <= t <= limits[1]]


# ---- words ---------------------------------------------------------------------------------------


def _describe(
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    words: Words,
    measure: str,
    level: str,
    between: bool,
    subgroups: bool,
) -> str:
    used, rest = effects[effects["pooled"]], effects[~effects["pooled"]]
    parts = [f"{words.stamp}. " if words.stamp else "", f"Forest plot: {words.title}."]
    parts += [f" {_tell(r, measure, level, words.ratio)}." for r in used.to_dict("records")]
    for r in pooled.to_dict("records"):
        if r["subgroup"] != "overall" and not subgroups:
            continue
        if r["k"] < 2:
            noun = "trial" if between else "arm"
            parts.append(f" {_capital(str(r['subgroup']))}: one {noun}, not pooled.")
            continue
        value, low, high, pi_low, pi_high = (
            _figure(_scale(r[c], words.ratio), words.ratio)
            for c in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
        )
        n = "" if math.isnan(r["n_total"]) else f", n {r['n_total']:.0f}"
        pi = "" if math.isnan(r["pi_low"]) else f", prediction interval {pi_low} to {pi_high}"
        parts.append(
            f" Pooled, {r['subgroup']}, k {r['k']}{n}: {measure} {value}, {level} {low} to "
            f"{high}{pi}; {_heterogeneity(r)}."
        )
    if not len(used):
        parts.append(" No row can be pooled.")
    if len(rest):
        parts.append(" Shown, not pooled:")
        parts += [
            f" {_tell(r, measure, level, words.ratio)} ({r['why_not']})."
            for r in rest.to_dict("records")
        ]
    return "".join(parts)


def _tell(r: Mapping[str, Any], measure: str, level: str, ratio: bool) -> str:
    value, low, high = (_scale(r[c], ratio) for c in ("yi", "ci_low", "ci_high"))
    sizes = [f"{float(r[c]):.0f}" for c in ("n1", "n2") if not math.isnan(r[c])]
    n = f", n {' and '.join(sizes)}" if sizes else ""
    start = f"{_name(r)} ({_place(r)}){n}: "
    if math.isnan(value):
        return f"{start}no estimate"
    weight = f", weight {_percent(r['weight'])}" if r["pooled"] and r["weight"] > 0 else ""
    return (
        f"{start}{measure} {_figure(value, ratio)}, {level} {_figure(low, ratio)} to "
        f"{_figure(high, ratio)}{weight}"
    )


def _caption(pooled: pd.DataFrame, between: bool, level: str, model: str) -> str:
    parts = []
    if not len(pooled):
        parts.append("None of the rows can be pooled; each says why.")
    parts.append(
        f"Squares: {'trials' if between else 'arms'}, their area by weight; lines: {level} "
        "(normal)."
    )
    if model:
        parts.append(f"Diamonds: pooled estimates; thick bars: prediction intervals. {model}")
    parts.append("Circles: shown, not pooled. An arrow leaves the axis.")
    if not between:
        parts.append("Changes within arms are no comparison.")
    return " ".join(parts)


def _scale(value: Any, ratio: bool) -> float:
    value = float(value)
    return math.exp(value) if ratio else value


def _figure(value: float, ratio: bool) -> str:
    if ratio and 0 < value < 0.005:
        return "< 0.01"
    return number(value, 0 if ratio and value >= 100 else 2)


def _interval(value: float, low: float, high: float, ratio: bool) -> str:
    return f"{_figure(value, ratio)} [{_figure(low, ratio)}, {_figure(high, ratio)}]"


def _percent(weight: float) -> str:
    return "" if math.isnan(weight) else f"{weight:.1f} %"


def _plain(text: str) -> str:
    return text.replace("tau2", "τ²").replace("k - 1", "k − 1")


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _missing(value: Any) -> bool:
    """Whether a cell is empty: None, NaN or NA."""
    return value is None or value != value or str(value) in ("<NA>", "")
