"""How many threads the libraries for matrices start in a job.

Snakemake gives each job as many as its rule has, whatever the user set. A number that the user
set goes before: a batch system, or somebody who shares a machine, knows better.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

GENERAL = "OMP_NUM_THREADS"  # the libraries heed it where their own is not set
NAMES = (
    GENERAL,
    *("GOTO_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"),
)


def write_prefix(environment: Mapping[str, str]) -> str:
    """Write the commands that set again what the user set; nothing but numbers gets to a shell."""
    chosen = _find_chosen(environment)
    return "".join(
        f"export {name}={value}; " for name, value in chosen.items() if value.isdecimal()
    )


def choose(environment: Mapping[str, str], threads: int) -> dict[str, str]:
    """Give the variables of a job with so many threads, unless the user set other numbers."""
    chosen = _find_chosen(environment)
    return {n: value if value.isdecimal() else str(threads) for n, value in chosen.items()}


def _find_chosen(environment: Mapping[str, str]) -> dict[str, str]:
    general = environment.get(GENERAL, "")
    return {name: environment.get(name) or general for name in NAMES}


def keep_choice(shell: Any) -> None:
    """Let the jobs of this run have the numbers of threads that the user set."""
    prefix = write_prefix(os.environ)
    if prefix and os.name == "posix":
        shell.prefix(prefix)
