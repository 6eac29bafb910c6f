"""Multilevel and multivariate models, CR1 and CR2, against R's metafor and clubSandwich.

Variance components are compared through the likelihood (META.md section 3: metafor's own versions
differ by up to 24 % near 0); ours must not be lower than metafor's by more than 1e-8.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np

from headway import meta
from tests.golden.ledger import Ledger, read_answers

RTOL = 1e-5
LL_ATOL = 1e-8


def read_rows(shared: Path, dataset: str) -> list[dict[str, str]]:
    path = shared / "golden/metafor/data" / f"{dataset}.csv"
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def column(rows: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows])


def read_case(shared: Path, key: str) -> tuple[np.ndarray, np.ndarray, dict[str, Any], Any]:
    """Return effects, (co)variances, the arguments of the model, and the clusters."""
    dataset, mods = key.split("|")[0], key.split("|")[-1]
    if "~outcome | trial" in key:
        rows = read_rows(shared, dataset)
        trials = [row["trial"] for row in rows]
        v = np.zeros((len(rows), len(rows)))
        for i, row in enumerate(rows):
            own = [j for j, t in enumerate(trials) if t == trials[i]]
            v[i, own] = [float(row["v1i"]), float(row["v2i"])]
        outcome = [row["outcome"] for row in rows]
        arguments: dict[str, Any] = {"outer": trials, "inner": outcome, "structure": "UN"}
        arguments |= {"moderators": {"outcome": outcome}, "intercept": False}
        return column(rows, "yi"), v, arguments, None
    if dataset == "senn2013_shared_placebo_cov":
        return read_shared_placebo(shared, "senn2013_arms")
    if dataset == "curtis1998_ROM_nocorrect":
        rows = read_rows(shared, "curtis1998")
        effects = read_answers(shared, "oracle_metafor_5.1.json")["escalc"]["curtis1998"]
        stored = effects["ROM:LS:nocorrect"]
        levels = {name: [row[name] for row in rows] for name in ("paper", "id")}
        return np.array(stored["yi"]), np.array(stored["vi"]), {"levels": levels}, levels["paper"]
    if dataset == "shared_placebo":
        return read_shared_placebo(shared, dataset)
    name = dataset.removesuffix("_study")
    rows = read_rows(shared, name)
    arguments = {}
    if mods.startswith("~"):
        moderator = mods.removeprefix("~")
        rows = [row for row in rows if row[moderator] not in ("", "NA")]
        arguments["moderators"] = {moderator: column(rows, moderator)}
    numbers = list(range(len(rows)))
    if name == "konstantopoulos2011":
        district = [row["district"] for row in rows]
        levels = {"district": district, "school": [row["school"] for row in rows]}
        if dataset.endswith("_study"):
            levels = {"study": [row["study"] for row in rows]}
        return column(rows, "yi"), column(rows, "vi"), {"levels": levels}, district
    if name == "nested":
        random = key.split("|", 1)[1].removesuffix(mods).strip("|").removeprefix("~1 | ")
        names = random.split("/")
        columns = {n: numbers if n == "effect" else [row[n] for row in rows] for n in names}
        arguments["levels"] = columns
        return column(rows, "yi"), column(rows, "vi"), arguments, columns[names[0]]
    outer = {"assink2016": "study", "tannersmith2016": "studyid", "knapp2017": "study"}[name]
    clusters = [row[outer] for row in rows]
    arguments["levels"] = {"study": clusters, "effect": numbers}
    return column(rows, "yi"), column(rows, "vi"), arguments, clusters


def read_shared_placebo(
    shared: Path, dataset: str
) -> tuple[np.ndarray, np.ndarray, dict[str, Any], Any]:
    rows = read_rows(shared, dataset)
    placebo = {row["study"]: row for row in rows if row["treatment"] == "placebo"}
    own = [row for row in rows if row["study"] in placebo and row["treatment"] != "placebo"]

    def variance(row: dict[str, str]) -> float:
        return float(row["sdi"]) ** 2 / float(row["ni"])

    control = np.array([variance(placebo[row["study"]]) for row in own])
    yi = np.array([float(row["mi"]) - float(placebo[row["study"]]["mi"]) for row in own])
    vi = np.array([variance(row) for row in own]) + control
    studies = [row["study"] for row in own]
    v = meta.share_control(vi, control, studies)
    levels = {"study": studies, "effect": list(range(len(own)))}
    return yi, v, {"levels": levels}, studies


def test_every_stored_multilevel_model_is_reproduced(source: Path) -> None:
    section = read_answers(source)["multilevel"]
    ledger = Ledger("multilevel", section, source)
    for key, entry in section.items():
        y, v, arguments, clusters = read_case(source, key)
        for name in ("rel_tol", "time_ms"):
            if name in entry:
                ledger.exclude(re.escape(f"{key} / {name}"), "stopping rule or time")
        for test in ("z", "t"):
            stored, at = entry[test], (key, test)
            fit = meta.fit_multilevel(y, v, test=test, **arguments)
            assert fit.log_likelihood >= stored["ll"] - LL_ATOL, key
            ledger.compare("log-likelihood", (*at, "ll"), fit.log_likelihood, atol=LL_ATOL)
            half = (np.array(stored["ub"]) - np.array(stored["lb"])) / 2
            ledger.compare("estimate", (*at, "est"), fit.estimate, rtol=RTOL, scale=half)
            ledger.compare("se", (*at, "se"), fit.se, rtol=RTOL)
            ledger.compare("limit", (*at, "lb"), fit.ci_low, rtol=RTOL, scale=half)
            ledger.compare("limit", (*at, "ub"), fit.ci_high, rtol=RTOL, scale=half)
            ledger.compare("statistic", (*at, "stat"), fit.statistic, rtol=RTOL, floor=1.0)
            # A far tail carries the relative error of its statistic times that squared.
            tail = 10 * RTOL * max(1.0, float(np.max(np.abs(stored["stat"]))) ** 2)
            ledger.compare("p_value", (*at, "p"), fit.p_value, rtol=min(tail, 1e-2))
            ledger.compare("QE", (*at, "QE"), fit.qe, rtol=1e-9)
            ledger.compare("QM", (*at, "QM"), fit.qm, rtol=2 * RTOL)
            tail = 10 * RTOL * max(1.0, float(stored["QM"]))
            ledger.compare("QM p", (*at, "QMp"), fit.qm_p_value, rtol=min(tail, 1e-2))
            ledger.compare("k", (*at, "k"), fit.k)
            # Components next to 0 are measured against the sampling variance.
            floor = 0.1 * float(np.median(np.diag(v) if v.ndim == 2 else v))
            sigma2 = list(fit.sigma2.values()) or [0.0]
            ledger.compare("sigma2", (*at, "sigma2"), sigma2, rtol=1e-3, floor=floor)
            if fit.covariance is None:
                ledger.compare("tau2, rho", (*at, "tau2"), 0.0)
                ledger.compare("tau2, rho", (*at, "rho"), 0.0)
            else:
                order = [fit.outcomes.index(name) for name in ("AL", "PD")]
                tau2 = np.diag(fit.covariance)[order]
                ledger.compare("tau2, rho", (*at, "tau2"), tau2, rtol=1e-3)
                assert fit.correlation is not None
                rho = fit.correlation[0, 1]
                ledger.compare("tau2, rho", (*at, "rho"), rho, rtol=1e-3)
            if "pi_lb" in stored:
                reach = (stored["pi_ub"] - stored["pi_lb"]) / 2
                ledger.compare("PI", (*at, "pi_lb"), fit.pi_low, rtol=RTOL, scale=reach)
                ledger.compare("PI", (*at, "pi_ub"), fit.pi_high, rtol=RTOL, scale=reach)
        for correction in ("CR1", "CR2"):
            if f"robust_{correction}" not in entry:
                continue
            stored, at = entry[f"robust_{correction}"], (key, f"robust_{correction}")
            ours = meta.robust_inference(fit, clusters, correction=correction)
            half = (np.array(stored["ub"]) - np.array(stored["lb"])) / 2
            for name, value, options in (
                ("est", ours.estimate, {"rtol": RTOL, "scale": half}),
                ("se", ours.se, {"rtol": RTOL}),
                ("stat", ours.statistic, {"rtol": RTOL, "floor": 1.0}),
                ("df", np.unique(ours.df) if correction == "CR1" else ours.df, {"rtol": RTOL}),
                ("p", ours.p_value, {"rtol": 1e-3}),
                ("lb", ours.ci_low, {"rtol": RTOL, "scale": half}),
                ("ub", ours.ci_high, {"rtol": RTOL, "scale": half}),
            ):
                ledger.compare(f"{correction} {name}", (*at, name), value, **options)
    ledger.close()
