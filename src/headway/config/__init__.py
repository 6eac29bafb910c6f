"""Reading and validating `config.yaml`, `review.yaml` and `clinic.yaml`.

Classes of settings (`Clinic`, `Review`, `Config`) hold types, rules and every default; their JSON
Schema is derived. All problems of a file are reported at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from headway.config.document import Keys, read_document
from headway.config.faults import find_faults
from headway.config.run import Config
from headway.config.schema import build, derive_schema, read_switches, to_dict
from headway.config.sources import Source as Source
from headway.config.sources import check_folder as check_folder
from headway.config.sources import find_sources as find_sources
from headway.config.sources import select_sources as select_sources
from headway.config.upgrade import upgrade
from headway.errors import ConfigError, Problem
from headway.messages import Message

if TYPE_CHECKING:
    from headway.config.clinic import Clinic
    from headway.config.review import Review

SchemaName = Literal["config", "review", "clinic"]

# Below these keys stand cells of a data file, which are compared as they were typed.
_CELLS = ("codes", "keep_where", "missing")


def find_class(schema: SchemaName) -> Any:
    """Find the class of settings that a file holds."""
    # Imported where needed: a run with nothing to do reads only the run's settings.
    if schema == "clinic":
        from headway.config.clinic import Clinic

        return Clinic
    if schema == "review":
        from headway.config.review import Review

        return Review
    return Config


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, names a key twice, or is not a mapping.
    """
    return read_document(path).content


def check_document(
    document: Mapping[str, Any],
    schema: SchemaName,
    file: str,
    lines: Mapping[Keys, int] = MappingProxyType({}),
) -> list[Problem]:
    """List everything in a document that breaks its schema, with a suggestion for unknown keys."""
    return find_faults(document, derive_schema(find_class(schema)), file, lines)


def load_review(folder: Path) -> Review:
    """Read and validate `review.yaml` of a folder of published trials.

    Raises
    ------
    ConfigError
        With every problem found.
    """
    from headway.config.review import Review

    return build(Review, _load(folder / "review.yaml", "review"))


def load_clinic(folder: Path) -> Clinic:
    """Read and validate `clinic.yaml` of a folder of clinic records.

    Raises
    ------
    ConfigError
        With every problem found.
    """
    from headway.config.clinic import Clinic

    document = _load(folder / "clinic.yaml", "clinic")
    document["files"] = {kind: _list_files(entry) for kind, entry in document["files"].items()}
    return build(Clinic, document)


def _load(path: Path, schema: SchemaName) -> dict[str, Any]:
    """Read a YAML file as today's version and hold it against its schema."""
    read = read_document(path, own=_CELLS)
    document = read_switches(find_class(schema), upgrade(read.content, schema, path, read.lines))
    problems = check_document(document, schema, path.name, read.lines)
    if problems:
        raise ConfigError(
            Message("failure.schema", file=f"{path.parent.name}/{path.name}"), problems
        )
    return document


def _list_files(entry: Any) -> list[dict[str, Any]]:
    """Write an entry of a clinic's `files:` as a list with one path each."""
    out = []
    for one in entry if isinstance(entry, list) else [entry]:
        paths = one["path"] if isinstance(one["path"], list) else [one["path"]]
        out += [{**one, "path": path} for path in paths]
    return out


def write_settings(settings: Clinic | Review) -> str:
    """Write settings as JSON with every default, for the jobs that come after."""
    return json.dumps(to_dict(settings), indent=1) + "\n"


def read_clinic(path: Path) -> Clinic:
    """Read a clinic's settings back from `write_settings`."""
    from headway.config.clinic import Clinic

    return build(Clinic, json.loads(path.read_text(encoding="utf-8")))


def read_review(path: Path) -> Review:
    """Read a review's settings back from `write_settings`."""
    from headway.config.review import Review

    return build(Review, json.loads(path.read_text(encoding="utf-8")))


def name_clinic(name: str) -> Clinic:
    """Make the settings of a clinic that was refused: its name and the defaults."""
    from headway.config.clinic import Clinic

    return Clinic(schema_version=1, id=name, title=name, source="", licence="", files={})


def name_review(name: str) -> Review:
    """Make the settings of a review that was refused: its name and the defaults."""
    from headway.config.review import Review, ReviewFiles

    return Review(
        schema_version=1,
        id=name,
        title=name,
        source="",
        licence="",
        outcomes={},
        files=ReviewFiles(),
        comparisons=(),
    )


def check_config(config: Mapping[str, Any]) -> Config:
    """Hold the run's settings against their schema.

    Raises
    ------
    ConfigError
        With every problem found.
    """
    problems = check_document(config, "config", "config.yaml")
    if problems:
        raise ConfigError("failure.config", problems)
    return build(Config, config)
