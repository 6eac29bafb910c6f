"""The summary of findings: computed facts beside judgements that people type and sign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.config.review import Control
from headway.effects.measures import MEASURES, list_kin
from headway.effects.units import name_unit
from headway.errors import UNCOMPUTABLE, log_frames
from headway.messages import Message, join, term
from headway.reviews import certainty
from headway.reviews.bayes import find_side
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Finding, Review

RISKS = list_kin("RR")
NAN = float("nan")


def summarise_findings(effects: pd.DataFrame, pooled: pd.DataFrame, review: Review) -> pd.DataFrame:
    """Compute a row of the summary of findings per entry of `findings` in review.yaml.

    Parameters
    ----------
    effects, pooled
        Tables of the contract; the declared model's rows are used.
    review
        review.yaml with its defaults.

    Returns
    -------
    DataFrame
        Table `findings`. Where the control's mean and SD or risk are not typed, they are those of
        the pooled trials' control arms, weighted by people.
    """
    import pandas as pd

    rows = []
    for entry in review.findings:
        comparison = review.comparison(entry.comparison)
        outcome = review.outcomes[comparison.outcome]
        head = {
            "comparison": entry.comparison,
            "subgroup": entry.subgroup,
            "outcome": outcome.label or comparison.outcome,
            "measure": comparison.measure,
            **_read_judgements(entry),
        }
        found = pooled[
            (pooled["comparison"] == entry.comparison)
            & (pooled["subgroup"] == entry.subgroup)
            & pooled["declared"]
        ]
        if not len(found):
            rows.append({**head, "unit": outcome.unit, "k": 0, "n_total": NAN, **_nothing()})
            continue
        row = found.iloc[0]
        own = effects[(effects["comparison"] == entry.comparison) & effects["pooled"]]
        if entry.subgroup != "overall":
            own = own[own["subgroup"] == entry.subgroup]
        try:
            computed = _compute(row, own, entry, comparison, review)
        except UNCOMPUTABLE as error:
            log_frames(error, f"findings, {entry.comparison}, {entry.subgroup}")
            computed = {**_nothing(), "imprecision": Message("fit.not_computable")}
        known = {"unit": row["unit"], "k": int(row["k"]), "n_total": row["n_total"]}
        rows.append({**head, **known, **computed})
    return conform("findings", pd.DataFrame(rows)) if rows else empty("findings")


def _nothing() -> dict[str, Any]:
    return dict.fromkeys(("estimate", "ci_low", "ci_high"), NAN)


def _read_judgements(entry: Finding) -> dict[str, Any]:
    typed = entry.judgements
    judged = [
        Message(
            "grade.judgement",
            domain=term("domain", name),
            levels=typed[name].levels,
            why=typed[name].why,
        )
        for name in certainty.DOMAINS
        if name in typed
    ]
    doubts = certainty.check_grade(typed, entry.certainty, entry.signed_by)
    return {
        "judgements": join(judged) or None,
        "certainty": entry.certainty,
        "signed_by": entry.signed_by,
        "doubts": join(doubts) or None,
    }


def _compute(
    row: Any,
    own: pd.DataFrame,
    entry: Finding,
    comparison: Comparison,
    review: Review,
) -> dict[str, Any]:
    measure, level = comparison.measure, review.level_of(comparison)
    low_good = find_side(comparison, review) == "below"
    numbers = [float(row[c]) for c in ("estimate", "ci_low", "ci_high")]
    scale = MEASURES[measure].scale
    shown = [float(scale.back(x)) for x in numbers]
    control = _find_control(own, entry, comparison)
    out: dict[str, Any] = dict(zip(("estimate", "ci_low", "ci_high"), shown, strict=True))
    out["control"] = control["message"]
    meaningful = entry.meaningful
    limit = float(meaningful.value) if meaningful else NAN
    if meaningful:
        out |= {"meaningful": limit, "meaningful_source": meaningful.source}
    # Differences on the scale of the meaningful difference, or none.
    differences: list[float] | None = None
    if measure in RISKS and not np.isnan(control["risk"]):
        risks = certainty.find_risk(measure, shown, control["risk"])
        differences = [float(x) for x in risks - control["risk"]]
        counts = dict(zip(("value", "low", "high"), map(_count_per_1000, differences), strict=True))
        out["absolute"] = Message("finding.per_1000", **counts, risk=1000 * control["risk"])
    elif measure == "SMD" and not np.isnan(control["sd"]):
        differences = [x * control["sd"] for x in numbers]
        places = dict(zip(("value", "low", "high"), differences, strict=True))
        out["absolute"] = Message("finding.from_smd", **places, sd=control["sd"])
    elif scale.code == "natural":
        differences = numbers
        places = dict(zip(("value", "low", "high"), numbers, strict=True))
        out["absolute"] = Message("finding.in_unit", **places, unit=name_unit(row["unit"]))
    unit = control["sd"] if measure == "SMD" else 1.0
    imprecision: list[Message] = []
    if differences is None or not meaningful:
        imprecision.append(Message("finding.no_meaningful"))
    else:
        value, low, high = differences
        found = certainty.judge_interval(value, low, high, limit, lower_is_better=low_good)
        out["target"] = found["target"]
        imprecision.append(_place_interval(found, level))
        out |= _size(measure, control, limit, low_good, row, imprecision)
        if MEASURES[measure].kin == "means":
            out["share"] = _share(differences[0], control, limit, low_good)
        if measure not in RISKS:
            share, low, high, why = certainty.find_settings(
                numbers[0] * unit,
                float(row["se"]) * unit,
                float(row["tau2"]) * unit**2,
                int(row["k"]),
                limit,
                lower_is_better=low_good,
                level=level,
            )
            out["settings"] = (
                Message("settings.not_computed", why=why)
                if np.isnan(share)
                else Message(
                    "settings.share", share=100 * share, low=100 * low, high=100 * high, why=why
                )
            )
    out["imprecision"] = join(imprecision)
    told = limit if differences is not None and measure not in RISKS else NAN
    out["inconsistency"] = join(_find_heterogeneity(row, measure, unit, told))
    return out


def _find_control(own: pd.DataFrame, entry: Finding, comparison: Comparison) -> dict[str, Any]:
    """Find what people without the treatment have: as typed, else from the pooled control arms."""
    measure, stated = comparison.measure, entry.control or Control()
    source = stated.source
    numbers = {"mean": stated.mean, "sd": stated.sd, "risk": stated.risk}
    typed = {k: float(x) for k, x in numbers.items() if x is not None}
    out: dict[str, Any] = {k: typed.get(k, NAN) for k in numbers}
    n = own["n2"].to_numpy(dtype=float)
    computed = []
    for name, column, found in (
        ("mean", "mean2", "control.mean_found"),
        ("sd", "sd2", "control.sd_found"),
    ):
        values = own[column].to_numpy(dtype=float)
        known = np.isfinite(values) & np.isfinite(n)
        if measure not in RISKS and np.isnan(out[name]) and known.any():
            # SDs are averaged as variances.
            power = 2 if name == "sd" else 1
            out[name] = float(np.average(values[known] ** power, weights=n[known]) ** (1 / power))
            computed.append(Message(found, value=out[name]))
    events = own["events2"].to_numpy(dtype=float)
    known = np.isfinite(events) & np.isfinite(n)
    if measure in RISKS and np.isnan(out["risk"]) and known.any():
        out["risk"] = float(events[known].sum() / n[known].sum())
        computed.append(Message("control.risk_found", value=out["risk"]))
    ids = {"mean": "control.mean", "sd": "control.sd", "risk": "control.risk"}
    told = [Message(ids[name], value=value) for name, value in typed.items()]
    parts = []
    if told and source:
        parts.append(Message("control.typed_from", numbers=told, source=source))
    elif told:
        parts.append(Message("control.typed", numbers=told))
    if computed:
        parts.append(Message("control.pooled", numbers=computed))
    if comparison.swap_events and not np.isnan(out["risk"]):
        parts.append(Message("translated.without_event"))
    out["message"] = join(parts) or None
    return out


def _place_interval(found: Mapping[str, Any], level: float) -> Message:
    crossed = [
        Message(id)
        for id, key in (
            ("finding.no_difference", "includes_none"),
            ("finding.benefit", "crosses_benefit"),
            ("finding.harm", "crosses_harm"),
        )
        if found[key]
    ]
    places: dict[str, Any] = {"target": term("target", found["target"]), "percent": 100 * level}
    if not crossed:
        return Message("finding.interval_within", **places)
    return Message("finding.interval_across", **places, crossed=crossed)


def _size(
    measure: str,
    control: Mapping[str, Any],
    limit: float,
    low_good: bool,
    row: Any,
    imprecision: list[Message],
) -> dict[str, Any]:
    """Compute the optimal information size and say whether it is reached."""
    if measure in RISKS:
        risk = control["risk"]
        found = certainty.find_information_size_of_risk(risk, limit, lower_is_better=low_good)
    elif np.isnan(control["sd"]):
        return {}
    else:
        found = certainty.find_information_size(control["sd"], limit)
    if np.isnan(found):
        return {}
    have = float(row["n_total"])
    size = float(np.ceil(found))
    imprecision.append(
        Message("finding.size_unknown", size=size)
        if np.isnan(have)
        else Message("finding.size", size=size, have=have)
    )
    return {"information_size": size}


def _share(difference: float, control: Mapping[str, Any], limit: float, low_good: bool) -> Message:
    """Find what share reaches a value better than the control's mean by the meaningful difference.

    With final values this is a share below a level, not a share of changes; the SD is the
    control's in both arms.
    """
    if np.isnan(control["sd"]):
        return Message("finding.no_share")
    treated = float(
        certainty.find_responders(difference, control["sd"], limit, lower_is_better=low_good)
    )
    untreated = float(
        certainty.find_responders(0.0, control["sd"], limit, lower_is_better=low_good)
    )
    return Message("finding.share", treated=100 * treated, untreated=100 * untreated, limit=limit)


def _find_heterogeneity(row: Any, measure: str, unit: float, limit: float) -> list[Message]:
    """Say k, I² and where the prediction interval lies; `limit` is in `unit`s of the effect."""
    out = [Message("finding.k", k=int(row["k"]))]
    if row["k"] < 2:
        return [*out, Message("finding.one_trial")]
    out.append(Message("finding.i2", i2=row["i2"]))
    low, high = float(row["pi_low"]), float(row["pi_high"])
    if np.isnan([low, high]).any():
        return out
    null = MEASURES[measure].scale.null_yi
    if np.isnan(null):
        return out
    includes = low <= null <= high
    if np.isnan(limit):
        id = "finding.prediction_includes" if includes else "finding.prediction_excludes"
        return [*out, Message(id, null=float(MEASURES[measure].scale.back(null)))]
    crossed = sum(low * unit < t < high * unit for t in (-limit, limit))
    id = "finding.prediction_includes_across" if includes else "finding.prediction_excludes_across"
    return [*out, Message(id, null=float(MEASURES[measure].scale.back(null)), crossed=crossed)]


def _count_per_1000(difference: float) -> Message:
    id = "finding.fewer" if difference < 0 else "finding.more"
    return Message(id, people=abs(1000 * difference))
