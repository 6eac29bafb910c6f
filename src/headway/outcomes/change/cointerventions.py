"""What else was begun between the windows: new preventive drugs.

A drug to prevent headache that is begun during the course changes what a change can mean, and
guidelines ask for it to be reported (Tassorelli 2018; Diener 2020). A blank is unknown and never a
no: the share is that of the people with an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.messages import Message
from headway.outcomes.change.change import Statistic, count_share

if TYPE_CHECKING:
    import pandas as pd

NEW_PREVENTIVE = "new_preventive"


def is_recorded(patients: pd.DataFrame, sessions: pd.DataFrame) -> bool:
    """Whether anybody has an answer."""
    return any(
        NEW_PREVENTIVE in table and table[NEW_PREVENTIVE].notna().any()
        for table in (patients, sessions)
    )


def find_new_preventives(
    patients: pd.DataFrame, sessions: pd.DataFrame, last_day: float | None
) -> pd.Series:
    """Say of each person with an answer whether a new preventive drug was begun in the course.

    Parameters
    ----------
    patients, sessions
        Processed tables. An answer of `patients` is about the whole course, one of `sessions`
        about the time since the visit before.
    last_day
        Last day of the window after; None for all. Later answers are about later drugs.

    Returns
    -------
    Series
        1 or 0 by patient_id. At the first visit, on day 0, a yes counts, since it lies between
        the windows or close to it; a no there says nothing of the course.
    """
    import pandas as pd

    parts = []
    if NEW_PREVENTIVE in patients:
        parts.append(patients[["patient_id", NEW_PREVENTIVE]])
    if NEW_PREVENTIVE in sessions:
        own = sessions[(sessions["day"] > 0) | sessions[NEW_PREVENTIVE].eq(1).fillna(False)]
        own = own[own["day"] >= 0]
        if last_day is not None:
            own = own[own["day"] <= last_day]
        parts.append(own[["patient_id", NEW_PREVENTIVE]])
    if not parts:
        return pd.Series(dtype="float64")
    said = pd.concat(parts, ignore_index=True).dropna().astype({NEW_PREVENTIVE: "float64"})
    return said.groupby("patient_id")[NEW_PREVENTIVE].max()


def count_new_preventives(begun: pd.Series, analysed: pd.Index) -> Statistic:
    """Count, of the analysed with an answer, who began a new preventive drug.

    Parameters
    ----------
    begun
        As `find_new_preventives` makes it.
    analysed
        Who has a change in the primary outcome.
    """
    own = begun[begun.index.isin(analysed)]
    note = Message("remark.of_those_with_an_answer")
    return count_share(NEW_PREVENTIVE, int(own.sum()), len(own), note)
