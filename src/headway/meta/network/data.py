"""The evidence of a network: contrasts within trials, with the covariance that shared arms bring.

A trial of m arms gives m − 1 contrasts against one of its own arms, its base. Which arm that is
changes no result: the covariance between its contrasts says the rest.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.effects.measures import COUNTS_NEEDED, MEASURES, escalc
from headway.effects.shared import check_summaries, hedges_j
from headway.meta.batch import number_labels, read_labels, read_numbers
from headway.meta.multilevel import read_covariance

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

# Measures whose contrasts within a trial add up: (a v b) + (b v c) = (a v c), variances too.
ADDITIVE = ("MD", "ROM", "VR", "CVR", "RR", "OR", "RD", "AS", "IRR", "IRD")
COUNTED = ("RR", "OR", "RD", "AS", "IRR", "IRD")
# What a trial prints for each pair may be rounded; beyond this share of the largest standard
# error of the trial it contradicts itself.
ROUNDING = 0.05


@dataclass(frozen=True, slots=True, repr=False)
class Network:
    """Contrasts of a network of treatments.

    Attributes
    ----------
    treatments, trials : tuple of str
    trial, treatment, base : ndarray of int, shape (m,)
        Of each contrast: its trial, and the two arms it compares, as numbers of those names.
    y : ndarray, shape (m,)
        Treatment against base.
    v : ndarray, shape (m, m)
        Sampling covariance; 0 between trials.
    """

    treatments: tuple[str, ...]
    trials: tuple[str, ...]
    trial: Numbers
    treatment: Numbers
    base: Numbers
    y: Array
    v: Array

    def __repr__(self) -> str:
        return (
            f"Network({len(self.treatments)} treatments, {len(self.trials)} trials, "
            f"{len(self.y)} contrasts)"
        )

    @property
    def design(self) -> Array:
        """Which treatments each contrast compares: 1, −1 and zeros, shape (m, treatments)."""
        x = np.zeros((len(self.y), len(self.treatments)))
        rows = np.arange(len(self.y))
        x[rows, self.treatment] = 1
        x[rows, self.base] = -1
        return x

    def list_arms(self) -> list[tuple[int, ...]]:
        """List each trial's treatments, in the order of the names."""
        arms: list[set[int]] = [set() for _ in self.trials]
        for trial, one, other in zip(self.trial, self.treatment, self.base, strict=True):
            arms[trial] |= {int(one), int(other)}
        return [tuple(sorted(each)) for each in arms]

    def count_trials(self) -> NDArray[np.int64]:
        """Count the trials that have each treatment, shape (treatments,)."""
        return np.bincount(np.concatenate(self.list_arms()), minlength=len(self.treatments))

    def count_pairs(self) -> NDArray[np.int64]:
        """Count the trials that compare each pair directly, shape (treatments, treatments)."""
        count = np.zeros((len(self.treatments),) * 2, dtype=np.int64)
        for arms in self.list_arms():
            count[np.ix_(arms, arms)] += 1
        np.fill_diagonal(count, 0)
        return count

    def find_parts(self) -> list[tuple[str, ...]]:
        """Return the groups of treatments that trials connect, the largest first."""
        from scipy.sparse.csgraph import connected_components

        count, label = connected_components(self.count_pairs() > 0, directed=False)
        names = np.array(self.treatments, dtype=object)
        parts = [tuple(names[label == part]) for part in range(count)]
        return sorted(parts, key=lambda part: (-len(part), part))

    def keep(self, rows: NDArray[np.bool_]) -> Network:
        """Return the network of some contrasts: all of a trial, or none.

        Raises
        ------
        ValueError
            If a trial would be torn apart, or nothing is left.
        """
        if not rows.any():
            raise ValueError("no contrast is left")
        if set(self.trial[rows]) & set(self.trial[~rows]):
            raise ValueError("a trial is kept whole or not at all")
        used = sorted({*self.treatment[rows].tolist(), *self.base[rows].tolist()})
        place = {number: i for i, number in enumerate(used)}
        trials, trial = np.unique(self.trial[rows], return_inverse=True)
        return Network(
            tuple(self.treatments[i] for i in used),
            tuple(self.trials[i] for i in trials),
            trial,
            np.array([place[i] for i in self.treatment[rows].tolist()]),
            np.array([place[i] for i in self.base[rows].tolist()]),
            self.y[rows],
            self.v[np.ix_(rows, rows)],
        )


def read_contrasts(
    yi: ArrayLike,
    v: ArrayLike,
    trials: Sequence[Any] | ArrayLike,
    treatments: Sequence[Any] | ArrayLike,
    bases: Sequence[Any] | ArrayLike,
) -> Network:
    """Read contrasts whose covariance is known.

    Parameters
    ----------
    yi : array_like, shape (m,)
        Effect of `treatments` against `bases`, on a scale where effects add up (logs of ratios).
    v : array_like, shape (m,) or (m, m)
        Variances where every trial has two arms; else their covariance matrix.
    trials, treatments, bases : sequence, shape (m,)
        Labels. A trial of m arms has m − 1 contrasts that hold together.

    Raises
    ------
    ValueError
        Shapes, labels or numbers that do not fit; a treatment against itself; a trial with several
        contrasts and variances alone; a trial whose contrasts go round in a circle; covariance
        between trials.
    """
    y = read_numbers(yi, "yi")
    if y.ndim != 1 or not np.isfinite(y).all():
        raise ValueError("yi must be finite, of one dimension")
    m = y.size
    of_trial, trial_names = _number(read_labels(trials, "trials", m))
    one, other = read_labels(treatments, "treatments", m), read_labels(bases, "bases", m)
    names = sorted({str(label) for label in (*one, *other)})
    place = {name: i for i, name in enumerate(names)}
    treatment = np.array([place[str(label)] for label in one])
    base = np.array([place[str(label)] for label in other])
    same = treatment == base
    if same.any():
        raise ValueError(
            f"a treatment is compared with itself: {_name(trial_names, of_trial[same])}"
        )
    several = np.bincount(of_trial) > 1
    if np.ndim(v) == 1 and several.any():
        raise ValueError(
            "trials with several contrasts need their covariance (see read_pairs and read_arms): "
            + _name(trial_names, np.flatnonzero(several))
        )
    cover = read_covariance(v, m)
    if (cover[of_trial[:, None] != of_trial] != 0).any():
        raise ValueError("different trials share no people: their contrasts have covariance 0")
    network = Network(tuple(names), trial_names, of_trial, treatment, base, y, cover)
    for number in np.flatnonzero(several):
        x = network.design[of_trial == number]
        if np.linalg.matrix_rank(x) < len(x):
            raise ValueError(
                f"the contrasts of trial {trial_names[number]!r} go round in a circle: give each "
                "arm once against one base, or all pairs to read_pairs"
            )
    return network


def read_pairs(
    yi: ArrayLike,
    vi: ArrayLike,
    trials: Sequence[Any] | ArrayLike,
    treatments: Sequence[Any] | ArrayLike,
    bases: Sequence[Any] | ArrayLike,
) -> Network:
    """Read trials of which every pair of arms is given, with its variance.

    Parameters
    ----------
    yi, vi : array_like, shape (m,)
        Effect of `treatments` against `bases` and its sampling variance; a trial of three arms
        has three rows, one of four has six.
    trials, treatments, bases : sequence, shape (m,)
        Labels.

    Raises
    ------
    ValueError
        As :func:`read_contrasts`; a trial that lacks a pair or has one twice, whose effects do not
        add up, or whose variances belong to no set of arms.

    Notes
    -----
    The covariance of b and c against a is (v_ab + v_ac − v_bc)/2: exact, as variances of
    differences are.
    """
    y, v = read_numbers(yi, "yi"), read_numbers(vi, "vi")
    if y.ndim != 1 or v.shape != y.shape:
        raise ValueError("yi and vi must be one-dimensional, of one length")
    if not (np.isfinite(y).all() and np.isfinite(v).all() and (v > 0).all()):
        raise ValueError("yi must be finite, vi finite and above 0")
    of_trial, names = _number(read_labels(trials, "trials", y.size))
    one = [str(label) for label in read_labels(treatments, "treatments", y.size)]
    other = [str(label) for label in read_labels(bases, "bases", y.size)]
    kept: list[int] = []
    cover = np.zeros((y.size, y.size))
    values = np.array(y)
    for number, name in enumerate(names):
        rows = np.flatnonzero(of_trial == number).tolist()
        arms = sorted({one[i] for i in rows} | {other[i] for i in rows})
        pairs = {frozenset((one[i], other[i])): i for i in rows}
        if len(pairs) < len(rows) or len(pairs) != len(arms) * (len(arms) - 1) / 2:
            raise ValueError(
                f"trial {name!r} must give each pair of its {len(arms)} arms once; where only "
                "some are known, give their covariance to read_contrasts"
            )
        base = arms[0]
        mine = [pairs[frozenset((base, arm))] for arm in arms[1:]]
        for i in mine:
            if one[i] == base:
                one[i], other[i], values[i] = other[i], one[i], -values[i]
        slack = ROUNDING * float(np.sqrt(v[rows].max()))
        for a, i in enumerate(mine):
            cover[i, i] = v[i]
            for j in mine[a + 1 :]:
                k = pairs[frozenset((one[i], one[j]))]
                given = y[k] if one[k] == one[i] else -y[k]
                if abs(values[i] - values[j] - given) > slack:
                    raise ValueError(f"the effects of trial {name!r} do not add up")
                cover[i, j] = cover[j, i] = (v[i] + v[j] - v[k]) / 2
        kept += mine
    try:
        whole = read_covariance(cover[np.ix_(kept, kept)], len(kept))
    except ValueError:
        raise ValueError("the variances of a trial with several arms fit no arms") from None
    return read_contrasts(
        values[kept],
        whole,
        [names[of_trial[i]] for i in kept],
        [one[i] for i in kept],
        [other[i] for i in kept],
    )


def read_arms(
    measure: str,
    trials: Sequence[Any] | ArrayLike,
    treatments: Sequence[Any] | ArrayLike,
    **arms: ArrayLike,
) -> Network:
    """Compute the contrasts of trials from their arms, with exact covariances.

    Parameters
    ----------
    measure : str
        ``MD SMD ROM VR CVR`` from `n`, `mean`, `sd` (``VR`` without `mean`); ``RR OR RD AS`` from
        `events`, `n`; ``IRR IRD`` from `events`, `time`.
    trials, treatments : sequence, shape (arms,)
        Labels; an arm's treatment occurs once in its trial.
    **arms : array_like, shape (arms,)

    Raises
    ------
    ValueError
        Another measure; a number missing; a trial with one arm, or a treatment twice; an effect
        that is not defined, by its trial.

    Notes
    -----
    Every pair of arms is computed as two groups are (:func:`headway.effects.escalc`) and the
    covariance follows from the variances, as in :func:`read_pairs`. Where a count is 0, the
    continuity correction goes to all arms of the trial. ``SMD``: one SD, pooled over all arms of
    the trial, so that its contrasts add up; covariances of Gleser and Olkin (2009), equations 19.26
    and 19.27.
    """
    if measure != "SMD" and measure not in ADDITIVE:
        raise ValueError(f"measure must be SMD or one of {list(ADDITIVE)}, not {measure!r}")
    k = len(np.atleast_1d(np.asarray(trials, dtype=object)))
    of_trial, names = _number(read_labels(trials, "trials", k))
    label = [str(one) for one in read_labels(treatments, "treatments", k)]
    needed = _list_needed(measure)
    missing = [name for name in needed if name not in arms]
    if missing:
        raise ValueError(f"measure {measure} needs {', '.join(needed)}; not given: {missing}")
    values = {name: np.asarray(arms[name], dtype=np.float64) for name in needed}
    if any(value.shape != (k,) for value in values.values()):
        raise ValueError("arms must hold one number per arm")
    if "sd" in values:
        check_summaries(values)
    values = _add_to_zeros(measure, of_trial, values)
    blocks, out_y, rows = [], [], []
    for number, name in enumerate(names):
        mine = np.flatnonzero(of_trial == number)
        mine = mine[np.argsort([label[i] for i in mine], kind="stable")]
        if len(mine) < 2 or len({label[i] for i in mine}) < len(mine):
            raise ValueError(f"trial {name!r} must have at least two arms, of different treatments")
        own = {key: value[mine] for key, value in values.items()}
        y, v = _contrast_smd(own) if measure == "SMD" else _contrast(measure, own)
        if not (np.isfinite(y).all() and np.isfinite(v).all()):
            raise ValueError(f"measure {measure} is not defined for the arms of trial {name!r}")
        blocks.append(v)
        out_y.append(y)
        rows += [(name, label[i], label[mine[0]]) for i in mine[1:]]
    from scipy.linalg import block_diag

    return read_contrasts(np.concatenate(out_y), block_diag(*blocks), *zip(*rows, strict=True))


def _list_needed(measure: str) -> list[str]:
    """List the numbers of an arm that a measure of two groups needs."""
    needed = MEASURES[measure].needed
    if needed == COUNTS_NEEDED:
        return ["events", "n"]
    return list(dict.fromkeys(name[:-1] for name in needed.split()))


def _number(labels: list[Hashable]) -> tuple[Numbers, tuple[str, ...]]:
    number, names = number_labels(list(map(str, labels)))
    return number, tuple(map(str, names))


def _name(names: tuple[str, ...], numbers: Numbers) -> str:
    return ", ".join(repr(names[i]) for i in dict.fromkeys(numbers.tolist()))


def _add_to_zeros(measure: str, trial: Numbers, values: dict[str, Array]) -> dict[str, Array]:
    """Add 0.5 to the cells of every arm of a trial in which a cell is 0, as escalc does for two."""
    if measure not in COUNTED or measure == "AS":
        return values
    events = values["events"]
    shares = "n" in values
    empty = (events == 0) | (events == values["n"]) if shares else events == 0
    touched = 0.5 * (np.bincount(trial, weights=empty) > 0)[trial]
    values = {**values, "events": events + touched}
    return {**values, "n": values["n"] + 2 * touched} if shares else values


def _pair_up(measure: str, own: dict[str, Array], one: Numbers, other: Numbers) -> dict[str, Array]:
    """Return what escalc needs for pairs of arms."""
    if MEASURES[measure].needed == COUNTS_NEEDED:
        a, n = own["events"], own["n"]
        return {"a": a[one], "b": (n - a)[one], "c": a[other], "d": (n - a)[other]}
    return {
        f"{name}{side}": value[arm]
        for name, value in own.items()
        for side, arm in ((1, one), (2, other))
    }


def _contrast(measure: str, own: dict[str, Array]) -> tuple[Array, Array]:
    """Return the contrasts of one trial against its first arm, and their covariance."""
    count = len(next(iter(own.values())))
    one, other = np.tril_indices(count, -1)
    extra = {"to": "none"} if measure in COUNTED else {}
    y, v = escalc(measure, **_pair_up(measure, own, one, other), **extra)
    whole, effect = np.zeros((count, count)), np.zeros(count)
    whole[one, other] = whole[other, one] = v
    effect[one[other == 0]] = y[other == 0]
    cover = (whole[1:, :1] + whole[:1, 1:] - whole[1:, 1:]) / 2
    return effect[1:], np.asarray(cover)


def _contrast_smd(own: dict[str, Array]) -> tuple[Array, Array]:
    n, mean, sd = own["n"], own["mean"], own["sd"]
    df = float(n.sum() - len(n))
    pooled = np.sqrt(((n - 1) * sd**2).sum() / df)
    d = hedges_j(df) * (mean[1:] - mean[0]) / pooled
    return d, np.diag(1 / n[1:]) + 1 / n[0] + np.outer(d, d) / (2 * n.sum())
