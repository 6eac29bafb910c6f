"""An adversary: everything published about a clinic, and every tie between its counts, as integers.

Written apart from `headway.disclosure`: it shares with it neither the names of counts nor the
ties. The unknown true counts are integer variables; what is printed and the rules bound them; sums
and parts are equations. A count is recovered when its least and its greatest value agree.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from headway.disclosure import Preset
from headway.messages import say
from tests.unit import (
    disclosure_attack_tables,
    disclosure_attack_text,
    disclosure_attack_values,
)
from tests.unit.disclosure_attack_text import Printed
from tests.unit.disclosure_attack_values import Cell

MOST = 100_000.0
STARTED = "_of_started"
# Sets of cells with one number, and (total, one, other).
Learned = tuple[list[set[Hashable]], list[tuple[Hashable, ...]]]
GRADES = re.compile(r"(.*)_grade_\d+_(before|after)")
THRESHOLD = re.compile(r"(?!pgic).*_(better|worse)")


@dataclass
class System:
    """All that is known, as integers: one unknown for each number, by place."""

    names: list[Hashable]
    at: dict[Hashable, int]
    true: np.ndarray
    least: np.ndarray
    most: np.ndarray
    ties: list[LinearConstraint]

    def solve(self, cost: np.ndarray) -> np.ndarray:
        """Find the cheapest clinic that fits."""
        found = milp(
            cost,
            constraints=self.ties,
            bounds=Bounds(self.least, self.most),
            integrality=np.ones(len(self.names)),
        )
        assert found.x is not None, found.message
        return np.round(found.x)


@dataclass
class Attack:
    """What the adversary knows; the truth is kept beside it to judge what was found."""

    preset: Preset
    truth: dict[Hashable, float] = field(default_factory=dict)
    low: dict[Hashable, float] = field(default_factory=dict)
    high: dict[Hashable, float] = field(default_factory=dict)
    ties: list[tuple[Hashable, tuple[Hashable, ...]]] = field(default_factory=list)
    unions: set[Hashable] = field(default_factory=set)
    shown: set[Hashable] = field(default_factory=set)
    # Linear expressions in counts and their limits, such as a ratio of two printed means.
    limits: list[tuple[dict[Hashable, float], float, float]] = field(default_factory=list)
    # Names of one number: a cell of a table, and what it is by definition.
    same: list[tuple[Hashable, Hashable]] = field(default_factory=list)
    # Numbers of texts: most are no counts, and none is recovered by being read.
    texts: set[Hashable] = field(default_factory=set)

    # What is known of one count

    def count(self, name: Hashable, true: float) -> Hashable:
        """A whole number of people, at least 0; a cell's number is that of its name."""
        if isinstance(true, Cell):
            self.same.append((name, true.at))
            self.known(true.at, float(true))
        return self.known(name, float(true))

    def known(self, name: Hashable, true: float) -> Hashable:
        """Enter a number under a name."""
        assert self.truth.setdefault(name, true) == true, name
        self.low.setdefault(name, 0.0)
        self.high.setdefault(name, MOST)
        return name

    def see(self, name: Hashable, true: float, printed: float, *, zeros: bool = True) -> Hashable:
        """Read a cell. `zeros`: a hidden cell here is known not to be 0, since 0 is printed."""
        self.count(name, true)
        limit, base = self.preset.redact_up_to, self.preset.round_to
        if not np.isnan(printed):
            self.shown.add(name)
            low = high = printed
            if base > 1 and printed > 0:
                low, high = max(printed - base // 2, limit + 1), printed + base // 2
        elif 0 < true <= limit:  # an oracle says which are small
            low, high = (1.0 if zeros else 0.0), float(limit)
        elif true > limit:
            low, high = 1.0, MOST
        else:
            low, high = 0.0, MOST
        self.low[name], self.high[name] = (
            max(self.low[name], low),
            min(self.high[name], high),
        )
        assert self.low[name] <= true <= self.high[name], name
        return name

    # What ties counts

    def add_up(self, total: Hashable, parts: list[Hashable], *, more: bool = False) -> None:
        """total = sum of parts, or (more) at least that; a leftover people is a count too."""
        if total not in self.truth or not parts or any(p not in self.truth for p in parts):
            return
        left = self.truth[total] - sum(self.truth[p] for p in parts)
        if left < 0:  # not people of the same kind: the adversary would be misled
            return
        own = tuple(parts)
        if more or left:
            own = (*own, self.count(("left", total, own), left))
        self.ties.append((total, own))
        hidden = [p for p in own if p not in self.shown]
        if len(hidden) > 1 and self.preset.round_to == 1:
            union = self.count(("together", total, own), sum(self.truth[p] for p in hidden))
            self.ties.append((union, tuple(hidden)))
            if not 0 < self.truth[total] <= self.preset.redact_up_to:
                self.unions.add(union)

    def bound(self, terms: dict[Hashable, float], low: float, high: float) -> None:
        """Say that a weighted sum of counts lies between two limits."""
        if any(name not in self.truth for name in terms):
            return
        value = sum(w * self.truth[name] for name, w in terms.items())
        assert low - 1e-6 <= value <= high + 1e-6, (terms, value, low, high)
        self.limits.append((terms, low, high))

    def at_least(self, more: Hashable, fewer: Hashable) -> None:
        """Say that one count is no smaller than another of another kind (visits and people)."""
        if more in self.truth and fewer in self.truth:
            self.bound({more: 1.0, fewer: -1.0}, 0.0, MOST)

    def narrow(self, name: Hashable, low: float, high: float) -> None:
        """Read a count once more, as a range."""
        assert low <= self.truth[name] <= high, (name, self.truth[name], low, high)
        self.low[name] = max(self.low[name], low)
        self.high[name] = min(self.high[name], high)

    # The attack

    def find_equal(self) -> dict[Hashable, Hashable]:
        """Find one name for each number that has several."""
        one = {name: name for name in self.truth}

        def find(name: Hashable) -> Hashable:
            while one[name] != name:
                one[name] = one[one[name]]
                name = one[name]
            return name

        for name, other in self.same:
            assert self.truth[name] == self.truth[other], (name, other)
            one[find(name)] = find(other)
        return {name: find(name) for name in self.truth}

    def targets(self) -> list[Hashable]:
        """Every small count that is not printed, people between two printed counts included."""
        limit = self.preset.redact_up_to
        return [
            n
            for n, v in self.truth.items()
            if 0 < v <= limit
            and n not in self.texts
            and (not isinstance(n, tuple) or n[0] != "together" or n in self.unions)
        ]

    def build(self) -> System:
        """Write all that is known as one integer programme."""
        one = self.find_equal()
        names = list(dict.fromkeys(one.values()))
        place = {n: i for i, n in enumerate(names)}
        at = {n: place[one[n]] for n in self.truth}
        true = np.array([self.truth[n] for n in names], float)
        least, most = np.zeros(len(names)), np.full(len(names), MOST)
        for n, i in at.items():
            least[i], most[i] = max(least[i], self.low[n]), min(most[i], self.high[n])
        rows = [(i, at[t], 1.0) for i, (t, _) in enumerate(self.ties)]
        rows += [(i, at[p], -1.0) for i, (_, ps) in enumerate(self.ties) for p in ps]
        i, j, v = (np.array(c) for c in zip(*rows, strict=True))
        matrix = coo_array((v, (i.astype(int), j.astype(int))), shape=(len(self.ties), len(names)))
        matrix = matrix.tocsr()
        assert not (matrix @ true).any()  # what the adversary believes is true
        ties = [LinearConstraint(matrix, 0, 0)]
        if self.limits:
            rows = [
                (i, at[n], w) for i, (ts, _, _) in enumerate(self.limits) for n, w in ts.items()
            ]
            i, j, v = (np.array(c) for c in zip(*rows, strict=True))
            shape = (len(self.limits), len(names))
            extra = coo_array((v, (i.astype(int), j.astype(int))), shape=shape).tocsr()
            low, high = ([limit[k] for limit in self.limits] for k in (1, 2))
            ties.append(LinearConstraint(extra, low, high))
        return System(names, at, true, least, most, ties)

    def imagine(self, seed: int, keep: Collection[Hashable] = ()) -> dict[Hashable, float]:
        """Make up another clinic of which all that is printed is true too; `keep` stays."""
        system = self.build()
        for name in keep:
            i = system.at[name]
            system.least[i] = system.most[i] = system.true[i]
        rng = np.random.default_rng(seed)
        free = np.flatnonzero(system.least < system.most)
        cost = np.zeros(len(system.names))
        cost[free] = rng.choice([-1.0, 1.0], len(free))
        x = system.solve(cost)
        return {name: float(x[i]) for name, i in system.at.items()}

    def run(
        self, seed: int = 0, tries: int = 12, enough: int = 1000
    ) -> dict[Hashable, tuple[float, float]]:
        """Recover counts: name -> the only value left; stop when `enough` are found."""
        s = self.build()
        names, at, least, most = s.names, s.at, s.least, s.most
        open_ = {at[n] for n in self.targets() if least[at[n]] < most[at[n]]}
        told = {at[n] for n in self.targets()} - open_
        rng = np.random.default_rng(seed)
        # One other world that fits all that is known shows that a count is safe.
        for _ in range(tries):
            if not open_:
                break
            cost = np.zeros(len(names))
            some = np.array(sorted(open_))
            cost[some] = rng.choice([-1.0, 1.0], len(some))
            x = s.solve(cost)
            open_ = {k for k in open_ if x[k] == s.true[k]}
        # A count that another table prints exactly is recovered without any reckoning.
        out = {names[k]: (least[k], most[k]) for k in sorted(told)[:enough]}
        for k in sorted(open_):
            if len(out) == enough:
                break
            cost = np.zeros(len(names))
            cost[k] = 1.0
            ends = s.solve(cost)[k], s.solve(-cost)[k]
            if ends[0] == ends[1]:
                out[names[k]] = ends
        return out


def attack(
    released: Mapping[str, pd.DataFrame],
    true: Mapping[str, pd.DataFrame],
    preset: Preset,
    learned: Learned | None = None,
    texts: Mapping[Hashable, Printed] | None = None,
) -> Attack:
    """Read all released tables of a clinic as the adversary does.

    `learned` is what other clinics taught of cells that agree (`disclosure_attack_values.learn`);
    `texts` are the numbers of page, figures and notebook (`disclosure_attack_text.enter`).
    """
    a = Attack(preset)
    true = disclosure_attack_values.tag(true)
    if "cohort" in released:
        _cohort(a, released["cohort"], true["cohort"])
    if "flow" in released:
        _flow(a, released["flow"], true["flow"], true["cohort"])
    if "window_means" in released:
        for (_, r), (_, t) in zip(
            released["window_means"].iterrows(), true["window_means"].iterrows(), strict=True
        ):
            a.see(("n", t["outcome"], t["comparison"], "all"), t["n"], r["n"])
    if "individual" in released:
        _individual(a, released["individual"], true["individual"])
    if "change_histogram" in released:
        _histogram(a, released["change_histogram"], true["change_histogram"])
    if "lost" in released:
        _lost(a, released["lost"], true["lost"], true["cohort"])
    if "cohort" in true:
        _tie_cohort(a, true["cohort"])
    disclosure_attack_tables.read(a, released, true)
    disclosure_attack_values.read_cells(a, released, true)
    if texts is not None:
        disclosure_attack_text.read(a, texts)
    if learned is not None:
        disclosure_attack_values.apply(a, learned)
    return a


def _base(row: pd.Series) -> Hashable:
    """Whose number n is."""
    s = row["statistic"]
    key = (row["outcome"], row["comparison"], row["group"])
    if s.startswith(("bound_", "completeness_")):  # who may count in the outcome at all
        return "N" if row["n"] == row["of"] else ("may count", *key)
    if s.endswith(STARTED):
        return _of(row["group"])
    if s.startswith(("responders_", "worsened_")):
        return ("positive", *key)
    if s == "new_preventive":
        return ("answered", *key)
    if s == "change_count_only":
        return ("counted", *key)
    if GRADES.fullmatch(s) or THRESHOLD.fullmatch(s):
        return ("scored", *key)
    return ("n", *key)


def _of(group: str) -> Hashable:
    return "N" if group == "all" else ("of", group)


def _cohort(a: Attack, released: pd.DataFrame, true: pd.DataFrame) -> None:
    for (_, r), (_, t) in zip(released.iterrows(), true.iterrows(), strict=True):
        key = (t["outcome"], t["comparison"], t["group"])
        a.see(_base(t), t["n"], r["n"])
        a.see(_of(t["group"]), t["of"], r["of"])
        if not np.isnan(t["count"]):
            a.see(
                ("count", *key, t["statistic"].removesuffix(STARTED)),
                t["count"],
                r["count"],
                zeros=not np.isnan(r["n"]),
            )


def _tie_cohort(a: Attack, true: pd.DataFrame) -> None:
    for key, part in true.groupby(["outcome", "comparison", "group"], sort=False):
        n = ("n", *key)
        if n in a.truth:
            for kind in ("positive", "counted", "scored", "answered"):
                a.add_up(n, [(kind, *key)], more=True)
            a.add_up(_of(key[2]), [n, a.count(("lost", *key), a.truth[_of(key[2])] - a.truth[n])])
        # The people of a share of all who started are those of the share of the analysed.
        shares = part[part["count"].notna() & ~part["statistic"].str.endswith(STARTED)]
        by = {s: ("count", *key, s) for s in shares["statistic"]}
        for _, t in shares.iterrows():
            a.add_up(_base(t), [by[t["statistic"]]], more=True)
        for inner, outer in (
            ("responders_75", "responders_50"),
            ("responders_50", "responders_30"),
            ("reliable_recovered", "reliable_improved"),
        ):
            if inner in by and outer in by:
                a.add_up(by[outer], [by[inner]], more=True)
        if {"responders_30", "worsened_30"} <= set(by):
            a.add_up(("positive", *key), [by["responders_30"], by["worsened_30"]], more=True)
        if "reliable_improved" in by:
            a.add_up(n, [by[f"reliable_{k}"] for k in ("improved", "unchanged", "deteriorated")])
        if "pgic_worse" in by:
            five = [s for s in by if s.startswith("pgic_") and "at_least" not in s]
            assert len(five) == 5
            a.add_up(n, [by[s] for s in five])
            a.add_up(
                by["pgic_at_least_much_improved"],
                [by["pgic_very_much_improved"], by["pgic_much_improved"]],
            )
        for side in ("before", "after"):
            a.add_up(
                ("scored", *key),
                [v for s, v in by.items() if (m := GRADES.fullmatch(s)) and m.group(2) == side],
            )
        for side in ("better", "worse"):
            points = {
                s: float(re.search(r"at least ([\d.]+) points", say(label)).group(1))
                for s, label in zip(shares["statistic"], shares["label"], strict=True)
                if (m := THRESHOLD.fullmatch(s)) and m.group(1) == side
            }
            for near, far in pairwise(sorted(points, key=points.get)):
                a.add_up(by[near], [by[far]], more=True)
    for (outcome, comparison), part in true.groupby(["outcome", "comparison"], sort=False):
        labels = [g for g in dict.fromkeys(part["group"]) if g != "all"]
        for family in dict.fromkeys(g.split(": ")[0] for g in labels):
            own = [g for g in labels if g.split(": ")[0] == family]
            a.add_up("N", [_of(g) for g in own])
            kinds = ("n", "positive", "lost")
            for kind in kinds:
                a.add_up(
                    (kind, outcome, comparison, "all"),
                    [(kind, outcome, comparison, g) for g in own],
                )
            for s in part.loc[(part["group"] == "all") & part["count"].notna(), "statistic"]:
                if s.endswith(STARTED):
                    continue
                at = ("count", outcome, comparison)
                a.add_up((*at, "all", s), [(*at, g, s) for g in own if (*at, g, s) in a.truth])


def _flow(a: Attack, released: pd.DataFrame, true: pd.DataFrame, cohort: pd.DataFrame) -> None:
    items = {
        f"{o}: {c}": (o, c) for o, c in zip(cohort["outcome"], cohort["comparison"], strict=True)
    }
    both = list(zip(released.to_dict("records"), true.to_dict("records"), strict=True))
    steps: dict[str, dict[str, Hashable]] = {}
    for r, t in both:
        if np.isnan(t["n"]):
            continue
        if t["account"] != "people":
            if t["step"] != "in_the_file":
                a.see((t["account"], t["item"], t["step"]), t["n"], r["n"])
            continue
        outcome, comparison = items.get(t["item"], (t["item"], "-"))
        key = (outcome, comparison, "all")
        if t["step"] == "started":
            name: Hashable = "N"
        elif t["step"] == "analysed":
            name = ("n", *key)
        elif t["step"] == "not_analysed":
            name = ("lost", *key)
        else:  # comparisons share windows: the adversary knows which, from their definitions
            name = ("step", outcome, t["step"], t["n"])
        a.see(name, t["n"], r["n"])
        if not np.isnan(t["of"]):
            a.see("N", t["of"], r["of"])
        steps.setdefault(t["item"], {})[t["step"]] = name
    for by in steps.values():
        n = by.get("analysed")
        for s, name in by.items():
            if s not in ("started", "not_analysed"):
                a.add_up("N", [name], more=True)
        if n is None:
            continue
        for side in ("before", "after"):
            some, full = by.get(f"any_record_{side}"), by.get(f"complete_{side}")
            if some and full:
                a.add_up(some, [full], more=True)
            if full:
                a.add_up(full, [n], more=True)
        sides = [by.get("complete_before"), by.get("complete_after")]
        if all(sides):
            only = [a.truth[s] - a.truth[n] for s in sides]
            if min(only) >= 0:
                parts = [
                    a.count(("left", s, (n,)), value) for s, value in zip(sides, only, strict=True)
                ]
                a.add_up("N", [n, *parts], more=True)


def _individual(a: Attack, released: pd.DataFrame, true: pd.DataFrame) -> None:
    if not len(true):
        return
    key = (true["outcome"].iloc[0], true["comparison"].iloc[0], "all")
    n, cells = ("n", *key), {}
    gone = released["n"].isna() & true["n"].eq(0)
    for (_, r), (_, t) in zip(released.iterrows(), true.iterrows(), strict=True):
        a.see(n, t["of"], r["of"])
        at = (t["class"], t["response"])
        same = (true["class"] == at[0]) | (true["response"] == at[1])
        cells[at] = a.see(("cell", *at), t["n"], r["n"], zeros=not gone[same].any())
    margins = {
        kind: [c for at, c in cells.items() if kind in at] for at in list(cells) for kind in at
    }
    a.add_up(n, list(cells.values()))
    for statistic, kinds in {
        "reliable_recovered": ["recovered"],
        "reliable_improved": ["recovered", "improved"],
        "reliable_unchanged": ["unchanged"],
        "reliable_deteriorated": ["deteriorated"],
        "responders_50": ["at_least_50_better"],
        "responders_30": ["at_least_50_better", "from_30_to_50_better"],
        "worsened_30": ["at_least_30_worse"],
    }.items():
        a.add_up(("count", *key, statistic), [c for k in kinds for c in margins[k]])
    a.add_up(n, [("positive", *key), *margins["no_relative_change"]])


def _histogram(a: Attack, released: pd.DataFrame, true: pd.DataFrame) -> None:
    for key, part in released.groupby(["outcome", "comparison"], sort=False):
        own = true[(true["outcome"] == key[0]) & (true["comparison"] == key[1])]
        bins = []
        for r in part.to_dict("records"):
            inside = own[(own["bin_low"] >= r["bin_low"]) & (own["bin_high"] <= r["bin_high"])]
            name = ("bin", *key, r["bin_low"])
            bins.append(a.see(name, inside["n"].sum(), r["n"]))
        a.add_up(("n", *key, "all"), bins)
        threshold = [-12.0, 12.0]  # beyond it a change in frequency is reliable for everyone
        if key[0] == "frequency":
            for end, statistic in (("bin_high", "improved"), ("bin_low", "deteriorated")):
                far = (
                    part[part[end] <= threshold[0]]
                    if end == "bin_high"
                    else part[part[end] >= threshold[1]]
                )
                a.add_up(
                    ("count", *key, "all", f"reliable_{statistic}"),
                    [("bin", *key, b) for b in far["bin_low"]],
                    more=True,
                )


def _lost(a: Attack, released: pd.DataFrame, true: pd.DataFrame, cohort: pd.DataFrame) -> None:
    main = cohort[cohort["primary"]].iloc[0]
    at = (main["outcome"], main["comparison"])
    for characteristic, part in true.groupby("characteristic", sort=False):
        for side, kind in (("analysed", "n"), ("lost", "lost")):
            whole = (kind, *at, "all")
            known = ("known", characteristic, side)
            levels = []
            for i, t in part.iterrows():
                r = released.loc[i]
                a.see(whole, t[f"of_{side}"], r[f"of_{side}"], zeros=False)
                a.see(known, t[f"n_{side}"], r[f"n_{side}"], zeros=False)
                if np.isnan(t[f"count_{side}"]):
                    continue
                level: Hashable = (kind, *at, f"{characteristic}: {t['level']}")
                if level not in a.truth and (_of(f"{characteristic}: {t['level']}")) not in a.truth:
                    level = ("level", characteristic, t["level"], side)
                # A row is hidden whole, zeros too, when either side is small.
                a.see(level, t[f"count_{side}"], r[f"count_{side}"], zeros=False)
                a.add_up(known, [level], more=True)
                levels.append(level)
            a.add_up(whole, [known], more=True)
            a.add_up(known, levels)
        if characteristic == f"{at[0]}_before":
            lost = a.truth["known", characteristic, "lost"]
            n = a.truth["n", *at, "all"]
            a.add_up(
                ("step", at[0], "complete_before", n + lost),
                [("n", *at, "all"), ("known", characteristic, "lost")],
            )
