"""Where stored answers come from: the repository, always, and the folder outside where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.ledger import INSIDE


@pytest.fixture(scope="session", params=["inside", "outside"])
def source(request: pytest.FixtureRequest) -> Path:
    """Return a folder of known answers; the one outside is skipped where it is not."""
    if request.param == "inside":
        return INSIDE
    folder: Path = request.getfixturevalue("shared")
    return folder
