"""Claims about what changes: pain, other conditions, who improves, and by which technique."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headway.messages import Message, join
from headway.outcomes.care.cost_per_day import less_expected
from headway.outcomes.change import instruments
from headway.outcomes.change.cohort import find_unit
from headway.outcomes.claims.file import Claims
from headway.outcomes.claims.records import (
    Finding,
    Records,
    average,
    count_people,
    find_statistic,
    name_missing,
    name_windows,
    read_cohort,
)
from headway.outcomes.claims.rules import Rule
from headway.outcomes.expectation.benchmark import classify_condition
from headway.tables import OUTCOMES, TECHNIQUES

if TYPE_CHECKING:
    import pandas as pd


def hold_relief(r: Records, claims: Claims) -> list[Finding]:
    """Row 1: pain such as headache, beside what would be expected."""
    out = []
    headache = _headache_people(r)
    for outcome in ("frequency", "intensity", "duration"):
        why = Message("claim.missing.outcome", outcome=instruments.name_outcome(outcome))
        finding = read_cohort(outcome, find_statistic(r, outcome, "change_mean"), why)
        if not finding.missing and headache is not None and not headache.all():
            others = Message("claim.note.other_conditions")
            finding = replace(finding, note=join([finding.note, others]))
        out.append(finding)
    row = find_statistic(r, "frequency", "change_mean")
    part = "frequency_beyond_expected"
    if row is None or not r.expected:
        out.append(name_missing(part, Message("claim.missing.comparison")))
        return out
    for expected in r.expected:
        base = read_cohort(part, row, group=expected.source)
        estimate, low, high = less_expected(
            base.found.estimate, base.found.ci_low, base.found.ci_high, expected
        )
        found = replace(base.found, estimate=estimate, ci_low=low, ci_high=high)
        out.append(replace(base, found=found))
    return out


def _conditions(r: Records) -> pd.Series:
    """Condition of each person who started: their own, else the clinic's."""
    import pandas as pd

    own = pd.Series(dtype="object")
    if "condition" in r.patients and len(r.patients):
        own = r.patients.drop_duplicates("patient_id").set_index("patient_id")["condition"]
    own = own.astype("object").reindex(r.starters)
    common = r.clinic.condition or None
    return own if common is None else own.where(own.notna(), common)


def _is_headache(condition: object) -> bool:
    return classify_condition(str(condition)) == "headache"


def _headache_people(r: Records) -> pd.Series | None:
    known = _conditions(r).dropna()
    return known.map(_is_headache).astype(bool) if len(known) else None


def hold_conditions(r: Records, claims: Claims) -> list[Finding]:
    """Row 2: conditions other than headache."""
    condition = _conditions(r).dropna()
    if not len(condition):
        return [name_missing("condition", Message("claim.missing.condition"))]
    others = sorted(c for c in condition.unique() if not _is_headache(c))
    if not others:
        return [name_missing("condition", Message("claim.missing.other_condition"))]
    out = []
    part = claims.of_row(2)["condition"]
    ids = [c.id for c in r.comparisons if c.id != "before_treatment"]
    labels = {c.id: c.label for c in r.comparisons}
    found_outcomes = sorted(
        set(r.change["outcome"]),
        key=lambda o: (o != "intensity", OUTCOMES.index(o) if o in OUTCOMES else len(OUTCOMES), o),
    )
    for name in others:
        people = condition.index[condition == name]
        own = r.change[r.change["patient_id"].isin(people)]
        for outcome in found_outcomes:
            of_outcome = own[own["outcome"] == outcome]
            first = next((i for i in ids if (of_outcome["comparison"] == i).any()), None)
            if first is None:
                continue
            values = of_outcome.loc[of_outcome["comparison"] == first, "change"].to_numpy(float)
            out.append(
                Finding(
                    "condition",
                    average(values),
                    find_unit(outcome),
                    float(len(people)),
                    f"{name}: {outcome}",
                    note=name_windows(labels[first]),
                    rule=_direction(outcome, part.rule),
                )
            )
    return out or [name_missing("condition", Message("claim.missing.any_outcome"))]


def _direction(outcome: str, rule: Rule) -> Rule:
    """Turn the rule the way of the outcome; without a known way there is no verdict."""
    if outcome in OUTCOMES:
        return rule
    if instruments.canonical(outcome):
        return replace(rule, benefit=instruments.describe(outcome).better)
    return Rule("description", Message("claim.reason.direction"))


def hold_techniques(r: Records, claims: Claims) -> list[Finding]:
    """Row 7: the change by technique."""
    outcome = r.clinic.primary_outcome
    out = []
    for technique in (*TECHNIQUES, "mixed"):
        row = find_statistic(r, outcome, "change_mean", f"technique: {technique}")
        if row is not None:
            out.append(read_cohort("technique", row, group=technique))
    return out or [name_missing("technique", Message("claim.missing.technique"))]


def hold_not_everyone(r: Records, claims: Claims) -> list[Finding]:
    """Row 15: who does not improve."""
    order = (r.clinic.primary_outcome, *OUTCOMES)
    outcome = next((o for o in order if find_statistic(r, o, "responders_30") is not None), None)
    if outcome is None:
        why = Message("claim.missing.any_outcome")
        return [name_missing(p, why) for p in claims.of_row(15)]
    better = read_cohort("not_improved", find_statistic(r, outcome, "responders_30"))
    n, of = better.found.n, better.of
    others = replace(better, found=count_people(n - better.found.count, n))
    of_outcome = Message("claim.note.of_outcome", outcome=instruments.name_outcome(outcome))
    out = [
        replace(others, note=join([of_outcome, others.note])),
        read_cohort("worsened", find_statistic(r, outcome, "worsened_30")),
    ]
    row = find_statistic(r, "frequency", "reliable_deteriorated")
    why = Message("claim.missing.headache_days")
    out.append(read_cohort("reliably_deteriorated", row, why))
    return [replace(f, of=of) if not f.missing else f for f in out]


def hold_good_results(r: Records, claims: Claims) -> list[Finding]:
    """Row 16: what patients report."""
    out = []
    row = find_statistic(r, "PGIC", "pgic_at_least_much_improved")
    if row is None:
        out += [name_missing(p, Message("claim.missing.pgic")) for p in ("pgic", "pgic_of_all")]
    else:
        said = read_cohort("pgic", row)
        out.append(said)
        everyone = count_people(said.found.count, said.of)
        note = Message("claim.note.no_answer")
        out.append(Finding("pgic_of_all", everyone, of=said.of, note=note))
    row = find_statistic(r, r.clinic.primary_outcome, "change_mean")
    if row is None:
        out += [name_missing(p, Message("claim.missing.primary")) for p in ("change", "lost")]
        return out
    change = read_cohort("change", row)
    out.append(change)
    lost = count_people(change.of - change.found.n, change.of)
    out.append(Finding("lost", lost, of=change.of, note=change.note))
    return out


def hold_acupuncture(r: Records, claims: Claims) -> list[Finding]:
    """Row 17: people treated by acupuncture."""
    row = find_statistic(r, r.clinic.primary_outcome, "change_mean", "technique: acupuncture")
    return [read_cohort("acupuncture", row, Message("claim.missing.acupuncture"))]
