"""Effect sizes against R's metafor (and effectsize): every stored number of both files.

Nothing is picked by hand: a ledger opens all numbers and closes only when each was compared or
excluded with a reason. ``pytest -s`` prints what was compared and the worst differences.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway import effects
from headway.effects import records
from headway.effects.measures import MEASURES
from tests.golden.ledger import Key, Ledger, is_number, read_answers

# Closed forms in double precision, stored with 15 digits: 1e-12 would do but for the two below.
RTOL = 1e-11
# R's J is exp of a difference of log-gammas. At m = 400 that difference has lost 3 digits (5e-13,
# measured), and the unbiased variance 1 - (m - 2)/(m J^2), itself near 1/m, loses another 3.
RTOL_UNBIASED = 1e-9
# effectsize finds noncentral t limits with a general optimiser, which stops at about 1e-4.
RTOL_NONCENTRAL = 1e-3
# R's own pt() with a noncentrality is exact to about 1e-12 and its root to that, times a slope.
RTOL_NONCENTRAL_BASE = 1e-9

FILES = ["oracle.json", "oracle_metafor_5.1.json"]
HALF = "effect without variance or variance without effect: not defined here"
# Redefined by metafor 5.1: 3.8's answer has another variance, or no bias correction.
REDEFINED_VI = ("SMCRH", "SMDH:LS", "SMDH:LS2", "SMD1H")
UNCORRECTED = ("ROM:LS", "ROM:HO", "ROM:AV", "ROMC", "CVR", "CVRC")

# Columns of the 2 x 2 data: events and sizes of both groups, or all four cells.
COUNT_COLUMNS = (
    ("ai", "n1i", "ci", "n2i"),
    ("xt", "nt", "xc", "nc"),
    ("xTi", "nTi", "xCi", "nCi"),
    ("b.xti", "nti", "b.xci", "nci"),
)
TWO_GROUPS = {
    "n1": "n1i",
    "mean1": "m1i",
    "sd1": "sd1i",
    "n2": "n2i",
    "mean2": "m2i",
    "sd2": "sd2i",
}
PAIRED = {"n": "ni", "mean1": "m1i", "sd1": "sd1i", "mean2": "m2i", "sd2": "sd2i", "r": "ri"}


def read_columns(shared: Path, dataset: str) -> dict[str, np.ndarray] | None:
    for folder in ("golden/metafor/data", "data/metadat-1.7-2"):
        path = shared / folder / f"{dataset}.csv"
        if path.exists():
            break
    else:
        return None
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))

    def read(cell: str) -> float:
        try:
            return float(cell)
        except ValueError:
            return np.nan

    columns = {name: np.array([read(row[name]) for row in rows]) for name in rows[0]}
    return columns | {"": np.array([row.get("treatment", "") for row in rows])}


def rename(x: dict[str, np.ndarray], names: dict[str, str]) -> dict[str, np.ndarray]:
    return {ours: x[theirs] for ours, theirs in names.items()}


def find_arguments(shared: Path, dataset: str, measure: str) -> dict[str, Any] | None:
    """Return the arguments of escalc for a data set, None if its data are not in the folder."""
    study, _, arm = dataset.partition("_")
    x = read_columns(shared, study if study in ("morris2008", "senn2013") else dataset)
    if study == "senn2013" and arm.startswith("arms"):
        x = read_columns(shared, "senn2013_arms")
        assert x is not None
        own = x[""] == arm.removeprefix("arms_")
        return {"n": x["ni"][own], "mean": x["mi"][own], "sd": x["sdi"][own]}
    if x is None:
        return None
    if measure == "dppc2":
        return {
            "n1": x["nT"], "mean_pre1": x["mpreT"], "mean_post1": x["mpostT"],
            "sd_pre1": x["sdpreT"], "n2": x["nC"], "mean_pre2": x["mpreC"],
            "mean_post2": x["mpostC"], "sd_pre2": x["sdpreC"], "r": x["rT"],
        }  # fmt: skip
    if study == "morris2008":
        g = arm[0].upper()
        names = {"n": f"n{g}", "mean1": f"mpost{g}", "mean2": f"mpre{g}"}
        names |= {"sd1": f"sdpre{g}", "sd2": f"sdpost{g}", "r": f"r{g}"}
        return rename(x, names)
    needed = MEASURES[measure].needed
    if needed == "a b c d":
        if "tpos" in x:
            return dict(zip("abcd", (x[c] for c in ("tpos", "tneg", "cpos", "cneg")), strict=True))
        e1, n1, e2, n2 = next(c for c in COUNT_COLUMNS if c[0] in x)
        # metafor drops trials without counts before it counts rows.
        known = np.isfinite(x[e1] + x[n1] + x[e2] + x[n2])
        a, b, c, d = (x[e1], x[n1] - x[e1], x[e2], x[n2] - x[e2])
        return {"a": a[known], "b": b[known], "c": c[known], "d": d[known]}
    if needed.startswith("events1"):
        names = {"events1": "x1i", "time1": "t1i", "events2": "x2i", "time2": "t2i"}
        return rename(x, names)
    if needed == "events n":
        return {"events": x["xi"], "n": x["ni"]}
    if needed == "n mean sd":
        return {"n": x["ni"], "mean": x["mi"], "sd": x["sdi"]}
    if needed == "n r":
        return {"n": x["ni"], "r": x["ri"]}
    if needed == "alpha items n":
        return {"alpha": x["ai"], "items": x["mi"], "n": x["ni"]}
    if "n2" in needed.split():
        return rename(x, TWO_GROUPS)
    return {name: value for name, value in rename(x, PAIRED).items() if name in needed.split()}


def compare_measure(
    ledger: Ledger, shared: Path, dataset: str, key: str, answer: Any, old: bool
) -> None:
    measure, *options = key.split(":")
    at: Key = (dataset, key)
    if "yi" not in answer:
        assert "error" in answer, at
        return
    arguments = find_arguments(shared, dataset, measure)
    if arguments is None:
        if any(is_number(value) for value in (*answer["yi"], *answer["vi"])):
            pattern = re.escape(f"{dataset} / {key}") + " / .*"
            ledger.exclude(pattern, "data of the set are not stored")
        return
    extra: dict[str, Any] = {}
    for option in options:
        extra |= {"correct": False} if option == "nocorrect" else {"vtype": option}
    if old and key in UNCORRECTED:
        extra["correct"] = False
    with np.errstate(all="raise", under="ignore"):
        yi, vi = effects.escalc(measure, **arguments, **extra)
    if key.endswith(":AV") and all(value is None for value in answer["yi"]):
        # One trial without spread or mean makes metafor's average infinite and every trial
        # undefined; here a trial without one does not enter the average.
        return
    rtol = RTOL_UNBIASED if "UB" in options else RTOL
    # metafor gives a variance without an effect (AV), or an effect without a variance; here such a
    # pair is not defined as a whole.
    half = np.array([e is None for e in np.ravel(np.array(answer["yi"], dtype=object))])
    half ^= np.array([e is None for e in np.ravel(np.array(answer["vi"], dtype=object))])
    assert np.isnan(yi[half]).all() and np.isnan(vi[half]).all()
    skip: dict[str, Any] = {"skip": half, "reason": HALF}
    # Effects next to 0 are differences of rounded numbers: their standard error measures them.
    size = np.fmax(np.abs(yi), 1e-2 * np.sqrt(vi))
    ledger.compare(f"{measure} yi", (*at, "yi"), yi, rtol=rtol, scale=size, **skip)
    if old and key in REDEFINED_VI:
        pattern = re.escape(f"{dataset} / {key} / vi") + " / .*"
        ledger.exclude(pattern, "variance redefined by metafor 5.1")
    else:
        ledger.compare(f"{measure} vi", (*at, "vi"), vi, rtol=rtol, **skip)


@pytest.mark.parametrize("file", FILES)
def test_every_stored_effect_size_is_reproduced(source: Path, file: str) -> None:
    section = read_answers(source, file)["escalc"]
    old = file == "oracle.json"
    ledger = Ledger("escalc" if old else "escalc (5.1)", section, source)
    for dataset, entries in section.items():
        for key, answer in entries.items():
            compare_measure(ledger, source, dataset, key, answer, old)
    ledger.close()


def compare_bounds(ledger: Ledger, at: Key, ours: records.Bounded, name: str) -> None:
    rtol = RTOL_NONCENTRAL if at[1] == "effectsize" else RTOL_NONCENTRAL_BASE
    ledger.compare("effectsize estimate", (*at, name), ours.estimate, rtol=1e-10)
    ledger.compare("effectsize level", (*at, "CI"), 0.95)
    limits = (ours.ci_low, ours.ci_high)
    for end, value in zip(("CI_low", "CI_high"), limits, strict=True):
        ledger.compare("effectsize limit", (*at, end), value, rtol=rtol, floor=0.1)


@pytest.mark.parametrize("file", FILES)
def test_every_stored_effect_of_paired_records_is_reproduced(source: Path, file: str) -> None:
    section = read_answers(source, file)["ipd"]
    ledger = Ledger("ipd" if file == "oracle.json" else "ipd (5.1)", section, source)
    for dataset, entry in section.items():
        if dataset == "anorexia_ancova":
            ledger.exclude("anorexia_ancova / .*", "needs records that are not stored")
            continue
        stored = [entry[k] for k in ("mean_pre", "sd_pre", "mean_post", "sd_post", "r")]
        ours = records.describe_summaries(entry["n"], *stored)
        # Inside, limits are made by R's own noncentral t, to the last digits.
        block = "effectsize" if "effectsize" in entry or not ledger.is_inside else "noncentral"
        x = read_columns(source, f"{dataset}_ipd")
        if x is not None:
            ours = records.describe_records(x["pre"], x["post"])
            for name, value in (
                ("n", x["pre"].size), ("mean_pre", x["pre"].mean()),
                ("sd_pre", x["pre"].std(ddof=1)), ("mean_post", x["post"].mean()),
                ("sd_post", x["post"].std(ddof=1)), ("r", ours.r),
            ):  # fmt: skip
                ledger.compare("summaries", (dataset, name), value, rtol=1e-12)
            ranked = records.rank_biserial(x["pre"], x["post"])
            at = (dataset, block, "rank_biserial_paired")
            compare_bounds(ledger, at, ranked, "r_rank_biserial")
        else:
            names = "n|mean_pre|sd_pre|mean_post|sd_post|r"
            ledger.exclude(f"{dataset} / ({names})", "input of the analysis")
            if "effectsize" in entry:
                ledger.exclude(
                    f"{dataset} / effectsize / rank_biserial_paired / .*",
                    "needs records that are not stored",
                )
        if "wilcoxon_p_exact_or_normal" in entry:
            ledger.exclude(f"{dataset} / wilcoxon_p_exact_or_normal", "no rank test is offered")
        for name, value in (
            ("mean_change", ours.mean_change),
            ("sd_change", ours.sd_change),
            ("t", ours.t),
            ("df", ours.df),
            ("p", ours.p_value),
            ("lb", ours.ci_low),
            ("ub", ours.ci_high),
            ("d_z", ours.d_z.estimate),
            ("d_av", ours.d_average),
            ("d_av_rms", ours.d_rms.estimate),
            ("d_rm", ours.d_rm),
            ("glass_pre", ours.glass),
        ):
            ledger.compare("paired t test and d", (dataset, name), value, rtol=1e-10)
        for measure in ("MC", "SMCC", "SMCR", "SMCRH", "SMCRP", "SMCRPH"):
            if "error" in entry.get(measure, "error"):
                continue
            before, after = entry["sd_pre"], entry["sd_post"]
            given = {"n": entry["n"], "mean1": entry["mean_post"], "mean2": entry["mean_pre"]}
            # 'sd1' is the SD that SMCR and SMCRH divide by, the one before treatment.
            given |= {"sd1": before, "r": entry["r"]}
            given |= {} if measure == "SMCR" else {"sd2": after}
            yi, vi = effects.escalc(measure, **given)
            ledger.compare("paired measures", (dataset, measure, "yi"), yi, rtol=1e-10)
            if file == "oracle.json" and measure in REDEFINED_VI:
                ledger.exclude(f"{dataset} / {measure} / vi", "variance redefined by metafor 5.1")
            else:
                ledger.compare("paired measures", (dataset, measure, "vi"), vi, rtol=1e-10)
        if block not in entry:
            continue
        for name, key, value in (
            ("cohens_d_paired", "Cohens_d", ours.d_z),
            ("hedges_g_paired", "Hedges_g", ours.g_z),
            ("cohens_d_indep", "Cohens_d", ours.d_rms),
            ("hedges_g_indep", "Hedges_g", ours.g_rms),
            ("u3", "Cohens_U3", ours.u3),
            ("p_superiority", "p_superiority", ours.superiority),
            ("p_superiority_paired", "p_superiority", ours.superiority_paired),
            ("overlap", "Overlap", ours.overlap),
        ):
            compare_bounds(ledger, (dataset, block, name), value, key)
        if block == "noncentral":
            continue
        at = (dataset, "effectsize", "glass")
        ledger.compare("effectsize estimate", (*at, "Glass_delta"), ours.glass, rtol=1e-10)
        ledger.exclude(
            re.escape(" / ".join(at)) + " / CI.*", "interval of Glass's delta is not offered"
        )
    ledger.close()
