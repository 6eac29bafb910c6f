"""Outcomes, units, measure and comparisons of a table of trials, each with its reason or doubt."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from headway.effects.units import UNITS, convert
from headway.ingest.proposals.measures import Ask
from headway.ingest.proposals.published.rows import Found
from headway.ingest.proposals.published.words import find, split
from headway.messages import Message
from headway.tables import COMPARATORS

RATIOS = ("RR", "OR", "HR")
_ALIKE = 6.0  # spreads of one scale differ by less than this from trial to trial


@dataclass(slots=True)
class Setting:
    """A line of review.yaml: its value, why, and what is in doubt."""

    value: dict[str, Any]
    reasons: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Review:
    """What is proposed: rows by file, settings of outcomes and comparisons."""

    rows: dict[str, list[dict[str, str]]]
    found: list[Found]
    outcomes: dict[str, Setting] = field(default_factory=dict)
    comparisons: list[Setting] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def doubts(self) -> int:
        """How many lines are in doubt."""
        lines = [*self.outcomes.values(), *self.comparisons]
        return sum(len(s.doubts) for s in lines) + sum(len(f.doubts) for f in self.found)


def make_id(text: str, taken: Sequence[str] = ()) -> str:
    """Make an identifier of a text: small letters, digits and underscores."""
    made = re.sub(r"[^a-z0-9]+", "_", split(text).strip())[:40].strip("_")
    made = made if made and made[0].isalpha() else f"outcome_{made}".rstrip("_")
    number, name = 1, made
    while name in taken:
        number += 1
        name = f"{made}_{number}"
    return name


def settle(found: Sequence[Found], title: str, ask: Ask) -> Review:
    """Give rows their outcomes and units, and propose what is compared."""
    rows: dict[str, list[dict[str, str]]] = {}
    review = Review(rows, list(found))
    ids: dict[str, str] = {}
    for one in found:
        review.notes += one.notes
        for row in one.rows:
            label = row.pop("outcome_text") or _title_of(one, title)
            if label.casefold() not in ids:
                ids[label.casefold()] = make_id(label, list(ids.values()))
            row["outcome"] = ids[label.casefold()]
            row["label"] = label
            rows.setdefault(one.kind, []).append(row)
    for id_ in dict.fromkeys(ids.values()):
        for kind, every in rows.items():
            own = [row for row in every if row["outcome"] == id_]
            if own:
                _settle_outcome(review, id_, kind, own, ask)
    _settle_controls(rows.get("arms", []), review, ask)
    for every in rows.values():
        for row in every:
            row.pop("label", None)
            row.pop("unit_text", None)
    return review


def _settle_controls(arms: Sequence[dict[str, str]], review: Review, ask: Ask) -> None:
    """Ask what kind of control an arm is whose name does not say it.

    Without an answer it counts as active: nothing then takes its people for untreated ones.
    """
    open_ = [row for row in arms if row["role"] == "control" and not row["comparator"]]
    for name in dict.fromkeys(row["arm"] for row in open_):
        answer = ask(Message("published.ask_comparator", name=name), COMPARATORS)
        for row in open_:
            if row["arm"] == name:
                row["comparator"] = answer or "active"
        if answer is None:
            found = next(f for f in review.found if f.kind == "arms")
            found.doubts["comparator"] = "published.doubt_comparator"


def _title_of(one: Found, title: str) -> str:
    """Name the outcome of a table that has no column for it: by its first title or its sheet."""
    named = [t for t in one.texts[:3] if t and find("units", t)]
    return named[0] if named else title


def _settle_outcome(
    review: Review, id_: str, kind: str, own: list[dict[str, str]], ask: Ask
) -> None:
    found = next(f for f in review.found if f.kind == kind)
    label = own[0]["label"]
    setting = Setting({"label": label})
    events = kind == "arms" and any(row.get("events") for row in own)
    if kind == "contrasts":
        _settle_effect(setting, found, own, ask)
    elif events:
        setting.value["unit"] = "participants"
        for row in own:
            row["unit"] = "participants"
        setting.reasons.append("published.counts")
    else:
        _settle_unit(setting, found, own)
    if find("better_high", label):
        setting.value["lower_is_better"] = False
        setting.doubts.append("published.doubt_better")
    _settle_change(setting, own, ask)
    measure, reasons, doubts = _choose_measure(setting, found, kind, own, events)
    comparison = Setting(
        {
            "id": id_,
            "label": label,
            "outcome": id_,
            "estimand": "between_arm",
            "measure": measure,
        },
        reasons,
        doubts,
    )
    if len({row["subgroup"] for row in own if row["subgroup"]}) > 1:
        comparison.value["subgroup_by"] = "subgroup"
    if len({row["timepoint"] for row in own}) > 1:
        comparison.doubts.append("published.doubt_times")
    review.outcomes[id_] = setting
    review.comparisons += _split_controls(comparison, own)


def _split_controls(comparison: Setting, own: Sequence[dict[str, str]]) -> list[Setting]:
    """Compare with each kind of control by itself where a trial has several."""
    kinds: dict[str, set[str]] = {}
    for row in own:
        if row.get("comparator"):
            kinds.setdefault(row["trial"], set()).add(row["comparator"])
    if all(len(found) < 2 for found in kinds.values()):
        return [comparison]
    out = []
    for kind in COMPARATORS:
        if any(kind in found for found in kinds.values()):
            value = comparison.value
            parts = {"id": f"{value['id']}_{kind}", "label": f"{value['label']}, {kind}"}
            value = {**value, **parts, "comparators": [kind]}
            out.append(Setting(value, comparison.reasons, comparison.doubts))
    return out


def _settle_unit(setting: Setting, found: Found, own: list[dict[str, str]]) -> None:
    """Find the unit of means: by its own column, the outcome's name, or the table's titles."""
    texts = " ".join(found.texts)
    units: list[str] = []
    for row in own:
        said = row["unit_text"] or row["label"]
        unit = row["unit_text"] if row["unit_text"] in UNITS else find("units", said)
        if not unit and not row["unit_text"]:
            unit = find("units", texts)
        row["unit"] = unit or "as_printed"
        units.append(row["unit"])
    setting.value["unit"] = units[0]
    if "as_printed" in units:
        setting.doubts.append("published.doubt_unit")
    else:
        setting.reasons.append("published.unit_named")
    if units[0] == "nrs_0_10" and any(float(row.get("mean") or 0) > 10 for row in own):
        setting.doubts.append("published.doubt_scale")


def _settle_effect(setting: Setting, found: Found, own: list[dict[str, str]], ask: Ask) -> None:
    """Find the scale of printed effects and the way in which differences were taken."""
    effect = found.effect
    if effect == "unknown":
        effect = _tell_scale(own)
        setting.doubts.append("published.doubt_effect")
    unit = effect if effect == "log_ratio" else "ratio" if effect in RATIOS else ""
    if not unit:
        said = " ".join(own[0][c] for c in ("unit_text", "label", "effect_type"))
        unit = find("units", said) or "as_printed"
        unit = "as_printed" if effect in ("SMD", "RD") else unit
    found.effect = effect
    setting.value["unit"] = unit
    if unit == "ratio" and any(row.get("se") and not row.get("ci_low") for row in own):
        setting.doubts.append("published.doubt_log_error")
    if unit == "as_printed" and effect == "MD":
        setting.doubts.append("published.doubt_unit")
    answers = ("treatment_minus_control", "control_minus_treatment")
    sign = ask(Message("published.ask_sign", name=setting.value["label"]), answers)
    for row in own:
        row["unit"] = unit
        row["positive_means"] = sign or answers[0]
        row["treatment_arm"], row["control_arm"] = "treatment", "control"
    if sign is None:
        found.doubts["positive_means"] = "published.doubt_sign"


def _tell_scale(own: Sequence[dict[str, str]]) -> str:
    """Tell a ratio from a difference by the scale that its limits are even on."""
    ratio = difference = 0.0
    for row in own:
        if not row.get("ci_low") or not row.get("ci_high"):
            continue
        low, middle, high = (float(row[c]) for c in ("ci_low", "effect", "ci_high"))
        difference += abs((low + high) / 2 - middle) / max(high - low, 1e-9)
        if min(low, middle, high) <= 0:
            return "MD"
        ratio += abs((math.log(low) + math.log(high)) / 2 - math.log(middle)) / max(
            math.log(high) - math.log(low), 1e-9
        )
    return "RR" if ratio < difference else "MD"


def _settle_change(setting: Setting, own: list[dict[str, str]], ask: Ask) -> None:
    """Ask what a positive change means: without an answer it is not pooled."""
    changes = [row for row in own if row.get("kind") == "change"]
    if not changes:
        return
    question = Message("published.ask_change", name=setting.value["label"])
    answer = ask(question, ("worse", "better"))
    for row in changes:
        row["positive_means"] = answer or "unstated"
    if answer is None:
        setting.doubts.append("published.doubt_change")


def _choose_measure(
    setting: Setting, found: Found, kind: str, own: Sequence[dict[str, str]], events: bool
) -> tuple[str, list[str], list[str]]:
    """Choose the measure: the one that the table names, else by what its numbers are."""
    if kind == "contrasts":
        if setting.value["unit"] in ("ratio", "log_ratio"):
            return "RATIO", ["published.printed_ratios"], []
        return "MD", ["published.printed_effects"], []
    asked = [find("asked", text) for text in found.texts if find("asked", text)]
    if events:
        named = [a for a in asked if a in ("OR", "RD")]
        return (named[0], ["published.named"], []) if named else ("RR", ["published.risks"], [])
    if "SMD" in asked:
        return "SMD", ["published.named"], []
    units = list(dict.fromkeys(row["unit"] for row in own))
    if len(units) > 1 and any(convert(unit, units[0]) is None for unit in units):
        return "SMD", ["published.several_scales"], []
    texts = {split(row["unit_text"]) for row in own if row["unit_text"]}
    if "as_printed" in units and len(texts) > 1:
        return "SMD", ["published.several_scales"], []
    if "as_printed" in units and not _are_alike(own):
        return "SMD", [], ["published.doubt_scales"]
    if "as_printed" in units:
        return "MD", [], ["published.doubt_one_scale"]
    return "MD", ["published.one_scale"], []


def _are_alike(own: Sequence[dict[str, str]]) -> bool:
    """Whether the spreads of all trials could be of one scale."""
    spreads = [float(row["sd"]) for row in own if row.get("sd") and float(row["sd"]) > 0]
    return not spreads or max(spreads) < _ALIKE * min(spreads)


def drop_incomplete(found: Found) -> None:
    """Leave out rows that hold no number of people, and say so."""
    if found.kind != "arms":
        return
    without = [row for row in found.rows if not row.get("n")]
    for trial in dict.fromkeys(row["trial"] for row in without):
        found.notes.append(Message("published.no_n", trial=trial))
    found.rows = [row for row in found.rows if row.get("n")]
