"""The parameters of the simulator (`simulate.yaml`) and its scenarios."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from headway.config import load_yaml
from headway.errors import ConfigError
from headway.simulate.draws import Parameters

PARAMETER_FILE = Path(__file__).with_name("simulate.yaml")


@cache
def read_document() -> dict[str, Any]:
    """Read `simulate.yaml`."""
    return load_yaml(PARAMETER_FILE)


def scenarios() -> dict[str, str]:
    """List the scenarios with their descriptions."""
    return {name: entry["description"] for name, entry in read_document()["scenarios"].items()}


def load_parameters(
    scenario: str = "real_effect", overrides: Parameters | None = None
) -> dict[str, Any]:
    """Read the parameters of a scenario.

    Parameters
    ----------
    scenario
        One of `scenarios()`.
    overrides
        Values that take the place of the file's, under dotted names such as
        `treatment.odds_ratio.manual`.

    Returns
    -------
    dict
        Dotted name -> value.

    Raises
    ------
    ConfigError
        If the scenario or a name is not known.
    """
    document = read_document()
    known = document["scenarios"]
    if scenario not in known:
        raise ConfigError(f"the scenario '{scenario}' is not known; known: {', '.join(known)}")
    values: dict[str, Any] = {}

    def collect(node: Mapping[str, Any], name: str) -> None:
        for key, child in node.items():
            if "value" in child:
                values[name + key] = copy.deepcopy(child["value"])
            else:
                collect(child, f"{name}{key}.")

    collect(document["parameters"], "")
    for key, value in {**known[scenario]["set"], **(overrides or {})}.items():
        if key not in values:
            close = difflib.get_close_matches(key, values, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise ConfigError(f"the parameter '{key}' is not in {PARAMETER_FILE.name}{hint}")
        values[key] = value
    return values
