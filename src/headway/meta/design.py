"""From named moderators to the columns of a design matrix."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.effects.shared import describe_positions
from headway.meta.batch import find_missing

Array = NDArray[np.float64]

INTERCEPT = "intercept"
# A column whose part that the others do not explain is smaller than this share of it is collinear.
COLLINEAR = 1e-10


@dataclass(frozen=True, slots=True)
class Design:
    """A design matrix with names.

    Attributes
    ----------
    matrix : ndarray, shape (k, p)
    names : tuple of str
        One per column: ``intercept``, ``year``, ``alloc[random]``.
    terms : dict
        Name of each moderator to the numbers of its columns; a factor has several.
    levels : dict
        Name of each factor to all of its levels, the reference first.
    """

    matrix: Array
    names: tuple[str, ...]
    terms: dict[str, tuple[int, ...]]
    levels: dict[str, tuple[Hashable, ...]]

    @property
    def has_intercept(self) -> bool:
        """Tell whether the first column is the intercept."""
        return bool(self.names) and self.names[0] == INTERCEPT

    @property
    def tested(self) -> tuple[int, ...]:
        """Columns of the omnibus test: all but the intercept; that, where it is all there is."""
        rest = tuple(range(1, len(self.names))) if self.has_intercept else ()
        return rest or tuple(range(len(self.names)))

    def __repr__(self) -> str:
        return f"Design({self.matrix.shape[0]} studies: {', '.join(self.names)})"


def _read_column(name: str, values: Any, k: int | None) -> tuple[Array | None, list[Any]]:
    """Return a moderator as numbers, or None and its labels where it is a factor."""
    raw = list(values) if not isinstance(values, np.ndarray) else values.tolist()
    if k is not None and len(raw) != k:
        raise ValueError(f"moderator {name!r} must hold one entry per study: {len(raw)} for {k}")
    raw = [value.item() if isinstance(value, np.generic) else value for value in raw]
    missing = find_missing(raw)
    if missing.any():
        raise ValueError(
            f"moderator {name!r} must not be missing: see "
            f"{describe_positions(missing)}; leave those studies out with a mask"
        )
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in raw):
        column = np.array(raw, dtype=np.float64)
        if not np.isfinite(column).all():
            raise ValueError(
                f"moderator {name!r} must be finite: see {describe_positions(~np.isfinite(column))}"
            )
        return column, raw
    return None, raw


def build_design(
    moderators: Mapping[str, Sequence[Any] | ArrayLike],
    *,
    intercept: bool = True,
    reference: Mapping[str, Hashable] | None = None,
    k: int | None = None,
) -> Design:
    """Build a design matrix from named moderators.

    Parameters
    ----------
    moderators : mapping of str to sequence
        One entry per study each. Numbers are one column as they are; text, booleans and other
        labels are a factor, one column per level but the reference (treatment coding). Give
        ``list(map(str, codes))`` where numbers are codes of groups.
    intercept : bool
        Whether the first column is 1. Without it the first factor has a column for every level,
        whose coefficients are then the levels' own means.
    reference : mapping, optional
        Reference level per factor; otherwise the first in sorted order.
    k : int, optional
        Number of studies; needed only if there are no moderators.

    Returns
    -------
    Design

    Raises
    ------
    ValueError
        Missing or infinite entries, with their positions; moderators of different length; a
        factor with one level; a reference that is no level; no column at all.
    """
    columns: list[Array] = []
    names: list[str] = []
    terms: dict[str, tuple[int, ...]] = {}
    levels: dict[str, tuple[Hashable, ...]] = {}
    references = dict(reference or {})
    whole = not intercept
    for name, values in moderators.items():
        if name == INTERCEPT:
            raise ValueError(f"a moderator cannot be named {INTERCEPT!r}")
        column, raw = _read_column(name, values, k)
        k = len(raw)
        start = len(columns)
        if column is not None:
            columns.append(column)
            names.append(name)
        else:
            ordered = sorted(dict.fromkeys(raw), key=lambda level: (str(type(level)), level))
            if name in references:
                base = references[name]
                if base not in ordered:
                    raise ValueError(f"reference of {name!r} must be one of its levels")
                ordered = [base, *(level for level in ordered if level != base)]
            if len(ordered) < 2:
                raise ValueError(f"factor {name!r} has one level only: nothing to compare")
            levels[name] = tuple(ordered)
            shown = ordered if whole else ordered[1:]
            whole = False
            for level in shown:
                columns.append(np.array([value == level for value in raw], dtype=np.float64))
                names.append(f"{name}[{level}]")
        terms[name] = tuple(range(start, len(columns)))
    unknown = sorted(set(references) - set(levels))
    if unknown:
        raise ValueError(f"reference given for what is not a factor: {unknown}")
    if intercept:
        if k is None:
            raise ValueError("no moderators: the number of studies is not known")
        columns.insert(0, np.ones(k))
        names.insert(0, INTERCEPT)
        terms = {name: tuple(i + 1 for i in place) for name, place in terms.items()}
    if not columns:
        raise ValueError("a model needs an intercept or a moderator")
    return Design(np.column_stack(columns), tuple(names), terms, levels)


def orthonormalise(design: Design, held: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return Q, orthonormal over the studies held and 0 elsewhere, and R with X = QR there.

    All fitting is done in Q, so that a year of 1990 beside an intercept costs no digits.

    Raises
    ------
    ValueError
        A column that is the same in every study, or a combination of those before it, by name.
    """
    x = design.matrix[held]
    if design.has_intercept and len(x) > 1:
        for j in range(1, x.shape[1]):
            if (x[:, j] == x[0, j]).all():
                raise ValueError(
                    f"moderator {design.names[j]!r} is the same in all of these {len(x)} studies: "
                    "nothing can be told from it; leave it out"
                )
    size = np.sqrt((x * x).sum(axis=0))
    q = x / np.where(size > 0, size, 1)
    # Modified Gram-Schmidt, twice: "twice is enough" for orthogonality to rounding.
    for j in range(q.shape[1]):
        for _ in range(2):
            q[:, j] -= q[:, :j] @ (q[:, :j].T @ q[:, j])
        rest = float(np.sqrt(q[:, j] @ q[:, j]))
        if not rest > COLLINEAR:
            raise ValueError(
                f"moderators are collinear in these {x.shape[0]} studies: column "
                f"{design.names[j]!r} is a combination of those before it; leave one out"
            )
        q[:, j] /= rest
    whole = np.zeros(design.matrix.shape)
    whole[held] = q
    return whole, np.triu(q.T @ x)
