"""Multiple imputation of values that were not recorded, and how bad they would have to be.

Values are imputed by chained equations with predictive mean matching, so that an imputed value is
one that somebody had; the mean change is taken over all who started in every completed set and
the sets are combined by Rubin's rules. This holds where what is missing depends on what is known
(missing at random). `tip` asks how much worse the lost would have to be than that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri, stdtrit

from headway.outcomes.change.change import LEVEL
from headway.outcomes.change.cohort import BEFORE, WINDOW

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from headway.outcomes.change.windows import Comparison

    Array = NDArray[np.float64]

DONORS = 5  # Morris, White & Royston 2014: 3 to 10; mice takes 5
CYCLES = 10
MIN_PAIRS = 10  # people with both values; below, no regression is trusted with the others
_RIDGE = 1e-5  # relative to the diagonal, as in mice: keeps collinear predictors solvable


@dataclass(frozen=True, slots=True)
class Pooled:
    """One quantity over several imputations (Rubin 1987; Barnard & Rubin 1999).

    Attributes
    ----------
    estimate, ci_low, ci_high : float
    se : float
        Root of the total variance.
    df : float
        Degrees of freedom of the t interval.
    fmi : float
        Fraction of missing information, 0 to 1.
    imputations : int
    """

    estimate: float
    ci_low: float
    ci_high: float
    se: float
    df: float
    fmi: float
    imputations: int


@dataclass(frozen=True, slots=True)
class Imputed:
    """Completed values of the same people, in an order made from their values.

    Attributes
    ----------
    pre, post : ndarray, shape (imputations, n)
    lost : ndarray of bool, shape (n,)
        People whose value after was not recorded.
    predictors : tuple of str
        What the values were imputed from.
    """

    pre: Array
    post: Array
    lost: NDArray[np.bool_]
    predictors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tipping:
    """How far from the imputed values the lost must be.

    Attributes
    ----------
    delta_mean : float
        Shift of the lost people's values after at which the mean change is 0; NaN where it
        cannot be reached.
    delta_ci : float
        Shift at which the interval first touches 0; 0 where it includes 0 as it is, NaN where
        it never does.
    direction : int
        1: worse (the change is an improvement), -1: better.
    farthest : float
        Mean change with every lost person at the end of the scale.
    """

    delta_mean: float
    delta_ci: float
    direction: int
    farthest: float


def combine(
    estimates: Sequence[float] | Array,
    variances: Sequence[float] | Array,
    complete_df: float,
    level: float = LEVEL,
) -> Pooled:
    """Combine estimates from completed data sets by Rubin's rules.

    Total variance T = W + (1 + 1/m) B (Rubin 1987, eq. 3.1.5); degrees of freedom after Barnard
    and Rubin (1999), which never exceed those of the complete data; fraction of missing
    information (r + 2 / (df + 3)) / (r + 1) with r = (1 + 1/m) B / W.

    Parameters
    ----------
    estimates, variances
        One per completed set: the estimate and its squared standard error.
    complete_df
        Degrees of freedom with nothing missing.

    Raises
    ------
    ValueError
        Fewer than two sets.
    """
    q, u = np.asarray(estimates, float), np.asarray(variances, float)
    m = len(q)
    if m < 2 or len(u) != m:
        raise ValueError("Rubin's rules need two or more estimates, each with a variance")
    mean, within = float(q.mean()), float(u.mean())
    between = (1 + 1 / m) * float(q.var(ddof=1))
    total = within + between
    if total <= 0:
        return Pooled(mean, mean, mean, 0.0, complete_df, 0.0, m)
    share = between / total
    observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share)
    if share == 0:
        df = observed
    elif share == 1:
        df = float(m - 1)
    else:
        old = (m - 1) / share**2
        df = old * observed / (old + observed)
    r = between / within if within > 0 else np.inf
    fmi = 1.0 if np.isinf(r) else (r + 2 / (df + 3)) / (r + 1)
    half = float(stdtrit(df, 0.5 + level / 2)) * float(np.sqrt(total))
    return Pooled(mean, mean - half, mean + half, float(np.sqrt(total)), float(df), float(fmi), m)


def complete_sets(
    table: pd.DataFrame, *, imputations: int, seed: int, cycles: int = CYCLES
) -> Array:
    """Fill a table of numbers by chained equations with predictive mean matching.

    `statsmodels.imputation.mice.MICEData` runs the chains, all at once: the starting values, the
    order of the columns and who has a gap are its own. A column's step is that of R's mice:
    parameters drawn from their posterior (Rubin 1987, p. 167), people observed placed by the
    estimated and people missing by the drawn coefficients, one of the five nearest taken (type 1
    matching, van Buuren 2018, section 3.4). With drawn coefficients on both sides, as in
    statsmodels, a single predictor would lead to the same donors whatever was drawn.

    Rows are sorted by their values and columns by name before anything is drawn, so that neither
    the order of the rows nor the people's codes can move a result.

    Parameters
    ----------
    table
        Numbers, one row per person; NaN where not recorded. Every column has a value somewhere.
    imputations, seed, cycles
        Completed sets, each at the end of a chain of `cycles` cycles, and the seed of the draws.

    Returns
    -------
    ndarray, shape (imputations, rows, columns)
        In the order of `sort_by_content(table)` and its columns.
    """
    ordered = sort_by_content(table)
    cells, names = ordered.to_numpy(), tuple(map(str, ordered.columns))
    return _complete(cells.tobytes(), cells.shape, names, imputations, seed, cycles)


@lru_cache(maxsize=1)  # one analysis after the other asks for the same
def _complete(
    cells: bytes,
    shape: tuple[int, int],
    names: tuple[str, ...],
    imputations: int,
    seed: int,
    cycles: int,
) -> Array:
    import pandas as pd
    from statsmodels.imputation.mice import MICEData

    class Chains(MICEData):  # type: ignore[misc]  # statsmodels has no types
        """As many chains as imputations, side by side along the first axis of `filled`."""

        def start(self) -> Array:
            """Take the starting values out of the DataFrame, which is slow to write to."""
            self.filled = np.repeat(self.data.to_numpy()[None], imputations, axis=0)
            self.place = {name: i for i, name in enumerate(self.data.columns)}
            return np.asarray(self.filled)

        def update(self, vname: str) -> None:
            """Draw the parameters of one column and fill its gaps, in every chain."""
            seen, gaps, j = self.ix_obs[vname], self.ix_miss[vname], self.place[vname]
            x, y = np.delete(self.filled, j, axis=2), self.filled[0, seen, j]
            self.filled[:, gaps, j] = _match(x[:, seen], y, x[:, gaps], self.rng)

    ordered = pd.DataFrame(np.frombuffer(cells).reshape(shape), columns=list(names))
    # MICEData drops people of whom nothing is known, but they started too; the column of ones
    # keeps them and is the intercept.
    ordered = ordered.assign(intercept=1.0)
    filled = np.repeat(ordered.to_numpy()[None], imputations, axis=0)
    if ordered.isna().to_numpy().any():
        chains = Chains(ordered, rng=np.random.default_rng(seed))
        filled = chains.start()
        chains.update_all(cycles)
    filled.flags.writeable = False
    return filled[:, :, :-1]


def sort_by_content(table: pd.DataFrame) -> pd.DataFrame:
    """Sort columns by name and rows by value; people who are alike in all are interchangeable."""
    ordered = table.astype("float64")[sorted(table.columns)]
    return ordered.sort_values(list(ordered.columns), kind="stable", ignore_index=True)


def _match(x: Array, y: Array, x_gaps: Array, rng: np.random.Generator) -> Array:
    """Draw a donor's value for every gap: Bayesian regression and type 1 matching.

    Parameters
    ----------
    x : ndarray, shape (chains, n, p)
        Predictors of the people observed, as they stand in each chain.
    y : ndarray, shape (n,)
    x_gaps : ndarray, shape (chains, gaps, p)

    Returns
    -------
    ndarray, shape (chains, gaps)
    """
    m, n, p = x.shape
    turned = np.swapaxes(x, 1, 2)
    gram = turned @ x
    # Columns of very different size (years beside an intercept) are brought to one first.
    scale = 1 / np.sqrt(np.maximum(np.diagonal(gram, axis1=1, axis2=2), 1e-300))
    scaled = gram * scale[:, :, None] * scale[:, None, :]
    scaled[:, np.arange(p), np.arange(p)] = 1 + _RIDGE
    root = np.linalg.inv(np.linalg.cholesky(scaled))  # scaled^-1 = root' root
    back = scale[:, :, None] * np.swapaxes(root, 1, 2)
    fitted = back @ (root @ (scale * (turned @ y))[:, :, None])
    residual = ((y - (x @ fitted)[:, :, 0]) ** 2).sum(axis=1)
    sigma = np.sqrt(residual / rng.chisquare(max(n - p, 1), m))
    drawn = fitted + sigma[:, None, None] * (back @ rng.standard_normal((m, p, 1)))
    # Donors that are placed alike come in random order: rows are sorted by value, so that the
    # first ones would be those with the lowest. Rounded, so that a last digit decides nothing.
    shuffled = rng.permuted(np.tile(np.arange(n), (m, 1)), axis=1)
    place = np.take_along_axis(np.round((x @ fitted)[:, :, 0], 8), shuffled, axis=1)
    order = np.argsort(place, axis=1, kind="stable")
    place = np.take_along_axis(place, order, axis=1)
    wanted = np.round((x_gaps @ drawn)[:, :, 0], 8)
    k = min(DONORS, n)
    at = np.stack([np.searchsorted(a, b) for a, b in zip(place, wanted, strict=True)])
    around = at[:, :, None] + np.arange(-k, k)
    inside = np.clip(around, 0, n - 1)
    distance = np.abs(wanted[:, :, None] - place[np.arange(m)[:, None, None], inside])
    distance[around != inside] = np.inf
    near = np.argsort(distance, axis=2, kind="stable")[:, :, :k]
    nth = rng.integers(0, k, wanted.shape)[:, :, None]
    donor = np.take_along_axis(around, np.take_along_axis(near, nth, axis=2), axis=2)[:, :, 0]
    return np.asarray(y[np.take_along_axis(shuffled, np.take_along_axis(order, donor, 1), 1)])


def impute_change(
    people: pd.DataFrame, *, imputations: int, seed: int, cycles: int = CYCLES
) -> Imputed | None:
    """Impute the values before and after of everyone who started.

    Parameters
    ----------
    people
        A row per person who started: `pre`, `post` and auxiliary numbers, NaN where unknown.
        Auxiliary columns come in order of preference; one enters if at least half of the people
        have it, it varies, and there remain ten people with both values per predictor.

    Returns
    -------
    Imputed or None
        None with fewer than `MIN_PAIRS` people who have both values.
    """
    pairs = people[["pre", "post"]].notna().all(axis=1)
    if int(pairs.sum()) < MIN_PAIRS:
        return None
    kept = ["pre", "post"]
    limit = int(pairs.sum()) // 10 + 1  # `post` is no predictor of itself
    for column in people.columns:
        known = people[column].notna()
        if column in kept or len(kept) >= limit or 2 * int(known.sum()) < len(people):
            continue
        # Its values must vary among those it is to inform about.
        if people.loc[known & pairs, column].nunique() > 1:
            kept.append(column)
    table = people[kept]
    filled = complete_sets(table, imputations=imputations, seed=seed, cycles=cycles)
    ordered = sort_by_content(table)
    at = list(ordered.columns)
    return Imputed(
        pre=filled[:, :, at.index("pre")],
        post=filled[:, :, at.index("post")],
        lost=ordered["post"].isna().to_numpy(),
        predictors=tuple(kept),
    )


def pool_change(imputed: Imputed, level: float = LEVEL) -> Pooled:
    """Pool the mean change over all who started.

    Where nobody's value was missing this is the t interval of the change as it stands.
    """
    return _pool_means(imputed.post - imputed.pre, level)


def _pool_means(change: Array, level: float = LEVEL) -> Pooled:
    n = change.shape[1]
    means, variances = change.mean(axis=1), change.var(axis=1, ddof=1) / n
    if np.all(change == change[0]):  # nothing was imputed, or it had no choice
        se = float(np.sqrt(variances[0]))
        half = float(stdtrit(n - 1, 0.5 + level / 2)) * se
        mean = float(means[0])
        return Pooled(mean, mean - half, mean + half, se, float(n - 1), 0.0, len(change))
    return combine(means, variances, n - 1, level)


def tip(imputed: Imputed, low: float, high: float) -> Tipping:
    """Find the shift of the lost people's values after at which a mean change is erased.

    Every lost person's imputed value after is moved by the same amount and kept within the scale
    (delta adjustment, Rubin 1987; tipping point, Cro et al. 2020). Without the ends of the scale
    the shift would be -change x n / lost; with them the mean is still monotone in the shift.

    Parameters
    ----------
    imputed
        From `impute_change`.
    low, high
        Ends of the scale (0 and 28 for headache days).
    """
    start = pool_change(imputed)
    direction = 1 if start.estimate <= 0 else -1
    end = high if direction == 1 else low

    def pooled(shift: float) -> Pooled:
        moved = np.clip(imputed.post + direction * shift, low, high)
        return _pool_means(np.where(imputed.lost, moved, imputed.post) - imputed.pre)

    span = high - low
    farthest = float((np.where(imputed.lost, end, imputed.post) - imputed.pre).mean())
    mean = _first_crossing(lambda d: direction * pooled(d).estimate, span)

    def nearest_limit(shift: float) -> float:
        now = pooled(shift)
        return now.ci_high if direction == 1 else -now.ci_low

    touch = _first_crossing(nearest_limit, span)
    return Tipping(
        delta_mean=mean,
        delta_ci=touch,
        direction=direction,
        farthest=farthest,
    )


def _first_crossing(value: Callable[[float], float], span: float, steps: int = 56) -> float:
    """Find the smallest shift from 0 on at which a value reaches 0; NaN where it never does."""
    from scipy.optimize import brentq

    if value(0.0) >= 0:
        return 0.0
    at = 0.0
    for step in np.linspace(0.0, span, steps + 1)[1:]:
        if value(float(step)) >= 0:
            return float(brentq(value, at, float(step), xtol=1e-10))
        at = float(step)
    return float("nan")


def before_and_after(
    windows: pd.DataFrame,
    starters: pd.Index,
    comparison: Comparison,
    outcome: str,
    column: str = "value",
) -> pd.DataFrame:
    """Set everyone's value before beside the value after, NaN where the window is not complete.

    The people with both are those of `pair_windows`, with the same values.

    Parameters
    ----------
    windows
        Table `windows`.
    starters
        Everyone who started.
    column
        `value` (scaled) or `count` (as counted).

    Returns
    -------
    DataFrame
        `pre` and `post`, indexed by `starters`.
    """
    own = windows[(windows["source"] == comparison.source) & (windows["outcome"] == outcome)]
    side = spread(own, starters, {*comparison.befores, comparison.post})
    return pair_sides(side, starters, comparison, column)


@dataclass(frozen=True, slots=True)
class Side:
    """One window of everyone who started: an array per column, NaN where there is no row.

    Attributes
    ----------
    value, count, observed : ndarray, shape (starters,)
    complete : ndarray of bool
    """

    value: Array
    count: Array
    observed: Array
    complete: NDArray[np.bool_]


def spread(own: pd.DataFrame, starters: pd.Index, wanted: Collection[str]) -> dict[str, Side]:
    """Spread rows of `windows` of one source and outcome over those who started, by window.

    Every window of `wanted` is there, without a value where nobody has it.
    """
    place = starters.get_indexer(own["patient_id"])
    window = own["window"]
    complete = own["complete"].to_numpy(bool)
    out = {}
    for name in wanted:
        rows = np.flatnonzero((window == name).to_numpy(bool) & (place >= 0))
        at = place[rows]

        def fill(column: str, rows: Any = rows, at: Any = at) -> Array:
            values = np.full(len(starters), np.nan)
            values[at] = own[column].to_numpy("float64")[rows]
            return values

        done = np.zeros(len(starters), bool)
        done[at] = complete[rows]
        out[name] = Side(fill("value"), fill("count"), fill("days_observed"), done)
    return out


def pair_sides(
    side: Mapping[str, Side],
    starters: pd.Index,
    comparison: Comparison,
    column: str = "value",
    least: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Set values of complete windows beside each other (`before_and_after`).

    With `least` a window must also have been observed on that many days.
    """
    import pandas as pd

    def known(window: str) -> Array:
        own = side[window]
        complete = own.complete
        if least is not None:
            complete = complete & (own.observed >= least[window])
        return np.where(complete, own.value if column == "value" else own.count, np.nan)

    before = [known(window) for window in comparison.befores]
    pre = sum(before[1:], before[0]) / len(before)
    return pd.DataFrame({"pre": pre, "post": known(comparison.post)}, index=starters)


def draw_people(people: pd.DataFrame, most: int, seed: int) -> pd.Index | None:
    """Draw a simple random sample of people; None where there are no more than `most`.

    They are sorted by their values before anything is drawn, so that neither the order of the
    rows nor the people's codes can move a result.

    Parameters
    ----------
    people
        A row of numbers per person (`add_auxiliaries`).
    """
    if len(people) <= most:
        return None
    table = people.astype("float64")[sorted(people.columns)]
    order = np.lexsort([table[c].to_numpy() for c in reversed(table.columns)])
    drawn = np.random.default_rng(seed).choice(len(people), most, replace=False)
    return people.index[np.sort(order[drawn])]


def add_auxiliaries(
    sides: pd.DataFrame,
    windows: pd.DataFrame,
    comparison: Comparison,
    outcome: str,
    characteristics: pd.DataFrame,
    sample: pd.Index | None = None,
) -> pd.DataFrame:
    """Put beside the values before and after what may tell of the missing ones.

    In order of preference: the outcome in the other windows, other outcomes before, then age,
    years with the condition and whatever other number was known before treatment.

    Parameters
    ----------
    sides
        From `before_and_after`.
    characteristics
        `headway.outcomes.change.cohort.describe_people`.
    sample
        The people to keep (`draw_people`); everyone by default.
    """
    out = sides.copy() if sample is None else sides.loc[sample]
    own = windows[
        (windows["source"] == comparison.source)
        & (windows["outcome"] == outcome)
        & windows["complete"]
        & ~windows["window"].isin([*comparison.befores, comparison.post])
    ]
    others = sorted(own["window"].unique())
    for window, side in spread(own, out.index, others).items():
        out[f"{WINDOW}{window}"] = side.value
    for name in characteristics.columns:
        if name != f"{outcome}{BEFORE}" and characteristics[name].dtype.kind in "fiu":
            out[str(name)] = characteristics[name].reindex(out.index)
    return out.astype("float64")


def carry_forward(pre: Any, post: Any) -> Array:
    """List the changes of everyone with a value before, the lost with 0.

    Parameters
    ----------
    pre, post : array_like
        One value per person, NaN where unknown.
    """
    before, after = np.asarray(pre, float), np.asarray(post, float)
    known = ~np.isnan(before)
    return np.where(np.isnan(after[known]), 0.0, after[known] - before[known])


def normal_quantile(level: float = LEVEL) -> float:
    """Return the two-sided normal quantile of a level."""
    return float(ndtri(0.5 + level / 2))
