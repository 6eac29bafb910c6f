"""Read one of a review's files as text, its columns mapped to the canonical ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from headway.config.review import Column, ReviewFile
from headway.errors import Problem
from headway.ingest.open.numbers import as_code
from headway.ingest.open.reading import read_cells
from headway.ingest.trials.columns import NUMBERS, REQUIRED, TEXTS
from headway.messages import Message

if TYPE_CHECKING:
    import pandas as pd


_LISTED = 100  # rows listed one by one for the same rule and column
# Columns that tell rows apart: a code of missing values is a name there.
_NAMES = ("trial", "arm", "treatment_arm", "control_arm")


@dataclass(slots=True)
class File:
    """One file being read: its rows as text by canonical column, and what is wrong with it."""

    kind: str
    name: str
    rows: pd.DataFrame
    problems: list[Problem] = field(default_factory=list)
    absent: frozenset[str] = frozenset()  # required columns that the file does not have
    decimal: str = "."
    rows_in: int = 0  # rows below the header
    not_selected: int = 0  # rows that `keep_where` leaves out
    # The file's own column -> the canonical one it is read as (or ""), and its filled cells.
    columns: dict[str, tuple[str, int]] = field(default_factory=dict)

    def report(
        self, mask: pd.Series, rule: str, message: str, column: str, remedy: str = ""
    ) -> None:
        """Add a problem per row where `mask` holds; after the first hundred only their number."""
        lines = [int(line) for line in self.rows.loc[mask, "line"]]
        for line in lines[:_LISTED]:
            self.problems.append(Problem(self.name, rule, message, column, line, remedy))
        if len(lines) > _LISTED:
            more = len(lines) - _LISTED
            text = Message("problem.and_more_rows", what=Message(message), n=more)
            self.problems.append(Problem(self.name, rule, text, column, count=more))


def read_file(path: Path, kind: str, spec: ReviewFile, shown: Sequence[str] = ()) -> File:
    """Read one file as text and map its columns to canonical ones.

    What is wrong with the file is collected, and the rest of it is still read, so that a user
    learns everything at once. `shown` names columns of the file's own that forest plots show; the
    rows hold them as JSON in `own`.
    """
    import pandas as pd

    raw, problems = read_cells(path, spec)
    rows_in, used = len(raw), {column: column for column in spec.keep_where}
    for column, values in spec.keep_where.items():
        if column in raw.columns:
            raw = raw[raw[column].map(as_code).isin([as_code(v) for v in values])]
        else:
            problems.append(_no_column(path.name, column))
    shared = _map_columns(raw, spec.columns, path.name, problems)
    known = {*TEXTS[kind], *NUMBERS[kind]}
    maps = [spec.columns, *([spec.wide.treatment, spec.wide.control] if spec.wide else [])]
    for one in maps:
        for canonical, entry in one.items():
            used |= dict.fromkeys(_name_columns(canonical, entry), canonical)
    if spec.wide is not None:
        parts = []
        for role, own in (("treatment", spec.wide.treatment), ("control", spec.wide.control)):
            part = shared | _map_columns(raw, own, path.name, problems)
            parts.append(pd.DataFrame(part | {"line": raw["line"], "role": role}))
        rows = pd.concat(parts).sort_values("line", kind="stable").fillna("")
    else:
        same = {c: raw[c] for c in raw.columns if c in known and c not in shared}
        used |= {column: column for column in same}
        rows = pd.DataFrame(same | shared | {"line": raw["line"]})
    for column, value in spec.constants.items():
        rows[column] = str(value)
    unknown = sorted(set(rows.columns) - known - {"line", "role"})
    problems += [
        Problem(
            path.name,
            "unknown_canonical_column",
            "problem.not_a_column",
            c,
            remedy=Message("remedy.known", names=sorted(known)),
        )
        for c in unknown
    ]
    absent = {c for c in REQUIRED[kind] if c not in rows.columns}
    problems += [_no_column(path.name, c) for c in REQUIRED[kind] if c in absent]
    if not len(raw) and not problems and not spec.may_be_empty:
        problems.append(Problem(path.name, "no_rows", "problem.no_rows", remedy="remedy.no_rows"))
    rows = rows.drop(columns=unknown)
    for column in sorted(known - set(rows.columns)):
        rows[column] = ""
    missing = {as_code(m) for m in spec.missing}
    shown = [column for column in shown if column in raw.columns]
    used |= {column: used.get(column, "own") for column in shown}
    rows["own"] = _hold_own(raw[shown], missing).loc[rows.index].to_numpy()
    for column in rows.columns.difference(["line", "own", *_NAMES]):
        rows[column] = rows[column].mask(rows[column].map(as_code).isin(missing), "")
    return File(
        kind,
        path.name,
        rows.reset_index(drop=True),
        problems,
        frozenset(absent),
        spec.decimal,
        rows_in,
        rows_in - len(raw),
        {
            str(c): (used.get(str(c), ""), int((raw[c] != "").sum()))
            for c in raw.columns.drop("line")
        },
    )


def _hold_own(cells: pd.DataFrame, missing: set[str]) -> pd.Series:
    """Put the file's own cells that are not empty into JSON, a text per row."""
    import pandas as pd

    held = [
        {name: cell for name, cell in row.items() if cell != "" and as_code(cell) not in missing}
        for row in cells.to_dict("records")
    ]
    texts = [json.dumps(row, ensure_ascii=False) if row else "" for row in held]
    return pd.Series(texts, index=cells.index, dtype=object)


def _name_columns(canonical: str, entry: str | Column) -> list[str]:
    """Name the file's own columns that a canonical one is read from."""
    if isinstance(entry, str):
        return [entry]
    return [] if entry.value is not None else list(entry.columns or [entry.column or canonical])


def _map_columns(
    raw: pd.DataFrame, mapping: Mapping[str, str | Column], file: str, problems: list[Problem]
) -> dict[str, pd.Series]:
    """Take the columns that a map names: one, several joined by a space, or a fixed value."""
    import pandas as pd

    out = {}
    for canonical, entry in mapping.items():
        entry = Column(column=entry) if isinstance(entry, str) else entry
        if entry.value is not None:
            out[canonical] = pd.Series(str(entry.value), index=raw.index)
            continue
        names = _name_columns(canonical, entry)
        absent = [name for name in names if name not in raw.columns]
        if absent:
            problems += [_no_column(file, name) for name in absent]
            continue
        cells = raw[names[0]]
        for name in names[1:]:
            cells = cells + " " + raw[name]
        if entry.codes is not None:
            codes = {as_code(k): str(v) for k, v in entry.codes.items()}
            cells = cells.map(as_code)
            bad = ~cells.isin(codes)
            problems += [
                Problem(
                    file,
                    "unknown_code",
                    "problem.unknown_code",
                    names[0],
                    int(line),
                    "remedy.unknown_code",
                )
                for line in raw.loc[bad, "line"]
            ]
            cells = cells.map(codes).fillna("")
        out[canonical] = cells
    return out


def _no_column(file: str, column: str) -> Problem:
    return Problem(
        file, "missing_column", "problem.missing_column", column, remedy="remedy.missing_column"
    )
