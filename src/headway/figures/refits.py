"""Figures of many fits: leave-one-out, cumulative, every subset, the specification curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.figures import theme
from headway.figures.theme import BLUE, FAINT, GREY, INK, ORANGE, Drawing
from headway.messages import decimal, say, t

Array = NDArray[np.float64]

ROW = 0.25
MAX_DRAWN = 400


def _read(values: ArrayLike, name: str, n: int | None = None) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or (n is not None and array.size != n):
        raise ValueError(f"{name} must hold one number per row")
    return array


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
        No effect.
    """
    n = len(names)
    value = _read(estimate, "estimate", n)
    low, high = _read(ci_low, "ci_low", n), _read(ci_high, "ci_high", n)
    extra = dict(columns or {})
    height = ROW * (n + 1) + 1.35
    with theme.style():
        figure = theme.new_figure(8.6, height)
        figure.text(0.01, 1 - 0.1 / height, title, fontweight="bold", va="top", fontsize=10)
        right = 0.18 + 0.075 * len(extra)
        bottom, tall = 0.62 / height, 1 - (0.62 + 0.62) / height
        axes = figure.add_axes((0.30, bottom, 0.68 - right, tall))
        ends = np.concatenate([low, high, whole[1:], [null]])
        ends = ends[np.isfinite(ends)]
        pad = 0.06 * max(np.ptp(ends), 1e-300)
        axes.axvline(null, color=GREY, linewidth=0.9)
        axes.axvspan(whole[1], whole[2], color="#e3e7ea", linewidth=0)
        axes.axvline(whole[0], color=BLUE, linestyle="--", linewidth=1.2)
        for i in range(n):
            if not np.isfinite(value[i]):
                continue
            away = (low[i] > null) or (high[i] < null)
            axes.plot([low[i], high[i]], [i, i], color=INK, linewidth=1.2)
            axes.plot(
                [value[i]], [i], "s" if away else "o", color=INK if away else "white",
                markeredgecolor=INK, markersize=5.5,
            )  # fmt: skip
        axes.plot(
            [whole[1], whole[0], whole[2], whole[0], whole[1]],
            [n, n - 0.28, n, n + 0.28, n],
            color=BLUE, linewidth=1.4,
        )  # fmt: skip
        axes.set_ylim(n + 0.7, -0.7)
        axes.set_xlim(ends.min() - pad, ends.max() + pad)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(x_label)
        rows = [*zip(names, value, low, high, strict=True), ("all studies", *whole)]
        for i, (name, middle, a, b) in enumerate(rows):
            known = np.isfinite(middle)
            numbers = f"{middle:.2f} [{a:.2f}, {b:.2f}]" if known else "not estimable"
            weight = "bold" if i == n else "normal"
            _write(axes, 0, i, str(name), "right", -10, weight)
            _write(axes, 1, i, numbers.replace("-", "−"), "left", 10, weight)
            for j, cells in enumerate(extra.values()):
                if i < n:
                    _write(axes, 1, i, cells[i], "left", 118 + 46 * j, weight)
        for j, head in enumerate(extra):
            _write(axes, 1, -0.95, head, "left", 118 + 46 * j, "bold")
    moved = [(abs(v - whole[0]), name) for v, name in zip(value, names, strict=True) if v == v]
    most = max(moved)[1] if moved else "none"
    include = int(((low <= null) & (high >= null)).sum())
    alt = (
        f"{title}: {n} refits beside all studies, {whole[0]:.2f} (95 % CI {whole[1]:.2f} to "
        f"{whole[2]:.2f}). Estimates run from {np.nanmin(value):.2f} to {np.nanmax(value):.2f}; "
        f"the largest move is that of {most}; {include} of the intervals include no effect."
    )
    caption = (
        "Broken line and shade: all studies, with their interval. A filled square is an interval "
        "that excludes no effect, an open circle one that includes it."
    )
    return Drawing(figure, title, alt, caption, wide=True)


def _write(
    axes: Any, side: float, y: float, text: str, align: str, shift: float, weight: str
) -> None:
    axes.annotate(
        text, (side, y), xycoords=("axes fraction", "data"), xytext=(shift, 0),
        textcoords="offset points", ha=align, va="center", fontsize=8.5, fontweight=weight,
        annotation_clip=False,
    )  # fmt: skip


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
    x = _read(estimate, "estimate")
    y = _read(i2, "i2", x.size)
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
        "Darker: more subsets (logarithmic). Two clouds apart mean that one study decides. Outside "
        "0.4 % of the subsets are cut off."
    )
    return Drawing(figure, title, alt, caption)


def draw_specifications(
    choices: Mapping[str, Sequence[str]],
    estimate: ArrayLike,
    ci_low: ArrayLike,
    ci_high: ArrayLike,
    *,
    declared: int = 0,
    title: str = "Specification curve",
    x_label: str = "specifications, sorted by estimate",
    y_label: str = "effect",
    null: float = 0.0,
    null_name: str = "no effect",
) -> Drawing:
    """Draw all specifications of a multiverse, sorted, over what each of them chooses.

    Parameters
    ----------
    choices : mapping of str to sequence of str
        Factor to the level each specification takes; factors with one level are left out.
    estimate, ci_low, ci_high : array_like, shape (n,)
        In one unit.
    declared : int
        Number of the declared specification.
    title, x_label, y_label
        Texts.
    null, null_name : float, str
        No effect, and its name (a clinic's own change is never called an effect).

    Notes
    -----
    Simonsohn, Simmons and Nelson (2020). Of more than 400 specifications every m-th of the sorted
    ones is drawn, the ends and the declared one among them; the alt text counts all.
    """
    value = _read(estimate, "estimate")
    n = value.size
    low, high = _read(ci_low, "ci_low", n), _read(ci_high, "ci_high", n)
    if n == 0:
        raise ValueError("there are no specifications to draw")
    order = np.argsort(value, kind="stable")
    place = int(np.flatnonzero(order == declared)[0])
    step = int(np.ceil(n / MAX_DRAWN))
    kept = np.unique(np.concatenate([np.arange(0, n, step), [place, n - 1]]))
    shown = order[kept]
    lists = {}
    for factor, levels in choices.items():
        if len(levels) != n:
            raise ValueError(f"factor {factor!r} must hold one level per specification")
        several = list(dict.fromkeys(levels))
        if len(several) > 1:
            lists[factor] = several
    rows = sum(len(levels) for levels in lists.values()) + 0.8 * len(lists)
    height = 3.4 + 0.2 * rows + 0.5
    away = (low > null) | (high < null)
    with theme.style():
        figure = theme.new_figure(8.6, height)
        figure.text(0.01, 1 - 0.1 / height, title, fontweight="bold", va="top", fontsize=10)
        left, width = 0.27, 0.70
        curve = figure.add_axes((left, 1 - 3.05 / height, width, 2.3 / height))
        x = np.arange(shown.size)
        size = float(np.clip(320 / shown.size, 1.6, 5.0))
        for flag, colour, mark, label in (
            (True, INK, "s", say(f"interval excludes {null_name}")),
            (False, GREY, "o", t("interval includes it")),
        ):
            some = away[shown] == flag
            curve.vlines(x[some], low[shown][some], high[shown][some], color=FAINT, linewidth=0.9)
            curve.plot(
                x[some], value[shown][some], mark, color=colour if flag else "white",
                markeredgecolor=colour, markersize=size, markeredgewidth=0.7, linestyle="none",
                label=label,
            )  # fmt: skip
        at = int(np.flatnonzero(kept == place)[0])
        curve.vlines([at], low[declared], high[declared], color=ORANGE, linewidth=1.6)
        curve.plot(
            [at], [value[declared]], "D", color=ORANGE, markeredgecolor=INK, markersize=7,
            linestyle="none", label=t("declared"),
        )  # fmt: skip
        curve.axhline(null, color=GREY, linewidth=0.9)
        curve.set_xlim(-0.02 * shown.size - 1, 1.02 * shown.size)
        curve.set_ylabel(y_label)
        curve.set_xticks([])
        # A few endless intervals must not flatten the rest.
        ends = np.concatenate([low, high])
        ends = ends[np.isfinite(ends)]
        core = np.quantile(ends, [0.05, 0.95])
        span = max(core[1] - core[0], np.ptp(value))
        bottom = min(core[0], value.min(), null) - 0.1 * span
        top = max(core[1], value.max(), null) + 0.1 * span
        edge = 0.05 * span
        if np.ptp(ends) <= 2 * span:
            bottom, top = -np.inf, np.inf
        bottom, top = max(bottom, ends.min() - edge), min(top, ends.max() + edge)
        curve.set_ylim(bottom, top)
        for cut, at_edge, sign in (
            (low[shown] < bottom, bottom, "v"),
            (high[shown] > top, top, "^"),
        ):
            curve.plot(
                x[cut], np.full(int(cut.sum()), at_edge), sign, color=GREY, markersize=3,
                clip_on=False,
            )  # fmt: skip
        figure.legend(
            *curve.get_legend_handles_labels(), loc="upper right", ncols=3, frameon=False,
            fontsize=8.5, bbox_to_anchor=(0.985, 1 - 0.3 / height),
        )  # fmt: skip
        if lists:
            below = figure.add_axes((left, 0.42 / height, width, 0.2 * rows / height))
            y = 0.0
            for factor, levels in lists.items():
                _write(below, 0, y, factor, "right", -8, "bold")
                y += 0.8
                for level in levels:
                    taken = np.array([choices[factor][i] == level for i in shown])
                    below.plot(
                        x[taken], np.full(taken.sum(), y), "|", color=INK, markersize=6,
                        markeredgewidth=float(np.clip(160 / shown.size, 0.5, 2.0)),
                    )  # fmt: skip
                    text = level if len(str(level)) <= 34 else f"{str(level)[:33]}…"
                    _write(below, 0, y, str(text), "right", -8, "normal")
                    y += 1.0
            below.axvline(at, color=ORANGE, linewidth=1.0, zorder=0)
            below.set_ylim(y - 0.4, -0.6)
            below.set_xlim(curve.get_xlim())
            below.set_yticks([])
            below.set_xticks([])
            below.spines["left"].set_visible(False)
            below.set_xlabel(x_label)
    same = np.sign(value - null) == np.sign(value[declared] - null)
    alt = t(
        "{title}: {n} specifications, estimates from {least} to {most}, declared {declared} "
        "({low} to {high}). {same} % lie on the declared side of {null}, {away} % with an "
        "interval that excludes it.",
        title=title,
        n=n,
        least=decimal(f"{value.min():.2f}"),
        most=decimal(f"{value.max():.2f}"),
        declared=decimal(f"{value[declared]:.2f}"),
        low=decimal(f"{low[declared]:.2f}"),
        high=decimal(f"{high[declared]:.2f}"),
        same=f"{100 * same.mean():.0f}",
        null=say(null_name),
        away=f"{100 * (same & away).mean():.0f}",
    )
    caption = t(
        "Above: each way to analyse, sorted, with its interval (long ones are cut). Below: what it "
        "chooses."
    )
    if step > 1:
        caption += " " + t("Every {step}th of {n} is drawn.", step=step, n=n)
    return Drawing(figure, title, alt, caption, wide=True)
