"""The lock that a run leaves in its folder when it is killed, or when the power fails.

Snakemake marks the folder of a run by files below `.snakemake/locks` and cannot tell whose they
are. Each run therefore also holds a lock of the system's, which ends with its process: who gets it
alone knows that no run is at work, and that the marks which stand there were left behind.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from headway.tables import private

HOME = Path(".snakemake")
_held: list[int | None] = []


def clear_left_behind() -> None:
    """Remove the marks of runs that were killed; those of runs at work stay.

    Where the system has no such locks (Windows, some network drives) all stay, and Snakemake says
    how they are removed.
    """
    HOME.mkdir(exist_ok=True)
    alone = private.lock(HOME)
    if alone is not None:
        shutil.rmtree(HOME / "locks", ignore_errors=True)
        os.close(alone)
    _held.append(private.lock(HOME, shared=True))  # as long as this process lives
