"""How widely people spread in published headache trials, to hold a printed SD against.

The rows are those of the reviews that the project ships; `literature.csv` names trial and source.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headway.effects.units import UNITS

if TYPE_CHECKING:
    import pandas as pd

FILE = Path(__file__).with_name("literature.csv")
ENOUGH = 5  # rows of other trials below which no SD is judged
LEAST_SCALE = 0.35  # of log SD: trials that happen to agree must not make the next one suspect
MAD_TO_SD = 1.4826


@cache
def read_literature() -> pd.DataFrame:
    """Read published arms: trial, outcome, unit, kind, n, mean, sd, source.

    Means and SDs are in the first unit of their kind (days per 28, points on 0-10, hours).
    """
    import pandas as pd

    rows = pd.read_csv(FILE)
    factor = rows["unit"].map(lambda u: UNITS[u].factor)
    return rows.assign(
        mean=rows["mean"] * factor,
        sd=rows["sd"] * factor,
        family=rows["unit"].map(lambda u: UNITS[u].kind),
    )


def list_like(unit: str, kind: str, trial: str) -> pd.DataFrame:
    """List published arms of other trials in the same kind of unit, their numbers in `unit`.

    Means before and after treatment are alike in spread; changes are not.
    """
    rows = read_literature()
    change = rows["kind"].eq("change")
    same = change if kind == "change" else ~change
    rows = rows[rows["family"].eq(UNITS[unit].kind) & same & rows["trial"].ne(trial)]
    factor = UNITS[unit].factor
    return rows.assign(mean=rows["mean"] / factor, sd=rows["sd"] / factor)


@cache
def _list_spreads(unit: str, change: bool) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    """List trials and SDs of published arms in the same kind of unit."""
    rows = list_like(unit, "change" if change else "final", "").dropna(subset="sd")
    return rows["trial"].to_numpy(str), rows["sd"].to_numpy(float)


def place_sd(sd: float, unit: str, kind: str, trial: str) -> tuple[float, float, int]:
    """Place an SD among published ones, on the log scale and by median and MAD.

    Returns
    -------
    tuple
        How many robust standard deviations of log SD it lies from their median (NaN where fewer
        than five rows of other trials are known), that median in `unit`, and the number of rows.
    """
    trials, spreads = _list_spreads(unit, kind == "change")
    known = spreads[trials != trial]
    if len(known) < ENOUGH or not sd > 0:
        return float("nan"), float("nan"), len(known)
    logs = np.log(known)
    middle = float(np.median(logs))
    scale = max(float(np.median(np.abs(logs - middle))) * MAD_TO_SD, LEAST_SCALE)
    return (float(np.log(sd)) - middle) / scale, float(np.exp(middle)), len(known)
