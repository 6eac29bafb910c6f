"""Figures of many fits: leave-one-out, cumulative, every subset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.figures import fonts, theme
from headway.figures.theme import BLUE, GREY, INK, ORANGE, Drawing, read_column, write_beside
from headway.messages import t

Array = NDArray[np.float64]

ROW, WIDTH = 0.25, 8.6  # inches
_NAME = 2.35  # inches of names


def draw_refits(
    names: Sequence[str],
    estimate: ArrayLike,
    ci_low: ArrayLike,
    ci_high: ArrayLike,
    whole: tuple[float, float, float],
    *,
    title: str,
    x_label: str = "effect",
    columns: Mapping[str, Sequence[str]] | None = None,
    null: float = 0.0,
    ratio: bool = False,
    percent: float = 95,
) -> Drawing:
    """Draw a row per refit with its interval, beside the result of all studies.

    Parameters
    ----------
    names : sequence of str
        What each row is: "without Smith 2001", "and Jones 1999".
    estimate, ci_low, ci_high : array_like, shape (n,)
        From :func:`headway.meta.leave_one_out` or :func:`headway.meta.cumulate`; NaN is shown as
        not estimable.
    whole : tuple of float
        Estimate and limits of all studies.
    title, x_label
        Texts.
    columns : mapping of str to sequence of str, optional
        Further text columns, such as I² and tau².
    null : float
        No effect; NaN where no value means that.
    ratio : bool
        The numbers are ratios, on a log axis.
    percent : float
        Coverage of the intervals.
    """
    n = len(names)
    value = read_column(estimate, "estimate", n)
    low, high = read_column(ci_low, "ci_low", n), read_column(ci_high, "ci_high", n)
    extra = dict(columns or {})
    told = [fonts.wrap(str(name), _NAME, 8.5) for name in names]
    heights = np.array([max(1.0, 0.62 * len(lines)) for lines in told] + [1.0])
    places = np.cumsum(heights) - heights / 2 - 0.5  # 0, 1, 2 … where every name is one line
    head = fonts.wrap(title, 8.4, 10, bold=True)
    top = 0.47 + 0.15 * len(head)
    height = ROW * heights.sum() + 0.62 + top + 0.1
    with theme.style():
        figure = theme.new_figure(WIDTH, height)
        figure.text(
            0.01, 1 - 0.1 / height, "\n".join(head), fontweight="bold", va="top", fontsize=10
        )
        right = 0.205 + 0.075 * len(extra)
        bottom, tall = 0.62 / height, 1 - (0.62 + top) / height
        axes = figure.add_axes((0.30, bottom, 0.68 - right, tall))
        ends = np.concatenate([low, high, whole[1:], [null]])
        ends = ends[np.isfinite(ends) & ((ends > 0) if ratio else True)]
        reach = np.log(ends) if ratio else ends
        pad = 0.06 * max(np.ptp(reach), 1e-300)
        limits = (float(reach.min() - pad), float(reach.max() + pad))
        if not np.isnan(null):
            axes.axvline(null, color=GREY, linewidth=0.9)
        axes.axvspan(whole[1], whole[2], color="#e3e7ea", linewidth=0)
        axes.axvline(whole[0], color=BLUE, linestyle="--", linewidth=1.2)
        for i in range(n):
            if not np.isfinite(value[i]):
                continue
            away = (low[i] > null) or (high[i] < null)
            axes.plot([low[i], high[i]], [places[i]] * 2, color=INK, linewidth=1.2)
            axes.plot(
                [value[i]], [places[i]], "s" if away else "o", color=INK if away else "white",
                markeredgecolor=INK, markersize=5.5,
            )  # fmt: skip
        axes.plot(
            [whole[1], whole[0], whole[2], whole[0], whole[1]],
            places[n] + np.array([0, -0.28, 0, 0.28, 0]),
            color=BLUE, linewidth=1.4,
        )  # fmt: skip
        axes.set_ylim(places[n] + 0.7, -0.7)
        if ratio:
            theme.set_ratio_axis(axes, *map(float, np.exp(limits)))
        else:
            axes.set_xlim(*limits)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(x_label)
        rows = [*zip(names, value, low, high, strict=True), (t("forest.all_studies"), *whole)]
        for i, (name, middle, a, b) in enumerate(rows):
            known = np.isfinite(middle)
            numbers = t("forest.not_estimable")
            if known:
                numbers = theme.write_interval(float(middle), float(a), float(b), ratio)
            weight = "bold" if i == n else "normal"
            shown = name if i == n else "\n".join(told[i])
            write_beside(axes, 0, places[i], shown, "right", -10, weight)
            write_beside(axes, 1, places[i], numbers, "left", 10, weight)
            for j, cells in enumerate(extra.values()):
                if i < n:
                    write_beside(axes, 1, places[i], cells[i], "left", 132 + 46 * j, weight)
        for j, column in enumerate(extra):
            write_beside(axes, 1, -0.95, column, "left", 132 + 46 * j, "bold")
    moved = [(abs(v - whole[0]), name) for v, name in zip(value, names, strict=True) if v == v]
    most = max(moved)[1] if moved else t("refits.not_known")
    include = int(((low <= null) & (high >= null)).sum())
    three = [theme.write_effect(float(x), ratio) for x in whole]
    least, most_of = (theme.write_effect(float(f(value)), ratio) for f in (np.nanmin, np.nanmax))
    alt = t(
        "refits.alt",
        title=title,
        n=n,
        name=most,
        percent=f"{percent:g}",
        least=least,
        most=most_of,
        **dict(zip(("value", "low", "high"), three, strict=True)),
    )
    caption = t("refits.caption")
    if not np.isnan(null):
        alt += " " + t("refits.alt_null", n=include)
        caption += " " + t("refits.caption_null", null=f"{null:g}")
    return Drawing(figure, title, alt, caption, wide=True)


def draw_refits_in_parts(
    names: Sequence[str],
    estimate: ArrayLike,
    ci_low: ArrayLike,
    ci_high: ArrayLike,
    whole: tuple[float, float, float],
    *,
    shape: float = np.inf,
    **more: Any,
) -> list[Drawing]:
    """Draw refits as :func:`draw_refits` does, in parts no higher than `shape` times their width.

    The result of all studies stands in each part.
    """
    rows = [max(1.0, 0.62 * len(fonts.wrap(str(name), _NAME, 8.5))) for name in names]
    value, low, high = (read_column(column, "refits") for column in (estimate, ci_low, ci_high))
    # Room for the title of two lines, the axis and the last row.
    most = (shape * WIDTH - 1.75) / ROW
    parts = [
        draw_refits(names[part], value[part], low[part], high[part], whole, **more)
        for part in theme.split_rows(rows, most)
    ]
    return theme.name_parts(parts)


def draw_gosh(
    estimate: ArrayLike,
    i2: ArrayLike,
    *,
    without: ArrayLike | None = None,
    name: str = "",
    title: str = "Every subset of studies",
    x_label: str = "effect",
) -> Drawing:
    """Draw the results of all subsets: estimate against I², with their distributions.

    Parameters
    ----------
    estimate, i2 : array_like, shape (subsets,)
        From :func:`headway.meta.gosh`.
    without : array_like of bool, shape (subsets,), optional
        Subsets without the study `name`; drawn as contours over the rest.
    name : str
        That study.
    title, x_label
        Texts.
    """
    x = read_column(estimate, "estimate")
    y = read_column(i2, "i2", x.size)
    with theme.style():
        figure = theme.new_figure(6.4, 5.6)
        figure.text(0.02, 0.975, title, fontweight="bold", va="top", fontsize=10)
        axes = figure.add_axes((0.12, 0.18, 0.66, 0.56))
        top = figure.add_axes((0.12, 0.76, 0.66, 0.14), sharex=axes)
        side = figure.add_axes((0.80, 0.18, 0.16, 0.56), sharey=axes)
        low, high = np.quantile(x, [0.002, 0.998]) if x.size > 50 else (x.min(), x.max())
        pad = 0.05 * max(high - low, 1e-9 * max(1.0, abs(high)), 1e-300)
        box = ((low - pad, high + pad), (-2.0, 102.0))
        counts, x_edges, y_edges = np.histogram2d(x, y, bins=60, range=box)
        shown = np.where(counts > 0, np.log10(np.maximum(counts, 1)) + 0.4, np.nan)
        axes.pcolormesh(x_edges, y_edges, shown.T, cmap="Greys", vmin=0, rasterized=True)
        if without is not None:
            gone = np.asarray(without, dtype=np.bool_)
            own, _, _ = np.histogram2d(x[gone], y[gone], bins=30, range=box)
            middle = [(edges[1:] + edges[:-1]) / 2 for edges in (
                np.linspace(*box[0], 31), np.linspace(*box[1], 31)
            )]  # fmt: skip
            if own.max() > 0:
                axes.contour(
                    *middle, own.T, levels=own.max() * np.array([0.05, 0.3, 0.7]), colors=ORANGE,
                    linewidths=1.2,
                )  # fmt: skip
            axes.plot([], [], color=ORANGE, linewidth=1.2, label=f"subsets without {name}")
        top.hist(x, bins=60, range=box[0], color=GREY)
        side.hist(y, bins=60, range=box[1], color=GREY, orientation="horizontal")
        for part in (top, side):
            part.set_axis_off()
        axes.set_xlim(*box[0])
        axes.set_ylim(*box[1])
        axes.set_xlabel(x_label)
        axes.set_ylabel("I², %")
        handles, labels = axes.get_legend_handles_labels()
        if handles:
            figure.legend(
                handles, labels, loc="lower center", frameon=False, fontsize=8.5,
                bbox_to_anchor=(0.45, 0.005),
            )  # fmt: skip
    quantiles = np.quantile(x, [0.025, 0.5, 0.975])
    alt = (
        f"{title}: {x.size:,} subsets. Estimates: median {quantiles[1]:.2f}, 95 % of them between "
        f"{quantiles[0]:.2f} and {quantiles[2]:.2f}; I² median {np.median(y):.0f} %."
    )
    if without is not None and gone.any() and (~gone).any():
        alt += (
            f" Subsets without {name} have a median of {np.median(x[gone]):.2f}, those with it "
            f"{np.median(x[~gone]):.2f}."
        )
    caption = (
        "Darker: more subsets (logarithmic). Two separate clouds mean that one study decides. The "
        "outer 0.4 % of the subsets are not drawn."
    )
    return Drawing(figure, title, alt, caption)
