"""The change: means before and after, and the histogram of change in disclosed bins."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.figures import theme
from headway.figures.theme import BLUE, FAINT, GREY, INK, ORANGE, Drawing
from headway.messages import capital, decimal, keep_digits, phrase, say, t, write_integer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MANY = 10_000  # people in a bar
MOST_LINES = 200  # of people: more fill the figure and the page, and show no more


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
    with theme.style():
        figure = theme.new_figure(9.0, 3.9)
        left = figure.add_axes((0.08, 0.17, 0.36, 0.66))
        right = figure.add_axes(
            (0.56, 0.27 if len(histogram) > 6 else 0.17, 0.42, 0.56 if len(histogram) > 6 else 0.66)
        )
        _draw_slope(left, means, lines, str(change["unit"]))
        _draw_histogram(right, histogram, str(change["unit"]))
        theme.stamp(figure, stamp)
    title = t("change.change_in_outcome", outcome=name)
    return Drawing(
        figure,
        title,
        _describe(means, histogram, change, title, stamp),
        _caption(means, histogram, lines, change),
        wide=True,
    )


def _draw_slope(axes: Axes, means: pd.DataFrame, lines: pd.DataFrame, unit: str) -> None:
    rows = means.sort_values("order").to_dict("records")
    lines = _thin(lines)
    for pre, post in zip(lines["pre"], lines["post"], strict=True):
        axes.plot([0, 1], [pre, post], color=GREY, alpha=0.25, linewidth=0.6, zorder=1)
    shown = [r for r in rows if not r["redacted"] and not math.isnan(r["mean"])]
    for x, r in enumerate(rows):
        if r in shown:
            axes.plot([x, x], [r["ci_low"], r["ci_high"]], color=BLUE, linewidth=2.4, zorder=3)
    if len(shown) == len(rows):
        (means_line,) = axes.plot(
            range(len(rows)),
            [r["mean"] for r in rows],
            color=BLUE,
            marker="o",
            markersize=7,
            linewidth=2.2,
            zorder=4,
        )
        theme.tip(
            axes,
            means_line,
            [
                f"{say(str(r['label']))}: "
                + theme.say_value(r["mean"], r["ci_low"], r["ci_high"], r["n"])
                for r in rows
            ],
        )
        for x, r in enumerate(rows):
            axes.annotate(
                theme.write_fixed(r["mean"]),
                (x, r["mean"]),
                xytext=(-10 if x == 0 else 10, 0),
                textcoords="offset points",
                ha="right" if x == 0 else "left",
                va="center",
                fontweight="bold",
                color=INK,
                zorder=5,
            )
    else:
        axes.text(0.5, 0.5, t("common.hidden"), transform=axes.transAxes, ha="center")
    axes.set_xlim(-0.45, 1.45)
    axes.margins(y=0.08)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    axes.set_xticks(range(len(rows)), [_tick(r) for r in rows])
    axes.set_ylabel(say(phrase("unit", unit)))
    axes.set_title(t("change.means_before_and_after"))
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def _thin(lines: pd.DataFrame) -> pd.DataFrame:
    """Keep the lines of at most `MOST_LINES` people, evenly over their changes in order."""
    if len(lines) <= MOST_LINES:
        return lines
    order = (lines["post"] - lines["pre"]).to_numpy().argsort(kind="stable")
    return lines.iloc[order[np.linspace(0, len(lines) - 1, MOST_LINES).round().astype(int)]]


def _tick(r: dict[str, Any]) -> str:
    n = t("common.n_hidden") if math.isnan(r["n"]) else f"n {write_integer(r['n'])}"
    return "\n".join([*textwrap.wrap(say(str(r["label"])), 24), n])


def _draw_histogram(axes: Axes, histogram: pd.DataFrame, unit: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    rows = histogram.to_dict("records")
    axes.set_title(t("change.how_many_changed_by_how_much"))
    if not rows:
        theme.quiet(axes)
        axes.set_axis_off()
        axes.text(
            0.5, 0.5, t("common.hidden_too_few_people"), transform=axes.transAxes, ha="center"
        )
        return
    top = max((r["n"] for r in rows if not r["redacted"]), default=1.0)
    many = top >= _MANY  # its counts are wider than its bars
    look: dict[str, Any] = {"fontsize": 7, "rotation": 90} if many else {"fontsize": 8}
    gap = 0.02 * top if many else 0.0
    labels = []
    for x, r in enumerate(rows):
        better, worse = r["bin_high"] <= 0, r["bin_low"] >= 0
        if r["redacted"]:
            axes.bar(
                x,
                0.12 * top,
                width=0.94,
                facecolor="white",
                edgecolor=GREY,
                hatch="////",
                linewidth=0.8,
            )
            axes.text(
                x, 0.14 * top, t("common.hidden"), ha="center", va="bottom", fontsize=7, rotation=90
            )
        else:
            colour = BLUE if better else ORANGE if worse else GREY
            (bar,) = axes.bar(
                x,
                r["n"],
                width=0.94,
                facecolor=colour,
                edgecolor=INK,
                linewidth=0.6,
                hatch="" if better else r"\\" if worse else "xx",
            )
            theme.tip(axes, bar, [f"{_bin(r)}: n {write_integer(r['n'])}"])
            axes.text(x, r["n"] + gap, write_integer(r["n"]), ha="center", va="bottom", **look)
        labels.append(_bin(r))
    zero = [x for x, r in enumerate(rows) if r["bin_low"] == 0]
    if zero:
        axes.axvline(zero[0] - 0.5, color=INK, linewidth=1.2)
    axes.set_xticks(
        range(len(rows)),
        labels,
        rotation=45 if len(rows) > 6 else 0,
        ha="right" if len(rows) > 6 else "center",
        fontsize=7.5,
        rotation_mode="anchor",
    )
    axes.set_ylim(0, top * (1.4 if many else 1.18))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    if many:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda n, _: write_integer(n)))
    axes.set_ylabel(t("common.people"))
    axes.set_xlabel(t("change.change_in_unit", unit=say(phrase("unit", unit))), fontsize=8)


def _bin(r: dict[str, Any]) -> str:
    low, high = (f"{r[end]:g}" for end in ("bin_low", "bin_high"))
    if math.isinf(r["bin_low"]):
        text = f"< {high}"
    elif math.isinf(r["bin_high"]):
        text = f"≥ {low}"
    else:
        text = t("common.low_to_high", low=low, high=high)
    return decimal(text.replace("-", "−"))


def _describe(
    means: pd.DataFrame, histogram: pd.DataFrame, change: dict[str, Any], title: str, stamp: str
) -> str:
    parts = [f"{stamp}. " if stamp else "", f"{title}."]
    for r in means.sort_values("order").to_dict("records"):
        label = say(str(r["label"]))
        if r["redacted"] or math.isnan(r["mean"]):
            parts.append(" " + t("change.mean_label_hidden", label=label))
            continue
        parts.append(
            " "
            + t(
                "change.mean_label_mean_95_percent_ci_low_to_high_n_n",
                label=label,
                mean=theme.write_fixed(r["mean"]),
                low=theme.write_fixed(r["ci_low"]),
                high=theme.write_fixed(r["ci_high"]),
                n=write_integer(r["n"]),
            )
        )
    if not change["redacted"] and not math.isnan(change["estimate"]):
        three = [change[c] for c in ("estimate", "ci_low", "ci_high")]
        written = [theme.write_fixed(v, keep_digits(2, *three)) for v in three]
        parts.append(
            " "
            + t(
                "change.mean_change_change_95_percent_ci_low_to_high",
                **dict(zip(("change", "low", "high"), written, strict=True)),
            )
        )
    if len(histogram):
        counts = [
            f"{_bin(r)}: {t('common.hidden') if r['redacted'] else write_integer(r['n'])}"
            for r in histogram.to_dict("records")
        ]
        parts.append(" " + t("change.people_by_change_counts", counts="; ".join(counts)))
    return "".join(parts)


def _caption(
    means: pd.DataFrame, histogram: pd.DataFrame, lines: pd.DataFrame, change: dict[str, Any]
) -> str:
    def count(value: float) -> str:
        return t("common.a_hidden_number") if math.isnan(value) else write_integer(value)

    text = t(
        "change.comparison_n_of_of_people_who_started_left",
        comparison=say(str(change["comparison_label"])),
        n=count(change["n"]),
        of=count(change["of"]),
    )
    if len(lines) > MOST_LINES:
        # The table itself holds a part of many people.
        everyone = len(lines) if math.isnan(change["n"]) else max(len(lines), int(change["n"]))
        text += t(
            "change.thin_lines_are_n_of_all_people", n=MOST_LINES, all=write_integer(everyone)
        )
    else:
        text += t("change.thin_lines_are_people") if len(lines) else ". "
    text += t("change.right_people_by_their_change_after_minus")
    if len(histogram) and histogram["redacted"].any():
        text += " " + t("change.hatched_hidden_small_numbers")
    return capital(text)
