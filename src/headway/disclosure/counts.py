"""What goes into the ledger from the tables of change: who started, was analysed, was lost.

Each function enters the counts of a table under their names, with what ties them together, and
notes in `names` which name stands for which cell.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from headway.disclosure.suppress import EVERYONE, Ledger, Names, Worth
from headway.outcomes.change.change import OF_STARTED as REPEATED
from headway.outcomes.change.cointerventions import NEW_PREVENTIVE
from headway.outcomes.change.windows import CONDITIONAL

if TYPE_CHECKING:
    import pandas as pd

# Codes of other rooms that are read here: steps of `flow`, and responses of `individual`.
IN_THE_FILE = "in_the_file"
LOST = "lost"  # rows that were set aside with something in them; part of the quarantined ones
STARTED, ANALYSED, NOT_ANALYSED = "started", "analysed", "not_analysed"
COMPLETE = {"before": "complete_before", "after": "complete_after"}
ANY_RECORD = {"before": "any_record_before", "after": "any_record_after"}
HALF_BETTER, THIRD_BETTER, THIRD_WORSE = (
    "at_least_50_better",
    "from_30_to_50_better",
    "at_least_30_worse",
)
NO_RELATIVE_CHANGE = "no_relative_change"
NEITHER, UNCHANGED = "neither", "unchanged"


# Each is part of the next.
_NESTED = (
    ("responders_75", "responders_50", "responders_30"),
    ("reliable_recovered", "reliable_improved"),
    ("pgic_very_much_improved", "pgic_at_least_much_improved"),
    ("pgic_much_improved", "pgic_at_least_much_improved"),
)
# These add up to n.
_WHOLE = (
    ("reliable_improved", "reliable_unchanged", "reliable_deteriorated"),
    (
        "pgic_very_much_improved",
        "pgic_much_improved",
        "pgic_minimally_improved",
        "pgic_no_change",
        "pgic_worse",
    ),
    ("pgic_at_least_much_improved", "pgic_minimally_improved", "pgic_no_change", "pgic_worse"),
)
# Nobody is in two of these.
_APART = (("responders_30", "worsened_30"),)
# Statistics of everyone who started; shares of them (`REPEATED`) repeat the count of a share of the
# analysed.
OF_STARTED = ("bound_", "completeness_")


def is_of_started(statistic: str) -> bool:
    """Whether a statistic of the cohort stands on everyone who started."""
    return statistic.startswith(OF_STARTED) or statistic.endswith(REPEATED)


def _people(outcome: str, comparison: str, group: str) -> Hashable:
    return ("n", outcome, comparison, group)


def _lost(outcome: str, comparison: str, group: str) -> Hashable:
    return ("lost", outcome, comparison, group)


def enter_cohort(ledger: Ledger, frame: pd.DataFrame, names: Names) -> dict[str, tuple[str, str]]:
    """Enter n, of and count of every row; returns outcome and comparison by item of `flow`."""
    people: list[Hashable | None] = [None] * len(frame)
    started: list[Hashable | None] = [None] * len(frame)
    counts: list[Hashable | None] = [None] * len(frame)
    items = {}
    keys = ["outcome", "comparison", "group"]
    for (outcome, comparison, group), part in frame.groupby(keys, sort=False):
        whole = group == "all"
        of = EVERYONE if whole else ("of", group)
        ledger.add(of, part["of"].iloc[0], Worth.STARTED if whole else Worth.GROUP)
        top = int(part["n"].max())
        main = part["primary"].any()
        worth = Worth.PRIMARY if main else Worth.ANALYSED if whole else Worth.GROUP
        own = part[~part["statistic"].map(is_of_started).astype(bool)]
        if len(own):
            top = int(own["n"].max())
            name = ledger.add(_people(outcome, comparison, group), top, worth)
            lost = ledger.add(_lost(outcome, comparison, group), ledger.values[of] - top)
            ledger.split(of, [name, lost])
        for row in part.itertuples():
            i, n = int(row.Index), int(row.n)
            started[i] = of
            if row.statistic.endswith(REPEATED):
                people[i] = of
                cell = ("count", outcome, comparison, group, row.statistic.removesuffix(REPEATED))
                counts[i] = ledger.add(cell, row.count, Worth.SHARE if whole else Worth.GROUP)
                continue
            if row.statistic.startswith(OF_STARTED):
                people[i] = of
                if n != ledger.values[of]:  # without people who had no headache in a whole window
                    people[i] = ledger.add(("may count", outcome, comparison, group), n, worth)
                    ledger.split(of, [people[i]], nested=True)
                    if len(own):
                        ledger.split(people[i], [name], nested=True)
                continue
            people[i] = name
            if row.statistic == NEW_PREVENTIVE:  # of those with an answer
                people[i] = ledger.add(("answered", outcome, comparison, group), n, worth)
                ledger.split(name, [people[i]], nested=True)
            elif n < top:  # some of these people: those with a value before above 0, say
                people[i] = ledger.add(("n", outcome, comparison, group, n), n, worth)
                ledger.split(name, [people[i]])
            if not np.isnan(row.count):
                cell = ("count", outcome, comparison, group, row.statistic)
                counts[i] = ledger.add(cell, row.count, Worth.SHARE if whole else Worth.GROUP)
                rest = ledger.split(people[i], [cell], nested=True)
                if rest is not None and ledger.preset.hides(ledger.values[rest]):
                    ledger.hidden.add(cell)
        own = part[~part["statistic"].str.endswith(REPEATED)]
        by = {r.statistic: counts[int(r.Index)] for r in own.itertuples() if counts[int(r.Index)]}
        base = {r.statistic: people[int(r.Index)] for r in own.itertuples()}
        _enter_shares(ledger, by, base)
        if whole:
            items[f"{outcome}: {comparison}"] = (outcome, comparison)
    for (outcome, comparison), part in frame.groupby(["outcome", "comparison"], sort=False):
        _enter_families(ledger, part, outcome, comparison, people, counts)
    names["cohort", "n"], names["cohort", "of"] = people, started
    names["cohort", "count"] = counts
    for r in frame.to_dict("records"):
        if r["primary"] and not is_of_started(r["statistic"]):
            ledger.primary = _people(r["outcome"], r["comparison"], r["group"])
    _enter_headache_days(ledger)
    return items


def _enter_headache_days(ledger: Ledger) -> None:
    """Tie the people with headache in both windows to all who are analysed.

    Intensity and duration are means over headache days, so that who has none is not among them.
    """
    known = [n for n in ledger.values if isinstance(n, tuple) and n[0] == "n" and len(n) == 4]
    for name in known:
        whole = ("n", "frequency", *name[2:])
        if name[1] in CONDITIONAL and whole in ledger.values:
            ledger.split(whole, [name], nested=True)


def _enter_shares(
    ledger: Ledger, by: Mapping[str, Hashable], base: Mapping[str, Hashable | None]
) -> None:
    """Tie together the shares of one group of people."""
    for chain in _NESTED:
        for inner, outer in pairwise(chain):
            if inner in by and outer in by:
                ledger.split(by[outer], [by[inner]], nested=True)
    for parts in _WHOLE:
        if all(p in by for p in parts):
            ledger.split(base[parts[0]], [by[p] for p in parts])
    if all(s in by for s in _WHOLE[1][:2]) and "pgic_at_least_much_improved" in by:
        ledger.split(by["pgic_at_least_much_improved"], [by[s] for s in _WHOLE[1][:2]])
    for pair in _APART:
        if all(p in by for p in pair):
            ledger.split(base[pair[0]], [by[p] for p in pair], nested=True)
    grades: dict[str, list[str]] = {}
    sides: dict[str, list[str]] = {}
    for statistic in by:
        if match := re.fullmatch(r"(.*)_grade_\d+_(before|after)", statistic):
            grades.setdefault("_".join(match.groups()), []).append(statistic)
        elif match := re.fullmatch(r"(?!pgic).*_(better|worse)", statistic):
            sides.setdefault(match.group(1), []).append(statistic)
    for members in grades.values():
        ledger.split(base[members[0]], [by[s] for s in members])
    for members in sides.values():  # who is beyond a far threshold is beyond a near one
        ordered = sorted(members, key=lambda s: ledger.values[by[s]])
        for inner, outer in pairwise(ordered):
            ledger.split(by[outer], [by[inner]], nested=True)
    if {"better", "worse"} <= set(sides):
        widest = [max(sides[s], key=lambda t: ledger.values[by[t]]) for s in ("better", "worse")]
        ledger.split(base[widest[0]], [by[s] for s in widest], nested=True)


def _enter_families(
    ledger: Ledger,
    part: pd.DataFrame,
    outcome: str,
    comparison: str,
    people: list[Hashable | None],
    counts: list[Hashable | None],
) -> None:
    """Tie the groups of each family to everyone: people, starters and each share."""
    groups = part[part["group"] != "all"]
    family = groups["group"].str.split(": ").str[0]
    whole = {r.statistic: int(r.Index) for r in part[part["group"] == "all"].itertuples()}
    for _, members in groups.groupby(family, sort=False):
        labels = list(dict.fromkeys(members["group"]))
        ledger.split(
            _people(outcome, comparison, "all"), [_people(outcome, comparison, g) for g in labels]
        )
        ledger.split(EVERYONE, [("of", g) for g in labels])
        ledger.split(
            _lost(outcome, comparison, "all"), [_lost(outcome, comparison, g) for g in labels]
        )
        for statistic, rows in members.groupby("statistic", sort=False):
            at = whole.get(statistic)
            if at is None or counts[at] is None:
                continue
            ledger.split(counts[at], [counts[i] for i in rows.index if counts[i]])
            ledger.split(people[at], [people[i] for i in rows.index if people[i]])


def enter_flow(
    ledger: Ledger,
    frame: pd.DataFrame,
    items: Mapping[str, tuple[str, str]],
    names: Names,
) -> None:
    """Enter the steps of the people; rows, cells and the gate stand alone."""
    people: list[Hashable | None] = [None] * len(frame)
    started: list[Hashable | None] = [None] * len(frame)
    for (account, item), part in frame.groupby(["account", "item"], sort=False):
        if account != "people":
            # A total of rows is printed as the sum of its printed parts: it says nothing more.
            for row in part.itertuples():
                if not np.isnan(row.n) and row.step != IN_THE_FILE:
                    people[row.Index] = ledger.add(
                        ("flow", account, item, row.step), row.n, Worth.STEP
                    )
                if account == "column" and not np.isnan(row.of):
                    filled = ("flow", account, item, row.step, "of")
                    started[row.Index] = ledger.add(filled, row.of, Worth.STEP)
            continue
        outcome, comparison = items.get(item, (str(item), "only in flow"))
        n, lost = _people(outcome, comparison, "all"), _lost(outcome, comparison, "all")
        steps: dict[str, Hashable] = {}
        for row in part[part["n"].notna()].itertuples():
            if row.step == STARTED:
                name = ledger.add(EVERYONE, row.n, Worth.STARTED)
            elif row.step == ANALYSED:
                name = ledger.add(n, row.n, Worth.ANALYSED)
            elif row.step == NOT_ANALYSED:
                name = ledger.add(lost, row.n, Worth.LOST)
            else:
                # One window before may serve several comparisons: equal counts are one count.
                name = ledger.add(("flow", outcome, row.step, int(row.n)), row.n, Worth.STEP)
            people[row.Index], steps[row.step] = name, name
            if not np.isnan(row.of):
                started[row.Index] = ledger.add(EVERYONE, row.of, Worth.STARTED)
        _enter_steps(ledger, steps, n, lost)
        for name in steps.values():
            if name not in (EVERYONE, n, lost) and EVERYONE in ledger.values:
                ledger.split(EVERYONE, [name], nested=True)
    names["flow", "n"], names["flow", "of"] = people, started


def _enter_steps(
    ledger: Ledger, steps: Mapping[str, Hashable], n: Hashable, lost: Hashable
) -> None:
    if EVERYONE in ledger.values and n in ledger.values and lost in ledger.values:
        ledger.split(EVERYONE, [n, lost])
        _enter_sides(ledger, steps, n)
    for side in ("before", "after"):
        chain = [steps.get(ANY_RECORD[side]), steps.get(COMPLETE[side])]
        chain.append(n if n in ledger.values else None)
        known = [c for c in chain if c is not None]
        for outer, inner in pairwise(known):
            ledger.split(outer, [inner], nested=True)


def _enter_sides(ledger: Ledger, steps: Mapping[str, Hashable], n: Hashable) -> None:
    """Tie together who is complete on both sides, on one of them and on none."""
    sides = [steps.get(COMPLETE[side]) for side in ("before", "after")]
    known = [s for s in sides if s is not None and ledger.values[s] >= ledger.values[n]]
    if len(known) == len(sides):
        one = [ledger.split(s, [n], nested=True) for s in known]
        ledger.split(EVERYONE, [n, *(o for o in one if o is not None)], nested=True)


def enter_outcomes(ledger: Ledger, table: str, frame: pd.DataFrame, names: Names) -> None:
    """Enter n of the window means, or the bins of the histograms."""
    out: list[Hashable | None] = [None] * len(frame)
    for (outcome, comparison), part in frame.groupby(["outcome", "comparison"], sort=False):
        whole = _people(outcome, comparison, "all")
        if table == "change_histogram":
            bins = []
            for row in part.itertuples():
                cell = ("bin", outcome, comparison, row.bin_low)
                out[row.Index] = ledger.add(cell, row.n, Worth.CELL)
                bins.append(cell)
            ledger.split(ledger.add(whole, part["n"].sum()), bins)
            continue
        for row in part.itertuples():
            same = ledger.values.get(whole, int(row.n)) == int(row.n)
            name = whole if same else ("n", table, outcome, comparison, row.window)
            out[row.Index] = ledger.add(name, row.n, Worth.ANALYSED)
            if not same:
                ledger.split(whole, [name], nested=True)
    names[table, "n"] = out


def enter_individual(ledger: Ledger, frame: pd.DataFrame, names: Names) -> None:
    """Enter the cross-table; its margins are shares of the cohort."""
    out: list[Hashable | None] = [None] * len(frame)
    of: list[Hashable | None] = [None] * len(frame)
    for (outcome, comparison), part in frame.groupby(["outcome", "comparison"], sort=False):
        whole = ledger.add(_people(outcome, comparison, "all"), part["of"].iloc[0], Worth.ANALYSED)
        cells: dict[tuple[str, str], Hashable] = {}
        for index, r in part.to_dict("index").items():
            at = (r["class"], r["response"])
            cells[at] = ledger.add(("cell", outcome, comparison, *at), r["n"], Worth.CELL)
            out[index], of[index] = cells[at], whole
            if at[1] == NEITHER and at[0] != UNCHANGED and not r["n"]:
                # Who changed beyond the noise changed by a third, where there was little before.
                ledger.narrow(cells[at], 0, 0)
        ledger.split(whole, cells.values())
        rows: dict[str, Hashable] = {}
        for axis in (0, 1):
            for kind in dict.fromkeys(at[axis] for at in cells):
                own = [name for at, name in cells.items() if at[axis] == kind]
                rows[kind] = ledger.add(
                    ("margin", outcome, comparison, kind), sum(ledger.values[c] for c in own)
                )
                ledger.split(rows[kind], own)

        def share(statistic: str, outcome: str = outcome, comparison: str = comparison) -> Hashable:
            return ("count", outcome, comparison, "all", statistic)

        for statistic, kinds in (
            ("reliable_recovered", ("recovered",)),
            ("reliable_improved", ("recovered", "improved")),
            ("reliable_unchanged", ("unchanged",)),
            ("reliable_deteriorated", ("deteriorated",)),
            ("responders_50", (HALF_BETTER,)),
            ("responders_30", (HALF_BETTER, THIRD_BETTER)),
            ("worsened_30", (THIRD_WORSE,)),
        ):
            if share(statistic) in ledger.values and all(k in rows for k in kinds):
                ledger.split(share(statistic), [rows[k] for k in kinds])
                ledger.split(
                    share(statistic), [c for at, c in cells.items() if set(at) & set(kinds)]
                )
        positive = [
            name
            for name in ledger.values
            if isinstance(name, tuple) and name[:4] == ("n", outcome, comparison, "all")
        ]
        for name in positive:
            if name != whole and NO_RELATIVE_CHANGE in rows:
                ledger.split(whole, [name, rows[NO_RELATIVE_CHANGE]])
    names["individual", "n"], names["individual", "of"] = out, of


def enter_lost(
    ledger: Ledger, frame: pd.DataFrame, cohort: pd.DataFrame | None, names: Names
) -> None:
    """Enter who was lost and analysed, by characteristic; its levels are groups of the cohort."""
    main = cohort[cohort["primary"]] if cohort is not None else None
    at = ("", "only in lost")
    if main is not None and len(main):
        at = (str(main["outcome"].iloc[0]), str(main["comparison"].iloc[0]))
    of = {
        "analysed": (_people(*at, "all"), Worth.ANALYSED),
        "lost": (_lost(*at, "all"), Worth.LOST),
    }
    for side in of:
        for column in ("n", "of", "count"):
            names["lost", f"{column}_{side}"] = [None] * len(frame)
    for characteristic, part in frame.groupby("characteristic", sort=False):
        for side, (whole, worth) in of.items():
            total = ledger.add(whole, part[f"of_{side}"].iloc[0], worth)
            n = int(part[f"n_{side}"].iloc[0])
            known = total
            if n != ledger.values[total]:
                known = ledger.add(("known", characteristic, side), n, Worth.LOST)
                ledger.split(total, [known], nested=True)
            levels = []
            for i, r in part.to_dict("index").items():
                names["lost", f"of_{side}"][i] = total
                names["lost", f"n_{side}"][i] = known
                if np.isnan(r[f"count_{side}"]):
                    continue
                group = f"{characteristic}: {r['level']}"
                kind = _people if side == "analysed" else _lost
                name = kind(*at, group)
                if ledger.values.get(name) != int(r[f"count_{side}"]):
                    name = ("level", characteristic, r["level"], side)
                ledger.add(name, r[f"count_{side}"], Worth.CELL)
                names["lost", f"count_{side}"][i] = name
                rest = ledger.split(known, [name], nested=True)
                if rest is not None and ledger.preset.hides(ledger.values[rest]):
                    ledger.hidden.add(name)
                levels.append(name)
            ledger.split(known, levels)
            if characteristic == f"{at[0]}_before" and side == "lost":
                _enter_before(ledger, at, known)


def _enter_before(ledger: Ledger, at: tuple[str, str], known: Hashable) -> None:
    """Tie the lost with a value before to `complete_before` of the flow of people."""
    whole = _people(*at, "all")
    wanted = ledger.values[known] + ledger.values[whole]
    complete = ("flow", at[0], COMPLETE["before"], wanted)
    if complete in ledger.values:
        ledger.split(complete, [whole, known])
