"""Subgroups of a comparison: how they are pooled, and the test of their differences."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.messages import Message, join
from headway.meta.pooling import Fit, pool
from headway.meta.subgroup import subgroups

Array = NDArray[np.float64]

# Trials of a subgroup below which its own tau2 is too uncertain (Borenstein et al. 2009, ch. 19).
ENOUGH = 5


@dataclass(frozen=True, slots=True)
class Groups:
    """Fits of the subgroups and of all trials, and the message on their difference."""

    fits: dict[Hashable, Fit]
    overall: Fit
    note: str


def fit_groups(
    yi: Array, vi: Array, labels: Sequence[Hashable], *, own: bool, **settings: Any
) -> Groups:
    """Pool each subgroup and test whether they differ.

    Parameters
    ----------
    yi, vi
        Effects and sampling variances, shape (k,).
    labels
        Subgroup of each.
    own
        Whether the analysis is this review's. Then subgroups share one tau2 where one of them has
        fewer than five trials, and the test of their differences is an F test. Otherwise each has
        its own and the test is chi-squared, as in RevMan.
    settings
        method, test and level, as for :func:`headway.meta.pool`.

    Returns
    -------
    Groups
        A subgroup of one trial is that trial as it is.

    Raises
    ------
    ValueError
        As :func:`headway.meta.subgroups`.
    """
    labels = list(labels)
    sizes = {name: labels.count(name) for name in dict.fromkeys(labels)}
    if not own or settings["method"] == "EE":
        split = subgroups(yi, vi, labels, **settings)
        places = {"q": split.q_between, "df": split.df, "p": split.p_value}
        told = _no_test("subgroups.no_spread")
        if not np.isnan(split.q_between):
            told = Message("subgroups.difference", **places)
        return Groups(split.groups, split.overall, told)
    single = [str(name) for name, k in sizes.items() if k == 1]
    alone = {
        name: pool(_pick(yi, labels, name), _pick(vi, labels, name), **settings)
        for name, k in sizes.items()
        if k == 1
    }
    overall = pool(yi, vi, **settings)
    if len(single) == len(sizes):
        return Groups(alone, overall, _no_test("subgroups.one_each"))
    common = min(sizes.values()) < ENOUGH
    # A regression has no Kenward-Roger interval; Hartung-Knapp with its floor stands in.
    plain = {**settings, "test": "adhoc"} if common and settings["test"] == "kr" else settings
    way = "common" if common else "separate"
    split = subgroups(yi, vi, labels, **plain, tau2=way, differences="f")
    if np.isnan(split.p_value):
        told = _no_test("subgroups.no_spread")
    else:
        places = {"f": split.q_between, "df": split.df, "df2": split.df2, "p": split.p_value}
        id = "subgroups.difference_common" if common else "subgroups.difference_separate"
        told = Message(id, **places)
    ones = Message("subgroups.of_one", groups=single) if single else None
    return Groups({**split.groups, **alone}, overall, join([told, ones]))


def _pick(values: Array, labels: Sequence[Hashable], name: Hashable) -> Array:
    return values[[label == name for label in labels]]


def _no_test(why: str) -> Message:
    return Message("subgroups.no_test", why=Message(why))
