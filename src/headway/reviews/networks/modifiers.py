"""What may modify effects, comparison by comparison: the ground on which a network stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.ingest.open.numbers import read_numbers
from headway.meta import network as nma

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Network, Review

# Values of a text that are listed one by one.
MOST_VALUES = 8


def read_values(
    arms: pd.DataFrame, contrasts: pd.DataFrame, network: Network, review: Review, column: str
) -> dict[str, list[Any]]:
    """Read a column by trial: of the rows of the network's outcome, else of all of the trial.

    Returns
    -------
    dict
        Trial -> what its rows hold, each once: numbers where they are some, else text.
    """
    import pandas as pd

    held: dict[tuple[str, bool], list[Any]] = {}
    for kind, frame in (("arms", arms), ("contrasts", contrasts)):
        declared = review.files.arms if kind == "arms" else review.files.contrasts
        decimal = "." if declared is None else declared.decimal
        if not len(frame):
            continue
        # A column of the contract holds numbers in the outcome's unit, the file's own as printed.
        typed = column in frame.columns
        own = frame[column] if typed else frame["own"].map(lambda cells: _find(cells, column))
        text = own.map(lambda x: "" if pd.isna(x) else str(x)).astype(object)
        numbers = read_numbers(pd.Series(text), "." if typed else decimal).values
        for trial, outcome, cell, number in zip(
            frame["trial"], frame["outcome"], text, numbers, strict=True
        ):
            if cell:
                value = float(number) if np.isfinite(number) else cell
                for key in {(trial, outcome == network.outcome), (trial, False)}:
                    held.setdefault(key, []).append(value)
    trials = {trial for trial, _ in held}
    return {
        trial: list(dict.fromkeys(held.get((trial, True)) or held.get((trial, False), [])))
        for trial in sorted(trials)
    }


def _find(cells: Any, column: str) -> Any:
    return json.loads(cells).get(column) if isinstance(cells, str) and cells else None


def list_modifiers(
    network: nma.Network,
    reference: str,
    columns: tuple[str, ...],
    values: dict[str, dict[str, list[Any]]],
    id: str,
) -> list[dict[str, Any]]:
    """List what each direct comparison's trials state of each column.

    Returns
    -------
    list of dict
        Rows of the table `network_modifiers`.
    """
    order = [reference, *(name for name in network.treatments if name != reference)]
    trials: dict[tuple[str, str], list[str]] = {}
    for trial, arms in zip(network.trials, network.list_arms(), strict=True):
        names = sorted((network.treatments[i] for i in arms), key=order.index)
        for i, base in enumerate(names):
            for treatment in names[i + 1 :]:
                trials.setdefault((treatment, base), []).append(trial)
    out = []
    for (treatment, base), own in sorted(
        trials.items(), key=lambda one: [order.index(name) for name in one[0][::-1]]
    ):
        for column in columns:
            stated = [values[column][trial] for trial in own if values[column].get(trial)]
            row: dict[str, Any] = {"network": id, "treatment": treatment, "base": base}
            row |= {"modifier": column, "trials": len(own), "stated": len(stated)}
            flat = [value for each in stated for value in each]
            if flat and all(isinstance(value, float) for value in flat):
                means = [float(np.mean(each)) for each in stated]
                row |= {"mean": float(np.mean(means)), "low": min(flat), "high": max(flat)}
            elif flat:
                names = list(dict.fromkeys(str(value) for value in flat))
                more = ["…"] if len(names) > MOST_VALUES else []
                row["words"] = ", ".join([*names[:MOST_VALUES], *more])
            out.append(row)
    return out
