"""Settings: one source for types, defaults, schema and documents; and their versions."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from headway import config
from headway.config.clinic import Clinic, ClinicFile, Column, Window
from headway.config.document import read_document
from headway.config.faults import _PATTERNS
from headway.config.review import Review
from headway.config.schema import build, derive_schema, to_dict
from headway.config.upgrade import Changed, upgrade
from headway.errors import ConfigError
from headway.messages import LANGUAGES, Message, say, speaking
from headway.outcomes.change import instruments
from tests.unit.review_builder import REVIEW, write_review

RAW = Path(__file__).resolve().parents[2] / "data" / "raw"
CLINIC: dict[str, Any] = {
    "schema_version": 1,
    "id": "c",
    "title": "C",
    "source": "s",
    "licence": "l",
    "files": {"diary": {"path": ["a.csv", "b.csv"]}},
}


def write(folder: Path, text: str, name: str = "clinic.yaml") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def write_clinic(folder: Path, **changes: Any) -> Path:
    return write(folder, json.dumps(CLINIC | {"id": folder.name} | changes))


def test_what_is_derived_from_the_classes_is_in_step(repo_root: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        "settings_doc", repo_root / "tools/settings_doc.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    behind = [
        str(path.relative_to(repo_root))
        for path, text in module.derived().items()
        if path.read_text(encoding="utf-8") != text
    ]
    assert not behind, f"run `python tools/settings_doc.py`, which writes {', '.join(behind)}"


@pytest.mark.parametrize("name", ["config", "clinic", "review"])
def test_a_schema_is_one_and_accepts_its_own_defaults(name: config.SchemaName) -> None:
    schema = derive_schema(config.find_class(name))
    jsonschema.Draft202012Validator.check_schema(schema)
    settings = {
        "config": config.check_config({}),
        "clinic": build(Clinic, CLINIC | {"files": {"diary": [{"path": "a.csv"}]}}),
        "review": build(Review, REVIEW),
    }[name]
    assert config.check_document(to_dict(settings), name, "x.yaml") == []


def test_every_shipped_file_comes_back_from_json_as_it_went(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    found: list[tuple[Any, Any]] = []
    for folder in sorted(RAW.glob("*/*")):
        read, back = config.load_clinic, config.read_clinic
        if (folder / "review.yaml").is_file():
            read, back = config.load_review, config.read_review  # type: ignore[assignment]
        settings = read(folder)
        path.write_text(config.write_settings(settings), encoding="utf-8")
        found.append((settings, back(path)))
        assert json.loads(path.read_text()) == json.loads(config.write_settings(found[-1][1]))
    assert len(found) >= 9
    for settings, again in found:
        assert replace(settings, files=again.files) == again  # codes of files are text in JSON


def test_settings_cannot_be_changed_and_know_no_other_key(tmp_path: Path) -> None:
    clinic = config.load_clinic(write_clinic(tmp_path / "c"))
    with pytest.raises(FrozenInstanceError):
        clinic.title = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        clinic.windows.minimum  # type: ignore[attr-defined]  # noqa: B018
    assert {f.path for f in clinic.files["diary"]} == {"a.csv", "b.csv"}


def test_defaults_fill_what_is_not_written(tmp_path: Path) -> None:
    columns = {"day": "d", "headache": {"column": "h", "codes": {"ja": 1}}}
    files = {"diary": {"path": "a.csv", "columns": columns}}
    windows = {"min_days": 10, "named": {"post": {"from": None, "to": 9, "min_days": 3}}}
    clinic = config.load_clinic(write_clinic(tmp_path / "c", files=files, windows=windows))
    assert clinic.windows.named == {"post": Window(from_=None, to=9, min_days=3)}
    assert clinic.windows.days_needed("post") == 3 and clinic.windows.days_needed("other") == 10
    assert clinic.windows.visit_recall.within_days == (70, 112)
    (diary,) = clinic.files["diary"]
    assert diary == ClinicFile(
        path="a.csv", columns={"day": "d", "headache": Column(column="h", codes={"ja": 1})}
    )
    # What is not stated stays so: null is written only where it means something.
    assert "sheet" not in to_dict(diary) and to_dict(clinic)["course"]["start"] is None
    assert not config.load_review(write_review(tmp_path / "r")).flow


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"windows": {"min_dayz": 1}}, "'windows.min_dayz' is not known"),
        ({"windows": {"min_days": 0}}, "'windows.min_days' must be at least 1"),
        (
            {"windows": {"named": {"Post": {"from": 1, "to": 2}}}},
            "must be lower-case letters",
        ),
        ({"language": "fr"}, "'language' must be one of en, es, de"),
        ({"files": {"dairy": {"path": "a.csv"}}}, "did you mean 'diary'?"),
        (
            {"files": {"diary": {"path": "../a.csv"}}},
            "must be the name of a file",
        ),
        ({"files": {"diary": [{"path": []}]}}, "files.diary.0.path"),
        ({"files": {"diary": {"path": "a", "columns": {"day": {"colum": "d"}}}}}, "'column'?"),
        ({"course": {"gap_weeks": None}}, "course.gap_weeks"),
        ({"files": {"diary": {"path": "a.csv", "redcap": None}}}, "files.diary.redcap"),
        ({"individual": {"sem": 0}}, "individual.sem"),
        (
            {"expected": {"population_means": [6, 6]}},
            "lists something twice",
        ),
        ({"expected": {"cutoff": {"days": 15}}}, "days, population_sd and source"),
    ],
)
def test_what_breaks_a_rule_is_said_with_its_place(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as error:
        config.load_clinic(write_clinic(tmp_path / "c", **changes))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ({"sd": "4,5"}, "'published.0.sd' must be a number as printed, in quotes"),
        ({"estimate": "4,5"}, "must be a number as printed, in quotes, or 'not estimable'"),
    ],
)
def test_a_number_that_is_not_as_printed_is_said_in_words(
    number: dict[str, str], said: str, tmp_path: Path
) -> None:
    printed = {"id": "a", "label": "A", "recompute": {"comparison": "x"}, **number}
    with pytest.raises(ConfigError) as error:
        config.load_review(write_review(tmp_path / "r", published=[printed]))
    (problem,) = error.value.problems
    assert said in str(problem) and "[0-9]" not in str(problem)


def test_a_pattern_that_has_words_is_one_of_a_schema() -> None:
    kinds = (config.find_class(name) for name in ("clinic", "review", "config"))
    schemas = [json.dumps([*map(derive_schema, kinds)]), json.dumps(instruments._SCHEMA)]
    for pattern in _PATTERNS:
        assert any(f'"pattern": {json.dumps(pattern)}' in schema for schema in schemas), pattern


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    folder = write_clinic(tmp_path / "c", language="fr", disclosur="cms", gate={"k": 0})
    with pytest.raises(ConfigError) as error:
        config.load_clinic(folder)
    assert len(error.value.problems) == 3


# ---- versions ------------------------------------------------------------------------------------


def rename(document: Mapping[str, Any]) -> dict[str, Any]:
    """A made-up step: `name` became `title`, and `days` says nothing any more."""
    if "days" in document.get("windows", {}):
        raise Changed("windows.days", Message("remedy.version", version=1))
    out = {k: v for k, v in document.items() if k != "name"}
    return out | {"title": document["name"]}


STEPS = {"clinic": {0: rename}}


def test_an_older_file_is_read_step_by_step(tmp_path: Path) -> None:
    text = "# made up\nschema_version: 0\nname: C\n"
    path = write(tmp_path / "c", text) / "clinic.yaml"
    old = config.load_yaml(path)
    assert upgrade(old, "clinic", path, steps=STEPS) == {"schema_version": 1, "title": "C"}
    assert old == {"schema_version": 0, "name": "C"}  # a step changes nothing in place


def test_a_line_that_changed_is_named_with_what_to_write(tmp_path: Path) -> None:
    text = "schema_version: 0\nname: C\nwindows:\n  # a remark\n  days: 4\n"
    path = write(tmp_path / "c", text) / "clinic.yaml"
    read = read_document(path)
    with pytest.raises(ConfigError) as error:
        upgrade(read.content, "clinic", path, read.lines, steps=STEPS)
    (problem,) = error.value.problems
    assert problem.line == 5 and "'windows.days' of version 0" in str(problem)
    assert problem.remedy == Message("remedy.version", version=1)


@pytest.mark.parametrize(("version", "said"), [(2, "newer than 1"), (0, "no longer read")])
def test_other_versions_are_refused_at_their_line(version: int, said: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "c", f"id: c\nschema_version: {version}\n")
    with pytest.raises(ConfigError) as error:
        config.load_clinic(folder)
    assert said in str(error.value) and "clinic.yaml, line 2" in str(error.value)
    assert "write `schema_version: 1`" in str(error.value)
    (folder / "review.yaml").write_text(f"schema_version: {version}\n")
    with pytest.raises(ConfigError, match=said):
        config.load_review(folder)


@pytest.mark.parametrize("version", ["one", True, None])
def test_a_version_that_is_none_is_one_problem_among_the_others(
    version: Any, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as error:
        config.load_clinic(write_clinic(tmp_path / "c", schema_version=version, language="fr"))
    assert len(error.value.problems) == 2


def test_a_column_is_named_in_one_way_and_a_clash_in_words() -> None:
    """Every language names both keys, not a rule of JSON Schema."""
    entry = {"path": "d.csv", "columns": {"headache": {"column": "a", "checkboxes": "b"}}}
    document = {"schema_version": 1, "id": "c", "title": "T", "source": "s", "licence": "l"}
    document |= {"disclosure": "public", "files": {"diary": entry}}
    (problem,) = config.check_document(document, "clinic", "clinic.yaml")
    for language in LANGUAGES:
        with speaking(language):
            text = say(problem.message)
        assert "'files.diary.columns.headache'" in text
        assert "column, checkboxes" in text and "oneOf" not in text
