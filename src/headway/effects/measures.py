"""The registry of measures, by the codes of R's metafor, and the door to every effect size.

Families, one function each, arrays in and arrays out:

- :mod:`~headway.effects.two_groups`: two independent groups, means and SDs;
- :mod:`~headway.effects.paired`: one group measured twice; two such groups (``dppc2``);
- :mod:`~headway.effects.counts`: two groups, events among patients or over person-time;
- :mod:`~headway.effects.printed`: two groups, a ratio as it is printed with its interval;
- :mod:`~headway.effects.single_arm`: one group: means, proportions, correlations, reliability.

Where metafor 3.8 and 5.1 define a measure differently, 5.1 is the default: the variances of
``SMCRH``, ``SMDH`` and ``SMD1H``, and the bias-corrected ``ROM``, ``CVR``, ``ROMC`` and ``CVRC``
(``correct=False`` gives the older log ratio). Every result carries its definition in words, because
"Hedges g" alone does not name one. docs/measures.md lists them all.

A new measure is one function that takes the validated arrays and returns (yi, vi, words), one
entry in the table of its family, and its name in the catalogue of messages (``measure.CODE``).
Everything else that the program knows of a measure follows from that entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from headway.effects.counts import MEASURES as _COUNTS
from headway.effects.counts import NEEDED as COUNTS_NEEDED
from headway.effects.counts import NOTHING_ADDED as _NOTHING_TO_COUNTS
from headway.effects.counts import RATES, measure_person_time, measure_two_by_two
from headway.effects.paired import CONTROLLED, measure_controlled_change, measure_paired_means
from headway.effects.paired import MEASURES as _PAIRED
from headway.effects.printed import PRINTED, measure_printed_ratio
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
from headway.effects.single_arm import NOTHING_ADDED as _NOTHING_TO_SHARES
from headway.effects.two_groups import MEASURES as _TWO_GROUPS
from headway.effects.two_groups import measure_two_group_means

__all__ = [
    "COUNTS_NEEDED",
    "FAMILIES",
    "MEASURES",
    "NOTHING_ADDED",
    "EffectSizes",
    "arrange",
    "escalc",
    "find_family",
    "hedges_j",
    "list_kin",
    "measure_controlled_change",
    "measure_correlation",
    "measure_mean",
    "measure_paired_means",
    "measure_person_time",
    "measure_printed_ratio",
    "measure_proportion",
    "measure_reliability",
    "measure_two_by_two",
    "measure_two_group_means",
]


class Family(NamedTuple):
    """Measures of one design, the function that computes them, and what a review compares so.

    `options` is what the function takes beside the arguments its measures need.
    """

    measures: Mapping[str, Measure]
    function: Callable[..., EffectSizes]
    options: str
    estimand: str


FAMILIES: dict[str, Family] = {
    "two_groups": Family(_TWO_GROUPS, measure_two_group_means, "vtype correct", "between_arm"),
    "paired": Family(_PAIRED, measure_paired_means, "vtype correct", "within_arm"),
    "controlled": Family(CONTROLLED, measure_controlled_change, "correct", "between_arm"),
    "counts": Family(_COUNTS, measure_two_by_two, "add to", "between_arm"),
    "rates": Family(RATES, measure_person_time, "add to", "between_arm"),
    "printed": Family(PRINTED, measure_printed_ratio, "level", "between_arm"),
    "means": Family(MEANS, measure_mean, "correct", "single_arm"),
    "proportions": Family(PROPORTIONS, measure_proportion, "add to", "single_arm"),
    "correlations": Family(CORRELATIONS, measure_correlation, "", "single_arm"),
    "reliability": Family(RELIABILITY, measure_reliability, "", "single_arm"),
}
MEASURES: dict[str, Measure] = {
    code: entry for family in FAMILIES.values() for code, entry in family.measures.items()
}
# Measures of counts that are defined with empty cells.
NOTHING_ADDED = (*_NOTHING_TO_COUNTS, *_NOTHING_TO_SHARES)


def find_family(measure: str) -> str:
    """Return the code of a measure's family.

    Raises
    ------
    ValueError
        Unknown `measure`.
    """
    for code, family in FAMILIES.items():
        if measure in family.measures:
            return code
    raise ValueError(f"measure must be one of {list(MEASURES)}, not {measure!r}")


def list_kin(measure: str) -> list[str]:
    """List the measures that answer the same question from the same rows, itself first."""
    kin = MEASURES[measure].kin
    return [
        measure,
        *(code for code, m in MEASURES.items() if kin and m.kin == kin and code != measure),
    ]


# Names in the table `effects`, which numbers the only group, or the later time, 1.
_COLUMNS = {"n": "n1", "mean": "mean1", "sd": "sd1", "events": "events1"}
_COLUMNS |= {"mean_post1": "mean1", "mean_post2": "mean2"}


def arrange(measure: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Put the numbers of a row of the table `effects` where `escalc` takes them.

    Returns
    -------
    dict
        Every argument that the measure needs; NaN for what the row lacks.
    """
    entry, nan = MEASURES[measure], float("nan")
    if entry.needed == COUNTS_NEEDED:
        n1, x1, n2, x2 = (row.get(c, nan) for c in ("n1", "events1", "n2", "events2"))
        return {"a": x1, "b": n1 - x1, "c": x2, "d": n2 - x2}
    columns = {name: _COLUMNS.get(name, name) for name in entry.needed.split()}
    if entry.sd1_before:
        columns |= {"sd1": "sd2"} | ({"sd2": "sd1"} if "sd2" in columns else {})
    return {name: row.get(column, nan) for name, column in columns.items()}


def escalc(measure: str, **arguments: Any) -> EffectSizes:
    """Compute effect sizes and sampling variances: one door to every measure.

    Parameters
    ----------
    measure : str
        metafor's code: of two groups ``MD SMD SMDH SMD1 SMD1H ROM VR CVR CLES RPB ZPB D2OR``
        (:func:`measure_two_group_means`), of one group twice ``MC SMCC SMCR SMCRH SMCRP SMCRPH
        ROMC VRC CVRC CLESCN`` (:func:`measure_paired_means`), of two groups twice ``dppc2``
        (:func:`measure_controlled_change`), of counts ``RR OR RD AS PETO``
        (:func:`measure_two_by_two`) and ``IRR IRD`` (:func:`measure_person_time`), of a printed
        ratio ``RATIO`` (:func:`measure_printed_ratio`; the code is ours), of one group
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
    family = FAMILIES[find_family(measure)]
    needed = MEASURES[measure].needed.split()
    # What another measure of the family needs may be given, and is not used.
    every = " ".join([*(entry.needed for entry in family.measures.values()), family.options])
    taken = dict.fromkeys(every.split())
    unknown = sorted(set(arguments) - set(taken))
    if unknown:
        listed = " ".join(taken)
        raise ValueError(f"measure {measure} does not take {unknown}; it takes: {listed}")
    missing = [name for name in needed if arguments.get(name) is None]
    if missing:
        raise ValueError(f"measure {measure} needs {', '.join(needed)}; not given: {missing}")
    return family.function(measure, **arguments)
