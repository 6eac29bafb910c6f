"""The table of claims: every part of every claim against a clinic's records.

`claims.yaml` holds each claim, its parts, the rule of each verdict with its reason, and published
figures with their sources. A clinic's records have no comparison group, so that they neither
support nor refute what treatment is said to do: such a claim is `cannot tell` beside the measured
change. What was not recorded is said to be so, and never counted as nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headway.messages import Message, join
from headway.outcomes.care.clustered import NAN
from headway.outcomes.claims import changes, lasting, sessions, visits
from headway.outcomes.claims.file import Claims, Part, load_shipped
from headway.outcomes.claims.records import Finding, Records
from headway.outcomes.claims.rules import Verdict, holm, judge
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

_ROWS: dict[int, Callable[[Records, Claims], list[Finding]]] = {
    1: changes.hold_relief,
    2: changes.hold_conditions,
    3: sessions.hold_complaints,
    4: sessions.hold_referral,
    5: sessions.hold_aftermath,
    6: sessions.hold_wet_and_dry,
    7: changes.hold_techniques,
    8: lasting.hold_relapse,
    9: lasting.hold_self_care,
    10: visits.hold_minutes,
    11: visits.hold_fees,
    12: sessions.hold_water,
    13: visits.hold_first_visit,
    14: sessions.hold_far_away,
    15: changes.hold_not_everyone,
    16: changes.hold_good_results,
    17: changes.hold_acupuncture,
}


def build_claims(records: Records, claims: Claims | None = None) -> pd.DataFrame:
    """Hold every claim against a clinic's records.

    Parameters
    ----------
    records
        What the clinic recorded and what was computed from it.
    claims
        `load_claims`; the shipped file without it.

    Returns
    -------
    DataFrame
        Table `claims`: at least one row for every part of every claim, `not recorded` where there
        is nothing to hold it against.
    """
    import pandas as pd

    known = claims or load_shipped()
    own_doi = str(records.clinic.doi or "").casefold()
    rows = []
    for number, compute in _ROWS.items():
        parts = known.of_row(number)
        found = compute(records, known)
        nothing = Message("claim.missing.sessions")
        if found and not len(records.sessions) and all(f.missing for f in found):
            found = [replace(f, missing=join([f.missing, nothing])) for f in found]
        adjusted = holm([f.p_value for f in found])
        tested = int(np.isfinite(adjusted).sum())
        for finding, p_adjusted in zip(found, adjusted, strict=True):
            part = parts[finding.part]
            if own_doi and part.anchor.get("doi", "").casefold() == own_doi:
                # Its own trial is no yardstick for a clinic.
                part = replace(part, anchor={})
            rows.append(_row(part, finding, float(p_adjusted), tested))
    return conform("claims", pd.DataFrame(rows)) if rows else empty("claims")


def _row(part: Part, finding: Finding, p_adjusted: float, tested: int) -> dict[str, object]:
    found, rule = finding.found, finding.rule or part.rule
    verdict: Verdict = "not recorded"
    reason = finding.missing
    if not finding.missing:
        verdict, reason = judge(rule, part.causal, found.estimate, found.ci_low, found.ci_high)
        if found.n == 0:
            verdict, reason = "not recorded", Message("claim.missing.values")
        elif not part.causal and rule.kind == "description" and finding.rule is not None:
            reason = rule.code.values["why"]
    notes = [finding.note, found.note]
    if tested > 1 and not np.isnan(finding.p_value):
        notes.append(Message("claim.note.holm", tests=tested))
    anchor = part.anchor
    recorded = verdict != "not recorded"
    return {
        "row": part.row,
        "part": f"{part.id}: {finding.group}" if finding.group else part.id,
        "claim": Message(part.claim),
        "label": Message(part.label),
        "causal": part.causal,
        "unit": finding.unit if recorded else None,
        "estimate": found.estimate,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "interval": found.interval or None,
        "n": float(found.n),
        "of": finding.of,
        "count": found.count if recorded else NAN,
        "patients": float(found.patients) if found.patients else NAN,
        "p_value": finding.p_value,
        "p_adjusted": p_adjusted,
        "anchor": Message(anchor["text"]) if anchor else None,
        "anchor_value": float(anchor.get("value", NAN)),
        "anchor_source": Message(anchor["source"]) if anchor else None,
        "anchor_status": anchor.get("status"),
        "rule": rule.code,
        "verdict": verdict,
        "reason": reason,
        "redacted": False,
        "note": join(notes) or None,
    }
