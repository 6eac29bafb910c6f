"""Traps: rules against closed forms, scipy and statsmodels; rates on clinics with a known truth."""

from __future__ import annotations

import importlib.util
import math
import random
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from headway import config
from headway import simulate as sim
from headway.config.clinic import Clinic
from headway.errors import InputError, Problem
from headway.ingest import clinics
from headway.messages import say
from headway.outcomes.change import cohort, recall
from headway.outcomes.change.cohort import find_starters
from headway.outcomes.change.windows import (
    build_diary_windows,
    build_given_windows,
    list_comparisons,
)
from headway.outcomes.expectation import traps
from headway.tables import conform, empty, read_parquet, write_parquet
from tests.unit.clinic_builder import analyse, ingest, write_clinic

ROOT = Path(__file__).resolve().parents[2]
IDS = ["zero_coded_missing", "unit_mix", "mnar_diary", "dropout_if_not_better"]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_traps", ROOT / "benchmarks/traps.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_traps"] = module
    spec.loader.exec_module(module)
    return module


# --- zeros -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("others", "flag"), [(15, False), (16, True)])
def test_answers_of_zero_without_a_diary_follow_fishers_test(others: int, flag: bool) -> None:
    # All five without entries say 0, nobody with entries does: p = 1 / C(5 + others, 5).
    answers = pd.Series([0.0] * 5 + [9.0] * others)
    observed = pd.Series([20.0] * others, index=range(5, 5 + others))
    found = traps.find_zero_answers(answers, observed)
    assert found[0] is (1 / math.comb(5 + others, 5) < 1e-4)
    assert found[1:3] == (5, 5 + others)


def test_four_zeros_and_zeros_of_a_minority_are_not_doubted() -> None:
    observed = pd.Series([20.0] * 60, index=range(100, 160))
    four = pd.concat([pd.Series([0.0] * 4), pd.Series([9.0] * 60, index=observed.index)])
    assert not traps.find_zero_answers(four, observed)[0]
    # 9 of 20 without a diary say 0: Fisher's p is tiny, but most of them answered with days.
    some = pd.Series([0.0] * 9 + [8.0] * 11)
    mixed = pd.concat([some, pd.Series([9.0] * 60, index=observed.index)])
    assert stats.fisher_exact([[9, 11], [0, 60]], alternative="greater").pvalue < 1e-4
    assert not traps.find_zero_answers(mixed, observed)[0]
    assert traps.find_zero_answers(mixed.drop([18, 19]), observed)[0]  # 9 of 18


def test_answers_without_a_visit_are_doubted_where_no_diary_is_kept() -> None:
    answers = pd.Series([0.0] * 6 + [7.0] * 40)
    visited = pd.Series([False] * 6 + [True] * 40)
    assert traps.find_zero_answers(answers, pd.Series(dtype=float), visited)[3] == "visit"
    assert not traps.find_zero_answers(answers, pd.Series(dtype=float))[0]


@pytest.mark.parametrize(("zeros", "flag"), [(13, False), (14, True)])
def test_a_spike_at_zero_is_that_of_the_binomial(zeros: int, flag: bool) -> None:
    # Nobody between 1 and 3: the chance is 0.5 to the power of the zeros.
    assert (0.5**zeros < 1e-4) is flag
    answers = pd.Series([0.0] * zeros + [4.0, 9.0, 28.0] * 10)
    assert traps.find_zero_spike(answers) == (flag, zeros, zeros + 30)
    assert not traps.find_zero_spike(pd.Series([0.0] * 14 + [1.0, 2.0, 3.0] * 4))[0]


@pytest.mark.parametrize(("share", "length"), [(0.5, 30), (0.25, 64)])
def test_a_run_is_too_long_where_half_the_headache_would_not_leave_it(
    share: float, length: int
) -> None:
    assert math.ceil(math.log(1e-3) / math.log(1 - share / 2 * 0.83)) == length
    for run, flag in ((length - 1, False), (length, True)):
        people = pd.DataFrame({"hits": [100 * share] * 5, "entries": 100.0, "run": float(run)})
        assert traps.find_free_runs(people) == (flag, 5 if flag else 0, 5)
    # Five of 101 are fewer than 5 %.
    others = pd.DataFrame({"hits": [50.0] * 96, "entries": 100.0, "run": 3.0})
    assert not traps.find_free_runs(pd.concat([people, others]))[0]
    assert traps.find_free_runs(pd.concat([people, others[:95]]))[0]


# --- two scales ------------------------------------------------------------------------------


def diaries(*groups: tuple[int, float, float, float]) -> pd.DataFrame:
    """People as (how many, headache days, known intensities, the highest)."""
    rows = [row for n, *row in groups for _ in range(n)]
    return pd.DataFrame(rows, columns=["headache_days", "known", "highest"])


def test_people_out_of_range_are_counted_as_far_as_the_quarantine_goes_round() -> None:
    people = diaries((40, 20, 20, 8), (8, 20, 0, np.nan), (3, 4, 0, np.nan))
    found = traps.find_unit_mix(people, 160)
    assert (found.flagged, found.n, found.of) == (True, 8, 48)
    assert traps.find_unit_mix(people, 100).n == 5
    # Left blank, without a cell out of range, is no other scale.
    none = traps.find_unit_mix(people, 3)
    assert (none.flagged, none.n) == (False, 0)


def test_scores_below_a_tenth_are_another_scale_unless_all_are_low() -> None:
    found = traps.find_unit_mix(diaries((40, 20, 20, 8), (8, 20, 20, 1.0)), 0)
    assert (found.flagged, found.n, found.of) == (True, 8, 48)
    assert not traps.find_unit_mix(diaries((40, 20, 20, 8), (8, 20, 20, 1.1)), 0).flagged
    assert not traps.find_unit_mix(diaries((40, 20, 20, 3), (8, 20, 20, 1.0)), 0).flagged
    assert not traps.find_unit_mix(diaries((200, 20, 20, 8), (8, 20, 20, 1.0)), 0).flagged  # 4 %
    assert not traps.find_unit_mix(diaries((40, 20, 0, np.nan)), 0).seen


# --- chosen days -----------------------------------------------------------------------------


def beside_of(gap: np.ndarray, days: float, *, window: str = "post") -> pd.DataFrame:
    """Answers of 12 days beside diaries that hold `gap` more per 28 days."""
    people = [f"P{i}" for i in range(len(gap))]
    said = {"patient_id": people, "window": window, "recalled": 12.0}
    return pd.DataFrame({**said, "diary": 12 + gap, "days_observed": days})


def settings() -> Clinic:
    return config.load_clinic(ROOT / "data" / "raw" / "clinics" / "demo")


def test_the_interval_of_two_looks_is_that_of_scipy() -> None:
    gap = np.random.default_rng(2).normal(0.6, 2.0, 40)
    found = traps.find_chosen_days(beside_of(gap, 20), pd.Index([f"P{i}" for i in range(50)]))
    low, high = stats.t.interval(0.99, 39, gap.mean(), stats.sem(gap))
    printed = f"{gap.mean():+.1f} days ({low:.1f} to {high:.1f}) with 71 %"
    assert printed.replace("-", "−") in say(found.detail)
    assert (found.flagged, found.n, found.of) == (bool(low > 0), 40, 50)


def test_a_diary_is_doubted_before_and_after_and_not_where_nearly_complete() -> None:
    gap = np.tile([1.9, 2.1], 10)
    people = pd.Index([f"P{i}" for i in range(20)])
    for window in ("baseline", "post"):
        assert traps.find_chosen_days(beside_of(gap, 20, window=window), people).flagged
    assert not traps.find_chosen_days(beside_of(gap, 26), people).flagged
    assert not traps.find_chosen_days(beside_of(-gap, 20), people).flagged
    unseen = traps.find_chosen_days(beside_of(gap, 20).iloc[:0], people)
    assert not unseen.seen and not unseen.flagged and "cannot be seen" in say(unseen.note)


def late_visits(tmp_path: Path, chosen: float) -> dict[str, pd.DataFrame]:
    """Ask 60 people on days 105 to 112, while their headaches still fade; recall is exact.

    Of the days 70 % have an entry, headache days `chosen` more than free ones.
    """
    draw = random.Random(5)
    diary, visits = ["code,day,headache"], ["code,day,asked"]
    for p in range(60):
        level, days = draw.uniform(0.4, 0.8), range(-28, 112)
        ached = {d: draw.random() < (level if d < 0 else level * math.exp(-d / 90)) for d in days}
        for d in days:
            seen = 0.7 + (chosen if ached[d] and d >= 0 else 0)
            if draw.random() < seen:
                diary.append(f"P{p},{d},{int(ached[d])}")
        on = 105 + p % 8
        for visit in (0, on):
            visits.append(f"P{p},{visit},{sum(ached[d] for d in range(visit - 28, visit))}")
    columns = {"patient_id": "code", "day": "day"}
    files = {"d.csv": "\n".join(diary) + "\n", "v.csv": "\n".join(visits) + "\n"}
    spec = {
        "diary": {"path": "d.csv", "columns": {**columns, "headache": "headache"}},
        "sessions": {"path": "v.csv", "columns": {**columns, "headache_days_28": "asked"}},
    }
    folder = write_clinic(tmp_path / "late", files, spec)
    _, _, out = ingest(folder)
    clinic = config.load_clinic(folder)
    found = cohort.prepare_clinic(out, clinic)
    tables = cohort.analyse_prepared(found, clinic)
    tables["traps"] = traps.build_traps(
        out, clinic, found.windows, found.starters, found.comparisons
    )
    return tables


def test_recall_is_held_against_the_diary_of_the_same_days(tmp_path: Path) -> None:
    found = late_visits(tmp_path, 0.0)
    rows = found["cohort"][found["cohort"]["statistic"] == "diary_minus_recall"]
    after = rows.set_index("comparison").loc["diary_v_recall_after"]
    assert after["n"] == 60 and abs(after["estimate"]) < 0.8
    assert after["ci_low"] < 0 < after["ci_high"] and "no_sign" in after["note"]
    assert not found["traps"].set_index("id").loc["mnar_diary", "flagged"]
    # The primary window, days 56 to 83, held clearly more headache days than the answers say.
    own = found["windows"][found["windows"]["outcome"] == "frequency"]
    post = own[own["window"] == "post"].pivot(index="patient_id", columns="source", values="value")
    assert (post["diary"] - post["visit"]).mean() > 1.5


def test_a_diary_of_chosen_days_is_found_at_late_visits_too(tmp_path: Path) -> None:
    found = late_visits(tmp_path, 0.3)
    trap = found["traps"].set_index("id").loc["mnar_diary"]
    assert trap["flagged"] and trap["n"] == 60


def test_a_person_without_entries_in_those_days_is_not_compared(tmp_path: Path) -> None:
    days = pd.DataFrame({"patient_id": ["a"] * 20, "day": range(60, 80), "headache": 1})
    path = tmp_path / "days.parquet"
    write_parquet(conform("days", days, check=False), path)
    asked = pd.DataFrame(
        {"patient_id": ["a", "b", "a"], "day": [84, 84, 112], "headache_days_28": [20, 5, 1]}
    )
    found = recall.set_beside(path, asked, settings()).set_index("patient_id")
    # Nearest to day 84 counts: days 56 to 83, of which 20 have an entry.
    assert found.loc["a", ["recalled", "diary", "days_observed"]].tolist() == [20, 28, 20]
    assert found.loc["b", "days_observed"] == 0 and np.isnan(found.loc["b", "diary"])
    late = recall.set_beside(path, asked[asked["day"] == 112], settings())
    assert late["days_observed"].tolist() == [0]
    assert not traps.find_chosen_days(late, pd.Index(["a", "b"])).seen


# --- who left --------------------------------------------------------------------------------


def answers_of(rng: np.random.Generator, n: int, lost: int, worse: float) -> pd.DataFrame:
    """Answers at two visits of each person; the lost start 3 days worse and are asked earlier."""
    rows = []
    for i in range(n):
        before = rng.normal(16 + 3 * (i < lost), 5)
        for planned in (30, 44) if i < lost else (42, 84):
            day = planned + int(rng.integers(0, 6))
            value = 0.6 * before + 5 - 0.04 * day + worse * (i < lost) + rng.normal(0, 4)
            rows.append((i, float(day), value, before))
    return pd.DataFrame(rows, columns=["patient_id", "day", "value", "before"])


def test_last_answers_are_compared_as_statsmodels_does() -> None:
    import statsmodels.api as sm

    table = answers_of(np.random.default_rng(4), 60, 15, 2.0)
    found = traps.compare_last_answers(table, range(15))
    last = table[table["patient_id"] < 15].groupby("patient_id").last().reset_index()
    near = table[table["patient_id"] >= 15].groupby("patient_id").first().reset_index()
    assert (near["day"] < 60).all() and last["day"].median() < 50
    used = pd.concat([last, near])
    x = np.column_stack([used["patient_id"] < 15, used["before"], used["day"]]).astype(float)
    fit = sm.OLS(used["value"].to_numpy(), sm.add_constant(x)).fit()
    assert (found.n, found.n_analysed) == (15, 45)
    assert found.difference == pytest.approx(fit.params[1], abs=1e-9)
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(fit.conf_int(0.02)[1]), abs=1e-9)


def test_the_lost_are_rarely_doubted_where_they_did_as_well_and_mostly_where_not() -> None:
    rng = np.random.default_rng(5)
    clinics = 400
    null = [
        traps.compare_last_answers(answers_of(rng, 60, 15, 0.0), range(15)).ci_low > 0
        for _ in range(clinics)
    ]
    assert np.mean(null) <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / clinics)
    real = [
        traps.compare_last_answers(answers_of(rng, 60, 15, 8.0), range(15)).ci_low > 0
        for _ in range(40)
    ]
    assert np.mean(real) > 0.9


def test_too_few_answers_or_no_common_time_have_no_interval() -> None:
    table = answers_of(np.random.default_rng(6), 12, 3, 0.0)
    apart = table.assign(day=np.where(table["patient_id"] < 3, 30.0, 84.0))
    assert np.isnan(traps.compare_last_answers(apart, range(3)).ci_low)
    for lost in ([], [0], list(range(12))):
        assert np.isnan(traps.compare_last_answers(table, lost).ci_low)


# --- together --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("real_effect", None),
        ("zero_coded_sessions", "zero_coded_missing"),
        ("zero_coded_diary", "zero_coded_missing"),
        ("unit_mix", "unit_mix"),
        ("mnar_diary", "mnar_diary"),
        ("dropout_if_not_better", "dropout_if_not_better"),
    ],
)
def test_a_trap_is_flagged_and_no_other(
    bench: ModuleType, tmp_path: Path, scenario: str, expected: str | None
) -> None:
    for seed in (3, 4):
        clinic = sim.simulate_clinic(n_patients=150, seed=seed, scenario=scenario)
        folder = tmp_path / str(seed)
        found = bench.look_at(folder, clinic)
        assert list(found["id"]) == IDS
        flagged = set(found.loc[found["flagged"], "id"])
        if expected == "zero_coded_missing":
            flagged -= {"mnar_diary"}  # an answer of 0 lies below the diary too
        assert flagged == ({expected} if expected else set())
        assert (found["n"] <= found["of"]).all()


@pytest.mark.parametrize("scenario", ["unit_mix"])
def test_files_and_processed_tables_give_the_same_traps(
    bench: ModuleType, tmp_path: Path, scenario: str
) -> None:
    clinic = sim.simulate_clinic(n_patients=60, seed=8, scenario=scenario)
    short = bench.look_at(tmp_path / "short", clinic)
    folder = tmp_path / "c"
    sim.write_clinic(clinic, folder)
    sim.write_settings(clinic, folder)
    _, _, out = ingest(folder)
    long = bench.look(out, config.load_clinic(folder))
    pd.testing.assert_frame_equal(short, long)


def test_without_answers_two_traps_cannot_be_seen(bench: ModuleType, tmp_path: Path) -> None:
    clinic = sim.simulate_clinic(n_patients=60, seed=8, scenario="mnar_diary")
    found = bench.look_at(tmp_path / "c", clinic, asked=False).set_index("id")
    for id in ("mnar_diary", "dropout_if_not_better"):
        assert not found.loc[id, "flagged"] and np.isnan(found.loc[id, "n"])
        assert say(found.loc[id, "note"]).startswith("cannot be seen")


def test_nothing_is_seen_in_a_clinic_without_records(tmp_path: Path) -> None:
    clinics.write_empty(tmp_path)
    nobody = pd.Index([], dtype="str")
    found = traps.build_traps(tmp_path, settings(), empty("windows"), nobody, [])
    assert list(found["id"]) == IDS and not found["flagged"].any()
    assert found["n"].isna().all() and found["note"].map(say).str.startswith("cannot be seen").all()


def test_a_published_diary_alone_shows_no_filling_and_hides_the_rest(tmp_path: Path) -> None:
    folder = ROOT / "data" / "raw" / "clinics" / "kostecki_dillon_1999"
    clinic = config.load_clinic(folder)
    clinics.ingest_clinic(folder, clinic, tmp_path)
    windows = build_diary_windows(tmp_path / "days.parquet", clinic)
    starters = find_starters(tmp_path)
    comparisons = list_comparisons(clinic, {"diary"})
    found = traps.build_traps(tmp_path, clinic, windows, starters, comparisons).set_index("id")
    assert not found["flagged"].any()
    # One of the 133 people has no headache day on record.
    assert found.loc["zero_coded_missing", ["n", "of"]].tolist() == [0, 132]
    assert found.drop(index="zero_coded_missing")["n"].isna().all()


def test_given_windows_have_passed_the_check_when_they_were_read(tmp_path: Path) -> None:
    rows = "".join(f"P{i},12,{0 if i < 3 else 9}\n" for i in range(10))
    wide = [
        {"column": c, "window": w, "outcome": "frequency", "unit": "days_per_28"}
        for c, w in (("before", "baseline"), ("after", "post"))
    ]
    folder = write_clinic(
        tmp_path / "c",
        {"windows.csv": f"code,before,after\n{rows}"},
        {"windows": {"path": "windows.csv", "columns": {"patient_id": "code"}, "wide": wide}},
    )
    _, _, out = ingest(folder)
    windows = build_given_windows(read_parquet(out / "given_windows.parquet"))
    clinic = config.load_clinic(folder)
    comparisons = list_comparisons(clinic, {"given"})
    found = traps.build_traps(out, clinic, windows, find_starters(out), comparisons)
    zeros = found.set_index("id").loc["zero_coded_missing"]
    assert (zeros["flagged"], zeros["n"], zeros["of"]) == (False, 3, 10)
    lost = found.set_index("id").loc["dropout_if_not_better"]
    assert (lost["n"], lost["of"], lost["detail"]) == (0, 0, "trap.nobody_lost")


def test_a_refusal_for_zeros_is_a_flag(tmp_path: Path) -> None:
    clinic = sim.simulate_clinic(n_patients=150, seed=2, scenario="zero_coded_missing")
    sim.write_clinic(clinic, tmp_path / "c")
    sim.write_settings(clinic, tmp_path / "c")
    with pytest.raises(InputError) as caught:
        analyse(tmp_path / "c")
    found = traps.flag_refusal(caught.value.problems)
    assert list(found["flagged"]) == [True]
    assert found.loc[0, "n"] == clinic.truth["planted"]["zero_coded_windows"]
    assert "'days_after' of windows.csv" in say(found.loc[0, "detail"])
    assert not len(traps.flag_refusal([Problem("a.csv", "email", "x")]))


def test_the_benchmark_counts_and_writes(bench: ModuleType, tmp_path: Path) -> None:
    for name, finding, rate in (
        ("identifier_leak", "refused by the gate", 1.0),
        ("small_cells", "all suppressed (opensafely)", 1.0),
        ("real_effect (more files)", "refused by the gate", 0.0),
    ):
        tally = bench.run(name, range(5, 6), 150, tmp_path)
        assert (tally.hits[finding], tally.of[finding]) == (rate, 1)
        table = "\n".join(bench.write_rows(name, tally))
        assert f"| {name} | {finding} | {int(rate)} of 1 | {100 * rate:.1f} |" in table


def test_rows_of_the_page_are_replaced_in_their_order(bench: ModuleType) -> None:
    page = f"a\n{bench.START}\n{bench.END}\nb\n"
    for name, row in (("unit_mix", "1"), ("zero_coded_missing", "2"), ("unit_mix", "3")):
        page = bench.update_page(page, name, [f"| {name} | {row} |"], 150)
    rows = [line for line in page.splitlines() if line.startswith(("| unit", "| zero"))]
    assert rows == ["| zero_coded_missing | 2 |", "| unit_mix | 3 |"]
    assert page.startswith("a\n") and page.endswith("\nb\n")


def test_the_page_holds_a_full_run(bench: ModuleType) -> None:
    text = (ROOT / "docs" / "traps.md").read_text(encoding="utf-8")
    table = text.split(bench.START)[1].split(bench.END)[0]
    for name, findings in bench.ROWS.items():
        for finding in findings:
            assert f"| {name} | {finding} | " in table


@pytest.mark.parametrize("more", range(6))
def test_cohort_and_traps_give_one_answer_about_entries_on_headache_days(
    tmp_path: Path, more: int
) -> None:
    """Ten people, 20 of 28 days written; the diary lies further above recall from run to run.

    In some of the runs the 95 % interval of the difference lies above 0 and the 99 % one does not.
    """
    diary, visits = ["code,day,headache"], ["code,day,asked"]
    for p in range(10):
        for first, moved in ((-28, 0), (56, more)):
            hits = 8 + p % 5
            diary += [f"P{p},{first + i},{int(i < hits)}" for i in range(20)]
            said = round(28 * hits / 20) - (3 * (p % 2) if not moved else p % 4 - 2 + moved // 2)
            visits.append(f"P{p},{0 if first < 0 else 84},{said}")
    files = {"d.csv": "\n".join(diary) + "\n", "v.csv": "\n".join(visits) + "\n"}
    columns = {"patient_id": "code", "day": "day"}
    spec = {
        "diary": {"path": "d.csv", "columns": {**columns, "headache": "headache"}},
        "sessions": {"path": "v.csv", "columns": {**columns, "headache_days_28": "asked"}},
    }
    folder = write_clinic(tmp_path / "c", files, spec)
    _, _, out = ingest(folder)
    clinic = config.load_clinic(folder)
    found = cohort.prepare_clinic(out, clinic)
    notes = cohort.analyse_prepared(found, clinic)["cohort"]
    notes = notes.loc[notes["statistic"] == "diary_minus_recall", "note"]
    assert len(notes) == 2
    table = traps.build_traps(out, clinic, found.windows, found.starters, found.comparisons)
    flagged = table.set_index("id").loc["mnar_diary", "flagged"]
    assert notes.str.contains("FLAG").any() == flagged
