"""Clinics on a funnel: limits of chance round a target, and what they vary beyond chance.

Spiegelhalter (2005, Statistics in Medicine 24:1185): around a target, 95 % and 99.8 % limits of
chance; beyond chance, over-dispersion that multiplies the variance of every unit (phi) or adds to
it (tau²), from residuals that are winsorised at 10 % so that those who stand out do not hide
themselves. The target is the mean of all clinics, weighted by 1 / SE².
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from headway.outcomes.care.funnel import INNER, OUTER, estimate_overdispersion

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

LEAST = 3  # clinics below which there is no funnel
FEW = 10  # clinics below which over-dispersion is next to unknown
QUANTILES = tuple(float(ndtri(0.5 + level / 2)) for level in (INNER, OUTER))


@dataclass(frozen=True, slots=True)
class Limits:
    """A funnel; arrays hold one entry per clinic.

    Attributes
    ----------
    target, phi, tau2, p_value
        Centre; over-dispersion that multiplies and that adds; p of the winsorised Q.
    z, z_multiplicative, z_additive
        Distance from the target in standard errors: of chance, and with each over-dispersion.
    chance, additive
        Half widths, 95 % and 99.8 %.
    place
        `inside`, `outside_95` or `outside_998`, with additive over-dispersion.
    """

    target: float
    phi: float
    tau2: float
    p_value: float
    z: Array
    z_multiplicative: Array
    z_additive: Array
    chance: tuple[Array, Array]
    additive: tuple[Array, Array]
    place: tuple[str, ...]


def find_widths(se: ArrayLike, tau2: float) -> tuple[Array, Array]:
    """Half widths of the 95 % and 99.8 % limits, with a variance beyond chance of `tau2`."""
    wide = np.sqrt(np.asarray(se, float) ** 2 + tau2)
    inner, outer = QUANTILES
    return inner * wide, outer * wide


def find_limits(y: ArrayLike, se: ArrayLike) -> Limits:
    """Find the limits of each clinic.

    Parameters
    ----------
    y, se
        Mean change and standard error of each clinic.

    Raises
    ------
    ValueError
        With fewer than three clinics, or a standard error that is not above 0.
    """
    values, errors = np.asarray(y, float), np.asarray(se, float)
    if len(values) < LEAST:
        raise ValueError("fewer than three clinics make no funnel")
    if not (errors > 0).all():
        raise ValueError("standard errors must lie above 0")
    found = estimate_overdispersion(values, errors)
    # Clinics that differ less than chance alone would have them do not narrow the limits.
    phi = max(1.0, found.phi)
    wide = np.sqrt(errors**2 + found.tau2)
    z = (values - found.target) / errors
    with_more = (values - found.target) / wide
    inner, outer = QUANTILES
    far = np.abs(with_more)
    places = np.where(far > outer, "outside_998", np.where(far > inner, "outside_95", "inside"))
    return Limits(
        found.target,
        found.phi,
        found.tau2,
        found.p_value,
        z,
        z / np.sqrt(phi),
        with_more,
        find_widths(errors, 0.0),
        find_widths(errors, found.tau2),
        tuple(map(str, places)),
    )
