"""Bubble plots: effects of trials against a moderator, with the line of the meta-regression."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.figures import theme
from headway.figures.theme import BLUE, GREY, INK, ORANGE, Drawing, read_column, write_effect
from headway.messages import decimal, t

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

WIDTH, HEIGHT = 6.4, 4.8
PLACE = (0.13, 0.24, 0.84, 0.64)
SMALLEST, LARGEST = 4.0, 18.0  # diameters in points
CROWD = 20  # trials from which circles shrink
BAND = "#cfd5da"


def draw_bubbles(
    x: ArrayLike,
    effects: ArrayLike,
    weights: ArrayLike,
    *,
    title: str,
    line: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike] | None = None,
    prediction: tuple[ArrayLike, ArrayLike] | None = None,
    names: Sequence[str] = (),
    x_label: str = "moderator",
    y_label: str = "effect",
    null: float = 0.0,
    ratio: bool = False,
    level: float = 0.95,
) -> Drawing:
    """Draw effects against a moderator, areas by weight, with the fitted line.

    Parameters
    ----------
    x, effects, weights : array_like, shape (k,)
        Moderator, effects as they are shown (ratios as ratios), weights in percent.
    title
        Text above the axes.
    line : four array_like, optional
        Values of the moderator, fitted effects and their confidence limits
        (:meth:`headway.meta.Regression.predict`), on the scale of `effects`.
    prediction : two array_like, optional
        Limits of the prediction interval at the values of `line`.
    names : sequence of str, optional
        Trials, said at the pointer.
    x_label, y_label
        Texts.
    null : float
        No effect, drawn as a line; NaN where no value means that.
    ratio : bool
        Whether the axis of effects is a log axis.
    level : float
        Of the intervals.
    """
    across = read_column(x, "x")
    y = read_column(effects, "effects", across.size)
    w = read_column(weights, "weights", across.size)
    percent = decimal(f"{100 * level:g}")
    parts: list[Array] = [y]
    fitted: tuple[Array, Array, Array, Array] | None = None
    if line is not None:
        at, fit, low, high = (read_column(part, "line") for part in line)
        fitted = at, fit, low, high
        parts.append(fit)
    limits = _find_limits(np.concatenate(parts), null, ratio)
    with theme.style():
        figure = theme.new_figure(WIDTH, HEIGHT)
        axes = figure.add_axes(PLACE)
        heading = textwrap.fill(title, 68)
        figure.text(0.02, 0.98, heading, fontweight="bold", va="top", fontsize=10)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        if np.isfinite(null):
            axes.axhline(null, color=GREY, linewidth=0.8)
        if fitted is not None:
            _draw_line(axes, fitted, prediction, percent)
        _draw_circles(axes, across, y, w, names, x_label, ratio)
        pad = 0.06 * (float(np.ptp(across)) or 1.0)
        axes.set_xlim(across.min() - pad, across.max() + pad)
        if ratio:
            theme.set_ratio_axis(axes, *limits, which="y")
        else:
            axes.set_ylim(*limits)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="lower center", ncols=2, frameon=False, fontsize=8.5,
            bbox_to_anchor=(0.5, 0.005),
        )  # fmt: skip
        theme.write_commas(figure)
    alt = t("bubbles.alt", title=title, n=y.size, x=x_label, low=_g(across.min()),
            high=_g(across.max()))  # fmt: skip
    if fitted is not None:
        alt += " " + _say_line(fitted, ratio, percent)
    caption = t("bubbles.caption")
    if fitted is not None and _is_cut(fitted, prediction, limits):
        caption += " " + t("bubbles.cut")
    return Drawing(figure, title, alt, caption)


def _g(value: float) -> str:
    return decimal(f"{value:.5g}").replace("-", "−")


def _find_limits(values: Array, null: float, ratio: bool) -> tuple[float, float]:
    """Find limits that hold every trial and the line; bands may reach beyond them."""
    shown = values[np.isfinite(values)]
    shown = np.append(shown, null) if np.isfinite(null) else shown
    places = np.log(shown) if ratio else shown
    low, high = float(places.min()), float(places.max())
    pad = 0.25 * (high - low) or 1.0
    ends = (low - pad, high + pad)
    return (float(np.exp(ends[0])), float(np.exp(ends[1]))) if ratio else ends


def _draw_line(
    axes: Axes,
    fitted: tuple[Array, Array, Array, Array],
    prediction: tuple[ArrayLike, ArrayLike] | None,
    percent: str,
) -> None:
    at, fit, low, high = fitted
    axes.fill_between(
        at, low, high, color=BAND, linewidth=0, label=t("bubbles.band", percent=percent)
    )
    axes.plot(at, fit, color=BLUE, linewidth=1.5, label=t("bubbles.fitted"))
    for i, edge in enumerate(prediction or ()):
        values = read_column(edge, "prediction", at.size)
        if np.isfinite(values).any():
            axes.plot(
                at, values, color=BLUE, linestyle=":", linewidth=1.2,
                label=t("bubbles.prediction", percent=percent) if i == 0 else None,
            )  # fmt: skip


def _draw_circles(
    axes: Axes,
    x: Array,
    y: Array,
    weights: Array,
    names: Sequence[str],
    x_label: str,
    ratio: bool,
) -> None:
    """Draw the heaviest trials first, so that no other is hidden behind them."""
    top = np.nanmax(weights) if weights.size else 1.0
    largest = SMALLEST + (LARGEST - SMALLEST) * min(1.0, np.sqrt(CROWD / max(1, x.size)))
    size = SMALLEST + (largest - SMALLEST) * np.sqrt(np.nan_to_num(weights) / (top or 1.0))
    circles: Any = {"color": ORANGE, "alpha": 0.6, "markeredgecolor": INK, "markeredgewidth": 0.7}
    axes.plot([], [], "o", markersize=7, label=t("bubbles.trial"), **circles)
    for i in np.argsort(-size, kind="stable"):
        (circle,) = axes.plot(
            [x[i]], [y[i]], "o", markersize=size[i], zorder=3, **circles
        )  # fmt: skip
        if names:
            told = f"{names[i]}: {x_label} {_g(x[i])}, {write_effect(y[i], ratio)}"
            theme.tip(axes, circle, [f"{told}, {_g(weights[i])} %"])


def _is_cut(
    fitted: tuple[Array, ...],
    prediction: tuple[ArrayLike, ArrayLike] | None,
    limits: tuple[float, float],
) -> bool:
    edges = np.concatenate([*fitted[2:], *(np.asarray(one, float) for one in prediction or ())])
    return bool((edges < limits[0]).any() or (edges > limits[1]).any())


def _say_line(fitted: tuple[Array, Array, Array, Array], ratio: bool, percent: str) -> str:
    at, fit, low, high = fitted
    ends = {}
    for name, i in (("first", 0), ("last", -1)):
        values = (write_effect(v[i], ratio) for v in (fit, low, high))
        places = dict(zip(("value", "low", "high"), values, strict=True))
        ends[name] = t("bubbles.end", **places, percent=percent, x=_g(at[i]))
    return t("bubbles.line", **ends)
