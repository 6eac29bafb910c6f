"""What is its owner's alone: files of row-level records, and a secret for digests of them.

A plain digest of a file of records confirms a guess: whoever has a file that may be the clinic's
computes its digest and compares. Digests of clinics' records are keyed with a secret that is made
once, stands beside the data and is no part of any result.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_FOLDER, _FILE = ".headway", "secret"
_LOCK = ".lock"
_MAKING_S = 60
_BYTES = 32


def make_private(folder: Path) -> bool:
    """Make a folder that its owner alone may enter; False where the system cannot say so."""
    folder.mkdir(parents=True, exist_ok=True)
    return restrict(folder, 0o700)


def restrict(path: Path, mode: int = 0o600) -> bool:
    """Let nobody but its owner read a file; False where the system cannot say so."""
    try:
        path.chmod(mode)
        return stat.S_IMODE(path.stat().st_mode) == mode
    except OSError:  # a share without owners, or a file of somebody else's
        return False


@contextmanager
def scratch_folder(root: Path | None, prefix: str) -> Iterator[Path]:
    """Make a folder for row-level data, gone afterwards; those of killed runs go first.

    `root` is the system's own place where it is None.
    """
    place = Path(tempfile.gettempdir()) if root is None else root
    place.mkdir(parents=True, exist_ok=True)
    sweep(place, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))  # mode 0700
    held = lock(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)


def sweep(root: Path, prefix: str) -> int:
    """Remove the scratch folders of runs that were killed; those of living runs are locked.

    Returns how many were removed. Where the system has no such locks (Windows), none is: what is
    left stays until it is deleted by hand.
    """
    gone = 0
    for left in root.glob(f"{prefix}*"):
        # A link, or somebody else's folder, is left alone.
        with suppress(OSError):
            if left.is_symlink() or not left.is_dir() or not _is_own(left):
                continue
            # One that is being made has no lock yet.
            young = time.time() - left.stat().st_mtime < _MAKING_S
            if young and not (left / _LOCK).exists():
                continue
            held = lock(left)
            if held is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(held)
                gone += 1
    return gone


def _is_own(path: Path) -> bool:
    return not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()


def lock(folder: Path, *, shared: bool = False) -> int | None:
    """Lock a folder while this process lives; None where another has, or there are no locks.

    Any number of processes may hold it `shared`, and none beside them alone.
    """
    if fcntl is None:
        return None
    number: Any = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(number, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        os.close(number)
        return None
    return int(number)


def read_secret(data_dir: Path) -> bytes:
    """Read the secret of a data folder; it is made if there is none.

    It stands in a folder of its own, which tells Git to take nothing of it. Two runs that make it
    at once agree on the first.
    """
    path = data_dir / _FOLDER / _FILE
    if not path.is_file():
        make_private(path.parent)
        hide_from_git(path.parent)
        part = path.with_name(f"{_FILE}.{os.getpid()}")
        number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(number, "wb") as stream:
            stream.write(secrets.token_hex(_BYTES).encode())
        try:
            os.link(part, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return bytes.fromhex(path.read_text(encoding="ascii"))


def hide_from_git(folder: Path) -> None:
    """Tell Git, whatever it is told elsewhere, to take nothing of a folder."""
    (folder / ".gitignore").write_text("*\n", encoding="ascii")


def sign(secret: bytes, *parts: str) -> str:
    """Make the keyed digest of texts (HMAC with SHA-256)."""
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hmac.new(secret, text, hashlib.sha256).hexdigest()


def sign_file(secret: bytes, path: Path) -> str:
    """Make the keyed digest of a file (HMAC with SHA-256)."""
    total = hmac.new(secret, digestmod=hashlib.sha256)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    return total.hexdigest()
