"""A trial's file of individual data -> the table `ipd`: declared columns only, no identifier.

Only the columns that `files.ipd` names are read; the person's own code becomes a row number. The
names of these columns pass the gate's rules for names; their cells are codes and numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.config.review import IpdFile, Review
from headway.effects.units import convert
from headway.errors import InputError, Problem
from headway.ingest.gate import check_names
from headway.ingest.open.numbers import as_code, read_numbers
from headway.ingest.open.reading import read_cells
from headway.messages import Message
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd


def find_file(folder: Path, spec: IpdFile) -> Path:
    """Find the file: in the review's own folder, or in that of the clinic that it names."""
    if not spec.clinic:
        return folder / spec.path
    return folder.parents[1] / "clinics" / spec.clinic / spec.path


def read_individual(folder: Path, review: Review) -> pd.DataFrame:
    """Read a trial's individual data as `files.ipd` of review.yaml maps them.

    Returns
    -------
    DataFrame
        Table `ipd`: one row per person, outcome and timepoint; empty without `files.ipd`.

    Raises
    ------
    InputError
        With every problem: a missing column, an arm that is not declared, a cell that is no
        number, a column that is named like an identifier.
    """
    import pandas as pd

    spec = review.files.ipd
    if spec is None:
        return empty("ipd")
    path = find_file(folder, spec)
    raw, problems = read_cells(path, spec)
    entries = spec.outcomes
    names = [spec.arm, *spec.covariates, *spec.factors]
    for entry in entries:
        names += filter(None, (entry.baseline, entry.value, entry.blank_means_missing))
    wanted = list(dict.fromkeys(names))
    problems += [
        Problem(
            path.name, "missing_column", "problem.missing_column", name, remedy="remedy.check_name"
        )
        for name in wanted
        if name not in raw.columns
    ]
    problems += check_names(path.name, [name for name in wanted if name in raw.columns])
    known = {as_code(entry.code): name for name, entry in spec.arms.items()}
    if spec.arm in raw.columns:
        arm = raw[spec.arm].map(as_code).map(known)
        problems += [
            Problem(
                path.name,
                "unknown_arm",
                "problem.unknown_arm",
                spec.arm,
                int(line),
                "remedy.unknown_arm",
            )
            for line in raw.loc[arm.isna(), "line"]
        ]
    if problems:
        raise InputError("failure.unreadable", problems)
    missing = {as_code(m) for m in spec.missing}
    numbers = {
        name: _read_numbers(raw, name, missing, spec.decimal, path.name, problems)
        for name in wanted
        if name != spec.arm and name not in spec.factors
    }
    if problems:
        raise InputError("failure.unreadable", problems)
    covariates = _pack(raw, numbers, spec, missing)
    parts = []
    for entry in entries:
        factor = convert(entry.unit, review.outcomes[entry.outcome].unit)
        if factor is None:
            text = Message("problem.unit_of_outcome", unit=entry.unit)
            remedy = "remedy.unit_of_published"
            raise InputError(
                "failure.unreadable", [Problem("review.yaml", "unit", text, remedy=remedy)]
            )
        value = numbers[entry.value] * factor
        if entry.blank_means_missing is not None:
            # A zero typed where another column shows that nothing was recorded.
            value = value.where(numbers[entry.blank_means_missing].notna())
        before = numbers[entry.baseline] * factor if entry.baseline is not None else float("nan")
        parts.append(
            pd.DataFrame(
                {
                    "trial": spec.trial,
                    "person": range(1, len(raw) + 1),
                    "arm": arm,
                    "role": arm.map({n: e.is_.role for n, e in spec.arms.items()}),
                    "outcome": entry.outcome,
                    "timepoint": entry.timepoint,
                    "time_days": float("nan") if entry.time_days is None else entry.time_days,
                    "baseline": before,
                    "value": value,
                    "covariates": covariates,
                    "file": path.name,
                }
            )
        )
    return conform("ipd", pd.concat(parts, ignore_index=True))


def _read_numbers(
    raw: pd.DataFrame,
    name: str,
    missing: set[str],
    decimal: str,
    file: str,
    problems: list[Problem],
) -> pd.Series:
    found = read_numbers(raw[name].mask(raw[name].map(as_code).isin(missing), ""), decimal)
    problems += [
        Problem(file, rule, "problem.not_a_number", name, int(line), "remedy.number_with_mark")
        for rule, bad in found.broken.items()
        for line in raw.loc[bad, "line"]
    ]
    return found.values


def _pack(
    raw: pd.DataFrame, numbers: Mapping[str, Any], spec: IpdFile, missing: set[str]
) -> list[str]:
    """Write each person's covariates as one text, so that the table has the same columns always."""
    columns = {
        **{name: [None if v != v else v for v in numbers[name]] for name in spec.covariates},
        **{
            name: [None if as_code(v) in missing else f"level {as_code(v)}" for v in raw[name]]
            for name in spec.factors
        },
    }
    return [
        json.dumps({name: values[i] for name, values in columns.items()}, sort_keys=True)
        for i in range(len(raw))
    ]
