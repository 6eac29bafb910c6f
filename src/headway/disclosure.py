"""Small-number rules: the only door through which a clinic's numbers reach `results/`.

Presets follow published rules: `opensafely` (counts of 7 or fewer redacted, then the rest rounded
to 5), `cms` (counts of 1 to 10 redacted), `nhs` (1 to 7 redacted, the rest rounded to 5).
`internal` and `public` let everything through; pages under `internal` are stamped.

Rules that hold in every preset but those two:

- a statistic on a redacted number of people is redacted with it;
- a share is redacted when its count or the count of the others is small, and is computed again,
  with its interval, from rounded counts;
- 0 is printed where the number of people it is out of is printed;
- totals are the sums of rounded parts;
- where exactly one group of a family or one bin of a histogram is redacted, the smallest other one
  goes too, so that subtraction does not bring it back;
- quartiles need more people per quarter than the threshold; no minimum, maximum or single
  person's line is released.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from headway.outcomes.change import wilson
from headway.outcomes.lost import newcombe_interval
from headway.tables import conform

if TYPE_CHECKING:
    import pandas as pd

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Preset:
    """A set of small-number rules."""

    name: str
    redact_up_to: int
    round_to: int
    source: str

    @property
    def open(self) -> bool:
        """Whether everything may pass."""
        return self.redact_up_to == 0

    @property
    def text(self) -> str:
        """The rule in words, for the page."""
        if self.name == "internal":
            return "internal: small numbers are not hidden; not for release"
        if self.name == "public":
            return "public: the records are already published; nothing is hidden"
        rounding = f"; other counts rounded to {self.round_to}" if self.round_to > 1 else ""
        return f"{self.name}: counts from 1 to {self.redact_up_to} hidden{rounding}"

    def hides(self, n: float) -> bool:
        """Whether a count is small enough to be hidden. 0 is not."""
        return bool(0 < n <= self.redact_up_to)

    def round(self, n: float) -> float:
        """Round a count that is not hidden."""
        if np.isnan(n) or self.round_to == 1:
            return n
        return float(np.floor(n / self.round_to + 0.5) * self.round_to)


PRESETS: dict[str, Preset] = {
    "opensafely": Preset("opensafely", 7, 5, "OpenSAFELY, statistical disclosure control"),
    "cms": Preset("cms", 10, 1, "CMS cell size suppression policy (ResDAC)"),
    "nhs": Preset("nhs", 7, 5, "NHS Digital, Hospital Episode Statistics, since September 2018"),
    "internal": Preset("internal", 0, 1, "off"),
    "public": Preset("public", 0, 1, "off"),
}

# Statistics that count days or shares of days over everyone who started, not people.
_LADDER = ("responders_30", "responders_50", "responders_75")
# Statistics whose counts add up to n: where one is hidden, another goes with it.
_PARTITIONS: tuple[tuple[str, ...], ...] = (
    ("reliable_improved", "reliable_unchanged", "reliable_deteriorated"),
    (
        "pgic_very_much_improved",
        "pgic_much_improved",
        "pgic_minimally_improved",
        "pgic_no_change",
        "pgic_worse",
    ),
)
# The first is part of the second: the people in between must not be few either.
_NESTED = (
    *pairwise(reversed(_LADDER)),
    ("reliable_recovered", "reliable_improved"),
    ("pgic_very_much_improved", "pgic_at_least_much_improved"),
)
_NUMBERS = ["estimate", "ci_low", "ci_high", "count"]


def release(tables: Mapping[str, pd.DataFrame], preset: Preset) -> dict[str, pd.DataFrame]:
    """Apply a preset to all of a clinic's tables at once.

    Parameters
    ----------
    tables
        `cohort`, `flow`, `window_means`, `change_histogram`, `change_lines` as the outcomes room
        makes them.

    Returns
    -------
    dict of DataFrame
        The same tables, fit to be written to `results/`. Any other table is an error: a table
        without a rule does not pass.
    """
    unknown = sorted(set(tables) - set(RULES))
    if unknown:
        raise KeyError(f"no disclosure rule for the table(s): {', '.join(unknown)}")
    out = {}
    for name, frame in tables.items():
        released = frame.copy() if preset.open else RULES[name](frame.copy(), preset)
        out[name] = conform(name, released)
    return out


def release_cohort(frame: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """Redact statistics on few people; compute shares again from rounded counts."""
    hidden = frame["n"].map(preset.hides) | frame["of"].map(preset.hides)
    hidden |= _second_group(frame, hidden, preset)
    share = frame["unit"].eq("percent") & frame["count"].notna()
    rest = frame["n"] - frame["count"]
    small_part = share & (frame["count"].map(preset.hides) | rest.map(preset.hides))
    # One person fewer in a step of a ladder (>= 30, 50, 75 %) must not show by subtraction.
    small_part |= share & _small_steps(frame, preset)
    small_part |= share & _second_part(frame, small_part)
    n = frame["n"].map(preset.round)
    count = frame["count"].map(preset.round).clip(upper=n)
    recount = share & ~hidden & ~small_part & frame["count"].notna()
    low, high = wilson(count[recount], n[recount])
    frame.loc[recount, "estimate"] = 100 * count[recount] / n[recount]
    frame.loc[recount, "ci_low"], frame.loc[recount, "ci_high"] = 100 * low, 100 * high
    frame["n"], frame["of"], frame["count"] = n, frame["of"].map(preset.round), count
    frame.loc[hidden | small_part, _NUMBERS] = NAN
    frame.loc[hidden, "n"] = NAN
    frame.loc[hidden & frame["of"].between(0, preset.redact_up_to + preset.round_to), "of"] = NAN
    frame["redacted"] = hidden | small_part
    frame.loc[frame["redacted"], "note"] = f"hidden: rests on {_few(preset)} people"
    return frame


def _small_steps(frame: pd.DataFrame, preset: Preset) -> pd.Series:
    """Mark counts that are part of another count and differ from it by a small number of people.

    Rounding to 5 blurs such a difference; counts that are not rounded need it.
    """
    marked = frame["count"].isna() & False
    if preset.round_to > 1:
        return marked
    keys = ["outcome", "comparison", "group"]
    for _, part in frame[frame["count"].notna()].groupby(keys, sort=False):
        count = part.drop_duplicates("statistic").set_index("statistic")["count"]
        for inner, outer in _NESTED:
            if inner in count and outer in count and preset.hides(count[outer] - count[inner]):
                marked |= frame.index.isin(part.index[part["statistic"] == inner])
    return marked


def _second_part(frame: pd.DataFrame, small: pd.Series) -> pd.Series:
    """Mark the smallest other count where exactly one of counts that add up to n is hidden."""
    marked = small & False
    keys = ["outcome", "comparison", "group"]
    for _, part in frame[frame["count"].notna()].groupby(keys, sort=False):
        grades = part["statistic"].str.extract(r"^(.*_grade)_\d+_(before|after)$")
        sets = [part[part["statistic"].isin(p)] for p in _PARTITIONS]
        sets += [part.loc[rows.index] for _, rows in grades.dropna().groupby([0, 1])]
        for members in sets:
            gone = small[members.index]
            left = members.loc[~gone & (members["count"] > 0), "count"]
            if gone.sum() == 1 and len(left):
                marked[left.idxmin()] = True
    return marked


def _second_group(frame: pd.DataFrame, hidden: pd.Series, preset: Preset) -> pd.Series:
    """Mark the smallest other group where exactly one group of a family is hidden."""
    marked = hidden & False
    grouped = frame[frame["group"] != "all"]
    family = grouped["group"].str.split(": ").str[0]
    for _, part in grouped.groupby([grouped["outcome"], grouped["comparison"], family]):
        n = part.groupby("group")["n"].max()
        gone = {g for g in n.index if hidden[part.index[part["group"] == g]].any()}
        left = n.drop(list(gone))
        left = left[left > 0]
        if len(gone) == 1 and len(left):
            marked |= frame.index.isin(part.index[part["group"] == left.idxmin()])
    return marked


def release_flow(frame: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """Redact and round counts of rows and people; a total is the sum of its rounded parts."""
    hidden = frame["n"].map(preset.hides)
    frame["n"] = frame["n"].map(preset.round).mask(hidden)
    frame["of"] = frame["of"].mask(frame["of"].map(preset.hides)).map(preset.round)
    for item, part in frame[frame["account"] == "rows"].groupby("item", sort=False):
        total = part.index[part["step"] == "in the file"]
        parts = part.drop(total)
        value = float(parts["n"].fillna(0).sum())
        frame.loc[total, "n"] = value
        frame.loc[frame["item"].eq(item) & frame["account"].eq("rows"), "of"] = value
    people = frame[frame["account"] == "people"]
    for _, part in people.groupby("item", sort=False):
        done = part.index[part["step"].str.startswith("analysed")]
        lost = part.index[part["step"] == "not analysed"]
        # Started - analysed = not analysed: where one of the two is hidden, so is the other.
        if hidden[done].any() or hidden[lost].any():
            both = done.union(lost)
            hidden.loc[both] = True
            frame.loc[both, "n"] = NAN
    frame["redacted"] = hidden
    frame.loc[hidden, "note"] = f"hidden: {_few(preset)}"
    return frame


def release_window_means(frame: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """Redact means of few people, and quartiles whose quarters hold few."""
    hidden = frame["n"].map(preset.hides)
    quarters = frame["n"] <= 4 * preset.redact_up_to
    frame.loc[hidden, ["mean", "ci_low", "ci_high", "n"]] = NAN
    frame.loc[hidden | quarters, ["p25", "p75"]] = NAN
    frame["n"] = frame["n"].map(preset.round)
    frame["redacted"] = hidden
    return frame


def release_histogram(frame: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """Redact and round the counts of bins; collapse both tails.

    A tail's bins are added up from the end until they hold more people than the threshold, since
    the last bins would print the smallest and the largest change. The collapsed bin is open
    (`bin_low` -inf, `bin_high` inf).
    """
    import pandas as pd

    parts = [frame.iloc[:0]]
    for _, part in frame.groupby(["outcome", "comparison"], sort=False):
        part = _collapse_tails(part.reset_index(drop=True), preset)
        hidden = part["n"].map(preset.hides)
        left = part.loc[~hidden & (part["n"] > 0), "n"]
        if hidden.sum() == 1 and len(left):
            hidden[left.idxmin()] = True
        part["n"] = part["n"].map(preset.round).mask(hidden)
        part["redacted"] = hidden
        parts.append(part)
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


def release_individual(frame: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """Redact and round the cells of the cross-table.

    Its margins stand in `cohort`; where counts are not rounded, one small cell would follow from
    them, so then the whole table goes.
    """
    hidden = frame["n"].map(preset.hides) | frame["of"].map(preset.hides)
    if preset.round_to == 1 and hidden.any():
        hidden |= True
    frame["n"] = frame["n"].map(preset.round).mask(hidden)
    frame["of"] = frame["of"].mask(frame["of"].map(preset.hides)).map(preset.round)
    frame["redacted"] = hidden
    return frame


def release_lost(frame: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """Redact a characteristic where either side is small; shares again from rounded counts."""
    sides = ("analysed", "lost")
    hidden = frame["n_lost"].isna() & False
    for side in sides:
        for column in (f"n_{side}", f"of_{side}", f"count_{side}"):
            hidden |= frame[column].map(preset.hides)
        hidden |= (frame[f"n_{side}"] - frame[f"count_{side}"]).map(preset.hides)
    share = frame["measure"].eq("percent")
    # Levels of one characteristic add up: a single hidden one would follow from the others.
    for _, part in frame[share].groupby("characteristic", sort=False):
        gone = hidden[part.index]
        left = part.loc[~gone, "n_lost"]
        if gone.sum() == 1 and len(left):
            counts = part.loc[left.index, ["count_lost", "count_analysed"]].min(axis=1)
            hidden[counts.idxmin()] = True
    numbers = [c for c in frame.columns if frame[c].dtype == "float64"]
    for side in sides:
        for column in ("n", "of", "count"):
            frame[f"{column}_{side}"] = frame[f"{column}_{side}"].map(preset.round)
        again = share & ~hidden
        frame.loc[again, f"value_{side}"] = (
            100 * frame.loc[again, f"count_{side}"] / frame.loc[again, f"n_{side}"]
        )
    again = share & ~hidden
    if preset.round_to > 1 and again.any():
        low, high = newcombe_interval(
            *(frame.loc[again, c] for c in ("count_lost", "n_lost", "count_analysed", "n_analysed"))
        )
        frame.loc[again, "difference"] = frame["value_lost"] - frame["value_analysed"]
        frame.loc[again, "ci_low"], frame.loc[again, "ci_high"] = 100 * low, 100 * high
        frame.loc[again, "standardised_difference"] = NAN
    frame.loc[hidden, numbers] = NAN
    frame["redacted"] = hidden
    return frame


def release_lines(frame: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """Release no single person's line (the open presets do not come here)."""
    return frame.iloc[:0]


def _few(preset: Preset) -> str:
    return f"1 to {preset.redact_up_to}"


RULES = {
    "cohort": release_cohort,
    "flow": release_flow,
    "individual": release_individual,
    "lost": release_lost,
    "window_means": release_window_means,
    "change_histogram": release_histogram,
    "change_lines": release_lines,
}
