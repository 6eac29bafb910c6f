"""What the tables show for each domain of certainty; people judge it, and sign.

Cochrane Handbook 6.5, chapter 14; Schünemann and others 2013 (GRADE handbook). Facts only: no
domain is rated here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.effects.measures import MEASURES
from headway.messages import Message, join
from headway.reviews.certainty import DOMAINS
from headway.reviews.specifications import find_judged
from headway.tables import conform, empty
from headway.tables.risk_tools import HIGH

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Review

OVERALL = "overall"


def support_review(
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    small_studies: pd.DataFrame,
    risk_of_bias: pd.DataFrame,
    review: Review,
) -> pd.DataFrame:
    """List, per declared estimate of a difference between arms and domain, what the tables show.

    Returns
    -------
    DataFrame
        Table `support`.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for comparison in review.comparisons:
        own = effects[(effects["comparison"] == comparison.id) & effects["pooled"]]
        declared = pooled[(pooled["comparison"] == comparison.id) & pooled["declared"]]
        if comparison.estimand != "between_arm":
            continue
        judged = find_judged(risk_of_bias, comparison)
        checks = small_studies[small_studies["comparison"] == comparison.id]
        for row in declared.to_dict("records"):
            if math.isnan(row["estimate"]):
                continue
            used = own if row["subgroup"] == OVERALL else own[own["subgroup"] == row["subgroup"]]
            facts = {
                "risk_of_bias": _judge_risk(used, judged),
                "inconsistency": _list_heterogeneity(row),
                "indirectness": Message("support.indirectness"),
                "imprecision": _list_precision(row),
                "publication_bias": _list_small(row, checks[checks["subgroup"] == row["subgroup"]]),
            }
            head = {"comparison": comparison.id, "subgroup": row["subgroup"]}
            rows += [{**head, "domain": domain, "fact": facts[domain]} for domain in DOMAINS]
    return conform("support", pd.DataFrame(rows)) if rows else empty("support")


def _judge_risk(used: pd.DataFrame, judged: Mapping[str, str]) -> Message:
    """Say which share of the weight comes from trials at high and at low risk of bias."""
    found = used["trial"].map(judged)
    if not found.notna().any():
        return Message("support.not_judged")
    weight = used["weight"]
    if not weight.gt(0).any():
        return Message("support.risk_trials", high=int(found.isin(HIGH).sum()), of=len(used))
    share = {
        name: 100 * float(weight[mask].sum() / weight.sum())
        for name, mask in (
            ("some", found.notna() & ~found.isin((*HIGH, "low"))),
            ("high", found.isin(HIGH)),
            ("low", found.eq("low")),
            ("open", found.isna()),
        )
    }
    return Message("support.risk", **share)


def _list_heterogeneity(row: Mapping[str, Any]) -> str:
    if row["k"] < 2:
        return Message("support.one_trial")
    p = _write_p(row["q_p_value"])
    found = [Message("support.heterogeneity", i2=row["i2"], tau2=row["tau2"], p=p)]
    low, high, null = row["pi_low"], row["pi_high"], MEASURES[row["measure"]].scale.null_yi
    if not (math.isnan(low) or math.isnan(null)):
        includes = low <= null <= high
        id = "support.prediction_includes" if includes else "support.prediction_excludes"
        found.append(Message(id, null=float(MEASURES[row["measure"]].scale.back(null))))
    return join(found)


def _list_precision(row: Mapping[str, Any]) -> str:
    scale = MEASURES[row["measure"]].scale
    low, high = (float(scale.back(row[name])) for name in ("ci_low", "ci_high"))
    found = [Message("support.interval", percent=100 * row["level"], low=low, high=high)]
    if math.isnan(row["n_total"]):
        found.append(Message("support.people_unknown", n=int(row["k"])))
    else:
        found.append(Message("support.people", n=int(row["k"]), people=row["n_total"]))
    return join(found)


def _list_small(row: Mapping[str, Any], checks: pd.DataFrame) -> Message:
    egger = checks[checks["check"] == "egger"]
    if not len(egger) or math.isnan(egger["p_value"].iloc[0]):
        return Message("support.few", n=int(row["k"]))
    return Message("support.egger", n=int(row["k"]), p=_write_p(egger["p_value"].iloc[0]))


def _write_p(value: float) -> Message:
    return Message("support.p_small") if value < 0.001 else Message("support.p", value=value)
