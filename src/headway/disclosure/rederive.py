"""What follows from numbers is computed or judged again from the printed ones.

Limits of a funnel or a control chart, a share without relapse, a difference from a published arm,
a year of days: each would tell, to twelve digits, what was rounded or hidden. A verdict that was
reached from the numbers before rounding could contradict those that are printed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from headway.disclosure.presets import Preset, explain
from headway.disclosure.survival import CURVES, fit_counts, round_curve
from headway.outcomes import claims
from headway.outcomes.care import control_charts, durability, funnel
from headway.outcomes.care.cost_per_day import WINDOWS_PER_YEAR
from headway.outcomes.change.change import LEVEL
from headway.outcomes.change.windows import DAYS_PER_WINDOW
from headway.outcomes.expectation import benchmark

if TYPE_CHECKING:
    import pandas as pd

    Tables = dict[str, pd.DataFrame]

NAN = float("nan")


def follow(out: Tables, true: Mapping[str, pd.DataFrame], preset: Preset) -> None:
    """Replace, in the released tables, whatever follows from other numbers.

    Parameters
    ----------
    out
        Tables after the rules of `headway.disclosure.door.RULES`; changed in place.
    true
        The same tables before them.
    preset
        The rules in force.
    """
    for name, function in _FOLLOW.items():
        if name in out and len(out[name]):
            function(out[name], true, preset)
    if "claims" in out and "relapse" in out:
        _repeat_relapse(out["claims"], out["relapse"], true["relapse"], preset)


def _follow_expected(frame: pd.DataFrame, true: Mapping[str, pd.DataFrame], preset: Preset) -> None:
    """Call a change beyond what was expected where the printed limit lies on its side of 0.

    The range is that of the printed rows that decide: its end could be the one that is hidden.
    """
    cleared = (frame["diff_ci_high"] < 0).where(frame["side"] != "less", frame["diff_ci_low"] > 0)
    frame["beyond"] = cleared & ~frame["redacted"]
    shown = ~frame["redacted"]
    deciding = frame.loc[shown & frame["decides"], "expected"]
    frame.loc[shown, "range_low"] = deciding.min()
    frame.loc[shown, "range_high"] = deciding.max()


def _follow_cost(frame: pd.DataFrame, true: Mapping[str, pd.DataFrame], preset: Preset) -> None:
    """Days a year are those of the printed difference."""
    columns = ["estimate", "ci_low", "ci_high"]
    key = ["currency", "basis"]
    base = {
        tuple(str(r[k]) for k in key): [r[c] for c in columns]
        for r in frame[frame["statistic"] == "difference"].to_dict("records")
    }
    for i in frame.index[(frame["statistic"] == "days_a_year") & ~frame["redacted"]]:
        found = base.get(tuple(str(frame.at[i, k]) for k in key))
        if found is not None:
            mean, low, high = (-WINDOWS_PER_YEAR * v for v in found)
            frame.loc[i, columns] = [mean, high, low]


def _follow_benchmark(
    frame: pd.DataFrame, true: Mapping[str, pd.DataFrame], preset: Preset
) -> None:
    """Differences from published arms are those of the printed change and its printed interval.

    Each exact difference would give the exact change away, and so would many rounded ones. The
    clinic's standard error and its degrees of freedom would give the number of people away.
    """
    columns = ["difference", "difference_low", "difference_high"]
    clinic = frame[frame["block"] == "clinic"]
    frame.loc[clinic.index, ["se", "df"]] = NAN
    if not len(clinic) or clinic["redacted"].iloc[0] or np.isnan(clinic["change"].iloc[0]):
        frame[columns] = NAN
        return
    ours = clinic.iloc[0]
    df = max(float(ours["n"]) - 1, 1.0)
    half = (float(ours["ci_high"]) - float(ours["ci_low"])) / 2
    se = half / float(stdtrit(df, 0.5 + LEVEL / 2))
    for i, r in frame[frame["block"] != "clinic"].iterrows():
        if np.isnan(true["benchmark"].at[i, "difference"]):
            continue
        found = benchmark.welch_difference(
            float(ours["change"]), se, df, float(r["change"]), float(r["se"]), float(r["df"])
        )
        shown = [
            NAN if np.isnan(true["benchmark"].at[i, c]) else round(v, 1) + 0.0
            for c, v in zip(columns, found, strict=True)
        ]
        frame.loc[i, columns] = shown


def _follow_relapse(frame: pd.DataFrame, true: Mapping[str, pd.DataFrame], preset: Preset) -> None:
    """Numbers of the curve follow from its rounded counts; so do the counts beside n.

    A count that is printed in fives here and in blocks there would be known better: 7 is hidden
    as 1 to 7 and stands in the block of 7 to 12.
    """
    had = true["relapse"]["free_at_horizon"].notna() & ~frame["redacted"]
    frame["gaps"] = frame["gaps"].mask(frame["redacted"])
    curves = true.get("relapse_curve")
    if curves is None:
        return
    shape = CURVES["relapse_curve"]
    for i in frame.index[~frame["redacted"]]:
        own = (curves["rule"] == frame.at[i, "rule"]) & (curves["group"] == frame.at[i, "group"])
        part = curves[own].sort_values("days")
        if not len(part):
            continue
        risk, events, *_ = round_curve(part[shape.at_risk], part[shape.events], preset.block)
        enough = risk > preset.block
        last = int(np.argmin(enough)) if not enough.all() else len(risk)
        frame.at[i, "events"] = events[:last].sum()
        days = part["days"].to_numpy(dtype=float)
        horizon = float(frame.at[i, "horizon_days"])
        if not had[i] or np.searchsorted(days, horizon) >= last:
            continue
        fit = fit_counts(days / DAYS_PER_WINDOW, risk, events)
        for column, value in durability.summarise_curve(fit, horizon).items():
            frame.at[i, column] = np.round(value)


def _repeat_relapse(
    frame: pd.DataFrame, relapse: pd.DataFrame, true: pd.DataFrame, preset: Preset
) -> None:
    """Print the mean time without relapse among the claims as it is printed in its own table."""
    picked = durability.pick_time_to_relapse(true)
    own = frame.index[(frame["part"] == "time_to_relapse") & frame["estimate"].notna()]
    if picked is None or not len(own):
        return
    same = (relapse["rule"] == picked["rule"]) & (relapse["group"] == picked["group"])
    printed = relapse[same].iloc[0]
    frame.loc[own, ["estimate", "ci_low", "ci_high"]] = [
        printed[c] for c in ("rmst_days", "rmst_low", "rmst_high")
    ]
    if np.isnan(printed["rmst_days"]):
        frame.loc[own, "redacted"] = True
        frame.loc[own, "note"] = explain(preset)


def _follow_control_chart(
    frame: pd.DataFrame, true: Mapping[str, pd.DataFrame], preset: Preset
) -> None:
    """Centre, limits, ranges and signals are those of the printed months.

    The limits of a share follow from n; the centre and a moving range from hidden months too.
    """
    for (_, kind), part in frame.groupby(["chart", "kind"], sort=False):
        own = part[~part["redacted"] & part["n"].gt(0)]
        if not len(own):
            continue
        if kind == "p":
            chart = control_charts.chart_shares(own["count"], own["n"], own["phase"])
            factor = 100.0
            frame.loc[own.index, "value"] = np.round(factor * chart.value)
        else:
            chart = control_charts.chart_individuals(own["value"], own["phase"])
            factor = 1.0
        for column, values in (
            ("centre", chart.centre),
            ("low", chart.low),
            ("high", chart.high),
            ("moving_range", chart.moving_range),
            ("range_high", chart.range_high),
        ):
            frame.loc[own.index, column] = np.round(factor * values, 1)
        frame.loc[own.index, "signals"] = chart.list_signals()


def _follow_funnel(frame: pd.DataFrame, true: Mapping[str, pd.DataFrame], preset: Preset) -> None:
    """Therapists that are printed are held against one another, by what is printed of them.

    Standard errors follow from n and one spread within therapists; the target of one from the
    others, hidden ones included.
    """
    exact = true["funnel"]
    spread = float((exact["se"] * np.sqrt(exact["n"])).iloc[0])
    own = frame[~frame["redacted"] & frame["n"].gt(0)].copy()
    variables = own["adjusted_for"].dropna()
    used = len(str(variables.iloc[0]).split("; ")) if len(variables) else 0
    df = float(own["n"].sum()) - len(own) - used
    if len(own) < 3 or df < 1:
        frame[["observed", "expected", "difference"]] = NAN
        frame["redacted"] = True
        frame["note"] = explain(preset)
        return
    own["difference"] = (own["observed"] - own["expected"]).round(1)
    se = spread / np.sqrt(own["n"].to_numpy(dtype=float))
    found = funnel.judge_units(own["difference"], se, df)
    at = own.index
    frame.loc[at, "difference"] = own["difference"]
    for column, values in (
        ("se", se),
        ("target", found.target),
        ("tau2", found.tau2),
        ("z", found.z),
        ("low_95", found.target - found.inner),
        ("high_95", found.target + found.inner),
        ("low_998", found.target - found.outer),
        ("high_998", found.target + found.outer),
    ):
        frame.loc[at, column] = np.round(values, 1)
    outside = (frame["difference"] < frame["low_998"]) | (frame["difference"] > frame["high_998"])
    frame["flag"] = outside.to_numpy(dtype=bool)


def _follow_dose(frame: pd.DataFrame, true: Mapping[str, pd.DataFrame], preset: Preset) -> None:
    """Leave out the least and the largest dose: they are those of single people."""
    if "level" in frame:
        thirds = frame["statistic"] == "mean_change_of_third"
        for _, part in frame[thirds].groupby("dose", sort=False):
            frame.loc[part.index[0], "dose_low"] = NAN
            frame.loc[part.index[-1], "dose_high"] = NAN


def _follow_claims(frame: pd.DataFrame, true: Mapping[str, pd.DataFrame], preset: Preset) -> None:
    """Reach each verdict again from the printed interval."""
    for i, r in frame[~frame["redacted"]].iterrows():
        if r["verdict"] == "not recorded":
            continue
        verdict, reason = claims.judge_again(
            str(r["rule"]), bool(r["causal"]), r["estimate"], r["ci_low"], r["ci_high"]
        )
        if verdict != r["verdict"] or reason is not None:
            frame.at[i, "verdict"] = verdict
            frame.at[i, "reason"] = reason or r["reason"]


_FOLLOW: dict[str, Callable[[pd.DataFrame, Mapping[str, pd.DataFrame], Preset], None]] = {
    "expected": _follow_expected,
    "cost": _follow_cost,
    "benchmark": _follow_benchmark,
    "relapse": _follow_relapse,
    "control_chart": _follow_control_chart,
    "funnel": _follow_funnel,
    "dose": _follow_dose,
    "claims": _follow_claims,
}
