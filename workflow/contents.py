"""Digest of the raw files that a rule reads: content decides whether it runs again, not time.

A digest is kept with the size, the times and the inode of its file, so that a run with nothing to
do looks at files without reading them. What is kept only saves time: where it cannot be read or
written, files are read again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# A file that changed so shortly before it was read may change again within the same tick of the
# clock of its file system, with nothing to tell by.
_SETTLED_NS = 2_000_000_000


class Contents:
    """Digests of files, as far as they are known from earlier runs."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.known = _load(store)
        self.asked: dict[str, list[Any]] = {}
        self.changed = False

    def digest(self, paths: Iterable[Path]) -> str:
        """Hash the names and the content of files; of one that cannot be read, why not."""
        total = hashlib.sha256()
        for path in paths:
            total.update(json.dumps([path.name, self._digest_one(path)]).encode())
        return total.hexdigest()[:32]

    def _digest_one(self, path: Path) -> str:
        key = str(path.absolute())
        try:
            stat = path.stat()
            mark = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev]
            kept = self.known.get(key)
            if kept is None or kept[:-1] != mark:
                now = time.time_ns()
                with path.open("rb") as stream:
                    kept = [*mark, hashlib.file_digest(stream, "sha256").hexdigest()]
                after = path.stat()
                still = (after.st_size, after.st_mtime_ns, after.st_ctime_ns) == tuple(mark[:3])
                if not still or now - stat.st_ctime_ns < _SETTLED_NS:
                    return str(kept[-1])
                self.changed = True
        except OSError as error:
            return f"unreadable: {error.strerror}"  # its job says so, and is tried again
        self.asked[key] = kept
        return str(kept[-1])

    def save(self) -> None:
        """Keep what was asked for; of two runs side by side the later one's stays."""
        if not self.changed:
            return
        text = json.dumps(self.known | self.asked)
        try:
            self.store.parent.mkdir(parents=True, exist_ok=True)
            number, part = tempfile.mkstemp(prefix=f"{self.store.name}.", dir=self.store.parent)
            try:
                with os.fdopen(number, "w", encoding="utf-8") as stream:
                    stream.write(text)
                Path(part).replace(self.store)
            except OSError:
                Path(part).unlink(missing_ok=True)
        except OSError:
            pass  # a read-only or full disk: the files are read again


def _load(store: Path) -> dict[str, list[Any]]:
    """Read what was kept; nothing of it where it is not what `save` writes."""
    try:
        held = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(held, dict):
        return {}
    return {
        key: kept
        for key, kept in held.items()
        if isinstance(kept, list) and len(kept) == 6 and isinstance(kept[-1], str)
    }
