"""Where a command's clinic or review is, and its data and results: by name or folder, anywhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headway.errors import ConfigError, Problem
from headway.messages import Message

SETTINGS = {"clinics": "clinic.yaml", "trials": "review.yaml"}
_LISTED = 12  # names that an error lists


@dataclass(frozen=True, slots=True)
class Place:
    """The folders of data and results, and the one to run in (None: the current one)."""

    data: Path
    results: Path
    home: Path | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A clinic or a review: `kind` is `clinics` or `trials`, or empty for a folder elsewhere."""

    kind: str
    name: str
    folder: Path
    place: Place

    @property
    def page(self) -> Path:
        """Where its page is once it is built."""
        page = "audit.html" if self.kind == "clinics" else "index.html"
        return self.place.results / self.kind / self.name / page


def find_place(data: Path | None, results: Path | None = None) -> Place:
    """Find the folders of data and results.

    Without `data` they are those of the current folder, or of the nearest folder above it that
    has a `data/raw` with clinics or reviews; within a data folder, that one.
    """
    if data is not None:
        return Place(data, results or Path("results"))
    here = Path.cwd()
    if not (here / "data" / "raw").is_dir():
        for base in (here, *here.parents[:-1]):
            for found in (base / "data", base):
                if any((found / "raw" / kind).is_dir() for kind in SETTINGS):
                    home = found.parent
                    return Place(found, _pin(results) or home / "results", home)
    return Place(Path("data"), results or Path("results"))


def locate(
    named: Path,
    data: Path | None,
    results: Path | None = None,
    kinds: Sequence[str] = tuple(SETTINGS),
) -> Source:
    """Find a clinic or a review by its folder, or by its name below the data's `raw`.

    `clinics/NAME` and `trials/NAME` tell a clinic from a review of the same name.

    Raises
    ------
    ConfigError
        If there is none, with the names that there are.
    """
    if any((named / SETTINGS[kind]).is_file() for kind in kinds):
        return _take_folder(named, data, results)
    place = find_place(data, results)
    if named.parts and not named.is_absolute() and ".." not in named.parts:
        for kind in (*kinds, ""):
            folder = place.data / "raw" / kind / named
            if folder.is_dir():
                kind = kind or (named.parts[0] if named.parts[0] in SETTINGS else "")
                return Source(kind, named.name, folder, place)
    if named.is_dir():
        return _take_folder(named, data, results)
    there = sorted(
        path.name
        for kind in kinds
        for path in (place.data / "raw" / kind).glob("*")
        if (path / SETTINGS[kind]).is_file()
    )
    remedy = Message("remedy.name_a_source", names=there[:_LISTED])
    if not there:
        remedy = Message("remedy.make_a_source")
    problem = Problem(
        str(place.data / "raw"), "not_found", "problem.source_not_there", remedy=remedy
    )
    raise ConfigError(Message("failure.source_not_there", name=str(named)), [problem])


def _take_folder(folder: Path, data: Path | None, results: Path | None) -> Source:
    """Take a folder; where it stands in `DATA/raw/clinics`, its data and results follow from it."""
    for way in (Path(os.path.abspath(folder)), folder.resolve()):  # noqa: PTH100  keeps links
        kind, raw = way.parent.name, way.parents[1] if len(way.parents) > 1 else way
        if kind in SETTINGS and raw.name == "raw":
            found = raw.parent
            place = find_place(data, results)
            if place.data.resolve() != found.resolve():
                home = found.parent
                place = Place(found, _pin(results) or home / "results", home)
            return Source(kind, way.name, folder, place)
    return Source("", folder.resolve().name, folder, find_place(data, results))


def _pin(path: Path | None) -> Path | None:
    """Keep a path that was typed relative to the current folder, whatever folder the run is in."""
    return None if path is None else path.absolute()


def locate_own(kind: str, named: Path, data: Path | None, results: Path | None = None) -> Source:
    """Find a clinic or a review for a command that takes one kind alone.

    Raises
    ------
    ConfigError
        If there is none, or it is of the other kind or not below `raw`.
    """
    source = locate(named, data, results, sorted(SETTINGS, key=lambda k: k != kind))
    refuse_elsewhere(source, kind)
    return source


def refuse_elsewhere(source: Source, kind: str) -> None:
    """Refuse what a run cannot build: the other kind, or a folder that is not below `raw`.

    Raises
    ------
    ConfigError
        With the line to type instead.
    """
    if source.kind == kind:
        return
    if source.kind:
        command = "audit" if source.kind == "clinics" else "reproduce"
        line = Message("remedy.run", line=f"headway {command} {source.name}")
        text = "problem.is_a_clinic" if source.kind == "clinics" else "problem.is_a_review"
    else:
        line = Message("remedy.move_below_raw", folder=f"{source.place.data}/raw/{kind}")
        text = "problem.not_below_raw"
    problem = Problem(str(source.folder), "other_place", text, remedy=line)
    raise ConfigError(Message("failure.not_built", name=source.name), [problem])
