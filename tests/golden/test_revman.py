"""RevMan's statistics against R's metafor where the two agree, and against what RevMan stored."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway.meta import revman

STORED = json.loads(Path(__file__).with_name("revman_r.json").read_text(encoding="utf-8"))
SETS = list(zip(STORED["sets"], STORED["answers"], strict=True))
NUMBERS = ("estimate", "se", "ci_low", "ci_high", "q", "p_value", "i2", "tau2", "pi_low", "pi_high")


def rows_of(tables: dict[str, list[int]], measure: str) -> revman.Rows:
    a, b, c, d = (np.array(tables[name], dtype=float) for name in "abcd")
    return revman.count_rows(measure, events1=a, n1=a + b, events2=c, n2=c + d)


def assert_like(fit: revman.Total, stored: dict[str, Any], *leave: str) -> None:
    assert fit.k == stored["k"]
    for name in NUMBERS:
        if name in stored and name not in leave:
            wanted = stored[name]
            assert math.isclose(getattr(fit, name), wanted, rel_tol=1e-6, abs_tol=1e-7), name


@pytest.mark.parametrize("at", range(len(SETS)))
def test_metafor_gives_the_same(at: int) -> None:
    tables, answers = SETS[at]
    for measure in ("OR", "RR"):
        rows = rows_of(tables, measure)
        assert_like(revman.total(rows, method="MH", model="fixed"), answers[f"MH_{measure}"])
        fixed = revman.total(rows, method="IV", model="fixed")
        assert_like(fixed, answers[f"IV_{measure}_EE_z"])
        for tau2 in ("DL", "REML"):
            for ci, test in (("wald", "z"), ("hksj", "knha")):
                fit = revman.total(rows, method="IV", tau2=tau2, ci=ci, prediction=True)
                stored = answers[f"IV_{measure}_{tau2}_{test}"]
                few = ("pi_low", "pi_high") if fit.k < 3 else ()
                assert_like(fit, stored, *few)
    peto = revman.total(rows_of(tables, "PETO"), method="Peto", model="fixed")
    assert_like(peto, answers["Peto"])
    risk = revman.total(rows_of(tables, "RD"), method="MH", model="fixed")
    assert math.isclose(risk.estimate, answers["MH_RD"]["estimate"], rel_tol=1e-9)


# ── what RevMan stored ────────────────────────────────────────────────────────────────────────

METHODS = {"MH": "MH", "IV": "IV", "PETO": "Peto", "EXP_O_E_VAR": "EXP_O_E", None: "IV"}


def read(element: Any, name: str) -> float:
    return float(element.get(name) or "nan")


def rows_below(outcome: Any, data: list[Any]) -> revman.Rows:
    """Make the rows of RevMan's elements, by the kind of their outcome."""

    def column(name: str) -> list[float]:
        return [read(one, name) for one in data]

    kind, measure = outcome.tag.partition("_")[0], outcome.get("EFFECT_MEASURE")
    if kind == "DICH":
        return revman.count_rows(
            {"PETO_OR": "PETO"}.get(measure, measure),
            events1=column("EVENTS_1"),
            n1=column("TOTAL_1"),
            events2=column("EVENTS_2"),
            n2=column("TOTAL_2"),
            swap=outcome.get("SWAP_EVENTS") == "YES",
        )
    if kind == "CONT":
        sides = {f"{n.lower()}{s}": column(f"{n}_{s}") for n in ("MEAN", "SD") for s in (1, 2)}
        return revman.mean_rows(measure, n1=column("TOTAL_1"), n2=column("TOTAL_2"), **sides)
    if kind == "IV":
        return revman.generic_rows(column("ESTIMATE"), column("SE"))
    return revman.o_e_rows(column("O_E"), column("VAR"))


def list_totals(outcome: Any) -> list[tuple[Any, list[Any]]]:
    """List the totals that a reader of the file sees, each with its rows."""

    def below(element: Any) -> list[Any]:
        return [one for one in element.iter() if one.tag.endswith("_DATA")]

    groups = [one for one in outcome if one.tag.endswith("_SUBGROUP") and below(one)]
    shown = {"YES": [outcome, *groups], "SUB": groups}.get(outcome.get("TOTALS"), [])
    return [(one, below(one)) for one in shown]


def test_every_stored_total_comes_back(shared: Path) -> None:
    came, none, without = 0, 0, 0
    for path in sorted((shared / "data" / "cochrane").glob("*.rm5")):
        for outcome in ElementTree.parse(path).getroot().iter():
            if not outcome.tag.endswith("_OUTCOME") or outcome.tag == "OTHER_OUTCOME":
                continue
            ratio = outcome.get("LOG_DATA") == "YES" or (
                outcome.tag in ("DICH_OUTCOME", "IPD_OUTCOME")
                and outcome.get("EFFECT_MEASURE") != "RD"
            )
            for element, data in list_totals(outcome):
                fit = revman.total(
                    rows_below(outcome, data),
                    method=METHODS[outcome.get("METHOD")],
                    model="random" if outcome.get("RANDOM") == "YES" else "fixed",
                    level=read(outcome, "CI_TOTAL") / 100,
                )
                where = f"{path.name} {element.get('ID')}"
                assert fit.estimable == (element.get("ESTIMABLE") == "YES"), where
                if not fit.estimable:
                    none += 1
                    continue
                wanted = [read(element, n) for n in ("EFFECT_SIZE", "CI_START", "CI_END")]
                if np.isnan(wanted).any():
                    without += 1  # never computed by RevMan
                    continue
                got = np.array([fit.estimate, fit.ci_low, fit.ci_high])
                np.testing.assert_allclose(
                    np.exp(got) if ratio else got, wanted, rtol=1e-9, atol=1e-9, err_msg=where
                )
                for name, ours in (("TAU2", fit.tau2), ("CHI2", fit.q)):
                    stored = read(element, name)
                    assert np.isnan(stored) or math.isclose(ours, stored, abs_tol=1e-8), where
                came += 1
    assert (came, none, without) == (495, 7, 1)
