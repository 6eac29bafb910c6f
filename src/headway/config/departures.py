"""Which settings of a clinic differ from the defaults, among those that a change rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from headway.config.clinic import Clinic, Window
from headway.config.schema import default_of, key_of

# Settings of clinic.yaml by which headache days, their change, its expectation or how long it lasts
# are chosen.
CHOICES = (
    "primary_outcome",
    "min_duration_h",
    "attacks",
    "windows",
    "entry",
    "expected",
    "relapse",
)


@dataclass(frozen=True, slots=True)
class Departure:
    """A setting that is not the default.

    Attributes
    ----------
    key
        As in clinic.yaml, with points between levels.
    value, default
        None where nothing is declared, or nothing is by default.
    source
        Where the clinic has the value from, in its own words; empty where it does not say.
    """

    key: str
    value: Any
    default: Any
    source: str = ""


def list_departures(clinic: Clinic) -> list[Departure]:
    """List the settings of `CHOICES`, and the primary comparison, that are not the defaults.

    Labels are no choices; a source stands beside the value that it belongs to.
    """
    found = [
        departure
        for field in fields(Clinic)
        if field.name in CHOICES
        for departure in _compare(field.name, getattr(clinic, field.name), default_of(field))
    ]
    pairs = []
    usual = next(default_of(field) for field in fields(Clinic) if field.name == "comparisons")
    for comparisons in (clinic.comparisons, usual):
        primary = next((c for c in comparisons if c.primary), comparisons[0])
        pairs.append((primary.pre, primary.post))
    if pairs[0] != pairs[1]:
        found.append(Departure("comparisons", pairs[0], pairs[1]))
    return found


def _compare(key: str, value: Any, default: Any, source: str = "") -> Iterator[Departure]:
    if isinstance(value, Window) and isinstance(default, Window):
        value, default = (replace(w, label="") for w in (value, default))
    if value == default:
        return
    if isinstance(value, Mapping) and isinstance(default, Mapping):
        for name in dict.fromkeys([*value, *default]):
            yield from _compare(f"{key}.{name}", value.get(name), default.get(name))
    elif is_dataclass(value) and is_dataclass(default) and not isinstance(value, Window):
        for field in fields(value):
            own, usual = getattr(value, field.name), getattr(default, field.name)
            if not field.name.endswith("source"):
                name = f"{key}.{key_of(field)}"
                yield from _compare(name, own, usual, _source(field.name, value, default))
    else:
        yield Departure(key, value, default, str(getattr(value, "source", "") or source))


def _source(name: str, value: Any, default: Any) -> str:
    """Find what the clinic says of where a value is from; the default's source is not its own."""
    own = "retest_source" if name.startswith("retest") else "source"
    said = getattr(value, own, "")
    return said if said != getattr(default, own, "") else ""
