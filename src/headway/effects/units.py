"""Units of headache outcomes, and which of them can be turned into each other.

Only units of one kind are convertible: attacks are not days, a score is not days, and a unit
that the source leaves open (`unknown`) is convertible to nothing, itself included.
"""

from __future__ import annotations

from dataclasses import dataclass

from headway.messages import term

DAYS_PER_MONTH = 30.4375  # mean length of a month, 365.25 / 12


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: its kind, the factor to the kind's own unit, and what it can hold."""

    kind: str
    factor: float
    low: float | None = None
    high: float | None = None


UNITS: dict[str, Unit] = {
    "days_per_28": Unit("headache days", 1.0, 0, 28),
    "days_per_week": Unit("headache days", 4.0, 0, 7),
    "days_per_month": Unit("headache days", 28 / DAYS_PER_MONTH, 0, 31),
    "days_per_year": Unit("headache days", 28 / 365.25, 0, 366),
    "moderate_days_per_28": Unit("moderate days", 1.0, 0, 28),
    "migraine_days_per_28": Unit("headache days", 1.0, 0, 28),
    "attacks_per_28": Unit("attacks", 1.0, 0),
    "attacks_per_week": Unit("attacks", 4.0, 0),
    "attacks_per_month": Unit("attacks", 28 / DAYS_PER_MONTH, 0),
    "nrs_0_10": Unit("intensity", 1.0, 0, 10),
    "vas_0_100": Unit("intensity", 0.1, 0, 100),
    "hours": Unit("duration", 1.0, 0),
    "minutes": Unit("duration", 1 / 60, 0),
    "hours_per_week": Unit("hours with headache", 1.0, 0, 168),
    "minutes_per_week": Unit("hours with headache", 1 / 60, 0, 10080),
    "hours_per_day": Unit("hours with headache", 7.0, 0, 24),
    "hit6_36_78": Unit("HIT-6", 1.0, 36, 78),
    "score_0_20": Unit("score 0-20", 1.0, 0, 20),
    "score_0_28": Unit("score 0-28", 1.0, 0, 28),
    "score": Unit("score", 1.0),
    "points": Unit("points", 1.0),
    "participants": Unit("participants", 1.0),
    "correlation": Unit("correlation", 1.0, -1, 1),
    "reliability": Unit("reliability", 1.0, None, 1),
    "log_ratio": Unit("logarithm of a ratio", 1.0),
    "as_printed": Unit("as printed", 1.0),
    # Typed as printed; its tables carry the logarithm.
    "ratio": Unit("logarithm of a ratio", 1.0),
    "unknown": Unit("unknown", float("nan")),
}


# Units that go by another name beside a number than on their own.
_NAMED = {
    "days_per_year": "headache_days_per_year",
    "log_ratio": "logarithm_of_a_ratio",
    "nrs_0_10": "points_0_10",
}


def name_unit(unit: str) -> str:
    """Name the unit of a number: its message, or the code of one that is not known."""
    return term("unit", _NAMED.get(unit, unit))


def convert(unit: str, to: str) -> float | None:
    """Find the factor that turns numbers in `unit` into numbers in `to`.

    Returns
    -------
    float or None
        None where the units are of different kinds, or one is `unknown`.

    Raises
    ------
    KeyError
        For a unit that `UNITS` does not know.
    """
    a, b = UNITS[unit], UNITS[to]
    if a.kind != b.kind or a.kind == "unknown":
        return None
    return a.factor / b.factor
