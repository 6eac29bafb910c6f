"""Meta-regression and subgroups against R's metafor, every number of the stored answers.

Tolerances are those of META.md section 3 for iterated results, 1e-6 relative, and tighter where
nothing is iterated. Effects come from the stored yi and vi, moderators from the stored data.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np

from headway import meta
from tests.golden.ledger import Ledger, read_answers

RTOL = 1e-6
# metafor solves the normal equations of the raw moderators; beside an intercept, a year near 1990
# costs it digits there (6e-11 seen, 1e-12 without years). Here the design is orthonormalised.
Q_RTOL = 1e-9


def read_rows(shared: Path, dataset: str) -> list[dict[str, str]]:
    for folder in ("golden/metafor/data", "data/metadat-1.7-2"):
        path = shared / folder / f"{dataset}.csv"
        if path.exists():
            with path.open(newline="", encoding="utf-8") as lines:
                return list(csv.DictReader(lines))
    raise FileNotFoundError(dataset)


def read_effects(
    answers: dict[str, Any], key: str, rows: list[dict[str, str]]
) -> tuple[np.ndarray, np.ndarray, list[dict[str, str]]]:
    """Return effects and variances of an analysis, and the rows of data they belong to."""
    analysis = answers["random_effects"].get(key)
    if analysis is not None:
        kept = [rows[row - 1] for row in analysis["rows_used"]]
        return np.array(analysis["yi"], float), np.array(analysis["vi"], float), kept
    dataset, measure = key.split("|")
    effects = answers["escalc"][dataset][f"{measure}:LS"]
    return np.array(effects["yi"], float), np.array(effects["vi"], float), rows


def read_moderators(formula: str, rows: list[dict[str, str]]) -> tuple[dict[str, list[Any]], Any]:
    """Return the moderators of an R formula, as names to entries, and which rows have them all."""
    moderators: dict[str, list[Any]] = {}
    known = np.ones(len(rows), dtype=bool)
    for term in formula.removeprefix("~").split("+"):
        factor = re.fullmatch(r"factor\((\w+)\)", term.strip())
        name = factor[1] if factor else term.strip()
        cells = [row[name] for row in rows]
        known &= np.array([cell not in ("", "NA") for cell in cells])
        moderators[name] = (
            cells if factor else [float(c or "nan") if c != "NA" else np.nan for c in cells]
        )
    return {
        n: [v for v, k in zip(c, known, strict=True) if k] for n, c in moderators.items()
    }, known


def test_every_stored_meta_regression_is_reproduced(source: Path) -> None:
    answers = read_answers(source)
    section = answers["meta_regression"]
    ledger = Ledger("meta_regression", section, source)
    for key, entry in section.items():
        dataset, measure = key.split("|")[:2]
        rows = read_rows(source, dataset)
        y, v, rows = read_effects(answers, f"{dataset}|{measure}", rows)
        moderators, known = read_moderators(entry["formula"], rows)
        y, v = y[known], v[known]
        ledger.compare("k", (key, "k"), y.size)
        for method, model in entry["models"].items():
            for test in ("z", "t", "knha", "adhoc"):
                fit = meta.regress(y, v, moderators, method=method, test=test)
                at = (key, "models", method, test)
                half = (np.array(model[test]["ub"]) - np.array(model[test]["lb"])) / 2
                ledger.compare("coefficient", (*at, "est"), fit.estimate, rtol=RTOL, scale=half)
                ledger.compare("se", (*at, "se"), fit.se, rtol=RTOL)
                ledger.compare("limit", (*at, "lb"), fit.ci_low, rtol=RTOL, scale=half)
                ledger.compare("limit", (*at, "ub"), fit.ci_high, rtol=RTOL, scale=half)
                ledger.compare("statistic", (*at, "stat"), fit.statistic, rtol=RTOL, floor=1.0)
                ledger.compare("p_value", (*at, "p"), fit.p_value, rtol=RTOL)
                ledger.compare("df", (*at, "df"), fit.df)
                ledger.compare("QM", (*at, "QM"), fit.qm, rtol=RTOL)
                ledger.compare("QM p", (*at, "QMp"), fit.qm_p_value, rtol=RTOL)
                ledger.compare("df", (*at, "QMdf"), [fit.qm_df, fit.qm_df2])
                # Covariances next to 0 are measured against the standard errors they belong to.
                size = np.outer(fit.se, fit.se)
                ledger.compare("vcov", (*at, "vb"), fit.vcov, rtol=RTOL, scale=size)
            at = (key, "models", method)
            floor = 1e-3 * y.var(ddof=1)
            ledger.compare("tau2", (*at, "tau2"), fit.tau2, rtol=RTOL, floor=floor)
            ledger.compare("se_tau2", (*at, "se_tau2"), fit.se_tau2, rtol=RTOL)
            ledger.compare("I2", (*at, "I2"), fit.i2, atol=1e-6)
            ledger.compare("H2", (*at, "H2"), fit.h2, rtol=RTOL)
            ledger.compare("R2", (*at, "R2"), fit.r2, atol=1e-4)
            ledger.compare("QE", (*at, "QE"), fit.qe, rtol=Q_RTOL)
            ledger.compare("QE p", (*at, "QEp"), fit.qe_p_value, rtol=RTOL)
            ledger.compare("df", (*at, "QEdf"), fit.qe_df)
            ledger.compare("log-likelihood", (*at, "ll"), fit.log_likelihood, atol=1e-8)
            ledger.compare("p", (*at, "p"), len(fit.names))
            ledger.compare("k", (*at, "k"), fit.k)
    ledger.close()


# The grouping column of each analysis with stored subgroups, where it is not called grp.
GROUP_COLUMNS = {
    "gibson2002": "type",
    "curtis1998": "fungrp",
    "haeuser2009_pain": "med",
    "bcg": "alloc",
    "bangertdrowns2004": "grade",
    "pignon2000": "grp",
}


def test_every_stored_subgroup_analysis_is_reproduced(source: Path) -> None:
    answers = read_answers(source)
    section = answers["subgroups"]
    ledger = Ledger("subgroups", section, source)
    for key, entry in section.items():
        dataset = key.split("|")[0]
        y, v, rows = read_effects(answers, key, read_rows(source, dataset))
        labels = [row[GROUP_COLUMNS.get(dataset, "grp")] for row in rows]
        for name, stored in entry["methods"].items():
            method, test = name.split("_")
            at = (key, "methods", name)
            ours = meta.subgroups(y, v, labels, method=method, test=test)
            assert set(ours.groups) == set(entry["by"])
            for i, group in enumerate(stored["groups"]):
                fit = ours.groups[group["level"]]
                own = (*at, "groups", i)
                half = (group["ub"] - group["lb"]) / 2
                ledger.compare("k", (*own, "k"), fit.k)
                ledger.compare("estimate", (*own, "est"), fit.estimate, rtol=RTOL, scale=half)
                ledger.compare("se", (*own, "se"), fit.se, rtol=RTOL)
                ledger.compare("limit", (*own, "lb"), fit.ci_low, rtol=RTOL, scale=half)
                ledger.compare("limit", (*own, "ub"), fit.ci_high, rtol=RTOL, scale=half)
                floor = 1e-3 * v[[label == group["level"] for label in labels]].min()
                ledger.compare("tau2", (*own, "tau2"), fit.tau2, rtol=RTOL, floor=floor)
                ledger.compare("I2", (*own, "I2"), fit.i2, atol=1e-6)
                ledger.compare("QE", (*own, "QE"), fit.q, rtol=Q_RTOL, floor=1.0)
            separate = (*at, "Q_between_separate_tau2")
            ledger.compare("Q between", (*separate, "Q"), ours.q_between, rtol=RTOL)
            ledger.compare("df", (*separate, "df"), ours.df)
            ledger.compare("Q between p", (*separate, "p"), ours.p_value, rtol=RTOL)
            common = meta.subgroups(y, v, labels, method=method, test=test, tau2="common")
            shared_tau2 = (*at, "common_tau2")
            floor = 1e-3 * y.var(ddof=1)
            tau2 = common.groups[labels[0]].tau2
            ledger.compare("tau2", (*shared_tau2, "tau2"), tau2, rtol=RTOL, floor=floor)
            ledger.compare("QM", (*shared_tau2, "QM"), common.q_between, rtol=RTOL)
            ledger.compare("df", (*shared_tau2, "QMdf"), [common.df, common.df2])
            ledger.compare("QM p", (*shared_tau2, "QMp"), common.p_value, rtol=RTOL)
            qe = meta.regress(y, v, {"group": labels}, method=method, test=test).qe
            ledger.compare("QE", (*shared_tau2, "QE"), qe, rtol=Q_RTOL)
    ledger.close()
