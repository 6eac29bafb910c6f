"""Pooled estimates in terms that people decide by, and a stated estimate without high risk of bias.

Numbers needed to treat, standardised differences turned back into the outcome's unit, and the
declared model without the trials at high risk of bias. Sources: Cochrane Handbook 6.5, sections
15.4.4 (absolute effects and numbers needed), 15.5.3.2 (standardised differences in the unit of a
scale) and 10.14 (sensitivity analyses); Altman 1998 (BMJ 317:1309) on intervals of numbers needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import MEASURES
from headway.errors import UNCOMPUTABLE, log_frames
from headway.messages import Message, join
from headway.reviews.bayes import find_side
from headway.reviews.certainty import find_risk
from headway.reviews.specifications import include_by_risk
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Review

Pool = Callable[["pd.DataFrame", "Review"], "tuple[pd.DataFrame, pd.DataFrame]"]

OVERALL = "overall"
# Measures of a difference in risk, and the one whose formula applies.
_RISKS = {"RR": "RR", "OR": "OR", "PETO": "OR", "RD": "RD"}
_STANDARDISED = ("SMD", "SMDH")
_PARTS = ("estimate", "ci_low", "ci_high")
BASELINE, DIFFERENCE, NUMBER = "baseline_risk", "risk_difference", "number_needed"
NONE = 1e-9  # a difference of risks below this is none
IN_UNIT, NOT_HIGH = "in_unit", "without_high_risk"


@dataclass(frozen=True, slots=True)
class NumberNeeded:
    """A number needed to treat, with the ends of its interval.

    Positive numbers are for one more person to benefit (NNTB), negative ones for one more to be
    harmed (NNTH); infinite where the risks do not differ. Where the interval of the difference
    holds 0, that of the number runs from `low` (harm) through infinity to `high` (benefit).
    """

    value: float
    low: float
    high: float
    through_infinity: bool


def find_number_needed(benefit: float, low: float, high: float) -> NumberNeeded:
    """Turn a difference of risks in the direction of benefit into a number needed (Altman 1998).

    Parameters
    ----------
    benefit, low, high : float
        Difference of risks and its limits, positive where the treatment is better, -1 to 1.

    Examples
    --------
    >>> find_number_needed(0.1, 0.05, 0.2)
    NumberNeeded(value=10.0, low=5.0, high=20.0, through_infinity=False)
    """
    ends = (_invert(low), _invert(high))
    through = low <= 0 <= high
    if through:
        return NumberNeeded(_invert(benefit), ends[0] if low < 0 else math.inf, ends[1], True)
    return NumberNeeded(_invert(benefit), min(ends), max(ends), False)


def _invert(difference: float) -> float:
    return math.inf if abs(difference) < NONE else 1 / difference


def pool_sd(sd: Any, n: Any) -> float:
    """Pool standard deviations of groups by their degrees of freedom; NaN where none is known."""
    sd, n = np.asarray(sd, dtype=float), np.asarray(n, dtype=float)
    known = np.isfinite(sd) & np.isfinite(n) & (n > 1)
    if not known.any():
        return math.nan
    return math.sqrt(float(np.sum((n[known] - 1) * sd[known] ** 2) / np.sum(n[known] - 1)))


def translate_review(
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    arms: pd.DataFrame,
    risk_of_bias: pd.DataFrame,
    review: Review,
    pool: Pool,
) -> pd.DataFrame:
    """Translate the declared estimates of differences between arms.

    Parameters
    ----------
    effects, pooled, arms, risk_of_bias
        Tables of the contract.
    review
        review.yaml with its defaults. The risk and SD that a row of `findings` states come before
        those of the trials.
    pool
        :func:`headway.reviews.analyse.pool_review`.

    Returns
    -------
    DataFrame
        Table `translated`.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for comparison in review.comparisons:
        own = effects[(effects["comparison"] == comparison.id) & effects["pooled"]]
        declared = pooled[(pooled["comparison"] == comparison.id) & pooled["declared"]]
        for row in declared.to_dict("records"):
            used = own if row["subgroup"] == OVERALL else own[own["subgroup"] == row["subgroup"]]
            if comparison.estimand != "between_arm" or math.isnan(row["estimate"]):
                continue
            head = {"comparison": comparison.id, "subgroup": row["subgroup"]}
            for found in _translate(row, used, arms, comparison, review):
                rows.append({"k": row["k"], "through_infinity": False, **head, **found})
        try:
            rows += _leave_out(own, declared, risk_of_bias, comparison, review, pool)
        except UNCOMPUTABLE as error:
            log_frames(error, f"translated, {comparison.id}")
    return conform("translated", pd.DataFrame(rows)) if rows else empty("translated")


def _translate(
    row: Mapping[str, Any],
    used: pd.DataFrame,
    arms: pd.DataFrame,
    comparison: Comparison,
    review: Review,
) -> Iterator[dict[str, Any]]:
    measure = comparison.measure
    if measure in _RISKS:
        yield from _find_risks(row, used, comparison, review)
    elif measure in _STANDARDISED:
        yield from _find_in_unit(row, used, arms, comparison, review)


def _find_stated(comparison: Comparison, subgroup: str, review: Review, name: str) -> Any:
    """Find what a row of the summary of findings states of people without the treatment."""
    for finding in review.findings:
        if (finding.comparison, finding.subgroup) == (comparison.id, subgroup) and finding.control:
            value = getattr(finding.control, name)
            if value is not None:
                return float(value), finding.control.source
    return None


def _find_risks(
    row: Mapping[str, Any], used: pd.DataFrame, comparison: Comparison, review: Review
) -> Iterator[dict[str, Any]]:
    """Find the baseline risk, the difference it makes, and the number needed to treat."""
    stated = _find_stated(comparison, row["subgroup"], review, "risk")
    if stated is not None:
        risk, basis = stated[0], Message("translated.risk_stated", source=stated[1] or "–")
    else:
        each = (used["events2"] / used["n2"]).to_numpy(dtype=float)
        each = each[np.isfinite(each)]
        if not each.size:
            return
        risk = float(np.median(each))
        low, high = 100 * float(each.min()), 100 * float(each.max())
        basis = Message("translated.risk_median", n=int(each.size), low=low, high=high)
    without = Message("translated.without_event") if comparison.swap_events else None
    told = join([basis, without])
    yield {"quantity": BASELINE, "estimate": risk, "unit": "share", "basis": told}
    scale = MEASURES[comparison.measure].scale
    shown = np.array([float(scale.back(float(row[part]))) for part in _PARTS])
    differences = find_risk(_RISKS[comparison.measure], shown, risk) - risk
    yield {
        "quantity": DIFFERENCE,
        **dict(zip(_PARTS, map(float, differences), strict=True)),
        "unit": "share",
        "basis": told,
    }
    low_good = find_side(comparison, review) == "below"
    value, *ends = (-differences if low_good else differences).tolist()
    if np.isnan([value, *ends]).any():
        return
    found = find_number_needed(value, min(ends), max(ends))
    yield {
        "quantity": NUMBER,
        "estimate": found.value if math.isfinite(found.value) else math.nan,
        "ci_low": found.low if math.isfinite(found.low) else math.nan,
        "ci_high": found.high if math.isfinite(found.high) else math.nan,
        "through_infinity": found.through_infinity,
        "unit": "people",
        "basis": told,
    }


def _find_in_unit(
    row: Mapping[str, Any],
    used: pd.DataFrame,
    arms: pd.DataFrame,
    comparison: Comparison,
    review: Review,
) -> Iterator[dict[str, Any]]:
    """Turn a standardised difference into the outcome's unit by a named standard deviation."""
    unit = review.outcomes[comparison.outcome].unit
    stated = _find_stated(comparison, row["subgroup"], review, "sd")
    if stated is not None:
        sd, basis = (
            stated[0],
            Message("translated.sd_stated", sd=stated[0], source=stated[1] or "–"),
        )
    else:
        # Trials on this scale alone: those of other scales have SDs of other units.
        there = arms[(arms["outcome"] == comparison.outcome) & arms["kind"].ne("baseline")]
        units = there.groupby("trial")["unit"].agg(set)
        own = used[used["trial"].map(units).map(lambda found: found == {unit})]
        sd = pool_sd([*own["sd1"], *own["sd2"]], [*own["n1"], *own["n2"]])
        if math.isnan(sd):
            yield {"quantity": IN_UNIT, "unit": unit, "basis": Message("translated.no_sd")}
            return
        basis = Message("translated.sd_pooled", sd=sd, n=int(own["trial"].nunique()))
    parts = {part: sd * float(row[part]) for part in _PARTS}
    yield {"quantity": IN_UNIT, **parts, "unit": unit, "basis": basis}


def _leave_out(
    own: pd.DataFrame,
    declared: pd.DataFrame,
    risk_of_bias: pd.DataFrame,
    comparison: Comparison,
    review: Review,
    pool: Pool,
) -> list[dict[str, Any]]:
    """Pool again, by the declared model, without the trials whose overall judgement is high."""
    studies = list(dict.fromkeys(own["trial"]))
    if not len(risk_of_bias) or not studies or not len(declared):
        return []
    keep = include_by_risk(risk_of_bias, comparison, studies).get("not_high_risk")
    if keep is None:
        return []
    gone = {trial for trial, kept in zip(studies, keep, strict=True) if not kept}
    narrow = replace(review, comparisons=(comparison,), sensitivity_models=(), published=())
    fitted = pool(own[~own["trial"].isin(gone)], narrow)[0]
    fitted = fitted[fitted["declared"]].set_index("subgroup")
    back = MEASURES[comparison.measure].scale.back
    rows = []
    for row in declared.to_dict("records"):
        subgroup = row["subgroup"]
        used = own if subgroup == OVERALL else own[own["subgroup"] == subgroup]
        out = [trial for trial in dict.fromkeys(used["trial"]) if trial in gone]
        if not out:
            continue
        found: dict[str, Any] = {"k": 0}
        if subgroup in fitted.index:
            rest = fitted.loc[subgroup]
            found = {part: float(back(float(rest[part]))) for part in _PARTS} | {"k": rest["k"]}
        found |= {"comparison": comparison.id, "subgroup": subgroup, "quantity": NOT_HIGH}
        found |= {"through_infinity": False, "unit": row["unit"]}
        rows.append({**found, "basis": Message("translated.left_out", n=len(out), trials=out)})
    return rows
