"""What clinic.yaml declares otherwise than by default, where it can move a change or a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from headway.config.clinic import Clinic, Expected, Windows

if TYPE_CHECKING:
    import pandas as pd

ACCOUNT = "setting"
_PLAIN = ("min_duration_h", "primary_outcome")


def list_departures(clinic: Clinic) -> list[tuple[str, str]]:
    """List dotted key and value, as text, of each setting that is not the default."""
    out = [pair for name in _PLAIN for pair in _differ(name, getattr(clinic, name), _default(name))]
    out += _differ("windows", clinic.windows, Windows())
    out += _differ("entry", clinic.entry, None)
    out += _differ("expected", clinic.expected, Expected())
    return out


def build_departures(clinic: Clinic) -> pd.DataFrame:
    """Put them into rows of the table `flow`: account, item (the key), step (the value)."""
    import pandas as pd

    rows = [
        {
            "account": ACCOUNT,
            "item": key,
            "step": value,
            "n": float("nan"),
            "of": float("nan"),
            "note": None,
            "redacted": False,
        }
        for key, value in list_departures(clinic)
    ]
    return pd.DataFrame(rows)


def _default(name: str) -> Any:
    return next(f.default for f in fields(Clinic) if f.name == name)


def _differ(key: str, value: Any, default: Any) -> Iterator[tuple[str, str]]:
    if value == default:
        return
    if is_dataclass(value) and (default is None or type(value) is type(default)):
        for f in fields(value):
            was = None if default is None else getattr(default, f.name)
            yield from _differ(f"{key}.{f.name}", getattr(value, f.name), was)
    elif isinstance(value, dict):
        other = default if isinstance(default, dict) else {}
        for name in sorted({*value, *other}):
            yield from _differ(f"{key}.{name}", value.get(name), other.get(name))
    else:
        yield key, _write(value)


def _write(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_write(v) for v in value) or "none"
    if is_dataclass(value) and not isinstance(value, type):
        return ", ".join(
            f"{f.name}: {_write(v)}"
            for f in fields(value)
            if (v := getattr(value, f.name)) is not None
        )
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
