"""Reading and validating `config.yaml`, `review.yaml` and `clinic.yaml`.

Classes of settings (`Clinic`, `Review`, `Config`) hold types, rules and every default; their JSON
Schema is derived. All problems of a file are reported at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from headway.config.document import Keys, read_document
from headway.config.faults import find_faults
from headway.config.run import Config, Selection
from headway.config.schema import build, derive_schema, read_switches, to_dict
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
    document = read_switches(find_class(schema), upgrade(read.content, schema, path))
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


def select_sources(
    found: list[Source], selection: Selection, kind: Literal["trials", "clinics"]
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
