"""What a build would say of a review's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.config.review import Review
from headway.errors import Problem
from headway.ingest import trials


@dataclass(frozen=True, slots=True)
class Preview:
    """Problems of a review, and what of its files was used."""

    problems: Sequence[Problem] = ()
    files: Sequence[Mapping[str, Any]] = ()
    columns: Sequence[Mapping[str, Any]] = ()
    answers: Sequence[Mapping[str, Any]] = ()


def preview_review(folder: Path, review: Review) -> Preview:
    """Read a review's files as a build does."""
    trials.read_review(folder, review)
    return Preview()
