"""The two pictures of a clinic's brief: means before and after, and who got better or worse.

They are read in black and white: an open mark stands for before and a full one for after, a full
bar for the analysed and a hatched one for all who started, and every mark has its number beside it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.figures import theme
from headway.figures.theme import FAINT, GREY, INK, Drawing
from headway.messages import (
    capital,
    is_missing,
    phrase,
    say,
    speaking,
    t,
    writing_released,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from headway.config.clinic import Clinic
    from headway.disclosure import Preset

OUTCOMES = ("frequency", "intensity", "duration")
# Rows of a picture of people, from the top: who, of the analysed and of all who started.
_SHARES = (
    ("brief.better", "responders_50", "responders_50_of_started"),
    ("brief.worse", "worsened_30", "worsened_30_of_started"),
)


def list_outcomes(cohort: pd.DataFrame) -> list[str]:
    """List what stands side by side: days, intensity and hours, and the primary outcome if other.

    Parameters
    ----------
    cohort
        As disclosure control released it.
    """
    main = cohort.loc[cohort["primary"], "outcome"]
    return list(dict.fromkeys((*OUTCOMES, *main.iloc[:1])))


def draw_brief(
    tables: Mapping[str, pd.DataFrame], clinic: Clinic, preset: Preset
) -> dict[str, Drawing]:
    """Draw both pictures of the primary comparison.

    Parameters
    ----------
    tables
        `cohort` and `window_means` as disclosure control released them.
    clinic
        clinic.yaml with its defaults.
    preset
        The rules that they were released under.

    Returns
    -------
    dict
        `brief_means` and `brief_people`; empty where there is no comparison.
    """
    cohort, means = tables["cohort"], tables["window_means"]
    primary = cohort[cohort["primary"]]
    if not len(primary):
        return {}
    comparison = primary["comparison"].iloc[0]
    own = cohort[(cohort["comparison"] == comparison) & (cohort["group"] == "all")]
    means = means[means["comparison"] == comparison]
    with speaking(clinic.language), writing_released(not preset.open):
        stamp = say_stamp(clinic)
        outcomes = [o for o in list_outcomes(cohort) if (own["outcome"] == o).any()]
        drawn = {
            "brief_means": _draw_means(means, outcomes, stamp),
            "brief_people": _draw_people(own, outcomes, stamp),
        }
        for drawing in drawn.values():
            theme.write_commas(drawing.figure)
        return drawn


def say_stamp(clinic: Clinic) -> str:
    """Say what a figure's corner has to say: made up, or not for release; else nothing."""
    if clinic.synthetic:
        return t("frame.synthetic")
    return t("frame.internal_not_for_release") if clinic.disclosure == "internal" else ""


def name_outcome(outcome: str) -> str:
    """Name an outcome in the words of the brief."""
    return say(phrase("brief_outcome", outcome))


def _panels(outcomes: Sequence[str], height: float, left: float, stamp: str) -> tuple[Any, Any]:
    figure = theme.new_figure(7.2, height)
    each = min((0.99 - left) / len(outcomes), 0.5)
    axes = [
        figure.add_axes((left + i * each + 0.01, 0.21, each - 0.05, 0.58))
        for i in range(len(outcomes))
    ]
    for one, outcome in zip(axes, outcomes, strict=True):
        one.set_title("\n".join(textwrap.wrap(capital(name_outcome(outcome)), 24)), fontsize=9.5)
    theme.stamp(figure, stamp)
    return figure, axes


# ---- means ---------------------------------------------------------------------------------------


def _draw_means(means: pd.DataFrame, outcomes: Sequence[str], stamp: str) -> Drawing:
    title = t("brief.picture_of_means")
    parts = [f"{stamp}. " if stamp else "", f"{title}."]
    with theme.style():
        figure, axes = _panels(outcomes, 3.0, 0.04, stamp)
        for one, outcome in zip(axes, outcomes, strict=True):
            rows = means[means["outcome"] == outcome].sort_values("order").to_dict("records")
            _draw_course(one, rows, outcome)
            parts.append(f" {name_outcome(outcome)}: {_tell_means(rows)}")
    return Drawing(figure, title, "".join(parts), t("brief.how_to_read_the_means"), wide=True)


def _draw_course(axes: Axes, rows: list[dict[str, Any]], outcome: str) -> None:
    from matplotlib.ticker import MaxNLocator

    shown = [r for r in rows if not (r["redacted"] or is_missing(r["mean"]))]
    if not rows or len(shown) < len(rows):
        _say_nothing(axes, "brief.not_recorded" if not rows else "common.hidden")
        return
    places = list(range(len(rows)))
    axes.plot(places, [r["mean"] for r in rows], color=INK, linewidth=1.2, zorder=2)
    for x, r in zip(places, rows, strict=True):
        if not is_missing(r["ci_low"]):
            axes.plot([x, x], [r["ci_low"], r["ci_high"]], color=INK, linewidth=2.2, zorder=3)
        axes.plot(
            [x],
            [r["mean"]],
            marker="o" if x else "s",
            markersize=7,
            color=INK,
            markerfacecolor=INK if x else "white",
            markeredgewidth=1.4,
            zorder=4,
        )
        axes.annotate(
            theme.write_fixed(r["mean"]),
            (x, r["mean"]),
            xytext=(9 if x else -9, 0),
            textcoords="offset points",
            ha="left" if x else "right",
            va="center",
            fontweight="bold",
            zorder=5,
        )
    top = max(r["mean"] if is_missing(r["ci_high"]) else r["ci_high"] for r in rows)
    axes.set_ylim(0, 10 if outcome == "intensity" and top <= 10 else max(top * 1.15, 1))
    axes.set_xlim(-0.7, len(rows) - 0.3)
    axes.set_xticks(places, [_tick(r) for r in rows], fontsize=7)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.tick_params(axis="y", labelsize=7.5)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def _say_nothing(axes: Axes, id: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, t(id), transform=axes.transAxes, ha="center", va="center", color=GREY)


def _tick(r: Mapping[str, Any]) -> str:
    return "\n".join(textwrap.wrap(say(str(r["label"])), 13))


def _tell_means(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return f"{t('brief.not_recorded')}."
    told = []
    for r in rows:
        if r["redacted"] or is_missing(r["mean"]):
            told.append(f"{say(str(r['label']))} {t('common.hidden')}")
        else:
            told.append(f"{say(str(r['label']))} {theme.write_fixed(r['mean'])}")
    return f"{'; '.join(told)}."


# ---- people --------------------------------------------------------------------------------------


def _draw_people(cohort: pd.DataFrame, outcomes: Sequence[str], stamp: str) -> Drawing:
    title = t("brief.picture_of_people")
    parts = [f"{stamp}. " if stamp else "", f"{title}."]
    with theme.style():
        figure, axes = _panels(outcomes, 2.6, 0.15, stamp)
        for i, (one, outcome) in enumerate(zip(axes, outcomes, strict=True)):
            rows = cohort[cohort["outcome"] == outcome].set_index("statistic")
            parts.append(f" {name_outcome(outcome)}: {_draw_shares(one, rows, named=i == 0)}")
        _draw_key(figure)
    return Drawing(figure, title, "".join(parts), t("brief.how_to_read_the_people"), wide=True)


def _draw_shares(axes: Axes, rows: pd.DataFrame, *, named: bool) -> str:
    """Draw the shares of one outcome, and tell them for the alt text."""
    if "change_mean" not in rows.index:
        _say_nothing(axes, "brief.not_recorded")
        return f"{t('brief.not_recorded')}."
    told = []
    for row, (label, *statistics) in enumerate(_SHARES):
        for half, statistic in enumerate(statistics):
            y = 2.6 * row + half
            r = rows.loc[statistic].to_dict() if statistic in rows.index else None
            hidden = r is None or r["redacted"] or is_missing(r["estimate"])
            if r is None or hidden:
                text, width = t("common.hidden"), 0.0
            else:
                text, width = f"{r['estimate']:.0f} %", float(r["estimate"])
            axes.barh(
                y,
                width,
                height=0.86,
                facecolor="white" if half else GREY,
                edgecolor=INK,
                hatch="////" if half else "",
                linewidth=0.8,
            )
            axes.text(width + 2, y, text, va="center", ha="left", fontsize=8.5)
            who = t("brief.of_all_who_started" if half else "brief.of_the_analysed")
            told.append(f"{t(label)}, {who}: {text}")
    labels = ["\n".join(textwrap.wrap(t(label), 15)) for label, *_ in _SHARES] if named else []
    axes.set_yticks([0.5, 3.1], labels or ["", ""], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(4.3, -0.7)
    axes.set_xlim(0, 125)
    axes.set_xticks([0, 50, 100], ["0", "50", "100 %"], fontsize=7.5)
    return f"{'; '.join(told)}."


def _draw_key(figure: Any) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=GREY, edgecolor=INK, label=t("brief.of_the_analysed")),
        Patch(facecolor="white", edgecolor=INK, hatch="////", label=t("brief.of_all_who_started")),
    ]
    figure.legend(handles=handles, loc="lower center", ncol=2, frameon=False, fontsize=8)
