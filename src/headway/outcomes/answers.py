"""Which questions a clinic's page will answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headway.config.clinic import Clinic


def list_answers(processed: Path, clinic: Clinic) -> list[dict[str, Any]]:
    """List the questions of the page: question, answered, n, of, why, remedy."""
    return []
