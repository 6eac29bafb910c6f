"""What a job asks of a cluster, by the size of its source's files: memory (MB) and time (minutes).

Nothing of it holds a run on one machine back, unless that run is told how much there is
(`--resources mem_mb=8000`). The numbers are what `benchmarks/needs.py` measured, and a test
holds them against smaller measurements.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.tables.engine import MEMORY_MB

# Snakemake starts a job on a cluster by two more processes of its own.
STARTERS_MB = 300
# Other versions, other machines, other records.
MEMORY_HEADROOM, TIME_HEADROOM = 1.5, 10
LEAST_MINUTES = 10


@dataclass(frozen=True, slots=True)
class Need:
    """What a rule's job needs: at the least, and for each MB of its source's files.

    `engine` is DuckDB's part of the memory for each MB, which ends at its limit.
    """

    mb: float
    seconds: float
    mb_each: float = 0
    engine: float = 0
    seconds_each: float = 0


NEEDS = {
    "ingest_clinic": Need(250, 5, engine=3, seconds_each=0.1),
    "analyse_clinic": Need(350, 20, mb_each=5, engine=3, seconds_each=0.4),
    "report_clinic": Need(350, 10, mb_each=0.2, seconds_each=0.1),
    "ingest_review": Need(150, 5, mb_each=50, seconds_each=60),
    "analyse_review": Need(150, 10, mb_each=50, seconds_each=600),
    "report_review": Need(300, 10, mb_each=50, seconds_each=300),
    "write_manuscript": Need(300, 10, mb_each=50, seconds_each=300),
    "notebook": Need(400, 20),
    "index": Need(150, 5),
    "nothing_refused": Need(150, 5),
}


def memory(rule: str, size: int, attempt: int = 1, engine_mb: int = MEMORY_MB) -> int:
    """Give the memory (MB) of a rule's job for `size` bytes; each attempt gets double."""
    need, mb = NEEDS[rule], size / 1e6
    total = need.mb + need.mb_each * mb + min(need.engine * mb, engine_mb)
    asked = (STARTERS_MB + total) * MEMORY_HEADROOM * 2 ** (attempt - 1)
    return 100 * math.ceil(asked / 100)


def minutes(rule: str, size: int, attempt: int = 1) -> int:
    """Give the time (minutes) of a rule's job for `size` bytes; each attempt gets double."""
    need = NEEDS[rule]
    asked = (need.seconds + need.seconds_each * size / 1e6) * TIME_HEADROOM / 60
    return math.ceil(max(LEAST_MINUTES, asked)) * 2 ** (attempt - 1)


def measure(files: Iterable[Path]) -> int:
    """Add up the sizes (bytes) of files; one that cannot be looked at counts as nothing."""
    total = 0
    for path in files:
        try:
            total += path.stat().st_size
        except OSError:  # its job says so
            continue
    return total


def ask(
    rule: str,
    size: Callable[[Any], int] = lambda wildcards: 0,
    engine_mb: int = MEMORY_MB,
) -> dict[str, Any]:
    """Make what a rule writes below `resources:`; `size` gives the bytes for its wildcards."""
    return {
        "mem_mb": lambda wildcards, attempt: memory(rule, size(wildcards), attempt, engine_mb),
        "runtime": lambda wildcards, attempt: minutes(rule, size(wildcards), attempt),
    }
