"""Laws of the clinic path: what may not change a result, and what never gets lost.

Diaries, sessions and questionnaires are drawn, written to disk and taken through the whole path.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.config import load_clinic
from headway.outcomes.change.cohort import analyse_clinic
from tests.unit.clinic_builder import ANY_LOSS, allow_losses, ingest, write_clinic

DIARY = {
    "path": "diary.csv",
    "loss": ANY_LOSS,
    "columns": {
        "patient_id": "code",
        "day": "day",
        **allow_losses({"headache": "headache", "intensity": "worst", "duration_hours": "hours"}),
    },
}
SESSIONS = {
    "path": "sessions.csv",
    "loss": ANY_LOSS,
    "columns": {
        "patient_id": "code",
        "day": "day",
        **allow_losses({"technique": "technique", "headache_days_28": "hd28"}),
    },
}
WINDOWS = {
    "min_days": 3,
    "named": {
        "earlier": {"from": -8, "to": -5},
        "baseline": {"from": -4, "to": -1},
        "post": {"from": 8, "to": 11},
        "post_course": {"from": 1, "to": 4, "anchor": "last_session"},
    },
    "visit_recall": {"intake_days": [-1, 0], "target_day": 9, "within_days": [7, 12]},
}
COMPARISONS = [
    {"id": "primary", "pre": "baseline", "post": "post", "primary": True},
    {"id": "post_course", "pre": "baseline", "post": "post_course"},
]
HEADS = {"diary": "code,day,headache,worst,hours", "sessions": "code,day,technique,hd28"}


@dataclass(frozen=True)
class Records:
    """Rows of the two files, as tuples of cells; `None` is an empty cell."""

    diary: tuple[tuple[object, ...], ...]
    sessions: tuple[tuple[object, ...], ...]


@st.composite
def records(draw: st.DrawFn) -> Records:
    """Draw a small clinic with gaps, repeated rows, contradictions and broken cells."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    people = [f"P{i}" for i in range(draw(st.integers(2, 5)))]
    diary, sessions = [], []
    for person in people:
        visits = sorted({0, *(rng.randrange(0, 12) for _ in range(3))})
        for day in visits:
            sessions.append((person, day, "manual", rng.choice([None, 5, 9, 28, 31])))
        for day in range(-8, 16):
            if rng.random() < 0.15:
                continue
            ache = int(rng.random() < 0.5)
            worst = rng.choice([1, 4.5, 7, 10, "<1", 12, None]) if ache else None
            hours = rng.choice([0.25, 1, 3.3, 24, -1, None]) if ache else None
            row = (person, day, ache, worst, hours)
            diary.append(row)
            if rng.random() < 0.05:
                diary.append(row)
            if rng.random() < 0.05:
                diary.append((person, day, 1 - ache, None, None))
    return Records(tuple(diary), tuple(sessions))


def text(kind: str, rows: tuple[tuple[object, ...], ...]) -> str:
    lines = (",".join("" if c is None else str(c) for c in row) for row in rows)
    return "\n".join([HEADS[kind], *lines, ""])


def run(data: Records, parts: int = 1) -> tuple[dict[str, pd.DataFrame], dict[str, object]]:
    """Take records through the path; `parts` files of the diary instead of one."""
    folder = Path(tempfile.mkdtemp())
    try:
        names = ["diary.csv"] if parts == 1 else [f"diary_{i}.csv" for i in range(parts)]
        size = -(-len(data.diary) // parts)
        files = {
            name: text("diary", data.diary[i * size : (i + 1) * size])
            for i, name in enumerate(names)
        }
        files["sessions.csv"] = text("sessions", data.sessions)
        spec = {"diary": {**DIARY, "path": names if parts > 1 else names[0]}, "sessions": SESSIONS}
        clinic = write_clinic(folder / "c", files, spec, windows=WINDOWS, comparisons=COMPARISONS)
        accounts, quarantine, out = ingest(clinic)
        found = analyse_clinic(out, load_clinic(clinic))
        return found, {"accounts": accounts, "quarantine": quarantine}
    finally:
        shutil.rmtree(folder)


def same(one: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> None:
    """Hold every number of the cohort and of the flow of people against the other's."""
    keys = ["outcome", "comparison", "group", "statistic"]
    a, b = (t["cohort"].set_index(keys).sort_index() for t in (one, other))
    assert a.index.equals(b.index)
    for column in ("estimate", "ci_low", "ci_high", "n", "of", "count"):
        # Sums over people may be made in another order; nothing else may differ.
        assert np.allclose(a[column], b[column], rtol=1e-9, atol=1e-9, equal_nan=True), column
    people = [t["flow"].query("account == 'people'").reset_index(drop=True) for t in (one, other)]
    pd.testing.assert_frame_equal(*people)


def check(data: Records, change: Callable[[Records], Records], parts: int = 1) -> None:
    same(run(data)[0], run(change(data), parts)[0])


few = settings(max_examples=8, deadline=None)


@few
@given(records(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(data: Records, rng: random.Random) -> None:
    def shuffle(d: Records) -> Records:
        diary, sessions = list(d.diary), list(d.sessions)
        rng.shuffle(diary)
        rng.shuffle(sessions)
        return Records(tuple(diary), tuple(sessions))

    check(data, shuffle)


@few
@given(records(), st.integers(2, 3))
def test_splitting_a_file_changes_nothing(data: Records, parts: int) -> None:
    check(data, lambda d: d, parts)


@few
@given(records())
def test_renaming_patients_changes_nothing(data: Records) -> None:
    def rename(d: Records) -> Records:
        def own(rows: tuple[tuple[object, ...], ...]) -> tuple[tuple[object, ...], ...]:
            return tuple((f"z{9 - int(str(r[0])[1:])}", *r[1:]) for r in rows)

        return Records(own(d.diary), own(d.sessions))

    check(data, rename)


@few
@given(records(), st.integers(-400, 400))
def test_shifting_all_days_changes_nothing(data: Records, by: int) -> None:
    def shift(d: Records) -> Records:
        def own(rows: tuple[tuple[object, ...], ...]) -> tuple[tuple[object, ...], ...]:
            return tuple((r[0], int(str(r[1])) + by, *r[2:]) for r in rows)

        return Records(own(d.diary), own(d.sessions))

    check(data, shift)


BROKEN = [
    (None, 3, 1, 5, 2),
    ("P0", "x", 1, 5, 2),
    ("P0", 3.5, 1, 5, 2),
    ("P0", None, 1, 5, 2),
    (None, None, None, None, None),
    ("P0", 3, 1),
    ("P0", 3, 1, 5, 2, 7),
]


@few
@given(records(), st.lists(st.sampled_from(BROKEN), min_size=1, max_size=5), st.data())
def test_a_quarantined_row_changes_nothing(
    data: Records, broken: list[tuple[object, ...]], more: st.DataObject
) -> None:
    diary = list(data.diary)
    for row in broken:
        diary.insert(more.draw(st.integers(0, len(diary))), row)
    before, seen = run(data)
    after, found = run(replace(data, diary=tuple(diary)))
    same(before, after)
    lost = found["accounts"]["diary.csv"].quarantined - seen["accounts"]["diary.csv"].quarantined
    assert lost == len(broken)


@settings(max_examples=12, deadline=None)
@given(records())
def test_no_row_is_lost(data: Records) -> None:
    _, found = run(data)
    for name, rows in (("diary.csv", data.diary), ("sessions.csv", data.sessions)):
        account = found["accounts"][name]
        assert account.rows_in == len(rows)
        assert account.rows_in == account.kept + account.quarantined + account.not_selected
        quarantine = found["quarantine"]
        own = quarantine[(quarantine["file"] == name) & (quarantine["scope"] == "row")]
        assert own["line"].is_unique
        assert len(own) == account.quarantined


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.sampled_from('ab1,;"\n\r \t.-é'), max_size=12), min_size=1, max_size=12))
def test_rows_in_are_kept_plus_quarantined_whatever_the_text(lines: list[str]) -> None:
    """Any text below a good header is refused clearly, or every row of it has its account."""
    from headway.errors import UserError

    folder = Path(tempfile.mkdtemp())
    try:
        body = "code,day,headache\n" + "\n".join(lines)
        clinic = write_clinic(
            folder / "c",
            {"diary.csv": body},
            {
                "diary": {
                    "path": "diary.csv",
                    "delimiter": ",",
                    "columns": {"patient_id": "code", "day": "day", "headache": "headache"},
                }
            },
        )
        try:
            accounts, quarantine, _ = ingest(clinic)
        except UserError as error:
            refused = error.problems
        else:
            refused = []
            account = accounts["diary.csv"]
            assert account.rows_in == account.kept + account.quarantined + account.not_selected
            assert (quarantine["scope"] == "row").sum() == account.quarantined
            assert account.rows_in <= len(body.splitlines())
        assert all(p.rule and p.message for p in refused)
    finally:
        shutil.rmtree(folder)
