"""A clinic's tables -> what may be printed of them: the only door to `results/`.

Rules that hold in every preset but `internal` and `public`:

- a statistic on a small number of people is hidden with that number;
- a share is hidden where its count or the count of the others is small, and is computed again,
  with its interval, from rounded counts;
- 0 is printed where the number of people it is out of is printed;
- totals are the sums of rounded parts, or are rounded themselves;
- whatever else a small number would follow from is hidden too (`headway.disclosure.suppress`);
- an estimate is printed no finer than its number of people lets it be: from a mean to twelve
  digits, or from an interval and a standard deviation, the exact number can be worked out. Where
  counts are rounded, an interval is that of the fewest people whose number is printed so, and
  is never narrower than the one computed;
- quartiles need more people per quarter than the threshold; no minimum, maximum or single
  person's line is released.

OpenSAFELY and NHS Digital ask for no rounding of standard errors, intervals and coefficients
("analytical results ... generally do not present any disclosure risk"; NHS HES rules). Here they
are held to the same test as counts, since a clinic is small.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.disclosure import precision, rederive, relations
from headway.disclosure.presets import Preset, explain
from headway.disclosure.statistics import SHAPES, enter_statistics, release_statistics
from headway.disclosure.suppress import Ledger
from headway.disclosure.survival import CURVES, enter_curve, release_survival
from headway.messages import read, withhold
from headway.outcomes.change.attrition import newcombe_interval
from headway.outcomes.change.change import wilson
from headway.tables import conform

if TYPE_CHECKING:
    import pandas as pd

    Names = dict[tuple[str, str], list[Hashable | None]]

NAN = float("nan")
EVERYONE: Hashable = ("of", "all")
# Worth of counts to a reader, cheapest first.
_STEP, _LOST, _CELL, _GROUP, _SHARE, _ANALYSED, _STARTED, _PRIMARY = range(8)
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
_NUMBERS = ["estimate", "ci_low", "ci_high", "count"]
# Statistics of everyone who started.
_OF_STARTED = ("bound_", "completeness_")


def release(tables: Mapping[str, pd.DataFrame], preset: Preset) -> dict[str, pd.DataFrame]:
    """Apply a preset to all of a clinic's tables at once.

    Parameters
    ----------
    tables
        `cohort`, `flow`, `individual`, `lost`, `window_means`, `change_histogram`,
        `change_lines` as the outcomes room makes them, and the tables of `SHAPES` and `CURVES`.
        Counts of one table bear on those of another, so they belong into one call.

    Returns
    -------
    dict of DataFrame
        The same tables, fit to be written to `results/`. Any other table is an error: a table
        without a rule does not pass.
    """
    unknown = sorted(set(tables) - set(RULES))
    if unknown:
        raise KeyError(f"no disclosure rule for the table(s): {', '.join(unknown)}")
    if preset.open:
        return {name: conform(name, frame.copy()) for name, frame in tables.items()}
    own = {name: frame.copy().reset_index(drop=True) for name, frame in tables.items()}
    if "change_histogram" in own:
        own["change_histogram"] = _collapse(own["change_histogram"], preset)
    ledger = Ledger(preset)
    names = enter(ledger, own)
    ledger.protect()
    out = {name: RULES[name](frame.copy(), names, ledger) for name, frame in own.items()}
    rederive.follow(out, own, preset)
    return {name: conform(name, frame) for name, frame in out.items()}


def enter(ledger: Ledger, tables: Mapping[str, pd.DataFrame]) -> Names:
    """Enter every count of the tables into the ledger, with what ties them together.

    Returns
    -------
    dict
        (table, column) -> the name of each row's count, None where there is none.
    """
    names: Names = {}
    items: dict[str, tuple[str, str]] = {}
    if "cohort" in tables:
        items = _enter_cohort(ledger, tables["cohort"], names)
    if "flow" in tables:
        _enter_flow(ledger, tables["flow"], items, names)
    for table in ("window_means", "change_histogram"):
        if table in tables:
            _enter_outcomes(ledger, table, tables[table], names)
    if "individual" in tables:
        _enter_individual(ledger, tables["individual"], names)
    if "lost" in tables:
        _enter_lost(ledger, tables["lost"], tables.get("cohort"), names)
    for table in [t for t in SHAPES if t in tables]:
        enter_statistics(ledger, table, tables[table], names)
        relations.tie(ledger, table, tables[table], names)
    for table in [t for t in CURVES if t in tables]:
        enter_curve(ledger, table, tables[table], names)
    return names


# What goes into the ledger


def _people(outcome: str, comparison: str, group: str) -> Hashable:
    return ("n", outcome, comparison, group)


def _lost(outcome: str, comparison: str, group: str) -> Hashable:
    return ("lost", outcome, comparison, group)


def _enter_cohort(ledger: Ledger, frame: pd.DataFrame, names: Names) -> dict[str, tuple[str, str]]:
    """Enter n, of and count of every row; returns outcome and comparison by item of `flow`."""
    people: list[Hashable | None] = [None] * len(frame)
    started: list[Hashable | None] = [None] * len(frame)
    counts: list[Hashable | None] = [None] * len(frame)
    items = {}
    keys = ["outcome", "comparison", "group"]
    for (outcome, comparison, group), part in frame.groupby(keys, sort=False):
        whole = group == "all"
        of = EVERYONE if whole else ("of", group)
        ledger.add(of, part["of"].iloc[0], _STARTED if whole else _GROUP)
        top = int(part["n"].max())
        main = part["primary"].any()
        worth = _PRIMARY if main else _ANALYSED if whole else _GROUP
        own = part[~part["statistic"].str.startswith(_OF_STARTED)]
        if len(own):
            top = int(own["n"].max())
            name = ledger.add(_people(outcome, comparison, group), top, worth)
            lost = ledger.add(_lost(outcome, comparison, group), ledger.values[of] - top)
            ledger.split(of, [name, lost])
        for row in part.itertuples():
            i, n = int(row.Index), int(row.n)
            started[i] = of
            if row.statistic.startswith(_OF_STARTED):
                people[i] = of
                continue
            people[i] = name
            if n < top:  # some of these people: those with a value before above 0, say
                people[i] = ledger.add(("n", outcome, comparison, group, n), n, worth)
                ledger.split(name, [people[i]])
            if not np.isnan(row.count):
                cell = ("count", outcome, comparison, group, row.statistic)
                counts[i] = ledger.add(cell, row.count, _SHARE if whole else _GROUP)
                rest = ledger.split(people[i], [cell], nested=True)
                if rest is not None and ledger.preset.hides(ledger.values[rest]):
                    ledger.hidden.add(cell)
        by = {r.statistic: counts[int(r.Index)] for r in part.itertuples() if counts[int(r.Index)]}
        base = {r.statistic: people[int(r.Index)] for r in part.itertuples()}
        _enter_shares(ledger, by, base)
        if whole:
            items[f"{outcome}: {comparison}"] = (outcome, comparison)
    for (outcome, comparison), part in frame.groupby(["outcome", "comparison"], sort=False):
        _enter_families(ledger, part, outcome, comparison, people, counts)
    names["cohort", "n"], names["cohort", "of"] = people, started
    names["cohort", "count"] = counts
    for r in frame.to_dict("records"):
        if r["primary"] and not r["statistic"].startswith(_OF_STARTED):
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
        if name[1] in ("intensity", "duration") and whole in ledger.values:
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


def _enter_flow(
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
                if not np.isnan(row.n) and row.step != "in_the_file":
                    people[row.Index] = ledger.add(("flow", account, item, row.step), row.n, _STEP)
            continue
        outcome, comparison = items.get(item, (str(item), "only in flow"))
        n, lost = _people(outcome, comparison, "all"), _lost(outcome, comparison, "all")
        steps: dict[str, Hashable] = {}
        for row in part[part["n"].notna()].itertuples():
            if row.step == "started":
                name = ledger.add(EVERYONE, row.n, _STARTED)
            elif row.step == "analysed":
                name = ledger.add(n, row.n, _ANALYSED)
            elif row.step == "not_analysed":
                name = ledger.add(lost, row.n, _LOST)
            else:
                # One window before may serve several comparisons: equal counts are one count.
                name = ledger.add(("flow", outcome, row.step, int(row.n)), row.n, _STEP)
            people[row.Index], steps[row.step] = name, name
            if not np.isnan(row.of):
                started[row.Index] = ledger.add(EVERYONE, row.of, _STARTED)
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
        chain = [steps.get(f"any_record_{side}"), steps.get(f"complete_{side}")]
        chain.append(n if n in ledger.values else None)
        known = [c for c in chain if c is not None]
        for outer, inner in pairwise(known):
            ledger.split(outer, [inner], nested=True)


def _enter_sides(ledger: Ledger, steps: Mapping[str, Hashable], n: Hashable) -> None:
    """Tie together who is complete on both sides, on one of them and on none."""
    sides = [steps.get(f"complete_{side}") for side in ("before", "after")]
    known = [s for s in sides if s is not None and ledger.values[s] >= ledger.values[n]]
    if len(known) == len(sides):
        one = [ledger.split(s, [n], nested=True) for s in known]
        ledger.split(EVERYONE, [n, *(o for o in one if o is not None)], nested=True)


def _enter_outcomes(ledger: Ledger, table: str, frame: pd.DataFrame, names: Names) -> None:
    """Enter n of the window means, or the bins of the histograms."""
    out: list[Hashable | None] = [None] * len(frame)
    for (outcome, comparison), part in frame.groupby(["outcome", "comparison"], sort=False):
        whole = _people(outcome, comparison, "all")
        if table == "change_histogram":
            bins = []
            for row in part.itertuples():
                cell = ("bin", outcome, comparison, row.bin_low)
                out[row.Index] = ledger.add(cell, row.n, _CELL)
                bins.append(cell)
            ledger.split(ledger.add(whole, part["n"].sum()), bins)
            continue
        for row in part.itertuples():
            same = ledger.values.get(whole, int(row.n)) == int(row.n)
            name = whole if same else ("n", table, outcome, comparison, row.window)
            out[row.Index] = ledger.add(name, row.n, _ANALYSED)
            if not same:
                ledger.split(whole, [name], nested=True)
    names[table, "n"] = out


def _enter_individual(ledger: Ledger, frame: pd.DataFrame, names: Names) -> None:
    """Enter the cross-table; its margins are shares of the cohort."""
    out: list[Hashable | None] = [None] * len(frame)
    of: list[Hashable | None] = [None] * len(frame)
    for (outcome, comparison), part in frame.groupby(["outcome", "comparison"], sort=False):
        whole = ledger.add(_people(outcome, comparison, "all"), part["of"].iloc[0], _ANALYSED)
        cells: dict[tuple[str, str], Hashable] = {}
        for row in part.to_dict("index").items():
            index, r = row
            at = (r["class"], r["response"])
            cells[at] = ledger.add(("cell", outcome, comparison, *at), r["n"], _CELL)
            out[index], of[index] = cells[at], whole
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
            ("responders_50", ("at_least_50_better",)),
            ("responders_30", ("at_least_50_better", "from_30_to_50_better")),
            ("worsened_30", ("at_least_30_worse",)),
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
            if name != whole and "no_relative_change" in rows:
                ledger.split(whole, [name, rows["no_relative_change"]])
    names["individual", "n"], names["individual", "of"] = out, of


def _enter_lost(
    ledger: Ledger, frame: pd.DataFrame, cohort: pd.DataFrame | None, names: Names
) -> None:
    """Enter who was lost and analysed, by characteristic; its levels are groups of the cohort."""
    main = cohort[cohort["primary"]] if cohort is not None else None
    at = ("", "only in lost")
    if main is not None and len(main):
        at = (str(main["outcome"].iloc[0]), str(main["comparison"].iloc[0]))
    of = {
        "analysed": (_people(*at, "all"), _ANALYSED),
        "lost": (_lost(*at, "all"), _LOST),
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
                known = ledger.add(("known", characteristic, side), n, _LOST)
                ledger.split(total, [known], nested=True)
            levels = []
            for row in part.to_dict("index").items():
                i, r = row
                names["lost", f"of_{side}"][i] = total
                names["lost", f"n_{side}"][i] = known
                if np.isnan(r[f"count_{side}"]):
                    continue
                group = f"{characteristic}: {r['level']}"
                kind = _people if side == "analysed" else _lost
                name = kind(*at, group)
                if ledger.values.get(name) != int(r[f"count_{side}"]):
                    name = ("level", characteristic, r["level"], side)
                ledger.add(name, r[f"count_{side}"], _CELL)
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
    complete = ("flow", at[0], "complete_before", wanted)
    if complete in ledger.values:
        ledger.split(complete, [whole, known])


# What comes out


def _marks(names: Names, ledger: Ledger, table: str, column: str) -> np.ndarray:
    """Which rows' counts are hidden."""
    return np.array([n is not None and n in ledger.hidden for n in names[table, column]], bool)


def release_cohort(frame: pd.DataFrame, names: Names, ledger: Ledger) -> pd.DataFrame:
    """Hide statistics on few people; compute shares again; print estimates no finer than safe."""
    preset = ledger.preset
    hidden, of = (_marks(names, ledger, "cohort", c) for c in ("n", "of"))
    part = _marks(names, ledger, "cohort", "count")
    exact = frame["n"].copy()
    n = exact.map(preset.round)
    count = frame["count"].map(preset.round).clip(upper=n)
    share = (frame["unit"].eq("percent") & count.notna()).to_numpy(dtype=bool)
    again = share & ~hidden & ~part
    low, high = wilson(count[again], n[again])
    frame.loc[again, "estimate"] = 100 * count[again] / n[again]
    frame.loc[again, "ci_low"], frame.loc[again, "ci_high"] = 100 * low, 100 * high
    columns = ("estimate", "ci_low", "ci_high")
    precision.widen(frame, ~share, columns, exact, preset)
    decimals = precision.find_decimals(frame["unit"], frame["estimate"])
    precision.coarsen(frame, ~share, columns, decimals)
    frame["n"], frame["of"], frame["count"] = n, frame["of"].map(preset.round), count
    _rewrite_notes(frame, frame["note"].notna(), withhold)
    frame.loc[hidden | part, _NUMBERS] = NAN
    frame.loc[hidden, "n"] = NAN
    frame.loc[of, "of"] = NAN
    _redact(frame, hidden | part, preset)
    return frame


def _redact(frame: pd.DataFrame, hidden: np.ndarray, preset: Preset) -> None:
    frame["redacted"] = hidden
    frame.loc[hidden, "note"] = explain(preset)


def release_flow(frame: pd.DataFrame, names: Names, ledger: Ledger) -> pd.DataFrame:
    """Hide and round counts of rows and people; a total is the sum of its printed parts."""
    preset = ledger.preset
    hidden, of = (_marks(names, ledger, "flow", c) for c in ("n", "of"))
    frame["n"] = frame["n"].map(preset.round).mask(hidden)
    frame["of"] = frame["of"].map(preset.round).mask(of)
    for item, part in frame[frame["account"] == "rows"].groupby("item", sort=False):
        total = part.index[part["step"] == "in_the_file"]
        value = float(part["n"].drop(total).fillna(0).sum())
        frame.loc[total, "n"] = value
        frame.loc[frame["item"].eq(item) & frame["account"].eq("rows"), "of"] = value
    # Remarks on files count rows, cells and resources as they are.
    files = frame["account"].ne("people") & frame["note"].notna()
    _rewrite_notes(frame, files, _without_numbers)
    _redact(frame, hidden, preset)
    return frame


def _rewrite_notes(frame: pd.DataFrame, rows: pd.Series, rewrite: Callable[[str], str]) -> None:
    if rows.any():
        frame.loc[rows, "note"] = frame.loc[rows, "note"].map(rewrite)


def _without_numbers(note: str) -> str:
    return re.sub(r"\d+", "n", note) if read(note) is None else withhold(note)


def release_window_means(frame: pd.DataFrame, names: Names, ledger: Ledger) -> pd.DataFrame:
    """Hide means of few people, and quartiles whose quarters hold few."""
    preset = ledger.preset
    hidden = _marks(names, ledger, "window_means", "n")
    quarters = frame["n"] <= 4 * preset.redact_up_to
    columns = ("mean", "ci_low", "ci_high")
    precision.widen(frame, ~hidden, columns, frame["n"], preset)
    precision.coarsen(frame, ~hidden, (*columns, "p25", "p75"), np.ones(len(frame), int))
    frame.loc[hidden, ["mean", "ci_low", "ci_high", "n"]] = NAN
    frame.loc[hidden | quarters, ["p25", "p75"]] = NAN
    frame["n"] = frame["n"].map(preset.round)
    frame["redacted"] = hidden
    return frame


def release_histogram(frame: pd.DataFrame, names: Names, ledger: Ledger) -> pd.DataFrame:
    """Hide and round the counts of bins; their tails are collapsed before."""
    hidden = _marks(names, ledger, "change_histogram", "n")
    frame["n"] = frame["n"].map(ledger.preset.round).mask(hidden)
    frame["redacted"] = hidden
    return frame


def _collapse(frame: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """Add up the bins of both tails of every histogram.

    A tail's bins are added up from the end until they hold more people than the threshold, since
    the last bins would print the smallest and the largest change. The collapsed bin is open
    (`bin_low` -inf, `bin_high` inf).
    """
    import pandas as pd

    parts = [frame.iloc[:0]]
    for _, part in frame.groupby(["outcome", "comparison"], sort=False):
        parts.append(_collapse_tails(part.reset_index(drop=True), preset))
    return pd.concat(parts, ignore_index=True)


def _collapse_tails(part: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """Add up the bins of each tail until the tail is large enough; empty if it never is."""
    n = part["n"].to_numpy()
    left = np.flatnonzero(np.cumsum(n) > preset.redact_up_to)
    right = np.flatnonzero(np.cumsum(n[::-1]) > preset.redact_up_to)
    if not len(left):
        return part.iloc[:0].copy()
    first, last = int(left[0]), len(n) - 1 - int(right[0])
    if first >= last:  # the two tails meet: one bin would say no more than n does
        return part.iloc[:0].copy()
    out = part.iloc[first : last + 1].copy().reset_index(drop=True)
    out.loc[0, ["bin_low", "n"]] = [-np.inf, n[: first + 1].sum()]
    out.loc[len(out) - 1, ["bin_high", "n"]] = [np.inf, n[last:].sum()]
    return out


def release_individual(frame: pd.DataFrame, names: Names, ledger: Ledger) -> pd.DataFrame:
    """Hide and round the cells of the cross-table."""
    hidden, of = (_marks(names, ledger, "individual", c) for c in ("n", "of"))
    frame["n"] = frame["n"].map(ledger.preset.round).mask(hidden)
    frame["of"] = frame["of"].map(ledger.preset.round).mask(of)
    frame["redacted"] = hidden
    return frame


def release_lost(frame: pd.DataFrame, names: Names, ledger: Ledger) -> pd.DataFrame:
    """Hide a characteristic where a number of either side is; shares again from rounded counts."""
    preset, sides = ledger.preset, ("analysed", "lost")
    hidden = np.zeros(len(frame), bool)
    for column in ("n", "of", "count"):
        for side in sides:
            hidden |= _marks(names, ledger, "lost", f"{column}_{side}")
    share = frame["measure"].eq("percent").to_numpy(dtype=bool)
    mean = ~share & ~hidden
    numbers = [c for c in frame.columns if frame[c].dtype == "float64"]
    for side in sides:
        for column in ("n", "of", "count"):
            frame[f"{column}_{side}"] = frame[f"{column}_{side}"].map(preset.round)
        frame[f"count_{side}"] = frame[f"count_{side}"].clip(upper=frame[f"n_{side}"])
    again = share & ~hidden
    for side in sides:
        frame.loc[again, f"value_{side}"] = 100 * frame[f"count_{side}"] / frame[f"n_{side}"]
    if preset.round_to > 1 and again.any():
        low, high = newcombe_interval(
            *(frame.loc[again, c] for c in ("count_lost", "n_lost", "count_analysed", "n_analysed"))
        )
        frame.loc[again, "difference"] = frame["value_lost"] - frame["value_analysed"]
        frame.loc[again, "ci_low"], frame.loc[again, "ci_high"] = 100 * low, 100 * high
        frame.loc[again, "standardised_difference"] = NAN
    for column, decimals in (
        ("value_analysed", 1),
        ("value_lost", 1),
        ("difference", 1),
        ("ci_low", 1),
        ("ci_high", 1),
        ("standardised_difference", 2),
    ):
        frame.loc[mean, column] = frame.loc[mean, column].round(decimals)
    frame.loc[hidden, numbers] = NAN
    frame["redacted"] = hidden
    return frame


def release_lines(frame: pd.DataFrame, names: Names, ledger: Ledger) -> pd.DataFrame:
    """Release no single person's line (the open presets do not come here)."""
    return frame.iloc[:0]


Rule = Callable[..., Any]
RULES: dict[str, Rule] = {
    "cohort": release_cohort,
    "flow": release_flow,
    "individual": release_individual,
    "lost": release_lost,
    "window_means": release_window_means,
    "change_histogram": release_histogram,
    "change_lines": release_lines,
    **{
        name: lambda frame, names, ledger, name=name: release_statistics(name, frame, names, ledger)
        for name in SHAPES
    },
    **{
        name: lambda frame, names, ledger, name=name: release_survival(name, frame, names, ledger)
        for name in CURVES
    },
}
