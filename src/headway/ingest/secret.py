"""A secret that never leaves the machine, and codes made with it.

It lies beside the data, where git ignores it, and can be read by its owner alone. The same secret
makes the same codes from the same text every time; without it nobody can tell what a code stands
for, nor try guesses.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from headway.errors import InputError, Problem

# The folder holds nothing else, and tells Git to take nothing of it.
PLACE = Path(".headway") / "secret"
_BYTES = 32
# Letters and digits that nobody takes for one another; a code is neither a word nor a number.
_SIGNS = "bcdfghjkmnpqrstvwxz23456789"


def read_secret(data_dir: Path) -> bytes:
    """Read the secret of a data folder, or make one.

    Raises
    ------
    InputError
        `secret` if the file is damaged: with another secret every code would be another.
    """
    path = data_dir / PLACE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        (path.parent / ".gitignore").write_text("*\n", encoding="ascii")
        made = secrets.token_bytes(_BYTES).hex()
        try:
            # Nobody else may read it, at no moment.
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return read_secret(data_dir)
        with os.fdopen(number, "w", encoding="ascii") as stream:
            stream.write(f"{made}\n")
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (UnicodeDecodeError, ValueError):
        secret = b""
    if len(secret) < _BYTES:
        problem = Problem(path.name, "secret", "problem.secret", remedy="remedy.secret")
        raise InputError("failure.new_clinic", [problem])
    return secret


def make_code(secret: bytes, purpose: str, text: str, length: int = 8) -> str:
    """Make a code of letters and digits from a text (HMAC, RFC 2104, with SHA-256)."""
    digest = hmac.new(secret, f"{purpose}\0{text}".encode(), hashlib.sha256).digest()
    number = int.from_bytes(digest, "big")
    signs = []
    for _ in range(length):
        number, at = divmod(number, len(_SIGNS))
        signs.append(_SIGNS[at])
    return "".join(signs)
