"""What all tests share: where the repository stands, and the data that are kept outside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before numpy is imported: several workers, each with a thread for every processor, would wait for
# each other.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("HEADWAY_SHARED", ROOT / ".." / "shared")).resolve()


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """Return the root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of known answers and data that the project may not carry.

    A user does not have it, and the tests that need it are skipped; in CI its absence is a
    failure, so that no check disappears unseen.
    """
    if not (SHARED / "golden").is_dir():
        text = "HEADWAY_SHARED does not point at the shared data and known answers"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(f"SKIPPED LOUDLY: {text}")
    return SHARED
