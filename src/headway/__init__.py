"""Headway: outcomes research for headache and trigger point care."""

from typing import Any

__version__: str  # what git said when the package was installed


def __getattr__(name: str) -> Any:
    """Import a room when it is first asked for: `import headway; headway.meta.pool(...)`."""
    from importlib import import_module

    if name == "__version__":
        return import_module("headway.version").find_version()
    try:
        return import_module(f"headway.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"headway.{name}":
            raise
    raise AttributeError(f"module 'headway' has no attribute '{name}'")
