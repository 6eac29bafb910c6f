"""The truth report: every interval and flag has a line, the worlds are what they say they are."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def truth() -> Any:
    path = BENCHMARKS / "truth.py"
    spec = importlib.util.spec_from_file_location("truth", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["truth"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def worlds(truth: Any) -> list[Any]:
    return [truth.World(draws, 600, 1) for draws in (truth.truth_a, truth.truth_b)]


def test_everything_with_an_interval_or_a_flag_has_a_line_or_a_reason(truth: Any) -> None:
    codes, held, elsewhere = truth.list_codes(), truth.list_held(), set(truth.ELSEWHERE)
    assert codes - held - elsewhere == set(), "write a line in benchmarks/truth_*.py, or a reason"
    assert (held | elsewhere) - codes == set()
    assert held & elsewhere == set()


def test_codes_come_from_the_code(truth: Any) -> None:
    # Some of each kind, by name: a list that came out short would hold nothing back.
    assert {
        "interval.t_rubin",
        "cohort.ci",
        "network_pairs.side_difference",
        "pooled.q_p_value",
        "trap.mnar_diary",
        "control_chart.eight_on_one_side",
        "claims.not supported",
        "verdict.not reproduced",
        "check.grimmer",
        "funnel.flag",
    } <= truth.list_codes()


def _imports(file: str) -> set[str]:
    tree = ast.parse((BENCHMARKS / file).read_text(encoding="utf-8"))
    names = {n.name for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names}
    names |= {str(n.module) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    return {name.split(".")[0] for name in names} - {"__future__", "typing"}


def test_the_worlds_share_no_code() -> None:
    assert _imports("truth_b.py") == {"numpy"}
    assert _imports("truth_a.py") == {"numpy", "headway"}


def test_every_family_runs_and_fills_its_lines(truth: Any, worlds: list[Any]) -> None:
    for family in truth.FAMILIES.values():
        for world in worlds:
            found = truth.count_hits(family, world, 4)
            assert set(found) == set(family.lines)
            for name, one in found.items():
                assert one["n"] <= one["of"], name
                assert -1e-9 <= one["sum"] <= one["n"] + 1e-9, name
            assert sum(one["n"] for one in found.values()) > 0, family.name


@pytest.mark.parametrize("at", [0, 1])
def test_trials_have_the_mean_and_the_variances_that_are_taken_for_true(
    truth: Any, worlds: list[Any], at: int
) -> None:
    draws, rng = worlds[at].draws, np.random.default_rng(at)
    d = draws.draw_trials(rng, 4000, 5, 0.5)
    error = d["m1"] - d["m2"] - d["true"]
    assert d["true"].mean() == pytest.approx(0.3, abs=0.03)
    assert d["new"].var() == pytest.approx(0.5, rel=0.12)
    assert error.mean() == pytest.approx(0, abs=0.01)
    z = error / np.sqrt(1 / d["n1"] + 1 / d["n2"])
    assert z.var() == pytest.approx(1, rel=0.04)  # SDs within arms are 1
    assert (d["s1"] ** 2).mean() == pytest.approx(1, rel=0.02)
    odds = draws.draw_tables(rng, 4000, 1, 0.5)
    risk1, risk2 = odds["e1"].sum() / odds["n1"].sum(), odds["e2"].sum() / odds["n2"].sum()
    assert risk1 > risk2 + 0.05


@pytest.mark.parametrize("at", [0, 1])
def test_relapses_follow_the_curve_that_is_taken_for_true(
    truth: Any, worlds: list[Any], at: int
) -> None:
    draws = worlds[at].draws
    left, right = draws.draw_relapses(np.random.default_rng(at), 40_000)
    assert (left < right).all()
    free = draws.find_free(np.arange(9.0))
    assert free[0] == 1 and (np.diff(free) < 0).all()
    # Looked at in the first window, had a relapse by then or not: missing at random.
    seen = (right == 1) | (left >= 1)
    share = (left[seen] >= 1).mean()
    # Those seen later, and free then, were free in the first window, too: a little high.
    assert share == pytest.approx(free[1], abs=0.05)


def test_the_second_world_has_the_headache_days_of_a_clinic(worlds: list[Any]) -> None:
    p = worlds[1].people
    assert (p["true"] <= p["untreated"]).all()
    before, after = p["untreated"][:, 1], p["untreated"][:, 4]
    assert before.min() >= 4
    assert after.mean() < before.mean()  # regression to the mean
    assert 0.1 < p["lost"].mean() < 0.5


def test_rates_have_the_interval_of_their_replicates(truth: Any) -> None:
    value, low, high = truth.rate({"n": 1000, "of": 1000, "sum": 950, "squares": 950})
    # Wilson 1927, by hand: (950 + 1.92) / 1003.84 -/+ 1.96 / 1003.84 sqrt(47.5 + .96)
    assert (value, low, high) == pytest.approx((95.0, 93.47, 96.19), abs=0.01)
    value, low, high = truth.rate({"n": 100, "of": 100, "sum": 50, "squares": 26})
    assert (value, low, high) == pytest.approx((50, 48.04, 51.96), abs=0.01)
    assert np.isnan(truth.rate({"n": 0, "of": 5, "sum": 0, "squares": 0})[0])


@pytest.mark.parametrize(
    ("most", "value", "words"),
    [
        (None, 92.9, "too narrow"),
        (None, 93.0, "inside"),
        (None, 97.0, "inside"),
        (None, 97.1, "wide"),
        (2.5, 2.5, "within"),
        (2.5, 2.6, "too often"),
    ],
)
def test_the_verdict_on_a_line(truth: Any, most: float | None, value: float, words: str) -> None:
    line = truth.Line("", "", "", (), most=most)
    assert truth.judge_line(line, value) == words


def test_done_families_are_not_done_again(
    truth: Any, worlds: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(truth, "KEPT", tmp_path)
    family = truth.FAMILIES["one trial"]
    assert truth.run_families([family], worlds, 10) == []
    first = {f: f.stat().st_mtime_ns for f in tmp_path.iterdir()}
    assert len(first) == 2
    assert truth.run_families([family], worlds, 10) == []
    assert {f: f.stat().st_mtime_ns for f in tmp_path.iterdir()} == first
    assert truth.run_families([family], worlds, 11, minutes=0) == ["one trial (A)", "one trial (B)"]
    assert truth.run_families([family], worlds, 11) == []
    assert all(f.stat().st_mtime_ns > first[f] for f in tmp_path.iterdir())


# --- the page -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows(truth: Any) -> list[list[str]]:
    text = truth.PAGE.read_text(encoding="utf-8")
    table = text.split(truth.START)[1].split(truth.END)[0]
    cells = [[c.strip() for c in x.strip("| ").split(" | ")] for x in table.splitlines()]
    return [row for row in cells if len(row) >= 6 and row[0] not in ("what", "---")]


def test_the_page_holds_every_line(truth: Any, rows: list[list[str]]) -> None:
    lines = [line for f in truth.FAMILIES.values() for line in f.lines.values()]
    assert sorted((r[0], r[1]) for r in rows) == sorted((x.what, x.method) for x in lines)


def test_what_lies_outside_is_said(truth: Any) -> None:
    text = truth.PAGE.read_text(encoding="utf-8")
    for row in text.split(truth.START)[1].split(truth.END)[0].splitlines():
        if any(
            f"{word} |" in row or f"{word}," in row for word in ("too narrow", "too often", "wide")
        ):
            assert len(row.rstrip("| ").split(" | ")) == 7, row


@pytest.mark.parametrize("name", ["one trial", "reproduced"])
def test_the_page_holds_the_numbers_of_the_command(
    truth: Any, rows: list[list[str]], name: str
) -> None:
    family = truth.FAMILIES[name]
    shown = {(r[0], r[1]): (r[3], r[4]) for r in rows}
    for at, draws in enumerate((truth.truth_a, truth.truth_b)):
        world = truth.World(draws, truth.PEOPLE, truth.SEED)
        found = truth.count_hits(family, world, truth.REPLICATES)
        for key, line in family.lines.items():
            assert shown[line.what, line.method][at] == truth.write_cell(found[key])


def test_what_is_said_is_of_a_line(truth: Any) -> None:
    names = {f"{f.name}: {line}" for f in truth.FAMILIES.values() for line in f.lines}
    assert set(truth.SAYS) <= names
