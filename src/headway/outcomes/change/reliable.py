"""Change of one person against the noise of the measurement: reliable change.

Two windows of the same untreated person differ. Jacobson & Truax (1991) call a change reliable
where it exceeds what such differences reach in 19 of 20 people: z x the standard error of the
difference. The standard error of measurement must come from people who were not treated;
otherwise change that treatment was meant to bring would count as noise.

Vickers' usual care (28-day windows three months apart) gives 3.35 days. Three months leave room
for true change too, so this noise is rather too large than too small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headway.messages import Message, join, phrase
from headway.outcomes.change.change import WORSE, Statistic, count_share, divide_by_before

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

Z = 1.96  # as published; the quantile itself would move a threshold of 9.29 by 0.0002
BORDER = 15.0  # headache days of 28 in one window; not a diagnosis of chronic headache
CLASSES = ("recovered", "improved", "unchanged", "deteriorated")
UNKNOWN = "unknown"
RESPONSES = (
    "at_least_50_better",
    "from_30_to_50_better",
    "neither",
    "at_least_30_worse",
    "no_relative_change",
)
# A value that equals a limit on paper must not miss it by the rounding of binary fractions.
_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Retest:
    """How far a measurement repeats itself in people who were not treated in between."""

    n: int
    r: float
    sd: float
    sem: float
    threshold: float


def test_retest(first: ArrayLike, second: ArrayLike) -> Retest:
    """Measure the noise of a measurement from two occasions without treatment between them.

    SEM = SD of the first occasion x sqrt(1 - r); the threshold of a reliable change between one
    window before and one after is 1.96 x sqrt(2) x SEM (Jacobson & Truax 1991).

    Parameters
    ----------
    first, second
        Values of the same untreated people in the same order; NaN where unknown.

    Returns
    -------
    Retest
        n counts people known on both occasions, and the standard deviation is theirs. All but n
        are NaN with fewer than three of them or without spread on an occasion.
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError("both occasions need one value per person, in the same order")
    known = ~(np.isnan(a) | np.isnan(b))
    a, b = a[known], b[known]
    n = len(a)
    if n < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        nan = float("nan")
        return Retest(n, nan, nan, nan, nan)
    r = float(np.corrcoef(a, b)[0, 1])
    sd = float(np.std(a, ddof=1))
    sem = sd * float(np.sqrt(1 - r))
    return Retest(n, r, sd, sem, float(reliable_threshold(sem, 1)))


# The name is that of the statistic; a test runner that meets it must not collect it.
test_retest.__test__ = False  # type: ignore[attr-defined]


def reliable_threshold(sem: float, n_pre_windows: ArrayLike) -> Array:
    """Compute the smallest reliable change, z x SEM x sqrt(1/m + 1).

    The value before is the mean of m windows, the value after one window, and their errors are
    taken as independent (Jacobson & Truax 1991 for m = 1; the variance of a mean for others).

    Parameters
    ----------
    sem
        Standard error of measurement of one window; NaN gives NaN.
    n_pre_windows
        Windows averaged before (m), per person or one number.
    """
    m = np.asarray(n_pre_windows, float)
    if sem < 0:
        raise ValueError("a standard error of measurement cannot be negative")
    if np.any(m < 1):
        raise ValueError("the value before needs at least one window")
    return np.asarray(Z * sem * np.sqrt(1 / m + 1), float)


def classify(
    pre: ArrayLike,
    post: ArrayLike,
    sem: float,
    m: ArrayLike = 1,
    border: float | None = BORDER,
) -> NDArray[np.str_]:
    """Class each person by reliable change (Jacobson & Truax 1991).

    With T the person's threshold (`reliable_threshold`) and change = post - pre:

    - `deteriorated`: change >= T;
    - `improved`: change <= -T;
    - `recovered`: improved, and pre >= border and post < border;
    - `unchanged`: all others;
    - `unknown`: a value, or the threshold, is missing.

    A change of exactly T is reliable, and a value of exactly the border is on its bad side. Both
    sides are compared after rounding to nine decimals.

    Parameters
    ----------
    pre, post
        Values of the same people in the same order; less is better.
    sem
        Standard error of measurement of one window, from untreated people.
    m
        Windows averaged before, per person or one number.
    border
        Where the bad range begins: 15 headache days of 28 in one window, the number of ICHD-3's
        chronic headache, which needs more than three months of it.
        None for an outcome without one; then nobody is `recovered`.

    Returns
    -------
    array of str
    """
    before, after = np.round(np.asarray(pre, float), _DECIMALS), np.asarray(post, float)
    after = np.round(after, _DECIMALS)
    change = np.round(after - before, _DECIMALS)
    limit = np.round(reliable_threshold(sem, m), _DECIMALS)
    if not limit.all():
        raise ValueError("without any measurement error every change would be reliable")
    better = change <= -limit
    if border is None:
        crossed = np.zeros(change.shape, bool)
    else:
        crossed = (before >= border) & (after < border)
    return np.select(
        [np.isnan(change) | np.isnan(limit), better & crossed, better, change >= limit],
        [UNKNOWN, "recovered", "improved", "deteriorated"],
        default="unchanged",
    )


def classify_response(pre: ArrayLike, post: ArrayLike) -> NDArray[np.str_]:
    """Class each person by relative change, with the limits of `change.summarise_responders`.

    At least 50 % better, 30 to 50 % better (30 in, 50 out), at least 30 % worse, neither. Someone
    whose value before is 0 has no relative change.
    """
    before, after = np.asarray(pre, float), np.asarray(post, float)
    ratio = divide_by_before(before, after)
    return np.select(
        [
            np.isnan(before) | np.isnan(after),
            before <= 0,
            ratio <= 0.5,
            ratio <= 0.7,
            ratio >= WORSE,
        ],
        [UNKNOWN, RESPONSES[4], RESPONSES[0], RESPONSES[1], RESPONSES[3]],
        default=RESPONSES[2],
    )


def cross_tabulate(
    pre: ArrayLike,
    post: ArrayLike,
    sem: float,
    m: ArrayLike = 1,
    border: float | None = BORDER,
) -> pd.DataFrame:
    """Count people by reliable change and relative change.

    The two ask different questions: a fall from 6 days to 2 is 67 % and within the noise, one
    from 28 to 18 is reliable and 36 %.

    Returns
    -------
    DataFrame
        class, response, n, of: a row for every cell, those without anybody included, in the
        order of `CLASSES` and `RESPONSES`. `improved` does not hold the recovered here. `of` is
        everyone with a class, and the cells add up to it.
    """
    import pandas as pd

    classes, responses = classify(pre, post, sem, m, border), classify_response(pre, post)
    rows = [
        {
            "class": kind,
            "response": response,
            "n": int(((classes == kind) & (responses == response)).sum()),
        }
        for kind in CLASSES
        for response in RESPONSES
    ]
    return pd.DataFrame(rows).assign(of=int((classes != UNKNOWN).sum()))


def summarise_individual(
    pre: ArrayLike,
    post: ArrayLike,
    sem: float,
    m: ArrayLike = 1,
    *,
    border: float | None = BORDER,
    best: float = 0.0,
    worst: float | None = None,
    unit: str = "",
    source: str = "untreated people",
) -> list[Statistic]:
    """Summarise reliable change in the order of display.

    Parameters
    ----------
    pre, post, sem, m, border
        As in `classify`.
    best
        Best possible value; who starts nearer to it than the threshold cannot reach a reliable
        improvement.
    worst
        Worst possible value. Where it is given (28 headache days per 28), `reliable_cannot_worsen`
        is added: the share of people whom no course could class as deteriorated.
    unit
        Unit of the outcome.
    source
        Whom the standard error of measurement comes from, for the note.

    Returns
    -------
    list of Statistic
        The threshold; the shares improved (with the recovered), recovered, unchanged,
        deteriorated and beyond reach, in percent with Wilson intervals. Improved, unchanged and
        deteriorated add up to 100. n counts everyone with a class.
    """
    before, after = np.asarray(pre, float), np.asarray(post, float)
    classes = classify(before, after, sem, m, border)
    known = classes != UNKNOWN
    n = int(known.sum())
    windows = np.broadcast_to(np.asarray(m, float), before.shape)[known]
    limit = np.round(reliable_threshold(sem, windows), _DECIMALS)
    start = np.round(before[known], _DECIMALS)

    out = [_threshold(sem, windows, n, unit, source)]
    shares: list[tuple[str, tuple[str, ...], str, str]] = [
        ("improved", ("improved", "recovered"), "", ""),
        ("unchanged", ("unchanged",), Message("remark.unchanged_is_not_no_change"), ""),
        ("deteriorated", ("deteriorated",), "", ""),
    ]
    if border is not None:
        from_to = Message("statistic.reliable_recovered", border=border)
        shares.insert(1, ("recovered", ("recovered",), "", from_to))
    for id, members, note, label in shares:
        count = int(np.isin(classes, members).sum())
        out.append(count_share(f"reliable_{id}", count, n, note, label))
    room = np.round(start - best, _DECIMALS)
    out.append(
        count_share(
            "reliable_cannot_reach",
            int((room < limit).sum()),
            n,
            label=Message("statistic.reliable_cannot_reach", best=best),
        )
    )
    if worst is not None:
        room = np.round(worst - start, _DECIMALS)
        out.append(
            count_share(
                "reliable_cannot_worsen",
                int((room < limit).sum()),
                n,
                label=Message("statistic.reliable_cannot_worsen", worst=worst),
            )
        )
    return out


def _threshold(sem: float, windows: Array, n: int, unit: str, source: str) -> Statistic:
    """State the threshold of people with the fewest windows, and the others' in the note."""
    used = np.unique(windows) if n else np.array([1.0])
    limits = reliable_threshold(sem, used)
    # Three digits, as they are printed.
    notes = [Message("remark.sem", sem=float(f"{sem:.3g}"), source=phrase("retest", source))]
    if len(used) > 1 or used[0] > 1:
        each = [
            Message("remark.limit_windows", limit=round(limit, 2), windows=w)
            if w > 1
            else Message("remark.limit_one_window", limit=round(limit, 2))
            for w, limit in zip(used, limits, strict=True)
        ]
        notes.append(Message("remark.limits", limits=each))
    return Statistic("reliable_threshold", float(limits[0]), n, unit=unit, note=join(notes))
