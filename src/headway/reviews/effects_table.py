"""Arms and contrasts of a review -> the table `effects`: what enters each comparison, and why.

Every row that could speak to a comparison is listed once. At most one per trial is pooled; each
of the others says why it is not. A difference between arms and a change within one arm are
different estimands and never meet in one comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import escalc
from headway.effects.recover import combine_arms, find_r, sd_change, split_control
from headway.effects.units import name_unit
from headway.messages import Message, join, term
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

NAN = float("nan")
# Messages that the code compares with: how an SD and a correlation were found.
FROM_ASSUMED_R = "origin.assumed_r"
ASSUMED = "origin.assumed"
TWO_BY_TWO = ("RR", "OR", "RD")
STANDARDISED = ("SMD", "SMCC", "SMCR")
# Status of a row made of several: the least certain of them.
_RANK = {"retrieved": 0, "computed": 1, "recalled": 2}


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


def default_kinds(measure: str) -> list[str]:
    """List the kinds of arm rows that a measure takes, the preferred one first.

    Change and final scores may be mixed in MD and not in SMD (Handbook 10.5.2, 10.5.3).
    """
    if measure in TWO_BY_TWO:
        return ["events"]
    return ["final"] if measure == "SMD" else ["change", "final"]


def build_effects(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    review: Mapping[str, Any],
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

    r = review["assumed_r"]["value"] if assumed_r is None else assumed_r
    rows: list[dict[str, Any]] = []
    for comparison in review["comparisons"]:
        unit = review["outcomes"][comparison["outcome"]]["unit"]
        if comparison["estimand"] == "between_arm":
            found = [
                *_pair_arms(arms, comparison, unit, r),
                *_take_contrasts(contrasts, comparison, unit),
            ]
        else:
            found = list(_follow_arms(arms, comparison, unit, r))
        _choose(found, comparison)
        rows += [_as_row(c, comparison, unit, review["level"]) for c in found]
    return conform("effects", pd.DataFrame(rows), check=check) if rows else empty("effects")


def _own(frame: pd.DataFrame, comparison: Mapping[str, Any]) -> pd.DataFrame:
    return frame[frame["outcome"] == comparison["outcome"]]


def _pair_arms(
    arms: pd.DataFrame, comparison: Mapping[str, Any], unit: str, assumed_r: float
) -> Iterator[Candidate]:
    """Pair treatment and control arms of a trial.

    Several treatment arms become one (Handbook 6.5.2.10), or, where the comparison says so, each
    meets its share of the control arm (23.3.4).
    """
    kinds = comparison.get("kinds") or default_kinds(comparison["measure"])
    own = _own(arms, comparison)
    own = _recover_changes(own, assumed_r, derive=list(kinds) == ["change"])
    own = own[own["kind"].isin(kinds)]
    treated = own[own["role"] == "treatment"]
    controls = own[own["role"] == "control"]
    if comparison["techniques"]:
        treated = treated[treated["technique"].isin(comparison["techniques"])]
    if comparison["comparators"]:
        controls = controls[controls["comparator"].isin(comparison["comparators"])]
    key = ["trial", "timepoint", "kind"]
    for (trial, timepoint, kind), side2 in controls.groupby(key, sort=False):
        side1 = treated[
            (treated["trial"] == trial)
            & (treated["timepoint"] == timepoint)
            & (treated["kind"] == kind)
        ]
        chosen = comparison["choose"].get(trial)
        if chosen is not None:
            side1 = side1[side1["arm"] == chosen]
        if not len(side1):
            continue
        split = comparison["several_arms"] == "split" and len(side1) > 1
        parts = [side1.loc[[i]] for i in side1.index] if split else [side1]
        for part in parts:
            yield _pair(part, side2, comparison, unit, assumed_r, len(parts))


def _pair(
    side1: pd.DataFrame,
    side2: pd.DataFrame,
    comparison: Mapping[str, Any],
    unit: str,
    assumed_r: float,
    shared_by: int,
) -> Candidate:
    """Compare treatment rows with control rows of one trial and timepoint."""
    first_side, second_side = list(side1.itertuples()), list(side2.itertuples())
    both = [*first_side, *second_side]
    first = side1.iloc[0]
    one = Candidate(
        trial=first["trial"],
        arms=f"{_join(side1['arm'])} v {_join(side2['arm'])}",
        timepoint=first["timepoint"],
        time_days=_first(side1["time_days"]),
        basis="arms",
        kind=first["kind"],
        status=_worst(row.status for row in both),
        source=_join([r.source for r in both]),
        subgroup=_subgroup(comparison, first, side2.iloc[0]),
    )
    one.values["year"] = _first(side1["year"])
    one.notes += list(dict.fromkeys(r.note for r in both if isinstance(r.note, str)))
    _check_rows(one, first_side, unit)
    _check_rows(one, second_side, unit)
    if comparison["measure"] in TWO_BY_TWO:
        _set_events(one, side1, side2)
    else:
        _set_means(one, side1, side2)
    if any(r.sd_from == FROM_ASSUMED_R for r in both):
        one.values |= {"r": assumed_r, "r_from": ASSUMED}
    if shared_by > 1:
        _share_control(one, shared_by)
    _note_recovered(one, both)
    _compute(one, comparison["measure"])
    return one


def _recover_changes(own: pd.DataFrame, assumed_r: float, *, derive: bool) -> pd.DataFrame:
    """Give changes the SD that before, after and r imply (Handbook 6.5.2.8).

    Where the comparison takes changes only (`derive`), an arm that prints before and after but no
    change gets it from the two.
    """
    import pandas as pd

    key = ["trial", "arm", "timepoint", "unit"]
    finals = own[(own["kind"] == "final") & ~own.duplicated([*key, "kind"])].set_index(key)
    change = own["kind"].eq("change").to_numpy()
    out = own.copy()
    sd_post = finals["sd"].reindex(own.set_index(key).index).to_numpy()
    found = np.asarray(sd_change(own["baseline_sd"], sd_post, assumed_r))
    fill = change & own["sd"].isna().to_numpy() & ~np.isnan(found)
    out["sd"] = out["sd"].mask(fill, found)
    out["sd_from"] = out["sd_from"].mask(fill, FROM_ASSUMED_R)
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
        sd=np.asarray(sd_change(new["baseline_sd"], new["sd"], assumed_r)),
        sd_from=FROM_ASSUMED_R,
        positive_means="worse",
    )
    return pd.concat([out, new], ignore_index=True)


def _share_control(one: Candidate, parts: int) -> None:
    """Give a comparison its share of a control arm that several treatments share."""
    v = one.values
    n, mean, sd = split_control(v["n2"], v.get("mean2", NAN), v.get("sd2", NAN), parts)
    v["n2"] = float(n)
    if "events2" in v:
        v["events2"] /= parts
    else:
        v |= {"mean2": float(mean), "sd2": float(sd)}
    one.recovered.append(Message("recovered.control_shared", n=parts))


def _note_recovered(one: Candidate, rows: Iterable[Any]) -> None:
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


def _set_events(one: Candidate, side1: pd.DataFrame, side2: pd.DataFrame) -> None:
    for number, side in ((1, side1), (2, side2)):
        one.values[f"events{number}"] = float(side["events"].sum(skipna=False))
        one.values[f"n{number}"] = float(side["n"].sum(skipna=False))


def _set_means(one: Candidate, side1: pd.DataFrame, side2: pd.DataFrame) -> None:
    for number, side in ((1, side1), (2, side2)):
        if len(side) == 1:
            n, mean, sd = (float(side[c].iloc[0]) for c in ("n", "mean", "sd"))
        else:
            n, mean, sd = combine_arms(side["n"], side["mean"], side["sd"])
            one.recovered.append(Message("recovered.combined", arms=_join(side["arm"])))
        one.values |= {f"n{number}": n, f"mean{number}": mean, f"sd{number}": sd}


def _take_contrasts(
    contrasts: pd.DataFrame, comparison: Mapping[str, Any], unit: str
) -> Iterator[Candidate]:
    """Take printed differences between arms."""
    own = _own(contrasts, comparison)
    if comparison["techniques"]:
        own = own[own["technique"].isin(comparison["techniques"])]
    if comparison["comparators"]:
        own = own[own["comparator"].isin(comparison["comparators"])]
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
        )
        one.values["year"] = row.year
        one.adjusted = row.effect_type.startswith("ANCOVA")
        adjusted = Message("effect_type.adjusted", text=row.effect_type)
        one.notes.append(adjusted if one.adjusted else row.effect_type)
        one.notes += [row.note] if isinstance(row.note, str) else []
        if row.positive_means == "unstated":
            one.reasons.append(Message("why_not.sign_unstated"))
        if row.unit != unit or row.unit == "unknown":
            one.reasons.append(_unit_reason(row.unit, unit))
        chosen = comparison["choose"].get(row.trial)
        if chosen is not None and row.treatment_arm != chosen:
            one.reasons.append(Message("why_not.control_shared", arm=chosen))
        if comparison["measure"] != "MD":
            one.reasons.append(Message("why_not.no_such_measure", measure=comparison["measure"]))
        elif row.unit == unit:
            one.values |= {"yi": row.effect, "vi": row.se**2}
            if np.isnan(row.se):
                bound = isinstance(row.p, str)
                one.reasons.append(
                    Message("why_not.p_is_a_bound" if bound else "why_not.no_interval")
                )
            elif _is_found(row.se_from):
                one.recovered.append(Message("recovered.standard_error", way=Message(row.se_from)))
            _note_unit(one, row)
        if row.status == "recalled":
            one.reasons.append(Message("why_not.recalled"))
        yield one


def _follow_arms(
    arms: pd.DataFrame, comparison: Mapping[str, Any], unit: str, assumed_r: float
) -> Iterator[Candidate]:
    """Follow single arms from before to after."""
    kinds = comparison.get("kinds") or default_kinds(comparison["measure"])
    own = _own(arms, comparison)
    own = own[own["kind"].isin(kinds)]
    wanted = own["role"].eq("treatment") & (
        own["technique"].isin(comparison["techniques"]) if comparison["techniques"] else True
    )
    others = own["role"].eq("control") & (
        own["comparator"].isin(comparison["comparators"]) if comparison["comparators"] else True
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
        )
        one.values["year"] = row["year"]
        one.notes += [row["note"]] if isinstance(row["note"], str) else []
        _check_rows(one, [cells], unit)
        _note_recovered(one, [cells])
        _set_paired(one, row, arms, assumed_r, comparison["measure"])
        _compute(one, comparison["measure"])
        yield one


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
    if row["kind"] == "change" and measure == "MC":
        return  # the printed SD of the change says it all
    if not np.isnan(n_before) and n_before != n:
        one.reasons.append(Message("why_not.others_before", before=n_before, after=n))
    found = not np.isnan(r)
    one.values |= {
        "r": r if found else assumed_r,
        "r_from": "origin.three_sds" if found else ASSUMED,
    }


def _check_rows(one: Candidate, rows: Iterable[Any], unit: str) -> None:
    """Collect what keeps arm rows from being pooled."""
    for row in rows:
        means = row.kind != "events"
        unstated = row.kind == "change" and row.positive_means == "unstated"
        # Where a gap is told, no effect can be computed either.
        for fails, reason, gap in (
            (row.unit != unit or row.unit == "unknown", _unit_reason(row.unit, unit), True),
            (unstated, Message("why_not.sign_of_change_unstated"), False),
            (np.isnan(row.n), Message("why_not.no_number"), True),
            (means and np.isnan(row.sd), Message("why_not.no_sd"), True),
            (means and np.isnan(row.mean), Message("why_not.no_mean"), True),
            (row.status == "recalled", Message("why_not.recalled"), False),
        ):
            if fails:
                one.complete = one.complete and not gap
                one.reasons += [] if reason in one.reasons else [reason]


def _compute(one: Candidate, measure: str) -> None:
    """Compute yi and vi where every number that the measure needs is there."""
    v = one.values
    if not one.complete:
        return
    if measure in TWO_BY_TWO:
        cells = {
            "a": v["events1"],
            "b": v["n1"] - v["events1"],
            "c": v["events2"],
            "d": v["n2"] - v["events2"],
        }
        result = escalc(measure, **cells)
    elif measure in ("MD", "SMD"):
        result = escalc(measure, **{k: v[k] for k in ("n1", "mean1", "sd1", "n2", "mean2", "sd2")})
    else:
        result = _paired(one, measure)
        if result is None:
            return
    one.values["yi"], one.values["vi"] = (float(x) for x in result)


def _paired(one: Candidate, measure: str) -> Any:
    """Compute a change within one arm; None, with the reason, where something is missing."""
    v = one.values
    if np.isnan(v["change"]):
        one.reasons.append(Message("why_not.no_mean_before"))
        return None
    if measure == "MC" and not np.isnan(v["sd_change"]):
        return v["change"], v["sd_change"] ** 2 / v["n1"]
    needs_post = measure in ("MC", "SMCC")
    if np.isnan(v["sd2"]) or (needs_post and np.isnan(v["sd1"])):
        one.reasons.append(Message("why_not.no_sd_on_one_side"))
        return None
    arguments = {"n": v["n1"], "mean1": v["mean1"], "mean2": v["mean2"], "r": v["r"]}
    if measure == "SMCR":
        return escalc("SMCR", **arguments, sd1=v["sd2"])
    return escalc(measure, **arguments, sd1=v["sd1"], sd2=v["sd2"])


def _choose(found: list[Candidate], comparison: Mapping[str, Any]) -> None:
    """Leave at most one pooled row per trial (per arm, where arms are followed)."""
    kinds = [*(comparison.get("kinds") or default_kinds(comparison["measure"])), "contrast"]
    by: dict[str, list[Candidate]] = {}
    for one in found:
        why = comparison["leave_out"].get(one.trial)
        if why:
            one.reasons.append(why)
        if one.usable:
            apart = comparison["estimand"] != "between_arm" or (
                comparison["several_arms"] == "split" and one.basis == "arms"
            )
            key = f"{one.trial} {one.arms}" if apart else one.trial
            by.setdefault(key, []).append(one)
    for several in by.values():
        wanted = comparison["timepoints"].get(several[0].trial)
        target = comparison["target_day"]

        def rank(one: Candidate, wanted: str | None = wanted, target: float = target) -> Any:
            far = abs(one.time_days - target)
            return (
                one.timepoint != wanted,
                np.inf if np.isnan(far) else far,
                not one.adjusted,  # preferred where there is one (Handbook 10.5.2)
                kinds.index(one.kind),
            )

        first, *rest = sorted(several, key=rank)
        for one in rest:
            if one.timepoint != first.timepoint:
                one.reasons.append(Message("why_not.other_timepoint", timepoint=first.timepoint))
            else:
                of = {"basis": term("rows", first.basis), "kind": term("rows", first.kind)}
                one.reasons.append(Message("why_not.other_row", arms=first.arms, **of))


def _subgroup(comparison: Mapping[str, Any], treated: Any, control: Any) -> str | None:
    """Label a row by what the comparison's subgroups are made of."""
    by = comparison["subgroup_by"]
    if by == "none":
        return None
    if by == "comparator":
        label = control.comparator
    elif by == "arm":
        label = (
            treated.technique if getattr(treated, "role", "") == "treatment" else treated.comparator
        )
    else:
        label = getattr(treated, by)
    return label.replace("_", " ") if isinstance(label, str) else "not stated"


def _as_row(
    one: Candidate, comparison: Mapping[str, Any], unit: str, level: float
) -> dict[str, Any]:
    from scipy.special import ndtri

    v = one.values
    yi, vi = v.get("yi", NAN), v.get("vi", NAN)
    half = float(ndtri((1 + level) / 2)) * float(np.sqrt(vi))
    numbers = ("n1", "mean1", "sd1", "n2", "mean2", "sd2", "events1", "events2", "r")
    measure = comparison["measure"]
    return {
        "comparison": comparison["id"],
        "label": comparison["label"],
        "outcome": comparison["outcome"],
        "estimand": comparison["estimand"],
        "measure": measure,
        "unit": find_unit(measure, unit),
        "subgroup": one.subgroup,
        "trial": one.trial,
        "year": v.get("year"),
        "arms": one.arms,
        "timepoint": f"{one.timepoint}, {one.kind}"
        if one.kind in ("change", "final")
        else one.timepoint,
        "basis": one.basis,
        **{k: v.get(k, NAN) for k in numbers},
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


def find_unit(measure: str, unit: str) -> str:
    """Find the code of a measure's unit."""
    if measure in STANDARDISED:
        return "standard_deviations"
    if measure in TWO_BY_TWO:
        return {"RR": "log_risk_ratio", "OR": "log_odds_ratio", "RD": "risk_difference"}[measure]
    return unit


def _unit_reason(unit: str, wanted: str) -> Message:
    if unit == "unknown":
        return Message("why_not.unit_unstated")
    return Message("why_not.other_unit", unit=name_unit(unit), wanted=name_unit(wanted))


def _worst(statuses: Any) -> str:
    return max(statuses, key=lambda s: _RANK[s])


def _join(texts: Any) -> str:
    return " + ".join(dict.fromkeys(str(t) for t in texts))


def _first(values: pd.Series) -> Any:
    return values.iloc[0]
