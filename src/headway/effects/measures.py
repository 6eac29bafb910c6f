"""The door to every effect size, by the codes of R's metafor.

Families, one function each, arrays in and arrays out:

- :mod:`~headway.effects.two_groups`: two independent groups, means and SDs;
- :mod:`~headway.effects.paired`: one group measured twice; two such groups (``dppc2``);
- :mod:`~headway.effects.counts`: two groups, events among patients or over person-time;
- :mod:`~headway.effects.single_arm`: one group: means, proportions, correlations, reliability.

Where metafor 3.8 and 5.1 define a measure differently, 5.1 is the default: the variances of
``SMCRH``, ``SMDH`` and ``SMD1H``, and the bias-corrected ``ROM``, ``CVR``, ``ROMC`` and ``CVRC``
(``correct=False`` gives the older log ratio). Every result carries its definition in words, because
"Hedges g" alone does not name one. docs/measures.md lists them all.

A new measure is one function that takes the validated arrays and returns (yi, vi, words), and one
line in the table of its family.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from headway.effects.counts import MEASURES as _COUNTS
from headway.effects.counts import RATES, measure_person_time, measure_two_by_two
from headway.effects.paired import CONTROLLED, measure_controlled_change, measure_paired_means
from headway.effects.paired import MEASURES as _PAIRED
from headway.effects.shared import EffectSizes, Measure, hedges_j
from headway.effects.single_arm import (
    CORRELATIONS,
    MEANS,
    PROPORTIONS,
    RELIABILITY,
    measure_correlation,
    measure_mean,
    measure_proportion,
    measure_reliability,
)
from headway.effects.two_groups import MEASURES as _TWO_GROUPS
from headway.effects.two_groups import measure_two_group_means

__all__ = [
    "MEASURES",
    "EffectSizes",
    "escalc",
    "hedges_j",
    "measure_controlled_change",
    "measure_correlation",
    "measure_mean",
    "measure_paired_means",
    "measure_person_time",
    "measure_proportion",
    "measure_reliability",
    "measure_two_by_two",
    "measure_two_group_means",
]

# Family, its function, and what that takes beside the arguments its measures need.
_FAMILIES: list[tuple[Mapping[str, Measure], Callable[..., EffectSizes], str]] = [
    (_TWO_GROUPS, measure_two_group_means, "vtype correct"),
    (_PAIRED, measure_paired_means, "vtype correct"),
    (CONTROLLED, measure_controlled_change, "correct"),
    (_COUNTS, measure_two_by_two, "add to"),
    (RATES, measure_person_time, "add to"),
    (MEANS, measure_mean, "correct"),
    (PROPORTIONS, measure_proportion, "add to"),
    (CORRELATIONS, measure_correlation, ""),
    (RELIABILITY, measure_reliability, ""),
]
MEASURES: dict[str, Measure] = {
    code: entry for family, _, _ in _FAMILIES for code, entry in family.items()
}


def escalc(measure: str, **arguments: Any) -> EffectSizes:
    """Compute effect sizes and sampling variances: one door to every measure.

    Parameters
    ----------
    measure : str
        metafor's code: of two groups ``MD SMD SMDH SMD1 SMD1H ROM VR CVR CLES RPB ZPB D2OR``
        (:func:`measure_two_group_means`), of one group twice ``MC SMCC SMCR SMCRH SMCRP SMCRPH
        ROMC VRC CVRC CLESCN`` (:func:`measure_paired_means`), of two groups twice ``dppc2``
        (:func:`measure_controlled_change`), of counts ``RR OR RD AS PETO``
        (:func:`measure_two_by_two`) and ``IRR IRD`` (:func:`measure_person_time`), of one group
        ``MN SMN`` (:func:`measure_mean`), ``PR PLN PLO PAS PFT`` (:func:`measure_proportion`),
        ``COR ZCOR`` (:func:`measure_correlation`) and ``ABT`` (:func:`measure_reliability`).
    **arguments
        What that function takes, by name; numbers or arrays of one shape. 1 is the treatment
        group, or the later time.

    Returns
    -------
    EffectSizes
        Unpacks as ``yi, vi`` (NumPy arrays of the common shape).

    Raises
    ------
    ValueError
        Unknown `measure`; an argument missing or not taken by the measure; impossible input,
        naming argument and positions (never values).

    Examples
    --------
    >>> yi, vi = escalc("MD", n1=20, mean1=4.1, sd1=2.0, n2=20, mean2=6.0, sd2=2.0)
    >>> round(float(yi), 3), round(float(vi), 3)
    (-1.9, 0.4)
    """
    for family, function, options in _FAMILIES:
        if measure not in family:
            continue
        needed = family[measure].needed.split()
        # What another measure of the family needs may be given, and is not used.
        every = " ".join([*(entry.needed for entry in family.values()), options])
        taken = dict.fromkeys(every.split())
        unknown = sorted(set(arguments) - set(taken))
        if unknown:
            listed = " ".join(taken)
            raise ValueError(f"measure {measure} does not take {unknown}; it takes: {listed}")
        missing = [name for name in needed if arguments.get(name) is None]
        if missing:
            raise ValueError(f"measure {measure} needs {', '.join(needed)}; not given: {missing}")
        return function(measure, **arguments)
    raise ValueError(f"measure must be one of {list(MEASURES)}, not {measure!r}")
