"""The multiverse of a review: which ways to analyse its comparisons can be defended.

Measures of the same family on the same numbers, policies for empty cells, RevMan's methods, the
correlations that the review assumes and its sensitivity values, rows that were recalled, trials far
from the others, each trial left out, all estimators and intervals of
:mod:`headway.meta.multiverse`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import MEASURES, find_family, list_kin
from headway.errors import UNCOMPUTABLE, log_frames
from headway.messages import Message
from headway.meta.multiverse import Effects, Multiverse, explore_multiverse, find_outliers
from headway.reviews.checks import Gaps
from headway.reviews.effects_table import ASSUMED, build_effects, describe_unit
from headway.reviews.totals import name_model, pool_rows
from headway.reviews.zero_events import COUNTED
from headway.tables import conform, empty
from headway.tables.risk_tools import HIGH

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Network, Review, ZeroEvents

OVERALL = "overall"
MEASURE, CORRELATION, ROWS, ZERO = "measure", "assumed r", "rows", "zero events"
NOT_NEEDED = "not_needed"
# Both policies for empty cells, and what RevMan's methods can do with counts.
POLICIES: tuple[ZeroEvents, ...] = ("not_estimable", "metafor")
PRINTED, RECALLED = "read", "recalled"


class _Builder:
    """Effects of comparisons under other measures and correlations, each built once.

    Reviews declare one comparison under several measures; their ways are the same.
    """

    def __init__(self, review: Review) -> None:
        self._review = review
        self._built: dict[str, pd.DataFrame] = {}

    def build(
        self,
        rows: str,
        frames: tuple[pd.DataFrame, pd.DataFrame],
        comparison: Comparison,
        measure: str,
        r: float,
        zero_events: ZeroEvents,
    ) -> pd.DataFrame:
        """Return the rows of a comparison that are pooled under a measure and correlation."""
        neutral = replace(
            comparison, id="any", label="any", measure=measure, zero_events=zero_events
        )
        key = repr((rows, neutral, r))
        if key not in self._built:
            own = replace(self._review, comparisons=(neutral,))
            effects = build_effects(*frames, own, assumed_r=r, check=False)
            self._built[key] = effects[effects["pooled"]]
        return self._built[key]


def list_ways(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    review: Review,
    comparison: Comparison,
    builder: _Builder | None = None,
) -> Iterator[tuple[str, list[str], list[Effects]]]:
    """Yield, per subgroup that stands alone, its trials and the ways to compute their effects.

    A comparison between arms is one set. Changes within arms are one set per subgroup where they
    are grouped by kind of arm, since treated and untreated people are not one population.
    """
    builder = builder or _Builder(review)
    within = comparison.estimand != "between_arm"
    assumed = review.assumed_r
    sources = {PRINTED: (arms, contrasts)}
    concerned = [frame[frame["outcome"] == comparison.outcome] for frame in (arms, contrasts)]
    if any(frame["status"].eq("recalled").any() for frame in concerned):
        sources[RECALLED] = tuple(
            frame.assign(status=frame["status"].replace("recalled", "computed"))
            for frame in concerned
        )
    tables: dict[tuple[str, str, str, str], pd.DataFrame] = {}
    own_policy = review.zero_events_of(comparison)
    policies = [own_policy, *(policy for policy in POLICIES if policy != own_policy)]
    for measure in list_kin(comparison.measure):
        for rows, frames in sources.items():
            table = builder.build(rows, frames, comparison, measure, assumed.value, own_policy)
            needed = table["r_from"].eq(ASSUMED).any()
            label = f"{assumed.value:g}" if within or needed else NOT_NEEDED
            if find_family(measure) in COUNTED:
                found = [
                    builder.build(rows, frames, comparison, measure, assumed.value, policy)
                    for policy in policies
                ]
                differ = not _is_same(*found)
                for name, one in zip(policies, found if differ else found[:1], strict=False):
                    tables[measure, label, rows, name if differ else NOT_NEEDED] = one
                continue
            tables[measure, label, rows, NOT_NEEDED] = table
            for other in assumed.sensitivity if needed else []:
                tables[measure, f"{other:g}", rows, NOT_NEEDED] = builder.build(
                    rows, frames, comparison, measure, other, own_policy
                )
    alone = comparison.subgroup_by == "arm"
    declared = next(iter(tables.values()))
    groups = list(dict.fromkeys(declared["subgroup"])) if alone else [OVERALL]
    for group in groups:
        ways: list[Effects] = []
        studies: dict[str, None] = {}
        parts: dict[tuple[str, str, str, str], pd.DataFrame] = {}
        for key, table in tables.items():
            own = table[table["subgroup"] == group] if alone else table
            names = _name_rows(own, within)
            parts[key] = own.assign(study=names).drop_duplicates("study").set_index("study")
            studies |= dict.fromkeys(parts[key].index)
        names = list(studies)
        for (measure, r, rows, policy), own in parts.items():
            aligned = own.reindex(names)
            if not aligned["yi"].notna().any():
                continue
            unit = str(own["unit"].iloc[0])
            choices = {MEASURE: measure, CORRELATION: r, ROWS: rows, ZERO: policy}
            # Distances from no effect, which is what a p value is about.
            yi = aligned["yi"].to_numpy() - MEASURES[measure].scale.null_yi
            ways.append(Effects(choices, yi, aligned["vi"].to_numpy(), unit))
        if ways:
            yield group, names, ways


def _is_same(one: pd.DataFrame, two: pd.DataFrame) -> bool:
    """Whether two tables pool the same effects."""
    columns = ["trial", "arms", "yi", "vi"]
    if len(one) != len(two):
        return False
    return bool(np.array_equal(one[columns].to_numpy(), two[columns].to_numpy()))


def _name_rows(own: pd.DataFrame, within: bool) -> pd.Series:
    """Name the rows of a set, each by its trial and what sets it apart within the trial."""
    several = own["trial"].duplicated(keep=False) | within
    names = own["trial"].mask(several, own["trial"] + ": " + own["arms"])
    again = names.duplicated(keep=False) & own["subgroup"].notna()
    return names.mask(again, names + " (" + own["subgroup"].fillna("") + ")")


def find_judged(risk_of_bias: pd.DataFrame, comparison: Comparison | Network) -> dict[str, str]:
    """Find each trial's overall judgement; one about the outcome comes before one about all."""
    own = risk_of_bias[risk_of_bias["domain"] == "overall"]
    own = own[own["outcome"].isna() | own["outcome"].eq(comparison.outcome)]
    own = own.sort_values("outcome", na_position="last").drop_duplicates("trial")
    return dict(zip(own["trial"], own["judgement"], strict=True))


def include_by_risk(
    risk_of_bias: pd.DataFrame, comparison: Comparison, studies: list[str]
) -> dict[str, Any]:
    """List the ways to choose trials by their overall risk of bias, as typed (Handbook 10.14).

    A trial without an overall judgement is not at low risk, and not at high risk either.
    """
    known = find_judged(risk_of_bias, comparison)

    def judge(study: str) -> str | None:
        # A study is a trial, or `trial: arms`; a trial's own name may hold a colon.
        names = [name for name in known if study == name or study.startswith(f"{name}: ")]
        return known[max(names, key=len)] if names else None

    judged = list(map(judge, studies))
    low = np.array([one == "low" for one in judged], dtype=bool)
    high = np.array([one in HIGH for one in judged], dtype=bool)
    out = {}
    if 0 < low.sum() < len(studies):
        out["low_risk"] = low
    if 0 < high.sum() < len(studies):
        out["not_high_risk"] = ~high
    return out


def explore_comparison(
    review: Review,
    studies: list[str],
    ways: list[Effects],
    by_risk: Mapping[str, Any] | None = None,
    comparison: Comparison | None = None,
) -> Multiverse | None:
    """Explore the ways to analyse one set; None where fewer than two studies are pooled."""
    y, v = np.asarray(ways[0].yi), np.asarray(ways[0].vi)
    if np.isfinite(y).sum() < 2:
        return None
    outliers = find_outliers(y, v)
    inclusions = {"without_outliers": ~outliers} if outliers.any() else {}
    inclusions |= by_risk or {}
    declared: tuple[str, str] = (review.model.method, review.model.test)
    level = review.level if comparison is None else review.level_of(comparison)
    if comparison is not None and comparison.method is not None:
        declared = name_model(comparison)
    return explore_multiverse(
        ways,
        inclusions=inclusions,
        studies=studies,
        declared=declared,
        level=level,
    )


def _add_methods(
    frame: pd.DataFrame,
    builder: _Builder,
    frames: tuple[pd.DataFrame, pd.DataFrame],
    review: Review,
    comparison: Comparison,
) -> pd.DataFrame:
    """Put RevMan's ways to pool beside those by inverse variance, the declared one first.

    Counts can also be pooled by Mantel and Haenszel or, as odds ratios, by Peto; a comparison that
    declares a method has it as its declared way.
    """
    import pandas as pd

    frame = frame.assign(weighting="own")
    if comparison.estimand != "between_arm":
        return frame
    used = builder.build(
        PRINTED, frames, comparison, comparison.measure, review.assumed_r.value,
        review.zero_events_of(comparison),
    )  # fmt: skip
    rows: list[dict[str, Any]] = []
    first = dict(frame.iloc[0])
    for method, model in _list_methods(comparison):
        own = used
        measure = comparison.measure
        if method == "Peto" and measure != "PETO":
            measure = "PETO"
            policy = review.zero_events_of(comparison)
            own = builder.build(
                PRINTED, frames, comparison, measure, review.assumed_r.value, policy
            )
        way = replace(comparison, method=method, model=model, measure=measure)
        if len(own) < 2:
            continue
        try:
            total = pool_rows(own, way, review)
        except UNCOMPUTABLE as error:
            log_frames(error, f"multiverse, {comparison.id}, {method}")
            continue
        estimator, test = name_model(way)
        found = {name: getattr(total, name) for name in _TOTAL}
        unit = describe_unit(measure, str(first["unit"]))
        codes = {"weighting": method, "method": estimator, "test": test, "measure": measure}
        rows.append({**first, **codes, **found, "unit": unit, "declared": False})
    if not rows:
        return frame
    declared = comparison.method is not None
    rows[0]["declared"] = declared
    frame["declared"] &= not declared
    made = pd.DataFrame(rows)
    parts = [made.iloc[:1], frame, made.iloc[1:]] if declared else [frame, made]
    return pd.concat(parts, ignore_index=True)


_TOTAL = ("k", "estimate", "se", "ci_low", "ci_high", "p_value", "tau2", "i2")


def _list_methods(comparison: Comparison) -> list[tuple[Any, Any]]:
    """List RevMan's methods and models that suit a comparison, its own first."""
    ways: list[tuple[Any, Any]] = []
    if comparison.method is not None:
        ways.append((comparison.method, comparison.model))
    if comparison.measure in ("RR", "OR", "RD"):
        ways += [("MH", "fixed"), ("MH", "random")]
    if comparison.measure in ("OR", "PETO"):
        ways.append(("Peto", "fixed"))
    return list(dict.fromkeys(ways))


def explore_review(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    review: Review,
    risk_of_bias: pd.DataFrame | None = None,
    *,
    gaps: Gaps | None = None,
) -> pd.DataFrame:
    """Explore the multiverse of every comparison of a review.

    Parameters
    ----------
    arms, contrasts
        Tables of the contract.
    review
        review.yaml with its defaults.
    risk_of_bias
        Judgements; trials at low risk alone are a way to analyse a comparison.
    gaps
        Takes the sets whose ways to analyse cannot be computed.

    Returns
    -------
    DataFrame
        Table `multiverse`; the declared specification of each set comes first.
    """
    import pandas as pd

    parts = []
    builder = _Builder(review)
    for comparison in review.comparisons:
        if np.isnan(MEASURES[comparison.measure].scale.null):
            continue  # ways to analyse are held against no effect
        if comparison.totals != "all" or comparison.dependence:
            continue  # as independent effects, a trial would count several times
        for group, studies, ways in list_ways(arms, contrasts, review, comparison, builder):
            by_risk = (
                None if risk_of_bias is None else include_by_risk(risk_of_bias, comparison, studies)
            )
            try:
                found = explore_comparison(review, studies, ways, by_risk, comparison)
            except UNCOMPUTABLE as error:
                log_frames(error, f"multiverse, {comparison.id}, {group}")
                if gaps is not None:
                    gaps.append((comparison.id, group, Message("fit.no_multiverse")))
                continue
            if found is None:
                continue
            frame = found.to_frame().rename(
                columns={CORRELATION: "assumed_r", "left out": "left_out", "interval": "test"}
            )
            frame = frame.rename(
                columns={"estimator": "method", "rows": "rows_used", ZERO: "zero_events"}
            )
            frame = _add_methods(frame, builder, (arms, contrasts), review, comparison)
            null = frame["measure"].map(lambda measure: MEASURES[measure].scale.null_yi)
            if null.any():
                for name in ("estimate", "ci_low", "ci_high"):
                    frame[name] += null
            frame.insert(0, "comparison", comparison.id)
            frame.insert(1, "subgroup", group)
            frame.insert(2, "specification", np.arange(len(frame)))
            parts.append(frame)
    if not parts:
        return empty("multiverse")
    return conform("multiverse", pd.concat(parts, ignore_index=True))
