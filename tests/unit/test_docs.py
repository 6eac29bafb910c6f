"""What the documents say is what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from headway import config, messages
from headway.effects.units import UNITS
from headway.ingest.trials import columns


def test_the_data_dictionary_is_the_one_in_the_code(repo_root: Path) -> None:
    spec = importlib.util.spec_from_file_location("tables_doc", repo_root / "tools/tables_doc.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (repo_root / "docs/tables.md").read_text(encoding="utf-8") == module.write()
    package = repo_root / "docs/reference/datapackage.json"
    assert package.read_text(encoding="utf-8") == module.write_package()


@pytest.mark.parametrize("kind", ["review", "clinic"])
def test_the_annotated_example_keeps_to_its_schema(repo_root: Path, kind: str) -> None:
    text = (repo_root / f"docs/{kind}.yaml.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    document = yaml.safe_load(blocks[0])
    assert document["schema_version"] == 1
    assert config.check_document(document, kind, f"{kind}.yaml") == []  # type: ignore[arg-type]
    # An example that leaves a top-level key out teaches half the contract.
    schema = config.load_yaml(repo_root / f"src/headway/config/{kind}.schema.yaml")
    assert set(schema["properties"]) - set(document) == set()


def test_the_example_of_each_adapter_keeps_to_the_schema(repo_root: Path) -> None:
    text = (repo_root / "docs/clinic.yaml.md").read_text(encoding="utf-8")
    first, *parts = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    head = {k: v for k, v in yaml.safe_load(first).items() if k != "files"}
    told = set()
    for part in map(yaml.safe_load, parts):
        assert part.keys() == {"files"}
        assert config.check_document({**head, **part}, "clinic", "clinic.yaml") == []
        for entry in part["files"].values():
            told |= entry.keys() & {"sheet", "fhir", "redcap"}
    assert told == {"sheet", "fhir", "redcap"}


def test_every_shipped_yaml_keeps_to_its_schema(repo_root: Path) -> None:
    raw = repo_root / "data" / "raw"
    reviews, clinics = (
        sorted(raw.glob("trials/*/review.yaml")),
        sorted(raw.glob("clinics/*/clinic.yaml")),
    )
    assert len(reviews) == 7
    assert len(clinics) == 3
    for path in reviews:
        assert config.load_review(path.parent).id == path.parent.name
    for path in clinics:
        assert config.load_clinic(path.parent).id == path.parent.name
    for path in [*reviews, *clinics]:
        assert (path.parent / "README.md").is_file()


def test_the_review_page_lists_every_column_and_unit(repo_root: Path) -> None:
    text = (repo_root / "docs/review.yaml.md").read_text(encoding="utf-8")
    for kind in ("arms", "contrasts", "pooled", "risk_of_bias"):
        line = next(row for row in text.splitlines() if row.startswith(f"| {kind} |"))
        words = set(re.findall(r"[a-z_0-9]+", line))
        assert {*columns.TEXTS[kind], *columns.NUMBERS[kind]} - words == set()
    table = text[text.index("## Units") :]
    assert set(UNITS) - set(re.findall(r"[a-z_0-9]+", table)) == set()


def test_the_engines_tables_list_every_code(repo_root: Path) -> None:
    from headway import meta
    from headway.meta.pooling import PREDICTIONS, TESTS

    text = (repo_root / "docs/meta.md").read_text(encoding="utf-8")
    tables = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    assert {code for code in (*meta.METHODS, *TESTS) if f"`{code}`" not in tables} == set()
    assert {code for code in PREDICTIONS if f'"{code}"' not in text} == set()


def test_the_table_of_measures_is_that_of_the_code(repo_root: Path) -> None:
    from headway.effects.measures import FAMILIES, MEASURES, find_family

    text = (repo_root / "docs/measures.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ") and not line.startswith("| code")
    ]
    assert all(len(row) == 7 for row in rows)
    listed = {(row[0], row[1]) for row in rows}
    expected = set()
    for code, entry in MEASURES.items():
        several = len(entry.vtypes) > 1
        expected |= {(code, vtype if several else "") for vtype in entry.vtypes}
    assert listed == expected
    assert len(rows) == len(listed)
    # What a review must declare follows from the section.
    sections = {"Two groups": "between_arm", "One group, before": "within_arm"}
    sections["One group, one"] = "single_arm"
    for part in text.split("\n## ")[1:]:
        estimand = next(e for start, e in sections.items() if part.startswith(start))
        codes = set(re.findall(r"^\| (\w+) \|", part, flags=re.MULTILINE)) - {"code"}
        assert {FAMILIES[find_family(code)].estimand for code in codes} == {estimand}


def test_every_integrity_check_is_explained(repo_root: Path) -> None:
    text = (repo_root / "docs/published_data.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| ([^|]+?) \|", text, flags=re.MULTILINE))
    named = {entry["en"] for id, entry in messages.entries().items() if id.startswith("check.")}
    assert len(named) >= 18
    assert named - explained == set()


def test_every_rule_that_meets_a_clinics_row_is_explained(repo_root: Path) -> None:
    from headway.ingest import gate
    from tests.unit.test_hostile_files import CASES

    text = (repo_root / "docs/clinic.yaml.md").read_text(encoding="utf-8")
    rules = {rule for case in CASES.values() for _, rule, _ in case.found}
    rules |= {*gate.RULES}
    rules |= {"unknown_patient", "shared_code", "after_end", "diary_not_open", "not_a_date"}
    assert {rule for rule in rules if f"`{rule}`" not in text} == set()
