"""The specification curve of a clinic's change, from the released table `specifications`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.figures import theme
from headway.figures.refits import draw_specifications
from headway.figures.theme import Drawing

if TYPE_CHECKING:
    import pandas as pd

AXES = {
    "window": "window after",
    "value": "days",
    "completeness": "complete window",
    "headache_day": "headache day",
    "before": "before",
    "lost": "the lost",
}


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
        {label: shown[column].astype(str).tolist() for column, label in AXES.items()},
        shown["estimate"],
        shown["ci_low"],
        shown["ci_high"],
        declared=int(shown.index[shown["declared"]][0]),
        title=f"Change in {name}: every way to count it",
        y_label=f"mean change, {unit}",
        null_name="no change",
    )
    with theme.style():
        theme.stamp(drawing.figure, stamp)
    left = len(specifications) - len(shown)
    caption = drawing.caption + (
        " A filled square is an interval that excludes no change, an open circle one that "
        "includes it, the diamond the declared way. Negative: fewer than before."
    )
    if left:
        caption += f" {left} ways with too few people or withheld are not drawn."
    alt = drawing.alt + (f" {stamp}." if stamp else "")
    return Drawing(drawing.figure, drawing.title, alt, caption, wide=True)
