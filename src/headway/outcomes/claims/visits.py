"""Claims about visits: how long they take, what they cost, what a first one includes."""

from __future__ import annotations

from typing import Any

from headway.messages import Message, term
from headway.outcomes.care.clustered import Estimate
from headway.outcomes.claims.file import Claims, read_word
from headway.outcomes.claims.records import (
    Finding,
    Records,
    average,
    count_people,
    name_missing,
    read_estimate,
    read_numbers,
)
from headway.outcomes.claims.rules import Rule


def _from_cost(r: Records, topic: str, visit: str, statistic: str) -> list[tuple[Any, Estimate]]:
    rows = r.cost[
        (r.cost["topic"] == topic)
        & (r.cost["visit"] == visit)
        & (r.cost["statistic"] == statistic)
        & (r.cost["n"] > 0)
    ]
    return [(row, read_estimate(row)) for _, row in rows.iterrows()]


def hold_minutes(r: Records, claims: Claims) -> list[Finding]:
    """Row 10: how long visits take."""
    out = []
    for visit in ("first", "later"):
        rows = _from_cost(r, "minutes", visit, "median")
        out += [Finding(visit, f, "minutes", float(row["of"])) for row, f in rows]
        if not rows:
            out.append(name_missing(visit, Message("claim.missing.minutes")))
    return out


def hold_fees(r: Records, claims: Claims) -> list[Finding]:
    """Row 11: what visits cost, and who pays."""
    out = []
    for visit in ("first", "later"):
        rule = claims.of_row(11)[visit].rule
        rows = _from_cost(r, "fee", visit, "median")
        for row, found in rows:
            currency = str(row["currency"])
            other = Rule("description", Message("claim.reason.currency", currency=rule.currency))
            same = currency == rule.currency
            out.append(
                Finding(
                    visit,
                    found,
                    term("currency", currency),
                    float(row["of"]),
                    currency if not same or len(rows) > 1 else "",
                    rule=None if same else other,
                )
            )
        if not rows:
            out.append(name_missing(visit, Message("claim.missing.fees")))
    paid = _from_cost(r, "insured", "all", "share_not_paid")
    out += [Finding("insurance", f, of=float(row["of"])) for row, f in paid]
    if not paid:
        out.append(name_missing("insurance", Message("claim.missing.insurance")))
    days = _from_cost(r, "cost", "all", "per_day")
    for row, found in days:
        note = str(row["note"]) if isinstance(row["note"], str) else ""
        group = f"{row['currency']}, {row['basis']}"
        out.append(Finding("per_day", found, str(row["unit"]), float(row["of"]), group, note=note))
    if not days:
        out.append(name_missing("per_day", Message("claim.missing.fees_and_change")))
    return out


def hold_first_visit(r: Records, claims: Claims) -> list[Finding]:
    """Row 13: what a first visit includes."""
    import pandas as pd

    names = ("history", "posture", "range_of_motion", "leg_length", "neurological")
    at_home = (r.column("setting") == "at_home").astype(bool)
    listed = r.column("assessments").astype("object")
    day = r.sessions["day"]
    visits = pd.DataFrame({"patient_id": r.sessions["patient_id"], "day": day, "did": listed})
    visits = visits[~at_home]
    first = visits[visits["day"] == visits.groupby("patient_id")["day"].transform("min")]
    done = first.dropna(subset=["did"]).groupby("patient_id")["did"].agg(";".join)
    out = []
    if len(done):
        codes = done.map(lambda t: {read_word(c) for c in str(t).split(";")})
        of = float(first["patient_id"].nunique())
        for name in names:
            words = set(claims.assessments[name]) | {name}
            count = int(codes.map(lambda c, words=words: bool(c & words)).sum())
            out.append(Finding(name, count_people(count, len(codes)), of=of))
    else:
        out += [name_missing(name, Message("claim.missing.assessments")) for name in names]
    motion = read_numbers(r.column("range_of_motion_degrees"))
    known = r.sessions.loc[motion.notna(), ["patient_id", "day"]].assign(
        value=motion[motion.notna()]
    )
    known = known.sort_values(["patient_id", "day"], kind="stable")
    by = known.groupby("patient_id")
    twice = by["day"].max() > by["day"].min()
    if not len(known) or not twice.any():
        return [*out, name_missing("motion_change", Message("claim.missing.motion"))]
    change = (by["value"].last() - by["value"].first())[twice].to_numpy(float)
    of = float(len(r.starters))
    note = Message("claim.note.last_visit")
    return [*out, Finding("motion_change", average(change), "degrees", of, note=note)]
