"""Clinics beside each other: a forest in the order of their names, and a funnel by precision."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import MEASURES
from headway.federation.funnel import find_widths
from headway.figures import theme
from headway.figures.review.sheet import SCREEN, Columns, Line, draw_sheet
from headway.figures.theme import BLUE, FAINT, GREY, INK, ORANGE, Drawing, name_parts
from headway.messages import is_missing, say, t, term, write_integer, write_number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_TALL = 16.0  # inches; a longer forest goes on in a further part
_FEW_NAMES = 25  # clinics up to which each is named in the funnel


def draw_forest(
    clinics: pd.DataFrame, pooled: Mapping[str, Any], title: str, *, stamp: str = ""
) -> list[Drawing]:
    """Draw each clinic's mean change, and the pooled one with its prediction interval.

    Parameters
    ----------
    clinics
        Rows of table `registry_clinics` of one outcome and pair of windows.
    pooled
        Their row of table `registry` (MC).
    title
        The outcome and its windows in words.
    stamp
        Text for the corner, such as SYNTHETIC.
    """
    lines = [_row(r) for r in clinics.to_dict("records") if r["pooled"]]
    if not is_missing(pooled["estimate"]):
        value, low, high = (float(pooled[c]) for c in ("estimate", "ci_low", "ci_high"))
        told = (theme.write_interval(value, low, high), "")
        label = t("registry.all_clinics", n=int(pooled["k"]))
        lines.append(Line("diamond", label, right=told, value=value, low=low, high=high))
    if not is_missing(pooled["pi_low"]):
        low, high = float(pooled["pi_low"]), float(pooled["pi_high"])
        ends = theme.write_interval(math.nan, low, high)
        label = t("registry.next_clinic")
        lines.append(Line("band", label, right=(ends, ""), low=low, high=high))
    rest = [r for r in clinics.to_dict("records") if not r["pooled"]]
    if rest:
        lines += [Line("gap"), Line("heading", t("registry.not_pooled"))]
        lines += [Line("text", str(r["clinic"]), say(r["why_not"])) for r in rest]
    unit = say(term("unit", pooled["unit"]))
    columns = Columns(
        heads=(t("registry.people_of"),),
        own=(),
        result=(t("registry.change_in", unit=unit), t("forest.weight")),
        tools=(),
        names=t("registry.clinic"),
    )
    sides = (t("forest.less_after"), t("forest.more_after"))
    form = replace(SCREEN, tall=_TALL)
    figures, _ = draw_sheet(lines, columns, MEASURES["MC"].scale, sides, stamp, form)
    alt = _describe_forest(lines, title, stamp)
    caption = t("registry.forest_caption")
    return name_parts([Drawing(figure, title, alt, caption, wide=True) for figure in figures])


def _row(r: Mapping[str, Any]) -> Line:
    value, low, high = (float(r[c]) for c in ("mean_change", "ci_low", "ci_high"))
    weight = "" if is_missing(r["weight"]) else f"{write_number(r['weight'], 1)} %"
    return Line(
        "row",
        str(r["clinic"]),
        "" if r["title"] == r["clinic"] else str(r["title"]),
        left=(f"{write_integer(r['n'])} / {write_integer(r['of'])}",),
        right=(theme.write_interval(value, low, high), weight),
        weight=float(r["weight"]),
        value=value,
        low=low,
        high=high,
    )


def _describe_forest(lines: Sequence[Line], title: str, stamp: str) -> str:
    parts = [t("registry.forest_alt", title=title)]
    if stamp:
        parts.insert(0, f"{stamp}.")
    parts += [f"{ln.label}: {ln.right[0] or ln.detail}." for ln in lines if ln.label and ln.right]
    return " ".join(parts)


def draw_funnel(
    clinics: pd.DataFrame, pooled: Mapping[str, Any], title: str, *, stamp: str = ""
) -> Drawing:
    """Draw each clinic's mean change by its precision, with limits of chance and beyond.

    Parameters
    ----------
    clinics, pooled, title, stamp
        As for `draw_forest`; at least three clinics are pooled.
    """
    rows = [r for r in clinics.to_dict("records") if r["pooled"] and r["se"] > 0]
    with theme.style():
        figure = theme.new_figure(9.0, 5.2)
        axes = figure.add_axes((0.09, 0.12, 0.88, 0.76))
        _draw_limits(axes, rows, pooled)
        _draw_clinics(axes, rows)
        unit = say(term("unit", pooled["unit"]))
        axes.set_ylabel(t("registry.mean_change_in", unit=unit))
        axes.set_xlabel(t("registry.precision"))
        axes.set_axisbelow(True)
        theme.stamp(figure, stamp)
        theme.write_commas(figure)
    outside = [r for r in rows if r["place"] != "inside"]
    alt = " ".join(
        [
            *([f"{stamp}."] if stamp else []),
            t("registry.funnel_alt", title=title, n=len(rows)),
            *(f"{r['clinic']}: {say(term('funnel_place', r['place']))}." for r in outside),
            *([] if outside else [t("registry.none_outside")]),
        ]
    )
    return Drawing(figure, title, alt, t("registry.funnel_caption"), wide=True)


def _draw_limits(axes: Axes, rows: Sequence[Mapping[str, Any]], pooled: Mapping[str, Any]) -> None:
    precision = np.array([1 / r["se"] for r in rows])
    low, high = 0.85 * precision.min(), 1.08 * precision.max()
    x = np.linspace(low, high, 200)
    target, tau2 = float(pooled["target"]), float(pooled["funnel_tau2"])
    limits = zip(find_widths(1 / x, 0.0), find_widths(1 / x, tau2), strict=True)
    for level, style, (chance, more) in zip(("95", "99.8"), ("--", "-"), limits, strict=True):
        for sign in (-1, 1):
            axes.plot(x, target + sign * chance, color=FAINT, linewidth=1.2, linestyle=style)
            axes.plot(x, target + sign * more, color=INK, linewidth=1.1, linestyle=style)
        axes.annotate(
            t("registry.limit", percent=level), (x[-1], target + more[-1]), xytext=(-2, 3),
            textcoords="offset points", ha="right", va="bottom", fontsize=7.5, color=INK,
        )  # fmt: skip
    axes.axhline(target, color=GREY, linewidth=1, linestyle=":")
    axes.set_xlim(low, high)


def _draw_clinics(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    named = len(rows) <= _FEW_NAMES
    for r in rows:
        out = r["place"] != "inside"
        x, y = 1 / r["se"], r["mean_change"]
        (mark,) = axes.plot(
            [x], [y], marker="D" if out else "o", markersize=8 if out else 6, linestyle="none",
            markerfacecolor=ORANGE if out else BLUE, markeredgecolor=INK, zorder=3,
        )  # fmt: skip
        theme.tip(axes, mark, [f"{r['clinic']}: {theme.say_value(y, math.nan, math.nan, r['n'])}"])
        if named or out:
            axes.annotate(
                str(r["clinic"]), (x, y), xytext=(0, 6), textcoords="offset points", ha="center",
                va="bottom", fontsize=7.5, fontweight="bold" if out else "normal", zorder=4,
            )  # fmt: skip
