"""What a clinic's numbers mean, and where two clinics mean different things by one name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headway.messages import Message

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic

# Pairs of windows that the program makes of itself (headway.outcomes.change.windows).
_OWN = {
    "before_treatment": ("earlier", "baseline"),
    "visit_recall": ("baseline", "post"),
    "last_visit": ("baseline", "last_visit"),
}
# Where in clinic.yaml a definition stands, if not under its own name.
_KEYS = {
    "headache_day.min_duration_h": "min_duration_h",
    "primary.outcome": "primary_outcome",
    "primary.comparison": "comparisons",
    "unknown_attack_length_h": "attacks.unknown_length_h",
    "course_gap_weeks": "course.gap_weeks",
    "mean_of_two_baselines": "windows.mean_of_two_baselines",
}
# Definitions that no key of clinic.yaml sets.
_OF_THE_PROGRAM = ("outcomes", "headache_day.treated_counts")


def list_definitions(clinic: Clinic, cohort: pd.DataFrame) -> dict[str, Any]:
    """List every definition that a clinic's change stands on.

    Parameters
    ----------
    clinic
        clinic.yaml with its defaults.
    cohort
        Table `cohort`, as released.

    Returns
    -------
    dict
        Plain data: headache day, windows with their anchor and the days they need, pairs of
        windows, the primary outcome and pair, units of outcomes.
    """
    windows, recall = clinic.windows, clinic.windows.visit_recall
    changes = cohort[cohort["statistic"].eq("change_mean") & cohort["group"].eq("all")]
    primary = changes[changes["primary"]]
    used = set(changes["comparison"])
    pairs = {c.id: (c.pre, c.post) for c in clinic.comparisons} | _OWN
    return {
        "primary": {
            "outcome": clinic.primary_outcome,
            "comparison": str(primary["comparison"].iloc[0]) if len(primary) else None,
        },
        "headache_day": {
            "min_duration_h": float(clinic.min_duration_h),
            "treated_counts": True,
        },
        "unknown_attack_length_h": clinic.attacks.unknown_length_h,
        "course_gap_weeks": clinic.course.gap_weeks,
        "mean_of_two_baselines": windows.mean_of_two_baselines,
        "visit_recall": {
            "intake_days": list(recall.intake_days),
            "target_day": recall.target_day,
            "within_days": list(recall.within_days),
        },
        "windows": {
            name: {
                "from": window.from_,
                "to": window.to,
                "anchor": window.anchor,
                "min_days": windows.days_needed(name),
            }
            for name, window in windows.named.items()
        },
        "comparisons": {
            id: {"before": before, "after": after}
            for id, (before, after) in pairs.items()
            if id in used
        },
        "outcomes": {
            str(outcome): {"unit": str(unit)}
            for outcome, unit in zip(changes["outcome"], changes["unit"], strict=True)
        },
    }


def flatten(definitions: Mapping[str, Any]) -> dict[str, Any]:
    """List definitions by the name that a mismatch is told by: `windows.post`, `primary.outcome`.

    Windows, pairs of windows and outcomes stay whole.
    """
    out: dict[str, Any] = {}
    for part, value in definitions.items():
        if not isinstance(value, Mapping):
            out[part] = value
            continue
        for name, one in value.items():
            out[f"{part}.{name}"] = one
    return out


@dataclass(frozen=True, slots=True)
class Difference:
    """A definition that is not the same at two clinics; `here` and `there` can be said."""

    definition: str
    clinic: str
    other: str
    here: Message | str
    there: Message | str

    @property
    def message(self) -> Message:
        """What differs, by name."""
        return Message(
            "problem.definition_differs",
            definition=self.definition,
            here=self.here,
            there=self.there,
            clinic=self.other,
        )

    @property
    def remedy(self) -> Message:
        """How to mend it."""
        if self.definition.startswith(_OF_THE_PROGRAM):
            return Message("remedy.definition_of_program", clinic=self.other)
        key = _KEYS.get(self.definition, self.definition)
        if key.startswith("visit_recall"):
            key = f"windows.{key}"
        elif key.startswith("windows.") and key not in _KEYS.values():
            key = f"windows.named.{key.partition('.')[2]}"
        return Message("remedy.definition_differs", key=key, clinic=self.other)


def find_differences(
    clinics: Sequence[tuple[str, Mapping[str, Any]]], reference: str | None = None
) -> list[Difference]:
    """Hold the definitions of clinics against each other.

    Parameters
    ----------
    clinics
        Name and definitions of each.
    reference
        Name of the clinic that the others are held against. Without it, and for what that clinic
        does not define, the first clinic by name that defines it.

    Returns
    -------
    list of Difference
        By clinic, then by definition.
    """
    flat = {name: flatten(own) for name, own in sorted(clinics)}
    order = sorted(flat, key=lambda name: (name != reference, name))
    out = []
    for definition in sorted({d for own in flat.values() for d in own}):
        holders = [name for name in order if definition in flat[name]]
        first = holders[0]
        there = flat[first][definition]
        for name in holders[1:]:
            here = flat[name][definition]
            if here != there:
                out.append(Difference(definition, name, first, *_say(definition, here, there)))
    return sorted(out, key=lambda d: (d.clinic, d.definition))


def _say(definition: str, *values: Any) -> Iterator[Message | str]:
    window = definition.startswith("windows.")
    for value in values:
        yield _say_window(value) if window else _write(value)


def _say_window(value: Mapping[str, Any]) -> Message:
    low, high = (
        Message(open_end) if end is None else Message("window.day", day=end)
        for end, open_end in (
            (value["from"], "window.the_start"),
            (value["to"], "window.the_end"),
        )
    )
    anchor = "definition.start" if value["anchor"] == "start" else "definition.last_session"
    return Message(
        "definition.window", low=low, high=high, anchor=Message(anchor), days=value["min_days"]
    )


def _write(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_write(v)}" for k, v in value.items())
    return value if isinstance(value, str) else json.dumps(value)
