"""Windows and bounds by hand, on diaries written to disk and taken through the whole path."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.unit.clinic_builder import DIARY, analyse, diary_text, statistic, write_clinic

FULL = {
    "columns": {
        "patient_id": "code",
        "day": "day",
        "headache": "headache",
        "duration_hours": "hours",
        "acute_medication": "pills",
    }
}


def person(code: str, before: list[object], after: list[object]) -> list[tuple[object, ...]]:
    """Write a diary of days -28... and 56...; None is a day without an entry."""
    rows = [(code, -28 + i, v) for i, v in enumerate(before) if v is not None]
    return rows + [(code, 56 + i, v) for i, v in enumerate(after) if v is not None]


def clinic(
    folder: Path, rows: list[tuple[object, ...]], **extra: object
) -> dict[str, pd.DataFrame]:
    return analyse(write_clinic(folder, {"diary.csv": diary_text(rows)}, {"diary": DIARY}, **extra))


def test_complete_windows_are_scaled_to_28_days(tmp_path: Path) -> None:
    rows = person("A", [1] * 14 + [0] * 14, [1] * 5 + [0] * 15 + [None] * 8)
    found = statistic(clinic(tmp_path / "c", rows), "primary", "change_mean")
    assert np.isclose(found["estimate"], 28 * 5 / 20 - 14)


def test_nineteen_days_are_too_few_and_the_person_stays_in_the_denominator(tmp_path: Path) -> None:
    rows = person("A", [1] * 28, [0] * 19) + person("B", [1] * 28, [1] * 28)
    result = clinic(tmp_path / "c", rows)
    found = statistic(result, "primary", "change_mean")
    assert (found["n"], found["of"], found["estimate"]) == (1, 2, 0)


def test_day_zero_and_the_days_after_83_belong_to_neither_window(tmp_path: Path) -> None:
    rows = person("A", [0] * 28, [0] * 28)
    more = [*rows, ("A", 0, 1), ("A", 84, 1), ("A", 55, 1), ("A", -29, 1)]
    for name, data in (("a", rows), ("b", more)):
        found = statistic(clinic(tmp_path / name, data), "primary", "change_mean")
        assert found["estimate"] == 0


TWO = {"mean_of_two_baselines": True}


def earlier_days(code: str, hits: int) -> list[tuple[object, ...]]:
    return [(code, -56 + i, int(i < hits)) for i in range(28)]


def test_before_is_the_last_window_alone_unless_the_mean_of_two_is_declared(tmp_path: Path) -> None:
    """A has both windows before (4 and 8 days), B the last one only (12 days); both end at 0."""
    rows = earlier_days("A", 4)
    rows += person("A", [1] * 8 + [0] * 20, [0] * 28) + person("B", [1] * 12 + [0] * 16, [0] * 28)
    one, two = clinic(tmp_path / "a", rows), clinic(tmp_path / "b", rows, windows=TWO)
    for result, before, n in ((one, 10, 2), (two, 6, 1)):
        for name, value in (("pre_mean", before), ("change_mean", -before)):
            found = statistic(result, "primary", name)
            assert (found["estimate"], found["n"], found["of"]) == (value, n, 2), name
        flow = result["flow"].set_index(["item", "step"])["n"]
        assert flow["frequency: primary", "complete_before"] == n
        moved = statistic(result, "before_treatment", "change_mean")
        assert (moved["estimate"], moved["n"]) == (4, 1)
    # B's earlier days are unknown: 0 to 28, so that the mean of two lies from 6 to 20.
    bounds = [statistic(two, "primary", b)["estimate"] for b in ("bound_low", "bound_high")]
    assert bounds == [-(6 + 20) / 2, -(6 + 6) / 2]
    assert statistic(two, "primary", "completeness_pre")["estimate"] == 75
    assert statistic(one, "primary", "completeness_pre")["estimate"] == 100


def test_a_short_untreated_headache_is_no_headache_day(tmp_path: Path) -> None:
    before = [("A", -28 + i, 0, "", 0) for i in range(28)]
    after = [
        ("A", 56, 1, 0.25, 0),
        ("A", 57, 1, 0.25, 1),
        ("A", 58, 1, 0.5, 0),
        ("A", 59, 1, "", 0),
    ]
    after += [("A", 60 + i, 0, "", 0) for i in range(24)]
    text = diary_text(before + after, "code,day,headache,hours,pills")
    folder = write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": {**DIARY, **FULL}})
    # Treated, long enough, and of unknown length count; a quarter of an hour untreated does not.
    assert statistic(analyse(folder), "primary", "change_mean")["estimate"] == 3


def test_bounds_are_the_extremes_over_every_way_to_fill_the_gaps(tmp_path: Path) -> None:
    """Brute force: all completions of the unknown days of two people in windows of 4 days."""
    before = {"A": [1, None, 0, 0], "B": [None, 1, 1, None]}
    after = {"A": [0, 0, None, 1], "B": [None] * 4}  # B was lost
    rows = [
        (p, -4 + i, v) for p, days in before.items() for i, v in enumerate(days) if v is not None
    ]
    rows += [
        (p, 4 + i, v) for p, days in after.items() for i, v in enumerate(days) if v is not None
    ]
    named = {"baseline": {"from": -4, "to": -1}, "post": {"from": 4, "to": 7}}
    result = clinic(
        tmp_path / "c",
        rows,
        windows={"named": named, "min_days": 1},
        comparisons=[{"id": "primary", "pre": "baseline", "post": "post", "primary": True}],
    )
    gaps = [
        (side, p, i)
        for side in (before, after)
        for p in "AB"
        for i, v in enumerate(side[p])
        if v is None
    ]
    means = []
    for filled in product((0, 1), repeat=len(gaps)):
        full = [{p: list(d) for p, d in side.items()} for side in (before, after)]
        for (side, p, i), value in zip(gaps, filled, strict=True):
            full[0 if side is before else 1][p][i] = value
        means.append(np.mean([7 * (sum(full[1][p]) - sum(full[0][p])) for p in "AB"]))
    assert statistic(result, "primary", "bound_low")["estimate"] == min(means)
    assert statistic(result, "primary", "bound_high")["estimate"] == max(means)


def test_bounds_of_intensity_and_hours_are_the_extremes_too(tmp_path: Path) -> None:
    """Windows of 4 days. A lost two values, B is free before, C has no day after, D all."""
    header = "code,day,headache,pain"
    rows = [("A", -4, 1, 8), ("A", -3, 1, ""), ("A", -2, 0, ""), ("A", -1, 0, "")]
    rows += [("A", 4, 1, 5), ("A", 5, 1, 3), ("A", 6, 0, "")]
    rows += [("B", day, 0, "") for day in (-4, -3, -2, -1)] + [("B", 4, 1, 9)]
    rows += [("C", -4, 1, 6), *[("C", day, 0, "") for day in (-3, -2, -1)]]
    rows += [("D", -4, 1, 4), *[("D", day, 0, "") for day in (-3, -2, -1)]]
    rows += [("D", 4, 1, 2), *[("D", day, 0, "") for day in (5, 6, 7)]]
    named = {"baseline": {"from": -4, "to": -1}, "post": {"from": 4, "to": 7}}
    spec = {"diary": {**DIARY, "columns": {**DIARY["columns"], "intensity": "pain"}}}
    folder = write_clinic(
        tmp_path / "c",
        {"diary.csv": diary_text(rows, header)},
        spec,
        windows={"named": named, "min_days": 1},
        comparisons=[{"id": "primary", "pre": "baseline", "post": "post", "primary": True}],
    )
    result = analyse(folder)
    # A: 8 and one of 0 to 10 before; 5, 3 and one of 0 to 10 after. B cannot count. C: 6 before.
    low = ((8 / 3 - 9) + (0 - 6) + (2 - 4)) / 3
    high = ((18 / 3 - 4) + (10 - 6) + (2 - 4)) / 3
    for name, value in (("bound_low", low), ("bound_high", high)):
        found = statistic(result, "primary", name, outcome="intensity")
        assert (found["n"], found["of"]) == (3, 4)
        assert np.isclose(found["estimate"], value), name


VISITS = {
    "path": "v.csv",
    "columns": {"patient_id": "code", "day": "day", "headache_days_28": "days"},
}


def test_visit_recall_takes_the_answer_nearest_day_84_within_its_range(tmp_path: Path) -> None:
    rows = [
        ("A", 0, 20),
        ("A", 72, 1),
        ("A", 90, 10),
        ("A", 113, 3),
        ("B", 0, 12),
        ("B", 60, 2),
        ("B", 120, 2),
        ("C", 0, 9),
    ]
    text = diary_text(rows, "code,day,days")
    result = analyse(write_clinic(tmp_path / "c", {"v.csv": text}, {"sessions": VISITS}))
    found = statistic(result, "visit_recall", "change_mean")
    assert (found["estimate"], found["n"], found["of"]) == (-10, 1, 3)


def test_a_visit_answer_is_never_paired_with_a_diary(tmp_path: Path) -> None:
    diary = [("A", -28 + i, 1) for i in range(28)] + [("A", -1 - 40, 0)]
    files = {"diary.csv": diary_text(diary), "v.csv": "code,day,days\nA,0,\nA,84,3\n"}
    result = analyse(write_clinic(tmp_path / "c", files, {"diary": DIARY, "sessions": VISITS}))
    assert (result["cohort"].query("statistic == 'change_mean'")["n"] == 0).all()


def test_a_log_of_attacks_alone_has_no_frequency(tmp_path: Path) -> None:
    rows = person("A", [1] * 28, [1] * 3)
    result = clinic(tmp_path / "c", rows)
    assert len(result["cohort"]) == 0
    assert result["flow"]["note"].eq("flow.no_free_day").any()


FREE = [("A", -28 + i, 0, "", 0) for i in range(28)]


def test_a_short_headache_counts_if_treated_and_is_unknown_where_nobody_recorded_it(
    tmp_path: Path,
) -> None:
    """After: 20 free days, then short headaches: treated, untreated, and 2 without a record."""
    after = [("A", 56 + i, 0, "", 0) for i in range(20)]
    after += [("A", 76, 1, 0.25, 2), ("A", 77, 1, 0.25, 0)]
    after += [("A", 78, 1, 0.25, ""), ("A", 79, 1, 0.1, "")]
    text = diary_text(FREE + after, "code,day,headache,hours,pills")
    folder = write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": {**DIARY, **FULL}})
    result = analyse(folder)
    # 1 headache day of the 22 that are known; the 2 unknown days are two of six that are missing.
    change = statistic(result, "primary", "change_mean")
    assert np.isclose(change["estimate"], 28 / 22)
    assert statistic(result, "primary", "bound_low")["estimate"] == 1
    assert statistic(result, "primary", "bound_high")["estimate"] == 7
    assert np.isclose(statistic(result, "primary", "completeness_post")["estimate"], 100 * 22 / 28)
    assert change["note"] == 'remark.short_untold{"hours":0.5}'


def test_without_any_record_of_medication_short_headaches_are_unknown(tmp_path: Path) -> None:
    after = [("A", 56 + i, int(i < 6), 0.25 if i < 3 else 5 if i < 6 else "") for i in range(28)]
    rows = [(code, day, h, "") for code, day, h, *_ in FREE]
    text = diary_text(rows + after, "code,day,headache,hours")
    columns = {k: v for k, v in FULL["columns"].items() if k != "acute_medication"}
    spec = {"diary": {**DIARY, "columns": columns}}
    result = analyse(write_clinic(tmp_path / "c", {"diary.csv": text}, spec))
    change = statistic(result, "primary", "change_mean")
    assert np.isclose(change["estimate"], 28 * 3 / 25)
    assert change["note"] == 'remark.no_medication{"hours":0.5}'
    bounds = [statistic(result, "primary", b)["estimate"] for b in ("bound_low", "bound_high")]
    assert bounds == [3, 6]


def test_intensity_and_hours_are_means_over_headache_days_and_leave_unknown_days_out(
    tmp_path: Path,
) -> None:
    """Pain is written on days that are free, unknown, or too short; only headache days count."""
    columns = {**FULL["columns"], "intensity": "pain"}
    header = "code,day,headache,hours,pills,pain"

    def window(first: int, pain: int) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = [("A", first, 1, 4, 0, pain), ("A", first + 1, 1, 8, 1, 4)]
        rows += [("A", first + 2, 1, 0.25, "", 10), ("A", first + 3, "", 24, 1, 10)]
        rows += [("A", first + 4, 1, 0.25, 0, 10)]
        return rows + [("A", first + 5 + i, 0, "", 0, 9) for i in range(23)]

    text = diary_text(window(-28, 8) + window(56, 2), header)
    spec = {"diary": {**DIARY, "columns": columns}}
    result = analyse(write_clinic(tmp_path / "c", {"diary.csv": text}, spec))
    for outcome, before, after in (("intensity", 6, 3), ("duration", 6, 6)):
        for name, value in (("pre_mean", before), ("post_mean", after)):
            found = statistic(result, "primary", name, outcome=outcome)["estimate"]
            assert found == value, (outcome, name)
    assert np.isclose(statistic(result, "primary", "pre_mean")["estimate"], 28 * 2 / 26)


ASKED = "code,day,days\n" + "".join(
    f"{p},0,{n}\n{p},84,{n - 6}\n" for p, n in zip("ABCD", (12, 14, 16, 20), strict=True)
)
DAYS = [(p, d) for p in "ABCD" for d in [*range(-28, 0), *range(56, 84)]]


@pytest.mark.parametrize(
    ("kind", "columns", "text", "why"),
    [
        ("diary", {"headache": "ache"}, [(p, d, "") for p, d in DAYS], "flow.no_known_day"),
        ("diary", {"headache": "ache"}, [(p, d, 1) for p, d in DAYS], "flow.no_free_day"),
        ("diary", {"headache": "ache"}, [], "flow.no_row"),
        ("attacks", {"duration_hours": "ache"}, [(p, d, 4) for p, d in DAYS], "flow.no_free_day"),
    ],
)
def test_a_diary_that_yields_nothing_never_hands_over_to_recall_in_silence(
    tmp_path: Path, kind: str, columns: dict[str, str], text: list[tuple[object, ...]], why: str
) -> None:
    spec = {"path": "d.csv", "columns": {"patient_id": "code", "day": "day", **columns}}
    files = {"v.csv": ASKED, "d.csv": diary_text(text, "code,day,ache")}
    folder = write_clinic(tmp_path / "c", files, {kind: spec, "sessions": VISITS})
    found = analyse(folder)
    assert statistic(found, "visit_recall", "change_mean")["estimate"] == -6
    row = found["flow"].set_index("account").loc["source"]
    assert (row["item"], row["step"], row["note"]) == (kind, "replaced_by_visit", why)
    assert statistic(found, "visit_recall", "change_mean")["note"].startswith("remark.in_place_of")


def test_given_windows_without_a_value_are_replaced_by_the_diary_and_it_is_said(
    tmp_path: Path,
) -> None:
    wide = [
        {"column": c, "window": w, "outcome": "frequency", "unit": "days_per_28"}
        for c, w in (("before", "baseline"), ("after", "post"))
    ]
    rows = person("A", [1] * 28, [0] * 28) + person("B", [1] * 28, [0] * 28)
    files = {"w.csv": "code,before,after\nA,,\nB,,\n", "diary.csv": diary_text(rows)}
    spec = {"path": "w.csv", "columns": {"patient_id": "code"}, "wide": wide}
    folder = write_clinic(tmp_path / "c", files, {"windows": spec, "diary": DIARY})
    found = analyse(folder)
    assert statistic(found, "primary", "change_mean")["estimate"] == -28
    row = found["flow"].set_index("account").loc["source"]
    assert (row["item"], row["step"]) == ("windows", "replaced_by_diary")


def test_a_second_source_beside_a_usable_first_one_replaces_nothing(tmp_path: Path) -> None:
    rows = person("A", [1] * 28, [0] * 28)
    files = {"diary.csv": diary_text(rows), "v.csv": "code,day,days\nA,0,\nA,84,\n"}
    found = analyse(write_clinic(tmp_path / "c", files, {"diary": DIARY, "sessions": VISITS}))
    row = found["flow"].set_index("account").loc["source"]
    assert (row["item"], row["step"]) == ("sessions", "not_used")
    assert statistic(found, "primary", "change_mean").isna()["note"]


def test_rows_of_the_diary_hold_the_contract_and_are_in_order_of_their_keys(tmp_path: Path) -> None:
    """B was never in pain, C has no entry after, D recorded nothing but blanks."""
    import duckdb

    from headway.config import load_clinic
    from headway.outcomes.change.windows import build_diary_windows
    from headway.tables import TABLES, validate

    folder = write_clinic(tmp_path / "c", {"diary.csv": diary_text([])}, {"diary": DIARY})
    days = tmp_path / "days.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT p AS patient_id, d AS day, CASE WHEN p = 'D' THEN NULL "
            "WHEN p = 'B' THEN 0 ELSE (d % 7 = 0)::BIGINT END AS headache, "
            "CASE WHEN d % 7 = 0 AND p = 'A' THEN 4.0 END AS intensity, "
            "CASE WHEN d % 7 = 0 AND p <> 'B' THEN 2.0 END AS duration_hours, "
            "NULL::DOUBLE AS attacks, NULL::DOUBLE AS acute_medication "
            "FROM (VALUES ('D'), ('C'), ('B'), ('A')) v(p), range(-28, 84) t(d) "
            f"WHERE p <> 'C' OR d < 0) TO '{days}' (FORMAT parquet)"
        )
    found = build_diary_windows(days, load_clinic(folder))
    validate("windows", found)
    keys = list(map(tuple, found[["patient_id", "window", "outcome"]].to_numpy()))
    assert keys == sorted(keys) and len(set(keys)) == len(keys)
    assert set(TABLES["windows"].key) - {"source"} == {"patient_id", "window", "outcome"}
    told = found[found["window"].isin(["baseline", "post"])]
    told = told.set_index(["patient_id", "window", "outcome"])
    assert told["value"].to_dict() == {
        **{("A", w, o): v for w in ("baseline", "post") for o, v in
           {"duration": 2, "frequency": 4, "headache_index": 4 * 2 * 4, "intensity": 4}.items()},
        **{("B", w, o): 0 for w in ("baseline", "post") for o in ("frequency", "headache_index")},
        ("C", "baseline", "duration"): 2, ("C", "baseline", "frequency"): 4,
    }  # fmt: skip
    assert told.loc[("A", "post"), "count"].to_list() == [4, 4, 4, 4]
    assert (told["days_observed"] == 28).all() and told["complete"].all()
