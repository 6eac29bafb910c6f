"""The files of a synthetic clinic: its own columns and codes, and its clinic.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from headway.simulate.parameters import scenarios

COLUMNS: dict[str, dict[str, str]] = {
    "patients": {
        "patient_id": "code",
        "age": "age_years",
        "sex": "sex",
        "condition": "diagnosis",
        "chronicity_years": "years_with_headache",
    },
    "sessions": {
        "patient_id": "code",
        "day": "visit_day",
        "therapist": "therapist",
        "technique": "method",
        "setting": "place",
        "minutes": "minutes",
        "fee": "fee_usd",
        "trigger_points": "points",
        "referral_zone": "refers",
        "retention_min": "retention_min",
        "drug": "drug",
        "soreness_days": "sore_days",
        "soreness_how": "soreness_how",
        "adverse_event": "adverse_event",
        "water_cups": "water_cups",
        "homework_given": "homework_given",
        "homework_done": "homework_done",
        "insured": "insured",
        "headache_days_28": "hd28",
        "usual_intensity": "usual_intensity",
        "usual_duration_hours": "usual_hours",
        "assessments": "assessed",
        "rotation_deg": "rotation_deg",
    },
    "diary": {
        "patient_id": "code",
        "day": "day",
        "headache": "headache",
        "intensity": "worst_0_10",
        "duration_hours": "hours",
        "attacks": "attacks",
        "acute_medication": "tablets",
    },
    "questionnaires": {
        "patient_id": "code",
        "day": "day",
        "instrument": "instrument",
        "score": "score",
    },
}
"""File -> canonical column -> the synthetic clinic's own column, in the files' order."""
CODES: dict[str, dict[str, dict[str, str]]] = {
    "patients": {"sex": {"F": "female", "M": "male", "X": "other"}},
    "sessions": {
        "technique": {
            "manual": "manual",
            "dry": "dry_needling",
            "wet": "wet_needling",
            "acu": "acupuncture",
            "selfcare": "self_care",
        },
        "setting": {"office": "in_office", "home": "at_home"},
    },
}
"""File -> canonical column -> the synthetic clinic's own code -> the canonical value."""
# What only some scenarios write: a fifth file, and columns of the sessions.
_MORE: dict[str, dict[str, str]] = {
    "windows": {
        "patient_id": "code",
        "frequency_before": "days_before",
        "score_before": "score_before",
        "frequency_after": "days_after",
        "score_after": "score_after",
    },
    "sessions": {"month": "month", "remark": "remarks"},
}
# Canonical columns that `headway.tables` calls otherwise.
_PIPELINE = {
    "retention_min": "retention_minutes",
    "soreness_how": "soreness_reported",
    "rotation_deg": "range_of_motion_degrees",
}
_UNITS = {
    "intensity": "nrs_0_10",
    "usual_intensity": "nrs_0_10",
    "duration_hours": "hours",
    "usual_duration_hours": "hours",
    "age": "years",
    "chronicity_years": "years",
}
_YES_NO = ("insured", "homework_given", "homework_done")


@dataclass(frozen=True, slots=True)
class SimulatedClinic:
    """A synthetic clinic.

    Attributes
    ----------
    tables
        `patients`, `sessions`, `diary` and `questionnaires`, row by row as the files hold them
        (typing errors included), under the canonical names and values of `headway.tables`.
    truth
        `scenario`, `seed`, `n_patients`, `parameters`; `estimands`, over all who started and with
        every day known; `people`, column -> list in the order of `patients`; `planted`, how many
        people or cells each mechanism of the scenario touched; `dirty_rows`, the file, line
        (1 = header), column and kind of every typing error.
    """

    tables: dict[str, pd.DataFrame]
    truth: dict[str, Any]


def clinic_files() -> dict[str, Any]:
    """Describe the written files as the `files` block of a `clinic.yaml`."""
    files: dict[str, Any] = {}
    for name, columns in COLUMNS.items():
        mapped: dict[str, Any] = {}
        for canonical, own in columns.items():
            codes = CODES.get(name, {}).get(canonical)
            mapped[canonical] = {"column": own, "codes": dict(codes)} if codes else own
        files[name] = {"path": f"{name}.csv", "missing": ["", "NA"], "columns": mapped}
    return files


def describe_clinic(simulated: SimulatedClinic, name: str) -> dict[str, Any]:
    """Describe a synthetic clinic's files as a `clinic.yaml` that the pipeline reads.

    Parameters
    ----------
    simulated
        Of `simulate_clinic`.
    name
        The clinic's `id`: small letters, digits and underscores.

    Returns
    -------
    dict
        The document; `disclosure` is the scenario's (`clinic.disclosure`).
    """
    truth = simulated.truth
    scenario, seed, n = truth["scenario"], truth["seed"], truth["n_patients"]
    files: dict[str, Any] = {}
    for file, columns in COLUMNS.items():
        mapped: dict[str, Any] = {}
        for own_name, own in columns.items():
            canonical = _PIPELINE.get(own_name, own_name)
            codes = CODES.get(file, {}).get(own_name)
            if own_name in _YES_NO:
                mapped[canonical] = {"column": own, "codes": {"yes": 1, "no": 0}}
            elif codes:
                mapped[canonical] = {"column": own, "codes": dict(codes)}
            elif own_name in _UNITS:
                mapped[canonical] = {"column": own, "unit": _UNITS[own_name]}
            else:
                mapped[canonical] = own
        files[file] = {"path": f"{file}.csv", "columns": mapped}
    if "month" in simulated.tables["sessions"]:
        files["sessions"]["columns"]["month"] = _MORE["sessions"]["month"]
    files["sessions"]["constants"] = {"currency": "USD"}
    document = {
        "schema_version": 1,
        "id": name,
        "title": f"Synthetic clinic, scenario {scenario}",
        "description": f"Made up: nobody in it exists. {scenarios()[scenario]}",
        # Not as it is typed: a long number after "patients" reads as that of a patient's record.
        "source": f"headway simulate: {n} people, seed {seed}, scenario {scenario}",
        "licence": "MIT (generated by this project)",
        "condition": "migraine and tension-type headache",
        "synthetic": True,
        "disclosure": truth["parameters"]["clinic.disclosure"],
        "files": files,
    }
    if "windows" in simulated.tables:
        wide = _MORE["windows"]
        files["windows"] = {
            "path": "windows.csv",
            "columns": {"patient_id": wide["patient_id"]},
            "wide": [
                {
                    "column": wide[f"{outcome}_{side}"],
                    "window": window,
                    "outcome": "frequency" if outcome == "frequency" else "headache_score",
                    "unit": "days_per_28" if outcome == "frequency" else "score",
                }
                for side, window in (("before", "baseline"), ("after", "post"))
                for outcome in ("frequency", "score")
            ],
        }
    if document["disclosure"] not in ("internal", "public"):
        # Exact ages of 150 people are no groups of five; a clinic that wants such rules makes bands
        # and leaves out what it does not need.
        patients = files["patients"]
        patients["drop"] = [patients["columns"].pop(c)["column"] for c in ("age", "sex")]
        patients["drop"].append(patients["columns"].pop("condition"))
    return document


_Mask = Callable[[pd.DataFrame], "pd.Series[bool]"]


def _on_headache_days(table: pd.DataFrame) -> pd.Series[bool]:
    return table["headache"] == 1


def _in_office(table: pd.DataFrame) -> pd.Series[bool]:
    return table["setting"] == "in_office"


_UNKNOWN: dict[str, dict[str, _Mask]] = {
    "patients": {"chronicity_years": lambda table: table["patient_id"].notna()},
    "sessions": {
        "minutes": _in_office,
        "soreness_days": _in_office,
        "soreness_how": _in_office,
        "water_cups": _in_office,
    },
    "diary": {
        "intensity": _on_headache_days,
        "duration_hours": _on_headache_days,
        "acute_medication": _on_headache_days,
    },
    "questionnaires": {},
}
"""Where an empty value is one that nobody knows (NA); elsewhere it does not apply (blank)."""


def _as_text(values: pd.Series[Any], codes: Mapping[str, str] | None) -> pd.Series[str]:
    own = {canonical: code for code, canonical in (codes or {}).items()}
    text = {}
    for value in values.dropna().unique():
        # Numbers are whole or halves; `g` writes them as people do, 4 and 4.5.
        text[value] = own.get(value, value) if isinstance(value, str) else f"{value:.10g}"
    return values.map(text).astype("object")


def write_clinic(simulated: SimulatedClinic, folder: Path | str, *, truth: bool = False) -> None:
    """Write a synthetic clinic as its own files, byte for byte the same every time.

    `patients.csv`, `sessions.csv`, `diary.csv` and `questionnaires.csv`, and `windows.csv` where
    the scenario has it, carry the clinic's own column names and codes (`COLUMNS`, `CODES`,
    `clinic_files`; for the pipeline `describe_clinic`). An empty cell does not apply (the
    intensity of a day without headache); `NA` is not known.

    Parameters
    ----------
    simulated
        Of `simulate_clinic`.
    folder
        Made where it does not exist; files of these names are replaced.
    truth
        Also write `truth.json`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in simulated.tables.items():
        written = {}
        for canonical, own in {**COLUMNS.get(name, {}), **_MORE.get(name, {})}.items():
            if canonical not in table.columns:
                continue
            cells = _as_text(table[canonical], CODES.get(name, {}).get(canonical))
            cells = cells.where(table[canonical].notna(), "")
            if canonical in _UNKNOWN.get(name, {}):
                unknown = table[canonical].isna() & _UNKNOWN[name][canonical](table)
                cells = cells.where(~unknown, "NA")
            written[own] = cells
        text = pd.DataFrame(written).to_csv(index=False, lineterminator="\n")
        (folder / f"{name}.csv").write_bytes(text.encode("utf-8"))
    if truth:
        text = json.dumps(simulated.truth, indent=1, sort_keys=True) + "\n"
        (folder / "truth.json").write_bytes(text.encode("utf-8"))


def write_settings(simulated: SimulatedClinic, folder: Path | str, name: str | None = None) -> bool:
    """Write the `clinic.yaml` of a synthetic clinic, unless the folder has one.

    The clinic is called `name`, or as the folder is.

    Returns
    -------
    bool
        Whether it was written.
    """
    import yaml

    path = Path(folder).resolve() / "clinic.yaml"
    if path.exists():
        return False
    name = re.sub(r"[^a-z0-9_]+", "_", (name or path.parent.name).lower()) or "synthetic"
    text = yaml.safe_dump(describe_clinic(simulated, name), sort_keys=False, allow_unicode=True)
    path.write_bytes(text.encode("utf-8"))
    return True
