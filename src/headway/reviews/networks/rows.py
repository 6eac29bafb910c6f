"""Arms and contrasts of a review -> the trials of a network, and why the others are not in it.

Rows are chosen as for pairwise comparisons (`headway.reviews.candidates`): one timepoint, scale and
kind of row per trial. All arms of it enter together, since they share people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headway.config.review import Comparison
from headway.effects.measures import MEASURES
from headway.effects.recover import combine_arms
from headway.errors import UNCOMPUTABLE, log_frames
from headway.messages import Message
from headway.meta import network as nma
from headway.reviews.candidates import (
    NAN,
    Candidate,
    choose,
    default_kinds,
    judge,
    list_origins,
)
from headway.reviews.effects_table import (
    CROSSOVER,
    allow_for_clusters,
    check_rows,
    check_scale,
    find_worst,
    group_rows,
    list_wanted,
    note_clusters,
    note_recovered,
    recover_changes,
    take_contrasts,
    take_own,
    turn_scale,
)

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Network, Review

Array = NDArray[np.float64]

# Differences that are never moved by what is added to an empty cell, unless the review says so.
DIFFERENCES = ("RD", "IRD")
ADDED_TO = ("RR", "OR", "RD", "IRR", "IRD")


@dataclass(slots=True)
class TrialRows:
    """A trial as a network takes it.

    `y` and `v` are contrasts of `treatments[1:]` against `treatments[0]`, and their covariance;
    empty where the trial has none. `people` is by treatment, NaN where it is not printed.
    """

    candidate: Candidate
    treatments: list[str] = field(default_factory=list)
    y: Array = field(default_factory=lambda: np.zeros(0))
    v: Array = field(default_factory=lambda: np.zeros((0, 0)))
    people: dict[str, float] = field(default_factory=dict)


def as_comparison(network: Network, review: Review) -> Comparison:
    """Put a network's choice of rows in the words of a comparison between arms."""
    return Comparison(
        id=network.id,
        label=network.label,
        outcome=network.outcome,
        estimand="between_arm",
        measure=network.measure,
        kinds=network.kinds,
        target_day=network.target_day,
        within_days=network.within_days,
        timepoints=network.timepoints,
        leave_out=network.leave_out,
        zero_events=review.zero_events,
    )


def list_trials(
    arms: pd.DataFrame, contrasts: pd.DataFrame, network: Network, review: Review
) -> list[TrialRows]:
    """List every set of rows that could speak to a network; those without a reason enter."""
    comparison = as_comparison(network, review)
    arms = allow_for_clusters(arms, review.assumed_icc)
    contrasts = allow_for_clusters(contrasts, review.assumed_icc)
    found = [
        *_read_arms(arms, network, comparison, review),
        *_read_contrasts(contrasts, network, comparison, review),
    ]
    most: dict[str, int] = {}
    for one in found:
        most[one.candidate.trial] = max(most.get(one.candidate.trial, 0), len(one.treatments))
    for one in found:
        # An adjusted difference of two arms does not stand for a trial of three.
        one.candidate.adjusted &= len(one.treatments) == most[one.candidate.trial]
    choose([one.candidate for one in found], comparison)
    there = {one.candidate.trial for one in found}
    return found + _list_rest(arms, comparison, there)


def name_treatment(row: Any, network: Network, side: str = "") -> str:
    """Name the treatment of an arm, or of one side of a contrast; empty where nothing says it."""
    arm = str(getattr(row, f"{side}_arm") if side else row.arm)
    role = side or row.role
    for key in (f"{row.trial}: {arm}", arm):
        if key in network.treatments:
            return network.treatments[key]
    if network.treatment_is == "arm":
        return arm
    technique, comparator = (
        value if isinstance(value, str) else "" for value in (row.technique, row.comparator)
    )
    if role == "treatment":
        return technique
    # What a contrast says was done was done in its first arm.
    return technique if comparator == "active" and technique and not side else comparator


# ---- arms ----------------------------------------------------------------------------------------


def _read_arms(
    arms: pd.DataFrame, network: Network, comparison: Comparison, review: Review
) -> Iterator[TrialRows]:
    kinds = comparison.kinds or default_kinds(comparison.measure)
    own = take_own(arms, comparison)
    own = recover_changes(own, review.assumed_r.value, derive=list(kinds) == ["change"])
    own = own[own["kind"].isin(kinds)]
    for rows in group_rows(own).values():
        yield _read_trial(rows, network, comparison, review)


def _read_trial(
    rows: list[Any], network: Network, comparison: Comparison, review: Review
) -> TrialRows:
    """Read the arms of one trial, timepoint and scale."""
    outcome, measure = review.outcomes[network.outcome], network.measure
    one = _start(rows, " v ".join(dict.fromkeys(str(row.arm) for row in rows)), rows[0].kind)
    one.instrument = rows[0].instrument
    wanted = list_wanted(measure, 1)
    by: dict[str, list[Any]] = {}
    reasons: list[str] = []
    for row in rows:
        alone = Candidate(one.trial, "", "", NAN, "arms", row.kind, row.status, "", None)
        check_rows(alone, [row], outcome.unit, wanted, measure)
        note_clusters(alone, [row])
        one.recovered += [note for note in alone.recovered if note not in one.recovered]
        if row.design == CROSSOVER:
            alone.reasons.append(Message("why_not.network_crossover"))
        treatment = name_treatment(row, network)
        if not treatment:
            alone.reasons.append(Message("why_not.network_no_treatment", arm=row.arm))
        if alone.reasons:
            reasons += alone.reasons
            one.notes.append(Message("network.arm_aside", arm=row.arm, why=alone.reasons))
        else:
            by.setdefault(treatment, []).append(row)
    used = [row for each in by.values() for row in each]
    if len(by) < 2:
        one.reasons += dict.fromkeys(reasons)
        same = len(used) > 1
        id = "why_not.network_one_treatment" if same else "why_not.network_one_arm"
        one.reasons.append(Message(id))
        one.notes = [note for note in one.notes if not note.startswith("network.arm_aside")]
        return TrialRows(one)
    one.status = find_worst(row.status for row in used)
    check_scale(one, used, outcome.unit, measure)
    note_recovered(one, used)
    # A scale that runs against its outcome turns a mean of 1 into −1.
    one.values["mean1"] = 1.0
    turn_scale(one, used, outcome.lower_is_better, measure)
    sign = one.values.pop("mean1")
    out = TrialRows(one, sorted(by))
    if one.usable:
        numbers = {name: _join_arms(by[name], wanted, sign, one) for name in out.treatments}
        out.people = {name: _count_people(by[name]) for name in out.treatments}
        _contrast(out, numbers, comparison)
    return out


def _start(rows: Sequence[Any], arms: str, kind: str) -> Candidate:
    first = rows[0]
    one = Candidate(
        trial=first.trial,
        arms=arms,
        timepoint=first.timepoint,
        time_days=float(first.time_days),
        basis="contrast" if kind == "contrast" else "arms",
        kind=kind,
        status=find_worst(row.status for row in rows),
        source=" + ".join(dict.fromkeys(str(row.source) for row in rows)),
        subgroup=None,
        rows=list_origins([row._asdict() for row in rows]),
    )
    one.values["year"] = first.year
    one.notes += list(dict.fromkeys(row.note for row in rows if isinstance(row.note, str)))
    return one


def _join_arms(
    rows: list[Any], wanted: Iterable[str], sign: float, one: Candidate
) -> dict[str, float]:
    """Return an arm's numbers; arms of one treatment become one (Handbook 6.5.2.10)."""
    numbers = {name: [float(getattr(row, name)) for row in rows] for name in wanted}
    if len(rows) > 1:
        names = list(dict.fromkeys(str(row.arm) for row in rows))
        one.recovered.append(Message("recovered.combined", arms=" + ".join(names)))
    if "sd" in numbers:
        known = "mean" in numbers  # the spread alone of one arm needs no mean
        if len(rows) == 1:
            n, sd = numbers["n"][0], numbers["sd"][0]
            mean = numbers["mean"][0] if known else NAN
        else:
            means = [float(row.mean) for row in rows]
            n, mean, sd = combine_arms(numbers["n"], means, numbers["sd"])
        return {"n": n, "sd": sd, **({"mean": sign * mean} if known else {})}
    return {name: sum(values) for name, values in numbers.items()}


def _count_people(rows: list[Any]) -> float:
    return float(np.sum([float(row.n) for row in rows]))


def _contrast(out: TrialRows, numbers: dict[str, dict[str, float]], comparison: Comparison) -> None:
    """Compute a trial's contrasts from its arms; where they allow none, that is its reason."""
    one, measure = out.candidate, comparison.measure
    names = out.treatments
    columns = {"person_years": "time"}
    given = {
        columns.get(name, name): np.array([numbers[arm][name] for arm in names])
        for name in numbers[names[0]]
    }
    kept = comparison.zero_events == "not_estimable" and measure in DIFFERENCES
    if measure in ADDED_TO:
        empty = (given["events"] == 0) | (given["events"] == given.get("n", np.inf))
        if comparison.zero_events == "not_estimable" and not kept:
            one.reasons += _say_not_estimable(given)
        if empty.sum() > kept:
            id = "recovered.half_in_variance" if kept else "recovered.half_added"
            one.recovered.append(Message(id))
    if not one.usable:
        return
    try:
        if kept:
            out.y, out.v = _subtract(given)
        else:
            made = nma.read_arms(measure, [one.trial] * len(names), names, **given)
            out.y, out.v = made.y, made.v
    except UNCOMPUTABLE as error:
        log_frames(error, f"{measure}, {one.lines}")
        one.reasons.append(Message("why_not.no_effect", measure=measure))
        return
    _judge(out)


def _subtract(given: dict[str, Array]) -> tuple[Array, Array]:
    """Subtract risks or rates as they are, and find the covariance of their differences.

    As in RevMan, 0.5 is added to cells for the variance alone, and only where two arms have none.
    """
    risks = "n" in given
    events, size = given["events"], given["n"] if risks else given["time"]
    empty = (events == 0) | (risks & (events == size))
    half = np.where(empty & (empty.sum() > 1), 0.5, 0.0)
    a, whole = events + half, size + 2 * half * risks
    v = a * (whole - a) / whole**3 if risks else a / whole**2
    rate = events / size
    return rate[1:] - rate[0], np.diag(v[1:]) + v[0]


def _say_not_estimable(given: dict[str, Array]) -> list[Message]:
    """Say that nobody, or everybody, had the event in every arm (Handbook 10.4.4)."""
    if (given["events"] == 0).all():
        return [Message("why_not.not_estimable_none")]
    if "n" in given and (given["events"] == given["n"]).all():
        return [Message("why_not.not_estimable_all")]
    return []


def _judge(out: TrialRows) -> None:
    """Collect why a trial's effects cannot be pooled: no spread, or no plausible number."""
    for _, _, yi, vi in list_pairs(out):
        alone = Candidate("", "", "", NAN, "arms", "final", "computed", "", None)
        alone.values = {"yi": yi, "vi": vi}
        judge(alone)
        out.candidate.reasons += [r for r in alone.reasons if r not in out.candidate.reasons]


def list_pairs(trial: TrialRows) -> list[tuple[str, str, float, float]]:
    """List all pairs of a trial's treatments: treatment, base, effect and variance.

    The variances hold the covariance of the trial's contrasts, and :func:`nma.read_pairs` finds
    it again.
    """
    level = np.concatenate([[0.0], trial.y])
    v = np.zeros((len(level), len(level)))
    v[1:, 1:] = trial.v
    return [
        (
            trial.treatments[j],
            trial.treatments[i],
            float(level[j] - level[i]),
            float(v[i, i] + v[j, j] - 2 * v[i, j]),
        )
        for i in range(len(trial.treatments) if len(trial.y) else 0)
        for j in range(i + 1, len(trial.treatments))
    ]


# ---- contrasts -----------------------------------------------------------------------------------


def _read_contrasts(
    contrasts: pd.DataFrame, network: Network, comparison: Comparison, review: Review
) -> Iterator[TrialRows]:
    """Read printed differences between arms: one of a trial, or each pair of its arms."""
    if MEASURES[network.measure].scale.code != "natural":
        return
    unit = review.outcomes[network.outcome].unit
    rows = list(take_own(contrasts, comparison).itertuples())
    sets: dict[tuple[Any, ...], list[tuple[Any, Candidate]]] = {}
    for row, one in zip(rows, take_contrasts(contrasts, comparison, unit), strict=True):
        key = (row.trial, row.timepoint, row.instrument, row.effect_type, row.analysis)
        sets.setdefault((*key, row.subgroup), []).append((row, one))
    for own in sets.values():
        yield _join_contrasts(own, network)


def _join_contrasts(own: list[tuple[Any, Candidate]], network: Network) -> TrialRows:
    rows = [row for row, _ in own]
    one = _start(rows, "; ".join(dict.fromkeys(each.arms for _, each in own)), "contrast")
    one.instrument, one.effect_type = own[0][1].instrument, own[0][1].effect_type
    one.adjusted = all(each.adjusted for _, each in own)
    one.notes = list(dict.fromkeys(note for _, each in own for note in each.notes))
    one.recovered = list(dict.fromkeys(text for _, each in own for text in each.recovered))
    pairs: list[tuple[str, str, float, float]] = []
    reasons: list[str] = []
    for row, each in own:
        names = [name_treatment(row, network, side) for side in ("treatment", "control")]
        for name, arm in zip(names, (row.treatment_arm, row.control_arm), strict=True):
            if not name:
                each.reasons.append(Message("why_not.network_no_treatment", arm=arm))
        if names[0] == names[1] and names[0]:
            each.reasons.append(Message("why_not.network_one_treatment"))
        reasons += each.reasons
        if each.usable:
            pairs.append((names[0], names[1], each.values["yi"], each.values["vi"]))
        elif len(own) > 1:
            one.notes.append(Message("network.arm_aside", arm=each.arms, why=each.reasons))
    out = TrialRows(one)
    if not pairs:
        one.reasons += dict.fromkeys(reasons)
        return out
    treatments = sorted({name for pair in pairs for name in pair[:2]})
    full = len(treatments) * (len(treatments) - 1) / 2
    if len({frozenset(pair[:2]) for pair in pairs}) < len(pairs) or len(pairs) < full:
        places = {"n": len(pairs), "of": int(full), "arms": len(treatments)}
        one.reasons.append(Message("why_not.network_pairs_missing", **places))
        return out
    one_names, others, yi, vi = zip(*pairs, strict=True)
    try:
        made = nma.read_pairs(yi, vi, [one.trial] * len(pairs), one_names, others)
    except UNCOMPUTABLE as error:
        log_frames(error, one.lines)
        one.reasons.append(Message("why_not.network_pairs_disagree"))
        return out
    # Against one base, as arms are.
    back = np.linalg.inv(made.design[:, 1:])
    out.treatments = list(made.treatments)
    out.y, out.v = back @ made.y, back @ made.v @ back.T
    out.people = dict.fromkeys(out.treatments, NAN)
    return out


# ---- what is left --------------------------------------------------------------------------------


def _list_rest(arms: pd.DataFrame, comparison: Comparison, there: set[str]) -> list[TrialRows]:
    """List trials that report the outcome and have no row of a kind that the network takes."""
    own = take_own(arms, comparison)
    own = own[~own["trial"].isin(there)]
    out = []
    for _, part in own.groupby("trial", sort=False):
        rows = list(part.itertuples())
        one = _start(rows, " v ".join(dict.fromkeys(str(row.arm) for row in rows)), rows[0].kind)
        one.reasons.append(Message("why_not.network_no_rows"))
        out.append(TrialRows(one))
    return out
