"""Scatter plots with a point per study: funnel, radial, Baujat, L'Abbé, influence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.effects.measures import MEASURES
from headway.effects.shared import DIFFERENCE, Scale
from headway.figures import theme
from headway.figures.theme import BLUE, FAINT, GREY, INK, ORANGE, Drawing, read_column
from headway.messages import decimal, t

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

WIDTH, HEIGHT = 6.4, 4.6
# Left, bottom, width and height of the axes; the legend stands below them, clear of the data.
PLACE = (0.13, 0.24, 0.84, 0.66)
MAX_LABELS = 6
_DEEP = 6.0  # usual standard errors beyond which a trial lies below a funnel
# Marks of an axis of ratios.
FEW_RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
MANY_RATIOS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3)


def _start(title: str, x: str, y: str) -> tuple[Any, Axes]:
    figure = theme.new_figure(WIDTH, HEIGHT)
    axes = figure.add_axes(PLACE)
    figure.text(0.02, 0.97, title, fontweight="bold", va="top", fontsize=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_axisbelow(True)
    return figure, axes


def _add_legend(figure: Any, axes: Axes, columns: int = 3) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="lower center", ncols=columns, frameon=False, fontsize=8.5,
            bbox_to_anchor=(0.5, 0.005),
        )  # fmt: skip


def _size(weight: Array, largest: float = 16.0) -> Array:
    """Return marker sizes whose areas go with the weights."""
    top = np.nanmax(weight) if weight.size else 1.0
    return 4.0 + (largest - 4.0) * np.sqrt(np.where(np.isfinite(weight), weight, 0) / top)


def _label_points(
    axes: Axes, x: Array, y: Array, names: Sequence[str], chosen: Sequence[int]
) -> None:
    """Write names beside points, moved up or down until none meets another."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(axes.get_figure(root=True))
    canvas.draw()  # type: ignore[no-untyped-call]
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    placed: list[Any] = []
    frame = axes.get_window_extent(renderer)
    for i in chosen:
        across = axes.transData.transform((x[i], y[i]))[0]
        left = across > frame.x0 + 0.6 * frame.width
        for step in (0, 10, -10, 20, -20, 30, -30, 40, -40, 50):
            line = {"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkB": 3}
            text = axes.annotate(
                names[i],
                (x[i], y[i]),
                xytext=(-9 if left else 9, step),
                textcoords="offset points",
                ha="right" if left else "left",
                va="center",
                fontsize=8,
                color=INK,
                arrowprops=line if step else None,
            )
            box = text.get_window_extent(renderer).expanded(1.02, 1.15)
            inside = box.y0 >= frame.y0 and box.y1 <= frame.y1 + 12
            if inside and not any(box.overlaps(other) for other in placed):
                placed.append(box)
                break
            text.remove()


def draw_funnel(
    yi: ArrayLike,
    vi: ArrayLike,
    estimate: float,
    *,
    title: str = "Funnel plot",
    x_label: str = "effect",
    null: float = 0.0,
    scale: Scale = DIFFERENCE,
    filled: tuple[ArrayLike, ArrayLike] | None = None,
) -> Drawing:
    """Draw effects against their standard errors, with regions of significance.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        Effects (log scale for ratios) and sampling variances.
    estimate : float
        Pooled effect; the broken lines hold 95 % of studies around it if nothing but sampling
        varied.
    title, x_label
        Texts.
    null : float
        No effect on the scale of `yi`; the shaded regions are around it.
    scale : Scale
        What the axis is labelled with: ratios, and not their logs.
    filled : pair of array_like, optional
        Effects and variances that trim and fill added.

    Notes
    -----
    Contours: Peters et al. (2008). With fewer than ten studies the caption warns.
    """
    y = read_column(yi, "yi")
    se = np.sqrt(read_column(vi, "vi", y.size))
    known = np.isfinite(y) & np.isfinite(se)
    y, se = y[known], se[known]
    added_y, added_se = np.zeros(0), np.zeros(0)
    if filled is not None:
        added_y = read_column(filled[0], "filled effects")
        added_se = np.sqrt(read_column(filled[1], "filled variances", added_y.size))
    with theme.style():
        figure, axes = _start(title, x_label, t("funnel.standard_error"))
        # One trial of little weight must not press all others into the tip.
        below = se > _DEEP * np.median(se) if se.size else np.zeros(0, dtype=np.bool_)
        bottom = 1.08 * max([*se[~below], *added_se, 1e-300])
        points = np.concatenate([y[~below], added_y, [null, estimate]])
        reach = max(1.1 * np.abs(points - estimate).max(), 2.2 * bottom)
        limits = (estimate - reach, estimate + reach)
        depth = np.array([0.0, bottom])
        axes.set_facecolor("#f1f3f5")
        for label, z_limit, colour in (
            ("p 0.01 – 0.05", 2.5758, "#d9dee2"),
            ("p 0.05 – 0.10", 1.9600, "#b4bdc5"),
            ("p > 0.10", 1.6449, "#ffffff"),
        ):
            axes.fill_betweenx(
                depth, null - z_limit * depth, null + z_limit * depth, facecolor=colour,
                edgecolor="#b4bdc5", linewidth=0.4, label=label,
            )  # fmt: skip
        axes.plot([null, null], depth, color=INK, linewidth=0.8)
        for sign in (-1, 1):
            axes.plot(
                estimate + sign * 1.96 * depth, depth, color=BLUE, linestyle="--", linewidth=1.0,
                label=t("funnel.around") if sign == 1 else None,
            )  # fmt: skip
        axes.plot([estimate, estimate], depth, color=BLUE, linewidth=1.0)
        axes.plot(
            np.clip(y[below], *limits), np.full(int(below.sum()), bottom), "v", color=INK,
            markersize=6, clip_on=False, linestyle="none",
        )  # fmt: skip
        axes.plot(
            y[~below], se[~below], "o", color=INK, markersize=5.5, markeredgecolor="white",
            markeredgewidth=0.5,
            label=t("funnel.study"),
        )  # fmt: skip
        if added_y.size:
            axes.plot(
                added_y, added_se, "s", color="white", markeredgecolor=ORANGE, markersize=6,
                markeredgewidth=1.4, label=t("funnel.added"),
            )  # fmt: skip
        axes.set_xlim(*limits)
        axes.set_ylim(bottom, 0)
        if scale.code == "ratio":
            marks = FEW_RATIOS if limits[1] - limits[0] > 2 else MANY_RATIOS
            axes.set_xticks(np.log(marks), [decimal(f"{mark:g}") for mark in marks])
            axes.set_xlim(*limits)
        elif scale.transform:
            axes.xaxis.set_major_formatter(lambda x, _: f"{scale.back(x):.2g}".replace("-", "−"))
        _add_legend(figure, axes)
    away = np.abs(y - null) / se > 1.96
    shown = theme.write_effect(float(scale.back(estimate)), scale.code == "ratio")
    sides = {"left": int((y < estimate).sum()), "right": int((y > estimate).sum())}
    alt = t("funnel.alt", title=title, n=y.size, value=shown, away=int(away.sum()), **sides)
    if filled is not None:
        alt += " " + t("funnel.alt_filled", n=added_y.size)
    caption = t("funnel.caption")
    if below.any():
        caption += " " + t("funnel.below", n=int(below.sum()))
    if y.size < 10:
        caption += " " + t("funnel.few")
    return Drawing(figure, title, alt, caption)


def draw_radial(
    yi: ArrayLike, vi: ArrayLike, estimate: float, *, title: str = "Radial plot"
) -> Drawing:
    """Draw standardised effects against precision (Galbraith 1988).

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
    estimate : float
        Pooled effect: the slope of the line; the band holds 95 % of studies around it.
    """
    y = read_column(yi, "yi")
    se = np.sqrt(read_column(vi, "vi", y.size))
    known = np.isfinite(y) & np.isfinite(se)
    x, z = 1 / se[known], (y / se)[known]
    with theme.style():
        figure, axes = _start(title, "precision (1 / standard error)", "effect / standard error")
        ends = np.array([0.0, 1.08 * x.max(initial=1e-300)])
        axes.fill_between(
            ends, estimate * ends - 1.96, estimate * ends + 1.96, color="#e3e7ea", linewidth=0,
            label="± 1.96",
        )  # fmt: skip
        axes.plot(ends, estimate * ends, color=BLUE, linewidth=1.3, label="pooled effect (slope)")
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.plot(x, z, "o", color=INK, markersize=5.5, label="study")
        axes.set_xlim(0, ends[1])
        _add_legend(figure, axes)
    off = np.abs(z - estimate * x) > 1.96
    alt = (
        f"{title}: {x.size} studies around a line of slope {estimate:.2f}; {int(off.sum())} of "
        "them lie outside the band that would hold 95 % if only sampling varied."
    )
    caption = "Each point is a study; the line from 0 has the pooled effect as its slope."
    return Drawing(figure, title, alt, caption)


def draw_baujat(
    contribution: ArrayLike,
    shift: ArrayLike,
    names: Sequence[str],
    *,
    title: str = "What each study does",
) -> Drawing:
    """Draw contribution to heterogeneity against influence on the estimate (Baujat et al. 2002).

    Parameters
    ----------
    contribution, shift : array_like, shape (k,)
        From :func:`headway.meta.baujat`.
    names : sequence of str
        Studies; the largest are labelled.
    """
    x = read_column(contribution, "contribution")
    y = read_column(shift, "shift", x.size)
    if len(names) != x.size:
        raise ValueError("names must hold one per study")
    scale = x / max(x.max(initial=0), 1e-300) + y / max(y.max(initial=0), 1e-300)
    chosen = np.argsort(-scale, kind="stable")[: min(MAX_LABELS, x.size)].tolist()
    with theme.style():
        figure, axes = _start(
            title, "contribution to heterogeneity (squared residual)", "influence on the estimate"
        )
        axes.grid(color=FAINT, linewidth=0.5)
        axes.plot(x, y, "o", color=BLUE, markersize=6, markeredgecolor=INK, markeredgewidth=0.6)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.margins(0.08)
        _label_points(axes, x, y, names, chosen)
    top = ", ".join(f"{names[i]} ({x[i]:.2f}; {y[i]:.2f})" for i in chosen[:3])
    alt = (
        f"{title}: {x.size} studies. The most conspicuous (contribution to heterogeneity; "
        f"influence on the estimate): {top}."
    )
    caption = (
        "Right: studies that differ from the rest. Top: studies without which the estimate would "
        "move, in units of its variance."
    )
    return Drawing(figure, title, alt, caption)


def draw_labbe(
    risk1: ArrayLike,
    risk2: ArrayLike,
    n: ArrayLike,
    *,
    measure: str,
    estimate: float,
    title: str = "Event rates, arm against arm",
    x_label: str = "control, %",
    y_label: str = "treated, %",
) -> Drawing:
    """Draw event rates of both arms against each other (L'Abbé et al. 1987).

    Parameters
    ----------
    risk1, risk2 : array_like, shape (k,)
        Share with the event in the treated and the control arm, 0 … 1.
    n : array_like, shape (k,)
        Participants of both arms; areas go with it.
    measure : {"RR", "OR", "RD"}
    estimate : float
        Pooled effect on the measure's own scale (log for ratios).
    """
    y = 100 * read_column(risk1, "risk1")
    x = 100 * read_column(risk2, "risk2", y.size)
    people = read_column(n, "n", y.size)
    share = np.linspace(0, 1, 201)
    if measure == "RR":
        curve = share * np.exp(estimate)
    elif measure == "OR":
        odds = np.exp(estimate) * share / np.maximum(1 - share, 1e-12)
        curve = odds / (1 + odds)
    elif measure == "RD":
        curve = share + estimate
    else:
        raise ValueError("measure must be 'RR', 'OR' or 'RD'")
    curve = np.where((curve >= 0) & (curve <= 1), curve, np.nan)
    with theme.style():
        figure = theme.new_figure(5.2, 5.6)
        axes = figure.add_axes((0.14, 0.20, 0.82, 0.72))
        figure.text(0.02, 0.975, title, fontweight="bold", va="top", fontsize=10)
        axes.plot([0, 100], [0, 100], color=GREY, linewidth=0.9, label="no difference")
        axes.plot(
            100 * share, 100 * curve, color=BLUE, linestyle="--", linewidth=1.4,
            label=f"pooled {measure}",
        )  # fmt: skip
        for i, size in enumerate(_size(people, 18.0)):
            axes.plot(
                [x[i]], [y[i]], "o", markersize=size, color=ORANGE, alpha=0.65,
                markeredgecolor=INK, markeredgewidth=0.7, label="study" if i == 0 else None,
            )  # fmt: skip
        # Rare events would all stand in one corner of the full range.
        top = min(100.0, 10 * np.ceil(1.1 * max(x.max(), y.max()) / 10))
        axes.set_xlim(-0.03 * top, 1.03 * top)
        axes.set_ylim(-0.03 * top, 1.03 * top)
        axes.set_aspect("equal")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        _add_legend(figure, axes)
    below = int((y < x).sum())
    shown = MEASURES[measure].scale.back(estimate)
    alt = (
        f"{title}: {y.size} studies, pooled {measure} {shown:.2f}. In {below} of them fewer had "
        f"the event in the treated arm, in {int((y > x).sum())} more. Rates range from "
        f"{x.min():.0f} to {x.max():.0f} % in controls and {y.min():.0f} to {y.max():.0f} % in "
        "treated arms."
    )
    caption = "Each circle is a study; its area reflects its size. Below the line: fewer events."
    return Drawing(figure, title, alt, caption)


def draw_influence(
    columns: dict[str, ArrayLike],
    names: Sequence[str],
    influential: ArrayLike,
    *,
    title: str = "Influence of each study",
) -> Drawing:
    """Draw measures of influence as small multiples, a row of points per measure.

    Parameters
    ----------
    columns : dict of array_like, shape (k,)
        Label of the measure to values: rstudent, DFFITS, Cook's distance, hat, tau2 without.
    names : sequence of str
        Studies.
    influential : array_like of bool, shape (k,)
        Drawn with another marker.
    """
    marked = np.asarray(influential, dtype=np.bool_)
    k = marked.size
    if len(names) != k:
        raise ValueError("names must hold one per study")
    values = {label: read_column(column, label, k) for label, column in columns.items()}
    height = 0.24 * k + 1.3
    with theme.style():
        figure = theme.new_figure(9.0, height)
        figure.text(0.01, 1 - 0.12 / height, title, fontweight="bold", va="top", fontsize=10)
        left, gap = 0.22, 0.02
        width = (0.985 - left - gap * (len(values) - 1)) / max(1, len(values))
        bottom, tall = 0.45 / height, 1 - (0.45 + 0.75) / height
        for j, (label, column) in enumerate(values.items()):
            axes = figure.add_axes((left + j * (width + gap), bottom, width, tall))
            axes.axvline(0, color=GREY, linewidth=0.8)
            for i in range(k):
                axes.plot([0, column[i]], [i, i], color=FAINT, linewidth=1.0)
                axes.plot(
                    [column[i]], [i], "D" if marked[i] else "o", markersize=5.5,
                    color=ORANGE if marked[i] else BLUE, markeredgecolor=INK, markeredgewidth=0.5,
                )  # fmt: skip
            axes.set_ylim(k - 0.4, -0.6)
            axes.set_yticks(range(k), list(names) if j == 0 else [""] * k, fontsize=8)
            axes.tick_params(axis="y", length=0)
            axes.tick_params(axis="x", labelsize=7.5)
            axes.locator_params(axis="x", nbins=3)
            axes.set_title(label, fontsize=8.5, fontweight="normal", loc="left")
            axes.margins(x=0.12)
    which = [name for name, flag in zip(names, marked, strict=True) if flag]
    alt = f"{title}: {k} studies. Influential by the usual rules: {', '.join(which) or 'none'}."
    caption = (
        "A diamond marks a study that counts as influential (Viechtbauer and Cheung 2010): a "
        "reason to look at it, not to leave it out."
    )
    return Drawing(figure, title, alt, caption, wide=True)
