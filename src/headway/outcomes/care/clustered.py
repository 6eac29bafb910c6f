"""Shares and medians of sessions that come several from each patient.

Sessions of one patient are alike, so that n sessions say less than n patients would. A share is a
ratio of two totals over patients (sessions with the property, sessions), its variance is
linearised over patients as in a survey with one stage of clusters (Cochran 1977, section 6.3;
Binder 1983), and the interval is made on the logit scale with t on patients - 1, where it stays
within 0 and 1 and follows the skewness of small shares. The same number comes out of a GEE with an
independence working correlation and a robust variance, times patients / (patients - 1); the closed
form needs no iterations and no further assumption.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import bdtr, stdtrit

from headway.messages import Message
from headway.outcomes.change.change import LEVEL

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

RULE_OF_THREE = Message("interval.rule_of_three")
FEW = 10  # clusters below which a robust variance is rough
_TOO_FEW = Message("estimate.too_few_patients")
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate with its interval, and what it stands on.

    `n` are sessions (or points), `count` those with the property, `patients` who they come from;
    `interval` and `note` hold messages.
    """

    estimate: float
    ci_low: float
    ci_high: float
    interval: str
    n: int
    count: float = NAN
    patients: int = 0
    note: str = ""


def rule_of_three(n: ArrayLike, level: float = LEVEL) -> Array:
    """Compute the highest share under which no event in n would be seen in 1 - level.

    The exact form 1 - (1 - level)^(1/n), of which 3/n is the approximation (Hanley &
    Lippman-Hand 1983). One-sided; n have to be independent.

    Returns
    -------
    array
        Share between 0 and 1; NaN where n is 0.
    """
    m = np.asarray(n, float)
    with np.errstate(divide="ignore"):
        return np.where(m > 0, 1.0 - (1.0 - level) ** (1.0 / m), NAN)


def _totals(values: ArrayLike, patients: ArrayLike) -> tuple[Array, Array]:
    """Add up values and their number per patient, patients in the order of their codes."""
    _, code = np.unique(np.asarray(patients), return_inverse=True)
    sums = np.bincount(code, weights=np.asarray(values, float))
    return sums.astype(np.float64), np.bincount(code).astype(np.float64)


def share(values: ArrayLike, patients: ArrayLike, level: float = LEVEL) -> Estimate:
    """Estimate the share of sessions with a property, with the interval of the module.

    Parameters
    ----------
    values
        1 or 0 per session, none missing.
    patients
        Code of the patient of each session.

    Returns
    -------
    Estimate
        Share between 0 and 1. At 0 (and at 1, mirrored) the interval is the rule of three over
        patients: no event in k patients has at most the probability (1 - p)^k, however alike the
        sessions of one patient are, while over sessions it would need them to be independent.
        Without an interval for one patient with some events, or where every patient has the same
        share.
    """
    if len(np.asarray(values)) == 0:
        return Estimate(NAN, NAN, NAN, "", 0, 0.0, 0)
    y, m = _totals(values, patients)
    k, n, count = len(m), float(m.sum()), float(y.sum())
    p = count / n

    def make(low: float, high: float, interval: str, note: str = "") -> Estimate:
        return Estimate(p, low, high, interval, int(n), count, k, note)

    if count in (0.0, n):
        far = float(rule_of_three(k, level))
        method = Message("interval.rule_of_three_people") if k < n else RULE_OF_THREE
        return make(0.0, far, method) if count == 0.0 else make(1.0 - far, 1.0, method)
    if k < 2:
        return make(NAN, NAN, "", Message("estimate.one_patient"))
    variance = k / (k - 1) * float(((y - p * m) ** 2).sum()) / n**2
    if variance <= 1e-18:
        return make(NAN, NAN, "", Message("estimate.same_share"))
    half = float(stdtrit(k - 1, 0.5 + level / 2)) * np.sqrt(variance) / (p * (1.0 - p))
    logit = np.log(p / (1.0 - p))
    low, high = 1.0 / (1.0 + np.exp(-(logit + np.array([-half, half]))))
    few = Message("estimate.few_patients", least=FEW) if k < FEW else ""
    return make(float(low), float(high), Message("interval.logit_cluster"), few)


def difference(
    first: ArrayLike,
    first_patients: ArrayLike,
    second: ArrayLike,
    second_patients: ArrayLike,
    level: float = LEVEL,
) -> Estimate:
    """Estimate the difference of two shares of sessions, first - second.

    A patient may have sessions in both; the covariance is part of the linearised variance. The
    degrees of freedom are those of the smaller set of patients, since that one is what is little
    known.

    Returns
    -------
    Estimate
        Difference between -1 and 1; `n` sessions of both, `patients` of both. Without an interval
        where one side has fewer than two patients or neither varies.
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    n = len(a) + len(b)
    everyone = np.unique(np.concatenate([np.asarray(first_patients), np.asarray(second_patients)]))
    if not len(a) or not len(b):
        return Estimate(NAN, NAN, NAN, "", n, patients=len(everyone))
    influence = np.zeros(len(everyone))
    shares, clusters = [], []
    for values, codes, sign in ((a, first_patients, 1.0), (b, second_patients, -1.0)):
        own, where = np.unique(np.asarray(codes), return_inverse=True)
        p = float(values.mean())
        residual = np.bincount(where, weights=values - p) / len(values)
        influence[np.searchsorted(everyone, own)] += sign * residual
        shares.append(p)
        clusters.append(len(own))
    d, k = shares[0] - shares[1], len(everyone)
    variance = k / (k - 1) * float((influence**2).sum()) if k > 1 else 0.0
    if min(clusters) < 2 or variance <= 1e-18:
        return Estimate(d, NAN, NAN, "", n, patients=k, note=_TOO_FEW)
    half = float(stdtrit(min(clusters) - 1, 0.5 + level / 2)) * np.sqrt(variance)
    low, high = max(-1.0, d - half), min(1.0, d + half)
    method = Message("interval.linearised_cluster")
    return Estimate(d, float(low), float(high), method, n, patients=k)


def median(values: ArrayLike, patients: ArrayLike, level: float = LEVEL) -> Estimate:
    """Estimate the median over sessions, with a test-inversion interval (Francisco & Fuller 1991).

    The limits are the values at which the share of sessions up to there stops being below one
    half, and starts being above it, by a test that is clustered by patient. With few different
    values (days) this keeps to values that occur, where Woodruff's interval does not.

    Returns
    -------
    Estimate
        Without an interval below 6 patients, where 95 % cannot be reached.
    """
    x = np.asarray(values, float)
    if not len(x):
        return Estimate(NAN, NAN, NAN, "", 0)
    middle, points = float(np.median(x)), np.unique(x)
    _, code = np.unique(np.asarray(patients), return_inverse=True)
    m = np.bincount(code).astype(float)
    k, n = len(m), len(x)
    if k < 6:
        return Estimate(middle, NAN, NAN, "", n, patients=k, note=_TOO_FEW)
    below = np.array([np.bincount(code, weights=x <= point) for point in points])
    p = below.sum(axis=1) / n
    variance = k / (k - 1) * ((below - p[:, None] * m) ** 2).sum(axis=1) / n**2
    half = stdtrit(k - 1, 0.5 + level / 2) * np.sqrt(variance)
    low = int((p + half < 0.5).sum())
    high = int(np.argmax(p - half > 0.5))  # at the last value p is 1
    method = Message("interval.inversion_cluster")
    return Estimate(middle, float(points[low]), float(points[high]), method, n, patients=k)


def order_median(values: ArrayLike, level: float = LEVEL) -> Estimate:
    """Estimate a median of independent values, with its distribution-free interval.

    The r-th smallest and the r-th largest value, r as large as the binomial distribution allows
    (Conover 1999, section 3.2); it covers at least `level` whatever the distribution.

    Returns
    -------
    Estimate
        Without an interval below 6 values (at 95 %).
    """
    x = np.sort(np.asarray(values, float))
    n = len(x)
    if not n:
        return Estimate(NAN, NAN, NAN, "", 0)
    tail = bdtr(np.arange(n), n, 0.5) <= (1.0 - level) / 2
    r = int(tail.sum())  # P(at most r - 1 below the median) still fits
    middle = float(np.median(x))
    if r == 0:
        note = Message("estimate.too_few_values")
        return Estimate(middle, NAN, NAN, "", n, patients=n, note=note)
    limits = float(x[r - 1]), float(x[n - r])
    return Estimate(middle, *limits, Message("interval.order"), n, patients=n)
