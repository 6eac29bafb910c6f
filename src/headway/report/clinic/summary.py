"""A clinic's draft -> a release -> the summary that is made of it and leaves the house."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway import config, disclosure
from headway.errors import InputError, Problem, RefusedError
from headway.federation.summary import build_summary
from headway.messages import Message
from headway.report.clinic.release import release

if TYPE_CHECKING:
    import pandas as pd

NAME = "summary.json"
_ALIAS = re.compile(r"[a-z0-9_]{1,80}")


def check_alias(alias: str | None) -> None:
    """Refuse a pseudonym that a file or a table could not hold.

    Raises
    ------
    InputError
        With what it may hold.
    """
    if alias is not None and not _ALIAS.fullmatch(alias):
        problem = Problem("--as", "pattern", "problem.alias", remedy="remedy.alias")
        raise InputError("failure.alias", [problem])


def find_released(
    made: Path,
    data_dir: Path,
    results_dir: Path,
    tables: Mapping[str, pd.DataFrame],
    people: Mapping[str, str],
) -> Path:
    """Release a clinic's draft, and give the folder of the release that its summary is made of.

    The release is held against all earlier ones and remembered, so that a summary says nothing that
    a release has not said. A clinic that a simulator made may be under `internal`, which is never
    released: nobody is in it, and its summary is made of its page's tables.

    Parameters
    ----------
    made, data_dir, results_dir, tables, people
        As for `headway.report.clinic.release.release`.

    Raises
    ------
    RefusedError
        If the draft cannot be released.
    """
    clinic = config.read_clinic(made / "clinic.json")
    preset = disclosure.choose_preset(clinic.disclosure)
    status = json.loads((made / "status.json").read_text(encoding="utf-8"))
    if clinic.synthetic and preset.name == "internal" and status["state"] == "ready":
        return results_dir / "clinics" / made.name
    folder, _ = release(made, data_dir, results_dir, tables, people)
    return folder


def summarise(
    made: Path, released: Mapping[str, pd.DataFrame], alias: str | None = None
) -> dict[str, Any]:
    """Make a clinic's summary of its released tables.

    Parameters
    ----------
    made
        Folder of the clinic's processed tables, for clinic.json.
    released
        The tables `headway.federation.summary.SOURCES`, read from `find_released`.
    alias
        Pseudonym that stands for the clinic's identifier and title.

    Returns
    -------
    dict
        `headway.federation.summary.build_summary`.

    Raises
    ------
    RefusedError
        If there is no change in them.
    """
    clinic = config.read_clinic(made / "clinic.json")
    preset = disclosure.choose_preset(clinic.disclosure)
    summary = build_summary(released, clinic, preset, alias)
    if not summary["outcomes"]:
        check = Message("remedy.run", line=f"headway check {made.name}")
        problem = Problem(made.name, "no_change", "problem.no_change_to_export", remedy=check)
        raise RefusedError("failure.release", [problem])
    return summary
