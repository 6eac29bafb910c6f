"""Soreness, lethargy and adverse events, by technique, asked and volunteered kept apart.

What is asked for is a share of those who were asked. What is volunteered is a floor: nobody knows
how many others had it and did not say so, and the two are never added. Where the record does not
say which it was, that is a third way, `unstated`. A session without an answer is unknown and never
a session without harm; it stays in `of` and out of `n`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headway.messages import Message, join, term
from headway.outcomes.care import clustered
from headway.outcomes.care.clustered import RULE_OF_THREE, Estimate
from headway.outcomes.change.change import wilson
from headway.tables import TECHNIQUES, conform, empty

if TYPE_CHECKING:
    import pandas as pd

# Of the table `sessions`, what harms are read from.
SESSION_COLUMNS = (
    "patient_id",
    "technique",
    "setting",
    "soreness_days",
    "soreness_reported",
    "lethargy_days",
    "lethargy_reported",
    "adverse_event",
    "adverse_event_reported",
)
# How a clinic writes that nothing happened.
NO_EVENT = ("none", "no", "nil", "0")
SHORT_DAYS = 2  # "for a day or two"
_FLOOR = Message("safety.a_floor")
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class _Harm:
    """One kind of harm: whether it happened (NaN unknown) and how that became known."""

    name: str
    event: str
    happened: pd.Series
    days: pd.Series | None
    reported: pd.Series


def _column(sessions: pd.DataFrame, name: str) -> pd.Series:
    """Take a column, or an empty one where the clinic's records lack it."""
    import pandas as pd

    if name in sessions:
        return sessions[name]
    return pd.Series(np.nan, index=sessions.index, dtype="object")


def _harms(sessions: pd.DataFrame) -> Iterator[_Harm]:
    """Take the kinds of harm one after the other: each holds a number per session."""
    import pandas as pd

    for name in ("soreness", "lethargy"):
        days = pd.to_numeric(_column(sessions, f"{name}_days"))
        happened = (days > 0).astype("float32").where(days.notna())
        yield _Harm(name, "any", happened, days, _column(sessions, f"{name}_reported"))
    code = _column(sessions, "adverse_event").astype("category")
    words = [str(c).strip().casefold() for c in code.cat.categories]
    events = sorted(set(words))  # a place of -1 is not known
    place = np.array([*map(events.index, words), -1], "int16")[code.cat.codes]
    code = pd.Series(pd.Categorical.from_codes(place, events), index=code.index)
    reported = _column(sessions, "adverse_event_reported")
    known = code.notna()
    happened = (~code.isin(NO_EVENT)).astype("float32").where(known)
    yield _Harm("adverse_event", "any", happened, None, reported)
    for event in sorted(set(code[known].unique()) - set(NO_EVENT)):
        hit = (code == event).astype("float32").where(known)
        yield _Harm("adverse_event", event, hit, None, reported)


def count_patients(values: pd.Series, patients: pd.Series) -> Estimate:
    """Estimate the share of patients with the harm after at least one session.

    Patients are independent: Wilson's interval, and at 0 the rule of three.
    """
    worst = values.groupby(patients).max()
    n, count = len(worst), int(worst.sum())
    if n and count == 0:
        high = float(clustered.rule_of_three(n))
        return Estimate(0.0, 0.0, high, RULE_OF_THREE, n, 0.0, n)
    low, high_limit = (float(limit) for limit in wilson(count, n))
    method = Message("interval.wilson")
    return Estimate(count / n if n else NAN, low, high_limit, method, n, float(count), n)


def build_safety(sessions: pd.DataFrame) -> pd.DataFrame:
    """Summarise harms per session and per patient, over all and by technique.

    Parameters
    ----------
    sessions
        Processed table `sessions`; columns that the clinic does not record may be missing.

    Returns
    -------
    DataFrame
        Table `safety`. Shares in percent; per session with cluster-robust intervals
        (`headway.outcomes.care.clustered`), per patient with Wilson's; at zero events the rule of
        three, beside it what it would be if sessions were independent. Median days and the share
        of at most 2 days are over sessions with the harm. For volunteered reports `n` is every
        session in the office at which nobody asked.
    """
    import pandas as pd

    if not len(sessions):
        return empty("safety")
    rows: list[dict[str, object]] = []
    # Numbers for codes: they are grouped many times over.
    codes = pd.factorize(sessions["patient_id"])[0].astype("int32")
    who = pd.Series(codes, index=sessions.index)
    technique = _column(sessions, "technique")
    groups = {"all": pd.Series(True, index=sessions.index)}
    groups |= {f"technique: {t}": technique == t for t in TECHNIQUES if (technique == t).any()}
    at_home = (_column(sessions, "setting") == "at_home").astype(bool)
    for harm in _harms(sessions):
        known = harm.happened.notna()
        if not known.any():
            continue
        not_asked = ~(harm.reported == "asked").fillna(False).astype(bool)
        asked = known & ~not_asked
        told = known & (harm.reported == "volunteered").astype(bool)
        for reported, members in (
            ("asked", asked),
            ("volunteered", told),
            ("unstated", known & ~asked & ~told),
        ):
            if not members.any():
                continue
            # A volunteered report stands against every session at which nobody asked.
            base = not_asked & (told | ~at_home) if reported == "volunteered" else members
            happened = harm.happened.where(members, 0.0)
            for group, mask in groups.items():
                rows += _rows(harm, reported, group, base & mask, mask, happened, who)
    return conform("safety", pd.DataFrame(rows)) if rows else empty("safety")


def _rows(
    harm: _Harm,
    reported: str,
    group: str,
    base: pd.Series,
    mask: pd.Series,
    happened: pd.Series,
    patients: pd.Series,
) -> list[dict[str, object]]:
    values, who = happened[base].astype(float), patients[base]
    if not len(values):
        return []
    note = _FLOOR if reported == "volunteered" else ""
    sessions_of, patients_of = int(mask.sum()), patients[mask].nunique()

    def row(
        per: str,
        statistic: str,
        label: Message,
        found: Estimate,
        of: int = sessions_of,
        note: str = note,
        unit: str = "percent",
    ) -> dict[str, object]:
        scale = 100.0 if unit == "percent" else 1.0
        return {
            "harm": harm.name,
            "event": harm.event,
            "group": group,
            "reported": reported,
            "per": per,
            "statistic": statistic,
            "label": label,
            "unit": unit,
            "estimate": scale * found.estimate,
            "ci_low": scale * found.ci_low,
            "ci_high": scale * found.ci_high,
            "interval": found.interval or None,
            "n": float(found.n),
            "of": float(of),
            "count": found.count,
            "patients": float(found.patients),
            "redacted": False,
            "note": join([note, found.note]) or None,
        }

    what = (
        term("event", harm.event)
        if harm.event != "any"
        else Message("safety.an_adverse_event")
        if harm.name == "adverse_event"
        else term("harm", harm.name)
    )
    found, people = clustered.share(values, who), count_patients(values, who)
    out = [
        row("session", "share", Message("safety.sessions_followed", what=what), found),
        row("patient", "share", Message("safety.patients_with", what=what), people, patients_of),
    ]
    if found.count == 0 and found.n > found.patients:
        high = float(clustered.rule_of_three(found.n))
        upper = Estimate(high, NAN, NAN, "", found.n, 0.0, found.patients)
        label = Message("safety.highest_share", what=what)
        remark = Message("safety.if_sessions_were_independent")
        out.append(row("session", "zero_upper_sessions", label, upper, note=remark))
    if harm.days is None:
        return out
    hit = base & (happened == 1.0)
    days, sufferers = harm.days[hit], patients[hit]
    if len(days):
        label = Message("safety.median_days", what=what)
        middle = clustered.median(days, sufferers)
        out.append(row("session", "median_days", label, middle, unit="days"))
        label = Message("safety.days_at_most", what=what, days=SHORT_DAYS)
        short = clustered.share(days <= SHORT_DAYS, sufferers)
        out.append(row("session", "share_within_2_days", label, short))
    return out
