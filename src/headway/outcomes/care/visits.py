"""Visits in the office: minutes and fees, one value per patient, and what each has paid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headway.outcomes.care.clustered import NAN

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from headway.config.clinic import Clinic
    from headway.outcomes.change.windows import Comparison

    Array = NDArray[np.float64]

# Of the table `sessions`, what visits in the office are made of.
SESSION_COLUMNS = ("patient_id", "day", "setting", "minutes", "fee", "currency", "insured")
UNKNOWN_CURRENCY = "not_recorded"
SEVERAL = "several"


def office_visits(sessions: pd.DataFrame) -> pd.DataFrame:
    """Take the visits in the office in order, with `first` for each patient's first one.

    A session without a setting counts as a visit. Two sessions of a patient on one day are one
    visit: their minutes and fees are added, and are unknown if one of them is.
    """
    import pandas as pd

    own = sessions[~(sessions["setting"] == "at_home").astype(bool)]

    def total(values: pd.Series) -> float:
        return float(values.sum()) if values.notna().all() else NAN

    def single(values: pd.Series) -> object:
        known = values.dropna().unique()
        return known[0] if len(known) == 1 else None if len(known) == 0 else SEVERAL

    several = own.duplicated(["patient_id", "day"], keep=False)
    keep = [c for c in SESSION_COLUMNS if c != "setting"]
    out = own.loc[~several, keep]
    if several.any():
        merged = (
            own[several]
            .groupby(["patient_id", "day"], sort=True)
            .agg(
                minutes=("minutes", total),
                fee=("fee", total),
                currency=("currency", single),
                insured=("insured", "max"),
            )
            .reset_index()
        )
        out = pd.concat([out, merged[keep]], ignore_index=True)
    out = out.sort_values(["patient_id", "day"], kind="stable", ignore_index=True)
    return out.assign(first=~out["patient_id"].duplicated())


def typical_values(visits: pd.DataFrame, column: str, *, first: bool) -> Array:
    """List one value per patient: of the first visit, or the median of the later ones."""
    own = visits[(visits["first"] == first) & visits[column].notna()]
    return own.groupby("patient_id")[column].median().to_numpy(float)


def sum_fees(visits: pd.DataFrame, until: float | None) -> pd.DataFrame:
    """Add up each patient's fees up to a day, where every fee and one currency is recorded.

    Returns
    -------
    DataFrame
        patient_id, currency, cost; patients with an unknown fee or several currencies are absent.
    """
    own = visits if until is None else visits[visits["day"] <= until]
    currency = own["currency"].astype("str").fillna(UNKNOWN_CURRENCY)
    own = own.assign(currency=currency, known=own["fee"].notna())
    by = own.groupby("patient_id")
    ok = by["known"].all() & (by["currency"].nunique() == 1) & (by["currency"].first() != SEVERAL)
    out = by.agg(currency=("currency", "first"), cost=("fee", "sum"))[ok]
    return out.reset_index()


def find_last_day(clinic: Clinic, comparison: Comparison) -> float | None:
    """Find the last day of the window after: fees beyond it bought nothing that was measured.

    Returns
    -------
    float or None
        None where the window has no fixed last day, or came without days.
    """
    if comparison.source == "visit":
        within = clinic.windows.visit_recall.within_days
        return float(within[1]) if comparison.post == "post" else None
    window = clinic.windows.named.get(comparison.post)
    if comparison.source != "diary" or window is None or window.anchor != "start":
        return None
    return None if window.to is None else float(window.to)
