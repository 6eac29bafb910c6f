"""Meta-regressions of a review: its declared moderators, one by one and together.

A moderator is a property of trials. What it goes with between trials need not hold for people
within them (ecological bias; Handbook 10.11), and a test of it is one of as many as were tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headway.effects.measures import find_family
from headway.errors import UNCOMPUTABLE, log_frames
from headway.messages import Message, join
from headway.meta.design import INTERCEPT, Design, build_design
from headway.meta.permutation import Permutation, permutation_test
from headway.reviews.moderator_fits import Fitted, fit_moderators
from headway.reviews.moderator_values import Trials, Value, find_values
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Model, Moderator, Review

Array = NDArray[np.float64]
NAN = float("nan")
ALONE, TOGETHER = "alone", "together"
AS_SUBGROUPS = "moderators.as_subgroups"
SEED, DRAWS = 20, 10_000
# Points of a fitted line.
NODES = 41


@dataclass(frozen=True, slots=True)
class _Known:
    """A moderator with its value of each effect, and why it cannot be used."""

    moderator: Moderator
    values: list[Value]
    reference: str | None = None
    why: str = ""

    @property
    def column(self) -> str:
        return self.moderator.column

    @property
    def held(self) -> NDArray[np.bool_]:
        return np.array([one.value is not None for one in self.values], dtype=bool)


@dataclass(slots=True)
class _Tables:
    moderators: list[dict[str, Any]] = field(default_factory=list)
    bubbles: list[dict[str, Any]] = field(default_factory=list)


def regress_review(
    effects: pd.DataFrame,
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    risk_of_bias: pd.DataFrame,
    review: Review,
    *,
    permute: bool = True,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Regress the pooled effects of each comparison on its declared moderators.

    Parameters
    ----------
    effects, arms, contrasts, risk_of_bias
        Tables of the contract.
    review
        review.yaml with its defaults.
    permute
        Whether trials are also dealt to the moderators anew; a check leaves that out.

    Returns
    -------
    tuple of DataFrame
        Tables `moderators` and `bubbles`. A regression that cannot be is one row with its reason.
    """
    import pandas as pd

    out = _Tables()
    trials = Trials(arms, contrasts, risk_of_bias, review)
    for comparison in review.comparisons:
        if not comparison.moderators:
            continue
        own = effects[effects["comparison"] == comparison.id]
        used = own[own["pooled"]]
        if len(own):
            _regress_comparison(own if not len(used) else used, comparison, trials, permute, out)
    return (
        conform("moderators", pd.DataFrame(out.moderators))
        if out.moderators
        else empty("moderators"),
        conform("bubbles", pd.DataFrame(out.bubbles)) if out.bubbles else empty("bubbles"),
    )


def find_coefficient(
    effects: pd.DataFrame,
    trials: Trials,
    comparison: Comparison,
    column: str,
    category: str | None,
    *,
    model: Model,
    level: float,
) -> dict[str, Any]:
    """Regress on one moderator alone by a source's model.

    Returns
    -------
    dict
        The row of table `moderators` of the slope, or of the level `category`; its estimate is
        NaN and its note the reason where there is none.
    """
    one = next(one for one in comparison.moderators if one.column == column)
    alone = replace(
        comparison, moderators=(one,), together=False, subgroup_by="none", ci_level=100 * level
    )
    review = replace(trials.review, model=model, comparisons=(alone,))
    used = effects[effects["comparison"] == comparison.id]
    table, _ = regress_review(
        used, trials.arms, trials.contrasts, trials.risk_of_bias, review, permute=False
    )
    nothing: dict[str, Any] = {"method": model.method, "test": model.test, "k": 0, "estimate": NAN}
    if not len(table):
        return {**nothing, "note": Message("moderators.nothing_pooled")}
    found = table[table["coefficient"].isna() | table["coefficient"].eq("slope")]
    if category is not None:
        found = table[table["coefficient"].isna() | table["category"].eq(category)]
    rows: list[dict[str, Any]] = found.to_dict("records")
    nothing |= {"k": int(table["k"].iloc[0]), "note": Message("moderators.no_such_level")}
    return rows[0] if rows else nothing


def _regress_comparison(
    used: pd.DataFrame, comparison: Comparison, trials: Trials, permute: bool, out: _Tables
) -> None:
    known = [
        _know(moderator, find_values(used, moderator, comparison, trials), comparison, used)
        for moderator in comparison.moderators
    ]
    for one in known:
        weights = _regress(used, [one], ALONE, one.why, comparison, trials.review, permute, out)
        out.bubbles += list(_list_trials(one, used, weights))
    if comparison.together and len(known) > 1:
        able = [one for one in known if not _never(one)]
        why = "" if len(able) > 1 else Message("moderators.not_two")
        _regress(used, able or known, TOGETHER, why, comparison, trials.review, permute, out)


def _never(one: _Known) -> bool:
    """Whether a moderator can enter no regression; one that is also the subgroups' still can."""
    return bool(one.why) and one.why != AS_SUBGROUPS


def _know(
    moderator: Moderator, values: list[Value], comparison: Comparison, used: pd.DataFrame
) -> _Known:
    """Find the reference level, and what keeps the moderator from being used."""
    there = [one.value for one in values if one.value is not None]
    if not used["pooled"].any():
        return _Known(moderator, values, why=Message("moderators.nothing_pooled"))
    if comparison.subgroup_by == "arm":
        return _Known(moderator, values, why=Message("moderators.of_arms"))
    if not there:
        return _Known(moderator, values, why=Message("moderators.none_known"))
    if len(set(there)) == 1:
        id = "moderators.one_level" if moderator.type == "factor" else "moderators.constant"
        return _Known(moderator, values, why=Message(id))
    reference = None
    if moderator.type == "factor":
        most = sorted(set(map(str, there)), key=lambda level: (-there.count(level), level))
        reference = moderator.reference or most[0]
        if reference not in most:
            return _Known(moderator, values, why=Message("moderators.no_reference"))
        # Elsewhere subgroups are pooled, and their difference is not tested.
        tested = comparison.totals == "all" and not comparison.dependence
        if moderator.column == comparison.grouping and tested:
            return _Known(moderator, values, reference, Message(AS_SUBGROUPS))
    return _Known(moderator, values, reference)


def _design(known: Sequence[_Known], held: NDArray[np.bool_]) -> Design:
    columns = {
        one.column: [x.value for x, there in zip(one.values, held, strict=True) if there]
        for one in known
    }
    # A reference level that no trial is left of cannot be one.
    bases = {
        one.column: one.reference for one in known if one.reference in columns.get(one.column, [])
    }
    return build_design(columns, reference=bases, k=int(held.sum()))


def _regress(
    used: pd.DataFrame,
    known: Sequence[_Known],
    regression: str,
    why: str,
    comparison: Comparison,
    review: Review,
    permute: bool,
    out: _Tables,
) -> dict[Any, float]:
    """Fit one regression and add its rows; where that cannot be, a row with the reason.

    Returns the weights of the effects that enter, by their row.
    """
    held = np.logical_and.reduce([one.held for one in known])
    rows = used[held & used["pooled"].to_numpy()]
    head = _head(used, rows, known, held, regression, comparison, review)
    fit, design, dealt = None, None, None
    if not why:
        try:
            design = _design(known, held)
            trials, p = rows["trial"].nunique(), len(design.names)
            if trials <= p:
                why = Message("moderators.too_few", k=trials, p=p)
            else:
                fit = fit_moderators(rows, design, comparison, review)
                if permute and fit.may_be_dealt:
                    dealt = permutation_test(
                        rows["yi"].to_numpy(float),
                        rows["vi"].to_numpy(float),
                        design,
                        method=fit.method,
                        test=fit.test,
                        draws=DRAWS,
                        seed=SEED,
                    )
        except UNCOMPUTABLE as error:
            log_frames(error, f"moderators, {comparison.id}, {regression}")
            fit, why = None, why or Message("moderators.not_computable")
    if fit is None or design is None:
        reason = why or Message("moderators.not_computable")
        for one in known:
            out.moderators.append({**head, **_name(one), "note": reason})
        return {}
    out.moderators += list(_list_coefficients(head, known, fit, design, dealt))
    if regression == ALONE and known[0].moderator.type == "number":
        out.bubbles += list(_draw_line(known[0], fit, held, comparison))
    return dict(zip(rows.index, map(float, fit.weights), strict=True))


def _head(
    used: pd.DataFrame,
    rows: pd.DataFrame,
    known: Sequence[_Known],
    held: NDArray[np.bool_],
    regression: str,
    comparison: Comparison,
    review: Review,
) -> dict[str, Any]:
    gone = used[~held]
    # A trial of which another effect has a value is not left out.
    names = [name for name in gone["trial"].drop_duplicates() if name not in set(rows["trial"])]
    reasons: list[Message] = []
    for name in names:
        at = np.flatnonzero((used["trial"] == name).to_numpy())
        whys = [one.values[i].why for one in known for i in at if one.values[i].value is None]
        reasons.append(Message("moderators.left_out_trial", trial=str(name), why=whys[0]))
    return {
        "comparison": comparison.id,
        "regression": regression,
        "measure": used["measure"].iloc[0],
        "unit": used["unit"].iloc[0],
        "k": rows["trial"].nunique(),
        "effects": len(rows),
        "left_out": len(names),
        "left_out_trials": join(reasons) or None,
        "method": review.model.method,
        "test": review.model.test,
        "level": review.level_of(comparison),
    }


def _name(one: _Known) -> dict[str, Any]:
    return {
        "moderator": one.column,
        "reference": one.reference,
        "planned": one.moderator.planned,
        "reason": one.moderator.reason,
    }


def _list_coefficients(
    head: dict[str, Any],
    known: Sequence[_Known],
    fit: Fitted,
    design: Design,
    dealt: Permutation | None,
) -> Iterator[dict[str, Any]]:
    by = {one.column: one for one in known}
    alone = len(known) == 1
    for j in range(len(design.names)):
        column = next((name for name, place in design.terms.items() if j in place), INTERCEPT)
        category = None
        if column in design.levels:
            shown = design.levels[column][1:]
            category = str(shown[design.terms[column].index(j)])
        whole = fit.terms.get(column, (NAN, NAN, NAN, NAN))
        first = column == INTERCEPT
        if first and not alone:
            named: dict[str, Any] = {"planned": all(one.moderator.planned for one in known)}
        else:
            named = _name(known[0] if first else by[column])
        kind = "difference" if column in design.levels else "intercept" if first else "slope"
        if column in design.levels:
            named["reference"] = str(design.levels[column][0])
        notes = [*fit.notes]
        if column == "control_risk":
            notes.append(Message("moderators.shared_error"))
        if column == "baseline_mean" and find_family(head["measure"]) == "paired":
            notes.append(Message("moderators.shared_baseline"))
        if column in design.levels and len(design.terms[column]) > 1 and np.isnan(whole[0]):
            notes.append(Message("moderators.no_joint_test"))
        row = {
            **head,
            **named,
            "method": fit.method,
            "test": fit.test,
            "coefficient": kind,
            "category": category,
            **{name: float(getattr(fit, name)[j]) for name in _OF_COEFFICIENT},
            **dict(zip(("qm", "qm_df", "qm_df2", "qm_p_value"), whole, strict=True)),
            **{name: getattr(fit, name) for name in _OF_FIT},
            "ci_method": fit.ci_code,
            "note": join(notes) or None,
        }
        if dealt is not None:
            row |= {"arrangements": dealt.arrangements, "exact": "yes" if dealt.exact else "no"}
            row |= {} if dealt.exact else {"seed": SEED}
            if not first:  # its value is not what is dealt
                row |= {"permutation_p": float(dealt.p_value[j])}
                row |= {"qm_permutation_p": float(dealt.qm_p_value)} if alone else {}
        yield row


_OF_COEFFICIENT = ("estimate", "se", "ci_low", "ci_high", "statistic", "df", "p_value")
_OF_TRIAL = ("comparison", "trial", "arms", "yi", "ci_low", "ci_high")
_OF_FIT = ("tau2", "i2", "r2", "qe", "qe_df", "qe_p_value")


def _list_trials(
    one: _Known, used: pd.DataFrame, weights: dict[Any, float]
) -> Iterator[dict[str, Any]]:
    """List each trial with its value, for the plot and for whoever checks it."""
    number = one.moderator.type == "number"
    for (index, row), value in zip(used.iterrows(), one.values, strict=True):
        yield {
            **{name: row[name] for name in _OF_TRIAL},
            "moderator": one.column,
            "mark": "trial",
            "x": value.value if number else NAN,
            "category": None if number else value.value,
            "weight": weights.get(index, NAN),
            "why_not": value.why or None,
        }


def _draw_line(
    one: _Known,
    fit: Fitted,
    held: NDArray[np.bool_],
    comparison: Comparison,
) -> Iterator[dict[str, Any]]:
    """List points of the fitted line over the range of the trials, and not beyond."""
    x = np.array([v.value for v, there in zip(one.values, held, strict=True) if there], float)
    at = np.linspace(x.min(), x.max(), NODES)
    found = fit.predict(np.column_stack([np.ones(NODES), at]))
    for i in range(NODES):
        yield {
            "comparison": comparison.id,
            "moderator": one.column,
            "mark": "line",
            "x": at[i],
            **{name: float(values[i]) for name, values in found.items()},
        }
