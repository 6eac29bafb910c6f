"""How finely estimates and their limits are printed, so that no number of people follows from them.

From a mean to twelve digits, or from an interval and a standard deviation, the exact number of
people can be worked out. So:

- the mean of n whole numbers is a multiple of 1 / n: printed to a tenth, it may be that of any n
  from 10 on. Shares of days are multiples of 100 / (28 n) percent and are printed in whole
  percent. Minutes and fees come in fives, tens and twenties, and are printed to three digits and
  no finer than whole. Of numbers without a unit two decimals stay;
- where counts are rounded, an interval is that of the fewest people whose number is printed so,
  and is never narrower than the one computed. The same interval in two tables is so widened in
  both;
- limits of a median are the values of single people, and are held to the rule of quartiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from headway.disclosure.presets import Preset
from headway.outcomes.change.change import LEVEL

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

NAN = float("nan")
_DIGITS = 3
# Units whose persons' values are whole numbers, or close to a hundred steps over the range.
_WHOLE = r"days|hours|points|0_10|per_28|sessions|weeks|years"
_PURE = r"sd|correlation|(?:(?:log|odds|rate)_)?ratio"
_SLOPE = r"per_session|per_hour"


def find_decimals(unit: pd.Series, values: pd.Series) -> NDArray[np.int64]:
    """Find the decimals that each estimate may be printed with.

    Parameters
    ----------
    unit
        Unit of each row; missing for a pure number.
    values
        The estimates, for the units that are printed to three digits.
    """
    text = unit.fillna("")
    out = np.full(len(unit), 1)
    other = ~text.str.contains(_WHOLE).to_numpy(dtype=bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.floor(np.log10(values.abs().to_numpy(dtype=float)))
    digits = np.where(np.isfinite(size), _DIGITS - 1 - size, 0)
    out = np.where(other, np.minimum(digits, 0), out)
    out = np.where(text.str.startswith("percent").to_numpy(dtype=bool), 0, out)
    pure = text.eq("") | text.str.fullmatch(_PURE)
    slope = text.str.contains(_SLOPE)
    return np.where((pure | slope).to_numpy(dtype=bool), 2, out).astype(np.int64)


def widen(
    frame: pd.DataFrame, rows: Bools, columns: tuple[str, ...], n: pd.Series, preset: Preset
) -> None:
    """Widen intervals to those of the fewest people whose number is printed like `n`.

    Student's t intervals by their quantiles too; a correlation's (Fisher's z) on its own scale;
    others by the root of the numbers of people. Nothing is done where counts are exact.
    """
    if preset.round_to == 1:
        return
    estimate, low, high = columns
    fewest = n.map(lambda v: preset.range_of(v)[0] if v > preset.redact_up_to else NAN)
    method = frame.get("interval")
    wider = np.sqrt(n / fewest)
    t = np.ones(len(frame), bool)
    fisher = np.zeros(len(frame), bool)
    if method is not None:
        t = method.eq("interval.t").to_numpy(dtype=bool)
        fisher = method.str.startswith("interval.fisher_z", na=False).to_numpy(dtype=bool)
    tail = 0.5 + LEVEL / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        student = stdtrit(np.maximum(fewest - 1, 1), tail) / stdtrit(np.maximum(n - 1, 1), tail)
        wider = np.where(t, wider * student, wider)
        wider = np.where(fisher, np.sqrt((n - 3) / np.maximum(fewest - 3, 1)), wider)
        for limit in (low, high):
            plain = frame[estimate] + wider * (frame[limit] - frame[estimate])
            z = np.arctanh(frame[estimate].clip(-1, 1))
            turned = np.tanh(z + wider * (np.arctanh(frame[limit].clip(-1, 1)) - z))
            frame.loc[rows, limit] = np.where(fisher, turned, plain)[rows]


def coarsen(
    frame: pd.DataFrame,
    rows: Bools,
    columns: tuple[str, ...],
    decimals: NDArray[np.int64],
) -> None:
    """Round columns of some rows, each row to its own decimals (below 0: to tens and hundreds)."""
    scale = 10.0 ** np.asarray(decimals, float)
    for column in columns:
        # Through nine decimals, so that the last bit of a number does not decide.
        values = np.round(frame[column].to_numpy(dtype=float), 9)
        # Plus 0, so that no -0 is written.
        frame.loc[rows, column] = (np.round(values * scale) / scale + 0.0)[rows]


def hide_values_of_single_people(
    frame: pd.DataFrame, n: pd.Series, columns: tuple[str, ...], preset: Preset
) -> None:
    """Leave out quartiles and limits of medians where a quarter of the people is few."""
    few = (n <= 4 * preset.redact_up_to).to_numpy(dtype=bool)
    quartiles = [c for c in ("p25", "p75") if c in frame]
    if quartiles:
        frame.loc[few, quartiles] = NAN
    if "interval" in frame and len(columns) >= 3:
        order = frame["interval"].str.contains("order|inversion", na=False).to_numpy(dtype=bool)
        frame.loc[few & order, list(columns[1:3])] = NAN
