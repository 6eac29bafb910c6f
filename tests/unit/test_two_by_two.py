"""Mantel-Haenszel and Peto: edges, and R's metafor on tables outside the stored answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway.meta import pool
from headway.meta.two_by_two import NOTE_FLAT, NOTE_ONE, NOTE_UNDEFINED, mantel_haenszel, peto

MEASURES = ("OR", "RR", "RD")
TABLES: dict[str, list[float]] = {
    "a": [4, 6, 3, 62],
    "b": [119, 300, 228, 13536],
    "c": [11, 29, 11, 248],
    "d": [128, 274, 209, 12619],
}


def tabulate(rows: list[tuple[float, ...]]) -> dict[str, list[float]]:
    return {name: [row[i] for row in rows] for i, name in enumerate("abcd")}


def test_one_table_is_its_own_effect() -> None:
    table = {name: value[:1] for name, value in TABLES.items()}
    fit = mantel_haenszel(**table)
    assert np.isclose(fit.estimate, np.log(4 * 128 / (119 * 11)))
    assert np.isclose(fit.se, np.sqrt(1 / 4 + 1 / 119 + 1 / 11 + 1 / 128))
    assert (fit.q, fit.q_p_value, fit.i2, fit.k) == (0, 1, 0, 1)
    assert np.isnan(fit.tarone_p_value)
    assert NOTE_ONE in fit.remark
    risk = mantel_haenszel(**table, measure="RD")
    assert np.isclose(risk.estimate, 4 / 123 - 11 / 139)


def test_equal_groups_weigh_risk_differences_by_size() -> None:
    rows = [(3, 17, 5, 15), (10, 40, 12, 38)]
    fit = mantel_haenszel(**tabulate(rows), measure="RD")
    assert np.isclose(fit.estimate, (20 * -0.1 + 50 * -0.04) / 70)


@pytest.mark.parametrize("measure", MEASURES)
def test_swapping_the_groups_turns_the_sign(measure: str) -> None:
    one = mantel_haenszel(**TABLES, measure=measure)
    swapped = {"a": TABLES["c"], "b": TABLES["d"], "c": TABLES["a"], "d": TABLES["b"]}
    other = mantel_haenszel(**swapped, measure=measure)
    for name in ("estimate", "statistic"):
        assert np.isclose(getattr(one, name), -getattr(other, name))
    for name in ("se", "q", "p_value", "cmh", "breslow_day", "tarone"):
        assert np.isclose(getattr(one, name), getattr(other, name), equal_nan=True)


def test_empty_tables_are_counted_and_add_nothing_to_ratios() -> None:
    rows = list(zip(*(TABLES[name] for name in "abcd"), strict=True))
    empty = [(0, 20, 0, 30), (20, 0, 10, 0)]
    for measure in ("OR", "RR"):
        plain = mantel_haenszel(**tabulate(rows), measure=measure)
        padded = mantel_haenszel(**tabulate([*rows, empty[0]]), measure=measure)
        assert (padded.k, padded.k_effects, padded.k_empty) == (5, 4, 1)
        assert np.isclose(padded.estimate, plain.estimate)
        assert padded.q == plain.q
        assert "1 table without an event" in padded.summary()
    fit = peto(**tabulate([*rows, *empty]))
    assert (fit.k, fit.k_effects, fit.k_empty) == (6, 4, 2)
    assert np.isclose(fit.estimate, peto(**TABLES).estimate)
    padded = mantel_haenszel(**tabulate([*rows, *empty]), measure="RD")
    assert abs(padded.estimate) < abs(mantel_haenszel(**TABLES, measure="RD").estimate)


def test_a_ratio_of_nothing_is_not_defined() -> None:
    rows = [(0, 20, 3, 17), (0, 30, 5, 25)]
    for measure in ("OR", "RR"):
        fit = mantel_haenszel(**tabulate(rows), measure=measure)
        assert np.isnan([fit.estimate, fit.se, fit.p_value, fit.q, fit.i2]).all()
        assert NOTE_UNDEFINED in fit.remark
        assert "nan" in fit.summary()
    assert np.isfinite(mantel_haenszel(**tabulate(rows)).cmh)
    assert np.isfinite(peto(**tabulate(rows)).estimate)
    nothing = tabulate([(0, 20, 0, 20), (0, 10, 0, 12)])
    fit = mantel_haenszel(**nothing)
    assert np.isnan(fit.cmh)
    assert fit.k_empty == 2
    flat = mantel_haenszel(**nothing, measure="RD")
    assert (flat.estimate, flat.se) == (0, 0)
    assert NOTE_FLAT in flat.remark
    assert np.isnan(flat.p_value)
    with pytest.raises(ValueError, match="some patients had the event"):
        peto(**nothing)


def test_a_common_odds_ratio_of_one_has_tests_of_homogeneity() -> None:
    fit = mantel_haenszel(**tabulate([(10, 10, 10, 10), (5, 15, 5, 15)]))
    assert fit.estimate == 0
    assert np.isclose(fit.breslow_day, 0)
    assert fit.tests_df == 1


def test_the_continuity_correction_enters_heterogeneity_only() -> None:
    rows = [(0, 20, 3, 17), (4, 26, 5, 25), (2, 18, 6, 14)]
    half, none = mantel_haenszel(**tabulate(rows)), mantel_haenszel(**tabulate(rows), to="none")
    assert half.estimate == none.estimate
    assert (half.k_effects, none.k_effects) == (3, 2)
    assert half.q != none.q
    assert mantel_haenszel(**tabulate(rows), correct=False).cmh > half.cmh


def test_peto_is_a_common_effect_of_its_tables() -> None:
    t = {name: np.array(value) for name, value in TABLES.items()}
    n1, n2 = t["a"] + t["b"], t["c"] + t["d"]
    n, events = n1 + n2, t["a"] + t["c"]
    v = n1 * n2 * events * (n - events) / (n**2 * (n - 1))
    common = pool((t["a"] - n1 * events / n) / v, 1 / v, method="EE", test="z")
    fit = peto(**TABLES)
    for name in ("estimate", "se", "ci_low", "ci_high", "q", "q_p_value", "i2", "h2"):
        assert np.isclose(getattr(fit, name), getattr(common, name)), name


def test_impossible_counts_are_refused_by_position() -> None:
    def change(name: str, value: float) -> dict[str, list[float]]:
        return {**TABLES, name: [*TABLES[name][:2], value, TABLES[name][3]]}

    for function in (mantel_haenszel, peto):
        with pytest.raises(ValueError, match="b must be finite and at least 0: see position 2"):
            function(**change("b", -1))
        with pytest.raises(ValueError, match="c must be finite and at least 0: see position 2"):
            function(**change("c", np.nan))
        with pytest.raises(ValueError, match="equally long"):
            function(**{**TABLES, "a": [1.0]})
        with pytest.raises(ValueError, match="no tables"):
            function(a=[], b=[], c=[], d=[])
        with pytest.raises(ValueError, match=r"a \+ b must be at least 1 patient: see position 0"):
            function(a=[0], b=[0], c=[1], d=[5])
    with pytest.raises(ValueError, match="measure must be one of"):
        mantel_haenszel(**TABLES, measure="PETO")
    with pytest.raises(ValueError, match="to must be one of"):
        mantel_haenszel(**TABLES, to="some")


def test_results_print_and_tabulate() -> None:
    fit = mantel_haenszel(**TABLES)
    assert "\n" not in repr(fit)
    text = fit.summary()
    assert text.startswith("Mantel-Haenszel meta-analysis of 4 tables (log odds ratio)")
    for part in ("as a ratio", "Cochran-Mantel-Haenszel", "Breslow-Day", "Tarone"):
        assert part in text
    assert "as a ratio" not in mantel_haenszel(**TABLES, measure="RD").summary()
    assert len(fit.to_frame()) == 1
    with pytest.raises(AttributeError):
        fit.k = 2  # type: ignore[misc]


# ---- metafor itself -----------------------------------------------------------------------------

R_SCRIPT = """
suppressMessages({library(metafor); library(jsonlite)})
sets <- fromJSON("sets.json", simplifyVector = TRUE, simplifyDataFrame = FALSE)
take <- function(f) list(f$k, c(f$beta), f$se, f$pval, f$ci.lb, f$ci.ub, f$QE, f$QEp, f$I2, f$H2,
  f$MH, f$MHp, f$BD, f$BDp, f$TA, f$TAp)
answer <- function(s) {
  out <- list()
  for (m in c("OR", "RR", "RD")) for (add in c(0.5, 0.1)) for (correct in c(TRUE, FALSE))
    out[[paste(m, add, correct)]] <- take(suppressWarnings(rma.mh(ai = s$a, bi = s$b, ci = s$c,
      di = s$d, measure = m, add = add, correct = correct)))
  f <- suppressWarnings(rma.peto(ai = s$a, bi = s$b, ci = s$c, di = s$d))
  out$PETO <- c(take(f)[1:10], as.list(rep(NA, 6)))
  out
}
writeLines(toJSON(lapply(sets, answer), digits = NA, auto_unbox = TRUE, na = "null"), "out.json")
"""

PARTS = [
    "k",
    "estimate",
    "se",
    "p_value",
    "ci_low",
    "ci_high",
    "q",
    "q_p_value",
    "i2",
    "h2",
    "cmh",
    "cmh_p_value",
    "breslow_day",
    "breslow_day_p_value",
    "tarone",
    "tarone_p_value",
]


def draw_sets() -> list[dict[str, list[float]]]:
    rng = np.random.default_rng(20261125)
    sets = [TABLES]
    for k, risk in ((2, 0.3), (5, 0.02), (8, 0.1), (12, 0.004), (20, 0.5), (30, 0.01), (6, 0.97)):
        n1, n2 = rng.integers(8, 300, k), rng.integers(8, 300, k)
        base = np.clip(risk * np.exp(rng.normal(0, 0.5, k)), 0, 1)
        a, c = rng.binomial(n1, np.clip(base * 0.7, 0, 1)), rng.binomial(n2, base)
        cells = {"a": a, "b": n1 - a, "c": c, "d": n2 - c}
        sets.append({name: [float(x) for x in value] for name, value in cells.items()})
    return sets


def test_metafor_agrees_on_rare_and_common_events(tmp_path: Path) -> None:
    if shutil.which("Rscript") is None:
        if os.environ.get("CI"):
            pytest.fail("R with metafor and jsonlite must be there in CI")
        pytest.skip("SKIPPED LOUDLY: R is not here")
    sets = draw_sets()
    (tmp_path / "sets.json").write_text(json.dumps(sets), encoding="utf-8")
    (tmp_path / "script.R").write_text(R_SCRIPT, encoding="utf-8")
    command = ["Rscript", "--vanilla", "script.R"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if done.returncode != 0 and "there is no package" in done.stderr and not os.environ.get("CI"):
        pytest.skip("SKIPPED LOUDLY: R's metafor or jsonlite is not here")
    assert done.returncode == 0, done.stderr
    stored: list[dict[str, Any]] = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert sum(mantel_haenszel(**cells).k_empty for cells in sets) > 3
    for i, (cells, models) in enumerate(zip(sets, stored, strict=True)):
        assert len(models) == 13
        for name, numbers in models.items():
            if name == "PETO":
                ours = peto(**cells)
            else:
                measure, add, correct = name.split()
                ours = mantel_haenszel(
                    **cells, measure=measure, add=float(add), correct=correct == "TRUE"
                )
            for part, number in zip(PARTS, numbers, strict=True):
                expected = np.nan if number is None else number
                value = getattr(ours, part)
                place = (i, name, part, value, expected)
                assert np.isclose(value, expected, rtol=1e-9, atol=1e-11, equal_nan=True), place
