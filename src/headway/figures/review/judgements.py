"""Judgements of risk of bias: a light per trial and domain, and a bar per domain.

A sign stands in every light and a hatch in every bar, so that colour never speaks alone. What
nobody judged stays empty and is counted as such.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.figures import fonts, theme
from headway.figures.theme import FAINT, GREEN, GREY, INK, ORANGE, Drawing
from headway.messages import t
from headway.tables.risk_tools import OVERALL, RISK_TOOLS, Level, RiskTool

if TYPE_CHECKING:
    import pandas as pd

YELLOW = "#e6c229"
_COLOURS = (GREEN, YELLOW, ORANGE, "#cc79a7")  # by rank of the level, best first
_HATCHES = ("", "///", "xxx", "ooo")
ROW = 0.34  # inches a trial
UNJUDGED = "risk_level.not_judged"


def find_colour(level: Level) -> str:
    """Find the colour of a level; grey where it says that nothing is known."""
    return _COLOURS[level.rank] if level.judges else FAINT


def _find_hatch(level: Level) -> str:
    return _HATCHES[level.rank] if level.judges else "---"


def _read(judgements: pd.DataFrame) -> dict[tuple[str, str], dict[str, str]]:
    """Collect the judgements by trial and, where it differs, outcome."""
    out: dict[tuple[str, str], dict[str, str]] = {}
    for row in judgements.to_dict("records"):
        outcome = row["outcome"] if isinstance(row["outcome"], str) else ""
        out.setdefault((row["trial"], outcome), {})[row["domain"]] = row["judgement"]
    return out


def read_lights(judgements: pd.DataFrame, outcome: str) -> dict[str, dict[str, dict[str, str]]]:
    """Collect the judgements that hold for an outcome: trial -> tool -> domain -> level.

    A judgement about the outcome comes before one about all.
    """
    out: dict[str, dict[str, dict[str, str]]] = {}
    about = judgements["outcome"].where(judgements["outcome"].notna(), "")
    for own in ("", outcome):
        for row in judgements[about.eq(own)].to_dict("records"):
            lights = out.setdefault(row["trial"], {}).setdefault(row["tool"], {})
            lights[row["domain"]] = row["judgement"]
    return out


def draw_traffic_light(judgements: pd.DataFrame, tool: str) -> Drawing:
    """Draw a light per trial (and outcome, where it differs) and domain.

    Parameters
    ----------
    judgements
        Table `risk_of_bias`.
    tool
        Key of `RISK_TOOLS`.
    """
    kit = RISK_TOOLS[tool]
    lights = _read(judgements)
    domains = list(kit.domains)
    names = [_name(trial, outcome) for trial, outcome in lights]
    wrapped = [fonts.wrap(name, 2.4, 8) for name in names]
    heights = np.array([max(1.0, 0.4 * len(lines) + 0.2) for lines in wrapped])
    edges = np.concatenate([[0.0], np.cumsum(heights)]) - 0.5
    places = (edges[:-1] + edges[1:]) / 2  # 0, 1, 2 … where every name is one line
    rows = float(heights.sum())
    listed = len(domains) - 1
    inches = 0.9 + ROW * rows + 0.3 + 0.21 * (listed + 2)
    with theme.style():
        figure = theme.new_figure(_find_width(kit), inches)
        left = 2.6 / figure.get_figwidth()
        height = ROW * rows / inches
        bottom = (0.3 + 0.21 * (listed + 2)) / inches
        axes = figure.add_axes((left, bottom, 0.62 * len(domains) / figure.get_figwidth(), height))
        axes.set_xlim(-0.5, len(domains) - 0.5)
        axes.set_ylim(rows - 0.5, -0.5)
        for x, domain in enumerate(domains):
            axes.annotate(
                t(kit.domains[domain]) if domain == OVERALL else f"D{x + 1}",
                (x, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                fontweight="bold",
                fontsize=8.4,
            )
        for y, own in zip(places, lights.values(), strict=True):
            for x, domain in enumerate(domains):
                _light(axes, x, y, own.get(domain), kit)
        for y, lines in zip(places, wrapped, strict=True):
            axes.annotate(
                "\n".join(lines),
                (0, y),
                xycoords=("axes fraction", "data"),
                xytext=(-8, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=8,
                linespacing=1.1,
            )
        axes.set_xticks([])
        axes.set_yticks([])
        for y in edges:
            axes.axhline(y, color=FAINT, linewidth=0.6)
        for side in axes.spines.values():
            side.set_visible(False)
        figure.text(
            0.02,
            1 - 0.12 / inches,
            t("risk_figure.lights", tool=t(kit.name)),
            fontweight="bold",
            va="top",
        )
        texts = [f"D{i + 1}  {t(kit.domains[d])}" for i, d in enumerate(domains[:-1])]
        for i, text in enumerate(texts):
            figure.text(0.02, (0.16 + 0.21 * (listed - i)) / inches, text, fontsize=7.8, color=GREY)
        signs = "   ".join(f"{level.sign} {t(level.label)}" for level in kit.levels.values())
        signs += f"   {t('risk_figure.empty')} {t(UNJUDGED)}"
        figure.text(0.02, 0.12 / inches, signs, fontsize=7.8, color=INK)
    told = " ".join(
        f"{name}: {'; '.join(f'{t(kit.domains[d])}: {_label(kit, own.get(d))}' for d in domains)}."
        for name, own in zip(names, lights.values(), strict=True)
    )
    signed = ", ".join(dict.fromkeys(judgements["signed_by"]))
    return Drawing(
        figure,
        t("risk_figure.lights_title"),
        t("risk_figure.lights_alt", tool=t(kit.name), told=told),
        t("risk_figure.lights_caption", names=signed),
        wide=len(domains) > 6,
    )


def draw_traffic_lights(
    judgements: pd.DataFrame, tool: str, shape: float = np.inf
) -> list[Drawing]:
    """Draw the lights in parts that are no higher than `shape` times their width."""
    trials = list(dict.fromkeys(judgements["trial"]))
    lines = [
        sum(
            max(1.0, 0.4 * len(fonts.wrap(_name(trial, outcome), 2.4, 8)) + 0.2)
            for trial, outcome in _read(judgements[judgements["trial"] == name])
        )
        for name in trials
    ]
    kit = RISK_TOOLS[tool]
    most = (shape * _find_width(kit) - 1.2 - 0.21 * (len(kit.domains) + 1)) / ROW
    return theme.name_parts(
        [
            draw_traffic_light(judgements[judgements["trial"].isin(trials[part])], tool)
            for part in theme.split_rows(lines, most)
        ]
    )


def _name(trial: str, outcome: str) -> str:
    return f"{trial}, {outcome}" if outcome else trial


def _find_width(kit: RiskTool) -> float:
    return max(3.4 + 0.62 * len(kit.domains) + 0.4, 6.4)


def _light(axes: Any, x: float, y: float, judgement: str | None, kit: RiskTool) -> None:
    if judgement is None:
        axes.plot(
            [x],
            [y],
            marker="o",
            markersize=13,
            markerfacecolor="white",
            markeredgecolor=FAINT,
            linestyle="none",
        )
        return
    level = kit.levels[judgement]
    axes.plot(
        [x],
        [y],
        marker="o",
        markersize=13,
        markerfacecolor=find_colour(level),
        markeredgecolor=INK,
        markeredgewidth=0.6,
        linestyle="none",
    )
    axes.text(x, y, level.sign, ha="center", va="center_baseline", fontsize=9, fontweight="bold")


def draw_risk_summary(
    judgements: pd.DataFrame, tool: str, *, trials: Sequence[str] = ()
) -> Drawing:
    """Draw the share of trials at each level, domain by domain, with the counts.

    Parameters
    ----------
    judgements
        Table `risk_of_bias`.
    tool
        Key of `RISK_TOOLS`.
    trials
        Trials of the review; those without a judgement are counted as not judged.
    """
    from matplotlib.ticker import MaxNLocator

    kit = RISK_TOOLS[tool]
    lights = _read(judgements)
    judged = {trial for trial, _ in lights}
    for trial in trials:
        if trial not in judged:
            lights[trial, ""] = {}
    total = len(lights)
    domains = list(kit.domains)
    levels = [*kit.levels, UNJUDGED]
    counts = {
        d: {
            level: sum(own.get(d, UNJUDGED) == level for own in lights.values()) for level in levels
        }
        for d in domains
    }
    inches = 0.38 * len(domains) + 1.25
    with theme.style():
        figure = theme.new_figure(8.2, inches)
        axes = figure.add_axes((0.36, 0.72 / inches, 0.60, 0.38 * len(domains) / inches))
        for y, domain in enumerate(domains):
            start = 0
            for level in levels:
                n = counts[domain][level]
                if not n:
                    continue
                found = kit.levels.get(level)
                axes.barh(
                    y,
                    n,
                    left=start,
                    height=0.7,
                    color="white" if found is None else find_colour(found),
                    hatch="" if found is None else _find_hatch(found),
                    edgecolor=INK,
                    linewidth=0.6,
                )
                axes.text(
                    start + n / 2,
                    y,
                    str(n),
                    ha="center",
                    va="center_baseline",
                    fontsize=8,
                    fontweight="bold",
                    bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"},
                )
                start += n
        axes.set_ylim(len(domains) - 0.5, -0.5)
        axes.set_xlim(0, total)
        axes.set_yticks(range(len(domains)), [t(kit.domains[d]) for d in domains], fontsize=8.2)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(t("risk_figure.bars_axis", n=total))
        figure.text(
            0.02,
            1 - 0.1 / inches,
            t("risk_figure.bars", tool=t(kit.name)),
            fontweight="bold",
            va="top",
        )
        _key(figure, kit, inches)
    told = " ".join(
        f"{t(kit.domains[d])}: "
        + ", ".join(f"{n} {_label(kit, level)}" for level, n in counts[d].items() if n)
        + "."
        for d in domains
    )
    alt = t("risk_figure.bars_alt", tool=t(kit.name), n=total, told=told)
    return Drawing(figure, t("risk_figure.bars_title"), alt, t("risk_figure.bars_caption"))


def _label(kit: RiskTool, level: str | None) -> str:
    return t(kit.levels[level].label if level is not None and level in kit.levels else UNJUDGED)


def _key(figure: Any, kit: RiskTool, inches: float) -> None:
    """Write the key below the bars, with the hatches."""
    from matplotlib.patches import Patch

    entries: Mapping[str, Patch] = {
        **{
            t(level.label): Patch(
                facecolor=find_colour(level),
                hatch=_find_hatch(level),
                edgecolor=INK,
                linewidth=0.6,
            )
            for level in kit.levels.values()
        },
        t(UNJUDGED): Patch(facecolor="white", edgecolor=INK, linewidth=0.6),
    }
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="lower center",
        bbox_to_anchor=(0.5, 0.02 / inches),
        ncols=len(entries),
        frameon=False,
        fontsize=8,
    )
