"""A person's records -> windows, missingness, change."""

from __future__ import annotations

from typing import Any

__all__ = ["judge_change"]


def __getattr__(name: str) -> Any:
    """Import the public door when it is first asked for: `outcomes.judge_change(...)`."""
    if name == "judge_change":
        from headway.outcomes.expectation.judge import judge_change

        return judge_change
    raise AttributeError(f"module 'headway.outcomes' has no attribute '{name}'")
