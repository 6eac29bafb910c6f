"""Find names in review.yaml that point at nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from headway.effects.units import UNITS
from headway.errors import Problem
from headway.messages import Message, term


def check_names(review: Mapping[str, Any]) -> list[Problem]:
    """Find names in review.yaml that point at nothing."""
    problems = []

    def point(kind: str, name: str, known: Iterable[str], place: str) -> None:
        if name not in known:
            text = Message(
                "problem.undeclared", kind=term("declared", kind), place=place, name=name
            )
            remedy = Message("remedy.known", names=list(known))
            problems.append(Problem("review.yaml", f"unknown_{kind}", text, remedy=remedy))

    for id, outcome in review["outcomes"].items():
        point("unit", outcome["unit"], UNITS, f"outcomes.{id}.unit")
    comparisons = [c["id"] for c in review["comparisons"]]
    for id in sorted({c for c in comparisons if comparisons.count(c) > 1}):
        text = Message("problem.comparison_twice", name=id)
        problems.append(Problem("review.yaml", "duplicate", text))
    for comparison in review["comparisons"]:
        point(
            "outcome",
            comparison["outcome"],
            review["outcomes"],
            f"comparisons.{comparison['id']}.outcome",
        )
    for finding in review["findings"]:
        name = finding["comparison"]
        point("comparison", name, comparisons, "findings")
    individual = review["files"].get("ipd", {})
    covariates = [*individual.get("covariates", []), *individual.get("factors", [])]
    for name in individual.get("adjust", []):
        point("covariate", name, covariates, "files.ipd.adjust")
    for one in individual.get("outcomes", []):
        point("outcome", one["outcome"], review["outcomes"], "files.ipd.outcomes")
        point("unit", one["unit"], UNITS, "files.ipd.outcomes.unit")
    for entry in review["published"]:
        place = f"published.{entry['id']}"
        target = entry["recompute"]
        if "comparison" in target:
            point("comparison", target["comparison"], comparisons, f"{place}.recompute")
        else:
            problems += _check_target(target, place)
            if "outcome" in target:
                point("outcome", target["outcome"], review["outcomes"], f"{place}.recompute")
        for name in target.get("adjust", []):
            point("covariate", name, ["baseline", *covariates], f"{place}.recompute.adjust")
        if ("estimate" in entry) == ("from_pooled" in entry):
            problems.append(
                Problem("review.yaml", "published", Message("problem.published", place=place))
            )
    for check in review["consistency"]:
        for outcome in check["outcomes"]:
            point("outcome", outcome, review["outcomes"], f"consistency.{check['id']}.outcomes")
    return problems


def _check_target(target: Mapping[str, Any], place: str) -> list[Problem]:
    """Find what is not said about a number that is recomputed within one trial."""
    need = ["trial", "outcome", "timepoint"]
    if "arm" not in target and "adjust" not in target:
        need += ["treatment_arm", "control_arm"]
    absent = [key for key in need if key not in target]
    if not absent:
        return []
    return [
        Problem(
            "review.yaml",
            "recompute",
            Message("problem.recompute", place=place, names=absent),
            remedy="remedy.recompute",
        )
    ]
