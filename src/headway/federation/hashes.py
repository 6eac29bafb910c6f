"""Hashes of a summary: of what it says, of its definitions, and of the program that made it.

They show that a file was changed or cut short on its way. They are no signature: who changes a
summary can compute its hash again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
_CODE = (".py", ".yaml", ".yml")


def hash_value(value: Any) -> str:
    """Compute the SHA-256 of plain data, in whatever order its keys stand.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def hash_content(summary: Mapping[str, Any]) -> str:
    """Compute the hash of everything that a summary says but that hash itself."""
    hashes = {k: v for k, v in summary.get("hashes", {}).items() if k != "content"}
    return hash_value({**summary, "hashes": hashes})


def hash_numbers(summary: Mapping[str, Any]) -> str:
    """Compute the hash of a summary's numbers, whatever the clinic calls itself."""
    return hash_value({part: summary.get(part) for part in ("outcomes", "case_mix")})


@cache
def hash_program() -> str:
    """Compute the hash of the code and the settings files of this package."""
    digest = hashlib.sha256()
    for path in sorted(p for p in PACKAGE.rglob("*") if p.suffix in _CODE):
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
