"""What a column and a table of the contracts are, and codes that several rooms share.

Every column says what disclosure control has to do with it (`Disclosure`), so that a column that
nobody thought about cannot be declared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "int", "float", "bool"]

TECHNIQUES = ("manual", "dry_needling", "wet_needling", "acupuncture", "self_care", "other")
SETTINGS = ("in_office", "at_home")
COMPARATORS = ("waiting_list", "no_treatment", "usual_care", "sham", "active")
STATUSES = ("retrieved", "transcribed", "computed", "recalled")
OUTCOMES = ("frequency", "intensity", "duration", "headache_index")


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What a column is to disclosure control (`headway.disclosure.classes`).

    Attributes
    ----------
    kind
        `key` says what a row is about; `constant` follows from the configuration alone;
        `published` was printed by others; `row_level` is never released; `text` is made from
        the records. `count` is a number of people, or of what they bring; `share` a count over
        another; `estimate` any other number that follows from the records.
    n
        Columns of the people whom an estimate stands on; of a share, its denominator.
    count
        Of a share, its numerator. A row without one holds an estimate of `n` instead.
    limits
        Columns of an estimate's interval, lower and upper.
    decimals
        With which an estimate is printed; None: as its row's `unit` lets it be.
    again
        The column is erased, and computed again from what is printed.
    blocks
        A count that is printed as the sum of midpoints of blocks (survival curves).
    single
        A quantile: the value of a single person.
    """

    kind: Literal["key", "constant", "count", "share", "estimate", "text", "published", "row_level"]
    n: tuple[str, ...] = ()
    count: str = ""
    limits: tuple[str, ...] = ()
    decimals: int | None = None
    again: bool = False
    blocks: bool = False
    single: bool = False

    def __post_init__(self) -> None:
        """Hold the class against itself.

        Raises
        ------
        ValueError
            If an estimate or a share does not say what it stands on.
        """
        if (self.kind in ("share", "estimate")) != bool(self.n):
            raise ValueError(f"an estimate or a share, and nothing else, names its n: {self.kind}")
        if (self.kind == "share") != bool(self.count):
            raise ValueError(f"a share, and nothing else, names its numerator: {self.kind}")


KEY, CONSTANT, TEXT = Disclosure("key"), Disclosure("constant"), Disclosure("text")
COUNT, PUBLISHED, ROW_LEVEL = Disclosure("count"), Disclosure("published"), Disclosure("row_level")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its type, class, unit, and what it may hold.

    Raises
    ------
    TypeError, ValueError
        If it has no class of disclosure.
    """

    kind: Kind
    description: str
    disclosure: Disclosure
    unit: str = ""  # a code of the catalogue's family `unit`; empty where rows or files differ
    nullable: bool = False
    allowed: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    pattern: str = ""

    def __post_init__(self) -> None:
        """Refuse a column without a class."""
        if not isinstance(self.disclosure, Disclosure):
            raise ValueError(f"a column needs a class of disclosure: {self.description}")
        if self.kind != "text" and self.disclosure.kind == "text":
            raise ValueError(f"a number is no text: {self.description}")


@dataclass(frozen=True, slots=True)
class Table:
    """A table: what one row is, its key, and its columns in order.

    `own` names a column and the value of the rows that are about this clinic; the others repeat
    published numbers. Empty: all rows are. `people` names a column and the value of the rows that
    count people, where others count rows of a file.
    """

    row: str
    columns: Mapping[str, Column]
    key: tuple[str, ...] = ()
    level: Literal["row-level", "aggregate"] = "aggregate"
    own: tuple[str, str] | None = None
    people: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        """Hold the classes of the columns against one another."""
        self.check()

    def check(self) -> None:
        """Hold the classes of the columns against one another.

        Raises
        ------
        ValueError
            If a share or an estimate names a column that is no count, or limits that are no
            estimates.
        """
        for name, column in self.columns.items():
            rule = column.disclosure
            for other in (*rule.n, *((rule.count,) if rule.count else ())):
                if other not in self.columns or self.columns[other].disclosure.kind != "count":
                    raise ValueError(f"{name} stands on {other}, which is no column of counts")
            for other in rule.limits:
                if other not in self.columns or self.columns[other].disclosure.kind != "estimate":
                    raise ValueError(f"{name} has the limit {other}, which is no estimate")


def text(
    description: str,
    *,
    allowed: Sequence[str] = (),
    nullable: bool = False,
    disclosure: Disclosure = TEXT,
) -> Column:
    """Declare a column of text made from the records, or of another class."""
    return Column("text", description, disclosure, allowed=tuple(allowed), nullable=nullable)


def key(description: str, *, allowed: Sequence[str] = (), nullable: bool = False) -> Column:
    """Declare a column of codes that say what a row is about."""
    return text(description, allowed=allowed, nullable=nullable, disclosure=KEY)


def constant(description: str, *, allowed: Sequence[str] = (), nullable: bool = False) -> Column:
    """Declare a column of text that follows from the configuration alone."""
    return text(description, allowed=allowed, nullable=nullable, disclosure=CONSTANT)


def published(description: str, *, allowed: Sequence[str] = (), nullable: bool = False) -> Column:
    """Declare a column of text that others have printed."""
    return text(description, allowed=allowed, nullable=nullable, disclosure=PUBLISHED)


def number(
    description: str,
    unit: str = "",
    *,
    disclosure: Disclosure,
    nullable: bool = True,
    low: float | None = None,
    high: float | None = None,
) -> Column:
    """Declare a column of numbers, empty where unknown."""
    return Column("float", description, disclosure, unit, nullable, low=low, high=high)


def integer(
    description: str,
    unit: str = "",
    *,
    disclosure: Disclosure,
    nullable: bool = False,
    low: float | None = None,
    high: float | None = None,
) -> Column:
    """Declare a column of whole numbers."""
    return Column("int", description, disclosure, unit, nullable, low=low, high=high)


def flag(description: str, *, disclosure: Disclosure = CONSTANT) -> Column:
    """Declare a column of yes and no."""
    return Column("bool", description, disclosure)


def count(
    description: str, unit: str = "people", *, again: bool = False, blocks: bool = False
) -> Column:
    """Declare a column of numbers of people, or of what they bring."""
    rule = Disclosure("count", again=again, blocks=blocks)
    return number(description, unit, disclosure=rule, low=0)


def share(
    description: str, numerator: str, denominator: str, unit: str = "", **more: Any
) -> Column:
    """Declare a column of shares of one count in another; `more`: fields of `Disclosure`."""
    rule = Disclosure("share", (denominator,), numerator, **more)
    return number(description, unit, disclosure=rule)


def estimate(
    description: str,
    unit: str = "",
    n: str | tuple[str, ...] = "n",
    *,
    low: float | None = None,
    high: float | None = None,
    **more: Any,
) -> Column:
    """Declare a column of estimates from the records; `more`: fields of `Disclosure`."""
    rule = Disclosure("estimate", (n,) if isinstance(n, str) else n, **more)
    return number(description, unit, disclosure=rule, low=low, high=high)
