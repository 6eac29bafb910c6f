"""GRIM and GRIMMER: which means and SDs people who give whole steps can have.

Brown and Heathers 2017 (GRIM); Anaya 2016 and Allard 2018 (GRIMMER). Both need to know the step
between the values that one person can have, and as many digits as n can be seen in.
"""

from __future__ import annotations

import math

TINY = 1e-9  # a float must not decide where a printed digit ends


def find_totals(mean: float, n: int, step: float, decimals: int) -> list[int]:
    """List the sums, in steps, that n people can have if their mean prints as `mean`.

    Parameters
    ----------
    mean : float
        Mean as printed.
    n : int
        People.
    step : float
        Step between the values of one person, in the unit of the mean.
    decimals : int
        Decimals printed.

    Returns
    -------
    list of int
        Empty where no sum gives the printed mean, whichever way halves are rounded.
    """
    half = 0.5 * 10.0**-decimals
    low = (mean - half) * n / step
    high = (mean + half) * n / step
    slack = TINY * max(1.0, abs(low), abs(high))
    return list(range(math.ceil(low - slack), math.floor(high + slack) + 1))


def has_power(n: int, step: float, decimals: int) -> bool:
    """Whether the printed digits are finer than what n people can make (else anything fits)."""
    return step / n > 10.0**-decimals


def check_mean(mean: float, n: int, step: float, decimals: int) -> bool:
    """Whether n people with values in whole steps can have the printed mean (GRIM)."""
    return bool(find_totals(mean, n, step, decimals))


def check_sd(
    mean: float, sd: float, n: int, step: float, mean_decimals: int, sd_decimals: int
) -> bool:
    """Whether n people with values in whole steps can have the printed mean and SD (GRIMMER).

    For whole numbers the sum of squares is whole, has the parity of the sum, and is no smaller
    than that of the most even split. The SD may have n - 1 or n as its divisor; either will do.

    Returns
    -------
    bool
        True where the mean itself is impossible: GRIM says so, and this test has nothing to add.
    """
    totals = find_totals(mean, n, step, mean_decimals)
    if not totals or n < 2:
        return True
    half = 0.5 * 10.0**-sd_decimals
    low, high = max(sd - half, 0.0) / step, (sd + half) / step
    for total in totals:
        centre = total * total / n
        even, rest = divmod(total, n)
        smallest = n * even * even + rest * (2 * even + 1)
        for divisor in (n - 1, n):
            first = low * low * divisor + centre
            last = high * high * divisor + centre
            slack = TINY * max(1.0, last)
            start = max(math.ceil(first - slack), smallest)
            start += (start - total) % 2
            if start <= last + slack:
                return True
    return False
