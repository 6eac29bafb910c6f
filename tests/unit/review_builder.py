"""Folders of published trials for tests: a complete review.yaml, changed where a test needs it."""

# ruff: noqa: E501  (rows of a table)
from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

ARMS_HEADER = (
    "trial,year,arm,role,technique,comparator,outcome,unit,timepoint,time_days,kind,n,"
    "mean,sd,positive_means,status,source\n"
)
ARMS = (
    ARMS_HEADER
    + """\
A 2001,2001,massage,treatment,manual,,frequency,days_per_28,3 months,84,final,20,8,4,,retrieved,T1
A 2001,2001,care,control,,usual_care,frequency,days_per_28,3 months,84,final,21,10,5,,retrieved,T1
B 2002,2002,massage,treatment,manual,,frequency,days_per_28,3 months,84,change,30,3,4,better,retrieved,T2
B 2002,2002,care,control,,usual_care,frequency,days_per_28,3 months,84,change,30,1,4,better,retrieved,T2
"""
)
CONTRASTS = """\
trial,year,treatment_arm,control_arm,technique,comparator,outcome,unit,timepoint,time_days,\
effect_type,effect,ci_low,ci_high,n_total,positive_means,status,source
C 2003,2003,massage,care,manual,usual_care,frequency,days_per_month,3 months,84,difference,2,1,3,\
100,control_minus_treatment,retrieved,abstract
"""
REVIEW: dict[str, Any] = {
    "schema_version": 1,
    "id": "example",
    "title": "Example",
    "source": "made for a test",
    "licence": "none",
    "outcomes": {"frequency": {"unit": "days_per_28"}},
    "files": {"arms": {"path": "arms.csv"}},
    "comparisons": [
        {
            "id": "main",
            "label": "Massage v usual care",
            "outcome": "frequency",
            "estimand": "between_arm",
            "measure": "MD",
        },
    ],
}


def write_review(
    folder: Path,
    files: dict[str, str | bytes] | None = None,
    mapped: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """Write a review's folder.

    `files` are the files' contents, `mapped` the key `files` of review.yaml; `changes` replace
    other keys of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = copy.deepcopy(REVIEW) | {"id": folder.name} | changes
    if mapped is not None:
        document["files"] = mapped
    (folder / "review.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    for name, content in (files or {"arms.csv": ARMS}).items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(data)
    return folder
