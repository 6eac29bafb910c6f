"""How far a clinic's primary change depends on what is missing and on the model: one table.

Every row is the same change under another assumption. None of them turns a change in an
uncontrolled series of people into an effect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from headway.messages import Message, join, term
from headway.outcomes.change.change import t_interval
from headway.outcomes.change.cohort import SEVERAL_THERAPISTS, find_unit, name_characteristic
from headway.outcomes.change.instruments import name_outcome
from headway.outcomes.change.missingness import SCALES, bound_change
from headway.outcomes.change.windows import CONDITIONAL
from headway.outcomes.expectation import imputation, longitudinal
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic
    from headway.outcomes.change.windows import Comparison

DAYS = "days_per_28"
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
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
    outcome: str | None = None,
    sample: pd.Index | None = None,
) -> pd.DataFrame:
    """Compute the change in an outcome under every way to treat what is missing.

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
    outcome
        Code of the outcome; the primary one by default.
    sample
        In whom what is missing is imputed (`imputation.draw_people`); everyone by default.

    Returns
    -------
    DataFrame
        Table `sensitivity`. An analysis that cannot be done is a row without numbers that says
        why.
    """
    import pandas as pd

    outcome = outcome or clinic.primary_outcome
    own = windows[(windows["source"] == comparison.source) & (windows["outcome"] == outcome)]
    if not len(own) or not len(starters):
        return empty("sensitivity")
    unit = find_unit(outcome)
    sides = imputation.before_and_after(windows, starters, comparison, outcome)
    rows = _simple(sides, unit)
    rows += _bounds(windows, starters, comparison, clinic, outcome, unit)
    people = imputation.add_auxiliaries(
        sides, windows, comparison, outcome, characteristics, sample
    )
    rows += _imputed(people, outcome, comparison, clinic, unit, sampled=sample is not None)
    own = own[own["patient_id"].isin(starters)]
    stacked = longitudinal.stack_windows(own, comparison, clinic, outcome)
    del own
    rows += _equations(stacked) if outcome == "frequency" else []
    rows += _mixed(stacked, unit)
    rows += _clustered(sides, therapists, unit)
    table = pd.DataFrame(
        [
            {f: getattr(r, f) for f in _Row.__dataclass_fields__}
            | {"label": term("analysis", r.id)}
            for r in rows
        ]
    ).assign(outcome=outcome, of=float(len(starters)), redacted=False)
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
            float(pairs.mean()) if len(pairs) else _NAN,
            *t_interval(pairs),
            Message("interval.t"),
            float(len(pairs)),
            unit,
            Message("assumed.lost_like_others"),
        ),
        _Row(
            "baseline_carried_forward",
            float(carried.mean()) if len(carried) else _NAN,
            *t_interval(carried),
            Message("interval.t"),
            float(len(carried)),
            unit,
            join(
                [
                    Message("assumed.no_change_of_lost"),
                    Message("assumed.without_one", n=unknown) if unknown else None,
                ]
            ),
        ),
    ]


def _bounds(
    windows: pd.DataFrame,
    starters: pd.Index,
    comparison: Comparison,
    clinic: Clinic,
    outcome: str,
    unit: str,
) -> list[_Row]:
    found = bound_change(windows, starters, comparison, clinic, outcome)
    if found is None:
        return []
    note = Message("assumed.nothing" if outcome == "frequency" else "remark.unknown_values")
    return [
        _Row(f"bound_{side}", value, n=found.n, unit=unit, note=note)
        for side, value in (("low", found.low), ("high", found.high))
    ]


def _imputed(
    people: pd.DataFrame,
    outcome: str,
    comparison: Comparison,
    clinic: Clinic,
    unit: str,
    *,
    sampled: bool,
) -> list[_Row]:
    """Impute the lost, and ask how much worse than that they would have to be."""
    if outcome in CONDITIONAL and comparison.source == "diary":
        why = Message("assumed.does_not_exist", outcome=name_outcome(outcome))
        return [_Row("multiple_imputation", unit=unit, note=why)]
    rule = clinic.sensitivity
    imputed = imputation.impute_change(
        people, imputations=rule.imputations, seed=rule.seed, cycles=rule.cycles
    )
    if imputed is None:
        why = Message("assumed.too_few_pairs", least=imputation.MIN_PAIRS)
        return [_Row("multiple_imputation", unit=unit, note=why)]
    pooled = imputation.pool_change(imputed)
    n = float(len(people))
    gaps = int(people[["pre", "post"]].isna().any(axis=1).sum())
    known = [name_characteristic(p) for p in imputed.predictors if p not in ("pre", "post")]
    few = Message("assumed.sampled", n=len(people)) if sampled else None
    note = join(
        [
            few,
            Message("assumed.imputed", sets=pooled.imputations, n=gaps),
            Message("assumed.missing_at_random"),
            Message("assumed.predictors_and", names=known)
            if known
            else Message("assumed.predictors"),
        ]
    )
    rows = [
        _Row("multiple_imputation", pooled.estimate, pooled.ci_low, pooled.ci_high,
             Message("interval.t_rubin"), n, unit, note),
        _Row("missing_information", 100 * pooled.fmi, n=n, unit="percent",
             note=join([few, Message("assumed.share_of_uncertainty")])),
    ]  # fmt: skip
    tipping = _tip(imputed, n, unit, *SCALES.get(outcome, (0.0, float("inf"))))
    return rows + [replace(row, note=join([few, row.note])) for row in tipping]


def _tip(imputed: imputation.Imputed, n: float, unit: str, low: float, high: float) -> list[_Row]:
    """Ask how much worse than imputed the lost would have to be; nothing on an endless scale."""
    if not np.isfinite(high):
        return []
    lost = int(imputed.lost.sum())
    if not lost:
        return [_Row("tipping_mean", n=n, unit=unit, note=Message("assumed.nobody_lost"))]
    tipping = imputation.tip(imputed, low, high)
    way = "worse" if tipping.direction == 1 else "better"
    end = high if tipping.direction == 1 else low
    rows = []
    for id, value, target, impossible in (
        ("tipping_mean", tipping.delta_mean, "assumed.mean_is_0", "assumed.impossible"),
        ("tipping_ci", tipping.delta_ci, "assumed.interval_touches_0", "assumed.impossible_ci"),
    ):
        if np.isnan(value):
            note = Message(impossible, n=lost, end=end, value=round(tipping.farthest, 1))
        elif value == 0:
            note = Message("assumed.as_it_is", target=Message(target))
        else:
            note = Message(
                "assumed.until",
                n=lost,
                value=round(value, 1),
                way=term("assumed", way),
                low=low,
                high=high,
                target=Message(target),
            )
        rows.append(_Row(id, value, n=n, unit=f"{unit}_{way}_than_imputed", note=note))
    return rows


def _equations(stacked: pd.DataFrame) -> list[_Row]:
    """Fit all windows by estimating equations: binomial, and Poisson for comparison."""
    rows = []
    for family, ratio in (("binomial", "odds_ratio"), ("poisson", "rate_ratio")):
        fit = longitudinal.estimate_change(stacked, family)  # type: ignore[arg-type]
        id = f"gee_{family}"
        if fit is None:
            rows.append(_Row(id, unit=DAYS, note=Message("assumed.no_solution")))
            continue
        note = Message("assumed.equations", n=fit.rows, r=round(fit.correlation, 2))
        robust, corrected = Message("interval.wald_robust"), Message("interval.t_robust")
        n = float(fit.people)
        rows += [
            _Row(id, fit.days, *fit.days_robust, robust, n, DAYS, note),
            _Row(f"{id}_corrected", fit.days, *fit.days_corrected, corrected, n, DAYS, note),
            _Row(f"{id}_ratio", fit.ratio, *fit.ratio_robust, robust, n, ratio, note),
            _Row(f"{id}_ratio_corrected", fit.ratio, *fit.ratio_corrected, corrected, n, ratio,
                 note),
        ]  # fmt: skip
    return rows


def _mixed(stacked: pd.DataFrame, unit: str) -> list[_Row]:
    fit = longitudinal.fit_mixed(stacked)
    if fit is None:
        return [_Row("mixed_model", unit=unit, note=Message("assumed.no_fit"))]
    note = Message(
        "assumed.intercepts", between=round(fit.between, 1), within=round(fit.within, 1), n=fit.rows
    )
    return [_Row("mixed_model", fit.estimate, fit.ci_low, fit.ci_high, Message("interval.wald"),
                 float(fit.people), unit, note)]  # fmt: skip


def _clustered(sides: pd.DataFrame, therapists: pd.Series | None, unit: str) -> list[_Row]:
    if therapists is None:
        why = Message("assumed.one_therapist")
        return [_Row("clustered_by_therapist", unit=unit, note=why)]
    change = sides["post"] - sides["pre"]
    who = therapists.reindex(sides.index)
    known = change.notna() & who.notna() & (who != SEVERAL_THERAPISTS)
    ordered = np.argsort(change[known].to_numpy(), kind="stable")
    fit = longitudinal.cluster_change(
        change[known].to_numpy()[ordered], who[known].to_numpy()[ordered]
    )
    if fit is None:
        found, least = int(who[known].nunique()), longitudinal.MIN_CLUSTERS
        why = Message("assumed.few_therapists", n=found, least=least)
        return [_Row("clustered_by_therapist", unit=unit, note=why)]
    left = int(change.notna().sum()) - fit.n
    note = join(
        [
            Message("assumed.therapists", n=fit.clusters),
            Message("assumed.several_or_none", n=left) if left else None,
        ]
    )
    return [_Row("clustered_by_therapist", fit.estimate, fit.ci_low, fit.ci_high,
                 Message("interval.t_cluster"), float(fit.n), unit, note)]  # fmt: skip
