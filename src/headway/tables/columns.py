"""What a column and a table of the contracts are, and codes that several rooms share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "int", "float", "bool"]

TECHNIQUES = ("manual", "dry_needling", "wet_needling", "acupuncture", "self_care", "other")

SETTINGS = ("in_office", "at_home")

COMPARATORS = ("waiting_list", "no_treatment", "usual_care", "sham", "active")

STATUSES = ("retrieved", "computed", "recalled")

OUTCOMES = ("frequency", "intensity", "duration", "headache_index")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its type, unit, whether it may be empty and what it may hold."""

    kind: Kind
    description: str
    unit: str = ""
    nullable: bool = False
    allowed: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: what one row is, its key, and its columns in order."""

    row: str
    columns: Mapping[str, Column]
    key: tuple[str, ...] = ()
    level: Literal["row-level", "aggregate"] = "aggregate"


def text(description: str, *, allowed: Sequence[str] = (), nullable: bool = False) -> Column:
    """Declare a column of text."""
    return Column("text", description, allowed=tuple(allowed), nullable=nullable)


def number(
    description: str,
    unit: str = "",
    *,
    nullable: bool = True,
    low: float | None = None,
    high: float | None = None,
) -> Column:
    """Declare a column of numbers, empty where unknown."""
    return Column("float", description, unit, nullable, low=low, high=high)


def integer(
    description: str,
    unit: str = "",
    *,
    nullable: bool = False,
    low: float | None = None,
    high: float | None = None,
) -> Column:
    """Declare a column of whole numbers."""
    return Column("int", description, unit, nullable, low=low, high=high)


def flag(description: str) -> Column:
    """Declare a column of yes and no."""
    return Column("bool", description)
