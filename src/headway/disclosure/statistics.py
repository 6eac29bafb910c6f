"""Rows with n, of, count and an estimate: one rule for every table of that shape.

A table that is listed in `SHAPES` is released with the others: its counts enter the same ledger,
so that a number hidden in one table does not follow from another.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.disclosure import precision
from headway.disclosure.presets import Preset, explain, explain_small
from headway.disclosure.suppress import EVERYONE, POSSIBLE, Ledger, Names, Worth
from headway.messages import Message, join, withhold
from headway.outcomes.change.change import wilson
from headway.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

NAN = float("nan")
_REPEATED = ("safety", "cost")  # tables whose shares are claims again


@dataclass(frozen=True, slots=True)
class Shape:
    """Which columns of a table hold what.

    Attributes
    ----------
    by
        Columns that say what a row is about, the group left out.
    group
        Column of the group of people; the row `all` holds everyone, and the groups of a family
        ("technique: manual", "technique: dry_needling") add up to it. Empty: no groups.
    n, of, count
        Columns of the number a row stands on, of those it is out of, and of those with the
        property; an empty name where the table has none.
    numbers
        Estimate, lower and upper limit; more columns may follow and are hidden with them.
    intervals
        Triplets of estimate and limits, which are widened where counts are rounded; the first
        three of `numbers` where it is None.
    decimals
        Decimals of estimates that are not shares; None: by their unit.
    fine
        Of `numbers`, those that are printed to two decimals (p values, logarithms).
    people
        Further columns of numbers of people: a row is hidden where one is small.
    same
        Columns within which rows on an equal number stand on the same people, beside the group.
    keep
        Whether a row stays, without its n, where n is large and is hidden only since a small
        number would follow from it.
    nested
        Whether rows are ways to choose among the people: of two that differ in one column of the
        key, the one on more people holds the other.
    mixed
        Column and two values: a row with the first is the row with the second (all other columns
        of `by` equal) times n of that row over its own, so that the people between follow.
    words
        Columns of text that follow from the numbers, and what they say of a hidden row.
    only
        Column and value of the rows about this clinic; the others are published and pass.
    """

    by: tuple[str, ...] = ()
    group: str = ""
    n: str = "n"
    of: str = "of"
    count: str = "count"
    numbers: tuple[str, ...] = ("estimate", "ci_low", "ci_high")
    intervals: tuple[tuple[str, ...], ...] | None = None
    decimals: int | None = None
    fine: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    same: tuple[str, ...] | None = None
    keep: bool = False
    nested: bool = False
    mixed: tuple[str, str, str] | None = None
    words: tuple[tuple[str, str | bool | None], ...] = ()
    only: tuple[str, str] | None = None


def read_shape(table: str, **more: Any) -> Shape:
    """Find the shape of a table in its contract; `more` says what the contract does not."""
    spec = TABLES[table]
    rules = {name: column.disclosure for name, column in spec.columns.items()}
    estimates = {c: r for c, r in rules.items() if r.n and spec.columns[c].kind == "float"}
    intervals = tuple((c, *r.limits) for c, r in estimates.items() if r.limits)
    plain = {r.decimals for r in estimates.values() if not r.again} - {2}
    digits = [d for d in plain if d is not None]
    verdicts = tuple((c, False) for c, r in rules.items() if r.n and spec.columns[c].kind == "bool")
    names = {c: c if c in rules else "" for c in ("group", "n", "of", "count")}
    found = {
        "by": tuple(k for k in spec.key if k != "group"),
        "numbers": tuple(dict.fromkeys([*(c for i in intervals for c in i), *estimates])),
        "intervals": intervals,
        "decimals": digits[0] if len(digits) == len(plain) == 1 else None,
        "fine": tuple(c for c, r in estimates.items() if r.decimals == 2),
        "only": spec.own,
        "words": verdicts + more.pop("words", ()),
        "same": (),
    }
    return Shape(**(found | names | more))


# Table -> its shape. To release a further table of this kind, give it a contract in
# `headway.tables` with the columns `redacted` and `note`, and list it here with what is special.
_SPECIAL: dict[str, dict[str, Any]] = {
    "expected": {"keep": True, "nested": True},
    "sensitivity": {
        "keep": True,
        "nested": True,
        "mixed": ("id", "baseline_carried_forward", "complete_pairs"),
    },
    "checks": {"same": None},
    "specifications": {
        "keep": True,
        "nested": True,
        "mixed": ("lost", "baseline_carried_forward", "complete_pairs"),
    },
    "traps": {"same": None, "words": (("detail", None),)},
    "safety": {"same": ("harm", "reported", "per"), "people": ("patients",)},
    "cost": {"keep": True},
    "cost_plane": {"keep": True},
    "benchmark": {},
    "relapse": {},
    "control_chart": {"same": None},
    "funnel": {"same": None},
    "dose": {"keep": True, "nested": True},
    "claims": {
        "same": ("row", "part"),
        "people": ("patients",),
        "keep": True,
        "words": (("verdict", "cannot tell"), ("reason", Message("withheld.reason"))),
    },
}
SHAPES = {table: read_shape(table, **more) for table, more in _SPECIAL.items()}

N_WITHHELD = Message("withheld.n")
# Columns of remarks, whose messages hold numbers of people (`headway.messages.withhold`).
_REMARKS = ("note", "reason", "detail")


def enter_statistics(
    ledger: Ledger,
    table: str,
    frame: pd.DataFrame,
    names: Names,
    shape: Shape | None = None,
) -> None:
    """Enter n, of and count of every row of a table into the ledger.

    A row of the whole clinic (`same` is empty) on as many people as the primary change or as all
    who started stands on those; other numbers of the whole clinic are parts of those who started.
    A claim on the same n and count as a row of safety or cost is that
    row again, and one on a technique is about that group of the cohort.
    """
    shape = shape or SHAPES[table]
    kept: dict[str, list[Hashable | None]] = {c: [None] * len(frame) for c in ("n", "of", "count")}
    kept |= {c: [None] * len(frame) for c in shape.people}
    families: dict[tuple[object, ...], dict[str, dict[str, Hashable]]] = {}
    repeats = dict(ledger.rows) if table == "claims" else {}
    for i, r in enumerate(frame.to_dict("records")):
        if shape.only and r[shape.only[0]] != shape.only[1]:
            continue
        what = tuple(r[c] for c in shape.by)
        group = str(r[shape.group]) if shape.group else "all"
        before = repeats.get((r[shape.n], r[shape.count])) if shape.count else None
        if not np.isnan(r[shape.n]):
            at = before[0] if before else None
            kept["n"][i] = at or _name_people(ledger, table, r, group, shape)
            ledger.add(kept["n"][i], r[shape.n], Worth.STEP if shape.keep else Worth.ANALYSED)
        if shape.of and not np.isnan(r[shape.of]):
            name: Hashable = ("of", group)
            if ledger.values.get(name, int(r[shape.of])) != int(r[shape.of]):
                name = (table, group, "of", int(r[shape.of]))
            kept["of"][i] = ledger.add(name, r[shape.of], Worth.SHARE)
            if kept["n"][i] is not None:
                ledger.split(name, [kept["n"][i]], nested=True)
        if shape.count and not np.isnan(r[shape.count]):
            at = before[1] if before else None
            cell = ledger.add(at or (table, *what, group, "count"), r[shape.count], Worth.SHARE)
            kept["count"][i] = cell
            if kept["n"][i] is not None:
                rest = ledger.split(kept["n"][i], [cell], nested=True)
                if rest is not None and ledger.preset.hides(ledger.values[rest]):
                    ledger.hidden.add(cell)
            if group == "all" and table in _REPEATED:
                both = (kept["n"][i], kept["count"][i])
                ledger.rows.setdefault((r[shape.n], r[shape.count]), both)
        for column in shape.people:
            if not np.isnan(r[column]):
                own = tuple(r[c] for c in shape.by if c in (shape.same or ()) and c != "per")
                person = (table, "people", *own, group, int(r[column]))
                kept[column][i] = ledger.add(person, r[column], Worth.SHARE)
        for column in ("n", "of", "count"):
            if kept[column][i] is not None:
                families.setdefault((column, *what), {}).setdefault(
                    "" if group == "all" else group.split(": ")[0], {}
                )[group] = kept[column][i]
    for by in families.values():
        whole = by.get("", {}).get("all")
        for family, members in by.items():
            if family and whole is not None:
                ledger.split(whole, members.values())
    if shape.nested:
        _tie_choices(ledger, frame, TABLES[table].key, kept["n"])
    for column, own_names in kept.items():
        names[table, column] = own_names
        # Its note, or an estimate that stays, says that a hidden count is not small.
        ledger.told |= {m for m in own_names if m is not None}


def _name_people(
    ledger: Ledger, table: str, row: Mapping[str, Any], group: str, shape: Shape
) -> Hashable:
    n = int(row[shape.n])
    mine: Hashable = ("n", row.get("outcome"), row.get("comparison"), group)
    if ledger.primary is not None and str(row.get("part", "")).startswith("technique: "):
        mine = (*ledger.primary[:3], row["part"])  # type: ignore[index]
    elif ledger.primary is not None and "comparison" not in row and "outcome" in row:
        mine = ("n", row["outcome"], ledger.primary[2], group)  # type: ignore[index]
    if ledger.values.get(mine) == n:
        return mine
    if shape.same is None:
        return (table, *(row[c] for c in shape.by), group, "n")
    for whole in (EVERYONE, ledger.primary) if not shape.group else ():
        if whole is not None and ledger.values.get(whole) == n:
            return whole
    if shape.same:
        return (table, *(row[c] for c in shape.same), group, "n", n)
    name: Hashable = (table, "people", n)
    ledger.add(name, n)
    if ledger.values.get(EVERYONE, n) > n:
        ledger.split(EVERYONE, [name], nested=True)
    return name


def _tie_choices(
    ledger: Ledger, frame: pd.DataFrame, key: tuple[str, ...], names: list[Hashable | None]
) -> None:
    """State that of two ways to choose people that differ in one respect, one holds the other.

    Who is complete with more days is so with fewer; who has two windows before has the last.
    """
    near: dict[tuple[object, ...], dict[Hashable, None]] = {}
    for name, row in zip(names, frame[list(key)].astype(str).to_numpy(), strict=True):
        for i in range(len(key)) if name is not None else ():
            near.setdefault((i, *row[:i], *row[i + 1 :]), {})[name] = None
    for together in near.values():
        for one, other in combinations(together, 2):
            inner, outer = sorted((one, other), key=lambda m: ledger.values[m])
            if ledger.values[inner] < ledger.values[outer]:
                ledger.split(outer, [inner], nested=True)


def release_statistics(
    table: str,
    frame: pd.DataFrame,
    names: Names,
    ledger: Ledger,
    shape: Shape | None = None,
) -> pd.DataFrame:
    """Hide rows on small numbers, round counts, compute shares again from rounded counts.

    A share (`unit` percent with a count) gets a Wilson interval from the rounded counts where
    its interval was Wilson's; another method's limits are printed in whole percent. Other
    estimates are printed as `headway.disclosure.precision` says. Every row stays: a count that
    is hidden is written by `headway.disclosure.presets.write_count`.
    """
    shape, preset = shape or SHAPES[table], ledger.preset

    def gone(column: str) -> np.ndarray:
        return ledger.find_hidden(names[table, column])

    def small(column: str) -> np.ndarray:
        return np.array(
            [m is not None and preset.hides(ledger.values[m]) for m in names[table, column]], bool
        )

    people, part = gone("n"), gone("count")
    few = small("n") | small("count")
    for column in shape.people:
        few, part = few | small(column), part | gone(column)
    hidden = part | few | _find_mixed(frame, shape, people, preset)
    if not shape.keep:
        hidden = hidden | people
    elif shape.count:  # a share and its limits would give n back
        hidden = hidden | (people & frame[shape.count].notna().to_numpy(dtype=bool))
    estimate, low, high = (*shape.numbers, "", "", "")[:3]
    own = np.ones(len(frame), bool)
    if shape.only:
        own = frame[shape.only[0]].eq(shape.only[1]).to_numpy(dtype=bool)
    exact_n = frame[shape.n].copy()
    n = exact_n.map(preset.round).where(own, exact_n)
    share = np.zeros(len(frame), bool)
    if shape.count:
        count = frame[shape.count].map(preset.round).clip(upper=n)
        share = (count.notna() & (n > 0)).to_numpy(dtype=bool)
        if "unit" in frame:
            share = share & frame["unit"].eq("percent").to_numpy(dtype=bool)
        again = share & ~hidden
        frame.loc[again, estimate] = 100 * count[again] / n[again]
        if "interval" in frame:
            wilsons = frame["interval"].str.startswith("interval.wilson", na=False)
            score = again & wilsons.to_numpy(dtype=bool)
            bounds = wilson(count[score], n[score])
            frame.loc[score, low], frame.loc[score, high] = 100 * bounds[0], 100 * bounds[1]
            again = again & ~score
        frame.loc[again, [low, high]] = frame.loc[again, [low, high]].round(0)
        frame[shape.count] = count.mask(hidden)
    exact = ~share & own
    if shape.numbers:
        own_interval = (estimate, low, high)
        for triplet in (own_interval,) if shape.intervals is None else shape.intervals:
            precision.widen(frame, exact, triplet, exact_n, preset)
        decimals = (
            precision.find_decimals(frame["unit"], frame[estimate])
            if shape.decimals is None
            else np.full(len(frame), shape.decimals)
        )
        plain = tuple(c for c in shape.numbers if c not in shape.fine)
        precision.coarsen(frame, exact, plain, decimals)
        precision.coarsen(frame, own, shape.fine, np.full(len(frame), 2))
        precision.hide_values_of_single_people(frame, exact_n, shape.numbers, preset)
    numbers = list(shape.numbers)
    frame.loc[hidden, numbers] = NAN
    frame[shape.n] = n.mask(people | (hidden & small("n")))
    if shape.of:
        frame[shape.of] = frame[shape.of].map(preset.round).mask(gone("of"))
    for column in shape.people:
        frame[column] = frame[column].map(preset.round).mask(hidden)
    for column, text in shape.words:
        frame.loc[hidden, column] = text
    frame["redacted"] = hidden
    for column in (c for c in _REMARKS if c in frame):
        said = own & frame[column].notna().to_numpy(dtype=bool)
        if said.any():
            frame.loc[said, column] = frame.loc[said, column].map(withhold)
    if "note" in frame:
        for i in np.flatnonzero(people & ~hidden):
            said_before = frame["note"].iloc[i]
            parts = [said_before] if isinstance(said_before, str) else []
            frame.loc[frame.index[i], "note"] = join([*parts, N_WITHHELD])
        frame.loc[hidden & few, "note"] = explain_small(preset)
        frame.loc[hidden & ~few, "note"] = explain(preset)
    return frame


def _find_mixed(
    frame: pd.DataFrame, shape: Shape, people: np.ndarray, preset: Preset
) -> np.ndarray:
    """Find rows whose estimate tells how many people they hold beyond those of another row."""
    out = np.zeros(len(frame), bool)
    if shape.mixed is None:
        return out
    column, mixed, plain = shape.mixed
    rest = [c for c in shape.by if c != column]
    key = [tuple(k) for k in frame[rest].astype(str).to_numpy()] if rest else [()] * len(frame)
    kind, n = frame[column].to_numpy(), frame[shape.n].to_numpy(dtype=float)
    base = {k: i for i, k in enumerate(key) if kind[i] == plain}
    pairs: dict[tuple[float, float], list[tuple[int, int]]] = {}
    for i, k in enumerate(key):
        if kind[i] == mixed and k in base:
            j = base[k]
            out[i] = people[i] or people[j] or preset.hides(n[i] - n[j])
            if not out[i] and preset.round_to > 1:
                pairs.setdefault((n[j], n[i]), []).append((i, j))
    means = frame[shape.numbers[0]].to_numpy(dtype=float)
    for (few, many), rows in pairs.items():
        if not _fit_several(few, many, [(means[j], means[i]) for i, j in rows], preset):
            out[[i for i, _ in rows]] = True
    return out


def _fit_several(few: float, many: float, means: list[tuple[float, float]], preset: Preset) -> bool:
    """Whether several numbers of people fit printed means whose ratio is that of two counts.

    Means are printed to a tenth, counts rounded; each of the two counts, and the people between
    them, must have as many possible values as a hidden count.
    """
    (least, most), (low, high) = preset.range_of(few), preset.range_of(many)
    fewer, more = np.meshgrid(np.arange(least, most + 1), np.arange(low, high + 1))
    fits = fewer <= more
    for own, mixed in means:
        if np.isnan(own) or np.isnan(mixed):
            continue
        one, other = np.abs(np.round(own, 1)), np.abs(np.round(mixed, 1))
        fits &= (one + 0.05) * fewer >= (other - 0.05) * more
        fits &= (one - 0.05) * fewer <= (other + 0.05) * more
    shown = (fewer[fits], more[fits], (more - fewer)[fits])
    return all(len(np.unique(values)) >= POSSIBLE for values in shown)
