"""A review's canonical tables: means, spreads and errors recovered, one sign and one unit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from headway.config.review import Review
from headway.effects import recover
from headway.effects.units import convert
from headway.ingest.trials.files import File
from headway.tables import TABLES, conform, empty

if TYPE_CHECKING:
    import pandas as pd


def make_risk(file: File | None) -> pd.DataFrame:
    """Make the table `risk_of_bias`: judgements as typed and signed."""
    if file is None or not len(file.rows):
        return empty("risk_of_bias")
    out = file.rows.assign(file=file.name)
    return conform("risk_of_bias", out[list(TABLES["risk_of_bias"].columns)])


def _factors(rows: pd.DataFrame, review: Review) -> tuple[pd.Series, pd.Series]:
    """Find the factor and the unit that each row's numbers are carried on in."""
    import pandas as pd

    targets = rows["outcome"].map({k: v.unit for k, v in review.outcomes.items()})
    factors = [convert(u, t) for u, t in zip(rows["unit"], targets, strict=True)]
    known = pd.Series([f is not None for f in factors], index=rows.index, dtype=bool)
    factor = pd.Series([1.0 if f is None else f for f in factors], index=rows.index, dtype=float)
    return factor, targets.where(known, rows["unit"])


def make_arms(file: File | None, review: Review) -> pd.DataFrame:
    """Make the table `arms`: mean and spread recovered, signs and units canonical, baselines."""
    import numpy as np

    if file is None or not len(file.rows):
        return empty("arms")
    rows = file.rows
    mean, mean_from = _recover_mean(rows)
    sd, sd_from = _recover_sd(rows)
    factor, unit = _factors(rows, review)
    outcomes = review.outcomes
    better_is_low = rows["outcome"].map({k: v.lower_is_better for k, v in outcomes.items()})
    sign = np.where(
        rows["kind"] == "change", _change_sign(rows["positive_means"], better_is_low), 1.0
    )
    spread = ("median", "q1", "q3", "range_low", "range_high")
    scaled = {c: rows[c] * factor for c in (*spread, "baseline_mean", "baseline_sd")}
    # A decrease printed as positive turns over: its largest value becomes the smallest.
    low, high = scaled["range_low"] * sign, scaled["range_high"] * sign
    scaled |= {"range_low": np.fmin(low, high), "range_high": np.fmax(low, high)}
    first, third = scaled["q1"] * sign, scaled["q3"] * sign
    scaled |= {"q1": np.fmin(first, third), "q3": np.fmax(first, third)}
    scaled["median"] = scaled["median"] * sign
    steps = [outcomes[o].steps.get(u) for o, u in zip(rows["outcome"], rows["unit"], strict=True)]
    out = rows.assign(
        printed_mean=rows["mean"],
        printed_sd=rows["sd"].fillna(rows["se"]),
        mean_decimals=_count_decimals(rows["mean_text"]),
        sd_decimals=_count_decimals(rows["sd_text"].where(rows["sd_text"] != "", rows["se_text"])),
        step=np.array([np.nan if step is None else step for step in steps], dtype=float),
        mean=mean * factor * sign,
        mean_from=mean_from,
        sd=sd * factor,
        sd_from=sd_from,
        unit_printed=rows["unit"],
        unit=unit,
        file=file.name,
        **scaled,
    )
    out = _join_baselines(out)
    return conform("arms", out[[c for c in TABLES["arms"].columns if c in out.columns]])


def _count_decimals(texts: pd.Series) -> pd.Series:
    """Count the decimals of printed numbers; empty where nothing is printed."""
    return texts.str.partition(".")[2].str.len().where(texts != "").astype("Int64")


def _fill(printed: pd.Series, ways: Iterable[tuple[Any, Any]]) -> tuple[pd.Series, pd.Series]:
    """Fill gaps of a printed number by the first way that gives one, and say which."""
    import numpy as np

    value, origin = printed.copy(), printed.notna().map({True: "printed", False: ""})
    for way, found in ways:
        use = value.isna() & ~np.isnan(found)
        value, origin = value.mask(use, found), origin.mask(use, way)
    return value, origin


def _recover_mean(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Find each row's mean, from the median and its neighbours where it is not printed."""
    n, five = rows["n"], [rows[c] for c in ("range_low", "q1", "median", "q3", "range_high")]
    low, q1, median, q3, high = five
    return _fill(
        rows["mean"],
        [
            (
                "origin.luo_five",
                recover.mean_from_five(low, q1, median, q3, high, n),
            ),
            (
                "origin.luo_quartiles",
                recover.mean_from_quartiles(q1, median, q3, n),
            ),
            ("origin.luo_range", recover.mean_from_range(low, median, high, n)),
        ],
    )


def _recover_sd(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Find each row's standard deviation, from the most exact thing printed."""
    import numpy as np

    n, five = rows["n"], [rows[c] for c in ("range_low", "q1", "median", "q3", "range_high")]
    low, q1, median, q3, high = five
    change = np.where(rows["kind"] == "change", rows["mean"], np.nan)
    p = rows["p"].map(_exact_p).astype(float)
    return _fill(
        rows["sd"],
        [
            (
                "origin.standard_error",
                recover.sd_from_se(rows["se"], n),
            ),
            (
                "origin.confidence_interval",
                recover.sd_from_ci(rows["ci_low"], rows["ci_high"], n),
            ),
            (
                "origin.paired_t",
                recover.sd_change_from_t(change, rows["t"], n),
            ),
            (
                "origin.paired_p",
                recover.sd_change_from_p(change, p, n),
            ),
            (
                "origin.shi_five",
                recover.sd_from_five(low, q1, median, q3, high, n),
            ),
            ("origin.wan_quartiles", recover.sd_from_iqr(q1, q3, n)),
            ("origin.wan_range", recover.sd_from_range(low, high, n)),
        ],
    )


def _exact_p(text: str) -> float:
    """Read a printed p value; NaN where it is only a bound, which implies no standard error."""
    if not text:
        return math.nan
    p, relation = recover.p_bounds(text)
    return p if relation == "=" else math.nan


def _change_sign(positive: pd.Series, lower_is_better: pd.Series) -> pd.Series:
    """Find what turns a printed change into post - pre; NaN where the source does not say."""
    # A positive number that means "worse" is post - pre where low values are good.
    sign = positive.map({"worse": 1.0, "better": -1.0})
    return sign.where(lower_is_better.astype(bool), -sign)


def _join_baselines(rows: pd.DataFrame) -> pd.DataFrame:
    """Put baseline rows beside the later rows of the same trial, arm, outcome and unit."""
    key = ["trial", "arm", "outcome", "unit", "instrument"]
    base = rows[(rows["kind"] == "baseline") & ~rows.duplicated([*key, "kind"])].set_index(key)
    at = rows.set_index(key).index
    later = (rows["kind"] != "baseline") & rows["baseline_mean"].isna()
    for column, origin in (("baseline_n", "n"), ("baseline_mean", "mean"), ("baseline_sd", "sd")):
        found = base[origin].reindex(at).to_numpy()
        rows[column] = rows[column].mask(later, found) if len(base) else rows[column]
    return rows


def make_contrasts(file: File | None, review: Review) -> pd.DataFrame:
    """Make the table `contrasts`: treatment - control, in the outcome's unit, with its error."""
    import numpy as np

    if file is None or not len(file.rows):
        return empty("contrasts")
    printed = file.rows
    rows = _take_logs(printed)
    factor, unit = _factors(rows, review)
    sign = rows["positive_means"].map(
        {"treatment_minus_control": 1.0, "control_minus_treatment": -1.0}
    )
    low, high = rows["ci_low"] * sign * factor, rows["ci_high"] * sign * factor
    # A ratio's interval is normal on the log scale, however few people there are.
    people = rows["n_total"].mask(rows["unit"] == "ratio")
    small = people < recover.SMALL_SAMPLE
    effect, p = rows["effect"], rows["p"].map(_exact_p).astype(float)
    ways = [
        (
            np.where(small, "origin.interval_t", "origin.interval_normal"),
            recover.se_of_difference(rows["ci_low"], rows["ci_high"], people),
        ),
        ("origin.t", recover.se_from_t(effect, rows["t"])),
        ("origin.f", recover.se_from_f(effect, rows["f"])),
        (
            np.where(rows["n_total"].isna(), "origin.p_normal", "origin.p_t"),
            recover.se_from_p(effect, p, rows["n_total"]),
        ),
    ]
    se, se_from = _fill(rows["se"], ways)
    out = rows.assign(
        printed_effect=printed["effect"],
        printed_ci_low=printed["ci_low"],
        printed_ci_high=printed["ci_high"],
        **{
            f"{name}_decimals": _count_decimals(rows[f"{name}_text"])
            for name in ("effect", "ci_low", "ci_high")
        },
        effect=rows["effect"] * sign * factor,
        ci_low=np.minimum(low, high),
        ci_high=np.maximum(low, high),
        se=se * factor,
        se_from=se_from,
        unit_printed=rows["unit"],
        unit=unit,
        file=file.name,
    )
    return conform("contrasts", out[[c for c in TABLES["contrasts"].columns if c in out.columns]])


def _take_logs(rows: pd.DataFrame) -> pd.DataFrame:
    """Take printed ratios to the log scale, once; a standard error beside one is of its log."""
    import numpy as np

    ratio = rows["unit"] == "ratio"
    if not ratio.any():
        return rows
    names = ("effect", "ci_low", "ci_high")
    return rows.assign(
        **{name: rows[name].mask(ratio, np.log(rows[name].where(ratio, 1.0))) for name in names}
    )


def make_published(file: File | None) -> pd.DataFrame:
    """Make the table `published`: pooled results as printed."""
    if file is None or not len(file.rows):
        return empty("published")
    texts = file.rows[["effect_text", "ci_low_text", "ci_high_text"]]
    decimals = texts.apply(lambda c: c.str.partition(".")[2].str.len()).max(axis=1)
    out = file.rows.assign(decimals=decimals, file=file.name)
    return conform("published", out[[c for c in TABLES["published"].columns if c in out.columns]])
