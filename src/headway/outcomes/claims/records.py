"""What the claims are held against, and one number for a part of a claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.messages import Message, read
from headway.outcomes.care.clustered import NAN, Estimate
from headway.outcomes.care.cost_per_day import Expected
from headway.outcomes.change import windows
from headway.outcomes.change.change import t_interval, wilson
from headway.outcomes.claims.rules import Rule

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from headway.config.clinic import Clinic
    from headway.tables.files import Stored

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Records:
    """Everything about one clinic that the claims are held against.

    sessions, patients, questionnaires are processed tables; windows, change, cohort, safety and
    cost are tables of the analysis; `comparisons` are `windows.list_comparisons`, the primary one
    first. `time_to_relapse` and `expected` come from other analyses, where there are any. Columns
    that `sessions` lacks are read from `stored`, in the same order of rows, as each is asked for.
    """

    clinic: Clinic
    starters: pd.Index
    patients: pd.DataFrame
    sessions: pd.DataFrame
    questionnaires: pd.DataFrame
    windows: pd.DataFrame
    change: pd.DataFrame
    cohort: pd.DataFrame
    safety: pd.DataFrame
    cost: pd.DataFrame
    comparisons: Sequence[windows.Comparison]
    expected: Sequence[Expected] = ()
    time_to_relapse: Estimate | None = None
    stored: Stored | None = None

    def column(self, name: str) -> pd.Series:
        """Take a column of the sessions; all missing where the clinic's records lack it."""
        import pandas as pd

        if name in self.sessions:
            return self.sessions[name]
        if self.stored is not None and name in self.stored.filled:
            return self.stored.read(name)[name]
        return pd.Series(np.nan, index=self.sessions.index, dtype="object")


@dataclass(frozen=True, slots=True)
class Finding:
    """One number for a part; `group` tells several of one part apart.

    `unit` is a code or a message; `note` and `missing` (why there is nothing) are messages.
    """

    part: str
    found: Estimate
    unit: str = "percent"
    of: float = NAN
    group: str = ""
    p_value: float = NAN
    note: str = ""
    rule: Rule | None = None  # where the part's own does not fit
    missing: str = ""


def name_missing(part: str, why: Message) -> Finding:
    """Say of a part that nothing is on record, and why."""
    return Finding(part, Estimate(NAN, NAN, NAN, "", 0), missing=why)


def average(values: Array) -> Estimate:
    """Mean with its t interval; without one where all values are equal."""
    n = len(values)
    if n > 1 and np.ptp(values) == 0:
        note = Message("estimate.all_alike")
        return Estimate(float(values[0]), NAN, NAN, "", n, patients=n, note=note)
    low, high = t_interval(values)
    mean = float(values.mean()) if n else NAN
    return Estimate(mean, low, high, Message("interval.t") if n > 1 else "", n, patients=n)


def count_people(count: float, n: float) -> Estimate:
    """Share of independent people, in percent."""
    if not n > 0:
        return Estimate(NAN, NAN, NAN, "", 0)
    low, high = (float(100 * limit) for limit in wilson(count, n))
    method = Message("interval.wilson")
    return Estimate(100 * count / n, low, high, method, int(n), count, int(n))


def as_percent(found: Estimate) -> Estimate:
    """Turn a share between 0 and 1 into percent."""
    return replace(
        found,
        estimate=100 * found.estimate,
        ci_low=100 * found.ci_low,
        ci_high=100 * found.ci_high,
    )


def find_statistic(r: Records, outcome: str, statistic: str, group: str = "all") -> Any:
    """Find a row of the cohort table, of the first comparison that has it."""
    rows = r.cohort[
        (r.cohort["outcome"] == outcome)
        & (r.cohort["statistic"] == statistic)
        & (r.cohort["group"] == group)
        & (r.cohort["n"] > 0)
    ]
    for comparison in r.comparisons:
        if comparison.id == "before_treatment":
            continue
        hit = rows[rows["comparison"] == comparison.id]
        if len(hit):
            return hit.iloc[0]
    return None


def read_estimate(row: Any, patients: int = 0) -> Estimate:
    """Take an estimate with its interval out of a row of a table."""
    return Estimate(
        estimate=float(row["estimate"]),
        ci_low=float(row["ci_low"]),
        ci_high=float(row["ci_high"]),
        interval=row["interval"] if isinstance(row["interval"], str) else "",
        n=int(row["n"]),
        count=float(row["count"]),
        patients=patients,
    )


def read_cohort(part: str, row: Any, why: Message | None = None, group: str = "") -> Finding:
    """Take a finding out of a row of the cohort table; without a row say why there is none."""
    if row is None and why is not None:
        return name_missing(part, why)
    unit = row["unit"] if isinstance(row["unit"], str) else ""
    found, note = read_estimate(row, int(row["n"])), name_windows(str(row["comparison_label"]))
    return Finding(part, found, unit, float(row["of"]), group, note=note)


def name_windows(label: str) -> str:
    """Name the windows that were compared: a message of theirs, or the clinic's own label."""
    return label if read(label) else Message("claim.note.compared", windows=label)


def read_numbers(column: pd.Series) -> pd.Series:
    """Read a column of the sessions as numbers."""
    import pandas as pd

    return pd.to_numeric(column).astype("float64")
