"""What change would be expected without treatment, and whether a clinic's change goes further.

People come when it is bad, and then it gets better by itself. Two ways of coming differ in what
they do to a change: *because it is bad* (selection on level) and *because it got worse* (selection
on a rise). One window before treatment cannot tell them apart; two can. Given both windows, how
somebody came no longer matters, since coming depends on what was before it.

Sources, each a row (`Source`) with the expected change and the clinic's change minus it:

`mee_chua`
    One window before; own regression of after on before, read at assumed population means mu
    (Mee & Chua 1991; Ostermann 2008). Covers selection on level only.
`cutoff`
    The same for a known entry threshold (Davis 1976; Barnett 2005).
`both_windows`
    After against the mean of both windows before. Unbiased for people who came because it got
    worse: a rise that brought them adds to one window what it takes from the other.
`both_windows_mu`
    The same, drawn towards mu by the retest correlation of untreated people (Gardner & Heady 1973,
    two measurements). Covers both ways of coming where mu is not above the population's mean.
`earlier`
    After against the earlier window: leans against the clinic, shown only.
`arm`, `arms_pooled`, `arms_new`
    Published untreated arms: one by one, their mean, and what another untreated group would show.

`judge` says "beyond what would be expected" only where the interval of (clinic - expected) lies
below 0 for every deciding source, and never without the earlier window. docs/expected.md has the
reasons and the rates of false and of missed verdicts. All changes are post - pre; negative is
improvement. `before` is the last window before treatment.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import log_ndtr, ndtri, stdtrit

from headway.messages import Message, join, phrase, say, speaking, term
from headway.outcomes.change.change import LEVEL, Statistic, t_interval
from headway.outcomes.change.windows import Comparison
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from headway.config.clinic import Clinic, Cutoff, Expected

    Array = NDArray[np.float64]

UNTREATED = ("waiting_list", "no_treatment", "usual_care")
MIN_PEOPLE = 20  # with an earlier window; fewer do not carry a verdict
MIN_SHARE = 0.5  # of the analysed people, so that those with an earlier window are not a few
POOL_FROM = 5  # below, arms stand singly (DESIGN, section 4)
BASELINE_WITHIN = 5.0  # days per 28 between the clinic's and an arm's mean before
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Source:
    """One answer to what would be expected without treatment; days, negative is improvement.

    Attributes
    ----------
    source, label
        Identifier (see the module) and a message that names it.
    mu
        Assumed mean of the population people come from; NaN where none is assumed.
    change
        The clinic's change, among the `n` people of this row.
    expected, ci_low, ci_high
        Expected change and its interval, where it has one.
    difference, diff_ci_low, diff_ci_high
        change - expected.
    interval
        Method of the interval of the difference, a message.
    beyond
        Whether that interval lies below 0.
    decides
        Whether the row counts for the verdict.
    """

    source: str
    label: str
    change: float
    expected: float
    difference: float
    diff_ci_low: float
    diff_ci_high: float
    interval: str
    n: float
    decides: bool
    mu: float = _NAN
    ci_low: float = _NAN
    ci_high: float = _NAN
    note: str = ""

    @property
    def beyond(self) -> bool:
        """Whether the interval of the difference lies below 0; False where there is none."""
        return bool(self.diff_ci_high < 0)


@dataclass(frozen=True, slots=True)
class MeeChua:
    """Change at the population's mean, per assumed mean mu (Ostermann 2008)."""

    mu: Array
    effect: Array
    ci_low: Array
    ci_high: Array
    slope: float
    n: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the sources say together.

    Attributes
    ----------
    kind
        `beyond`; `not_told_apart` (the interval of a deciding source reaches 0); `not_recorded`
        (all lie below 0, but the earlier window is missing); `no_data`.
    message
        One sentence with the range, as a message (`headway.messages.say`); only that of `beyond`
        holds the words "beyond what would be expected".
    change, low, high
        The clinic's change and the range of expected changes over all sources.
    further, not_further
        The deciding sources whose intervals do and do not all lie below 0.
    missing
        What is not available: `earlier_window`, `untreated_arms`.
    """

    kind: str
    message: Message
    change: float
    low: float
    high: float
    further: tuple[str, ...]
    not_further: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def beyond(self) -> bool:
        """Whether the change may be called beyond what would be expected."""
        return self.kind == "beyond"

    @property
    def sentence(self) -> str:
        """The message in English."""
        with speaking("en"):
            return say(self.message)


def regression_to_mean_cutoff(
    mu: ArrayLike, sd: ArrayLike, rho: ArrayLike, cutoff: ArrayLike, windows: ArrayLike = 1
) -> Array:
    """Compute the drop expected among people taken in because they were above a threshold.

    Davis (1976), as written by Barnett, van der Pols and Dobson (2005): with
    s_w² = (1 - rho) sd², s_b² = rho sd², v = s_b² + s_w² / m and z = (cutoff - mu) / sqrt(v),
    RTM = s_w² / m / sqrt(v) * phi(z) / (1 - Phi(z)).

    Parameters
    ----------
    mu, sd
        Mean and standard deviation of one window in the population that people come from.
    rho
        Correlation of two windows of one person, from 0 to 1.
    cutoff
        Least value of the mean of `windows` windows with which people are taken in.
    windows
        Windows before treatment whose mean has to reach the cutoff.

    Returns
    -------
    ndarray
        Expected drop in the unit of mu, 0 or more; inputs broadcast.

    Raises
    ------
    ValueError
        If sd is not positive, rho is outside 0 to 1 or windows is below 1.
    """
    m0, s, r, c, m = (np.asarray(v, float) for v in (mu, sd, rho, cutoff, windows))
    if not (np.all(s > 0) and np.all((r >= 0) & (r <= 1)) and np.all(m >= 1)):
        raise ValueError("sd must be positive, rho within 0 to 1 and windows 1 or more")
    noise = (1 - r) * s**2 / m
    root = np.sqrt(r * s**2 + noise)
    z = (c - m0) / root
    # On the log scale: far above the mean both parts of the ratio underflow.
    hazard = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(-z))
    return np.asarray(noise / root * hazard, float)


def mee_chua(pre: ArrayLike, post: ArrayLike, mu: ArrayLike, level: float = LEVEL) -> MeeChua:
    """Scan the change that is left at the population's mean over assumed means.

    Regress post on (pre - mu); effect(mu) = intercept - mu, with the regression's own standard
    error and a t quantile with n - 2 df (Mee & Chua 1991; Ostermann, Willich & Lüdtke 2008).

    Parameters
    ----------
    pre, post
        Values of the same people in the same order, shape (n,), without missing values.
    mu
        Assumed means, shape (k,).

    Returns
    -------
    MeeChua
        NaN with fewer than three people or no spread before.

    Raises
    ------
    ValueError
        If pre and post differ in length.
    """
    x, y = np.asarray(pre, float), np.asarray(post, float)
    grid = np.atleast_1d(np.asarray(mu, float))
    if x.shape != y.shape:
        raise ValueError("pre and post must hold the same people")
    n = len(x)
    spread = float(((x - x.mean()) ** 2).sum()) if n else 0.0
    if n < 3 or spread == 0:
        gap = np.full(len(grid), _NAN)
        return MeeChua(grid, gap, gap, gap, _NAN, n)
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread)
    effect = y.mean() + slope * (grid - x.mean()) - grid
    rest = y - y.mean() - slope * (x - x.mean())
    se = np.sqrt((rest @ rest) / (n - 2) * (1 / n + (grid - x.mean()) ** 2 / spread))
    half = stdtrit(n - 2, 0.5 + level / 2) * se
    return MeeChua(grid, effect, effect - half, effect + half, slope, n)


def steadiness_of_two(retest: float, retest_n: float) -> tuple[float, float]:
    """Compute the slope of a later window on the mean of two, in untreated people.

    With a constant mean and one correlation r between any two windows of a person it is
    2 r / (1 + r) (Gardner & Heady 1973; Spearman-Brown).

    Parameters
    ----------
    retest, retest_n
        Correlation between two windows of untreated people, and how many they were.

    Returns
    -------
    slope, se
        se by the delta method, from (1 - r²) / sqrt(n) for r.

    Raises
    ------
    ValueError
        If retest is outside 0 to 1 or retest_n is below 4.
    """
    if not 0 <= retest <= 1 or retest_n < 4:
        raise ValueError("a retest correlation lies within 0 to 1 and needs 4 people or more")
    se = 2 / (1 + retest) ** 2 * (1 - retest**2) / np.sqrt(retest_n)
    return 2 * retest / (1 + retest), float(se)


def _t(values: Array, extra: float = 0.0, level: float = LEVEL) -> tuple[float, float, float]:
    """Mean and t limits; `extra` is a further standard error of the mean."""
    n = len(values)
    if n < 2:
        return (float(values.mean()) if n else _NAN), _NAN, _NAN
    mean = float(values.mean())
    se = float(np.sqrt(values.var(ddof=1) / n + extra**2))
    half = float(stdtrit(n - 1, 0.5 + level / 2)) * se
    return mean, mean - half, mean + half


def compare_before(
    earlier: ArrayLike,
    baseline: ArrayLike,
    post: ArrayLike,
    mu: ArrayLike,
    *,
    retest: float,
    retest_n: float,
    decides: bool,
) -> list[Source]:
    """Compare after with what both windows before treatment let expect, in the same people.

    Parameters
    ----------
    earlier, baseline, post
        Values of the same people in the same order, shape (n,), without missing values.
    mu
        Assumed population means.
    retest, retest_n
        See `steadiness_of_two`.
    decides
        Whether these rows count for the verdict.

    Returns
    -------
    list of Source
        `both_windows` (t interval), `both_windows_mu` per mu (t; the standard error of the slope
        added) and `earlier` (t; never decides).

    Notes
    -----
    Let coming depend on (earlier, baseline) in whatever way. Then E(post | earlier, baseline) is
    the population's. With equal means mu, equal variances and one correlation it is
    mu + b (mean of both - mu), b = 2 r / (1 + r): the row `both_windows_mu`. Where coming depends
    on baseline - earlier alone, the mean of both keeps the mean mu (the two are uncorrelated), so
    that b does not matter: the row `both_windows`.
    """
    e, b, y = (np.asarray(v, float) for v in (earlier, baseline, post))
    n = len(y)
    if not n:
        return []
    middle, change = (e + b) / 2, float((y - b).mean())
    slope, slope_se = steadiness_of_two(retest, retest_n)

    def row(
        source: str, level: Array, label: str, extra: float, counts: bool, mean: float, note: str
    ) -> Source:
        expected, low, high = _t(level - b, extra)
        difference, diff_low, diff_high = _t(y - level, extra)
        method = Message("interval.paired_t_retest" if extra else "interval.paired_t")
        return Source(
            source,
            label,
            change,
            expected,
            difference,
            diff_low,
            diff_high,
            method,
            n,
            counts,
            mean,
            low,
            high,
            note,
        )

    same = Message("basis.same_people")
    rows = [row("both_windows", middle, Message("source.both_windows"), 0.0, decides, _NAN, same)]
    for m in np.atleast_1d(np.asarray(mu, float)):
        rows.append(
            row(
                "both_windows_mu",
                m + slope * (middle - m),
                Message("source.both_windows_mu_at", mu=m),
                slope_se * abs(float(middle.mean()) - float(m)),
                decides,
                float(m),
                join([Message("basis.retest", retest=retest), same]),
            )
        )
    note = join([Message("basis.too_low_if_worse"), same])
    rows.append(row("earlier", e, Message("source.earlier"), 0.0, False, _NAN, note))
    return rows


def compare_regression(
    baseline: ArrayLike,
    post: ArrayLike,
    mu: ArrayLike,
    *,
    decides: bool,
    cutoff: Cutoff | None = None,
    retest: float = _NAN,
) -> list[Source]:
    """Compare after with what regression to the mean of one window before lets expect.

    Parameters
    ----------
    baseline, post
        Values of the same people in the same order, shape (n,), without missing values.
    mu
        Assumed population means.
    decides
        Whether the Mee-Chua rows count for the verdict; those of a known threshold always do.
    cutoff
        `days` and `population_sd` of an entry threshold, where one was kept; needs `retest`.

    Returns
    -------
    list of Source
        `mee_chua` per mu (its interval is the regression's), then `cutoff` per mu (t interval).
    """
    x, y = np.asarray(baseline, float), np.asarray(post, float)
    if not len(y):
        return []
    scan = mee_chua(x, y, mu)
    change, low, high = _t(y - x)
    aside = None if decides else Message("basis.both_decide")
    rows = [
        Source(
            "mee_chua",
            Message("source.mee_chua_at", mu=m),
            change,
            change - effect,
            effect,
            lower,
            upper,
            Message("interval.regression_t"),
            scan.n,
            decides,
            float(m),
            note=join([aside, Message("basis.covers_level")]),
        )
        for m, effect, lower, upper in zip(
            scan.mu.tolist(),
            scan.effect.tolist(),
            scan.ci_low.tolist(),
            scan.ci_high.tolist(),
            strict=True,
        )
    ]
    if cutoff is not None:
        for m in scan.mu.tolist():
            drop = float(regression_to_mean_cutoff(m, cutoff.population_sd, retest, cutoff.days))
            rows.append(
                Source(
                    "cutoff",
                    Message("source.cutoff_at", days=cutoff.days, mu=m),
                    change,
                    -drop,
                    change + drop,
                    low + drop,
                    high + drop,
                    Message("interval.t_expected_known"),
                    len(y),
                    True,
                    m,
                )
            )
    return rows


def compare_arms(baseline: ArrayLike, post: ArrayLike, arms: pd.DataFrame) -> list[Source]:
    """Compare the clinic's change with those of published untreated arms.

    Parameters
    ----------
    baseline, post
        Values of the same people in the same order, shape (n,), without missing values.
    arms
        One row per arm: label, change, se, n.

    Returns
    -------
    list of Source
        `arm` one by one (Welch interval from both standard errors); from two arms on
        `arms_pooled` (REML, ad hoc Hartung-Knapp) and from five on `arms_new`, what another
        untreated group would show: its interval holds the spread between arms as well. Below
        five arms every single one decides, so that the most favourable does; from five on
        `arms_new` does. The mean of the arms never decides: a clinic is one group and is no more
        like their mean than the next arm is.
    """
    d = np.asarray(post, float) - np.asarray(baseline, float)
    n, k = len(d), len(arms)
    if n < 2 or not k:
        return []
    change, own = float(d.mean()), float(d.var(ddof=1) / n)

    def row(
        source: str,
        label: str,
        expected: float,
        variance: float,
        df: float,
        decides: bool,
        note: str,
    ) -> Source:
        limits = float(stdtrit(df, 0.5 + LEVEL / 2)) * np.sqrt(variance)
        total = own + variance
        welch = total**2 / (own**2 / (n - 1) + variance**2 / df) if total > 0 else _NAN
        half = float(stdtrit(welch, 0.5 + LEVEL / 2) * np.sqrt(total))
        difference = change - expected
        return Source(
            source,
            label,
            change,
            expected,
            difference,
            difference - half,
            difference + half,
            Message("interval.welch_both"),
            n,
            decides,
            _NAN,
            expected - float(limits),
            expected + float(limits),
            note,
        )

    rows = [
        row(
            "arm",
            Message("source.published", arm=arm.label),
            float(arm.change),
            float(arm.se) ** 2,
            max(float(arm.n) - 1, 1.0),
            k < POOL_FROM,
            join([Message("basis.people", people=arm.n), getattr(arm, "note", None)]),
        )
        for arm in arms.itertuples(index=False)
    ]
    if k > 1:
        from headway import meta

        fit = meta.pool(
            arms["change"].to_numpy(float), arms["se"].to_numpy(float) ** 2, test="adhoc"
        )
        mean, variance, tau2 = float(fit.estimate), float(fit.se) ** 2, float(fit.tau2)
        label, note = Message("source.pooled_of", k=k), Message("basis.shown_only")
        rows.append(row("arms_pooled", label, mean, variance, k - 1, False, note))
        if k >= POOL_FROM:
            label, note = Message("source.new_of", k=k), Message("basis.spread")
            rows.append(row("arms_new", label, mean, variance + tau2, k - 1, True, note))
    return rows


def select_arms(
    arms: pd.DataFrame,
    *,
    time_days: float,
    within_days: float | None = None,
    leave_out: Collection[str] = (),
    retest: float = 0.746,
) -> pd.DataFrame:
    """Select untreated arms with a change in headache days at a like time.

    Parameters
    ----------
    arms
        Table `arms`, of one review or several.
    time_days
        Time of the clinic's later window, days from the start.
    within_days
        How far an arm's time may lie from it; without it 28 days or a quarter of `time_days`,
        whichever is more.
    leave_out
        Trials or DOIs that are not used: the trial the clinic's people come from.
    retest
        Correlation by which the standard error of a change is made where only both means are
        printed.

    Returns
    -------
    DataFrame
        label, change, se, n, baseline, time_days, note; one row per trial and arm: a printed
        change before one made from two means, then the nearest time. Rows that were recalled
        rather than read, not in days per 28 or without n, spread or baseline are left out.
    """
    import pandas as pd

    columns = ["label", "change", "se", "n", "baseline", "time_days", "note"]
    reach = within_days if within_days is not None else max(28.0, time_days / 4)
    own = {str(name).strip().casefold() for name in leave_out if str(name).strip()}
    use = arms[
        arms["comparator"].isin(UNTREATED)
        & (arms["outcome"] == "frequency")
        & (arms["unit"] == "days_per_28")
        & arms["status"].isin(["retrieved", "computed"])
        & ~arms["trial"].astype("str").str.casefold().isin(own)
        & ~arms["doi"].astype("str").str.casefold().isin(own)
    ]
    start = use[use["kind"] == "baseline"].drop_duplicates(["trial", "arm"])
    start = start.set_index(["trial", "arm"])[["mean", "sd"]]
    late = use[
        use["kind"].isin(["change", "final"]) & ((use["time_days"] - time_days).abs() <= reach)
    ].join(start.rename(columns={"mean": "start_mean", "sd": "start_sd"}), on=["trial", "arm"])
    before = late["baseline_mean"].fillna(late["start_mean"])
    before_sd = late["baseline_sd"].fillna(late["start_sd"])
    printed = late["kind"] == "change"
    made = np.sqrt(late["sd"] ** 2 + before_sd**2 - 2 * retest * late["sd"] * before_sd)
    out = pd.DataFrame(
        {
            "trial": late["trial"],
            "arm": late["arm"],
            "label": [name_arm(*names) for names in zip(late["trial"], late["arm"], strict=True)],
            "change": late["mean"].where(printed, late["mean"] - before),
            "se": late["sd"].where(printed, made) / np.sqrt(late["n"]),
            "n": late["n"],
            "baseline": before,
            "time_days": late["time_days"],
            "note": np.where(printed, "", Message("basis.two_means", retest=retest)),
            "order": (~printed).astype(int),
            "distance": (late["time_days"] - time_days).abs(),
        }
    )
    out = out[(out["se"] > 0) & (out["n"] > 1)].dropna(subset=["change", "se", "n", "baseline"])
    out = out.sort_values(["trial", "arm", "order", "distance"], kind="stable")
    return out.drop_duplicates(["trial", "arm"])[columns].reset_index(drop=True)


def name_arm(trial: Any, arm: Any) -> Message:
    """Name an arm by its trial and the source's own words."""
    return Message("arm.of_trial", trial=str(trial), arm=phrase("arm", arm))


def list_sources(
    earlier: ArrayLike,
    baseline: ArrayLike,
    post: ArrayLike,
    rule: Expected,
    arms: pd.DataFrame | None = None,
) -> list[Source]:
    """Put every available source beside a clinic's change in headache days.

    Parameters
    ----------
    earlier, baseline, post
        Days per 28 of the same people in the same order, shape (n,); NaN is unknown.
    rule
        `expected` of clinic.yaml: population_means, retest, retest_n, cutoff.
    arms
        Of `select_arms`; those within 5 days of the clinic's mean before are used.

    Returns
    -------
    list of Source
        Empty with fewer than three people who have a value before and after.
    """
    e, b, y = (np.asarray(v, float) for v in (earlier, baseline, post))
    paired = ~np.isnan(b) & ~np.isnan(y)
    both = paired & ~np.isnan(e)
    if paired.sum() < 3:
        return []
    enough = both.sum() >= max(MIN_PEOPLE, MIN_SHARE * paired.sum())
    mu, retest = rule.population_means, float(rule.retest)
    rows = compare_before(
        e[both],
        b[both],
        y[both],
        mu,
        retest=retest,
        retest_n=float(rule.retest_n),
        decides=bool(enough),
    )
    rows += compare_regression(
        b[paired],
        y[paired],
        mu,
        decides=not enough,
        cutoff=rule.cutoff,
        retest=retest,
    )
    if arms is not None and len(arms):
        near = (arms["baseline"] - b[paired].mean()).abs() <= BASELINE_WITHIN
        rows += compare_arms(b[paired], y[paired], arms[near])
    return rows


def judge(sources: Sequence[Source]) -> Verdict:
    """Say whether the change goes beyond what would be expected.

    Parameters
    ----------
    sources
        Of `list_sources`, or `read_sources` of the table `expected`.

    Returns
    -------
    Verdict
    """
    deciding = [s for s in sources if s.decides]
    if not deciding:
        return Verdict("no_data", Message("verdict.no_data"), _NAN, _NAN, _NAN, (), (), ())
    change = next((s.change for s in sources if s.source == "mee_chua"), deciding[0].change)
    expected = [s.expected for s in sources if not np.isnan(s.expected)]
    low, high = (min(expected), max(expected)) if expected else (_NAN, _NAN)
    kinds = list(dict.fromkeys(s.source for s in deciding))
    not_further = [k for k in kinds if not all(s.beyond for s in deciding if s.source == k)]
    further = [k for k in kinds if k not in not_further]
    missing = []
    if "both_windows" not in kinds:
        missing.append("earlier_window")
    if not any(s.source == "arm" for s in sources):
        missing.append("untreated_arms")
    places: dict[str, Any] = {"change": change, "low": low, "high": high, "lacking": ""}
    if missing:
        lacking = [term("lacking", m) for m in missing]
        places["lacking"] = Message("verdict.lacking", missing=lacking)
    places["sources"] = [_name(k, deciding) for k in not_further or further]
    if not_further:
        kind, others = "not_told_apart", [_name(k, deciding) for k in further]
        places["further"] = Message("verdict.and_further", sources=others) if others else ""
        message = Message("verdict.not_told_apart", **places)
    elif "both_windows" in kinds:
        kind = "beyond"
        message = Message("verdict.beyond", aside=_name_unsure(sources), **places)
    else:
        kind, gaps = "not_recorded", [s.difference for s in deciding]
        message = Message("verdict.not_recorded", least=max(gaps), most=min(gaps), **places)
    return Verdict(
        kind, message, change, low, high, tuple(further), tuple(not_further), tuple(missing)
    )


def _name_unsure(sources: Sequence[Source]) -> str:
    """Say where the weaker answer from one window alone is less sure; empty where it is not."""
    unsure = [s.mu for s in sources if s.source == "mee_chua" and not s.decides and not s.beyond]
    return Message("verdict.less_sure", means=unsure) if unsure else ""


def _name(kind: str, rows: Sequence[Source]) -> str:
    """Name a kind of source, with the population means that were assumed."""
    own = [s for s in rows if s.source == kind and not np.isnan(s.mu)]
    if not own:
        return term("source", kind)
    held = [s.mu for s in own if s.beyond]
    means = [s.mu for s in own]
    places: dict[str, Any] = {"source": term("source", kind), "low": min(means), "high": max(means)}
    if len(held) in (0, len(own)):
        return Message("source.with_means", **places)
    return Message("source.with_means_held", held=held, **places)


def check_oldham(pre: ArrayLike, post: ArrayLike) -> Statistic:
    """Correlate change with the mean of before and after (Oldham 1962).

    Change against the value before is negative by arithmetic alone; against the mean of both it
    is 0 where everybody changes alike and the spread stays the same. Interval by Fisher's z.
    """
    x, y = np.asarray(pre, float), np.asarray(post, float)
    n = len(x)
    change, middle = y - x, (x + y) / 2
    if n < 4 or np.ptp(change) == 0 or np.ptp(middle) == 0:
        return Statistic("oldham", _NAN, n, unit="correlation")
    r = float(np.corrcoef(change, middle)[0, 1])
    half = float(ndtri(0.5 + LEVEL / 2)) / np.sqrt(n - 3)
    low, high = np.tanh(np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15)) + np.array([-half, half]))
    return Statistic(
        "oldham",
        r,
        n,
        float(low),
        float(high),
        Message("interval.fisher_z"),
        unit="correlation",
        note=Message("remark.below_0_beyond_arithmetic"),
    )


def check_trend(earlier: ArrayLike, baseline: ArrayLike) -> Statistic:
    """Measure how the outcome moved from the earlier window to the last one before treatment."""
    d = np.asarray(baseline, float) - np.asarray(earlier, float)
    return Statistic(
        "baseline_trend",
        float(d.mean()) if len(d) else _NAN,
        len(d),
        *t_interval(d),
        interval=Message("interval.t"),
        unit="days_per_28",
        note=Message("remark.above_0_came_worse"),
    )


def collect_values(windows: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """Line up each person's headache days in `earlier`, before and after, once, by id.

    Returns
    -------
    DataFrame
        earlier, baseline, post, indexed by patient_id; complete windows of the comparison's kind
        of source only, NaN where there is none. `earlier` is empty unless the comparison starts
        from `baseline`.
    """
    import pandas as pd

    own = windows[
        (windows["source"] == comparison.source)
        & windows["complete"]
        & (windows["outcome"] == "frequency")
    ]
    names = {
        "earlier": "earlier" if comparison.pre == "baseline" else None,
        "baseline": comparison.pre,
        "post": comparison.post,
    }
    sides = {
        column: own[own["window"] == window].set_index("patient_id")["value"].astype("float64")
        for column, window in names.items()
    }
    return pd.DataFrame(sides).sort_index()


def build_expected(
    windows: pd.DataFrame,
    comparison: Comparison,
    clinic: Clinic,
    arms: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Build the table `expected` for one comparison of headache days.

    Parameters
    ----------
    windows
        Table `windows`.
    comparison
        Usually the primary one.
    clinic
        clinic.yaml with its defaults.
    arms
        Table `arms` of the published data, of one review or several. The clinic's own trial,
        known by its DOI or named in `expected.leave_out`, is left out.

    Returns
    -------
    DataFrame
        Table `expected`; empty without headache days before and after.
    """
    import pandas as pd

    rule = clinic.expected
    chosen = None
    time_days = _time_of(comparison, clinic)
    if arms is not None and time_days is not None:
        own = [clinic.doi or "", *rule.leave_out]
        chosen = select_arms(arms, time_days=time_days, leave_out=own, retest=float(rule.retest))
    values = collect_values(windows, comparison)
    sources = list_sources(values["earlier"], values["baseline"], values["post"], rule, chosen)
    if not sources:
        return empty("expected")
    known = [s.expected for s in sources if not np.isnan(s.expected)]
    rows = [
        {
            "outcome": "frequency",
            "comparison": comparison.id,
            "source": s.source,
            "label": s.label,
            "mu": s.mu,
            "change": s.change,
            "expected": s.expected,
            "ci_low": s.ci_low,
            "ci_high": s.ci_high,
            "difference": s.difference,
            "diff_ci_low": s.diff_ci_low,
            "diff_ci_high": s.diff_ci_high,
            "interval": s.interval,
            "n": float(s.n),
            "beyond": s.beyond,
            "decides": s.decides,
            "range_low": min(known, default=_NAN),
            "range_high": max(known, default=_NAN),
            "note": s.note or None,
            "redacted": False,
        }
        for s in sources
    ]
    return conform("expected", pd.DataFrame(rows))


def build_checks(windows: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """Build the table `checks`: what was before treatment, and what arithmetic alone does.

    Parameters
    ----------
    windows
        Table `windows`.
    comparison
        The primary one.

    Returns
    -------
    DataFrame
        Table `checks`: the trend before treatment and Oldham's check, of headache days.
    """
    import pandas as pd

    values = collect_values(windows, comparison)
    both = values.dropna(subset=["earlier", "baseline"])
    paired = values.dropna(subset=["baseline", "post"])
    found = []
    if len(both):
        found.append(("frequency", check_trend(both["earlier"], both["baseline"])))
    if len(paired):
        found.append(("frequency", check_oldham(paired["baseline"], paired["post"])))
    if not found:
        return empty("checks")
    rows = [
        {
            "id": s.id,
            "label": s.label,
            "outcome": name,
            "comparison": comparison.id,
            "estimate": s.estimate,
            "ci_low": s.ci_low,
            "ci_high": s.ci_high,
            "interval": s.interval or None,
            "n": float(s.n),
            "count": s.count,
            "unit": s.unit or None,
            "note": s.note or None,
            "redacted": False,
        }
        for name, s in found
    ]
    return conform("checks", pd.DataFrame(rows))


def read_sources(expected: pd.DataFrame) -> list[Source]:
    """Read the rows of one comparison of the table `expected` back, for `judge`.

    A redacted row has no numbers, so that it is not beyond: withholding never makes a verdict.
    """
    names = [f for f in Source.__slots__ if f != "note"]
    return [
        Source(**{name: row[name] for name in names}) for row in expected[names].to_dict("records")
    ]


def _time_of(comparison: Comparison, clinic: Clinic) -> float | None:
    """Day at which the later window ends; None where that differs from person to person."""
    if comparison.source == "visit":
        day = clinic.windows.visit_recall.target_day
        return float(day) if comparison.post == "post" else None
    window = clinic.windows.named.get(comparison.post)
    if window is None or window.to is None or window.anchor != "start":
        return None
    return float(window.to) + 1
