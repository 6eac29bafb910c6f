"""How many threads the libraries for matrices start: one, unless the user says otherwise.

Each process would start one for every processor, and they wait for each other in a loop: on a
busy machine that costs ten times what the small matrices here take. Jobs of the workflow get
as many as their rule from Snakemake.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

# In the order of numpy's usual libraries; each also heeds the first.
NAMES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    *("GOTO_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
)
_ours: set[str] = set()


def limit_threads(environment: MutableMapping[str, str] = os.environ) -> None:
    """Allow one thread, before numpy is imported; a number that the user set stays."""
    if any(environment.get(name) for name in NAMES):
        return
    environment.update(dict.fromkeys(NAMES, "1"))
    _ours.update(NAMES)


def list_chosen(environment: MutableMapping[str, str] = os.environ) -> dict[str, str]:
    """List the environment as the user set it, for a program that has its own limit."""
    return {name: value for name, value in environment.items() if name not in _ours}
