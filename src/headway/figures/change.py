"""The change: means before and after, and the histogram of change in disclosed bins."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from headway.figures import theme
from headway.figures.theme import (
    BASE,
    BLUE,
    FAINT,
    GREY,
    INK,
    LARGE,
    ORANGE,
    SMALL,
    Drawing,
    number,
    short,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_TICK = 112.0  # points for the words under a window
_TOP, _BODY = 76.0, 190.0  # points: above the panels, and their height


def draw_change(
    means: pd.DataFrame,
    histogram: pd.DataFrame,
    lines: pd.DataFrame,
    change: dict[str, Any],
    name: str,
    *,
    stamp: str = "",
) -> Drawing:
    """Draw one outcome of one comparison, from released tables.

    Parameters
    ----------
    means, histogram, lines
        Rows of `window_means`, `change_histogram` and `change_lines` (empty unless the preset
        lets single persons' lines pass).
    change
        The row `change_mean` of `cohort`.
    name
        The outcome in words.
    stamp
        Text for the corner, such as SYNTHETIC.
    """
    rows = means.sort_values("order").to_dict("records")
    unit = "" if change["unit"] is None or change["unit"] != change["unit"] else change["unit"]
    ticks = [_tick(r) for r in rows]
    title = f"Change in {name}"
    below = 14.0 * max((len(t) for t in ticks), default=1) + 14
    total = _TOP + _BODY + max(below, 46.0)
    with theme.style():
        figure = theme.new_figure(theme.WIDTH, total / 72)
        low, height = 1 - (_TOP + _BODY) / total, _BODY / total
        x, y = 8 / (72 * theme.WIDTH), 1 - 14 / total
        figure.text(x, y, title, va="center", fontsize=LARGE, fontweight="bold")
        figure.text(x, 1 - 32 / total, f"{_capital(_mean_change(change))}.", va="center")
        left = figure.add_axes((0.075, low, 0.385, height))
        right = figure.add_axes((0.565, low, 0.42, height))
        _draw_slope(left, rows, ticks, lines, unit)
        _draw_histogram(right, histogram, unit)
        theme.stamp(figure, stamp)
    return Drawing(
        figure,
        title,
        _describe(rows, histogram, change, title, stamp),
        _caption(histogram, lines, change),
        wide=True,
    )


def _hidden(row: dict[str, Any], value: str) -> bool:
    """Whether disclosure control withheld a number (a missing one is not drawn either)."""
    return bool(row["redacted"]) or math.isnan(row[value])


def _draw_slope(
    axes: Axes, rows: list[dict[str, Any]], ticks: list[list[str]], lines: pd.DataFrame, unit: str
) -> None:
    for pre, post in zip(lines["pre"], lines["post"], strict=True):
        axes.plot([0, 1], [pre, post], color=GREY, alpha=0.3, linewidth=0.6, zorder=1)
    shown = [(x, r) for x, r in enumerate(rows) if not _hidden(r, "mean")]
    axes.plot(
        [x for x, _ in shown],
        [r["mean"] for _, r in shown],
        color=BLUE,
        marker="o",
        markersize=7,
        linewidth=2.2 if len(shown) > 1 else 0,
        zorder=4,
    )
    for x, r in shown:
        axes.plot([x, x], [r["ci_low"], r["ci_high"]], color=BLUE, linewidth=2.4, zorder=3)
        align, shift = ("right", -10) if x == 0 else ("left", 10)
        for text, dy, size, weight in (
            (number(r["mean"], 1), 6, BASE, "bold"),
            (f"{number(r['ci_low'], 1)} to {number(r['ci_high'], 1)}", -6, SMALL, "normal"),
        ):
            axes.annotate(
                text,
                (x, r["mean"]),
                xytext=(shift, dy),
                textcoords="offset points",
                ha=align,
                va="center",
                fontsize=size,
                fontweight=weight,
                zorder=5,
            )
    for x, r in enumerate(rows):
        if _hidden(r, "mean"):
            axes.text(
                x,
                0.5,
                "hidden" if r["redacted"] else "nobody",
                transform=axes.get_xaxis_transform(),
                ha="center",
                color=GREY,
            )
    values = [v for _, r in shown for v in (r["mean"], r["ci_low"], r["ci_high"])]
    values = [v for v in [*values, *lines["pre"], *lines["post"]] if not math.isnan(v)]
    top, bottom = max(values, default=1.0), min([0.0, *values])
    axes.set_ylim(bottom, top + 0.06 * ((top - bottom) or 1.0))
    axes.set_xlim(-0.85, len(rows) - 1 + 0.85)
    axes.set_xticks(range(len(rows)), ["\n".join(t) for t in ticks])
    axes.set_ylabel(unit)
    axes.set_title("Means before and after", pad=10)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def _tick(r: dict[str, Any]) -> list[str]:
    n = "n hidden" if math.isnan(r["n"]) else f"n {r['n']:.0f}"
    return [*theme.wrap(str(r["label"]), _TICK, SMALL), n]


def _draw_histogram(axes: Axes, histogram: pd.DataFrame, unit: str) -> None:
    from matplotlib.ticker import MaxNLocator

    rows = histogram.to_dict("records")
    axes.set_title("How many changed by how much", pad=10)
    if not rows:
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.text(0.5, 0.5, "hidden: too few people", transform=axes.transAxes, ha="center")
        return
    top = 1.15 * (max((r["n"] for r in rows if not _hidden(r, "n")), default=0) or 1.0)
    for x, r in enumerate(rows):
        if _hidden(r, "n"):
            # As high as the axis whatever the number: a height would say it.
            axes.bar(
                x,
                top,
                width=0.94,
                facecolor="white",
                edgecolor=FAINT,
                hatch=theme.HIDDEN,
                linewidth=0.6,
            )
            axes.text(
                x,
                0.5 * top,
                "hidden",
                ha="center",
                va="center",
                fontsize=SMALL,
                rotation=90,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            )
            continue
        fewer, more = r["bin_high"] <= 0, r["bin_low"] >= 0
        axes.bar(
            x,
            r["n"],
            width=0.94,
            facecolor=BLUE if fewer else ORANGE if more else FAINT,
            edgecolor=INK,
            linewidth=0.6,
            hatch=theme.WORSE if more else "",
        )
        axes.text(x, r["n"] + 0.01 * top, f"{r['n']:.0f}", ha="center", va="bottom", fontsize=SMALL)
    for x, r in enumerate(rows):
        if r["bin_low"] == 0 or (x == 0 and r["bin_low"] == 0):
            axes.axvline(x - 0.5, color=INK, linewidth=1.4, zorder=5)
        elif r["bin_high"] == 0 and x == len(rows) - 1:
            axes.axvline(x + 0.5, color=INK, linewidth=1.4, zorder=5)
    _label_edges(axes, rows)
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.set_ylim(0, top)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_ylabel("people")
    axes.set_xlabel(f"change in {unit}" if unit else "change")
    names = (0.0, "left", "← fewer or less"), (1.0, "right", "unchanged or more →")
    for x, align, text in names:
        axes.text(
            x, 1.005, text, transform=axes.transAxes, ha=align, va="bottom", fontsize=SMALL
        )


def _label_edges(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """Label the edges between bins, and an open tail as a whole; as many as there is room for."""
    room = 0.42 * 72 * theme.WIDTH / (len(rows) + 0.2)
    edges = [(x - 0.5, r["bin_low"]) for x, r in enumerate(rows)]
    edges.append((len(rows) - 0.5, rows[-1]["bin_high"]))
    tails: list[tuple[float, str]] = []
    if math.isinf(rows[0]["bin_low"]):
        tails.append((0.0, _bin(rows[0])))
        edges = edges[2:]
    if math.isinf(rows[-1]["bin_high"]):
        tails.append((len(rows) - 1.0, _bin(rows[-1])))
        edges = edges[:-2]
    widest = max((theme.measure(short(v), SMALL) for _, v in edges), default=0.0)
    step = max(1, math.ceil((widest + 4) / room))
    zero = next((i for i, (_, v) in enumerate(edges) if v == 0), 0)
    kept = [(x, short(v)) for i, (x, v) in enumerate(edges) if (i - zero) % step == 0]
    for x, text in tails:  # a tail's words may not run into an edge's number
        need = theme.measure(text, SMALL) / 2 + 4
        kept = [
            (at, word)
            for at, word in kept
            if abs(at - x) * room >= need + theme.measure(word, SMALL) / 2
        ]
    marks = sorted([*kept, *tails])
    axes.set_xticks([x for x, _ in marks], [text for _, text in marks])


def _bin(r: dict[str, Any]) -> str:
    low, high = r["bin_low"], r["bin_high"]
    if math.isinf(low):
        return f"< {short(high)}"
    if math.isinf(high):
        return f"≥ {short(low)}"
    return f"{short(low)} to < {short(high)}"


def _mean_change(change: dict[str, Any]) -> str:
    of = f"{_count(change['n'])} of {_count(change['of'])} people who started"
    if change["redacted"] or math.isnan(change["estimate"]):
        return f"mean change (after − before): hidden; {of}"
    text = f"mean change (after − before) {number(change['estimate'])}"
    if not math.isnan(change["ci_low"]):
        text += f", 95 % CI {number(change['ci_low'])} to {number(change['ci_high'])}"
    return f"{text}; {of}"


def _count(value: float) -> str:
    return "a hidden number" if math.isnan(value) else f"{value:.0f}"


def _describe(
    means: list[dict[str, Any]],
    histogram: pd.DataFrame,
    change: dict[str, Any],
    title: str,
    stamp: str,
) -> str:
    parts = [f"{stamp}. " if stamp else "", f"{title}."]
    for r in means:
        value = (
            "hidden"
            if _hidden(r, "mean")
            else f"{number(r['mean'], 1)}, 95 % CI {number(r['ci_low'], 1)} to "
            f"{number(r['ci_high'], 1)}, n {_count(r['n'])}"
        )
        parts.append(f" Mean {r['label']}: {value}.")
    parts.append(f" {_capital(_mean_change(change))}.")
    if len(histogram):
        counts = [
            f"{_bin(r)}: {'hidden' if _hidden(r, 'n') else format(r['n'], '.0f')}"
            for r in histogram.to_dict("records")
        ]
        parts.append(f" People by change: {'; '.join(counts)}.")
    else:
        parts.append(" People by change: hidden, too few people.")
    return "".join(parts)


def _caption(histogram: pd.DataFrame, lines: pd.DataFrame, change: dict[str, Any]) -> str:
    text = (
        f"{_capital(str(change['comparison_label']))}: {_count(change['n'])} of "
        f"{_count(change['of'])} people who started. Left: means with 95 % CI (t)"
    )
    text += "; thin lines are people. " if len(lines) else ". "
    text += (
        "Right: people by their change (after − before); a bin holds its lower edge and not its "
        "upper, so that no change stands right of the line at 0."
    )
    if len(histogram) and histogram["redacted"].any():
        text += " Bars marked hidden: small numbers, drawn at full height whatever they are."
    return text


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
