"""Control charts by month: values, centre, limits, phases, signals and what the clinic noted."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headway.figures import theme
from headway.figures.theme import BLUE, FAINT, GREY, INK, ORANGE, Drawing, write_fixed
from headway.messages import MISSING, capital, is_missing, say, t, term
from headway.tables import printable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from headway.config.clinic import ChartNote

_LETTERS = 22  # of a note fit beside its line; the caption has the whole of it


def draw_control_charts(
    table: pd.DataFrame, notes: Sequence[ChartNote] = (), *, stamp: str = ""
) -> Drawing:
    """Draw every chart of the table below each other, months in line.

    Parameters
    ----------
    table
        Table `control_chart` as disclosure control released it.
    notes
        What changed in the clinic: a labelled line where its month begins, if months on both
        sides or at it are charted.
    stamp
        Text for the corner, such as SYNTHETIC.
    """
    charts = list(dict.fromkeys(table["chart"]))
    first, last = table["month"].min(), table["month"].max()
    noted = sorted((n for n in notes if first <= n.month <= last), key=lambda n: n.month)
    inches = 0.75 + 1.95 * max(len(charts), 1)
    with theme.style():
        figure = theme.new_figure(9.0, inches)
        top = 1 - 0.35 / inches
        each = (top - 0.5 / inches) / max(len(charts), 1)
        for i, chart in enumerate(charts):
            axes = figure.add_axes((0.09, top - (i + 1) * each + 0.32 / inches, 0.89, each * 0.68))
            _draw(axes, table[table["chart"] == chart].sort_values("month").to_dict("records"))
            axes.set_xlim(first - 0.6, last + 0.6)
            _draw_notes(axes, noted)
            if i == len(charts) - 1:
                axes.set_xlabel(t("charts.month_in_which_treatment_started_index"))
        theme.stamp(figure, stamp)
    title = t("charts.over_time_months_beside_each_other")
    told = "".join(f" {_tell(note)}" for note in noted)
    alt, caption = _describe(table, title, stamp), _caption(table)
    return Drawing(figure, title, f"{alt}{told}", f"{caption}{told}", wide=True)


def _draw_notes(axes: Axes, notes: Sequence[ChartNote]) -> None:
    """Draw a line where the month of a note begins, with its text along it."""
    for note in notes:
        x = note.month - 0.5
        axes.axvline(x, color=INK, linewidth=1.3, linestyle="-.", zorder=5)
        axes.annotate(
            textwrap.shorten(printable(note.text), _LETTERS, placeholder="…"),
            (x, 0.97),
            xycoords=axes.get_xaxis_transform(),
            xytext=(-3, 0),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="top",
            fontsize=7,
            zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.3},
        )


def _tell(note: ChartNote) -> str:
    text = " ".join(printable(note.text).split())
    return t("charts.note_from_month", month=note.month, text=text)


def _draw(axes: Axes, rows: list[dict[str, Any]]) -> None:
    from matplotlib.ticker import MaxNLocator

    for phase in dict.fromkeys(r["phase"] for r in rows):
        own = [r for r in rows if r["phase"] == phase]
        x = [r["month"] for r in own]
        # Limits of shares follow the number of people, so they are steps around each month.
        edges = [e for m in x for e in (m - 0.5, m + 0.5)]
        for name, style, width in (
            ("centre", "-", 1.0),
            ("low", (0, (4, 2)), 1.0),
            ("high", (0, (4, 2)), 1.0),
        ):
            line = [v for r in own for v in (r[name], r[name])]
            axes.plot(edges, line, color=GREY, linestyle=style, linewidth=width, zorder=1)
        axes.plot(x, [r["value"] for r in own], color=BLUE, linewidth=1.1, zorder=2)
        if phase > 1:
            axes.axvline(x[0] - 0.5, color=INK, linewidth=0.9, linestyle=":", zorder=1)
    for r in rows:
        if r["redacted"] or math.isnan(r["value"]):
            continue
        signal = isinstance(r["signals"], str)
        (mark,) = axes.plot(
            [r["month"]],
            [r["value"]],
            marker="D" if signal else "o",
            markersize=7 if signal else 5,
            color=ORANGE if signal else BLUE,
            markeredgecolor=INK if signal else BLUE,
            linestyle="none",
            zorder=3,
        )
        told = theme.say_value(r["value"], math.nan, math.nan, r["n"])
        theme.tip(axes, mark, [f"{t('over_time.month')} {r['month']}: {told}"])
    first = rows[0]
    axes.set_title(
        f"{capital(say(first['label']))}, {say(term('unit', first['unit']))}", fontsize=9
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def name_signals(codes: str | None) -> str:
    """Name the Western Electric rules that a month completes; a dash without any."""
    if is_missing(codes):
        return MISSING
    return "; ".join(say(term("signal", code)) for code in str(codes).split("; "))


def _describe(table: pd.DataFrame, title: str, stamp: str) -> str:
    parts = [f"{stamp}. " if stamp else "", t("charts.control_charts_title", title=title)]
    for _, rows in table.groupby("chart", sort=False):
        first = rows.iloc[0]
        parts.append(f" {capital(say(first['label']))} ({say(term('unit', first['unit']))}):")
        for _, own in rows.groupby("phase"):
            text = " " + t(
                "charts.n_months_centre_centre",
                n=len(own),
                centre=write_fixed(own["centre"].iloc[0]),
            )
            if own["low"].notna().any():
                text += ", " + t(
                    "charts.limits_low_to_high",
                    low=write_fixed(own["low"].min()),
                    high=write_fixed(own["high"].max()),
                )
            parts.append(text + ".")
        told = rows[rows["signals"].notna()]
        for r in told.to_dict("records"):
            signals = name_signals(r["signals"])
            parts.append(" " + t("charts.month_month_signals", month=r["month"], signals=signals))
        if not len(told):
            parts.append(" " + t("charts.no_month_stands_out"))
    return "".join(parts)


def _caption(table: pd.DataFrame) -> str:
    if not len(table):
        return t("charts.no_month_is_on_record")
    text = t("charts.solid_line_centre_dashed_3_sigma_limits_of")
    return f"{text} {capital(say(str(table['note'].iloc[0])))}."
