"""What ties the counts of safety, dose, relapse, charts, therapists and traps to one another.

Each function adds to the ledger what a reader knows from the definitions of a table: which of its
numbers are sums, parts or repetitions of others. Too many ties hide more than is needed; one too
few is a leak.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import pairwise
from typing import TYPE_CHECKING

from headway.disclosure.suppress import EVERYONE, Ledger, Names, Worth

if TYPE_CHECKING:
    import pandas as pd


def tie(ledger: Ledger, table: str, frame: pd.DataFrame, names: Names) -> None:
    """Add the ties of one table whose counts are in the ledger."""
    if table in _TIES:
        _TIES[table](ledger, frame, names)


def nest(ledger: Ledger, members: list[Hashable | None]) -> None:
    """State that each of some counts is a part of the next larger one."""
    known = dict.fromkeys(m for m in members if m is not None)
    for inner, outer in pairwise(sorted(known, key=lambda m: ledger.values[m])):
        ledger.split(outer, [inner], nested=True)


def _equal(ledger: Ledger, one: Hashable | None, other: Hashable | None) -> None:
    if one is None or other is None or one == other or other not in ledger.values:
        return
    if ledger.values.get(one) == ledger.values[other]:
        ledger.split(one, [other])


def _tie_safety(ledger: Ledger, frame: pd.DataFrame, names: Names) -> None:
    """Who answered, had the harm and knows its days; kinds of event; asked and volunteered."""
    n, of, count, people = (names["safety", c] for c in ("n", "of", "count", "patients"))
    by = {
        (r.harm, r.event, r.reported, r.group, r.per, r.statistic): i
        for i, r in enumerate(frame.itertuples())
    }
    for (harm, event, reported, group, per, statistic), i in by.items():
        if statistic != "share":
            continue
        key = (harm, event, reported, group)
        known = [n[by[*key, "session", s]] for s in _OF_HARM if (*key, "session", s) in by]
        if per == "session":
            nest(ledger, [n[i], count[i], *known])
            for name in known:
                _equal(ledger, count[i], name)
        else:
            own = [people[by[*key, "session", s]] for s in _OF_HARM if (*key, "session", s) in by]
            everyone = by.get((*key, "session", "share"))
            nest(ledger, [n[i], count[i], *own])
            _equal(ledger, n[i], people[i])
            if everyone is not None:
                _equal(ledger, n[i], people[everyone])
            for name in own:
                _equal(ledger, count[i], name)
        if event != "any" and (harm, "any", reported, group, per, "share") in by:
            whole = count[by[harm, "any", reported, group, per, "share"]]
            nest(ledger, [whole, count[i]])
    for (harm, reported, group, per), part in frame[frame["statistic"] == "share"].groupby(
        ["harm", "reported", "group", "per"], sort=False
    ):
        kinds = [count[i] for i in part.index[part["event"] != "any"]]
        whole = by.get((harm, "any", reported, group, per, "share"))
        if kinds and whole is not None and count[whole] is not None:
            ledger.split(count[whole], [k for k in kinds if k is not None])
    for _, part in frame[(frame["statistic"] == "share") & (frame["per"] == "session")].groupby(
        ["harm", "event", "group"], sort=False
    ):
        ways = [n[i] for i in part.index if n[i] is not None]
        total = of[part.index[0]]
        if total is not None and len(ways) > 1:
            ledger.split(total, ways, nested=True)


_OF_HARM = ("median_days", "share_within_2_days")


def _tie_dose(ledger: Ledger, frame: pd.DataFrame, names: Names) -> None:
    """Thirds add up to everyone with a dose."""
    n = names["dose", "n"]
    for _, part in frame.groupby("dose", sort=False):
        thirds = part["statistic"] == "mean_change_of_third"
        whole = next((n[i] for i in part.index[~thirds]), None)
        if whole is not None and thirds.any():
            own = []
            for i in part.index[thirds]:
                name = ("third", part.at[i, "dose"], part.at[i, "level"])
                ledger.add(name, part.at[i, "n"], ledger.worth.get(n[i], 0))
                n[i] = name
                own.append(name)
            ledger.split(whole, own)


def _tie_relapse(ledger: Ledger, frame: pd.DataFrame, names: Names) -> None:
    """People at risk are the responders of the cohort, and the same under both rules."""
    n = names["relapse", "n"]
    for i, r in enumerate(frame.itertuples()):
        name = at_risk(r.group)
        ledger.add(name, r.n, Worth.ANALYSED)
        n[i] = name
        if ledger.primary is not None:
            responders = ("count", *ledger.primary[1:3], r.group, "responders_50")  # type: ignore[index]
            _equal(ledger, responders if responders in ledger.values else None, name)
    groups = dict.fromkeys(g for g in frame["group"] if g != "all")
    if at_risk("all") in ledger.values:
        ledger.split(at_risk("all"), [at_risk(g) for g in groups])


def at_risk(group: str) -> Hashable:
    """Name the people at risk at the start of a curve."""
    return ("at risk", group)


def _tie_control_chart(ledger: Ledger, frame: pd.DataFrame, names: Names) -> None:
    """Months add up to people; the two charts of the analysed stand on the same."""
    n, count = names["control_chart", "n"], names["control_chart", "count"]
    at: dict[tuple[str, int], int] = {
        (str(r.chart), int(r.month)): i for i, r in enumerate(frame.itertuples())
    }
    for (chart, month), i in at.items():
        if chart == "lost":
            analysed = at.get(("change", month))
            if analysed is not None and n[i] is not None and count[i] is not None:
                ledger.split(n[i], [m for m in (n[analysed], count[i]) if m is not None])
        elif ("change", month) in at:
            _equal(ledger, n[at["change", month]], n[i])
    whole = {"change": ledger.primary, "responders": ledger.primary, "lost": EVERYONE}
    for chart, total in whole.items():
        months = [n[i] for (c, _), i in at.items() if c == chart and n[i] is not None]
        if total in ledger.values and months:
            ledger.split(total, [m for m in months if m is not None])
    shares: dict[str, Hashable | None] = {"lost": None, "responders": None}
    if ledger.primary is not None:
        outcome, comparison = ledger.primary[1:3]  # type: ignore[index]
        shares = {
            "lost": ("lost", outcome, comparison, "all"),
            "responders": ("count", outcome, comparison, "all", "responders_50"),
        }
    for chart, total in shares.items():
        own = [count[i] for (c, _), i in at.items() if c == chart]
        if total in ledger.values and own:
            ledger.split(total, [c for c in own if c is not None])


def _tie_funnel(ledger: Ledger, frame: pd.DataFrame, names: Names) -> None:
    """Therapists' people add up to the analysed; they are groups of the cohort too.

    Where a funnel stands on more days than the primary change, it holds more people: they are
    some of those who started, and the group of the cohort is a part of them.
    """
    n = names["funnel", "n"]
    if ledger.primary is None or not len(frame):
        return
    outcome, comparison = ledger.primary[1:3]  # type: ignore[index]
    known = list(dict.fromkeys(m for m in n if m is not None))
    more = sum(ledger.values[m] for m in known) > ledger.values[ledger.primary]
    whole = EVERYONE if more and EVERYONE in ledger.values else ledger.primary
    ledger.split(whole, known)
    for i, r in enumerate(frame.itertuples()):
        group = f"therapist: {r.therapist}"
        analysed = ("n", outcome, comparison, group)
        _equal(ledger, n[i], analysed)
        nest(ledger, [c for c in (("of", group), n[i], analysed) if c in ledger.values])


def _tie_traps(ledger: Ledger, frame: pd.DataFrame, names: Names) -> None:
    """Those who left are the lost of the primary comparison, and starters."""
    if ledger.primary is None:
        return
    lost = ("lost", *ledger.primary[1:])  # type: ignore[index]
    for i, r in enumerate(frame.itertuples()):
        if r.id == "dropout_if_not_better":
            _equal(ledger, names["traps", "of"][i], lost)
        elif EVERYONE in ledger.values and names["traps", "of"][i] not in (None, EVERYONE):
            ledger.split(EVERYONE, [names["traps", "of"][i]], nested=True)


_TIES: dict[str, Callable[[Ledger, pd.DataFrame, Names], None]] = {
    "safety": _tie_safety,
    "dose": _tie_dose,
    "relapse": _tie_relapse,
    "control_chart": _tie_control_chart,
    "funnel": _tie_funnel,
    "traps": _tie_traps,
}
