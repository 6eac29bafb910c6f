"""The words that the gate knows, read once from the YAML files beside it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

import yaml


@functools.cache
def read(name: str) -> Mapping[str, Any]:
    """Read one of the lists: columns, dates, forms, people, places."""
    text = files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return dict(yaml.load(text, Loader=loader))


def words(entry: str | Iterable[str] | Mapping[Any, str]) -> frozenset[str]:
    """List the words of an entry; the parts of a phrase are joined by `_`."""
    lines = [entry] if isinstance(entry, str) else entry
    lines = lines.values() if isinstance(lines, Mapping) else lines
    return frozenset(word for line in lines for word in str(line).split())


@functools.cache
def known(name: str, key: str) -> frozenset[str]:
    """List the words of one entry of a list."""
    return words(read(name)[key])


@functools.cache
def list_months() -> Mapping[str, int]:
    """Map names of months in seven languages, and what is short for them, to their numbers.

    What is a word as well (`set`, `out`) is none but where it is the whole name.
    """
    found = read("dates")
    out = {w: n for n, line in found["short"].items() for w in line.split()}
    common = known("dates", "words") - {"mar", "dec", "dic", "ago"}
    out = {word: n for word, n in out.items() if word not in common}
    return out | {w: n for n, line in found["months"].items() for w in line.split()}


@functools.cache
def known_by_rule(name: str, key: str) -> Mapping[str, str]:
    """Map every word of an entry whose parts are rules to its rule; the first rule wins."""
    out: dict[str, str] = {}
    for rule, entry in read(name)[key].items():
        for word in words(entry):
            out.setdefault(word, rule)
    return out
