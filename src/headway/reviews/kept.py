"""Results of a review as of one run: those of today, an older folder, or a copy that was kept."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.config.document import read_document
from headway.errors import ConfigError, InputError, Problem
from headway.messages import Message
from headway.tables import read_older_csv, replacing_folder, write_text

if TYPE_CHECKING:
    import pandas as pd

KEPT = "kept"  # below the folder of the data, where no build and no `make clean` comes
RECORD = "kept.json"
FORM = 1  # of a kept folder
SETTINGS = "review.yaml"
# What is held against each other. Without the first two nothing can be said.
COMPARED = ("effects", "pooled", "reproduction", "findings")
_ESSENTIAL: Mapping[str, tuple[str, ...]] = {
    "effects": ("comparison", "trial"),
    "pooled": ("comparison", "subgroup", "measure", "declared", "estimate", "ci_low", "ci_high"),
}
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(?:_(\d+))?")


@dataclass(frozen=True, slots=True)
class Results:
    """Results of one run.

    `lacking` holds, by table, the columns of today that it lacks; None stands for the whole table.
    `beyond` holds columns that today's program does not know. `settings` is review.yaml as typed,
    and `version` the program's; both are empty where the folder does not tell.
    """

    name: str
    tables: Mapping[str, pd.DataFrame]
    settings: Mapping[str, Any] | None = None
    version: str = ""
    lacking: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    beyond: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def find_kept(data: Path, review: str) -> list[Path]:
    """List the kept folders of a review, the oldest first."""
    found = {
        path: (match[1], int(match[2] or 1))
        for path in (data / KEPT / review).glob("*")
        if (match := _DAY.fullmatch(path.name)) and path.is_dir()
    }
    return sorted(found, key=lambda path: found[path])


def keep_results(results: Path, raw: Path, data: Path, day: str, version: str) -> Path:
    """Keep a review's tables and its review.yaml; a second copy of a day gets a number.

    Parameters
    ----------
    results, raw
        results/trials/<review> and data/raw/trials/<review>.
    data
        Folder of the data; the copy goes to kept/<review>/<day> below it.
    day
        Such as 2031-05-01.
    version
        The program's, with its commit.
    """
    top = data / KEPT / raw.name
    names = itertools.chain([day], (f"{day}_{i:02d}" for i in itertools.count(2)))
    folder = next(top / name for name in names if not (top / name).exists())
    record = {"form": FORM, "review": raw.name, "headway": version}
    with replacing_folder(folder) as part:
        for table in COMPARED:
            shutil.copyfile(results / f"{table}.csv", part / f"{table}.csv")
        shutil.copyfile(raw / SETTINGS, part / SETTINGS)
        write_text(json.dumps(record, indent=1) + "\n", part / RECORD)
    return folder


def read_results(folder: Path, review: str) -> Results:
    """Read the results of an older run: a kept folder, or results/trials/<review> of that run.

    Beside results of a checkout or a whole copy of it, review.yaml and the version are found
    where a run puts them.

    Raises
    ------
    InputError
        If it is no folder of results, or that of another review; with the line that cures it.
    """
    if not folder.is_dir():
        raise _refuse(folder, "problem.not_there", review)
    record = _read_record(folder, review)
    known = str(record.get("review") or _name_by_place(folder) or review)
    if known != review:
        raise _refuse(folder, Message("problem.older_of_another", other=known), review)
    found: dict[str, pd.DataFrame] = {}
    lacking: dict[str, tuple[str, ...] | None] = {}
    beyond: dict[str, tuple[str, ...]] = {}
    for table in COMPARED:
        path = folder / f"{table}.csv"
        if not path.is_file():
            if table in _ESSENTIAL:
                raise _refuse(folder, Message("problem.no_older_table", file=path.name), review)
            lacking[table] = None
            continue
        try:
            found[table], less, more = read_older_csv(table, path)
        except ValueError:
            raise _refuse(path, "problem.older_unreadable", review) from None
        if set(less) & set(_ESSENTIAL.get(table, ())):
            raise _refuse(path, "problem.older_unreadable", review)
        lacking |= {table: less} if less else {}
        beyond |= {table: more} if more else {}
    name = folder.name if record else folder.as_posix()
    settings = _read_settings(folder, review, bool(record))
    version = str(record.get("headway") or _read_version(folder))
    return Results(name, found, settings, version, lacking, beyond)


def refuse_stranger(older: Results, review: str, comparisons: set[str], folder: Path) -> None:
    """Refuse results that share no comparison with today's.

    Raises
    ------
    InputError
        With what to name instead.
    """
    there = set(older.tables["pooled"]["comparison"])
    if there and comparisons and not there & comparisons:
        raise _refuse(folder, "problem.older_shares_nothing", review)


def _refuse(path: Path, message: str, review: str) -> InputError:
    remedy = Message("remedy.older_results", name=review)
    problem = Problem(path.as_posix(), "older_results", message, remedy=remedy)
    return InputError(Message("failure.no_update", name=review), [problem])


def _read_record(folder: Path, review: str) -> dict[str, Any]:
    """Read what was written beside kept tables; empty where they were not kept by the command."""
    path = folder / RECORD
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        form = record["form"]
    except (ValueError, KeyError, TypeError):
        raise _refuse(path, "problem.older_unreadable", review) from None
    if form != FORM:
        remedy = Message("remedy.newer_headway", name=review)
        problem = Problem(path.as_posix(), "form", "problem.older_form", remedy=remedy)
        raise InputError(Message("failure.no_update", name=review), [problem])
    return dict(record)


def _name_by_place(folder: Path) -> str:
    """Name the review of a folder `results/trials/<review>`; elsewhere a name says nothing."""
    full = folder.resolve()
    return full.name if full.parent.name == "trials" else ""


def _read_settings(folder: Path, review: str, kept: bool) -> Mapping[str, Any] | None:
    places = [folder / SETTINGS]
    if not kept:
        top = folder.resolve().parents[2:3]
        places += [base / "data" / "raw" / "trials" / review / SETTINGS for base in top]
    for path in places:
        if path.is_file():
            try:
                return read_document(path).content
            except ConfigError:  # an older form of it: said on the page
                return None
    return None


def _read_version(folder: Path) -> str:
    for base in folder.resolve().parents[1:2]:
        try:
            record = json.loads((base / "provenance.json").read_text(encoding="utf-8"))
            return str(record["headway"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return ""
