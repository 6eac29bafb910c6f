"""Files of summaries -> the summaries that can be pooled, and why the others cannot.

A summary comes from outside: it is held against its size, its schema, its hashes and itself before
a number of it is used. One that fails is refused by name, and the others go on.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from headway.config import load_yaml
from headway.config.faults import find_faults
from headway.disclosure import Preset
from headway.errors import InputError, Problem, RefusedError
from headway.federation.definitions import find_differences
from headway.federation.hashes import hash_content, hash_numbers, hash_value
from headway.federation.summary import COUNTS, SCHEMA_VERSION, find_se
from headway.messages import Message, term

SCHEMA_FILE = Path(__file__).with_name("summary.schema.yaml")
MOST_BYTES = 1_000_000
_SAME = 1e-9
_AGAIN = "remedy.summary_again"


@dataclass(frozen=True, slots=True)
class Offered:
    """A file that was offered: its summary, or what is wrong with it."""

    file: str
    summary: Mapping[str, Any] | None
    problems: tuple[Problem, ...] = ()

    @property
    def name(self) -> str:
        """Identifier or pseudonym of the clinic; empty where it could not be read."""
        return "" if self.summary is None else str(self.summary["clinic"]["id"])

    @property
    def usable(self) -> bool:
        """Whether nothing is wrong."""
        return self.summary is not None and not self.problems

    def refuse(self, *problems: Problem) -> Offered:
        """Refuse it."""
        return replace(self, problems=(*self.problems, *problems))


def find_files(paths: Sequence[Path], leave_out: Path | None = None) -> list[tuple[str, Path]]:
    """List the files that are meant: those named, and every .json in the folders and below.

    Parameters
    ----------
    leave_out
        Folder whose files are none: the registry's own.

    Returns
    -------
    list of (str, Path)
        The name a file is told by, and the file.

    Raises
    ------
    InputError
        If a path is not there, or there is no file at all.
    """
    found: dict[Path, str] = {}
    for path in paths:
        if not path.exists():
            problem = Problem(
                str(path), "missing_file", "problem.not_there", remedy="remedy.file_name"
            )
            raise InputError("failure.no_summaries", [problem])
        several = sorted(path.rglob("*.json")) if path.is_dir() else [path]
        for file in several:
            own = file.resolve()
            inside = leave_out is not None and own.is_relative_to(leave_out.resolve())
            if file.is_file() and not inside:
                name = file.relative_to(path) if path.is_dir() else Path(file.name)
                found.setdefault(own, name.as_posix())
    if not found:
        place = ", ".join(map(str, paths))
        problem = Problem(
            place, "no_summary", "problem.no_summary", remedy="remedy.collect_summaries"
        )
        raise InputError("failure.no_summaries", [problem])
    names = Counter(found.values())
    return sorted((str(path) if names[name] > 1 else name, path) for path, name in found.items())


def read_summaries(files: Iterable[tuple[str, Path]]) -> list[Offered]:
    """Read summaries; what is broken, changed or there twice is refused, each by itself."""
    read = [_read(name, path) for name, path in files]
    return _refuse_twice(read)


def _read(name: str, path: Path) -> Offered:
    size = path.stat().st_size
    if size > MOST_BYTES:
        most = Message("problem.summary_large", kb=MOST_BYTES // 1000)
        return Offered(name, None, (Problem(name, "too_large", most, remedy=_AGAIN),))
    try:
        document = json.loads(
            path.read_text(encoding="utf-8"),
            parse_constant=_refuse_constant,
            object_pairs_hook=_take_once,
        )
    except (ValueError, RecursionError):
        problem = Problem(name, "not_json", "problem.summary_not_json", remedy=_AGAIN)
        return Offered(name, None, (problem,))
    if not isinstance(document, dict) or "schema_version" not in document:
        problem = Problem(name, "no_summary", "problem.not_a_summary", remedy=_AGAIN)
        return Offered(name, None, (problem,))
    if document["schema_version"] != SCHEMA_VERSION:
        text = Message("problem.summary_version", version=SCHEMA_VERSION)
        problem = Problem(name, "schema_version", text, remedy="remedy.summary_version")
        return Offered(name, None, (problem,))
    faults = find_faults(document, _load_schema(), name)
    if faults:
        return Offered(name, None, tuple(faults))
    return Offered(name, document, tuple(_check(document, name)))


@cache
def _load_schema() -> Mapping[str, Any]:
    return load_yaml(SCHEMA_FILE)


def _refuse_constant(name: str) -> float:
    raise ValueError("a number that is none")


def _take_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object, and refuse a key that stands twice: readers would differ about it."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice")
    return made


# ---- what a summary must agree with itself in ----------------------------------------------------


def _check(summary: Mapping[str, Any], file: str) -> Iterator[Problem]:
    hashes = summary["hashes"]
    if hashes["content"] != hash_content(summary):
        yield Problem(file, "content_hash", "problem.summary_changed", remedy=_AGAIN)
        return
    if hashes["definitions"] != hash_value(summary["definitions"]):
        yield Problem(file, "definitions_hash", "problem.summary_definitions", remedy=_AGAIN)
        return
    pairs = Counter((o["outcome"], o["comparison"]) for o in summary["outcomes"])
    primary = sum(o["primary"] for o in summary["outcomes"])
    if max(pairs.values()) > 1 or primary > 1:
        yield Problem(file, "row_twice", "problem.summary_rows", remedy=_AGAIN)
    if summary["disclosure"]["preset"] == "internal" and not summary["clinic"]["synthetic"]:
        inside = ("not_for_release", "problem.release_internal")
        yield Problem(file, *inside, remedy="remedy.release_internal")
    for row in summary["outcomes"]:
        rules = [rule for rule, holds in _hold(row, summary) if not holds]
        if rules:
            text = Message(
                "problem.summary_contradicts",
                outcome=row["outcome"],
                comparison=row["comparison"],
                fields=[term("contradicts", rule) for rule in rules],
            )
            yield Problem(file, "contradiction", text, remedy=_AGAIN)


def _hold(row: Mapping[str, Any], summary: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Hold a row against what must be so of any clinic: the rule, and whether it holds."""
    preset = read_preset(summary)
    defined, n = summary["definitions"], row["n"]
    units, pairs = defined["outcomes"], defined["comparisons"]
    yield (
        "defined",
        units.get(row["outcome"], {}).get("unit") == row["unit"] and row["comparison"] in pairs,
    )
    means = [row[c] for c in ("mean_before", "mean_after", "mean_change")]
    if None not in means:
        before, after, change = means
        slack = 1.5 * find_unit(row) + _SAME * max(1.0, *map(abs, means))
        yield "means", abs(after - before - change) <= slack
    limits = [row[c] for c in ("ci_low", "mean_change", "ci_high")]
    if None not in limits:
        slack = find_unit(row)
        yield "limits", limits[0] - slack <= limits[1] <= limits[2] + slack
    se = find_se(row["sd_change"], n, preset)
    yield (
        "se",
        (se is None) == (row["se"] is None)
        and (se is None or math.isclose(se, row["se"], rel_tol=1e-9, abs_tol=1e-300)),
    )
    counts = [row[c] for c in COUNTS]
    known = [c for c in counts if c is not None]
    yield (
        "people",
        (n is None or row["of"] is None or n <= row["of"])
        and all(n is None or c <= n for c in known),
    )
    printed = [c for c in (n, row["of"], *known) if c is not None]
    yield (
        "disclosure",
        all(c == 0 or (c > preset.redact_up_to and c % preset.round_to == 0) for c in printed),
    )


def read_preset(summary: Mapping[str, Any]) -> Preset:
    """Read the rules under which a summary's numbers were printed."""
    told = summary["disclosure"]
    return Preset(told["preset"], told["hidden_up_to"], told["rounded_to"], "")


def find_unit(row: Mapping[str, Any]) -> float:
    """Find the last unit that means of a row are printed in; 0 where they were not rounded."""
    return 0.0 if row["decimals"] is None else 10.0 ** -row["decimals"]


# ---- several of one clinic -----------------------------------------------------------------------


def _refuse_twice(read: Sequence[Offered]) -> list[Offered]:
    """Refuse copies, and all summaries of a clinic that do not say the same."""
    first: dict[str, Offered] = {}  # by the numbers
    out = []
    for one in read:
        if not one.usable or one.summary is None:
            out.append(one)
            continue
        if all(row["mean_change"] is None for row in one.summary["outcomes"]):
            out.append(one)  # all clinics that withhold everything say the same
            continue
        numbers = hash_numbers(one.summary)
        if numbers in first:
            out.append(one.refuse(_say_twice(one.file, first[numbers], "problem.summary_copied")))
            continue
        first[numbers] = one
        out.append(one)
    names = Counter(one.name for one in out if one.usable)
    return [
        one.refuse(_say_twice(one.file, one, "problem.summary_twice"))
        if one.usable and names[one.name] > 1
        else one
        for one in out
    ]


def _say_twice(file: str, other: Offered, id: str) -> Problem:
    text = Message(id, clinic=other.name, file=other.file)
    return Problem(file, "twice", text, remedy="remedy.summary_twice")


# ---- definitions ---------------------------------------------------------------------------------


def hold_together(offered: Sequence[Offered], reference: str | None) -> list[Offered]:
    """Refuse the summaries whose definitions are not those of the others.

    Parameters
    ----------
    reference
        Clinic whose definitions stand; None: all must be alike.

    Raises
    ------
    InputError
        If no summary of `reference` can be used.
    RefusedError
        If there are differences and no `reference` was named: which clinics belong together is
        not for a program to choose.
    """
    usable = {one.name: one for one in offered if one.usable and one.summary is not None}
    if reference is not None and reference not in usable:
        remedy = Message("remedy.name_a_source", names=sorted(usable)[:12])
        text = Message("problem.no_such_summary", name=reference)
        raise InputError(
            "failure.no_summaries", [Problem("--definitions-of", "unknown", text, remedy=remedy)]
        )
    definitions = [
        (name, one.summary["definitions"]) for name, one in usable.items() if one.summary
    ]
    found: dict[str, list[Problem]] = {}
    for one in find_differences(definitions, reference):
        file = usable[one.clinic].file
        problem = Problem(file, one.definition, one.message, remedy=one.remedy)
        found.setdefault(one.clinic, []).append(problem)
    if found and reference is None:
        raise RefusedError(
            "failure.definitions_differ", [p for problems in found.values() for p in problems]
        )
    return [
        one.refuse(*found[one.name]) if one.usable and one.name in found else one for one in offered
    ]
