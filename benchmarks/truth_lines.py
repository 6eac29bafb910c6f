"""What the truth report is made of: worlds, families of lines, and people as a clinic sees them.

A line is one interval, share or flag that a page prints. A family computes its lines from the same
draws. `holds` names what a line speaks for: an interval (`interval.t`), a pair of limits of a table
(`cohort.ci`), a p value (`pooled.p_value`) or a flag (`trap.unit_mix`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
People = dict[str, Any]
Rng = np.random.Generator
Hits = dict[str, float]  # 1: covered, or flagged; 0: not; NaN: none printed

LENGTH = 28
EARLIER, BEFORE, AFTER, NEXT = 0, 1, 4, 5  # windows of a person
LEAST_DAYS = 20  # with an entry, in a complete window
NAN = float("nan")


@dataclass(frozen=True)
class Line:
    """One interval or flag.

    Attributes
    ----------
    what, where
        What is printed, and on which page.
    method
        How.
    holds
        Codes; see the module.
    most
        Of a flag: the highest rate in percent that its rule promises; None for an interval.
    """

    what: str
    where: str
    method: str
    holds: tuple[str, ...]
    most: float | None = None


@dataclass(frozen=True)
class Family:
    """Lines that are computed together, from clinics or sets of trials drawn one by one."""

    name: str
    lines: dict[str, Line]
    run: Callable[[World, Rng, int], Iterator[Hits]]
    share: float = 1.0  # of the replicates asked for, where one takes long


FAMILIES: dict[str, Family] = {}


def family(
    name: str, lines: dict[str, Line], share: float = 1.0
) -> Callable[[Callable[[World, Rng, int], Iterator[Hits]]], Family]:
    """Register a family."""

    def register(run: Callable[[World, Rng, int], Iterator[Hits]]) -> Family:
        FAMILIES[name] = Family(name, lines, run, share)
        return FAMILIES[name]

    return register


def covers(low: Any, truth: float, high: Any) -> float:
    """1 where an interval holds the truth, NaN where there is none."""
    return NAN if np.isnan(low) or np.isnan(high) else float(low <= truth <= high)


@dataclass
class World:
    """A generator with a population drawn from it, which clinics are drawn from with replacement.

    The population is the truth: what an interval should hold is computed from all of it.
    """

    draws: ModuleType
    size: int
    seed: int
    cache: Path | None = None
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """A or B."""
        return str(self.draws.NAME)

    @cached_property
    def people(self) -> People:
        """The population, read as a clinic reads it."""
        file = None
        if self.cache is not None:
            file = self.cache / f"people-{self.name}-{self.size}-{self.seed}.npz"
        if file is not None and file.exists():
            with np.load(file) as stored:
                return read_people(dict(stored))
        raw = self.draws.draw_people(np.random.default_rng([self.seed, ord(self.name)]), self.size)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(file, **raw)
        return read_people(raw)


# --- people ---------------------------------------------------------------------------------------


def read_people(raw: dict[str, Any]) -> People:
    """Read diaries and visits: windows, doses, answers."""
    n = len(raw["lost"])
    seen, hit = raw["seen"], raw["headache"] & raw["seen"]
    blocks = (n, -1, LENGTH)
    observed, hits = (a.reshape(blocks).sum(axis=2).astype(float) for a in (seen, hit))
    complete = observed >= LEAST_DAYS
    value = np.where(complete, LENGTH * hits / np.maximum(observed, 1), NAN)
    person, day = raw["visit_person"].astype(int), raw["visit_day"].astype(int)
    number = np.bincount(person, minlength=n)
    fee = raw["visit_fee"]
    paid = ~np.isnan(fee) & (day >= 0)
    dose = paid & (day < 56)
    last = np.where(hit.any(axis=1), hit.shape[1] - hit[:, ::-1].argmax(axis=1), 0)
    upto = np.arange(hit.shape[1]) < last[:, None]
    known = hit & ~np.isnan(raw["intensity"])
    out: People = {
        "n": n,
        "value": value,
        "hits": hits,
        "observed": observed,
        "true": raw["true"].astype(float),
        "untreated": raw["untreated"].astype(float),
        "pre": value[:, BEFORE],
        "post": value[:, AFTER],
        "paired": complete[:, BEFORE] & complete[:, AFTER],
        "lost": ~complete[:, AFTER],
        "female": raw["female"],
        "sessions": np.bincount(person[dose], minlength=n).astype(float),
        "minutes": np.bincount(person[dose], raw["visit_minutes"][dose], n),
        "fees": np.bincount(person[paid], fee[paid], n),
        "start": np.cumsum(number) - number,
        "number": number,
        "run": (seen & ~upto).sum(axis=1).astype(float),
        "entries": (seen & upto).sum(axis=1).astype(float),
        "days": hit.sum(axis=1).astype(float),
        "scored": known.sum(axis=1).astype(float),
        "highest": np.where(known, raw["intensity"], -1).max(axis=1).astype(float),
    }
    out |= {k: v for k, v in raw.items() if k.startswith("visit_")}
    return out | _read_answers(raw, person, day, seen, hit)


def _read_answers(
    raw: dict[str, Any], person: Any, day: Any, seen: Any, hit: Any
) -> dict[str, Array]:
    """Answers to "on how many of the last 28 days?", beside the diary of these days."""
    n = len(raw["lost"])
    entries, aches = (
        np.concatenate([np.zeros((n, 1)), np.cumsum(a, axis=1)], axis=1) for a in (seen, hit)
    )
    out: dict[str, Array] = {}
    for name, low, high in (("intake", -7, 0), ("later", 70, 98)):
        asked = ~np.isnan(raw["visit_answer"]) & (day >= low) & (day <= high)
        said, when = np.full(n, NAN), np.zeros(n, int)
        said[person[asked]], when[person[asked]] = raw["visit_answer"][asked], day[asked]
        at = np.clip(when + 56, LENGTH, hit.shape[1])
        people = np.arange(n)
        of = entries[people, at] - entries[people, at - LENGTH]
        had = aches[people, at] - aches[people, at - LENGTH]
        out[f"{name}_said"], out[f"{name}_observed"] = said, of
        out[f"{name}_diary"] = np.where(of > 0, LENGTH * had / np.maximum(of, 1), NAN)
    return out


def draw_clinics(
    world: World, rng: Rng, runs: int, n: int, among: Any = None
) -> Iterator[NDArray[np.int64]]:
    """Draw the people of clinics, with replacement, from all or some of the population."""
    who = np.arange(world.people["n"]) if among is None else np.flatnonzero(among)
    for _ in range(runs):
        yield who[rng.integers(0, len(who), n)]


def take_visits(
    people: People, idx: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the visits of some people, and whose each is (their place in `idx`)."""
    number = people["number"][idx]
    who = np.repeat(np.arange(len(idx)), number)
    within = np.arange(len(who)) - np.repeat(np.cumsum(number) - number, number)
    return np.repeat(people["start"][idx], number) + within, who
