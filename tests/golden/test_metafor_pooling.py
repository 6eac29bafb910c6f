"""Pooling against R's metafor, every analysis of the stored answers, every method and test of ours.

Nothing is picked by hand: the tests walk the whole file, and floors on the numbers of comparisons
keep the walk from shrinking unseen. ``pytest -s`` prints the worst differences.

Tolerances. The stored runs use metafor's iterative estimators with threshold = tol = 1e-11 times
the variance of the effects, so what is left is what *they* stop at. An independent implementation
(design notes, META.md section 3) was off by at most 8e-9 in tau2 (ML, REML, EB), 2e-10 (PM, PMM)
and 2e-13 (closed forms), by 6e-10 of the interval's half-width in estimates and limits, by 8e-9 in
p-values, 2e-13 in Q and 6e-9 points in I2. The bounds below are its justified ones.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway import meta

CLOSED = ("EE", "DL", "HE", "HS", "HSk", "SJ")
ROOTS = ("PM", "PMM")
LIKELIHOODS = ("ML", "REML", "EB")
TESTS = ("z", "t", "knha", "adhoc")

# tau2, relative; a tau2 below a thousandth of the variance of the effects is measured against that.
TAU2_RTOL = dict.fromkeys(CLOSED, 1e-11) | dict.fromkeys(ROOTS, 1e-8)
TAU2_RTOL |= dict.fromkeys(LIKELIHOODS, 1e-7)
TAU2_FLOOR = 1e-3
# Estimate, SE and limits, in half-widths of their interval. The estimate moves with tau2 by at
# most a few half-widths per unit of relative tau2, hence tighter than tau2 itself.
INTERVAL_RTOL = 1e-8
STATISTIC_TOL = 1e-8  # relative, absolute below 1
P_RTOL = 1e-6  # far tails magnify the relative error of the statistic by its square
Q_RTOL = 1e-11
I2_ATOL = 1e-6  # percentage points
H2_RTOL = 1e-8
WEIGHT_ATOL = 1e-6  # percentage points; 1e-7 of tau2 moves no weight by more
QPROFILE_RTOL = 1e-8
# Subgroups were fitted with the stopping rule of the whole set, which is looser for a part of it.
REFIT_RTOL = 1e-6

MIN_FITS = 3080  # 70 analyses x 11 methods x 4 tests
MIN_NEW_FITS = 176  # 4 analyses that need metafor 5.1
MIN_WEIGHTS = 3388
MIN_CONFINT = 140  # 70 analyses x 2 methods
MIN_LEFT_OUT = 5082
MIN_SUBGROUP_FITS = 330
MIN_SUBGROUP_TESTS = 70


@cache
def read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def read_answers(shared: Path, file: str = "oracle.json") -> dict[str, Any]:
    return read_json(shared / "golden" / "metafor" / file)


class Comparison:
    """Worst difference per quantity, and where it is."""

    def __init__(self) -> None:
        self.worst: dict[str, tuple[float, float, Any]] = {}

    def add(self, name: str, ours: Any, theirs: Any, scale: Any, bound: float, where: Any) -> None:
        if theirs is None or (isinstance(theirs, list) and not theirs):
            # "Not defined" must be that for both.
            assert np.isnan(ours), (name, where)
            return
        difference = float(np.max(np.abs(np.asarray(ours) - np.asarray(theirs)) / scale))
        # "not <=" so that NaN counts as the worst.
        if name not in self.worst or not difference <= self.worst[name][0]:
            self.worst[name] = (difference, bound, where)

    def check(self) -> None:
        for name, (difference, bound, where) in self.worst.items():
            print(f"  {name:14s} {difference:.1e}  (allowed {bound:.0e}, at {where})")
        for name, (difference, bound, where) in self.worst.items():
            assert difference <= bound, (name, difference, where)


def walk_analyses(answers: dict[str, Any]) -> Iterator[tuple[str, np.ndarray, np.ndarray, Any]]:
    for key, entry in answers.items():
        yield key, np.array(entry["yi"], dtype=float), np.array(entry["vi"], dtype=float), entry


def compare_fit(seen: Comparison, fit: meta.Fit, model: Any, test: str, y: Any, where: Any) -> None:
    stored = model[test]
    half = (stored["ub"] - stored["lb"]) / 2
    floor = TAU2_FLOOR * y.var(ddof=1)
    method = fit.method
    seen.add(
        f"tau2 {method}",
        fit.tau2,
        model["tau2"],
        max(model["tau2"], floor),
        TAU2_RTOL[method],
        where,
    )
    for name, ours, theirs in (
        ("estimate", fit.estimate, stored["est"]),
        ("se", fit.se, stored["se"]),
        ("ci_low", fit.ci_low, stored["lb"]),
        ("ci_high", fit.ci_high, stored["ub"]),
    ):
        seen.add(name, ours, theirs, half, INTERVAL_RTOL, where)
    low, high = stored.get("pi_lb"), stored.get("pi_ub")
    reach = (high - low) / 2 if isinstance(low, float) else 1.0
    seen.add("pi_low", fit.pi_low, low, reach, INTERVAL_RTOL, where)
    seen.add("pi_high", fit.pi_high, high, reach, INTERVAL_RTOL, where)
    size = max(1.0, abs(stored["stat"]))
    seen.add("statistic", fit.statistic, stored["stat"], size, STATISTIC_TOL, where)
    seen.add("df", fit.df, stored["df"], 1.0, 0.0, where)
    seen.add("p_value", fit.p_value, stored["p"], max(stored["p"], 1e-300), P_RTOL, where)
    seen.add("q", fit.q, model["QE"], model["QE"], Q_RTOL, where)
    seen.add("q_p_value", fit.q_p_value, model["QEp"], max(model["QEp"], 1e-300), P_RTOL, where)
    seen.add("i2", fit.i2, model["I2"], 1.0, I2_ATOL, where)
    seen.add("h2", fit.h2, model["H2"], model["H2"], H2_RTOL, where)


@pytest.mark.parametrize(
    ("file", "section", "least"),
    [
        ("oracle.json", "random_effects", MIN_FITS),
        ("oracle_metafor_5.1.json", "random_effects_new", MIN_NEW_FITS),
    ],
)
def test_every_stored_analysis_is_reproduced(
    shared: Path, file: str, section: str, least: int
) -> None:
    seen, fits = Comparison(), 0
    for key, y, v, entry in walk_analyses(read_answers(shared, file)[section]):
        for method in (*CLOSED, *ROOTS, *LIKELIHOODS):
            for test in TESTS:
                fit = meta.pool(y, v, method=method, test=test)
                assert fit.k == entry["k"]
                compare_fit(seen, fit, entry["models"][method], test, y, (key, method, test))
                fits += 1
    print(f"\n{section}: {fits} fits")
    seen.check()
    assert fits >= least


def test_weights_are_reproduced(shared: Path) -> None:
    seen, weights = Comparison(), 0
    for key, y, v, entry in walk_analyses(read_answers(shared)["random_effects"]):
        for method in ("EE", "REML"):
            stored = entry.get(f"weights_{method}")
            if stored is None:
                continue
            ours = meta.pool(y, v, method=method).weights
            seen.add(f"weights {method}", ours, stored, 1.0, WEIGHT_ATOL, key)
            weights += ours.size
    print(f"\n{weights} weights")
    seen.check()
    assert weights >= MIN_WEIGHTS


def test_likelihood_traps_are_climbed(shared: Path) -> None:
    analyses = read_answers(shared)["random_effects"]
    # Two maxima each: the published global ones, not the nearest.
    for key, method, low, high in (
        ("gibson2002|MD", "REML", 9.67, 9.68),
        ("gibson2002|MD", "ML", -1e-12, 1e-12),
    ):
        entry = analyses[key]
        assert low < meta.pool(entry["yi"], entry["vi"], method=method).tau2 < high


def test_every_stored_q_profile_interval_is_reproduced(shared: Path) -> None:
    seen, intervals = Comparison(), 0
    for key, y, v, entry in walk_analyses(read_answers(shared)["random_effects"]):
        for name, stored in entry["confint"].items():
            method = name.removesuffix("_QP")
            ours = meta.confint_tau2(y, v, method=method)
            assert not stored["ci_null"]
            assert ours.note == ""
            floor = TAU2_FLOOR * y.var(ddof=1)
            for i, end in enumerate(("", "_low", "_high")):
                where = (key, name)
                bound = QPROFILE_RTOL if end else TAU2_RTOL[method]
                tau2, i2, h2 = (stored[q][i] for q in ("tau2", "I2", "H2"))
                seen.add(
                    f"tau2{end}", getattr(ours, f"tau2{end}"), tau2, max(tau2, floor), bound, where
                )
                seen.add(f"i2{end}", getattr(ours, f"i2{end}"), i2, 1.0, I2_ATOL, where)
                seen.add(f"h2{end}", getattr(ours, f"h2{end}"), h2, h2, H2_RTOL, where)
            intervals += 1
    print(f"\n{intervals} Q-profile intervals")
    seen.check()
    assert intervals >= MIN_CONFINT


def test_every_stored_leave_one_out_is_reproduced(shared: Path) -> None:
    seen, refits = Comparison(), 0
    for key, y, v, entry in walk_analyses(read_answers(shared)["random_effects"]):
        for name, table in entry.get("leave1out", {}).items():
            method, test = name.split("_")
            fit = meta.leave_one_out(y, v, method=method, test=test)
            stored = {column: np.array(values, dtype=float) for column, values in table.items()}
            half = (stored["ci.ub"] - stored["ci.lb"]) / 2
            floor = TAU2_FLOOR * y.var(ddof=1)
            for ours, theirs, scale, bound in (
                ("estimate", "estimate", half, INTERVAL_RTOL),
                ("se", "se", half, INTERVAL_RTOL),
                ("ci_low", "ci.lb", half, INTERVAL_RTOL),
                ("ci_high", "ci.ub", half, INTERVAL_RTOL),
                ("p_value", "pval", np.maximum(stored["pval"], 1e-300), P_RTOL),
                ("q", "Q", stored["Q"], Q_RTOL),
                ("q_p_value", "Qp", np.maximum(stored["Qp"], 1e-300), P_RTOL),
                ("tau2", "tau2", np.maximum(stored["tau2"], floor), TAU2_RTOL[method]),
                ("i2", "I2", 1.0, I2_ATOL),
                ("h2", "H2", stored["H2"], H2_RTOL),
            ):
                value = getattr(fit, ours)
                seen.add(ours, value, stored[theirs], scale, bound, (key, name))
            refits += y.size
    print(f"\n{refits} refits")
    seen.check()
    assert refits >= MIN_LEFT_OUT


# The grouping column of each analysis with stored subgroups.
GROUP_COLUMNS = {
    "gibson2002": "type",
    "curtis1998": "fungrp",
    "haeuser2009_pain": "med",
    "bcg": "alloc",
    "bangertdrowns2004": "grade",
    "pignon2000": "grp",
}


def read_groups(shared: Path, dataset: str) -> list[str]:
    for folder in ("golden/metafor/data", "data/metadat-1.7-2"):
        path = shared / folder / f"{dataset}.csv"
        if path.exists():
            with path.open(newline="", encoding="utf-8") as lines:
                return [row[GROUP_COLUMNS[dataset]] for row in csv.DictReader(lines)]
    raise FileNotFoundError(dataset)


def test_every_stored_subgroup_analysis_is_reproduced(shared: Path) -> None:
    answers = read_answers(shared)
    seen, fits, between = Comparison(), 0, 0
    for key, entry in answers["subgroups"].items():
        dataset, measure = key.split("|")
        labels = read_groups(shared, dataset)
        if key in answers["random_effects"]:
            analysis = answers["random_effects"][key]
            y, v = np.array(analysis["yi"]), np.array(analysis["vi"])
            labels = [labels[row - 1] for row in analysis["rows_used"]]
        else:
            effects = answers["escalc"][dataset][f"{measure}:LS"]
            y, v = np.array(effects["yi"], dtype=float), np.array(effects["vi"], dtype=float)
        for name, stored in entry["methods"].items():
            method, test = name.split("_")
            where = (key, name)
            ours = meta.subgroups(y, v, labels, method=method, test=test)
            assert set(ours.groups) == set(entry["by"]), where
            for group in stored["groups"]:
                fit = ours.groups[group["level"]]
                assert fit.k == group["k"], where
                half = (group["ub"] - group["lb"]) / 2
                for mine, theirs in (
                    (fit.estimate, "est"),
                    (fit.se, "se"),
                    (fit.ci_low, "lb"),
                    (fit.ci_high, "ub"),
                ):
                    seen.add(theirs, mine, group[theirs], half, REFIT_RTOL, where)
                own = v[[label == group["level"] for label in labels]]
                scale = max(group["tau2"], TAU2_FLOOR * own.min())
                seen.add("tau2", fit.tau2, group["tau2"], scale, REFIT_RTOL, where)
                seen.add("i2", fit.i2, group["I2"], 1.0, I2_ATOL, where)
                scale = max(group["QE"], 1.0)
                seen.add("q", fit.q, group["QE"], scale, Q_RTOL, where)
                fits += 1
            test_of = stored["Q_between_separate_tau2"]
            seen.add("q_between", ours.q_between, test_of["Q"], test_of["Q"], REFIT_RTOL, where)
            seen.add("p between", ours.p_value, test_of["p"], test_of["p"], P_RTOL, where)
            assert ours.df == test_of["df"]
            between += 1
    print(f"\n{fits} subgroup fits, {between} tests of differences")
    seen.check()
    assert fits >= MIN_SUBGROUP_FITS
    assert between >= MIN_SUBGROUP_TESTS
