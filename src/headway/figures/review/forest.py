"""Forest plots."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import MEASURES, find_family
from headway.figures import theme
from headway.figures.theme import BLUE, FAINT, GREY, INK, ORANGE, Drawing
from headway.messages import read, say, t
from headway.reviews.totals import describe_row

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from headway.config.review import Comparison

# What stands beside a trial, by family of its measure.
_NUMBERS = {
    "counts": "forest.events_n",
    "proportions": "forest.events_n",
    "rates": "forest.events_person_years",
    "correlations": "forest.n_r",
    "reliability": "forest.n_alpha",
}
MARK = " †"  # beside a trial whose numbers are not all printed
ROW = 0.27  # inches a line
_TESTS = {
    "z": "normal interval",
    "t": "t interval",
    "knha": "Hartung–Knapp interval",
    "adhoc": "Hartung–Knapp interval with ad hoc floor",
    "kr": "Kenward–Roger interval",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a forest plot."""

    kind: str  # heading, row, open (not pooled), diamond, band (prediction interval), text, gap
    label: str = ""
    detail: str = ""
    left: tuple[str, ...] = ()
    right: tuple[str, str] = ("", "")
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    weight: float = math.nan


def draw_forest(
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    comparison: Comparison,
    *,
    lower_is_better: bool = True,
    level: float = 0.95,
    stamp: str = "",
) -> Drawing:
    """Draw one comparison: every trial, subgroups, their diamonds and the prediction interval.

    Parameters
    ----------
    effects
        Rows of table `effects` of this comparison.
    pooled
        Rows of table `pooled` of this comparison, of the declared model.
    comparison
        Its entry in review.yaml: label, estimand, measure.
    lower_is_better
        Which side of no difference favours the treatment.
    level
        Coverage of the intervals.
    stamp
        Text for the corner, such as SYNTHETIC.
    """
    measure, estimand = comparison.measure, comparison.estimand
    heads, lines = _list_lines(effects, pooled, measure, estimand)
    figure = _draw(lines, heads, measure, estimand, lower_is_better, stamp, 100 * level)
    title = str(comparison.label)
    return Drawing(
        figure,
        title,
        _describe(effects, pooled, title, measure, 100 * level),
        _caption(effects, pooled, estimand, 100 * level),
        wide=True,
    )


# ---- what stands in which line -------------------------------------------------------------------


def _list_lines(
    effects: pd.DataFrame, pooled: pd.DataFrame, measure: str, estimand: str
) -> tuple[tuple[str, ...], list[Line]]:
    between = estimand == "between_arm"
    sides = {"between_arm": ("Treated", "Control"), "within_arm": ("After", "Before")}
    what = t(_NUMBERS.get(find_family(measure), "forest.n_mean"))
    heads = tuple(f"{h}\n{what}" for h in sides.get(estimand, ("Arm",)))
    lines: list[Line] = []
    # Arms and time stand below each trial unless the plot is long and they are all alike.
    full = not between or len(effects) <= 14
    used = effects[effects["pooled"]]
    overall = pooled[pooled["subgroup"] == "overall"]
    groups = [g for g in pooled["subgroup"] if g != "overall"]
    for group in groups or [None]:
        own = used if group is None else used[used["subgroup"] == group]
        if group is not None:
            lines.append(Line("heading", f"{str(group)[0].upper()}{str(group)[1:]}"))
        lines += [_row(r, measure, full) for r in own.to_dict("records")]
        if group is not None:
            row = pooled[pooled["subgroup"] == group].iloc[0]
            lines += [*_summaries(row, measure, f"Subtotal: {group}"), Line("gap")]
    if len(overall):
        lines += _summaries(overall.iloc[0], measure, "All trials")
    rest = effects[~effects["pooled"]]
    if len(rest):
        lines += [Line("gap"), Line("heading", "Shown, not pooled")]
        lines += [_row(r, measure, True) for r in rest.to_dict("records")]
    return heads, lines


def _row(r: Mapping[str, Any], measure: str, full: bool) -> Line:
    value, low, high = (_scale(r[c], measure) for c in ("yi", "ci_low", "ci_high"))
    detail = f"{r['arms']}, {r['timepoint']}" if full else ""
    if not r["pooled"]:
        detail += f": {say(r['why_not'])}"
    right = (f"{_number(value)} [{_number(low)}, {_number(high)}]", "")
    if math.isnan(value):
        right = ("no estimate", "")
    elif not math.isnan(r["weight"]):
        right = (right[0], f"{r['weight']:.1f} %")
    kind = "row" if r["pooled"] else "open"
    left = tuple(_arm(r, i, find_family(measure)) for i in (1, 2))
    if r["basis"] == "contrast":
        adjusted = "effect_type.adjusted" in {m.id for m in read(str(r["note"])) or ()}
        left = ("adjusted difference" if adjusted else "printed difference", "")
    return Line(
        kind if not math.isnan(value) else "text",
        f"{r['trial']}{MARK if isinstance(r['recovered'], str) else ''}",
        detail,
        left,
        right,
        value,
        low,
        high,
        float(r["weight"]),
    )


def _arm(r: Mapping[str, Any], i: int, family: str) -> str:
    n, mean, sd, events = (float(r[f"{c}{i}"]) for c in ("n", "mean", "sd", "events"))
    if not math.isnan(events):
        return (
            f"{events:.0f} / {r[f'time{i}']:.1f}"
            if family == "rates"
            else f"{events:.0f} / {n:.0f}"
        )
    if i == 1 and family == "correlations":
        return f"{n:.0f}, {_number(r['r'])}"
    if i == 1 and family == "reliability":
        return f"{n:.0f}, {_number(r['alpha'])} ({r['items']:.0f})"
    if math.isnan(mean):
        return ""
    size = "" if math.isnan(n) else f"{n:.0f}, "
    spread = "" if math.isnan(sd) else f" ({_number(sd, 1)})"
    return f"{size}{_number(mean, 1)}{spread}"


def _summaries(row: Mapping[str, Any], measure: str, label: str) -> list[Line]:
    if row["k"] < 2:
        return [Line("text", f"{label}: one trial, not pooled")]
    value, low, high, pi_low, pi_high = (
        _scale(row[c], measure) for c in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
    )
    if math.isnan(value):
        return [Line("text", label, t("fit.not_computable"))]
    out = [
        Line(
            "diamond",
            label,
            right=(f"{_number(value)} [{_number(low)}, {_number(high)}]", "100 %"),
            value=value,
            low=low,
            high=high,
        )
    ]
    if not math.isnan(pi_low):
        out.append(
            Line(
                "band",
                "Prediction interval",
                right=(f"[{_number(pi_low)}, {_number(pi_high)}]", ""),
                low=pi_low,
                high=pi_high,
            )
        )
    text = (
        f"I² {row['i2']:.0f} %, τ² {_number(row['tau2'], 3)}, Q {row['q']:.2f} on "
        f"{row['q_df']:.0f} df, p {_p(row['q_p_value'])}"
    )
    return [*out, Line("text", "", text)]


# ---- drawing -------------------------------------------------------------------------------------


def _draw(
    lines: Sequence[Line],
    heads: tuple[str, ...],
    measure: str,
    estimand: str,
    lower_is_better: bool,
    stamp: str,
    percent: float,
) -> Any:
    wrapped = [textwrap.wrap(line.detail, 92) for line in lines]
    height = [
        0.4 if line.kind == "gap" else 1 + 0.72 * (len(w) - (0 if line.label else 1))
        for line, w in zip(lines, wrapped, strict=True)
    ]
    top, bottom = 0.75, 0.85
    inches = sum(height) * ROW + top + bottom
    with theme.style():
        figure = theme.new_figure(11.0, inches)
        low, span = bottom / inches, 1 - (top + bottom) / inches
        text = figure.add_axes((0.01, low, 0.49, span))
        axes = figure.add_axes((0.50, low, 0.26, span))
        side = figure.add_axes((0.775, low, 0.22, span))
        total = sum(height)
        for a in (text, axes, side):
            a.set_ylim(total, 0)
        for a in (text, side):
            theme.quiet(a)
            a.set_xlim(0, 1)
        limits = _limits(lines, measure)
        _set_axis(axes, limits, measure)
        heaviest = max((ln.weight for ln in lines if not math.isnan(ln.weight)), default=100.0)
        y = 0.0
        for line, detail, h in zip(lines, wrapped, height, strict=True):
            _write(text, side, line, detail, y)
            _mark(axes, line, y + 0.5, limits, heaviest)
            y += h
        head_y = 1 - 0.34 / inches
        columns = (
            *((0.01 + 0.49 * x, head) for x, head in zip((0.48, 0.75), heads, strict=False)),
            (0.775, f"{measure} [{percent:g} % CI]"),
            (0.775 + 0.22 * 0.78, "Weight"),
        )
        figure.text(0.01, head_y, "Trial", fontweight="bold", va="center")
        for x, label in columns:
            figure.text(x, head_y, label, fontweight="bold", va="center", linespacing=1.1)
        _name_sides(axes, estimand, lower_is_better)
        theme.stamp(figure, stamp)
    return figure


def _write(text: Axes, side: Axes, line: Line, detail: Sequence[str], y: float) -> None:
    bold = "bold" if line.kind in ("heading", "diamond") else "normal"
    colour = GREY if line.kind in ("open", "text") and line.label != "" else INK
    middle = y + 0.5
    text.text(0, middle, line.label, va="center", fontweight=bold, color=colour)
    start = middle + (0.75 if line.label else 0)
    for i, part in enumerate(detail):
        text.text(0.02, start + 0.72 * i, part, va="center", fontsize=7.4, color=GREY)
    for x, cell in zip((0.48, 0.75), line.left, strict=False):
        text.text(x, middle, cell, va="center", color=colour)
    side.text(0, middle, line.right[0], va="center", fontweight=bold, color=colour)
    side.text(0.78, middle, line.right[1], va="center", color=colour)


def _mark(axes: Axes, line: Line, y: float, limits: tuple[float, float], heaviest: float) -> None:
    """Draw what a line shows; what leaves the axis ends in an arrow."""
    if line.kind in ("row", "open"):
        colour = BLUE if line.kind == "row" else GREY
        _draw_interval(axes, line, y, limits, colour, 1.3)
        size = 4 + 6 * math.sqrt(line.weight / heaviest) if line.weight > 0 else 5
        face = colour if line.kind == "row" else "white"
        if limits[0] <= line.value <= limits[1]:
            axes.plot(
                [line.value],
                [y],
                marker="s" if line.kind == "row" else "o",
                markersize=size,
                markerfacecolor=face,
                markeredgecolor=colour,
                zorder=3,
                linestyle="none",
            )
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
        for outside, x, way in (
            (line.low < limits[0], limits[0], "<"),
            (line.high > limits[1], limits[1], ">"),
        ):
            if outside:
                axes.plot([x], [y], marker=way, color=INK, markersize=6, zorder=4, clip_on=False)
    elif line.kind == "band":
        _draw_interval(axes, line, y, limits, INK, 3.0)


def _draw_interval(
    axes: Axes, line: Line, y: float, limits: tuple[float, float], colour: str, width: float
) -> None:
    low, high = max(line.low, limits[0]), min(line.high, limits[1])
    axes.plot([low, high], [y, y], color=colour, linewidth=width, solid_capstyle="butt", zorder=2)
    for outside, x, way in (
        (line.low < limits[0], limits[0], "<"),
        (line.high > limits[1], limits[1], ">"),
    ):
        if outside:
            axes.plot([x], [y], marker=way, color=colour, markersize=5, zorder=2, clip_on=False)


def _limits(lines: Sequence[Line], measure: str) -> tuple[float, float]:
    """Choose the axis from what is drawn; far limits of summaries may leave it."""
    scale = MEASURES[measure].scale
    rows = [ln for ln in lines if ln.kind in ("row", "open")]
    values = [v for ln in rows for v in (ln.low, ln.high, ln.value) if math.isfinite(v)]
    values += [ln.value for ln in lines if ln.kind == "diamond"]
    if math.isfinite(scale.null):
        values.append(scale.null)
    if scale.code == "ratio":
        logs = np.log(np.clip(values, 1e-3, 1e3))
        pad = 0.08 * max(float(np.ptp(logs)), 0.2)
        return float(np.exp(logs.min() - pad)), float(np.exp(logs.max() + pad))
    spread = max(max(values) - min(values), 1e-9)
    # Room for a summary wider than its trials, but not for one without end.
    summaries = [
        v
        for ln in lines
        if ln.kind in ("diamond", "band")
        for v in (ln.low, ln.high)
        if math.isfinite(v)
    ]
    low = max(min([*values, *summaries]), min(values) - 0.6 * spread)
    high = min(max([*values, *summaries]), max(values) + 0.6 * spread)
    pad = 0.06 * (high - low)
    return low - pad, high + pad


def _set_axis(axes: Axes, limits: tuple[float, float], measure: str) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    scale = MEASURES[measure].scale
    axes.set_xlim(*limits)
    if scale.code == "ratio":
        axes.set_xscale("log")
        axes.set_xlim(*limits)
        wide = limits[1] / limits[0] > 150
        marks = (0.01, 0.1, 1, 10, 100) if wide else (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
        ticks = [t for t in marks if limits[0] <= t <= limits[1]]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}".replace("-", "−")))
    if math.isfinite(scale.null):
        axes.axvline(scale.null, color=GREY, linewidth=0.9, zorder=1)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.grid(axis="x", color=FAINT, linewidth=0.5, zorder=0)
    axes.set_axisbelow(True)


def _name_sides(axes: Axes, estimand: str, lower_is_better: bool) -> None:
    """Say below the axis what its two sides mean."""
    if estimand == "single_arm":
        return  # nothing is compared
    if estimand == "between_arm":
        names = ("favours treatment", "favours control")
        names = names if lower_is_better else names[::-1]
    else:
        names = ("less after", "more after")
    for x, align, name in ((0.0, "left", f"← {names[0]}"), (1.0, "right", f"{names[1]} →")):
        axes.annotate(
            name,
            (x, 0),
            xycoords="axes fraction",
            xytext=(0, -34),
            textcoords="offset points",
            ha=align,
            fontsize=8,
            color=INK,
        )


# ---- words ---------------------------------------------------------------------------------------


def _describe(
    effects: pd.DataFrame, pooled: pd.DataFrame, title: str, measure: str, percent: float
) -> str:
    used, rest = effects[effects["pooled"]], effects[~effects["pooled"]]
    parts = [f"Forest plot: {title}."]
    for r in used.to_dict("records"):
        value, low, high = (_number(_scale(r[c], measure)) for c in ("yi", "ci_low", "ci_high"))
        parts.append(
            f"{r['trial']} ({r['arms']}): {measure} {value}, {percent:g} % CI {low} to {high}."
        )
    for r in pooled.to_dict("records"):
        if r["k"] > 1:
            value, low, high = (
                _number(_scale(r[c], measure)) for c in ("estimate", "ci_low", "ci_high")
            )
            parts.append(f"Pooled, {r['subgroup']}, k {r['k']}: {value}, CI {low} to {high}.")
    if not len(used):
        parts.append("No row can be pooled.")
    if len(rest):
        parts.append(f"The table lists {len(rest)} more rows, which are not pooled.")
    return " ".join(parts)


def _caption(effects: pd.DataFrame, pooled: pd.DataFrame, estimand: str, percent: float) -> str:
    found = effects["recovered"].notna().any()
    mark = (
        " †: some numbers of the row are not printed; the rows behind the figure say how each was "
        "derived."
        if found
        else ""
    )
    if not len(pooled):
        return f"None of the rows can be pooled; each gives the reason.{mark}"
    row = pooled.iloc[0]
    model = "common effect" if row["method"] == "EE" else f"random effects, {row['method']}"
    model = (
        f"{model}, {_TESTS[row['test']]}" if row["weighting"] == "own" else say(describe_row(row))
    )
    what = (
        f"Squares: trials, their area by weight; lines: {percent:g} % CI (normal). Diamonds: "
        f"pooled estimates ({model}); thick bar: prediction interval. Circles: "
        "shown, not pooled. Arrow: the interval extends beyond the axis."
    )
    if estimand == "single_arm":
        what += " " + t("forest.single_arms")
    elif estimand != "between_arm":
        what += " Changes within arms are not a comparison."
    return what + mark


def _scale(value: Any, measure: str) -> float:
    return float(MEASURES[measure].scale.back(float(value)))


def _number(value: float, digits: int = 2) -> str:
    if math.isnan(value):
        return "–"
    text = f"{abs(value):.{digits}f}"
    return f"−{text}" if value < 0 and float(text) else text


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
