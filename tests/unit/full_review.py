"""A made-up review that declares nearly everything a review may declare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.unit.network_builder import NETWORK, draw_arms, write_arms
from tests.unit.review_builder import REVIEW, write_review

TREATMENTS = ("usual care", "massage", "needling", "home care")
OWN = ("dose", "place", "design", "clusters", "icc", "period_r", "baseline_mean", "condition")
POOLED = """\
outcome,subgroup,unit,k,effect,ci_low,ci_high,measure,source,status,timepoint,positive_means
frequency,migraine,days_per_28,8,-0.9,-1.9,0.1,MD,Table 2,retrieved,end,treatment_minus_control
frequency,tension type,days_per_28,7,0.4,-0.6,1.4,MD,Table 2,retrieved,end,control_minus_treatment
response,migraine,participants,4,1.5,1.1,2.0,RR,Table 3,retrieved,end,treatment_minus_control
response,tension type,participants,3,1.2,0.7,2.1,RR,Table 3,retrieved,end,treatment_minus_control
"""
RISK = "trial,domain,judgement,support,signed_by\n" + "".join(
    f"Trial {i},overall,{judged},Table 1,A B\n"
    for i, judged in enumerate(("low", "high", "some_concerns", "low", "high", "low"), 1)
)


def draw_rows() -> list[dict[str, Any]]:
    """Draw the arms of eighteen trials: means of all, counts of responders of every second."""
    rng = np.random.default_rng(20261201)
    means = draw_arms(TREATMENTS, 18, several=0.2)
    trials = list(dict.fromkeys(str(arm["trial"]) for arm in means))
    of = {}
    for i, trial in enumerate(trials):
        of[trial] = {
            "dose": 2 + 3 * (i % 5),
            "place": ("home", "clinic")[i % 2],
            "condition": ("migraine", "tension type", "cervicogenic")[i % 3],
            "baseline_mean": round(12 + rng.normal(), 1),
            "year": 1995 + i,
        }
    # Two trials of clusters, one of which says its correlation, and two of periods.
    of[trials[5]] |= {"design": "cluster", "clusters": 6, "icc": 0.02}
    of[trials[7]] |= {"design": "cluster", "clusters": 5}
    of[trials[9]] |= {"design": "crossover", "period_r": 0.5}
    of[trials[11]] |= {"design": "crossover"}
    rows: list[dict[str, Any]] = []
    control = ""
    for arm in means:
        own = of[str(arm["trial"])]
        side = {"role": "treatment", "technique": "manual", "comparator": ""}
        if str(arm["trial"]) != control:
            control = str(arm["trial"])
            side = {"role": "control", "technique": "", "comparator": "usual_care"}
        sd = round(4 + rng.normal(0, 0.4), 1)
        rows.append(dict(arm) | own | side | {"sd": sd})
        if trials.index(str(arm["trial"])) % 2 == 0:
            share = 0.3 + 0.08 * TREATMENTS.index(str(arm["arm"]))
            events = int(rng.binomial(arm["n"], share))
            plain = {k: v for k, v in own.items() if k in ("dose", "place", "condition", "year")}
            counted = {"outcome": "response", "unit": "participants", "mean": "", "sd": ""}
            rows.append(dict(arm) | plain | side | counted | {"kind": "events", "events": events})
    return rows


def write_full_review(folder: Path) -> Path:
    """Write its folder."""
    main = REVIEW["comparisons"][0]
    half = {"tau": {"half_normal": 1.0}}
    moderators = [
        {"column": "dose", "reason": "more may do more"},
        {"column": "place", "type": "factor", "reason": "who treats"},
        {"column": "year", "reason": "care changes"},
    ]
    effect = {"estimate": "-0.9", "ci": ["-1.5", "-0.3"], "unit": "days_per_28"}
    return write_review(
        folder,
        {"arms.csv": write_arms(draw_rows(), OWN), "pooled.csv": POOLED, "risk.csv": RISK},
        {
            "arms": {"path": "arms.csv"},
            "pooled": {"path": "pooled.csv"},
            "risk_of_bias": {"path": "risk.csv"},
        },
        outcomes={
            "frequency": {"unit": "days_per_28"},
            "response": {"unit": "participants", "lower_is_better": False},
        },
        comparisons=[
            {**main, "moderators": moderators, "bayes": half},
            {**main, "id": "standardised", "measure": "SMD", "subgroup_by": "condition"},
            {**main, "id": "better", "outcome": "response", "measure": "RR", "bayes": half},
            {
                **main,
                **{"id": "unchanged", "outcome": "response", "measure": "OR"},
                **{"swap_events": True, "method": "MH", "model": "fixed"},
            },
            {**main, "id": "difference", "outcome": "response", "measure": "RD"},
        ],
        networks=[{**NETWORK, "reference": "usual care"}],
        published=[
            {"id": "days", "label": "days", **effect, "recompute": {"comparison": "main"}},
            {
                "id": "responders",
                "label": "responders",
                **{"estimate": "1.30", "ci": ["1.1", "1.6"]},
                "recompute": {"comparison": "better"},
            },
        ],
        findings=[
            {
                "comparison": name,
                "meaningful": {"value": value, "source": "made up"},
                "judgements": {"imprecision": {"levels": -1, "why": "few people"}},
                "certainty": "moderate",
                "signed_by": "A B",
            }
            for name, value in (("main", 1), ("better", 0.1), ("unchanged", 0.1))
        ],
        consistency=[{"id": "ways", "label": "all", "outcomes": ["frequency", "response"]}],
        flow={"databases": 100},
        assumed_icc=0.05,
    )
