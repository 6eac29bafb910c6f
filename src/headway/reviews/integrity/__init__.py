"""Can these printed numbers be true? Doubts about a review's rows, as messages.

A doubt is not a verdict about a trial: most are misprints. Checks of one arm or several arms stand
in `arms`, checks of differences and pooled results in `contrasts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headway.reviews.integrity.arms import check_arms
from headway.reviews.integrity.contrasts import check_contrasts
from headway.reviews.integrity.scales import check_scales, find_unlogged
from headway.reviews.integrity.shown import check_shown
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Review

SEVERITIES = ("impossible", "doubt", "note")


def check_integrity(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    published: pd.DataFrame,
    review: Review,
    effects: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Run every check on a review's tables.

    Parameters
    ----------
    arms, contrasts, published
        Tables of the contract.
    review
        review.yaml with its defaults; an outcome's `scale` bounds its values.
    effects
        Table of the contract: imported rows are held against what their file shows for them.

    Returns
    -------
    DataFrame
        Table `integrity`, the gravest first, empty where there is nothing to doubt.
    """
    import pandas as pd

    unlogged = find_unlogged(contrasts)
    # What is typed on another scale is doubted once, and not again by every check.
    places = zip(contrasts["file"], contrasts["line"], strict=True)
    sound = contrasts.loc[np.array([place not in unlogged for place in places], dtype=bool)]
    rows = [
        *check_arms(arms, review.outcomes),
        *check_contrasts(arms, sound, published),
        *check_scales(contrasts, unlogged),
        *([] if effects is None else check_shown(arms, contrasts, effects)),
    ]
    if not rows:
        return empty("integrity")
    found = pd.DataFrame(rows)
    order = found["severity"].map(SEVERITIES.index)
    found = found.assign(order=order).sort_values(["order", "trial"], kind="stable")
    return conform("integrity", found.drop(columns="order"))
