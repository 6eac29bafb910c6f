"""What a run stands on: versions, inputs, settings. No date, so that two runs are the same."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from headway.outcomes.expectation.judge import DEFAULT, list_settings
from headway.outcomes.expectation.untreated import FILE
from headway.tables.private import read_secret, sign_file
from headway.version import describe

PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "duckdb",
    "pandera",
    "matplotlib",
    "jinja2",
    "jsonschema",
    "snakemake",
)


def hash_file(path: Path) -> str:
    """Compute the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_rule() -> str:
    """Compute the SHA-256 of the rule of a clinic's verdict: its bounds, and the listed cohorts."""
    bounds = json.dumps(list_settings(DEFAULT), sort_keys=True)
    return hashlib.sha256((bounds + hash_file(FILE)).encode()).hexdigest()


def collect(
    files: Sequence[str], data_dir: Path, settings: Mapping[str, Any], lock: Sequence[Path]
) -> dict[str, Any]:
    """Collect the record of a run.

    Parameters
    ----------
    files
        Every raw file that the run read.
    data_dir
        Folder that holds them; paths are given below it.
    settings
        config.yaml with its defaults.
    lock
        requirements.lock, where the environment was made from one.
    """
    inputs = {}
    for name in sorted(set(files)):
        path = Path(name)
        shown = path.relative_to(data_dir) if path.is_relative_to(data_dir) else Path(path.name)
        # A plain digest would confirm a guessed file of records.
        private = shown.parts[:2] == ("raw", "clinics")
        inputs[shown.as_posix()] = (
            sign_file(read_secret(data_dir), path) if private else hash_file(path)
        )
    return {
        "headway": describe(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "lock": hash_file(lock[0]) if lock else None,
        "settings": {k: v for k, v in settings.items() if not k.endswith("_dir")},
        # What a clinic declares otherwise stands in its clinic.yaml, among the inputs.
        "verdict_rule": hash_rule(),
        "seeds": "each clinic.yaml declares its own (bootstrap.seed)",
        "digests": {
            "raw/clinics": "HMAC-SHA-256 under a secret that stays with the data",
            "others": "SHA-256",
        },
        "inputs": inputs,
    }
