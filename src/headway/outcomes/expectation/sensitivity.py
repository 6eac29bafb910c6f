"""How far a clinic's primary change depends on what is missing and on the model: one table.

Every row is the same change under another assumption. None of them turns a change in an
uncontrolled series of people into an effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headway.outcomes.change.change import t_interval
from headway.outcomes.change.missingness import bound_change
from headway.outcomes.expectation import imputation, longitudinal
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic
    from headway.outcomes.change.windows import Comparison

DAYS = "headache days per 28"
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    label: str
    estimate: float = _NAN
    ci_low: float = _NAN
    ci_high: float = _NAN
    interval: str = ""
    n: float = _NAN
    unit: str = ""
    note: str = ""


def build_sensitivity(
    windows: pd.DataFrame,
    starters: pd.Index,
    comparison: Comparison,
    clinic: Clinic,
    characteristics: pd.DataFrame,
    therapists: pd.Series | None = None,
) -> pd.DataFrame:
    """Compute the primary change under every way to treat what is missing.

    Parameters
    ----------
    windows
        Table `windows`, all sources together.
    starters
        Everyone who started; they are the denominator `of` of every row.
    comparison
        The primary comparison (the first of `list_comparisons`).
    clinic
        clinic.yaml with its defaults.
    characteristics
        What was known of each person before treatment (`describe_people`).
    therapists
        Who gave most of each person's sessions (`label_groups`), where recorded.

    Returns
    -------
    DataFrame
        Table `sensitivity`. An analysis that cannot be done is a row without numbers that says
        why.
    """
    import pandas as pd

    outcome = clinic.primary_outcome
    own = windows[(windows["source"] == comparison.source) & (windows["outcome"] == outcome)]
    if not len(own) or not len(starters):
        return empty("sensitivity")
    unit = DAYS if outcome == "frequency" else "points"
    sides = imputation.before_and_after(windows, starters, comparison, outcome)
    rows = _simple(sides, unit)
    rows += _bounds(windows, starters, comparison, clinic, unit) if outcome == "frequency" else []
    limit = clinic.sensitivity.max_people
    if len(starters) > limit:
        why = f"not done: more than {limit} people (sensitivity.max_people)"
        rows += [_Row("models", "imputation, tipping point, models, other ways to count", note=why)]
    else:
        people = imputation.add_auxiliaries(sides, windows, comparison, outcome, characteristics)
        rows += _imputed(people, outcome, comparison, clinic, unit)
        stacked = longitudinal.stack_windows(
            own[own["patient_id"].isin(starters)], comparison, clinic, outcome
        )
        rows += _equations(stacked, comparison) if outcome == "frequency" else []
        rows += _mixed(stacked, unit)
    rows += _clustered(sides, therapists, unit)
    table = pd.DataFrame(
        [{f: getattr(r, f) for f in _Row.__dataclass_fields__} for r in rows]
    ).assign(of=float(len(starters)), redacted=False)
    return conform("sensitivity", table)


def _simple(sides: pd.DataFrame, unit: str) -> list[_Row]:
    """Compute complete pairs, and the baseline carried forward."""
    pre, post = sides["pre"].to_numpy(), sides["post"].to_numpy()
    # Sorted, so that the order of people cannot move a last digit.
    pairs = np.sort((post - pre)[~np.isnan(post - pre)])
    carried = np.sort(imputation.carry_forward(pre, post))
    unknown = int(np.isnan(pre).sum())
    return [
        _Row(
            "complete_pairs",
            "people with both windows complete (the declared analysis)",
            float(pairs.mean()) if len(pairs) else _NAN,
            *t_interval(pairs),
            "95 %, t",
            float(len(pairs)),
            unit,
            "the lost are taken to have changed like the others",
        ),
        _Row(
            "baseline_carried_forward",
            "the lost counted with no change",
            float(carried.mean()) if len(carried) else _NAN,
            *t_interval(carried),
            "95 %, t",
            float(len(carried)),
            unit,
            "everyone with a complete window before; a reference, too sure of itself, since it "
            "takes the lost as known"
            + (f"; {unknown} without one are not in it" if unknown else ""),
        ),
    ]


def _bounds(
    windows: pd.DataFrame,
    starters: pd.Index,
    comparison: Comparison,
    clinic: Clinic,
    unit: str,
) -> list[_Row]:
    found = bound_change(windows, starters, comparison, clinic)
    if found is None:
        return []
    note = "no assumption: every unknown day, and the lost, range from all free to all headache"
    return [
        _Row(f"bound_{side}", f"{side}est mean change that the records allow", value, n=found.n,
             unit=unit, note=note)
        for side, value in (("low", found.low), ("high", found.high))
    ]  # fmt: skip


def _imputed(
    people: pd.DataFrame,
    outcome: str,
    comparison: Comparison,
    clinic: Clinic,
    unit: str,
) -> list[_Row]:
    """Impute the lost, and ask how much worse than that they would have to be."""
    label = "the lost imputed from what is known of them"
    if outcome in ("intensity", "duration") and comparison.source == "diary":
        why = f"not done: {outcome} does not exist for people without a headache day in the window"
        return [_Row("multiple_imputation", label, unit=unit, note=why)]
    rule = clinic.sensitivity
    imputed = imputation.impute_change(
        people, imputations=rule.imputations, seed=rule.seed, cycles=rule.cycles
    )
    if imputed is None:
        why = f"not done: fewer than {imputation.MIN_PAIRS} people with both values"
        return [_Row("multiple_imputation", label, unit=unit, note=why)]
    pooled = imputation.pool_change(imputed)
    n, lost = float(len(people)), int(imputed.lost.sum())
    gaps = int(people[["pre", "post"]].isna().any(axis=1).sum())
    aux = [p for p in imputed.predictors if p not in ("pre", "post")]
    note = (
        f"multiple imputation by chained equations, {pooled.imputations} sets, for {gaps} people; "
        "holds if what is missing depends on what is known; predictors: values before and after"
        + "".join(f", {name}" for name in aux)
    )
    rows = [
        _Row("multiple_imputation", label, pooled.estimate, pooled.ci_low, pooled.ci_high,
             "95 %, t, Rubin's rules", n, unit, note),
        _Row("missing_information", "fraction of missing information", 100 * pooled.fmi, n=n,
             unit="percent", note="share of the uncertainty that comes from what is missing"),
    ]  # fmt: skip
    low, high = imputation.SCALES.get(outcome, (0.0, float("inf")))
    if not np.isfinite(high):
        return rows
    if not lost:
        why = "nobody was lost after: nothing to tip"
        return [*rows, _Row("tipping_mean", _TIP["tipping_mean"], n=n, unit=unit, note=why)]
    tipping = imputation.tip(imputed, low, high)
    way = "worse" if tipping.direction == 1 else "better"
    end = high if tipping.direction == 1 else low
    for id, value, target in (
        ("tipping_mean", tipping.delta_mean, "the mean change is 0"),
        ("tipping_ci", tipping.delta_ci, "its interval touches 0"),
    ):
        if np.isnan(value):
            note = (
                f"impossible: even with {end:g} for each of the {lost} lost the mean change would "
                f"be {tipping.farthest:.1f}"
                + (" and its interval exclude 0" if id == "tipping_ci" else "")
            )
        elif value == 0:
            note = f"{target} as it is, without any shift"
        else:
            note = (
                f"the {lost} lost would have to be {value:.1f} {way} after than imputed "
                f"(kept within {low:g} to {high:g}) until {target}"
            )
        rows.append(_Row(id, _TIP[id], value, n=n, unit=f"{unit}, {way} than imputed", note=note))
    return rows


_TIP = {
    "tipping_mean": "how far off the lost must be for a mean change of 0",
    "tipping_ci": "how far off the lost must be for the interval to touch 0",
}


def _equations(stacked: pd.DataFrame, comparison: Comparison) -> list[_Row]:
    """Fit all windows by estimating equations: binomial, and Poisson for comparison."""
    rows = []
    for family, name, ratio in (
        ("binomial", "binomial", "odds ratio"),
        ("poisson", "Poisson", "rate ratio"),
    ):
        fit = longitudinal.estimate_change(stacked, family)  # type: ignore[arg-type]
        label = f"all windows, {name} model of days"
        if fit is None:
            why = "not done: too few people, or no solution"
            rows.append(_Row(f"gee_{family}", label, unit=DAYS, note=why))
            continue
        note = (
            f"GEE, after v before, {fit.rows} windows, exchangeable within people "
            f"(correlation {fit.correlation:.2f}); complete or not, each with its days observed"
        )
        robust, corrected = "95 %, Wald, robust", "95 %, t, robust, Mancl-DeRouen"
        n = float(fit.people)
        rows += [
            _Row(f"gee_{family}", label, fit.days, *fit.days_robust, robust, n, DAYS, note),
            _Row(f"gee_{family}_corrected", f"{label}, corrected for few people", fit.days,
                 *fit.days_corrected, corrected, n, DAYS, note),
            _Row(f"gee_{family}_ratio", f"{label}: {ratio}", fit.ratio, *fit.ratio_robust,
                 robust, n, ratio, note),
            _Row(f"gee_{family}_ratio_corrected", f"{label}: {ratio}, corrected for few people",
                 fit.ratio, *fit.ratio_corrected, corrected, n, ratio, note),
        ]  # fmt: skip
    return rows


def _mixed(stacked: pd.DataFrame, unit: str) -> list[_Row]:
    fit = longitudinal.fit_mixed(stacked)
    label = "all complete windows, linear mixed model"
    if fit is None:
        return [_Row("mixed_model", label, unit=unit, note="not done: too few people, or no fit")]
    note = (
        f"intercept per person (SD {fit.between:.1f}, within {fit.within:.1f}), REML, "
        f"{fit.rows} windows"
    )
    return [_Row("mixed_model", label, fit.estimate, fit.ci_low, fit.ci_high, "95 %, Wald",
                 float(fit.people), unit, note)]  # fmt: skip


def _clustered(sides: pd.DataFrame, therapists: pd.Series | None, unit: str) -> list[_Row]:
    label = "complete pairs, people of one therapist taken as alike"
    if therapists is None:
        why = "not done: one therapist only, or therapists are not recorded"
        return [_Row("clustered_by_therapist", label, unit=unit, note=why)]
    change = sides["post"] - sides["pre"]
    who = therapists.reindex(sides.index)
    known = change.notna() & who.notna() & (who != "several")
    ordered = np.argsort(change[known].to_numpy(), kind="stable")
    fit = longitudinal.cluster_change(
        change[known].to_numpy()[ordered], who[known].to_numpy()[ordered]
    )
    if fit is None:
        found = int(who[known].nunique())
        why = (
            f"not done: {found} therapists; with fewer than {longitudinal.MIN_CLUSTERS} the "
            "spread between them cannot be told"
        )
        return [_Row("clustered_by_therapist", label, unit=unit, note=why)]
    left = int(change.notna().sum()) - fit.n
    note = f"{fit.clusters} therapists" + (
        f"; {left} people with several or none on record left out" if left else ""
    )
    interval = "95 %, t, cluster-robust (CR1)"
    return [_Row("clustered_by_therapist", label, fit.estimate, fit.ci_low, fit.ci_high,
                 interval, float(fit.n), unit, note)]  # fmt: skip
