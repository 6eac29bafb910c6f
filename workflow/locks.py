"""The lock that a run leaves in its folder when it is killed, or when the power fails.

Snakemake marks the folder of a run by files below `.snakemake/locks` and cannot tell whose they
are. Each run therefore also holds a lock of the system's, which ends with its process: who gets it
alone knows that no run is at work, and that the marks which stand there were left behind.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from headway.tables import private

HOME = Path(".snakemake")
# A run that was just killed may take a moment to be gone.
WAIT_S, PAUSE_S = 3.0, 0.1
_held: list[int | None] = []


def clear_left_behind() -> None:
    """Remove the marks of runs that were killed; those of runs at work stay.

    Where the system has no such locks (Windows, some network drives) all stay, and Snakemake says
    how they are removed.
    """
    HOME.mkdir(exist_ok=True)
    marks, until = HOME / "locks", time.monotonic() + WAIT_S
    while (alone := private.lock(HOME)) is None and time.monotonic() < until:
        if not (marks.is_dir() and any(marks.iterdir())):
            break
        time.sleep(PAUSE_S)
    if alone is not None:
        shutil.rmtree(marks, ignore_errors=True)
        os.close(alone)
    _held.append(private.lock(HOME, shared=True))  # as long as this process lives
