"""Who improved and who got worse, as bars with Wilson intervals."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

from headway.figures import theme
from headway.figures.theme import BLUE, FAINT, GREY, INK, ORANGE, Drawing
from headway.messages import say, t, write_integer

if TYPE_CHECKING:
    import pandas as pd

ORDER = ("responders_30", "responders_50", "responders_75", "worsened_30")


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
    with theme.style():
        figure = theme.new_figure(9.0, 0.5 * len(bars) + 1.15)
        axes = figure.add_axes((0.25, 0.24, 0.46, 0.62))
        for y, (r, text) in enumerate(zip(bars, texts, strict=True)):
            worse = r["statistic"].startswith("worsened")
            if not r["redacted"] and not math.isnan(r["estimate"]):
                (bar,) = axes.barh(
                    y,
                    r["estimate"],
                    height=0.56,
                    facecolor=ORANGE if worse else BLUE,
                    hatch=r"\\" if worse else "",
                    edgecolor=INK,
                    linewidth=0.6,
                )
                theme.tip(axes, bar, [f"{say(str(r['label']))}: {text}"])
                axes.plot([r["ci_low"], r["ci_high"]], [y, y], color=INK, linewidth=1.6)
                for x in (r["ci_low"], r["ci_high"]):
                    axes.plot([x, x], [y - 0.12, y + 0.12], color=INK, linewidth=1.6)
            else:
                axes.barh(
                    y,
                    100,
                    height=0.56,
                    facecolor="white",
                    edgecolor=GREY,
                    hatch="////",
                    linewidth=0.6,
                )
            axes.annotate(
                text,
                (1, y),
                xycoords=("axes fraction", "data"),
                xytext=(10, 0),
                textcoords="offset points",
                va="center",
            )
        axes.set_yticks(range(len(bars)), [_wrap(say(str(r["label"]))) for r in bars])
        axes.set_ylim(len(bars) - 0.4, -0.6)
        axes.set_xlim(0, 100)
        axes.set_xlabel(t("responders.percent_of_people_95_percent_ci_wilson"))
        axes.grid(axis="x", color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        theme.stamp(figure, stamp)
    title = t("responders.who_improved_and_who_got_worse_outcome", outcome=name)
    alt = (
        (f"{stamp}. " if stamp else "")
        + f"{title}. "
        + " ".join(f"{say(str(r['label']))}: {text}." for r, text in zip(bars, texts, strict=True))
    )
    caption = t("responders.relative_change_of_each_person_from_before_to")
    return Drawing(figure, title, alt, caption, wide=True)


def _wrap(label: str) -> str:
    return "\n".join(textwrap.wrap(label, 22))


def _text(r: dict[str, Any]) -> str:
    if r["redacted"]:
        return t("common.hidden")
    if math.isnan(r["estimate"]):
        return t("responders.no_one_to_count")
    return t(
        "responders.share_percent_count_of_n_low_to_high",
        share=f"{r['estimate']:.0f}",
        count=write_integer(r["count"]),
        n=write_integer(r["n"]),
        low=f"{r['ci_low']:.0f}",
        high=f"{r['ci_high']:.0f}",
    )
