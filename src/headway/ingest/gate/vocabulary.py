"""The words that the gate knows, read once from the YAML files beside it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

import yaml


@functools.cache
def read(name: str) -> Mapping[str, Any]:
    """Read one of the lists: columns, people, dates, places."""
    text = files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return dict(yaml.load(text, Loader=loader))


def words(entry: str | Iterable[str]) -> frozenset[str]:
    """List the words of an entry; the parts of a phrase are joined by `_`."""
    lines = [entry] if isinstance(entry, str) else entry
    return frozenset(word for line in lines for word in str(line).split())


@functools.cache
def known(name: str, key: str) -> frozenset[str]:
    """List the words of one entry of a list."""
    return words(read(name)[key])


@functools.cache
def known_by_rule(name: str, key: str) -> Mapping[str, str]:
    """Map every word of an entry whose parts are rules to its rule; the first rule wins."""
    out: dict[str, str] = {}
    for rule, entry in read(name)[key].items():
        for word in words(entry):
            out.setdefault(word, rule)
    return out
