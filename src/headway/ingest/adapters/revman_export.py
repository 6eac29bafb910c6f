"""Effects -> RevMan Web's data rows, one row per study."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.effects.measures import MEASURES
from headway.effects.units import name_unit
from headway.errors import Problem
from headway.ingest.adapters.exchange import as_text, write_number, write_rows
from headway.messages import say_in_english
from headway.tables import guard

if TYPE_CHECKING:
    import pandas as pd


# Columns of the data rows, in the order of RevMan Web's own file.
DATA_ROWS = (
    "Analysis group",
    "Analysis number",
    "Analysis name",
    "Subgroup",
    "Applicability",
    "Study",
    "Study year",
    "GIV Mean",
    "GIV SE",
    "Experimental mean",
    "Experimental SD",
    "Experimental cases",
    "Experimental N",
    "Control mean",
    "Control SD",
    "Control cases",
    "Control N",
    "O-E",
    "Variance",
    "Weight",
    "Mean",
    "CI start",
    "CI end",
    "Footnotes",
)
_ARM_MEASURES = {
    code: ["events"] if MEASURES[code].counts_events else ["mean", "sd"]
    for code in ("MD", "SMD", "RR", "OR", "RD")
}


def write_revman(effects: pd.DataFrame, path: Path) -> tuple[Problem, ...]:
    """Write effects as RevMan Web's data rows.

    A comparison of means or counts of two arms is written as such. One that holds a printed
    difference, or that follows single arms, is written as generic inverse variance throughout,
    since an analysis of RevMan has one type of data. Numbers have as many digits as give back
    the same number; text that a spreadsheet would run as a formula gets an apostrophe.

    Parameters
    ----------
    effects
        Table `effects`; its rows with `pooled` are written, as RevMan pools what it holds.
    path
        File to write.

    Returns
    -------
    tuple of Problem
        One per row that was left out, with its place in the table (1 = first row).
    """
    effects = effects.assign(year=effects["year"].astype("float64"))
    left: list[Problem] = []
    rows: list[list[str]] = []
    for place, (pooled, yi) in enumerate(zip(effects["pooled"], effects["yi"], strict=True), 1):
        if not pooled or math.isnan(yi):
            text, remedy = "problem.not_pooled", "remedy.not_pooled"
            left.append(Problem("effects", "not_pooled", text, "pooled", place, remedy))
    for number, (id, part) in enumerate(effects.groupby("comparison", sort=False), 1):
        used = part[part["pooled"] & part["yi"].notna()]
        # A study stands once in an analysis; here each arm of a trial may be followed.
        twice = used.duplicated("trial", keep=False)
        names = used["trial"].mask(twice, used["trial"] + " (" + used["arms"] + ")")
        by_arms = _by_arms(used)
        rows += [
            _as_data_row(number, str(id), row, by_arms)
            for row in used.assign(trial=names).itertuples()
        ]
    write_rows(path, DATA_ROWS, rows)
    return tuple(left)


def _by_arms(used: pd.DataFrame) -> bool:
    """Tell whether every row of a comparison has the numbers of both its arms."""
    if not len(used) or (used["basis"] != "arms").any():
        return False
    parts = _ARM_MEASURES.get(used["measure"].iloc[0], [])
    names = [f"{part}{i}" for part in [*parts, "n"] for i in (1, 2)]
    return bool(parts) and bool(used[names].notna().all(axis=None))


def _as_data_row(number: int, id: str, row: Any, by_arms: bool) -> list[str]:
    """Write one row of the table `effects`."""
    shown = [float(MEASURES[row.measure].scale.back(x)) for x in (row.yi, row.ci_low, row.ci_high)]
    subgroup, unit = as_text(row.subgroup), say_in_english(name_unit(row.unit))
    cells = {
        "Analysis group": "1",
        "Analysis number": str(number),
        "Analysis name": guard(as_text(row.label) or id),
        "Subgroup": guard(subgroup),
        "Applicability": "SUBGROUP_AND_OVERALL" if subgroup else "",
        "Study": guard(row.trial),
        "Study year": write_number(row.year),
        "Experimental N": write_number(row.n1),
        "Control N": write_number(row.n2),
        "Weight": write_number(row.weight),
        "Footnotes": guard(
            "; ".join(
                say_in_english(text)
                for text in (f"{row.arms}, {row.timepoint}, {unit}", row.source, row.note)
                if isinstance(text, str)
            )
        ),
    }
    cells |= dict(zip(("Mean", "CI start", "CI end"), map(write_number, shown), strict=True))
    if by_arms:
        for side, i in (("Experimental", "1"), ("Control", "2")):
            cells |= {
                f"{side} {name}": write_number(getattr(row, f"{part}{i}"))
                for name, part in (("mean", "mean"), ("SD", "sd"), ("cases", "events"))
            }
    else:
        cells |= {"GIV Mean": write_number(row.yi), "GIV SE": write_number(math.sqrt(row.vi))}
    return [cells.get(name, "") for name in DATA_ROWS]
