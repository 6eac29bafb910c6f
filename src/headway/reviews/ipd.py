"""A trial's individual data -> what a paper would print: arms, and differences adjusted by ANCOVA.

Vickers and Altman 2001 (BMJ 323:1123): the outcome regressed on the arm and the value before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.config.schema import to_dict
from headway.effects.units import convert
from headway.errors import UNCOMPUTABLE, log_frames
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import IpdFile, Review

BASELINE = "baseline"
FEW = 7  # arms of this size or smaller are withheld unless the data are public


@dataclass(frozen=True, slots=True)
class Adjusted:
    """A difference between two arms, adjusted by linear regression.

    estimate, se, ci_low, ci_high : treatment - control, in the outcome's unit
    n, df : people, and residual degrees of freedom
    """

    estimate: float
    se: float
    ci_low: float
    ci_high: float
    n: int
    df: int


def ancova(
    value: ArrayLike,
    treated: ArrayLike,
    covariates: ArrayLike,
    *,
    level: float = 0.95,
    normal: bool = False,
    least: int = 1,
) -> Adjusted:
    """Adjust the difference between two arms by ordinary least squares.

    Parameters
    ----------
    value : array_like, shape (n,)
        Outcome of each person.
    treated : array_like of bool, shape (n,)
        Who is in the treatment arm.
    covariates : array_like, shape (n, p)
        What to adjust for; p may be 0. People with a gap anywhere are left out.
    level : float
        Coverage of the interval.
    normal : bool
        Normal quantiles instead of Student's t with n - p - 2 df.
    least : int
        People with all values that each arm must have (`find_least`).

    Raises
    ------
    ValueError
        If an arm has fewer, or too few people are left for the regression.
    """
    from scipy.special import ndtri, stdtrit

    y = np.asarray(value, dtype=float)
    arm = np.asarray(treated, dtype=float)
    x = np.asarray(covariates, dtype=float).reshape(len(y), -1)
    whole = np.isfinite(y) & np.isfinite(x).all(axis=1)
    y, arm, x = y[whole], arm[whole], x[whole]
    if min(arm.sum(), (1 - arm).sum()) < least:
        raise ValueError("an arm has too few people with all values")
    # Centred columns keep the normal equations well conditioned.
    design = np.column_stack([np.ones(len(y)), arm, x - x.mean(axis=0)])
    solution, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    df = len(y) - int(rank)
    if df < 1:
        raise ValueError("too few people for the covariates")
    rest = y - design @ solution
    variance = float(rest @ rest) / df
    se = float(np.sqrt(variance * np.linalg.pinv(design.T @ design)[1, 1]))
    upper = (1 + level) / 2
    half = float(ndtri(upper) if normal else stdtrit(df, upper)) * se
    estimate = float(solution[1])
    return Adjusted(estimate, se, estimate - half, estimate + half, len(y), df)


def find_least(spec: IpdFile | None) -> int:
    """Find how many people of an arm a number must stand on."""
    return 1 if spec is not None and spec.disclosure == "public" else FEW + 1


def select(ipd: pd.DataFrame, trial: str, outcome: str, timepoint: str) -> pd.DataFrame:
    """Take the rows of one trial, outcome and timepoint."""
    return ipd[
        (ipd["trial"] == trial) & (ipd["outcome"] == outcome) & (ipd["timepoint"] == timepoint)
    ]


def read_covariates(rows: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    """Read covariates of people; `baseline` is the value before, a text becomes 0/1 columns.

    Returns
    -------
    ndarray, shape (n, columns)
    """
    import pandas as pd

    table = pd.DataFrame([json.loads(t) for t in rows["covariates"]], index=rows.index)
    columns: list[Any] = []
    for name in names:
        own = rows["baseline"] if name == BASELINE else table[name]
        if own.dtype.kind in "if" or own.isna().all():
            columns.append(own.to_numpy(dtype=float))
        else:
            levels = pd.get_dummies(own, drop_first=True, dtype=float)
            levels.loc[own.isna()] = np.nan  # a gap is not the first level
            columns += list(levels.to_numpy().T)
    return np.column_stack(columns) if columns else np.empty((len(rows), 0))


def summarise(ipd: pd.DataFrame, review: Review) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute the arms and the adjusted differences that a trial's individual data give.

    Parameters
    ----------
    ipd
        Table `ipd`.
    review
        review.yaml with its defaults; `files.ipd` says what is public and what to adjust for.

    Returns
    -------
    tuple of DataFrame
        Tables `arms` (before, after and change, each of the people with a value after) and
        `contrasts`. Of data that are not public, arms of seven people or fewer are withheld, and
        so are values before that would tell those of seven people or fewer.
    """
    import pandas as pd

    spec = review.files.ipd
    if spec is None or not len(ipd):
        return empty("arms"), empty("contrasts")
    arms: list[dict[str, Any]] = []
    contrasts: list[dict[str, Any]] = []
    for _, own in ipd.groupby(["trial", "outcome", "timepoint"], sort=False):
        whole = own[own["value"].notna()]
        if whole["arm"].value_counts().min() < find_least(spec):
            continue
        if spec.disclosure != "public" and _sets_few_apart(whole):
            whole = whole.assign(baseline=np.nan)
        head = _head(own.iloc[0], spec, review)
        for name, part in whole.groupby("arm", sort=False):
            arms += _summarise_arm(part, {**head, **to_dict(spec.arms[name].is_), "arm": name})
        names = {part.iloc[0]["role"]: arm for arm, part in whole.groupby("arm", sort=False)}
        if len(whole["arm"].unique()) == 2 and set(names) == {"treatment", "control"}:
            contrasts.append(_adjust(whole, names, head, spec, review.level))
    return (
        conform("arms", pd.DataFrame(arms)) if arms else empty("arms"),
        conform("contrasts", pd.DataFrame(contrasts)) if contrasts else empty("contrasts"),
    )


def _sets_few_apart(whole: pd.DataFrame) -> bool:
    """Whether few people of an arm have a value before, or few have none.

    Means of those with one and of all people would give the few by subtraction.
    """
    counts = whole["baseline"].isna().groupby(whole["arm"]).value_counts()
    return bool(counts.le(FEW).any())


def _head(row: Any, spec: IpdFile, review: Review) -> dict[str, Any]:
    unit = review.outcomes[row["outcome"]].unit
    stated = {"year": spec.year, "doi": spec.doi, "condition": spec.condition}
    known = {k: v for k, v in stated.items() if v is not None}
    return {
        "trial": row["trial"],
        **known,
        "outcome": row["outcome"],
        "unit": unit,
        "unit_printed": unit,
        "timepoint": row["timepoint"],
        "time_days": row["time_days"],
        "status": "computed",
        "source": f"computed from individual data: {spec.source}",
        "file": row["file"],
        "line": 1,
    }


def _summarise_arm(part: pd.DataFrame, head: dict[str, Any]) -> Iterator[dict[str, Any]]:
    both = part[part["baseline"].notna()]
    before = {"baseline_n": float(len(both)), "baseline_mean": both["baseline"].mean()}
    before["baseline_sd"] = both["baseline"].std()
    for kind, values in (
        ("final", part["value"]),
        ("change", both["value"] - both["baseline"]),
    ):
        if not len(values):
            continue
        yield {
            **head,
            "kind": kind,
            "n": float(len(values)),
            "mean": values.mean(),
            "sd": values.std(),
            "sd_from": "printed",
            "positive_means": "worse" if kind == "change" else None,
            **before,
        }


def _adjust(
    whole: pd.DataFrame,
    names: Mapping[str, str],
    head: dict[str, Any],
    spec: IpdFile,
    level: float,
) -> dict[str, Any]:
    adjust = [BASELINE, *spec.adjust]
    treatment, covariates = whole["role"].eq("treatment"), read_covariates(whole, adjust)
    try:
        found = ancova(whole["value"], treatment, covariates, level=level, least=find_least(spec))
    except UNCOMPUTABLE as error:
        log_frames(error, f"{head['trial']}, {head['timepoint']}")
        found = Adjusted(np.nan, np.nan, np.nan, np.nan, len(whole), 0)
    treated, control = (spec.arms[names[r]].is_ for r in ("treatment", "control"))
    return {
        **head,
        "treatment_arm": names["treatment"],
        "control_arm": names["control"],
        "technique": treated.technique,
        "comparator": control.comparator,
        "effect_type": f"ANCOVA: {', '.join(adjust)}",
        "printed_effect": found.estimate,
        "printed_ci_low": np.nan,
        "printed_ci_high": np.nan,
        "positive_means": "treatment_minus_control",
        "effect": found.estimate,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "se": found.se,
        "se_from": "printed",
        "n_total": float(found.n),
    }


def change_unit(found: Adjusted, unit: str, to: str) -> dict[str, float]:
    """Turn an adjusted difference into another unit of the same kind.

    Raises
    ------
    LookupError
        If the units are of different kinds.
    """
    factor = convert(unit, to)
    if factor is None:
        raise LookupError(f"{unit} cannot be turned into {to}")
    return {
        "estimate": found.estimate * factor,
        "ci_low": found.ci_low * factor,
        "ci_high": found.ci_high * factor,
    }
