"""Forest plot with posteriors: each trial as pooled and shrunken, the mean, and a new trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headway.effects.measures import MEASURES
from headway.effects.shared import Scale
from headway.effects.units import name_unit
from headway.figures import fonts, theme
from headway.figures.review.sheet import (
    SCREEN,
    Form,
    Line,
    draw_interval,
    find_limits,
    leaves_axis,
    set_axis,
)
from headway.figures.theme import BLUE, FAINT, GREY, INK, ORANGE, Drawing
from headway.messages import say, t

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from headway.config.review import Comparison

ROW, WIDTH = 0.34, 9.6  # inches
_NAME, _GAP, _SIZE = 2.45, 0.18, 8.5  # inches of names and between columns, points of type
_APART = 0.17  # of a trial's two intervals from the middle of its row, in rows
_CURVE = 1.7  # rows that a density takes
_HEAD, _FOOT = 0.42, 0.62  # inches above and below the axis


@dataclass(frozen=True, slots=True)
class _Row:
    """A trial: its name in lines, and what is drawn of it."""

    name: str
    lines: tuple[str, ...]
    pooled: Line
    shrunken: Line

    @property
    def height(self) -> float:
        return max(1.0, 0.44 * len(self.lines) + 0.3)


@dataclass(frozen=True, slots=True)
class _Places:
    """The axis: its width in inches, its limits, and where columns begin right of it."""

    plot: float
    limits: tuple[float, float]
    starts: tuple[float, float]
    ratio: bool


@dataclass(frozen=True, slots=True)
class _Curve:
    """A posterior: its name, summary and density."""

    name: str
    line: Line
    x: Any
    density: Any
    colour: str


def draw_posterior(
    bayes: pd.DataFrame,
    trials: pd.DataFrame,
    density: pd.DataFrame,
    comparison: Comparison,
    *,
    form: Form = SCREEN,
) -> list[Drawing]:
    """Draw one comparison under its declared prior.

    Parameters
    ----------
    bayes
        Row of table `bayes` of the declared prior.
    trials, density
        Rows of tables `bayes_trials` and `bayes_density` of this comparison.
    comparison
        Its entry in review.yaml: label and measure.
    form
        Where it limits the height, the trials come in parts, each with the posteriors below.

    Returns
    -------
    list of Drawing
        One, or its parts.
    """
    scale = MEASURES[comparison.measure].scale
    answer = bayes.iloc[0].to_dict()
    rows = [_read_row(row, scale) for row in trials.to_dict("records")]
    curves = [
        _read_curve(answer, density, scale, "mu", t("posterior.mean"), ORANGE),
        _read_curve(answer, density, scale, "new", t("posterior.new"), BLUE),
    ]
    lines = [*(row.pooled for row in rows), *(curve.line for curve in curves)]
    places = _place(rows, curves, find_limits(lines, scale), scale)
    title = t("posterior.title", label=comparison.label)
    unit = say(name_unit(MEASURES[comparison.measure].unit or str(answer["unit"])))
    label = comparison.measure if scale.code == "ratio" else f"{comparison.measure}, {unit}"
    most = (form.tall / form.width * WIDTH - 1.6) / ROW - 2 * _CURVE
    alt, caption = _describe(title, answer, rows, curves, scale), _caption(answer)
    if leaves_axis(lines, scale):
        caption += " " + t("forest.arrow")
    drawings = [
        Drawing(
            _draw(rows[part], curves, places, scale, title, label, answer["threshold"]),
            title,
            alt,
            caption,
            wide=True,
        )
        for part in theme.split_rows([row.height for row in rows], most)
    ]
    return theme.name_parts(drawings)


def _read_row(row: Mapping[str, Any], scale: Scale) -> _Row:
    pooled, shrunken = (
        Line("row", value=values[0], low=values[1], high=values[2])
        for values in (
            [float(scale.back(row[c])) for c in columns]
            for columns in (("yi", "ci_low", "ci_high"), ("median", "low", "high"))
        )
    )
    name = str(row["trial"])
    return _Row(name, tuple(fonts.wrap(name, _NAME - 0.2, _SIZE)), pooled, shrunken)


def _read_curve(
    answer: Mapping[str, Any],
    density: pd.DataFrame,
    scale: Scale,
    of: str,
    name: str,
    colour: str,
) -> _Curve:
    value, low, high = (
        float(scale.back(answer[f"{of}_{end}"])) for end in ("median", "low", "high")
    )
    kind = "diamond" if of == "mu" else "band"
    own = density[density["of"] == of]
    line = Line(kind, value=value, low=low, high=high)
    return _Curve(name, line, own["x"].to_numpy(float), own["density"].to_numpy(float), colour)


def _place(
    rows: Sequence[_Row], curves: Sequence[_Curve], limits: tuple[float, float], scale: Scale
) -> _Places:
    """Give each column the width of its longest cell, and the axis what is left."""
    ratio = scale.code == "ratio"
    cells = (
        [row.pooled for row in rows],
        [*(row.shrunken for row in rows), *(curve.line for curve in curves)],
    )
    heads = (t("posterior.as_pooled"), t("posterior.shrunken"))
    first, second = (
        max(fonts.measure(text, _SIZE, bold=True) for text in (head, *map(_tell_by(ratio), column)))
        for head, column in zip(heads, cells, strict=True)
    )
    plot = max(WIDTH - _NAME - first - second - 3 * _GAP, 1.5)
    return _Places(plot, limits, (_GAP, 2 * _GAP + first), ratio)


def _tell_by(ratio: bool) -> Callable[[Line], str]:
    """Make what writes a line's numbers."""
    return lambda line: theme.write_interval(line.value, line.low, line.high, ratio)


# ---- drawing -------------------------------------------------------------------------------------


def _draw(
    rows: Sequence[_Row],
    curves: Sequence[_Curve],
    places: _Places,
    scale: Scale,
    title: str,
    label: str,
    threshold: float,
) -> Any:
    """Draw some of the trials above the posteriors."""
    heights = [row.height for row in rows]
    total = sum(heights) + 0.3 + _CURVE * len(curves)
    head = fonts.wrap(title, WIDTH - 0.4, 10, bold=True)
    top = _HEAD + 0.17 * len(head)
    inches = ROW * total + top + _FOOT
    limits = places.limits
    with theme.style():
        figure = theme.new_figure(WIDTH, inches)
        text = "\n".join(head)
        figure.text(0.01, 1 - 0.1 / inches, text, fontweight="bold", va="top", fontsize=10)
        where = (_NAME / WIDTH, _FOOT / inches, places.plot / WIDTH, ROW * total / inches)
        axes = figure.add_axes(where)
        axes.set_ylim(total, 0)
        set_axis(axes, limits, scale, 6 if places.plot > 3 else 3)
        axes.set_xlabel(label)
        if math.isfinite(threshold) and limits[0] < threshold < limits[1]:
            axes.axvline(threshold, color=INK, linewidth=1.0, linestyle=":", zorder=1)
        for i, name in enumerate(("posterior.as_pooled", "posterior.shrunken")):
            colour = GREY if i == 0 else BLUE
            _write(axes, 1, places.starts[i], -0.5, t(name), bold=True, colour=colour)
        y = 0.0
        for row in rows:
            _draw_row(axes, row, y + row.height / 2, places)
            y += row.height
        axes.axhline(y + 0.15, color=FAINT, linewidth=0.8)
        y += 0.3
        for curve in curves:
            y += _CURVE
            _draw_curve(axes, curve, y - 0.25, places)
    return figure


def _draw_row(axes: Axes, row: _Row, y: float, places: _Places) -> None:
    """Draw a trial's interval as pooled and, below it, the shrunken one."""
    limits = places.limits
    for i, (line, marker, colour, kind) in enumerate(
        (
            (row.pooled, "s", GREY, "posterior.as_pooled"),
            (row.shrunken, "o", BLUE, "posterior.shrunken"),
        )
    ):
        at = y + (_APART if i else -_APART)
        draw_interval(axes, line, at, limits, colour, 1.3)
        numbers = _tell_by(places.ratio)(line)
        if limits[0] <= line.value <= limits[1]:
            (mark,) = axes.plot(
                [line.value], [at], marker=marker, markersize=5, color=colour, linestyle="none",
                zorder=3,
            )  # fmt: skip
            theme.tip(
                axes, mark, [t("posterior.tip", name=row.name, kind=t(kind), numbers=numbers)]
            )
        _write(axes, 1, places.starts[i], y, numbers)
    _write(axes, 0, 0.12 - _NAME, y, "\n".join(row.lines))


def _draw_curve(axes: Axes, curve: _Curve, y: float, places: _Places) -> None:
    """Draw a density above its median and interval."""
    limits = places.limits
    inside = (curve.x >= limits[0]) & (curve.x <= limits[1])
    peak = float(curve.density.max()) if curve.density.size else 0.0
    if peak > 0:
        x, tall = curve.x[inside], curve.density[inside] / peak * (_CURVE - 0.5)
        axes.fill_between(x, y - tall, y, color=curve.colour, alpha=0.3, linewidth=0, zorder=2)
        axes.plot(x, y - tall, color=curve.colour, linewidth=1.1, zorder=2)
    draw_interval(axes, curve.line, y, limits, INK, 2.4)
    line = curve.line
    numbers = _tell_by(places.ratio)(line)
    if limits[0] <= line.value <= limits[1]:
        (mark,) = axes.plot(
            [line.value], [y], marker="D", markersize=6, color=curve.colour, markeredgecolor=INK,
            markeredgewidth=0.7, linestyle="none", zorder=4,
        )  # fmt: skip
        theme.tip(axes, mark, [f"{curve.name}: {numbers}"])
    name = "\n".join(fonts.wrap(curve.name, _NAME - 0.2, _SIZE, bold=True))
    _write(axes, 0, 0.12 - _NAME, y - 0.3, name, bold=True)
    _write(axes, 1, places.starts[1], y - 0.3, numbers, bold=True)


def _write(
    axes: Axes,
    side: int,
    inches: float,
    y: float,
    text: str,
    *,
    bold: bool = False,
    colour: str = INK,
) -> None:
    """Write text that begins so many inches from a side of the axis."""
    axes.annotate(
        text, (side, y), xycoords=("axes fraction", "data"), xytext=(72 * inches, 0),
        textcoords="offset points", ha="left", va="center", fontsize=_SIZE, color=colour,
        fontweight="bold" if bold else "normal", annotation_clip=False, linespacing=1.1,
    )  # fmt: skip


# ---- words ---------------------------------------------------------------------------------------


def _describe(
    title: str,
    answer: Mapping[str, Any],
    rows: Sequence[_Row],
    curves: Sequence[_Curve],
    scale: Scale,
) -> str:
    tell = _tell_by(scale.code == "ratio")
    mean, new = (tell(curve.line) for curve in curves)
    percent = 100 * answer["level"]
    parts = [t("posterior.alt", title=title, k=len(rows), mean=mean, new=new, percent=percent)]
    parts += [
        t("posterior.alt_row", trial=r.name, pooled=tell(r.pooled), shrunken=tell(r.shrunken))
        for r in rows
    ]
    return " ".join(parts)


def _caption(answer: Mapping[str, Any]) -> str:
    prior, percent = say(answer["tau_prior"]), 100 * answer["level"]
    text = t("posterior.caption", percent=percent, prior=prior)
    if math.isfinite(answer["threshold"]):
        shown = theme.write_effect(answer["threshold"])
        text += " " + t("posterior.caption_threshold", threshold=shown)
    return text
