"""Reading and validating `config.yaml`, `review.yaml` and `clinic.yaml`.

The JSON Schemas stand beside this file and hold every default, so that no default hides in
code. All problems of a file are reported at once.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from headway.config.faults import find_faults
from headway.errors import ConfigError, Problem
from headway.messages import Message

SCHEMA_DIR = Path(__file__).parent

SchemaName = Literal["config", "review", "clinic"]


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, or is not a mapping.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            Message("failure.yaml_missing", file=path.name, folder=path.parent.name)
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(Message("failure.yaml_not_utf8", file=path.name)) from None
    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        problem = Problem(path.name, "yaml", "problem.yaml", line=line, remedy="remedy.yaml")
        raise ConfigError(Message("failure.yaml_invalid", file=path.name), [problem]) from None
    if not isinstance(document, dict):
        raise ConfigError(Message("failure.yaml_no_mapping", file=path.name))
    return document


@cache
def _schema(name: SchemaName) -> dict[str, Any]:
    return load_yaml(SCHEMA_DIR / f"{name}.schema.yaml")


def check_document(document: Mapping[str, Any], schema: SchemaName, file: str) -> list[Problem]:
    """List everything in a document that breaks its schema, with a suggestion for unknown keys."""
    return find_faults(document, _schema(schema), file)


def fill_defaults(value: Any, rule: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """Write the schema's defaults into a document, in place, wherever a key is absent.

    Follows `properties`, `additionalProperties`, `items` and references into `$defs`.
    """
    if "$ref" in rule:
        rule = schema["$defs"][rule["$ref"].rsplit("/", 1)[1]]
    if isinstance(value, dict):
        known = rule.get("properties", {})
        for key, part in known.items():
            if key not in value and "default" in part:
                value[key] = copy.deepcopy(part["default"])
            if key in value:
                fill_defaults(value[key], part, schema)
        others = rule.get("additionalProperties")
        if isinstance(others, dict):
            for key in value.keys() - known.keys():
                fill_defaults(value[key], others, schema)
    elif isinstance(value, list) and isinstance(rule.get("items"), dict):
        for item in value:
            fill_defaults(item, rule["items"], schema)
    return value


def load_document(path: Path, schema: SchemaName) -> dict[str, Any]:
    """Read a YAML file, hold it against its schema and fill in the schema's defaults.

    Raises
    ------
    ConfigError
        With every problem found.
    """
    document = load_yaml(path)
    problems = check_document(document, schema, path.name)
    if problems:
        raise ConfigError(
            Message("failure.schema", file=f"{path.parent.name}/{path.name}"), problems
        )
    if schema == "clinic":
        document["files"] = {k: list_files(v) for k, v in document["files"].items()}
    fill_defaults(document, _schema(schema), _schema(schema))
    return document


def list_files(entry: Any) -> list[dict[str, Any]]:
    """Write an entry of a clinic's `files:` as a list with one path each."""
    out = []
    for one in entry if isinstance(entry, list) else [entry]:
        paths = one["path"] if isinstance(one["path"], list) else [one["path"]]
        out += [{**copy.deepcopy(one), "path": path} for path in paths]
    return out


def load_review(folder: Path) -> dict[str, Any]:
    """Read and validate `review.yaml` of a folder of published trials."""
    return load_document(folder / "review.yaml", "review")


def load_clinic(folder: Path) -> dict[str, Any]:
    """Read and validate `clinic.yaml` of a folder of clinic records."""
    return load_document(folder / "clinic.yaml", "clinic")


@dataclass(frozen=True, slots=True)
class Source:
    """A folder of raw data: a review of trials or a clinic, and the files it declares."""

    kind: Literal["trials", "clinics"]
    name: str
    folder: Path
    files: tuple[Path, ...]
    missing: tuple[str, ...]
    obtain: str

    @property
    def ready(self) -> bool:
        """Whether every file that the YAML requires is there."""
        return not self.missing


def find_sources(data_dir: Path, kind: Literal["trials", "clinics"]) -> list[Source]:
    """Find the reviews or clinics below `data_dir/raw/<kind>`, sorted by name.

    A source whose declared file is absent is returned with `missing`, so that the run can skip
    it with a notice. Only the YAML is parsed here; it is validated in the source's own job.
    """
    document = {"trials": "review.yaml", "clinics": "clinic.yaml"}[kind]
    sources = []
    for path in sorted((data_dir / "raw" / kind).glob(f"*/{document}")):
        try:
            content = load_yaml(path)
        except ConfigError:
            content = {}  # the source's own job reports what is wrong; the others go on
        declared = content.get("files")
        entries = declared.values() if isinstance(declared, dict) else ()
        files = tuple(
            dict.fromkeys(
                _find_folder(path.parent, one) / name
                for entry in entries
                for one in (entry if isinstance(entry, list) else [entry])
                if isinstance(one, dict)
                for name in _file_names(one)
            )
        )
        sources.append(
            Source(
                kind=kind,
                name=path.parent.name,
                folder=path.parent,
                files=(path, *(f for f in files if f.is_file())),
                missing=tuple(f.name for f in files if not f.is_file()),
                obtain=str(content.get("obtain") or ""),
            )
        )
    return sources


def _file_names(entry: Mapping[str, Any]) -> list[str]:
    """List the files that an entry names: its rows, and REDCap's dictionary."""
    path = entry.get("path")
    names = path if isinstance(path, list) else [path]
    redcap = entry.get("redcap")
    if isinstance(redcap, dict):
        names = [*names, redcap.get("dictionary")]
    return [name for name in names if isinstance(name, str)]


def _find_folder(folder: Path, entry: Mapping[str, Any]) -> Path:
    """Find where a declared file stands: with its source, or in the clinic that it names."""
    clinic = entry.get("clinic")
    return folder.parents[1] / "clinics" / clinic if isinstance(clinic, str) else folder


def check_config(config: dict[str, Any]) -> None:
    """Hold the run's settings against their schema and fill in its defaults, in place.

    Raises
    ------
    ConfigError
        With every problem found.
    """
    problems = check_document(config, "config", "config.yaml")
    if problems:
        raise ConfigError("failure.config", problems)
    fill_defaults(config, _schema("config"), _schema("config"))


def select_sources(
    found: list[Source], selection: str | list[str], kind: Literal["trials", "clinics"]
) -> list[Source]:
    """Narrow the sources to those that the settings name.

    Raises
    ------
    ConfigError
        If a named source does not exist.
    """
    if selection == "all":
        return found
    names = [s.name for s in found]
    unknown = [name for name in selection if name not in names]
    if unknown:
        raise ConfigError(
            "failure.unknown_sources",
            [
                Problem(
                    "config.yaml",
                    "unknown_source",
                    Message("problem.unknown_source", name=name, kind=kind),
                    column=kind,
                    remedy=Message("remedy.known", names=names),
                )
                for name in unknown
            ],
        )
    return [s for s in found if s.name in selection]
