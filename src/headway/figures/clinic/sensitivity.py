"""A clinic's change under other assumptions: a row per analysis, and the specification curve.

Both from released tables only (`sensitivity`, `specifications`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.figures import theme
from headway.figures.specifications import draw_specifications
from headway.figures.theme import BLUE, GREY, INK, Drawing
from headway.messages import decimal, say, t

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

AXES = {
    "window": "window after",
    "value": "days",
    "completeness": "complete window",
    "headache_day": "headache day",
    "before": "before",
    "lost": "the lost",
}


# One row per question; the others stand in the table.
ROWS = {
    "complete_pairs": "people with both windows (declared)",
    "baseline_carried_forward": "the lost counted with no change",
    "multiple_imputation": "the lost imputed",
    "gee_binomial_corrected": "all windows, binomial model",
    "gee_poisson_corrected": "all windows, Poisson model",
    "mixed_model": "all windows, linear mixed model",
    "clustered_by_therapist": "people of one therapist taken as alike",
}
BOUNDS = "whatever the unknown days were"


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
            axes.plot(
                [estimate], [i], "s" if away else "o", color=INK if away else "white",
                markeredgecolor=INK, markersize=6,
            )  # fmt: skip
            ends = t("[{low}, {high}]", low=_one(low), high=_one(high))
            numbers = f"{_one(estimate)} {ends}"
            people = "" if n != n else f"   n = {n:.0f}"
            _label(axes, i, t(label), numbers + people)
        if bounds:
            axes.plot(bounds, [count - 1] * 2, color=GREY, linewidth=5, solid_capstyle="butt")
            numbers = t("{low} to {high}", low=_one(bounds[0]), high=_one(bounds[1]))
            _label(axes, count - 1, t(BOUNDS), numbers)
        axes.set_ylim(count - 0.4, -0.6)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(t("mean change, {unit}", unit=say(unit)))
        title = t("Change in {outcome} under other assumptions", outcome=name)
        figure.text(0.01, 1 - 0.1 / height, title, fontweight="bold", va="top", fontsize=10)
        theme.stamp(figure, stamp)
    alt = f"{title}. " + "; ".join(
        f"{t(label)}: {_one(estimate)} "
        f"({t('95 % CI {low} to {high}', low=_one(low), high=_one(high))})"
        for label, estimate, low, high, _ in shown
    )
    if bounds:
        span = t("{low} to {high}", low=_one(bounds[0]), high=_one(bounds[1]))
        alt += f"; {t(BOUNDS)}: {span}"
    caption = t(
        "Broken line: the declared analysis. A filled square is an interval that excludes no "
        "change, an open circle one that includes it."
    )
    if bounds:
        caption += " " + t("Thick: every value that the records allow.")
    caption += " " + t("Negative: fewer than before.")
    alt = (f"{stamp}. " if stamp else "") + alt.replace("-", "−") + "."
    return Drawing(figure, title, alt, caption, wide=True)


def _one(value: float) -> str:
    return decimal(f"{value:.1f}".replace("-", "−"))


def _label(axes: Axes, y: float, left: str, right: str) -> None:
    for side, text, align, shift in ((0, left, "right", -10), (1, right, "left", 10)):
        axes.annotate(
            text, (side, y), xycoords=("axes fraction", "data"), xytext=(shift, 0),
            textcoords="offset points", ha=align, va="center", fontsize=8.5,
            annotation_clip=False,
        )  # fmt: skip


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
        {t(label): shown[column].astype(str).map(say).tolist() for column, label in AXES.items()},
        shown["estimate"],
        shown["ci_low"],
        shown["ci_high"],
        declared=int(shown.index[shown["declared"]][0]),
        title=t("Change in {outcome}: every way to count it", outcome=name),
        x_label=t("specifications, sorted by estimate"),
        y_label=t("mean change, {unit}", unit=say(unit)),
        null_name="no change",
    )
    with theme.style():
        theme.stamp(drawing.figure, stamp)
    left = len(specifications) - len(shown)
    caption = drawing.caption + t(
        " A filled square is an interval that excludes no change, an open circle one that "
        "includes it, the diamond the declared way. Negative: fewer than before."
    )
    if left:
        caption += " " + t("{n} ways with too few people or withheld are not drawn.", n=left)
    alt = (f"{stamp}. " if stamp else "") + drawing.alt
    return Drawing(drawing.figure, drawing.title, alt, caption, wide=True)
