"""Mantel-Haenszel and Peto against R's metafor, every number of the stored answers.

Nothing is iterated, so the two can differ by rounding only. Counts come from the stored data.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from headway.meta.two_by_two import TwoByTwoFit, mantel_haenszel, peto
from tests.golden.ledger import Ledger, read_answers

RTOL = 1e-11
# p-values far out in the tail magnify the rounding of their statistic.
P_RTOL = 1e-9

# Events and patients of both groups, where the columns are not ai, n1i, ci, n2i.
COLUMNS = {
    "damico2009": ("xt", "nt", "xc", "nc"),
    "viechtbauer2021": ("xTi", "nTi", "xCi", "nCi"),
    "collins1985a": ("b.xti", "nti", "b.xci", "nci"),
}


def read_tables(shared: Path, dataset: str) -> dict[str, np.ndarray]:
    path = shared / "golden" / "metafor" / "data" / f"{dataset}.csv"
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    names: tuple[str, ...] = ("tpos", "tneg", "cpos", "cneg")
    counted = names[0] in rows[0]
    if not counted:
        names = COLUMNS.get(dataset, ("ai", "n1i", "ci", "n2i"))
    # metafor leaves trials out that did not report the outcome.
    known = [row for row in rows if not {"", "NA"} & {row[name] for name in names}]
    a, b, c, d = (np.array([float(row[name]) for row in known]) for name in names)
    if not counted:
        b, d = b - a, d - c
    return {"a": a, "b": b, "c": c, "d": d}


def compare(ledger: Ledger, at: tuple[str, str], ours: TwoByTwoFit, stored: Any) -> None:
    half = (stored["ub"] - stored["lb"]) / 2
    ledger.compare("estimate", (*at, "est"), ours.estimate, rtol=RTOL, scale=half)
    ledger.compare("limit", (*at, "lb"), ours.ci_low, rtol=RTOL, scale=half)
    ledger.compare("limit", (*at, "ub"), ours.ci_high, rtol=RTOL, scale=half)
    ledger.compare("se", (*at, "se"), ours.se, rtol=RTOL)
    ledger.compare("p", (*at, "p"), ours.p_value, rtol=P_RTOL)
    ledger.compare("Q", (*at, "QE"), ours.q, rtol=RTOL)
    ledger.compare("Q p", (*at, "QEp"), ours.q_p_value, rtol=P_RTOL)
    ledger.compare("I2", (*at, "I2"), ours.i2, atol=1e-9)
    ledger.compare("CMH", (*at, "MH"), ours.cmh, rtol=RTOL)
    ledger.compare("CMH p", (*at, "MHp"), ours.cmh_p_value, rtol=P_RTOL)
    ledger.compare("Breslow-Day", (*at, "BD"), ours.breslow_day, rtol=RTOL)
    ledger.compare("Tarone", (*at, "TA"), ours.tarone, rtol=RTOL)


def test_every_stored_mantel_haenszel_and_peto_model_is_reproduced(source: Path) -> None:
    section = read_answers(source)["mh_peto"]
    ledger = Ledger("mh_peto", section, source)
    for dataset, models in section.items():
        tables = read_tables(source, dataset)
        for name, stored in models.items():
            if name == "PETO":
                ours = peto(**tables)
            else:
                ours = mantel_haenszel(**tables, measure=name.removeprefix("MH_"))
            compare(ledger, (dataset, name), ours, stored)
    ledger.close()
