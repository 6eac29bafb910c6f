"""Doubts about imported rows: whether their numbers give the effect that their file shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from headway.effects.measures import MEASURES
from headway.ingest.adapters.shown import is_close
from headway.messages import Message
from headway.reviews.candidates import read_lines
from headway.reviews.integrity.arms import Doubt, doubt

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = ["shown_effect", "shown_ci_low", "shown_ci_high"]
# The letter that an import gives to a study that stands twice in a group.
_LETTERED = re.compile(r"(.+) [a-z]{1,2}")
_NUMBERS = ["n", "events", "mean", "sd"]


def check_shown(arms: pd.DataFrame, contrasts: pd.DataFrame, effects: pd.DataFrame) -> list[Doubt]:
    """Hold imported rows against what their file shows, and find control groups counted twice.

    A row agrees where effect and limits do, within 1e-5 (relative above 1).
    """
    found = [*_check_effects(arms, effects), *_check_effects(contrasts, effects)]
    return [*found, *_check_controls(arms)]


def _check_effects(rows: pd.DataFrame, effects: pd.DataFrame) -> Iterator[Doubt]:
    rows = rows[rows[_SHOWN].notna().all(axis=1)]
    if not len(rows):
        return
    by = {place: row for row in effects.itertuples() for place in read_lines(row.lines)}
    for row in rows.itertuples():
        effect = by.get((row.file, int(row.line)))
        if effect is None:
            continue
        half = float(ndtri(0.5 + row.shown_level / 200)) * np.sqrt(effect.vi)
        three = np.array([effect.yi, effect.yi - half, effect.yi + half])
        found = np.asarray(MEASURES[effect.measure].scale.back(three), dtype=np.float64)
        shown = np.array([getattr(row, name) for name in _SHOWN], dtype=np.float64)
        if is_close(found, shown).all():
            continue
        yield doubt(
            row,
            "shown",
            _write(shown),
            _write(found),
            "doubt",
            Message("doubt.shown"),
            where=effect.arms,
        )


def _write(three: np.ndarray[Any, np.dtype[np.float64]]) -> Message:
    names = ("estimate", "low", "high")
    return Message("doubt.three", **dict(zip(names, map(float, three), strict=True)))


def _check_controls(arms: pd.DataFrame) -> Iterator[Doubt]:
    """Find rows of one study in one (sub)group whose control groups have the same numbers."""
    own = arms[arms["analysis"].notna() & arms["role"].eq("control")]
    seen: set[tuple[Any, ...]] = set()
    for row in own.itertuples():
        name = _LETTERED.fullmatch(row.trial)
        numbers = [getattr(row, column) for column in _NUMBERS]
        if name is None or not row.n > 0:
            continue
        key = (row.analysis, str(row.subgroup), name[1], *(str(x) for x in numbers))
        if key in seen:
            yield doubt(
                row,
                "control_twice",
                Message("doubt.as_printed"),
                Message("doubt.control_once"),
                "doubt",
                Message("doubt.control_twice"),
            )
        seen.add(key)
