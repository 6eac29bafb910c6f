"""Codes of people that only this machine can make again.

The secret lies beside the data, where Git ignores it, and can be read by its owner alone
(`headway.tables.private`). The same secret makes the same codes from the same text every time;
without it nobody can tell what a code stands for, nor try guesses.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from headway.errors import InputError, Problem
from headway.tables import private

# Letters and digits that nobody takes for one another; a code is neither a word nor a number.
_SIGNS = "bcdfghjkmnpqrstvwxz23456789"
_BYTES = 32


def read_secret(data_dir: Path) -> bytes:
    """Read the secret of a data folder; it is made if there is none.

    Raises
    ------
    InputError
        `secret` if the file is damaged: with another secret every code would be another.
    """
    try:
        secret = private.read_secret(data_dir)
    except ValueError:  # no hexadecimal digits, or no text
        secret = b""
    if len(secret) < _BYTES:
        problem = Problem("secret", "secret", "problem.secret", remedy="remedy.secret")
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
