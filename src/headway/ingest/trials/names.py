"""Find names in review.yaml that point at nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable

from headway.config.review import Comparison, PublishedResult, Recompute, Review
from headway.effects.measures import FAMILIES, MEASURES, find_family
from headway.effects.units import UNITS, convert, name_unit
from headway.errors import Problem
from headway.ingest.trials.figures import check_figures
from headway.ingest.trials.files import File
from headway.messages import Message, term


def check_names(review: Review) -> list[Problem]:
    """Find names in review.yaml that point at nothing."""
    problems = []

    def point(kind: str, name: str, known: Iterable[str], place: str) -> None:
        if name not in known:
            text = Message(
                "problem.undeclared", kind=term("declared", kind), place=place, name=name
            )
            remedy = Message("remedy.known", names=list(known))
            problems.append(Problem("review.yaml", f"unknown_{kind}", text, remedy=remedy))

    for id, outcome in review.outcomes.items():
        point("unit", outcome.unit, UNITS, f"outcomes.{id}.unit")
    comparisons = [c.id for c in review.comparisons]
    for id in sorted({c for c in comparisons if comparisons.count(c) > 1}):
        text = Message("problem.comparison_twice", name=id)
        problems.append(Problem("review.yaml", "duplicate", text, remedy="remedy.comparison_twice"))
    for comparison in review.comparisons:
        point(
            "outcome",
            comparison.outcome,
            review.outcomes,
            f"comparisons.{comparison.id}.outcome",
        )
        problems += _check_measure(comparison)
        problems += _check_method(comparison, review)
        problems += _check_threshold(comparison)
    networks = [n.id for n in review.networks]
    for id in sorted({n for n in networks if networks.count(n) > 1}):
        text = Message("problem.network_twice", name=id)
        problems.append(Problem("review.yaml", "duplicate", text, remedy="remedy.network_twice"))
    for network in review.networks:
        place = f"networks.{network.id}"
        point("outcome", network.outcome, review.outcomes, f"{place}.outcome")
        problems += _check_kinds(network.kinds, network.measure, place)
    for finding in review.findings:
        name = finding.comparison
        point("comparison", name, comparisons, "findings")
    individual = review.files.ipd
    covariates = [*individual.covariates, *individual.factors] if individual else []
    for name in individual.adjust if individual else ():
        point("covariate", name, covariates, "files.ipd.adjust")
    for one in individual.outcomes if individual else ():
        point("outcome", one.outcome, review.outcomes, "files.ipd.outcomes")
        point("unit", one.unit, UNITS, "files.ipd.outcomes.unit")
    for entry in review.published:
        place = f"published.{entry.id}"
        target = entry.recompute
        if target.network is not None:
            point("network", target.network, networks, f"{place}.recompute")
            problems += _check_pair(target, place)
        elif target.comparison is not None:
            point("comparison", target.comparison, comparisons, f"{place}.recompute")
            if target.moderator is not None and target.comparison in comparisons:
                known = [m.column for m in review.comparison(target.comparison).moderators]
                point("moderator", target.moderator, known, f"{place}.recompute")
        else:
            problems += _check_target(target, place)
            if target.outcome is not None:
                point("outcome", target.outcome, review.outcomes, f"{place}.recompute")
        if entry.unit is not None:
            point("unit", entry.unit, UNITS, f"{place}.unit")
        problems += _check_unit(entry, review, place)
        for name in target.adjust or ():
            point("covariate", name, ["baseline", *covariates], f"{place}.recompute.adjust")
        if (entry.estimate is None) == (entry.from_pooled is None):
            problems.append(
                Problem(
                    "review.yaml",
                    "published",
                    Message("problem.published", place=place),
                    remedy="remedy.published",
                )
            )
    for check in review.consistency:
        for name in check.outcomes:
            point("outcome", name, review.outcomes, f"consistency.{check.id}.outcomes")
    return problems + check_figures(review)


def check_pooled_rows(review: Review, file: File | None) -> list[Problem]:
    """Find printed results that are to stand in files.pooled and do not."""
    there = set(zip(file.rows["outcome"], file.rows["subgroup"], strict=True)) if file else set()
    problems = []
    for entry in review.published:
        row = entry.from_pooled
        if row is not None and (row.outcome, row.subgroup) not in there:
            text = Message("problem.no_pooled_row", place=f"published.{entry.id}.from_pooled")
            remedy = "remedy.pooled_row"
            problems.append(Problem("review.yaml", "no_pooled_row", text, remedy=remedy))
    return problems


def _check_unit(entry: PublishedResult, review: Review, place: str) -> list[Problem]:
    """Find a printed unit that the outcome's own cannot be turned into."""
    target = entry.recompute
    outcome = target.outcome
    if target.network is not None:
        named = [n for n in review.networks if n.id == target.network]
        outcome = named[0].outcome if named and _is_natural(named[0].measure) else None
    elif target.comparison is not None:
        found = [c for c in review.comparisons if c.id == target.comparison]
        outcome = found[0].outcome if found and _is_natural(found[0].measure) else None
    if entry.unit is None or outcome is None or outcome not in review.outcomes:
        return []
    unit = review.outcomes[outcome].unit
    if entry.unit in UNITS and unit in UNITS and convert(unit, entry.unit) is None:
        text = Message("problem.unit_of_published", place=place, unit=name_unit(unit))
        return [Problem("review.yaml", "unit", text, remedy="remedy.unit_of_published")]
    return []


def _is_natural(measure: str) -> bool:
    return MEASURES[measure].scale.code == "natural"


def _check_target(target: Recompute, place: str) -> list[Problem]:
    """Find what is not said about a number that is recomputed within one trial."""
    need = ["trial", "outcome", "timepoint"]
    if target.arm is None and target.adjust is None:
        need += ["treatment_arm", "control_arm"]
    absent = [key for key in need if getattr(target, key) is None]
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


# Measures that RevMan's methods pool; inverse variance pools all.
_POOLED_BY = {"MH": ("RR", "OR", "RD"), "Peto": ("PETO",), "EXP_O_E": ("RATIO", "MD")}


def _check_method(comparison: Comparison, review: Review) -> list[Problem]:
    """Find a method or an outcome's unit that does not go with the measure."""
    place, measure = f"comparisons.{comparison.id}", comparison.measure
    problems = []
    needed = _POOLED_BY.get(comparison.method or "", (measure,))
    if measure not in needed:
        of = {"place": place, "method": comparison.method, "measures": list(needed)}
        text = Message("problem.method_of_another_measure", **of)
        other = Message("remedy.method_of_another_measure", measures=list(needed))
        problems.append(Problem("review.yaml", "method_of_another_measure", text, remedy=other))
    outcome = review.outcomes.get(comparison.outcome)
    if outcome is not None and outcome.unit == "ratio" and measure != "RATIO":
        text = Message("problem.ratio_by_differences", place=place, measure=measure)
        remedy = "remedy.ratio_by_differences"
        problems.append(Problem("review.yaml", "ratio_by_differences", text, remedy=remedy))
    return problems


def _check_threshold(comparison: Comparison) -> list[Problem]:
    """Find a threshold that no effect of the measure can have, such as a ratio of 0."""
    shown = comparison.bayes.threshold if comparison.bayes else None
    if shown is None or math.isfinite(MEASURES[comparison.measure].scale.to_yi(shown)):
        return []
    place, measure = f"comparisons.{comparison.id}.bayes.threshold", comparison.measure
    text = Message("problem.threshold_of_another_scale", place=place, measure=measure)
    remedy = "remedy.threshold_of_another_scale"
    return [Problem("review.yaml", "threshold_of_another_scale", text, remedy=remedy)]


def _check_measure(comparison: Comparison) -> list[Problem]:
    """Find a measure that cannot be computed as the comparison says."""
    place, measure = f"comparisons.{comparison.id}", comparison.measure
    estimand = FAMILIES[find_family(measure)].estimand
    problems = []
    if comparison.estimand != estimand:
        text = Message(
            "problem.measure_of_another_estimand",
            place=place,
            measure=measure,
            estimand=comparison.estimand,
        )
        remedy = Message("remedy.estimand", estimand=estimand)
        problems.append(Problem("review.yaml", "measure_of_another_estimand", text, remedy=remedy))
    return problems + _check_kinds(comparison.kinds, measure, place)


def _check_kinds(kinds: tuple[str, ...] | None, measure: str, place: str) -> list[Problem]:
    """Find kinds of arm rows that a measure does not take."""
    counted = MEASURES[measure].counts_events
    wrong = [kind for kind in kinds or () if (kind == "events") != counted]
    if not wrong:
        return []
    text = Message("problem.kinds_of_another_measure", place=place, kinds=wrong, measure=measure)
    other = "remedy.kinds_events" if counted else "remedy.kinds_scores"
    return [Problem("review.yaml", "kinds_of_another_measure", text, remedy=other)]


def _check_pair(target: Recompute, place: str) -> list[Problem]:
    """Find what is not said about a pair of a network."""
    absent = [key for key in ("treatment", "base") if getattr(target, key) is None]
    if not absent:
        return []
    text = Message("problem.recompute_pair", place=place, names=absent)
    return [Problem("review.yaml", "recompute", text, remedy="remedy.recompute_pair")]
