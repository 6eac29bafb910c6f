"""Headache questionnaires: which totals exist, and which changes of them were called important.

`instruments.yaml` holds range, grades and published thresholds, each with source, population and
whether the source was read. A threshold belongs to the population and the method that it came
from, so every one is shown and none is chosen (IMMPACT, Dworkin 2008, asks for more than one).
The wording of the instruments is their owners' and is nowhere here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from headway.config import load_yaml
from headway.config.faults import find_faults
from headway.errors import ConfigError, Problem
from headway.messages import Message, phrase, term
from headway.outcomes.change.change import Statistic, count_share
from headway.tables import STATUSES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

INSTRUMENT_FILE = Path(__file__).with_name("instruments.yaml")
_IMPORTANCE = {
    "minimal": "remark.importance_minimal",
    "moderate": "remark.importance_moderate",
    "substantial": "remark.importance_substantial",
}
_DECIMALS = 9  # a change that equals a threshold on paper must not miss it by rounding


@dataclass(frozen=True, slots=True)
class Threshold:
    """A change that a study called important: of one person, or between groups' means."""

    id: str
    points: float
    applies: Literal["person", "group"]
    population: str
    source: str
    status: str
    method: str = ""
    doi: str = ""


@dataclass(frozen=True, slots=True)
class Grade:
    """A band of scores, both ends in."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Step:
    """An answer on a rating scale, and how important IMMPACT calls it."""

    answer: str
    importance: str = ""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What may be said about totals of one questionnaire."""

    name: str
    kind: Literal["change", "rating"]
    low: float
    high: float
    better: Literal["lower", "higher"]
    aliases: tuple[str, ...] = ()
    grades: tuple[Grade, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    steps: tuple[Step, ...] = ()
    precision: float = float("nan")
    precision_source: str = ""
    importance_source: str = ""

    @property
    def slug(self) -> str:
        """The name as the beginning of an id: `hit6`."""
        return _key(self.name)


_CITED: dict[str, Any] = {
    "source": {"type": "string", "pattern": r"\b(19|20)\d\d$"},
    "doi": {"type": "string", "pattern": r"^10\.\d{4,}/\S+$"},
    "status": {"enum": list(STATUSES)},
}
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_NUMBER: dict[str, Any] = {"type": "number"}


def _object(properties: Mapping[str, Any], required: Iterable[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": dict(properties),
        "required": list(required),
    }


_SCHEMA = _object(
    {
        "schema_version": {"const": 1},
        "instruments": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": _object(
                {
                    "aliases": {"type": "array", "items": _TEXT},
                    "kind": {"enum": ["change", "rating"]},
                    "range": _object({"low": _NUMBER, "high": _NUMBER}, ["low", "high"]),
                    "better": {"enum": ["lower", "higher"]},
                    "asks_about": _TEXT,
                    "precision": _object(
                        {
                            "points": {"type": "number", "exclusiveMinimum": 0},
                            "meaning": _TEXT,
                            **_CITED,
                        },
                        ["points", "meaning", "source", "status"],
                    ),
                    "grades": _object(
                        {
                            "steps": {
                                "type": "array",
                                "minItems": 2,
                                "items": {
                                    "type": "array",
                                    "items": _NUMBER,
                                    "minItems": 2,
                                    "maxItems": 2,
                                },
                            },
                            "status": _CITED["status"],
                        },
                        ["steps", "status"],
                    ),
                    "thresholds": {
                        "type": "array",
                        "items": _object(
                            {
                                "id": {"type": "string", "pattern": "^[a-z][a-z0-9_]*$"},
                                "points": {"type": "number", "exclusiveMinimum": 0},
                                "applies": {"enum": ["person", "group"]},
                                "population": _TEXT,
                                "method": _TEXT,
                                **_CITED,
                            },
                            ["id", "points", "applies", "population", "source", "status"],
                        ),
                    },
                    "steps": {
                        "type": "array",
                        "items": _object(
                            {
                                "answer": _TEXT,
                                "importance": {"enum": ["minimal", "moderate", "substantial"]},
                            },
                            ["answer"],
                        ),
                    },
                    "importance": _object(_CITED, ["source", "status"]),
                },
                ["kind", "range", "better"],
            ),
        },
    },
    ["schema_version", "instruments"],
)


def _key(name: str) -> str:
    """Reduce a name to its letters and digits, so that HIT-6, `hit 6` and Hit_6 are one."""
    return re.sub(r"[^0-9a-z]", "", name.casefold())


def load_instruments(path: Path = INSTRUMENT_FILE) -> dict[str, Instrument]:
    """Read and validate the file of instruments.

    Returns
    -------
    dict of Instrument
        By canonical name, in the order of the file.

    Raises
    ------
    ConfigError
        With every place that breaks a rule.
    """
    document = load_yaml(path)
    problems = find_faults(document, _SCHEMA, path.name)
    if not problems:
        # What a schema cannot say; it needs the parts to be of the right kind.
        problems = [
            Problem(path.name, rule, message) for rule, message in _contradictions(document)
        ]
    if problems:
        raise ConfigError(Message("failure.schema", file=path.name), problems)
    return {name: _build(name, entry) for name, entry in document["instruments"].items()}


def _contradictions(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    owners: dict[str, str] = {}
    for name, entry in document["instruments"].items():
        for alias in (name, *entry.get("aliases", ())):
            owner = owners.setdefault(_key(alias), name)
            if owner != name:
                yield "alias", Message("problem.alias_taken", name=name, alias=alias, owner=owner)
        low, high = entry["range"]["low"], entry["range"]["high"]
        if low >= high:
            yield "range", Message("problem.range_reversed", name=name)
            continue
        grades = entry.get("grades", {}).get("steps", [])
        if grades:
            starts, ends = [g[0] for g in grades], [g[1] for g in grades]
            joined = all(b == a + 1 for a, b in zip(ends[:-1], starts[1:], strict=True))
            ordered = all(a <= b for a, b in grades)
            if not (joined and ordered and starts[0] == low and ends[-1] == high):
                yield (
                    "grades",
                    Message("problem.grades", name=name, low=low, high=high),
                )
        ids = [t["id"] for t in entry.get("thresholds", ())]
        if len(set(ids)) < len(ids):
            yield "thresholds", Message("problem.threshold_twice", name=name)
        for t in entry.get("thresholds", ()):
            if t["points"] > high - low:
                yield "thresholds", Message("problem.threshold_wide", name=name, threshold=t["id"])
        if entry["kind"] == "rating":
            if len(entry.get("steps", ())) != high - low + 1:
                yield "steps", Message("problem.rating_steps", name=name)
            if entry.get("thresholds"):
                yield "thresholds", Message("problem.rating_threshold", name=name)
            if any("importance" in s for s in entry.get("steps", ())) and not entry.get(
                "importance"
            ):
                yield "importance", Message("problem.rating_source", name=name)
        elif entry.get("steps"):
            yield "steps", Message("problem.only_ratings", name=name)


def _build(name: str, entry: Mapping[str, Any]) -> Instrument:
    steps = entry.get("grades", {}).get("steps", [])
    precision = entry.get("precision", {})
    return Instrument(
        name=name,
        kind=entry["kind"],
        low=float(entry["range"]["low"]),
        high=float(entry["range"]["high"]),
        better=entry["better"],
        aliases=tuple(entry.get("aliases", ())),
        grades=tuple(Grade(float(a), float(b)) for a, b in steps),
        thresholds=tuple(Threshold(**t) for t in entry.get("thresholds", ())),
        steps=tuple(Step(**s) for s in entry.get("steps", ())),
        precision=float(precision.get("points", "nan")),
        precision_source=precision.get("source", ""),
        importance_source=entry.get("importance", {}).get("source", ""),
    )


@cache
def _shipped() -> tuple[dict[str, Instrument], dict[str, str]]:
    known = load_instruments()
    names = {_key(n): i.name for i in known.values() for n in (i.name, *i.aliases)}
    return known, names


def canonical(name: str) -> str | None:
    """Find the canonical name of an instrument, whatever its case, spaces and hyphens.

    Returns
    -------
    str or None
        `HIT-6`, `MIDAS`, `HDI` or `PGIC`; None for an instrument about which nothing is known.
    """
    return _shipped()[1].get(_key(name))


def name_outcome(code: Any) -> str:
    """Name an outcome for a page: a questionnaire as its owners write it, others as a message."""
    return canonical(str(code)) or term("outcome", code)


def describe(name: str) -> Instrument:
    """Return what is known about an instrument, under any of its names.

    Raises
    ------
    KeyError
        If nothing is known about it (`canonical` is None).
    """
    found = canonical(name)
    if found is None:
        raise KeyError(f"'{name}' is none of the known instruments: {', '.join(_shipped()[0])}")
    return _shipped()[0][found]


def out_of_range(instrument: str, score: ArrayLike) -> NDArray[np.bool_]:
    """Mark scores that the instrument cannot give; a missing score is not marked."""
    known, values = describe(instrument), np.asarray(score, float)
    return (values < known.low) | (values > known.high)


def summarise_scores(instrument: str, pre: ArrayLike, post: ArrayLike) -> list[Statistic]:
    """Count people whose total changed by at least each published threshold, either way.

    A threshold between groups is left out: it is a distance of means, and people cannot be
    counted by it. So is a score outside the instrument's range, which is unknown, and with it
    the person.

    Parameters
    ----------
    instrument
        Any of its names.
    pre, post
        Totals of the same people in the same order; NaN where unknown.

    Returns
    -------
    list of Statistic
        Per threshold, in the order of the file, `<instrument>_<threshold>_better` and `_worse`;
        then per grade `<instrument>_grade_<i>_before` and `_after` (1 is the lowest scores), of
        the same people. Shares in percent with Wilson intervals, count and n; the note names
        source and population, and says where the source was not read.

    Raises
    ------
    ValueError
        For a rating scale, whose answers are no scores before and after (`summarise_pgic`).
    """
    known = describe(instrument)
    if known.kind != "change":
        raise ValueError(f"{known.name} is asked once, afterwards; it has no score before")
    before, after = np.asarray(pre, float), np.asarray(post, float)
    if before.shape != after.shape:
        raise ValueError("before and after need one score per person, in the same order")
    usable = ~(np.isnan(before) | np.isnan(after))
    usable &= ~(out_of_range(known.name, before) | out_of_range(known.name, after))
    before, after = before[usable], after[usable]
    n = len(before)
    gain = np.round((before - after) * (1 if known.better == "lower" else -1), _DECIMALS)
    out = []
    for t in known.thresholds:
        if t.applies != "person":
            continue
        note = _explain(known, t)
        for side, hit in (("better", gain >= t.points), ("worse", gain <= -t.points)):
            out.append(
                count_share(
                    f"{known.slug}_{t.id}_{side}",
                    int(hit.sum()),
                    n,
                    note,
                    Message(
                        "statistic.score_better" if side == "better" else "statistic.score_worse",
                        instrument=known.name,
                        points=t.points,
                        source=t.source,
                    ),
                )
            )
    starts = np.array([g.low for g in known.grades])
    for side, id, values in (
        ("before", "statistic.grade_before", before),
        ("after", "statistic.grade_after", after),
    ):
        # A mean of repeated totals may fall between two grades; it counts with the lower one.
        band = np.searchsorted(starts, values, side="right")
        for i, grade in enumerate(known.grades, start=1):
            count = int((band == i).sum())
            label = Message(id, instrument=known.name, grade=_name_grade(known, grade))
            out.append(count_share(f"{known.slug}_grade_{i}_{side}", count, n, label=label))
    return out


def _name_grade(known: Instrument, grade: Grade) -> Message:
    if grade == known.grades[0]:
        return Message("grade.or_less", high=grade.high)
    if grade == known.grades[-1]:
        return Message("grade.or_more", low=grade.low)
    return Message("grade.range", low=grade.low, high=grade.high)


def _explain(known: Instrument, t: Threshold) -> Message:
    population: str = Message("remark.population_not_stated")
    if t.population != "unstated":
        population = phrase("condition", phrase("threshold", t.population))
    parts = [t.source, population, phrase("threshold", t.method)]
    if t.status != "retrieved":
        parts.append(Message("remark.not_checked"))
    # The errors of two scores add as variances.
    noise = known.precision * np.sqrt(2)
    if t.points < noise:
        source = known.precision_source
        parts.append(Message("remark.noise", noise=noise, source=source, points=known.precision))
    return Message("remark.threshold", parts=[p for p in parts if p])


def read_pgic(answers: Iterable[object]) -> Array:
    """Turn answers on the PGIC into 1 (very much improved) to 7 (very much worse).

    Whole numbers (as numbers or text) and the words of the seven steps are read, whatever their
    case; everything else, and a missing answer, is NaN. Numbers cannot show which way a clinic's
    scale runs: one on which 7 is best has to be reversed before.
    """
    steps = {_key(s.answer): float(i) for i, s in enumerate(describe("PGIC").steps, start=1)}

    def read(answer: object) -> float:
        if isinstance(answer, bool | np.bool_):
            return float("nan")  # a yes is no 1
        try:
            value = float(answer)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            word = _key(answer) if isinstance(answer, str) else ""
            return steps.get(word, float("nan"))
        return value if value in steps.values() else float("nan")

    return np.array([read(a) for a in answers], float)


def summarise_pgic(scores: Iterable[object]) -> list[Statistic]:
    """Count answers on the Patient Global Impression of Change.

    IMMPACT reads minimally, much and very much improved as a minimal, moderate and substantial
    improvement (Dworkin 2008).

    Parameters
    ----------
    scores
        Answers as `read_pgic` takes them.

    Returns
    -------
    list of Statistic
        `pgic_very_much_improved`, `pgic_much_improved`, `pgic_minimally_improved`,
        `pgic_no_change`, `pgic_worse` (its three steps together): five shares that add up to
        100; then `pgic_at_least_much_improved`, the first two together. n counts readable
        answers.
    """
    known, values = describe("PGIC"), read_pgic(scores)
    values = values[~np.isnan(values)]
    n = len(values)
    out = []
    for i, step in enumerate(known.steps[:4], start=1):
        id = f"pgic_{step.answer.replace(' ', '_')}"
        note = ""
        if step.importance:
            note = Message(_IMPORTANCE[step.importance], source=known.importance_source)
        out.append(count_share(id, int((values == i).sum()), n, note))
    out.append(count_share("pgic_worse", int((values > 4).sum()), n))
    note = Message("remark.importance_at_least_moderate", source=known.importance_source)
    out.append(count_share("pgic_at_least_much_improved", int((values <= 2).sum()), n, note))
    return out
