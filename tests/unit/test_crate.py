"""A run as a Workflow Run RO-Crate: what the specification and its profile require."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headway.report import crate

RECORD: dict[str, Any] = {
    "headway": "0.2.0 (abcdef0)",
    "python": "3.11.7",
    "packages": {"numpy": "2.4.6", "snakemake": "9.27.1"},
    "settings": {"clinics": "all", "memory_gb": 2},
    "digests": {"raw/clinics": "HMAC-SHA-256 under a secret", "others": "SHA-256"},
    "inputs": {"raw/clinics/mine/diary.csv": "aa11", "raw/trials/review/arms.csv": "bb22"},
}
PAGES = ("index.html", "provenance.json", "clinics/mine/audit.html", "clinics/mine/brief.pdf")
CODE = ("workflow/Snakefile", "workflow/workflow/rules/clinics.smk")
SOURCES = {"clinics": {"mine": "My clinic"}, "trials": {"review": "A review \u201e\u00fc\u201c"}}


def write(date: str = "2026-11-30") -> str:
    return crate.build(RECORD, SOURCES, PAGES, CODE, date)


@pytest.fixture(scope="module")
def graph() -> dict[str, dict[str, Any]]:
    entities = json.loads(write())["@graph"]
    held = {entity["@id"]: entity for entity in entities}
    assert len(held) == len(entities)
    return held


def refer(value: Any) -> list[str]:
    """List the entities that a property refers to."""
    values = value if isinstance(value, list) else [value]
    return [v["@id"] for v in values if isinstance(v, dict)]


def test_the_descriptor_and_the_root_are_those_of_a_workflow_run_crate(
    graph: dict[str, dict[str, Any]],
) -> None:
    # RO-Crate 1.1, Root Data Entity; Workflow Run Crate 0.5, Requirements.
    descriptor, root = graph["ro-crate-metadata.json"], graph["./"]
    assert refer(descriptor["about"]) == ["./"]
    assert "https://w3id.org/ro/crate/1.1" in refer(descriptor["conformsTo"])
    assert {*refer(root["conformsTo"])} == {
        "https://w3id.org/ro/wfrun/process/0.5",
        "https://w3id.org/ro/wfrun/workflow/0.5",
        "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
    }
    assert {"name", "description", "datePublished", "license"} <= root.keys()
    assert root["datePublished"] == "2026-11-30"
    assert refer(root["mainEntity"]) == ["workflow/Snakefile"]


def test_every_reference_is_described_and_every_file_is_part_of_the_whole(
    graph: dict[str, dict[str, Any]],
) -> None:
    outside = {"https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"}
    outside |= {"https://w3id.org/ro/crate/1.1", "https://doi.org/10.1093/bioinformatics/bts480"}
    outside |= {"https://snakemake.readthedocs.io"}
    for entity in graph.values():
        for value in entity.values():
            assert {*refer(value)} <= graph.keys() | outside, entity["@id"]
    files = {i for i, entity in graph.items() if "File" in entity["@type"]}
    assert files == {*PAGES, *CODE}
    assert {*refer(graph["./"]["hasPart"])} == files | {"clinics/mine/", "trials/review/"}
    assert all(graph[i].get("encodingFormat") for i in files)


def test_the_run_names_workflow_settings_inputs_and_results(
    graph: dict[str, dict[str, Any]],
) -> None:
    run = graph["#run"]
    assert run["@type"] == "CreateAction"
    assert refer(run["instrument"]) == ["workflow/Snakefile"]
    assert {*refer(run["result"])} == {*PAGES, "clinics/mine/", "trials/review/"}
    used = [graph[i] for i in refer(run["object"])]
    assert {e["name"]: e["description"] for e in used if "description" in e} == {
        "raw/clinics/mine/diary.csv": "HMAC-SHA-256 under a secret: aa11",
        "raw/trials/review/arms.csv": "SHA-256: bb22",
    }
    assert {e["name"]: e["value"] for e in used if "value" in e} == {
        "clinics": "all",
        "memory_gb": "2",
    }
    workflow = graph["workflow/Snakefile"]
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} <= {*workflow["@type"]}
    software = [graph[i] for i in refer(workflow["softwareRequirements"])]
    assert {e["name"]: e["softwareVersion"] for e in software} == {
        "headway": "0.2.0 (abcdef0)",
        "python": "3.11.7",
        **RECORD["packages"],
    }


def test_equal_runs_give_equal_crates_and_the_library_reads_them(tmp_path: Path) -> None:
    from rocrate.rocrate import ROCrate

    assert write() == write() != write("2026-12-01")
    for path in (*PAGES, *CODE):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x", encoding="utf-8")
    (tmp_path / "trials" / "review").mkdir(parents=True)
    (tmp_path / "ro-crate-metadata.json").write_text(write(), encoding="utf-8")
    read = ROCrate(str(tmp_path))
    assert read.mainEntity.id == "workflow/Snakefile"
    assert read.get("trials/review/")["name"] == SOURCES["trials"]["review"]
