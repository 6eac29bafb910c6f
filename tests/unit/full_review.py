"""A made-up review that declares nearly everything a review may declare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.unit.network_builder import NETWORK, draw_arms, write_arms
from tests.unit.review_builder import REVIEW, write_review

TREATMENTS = ("usual care", "massage", "needling", "home care")
OWN = (
    *("dose", "place", "design", "clusters", "icc", "period_r", "baseline_mean", "baseline_sd"),
    *("condition", "instrument", "person_years", "r"),
)
MEANINGFUL = {"main": 1, "standardised": 1, "better": 0.1, "unchanged": 0.1}
POOLED = """\
outcome,subgroup,unit,k,effect,ci_low,ci_high,measure,source,status,timepoint,positive_means
frequency,migraine,days_per_28,8,-0.9,-1.9,0.1,MD,Table 2,retrieved,end,treatment_minus_control
frequency,tension type,days_per_28,7,0.4,-0.6,1.4,MD,Table 2,retrieved,end,control_minus_treatment
response,migraine,participants,4,1.5,1.1,2.0,RR,Table 3,retrieved,end,treatment_minus_control
response,tension type,participants,3,1.2,0.7,2.1,RR,Table 3,retrieved,end,treatment_minus_control
"""
# Printed differences: of a trial whose arms are known (too narrow), and of others; a p value that
# does not fit, too few people, a ratio, and a sign that nobody states.
CONTRASTS = """\
trial,year,treatment_arm,control_arm,technique,comparator,outcome,unit,timepoint,time_days,\
effect_type,effect,ci_low,ci_high,p,n_total,positive_means,status,source
Trial 1,2001,massage,usual care,manual,usual_care,frequency,days_per_28,end,84,difference,-1.0,\
-1.1,-0.9,0.4,20,treatment_minus_control,retrieved,abstract
Printed 1,2004,massage,care,manual,usual_care,frequency,days_per_month,end,84,difference,2.0,\
1.0,3.0,0.0001,100,control_minus_treatment,retrieved,abstract
Printed 2,2005,massage,care,manual,usual_care,frequency,days_per_28,end,84,difference,-0.8,\
-2.9,1.3,0.45,3,treatment_minus_control,retrieved,abstract
Printed 3,2006,massage,care,manual,usual_care,frequency,days_per_28,end,84,difference,-1.2,\
-2.0,0.1,,60,unstated,retrieved,abstract
Printed 4,2007,massage,care,manual,usual_care,response,participants,end,84,RR,1.40,1.10,1.79,\
0.006,150,treatment_minus_control,retrieved,abstract
"""
RISK = "trial,domain,judgement,support,signed_by\n" + "".join(
    f"Trial {i},overall,{judged},Table 1,A B\n"
    for i, judged in enumerate(("low", "high", "some_concerns", "low", "high", "low"), 1)
)


def draw_rows() -> list[dict[str, Any]]:
    """Draw the arms of eighteen trials: means of all, counts of responders of every second.

    Of some there are values before, changes, other times, a second scale, and attacks counted over
    person-years, without one in an arm.
    """
    rng = np.random.default_rng(20261201)
    means = draw_arms(TREATMENTS, 18, several=0.2)
    trials = list(dict.fromkeys(str(arm["trial"]) for arm in means))
    of = {}
    for i, trial in enumerate(trials):
        of[trial] = {
            "dose": 2 + 3 * (i % 5),
            "place": ("home", "clinic")[i % 2],
            "condition": ("migraine", "tension type", "cervicogenic")[i % 3],
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
        trial = str(arm["trial"])
        at, own = trials.index(trial), of[trial]
        side = {"role": "treatment", "technique": "manual", "comparator": ""}
        if trial != control:
            control = trial
            side = {"role": "control", "technique": "", "comparator": "usual_care"}
        sd = round(4 + rng.normal(0, 0.4), 1)
        plain = {k: v for k, v in own.items() if k in ("dose", "place", "condition", "year")}
        before = {"baseline_mean": round(12 + rng.normal(), 1), "baseline_sd": 4.2}
        row = dict(arm) | own | side | {"sd": sd if at != 3 else 0.4} | before
        rows.append(row)
        if at in (2, 6, 14):  # the change of the same people, and their values earlier and later
            change = {"kind": "change", "mean": round(arm["mean"] - 12, 2), "sd": 3.5}
            change |= {"positive_means": "worse", "r": 0.6}
            rows.append(row | change)
            rows.append(row | {"timepoint": "1 month", "time_days": 28, "mean": arm["mean"] + 0.7})
            rows.append(row | {"timepoint": "1 year", "time_days": 365, "mean": arm["mean"] - 0.3})
        if at in (0, 1, 4, 8, 13, 16):  # a second scale
            other = {"instrument": "recall", "mean": round(arm["mean"] - 0.5, 2), "sd": sd + 0.6}
            rows.append(row | other)
        counted = dict(arm) | plain | side | {"kind": "events", "mean": "", "sd": ""}
        step = TREATMENTS.index(str(arm["arm"]))
        if at % 2 == 0:
            events = int(rng.binomial(arm["n"], 0.3 + 0.08 * step)) if at != 4 or step else 0
            events *= at != 10  # nobody
            response = {"outcome": "response", "unit": "participants", "events": events}
            rows.append(counted | response)
        if at % 3 == 0:
            years = round(arm["n"] * 0.23, 1)
            attacks = int(rng.poisson(years * (4 - 0.6 * step))) if at != 6 or step else 0
            attacks *= at != 12
            rate = {"outcome": "attacks", "unit": "attacks_per_28", "events": attacks}
            rows.append(counted | rate | {"person_years": years})
    return rows


def list_comparisons() -> list[dict[str, Any]]:
    """List comparisons of every family, rule and model."""
    main = REVIEW["comparisons"][0]
    half = {"tau": {"half_normal": 1.0}}
    dose = {"column": "dose", "reason": "more may do more"}
    moderators = [
        dose,
        {"column": "place", "type": "factor", "reason": "who treats"},
        {"column": "baseline_mean", "reason": "there is more to lose"},
        {"column": "year", "reason": "care changes"},
    ]
    response = {**main, "outcome": "response"}
    revman = {"method": "MH", "model": "fixed"}
    return [
        {**main, "moderators": moderators, "together": True, "bayes": half},
        {**main, "id": "standardised", "measure": "SMD", "subgroup_by": "condition"},
        {
            **{**main, "id": "scales", "several_effects": "multilevel", "subgroup_by": "condition"},
            **{"moderators": [dose]},
        },
        {**main, "id": "both", "several_effects": "multivariate", "moderators": [dose]},
        {**main, "id": "merged", "several_effects": "combine", "several_arms": "split"},
        {**main, "id": "shared", "several_arms": "covariance", "moderators": [dose]},
        {**main, "id": "before", "measure": "dppc2", "ci_level": 90, "target_day": 28},
        {**main, "id": "spread", "measure": "VR"},
        {**main, "id": "within", "measure": "MC", "estimand": "within_arm", "subgroup_by": "arm"},
        {**main, "id": "level", "measure": "MN", "estimand": "single_arm", "subgroup_by": "arm"},
        {
            **{**response, "id": "better", "measure": "RR", "bayes": half},
            "moderators": [{"column": "control_risk", "reason": "there is more to gain"}],
        },
        {**response, "id": "unchanged", "measure": "OR", "swap_events": True, **revman},
        {**response, "id": "peto", "measure": "PETO", "method": "Peto", "model": "fixed"},
        {
            **{**response, "id": "web", "measure": "RR", "method": "IV", "tau2": "REML"},
            **{"ci": "hksj", "prediction": True, "subgroup_by": "condition"},
        },
        {**response, "id": "difference", "measure": "RD", "leave_out": {"Trial 1": "a doubt"}},
        {**main, "id": "rates", "outcome": "attacks", "measure": "IRR", "zero_events": "metafor"},
        {**main, "id": "slower", "outcome": "attacks", "measure": "IRD"},
    ]


def list_published() -> list[dict[str, Any]]:
    """List printed numbers of every kind."""
    pooled = {"estimate": "-0.9", "ci": ["-1.5", "-0.3"], "unit": "days_per_28"}
    trial = {"trial": "Trial 11", "outcome": "frequency", "timepoint": "end"}
    pair = {"treatment_arm": "massage", "control_arm": "usual care"}
    found = [
        {"id": "days", **pooled, "k": 12, "recompute": {"comparison": "main"}},
        {
            **{"id": "weeks", "estimate": "0.17", "unit": "days_per_week", "k": 19},
            **{"positive_means": "control_minus_treatment"},
            "recompute": {"comparison": "main"},
        },
        {
            **{"id": "ratio", "estimate": "1.30", "ci": ["1.1", "1.6"]},
            "recompute": {"comparison": "better"},
        },
        {"id": "none", "estimate": "not estimable", "recompute": {"comparison": "better"}},
        {
            **{"id": "slope", "estimate": "0.02", "ci": ["-0.10", "0.15"], "unit": "days_per_28"},
            "recompute": {"comparison": "main", "moderator": "dose"},
        },
        {"id": "trial", "estimate": "-0.4", "ci": ["-2.3", "1.5"], "recompute": trial | pair},
        {
            **{"id": "arm", "estimate": "10.2", "sd": "4.1", "n": "47"},
            "recompute": trial | {"arm": "usual care"},
        },
        {
            **{"id": "pair", "estimate": "-0.8", "ci": ["-1.4", "-0.1"], "unit": "days_per_28"},
            "recompute": {"network": "all", "treatment": "needling", "base": "usual care"},
        },
        {"id": "kept", "estimate": "3", "not_public": "the data", "recompute": trial | pair},
    ]
    return [{"label": str(entry["id"]), **entry} for entry in found]


def write_full_review(folder: Path, **changes: Any) -> Path:
    """Write its folder."""
    kinds = ("arms", "contrasts", "pooled", "risk_of_bias")
    contents = (write_arms(draw_rows(), OWN), CONTRASTS, POOLED, RISK)
    settings: dict[str, Any] = {
        "outcomes": {
            "frequency": {"unit": "days_per_28"},
            "response": {"unit": "participants", "lower_is_better": False},
            "attacks": {"unit": "attacks_per_28"},
        },
        "comparisons": list_comparisons(),
        "networks": [
            {**NETWORK, "reference": "usual care", "modifiers": ["condition", "place"]},
            {**NETWORK, "id": "response", "outcome": "response", "measure": "OR"},
            {**NETWORK, "id": "risks", "outcome": "response", "measure": "RD"},
            {**NETWORK, "id": "attacks", "outcome": "attacks", "measure": "IRD"},
        ],
        "published": list_published(),
        "findings": [
            {
                "comparison": name,
                "meaningful": {"value": value, "source": "made up"},
                "judgements": {"imprecision": {"levels": -1, "why": "few people"}},
                "certainty": "moderate",
                "signed_by": "A B",
            }
            for name, value in MEANINGFUL.items()
        ],
        "consistency": [{"id": "ways", "label": "all", "outcomes": ["frequency", "response"]}],
        "flow": {"databases": 100},
        "assumed_icc": 0.05,
        "assumed_r": {"value": 0.5},
        "assumed_period_r": 0.4,
    }
    return write_review(
        folder,
        {f"{kind}.csv": text for kind, text in zip(kinds, contents, strict=True)},
        {kind: {"path": f"{kind}.csv"} for kind in kinds},
        **settings | changes,
    )
