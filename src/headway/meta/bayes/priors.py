"""Prior distributions for the between-study standard deviation tau and for the mean effect mu.

A prior for tau has the unit of the effects: a half-normal of scale 0.5 is wide for log odds ratios
and meaningless for days. That is why no prior for tau is a default.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, log_expit, ndtri, stdtrit

from headway.messages import Message

Array = NDArray[np.float64]

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
LOG_T_DF = 5.0


def _positive(value: float, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number") from None
    if not 0 < number < math.inf:
        raise ValueError(f"{name} must be finite and above 0, in the unit of the effects")
    return number


class _Light:
    """A prior whose tail, or whose bound, leaves every moment of tau finite."""

    __slots__ = ()

    @property
    def upper(self) -> float:
        return math.inf

    def has_moment(self, order: int, power: Array) -> Any:
        return np.ones(np.shape(power), dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class HalfNormal(_Light):
    """Half-normal: the absolute value of a normal with mean 0 and standard deviation `scale`."""

    scale: float

    def __post_init__(self) -> None:
        _positive(self.scale, "scale")

    def log_density(self, z: Array) -> Array:
        """Return the log density of log(tau)."""
        u = z - math.log(self.scale)
        return math.log(2) - HALF_LOG_2PI + u - 0.5 * np.exp(2 * u)

    def density_at_zero(self) -> float:
        """Return the density of tau at 0."""
        return math.sqrt(2 / math.pi) / self.scale

    def quantile(self, p: float) -> float:
        """Return the quantile of tau."""
        return self.scale * float(-ndtri((1 - p) / 2))

    def describe(self) -> Message:
        """Return the message that names the prior."""
        return Message("prior.half_normal", scale=self.scale)


@dataclass(frozen=True, slots=True)
class HalfCauchy:
    """Half-Cauchy: Student's t with one degree of freedom, its absolute value times `scale`."""

    scale: float

    def __post_init__(self) -> None:
        _positive(self.scale, "scale")

    @property
    def upper(self) -> float:
        """The largest value of tau: there is none."""
        return math.inf

    def log_density(self, z: Array) -> Array:
        """Return the log density of log(tau)."""
        u = z - math.log(self.scale)
        return math.log(2 / math.pi) + u - np.logaddexp(0, 2 * u)

    def density_at_zero(self) -> float:
        """Return the density of tau at 0."""
        return 2 / (math.pi * self.scale)

    def quantile(self, p: float) -> float:
        """Return the quantile of tau."""
        return self.scale * math.tan(math.pi * p / 2)

    def has_moment(self, order: int, power: Array) -> Any:
        """Its density falls as tau^-2."""
        return np.asarray(power) + 1 > order

    def describe(self) -> Message:
        """Return the message that names the prior."""
        return Message("prior.half_cauchy", scale=self.scale)


@dataclass(frozen=True, slots=True)
class Uniform(_Light):
    """Uniform from 0 to `bound`."""

    bound: float

    def __post_init__(self) -> None:
        _positive(self.bound, "bound")

    @property
    def upper(self) -> float:
        """The largest value of tau."""
        return self.bound

    def log_density(self, z: Array) -> Array:
        """Return the log density of log(tau) below the bound."""
        return z - math.log(self.bound)

    def density_at_zero(self) -> float:
        """Return the density of tau at 0."""
        return 1 / self.bound

    def quantile(self, p: float) -> float:
        """Return the quantile of tau."""
        return self.bound * p

    def describe(self) -> Message:
        """Return the message that names the prior."""
        return Message("prior.uniform", bound=self.bound)


@dataclass(frozen=True, slots=True)
class LogNormal(_Light):
    """Log-normal on tau²: log(tau²) is normal with `mean` and `sd`.

    `source` names where the numbers come from, as :func:`headway.meta.bayes.turner` does.
    """

    mean: float
    sd: float
    source: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.mean):
            raise ValueError("mean must be finite: that of log(tau²)")
        _positive(self.sd, "sd")

    def log_density(self, z: Array) -> Array:
        """Return the log density of log(tau)."""
        u = (2 * z - self.mean) / self.sd
        return math.log(2 / self.sd) - HALF_LOG_2PI - 0.5 * u**2

    def density_at_zero(self) -> float:
        """Return the density of tau at 0."""
        return 0.0

    def quantile(self, p: float) -> float:
        """Return the quantile of tau."""
        return math.exp((self.mean + self.sd * float(ndtri(p))) / 2)

    def describe(self) -> Message:
        """Return the message that names the prior."""
        places = {"mean": self.mean, "sd": self.sd}
        if self.source:
            return Message("prior.log_normal_published", **places, source=self.source)
        return Message("prior.log_normal", **places)


@dataclass(frozen=True, slots=True)
class LogT:
    """Log-t with 5 degrees of freedom on tau²: (log(tau²) − `location`)/`scale` is Student's t.

    `source` names where the numbers come from, as :func:`headway.meta.bayes.rhodes` does. No
    moment of tau is finite a priori.
    """

    location: float
    scale: float
    source: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.location):
            raise ValueError("location must be finite: that of log(tau²)")
        _positive(self.scale, "scale")

    @property
    def upper(self) -> float:
        """The largest value of tau: there is none."""
        return math.inf

    def log_density(self, z: Array) -> Array:
        """Return the log density of log(tau)."""
        df = LOG_T_DF
        u = (2 * z - self.location) / self.scale
        constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * math.log(df * math.pi)
        return math.log(2 / self.scale) + constant - (df + 1) / 2 * np.log1p(u**2 / df)

    def density_at_zero(self) -> float:
        """Return the density of tau at 0, where it grows beyond all bounds."""
        return math.inf

    def quantile(self, p: float) -> float:
        """Return the quantile of tau."""
        return math.exp((self.location + self.scale * float(stdtrit(LOG_T_DF, p))) / 2)

    def has_moment(self, order: int, power: Array) -> Any:
        """Its density falls as 1/(tau log(tau)^6)."""
        return np.asarray(power) >= order

    def describe(self) -> Message:
        """Return the message that names the prior."""
        places = {"location": self.location, "scale": self.scale}
        if self.source:
            return Message("prior.log_t_published", **places, source=self.source)
        return Message("prior.log_t", **places)


@dataclass(frozen=True, slots=True)
class Fixed:
    """Tau taken as known; 0 is the common-effect model."""

    tau: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.tau) and self.tau >= 0):
            raise ValueError("tau must be finite and at least 0, in the unit of the effects")

    def describe(self) -> Message:
        """Return the message that names the prior."""
        return Message("prior.fixed", tau=self.tau)


Prior = HalfNormal | HalfCauchy | Uniform | LogNormal | LogT | Fixed


@dataclass(frozen=True, slots=True)
class Normal:
    """Normal prior for mu, in the unit of the effects (log odds ratios as logarithms)."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.mean):
            raise ValueError("mean must be finite")
        _positive(self.sd, "sd")

    def describe(self) -> Message:
        """Return the message that names the prior."""
        return Message("prior.mu_normal", mean=self.mean, sd=self.sd)


@dataclass(frozen=True, slots=True)
class Flat:
    """Improper prior for mu that is even over all values: the default; no Bayes factors."""

    def describe(self) -> Message:
        """Return the message that names the prior."""
        return Message("prior.mu_flat")


def make_transform(upper: float) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """Return two functions of z, a number on the whole line: log(tau), and log of its slope.

    Without a bound z is log(tau); with one it is the logit of tau over its bound, so that the
    integrand ends smoothly on both sides.
    """
    if math.isinf(upper):
        return (lambda z: z), np.zeros_like
    log_upper = math.log(upper)
    return (lambda z: log_upper + log_expit(z)), (lambda z: log_expit(-z))
