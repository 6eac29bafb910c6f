"""A small clinic on disk, for tests: write files and a clinic.yaml, ingest, analyse."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from headway import config, tables
from headway.ingest import clinics
from headway.ingest.quarantine import RowAccount
from headway.outcomes.change import cohort

DIARY = {
    "path": "diary.csv",
    "columns": {"patient_id": "code", "day": "day", "headache": "headache"},
}

# What a file or column says where a test looks at single cells of a small file.
ANY_LOSS = {"up_to": 1, "reason": "a test looks at single cells"}


def allow_losses(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Let every column of a file lose as much as it likes."""
    entries = {c: e if isinstance(e, Mapping) else {"column": e} for c, e in columns.items()}
    return {c: {**entry, "loss": ANY_LOSS} for c, entry in entries.items()}


def write_clinic(
    folder: Path, files: Mapping[str, str | bytes], spec: Mapping[str, Any], **extra: Any
) -> Path:
    """Write a clinic's folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(data)
    document = {
        "schema_version": 1,
        "id": folder.name,
        "title": "Test",
        "source": "a test",
        "licence": "none",
        "disclosure": "public",
        "files": dict(spec),
        "bootstrap": {"replicates": 200, "seed": 1},
        **extra,
    }
    (folder / "clinic.yaml").write_text(yaml.safe_dump(document))
    return folder


def ingest(folder: Path) -> tuple[dict[str, RowAccount], pd.DataFrame, Path]:
    """Ingest a clinic; returns the account per file, the quarantine and the processed folder."""
    out = folder.parent / f"{folder.name}_processed"
    accounts = clinics.ingest_clinic(folder, config.load_clinic(folder), out).accounts
    quarantine = pd.read_csv(out / "quarantine.csv", dtype={"line": "Int64"})
    return {a.file: a for a in accounts}, quarantine, out


def analyse(folder: Path) -> dict[str, pd.DataFrame]:
    """Take a clinic from its raw files to its cohort."""
    _, _, out = ingest(folder)
    return cohort.analyse_clinic(out, config.load_clinic(folder))


def statistic(
    result: Mapping[str, pd.DataFrame],
    comparison: str,
    name: str,
    *,
    outcome: str = "frequency",
    group: str = "all",
) -> pd.Series:
    """Pick one statistic of the cohort."""
    rows = result["cohort"]
    hit = rows[
        (rows["comparison"] == comparison)
        & (rows["statistic"] == name)
        & (rows["outcome"] == outcome)
        & (rows["group"] == group)
    ]
    assert len(hit) == 1, f"{len(hit)} rows for {comparison}, {name}"
    return hit.iloc[0]


def diary_text(rows: list[tuple[Any, ...]], header: str = "code,day,headache") -> str:
    """Write rows as CSV text."""
    return header + "\n" + "".join(",".join(str(c) for c in row) + "\n" for row in rows)


__all__ = [
    "ANY_LOSS",
    "DIARY",
    "allow_losses",
    "analyse",
    "diary_text",
    "ingest",
    "statistic",
    "tables",
    "write_clinic",
]
