"""Times in the future, which files bear when the clock was set back after they were written.

Snakemake fails a job whose output is older than its input, and an input with a time in the future
stays newer than any output until that time has come.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from headway.messages import Message, say_in_english


def settle(places: Iterable[Path]) -> list[str]:
    """Give files with times in the future the present, in the same order, after all others.

    `places` are files and folders, which are looked through. Returns what is to be said of it; a
    file that somebody else owns is left as it is.
    """
    now = time.time_ns()
    late: dict[int, list[str]] = {}
    for path in places:
        for name, changed in _list_files(path):
            if changed > now:
                late.setdefault(changed, []).append(name)
    settled: list[str] = []
    for back, changed in enumerate(sorted(late, reverse=True)):
        for name in late[changed]:
            moment = now - back * 1000
            try:
                os.utime(name, ns=(moment, moment))
            except OSError:
                continue
            settled.append(name)
    if not settled:
        return []
    first = Path(min(settled)).as_posix()
    return [say_in_english(Message("machine.set_back", n=len(settled), file=first))]


def _list_files(path: Path) -> Iterator[tuple[str, int]]:
    """List files with the time of their last change (ns); what cannot be read is left out."""
    try:
        if path.is_dir():
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        yield from _list_files(Path(entry.path))
                    elif entry.is_file(follow_symlinks=False):
                        yield entry.path, entry.stat(follow_symlinks=False).st_mtime_ns
        elif path.is_file():
            yield str(path), path.stat().st_mtime_ns
    except OSError:
        return
