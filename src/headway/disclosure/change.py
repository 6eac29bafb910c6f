"""How the tables of change are printed: cohort, flow, individual, lost, means, histograms."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from headway.disclosure import precision
from headway.disclosure.counts import IN_THE_FILE, LOST
from headway.disclosure.presets import Preset, explain
from headway.disclosure.suppress import Ledger, Names
from headway.messages import strip_numbers, withhold
from headway.outcomes.change.attrition import newcombe_interval
from headway.outcomes.change.change import wilson
from headway.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

NAN = float("nan")
_SIDES = ("analysed", "lost")
_NUMBERS = ["estimate", "ci_low", "ci_high", "count"]


def release_cohort(frame: pd.DataFrame, names: Names, ledger: Ledger) -> pd.DataFrame:
    """Hide statistics on few people; compute shares again; print estimates no finer than safe."""
    preset = ledger.preset
    hidden, of = (ledger.find_hidden(names["cohort", c]) for c in ("n", "of"))
    part = ledger.find_hidden(names["cohort", "count"])
    exact = frame["n"].copy()
    n = exact.map(preset.round)
    count = frame["count"].map(preset.round).clip(upper=n)
    share = (frame["unit"].eq("percent") & count.notna()).to_numpy(dtype=bool)
    again = share & ~hidden & ~part
    low, high = wilson(count[again], n[again])
    frame.loc[again, "estimate"] = 100 * count[again] / n[again]
    frame.loc[again, "ci_low"], frame.loc[again, "ci_high"] = 100 * low, 100 * high
    columns = ("estimate", "ci_low", "ci_high")
    precision.widen(frame, ~share, columns, exact, preset)
    decimals = precision.find_decimals(frame["unit"], frame["estimate"])
    precision.coarsen(frame, ~share, columns, decimals)
    frame["n"], frame["of"], frame["count"] = n, frame["of"].map(preset.round), count
    _rewrite_notes(frame, frame["note"].notna(), withhold)
    frame.loc[hidden | part, _NUMBERS] = NAN
    frame.loc[hidden, "n"] = NAN
    frame.loc[of, "of"] = NAN
    _redact(frame, hidden | part, preset)
    return frame


def _rewrite_notes(frame: pd.DataFrame, rows: pd.Series, rewrite: Callable[[str], str]) -> None:
    if rows.any():
        frame.loc[rows, "note"] = frame.loc[rows, "note"].map(rewrite)


def _redact(frame: pd.DataFrame, hidden: np.ndarray, preset: Preset) -> None:
    frame["redacted"] = hidden
    frame.loc[hidden, "note"] = explain(preset)


def release_flow(frame: pd.DataFrame, names: Names, ledger: Ledger) -> pd.DataFrame:
    """Hide and round counts of rows and people; a total is the sum of its printed parts.

    Where none is printed but zeros, the total is hidden too: the file was not empty.
    """
    preset = ledger.preset
    hidden, of = (ledger.find_hidden(names["flow", c]) for c in ("n", "of"))
    frame["n"] = frame["n"].map(preset.round).mask(hidden)
    frame["of"] = frame["of"].map(preset.round).mask(of)
    for item, part in frame[frame["account"] == "rows"].groupby("item", sort=False):
        total = part.index[part["step"] == IN_THE_FILE]
        parts = part.loc[~part["step"].isin([IN_THE_FILE, LOST]), "n"]
        value = float(parts.sum())
        if not value and parts.isna().any():
            value = NAN
        hidden |= frame.index.isin(total) & np.isnan(value)
        frame.loc[total, "n"] = value
        frame.loc[frame["item"].eq(item) & frame["account"].eq("rows"), "of"] = value
    # Remarks on files count rows, cells and resources as they are.
    files = frame["account"].ne("people") & frame["note"].notna()
    _rewrite_notes(frame, files, strip_numbers)
    _redact(frame, hidden, preset)
    return frame


def release_window_means(frame: pd.DataFrame, names: Names, ledger: Ledger) -> pd.DataFrame:
    """Hide means of few people, and quartiles whose quarters hold few."""
    preset = ledger.preset
    hidden = ledger.find_hidden(names["window_means", "n"])
    columns = ("mean", "ci_low", "ci_high")
    precision.widen(frame, ~hidden, columns, frame["n"], preset)
    precision.coarsen(frame, ~hidden, (*columns, "p25", "p75"), np.ones(len(frame), int))
    precision.hide_values_of_single_people(frame, frame["n"], columns, preset)
    frame.loc[hidden, [*columns, "p25", "p75", "n"]] = NAN
    frame["n"] = frame["n"].map(preset.round)
    frame["redacted"] = hidden
    return frame


def release_cells(table: str, frame: pd.DataFrame, names: Names, ledger: Ledger) -> pd.DataFrame:
    """Hide and round the cells of a cross-table, or the bins of a histogram (tails collapsed)."""
    for column in [c for t, c in names if t == table]:
        hidden = ledger.find_hidden(names[table, column])
        frame[column] = frame[column].map(ledger.preset.round).mask(hidden)
    frame["redacted"] = ledger.find_hidden(names[table, "n"])
    return frame


def collapse(frame: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """Add up the bins of both tails of every histogram.

    A tail's bins are added up from the end until they hold more people than the threshold, since
    the last bins would print the smallest and the largest change. The collapsed bin is open
    (`bin_low` -inf, `bin_high` inf).
    """
    import pandas as pd

    parts = [frame.iloc[:0]]
    for _, part in frame.groupby(["outcome", "comparison"], sort=False):
        parts.append(_collapse_tails(part.reset_index(drop=True), preset))
    return pd.concat(parts, ignore_index=True)


def _collapse_tails(part: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """Add up the bins of each tail until the tail is large enough; empty if it never is."""
    n = part["n"].to_numpy()
    left = np.flatnonzero(np.cumsum(n) > preset.redact_up_to)
    right = np.flatnonzero(np.cumsum(n[::-1]) > preset.redact_up_to)
    if not len(left):
        return part.iloc[:0].copy()
    first, last = int(left[0]), len(n) - 1 - int(right[0])
    if first >= last:  # the two tails meet: one bin would say no more than n does
        return part.iloc[:0].copy()
    out = part.iloc[first : last + 1].copy().reset_index(drop=True)
    out.loc[0, ["bin_low", "n"]] = [-np.inf, n[: first + 1].sum()]
    out.loc[len(out) - 1, ["bin_high", "n"]] = [np.inf, n[last:].sum()]
    return out


def release_lost(frame: pd.DataFrame, names: Names, ledger: Ledger) -> pd.DataFrame:
    """Hide a characteristic where a number of either side is; shares again from rounded counts."""
    preset = ledger.preset
    hidden = np.zeros(len(frame), bool)
    for column in ("n", "of", "count"):
        for side in _SIDES:
            hidden |= ledger.find_hidden(names["lost", f"{column}_{side}"])
    share = frame["measure"].eq("percent").to_numpy(dtype=bool)
    mean = ~share & ~hidden
    rules = {c: s.disclosure for c, s in TABLES["lost"].columns.items() if s.kind == "float"}
    fewer = frame[[f"n_{side}" for side in _SIDES]].min(axis=1)
    precision.widen(frame, mean, ("difference", "ci_low", "ci_high"), fewer, preset)
    for side in _SIDES:
        for column in ("n", "of", "count"):
            frame[f"{column}_{side}"] = frame[f"{column}_{side}"].map(preset.round)
        frame[f"count_{side}"] = frame[f"count_{side}"].clip(upper=frame[f"n_{side}"])
    again = share & ~hidden
    for column, values in follow_from_shares(frame).items():
        frame.loc[again, column] = values[again]
    if preset.round_to > 1:
        frame.loc[again, "standardised_difference"] = NAN
    for column, rule in rules.items():
        if rule.decimals is not None:
            frame.loc[mean, column] = frame.loc[mean, column].round(rule.decimals)
    frame.loc[hidden, [c for c, r in rules.items() if r.kind == "count" or r.n]] = NAN
    frame["redacted"] = hidden
    return frame


def follow_from_shares(frame: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Compute what follows from the counts of `lost`: shares, their difference, its limits."""
    side = {s: [frame[f"{c}_{s}"].to_numpy(float) for c in ("count", "n")] for s in _SIDES}
    with np.errstate(divide="ignore", invalid="ignore"):
        p = {s: count / n for s, (count, n) in side.items()}
        spread = np.sqrt(sum(v * (1 - v) for v in p.values()) / 2)
        standardised = (p["lost"] - p["analysed"]) / spread
    low, high = newcombe_interval(*side["lost"], *side["analysed"])
    return {
        "value_analysed": 100 * p["analysed"],
        "value_lost": 100 * p["lost"],
        "difference": 100 * p["lost"] - 100 * p["analysed"],
        "ci_low": 100 * low,
        "ci_high": 100 * high,
        "standardised_difference": standardised,
    }
