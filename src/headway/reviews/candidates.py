"""Rows of the table `effects` in the making: whether an effect can be pooled, and which one is.

Of several effects of a trial at most one is pooled. Rules come in this order: the timepoint that
the comparison names, the nearest to its day (none too far from a day that is declared), an
adjusted difference, the preferred kind of row. Where they leave several, the first in the file is
pooled and the others say so. The rows of a file's own analysis all enter, as that file pools them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import MEASURES, find_family
from headway.errors import UNCOMPUTABLE, log_frames
from headway.messages import Message, term
from headway.reviews.dependent import combine_effects
from headway.tables import STATUSES

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison

NAN = float("nan")
# Day whose nearest timepoint is pooled where a comparison declares none.
ANY_DAY = 84.0
# Beyond these an effect, or a variance, is an error of typing, and sums of squares lose all digits.
LARGEST, SMALLEST = 1e15, 1e-30


@dataclass(slots=True)
class Candidate:
    """One row of the table `effects` in the making."""

    trial: str
    arms: str
    timepoint: str
    time_days: float
    basis: str
    kind: str
    status: str
    source: str
    subgroup: str | None
    analysis: str | None = None
    instrument: str = ""
    effect_type: str = ""
    rows: tuple[tuple[str, int], ...] = ()  # file and line of what it is made of
    values: dict[str, Any] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    recovered: list[str] = field(default_factory=list)
    adjusted: bool = False
    complete: bool = True  # whether all numbers are there, in the unit of the outcome

    @property
    def usable(self) -> bool:
        """Whether an effect can be pooled at all."""
        return not self.reasons

    @property
    def lines(self) -> str:
        """Name file and lines, as `arms.csv 2, 3`; :func:`read_lines` reads them back."""
        by: dict[str, list[int]] = {}
        for file, line in self.rows:
            by.setdefault(file, []).append(line)
        return "; ".join(
            f"{file} {', '.join(map(str, sorted(set(lines))))}" for file, lines in by.items()
        )


def default_kinds(measure: str) -> list[str]:
    """List the kinds of arm rows that a measure takes, the preferred one first.

    Change and final scores may be mixed in MD and not in SMD (Handbook 10.5.2, 10.5.3), nor in a
    ratio. Of one arm before and after, both say the same.
    """
    entry = MEASURES[measure]
    if entry.counts_events:
        return ["events"]
    mixed = entry.scale.code == "natural" or find_family(measure) == "paired"
    return ["change", "final"] if mixed else ["final"]


def compute(one: Candidate, step: Callable[[], None], measure: str) -> None:
    """Carry out one row's computation; where its numbers allow none, that is the row's reason."""
    try:
        step()
    except UNCOMPUTABLE as error:
        log_frames(error, f"{measure}, {one.lines}")
        one.values |= {"yi": NAN, "vi": NAN}
        one.reasons.append(Message("why_not.no_effect", measure=measure))
    judge(one)


def judge(one: Candidate) -> None:
    """Say why an effect that was computed cannot be pooled: no spread, or no plausible number."""
    yi, vi = (float(one.values.get(name, NAN)) for name in ("yi", "vi"))
    wild = abs(yi) > LARGEST or vi > LARGEST or 0 < vi < SMALLEST
    if wild or not np.isfinite([yi, vi]).all():
        one.values |= {k: v if np.isfinite(v) else NAN for k, v in (("yi", yi), ("vi", vi))}
    if wild:
        one.reasons.append(Message("why_not.out_of_range"))
    elif vi <= 0:
        one.reasons.append(Message("why_not.no_spread"))
        one.values["vi"] = NAN  # an error of 0 would be read as certainty


def choose(found: Sequence[Candidate], comparison: Comparison) -> list[Candidate]:
    """Leave at most one pooled row per trial (per arm, where arms are followed).

    Where the comparison says so, effects that are alike by every rule are combined, or stay as
    dependent effects. Returns the rows that were made of several.
    """
    made: list[Candidate] = []
    kinds = [*(comparison.kinds or default_kinds(comparison.measure)), "contrast"]
    if comparison.totals == "none":
        for one in found:
            one.reasons.append(Message("why_not.no_totals"))
    target = ANY_DAY if comparison.target_day is None else comparison.target_day
    reach = find_reach(comparison)
    by: dict[tuple[str, ...], list[Candidate]] = {}
    kept: dict[tuple[str, ...], Candidate] = {}  # of trials whose arms all stay: the first effect
    for one in found:
        why = comparison.leave_out.get(one.trial)
        if why:
            one.reasons.append(why)
        if one.usable and comparison.analysis is None:  # a file's own rows all enter
            apart = comparison.estimand != "between_arm" or (
                comparison.several_arms != "combine" and one.basis == "arms"
            )
            whose = (one.trial, str(one.subgroup) if comparison.grouping == "subgroup" else "")
            if apart:
                kept.setdefault(whose, one)
            by.setdefault((*whose, one.arms) if apart else whose, []).append(one)
    for key, trial in by.items():
        if key in kept:  # what is printed of people whose arms are pooled
            for one in trial:
                one.reasons.append(_name_other(kept[key]))
            continue
        several = _hold_to_day(trial, comparison)
        if not several:
            continue
        wanted = comparison.timepoints.get(several[0].trial)
        ranks = {id(one): _rank(one, wanted, target, reach, kinds) for one in several}
        first, *rest = sorted(several, key=lambda one: ranks[id(one)])
        same = [one for one in several if ranks[id(one)] == ranks[id(first)]]
        alike = len(same)
        rule = comparison.several_effects if alike > 1 else "one"
        if rule == "combine":
            made.append(_combine(same, comparison.several_r))
        for one in rest:
            if one in same and rule != "one":
                continue
            if ranks[id(one)] == ranks[id(first)]:
                which = {"n": alike, "which": name(first), "lines": first.lines}
                one.reasons.append(Message("why_not.first_of_several", **which))
            elif one.timepoint != first.timepoint:
                one.reasons.append(Message("why_not.other_timepoint", timepoint=first.timepoint))
            else:
                one.reasons.append(_name_other(first))
        for one in same if rule == "combine" else ():
            one.reasons.append(Message("why_not.combined"))
    return made


def _name_other(used: Candidate) -> Message:
    of = {"basis": term("rows", used.basis), "kind": term("rows", used.kind)}
    return Message("why_not.other_row", arms=used.arms, **of)


def _combine(same: Sequence[Candidate], r: float) -> Candidate:
    """Make one row of effects of the same people."""
    first = same[0]
    yi, vi = combine_effects(
        [one.values["yi"] for one in same], [one.values["vi"] for one in same], r
    )
    out = Candidate(
        trial=first.trial,
        arms=first.arms,
        timepoint=first.timepoint,
        time_days=first.time_days,
        basis="combined",
        kind=first.kind,
        status=max((one.status for one in same), key=STATUSES.index),
        source=" + ".join(dict.fromkeys(one.source for one in same)),
        subgroup=first.subgroup,
        analysis=first.analysis,
        rows=tuple(dict.fromkeys(row for one in same for row in one.rows)),
        values={"year": first.values.get("year"), "yi": yi, "vi": vi},
        recovered=[
            Message("recovered.effects_combined", n=len(same), which=list(map(name, same)), r=r)
        ],
    )
    for people in ("n1", "n2"):
        known = [one.values[people] for one in same if people in one.values]
        if len(known) == len(same):
            out.values[people] = max(known)
    return out


def find_reach(comparison: Comparison) -> float:
    """Find how many days a result may lie from the day that a comparison declares."""
    if comparison.target_day is None:
        return float("inf")
    if comparison.within_days is not None:
        return comparison.within_days
    return max(14.0, comparison.target_day / 2)


def _hold_to_day(several: list[Candidate], comparison: Comparison) -> list[Candidate]:
    """Keep out results far from the declared day, and mark those whose day is not known.

    Of a trial that has a nearer one, the far ones are further timepoints, as any other.
    """
    target, reach = comparison.target_day, find_reach(comparison)
    if target is None:
        return several
    near = []
    for one in several:
        if np.isnan(one.time_days):
            one.notes.append(Message("effect_type.day_unknown", target=target))
        named = comparison.timepoints.get(one.trial) == one.timepoint
        if named or not abs(one.time_days - target) > reach:
            near.append(one)
    if near:
        return several
    for one in several:
        far = {"day": one.time_days, "target": target, "within": reach}
        one.reasons.append(Message("why_not.too_far", **far))
    return []


def _rank(
    one: Candidate, wanted: str | None, target: float, reach: float, kinds: Sequence[str]
) -> Any:
    far = abs(one.time_days - target)
    return (
        one.timepoint != wanted,
        far > reach,
        np.inf if np.isnan(far) else far,
        not one.adjusted,  # preferred where there is one (Handbook 10.5.2)
        kinds.index(one.kind),
    )


def name_trials(rows: pd.DataFrame) -> pd.Series:
    """Name rows of `effects` by trial, and by their arms where it has several."""
    several = rows["trial"].duplicated(keep=False)
    return rows["trial"].mask(several, rows["trial"] + ": " + rows["arms"])


def name(one: Candidate) -> str:
    """Name an effect by what sets it apart within its trial."""
    return one.instrument or one.effect_type or f"{one.arms}, {one.timepoint}"


def read_lines(text: Any) -> Iterator[tuple[str, int]]:
    """List file and line of `arms.csv 2, 3; contrasts.csv 4`."""
    for part in str(text).split("; "):
        found = re.fullmatch(r"(.+?) (\d+(?:, \d+)*)", part)
        if found:
            yield from ((found[1], int(line)) for line in found[2].split(", "))


def list_origins(rows: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, int], ...]:
    """List file and line of rows, each once."""
    return tuple(dict.fromkeys((str(r["file"]), int(r["line"])) for r in rows))
