"""The summary of findings: computed facts beside judgements that people type and sign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.config.review import Control
from headway.effects.measures import MEASURES, list_kin
from headway.reviews import certainty
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Finding, Outcome, Review

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
            rows.append({**head, "unit": outcome.unit, "k": 0, **_nothing()})
            continue
        row = found.iloc[0]
        own = effects[(effects["comparison"] == entry.comparison) & effects["pooled"]]
        if entry.subgroup != "overall":
            own = own[own["subgroup"] == entry.subgroup]
        rows.append(
            {
                **head,
                "unit": row["unit"],
                "k": int(row["k"]),
                "n_total": row["n_total"],
                **_compute(row, own, entry, comparison, outcome, review.level),
            }
        )
    return conform("findings", pd.DataFrame(rows)) if rows else empty("findings")


def _nothing() -> dict[str, Any]:
    return dict.fromkeys(("estimate", "ci_low", "ci_high", "n_total"), NAN)


def _read_judgements(entry: Finding) -> dict[str, Any]:
    typed = entry.judgements
    words = [
        f"{name.replace('_', ' ')} {typed[name].levels}: {typed[name].why}"
        for name in certainty.DOMAINS
        if name in typed
    ]
    doubts = certainty.check_grade(typed, entry.certainty, entry.signed_by)
    return {
        "judgements": "; ".join(words) or None,
        "certainty": entry.certainty,
        "signed_by": entry.signed_by,
        "doubts": "; ".join(doubts) or None,
    }


def _compute(
    row: Any,
    own: pd.DataFrame,
    entry: Finding,
    comparison: Comparison,
    outcome: Outcome,
    level: float,
) -> dict[str, Any]:
    measure, low_good = comparison.measure, outcome.lower_is_better
    numbers = [float(row[c]) for c in ("estimate", "ci_low", "ci_high")]
    scale = MEASURES[measure].scale
    shown = [float(scale.back(x)) for x in numbers]
    control = _find_control(own, entry, measure)
    out: dict[str, Any] = dict(zip(("estimate", "ci_low", "ci_high"), shown, strict=True))
    out["control"] = control["words"]
    meaningful = entry.meaningful
    limit = float(meaningful.value) if meaningful else NAN
    if meaningful:
        out |= {"meaningful": limit, "meaningful_source": meaningful.source}
    # Differences on the scale of the meaningful difference, or none.
    differences: list[float] | None = None
    if measure in RISKS and not np.isnan(control["risk"]):
        risks = certainty.find_risk(measure, shown, control["risk"])
        differences = [float(x) for x in risks - control["risk"]]
        out["absolute"] = (
            f"{_per_1000(differences[0])} ({_per_1000(differences[1])} to "
            f"{_per_1000(differences[2])}) per 1000, from {1000 * control['risk']:.0f}"
        )
    elif measure == "SMD" and not np.isnan(control["sd"]):
        differences = [x * control["sd"] for x in numbers]
        out["absolute"] = (
            f"{differences[0]:.2f} ({differences[1]:.2f} to {differences[2]:.2f}) "
            f"with an SD of {control['sd']:.3g} (Handbook 15.5.3.2)"
        )
    elif scale.code == "natural":
        differences = numbers
        out["absolute"] = f"{numbers[0]:.2f} ({numbers[1]:.2f} to {numbers[2]:.2f}) {row['unit']}"
    imprecision, inconsistency = [], []
    if differences is None or not meaningful:
        imprecision.append("no meaningful difference is declared on this scale")
    else:
        value, low, high = differences
        found = certainty.judge_interval(value, low, high, limit, lower_is_better=low_good)
        out["target"] = found["target"]
        imprecision.append(_say_interval(found, level))
        out |= _size(measure, control, limit, row, imprecision)
        if MEASURES[measure].kin == "means":
            out["share"] = _share(differences[0], control, limit, low_good)
        if measure not in RISKS:
            unit = control["sd"] if measure == "SMD" else 1.0
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
                f"not computed: {why}"
                if np.isnan(share)
                else f"{100 * share:.0f} % ({100 * low:.0f} to {100 * high:.0f} %; {why})"
            )
    inconsistency += _say_heterogeneity(row, measure, differences, numbers, limit)
    out["imprecision"] = "; ".join(imprecision)
    out["inconsistency"] = "; ".join(inconsistency)
    return out


def _find_control(own: pd.DataFrame, entry: Finding, measure: str) -> dict[str, Any]:
    """Find what people without the treatment have: as typed, else from the pooled control arms."""
    stated = entry.control or Control()
    source = stated.source
    numbers = {"mean": stated.mean, "sd": stated.sd, "risk": stated.risk}
    typed = {k: float(x) for k, x in numbers.items() if x is not None}
    out: dict[str, Any] = {k: typed.get(k, NAN) for k in numbers}
    n = own["n2"].to_numpy(dtype=float)
    computed = []
    for name, column in (("mean", "mean2"), ("sd", "sd2")):
        values = own[column].to_numpy(dtype=float)
        known = np.isfinite(values) & np.isfinite(n)
        if measure not in RISKS and np.isnan(out[name]) and known.any():
            # SDs are averaged as variances.
            power = 2 if name == "sd" else 1
            out[name] = float(np.average(values[known] ** power, weights=n[known]) ** (1 / power))
            computed.append(f"{name} {out[name]:.3g}")
    events = own["events2"].to_numpy(dtype=float)
    known = np.isfinite(events) & np.isfinite(n)
    if measure in RISKS and np.isnan(out["risk"]) and known.any():
        out["risk"] = float(events[known].sum() / n[known].sum())
        computed.append(f"risk {out['risk']:.3f}")
    words = [f"{k} {typed[k]:g}" for k in typed]
    text = f"{', '.join(words)} (typed{': ' + source if source else ''})" if words else ""
    if computed:
        text += f"{'; ' if text else ''}{', '.join(computed)} of the pooled trials' control arms"
    out["words"] = text or None
    return out


def _say_interval(found: Mapping[str, Any], level: float) -> str:
    crossed = [
        name
        for name, key in (
            ("no difference", "includes_none"),
            ("the meaningful benefit", "crosses_benefit"),
            ("the meaningful harm", "crosses_harm"),
        )
        if found[key]
    ]
    across = f"runs across {' and '.join(crossed)}" if crossed else "crosses no threshold"
    return f"the estimate is in the range of {found['target']}; the {100 * level:g} % CI {across}"


def _size(
    measure: str, control: Mapping[str, Any], limit: float, row: Any, imprecision: list[str]
) -> dict[str, Any]:
    """Compute the optimal information size and say whether it is reached."""
    if measure in RISKS:
        size = float(certainty.find_information_size_of_risk(control["risk"], limit))
    elif np.isnan(control["sd"]):
        return {}
    else:
        size = float(certainty.find_information_size(control["sd"], limit))
    if np.isnan(size):
        return {}
    have = float(row["n_total"])
    people = "an unknown number of" if np.isnan(have) else f"{have:.0f}"
    imprecision.append(
        f"optimal information size {np.ceil(size):.0f} people (alpha 0.05, power 0.8), "
        f"{people} people here"
    )
    return {"information_size": float(np.ceil(size))}


def _share(difference: float, control: Mapping[str, Any], limit: float, low_good: bool) -> str:
    """Say what share reaches a value better than the control's mean by the meaningful difference.

    With final values this is a share below a level, not a share of changes; the SD is the
    control's in both arms.
    """
    if np.isnan(control["sd"]):
        return "not computed: no SD of the control"
    treated = float(
        certainty.find_responders(difference, control["sd"], limit, lower_is_better=low_good)
    )
    untreated = float(
        certainty.find_responders(0.0, control["sd"], limit, lower_is_better=low_good)
    )
    return (
        f"{100 * treated:.0f} % v {100 * untreated:.0f} % at least {limit:g} better than the "
        "control's mean (normal values, SD of the control)"
    )


def _say_heterogeneity(
    row: Any,
    measure: str,
    differences: list[float] | None,
    numbers: list[float],
    limit: float,
) -> list[str]:
    out = [f"k = {int(row['k'])}"]
    if row["k"] < 2:
        return [*out, "one trial: nothing to compare"]
    out.append(f"I\u00b2 {row['i2']:.0f} %")
    low, high = float(row["pi_low"]), float(row["pi_high"])
    if np.isnan([low, high]).any():
        return out
    null = MEASURES[measure].scale.null_yi
    if np.isnan(null):
        return out
    text = "the prediction interval "
    text += "includes no difference" if low <= null <= high else "excludes no difference"
    if measure not in RISKS and differences is not None and not np.isnan(limit):
        scale = differences[0] / numbers[0] if numbers[0] else 1.0
        reach = [x * scale for x in (low, high)]
        inside = [t for t in (-limit, limit) if min(reach) < t < max(reach)]
        text += f" and runs across {len(inside)} of the 2 meaningful thresholds"
    return [*out, text]


def _per_1000(difference: float) -> str:
    count = 1000 * difference
    return f"{abs(count):.0f} {'fewer' if count < 0 else 'more'}"
