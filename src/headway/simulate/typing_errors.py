"""Typing errors, put into the tables and kept in a list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from headway.errors import ConfigError
from headway.simulate.draws import Ints, Parameters
from headway.simulate.files import COLUMNS


def _mistype(code: str, known: set[str]) -> str:
    """Swap letters of a code until it is nobody's."""
    for letter in "XQZVKWJYPMNT":
        for place in (4, 2, 0):
            typed = code[:place] + letter + code[place + 1 :]
            if typed not in known:
                return typed
    raise ConfigError("no unused code is left for a mistyped one")


def add_errors(
    rng: np.random.Generator, tables: dict[str, pd.DataFrame], p: Parameters
) -> list[dict[str, Any]]:
    """Put the typing errors into the tables and list them by file and line."""
    diary, sessions = tables["diary"], tables["sessions"]
    twelve, copies = p["errors.intensity_twelve"], p["errors.duplicate_diary_rows"]
    negative, unknown = p["errors.negative_minutes"], p["errors.unknown_patient"]
    with_score = rng.permutation(np.flatnonzero(diary["intensity"].notna()))[: twelve + copies]
    rest = np.setdiff1d(np.arange(len(diary)), with_score)
    wrong_code = rng.permutation(rest)[:unknown]
    timed = sessions["minutes"].notna() & (sessions["setting"] == "in_office")
    later = rng.permutation(np.flatnonzero(timed & (sessions["day"] > 0)))[:negative]
    if min(len(with_score) - twelve - copies, len(wrong_code) - unknown, len(later) - negative) < 0:
        raise ConfigError("the clinic is too small for its typing errors; set `errors.*` to 0")

    found: list[tuple[str, str, Ints, str]] = [
        ("diary", "intensity", with_score[:twelve], "outside_range"),
        ("diary", "patient_id", wrong_code, "unknown_patient"),
        ("sessions", "minutes", later, "outside_range"),
    ]
    diary.loc[with_score[:twelve], "intensity"] = 12.0
    known = set(tables["patients"]["patient_id"])
    for row in wrong_code:
        diary.loc[row, "patient_id"] = _mistype(str(diary.loc[row, "patient_id"]), known)
    sessions.loc[later, "minutes"] = -sessions.loc[later, "minutes"]
    dirty: list[dict[str, Any]] = [
        {"file": f"{name}.csv", "line": int(row) + 2, "column": COLUMNS[name][column], "kind": kind}
        for name, column, rows, kind in found
        for row in np.sort(rows)
    ]
    # Copies come last, directly below their originals, and move the lines of the rows below them.
    originals = np.sort(with_score[twelve:])
    for item in dirty:
        if item["file"] == "diary.csv":
            item["line"] += int((originals < item["line"] - 2).sum())
    order = np.sort(np.concatenate([np.arange(len(diary)), originals]), kind="stable")
    tables["diary"] = diary.iloc[order].reset_index(drop=True)
    dirty += [
        {"file": "diary.csv", "line": int(row) + 3 + shift, "column": None, "kind": "duplicate"}
        for shift, row in enumerate(originals)
    ]
    return sorted(dirty, key=lambda item: (item["file"], item["line"]))
