"""Does the published number reproduce? Verdicts, and checks of consistency.

A verdict is computed from what `review.yaml` declares as printed and from the tables; it is never
written down. A number is `reproduced` if it differs by at most one unit of its last printed digit
(or the review's declared tolerance), `not recomputable` if its trials are not all there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.config.review import NOT_ESTIMABLE
from headway.effects.measures import MEASURES, escalc
from headway.effects.units import convert
from headway.errors import UNCOMPUTABLE, log_frames
from headway.messages import Message, term
from headway.meta.conversions import se_from_ci
from headway.meta.network import pool_network
from headway.meta.network.fit import METHODS
from headway.meta.pooling import pool
from headway.reviews.dependent import COVARIANCE, pool_dependent
from headway.reviews.ipd import ancova, change_unit, find_least, read_covariates, select
from headway.reviews.moderator_values import Trials
from headway.reviews.moderators import find_coefficient
from headway.reviews.networks.analyse import read_network
from headway.reviews.networks.sensitivity import TESTS
from headway.reviews.totals import pool_rows, term_model
from headway.reviews.zero_events import is_not_estimable
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Model, PublishedResult, Review, Tolerance

NAN = float("nan")
PARTS = ("estimate", "ci_low", "ci_high")
# How a number was pooled, without its trials and with them.
_POOLED = ("reproduction.pooled", "reproduction.pooled_of")
_TOTALS = ("reproduction.totals", "reproduction.totals_of")
# Parts of a total that a file stores, as readers of that file name them.
STORED_PARTS = {"ci_low": "lower limit", "ci_high": "upper limit"}
# A number of more digits than this was stored by a program: what is compared is its size, since
# its last digit is the rounding of a computation.
MOST_DIGITS = 9
STORED_PRECISION = 6
Search = Callable[["PublishedResult", Mapping[str, str]], Sequence[Message]]


def judge_number(published: str, recomputed: float, units: float = 1.0) -> dict[str, Any]:
    """Hold one printed number against its recomputation.

    Parameters
    ----------
    published
        The number as printed; its last digit is its precision.
    recomputed
        The number recomputed, in the same sign and unit.
    units
        Units of the last printed digit that still count as reproduced.

    Returns
    -------
    dict
        published, recomputed, difference, printed_unit, rounds_identically, verdict.
    """
    printed = Decimal(published)
    step = _step_of(printed)
    difference = recomputed - float(printed)
    # The last digit of a float must not decide: 1e-9 of a unit is rounding, not a difference.
    close = abs(difference) <= float(step) * (units + 1e-9)
    # Programs round halves up or to even; either is "identically".
    halves = (ROUND_HALF_UP, ROUND_HALF_EVEN)
    same = any(
        Decimal(repr(recomputed)).quantize(step, rounding=h) == printed.quantize(step, rounding=h)
        for h in halves
    )
    return {
        "published": published,
        "recomputed": recomputed,
        "difference": difference,
        "printed_unit": float(step),
        "rounds_identically": "yes" if same else "no",
        "verdict": "reproduced" if close else "not reproduced",
    }


def judge_review(
    review: Review,
    arms: pd.DataFrame,
    published: pd.DataFrame,
    effects: pd.DataFrame,
    *,
    ipd: pd.DataFrame | None = None,
    networks: pd.DataFrame | None = None,
    trials: Trials | None = None,
    search: Search | None = None,
) -> pd.DataFrame:
    """Judge every published quantity that a review declares.

    Parameters
    ----------
    review
        review.yaml with its defaults.
    arms, published, effects
        Tables of the contract.
    ipd
        Table `ipd`, where a review has individual data.
    networks
        Table `network_effects`, where a review has networks.
    trials
        Where values of moderators are looked up, if coefficients are judged.
    search
        What looks for other choices that give a number that does not reproduce; each is a
        conjecture.

    Returns
    -------
    DataFrame
        Table `reproduction`: one row per printed number (estimate and limits).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for entry in review.published:
        printed, source, k = _read_printed(entry, published)
        head: dict[str, Any] = {"quantity": entry.id, "label": entry.label, "source": source}
        head["analysis"] = entry.analysis
        try:
            if entry.recompute.moderator is not None and trials is not None:
                found = _recompute_coefficient(entry, review, effects, trials)
            else:
                found = _recompute(entry, review, arms, effects, (ipd, networks), k)
        except UNCOMPUTABLE as error:
            log_frames(error, f"published.{entry.id}")
            found = _Recomputed({}, Message("reproduction.declared"), Message("fit.not_computable"))
        head["how"] = found.how
        if entry.estimate == NOT_ESTIMABLE or found.empty:
            rows += _judge_estimability(entry, printed, found, head)
            continue
        missing = found.missing
        if not missing and not np.isfinite([found.values[part] for part in printed]).all():
            missing = Message("fit.not_computable")
        guesses: Message | str = ""
        if not missing and search is not None and not _all_close(printed, found.values, review):
            guesses = _name_guesses(search(entry, printed))
        for part, text in printed.items():
            name = {"part": _name_part(entry, part)}
            if missing:
                rows.append({**head, **name, **_unjudged(text), "explanation": missing})
                continue
            judged = judge_number(text, found.values[part], review.tolerance.units)
            why = _explain(judged, review.tolerance, guesses)
            rows.append({**head, **name, **judged, "explanation": why})
        rows += _judge_k(found, k, head)
    return conform("reproduction", pd.DataFrame(rows)) if rows else empty("reproduction")


@dataclass(frozen=True, slots=True)
class _Recomputed:
    """Numbers by part, how they came about and what is missing.

    `empty` tells that no trial has an effect that can be estimated.
    """

    values: dict[str, float]
    how: Message
    missing: Message | str = ""
    trials: int | None = None
    empty: bool = False


def _recompute(
    entry: PublishedResult,
    review: Review,
    arms: pd.DataFrame,
    effects: pd.DataFrame,
    more: tuple[pd.DataFrame | None, pd.DataFrame | None],
    k: int | None,
) -> _Recomputed:
    """Recompute a quantity by what its entry says it is."""
    target = entry.recompute
    ipd, networks = more
    if target.network is not None:
        return _recompute_pair(entry, review, networks, k)
    if target.comparison is not None:
        return _recompute_pooled(entry, review, effects, k)
    if target.adjust is not None:
        return _Recomputed(*_recompute_adjusted(entry, review, ipd))
    if target.arm is not None:
        return _Recomputed(*_recompute_arm(entry, arms))
    return _Recomputed(*_recompute_trial(entry, review, arms))


def _recompute_coefficient(
    entry: PublishedResult, review: Review, effects: pd.DataFrame, trials: Trials
) -> _Recomputed:
    """Regress on the moderator alone, as the source did; say what is missing where that cannot be.

    A coefficient of ratios is shown as a ratio of ratios; a source's log coefficient is typed so.
    """
    target = entry.recompute
    comparison = review.comparison(target.comparison)
    level = find_level(entry, review, comparison)
    row = find_coefficient(
        effects, trials, comparison, str(target.moderator), target.level,
        model=entry.model or review.model, level=level,
    )  # fmt: skip
    how = Message(
        "reproduction.coefficient",
        measure=comparison.measure,
        method=row["method"],
        test=row["test"],
        moderator=str(target.moderator),
        k=int(row["k"]),
    )
    if np.isnan(row["estimate"]):
        return _Recomputed({}, how, row["note"])
    values = {part: float(row[part]) for part in PARTS}
    scale = MEASURES[comparison.measure].scale
    if scale.code == "natural" and entry.unit is not None:
        values = _change_unit(values, review.outcomes[comparison.outcome].unit, entry)
    if entry.positive_means != "treatment_minus_control":
        values = {part: -value for part, value in values.items()}
        values |= {"ci_low": values["ci_high"], "ci_high": values["ci_low"]}
    if scale.code == "ratio":
        values = {part: float(scale.back(value)) for part, value in values.items()}
    return _Recomputed(values, how, "", int(row["k"]))


def find_level(
    entry: PublishedResult, review: Review, comparison: Comparison | None = None
) -> float:
    """Find the level of a printed interval: its own, else the comparison's or the review's."""
    if entry.level is not None:
        return entry.level / 100
    return review.level if comparison is None else review.level_of(comparison)


def _name_part(entry: PublishedResult, part: str) -> str:
    return part if entry.analysis is None else STORED_PARTS.get(part, part)


def _unjudged(text: str) -> dict[str, Any]:
    return {
        "published": text,
        "recomputed": NAN,
        "difference": NAN,
        "printed_unit": _unit_of(text),
        "rounds_identically": None,
        "verdict": "not recomputable",
    }


def _judge_estimability(
    entry: PublishedResult,
    printed: Mapping[str, str],
    found: _Recomputed,
    head: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Judge a total that is not estimable, there or here."""
    there, here = entry.estimate == NOT_ESTIMABLE, found.empty
    verdict, why = "not estimable", None
    if there != here:
        verdict = "not recomputable" if found.missing and not here else "not reproduced"
        why = found.missing or Message("reproduction.estimable_here")
        why = Message("reproduction.not_estimable_here") if here else why
    rows = []
    for part in PARTS if there else printed:
        text = NOT_ESTIMABLE if there else printed[part]
        value = found.values.get(part, NAN)
        row = {**_unjudged(text), "recomputed": value, "verdict": verdict, "explanation": why}
        rows.append({**head, "part": _name_part(entry, part), **row})
    return rows


def _judge_k(found: _Recomputed, k: int | None, head: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Hold the number of trials that the source pooled against the number pooled here."""
    if k is None or not found.trials or found.missing:
        return []
    judged = judge_number(str(k), float(found.trials), 0.0)
    why = None
    if judged["verdict"] != "reproduced":
        why = Message("reproduction.other_k", k=k, there=found.trials)
    return [{**head, "part": "k", **judged, "explanation": why}]


def _all_close(printed: Mapping[str, str], values: Mapping[str, float], review: Review) -> bool:
    units = review.tolerance.units
    found = (judge_number(text, values[part], units) for part, text in printed.items())
    return all(one["verdict"] == "reproduced" for one in found)


def _name_guesses(guesses: Sequence[Message]) -> Message:
    """Name other choices that give all printed parts, as the conjectures that they are."""
    if not guesses:
        return Message("reproduction.no_conjecture")
    return Message("reproduction.conjecture", choices=guesses)


def _unit_of(text: str) -> float:
    return NAN if text == NOT_ESTIMABLE else float(_step_of(Decimal(text)))


def _step_of(printed: Decimal) -> Decimal:
    """Find one unit of the last printed digit; of a stored number, what a reader would print."""
    step = Decimal(1).scaleb(int(printed.as_tuple().exponent))
    if len(printed.as_tuple().digits) <= MOST_DIGITS and step >= Decimal("1e-9"):
        return step
    size = max(Decimal(1), abs(printed))
    return max(step, Decimal(1).scaleb(size.adjusted() - STORED_PRECISION))


def _explain(
    found: Mapping[str, Any], tolerance: Tolerance, guesses: Message | str
) -> Message | None:
    if found["verdict"] == "reproduced":
        return None
    difference, allowed = found["difference"], ""
    if tolerance.units != 1:
        of = {"units": tolerance.units, "reason": tolerance.reason}
        allowed = Message("reproduction.tolerance", **of)
    return Message(
        "reproduction.above" if difference > 0 else "reproduction.below",
        difference=difference,
        units=abs(difference) / found["printed_unit"],
        tolerance=allowed,
        conjecture=guesses,
    )


def _read_printed(
    entry: PublishedResult, published: pd.DataFrame
) -> tuple[dict[str, str], str, int | None]:
    """Read the printed numbers of a quantity as text, with their precision."""
    where = entry.from_pooled
    if where is None:
        low, high = entry.ci or (None, None)
        typed = {"estimate": entry.estimate, "sd": entry.sd, "n": entry.n}
        typed |= {"ci_low": low, "ci_high": high}
        stated = {part: text for part, text in typed.items() if text is not None}
        return stated, _find_source(entry), entry.k
    row = published[
        (published["outcome"] == where.outcome) & (published["subgroup"] == where.subgroup)
    ]
    if not len(row):
        raise LookupError(f"published.{entry.id}: no such row in files.pooled")
    one = row.iloc[0]
    names = {"estimate": "effect", "ci_low": "ci_low", "ci_high": "ci_high"}
    printed = {p: f"{one[c]:.{one['decimals']}f}" for p, c in names.items() if not np.isnan(one[c])}
    return printed, str(one["source"]), None if one.isna()["k"] else int(one["k"])


def _find_source(entry: PublishedResult) -> str:
    text = entry.source or Message("reproduction.no_source")
    if entry.status == "retrieved":
        return str(text)
    return Message("reproduction.source", text=text, status=term("status", entry.status))


def _recompute_pooled(
    entry: PublishedResult,
    review: Review,
    effects: pd.DataFrame,
    k: int | None,
) -> _Recomputed:
    """Pool as the source did, in the published sign, scale and unit; else say what is missing.

    A subgroup is pooled alone, whatever the review's own analysis makes of small ones.
    """
    target = entry.recompute
    comparison = review.comparison(target.comparison)
    listed = effects[effects["comparison"] == target.comparison]
    if target.subgroup != "overall":
        listed = listed[listed["subgroup"] == target.subgroup]
    rows = listed[listed["pooled"]]
    dependent = bool(comparison.dependence)
    there = rows["trial"].nunique() if dependent else len(rows)
    how = _name_way(entry, review, comparison)
    silent = bool(len(listed)) and bool(listed["why_not"].map(is_not_estimable).all())
    if there == 0 and (silent or entry.estimate == NOT_ESTIMABLE):
        return _Recomputed({}, how(), empty=True)
    if there == 0 or (k is not None and there < k):
        some = {"there": there, "why": entry.not_public or Message("reproduction.rows_missing")}
        missing = (
            Message("reproduction.trials_here", **some)
            if k is None
            else Message("reproduction.trials_missing", **some, k=k)
        )
        return _Recomputed({}, how(), missing, there)
    values = _pool_as_printed(entry, review, comparison, rows)
    if MEASURES[comparison.measure].scale.code == "natural" and entry.unit is not None:
        values = _change_unit(values, review.outcomes[comparison.outcome].unit, entry)
    return _Recomputed(turn(values, entry, comparison.measure), how(k=there), "", there)


def _recompute_pair(
    entry: PublishedResult, review: Review, networks: pd.DataFrame | None, k: int | None
) -> _Recomputed:
    """Pool a network as the source did and take the pair that it prints."""
    target, network = entry.recompute, review.network(entry.recompute.network)
    made = None if networks is None else read_network(networks, network.id)
    method, test = review.model_of(network)
    if entry.model is not None:
        method, test = entry.model.method, entry.model.test
    of = {"measure": network.measure, "method": method, "test": test}
    how = Message("reproduction.network", **of)
    there = 0 if made is None else len(made.trials)
    if made is None or (k is not None and there < k):
        why = entry.not_public or Message("reproduction.rows_missing")
        id = "reproduction.trials_here" if k is None else "reproduction.trials_missing"
        return _Recomputed({}, how, Message(id, there=there, why=why, k=k), there)
    treatment, base = str(target.treatment), str(target.base)
    absent = [name for name in (treatment, base) if name not in made.treatments]
    if absent:
        return _Recomputed({}, how, Message("reproduction.no_treatment", names=absent), there)
    if method not in METHODS or test not in TESTS:
        return _Recomputed({}, how, Message("reproduction.no_network_model"), there)
    level = find_level(entry, review)
    fit = pool_network(made, method=method, test=test, level=level)
    i, j = fit.place(treatment), fit.place(base)
    values = {part: float(getattr(fit, part)[i, j]) for part in PARTS}
    if MEASURES[network.measure].scale.code == "natural" and entry.unit is not None:
        values = _change_unit(values, review.outcomes[network.outcome].unit, entry)
    how = Message("reproduction.network_of", **of, k=there)
    return _Recomputed(turn(values, entry, network.measure), how, "", there)


def _pool_as_printed(
    entry: PublishedResult, review: Review, comparison: Comparison, rows: pd.DataFrame
) -> dict[str, float]:
    """Pool rows by the model that the entry names, else by the comparison's own."""
    level = find_level(entry, review, comparison)
    if entry.model is None and comparison.method is not None:
        total = pool_rows(rows, comparison, review, level=level)
        return {part: float(getattr(total, part)) for part in PARTS}
    if entry.model is None and comparison.dependence:
        fit = pool_dependent(rows, comparison, level)
        return {part: float(getattr(fit, part)) for part in PARTS}
    model = entry.model or review.model
    null = MEASURES[comparison.measure].scale.null_yi
    null = 0.0 if np.isnan(null) else null
    settings: dict[str, Any] = {"method": model.method, "test": model.test, "level": level}
    plain = pool(rows["yi"].to_numpy() - null, rows["vi"].to_numpy(), **settings)
    return {part: float(getattr(plain, part)) + null for part in PARTS}


def _name_way(
    entry: PublishedResult, review: Review, comparison: Comparison
) -> Callable[..., Message]:
    """Name measure and model of a pooled number, with its trials where they are known."""
    measure = comparison.measure
    if entry.model is None and comparison.method is not None:
        weighting = term("weighting", comparison.method)
        of = {"measure": measure, "weighting": weighting, "model": term_model(comparison)}
        return lambda **k: Message(_TOTALS[bool(k)], **of, **k)
    if entry.model is None and comparison.dependence:
        weighting = term("weighting", comparison.dependence)
        named = {"measure": measure, "weighting": weighting}
        test = "adhoc" if comparison.dependence == COVARIANCE else "cr2"
        named["model"] = term("totals", f"random_REML_{test}")
        return lambda **k: Message(_TOTALS[bool(k)], **named, **k)
    model = entry.model or review.model
    plain = {"measure": measure, "method": model.method, "test": model.test}
    return lambda **k: Message(_POOLED[bool(k)], **plain, **k)


def _recompute_trial(
    entry: PublishedResult, review: Review, arms: pd.DataFrame
) -> tuple[dict[str, float], Message, str]:
    """Recompute a printed difference from the two arms that the same source prints."""
    target = entry.recompute
    own = arms[
        (arms["trial"] == target.trial)
        & (arms["outcome"] == target.outcome)
        & (arms["timepoint"] == target.timepoint)
        & arms["kind"].ne("baseline")
    ]
    one = own[own["arm"] == target.treatment_arm]
    two = own[own["arm"] == target.control_arm]
    how = Message("reproduction.arms")
    if len(one) != 1 or len(two) != 1:
        return {}, how, entry.not_public or Message("reproduction.no_arms")
    a, b = one.iloc[0], two.iloc[0]
    numbers = [a["n"], a["mean"], a["sd"], b["n"], b["mean"], b["sd"]]
    if any(np.isnan(x) for x in numbers):
        return {}, how, entry.not_public or Message("reproduction.no_numbers")
    yi, vi = escalc(
        "MD", n1=a["n"], mean1=a["mean"], sd1=a["sd"], n2=b["n"], mean2=b["mean"], sd2=b["sd"]
    )
    fit = pool([float(yi)], [float(vi)], method="EE", test="z", level=find_level(entry, review))
    values = {
        "estimate": float(fit.estimate),
        "ci_low": float(fit.ci_low),
        "ci_high": float(fit.ci_high),
    }
    if entry.unit is not None:
        values = _change_unit(values, a["unit"], entry)
    recalled = "recalled" in (a["status"], b["status"])
    id = "reproduction.arms_recalled" if recalled else "reproduction.arms_of"
    return turn(values, entry), Message(id, n1=a["n"], n2=b["n"]), ""


def _recompute_arm(
    entry: PublishedResult, arms: pd.DataFrame
) -> tuple[dict[str, float], Message, str]:
    """Read mean, SD and n of one arm as they are computed from the trial's own data."""
    target = entry.recompute
    own = arms[
        (arms["trial"] == target.trial)
        & (arms["outcome"] == target.outcome)
        & (arms["timepoint"] == target.timepoint)
        & (arms["arm"] == target.arm)
        & arms["kind"].eq("final")
        & arms["status"].eq("computed")
    ]
    how = Message("reproduction.individual")
    if len(own) != 1:
        return {}, how, entry.not_public or Message("reproduction.no_individual")
    row = own.iloc[0]
    return {"estimate": float(row["mean"]), "sd": float(row["sd"]), "n": float(row["n"])}, how, ""


def _recompute_adjusted(
    entry: PublishedResult, review: Review, ipd: pd.DataFrame | None
) -> tuple[dict[str, float], Message, str]:
    """Recompute a difference adjusted by analysis of covariance."""
    target = entry.recompute
    names = target.adjust or ()
    adjust = list(names) or Message("reproduction.nothing")
    how = Message("reproduction.ancova", adjust=adjust)
    if ipd is None or not len(ipd):
        return {}, how, entry.not_public or Message("reproduction.no_individual")
    own = select(ipd, *target.place)
    if not len(own):
        return {}, how, Message("reproduction.no_such_values")
    found = ancova(
        own["value"],
        own["role"].eq("treatment"),
        read_covariates(own, names),
        level=find_level(entry, review),
        least=find_least(review.files.ipd),
    )
    unit = review.outcomes[target.place[1]].unit
    values = change_unit(found, unit, entry.unit or unit)
    return turn(values, entry), Message("reproduction.ancova_of", adjust=adjust, n=found.n), ""


def _change_unit(values: dict[str, float], unit: str, entry: PublishedResult) -> dict[str, float]:
    factor = convert(unit, entry.unit or unit)
    if factor is None:
        raise LookupError(f"published.{entry.id}: {unit} cannot be turned into {entry.unit}")
    return {part: v * factor for part, v in values.items()}


def turn(values: dict[str, float], entry: PublishedResult, measure: str = "MD") -> dict[str, float]:
    """Turn treatment - control into the published sign and scale; a ratio turns into 1 / ratio."""
    scale = MEASURES[measure].scale
    if entry.positive_means != "treatment_minus_control" and not np.isnan(scale.null):
        turned = {part: 2 * scale.null_yi - v for part, v in values.items()}
        values = turned | {"ci_low": turned["ci_high"], "ci_high": turned["ci_low"]}
    return {part: float(scale.back(v)) for part, v in values.items()}


def are_ratios(published: pd.DataFrame) -> bool:
    """Tell whether all pooled results that a source printed are ratios."""
    codes = {MEASURES[m].scale.code for m in published["measure"].dropna() if m in MEASURES}
    return codes == {"ratio"}


def check_consistency(published: pd.DataFrame, review: Review) -> pd.DataFrame:
    """Combine published subgroup results with each other: a check, never the source's analysis.

    Standard errors are those that the printed 95 % limits imply; the Q of the combination is the
    test of subgroup differences. Ratios are combined as logs and shown as ratios; what is
    combined has the direction of the outcome's first row.

    Returns
    -------
    DataFrame
        Table `consistency`.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for check in review.consistency:
        for outcome in check.outcomes:
            own = published[published["outcome"] == outcome]
            own = own[own[["effect", "ci_low", "ci_high"]].notna().all(axis=1)]
            ratio = are_ratios(own)
            if ratio:
                own = own[own["ci_low"] > 0]
            if len(own) < 2:
                continue
            scale = MEASURES["RR" if ratio else "MD"].scale
            turned = own["positive_means"] == "control_minus_treatment"
            sign = np.where(turned == turned.iloc[0], 1.0, -1.0)
            printed = own[["effect", "ci_low", "ci_high"]].to_numpy(dtype=float)
            effect, low, high = (np.log(printed) if ratio else printed).T
            se = se_from_ci(low, high)
            for model in check.models:
                head = {
                    "check": check.id,
                    "label": check.label,
                    "outcome": outcome,
                    "unit": own["unit"].iloc[0],
                    "model": _name_model(model),
                    "k": len(own),
                }
                settings: dict[str, Any] = {"method": model.method, "test": model.test}
                settings["level"] = review.level
                try:
                    fit = pool(sign * effect, se**2, **settings)
                except UNCOMPUTABLE as error:
                    log_frames(error, f"consistency.{check.id}, {outcome}")
                    rows.append(head)
                    continue
                outside = float(fit.ci_low) > 0 or float(fit.ci_high) < 0
                rows.append(
                    {
                        **head,
                        "estimate": scale.back(fit.estimate),
                        "ci_low": scale.back(fit.ci_low),
                        "ci_high": scale.back(fit.ci_high),
                        "significant": "yes" if outside else "no",
                        "q": fit.q,
                        "q_df": fit.q_df,
                        "q_p_value": fit.q_p_value,
                    }
                )
    return conform("consistency", pd.DataFrame(rows)) if rows else empty("consistency")


def _name_model(model: Model) -> Message:
    """Name a model by its estimator and its interval."""
    way = "" if model.test == "z" else term("model_interval", model.test)
    if model.method == "EE":
        return Message("model.common", interval=way)
    return Message("model.random", method=model.method, interval=way)
