"""Who improved and who got worse, as bars with Wilson intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from headway.figures import theme
from headway.figures.theme import BLUE, FAINT, INK, LARGE, ORANGE, SMALL, Drawing, number

if TYPE_CHECKING:
    import pandas as pd

ORDER = ("responders_30", "responders_50", "responders_75", "worsened_30")
_TOP, _BAR, _BELOW = 40.0, 34.0, 42.0  # points: above the bars, a bar's share, below them


def draw_responders(rows: pd.DataFrame, name: str, *, stamp: str = "") -> Drawing:
    """Draw the shares of one outcome and comparison.

    Parameters
    ----------
    rows
        Rows `responders_30`, `responders_50`, `responders_75` and `worsened_30` of `cohort`.
    name
        The outcome in words.
    stamp
        Text for the corner, such as SYNTHETIC.
    """
    found = rows.set_index("statistic")
    bars = [{"statistic": s, **found.loc[s].to_dict()} for s in ORDER if s in found.index]
    texts = [_text(r) for r in bars]
    title = f"Who improved and who got worse: {name}"
    total = _TOP + _BAR * len(bars) + _BELOW
    with theme.style():
        figure = theme.new_figure(theme.WIDTH, total / 72)
        figure.text(
            8 / (72 * theme.WIDTH),
            1 - 14 / total,
            title,
            va="center",
            fontsize=LARGE,
            fontweight="bold",
        )
        axes = figure.add_axes((0.165, _BELOW / total, 0.47, _BAR * len(bars) / total))
        for y, (r, text) in enumerate(zip(bars, texts, strict=True)):
            worse = str(r["statistic"]).startswith("worsened")
            if r["redacted"] or math.isnan(r["estimate"]):
                # As long as the axis whatever the number: a length would say it.
                axes.barh(
                    y,
                    100,
                    height=0.56,
                    facecolor="white",
                    edgecolor=FAINT,
                    hatch=theme.HIDDEN,
                    linewidth=0.6,
                )
                axes.text(
                    50,
                    y,
                    text,
                    ha="center",
                    va="center",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
                )
                continue
            axes.barh(
                y,
                r["estimate"],
                height=0.56,
                facecolor=ORANGE if worse else BLUE,
                hatch=theme.WORSE if worse else "",
                edgecolor=INK,
                linewidth=0.6,
            )
            # White under black, so that the interval is seen on the bar and beside it.
            for colour, width in (("white", 4.0), (INK, 1.6)):
                axes.plot(
                    [r["ci_low"], r["ci_high"]],
                    [y, y],
                    color=colour,
                    linewidth=width,
                    solid_capstyle="butt",
                )
                for x in (r["ci_low"], r["ci_high"]):
                    axes.plot([x, x], [y - 0.13, y + 0.13], color=colour, linewidth=width)
            axes.annotate(
                text,
                (1, y),
                xycoords=("axes fraction", "data"),
                xytext=(14, 0),
                textcoords="offset points",
                va="center",
            )
        axes.set_yticks(range(len(bars)), [_wrap(str(r["label"])) for r in bars], fontsize=SMALL)
        axes.set_ylim(len(bars) - 0.5, -0.5)
        axes.set_xlim(0, 100)
        axes.set_xlabel("percent of people, 95 % CI (Wilson)")
        axes.grid(axis="x", color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        theme.stamp(figure, stamp)
    alt = (
        (f"{stamp}. " if stamp else "")
        + f"{title}. "
        + " ".join(f"{r['label']}: {text}." for r, text in zip(bars, texts, strict=True))
    )
    return Drawing(figure, title, alt, _caption(bars), wide=True)


def _caption(bars: list[dict[str, Any]]) -> str:
    text = (
        "Relative change of each person from before to after, with 95 % CI (Wilson). People with "
        "0 before have no relative change and are left out of the denominator."
    )
    known = [r for r in bars if not math.isnan(r["n"]) and not math.isnan(r["of"])]
    if known:
        text += f" Denominator: {known[0]['n']:.0f} of {known[0]['of']:.0f} people who started."
    if any(r["redacted"] for r in bars):
        text += " Bars marked hidden: small numbers, drawn at full length whatever they are."
    return text


def _wrap(label: str) -> str:
    return label.replace(" by at least ", "\nby at least ")


def _text(r: dict[str, Any]) -> str:
    if r["redacted"]:
        return "hidden"
    if math.isnan(r["estimate"]):
        return "nobody to count"
    return (
        f"{r['estimate']:.0f} %, {r['count']:.0f} of {r['n']:.0f} "
        f"(95 % CI {number(r['ci_low'], 0)} to {number(r['ci_high'], 0)} %)"
    )
