"""Therapists on a funnel plot: each one's distance from the others and the limits of chance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from headway.figures import theme
from headway.figures.theme import BLUE, FAINT, GREY, INK, ORANGE, Drawing, write_fixed
from headway.messages import capital, say, t, term, write_integer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def draw_funnel(funnel: pd.DataFrame, *, stamp: str = "") -> Drawing:
    """Draw observed minus expected change by number of people, with each one's own limits.

    Parameters
    ----------
    funnel
        Table `funnel` as disclosure control released it.
    stamp
        Text for the corner, such as SYNTHETIC.
    """
    rows = sorted(
        (r for r in funnel.to_dict("records") if not r["redacted"] and not math.isnan(r["z"])),
        key=lambda r: (r["n"], r["therapist"]),
    )
    with theme.style():
        figure = theme.new_figure(9.0, 4.2)
        axes = figure.add_axes((0.09, 0.15, 0.89, 0.74))
        _draw(axes, rows)
        theme.stamp(figure, stamp)
    hidden = len(funnel) - len(rows)
    title = t("page_one.therapists_beside_each_other")
    return Drawing(
        figure, title, _describe(rows, hidden, title, stamp), _caption(funnel, hidden), wide=True
    )


def _draw(axes: Axes, rows: list[dict[str, Any]]) -> None:
    # By number of people and never by result: a funnel is no league table. Equal numbers would
    # fall onto each other, so places are in order and the number is written below.
    unit = ""
    for x, r in enumerate(rows):
        unit = str(r["unit"])
        for low, high, width, colour in (
            (r["low_998"], r["high_998"], 16, "#dde3e8"),
            (r["low_95"], r["high_95"], 16, "#b4bfc8"),
        ):
            axes.plot(
                [x, x], [low, high], color=colour, linewidth=width, solid_capstyle="butt", zorder=1
            )
        for edge in (r["low_998"], r["high_998"]):
            axes.plot([x - 0.28, x + 0.28], [edge, edge], color=INK, linewidth=1.1, zorder=2)
        axes.plot(
            [x - 0.28, x + 0.28],
            [r["target"]] * 2,
            color=GREY,
            linewidth=1,
            linestyle=":",
            zorder=2,
        )
        (mark,) = axes.plot(
            [x],
            [r["difference"]],
            marker="D" if r["flag"] else "o",
            markersize=9 if r["flag"] else 7,
            markerfacecolor=ORANGE if r["flag"] else BLUE,
            markeredgecolor=INK,
            linestyle="none",
            zorder=3,
        )
        told = theme.say_value(r["difference"], math.nan, math.nan, r["n"])
        theme.tip(axes, mark, [f"{r['therapist']}: {told}"])
        if r["flag"]:
            axes.annotate(
                t("page_one.outside"),
                (x, r["difference"]),
                xytext=(0, 9 if r["z"] > 0 else -9),
                textcoords="offset points",
                ha="center",
                va="bottom" if r["z"] > 0 else "top",
                fontsize=8,
                fontweight="bold",
            )
    axes.axhline(0, color=INK, linewidth=0.8, zorder=0)
    axes.margins(y=0.08)
    axes.set_xlim(-0.7, max(len(rows), 1) - 0.3)
    axes.set_xticks(
        range(len(rows)), [f"{r['therapist']}\nn {write_integer(r['n'])}" for r in rows], fontsize=8
    )
    axes.set_ylabel(t("page_one.observed_minus_expected_change_unit", unit=say(term("unit", unit))))
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.annotate(
        t("page_one.less_improvement"), (0, 1), xycoords="axes fraction", xytext=(2, 6),
        textcoords="offset points", fontsize=8,
    )  # fmt: skip
    axes.annotate(
        t("page_one.therapists_by_number_of_people"),
        (1, 1), xycoords="axes fraction", xytext=(0, 6),
        textcoords="offset points", fontsize=8, ha="right",
    )  # fmt: skip


def _describe(rows: list[dict[str, Any]], hidden: int, title: str, stamp: str) -> str:
    parts = [f"{stamp}. " if stamp else "", t("page_one.funnel_plot_title", title=title)]
    for r in rows:
        places = {
            "who": str(r["therapist"]),
            "n": write_integer(r["n"]),
            "difference": write_fixed(r["difference"]),
            "low": write_fixed(r["low_998"]),
            "high": write_fixed(r["high_998"]),
        }
        parts.append(
            t(
                "page_one.who_n_n_observed_minus_expected_difference_2",
                **places,
            )
            if r["flag"]
            else t(
                "page_one.who_n_n_observed_minus_expected_difference",
                **places,
            )
        )
    flagged = sum(bool(r["flag"]) for r in rows)
    parts.append(
        " " + (t("page_one.n_outside", n=flagged) if flagged else t("page_one.no_one_lies_outside"))
    )
    if hidden:
        parts.append(" " + t("page_one.n_hidden_too_few_people", n=hidden))
    return "".join(parts)


def _caption(funnel: pd.DataFrame, hidden: int) -> str:
    if not len(funnel):
        return t("page_one.fewer_than_three_therapists_can_be_told_apart")
    first = funnel.iloc[0]
    adjusted = first["adjusted_for"]
    text = (
        t(
            "page_one.dots_mean_change_of_a_therapist_s_people_less_2",
            variables=[term("covariate", code) for code in adjusted.split("; ")],
        )
        if isinstance(adjusted, str)
        else t("page_one.dots_mean_change_of_a_therapist_s_people_less")
    )
    text += " " + t("page_one.dark_bars_95_percent_limits_light_bars_99_8")
    if hidden:
        text += " " + t("page_one.n_hidden_too_few_people", n=hidden)
    return f"{text} {capital(say(str(first['note'])))}."
