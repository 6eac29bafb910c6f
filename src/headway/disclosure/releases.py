"""Releases of one clinic over time: what the difference of two would isolate is kept back.

Two releases that are safe by themselves give one person away where that person is all that lies
between them: 75 people with a mean of 9.4, then 76 with 9.6. An adversary has all releases and
subtracts. So a release is held against every earlier one, three times:

- **people** (`find_few`): where the records of few people differ (new, gone or changed), nothing
  that differs may be printed, and the release is refused;
- **counts** (`enter`): an earlier count is a part of today's, or the other way round, and what is
  left over is a count that nobody prints. The ledger of disclosure control hides what a small one
  would follow from, also by way of sums and parts;
- **estimates** (`keep_back`): a number that was printed otherwise before, of people of whom no more
  than a few were added since, is withheld with all others of its row.

What an earlier release has printed cannot be hidden any more. The memory of a clinic's releases
holds keyed digests of people, the counts behind the tables and what was printed; no record.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.disclosure.change import collapse
from headway.disclosure.presets import Preset
from headway.disclosure.suppress import Ledger, Names, Worth
from headway.messages import Message, is_missing, strip_numbers
from headway.tables import TABLES, read_csv, write_csv, write_text

if TYPE_CHECKING:
    import pandas as pd

NAN = float("nan")
Key = tuple[str, ...]
_NUMBERS = ("estimate", "share", "text")


@dataclass(frozen=True, slots=True)
class Release:
    """A release of a clinic.

    Attributes
    ----------
    number
        From 1.
    digest
        Of the tables before disclosure control, with the preset.
    people
        Keyed digest of a person's code -> keyed digest of the person's records.
    true
        The counts before disclosure control, with the keys of their rows.
    printed
        The tables as they were printed.
    """

    number: int
    digest: str
    people: Mapping[str, str]
    true: Mapping[str, pd.DataFrame]
    printed: Mapping[str, pd.DataFrame]


def count_moved(before: Mapping[str, str], people: Mapping[str, str]) -> int:
    """Count the people who are in one of two releases only, or with other records."""
    return sum(before.get(code) != people.get(code) for code in before.keys() | people.keys())


def find_few(
    earlier: Sequence[Release], people: Mapping[str, str], preset: Preset
) -> tuple[int, int] | None:
    """Find an earlier release from which few people differ.

    Returns
    -------
    tuple or None
        Its number, and how many people differ; the fewest first.
    """
    moved = [(count_moved(release.people, people), release.number) for release in earlier]
    few = sorted((n, number) for n, number in moved if preset.hides(n))
    return (few[0][1], few[0][0]) if few else None


def enter(
    ledger: Ledger, tables: Mapping[str, pd.DataFrame], names: Names, earlier: Sequence[Release]
) -> None:
    """Enter what earlier releases have printed into the ledger, tied to today's counts.

    An earlier count that was hidden is entered too, unprinted, with the sums of its release: it
    may follow from those.
    """
    today = list(ledger.splits)
    for release in earlier:
        # Counts that are one number today may have been several then.
        several: dict[Hashable, list[Hashable]] = {}
        for (table, column), rows in names.items():
            rule = TABLES[table].columns.get(column)
            if rule is None or rule.disclosure.kind != "count" or table not in release.true:
                continue
            if rule.disclosure.again or rule.disclosure.blocks:
                continue  # of printed counts, or coarser than any difference of few people
            true, printed = (_index(table, t[table]) for t in (release.true, release.printed))
            for key, name in zip(_list_keys(table, tables[table]), rows, strict=True):
                value = true.get(key, {}).get(column, NAN)
                if name is None or is_missing(value):
                    continue
                shown = ledger.preset.prints(float(value), printed.get(key, {}).get(column, NAN))
                before = _enter_one(ledger, (release.number, name), float(value), shown)
                several.setdefault(name, []).append(before)
        for name, counts in several.items():
            for before in dict.fromkeys(counts):
                _tie(ledger, name, before)
        old = {name: own[0] for name, own in several.items() if len(set(own)) == 1}
        for total, parts in today:
            known = [old[p] for p in parts if p in old]
            if total in old and known:
                others = [p for p in parts if p not in old]
                rest = ledger.split(old[total], known, nested=bool(others))
                # Who is left over is a number of people too: those without the property.
                if len(others) == 1 and rest is not None:
                    _tie(ledger, others[0], rest)


def _tie(ledger: Ledger, name: Hashable, before: Hashable) -> None:
    """State that of two counts of one thing the smaller is a part of the larger."""
    inner, outer = sorted((name, before), key=lambda n: ledger.values[n])
    if ledger.values[inner] != ledger.values[outer]:
        ledger.split(outer, [inner])


def _enter_one(
    ledger: Ledger, where: tuple[int, Hashable], value: float, printed: bool
) -> Hashable:
    """Enter a count of an earlier release; a row that two tables share was entered already."""
    name: Hashable = ("before", *where)
    if ledger.values.get(name, int(value)) != int(value):
        name = ("before", *where, int(value))
    ledger.add(name, value)
    if printed:
        ledger.worth[name] = Worth.PRIMARY
        ledger.fixed.add(name)
    return name


def keep_back(
    table: str,
    frame: pd.DataFrame,
    true: pd.DataFrame,
    earlier: Sequence[Release],
    preset: Preset,
) -> pd.DataFrame:
    """Withhold the estimates of rows that were printed otherwise, of nearly the same people.

    Parameters
    ----------
    frame, true
        The table as disclosure control lets it go, and before that; the same rows.
    """
    earlier = [release for release in earlier if table in release.printed]
    if not len(frame) or not earlier:
        return frame
    if table == "change_histogram":
        return _keep_back_bins(frame.copy(), earlier)
    columns = TABLES[table].columns
    numbers = [c for c, rule in columns.items() if rule.disclosure.kind in _NUMBERS]
    people = sorted({n for c in numbers for n in columns[c].disclosure.n})
    moved = np.zeros(len(frame), bool)
    for release in earlier:
        printed = _index(table, release.printed[table])
        counted = _index(table, release.true[table])
        today = zip(_list_keys(table, frame), frame.to_dict("records"), strict=True)
        for i, (key, row) in enumerate(today):
            if key not in printed:
                continue
            before, then = printed[key], counted.get(key, {})
            other = any(_differ(row[c], before.get(c)) for c in numbers)
            added = [abs(float(true[n].iloc[i]) - float(then.get(n, NAN))) for n in people]
            known = [a for a in added if not np.isnan(a)]
            few = not known or min(known) <= preset.redact_up_to
            moved[i] |= other and few
    return _withhold(table, frame.copy(), moved, numbers)


def _keep_back_bins(frame: pd.DataFrame, earlier: Sequence[Release]) -> pd.DataFrame:
    """Withhold a histogram that had other bins before: two of its cuts would make a new one."""
    of = ["outcome", "comparison"]
    for release in earlier:
        printed = release.printed["change_histogram"]
        for what, own in frame.groupby(of, sort=False):
            then = printed[(printed[of] == list(what)).all(axis=1)]
            if len(then) and set(then["bin_low"]) != set(own["bin_low"]):
                frame.loc[own.index, "n"] = NAN
                frame.loc[own.index, "redacted"] = True
    return frame


def _withhold(
    table: str, frame: pd.DataFrame, rows: np.ndarray[Any, Any], numbers: Sequence[str]
) -> pd.DataFrame:
    """Take the numbers out of rows, and say why where there is a place for it."""
    columns = TABLES[table].columns
    for column in numbers:
        kind = columns[column].kind
        if kind == "text":
            cells = [
                strip_numbers(v) if gone and isinstance(v, str) else v
                for v, gone in zip(frame[column], rows, strict=True)
            ]
            frame[column] = cells
        else:
            frame.loc[rows, column] = False if kind == "bool" else NAN
    if "redacted" in frame:
        frame.loc[rows, "redacted"] = True
    if "note" in frame:
        note = Message("withheld.release")
        frame["note"] = [note if gone else v for v, gone in zip(frame["note"], rows, strict=True)]
    return frame


def _differ(one: Any, other: Any) -> bool:
    """Whether two cells that both say something say different things."""
    if is_missing(one) or is_missing(other) or one == "" or other == "":
        return False
    if isinstance(one, str) or isinstance(other, str):
        return str(one) != str(other)
    return bool(abs(float(one) - float(other)) > 1e-9 * max(1.0, abs(float(one))))


def _list_keys(table: str, frame: pd.DataFrame) -> Iterator[Key]:
    for row in frame[list(TABLES[table].key)].itertuples(index=False):
        yield tuple("" if is_missing(v) else _write(v) for v in row)


def _write(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _index(table: str, frame: pd.DataFrame) -> dict[Key, dict[str, Any]]:
    """List the rows of a table by their key."""
    return dict(zip(_list_keys(table, frame), frame.to_dict("records"), strict=True))


# ---- the memory of a clinic's releases -----------------------------------------------------------


def read_releases(folder: Path) -> list[Release]:
    """Read the releases that `write_release` kept, the first one first."""
    out = []
    # Without release.json: of an older version that was stopped.
    for kept in sorted(p.parent for p in folder.glob("[0-9]*/release.json")):
        told = json.loads((kept / "release.json").read_text(encoding="utf-8"))
        true, printed = (
            {p.stem: read_csv(p.stem, p, check=False) for p in sorted((kept / part).glob("*.csv"))}
            for part in ("true", "printed")
        )
        out.append(Release(told["number"], told["digest"], told["people"], true, printed))
    return out


def write_release(release: Release, folder: Path) -> None:
    """Keep a release whole, or not at all: it is written beside its place and moved there."""
    kept = folder / f"{release.number:04d}"
    made = folder / f".{release.number:04d}.part"
    for left in (kept, made):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    for part, tables in (("true", release.true), ("printed", release.printed)):
        for name, frame in tables.items():
            write_csv(frame, made / part / f"{name}.csv")
    told = {"number": release.number, "digest": release.digest, "people": dict(release.people)}
    write_text(json.dumps(told) + "\n", made / "release.json")
    made.rename(kept)


def keep_counts(tables: Mapping[str, pd.DataFrame], preset: Preset) -> dict[str, pd.DataFrame]:
    """Keep of tables before disclosure control the keys of rows and the counts; no person's row.

    The bins of a histogram are those that are printed.
    """
    own = {name: frame for name, frame in tables.items() if name != "change_lines"}
    if "change_histogram" in own and not preset.open:
        own["change_histogram"] = collapse(own["change_histogram"], preset)
    return {name: _keep_counts(name, frame) for name, frame in own.items()}


def _keep_counts(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.copy()
    for column, rule in TABLES[table].columns.items():
        if rule.disclosure.kind in _NUMBERS and column not in TABLES[table].key:
            out[column] = {"text": None, "bool": False}.get(rule.kind, NAN)
    return out
