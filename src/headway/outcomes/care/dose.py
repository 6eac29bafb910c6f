"""How much was given, against the change: a description that cannot be read as dose and response.

People who do well stop early and people who do badly come more often, so the dose depends on the
outcome, and the relation may have either sign whatever treatment does. Only what was given before
the window after is counted, so that at least nothing after the outcome enters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from headway.messages import Message, term
from headway.outcomes.change.change import LEVEL, t_interval
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

WARNING = Message("dose.cannot_show")
LEAST = 10  # people below which nothing is related to anything
_THIRDS = ("least", "middle", "most")


def spearman_interval(x: ArrayLike, y: ArrayLike) -> tuple[float, float, float]:
    """Compute Spearman's rank correlation with its 95 % interval.

    Fisher's z with variance (1 + r² / 2) / (n - 3) (Bonett and Wright 2000, equation 4).

    Returns
    -------
    r, low, high
        NaN without spread; NaN limits with fewer than four people or |r| = 1.
    """
    from scipy.stats import rankdata

    a, b = rankdata(np.asarray(x, float)), rankdata(np.asarray(y, float))
    n = len(a)
    nan = float("nan")
    if n < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return nan, nan, nan
    r = float(np.corrcoef(a, b)[0, 1])
    if n < 4 or abs(r) >= 1 - 1e-12:
        return r, nan, nan
    half = float(ndtri(0.5 + LEVEL / 2)) * np.sqrt((1 + r**2 / 2) / (n - 3))
    z = np.arctanh(r)
    return r, float(np.tanh(z - half)), float(np.tanh(z + half))


def robust_slope(x: ArrayLike, y: ArrayLike) -> tuple[float, float, float]:
    """Compute the slope of a line with its 95 % interval (HC3, t; MacKinnon and White 1985).

    Returns
    -------
    slope, low, high
        NaN with fewer than four people or without spread.
    """
    import statsmodels.api as sm

    a, b = np.asarray(x, float), np.asarray(y, float)
    if len(a) < 4 or np.ptp(a) == 0:
        return float("nan"), float("nan"), float("nan")
    fit = sm.OLS(b, sm.add_constant(a)).fit(cov_type="HC3", use_t=True)
    low, high = fit.conf_int(1 - LEVEL)[1]
    return float(fit.params[1]), float(low), float(high)


def count_doses(sessions: pd.DataFrame, before_day: float) -> pd.DataFrame:
    """Count sessions and minutes of each person from day 0 up to a day (not included).

    Returns
    -------
    DataFrame
        Index patient_id: sessions; minutes, unknown where the length of one session is.
    """
    import pandas as pd

    own = sessions[(sessions["day"] >= 0) & (sessions["day"] < before_day)]
    by = own.groupby("patient_id")["minutes"]
    complete = by.count() == by.size()
    return pd.DataFrame({"sessions": by.size().astype(float), "minutes": by.sum().where(complete)})


def build_dose(
    pairs: pd.DataFrame, sessions: pd.DataFrame, before_day: float, *, unit: str
) -> pd.DataFrame:
    """Set sessions and minutes against the change.

    Parameters
    ----------
    pairs
        patient_id, pre and post of the primary outcome.
    sessions
        Table `sessions`.
    before_day
        First day of the window after.
    unit
        Code of the unit of the change.

    Returns
    -------
    DataFrame
        Table `dose`: Spearman's correlation, slope (per session; per 60 minutes) and the mean
        change by thirds of the dose, with equal doses in one third, so that thirds may be uneven
        or fewer. Every row carries the warning. Empty with fewer than ten people.
    """
    import pandas as pd

    doses = count_doses(sessions, before_day)
    own = pairs.set_index("patient_id")
    joined = doses.join((own["post"] - own["pre"]).rename("change"), how="inner")
    rows: list[dict[str, object]] = []
    for dose, per, each in (("sessions", 1.0, "session"), ("minutes", 60.0, "hour")):
        known = joined[[dose, "change"]].dropna()
        if len(known) < LEAST:
            continue
        x, y = known[dose].to_numpy(dtype=float), known["change"].to_numpy(dtype=float)
        common = {"dose": dose, "n": float(len(x)), "level": None}
        mean = (float(x.mean()), *t_interval(x))
        slope = robust_slope(x / per, y)
        rows += [
            common | _row("mean_dose", f"mean_{dose}", dose, mean, "interval.t"),
            common
            | _row(
                "spearman",
                f"correlation_{dose}",
                None,
                spearman_interval(x, y),
                "interval.fisher_z_spearman",
            ),
            common | _row("slope", f"slope_{dose}", f"{unit}_per_{each}", slope, "interval.t_hc3"),
            *(common | third for third in _by_thirds(x, y, dose, unit)),
        ]
    if not rows:
        return empty("dose")
    return conform("dose", pd.DataFrame(rows).assign(redacted=False, note=WARNING))


def _row(
    statistic: str,
    label: str,
    unit: str | None,
    numbers: tuple[float, float, float],
    interval: str,
) -> dict[str, object]:
    return {
        "statistic": statistic,
        "label": term("dose", label),
        "unit": unit,
        "dose_low": float("nan"),
        "dose_high": float("nan"),
        "estimate": numbers[0],
        "ci_low": numbers[1],
        "ci_high": numbers[2],
        "interval": Message(interval),
    }


def _by_thirds(x: Array, y: Array, dose: str, unit: str) -> list[dict[str, object]]:
    """Cut people into thirds by dose, people with equal doses together."""
    edges = np.quantile(x, [1 / 3, 2 / 3])
    third = np.searchsorted(edges, x, side="left")
    out = []
    for i, name in enumerate(_THIRDS):
        own = third == i
        if not own.any():
            continue
        mean = (float(y[own].mean()), *t_interval(y[own]))
        out.append(
            _row("mean_change_of_third", f"{name}_{dose}", unit, mean, "interval.t")
            | {
                "level": name,
                "n": float(own.sum()),
                "dose_low": float(x[own].min()),
                "dose_high": float(x[own].max()),
            }
        )
    return out
