"""A clinic's further figures: other ways to count, fees, therapists, months.

Each is drawn from a released table, and not at all where that table has nothing to show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from headway.figures.control_chart import draw_control_charts
from headway.figures.cost import draw_cost_plane
from headway.figures.funnel import draw_funnel
from headway.figures.sensitivity import draw_sensitivity
from headway.figures.theme import Drawing

if TYPE_CHECKING:
    import pandas as pd

# Cost planes of one currency: the uncontrolled change, and the first that has taken off what
# would be expected without treatment. The others are rows of the table.
_PLANES = 2
_FEWEST_THERAPISTS = 2  # one dot is no comparison


def draw_more(tables: Mapping[str, pd.DataFrame], name: str, stamp: str) -> dict[str, Drawing]:
    """Draw what the tables `sensitivity`, `cost_plane`, `funnel` and `control_chart` hold.

    Parameters
    ----------
    tables
        As disclosure control released them.
    name
        The primary outcome in words.
    stamp
        Text for the corner, such as SYNTHETIC.
    """
    out: dict[str, Drawing] = {}
    counted = draw_sensitivity(tables["sensitivity"], name, stamp=stamp)
    if counted is not None:
        out["sensitivity"] = counted
    out |= _draw_planes(tables["cost_plane"], tables["cost"], stamp)
    funnel = tables["funnel"]
    if (funnel["z"].notna() & ~funnel["redacted"]).sum() >= _FEWEST_THERAPISTS:
        out["funnel"] = draw_funnel(funnel, stamp=stamp)
    months = tables["control_chart"]
    # A chart whose months are all hidden is a row of the table, and no empty frame.
    told = months["value"].notna() & ~months["redacted"]
    months = months[months["chart"].isin(months.loc[told, "chart"])]
    if len(months):
        out["months"] = draw_control_charts(months, stamp=stamp)
    return out


def _draw_planes(plane: pd.DataFrame, cost: pd.DataFrame, stamp: str) -> dict[str, Drawing]:
    """Draw a plane per currency and basis; none where a part of it is withheld."""
    out = {}
    for currency, cells in plane.groupby("currency", sort=False):
        for i, basis in enumerate(list(dict.fromkeys(cells["basis"]))[:_PLANES]):
            own = cost[(cost["currency"] == currency) & (cost["basis"] == basis)]
            hidden = cells.loc[cells["basis"] == basis, "redacted"].any() or own["redacted"].any()
            if not hidden:
                out[f"cost_{currency}_{i + 1}"] = draw_cost_plane(
                    plane, cost, str(currency), str(basis), stamp=stamp
                )
    return out
