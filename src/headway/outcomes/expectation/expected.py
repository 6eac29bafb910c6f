"""The table `expected`: a clinic's change beside every course that could be expected untreated.

`judge` decides; its rows carry `decides` and the side (`further` or `less`) whose verdict needs
them. The others are shown: the earlier window alone, regression to the mean of one window
(`mee_chua`, `cutoff`), and published untreated arms of another time or outside the list. All
changes are after - last window before; negative is improvement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headway.messages import Message, join
from headway.outcomes.change.change import LEVEL
from headway.outcomes.change.windows import Comparison, find_middle
from headway.outcomes.expectation import judge
from headway.outcomes.expectation.regression import mee_chua, regression_to_mean_cutoff
from headway.outcomes.expectation.untreated import RETEST, select_arms
from headway.tables import conform, empty

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from headway.config.clinic import Clinic

    Array = NDArray[np.float64]

MIN_PEOPLE = judge.DEFAULT.min_people
# Means of the population at which regression to the mean of one window is shown.
SHOWN_MEANS = (4.0, 6.0, 8.0, 10.0)
_NAN = float("nan")


def read_settings(clinic: Clinic) -> judge.Rule:
    """Take the rule with what clinic.yaml declares: means, correlation, and how people came."""
    declared, entry = clinic.expected, clinic.entry
    return judge.read_rule(
        {
            "means": declared.population_means,
            "retest": _NAN if declared.retest is None else float(declared.retest),
            "entry": {
                side: days
                for side in ("last", "both", "upper")
                if entry is not None and (days := getattr(entry, side)) is not None
            },
        }
    )


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
        Table `expected`; empty with fewer than three people who have headache days before and
        after.
    """
    import pandas as pd

    values = collect_values(windows, comparison)
    e, b, y = (values[name].to_numpy(float) for name in ("earlier", "baseline", "post"))
    rule, time_days = read_settings(clinic), find_middle(clinic, comparison)
    chosen = None
    if arms is not None and not np.isnan(time_days):
        own = [clinic.doi or "", *clinic.expected.leave_out]
        chosen = select_arms(arms, time_days=time_days, leave_out=own, retest=_retest(clinic))
    listed = None if chosen is None else chosen[chosen["decides"]]
    found = judge.judge_change(e, b, y, arms=listed, time_days=time_days, settings=rule)
    if found.kind == "no_data":
        return empty("expected")
    rows = [_deciding_row(row, found) for row in found.deciding]
    rows += _list_shown(e, b, y, found, clinic, rule)
    if chosen is not None:
        told = {str(row["label"]) for row in rows}
        rows += [r for r in _list_arms(b, y, chosen, rule) if str(r["label"]) not in told]
    same = {
        "outcome": "frequency",
        "comparison": comparison.id,
        "range_low": found.low,
        "range_high": found.high,
        "tipping_mean": found.tipping_mean,
        "tipping_r": found.tipping_r,
        "published_fall": found.published_fall,
        "redacted": False,
    }
    return conform("expected", pd.DataFrame([row | same for row in rows]))


def _row(
    source: str,
    label: str,
    change: float,
    difference: tuple[float, float, float],
    interval: str,
    n: float,
    **more: Any,
) -> dict[str, Any]:
    middle, low, high = difference
    return {
        "source": source,
        "label": label,
        "mu": _NAN,
        "change": change,
        "expected": change - middle,
        "ci_low": _NAN,
        "ci_high": _NAN,
        "difference": middle,
        "diff_ci_low": low,
        "diff_ci_high": high,
        "interval": interval,
        "n": float(n),
        "beyond": bool(high < 0),
        "decides": False,
        "side": None,
        "note": None,
    } | more


def _deciding_row(row: judge.Row, found: judge.Verdict) -> dict[str, Any]:
    method = "interval.welch_both" if row.source == "arm" else "interval.paired_t"
    return _row(
        row.source,
        row.label,
        found.change,
        (row.difference, row.low, row.high),
        Message(method),
        found.n,
        mu=row.mean,
        beyond=row.clears,
        decides=True,
        side=row.side,
        note=Message("basis.same_people"),
    )


def _list_shown(
    e: Array, b: Array, y: Array, found: judge.Verdict, clinic: Clinic, rule: judge.Rule
) -> Iterator[dict[str, Any]]:
    """Work out the rows that are shown and never decide."""
    paired = ~np.isnan(b) & ~np.isnan(y)
    both = paired & ~np.isnan(e)
    only = Message("basis.shown_only")
    if both.sum() >= 3 and "earlier" not in {row.source for row in found.deciding}:
        moved, gap = float((y - b)[both].mean()), judge.mean_t((y - e)[both], LEVEL)
        note = Message("basis.too_low_if_worse")
        method = Message("interval.paired_t")
        yield _row("earlier", Message("source.earlier"), moved, gap, method, both.sum(), note=note)
    x, y = b[paired], y[paired]
    change, low, high = judge.mean_t(y - x, LEVEL)
    label, method = Message("source.change"), Message("interval.paired_t")
    yield _row("change", label, change, (change, low, high), method, len(y), note=only)
    means = clinic.expected.population_means or SHOWN_MEANS
    scan = mee_chua(x, y, means)
    for i, mu in enumerate(scan.mu.tolist()):
        yield _row(
            "mee_chua",
            Message("source.mee_chua_at", mu=mu),
            change,
            (float(scan.effect[i]), float(scan.ci_low[i]), float(scan.ci_high[i])),
            Message("interval.regression_t"),
            scan.n,
            mu=mu,
            note=join([only, Message("basis.covers_level")]),
        )
    cutoff = clinic.expected.cutoff
    if cutoff is None:
        return
    for mu in means:
        drop = float(
            regression_to_mean_cutoff(mu, cutoff.population_sd, _retest(clinic), cutoff.days)
        )
        yield _row(
            "cutoff",
            Message("source.cutoff_at", days=cutoff.days, mu=mu),
            change,
            (change + drop, low + drop, high + drop),
            Message("interval.t_expected_known"),
            len(y),
            mu=mu,
            note=only,
        )


def _list_arms(b: Array, y: Array, arms: pd.DataFrame, rule: judge.Rule) -> list[dict[str, Any]]:
    """Hold the change of everybody against each arm of a like level; shown."""
    paired = ~np.isnan(b) & ~np.isnan(y)
    b, y = b[paired], y[paired]
    near = arms[(arms["baseline"] - b.mean()).abs() <= rule.baseline_within]
    rows: Sequence[judge.Row] = judge.expect_arms(b, y, near.to_dict("records"), rule)
    change, method = float((y - b).mean()), Message("interval.welch_both")
    return [
        _row(
            "arm",
            row.label,
            change,
            (row.difference, row.low, row.high),
            method,
            len(y),
            note=join([Message("basis.shown_only"), Message("basis.people", people=people)]),
        )
        for row, people in zip(rows, near["n"], strict=True)
    ]


def _retest(clinic: Clinic) -> float:
    return RETEST if clinic.expected.retest is None else float(clinic.expected.retest)


def collect_values(
    windows: pd.DataFrame, comparison: Comparison, outcome: str = "frequency"
) -> pd.DataFrame:
    """Line up each person's value of an outcome in `earlier`, before and after, once, by id.

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
        & (windows["outcome"] == outcome)
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
