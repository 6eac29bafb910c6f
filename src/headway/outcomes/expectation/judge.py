"""Whether a clinic's change goes further than any course that is plausible without treatment.

Headache days per 28 of one person: `e` in the earlier window, `b` in the last one before, `y`
after; m = (e + b) / 2. Among people with the same e and b it no longer matters how they came, so
that E(y | e, b) is the population's. Its mean mu cannot be told from an effect by the clinic's own
records: a course is therefore assumed at each bound, and the change has to clear every one.

`further`: the upper limit of (change - expected) lies below 0 for each of

`both_windows_mu`
    mu + B (m - mu), B = 2 r / (1 + r) (Gardner & Heady 1973); mu from 3 to 8 days and r from .5 to
    .75 with the clinic's own level, as the published untreated people are.
`both_windows_noise`
    m - k q, q the person's squared residual of y on (e, b). By Tweedie's formula (Efron 2011) a
    value falls by its noise variance times the slope of the log frequency of the population there.
    k grows where the earlier window has a lower edge as well: people were taken in because both
    windows were bad, and the narrower they lie, the steeper the population falls off.
`earlier`
    e, where the last window has a lower edge that the earlier one lacks: among people chosen by b
    alone e is the course run backwards. Less by what the correlation loses with time.
`arm`
    every published untreated arm of a like level and time.

`less`: the lower limit lies above 0 for each of

`both_windows`
    m; where people were plainly taken in by the last window alone, only a third of the way from e
    to m, since untreated people then fall back to e.
`both_windows_high`
    towards the mean of a population with more headache days than the clinic's people, still higher
    where entry had an upper limit; not where people were taken in by the last window alone.

The printed range is the lowest and highest expected change of all these rows, and the change must
lie outside.

docs/expected.md has the rates of false and of missed verdicts. Negative is improvement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from headway.messages import Message, say, speaking, term

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

_NAN = float("nan")
FURTHER, LESS = "further", "less"
_SENTENCES = {
    "further": "verdict.further",
    "cannot_tell": "verdict.cannot_tell",
    "less": "verdict.less",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The bounds of the rule; days per 28. Fixed before any clinic was looked at.

    Attributes
    ----------
    entry_last, entry_both, entry_upper
        How people came, where it was declared: least days in the last window, in both windows, and
        most days. NaN: read from the edges of the records.
    means, retest
        Population means and correlation that were declared; otherwise tied to the clinic's level.
    """

    entry_last: float = _NAN
    entry_both: float = _NAN
    entry_upper: float = _NAN
    means: tuple[float, ...] = ()
    retest: float = _NAN
    min_people: int = 20
    min_share: float = 0.5
    level_low: float = 10.0
    level_high: float = 16.0
    mean_low: float = 3.0
    mean_high: float = 8.0
    retest_low: float = 0.5
    retest_high: float = 0.75
    noise_low: float = 0.06
    noise_high: float = 0.085
    noise_both: float = 0.14
    noise_most: float = 0.4
    noise_spread: float = 0.5
    both_from: float = 7.0
    both_to: float = 11.0
    last_from: float = 10.0
    last_gap: float = 4.0
    decay: float = 0.09
    decay_mean: float = 6.0
    less_mean: float = 14.0
    less_above: float = 0.75
    less_retest: float = 0.5
    upper_edge: float = 15.0
    upper_edge_mean: float = 18.0
    upper_tail: float = 23.0
    upper_tail_mean: float = 17.0
    alone_from: float = 6.0
    alone_gap: float = 3.0
    alone_width: float = 2.0
    alone_over: float = 3.0
    alone_share: float = 0.08
    alone_pull: float = 0.35
    baseline_within: float = 5.0
    time_within: float = 28.0
    time_share: float = 0.25
    level: float = 0.95


DEFAULT = Rule()


@dataclass(frozen=True, slots=True)
class Row:
    """One expected course that decides.

    Attributes
    ----------
    source
        Identifier (see the module); `label` names it.
    side
        `further` or `less`: the verdict that needs it.
    expected, difference, low, high
        Expected change, change - expected and its 95 % limits; days.
    mean, retest
        What was assumed; NaN where nothing is.
    clears
        Whether the limits lie on the side that the verdict needs.
    """

    source: str
    label: Message
    side: str
    expected: float
    difference: float
    low: float
    high: float
    mean: float = _NAN
    retest: float = _NAN

    @property
    def clears(self) -> bool:
        """Whether the whole interval lies below 0 (`further`) or above it (`less`)."""
        return bool(self.high < 0 if self.side == FURTHER else self.low > 0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said of a change.

    Attributes
    ----------
    kind
        `further`, `cannot_tell`, `less`, `not_recorded` (too few with both windows before) or
        `no_data` (fewer than three people with a value before and after).
    change, ci_low, ci_high, n
        Mean change with its 95 % t interval and the people it stands on: those with both windows
        before and the one after; where the verdict is `not_recorded`, those with one before.
    analysed, both
        People with a value in the last window before and after, and those of them with the earlier.
    low, high
        Lowest and highest expected change of the rows that decide; NaN where none do.
    deciding
        The rows.
    tipping_mean, tipping_r
        Mean of the population that people come from, and correlation of two windows, other things
        as assumed, at which the tied course is just cleared: `further` holds for no lower one
        (`less`, or a rise: the highest mean). NaN where none from 0 to 28, or 0 to 1, does it; 0
        where all do.
    allowed
        Natural recovery that the range allows for, days, 0 or more.
    published_fall
        Largest fall among the deciding arms, 0 or more; NaN without arms.
    message
        The sentence as a message.
    """

    kind: str
    change: float
    n: int
    low: float
    high: float
    deciding: tuple[Row, ...]
    tipping_mean: float
    tipping_r: float
    message: Message
    ci_low: float = _NAN
    ci_high: float = _NAN
    analysed: int = 0
    both: int = 0
    allowed: float = _NAN
    published_fall: float = _NAN

    @property
    def sentence(self) -> str:
        """The message in English."""
        with speaking("en"):
            return say(self.message)


def judge_change(
    earlier: ArrayLike,
    before: ArrayLike,
    after: ArrayLike,
    condition: str = "headache",
    arms: pd.DataFrame | Iterable[Mapping[str, Any]] | None = None,
    time_days: float = 69.5,
    settings: Rule | Mapping[str, Any] | None = None,
) -> Verdict:
    """Judge a clinic's change in headache days against its course without treatment.

    Parameters
    ----------
    earlier, before, after
        Headache days per 28 of the same people in the same order, shape (n,); NaN is not known.
    condition
        Condition of the people; arms that name another one (column `condition`) are not used.
        `headache` takes all.
    arms
        Published untreated arms: label, change, se, n, baseline, time_days. Those whose baseline
        lies within 5 days and whose time lies within 28 days or a quarter decide.
    time_days
        Middle of the window after, days from the first session.
    settings
        A `Rule`, or a mapping with its fields and `entry` ({last, both, upper}).

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        If the three differ in length, or a setting is unknown.
    """
    rule = read_rule(settings)
    e, b, y = (np.asarray(v, float) for v in (earlier, before, after))
    if not e.shape == b.shape == y.shape or e.ndim != 1:
        raise ValueError("earlier, before and after must hold the same people, one value each")
    paired = ~np.isnan(b) & ~np.isnan(y)
    both = paired & ~np.isnan(e)
    analysed, n = int(paired.sum()), int(both.sum())
    if analysed < 3:
        change = float((y - b)[paired].mean()) if analysed else _NAN
        return _close(
            "no_data", change, analysed, (), _NAN, _NAN, analysed=analysed, both=n, rule=rule
        )
    if n < max(rule.min_people, rule.min_share * analysed):
        return _without_earlier(b[paired], y[paired], n, rule)
    e, b, y = e[both], b[both], y[both]
    near = select_like(arms, b.mean(), time_days, condition, rule)
    rows = (
        *expect_further(e, b, y, rule),
        *expect_arms(b, y, near, rule),
        *expect_less(e, b, y, rule),
    )
    change, low, high = mean_t(y - b, rule.level)
    kind = decide(change, rows)
    tipping = _tip(e, b, y, rule, upward=side_of(kind, change) == LESS)
    return _close(
        kind, change, n, rows, *tipping, ci=(low, high), analysed=analysed, both=n, rule=rule
    )


def read_rule(settings: Rule | Mapping[str, Any] | None) -> Rule:
    """Make a rule of what was declared.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    if settings is None:
        return DEFAULT
    if isinstance(settings, Rule):
        return settings
    given = {str(k): v for k, v in settings.items() if k != "entry"}
    for side, days in (settings.get("entry") or {}).items():
        given[f"entry_{side}"] = float(days)
    unknown = sorted(set(given) - {f.name for f in fields(Rule)})
    if unknown:
        raise ValueError(f"no such setting of the rule: {', '.join(unknown)}")
    if "means" in given:
        given["means"] = tuple(float(m) for m in given["means"])
    return replace(DEFAULT, **given)


def list_settings(rule: Rule) -> dict[str, Any]:
    """List every bound of the rule for provenance, by name; None where nothing is declared."""
    return {k: None if v != v else v for k, v in asdict(rule).items()}


def decide(change: float, rows: Sequence[Row]) -> str:
    """Say which verdict the rows allow: `further`, `less` or `cannot_tell`."""
    expected = [r.expected for r in rows]
    if change < min(expected) and all(r.clears for r in rows if r.side == FURTHER):
        return FURTHER
    if change > max(expected) and all(r.clears for r in rows if r.side == LESS):
        return LESS
    return "cannot_tell"


def side_of(kind: str, change: float) -> str:
    """Say which verdict the change is nearer to: that of its kind, else of its sign."""
    return LESS if kind == LESS or (kind == "cannot_tell" and change > 0) else FURTHER


def expect_further(e: Array, b: Array, y: Array, rule: Rule = DEFAULT) -> list[Row]:
    """Work out the courses that a fall has to clear; shapes (n,), nothing missing."""
    m, change = (e + b) / 2, float((y - b).mean())
    rows = []
    means, r = _tie(float(m.mean()), rule)
    slope = 2 * r / (1 + r)
    for mu in means:
        label = Message("source.both_windows_mu_at", mu=round(mu, 1))
        rows.append(
            _row("both_windows_mu", label, FURTHER, change, y - mu - slope * (m - mu), rule, mu, r)
        )
    course = m - measure_steepness(e, b, rule) * square_residuals(e, b, y)
    label = Message("source.both_windows_noise")
    rows.append(_row("both_windows_noise", label, FURTHER, change, y - course, rule))
    if chosen_by_last(e, b, rule):
        course = e - rule.decay * np.maximum(b - rule.decay_mean, 0)
        rows.append(_row("earlier", Message("source.earlier"), FURTHER, change, y - course, rule))
    return rows


def expect_less(e: Array, b: Array, y: Array, rule: Rule = DEFAULT) -> list[Row]:
    """Work out the courses that a rise has to clear; shapes (n,), nothing missing."""
    m, change = (e + b) / 2, float((y - b).mean())
    if chosen_by_last_alone(e, b, rule):
        near = e + rule.alone_pull * (m - e)
        label = Message("source.near_the_earlier_window")
        return [_row("both_windows", label, LESS, change, y - near, rule)]
    mu, r = _upper_mean(e, b, rule), rule.less_retest
    slope = 2 * r / (1 + r)
    label = Message("source.both_windows_high_at", mu=round(mu, 1))
    drawn = y - mu - slope * (m - mu)
    return [
        _row("both_windows", Message("source.both_windows"), LESS, change, y - m, rule),
        _row("both_windows_high", label, LESS, change, drawn, rule, mu, r),
    ]


def _upper_mean(e: Array, b: Array, rule: Rule) -> float:
    """Give the mean of a population with many headache days, by the upper end of the last window.

    Where few people have many days, entry may have had an upper limit, and people may come from a
    population with more days than theirs.
    """
    top = float(np.quantile(b, 0.95))
    if not np.isnan(rule.entry_upper) or top <= rule.upper_edge:
        return rule.upper_edge_mean
    own = max(rule.less_mean, float((e + b).mean()) / 2 + rule.less_above)
    return max(own, rule.upper_tail_mean) if top <= rule.upper_tail else own


def expect_arms(
    b: Array, y: Array, arms: Sequence[Mapping[str, Any]], rule: Rule = DEFAULT
) -> list[Row]:
    """Hold the change against each published arm (Welch interval from both standard errors)."""
    d = y - b
    n, change, own = len(d), float(d.mean()), float(d.var(ddof=1) / len(d))
    rows = []
    for arm in arms:
        expected, se = float(arm["change"]), float(arm["se"])
        total, df = own + se**2, max(float(arm["n"]) - 1, 1.0)
        welch = total**2 / (own**2 / (n - 1) + se**4 / df)
        half = float(stdtrit(welch, 0.5 + rule.level / 2) * total**0.5)
        gap = change - expected
        label = Message("source.published", arm=arm["label"])
        rows.append(Row("arm", label, FURTHER, expected, gap, gap - half, gap + half))
    return rows


def select_like(
    arms: pd.DataFrame | Iterable[Mapping[str, Any]] | None,
    level: float,
    time_days: float,
    condition: str = "headache",
    rule: Rule = DEFAULT,
) -> list[Mapping[str, Any]]:
    """Take the arms of a like level and time that have a change with its error."""
    if arms is None:
        return []
    listed = arms.to_dict("records") if hasattr(arms, "to_dict") else list(arms)
    reach = max(rule.time_within, rule.time_share * time_days)

    def like(arm: Mapping[str, Any]) -> bool:
        named = str(arm.get("condition") or condition)
        try:
            change, se, _, start, time = (
                float(arm[name]) for name in ("change", "se", "n", "baseline", "time_days")
            )
        except (TypeError, ValueError):  # pd.NA or None: not printed
            return False
        return bool(
            abs(start - level) <= rule.baseline_within
            and abs(time - time_days) <= reach
            and se > 0
            and np.isfinite(change)
            and ("headache" in (condition, named) or named == condition)
        )

    return [arm for arm in listed if like(arm)]


def chosen_by_last(e: Array, b: Array, rule: Rule = DEFAULT) -> bool:
    """Whether people were taken in by the last window alone, declared or seen by its lower edge."""
    if not np.isnan(rule.entry_last):
        return True
    if not np.isnan(rule.entry_both):
        return False
    first, last = np.quantile(e, 0.1), np.quantile(b, 0.1)
    return bool(last >= rule.last_from and last - first >= rule.last_gap)


def chosen_by_last_alone(e: Array, b: Array, rule: Rule = DEFAULT) -> bool:
    """Whether it is plain that people were taken in by the last window and by nothing else.

    The last window has a sharp lower edge that the earlier one lacks, no upper edge, and enough
    people whose earlier window was the worse one by days: nobody had to get worse to be taken in.
    """
    first, last = np.quantile(e, (0.1, 0.9)), np.quantile(b, (0.02, 0.1, 0.9, 0.95))
    edge = not np.isnan(rule.entry_last) or (
        last[1] >= rule.alone_from
        and last[1] - first[0] >= rule.alone_gap
        and last[1] - last[0] <= rule.alone_width
    )
    return bool(
        edge
        and np.isnan(rule.entry_both)
        and np.isnan(rule.entry_upper)
        and last[3] > rule.upper_edge
        and last[2] >= first[1] - 1
        and (e > b + rule.alone_over).mean() >= rule.alone_share
    )


def measure_steepness(e: Array, b: Array, rule: Rule = DEFAULT) -> float:
    """Days by which the mean of both falls for a unit of residual variance.

    The residual variance is about 1.4 times the noise variance of both, twice that of their mean;
    k = .085 is a population whose frequency falls to a third in 4.3 days.
    """
    m = (e + b) / 2
    w = _ramp(float(m.mean()), rule.level_low, rule.level_high)
    k = rule.noise_low + w * (rule.noise_high - rule.noise_low)
    edge = float(np.quantile(e, 0.1))
    if not np.isnan(rule.entry_both):
        edge = max(edge, rule.entry_both)
    narrow = rule.noise_spread / max(float(m.std()), 1e-9)
    most = max(rule.noise_both, min(rule.noise_most, narrow))
    return k + (most - k) * _ramp(edge, rule.both_from, rule.both_to)


def square_residuals(e: Array, b: Array, y: Array) -> Array:
    """Square the residuals of y on (e, b), times n / (n - 3): their mean is the variance left."""
    n = len(y)
    x = np.column_stack([np.ones(n), e, b])
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return np.asarray(rest**2 * n / (n - 3), float)


def _tie(level: float, rule: Rule) -> tuple[tuple[float, ...], float]:
    """Give population means and correlation: declared, or tied to the clinic's level."""
    w = _ramp(level, rule.level_low, rule.level_high)
    tied = rule.mean_low + w * (rule.mean_high - rule.mean_low)
    r = rule.retest_low + w * (rule.retest_high - rule.retest_low)
    return rule.means or (tied,), r if np.isnan(rule.retest) else rule.retest


def _ramp(x: float, low: float, high: float) -> float:
    return float(np.clip((x - low) / (high - low), 0.0, 1.0))


def mean_t(values: Array, level: float) -> tuple[float, float, float]:
    """Mean and t limits."""
    n, mean = len(values), float(values.mean())
    half = float(stdtrit(n - 1, 0.5 + level / 2) * values.std(ddof=1) / n**0.5)
    return mean, mean - half, mean + half


def _row(
    source: str,
    label: Message,
    side: str,
    change: float,
    gap: Array,
    rule: Rule,
    mean: float = _NAN,
    retest: float = _NAN,
) -> Row:
    difference, low, high = mean_t(gap, rule.level)
    return Row(source, label, side, change - difference, difference, low, high, mean, retest)


def _tip(e: Array, b: Array, y: Array, rule: Rule, *, upward: bool) -> tuple[float, float]:
    """Mean and correlation at which the course drawn towards a mean is just cleared."""
    m = (e + b) / 2
    if upward:
        mu, r = _upper_mean(e, b, rule), rule.less_retest
    else:
        means, r = _tie(float(m.mean()), rule)
        mu = min(means)
    r_grid = np.linspace(0.0, 0.999, 1000)
    return _tip_mean(m, y, 2 * r / (1 + r), rule.level, upward), _tip_slope(
        m, y, mu, r_grid, 2 * r_grid / (1 + r_grid), rule.level, upward
    )


def _tip_mean(x: Array, y: Array, slope: float, level: float, upward: bool) -> float:
    """Mean mu at which a limit of y - mu - slope (x - mu) is 0."""
    if slope >= 1:
        return _NAN
    _, low, high = mean_t(y - slope * x, level)
    mu = (low if upward else high) / (1 - slope)
    if upward:
        return min(mu, 28.0) if mu >= 0 else _NAN
    return max(mu, 0.0) if mu <= 28 else _NAN


def _tip_slope(
    x: Array, y: Array, mu: float, grid: Array, slopes: Array, level: float, upward: bool
) -> float:
    """Least correlation of the grid from which on the course is cleared; NaN where none does."""
    n = len(y)
    mean = y.mean() - mu - slopes * (x.mean() - mu)
    cov = np.cov(x, y)
    spread = np.maximum(cov[1, 1] - 2 * slopes * cov[0, 1] + slopes**2 * cov[0, 0], 0.0)
    half = stdtrit(n - 1, 0.5 + level / 2) * np.sqrt(spread / n)
    clear = mean - half > 0 if upward else mean + half < 0
    return float(grid[np.argmax(clear)]) if clear.any() else _NAN


def _without_earlier(b: Array, y: Array, both: int, rule: Rule) -> Verdict:
    """Describe the change where the earlier window is not known for enough people."""
    change, low, high = mean_t(y - b, rule.level)
    (mu, *_), r = _tie(float(b.mean()), rule)
    upward = change > 0
    if upward:
        mu, r = rule.less_mean, rule.less_retest
    grid = np.linspace(0.0, 0.999, 1000)
    tipping = (
        _tip_mean(b, y, r, rule.level, upward),
        _tip_slope(b, y, mu, grid, grid, rule.level, upward),
    )
    n = len(y)
    return _close(
        "not_recorded", change, n, (), *tipping, ci=(low, high), analysed=n, both=both, rule=rule
    )


def _close(
    kind: str,
    change: float,
    n: int,
    rows: tuple[Row, ...],
    tipping_mean: float,
    tipping_r: float,
    *,
    rule: Rule,
    analysed: int,
    both: int,
    ci: tuple[float, float] = (_NAN, _NAN),
) -> Verdict:
    expected = [r.expected for r in rows]
    low, high = (min(expected), max(expected)) if expected else (_NAN, _NAN)
    falls = [-r.expected for r in rows if r.source == "arm"]
    made = Verdict(
        kind,
        change,
        n,
        low,
        high,
        rows,
        tipping_mean,
        tipping_r,
        Message("verdict.no_data"),
        *ci,
        analysed,
        both,
        max(0.0, -low) if expected else _NAN,
        max(0.0, *falls) if falls else _NAN,
    )
    return replace(made, message=write_sentence(made, rule))


def write_sentence(v: Verdict, rule: Rule = DEFAULT) -> Message:
    """Put a verdict into a message: the numbers that decide, and what no window can show."""
    if v.kind == "no_data":
        return Message("verdict.no_data")
    if v.kind == "not_recorded":
        low, high = v.ci_low, v.ci_high
        moved = "rise" if low > 0 else "fall" if high < 0 else "none"
        return Message(
            "verdict.not_recorded",
            change=v.change,
            ci_low=low,
            ci_high=high,
            n=v.n,
            moved=term("moved", moved),
            least=rule.min_people,
            tipping=_say_tipping(v, upward=v.change > 0),
        )
    side = side_of(v.kind, v.change)
    rows = [r for r in v.deciding if r.side == side]
    if v.kind == "cannot_tell":
        rows = [r for r in rows if not r.clears] or rows
    return Message(
        _SENTENCES[v.kind],
        change=v.change,
        low=v.low,
        high=v.high,
        n=v.n,
        rows=[
            Message("verdict.row", source=r.label, difference=r.difference, low=r.low, high=r.high)
            for r in rows
        ],
        tipping=_say_tipping(v, upward=side == LESS),
    )


def _say_tipping(v: Verdict, *, upward: bool) -> Message | str:
    if np.isnan(v.tipping_mean):
        return Message("tipping.never_upward" if upward else "tipping.never_downward")
    if v.tipping_mean in (0.0, 28.0):
        return Message("tipping.always_upward" if upward else "tipping.always_downward")
    at = "tipping.at_upward" if upward else "tipping.at_downward"
    return Message(at, mean=v.tipping_mean)
