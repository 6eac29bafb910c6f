"""Whatever becomes of some rows and cells of a diary, the bounds hold what was true.

The diaries are made here: each day is drawn, then spoilt or not, and written as a clinic would.
What was true is counted from the days before they were spoilt.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.clinic_builder import ANY_LOSS, analyse, statistic, write_clinic

WINDOW = 6  # days; both windows have as many
FIRST = {"baseline": -WINDOW, "post": 10}
SPEC = {
    "path": "diary.csv",
    "columns": {
        "patient_id": "code",
        "day": "day",
        "headache": "ache",
        "duration_hours": "hours",
        "acute_medication": "pills",
        "diary_complete": "closed",
    },
    "loss": ANY_LOSS,
}
EXTRA: dict[str, Any] = {
    "windows": {
        "named": {n: {"from": first, "to": first + WINDOW - 1} for n, first in FIRST.items()},
        "min_days": 1,
    },
    "comparisons": [{"id": "primary", "pre": "baseline", "post": "post", "primary": True}],
}
MOST_TWICE = 1  # days of a window that are said twice
LENGTHS = (0.25, 0.25, 0.5, 6.0)
DAY = st.tuples(st.booleans(), st.sampled_from(LENGTHS), st.integers(0, 2))
SPOIL = ("row lost", "answer blank", "not closed", "medication blank", "said twice")


def was_headache_day(day: tuple[bool, float, int]) -> bool:
    ache, hours, pills = day
    return ache and (hours >= 0.5 or pills > 0)


def write_day(code: str, number: int, day: tuple[bool, float, int], fate: str) -> list[str]:
    """Write a day as it was, or as what was left of it."""
    ache, hours, pills = day
    cells = {
        "code": code,
        "day": str(number),
        "ache": str(int(ache)),
        "hours": str(hours) if ache else "",
        "pills": str(pills),
        "closed": "1",
    }
    if fate == "row lost":
        return []
    if fate == "said twice":  # once rightly and once wrongly, and nobody knows which
        return [",".join({**cells, "ache": a}.values()) for a in "01"]
    changed = {"answer blank": "ache", "not closed": "closed", "medication blank": "pills"}
    if fate in changed:
        cells[changed[fate]] = "0" if fate == "not closed" else ""
    return [",".join(cells.values())]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_bounds_hold_the_truth_and_the_estimate(data: st.DataObject) -> None:
    rows, truth, seen = [], [], True
    # Few kinds of damage at a time: where much is unknown, the bounds hold nearly anything.
    kinds = data.draw(st.sets(st.sampled_from(SPOIL), min_size=1, max_size=2), label="damage")
    fate_of_a_day = st.sampled_from(("kept", *sorted(kinds)))
    for code in "ABC"[: data.draw(st.integers(1, 3), label="people")]:
        sums = {}
        for window, first in FIRST.items():
            days = data.draw(st.lists(DAY, min_size=WINDOW, max_size=WINDOW), label=window)
            fates = data.draw(st.lists(fate_of_a_day, min_size=WINDOW, max_size=WINDOW))
            twice = [i for i, fate in enumerate(fates) if fate == "said twice"]
            for i in twice[MOST_TWICE:]:  # a file that contradicts itself all over is refused
                fates[i] = "row lost"
            sums[window] = sum(map(was_headache_day, days))
            for i, (day, fate) in enumerate(zip(days, fates, strict=True)):
                rows += write_day(code, first + i, day, fate)
            seen &= any(
                fate == "kept" or (fate == "medication blank" and not (day[0] and day[1] < 0.5))
                for day, fate in zip(days, fates, strict=True)
            )
        truth.append(28 / WINDOW * (sums["post"] - sums["baseline"]))
        # A day outside both windows, so that everyone is on record, and one free day is known.
        rows.append(f"{code},0,0,,0,1")
    with TemporaryDirectory() as scratch:
        text = "code,day,ache,hours,pills,closed\n" + "\n".join(rows) + "\n"
        folder = write_clinic(Path(scratch) / "c", {"diary.csv": text}, {"diary": SPEC}, **EXTRA)
        result = analyse(folder)
    main = result["cohort"].query("primary")
    if not len(main):  # no day of a window is known of anybody: nothing is said
        return
    low, high = (statistic(result, "primary", b)["estimate"] for b in ("bound_low", "bound_high"))
    assert low - 1e-9 <= np.mean(truth) <= high + 1e-9
    if seen:  # everyone is analysed, so the estimate is about the same people
        change = statistic(result, "primary", "change_mean")
        assert change["n"] == len(truth)
        assert low - 1e-9 <= change["estimate"] <= high + 1e-9
