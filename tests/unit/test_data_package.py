"""The data dictionary as a Tabular Data Package: read by Frictionless, which is not ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import frictionless
import pytest

from headway.tables import TABLES, conform, write_csv


@pytest.fixture(scope="module")
def package(repo_root: Path) -> dict[str, Any]:
    text = (repo_root / "docs/reference/datapackage.json").read_text(encoding="utf-8")
    return json.loads(text)


def test_the_descriptor_keeps_to_the_standard(package: dict[str, Any]) -> None:
    assert [str(e) for e in frictionless.Package.metadata_validate(package)] == []
    names = [resource["name"] for resource in package["resources"]]
    assert names == list(TABLES)


def test_every_column_has_its_meaning_and_its_class(package: dict[str, Any]) -> None:
    for resource in package["resources"]:
        for field in resource["schema"]["fields"]:
            assert field["description"] and field["headway:disclosure"], field["name"]


def read(package: dict[str, Any], name: str, folder: Path, file: str) -> list[str]:
    """Let Frictionless hold a file against the table's schema; returns what it finds."""
    found = next(r for r in package["resources"] if r["name"] == name)
    resource = frictionless.Resource.from_descriptor({**found, "path": file}, basepath=str(folder))
    return [error.type for task in resource.validate().tasks for error in task.errors]


def write_traps(folder: Path) -> str:
    import pandas as pd

    rows = pd.DataFrame(
        [
            {"id": "unit_mix", "label": "a", "flagged": True, "n": 12, "of": 40, "redacted": False},
            {"id": "mnar_diary", "label": "b", "flagged": None, "n": None, "redacted": True},
        ]
    )
    write_csv(conform("traps", rows), folder / "traps.csv")
    return (folder / "traps.csv").read_text(encoding="utf-8")


def test_a_table_that_headway_writes_keeps_to_its_schema(
    package: dict[str, Any], tmp_path: Path
) -> None:
    write_traps(tmp_path)
    assert read(package, "traps", tmp_path, "traps.csv") == []


@pytest.mark.parametrize(
    ("right", "wrong", "found"),
    [
        ("unit_mix", "", "constraint-error"),
        ("12", "many", "type-error"),
        ("12", "-1", "constraint-error"),
        ("mnar_diary", "unit_mix", "primary-key"),
    ],
)
def test_a_cell_that_breaks_the_contract_breaks_the_schema(
    package: dict[str, Any], tmp_path: Path, right: str, wrong: str, found: str
) -> None:
    text = write_traps(tmp_path)
    assert text.count(right) == 1
    (tmp_path / "broken.csv").write_text(text.replace(right, wrong), encoding="utf-8")
    assert found in read(package, "traps", tmp_path, "broken.csv")
