"""The multiverse of an analysis: every defensible way to do it, and how far they agree.

A specification is one choice per factor: which effects (measure, assumed correlation), which
studies (all, low risk of bias, without outliers, one left out), which estimator of tau2 and which
interval. All are fitted as one batch per estimator and interval. After Steegen et al. (2016) and
Simonsohn, Simmons and Nelson (2020); for meta-analyses Voracek, Kossmeier and Tran (2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.meta.batch import read_mask, read_numbers
from headway.meta.distributions import check_level
from headway.meta.influence import influence
from headway.meta.pooling import Array, check_test, pool
from headway.meta.tau2 import check_method

if TYPE_CHECKING:
    import pandas as pd

ALL = "all"
NONE = "none"
OWN_FACTORS = ("studies", "left out", "estimator", "interval")
DEFAULT_METHODS = ("EE", "DL", "PM", "REML")
DEFAULT_TESTS = ("z", "knha", "adhoc")


@dataclass(frozen=True, slots=True)
class Effects:
    """One way to compute the effects of the same studies.

    Attributes
    ----------
    choices : dict
        Factor to level, for example ``{"measure": "SMD", "assumed r": "0.7"}``.
    yi, vi : array_like, shape (k,)
        NaN where a study has no such effect.
    unit : str
        Unit of `yi`; estimates are compared in size only within a unit.
    """

    choices: Mapping[str, str]
    yi: ArrayLike
    vi: ArrayLike
    unit: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Multiverse:
    """Results of all specifications: arrays with one entry each, the declared one first.

    Attributes
    ----------
    choices : dict
        Factor to the level each specification takes.
    estimate, se, ci_low, ci_high, p_value, tau2, i2 : ndarray
        As in :class:`headway.meta.Fit`.
    k : ndarray of int
        Studies pooled.
    unit : ndarray of str
        Unit of the estimate.
    level : float
    left_out : dict
        Reason to the number of combinations that are no specifications of their own: the same
        effects and studies under another name, or fewer than two studies.
    """

    choices: dict[str, NDArray[np.str_]]
    estimate: Array
    se: Array
    ci_low: Array
    ci_high: Array
    p_value: Array
    tau2: Array
    i2: Array
    k: NDArray[np.int64]
    unit: NDArray[np.str_]
    level: float
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def significant(self) -> NDArray[np.bool_]:
        """Tell which specifications have an interval that excludes 0."""
        return np.asarray(self.p_value < 1 - self.level)

    @property
    def same_direction(self) -> float:
        """Share of specifications whose estimate has the sign of the declared one."""
        return float((np.sign(self.estimate) == np.sign(self.estimate[0])).mean())

    @property
    def share_significant(self) -> float:
        """Share of specifications that are significant in the direction of the declared one."""
        same = np.sign(self.estimate) == np.sign(self.estimate[0])
        return float((same & self.significant).mean())

    @property
    def agreement(self) -> float:
        """Share of specifications that agree with the declared one in direction and significance.

        Where the declared one is not significant, those agree that are not significant either,
        whatever their direction: neither claims one.
        """
        if not self.significant[0]:
            return float((~self.significant).mean())
        return self.share_significant

    def count_by(self, factor: str) -> dict[str, tuple[int, int]]:
        """Count, per level of a factor, its specifications, and those that agree on an effect.

        These are significant in the direction of the declared one.

        Raises
        ------
        ValueError
            Unknown factor.
        """
        if factor not in self.choices:
            raise ValueError(f"factor must be one of {list(self.choices)}, not {factor!r}")
        same = np.sign(self.estimate) == np.sign(self.estimate[0])
        chosen = self.choices[factor]
        return {
            level: (
                int((chosen == level).sum()),
                int((same & self.significant)[chosen == level].sum()),
            )
            for level in dict.fromkeys(chosen.tolist())
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per specification."""
        import pandas as pd

        frame = pd.DataFrame(dict(self.choices))
        for name in ("k", "estimate", "se", "ci_low", "ci_high", "p_value", "tau2", "i2", "unit"):
            frame[name] = getattr(self, name)
        frame["level"] = self.level
        frame["declared"] = np.arange(len(frame)) == 0
        return frame

    def summary(self) -> str:
        """Return what the multiverse says, in sentences."""
        n = self.estimate.size
        percent = f"{100 * self.level:g} %"
        declared = ", ".join(f"{name} {levels[0]}" for name, levels in self.choices.items())
        verdict = "excludes" if self.significant[0] else "includes"
        lines = [
            f"Multiverse of {n} specifications",
            f"declared ({declared}): {self.estimate[0]:.4g}, {percent} CI {self.ci_low[0]:.4g} to "
            f"{self.ci_high[0]:.4g}, which {verdict} 0",
            f"same direction: {100 * self.same_direction:.1f} % of specifications; significant in "
            f"that direction: {100 * self.share_significant:.1f} %; in agreement with the declared "
            f"one in direction and significance: {100 * self.agreement:.1f} %",
        ]
        for unit in dict.fromkeys(self.unit.tolist()):
            own = self.estimate[self.unit == unit]
            words = f" {unit}" if unit else ""
            lines.append(
                f"estimates run from {own.min():.4g} to {own.max():.4g}{words}, median "
                f"{np.median(own):.4g} ({own.size} specifications)"
            )
        for factor, levels in self.choices.items():
            if len(set(levels.tolist())) > 1 and factor != "left out":
                counts = self.count_by(factor).items()
                text = ", ".join(f"{level} {hits} of {total}" for level, (total, hits) in counts)
                lines.append(f"significant in that direction by {factor}: {text}")
        lines += [f"not counted: {number} ({why})" for why, number in self.left_out.items()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return (
            f"Multiverse({self.estimate.size} specifications, {100 * self.agreement:.1f} % agree "
            "with the declared one)"
        )


def find_outliers(
    yi: ArrayLike, vi: ArrayLike, *, method: str = "REML", limit: float = 1.96
) -> Any:
    """Return which studies lie further from what the others foretell than sampling explains.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        NaN where a study has no effect: such a study is no outlier.
    method : str
        As for :func:`headway.meta.pool`.
    limit : float
        On the studentised deleted residual.

    Returns
    -------
    ndarray of bool, shape (k,)

    Notes
    -----
    Viechtbauer and Cheung (2010). With fewer than three studies none is called an outlier.
    """
    y, v = read_numbers(yi, "yi"), read_numbers(vi, "vi")
    known = np.isfinite(y) & np.isfinite(v)
    outliers = np.zeros(y.shape, dtype=np.bool_)
    if known.sum() >= 3:
        outliers[known] = np.abs(influence(y[known], v[known], method=method).rstudent) > limit
    return outliers


def _list_models(
    methods: Sequence[str], tests: Sequence[str], declared: tuple[str, str]
) -> list[tuple[str, str]]:
    """List pairs of estimator and interval, the declared one first.

    A common effect goes with its own normal interval only, Kenward-Roger with REML only.
    """
    pairs = [declared]
    for method in methods:
        check_method(method)
        for test in tests:
            check_test(test)
            if (method == "EE" and test != "z") or (test == "kr" and method != "REML"):
                continue
            pairs.append((method, test))
    return list(dict.fromkeys(pairs))


def explore_multiverse(
    effects: Sequence[Effects],
    *,
    methods: Sequence[str] = DEFAULT_METHODS,
    tests: Sequence[str] = DEFAULT_TESTS,
    inclusions: Mapping[str, ArrayLike] | None = None,
    omit_one: bool = True,
    studies: Sequence[str] | None = None,
    declared: tuple[str, str] = ("REML", "adhoc"),
    level: float = 0.95,
) -> Multiverse:
    """Fit every combination of effects, studies, estimator and interval.

    Parameters
    ----------
    effects : sequence of Effects
        Ways to compute the effects of the same k studies, the declared one first; all with the
        same factors.
    methods, tests : sequence of str
        As for :func:`headway.meta.pool`, without ``GENQ``.
    inclusions : mapping of str to array_like of bool, optional
        Further choices of studies, by name (``"low risk of bias"``, ``"without outliers"``): True
        where a study counts. All studies are the declared choice and need not be given.
    omit_one : bool
        Whether each study is left out in turn, on top of each inclusion.
    studies : sequence of str, optional
        Names of the studies; numbers from 0 otherwise.
    declared : tuple of str
        Estimator and interval that were declared beforehand.
    level : float
        Coverage of the intervals, and 1 less the level of the tests.

    Returns
    -------
    Multiverse
        Factors: those of `effects`, ``studies``, ``left out``, ``estimator``, ``interval``.

    Raises
    ------
    ValueError
        No effects; effects of different length or factors; unknown codes; names that do not match
        the studies; a declared analysis with fewer than two studies.
    """
    check_level(level)
    if not effects:
        raise ValueError("a multiverse needs at least one way to compute the effects")
    if "GENQ" in (*methods, declared[0]):
        raise ValueError("GENQ needs weights and cannot be part of a multiverse")
    factors = tuple(effects[0].choices)
    taken = set(OWN_FACTORS) & set(factors)
    if taken:
        raise ValueError(f"these factors are the multiverse's own: {sorted(taken)}")
    read = [(read_numbers(way.yi, "yi"), read_numbers(way.vi, "vi")) for way in effects]
    k = read[0][0].size
    for way, (y, v) in zip(effects, read, strict=True):
        if y.shape != (k,) or v.shape != (k,):
            raise ValueError("all ways to compute the effects must be of the same studies")
        if tuple(way.choices) != factors:
            raise ValueError(f"all ways to compute the effects must choose {list(factors)}")
    names = [str(i) for i in range(k)] if studies is None else list(studies)
    if len(names) != k:
        raise ValueError(f"studies must hold one name per study: {len(names)} for {k}")
    kept = {ALL: np.ones(k, dtype=np.bool_)}
    kept |= {name: read_mask(own, (k,)) for name, own in (inclusions or {}).items()}

    rows: list[tuple[int, str, str, NDArray[np.bool_]]] = []
    seen: set[tuple[str, bytes, bytes, bytes]] = set()
    left_out = {"the same effects of the same studies as another": 0, "fewer than two studies": 0}
    for number, (y, v) in enumerate(read):
        known = np.isfinite(y) & np.isfinite(v)
        for inclusion, own in kept.items():
            base = own & known
            omissions = [(NONE, base)]
            if omit_one:
                for i in np.flatnonzero(base):
                    without = base.copy()
                    without[i] = False
                    omissions.append((names[i], without))
            for omitted, mask in omissions:
                if mask.sum() < 2:
                    left_out["fewer than two studies"] += 1
                    continue
                # What counts is what is fitted: an assumed correlation that no study needs makes no
                # specification of its own.
                fitted = (mask.tobytes(), y[mask].tobytes(), v[mask].tobytes())
                key = (effects[number].unit, *fitted)
                if key in seen:
                    left_out["the same effects of the same studies as another"] += 1
                    continue
                seen.add(key)
                rows.append((number, inclusion, omitted, mask))
    if not rows or rows[0][:3] != (0, ALL, NONE):
        raise ValueError("the declared analysis has fewer than two studies")

    yi = np.array([read[number][0] for number, *_ in rows])
    vi = np.array([read[number][1] for number, *_ in rows])
    masks = np.array([mask for *_, mask in rows])
    models = _list_models(methods, tests, declared)
    fits = [
        pool(yi, vi, method=method, test=test, level=level, mask=masks) for method, test in models
    ]

    def gather(name: str) -> Any:
        return np.concatenate([np.asarray(getattr(fit, name)) for fit in fits])

    chosen: dict[str, list[str]] = {factor: [] for factor in factors}
    chosen |= {factor: [] for factor in OWN_FACTORS}
    for method, test in models:
        for number, inclusion, omitted, _ in rows:
            for factor in factors:
                chosen[factor].append(effects[number].choices[factor])
            chosen["studies"].append(inclusion)
            chosen["left out"].append(omitted)
            chosen["estimator"].append(method)
            chosen["interval"].append(test)
    units = [effects[number].unit for number, *_ in rows] * len(models)
    return Multiverse(
        choices={factor: np.array(levels) for factor, levels in chosen.items()},
        estimate=gather("estimate"),
        se=gather("se"),
        ci_low=gather("ci_low"),
        ci_high=gather("ci_high"),
        p_value=gather("p_value"),
        tau2=gather("tau2"),
        i2=gather("i2"),
        k=gather("k"),
        unit=np.array(units),
        level=level,
        left_out={why: number for why, number in left_out.items() if number},
    )
