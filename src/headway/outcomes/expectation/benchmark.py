"""A clinic's change beside the changes within published trial arms.

Arms of trials went through selection, treatment and follow-up of their own, so the difference of
a clinic and an arm describes two groups of people and is no comparison of treatments. Changes
within arms are one estimand and differences between arms another; only the first stand here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri, stdtrit

from headway import meta
from headway.effects.measures import escalc
from headway.effects.recover import combine_arms, find_r, sd_change
from headway.effects.units import convert
from headway.messages import Message, join, phrase, read, term
from headway.outcomes.change.change import LEVEL
from headway.outcomes.change.cohort import find_unit
from headway.outcomes.change.missingness import SCALES
from headway.outcomes.change.windows import Comparison, find_middle
from headway.outcomes.expectation.untreated import name_arm
from headway.tables import conform, empty, read_csv

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

    from headway.config.clinic import Benchmark, Clinic

NAN = float("nan")
POOL_FROM = 5  # trials of a kind; fewer are drawn singly
# Kinds of arms, in their order, and the comparators and techniques that some of them hold.
KINDS = (
    "waiting_list",
    "usual_care",
    "sham",
    "active",
    "manual",
    "needling",
    "acupuncture",
    "self_care",
    "other",
)
_KIND_OF = {
    "no_treatment": "waiting_list",
    "dry_needling": "needling",
    "wet_needling": "needling",
}
# The most exact source of a change first.
_RANK_KIND = {"change": 0, "final": 1}
_RANK_STATUS = {"retrieved": 0, "computed": 0, "recalled": 1}
_ICHD = re.compile(r"^\d{1,2}(\.\d{1,2})*$")
_HEADACHE = ("headache", "migraine", "tension-type", "cephal")


@dataclass(frozen=True, slots=True)
class ClinicChange:
    """One outcome of a clinic before and after, as the benchmark needs it.

    `time_days` is the middle of the window after, in days from the start; NaN where that is not
    fixed. `timepoint` is a message that says the same. `of` counts everyone who started.
    """

    outcome: str
    pre: np.ndarray
    post: np.ndarray
    of: int
    time_days: float
    timepoint: str
    condition: str
    technique: str
    title: str = Message("arm.this_clinic")
    doi: str = ""


def gather_arms(paths: Iterable[Path]) -> pd.DataFrame:
    """Put the processed tables `arms` of all reviews together.

    Parameters
    ----------
    paths
        The files arms.csv of the processed reviews.

    Returns
    -------
    DataFrame
        Table `arms`. An arm that several reviews hold under one name stands once: rows that were
        read in the source go before recalled ones, then the order of the reviews decides.
    """
    import pandas as pd

    parts = [part for path in sorted(paths) if len(part := read_csv("arms", path))]
    if not parts:
        return empty("arms")
    rows = pd.concat(parts, ignore_index=True)
    key = ["trial", "arm", "outcome", "timepoint", "kind"]
    order = rows["status"].map(_RANK_STATUS).argsort(kind="stable")
    first = rows.iloc[order].drop_duplicates(key).index
    return rows.loc[sorted(first)].reset_index(drop=True)


def describe_clinic(
    change: pd.DataFrame,
    comparison: Comparison,
    clinic: Clinic,
    *,
    outcome: str,
    of: int,
    techniques: Iterable[str] = (),
) -> ClinicChange:
    """Take from a clinic's records what stands beside the published arms.

    Parameters
    ----------
    change
        Table `change`, row-level.
    comparison
        The pair of windows; its window after gives the time.
    clinic
        clinic.yaml with its defaults.
    outcome, of
        Outcome, and everyone who started.
    techniques
        Techniques in use, for the case mix; names only, since counts need disclosure control.
    """
    own = change[(change["comparison"] == comparison.id) & (change["outcome"] == outcome)]
    used = [term("technique", t) for t in sorted({t for t in techniques if isinstance(t, str)})]
    return ClinicChange(
        outcome=outcome,
        pre=own["pre"].to_numpy(dtype=float),
        post=own["post"].to_numpy(dtype=float),
        of=of,
        time_days=find_middle(clinic, comparison),
        timepoint=_name_time(comparison, clinic),
        condition=str(clinic.condition),
        technique=Message("arm.several_techniques", names=used)
        if used
        else Message("technique.not_recorded"),
        doi=str(clinic.doi),
    )


def _name_time(comparison: Comparison, clinic: Clinic) -> str:
    """Name the time of the window after."""
    if comparison.source == "visit":
        if comparison.post != "post":
            return Message("window.at_the_last_visit")
        day = float(clinic.windows.visit_recall.target_day)
        return Message("window.four_weeks_before_day", day=day)
    window = clinic.windows.named.get(comparison.post)
    if window is None or window.from_ is None or window.to is None:
        return phrase("window", comparison.post)
    if window.label:
        return phrase("window", window.label)
    if window.anchor != "start":
        return phrase("window", comparison.post)
    return Message("window.days", low=window.from_, high=window.to)


def classify_condition(text: str) -> str:
    """Name the family of a condition: `headache`, or the condition itself in lower case.

    Every code of ICHD-3 and every name that speaks of headache or migraine is a headache; kinds of
    headache are told apart by the reader, to whom both are shown.
    """
    plain = text.strip().lower()
    if _ICHD.match(plain) or any(word in plain for word in _HEADACHE):
        return "headache"
    return plain.replace("_", " ")


def welch_difference(
    estimate: float, se: float, df: float, other: float, other_se: float, other_df: float
) -> tuple[float, float, float]:
    """Compute the difference of two independent estimates with its 95 % interval.

    Both standard errors enter; degrees of freedom by Satterthwaite (Welch 1947, equation 28).

    Returns
    -------
    difference, low, high
        The limits are NaN where a standard error is.
    """
    difference = estimate - other
    total = se**2 + other_se**2
    if not (math.isfinite(total) and total > 0):
        return difference, NAN, NAN
    joint = total**2 / (se**4 / df + other_se**4 / other_df)
    half = float(stdtrit(joint, 0.5 + LEVEL / 2)) * math.sqrt(total)
    return difference, difference - half, difference + half


def estimate_r(arms: pd.DataFrame, outcome: str) -> tuple[float, str]:
    """Find the correlation of before and after in the arms that print all three SDs.

    Mean of Fisher's z weighted by n - 3 over arms x timepoints of the outcome, the nearest thing
    to data where an arm prints no SD of its change (Handbook 6.5.2.8).

    Returns
    -------
    r, message
        NaN and an empty text where no arm has all three.
    """
    own = arms[(arms["outcome"] == outcome) & (arms["status"] != "recalled")]
    found: list[tuple[float, float, Message]] = []
    for row in own[own["kind"] == "change"].itertuples():
        sd_post = _final_sd(own, row)
        r = float(find_r(row.baseline_sd, sd_post, row.sd))
        if math.isfinite(r) and abs(r) < 1 and row.n > 3:
            name = Message(
                "sd_from.arm",
                trial=row.trial,
                arm=phrase("arm", row.arm),
                time=phrase("timepoint", row.timepoint),
            )
            found.append((r, row.n - 3, name))
    if not found:
        return NAN, ""
    rs, weights, names = zip(*found, strict=True)
    r = float(np.tanh(np.average(np.arctanh(rs), weights=weights)))
    return r, Message("sd_from.r", r=round(r, 2), arms=list(names))


def _for_r(
    arms: pd.DataFrame, own: ClinicChange, target: str | None, rule: Benchmark
) -> pd.DataFrame:
    """Leave out the clinic's own trial and units of another kind."""
    keep = [
        target is not None and convert(row.unit, target) is not None and not _is_own(row, own, rule)
        for row in arms.itertuples()
    ]
    return arms[np.array(keep, dtype=bool)]


def _is_own(row: Any, own: ClinicChange, rule: Benchmark) -> bool:
    """Tell whether an arm belongs to a trial made of the clinic's own people."""
    named = {str(t).strip().lower() for t in rule.own_trial} | {own.doi.strip().lower()} - {""}
    doi = row.doi.strip().lower() if isinstance(row.doi, str) else ""
    return row.trial.strip().lower() in named or (doi != "" and doi in named)


def _final_sd(arms: pd.DataFrame, row: Any) -> float:
    """Find the SD after that belongs to a printed change of the same people."""
    same = arms[
        (arms["trial"] == row.trial)
        & (arms["arm"] == row.arm)
        & (arms["unit"] == row.unit)
        & (arms["kind"] == "final")
        & (arms["timepoint"] == row.timepoint)
        & (arms["n"] == row.n)
    ]
    return float(same["sd"].iloc[0]) if len(same) else NAN


def build_benchmark(own: ClinicChange, arms: pd.DataFrame, clinic: Clinic) -> pd.DataFrame:
    """Set a clinic's change beside published arms.

    Parameters
    ----------
    own
        The clinic's change (`describe_clinic`).
    arms
        Tables `arms` of all reviews together (`gather_arms`).
    clinic
        clinic.yaml with its defaults: `benchmark.own_trial`, `baseline_within`,
        `time_within_days`.

    Returns
    -------
    DataFrame
        Table `benchmark`: the clinic, the arms that are drawn by kind (like baselines first, then
        the nearest time), kinds pooled from five trials with like baselines on, and every other
        arm of the outcome with the reason why it is not used. One time per arm, the nearest to
        the clinic's. Single arms and the clinic have t intervals; pooled kinds random effects
        (REML, Hartung-Knapp with ad hoc floor) and a prediction interval.
    """
    import pandas as pd

    rule = clinic.benchmark
    ours = _clinic_row(own)
    rows: list[dict[str, Any]] = [ours]
    drawn: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    # Other outcomes have no scale in common.
    target = find_unit(own.outcome) if own.outcome in SCALES else None
    r, r_from = estimate_r(_for_r(arms, own, target, rule), own.outcome)
    for row in _one_per_arm(arms, own, target, rule):
        entry, why = _arm_row(row, arms, own, target, r, r_from, rule)
        if why:
            refused.append(entry | {"block": "not_used", "why_not": join(why)})
        else:
            drawn.append(_compare(ours, entry) | _judge_baseline(ours, entry, rule))
    near = {"yes": 0, "not_printed": 1, "no": 2}
    drawn.sort(
        key=lambda e: (
            KINDS.index(e["kind"]),
            near[e["like_baseline"]],
            abs(e["time_days"] - own.time_days),
            e["trial"],
            e["arm"],
        )
    )
    for kind in dict.fromkeys(e["kind"] for e in drawn):
        members = [e for e in drawn if e["kind"] == kind]
        rows += [_public(e) for e in members]
        pooled = _pool(kind, members, ours)
        rows += [pooled] if pooled else []
    rows += [_public(e) for e in refused]
    return conform("benchmark", pd.DataFrame(rows).assign(redacted=False))


def _clinic_row(own: ClinicChange) -> dict[str, Any]:
    change = own.post - own.pre
    n = len(change)
    sd = float(change.std(ddof=1)) if n > 1 else NAN
    mean = float(change.mean()) if n else NAN
    se, df = (sd / math.sqrt(n), float(n - 1)) if n > 1 else (NAN, NAN)
    low, high = _t_limits(mean, se, df)
    romc = (NAN, NAN, NAN)
    if n > 1 and own.pre.mean() > 0 and own.post.mean() > 0 and min(own.pre.std(), own.post.std()):
        r = float(np.corrcoef(own.pre, own.post)[0, 1])
        romc = _romc(
            n,
            float(own.post.mean()),
            float(own.post.std(ddof=1)),
            float(own.pre.mean()),
            float(own.pre.std(ddof=1)),
            r,
        )
    why = []
    if own.outcome not in SCALES:
        why.append(Message("unlike.own_outcome_has_no_scale"))
    if not math.isfinite(own.time_days):
        why.append(Message("unlike.own_time_not_fixed"))
    if n < 2:
        why.append(Message("unlike.fewer_than_two"))
    return {
        "block": "clinic",
        "kind": "clinic",
        "label": own.title,
        "trial": None,
        "arm": None,
        "outcome": own.outcome,
        "unit": find_unit(own.outcome),
        "condition": own.condition,
        "technique": own.technique,
        "n": float(n),
        "of": float(own.of),
        "k": NAN,
        "timepoint": own.timepoint,
        "time_days": own.time_days,
        "baseline": float(own.pre.mean()) if n else NAN,
        "change": mean,
        "se": se,
        "df": df,
        "ci_low": low,
        "ci_high": high,
        "interval": Message("interval.t") if n > 1 else None,
        "pi_low": NAN,
        "pi_high": NAN,
        "sd_from": Message("sd_from.own_changes"),
        "romc": romc[0],
        "romc_low": romc[1],
        "romc_high": romc[2],
        "difference": NAN,
        "difference_low": NAN,
        "difference_high": NAN,
        "like_baseline": None,
        "why_not": join(why) or None,
        "status": None,
        "source": None,
        "note": Message("beside.description"),
    }


def _one_per_arm(
    arms: pd.DataFrame, own: ClinicChange, target: str | None, rule: Benchmark
) -> list[Any]:
    """Take the row of each arm that says most about the clinic's time.

    Usable rows first, then the nearest time, then a printed change before values before and
    after. Among rows none of which is usable: what was read in the source, in a unit that fits.
    An arm with nothing but a baseline is represented by it, so that it is listed.
    """
    rows = arms[(arms["outcome"] == own.outcome) & (arms["kind"] != "events")]

    def rank(row: Any) -> tuple[Any, ...]:
        far = abs(row.time_days - own.time_days)
        fits = target is not None and convert(row.unit, target) is not None
        return (
            row.kind == "baseline",
            bool(_mismatches(row, own, target, rule)),
            _RANK_STATUS[row.status],
            not fits,
            far if math.isfinite(far) else math.inf,
            _RANK_KIND.get(row.kind, 2),
        )

    out = [
        min(part.itertuples(), key=rank)
        for _, part in rows.groupby(["trial", "arm"], sort=False, dropna=False)
    ]
    return out


def _people_differ(row: Any) -> bool:
    return math.isfinite(row.baseline_n) and math.isfinite(row.n) and row.baseline_n != row.n


def _kind_of(row: Any) -> str:
    name = row.comparator if row.role == "control" else row.technique
    name = _KIND_OF.get(name, name) if isinstance(name, str) else "other"
    return name if name in KINDS else "other"


def _arm_row(
    row: Any,
    arms: pd.DataFrame,
    own: ClinicChange,
    target: str | None,
    r: float,
    r_from: str,
    rule: Benchmark,
) -> tuple[dict[str, Any], list[Message]]:
    """Make an arm's row, and list why it is not used."""
    why = _mismatches(row, own, target, rule)
    factor = convert(row.unit, target) if target is not None else None
    scale = 1.0 if factor is None else factor
    before = row.baseline_mean * scale
    change = (row.mean if row.kind == "change" else row.mean - row.baseline_mean) * scale
    sd, sd_from = NAN, None
    sd_post = row.sd if row.kind == "final" else _final_sd(arms, row)
    if row.kind == "change" and math.isfinite(row.sd):
        sd, sd_from = row.sd * scale, row.sd_from
    elif math.isfinite(r) and factor is not None:
        sd = float(sd_change(row.baseline_sd, sd_post, r)) * scale
        sd_from = r_from if math.isfinite(sd) else None
    if not math.isfinite(change) and row.kind != "baseline":
        sign = row.kind == "change" and math.isfinite(row.printed_mean)
        why.append(Message("unlike.sign_not_stated" if sign else "unlike.no_mean_before"))
    known = math.isfinite(sd) and row.n > 1
    se, df = (sd / math.sqrt(row.n), row.n - 1) if known else (NAN, NAN)
    low, high = _t_limits(change, se, df)
    missing = [] if math.isfinite(row.n) else [Message("unlike.no_number")]
    if not math.isfinite(sd):
        missing.append(Message("unlike.no_sd"))
    kind = _kind_of(row)
    r_own = float(find_r(row.baseline_sd * scale, sd_post * scale, sd)) if known else NAN
    after = before + change
    romc = _romc(row.n, after, sd_post * scale, before, row.baseline_sd * scale, r_own)
    unit = target if factor is not None and target is not None else row.unit
    notes = [Message("arm.as_printed", text=row.note)] if isinstance(row.note, str) else []
    if row.unit_printed != unit:
        notes.append(Message("beside.converted", unit=term("unit", row.unit_printed)))
    entry = {
        "block": "arm",
        "kind": kind,
        "label": name_arm(row.trial, row.arm),
        "trial": row.trial,
        "arm": row.arm,
        "outcome": own.outcome,
        "unit": unit,
        "condition": row.condition if isinstance(row.condition, str) else None,
        "technique": (row.technique if isinstance(row.technique, str) else row.comparator),
        "n": row.n,
        "of": NAN,
        "k": NAN,
        "timepoint": row.timepoint,
        "time_days": row.time_days,
        "baseline": before if row.kind != "baseline" else row.mean * scale,
        "change": change if row.kind != "baseline" else NAN,
        "se": se,
        "df": df,
        "ci_low": low,
        "ci_high": high,
        "interval": Message("interval.t") if known else None,
        "pi_low": NAN,
        "pi_high": NAN,
        "sd_from": sd_from,
        "romc": romc[0],
        "romc_low": romc[1],
        "romc_high": romc[2],
        "difference": NAN,
        "difference_low": NAN,
        "difference_high": NAN,
        "like_baseline": None,
        "why_not": Message("unlike.no_interval", why=missing) if missing else None,
        "status": row.status,
        "source": row.source,
        "note": join(notes) or None,
        "_sd": sd,
    }
    return entry, why


def _mismatches(row: Any, own: ClinicChange, target: str | None, rule: Benchmark) -> list[Message]:
    """List what keeps an arm from standing beside the clinic."""
    why = []
    if _is_own(row, own, rule):
        why.append(Message("unlike.own_trial"))
    if row.status == "recalled":
        why.append(Message("unlike.recalled"))
    if target is None:
        why.append(Message("unlike.no_scale"))
    elif convert(row.unit, target) is None:
        unit = term("unit", target)
        why.append(
            Message("unlike.unit_not_stated", unit=unit)
            if row.unit == "unknown"
            else Message("unlike.unit", theirs=term("unit", row.unit), unit=unit)
        )
    theirs = classify_condition(row.condition) if isinstance(row.condition, str) else ""
    if theirs != classify_condition(own.condition):
        ours = phrase("condition", own.condition)
        why.append(
            Message("unlike.condition", theirs=phrase("condition", row.condition), ours=ours)
            if theirs
            else Message("unlike.condition_not_stated", ours=ours)
        )
    if row.kind == "baseline":
        why.append(Message("unlike.no_value_after"))
        return why
    if not math.isfinite(own.time_days):
        why.append(Message("unlike.clinic_time_not_fixed"))
    elif not math.isfinite(row.time_days):
        why.append(Message("unlike.time_not_in_days"))
    elif abs(row.time_days - own.time_days) > rule.time_within_days:
        time, days = phrase("timepoint", row.timepoint), rule.time_within_days
        why.append(Message("unlike.time", time=time, days=days))
    if row.kind == "final" and _people_differ(row):
        why.append(Message("unlike.people_differ", before=row.baseline_n, after=row.n))
    return why


def _romc(
    n: float, mean1: float, sd1: float, mean2: float, sd2: float, r: float
) -> tuple[float, float, float]:
    """Compute the log ratio of means with its Wald interval; NaN limits where an SD is missing."""
    if not (mean1 > 0 and mean2 > 0):
        return NAN, NAN, NAN
    if not all(math.isfinite(x) for x in (n, sd1, sd2, r)) or n < 2:
        return math.log(mean1 / mean2), NAN, NAN
    yi, vi = escalc("ROMC", n=n, mean1=mean1, sd1=sd1, mean2=mean2, sd2=sd2, r=r)
    half = float(ndtri(0.5 + LEVEL / 2)) * math.sqrt(float(vi))
    return float(yi), float(yi) - half, float(yi) + half


def _t_limits(mean: ArrayLike, se: ArrayLike, df: ArrayLike) -> tuple[float, float]:
    half = float(stdtrit(df, 0.5 + LEVEL / 2)) * float(np.asarray(se))
    return float(np.asarray(mean)) - half, float(np.asarray(mean)) + half


def _compare(ours: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    difference, low, high = welch_difference(
        ours["change"], ours["se"], ours["df"], entry["change"], entry["se"], entry["df"]
    )
    return dict(entry) | {
        "difference": difference,
        "difference_low": low,
        "difference_high": high,
    }


def _judge_baseline(
    ours: Mapping[str, Any], entry: Mapping[str, Any], rule: Benchmark
) -> dict[str, Any]:
    apart = abs(entry["baseline"] - ours["baseline"])
    if not math.isfinite(apart):
        return {"like_baseline": "not_printed"}
    # Declared in days; other outcomes take the same share of their scale.
    within = rule.baseline_within * SCALES[ours["outcome"]][1] / SCALES["frequency"][1]
    # Rounded, so that a difference of exactly the declared distance is within it.
    return {"like_baseline": "yes" if round(apart - within, 9) <= 0 else "no"}


def _public(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in entry.items() if not k.startswith("_")}


def _pool(
    kind: str, members: Sequence[Mapping[str, Any]], ours: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Pool the changes of one kind of arm, from five trials with like baselines on.

    Several arms of one trial and kind become one first (Handbook 6.5.2.10).
    """
    own = [e for e in members if e["like_baseline"] == "yes" and math.isfinite(e["se"])]
    trials: dict[str, list[Mapping[str, Any]]] = {}
    for e in own:
        trials.setdefault(e["trial"], []).append(e)
    if len(trials) < POOL_FROM:
        return None
    merged = [
        combine_arms([e["n"] for e in es], [e["change"] for e in es], [e["_sd"] for e in es])
        for es in trials.values()
    ]
    n, mean, sd = (np.array(x) for x in zip(*merged, strict=True))
    fit = meta.pool(mean, sd**2 / n, method="REML", test="adhoc")
    k = len(trials)
    pooled = {
        **dict.fromkeys(("trial", "arm", "sd_from", "status", "source", "why_not")),
        **dict.fromkeys(("of", "time_days", "romc", "romc_low", "romc_high"), NAN),
        "block": "pooled",
        "kind": kind,
        "label": Message("arm.all_of", kind=term("kind", kind)),
        "outcome": ours["outcome"],
        "unit": ours["unit"],
        "condition": Message(
            "arm.conditions",
            conditions=[phrase("condition", c) for c in sorted({str(e["condition"]) for e in own})],
        ),
        "technique": kind,
        "n": float(n.sum()),
        "k": float(k),
        "timepoint": None,
        "baseline": float(np.average([e["baseline"] for e in own], weights=[e["n"] for e in own])),
        "change": float(fit.estimate),
        "se": float(fit.se),
        "df": float(k - 1),
        "ci_low": float(fit.ci_low),
        "ci_high": float(fit.ci_high),
        "interval": Message("interval.hartung_knapp_adhoc"),
        "pi_low": float(fit.pi_low),
        "pi_high": float(fit.pi_high),
        "like_baseline": "yes",
        "note": Message("beside.pooled"),
    }
    return _compare(ours, pooled)


def explain_benchmark(benchmark: pd.DataFrame) -> list[Message]:
    """Say what the benchmark holds, and what it does not.

    Reads the table only (released or not), so that the page and the figure say the same.
    """
    drawn = benchmark[benchmark["block"] == "arm"]
    left = benchmark[benchmark["block"] == "not_used"]
    ours = benchmark[benchmark["block"] == "clinic"]
    out = []
    for reason in ours["why_not"].dropna():
        out += [Message("beside.cannot_stand", why=read(reason))]
    if not len(drawn) and not out:
        out.append(Message("beside.none_found"))
    if len(drawn):
        like = int((drawn["like_baseline"] == "yes").sum())
        out.append(Message("beside.stand", n=len(drawn), like=like))
    absent = [k for k in ("waiting_list", "usual_care", "sham") if k not in set(drawn["kind"])]
    if absent and len(drawn):
        out.append(Message("beside.none_with", kinds=[term("kind", k) for k in absent]))
    if len(left):
        out.append(Message("beside.listed", n=len(left)))
    return out
