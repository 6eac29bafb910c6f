"""What can be computed for judging a body of evidence, and which typed judgements contradict.

Nothing here grades. People type and sign their judgements; this finds the facts that they judge
(interval against the meaningful difference, optimal information size, heterogeneity, absolute
effects) and the sums that do not add up. Sources: Cochrane Handbook 6.5, chapters 8, 14 and 15;
Guyatt and others 2011 (GRADE guidelines 6, J Clin Epidemiol 64:1283); Zeng and others 2022 (GRADE
guidance 34); Page and others 2021 (PRISMA 2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.messages import Message, term
from headway.tables.risk_tools import OVERALL, RISK_TOOLS

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Flow, Judgement

Array = NDArray[np.float64]
GRADES = ("very_low", "low", "moderate", "high")
DOMAINS = ("risk_of_bias", "inconsistency", "indirectness", "imprecision", "publication_bias")


# ---- risk of bias --------------------------------------------------------------------------------


def check_overall(judgements: pd.DataFrame, tool: str) -> Iterator[dict[str, Any]]:
    """Find overall judgements that are better than one of their domains (Sterne 2019, RoB 2).

    Yields
    ------
    dict
        trial, outcome, printed, expected (levels of the tool), file, line; nothing is corrected.
    """
    kit = RISK_TOOLS[tool]
    for (trial, outcome), own in judgements.groupby(["trial", "outcome"], sort=False, dropna=False):
        overall = own[own["domain"] == OVERALL]
        domains = own[own["domain"] != OVERALL]
        if not len(overall) or not len(domains):
            continue
        row = overall.iloc[0]
        worst = max(domains["judgement"], key=lambda level: kit.levels[level].rank)
        if kit.levels[row["judgement"]].rank < kit.levels[worst].rank:
            yield {
                "trial": trial,
                "outcome": outcome,
                "printed": row["judgement"],
                "expected": worst,
                "file": row["file"],
                "line": row["line"],
            }


def check_flow(flow: Flow) -> list[Message]:
    """Find counts of a PRISMA 2020 flow that do not add up."""
    reasons, left = flow.excluded_reasons, None
    if reasons is not None and flow.assessed is not None:
        left = flow.assessed - sum(reasons.values())
    found = (flow.databases, flow.registers)
    before = (flow.duplicates, flow.automation, flow.removed_other)
    sums = (
        ("flow.screened_wrong", flow.screened, _add(found, before)),
        ("flow.sought_wrong", flow.sought, _add((flow.screened,), (flow.excluded,))),
        ("flow.assessed_wrong", flow.assessed, _add((flow.sought,), (flow.not_retrieved,))),
        ("flow.reports_wrong", flow.reports, left),
    )
    return [
        Message(id, stated=stated, expected=expected)
        for id, stated, expected in sums
        if stated is not None and expected is not None and stated != expected
    ]


def _add(plus: tuple[int | None, ...], minus: tuple[int | None, ...]) -> int | None:
    """Add up counts; None where one that must be there is not stated."""
    if plus[0] is None or all(count is None for count in minus):
        return None
    return sum(n or 0 for n in plus) - sum(n or 0 for n in minus)


# ---- imprecision ---------------------------------------------------------------------------------


def judge_interval(
    estimate: float,
    low: float,
    high: float,
    meaningful: float,
    *,
    lower_is_better: bool = True,
) -> dict[str, Any]:
    """Hold an interval against no effect and against the smallest difference that matters.

    All numbers are differences on one scale (risk differences for two by two data).

    Returns
    -------
    dict
        target : important_benefit, important_harm or little_difference, by where the estimate
        lies (GRADE guidance 34); includes_none, crosses_benefit, crosses_harm : whether
        the interval holds 0 and each of the two thresholds.
    """
    sign = -1.0 if lower_is_better else 1.0
    value, (a, b) = sign * estimate, sorted((sign * low, sign * high))
    if value >= meaningful:
        target = "important_benefit"
    elif value <= -meaningful:
        target = "important_harm"
    else:
        target = "little_difference"
    return {
        "target": target,
        "includes_none": a <= 0 <= b,
        "crosses_benefit": a < meaningful < b,
        "crosses_harm": a < -meaningful < b,
    }


def find_information_size(
    sd: ArrayLike, meaningful: ArrayLike, *, alpha: float = 0.05, power: float = 0.8
) -> Array:
    """Find how many people one trial would need in all to see a difference of means.

    n = 4 (z_{1-alpha/2} + z_{power})² sd² / difference², two arms of the same size (Guyatt 2011).
    """
    z = _quantiles(alpha, power)
    return np.asarray(
        4 * z**2 * np.asarray(sd, float) ** 2 / np.asarray(meaningful, float) ** 2, dtype=float
    )


def find_information_size_of_risk(
    risk: ArrayLike,
    meaningful: ArrayLike,
    *,
    lower_is_better: bool = True,
    alpha: float = 0.05,
    power: float = 0.8,
) -> Array:
    """Find how many people one trial would need in all to see a difference of risks.

    Two proportions with separate variances: `risk`, and one better by the difference; NaN where
    that is not within 0 and 1.
    """
    p1, d = np.asarray(risk, float), np.asarray(meaningful, float)
    p2 = p1 - d if lower_is_better else p1 + d
    p2 = np.where((p2 >= 0) & (p2 <= 1), p2, np.nan)
    z = _quantiles(alpha, power)
    return np.asarray(2 * z**2 * (p1 * (1 - p1) + p2 * (1 - p2)) / d**2, dtype=float)


def _quantiles(alpha: float, power: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(1 - alpha / 2) + ndtri(power))


# ---- absolute effects ----------------------------------------------------------------------------


def find_risk(measure: str, effect: ArrayLike, control_risk: ArrayLike) -> Array:
    """Find the risk with treatment from that without (Handbook 15.4.4).

    Parameters
    ----------
    measure : {"RR", "OR", "RD"}
    effect : array_like
        Ratio (not its log), or difference.
    control_risk : array_like
        0 to 1.

    Returns
    -------
    ndarray
        Clipped to 0..1: a ratio can promise more than everyone.
    """
    effect, risk = np.asarray(effect, dtype=float), np.asarray(control_risk, dtype=float)
    if measure == "RR":
        found = effect * risk
    elif measure == "OR":
        found = effect * risk / (1 - risk + effect * risk)
    elif measure == "RD":
        found = risk + effect
    else:
        raise ValueError(f"no absolute risk from {measure}")
    return np.asarray(np.clip(found, 0.0, 1.0))


def find_responders(
    mean: ArrayLike, sd: ArrayLike, threshold: ArrayLike, *, lower_is_better: bool = True
) -> Array:
    """Find the share of people whose change reaches a threshold, if changes are near normal.

    Anzures-Cabrera, Sarpatwari and Higgins 2011; Furukawa and Leucht 2011.

    Parameters
    ----------
    mean, sd : array_like
        Of the change, post - pre.
    threshold : array_like
        Change that matters, above 0.
    """
    from scipy.special import ndtr

    sign = -1.0 if lower_is_better else 1.0
    mean, sd, threshold = (np.asarray(x, dtype=float) for x in (mean, sd, threshold))
    return np.asarray(ndtr((sign * mean - threshold) / np.where(sd > 0, sd, np.nan)))


def find_settings(
    estimate: float,
    se: float,
    tau2: float,
    k: int,
    meaningful: float,
    *,
    lower_is_better: bool = True,
    level: float = 0.95,
) -> tuple[float, float, float, Message]:
    """Find the share of settings whose true effect is beyond the meaningful difference.

    Phi((effect - threshold) / tau) on the side of benefit, with limits on the probit scale by the
    delta method (Mathur and VanderWeele 2019; Siemens 2025). tau is taken as known, so the limits
    are too narrow with few trials.

    Returns
    -------
    tuple
        Share, its limits, and the message of why there is none (NaN) or what to keep in mind.
    """
    from scipy.special import ndtr, ndtri

    nan = float("nan")
    if k < 5:
        return nan, nan, nan, Message("settings.few_trials")
    if not tau2 > 0:
        return nan, nan, nan, Message("settings.no_variance")
    sign = -1.0 if lower_is_better else 1.0
    tau = float(np.sqrt(tau2))
    z = (sign * estimate - meaningful) / tau
    half = float(ndtri((1 + level) / 2)) * se / tau
    share, low, high = (float(ndtr(x)) for x in (z, z - half, z + half))
    return share, low, high, Message("settings.assumed")


# ---- the typed grade -----------------------------------------------------------------------------


def check_grade(
    judgements: Mapping[str, Judgement], certainty: str | None, signed_by: str | None
) -> list[Message]:
    """Find what contradicts in a typed grade: unsigned, unjudged, or levels that do not add up.

    Randomised trials start high; the levels taken off are summed, and never below very low.
    """
    out: list[Message] = []
    if certainty is None and not judgements:
        return out
    if not signed_by:
        out.append(Message("grade.not_signed"))
    open_domains = [term("domain", d) for d in DOMAINS if d not in judgements]
    if open_domains:
        out.append(Message("grade.not_judged", domains=open_domains))
    if certainty is None:
        out.append(Message("grade.no_certainty"))
    elif not open_domains:
        levels = sum(judgements[d].levels for d in DOMAINS)
        expected = GRADES[max(0, len(GRADES) - 1 + levels)]
        if expected != certainty:
            of = {"expected": term("certainty", expected), "typed": term("certainty", certainty)}
            out.append(Message("grade.levels_disagree", **of))
    return out
