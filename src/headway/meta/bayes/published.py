"""Priors for tau from thousands of published meta-analyses: Turner 2015, Rhodes 2015.

Turner et al. (2015, table IV): log-normal on tau² for log odds ratios, by type of outcome and of
comparison. Rhodes et al. (2015, table 3): log-t with 5 degrees of freedom on tau² for standardised
mean differences, for areas other than cancer and respiratory disease. The numbers were read in the
R package bayesmeta 3.4 (Röver 2020), which transcribes both tables, not in the papers; one of them
does not fit its row there and is refused. None is a default: which type fits is for the reviewer
to declare.
"""

from __future__ import annotations

import math

from headway.meta.bayes.priors import LogNormal, LogT

# (mean, sd) of log(tau²) for each comparison, in the order of the names here.
TURNER_COMPARISONS = (
    "pharmacological v control",
    "pharmacological v pharmacological",
    "non-pharmacological v control",
    "non-pharmacological v pharmacological",
    "non-pharmacological v non-pharmacological",
)
Row = tuple[tuple[float, float] | None, ...]
TURNER: dict[str, Row] = {
    "all-cause mortality": (
        (-3.95, 1.34), (-4.18, 1.41), (-4.17, 1.55), (-2.92, 1.02), (-3.50, 1.26),
    ),
    "obstetric outcomes": (
        (-3.52, 1.74), (-3.75, 1.79), (-3.74, 1.91), (-2.49, 1.50), (-3.08, 1.68),
    ),
    "cause-specific mortality, major morbidity": (
        (-3.71, 1.74), (-3.95, 1.79), (-3.93, 1.91), (-2.68, 1.51), (-3.27, 1.68),
    ),
    "resource use, hospital stay, process": (
        (-2.34, 1.74), (-2.58, 1.79), (-2.56, 1.91), (-1.31, 1.50), (-1.90, 1.68),
    ),
    "surgical or device success or failure": (
        (-2.14, 1.74), (-2.37, 1.79), (-2.36, 1.91), (-1.11, 1.50), (-1.69, 1.68),
    ),
    "withdrawals": (
        (-2.99, 1.74), (-3.23, 1.79), (-3.21, 1.91), (-1.96, 1.51), (-2.55, 1.68),
    ),
    "internal, structure-related outcomes": (
        (-2.71, 1.74), (-2.94, 1.79), (-2.93, 1.92), (-1.67, 1.51), (-2.26, 1.68),
    ),
    "general physical health": (
        (-2.29, 1.53), (-2.53, 1.58), (-2.51, 1.72), (-1.26, 1.25), (-1.85, 1.46),
    ),
    "adverse events": (
        (-1.87, 1.52), (-2.10, 1.58), (-2.10, 1.71), (-0.84, 1.24), (-1.43, 1.45),
    ),
    "infection, onset of new disease": (
        (-2.49, 1.52), (-2.73, 1.58), (-2.71, 1.71), (-1.46, 1.24), (-2.05, 1.45),
    ),
    "signs or symptoms, continuation or end of condition": (
        (-2.06, 1.51), (-2.29, 1.58), (-2.28, 1.71), (-1.03, 1.24), (-1.61, 1.45),
    ),
    "pain": (
        (-1.83, 1.52), (-2.06, 1.58), (-2.05, 1.71), (-0.80, 1.25), (-1.38, 1.45),
    ),
    "quality of life, functioning": (
        (-2.54, 1.54), (-2.78, 1.60), (-2.77, 1.73), (-1.51, 1.27), (-2.10, 1.47),
    ),
    "mental health": (
        (-2.12, 1.53), (-2.35, 1.60), (-2.34, 1.72), (-1.09, 1.27), (-1.67, 1.47),
    ),
    "biological markers": (
        (-1.77, 1.52), (-2.00, 1.58), (-1.99, 1.71), (-0.74, 1.24), (-1.33, 1.45),
    ),
    "subjective outcomes": (
        (-2.70, 1.52), (-2.93, 1.58), (-2.92, 1.71), (-1.67, 1.25), (-2.26, 1.45),
    ),
}  # fmt: skip
TURNER_ANY = (-2.56, 1.74)

RHODES_COMPARISONS = (
    "pharmacological v control",
    "pharmacological v pharmacological",
    "non-pharmacological",
)
# (location, scale) of log(tau²).
RHODES: dict[str, Row] = {
    "obstetric outcomes": ((-4.13, 2.34), (-4.40, 2.31), (-3.99, 2.11)),
    "resource use, hospital stay, process": ((-2.55, 2.73), (-2.83, 2.70), (-2.41, 2.57)),
    "internal, external structure-related outcomes": (
        (-2.43, 2.50), (-2.70, 2.46), (-2.29, 2.32),
    ),
    "physical health, adverse events, pain, quality of life": (
        (-3.16, 2.50), (-3.44, 2.44), (-3.02, 2.27),
    ),
    "signs or symptoms, infection, onset of new disease": (
        (-3.00, 2.50), (-3.27, 2.47), (-2.86, 2.33),
    ),
    # The source read has −3.85 for the last, one more than the pattern of all other rows.
    "mental health": ((-2.99, 2.16), (-3.27, 2.14), None),
    "biological markers": ((-3.41, 2.83), (-3.68, 2.78), (-3.27, 2.66)),
    "subjective outcomes": ((-2.76, 2.58), (-3.03, 2.59), (-2.62, 2.41)),
}  # fmt: skip
RHODES_ANY = (-3.44, 2.59)


def turner(outcome: str = "any", comparison: str = "any") -> LogNormal:
    """Return the prior of Turner et al. (2015) for log odds ratios.

    Parameters
    ----------
    outcome : str
        A key of ``headway.meta.bayes.TURNER``, or "any" for their general distribution.
    comparison : str
        One of ``TURNER_COMPARISONS``; control is placebo, no treatment or usual care. "any" with
        any outcome.

    Raises
    ------
    ValueError
        A type that the table does not have.

    Notes
    -----
    Turner et al., Stat Med 2015;34:984-998, table IV; general distribution: p. 993.
    """
    source = "Turner et al. 2015"
    mean, sd = _look_up(TURNER, TURNER_COMPARISONS, TURNER_ANY, outcome, comparison)
    return LogNormal(mean, sd, source)


def rhodes(
    outcome: str = "any", comparison: str = "any", *, measure: str = "SMD", sd: float | None = None
) -> LogT:
    """Return the prior of Rhodes et al. (2015) for standardised mean differences.

    Parameters
    ----------
    outcome : str
        A key of ``headway.meta.bayes.RHODES``, or "any" for their general distribution.
    comparison : str
        One of ``RHODES_COMPARISONS``; "any" with any outcome.
    measure : {"SMD", "MD"}
        What is pooled: standardised or raw mean differences.
    sd : float, optional
        For raw differences the outcome's standard deviation in its unit, which turns the prior
        into that unit.

    Raises
    ------
    ValueError
        A type that the table does not have; raw differences without `sd`, or standardised ones
        with it.

    Notes
    -----
    Rhodes et al., J Clin Epidemiol 2015;68:52-60, table 3; general distribution: section 3.3.
    """
    if measure not in ("SMD", "MD"):
        raise ValueError("measure must be 'SMD' or 'MD': the prior is for mean differences")
    if measure == "MD" and sd is None:
        raise ValueError(
            "mean differences need the outcome's standard deviation in its unit: the prior is for "
            "standardised ones. For instance sd=4.5"
        )
    if measure == "SMD" and sd is not None:
        raise ValueError("standardised mean differences have no unit: leave sd out")
    if sd is not None and not (math.isfinite(sd) and sd > 0):
        raise ValueError("sd must be finite and above 0, in the unit of the effects")
    location, scale = _look_up(RHODES, RHODES_COMPARISONS, RHODES_ANY, outcome, comparison)
    shift = 2 * math.log(sd) if sd is not None else 0.0
    return LogT(location + shift, scale, "Rhodes et al. 2015")


def _look_up(
    table: dict[str, Row],
    comparisons: tuple[str, ...],
    general: tuple[float, float],
    outcome: str,
    comparison: str,
) -> tuple[float, float]:
    """Return the entry for a type of outcome and of comparison."""
    if outcome == "any" and comparison == "any":
        return general
    if outcome not in table:
        raise ValueError(f"outcome must be 'any' with any comparison, or one of {list(table)}")
    if comparison not in comparisons:
        raise ValueError(f"comparison must be one of {list(comparisons)}")
    found = table[outcome][comparisons.index(comparison)]
    if found is None:
        raise ValueError(
            "the entry for this outcome and comparison could not be verified: read it in the paper "
            "and give it as LogT(location, scale)"
        )
    return found
