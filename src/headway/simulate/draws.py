"""Types, generators of random numbers, and what is done with a draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Parameters = Mapping[str, Any]
# Mechanism -> place of its generator; a new one goes to the end.
_GENERATORS = (
    "dropout",
    "therapist",
    "unit",
    "windows_file",
    "zeros",
    "remarks",
    "groups",
    "calendar",
)


def make_generator(seed: int, mechanism: str) -> np.random.Generator:
    """Make the generator of a mechanism, whose draws move no other draw."""
    key = (_GENERATORS.index(mechanism),)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def expit(x: Floats) -> Floats:
    """Turn a logit into a probability."""
    return 1.0 / (1.0 + np.exp(-x))


def logit(p: float) -> float:
    """Turn a probability into a logit."""
    return float(np.log(p / (1.0 - p)))


def round_to_half(x: Floats) -> Floats:
    """Round to a multiple of one half."""
    return np.round(2.0 * x) / 2.0


def round_within(x: Floats, low: float, high: float) -> Floats:
    """Round to whole numbers between two limits."""
    return np.clip(np.round(x), low, high)


def pick_value(rng: np.random.Generator, values: list[float], size: int) -> Floats:
    """Draw from equally likely values."""
    return np.asarray(values, dtype=float)[rng.integers(len(values), size=size)]


def keep_where(condition: Bools, values: NDArray[np.str_]) -> NDArray[np.object_]:
    """Keep the texts where the condition holds."""
    kept = np.full(condition.shape, None, dtype=object)
    kept[condition] = np.asarray(values, dtype=object)[condition]
    return kept


def pick_category(rng: np.random.Generator, weights: Floats) -> Ints:
    """Draw one category a row from weights of shape (rows, categories)."""
    cumulative = np.cumsum(weights, axis=1)
    uniform = rng.random(len(weights)) * cumulative[:, -1]
    return (uniform[:, None] >= cumulative).sum(axis=1)
