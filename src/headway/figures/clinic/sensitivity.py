"""A clinic's change under other assumptions: a row per analysis, and the specification curve.

Both from released tables only (`sensitivity`, `specifications`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.figures import theme
from headway.figures.specifications import draw_specifications
from headway.figures.theme import BLUE, GREY, INK, Drawing, write_beside, write_fixed
from headway.messages import phrase, say, t, write_integer
from headway.outcomes.expectation.multiverse import find_sample

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

AXES = {
    "window": "specifications.window_after",
    "value": "change.days",
    "completeness": "specifications.complete_window",
    "headache_day": "specifications.headache_day",
    "before": "change.before",
    "lost": "specifications.the_lost",
}


# One row per question; the others stand in the table.
ROWS = {
    "complete_pairs": "charts.people_with_both_windows_declared",
    "baseline_carried_forward": "analysis.baseline_carried_forward",
    "multiple_imputation": "charts.the_lost_imputed",
    "gee_binomial_corrected": "charts.all_windows_binomial_model",
    "gee_poisson_corrected": "charts.all_windows_poisson_model",
    "mixed_model": "charts.all_windows_linear_mixed_model",
    "clustered_by_therapist": "charts.people_of_one_therapist_taken_as_alike",
}
BOUNDS = "charts.whatever_the_unknown_days_were"


def draw_sensitivity(sensitivity: pd.DataFrame, name: str, *, stamp: str = "") -> Drawing | None:
    """Draw the primary change under each way to treat what is missing.

    Parameters
    ----------
    sensitivity
        Table `sensitivity`, as disclosure control released it.
    name
        The outcome in words.
    stamp
        Text for the corner, such as SYNTHETIC.

    Returns
    -------
    Drawing or None
        None where the declared analysis has no interval to show.
    """
    known = sensitivity.set_index("id")
    shown: list[tuple[str, float, float, float, float]] = []
    for id, label in ROWS.items():
        if id in known.index and known.loc[id, ["estimate", "ci_low", "ci_high"]].notna().all():
            middle, low, high, n = (
                float(known.loc[id, c]) for c in ("estimate", "ci_low", "ci_high", "n")
            )
            shown.append((label, middle, low, high, n))
    if not shown or shown[0][0] != ROWS["complete_pairs"]:
        return None
    limits = [
        float(known.loc[id, "estimate"])
        for id in ("bound_low", "bound_high")
        if id in known.index and known["estimate"].notna()[id]
    ]
    bounds = limits if len(limits) == 2 else []
    unit, count = str(known.loc["complete_pairs", "unit"]), len(shown) + bool(bounds)
    height = 0.34 * count + 1.25
    with theme.style():
        figure = theme.new_figure(8.6, height)
        axes = figure.add_axes((0.34, 0.62 / height, 0.40, 1 - 1.12 / height))
        axes.axvline(0.0, color=GREY, linewidth=0.9)
        axes.axvline(shown[0][1], color=BLUE, linestyle="--", linewidth=1.0)
        for i, (label, estimate, low, high, n) in enumerate(shown):
            axes.plot([low, high], [i, i], color=INK, linewidth=1.3)
            away = low > 0 or high < 0
            (mark,) = axes.plot(
                [estimate], [i], "s" if away else "o", color=INK if away else "white",
                markeredgecolor=INK, markersize=6,
            )  # fmt: skip
            ends = t("benchmark.low_high", low=write_fixed(low), high=write_fixed(high))
            numbers = f"{write_fixed(estimate)} {ends}"
            people = "" if n != n else f"   n = {write_integer(n)}"
            told = theme.say_value(estimate, low, high, None if n != n else n)
            theme.tip(axes, mark, [f"{t(label)}: {told}"])
            _label(axes, i, t(label), numbers + people)
        if bounds:
            axes.plot(bounds, [count - 1] * 2, color=GREY, linewidth=5, solid_capstyle="butt")
            numbers = t(
                "common.low_to_high", low=write_fixed(bounds[0]), high=write_fixed(bounds[1])
            )
            _label(axes, count - 1, t(BOUNDS), numbers)
        axes.set_ylim(count - 0.4, -0.6)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(t("specifications.mean_change_unit", unit=say(phrase("unit", unit))))
        title = t("charts.change_in_outcome_under_other_assumptions", outcome=name)
        figure.text(0.01, 1 - 0.1 / height, title, fontweight="bold", va="top", fontsize=10)
        theme.stamp(figure, stamp)
    alt = f"{title}. " + "; ".join(
        f"{t(label)}: {write_fixed(estimate)} "
        f"({t('common.95_percent_ci_low_to_high', low=write_fixed(low), high=write_fixed(high))})"
        for label, estimate, low, high, _ in shown
    )
    if bounds:
        span = t("common.low_to_high", low=write_fixed(bounds[0]), high=write_fixed(bounds[1]))
        alt += f"; {t(BOUNDS)}: {span}"
    caption = t("charts.broken_line_the_declared_analysis_a_filled")
    if bounds:
        caption += " " + t("charts.thick_every_value_that_the_records_allow")
    caption += " " + t("charts.negative_fewer_than_before")
    alt = (f"{stamp}. " if stamp else "") + alt + "."
    return Drawing(figure, title, alt, caption, wide=True)


def _label(axes: Axes, y: float, left: str, right: str) -> None:
    write_beside(axes, 0, y, left, "right", -10, "normal")
    write_beside(axes, 1, y, right, "left", 10, "normal")


def tell_sample(n: float, of: float) -> str:
    """Say in how many of all who started missing values were imputed."""
    shown = (t("common.a_hidden_number") if x != x else write_integer(x) for x in (n, of))
    return t("specifications.imputed_in_a_sample", n=next(shown), of=next(shown))


def draw_clinic_specifications(
    specifications: pd.DataFrame, name: str, *, stamp: str = ""
) -> Drawing | None:
    """Draw every specification of the primary change, sorted, over what each of them chooses.

    Parameters
    ----------
    specifications
        Table `specifications`, as disclosure control released it.
    name
        The outcome in words.
    stamp
        Text for the corner, such as SYNTHETIC.

    Returns
    -------
    Drawing or None
        None where there are fewer than two specifications to show, or the declared one is not
        among them (too few people, or withheld).
    """
    shown = specifications[
        specifications[["estimate", "ci_low", "ci_high"]].notna().all(axis=1)
    ].reset_index(drop=True)
    if len(shown) < 2 or not shown["declared"].any():
        return None
    unit = str(shown["unit"].iloc[0])
    drawing = draw_specifications(
        {
            t(label): [say(phrase("choice", level)) for level in shown[column]]
            for column, label in AXES.items()
        },
        shown["estimate"],
        shown["ci_low"],
        shown["ci_high"],
        declared=int(shown.index[shown["declared"]][0]),
        title=t("specifications.change_in_outcome_every_way_to_count_it", outcome=name),
        x_label=t("specifications.specifications_sorted_by_estimate"),
        y_label=t("specifications.mean_change_unit", unit=say(phrase("unit", unit))),
        null_name=t("specifications.no_change"),
        away_name=t("specifications.excludes"),
    )
    with theme.style():
        theme.stamp(drawing.figure, stamp)
    left = len(specifications) - len(shown)
    caption = drawing.caption + t("specifications.a_filled_square_is_an_interval_that_excludes")
    if left:
        caption += " " + t("specifications.n_ways_with_too_few_people_or_withheld_are", n=left)
    sample = find_sample(shown)
    if sample is not None:
        caption += " " + tell_sample(*sample)
    alt = (f"{stamp}. " if stamp else "") + drawing.alt
    return Drawing(drawing.figure, drawing.title, alt, caption, wide=True)
