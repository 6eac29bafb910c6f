"""A review's sensitivity to single trials and its small-study checks, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import MEASURES
from headway.errors import UNCOMPUTABLE, log_frames
from headway.messages import Message, join, term
from headway.meta.influence import cumulate, leave_one_out
from headway.meta.small_study import CONSTANT, rank_test, regression_test
from headway.meta.trim_fill import trim_and_fill
from headway.reviews.candidates import name_trials
from headway.reviews.totals import name_model, refit
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Review

ENOUGH = 10  # trials below which funnels and their tests are not shown (Handbook 13.3.5.4)
_NUMBERS = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high", "p_value", "tau2", "i2")


# Comparison, subgroup, and what could not be computed of the set.
Gaps = list[tuple[str, str, str]]


def list_sets(effects: pd.DataFrame, review: Review) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield comparison, subgroup and rows of every set of trials that is pooled as one."""
    for comparison in review.comparisons:
        own = effects[(effects["comparison"] == comparison.id) & effects["pooled"]]
        if comparison.totals == "none":
            continue
        if comparison.subgroup_by == "arm" or (
            comparison.totals == "subgroups" and own["subgroup"].notna().any()
        ):
            for subgroup, part in own.groupby("subgroup", sort=False):
                yield comparison.id, str(subgroup), part
        elif len(own):
            yield comparison.id, "overall", own


def refit_review(
    effects: pd.DataFrame, review: Review, *, gaps: Gaps | None = None
) -> pd.DataFrame:
    """Pool each set without each of its trials, and trial by trial in order of their years.

    Sets of which that cannot be computed are added to `gaps`.

    Returns
    -------
    DataFrame
        Table `refits`; sets of fewer than three trials have no row.
    """
    import pandas as pd

    parts = []
    for comparison, subgroup, own in list_sets(effects, review):
        if len(own) < 3:
            continue
        declared = review.comparison(comparison)
        if declared.dependence:
            continue
        null = MEASURES[own["measure"].iloc[0]].scale.null_yi
        ordered = own.sort_values("year", kind="stable", na_position="last")
        for analysis, rows in (("leave one out", own), ("cumulative", ordered)):
            try:
                found = _refit(rows, declared, review, analysis, null)
            except UNCOMPUTABLE as error:
                log_frames(error, f"{analysis}, {comparison}, {subgroup}")
                if gaps is not None:
                    code = analysis.replace(" ", "_")
                    why = Message("fit.no_refits", analysis=term("refit", code))
                    gaps.append((comparison, subgroup, why))
                continue
            if np.isnan(null):
                found["p_value"] = np.full(len(rows), np.nan)
            elif null:
                found |= {name: found[name] + null for name in _NUMBERS[:5]}
            parts.append(
                pd.DataFrame(
                    {
                        "comparison": comparison,
                        "subgroup": subgroup,
                        "analysis": analysis,
                        "position": np.arange(1, len(rows) + 1),
                        "trial": name_trials(rows).to_numpy(),
                        "k": len(rows) - 1
                        if analysis == "leave one out"
                        else np.arange(1, len(rows) + 1),
                        **found,
                    }
                )
            )
    return conform("refits", pd.concat(parts, ignore_index=True)) if parts else empty("refits")


def _refit(
    rows: pd.DataFrame, comparison: Comparison, review: Review, analysis: str, null: float
) -> dict[str, Any]:
    """Pool rows without each, or one by one, by the comparison's own method."""
    if comparison.method is not None:
        fits = refit(rows, comparison, review, analysis)
        return {name: np.array([getattr(fit, name) for fit in fits]) for name in _NUMBERS}
    model, level = review.model, review.level_of(comparison)
    y, v = rows["yi"].to_numpy() - (0.0 if np.isnan(null) else null), rows["vi"].to_numpy()
    run = leave_one_out if analysis == "leave one out" else cumulate
    fit = run(y, v, method=model.method, test=model.test, level=level)
    return {name: np.asarray(getattr(fit, name)) for name in _NUMBERS}


def check_small_studies(effects: pd.DataFrame, review: Review) -> pd.DataFrame:
    """Test funnel asymmetry where at least ten trials are pooled (Handbook 13.3.5.4).

    Returns
    -------
    DataFrame
        Table `small_studies`; with fewer trials one row says that nothing was tested.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for comparison, subgroup, own in list_sets(effects, review):
        head = {"comparison": comparison, "subgroup": subgroup, "k": len(own)}
        if review.comparison(comparison).dependence:
            head["k"] = own["trial"].nunique()
            rows.append({**head, "check": "none", "note": Message("small_study.dependent")})
            continue
        if len(own) < ENOUGH:
            rows.append(
                {
                    **head,
                    "check": "none",
                    "note": Message("small_study.too_few", least=ENOUGH),
                }
            )
            continue
        for check, run in _CHECKS.items():
            found: dict[str, Any] = {"note": Message("small_study.one_size")}
            if not _is_one_size(own):
                found = {"note": Message("small_study.not_computable")}
                try:
                    found = run(own, review.comparison(comparison), review)
                except UNCOMPUTABLE as error:
                    log_frames(error, f"{check}, {comparison}, {subgroup}")
            rows.append({**head, "check": check, **found})
    return conform("small_studies", pd.DataFrame(rows)) if rows else empty("small_studies")


def _is_one_size(own: pd.DataFrame) -> bool:
    """Whether all standard errors are one, up to rounding."""
    se = np.sqrt(own["vi"].to_numpy())
    return bool(np.ptp(se) <= CONSTANT * se.max())


def _run_egger(own: pd.DataFrame, comparison: Comparison, review: Review) -> dict[str, Any]:
    level = review.level_of(comparison)
    egger = regression_test(own["yi"], own["vi"], model="lm", level=level)
    tied = MEASURES[own["measure"].iloc[0]].scale.code in ("standardised", "ratio")
    return {
        "statistic": egger.statistic,
        "p_value": egger.p_value,
        "estimate": egger.limit,
        "ci_low": egger.ci_low,
        "ci_high": egger.ci_high,
        "note": join(
            [
                Message("small_study.egger"),
                Message("small_study.error_goes_with_effect") if tied else None,
                "note.exact_line" if np.isnan(egger.p_value) else None,
            ]
        ),
    }


def _run_rank(own: pd.DataFrame, comparison: Comparison, review: Review) -> dict[str, Any]:
    rank = rank_test(own["yi"], own["vi"])
    ranked = not np.isnan(rank.tau)
    return {
        "statistic": rank.tau,
        "p_value": rank.p_value,
        "note": Message("small_study.rank_correlation" if ranked else "note.no_ranking"),
    }


def _run_filling(own: pd.DataFrame, comparison: Comparison, review: Review) -> dict[str, Any]:
    method: str = review.model.method
    test: str = review.model.test
    if comparison.method is not None:
        method, test = name_model(comparison)
    level = review.level_of(comparison)
    filled = trim_and_fill(own["yi"], own["vi"], method=method, test=_plain(test), level=level)
    side = term("small_study", filled.side)
    return {
        "statistic": float(filled.k0),
        "estimate": float(filled.fit.estimate),
        "ci_low": float(filled.fit.ci_low),
        "ci_high": float(filled.fit.ci_high),
        "note": Message("small_study.filled", k=filled.k0, side=side),
    }


_CHECKS: dict[str, Callable[[pd.DataFrame, Comparison, Review], dict[str, Any]]] = {
    "egger": _run_egger,
    "rank_correlation": _run_rank,
    "trim_and_fill": _run_filling,
}


def _plain(test: str) -> str:
    """Trim and fill has no Kenward-Roger interval; Hartung-Knapp with its floor stands in."""
    return "adhoc" if test == "kr" else test
