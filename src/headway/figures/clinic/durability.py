"""How long a response lasts: the share without relapse, and the part of it that nobody knows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.figures import theme
from headway.figures.theme import BLUE, FAINT, GREEN, GREY, INK, ORANGE, Drawing
from headway.messages import capital, decimal, say, t, term, write_integer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WEEKS_PER_WINDOW = 4
# Colour, line and marker, so that no group is told by colour alone.
_LOOKS = (
    (BLUE, "-", "o"),
    (ORANGE, (0, (5, 2)), "s"),
    (GREEN, (0, (1.5, 1.5)), "^"),
    (GREY, (0, (6, 2, 1, 2)), "D"),
)


def draw_durability(
    curve: pd.DataFrame, relapse: pd.DataFrame, *, rule: str = "two", stamp: str = ""
) -> Drawing:
    """Draw the share of responders without relapse, all together and by technique.

    Parameters
    ----------
    curve, relapse
        Tables `relapse_curve` and `relapse` as disclosure control released them.
    rule
        Windows in a row that make a relapse: `two` or `one`.
    stamp
        Text for the corner, such as SYNTHETIC.
    """
    own = curve[curve["rule"] == rule]
    summary = relapse[relapse["rule"] == rule]
    groups = list(dict.fromkeys(own["group"]))
    # The three largest techniques beside all; the table holds every one.
    size = summary.set_index("group")["n"].to_dict()
    others = sorted(groups[1:], key=lambda g: (-_known(size.get(g)), g))
    shown = [*groups[:1], *others[: len(_LOOKS) - 1]]
    alone = len(shown) == 2  # one technique is everyone
    shown = shown[:1] if alone else shown
    with theme.style():
        figure = theme.new_figure(9.0, 4.4 + 0.22 * len(shown))
        inches = 4.4 + 0.22 * len(shown)
        bottom = (1.15 + 0.22 * len(shown)) / inches
        axes = figure.add_axes((0.19, bottom, 0.78, 1 - bottom - 0.45 / inches))
        for look, group in zip(_LOOKS, shown, strict=False):
            _draw_group(axes, own[own["group"] == group], _name(group), look, band=group == "all")
        _finish(axes, own, summary)
        _count_at_risk(figure, axes, own, shown, inches)
        theme.stamp(figure, stamp)
    title = t("over_time.how_long_the_response_lasts")
    return Drawing(
        figure,
        title,
        _describe(own, summary, shown, title, stamp),
        _caption(summary, rule, len(groups) - len(shown) if not alone else 0),
        wide=True,
    )


def _known(value: Any) -> float:
    return -1.0 if value is None or math.isnan(value) else float(value)


def _name(group: str) -> str:
    return t("common.all") if group == "all" else say(term("technique", group.partition(": ")[2]))


def _draw_group(
    axes: Axes, rows: pd.DataFrame, name: str, look: tuple[Any, Any, str], *, band: bool
) -> None:
    colour, line, marker = look
    rows = rows[rows["survival"].notna()].sort_values("window")
    x, y = (rows["days"] / 7).to_numpy(float), 100 * rows["survival"].to_numpy(float)
    # Where steps were left out in which nothing moved, the curve falls within the last window.
    start = x[1:] - WEEKS_PER_WINDOW
    line_x, line_y = np.insert(x, range(1, len(x)), start), np.insert(y, range(1, len(x)), y[:-1])
    axes.plot(line_x, line_y, color=colour, linestyle=line, linewidth=1.6, zorder=4)
    (marks,) = axes.plot(
        x, y, color=colour, linestyle="none", marker=marker, markersize=5, zorder=4
    )
    weeks = [t("common.weeks_weeks", weeks=f"{week:.0f}") for week in x]
    theme.tip(axes, marks, [f"{name}, {w} {v:.0f} %" for w, v in zip(weeks, y, strict=True)])
    axes.plot([], [], color=colour, linestyle=line, linewidth=1.6, marker=marker, label=name)
    # From the most at the start of a window to the least at its end, the curve may go anywhere.
    top = 100 * rows["highest"].to_numpy(float)[:-1]
    bottom = 100 * rows["lowest"].to_numpy(float)[1:]
    for first, last, low, high in zip(start, x[1:], bottom, top, strict=True):
        axes.fill_between(
            [first, last], low, high, facecolor=colour, alpha=0.2 if band else 0.1,
            edgecolor="none", zorder=2,
        )  # fmt: skip
    if band:
        limits = 100 * rows[["ci_low", "ci_high"]].to_numpy(float)
        axes.vlines(x, limits[:, 0], limits[:, 1], color=colour, linewidth=1.2, zorder=3)


def _finish(axes: Axes, rows: pd.DataFrame, summary: pd.DataFrame) -> None:
    from matplotlib.ticker import FixedLocator

    last = max(float(rows["days"].max()) / 7, 4.0) if len(rows) else 4.0
    step = 4 if last <= 32 else 8 if last <= 64 else 16
    axes.set_xlim(-0.02 * last, last * 1.02)
    axes.xaxis.set_major_locator(FixedLocator([float(w) for w in range(0, int(last) + 1, step)]))
    axes.set_ylim(0, 103)
    horizon = summary["horizon_days"].max() / 7
    if horizon <= last:
        axes.axvline(horizon, color=GREY, linewidth=1, linestyle=(0, (1, 2)), zorder=1)
    axes.set_ylabel(t("over_time.responders_without_relapse_percent"))
    axes.set_xlabel(t("over_time.weeks_after_the_4_weeks_in_which_they_had"))
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    if len(axes.get_legend_handles_labels()[0]) > 1:
        # Above the axes: curves may go anywhere below it.
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=8.5,
            borderaxespad=0.2, handlelength=3,
        )  # fmt: skip


def _count_at_risk(
    figure: Any, axes: Axes, rows: pd.DataFrame, shown: list[str], inches: float
) -> None:
    """Write the people at risk below the axis, at its ticks."""
    ticks = axes.get_xticks()
    box = axes.get_position()
    low, high = axes.get_xlim()
    y = box.y0 - 0.68 / inches
    figure.text(0.01, y, t("over_time.at_risk_2"), fontsize=8, fontweight="bold", va="center")
    for i, group in enumerate(shown):
        level = y - 0.22 * (i + 1) / inches
        figure.text(0.01, level, _name(group), fontsize=8, va="center", color=INK)
        own = rows[rows["group"] == group].set_index("days")["at_risk"]
        for tick in ticks:
            value = own.get(tick * 7, math.nan)
            text = t("common.hidden") if math.isnan(value) else write_integer(value)
            x = box.x0 + box.width * (tick - low) / (high - low)
            figure.text(x, level, text, fontsize=8, ha="center", va="center", color=INK)


def _describe(
    rows: pd.DataFrame, summary: pd.DataFrame, shown: list[str], title: str, stamp: str
) -> str:
    parts = [
        f"{stamp}. " if stamp else "",
        t("over_time.interval_censored_curve_title", title=title),
    ]
    for group in shown:
        found = summary[summary["group"] == group].iloc[0]
        text = f" {capital(_name(group))}: "
        text += t(
            "over_time.n_at_risk_at_the_start_events_relapsed",
            n=_count(found["n"]),
            events=_count(found["events"]),
        )
        if not math.isnan(found["free_at_horizon"]):
            text += ", " + t(
                "over_time.share_percent_without_relapse_at_weeks_weeks",
                share=f"{found['free_at_horizon']:.0f}",
                weeks=f"{found['horizon_days'] / 7:.0f}",
            )
            if not math.isnan(found["free_low"]):
                text += _limits(f"{found['free_low']:.0f}", f"{found['free_high']:.0f}")
        if not math.isnan(found["rmst_days"]):
            text += ", " + t(
                "over_time.mean_weeks_weeks_without_relapse_up_to_then",
                weeks=decimal(f"{found['rmst_days'] / 7:.1f}"),
            )
            if not math.isnan(found["rmst_low"]):
                text += _limits(
                    *(decimal(f"{found[end] / 7:.1f}") for end in ("rmst_low", "rmst_high"))
                )
        parts.append(text + ".")
    whole = rows[rows["group"] == "all"].sort_values("window")
    steps = [
        t("common.weeks_weeks", weeks=f"{r['days'] / 7:.0f}") + f" {100 * r['survival']:.0f} %"
        for r in whole.to_dict("records")
        if not math.isnan(r["survival"])
    ]
    return "".join([*parts, " " + t("over_time.all_by_time_steps", steps="; ".join(steps))])


def _limits(low: str, high: str) -> str:
    return " (" + t("common.95_percent_ci_low_to_high", low=low, high=high) + ")"


def _count(value: float) -> str:
    return t("common.a_hidden_number") if math.isnan(value) else write_integer(value)


def _caption(summary: pd.DataFrame, rule: str, more: int) -> str:
    if not len(summary):
        return t("over_time.nobody_at_risk_of_a_relapse_is_on_record")
    first = summary.iloc[0]
    text = t(
        "over_time.relapse_rule_a_relapse_lies_somewhere_within",
        rule=say(first["rule_label"]),
    )
    if rule == "two":
        text += t("over_time.the_second_window_must_be_on_record_for_the")
    text += t("over_time.the_dotted_line_is_the_horizon", weeks=f"{first['horizon_days'] / 7:.0f}")
    text += t("over_time.who_stopped_the_diary_is_taken_to_relapse")
    if more > 0:
        text += " " + t("over_time.n_smaller_groups_are_in_the_table_only", n=more)
    return text
