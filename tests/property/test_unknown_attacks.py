"""What an attack log no longer says is unknown: no day is called free, or ill, that was not."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from headway.tables import read_parquet
from tests.unit.clinic_builder import ingest, write_clinic

LAST = 28
LONGEST_H = 72
COLUMNS = {
    "patient_id": "code",
    "day": "day",
    "start_hour": "start",
    "duration_hours": {"column": "hours", "loss": {"up_to": 1, "reason": "damaged on purpose"}},
    "intensity": "worst",
}
# Ways to lose a part of a row: what becomes of (code, day, start, hours, worst).
DAMAGE = {
    "day unreadable": lambda r: (r[0], "a few days ago", *r[2:]),
    "day blank": lambda r: (r[0], "", *r[2:]),
    "day far away": lambda r: (r[0], "99999", *r[2:]),
    "length unreadable": lambda r: (*r[:3], "long", r[4]),
    "length blank": lambda r: (*r[:3], "", r[4]),
    "start unreadable": lambda r: (*r[:2], "evening", *r[3:]),
    "too many cells": lambda r: (*r, "naproxen", "rest"),
    "too few cells": lambda r: r[:3],
    "nobody's": lambda r: ("", *r[1:]),
    "nobody's, no day": lambda r: ("", "", *r[2:]),
    "intensity unreadable": lambda r: (*r[:4], "bad"),
}


def find_truth(rows: list[tuple[str, int, float, float]], who: str) -> set[int]:
    """List the days that a person's attacks touch, a quarter of an hour at a time."""
    ill = set()
    for code, day, start, hours in rows:
        if code == who:
            quarters = range(round(hours * 4))
            ill |= {int(day + (start + quarter / 4) // 24) for quarter in quarters}
    return ill


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(sorted(DAMAGE)), st.integers(1, 4))
def test_a_known_day_is_what_it_was(seed: int, kind: str, damaged: int) -> None:
    rng = random.Random(seed)
    people = [f"P{i}" for i in range(rng.randint(1, 4))]
    rows = [
        (
            rng.choice(people),
            rng.randint(1, LAST),
            rng.randrange(0, 96) / 4,
            rng.choice([rng.randint(1, 24) / 4, rng.randint(1, LONGEST_H * 4) / 4]),
        )
        for _ in range(rng.randint(damaged + 1, 14))
    ]
    hit = set(rng.sample(range(len(rows)), damaged))
    lines = []
    for i, (code, day, start, hours) in enumerate(rows):
        cells = (code, str(day), f"{start:g}", f"{hours:g}", "5")
        lines.append(",".join(DAMAGE[kind](cells) if i in hit else cells))
    rng.shuffle(lines)
    folder = Path(tempfile.mkdtemp())
    try:
        files = {
            "log.csv": "\n".join(["code,day,start,hours,worst", *lines, ""]),
            "people.csv": "code,from,to\n" + "".join(f"{p},1,{LAST}\n" for p in people),
        }
        spec = {
            "patients": {
                "path": "people.csv",
                "columns": {"patient_id": "code", "diary_from": "from", "diary_to": "to"},
            },
            "attacks": {
                "path": "log.csv",
                "columns": {
                    **COLUMNS,
                    "start_hour": {"column": "start", "loss": COLUMNS["duration_hours"]["loss"]},
                    "intensity": {"column": "worst", "loss": COLUMNS["duration_hours"]["loss"]},
                },
                "loss": {"up_to": 1, "reason": "damaged on purpose"},
            },
        }
        clinic = write_clinic(folder / "c", files, spec, course={"start": 0}, condition="migraine")
        days = read_parquet(ingest(clinic)[2] / "days.parquet")
    finally:
        shutil.rmtree(folder)
    for person in people:
        own = days[days["patient_id"] == person].set_index("day")["headache"]
        truth = find_truth(rows, person)
        assert own.index.tolist() == list(range(1, LAST + 1))
        known = own.dropna()
        assert set(known.index[known == 1]) <= truth, (kind, person)
        assert not set(known.index[known == 0]) & truth, (kind, person)


def test_nothing_lost_leaves_nothing_unknown() -> None:
    """The same comparison without damage, so that calling every day unknown is no way out."""
    rng = random.Random(7)
    rows = [("P0", rng.randint(1, LAST), rng.randrange(0, 96) / 4, 6.0) for _ in range(6)]
    folder = Path(tempfile.mkdtemp())
    try:
        lines = [f"{c},{d},{s:g},{h:g},5" for c, d, s, h in rows]
        files = {
            "log.csv": "\n".join(["code,day,start,hours,worst", *lines, ""]),
            "people.csv": f"code,from,to\nP0,1,{LAST}\n",
        }
        columns = {"patient_id": "code", "diary_from": "from", "diary_to": "to"}
        spec = {
            "patients": {"path": "people.csv", "columns": columns},
            "attacks": {"path": "log.csv", "columns": COLUMNS},
        }
        clinic = write_clinic(folder / "c", files, spec, course={"start": 0})
        days = read_parquet(ingest(clinic)[2] / "days.parquet")
    finally:
        shutil.rmtree(folder)
    ill = set(days.loc[days["headache"] == 1, "day"])
    assert ill == {d for d in find_truth(rows, "P0") if 1 <= d <= LAST}
    assert days["headache"].notna().all()
