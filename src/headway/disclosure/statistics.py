"""Rows with n, of, count and an estimate: one rule for every table of that shape.

A table that is listed in `SHAPES` is released with the others: its counts enter the same ledger,
so that a number hidden in one table does not follow from another.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headway.disclosure.counts import Ledger
from headway.disclosure.presets import explain, explain_small
from headway.outcomes.change import wilson

if TYPE_CHECKING:
    import pandas as pd

    Names = dict[tuple[str, str], list[Hashable | None]]

NAN = float("nan")
_SHARE, _ANALYSED = 4, 5  # worth, as in headway.disclosure.clinic


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
    decimals
        Decimals of estimates that are not shares.
    people
        Further columns of numbers of people: a row is hidden where one is small.
    words
        Columns of text that follow from the numbers, and what they say of a hidden row.
    share
        Whether the estimate of a row with a count is the share of the count in n.
    only
        Column and value of the rows about this clinic; the others are published and pass.
    derived
        Columns from which a hidden row would follow: hidden in every row as soon as one is.
    """

    by: tuple[str, ...] = ()
    group: str = ""
    n: str = "n"
    of: str = "of"
    count: str = "count"
    numbers: tuple[str, ...] = ("estimate", "ci_low", "ci_high")
    decimals: int = 1
    people: tuple[str, ...] = ()
    words: tuple[tuple[str, str | bool | None], ...] = ()
    share: bool = True
    only: tuple[str, str] | None = None
    derived: tuple[str, ...] = ()


# Table -> its shape. To release a further table, give it a contract in `headway.tables` with the
# columns `redacted` and `note`, and list it here.
SHAPES: dict[str, Shape] = {
    "expected": Shape(
        by=("outcome", "comparison", "source", "label"),
        of="",
        count="",
        numbers=(
            "expected",
            "ci_low",
            "ci_high",
            "change",
            "difference",
            "diff_ci_low",
            "diff_ci_high",
            "range_low",
            "range_high",
        ),
        derived=("range_low", "range_high"),
    ),
    "checks": Shape(by=("id",), of=""),
    "sensitivity": Shape(by=("id",), count=""),
    "specifications": Shape(
        by=("window", "value", "completeness", "headache_day", "before", "lost"), count=""
    ),
    "traps": Shape(by=("id",), count="", numbers=(), words=(("detail", None),)),
    "safety": Shape(
        by=("harm", "event", "reported", "per", "statistic"), group="group", people=("patients",)
    ),
    "cost": Shape(
        by=("topic", "visit", "currency", "basis", "statistic"),
        numbers=("estimate", "ci_low", "ci_high", "p25", "p75"),
    ),
    "cost_plane": Shape(
        by=("currency", "basis", "difference_low", "cost_low"),
        of="",
        count="",
        numbers=("share",),
    ),
    "benchmark": Shape(
        by=("block", "kind", "trial", "arm"),
        count="",
        numbers=(
            "change",
            "ci_low",
            "ci_high",
            "baseline",
            "se",
            "df",
            "romc",
            "romc_low",
            "romc_high",
            "difference",
            "difference_low",
            "difference_high",
        ),
        only=("block", "clinic"),
        derived=("difference", "difference_low", "difference_high"),
    ),
    "relapse": Shape(
        by=("rule",),
        group="group",
        of="",
        count="events",
        numbers=(
            "free_at_horizon",
            "free_low",
            "free_high",
            "rmst_days",
            "rmst_se",
            "rmst_low",
            "rmst_high",
        ),
        decimals=0,
        people=("gaps", "followed"),
        share=False,
    ),
    "control_chart": Shape(
        by=("chart", "month"),
        of="",
        numbers=("value", "low", "high", "moving_range", "centre", "range_high"),
        share=False,
        words=(("signals", None),),
        derived=("moving_range",),
    ),
    "funnel": Shape(
        by=("therapist",),
        of="",
        count="",
        numbers=(
            "observed",
            "low_998",
            "high_998",
            "expected",
            "difference",
            "se",
            "target",
            "tau2",
            "z",
            "low_95",
            "high_95",
        ),
        words=(("flag", False),),
    ),
    "dose": Shape(
        by=("dose", "statistic", "level"),
        of="",
        count="",
        numbers=("estimate", "ci_low", "ci_high", "dose_low", "dose_high"),
        decimals=2,
    ),
    "claims": Shape(
        by=("row", "part"),
        numbers=("estimate", "ci_low", "ci_high", "p_value", "p_adjusted"),
        people=("patients",),
        words=(("verdict", "cannot tell"), ("reason", "small numbers are hidden")),
    ),
}


# Columns of remarks, and the numbers of people and of what people bring that stand in them.
_REMARKS = ("note", "reason", "detail")
_COUNTED = (
    r"people|persons?|patients?|lost|others|therapists?|sessions?|windows|visits|starters|points|"
    r"without|with|who|of them"
)
_THE_COUNT = re.compile(rf"\bthe \d+ (?=(?:{_COUNTED})\b)")
_COUNT = re.compile(rf"\b\d+(?: of (?:the )?\d+)? (?=(?:{_COUNTED})\b)")


def scrub(text: str) -> str:
    """Take numbers of people out of a remark: they stand in columns, where rules act on them."""
    return _COUNT.sub("some ", _THE_COUNT.sub("the ", text))


def enter_statistics(
    ledger: Ledger,
    table: str,
    frame: pd.DataFrame,
    names: Names,
    shape: Shape | None = None,
) -> None:
    """Enter n, of and count of every row of a table into the ledger.

    A row on the same outcome, comparison and group as one of the cohort stands on the same
    people where their number is the same, and gets the same name.
    """
    shape = shape or SHAPES[table]
    kept: dict[str, list[Hashable | None]] = {c: [None] * len(frame) for c in ("n", "of", "count")}
    families: dict[tuple[object, ...], dict[str, dict[str, Hashable]]] = {}
    for i, r in enumerate(frame.to_dict("records")):
        if shape.only and r[shape.only[0]] != shape.only[1]:
            continue
        what = tuple(r[c] for c in shape.by)
        group = str(r[shape.group]) if shape.group else "all"
        if not np.isnan(r[shape.n]):
            kept["n"][i] = _name_people(ledger, table, r, what, group, r[shape.n])
            ledger.add(kept["n"][i], r[shape.n], _ANALYSED)
        if shape.of and not np.isnan(r[shape.of]):
            name: Hashable = ("of", group)
            if ledger.values.get(name, int(r[shape.of])) != int(r[shape.of]):
                name = (table, *what, group, "of")
            kept["of"][i] = ledger.add(name, r[shape.of], _SHARE)
            if kept["n"][i] is not None:
                ledger.split(name, [kept["n"][i]], nested=True)
        if shape.count and not np.isnan(r[shape.count]):
            cell = ledger.add((table, *what, group, "count"), r[shape.count], _SHARE)
            kept["count"][i] = cell
            if kept["n"][i] is not None:
                rest = ledger.split(kept["n"][i], [cell], nested=True)
                if rest is not None and ledger.preset.hides(ledger.values[rest]):
                    ledger.hidden.add(cell)
        for column in kept:
            if kept[column][i] is not None:
                families.setdefault((column, *what), {}).setdefault(
                    "" if group == "all" else group.split(": ")[0], {}
                )[group] = kept[column][i]
    for by in families.values():
        whole = by.get("", {}).get("all")
        for family, members in by.items():
            if family and whole is not None:
                ledger.split(whole, members.values())
    for column, own in kept.items():
        names[table, column] = own
        ledger.told |= {m for m in own if isinstance(m, tuple) and m[0] == table}


def _name_people(
    ledger: Ledger,
    table: str,
    row: dict[str, object],
    what: tuple[object, ...],
    group: str,
    n: float,
) -> Hashable:
    same = ("n", row.get("outcome"), row.get("comparison"), group)
    return same if ledger.values.get(same) == int(n) else (table, *what, group, "n")


def release_statistics(
    table: str,
    frame: pd.DataFrame,
    names: Names,
    ledger: Ledger,
    shape: Shape | None = None,
) -> pd.DataFrame:
    """Hide rows on small numbers, round counts, compute shares again from rounded counts.

    A share (`unit` percent with a count) gets a Wilson interval from the rounded counts where
    its interval was Wilson's; another method's limits are printed in whole percent. Every row
    stays: a count that is hidden is written by `headway.disclosure.presets.write_count`.
    """
    shape, preset = shape or SHAPES[table], ledger.preset

    def gone(column: str) -> np.ndarray:
        return np.array([m is not None and m in ledger.hidden for m in names[table, column]], bool)

    def small(column: str) -> np.ndarray:
        return np.array(
            [m is not None and preset.hides(ledger.values[m]) for m in names[table, column]], bool
        )

    people, part = gone("n"), gone("count")
    few = small("n") | small("count")
    for column in shape.people:
        few = few | frame[column].map(preset.hides).to_numpy(dtype=bool)
    hidden = people | part | few
    estimate, low, high = (*shape.numbers, "", "", "")[:3]
    own = np.ones(len(frame), bool)
    if shape.only:
        own = frame[shape.only[0]].eq(shape.only[1]).to_numpy(dtype=bool)
    n = frame[shape.n].map(preset.round).where(own, frame[shape.n])
    share = np.zeros(len(frame), bool)
    if shape.count:
        count = frame[shape.count].map(preset.round).clip(upper=n)
        share = (count.notna() & (n > 0)).to_numpy(dtype=bool)
        if "unit" in frame:
            share = share & frame["unit"].eq("percent").to_numpy(dtype=bool)
        share = share & shape.share
        again = share & ~hidden
        frame.loc[again, estimate] = 100 * count[again] / n[again]
        if "interval" in frame:
            score = again & frame["interval"].str.contains("Wilson", na=False).to_numpy(dtype=bool)
            bounds = wilson(count[score], n[score])
            frame.loc[score, low], frame.loc[score, high] = 100 * bounds[0], 100 * bounds[1]
            again = again & ~score
        frame.loc[again, [low, high]] = frame.loc[again, [low, high]].round(0)
        frame[shape.count] = count.mask(hidden)
    numbers = list(shape.numbers)
    exact = ~share & own
    # Through nine decimals, so that the last bit of a number does not decide which way it goes.
    frame.loc[exact, numbers] = frame.loc[exact, numbers].round(9).round(shape.decimals)
    frame.loc[hidden, numbers] = NAN
    if hidden.any():
        frame[list(shape.derived)] = NAN
    frame[shape.n] = n.mask(people)
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
            frame.loc[said, column] = frame.loc[said, column].map(scrub)
    if "note" in frame:
        frame.loc[hidden & few, "note"] = explain_small(preset)
        frame.loc[hidden & ~few, "note"] = explain(preset)
    return frame
