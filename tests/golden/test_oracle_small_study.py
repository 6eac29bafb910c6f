"""Small-study effects against R's metafor, every number of the stored answers.

Tolerances are those of META.md section 3 (1e-6 relative for regression tests, PET-PEESE and rank
tests; trim and fill 1e-8, with REML 1e-3; log-likelihoods of selection models 1e-3), tighter where
nothing is iterated; each looser one has its reason beside it.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr

from headway.meta.excess import excess_significance
from headway.meta.henmi_copas import henmi_copas
from headway.meta.selection import select_by_steps
from headway.meta.small_study import peese, pet, rank_test, regression_test
from headway.meta.trim_fill import trim_and_fill
from tests.golden.ledger import Ledger, read_answers

RTOL = 1e-6
CLOSED_RTOL = 1e-10

# Name in the file: model, method, predictor.
REGRESSION_TESTS = {
    "egger_lm_sei": ("lm", "REML", "sei"),
    "egger_lm_ni": ("lm", "REML", "ni"),
    "egger_lm_ninv": ("lm", "REML", "ninv"),
    "egger_lm_sqrtninv": ("lm", "REML", "sqrtninv"),
    "egger_rma_REML_sei": ("rma", "REML", "sei"),
    "egger_rma_REML_vi": ("rma", "REML", "vi"),
    "egger_rma_DL_sei": ("rma", "DL", "sei"),
}

# Columns whose sum is the sample size, where they are not n1i and n2i, or ni.
SIZE_COLUMNS = {
    "morris2008": ("nT", "nC"),
    "bcg": ("tpos", "tneg", "cpos", "cneg"),
    "colditz1994": ("tpos", "tneg", "cpos", "cneg"),
    "damico2009": ("nt", "nc"),
    "viechtbauer2021": ("nTi", "nCi"),
    "collins1985a": ("nti", "nci"),
}

# Trim and fill ranks equal effects in the order given. metafor got these effects as differences
# of means, where 0.2 - 0.32 and 0.11 - 0.23 differ in their last bit, and ranked by that bit.
BY_LAST_BIT = ("gibson2002|MD", "poole2003|MD")

EARLY = "metafor's optim stopped below the maximum (ours is higher by more than 1e-6)"
EMPTY = "no study in the interval all chances are relative to: refused here, fitted by metafor"
FAIL_SAFE = "no fail-safe N, on purpose (Cochrane Handbook 13)"
NOT_MADE = "beta and half-normal selection models are not made"


def read_rows(shared: Path, dataset: str, rows_used: list[int]) -> list[dict[str, str]]:
    name = dataset.removesuffix("_placebo")
    for folder in ("golden/metafor/data", "data/metadat-1.7-2"):
        path = shared / folder / f"{name}.csv"
        if path.exists():
            with path.open(newline="", encoding="utf-8") as lines:
                rows = list(csv.DictReader(lines))
            if name == "collins1985a":  # trials without the outcome left before rows were counted
                rows = [row for row in rows if row["b.xti"] not in ("", "NA")]
            if dataset.endswith("_placebo"):
                rows = [row for row in rows if row["treatment"] == "placebo"]
            return [rows[row - 1] for row in rows_used]
    raise FileNotFoundError(dataset)


def read_sizes(shared: Path, entry: dict[str, Any]) -> np.ndarray:
    rows = read_rows(shared, entry["dataset"], entry["rows_used"])
    two_groups = ("n1i", "n2i") if "n1i" in rows[0] else ("ni",)
    names = SIZE_COLUMNS.get(entry["dataset"], two_groups)
    return np.array([sum(float(row[name]) for name in names) for row in rows])


def order_by_last_bit(shared: Path, entry: dict[str, Any], side: str) -> np.ndarray:
    rows = read_rows(shared, entry["dataset"], entry["rows_used"])
    raw = np.array([float(row["m1i"]) - float(row["m2i"]) for row in rows])
    assert np.allclose(raw, entry["yi"], rtol=0, atol=1e-12)
    return np.argsort(-raw if side == "right" else raw, kind="stable")


def compare_regressions(
    ledger: Ledger, key: str, y: np.ndarray, v: np.ndarray, n: np.ndarray | None
) -> None:
    bias = ledger.section[key]
    for name, (model, method, predictor) in REGRESSION_TESTS.items():
        if name not in bias:
            continue
        stored, at = bias[name], (key, name)
        ours = regression_test(y, v, ni=n, model=model, method=method, predictor=predictor)
        rtol = CLOSED_RTOL if model == "lm" else RTOL
        words = "Egger lm" if model == "lm" else "Egger rma"
        ledger.compare(f"{words} statistic", (*at, "stat"), ours.statistic, rtol=rtol, floor=1.0)
        ledger.compare(f"{words} p", (*at, "p"), ours.p_value, rtol=RTOL)
        ledger.compare("df", (*at, "dfs"), ours.df)
        half = (stored["ub"] - stored["lb"]) / 2 if stored["ub"] not in ([], None) else None
        for part, value in (("est", ours.limit), ("lb", ours.ci_low), ("ub", ours.ci_high)):
            ledger.compare(f"{words} limit", (*at, part), value, rtol=rtol, scale=half)
    for name, fit in (("pet_lm", pet), ("peese_lm", peese)):
        line, at = fit(y, v), (key, name)
        size = bias[name]["se"]
        ledger.compare("PET-PEESE", (*at, "est"), line.estimate, rtol=CLOSED_RTOL, scale=size)
        ledger.compare("PET-PEESE se", (*at, "se"), line.se, rtol=CLOSED_RTOL)
        ledger.compare("PET-PEESE t", (*at, "t"), line.statistic, rtol=CLOSED_RTOL, floor=1.0)
        ledger.compare("PET-PEESE p", (*at, "p"), line.p_value, rtol=RTOL)


def compare_counts(ledger: Ledger, key: str, y: np.ndarray, v: np.ndarray) -> None:
    bias = ledger.section[key]
    ranks = rank_test(y, v)
    ledger.compare("Begg tau", (key, "begg", "tau"), ranks.tau, rtol=1e-12, floor=1.0)
    # R takes the upper tail as 1 minus the lower one, which costs small p-values digits.
    ledger.compare("Begg p", (key, "begg", "p"), ranks.p_value, rtol=RTOL)
    stored, at = bias["tes"], (key, "tes")
    excess = excess_significance(y, v, test="exact" if stored["X2"] is None else "chi2")
    ledger.compare("excess O", (*at, "O"), excess.observed)
    ledger.compare("excess E", (*at, "E"), excess.expected, rtol=CLOSED_RTOL)
    ledger.compare("excess chi2", (*at, "X2"), excess.statistic, rtol=CLOSED_RTOL)
    ledger.compare("excess p", (*at, "p"), excess.p_value, rtol=RTOL)
    stored, at = bias["hc"], (key, "hc")
    interval = henmi_copas(y, v)
    half = (stored["ub"] - stored["lb"]) / 2
    ledger.compare("HC estimate", (*at, "est"), interval.estimate, rtol=CLOSED_RTOL, scale=half)
    # metafor's root search and integral end at 1.2e-4, absolute, on a quantile near 1.5 to 2.
    ledger.compare("HC limit", (*at, "lb"), interval.ci_low, rtol=2e-4, scale=half)
    ledger.compare("HC limit", (*at, "ub"), interval.ci_high, rtol=2e-4, scale=half)


def compare_trim_and_fill(
    ledger: Ledger, key: str, y: np.ndarray, v: np.ndarray, shared: Path, entry: dict[str, Any]
) -> None:
    bias = ledger.section[key]
    for name in [name for name in bias if name.startswith("trimfill") and "auto" not in name]:
        method, estimator, side = name.split("_")[1:]
        stored, at = bias[name], (key, name)
        order = np.arange(y.size)
        if key in BY_LAST_BIT:
            order = order_by_last_bit(shared, entry, side)
        ours = trim_and_fill(
            y[order], v[order], side=side, estimator=estimator, method=method, test="z"
        )
        # The refits of metafor stop at a step of 1e-5 in tau2, absolute: far from the end where
        # tau2 itself is near 1e-3, as in lau1992.
        rtol, wide, points = (1e-3, 1e-2, 0.05) if method == "REML" else (1e-8, 1e-8, 1e-8)
        words = f"trim and fill {method}"
        half = (stored["ub"] - stored["lb"]) / 2
        assert ours.side == stored["side"]
        ledger.compare("trim and fill k0", (*at, "k0"), ours.k0)
        ledger.compare("trim and fill se k0", (*at, "se_k0"), ours.se_k0, rtol=CLOSED_RTOL)
        ledger.compare(words, (*at, "est"), ours.fit.estimate, rtol=rtol, scale=half)
        ledger.compare(words, (*at, "lb"), ours.fit.ci_low, rtol=rtol, scale=half)
        ledger.compare(words, (*at, "ub"), ours.fit.ci_high, rtol=rtol, scale=half)
        ledger.compare(f"{words} se", (*at, "se"), ours.fit.se, rtol=rtol)
        floor = 1e-3 * y.var(ddof=1)
        ledger.compare(f"{words} tau2", (*at, "tau2"), ours.fit.tau2, rtol=wide, floor=floor)
        ledger.compare(f"{words} I2", (*at, "I2"), ours.fit.i2, atol=points)
        ledger.compare(f"{words} yi", (*at, "fill_yi"), ours.filled_yi, rtol=rtol, scale=half)
        ledger.compare("filled vi", (*at, "fill_vi"), ours.filled_vi, rtol=1e-12)
    if "trimfill_REML_auto_L0" not in bias:
        return
    stored, at = bias["trimfill_REML_auto_L0"], (key, "trimfill_REML_auto_L0")
    ours = trim_and_fill(y, v, test="z")
    assert ours.side == stored["side"]
    ledger.compare("trim and fill k0", (*at, "k0"), ours.k0)
    size = ours.fit.ci_high - ours.fit.estimate
    ledger.compare("trim and fill REML", (*at, "est"), ours.fit.estimate, rtol=1e-3, scale=size)


def compare_selection(ledger: Ledger, key: str, y: np.ndarray, v: np.ndarray) -> None:
    stored, at = ledger.section[key].get("selmodel_stepfun"), (key, "selmodel_stepfun")
    if stored is None or "error" in stored:
        return
    try:
        ours = select_by_steps(y, v, steps=0.025)
    except ValueError:
        # On one side or the other no trial is significant: "interval 0" is empty.
        z = y / np.sqrt(v)
        assert not all((ndtr(sign * z) <= 0.025).any() for sign in (-1, 1)), key
        ledger.exclude(re.escape(key) + " / selmodel_stepfun / .*", EMPTY)
        return
    gain = ours.log_likelihood - stored["ll"]
    assert gain >= -1e-6, f"{key}: a likelihood below metafor's by {-gain}"
    # metafor searches tau2 on the log scale, so it cannot reach 0: its simplex ends short of it
    # (2.3e-3 seen, lau1992 OR). Ours is the higher one, see above.
    ledger.compare("selection ll", (*at, "ll"), ours.log_likelihood, atol=5e-3)
    if gain > 1e-6:
        prefix = re.escape(f"{key} / selmodel_stepfun / ")
        ledger.exclude(prefix + "(est|se|tau2|delta / .*|LRT|LRTp)", EARLY)
        return
    # At 1e-6 below the maximum a parameter can be off by sqrt(2e-6) = 1.4e-3 standard errors.
    ledger.compare("selection estimate", (*at, "est"), ours.estimate, rtol=1.5e-3, scale=ours.se)
    ledger.compare("selection se", (*at, "se"), ours.se, rtol=1e-3)
    size = ours.se_tau2
    ledger.compare("selection tau2", (*at, "tau2"), ours.tau2, rtol=1.5e-3, scale=size)
    size = np.array([1.0, ours.se_delta[1]])
    ledger.compare("selection delta", (*at, "delta"), ours.delta, rtol=1.5e-3, scale=size)
    ledger.compare("selection LRT", (*at, "LRT"), ours.lrt, atol=2e-6)
    # The p-value of a statistic near 0 is steep in it: bounded through the statistic.
    ledger.compare("selection LRT p", (*at, "LRTp"), ours.lrt_p_value, atol=1e-4)


def test_every_stored_small_study_result_is_reproduced(source: Path) -> None:
    effects = read_answers(source)["random_effects"]
    section = {key: entry["bias"] for key, entry in effects.items() if "bias" in entry}
    ledger = Ledger("bias", section, source)
    for key, bias in section.items():
        entry = effects[key]
        y, v = np.array(entry["yi"], float), np.array(entry["vi"], float)
        n = read_sizes(source, entry) if "egger_lm_ni" in bias else None
        compare_regressions(ledger, key, y, v, n)
        compare_counts(ledger, key, y, v)
        compare_trim_and_fill(ledger, key, y, v, source, entry)
        compare_selection(ledger, key, y, v)
    if not ledger.is_inside:
        ledger.exclude(".* / fsn_.*", FAIL_SAFE)
        ledger.exclude(".* / selmodel_(beta|halfnorm) / .*", NOT_MADE)
    ledger.close()
