"""The benchmark: this clinic's change beside the changes within published trial arms."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headway.figures import fonts, theme
from headway.figures.theme import BLUE, FAINT, GREEN, GREY, INK, ORANGE, Drawing
from headway.messages import (
    Message,
    capital,
    keep_digits,
    phrase,
    say,
    t,
    term,
    write_integer,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ROW, DETAIL = 0.29, 0.19  # inches a line, and a line of detail
WIDTH = 11.0  # inches
_DIFFERENCE = 0.69 + 0.305 * 0.53  # where the column of differences begins
_BAND = "#e8e3d0"
_MOST = 18  # arms drawn; every one is in the table


@dataclass(frozen=True, slots=True)
class _Line:
    kind: str  # block, heading, clinic, like, other, pooled, text
    label: str
    detail: tuple[str, ...] = ()
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    pi_low: float = math.nan
    pi_high: float = math.nan
    right: str = ""
    percent: str = ""
    difference: str = ""


def draw_benchmark(
    benchmark: pd.DataFrame,
    *,
    expected: tuple[float, float] | None = None,
    expected_label: str = "",
    last_change: float | None = None,
    stamp: str = "",
) -> Drawing:
    """Draw the clinic and the published arms with the range expected without treatment.

    Parameters
    ----------
    benchmark
        Table `benchmark` as disclosure control released it.
    expected
        Lowest and highest change expected without treatment, computed elsewhere.
    expected_label
        What the shaded range is.
    last_change
        The change of the people with both windows before, whom the range is about; drawn where
        it is not the change of the clinic's row.
    stamp
        Text for the corner, such as SYNTHETIC.
    """
    rows = benchmark.to_dict("records")
    ours = next(r for r in rows if r["block"] == "clinic")
    drawn = [r for r in rows if r["block"] == "arm"]
    lines = _list_lines(ours, drawn[:_MOST], [r for r in rows if r["block"] == "pooled"])
    title = t("benchmark.this_clinic_beside_published_trial_arms")
    expected_label = expected_label or t("expected.expected_without_treatment_2")
    last = aside = ""
    if last_change is not None:
        label = t("page_one.people_with_both_windows_before")
        lines.insert(2, _Line("last", label, value=last_change, right=_number(last_change)))
        last = f" {label}: {_number(last_change)}."
        aside = " " + t("page_one.the_cross_in_the_clinic_s_block_is_its_change")
    figure = _draw(lines, expected, expected_label, str(ours["unit"]), stamp)
    return Drawing(
        figure,
        title,
        _describe(rows, expected, expected_label, title, stamp) + last,
        _caption(rows, expected, expected_label, len(drawn) - _MOST) + aside,
        wide=True,
    )


# ---- what stands in which line -------------------------------------------------------------------


def _list_lines(
    ours: dict[str, Any], drawn: list[dict[str, Any]], pooled: list[dict[str, Any]]
) -> list[_Line]:
    lines = [_Line("block", t("benchmark.this_clinic_before_and_after")), _clinic(ours)]
    lines.append(_Line("block", t("benchmark.published_trial_arms_change_from_baseline")))
    if not drawn:
        why = ours["why_not"]
        if not isinstance(why, str):
            why = Message("unlike.see_table")
        lines.append(
            _Line("text", t("benchmark.none_is_drawn"), tuple(textwrap.wrap(say(why), 80)))
        )
    for kind in dict.fromkeys(r["kind"] for r in drawn):
        lines.append(_Line("heading", capital(say(term("kind", kind)))))
        lines += [_arm(r) for r in drawn if r["kind"] == kind]
        lines += [_pooled(r) for r in pooled if r["kind"] == kind]
    return lines


def _clinic(r: dict[str, Any]) -> _Line:
    n = t("common.n_hidden") if math.isnan(r["n"]) else f"n {write_integer(r['n'])}"
    if not math.isnan(r["of"]):
        n = t("benchmark.n_of_of_who_started", n=n, of=write_integer(r["of"]))
    before = t("benchmark.mean_before_mean", mean=_number(r["baseline"], 1))
    first = f"{n}; {say(r['timepoint'])}; {before}"
    second = f"{say(phrase('condition', r['condition']))}; {say(r['technique'])}"
    return _Line(
        "clinic",
        capital(say(r["label"])),
        (*_wrap(first), *_wrap(second)),
        r["change"],
        r["ci_low"],
        r["ci_high"],
        right=_cell(r) if not r["redacted"] else t("common.hidden"),
        percent=_percent(r),
    )


def _arm(r: dict[str, Any]) -> _Line:
    n = t("benchmark.n_not_printed") if math.isnan(r["n"]) else f"n {write_integer(r['n'])}"
    before = (
        t("benchmark.mean_before_not_printed")
        if math.isnan(r["baseline"])
        else t("benchmark.mean_before_mean", mean=theme.write_fixed(r["baseline"]))
    )
    other = "" if r["like_baseline"] == "yes" else "; " + t("benchmark.other_baseline_2")
    if r["like_baseline"] == "not_printed":
        other = ""
    weeks = t("common.weeks_weeks", weeks=f"{r['time_days'] / 7:.0f}")
    detail = f"{n}; {weeks}; {before}{other}"
    more = [say(phrase("condition", r["condition"]))] if isinstance(r["condition"], str) else []
    if isinstance(r["why_not"], str):
        more.append(say(r["why_not"]))
    return _Line(
        "like" if r["like_baseline"] == "yes" else "other",
        say(r["label"]),
        (*_wrap(detail), *_wrap("; ".join(more))),
        r["change"],
        r["ci_low"],
        r["ci_high"],
        right=_cell(r),
        percent=_percent(r),
        difference=_cell(r, "difference", "difference_low", "difference_high"),
    )


def _pooled(r: dict[str, Any]) -> _Line:
    detail = t(
        "benchmark.k_trials_n_n_95_percent_prediction_interval",
        k=f"{r['k']:.0f}",
        n=write_integer(r["n"]),
        low=_number(r["pi_low"]),
        high=_number(r["pi_high"]),
    )
    return _Line(
        "pooled",
        capital(say(r["label"])),
        _wrap(detail),
        r["change"],
        r["ci_low"],
        r["ci_high"],
        r["pi_low"],
        r["pi_high"],
        right=_cell(r),
        difference=_cell(r, "difference", "difference_low", "difference_high"),
    )


def _wrap(text: str) -> tuple[str, ...]:
    return tuple(textwrap.wrap(text, 66))


def _cell(
    r: dict[str, Any], value: str = "change", low: str = "ci_low", high: str = "ci_high"
) -> str:
    if math.isnan(r[value]):
        return "–"
    if math.isnan(r[low]):
        return t("benchmark.value_no_ci", value=_number(r[value]))
    three = (r[value], r[low], r[high])
    text, *ends = (_number(v, 2, three) for v in three)
    return f"{text} {_limits_of(*ends)}"


def _limits_of(low: str, high: str) -> str:
    return t("benchmark.low_high", low=low, high=high)


def _percent(r: dict[str, Any]) -> str:
    """Write the ratio of the means, after to before, as a change in percent."""
    if math.isnan(r["romc"]) or r["redacted"]:
        return ""
    value, low, high = (100 * math.expm1(r[c]) for c in ("romc", "romc_low", "romc_high"))
    if math.isnan(low):
        return f"{_number(value, 0)} %"
    return f"{_number(value, 0)} % {_limits_of(_number(low, 0), _number(high, 0))}"


def _number(value: float, digits: int = 2, beside: Sequence[float] = ()) -> str:
    if math.isnan(value):
        return t("common.hidden")
    return theme.write_fixed(value, keep_digits(digits, value, *beside))


# ---- drawing -------------------------------------------------------------------------------------


def _draw(
    lines: list[_Line],
    expected: tuple[float, float] | None,
    expected_label: str,
    unit: str,
    stamp: str,
) -> Any:
    height = [
        (1.25 if line.kind == "block" else 1.0) * ROW + DETAIL * len(line.detail) for line in lines
    ]
    top, bottom = 0.72, 0.75
    inches = sum(height) + top + bottom
    with theme.style():
        figure = theme.new_figure(WIDTH, inches)
        low, span = bottom / inches, 1 - (top + bottom) / inches
        text = figure.add_axes((0.01, low, 0.42, span))
        axes = figure.add_axes((0.43, low, 0.25, span))
        side = figure.add_axes((0.69, low, 0.305, span))
        for a in (text, axes, side):
            a.set_ylim(sum(height), 0)
        for a in (text, side):
            theme.quiet(a)
            a.set_xlim(0, 1)
        limits = _limits(lines, expected)
        axes.set_xlim(*limits)
        if expected is not None:
            axes.axvspan(
                *expected, facecolor=_BAND, edgecolor="#d3cba9", hatch="//", linewidth=0, zorder=0
            )
            for edge in expected:
                axes.axvline(edge, color="#8d8250", linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
            axes.annotate(
                t(
                    "benchmark.shaded_what_low_to_high_2",
                    what=expected_label,
                    low=_number(expected[0], 1),
                    high=_number(expected[1], 1),
                ),
                (0.5, 1),
                xycoords="axes fraction",
                xytext=(0, 22),
                textcoords="offset points",
                ha="center",
                fontsize=7.6,
                color=INK,
            )
        axes.axvline(0, color=INK, linewidth=1.1, zorder=1)
        y = 0.0
        for line, h in zip(lines, height, strict=True):
            middle = y + (0.75 if line.kind == "block" else 0.5) * ROW
            _write(text, side, line, y, middle)
            _mark(axes, line, middle, limits)
            y += h
        _finish(axes, unit)
        for x, until, label in (
            (0.01, 0.43, t("benchmark.group")),
            (0.69, _DIFFERENCE, t("benchmark.change_95_percent_ci_below_it_in_percent")),
            (_DIFFERENCE, 1.0, t("benchmark.clinic_minus_arm_95_percent_ci_a_description")),
        ):
            size = _fit(label, 8.5, (until - x) * WIDTH, bold=True)
            figure.text(x, 1 - 0.42 / inches, label, fontweight="bold", va="center", fontsize=size)
        theme.stamp(figure, stamp)
    return figure


def _fit(label: str, size: float, inches: float, *, bold: bool) -> float:
    """Find the size, at most `size`, at which every line of a label is narrower than `inches`."""
    wide = max(fonts.measure(line, size, bold) for line in label.split("\n"))
    return size * min(1.0, 0.97 * inches / wide) if wide else size


def _write(text: Axes, side: Axes, line: _Line, y: float, middle: float) -> None:
    heavy = line.kind in ("block", "clinic", "pooled")
    x = {"block": 0.0, "heading": 0.015}.get(line.kind, 0.04)
    text.text(
        x,
        middle,
        line.label,
        va="center",
        fontweight="bold" if heavy else "normal",
        fontstyle="italic" if line.kind == "heading" else "normal",
        fontsize=_fit(
            line.label, 9.5 if line.kind == "block" else 9, 0.42 * (1 - x) * WIDTH, bold=heavy
        ),
    )
    if line.kind == "block":
        for axes in (text, side):
            axes.axhline(y + 0.22 * ROW, color=GREY, linewidth=0.8)
    for i, part in enumerate(line.detail):
        text.text(
            x + 0.015,
            middle + 0.45 * ROW + DETAIL * (i + 0.35),
            part,
            va="center",
            fontsize=7.4,
            color=GREY,
        )
    side.text(
        0, middle, line.right, va="center", fontsize=8.5, fontweight="bold" if heavy else "normal"
    )
    if line.percent:
        side.text(
            0,
            middle + 0.45 * ROW + DETAIL * 0.35,
            line.percent,
            va="center",
            fontsize=7.4,
            color=GREY,
        )
    side.text(0.53, middle, line.difference, va="center", fontsize=8.5)


def _mark(axes: Axes, line: _Line, y: float, limits: tuple[float, float]) -> None:
    if math.isnan(line.value):
        return
    colour = {"clinic": BLUE, "like": GREEN, "other": GREY, "pooled": ORANGE, "last": BLUE}[
        line.kind
    ]
    if line.kind == "pooled" and not math.isnan(line.pi_low):
        _interval(axes, line.pi_low, line.pi_high, y + 0.1, limits, INK, 1.0)
    if line.kind == "pooled":
        (diamond,) = axes.fill(
            [max(line.low, limits[0]), line.value, min(line.high, limits[1]), line.value],
            [y, y - 0.09, y, y + 0.09],
            facecolor=colour,
            edgecolor=INK,
            linewidth=0.8,
            zorder=4,
        )
        theme.tip(axes, diamond, [_say_mark(line)])
        return
    if not math.isnan(line.low):
        width = 2.4 if line.kind == "clinic" else 1.4
        _interval(axes, line.low, line.high, y, limits, colour, width)
    marker = {"clinic": "s", "like": "o", "other": "o", "last": "x"}[line.kind]
    if math.isnan(line.low):
        marker = "x"
    (mark,) = axes.plot(
        [line.value],
        [y],
        marker=marker,
        markersize=9 if line.kind == "clinic" else 7,
        markerfacecolor="white" if line.kind == "other" else colour,
        markeredgecolor=colour,
        markeredgewidth=1.5,
        linestyle="none",
        zorder=4,
    )
    theme.tip(axes, mark, [_say_mark(line)])


def _say_mark(line: _Line) -> str:
    parts = [f"{line.label}: {line.right}", *line.detail[:1]]
    return " ".join("; ".join(part for part in parts if part).split())


def _interval(
    axes: Axes,
    low: float,
    high: float,
    y: float,
    limits: tuple[float, float],
    colour: str,
    width: float,
) -> None:
    axes.plot(
        [max(low, limits[0]), min(high, limits[1])],
        [y, y],
        color=colour,
        linewidth=width,
        solid_capstyle="butt",
        zorder=3,
    )
    for outside, x, way in ((low < limits[0], limits[0], "<"), (high > limits[1], limits[1], ">")):
        if outside:
            axes.plot([x], [y], marker=way, color=colour, markersize=5, clip_on=False, zorder=3)


def _limits(lines: list[_Line], expected: tuple[float, float] | None) -> tuple[float, float]:
    """Choose an axis that holds every estimate and interval and 0; wide ones may leave it."""
    values = [v for ln in lines for v in (ln.low, ln.high, ln.value) if math.isfinite(v)]
    values += [0.0, *(expected or ())]
    low, high = min(values), max(values)
    wide = [v for ln in lines for v in (ln.pi_low, ln.pi_high) if math.isfinite(v)]
    spread = max(high - low, 1.0)
    low = max(min([low, *wide]), low - 0.5 * spread)
    high = min(max([high, *wide]), high + 0.5 * spread)
    pad = 0.06 * max(high - low, 1.0)
    return low - pad, max(high + pad, 0.12 * spread)


def _finish(axes: Axes, unit: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}".replace("-", "−")))
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.grid(axis="x", color=FAINT, linewidth=0.5, zorder=0)
    axes.set_axisbelow(True)
    fewer = "benchmark.fewer_after" if "days" in unit.split("_") else "benchmark.less_after"
    for x, align, name in (
        (0.0, "left", fewer),
        (1.0, "right", "benchmark.more_after"),
    ):
        axes.annotate(
            t(name),
            (x, 0),
            xycoords="axes fraction",
            xytext=(0, -22),
            textcoords="offset points",
            ha=align,
            va="top",
            fontsize=8,
        )
    axes.annotate(
        t("benchmark.change_in_unit_after_minus_before", unit=say(phrase("unit", unit))),
        (0.5, 0),
        xycoords="axes fraction",
        xytext=(0, -35),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=8.5,
    )


# ---- words ---------------------------------------------------------------------------------------


def _describe(
    rows: list[dict[str, Any]],
    expected: tuple[float, float] | None,
    expected_label: str,
    title: str,
    stamp: str,
) -> str:
    parts = [f"{stamp}. " if stamp else "", t("benchmark.forest_plot_title", title=title)]
    for r in rows:
        if r["block"] == "clinic":
            value = t("common.hidden") if r["redacted"] or math.isnan(r["change"]) else _words(r)
            parts.append(" " + t("benchmark.this_clinic_value", value=value))
        elif r["block"] == "arm":
            other = {"yes": "benchmark.like_baseline", "no": "benchmark.other_baseline"}.get(
                r["like_baseline"], "benchmark.baseline_not_printed"
            )
            kind = capital(say(term("kind", r["kind"])))
            parts.append(f" {kind}, {say(r['label'])}: {_words(r)}, {t(other)}.")
        elif r["block"] == "pooled":
            spread = t(
                "benchmark.prediction_interval_low_to_high",
                low=_number(r["pi_low"]),
                high=_number(r["pi_high"]),
            )
            parts.append(f" {capital(say(r['label']))}: {_words(r)}, {spread}.")
    if not any(r["block"] == "arm" for r in rows):
        parts.append(" " + t("benchmark.no_published_arm_is_drawn"))
    if expected is not None:
        parts.append(
            " "
            + t(
                "benchmark.shaded_what_low_to_high",
                what=expected_label.replace(chr(10), " "),
                low=_number(expected[0], 1),
                high=_number(expected[1], 1),
            )
        )
    return "".join(parts)


def _words(r: dict[str, Any]) -> str:
    three = (r["change"], r["ci_low"], r["ci_high"])
    value, low, high = (_number(v, 2, three) for v in three)
    text = t("benchmark.change_value", value=value)
    if not math.isnan(r["ci_low"]):
        text += ", " + t("common.95_percent_ci_low_to_high", low=low, high=high)
    return text + ("" if math.isnan(r["n"]) else f", n {write_integer(r['n'])}")


def _caption(
    rows: list[dict[str, Any]],
    expected: tuple[float, float] | None,
    expected_label: str,
    more: int,
) -> str:
    text = t("benchmark.square_this_clinic_filled_circles_published")
    if any(r["block"] == "pooled" for r in rows):
        text += t("benchmark.diamonds_arms_of_one_kind_pooled_random")
    if expected is not None:
        text += t("benchmark.shaded_what", what=expected_label.replace(chr(10), " "))
    text += t("benchmark.the_groups_were_not_drawn_by_lot_against_this")
    left = sum(r["block"] == "not_used" for r in rows)
    if left:
        text += " " + t("benchmark.n_more_arms_are_in_the_table_with_the_reason", n=left)
    if more > 0:
        text += " " + t("benchmark.n_more_arms_fit_and_are_in_the_table_only", n=more)
    return text
