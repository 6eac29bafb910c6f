"""What a review makes of empty cells: which counts have an effect, and what is added to them.

The policy is the review's own (`zero_events`); :mod:`headway.effects` keeps metafor's default. By
default a ratio of a trial without events, or with events in everybody, in both arms is not
estimable (Cochrane Handbook 10.4.4), 0.5 is added to the cells of a ratio with one empty cell, and
a difference of risks or rates is never moved: where its variance would be 0, 0.5 enters the
variance alone, as in RevMan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.effects.measures import MEASURES, NOTHING_ADDED, arrange, escalc, find_family
from headway.messages import Message, read
from headway.meta import revman

NAN = float("nan")
NOT_ESTIMABLE = (
    *("why_not.not_estimable_none", "why_not.not_estimable_all", "why_not.nobody"),
    "why_not.no_spread",
)
COUNTED = ("counts", "rates", "proportions")  # families whose effects rest on events


@dataclass(frozen=True, slots=True)
class Counted:
    """Effect and variance of a trial's counts, why there is none, and what was added."""

    yi: float
    vi: float
    reason: Message | None = None
    added: Message | None = None


def measure_counts(measure: str, values: Mapping[str, Any], policy: str) -> Counted:
    """Compute an effect from counts under a policy.

    Parameters
    ----------
    measure
        metafor's code, of a family in `COUNTED`.
    values
        n1, events1, n2, events2, time1, time2 of the table `effects`.
    policy
        `not_estimable` or `metafor`.

    Returns
    -------
    Counted
        NaN where a count is missing, or the effect is not estimable.
    """
    family = find_family(measure)
    if policy == "metafor" or family == "proportions" or measure == "AS":
        yi, vi = (float(x) for x in escalc(measure, **arrange(measure, values)))
        some = _has_empty_cell(family, values) and measure not in NOTHING_ADDED
        return Counted(yi, vi, None, Message("recovered.half_added") if some else None)
    if family == "rates":
        return _measure_rates(measure, values)
    a, n1, c, n2 = (float(values[k]) for k in ("events1", "n1", "events2", "n2"))
    if np.isnan([a, n1, c, n2]).any():
        return Counted(NAN, NAN)
    rows = revman.count_rows(measure, events1=a, n1=n1, events2=c, n2=n2)
    if not rows.estimable:
        return Counted(NAN, NAN, _say_why(a, n1, c, n2))
    if measure == "RD":
        moved = Message("recovered.half_in_variance") if rows.added else None
        return Counted(float(rows.yi), float(rows.vi), None, moved)
    # The same numbers by the registry, so that a digit does not hang on the policy.
    to = "none" if measure == "PETO" else "only0"
    yi, vi = (float(x) for x in escalc(measure, **arrange(measure, values), to=to))
    return Counted(yi, vi, None, Message("recovered.half_added") if rows.added else None)


def _say_why(a: float, n1: float, c: float, n2: float) -> Message:
    if n1 == 0 or n2 == 0:
        return Message("why_not.nobody")
    if a + c == 0:
        return Message("why_not.not_estimable_none")
    return Message("why_not.not_estimable_all")


def is_not_estimable(why_not: Any) -> bool:
    """Whether a row of the table `effects` is left out since its effect is not estimable."""
    told = read(why_not) if isinstance(why_not, str) else None
    return any(one.id in NOT_ESTIMABLE for one in told or ())


def _has_empty_cell(family: str, values: Mapping[str, Any]) -> bool:
    """Whether a cell of the trial's table is 0."""
    for side in (1, 2):
        events, n = (float(values.get(f"{name}{side}", NAN)) for name in ("events", "n"))
        if events == 0 or (family != "rates" and events == n):
            return True
    return False


def _measure_rates(measure: str, values: Mapping[str, Any]) -> Counted:
    """Compare rates: half an event is added to both arms of a ratio, or to a variance of 0."""
    a, t1, c, t2 = (float(values[k]) for k in ("events1", "time1", "events2", "time2"))
    ratio = MEASURES[measure].scale.code == "ratio"
    if a == 0 and c == 0 and ratio:
        return Counted(NAN, NAN, Message("why_not.not_estimable_none"))
    empty = (a == 0 or c == 0) if ratio else (a == 0 and c == 0)
    half = 0.5 if empty else 0.0
    yi, vi = escalc(measure, events1=a + half, time1=t1, events2=c + half, time2=t2, to="none")
    if not empty:
        return Counted(float(yi), float(vi))
    if ratio:
        return Counted(float(yi), float(vi), None, Message("recovered.half_added"))
    return Counted(a / t1 - c / t2, float(vi), None, Message("recovered.half_in_variance"))
