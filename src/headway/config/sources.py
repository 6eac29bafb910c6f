"""The folders of raw data: which of them are reviews or clinics, and why the others are not.

What is wrong with one folder is told of that folder; the others are found as if it were not there.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from headway.config.document import read_document
from headway.config.run import Selection
from headway.errors import ConfigError, Problem
from headway.messages import Message

Kind = Literal["trials", "clinics"]

SETTINGS_FILES: Mapping[Kind, str] = {"trials": "review.yaml", "clinics": "clinic.yaml"}
_NAME = re.compile(r"[a-z0-9_]+")
# A name of a file that may be asked for: no path, nothing that is not printed.
_FILE = re.compile(r"[^/\\\x00-\x1f\x7f]+")
# Files that come with any folder and hold no data.
_BESIDE = re.compile(r"\..*|readme.*|licen[cs]e.*|thumbs\.db|desktop\.ini", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """A folder of raw data: a review of trials or a clinic, and the files it declares.

    `state` is `ready`; `waiting` for the files in `missing`; `refused`, which no job could read
    as it stands there; or `unread`, without settings. `problems` say why, and of a source that is
    ready what its reader should hear.
    """

    kind: Kind
    name: str
    folder: Path
    files: tuple[Path, ...]
    missing: tuple[str, ...]
    obtain: str
    state: Literal["ready", "waiting", "refused", "unread"] = "ready"
    problems: tuple[Problem, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether the source can be read: its name is one, and every file it requires is there."""
        return self.state == "ready"


def find_sources(data_dir: Path, kind: Kind) -> list[Source]:
    """Find the reviews or clinics below `data_dir/raw/<kind>`, and what is none, sorted by name.

    A source whose declared file is absent is returned with `missing`, so that the run can skip
    it with a notice. Only the YAML is parsed here; it is validated in the source's own job.
    """
    top = data_dir / "raw" / kind
    try:
        with os.scandir(top) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [source for entry in entries for source in _find_source(top / entry.name, kind)]


def check_folder(folder: Path) -> None:
    """Hold the name of a folder below `raw/clinics` or `raw/trials` against what a run can take.

    Raises
    ------
    ConfigError
        If the name is no source's, with one that would be.
    """
    place = folder.resolve()
    if place.parent.name in SETTINGS_FILES and place.parents[1].name == "raw":
        problem = _check_name(place.name)
        if problem:
            raise ConfigError("failure.folder_name", [problem])


def _find_source(folder: Path, kind: Kind) -> Iterator[Source]:
    """Yield what an entry below `raw/<kind>` is; nothing if it holds no data."""
    name, document = _printable(folder.name), SETTINGS_FILES[kind]
    source = Source(kind, name, folder, (), (), "")
    try:
        if _is_file(folder / document):
            problem = _check_name(folder.name)
            if problem:
                yield replace(source, state="refused", problems=(problem,))
            else:
                yield _read_source(source)
        elif not _BESIDE.fullmatch(name) and (not folder.is_dir() or _holds_files(folder)):
            yield replace(source, state="unread", problems=(_say_unread(folder, kind),))
    except OSError as error:
        reason = Message("problem.folder_unreadable", reason=error.strerror or "")
        problem = Problem(name, "unreadable_folder", reason, remedy="remedy.permissions")
        yield replace(source, state="refused", problems=(problem,))


def _read_source(source: Source) -> Source:
    """List the files that a source declares, and say which are not there."""
    path = source.folder / SETTINGS_FILES[source.kind]
    try:
        content = read_document(path).content
    except (ConfigError, OSError):
        content = {}  # the source's own job reports what is wrong; the others go on
    declared = content.get("files")
    files = tuple(
        dict.fromkeys(
            _find_folder(source.folder, one) / name
            for entry in (declared.values() if isinstance(declared, dict) else ())
            for one in (entry if isinstance(entry, list) else [entry])
            if isinstance(one, dict)
            for name in _file_names(one)
        )
    )
    there = tuple(f for f in files if _is_file(f))
    other = [f.name for f in files if f not in there and os.path.exists(f)]  # noqa: PTH110
    missing = tuple(f.name for f in files if f not in there)
    problems = [
        Problem(name, "not_a_file", "problem.not_a_file", remedy="remedy.put_it_there")
        for name in other
    ]
    if "id" in content and str(content["id"]) != source.name:
        text = Message("problem.other_id", file=path.name)
        remedy = Message("remedy.other_id", name=source.name)
        problems.append(Problem(source.name, "other_id", text, column="id", remedy=remedy))
    return replace(
        source,
        files=(path, *there),
        missing=missing,
        obtain=str(content.get("obtain") or ""),
        state="refused" if other else "waiting" if missing else "ready",
        problems=tuple(problems),
    )


def _is_file(path: Path) -> bool:
    """Whether a regular file stands there; one that the machine may not look at does."""
    try:
        return path.is_file()
    except PermissionError:
        return True
    except OSError:  # a name that no file can have
        return False


def _check_name(name: str) -> Problem | None:
    """Say what is wrong with a folder's name: results, logs and jobs are called by it."""
    if _NAME.fullmatch(name):
        return None
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    better = re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or "clinic_1"
    remedy = Message("remedy.rename_folder", name=better)
    return Problem(_printable(name), "folder_name", "problem.folder_name", remedy=remedy)


def _printable(name: str) -> str:
    """Write a name so that it can be printed: what is no character becomes a mark."""
    return "".join(c if c.isprintable() else "\ufffd" for c in name)


def _holds_files(folder: Path) -> bool:
    """Whether a folder holds any file but what comes with every folder."""
    return any(not _BESIDE.fullmatch(name) for _, _, names in os.walk(folder) for name in names)


def _say_unread(folder: Path, kind: Kind) -> Problem:
    """Say that something was not read, with the file that may have been meant for its settings."""
    name, wanted = _printable(folder.name), SETTINGS_FILES[kind]
    if not folder.is_dir():
        remedy = Message("remedy.folder_of_its_own", file=wanted)
        return Problem(name, "loose_file", "problem.loose_file", remedy=remedy)
    meant = wanted.partition(".")[0]
    others = {file: other for other, file in SETTINGS_FILES.items() if other != kind}
    for one in sorted(path.name for path in folder.iterdir()):
        if one == wanted:  # a folder of that name
            continue
        if one in others:
            text = Message("problem.settings_elsewhere", file=wanted, other=one)
            remedy = Message("remedy.move_folder", kind=others[one])
            return Problem(name, "no_settings", text, remedy=remedy)
        letters = re.sub(r"[^a-z]", "", one.lower())
        if re.fullmatch(rf"{meant}(ya?ml|json|txt)(txt|ya?ml|bak|orig|old)?", letters):
            text = Message("problem.settings_misnamed", file=wanted, other=_printable(one))
            remedy = Message("remedy.rename_settings", file=wanted)
            return Problem(name, "no_settings", text, remedy=remedy)
    remedy = Message("remedy.write_settings", file=wanted)
    return Problem(name, "no_settings", Message("problem.no_settings", file=wanted), remedy=remedy)


def _file_names(entry: Mapping[str, Any]) -> list[str]:
    """List the files that an entry names: its rows, and REDCap's dictionary."""
    path = entry.get("path")
    names = path if isinstance(path, list) else [path]
    redcap = entry.get("redcap")
    if isinstance(redcap, dict):
        names = [*names, redcap.get("dictionary")]
    # A name that is none is refused by the schema.
    return [name for name in names if isinstance(name, str) and _FILE.fullmatch(name)]


def _find_folder(folder: Path, entry: Mapping[str, Any]) -> Path:
    """Find where a declared file stands: with its source, or in the clinic that it names."""
    clinic = entry.get("clinic")
    named = isinstance(clinic, str) and _NAME.fullmatch(clinic)
    return folder.parents[1] / "clinics" / str(clinic) if named else folder


def select_sources(found: list[Source], selection: Selection, kind: Kind) -> list[Source]:
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
