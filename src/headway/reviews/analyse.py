"""A review's processed tables -> effects, pooled estimates, verdicts and doubts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import MEASURES
from headway.errors import UNCOMPUTABLE, log_frames
from headway.messages import Message, is_missing, join
from headway.meta.pooling import TESTS, pool
from headway.reviews.bayes import answer_bayes
from headway.reviews.checks import Gaps, check_small_studies, refit_review
from headway.reviews.dependent import COVARIANCE, DEPENDENT, fit_dependent
from headway.reviews.effects_table import ASSUMED, build_effects
from headway.reviews.findings import summarise_findings
from headway.reviews.groups import fit_groups
from headway.reviews.integrity import check_integrity
from headway.reviews.ipd import summarise
from headway.reviews.moderator_values import Trials
from headway.reviews.moderators import regress_review
from headway.reviews.networks.analyse import OUTPUTS as OF_NETWORKS
from headway.reviews.networks.analyse import pool_networks
from headway.reviews.reproduce import check_consistency, judge_review
from headway.reviews.search import Searcher
from headway.reviews.specifications import explore_review
from headway.reviews.support import support_review
from headway.reviews.totals import fit_totals, name_model
from headway.reviews.translated import translate_review
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Review

OVERALL = "overall"
OWN = "own"
OUTPUTS = (
    "effects",
    "pooled",
    "multiverse",
    "refits",
    "small_studies",
    "moderators",
    "bubbles",
    "bayes",
    "bayes_trials",
    "bayes_density",
    "findings",
    "translated",
    "support",
    "reproduction",
    "consistency",
    "integrity",
    *OF_NETWORKS,
)
NAN = float("nan")
_NUMBERS = (
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "pi_low",
    "pi_high",
    "p_value",
    "tau2",
    "i2",
    "h2",
    "q",
    "q_df",
    "q_p_value",
)
# Numbers that lie on the scale of yi.
PLACES = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
_KEYS = ("comparison", "label", "outcome", "estimand", "measure", "unit")


@np.errstate(all="ignore")  # what overflows, or is divided by 0, is a row's reason and no warning
def analyse_review(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    published: pd.DataFrame,
    review: Review,
    risk_of_bias: pd.DataFrame | None = None,
    ipd: pd.DataFrame | None = None,
    *,
    explore: bool = True,
) -> dict[str, pd.DataFrame]:
    """Take a review's tables through effects, pooling, verdicts and integrity checks.

    Parameters
    ----------
    arms, contrasts, published
        Tables of the contract.
    review
        review.yaml with its defaults.
    risk_of_bias, ipd
        Tables of the contract, where there are any.
    explore
        Try the other ways to analyse, and look for other choices behind a printed number; a check
        leaves that out.

    Returns
    -------
    dict of DataFrame
        The tables of `OUTPUTS`.
    """
    import pandas as pd

    risk_of_bias = empty("risk_of_bias") if risk_of_bias is None else risk_of_bias
    if ipd is not None and len(ipd):
        own_arms, own_contrasts = summarise(ipd, review)
        arms = _append("arms", arms, own_arms)
        contrasts = _append("contrasts", contrasts, own_contrasts)
    pooled, effects = pool_review(build_effects(arms, contrasts, review), review)
    parts = [pooled]
    assumed = effects["pooled"] & effects["r_from"].eq(ASSUMED)
    concerned = set(effects.loc[assumed, "comparison"])
    if concerned:
        # Only the declared model of the comparisons that rest on an assumed r.
        narrow = replace(
            review,
            sensitivity_models=(),
            published=(),
            comparisons=tuple(c for c in review.comparisons if c.id in concerned),
        )
        for r in review.assumed_r.sensitivity:
            other = build_effects(arms, contrasts, narrow, assumed_r=r)
            parts.append(pool_review(other, narrow, assumption=Message("assumption.r", r=r))[0])
        pooled = conform("pooled", pd.concat(parts, ignore_index=True))
    gaps: Gaps = []
    multiverse = empty("multiverse")
    if explore:
        multiverse = explore_review(arms, contrasts, review, risk_of_bias, gaps=gaps)
    refits = refit_review(effects, review, gaps=gaps)
    pooled = _note_gaps(pooled, gaps)
    small = check_small_studies(effects, review)
    networks = pool_networks(arms, contrasts, review, risk_of_bias, explore=explore)
    moderators, bubbles = regress_review(
        effects, arms, contrasts, risk_of_bias, review, permute=explore
    )
    return {
        "effects": effects,
        "pooled": pooled,
        "multiverse": multiverse,
        "refits": refits,
        "small_studies": small,
        "moderators": moderators,
        "bubbles": bubbles,
        **answer_bayes(effects, review),
        "translated": translate_review(effects, pooled, arms, risk_of_bias, review, pool_review),
        "support": support_review(effects, pooled, small, risk_of_bias, review),
        "findings": summarise_findings(effects, pooled, review),
        "reproduction": judge_review(
            review,
            arms,
            published,
            effects,
            ipd=ipd,
            networks=networks["network_effects"],
            trials=Trials(arms, contrasts, risk_of_bias, review),
            search=Searcher(review, arms, contrasts, ipd) if explore else None,
        ),
        "consistency": check_consistency(published, review),
        "integrity": check_integrity(arms, contrasts, published, review, effects),
        **networks,
    }


def empty_review() -> dict[str, pd.DataFrame]:
    """Make the tables of `analyse_review` without a row, for a review that was refused."""
    return {name: empty(name) for name in OUTPUTS}


def _append(name: str, first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Put computed rows below those that were read."""
    import pandas as pd

    parts = [part for part in (first, second) if len(part)]
    return conform(name, pd.concat(parts, ignore_index=True)) if parts else empty(name)


def list_models(review: Review) -> list[tuple[str, str]]:
    """List the models of a review as (method, test): the declared one first, none twice."""
    models = [review.model, *review.sensitivity_models]
    models += [
        entry.model
        for entry in review.published
        if entry.model is not None and entry.recompute.moderator is None
    ]
    return list(dict.fromkeys((m.method, m.test) for m in models))


def pool_review(
    effects: pd.DataFrame, review: Review, *, assumption: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pool each comparison under every model, overall and by subgroup.

    Parameters
    ----------
    effects
        Table `effects`; its rows with `pooled` enter.
    review
        review.yaml with its defaults.
    assumption
        What the effects assume, for the rows of a sensitivity analysis.

    Returns
    -------
    tuple of DataFrame
        Table `pooled`, and `effects` with the weights of the declared model. A comparison of
        single arms by kind of arm has no overall estimate, since treated and untreated people
        are not one population.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    effects = effects.copy()
    for comparison, part in effects.groupby("comparison", sort=False):
        declared = review.comparison(str(comparison))
        used = part[part["pooled"]]
        if not len(used):
            continue
        for model in _list_ways(declared, review, assumption):
            fits = _try_fit(used, declared, review, model)
            rows += [_as_row(used, model, assumption, *one) for one in fits]
            for subgroup, index, fit, _ in fits if model.declared else ():
                whole = declared.totals == "all" and declared.subgroup_by != "arm"
                if fit is not None and (subgroup == OVERALL or not whole):
                    effects.loc[index, "weight"] = fit.weights
    return (
        conform("pooled", pd.DataFrame(rows)) if rows else empty("pooled"),
        conform("effects", effects),
    )


@dataclass(frozen=True, slots=True)
class _Way:
    """A way to pool a comparison: by whose rules, estimator and interval, and at which level."""

    weighting: str
    method: str
    test: str
    declared: bool
    level: float
    own: bool = True  # the review's own, not only held against a published number


def _list_ways(comparison: Comparison, review: Review, assumption: str | None) -> list[_Way]:
    """List the ways a comparison is pooled: the declared one first, none twice."""
    level = review.level_of(comparison)
    models = [(m.method, m.test) for m in (review.model, *review.sensitivity_models)]
    ways = []
    if comparison.method is not None:
        name = name_model(comparison)
        ways.append(_Way(comparison.method, *name, assumption is None, level))
    elif comparison.dependence:
        # Other models would count a trial as often as it has effects.
        test = "adhoc" if comparison.dependence == COVARIANCE else "cr2"
        return [_Way(comparison.dependence, "REML", test, assumption is None, level)]
    first = (review.model.method, review.model.test)
    for model in list_models(review):
        declared = comparison.method is None and model == first and assumption is None
        ways.append(_Way(OWN, *model, declared, level, model in models))
    return ways


def _try_fit(
    used: pd.DataFrame, comparison: Comparison, review: Review, way: _Way
) -> list[tuple[str, Any, Any, str]]:
    """Fit a comparison one way; what cannot be computed is one row without numbers."""
    null = MEASURES[comparison.measure].scale.null_yi
    try:
        if way.weighting in DEPENDENT:
            return list(fit_dependent(used, comparison, review))
        if way.weighting != OWN:
            return list(fit_totals(used, comparison, review))
        return list(_fit(used, (way.method, way.test), way.level, comparison, null, way.own))
    except UNCOMPUTABLE as error:
        log_frames(error, f"{comparison.id}, {way.weighting}, {way.method}, {way.test}")
        return [(OVERALL, used.index, None, "")]


def _as_row(
    used: pd.DataFrame,
    way: _Way,
    assumption: str | None,
    subgroup: str,
    index: Any,
    fit: Any,
    note: str,
) -> dict[str, Any]:
    """Make a row of the table `pooled` of a fit; fits are distances from no effect."""
    names = {key: used[key].iloc[0] for key in _KEYS}
    null = MEASURES[names["measure"]].scale.null_yi
    found = {name: NAN if fit is None else getattr(fit, name) for name in _NUMBERS}
    if names["measure"] == "PFT":
        note = join([note, Message("fit.double_arcsine")])
    if np.isnan(found["estimate"]):
        note = join([note, Message("fit.not_computable")])
    if np.isnan(null):
        found["p_value"] = NAN
    elif null:
        found |= {name: found[name] + null for name in PLACES}
    return {
        **names,
        "subgroup": subgroup,
        "assumption": assumption,
        "weighting": way.weighting,
        "method": way.method,
        "test": way.test,
        "declared": way.declared,
        "level": way.level,
        "k": used.loc[index, "trial"].nunique() if way.weighting in DEPENDENT else len(index),
        "n_total": _people(used.loc[index], way.weighting),
        **found,
        "ci_method": TESTS.get(way.test, way.test) if fit is None else fit.ci_code,
        "pi_method": None if fit is None else fit.pi_code,
        "note": join([fit.remark if fit is not None else "", note]) or None,
    }


def _note_gaps(pooled: pd.DataFrame, gaps: Gaps) -> pd.DataFrame:
    """Put what could not be computed of a set beside its declared estimate."""
    pooled = pooled.copy()
    for comparison, subgroup, why in gaps:
        at = pooled["comparison"].eq(comparison) & pooled["declared"]
        at &= pooled["subgroup"].eq(subgroup)
        notes = [join(["" if is_missing(note) else note, why]) for note in pooled.loc[at, "note"]]
        pooled.loc[at, "note"] = notes
    return pooled


def _fit(
    used: pd.DataFrame,
    model: tuple[str, str],
    level: float,
    comparison: Comparison,
    null: float,
    own: bool,
) -> Any:
    """Fit all rows and each subgroup, as distances from no effect, which p values are about.

    `own` tells the review's analyses from those that only a published number is held against. The
    note of the overall fit holds the subgroups' test.
    """
    method, test = model
    settings: dict[str, Any] = {"method": method, "test": test, "level": level}
    labels, by = used["subgroup"], comparison.grouping
    yi = (used["yi"] - (0.0 if np.isnan(null) else null)).to_numpy()
    vi = used["vi"].to_numpy()
    if comparison.totals == "none":
        return
    whole = comparison.totals == "all"
    if by == "none" or (by != "arm" and labels.nunique() < 2):
        if whole or by == "none" or labels.isna().all():
            yield OVERALL, used.index, pool(yi, vi, **settings), ""
        else:
            yield str(labels.iloc[0]), used.index, pool(yi, vi, **settings), ""
        return
    # Arms of other kinds are other populations: they share nothing, and are not compared.
    found = fit_groups(yi, vi, list(labels), own=own and by != "arm", **settings)
    for name in dict.fromkeys(labels):
        yield name, used.index[labels == name], found.fits[name], ""
    if by != "arm" and whole:
        yield OVERALL, used.index, found.overall, found.note


def _people(rows: pd.DataFrame, weighting: str) -> float:
    """Add up the participants; empty where one trial does not print them.

    Dependent effects count each trial once, those of arms that share a control its people.
    """
    if weighting == COVARIANCE:
        shared = rows.drop_duplicates("trial")["n2"]
        return float(rows["n1"].sum(skipna=False) + shared.sum(skipna=False))
    rows = rows.drop_duplicates("trial") if weighting in DEPENDENT else rows
    total = rows["n1"] + rows["n2"] if rows["n2"].notna().any() else rows["n1"]
    return float(total.sum(skipna=False))
