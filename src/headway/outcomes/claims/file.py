"""The file of claims: each claim, its parts, the rule of each verdict, and published figures.

Sentences are messages of the family `claim`; limits and values are numbers of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from headway.config import load_yaml
from headway.config.faults import find_faults
from headway.errors import ConfigError, Problem
from headway.messages import Message, known
from headway.outcomes.claims.rules import Rule

CLAIMS_FILE = Path(__file__).with_name("claims.yaml")
_SCHEMA_FILE = Path(__file__).with_name("claims.schema.yaml")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a claim: what is computed, its rule, and a published figure.

    `claim`, `label` and the text and source of the anchor are ids of messages.
    """

    row: int
    id: str
    claim: str
    label: str
    causal: bool
    rule: Rule
    anchor: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims and the words that records are read with."""

    parts: tuple[Part, ...]
    complaints: tuple[str, ...]
    cups: float
    assessments: Mapping[str, tuple[str, ...]]
    sites: Mapping[str, str]  # word -> region
    muscles: Mapping[str, frozenset[str]]  # muscle -> regions

    def of_row(self, row: int) -> dict[str, Part]:
        """Parts of one claim by their identifier."""
        return {p.id: p for p in self.parts if p.row == row}


def load_claims(path: Path = CLAIMS_FILE) -> Claims:
    """Read and validate the file of claims.

    Raises
    ------
    ConfigError
        With every place that breaks a rule.
    """
    document = load_yaml(path)
    problems = find_faults(document, load_yaml(_SCHEMA_FILE), path.name)
    if not problems:
        problems = [Problem(path.name, rule, text) for rule, text in _contradictions(document)]
    if problems:
        raise ConfigError(Message("failure.schema", file=path.name), problems)
    parts = [
        Part(
            entry["row"],
            id,
            entry["claim"],
            part["label"],
            part.get("causal", entry["causal"]),
            Rule(**part["rule"]),
            part.get("anchor", {}),
        )
        for entry in document["claims"]
        for id, part in entry["parts"].items()
    ]
    regions = document["regions"]
    return Claims(
        parts=tuple(parts),
        complaints=tuple(read_word(w) for w in document["complaints"]),
        cups=float(document["cups"]["value"]),
        assessments={k: tuple(read_word(w) for w in v) for k, v in document["assessments"].items()},
        sites={read_word(w): region for region, words in regions["sites"].items() for w in words},
        muscles={read_word(m): frozenset(v) for m, v in regions["muscles"].items()},
    )


def _contradictions(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for id in sorted(set(_list_messages(document["claims"]))):
        if not known(id):
            yield "message", Message("problem.no_message", id=id)
    rows = [entry["row"] for entry in document["claims"]]
    if len(set(rows)) < len(rows):
        yield "row", "problem.claim_twice"
    for entry in document["claims"]:
        for id, part in entry["parts"].items():
            rule = part["rule"]
            if rule["kind"] == "within" and rule["low"] >= rule["high"]:
                yield "rule", Message("problem.claim_range", row=entry["row"], part=id)
    regions = document["regions"]
    owner: dict[str, str] = {}
    for region, words in regions["sites"].items():
        for word in words:
            if owner.setdefault(read_word(word), region) != region:
                yield "sites", Message("problem.site_twice", word=word)
    for muscle, own in regions["muscles"].items():
        if set(own) - set(regions["sites"]):
            yield "muscles", Message("problem.muscle_region", muscle=muscle)


def _list_messages(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for entry in entries:
        yield entry["claim"]
        for part in entry["parts"].values():
            anchor = part.get("anchor", {})
            yield from (part["label"], part["rule"]["why"])
            yield from (anchor[k] for k in ("text", "source") if k in anchor)


@cache
def load_shipped() -> Claims:
    """Read the file of the package, once."""
    return load_claims()


@lru_cache(maxsize=4096)
def read_word(text: str) -> str:
    """Write a code in one way: lower case, with one underscore between words."""
    return re.sub(r"[\s_-]+", "_", text.strip().casefold())
