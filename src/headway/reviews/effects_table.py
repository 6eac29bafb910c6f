"""Arms and contrasts of a review -> the table `effects`: what enters each comparison, and why.

Every row that could speak to a comparison is listed once. At most one per trial is pooled
(`headway.reviews.candidates`); each of the others says why it is not. A difference between arms
and a change within one arm are different estimands and never meet in one comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headway.effects.measures import FAMILIES, MEASURES, arrange, escalc, find_family
from headway.effects.recover import (
    combine_arms,
    design_effect,
    find_r,
    sd_change,
    split_control,
)
from headway.effects.single_arm import exact_limits
from headway.effects.units import name_unit
from headway.messages import Message, join, term
from headway.meta import revman
from headway.reviews.candidates import (
    NAN,
    Candidate,
    choose,
    compute,
    default_kinds,
    judge,
    list_origins,
)
from headway.reviews.integrity.scales import find_unlogged
from headway.reviews.zero_events import COUNTED, measure_counts
from headway.tables import STATUSES, conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Outcome, Review

Array = NDArray[np.float64]

BETWEEN = "between_arm"
# Messages that the code compares with: how an SD and a correlation were found.
FROM_ASSUMED_R, FROM_PRINTED_R = "origin.assumed_r", "origin.printed_r"
ASSUMED, PRINTED = "origin.assumed", "origin.printed"
ASSUMED_PERIOD = "origin.assumed_period"
# Column of `arms` that a number of a measure comes from, where the names differ.
_ROW = {"mean_pre": "baseline_mean", "sd_pre": "baseline_sd", "mean_post": "mean"}
_ROW |= {"time": "person_years"}
_MISSING = {
    "n": "why_not.no_number",
    "sd": "why_not.no_sd",
    "mean": "why_not.no_mean",
    "baseline_mean": "why_not.no_mean_before",
    "baseline_sd": "why_not.no_sd_before",
    "events": "why_not.no_events",
    "person_years": "why_not.no_person_years",
    "r": "why_not.no_correlation",
    "alpha": "why_not.no_alpha",
    "items": "why_not.no_items",
}
_SUMMARY = ("n", "mean", "sd")
# What sets rows of a trial apart, beside time and kind.
_APART = ("instrument", "analysis", "subgroup")
# What a row of `effects` says of the numbers behind its effect.
_NUMBERS = (
    *("n1", "mean1", "sd1", "n2", "mean2", "sd2", "events1", "events2", "time1", "time2"),
    *("mean_pre1", "sd_pre1", "mean_pre2", "sd_pre2", "alpha", "items", "r"),
)
# What compares two groups, and what compares two times of one: people of a crossover trial are
# their own controls (Handbook 23.2.7).
_PERIODS = {"MD": "MC", "SMD": "SMCRP", "ROM": "ROMC", "VR": "VRC", "CVR": "CVRC"}
CROSSOVER, CLUSTER = "crossover", "cluster"
# Subgroup of a row that names none, where others do.
NOT_STATED = "not stated"


def list_wanted(measure: str, side: int) -> list[str]:
    """List the columns of `arms` that a measure needs of a side; the r of two times is assumed."""
    needed = MEASURES[measure].needed.split()
    if find_family(measure) == "counts":
        return ["n", "events"]
    if find_family(measure) == "paired":
        return ["n", "sd", "mean"] if "mean1" in needed else ["n", "sd"]
    if FAMILIES[find_family(measure)].estimand == "between_arm":
        needed = [name[:-1] for name in needed if name.endswith(str(side))]
    return [_ROW.get(name, name) for name in needed]


def build_effects(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    review: Review,
    *,
    assumed_r: float | None = None,
    check: bool = True,
) -> pd.DataFrame:
    """Compute the effect of every row that a review's comparisons concern.

    Parameters
    ----------
    arms, contrasts
        Tables of the contract.
    review
        review.yaml with its defaults.
    assumed_r
        Correlation of before and after where the data do not give it; `review` declares it.
    check
        Hold the table against its contract; left out where many are tried.

    Returns
    -------
    DataFrame
        Table `effects`; `weight` is empty until it is pooled.
    """
    import pandas as pd

    r = review.assumed_r.value if assumed_r is None else assumed_r
    rows: list[dict[str, Any]] = []
    taken: dict[str, set[str]] = {}
    for one in review.comparisons:
        taken.setdefault(one.outcome, set()).update(one.kinds or default_kinds(one.measure))
    arms = allow_for_clusters(arms, review.assumed_icc)
    contrasts = allow_for_clusters(contrasts, review.assumed_icc)
    for declared in review.comparisons:
        comparison = replace(declared, zero_events=review.zero_events_of(declared))
        outcome = review.outcomes[comparison.outcome]
        unit = outcome.unit
        if comparison.estimand == BETWEEN:
            found = [
                *_pair_arms(
                    _without_printed(arms, comparison),
                    comparison,
                    outcome,
                    r,
                    review.assumed_period_r,
                ),
                *take_contrasts(contrasts, comparison, unit),
            ]
        else:
            found = list(_follow_arms(arms, comparison, unit, r))
        found += choose(found, comparison)
        if check:
            found += _list_rest(arms, comparison, found, taken[comparison.outcome])
        if any(row.subgroup for row in found):
            for row in found:
                row.subgroup = row.subgroup or NOT_STATED
        rows += [_as_row(c, comparison, unit, review.level_of(comparison)) for c in found]
    return conform("effects", pd.DataFrame(rows), check=check) if rows else empty("effects")


def _list_rest(
    arms: pd.DataFrame, comparison: Comparison, found: list[Candidate], taken: set[str]
) -> Iterator[Candidate]:
    """List arm rows of the comparison's trials that no effect stands on, each with its reason.

    A row of a kind that another comparison of the outcome takes (`taken`) is listed there, unless
    its trial has no row here at all.
    """
    own = take_own(arms, comparison)
    treated, control = own["role"].eq("treatment"), own["role"].eq("control")
    if comparison.techniques:
        treated &= own["technique"].isin(comparison.techniques)
    if comparison.comparators:
        control &= own["comparator"].isin(comparison.comparators)
    kinds = comparison.kinds or default_kinds(comparison.measure)
    used = {origin for one in found for origin in one.rows}
    there = {one.trial for one in found}
    free = [origin not in used for origin in zip(own["file"], own["line"], strict=True)]
    # A trial of which every row is used has nothing left to list.
    left = own["trial"].isin(own.loc[np.array(free, dtype=bool), "trial"])
    own = own[left]
    treated, control = treated[left], control[left]
    for trial, rows in own.groupby("trial", sort=False):
        sides = [rows[side[rows.index]] for side in (treated, control)]
        roles = rows["role"].nunique()
        if sum(len(side) > 0 for side in sides) < (roles if comparison.estimand == BETWEEN else 1):
            continue  # of another technique or comparator
        rows = rows[(treated | control)[rows.index]]
        later = rows[rows["kind"] != "baseline"]
        rows = later if len(later) else rows
        here = [origin in used for origin in zip(rows["file"], rows["line"], strict=True)]
        known = rows["kind"].isin({*taken, "baseline"} - set(kinds)) & (trial in there)
        rows = rows[~np.array(here, dtype=bool) & ~known.to_numpy()]
        key = ["timepoint", "kind", *_APART]
        for (timepoint, kind, instrument, *_), part in rows.groupby(key, sort=False):
            first = part.iloc[0]
            one = Candidate(
                trial=first["trial"],
                arms=_join(part["arm"]),
                timepoint=timepoint,
                time_days=first["time_days"],
                basis="arms",
                kind=kind,
                status=find_worst(part["status"]),
                source=_join(part["source"]),
                subgroup=_subgroup(comparison, first, first),
                analysis=first["analysis"] or None,
                instrument=instrument,
                rows=list_origins(part.to_dict("records")),
            )
            one.values["year"] = first["year"]
            chosen = comparison.choose.get(str(trial))
            if kind not in kinds:
                reason = Message("why_not.kind_not_taken", kind=term("rows", kind))
            elif chosen is not None and trial in there:
                reason = Message("why_not.not_chosen", name=chosen)
            else:
                reason = Message("why_not.no_partner")
            one.reasons.append(reason)
            yield one


def allow_for_clusters(rows: pd.DataFrame, assumed_icc: float | None) -> pd.DataFrame:
    """Bring trials of clusters to their effective size (Handbook 23.1.4, 23.1.5).

    People, events and person-time of arms are divided by the design effect, standard errors of
    contrasts multiplied by its root. The column `inflation` holds it: NaN where the row's design
    needs none, infinity where it cannot be known.
    """
    cluster = rows["design"].eq(CLUSTER).to_numpy()
    if not cluster.any():
        return rows.assign(inflation=NAN)
    people = rows["n"] if "n" in rows else rows["n_total"]
    size = rows["cluster_size"].fillna(people / rows["clusters"]).clip(lower=1)
    icc = rows["icc"].fillna(NAN if assumed_icc is None else assumed_icc)
    factor = np.where(cluster, design_effect(size, icc), NAN)
    known = cluster & np.isfinite(factor)
    out = rows.assign(inflation=np.where(cluster & ~known, np.inf, factor))
    for column in ("n", "baseline_n", "events", "person_years"):
        if column in out:
            out[column] = out[column].mask(known, out[column] / factor)
    if "se" in out:
        out["se"] = out["se"].mask(known, out["se"] * np.sqrt(factor))
    return out


def note_clusters(one: Candidate, rows: Iterable[Any]) -> None:
    """Say by how much clusters inflate a row's variance, or that nobody knows."""
    for row in rows:
        if np.isinf(row.inflation):
            one.reasons.append(Message("why_not.clusters_ignored"))
        elif not np.isnan(row.inflation):
            id = "recovered.clusters" if np.isfinite(row.icc) else "recovered.clusters_assumed"
            one.recovered.append(Message(id, factor=float(row.inflation)))


def _without_printed(arms: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """Leave arms out of a measure that is printed as it is."""
    return arms.head(0) if find_family(comparison.measure) == "printed" else arms


def take_own(frame: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """Take the rows of a comparison's outcome, and of its analysis where it is of a file."""
    own = frame[frame["outcome"] == comparison.outcome]
    if comparison.analysis is not None:
        own = own[own["analysis"] == comparison.analysis]
    # What is missing is one of its own: as a gap it would match nothing.
    return own.assign(**{name: own[name].fillna("") for name in _APART})


def _pair_arms(
    arms: pd.DataFrame,
    comparison: Comparison,
    outcome: Outcome,
    assumed_r: float,
    period_r: float | None,
) -> Iterator[Candidate]:
    """Pair treatment and control arms of a trial.

    Several treatment arms become one (Handbook 6.5.2.10), or, where the comparison says so, each
    meets its share of the control arm (23.3.4).
    """
    kinds = comparison.kinds or default_kinds(comparison.measure)
    own = take_own(arms, comparison)
    own = recover_changes(own, assumed_r, derive=list(kinds) == ["change"])
    own = own[own["kind"].isin(kinds)]
    treated = own[own["role"] == "treatment"]
    controls = own[own["role"] == "control"]
    if comparison.techniques:
        treated = treated[treated["technique"].isin(comparison.techniques)]
    if comparison.comparators:
        controls = controls[controls["comparator"].isin(comparison.comparators)]
    pairs = group_rows(treated)
    for at, side2 in group_rows(controls).items():
        side1 = pairs.get(at)
        if side1 is None:
            continue
        chosen = comparison.choose.get(at[0])
        if chosen is not None:
            named = [row for row in side1 if chosen in (row.arm, row.instrument)]
            if not named:
                one = _pair(side1, side2, comparison, outcome, assumed_r, period_r, 1)
                one.reasons.append(Message("why_not.not_chosen", name=chosen))
                yield one
                continue
            side1 = named
        apart = comparison.several_arms != "combine"
        parts = [[row] for row in side1] if apart else [side1]
        shared_by = len(parts) if comparison.several_arms == "split" else 1
        for part in parts:
            yield _pair(part, side2, comparison, outcome, assumed_r, period_r, shared_by)


def group_rows(rows: pd.DataFrame) -> dict[tuple[Any, ...], list[Any]]:
    """Group rows, as named tuples, by trial, time, kind and what sets rows apart."""
    out: dict[tuple[Any, ...], list[Any]] = {}
    for row in rows.itertuples():
        key = (row.trial, row.timepoint, row.kind, *(getattr(row, name) for name in _APART))
        out.setdefault(key, []).append(row)
    return out


def _pair(
    side1: list[Any],
    side2: list[Any],
    comparison: Comparison,
    outcome: Outcome,
    assumed_r: float,
    period_r: float | None,
    shared_by: int,
) -> Candidate:
    """Compare treatment rows with control rows of one trial and timepoint."""
    unit, lower_is_better = outcome.unit, outcome.lower_is_better
    both, first = [*side1, *side2], side1[0]
    one = Candidate(
        trial=first.trial,
        arms=f"{_join(r.arm for r in side1)} v {_join(r.arm for r in side2)}",
        timepoint=first.timepoint,
        time_days=float(first.time_days),
        basis="arms",
        kind=first.kind,
        status=find_worst(row.status for row in both),
        source=_join(r.source for r in both),
        subgroup=_subgroup(comparison, first, side2[0]),
        analysis=first.analysis or None,
        instrument=first.instrument,
        rows=list_origins([r._asdict() for r in both]),
    )
    one.values["year"] = first.year
    one.notes += list(dict.fromkeys(r.note for r in both if isinstance(r.note, str)))
    measure = comparison.measure
    check_rows(one, side1, unit, list_wanted(measure, 1), measure)
    check_rows(one, side2, unit, list_wanted(measure, 2), measure)
    check_scale(one, both, unit, measure)
    note_recovered(one, both)
    note_clusters(one, both)
    crossed = [row.design == CROSSOVER for row in both]
    if any(crossed):
        one.basis = "periods"
        _check_periods(one, both, all(crossed), measure)

    def measure_pair() -> None:
        if any(crossed):
            _turn_periods(one, both, comparison, outcome, period_r)
            return
        if MEASURES[measure].counts_events:
            _set_events(one, side1, side2)
        else:
            _set_means(one, side1, side2)
        if find_family(measure) == "controlled":
            _set_before(one, side1, side2, assumed_r)
        turn_scale(one, both, lower_is_better, measure)
        if any(r.sd_from == FROM_ASSUMED_R for r in both):
            one.values |= {"r": assumed_r, "r_from": ASSUMED}
        if shared_by > 1:
            _share_control(one, shared_by)
        _compute(one, comparison)

    compute(one, measure_pair, measure)
    return one


def _check_periods(one: Candidate, rows: list[Any], every: bool, measure: str) -> None:
    """Collect what keeps the arms of a crossover trial from being compared within people."""
    why = ""
    if not every:
        why = "why_not.designs_mixed"
    elif measure not in _PERIODS:
        why = "why_not.no_crossover_measure"
    elif len(rows) != 2 or len({row.n for row in rows}) > 1:
        why = "why_not.other_people"
    if why:
        one.complete = False
        one.reasons.append(Message(why, measure=measure))


def _turn_periods(
    one: Candidate,
    rows: list[Any],
    comparison: Comparison,
    outcome: Outcome,
    assumed: float | None,
) -> None:
    """Compare the two periods of the same people (Handbook 23.2.7)."""
    if not one.complete:
        return
    treated, control = rows
    printed = [r for r in (treated.period_r, control.period_r) if not np.isnan(r)]
    if not printed and assumed is None:
        one.reasons.append(Message("why_not.no_period_r"))
        return
    r = float(np.mean(printed)) if printed or assumed is None else assumed
    for number, row in ((1, treated), (2, control)):
        one.values |= {f"{name}{number}": float(getattr(row, name)) for name in _SUMMARY}
    one.values |= {"r": r, "r_from": PRINTED if printed else ASSUMED_PERIOD}
    one.notes.append(Message("effect_type.crossover", r=r))
    turn_scale(one, rows, outcome.lower_is_better, comparison.measure)
    v = one.values
    paired = _PERIODS[comparison.measure]
    yi, vi = (float(x) for x in escalc(paired, **arrange(paired, v)))
    # Each person is counted once.
    v |= {"yi": yi, "vi": vi, "n2": NAN}


def recover_changes(own: pd.DataFrame, assumed_r: float, *, derive: bool) -> pd.DataFrame:
    """Give changes the SD that before, after and r imply (Handbook 6.5.2.8).

    Where the comparison takes changes only (`derive`), an arm that prints before and after but no
    change gets it from the two.
    """
    import pandas as pd

    if not derive and not own["kind"].eq("change").any():
        return own
    key = ["trial", "arm", "timepoint", "unit", *_APART]
    finals = own[(own["kind"] == "final") & ~own.duplicated([*key, "kind"])].set_index(key)
    change = own["kind"].eq("change").to_numpy()
    out = own.copy()
    assumed = own["r"].isna()
    r = own["r"].mask(assumed, assumed_r)
    how = assumed.map({True: FROM_ASSUMED_R, False: FROM_PRINTED_R})
    sd_post = finals["sd"].reindex(own.set_index(key).index).to_numpy()
    found = np.asarray(sd_change(own["baseline_sd"], sd_post, r))
    fill = change & own["sd"].isna().to_numpy() & ~np.isnan(found)
    out["sd"] = out["sd"].mask(fill, found)
    out["sd_from"] = out["sd_from"].mask(fill, how)
    if not derive:
        return out
    printed = set(map(tuple, own.loc[change, key].to_numpy()))
    apart = [k not in printed for k in map(tuple, own[key].to_numpy())]
    both = own["baseline_mean"].notna() & own["mean"].notna()
    same = own["baseline_n"].isna() | own["baseline_n"].eq(own["n"])
    new = own[own["kind"].eq("final") & np.array(apart, dtype=bool) & both & same]
    if not len(new):
        return out
    new = new.assign(
        kind="change",
        mean=new["mean"] - new["baseline_mean"],
        mean_from="origin.difference",
        sd=np.asarray(sd_change(new["baseline_sd"], new["sd"], r[new.index])),
        sd_from=how[new.index],
        positive_means="worse",
    )
    return pd.concat([out, new], ignore_index=True)


def _share_control(one: Candidate, parts: int) -> None:
    """Give a comparison its share of a control arm that several treatments share."""
    v = one.values
    n, mean, sd = split_control(v["n2"], v.get("mean2", NAN), v.get("sd2", NAN), parts)
    v["n2"] = float(n)
    if "events2" in v:
        v |= {"events2": v["events2"] / parts, "time2": v["time2"] / parts}
    else:
        v |= {"mean2": float(mean), "sd2": float(sd)}
    one.recovered.append(Message("recovered.control_shared", n=parts))


def note_recovered(one: Candidate, rows: Iterable[Any]) -> None:
    """List the numbers of a row that no paper prints, and how each was found."""
    for row in rows:
        for id, origin in (("recovered.mean", row.mean_from), ("recovered.sd", row.sd_from)):
            if _is_found(origin):
                one.recovered.append(Message(id, arm=row.arm, way=Message(origin)))
        _note_unit(one, row)


def _note_unit(one: Candidate, row: Any) -> None:
    if row.unit_printed != row.unit:
        one.recovered.append(Message("recovered.converted", unit=name_unit(row.unit_printed)))


def _is_found(origin: Any) -> bool:
    """Whether a number was found from others and not printed."""
    return isinstance(origin, str) and origin not in ("", "printed")


def _take(side: list[Any], column: str) -> Array:
    """Take a column of some rows."""
    return np.array([getattr(row, column) for row in side], dtype=float)


def _set_events(one: Candidate, side1: list[Any], side2: list[Any]) -> None:
    for number, side in ((1, side1), (2, side2)):
        one.values[f"events{number}"] = float(_take(side, "events").sum())
        one.values[f"n{number}"] = float(_take(side, "n").sum())
        one.values[f"time{number}"] = float(_take(side, "person_years").sum())


def _set_means(one: Candidate, side1: list[Any], side2: list[Any]) -> None:
    for number, side in ((1, side1), (2, side2)):
        n, mean, sd = (_take(side, c) for c in ("n", "mean", "sd"))
        if len(side) > 1:
            one.recovered.append(Message("recovered.combined", arms=_join(r.arm for r in side)))
        found = combine_arms(n, mean, sd) if len(side) > 1 else (n[0], mean[0], sd[0])
        one.values |= {f"{c}{number}": float(x) for c, x in zip(_SUMMARY, found, strict=True)}


def _set_before(one: Candidate, side1: list[Any], side2: list[Any], assumed_r: float) -> None:
    """Fill in both sides' means and SDs before, and the correlation of before and after."""
    for number, side in ((1, side1), (2, side2)):
        n, mean, sd = (_take(side, c) for c in ("n", "baseline_mean", "baseline_sd"))
        _, m, s = combine_arms(n, mean, sd) if len(side) > 1 else (n[0], mean[0], sd[0])
        one.values |= {f"mean_pre{number}": float(m), f"sd_pre{number}": float(s)}
    printed, people = (_take([*side1, *side2], c) for c in ("r", "n"))
    found = not np.isnan(printed + people).any()
    one.values |= {
        "r": float(np.average(printed, weights=people)) if found else assumed_r,
        "r_from": PRINTED if found else ASSUMED,
    }


def take_contrasts(
    contrasts: pd.DataFrame, comparison: Comparison, unit: str
) -> Iterator[Candidate]:
    """Take printed differences between arms."""
    own = take_own(contrasts, comparison)
    if comparison.techniques:
        own = own[own["technique"].isin(comparison.techniques)]
    if comparison.comparators:
        own = own[own["comparator"].isin(comparison.comparators)]
    unlogged = find_unlogged(own)
    for row in own.itertuples():
        one = Candidate(
            trial=row.trial,
            arms=f"{row.treatment_arm} v {row.control_arm}",
            timepoint=row.timepoint,
            time_days=float(row.time_days),
            basis="contrast",
            kind="contrast",
            status=row.status,
            source=row.source,
            subgroup=_subgroup(comparison, row, row),
            analysis=row.analysis or None,
            instrument=row.instrument,
            effect_type=row.effect_type,
            rows=list_origins([row._asdict()]),
        )
        one.values["year"] = row.year
        note_clusters(one, [row])
        one.adjusted = row.effect_type.startswith("ANCOVA")
        adjusted = Message("effect_type.adjusted", text=row.effect_type)
        one.notes.append(adjusted if one.adjusted else row.effect_type)
        one.notes += [row.note] if isinstance(row.note, str) else []
        if row.positive_means == "unstated":
            one.reasons.append(Message("why_not.sign_unstated"))
        if row.unit != unit or row.unit == "unknown":
            one.reasons.append(_unit_reason(row.unit, unit))
        chosen = comparison.choose.get(row.trial)
        names = (row.treatment_arm, row.instrument, row.effect_type)
        if chosen is not None and chosen not in names:
            one.reasons.append(Message("why_not.not_chosen", name=chosen))
        printed = find_family(comparison.measure) == "printed"
        if (row.file, row.line) in unlogged:
            one.reasons.append(Message("why_not.ratio_as_log"))
        if MEASURES[comparison.measure].scale.code != "natural" and not printed:
            one.reasons.append(Message("why_not.no_such_measure", measure=comparison.measure))
        elif row.unit == unit:
            one.values |= {"yi": row.effect, "vi": row.se**2}
            if np.isnan(row.effect) and row.positive_means != "unstated":
                one.reasons.append(Message("why_not.no_printed_effect"))
            elif np.isnan(row.se):
                bound = isinstance(row.p, str)
                one.reasons.append(
                    Message("why_not.p_is_a_bound" if bound else "why_not.no_interval")
                )
            elif _is_found(row.se_from):
                one.recovered.append(Message("recovered.standard_error", way=Message(row.se_from)))
            _note_unit(one, row)
        if row.status == "recalled":
            one.reasons.append(Message("why_not.recalled"))
        judge(one)
        yield one


def _follow_arms(
    arms: pd.DataFrame, comparison: Comparison, unit: str, assumed_r: float
) -> Iterator[Candidate]:
    """Follow single arms from before to after, or take them as they are."""
    kinds = comparison.kinds or default_kinds(comparison.measure)
    own = take_own(arms, comparison)
    own = own[own["kind"].isin(kinds)]
    wanted = own["role"].eq("treatment") & (
        own["technique"].isin(comparison.techniques) if comparison.techniques else True
    )
    others = own["role"].eq("control") & (
        own["comparator"].isin(comparison.comparators) if comparison.comparators else True
    )
    followed = own[wanted | others]
    for at, cells in zip(followed.index, followed.itertuples(), strict=True):
        row = own.loc[at]
        one = Candidate(
            trial=row["trial"],
            arms=row["arm"],
            timepoint=row["timepoint"],
            time_days=float(row["time_days"]),
            basis="arms",
            kind=row["kind"],
            status=row["status"],
            source=row["source"],
            subgroup=_subgroup(comparison, row, row),
            analysis=row["analysis"] or None,
            instrument=row["instrument"],
            rows=list_origins([row]),
        )
        one.values["year"] = row["year"]
        one.notes += [row["note"]] if isinstance(row["note"], str) else []
        check_rows(one, [cells], unit, list_wanted(comparison.measure, 1), comparison.measure)
        note_recovered(one, [cells])
        note_clusters(one, [cells])
        compute(
            one, partial(_measure_arm, one, row, arms, assumed_r, comparison), comparison.measure
        )
        yield one


def _measure_arm(
    one: Candidate, row: pd.Series, arms: pd.DataFrame, assumed_r: float, comparison: Comparison
) -> None:
    """Take a single arm's numbers, before and after or as they are, and compute its effect."""
    if comparison.estimand == "within_arm":
        _set_paired(one, row, arms, assumed_r, comparison.measure)
    else:
        one.values |= {f"{c}1": float(row[c]) for c in ("n", "mean", "sd", "events")}
        one.values |= {c: float(row[c]) for c in ("r", "alpha", "items")}
    _compute(one, comparison)
    if find_family(comparison.measure) == "proportions" and one.complete:
        low, high = exact_limits(one.values["events1"], one.values["n1"])
        one.notes.append(Message("effect_type.exact", low=100 * low, high=100 * high))


def _set_paired(
    one: Candidate, row: pd.Series, arms: pd.DataFrame, assumed_r: float, measure: str
) -> None:
    """Fill in mean and SD after (1) and before (2), n and r, as metafor numbers them."""
    n, n_before = float(row["n"]), float(row["baseline_n"])
    if row["kind"] == "change":
        one.values |= {"n1": n, "change": float(row["mean"]), "sd_change": float(row["sd"])}
        one.values |= {"mean2": float(row["baseline_mean"]), "sd2": float(row["baseline_sd"])}
        one.values["mean1"] = one.values["mean2"] + one.values["change"]
        same = arms[
            (arms["trial"] == row["trial"])
            & (arms["arm"] == row["arm"])
            & (arms["outcome"] == row["outcome"])
            & (arms["kind"] == "final")
            & (arms["instrument"].fillna("") == row["instrument"])
            & (arms["time_days"] == row["time_days"])
            & (arms["n"] == n)
        ]
        one.values["sd1"] = float(same["sd"].iloc[0]) if len(same) else NAN
        r = float(find_r(one.values["sd2"], one.values["sd1"], one.values["sd_change"]))
    else:
        one.values |= {
            "n1": n,
            "mean1": float(row["mean"]),
            "sd1": float(row["sd"]),
            "mean2": float(row["baseline_mean"]),
            "sd2": float(row["baseline_sd"]),
            "change": float(row["mean"] - row["baseline_mean"]),
            "sd_change": NAN,
        }
        r = NAN
    printed = float(row["r"])
    if row["kind"] == "change" and measure == "MC":
        return  # the printed SD of the change says it all
    if not np.isnan(n_before) and n_before != n:
        one.reasons.append(Message("why_not.others_before", before=n_before, after=n))
    if not np.isnan(printed):
        r, how = printed, PRINTED
    elif not np.isnan(r):
        how = "origin.three_sds"
    else:
        r, how = assumed_r, ASSUMED
    one.values |= {"r": r, "r_from": how}


def is_free_of_units(measure: str) -> bool:
    """Whether trials may enter a measure each on its own scale, as a standardised difference."""
    family = find_family(measure)
    return family in ("two_groups", "controlled") and MEASURES[measure].scale.code != "natural"


def check_rows(
    one: Candidate, rows: Iterable[Any], unit: str, wanted: list[str], measure: str
) -> None:
    """Collect what keeps arm rows from being pooled."""
    free = is_free_of_units(measure)
    for row in rows:
        other = not free and (row.unit != unit or row.unit == "unknown")
        gaps = [id for c, id in _MISSING.items() if c in wanted and np.isnan(getattr(row, c))]
        one.complete = one.complete and not (other or gaps)
        reasons = [_unit_reason(row.unit, unit)] if other else []
        if row.kind == "change" and row.positive_means == "unstated":
            reasons.append(Message("why_not.sign_of_change_unstated"))
        reasons += map(Message, gaps)
        if row.status == "recalled":
            reasons.append(Message("why_not.recalled"))
        one.reasons += [r for r in reasons if r not in one.reasons]


def turn_scale(one: Candidate, rows: list[Any], lower_is_better: bool, measure: str) -> None:
    """Turn the means of a scale that runs against its outcome, as its rows declare."""
    against = "better" if lower_is_better else "worse"
    says = {r.positive_means for r in rows if r.kind == "final"} & {"better", "worse"}
    if MEASURES[measure].scale.code != "standardised" or against not in says:
        return
    if len(says) > 1:
        one.complete = False
        one.reasons.append(Message("why_not.arms_of_two_directions"))
        return
    for name in ("mean1", "mean2", "mean_pre1", "mean_pre2"):
        if name in one.values:
            one.values[name] = -one.values[name]
    one.notes.append(Message("effect_type.scale_turned"))


def check_scale(one: Candidate, rows: list[Any], unit: str, measure: str) -> None:
    """Hold a trial's own scale to one direction, where a measure takes scales as they are.

    A row's `positive_means` says whether high values are better or worse on its scale; where it
    says nothing, its scale goes the way of the outcome.
    """
    if not is_free_of_units(measure):
        return
    units = dict.fromkeys(row.unit for row in rows)
    if len(units) > 1:
        one.complete = False
        names = [name_unit(name) for name in units]
        one.reasons.append(Message("why_not.arms_on_two_scales", units=names))
    elif rows[0].unit != unit:
        one.notes.append(Message("effect_type.own_scale", unit=name_unit(rows[0].unit)))


def _compute(one: Candidate, comparison: Comparison) -> None:
    """Compute yi and vi where every number that the measure needs is there."""
    v, measure = one.values, comparison.measure
    if not one.complete:
        return
    if find_family(measure) == "paired":
        needed = MEASURES[measure].needed.split()
        if "mean2" in needed and np.isnan(v["change"]):
            one.reasons.append(Message("why_not.no_mean_before"))
            return
        if measure == "MC" and not np.isnan(v["sd_change"]):
            one.values |= {"yi": v["change"], "vi": v["sd_change"] ** 2 / v["n1"]}
            return
        if np.isnan(v["sd2"]) or ("sd2" in needed and np.isnan(v["sd1"])):
            one.reasons.append(Message("why_not.no_sd_on_one_side"))
            return
    yi, vi = _measure(one, comparison)
    if np.isnan([yi, vi]).any() and one.usable:
        one.reasons.append(Message("why_not.no_effect", measure=measure))
    one.values |= {"yi": yi, "vi": vi}


def _measure(one: Candidate, comparison: Comparison) -> tuple[float, float]:
    """Compute effect and variance by the comparison's rules for its measure."""
    v, measure = one.values, comparison.measure
    if find_family(measure) in COUNTED:
        if comparison.swap_events and find_family(measure) == "counts":
            v |= {f"events{side}": v[f"n{side}"] - v[f"events{side}"] for side in (1, 2)}
            one.notes.append(Message("effect_type.events_swapped"))
        found = measure_counts(measure, v, comparison.zero_events or "not_estimable")
        one.reasons += [] if found.reason is None else [found.reason]
        one.recovered += [] if found.added is None else [found.added]
        return found.yi, found.vi
    if comparison.method is not None and measure == "SMD":
        sides = {name: v[name] for name in ("mean1", "sd1", "n1", "mean2", "sd2", "n2")}
        rows = revman.mean_rows("SMD", **sides)
        return float(rows.yi), float(rows.vi)
    yi, vi = (float(x) for x in escalc(measure, **arrange(measure, v)))
    return yi, vi


def _subgroup(comparison: Comparison, treated: Any, control: Any) -> str | None:
    """Label a row by what the comparison's subgroups are made of; None where it has none."""
    by = comparison.grouping
    if by == "none":
        return None
    if by == "subgroup":
        return str(treated.subgroup) or None
    if by == "comparator":
        label = control.comparator
    elif by == "arm":
        label = (
            treated.technique if getattr(treated, "role", "") == "treatment" else treated.comparator
        )
    else:
        label = getattr(treated, by)
    return label.replace("_", " ") if isinstance(label, str) else NOT_STATED


def _as_row(one: Candidate, comparison: Comparison, unit: str, level: float) -> dict[str, Any]:
    from scipy.special import ndtri

    v = one.values
    yi, vi = v.get("yi", NAN), v.get("vi", NAN)
    half = float(ndtri((1 + level) / 2)) * float(np.sqrt(vi))
    measure = comparison.measure
    return {
        "comparison": comparison.id,
        "label": comparison.label,
        "analysis": one.analysis,
        "outcome": comparison.outcome,
        "estimand": comparison.estimand,
        "measure": measure,
        "unit": describe_unit(measure, unit),
        "subgroup": one.subgroup,
        "trial": one.trial,
        "year": v.get("year"),
        "arms": one.arms,
        "timepoint": f"{one.timepoint}, {one.kind}"
        if one.kind in ("change", "final")
        else one.timepoint,
        "instrument": one.instrument or None,
        "basis": one.basis,
        "lines": one.lines,
        **{k: v.get(k, NAN) for k in _NUMBERS},
        "r_from": v.get("r_from"),
        "yi": yi,
        "vi": vi,
        "ci_low": yi - half,
        "ci_high": yi + half,
        "weight": NAN,
        "pooled": one.usable,
        "why_not": join(list(dict.fromkeys(one.reasons))) or None,
        "status": one.status,
        "source": one.source,
        "recovered": join(list(dict.fromkeys(one.recovered))) or None,
        "note": join(list(dict.fromkeys(one.notes))) or None,
    }


def describe_unit(measure: str, unit: str) -> str:
    """Find the code of the unit of a measure's effects; `unit` is that of the outcome."""
    return MEASURES[measure].unit_yi or unit


def _unit_reason(unit: str, wanted: str) -> Message:
    if unit == "unknown":
        return Message("why_not.unit_unstated")
    return Message("why_not.other_unit", unit=name_unit(unit), wanted=name_unit(wanted))


def find_worst(statuses: Iterable[str]) -> str:
    """Find the status of what is made of several rows: that of the least certain."""
    return max(statuses, key=STATUSES.index)


def _join(texts: Any) -> str:
    return " + ".join(dict.fromkeys(str(t) for t in texts))
