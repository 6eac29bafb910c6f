"""Headway: outcomes research for headache and trigger point care."""

from types import ModuleType

__version__ = "0.1.0"


def __getattr__(name: str) -> ModuleType:
    """Import a room when it is first asked for: `import headway; headway.meta.pool(...)`."""
    from importlib import import_module

    try:
        return import_module(f"headway.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"headway.{name}":
            raise
    raise AttributeError(f"module 'headway' has no attribute '{name}'")
